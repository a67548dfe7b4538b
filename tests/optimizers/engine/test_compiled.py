"""Compiled rules: the same bits as where they are called with arrays.

The compiled program is run as Python, and by Numba where that is installed.
"""

import sys

import numpy as np
import pytest
from optimizer_cases import ELEMENTWISE

import optimlib
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.engine import blocks, compiled
from optimlib.optimizers.engine.tracing import EXACT
from optimlib.trees import copy_tree, flatten, map_tree


def compiled_as_python(monkeypatch):
    """Run programs without Numba, element by element."""
    monkeypatch.setattr(compiled, "needs_numba", lambda: None)
    monkeypatch.setattr(compiled, "compiled", lambda program, dtype: compiled.as_python(program))
    return {"compiled": True}


def compiled_by_numba(monkeypatch):
    pytest.importorskip("numba")
    return {"compiled": True}


WAYS = pytest.mark.parametrize("way", [compiled_as_python, compiled_by_numba])


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


def assert_the_same_bits(optimizer, options, dtype, way_options, steps=7):
    params = a_tree(dtype)
    if isinstance(options.get("weight_decay"), float):
        options = options | {"mask": map_tree(lambda leaf: leaf.size != 5, params)}
    rate = {"learning_rate": lambda done: 0.1 / (1 + done)}
    plain = optimizer(copy_tree(params), **rate, **options)
    fast = optimizer(params, **rate, **options, **way_options)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        grads = map_tree(lambda leaf: rng.standard_normal(leaf.shape).astype(dtype), params)
        grads["b"][:] = 0  # a gradient of zero, where signs and roots may go wrong
        plain.step(grads)
        fast.step(grads)
    assert bits(fast) == bits(plain)
    assert bits(fast) != bits(optimizer(a_tree(dtype), **rate, **options))


@WAYS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("optimizer", "options"), ELEMENTWISE)
def test_every_optimizer_gives_the_same_bits(monkeypatch, optimizer, options, dtype, way):
    assert_the_same_bits(optimizer, options, dtype, way(monkeypatch))


@WAYS
@pytest.mark.parametrize(
    "options",
    [{"clip_value": 0.5}, {"clip_norm": 0.1}],
    ids=str,
)
def test_clipping_goes_with_it(monkeypatch, options, way):
    way_options = way(monkeypatch)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    options = options | {"weight_decay": 0.1}
    assert_the_same_bits(optimlib.AdamW, options, np.float64, way_options)


@WAYS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_function_that_is_allowed_gives_the_same_bits(monkeypatch, dtype, way):
    options = way(monkeypatch)
    special = [0.0, -0.0, 0.5, -2.5, 1e-30, -1e30]
    g = np.concatenate([np.random.default_rng(0).standard_normal(2000), special]).astype(dtype)
    functions = {
        ufunc.__name__: lambda g, f=ufunc: f(g, 0.5) if f.nin == 2 else f(g)
        for ufunc in EXACT
        if any(kinds.startswith("d") for kinds in ufunc.types)
    }
    assert len(functions) == len(EXACT) - 4  # those of bits, below
    functions |= {f"**{exponent}": lambda g, k=exponent: abs(g) ** k for exponent in (2, 0.5, -1)}
    functions["&"] = lambda g: ((g > 0) & (g < 1) | ~(g < 2)) ^ (g == 0.5)
    for name, function in functions.items():

        class Rule(Optimizer):
            def rule(self, g, function=function):
                return function(g) * g, ()

        with np.errstate(all="ignore"):
            some = g[np.isfinite(function(g) * g)]  # no rule may make NaN
            plain, fast = np.zeros_like(some), np.zeros_like(some)
            Rule(plain, 1.0).step(some)
            Rule(fast, 1.0, **options).step(some)
        assert some.size > 900
        assert plain.tobytes() == fast.tobytes(), name


@WAYS
@pytest.mark.parametrize("slot", ["p", "g", "i", "np", "x0", "c0", "s0", "for", "numbers", "old_p"])
def test_a_slot_may_have_any_name(monkeypatch, slot, way):
    options = way(monkeypatch)

    class Momentum(Optimizer):
        slots = (slot,)

        def rule(self, g, b):
            b = 0.5 * b + g
            return self.learning_rate * b, (b,)

    theta = np.zeros(5)
    optimizer = Momentum(theta, 1.0, **options)
    for _ in range(2):
        optimizer.step(np.ones(5))
    assert theta.tolist() == [-2.5] * 5
    assert optimizer.state[slot].tolist() == [1.5] * 5


def test_a_resumed_run_may_be_compiled(monkeypatch):
    compiled_as_python(monkeypatch)
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
    compiled_as_python(monkeypatch)
    theta = np.ones(2)
    optimizer = optimlib.Adam(theta, compiled=True)
    with pytest.raises(ValueError, match="grads\\[1\\] is nan"):
        optimizer.step(np.array([1.0, np.nan]))
    assert theta.tolist() == [1, 1]
    assert optimizer.t == 0


