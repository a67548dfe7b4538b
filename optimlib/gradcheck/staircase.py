"""Whether the loss is a staircase along the line of a search that contradicts its claim."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, isfinite

import numpy as np

from optimlib.gradcheck.noise import roughness
from optimlib.gradcheck.search import INWARDS, Search

HARDLY_A_STEP = 2**8  # times smaller than the least step: as good as none
UNEVEN = 0.9428  # of the widest distance: parts of theta itself may be rounded all alike


def roughness_along(search: Search, off: float, look: Callable[..., float] = roughness) -> float:
    """How much the loss jumps along the line of a search; 0 if it does not.

    Parameters
    ----------
    search
        Has the loss along the line, and how far it may go.
    off
        How far the slope is from what was claimed: jumps that may explain that are looked for.
    look
        One of the ways to look for them: `noise.roughness` or `noise.roughness_afar`.
    """
    far = copysign(UNEVEN * search.widest, search.step)
    low, high = sorted((0.0, far)) if search.one_sided else (-abs(far), abs(far))
    while high - low > search.least:
        if isfinite(search.along(low)) and isfinite(search.along(high)):
            break
        low, high = low / INWARDS, high / INWARDS
    of_theta = abs(search.test.claim) * float(np.spacing(abs(search.x)))
    return 4 * look(
        search.along,
        low,
        high,
        rounding=max(of_theta, search.noise),
        roundoff=2 * search.roundoff,
        resolution=max(4 * float(np.spacing(abs(search.x) + abs(far))), search.least / HARDLY_A_STEP),
        off=off,
    )
