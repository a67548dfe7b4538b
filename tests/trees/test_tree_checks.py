"""What may stand in a tree, and what is said of what may not."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from support import unchanged
from tree_cases import PROPERTY, VIEWS, Affine, example, trees

from optimlib import SGD
from optimlib.trees import (
    NonFiniteError,
    check_dtype,
    check_finite,
    check_parameters,
    children,
    copy_tree,
    cut,
    flatten,
    match,
    match_some,
)

FLOATS = (np.float32, np.float64)


# What may hold parameters


def test_parameters_come_back_as_they_are():
    tree = example()
    with unchanged(tree):
        found = check_parameters(tree)
    assert [path for path, _ in found] == [path for path, _ in flatten(tree)]
    assert all(a is b for (_, a), (_, b) in zip(found, flatten(tree), strict=True))


def read_only() -> np.ndarray:
    w = np.ones(2)
    w.flags.writeable = False
    return w


@pytest.mark.parametrize(
    ("leaf", "error", "message"),
    [
        (np.array([1, 2]), TypeError, " has dtype int64; expected float32 or float64"),
        (np.array([True]), TypeError, " has dtype bool; expected float32 or float64"),
        (np.ones(2, dtype=np.float16), TypeError, " has dtype float16; expected float32 or float64"),
        (np.ones(2, dtype=complex), TypeError, " has dtype complex128; expected float32 or float64"),
        (np.ones(2, dtype=object), TypeError, " has dtype object; expected float32 or float64"),
        (np.ones(2, dtype=">f8").astype(">f8"), TypeError, " has dtype >f8; expected"),
        (0.5, TypeError, " is 0.5 of type float; expected a NumPy array (for a single number, np"),
        (np.float64(0.5), TypeError, " is np.float64(0.5) of type float64; expected a NumPy array"),
        (None, TypeError, " is None of type NoneType; expected a NumPy array"),
        ("W", TypeError, " is 'W' of type str; expected a NumPy array"),
        (read_only(), ValueError, " is read-only; expected an array that can be updated"),
        (np.broadcast_to(1.0, 3), ValueError, " is read-only; expected an array that can be updated"),
        (np.array([1, np.nan]), ValueError, "[1] is nan; expected finite numbers"),
        (np.array(-np.inf), ValueError, " is -inf; expected finite numbers"),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_what_cannot_be_a_parameter_is_refused_by_place(leaf, error, message):
    tree = {"fine": np.ones(2), "layers": [np.ones(1), leaf]}
    place = "params['layers'][1]"
    arrays = [leaf] if isinstance(leaf, np.ndarray) and leaf.dtype != object else []
    with unchanged(tree["fine"], *arrays), pytest.raises(error, match=re.escape(place + message)):
        check_parameters(tree)


@pytest.mark.parametrize("empty", [{}, [], (), {"layers": [(), {}]}], ids=repr)
def test_a_tree_without_arrays_holds_no_parameters(empty):
    message = f"theta is {empty!r}; expected at least one array in it"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_parameters(empty, "theta")


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, object, np.float16, np.complex64, "M8[s]", "U3"])
def test_only_two_dtypes_are_numbers_to_optimize(dtype):
    array = np.zeros(1, dtype=dtype)
    message = rf"grads\['W'\] has dtype {re.escape(str(array.dtype))}; expected float32 or float64"
    with pytest.raises(TypeError, match=message):
        check_dtype(array, "grads['W']")


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.arange(3), "(use .astype(np.float64))"),
        (np.ones(3, bool), "(use .astype(np.float64))"),
        (np.ones(3, np.float16), "(use .astype(np.float64))"),
        (np.ones(3, ">f4"), "(use .astype(np.float64))"),
        (np.array([1.0, 2], dtype=object), "(use .astype(np.float64))"),
        (np.ones(3, complex), "(split it into two arrays, .real and .imag)"),
        (np.ones(3, np.complex64), "(split it into two arrays, .real and .imag)"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_a_dtype_is_refused_with_its_remedy_and_the_remedy_helps(array, remedy):
    with pytest.raises(TypeError, match=re.escape(f"expected float32 or float64 {remedy}") + "$"):
        check_parameters({"W": array})
    helped = [array.real.copy(), array.imag.copy()] if "split" in remedy else [array.astype(np.float64)]
    assert check_parameters(helped)


def test_a_gradient_of_another_precision_is_refused_with_its_remedy():
    for received, expected in ((np.float64, np.float32), (np.float32, np.float64), (int, np.float32)):
        g, theta = {"w": np.ones(2, received)}, {"w": np.ones(2, expected)}
        with pytest.raises(TypeError, match=re.escape(f"(use .astype(np.{expected.__name__}))") + "$"):
            match(g, theta, "grads", "params")


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ([0.5, 0.25], "theta is a list of numbers"),
        ({"w": [1, 2, 3]}, "theta['w'] is a list of numbers"),
        (
            {"w": np.ones(2), "layers": [{"b": (0.0, 1.0)}]},
            "theta['layers'][0]['b'] is a tuple of numbers",
        ),
        ([[1.0, 2.0], [3.0, 4.0]], "theta[0] is a list of numbers"),
    ],
)
def test_a_list_of_numbers_is_not_an_array_and_told_so(tree, place):
    with pytest.raises(TypeError, match=re.escape(f"{place}; expected a NumPy array (use np.array)")):
        check_parameters(tree, "theta")


def test_parameters_that_are_only_read_may_be_read_only():
    w = read_only()
    for theta in (w, {"w": w}, [np.broadcast_to(1.0, (3, 2)), np.ones(1)]):
        with pytest.raises(ValueError, match=r"is read-only; expected an array that can be updated"):
            check_parameters(theta)
        assert len(check_parameters(theta, updated=False)) == len(flatten(theta))
    with pytest.raises(ValueError, match="share memory"):
        check_parameters([w, w], updated=False)
    with pytest.raises(NonFiniteError, match="theta is nan"):
        check_parameters(np.broadcast_to(np.nan, ()), "theta", updated=False)


class Big:
    def __repr__(self):
        return "Big(\n" + "x" * 10_000 + ")"


@pytest.mark.parametrize("leaf", [Big(), "text " * 1000, {1, 2, *range(2000)}, range(5)], ids=type)
def test_a_leaf_that_is_no_array_makes_a_short_message(leaf):
    with pytest.raises(
        TypeError, match=r"theta\['w'\] is .* of type \w+; expected a NumPy array"
    ) as caught:
        check_parameters({"w": leaf}, "theta")
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


# Gradients that fit their parameters


def test_a_copy_matches_leaf_by_leaf():
    tree = example()
    with unchanged(tree):
        matched = match(copy_tree(tree), tree, "grads", "params")
    assert all(np.array_equal(a, b) for a, (_, b) in zip(matched, flatten(tree), strict=True))


def test_leaves_come_in_the_order_of_the_reference():
    reference = {"W": np.zeros(2), "b": np.zeros(1)}
    matched = match({"b": np.array([3.0]), "W": np.array([1.0, 2.0])}, reference, "grads", "params")
    assert [leaf.tolist() for leaf in matched] == [[1.0, 2.0], [3.0]]


def test_lists_and_tuples_stand_for_each_other():
    pair = np.ones(1), np.ones(2)
    for tree in (list(pair), pair, Affine(*pair)):
        for reference in (list(pair), pair, Affine(*pair)):
            assert match(tree, reference, "grads", "params")[1] is pair[1]


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        *((number, dtype) for number in (0.25, 0, -3, Fraction(1, 4)) for dtype in FLOATS),
        *((kind(0.25), dtype) for kind in FLOATS for dtype in FLOATS),
        (10**300, np.float64),
    ],
    ids=repr,
)
def test_a_number_stands_for_an_array_without_dimensions(number, dtype):
    (leaf,) = match(number, np.zeros((), dtype=dtype), "grads", "params")
    assert leaf.shape == ()
    assert leaf.dtype == dtype
    assert leaf[()] == number


@pytest.mark.parametrize("number", [1e300, np.float64(-1e39), math.inf, math.nan])
def test_a_number_too_large_for_float32_is_refused_as_infinite(number):
    with pytest.raises(NonFiniteError, match=r"grads\['c'\] is (-?inf|nan); expected finite numbers"):
        match({"c": number}, {"c": np.zeros((), np.float32)}, "grads", "params")


def test_a_number_steps_a_parameter_without_dimensions():
    theta = np.array(2.0)
    SGD(theta, learning_rate=0.5).step(3.0)
    assert theta == 0.5


REFERENCE = {"W": np.zeros((2, 3)), "layers": [np.zeros(2, np.float32), np.zeros(())]}
FITTING = {"W": np.ones((2, 3)), "layers": [np.ones(2, np.float32), np.ones(())]}
PAIR = FITTING["layers"]
MISFITS = {
    "transposed": (
        {"W": np.ones((3, 2))},
        ValueError,
        "grads['W'] has shape (3, 2); expected (2, 3), the shape of params['W']",
    ),
    "flat": ({"W": np.ones(6)}, ValueError, "grads['W'] has shape (6,); expected (2, 3)"),
    "a number": ({"W": 0.0}, ValueError, "grads['W'] has shape (); expected (2, 3)"),
    "of integers": (
        {"W": np.ones((2, 3), int)},
        TypeError,
        "grads['W'] has dtype int64; expected float64, the dtype of params['W']",
    ),
    "float32 for float64": (
        {"W": np.ones((2, 3), np.float32)},
        TypeError,
        "grads['W'] has dtype float32; expected float64",
    ),
    "float64 for float32": (
        {"layers": [np.ones(2), np.ones(())]},
        TypeError,
        "grads['layers'][0] has dtype float64; expected float32",
    ),
    "of objects": (
        {"W": np.ones((2, 3), object)},
        TypeError,
        "grads['W'] has dtype object; expected float64",
    ),
    "None": (
        {"W": None},
        TypeError,
        "grads['W'] is None; expected an array like params['W'] (zeros where nothing depends on it)",
    ),
    "None in a list": ({"layers": [None, PAIR[1]]}, TypeError, "grads['layers'][0] is None; expected"),
    "None for a list": ({"layers": None}, ValueError, "grads['layers'] is a NoneType; expected a list"),
    "a list": ({"W": [1.0]}, ValueError, "grads['W'] is a list; expected an array like params['W']"),
    "a dict": ({"W": {}}, ValueError, "grads['W'] is a dict; expected an array like params['W']"),
    "with NaN": (
        {"W": np.array([[1, 1, 1], [1, np.nan, 1]])},
        ValueError,
        "grads['W'][1, 1] is nan; expected finite numbers",
    ),
    "with infinity": (
        {"layers": [PAIR[0], -np.inf]},
        ValueError,
        "grads['layers'][1] is -inf; expected finite numbers",
    ),
    "with a key more": (
        {"b": np.ones(1)},
        ValueError,
        "grads is not built like params: missing keys [], unexpected keys ['b']",
    ),
    "too short": (
        {"layers": PAIR[:1]},
        ValueError,
        "['layers'] is not built like params['layers']: missing keys [1], unexpected keys []",
    ),
    "too long": ({"layers": [*PAIR, 1.0]}, ValueError, "missing keys [], unexpected keys [2]"),
    "an array of integers for a number": (
        {"layers": [PAIR[0], np.array(1)]},
        TypeError,
        "grads['layers'][1] has dtype int64; expected float64",
    ),
    "a truth value for a number": (
        {"layers": [PAIR[0], True]},
        TypeError,
        "grads['layers'][1] has dtype bool; expected float64",
    ),
    "a complex number": (
        {"layers": [PAIR[0], 1j]},
        TypeError,
        "grads['layers'][1] has dtype complex128; expected float64",
    ),
    "a number for one element": (
        {"layers": [1.0, PAIR[1]]},
        TypeError,
        "has dtype float64; expected float32",
    ),
    "one element for a number": (
        {"layers": [PAIR[0], np.ones(1)]},
        ValueError,
        "grads['layers'][1] has shape (1,); expected ()",
    ),
    "a dict for a list": (
        {"layers": dict(enumerate(PAIR))},
        ValueError,
        "grads['layers'] is a dict; expected a list like params['layers']",
    ),
    "an array for a list": (
        {"layers": np.ones(2)},
        ValueError,
        "grads['layers'] is a ndarray; expected a list like params['layers']",
    ),
}


@pytest.mark.parametrize(("change", "error", "message"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_refused_by_place(change, error, message):
    tree = FITTING | change
    arrays = [leaf for leaf in change.values() if isinstance(leaf, np.ndarray) and leaf.dtype != object]
    with unchanged(REFERENCE, FITTING, arrays), pytest.raises(error, match=re.escape(message)):
        match(tree, REFERENCE, "grads", "params")


def test_what_the_table_above_changes_did_fit():
    assert len(match(FITTING, REFERENCE, "grads", "params")) == 3


def test_missing_and_unexpected_keys_are_named_together():
    message = "grads['a'] is not built like params['a']: missing keys ['W', 1], unexpected keys ['w']"
    reference = {"a": {"W": np.ones(1), 1: np.ones(1), "b": np.ones(1)}}
    with pytest.raises(ValueError, match=re.escape(message)):
        match({"a": {"w": np.ones(1), "b": np.ones(1)}}, reference, "grads", "params")


@pytest.mark.parametrize(
    "rename",
    [
        lambda tree: {f"d{key}": leaf for key, leaf in tree.items()},
        lambda tree: {key.upper(): leaf for key, leaf in tree.items()},
        lambda tree: {"a key that is " + "very " * 200 + "long": np.ones(1)},
        lambda tree: {},
    ],
    ids=["prefixed", "in capitals", "long", "none"],
)
def test_hundreds_of_renamed_arrays_make_a_short_message(rename):
    reference = {f"layer{i}": np.ones(1) for i in range(600)}
    with pytest.raises(ValueError, match=r"missing keys .*'layer0'.* and 596 more") as caught:
        match(rename(reference), reference, "grads", "params")
    assert len(str(caught.value)) < 600


def test_a_list_does_not_stand_for_a_dict():
    message = "grads is a list; expected a dict like params"
    with pytest.raises(ValueError, match=message):
        match([np.ones(1)], {0: np.ones(1)}, "grads", "params")


@PROPERTY
@given(trees, trees)
def test_trees_match_if_and_only_if_their_paths_and_shapes_do(tree, reference):
    def shape_of(node):
        below = children(node)
        if below is None:
            return node.shape
        kind = "dict" if isinstance(node, dict) else "sequence"
        return kind, {key: shape_of(subtree) for key, subtree in below}

    if shape_of(tree) == shape_of(reference):
        assert len(match(tree, reference, "a", "b")) == len(flatten(reference))
    else:
        with pytest.raises(ValueError, match=r"; expected|is not built like"):
            match(tree, reference, "a", "b")


# Gradients that are not all there


def test_none_stands_for_a_gradient_that_is_not_there():
    theta = {"W": np.ones(2), "layers": [np.ones(1), np.ones(3)], "b": np.ones(())}
    grads = {"W": None, "layers": [np.zeros(1), None], "b": 2.0}
    found = match_some(grads, theta, "grads", "params")
    assert [leaf if leaf is None else leaf.shape for leaf in found] == [None, (1,), None, ()]
    assert match_some(grads | {"layers": None}, theta, "grads", "params")[1:3] == [None, None]
    assert match_some(None, theta, "grads", "params") == [None] * 4


def test_what_is_ignored_may_be_anything_or_absent():
    theta = {"emb": {"E": np.ones(2), "b": np.ones(1)}, "w": np.ones(2)}
    ignored = ["['emb']['E']", "['emb']['b']"]
    for emb in ({}, None, {"E": "?", "b": [1]}, {"E": np.ones(9, int)}, {"b": np.array([np.nan])}):
        found = match_some({"emb": emb, "w": np.ones(2)}, theta, "grads", "params", ignored)
        assert [leaf is None for leaf in found] == [True, True, False]
    assert match_some({"w": np.ones(2)}, theta, "grads", "params", ignored)[:2] == [None, None]


@pytest.mark.parametrize(
    ("grads", "message"),
    [
        (
            {"emb": {}, "w": np.ones(2)},
            "grads['emb'] is not built like params['emb']: missing keys ['b']",
        ),
        ({"w": np.ones(2)}, "grads is not built like params: missing keys ['emb']"),
        (
            {"emb": None},
            "unexpected keys [] (where an array has no gradient, put None, or use frozen=)",
        ),
        ({"emb": None, "w": np.ones(3)}, "grads['w'] has shape (3,); expected (2,)"),
        ({"emb": None, "w": np.array([1, np.nan])}, "grads['w'][1] is nan; expected finite numbers"),
        ({"emb": None, "w": None, "v": None}, "missing keys [], unexpected keys ['v']"),
    ],
)
def test_the_rest_still_has_to_fit(grads, message):
    theta = {"emb": {"E": np.ones(2), "b": np.ones(1)}, "w": np.ones(2)}
    with pytest.raises(ValueError, match=re.escape(message)):
        match_some(grads, theta, "grads", "params", ignored=["['emb']['E']"])


# NaN and infinity


def test_what_is_not_finite_has_an_error_class_of_its_own():
    """So that whoever skips such a batch does not also skip a wrong shape."""
    theta = {"w": np.ones(2)}
    bad = {"w": np.array([0.0, np.inf])}
    for call in (
        lambda: check_finite(bad["w"], "x"),
        lambda: check_parameters(bad),
        lambda: match(bad, theta, "grads", "params"),
        lambda: match_some(bad, theta, "grads", "params"),
        lambda: SGD(theta, 0.1).step(bad),
    ):
        with pytest.raises(NonFiniteError, match="is inf; expected finite numbers"):
            call()
    with pytest.raises(ValueError, match="has shape") as caught:
        match({"w": np.ones(3)}, theta, "grads", "params")
    assert not isinstance(caught.value, NonFiniteError)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [(0, 0), (123, 45), (799, 499)])
def test_one_bad_number_is_found_wherever_it_is(value, dtype, index):
    array = np.ones((800, 500), dtype=dtype)
    assert len(cut(array)) > 2
    array[index] = value
    message = f"x[{index[0]}, {index[1]}] is {value}; expected finite numbers"
    with unchanged(array), pytest.raises(ValueError, match=re.escape(message)):
        check_finite(array, "x")


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
def test_one_bad_number_is_found_in_arrays_of_any_length(size):
    for index in range(size):
        for value in (np.nan, np.inf, -np.inf):
            array = np.zeros(size)
            array[index] = value
            with pytest.raises(ValueError, match=re.escape(f"x[{index}] is {value};")):
                check_finite(array, "x")


def test_infinities_that_meet_are_found():
    """Whatever they are multiplied by, and even if their products cancel: the sum is not finite."""
    for array in ([np.inf, 0.0], [np.inf, np.inf, -np.inf, np.inf], [0.0, np.nan]):
        with pytest.raises(ValueError, match="expected finite numbers"):
            check_finite(np.array(array), "x")


def test_the_first_of_many_bad_numbers_is_named():
    array = np.array([[0.0, 1.0], [np.inf, np.nan], [-np.inf, 0.0]])
    with pytest.raises(ValueError, match=re.escape("x[1, 0] is inf;")):
        check_finite(array, "x")


@pytest.mark.parametrize(
    "array",
    [
        np.full(100_000, 1e30, dtype=np.float32),
        np.full(100_000, -1e200),
        np.array([np.finfo(np.float64).max, -np.finfo(np.float64).max]),
        np.array(1e300),
        np.array([5e-324, -0.0]),
        np.zeros((0, 3)),
    ],
    ids=["float32", "float64", "largest", "one", "smallest", "none"],
)
def test_finite_numbers_are_finite_even_if_their_squares_are_not(array):
    with unchanged(array):
        check_finite(array, "x")


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_are_checked_where_they_are_and_only_there(view):
    inside = view(np.arange(6000))
    for position in (0, 11, 21, 7, 57, 1999):  # some of them in the view, some outside
        array = np.ones(6000)
        array[position] = np.nan
        if position in inside:
            first = ", ".join(map(str, np.argwhere(inside == position)[0]))
            with pytest.raises(ValueError, match=re.escape(f"x[{first}] is nan")):
                check_finite(view(array), "x")
        else:
            check_finite(view(array), "x")


@pytest.mark.parametrize("place", ["", "['W']", "['W'][1]"])
def test_an_array_of_none_is_named(place):
    trees_of = {
        "": lambda x: x,
        "['W']": lambda x: {"W": x},
        "['W'][1]": lambda x: {"W": [np.ones(2), x]},
    }
    make = trees_of[place]
    with pytest.raises(
        TypeError, match=re.escape(f"grads{place} is an array of None; expected an array")
    ):
        match(make(np.array(None)), make(np.ones(2)), "grads", "params")
