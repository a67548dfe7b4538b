"""What a layer may be given: floating-point arrays whose shapes belong together."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from numbers import Real
from typing import Any

import numpy as np


def check_array(name: str, array: Any) -> None:
    """Refuse what is not a plain NumPy array or a NumPy number: a matrix has another product.

    Examples
    --------
    >>> check_array("x", [1.0, 2.0])
    Traceback (most recent call last):
        ...
    TypeError: x is a list; expected a NumPy array
    """
    if type(array) is np.ndarray:  # quick, for every layer of most runs
        return
    if not isinstance(array, np.ndarray | np.generic):
        raise TypeError(f"{name} is a {type(array).__name__}; expected a NumPy array")
    if isinstance(array, np.ma.MaskedArray | np.matrix):
        raise TypeError(f"{name} is a {type(array).__name__}; expected a plain NumPy array")


def check_floating(name: str, array: Any) -> None:
    """Refuse what is not an array of floating-point numbers.

    Complex ones are floating point too: the complex step needs them.

    Examples
    --------
    >>> check_floating("x", np.array([1, 2]))
    Traceback (most recent call last):
        ...
    TypeError: x has dtype int64; expected floating point
    """
    check_array(name, array)
    if array.dtype.kind not in "fc":
        raise TypeError(f"{name} has dtype {array.dtype}; expected floating point")


def check_real(name: str, array: Any) -> None:
    """Refuse what is not an array of real floating-point numbers, which are ordered.

    Examples
    --------
    >>> check_real("x", np.array([1j]))
    Traceback (most recent call last):
        ...
    TypeError: x has dtype complex128; expected floating point, and real
    """
    check_floating(name, array)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} has dtype {array.dtype}; expected floating point, and real")


def check_shapes(**arrays: tuple[np.ndarray, str]) -> None:
    """Refuse arrays that are not floating point, or whose shapes don't belong together.

    An argument is ``name=(array, axes)`` with the axes in words. Axes of one name are equally long;
    "4 units" is four times as long as "units", and "..." stands for any number of axes.

    Examples
    --------
    >>> check_shapes(x=(np.ones((5, 3)), "examples, inputs"), b=(np.ones(2), "inputs"))
    Traceback (most recent call last):
        ...
    ValueError: b does not fit: the shapes are x (5, 3), b (2,);
        expected x (examples, inputs), b (inputs,)
    """
    for name, (array, _) in arrays.items():
        check_floating(name, array)
    complaint = _misfit(tuple([(name, array.shape, axes) for name, (array, axes) in arrays.items()]))
    if complaint:
        raise ValueError(complaint)


def check_like_output(dy: Any, shape: tuple[int, ...]) -> None:
    """Refuse a gradient with respect to an output of `shape` that would be broadcast to it.

    Examples
    --------
    >>> check_like_output(np.ones(3), (4, 3))
    Traceback (most recent call last):
        ...
    ValueError: dy has shape (3,); expected that of the output, (4, 3)
    """
    check_floating("dy", dy)
    if dy.shape != shape:
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {shape}")


def check_eps(eps: float) -> None:
    """Refuse what could make the argument of a root negative.

    Examples
    --------
    >>> check_eps(-1)
    Traceback (most recent call last):
        ...
    ValueError: eps is -1; expected a number from 0 on
    """
    if isinstance(eps, bool) or not isinstance(eps, Real):
        raise TypeError(f"eps is {eps!r}; expected a number from 0 on")
    if not 0 <= eps < inf:
        raise ValueError(f"eps is {eps!r}; expected a number from 0 on")


def check_cache(cache: Any, expected: type, forward: str) -> None:
    """Refuse a cache that the layer's own forward function did not return.

    Examples
    --------
    >>> check_cache(np.ones(3), tuple, "lstm")
    Traceback (most recent call last):
        ...
    TypeError: cache is a ndarray; expected the tuple that lstm returns beside its output
    """
    if not isinstance(cache, expected):
        raise TypeError(
            f"cache is a {type(cache).__name__};"
            f" expected the {expected.__name__} that {forward} returns beside its output"
        )


@lru_cache(maxsize=1024)  # a layer of a training run asks the same in every step
def _misfit(arrays: tuple[tuple[str, tuple[int, ...], str], ...]) -> str | None:
    """The first of several names, shapes and axes in words that does not fit, in a sentence."""
    lengths: dict[str, int] = {}
    for name, shape, axes in arrays:
        if not _fits(shape, axes, lengths):
            received = ", ".join(f"{other} {shape}" for other, shape, _ in arrays)
            expected = ", ".join(f"{other} {_tuple(axes)}" for other, _, axes in arrays)
            return f"{name} does not fit: the shapes are {received}; expected {expected}"
    return None


def _fits(shape: tuple[int, ...], axes: str, lengths: dict[str, int]) -> bool:
    """Whether a shape has these axes; the lengths of those not met before are written down."""
    words = _parsed(axes)
    if axes.startswith("..."):
        shape = shape[max(0, len(shape) - len(words)) :]
    if len(shape) != len(words):
        return False
    for (times, noun), length in zip(words, shape, strict=True):
        if times * lengths.setdefault(noun, length // times) != length:
            return False
    return True


def _parsed(axes: str) -> list[tuple[int, str]]:
    """Axes in words as pairs of a factor and a noun, without the leading dots."""
    words = axes.removeprefix("..., ").split(", ")
    parts = [(word, *word.partition(" ")) for word in words]
    return [(int(first), rest) if first.isdigit() else (1, word) for word, first, _, rest in parts]


def _tuple(axes: str) -> str:
    """Axes in words as Python writes a shape."""
    return f"({axes})" if ", " in axes else f"({axes},)"