TURNS = {
    "the last two gradients": lambda g, a, b: (g - b, (g, a)),
    "swapped": lambda g, a, b: (0.5 * g, (b + 1, a)),
    "swapped whole": lambda g, a, b: (g, (b, a)),
    "twice the same": lambda g, a, b: (lambda x: (x, (x, x)))(0.5 * a + g),
    "unchanged": lambda g, a, b: (a + g, (a, b)),
    "one unread": lambda g, a, b: (g, (g + 1, 2 * b + g)),
    "the old state as the step": lambda g, a, b: (a, (a + g, b - a)),
    "read after its successor": lambda g, a, b: (lambda y: (y - b * b, (b * y, y)))(b + g),
    "comparisons": lambda g, a, b: (np.sign(g) * (g > a), (np.maximum(a, g), b + (g > 0) * g)),
    "all at the end": lambda g, a, b: (g + a * b, (g - a * b, g * (a - b))),
}
"""Rules whose results end in other arrays than where they began."""


@pytest.mark.parametrize("turn", TURNS)
@WAYS
def test_results_may_change_places(monkeypatch, turn, way):
    options = way(monkeypatch)

    class Turn(Optimizer):
        slots = ("a", "b")

        def rule(self, g, a, b):
            return TURNS[turn](g, a, b)

    start = np.random.default_rng(0).standard_normal(11)
    plain = Turn(start.copy(), 1.0)
    fast = Turn(start.copy(), 1.0, **options)
    for seed in range(1, 6):
        g = np.random.default_rng(seed).standard_normal(11)
        plain.step(g)
        fast.step(g)
    assert bits(fast) == bits(plain)


def test_a_rule_that_cannot_be_compiled_changes_nothing(monkeypatch):
    compiled_as_python(monkeypatch)

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


class Normalized(Optimizer):
    needs_whole_arrays = True

    def rule(self, g):
        return self.learning_rate * g / np.linalg.norm(g), ()


@WAYS
@pytest.mark.parametrize(
    "optimizer", [optimlib.LARS, optimlib.LAMB, optimlib.Muon, optimlib.Adafactor, Normalized]
)
def test_a_rule_of_whole_arrays_is_refused_when_it_is_asked_for(monkeypatch, optimizer, way):
    options = way(monkeypatch)
    message = f"compiled=True: {optimizer.__name__} looks at whole arrays; expected False"
    with pytest.raises(ValueError, match=message):
        optimizer(np.ones((2, 2)), 0.1, **options)
    called = optimizer(np.ones((2, 2)), 0.1, compiled=False)
    with pytest.raises(ValueError, match=message):
        called.compiled = True
    assert not called.compiled
    called.step(np.ones((2, 2)))
    assert called.t == 1


@pytest.mark.parametrize("size", [1e-200, 1e-160])
def test_small_gradients_are_no_underflow(size):
    with np.errstate(all="raise"):
        optimlib.SGD(np.ones(3), 0.1).step(np.full(3, size))


@WAYS
def test_a_compiled_rule_that_makes_nan_is_named(monkeypatch, way):
    options = way(monkeypatch)

    class Dividing(Optimizer):
        def rule(self, g):
            return g / np.abs(g), ()

    optimizer = Dividing(np.ones((2, 2)), 1.0, **options)
    message = r"Dividing.rule made params\[1, 0\] nan in step 1 \(load a saved state\)"
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=message):
        optimizer.step(np.array([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(RuntimeError, match="interrupted"):
        optimizer.step(np.ones((2, 2)))


@WAYS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_huge_gradient_is_refused_before_anything_changes_where_it_is_squared(monkeypatch, dtype, way):
    options = way(monkeypatch)
    huge = np.array([1.0, 2 * np.sqrt(np.finfo(dtype).max)], dtype)
    theta = np.ones(2, dtype)
    optimizer = optimlib.Adam(theta, 0.5, **options)
    with pytest.raises(ValueError, match="grads is too large"):
        optimizer.step(huge)
    assert theta.tolist() == [1, 1]
    optimizer.step(np.ones(2, dtype))
    optimlib.Lion(theta, 0.5, weight_decay=0.0, **options).step(huge)


@WAYS
def test_a_read_only_gradient_and_any_layout_may_be_compiled(monkeypatch, way):
    options = way(monkeypatch)
    theta = [np.ones((3, 4), order="F"), np.ones((6, 4))[::2]]
    twin = copy_tree(theta)
    g = [np.arange(12.0).reshape(3, 4), np.broadcast_to(2.0, (3, 4))]
    g[0].flags.writeable = False
    optimlib.Adam(theta, 0.5, **options).step(g)
    optimlib.Adam(twin, 0.5).step(g)
    for a, b in zip(theta, twin, strict=True):
        np.testing.assert_array_equal(a, b)
