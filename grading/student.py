"""A student's notebook as the judge sees it: cells to run and functions to call, which may die."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .inside.wire import WORDS, Peer, WireError, described
from .limits import Limits
from .sandbox import Sandbox

PATIENCE = 5  # a cell that waits may take so many times its limit
START = 60.0  # seconds for Python itself to start


class Stopped(BaseException):
    """The student's process ended, or was ended. No test can catch it by `except Exception`."""


class OutOfTime(Stopped):
    """The whole submission took too long."""


class Student:
    """Runs cells, and starts again without the offending cell when the process ends.

    Parameters
    ----------
    limits
        What a cell and the whole submission may use.
    trust
        Run without a sandbox.
    slot
        A number that no other submission has that runs at the same time.
    packages
        Folders of Python packages that may be imported, beside what is installed.
    """

    def __init__(
        self, limits: Limits, *, trust: bool = False, slot: int = 0, packages: tuple[Path, ...] = ()
    ):
        self.limits = limits
        self._start: Callable[[], Sandbox] = lambda: Sandbox(
            limits, trust=trust, slot=slot, packages=packages
        )
        self._sandbox: Sandbox | None = None
        self._peer: Outside | None = None
        self._history: list[str] = []
        self._deadline = float("inf")
        self._busy = 0.0
        self._end = time.monotonic() + limits.submission

    def run(self, source: str) -> list[str] | None:
        """Run a cell; what it raised, as type and words, or None."""
        outcome: Any = None
        with self.a_cell():
            peer = self._now()
            try:
                outcome = peer.ask({"do": "run", "source": source})
            except Exception as error:  # a player that runs cells in a way of its own
                outcome = described(error)
        self._history.append(source)
        if outcome is None:
            return None
        words = outcome if isinstance(outcome, list) and len(outcome) == 2 else ["Error", ""]
        return [word[:WORDS] if isinstance(word, str) else "" for word in words]

    def function(self, name: str) -> Callable:
        """A function that calls the student's of that name, whatever it is when it is called."""

        def answer(*args: Any, **kwargs: Any) -> Any:
            return self._now().call(name, args, kwargs)

        answer.__name__ = name
        return answer

    @contextmanager
    def a_cell(self):
        """Hold all calls within the block to the time of one cell.

        What counts is processor time, which does not depend on who else is at work on the computer. Only
        who does nothing for `PATIENCE` times as long is stopped by the clock.
        """
        self._now()
        self._busy = self._sandbox.busy()
        self._deadline = time.monotonic() + self.limits.cell
        try:
            yield
        finally:
            self._deadline = float("inf")

    def close(self) -> None:
        """End the student's process."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = self._peer = None

    def _now(self) -> "Outside":
        """The wire to the student's process, which is started where there is none."""
        if self._peer is None:
            self._begin()
        return self._peer

    def left(self) -> float:
        """The seconds that are left, of a cell or of all."""
        now = time.monotonic()
        return max(min(self._deadline - now, self._end - now, self.limits.cell), 0.01)

    def more(self) -> float:
        """The seconds that a cell may go on after its time by the clock is over; 0 for none."""
        now = time.monotonic()
        late = now - self._deadline
        used = self._sandbox.busy() - self._busy if self._sandbox is not None else float("inf")
        if late > (PATIENCE - 1) * self.limits.cell or used > 0.9 * self.limits.cell or now >= self._end:
            return 0.0
        return min(max(self.limits.cell - used, 0.1), self._end - now)

    def has_stopped(self, why: str) -> Stopped:
        """Clear up after a process that ended, and say what became of it."""
        self.close()
        if time.monotonic() >= self._end:
            return OutOfTime(f"took longer than {self.limits.submission:g} seconds in all")
        return Stopped(why)

    def _begin(self) -> None:
        """Start a process, and bring it to where the last one was."""
        if time.monotonic() >= self._end:
            raise OutOfTime(f"took longer than {self.limits.submission:g} seconds in all")
        self._sandbox = self._start()
        began, deadline, self._deadline = time.monotonic(), self._deadline, float("inf")
        self._peer = Outside(self, self._sandbox)
        self._peer.wait()
        for source in self._history:
            with self.a_cell(), suppress(Exception):
                self._peer.ask({"do": "run", "source": source})
        self._busy = self._sandbox.busy()
        self._deadline = deadline + time.monotonic() - began


class Outside(Peer):
    """The judge's end of the wire. An answer that takes too long ends the student's process."""

    def __init__(self, student: Student, sandbox: Sandbox):
        process = sandbox.process
        super().__init__(process.stdout, process.stdin, allow_attributes=False)
        self.student, self.sandbox = student, sandbox

    def ask(self, message: dict) -> Any:
        """Send a request and wait for its answer."""
        with self._limited():
            return super().ask(message)

    def wait(self) -> None:
        """Wait until the player is ready."""
        with self._limited(START):
            if self.receive() != {"ready": True}:
                raise WireError("the player did not start")

    @contextmanager
    def _limited(self, seconds: float | None = None):
        words = f"took longer than {self.student.limits.cell:g} seconds"
        over = threading.Event()

        def guard() -> None:
            left = self.student.left() if seconds is None else seconds
            while not over.wait(left):
                left = self.student.more() if seconds is None else 0.0
                if left <= 0.0:
                    self.sandbox.end(words)
                    return

        threading.Thread(target=guard, daemon=True).start()
        try:
            yield
        except WireError as error:
            why = self.sandbox.why or f"ended its process, or sent what is no answer ({error})"
            raise self.student.has_stopped(why) from None
        finally:
            over.set()
