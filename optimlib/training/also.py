"""What changes in a run beside its optimizer: the state of such a thing, copied and brought back.

A *thing* is a generator, an optimizer with its parameters, an object with ``state_dict`` and
``load_state_dict``, or a tree of arrays that are changed in place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.checkpoint import load_saved
from optimlib.optimizers.checkpoint_extra import packed_extra
from optimlib.trees import flatten, match
from optimlib.trees.containers import check_plain, shown


def check_also(also: Any) -> None:
    """Refuse what cannot be saved, by the name that the user gave it.

    >>> check_also({"means": {"x": [0.0]}})
    Traceback (most recent call last):
        ...
    TypeError: also['means']['x'][0] is 0.0; expected an array, a generator, or an object with state_dict and load_state_dict
    """  # noqa: E501
    if not isinstance(also, Mapping):
        raise TypeError(f"also is {shown(also)}; expected a dict by name")
    for name in also:
        if not isinstance(name, str):
            raise TypeError(f"also has the key {name!r}; expected names, such as 'average'")
    for name, state in states_of(also).items():
        try:
            packed_extra({name: state})
        except TypeError as error:
            ours = f"also[{name!r}].state_dict()"
            raise TypeError(str(error).replace(f"extra[{name!r}]", ours, 1)) from None


def states_of(also: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of the states of things, by name.

    >>> states_of({"means": {"x": np.zeros(2)}})
    {'means': {"['x']": array([0., 0.])}}
    """
    return {name: _state_of(f"also[{name!r}]", thing) for name, thing in also.items()}


def load_states(also: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Bring things to states that `states_of` returned.

    >>> means = np.zeros(2)
    >>> before = states_of({"means": means})
    >>> means += 1
    >>> load_states({"means": means}, before)
    >>> means
    array([0., 0.])
    """
    for name, thing in also.items():
        _load(f"also[{name!r}]", thing, copy.deepcopy(states[name]))


def _state_of(name: str, thing: Any) -> Any:
    """A copy of the state of a thing that errors call `name`."""
    if isinstance(thing, type):
        raise TypeError(f"{name} is the class {thing.__name__}; expected an object of that class")
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    if isinstance(thing, Optimizer):
        parameters = {place: leaf.copy() for place, leaf in flatten(thing.params, "params")}
        return parameters | thing.state_dict()
    if hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
        return copy.deepcopy(thing.state_dict())
    found = flatten(thing)
    for path, leaf in found:
        if not isinstance(leaf, np.ndarray):
            raise TypeError(
                f"{name}{path} is {shown(leaf)}; expected an array, a generator, or an object with"
                " state_dict and load_state_dict"
            )
        check_plain(leaf, f"{name}{path}")
        if leaf.dtype.hasobject:
            raise TypeError(f"{name}{path} has dtype {leaf.dtype}; expected numbers or strings")
        if not leaf.flags.writeable:
            raise ValueError(f"{name}{path} is read-only; expected an array that can be updated")
    return {path: leaf.copy() for path, leaf in found}


def _load(name: str, thing: Any, saved: Any) -> None:
    """Bring a thing to a state, which is its own from now on."""
    if isinstance(thing, np.random.Generator):
        kind = type(thing.bit_generator).__name__
        if not isinstance(saved, dict) or saved.get("bit_generator") != kind:
            raise ValueError(f"saved {name} is {shown(saved)}; expected the state of a {kind}")
        thing.bit_generator.state = saved
    elif isinstance(thing, Optimizer):
        load_saved(thing, saved, name)
    elif hasattr(thing, "load_state_dict"):
        thing.load_state_dict(saved)
    else:
        ours = dict(flatten(thing, name))
        theirs = {f"{name}{path}": array for path, array in saved.items()}
        for place, new in zip(ours, match(theirs, ours, "saved", "state", finite=False), strict=True):
            ours[place][...] = new
