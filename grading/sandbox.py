"""The sandbox: bubblewrap gives a process a small world, without network, files or other processes.

Inside there are the system's programs, Python with its libraries, the two files of `grading/inside`,
an empty folder to write to, and nothing else: no sources, no gradebook, no other submission.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

import psutil

from .limits import Limits

INSIDE = Path(__file__).with_name("inside")
HOME = "/student"
FIRST_USER = 64_000  # where we are root, submissions run as this user and those after it
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime")

UNPROTECTED = """\
Nothing protects this computer from what is in the submissions: {reason}.
They would run as you, with your files and your network. They could read the solutions and other
submissions, change or delete whatever you can, and go on running afterwards. Limits on time still
hold; those on memory and on the size of files hold for each process, where the system has such
limits. The marks themselves are still given outside of the student's process, but files that hold
them could be changed.
Install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap), or use --trust if you trust all who
handed in."""


def _folders_above(path: str) -> list[str]:
    return [str(folder) for folder in reversed(Path(path).parents) if str(folder) != "/"]


def _visible(packages: tuple[Path, ...]) -> list[str]:
    """The folders outside of the system's that Python needs, real ones only."""
    wanted = [sys.base_prefix, os.path.realpath(sys.base_prefix), sys.prefix, *map(str, packages)]
    return [
        path for path in dict.fromkeys(wanted) if not path.startswith("/usr/") and os.path.exists(path)
    ]


def command_line(inner: list[str], limits: Limits, packages: tuple[Path, ...] = ()) -> list[str]:
    """The call of bubblewrap that runs `inner`, for which `packages` are to be seen, too."""
    words = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.geteuid() != 0:  # root makes the world as root, and the player then becomes somebody else
        words.append("--unshare-user")
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp", HOME):
        words += ["--perms", "1777", "--size", str(limits.disk), "--tmpfs", folder]
    visible = _visible(packages)  # may lie below /tmp
    folders = [folder for path in visible for folder in _folders_above(path)]
    for folder in dict.fromkeys([*folders, "/grading"]):
        words += ["--perms", "0755", "--dir", folder]
    for path in visible:
        words += ["--ro-bind", path, path]
    for name in ("player.py", "wire.py"):
        words += ["--ro-bind", str(INSIDE / name), f"/grading/{name}"]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]
    for name, value in environment(HOME, packages).items():
        words += ["--setenv", name, value]
    return [*words, "--", *inner]


def environment(home: str, packages: tuple[Path, ...] = ()) -> dict[str, str]:
    """The variables that a submission sees; none of ours."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **dict.fromkeys(threads, "1"),
        "HOME": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(str(path.parent) for path in packages),
        "USER": "student",
    }


@cache
def missing() -> str | None:
    """Why there is no sandbox here, or None."""
    if sys.platform != "linux":
        return "bubblewrap exists on Linux only"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    answer = subprocess.run(
        command_line(["/usr/bin/env", "true"], Limits()), capture_output=True, text=True, check=False
    )
    if answer.returncode:
        return f"bubblewrap does not work here ({answer.stderr.strip()[:200]})"
    return None


class Sandbox:
    """A running player, and the watch over what it uses."""

    def __init__(
        self,
        limits: Limits,
        *,
        trust: bool = False,
        slot: int = 0,
        packages: tuple[Path, ...] = (),
    ):
        self.folder = None
        settings: dict[str, int] = limits.of_a_process()
        if trust:
            settings.pop("processes")  # it would count yours, too
            self.folder = tempfile.mkdtemp(prefix="submission-")
            words = [sys.executable, str(INSIDE / "player.py"), json.dumps(settings)]
            where = {"cwd": self.folder, "env": {**os.environ, **environment(self.folder, packages)}}
            where["env"]["PATH"] = os.environ.get("PATH", "")
        else:
            if missing() is not None:
                raise ValueError(f"without trust there must be a sandbox: {missing()}")
            if os.geteuid() == 0:
                settings["user"] = FIRST_USER + slot
            inner = [sys.executable, "/grading/player.py", json.dumps(settings)]
            words, where = command_line(inner, limits, packages), {}
        self.limits = limits
        self.why: str | None = None
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **where
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def _everyone(self) -> list[psutil.Process]:
        try:
            us = psutil.Process(self.process.pid)
            return [us, *us.children(recursive=True)]
        except psutil.Error:
            return []

    def busy(self) -> float:
        """The seconds of processor time that all who run have used."""
        seconds = 0.0
        for process in self._everyone():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
        return seconds

    def _watch(self) -> None:
        """End a submission whose processes together use too much memory."""
        while self.process.poll() is None:
            used = 0
            for process in self._everyone():
                with contextlib.suppress(psutil.Error):
                    used += process.memory_info().rss
            if used > self.limits.memory:
                self.end("used too much memory")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)

    def end(self, why: str) -> None:
        """Kill all that runs inside. In a sandbox nobody survives: they share a world that ends."""
        self.why = self.why or why
        everyone = self._everyone()
        self.process.kill()
        for process in everyone:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """End it, and remove what it left."""
        self.end("is over")
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
