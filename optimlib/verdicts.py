"""One claimed slope against the values of a loss along a line: tolerance and verdict (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import isfinite, log2, sqrt
from typing import Any

from optimlib.differences import Estimate, estimates

SAFETY = 4  # a claim passes within this many estimated errors
SHARP = 1e-7  # with a tolerance below this part of the slope, no smaller steps are tried
BLUNT = 1e-3  # a tolerance above this part of the gradient's size decides nothing
START = 4  # first step, in units of Richardson's best: it leaves room for two halvings
NEGLIGIBLE = 64  # so many roundings of the loss, over the size of theta, are no slope
HALVINGS = 60  # of the first step, at most


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
        The slope that is to be expected from the size of the gradient around it.
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

    Examples
    --------
    >>> import numpy as np
    >>> claim = Claim(np.exp, np.float64(0.0), 1.0, slope=1.001, size=1.0, length=0.0,
    ...     length_of_all=0.0, reach=1.0, roundoff=2.0**-53, noise=0.0)
    >>> claim.verdict(claim.best_estimate())
    'fail'
    """

    f: Callable[[Any], float]
    x: Any
    value: float
    slope: float
    size: float
    length: float
    length_of_all: float
    reach: float
    roundoff: float
    noise: float

    def best_estimate(self) -> Estimate | None:
        """The estimate of the true slope with the smallest error, or None if `f` has no values.

        It comes from as few steps as show which one that is.
        """
        eta = max(self.roundoff, self.noise / abs(self.value) if self.value else 0.0)
        h = START * eta ** (1 / 5) * self.reach
        ladder = estimates(
            self.f,
            self.x,
            type(self.x)(2.0 ** round(log2(h))),
            f_x=self.value,
            roundoff=self.roundoff,
            noise=self.noise,
        )
        inside = (e for e in islice(ladder, HALVINGS) if isfinite(e.error))  # the loss's domain
        best = None
        for number, e in enumerate(inside):
            if self.verdict(e) == "pass" and SAFETY * e.error <= SHARP * abs(e.value):
                return e
            if number == 0:  # its error rests on two extrapolations, which may agree by chance
                continue
            if best is None or e.error < best.error:
                best = e
            decided = self.verdict(best) != "inconclusive"
            if decided and e.rounding > best.error:  # which doubles with every halving
                break
        return best

    def tolerance(self, e: Estimate) -> float:
        """How far the claim may be from an estimate."""
        return SAFETY * (e.error + self.of_theta(e))

    def verdict(self, e: Estimate) -> str:
        """What an estimate says of the claim: "pass", "fail", "kink" or "inconclusive"."""
        difference, tolerance = abs(self.slope - e.value), self.tolerance(e)
        if difference <= tolerance:
            return "pass" if self.is_decided_by(e) else "inconclusive"
        # A kink at theta leaves all slopes between the two one-sided ones open.
        if difference > tolerance + (abs(e.jump) + e.jump_error) / 2:
            sure = e.error <= self.blunt * abs(e.value) or self.is_all_rounding(e)
            return "fail" if sure else "inconclusive"
        return "kink" if abs(e.jump) > e.jump_error else "inconclusive"

    def is_decided_by(self, e: Estimate) -> bool:
        """Whether an estimate is good enough to tell a right slope from a wrong one."""
        if self.tolerance(e) <= self.blunt * max(abs(self.slope), abs(e.value), self.size):
            return True
        # A slope of zero has no size to compare with. A claim of zero is right if the estimate's
        # error is all rounding, and the claim is no more than roundings of loss or theta make.
        of_loss = self.roundoff * abs(self.value) / self.reach
        of_all_theta = self.roundoff * abs(e.curvature) * self.length_of_all
        is_zero = abs(self.slope) <= NEGLIGIBLE * (of_all_theta + of_loss)
        return is_zero and self.is_all_rounding(e)

    def is_all_rounding(self, e: Estimate) -> bool:
        """Whether an estimate's error is no more than roundings of the loss or of theta make."""
        return e.error <= NEGLIGIBLE * (e.rounding + self.of_theta(e))

    def of_theta(self, e: Estimate) -> float:
        """How much the slope changes when theta is rounded: no claim can be held to more."""
        return self.roundoff * abs(e.curvature) * self.length

    @property
    def blunt(self) -> float:
        """The part of the gradient's size that a tolerance may be."""
        return max(BLUNT, 40 * sqrt(self.roundoff))
