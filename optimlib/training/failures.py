"""What stops a run: a number that is NaN or infinite."""

from __future__ import annotations

import numpy as np

from optimlib.training.history import History
from optimlib.trees import NonFiniteError, Tree, check_finite, flatten


class DivergedError(NonFiniteError):
    """A step met a number that is NaN or infinite: the loss, or one of gradient or parameters.

    Attributes
    ----------
    history : History
        The finished steps.
    rows : numpy.ndarray
        The numbers of the rows of the batch.
    """

    history: History
    rows: np.ndarray


def first_not_finite(params: Tree, grads: Tree) -> str:
    """Where the first number stands that is NaN or infinite, in parameters or else in the gradient.

    >>> first_not_finite({"w": np.ones(1)}, {"v": np.ones(2), "w": np.array([[1.0, np.inf]])})
    "grads['w'][0, 1] is inf"
    >>> first_not_finite({"w": np.ones(1)}, {"w": np.ones(1)})
    'all parameters and gradients are finite'
    """
    for name, tree in (("params", params), ("grads", grads)):
        for path, leaf in flatten(tree):
            array = np.asarray(leaf)
            if array.dtype.kind == "f":
                try:
                    check_finite(array, f"{name}{path}")
                except NonFiniteError as error:
                    return str(error).partition(";")[0]
    return "all parameters and gradients are finite"
