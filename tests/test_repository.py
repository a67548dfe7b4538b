"""The files around the book and the package: what they promise is there, and they agree."""

import ast
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
import yaml
from notebook_rules import ROOT

SKIPPED = {
    ".git",
    ".venv",
    ".venv-frameworks",
    ".hypothesis",
    "_build",
    "build",
    "mathjax",
    "__pycache__",
    ".ipynb_checkpoints",
}
TEXT_SUFFIXES = {"", ".cff", ".css", ".in", ".ipynb", ".md", ".py", ".toml", ".txt", ".yml"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def text_files():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not (name in SKIPPED or name.endswith("cache"))]
        for name in names:
            path = ROOT / folder / name
            if path.suffix in TEXT_SUFFIXES and name not in SKIPPED:
                yield path


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.M))


def run(*command: str | Path, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    """A Python program in a process of its own: `run("-m", "pytest")`."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


# Pins and metadata


def pins(name: str = "requirements.txt") -> dict[str, str]:
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ; .+)?", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {match[1]: match[2] for match in found}


def test_requirements_are_exact_and_name_no_address():
    frameworks = pins("requirements-frameworks.txt")
    assert len(pins()) > 100
    assert not frameworks.keys() & pins().keys()
    for name in ("requirements.txt", "requirements-frameworks.txt"):
        assert not re.search(r"://|file:|--|@", read(name))


def test_every_direct_requirement_is_pinned():
    direct = re.findall(r"^([a-z0-9-]+)", read("requirements.in"), flags=re.M)
    assert set(direct) - set(pins()) == set()


def test_numpy_is_the_only_hard_dependency():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert [re.split(r"\W", name)[0] for name in project["dependencies"]] == ["numpy"]
    assert project["requires-python"] == ">=3.11"


def names_imported(node: ast.AST) -> list[str]:
    """The first names of the modules that an import statement names; relative ones are ours."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module.split(".")[0]]
    return []


LAZY = {"numba", "tqdm"}  # asked for within the function that needs it


@pytest.mark.parametrize("path", sorted((ROOT / "optimlib").rglob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_only_what_the_package_may_need(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    within = {id(node) for function in functions for node in ast.walk(function)}
    allowed = {"numpy", "optimlib", *sys.stdlib_module_names}
    if path.parent.name == "lab":
        allowed |= {"matplotlib", "cycler"}
    imported = {
        name
        for node in ast.walk(tree)
        for name in names_imported(node)
        if not (name in LAZY and id(node) in within)
    }
    assert imported - allowed == set()


def test_versions_agree():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    assert f"version {version}," in read("README.md")


def test_citation_file_has_what_the_format_demands():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


# The package as it is installed


def package_files() -> set[str]:
    paths = (path for path in (ROOT / "optimlib").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "optimlib", tmp_path / "optimlib", ignore=ignored)
    program = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    answer = run("-c", program, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert installed == package_files()


def test_every_pattern_of_package_data_finds_a_file():
    data = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["package-data"]
    folders = {package: ROOT / Path(*package.split(".")) for package in data}
    patterns = [(package, pattern) for package in data for pattern in data[package]]
    assert [row for row in patterns if not list(folders[row[0]].glob(row[1]))] == []


# What compares with other libraries

TESTS = sorted((ROOT / "tests").rglob("*.py"))
PROJECTS = {"sklearn": "scikit-learn", "bs4": "beautifulsoup4", "yaml": "pyyaml"}
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
    ours = {path.stem for path in (*files, *(ROOT / "book" / "_ext").glob("*.py"))} | {"optimlib"}
    ours |= {"_pytest", "cs231n", "no_such_library", *sys.stdlib_module_names}
    pinned = pins() | pins("requirements-frameworks.txt")
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
"""
ASKS = ASKS.replace("SKIP", "importorskip").replace("SLOW", "slow")  # conftest.py reads this file, too


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("frameworks", ["1 failed, 1 passed", "could not import 'no_such_library'"]),  # the whole file
        ("not slow", ["1 skipped, 1 deselected", "left out", "tests/test_asks.py: 1 marked as slow"]),
        ("slow", ["1 passed, 1 deselected"]),
    ],
)
def test_a_missing_library_is_a_failure_where_libraries_are_what_is_tested(tmp_path, marker, words):
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path)
    settings = "[pytest]\nmarkers =\n  slow: slow\n  frameworks: other libraries\n"
    (tmp_path / "pytest.ini").write_text(settings)
    (tmp_path / "tests" / "test_asks.py").write_text(ASKS)
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    answer = run("-m", "pytest", "-p", "no:cacheprovider", "-m", marker, cwd=tmp_path, env=alone)
    for word in words:
        assert word in answer.stdout


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
        for node in ast.parse(path.read_text(encoding="utf8")).body:
            helper = isinstance(node, ast.FunctionDef) and not node.name.startswith("test_")
            if helper and len(shape_of(node)) > 35 and "golden" not in path.parts:
                yield shape_of(node), f"{path.relative_to(ROOT)}: {node.name}"


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


# Commands


def test_commands_that_are_promised_exist():
    documents = read("README.md") + read("CONTRIBUTING.md")
    promised = set(re.findall(r"(?:`|^)make (?:PYTHON=\S+ )?([a-z-]+)", documents, flags=re.M))
    assert {"book", "check", "test", "lab"} <= promised <= make_targets()


def test_every_target_is_explained():
    assert make_targets() - set(re.findall(r'"make ([a-z-]+) ', read("Makefile"))) == {"help"}
    assert make_targets() - {"help"} <= set(re.findall(r"`make ([a-z-]+)`", read("CONTRIBUTING.md")))


def test_ci_runs_the_two_test_commands_and_nothing_else():
    assert read(".ci/run") == "#!/bin/sh\nmake test && exec make test-frameworks\n"
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def test_workflows_cover_the_matrix():
    jobs = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.13"]
    assert "deploy" in yaml.safe_load(read(".github/workflows/deploy.yml"))["jobs"]


SUFFIXES = "bib|cff|css|in|ipynb|json|md|npz|py|toml|txt|yml"
BEFORE = r"(?<![\w/.:@$%)-])"
PLACE = re.compile(
    rf"{BEFORE}(?:[\w.*-]+/)*[\w.*-]*[\w*]\.(?:{SUFFIXES})(?![\w/-])|{BEFORE}(?:[\w.-]+/)+(?![\w.*%$(@/-])"
)
"""A file with one of the suffixes, perhaps in folders, or a folder with a slash behind it."""


def places(text: str) -> list[str]:
    """What looks like a file or folder of the repository. NN-name stands for any chapter."""
    return [place.replace("NN-name", "*") for place in PLACE.findall(text)]


@cache
def everything() -> set[str]:
    """All files and, with a slash behind them, folders of the repository."""
    found = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED - {"mathjax"}]
        start = Path(folder).relative_to(ROOT)
        found |= {(start / name).as_posix() for name in names}
        found |= {(start / name).as_posix() + "/" for name in folders}
    return found


@cache
def is_there(place: str, beside: str = "") -> bool:
    """Also what is named without its first folders, and what is made (and so ignored by Git)."""
    made = [f"{line}*" if line.endswith("/") else line for line in read(".gitignore").split()]
    if any(fnmatchcase(name, pattern) for name in (place, beside + place) for pattern in made):
        return True
    patterns = (place, f"*/{place}")
    return any(fnmatchcase(name, pattern) for name in everything() for pattern in patterns)


def texts_with_places() -> Iterator[tuple[str, str]]:
    """Files and their texts; of Python the docstrings."""
    names = (
        "README.md",
        "CONTRIBUTING.md",
        "Makefile",
        "pyproject.toml",
        "requirements.in",
        "_config.yml",
    )
    for name in (*names, "requirements-frameworks.txt", "jupytext.toml", ".ci/run"):
        yield name, read(name)
    for path in (ROOT / ".github").rglob("*.yml"):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf8")
    for path in (*TESTS, *(ROOT / "benchmarks").glob("*.py"), ROOT / "conftest.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                yield path.relative_to(ROOT).as_posix(), ast.get_docstring(node) or ""


def test_every_file_that_is_named_exists():
    missing = {
        f"{name}: {place}"
        for name, text in texts_with_places()
        for place in places(text)
        if not is_there(place, name.rpartition("/")[0] + "/")
    }
    assert missing == set()


def test_a_file_that_does_not_exist_is_seen():
    text = """run: python -m pytest tests/test_gone.py tests/*/test_gone.py
        as `lab/gone.py` and/or book/gone/ say, actions/checkout@v4, $(BIN)/gone.py, tests/mutation.py,
        https://gone.org/gone.py, _build/gone.md, lab/figures.py, book/text/, book/text/NN-name.md"""
    gone = [place for place in places(text) if not is_there(place)]
    assert gone == ["tests/test_gone.py", "tests/*/test_gone.py", "lab/gone.py", "book/gone/"]


def test_every_target_that_is_called_exists():
    calls = re.compile(r"(?:^|[`&] *|run: |exec |\n +)make (?:[A-Z]+=\S* )*([a-z-]+)", flags=re.M)
    called = {(name, target) for name, text in texts_with_places() for target in calls.findall(text)}
    assert {target for _, target in called} >= {"book", "test", "test-frameworks"}
    assert {row for row in called if row[1] not in make_targets()} == set()


def test_every_name_of_the_package_that_documents_use_exists():
    documents = (
        "README.md",
        "CONTRIBUTING.md",
        "pyproject.toml",
        "Makefile",
        ".github/workflows/test.yml",
    )
    missing = set()
    for name in {n for text in map(read, documents) for n in re.findall(r"\boptimlib(?:\.\w+)+", text)}:
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            missing.add(name)
    assert missing == set()


# Words


def test_the_readme_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.+?)```", read("README.md"), flags=re.S)
    example += "assert loss(params) < np.mean(y**2)\n"
    answer = run("-W", "error", "-c", example, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("gradient check: PASS")


def test_files_that_documents_point_to_exist():
    missing = [
        f"{name}: {target}"
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
        for target in re.findall(r"\]\(([^)#:]+)\)", read(name))
        if not (ROOT / target).exists()
    ]
    assert missing == []


def test_no_file_names_a_place_on_someones_machine():
    private = re.compile(r"/(?:home|root|work|tmp|Users|opt)/\w|[A-Z]:\\Users|file://")
    found = [
        f"{path.relative_to(ROOT)}: {match}"
        for path in text_files()
        if path.name != "test_repository.py"
        for match in private.findall(path.read_text(encoding="utf8"))
    ]
    assert found == []


@pytest.mark.parametrize("command", ["ruff check --no-cache .", "ruff format --no-cache --check ."])
def test_code_keeps_the_style(command):
    answer = run("-m", *command.split())
    assert answer.returncode == 0, answer.stdout


def test_type_hints_are_true():
    """What `py.typed` promises to those who check their own code against the package."""
    answer = run("-m", "mypy")
    errors = [line for line in answer.stdout.splitlines() if "error: " in line]
    assert errors == []
    assert "no issues found" in answer.stdout, answer.stdout + answer.stderr
