"""What a user may hand to a check: accepted where it can mean one thing, else refused by its name."""

import re

import numpy as np
import pytest

from optimlib import check_adjoint, check_gradient, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.arguments import brief, fitted_gradient
from optimlib.trees import flatten, map_tree

X = np.array([0.5, -1.2, 2.0])


def square(x):
    return (x**2).sum()


def twice(x):
    return 2 * x


def refused(error, message, loss=square, grad=twice, theta=X, **options):
    with pytest.raises(error, match=re.escape(message)) as caught:
        check_gradient(loss, grad, theta, **options)
    assert len(str(caught.value)) < 300
    return str(caught.value)


# Functions


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (
            twice(X),
            "grad is array([ 1. , -2.4, 4. ]); expected a function of theta (grad itself, not grad(",
        ),
        (twice(np.ones((50, 80))), "grad is an array of shape (50, 80); expected a function of theta"),
        (None, "grad is None; expected a function of theta"),
        ({"W": twice(X)}, "grad is {'W': array([ 1. , -2.4, 4. ])}; expected a function"),
    ],
)
def test_a_gradient_in_place_of_its_function(grad, message):
    refused(TypeError, message, grad=grad)


def test_a_number_in_place_of_a_loss():
    refused(TypeError, "loss is 5.69; expected a function of theta (loss itself", loss=5.69)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: check_vjp(X, lambda x, dy: dy, X), "f"),
        (lambda: check_vjp(np.sin, X, X), "vjp"),
        (lambda: check_jvp(np.sin, 3.0, X), "jvp"),
        (lambda: check_adjoint(None, lambda x, dy: dy, X), "jvp"),
        (lambda: check_hvp(X, lambda x, v: v, X), "grad"),
        (lambda: check_hvp(np.sin, np.eye(3), X), "hvp"),
    ],
)
def test_products_name_what_cannot_be_called(call, name):
    with pytest.raises(TypeError, match=rf"^{name} is .+; expected a function of"):
        call()


@pytest.mark.parametrize("executor", [4, "threads", True, object()])
def test_an_executor_that_is_none(executor):
    message = refused(
        TypeError, "; expected an executor, such as concurrent.futures.", executor=executor
    )
    if executor == 4 and executor is not True:
        assert message.endswith("concurrent.futures.ThreadPoolExecutor(4)")


# The point


@pytest.mark.parametrize(
    ("theta", "place"),
    [
        (np.array([1j]), "theta"),
        ({"z": np.array([1 + 1j, 2])}, "theta['z']"),
        ([X, np.zeros(2, np.complex64)], "theta[1]"),
    ],
)
def test_complex_parameters_are_to_be_split(theta, place):
    message = refused(TypeError, f"{place} has dtype complex", theta=theta)
    assert message.endswith("take real and imaginary parts as two arrays")


def test_a_point_without_numbers():
    refused(ValueError, "theta is {'a': array([], dtype=float64)}; expected", theta={"a": np.zeros(0)})


# The value of the loss


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "loss(theta) is None of type NoneType; expected a number (is a return missing?)"),
        (np.ones(2), "loss(theta) is array([1., 1.]) of type ndarray; expected a number (its .sum() or"),
        (
            np.zeros((64, 10)),
            "loss(theta) is an array of shape (64, 10) of type ndarray; expected a number",
        ),
        (np.ones((1, 1)), "expected a number (use .item())"),
        (
            (0.5, {"w": X}),
            "expected a number (for a function that returns loss and gradient: check_value_and",
        ),
        ((np.float64(0.5), X), "expected a number (for a function that returns loss and gradient"),
        (1j, "loss(theta) is 1j of type complex; expected a number"),
        ("0.5", "loss(theta) is '0.5' of type str; expected a number"),
    ],
)
def test_a_loss_that_is_no_number(value, message):
    refused(TypeError, message, loss=lambda x: value)


def test_the_advice_for_an_array_names_both_ways_out():
    message = refused(TypeError, "expected a number", loss=np.sin)
    assert ".sum()" in message
    assert "check_vjp" in message


# The gradient


