"""Arithmetic with trees, by hand and by its laws."""

import re

import numpy as np
import pytest
from hypothesis import given
from support import same, unchanged
from tree_cases import PROPERTY, example, trees

from optimlib import SGD
from optimlib.trees import add, flatten, map_tree, scale, zeros_like


def test_sums_and_multiples_by_hand():
    a = {"W": np.array([[1.0, 2.0]]), "b": (np.array(3.0), None)}
    b = {"b": [np.array(30.0), None], "W": np.array([[10.0, 20.0]])}
    c = {"W": np.array([[100.0, 200.0]]), "b": (np.array(300.0), np.array([7.0]))}
    with unchanged([a["W"], b["W"], c["W"]]):
        total = add(a, b, c)
    np.testing.assert_array_equal(total["W"], [[111, 222]])
    assert total["b"][0] == 333
    np.testing.assert_array_equal(total["b"][1], [7])  # None adds nothing
    assert add(a, b)["b"] == (33, None)
    halved = scale(total, -0.5)
    np.testing.assert_array_equal(halved["W"], [[-55.5, -111]])
    assert scale(a, 2)["b"][1] is None


@PROPERTY
@given(trees)
def test_arithmetic_has_its_laws_and_makes_new_arrays(tree):
    assert same(add(tree, zeros_like(tree)), tree)
    assert same(add(tree, tree, tree), scale(tree, 3))
    assert same(scale(tree, 0), zeros_like(tree))
    for made in (add(tree), scale(tree, 1), zeros_like(tree)):
        for (_, leaf), (_, before) in zip(flatten(made), flatten(tree), strict=True):
            assert isinstance(leaf, np.ndarray)
            assert not np.shares_memory(leaf, before)


@pytest.mark.parametrize("factor", [0.5, 2, np.float64(0.5), np.float32(0.5), np.int64(2)], ids=repr)
def test_the_dtype_stays_whatever_the_factor(factor):
    single = map_tree(lambda leaf: leaf.astype(np.float32), example())
    for tree in (single, example()):
        for made in (scale(tree, factor), add(tree, tree), zeros_like(tree)):
            pairs = zip(flatten(made), flatten(tree), strict=True)
            assert all(leaf.dtype == before.dtype for (_, leaf), (_, before) in pairs)


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        (np.ones(3), np.ones((3, 1)), "their root"),
        (np.ones(3), np.ones(()), "their root"),
        ({"W": [np.ones((2, 3))]}, {"W": [np.ones((3, 2))]}, "['W'][0]"),
    ],
)
def test_arrays_that_would_be_broadcast_are_refused(one, other, place):
    with pytest.raises(ValueError, match=re.escape(f"at {place}; expected arrays of one shape")):
        add(one, other)


@pytest.mark.parametrize("factor", ["2", None, True, 1j, np.ones(2)], ids=repr)
def test_a_factor_that_is_no_number_is_refused(factor):
    with pytest.raises(TypeError, match=r"factor is .* expected a number"):
        scale(np.ones(2), factor)


def test_none_stays_none():
    tree = {"W": np.ones((1, 2), np.float32), "frozen": None, "layers": [None, np.array(2.0)]}
    zeros = zeros_like(tree)
    assert zeros["frozen"] is None
    assert zeros["layers"][0] is None
    assert zeros["W"].tolist() == [[0, 0]]
    assert zeros["W"].dtype == np.float32
    assert zeros_like(None) is None
    assert add(tree, zeros)["frozen"] is None


@pytest.mark.parametrize("calculate", [add, zeros_like, lambda tree: scale(tree, 2)])
@pytest.mark.parametrize(
    "leaf",
    ["x", np.array(["a"]), object(), np.array([None])],
    ids=["text", "array of text", "object", "array of None"],
)
def test_what_is_no_number_is_named(calculate, leaf):
    with pytest.raises(
        TypeError, match=r"^the tree has .* at \['a'\]\[0\]; expected an array of numbers"
    ):
        calculate({"a": [leaf]})


@pytest.mark.parametrize("calculate", [add, zeros_like, lambda tree: scale(tree, 2)])
def test_a_mask_is_not_forgotten_in_silence(calculate):
    masked = np.ma.masked_array([1.0, 2.0], [False, True])
    with pytest.raises(
        TypeError, match=r"^the leaf at \['a'\]\[0\] is a masked array; expected a plain"
    ):
        calculate({"a": [masked]})


def test_four_small_batches_are_one_large_batch():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((12, 3)), rng.standard_normal(12)

    def grad(theta, rows):
        residual = X[rows] @ theta["w"] + theta["b"] - y[rows]
        return {"w": X[rows].T @ residual / residual.size, "b": np.mean(residual)}

    whole, parts = ({"w": np.ones(3), "b": np.array(0.5)} for _ in range(2))
    SGD(whole, 0.1).step(grad(whole, slice(None)))
    total = add(*(grad(parts, slice(start, start + 3)) for start in range(0, 12, 3)))
    SGD(parts, 0.1).step(scale(total, 1 / 4))
    np.testing.assert_allclose(parts["w"], whole["w"], rtol=1e-14)
    np.testing.assert_allclose(parts["b"], whole["b"], rtol=1e-14)
