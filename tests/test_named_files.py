"""What documents, workflows and docstrings name is there: files, targets, names of the package."""

import ast
import os
import pkgutil
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from repository import ROOT, SKIPPED, TESTS, make_targets, read

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
def endings() -> set[str]:
    """How `everything` may be named: with all its folders, or without the first ones."""
    return {
        "/".join(parts[k:])
        for name in everything()
        for parts in [name.split("/")]
        for k in range(len(parts))
    }


@cache
def is_there(place: str, beside: str = "") -> bool:
    """Also what is named without its first folders, and what is made (and so ignored by Git)."""
    made = [f"{line}*" if line.endswith("/") else line for line in read(".gitignore").split()]
    if any(fnmatchcase(name, pattern) for name in (place, beside + place) for pattern in made):
        return True
    if "*" not in place:
        return place in endings()
    patterns = (place, f"*/{place}")
    return any(fnmatchcase(name, pattern) for name in everything() for pattern in patterns)


@cache
def texts_with_places() -> list[tuple[str, str]]:
    """Files and their texts; of Python the docstrings."""
    names = (
        "README.md",
        "CONTRIBUTING.md",
        "Makefile",
        "pyproject.toml",
        "requirements.in",
        "_config.yml",
    )
    found = []
    for name in (
        *names,
        "requirements-frameworks.txt",
        "requirements-grading.txt",
        "jupytext.toml",
        ".ci/run",
    ):
        found.append((name, read(name)))
    for path in (ROOT / ".github").rglob("*.yml"):
        found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf8")))
    for path in (*TESTS, *(ROOT / "benchmarks").glob("*.py"), ROOT / "conftest.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                found.append((path.relative_to(ROOT).as_posix(), ast.get_docstring(node) or ""))
    return found


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
