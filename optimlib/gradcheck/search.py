"""Which steps: the search for the difference quotient that knows a slope best.

A *ladder* is a row of estimates, each with half the step of the one before. A search climbs down a
ladder until it knows which rung is best, and before it lets a claim be called wrong, it looks at the
loss from much nearer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from math import copysign, isfinite
from typing import Any

from optimlib.differences import Estimate, estimates, one_sided_estimates
from optimlib.gradcheck.slope import SAFETY, SlopeTest

START = 4  # first step, in units of Richardson's best: it leaves room for two halvings
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
    noise
        The absolute error of the values of `f`, where it is known to be larger than their rounding.
    most
        How many estimates are made at most; two more while they do not decide.
    one_sided
        Whether `f` may be called on one side of `x` only.

    Examples
    --------
    >>> import numpy as np
    >>> test = SlopeTest(claim=1.001, terms=1.0, size=1.0, fine=1e-7, value=1.0, roundoff=2.0**-53,
    ...     length=0.0, length_of_all=0.0, reach=1.0)
    >>> search = Search(np.exp, np.float64(0.0), test, step=2.0**-9, widest=1.0, least=0.0, noise=0.0)
    >>> test.verdict(search.best_estimate())
    'fail'
    """

    f: Callable[[Any], float]
    x: Any
    test: SlopeTest
    step: float
    widest: float
    least: float
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
        while best is not None and self.test.verdict(best) in ("fail", "kink"):
            other = self.contradiction(best)
            if other is None:
                break
            best = self.narrowing(copysign(other.step, self.step))
        return best

    def narrowing(self, step: float) -> Estimate | None:
        """The best estimate with this step and smaller ones."""
        test = self.test
        inside = (e for e in islice(self.ladder(step), HALVINGS) if isfinite(e.error))
        best = None
        for number, e in enumerate(inside):
            if test.verdict(e) == "pass" and test.tolerance(e) <= test.fine:
                return e
            if number == 0:  # its error rests on two extrapolations, which may agree by chance
                continue
            if best is None or e.error < best.error:
                best = e
            if test.verdict(best) == "inconclusive" and test.verdict(e) == "fail":
                best = e  # a little less exact, and free of what made the other indecisive
            nearly = test.verdict(best) == "inconclusive" and not test.agrees_with(best)
            if e.rounding > (8 if nearly else 1) * best.error:  # which doubles with every halving
                break
            patience = 2 if test.verdict(best) == "inconclusive" else 0
            if number + 1 >= self.most + patience:
                break
        return best

    def contradiction(self, best: Estimate) -> Estimate | None:
        """An estimate with much smaller steps that says something else, if there is one.

        With wide steps, a kink beside theta looks like one at theta, and a fast oscillation like a
        slope of its own.
        """
        at_stake = max(abs(self.test.claim - best.value), abs(best.jump)) / SAFETY
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
        rungs = (one_sided_estimates if self.one_sided else estimates)(
            self.f,
            self.x,
            type(self.x)(step),
            f_x=self.test.value,
            roundoff=self.test.roundoff,
            noise=self.noise,
        )
        return takewhile(lambda e: e.step > self.least, rungs)

    def is_drowned(self, e: Estimate, step: float) -> bool:
        """Whether only the roundings of the loss keep an estimate with these steps from deciding."""
        of_wide_steps = e.step > abs(step) / 3
        return of_wide_steps and e.error <= 4 * e.rounding and self.test.verdict(e) == "inconclusive"

    def next_step(self, best: Estimate) -> float:
        """The first step for the next direction, from what was best for this one."""
        if best.step == self.step:
            return best.step
        if best.error < 2 * best.rounding and best.step > self.step / 8:
            return 2 * best.step  # where the loss is smooth; a first estimate hardly ever counts
        # Kinks lie elsewhere along the next direction, and perhaps nearer.
        roundings_allow = 8 * SAFETY * best.rounding < self.test.blunt * self.test.size / 10
        return best.step / 8 if roundings_allow else best.step
