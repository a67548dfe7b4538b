"""What a gradient check found, and how it reads (chapter 3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf, isfinite, nan
from statistics import NormalDist

VERDICTS = ("fail", "inconclusive", "kink", "pass")  # the gravest first
MISS = 1e-3  # the probability for which a report says how large an error would be missed


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
        How far `analytic` may be from `numeric`: four times that, and the rounding of `analytic`.
    jump : float
        The slope on the right less the slope on the left where the verdict is "kink", else 0.
    verdict : str
        "pass", "fail", "kink" or "inconclusive".
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

    @property
    def ratio(self) -> float:
        """`analytic` over `numeric`: a constant ratio over many probes is a missing factor."""
        return self.analytic / self.numeric if self.numeric else nan

    @property
    def excess(self) -> float:
        """The disagreement in tolerances: up to 1 is agreement."""
        difference = abs(self.analytic - self.numeric)
        return difference / self.tolerance if self.tolerance else (inf if difference else 0.0)


@dataclass(frozen=True)
class GradientReport:
    """What a gradient check found.

    Attributes
    ----------
    probes : tuple of Probe
        Every comparison that was made.
    parameters : int
        How many numbers the gradient has.
    norm : float
        The Euclidean norm of the claimed gradient.
    evaluations : int
        How often the loss was called.
    problem : str
        Why nothing could be compared, or "".
    """

    probes: tuple[Probe, ...]
    parameters: int
    norm: float
    evaluations: int
    problem: str = ""

    @property
    def verdict(self) -> str:
        """The gravest of the probes' verdicts; "inconclusive" if there are none."""
        verdicts = [probe.verdict for probe in self.probes] or ["inconclusive"]
        return min(verdicts, key=VERDICTS.index)

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def worst(self, count: int = 5) -> list[Probe]:
        """The gravest probes, and among them those that disagree by the most tolerances."""
        return sorted(self.probes, key=lambda p: (VERDICTS.index(p.verdict), -p.excess))[:count]

    def detectable(self) -> float:
        """The norm of an error of the gradient that all random directions miss with probability `MISS`.

        Along a random direction, an error of norm e changes the slope by a normal random number of
        standard deviation e (chapter 3). Infinite if no direction was probed.
        """
        directions = [probe for probe in self.probes if probe.index is None]
        if not directions:
            return inf
        tolerance = max(probe.tolerance for probe in directions)
        return tolerance / NormalDist().inv_cdf((1 + MISS ** (1 / len(directions))) / 2)

    def __str__(self) -> str:
        count = Counter(probe.verdict for probe in self.probes)
        named = ", ".join(f"{count[v]} {v}" for v in VERDICTS[:-1] if count[v])
        lines = [
            f"gradient check: {self.verdict.upper()}"
            f" ({len(self.probes)} probes{': ' if named else ''}{named};"
            f" {self.parameters} parameters, {self.evaluations} loss evaluations)"
        ]
        if self.problem:
            lines.append(self.problem)
        if self.probes:
            lines += _table(self.worst(1 if self.passed else 5))
        if isfinite(self.detectable()):
            lines.append(
                f"an error of norm {self.detectable():.0e} (the gradient's is {self.norm:.0e})"
                f" would be missed with probability {MISS:g}"
            )
        if count["inconclusive"]:
            lines.append(
                "inconclusive: the differences of the loss are too coarse to tell. Check in float64,"
                " and without large constants in the loss."
            )
        return "\n".join(lines)


def _table(probes: list[Probe]) -> list[str]:
    """One line a probe, in columns, under a heading."""
    rows = [["worst", "analytic", "numeric", "+-", "ratio", "verdict"]]
    for p in probes:
        numbers = [f"{p.analytic:.6e}", f"{p.numeric:.6e}", f"{p.error:.0e}", f"{p.ratio:.6g}"]
        rows.append([p.place, *numbers, p.verdict])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for place, *numbers, verdict in rows:
        aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:5], strict=True)]
        lines.append("  ".join([place.ljust(widths[0]), *aligned, verdict]))
    return lines
