"""Rows: parameters, gradients and states lie alike, whatever their layout; and nothing is mixed up."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib import SGD, Adam
from optimlib.optimizers.engine import arrays as arrays_module
from optimlib.optimizers.engine.arrays import Arrays, is_moderate, memory_order, row, tiled_copy
from optimlib.trees import NonFiniteError


def of(params, whole=False):
    return Arrays(params, ["m"], lambda slot, array: 10 * array, whole)


@given(shape=st.lists(st.integers(0, 4), max_size=4), data=st.data())
@settings(derandomize=True, deadline=None)
def test_rows_of_parameter_gradient_and_state_have_the_same_elements(shape, data):
    """An array of any order of axes, reversed or with gaps, beside a gradient of any other."""

    def laid_out(values):
        axes = data.draw(st.permutations(range(len(shape))))
        steps = [data.draw(st.sampled_from([1, 2, -1])) for _ in shape]
        room = np.zeros([abs(steps[k]) * shape[k] for k in axes])
        view = room.transpose(np.argsort(axes))[(*(slice(None, None, step) for step in steps), ...)]
        view[...] = values
        return view

    values = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    arrays = of(laid_out(values))
    (p_row,) = arrays.rows_to_change()
    gradients, huge = arrays.gradients(laid_out(2 * values), [])
    assert not huge
    np.testing.assert_array_equal(gradients[0], 2 * p_row)
    np.testing.assert_array_equal(arrays.state_rows[0][0], 10 * p_row)
    assert np.shares_memory(arrays.state_rows[0][0], arrays.state["m"][0]) or not values.size
    p_row[...] = -p_row
    arrays.write_back([p_row])
    np.testing.assert_array_equal(arrays.leaves[0], -values)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_a_row_of_memory_without_gaps_is_a_view(axes):
    array = np.zeros((2, 3, 4)).transpose(axes)
    assert np.shares_memory(row(array, memory_order(array)), array)


@pytest.mark.parametrize("shape", [(1, 1), (64, 256), (65, 257), (300, 70), (0, 5)])
def test_a_copy_in_tiles_is_the_copy(monkeypatch, shape):
    matrix = np.random.default_rng(0).standard_normal(shape[::-1]).T
    found = tiled_copy(matrix)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, matrix)
    monkeypatch.setattr(arrays_module, "TILED_BYTES", 0)
    np.testing.assert_array_equal(row(matrix, None), matrix.ravel())


@pytest.mark.parametrize("kind", ["itself", "a view", "its base", "reversed", "part of both"])
def test_a_gradient_in_the_memory_of_parameters_is_copied(kind):
    room = np.arange(12.0)
    theta = {"a": room[:6], "b": room[6:]}
    g = {
        "itself": {"a": theta["b"], "b": theta["a"]},
        "a view": {"a": theta["b"][:], "b": theta["a"].view()},
        "its base": {"a": room.reshape(2, 6)[1], "b": room.reshape(2, 6)[0]},
        "reversed": {"a": room[::-1][:6], "b": room[::-1][6:]},
        "part of both": {"a": room[3:9], "b": room[3:9]},
    }[kind]
    expected = {key: theta[key] - np.array(g[key]) for key in theta}
    SGD(theta, 1.0).step(g)
    for key, values in expected.items():
        np.testing.assert_array_equal(theta[key], values)


def test_a_gradient_that_owns_the_memory_of_a_parameter_is_copied():
    room = np.array([[1.0, 2.0], [3.0, 4.0]])
    theta = [room.T, np.zeros((2, 2))]
    SGD(theta, 1.0).step([np.zeros((2, 2)), room])
    assert theta[1].tolist() == [[-1, -2], [-3, -4]]
    SGD([room.T], 1.0).step([room])  # the transposed of itself
    assert room.T.tolist() == [[0, 3 - 2], [2 - 3, 0]]


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_copy_has_rows_of_its_own_arrays(twin, order):
    theta = {"W": np.asarray(np.ones((2, 3)), order=order), "b": np.ones(4)[::2]}
    optimizer = Adam(theta, 0.5)
    g = {"W": np.ones((2, 3)), "b": np.ones(2)}
    optimizer.step(g)
    other = twin(optimizer)
    before = optimizer.state_dict()
    other.step(g)
    assert all(np.array_equal(array, before[key]) for key, array in optimizer.state_dict().items())
    assert (theta["W"] != other.params["W"]).all()
    optimizer.step(g)
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, optimizer.state_dict()[key])
    np.testing.assert_array_equal(theta["W"], other.params["W"])


def test_a_nan_is_named_in_any_layout():
    theta = np.zeros((3, 4), order="F")
    g = np.zeros((3, 4))
    g[2, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"grads\[2, 1\] is nan"):
        of(theta).gradients(g, [])


@pytest.mark.parametrize(
    ("dtype", "size", "expected"),
    [
        (np.float32, 1e15, False),
        (np.float32, 2e15, True),
        (np.float64, 1e149, False),
        (np.float64, 2e150, True),
    ],
)
def test_a_gradient_is_huge_if_its_squares_may_add_up_to_infinity(dtype, size, expected):
    g = np.zeros((2, 2), dtype)
    g[1, 0] = size
    for order in "CF":
        assert of(np.ones((2, 2), dtype)).gradients(np.asarray(g, order=order), [])[1] is expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 100])
def test_a_gradient_that_is_huge_or_not_finite_is_seen_wherever_it_is(dtype, size):
    root = np.sqrt(np.finfo(dtype).max)
    for place in range(size):
        for value, expected in (
            (1e-5 * root, True),
            (root, False),
            (-root, False),
            (np.nan, False),
            (np.inf, False),
        ):
            g = np.ones(size, dtype)
            g[place] = value
            with np.errstate(all="ignore"):
                assert is_moderate(g) is expected
    assert is_moderate(np.zeros(0, dtype))


def test_a_row_has_no_gaps():
    for array in (
        np.ones(6)[::2],
        np.ones((3, 4))[:, ::2],
        np.broadcast_to(2.0, (3, 4)),
        np.ones(3)[::-1],
    ):
        found = row(array, memory_order(array))
        assert found.flags.c_contiguous
        assert found.size == array.size


@pytest.mark.parametrize("dtypes", [("f", "f", "f"), ("f", "d", "f"), ("d", "f", "f")])
@pytest.mark.parametrize("sizes", [(3, 5, 7), (3, 5000, 7), (5000, 3, 5000), (3, 0, 7)])
@pytest.mark.parametrize("wrong", [[0], [2], [0, 2]])
def test_small_gradients_are_checked_together_and_blamed_apart(sizes, dtypes, wrong):
    theta = [np.ones(size, dtype) for size, dtype in zip(sizes, dtypes, strict=True)]
    grads = [array.copy() for array in theta]
    for number in wrong:
        grads[number][-1] = np.nan
    index = sizes[wrong[0]] - 1
    with pytest.raises(NonFiniteError, match=rf"^grads\[{wrong[0]}\]\[{index}\] is nan; expected"):
        of(theta).gradients(grads, [])
    for number in wrong:
        grads[number][-1] = 1e18  # whose square is far from too large, and 1e8 times that is
    assert of(theta).gradients(grads, [])[1] == any(dtypes[k] == "f" for k in wrong)
