"""Hints about factors: the gradient is right but for one number, or for a function of theta."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from optimlib.gradcheck.diagnosis.evidence import (
    ENOUGH,
    TELLING,
    Finding,
    Leaf,
    common_ratio,
    is_varied,
    with_a_constant,
)
from optimlib.gradcheck.diagnosis.wording import failing, fraction

COMMON = (-1.0, 2.0, 0.5)  # the factors for which a single telling probe is enough


def whole_factor(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """One whole number, or one over a whole number, times the right gradient.

    Leaves that share the factor are taken together: a single parameter each is enough then. One
    telling probe alone is trusted with the commonest factors only. At whole parameters, others come
    about by chance.
    """
    factors = {leaf.path: nearest_whole_factor(leaf) for leaf in unexplained}
    for factor in dict.fromkeys(factors.values()):
        group = [leaf for leaf in unexplained if factors[leaf.path] == factor]
        telling = sum(int(leaf.telling.sum()) for leaf in group)
        if factor is not None and telling >= (1 if factor in COMMON else ENOUGH):
            what = f"analytic is {fraction(factor)} times numeric ({failing(group)})"
            yield group, f"{what}; {_meaning(factor)}"


def nearest_whole_factor(leaf: Leaf) -> float | None:
    """The factor by which all of a leaf's gradient is too large, if it or its inverse is whole."""
    usable = leaf.telling & (leaf.analytic != 0) & (leaf.numeric != 0)
    if not usable.any():
        return None
    # The most exact ratio. Its error must be small beside 1: every large number lies near a whole one.
    relative = np.where(usable, leaf.tolerance / np.where(usable, np.abs(leaf.numeric), 1), np.inf)
    sharpest = int(relative.argmin())
    ratio = float(leaf.analytic[sharpest] / leaf.numeric[sharpest])
    size = max(abs(ratio), abs(float(leaf.numeric[sharpest] / leaf.analytic[sharpest])))
    if not TELLING * size * relative[sharpest] <= 1:
        return None
    factor = float(round(ratio)) if abs(ratio) >= 1 else 1 / round(1 / ratio)
    return factor if leaf.agrees(leaf.analytic / factor) else None


def _meaning(factor: float) -> str:
    """What a factor usually stands for; where it may be much else, as a question."""
    if factor == -1:
        return "usually a sign"
    if factor < 0:
        return "a sign, and a constant factor?"
    if factor == 2:
        return "a square whose 2 the loss cancels with a 1/2, or a term that is added twice?"
    if factor == 0.5:
        return "the 2 of a square is missing, or one of two uses, as in A @ A.T?"
    if factor > 1:
        return "a sum where the loss has a mean?"
    return "a mean where the loss has a sum?"


def constant_ratio(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """One factor that is no whole number."""
    for group, ratio in with_a_constant(common_ratio, unexplained):
        yield (
            group,
            f"analytic is {fraction(ratio)} times numeric ({failing(group)});"
            " usually a constant that only one of loss and gradient has",
        )


class Transformation(NamedTuple):
    """What a loss may do to a parameter before it uses it."""

    name: str  #: such as ``exp(theta)``
    slope_name: str  #: its derivative, as one writes it
    slope: Callable[[np.ndarray], np.ndarray]  #: its derivative
    otherwise: str = ""  #: what else a factor like the derivative may be, if it is often something else


POWER = "theta to a wrong power"
TRANSFORMATIONS = (
    Transformation("exp(theta)", "exp(theta)", np.exp),
    Transformation("10**theta", "log(10) 10**theta", lambda t: np.log(10) * 10**t),
    Transformation("theta**2", "2 theta", lambda t: 2 * t, POWER),
    Transformation("sqrt(theta)", "1 / (2 sqrt(theta))", lambda t: 0.5 / np.sqrt(t), POWER),
    Transformation("log(theta)", "1 / theta", lambda t: 1 / t, POWER),
    Transformation("sigmoid(theta)", "s (1 - s)", lambda t: 1 / ((1 + np.exp(-t)) * (1 + np.exp(t)))),
    Transformation(
        "softplus(theta)",
        "sigmoid(theta)",
        lambda t: 1 / (1 + np.exp(-t)),
        "a factor like that left out or there twice",
    ),
    Transformation("tanh(theta)", "1 - tanh(theta)**2", lambda t: 1 / np.cosh(t) ** 2),
)


def chain_factor(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The derivative of a transformation, such as exp for logarithmic parameters, left out or twice."""
    found: dict[tuple[Transformation, bool], list[Leaf]] = {}
    for leaf in unexplained:
        theta = leaf.at_probes(leaf.theta)
        for transformation in TRANSFORMATIONS:
            slope = transformation.slope(theta)
            if not is_varied(slope[leaf.telling]):
                continue
            lacks = leaf.agrees(leaf.analytic * slope)
            if lacks or leaf.agrees(leaf.analytic / slope):
                found.setdefault((transformation, lacks), []).append(leaf)
                break
    for (transformation, lacks), group in found.items():
        yield group, _chain_rule(transformation, lacks, failing(group))


def _chain_rule(transformation: Transformation, lacks: bool, evidence: str) -> str:
    """The sentence about a derivative that is left out, or there twice."""
    name, slope_name, _, otherwise = transformation
    ratio = "numeric / analytic" if lacks else "analytic / numeric"
    mistake = (
        f"the loss takes {name}, and the gradient lacks the derivative of that"
        if lacks
        else f"the gradient has the derivative of {name} once too often"
    )
    likely = f"{otherwise}, or {mistake}?" if otherwise else f"usually {mistake}"
    return f"{ratio} is {slope_name} ({evidence}); {likely}"
