"""Clipping: the libraries' numbers, what one works out by hand, and its place in a step."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support import GOLDEN, unchanged

import optimlib
from optimlib import SGD, Adam
from optimlib import trees as trees_module
from optimlib.clipping import (
    clip_by_global_norm,
    clip_by_leaf_norm,
    clip_by_value,
    clipper,
    global_norm,
)
from optimlib.optimizers.base import Optimizer
from optimlib.trees import NonFiniteError, copy_tree, flatten

RECORDED = json.loads((GOLDEN / "clipping.json").read_text(encoding="utf8"))
CASES = {
    f"{case['library']} {case['dtype']} limit {case['limit']:g} {number // 12 % 4}": case
    for number, case in enumerate(RECORDED["cases"])
}


def norm_of(tree) -> float:
    """By another way than the package's: exactly rounded sums of Python floats."""
    return math.hypot(*(float(x) for _, leaf in flatten(tree) for x in np.ravel(leaf)))


# The libraries


@pytest.mark.parametrize("name", CASES)
def test_a_library_clips_to_the_same_numbers(name):
    case = CASES[name]
    dtype, limit = case["dtype"], case["limit"]
    grads = {key: np.array(values, dtype) for key, values in case["grads"].items()}
    eps = 1e-6 if case["library"] == "torch" else 0.0
    with unchanged(grads):
        clipped, norm = clip_by_global_norm(grads, limit, eps)
        ours = {
            "value": clip_by_value(grads, limit),
            "leaf_norm": clip_by_leaf_norm(grads, limit, eps),
            "global_norm": clipped,
        }
    rtol = 1e-12 if dtype == "float64" else 2e-6
    if case["library"] != "keras":  # which does not say it
        np.testing.assert_allclose(norm, case["norm"], rtol=rtol)
    for how, tree in ours.items():
        for key, array in tree.items():
            assert array.dtype == dtype
            np.testing.assert_allclose(array, case[how][key], rtol=rtol, atol=0, err_msg=f"{how} {key}")


def test_there_are_as_many_cases_as_were_recorded():
    assert len(CASES) == len(RECORDED["cases"]) == 2 * 4 * 4 * 3


def test_an_installed_keras_still_clips_to_the_same_numbers(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("jax").config.update("jax_enable_x64", True)
    keras = pytest.importorskip("keras")
    keras.config.set_floatx("float64")
    grads = [np.array([3.0, -4.0]), np.array([12.0])]
    for option, clipped in (
        ("clipvalue", clip_by_value(grads, 3.5)),
        ("clipnorm", clip_by_leaf_norm(grads, 3.5)),
        ("global_clipnorm", clip_by_global_norm(grads, 3.5)[0]),
    ):
        theirs = [keras.Variable(np.zeros_like(g)) for g in grads]
        optimizer = keras.optimizers.SGD(learning_rate=1.0, **{option: 3.5})
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], theirs)
        for ours, variable in zip(clipped, theirs, strict=True):
            np.testing.assert_allclose(ours, -np.array(variable.value), rtol=1e-12)


def test_the_two_conventions_can_be_told_apart():
    grads = {"b": np.array([3e-6, 4e-6])}
    optax, torch = (clip_by_global_norm(grads, 1e-6, eps)[0]["b"] for eps in (0.0, 1e-6))
    np.testing.assert_allclose(optax, [0.6e-6, 0.8e-6], rtol=1e-15)
    np.testing.assert_allclose(torch, [0.5e-6, 2e-6 / 3], rtol=1e-15)
    # Just below the limit PyTorch shrinks already.
    np.testing.assert_allclose(
        clip_by_global_norm(np.array(1.0), 1.0, 1e-6)[0], 1 / (1 + 1e-6), rtol=1e-15
    )


# By hand


def test_clipped_by_hand():
    grads = {"W": np.array([[3.0, 0.0], [0.0, -4.0]]), "b": [np.array(12.0)]}
    by_value = clip_by_value(grads, 3.5)
    np.testing.assert_array_equal(by_value["W"], [[3, 0], [0, -3.5]])
    np.testing.assert_array_equal(by_value["b"][0], 3.5)
    by_leaf = clip_by_leaf_norm(grads, 6.0)
    np.testing.assert_array_equal(by_leaf["W"], grads["W"])  # of norm 5
    np.testing.assert_array_equal(by_leaf["b"][0], 6.0)
    clipped, norm = clip_by_global_norm(grads, 6.5)
    assert norm == 13
    np.testing.assert_array_equal(clipped["W"], [[1.5, 0], [0, -2]])
    np.testing.assert_array_equal(clipped["b"][0], 6.0)
    for limit in (13.0, 13.0001, 13.5, 1e300):  # not above it: nothing is ever made larger
        assert clip_by_global_norm(grads, limit)[0]["b"][0] == 12.0


