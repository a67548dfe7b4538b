"""The test of one slope: how far a claim may be from an estimate, and what that says of it.

A *claim* is the slope that a gradient promises along a line through theta. An *estimate* is a slope
from values of the loss, with its own error (`optimlib.differences.estimates`). This module decides;
which steps to take is the business of `optimlib.gradcheck.search`, and how large everything is, that
of `optimlib.gradcheck.scales`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from optimlib.differences import Estimate

SAFETY = 4  # a claim passes within this many estimated errors
SHARP = 1e-7  # with a tolerance below this part of the slope, no smaller steps are tried
BLUNT = 1e-3  # a tolerance above this part of the gradient's size decides nothing
NEGLIGIBLE = 64  # so many roundings of the loss, over the size of theta, are no slope


@dataclass(frozen=True)
class SlopeTest:
    """A claimed slope, and what is needed to judge it.

    Attributes
    ----------
    claim, claim_error
        The slope that the gradient promises, and how far rounding may have carried it.
    size
        The smallest slope that has to be told from zero: what the gradient around it makes likely.
    fine
        With a tolerance up to this, no smaller steps are tried.
    value, noise
        The loss at theta, and the error of its values where it is larger than their rounding.
    roundoff
        The unit roundoff of the numbers that the gradient was computed with.
    length, length_of_all
        How far what the line moves is from zero, and the same for all of theta, in units of the line.
    reach
        `length`, but no less than 1 in the parameters' own units.

    Examples
    --------
    >>> from optimlib.differences import estimates
    >>> import numpy as np
    >>> test = SlopeTest(claim=1.001, claim_error=1e-16, size=1.0, fine=1e-7, value=1.0,
    ...     noise=0.0, roundoff=2.0**-53, length=0.0, length_of_all=0.0, reach=1.0)
    >>> test.verdict(next(estimates(np.exp, 0.0, 2.0**-9)))
    'fail'
    """

    claim: float
    claim_error: float
    size: float
    fine: float
    value: float
    noise: float
    roundoff: float
    length: float
    length_of_all: float
    reach: float

    def verdict(self, e: Estimate) -> str:
        """What an estimate says of the claim: "pass", "fail", "kink" or "inconclusive"."""
        difference, tolerance = abs(self.claim - e.value), self.tolerance(e)
        if self.agrees_with(e):
            return "pass" if self.is_decided_by(e) else "inconclusive"
        # A kink at theta leaves all slopes between the two one-sided ones open.
        if difference > tolerance + (abs(e.jump) + e.jump_error) / 2:
            sure = e.error <= self.blunt * abs(e.value) or self.is_all_rounding(e)
            return "fail" if sure and not self.is_saturated(e) else "inconclusive"
        return "kink" if self.sees_jump(e) else "inconclusive"

    def tolerance(self, e: Estimate) -> float:
        """How far the claim may be from an estimate."""
        return SAFETY * (e.error + self.claim_error) + 2 * self.of_theta(e)

    def agrees_with(self, e: Estimate) -> bool:
        """Whether the claim lies within the tolerance."""
        return abs(self.claim - e.value) <= self.tolerance(e)

    def sees_jump(self, e: Estimate) -> bool:
        """Whether the slope jumps here, at a kink that is no artifact of the roundings."""
        return abs(e.jump) > e.jump_error

    def is_decided_by(self, e: Estimate) -> bool:
        """Whether an estimate is good enough to tell a right slope from a wrong one."""
        if self.tolerance(e) <= self.blunt * self.size:
            return True
        # A slope of zero has no size to compare with. A claim of zero is right if the estimate's
        # error is all rounding, and the claim is no more than errors of loss or theta make.
        of_all_theta = self.roundoff * abs(e.curvature) * self.length_of_all
        of_loss = self.roundoff * abs(self.value) / self.reach
        of_order_one = NEGLIGIBLE * self.roundoff / self.reach
        # However coarse the loss is, a claim as large as the others beside it is not zero.
        of_noise = min(self.noise / self.reach, max(self.blunt * self.size, of_order_one))
        is_zero = abs(self.claim) <= max(NEGLIGIBLE * (of_all_theta + of_loss), of_noise)
        return is_zero and self.is_all_rounding(e)

    def is_saturated(self, e: Estimate) -> bool:
        """Whether the loss is 0 all around, and a claim too small for numbers of order 1 to show."""
        return self.value == e.error == 0 and abs(self.claim) * self.reach <= self.roundoff

    def is_all_rounding(self, e: Estimate) -> bool:
        """Whether an estimate's error is no more than roundings of the loss or of theta make."""
        return e.error <= NEGLIGIBLE * (e.rounding + self.of_theta(e))

    def of_theta(self, e: Estimate) -> float:
        """How much the slope changes when theta is rounded: no claim can be held to more."""
        return self.roundoff * abs(e.curvature) * self.length

    def by_rounding_theta(self, e: Estimate) -> float:
        """How much the loss changes when theta is rounded."""
        return self.roundoff * max(abs(e.value), abs(self.claim)) * self.length

    @property
    def blunt(self) -> float:
        """The part of the gradient's size that a tolerance may be."""
        return max(BLUNT, 80 * sqrt(self.roundoff))
