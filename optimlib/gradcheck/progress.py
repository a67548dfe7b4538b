"""How far a check has come: a bar of its own accord once it has taken five seconds."""

from __future__ import annotations

import sys
import time
from typing import Any

PATIENCE = 5.0  # seconds


class Progress:
    """Counts probes, and shows how many there are: with tqdm if it is installed, else in lines.

    Parameters
    ----------
    show
        True for a bar from the start, False for none, None for one after `PATIENCE` seconds.

    Examples
    --------
    >>> progress = Progress(show=False)
    >>> progress.expect(2)
    >>> progress.advance()
    >>> progress.done, progress.expected
    (1, 2)
    """

    def __init__(self, show: bool | None) -> None:
        self.show = None if show is None else bool(show)
        self.done = self.expected = 0
        self.start = self.last = time.monotonic()
        self.bar: Any = None

    def expect(self, count: int) -> None:
        """So many probes more will be made."""
        self.expected += count

    def advance(self) -> None:
        """One more probe has been made."""
        self.done += 1
        now = time.monotonic()
        if self.show is False or (self.show is None and now - self.start < PATIENCE):
            return
        if self.bar is None:
            self.bar = _bar()
        if self.bar:
            self.bar.total = self.expected
            self.bar.update(self.done - self.bar.n)
        elif now - self.last >= PATIENCE or self.show:
            self.last = now
            seconds = f"{now - self.start:.0f} s"
            print(f"gradient check: {self.done} of {self.expected} probes, {seconds}", file=sys.stderr)

    def close(self) -> None:
        """The check is over."""
        if self.bar:
            self.bar.total = self.done
            self.bar.refresh()
            self.bar.close()


def _bar() -> Any:
    """A bar of tqdm, or False where it is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return False
    return tqdm(total=1, desc="gradient check", unit="probe")