def test_what_is_returned_is_new_even_if_nothing_was_clipped():
    grads = {"W": np.ones((2, 3)).T, "b": (np.array(0.5), np.ones(0))}
    for clipped in (
        clip_by_value(grads, 9.0),
        clip_by_leaf_norm(grads, 9.0),
        clip_by_global_norm(grads, 9.0)[0],
    ):
        assert isinstance(clipped["b"], tuple)
        pairs = zip(flatten(clipped), flatten(grads), strict=True)
        for (path, leaf), (path_before, before) in pairs:
            assert path == path_before
            assert isinstance(leaf, np.ndarray)
            assert not np.shares_memory(leaf, before)
            np.testing.assert_array_equal(leaf, before)


def test_a_bare_array_and_a_bare_number_are_trees_too():
    np.testing.assert_allclose(clip_by_global_norm(np.array([3.0, 4.0]), 1.0)[0], [0.6, 0.8])
    assert clip_by_value(-2.0, 0.5) == -0.5
    assert global_norm([1.0, 2.0, np.array([2.0])]) == 3.0


def test_none_stays_none_and_does_not_count():
    grads = {"W": np.array([3.0, 4.0]), "frozen": None, "layers": [None, np.array(12.0)]}
    assert global_norm(grads) == 13
    for clipped in (
        clip_by_value(grads, 2.0),
        clip_by_leaf_norm(grads, 1.0),
        clip_by_global_norm(grads, 6.5)[0],
    ):
        assert clipped["frozen"] is None
        assert clipped["layers"][0] is None
    np.testing.assert_allclose(clipped["W"], [1.5, 2.0], rtol=1e-15)
    clip, norm = clipper([None, grads["W"], None], None, 1.0)
    assert norm == 5
    np.testing.assert_allclose(clip(grads["W"]), [0.6, 0.8], rtol=1e-15)
    assert clipper([None], None, 1.0)[1] == 0


# No overflow, no underflow


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-160, 1.0, 1e160, 1e300, 2.0**1021])
def test_the_norm_overflows_nowhere_on_the_way(scale):
    grads = {"a": scale * np.array([2.0, 1.0]), "b": np.array(scale * 2.0)}
    exact = math.hypot(*grads["a"], grads["b"])
    assert math.isclose(global_norm(grads), exact, rel_tol=1e-15)
    clipped, norm = clip_by_global_norm(grads, scale * 1.5)
    assert norm == global_norm(grads)
    np.testing.assert_allclose(clipped["a"] / scale, [1.0, 0.5], rtol=1e-3 if scale < 1e-310 else 1e-14)
    np.testing.assert_allclose(clipped["b"] / scale, 1.0, rtol=1e-3 if scale < 1e-310 else 1e-14)


def test_a_norm_beyond_all_numbers_still_clips_right():
    grads = np.full(100, 1.7e308)
    clipped, norm = clip_by_global_norm(grads, 5.0)
    assert norm == math.inf
    np.testing.assert_allclose(clipped, np.full(100, 0.5), rtol=1e-14)
    np.testing.assert_allclose(clip_by_leaf_norm(grads, 5.0), np.full(100, 0.5), rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-250, 1.0, 1e250])
def test_eps_is_in_the_units_of_the_norm_at_every_scale(scale):
    grads = scale * np.array([3.0, 4.0])
    for clip in (clip_by_leaf_norm, lambda *given: clip_by_global_norm(*given)[0]):
        np.testing.assert_allclose(clip(grads, scale, 5 * scale) / scale, [0.3, 0.4], rtol=1e-14)


def test_the_squares_of_float32_overflow_in_float32_only():
    grads = {"a": np.full(4, 2e38, np.float32), "b": np.full(1, 1e-30, np.float32)}
    clipped, norm = clip_by_global_norm(grads, 1.0)
    assert math.isclose(norm, 4e38, rel_tol=1e-7)
    assert clipped["a"].dtype == np.float32
    np.testing.assert_allclose(clipped["a"], np.full(4, 0.5, np.float32), rtol=1e-6)
    tiny = np.full(4, 1e-30, np.float32)
    assert math.isclose(global_norm(tiny), 2e-30, rel_tol=1e-6)
    mixed = {"a": np.full(4, 2e38, np.float32), "b": np.array(1e300)}
    assert (clip_by_global_norm(mixed, 1.0)[0]["a"] == 0).all()
    assert (clip_by_value(mixed, 1e300)["a"] == mixed["a"]).all()


