"""What a quotient means where an optimizer has seen nothing yet: 0 / 0 is no step.

A coordinate whose gradient has always been zero has a second moment of zero. The papers of RMSProp,
AMSGrad, Adamax and RAdam have no epsilon in the denominator, so they leave 0 / 0 there.
"""

from __future__ import annotations

import numpy as np

SMALLEST = float(np.finfo(np.float32).tiny)
"""The smallest number that float32 holds to all its digits, about 1e-38."""


def nonzero(size: np.ndarray) -> np.ndarray:
    """A denominator that is nowhere 0, for numerators that are 0 where it was.

    Parameters
    ----------
    size
        An array of numbers from 0 on, of any shape.

    Returns
    -------
    array
        A new array like `size`, with `SMALLEST` in the place of what is less. All other numbers keep
        every bit, and in float32 every root does: that of the least number above 0 is 4e-23.

    Examples
    --------
    >>> m, u = np.array([3.0, 0.0]), np.array([4.0, 0.0])
    >>> m / nonzero(u)
    array([0.75, 0.  ])
    """
    return np.maximum(size, SMALLEST)
