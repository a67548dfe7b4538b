"""What size everything has: parameters, gradients, and the steps that suit both.

From a place, or a direction over some leaves, `Scales` makes the search for the slope there: the line,
the claim and its size, and the first step. The *reach* of a line is how far a step may go that changes
the parameters by as much as their own size, or by 1.
"""

from __future__ import annotations

from math import hypot, inf, sqrt

import numpy as np

from optimlib.gradcheck.lines import Coordinate, Line
from optimlib.gradcheck.objective import Objective
from optimlib.gradcheck.search import HALVINGS, Search, first_step
from optimlib.gradcheck.slope import NEGLIGIBLE, SHARP, SlopeTest

ALIKE = 10  # norms of gradients of this ratio are alike
LOST = 2**10  # so many roundings of theta a step along a direction must be
UNLIKE = 1000  # numbers of one leaf whose sizes have this ratio are in different units


class Scales:
    """The sizes of the leaves of an objective and of their gradients.

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
    >>> scales.coordinate(0, (1,)).test.claim
    1.0
    """

    def __init__(self, objective: Objective) -> None:
        self.objective, self.rng = objective, objective.rng
        self.paths = [path for path, _ in objective.leaves]
        self.leaves = [leaf for _, leaf in objective.leaves]
        self.gradient = [g for _, g in objective.gradient]
        self.units = [units(leaf) for leaf in self.leaves]
        self.norms = [norm([g * u]) for g, u in zip(self.gradient, self.units, strict=True)]
        self.length = norm(self.leaves)

    def coordinate(self, leaf: int, index: tuple[int, ...]) -> Search:
        """The search for the slope at one place: the number of the leaf, and the index in it."""
        objective, x = self.objective, self.leaves[leaf][index]
        slope = float(self.gradient[leaf][index])
        ordinary = norm([self.gradient[leaf]]) / sqrt(self.gradient[leaf].size)  # root mean square
        reach = max(1.0, abs(float(x)))
        h, one_sided = objective.bounds.step(leaf, index, self.random_step(reach))
        widest, _ = objective.bounds.step(leaf, index, reach)
        test = SlopeTest(
            claim=slope,
            terms=abs(slope) + 4 * ordinary,
            size=max(abs(slope), ordinary),
            fine=SHARP * abs(slope),
            value=objective.value,
            roundoff=objective.roundoff,
            length=abs(float(x)),
            length_of_all=self.length,
            reach=reach,
        )
        f = Coordinate(objective.loss, objective.theta, leaf, index)
        return Search(f, x, test, h, abs(widest), least=0.0, noise=objective.noise, one_sided=one_sided)

    def direction(
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
        objective = self.objective
        direction: list[np.ndarray | None] = [None] * len(self.leaves)
        for leaf in leaves:
            d = np.zeros(self.gradient[leaf].size)
            d[part] = self.rng.standard_normal(d[part].size)
            direction[leaf] = d.reshape(self.gradient[leaf].shape) * self.units[leaf]
        moved = [d for d in direction if d is not None]
        count, unit = sum(np.count_nonzero(d) for d in moved), norm(moved)
        length = norm([self.leaves[leaf] for leaf in leaves]) / unit
        reach = max(1.0 / unit, length)
        least = LOST * objective.roundoff * length
        h = max(min(step * reach, self.random_step(reach)), 2**6 * least)
        direction, h, one_sided = objective.bounds.inwards(direction, h)
        products = [self.gradient[leaf].astype(np.float64) * direction[leaf] for leaf in leaves]
        norms = [self.norms[leaf] for leaf in leaves if not self.is_negligible(leaf)]
        smallest = min(norms, default=0.0)
        test = SlopeTest(
            claim=float(sum(product.sum() for product in products)),
            terms=float(sum(np.abs(product).sum() for product in products)),
            size=min(hypot(*norms), ALIKE * smallest),
            fine=SHARP * smallest,
            value=objective.value,
            roundoff=objective.roundoff,
            length=length / sqrt(count),
            length_of_all=self.length / unit,
            reach=reach,
        )
        f = Line(objective.loss, objective.theta, direction)
        widest = reach if objective.bounds.is_unbounded and most == HALVINGS else h
        return Search(f, 0.0, test, h, widest, least, objective.noise, most, one_sided)

    def random_step(self, reach: float) -> float:
        """A first step. Its random part keeps a function with the period of all steps from hiding."""
        objective = self.objective
        step = first_step(reach, objective.value, objective.roundoff, objective.noise)
        return step * self.rng.uniform(0.7, 1.4)

    def is_negligible(self, leaf: int) -> bool:
        """Whether what a leaf's gradient claims is lost in the roundings of the loss."""
        reach = max(1.0, norm([self.leaves[leaf]]))
        roundings = self.objective.roundoff * abs(self.objective.value)
        return self.norms[leaf] * reach <= NEGLIGIBLE * roundings


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
