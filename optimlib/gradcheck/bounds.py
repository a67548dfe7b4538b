"""How far parameters may be moved before they reach their bounds, and which are held fixed."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import check_function
from optimlib.gradcheck.rendering import shorten
from optimlib.trees import Tree, children, flatten, format_index

Limits = tuple[Any, Any]
"""The lowest and the highest values, each a number or a tree like the parameters."""

Frozen = Callable[[str], bool] | Any
"""Which parameters are held fixed: a function of the path, or a tree of bools like the parameters."""

NARROW = 1 / 16  # with at least this part of the step on either side, it is shortened to fit
MARGIN = 0.99  # a step goes so far toward a bound: no rounding may carry it across


class Bounds:
    """The distances of parameters from their bounds, below and above.

    Parameters
    ----------
    theta
        The parameters.
    limits
        ``(low, high)``: numbers, or trees like `theta`. Where both are equal, the number is fixed.
    frozen
        A function that takes the path of a leaf, such as ``['W']``, and returns whether it is fixed; or
        a tree like `theta` with a bool, or an array of them, for every leaf. None: nothing is fixed.

    Attributes
    ----------
    free : list of numpy.ndarray
        For every leaf, which of its numbers may be moved.

    Raises
    ------
    TypeError
        If a bound is not a number where a number is expected, or `frozen` holds something else than
        bools.
    ValueError
        If the bounds are not two, do not fit theta, contain NaN, or theta lies outside of them; if
        `frozen` does not fit theta.

    Examples
    --------
    >>> bounds = Bounds(np.array([0.0, 3.0]), (0.0, np.inf))
    >>> bounds.step(0, (1,), h=0.5), bounds.step(0, (0,), h=0.5)  # two-sided, to the right only
    ((0.5, False), (0.5, True))
    """

    def __init__(self, theta: Tree, limits: Limits, frozen: Frozen = None) -> None:
        if not (isinstance(limits, tuple | list) and len(limits) == 2):
            pairs = isinstance(limits, tuple | list) and all(np.size(pair) == 2 for pair in limits)
            remedy = "; of pairs: tuple(np.transpose(pairs))" if pairs and limits else ""
            raise ValueError(
                f"bounds is {shorten(repr(limits), 60)}; expected two: (low, high), with -np.inf or"
                f" np.inf where there is none{remedy}"
            )
        self.limits, self.frozen = limits, frozen
        leaves = flatten(theta)
        lows, highs = (_numbers(bound, theta, f"bounds[{i}]") for i, bound in enumerate(limits))
        self.is_unbounded = all(np.isinf(bound).all() for bound in lows + highs)
        self.below = [leaf - low for (_, leaf), low in zip(leaves, lows, strict=True)]
        self.above = [high - leaf for (_, leaf), high in zip(leaves, highs, strict=True)]
        for (path, leaf), below, above, low, high in zip(
            leaves, self.below, self.above, lows, highs, strict=True
        ):
            wrong = ~((below >= 0) & (above >= 0))
            if wrong.any():
                index = tuple(np.argwhere(wrong)[0].tolist())
                if low[index] > high[index]:
                    raise ValueError(
                        f"bounds of theta{path}{format_index(index)} are {low[index]} and {high[index]};"
                        " expected (low, high), the lower first"
                    )
                raise ValueError(
                    f"theta{path}{format_index(index)} is {leaf[index]} with bounds {low[index]} and"
                    f" {high[index]}; expected a number within"
                )
        held = _held(frozen, leaves)
        self.free = [
            (below + above > 0) & ~fixed
            for below, above, fixed in zip(self.below, self.above, held, strict=True)
        ]

    def at(self, theta: Tree) -> Bounds:
        """The bounds of other parameters."""
        return Bounds(theta, self.limits, self.frozen)

    def step(self, leaf: int, index: tuple[int, ...], h: float) -> tuple[float, bool]:
        """A step for one coordinate, `h` if there is room, and whether it fits to that side only."""
        below, above = float(self.below[leaf][index]), float(self.above[leaf][index])
        nearer, farther = min(below, above), max(below, above)
        if nearer >= h:
            return h, False
        if nearer >= NARROW * h:
            return MARGIN * nearer, False
        return (1 if above >= below else -1) * min(h, MARGIN * farther), True

    def inwards(
        self, direction: list[np.ndarray | None], h: float
    ) -> tuple[list[np.ndarray | None], float, bool]:
        """A direction that leads away from near bounds, a step along it, and whether any is near.

        A number is near a bound if `h` times the direction, or the opposite, would carry it across.
        Its sign is chosen anew then, and the step is as much shorter as the other bound demands.
        """
        if self.is_unbounded:
            return direction, h, False
        turned: list[np.ndarray | None] = []
        step, any_near = h, False
        for d, below, above in zip(direction, self.below, self.above, strict=True):
            if d is None or d.size == 0:
                turned.append(d)
                continue
            near = np.minimum(below, above) < h * np.abs(d)
            turned.append(np.where(near, np.where(above >= below, 1, -1) * np.abs(d), d))
            if near.any():
                farther = np.maximum(below, above)[near]
                step = min(step, float(np.min(MARGIN * farther / np.abs(d[near]))))
                any_near = True
        return turned, step, any_near


def _held(frozen: Frozen, leaves: list[tuple[str, np.ndarray]]) -> list[np.ndarray]:
    """For every leaf, which of its numbers are held fixed by the user's wish."""
    if frozen is None:
        given: list[Any] = [False] * len(leaves)
    elif callable(frozen):
        check_function(frozen, "frozen", "path")
        given = [frozen(path) for path, _ in leaves]
        if all(fixed is False for fixed in given):
            known = ", ".join(repr(path) for path, _ in leaves[:3])
            raise ValueError(
                f"frozen is False for every leaf; expected True for one at least (paths are {known})"
            )
    else:
        flat = flatten(frozen)
        if [path for path, _ in flat] != [path for path, _ in leaves]:
            raise ValueError(
                "frozen is not built like theta; expected a bool for every leaf of theta, or a function"
                f" of its path, such as {leaves[0][0]!r}"
            )
        given = [fixed for _, fixed in flat]
    held = []
    for fixed, (path, leaf) in zip(given, leaves, strict=True):
        mask = np.asarray(fixed)
        if mask.dtype != bool:
            where = f"frozen({path!r})" if callable(frozen) else f"frozen{path}"
            raise TypeError(f"{where} is {fixed!r}; expected True or False")
        if mask.shape not in ((), leaf.shape):
            raise ValueError(
                f"frozen{path} has shape {mask.shape}; expected {leaf.shape}, the shape of theta{path}"
            )
        held.append(np.broadcast_to(mask, leaf.shape))
    return held


def _numbers(bound: Any, theta: Tree, name: str) -> list[np.ndarray]:
    """One bound for every number in theta, as arrays like its leaves."""
    leaves = flatten(theta)
    if children(bound) is None and np.ndim(bound) == 0:
        if isinstance(bound, bool) or not isinstance(bound, Real):
            raise TypeError(
                f"{name} is {shorten(repr(bound), 60)}; expected a number, or a tree like theta"
                f"{' (-np.inf or np.inf for none)' if bound is None else ''}"
            )
        return [np.full(leaf.shape, float(bound)) for _, leaf in leaves]
    given = flatten(bound)
    if [path for path, _ in given] != [path for path, _ in leaves]:
        raise ValueError(f"{name} is not built like theta; expected a number, or a tree like theta")
    for (path, array), (_, leaf) in zip(given, leaves, strict=True):
        if np.shape(array) != leaf.shape:
            raise ValueError(
                f"{name}{path} has shape {np.shape(array)};"
                f" expected {leaf.shape}, the shape of theta{path}"
            )
    return [np.asarray(array, np.float64) for _, array in given]
