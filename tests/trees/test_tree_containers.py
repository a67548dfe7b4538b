"""Containers: their paths, and the containers that are made like them."""

import collections
import re

import numpy as np
import pytest
from hypothesis import given
from support import same, unchanged
from tree_cases import PROPERTY, Affine, example, trees

from optimlib.trees import children, copy_tree, flatten, format_index, leaves, map_tree

# Paths and structure


def test_paths_of_an_example():
    assert [path for path, _ in flatten(example())] == [
        "['out'][0]",
        "['out'][1]",
        "['layers'][0]",
        "['layers'][1][0]",
        "['a \"quoted\" key'][3]",
        "['a \"quoted\" key'][('x', 1)]",
    ]


@PROPERTY
@given(trees)
def test_a_path_is_the_python_expression_of_its_leaf(tree):
    found = flatten(tree)
    assert all(eval(f"tree{path}", {"tree": tree}) is leaf for path, leaf in found)
    assert len({path for path, _ in found}) == len(found)


@PROPERTY
@given(trees)
def test_leaves_are_those_of_the_paths_in_their_order(tree):
    found = leaves(tree)
    assert len(found) == len(flatten(tree))
    assert all(leaf is other for leaf, (_, other) in zip(found, flatten(tree), strict=True))


def test_a_bare_array_has_the_empty_path():
    w = np.ones(2)
    ((path, leaf),) = flatten(w)
    assert path == ""
    assert leaf is w


def test_paths_start_with_the_path_of_the_tree():
    assert [path for path, _ in flatten([1.0, 2.0], "['a']")] == ["['a'][0]", "['a'][1]"]


@pytest.mark.parametrize("leaf", [np.ones(2), 1.0, None, "text", {1, 2}], ids=repr)
def test_anything_but_dict_list_and_tuple_is_a_leaf(leaf):
    assert children(leaf) is None


@pytest.mark.parametrize("empty", [{}, [], ()], ids=repr)
def test_an_empty_container_has_no_leaves(empty):
    assert children(empty) == []
    assert flatten(empty) == []


@PROPERTY
@given(trees)
def test_map_keeps_the_structure_and_visits_the_leaves_in_order(tree):
    seen = []

    def number(leaf):
        seen.append(leaf)
        return np.array(len(seen))

    mapped = map_tree(number, tree)
    assert [path for path, _ in flatten(mapped)] == [path for path, _ in flatten(tree)]
    assert [int(leaf) for _, leaf in flatten(mapped)] == list(range(1, len(seen) + 1))
    assert all(a is b for a, (_, b) in zip(seen, flatten(tree), strict=True))
    assert same(map_tree(np.copy, tree), tree)


def test_map_makes_a_namedtuple_of_a_namedtuple():
    mapped = map_tree(lambda leaf: leaf.ndim, example())
    assert mapped["out"] == Affine(W=2, b=1)
    assert isinstance(mapped["out"], Affine)


def test_a_copy_is_equal_and_independent():
    tree = example()
    copy = copy_tree(tree)
    assert same(copy, tree)
    with unchanged(tree):
        for _, leaf in flatten(copy):
            leaf[...] = -1
    assert not any(
        np.shares_memory(a, b) for (_, a), (_, b) in zip(flatten(copy), flatten(tree), strict=True)
    )


@pytest.mark.parametrize(
    ("index", "written"),
    [((), ""), ((0,), "[0]"), ((3, 2), "[3, 2]"), ((1, 0, 4), "[1, 0, 4]")],
)
def test_an_index_is_written_as_in_python(index, written):
    assert format_index(index) == written


# Containers of derived classes


class Attributes(dict):
    """Entries that are attributes, as course notebooks and configuration packages have them."""

    def __init__(self, *arguments, **entries):
        super().__init__(*arguments, **entries)
        self.__dict__ = self


class Getattr(dict):
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __setattr__ = dict.__setitem__


class Layer(dict):
    """A dict with an attribute beside its entries."""

    def __init__(self, activation, **entries):
        super().__init__(**entries)
        self.activation = activation


class Stack(list):
    pass


