"""Settings for every pytest run: threads, slow tests, and those that compare with other libraries."""

import json
import os
from collections import defaultdict
from collections.abc import Generator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

# The kernels that nbval starts inherit these. One thread: sums come out alike on every machine.
for name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ[name] = "1"
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"

ROOT = Path(__file__).parent

SLOW = {
    "tests/book/errata": "runs what the articles claim, with controls",
    "tests/book/test_equations.py": "evaluates the equations of the book from their LaTeX",
    "tests/book/test_notebooks.py": "executes notebooks",
    "tests/book/test_site.py": "builds the book",
    "tests/grading/test_robustness.py": "runs a sandbox for every way to break a submission",
    "tests/lab/test_corpus.py": "checks every gradient of the corpus",
    "tests/test_mutation.py": "plants mistakes in a copy of the project",
}
"""Tests that `make check` leaves out, and why. Single tests carry `@pytest.mark.slow`."""

collect_ignore = [] if find_spec("playwright") and find_spec("pypdf") else ["book/paper.py"]
"""What `make pdf` runs, in an environment of its own, has no doctests to run without it."""

CASES = 3
"""Of a test with more cases (`@pytest.mark.parametrize`), `make check` runs so many, evenly spread."""


EXAMPLES = 25
"""Of a property, `make check` tries so many examples; other runs try 100, or what the test says."""


def pytest_configure(config: pytest.Config) -> None:
    """Set the number of examples before the tests are read, which take it on."""
    if config.option.markexpr == "not slow":
        hypothesis.settings.register_profile("check", max_examples=EXAMPLES)
        hypothesis.settings.load_profile("check")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the slow files, of which some import much, where none of their tests would run."""
    passed_over = [
        ROOT / name for name in (*SLOW, "tests/latex.py")
    ]  # which loads SymPy for one of them
    return True if config.option.markexpr == "not slow" and collection_path in passed_over else None


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf8")


FRAMEWORKS = "frameworks"
"""The tag of a notebook's first code cell if it runs only beside the libraries of LIBRARIES."""
LIBRARIES = ("torch", "jax", "keras", "optax")


@cache
def _needs_frameworks(path: Path) -> bool:
    """Whether a notebook runs only where other libraries are."""
    if path.suffix != ".ipynb":
        return False
    code = (cell for cell in json.loads(_text(path))["cells"] if cell["cell_type"] == "code")
    return FRAMEWORKS in next(code, {}).get("metadata", {}).get("tags", [])


@pytest.hookimpl(tryfirst=True)  # before -m decides
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make check` leaves out, and files that ask for another library."""
    slow = {ROOT / name for name in SLOW}
    cases = defaultdict(list)
    for item in items:
        if item.path in slow:
            item.add_marker("slow")
        if _needs_frameworks(item.path) or "pytest.importorskip(" in _text(item.path):
            item.add_marker("frameworks")
        if item.path.parent == ROOT / "tests" / "grading":
            item.add_marker("grading")
        if hasattr(item, "callspec"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for of_one_test in cases.values():
        spread = {k * (len(of_one_test) - 1) // (CASES - 1) for k in range(CASES)}
        for number, item in enumerate(of_one_test):
            if number not in spread:
                item.add_marker("slow")


def _must_be_there(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where what is missing is what is tested, that is a failure."""
    said = {"frameworks": "could not import", "grading": "Skipped: needs "}.get(config.option.markexpr)
    if report.skipped and said is not None and said in str(report.longrepr):
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator:
    """Start the kernel of a notebook without progress bars: a slow machine would show one more.

    Where it needs libraries that are missing, none is started, and what is stored stays unchecked.
    """
    missing = [name for name in LIBRARIES if not find_spec(name)] if _needs_frameworks(item.path) else []
    if missing:
        pytest.skip(f"could not import {', '.join(missing)}: `make test-frameworks` runs this notebook")
    with pytest.MonkeyPatch.context() as patch:
        if item.path.suffix == ".ipynb":
            patch.setenv("TQDM_DISABLE", "1")
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator:
    """Fail a test that skips itself for want of a library."""
    report = yield
    _must_be_there(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator:
    """Fail a file that skips itself for want of a library."""
    report = yield
    _must_be_there(collector.config, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what `make check` left out."""
    if terminalreporter.config.option.markexpr != "not slow":
        return
    terminalreporter.section("left out (make test runs everything)")
    terminalreporter.line("book/*.ipynb: every notebook against its stored outputs")
    for place, why in SLOW.items():
        terminalreporter.line(f"{place}: {why}")
    terminalreporter.line(f"tests with more than {CASES} cases: all but {CASES} of them")
    terminalreporter.line(f"properties: all but {EXAMPLES} examples of each, unless it says how many")
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        marked = _text(path).count("@pytest.mark.slow") + _text(path).count("marks=pytest.mark.slow")
        if marked:
            terminalreporter.line(f"{path.relative_to(ROOT).as_posix()}: {marked} marked as slow")