def test_many_small_numbers_are_summed_in_double_precision():
    grads = np.full(3_000_000, 1e-3, np.float32)
    assert math.isclose(global_norm(grads), float(np.float32(1e-3)) * math.sqrt(3e6), rel_tol=1e-12)


# Properties

leaves = arrays(np.float64, st.integers(0, 5), elements=st.floats(-1e6, 1e6, allow_subnormal=False))
trees = st.dictionaries(st.sampled_from("abcd"), leaves, min_size=1)
limits = st.floats(1e-3, 1e3)


@settings(derandomize=True, deadline=None)
@given(grads=trees, limit=limits)
def test_after_clipping_the_norm_is_the_limit_and_the_direction_what_it_was(grads, limit):
    clipped, norm = clip_by_global_norm(grads, limit)
    assert math.isclose(norm, norm_of(grads), rel_tol=1e-14)
    if norm <= limit:
        assert all((clipped[key] == grads[key]).all() for key in grads)
        return
    assert math.isclose(norm_of(clipped), limit, rel_tol=1e-12)
    for key, g in grads.items():
        np.testing.assert_allclose(clipped[key] * norm, g * limit, rtol=1e-12)


@settings(derandomize=True, deadline=None)
@given(grads=trees, limit=limits)
def test_clipping_by_leaf_norm_is_clipping_every_leaf_alone(grads, limit):
    clipped = clip_by_leaf_norm(grads, limit)
    for key, g in grads.items():
        np.testing.assert_array_equal(clipped[key], clip_by_global_norm(g, limit)[0])


@settings(derandomize=True, deadline=None)
@given(grads=trees, limit=limits)
def test_clipping_by_value_keeps_what_is_within_and_the_signs(grads, limit):
    for key, clipped in clip_by_value(grads, limit).items():
        g, within = grads[key], np.abs(grads[key]) <= limit
        assert (clipped[within] == g[within]).all()
        assert (clipped[~within] == limit * np.sign(g[~within])).all()


@settings(max_examples=50, derandomize=True, deadline=None)
@given(grads=trees, limit=limits, order=st.randoms(use_true_random=False))
def test_the_order_of_a_tree_changes_no_bit(grads, limit, order):
    keys = list(grads)
    order.shuffle(keys)
    other, norm = clip_by_global_norm({key: grads[key] for key in keys}, limit)
    clipped, expected = clip_by_global_norm(grads, limit)
    assert norm == expected
    assert all((clipped[key] == other[key]).all() for key in grads)


# What is refused


@pytest.mark.parametrize("clip", [clip_by_value, clip_by_leaf_norm, clip_by_global_norm])
@pytest.mark.parametrize(
    ("limit", "error"),
    [
        *((limit, ValueError) for limit in (0, 0.0, -1.0, math.nan, math.inf)),
        *((limit, TypeError) for limit in ("1", None, True, np.ones(1))),
    ],
)
def test_a_limit_that_is_none_is_refused(clip, limit, error):
    with pytest.raises(error, match="limit is "):
        clip(np.ones(2), limit)


BAD_GRADIENTS = {
    "nothing": ({}, ValueError, r"grads is \{\}; expected at least one array"),
    "None": (None, ValueError, r"grads is None; expected at least one array"),
    "only None": ({"W": None}, ValueError, r"grads is \{'W': None\}; expected at least one array"),
    "objects": ({"W": np.array([None])}, TypeError, r"grads\['W'\] has dtype object"),
    "complex numbers": ({"W": np.ones(2, complex)}, TypeError, r"grads\['W'\] has dtype complex128"),
    "NaN beside None": ([None, np.array([[1, np.nan]])], NonFiniteError, r"grads\[1\]\[0, 1\] is nan"),
    "an infinite number": ({"b": math.inf}, NonFiniteError, r"grads\['b'\] is inf"),
    "masked": (
        {"W": np.ma.masked_array([1.0, 2.0], [False, True])},
        TypeError,
        r"grads\['W'\] is a mask",
    ),
    "integers": ([np.arange(3)], TypeError, r"grads\[0\] has dtype int64"),
    "NaN": ({"W": np.array([1.0, np.nan])}, NonFiniteError, r"grads\['W'\]\[1\] is nan"),
    "infinity": ((np.ones(1), np.array([[-np.inf]])), NonFiniteError, r"grads\[1\]\[0, 0\] is -inf"),
}


