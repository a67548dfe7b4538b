"""Options that other packages have are answered with what there is in their place."""

import numpy as np
import pytest

from optimlib import assert_gradient, check_gradient
from optimlib.gradcheck import (
    check_adjoint,
    check_hvp,
    check_jvp,
    check_layer,
    check_value_and_grad,
    check_vjp,
)
from optimlib.gradcheck.check import compare

X = np.array([1.0, -2.0])


def loss(x):
    return (x**2).sum()


def grad(x):
    return 2 * x


def product(x, dx):
    return dx


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("tol", "accuracy="),
        ("rtol", "accuracy="),
        ("eps", "the step is chosen anew"),
        ("h", "the step is chosen anew"),
        ("seed", "rng=np.random.default_rng(seed)"),
        ("n_jobs", "executor="),
        ("num_checks", "coordinates= and directions="),
        ("freeze", "frozen="),
        ("lower", "bounds=(low, high)"),
        ("verbose", "progress=True"),
        ("args", "lambda theta: loss(theta, X, y)"),
        ("directons", "did you mean directions=?"),
        ("acuracy", "did you mean accuracy=?"),
        ("zzz", "expected coordinates, directions, bounds, rng, executor"),
    ],
)
def test_unknown_options_are_answered(option, answer):
    with pytest.raises(TypeError) as error:
        check_gradient(loss, grad, X, **{option: 1e-5})
    assert str(error.value).startswith(f"{option}=1e-05 is not an option here: ")
    assert answer in str(error.value)


@pytest.mark.parametrize(
    "check",
    [
        lambda **options: assert_gradient(loss, grad, X, **options),
        lambda **options: check_value_and_grad(lambda x: (loss(x), grad(x)), X, **options),
        lambda **options: check_vjp(grad, lambda x, dy: 2 * dy, X, **options),
        lambda **options: check_jvp(grad, lambda x, dx: 2 * dx, X, **options),
        lambda **options: check_adjoint(product, product, X, **options),
        lambda **options: check_hvp(grad, lambda x, v: 2 * v, X, **options),
        lambda **options: check_layer(lambda x: (x, x), lambda dy, cache: dy, X, **options),
        lambda **options: compare(loss, grad, X, **options),
    ],
)
def test_every_check_answers(check):
    with pytest.raises(TypeError, match=r"^atol=1e-08 is not an option here: the tolerance"):
        check(atol=1e-8)


def test_a_long_value_is_not_printed():
    with pytest.raises(TypeError, match=r"^mask= is not an option here: use frozen=$"):
        check_gradient(loss, grad, X, mask=np.ones(1000))
