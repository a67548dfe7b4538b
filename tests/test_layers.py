"""Layers: values worked out by hand, and backward passes that the gradient check agrees with."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import unchanged

from optimlib import assert_gradient
from optimlib.differences import complex_step
from optimlib.layers import dense, dense_backward, relu, relu_backward, tanh, tanh_backward

PROPERTY = settings(derandomize=True, deadline=None, max_examples=15)
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


def exact(array) -> np.ndarray:
    """The same numbers as fractions."""
    return np.vectorize(Fraction, otypes=[object])(array)


def eighths(rng, *shape) -> np.ndarray:
    """Random multiples of 1/8: sums and products of a few of them are exact in float64."""
    return rng.integers(-16, 17, shape) / 8


# Dense


@PROPERTY
@given(sizes, sizes, sizes, seeds)
def test_dense_is_the_sum_that_its_equation_says(examples, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, W, b = eighths(rng, examples, inputs), eighths(rng, inputs, outputs), eighths(rng, outputs)
    with unchanged(x, W, b):
        y = dense(x, W, b)
    X, V, B = exact(x), exact(W), exact(b)
    for i in range(examples):
        for j in range(outputs):
            assert y[i, j] == sum(X[i, k] * V[k, j] for k in range(inputs)) + B[j]


def test_dense_backward_by_hand():
    dy = np.array([[1.0, 10.0], [100.0, 1000.0]])
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with unchanged(dy, x, W):
        dx, dW, db = dense_backward(dy, x, W)
    assert dx.tolist() == [[21, 43, 65], [2100, 4300, 6500]]
    assert dW.tolist() == [[401, 4010], [502, 5020], [603, 6030]]
    assert db.tolist() == [101, 1010]


@PROPERTY
@given(sizes, sizes, sizes, seeds)
def test_dense_backward_agrees_with_the_loss(examples, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, outputs))
    theta = {
        "x": rng.standard_normal((examples, inputs)),
        "W": rng.standard_normal((inputs, outputs)),
        "b": rng.standard_normal(outputs),
    }

    def loss(t):
        return (dy * np.sin(dense(**t))).sum()

    def grad(t):
        y = dense(**t)
        return dict(zip("xWb", dense_backward(dy * np.cos(y), t["x"], t["W"]), strict=True))

    assert_gradient(loss, grad, theta)


# Elementwise


@pytest.mark.parametrize("x", [0.0, 0.3, -1.2, 5.0])
def test_tanh_backward_agrees_with_the_complex_step(x):
    point = np.array([[x]])
    ours = tanh_backward(np.array([[2.0]]), tanh(point))
    np.testing.assert_allclose(ours, 2 * complex_step(tanh, point), rtol=1e-11)


def test_tanh_by_hand():
    third = np.log(2) / 2  # (e^x - e^-x) / (e^x + e^-x) = (2 - 1) / (2 + 1)
    np.testing.assert_allclose(tanh(np.array([third, -third, 400.0])), [1 / 3, -1 / 3, 1.0], rtol=1e-15)
    dy, y = np.array([3.0, 3.0, 3.0]), np.array([0.5, -0.5, 1.0])
    with unchanged(dy, y):
        assert tanh_backward(dy, y).tolist() == [2.25, 2.25, 0.0]


def test_relu_by_hand():
    x = np.array([[-2.0, -0.0, 0.0], [5e-324, 0.5, 3.0]])
    dy = np.array([[7.0, 7.0, 7.0], [7.0, -7.0, 0.25]])
    with unchanged(x, dy):
        y = relu(x)
        dx = relu_backward(dy, y)
    assert y.tolist() == [[0, 0, 0], [5e-324, 0.5, 3.0]]
    assert dx.tolist() == [[0, 0, 0], [7.0, -7.0, 0.25]]


@PROPERTY
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_relu_from_its_output_is_relu_from_its_input(x):
    x = np.array(x)
    assert relu_backward(np.ones_like(x), relu(x)).tolist() == [float(number > 0) for number in x]


@pytest.mark.parametrize(("forward", "backward"), [(tanh, tanh_backward), (relu, relu_backward)])
@PROPERTY
@given(examples=sizes, units=sizes, seed=seeds)
def test_elementwise_layers_agree_with_the_loss(forward, backward, examples, units, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, units))
    x = rng.standard_normal((examples, units))
    assert_gradient(lambda x: (dy * forward(x)).sum(), lambda x: backward(dy, forward(x)), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_keep_the_dtype(dtype):
    x, W, b = np.ones((2, 3), dtype), np.ones((3, 4), dtype), np.ones(4, dtype)
    y = dense(x, W, b)
    arrays = [y, *dense_backward(y, x, W), tanh(y), relu(y), tanh_backward(y, y), relu_backward(y, y)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_a_whole_network_agrees_with_the_loss():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 4))
    theta = {
        "hidden": {"W": rng.standard_normal((4, 6)), "b": rng.standard_normal(6)},
        "out": {"W": rng.standard_normal((6, 2)), "b": rng.standard_normal(2)},
    }

    def loss(t):
        y = dense(relu(dense(x, **t["hidden"])), **t["out"])
        return 0.5 * (tanh(y) ** 2).sum()

    def grad(t):
        y1 = relu(dense(x, **t["hidden"]))
        y2 = tanh(dense(y1, **t["out"]))
        dy1, dW2, db2 = dense_backward(tanh_backward(y2, y2), y1, t["out"]["W"])
        _, dW1, db1 = dense_backward(relu_backward(dy1, y1), x, t["hidden"]["W"])
        return {"hidden": {"W": dW1, "b": db1}, "out": {"W": dW2, "b": db2}}

    assert_gradient(loss, grad, theta)


@pytest.mark.parametrize(
    ("x", "W", "b"),
    [((4, 3), (3, 2), (1,)), ((4, 3), (3, 2), (2, 1)), ((4, 3), (2, 3), (3,)), ((3,), (3, 2), (2,))],
    ids=str,
)
def test_dense_refuses_shapes_that_do_not_belong_together(x, W, b):
    with pytest.raises(ValueError, match=r"expected \(examples, inputs\), \(inputs, outputs\)"):
        dense(np.zeros(x), np.zeros(W), np.zeros(b))
