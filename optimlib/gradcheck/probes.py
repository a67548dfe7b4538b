"""Probes: slopes are measured, side by side if that is possible, and judged."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from math import inf, isfinite, nan
from typing import Any, Protocol

from optimlib.differences import Estimate
from optimlib.gradcheck.lines import Counted
from optimlib.gradcheck.noise import roughness_afar
from optimlib.gradcheck.objective import Objective
from optimlib.gradcheck.progress import Progress
from optimlib.gradcheck.report import Probe
from optimlib.gradcheck.sampling import Place, parted
from optimlib.gradcheck.scales import Scales
from optimlib.gradcheck.search import HALVINGS, NOISY, Search
from optimlib.gradcheck.slope import SAFETY
from optimlib.gradcheck.staircase import roughness_along
from optimlib.trees import format_index

DIRECTIONS = 6  # random directions over all parameters, if
AFFORDABLE = 40  # so many evaluations are enough for them
FURTHER = 3  # each but the first makes do with so many estimates: 10 evaluations, 12 if undecided
GROUPS = 3  # leaves whose gradients differ much in size are moved apart, in so many groups at most
DEAR = 18  # evaluations are what a coordinate may well take; four are enough where the loss is smooth
FIRST = 2  # coordinates that show what one costs, how exact the loss is, and if something is wrong
CONVICTED = 2  # probes that failed: from then on one estimate is enough where it is clear
ATTEMPTS = 4  # so often the loss may turn out to be coarser still
SLIGHT = 5e-5  # of a slope: what a solver that stops early may be off


class Executor(Protocol):
    """What can map a function over a list, such as a `concurrent.futures.Executor`."""

    def map(self, function: Callable[..., Any], *lists: Iterable[Any]) -> Iterable[Any]:
        """What the function returns for the elements of the lists, in their order."""


class Prober:
    """Probes one claimed gradient at one point and collects what it finds.

    Parameters
    ----------
    objective
        The loss, the gradient and the point.
    executor
        Where to measure side by side, or None.
    progress
        Counts the probes.

    Attributes
    ----------
    probes : list of Probe
        What was found.
    scales : Scales
        What size everything has.
    unseen_noise : float
        The error of the values of the loss that kept a probe from deciding; 0 if it was known before.

    Examples
    --------
    >>> import numpy as np
    >>> from optimlib.gradcheck.bounds import Bounds
    >>> from optimlib.gradcheck.sampling import some_of_each
    >>> bounds, rng = Bounds(np.ones(2), (-np.inf, np.inf)), np.random.default_rng(0)
    >>> prober = Prober(Objective(np.sum, np.ones_like, np.ones(2), bounds, rng))
    >>> prober.probe_coordinates(some_of_each(prober.scales.free, 2, rng))
    >>> [probe.verdict for probe in prober.probes]
    ['pass', 'pass']
    """

    def __init__(
        self,
        objective: Objective,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.objective, self.executor = objective, executor
        self.progress = progress or Progress(show=False)
        self.rng = objective.rng
        self.scales = Scales(objective)
        self.probes: list[Probe] = []
        self.is_continuous = False  # as far as it has been looked at
        self.unseen_noise = 0.0
        self.tested: set[str] = set()  # paths of leaves with a slope that a probe could see

    def probe_coordinates(self, places: list[Place]) -> None:
        """Probe the coordinates at these places, as many more every time as have been probed."""
        done = 0
        while done < len(places):
            done += len(self.add_coordinates(places[done : max(FIRST, 2 * done)]))

    def probe_affordable(self, places: list[Place], most: int) -> None:
        """Probe as many coordinates as fit into what is left of `most` evaluations."""
        done = 0
        while done < len(places) and most - self.objective.evaluations >= DEAR:
            count = (most - self.objective.evaluations) // DEAR
            count = count if done else min(count, FIRST)
            done += len(self.add_coordinates(places[done : done + count]))

    def add_coordinates(self, places: list[Place]) -> list[Probe]:
        """Probe the coordinates at these places; briefly, once it is certain that something is wrong."""
        searches = [self.scales.search_at(leaf, index) for leaf, index in places]
        if sum(probe.verdict == "fail" and not probe.jump for probe in self.probes) >= CONVICTED:
            searches = [replace(search, is_brief=True) for search in searches]
        added = []
        for (leaf, index), (search, best) in zip(places, self.measure(searches), strict=True):
            path = self.scales.paths[leaf]
            added.append(judged(search, best, self.place(leaf, index), path, index))
            self.note_tested(leaf, abs(search.test.claim), added[-1])
        self.probes += added
        return added

    def probe_directions(self, count: int | None, without: Container[int] = ()) -> None:
        """Probe random directions over all parameters, the groups of leaves taking turns.

        The leaves in `without`, given by their numbers, stay where they are.

        The first probe finds out which steps suit this loss, the others begin with those. Without a
        `count` there are as many as are affordable, and one for every group at least.
        """
        moving = [
            leaf for leaf, free in enumerate(self.scales.free) if free.any() and leaf not in without
        ]
        if count == 0 or not moving:
            return
        norms = self.scales.norms
        grouped = parted(moving, norms, min(GROUPS, count or GROUPS))
        before = self.objective.evaluations
        steps = self.add_directions(grouped[:1], [inf])
        cost = min(6 + 2 * FURTHER, self.objective.evaluations - before)  # of one more
        flat = [inf if norms[group[0]] == 0 else steps[0] for group in grouped]
        steps += self.add_directions(grouped[1:], flat[1:])
        if count is None:
            left = AFFORDABLE - (self.objective.evaluations - before)
            count = min(DIRECTIONS, len(grouped) + max(1, left // cost))
        turns = [number % len(grouped) for number in range(len(grouped), count)]
        self.add_directions([grouped[n] for n in turns], [steps[n] for n in turns], FURTHER)

    def add_directions(
        self, grouped: list[list[int]], steps: list[float], most: int = HALVINGS
    ) -> list[float]:
        """Probe one random direction for each group of leaves; return the steps that suit each.

        Steps are in units of the direction's reach; `most` is how many estimates are made at most.
        """
        searches = [
            self.scales.search_along(group, step, most=most)
            for group, step in zip(grouped, steps, strict=True)
        ]
        suited = []
        for group, step, (search, best) in zip(grouped, steps, self.measure(searches), strict=True):
            place = f"direction {1 + sum(probe.index is None for probe in self.probes)}"
            paths = tuple(self.scales.paths[leaf] for leaf in group)
            if len(group) < len(self.scales.leaves):
                place += f" over {', '.join('theta' + path for path in paths)}"
            probe = judged(search, best, place, "", None, paths)
            least_units = tuple(map(self.scales.least_unit, group))
            self.probes.append(replace(probe, least_units=least_units))
            for leaf in group:
                self.note_tested(leaf, self.scales.norms[leaf], self.probes[-1])
            suited.append(step if best is None else next_step(search, best) / search.test.reach)
        return suited

    def add_shift(self, leaves: list[int], *, signed: bool) -> Probe:
        """Probe these leaves moved as a whole (`optimlib.gradcheck.ties`)."""
        paths = tuple(self.scales.paths[leaf] for leaf in leaves)
        place = (
            f"{' and '.join('theta' + path for path in paths)} {'moved from 0' if signed else 'shifted'}"
        )
        ((search, best),) = self.measure([self.scales.search_shifted(leaves, signed=signed)])
        self.probes.append(replace(judged(search, best, place, "", None, paths), is_random=False))
        return self.probes[-1]

    def note_tested(self, leaf: int, share: float, probe: Probe) -> None:
        """Note a leaf in which this probe could have seen that something is wrong.

        Its `share` is the size of what the gradient claims there.
        """
        if max(share, abs(probe.numeric)) > probe.tolerance or probe.jump:
            self.tested.add(self.scales.paths[leaf])

    def untested(self) -> tuple[str, ...]:
        """The paths of the leaves whose slopes are all zero, or lost in the roundings of the loss."""
        moving = zip(self.scales.paths, self.scales.free, strict=True)
        return tuple(path for path, free in moving if free.any() and path not in self.tested)

    def measure(self, searches: list[Search]) -> list[tuple[Search, Estimate | None]]:
        """Every search as it came to know its loss, and its best estimate; side by side if possible.

        If one of them finds the loss to be coarser than it was thought to be, those that say that a
        claim is wrong are made again with that knowledge. And before any claim is called wrong, the
        worst of them looks for steps in the graph of the loss. One that can't decide looks whether
        there are errors that had not been seen: too late for better steps, and a word in the report.
        """
        found = self.measure_once(searches)
        for _ in range(ATTEMPTS):
            noise = max((search.noise for search, _ in found), default=0.0)
            wrong = [number for number, pair in enumerate(found) if verdict(*pair) in ("fail", "kink")]
            if wrong and noise <= self.objective.noise and not self.is_continuous:
                worst = max(wrong, key=lambda number: judged(*found[number], "", "", None).excess)
                noise = self.roughness(*found[worst])
                self.is_continuous = noise == 0
            if noise <= self.objective.noise:
                break
            self.objective.noise = noise
            again = self.measure_once([found[number][0].coarser(noise) for number in wrong])
            for number, pair in zip(wrong, again, strict=True):
                found[number] = pair
        undecided = [n for n, pair in enumerate(found) if verdict(*pair) == "inconclusive"]
        if undecided and not (self.is_noisy() or self.unseen_noise):
            worst = max(undecided, key=lambda n: judged(*found[n], "", "", None).tolerance)
            self.unseen_noise = self.noise_around(*found[worst])
        return found

    def is_noisy(self) -> bool:
        """Whether the values of the loss are known to be far less exact than their last digits."""
        objective = self.objective
        return objective.noise > NOISY * objective.roundoff * abs(objective.value)

    def noise_around(self, search: Search, best: Estimate | None) -> float:
        """The errors of the loss where a search could not decide; 0 if they had been known."""
        if best is None or not (isfinite(best.error) and search.test.agrees_with(best)):
            return 0.0
        f = Counted(search.f)
        noise = replace(search, f=f).noise_at(best)
        self.objective.evaluations += f.calls
        known = best.rounding * best.step + 4 * search.test.by_rounding_theta(best)
        return noise if noise > known else 0.0

    def roughness(self, search: Search, best: Estimate | None) -> float:
        """How much the loss jumps up and down along the line of a search that contradicts its claim.

        If that claim is off by little, we look where all parameters move, too: a solver may stop early.
        """
        f = Counted(search.f)
        off = inf if best is None else abs(best.value - search.test.claim)
        rough = roughness_along(replace(search, f=f), off)
        self.objective.evaluations += f.calls
        if not rough and off < SLIGHT * search.test.size:
            leaves = [leaf for leaf, free in enumerate(self.scales.free) if free.any()]
            line = self.scales.search_along(leaves)
            f = Counted(line.f)
            off *= search.test.reach / line.test.reach  # in units of this line
            rough = roughness_along(replace(line, f=f), off, roughness_afar)
            self.objective.evaluations += f.calls
        return rough

    def measure_once(self, searches: list[Search]) -> list[tuple[Search, Estimate | None]]:
        """For every search, by itself, where it ended and its best estimate of the slope."""
        self.progress.expect(len(searches))
        found = []
        results = (self.executor.map if self.executor else map)(_settled, searches)
        for original, (search, best, evaluations) in zip(searches, results, strict=True):
            self.objective.evaluations += evaluations
            self.progress.advance()
            found.append((replace(search, f=original.f), best))
        return found

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

    def has_failing_doubts(self) -> bool:
        """Whether the claim lies outside of both slopes along one of these directions."""
        return any(p.verdict == "fail" and self.is_doubtful(p) for p in self.probes)

    def has(self, verdict: str) -> bool:
        """Whether a probe has that verdict."""
        return any(probe.verdict == verdict for probe in self.probes)

    def overrule(self, verdict: str) -> None:
        """Give the doubtful probes another verdict."""
        self.probes = [replace(p, verdict=verdict) if self.is_doubtful(p) else p for p in self.probes]


def _settled(search: Search) -> tuple[Search, Estimate | None, int]:
    """What an executor's worker does: the settled search, its estimate, and the evaluations."""
    f = Counted(search.f)
    settled, best = replace(search, f=f).settle()
    return settled, best, f.calls


def verdict(search: Search, best: Estimate | None) -> str:
    """What a search says of its claim; nothing if the loss has no values."""
    return "" if best is None else search.test.verdict(best)


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
        fine=test.fine,
    )


def next_step(search: Search, best: Estimate) -> float:
    """The first step for the next direction, from what was best for this one."""
    if best.step == search.step:
        return best.step
    if best.step > search.step:  # roundings matter: from wide steps on
        return 2 * best.step
    if best.error < 2 * best.rounding and best.step > search.step / 8:
        return 2 * best.step  # where the loss is smooth; a first estimate hardly ever counts
    # Kinks lie elsewhere along the next direction, and perhaps nearer.
    roundings_allow = 8 * SAFETY * best.rounding < search.test.blunt * search.test.size / 10
    return best.step / 8 if roundings_allow else best.step
