"""Parameter trees: their paths, what may stand in them, and what is said of what may not."""

import re
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import same, unchanged

from optimlib.trees import (
    BLOCK_BYTES,
    Memory,
    check_dtype,
    check_finite,
    check_no_shared_memory,
    check_parameters,
    children,
    copy_tree,
    cut,
    flat,
    flatten,
    format_index,
    map_tree,
    match,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)


class Affine(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def example() -> dict:
    """A tree with every kind of container, of key and of leaf; the keys are not in sorted order."""
    return {
        "out": Affine(W=np.ones((2, 3)), b=np.zeros(3, dtype=np.float32)),
        "layers": [np.arange(2.0), (np.array(0.5), {})],
        'a "quoted" key': {3: np.full((1, 1), 7.0), ("x", 1): np.linspace(0, 1, 4)},
    }


leaves = st.integers(0, 3).map(lambda n: np.full(n, float(n)))
keys = st.one_of(st.text(max_size=3), st.integers(-3, 3))
trees = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.lists(below, max_size=3).map(tuple),
        st.dictionaries(keys, below, max_size=3),
        st.builds(Affine, below, below),
    ),
    max_leaves=8,
)


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
    [(0.25, np.float64), (np.float64(0.25), np.float64), (np.float32(0.25), np.float32)],
    ids=repr,
)
def test_a_number_stands_for_an_array_without_dimensions(number, dtype):
    (leaf,) = match(number, np.zeros((), dtype=dtype), "grads", "params")
    assert leaf.shape == ()
    assert leaf.dtype == dtype
    assert leaf[()] == number


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
    "None": ({"W": None}, TypeError, "grads['W'] has dtype object; expected float64"),
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
    "an integer for a number": (
        {"layers": [PAIR[0], 1]},
        TypeError,
        "grads['layers'][1] has dtype int64; expected float64",
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


# NaN and infinity


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


VIEWS = {
    "every third": lambda a: a[::3],
    "backwards": lambda a: a[::-1],
    "transposed": lambda a: a[: 40 * 50].reshape(40, 50).T,
    "a column": lambda a: a[: 40 * 50].reshape(40, 50)[:, 7],
    "repeated": lambda a: np.broadcast_to(a[:10], (5, 10)),
}


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


# Blocks


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_flat_elements_come_in_the_order_of_the_index(view):
    array = view(np.arange(6000.0))
    assert list(flat(array)[: array.size]) == [array[index] for index in np.ndindex(array.shape)]


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_written_to_flat_elements_is_in_the_array(shape, order):
    array = np.zeros(shape, order=order)
    flat(array)[0 : array.size] = np.arange(array.size)
    assert [array[index] for index in np.ndindex(shape)] == list(range(array.size))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 20_479, 20_480, 20_481, 40_960, 40_961, 100_000])
def test_blocks_cover_every_element_once_and_are_small(dtype, count):
    array = np.zeros(count, dtype=dtype)
    blocks = cut(array)
    assert [i for block in blocks for i in range(count)[block]] == list(range(count))
    assert all(array[block].nbytes <= BLOCK_BYTES for block in blocks)
    assert len(blocks) == max(1, -(-array.nbytes // BLOCK_BYTES))


# Shared memory


def shared(*arrays: np.ndarray) -> bool:
    """Whether the arrays are refused; the message must name two of them."""
    pairs = [(f"[{i}]", array) for i, array in enumerate(arrays)]
    try:
        check_no_shared_memory(pairs, "theta")
    except ValueError as error:
        found = re.fullmatch(
            r"theta\[(\d)\] and theta\[(\d)\] share memory; expected separate arrays .use .copy\(\).",
            str(error),
        )
        assert found
        assert np.shares_memory(arrays[int(found[1])], arrays[int(found[2])])
        assert found[1] != found[2]
        return True
    return False


stretches = st.tuples(st.integers(0, 19), st.integers(0, 20), st.integers(1, 4))


@PROPERTY
@given(st.lists(stretches, min_size=2, max_size=4))
def test_arrays_share_memory_if_and_only_if_an_element_is_in_two(stretches):
    buffer = np.zeros(20)
    numbers = np.arange(20)
    arrays = [buffer[start:stop:step] for start, stop, step in stretches]
    elements = [i for start, stop, step in stretches for i in numbers[start:stop:step].tolist()]
    assert shared(*arrays) == (len(set(elements)) < len(elements))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("the same twice", True),
        ("overlapping", True),
        ("a transpose", True),
        ("a row and a column that cross", True),
        ("long around short", True),
        ("interleaved", False),
        ("neighbours", False),
        ("two columns", False),
        ("real and imaginary parts", False),
        ("empty", False),
    ],
)
def test_shared_memory_by_name(name, expected):
    w = np.zeros(12)
    m = w.reshape(3, 4)
    z = np.zeros(5, dtype=complex)
    pairs = {
        "the same twice": (w, w),
        "overlapping": (w[:7], w[6:]),
        "a transpose": (m, m.T),
        "a row and a column that cross": (m[1], m[:, 2]),
        "long around short": (w, np.zeros(3), w[5:6]),
        "interleaved": (w[::2], w[1::2]),
        "neighbours": (w[:6], w[6:]),
        "two columns": (m[:, 0], m[:, 3]),
        "real and imaginary parts": (z.real, z.imag),
        "empty": (w[3:3], w),
    }
    assert shared(*pairs[name]) is expected


def test_parameters_that_share_memory_are_refused():
    w = np.ones(4)
    message = re.escape("theta['W'] and theta['tied'][0] share memory; expected separate arrays")
    with unchanged(w), pytest.raises(ValueError, match=message):
        check_parameters({"W": w, "tied": [w[2:]]}, "theta")


def test_interleaved_parameters_are_accepted():
    w = np.ones(4)
    assert len(check_parameters({"even": w[::2], "odd": w[1::2]})) == 2


@PROPERTY
@given(st.lists(stretches, max_size=4), stretches)
def test_memory_knows_every_overlap_and_invents_none_outside(stretches, probe):
    buffer = np.zeros(20)
    numbers = np.arange(20)
    occupied = [numbers[start:stop:step] for start, stop, step in stretches]
    occupied = [indices for indices in occupied if indices.size]
    start, stop, step = probe
    elements = numbers[start:stop:step]
    answer = Memory([buffer[i[0] : i[-1] + 1] for i in occupied]).overlaps(buffer[start:stop:step])
    if any(np.isin(elements, indices).any() for indices in occupied):
        assert answer
    spans = [np.arange(i[0], i[-1] + 1) for i in occupied]
    if elements.size and not any(elements[0] <= s[-1] and s[0] <= elements[-1] for s in spans):
        assert not answer
    if elements.size and step == 1:
        assert answer == any(np.isin(elements, s).any() for s in spans)


def test_memory_of_nothing_overlaps_nothing():
    assert not Memory([]).overlaps(np.ones(3))


def test_a_long_stretch_before_a_short_one_is_not_forgotten():
    w = np.zeros(10)
    memory = Memory([w[0:8], w[1:2]])
    assert memory.overlaps(w[6:7])
    assert not memory.overlaps(w[8:])
