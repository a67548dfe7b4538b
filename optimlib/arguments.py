"""Checks of what steers a method: numbers, switches, a source of random numbers."""

from __future__ import annotations

import math
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