@pytest.mark.parametrize(
    "function",
    [
        global_norm,
        lambda grads: clip_by_value(grads, 1.0),
        lambda grads: clip_by_leaf_norm(grads, 1.0),
        lambda grads: clip_by_global_norm(grads, 1.0),
    ],
    ids=["global_norm", "value", "leaf norm", "global norm"],
)
@pytest.mark.parametrize(("grads", "error", "message"), BAD_GRADIENTS.values(), ids=BAD_GRADIENTS)
def test_a_bad_gradient_is_refused(function, grads, error, message):
    with pytest.raises(error, match=message):
        function(grads)


@pytest.mark.parametrize("eps", [-1e-6, math.nan, math.inf])
def test_a_bad_eps_is_refused(eps):
    for clip in (clip_by_leaf_norm, clip_by_global_norm):
        with pytest.raises(ValueError, match="eps is "):
            clip(np.ones(2), 1.0, eps)


# In a step


def random_tree(rng, dtype=np.float64):
    shapes = {"W": (7, 5), "b": (3,), "empty": (0, 2), "scale": ()}
    return {key: np.array(rng.standard_normal(shape), dtype) for key, shape in shapes.items()}


def trained(make, gradients, dtype=np.float64):
    params = random_tree(np.random.default_rng(0), dtype)
    optimizer = make(params)
    for g in gradients:
        optimizer.step(g)
    return params, optimizer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block_bytes", [64, 10**6])
def test_an_optimizer_clips_as_the_functions_do(monkeypatch, dtype, block_bytes):
    monkeypatch.setattr(trees_module.blocks, "CUT_BYTES", block_bytes)
    rng = np.random.default_rng(1)
    gradients = [random_tree(rng, dtype) for _ in range(5)]
    by_norm, optimizer = trained(lambda p: Adam(p, 0.1, clip_norm=2.0), gradients, dtype)
    norms = [clip_by_global_norm(g, 2.0)[1] for g in gradients]
    assert min(norms) > 2
    assert optimizer.gradient_norm == norms[-1]
    expected, _ = trained(
        lambda p: Adam(p, 0.1), [clip_by_global_norm(g, 2.0)[0] for g in gradients], dtype
    )
    for key in expected:
        np.testing.assert_array_equal(by_norm[key], expected[key])
    by_value, optimizer = trained(lambda p: Adam(p, 0.1, clip_value=0.3), gradients, dtype)
    assert optimizer.gradient_norm is None
    expected, _ = trained(lambda p: Adam(p, 0.1), [clip_by_value(g, 0.3) for g in gradients], dtype)
    for key in expected:
        np.testing.assert_array_equal(by_value[key], expected[key])


def test_the_value_comes_first_and_the_norm_second():
    params = np.zeros(2)
    optimizer = SGD(params, 1.0, clip_value=4.0, clip_norm=1.0)
    optimizer.step(np.array([3.0, -100.0]))
    np.testing.assert_allclose(params, [-0.6, 0.8], rtol=1e-15)
    assert optimizer.gradient_norm == 5.0


def test_a_gradient_within_the_limits_is_left_alone_bit_for_bit():
    gradients = [random_tree(np.random.default_rng(1)) for _ in range(3)]
    free, _ = trained(lambda p: Adam(p, 0.1), gradients)
    bound, optimizer = trained(lambda p: Adam(p, 0.1, clip_value=1e3, clip_norm=1e3), gradients)
    assert optimizer.gradient_norm == global_norm(gradients[-1])
    assert all((free[key] == bound[key]).all() for key in free)


def test_the_gradients_are_only_read():
    rng = np.random.default_rng(0)
    params, grads = random_tree(rng), random_tree(rng)
    with unchanged(grads):
        SGD(params, 0.1, clip_value=0.1, clip_norm=0.1).step(grads)


def test_memory_order_makes_no_difference():
    g = np.random.default_rng(0).integers(-16, 17, (6, 4)) / 8  # whose squares add up exactly
    results = []
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2]):
        params = layout(np.zeros((6, 4)))
        optimizer = SGD(params, 1.0, clip_norm=0.5)
        optimizer.step(layout(g))
        results.append(params)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


OPTIMIZERS = {
    name: thing
    for name, thing in vars(optimlib).items()
    if isinstance(thing, type) and issubclass(thing, Optimizer)
}


