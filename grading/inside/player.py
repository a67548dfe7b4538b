"""Run a student's cells and functions for the judge outside. This is all that the sandbox sees.

`python player.py '{"memory": 2000000000, ...}'` reads requests from its standard input and answers on
its standard output. The student's own input is empty, and what the student prints is thrown away.
"""

import json
import os
import sys
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def limit(settings: dict) -> None:
    """Become an unprivileged user where we are not one yet, and give up the right to more."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if memory runs out, we go first
    user = settings.get("user")
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    try:
        import resource
    except ImportError:  # Windows
        return
    names = {"AS": "memory", "NPROC": "processes", "FSIZE": "file", "CPU": "seconds", "NOFILE": "files"}
    for name, key in names.items():
        if key in settings and hasattr(resource, f"RLIMIT_{name}"):
            with suppress(ValueError, OSError):  # macOS refuses some
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (settings[key], settings[key]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Set the limits, then serve until the judge hangs up."""
    settings = json.loads(sys.argv[1])
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    limit(settings)

    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
    from wire import GoneError, Peer, described

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config, colors="nocolor")

    class Player(Peer):
        """The inner end of the wire: it also runs cells, and finds functions by name."""

        catches = BaseException

        def do(self, message: dict, arguments: object) -> object:
            if message["do"] == "run":
                result = shell.run_cell(message["source"], store_history=False)
                error = result.error_before_exec or result.error_in_exec
                return None if error is None else described(error)
            return super().do(message, arguments)

        def target(self, name: object) -> object:
            if isinstance(name, str):
                if name not in shell.user_ns:
                    raise NameError(f"name '{name}' is not defined")
                return shell.user_ns[name]
            return super().target(name)

    player = Player(incoming, outgoing, allow_attributes=True)
    player.send({"ready": True})
    while True:
        try:
            player.answer(player.receive())
        except GoneError:
            os._exit(0)


if __name__ == "__main__":
    main()
