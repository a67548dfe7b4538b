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
        (lambda p, g, state: (np.add.reduce(g), ()), "calls add.reduce; expected only sums, products"),
        (lambda p, g, state: (np.add(g, 1, where=True), ()), "calls add with where; expected only"),
        (lambda p, g, state: (np.modf(g)[0], ()), "calls modf; expected only"),
        (lambda p, g, state: (g / g.mean(), ()), "mean"),
        (lambda p, g, state: (g / np.linalg.norm(g), ()), "calls norm; expected only"),
        (lambda p, g, state: (g * np.dot(g, g), ()), "calls dot; expected only"),
        (lambda p, g, state: (np.asarray(g), ()), "makes an array of an element of g_; expected only"),
    ],
    ids=["if", "array", "NumPy", "sum", "where", "two results", "method", "norm", "dot", "as an array"],
)
def test_what_looks_at_more_than_one_element_is_refused(rule, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        trace(rule, [])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (np.exp, "calls exp; expected only"),
        (lambda g: np.log(np.abs(g)), "calls log; expected only"),
        (lambda g: np.power(np.abs(g), 0.5), "calls power; expected only"),
        (lambda g: g**3, "has 3 as exponent; expected 2, 0.5 or -1"),
        (lambda g: 2**g, "calls power; expected only"),
        (lambda g: g**g, "has an element of g_ as exponent; expected 2, 0.5 or -1"),
        (np.frompyfunc(lambda x: 2 * x, 1, 1), "vectorized.; expected only"),
    ],
)
def test_what_numba_would_round_otherwise_is_refused(rule, message):
    with pytest.raises(TypeError, match=message):
        trace(lambda p, g, state: (rule(g), ()), [])


@pytest.mark.parametrize("run", [as_python, by_numba])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_function_that_is_allowed_gives_the_same_bits(monkeypatch, dtype, run):
    run(monkeypatch)
    special = [0.0, -0.0, 0.5, -2.5, 1e-30, -1e30]
    g = np.concatenate([np.random.default_rng(0).standard_normal(2000), special]).astype(dtype)
    functions = {
        ufunc.__name__: lambda g, f=ufunc: f(g, 0.5) if f.nin == 2 else f(g)
        for ufunc in compiled_module.EXACT
        if any(kinds.startswith("d") for kinds in ufunc.types)
    }
    assert len(functions) == len(compiled_module.EXACT) - 4  # those of bits, below
    functions |= {f"**{exponent}": lambda g, k=exponent: abs(g) ** k for exponent in (2, 0.5, -1)}
    functions["&"] = lambda g: ((g > 0) & (g < 1) | ~(g < 2)) ^ (g == 0.5)
    for name, function in functions.items():

        class Rule(Optimizer):
            def rule(self, g, function=function):
                return function(g) * g, ()

        plain, fast = np.zeros_like(g), np.zeros_like(g)
        with np.errstate(all="ignore"):
            Rule(plain, 1.0).step(g)
            Rule(fast, 1.0, compiled=True).step(g)
        assert plain.tobytes() == fast.tobytes(), name


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda g, m: (0.1, (m,)), TypeError, "returned 0.1; expected what it computed"),
        (lambda g, m: (g, (np.zeros(2),)), TypeError, "returned array.*; expected what it computed"),
        (lambda g, m: (g, ()), ValueError, r"returned \(\) as the new state; expected 1 arrays"),
        (lambda g, m: (g, m), ValueError, "returned an element of state_m_ as the new state"),
    ],
)
def test_what_is_no_result_is_refused(returned, error, message):
    with pytest.raises(error, match=message):
        trace(lambda p, g, state: returned(g, *state), ["m"])


@pytest.mark.parametrize("slot", ["p", "g", "i", "np", "x0", "c0", "for", "constants"])
def test_a_slot_may_have_any_name(monkeypatch, slot):
    as_python(monkeypatch)

    class Momentum(Optimizer):
        slots = (slot,)

        def rule(self, g, b):
            b = 0.5 * b + g
            return self.learning_rate * b, (b,)

    theta = np.zeros(2)
    optimizer = Momentum(theta, 1.0, compiled=True)
    for _ in range(2):
        optimizer.step(np.ones(2))
    assert theta.tolist() == [-2.5, -2.5]
    assert optimizer.state[slot].tolist() == [1.5, 1.5]


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
    with pytest.raises(ImportError, match=r"compiled=True needs Numba: pip install numba"):
        optimlib.Adam(np.ones(2), compiled=True)
