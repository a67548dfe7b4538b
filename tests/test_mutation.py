"""The script that plants mistakes: it finds the places, and can tell what is caught from what is not."""

import ast
import os
import subprocess
import sys
from collections import Counter

import mutation
import pytest

SMALL = '''
def share(a, b=2):
    """Of 1 + 1, nothing."""
    if not a < b:
        raise ValueError(f"{a + 1}")
    return -a
'''


def test_every_mistake_of_a_small_text():
    found = [(m.row, m.old, m.new) for m in mutation.mistakes(SMALL)]
    assert found == [
        (2, "2", "3"),
        (2, "2", "1"),
        (4, "not", ""),
        (4, "a", "b"),
        (4, "<", "<="),
        (4, "<", ">="),
        (4, "b", "a"),
        (6, "-", "+"),
        (6, "a", "b"),
    ]


def test_a_mistake_is_planted_where_it_says():
    mistake = list(mutation.mistakes(SMALL))[3]
    assert mistake.planted(SMALL) == SMALL.replace("not a < b", "not b < b")
    assert str(mistake) == "optimlib/.py:4 share 'a' -> 'b' in: if not a < b:"


AGAIN = """
@lru_cache(maxsize=8)
def shift(a, b):
    a = b
    c = a + a  # twice
    if c:
        a = b
    return c
"""


def test_a_name_tells_equal_mistakes_apart_and_says_nothing_of_places():
    names = [m.name for m in mutation.mistakes(AGAIN)]
    assert len(set(names)) == len(names)
    assert "shift 'a' -> 'b' in: c = a + a" in names
    assert "shift 'a' -> 'b' in: c = a + a (2)" in names
    assert {"shift 'b' -> 'a' in: a = b", "shift 'b' -> 'a' in: a = b (2)"} <= set(names)
    assert "shift '8' -> '9' in: @lru_cache(maxsize=8)" in names
    moved = AGAIN.replace("\n", "\n\n").replace("  # twice", "  # two of them")
    assert [m.name for m in mutation.mistakes("\n\n" + moved)] == names


RULE = """
class A:
    def rule(self, g, m):
        m = self.c * m
        return self.d[0], g, 'x', 'y'
"""


def test_names_are_taken_for_their_like():
    found = {(m.old, m.new) for m in mutation.mistakes(RULE) if m.old.strip("'").isalpha()}
    assert found == {("c", "d"), ("d", "c"), ("g", "m"), ("m", "g"), ("'x'", '"y"'), ("'y'", '"x"')}


@pytest.fixture(scope="module")
def every_mistake():
    sources = {module: mutation.ROOT / "optimlib" / f"{module}.py" for module in mutation.TESTS}
    return [m for k, path in sources.items() for m in mutation.mistakes(path.read_text("utf8"), k)]


def test_there_are_many_mistakes_to_make_in_every_rule(every_mistake):
    rules = Counter(m.function for m in every_mistake if m.function.endswith(".rule"))
    written = {
        f"{kind.name}.rule"
        for path in (mutation.ROOT / "optimlib" / "optimizers").glob("*.py")
        for kind in ast.walk(ast.parse(path.read_text(encoding="utf8")))
        if isinstance(kind, ast.ClassDef) and path.stem not in mutation.PASSED_OVER
        for method in kind.body
        if isinstance(method, ast.FunctionDef) and method.name == "rule"
    }
    assert len(written) >= 11
    assert set(rules) == written
    modules = Counter(m.module.split("/")[0] for m in every_mistake)
    assert modules["schedules"] > 400
    assert modules["clipping"] > 100


def test_every_module_has_tests_and_its_own_come_first():
    assert mutation.TESTS["optimizers/sgd"][0] == "optimizers/test_sgd"
    assert mutation.TESTS["clipping"] == ("test_clipping", *mutation.TESTS["clipping"][1:])
    for module, files in mutation.TESTS.items():
        assert len(files) >= 2, module
        assert [name for name in files if not (mutation.ROOT / "tests" / f"{name}.py").exists()] == []


def test_what_is_listed_as_equivalent_is_still_there(every_mistake):
    assert set(mutation.EQUIVALENT) <= {m.name for m in every_mistake}


TEST = """
import numpy as np
from optimlib import SGD

def test_a_step():
    theta = np.ones(1)
    SGD(theta, learning_rate=0.25).step(np.full(1, 2.0))
    assert theta == 0.5
"""
PROGRAM = f"""
import tempfile
import mutation

mutation.TESTS, mutation.SECONDS = {{"optimizers/sgd": ["test_a_step"]}}, 3
with tempfile.TemporaryDirectory() as folder:
    copy = mutation.copied(mutation.ROOT, folder)
    (copy / "tests" / "test_a_step.py").write_text({TEST!r})
    right = (copy / "optimlib" / "optimizers" / "sgd.py").read_text(encoding="utf8")
    for text in (
        right + "# a comment",
        right.replace("self.learning_rate * b", "self.learning_rate / b"),
        right + "this is not Python",
        right + "while True:\\n    pass",
        right,
    ):
        print(mutation.caught("optimizers/sgd", text, copy))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_a_comment_survives_and_a_mistake_is_caught():
    program = [sys.executable, "-c", PROGRAM]
    answer = subprocess.run(
        program, cwd=mutation.ROOT / "tests", capture_output=True, text=True, check=False
    )
    assert answer.stdout.split() == ["False", "True", "True", "True", "False"], answer.stderr