NO_MATTER_HOW_LARGE = ("Lion", "LARS", "Muon", "Adafactor")  # their steps have a length of their own


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_every_optimizer_clips_before_its_weight_decay(name, weight_decay):
    """Clipping inside is clipping the gradient first, whatever is added to it later."""
    inside_the_rule = OPTIMIZERS[name] in (optimlib.LAMB, optimlib.ScheduleFreeAdamW)
    options = {"decay" if inside_the_rule else "weight_decay": weight_decay} if weight_decay else {}
    gradients = [random_tree(np.random.default_rng(n)) for n in range(4)]
    for inside, outside in (
        ({"clip_norm": 0.5}, lambda g: clip_by_global_norm(g, 0.5)[0]),
        ({"clip_value": 0.2}, lambda g: clip_by_value(g, 0.2)),
    ):
        make = OPTIMIZERS[name]
        ours, _ = trained(lambda p: make(p, learning_rate=0.1, **options, **inside), gradients)  # noqa: B023
        theirs, _ = trained(lambda p: make(p, learning_rate=0.1, **options), [*map(outside, gradients)])  # noqa: B023
        assert all((ours[key] == theirs[key]).all() for key in ours)
        free, _ = trained(lambda p: make(p, learning_rate=0.1, **options), gradients)  # noqa: B023
        if name not in NO_MATTER_HOW_LARGE:
            assert any((ours[key] != free[key]).any() for key in ours)


def test_a_schedule_that_goes_wrong_leaves_the_norm_alone():
    optimizer = SGD(np.zeros(2), lambda n: 0.1 if n < 1 else math.nan, clip_norm=1.0)
    optimizer.step(np.array([3.0, 4.0]))
    with pytest.raises(ValueError, match="learning_rate is nan"):
        optimizer.step(np.array([6.0, 8.0]))
    assert optimizer.gradient_norm == 5.0
    assert optimizer.t == 1


@pytest.mark.parametrize("name", ["clip_value", "clip_norm"])
@pytest.mark.parametrize(
    ("limit", "error"),
    [
        *((limit, ValueError) for limit in (0, -1.0, math.nan, math.inf)),
        *((limit, TypeError) for limit in ("1", True, [1.0])),
    ],
)
def test_an_optimizer_refuses_a_limit_that_is_none(name, limit, error):
    with pytest.raises(error, match=f"{name} is "):
        SGD(np.zeros(2), 0.1, **{name: limit})


def test_limits_are_keyword_only_in_the_base_class():
    with pytest.raises(TypeError):
        Optimizer(np.zeros(2), 0.1, 1.0)


def test_clipping_needs_memory_for_blocks_only():
    def peak(size):
        params, g = np.zeros(size), np.ones(size)
        optimizer = SGD(params, 0.1, clip_value=0.5, clip_norm=1.0)
        optimizer.step(g)
        tracemalloc.start()
        optimizer.step(g)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(2_000_000) < 2_000_000 * 8 / 4
    assert peak(2_000_000) < 1.5 * peak(200_000)


def test_without_limits_a_block_is_what_it_was_and_no_norm_is_computed():
    g = np.array([3.0, math.nan])  # of which a norm would be NaN
    clip, norm = clipper([g], None, None)
    assert norm is None
    assert clip(g) is g


def test_the_clipper_leaves_what_it_is_given():
    g = np.array([3.0, 4.0, 12.0])
    clip, norm = clipper([g], 5.0, 1.0)
    before = copy_tree(g)
    assert norm == math.sqrt(50)
    np.testing.assert_allclose(clip(g[1:]), np.array([4.0, 5.0]) / math.sqrt(50), rtol=1e-15)
    np.testing.assert_array_equal(g, before)
    assert clipper([g], None, 100.0)[0](g[:1]) == 3.0


def test_an_optimizer_adds_epsilon_to_the_norm():
    """Of norm 5, and with epsilon 5, a gradient is brought to the limit 2 by a factor of 2/10."""
    theta = np.zeros(2)
    SGD(theta, 1.0, clip_norm=2.0, clip_eps=5.0).step(np.array([3.0, 4.0]))
    np.testing.assert_allclose(theta, [-0.6, -0.8], rtol=1e-15)
    with pytest.raises(ValueError, match="clip_eps is -1"):
        SGD(theta, 1.0, clip_norm=2.0, clip_eps=-1.0)


@pytest.mark.parametrize("value", [0, 0.0, -1, -0.5, np.inf, np.nan, 10**400])
@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
def test_a_limit_of_an_optimizer_is_more_than_0(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is .*; expected more than 0, and finite$"):
        SGD(np.ones(2), 0.1, **{name: value})
    optimizer = SGD(np.ones(2), 0.1, **{name: 1.0})
    with pytest.raises(ValueError, match=rf"^{name} is .*; expected more than 0, and finite$"):
        setattr(optimizer, name, value)
    assert getattr(optimizer, name) == 1
