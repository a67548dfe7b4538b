"""What is probed: which coordinates, and which leaves move together along random directions."""

from __future__ import annotations

import numpy as np

from optimlib.gradcheck.scales import ALIKE

Place = tuple[int, tuple[int, ...]]
"""The number of a leaf, and an index in it."""


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index in an array of that shape of the element with a number in its row.

    >>> index_of(4, (2, 3))
    (1, 1)
    """
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def some_of_each(leaves: list[np.ndarray], count: int, rng: np.random.Generator) -> list[Place]:
    """`count` random places in every leaf, or all of a leaf that has no more, in their order.

    >>> some_of_each([np.zeros(2), np.zeros((1, 1))], 5, np.random.default_rng(0))
    [(0, (0,)), (0, (1,)), (1, (0, 0))]
    """
    places = []
    for number, leaf in enumerate(leaves):
        chosen = sorted(rng.choice(leaf.size, min(count, leaf.size), replace=False))
        places += [(number, index_of(flat, leaf.shape)) for flat in chosen]
    return places


def groups(norms: list[float], most: int) -> list[list[int]]:
    """Leaves in groups of gradients of like size, the largest first: `most` groups or fewer.

    Leaves that are claimed to have no gradient form the last one. While norms of another differ by
    more than `ALIKE`, it is parted at its widest gap.

    >>> groups([1.0, 3e-9, 2.0, 1e-9, 0.0], most=3)
    [[2, 0], [1, 3], [4]]
    """
    order = sorted(range(len(norms)), key=lambda leaf: -norms[leaf])
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
