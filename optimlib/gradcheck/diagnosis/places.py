"""Hints about places: the right numbers stand elsewhere, or are missing at some places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from optimlib.gradcheck.diagnosis.evidence import (
    ENOUGH,
    TELLING,
    Finding,
    Leaf,
    common_ratio,
    is_varied,
)
from optimlib.gradcheck.diagnosis.factors import nearest_whole_factor
from optimlib.gradcheck.diagnosis.wording import failing, fraction, indices, named
from optimlib.gradcheck.rendering import counted


def masked_places(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Exactly 0 at some places where the loss has a slope, and right at others of the same leaf.

    An exact zero is no accident, so one will do. A slope that is right elsewhere in the leaf tells this
    from a leaf of zeros.
    """
    for leaf in unexplained:
        right = int((leaf.sloping & ~leaf.failed).sum())
        if right and leaf.telling.any() and not leaf.analytic[leaf.failed].any():
            yield (
                [leaf],
                f"analytic is exactly 0 at {indices(_failed_places(leaf))}, where the loss has a slope,"
                f" and right at {counted(right, 'other probe')}; usually a mask, an index or a slice"
                " that leaves places out",
            )


def missing_mask(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Not 0 where the loss does not move at all, and right, but for one factor, everywhere else.

    Dropout divides what its mask keeps by a probability: hence the factor.
    """
    for leaf in unexplained:
        flat = leaf.failed & (leaf.numeric == 0) & (leaf.jump == 0)
        rest = leaf.only(~flat)
        if not (flat & leaf.telling).any() or rest.sloping.sum() < ENOUGH:
            continue
        ratio = nearest_whole_factor(rest) or common_ratio([rest]) if rest.failed.any() else 1.0
        if ratio is None:
            continue
        elsewhere = "right" if ratio == 1 else f"{fraction(ratio)} times numeric"
        yield (
            [leaf],
            f"the loss has no slope at {indices(_failed_places(leaf.only(flat)))}, where analytic is not"
            f" 0, and analytic is {elsewhere} at {counted(int(rest.sloping.sum()), 'other probe')};"
            " usually a mask of the loss that the gradient lacks",
        )


def _failed_places(leaf: Leaf) -> list[tuple[int, ...] | None]:
    return [probe.index for probe in leaf.probes if probe.verdict == "fail"]


def triangles(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Symmetric matrices, of which a triangle stands for the whole in only one of loss and gradient."""
    for leaf in unexplained:
        g = leaf.gradient
        square = g.ndim >= 2 and g.shape[-1] == g.shape[-2]
        if not square or leaf.sloping.sum() < ENOUGH or not is_varied(leaf.numeric[leaf.telling]):
            continue
        above, below, on = (_at_probes(leaf, which) for which in (np.greater, np.less, np.equal))
        lower, upper, mirrored = np.tril(g), np.triu(g), g.swapaxes(-1, -2)
        diagonal = g * np.eye(g.shape[-1], dtype=g.dtype)
        one_triangle = (above & leaf.telling).any() and (below & leaf.telling).any()
        skewed = np.abs(leaf.analytic - leaf.at_probes(mirrored)) >= TELLING * leaf.tolerance
        doubled = (on & leaf.sloping & ~leaf.failed).any() and leaf.telling.sum() >= ENOUGH
        for applies, corrected, what in (
            (one_triangle, lower + np.tril(mirrored, -1), ONE_TRIANGLE.format("above", "lower")),
            (one_triangle, upper + np.triu(mirrored, 1), ONE_TRIANGLE.format("below", "upper")),
            (doubled, (g + diagonal) / 2, DOUBLED),
            (skewed.any(), (g + mirrored) / 2, HALF_SYMMETRIC),
            (skewed.any(), g + mirrored, UNSYMMETRIC),
        ):
            if applies and leaf.agrees(leaf.at_probes(corrected)):
                yield [leaf], what.format(failing([leaf]))
                break


ONE_TRIANGLE = (
    "numeric is 0 {} the diagonal, and on the other side the sum of both triangles of the gradient"
    " ({{}}); usually a loss that reads only the {} triangle, as np.linalg.cholesky does: symmetrize its"
    " argument, or give the gradient of that triangle"
)
DOUBLED = (
    "analytic is right on the diagonal and twice numeric elsewhere ({}); usually the rule for symmetric"
    " matrices, 2 G - diag(G), where the loss takes every element for itself"
)
HALF_SYMMETRIC = (
    "numeric is the symmetric part of analytic, (G + G.T) / 2 ({}); usually a loss that symmetrizes its"
    " argument"
)
UNSYMMETRIC = (
    "numeric is G + G.T, where analytic is G ({}); usually a matrix that the loss uses twice, once"
    " transposed"
)


def _at_probes(leaf: Leaf, compared: np.ufunc) -> np.ndarray:
    """Which probes lie above, below or on the diagonal: `compared` takes column and row."""
    pairs = [probe.index[-2:] for probe in leaf.probes if probe.index is not None]
    rows, columns = np.array(pairs).T
    return compared(columns, rows)


def rearranged(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The right numbers at wrong places of the leaf: transposed, reversed, shifted."""
    found: dict[str, list[Leaf]] = {}
    for leaf in unexplained:
        if is_varied(leaf.numeric[leaf.telling]):
            for what, corrected in _arrangements(leaf.gradient):
                if leaf.agrees(leaf.at_probes(corrected)):
                    found.setdefault(what, []).append(leaf)
                    break
            else:
                for what in _one_off(leaf):
                    found.setdefault(what, []).append(leaf)
    for what, group in found.items():
        yield group, f"right numbers at wrong places ({failing(group)}): {what}"


def _arrangements(g: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What may happen to the numbers of a leaf by mistake, and the leaf with that undone."""
    for a, b in combinations(range(g.ndim), 2):
        if g.shape[a] == g.shape[b]:
            what = "transposed" if g.ndim == 2 else f"axes {a} and {b} exchanged"
            yield f"{what}; usually a .T too many or too few", g.swapaxes(a, b)
        else:
            shape = list(g.shape)
            shape[a], shape[b] = shape[b], shape[a]
            what = f"axes {a} and {b} exchanged by a reshape, which is no transpose"
            yield what, g.reshape(shape).swapaxes(a, b)
    if g.ndim >= 2:
        what = "the last two axes reversed; usually a kernel that should, or should not, be flipped"
        yield what, np.flip(g, (-2, -1))
    for axis in range(g.ndim):
        kernel = (
            ", or a kernel that should, or should not, be flipped" if g.ndim == 1 and g.size > 2 else ""
        )
        yield f"axis {axis} reversed; usually a loop in the wrong order{kernel}", np.flip(g, axis)
        for shift in (1, -1):
            what = f"axis {axis} shifted by {shift}; usually an index that is one off"
            yield what, np.roll(g, -shift, axis)


def _one_off(leaf: Leaf) -> Iterator[str]:
    """Along which axis the numbers stand one place off, where the one at the edge is another number.

    Of an arithmetic or geometric series, a constant too much or a factor explains as much.
    """
    difference = (leaf.analytic - leaf.numeric)[leaf.telling]
    ratio = (leaf.analytic / leaf.numeric)[leaf.telling]
    if not (is_varied(difference) and is_varied(ratio)):
        return
    for axis, length in enumerate(leaf.theta.shape):
        place = np.array([probe.index[axis] for probe in leaf.probes if probe.index is not None])
        for shift, edge in ((1, length - 1), (-1, 0)):
            inner = leaf.only(place != edge)
            corrected = np.roll(leaf.gradient, -shift, axis)
            if is_varied(inner.numeric[inner.telling]) and inner.agrees(inner.at_probes(corrected)):
                yield (
                    f"axis {axis} shifted by {shift}, with another number at the edge; usually an index"
                    " that is one off"
                )
                return


def swapped_leaves(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Two leaves of the same shape, each with the gradient of the other."""
    for one, other in combinations(unexplained, 2):
        if one.theta.shape != other.theta.shape:
            continue
        exchanged = one.agrees(one.at_probes(other.gradient)) and other.agrees(
            other.at_probes(one.gradient)
        )
        telling = np.concatenate([leaf.numeric[leaf.telling] for leaf in (one, other)])
        if exchanged and is_varied(telling):
            yield [one, other], "each has the gradient of the other; the two are swapped"


def displaced_leaf(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The right gradient of a leaf stands at another leaf of the same shape, which is no mere swap."""
    for leaf in unexplained:
        alike = [other for other in leaves if other.theta.shape == leaf.theta.shape]
        holders = [other for other in alike if leaf.agrees(leaf.at_probes(other.gradient))]
        if holders and is_varied(leaf.numeric[leaf.telling]):
            yield [leaf], f"its gradient stands at {named(holders[0])}; usually leaves in a wrong order"


def zeros(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Leaves whose gradient is exactly 0, where the loss has a slope."""
    group = [leaf for leaf in unexplained if not leaf.gradient.any() and leaf.telling.any()]
    if group:
        what = "analytic is exactly 0 in the whole leaf, and the loss has a slope there"
        yield group, f"{what}; usually a layer left out, or a gradient that is never stored"
