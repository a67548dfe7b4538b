"""What a failed check's numbers look like: the handwriting of common mistakes (chapter 3).

A hint is a conjecture put to the test. Every pattern says what the gradient of a leaf would have been
without one certain mistake, and the hint is given only if *that* gradient agrees with the loss at
every probe of the leaf, those that passed included. Agreement by luck is kept out by counting only
`telling` probes, where the mistake is a hundred times as large as what the probe can resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from math import isfinite

import numpy as np

from optimlib.gradcheck.report import Probe, shorten
from optimlib.trees import format_index

Pairs = Sequence[tuple[str, np.ndarray]]

TELLING = 100  # tolerances of disagreement: a wrong conjecture agrees by luck about once in so many
ENOUGH = 2  # telling probes: one alone proves little where parameters are whole and slopes simple
LUCK = 1e-3  # with one constant fitted, the chance that the other probes agree may be no larger
SPREAD = 1e-2  # numbers that differ by less, relative to the largest, count as one
COMMON = (-1.0, 2.0, 0.5)  # the factors for which a single telling probe is enough
HINTS = 3  # a reader follows no more


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
    def telling(self) -> np.ndarray:
        """Which probes failed by so much that no conjecture repairs them by luck."""
        return self.failed & (np.abs(self.analytic - self.numeric) >= TELLING * self.tolerance)

    @cached_property
    def sloping(self) -> np.ndarray:
        """Where the loss certainly has a slope."""
        return np.abs(self.numeric) >= TELLING * self.tolerance

    def agrees(self, corrected: np.ndarray) -> bool:
        """Whether these numbers, one a probe, would have passed."""
        return bool((np.abs(corrected - self.numeric) <= self.tolerance).all())


Finding = tuple[list[Leaf], str]  # the leaves it explains, and what was seen in them


def explain(theta: Pairs, gradient: Pairs, probes: Sequence[Probe]) -> tuple[str, ...]:
    """What is probably wrong with a gradient, read off the probes of its coordinates.

    Parameters
    ----------
    theta, gradient
        The parameters and the claimed gradient: ``(path, array)`` pairs in the same order, as
        `optimlib.trees.flatten` gives them.
    probes
        The coordinates that were probed, right ones as well as wrong ones: a conjecture has to agree
        with both. Directions are passed over, and so are verdicts other than "pass" and "fail".

    Returns
    -------
    tuple of str
        At most three sentences, the most specific first; none if no pattern fits.

    Examples
    --------
    >>> from optimlib import check_gradient
    >>> theta = {"w": np.array([0.3, -1.2, 0.7])}
    >>> def loss(theta): return np.sin(theta["w"]).sum()
    >>> def grad(theta): return {"w": -np.cos(theta["w"])}
    >>> probes = check_gradient(loss, grad, theta).probes
    >>> print(*explain([("['w']", theta["w"])], [("['w']", grad(theta)["w"])], probes))
    theta['w']: analytic is -1 times numeric (3 failing probes); usually a sign.
    """
    judged: dict[str, list[Probe]] = {path: [] for path, _ in theta}
    for probe in probes:
        if probe.index is not None and probe.verdict in ("pass", "fail"):
            judged[probe.path].append(probe)
    pairs = zip(theta, gradient, strict=True)
    leaves = [Leaf(path, leaf, g, tuple(judged[path])) for (path, leaf), (_, g) in pairs]
    unexplained = [leaf for leaf in leaves if leaf.failed.any()]
    hints = []
    with np.errstate(all="ignore"):  # ratios of the largest to the smallest numbers
        for pattern in PATTERNS:
            for explained, what in pattern(unexplained, leaves):
                hints.append(f"{_places(explained, leaves)}: {what}.")
                unexplained = [leaf for leaf in unexplained if leaf not in explained]
    return tuple(hints[:HINTS])


# The patterns. Each takes the leaves that nothing has explained yet, and all leaves.


def masked_places(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Exactly 0 at some places where the loss has a slope, and right at others of the same leaf.

    An exact zero is no accident, so one will do. A slope that is right elsewhere in the leaf tells this
    from a leaf of zeros.
    """
    for leaf in unexplained:
        wrong = [probe for probe in leaf.probes if probe.verdict == "fail"]
        right = int((leaf.sloping & ~leaf.failed).sum())
        if right and leaf.telling.any() and all(probe.analytic == 0 for probe in wrong):
            places = ", ".join(format_index(probe.index) for probe in wrong[:3])
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            yield (
                [leaf],
                f"analytic is exactly 0 at {places}{more}, where the loss has a slope, and right at"
                f" {_counted(right, 'other probe')}; usually a mask, an index or a slice that leaves"
                " places out",
            )


