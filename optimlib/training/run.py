"""A run: what is trained on what, how far it has come, and all of that in a form that can be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from optimlib.arguments import check_generator
from optimlib.optimizers.base import Optimizer
from optimlib.training.batches import check_batches, cut
from optimlib.training.failures import DivergedError
from optimlib.training.history import History
from optimlib.training.stopping import EarlyStopping
from optimlib.trees import Tree, flatten
from optimlib.trees.containers import shown

RUN_FORMAT = 1  # to be raised whenever state_dict() changes what it returns


class Run:
    """The state of a run, between two steps.

    Where it is follows from the history, which has a row for every finished step and epoch. Beside it
    there are the order of the epoch's rows and the best parameters, and the states of optimizer and
    generator.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        data: Tree,
        batch_size: int,
        rng: np.random.Generator,
        stopping: EarlyStopping | None,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizer is {shown(optimizer)}; expected one such as optimlib.Adam(params)"
            )
        self.rows = check_batches(data, batch_size)
        check_generator("rng", rng)
        if stopping is not None and hasattr(type(optimizer), "averaged"):  # which needs its state, too
            raise ValueError(
                f"stopping is {stopping} beside {type(optimizer).__name__}; expected None: what is best"
                " there is not its parameters but optimizer.averaged"
            )
        self.optimizer, self.data, self.batch_size, self.rng = optimizer, data, batch_size, rng
        self.stopping, self.history = stopping, History()
        self.order: np.ndarray | None = None  # of the rows in this epoch, once it has begun
        self.best: list[np.ndarray] | None = None  # the parameters after the best epoch, for `stopping`
        self.first_rate = optimizer.learning_rate if optimizer.schedule is None else None
        self.saved = "there is no checkpoint"

    @property
    def batches_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return -(-self.rows // self.batch_size)

    @property
    def batches_done(self) -> int:
        """How many batches of this epoch are done."""
        return self.history.step - self.history.epoch * self.batches_per_epoch

    def is_over(self, epochs: int) -> bool:
        """Whether the run has these epochs, or was stopped early."""
        history, stopping = self.history, self.stopping
        stopped = stopping is not None and history.epoch and stopping.ends(history[stopping.metric])
        return bool(stopped) or history.epoch >= epochs

    def batches_left(self) -> Iterator[np.ndarray]:
        """The numbers of the rows of every batch that this epoch still has."""
        if self.order is None:
            self.order = self.rng.permutation(self.rows)
        yield from cut(self.order, self.batch_size, self.batches_done)

    def end_epoch(self, evaluated: Any) -> None:
        """Take note of the epoch that is finished, and of its parameters if they are the best."""
        history, stopping = self.history, self.stopping
        losses = history.loss[-self.batches_per_epoch :]
        history.add_epoch(sum(losses) / len(losses), evaluated)
        self.order = None
        if stopping is not None:
            if stopping.metric not in history.epochs:
                raise ValueError(
                    f"stopping watches {stopping.metric!r}; expected one of {list(history.epochs)},"
                    " the loss and what evaluate returns"
                )
            if stopping.best(history[stopping.metric]) == history.epoch - 1:
                self.best = [leaf.copy() for _, leaf in flatten(self.optimizer.params)]

    def put_best_back(self) -> None:
        """Bring the parameters to where they were after the best epoch, if there is one."""
        if self.best is not None:
            for (_, leaf), best in zip(flatten(self.optimizer.params), self.best, strict=True):
                leaf[...] = best

    def diverged(self, what: str, rows: np.ndarray) -> DivergedError:
        """The error for a number that is not finite, in the step that was being taken."""
        step, epoch, batch = self.history.step + 1, self.history.epoch + 1, self.batches_done + 1
        error = DivergedError(
            f"step {step} (epoch {epoch}, batch {batch} of {self.batches_per_epoch}): {what};"
            f" {self.saved}"
        )
        error.history, error.rows = self.history, rows
        return error

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on from here, beside the optimizer's own state."""
        return {
            "fixed": self._fixed(),
            "first_rate": self.first_rate,
            "rng": self.rng.bit_generator.state,
            "order": self.order,
            "history": self.history.state_dict(),
            "best": self.best,
        }

    def _fixed(self) -> dict[str, Any]:
        """What must be the same when a run goes on, by name."""
        data = {f"data{path}": f"{leaf.dtype}, {leaf.shape}" for path, leaf in flatten(self.data)}
        stopping = None if self.stopping is None else (self.stopping.metric, self.stopping.mode)
        beside = {"batch_size": self.batch_size, "stopping": stopping}
        return {"format": RUN_FORMAT} | data | beside | {"rng": type(self.rng.bit_generator).__name__}

    def check(self, saved: Mapping[str, Any], saved_rate: float) -> None:
        """Refuse the state of another run: of other data, another batch size, another generator.

        Raises
        ------
        ValueError
            If it is one, or began with another learning rate, which loading would silently replace.
        """
        ours, theirs = self._fixed(), saved["fixed"]
        for name in dict.fromkeys([*ours, *theirs]):
            if theirs.get(name) != ours.get(name):
                raise ValueError(f"its {name} is {theirs.get(name)!r}; expected {ours.get(name)!r}")
        rates = (saved["first_rate"], saved_rate)
        if self.first_rate is not None and rates[0] is not None and self.first_rate not in rates:
            raise ValueError(
                f"its learning_rate was {rates[0]} at first; expected {self.first_rate}, that of the"
                f" optimizer (assign optimizer.learning_rate = {rates[0]} to go on)"
            )

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a state that was checked."""
        self.first_rate, self.order = saved["first_rate"], saved["order"]
        self.rng.bit_generator.state = saved["rng"]
        self.history.load_state_dict(saved["history"])
        self.best = saved["best"]
