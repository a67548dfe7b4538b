"""What a batch gave: loss and gradient, or an error that says what came instead or is not finite."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from optimlib.training.history import History, number
from optimlib.trees import NonFiniteError, Tree, check_finite, children, flatten
from optimlib.trees.containers import shown

ALL_FINITE = "all parameters and gradients are finite"


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


def batch_arguments(data: Tree) -> str:
    """Names for the arguments as which a batch of such data is handed over.

    >>> batch_arguments((np.ones(3), np.ones(3))), batch_arguments({"x": np.ones(3)})
    ('batch0, batch1', 'batch')
    """
    several = isinstance(data, tuple | list)
    return ", ".join(f"batch{number}" for number in range(len(data))) if several else "batch"


def loss_and_gradient(
    value_and_grad: Callable[..., Any], params: Tree, batch: Tree
) -> tuple[float, Tree]:
    """Loss and gradient for a batch, which the function takes as one argument or as several.

    Raises
    ------
    TypeError
        If it is no pair, the first is not one number, or the second None.

    Examples
    --------
    >>> def value_and_grad(w, x, y): return (y - w @ x) ** 2 / 2, (w @ x - y) * x
    >>> w, batch = np.ones(2), (np.array([1.0, 2.0]), 5.0)
    >>> loss_and_gradient(value_and_grad, w, batch)
    (np.float64(2.0), array([-2., -4.]))
    >>> loss_and_gradient(lambda *given: value_and_grad(*given)[::-1], w, batch)
    Traceback (most recent call last):
        ...
    TypeError: value_and_grad returned a ndarray and a float64; expected (loss, grads), in this order
    """
    several = isinstance(batch, tuple | list)
    returned = value_and_grad(params, *batch) if several else value_and_grad(params, batch)
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        what = "None (is a return missing?)" if returned is None else shown(returned)
        raise TypeError(f"value_and_grad returned {what}; expected a pair, (loss, grads)")
    loss, grads = returned
    if grads is None:
        raise TypeError("value_and_grad returned grads that is None; expected a tree like params")
    if isinstance(loss, float):  # quick, for every step of most runs
        return loss, grads
    try:
        return number("loss", loss), grads
    except TypeError:
        kinds = f"a {type(loss).__name__} and a {type(grads).__name__}"
        swapped = isinstance(loss, np.ndarray) and children(grads) is None and np.ndim(grads) == 0
        if isinstance(loss, np.ma.MaskedArray):
            text = "a masked loss; expected one number (is all of the batch masked?)"
        elif swapped or children(loss) is not None:
            text = f"{kinds}; expected (loss, grads), in this order"
        elif isinstance(loss, np.ndarray):
            text = f"a loss of shape {loss.shape}; expected one number (its .mean()?)"
        else:
            of_another_library = hasattr(loss, "item") and not isinstance(loss, np.generic)
            remedy = " (use .item())" if of_another_library else ""
            text = f"the loss {shown(loss)} of type {type(loss).__name__}; expected a number{remedy}"
        raise TypeError(f"value_and_grad returned {text}") from None


def first_not_finite(params: Tree, grads: Tree, frozen: Collection[str] = ()) -> str | None:
    """Where the first number stands that is NaN or infinite, in parameters or else in the gradient.

    The gradients of `frozen` arrays, given by their paths, may be anything, and others may be None.

    >>> first_not_finite({"w": np.ones(1)}, {"v": np.ones(2), "w": np.array([[1.0, np.inf]])})
    "grads['w'][0, 1] is inf"
    """
    ours = [(f"params{path}", leaf) for path, leaf in flatten(params)]
    theirs = [(f"grads{path}", leaf) for path, leaf in flatten(grads) if path not in frozen]
    for place, leaf in ours + theirs:
        if leaf is not None:
            try:
                check_finite(np.asarray(leaf), place)
            except NonFiniteError as error:
                return str(error).partition(";")[0]
    return None
