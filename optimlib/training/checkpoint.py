"""Checkpoints of a run: one file, whole at every moment, from which the run goes on bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optimlib.arguments import whole_number
from optimlib.optimizers.checkpoint_extra import unpacked_extra
from optimlib.optimizers.files import read_arrays
from optimlib.training.run import Run
from optimlib.trees import flatten, match
from optimlib.trees.containers import shown


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is saved, and what is saved beside it.

    Parameters
    ----------
    file
        An ``.npz`` file. If it exists when `fit` is called, the run goes on from there.
    every
        How many steps lie between two savings; None for one after every epoch. The end of a run is
        always saved.
    also
        What else changes in the course of the run, by name: generators, objects with ``state_dict`` and
        ``load_state_dict`` such as `EMA`, and trees of arrays that are changed in place such as the
        running means of batch normalization.

    Raises
    ------
    TypeError, ValueError
        If `every` is not a whole number from 1 on, or something in `also` cannot be saved.

    Examples
    --------
    >>> Checkpoint("run.npz", every=100).every
    100
    """

    file: str | os.PathLike
    every: int | None = None
    also: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        os.fspath(self.file)
        if self.every is not None:
            whole_number("every", self.every, lowest=1)
        if not isinstance(self.also, Mapping):
            raise TypeError(f"also is {shown(self.also)}; expected a dict by name")
        for name, thing in self.also.items():
            _state_of(f"also[{name!r}]", thing)

    def is_due(self, run: Run) -> bool:
        """Whether to save after the step, or the epoch, that is just finished."""
        if self.every is None:
            return run.order is None
        return run.history.step % self.every == 0

    def save(self, run: Run) -> None:
        """Write the run to the file, atomically."""
        also = {name: _state_of(f"also[{name!r}]", thing) for name, thing in self.also.items()}
        run.optimizer.save(self.file, extra={"run": run.state_dict(), "also": also})
        self._note(run)

    def resume(self, run: Run) -> None:
        """Bring a run to where the file has it; where there is no file, leave it at its beginning.

        Raises
        ------
        OSError
            If the file cannot be read, or its folder does not exist.
        ValueError
            If the file is damaged, or holds another run. Nothing has been changed then.
        """
        name, place = repr(os.fspath(self.file)), Path(self.file)
        if not place.exists():
            if not Path(os.path.realpath(place)).parent.is_dir():
                raise FileNotFoundError(f"checkpoint is {name}, in no folder; expected it to exist")
            return
        arrays = read_arrays(place)
        extra = unpacked_extra(arrays)
        if not {"run", "also"} <= extra.keys():
            raise ValueError(f"{name} holds no run of fit; expected one, or no file")
        if extra["also"].keys() != self.also.keys():
            raise ValueError(
                f"{name} was saved with also={list(extra['also'])}; expected {list(self.also)}"
            )
        try:
            run.check(extra["run"], float(arrays["learning_rate"]))
        except ValueError as error:
            raise ValueError(f"{name} holds another run: {error}") from None
        before = {name: _state_of(name, thing) for name, thing in self.also.items()}
        try:
            for name, thing in self.also.items():
                _load(f"also[{name!r}]", thing, extra["also"][name])
            run.optimizer.load(place)
        except BaseException:
            for name, thing in self.also.items():
                _load(name, thing, before[name])
            raise
        run.load_state_dict(extra["run"])
        self._note(run)

    def _note(self, run: Run) -> None:
        run.saved = f"the last checkpoint is {os.fspath(self.file)!r}, after step {run.history.step}"


def _state_of(name: str, thing: Any) -> Any:
    """What is to be saved of something beside the run: a copy."""
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    if hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
        return dict(thing.state_dict())
    found = flatten(thing)
    for path, leaf in found:
        if not isinstance(leaf, np.ndarray):
            raise TypeError(
                f"{name}{path} is {shown(leaf)}; expected an array, a generator, or an object with"
                " state_dict and load_state_dict"
            )
    return {path: leaf.copy() for path, leaf in found}


def _load(name: str, thing: Any, saved: Any) -> None:
    """Bring something back to a state that `_state_of` returned."""
    if isinstance(thing, np.random.Generator):
        thing.bit_generator.state = saved
    elif hasattr(thing, "load_state_dict"):
        thing.load_state_dict(saved)
    else:
        ours = dict(flatten(thing))
        for path, new in zip(ours, match(saved, ours, "saved", name, finite=False), strict=True):
            ours[path][...] = new
