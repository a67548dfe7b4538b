"""From a place or a direction to the search for its slope: line, claim, size, first step.

All of them follow from what size the parameters and their gradients have. The *reach* of a line is how
far a step may go that changes the parameters by as much as their own size, or by 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, inf, sqrt
from typing import Any

import numpy as np

from optimlib.gradcheck.lines import Coordinate, Line
from optimlib.gradcheck.objective import FAR_OUT, Objective
from optimlib.gradcheck.search import HALVINGS, Search, first_step
from optimlib.gradcheck.slope import NEGLIGIBLE, SAFETY, SHARP, SlopeTest

ALIKE = 10  # norms of gradients of this ratio are alike
ON_THE_WAY = 16  # a number of a gradient is the last of so many roundings
LOST = 2**10  # so many roundings of theta a step along a direction must be
UNLIKE = 1000  # numbers of one leaf whose sizes have this ratio are in different units


class Scales:
    """Makes searches, from the sizes of the leaves of an objective and of their gradients.

    Parameters
    ----------
    objective
        The loss, the gradient and the point.

    Attributes
    ----------
    paths : list of str
        The paths of the leaves.
    leaves, gradient : list of numpy.ndarray
        The parameters and their claimed gradient.
    norms : list of float
        The norm of each leaf's gradient, every number in its unit.

    Examples
    --------
    >>> from optimlib.gradcheck.bounds import Bounds
    >>> bounds, rng = Bounds(np.ones(2), (-np.inf, np.inf)), np.random.default_rng(0)
    >>> scales = Scales(Objective(np.sum, np.ones_like, np.ones(2), bounds, rng))
    >>> scales.search_at(0, (1,)).test.claim
    1.0
    """

    def __init__(self, objective: Objective) -> None:
        self.objective, self.rng = objective, objective.rng
        self.paths = [path for path, _ in objective.leaves]
        self.leaves = [leaf for _, leaf in objective.leaves]
        self.free = objective.bounds.free
        self.gradient = [
            np.where(free, g, 0) for (_, g), free in zip(objective.gradient, self.free, strict=True)
        ]
        self.units = [units(leaf) for leaf in self.leaves]
        self.norms = [norm([g * u]) for g, u in zip(self.gradient, self.units, strict=True)]
        self.length = norm(self.leaves)

    def search_at(self, leaf: int, index: tuple[int, ...]) -> Search:
        """The search for the slope at one place: the number of the leaf, and the index in it."""
        objective, x = self.objective, self.leaves[leaf][index]
        slope = float(self.gradient[leaf][index])
        free = max(1, int(np.count_nonzero(self.free[leaf])))
        ordinary = norm([self.gradient[leaf]]) / sqrt(free)  # root mean square
        reach = max(1.0, abs(float(x)))
        h, one_sided = objective.bounds.step(leaf, index, self.random_step(reach))
        farthest, to_one_side = objective.bounds.step(leaf, index, reach)
        widest = abs(farthest) if to_one_side == one_sided else abs(h)
        claim_error = self.claim_error(abs(slope) + 4 * ordinary) + objective.claim_noise[leaf]
        test = SlopeTest(
            claim=slope,
            claim_error=claim_error,
            size=max(abs(slope), ordinary),
            fine=self.fine(abs(slope), claim_error),
            value=objective.value,
            noise=objective.noise,
            roundoff=objective.claim_roundoff,
            length=abs(float(x)),
            length_of_all=self.length,
            reach=reach,
        )
        f = Coordinate(objective.loss, objective.point, leaf, index)
        return self._search(f, x, test, h, widest, 0.0, one_sided=one_sided)

    def search_along(
        self,
        leaves: list[int],
        step: float = inf,
        part: slice = slice(None),
        most: int = HALVINGS,
    ) -> Search:
        """The search for the slope along a random direction over some leaves, or over part of one.

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
        moved = {}
        for leaf in leaves:
            d = np.zeros(self.gradient[leaf].size)
            d[part] = self.rng.standard_normal(d[part].size)
            moved[leaf] = self.free[leaf] * d.reshape(self.free[leaf].shape) * self.units[leaf]
        return self._search_moving(moved, step, most)

    def search_shifted(self, leaves: list[int], *, signed: bool) -> Search:
        """The search for the slope where all numbers of some leaves move alike, by 1.

        They all grow, or, if `signed`, they all move away from 0.
        """
        return self._search_moving(
            {leaf: self.free[leaf] * (np.sign(self.leaves[leaf]) if signed else 1.0) for leaf in leaves}
        )

    def _search_moving(
        self, moved: dict[int, np.ndarray], step: float = inf, most: int = HALVINGS
    ) -> Search:
        """The search for the slope along a direction: what each leaf in it moves by.

        `step` and `most` as for `search_along`.
        """
        objective, leaves = self.objective, list(moved)
        unit = norm(list(moved.values()))
        count = sum(np.count_nonzero(d) for d in moved.values())
        length = norm([self.leaves[leaf] for leaf in leaves]) / unit
        reach = max(1.0 / unit, length)
        least = LOST * objective.roundoff * length
        h = max(self.random_step(reach) if step == inf else step * reach, 2**6 * least)
        every = [moved.get(leaf) for leaf in range(len(self.leaves))]
        direction, h, one_sided = objective.bounds.inwards(every, h)
        pairs = [(leaf, d) for leaf, d in enumerate(direction) if d is not None]
        products = [self.gradient[leaf].astype(np.float64) * d for leaf, d in pairs]
        norms = [self.norms[leaf] for leaf in leaves if not self.is_negligible(leaf)]
        smallest = min(norms, default=0.0)
        wavering = sum(objective.claim_noise[leaf] * norm([d]) for leaf, d in pairs)
        claim_error = self.claim_error(float(sum(np.abs(p).sum() for p in products))) + wavering
        test = SlopeTest(
            claim=float(sum(product.sum() for product in products)),
            claim_error=claim_error,
            size=min(hypot(*norms), ALIKE * smallest),
            fine=self.fine(smallest, claim_error),
            value=objective.value,
            noise=objective.noise,
            roundoff=objective.claim_roundoff,
            length=length / sqrt(count),
            length_of_all=self.length / unit,
            reach=reach,
        )
        f = Line(objective.loss, objective.point, direction)
        is_wide = h > 2 * self.random_step(reach)  # as an earlier direction had to be
        widest = reach if objective.bounds.is_unbounded and (most == HALVINGS or is_wide) else h
        return self._search(f, np.float64(0), test, h, widest, least, most, one_sided)

    def _search(
        self,
        f: Callable[[Any], float],
        x: Any,
        test: SlopeTest,
        step: float,
        widest: float,
        least: float,
        most: int = HALVINGS,
        one_sided: bool = False,
    ) -> Search:
        """A search with what holds for all lines: the errors of the loss."""
        objective = self.objective
        near = first_step(1.0, objective.value, objective.roundoff, objective.noise)
        return Search(
            f=f,
            x=x,
            test=test,
            step=step,
            widest=widest,
            least=least,
            near=near if test.length > FAR_OUT and near < abs(step) else 0.0,
            roundoff=objective.roundoff,
            noise=objective.noise,
            most=most,
            one_sided=one_sided,
        )

    def fine(self, size: float, claim_error: float) -> float:
        """Up to which tolerance no smaller steps are tried."""
        in_float32 = size > 0 and self.objective.claim_roundoff > self.objective.roundoff
        return max(SHARP * size, 2 * SAFETY * claim_error if in_float32 else 0.0)

    def claim_error(self, terms: float) -> float:
        """How far rounding may have carried a claim that is a sum of terms with this sum of sizes."""
        objective = self.objective
        # A loss in float64 shows all roundings of a gradient in float32, those on its way included.
        own = ON_THE_WAY if objective.claim_roundoff > objective.roundoff else 1
        return own * objective.claim_roundoff * terms

    def least_unit(self, leaf: int) -> float:
        """The unit of that number of a leaf which random directions move least.

        >>> from optimlib.gradcheck.bounds import Bounds
        >>> theta, rng = np.array([1e-6, 1.0, 0.0, 1e6]), np.random.default_rng(0)
        >>> bounds = Bounds(theta, (-np.inf, np.inf))
        >>> Scales(Objective(np.sum, np.ones_like, theta, bounds, rng)).least_unit(0)
        1e-06
        """
        free = self.free[leaf]
        return float(np.broadcast_to(self.units[leaf], free.shape)[free].min())

    def value_error(self) -> float:
        """How far off the values of the loss may be."""
        objective = self.objective
        return max(objective.claim_roundoff * abs(objective.value), objective.noise)

    def random_step(self, reach: float) -> float:
        """A first step. Its random part keeps a function with the period of all steps from hiding."""
        objective = self.objective
        step = first_step(reach, objective.value, objective.roundoff, objective.noise)
        return step * self.rng.uniform(0.7, 1.4)

    def is_negligible(self, leaf: int) -> bool:
        """Whether what a leaf's gradient claims is lost in the roundings of the loss."""
        reach = max(1.0, norm([self.leaves[leaf]]))
        return self.norms[leaf] * reach <= NEGLIGIBLE * self.value_error()


def units(leaf: np.ndarray) -> np.ndarray | float:
    """The units in which the numbers of a leaf are moved: their own sizes, if these differ a lot.

    >>> units(np.array([0.5, -2.0, 0.1])), units(np.array([1e-6, 1.0, 0.0, 1e6]))
    (1.0, array([1.e-06, 1.e+00, 1.e+00, 1.e+06]))
    """
    sizes = np.abs(leaf[leaf != 0], dtype=np.float64)
    if sizes.size == 0:
        return 1.0
    low, middle, high = np.quantile(sizes, (0.1, 0.5, 0.9))
    return np.where(leaf == 0, 1, np.abs(leaf / middle)) if high > UNLIKE * low else 1.0


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
