"""What a quotient means where an optimizer has seen nothing yet: 0 / 0 is no step.

A coordinate whose gradient has always been zero has a second moment of zero. The papers of RMSProp,
AMSGrad, Adamax and RAdam have no epsilon in the denominator, so they leave 0 / 0 there. Where a paper
has one, as Adam's, it is there to prevent this: such a rule stays as it is written, and a step of 0 / 0
is refused.
"""

from __future__ import annotations

import numpy as np


def nonzero(size: np.ndarray) -> np.ndarray:
    """A denominator that is nowhere 0, for numerators that are 0 where it was.

    Parameters
    ----------
    size
        An array of numbers from 0 on, of any shape.

    Returns
    -------
    array
        A new array like `size`, with 1 in the place of 0. All other numbers keep every bit, down to the
        least above 0 of their dtype. A numerator so small that its square is 0 is divided by 1, too.

    Examples
    --------
    >>> m, u = np.array([3.0, 0.0]), np.array([4.0, 0.0])
    >>> m / nonzero(u)
    array([0.75, 0.  ])
    """
    return size + (size == 0)
