"""What stops a run: results that are none, and numbers that are NaN or infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.training.history import History, number
from optimlib.trees import NonFiniteError, Tree, check_finite, children, flatten
from optimlib.trees.containers import shown


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


def loss_and_gradient(returned: Any) -> tuple[float, Tree]:
    """The two results of a function that computes loss and gradient together.

    Raises
    ------
    TypeError
        If it is no pair, or the first is not one number.

    Examples
    --------
    >>> loss_and_gradient((np.float64(0.5), {"w": np.ones(2)}))
    (0.5, {'w': array([1., 1.])})
    >>> loss_and_gradient(({"w": np.ones(2)}, 0.5))
    Traceback (most recent call last):
        ...
    TypeError: value_and_grad returned a dict and a float; expected (loss, grads), in this order
    """
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        what = "None (is a return missing?)" if returned is None else shown(returned)
        raise TypeError(f"value_and_grad returned {what}; expected a pair, (loss, grads)")
    loss, grads = returned
    if isinstance(loss, float):
        return float(loss), grads
    try:
        return number("loss", loss), grads
    except TypeError:
        kinds = f"a {type(loss).__name__} and a {type(grads).__name__}"
        if children(loss) is not None or (children(grads) is None and np.ndim(grads) == 0):
            text = f"{kinds}; expected (loss, grads), in this order"
        elif isinstance(loss, np.ndarray):
            text = f"a loss of shape {loss.shape}; expected one number (its .mean()?)"
        else:
            text = f"the loss {shown(loss)} of type {type(loss).__name__}; expected a number"
        raise TypeError(f"value_and_grad returned {text}") from None


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
