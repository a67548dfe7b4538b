"""The test suite: which tests are slow, which need other libraries, and that helpers are shared."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
import pytest
from repository import ROOT, TESTS, names_imported, pins, read, run

# What compares with other libraries

PROJECTS = {
    "sklearn": "scikit-learn",
    "bs4": "beautifulsoup4",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "py_mini_racer": "mini-racer",
}
"""By the name under which each is imported, where it differs."""


def test_only_test_files_skip_for_want_of_a_library():
    """By that word conftest.py finds what `make test-frameworks` runs, so no helper may hide it."""
    helpers = [path for path in TESTS if not path.name.startswith("test_")]
    assert [path for path in helpers if "importorskip" in path.read_text(encoding="utf8")] == []


def imported(path: Path) -> Iterator[str]:
    """The names of the modules that a file imports, or asks for with `importorskip`."""
    text = path.read_text(encoding="utf8")
    yield from re.findall(r"""(?:importorskip|installed)\(\s*["'](\w+)""", text)
    for node in ast.walk(ast.parse(text)):
        yield from names_imported(node)


def test_every_library_that_is_asked_for_is_pinned():
    files = [*TESTS, *sorted((ROOT / "benchmarks").glob("*.py"))]
    book = [*(ROOT / "book").glob("*.py"), *(ROOT / "book" / "_ext").glob("*.py")]
    ours = {path.stem for path in (*files, *book)}
    ours |= {
        "optimlib",
        "grading",
        "_ext",
        "_pytest",
        "cs231n",
        "no_such_library",
        *sys.stdlib_module_names,
    }
    extra = ("requirements-frameworks.txt", "requirements-pages.txt", "requirements-grading.txt")
    pinned = pins().keys() | {name for file in extra for name in pins(file)}
    missing = {
        f"{path.name}: {module}"
        for path in files
        for module in set(imported(path)) - ours
        if PROJECTS.get(module, module).replace("_", "-") not in pinned
    }
    assert missing == set()


ASKS = """
import pytest

def test_needs_a_library():
    pytest.SKIP("no_such_library")

@pytest.mark.SLOW
def test_slow():
    pass

@pytest.mark.parametrize("case", range(10))
def test_cases(case):
    assert case in (0, 4, 9)  # three of them, evenly spread
"""
ASKS = ASKS.replace("SKIP", "importorskip").replace("SLOW", "slow")  # conftest.py reads this file, too


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        pytest.param(
            "frameworks",
            ["8 failed, 4 passed", "could not import 'no_such_library'"],  # the whole file
            marks=pytest.mark.slow,
        ),
        (
            "not slow",
            ["3 passed, 1 skipped, 8 deselected", "left out", "tests/test_asks.py: 1 marked as slow"],
        ),
        pytest.param("slow", ["7 failed, 1 passed, 4 deselected"], marks=pytest.mark.slow),
    ],
)
def test_what_each_command_runs_and_what_fails_there(tmp_path, marker, words):
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path)
    settings = "[pytest]\nmarkers =\n  slow: slow\n  frameworks: other libraries\n"
    (tmp_path / "pytest.ini").write_text(settings)
    (tmp_path / "tests" / "test_asks.py").write_text(ASKS)
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    answer = run("-m", "pytest", "-p", "no:cacheprovider", "-m", marker, cwd=tmp_path, env=alone)
    for word in words:
        assert word in answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("marker", "word"), [("", "1 skipped"), ("frameworks", "1 error")])
def test_a_notebook_waits_for_its_libraries_and_says_so(tmp_path, marker, word):
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["frameworks"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "chapter.ipynb")
    conftest = read("conftest.py").replace('LIBRARIES = ("torch",', 'LIBRARIES = ("no_such_library",')
    assert conftest != read("conftest.py")
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow: slow\n  frameworks: others\n")
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = ("-m", "pytest", "-p", "nbval.plugin", "--nbval", "-p", "no:cacheprovider", "-rs", "-m")
    answer = run(*command, marker, cwd=tmp_path, env=alone)
    assert word in answer.stdout
    assert "could not import no_such_library" in answer.stdout
    assert "make test-frameworks" in answer.stdout


