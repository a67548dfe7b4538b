"""What runs cells in a page: where its files come from, what a page is told, what Python does there."""

import hashlib
import json
import re
import runpy
import subprocess
import sys

import nbformat
import pytest
from _ext.run_in_page import hidden_cells
from notebook_rules import ROOT

RUN = ROOT / "book" / "_static" / "run"
ROW = re.compile(r"^\| (\S+) \| .+ \| ([0-9a-f]{64}) \|$", re.MULTILINE)
OURS = {"NOTICE.md", "run.css", "run.js", "runtime.py", "worker.mjs"}


def listed() -> dict[str, str]:
    return dict(ROW.findall((RUN / "NOTICE.md").read_text(encoding="utf8")))


def test_every_file_that_is_not_ours_is_the_one_of_the_notice():
    paths = {path.relative_to(RUN).as_posix(): path for path in RUN.rglob("*") if path.is_file()}
    others = {name: path for name, path in paths.items() if name not in OURS}
    assert {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in others.items()
    } == listed()


def test_the_lock_knows_these_wheels_and_no_other():
    lock = json.loads((RUN / "python" / "pyodide-lock.json").read_text(encoding="utf8"))
    packages = lock["packages"]
    locked = {f"python/{entry['file_name']}": entry["sha256"] for entry in packages.values()}
    assert locked == {name: digest for name, digest in listed().items() if name.endswith(".whl")}
    assert {name for entry in packages.values() for name in entry["depends"]} <= set(packages)


def test_the_workflow_tests_the_versions_that_pages_have():
    lock = json.loads((RUN / "python" / "pyodide-lock.json").read_text(encoding="utf8"))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf8")
    for name in ("numpy", "matplotlib", "pyparsing"):
        assert f"{name}=={lock['packages'][name]['version']}" in workflow


def test_what_a_page_hides_is_listed_with_its_place():
    cells = [
        nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["remove-cell"]}),
        nbformat.v4.new_code_cell("b = 2", metadata={"tags": ["hide-input"]}),
        nbformat.v4.new_markdown_cell("text"),
        nbformat.v4.new_code_cell("c = 3", metadata={"tags": ["remove-input"]}),
        nbformat.v4.new_code_cell("d = 4"),
        nbformat.v4.new_code_cell("e = 5", metadata={"tags": ["remove-cell", "own-machine"]}),
    ]
    assert hidden_cells(nbformat.v4.new_notebook(cells=cells)) == [
        {"at": 0, "source": "a = 1"},
        {"at": 1, "source": "c = 3"},
    ]


LIBRARIES = "|".join(runpy.run_path(str(ROOT / "conftest.py"))["LIBRARIES"])
IMPORT = re.compile(rf"^\s*(?:import|from) (?:{LIBRARIES})\b", re.MULTILINE)


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_that_imports_other_libraries_says_so_and_runs_in_no_page(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    imports = any(IMPORT.search(cell.source) for cell in cells)
    assert ("frameworks" in tags[0]) == imports
    assert not imports or all("own-machine" in of_cell for of_cell in tags)


# Python in a page, run here: `say` prints a line of JSON for everything that the page would be sent

PROGRAM = """
import json
import sys

page, (runtime, cells) = sys.stdout, json.load(sys.stdin)

def say(kind, data):
    page.write(json.dumps([kind, data]) + "\\n")

here = {"__name__": "runtime", "say": say}
exec(compile(runtime, "runtime.py", "exec"), here)
for number, source in enumerate(cells, start=1):
    if source == "forget":
        here["forget"]()
    else:
        asserts = "# asserts" in source
        say("done", here["run"](source, None if source.startswith("# hidden") else number, asserts))
"""


def told(*cells: str) -> list[list]:
    """What cells send to the page, one after the other."""
    runtime = (RUN / "runtime.py").read_text(encoding="utf8")
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([runtime, cells]),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stderr
    found = []
    for kind, data in map(json.loads, answer.stdout.splitlines()):
        if found and kind == found[-1][0] == "stdout":
            found[-1][1] += data
        else:
            found.append([kind, data])
    return found


def test_a_cell_shows_what_it_prints_and_its_last_value_in_order():
    found = told("x = 6\nprint(x)\nx * 7", "print('a')\nNone", "_ + 1", "x;")
    assert found == [
        ["stdout", "6\n"],
        ["text", "42\n"],
        ["done", True],
        ["stdout", "a\n"],
        ["done", True],
        ["text", "43\n"],
        ["done", True],
        ["done", True],
    ]


def test_prints_are_gathered_and_cut_where_they_would_freeze_a_page():
    (kind, text), _ = told("for k in range(200_000):\n    print(k)")
    assert kind == "stdout"
    assert 100_000 < len(text) < 101_000
    assert text.endswith("the rest is left out]\n")


def test_figures_and_tables_are_sent():
    imports = "import matplotlib.pyplot as plt\nfrom IPython.display import HTML, Markdown, display"
    figure = "plt.plot([1, 2])\nprint('before')\nplt.show()\nprint('after')"
    table = "display(HTML('<b>1</b>'), Markdown('*2*'))"
    found = told(f"{imports}\n{figure}", "plt.plot([3])\nx = 1", table)
    kinds = ["stdout", "png", "stdout", "done", "png", "done", "html", "text", "done"]
    assert [kind for kind, _ in found] == kinds
    assert found[-3:-1] == [["html", "<b>1</b>"], ["text", "*2*\n"]]


def test_a_traceback_has_the_lines_of_cells_and_the_last_one():
    found = told(
        "def f(t):\n    return t['x']",
        "import optimlib\noptimlib.SGD([1], 'fast')",
        "try:\n    f({})\nexcept KeyError as error:\n    raise ValueError('no x') from error",
        "x = (1",
    )
    long, chained, syntax = (data for kind, data in found if kind == "error")
    assert long.startswith('Traceback (most recent call last):\n  File "<cell 2>", line 2')
    assert long.count("  File ") == 2
    assert re.search(r'File "<cell 3>", line 2.*\n.*\n.*File "<cell 1>", line 2', chained)
    assert 'File "<cell 3>", line 4' in chained
    assert syntax.startswith('  File "<cell 4>", line 1')
    assert [data for kind, data in found if kind == "done"] == [True, False, False, False]


@pytest.mark.parametrize(("comment", "holds"), [("", True), ("  # asserts", False)])
def test_assertions_of_the_book_count_where_they_are_asked_for(comment, holds):
    assert told(f"assert 1 == 2{comment}")[-1] == ["done", holds]


def test_what_cells_defined_is_forgotten():
    found = told("x = 1", "forget", "# hidden\nx")
    assert found[-2][1].endswith("NameError: name 'x' is not defined\n")
    assert 'File "<cell that the page does not show>"' in found[-2][1]


def test_work_for_threads_is_done_in_turn():
    cell = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(abs, [-1, 2])), pool.submit(divmod, 7, 2).result())
pool.submit(divmod, 1, 0).result()
"""
    found = told(cell)
    assert found[0] == ["stdout", "[1, 2] (3, 1)\n"]
    assert "ZeroDivisionError" in found[1][1]


def test_glue_and_the_source_of_a_function():
    found = told(
        "def f():\n    return 1",
        "import inspect\nfrom myst_nb import glue\nprint(inspect.getsource(f))\n"
        "glue('a', 2)\nglue('b', 3, display=False)",
    )
    assert found[1:3] == [["stdout", "def f():\n    return 1\n"], ["text", "2\n"]]
    assert found[3:] == [["done", True]]
