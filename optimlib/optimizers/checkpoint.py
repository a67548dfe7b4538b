"""What a later run needs to go on: saved whole, and loaded whole or refused.

A *checkpoint* holds the parameters, the state arrays, the number of steps, the learning rate, the state
of a schedule, the settings, and whatever the caller puts beside them. It is a file of arrays
(`optimlib.optimizers.files`).
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optimlib.arguments import check_saved, hyperparameter
from optimlib.optimizers.checkpoint_extra import packed_extra, unpacked_extra
from optimlib.optimizers.files import read_arrays, write_arrays
from optimlib.schedules import Schedule, has_state
from optimlib.schedules.composition import as_written
from optimlib.trees import Tree, check_finite, check_parameters, flatten, match
from optimlib.trees.containers import shown

if TYPE_CHECKING:
    from optimlib.optimizers.engine.arrays import Arrays

STATE_FORMAT = 4  # to be raised whenever state_dict() changes what it writes

HEADER = {"format", "optimizer", "t", "learning_rate", "scheduled"}
"""The names of what is saved without an array or a setting that it belongs to."""

SAVED_BESIDE = HEADER | {"params", "schedule", "settings", "extra"}
"""Names that no state array may have."""


class Checkpoint:
    """Gives optimizers the methods that save and load."""

    t: int
    settings: Callable[[], dict[str, Any]]
    _arrays: Arrays
    _rate: float | None
    _schedule: Schedule | None
    _strengths: list[float]
    _factors: list[float]
    _ignored: list[str]

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of all that a later run needs to go on from here, beside the parameters.

        Returns
        -------
        dict
            Flat, with arrays only, so that ``np.savez(file, **optimizer.state_dict())`` saves it:
            ``"format"``, ``"optimizer"`` (the class), ``"t"``, ``"learning_rate"`` (of the latest step;
            NaN while a schedule has not been asked), ``"scheduled"`` (whether there is a schedule),
            every setting (``"settings['beta1']"``; of a schedule how it is written), every state array
            (``"m['W']"``), and the state of a schedule that has one (``"schedule['best']"``).

        Raises
        ------
        RuntimeError
            If a step was interrupted.
        """
        self._arrays.check_not_torn()
        saved = {
            "format": np.array(STATE_FORMAT),
            "optimizer": np.array(type(self).__name__),
            "t": np.array(self.t),
            "learning_rate": np.array(np.nan if self._rate is None else self._rate),
            "scheduled": np.array(self._schedule is not None),
        }
        state = {key: array.copy() for key, array in self._state_arrays().items()}
        return saved | self._saved_settings() | state | self._schedule_arrays()

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state: the next step is bit for bit what it would have been.

        A learning rate that is a number is taken from the saved state, so that one that was lowered by
        hand stays low. Every other setting has to be what it was, and so do the frozen arrays and the
        schedule: create the optimizer with them, or assign them first. (Of schedules that are functions
        of one's own nothing is known, and of functions inside a schedule their names.) To go on with
        others, assign those after loading; to begin another run, see `load_parameters`.

        Parameters
        ----------
        saved
            What `state_dict` returned, or what ``np.load`` made of its file. It is only read.

        Raises
        ------
        TypeError
            If an array is of another dtype than the one it is for.
        ValueError
            If it belongs to another optimizer, another format, another tree of parameters, another
            kind of schedule or other settings. Nothing has been changed then.
        """
        self._load(saved, {})

    def save(self, file: str | os.PathLike, extra: Mapping[str, Any] | None = None) -> None:
        """Write the parameters and the state to one ``.npz`` file, atomically.

        Both are in it, because one without the other is of no use: the state as `state_dict` gives
        it, and every parameter under its path, such as ``"params['W']"``. If writing is interrupted,
        even by killing the process, the old file stays intact
        (`optimlib.optimizers.files.write_arrays`).

        Parameters
        ----------
        file
            Where to write. The name is taken as it is; nothing is appended.
        extra
            What `load` is to return: arrays, numbers, strings, True, False and None, in nested dicts,
            lists and tuples, such as ``{"epoch": 3, "rng": rng.bit_generator.state}``.

        Raises
        ------
        OSError
            If the file cannot be written.
        RuntimeError
            If a step was interrupted.
        TypeError
            If `extra` is not a dict, or something in it is of another type.
        ValueError
            If a parameter is NaN or infinite, or `extra` holds itself. The older file is left as it was.

        Examples
        --------
        >>> import tempfile
        >>> from optimlib import SGD
        >>> theta = {"W": np.array([1.0, 2.0])}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     SGD(theta, 0.1).save(f"{folder}/run.npz", extra={"epoch": 3})
        ...     theta["W"][:] = 0
        ...     SGD(theta, 0.1).load(f"{folder}/run.npz")
        {'epoch': 3}
        >>> theta
        {'W': array([1., 2.])}
        """
        self._arrays.check_the_same(to_change=False)
        state = self.state_dict()
        for place, leaf in self._parameter_arrays().items():
            check_finite(leaf, place)
        beside = packed_extra({} if extra is None else extra)
        write_arrays(file, self._parameter_arrays() | state | beside)

    def load(self, file: str | os.PathLike) -> dict[str, Any]:
        """Read what `save` wrote, into the parameters (in place) and the state.

        Create the optimizer as it was: parameters of the same shapes with any values, and the same
        settings, frozen arrays and schedule. The next step is then bit for bit what it would have been.

        Parameters
        ----------
        file
            The file to read.

        Returns
        -------
        dict
            What `save` was given as `extra`.

        Raises
        ------
        OSError
            If the file does not exist or cannot be opened.
        ValueError
            If it is damaged, or was written by something else or for another optimizer, another tree
            of parameters, another kind of schedule or other settings. Nothing has been changed then.
        """
        return load_saved(self, read_arrays(file), repr(os.fspath(file)))

    def _load(self, saved: Mapping[str, np.ndarray], parameters: dict[str, np.ndarray]) -> None:
        """Load a state, and with it the `parameters` of these names, once everything fits."""
        rate, t = self._checked_header(saved)
        arrays = {
            place: saved[place]
            for place in saved
            if place not in HEADER and not place.startswith("settings[")
        }
        schedule, stateful = self._schedule_arrays(), self._stateful_schedule()
        expected = parameters | schedule | self._state_arrays()
        if (theirs := {place for place in arrays if place.startswith("schedule[")}) != set(schedule):
            what = f"the saved schedule has state {sorted(theirs)}; expected {sorted(schedule)}"
            raise ValueError(f"{what}, that of {self._schedule!r} (assign learning_rate first)")
        # What a state has that is infinite goes on being so; parameters were never saved like that.
        found = match(arrays, expected, "saved", "state", finite=False)
        matched = dict(zip(expected, found, strict=True))
        for place in parameters:
            check_finite(matched[place], f"saved {place}")
        names = {name: f"schedule[{name!r}]" for name in (stateful.state_dict() if stateful else ())}
        schedule_state = {name: matched[place] for name, place in names.items()}
        self._check_settings(saved, schedule_state)
        if stateful is not None:
            stateful.load_state_dict(schedule_state)
        self._arrays.torn = True
        for place, array in (parameters | self._state_arrays()).items():
            array[...] = matched[place]
        self._rate, self.t = rate, t
        self._arrays.torn = False

    def _checked_header(self, saved: Mapping[str, np.ndarray]) -> tuple[float | None, int]:
        """The learning rate and the number of steps of a saved state for an optimizer like this one."""
        check_saved(saved)
        about = {"format": STATE_FORMAT, "optimizer": type(self).__name__}
        for key, expected in about.items():
            if (received := value_of(saved, key)) != expected:
                raise ValueError(f"the saved state has {key} {received!r}; expected {expected!r}")
        t, rate, scheduled = (value_of(saved, key) for key in ("t", "learning_rate", "scheduled"))
        if isinstance(t, bool) or not isinstance(t, int) or t < 0:
            raise ValueError(f"the saved state has t {t!r}; expected a number of steps")
        if scheduled != (self._schedule is not None):
            saved_one = "a schedule" if scheduled else f"the number {rate}"
            ours = "a schedule" if self._schedule is not None else f"the number {self._rate}"
            raise ValueError(
                f"the saved learning_rate is {saved_one}; expected {ours}, as this optimizer has"
                " (assign learning_rate first)"
            )
        if scheduled and np.isnan(rate):
            return None, t
        return hyperparameter("the saved learning_rate", rate), t

    def _check_settings(self, saved: Mapping[str, np.ndarray], schedule_state: dict[str, Any]) -> None:
        """Refuse a saved state with other settings than this optimizer has."""
        ours = self._saved_settings(schedule_state)
        for key in dict.fromkeys([*ours, *(key for key in saved if key.startswith("settings["))]):
            name = key.removeprefix("settings['").removesuffix("']")
            received, expected = (
                np.asarray(some[key]).tolist() if key in some else None for some in (saved, ours)
            )
            if received != expected:
                attribute = "learning_rate" if name == "schedule" else name
                raise ValueError(
                    f"the saved {name} is {shown(received, 50)}; expected {shown(expected, 50)}, as this"
                    f" optimizer has (assign {attribute} first)"
                )

    def _saved_settings(self, schedule_state: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """What decides about a step beside the state, by name; what is None is left out.

        The schedule is written as it is, or as it is with a state that was saved.
        """
        elsewhere = {"t", "compiled", "skip_nonfinite"}  # in the header, or no step depends on them
        values = {name: value for name, value in self.settings().items() if name not in elsewhere}
        values |= {"weight_decay": self._strengths, "rates": self._factors, "frozen": self._ignored}
        if self._schedule is not None:
            values["schedule"] = as_written(self._schedule, schedule_state)
        return {f"settings[{k!r}]": np.array(value) for k, value in values.items() if value is not None}

    def _parameter_arrays(self) -> dict[str, np.ndarray]:
        return dict(flatten(self._arrays.params, "params"))

    def _state_arrays(self) -> dict[str, np.ndarray]:
        paths = self._arrays.paths
        return {
            f"{slot}{path}": array
            for slot, arrays in self._arrays.state.items()
            for path, array in zip(paths, arrays, strict=True)
        }

    def _stateful_schedule(self) -> Any:
        """The schedule, if it has a state."""
        return self._schedule if self._schedule is not None and has_state(self._schedule) else None

    def _schedule_arrays(self) -> dict[str, np.ndarray]:
        stateful = self._stateful_schedule()
        state = stateful.state_dict() if stateful is not None else {}
        return {f"schedule[{name!r}]": np.asarray(value) for name, value in state.items()}


def check_slots(slots: Sequence[str]) -> None:
    """Refuse names of state arrays that would not stay apart in a saved state.

    >>> check_slots(("m", "t"))
    Traceback (most recent call last):
        ...
    ValueError: slots is ('m', 't'); expected different names, none of them of what is saved beside them
    """
    if isinstance(slots, str) or not all(map(str.isidentifier, slots)):
        raise TypeError(f"slots is {slots!r}; expected a tuple of names, such as ('m',)")
    names = {unicodedata.normalize("NFKC", slot) for slot in slots}  # as Python reads them
    if len(names) < len(slots) or names & SAVED_BESIDE:
        raise ValueError(
            f"slots is {slots!r}; expected different names, none of them of what is saved beside them"
        )


def load_saved(optimizer: Checkpoint, saved: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    """Load the arrays of a file that `save` wrote, which errors call `name`, and return its extra."""
    optimizer._arrays.check_the_same()
    try:
        extra = unpacked_extra(saved)
        beside = {place: saved[place] for place in saved if not place.startswith("extra")}
        optimizer._load(beside, optimizer._parameter_arrays())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not for this optimizer: {error}") from error
    return extra


def load_parameters(file: str | os.PathLike, params: Tree) -> None:
    """Read the parameters that an optimizer saved, in place: to use a model, or to begin another run.

    Parameters
    ----------
    file
        What `Optimizer.save` wrote, whatever the optimizer.
    params
        The parameters to fill: arrays of the same shapes and dtypes, with any values.

    Raises
    ------
    OSError
        If the file does not exist or cannot be opened.
    TypeError, ValueError
        If `params` cannot be updated in place, the file is damaged, or its parameters are others.
        Nothing has been changed then.

    Examples
    --------
    >>> import tempfile
    >>> from optimlib import SGD
    >>> theta = {"W": np.zeros(2)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     SGD({"W": np.array([1.0, 2.0])}, 0.1).save(f"{folder}/run.npz")
    ...     load_parameters(f"{folder}/run.npz", theta)
    >>> theta
    {'W': array([1., 2.])}
    """
    ours = {f"params{path}": leaf for path, leaf in check_parameters(params)}
    saved = read_arrays(file)
    theirs = {place: array for place, array in saved.items() if place.startswith("params")}
    for place, new in zip(ours, match(theirs, ours, "saved", "state"), strict=True):
        ours[place][...] = new


def value_of(saved: Mapping[str, np.ndarray], key: str) -> Any:
    """What an array without axes holds.

    >>> value_of({"t": np.array(3)}, "t")
    3
    """
    if key not in saved:
        raise ValueError(f"the saved state has no {key}")
    return np.asarray(saved[key]).tolist()
