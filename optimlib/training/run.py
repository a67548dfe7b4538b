"""A run: what is trained on what, how far it has come, and all of that in a form that can be saved."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from optimlib.arguments import check_generator, flag
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.checkpoint import value_of
from optimlib.training.batches import check_batches, cut
from optimlib.training.checkpoint import Checkpoint
from optimlib.training.history import History
from optimlib.training.results import DivergedError
from optimlib.training.stopping import EarlyStopping
from optimlib.trees import Tree, flatten, format_index, per_leaf
from optimlib.trees.containers import shown

RUN_FORMAT = 2  # to be raised whenever state_dict() changes what it returns

ROWS_AT_ONCE = 1024  # of an array, for its digest


class Run:
    """The state of a run, between two steps.

    Where it is follows from the history, which has a row for every finished step and epoch. Beside it
    there are the order of the epoch's rows and the best parameters, and the states of optimizer and
    generator.

    Parameters
    ----------
    optimizer, data, batch_size, drop_last, rng, stopping, checkpoint
        Those of `optimlib.training.fit`.
    functions
        The functions that are called beside `value_and_grad`, by name, or None for those that are not.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        data: Tree,
        batch_size: int,
        rng: np.random.Generator,
        *,
        drop_last: bool = False,
        stopping: EarlyStopping | None = None,
        checkpoint: Checkpoint | None = None,
        functions: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizer is {shown(optimizer)}; expected one such as optimlib.Adam(params)"
            )
        self.rows, self.batch_size = check_batches(data, batch_size)
        self.drop_last = flag("drop_last", drop_last)
        check_generator("rng", rng)
        if stopping is not None and hasattr(type(optimizer), "averaged"):  # which needs its state, too
            raise ValueError(
                f"stopping is {stopping} beside {type(optimizer).__name__}; expected None: what is best"
                " there is not its parameters but optimizer.averaged"
            )
        self.optimizer, self.data, self.rng = optimizer, data, rng
        self.stopping, self.checkpoint, self.functions = stopping, checkpoint, functions or {}
        self.history = History()
        self.order: np.ndarray | None = None  # of the rows in this epoch, once it has begun
        self.best: list[np.ndarray] | None = None  # the parameters after the best epoch, for `stopping`
        self.first = {
            "learning_rate": optimizer.learning_rate if optimizer.schedule is None else None,
            "t": optimizer.t,
            "rng": _state_digest(rng),
            "seed": _seed(rng),
        }
        self.digests = _digests(data) if checkpoint else {}
        self.saved_step: int | None = None  # what the checkpoint's file has

    @property
    def batches_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    @property
    def batches_done(self) -> int:
        """How many batches of this epoch are done."""
        return self.history.step - self.history.epoch * self.batches_per_epoch

    @property
    def frozen(self) -> set[str]:
        """The paths of the arrays that never move."""
        choice, params = self.optimizer.frozen, self.optimizer.params
        chosen = [] if choice is None else per_leaf(choice, params, "frozen", flag)
        return {path for (path, _), never in zip(flatten(params), chosen, strict=False) if never}

    def is_over(self, epochs: int) -> bool:
        """Whether the run has these epochs, or was stopped early."""
        history, stopping = self.history, self.stopping
        stopped = stopping is not None and history.epoch and stopping.ends(history[stopping.metric])
        return bool(stopped) or history.epoch >= epochs

    def batches_left(self) -> Iterator[np.ndarray]:
        """The numbers of the rows of every batch that this epoch still has."""
        if self.order is None:
            kept = self.batches_per_epoch * self.batch_size  # all, where the last batch is smaller
            self.order = self.rng.permutation(self.rows)[:kept]
        yield from cut(self.order, self.batch_size, self.batches_done)

    def end_epoch(self, evaluated: Any) -> None:
        """Take note of the epoch that is finished, and of its parameters if they are the best."""
        history, stopping = self.history, self.stopping
        losses = history.loss[-self.batches_per_epoch :]
        # The others are of steps that were skipped.
        finite = [loss for loss in losses if math.isfinite(loss)]
        history.add_epoch(sum(finite) / len(finite) if finite else math.nan, evaluated)
        self.order = None
        if stopping is not None:
            if stopping.metric not in history:
                raise ValueError(
                    f"stopping watches {stopping.metric!r}; expected one of {list(history)},"
                    " the loss and what evaluate returns"
                )
            if stopping.best(history[stopping.metric]) == history.epoch - 1:
                self.best = [leaf.copy() for _, leaf in flatten(self.optimizer.params)]

    def put_best_back(self) -> None:
        """Bring the parameters to where they were after the best epoch, if there is one."""
        if self.best is not None:
            for (_, leaf), best in zip(flatten(self.optimizer.params), self.best, strict=True):
                leaf[...] = best

    # What is said when it ends before its time

    def diverged(self, what: str, rows: np.ndarray) -> DivergedError:
        """The error for a number that is not finite, in the step that was being taken."""
        message = f"{self._place()}: {what}{self._of_the_data(rows)}; {self._saved()}"
        if self.checkpoint and self.saved_step is not None:
            message += f" ({_with_another_rate(self.checkpoint)})"
        error = DivergedError(message)
        error.rows = rows
        return error

    def _of_the_data(self, rows: np.ndarray) -> str:
        """The first number of the batch that is NaN or infinite itself, and its place in the data."""
        for path, leaf in flatten(self.data):
            batch = leaf[rows] if leaf.dtype.kind in "fc" else np.zeros(1)
            found = np.argwhere(~np.isfinite(batch))
            if len(found):
                row, *others = found[0].tolist()
                index = (int(rows[row]), *others)
                return f"; in this batch data{path}{format_index(index)} is {leaf[index]}"
        return ""

    def annotate(self, error: BaseException) -> None:
        """Attach the history to an error that ends the run, and a note of where the run was."""
        with suppress(AttributeError):  # some errors take no attributes
            error.history = self.history  # type: ignore[attr-defined]
            if not isinstance(error, DivergedError):  # whose message says it
                error.add_note(f"fit was at {self._place()}; {self._saved()}")

    def _place(self) -> str:
        """The step that is next, or being taken."""
        step, epoch = self.history.step, self.history.epoch + 1
        done, batches = self.batches_done, self.batches_per_epoch
        if done == batches:
            return f"the end of epoch {epoch}, after step {step}"
        return f"step {step + 1} (epoch {epoch}, batch {done + 1} of {batches})"

    def _saved(self) -> str:
        if self.checkpoint is None or self.saved_step is None:
            return "there is no checkpoint"
        return f"the last checkpoint is {self.checkpoint.name}, after step {self.saved_step}"

    # To the file and back

    def save_if_due(self, is_over: bool = False) -> None:
        """Save the run if its checkpoint says so, or if it is over."""
        checkpoint, step = self.checkpoint, self.history.step
        if checkpoint is None:
            return
        if is_over or checkpoint.is_due(step, epoch_is_over=self.order is None):
            checkpoint.save(self.optimizer, self.state_dict())
            self.saved_step = step

    def resume(self) -> None:
        """Bring the run to where its checkpoint has it; without a file, leave it at its beginning.

        Raises
        ------
        OSError
            If the file cannot be read or written, or its folder does not exist.
        TypeError, ValueError
            If the file is damaged, or holds another run. Nothing has been changed then.
        """
        if self.checkpoint is None:
            return
        self.checkpoint.remove_leftovers()
        saved = self.checkpoint.read()
        if saved is None:
            self.checkpoint.check_writable()
            return
        self._check(saved.run, float(value_of(saved.arrays, "learning_rate")), self.checkpoint)
        self.checkpoint.load(self.optimizer, saved)
        self.load_state_dict(saved.run)
        self.saved_step = self.history.step
        self.history.resumed.append(self.saved_step)

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on from here, beside the optimizer's own state."""
        return {
            "format": RUN_FORMAT,
            "fixed": self._fixed(),
            "digests": self.digests,
            "first": self.first,
            "rng": self.rng.bit_generator.state,
            "order": self.order,
            "history": self.history.state_dict(),
            "best": self.best,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a state that was checked."""
        self.first, self.order, self.best = saved["first"], saved["order"], saved["best"]
        self.rng.bit_generator.state = saved["rng"]
        self.history.load_state_dict(saved["history"])

    def _fixed(self) -> dict[str, Any]:
        """What must be the same when a run goes on, by name."""
        data = {f"data{path}": f"{leaf.dtype}, {leaf.shape}" for path, leaf in flatten(self.data)}
        functions = {name: given and "a function" for name, given in self.functions.items()}
        return (
            data
            | functions
            | {
                "batch_size": self.batch_size,
                "drop_last": self.drop_last,
                "stopping": None
                if self.stopping is None
                else (self.stopping.metric, self.stopping.mode),
                "rng": type(self.rng.bit_generator).__name__,
            }
        )

    def _check(self, saved: Mapping[str, Any], saved_rate: float, checkpoint: Checkpoint) -> None:
        """Refuse the state of another run: of other data, another batch size, another generator.

        Raises
        ------
        ValueError
            If it is one, or began with another learning rate, which loading would silently replace.
        """
        other = f"{checkpoint.name} holds another run"
        if saved["format"] != RUN_FORMAT or saved.keys() != self.state_dict().keys():
            found = saved["format"]
            raise ValueError(f"{other}: its format is {found!r}; expected {RUN_FORMAT}")
        ours, theirs = self._fixed(), saved["fixed"]
        for name in dict.fromkeys([*ours, *theirs]):
            if theirs.get(name) != ours.get(name):
                raise ValueError(
                    f"{other}: its {name} is {theirs.get(name)!r}; expected {ours.get(name)!r}"
                )
        for name, digest in self.digests.items():
            if saved["digests"].get(name) != digest:
                raise ValueError(f"{other}: its {name} has other values; expected those of {name}")
        first, rates = saved["first"], (saved["first"]["learning_rate"], saved_rate)
        rate = self.first["learning_rate"]
        if rate is not None and rates[0] is not None and rate not in rates:
            raise ValueError(
                f"{other}: its learning_rate was {rates[0]} at first; expected {rate}, that of the"
                f" optimizer ({_with_another_rate(checkpoint)})"
            )
        self._check_generator(first, checkpoint)

    def _check_generator(self, first: Mapping[str, Any], checkpoint: Checkpoint) -> None:
        """Refuse a generator that is not where the run began, or was left by it with its optimizer."""
        ours, same_seed = self.first, self.first["seed"] == first["seed"]
        if ours["rng"] != first["rng"] and not (same_seed and ours["t"] != first["t"]):
            remedy = ", or create this one anew: it has drawn before" if same_seed else ""
            raise ValueError(
                f"rng: the run in {checkpoint.name} began with another generator; give another file for"
                f" another run{remedy}"
            )


def _with_another_rate(checkpoint: Checkpoint) -> str:
    """How one goes on with another learning rate."""
    return (
        f"to go on with another learning rate: optimizer.load({checkpoint.name}), assign"
        " optimizer.learning_rate, and call fit with another file"
    )


def _digests(data: Tree) -> dict[str, str]:
    """What stands for the values of every array, by its place; of Python objects nothing can."""
    found = {}
    for path, leaf in flatten(data):
        if not leaf.dtype.hasobject:
            digest = hashlib.sha256()
            for start in range(0, len(leaf), ROWS_AT_ONCE):
                digest.update(leaf[start : start + ROWS_AT_ONCE].tobytes())
            found[f"data{path}"] = digest.hexdigest()
    return found


def _state_digest(rng: np.random.Generator) -> str:
    """What stands for the state of a generator."""
    import json  # which not every program that imports optimlib needs

    state = json.dumps(rng.bit_generator.state, default=lambda array: np.asarray(array).tolist())
    return hashlib.sha256(state.encode()).hexdigest()


def _seed(rng: np.random.Generator) -> str:
    """What a generator was created from, as text; it stays the same however much is drawn."""
    seeds = getattr(rng.bit_generator, "seed_seq", None)
    return repr((getattr(seeds, "entropy", None), getattr(seeds, "spawn_key", None)))
