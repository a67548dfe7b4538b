"""How far a run has come: a bar of tqdm, or a line an epoch where that is not installed."""

from __future__ import annotations

import sys
from typing import Any

from optimlib.training.history import History


class Progress:
    """Shows the steps of a run.

    Parameters
    ----------
    show
        Whether anything is shown.
    steps
        The number of steps from the first to the last.
    done
        The number of those that an earlier run has taken.
    """

    def __init__(self, show: bool, steps: int, done: int) -> None:
        self.show, self.bar = show, _bar(steps, done) if show else None

    def step(self) -> None:
        """One more step is taken."""
        if self.bar is not None:
            self.bar.update()

    def epoch(self, history: History) -> None:
        """One more epoch is finished."""
        if not self.show:
            return
        last = ", ".join(f"{name} {column[-1]:.4g}" for name, column in history.epochs.items())
        if self.bar is not None:
            self.bar.set_postfix_str(last)
        else:
            print(f"epoch {history.epoch}: {last}", file=sys.stderr)

    def close(self) -> None:
        """The run is over."""
        if self.bar is not None:
            self.bar.close()


def _bar(steps: int, done: int) -> Any:
    """A bar of tqdm, or None where it is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=steps, initial=done, desc="training", unit="step")
