"""The evidence that a hint rests on: what probes say about a leaf, and which constants fit them.

A *leaf* is one array of theta with its claimed gradient and its probes. A probe *fails* where the two
slopes differ by more than a tolerance. It is *telling* where they differ by a hundred tolerances: no
wrong conjecture repairs that by luck. It is *sloping* where the loss certainly has a slope.
A *finding* is some leaves and what was seen in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import numpy as np

from optimlib.gradcheck.report import Probe

TELLING = 100  # tolerances of disagreement: a wrong conjecture agrees by luck about once in so many
ENOUGH = 2  # telling probes: one alone proves little where parameters are whole and slopes simple
LUCK = 1e-3  # with one constant fitted, the chance that the other probes agree may be no larger
SPREAD = 1e-2  # numbers that differ by less, relative to the largest, count as one


@dataclass(frozen=True, eq=False)
class Leaf:
    """One leaf of theta, its claimed gradient, and the probes that passed or failed there."""

    path: str
    theta: np.ndarray
    gradient: np.ndarray
    probes: tuple[Probe, ...]

    def at_probes(self, array: np.ndarray) -> np.ndarray:
        """The numbers of an array of the leaf's shape at the places of the probes, in float64."""
        return np.array([array[probe.index] for probe in self.probes], dtype=np.float64)

    def only(self, kept: np.ndarray) -> Leaf:
        """The leaf with some of its probes."""
        chosen = (probe for probe, keep in zip(self.probes, kept, strict=True) if keep)
        return replace(self, probes=tuple(chosen))

    @cached_property
    def analytic(self) -> np.ndarray:
        """What the gradient says at the probes."""
        return np.array([probe.analytic for probe in self.probes])

    @cached_property
    def numeric(self) -> np.ndarray:
        """What the loss says at the probes."""
        return np.array([probe.numeric for probe in self.probes])

    @cached_property
    def tolerance(self) -> np.ndarray:
        """How far apart the two may be."""
        return np.array([probe.tolerance for probe in self.probes])

    @cached_property
    def failed(self) -> np.ndarray:
        """Which probes failed."""
        return np.array([probe.verdict == "fail" for probe in self.probes], dtype=bool)

    @cached_property
    def jump(self) -> np.ndarray:
        """How much the slope changes at a kink of the loss: any slope between the two is right there."""
        return np.abs([probe.jump for probe in self.probes])

    @cached_property
    def telling(self) -> np.ndarray:
        """Which probes failed, away from kinks, by so much that no conjecture repairs them by luck."""
        by_far = np.abs(self.analytic - self.numeric) >= TELLING * self.tolerance
        return self.failed & by_far & (self.jump == 0)

    @cached_property
    def sloping(self) -> np.ndarray:
        """Where the loss certainly has a slope."""
        return np.abs(self.numeric) >= TELLING * self.tolerance

    def agrees(self, corrected: np.ndarray) -> bool:
        """Whether these numbers, one for every probe, would have passed."""
        return bool((np.abs(corrected - self.numeric) <= self.tolerance + self.jump / 2).all())


Finding = tuple[list[Leaf], str]
Pattern = Callable[[list[Leaf], list[Leaf]], Iterator[Finding]]
"""Takes the leaves that nothing has explained yet, and all leaves."""


def is_varied(numbers: np.ndarray) -> bool:
    """Whether these are enough numbers, and not all the same: equal ones fit anywhere."""
    return len(numbers) >= ENOUGH and bool(np.ptp(numbers) > SPREAD * np.abs(numbers).max())


def with_a_constant(
    find: Callable[[list[Leaf]], float | None], leaves: list[Leaf]
) -> Iterator[tuple[list[Leaf], float]]:
    """All leaves with the one constant that `find` gives for them, or else each with its own."""
    shared = find(leaves) if leaves else None
    if shared is not None:
        yield leaves, shared
        return
    found: dict[str, tuple[list[Leaf], float]] = {}
    for leaf in leaves:
        constant = find([leaf])
        if constant is not None:  # equal as far as a hint prints it is equal
            found.setdefault(f"{constant:.6g}", ([], constant))[0].append(leaf)
    yield from found.values()


def common_ratio(group: list[Leaf]) -> float | None:
    """The factor by which the gradient of all these leaves is too large, if there is one."""
    analytic = pool([leaf.analytic for leaf in group])
    fitted = fitted_constant(group, np.zeros_like(analytic), analytic)
    if fitted is None:
        return None
    inverse, uncertainty = fitted
    ratio = 1 / inverse
    return simplest(ratio, uncertainty * abs(ratio / inverse)) if isfinite(ratio) else None


def simplest(number: float, uncertainty: float) -> float:
    """The number with the fewest digits within the uncertainty, though at most six.

    >>> simplest(0.10000003, 1e-6), simplest(0.10000003, 1e-12)
    (0.1, 0.10000003)
    """
    rounded = (float(f"{number:.{digits}g}") for digits in range(1, 7))
    return next((r for r in rounded if abs(r - number) <= uncertainty), number)


def fitted_constant(group: list[Leaf], a: np.ndarray, b: np.ndarray) -> tuple[float, float] | None:
    """The constant c of ``numeric = a + c b`` and its uncertainty, if one c fits all probes.

    One probe determines c, so the others have to speak. And `b` must vary over the telling probes:
    where it is the same everywhere, any constant difference fits. Where it is the same but for its
    sign, two probes are not enough: two numbers that were exchanged differ so from the right ones.
    """
    analytic = pool([leaf.analytic for leaf in group])
    numeric = pool([leaf.numeric for leaf in group])
    tolerance = pool([leaf.tolerance + leaf.jump / 2 for leaf in group])
    telling = pool([leaf.telling for leaf in group]) & (b != 0)
    if not is_varied(b[telling]):
        return None
    if telling.sum() == ENOUGH and not is_varied(np.abs(b[telling])):
        return None
    uncertainty = np.where(telling, tolerance / np.abs(b), np.inf)  # of a c from one probe
    sharpest = int(uncertainty.argmin())
    c = float((numeric[sharpest] - a[sharpest]) / b[sharpest])
    allowed = tolerance + np.abs(b) * uncertainty[sharpest]
    telling[sharpest] = False
    luck = float(np.prod(allowed[telling] / np.abs(analytic - numeric)[telling]))
    fits = luck <= LUCK and c != 0 and (np.abs(a + c * b - numeric) <= allowed).all()
    return (c, float(uncertainty[sharpest])) if fits else None


def pool(arrays: list[np.ndarray]) -> np.ndarray:
    """The numbers of all arrays in one row."""
    return np.concatenate(arrays)
