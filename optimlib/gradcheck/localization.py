"""Where it failed: from directions that disagree to leaves, and from leaves to coordinates."""

from __future__ import annotations

import numpy as np

from optimlib.gradcheck.probes import Prober
from optimlib.gradcheck.sampling import index_of, some_of_each

THOROUGH = 100  # up to so many parameters are all probed one by one, once something is wrong
MANY = 12  # of more leaves that may be to blame, one is found by halving
BLAMED = 3  # so many leaves are looked into
SAMPLE = 7  # coordinates of a leaf that are probed to see what is wrong with it


def find_failures(prober: Prober) -> None:
    """If a probe failed, find leaves and coordinates that are to blame, and add their probes.

    Of few parameters each is probed: what is wrong shows best in the pattern of all. Of a tie nothing
    more can be found: its numbers are wrong together.
    """
    if fails_at_ties_alone(prober):
        return
    if prober.has("fail") and sum(int(free.sum()) for free in prober.scales.free) <= THOROUGH:
        known = {(p.path, p.index) for p in prober.probes}
        everywhere = some_of_each(prober.scales.free, THOROUGH, prober.rng)
        paths = prober.scales.paths
        places = [(n, index) for n, index in everywhere if (paths[n], index) not in known]
        prober.probe_coordinates(places)
        return
    failed = [p for p in prober.probes if p.verdict == "fail" and p.index is None]
    moved = {path for probe in failed for path in probe.leaves}
    suspects = [number for number, path in enumerate(prober.scales.paths) if path in moved]
    for leaf in guilty(prober, suspects)[:BLAMED]:
        blame(prober, leaf)


def fails_at_ties_alone(prober: Prober) -> bool:
    """Whether only numbers that were moved together fail, each of them at a kink."""
    coordinates = [p for p in prober.probes if p.index is not None]
    failed = [p for p in prober.probes if p.verdict == "fail"]
    return all(p.jump for p in coordinates) and not any(p.is_random for p in failed)


def guilty(prober: Prober, leaves: list[int]) -> list[int]:
    """The leaves whose own directions fail; of many, by halving, one of them."""
    while len(leaves) > MANY:
        half = leaves[: len(leaves) // 2]
        leaves = half if fails(prober, half) else leaves[len(leaves) // 2 :]
    return [leaf for leaf in leaves if fails(prober, [leaf])] if len(leaves) > 1 else leaves


def fails(prober: Prober, leaves: list[int], part: slice = slice(None)) -> bool:
    """Whether a random direction over these leaves, or over part of one, fails."""
    if not any(prober.scales.free[leaf].reshape(-1)[part].any() for leaf in leaves):
        return False
    ((search, best),) = prober.measure([prober.scales.search_along(leaves, part=part)])
    return best is not None and search.test.verdict(best) == "fail"


def blame(prober: Prober, leaf: int) -> None:
    """Probe coordinates of a leaf until one fails: at random, and then by halving."""
    path, g = prober.scales.paths[leaf], prober.scales.gradient[leaf]
    free = np.flatnonzero(prober.scales.free[leaf])
    chosen = set(prober.rng.choice(free, min(SAMPLE, free.size), replace=False).tolist())
    chosen.add(int(np.abs(g).argmax()))
    known = {(p.path, p.index) for p in prober.probes}
    places = [(leaf, index_of(flat, g.shape)) for flat in sorted(chosen)]
    fresh = [(leaf, index) for leaf, index in places if (path, index) not in known]
    if any(probe.verdict == "fail" for probe in prober.add_coordinates(fresh)):
        return
    first, last = 0, g.size
    while last - first > 1:
        middle = (first + last) // 2
        if fails(prober, [leaf], slice(first, middle)):
            last = middle
        elif fails(prober, [leaf], slice(middle, last)):
            first = middle
        else:
            return  # spread so thinly that no part of it can be seen alone
    prober.add_coordinates([(leaf, index_of(first, g.shape))])
