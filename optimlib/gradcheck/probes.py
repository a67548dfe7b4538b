"""Probes: slopes are measured, side by side if that is possible, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from math import inf, nan

import numpy as np

from optimlib.differences import Estimate
from optimlib.gradcheck.lines import Counted, evaluate_anywhere
from optimlib.gradcheck.objective import Objective
from optimlib.gradcheck.report import Probe
from optimlib.gradcheck.sampling import Place, groups, some_of_each
from optimlib.gradcheck.scales import Scales
from optimlib.gradcheck.search import HALVINGS, Search
from optimlib.gradcheck.slope import SAFETY
from optimlib.gradcheck.subgradients import excess, gradients_beside
from optimlib.trees import copy_tree, flatten, format_index

DIRECTIONS = 6  # more are probed along so many random directions, if
BUDGET = 40  # that many evaluations are enough (a dozen more look for randomness and noise), and
FURTHER = 3  # each but the first makes do with so many estimates: 10 evaluations, 12 if undecided
GROUPS = 3  # leaves whose gradients differ much in size are moved apart, in so many groups at most
TIED = 3  # up to so many numbers with a kink are looked at together


class Prober:
    """Probes one claimed gradient at one point and collects what it finds.

    Parameters
    ----------
    objective
        The loss, the gradient and the point.
    executor
        Where to measure side by side, or None.
    progress
        Whether to show a progress bar.

    Attributes
    ----------
    probes : list of Probe
        What was found.
    scales : Scales
        What size everything has.

    Examples
    --------
    >>> from optimlib.gradcheck.bounds import Bounds
    >>> bounds, rng = Bounds(np.ones(2), (-np.inf, np.inf)), np.random.default_rng(0)
    >>> prober = Prober(Objective(np.sum, np.ones_like, np.ones(2), bounds, rng))
    >>> prober.probe_coordinates(2)
    >>> [probe.verdict for probe in prober.probes]
    ['pass', 'pass']
    """

    def __init__(
        self, objective: Objective, executor: Executor | None = None, progress: bool = False
    ) -> None:
        self.objective, self.executor, self.progress = objective, executor, progress
        self.rng = objective.rng
        self.scales = Scales(objective)
        self.probes: list[Probe] = []

    def probe_coordinates(self, count: int) -> None:
        """Probe `count` coordinates of every leaf, or all of a leaf that has no more."""
        places = some_of_each(self.scales.gradient, count, self.rng)
        found = self.add_coordinates(places)
        kinks = [place for place, p in zip(places, found, strict=True) if p.jump]
        if 2 <= len(kinks) <= TIED:
            self.probe_together(kinks)

    def probe_together(self, places: list[Place]) -> None:
        """Whether slopes that are right one by one at their kinks are right together.

        A probe is added if they are not: for the direction that shows it best.
        """
        objective, scales = self.objective, self.scales
        x = np.array([scales.leaves[leaf][index] for leaf, index in places])
        distances = objective.roundoff**0.25 * np.maximum(1, np.abs(x))
        gradients, errors = gradients_beside(
            objective.counted(self.at_places(places)),
            x,
            distances,
            self.rng,
            roundoff=objective.roundoff,
            noise=objective.noise,
        )
        claim = np.array([float(scales.gradient[leaf][index]) for leaf, index in places])
        d, ratio = excess(claim, gradients, errors, self.rng)
        if not ratio > SAFETY:
            return
        error = float((np.abs(d) @ errors.T).max())
        self.probes.append(
            Probe(
                place=", ".join(self.place(leaf, index) for leaf, index in places),
                path="",
                index=None,
                analytic=float(d @ claim),
                numeric=float((d @ gradients.T).max()),
                error=error,
                tolerance=SAFETY * error,
                jump=0.0,
                verdict="fail",
            )
        )

    def at_places(self, places: list[Place]) -> Callable[[np.ndarray], float]:
        """The loss as a function of the numbers at some places."""

        def f(numbers: np.ndarray) -> float:
            moved = copy_tree(self.objective.theta)
            leaves = [leaf for _, leaf in flatten(moved)]
            for (leaf, index), number in zip(places, numbers, strict=True):
                leaves[leaf][index] = number
            return evaluate_anywhere(self.objective.loss, moved)

        return f

    def add_coordinates(self, places: list[Place]) -> list[Probe]:
        """Probe the coordinates at these places."""
        searches = [self.scales.coordinate(leaf, index) for leaf, index in places]
        added = []
        found = zip(places, searches, self.measure(searches), strict=True)
        for (leaf, index), search, best in found:
            path = self.scales.paths[leaf]
            added.append(judged(search, best, self.place(leaf, index), path, index))
        self.probes += added
        return added

    def probe_directions(self, count: int | None) -> None:
        """Probe random directions over all parameters, the groups of leaves taking turns.

        The first probe finds out which steps suit this loss, the others begin with those. Without a
        `count` there are as many as the budget allows, and one for every group at least.
        """
        if count == 0:
            return
        norms = self.scales.norms
        grouped = groups(norms, min(GROUPS, count or GROUPS))
        before = self.objective.evaluations
        steps = self.add_directions(grouped[:1], [inf])
        cost = min(6 + 2 * FURTHER, self.objective.evaluations - before)  # of one more
        flat = [inf if norms[group[0]] == 0 else steps[0] for group in grouped]
        steps += self.add_directions(grouped[1:], flat[1:])
        if count is None:
            left = BUDGET - (self.objective.evaluations - before)
            affordable = max(1, left // cost)
            count = min(DIRECTIONS, len(grouped) + affordable)
        turns = [number % len(grouped) for number in range(len(grouped), count)]
        self.add_directions([grouped[n] for n in turns], [steps[n] for n in turns], FURTHER)

    def add_directions(
        self, grouped: list[list[int]], steps: list[float], most: int = HALVINGS
    ) -> list[float]:
        """Probe one random direction for each group of leaves; return the steps that suit each.

        Steps are in units of the direction's reach; `most` is how many estimates are made at most.
        """
        searches = [
            self.scales.direction(group, step, most=most)
            for group, step in zip(grouped, steps, strict=True)
        ]
        suited = []
        found = zip(grouped, searches, steps, self.measure(searches), strict=True)
        for group, search, step, best in found:
            place = f"direction {1 + sum(probe.index is None for probe in self.probes)}"
            paths = tuple(self.scales.paths[leaf] for leaf in group)
            if len(group) < len(self.scales.leaves):
                place += f" over {', '.join('theta' + path for path in paths)}"
            self.probes.append(judged(search, best, place, "", None, paths))
            suited.append(step if best is None else search.next_step(best) / search.test.reach)
        return suited

    def measure(self, searches: list[Search]) -> Iterator[Estimate | None]:
        """The best estimate of every search, side by side if there is an executor."""
        results = (self.executor.map if self.executor else map)(_measure, searches)
        if self.progress:
            from tqdm.auto import tqdm

            results = tqdm(results, total=len(searches), desc="gradient check", unit="probe")
        for best, evaluations in results:
            self.objective.evaluations += evaluations
            yield best

    def place(self, leaf: int, index: tuple[int, ...]) -> str:
        """How a place is called in a report."""
        return f"theta{self.scales.paths[leaf]}{format_index(index)}"

    # Directions across kinks

    def has_doubts(self) -> bool:
        """Whether a direction disagrees that has a kink at theta, and nothing else has failed."""
        others = any(p.verdict == "fail" and not self.is_doubtful(p) for p in self.probes)
        return not others and any(map(self.is_doubtful, self.probes))

    def is_doubtful(self, probe: Probe) -> bool:
        """Whether a probe fails or nearly so along a direction with a kink at theta."""
        return bool(probe.leaves and probe.jump) and probe.verdict in ("fail", "kink")

    def has(self, verdict: str) -> bool:
        """Whether a probe has that verdict."""
        return any(probe.verdict == verdict for probe in self.probes)

    def overrule(self, verdict: str) -> None:
        """Give the doubtful probes another verdict."""
        self.probes = [replace(p, verdict=verdict) if self.is_doubtful(p) else p for p in self.probes]


def _measure(search: Search) -> tuple[Estimate | None, int]:
    """The best estimate and the evaluations it took: what an executor's worker does."""
    f = Counted(search.f)
    return replace(search, f=f).best_estimate(), f.calls


def judged(
    search: Search,
    best: Estimate | None,
    place: str,
    path: str,
    index: tuple[int, ...] | None,
    leaves: tuple[str, ...] = (),
) -> Probe:
    """What the best estimate of a search says of its claim."""
    test = search.test
    if best is None:
        return Probe(place, path, index, test.claim, nan, inf, inf, 0.0, "inconclusive", leaves)
    return Probe(
        place=place,
        path=path,
        index=index,
        analytic=test.claim,
        numeric=best.value,
        error=best.error,
        tolerance=test.tolerance(best),
        jump=best.jump if test.sees_jump(best) else 0.0,
        verdict=test.verdict(best),
        leaves=leaves,
    )