DERIVED = {
    "OrderedDict": collections.OrderedDict(W=np.ones(2), b=np.zeros(1)),
    "defaultdict": collections.defaultdict(list, W=np.ones(2), b=np.zeros(1)),
    "attributes that are entries": Attributes(W=np.ones(2), b=np.zeros(1)),
    "attributes looked up": Getattr(W=np.ones(2), b=np.zeros(1)),
    "attributes beside entries": Layer("relu", W=np.ones(2), b=np.zeros(1)),
    "list": Stack([np.ones(2), np.zeros(1)]),
    "namedtuple": Affine(np.ones(2), np.zeros(1)),
    "nested": {"layers": [collections.OrderedDict(b=Attributes(c=np.ones(1)))]},
}


@pytest.mark.parametrize("tree", DERIVED.values(), ids=DERIVED)
def test_a_container_of_a_derived_class_stays_one(tree):
    with unchanged(tree):
        doubled = map_tree(lambda leaf: 2 * leaf, tree)
        assert type(doubled) is type(tree)
        assert same(copy_tree(tree), tree)
        assert all(
            path == path_before and np.array_equal(leaf, 2 * before)
            for (path, leaf), (path_before, before) in zip(flatten(doubled), flatten(tree), strict=True)
        )


def test_what_else_a_derived_class_has_is_kept():
    made = map_tree(np.negative, DERIVED["defaultdict"])
    assert made["new"] == []
    assert "new" not in DERIVED["defaultdict"]
    for name in ("attributes that are entries", "attributes looked up", "attributes beside entries"):
        made = map_tree(np.negative, DERIVED[name])
        np.testing.assert_array_equal(made["W"], [-1, -1])
        if name != "attributes beside entries":
            assert made.W is made["W"]
            assert DERIVED[name].W is DERIVED[name]["W"]
    assert made.activation == "relu"


class Frozen(dict):
    def __setitem__(self, key, value):
        raise TypeError("frozen")


class Upper(dict):
    def __setitem__(self, key, value):
        super().__setitem__(key.upper(), value)


class Twice(dict):
    """Whose attribute would go on holding the old array."""

    def __init__(self, W):
        super().__init__(W=W)
        self.weights = W


class Pair(tuple):
    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))


@pytest.mark.parametrize(
    "tree",
    [Frozen(W=np.ones(2)), Upper(w=np.ones(2)), Twice(np.ones(2)), Pair(np.ones(1), np.ones(2))],
    ids=type,
)
def test_a_container_that_cannot_be_built_anew_is_refused_by_name(tree):
    message = f"a {type(tree).__name__} at ['net'], which cannot be built anew with other entries;"
    with unchanged(tree), pytest.raises(TypeError, match=re.escape(message)):
        copy_tree({"net": tree})


# Several trees


def test_a_function_of_several_trees_by_hand():
    a, b = {"x": 1, "y": (2, 3)}, {"y": [20, 30], "x": 10}
    assert map_tree(lambda p, q: p - q, a, b) == {"x": -9, "y": (-18, -27)}
    assert map_tree(lambda p, q: p - q, b, a) == {"y": [18, 27], "x": 9}
    assert map_tree(max, [1, 5], [4, 2], [3, 3]) == [4, 5]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            [{"x": 1}],
            "tree 2 is not built like tree 1 at its root: missing keys ['y'], unexpected keys []",
        ),
        ([{"x": 1, "y": [1]}], "tree 2 is not built like tree 1 at ['y']: missing keys [1]"),
        ([{"x": 1, "y": [1, 2]}, {"x": 1, "y": 2}], "tree 3 has a int at ['y']; expected a list, as in"),
        ([{"x": [1], "y": [1, 2]}], "tree 2 has a list at ['x']; expected a leaf, as in tree 1"),
        ([[1, 2]], "tree 2 has a list at its root; expected a dict, as in tree 1"),
    ],
)
def test_trees_that_are_not_built_alike_are_refused_by_number_and_place(others, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        map_tree(lambda *leaves: leaves, {"x": 0, "y": [0, 0]}, *others)
