"""What a gradient that is not built like theta suggests: a container, a key, a shape, a dtype.

The first place that does not fit decides; what is said of it ends an error message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from optimlib.gradcheck.diagnosis.shapes import shape_hint
from optimlib.trees import Tree, children, flatten

PREFIXES = ("d", "d_", "grad_", "g_", "g")  # of W, in the names of its gradient
BRIEF = 40  # letters of all keys that a hint names
AN_ARRAY = " (use np.array)"
BOTH = " (for a function that returns loss and gradient: check_value_and_grad)"


def is_pair(value: Any) -> bool:
    """Whether a value looks like loss and gradient in one.

    >>> is_pair((0.5, {"w": np.ones(2)})), is_pair([np.ones(2), np.ones(2)]), is_pair((0.5, "aux"))
    (True, False, False)
    """
    if not (isinstance(value, tuple | list) and len(value) == 2):
        return False
    loss, gradient = value
    is_number = isinstance(loss, int | float | np.number | np.ndarray) and np.ndim(loss) == 0
    return is_number and _holds_numbers(gradient)


def _holds_numbers(value: Any) -> bool:
    """Whether a value may be a gradient: a number, an array, or a container with arrays in it."""
    if children(value) is None:
        return isinstance(value, int | float | np.number | np.ndarray)
    return any(isinstance(leaf, np.ndarray) for _, leaf in flatten(value))


def mismatch_hint(gradient: Tree, theta: Tree, path: str = "") -> str:
    """What the first misfit suggests, in parentheses after a space; "" if it suggests nothing.

    Parameters
    ----------
    gradient, theta
        What the gradient function returned, and the point.
    path
        Where in the two trees this is.

    Examples
    --------
    >>> mismatch_hint({"grad_W": np.ones(2)}, {"W": np.zeros(2)})
    " (give the gradient of W the key 'W', not 'grad_W')"
    >>> mismatch_hint([1.0, 2.0], np.zeros(2))
    ' (use np.array)'
    """
    below, expected = children(gradient), children(theta)
    if expected is None:
        hint = _leaf_hint(gradient, theta, path)
        return BOTH if is_pair(gradient) and not path and hint != AN_ARRAY else hint
    if is_pair(gradient) and not path and len(expected) != 2:
        return BOTH
    if below is None:
        is_other = isinstance(gradient, Iterable) and not isinstance(gradient, np.ndarray | str)
        return _container_hint(gradient, theta) if is_other else ""
    if isinstance(gradient, dict) != isinstance(theta, dict):
        return _container_hint(gradient, theta)
    given = dict(below)
    if isinstance(theta, dict) and given.keys() != theta.keys():
        return _key_hint(given, theta)
    hints = (
        mismatch_hint(given[key], subtree, f"{path}[{key!r}]")
        for key, subtree in expected
        if key in given
    )
    return next(filter(None, hints), "")


def _leaf_hint(gradient: Any, leaf: np.ndarray, path: str) -> str:
    """What one gradient suggests that should be an array like `leaf`."""
    if isinstance(gradient, tuple) and len(gradient) == 1 and np.shape(gradient[0]) == leaf.shape:
        return " (its only element? a comma too many)"
    try:
        array = np.asanyarray(gradient)
    except ValueError:  # rows of different lengths
        return ""
    if gradient is None or array.dtype.kind not in "iufcb":
        return ""
    if array.shape != leaf.shape:
        hint = shape_hint(array.shape, leaf.shape)
        return f" ({path and f'{path}: '}{hint})" if hint else ""
    if children(gradient) is not None:
        return AN_ARRAY
    if array.dtype == np.float32 and leaf.dtype == np.float64:
        return f" (compute it in float64, or check at theta{path}.astype(np.float32))"
    return ""


def _container_hint(gradient: Any, theta: Tree) -> str:
    """A dict for a list or a tuple, the other way round, or something that is none of them."""
    if isinstance(theta, dict):
        keys = ", ".join(map(repr, theta))
        return f" (name them: dict(zip([{keys}], gradients)))" if len(keys) <= BRIEF else ""
    if isinstance(gradient, dict):
        return " (in the order of theta: list(gradients.values())?)"
    return " (use list)"


def _key_hint(gradient: dict[Any, Tree], theta: dict[Any, Tree]) -> str:
    """Keys with a prefix or in another case, or too many."""
    for key in theta:
        if key in gradient:
            continue
        names = {f"{prefix}{key}".lower() for prefix in ("", *PREFIXES)}
        for other in gradient:
            if other not in theta and str(other).lower() in names:
                return f" (give the gradient of {key} the key {key!r}, not {other!r})"
    if theta.keys() <= gradient.keys():
        return " (leave out what theta does not have)"
    return ""
