"""Normalization: by hand, as PyTorch has it, by its properties, by the gradient check, with bugs."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import recorded_layer, unchanged

from optimlib import assert_gradient, check_gradient
from optimlib.nn import (
    batch_norm,
    batch_norm_backward,
    batch_norm_evaluate,
    batch_norm_evaluate_backward,
    layer_norm,
    layer_norm_backward,
    running_statistics,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=15)
sizes = st.integers(1, 4)
several = st.integers(2, 5)
seeds = st.integers(0, 2**32 - 1)
BOTH = pytest.mark.parametrize(
    ("forward", "backward"), [(batch_norm, batch_norm_backward), (layer_norm, layer_norm_backward)]
)


def inputs(rng, *shape) -> dict[str, np.ndarray]:
    """Random arguments: numbers of ordinary size that are not centered at 0."""
    features = shape[-1]
    return {
        "x": 1 + 2 * rng.standard_normal(shape),
        "gamma": rng.standard_normal(features),
        "beta": rng.standard_normal(features),
    }


def loss_and_gradient(forward, backward, dy):
    """The sum of the outputs times `dy`, and its gradient, as functions of the three inputs."""

    def loss(t):
        return (dy * forward(**t)[0]).sum()

    def grad(t):
        _, cache = forward(**t)
        return dict(zip(t, backward(dy, cache), strict=True))

    return loss, grad


# By hand


def test_batch_norm_by_hand():
    # First feature: 1 and 3, mean 2, variance 1, with eps a denominator of sqrt(1 + 3) = 2.
    # Second feature: 10 and 30, mean 20, variance 100, with eps a denominator of sqrt(103).
    x, gamma, beta = np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([4.0, 2.0]), np.array([1.0, 0.0])
    with unchanged(x, gamma, beta):
        y, cache = batch_norm(x, gamma, beta, eps=3)
    np.testing.assert_allclose(y[:, 0], [-1, 3], rtol=1e-15)
    np.testing.assert_allclose(y[:, 1], [-20 / 103**0.5, 20 / 103**0.5], rtol=1e-15)
    dy = np.array([[1.0, 0.0], [0.0, 0.0]])
    with unchanged(dy, *cache):
        dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    # With d = (x1 - x2) / 2 = -1, y1 = 4 d / sqrt(d^2 + 3) + 1, whose derivative is 12 / (d^2 + 3)^1.5
    # in d, and half of that in x1.
    np.testing.assert_allclose(dx, [[0.75, 0], [-0.75, 0]], rtol=1e-15)
    np.testing.assert_allclose(dgamma, [-0.5, 0], rtol=1e-15)
    assert dbeta.tolist() == [1, 0]


def test_layer_norm_by_hand():
    x, gamma, beta = np.array([[1.0, 3.0]]), np.array([4.0, 2.0]), np.array([1.0, 0.0])
    y, cache = layer_norm(x, gamma, beta, eps=3)
    np.testing.assert_allclose(y, [[-1, 1]], rtol=1e-15)
    dx, dgamma, dbeta = layer_norm_backward(np.array([[1.0, 0.0]]), cache)
    np.testing.assert_allclose(dx, [[0.75, -0.75]], rtol=1e-15)  # as above
    np.testing.assert_allclose(dgamma, [-0.5, 0], rtol=1e-15)
    assert dbeta.tolist() == [1, 0]


def test_running_statistics_by_hand():
    mean, variance, x = np.array([10.0, 0.0]), np.array([1.0, 8.0]), np.array([[1.0, 0.0], [3.0, 0.0]])
    with unchanged(mean, variance, x):
        new = running_statistics(mean, variance, x, momentum=0.25)
    # Means 2 and 0; unbiased variances (1 + 1) / (2 - 1) = 2 and 0.
    assert [array.tolist() for array in new] == [[8.0, 0.0], [1.25, 6.0]]


def test_batch_norm_evaluate_by_hand():
    x, gamma, beta = np.array([[7.0], [3.0]]), np.array([10.0]), np.array([1.0])
    mean, variance = np.array([3.0]), np.array([3.0])
    with unchanged(x, gamma, beta, mean, variance):
        y = batch_norm_evaluate(x, gamma, beta, mean, variance, eps=1.0)
        gradients = batch_norm_evaluate_backward(np.ones((2, 1)), x, gamma, mean, variance, eps=1.0)
    assert y.tolist() == [[21], [1]]
    assert [array.tolist() for array in gradients] == [[[5], [5]], [2], [2]]


# PyTorch


@pytest.mark.parametrize(
    ("forward", "backward", "case"),
    [
        (batch_norm, batch_norm_backward, "batch_norm"),
        (batch_norm, batch_norm_backward, "batch_norm with a large eps"),
        (layer_norm, layer_norm_backward, "layer_norm"),
        (layer_norm, layer_norm_backward, "layer_norm with three axes"),
    ],
)
def test_outputs_and_gradients_are_those_of_pytorch(forward, backward, case):
    torch = recorded_layer(case)
    y, cache = forward(**torch.inputs, eps=float(torch.others.get("eps", 1e-5)))
    np.testing.assert_allclose(y, torch.y, rtol=1e-12, atol=1e-14)
    ours = backward(torch.dy, cache)
    for gradient, theirs in zip(ours, torch.gradients.values(), strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-14)


def test_running_statistics_are_those_of_pytorch():
    torch = recorded_layer("batch_norm")
    ours = running_statistics(np.zeros(3), np.ones(3), torch.inputs["x"], momentum=0.25)
    np.testing.assert_allclose(ours, [torch.others["mean"], torch.others["variance"]], rtol=1e-14)


def test_batch_norm_evaluate_is_that_of_pytorch():
    torch = recorded_layer("batch_norm_evaluate")
    x, gamma, beta = torch.inputs.values()
    np.testing.assert_allclose(batch_norm_evaluate(x, gamma, beta, **torch.others), torch.y, rtol=1e-12)
    ours = batch_norm_evaluate_backward(torch.dy, x, gamma, **torch.others)
    for gradient, theirs in zip(ours, torch.gradients.values(), strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-14)


# Properties


@PROPERTY
@given(several, sizes, seeds)
def test_every_feature_gets_mean_0_and_variance_1(examples, features, seed):
    x = inputs(np.random.default_rng(seed), examples, features)["x"]
    y, _ = batch_norm(x, np.ones(features), np.zeros(features), eps=0)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose((y**2).mean(axis=0), 1, rtol=1e-12)


@PROPERTY
@given(several, sizes, seeds)
def test_shift_and_scale_of_the_input_do_not_matter(examples, features, seed):
    rng = np.random.default_rng(seed)
    given = inputs(rng, examples, features)
    moved = given | {"x": 3 + 7 * given["x"]}
    y, cache = batch_norm(**given, eps=0)
    np.testing.assert_allclose(batch_norm(**moved, eps=0)[0], y, rtol=1e-9, atol=1e-9)
    # So neither of the two changes the loss to first order:
    dx, _, _ = batch_norm_backward(rng.standard_normal(y.shape), cache)
    size = np.abs(dx).max() + cache[1].max()
    np.testing.assert_allclose(dx.sum(axis=0), 0, atol=1e-12 * size)
    np.testing.assert_allclose((dx * given["x"]).sum(axis=0), 0, atol=1e-11 * size)


@PROPERTY
@given(several, several, seeds)
def test_layer_norm_is_batch_norm_turned_on_its_side(examples, features, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, examples, features))
    layer, layer_cache = layer_norm(x, np.ones(features), np.zeros(features))
    batch, batch_cache = batch_norm(x.T, np.ones(examples), np.zeros(examples))
    np.testing.assert_allclose(layer, batch.T, rtol=1e-13)
    dx_layer, _, _ = layer_norm_backward(dy, layer_cache)
    dx_batch, _, _ = batch_norm_backward(dy.T, batch_cache)
    np.testing.assert_allclose(dx_layer, dx_batch.T, rtol=1e-9, atol=1e-12)


def test_layer_norm_treats_every_row_alike_however_many_axes_come_before():
    rng = np.random.default_rng(0)
    given = inputs(rng, 2, 3, 4)
    dy = rng.standard_normal((2, 3, 4))
    flat = given | {"x": given["x"].reshape(6, 4)}
    y, cache = layer_norm(**given)
    y_flat, cache_flat = layer_norm(**flat)
    assert np.array_equal(y.reshape(6, 4), y_flat)
    dx, dgamma, dbeta = layer_norm_backward(dy, cache)
    dx_flat, dgamma_flat, dbeta_flat = layer_norm_backward(dy.reshape(6, 4), cache_flat)
    assert np.array_equal(dx.reshape(6, 4), dx_flat)
    np.testing.assert_allclose([dgamma, dbeta], [dgamma_flat, dbeta_flat], rtol=1e-14)


def test_evaluation_with_the_statistics_of_the_batch_is_training():
    given = inputs(np.random.default_rng(0), 6, 3)
    x = given["x"]
    ours = batch_norm_evaluate(**given, mean=x.mean(axis=0), variance=x.var(axis=0))
    np.testing.assert_allclose(ours, batch_norm(**given)[0], rtol=1e-13)


def test_running_statistics_come_to_those_of_the_population():
    rng = np.random.default_rng(0)
    mean, variance = np.zeros(2), np.ones(2)
    for _ in range(4_000):  # of tiny batches, whose biased variances would be half too small
        batch = [5, -1] + [3, 0.5] * rng.standard_normal((2, 2))
        mean, variance = running_statistics(mean, variance, batch, momentum=0.003)
    np.testing.assert_allclose(mean, [5, -1], atol=0.3)
    np.testing.assert_allclose(variance, [9, 0.25], rtol=0.15)


def test_a_constant_feature_gives_beta():
    y, cache = batch_norm(np.full((3, 1), 7.0), np.ones(1), np.array([2.0]))
    assert y.tolist() == [[2], [2], [2]]
    dx, _, _ = batch_norm_backward(np.array([[1.0], [2.0], [3.0]]), cache)
    np.testing.assert_allclose(dx.ravel(), np.array([-1, 0, 1]) / 1e-5**0.5, rtol=1e-14)


# The gradient check


@BOTH
@PROPERTY
@given(examples=several, features=several, seed=seeds)
def test_backward_agrees_with_the_loss(forward, backward, examples, features, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, features))
    assert_gradient(*loss_and_gradient(forward, backward, dy), inputs(rng, examples, features))


@PROPERTY
@given(sizes, several, seeds)
def test_layer_norm_of_three_axes_agrees_with_the_loss(time, features, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((2, time, features))
    theta = inputs(rng, 2, time, features)
    assert_gradient(*loss_and_gradient(layer_norm, layer_norm_backward, dy), theta)


@PROPERTY
@given(sizes, sizes, seeds)
def test_evaluation_agrees_with_the_loss(examples, features, seed):
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((examples, features))
    mean, variance = rng.standard_normal(features), rng.uniform(0.1, 4, features)

    def loss(t):
        return (dy * batch_norm_evaluate(**t, mean=mean, variance=variance)).sum()

    def grad(t):
        gradients = batch_norm_evaluate_backward(dy, t["x"], t["gamma"], mean, variance)
        return dict(zip(t, gradients, strict=True))

    assert_gradient(loss, grad, inputs(rng, examples, features))


def without_the_mean(dy, cache):
    _, inverse_std, gamma = cache
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx + inverse_std * (gamma * dy).mean(axis=0), dgamma, dbeta


def without_the_variance(dy, cache):
    x_hat, inverse_std, gamma = cache
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx + inverse_std * x_hat * (gamma * dy * x_hat).mean(axis=0), dgamma, dbeta


def with_an_unbiased_variance(dy, cache):
    x_hat, inverse_std, gamma = cache
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    term = inverse_std * x_hat * (gamma * dy * x_hat).sum(axis=0)
    return dx + term / len(dy) - term / (len(dy) - 1), dgamma, dbeta


def without_gamma(dy, cache):
    _, _, gamma = cache
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx / gamma, dgamma, dbeta


def mean_for_dgamma(dy, cache):
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    return dx, dgamma / len(dy), dbeta


@pytest.mark.parametrize(
    "wrong",
    [
        without_the_mean,
        without_the_variance,
        with_an_unbiased_variance,
        without_gamma,
        mean_for_dgamma,
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_wrong_backward_passes_are_caught(wrong, seed):
    rng = np.random.default_rng(seed)
    dy, theta = rng.standard_normal((5, 3)), inputs(rng, 5, 3)
    assert check_gradient(*loss_and_gradient(batch_norm, wrong, dy), theta).verdict == "fail"
    assert check_gradient(*loss_and_gradient(batch_norm, batch_norm_backward, dy), theta).passed


# Dtypes and bad input


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    x, one = np.array([[1, 2, 4], [0, 1, 5]], dtype), np.ones(3, dtype)
    arrays = [*running_statistics(one, one, x), batch_norm_evaluate(x, one, one, one, one)]
    arrays += batch_norm_evaluate_backward(x, x, one, one, one)
    for forward, backward in (batch_norm, batch_norm_backward), (layer_norm, layer_norm_backward):
        y, cache = forward(x, one, one)
        arrays += [y, *cache, *backward(y, cache)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_one_example_is_refused_in_training_but_not_after_it():
    x, one = np.array([[1.0, 2.0]]), np.ones(2)
    with pytest.raises(ValueError, match=r"x has shape \(1, 2\); expected at least two examples"):
        batch_norm(x, one, one)
    with pytest.raises(ValueError, match=r"x has shape \(1, 2\); expected at least two examples"):
        running_statistics(one, one, x)
    assert batch_norm_evaluate(x, one, one, one, one, eps=0).tolist() == [[1, 2]]
    assert layer_norm(x, one, one, eps=0)[0].tolist() == [[0, 2]]


def test_layer_norm_of_one_feature_is_refused():
    with pytest.raises(ValueError, match=r"x has shape \(3, 1\); expected at least two features"):
        layer_norm(np.ones((3, 1)), np.ones(1), np.ones(1))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (3, 0)], ids=str)
def test_what_is_no_batch_is_refused(shape):
    x, one = np.ones(shape), np.ones(3)
    message = rf"x (has shape )?{re.escape(str(shape))}.*; expected (x )?\(examples, features\)"
    with pytest.raises(ValueError, match=message):
        batch_norm(x, one, one)
    with pytest.raises(ValueError, match=message):
        running_statistics(one, one, x)
    with pytest.raises(ValueError, match=message):
        batch_norm_evaluate(x, one, one, one, one)


def misfit(name: str, shape: tuple[int, ...]) -> str:
    received = re.escape(f"{name} {shape}")
    return rf"^{name} does not fit: the shapes are x \(4, 3\), .*{received}.*; expected"


@pytest.mark.parametrize("shape", [(2,), (1,), (), (4, 3)], ids=str)
def test_shapes_that_would_be_broadcast_are_refused(shape):
    x, one, other = np.ones((4, 3)), np.ones(3), np.ones(shape)
    with pytest.raises(ValueError, match=misfit("gamma", shape)):
        batch_norm(x, other, one)
    with pytest.raises(ValueError, match=misfit("beta", shape)):
        batch_norm(x, one, other)
    with pytest.raises(ValueError, match=misfit("variance", shape)):
        running_statistics(one, other, x)
    with pytest.raises(ValueError, match=misfit("mean", shape)):
        batch_norm_evaluate(x, one, one, other, one)
    with pytest.raises(ValueError, match=misfit("variance", shape)):
        batch_norm_evaluate_backward(x, x, one, one, other)
    for gamma, beta in (other, one), (one, other):
        with pytest.raises(ValueError, match=r"does not fit: the shapes are x \(4, 3\)") as caught:
            layer_norm(x, gamma, beta)
        expected = "expected x (..., examples, features), gamma (features,), beta (features,)"
        assert expected in str(caught.value)


@BOTH
def test_a_gradient_that_would_be_broadcast_is_refused(forward, backward):
    _, cache = forward(np.arange(12.0).reshape(4, 3), np.ones(3), np.ones(3))
    for shape in (3,), (4, 1), (1, 3):
        message = re.escape(f"dy has shape {shape}; expected that of the output, (4, 3)")
        with pytest.raises(ValueError, match=message):
            backward(np.ones(shape), cache)


@BOTH
def test_whole_numbers_and_negative_eps_are_refused(forward, backward):
    one = np.ones(3)
    with pytest.raises(TypeError, match="x has dtype int64; expected floating point"):
        forward(np.ones((4, 3), np.int64), one, one)
    for eps in (-1e-5, np.nan):
        with pytest.raises(ValueError, match=f"eps is {eps}; expected a number from 0 on"):
            forward(np.ones((4, 3)), one, one, eps)


def test_evaluation_refuses_them_too():
    x, one = np.ones((4, 3)), np.ones(3)
    with pytest.raises(TypeError, match="x has dtype int64; expected floating point"):
        batch_norm_evaluate(x.astype(np.int64), one, one, one, one)
    with pytest.raises(ValueError, match="eps is -1; expected a number from 0 on"):
        batch_norm_evaluate(x, one, one, one, one, eps=-1)
    with pytest.raises(ValueError, match="eps is -1; expected a number from 0 on"):
        batch_norm_evaluate_backward(x, x, one, one, one, eps=-1)
    with pytest.raises(ValueError, match=r"dy has shape \(3,\); expected that of the output, \(4, 3\)"):
        batch_norm_evaluate_backward(one, x, one, one, one)


@pytest.mark.parametrize("momentum", [0, -0.1, 1.5, np.nan])
def test_a_momentum_out_of_range_is_refused(momentum):
    with pytest.raises(ValueError, match=f"momentum is {momentum}; expected a number above 0"):
        running_statistics(np.ones(2), np.ones(2), np.ones((3, 2)), momentum)
