"""From what the user gave to what is checked: functions, the point, values and gradients.

What can be meant in one way only is accepted: whole numbers and float64 as a gradient are cast to the
dtype of theta. All else is refused by the name that the user gave it, with what to do about it.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from optimlib.gradcheck.diagnosis.shapes import shape_hint
from optimlib.gradcheck.rendering import shorten
from optimlib.trees import Tree, check_parameters, children, flatten, match

BRIEF = 60  # letters of a value in an error message


def check_function(function: Any, name: str, argument: str) -> None:
    """Refuse what cannot be called.

    >>> check_function(np.ones(3), "grad", "theta")
    Traceback (most recent call last):
        ...
    TypeError: grad is array([1., 1., 1.]); expected a function of theta (grad itself, not grad(theta))
    """
    if not callable(function):
        raise TypeError(
            f"{name} is {brief(function)}; expected a function of {argument}"
            f" ({name} itself, not {name}({argument}))"
        )


def check_executor(executor: Any) -> None:
    """Refuse what cannot map a function over a list, such as a number of workers.

    >>> check_executor(4)
    Traceback (most recent call last):
        ...
    TypeError: executor is 4; expected an executor, such as concurrent.futures.ThreadPoolExecutor(4)
    """
    if executor is not None and not callable(getattr(executor, "map", None)):
        workers = executor if isinstance(executor, int) else 4
        raise TypeError(
            f"executor is {brief(executor)}; expected an executor, such as"
            f" concurrent.futures.ThreadPoolExecutor({workers})"
        )


def check_point(theta: Tree, name: str) -> list[tuple[str, np.ndarray]]:
    """The leaves of a point that can be checked, with their paths.

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
        if np.iscomplexobj(leaf):
            raise TypeError(
                f"{name}{path} has dtype {np.asarray(leaf).dtype}; expected float32 or float64:"
                " take real and imaginary parts as two arrays"
            )
    leaves = check_parameters(theta, name)
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
        raise TypeError(f"{name} is {brief(value)} of type {kind}; expected a number{_advice(value)}")
    return value if isinstance(value, np.float32) else float(value)


def _advice(value: Any) -> str:
    """How a number is made of what is none, for the end of an error message."""
    if value is None:
        return " (is a return missing?)"
    if isinstance(value, np.ndarray):
        many = " (its .sum() or .mean()? For a function with many outputs: check_vjp)"
        return " (use .item())" if value.size == 1 else many
    if is_pair(value):
        return " (for a function that returns loss and gradient: check_value_and_grad)"
    return ""


def is_pair(value: Any) -> bool:
    """Whether a value looks like loss and gradient in one.

    >>> is_pair((0.5, {"w": np.ones(2)})), is_pair([np.ones(2), np.ones(2)])
    (True, False)
    """
    return isinstance(value, tuple | list) and len(value) == 2 and np.ndim(_first(value)) == 0


def _first(pair: Any) -> Any:
    """The first of two, if it may be a loss; else something that is no number."""
    return pair[0] if isinstance(pair[0], Real | np.ndarray) else [None]


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
        raise type(error)(f"{error}{_mismatch_hint(gradient, theta)}") from None


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


def _mismatch_hint(gradient: Tree, theta: Tree) -> str:
    """What a gradient that does not fit suggests, for the end of an error message."""
    expected = dict(flatten(theta))
    if is_pair(gradient):
        return " (for a function that returns loss and gradient: check_value_and_grad)"
    if isinstance(gradient, dict) and isinstance(theta, dict):
        renamed = [key for key in theta if key not in gradient and f"d{key}" in gradient]
        if renamed:
            return f" (give the gradient of {renamed[0]} the key {renamed[0]!r}, not 'd{renamed[0]}')"
    for path, leaf in flatten(gradient):
        if path not in expected:
            continue
        hint = shape_hint(np.shape(leaf), expected[path].shape)
        if hint:
            return f" ({path and f'{path}: '}{hint})"
        dtype = getattr(leaf, "dtype", None)
        if dtype == np.float32 and expected[path].dtype == np.float64:
            return f" (compute it in float64, or check at theta{path}.astype(np.float32))"
    return ""


def brief(value: Any) -> str:
    """A value as an error message shows it: an array by its shape, if it is long.

    >>> brief(np.zeros((3, 4))), brief({"a": 1.0})
    ('an array of shape (3, 4)', "{'a': 1.0}")
    """
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"an array of shape {value.shape}"
    with np.printoptions(threshold=6):
        return shorten(" ".join(repr(value).split()), BRIEF)
