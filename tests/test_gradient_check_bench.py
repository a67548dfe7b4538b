"""The bench of gradient checks: its gradient is right, its wrong ones are wrong in the way they say."""

import sys

import numpy as np
import pytest
from notebook_rules import ROOT

from optimlib import assert_gradient
from optimlib.trees import map_tree


@pytest.fixture(scope="module")
def bench():
    """The script, which expects its neighbors on the path."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import gradient_check

        yield gradient_check
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_the_right_gradient_is_right(bench):
    theta, X, Y = bench.network("1e2")
    assert_gradient(
        lambda t: bench.loss(np.tanh, t, X, Y), lambda t: bench.gradient(np.tanh, t, X, Y), theta
    )


@pytest.mark.parametrize("size", ["1e2", "1e4", "1e6"])
def test_the_networks_are_as_large_as_they_say(bench, size):
    inputs, hidden, outputs = bench.SIZES[size]
    parameters = hidden * (inputs + 1) + outputs * (hidden + 1)
    assert parameters == pytest.approx(float(size), rel=0.03)


def test_the_claims_differ_where_they_say(bench):
    theta, _, _ = bench.network("1e2")
    claims = bench.claims(theta)
    changed = {
        name: {leaf: int((factors[leaf] != 1).sum()) for leaf in theta if (factors[leaf] != 1).any()}
        for name, factors in claims.items()
    }
    assert changed == {
        "right": {},
        "W1 1 % too large": {"W1": theta["W1"].size},
        "one number doubled": {"W1": 1},
        "sign of b2": {"b2": 2},
    }
    assert claims["one number doubled"]["W1"].max() == 2
    assert map_tree(np.min, claims["sign of b2"]) == {"W1": 1, "b1": 1, "W2": 1, "b2": -1}


def test_our_check_and_its_calls_are_counted(bench):
    net = bench.network("1e2")
    row = bench.verdicts(bench.CHECKS["optimlib"], net, bench.claims(net[0]))
    assert [row[name] for name in bench.claims(net[0])] == ["pass", "fail", "fail", "fail"]
    assert row["loss calls"] > 20
    assert row["gradient calls"] >= 1


def test_a_check_that_takes_too_long_is_stopped(bench, monkeypatch):
    monkeypatch.setattr(bench, "LIMIT", 0.0)
    net = bench.network("1e2")
    row = bench.verdicts(bench.CHECKS["optimlib"], net, bench.claims(net[0]))
    assert row.pop("loss calls") + row.pop("gradient calls") == 1
    assert row.pop("seconds") < 5
    assert row == {"right": "> 0 s"}
