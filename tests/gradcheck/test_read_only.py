"""What is checked is only read: it may be read-only, a view that repeats its numbers, or a file."""

import numpy as np
import pytest

from optimlib import check_gradient
from optimlib.gradcheck import (
    check_adjoint,
    check_hvp,
    check_jvp,
    check_layer,
    check_layer_object,
    check_value_and_grad,
    check_vjp,
)


def locked(array):
    array.flags.writeable = False
    return array


@pytest.fixture(params=["locked", "broadcast", "memory map", "view of a locked array", "float32"])
def x(request, tmp_path):
    if request.param == "broadcast":
        return np.broadcast_to(np.float64(0.75), (3,))
    if request.param == "memory map":
        np.save(tmp_path / "x.npy", np.array([0.5, -1.0, 2.0]))
        return np.load(tmp_path / "x.npy", mmap_mode="r")
    if request.param == "view of a locked array":
        return locked(np.array([[0.5, -1.0], [2.0, 1.0], [3.0, 0.0]]))[:, 0]
    return locked(np.array([0.5, -1.0, 2.0], np.float32 if request.param == "float32" else np.float64))


def cubed(x):
    return x**3


def product(x, dx):
    return 3 * x**2 * dx


def wrong(x, dx):
    return 3.1 * x**2 * dx


def test_a_gradient_of_a_lone_array_and_of_a_tree(x):
    assert check_gradient(lambda x: cubed(x).sum(), lambda x: 3 * x**2, x).verdict == "pass"
    assert check_gradient(lambda x: cubed(x).sum(), lambda x: x**2, x).verdict == "fail"
    theta = {"fixed": x, "free": [np.ones(2, x.dtype)]}

    def loss(t):
        return cubed(t["fixed"]).sum() * t["free"][0].sum()

    def grad(t):
        slope = np.full(2, cubed(t["fixed"]).sum(), x.dtype)
        return {"fixed": 3 * t["fixed"] ** 2 * t["free"][0].sum(), "free": [slope]}

    assert check_gradient(loss, grad, theta).verdict == "pass"
    assert not x.flags.writeable


@pytest.mark.parametrize(
    "check",
    [
        lambda product, x: check_vjp(cubed, product, x),
        lambda product, x: check_jvp(cubed, product, x),
        lambda product, x: check_hvp(cubed, product, x),
        lambda product, x: check_layer(lambda x: (x**3, x), lambda dy, x: product(x, dy), x),
        lambda product, x: check_value_and_grad(
            lambda x: (cubed(x).sum(), product(x, np.ones_like(x))), x
        ),
    ],
    ids=["vjp", "jvp", "hvp", "layer", "value and grad"],
)
def test_products_and_layers(check, x):
    assert check(product, x).verdict == "pass"
    assert check(wrong, x).verdict == "fail"


def test_the_adjoint(x):
    assert check_adjoint(product, product, x).verdict == "pass"
    assert check_adjoint(product, wrong, x).verdict == "fail"


def test_the_parameters_of_a_layer_object_are_written_into():
    W = locked(np.ones(3))
    with pytest.raises(ValueError, match=r"^parameters\['W'\] is read-only; expected an array that can"):
        check_layer_object(lambda x: x * W, lambda dy: dy * W, np.ones(3), {"W": W}, lambda: [W])
    assert check_layer_object(lambda x: 2 * x, lambda dy: 2 * dy, locked(np.ones(3))).verdict == "pass"
