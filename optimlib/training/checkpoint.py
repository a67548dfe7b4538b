"""Checkpoints of a run: one file, whole at every moment, from which the run goes on bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optimlib.arguments import whole_number
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.checkpoint import load_saved
from optimlib.optimizers.checkpoint_extra import unpacked_extra
from optimlib.optimizers.files import check_writable, read_arrays, remove_leftovers
from optimlib.training.also import check_also, load_states, states_of
from optimlib.trees.containers import shown


class Saved(NamedTuple):
    """What a file holds of a run."""

    arrays: dict[str, np.ndarray]  # for the optimizer
    run: dict[str, Any]
    also: dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is saved, and what is saved beside it.

    Every run needs a file of its own. `fit` goes on with the run that the file has; it refuses a file
    whose run had other data, another generator, another optimizer or other settings.

    Parameters
    ----------
    file
        An ``.npz`` file. If it exists when `fit` is called, the run goes on from there, whatever the
        parameters are by then.
    every
        How many steps lie between two savings; None for one after every epoch. The end of a run is
        always saved.
    also
        What else changes in the course of the run, by name: generators, objects with ``state_dict`` and
        ``load_state_dict`` such as `EMA`, other optimizers (with their parameters), and trees of arrays
        that are changed in place such as the running means of batch normalization.

    Raises
    ------
    TypeError, ValueError
        If `file` is no name, `every` not a whole number from 1 on, or something in `also` cannot be
        saved.

    Notes
    -----
    The file holds the latest parameters, also after early stopping: the run could go on from there with
    more patience. `fit` called again with the file of a finished run puts the best ones back.

    To go on with another learning rate, such as from before a run diverged:
    ``optimizer.load("run.npz")``, assign ``optimizer.learning_rate``, and call `fit` with another file.
    That is a new run, in which the generator and what `also` names go on as they are.

    A killed process may leave a temporary file beside `file`. It is deleted when a run with `file`
    starts, once it is an hour old.

    Examples
    --------
    >>> Checkpoint("run.npz", every=100).every
    100
    """

    file: str | os.PathLike
    every: int | None = None
    also: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.file, str | os.PathLike):
            raise TypeError(f"file is {shown(self.file)}; expected a name, such as 'run.npz'")
        if not os.fspath(self.file):
            raise ValueError("file is ''; expected a name, such as 'run.npz'")
        if self.every is not None:
            object.__setattr__(self, "every", whole_number("every", self.every, lowest=1))
        check_also(self.also)

    @property
    def name(self) -> str:
        """The file, as errors name it."""
        return repr(os.fspath(self.file))

    def is_due(self, step: int, epoch_is_over: bool) -> bool:
        """Whether to save after so many steps."""
        return epoch_is_over if self.every is None else step % self.every == 0

    def save(self, optimizer: Optimizer, run: Mapping[str, Any]) -> None:
        """Write an optimizer and the state of the rest of its run to the file, atomically."""
        optimizer.save(self.file, extra={"run": run, "also": states_of(self.also)})

    def read(self) -> Saved | None:
        """What the file holds, or None if there is no file yet.

        Raises
        ------
        OSError
            If the file cannot be read, or its folder does not exist.
        ValueError
            If the file is damaged, holds no run, or one with other things in `also`.
        """
        place = Path(self.file)
        if not place.exists():
            if not Path(os.path.realpath(place)).parent.is_dir():
                raise FileNotFoundError(f"checkpoint is {self.name}, in no folder; expected it to exist")
            return None
        arrays = read_arrays(place)
        extra = unpacked_extra(arrays)
        run, also = extra.get("run"), extra.get("also")
        if not isinstance(run, dict) or not isinstance(also, dict) or "format" not in run:
            raise ValueError(f"{self.name} holds no run of fit; expected one, or no file")
        if also.keys() != self.also.keys():
            raise ValueError(f"{self.name} was saved with also={list(also)}; expected {list(self.also)}")
        return Saved(arrays, run, also)

    def load(self, optimizer: Optimizer, saved: Saved) -> None:
        """Bring an optimizer, and what is in `also`, to what the file had.

        Raises
        ------
        TypeError, ValueError
            If something does not fit. Nothing has been changed then.
        """
        before = states_of(self.also)
        try:
            self._load_also(saved.also)
            load_saved(optimizer, saved.arrays, self.name)
        except BaseException:
            load_states(self.also, before)
            raise

    def _load_also(self, saved: Mapping[str, Any]) -> None:
        """Bring what is in `also` to what the file had."""
        try:
            load_states(self.also, saved)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name} does not fit what is in also: {error}") from error

    def check_writable(self) -> None:
        """Refuse a file that cannot be written, before there is anything to lose."""
        check_writable(self.file)

    def remove_leftovers(self) -> None:
        """Delete the temporary files of processes that were killed long ago."""
        remove_leftovers(self.file)
