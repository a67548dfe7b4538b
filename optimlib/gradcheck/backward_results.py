"""What a layer's backward pass returned -> gradients that are built like its inputs.

Libraries and courses return them in a tuple or in a dict, under ``W`` or ``dW``, with more or less than
was asked for. What can mean one thing only is understood, and said where it deserves a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import brief
from optimlib.gradcheck.mismatch import PREFIXES
from optimlib.trees import Tree, children

RESHAPED = (
    "{} has shape {} for {}: an axis of length 1 more or less, which an optimizer will not forgive."
)


def like_inputs(received: Tree, inputs: Tree, place: str, notes: dict[str, None]) -> Tree:
    """The gradients of a backward pass in the containers and the shapes of its inputs.

    Parameters
    ----------
    received, inputs
        What the backward pass returned, and what the gradients belong to. For a dict of inputs: a dict
        whose keys may be named ``dW`` for ``W``, or a tuple in the order of the keys.
    place
        What errors call `received`.
    notes
        Receives a sentence as a key where a shape was put right.

    Raises
    ------
    ValueError
        If a gradient is missing, or there are more or fewer than inputs.

    Examples
    --------
    >>> like_inputs({"dW1": 1.0, "dx": 2.0, "loss": 3.0}, {"x": 0.0, "W1": 0.0}, "backward", {})
    {'x': 2.0, 'W1': 1.0}
    """
    below = children(inputs)
    if below is None:
        return _like_leaf(received, inputs, place, notes)
    keys = [key for key, _ in below]
    is_named = isinstance(received, dict)
    if is_named and isinstance(inputs, dict):
        found = [_gradient_of(key, keys, received, place) for key in keys]
    elif isinstance(received, tuple | list) and len(received) == len(keys):
        found = list(received)
    else:
        hint = " (use tuple)" if isinstance(received, Iterator) else ""
        hint = " (for gradients with names: give the inputs in a dict)" if is_named else hint
        raise ValueError(
            f"{place} is {_kind(received)}; expected {len(keys)} gradients,"
            f" of {', '.join(map(str, keys))}{hint}"
        )
    fitted = [
        like_inputs(gradient, subtree, f"{place}[{key!r}]", notes)
        for gradient, (key, subtree) in zip(found, below, strict=True)
    ]
    return dict(zip(keys, fitted, strict=True)) if isinstance(inputs, dict) else fitted


def _kind(received: Any) -> str:
    """What came in place of gradients: a container by its length."""
    if isinstance(received, tuple | list | dict):
        return f"a {type(received).__name__} of {len(received)}"
    return brief(received)


def _gradient_of(key: Any, keys: list[Any], received: dict[Any, Tree], place: str) -> Tree:
    """The gradient that belongs to a key, by its name: ``dW`` before ``W``, which may be the weights."""
    for name in (*(f"{prefix}{key}" for prefix in PREFIXES), key):
        if name in received and (name == key or name not in keys):
            return received[name]
    known = ", ".join(map(repr, list(received)[:6]))
    raise ValueError(
        f"{place} has no gradient of {key!r} (named {key} or d{key}); it has {known or 'nothing'}"
    )


def _like_leaf(received: Any, leaf: np.ndarray, place: str, notes: dict[str, None]) -> Any:
    """One gradient with the axes of its input, if only axes of length 1 differ."""
    if isinstance(received, tuple | list) and len(received) == 1:
        received = received[0]
    shape, expected = np.shape(received), np.shape(leaf)
    if shape != expected and [n for n in shape if n != 1] == [n for n in expected if n != 1]:
        notes[RESHAPED.format(place, shape, expected)] = None
        return np.reshape(received, expected)
    return received