CELL = "```{code-cell} ipython3\n"
FIRST_CELLS = {
    "colon": ":tags: [hide-input, frameworks]\n\nimport torch\n```\n",
    "flow": "---\nmystnb:\n  image:\n    alt: A\ntags: [hide-input,\n  frameworks]\n---\nx = 1\n```\n",
    "list": "---\ntags:\n- hide-input\n- frameworks\n---\nx = 1\n```\n",
    "none": "x = 1\n```\n",
    "other": ":tags: [own-machine]\n\nframeworks = 1\n```\n",
    "alt": "---\nmystnb:\n  image:\n    alt: other frameworks\ntags: [hide-input]\n---\nx = 1\n```\n",
    "later": f":tags: [own-machine]\n\nx = 1\n```\n\n{CELL}:tags: [frameworks]\n\nx = 2\n```\n",
}


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_and_pytest_agree_on_the_notebooks_that_need_other_libraries(tmp_path):
    header = "---\nkernelspec:\n  display_name: Python 3\n  language: python\n  name: python3\n---\n\n"
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-frameworks.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "book" / "text").mkdir(parents=True)
    needs_frameworks = runpy.run_path(str(ROOT / "conftest.py"))["_needs_frameworks"]
    by_pytest = set()
    for name, cell in FIRST_CELLS.items():
        text = f"{header}# Title\n\n{CELL}{cell}"
        (tmp_path / "book" / "text" / f"{name}.md").write_text(text, encoding="utf8")
        notebook = tmp_path / "book" / f"{name}.ipynb"
        jupytext.write(jupytext.reads(text, fmt="md:myst"), notebook)
        by_pytest |= {name} if needs_frameworks(notebook) else set()
    plan = subprocess.run(
        ["make", "-n", "notebooks"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (command,) = (line for line in plan.splitlines() if ".venv-frameworks/bin/jupyter nbconvert" in line)
    by_make = set(re.findall(r"book/(\w+)\.ipynb", command))
    assert by_make == by_pytest == {"colon", "flow", "list"}


def test_files_that_are_called_slow_exist():
    table = next(
        node.value
        for node in ast.parse(read("conftest.py")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SLOW"
    )
    assert [name for name in ast.literal_eval(table) if not (ROOT / name).exists()] == []


# Helpers of the tests


def shape_of(function: ast.FunctionDef) -> str:
    """What a function does, whatever its arguments are called and its docstring says."""
    copy = ast.parse(ast.unparse(function)).body[0]
    names = {
        arg.arg: f"_{k}" for k, arg in enumerate(n for n in ast.walk(copy) if isinstance(n, ast.arg))
    }
    if ast.get_docstring(copy) is not None:
        del copy.body[0]
    for node in ast.walk(copy):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return "\n".join(map(ast.unparse, copy.body))


def helpers() -> Iterator[tuple[str, str]]:
    """By what they do, the functions at the top of test files that are longer than a few words."""
    for path in TESTS:
        for node in [] if "golden" in path.parts else ast.parse(path.read_text(encoding="utf8")).body:
            helper = isinstance(node, ast.FunctionDef) and not node.name.startswith("test_")
            if helper and len(shape := shape_of(node)) > 35:
                yield shape, f"{path.relative_to(ROOT)}: {node.name}"


def test_no_helper_is_written_twice():
    """What several files need is in tests/support.py. Recorders stand for themselves."""
    found: dict[str, list[str]] = {}
    for shape, place in helpers():
        found.setdefault(shape, []).append(place)
    assert [places for places in found.values() if len(places) > 1] == []


def test_a_copy_under_other_names_is_seen():
    def shape(text):
        return shape_of(ast.parse(text).body[0])

    one = shape("def f(a, *b):\n    'Says this.'\n    return a.sum() / len(b)")
    assert one == shape("def g(x, *y) -> float:\n    return x.sum() / len(y)")
    assert one != shape("def f(a, *b):\n    return b.sum() / len(a)")
