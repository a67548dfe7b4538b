"""The elements of an array in one row, and the blocks of that row."""

import numpy as np
import pytest
from tree_cases import VIEWS

from optimlib.trees import cut, flat
from optimlib.trees.blocks import CUT_BYTES

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
    assert all(array[block].nbytes <= CUT_BYTES for block in blocks)
    assert len(blocks) == max(1, -(-array.nbytes // CUT_BYTES))
