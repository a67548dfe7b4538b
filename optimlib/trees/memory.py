"""Where arrays lie in memory: whether two share an element, and whether one may lie where others lie.

To change an array changes every other one that shares memory with it. The *bounds* of an array are
its first byte and the one after its last. A *run* is a stretch of it without gaps, as long as there
are: a row of a matrix in C order, one element of a column.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

WORK = 10**6  # steps of the search for a common element, which may be exponential in the dimensions


class _Place(NamedTuple):
    """Where a leaf lies; places sort by their bounds."""

    low: int
    high: int
    number: int
    array: np.ndarray


def check_no_shared_memory(leaves: list[tuple[str, np.ndarray]], name: str) -> None:
    """Refuse leaves of which one lies, wholly or in part, where another lies.

    Raises
    ------
    ValueError
        If two leaves share memory, or so intricate views that this cannot be found out in a moment.

    Examples
    --------
    >>> w = np.zeros(4)
    >>> check_no_shared_memory([("['a']", w), ("['b']", w[2:])], "theta")
    Traceback (most recent call last):
        ...
    ValueError: theta['a'] and theta['b'] share memory; expected separate arrays (to tie weights, pass
    the array once and add up the gradients of its uses)
    """
    places = sorted(
        _Place(*byte_bounds(leaf), number, leaf) for number, (_, leaf) in enumerate(leaves) if leaf.size
    )
    for neighbors in _overlapping(places):
        for candidates in _in_the_same_columns(neighbors):
            for place, other in _pairs(candidates):
                shared = _shared(place.array, other.array)
                if shared:
                    first, second = sorted((place.number, other.number))
                    raise ValueError(
                        f"{name}{leaves[first][0]} and {name}{leaves[second][0]} {shared}; expected"
                        " separate arrays (to tie weights, pass the array once and add up the"
                        " gradients of its uses)"
                    )


def _overlapping(places: list[_Place]) -> list[list[_Place]]:
    """Groups of places whose bounds overlap one with the next; of different groups none do."""
    groups: list[list[_Place]] = []
    end = -math.inf
    for place in places:
        if place.low >= end:
            groups.append([])
        groups[-1].append(place)
        end = max(end, place.high)
    return groups


def _in_the_same_columns(places: list[_Place]) -> list[list[_Place]]:
    r"""Groups of places that may share elements; of different groups none do.

    If all strides between the runs of all arrays are multiples of a width, then each array lies in
    one band of columns of a table with rows of that width: a run from :math:`a` on, modulo the
    width. This tells thousands of columns of a matrix apart, or of interleaved views.
    """
    runs = [_run(place.array) for place in places]
    width = math.gcd(*(stride for _, strides in runs for stride in strides))
    if len(places) == 1 or width == 0 or max(run for run, _ in runs) > width:
        return [places]
    bands = sorted((place.low % width, run, place) for (run, _), place in zip(runs, places, strict=True))
    groups: list[list[_Place]] = []
    end = 0
    for start, run, place in bands:
        if not groups or start >= end:
            groups.append([])
        groups[-1].append(place)
        end = max(end, start + run)
    while len(groups) > 1 and end - width > groups[0][0].low % width:  # round the end of a row
        groups[-1].extend(groups.pop(0))
    return [sorted(group) for group in groups]


def _run(array: np.ndarray) -> tuple[int, list[int]]:
    """The bytes of a run of an array, and the strides from run to run."""
    axes = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1 and s)
    run = array.itemsize
    while axes and axes[0][0] == run:
        run *= axes.pop(0)[1]
    return run, [stride for stride, _ in axes]


def _pairs(places: list[_Place]) -> Iterator[tuple[_Place, _Place]]:
    """The pairs whose bounds overlap, of sorted places."""
    for i, place in enumerate(places):
        for other in places[i + 1 :]:
            if other.low >= place.high:
                break  # and so do all that follow
            yield place, other


def _shared(a: np.ndarray, b: np.ndarray) -> str:
    """What is to be said of two arrays that share memory, or may; nothing of separate ones."""
    try:
        return "share memory" if np.shares_memory(a, b, max_work=WORK) else ""  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return "are views so intricate that they may share memory"


def overlaps_itself(array: np.ndarray) -> bool:
    """Whether two elements of one array lie, wholly or in part, in the same place.

    >>> overlaps_itself(np.broadcast_to(1.0, (2, 3))), overlaps_itself(np.ones((2, 3)).T)
    (True, False)
    """
    if not array.size:
        return False
    axes = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    reach = array.itemsize  # of the axes so far
    for stride, n in axes:
        if stride < reach:
            break
        reach += (n - 1) * stride
    else:
        return False
    if axes[0][0] == 0:
        return True
    offsets = np.zeros(1, dtype=np.int64)  # rare: axes that interlock
    for stride, n in axes:
        offsets = np.add.outer(offsets, stride * np.arange(n)).reshape(-1)
    return bool((np.diff(np.sort(offsets)) < array.itemsize).any())


class Memory:
    """The stretches of memory that some arrays occupy.

    >>> w = np.zeros(4)
    >>> Memory([w]).overlaps(w[1:]), Memory([w]).overlaps(w.copy())
    (True, False)
    """

    def __init__(self, arrays: list[np.ndarray]) -> None:
        spans = sorted(byte_bounds(array) for array in arrays)
        self.lows = [low for low, _ in spans]
        self.highs = list(accumulate((high for _, high in spans), max))

    def overlaps(self, array: np.ndarray) -> bool:
        """Whether `array` may lie in one of the stretches."""
        if array.flags.c_contiguous:  # byte_bounds is slow for what a step asks of every gradient
            low = array.__array_interface__["data"][0]
            high = low + array.nbytes
        else:
            low, high = byte_bounds(array)
        before = bisect_left(self.lows, high)
        return before > 0 and self.highs[before - 1] > low
