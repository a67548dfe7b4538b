"""One function that returns loss and gradient together, checked in one line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from optimlib.gradcheck.arguments import brief, check_function, fitted_gradient, loss_value
from optimlib.gradcheck.check import check_gradient
from optimlib.gradcheck.inner_products import renamed, result
from optimlib.gradcheck.lines import LossOf
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree


def check_value_and_grad(
    f: Callable[[Tree], tuple[Any, Tree]], theta: Tree, **options: Any
) -> GradientReport:
    """Compare the gradient that a function returns with differences of the loss that it returns.

    Parameters
    ----------
    f
        Takes a tree like `theta` and returns a pair: a number, and a tree like `theta`.
    theta
        The point: float32 or float64 arrays in nested dicts, lists and tuples. `f` gets copies.
    **options
        As for `check_gradient`.

    Returns
    -------
    GradientReport
        What `check_gradient` reports for the two results taken as two functions.

    Raises
    ------
    TypeError
        If `f` cannot be called or does not return a pair, the first is no number, or a dtype cannot be
        checked.
    ValueError
        If the second is not built like `theta`, a number is NaN or infinite, or `f` changes `theta`.

    Examples
    --------
    >>> import numpy as np
    >>> def f(theta): return (theta**3).sum(), 3 * theta**2
    >>> check_value_and_grad(f, np.array([1.0, -2.0])).verdict
    'pass'
    >>> check_value_and_grad(lambda theta: ((theta**3).sum(), theta**2), np.array([1.0, -2.0])).verdict
    'fail'
    """
    check_function(f, "f", "theta")

    names = {"loss(theta)": "f(theta)[0]", "grad(theta)": "f(theta)[1]", "grad": "f"}
    loss, grad = LossOf(_loss, f), partial(_grad, f)  # no closures: a pool of processes pickles them
    loss.result = "f(theta)[0]"
    return renamed(check_gradient(loss, grad, theta, **options), names)


def _both(f: Callable[[Tree], tuple[Any, Tree]], theta: Tree) -> tuple[Any, Tree]:
    pair = result(f, "f", theta=theta)
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(f"f(theta) is {brief(pair)}; expected a pair: the loss and its gradient")
    return pair[0], pair[1]


def _loss(f: Callable[[Tree], tuple[Any, Tree]], theta: Tree) -> Any:
    """The first of the pair: np.float32 if that is what it computes with."""
    return loss_value(_both(f, theta)[0], "f(theta)[0]")


def _grad(f: Callable[[Tree], tuple[Any, Tree]], theta: Tree) -> Tree:
    """The second of the pair."""
    gradient = _both(f, theta)[1]
    fitted_gradient(gradient, theta, "f(theta)[1]")
    return gradient


def assert_value_and_grad(f: Callable[[Tree], tuple[Any, Tree]], theta: Tree, **options: Any) -> None:
    """Raise an `AssertionError` that shows the report of `check_value_and_grad` unless it is accepted.

    As in `assert_gradient`, "pass" and "kink" are accepted.

    Examples
    --------
    >>> import numpy as np
    >>> assert_value_and_grad(lambda x: ((x**2).sum(), 2 * x), np.array([1.0, 3.0]))
    """
    check_value_and_grad(f, theta, **options).raise_unless_accepted()
