"""Blocks: every element once, large arrays cut, small ones together, and no rule notices."""

import copy
import os
import pickle
import platform
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib import SGD, AdamW
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.engine import blocks as blocks_module
from optimlib.optimizers.engine.arrays import row
from optimlib.optimizers.engine.blocks import BLOCK_BYTES, find, gather, pack, spread

FULL = BLOCK_BYTES // 4  # elements of float32 in a block

SIZES = st.lists(  # for blocks of 64 elements
    st.one_of(st.integers(0, 40), st.sampled_from([8, 9, 63, 64, 65, 128, 200])),
    min_size=1,
    max_size=30,
)


@given(sizes=SIZES)
@settings(derandomize=True, deadline=None)
def test_every_element_is_in_one_block_and_can_be_found_there(sizes):
    arrays = [np.arange(size, dtype=np.float32) for size in sizes]
    with mock.patch.object(blocks_module, "BLOCK_BYTES", 256):
        blocks = pack(enumerate(arrays))
    for block in blocks:
        together = gather(arrays, block)
        assert together.nbytes <= 256
        for position in {0, together.size // 2, together.size - 1} & set(range(together.size)):
            number, place = find(block, arrays, position)
            assert arrays[number][place] == together[position]
    for number, array in enumerate(arrays):
        found = [array[here] for block in blocks for k, here in block if k == number]
        np.testing.assert_array_equal(np.sort(np.concatenate(found or [array[:0]])), array)


def test_an_element_that_a_block_does_not_have_is_not_found():
    arrays = [np.zeros(3), np.zeros(2)]
    (block,) = pack(enumerate(arrays))
    assert find(block, arrays, 4) == (1, 1)
    with pytest.raises(IndexError, match="the block has no element 5"):
        find(block, arrays, 5)


def test_a_large_array_is_cut_and_not_copied():
    rows = [np.zeros(2 * FULL + 5, np.float32)]
    blocks = pack(enumerate(rows))
    assert [gather(rows, block).size for block in blocks] == [FULL, FULL, 5]
    assert all(np.shares_memory(gather(rows, block), rows[0]) for block in blocks)


def test_small_arrays_share_blocks_until_they_are_full():
    arrays = [np.zeros(100, np.float32) for _ in range(2000)]
    sizes = [sum(arrays[k].size for k, _ in block) for block in pack(enumerate(arrays))]
    assert sizes == [163_800, 36_200]  # 1,638 times 100 is the most that fits into 163,840


def test_a_middling_array_keeps_its_own_block():
    arrays = [np.zeros(FULL // 8 + 1, np.float32) for _ in range(3)]
    assert [len(block) for block in pack(enumerate(arrays))] == [1, 1, 1]


def test_whole_arrays_are_blocks_in_their_own_shape():
    arrays = [
        np.zeros((2 * FULL, 2), np.float32),
        np.zeros((2, 3), np.float32),
        np.zeros((), np.float32),
    ]
    blocks = pack(enumerate(arrays), whole=True)
    assert [gather(arrays, block).shape for block in blocks] == [(2 * FULL, 2), (2, 3), ()]
    spread(np.ones((2, 3), np.float32), arrays, blocks[1])
    assert arrays[1].sum() == 6
    assert find(blocks[1], arrays, 5) == (1, 5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_gathered_is_spread_to_where_it_came_from(order):
    arrays = [np.array([[1.0, 2.0], [3.0, 4.0]], order=order), np.array(5.0), np.zeros((0, 3))]
    rows = [row(array, [1, 0] if order == "F" and array.ndim == 2 else None) for array in arrays]
    (block,) = pack(enumerate(rows))
    together = gather(rows, block)
    assert together.tolist() == ([1, 2, 3, 4, 5] if order == "C" else [1, 3, 2, 4, 5])
    spread(10 * together, rows, block)
    assert arrays[0].tolist() == [[10, 20], [30, 40]]
    assert arrays[1] == 50


class Counting(Optimizer):
    """Gradient descent that remembers what its rule was called with."""

    slots = ("n",)

    def __init__(self, params, **options):
        self.calls = []
        super().__init__(params, 1.0, **options)

    def rule(self, g, n):
        self.calls.append(g.copy())
        return g, (n + 1,)


def test_the_rule_is_called_once_for_many_small_arrays_and_once_for_each_dtype():
    params = [np.zeros(2) for _ in range(50)] + [np.zeros(3, np.float32) for _ in range(50)]
    optimizer = Counting(params)
    optimizer.step([np.full_like(leaf, k) for k, leaf in enumerate(params)])
    assert sorted((call.dtype.name, call.size) for call in optimizer.calls) == [
        ("float32", 150),
        ("float64", 100),
    ]
    assert all((leaf == -k).all() for k, leaf in enumerate(params))
    assert all((leaf == 1).all() for leaf in optimizer.state["n"])


def test_small_arrays_between_large_ones_keep_their_numbers(monkeypatch):
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 256)
    rng = np.random.default_rng(0)
    shapes = [(40,), (3,), (70,), (), (2, 2), (33,), (1,)]
    params = [rng.standard_normal(shape) for shape in shapes]
    grads = [rng.standard_normal(shape) for shape in shapes]
    expected = [p - g for p, g in zip(params, grads, strict=True)]
    optimizer = Counting(params)
    optimizer.step(grads)
    assert any(call.size not in (4, 3, 1, 32, 8, 6) for call in optimizer.calls)  # some share a block
    for found, wanted in zip(params, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_arrays_that_decay_share_no_block_with_those_that_do_not():
    params = {"W": np.ones(2), "b": np.ones(2), "U": np.ones(2)}
    mask = {"W": True, "b": False, "U": True}
    optimizer = AdamW(params, learning_rate=0.5, weight_decay=0.5, mask=mask)
    optimizer.step({key: np.zeros(2) for key in params})
    assert {key: leaf.tolist() for key, leaf in params.items()} == {
        "W": [0.75, 0.75],
        "b": [1, 1],
        "U": [0.75, 0.75],
    }


def test_a_deep_copy_trains_its_own_parameters():
    params = {"W": np.ones((2, 2)), "b": np.ones(3)}
    optimizer = Counting(params)
    twin = copy.deepcopy(optimizer)
    twin.step({"W": np.ones((2, 2)), "b": np.ones(3)})
    assert all((leaf == 0).all() for leaf in twin.params.values())
    assert all((leaf == 1).all() for leaf in params.values())


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))]
)
def test_a_copy_knows_where_its_own_parameters_are(twin):
    """The gradient of x * y is (y, x): without a copy of it, x would have changed before y is."""
    params = {"x": np.full(2 * FULL, 1.0), "y": np.full(2 * FULL, 2.0)}
    optimizer = SGD(params, 0.5, clip_norm=1e9)
    optimizer.step({"x": params["y"], "y": params["x"]})
    later = twin(optimizer)
    for running in (optimizer, later):
        running.step({"x": running.params["y"], "y": running.params["x"]})
        assert (running.params["x"] == -0.75).all()  # from (1, 2) to (0, 1.5)
        assert (running.params["y"] == 1.5).all()


FAULTS = """
import resource
import numpy as np
from optimlib import Adam

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

theta, g = np.ones(2_000_000, np.float32), np.ones(2_000_000, np.float32)
optimizer = Adam(theta)
for _ in range(3):
    optimizer.step(g)
before = faults()
for _ in range(5):
    optimizer.step(g)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory anyhow")
def test_a_step_does_not_fetch_its_memory_from_the_system_again_and_again():
    """In a process of its own, that has freed no large array. Without the care it is over 10,000."""
    # Dask leaves a threshold for malloc in the environment of a process that has started its workers.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000
