"""What a gradient that is not built like theta suggests, and what it does not."""

import functools
import re

import numpy as np
import pytest

from optimlib import check_gradient
from optimlib.gradcheck import check_vjp

W, B = np.array([[1.0, 2.0], [3.0, 0.5]]), np.array([0.3, 0.4])
THETA = {"W": W, "b": B}


def loss(theta):
    W, b = theta.values() if isinstance(theta, dict) else theta
    return (W**3).sum() + (b**2).sum()


def pair(theta):
    W, b = theta.values() if isinstance(theta, dict) else theta
    return 3 * W**2, 2 * b


def named(*names):
    return lambda theta: dict(zip(names, pair(theta), strict=True))


@pytest.mark.parametrize(
    ("grad", "theta", "words"),
    [
        (lambda t: (g for g in pair(t)), (W, B), "a generator; expected a tuple like theta (use list)"),
        (lambda t: map(np.copy, pair(t)), [W, B], "a map; expected a list like theta (use list)"),
        (named("W", "b"), (W, B), "(in the order of theta: list(gradients.values())?)"),
        (pair, THETA, "(name them: dict(zip(['W', 'b'], gradients)))"),
        (lambda t: named("W", "b")(t).values(), THETA, "(name them: dict(zip(['W', 'b'], gradients)))"),
        (named("grad_W", "grad_b"), THETA, "(give the gradient of W the key 'W', not 'grad_W')"),
        (named("w", "b"), THETA, "(give the gradient of W the key 'W', not 'w')"),
        (named("d_W", "b"), THETA, "(give the gradient of W the key 'W', not 'd_W')"),
        (lambda t: {**named("W", "b")(t), "db": 1.0}, THETA, "(leave out what theta does not have)"),
    ],
)
def test_containers_and_keys(grad, theta, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check_gradient(loss, grad, theta)


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        ([2.0, -4.0], "is a list; expected an array like theta (use np.array)"),
        ((np.ones(2),), "is a tuple; expected an array like theta (its only element? a comma too many)"),
        (np.ones(2, np.float32), "theta (compute it in float64, or check at theta.astype(np.float32))"),
    ],
)
def test_one_array(gradient, words):
    with pytest.raises((TypeError, ValueError)) as error:
        check_gradient(lambda x: (x**2).sum(), lambda x: gradient, np.array([1.0, -2.0]))
    assert str(error.value).endswith(words)


@pytest.mark.parametrize(
    ("grad", "end"),
    [
        (
            lambda t: {"W": 3 * t["W"] ** 2, "b": None},
            "expected an array of zeros where the loss has no slope",
        ),
        (lambda t: {"W": "text", "b": 2 * t["b"]}, "the dtype of theta['W']"),
        (lambda t: {"W": 3 * t["W"] ** 2}, "missing keys ['b'], unexpected keys []"),
        (lambda t: {"W": t["W"] * np.nan, "b": t["b"]}, "expected finite numbers"),
    ],
)
def test_no_hint_where_the_error_says_it_all(grad, end):
    with pytest.raises((TypeError, ValueError)) as error:
        check_gradient(loss, grad, THETA)
    assert str(error.value).endswith(end)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((2.5, {"accuracy": 1}), "(loss(theta)[0] alone?)"),
        ((2.5, 1, 2), "(loss(theta)[0] alone?)"),
        ([2.5], "(loss(theta)[0] alone?)"),
        ({"loss": 2.5, "accuracy": 1}, "(loss(theta)['loss'] alone?)"),
        (2.5 + 0j, "(its .real?)"),
        ((2.5, np.ones(2)), "check_value_and_grad)"),
        ("2.5", "expected a number"),
    ],
)
def test_a_loss_that_returns_more_or_something_else(value, words):
    with pytest.raises(TypeError) as error:
        check_gradient(lambda x: value, lambda x: 2 * x, np.ones(2))
    assert str(error.value).endswith(words)


class Tensor:
    """An array of another package."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers)

    def __array__(self, dtype=None, copy=None):
        return self.numbers

    def item(self):
        return self.numbers.item()


def test_arrays_of_other_packages():
    with pytest.raises(TypeError, match=r"^theta is of type Tensor; expected .* \(use np.asarray\)$"):
        check_gradient(lambda x: 0.0, lambda x: x, Tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match=r"\(use .item\(\)\)$"):
        check_gradient(lambda x: Tensor(1.0), lambda x: x, np.ones(2))
    theta = np.array([1.0, 2.0])
    assert check_gradient(lambda x: (x**2).sum(), lambda x: Tensor(2 * x), theta).verdict == "pass"


@pytest.mark.parametrize("theta", [(a for a in (W, B)), {"a": W}.values(), {"W": map(abs, B)}])
def test_a_point_in_something_that_is_no_container(theta):
    with pytest.raises(TypeError, match=r"of type .*; expected .* \(use list\)$"):
        check_gradient(loss, pair, theta)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: check_gradient(lambda t, X, y: 0.0, lambda t: t, B),
            "loss takes (t, X, y); expected a function of theta"
            " (fix the others: lambda theta: loss(theta, ...))",
        ),
        (
            lambda: check_gradient(lambda: 0.0, lambda t: t, B),
            "loss takes (); expected a function of theta",
        ),
        (
            lambda: check_vjp(np.sin, lambda dy: dy, B),
            "vjp takes (dy); expected a function of x, dy",
        ),
        (
            lambda: check_gradient(lambda t: 0.0, lambda t, *, scale: t, B),
            "grad takes (t, *, scale); expected a function of theta",
        ),
    ],
)
def test_functions_of_more_or_fewer_arguments(call, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        call()


def test_functions_that_hide_what_they_take_are_called():
    def loss(theta, power):
        return (theta**power).sum()

    @functools.wraps(loss)
    def squared(theta):
        return loss(theta, 2)

    assert check_gradient(squared, lambda t: 2 * t, B).verdict == "pass"
    assert (
        check_gradient(functools.partial(loss, power=2), lambda t, scale=2: scale * t, B).verdict
        == "pass"
    )
    assert check_gradient(lambda *args: loss(args[0], 2), lambda t: 2 * t, B).verdict == "pass"
