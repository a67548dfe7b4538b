"""One claimed slope against the values of a loss along a line: tolerance and verdict (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from math import copysign, isfinite, sqrt
from typing import Any

from optimlib.differences import Estimate, estimates, one_sided_estimates

SAFETY = 4  # a claim passes within this many estimated errors
SHARP = 1e-7  # with a tolerance below this part of the slope, no smaller steps are tried
BLUNT = 1e-3  # a tolerance above this part of the gradient's size decides nothing
START = 4  # first step, in units of Richardson's best: it leaves room for two halvings
NEGLIGIBLE = 64  # so many roundings of the loss, over the size of theta, are no slope
APART = 2**12  # so many times smaller steps are tried before a claim is called wrong
HALVINGS = 60  # of the first step, at most


def first_step(reach: float, value: float, roundoff: float, noise: float) -> float:
    """The first and largest step of a check: `START` times Richardson's best, in units of `reach`.

    >>> round(first_step(1.0, value=1.0, roundoff=2.0**-55, noise=0.0) * 2**9, 9)
    1.0
    """
    eta = max(roundoff, noise / abs(value) if value else 0.0)
    return START * eta ** (1 / 5) * reach


@dataclass(frozen=True)
class Claim:
    """A slope that a gradient claims for the loss along a line through theta.

    Attributes
    ----------
    f, x
        The loss as a function of one number, and that number at theta.
    value
        ``f(x)``.
    slope
        The claim.
    size
        The smallest slope that has to be told from zero: what the gradient around it makes likely.
    fine
        With a tolerance up to this, no smaller steps are tried.
    terms
        The sum of the absolute values of what `slope` is the sum of.
    step
        The first step, negative for the left side if `one_sided`.
    widest, least
        The largest step that may be taken, and one that is lost in the rounding of theta.
    length
        How far what the line moves is from zero, in units of the line.
    length_of_all
        The same for all of theta.
    reach
        The same as `length`, but no less than 1 in the parameters' own units.
    roundoff
        The unit roundoff of the numbers that the loss computes with.
    noise
        The absolute error of the values of `f`, where it is known to be larger than that.
    most
        How many estimates are made at most; two more while they do not decide.
    one_sided
        Whether `f` may be called on one side of `x` only.

    Examples
    --------
    >>> import numpy as np
    >>> claim = Claim(np.exp, np.float64(0.0), 1.0, slope=1.001, size=1.0, fine=1e-7, terms=1.0,
    ...     step=2.0**-9, widest=1.0, least=0.0, length=0.0, length_of_all=0.0, reach=1.0,
    ...     roundoff=2.0**-53, noise=0.0)
    >>> claim.verdict(claim.best_estimate())
    'fail'
    """

    f: Callable[[Any], float]
    x: Any
    value: float
    slope: float
    size: float
    fine: float
    terms: float
    step: float
    widest: float
    least: float
    length: float
    length_of_all: float
    reach: float
    roundoff: float
    noise: float
    most: int = HALVINGS
    one_sided: bool = False

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
        while best is not None and self.verdict(best) in ("fail", "kink"):
            other = self.contradiction(best)
            if other is None:
                break
            best = self.narrowing(copysign(other.step, self.step))
        return best

    def narrowing(self, step: float) -> Estimate | None:
        """The best estimate with this step and smaller ones."""
        inside = (e for e in islice(self.ladder(step), HALVINGS) if isfinite(e.error))
        best = None
        for number, e in enumerate(inside):
            if self.verdict(e) == "pass" and self.tolerance(e) <= self.fine:
                return e
            if number == 0:  # its error rests on two extrapolations, which may agree by chance
                continue
            if best is None or e.error < best.error:
                best = e
            if self.verdict(best) == "inconclusive" and self.verdict(e) == "fail":
                best = e  # a little less exact, and free of what made the other indecisive
            nearly = self.verdict(best) == "inconclusive" and not self.agrees_with(best)
            if e.rounding > (8 if nearly else 1) * best.error:  # which doubles with every halving
                break
            patience = 2 if self.verdict(best) == "inconclusive" else 0
            if number + 1 >= self.most + patience:
                break
        return best

    def contradiction(self, best: Estimate) -> Estimate | None:
        """An estimate with much smaller steps that says something else, if there is one.

        With wide steps, a kink beside theta looks like one at theta, and a fast oscillation like a
        slope of its own.
        """
        at_stake = max(abs(self.slope - best.value), abs(best.jump)) / SAFETY
        step = copysign(best.step, self.step)
        for _ in range(2):
            step /= APART
            e = next(self.ladder(step), None)
            if e is None or SAFETY * e.rounding > at_stake:
                break
            if abs(e.value - best.value) > SAFETY * (e.error + best.error):
                return e
        return None

    def ladder(self, step: float) -> Iterator[Estimate]:
        """Estimates with this step and its halves, as long as they move theta at all."""
        ladder = (one_sided_estimates if self.one_sided else estimates)(
            self.f,
            self.x,
            type(self.x)(step),
            f_x=self.value,
            roundoff=self.roundoff,
            noise=self.noise,
        )
        return takewhile(lambda e: e.step > self.least, ladder)

    def is_drowned(self, e: Estimate, step: float) -> bool:
        """Whether only the roundings of the loss keep an estimate with these steps from deciding."""
        of_wide_steps = e.step > abs(step) / 3
        return of_wide_steps and e.error <= 4 * e.rounding and self.verdict(e) == "inconclusive"

    def tolerance(self, e: Estimate) -> float:
        """How far the claim may be from an estimate."""
        return SAFETY * (e.error + self.roundoff * self.terms) + 2 * self.of_theta(e)

    def verdict(self, e: Estimate) -> str:
        """What an estimate says of the claim: "pass", "fail", "kink" or "inconclusive"."""
        difference, tolerance = abs(self.slope - e.value), self.tolerance(e)
        if self.agrees_with(e):
            return "pass" if self.is_decided_by(e) else "inconclusive"
        # A kink at theta leaves all slopes between the two one-sided ones open.
        if difference > tolerance + (abs(e.jump) + e.jump_error) / 2:
            sure = e.error <= self.blunt * abs(e.value) or self.is_all_rounding(e)
            return "fail" if sure and not self.is_saturated(e) else "inconclusive"
        return "kink" if self.sees_jump(e) else "inconclusive"

    def sees_jump(self, e: Estimate) -> bool:
        """Whether the loss has a kink here that is no artefact of the roundings."""
        return abs(e.jump) > e.jump_error

    def agrees_with(self, e: Estimate) -> bool:
        """Whether the claim lies within the tolerance."""
        return abs(self.slope - e.value) <= self.tolerance(e)

    def is_decided_by(self, e: Estimate) -> bool:
        """Whether an estimate is good enough to tell a right slope from a wrong one."""
        if self.tolerance(e) <= self.blunt * self.size:
            return True
        # A slope of zero has no size to compare with. A claim of zero is right if the estimate's
        # error is all rounding, and the claim is no more than roundings of loss or theta make.
        of_loss = self.roundoff * abs(self.value) / self.reach
        of_all_theta = self.roundoff * abs(e.curvature) * self.length_of_all
        is_zero = abs(self.slope) <= NEGLIGIBLE * (of_all_theta + of_loss)
        return is_zero and self.is_all_rounding(e)

    def is_saturated(self, e: Estimate) -> bool:
        """Whether the loss is 0 all around, and a claim too small for numbers of order 1 to show."""
        return self.value == e.error == 0 and abs(self.slope) * self.reach <= self.roundoff

    def is_all_rounding(self, e: Estimate) -> bool:
        """Whether an estimate's error is no more than roundings of the loss or of theta make."""
        return e.error <= NEGLIGIBLE * (e.rounding + self.of_theta(e))

    def of_theta(self, e: Estimate) -> float:
        """How much the slope changes when theta is rounded: no claim can be held to more."""
        return self.roundoff * abs(e.curvature) * self.length

    @property
    def blunt(self) -> float:
        """The part of the gradient's size that a tolerance may be."""
        return max(BLUNT, 80 * sqrt(self.roundoff))
