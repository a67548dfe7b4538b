"""What all optimizers share: time, state, validation, clipping, blocks and saving.

An optimizer of this package states its hyperparameters, the names of its state arrays and one pure
function, `rule`, whose lines are the equations of its chapter. Everything else happens here, once.
"""

from __future__ import annotations

import contextvars
import os
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from optimlib import trees
from optimlib.arguments import flag, hyperparameter, positive, whole_number
from optimlib.clipping import Clip, clipper
from optimlib.optimizers.checkpoint import read_arrays, write_arrays
from optimlib.optimizers.engine import compiled as element_by_element
from optimlib.optimizers.engine import in_place
from optimlib.optimizers.engine.blocks import LARGE_BYTES, Block, gather, keep_freed_memory, pack, spread
from optimlib.optimizers.engine.tracing import Program, trace
from optimlib.schedules import Schedule, has_state
from optimlib.trees import (
    Flat,
    Memory,
    Tree,
    check_finite,
    check_parameters,
    flat,
    flatten,
    map_tree,
    match,
)

Programs = dict[Hashable, tuple[Program, tuple[float, ...], np.dtype]]

STATE_FORMAT = 2  # to be raised whenever state_dict() changes what it writes
SAVED_BESIDE = {"format", "optimizer", "t", "learning_rate", "params", "schedule"}  # the state arrays


