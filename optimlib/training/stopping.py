"""Early stopping: a run ends when what is evaluated has not become better for some epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimlib.arguments import whole_number


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop a run, told from the values of one metric after every epoch.

    It only has settings: what is best so far is read off the history, so one object can be used for any
    number of runs.

    Parameters
    ----------
    metric
        The name of what to watch: one that `evaluate` returns, or ``"loss"``, the epoch's mean training
        loss.
    patience
        After how many epochs in a row without a better value than the best one the run ends.
    mode
        ``"min"`` if smaller is better, ``"max"`` if larger is.

    Raises
    ------
    TypeError, ValueError
        If the metric is no name, `patience` not a whole number from 1 on, or `mode` something else.

    Notes
    -----
    NaN is never better.

    What is kept as the best are the parameters after that epoch, whatever `evaluate` looked at: of an
    average that it swaps in (`EMA`), the state after the best epoch has to be kept by `evaluate` itself.
    A checkpoint's file holds the last parameters; `fit` called again with it puts the best ones back.

    The method and its justification: L. Prechelt, "Early stopping, but when?",
    1998.

    Examples
    --------
    >>> stopping = EarlyStopping("validation loss", patience=2)
    >>> losses = [0.9, 0.5, 0.6, 0.5]
    >>> stopping.best(losses), stopping.ends(losses), stopping.ends(losses[:3])
    (1, True, False)
    """

    metric: str
    patience: int = 5
    mode: str = "min"

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str):
            raise TypeError(f"metric is {self.metric!r}; expected a name, such as 'validation loss'")
        object.__setattr__(self, "patience", whole_number("patience", self.patience, lowest=1))
        if self.mode not in ("min", "max"):
            raise ValueError(f"mode is {self.mode!r}; expected 'min' or 'max'")

    def best(self, values: Sequence[float]) -> int | None:
        """Where the best value stands, the first of them if several are equal; None if all are NaN."""
        sign = 1 if self.mode == "min" else -1
        numbers = [(sign * value, where) for where, value in enumerate(values) if value == value]
        return min(numbers)[1] if numbers else None

    def ends(self, values: Sequence[float]) -> bool:
        """Whether the run ends after these epochs."""
        best = self.best(values)
        return len(values) - (0 if best is None else best + 1) >= self.patience
