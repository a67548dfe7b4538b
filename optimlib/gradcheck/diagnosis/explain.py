"""The handwriting of common mistakes: which of the patterns fit the numbers of a failed check.

A hint is a conjecture put to the test. Every pattern says what the gradient of a leaf would have been
without one certain mistake, and the hint is given only if *that* gradient agrees with the loss at
every probe of the leaf, those that passed included. A new pattern is a function in `factors`, `places`
or `terms`, and a line in `PATTERNS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimlib.gradcheck.diagnosis.evidence import Leaf, Pattern
from optimlib.gradcheck.diagnosis.factors import chain_factor, constant_ratio, whole_factor
from optimlib.gradcheck.diagnosis.places import (
    displaced_leaf,
    masked_places,
    missing_mask,
    rearranged,
    swapped_leaves,
    triangles,
    zeros,
)
from optimlib.gradcheck.diagnosis.terms import nearly_right, regularizer
from optimlib.gradcheck.diagnosis.wording import where
from optimlib.gradcheck.report import Probe

Pairs = Sequence[tuple[str, np.ndarray]]

HINTS = 3  # a reader follows no more
PATTERNS: tuple[Pattern, ...] = (  # the most specific first
    masked_places,
    triangles,
    missing_mask,
    whole_factor,
    rearranged,
    swapped_leaves,
    displaced_leaf,
    zeros,
    chain_factor,
    regularizer,
    constant_ratio,
    nearly_right,
)


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
                hints.append(f"{where(explained, leaves)}: {what}{'' if what.endswith('?') else '.'}")
                unexplained = [leaf for leaf in unexplained if leaf not in explained]
    return tuple(hints[:HINTS])
