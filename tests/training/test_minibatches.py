"""Minibatches: every row once, in a random order that the generator alone decides about."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib.training import minibatches


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(deadline=None)  # a clock is no judge on a busy machine
@given(rows=st.integers(1, 40), size=st.integers(1, 40), drop=st.booleans())
def test_every_row_comes_once_and_the_arrays_stay_together(rows, size, drop):
    size = min(size, rows)
    x, y = np.arange(2 * rows).reshape(rows, 2), np.arange(rows)
    batches = list(minibatches((x, y), size, rng(rows), drop_last=drop))
    lengths = [len(ys) for _, ys in batches]
    whole, rest = divmod(rows, size)
    assert lengths == [size] * whole + ([rest] if rest and not drop else [])
    for xs, ys in batches:
        np.testing.assert_array_equal(xs, np.stack([2 * ys, 2 * ys + 1], axis=1))
    seen = np.concatenate([ys for _, ys in batches])
    assert len(set(seen.tolist())) == len(seen)
    np.testing.assert_array_equal(seen, rng(rows).permutation(rows)[: len(seen)])


def test_all_orders_are_equally_frequent():
    draw, counts = rng(), {}
    for _ in range(6000):
        order = tuple(np.concatenate(list(minibatches(np.arange(3), 2, draw))).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    deviation = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert deviation < 20.5  # chi-squared with 5 degrees of freedom: exceeded once in 1000


def test_the_containers_and_the_types_are_those_of_the_data():
    images = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    data = {"images": images, "rest": [np.array(["a", "b", "c"]), (np.array([1.5, 2.5, 3.5]),)]}
    (batch,) = minibatches(data, 3, rng(4))
    order = rng(4).permutation(3)
    assert batch["images"].dtype == np.uint8
    np.testing.assert_array_equal(batch["images"], images[order])
    assert batch["rest"][0].tolist() == ["abc"[k] for k in order]
    assert type(batch["rest"]) is list
    assert type(batch["rest"][1]) is tuple
    assert batch["rest"][1][0].tolist() == [k + 1.5 for k in order]
    (alone,) = minibatches(images, 3, rng(4))
    np.testing.assert_array_equal(alone, images[order])
    pair = namedtuple("Pair", "x y")(np.ones(3), np.zeros(3))
    x, _ = next(minibatches(pair, 2, rng()))
    assert x.tolist() == [1, 1]


def test_a_batch_size_may_be_any_whole_number():
    x = np.arange(300)
    for kind in (np.uint8, np.int8, np.int64):
        assert [len(batch) for batch in minibatches(x, kind(100), rng())] == [100, 100, 100]


def test_batches_are_copies():
    x = np.arange(4.0)
    for batch in minibatches(x, 4, rng()):
        batch[:] = 7
    assert x.tolist() == [0, 1, 2, 3]


def test_the_order_is_drawn_when_it_is_called():
    draw, other = rng(3), rng(3)
    first = minibatches(np.arange(9), 4, draw)
    draw.random(5)
    expected = other.permutation(9)
    np.testing.assert_array_equal(np.concatenate(list(first)), expected)


X = np.ones((5, 2))


@pytest.mark.parametrize(
    ("data", "size", "error", "message"),
    [
        ((X, [0, 1, 2, 3, 4]), 2, TypeError, r"^data\[1\] is a list of int; expected a NumPy array"),
        ([[1.0, 2.0], [3.0, 4.0]], 2, TypeError, "^data is a list of float; expected a NumPy array"),
        ((X, 3), 2, TypeError, r"^data\[1\] is 3 of type int; expected a NumPy array"),
        ({"x": X, "y": None}, 2, TypeError, r"^data\['y'\] is None of type NoneType; expected a NumPy"),
        ((X, np.array(1)), 2, ValueError, r"^data\[1\] has shape \(\); expected an array with rows"),
        ((X, np.ones(4)), 2, ValueError, r"^data\[1\] has 4 rows; expected 5, as data\[0\] has"),
        (X[:0], 2, ValueError, r"^data is empty, with shape \(0, 2\); expected at least one row"),
        ((), 2, ValueError, r"^data is \(\); expected at least one array"),
        (X, 0, ValueError, "^batch_size is 0; expected a whole number from 1 on"),
        (X, True, ValueError, "^batch_size is True; expected a whole number from 1 on"),
        (X, 2.0, ValueError, r"^batch_size is 2\.0; expected a whole number from 1 on"),
        (X, 6, ValueError, "^batch_size is 6; expected at most 5, the number of rows of data"),
    ],
)
def test_what_cannot_be_cut_into_batches_is_refused_at_once(data, size, error, message):
    draw = rng()
    with pytest.raises(error, match=message):
        minibatches(data, size, draw)
    assert draw.bit_generator.state == rng().bit_generator.state


def test_a_seed_is_no_generator():
    for seed in (0, np.random, np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"^rng is .*Generator, such as np.random.default_rng\(0\)"):
            minibatches(X, 2, seed)
    with pytest.raises(TypeError, match="drop_last is 'no'; expected True or False"):
        minibatches(X, 2, rng(), drop_last="no")
