"""Layers: values worked out by hand, and backward passes that the gradient check agrees with."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_not_wrong, eighths, recorded_layer, unchanged

from optimlib import assert_gradient, check_gradient
from optimlib.differences import complex_step
from optimlib.nn.layers import (
    dense,
    dense_backward,
    dropout,
    dropout_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    residual,
    residual_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=15)
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


def exact(array) -> np.ndarray:
    """The same numbers as fractions."""
    return np.vectorize(Fraction, otypes=[object])(array)


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


def test_dense_is_that_of_pytorch():
    torch = recorded_layer("dense")
    np.testing.assert_allclose(dense(**torch.inputs), torch.y, rtol=1e-12)
    ours = dense_backward(torch.dy, torch.inputs["x"], torch.inputs["W"])
    for gradient, theirs in zip(ours, torch.gradients.values(), strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-14)


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


def test_leaky_relu_by_hand():
    x = np.array([[-2.0, -0.0, 0.0], [5e-324, 0.5, 3.0]])
    dy = np.array([[8.0, 8.0, 8.0], [7.0, -7.0, 0.25]])
    with unchanged(x, dy):
        y = leaky_relu(x, 0.25)
        dx = leaky_relu_backward(dy, x, 0.25)
    assert y.tolist() == [[-0.5, 0, 0], [5e-324, 0.5, 3.0]]
    assert dx.tolist() == [[2.0, 2.0, 2.0], [7.0, -7.0, 0.25]]
    assert leaky_relu(np.array([-1.0])).tolist() == [-0.01]
    assert leaky_relu_backward(np.ones(1), np.array([-1.0])).tolist() == [0.01]


def test_sigmoid_by_hand():
    x = np.array([np.log(3), -np.log(3), 0.0, -1e4, 1e4, -np.inf, np.inf])
    with unchanged(x):
        y = sigmoid(x)  # 3 / (3 + 1), 1 / (1 + 3), ...
    np.testing.assert_allclose(y, [0.75, 0.25, 0.5, 0, 1, 0, 1], rtol=1e-15)
    dy, y = np.array([8.0, -8.0, 8.0]), np.array([0.75, 0.25, 1.0])
    with unchanged(dy, y):
        assert sigmoid_backward(dy, y).tolist() == [1.5, -1.5, 0.0]


def test_sigmoid_keeps_the_digits_of_small_values():
    y = sigmoid(np.array([-50.0, -700.0]))
    np.testing.assert_allclose(y, [np.exp(-50), np.exp(-700)], rtol=1e-14)
    assert np.isnan(sigmoid(np.array([np.nan]))).all()


@PROPERTY
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=20))
def test_sigmoid_is_a_tanh_of_half_the_input(x):
    np.testing.assert_allclose(sigmoid(np.array(x)), (1 + np.tanh(np.array(x) / 2)) / 2, atol=2e-16)


@pytest.mark.parametrize(
    ("name", "forward", "gradient"),
    [
        ("tanh", tanh, lambda dy, x: tanh_backward(dy, tanh(x))),
        ("relu", relu, lambda dy, x: relu_backward(dy, relu(x))),
        ("sigmoid", sigmoid, lambda dy, x: sigmoid_backward(dy, sigmoid(x))),
        (
            "leaky_relu",
            lambda x: leaky_relu(x, 0.25),
            lambda dy, x: leaky_relu_backward(dy, x, 0.25),
        ),
    ],
    ids=["tanh", "relu", "sigmoid", "leaky_relu"],
)
def test_elementwise_layers_are_those_of_pytorch(name, forward, gradient):
    torch = recorded_layer(name)
    x = torch.inputs["x"]
    np.testing.assert_allclose(forward(x), torch.y, rtol=1e-12)
    # Near 1, y has lost the digits of 1 - y, theirs like ours.
    np.testing.assert_allclose(gradient(torch.dy, x), torch.gradients["x"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [(tanh, tanh_backward), (relu, relu_backward), (sigmoid, sigmoid_backward)],
)
@PROPERTY
@given(examples=sizes, units=sizes, seed=seeds)
def test_elementwise_layers_agree_with_the_loss(forward, backward, examples, units, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, units))
    x = rng.standard_normal((examples, units))
    assert_not_wrong(lambda x: (dy * forward(x)).sum(), lambda x: backward(dy, forward(x)), x)


@PROPERTY
@given(sizes, sizes, seeds, st.sampled_from([0.0, 0.01, 0.5, -1.0]))
def test_leaky_relu_agrees_with_the_loss(examples, units, seed, slope):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, units))
    x = rng.choice([-1, 1], (examples, units)) * rng.uniform(0.1, 2, (examples, units))

    def loss(x):
        return (dy * leaky_relu(x, slope)).sum()

    def of_the_output(x):  # what a user of relu_backward would write
        return leaky_relu_backward(dy, leaky_relu(x, slope), slope)

    assert_not_wrong(loss, lambda x: leaky_relu_backward(dy, x, slope), x)
    if slope == -1 and (x < 0).any():
        assert check_gradient(loss, of_the_output, x).verdict == "fail"


# Dropout


@PROPERTY
@given(sizes, sizes, seeds, st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_dropout_with_its_mask_held_fixed_agrees_with_the_loss(examples, units, seed, rate):
    rng = np.random.default_rng(seed)
    dy, x = rng.standard_normal((2, examples, units))

    def loss(x):
        y, _ = dropout(x, rate, np.random.default_rng(seed))
        return (dy * np.sin(y)).sum()

    def grad(x):
        y, mask = dropout(x, rate, np.random.default_rng(seed))
        return dropout_backward(dy * np.cos(y), mask)

    assert_not_wrong(loss, grad, x)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.75])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate):
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (400, 100))
    with unchanged(x):
        y, mask = dropout(x, rate, rng)
    assert np.array_equal(y, x * mask)
    assert set(np.unique(mask)) == ({0, 1 / (1 - rate)} if rate else {1})
    assert (mask == 0).mean() == pytest.approx(rate, abs=0.015)  # at least 6 standard deviations
    assert y.mean() == pytest.approx(x.mean(), rel=0.06)
    # No row and no column is treated as one.
    assert (mask == 0).mean(axis=0) == pytest.approx(np.full(100, rate), abs=0.15)


def test_dropout_draws_a_new_mask_every_time_and_the_same_from_the_same_seed():
    x, rng = np.ones((10, 10)), np.random.default_rng(3)
    first, second = dropout(x, 0.5, rng)[1], dropout(x, 0.5, rng)[1]
    assert not np.array_equal(first, second)
    assert np.array_equal(first, dropout(x, 0.5, np.random.default_rng(3))[1])


def test_dropout_backward_by_hand():
    dy, mask = np.array([3.0, 3.0, -1.0]), np.array([0.0, 4.0, 4.0])
    with unchanged(dy, mask):
        assert dropout_backward(dy, mask).tolist() == [0, 12, -4]


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, 50, np.nan])
def test_a_rate_that_is_no_rate_is_refused(rate):
    message = re.escape(f"rate is {rate!r}; expected a number from 0 on and below 1")
    with pytest.raises(ValueError, match=message):
        dropout(np.ones(3), rate, np.random.default_rng(0))


@pytest.mark.parametrize("rng", [0, None, np.random, np.random.RandomState(0)], ids=str)
def test_dropout_refuses_what_is_no_generator(rng):
    with pytest.raises(TypeError, match=r"rng is .*; expected a numpy.random.Generator"):
        dropout(np.ones(3), 0.5, rng)


def test_dropout_refuses_whole_numbers():
    with pytest.raises(TypeError, match="x has dtype int64; expected floating point"):
        dropout(np.ones(3, np.int64), 0.25, np.random.default_rng(0))


# Residual connections


def test_residual_by_hand():
    x, fx, dy = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]), np.array([[3.0, 4.0]])
    with unchanged(x, fx, dy):
        assert residual(x, fx).tolist() == [[11, 22]]
        assert [array.tolist() for array in residual_backward(dy)] == [[[3, 4]], [[3, 4]]]


def test_a_residual_block_agrees_with_the_loss_and_not_without_its_shortcut():
    rng = np.random.default_rng(0)
    dy = rng.standard_normal((3, 4))
    theta = {"x": rng.standard_normal((3, 4)), "W": rng.standard_normal((4, 4)), "b": np.ones(4)}

    def loss(t):
        return (dy * residual(t["x"], tanh(dense(**t)))).sum()

    def grad(t, shortcut=1):
        dx, dfx = residual_backward(dy)
        dx_branch, dW, db = dense_backward(tanh_backward(dfx, tanh(dense(**t))), t["x"], t["W"])
        return {"x": shortcut * dx + dx_branch, "W": dW, "b": db}

    assert_gradient(loss, grad, theta)
    assert check_gradient(loss, lambda t: grad(t, shortcut=0), theta).verdict == "fail"


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (), (3, 5)], ids=str)
def test_a_residual_that_would_be_broadcast_is_refused(shape):
    message = re.escape(f"x has shape (3, 4) and fx {shape}; expected the same shape twice")
    with pytest.raises(ValueError, match=message):
        residual(np.ones((3, 4)), np.ones(shape))


# All of them


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_keep_the_dtype(dtype):
    x, W, b = np.ones((2, 3), dtype), np.ones((3, 4), dtype), np.ones(4, dtype)
    y = dense(x, W, b)
    arrays = [y, *dense_backward(y, x, W), tanh(y), relu(y), tanh_backward(y, y), relu_backward(y, y)]
    arrays += [sigmoid(y), sigmoid_backward(y, y), leaky_relu(y), leaky_relu_backward(y, y)]
    arrays += dropout(y, 0.1, np.random.default_rng(0))
    arrays += [dropout_backward(y, y), residual(y, y), *residual_backward(y)]
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
    with pytest.raises(
        ValueError, match=r"expected x \(examples, inputs\), W \(inputs, outputs\), b \(o"
    ):
        dense(np.zeros(x), np.zeros(W), np.zeros(b))
