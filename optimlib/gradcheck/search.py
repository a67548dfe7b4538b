"""Which steps: the search for the difference quotient that knows a slope best.

A *ladder* is a row of estimates, each with half the step of the one before. A search climbs down a
ladder until it knows which rung is best. Before it lets a claim be called wrong, it looks at the loss
from much nearer, and measures the errors of its values on the spot (`optimlib.gradcheck.noise`). Once
others have failed, one estimate that is clear is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from math import copysign, isfinite
from typing import Any

import numpy as np

from optimlib.differences import Estimate, estimates, one_sided_estimates
from optimlib.gradcheck.jumps import jump_at_theta
from optimlib.gradcheck.noise import noise_close_by
from optimlib.gradcheck.slope import SAFETY, SlopeTest

START = 4  # first step, in units of Richardson's best: it leaves room for two halvings
APART = 2**12  # so many times smaller steps are tried before a claim is called wrong
TINY = 2**9  # steps of fewer roundings of the reach see roundings that no longer show in the values
HALVINGS = 60  # of the first step, at most
INWARDS = 16  # where the loss is undefined, steps shrink by so much
COARSER = 4  # so often at most the loss is found to be coarser than it was thought to be
NOISY = 2**8  # so many roundings of the loss
ROOM = 4  # a difference of slopes of so many errors is no chance
CONFIRMATIONS = 4  # so many small steps confirm that a claim is wrong
BY_FAR = 10  # tolerances of disagreement: one estimate, and the smallest step, are enough
MUCH_SMALLER = 64  # times, that step is at least, or it says nothing new
WIDER = (1, 4, 16)  # times a step that shows another slope: one of these may know it well enough
OUT_OF_STEP = 0.01 / 0.8123  # of a step: roundings that repeat with the steps show with others


def first_step(reach: float, value: float, roundoff: float, noise: float) -> float:
    """The first and largest step of a check: `START` times Richardson's best, in units of `reach`.

    >>> round(first_step(1.0, value=1.0, roundoff=2.0**-55, noise=0.0) * 2**9, 9)
    1.0
    """
    eta = max(roundoff, noise / abs(value) if value else 0.0)
    return START * eta ** (1 / 5) * reach


@dataclass(frozen=True)
class Search:
    """The search for the best estimate of a slope of `f` at `x`.

    Attributes
    ----------
    f, x
        The loss as a function of one number, and that number at theta.
    test
        The claim about the slope.
    step
        The first step, negative for the left side if `one_sided`.
    widest, least
        The largest step that may be taken, and one that is lost in the rounding of theta.
    near
        A step for numbers of order 1, if `step` is one for numbers far from zero; else 0.
    roundoff, noise
        The unit roundoff of the values of `f`, and their absolute error where it is known to be
        larger than that.
    most
        How many estimates are made at most; two more while they do not decide.
    one_sided
        Whether `f` may be called on one side of `x` only.
    is_brief
        Whether one estimate is enough where it is clear (`is_clear`).

    Examples
    --------
    >>> import numpy as np
    >>> test = SlopeTest(claim=1.001, claim_error=1e-16, size=1.0, fine=1e-7, value=1.0,
    ...     noise=0.0, roundoff=2.0**-53, length=0.0, length_of_all=0.0, reach=1.0)
    >>> search = Search(np.exp, np.float64(0.0), test, step=2.0**-9, widest=1.0, least=0.0, near=0.0,
    ...     roundoff=2.0**-53, noise=0.0)
    >>> test.verdict(search.best_estimate())
    'fail'
    """

    f: Callable[[Any], float]
    x: Any
    test: SlopeTest
    step: float
    widest: float
    least: float
    near: float
    roundoff: float
    noise: float
    most: int = HALVINGS
    one_sided: bool = False
    is_brief: bool = False

    def settle(self) -> tuple[Search, Estimate | None]:
        """The best estimate, and the search that found it: this one, or one that knows more noise.

        No claim is called wrong before the errors of the loss have been measured where it was judged,
        unless the search is brief and the claim is clearly wrong.
        """
        if self.is_brief and (clear := self.clear_estimate()) is not None:
            return self, clear
        search, best = self, self.best_estimate()
        for _ in range(COARSER):
            if best is None or search.test.verdict(best) not in ("fail", "kink"):
                break
            noise = search.noise_at(best)
            if noise <= best.rounding * best.step:  # four times what it was thought to be
                break
            search = search.coarser(noise)
            best = search.best_estimate()
        if best is None or best.error > self.test.blunt * self.test.size:
            rounding = self.roundoff * abs(self.test.value)
            widest = copysign(self.widest, self.step)
            jump = jump_at_theta(lambda h: self.quotient(h)[0], self.along, widest, rounding)
            if jump is not None:
                return self, jump
        if best is not None and search.is_noisy and search.test.verdict(best) in ("fail", "kink"):
            off = abs(best.value - search.test.claim)
            if not search.is_confirmed(best, off):
                best = best._replace(error=max(best.error, off), jump=0.0)
        return search, best

    @property
    def is_noisy(self) -> bool:
        """Whether the values of the loss are far less exact than their last digits."""
        return self.noise > NOISY * self.roundoff * abs(self.test.value)

    def is_confirmed(self, best: Estimate, off: float) -> bool:
        """Whether the smallest steps that noise leaves room for contradict the claim as well.

        Steps that are wide enough for a noisy loss may be too wide for its curves.
        """
        step = ROOM * self.noise / off
        for _ in range(CONFIRMATIONS):
            if step >= best.step:
                break
            slope, _ = self.quotient(copysign(step, self.step))
            if isfinite(slope) and abs(slope - self.test.claim) < off / 2:
                return False
            step *= 3
        return True

    def clear_estimate(self) -> Estimate | None:
        """The first estimate with wide steps or with small ones, if it is clear; else None."""
        if self.near:
            return None
        e = self.glance(self.step) or next(self.ladder(self.step), None)
        if e is None or self.is_clear(e):
            return e
        e = next(self.ladder(self.step / APART), None)
        return e if e is not None and self.is_clear(e) else None

    def is_clear(self, e: Estimate) -> bool:
        """Whether an estimate by itself leaves no doubt of what to say of the claim.

        It agrees with the claim in seven digits. Or it differs by far, or sees a kink that is steep by
        far, and the smallest step that the errors of the loss leave room for does not contradict it.
        """
        test, verdict = self.test, self.test.verdict(e)
        if verdict in ("pass", "inconclusive"):
            return verdict == "pass" and test.tolerance(e) <= test.fine
        off = max(abs(e.value - test.claim), abs(e.jump) / 2 if test.sees_jump(e) else 0.0)
        # The values are exact to e.rounding * e.step / 4: with this step, to a quarter of `off`.
        smallest = max(e.rounding / off * e.step, TINY * self.roundoff * test.reach, 2 * self.least)
        if off < BY_FAR * test.tolerance(e) or smallest > e.step / MUCH_SMALLER:
            return False
        slope, _ = self.quotient(copysign(smallest, self.step))
        return abs(slope - e.value) <= off / 2

    def best_estimate(self) -> Estimate | None:
        """The estimate of the true slope with the smallest error, or None if `f` has no values.

        It comes from as few steps as show which one that is. Before a claim is called wrong, much
        smaller steps have to say the same.
        """
        best = self.narrowing(self.step)
        step = self.step
        # A loss that hardly bends may be sampled further out, where its roundings matter less.
        while best is not None and self.is_drowned(best, step) and 8 * abs(step) <= self.widest:
            step *= 8
            further = [e for e in islice(self.ladder(step), 1, 2) if isfinite(e.error)]
            best = min([best, *further], key=lambda e: e.error)
        if best is not None and self.near and self.test.verdict(best) in ("pass", "inconclusive"):
            other = self.contradiction(best, [self.near])
            best = best if other is None else self.narrowing(copysign(other.step, self.step))
        while best is not None and self.test.verdict(best) in ("fail", "kink"):
            other = self.contradiction(best, self.much_smaller(best))
            if other is None:
                break
            nearer = self.narrowing(copysign(other.step, self.step))
            best = nearer or other._replace(error=max(other.error, abs(other.value - best.value)))
        if best is not None and self.near and self.test.verdict(best) == "inconclusive":
            other = self.narrowing(copysign(self.near, self.step))
            best = best if other is None else min(best, other, key=lambda e: e.error)
        return best

    def narrowing(self, step: float) -> Estimate | None:
        """The best estimate with this step and smaller ones."""
        test, best = self.test, self.glance(step)
        if best is not None:
            return best
        rungs = islice(self.ladder(step), HALVINGS)
        first = next(rungs, None)
        if first is not None and not isfinite(first.error):
            rungs = islice(self.ladder(self.into_domain(step)), HALVINGS)
            first = next(rungs, None)
        if first is None:
            return None
        if test.verdict(first) == "pass" and test.tolerance(first) <= test.fine:
            return first
        # The error of the first rests on two extrapolations, which may agree by chance.
        for number, e in enumerate((e for e in rungs if isfinite(e.error)), start=2):
            if test.verdict(e) == "pass" and test.tolerance(e) <= test.fine:
                return e
            if best is None or e.error < best.error:
                best = e
            if test.verdict(best) == "inconclusive" and test.verdict(e) == "fail":
                best = e  # a little less exact, and free of what made the other indecisive
            nearly = test.verdict(best) == "inconclusive" and not test.agrees_with(best)
            if e.rounding > (8 if nearly else 1) * best.error:  # which doubles with every halving
                break
            patience = 2 if test.verdict(best) == "inconclusive" else 0
            if number >= self.most + patience:
                break
        return best

    def glance(self, step: float) -> Estimate | None:
        """Two central differences, if their extrapolation agrees with the claim in seven digits.

        A wrong claim would have to hit upon the same wrong number by chance.
        """
        x, test = self.x, self.test
        h, half = type(x)(step), type(x)(step / 2)
        if self.one_sided or abs(step) <= 4 * self.least or x + half == x:
            return None
        f_x, (left, right), (near_left, near_right) = (
            test.value,
            (self.f(x - h), self.f(x + h)),
            (self.f(x - half), self.f(x + half)),
        )
        wide = (right - left) / float((x + h) - (x - h))
        narrow = (near_right - near_left) / float((x + half) - (x - half))
        value = (4 * narrow - wide) / 3
        rounding = max(2 * self.roundoff * (abs(right) + abs(left)), self.noise) / abs(float(half) / 2)
        bend = near_right - 2 * f_x + near_left  # of a kink, half of what it is over twice the step
        jump = (2 * bend - (right - 2 * f_x + left) / 2) / float(half)
        if not abs(jump) <= 1e-3 * abs(test.claim) + 2 * rounding:
            return None
        error = abs(test.claim - value) + rounding
        e = Estimate(value, error, rounding, float(h), bend / float(half) ** 2, 0.0, 0.0)
        return e if test.tolerance(e) <= test.fine and test.verdict(e) == "pass" else None

    def into_domain(self, step: float) -> float:
        """A step with which the loss is defined, or one that is lost in the rounding of theta."""
        while abs(step) > self.least and self.x + type(self.x)(step) != self.x:
            sides = (step,) if self.one_sided else (step, -step)
            if all(isfinite(self.f(self.x + type(self.x)(side))) for side in sides):
                return step
            step /= INWARDS
        return step

    @property
    def least_step(self) -> float:
        """The smallest step that the rounding of theta leaves room for."""
        return max(TINY * self.roundoff * self.test.reach, 2 * self.least)

    def much_smaller(self, best: Estimate) -> list[float]:
        """Much smaller steps; with one of them, noise barely lets estimate and claim be told apart."""
        least, off = self.least_step, abs(best.value - self.test.claim)
        steps = [max(best.step / APART**k, least) for k in (1, 2, 3)]
        if off and self.noise > 4 * self.roundoff * abs(self.test.value):
            steps.append(max(4 * SAFETY * self.noise / off, least))
        return sorted({step for step in steps if MUCH_SMALLER * step <= best.step}, reverse=True)

    def contradiction(self, best: Estimate, steps: list[float]) -> Estimate | None:
        """An estimate with one of these smaller steps that says something else, if there is one.

        With wide steps, a kink close by looks like one at theta, and a fast oscillation like a
        slope of its own. The smallest steps show that; somewhat wider ones may know the slope better.
        """
        for step in steps:
            slope, rounding = self.quotient(copysign(step, self.step))
            if not isfinite(rounding) or step < TINY * self.roundoff * self.test.reach:
                break
            off = abs(slope - best.value)
            if off <= SAFETY * (rounding + best.error) or (slope == 0 and step == self.least_step):
                continue  # flat over so small a step, the loss may be one of rounded parameters
            for wider in WIDER:
                e = next(self.ladder(copysign(min(wider * step, best.step / 4), self.step)), None)
                if e is None or not abs(e.value - best.value) > SAFETY * (e.error + best.error):
                    continue
                if wider == 1 or abs(e.value - slope) <= off / 2:
                    return e
        return None

    def quotient(self, step: float) -> tuple[float, float]:
        """One difference quotient and its error by rounding; NaN and infinity where there is none."""
        x, h = self.x, type(self.x)(step)
        right, left = x + h, x if self.one_sided else x - h
        if right == left or abs(step) <= self.least:
            return float("nan"), float("inf")
        f_right, f_left = self.f(right), self.test.value if self.one_sided else self.f(left)
        error = max(2 * self.roundoff * (abs(f_right) + abs(f_left)), self.noise)
        return (f_right - f_left) / float(right - left), error / abs(step)

    def ladder(self, step: float) -> Iterator[Estimate]:
        """Estimates with this step and its halves, as long as they move theta at all."""
        if self.x + type(self.x)(step) == self.x:
            return iter(())
        rungs = (one_sided_estimates if self.one_sided else estimates)(
            self.f,
            self.x,
            type(self.x)(step),
            f_x=self.test.value,
            roundoff=self.roundoff,
            noise=self.noise,
        )
        return takewhile(lambda e: e.step > self.least, rungs)

    def is_drowned(self, e: Estimate, step: float) -> bool:
        """Whether only the roundings of the loss keep an estimate with these steps from deciding."""
        of_wide_steps = e.step > abs(step) / 3
        return of_wide_steps and e.error <= 4 * e.rounding and self.test.verdict(e) == "inconclusive"

    def noise_at(self, best: Estimate) -> float:
        """The error of the values of `f`, as they were used for this estimate."""
        sides = (copysign(1, self.step),) if self.one_sided else (1.0, -1.0)
        # Points at equal distances, each of them a number: else their rounding is seen, too.
        exact = 2 * float(np.spacing(abs(self.x) + best.step))
        spacing = exact * round(OUT_OF_STEP * best.step / exact)
        return 4 * noise_close_by(self.along, spacing, self.test.value, sides) if spacing else 0.0

    def along(self, distance: float) -> float:
        """The loss at a distance from theta."""
        return self.f(self.x + type(self.x)(distance))

    def coarser(self, noise: float) -> Search:
        """The search for a loss whose values have so large an error."""
        value = self.test.value
        grown = first_step(1.0, value, self.roundoff, noise) / first_step(
            1.0, value, self.roundoff, self.noise
        )
        step = copysign(min(abs(self.step) * grown, max(self.widest, abs(self.step))), self.step)
        test = replace(self.test, noise=noise)
        return replace(self, step=step, near=self.near * grown, noise=noise, test=test)