@pytest.mark.parametrize(
    ("gradient", "dtype"),
    [
        (lambda x: (2 * x).astype(np.float64), np.float32),
        (lambda x: [float(number) for number in 2 * x], np.float32),
        (lambda x: (2 * x).astype(np.longdouble), np.float64),
        (lambda x: (2 * x).tolist(), np.float64),
    ],
)
def test_gradients_of_a_finer_dtype_are_accepted(gradient, dtype):
    theta = np.array([0.5, -1.25, 2.0], dtype)
    if isinstance(gradient(theta), list):
        gradient_of_list = gradient
        gradient = lambda x: np.array(gradient_of_list(x))  # noqa: E731
    assert check_gradient(square, gradient, theta).passed


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("gradient", "theta"),
    [
        (np.ones(3, int), np.zeros(3)),
        ({"w": np.ones(2, np.int8), "b": 1}, {"w": np.zeros(2), "b": np.array(0.5)}),
        ([1, np.array([1, 1], np.uint16)], [np.array(2.0), np.ones(2)]),
    ],
)
def test_whole_constants_are_accepted(gradient, theta, dtype):
    theta = map_tree(lambda leaf: leaf.astype(dtype), theta)

    def loss(t):
        return sum(leaf.sum() for _, leaf in flatten(t))

    assert check_gradient(loss, lambda t: gradient, theta).passed
    assert all(leaf.dtype == dtype for leaf in fitted_gradient(gradient, theta))


def test_a_wrong_whole_constant_is_still_wrong():
    assert check_gradient(lambda x: 3 * x.sum(), lambda x: np.ones(3, int), X).verdict == "fail"


def test_none_for_a_gradient():
    refused(
        TypeError,
        "grad(theta) is None; expected a gradient like theta (is a return",
        grad=lambda x: None,
    )
    refused(
        TypeError,
        "grad(theta)['b'] is None; expected an array of zeros where the loss has no slope",
        loss=lambda t: square(t["w"]),
        grad=lambda t: {"w": 2 * t["w"], "b": None},
        theta={"w": X, "b": np.ones(2)},
    )
    with pytest.raises(TypeError, match=r"^vjp\(x, dy\) is None; expected a gradient like x"):
        check_vjp(np.sin, lambda x, dy: None, X)


@pytest.mark.parametrize(
    ("grad", "theta"),
    [
        (lambda x: (square(x), 2 * x), X),
        (lambda t: (1.5, {"w": 2 * t["w"]}), {"w": X}),
        (lambda x: [np.array(0.5), np.zeros((300, 300))], np.zeros((300, 300))),
    ],
)
def test_loss_and_gradient_in_one_are_explained(grad, theta):
    refused(
        ValueError,
        "(for a function that returns loss and gradient: check_value_and_grad)",
        loss=lambda t: 0.0,
        grad=grad,
        theta=theta,
    )


def test_a_pair_of_leaves_is_no_pair_of_loss_and_gradient():
    theta = (np.array(0.5), np.array([1.0, 2.0]))
    assert check_gradient(
        lambda t: t[0] ** 2 + square(t[1]), lambda t: (2 * t[0], 2 * t[1]), theta
    ).passed


@pytest.mark.parametrize("kind", [bool, complex, object, str])
def test_gradients_that_cannot_be_meant_are_refused(kind):
    refused(
        TypeError,
        f"grad(theta) has dtype {np.ones(3).astype(kind).dtype}",
        grad=lambda x: x.astype(kind),
    )


@pytest.mark.parametrize("key", ["W", "W1", "b"])
def test_gradients_with_a_d_before_their_names(key):
    refused(
        ValueError,
        f"(give the gradient of {key} the key '{key}', not 'd{key}')",
        loss=lambda t: square(t[key]),
        grad=lambda t: {f"d{key}": 2 * t[key]},
        theta={key: X},
    )


def test_float32_where_theta_is_float64_names_the_remedy():
    for theta, grad, place in (
        (X, lambda x: twice(x).astype(np.float32), "theta"),
        ({"w": X}, lambda t: {"w": twice(t["w"]).astype(np.float32)}, "theta['w']"),
    ):
        message = refused(TypeError, "has dtype float32; expected float64", lambda t: 0.0, grad, theta)
        assert message.endswith(f"(compute it in float64, or check at {place}.astype(np.float32))")


def test_an_overflow_in_the_cast_is_refused():
    theta = np.ones(2, np.float32)
    refused(ValueError, "grad(theta)[1] is inf", grad=lambda x: np.array([1.0, 1e300]), theta=theta)


# How values are shown


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((1000, 1000)),
        {"W": np.zeros((40, 40))},
        list(range(10_000)),
        "a" * 500,
        [np.zeros(99)] * 99,
    ],
)
def test_no_value_makes_a_screen(value):
    assert len(brief(value)) <= 60
    assert "\n" not in brief(value)
