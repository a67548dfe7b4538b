"""The loss along a line: the right points, copies of everything, and values that may be missing."""

import math

import numpy as np
import pytest
from support import unchanged

from optimlib.gradcheck.lines import Coordinate, Counted, Line, evaluate


def test_a_line_moves_what_has_a_direction_and_nothing_else():
    theta = {"W": np.array([[1.0, 2.0]]), "b": np.array(3.0), "c": np.ones(2)}
    seen = []

    def loss(t):
        seen.append(t)
        return 0.0

    with unchanged(theta):
        Line(loss, theta, [np.array([[2.0, -4.0]]), np.array(8.0), None])(0.25)
    (t,) = seen
    np.testing.assert_array_equal(t["W"], [[1.5, 1.0]])
    assert t["b"].shape == ()
    assert t["b"] == 5.0
    np.testing.assert_array_equal(t["c"], [1.0, 1.0])
    assert not any(np.shares_memory(t[key], theta[key]) for key in theta)


def test_float32_parameters_stay_float32():
    theta = [np.ones(2, np.float32), np.array(1.0, np.float32)]
    dtypes = []

    def loss(t):
        dtypes.extend(leaf.dtype for leaf in t)
        return 0.0

    Line(loss, theta, [np.ones(2), np.array(1.0)])(0.1)
    Coordinate(loss, theta, leaf=1, index=())(np.float32(3))
    assert set(dtypes) == {np.dtype(np.float32)}


def test_a_coordinate_is_set_and_not_added_to():
    theta = {"a": np.zeros((2, 2)), "b": np.array([1.0, 2.0])}
    f = Coordinate(lambda t: 10 * t["b"][0] + t["b"][1] + t["a"].sum(), theta, leaf=1, index=(1,))
    assert f(7.0) == 17.0
    assert f(3.0) == 13.0


@pytest.mark.parametrize("undefined", [ValueError, ZeroDivisionError, OverflowError])
def test_where_the_loss_raises_there_is_no_value(undefined):
    def loss(t):
        raise undefined

    assert math.isnan(Line(loss, np.ones(1), [np.ones(1)])(1.0))
    assert math.isnan(Coordinate(loss, np.ones(1), 0, (0,))(1.0))


def test_other_errors_reach_the_user():
    with pytest.raises(KeyError):
        Line(lambda t: {}["missing"], np.ones(1), [np.ones(1)])(1.0)


def test_what_the_loss_computes_with_is_kept():
    assert isinstance(evaluate(lambda t: np.float32(1), None), np.float32)
    assert isinstance(evaluate(lambda t: np.array(2.0, np.float32), None), np.float32)
    for value in (1, 1.0, np.float64(1), np.int64(1), np.longdouble(1), np.array(1.0)):
        assert type(evaluate(lambda t, value=value: value, None)) is float


def test_calls_are_counted():
    f = Counted(lambda x: 2 * x)
    assert [f(1.0), f(2.0), f.calls] == [2.0, 4.0, 2]
