"""What holds for every optimizer of the family, with every one of its conventions."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_cases import CASES, EVERY, IDS, METHODS
from support import steps_taken, unchanged

from optimlib import optimizers
from optimlib.optimizers.engine import blocks
from optimlib.optimizers.settings import Setting
from optimlib.optimizers.weight_decay import L2, Decoupled
from optimlib.trees import flatten, map_tree

every = pytest.mark.parametrize(("optimizer", "options"), CASES, ids=IDS)

OPTIMIZERS = [getattr(optimizers, name) for name in EVERY]
SETTINGS = [
    (optimizer, name)
    for optimizer in OPTIMIZERS
    for name in inspect.signature(optimizer).parameters
    if isinstance(getattr(optimizer, name, None), Setting)
]
BELOW_ONE = ("momentum", "rho", "beta1", "beta2")


def test_no_optimizer_is_left_out():
    assert {method.__name__ for method in METHODS} == set(EVERY)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_number_is_declared_so_that_it_is_checked_when_it_is_assigned(optimizer):
    numbers = {
        name
        for name, parameter in inspect.signature(optimizer).parameters.items()
        if isinstance(parameter.default, float | int) and name not in ("learning_rate", "weight_decay")
    }
    assert {name for declared, name in SETTINGS if declared is optimizer} >= numbers


@pytest.mark.parametrize(("optimizer", "name"), SETTINGS)
@pytest.mark.parametrize("value", ["0.5", None, True, np.ones(2), -0.1, np.nan], ids=repr)
def test_a_number_is_checked_when_it_is_given_and_when_it_is_assigned(optimizer, name, value):
    error = ValueError if isinstance(value, float) else TypeError
    with pytest.raises(error, match=f"{name} is "):
        optimizer(np.ones(2), 0.1, **{name: value})
    running = optimizer(np.ones(2), 0.1)
    before = getattr(running, name)
    with pytest.raises((error, AttributeError), match=f"{name} (is|counts only)"):
        setattr(running, name, value)
    assert getattr(running, name) == before


@pytest.mark.parametrize("name", ["compiled", "skip_nonfinite"])
@pytest.mark.parametrize("value", ["False", None, 1, 0.5, np.ones(2)], ids=repr)
def test_a_switch_is_true_or_false(name, value):
    """The text "False" would count as True."""
    with pytest.raises(TypeError, match=f"{name} is .*; expected True or False"):
        optimizers.Adam(np.ones(2), 0.1, **{name: value})


@pytest.mark.parametrize(("optimizer", "name"), [pair for pair in SETTINGS if pair[1] in BELOW_ONE])
@pytest.mark.parametrize("value", [10**400, Fraction(10**30 - 1, 10**30)], ids=["beyond", "almost 1"])
def test_a_decay_rate_that_is_one_once_it_is_a_float_is_refused(optimizer, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; expected 0.0 <= {name} < 1.0"):
        optimizer(np.ones(2), 0.1, **{name: value})


def test_a_whole_number_beyond_all_floats_is_refused():
    with pytest.raises(ValueError, match="learning_rate is 1000"):
        optimizers.SGD(np.ones(2), 10**400)


def a_tree(rng):
    return {"b": rng.standard_normal(5), "W": [rng.standard_normal((4, 3)), np.array(0.5)]}


def train(optimizer, options, params, steps=4):
    """Train on the same gradients, leaf by leaf, whatever the order of the leaves."""
    running = optimizer(params, learning_rate=lambda done: 0.1 / (1 + done), **options)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        grads = a_tree(rng)
        running.step({key: grads[key] for key in params})
    return dict(flatten(params)) | dict(flatten(running.state))


@every
def test_the_rule_is_pure(optimizer, options):
    """It changes none of its arguments, and gives the same twice."""
    running = optimizer(np.ones((2, 3)), learning_rate=0.1, **options)
    running.t = 7
    rng = np.random.default_rng(0)
    g, p, *state = (
        rng.uniform(0.5, 1.0, shape)
        for shape in ((2, 3), (2, 3), *(running.state[slot].shape for slot in running.slots))
    )
    given = (g, p, *state) if running.needs_parameters else (g, *state)
    attributes = dict(vars(running))
    with unchanged({"given": list(given)}):
        first, second = running.rule(*given), running.rule(*given)
    assert vars(running) == attributes
    for a, b in zip((first[0], *first[1]), (second[0], *second[1]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(first[1]) == len(running.slots)
    results = [first[0], *first[1]]
    assert not any(np.shares_memory(new, old) for new in results for old in given)


@every
def test_neither_the_order_of_the_tree_nor_blocks_matter(monkeypatch, optimizer, options):
    plain = a_tree(np.random.default_rng(0))
    expected = train(optimizer, options, plain)
    turned = a_tree(np.random.default_rng(0))
    results = [train(optimizer, options, {"W": turned["W"], "b": turned["b"]})]
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16)
    results.append(train(optimizer, options, a_tree(np.random.default_rng(0))))
    for found in results:
        assert found.keys() == expected.keys()
        for path, array in expected.items():
            np.testing.assert_array_equal(found[path], array)


@every
def test_arrays_keep_their_precision(optimizer, options):
    params = map_tree(lambda leaf: leaf.astype(np.float32), a_tree(np.random.default_rng(0)))
    running = optimizer(params, learning_rate=np.float64(0.1), **options)
    for _ in range(8):
        running.step(map_tree(np.ones_like, params))
    assert {leaf.dtype for _, leaf in flatten((params, running.state))} == {np.dtype(np.float32)}


@every
def test_a_gradient_that_is_always_zero_moves_nothing(optimizer, options):
    """Unless the parameters decay, and they are 0 here."""
    assert (steps_taken(optimizer, np.zeros((30, 2)), learning_rate=0.1, **options) == 0).all()


@every
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(optimizer, options):
    def start(params):
        return optimizer(params, learning_rate=0.1, **options)

    gradients = np.random.default_rng(0).standard_normal((12, 3))
    theta = np.ones(3)
    running = start(theta)
    for number, g in enumerate(gradients):
        if number == 7:
            later = theta.copy()
            resumed = start(later)
            resumed.load_state_dict(running.state_dict())
        running.step(g)
        if number >= 7:
            resumed.step(g)
    np.testing.assert_array_equal(later, theta)


# Weight decay


DECAYING = [c for c in OPTIMIZERS if "weight_decay" not in c.hints_for_keywords]


@pytest.mark.parametrize("optimizer", DECAYING)
def test_decoupled_decay_without_a_gradient_by_hand(optimizer):
    """lambda = 1/2, rates 1/4 and 1/2: from 2 to 2 (1 - 1/8) = 7/4, then to 7/4 (1 - 1/4) = 21/16."""
    params = {"W": np.array([2.0]), "b": np.array([2.0])}
    decay = Decoupled(0.5, mask={"W": True, "b": False})
    if optimizer.__name__.startswith("ScheduleFree"):
        pytest.skip("its parameters are a point between two others")
    running = optimizer(params, lambda done: 0.25 * 2**done, weight_decay=decay)
    zeros = {"W": np.zeros(1), "b": np.zeros(1)}
    for expected in (7 / 4, 21 / 16):
        running.step(zeros)
        assert params == {"W": expected, "b": 2.0}


@pytest.mark.parametrize("optimizer", DECAYING)
def test_l2_is_part_of_the_gradient(optimizer):
    """What the optimizer does with the decay is what it would do with the gradient of the penalty."""
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    params, others = np.ones(3), np.ones(3)
    decaying, plain = (
        optimizer(p, 0.1, weight_decay=L2(strength)) for p, strength in ((params, 0.25), (others, 0.0))
    )
    for g in gradients:
        decaying.step(g)
        plain.step(g + 0.25 * others)
    np.testing.assert_array_equal(params, others)


@pytest.mark.parametrize("optimizer", [c for c in OPTIMIZERS if not c.needs_parameters])
def test_decoupled_decay_leaves_no_trace_in_the_state(optimizer):
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    plain = optimizer(np.ones(3), 0.1, weight_decay=0.0)
    decaying = optimizer(np.ones(3), 0.1, weight_decay=Decoupled(0.25))
    for g in gradients:
        plain.step(g)
        decaying.step(g)
    for slot, array in plain.state.items():
        np.testing.assert_array_equal(decaying.state[slot], array)
    assert (plain.params != decaying.params).all()


UNITS = [
    ("AdaGrad", {"eps": 0.0}),
    ("RMSProp", {"eps": 0.0}),
    ("RMSPropRateInside", {"eps": 0.0, "momentum": 0.9}),
    ("Adam", {"eps": 0.0}),
    ("AdamEpsHat", {"eps": 0.0}),
    ("AMSGrad", {"eps": 0.0}),
    ("AMSGradRaw", {"eps": 0.0}),
    ("AMSGradCorrected", {"eps": 0.0}),
    ("AdamW", {"eps": 0.0}),
    ("Nadam", {"eps": 0.0}),
    ("Adamax", {"eps": 0.0}),
    ("AdaBelief", {"eps": 0.0, "eps_root": 0.0}),
    ("Lion", {}),
]


@pytest.mark.parametrize(("name", "options"), UNITS, ids=lambda value: str(value))
@given(
    gradients=st.lists(
        st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3), min_size=1, max_size=8
    ).filter(lambda g: g[0] != 0),
    exponent=st.integers(-30, 30),
)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_without_epsilon_the_unit_of_the_gradient_does_not_matter(name, options, gradients, exponent):
    """A power of two scales every intermediate number exactly, so the steps agree bit for bit."""
    optimizer = getattr(optimizers, name)
    scaled = np.array(gradients) * 2.0**exponent
    options = {"learning_rate": 1e-3} | options
    np.testing.assert_array_equal(
        steps_taken(optimizer, scaled, **options), steps_taken(optimizer, gradients, **options)
    )
