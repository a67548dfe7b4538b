"""What a submission cannot do from within the sandbox. Each attack is a cell; the rest is right."""

import json
import os
import time

import pytest
from submissions import ADAPTIVE, NO_SANDBOX, lost, marked, solved, untouched, with_cell, with_change

from grading.assignment import FOLDER
from grading.judge import judge
from grading.limits import Limits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NO_SANDBOX is not None, reason=f"needs bubblewrap: {NO_SANDBOX}"),
]
LIMITS = Limits(cell=6, submission=60, memory=700_000_000, processes=16)


def told(source, tmp_path, limits=LIMITS):
    """What a cell of a submission that is right says by an error, and the result."""
    result = marked(with_cell(solved(ADAPTIVE), source, "adam"), ADAPTIVE, tmp_path, limits)
    return [error[1:] for error in result["errors"] if error[0] == "a cell of your own"], result


@pytest.mark.parametrize(
    "path",
    [str(FOLDER / "adaptive-steps.md"), str(FOLDER.parent), os.path.expanduser("~"), "/etc/passwd"],
)
def test_what_lies_outside_cannot_be_read(tmp_path, path):
    source = f"import os\nname = {path!r}\n"
    source += "raise ValueError((os.listdir if os.path.isdir(name) else open)(name))"
    (error,), result = told(source, tmp_path)
    assert error[0] == "FileNotFoundError" or not any(
        name in error[1] for name in (".md", ".git", "text", ".bash", ".ssh")
    )
    assert lost(result, ADAPTIVE) == set()


def test_everything_that_can_be_seen_holds_no_secret(tmp_path):
    """The whole of the file system but for the system's and Python's own files, and all processes."""
    secret = tmp_path / "another-student.ipynb"
    secret.write_text("a secret")
    source = """
import os
seen = []
for folder, folders, names in os.walk("/"):
    folders[:] = [n for n in folders if os.path.join(folder, n) not in
                  ("/usr", "/proc", "/dev") and "site-packages" != n and "lib" != n]
    seen += [os.path.join(folder, name) for name in names]
commands = [open(f"/proc/{p}/cmdline").read() for p in os.listdir("/proc") if p.isdigit()]
bad = [n for n in seen if n.endswith((".ipynb", ".toml", ".csv", ".md")) or "judge" in n]
raise ValueError(bad, len(commands), [c for c in commands if "judge" in c or "pytest" in c])
"""
    (error,), result = told(source, tmp_path)
    kind, words = error
    assert kind == "ValueError"
    bad, number, judges = eval(words)
    assert (bad, judges) == ([], [])
    assert number <= 3
    assert lost(result, ADAPTIVE) == set()


@pytest.mark.parametrize("path", ["/grading/player.py", "/usr/x", "/x", "/dev/x", "MARKS"])
def test_nothing_outside_can_be_written(tmp_path, path):
    marks = tmp_path / "marks.csv"
    marks.write_text("untouched")
    path = str(marks) if path == "MARKS" else path
    (error,), result = told(f"open({path!r}, 'w').write('full marks')", tmp_path)
    assert error[0] in {"PermissionError", "OSError", "FileNotFoundError"}
    assert marks.read_text() == "untouched"
    assert lost(result, ADAPTIVE) == set()


PATCHES = {
    "np.allclose and its kind": "np.allclose = np.array_equal = np.all = lambda *a, **k: True",
    "np.abs and float": "np.abs = np.zeros_like\nimport builtins\nbuiltins.abs = lambda x: 0.0",
    "builtins": "import builtins\nbuiltins.AssertionError = ValueError\nbuiltins.set = dict\n"
    "builtins.float = lambda x: 0.0\nbuiltins.all = lambda x: True",
    "the wire": "import sys\nw = sys.modules['wire']\nw.Peer._body = lambda *a: {'is': 'list'}",
    "the answers": "import sys\nw = sys.modules['wire']\nw.Peer.do = lambda *a: None",
    "the shell": "get_ipython().run_cell = lambda *a, **k: None",
    "exit codes": "import atexit, os\natexit.register(os._exit, 0)",
    "tracing": "import sys\nsys.settrace(lambda *a: None)",
    "a module of that name": "import sys\nsys.modules['tests'] = sys.modules['grading'] = sys",
}


@pytest.mark.parametrize("name", PATCHES)
def test_patches_turn_no_wrong_answer_into_a_right_one(tmp_path, name):
    notebook = with_cell(untouched(ADAPTIVE), PATCHES[name], "adagrad")
    assert sum(marked(notebook, ADAPTIVE, tmp_path)["marks"].values()) == 0
    wrong = with_change(solved(ADAPTIVE), "adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)")
    result = marked(with_cell(wrong, PATCHES[name], "setup"), ADAPTIVE, tmp_path)
    assert "adam-epsilon" in lost(result, ADAPTIVE)


