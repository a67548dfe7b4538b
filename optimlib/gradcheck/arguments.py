"""From what the user gave to what is checked: functions, the point, values and gradients.

What can be meant in one way only is accepted: whole numbers and float64 as a gradient are cast to the
dtype of theta. All else is refused by the name that the user gave it, with what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np

from optimlib.gradcheck.mismatch import BOTH, is_pair, mismatch_hint
from optimlib.gradcheck.rendering import shorten
from optimlib.trees import Tree, check_parameters, children, flatten, match

TO_FLOAT64 = " (use .astype(np.float64))"
BRIEF = 60  # letters of a value in an error message


def check_callable(function: Any, name: str, argument: str) -> None:
    """Refuse what cannot be called.

    >>> check_callable(np.ones(3), "grad", "theta")
    Traceback (most recent call last):
        ...
    TypeError: grad is array([1., 1., 1.]); expected a function of theta (grad itself, not grad(theta))
    """
    if not callable(function):
        raise TypeError(
            f"{name} is {brief(function)}; expected {_function_of(argument)}"
            f" ({name} itself, not {name}({argument}))"
        )


def _function_of(argument: str) -> str:
    return f"a function of {argument}" if argument else "a function without arguments"


def check_function(function: Any, name: str, argument: str) -> None:
    """Refuse what cannot be called with these arguments: their names, separated by commas.

    Raises
    ------
    TypeError
        If it is no function, or takes more or fewer arguments.

    Examples
    --------
    >>> check_function(lambda theta, X: 0.0, "loss", "theta")
    Traceback (most recent call last):
        ...
    TypeError: loss takes (theta, X); expected a function of theta (fix the others: lambda theta: loss(theta, ...))
    """  # noqa: E501
    check_callable(function, name, argument)
    names = argument.split(", ") if argument else []
    try:
        accepted = signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # it does not say what it takes
        return
    remedy = ""
    try:
        accepted.bind_partial(*names)
        remedy = f" (fix the others: lambda {argument}: {name}({argument}{', ' if names else ''}...))"
        accepted.bind(*names)
    except TypeError:
        takes = shorten(str(accepted), BRIEF)
        raise TypeError(f"{name} takes {takes}; expected {_function_of(argument)}{remedy}") from None


def check_whole(number: Any, name: str, least: int) -> None:
    """Refuse what is no whole number, or one below the least that makes sense.

    >>> check_whole(2.0, "directions", 0)
    Traceback (most recent call last):
        ...
    ValueError: directions is 2.0; expected a whole number from 0 on
    """
    whole = isinstance(number, Integral) and not isinstance(number, bool)
    if not (whole and number >= least):
        raise ValueError(f"{name} is {brief(number)}; expected a whole number from {least} on")


def check_accuracy(accuracy: Any) -> None:
    """Refuse what is no absolute error of the values of a loss.

    >>> check_accuracy("1e-6")
    Traceback (most recent call last):
        ...
    TypeError: accuracy is '1e-6' of type str; expected a finite number from 0 on
    """
    expected = "expected a finite number from 0 on"
    if isinstance(accuracy, bool | np.bool_) or not isinstance(accuracy, Real):
        kind = type(accuracy).__name__
        raise TypeError(f"accuracy is {brief(accuracy)} of type {kind}; {expected}")
    if not 0 <= float(accuracy) < inf:
        raise ValueError(f"accuracy is {accuracy}; {expected}")


def check_progress(progress: Any) -> None:
    """Refuse what does not say whether progress is shown.

    >>> check_progress("yes")
    Traceback (most recent call last):
        ...
    TypeError: progress is 'yes'; expected True, False or None (a bar after five seconds)
    """
    if not (progress is None or isinstance(progress, bool | np.bool_)):
        raise TypeError(
            f"progress is {brief(progress)}; expected True, False or None (a bar after five seconds)"
        )


def generator(rng: np.random.Generator | None) -> np.random.Generator:
    """A source of random numbers, the same one every time unless it is given.

    Raises
    ------
    TypeError
        If it is anything else, such as a seed.

    Examples
    --------
    >>> generator(0)
    Traceback (most recent call last):
        ...
    TypeError: rng is 0; expected a numpy.random.Generator, such as np.random.default_rng(0)
    """
    rng = np.random.default_rng(0) if rng is None else rng
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is {brief(rng)}; expected a numpy.random.Generator, such as np.random.default_rng(0)"
        )
    return rng


def check_point(theta: Tree, name: str) -> list[tuple[str, np.ndarray]]:
    """The leaves of a point that can be checked, with their paths.

    The point is only read: its arrays may be read-only, broadcast or mapped from a file.

    Raises
    ------
    TypeError
        If a leaf is not a float32 or float64 array.
    ValueError
        If there is no number, a number is NaN or infinite, or leaves share memory.

    Examples
    --------
    >>> check_point({"z": np.array([1j])}, "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta['z'] has dtype complex128; expected float32 or float64: take real and imaginary parts as two arrays
    """  # noqa: E501
    for path, leaf in flatten(theta):
        if not isinstance(leaf, np.ndarray | np.generic) and hasattr(leaf, "__array__"):
            raise TypeError(
                f"{name}{path} is of type {type(leaf).__name__}; expected a NumPy array (use np.asarray)"
            )
        if isinstance(leaf, Iterable) and not isinstance(leaf, np.ndarray | str):
            raise TypeError(
                f"{name}{path} is of type {type(leaf).__name__}; expected a NumPy array, or arrays in a"
                " dict, list or tuple (use list)"
            )
        if np.iscomplexobj(leaf):
            raise TypeError(
                f"{name}{path} has dtype {np.asarray(leaf).dtype}; expected float32 or float64:"
                " take real and imaginary parts as two arrays"
            )
    leaves = check_parameters(theta, name, updated=False)
    if not any(leaf.size for _, leaf in leaves):
        raise ValueError(f"{name} is {brief(theta)}; expected at least one number in it")
    return leaves


def loss_value(value: Any, name: str) -> np.float32 | float:
    """The value of a loss: np.float32 if that is what it computes with, else a Python float.

    Raises
    ------
    TypeError
        If it is not one real number. The error says how to make one of it.

    Examples
    --------
    >>> loss_value(np.array(3.0), "loss(theta)"), loss_value(np.float32(3.0), "loss(theta)")
    (3.0, np.float32(3.0))
    >>> loss_value(np.ones(2), "loss(theta)")
    Traceback (most recent call last):
        ...
    TypeError: loss(theta) is array([1., 1.]) of type ndarray; expected a number (its .sum() or .mean()? For a function with many outputs: check_vjp)
    """  # noqa: E501
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, Real):
        kind = type(value).__name__
        raise TypeError(
            f"{name} is {brief(value)} of type {kind}; expected a number{_advice(value, name)}"
        )
    return value if isinstance(value, np.float32) else float(value)


def _advice(value: Any, name: str) -> str:
    """How a number is made of what is none, for the end of an error message."""
    if value is None:
        return " (is a return missing?)"
    if isinstance(value, np.ndarray):
        many = " (its .sum() or .mean()? For a function with many outputs: check_vjp)"
        return " (use .item())" if value.size == 1 else many
    if is_pair(value):
        return BOTH
    if isinstance(value, tuple | list) and value and isinstance(value[0], Real):
        return f" ({name}[0] alone?)"
    if isinstance(value, dict) and isinstance(value.get("loss"), Real):
        return f" ({name}['loss'] alone?)"
    if isinstance(value, complex | np.complexfloating):
        return " (its .real?)"
    has_item = callable(getattr(value, "item", None)) and not isinstance(value, np.generic)
    return " (use .item())" if has_item else ""


def fitted_gradient(
    gradient: Tree, theta: Tree, name: str = "grad(theta)", theta_name: str = "theta"
) -> list[np.ndarray]:
    """The leaves of a claimed gradient, in the order and the dtypes of the leaves of theta.

    Parameters
    ----------
    gradient, theta
        What the gradient function returned, and the point.
    name, theta_name
        What errors call the two.

    Raises
    ------
    TypeError
        If a leaf has a dtype that is less exact than theta's, or is None.
    ValueError
        If structure or shape differ, with a guess why, or a number is NaN or infinite.

    Examples
    --------
    >>> fitted_gradient({"w": 1, "b": np.array([2, 3])}, {"w": np.array(0.5), "b": np.zeros(2)})
    [array(1.), array([2., 3.])]
    >>> fitted_gradient(np.ones((32, 10)), np.ones(10))
    Traceback (most recent call last):
        ...
    ValueError: grad(theta) has shape (32, 10); expected (10,), the shape of theta (the sum over the first axis (the batch?) is missing)
    """  # noqa: E501
    if gradient is None:
        raise TypeError(f"{name} is None; expected a gradient like {theta_name} (is a return missing?)")
    try:
        return match(_cast(gradient, theta, name), theta, name, theta_name)
    except (TypeError, ValueError) as error:
        hint = mismatch_hint(gradient, theta)
        text = str(error).removesuffix(TO_FLOAT64) if hint else str(error)
        raise type(error)(text + hint) from None


def _cast(gradient: Tree, theta: Tree, place: str) -> Tree:
    """The gradient with leaves of theta's dtypes, where that loses nothing that theta has."""
    below, reference = children(gradient), children(theta)
    if (below is None) != (reference is None):
        return gradient  # which does not fit
    if below is not None and reference is not None:
        known = dict(reference)
        if dict(below).keys() != known.keys():
            return gradient
        cast = {key: _cast(sub, known[key], f"{place}[{key!r}]") for key, sub in below}
        return cast if isinstance(gradient, dict) else [cast[key] for key, _ in below]
    if gradient is None:
        raise TypeError(f"{place} is None; expected an array of zeros where the loss has no slope")
    leaf = np.asanyarray(gradient)
    exact = leaf.dtype.kind in "iu" or (leaf.dtype.kind == "f" and leaf.itemsize > theta.itemsize)
    with np.errstate(over="ignore"):
        return leaf.astype(theta.dtype) if exact else leaf


def brief(value: Any) -> str:
    """A value as an error message shows it: an array by its shape, if it is long.

    >>> brief(np.zeros((3, 4))), brief({"a": 1.0})
    ('an array of shape (3, 4)', "{'a': 1.0}")
    """
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"an array of shape {value.shape}"
    with np.printoptions(threshold=6):
        return shorten(" ".join(repr(value).split()), BRIEF)
