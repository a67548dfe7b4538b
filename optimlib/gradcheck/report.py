"""What a gradient check found: its probes, its verdict, and what a reader should know beside them.

A *probe* compares one number of the claimed gradient with a slope of the loss. A *place* is where it did
so, written as Python would: ``theta['W'][3, 2]``. How a report is laid out is `rendering`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, nan
from typing import NamedTuple

import numpy as np

from optimlib.gradcheck import rendering

VERDICTS = ("fail", "inconclusive", "kink", "pass")  # the gravest first
MISS = 1e-3  # the probability for which a report says how large an error would be missed
SHOWN = 5  # probes that a report prints
NAMED = 3  # places that a sentence names before it counts the rest


@dataclass(frozen=True)
class Probe:
    """One number of the claimed gradient, and what the loss says about it.

    Attributes
    ----------
    place : str
        ``theta``, tree path and index, such as ``theta['W'][3, 2]``, or ``direction 5``.
    path : str
        The tree path alone, such as ``['W']``; empty for a direction.
    index : tuple of int or None
        The place in that leaf; None for a direction.
    analytic, numeric : float
        The slope according to the gradient, and according to the loss.
    error : float
        The estimated error of `numeric`.
    tolerance : float
        How far `analytic` may be from `numeric`: four times that, with the rounding of `analytic` and of
        theta; see `SlopeTest.tolerance` in `optimlib.gradcheck.slope`.
    jump : float
        The slope on the right minus the slope on the left where the loss has a kink, else 0.
    verdict : str
        "pass", "fail", "kink" or "inconclusive".
    leaves : tuple of str
        For a direction, the paths of the leaves that it moves.
    fine : float
        With a tolerance up to this, no smaller steps were tried: a wrong claim may be off by as much.
    least_units : tuple of float
        For a random direction, the standard deviations with which it moves these leaves: of each leaf
        that of the number which it moves least. It is 1 where a leaf's numbers are of like size, and
        unless given.
    is_random : bool
        False for a direction that moves numbers alike, or as their kinks demand.
    """

    place: str
    path: str
    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    error: float
    tolerance: float
    jump: float
    verdict: str
    leaves: tuple[str, ...] = ()
    fine: float = 0.0
    least_units: tuple[float, ...] = ()
    is_random: bool = True

    @property
    def difference(self) -> float:
        """`analytic` minus `numeric`."""
        return self.analytic - self.numeric

    @property
    def ratio(self) -> float:
        """`analytic` over `numeric`: a constant ratio over many probes is a missing factor."""
        return self.analytic / self.numeric if self.numeric else nan

    @property
    def excess(self) -> float:
        """The disagreement in tolerances: up to 1 is agreement."""
        difference = abs(self.difference)
        return difference / self.tolerance if self.tolerance else (inf if difference else 0.0)

    @property
    def disagreement(self) -> float:
        """The size of `difference` to two digits, as a report prints it; 0 within the tolerance."""
        difference = abs(self.difference)
        return float(f"{difference:.1e}") if difference > self.tolerance else 0.0

    def barely_seen(self, path: str) -> float:
        """The error in one number of that leaf that changes this slope by its tolerance, as a rule.

        The number is the one that the direction moves least; "as a rule" is one standard deviation.
        """
        unit = dict(zip(self.leaves, self.least_units, strict=False)).get(path, 1.0)
        return max(self.tolerance, self.fine) / unit if unit else inf


class Curve(NamedTuple):
    """Central differences of the loss in one coordinate, and how far the gradient is from each."""

    steps: np.ndarray  #: the steps h, shape (n,)
    numeric: np.ndarray  #: the central differences D(h), NaN where there is none
    difference: np.ndarray  #: ``abs(analytic - numeric)``


@dataclass(frozen=True, repr=False)
class GradientReport:
    """What a gradient check found.

    Attributes
    ----------
    probes : tuple of Probe
        Every comparison that was made.
    parameters : int
        How many numbers of the gradient are checked: all but those held fixed by ``frozen=`` or by
        equal bounds.
    norm : float
        The Euclidean norm of the claimed gradient.
    evaluations : int
        How often the loss was called.
    problem : str
        Why nothing could be compared, or "".
    hints : tuple of str
        What is probably wrong, one sentence each (`optimlib.gradcheck.diagnosis`).
    notes : tuple of str
        What else was noticed about the loss or the gradient, one sentence each.
    untested : tuple of str
        The leaves, such as ``theta['W']``, whose slopes are zero or lost in round-off: at theta, or, if
        all of them are, at a point close by.
    gradient : tuple of (str, numpy.ndarray)
        The claimed gradient, as ``(path, leaf)`` pairs.
    central : callable or None
        ``central(path, index, h)`` is the central difference of the loss at that coordinate with step
        `h`; NaN where the loss has no value, or the step is lost in the rounding of the parameter.

    Examples
    --------
    >>> from optimlib import check_gradient
    >>> report = check_gradient(lambda x: (x**3).sum(), lambda x: 3 * x**2, np.array([1.0, 2.0]))
    >>> report.passed, [probe.place for probe in report.probes]
    (True, ['theta[0]', 'theta[1]'])
    """

    probes: tuple[Probe, ...]
    parameters: int
    norm: float
    evaluations: int
    problem: str = ""
    hints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    gradient: tuple[tuple[str, np.ndarray], ...] = field(default=(), compare=False)
    central: Callable[[str, tuple[int, ...], float], float] | None = field(default=None, compare=False)

    @property
    def verdict(self) -> str:
        """The gravest of the probes' verdicts; "inconclusive" if nothing could be tested."""
        verdicts = [probe.verdict for probe in self.probes] or ["inconclusive"]
        gravest = min(verdicts, key=VERDICTS.index)
        return "inconclusive" if gravest == "pass" and self.tested_nothing else gravest

    @property
    def tested_nothing(self) -> bool:
        """Whether the loss has no slope in any leaf that a probe could see."""
        leaves = sum(g.size > 0 for _, g in self.gradient)
        return 0 < leaves <= len(self.untested)

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def raise_unless_accepted(self) -> None:
        """Raise an `AssertionError` that shows the report, unless the verdict is "pass" or "kink".

        At a kink, the gradient lies between the two slopes of the loss.
        """
        if self.verdict not in ("pass", "kink"):
            raise AssertionError(f"\n{self}")

    def worst(self, count: int = SHOWN) -> list[Probe]:
        """The gravest probes: places before directions, and those first that differ most.

        A place says where to look, and its ratio is not mixed with those of right numbers. Differences
        within the tolerance or alike to two digits are no order: those probes stay as they were made.
        So roundings, which differ from one processor to another, decide nothing here.
        """

        def gravity(probe: Probe) -> tuple[int, bool, float]:
            return VERDICTS.index(probe.verdict), probe.index is None, -probe.disagreement

        return sorted(self.probes, key=gravity)[:count]

    def detectable(self) -> float:
        """The norm of an error in one leaf that all random directions miss with probability `MISS`.

        Along a random direction, an error of norm e changes the slope by a normal random number of
        standard deviation e. Where the numbers of a leaf differ a lot in size, a direction moves each in
        proportion to its size, and the standard deviation is u e or more, u being that of the number
        that moves least. The leaf, and the number, are those where least can be seen. Infinite if some
        leaf was moved along no direction, or a direction did not pass: a kink along it leaves the error
        open.
        """
        from statistics import NormalDist  # which takes long to import

        directions = [probe for probe in self.probes if probe.index is None and probe.is_random]
        if any(probe.verdict != "pass" for probe in directions):
            return inf
        paths = {path for probe in directions for path in probe.leaves}
        if not paths.issuperset(path for path, g in self.gradient if g.size) or not paths:
            return inf
        moving = [[p.barely_seen(path) for p in directions if path in p.leaves] for path in paths]
        return max(
            max(errors) / NormalDist().inv_cdf((1 + MISS ** (1 / len(errors))) / 2) for errors in moving
        )

    def curve(
        self, path: str, index: tuple[int, ...], steps: Sequence[float] | np.ndarray | None = None
    ) -> Curve:
        r"""The gradient against central differences with many steps: :math:`|g_i - D_i(h)|`.

        For a right gradient the curve is a V: truncation error on the right, round-off on the left.
        For a wrong one it is level where the differences are good, at the gradient's error.

        Parameters
        ----------
        path, index
            The coordinate, as a probe names it: ``report.curve(probe.path, probe.index)``.
        steps
            The steps, above 0. Unless given: powers of two from 1 down to about :math:`u^{0.85}`,
            :math:`u` being the unit roundoff of the parameter's dtype.

        Raises
        ------
        ValueError
            If there is no such coordinate, a step is not above 0, or the report has no loss to
            evaluate.

        Examples
        --------
        >>> report = GradientReport((), parameters=1, norm=3.0, evaluations=0,
        ...     gradient=(("", np.array([3.0])),), central=lambda path, index, h: 3 + h**2)
        >>> report.curve("", (0,), steps=[0.5, 0.25]).difference
        array([0.25  , 0.0625])
        """
        if self.central is None:
            raise ValueError("the report has no loss to evaluate; expected one that check_gradient made")
        leaves = dict(self.gradient)
        if path not in leaves:
            raise ValueError(f"path is {path!r}; expected one of {', '.join(map(repr, leaves))}")
        leaf = leaves[path]
        whole = isinstance(index, tuple) and len(index) == leaf.ndim
        if not whole or any(i not in range(n) for i, n in zip(index, leaf.shape, strict=True)):
            raise ValueError(f"index is {index}; expected one within theta{path}, of shape {leaf.shape}")
        if steps is None:
            least = round(0.85 * np.log2(np.finfo(leaf.dtype).eps / 2))
            steps = 2.0 ** np.arange(least, 1)
        steps = np.asarray(steps, dtype=np.float64)
        if steps.ndim != 1 or not (steps > 0).all():
            raise ValueError(f"steps are {steps}; expected a row of numbers above 0")
        numeric = np.array([self.central(path, index, float(h)) for h in steps])
        return Curve(steps, numeric, np.abs(float(leaf[index]) - numeric))

    @property
    def headline(self) -> str:
        """The verdict, and what it rests on; how long a failing check searched is left to roundings."""
        count = Counter(probe.verdict for probe in self.probes)
        named = ", ".join(f"{count[v]} {v}" for v in VERDICTS[:-1] if count[v])
        probes = rendering.counted(len(self.probes), "probe")
        parameters = rendering.counted(self.parameters, "parameter")
        effort = rendering.counted(self.evaluations, "loss evaluation")
        return (
            f"gradient check: {self.verdict.upper()} ({probes}{': ' if named else ''}{named};"
            f" {parameters}{'' if self.verdict == 'fail' else ', ' + effort})"
        )

    def shown(self) -> list[Probe]:
        """The probes that a printed report shows: an example if it passed, else the worst five."""
        return self.worst(1 if self.passed else SHOWN)

    def remarks(self) -> list[str]:
        """What a reader should know beside the numbers, a sentence each; the hints not included."""
        remarks = []
        missed = self.detectable()
        if 0 < missed < inf:
            norm = f"{self.norm:.0e}" if self.norm > missed else "less"
            remarks.append(
                f"an error of norm {rendering.power_of_ten_above(missed)} (gradient: {norm})"
                f" would be missed with probability {MISS:g} at most"
            )
        if self.untested:
            more = f" and {len(self.untested) - NAMED} more" if len(self.untested) > NAMED else ""
            remarks.append(
                f"not tested: {', '.join(self.untested[:NAMED])}{more}. The slopes there are zero or"
                " lost in round-off, where a wrong formula may well give the right numbers: check at"
                " another point, such as random parameters."
            )
        remarks += self.notes
        if any(probe.verdict == "inconclusive" for probe in self.probes):
            remarks.append(f"inconclusive: the loss is too coarse to tell. {self._remedy()}")
        return remarks

    def _remedy(self) -> str:
        """What makes the values of the loss finer."""
        if self.gradient and all(g.dtype == np.float64 for _, g in self.gradient):
            return "Compute all of it in float64, without large constants that cancel."
        return "Check in float64, and without large constants in the loss."

    def __str__(self) -> str:
        return rendering.as_text(self)

    __repr__ = __str__  # all attributes would be screens of numbers

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return rendering.as_html(self)
