"""An assignment that uses optimlib: the sandbox holds it, and nothing else of the repository."""

import pytest
from notebook_rules import ROOT
from submissions import NO_SANDBOX, lost, marked, solved, untouched, with_cell, with_change

from grading.assignment import load
from grading.release import released


def cell(name, source, points=None):
    """A cell of a source; one that has points is a test."""
    test = points is not None
    marks = {"grade": test, "grade_id": name, "locked": name != "repair", "solution": name == "repair"}
    marks |= {"schema_version": 3, "task": False} | ({"points": points} if test else {})
    lines = "\n".join(f"  {key}: {str(value).lower()}" for key, value in marks.items())
    return f"```{{code-cell}} ipython3\n---\nnbgrader:\n{lines}\n---\n{source}\n```\n"


HEAD = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Assignment 9: a gradient to repair

Repair the gradient.
"""
SETUP = "import numpy as np\nfrom optimlib import check_gradient"
REPAIR = '''\
def gradient(theta):
    """The gradient of the sum of squares."""
    ### BEGIN SOLUTION
    return 2 * theta
    ### END SOLUTION


def verdict():
    return check_gradient(lambda theta: theta @ theta, gradient, np.array([1.0, -2.0])).verdict'''
SEEN = 'assert verdict() == "pass", "the check still fails; which factor does it name?"'
HIDDEN = """\
# Hidden test, 2 points: the factor
### BEGIN HIDDEN TESTS
assert abs(float(gradient(np.array([3.0]))[0]) - 6.0) < 1e-12
### END HIDDEN TESTS"""
CELLS = [
    cell("setup", SETUP),
    cell("repair", REPAIR),
    cell("passes", SEEN, 0),
    cell("factor", HIDDEN, 2),
]
TABLE = """\
title = "A gradient to repair"
needs = ["numpy", "optimlib"]
answers = ["gradient", "verdict"]

[[misconception]]
cell = "factor"
points = 2
words = "The derivative of a square has the factor 2"
read = "finite-differences"
section = ""
"""


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assignments")
    (folder / "repair.md").write_text("\n".join([HEAD, *CELLS]), encoding="utf8")
    (folder / "repair.toml").write_text(TABLE, encoding="utf8")
    return load("repair", folder)


def test_the_solution_gets_everything_and_a_mutant_loses_its_own(tmp_path, assignment):
    result = marked(solved(assignment), assignment, tmp_path)
    assert (result["failed"], result["errors"], lost(result, assignment)) == ({}, [], set())
    wrong = with_change(solved(assignment), "repair", "2 * theta", "theta")
    result = marked(wrong, assignment, tmp_path)
    assert lost(result, assignment) == {"factor"}
    assert "which factor does it name" in result["failed"]["passes"]


def test_the_untouched_notebook_gets_nothing(tmp_path, assignment):
    assert lost(marked(untouched(assignment), assignment, tmp_path), assignment) == {"factor"}


LOOK = """
import os, sys
package = os.path.dirname(sys.modules["optimlib"].__file__)
around = [package]
while around[-1] != "/":
    around.append(os.path.dirname(around[-1]))
seen = [sorted(os.listdir(folder)) for folder in around[1:-1]]
written = []
for folder in (package, *around[1:]):
    try:
        open(os.path.join(folder, "x"), "w").write("x")
        written.append(folder)
    except OSError:
        pass
raise ValueError(package, seen, written)
"""


@pytest.mark.skipif(NO_SANDBOX is not None, reason=f"needs bubblewrap: {NO_SANDBOX}")
def test_of_the_repository_only_the_package_is_seen_and_nothing_can_be_written(tmp_path, assignment):
    result = marked(with_cell(solved(assignment), LOOK, "repair"), assignment, tmp_path)
    (error,) = result["errors"]
    package, seen, written = eval(error[2])
    assert package == str(ROOT / "optimlib")
    assert [name for name in seen[0] if not name.startswith(".venv")] == ["optimlib"]  # Python itself
    assert not {"book", "tests", "grading", "README.md"} & {name for names in seen for name in names}
    assert set(written) <= {"/tmp"}  # its own, which goes with it
    assert lost(result, assignment) == set()


def test_the_students_version_says_how_to_get_it(assignment):
    text = released(assignment, "https://example.org/").cells[1].source
    assert "pip install https://example.org/files/optimlib-" in text
    assert "different project" in text
    assert "the book's site" in released(assignment).cells[1].source
