"""What is probed: which coordinates, and which leaves move together along random directions."""

from __future__ import annotations

from math import log10

import numpy as np

from optimlib.gradcheck.scales import ALIKE

Place = tuple[int, tuple[int, ...]]
"""The number of a leaf, and an index in it."""

BUDGET = 100  # evaluations of a check that finds nothing wrong, up to a thousand parameters
LEAST = 55  # of millions of parameters
FALL = 15  # the budget falls by so many for ten times the parameters


def budget(parameters: int) -> int:
    """How many evaluations of the loss a check may take if it finds nothing wrong.

    A loss of more parameters takes longer, and its directions see as much.

    >>> [budget(10**power) for power in range(2, 8)]
    [100, 100, 85, 70, 55, 55]
    """
    return round(min(BUDGET, max(LEAST, BUDGET - FALL * (log10(max(1, parameters)) - 3))))


def some_of_each(free: list[np.ndarray], count: int, rng: np.random.Generator) -> list[Place]:
    """`count` random places in every leaf, or all of a leaf that has no more, in their order.

    Parameters
    ----------
    free
        For every leaf, which of its numbers may be chosen.
    count
        How many of each leaf.
    rng
        Chooses them.

    Examples
    --------
    >>> free = [np.array([True, False, True]), np.ones((1, 1), bool)]
    >>> some_of_each(free, 5, np.random.default_rng(0))
    [(0, (0,)), (0, (2,)), (1, (0, 0))]
    """
    places = []
    for number, mask in enumerate(free):
        open_places = np.flatnonzero(mask)
        chosen = sorted(rng.choice(open_places, min(count, open_places.size), replace=False))
        places += [(number, index_of(flat, mask.shape)) for flat in chosen]
    return places


def spread(free: list[np.ndarray], total: int, rng: np.random.Generator) -> list[Place]:
    """`total` random places, the leaves taking turns: a small leaf has all of its numbers in it.

    >>> places = spread([np.ones(2, bool), np.ones(50, bool)], 6, np.random.default_rng(0))
    >>> [leaf for leaf, _ in places]
    [0, 1, 0, 1, 1, 1]
    """
    rows = []
    for mask in free:
        open_places = np.flatnonzero(mask)
        rows.append(list(rng.choice(open_places, min(total, open_places.size), replace=False)))
    order = rng.permutation(len(rows)) if len(rows) > total else range(len(rows))
    places: list[Place] = []
    while len(places) < total and any(rows):
        for leaf in order:
            if rows[leaf]:
                places.append((int(leaf), index_of(rows[leaf].pop(), free[leaf].shape)))
    return places[:total]


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index in an array of that shape of the element with a number in its row.

    >>> index_of(4, (2, 3))
    (1, 1)
    """
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def parted(leaves: list[int], norms: list[float], most: int) -> list[list[int]]:
    """Leaves in groups of gradients of like size, the largest first: `most` groups or fewer.

    Leaves that are claimed to have no gradient form the last group. While norms within another differ
    by more than `ALIKE`, it is parted at its widest gap.

    Parameters
    ----------
    leaves
        Their numbers.
    norms
        The norm of the gradient of every leaf, those that are left out included.
    most
        How many groups there may be.

    Examples
    --------
    >>> parted([0, 1, 2, 3, 4], [1.0, 3e-9, 2.0, 1e-9, 0.0], most=3)
    [[2, 0], [1, 3], [4]]
    >>> parted([0, 2], [1.0, 5.0, 0.0], most=3)
    [[0], [2]]
    """
    order = sorted(leaves, key=lambda leaf: -norms[leaf])
    zero = [leaf for leaf in order if norms[leaf] == 0]
    found = [group for group in (order[: len(order) - len(zero)], zero) if group]
    if len(found) > most:
        return [order]
    while len(found) < most:
        gaps = [
            (norms[group[i]] / norms[group[i + 1]], number, i + 1)
            for number, group in enumerate(found)
            if norms[group[0]] > ALIKE * norms[group[-1]]
            for i in range(len(group) - 1)
        ]
        if not gaps:
            break
        _, number, i = max(gaps)
        found[number : number + 1] = [found[number][:i], found[number][i:]]
    return found
