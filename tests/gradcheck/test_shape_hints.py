"""What the shape of a gradient suggests that does not fit its parameter."""

import re

import numpy as np
import pytest

from optimlib import check_gradient, check_vjp
from optimlib.gradcheck.diagnosis import shape_hint

BATCH = "the first axis (the batch?)"


@pytest.mark.parametrize(
    ("received", "expected", "words"),
    [
        ((32, 10), (10,), "the sum over the first axis (the batch?) is missing"),
        ((32, 4, 10), (4, 10), "the sum over the first axis (the batch?) is missing"),
        ((32,), (), "the sum over the first axis (the batch?) is missing"),
        ((2, 2, 4), (4,), "the sum over the first 2 axes is missing"),
        ((8, 7, 7, 16), (16,), "the sum over the first 3 axes is missing"),
        ((2, 3, 4), (3, 1), "the sum over axes 0, 2 is missing"),
        ((5, 3), (5, 1), "the sum over axis 1, with keepdims=True, is missing"),
        ((5, 3), (1, 3), "the sum over the first axis (the batch?), with keepdims=True, is missing"),
        ((8, 4, 6, 6), (1, 4, 1, 1), "the sum over axes 0, 2, 3, with keepdims=True, is missing"),
        ((3, 5), (5, 3), "transposed"),
        ((2, 3, 4), (4, 3, 2), "transposed"),
        ((3, 1), (1, 3), "transposed"),
        ((3, 2, 4), (2, 3, 4), "its axes are in another order"),
        ((1, 10), (10,), "an axis of length 1 is left over: keepdims?"),
        ((10, 1), (10,), "an axis of length 1 is left over: keepdims?"),
        ((1, 4, 1, 10), (4, 10), "an axis of length 1 is left over: keepdims?"),
        ((1, 1), (), "an axis of length 1 is left over: keepdims?"),
        ((3,), (1, 3), "an axis of length 1 is lost: keepdims=True?"),
        ((5,), (5, 1), "an axis of length 1 is lost: keepdims=True?"),
        ((4, 7), (1, 4, 1, 7), "an axis of length 1 is lost: keepdims=True?"),
        ((), (1, 1), "an axis of length 1 is lost: keepdims=True?"),
        ((10, 32), (10,), "the sum over axis 1 is missing?"),
        ((3, 32, 4), (3, 4), "the sum over axis 1 is missing?"),
        ((), (3,), "summed over axis 0, which the parameter has?"),
        ((4,), (4, 5), "summed over axis 1, which the parameter has?"),
        ((1,), (3,), "summed over axis 0, which the parameter has?"),
        ((1, 3), (4, 3), "summed over axis 0, which the parameter has?"),
        ((1, 4, 1), (2, 4, 3), "summed over axes 0, 2, which the parameter has?"),
        (
            (3, 3),
            (3,),
            f"the sum over {BATCH} is missing, or this is a Jacobian, still to be multiplied?",
        ),
        (
            (2, 5, 2, 5),
            (2, 5),
            "the sum over the first 2 axes is missing, or this is a Jacobian, still to be multiplied?",
        ),
        ((6,), (2, 3), "another shape of the same size: reshaped?"),
        ((4, 3), (2, 6), "another shape of the same size: reshaped?"),
    ],
)
def test_shapes_that_suggest_something(received, expected, words):
    assert shape_hint(received, expected) == words


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ((10,), (10,)),
        ((), ()),
        ((10,), (5,)),
        ((5, 4), (5, 3)),
        ((7, 2), (3,)),
        ((2, 3), (4, 5, 6)),
        ((3, 4), (2, 4, 3)),
        ((0,), (3,)),
        ((5, 5), (5, 6)),
        ((2, 2, 2), (3, 3)),
        ((1, 3), (4, 5)),
        ((1, 4), (4, 4, 2)),
    ],
)
def test_shapes_that_suggest_nothing(received, expected):
    assert shape_hint(received, expected) == ""


def test_the_hint_stands_in_the_error_of_a_gradient_check():
    theta = {"W": np.ones((4, 1)), "b": np.ones(3)}

    def loss(t):
        return (t["W"] * t["b"]).sum()

    with pytest.raises(ValueError, match=re.escape("(['W']: the sum over axis 1, with keepdims=True,")):
        check_gradient(loss, lambda t: {"W": np.ones((4, 3)), "b": np.full(3, 4.0)}, theta)


@pytest.mark.parametrize(
    ("vjp", "message"),
    [
        (
            lambda x, dy: dy @ np.ones((3, 2)),
            "vjp(x, dy) has shape (5, 2); expected (1, 2), the shape of x",
        ),
        (lambda x, dy: (dy @ np.ones((3, 2))).sum(0), "an axis of length 1 is lost: keepdims=True?"),
    ],
)
def test_the_hint_stands_in_the_error_of_a_product_check(vjp, message):
    x = np.ones((1, 2))
    with pytest.raises(ValueError, match=re.escape(message)):
        check_vjp(lambda x: np.ones((5, 2)) * x @ np.ones((2, 3)), vjp, x)