class Optimizer:
    r"""Base class: :math:`\theta_t = \theta_{t-1} - \mathtt{rule}(g_t, \dots)`, in place.

    Parameters
    ----------
    params
        The parameters: float32 or float64 arrays in nested dicts, lists and tuples. They stay the
        caller's; every step changes them in place.
    learning_rate
        The step size :math:`\eta`: a number from 0 on, or a function that gives it from the number
        of finished steps (0 before the first), such as those of `optimlib.schedules`.
    clip_value
        If given, every number of the gradient is first brought into ``[-clip_value, clip_value]``.
    clip_norm
        If given, the whole gradient, over all arrays, is then brought down to this norm if its norm
        is above it.
    clip_eps
        Added to the norm by which `clip_norm` divides; with 1e-6 it is PyTorch's ``clip_grad_norm_``.
    threads
        How many threads share the blocks of large arrays. The result is the same, bit for bit.
    compiled
        Whether Numba compiles `rule` (`optimlib.optimizers.engine.compiled`): the result is the same,
        bit for bit, and a rule for which it might not be is refused. The first step waits for the
        compiler, and a division by zero in a rule brings no warning.

    Attributes
    ----------
    t : int
        The number of steps taken; inside `rule` the number of the step being taken, from 1.
    learning_rate : float
        The step size of the latest step, or of the first one while there is none. Without a schedule
        another one may be assigned between two steps.
    gradient_norm : float or None
        The norm of the latest gradient that `clip_norm` limits, before it does; `None` without
        `clip_norm` and before the first step.

    Raises
    ------
    ImportError
        If `compiled` is asked for and Numba is not installed.
    TypeError, ValueError
        If the parameters cannot be updated in place (`optimlib.trees.check_parameters` says when),
        the learning rate is not a finite number from 0 on, a limit is not a finite number above 0,
        `threads` not a whole one from 1 on, or `compiled` neither True nor False; also if the class
        names its state arrays in `slots` so that they would not stay apart in a saved state.

    Notes
    -----
    Both limits are for the gradient that the caller passes. Whatever a rule adds to it, weight decay
    above all, comes later and is not clipped: the order of PyTorch, where one clips the gradients
    and then calls the optimizer.

    Examples
    --------
    A method of one's own is its rule:

    >>> class SignDescent(Optimizer):
    ...     def rule(self, g):
    ...         return self.learning_rate * np.sign(g), ()
    >>> theta = np.array([1.0, -2.0])
    >>> SignDescent(theta, learning_rate=0.5).step(np.array([3.0, 0.0]))
    >>> theta
    array([ 0.5, -2. ])
    """

    slots: tuple[str, ...] = ()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        *,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        threads: int = 1,
        compiled: bool = False,
    ) -> None:
        leaves = check_parameters(params)
        check_slots(self.slots)
        self.clip_value = None if clip_value is None else positive("clip_value", clip_value)
        self.clip_norm = None if clip_norm is None else positive("clip_norm", clip_norm)
        self.clip_eps = hyperparameter("clip_eps", clip_eps)
        self.gradient_norm: float | None = None
        self._clip: Clip | None = None  # of the present gradient
        self.threads = whole_number("threads", threads, lowest=1)
        self.compiled = flag("compiled", compiled)
        if compiled:
            element_by_element.needs_numba()
        self.params = params
        self.schedule = learning_rate if callable(learning_rate) else None
        self.learning_rate = hyperparameter(
            "learning_rate", self.schedule(0) if self.schedule else learning_rate
        )
        self.t = 0
        self._leaves = [leaf for _, leaf in leaves]
        self._memory = Memory(self._leaves)
        kinds = [self._kind(number) for number in range(len(leaves))]
        self._blocks = pack(self._leaves, kinds, LARGE_BYTES if self.compiled else None)
        self._kinds = [kinds[block[0].array] for block in self._blocks]
        self._is_large = sum(leaf.nbytes for leaf in self._leaves) > trees.blocks.BLOCK_BYTES
        keep_freed_memory()
        rows = [flat(leaf) for leaf in self._leaves]
        self._states = [
            tuple(np.zeros_like(gather(rows, block)) for _ in self.slots) for block in self._blocks
        ]
        self._borrowed: set[int] = set()  # the blocks whose state is arrays that a rule may hold, too

    @property
    def state(self) -> dict[str, Tree]:
        """A copy of the state: for every name in `slots` a tree of arrays like `params`."""
        return {slot: self._state_tree(number) for number, slot in enumerate(self.slots)}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """A copy, deep or unpickled, has its parameters in another place."""
        vars(self).update(attributes)
        self._memory = Memory(self._leaves)

    def _state_tree(self, number: int) -> Tree:
        arrays = [np.empty(leaf.shape, leaf.dtype) for leaf in self._leaves]
        rows = [flat(array) for array in arrays]
        for block, state in zip(self._blocks, self._states, strict=True):
            spread(state[number], rows, block)
        remaining = iter(arrays)
        return map_tree(lambda _: next(remaining), self.params)

    def _kind(self, number: int) -> Hashable:
        """What small parameter arrays must have in common to be updated together."""
        return self._leaves[number].dtype

    def rule(self, g: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The step to subtract from the parameters, and the new state: its arguments stay unchanged.

        All that it returns are arrays of the gradient's shape and dtype. It may be called once for
        every block, or once in a step with objects that stand for arrays and write down what is done
        to them (`optimlib.optimizers.engine.tracing`). So it should do nothing but compute.

        Parameters
        ----------
        g
            Some elements of the gradient, as a one-dimensional array.
        *state
            The same elements of every state array, in the order of `slots`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define rule(g, *state)")

    def step(self, grads: Tree) -> None:
        """Update the parameters in place with one gradient.

        Everything is checked before anything is changed: after an error the parameters, the state
        and `t` are what they were. Only what a rule itself raises, such as the FloatingPointError
        that ``np.errstate`` can ask for, may come when some blocks are already updated, and whoever
        interrupts a step with the keyboard interrupts it anywhere.

        Parameters
        ----------
        grads
            The gradient at the current parameters, a tree like `params`. It is only read.

        Raises
        ------
        TypeError
            If a gradient's dtype is not that of its parameter, or it is masked; if a schedule returns
            no number, or `rule` something else than arrays of the parameters' dtype.
        ValueError
            If structure or shape differ from the parameters', a gradient is NaN or infinite, a
            parameter array was replaced by another or made read-only, a schedule returns a negative,
            infinite or NaN learning rate, or `rule` arrays of another shape.
        """
        self._check_leaves_are_the_same()
        gradients = match(grads, self.params, "grads", "params")
        clip = norm = None
        if self.clip_value is not None or self.clip_norm is not None:
            clip, norm = clipper(gradients, self.clip_value, self.clip_norm, self.clip_eps)
        before = self.t, self.learning_rate, self.gradient_norm
        rate = self.learning_rate if self.schedule is None else self.schedule(self.t)
        self.learning_rate = hyperparameter("learning_rate", rate)
        self._clip, self.gradient_norm = clip, norm
        # The gradient of x * y is (y, x): what lies in a parameter's memory would change under way.
        gradients = [g.copy() if self._memory.overlaps(g) else g for g in gradients]
        self.t += 1
        try:
            programs = self._programs()
            rows = [flat(p) for p in self._leaves], [flat(g) for g in gradients]
            if self.threads == 1 or len(self._blocks) == 1:
                self._update(*rows, programs, range(len(self._blocks)))
            else:
                self._update_in_threads(*rows, programs)
        except Exception:  # a rule that does not work
            self.t, self.learning_rate, self.gradient_norm = before
            raise
        finally:
            self._clip = None

    def _update(
        self,
        p_rows: Sequence[Flat],
        g_rows: Sequence[Flat],
        programs: Programs,
        numbers: Sequence[int],
    ) -> None:
        """Take the step with some blocks, one by one, so that what `rule` computes stays in the cache.

        The last block comes first: the check has just read the gradient to its end.
        """
        prepare = element_by_element.prepare if self.compiled else in_place.prepare
        updates = {kind: prepare(*program) for kind, program in programs.items()}
        for number in reversed(numbers):
            block, state = self._blocks[number], self._states[number]
            p, g = gather(p_rows, block), self._clipped(gather(g_rows, block))
            if self._kinds[number] in updates:
                if number in self._borrowed:
                    state = self._states[number] = tuple(s.copy() for s in state)
                    self._borrowed.remove(number)
                updates[self._kinds[number]](p, g, *state)
            else:
                g = g.view()  # of the caller's array, where a rule may look and not write
                g.flags.writeable = False
                start, step, state = self._block_step(block, p, g, state)
                self._check_result(step, state, p)
                # A state that is the gradient, or a part of it, would change with the caller's array.
                self._states[number] = tuple(s if s.base is None else s.copy() for s in state)
                self._borrowed.add(number)
                np.subtract(start, step, out=p)
            if p.base is None:  # then it is a copy
                spread(p, p_rows, block)

    def _block_step(
        self, block: Block, p: np.ndarray, g: np.ndarray, state: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Where a block starts, its step from there and its new state: what `rule` says."""
        return p, *self.rule(g, *state)

    def _check_result(self, step: np.ndarray, state: tuple[np.ndarray, ...], p: np.ndarray) -> None:
        """Refuse what a rule returned for the parameters `p` unless it is arrays like them."""
        if not isinstance(state, tuple | list) or len(state) != len(self.slots):
            raise ValueError(
                f"{type(self).__name__}.rule returned {state!r} as the new state;"
                f" expected {len(self.slots)} arrays"
            )
        for number, array in enumerate((step, *state)):
            is_array = isinstance(array, np.ndarray)
            if is_array and array.dtype == p.dtype and array.shape == p.shape:
                continue
            name = ("the step", *self.slots)[number]
            received = f"{array.dtype} of shape {array.shape}" if is_array else repr(array)
            raise (ValueError if is_array and array.dtype == p.dtype else TypeError)(
                f"{type(self).__name__}.rule returned {received} as {name};"
                f" expected an array of {p.dtype} of shape {p.shape}, like g"
            )

    def _programs(self) -> Programs:
        """By kind of arrays the program of this step with a block of them, where that is better."""
        if not self.compiled:
            if not self._is_large:
                return {}  # it would take longer to find out
            if {"raise", "call"} & set(np.geterr().values()):
                return {}  # an error in the middle must not leave a block half-way
        programs = {}
        for kind, block in dict(zip(self._kinds, self._blocks, strict=True)).items():
            try:
                program, numbers = trace(partial(self._block_step, block), self.slots)
            except Exception:  # it does more than can be written down, or does not work
                if self.compiled:
                    raise
                continue  # it will be called with arrays
            programs[kind] = program, numbers, self._leaves[block[0].array].dtype
        return programs

    def _clipped(self, g: np.ndarray) -> np.ndarray:
        """Some elements of the gradient, within the limits: whatever reads a gradient calls this."""
        return g if self._clip is None else self._clip(g)

    def _update_in_threads(
        self, p_rows: Sequence[Flat], g_rows: Sequence[Flat], programs: Programs
    ) -> None:
        """The same, every thread taking its share of the blocks."""
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [
                # In a copy of the caller's context, where np.errstate keeps its settings.
                pool.submit(
                    contextvars.copy_context().run, self._update, p_rows, g_rows, programs, share
                )
                for share in _shares(len(self._blocks), self.threads)
            ]
        for future in futures:
            future.result()  # raises what was raised there

    def _check_leaves_are_the_same(self, to_change: bool = True) -> None:
        """Refuse to go on with arrays that the caller no longer uses, or that cannot be changed."""
        leaves = flatten(self.params)
        for (path, leaf), ours in zip(leaves, self._leaves, strict=False):
            if leaf is not ours:
                raise ValueError(
                    f"params{path} was replaced by another array; expected the one that this"
                    " optimizer was created with (assign with params[...][:] = values)"
                )
            if to_change and not leaf.flags.writeable:
                raise ValueError(f"params{path} is read-only; expected an array that can be updated")
        if len(leaves) != len(self._leaves):
            raise ValueError(
                f"params has {len(leaves)} arrays; expected the {len(self._leaves)} that this"
                " optimizer was created with"
            )

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of all that a later run needs to go on from here, beside the parameters.

        Hyperparameters are not part of it: whoever goes on creates the optimizer anew with them.

        Returns
        -------
        dict
            Flat, with arrays only, so that ``np.savez(file, **optimizer.state_dict())`` saves it:
            ``"format"``, ``"optimizer"`` (the class), ``"t"``, ``"learning_rate"`` (of the latest
            step), every state array under its slot and path, such as ``"m['W']"``, and the state of
            a schedule that has one, such as ``"schedule['best']"``.
        """
        saved = {
            "format": np.array(STATE_FORMAT),
            "optimizer": np.array(type(self).__name__),
            "t": np.array(self.t),
            "learning_rate": np.array(self.learning_rate),
        }
        return saved | self._state_arrays() | self._schedule_arrays()

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state: the next step is bit for bit what it would have been.

        A learning rate that is a number stays the one that this optimizer was created with.

        Parameters
        ----------
        saved
            What `state_dict` returned, or what ``np.load`` made of its file. It is only read.

        Raises
        ------
        TypeError
            If an array is of another dtype than the one it is for.
        ValueError
            If it belongs to another optimizer, another format, another tree of parameters or another
            kind of schedule. Nothing has been changed then.
        """
        self._load(saved, {})

    def save(self, file: str | os.PathLike) -> None:
        """Write the parameters and the state to one ``.npz`` file, atomically.

        Both are in it, because one without the other is of no use: the state as `state_dict` gives
        it, and every parameter under its path, such as ``"params['W']"``. Whoever is interrupted
        while writing, even killed, finds the old file intact
        (`optimlib.optimizers.checkpoint.write_arrays`).

        Parameters
        ----------
        file
            Where to write. The name is taken as it is; nothing is appended.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a parameter is NaN or infinite: the older file is worth more. It is left as it was.

        Examples
        --------
        >>> import tempfile
        >>> from optimlib import SGD
        >>> theta = {"W": np.array([1.0, 2.0])}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     SGD(theta, 0.1).save(f"{folder}/run.npz")
        ...     theta["W"][:] = 0
        ...     SGD(theta, 0.1).load(f"{folder}/run.npz")
        >>> theta
        {'W': array([1., 2.])}
        """
        self._check_leaves_are_the_same(to_change=False)
        for place, leaf in self._parameter_arrays().items():
            check_finite(leaf, place)
        write_arrays(file, self._parameter_arrays() | self.state_dict())

    def load(self, file: str | os.PathLike) -> None:
        """Read what `save` wrote, into the parameters (in place) and the state.

        Create the optimizer as it was: parameters of the same shapes with any values, and the same
        hyperparameters. The next step is then bit for bit what it would have been.

        Parameters
        ----------
        file
            The file to read.

        Raises
        ------
        OSError
            If the file does not exist or cannot be opened.
        ValueError
            If it is damaged, or was written by something else or for another optimizer, another tree
            of parameters or another kind of schedule. Nothing has been changed then.
        """
        self._check_leaves_are_the_same()
        saved = read_arrays(file)
        try:
            self._load(saved, self._parameter_arrays())
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(file)!r} is not for this optimizer: {error}") from error

    def _load(self, saved: Mapping[str, np.ndarray], parameters: dict[str, np.ndarray]) -> None:
        """Load a state, and with it the `parameters` of these names, once everything fits."""
        about = {"format": STATE_FORMAT, "optimizer": type(self).__name__}
        for key, expected in about.items():
            if (received := _value(saved, key)) != expected:
                raise ValueError(f"the saved state has {key} {received!r}; expected {expected!r}")
        t = _value(saved, "t")
        if isinstance(t, bool) or not isinstance(t, int) or t < 0:
            raise ValueError(f"the saved state has t {t!r}; expected a number of steps")
        learning_rate = hyperparameter("the saved learning_rate", _value(saved, "learning_rate"))
        arrays = {place: saved[place] for place in saved if place not in {*about, "t", "learning_rate"}}
        schedule, state = self._schedule_arrays(), self._state_arrays()
        # What a step has made infinite goes on being so; parameters were never saved like that.
        matched = dict(
            zip(
                parameters | schedule | state,
                match(arrays, parameters | schedule | state, "saved", "state", finite=False),
                strict=True,
            )
        )
        for place in parameters:
            check_finite(matched[place], f"saved {place}")
        if schedule:
            names = self.schedule.state_dict()
            self.schedule.load_state_dict({name: matched[f"schedule[{name!r}]"] for name in names})
        for place, leaf in parameters.items():
            leaf[...] = matched[place]
        loaded = iter([flat(matched[place]) for place in state])
        slots = [[next(loaded) for _ in self._leaves] for _ in self.slots]
        self._states = [tuple(np.array(gather(rows, block)) for rows in slots) for block in self._blocks]
        self._borrowed = set()
        if self.schedule is not None:
            self.learning_rate = learning_rate
        self.t = t

    def _parameter_arrays(self) -> dict[str, np.ndarray]:
        return dict(flatten(self.params, "params"))

    def _state_arrays(self) -> dict[str, np.ndarray]:
        return dict(pair for slot, tree in self.state.items() for pair in flatten(tree, slot))

    def _schedule_arrays(self) -> dict[str, np.ndarray]:
        state = self.schedule.state_dict() if self.schedule and has_state(self.schedule) else {}
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


def _shares(count: int, threads: int) -> list[range]:
    """The numbers of `count` blocks in up to `threads` runs of like length.

    >>> _shares(5, 2), _shares(1, 2)
    ([range(0, 2), range(2, 5)], [range(0, 1)])
    """
    ends = [count * k // threads for k in range(threads + 1)]
    return [range(start, end) for start, end in pairwise(ends) if end > start]


def _value(saved: Mapping[str, np.ndarray], key: str) -> object:
    """What an array without axes holds."""
    if key not in saved:
        raise ValueError(f"the saved state has no {key}")
    return np.asarray(saved[key]).tolist()
