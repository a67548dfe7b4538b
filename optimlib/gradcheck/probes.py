"""Probes: coordinates and random directions, and the search for what is to blame (chapter 3)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from math import hypot, inf, nan, sqrt

import numpy as np

from optimlib.differences import Estimate
from optimlib.gradcheck.lines import Coordinate, Line, evaluate_anywhere
from optimlib.gradcheck.objective import Subject
from optimlib.gradcheck.report import Probe
from optimlib.gradcheck.slope import HALVINGS, NEGLIGIBLE, SAFETY, SHARP, Claim, first_step
from optimlib.gradcheck.subgradients import excess, gradients_beside
from optimlib.trees import copy_tree, flatten, format_index

DIRECTIONS = 6  # more are probed along so many random directions, if
BUDGET = 40  # that many evaluations are enough (a dozen more look for randomness and noise), and
FURTHER = 3  # each but the first makes do with so many estimates: 10 evaluations, 12 if undecided
GROUPS = 3  # leaves whose gradients differ much in size are moved apart, in so many groups at most
ALIKE = 10  # norms of gradients of this ratio are alike
TIED = 3  # up to so many numbers with a kink are looked at together
LOST = 2**10  # so many roundings of theta a step along a direction must be
UNLIKE = 1000  # numbers of one leaf whose sizes have this ratio are in different units
MANY = 12  # of more leaves that may be to blame, one is found by halving
BLAMED = 3  # so many leaves are looked into
SAMPLE = 7  # coordinates of a leaf that are probed to see what is wrong with it


class Prober:
    """Probes one claimed gradient at one point and collects what it finds.

    Parameters
    ----------
    subject
        The loss, the gradient and the point.
    executor
        Where to measure side by side, or None.
    progress
        Whether to show a progress bar.

    Attributes
    ----------
    probes : list of Probe
        What was found.
    evaluations : int
        How often the loss was called.

    Examples
    --------
    >>> from optimlib.gradcheck.bounds import Room
    >>> room, rng = Room(np.ones(2), (-np.inf, np.inf)), np.random.default_rng(0)
    >>> prober = Prober(Subject(np.sum, np.ones_like, np.ones(2), room, rng))
    >>> prober.probe_coordinates(2)
    >>> [probe.verdict for probe in prober.probes]
    ['pass', 'pass']
    """

    def __init__(
        self, subject: Subject, executor: Executor | None = None, progress: bool = False
    ) -> None:
        self.subject, self.executor, self.progress = subject, executor, progress
        self.rng = subject.rng
        self.probes: list[Probe] = []
        self.evaluations = 0
        self.paths = [path for path, _ in subject.leaves]
        self.leaves = [leaf for _, leaf in subject.leaves]
        self.gradient = [g for _, g in subject.gradient]
        self.units = [_units(leaf) for leaf in self.leaves]
        self.norms = [norm([g * units]) for g, units in zip(self.gradient, self.units, strict=True)]
        self.length = norm(self.leaves)

    def probe_coordinates(self, count: int) -> None:
        """Probe `count` coordinates of every leaf, or all of a leaf that has no more."""
        places = []
        for number, g in enumerate(self.gradient):
            chosen = sorted(self.rng.choice(g.size, min(count, g.size), replace=False))
            places += [(number, _index(flat, g.shape)) for flat in chosen]
        found = self.add_coordinates(places)
        kinks = [place for place, p in zip(places, found, strict=True) if p.jump]
        if 2 <= len(kinks) <= TIED:
            self.probe_together(kinks)

    def probe_together(self, places: list[tuple[int, tuple[int, ...]]]) -> None:
        """Whether slopes that are right one by one at their kinks are right together.

        A probe is added if they are not: for the direction that shows it best.
        """
        subject = self.subject
        x = np.array([self.leaves[leaf][index] for leaf, index in places])

        def f(numbers: np.ndarray) -> float:
            moved = copy_tree(subject.theta)
            leaves = [leaf for _, leaf in flatten(moved)]
            for (leaf, index), number in zip(places, numbers, strict=True):
                leaves[leaf][index] = number
            self.evaluations += 1
            return evaluate_anywhere(subject.loss, moved)

        distances = subject.roundoff**0.25 * np.maximum(1, np.abs(x))
        gradients, errors = gradients_beside(
            f, x, distances, self.rng, roundoff=subject.roundoff, noise=subject.noise
        )
        claim = np.array([float(self.gradient[leaf][index]) for leaf, index in places])
        d, ratio = excess(claim, gradients, errors, self.rng)
        if not ratio > SAFETY:
            return
        error = float((np.abs(d) @ errors.T).max())
        self.probes.append(
            Probe(
                place=", ".join(
                    f"theta{self.paths[leaf]}{format_index(index)}" for leaf, index in places
                ),
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

    def add_coordinates(self, places: list[tuple[int, tuple[int, ...]]]) -> list[Probe]:
        """Probe the coordinates at these places: leaf and index."""
        claims = [self.coordinate(leaf, index) for leaf, index in places]
        added = []
        for (leaf, index), claim, best in zip(places, claims, self.measure(claims), strict=True):
            path = self.paths[leaf]
            added.append(self.judge(claim, best, f"theta{path}{format_index(index)}", path, index))
        self.probes += added
        return added

    def probe_directions(self, count: int | None) -> None:
        """Probe random directions over all parameters, the groups of leaves taking turns.

        The first probe finds out which steps suit this loss, the others begin with those. Without a
        `count` there are as many as the budget allows, and one for every group at least.
        """
        if count == 0:
            return
        groups = _groups(self.norms, min(GROUPS, count or GROUPS))
        before = self.evaluations
        steps = self.add_directions(groups[:1], [inf])
        cost = min(6 + 2 * FURTHER, self.evaluations - before)  # of one more
        flat = [inf if self.norms[group[0]] == 0 else steps[0] for group in groups]
        steps += self.add_directions(groups[1:], flat[1:])
        if count is None:
            left = BUDGET - (self.evaluations - before)
            affordable = max(1, left // cost)
            count = min(DIRECTIONS, len(groups) + affordable)
        turns = [number % len(groups) for number in range(len(groups), count)]
        self.add_directions([groups[n] for n in turns], [steps[n] for n in turns], FURTHER)

    def add_directions(
        self, groups: list[list[int]], steps: list[float], most: int = HALVINGS
    ) -> list[float]:
        """Probe one random direction for each group of leaves; return the steps that suit each.

        Steps are in units of the direction's reach; `most` is how many estimates are made at most.
        """
        claims = [
            self.direction(group, step, most=most) for group, step in zip(groups, steps, strict=True)
        ]
        suited = []
        for group, claim, step, best in zip(groups, claims, steps, self.measure(claims), strict=True):
            place = f"direction {1 + sum(probe.index is None for probe in self.probes)}"
            paths = tuple(self.paths[leaf] for leaf in group)
            if len(group) < len(self.leaves):
                place += f" over {', '.join('theta' + path for path in paths)}"
            self.probes.append(self.judge(claim, best, place, "", None, paths))
            suited.append(step if best is None else _suited(claim, best) / claim.reach)
        return suited

    def coordinate(self, leaf: int, index: tuple[int, ...]) -> Claim:
        """What the gradient claims of the coordinate at one place."""
        x = self.leaves[leaf][index]
        slope = float(self.gradient[leaf][index])
        ordinary = norm([self.gradient[leaf]]) / sqrt(self.gradient[leaf].size)  # root mean square
        reach = max(1.0, abs(float(x)))
        h, one_sided = self.subject.room.step(leaf, index, self.random_step(reach))
        widest, _ = self.subject.room.step(leaf, index, reach)
        return Claim(
            f=Coordinate(self.subject.loss, self.subject.theta, leaf, index),
            x=x,
            value=self.subject.value,
            slope=slope,
            size=max(abs(slope), ordinary),
            fine=SHARP * abs(slope),
            terms=abs(slope) + 4 * ordinary,
            step=h,
            widest=abs(widest),
            least=0.0,
            length=abs(float(x)),
            length_of_all=self.length,
            reach=reach,
            roundoff=self.subject.roundoff,
            noise=self.subject.noise,
            one_sided=one_sided,
        )

    def direction(
        self,
        leaves: list[int],
        step: float = inf,
        part: slice = slice(None),
        most: int = HALVINGS,
    ) -> Claim:
        """What the gradient claims of a random direction over some leaves, or over part of one.

        Parameters
        ----------
        leaves
            Their numbers. All others stay where they are.
        step
            The largest step that makes sense, in units of the direction's reach.
        part
            Which elements of each leaf, in one row, are moved.
        most
            How many estimates are made at most.
        """
        direction: list[np.ndarray | None] = [None] * len(self.leaves)
        for leaf in leaves:
            d = np.zeros(self.gradient[leaf].size)
            d[part] = self.rng.standard_normal(d[part].size)
            direction[leaf] = d.reshape(self.gradient[leaf].shape) * self.units[leaf]
        count = sum(np.count_nonzero(direction[leaf]) for leaf in leaves)
        unit = norm([d for d in direction if d is not None])
        length = norm([self.leaves[leaf] for leaf in leaves]) / unit
        reach = max(1.0 / unit, length)
        least = LOST * self.subject.roundoff * length
        h = max(min(step * reach, self.random_step(reach)), 2**6 * least)
        direction, h, one_sided = self.subject.room.inwards(direction, h)
        products = [self.gradient[leaf].astype(np.float64) * direction[leaf] for leaf in leaves]
        norms = [self.norms[leaf] for leaf in leaves if not self.is_negligible(leaf)]
        smallest = min(norms, default=0.0)
        return Claim(
            f=Line(self.subject.loss, self.subject.theta, direction),
            x=0.0,
            value=self.subject.value,
            slope=float(sum(product.sum() for product in products)),
            size=min(hypot(*norms), ALIKE * smallest),
            fine=SHARP * smallest,
            terms=float(sum(np.abs(product).sum() for product in products)),
            step=h,
            widest=reach if self.subject.room.is_unbounded and most == HALVINGS else h,
            least=least,
            length=length / sqrt(count),
            length_of_all=self.length / unit,
            reach=reach,
            roundoff=self.subject.roundoff,
            noise=self.subject.noise,
            most=most,
            one_sided=one_sided,
        )

    def random_step(self, reach: float) -> float:
        """A first step. Its random part keeps a function with the period of all steps from hiding."""
        return first_step(
            reach, self.subject.value, self.subject.roundoff, self.subject.noise
        ) * self.rng.uniform(0.7, 1.4)

    def is_negligible(self, leaf: int) -> bool:
        """Whether what a leaf's gradient claims is lost in the roundings of the loss."""
        reach = max(1.0, norm([self.leaves[leaf]]))
        return self.norms[leaf] * reach <= NEGLIGIBLE * self.subject.roundoff * abs(self.subject.value)

    def measure(self, claims: list[Claim]) -> Iterator[Estimate | None]:
        """The best estimate for every claim, side by side if there is an executor."""
        results = (self.executor.map if self.executor else map)(_measure, claims)
        if self.progress:
            from tqdm.auto import tqdm

            results = tqdm(results, total=len(claims), desc="gradient check", unit="probe")
        for best, evaluations in results:
            self.evaluations += evaluations
            yield best

    def judge(
        self,
        claim: Claim,
        best: Estimate | None,
        place: str,
        path: str,
        index: tuple[int, ...] | None,
        leaves: tuple[str, ...] = (),
    ) -> Probe:
        """Compare a claim with what was measured."""
        verdict = "inconclusive" if best is None else claim.verdict(best)
        return Probe(
            place=place,
            path=path,
            index=index,
            analytic=claim.slope,
            numeric=nan if best is None else best.value,
            error=inf if best is None else best.error,
            tolerance=inf if best is None else claim.tolerance(best),
            jump=0.0 if best is None or not claim.sees_jump(best) else best.jump,
            verdict=verdict,
            leaves=leaves,
        )

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

    # Where it failed

    def find_failures(self) -> None:
        """If a direction failed, find leaves and coordinates that are to blame."""
        failed = [p for p in self.probes if p.verdict == "fail" and p.index is None]
        paths = {path for probe in failed for path in probe.leaves}
        suspects = [number for number, path in enumerate(self.paths) if path in paths]
        for leaf in self.guilty(suspects)[:BLAMED]:
            self.blame(leaf)

    def guilty(self, leaves: list[int]) -> list[int]:
        """The leaves whose own directions fail; of many, by halving, one of them."""
        while len(leaves) > MANY:
            half = leaves[: len(leaves) // 2]
            leaves = half if self.fails(half) else leaves[len(leaves) // 2 :]
        return [leaf for leaf in leaves if self.fails([leaf])] if len(leaves) > 1 else leaves

    def fails(self, leaves: list[int], part: slice = slice(None)) -> bool:
        """Whether a random direction over these leaves, or over part of one, fails."""
        claim = self.direction(leaves, part=part)
        (best,) = self.measure([claim])
        return best is not None and claim.verdict(best) == "fail"

    def blame(self, leaf: int) -> None:
        """Probe coordinates of a leaf until one fails: at random, and then by halving."""
        g = self.gradient[leaf]
        chosen = set(self.rng.choice(g.size, min(SAMPLE, g.size), replace=False).tolist())
        chosen.add(int(np.abs(g).argmax()))
        known = {(p.path, p.index) for p in self.probes}
        places = [(leaf, _index(flat, g.shape)) for flat in sorted(chosen)]
        fresh = [(n, index) for n, index in places if (self.paths[n], index) not in known]
        if any(probe.verdict == "fail" for probe in self.add_coordinates(fresh)):
            return
        first, last = 0, g.size
        while last - first > 1:
            middle = (first + last) // 2
            if self.fails([leaf], slice(first, middle)):
                last = middle
            elif self.fails([leaf], slice(middle, last)):
                first = middle
            else:
                return  # spread so thinly that no part of it can be seen alone
        self.add_coordinates([(leaf, _index(first, g.shape))])


def _measure(claim: Claim) -> tuple[Estimate | None, int]:
    """The best estimate and the evaluations it took: what an executor's worker does."""
    return claim.best_estimate(), claim.f.evaluations


def _suited(claim: Claim, best: Estimate) -> float:
    """The first step for the next direction, from what was best for one before it."""
    if best.step == claim.step:
        return best.step
    if best.error < 2 * best.rounding and best.step > claim.step / 8:
        return 2 * best.step  # where the loss is smooth; a first estimate hardly ever counts
    # Kinks lie elsewhere along the next direction, and perhaps nearer.
    roundings_allow = 8 * SAFETY * best.rounding < claim.blunt * claim.size / 10
    return best.step / 8 if roundings_allow else best.step


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index in an array of that shape of the element with a number in its row."""
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def _units(leaf: np.ndarray) -> np.ndarray | float:
    """The units in which the numbers of a leaf are moved: their own sizes, if these differ a lot.

    >>> _units(np.array([0.5, -2.0, 0.1])), _units(np.array([1e-6, 1.0, 0.0, 1e6]))
    (1.0, array([1.e-06, 1.e+00, 1.e+00, 1.e+06]))
    """
    sizes = np.abs(leaf[leaf != 0], dtype=np.float64)
    if sizes.size == 0:
        return 1.0
    low, middle, high = np.quantile(sizes, (0.1, 0.5, 0.9))
    return np.where(leaf == 0, 1, np.abs(leaf / middle)) if high > UNLIKE * low else 1.0


def _groups(norms: list[float], most: int) -> list[list[int]]:
    """Leaves in groups of gradients of like size, the largest first: `most` groups or fewer.

    Leaves that are claimed to have no gradient form the last one. While norms of another differ by
    more than `ALIKE`, it is parted at its widest gap.

    >>> _groups([1.0, 3e-9, 2.0, 1e-9, 0.0], most=3)
    [[2, 0], [1, 3], [4]]
    """
    order = sorted(range(len(norms)), key=lambda leaf: -norms[leaf])
    zero = [leaf for leaf in order if norms[leaf] == 0]
    groups = [group for group in (order[: len(order) - len(zero)], zero) if group]
    if len(groups) > most:
        return [order]
    while len(groups) < most:
        gaps = [
            (norms[group[i]] / norms[group[i + 1]], number, i + 1)
            for number, group in enumerate(groups)
            if norms[group[0]] > ALIKE * norms[group[-1]]
            for i in range(len(group) - 1)
        ]
        if not gaps:
            break
        _, number, i = max(gaps)
        groups[number : number + 1] = [groups[number][:i], groups[number][i:]]
    return groups


def norm(leaves: list[np.ndarray]) -> float:
    """The Euclidean norm of all numbers together, in float64; no square overflows.

    >>> round(norm([np.array([3e200]), np.array([[4e200]])]) / 1e200, 9)
    5.0
    """
    largest = max((float(np.abs(leaf).max()) for leaf in leaves if leaf.size), default=0.0)
    if largest == 0:
        return 0.0
    scaled = (np.square(leaf.astype(np.float64) / largest).sum() for leaf in leaves)
    return largest * sqrt(sum(float(total) for total in scaled))