def whole_factor(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """One whole number, or one over a whole number, times the right gradient.

    Leaves that share the factor are taken together: a single parameter each is enough then. One
    telling probe alone is trusted with the commonest factors only. At whole parameters, others come
    about by chance.
    """
    factors = {leaf.path: _whole_factor(leaf) for leaf in unexplained}
    for factor in dict.fromkeys(factors.values()):
        group = [leaf for leaf in unexplained if factors[leaf.path] == factor]
        telling = sum(int(leaf.telling.sum()) for leaf in group)
        if factor is not None and telling >= (1 if factor in COMMON else ENOUGH):
            yield (
                group,
                f"analytic is {_fraction(factor)} times numeric ({_failing(group)});"
                f" usually {_meaning(factor, leaves)}",
            )


def _whole_factor(leaf: Leaf) -> float | None:
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


def _meaning(factor: float, leaves: list[Leaf]) -> str:
    """What a factor usually stands for."""
    if factor == -1:
        return "a sign"
    if factor < 0:
        return "a sign, and a constant factor"
    if factor == 2:
        return "a square whose 2 the loss cancels with a 1/2, or a term that is added twice"
    if factor == 0.5:
        return "the 2 of a square is missing, or a 1/2 that only the gradient has"
    count = round(max(factor, 1 / factor))
    which = "a sum where the loss has a mean" if factor > 1 else "a mean where the loss has a sum"
    for leaf in leaves:
        if count in leaf.theta.shape:
            place = shorten(f"theta{leaf.path}", 40)
            return f"{which} ({count} is the length of axis {leaf.theta.shape.index(count)} of {place})"
    return f"{which} (over {count} examples?)"


def rearranged(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The right numbers at wrong places of the leaf: transposed, reversed, shifted."""
    found: dict[str, list[Leaf]] = {}
    for leaf in unexplained:
        if _is_varied(leaf.numeric[leaf.telling]):
            for what, corrected in _arrangements(leaf.gradient):
                if leaf.agrees(leaf.at_probes(corrected)):
                    found.setdefault(what, []).append(leaf)
                    break
    for what, group in found.items():
        yield group, f"right numbers at wrong places ({_failing(group)}): {what}"


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
        yield f"axis {axis} reversed; usually a loop in the wrong order", np.flip(g, axis)
        for shift in (1, -1):
            what = f"axis {axis} shifted by {shift}; usually an index that is one off"
            yield what, np.roll(g, -shift, axis)


def swapped_leaves(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Two leaves of the same shape, each with the gradient of the other."""
    for one, other in combinations(unexplained, 2):
        if one.theta.shape != other.theta.shape:
            continue
        exchanged = one.agrees(one.at_probes(other.gradient)) and other.agrees(
            other.at_probes(one.gradient)
        )
        telling = np.concatenate([leaf.numeric[leaf.telling] for leaf in (one, other)])
        if exchanged and _is_varied(telling):
            yield [one, other], "each has the gradient of the other; the two are swapped"


def displaced_leaf(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The right gradient of a leaf stands at another leaf of the same shape, which is no mere swap."""
    for leaf in unexplained:
        alike = [other for other in leaves if other.theta.shape == leaf.theta.shape]
        holders = [other for other in alike if leaf.agrees(leaf.at_probes(other.gradient))]
        if holders and _is_varied(leaf.numeric[leaf.telling]):
            place = shorten(f"theta{holders[0].path}", 40)
            yield [leaf], f"its gradient stands at {place}; usually leaves in a wrong order"


def zeros(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Leaves whose gradient is exactly 0, where the loss has a slope."""
    group = [leaf for leaf in unexplained if not leaf.gradient.any() and leaf.telling.any()]
    if group:
        what = "analytic is exactly 0 in the whole leaf, and the loss has a slope there"
        yield group, f"{what}; usually a layer left out, or a gradient that is never stored"


def regulariser(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The difference is one number times theta, or times its signs.

    Where the gradient itself is a multiple of theta, a constant factor explains as much, and nothing
    is said here.
    """
    for name, derivative in (("theta", np.asarray), ("sign(theta)", np.sign)):
        find = partial(_penalty, derivative=derivative)
        for group, size in _with_a_constant(find, unexplained):
            which = "that the gradient lacks" if size > 0 else "that the gradient has once too often"
            yield (
                group,
                f"numeric - analytic is {size:.4g} {name} ({_failing(group)});"
                f" usually a regulariser {which}",
            )
            unexplained = [leaf for leaf in unexplained if leaf not in group]


def _penalty(group: list[Leaf], derivative: Callable[[np.ndarray], np.ndarray]) -> float | None:
    """By how many times `derivative(theta)` the gradient of all these leaves is too small."""
    if _ratio(group) is not None:
        return None
    analytic = _pool([leaf.analytic for leaf in group])
    penalty = _pool([leaf.at_probes(derivative(leaf.theta)) for leaf in group])
    fitted = _fitted(group, analytic, penalty)
    return None if fitted is None else _simplest(*fitted)


def constant_ratio(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """One factor that is no whole number."""
    for group, ratio in _with_a_constant(_ratio, unexplained):
        yield (
            group,
            f"analytic is {_fraction(ratio)} times numeric ({_failing(group)});"
            " usually a constant that only one of loss and gradient has",
        )


PATTERNS: tuple[Callable[[list[Leaf], list[Leaf]], Iterator[Finding]], ...] = (
    masked_places,
    whole_factor,
    rearranged,
    swapped_leaves,
    displaced_leaf,
    zeros,
    regulariser,
    constant_ratio,
)


# What several patterns share


def _is_varied(numbers: np.ndarray) -> bool:
    """Whether these are enough numbers, and not all the same: equal ones fit anywhere."""
    return len(numbers) >= ENOUGH and bool(np.ptp(numbers) > SPREAD * np.abs(numbers).max())


def _with_a_constant(
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


def _ratio(group: list[Leaf]) -> float | None:
    """The factor by which the gradient of all these leaves is too large, if there is one."""
    analytic = _pool([leaf.analytic for leaf in group])
    fitted = _fitted(group, np.zeros_like(analytic), analytic)
    if fitted is None:
        return None
    inverse, uncertainty = fitted
    ratio = 1 / inverse
    return _simplest(ratio, uncertainty * abs(ratio / inverse)) if isfinite(ratio) else None


def _simplest(number: float, uncertainty: float) -> float:
    """The number with the fewest digits within the uncertainty, though at most six."""
    rounded = (float(f"{number:.{digits}g}") for digits in range(1, 7))
    return next((r for r in rounded if abs(r - number) <= uncertainty), number)


def _fitted(group: list[Leaf], a: np.ndarray, b: np.ndarray) -> tuple[float, float] | None:
    """The constant c of ``numeric = a + c b`` and its uncertainty, if one c fits all probes.

    One probe determines c, so the others have to speak. And `b` must vary over the telling probes:
    where it is the same everywhere, any constant difference fits. Where it is the same but for its
    sign, two probes are not enough: two numbers that were exchanged differ so from the right ones.
    """
    analytic = _pool([leaf.analytic for leaf in group])
    numeric = _pool([leaf.numeric for leaf in group])
    tolerance = _pool([leaf.tolerance for leaf in group])
    telling = _pool([leaf.telling for leaf in group]) & (b != 0)
    if not _is_varied(b[telling]):
        return None
    if telling.sum() == ENOUGH and not _is_varied(np.abs(b[telling])):
        return None
    uncertainty = np.where(telling, tolerance / np.abs(b), np.inf)  # of a c from one probe
    sharpest = int(uncertainty.argmin())
    c = float((numeric[sharpest] - a[sharpest]) / b[sharpest])
    allowed = tolerance + np.abs(b) * uncertainty[sharpest]
    telling[sharpest] = False
    luck = float(np.prod(allowed[telling] / np.abs(analytic - numeric)[telling]))
    fits = luck <= LUCK and c != 0 and (np.abs(a + c * b - numeric) <= allowed).all()
    return (c, float(uncertainty[sharpest])) if fits else None


def _pool(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays)


# How hints are worded


def _places(group: list[Leaf], leaves: list[Leaf]) -> str:
    """The leaves of a group by name; many are "everywhere" if the loss has no slope in any other."""
    others = [leaf for leaf in leaves if leaf not in group]
    if len(group) > 2 and not any(leaf.sloping.any() for leaf in others):
        return "everywhere"
    names = ", ".join(shorten(f"theta{leaf.path}", 40) for leaf in group[:3])
    return f"{names} and {len(group) - 3} more" if len(group) > 3 else names


def _failing(group: list[Leaf]) -> str:
    return _counted(sum(int(leaf.failed.sum()) for leaf in group), "failing probe")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _fraction(factor: float) -> str:
    """A factor as one would write it: 32, 1/32, 0.9995, 1 + 1e-06."""
    if _is_whole(factor):
        return f"{factor:.15g}"
    if _is_whole(1 / factor):
        return f"{'-' if factor < 0 else ''}1/{abs(1 / factor):.15g}"
    if abs(factor - 1) < 1e-4:
        return f"(1 {'+' if factor > 1 else '-'} {abs(factor - 1):.2g})"
    return f"{factor:.6g}"


def _is_whole(number: float) -> bool:
    return abs(number) < 1e15 and abs(number - round(number)) <= 1e-12 * abs(number)


# Mistakes that no probe shows


def shape_hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What the shape of a gradient that does not fit suggests; "" if it suggests nothing.

    Parameters
    ----------
    received, expected
        The shape of the gradient, and that of the parameter.

    Examples
    --------
    >>> shape_hint((32, 10), expected=(10,))
    'the sum over the first axis (the batch?) is missing'
    >>> shape_hint((3, 5), expected=(5, 3))
    'transposed'
    >>> shape_hint((1, 10), expected=(10,))
    'an axis of length 1 is left over: keepdims?'
    """
    if received == expected:
        return ""
    if received == expected[::-1]:
        return "transposed"
    longer = len(received) > len(expected)
    if longer and [n for n in received if n != 1] == [n for n in expected if n != 1]:
        return "an axis of length 1 is left over: keepdims?"
    if received[1:] == expected:
        return "the sum over the first axis (the batch?) is missing"
    return ""


def stale(at_theta: Pairs, at_moved: Pairs, again: Pairs) -> str:
    """What three calls of a gradient tell about its memory; "" if it seems to have none.

    Parameters
    ----------
    at_theta, at_moved, again
        The gradient at theta, then at other parameters, then at theta once more: ``(path, array)``
        pairs. Let the first not be the first call of all: a gradient that belongs to the previous
        call then shows itself, since that call was made with theta too.

    Examples
    --------
    >>> first, second = [("", np.array([1.0]))], [("", np.array([2.0]))]
    >>> stale(first, second, first)
    ''
    >>> stale(first, first, second)
    'grad(theta) is the gradient of the previous parameters: it answers one call late'
    """

    def same(one: Pairs, other: Pairs) -> bool:
        return all(np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))

    if not same(at_theta, at_moved):
        return ""
    if same(at_theta, again):
        return (
            "grad(theta) stays the same when theta moves: unless the loss is linear, it does not"
            " depend on its argument (stored activations, or other parameters?)"
        )
    return "grad(theta) is the gradient of the previous parameters: it answers one call late"
