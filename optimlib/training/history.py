"""What a run has seen: the loss of every step, and of every epoch what was evaluated after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimlib.arguments import real_number
from optimlib.trees.containers import listed, shown

Table = dict[str, list[float]]
"""Columns of equal length by name."""

MOST_ROWS = 10  # of the table that is printed


def _only_the_loss() -> Table:
    return {"loss": []}


@dataclass(repr=False)
class History(Mapping[str, list[float]]):
    """Two tables, one with a row for every step and one with a row for every epoch.

    It is itself a mapping, of the columns of `epochs`.

    Attributes
    ----------
    steps : dict
        Lists by name: ``"loss"``, and whatever `after_step` returned.
    epochs : dict
        Lists by name: ``"loss"``, the mean loss of the epoch's steps, and whatever `evaluate` returned.
    gradient_checks : dict
        The verdict of each gradient check, by the number of epochs that were finished.
    resumed : list
        The numbers of the steps after which the run was taken up from its checkpoint.

    Examples
    --------
    >>> history = History()
    >>> for loss in (4.0, 2.0):
    ...     history.add_step(loss, {})
    >>> history.add_epoch(3.0, {"accuracy": 0.5})
    >>> history.loss, history["accuracy"]
    ([4.0, 2.0], [0.5])
    >>> list(history), "precision" in history
    (['loss', 'accuracy'], False)
    >>> print(history)
    epoch  loss  accuracy
        1     3       0.5
    """

    steps: Table = field(default_factory=_only_the_loss)
    epochs: Table = field(default_factory=_only_the_loss)
    gradient_checks: dict[int, str] = field(default_factory=dict)
    resumed: list[int] = field(default_factory=list)

    @property
    def loss(self) -> list[float]:
        """The loss of every step, before its update."""
        return self.steps["loss"]

    @property
    def step(self) -> int:
        """The number of finished steps."""
        return len(self.steps["loss"])

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.epochs["loss"])

    def __getitem__(self, name: str) -> list[float]:
        """A column of `epochs`.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        if name not in self.epochs:
            raise KeyError(f"no epoch has {name!r}; expected one of {list(self.epochs)}")
        return self.epochs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.epochs)

    def __len__(self) -> int:
        return len(self.epochs)

    def add_step(self, loss: float, beside: Any) -> None:
        """Take note of a step: its loss, and what `after_step` returned."""
        _add_row(self.steps, loss, beside, "after_step")

    def add_epoch(self, loss: float, beside: Any) -> None:
        """Take note of an epoch: the mean loss of its steps, and what `evaluate` returned."""
        _add_row(self.epochs, loss, beside, "evaluate")

    def state_dict(self) -> dict[str, Any]:
        """Both tables as arrays, the verdicts, and where the run was taken up."""
        tables = {"steps": self.steps, "epochs": self.epochs}
        arrays = {
            key: {name: np.array(column) for name, column in table.items()}
            for key, table in tables.items()
        }
        checks = list(self.gradient_checks.items())
        return arrays | {"gradient_checks": checks, "resumed": list(self.resumed)}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.steps, self.epochs = (
            {name: column.tolist() for name, column in saved[key].items()} for key in ("steps", "epochs")
        )
        self.gradient_checks, self.resumed = dict(saved["gradient_checks"]), list(saved["resumed"])

    def __repr__(self) -> str:
        about = [", ".join(self.epochs), *self._remarks()]
        return f"<History of {self.step} steps and {self.epoch} epochs: {'; '.join(about)}>"

    def __str__(self) -> str:
        numbers = list(range(1, self.epoch + 1))
        if len(numbers) > MOST_ROWS:
            half = MOST_ROWS // 2
            numbers = numbers[:half] + numbers[-half:]
        rows = [[str(n), *(f"{column[n - 1]:.4g}" for column in self.epochs.values())] for n in numbers]
        table = [["epoch", *self.epochs], *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        if self.epoch > MOST_ROWS:
            lines.insert(1 + MOST_ROWS // 2, "…".rjust(widths[0]))
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> list[str]:
        """How the gradient checks came out, and where the run was taken up."""
        remarks = []
        for verdict in dict.fromkeys(self.gradient_checks.values()):
            epochs = [epoch for epoch, found in self.gradient_checks.items() if found == verdict]
            remarks.append(f"gradient check after epoch {listed(epochs)[1:-1]}: {verdict}")
        if self.resumed:
            remarks.append(f"taken up after step {listed(self.resumed)[1:-1]}")
        return remarks


def _add_row(table: Table, loss: float, beside: Any, source: str) -> None:
    """Put a row below a table, once it has the columns of the rows above."""
    if beside is None and len(table) == 1:  # quick, for every step of most runs
        table["loss"].append(loss)
        return
    beside = {} if beside is None else beside
    if not isinstance(beside, Mapping):
        raise TypeError(
            f"{source} returned {shown(beside)}; expected a dict of numbers by name, or None"
        )
    if "loss" in beside or not all(isinstance(name, str) for name in beside):
        raise ValueError(f"{source} returned the names {list(beside)}; expected strings except 'loss'")
    known = [name for name in table if name != "loss"]
    if table["loss"] and set(known) != set(beside):
        raise ValueError(f"{source} returned {list(beside)}; expected {known}, as before")
    row = {name: number(f"{source}()[{name!r}]", value) for name, value in beside.items()}
    for name, value in ({"loss": loss} | row).items():
        table.setdefault(name, []).append(value)


def number(name: str, value: Any) -> float:
    """A result as a Python float: a real number, or an array of shape ().

    >>> number("loss", np.array(0.5))
    0.5
    """
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    return real_number(name, value)
