"""A choice for every leaf, by a tree or by a function of the path; errors name the argument."""

import re

import numpy as np
import pytest
from hypothesis import given
from tree_cases import PROPERTY, trees

from optimlib.arguments import flag, hyperparameter
from optimlib.trees import flatten, map_tree, per_leaf

THETA = {"W": np.ones((2, 2)), "layers": [{"b": np.zeros(2)}, (np.ones(1),)]}


def test_a_tree_and_a_function_of_the_path_by_hand():
    tree = {"layers": ({"b": False}, [True]), "W": True}
    assert per_leaf(tree, THETA, "mask", flag) == [True, False, True]
    assert per_leaf(lambda path: "['b']" not in path, THETA, "mask", flag) == [True, False, True]
    rates = {"['W']": 1, "['layers'][0]['b']": 0.5, "['layers'][1][0]": 2.0}
    assert per_leaf(rates.get, THETA, "rates", hyperparameter) == [1.0, 0.5, 2.0]
    assert per_leaf(lambda path: path == "", np.ones(2), "frozen", flag) == [True]
    assert per_leaf(True, np.ones(2), "frozen", flag) == [True]


@PROPERTY
@given(trees)
def test_a_function_is_asked_for_every_path_in_order(tree):
    paths = [path for path, _ in flatten(tree)]
    assert per_leaf(lambda path: path, tree, "names", lambda place, value: value) == paths
    numbers = iter(range(len(paths)))
    numbered = map_tree(lambda _: next(numbers), tree)
    assert per_leaf(numbered, tree, "numbers", lambda place, value: value) == list(range(len(paths)))


@pytest.mark.parametrize(
    ("choice", "kind", "error", "message"),
    [
        (
            {"W": True},
            flag,
            ValueError,
            "mask is not built like params: missing [\"['layers'][0]['b']\",",
        ),
        (True, flag, ValueError, "mask is True; expected a tree like params, or a function of the path"),
        (
            {"W": 1, "layers": [{"b": False}, [True]]},
            flag,
            TypeError,
            "mask['W'] is 1; expected True or False",
        ),
        (
            lambda path, leaf: True,
            flag,
            TypeError,
            "mask takes (path, leaf); expected a function of one argument, the path of an array",
        ),
        (dict, flag, TypeError, "mask is the class dict; expected one made, as by dict(...)"),
        (lambda path: None, flag, TypeError, "mask(\"['W']\") is None; expected True or False"),
        (
            lambda path: -0.5 if "b" in path else 1,
            hyperparameter,
            ValueError,
            "mask(\"['layers'][0]['b']\") is -0.5; expected 0.0 <=",
        ),
        (
            {"W": np.ones((2, 2), bool), "layers": [{"b": False}, [True]]},
            flag,
            TypeError,
            "mask['W'] is an array of shape (2, 2); expected one value for the whole array",
        ),
    ],
)
def test_errors_name_the_argument_and_the_place(choice, kind, error, message):
    with pytest.raises(error, match=re.escape(message)):
        per_leaf(choice, THETA, "mask", kind)


def test_a_choice_for_hundreds_of_other_leaves_makes_a_short_message():
    theta, other = ({f"{name}{i}": np.ones(1) for i in range(600)} for name in "wv")
    with pytest.raises(ValueError, match=r"frozen is not built like theta: .* and 596 more") as caught:
        per_leaf(other, theta, "frozen", flag, "theta")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("choice", ["W", True, 0.5, {"W"}, np.bool_(True), np.array(True)])
def test_one_value_for_many_arrays_is_told_what_a_choice_is(choice):
    with pytest.raises(ValueError, match=r"^frozen is .*; expected a tree like params, or a function"):
        per_leaf(choice, THETA, "frozen", flag)
