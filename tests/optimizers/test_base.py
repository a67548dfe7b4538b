"""The base class: what is refused, what a refusal leaves behind, blocks, schedules, saving."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib import SGD, Adam
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.engine import blocks
from optimlib.schedules import ReduceOnPlateau, warmup
from optimlib.trees import copy_tree, flatten, map_tree

Pair = namedtuple("Pair", "left right")


def a_tree(rng: np.random.Generator, dtype=np.float64):
    """Nested dicts, lists and a namedtuple, with a leaf of every awkward shape."""

    def leaf(*shape):
        return rng.standard_normal(shape).astype(dtype)

    return {
        "layers": [{"W": leaf(3, 2), "b": leaf(2)}, (leaf(1, 4), leaf(2, 0))],
        "pair": Pair(leaf(), leaf(5)),
    }


def like(tree, rng: np.random.Generator):
    """A random tree of the same structure, shapes and dtypes."""
    return map_tree(lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), tree)


def snapshot(optimizer: Optimizer) -> tuple:
    """Everything that a step changes, as bytes."""
    leaves = [leaf.tobytes() for _, leaf in flatten(optimizer.params)]
    state = {key: array.tobytes() for key, array in optimizer.state_dict().items()}
    return leaves, state, optimizer.t, optimizer.learning_rate


class Countdown(Optimizer):
    """Subtracts 1, 2, 3, ...: the number of the step, whatever the gradient."""

    def rule(self, g, *state):
        return np.full_like(g, self.t), state


# A step


def test_time_is_one_in_the_first_step_and_advances_once_a_step_whatever_the_number_of_leaves():
    params = {"a": np.zeros(2), "b": [np.zeros(1), np.array(0.0)]}
    optimizer = Countdown(params, learning_rate=1.0)
    assert optimizer.t == 0
    optimizer.step(map_tree(np.ones_like, params))
    optimizer.step(map_tree(np.ones_like, params))
    assert optimizer.t == 2
    np.testing.assert_array_equal(params["a"], [-3.0, -3.0])
    assert params["b"][1] == -3.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_keep_identity_and_dtype_and_gradients_are_only_read(dtype):
    rng = np.random.default_rng(0)
    params = a_tree(rng, dtype)
    arrays = [leaf for _, leaf in flatten(params)]
    grads = like(params, rng)
    before = copy_tree(grads)
    optimizer = Adam(params)
    optimizer.step(grads)
    assert all(now is was for (_, now), was in zip(flatten(params), arrays, strict=True))
    assert {leaf.dtype for _, leaf in flatten(params)} == {np.dtype(dtype)}
    assert {leaf.dtype for _, leaf in flatten(optimizer.state)} == {np.dtype(dtype)}
    for (_, now), (_, was) in zip(flatten(grads), flatten(before), strict=True):
        np.testing.assert_array_equal(now, was)


def test_the_state_is_a_copy_shaped_like_the_parameters():
    params = a_tree(np.random.default_rng(0))
    optimizer = Adam(params)
    optimizer.step(like(params, np.random.default_rng(1)))
    state = optimizer.state
    assert set(state) == {"m", "v"}
    assert [path for path, _ in flatten(state["m"])] == [path for path, _ in flatten(params)]
    assert state["m"]["pair"].left.shape == ()
    before = snapshot(optimizer)
    state["m"]["layers"][0]["W"][:] = 7
    assert snapshot(optimizer) == before


def test_dict_order_lists_for_tuples_and_numbers_for_arrays_without_axes_do_not_matter():
    params = {"a": np.array([1.0, 2.0]), "b": (np.array(3.0), np.array([4.0]))}
    same = copy_tree(params)
    Adam(params).step({"a": np.array([1.0, -1.0]), "b": (np.array(2.0), np.array([-3.0]))})
    Adam(same).step({"b": [2.0, np.array([-3.0])], "a": np.array([1.0, -1.0])})
    np.testing.assert_array_equal(params["a"], same["a"])
    np.testing.assert_array_equal(params["b"][0], same["b"][0])
    np.testing.assert_array_equal(params["b"][1], same["b"][1])


@pytest.mark.parametrize("block_bytes", [8, 24, 64, 10**6])
def test_block_boundaries_make_no_difference(monkeypatch, block_bytes):
    def train():
        rng = np.random.default_rng(0)
        params = a_tree(rng)
        optimizer = Adam(params, learning_rate=0.1)
        for _ in range(3):
            optimizer.step(like(params, rng))
        return snapshot(optimizer)

    expected = train()
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    assert train() == expected


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1].copy()[::-1],
    ],
    ids=["Fortran order", "every other column", "reversed"],
)
def test_memory_order_makes_no_difference(monkeypatch, layout):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 40)
    rng = np.random.default_rng(0)
    plain, grads = rng.standard_normal((4, 3)), rng.standard_normal((3, 4, 3))
    ordered = layout(plain)
    assert not ordered.flags.c_contiguous
    first, second = Adam(plain, 0.1), Adam(ordered, 0.1)
    for g in grads:
        first.step(g)
        second.step(layout(g))
    np.testing.assert_array_equal(ordered, plain)
    np.testing.assert_array_equal(second.state["m"], first.state["m"])
    resumed = Adam(layout(plain), 0.1)
    resumed.load_state_dict(second.state_dict())
    np.testing.assert_array_equal(resumed.state["v"], first.state["v"])


def test_a_gradient_that_lies_in_the_parameters_is_read_as_it_was_before_the_step():
    """For x * y the gradient is (y, x): the very arrays that the step changes."""
    x, y = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    SGD({"x": x, "y": y}, learning_rate=0.5).step({"x": y, "y": x})
    np.testing.assert_array_equal(x, [1 - 5, 2 - 10])
    np.testing.assert_array_equal(y, [10 - 0.5, 20 - 1])


def test_a_reversed_view_of_the_parameters_is_a_gradient_like_any_other():
    x = np.array([1.0, 2.0, 3.0])
    SGD(x, learning_rate=1.0).step(x[::-1])
    np.testing.assert_array_equal(x, [-2.0, 0.0, 2.0])


# What is refused

BAD_GRADIENTS = {
    "a missing key": (
        lambda g: g["layers"][0].pop("b"),
        ValueError,
        r"grads\['layers'\]\[0\].*missing.*'b'",
    ),
    "an unexpected key": (lambda g: g.update(c=np.ones(1)), ValueError, r"grads .*unexpected.*'c'"),
    "a list too short": (lambda g: g["layers"].pop(), ValueError, r"grads\['layers'\].*missing"),
    "an array for a dict": (
        lambda g: g["layers"].__setitem__(0, np.ones(2)),
        ValueError,
        r"grads\['layers'\]\[0\] is a ndarray; expected a dict",
    ),
    "a list for an array": (
        lambda g: g["layers"][0].update(b=[1.0, 2.0]),
        ValueError,
        r"grads\['layers'\]\[0\]\['b'\] is a list; expected an array",
    ),
    "a shape that would broadcast": (
        lambda g: g["layers"][0].update(b=np.ones((1, 2))),
        ValueError,
        r"grads\['layers'\]\[0\]\['b'\] has shape \(1, 2\); expected \(2,\)",
    ),
    "integers": (
        lambda g: g["layers"][0].update(b=np.array([1, 2])),
        TypeError,
        r"\['b'\] has dtype int64; expected float64",
    ),
    "another precision": (
        lambda g: g["layers"][0].update(b=np.ones(2, np.float32)),
        TypeError,
        r"\['b'\] has dtype float32; expected float64",
    ),
    "masked": (
        lambda g: g["layers"][0].update(b=np.ma.masked_array([1.0, 2.0], mask=[False, True])),
        TypeError,
        r"grads\['layers'\]\[0\]\['b'\] is a masked array; expected a plain one",
    ),
    "NaN": (
        lambda g: g["layers"][0]["W"].__setitem__((2, 1), np.nan),
        ValueError,
        r"grads\['layers'\]\[0\]\['W'\]\[2, 1\] is nan",
    ),
    "infinity in the last leaf": (
        lambda g: g["pair"].right.__setitem__(4, -np.inf),
        ValueError,
        r"grads\['pair'\]\[1\]\[4\] is -inf",
    ),
    "infinity without axes": (
        lambda g: g["pair"].left.__setitem__((), np.inf),
        ValueError,
        r"grads\['pair'\]\[0\] is inf",
    ),
}


@pytest.mark.parametrize(("spoil", "error", "message"), BAD_GRADIENTS.values(), ids=BAD_GRADIENTS)
def test_a_bad_gradient_is_refused_and_nothing_has_changed(spoil, error, message):
    rng = np.random.default_rng(0)
    params = a_tree(rng)
    optimizer = Adam(params)
    optimizer.step(like(params, rng))
    before = snapshot(optimizer)
    grads = like(params, rng)
    spoil(grads)
    with pytest.raises(error, match=message):
        optimizer.step(grads)
    assert snapshot(optimizer) == before


def overlapping():
    w = np.zeros(6)
    return {"a": w[:4], "b": w[3:]}


BAD_PARAMETERS = {
    "no array": ({}, ValueError, r"params is \{\}"),
    "a list of numbers": ([1.0, 2.0], TypeError, "params is a list of numbers; expected a NumPy array"),
    "a NumPy number": ({"b": np.float64(1)}, TypeError, r"params\['b'\].*float64.*np.array"),
    "integers": ({"b": np.arange(3)}, TypeError, r"params\['b'\] has dtype int64"),
    "objects": ({"b": np.array([None])}, TypeError, r"params\['b'\] has dtype object"),
    "complex numbers": (np.ones(2, complex), TypeError, "params has dtype complex128"),
    "half precision": (np.ones(2, np.float16), TypeError, "params has dtype float16"),
    "NaN": ([np.array([1.0, np.nan])], ValueError, r"params\[0\]\[1\] is nan"),
    "the same array twice": ([np.ones(2)] * 2, ValueError, r"params\[0\] and params\[1\] share"),
    "overlapping arrays": (overlapping(), ValueError, r"params\['a'\] and params\['b'\] share"),
    "a read-only array": (np.broadcast_to(1.0, 3), ValueError, "params is read-only"),
    "a masked array": ([np.ma.ones(2)], TypeError, r"params\[0\] is a MaskedArray; expected a plain"),
    "a matrix": (np.ones((2, 2)).view(np.matrix), TypeError, "params is a matrix; expected a plain"),
}


@pytest.mark.parametrize(("params", "error", "message"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
def test_bad_parameters_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        SGD(params, learning_rate=0.1)


def test_interleaved_views_share_no_element_and_are_fine():
    w = np.zeros(6)
    params = {"even": w[::2], "odd": w[1::2]}
    SGD(params, learning_rate=1.0).step({"even": np.ones(3), "odd": -np.ones(3)})
    np.testing.assert_array_equal(w, [-1, 1, -1, 1, -1, 1])


@pytest.mark.parametrize(
    ("rate", "error"),
    [
        *((rate, ValueError) for rate in (-0.1, np.nan, np.inf)),
        *((rate, TypeError) for rate in ("0.1", None, True, 0.1j, np.array(0.1))),
    ],
)
def test_a_learning_rate_that_is_none_is_refused(rate, error):
    with pytest.raises(error, match="learning_rate is "):
        SGD(np.zeros(1), learning_rate=rate)


@pytest.mark.parametrize("schedule", [lambda: 0.1, lambda step, epoch: 0.1])
def test_a_schedule_of_something_else_is_refused_when_it_is_assigned(schedule):
    message = r"^learning_rate takes \(.*\); expected a function of one argument, the number of steps"
    with pytest.raises(TypeError, match=message):
        SGD(np.zeros(1), schedule)
    optimizer = SGD(np.zeros(1), 0.5)
    with pytest.raises(TypeError, match=message):
        optimizer.learning_rate = schedule
    assert optimizer.learning_rate == 0.5


@pytest.mark.parametrize(("late", "error"), [(-1.0, ValueError), (np.nan, ValueError), ("x", TypeError)])
def test_a_schedule_that_goes_wrong_later_is_refused_and_nothing_has_changed(late, error):
    optimizer = Adam(np.ones(2), learning_rate=lambda finished: 0.1 if finished < 2 else late)
    optimizer.step(np.ones(2))
    optimizer.step(np.ones(2))
    before = snapshot(optimizer)
    with pytest.raises(error, match="learning_rate is "):
        optimizer.step(np.ones(2))
    assert snapshot(optimizer) == before


def test_a_schedule_that_raises_leaves_everything_unchanged():
    def schedule(finished):
        return [0.1][finished]

    optimizer = Adam(np.ones(2), schedule)
    optimizer.step(np.ones(2))
    before = snapshot(optimizer)
    with pytest.raises(IndexError):
        optimizer.step(np.ones(2))
    assert snapshot(optimizer) == before


def test_a_parameter_that_was_rebound_is_noticed():
    """``params["W"] = params["W"] - step`` would leave the optimizer with an array nobody uses."""
    params = {"W": np.ones(2), "b": np.ones(1)}
    optimizer = Adam(params)
    params["b"] = params["b"] + 0
    with pytest.raises(ValueError, match=r"params\['b'\] was replaced"):
        optimizer.step({"W": np.ones(2), "b": np.ones(1)})
    assert optimizer.t == 0


def test_a_parameter_that_was_made_read_only_is_noticed(tmp_path):
    params = [np.ones(2), np.ones(2)]
    optimizer = SGD(params, 0.1)
    optimizer.save(tmp_path / "run.npz")
    params[0].flags.writeable = False
    for change in (
        lambda: optimizer.step([np.ones(2), np.ones(2)]),
        lambda: optimizer.load(tmp_path / "run.npz"),
    ):
        with pytest.raises(ValueError, match=r"params\[0\] is read-only; expected an array that can be"):
            change()
    optimizer.save(tmp_path / "again.npz")  # which changes nothing
    assert optimizer.t == 0
    assert params[1].tolist() == [1, 1]


def test_a_parameter_that_was_added_is_noticed():
    params = {"W": np.ones(2)}
    optimizer = Adam(params)
    params["b"] = np.ones(1)
    with pytest.raises(ValueError, match="params has 2 arrays; expected the 1"):
        optimizer.step({"W": np.ones(2), "b": np.ones(1)})


def one_of(rule, slots=()):
    """A class of optimizers with this rule."""
    return type("Ours", (Optimizer,), {"slots": slots, "rule": rule})


NO_RESULTS = {
    "another precision": (
        lambda self, g, m: (np.float64(0.5) * g, (m,)),
        TypeError,
        r"Ours.rule returned float64 of shape \(3,\) as the step; expected an array of float32",
    ),
    "a state of another precision": (
        lambda self, g, m: (g, (m.astype(float),)),
        TypeError,
        "float64.* as m",
    ),
    "a number": (
        lambda self, g, m: (0.5, (m,)),
        TypeError,
        "returned 0.5 as the step; expected an array",
    ),
    "another shape": (
        lambda self, g, m: (g[:1], (m,)),
        ValueError,
        r"shape \(1,\) as the step; .*\(3,\)",
    ),
    "a state of another shape": (lambda self, g, m: (g, (m[1:],)), ValueError, r"shape \(2,\) as m"),
    "no state": (
        lambda self, g, m: (g, ()),
        ValueError,
        r"returned \(\) as the new state; expected 1 arr",
    ),
    "no tuple": (lambda self, g, m: (g, m), ValueError, "as the new state; expected 1 arrays"),
}


@pytest.mark.parametrize(("rule", "error", "message"), NO_RESULTS.values(), ids=NO_RESULTS)
def test_what_a_rule_must_not_return_is_refused_and_nothing_has_changed(
    monkeypatch, rule, error, message
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 12)
    params = [np.ones(3, np.float32), np.ones(3, np.float32)]
    optimizer = one_of(rule, ("m",))(params, lambda n: 0.5 + n, clip_norm=9.0)
    before = snapshot(optimizer)
    with pytest.raises(error, match=message):
        optimizer.step([np.ones(3, np.float32)] * 2)
    assert snapshot(optimizer) == before
    assert optimizer.gradient_norm is None


@pytest.mark.parametrize("size", [3, 100_000])
@pytest.mark.parametrize("last", [lambda g: g, lambda g: g[:]], ids=["itself", "a view"])
def test_a_rule_may_keep_the_gradient_though_the_caller_writes_over_it(size, last):
    Difference = one_of(lambda self, g, last_g: (g - last_g, (last(g),)), ("last_g",))
    theta, g = np.zeros(size), np.full(size, 2.0)
    optimizer = Difference(theta, 1.0)
    optimizer.step(g)
    g[:] = 5
    assert (optimizer.state["last_g"] == 2).all()
    optimizer.step(g)
    assert (theta == -2 - 3).all()


@pytest.mark.parametrize(
    "slots", [("m", "m"), ("t",), ("m", "params"), ("learning_rate",), ("schedule",)]
)
def test_slots_that_would_not_stay_apart_in_a_saved_state_are_refused(slots):
    with pytest.raises(ValueError, match=r"slots is .*; expected different names, none of them of what"):
        one_of(lambda self, g, *state: (g, state), slots)(np.ones(2), 0.1)


@pytest.mark.parametrize("slots", ["mv", ("a b",), ("",), (3,)])
def test_slots_that_are_no_names_are_refused(slots):
    with pytest.raises(TypeError):
        one_of(lambda self, g, *state: (g, state), slots)(np.ones(2), 0.1)


def test_a_rule_cannot_write_to_the_gradient():
    def rule(self, g):
        g *= self.learning_rate
        return g, ()

    theta, g = np.ones(3), np.ones(3)
    with pytest.raises(ValueError, match="read-only"):
        one_of(rule)(theta, 0.5).step(g)
    assert g.tolist() == theta.tolist() == [1, 1, 1]


def test_an_optimizer_without_a_rule_says_so():
    with pytest.raises(NotImplementedError, match="Optimizer has to define rule"):
        Optimizer(np.zeros(1), 0.1).step(np.ones(1))


# Schedules


def test_a_schedule_is_asked_for_zero_first():
    asked = []

    def schedule(finished):
        asked.append(finished)
        return 1 / (1 + finished)

    params = np.zeros(1)
    optimizer = SGD(params, schedule)
    asked.clear()
    for _ in range(3):
        optimizer.step(np.ones(1))
    assert asked == [0, 1, 2]
    assert params[0] == -(1 + 1 / 2 + 1 / 3)
    assert optimizer.learning_rate == 1 / 3


def test_a_numpy_number_as_learning_rate_does_not_change_the_precision():
    params = np.zeros(2, np.float32)
    optimizer = Adam(params, learning_rate=lambda finished: np.float64(0.1))
    optimizer.step(np.ones(2, np.float32))
    assert type(optimizer.learning_rate) is float
    assert optimizer.state["m"].dtype == np.float32


# Saving


def trained(steps: int, rng: np.random.Generator) -> Adam:
    optimizer = Adam(a_tree(np.random.default_rng(0), np.float32), learning_rate=0.1)
    for _ in range(steps):
        optimizer.step(like(optimizer.params, rng))
    return optimizer


@settings(max_examples=10, derandomize=True, deadline=None)
@given(before=st.integers(0, 5), after=st.integers(1, 5))
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(tmp_path_factory, before, after):
    file = tmp_path_factory.mktemp("saved") / "state.npz"
    rng = np.random.default_rng(1)
    first = trained(before, rng)
    np.savez(file, **first.state_dict())
    second = Adam(copy_tree(first.params), learning_rate=0.1)
    with np.load(file) as saved:
        second.load_state_dict(saved)
    for _ in range(after):
        grads = like(first.params, rng)
        first.step(grads)
        second.step(grads)
    assert snapshot(second) == snapshot(first)


def test_a_saved_state_is_a_copy():
    optimizer = trained(2, np.random.default_rng(1))
    saved = optimizer.state_dict()
    before = {key: array.copy() for key, array in saved.items()}
    optimizer.step(like(optimizer.params, np.random.default_rng(2)))
    assert all(np.array_equal(saved[key], before[key]) for key in saved)
    optimizer.load_state_dict(saved)
    optimizer.step(like(optimizer.params, np.random.default_rng(2)))
    assert all(np.array_equal(saved[key], before[key]) for key in saved)


W = "m['layers'][0]['W']"
BAD_STATES = {
    "of another optimizer": (
        {"optimizer": np.array("SGD")},
        ValueError,
        "optimizer 'SGD'; expected 'Adam'",
    ),
    "of an older format": ({"format": np.array(3)}, ValueError, "format 3; expected 4"),
    "with another setting": (
        {"settings['beta1']": np.array(0.5)},
        ValueError,
        r"the saved beta1 is 0.5; expected 0.9, as this optimizer has \(assign beta1 first\)",
    ),
    "with another decay": (
        {"settings['weight_decay']": np.full(6, 0.5)},
        ValueError,
        r"the saved weight_decay is \[0.5, .*; expected \[0.0, ",
    ),
    "of another limit": (
        {"settings['clip_norm']": np.array(1.0)},
        ValueError,
        "the saved clip_norm is 1.0; expected None",
    ),
    "with a broken time": ({"t": np.array(-1)}, ValueError, "t -1; expected a number of steps"),
    "with a fractional time": ({"t": np.array(1.5)}, ValueError, "t 1.5; expected"),
    "of another shape": (
        {W: np.zeros((2, 3), np.float32)},
        ValueError,
        r"shape \(2, 3\); expected \(3, 2\)",
    ),
    "of another precision": ({W: np.zeros((3, 2))}, TypeError, "dtype float64; expected float32"),
    "with a time that is none": ({"t": np.array(True)}, ValueError, "t True; expected"),
    "with several times": ({"t": np.arange(2)}, ValueError, r"t \[0, 1\]; expected"),
    "with a broken rate": ({"learning_rate": np.array(-1.0)}, ValueError, "learning_rate is -1.0"),
    "of a schedule": ({"schedule['best']": np.array(1.0)}, ValueError, "schedule has state"),
    "with one array more": ({"m['x']": np.zeros(1, np.float32)}, ValueError, "unexpected keys"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD_STATES.values(), ids=BAD_STATES)
def test_a_state_that_does_not_belong_is_refused_and_nothing_has_changed(change, error, message):
    optimizer = trained(2, np.random.default_rng(1))
    before = snapshot(optimizer)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(trained(3, np.random.default_rng(2)).state_dict() | change)
    assert snapshot(optimizer) == before


def test_the_name_of_a_file_is_no_state():
    with pytest.raises(TypeError, match=r"^saved is 'run.npz'; expected a dict, as state_dict\(\) ret"):
        SGD(np.zeros(1), 0.1).load_state_dict("run.npz")


@pytest.mark.parametrize("key", ["format", "optimizer", "t", "learning_rate", W])
def test_a_state_that_lacks_something_is_refused_and_nothing_has_changed(key):
    optimizer = trained(2, np.random.default_rng(1))
    before = snapshot(optimizer)
    saved = trained(3, np.random.default_rng(2)).state_dict()
    del saved[key]
    with pytest.raises(ValueError, match="saved"):
        optimizer.load_state_dict(saved)
    assert snapshot(optimizer) == before


def scheduled(rng_seed: int = 0) -> tuple[Adam, ReduceOnPlateau]:
    """Everything at once: a warmup, a plateau, both limits, several arrays."""
    plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1, cooldown=1)
    params = a_tree(np.random.default_rng(rng_seed), np.float32)
    schedule = warmup(plateau, steps=4, start=0.01)
    return Adam(params, schedule, clip_value=1.5, clip_norm=2.0), plateau


LOSSES = (3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0)


def trained_on(optimizer: Adam, plateau: ReduceOnPlateau, steps: range) -> None:
    for n in steps:
        optimizer.step(like(optimizer.params, np.random.default_rng(n)))
        plateau.observe(LOSSES[n])


@pytest.mark.parametrize("interruption", range(len(LOSSES) + 1))
@pytest.mark.parametrize("way", ["state_dict", "save"])
def test_a_run_with_everything_is_resumed_bit_for_bit(tmp_path, interruption, way):
    whole, plateau = scheduled()
    trained_on(whole, plateau, range(len(LOSSES)))
    assert plateau.learning_rate < 0.05  # it has been reduced more than once
    first, first_plateau = scheduled()
    trained_on(first, first_plateau, range(interruption))
    if way == "save":
        first.save(tmp_path / "run.npz")
        second, second_plateau = scheduled(rng_seed=1)  # other parameters: they are in the file
        second.load(tmp_path / "run.npz")
    else:
        np.savez(tmp_path / "state.npz", **first.state_dict())
        second, second_plateau = scheduled()
        for (_, leaf), (_, saved) in zip(flatten(second.params), flatten(first.params), strict=True):
            leaf[...] = saved
        with np.load(tmp_path / "state.npz") as saved:
            second.load_state_dict(saved)
    assert snapshot(second) == snapshot(first)
    trained_on(second, second_plateau, range(interruption, len(LOSSES)))
    assert snapshot(second) == snapshot(whole)


@pytest.mark.parametrize("way", ["state_dict", "save"])
def test_a_rate_that_was_lowered_by_hand_stays_low(tmp_path, way):
    first = SGD(np.zeros(2), 0.5)
    first.step(np.ones(2))
    first.learning_rate = 0.25
    second = SGD(np.zeros(2), 0.5)
    if way == "save":
        first.save(tmp_path / "run.npz")
        second.load(tmp_path / "run.npz")
    else:
        second.load_state_dict(first.state_dict())
    assert second.learning_rate == 0.25
    assert second.t == 1


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("beta2", 0.5, "0.5; expected 0.999"),
        ("clip_norm", 3.0, "3.0; expected None"),
        ("eps", 1.0, "1.0;"),
    ],
)
def test_another_setting_that_was_changed_by_hand_is_not_lost_without_a_word(name, value, shown):
    first, second = Adam(np.zeros(2), 0.5), Adam(np.zeros(2), 0.5)
    setattr(first, name, value)
    with pytest.raises(ValueError, match=f"the saved {name} is {shown}"):
        second.load_state_dict(first.state_dict())
    setattr(second, name, value)
    second.load_state_dict(first.state_dict())


def test_a_schedule_that_was_replaced_by_hand_is_not_lost_without_a_word():
    first, second = SGD(np.zeros(2), lambda n: 0.5), SGD(np.zeros(2), lambda n: 0.5)
    first.learning_rate = 0.25
    with pytest.raises(ValueError, match=r"is the number 0\.25; expected a schedule"):
        second.load_state_dict(first.state_dict())
    second.learning_rate = 0.5
    second.load_state_dict(first.state_dict())
    assert second.learning_rate == 0.25


def test_the_state_of_a_schedule_may_be_plain_numbers():
    class Halving:
        rate = 1.0

        def __call__(self, finished):
            return self.rate

        def state_dict(self):
            return {"rate": self.rate}

        def load_state_dict(self, saved):
            self.rate = float(saved["rate"])

    first, second = SGD(np.ones(2), Halving()), SGD(np.ones(2), Halving())
    first.schedule.rate = 0.5
    second.load_state_dict(first.state_dict())
    assert second.schedule.rate == 0.5


def test_a_plateau_and_a_plain_rate_do_not_take_each_others_states():
    with_plateau, plateau = scheduled()
    trained_on(with_plateau, plateau, range(3))
    plain = Adam(a_tree(np.random.default_rng(0), np.float32), 0.1)
    for saved, optimizer in ((with_plateau, plain), (plain, with_plateau)):
        before = snapshot(optimizer)
        with pytest.raises(ValueError, match=r"the saved learning_rate is (a schedule|the number 0\.1)"):
            optimizer.load_state_dict(saved.state_dict())
        assert snapshot(optimizer) == before


def test_a_plateau_and_a_plain_schedule_do_not_take_each_others_states():
    with_plateau, _ = scheduled()
    plain = Adam(with_plateau.params, lambda n: 0.1, clip_value=1.5, clip_norm=2.0)
    for saved, optimizer in ((with_plateau, plain), (plain, with_plateau)):
        with pytest.raises(ValueError, match=r"schedule\['best'\]"):
            optimizer.load_state_dict(saved.state_dict())


def test_a_broken_plateau_is_refused_and_nothing_has_changed():
    optimizer, plateau = scheduled()
    trained_on(optimizer, plateau, range(3))
    saved = optimizer.state_dict() | {"schedule['bad']": np.array(-1)}
    trained_on(optimizer, plateau, range(3, 5))
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match="bad is -1"):
        optimizer.load_state_dict(saved)
    assert snapshot(optimizer) == before


def test_a_state_that_is_infinite_can_be_saved_and_loaded():
    """The least gradient so far begins with infinity."""
    least = one_of(lambda self, g, low: (g, (np.minimum(low, g),)), ("low",))
    least.initial = lambda self, name, array: np.full_like(array, np.inf)
    first, second = least(np.ones(2), 0.5), least(np.ones(2), 0.5)
    first.step([np.ones(2), np.ones(2)][0])
    second.load_state_dict(first.state_dict())
    assert second.state["low"].tolist() == [1, 1]
    fresh = least(np.ones(2), 0.5)
    second.load_state_dict(fresh.state_dict())
    assert second.state["low"].tolist() == [np.inf, np.inf]


# Assigned settings


def test_a_learning_rate_may_be_assigned_and_is_checked():
    theta = np.array([1.0])
    optimizer = SGD(theta, 1.0)
    optimizer.learning_rate = 0.25
    optimizer.step(np.array([2.0]))
    assert theta == 0.5
    for wrong, error in ((-1.0, ValueError), (np.nan, ValueError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error, match="learning_rate is"):
            optimizer.learning_rate = wrong
    assert optimizer.learning_rate == 0.25


def test_a_rate_or_a_schedule_that_is_assigned_takes_the_place_of_the_schedule():
    theta = np.zeros(1)
    optimizer = SGD(theta, lambda n: 1.0)
    optimizer.learning_rate = 0.5
    optimizer.step(np.ones(1))
    assert theta == -0.5
    assert optimizer.schedule is None
    optimizer.learning_rate = lambda n: 2.0**n
    assert optimizer.learning_rate == 2.0
    optimizer.step(np.ones(1))
    assert theta == -2.5


@pytest.mark.parametrize("name", ["momentum", "lr", "betas", "weight_decy", "anything", "mask"])
def test_what_an_optimizer_does_not_have_cannot_be_assigned(name):
    adam = Adam(np.ones(2))
    with pytest.raises(AttributeError, match=f"Adam has no {name}"):
        setattr(adam, name, 0.5)


@pytest.mark.parametrize("name", ["params", "state", "schedule", "slots", "gradient_norm", "step"])
def test_what_can_only_be_read_cannot_be_assigned(name):
    with pytest.raises(AttributeError, match=f"{name} of Adam can only be read"):
        setattr(Adam(np.ones(2)), name, ())


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("clip_norm", -1, ValueError),
        ("clip_value", 0.0, ValueError),
        ("clip_eps", np.nan, ValueError),
        ("skip_nonfinite", 1, TypeError),
        ("compiled", "no", TypeError),
        ("t", -1, ValueError),
        ("weight_decay", -0.5, ValueError),
        ("weight_decay", [0.5, 0.5], ValueError),
        ("rates", -1.0, ValueError),
        ("frozen", {"W": True}, ValueError),
    ],
)
def test_a_setting_that_is_none_cannot_be_assigned(name, value, error):
    theta, twin = np.ones(2), np.ones(2)
    optimizer, plain = SGD(theta, 0.5), SGD(twin, 0.5)
    with pytest.raises(error, match=name):
        setattr(optimizer, name, value)
    optimizer.step(np.ones(2))
    plain.step(np.ones(2))
    assert snapshot(optimizer) == snapshot(plain)


def test_limits_and_decay_that_are_assigned_hold_from_the_next_step_on():
    theta = np.array([8.0])
    optimizer = SGD(theta, 1.0)
    optimizer.clip_norm = 2.0
    optimizer.step(np.array([4.0]))
    assert theta == 6
    optimizer.clip_norm, optimizer.clip_value = None, 1.0
    optimizer.step(np.array([4.0]))
    assert theta == 5
    optimizer.weight_decay = 0.5
    optimizer.step(np.array([-3.0]))
    assert theta == 5 - (-1 + 2.5)


def test_an_attribute_of_ones_own_may_be_assigned_at_any_time():
    class Mine(Countdown):
        def __init__(self, params):
            super().__init__(params, 1.0)
            self.seen = []

    mine = Mine(np.zeros(2))
    mine.seen = [1]
    assert mine.seen == [1]


def test_slots_that_python_reads_as_one_name_are_refused():
    class Same(Countdown):
        slots = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")

    with pytest.raises(ValueError, match="expected different names"):
        Same(np.zeros(2), 0.1)


@pytest.mark.parametrize("before", [True, False], ids=["before super().__init__", "without it"])
def test_an_optimizer_that_is_half_built_can_be_shown(before):
    """As a debugger does, or pytest beside a traceback."""
    shown = []

    class Ours(SGD):
        def __init__(self, params):
            shown.append(repr(self))
            if before:
                super().__init__(params, 0.5)
                shown.append(repr(self))

    begun, made = "<Ours, not yet made>", "Ours(learning_rate=0.5, momentum=0.0, t=0)"
    if before:
        assert repr(Ours(np.ones(2))) == made
        assert shown == [begun, made]
    else:
        with pytest.raises(TypeError):
            Ours(np.ones(2))
        assert shown == [begun]
        assert repr(Ours.__new__(Ours)) == begun
    assert repr(Adam.__new__(Adam)) == "<Adam, not yet made>"


def nothing(self, params):
    pass


def a_setting(self, params):
    self.beta1 = 0.5


def more_attributes(self, params, learning_rate=0.1):
    self.learning_rate, self.momentum, self._buffer = learning_rate, 0.9, np.zeros(2)


@pytest.mark.parametrize("base", [Optimizer, SGD, Adam])
@pytest.mark.parametrize("init", [nothing, a_setting, more_attributes])
def test_a_class_that_forgets_the_init_of_its_base_class_is_told_so(base, init):
    ours = type("Ours", (base,), {"__init__": init})
    with pytest.raises(
        TypeError, match=r"^Ours\.__init__ did not call super\(\)\.__init__; expected it"
    ):
        ours(np.ones(2))


@pytest.mark.parametrize("wrong", [{"beta1": 2}, {"clip_norm": -1}, {"frozen": 3}])
def test_an_optimizer_whose_creation_failed_can_be_shown(wrong):
    made = []

    class Ours(Adam):
        def __init__(self, params, **options):
            made.append(self)
            super().__init__(params, 0.5, **options)

    with pytest.raises((TypeError, ValueError)):
        Ours(np.ones(2), **wrong)
    assert repr(made[0]) == "<Ours, not yet made>"