FORGED = """
import os, json, struct
for fd in range(3, 40):
    for message in ({"value": None, "changed": []}, {"do": "call", "of": 0, "args": [[], {}]},
                    {"do": "attribute", "of": 0, "name": "__globals__"}, {"do": "marks", "all": 28}):
        data = json.dumps(message).encode()
        try:
            os.write(fd, struct.pack(">I", len(data)) + data)
        except OSError:
            pass
"""


def test_forged_messages_give_no_points(tmp_path):
    notebook = with_cell(untouched(ADAPTIVE), FORGED, "adagrad")
    assert sum(marked(notebook, ADAPTIVE, tmp_path)["marks"].values()) == 0


def test_the_judges_functions_cannot_be_looked_into(tmp_path):
    source = """
def minimize(step, gradient, theta, steps):
    peer, number = gradient.__dict__["_peer"], gradient.__dict__["_number"]
    found = peer.ask({"do": "attribute", "of": number, "name": "__globals__"})
    raise ValueError(found)
"""
    notebook = solved(ADAPTIVE)
    notebook["cells"].append(
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "minimize"}}, "source": source}
    )
    result = marked(notebook, ADAPTIVE, tmp_path)
    assert "not allowed" in result["failed"]["minimize-gradient"]


def test_a_fork_bomb_is_held_to_the_limit(tmp_path):
    source = "import os\nwhile True:\n    os.fork()"
    notebook = with_cell(solved(ADAPTIVE), source, "adam")
    began = time.monotonic()
    result = marked(notebook, ADAPTIVE, tmp_path, LIMITS)
    assert time.monotonic() - began < 90
    assert "BlockingIOError" in str(result["errors"]) or "crash" in str(result["look"])


def test_a_process_gets_no_more_than_its_memory(tmp_path):
    (error,), result = told("x = bytearray(10_000_000_000)", tmp_path)
    assert error[0] == "MemoryError"
    assert lost(result, ADAPTIVE) == set()


def test_all_processes_together_get_no_more_either(tmp_path):
    source = """
import os, time
for _ in range(3):
    os.fork()
x = bytearray(250_000_000)
for k in range(0, len(x), 4096):
    x[k] = 1
time.sleep(30)
"""
    _, result = told(source, tmp_path)
    assert any("too much memory" in note for note in result["look"])
    assert lost(result, ADAPTIVE) == set()


def test_the_disk_does_not_fill(tmp_path):
    source = """
import os
written = 0
for folder in ("/student", "/tmp", "/dev/shm"):
    try:
        for k in range(100):
            with open(f"{folder}/{k}", "wb") as file:
                written += file.write(b"0" * 10_000_000)
    except OSError as error:
        pass
raise ValueError(written)
"""
    (error,), result = told(source, tmp_path)
    assert 0 < int(error[1]) <= 3 * LIMITS.disk
    assert lost(result, ADAPTIVE) == set()


def test_nobody_else_can_be_killed(tmp_path):
    source = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(1, signal.SIGKILL)"
    _, result = told(source, tmp_path)
    assert lost(result, ADAPTIVE) == set()
    (tmp_path / "next").mkdir()
    assert lost(marked(solved(ADAPTIVE), ADAPTIVE, tmp_path / "next"), ADAPTIVE) == set()


@pytest.mark.parametrize("host", ["127.0.0.1", "1.1.1.1", "localhost"])
def test_there_is_no_network(tmp_path, host):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import socket\nsocket.create_connection(({host!r}, {port}), 3)"
        (error,), result = told(source, tmp_path)
    assert error[0] in {"OSError", "ConnectionRefusedError", "gaierror"}
    assert lost(result, ADAPTIVE) == set()


def test_the_student_is_nobody(tmp_path):
    source = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
raise ValueError(os.getuid(), [int(status[k], 16) for k in ("CapEff", "CapPrm", "CapBnd")][:2],
                 int(status["NoNewPrivs"]), sorted(os.environ))
"""
    (error,), _ = told(source, tmp_path)
    user, rights, no_new, variables = eval(error[1])
    assert (user == 0, rights, no_new) == (False, [0, 0], 1)
    assert {"LD_PRELOAD", "PYTEST_CURRENT_TEST"}.isdisjoint(variables)


def test_a_link_is_not_followed(tmp_path):
    target = tmp_path / "solution.ipynb"
    target.write_text(json.dumps(solved(ADAPTIVE)))
    link = tmp_path / "handed-in.ipynb"
    link.symlink_to(target)
    assert judge(link, ADAPTIVE, LIMITS)["look"] == ["damaged: it is no file"]
