"""Compiled rules: the same bits as NumPy's, by the program run as Python, and by Numba where it is."""

import sys

import numpy as np
import pytest
from test_every_optimizer import CASES, IDS

import optimlib
from optimlib import compiled as compiled_module
from optimlib import optimizer as optimizer_module
from optimlib.compiled import trace
from optimlib.optimizer import Optimizer
from optimlib.trees import copy_tree, flatten, map_tree


def as_python(monkeypatch):
    """Run programs without Numba, element by element."""
    monkeypatch.setattr(optimizer_module, "needs_numba", lambda: None)
    monkeypatch.setattr(compiled_module, "compiled", compiled_module.kernel)


def by_numba(monkeypatch):
    pytest.importorskip("numba")


def a_tree(dtype):
    rng = np.random.default_rng(0)
    tree = {
        "W": np.asfortranarray(rng.standard_normal((4, 3))),  # no view in one row: works on copies
        "b": rng.standard_normal(5),
        "every other": rng.standard_normal(6)[::2],
        "s": np.array(0.5),
        "empty": np.zeros((0, 2)),
    }
    return map_tree(lambda leaf: leaf.astype(dtype), tree)


def bits(optimizer):
    """All that a step changes, as bytes."""
    return {path: leaf.tobytes() for path, leaf in flatten((optimizer.params, optimizer.state))}


def assert_compiled_is_the_same(optimizer, options, dtype, steps=7):
    params = a_tree(dtype)
    if "weight_decay" in options:
        options = options | {"mask": map_tree(lambda leaf: leaf.size != 5, params)}
    rate = {"learning_rate": lambda done: 0.1 / (1 + done)}
    plain = optimizer(copy_tree(params), **rate, **options)
    fast = optimizer(params, compiled=True, **rate, **options)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        grads = map_tree(lambda leaf: rng.standard_normal(leaf.shape).astype(dtype), params)
        grads["b"][:] = 0  # a gradient of zero, where signs and roots may go wrong
        plain.step(grads)
        fast.step(grads)
    assert bits(fast) == bits(plain)
    assert bits(fast) != bits(optimizer(a_tree(dtype), **rate, **options))


@pytest.mark.parametrize("run", [as_python, by_numba])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("optimizer", "options"), CASES, ids=IDS)
def test_a_compiled_rule_gives_the_same_bits(monkeypatch, optimizer, options, dtype, run):
    run(monkeypatch)
    assert_compiled_is_the_same(optimizer, options, dtype)


@pytest.mark.parametrize("run", [as_python, by_numba])
@pytest.mark.parametrize(
    "options",
    [{"clip_value": 0.5}, {"clip_norm": 0.1}, {"threads": 2}],
    ids=str,
)
def test_clipping_and_threads_go_with_it(monkeypatch, options, run):
    run(monkeypatch)
    monkeypatch.setattr(optimlib.trees, "BLOCK_BYTES", 64)
    assert_compiled_is_the_same(optimlib.AdamW, options | {"weight_decay": 0.1}, np.float64)


def test_a_resumed_run_may_be_compiled(monkeypatch):
    as_python(monkeypatch)
    g = np.array([3.0, -0.5])
    first, second = np.ones(2), np.ones(2)
    plain, fast = optimlib.Adam(first), optimlib.Adam(second, compiled=True)
    plain.step(g)
    first_state = plain.state_dict()
    second[:] = first
    fast.load_state_dict(first_state)
    for _ in range(3):
        plain.step(g)
        fast.step(g)
    assert bits(fast) == bits(plain)
    np.testing.assert_allclose(first_state["m"], [0.3, -0.05])  # what was saved stays what it was


def test_a_compiled_optimizer_checks_before_it_changes_anything(monkeypatch):
    as_python(monkeypatch)
    theta = np.ones(2)
    optimizer = optimlib.Adam(theta, compiled=True)
    with pytest.raises(ValueError, match="grads\\[1\\] is nan"):
        optimizer.step(np.array([1.0, np.nan]))
    assert theta.tolist() == [1, 1]
    assert optimizer.t == 0


def test_what_changes_from_step_to_step_is_no_part_of_the_source():
    adam = optimlib.Adam(np.ones(1))

    def program(t):
        adam.t = t
        return trace(lambda p, g, state: adam.rule(g, *state), adam.slots)

    first, later = program(1), program(100)
    assert first.source == later.source
    assert first.constants != later.constants
    assert 1 - 0.9**100 in later.constants


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda p, g, state: (g if g > 0 else -g, ()), "asks for the value of an element"),
        (lambda p, g, state: (g * np.ones(3), ()), "uses array.*; expected numbers of Python"),
        (lambda p, g, state: (g * np.float64(0.1), ()), "uses np.float64.*; expected numbers of Python"),
        (lambda p, g, state: (np.add.reduce(g), ()), "calls add in a way that cannot be compiled"),
        (lambda p, g, state: (np.add(g, 1, where=True), ()), "calls add in a way that cannot be"),
        (lambda p, g, state: (np.modf(g)[0], ()), "calls modf in a way that cannot be compiled"),
        (lambda p, g, state: (g / g.mean(), ()), "mean"),
    ],
    ids=["if", "array", "NumPy's number", "sum", "where", "two results", "method"],
)
def test_what_looks_at_more_than_one_element_is_refused(rule, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        trace(rule, [])


def test_a_rule_that_cannot_be_compiled_changes_nothing(monkeypatch):
    as_python(monkeypatch)

    class Largest(Optimizer):
        def rule(self, g):
            return g / np.abs(g).max(), ()

    theta = np.ones(2)
    optimizer = Largest(theta, 0.1, compiled=True)
    with pytest.raises(AttributeError):
        optimizer.step(np.ones(2))
    assert theta.tolist() == [1, 1]
    assert optimizer.t == 0


def test_without_numba_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"compiled=True needs Numba: pip install optimlib\[numba\]"):
        optimlib.Adam(np.ones(2), compiled=True)
