"""The caller's own entries in a checkpoint: nested dicts of numbers, strings and arrays, as arrays.

So a file holds no pickled objects, and whole numbers of any size come back as they were: the 128 bits of
a generator's state among them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np


def packed_extra(extra: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The caller's own entries as arrays: one of text, which refers to the others.

    >>> for name, array in packed_extra({"epoch": 3, "best": np.array([1.0])}).items():
    ...     print(name, array)
    extra ["dict", {"epoch": 3, "best": ["array", 0]}]
    extra[0] [1.]
    """
    import json  # which not every program that imports optimlib needs

    if not isinstance(extra, Mapping):
        raise TypeError(f"extra is of type {type(extra).__name__}; expected a dict")
    arrays: list[np.ndarray] = []

    def packed(value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"{place} has the key {key!r}; expected strings as keys")
            return ["dict", {key: packed(below, f"{place}[{key!r}]") for key, below in value.items()}]
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return [kind, [packed(below, f"{place}[{k}]") for k, below in enumerate(value)]]
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{place} is a masked array; expected plain ones (its .data and its .mask)")
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            arrays.append(np.asarray(value))
            return ["array" if isinstance(value, np.ndarray) else "scalar", len(arrays) - 1]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(
            f"{place} is of type {type(value).__name__}; expected arrays, numbers and strings in dicts"
            f"{_remedy(value)}"
        )

    try:
        text = json.dumps(packed(extra, "extra"))
    except RecursionError:
        raise ValueError("extra is nested too deeply, or holds itself; expected a few levels") from None
    return {"extra": np.array(text)} | {f"extra[{k}]": array for k, array in enumerate(arrays)}


def _remedy(value: Any) -> str:
    """How to save something that is no number, string or array, where there is a way."""
    if isinstance(value, np.random.Generator):
        return " (save its .bit_generator.state)"
    if isinstance(value, os.PathLike):
        return " (use str)"
    if isinstance(value, bytes | bytearray):
        return " (use np.frombuffer(..., np.uint8))"
    return " (use list)" if isinstance(value, set | frozenset) else ""


def unpacked_extra(saved: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What `packed_extra` was given.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> unpacked_extra(packed_extra({"epoch": 3, "best": (0.5, None)}))
    {'epoch': 3, 'best': (0.5, None)}
    """
    import json

    def unpacked(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        kind, content = value
        if kind == "dict":
            return {key: unpacked(below) for key, below in content.items()}
        if kind in ("array", "scalar"):
            array = saved[f"extra[{content}]"]
            return array if kind == "array" else array[()]
        below = [unpacked(one) for one in content]
        return below if kind == "list" else tuple(below)

    if "extra" not in saved:
        return {}
    try:
        extra = unpacked(json.loads(str(saved["extra"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the saved extra is damaged ({error!r})") from error
    if not isinstance(extra, dict):
        raise ValueError(f"the saved extra is {extra!r}; expected a dict")
    return extra
