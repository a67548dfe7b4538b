"""Bounds: how much bounds there is, and steps that stay within it."""

import re

import numpy as np
import pytest

from optimlib import check_gradient
from optimlib.gradcheck.bounds import Bounds

THETA = {"a": np.array([0.0, 0.5, 1.0]), "b": np.array(2.0)}


def test_without_bounds_nothing_changes():
    bounds = Bounds(THETA, (-np.inf, np.inf))
    direction = [np.array([-1.0, 1.0, 2.0]), None]
    inwards, step, near = bounds.inwards(direction, 5.0)
    assert inwards is direction
    assert (step, near) == (5.0, False)
    assert bounds.step(0, (0,), 7.0) == (7.0, False)


@pytest.mark.parametrize(
    ("index", "h", "expected"),
    [
        ((0,), 0.1, (0.1, True)),  # at the lower bound: to the right only
        ((2,), 0.1, (-0.1, True)),  # at the upper one: to the left only
        ((1,), 0.1, (0.1, False)),  # far from both
        ((1,), 0.8, (0.495, False)),  # a shorter step fits to both sides
        ((0,), 2.0, (0.99, True)),  # no further than the other bound
    ],
)
def test_the_step_of_a_coordinate(index, h, expected):
    step, one_sided = Bounds(THETA["a"], (0.0, 1.0)).step(0, index, h)
    assert (round(step, 12), one_sided) == expected


def test_a_direction_turns_away_from_near_bounds_and_stays_inside():
    theta = np.array([0.0, 0.5, 1.0])
    bounds = Bounds(theta, (0, 1))
    d = np.array([-1.0, -1.0, 1.0])
    (turned,), step, near = bounds.inwards([d], 0.25)
    assert near
    np.testing.assert_array_equal(turned, [1.0, -1.0, -1.0])
    for distance in (step, step / 2):
        moved = theta + distance * turned
        assert ((moved >= 0) & (moved <= 1)).all()


def test_the_step_shrinks_where_a_parameter_has_little_room():
    (_,), step, _ = Bounds(np.array([0.0, 0.0]), (np.zeros(2), np.array([1.0, 1e-3]))).inwards(
        [np.ones(2)], 0.5
    )
    assert step == pytest.approx(0.99e-3)


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        ((0.0,), ValueError, "bounds is (0.0,); expected two: (low, high)"),
        (3.0, ValueError, "bounds is 3.0; expected two"),
        (("0", 1.0), TypeError, "bounds[0] is '0'; expected a number, or a tree like theta"),
        ((0.0, {"a": np.ones(3)}), ValueError, "bounds[1] is not built like theta"),
        (
            ({"a": np.zeros(2), "b": np.array(0.0)}, 3.0),
            ValueError,
            "bounds[0]['a'] has shape (2,); expected (3,), the shape of theta['a']",
        ),
        ((0.2, 3.0), ValueError, "theta['a'][0] is 0.0 with bounds 0.2 and 3.0; expected a"),
        ((0.0, 1.5), ValueError, "theta['b'] is 2.0 with bounds 0.0 and 1.5"),
        ((np.nan, 3.0), ValueError, "theta['a'][0] is 0.0 with bounds nan and 3.0"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(bounds, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Bounds(THETA, bounds)


def free(theta, *options):
    return [mask.tolist() for mask in Bounds(theta, *options).free]


def test_equal_bounds_hold_a_number_fixed():
    low = {"a": np.array([0.0, 0.0, 1.0]), "b": np.array(2.0)}
    high = {"a": np.array([1.0, 1.0, 1.0]), "b": np.array(2.0)}
    assert free(THETA, (low, high)) == [[True, True, False], False]


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (None, [[True] * 3, True]),
        (lambda path: path == "['b']", [[True] * 3, False]),
        (lambda path: True, [[False] * 3, False]),
        ({"a": True, "b": False}, [[False] * 3, True]),
        ({"a": np.array([True, False, True]), "b": np.bool_(True)}, [[False, True, False], False]),
    ],
)
def test_parameters_are_held_fixed_by_path_or_by_tree(frozen, expected):
    assert free(THETA, (-np.inf, np.inf), frozen) == expected


@pytest.mark.parametrize(
    ("frozen", "error", "message"),
    [
        (lambda path: 1, TypeError, "frozen(\"['a']\") is 1; expected True or False"),
        (lambda path, leaf: True, TypeError, "frozen takes (path, leaf); expected a function of path"),
        ({"a": "no", "b": False}, TypeError, "frozen['a'] is 'no'; expected True or False"),
        ({"a": True}, ValueError, "frozen is not built like theta; expected a bool for every leaf"),
        (
            {"a": np.ones(2, bool), "b": False},
            ValueError,
            "frozen['a'] has shape (2,); expected (3,), the shape of theta['a']",
        ),
    ],
)
def test_what_does_not_say_which_parameters_are_fixed_is_refused(frozen, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Bounds(THETA, (-np.inf, np.inf), frozen)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bounds": [(-5, 5)] * 3}, "of pairs: tuple(np.transpose(pairs))"),
        ({"bounds": None}, "with -np.inf or np.inf where there is none"),
        ({"bounds": (None, 3.0)}, "bounds[0] is None"),
        ({"bounds": (5.0, -5.0)}, "expected (low, high), the lower first"),
        ({"frozen": lambda path: "W9" in path}, "frozen is False for every leaf"),
        ({"frozen": ["a"]}, "or a function of its path, such as \"['a']\""),
    ],
)
def test_bounds_and_frozen_leaves_as_others_write_them(options, words):
    theta = {"a": np.ones(2), "b": np.zeros(1)}
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        check_gradient(lambda t: (t["a"] ** 2).sum() + t["b"][0], lambda t: t, theta, **options)
