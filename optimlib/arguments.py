"""Checks of what steers a method: numbers, switches, a source of random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import signature
from numbers import Integral, Real
from typing import Any

import numpy as np


def hyperparameter(name: str, value: float, lowest: float = 0.0, below: float = math.inf) -> float:
    """A hyperparameter as a Python float, once it is a number in ``[lowest, below)``.

    A Python float takes on the dtype of the array it meets; a NumPy scalar would not.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it lies outside the interval, or is NaN.

    Examples
    --------
    >>> hyperparameter("beta1", 1.0, below=1.0)
    Traceback (most recent call last):
        ...
    ValueError: beta1 is 1.0; expected 0.0 <= beta1 < 1.0
    """
    number = real_number(name, value)  # before the comparison: a fraction may round up to `below`
    if not lowest <= number < below:
        raise ValueError(f"{name} is {value}; expected {lowest} <= {name} < {below}")
    return number


def real_number(name: str, value: float) -> float:
    """A value as a Python float, once it is a real number.

    Raises
    ------
    TypeError
        If it is anything else: a text, or True.

    Examples
    --------
    >>> real_number("error", "0.2")
    Traceback (most recent call last):
        ...
    TypeError: error is '0.2' of type str; expected a number
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a number")
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all floats
        return math.inf


def positive(name: str, value: float) -> float:
    """A hyperparameter as a Python float, once it is a finite number above 0.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is 0 or less, infinite, or NaN.

    Examples
    --------
    >>> positive("clip_norm", 0)
    Traceback (most recent call last):
        ...
    ValueError: clip_norm is 0; expected more than 0, and finite
    """
    number = real_number(name, value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} is {value}; expected more than 0, and finite")
    return number


def whole_number(name: str, value: int, lowest: int = 0) -> int:
    """A count as a Python int, once it is a whole number from `lowest` on.

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> whole_number("steps", 2.5, lowest=1)
    Traceback (most recent call last):
        ...
    ValueError: steps is 2.5; expected a whole number from 1 on
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < lowest:
        raise ValueError(f"{name} is {value!r}; expected a whole number from {lowest} on")
    return int(value)


def flag(name: str, value: bool) -> bool:
    """A switch as a Python bool, once it is True or False: the text ``"False"`` would count as True.

    Raises
    ------
    TypeError
        If it is anything else.

    Examples
    --------
    >>> flag("nesterov", "False")
    Traceback (most recent call last):
        ...
    TypeError: nesterov is 'False'; expected True or False
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)


def check_takes(name: str, function: Callable[..., Any], argument: str) -> None:
    """Refuse a function that cannot be called with one argument, which is described in words.

    Raises
    ------
    TypeError
        If it takes more or none, or is a class.

    Examples
    --------
    >>> check_takes("frozen", lambda path, leaf: True, "the path of an array")
    Traceback (most recent call last):
        ...
    TypeError: frozen takes (path, leaf); expected a function of one argument, the path of an array
    """
    if isinstance(function, type):
        kind = function.__name__
        raise TypeError(f"{name} is the class {kind}; expected one made, as by {kind}(...)")
    try:
        accepted = signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # it does not say what it takes
        return
    try:
        accepted.bind(argument)
    except TypeError:
        raise TypeError(
            f"{name} takes {accepted}; expected a function of one argument, {argument}"
        ) from None


def check_saved(saved: Any) -> None:
    """Refuse what is no state that was saved, such as the name of its file.

    Raises
    ------
    TypeError
        If it is no mapping.

    Examples
    --------
    >>> check_saved("run.npz")
    Traceback (most recent call last):
        ...
    TypeError: saved is 'run.npz'; expected a dict, as state_dict() returns it
    """
    if not isinstance(saved, Mapping):
        written = " ".join(repr(saved).split())
        raise TypeError(f"saved is {written:.80}; expected a dict, as state_dict() returns it")


def check_generator(name: str, rng: Any) -> None:
    """Refuse what is not a `numpy.random.Generator`, such as a seed.

    Raises
    ------
    TypeError
        If it is anything else.

    Examples
    --------
    >>> check_generator("rng", 0)
    Traceback (most recent call last):
        ...
    TypeError: rng is 0; expected a numpy.random.Generator, such as np.random.default_rng(0)
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"{name} is {rng!r}; expected a numpy.random.Generator, such as np.random.default_rng(0)"
        )
