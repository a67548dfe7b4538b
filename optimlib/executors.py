"""Work side by side: what an executor is, and how a list of independent work is given to one.

An *executor* runs functions somewhere else: in threads, in processes, on the workers of a cluster. The
standard library's `concurrent.futures` and Dask's ``client.get_executor(pure=False)`` have one
interface, of which ``map`` is used here. What comes back, and in which order, is what the built-in
``map`` would return.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import isqrt
from typing import Any, Protocol

OF_DASK = {
    "KilledWorker": "all workers of Dask that began to compute {name} died: does it need much memory?",
    "ClosedClientError": "the client of this executor is closed; expected one that is connected",
}
"""What some errors of Dask mean here."""


class Executor(Protocol):
    """What can map a function over a list, such as a `concurrent.futures.Executor`.

    A `multiprocessing.Pool` has no ``submit``, and its ``map`` hides where an error comes from.
    """

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """A future of what the function returns."""

    def map(self, function: Callable[..., Any], *lists: Iterable[Any]) -> Iterable[Any]:
        """What the function returns for the elements of the lists, in their order."""


def check_executor(executor: Any) -> None:
    """Refuse what cannot map a function over a list, such as a number of workers.

    Raises
    ------
    TypeError
        If it is no executor: a number, a class, a `multiprocessing.Pool`, a client of Dask (whose
        executor is meant).

    Examples
    --------
    >>> check_executor(4)
    Traceback (most recent call last):
        ...
    TypeError: executor is 4; expected an executor, such as concurrent.futures.ThreadPoolExecutor(4)
    """
    if executor is None:
        return
    written = " ".join(repr(executor).split())
    shown = written if len(written) <= 60 else f"of type {type(executor).__name__}"
    is_one = all(callable(getattr(executor, method, None)) for method in ("map", "submit"))
    if isinstance(executor, type) or not is_one:
        workers = executor if type(executor) is int and executor > 0 else 4
        raise TypeError(
            f"executor is {shown}; expected an executor, such as"
            f" concurrent.futures.ThreadPoolExecutor({workers})"
        )
    if callable(getattr(executor, "get_executor", None)):  # whose own map returns futures
        raise TypeError(f"executor is {shown}; expected an executor: its .get_executor(pure=False)")


def side_by_side(
    executor: Executor | None,
    function: Callable[[Any], Any],
    items: Sequence[Any],
    name: str = "loss",
    most: int | None = None,
) -> Iterator[Any]:
    """What a function returns for every item, in the order of the items; in turn without an executor.

    A message to another process costs time, and may hold all parameters. So several items travel
    together: about ``sqrt(n)/2`` of `n`, which leaves enough messages for many workers.

    Parameters
    ----------
    executor
        Where the work is done, or None.
    function, items
        The work. A pool of processes pickles both.
    name
        What the user calls the function in it, for errors.
    most
        How many items travel together at most.

    Raises
    ------
    TypeError
        If the work cannot be pickled.
    ValueError
        If the executor takes no work, because it was shut down or is broken.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as executor:
    ...     list(side_by_side(executor, abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    if executor is None:
        yield from map(function, items)
        return
    from concurrent.futures import BrokenExecutor  # which an executor has loaded, and optimlib need not

    together = max(1, isqrt(len(items)) // 2)
    together = together if most is None else min(together, most)
    parts = [items[first : first + together] for first in range(0, len(items), together)]
    work = partial(_each, function)
    try:
        for result in _started(executor, work, parts):
            yield from result
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        _explain_pickling(error, (work, parts[0]), name)
        raise
    except BrokenExecutor as error:
        error.add_note(
            f"a worker of the executor died while it computed {name}: it ran out of memory, was ended,"
            " raised an error that cannot be unpickled, or could not start (a script needs"
            f" if __name__ == '__main__': where processes are spawned), or {name} was defined after the"
            " pool had started"
        )
        raise
    except Exception as error:
        note = OF_DASK.get(type(error).__name__)
        if note and type(error).__module__.startswith("distributed"):
            error.add_note(note.format(name=name))
        raise


def _started(
    executor: Executor, work: Callable[[Any], Any], parts: list[Sequence[Any]]
) -> Iterable[list[Any]]:
    """The results to come, once the executor has taken the work."""
    from concurrent.futures import BrokenExecutor

    try:
        return executor.map(work, parts)
    except RuntimeError as error:  # of the executor; one that works at once may raise the function's
        if isinstance(error, BrokenExecutor) or "cannot schedule new futures" in str(error):
            raise ValueError(
                f"executor takes no work ({error}); expected one that is running"
            ) from error
        raise


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """What a worker does with one message."""
    return [function(item) for item in items]


def _explain_pickling(error: Exception, work: Any, name: str) -> None:
    """Raise an error that says what to do, if it was pickling that failed and not the function."""
    if "Could not serialize object of type" in str(error):  # Dask
        error.add_note(f"{name} cannot be sent to a worker of Dask: is a lock or an open file in it?")
        return
    try:
        pickle.dumps(work)
    except Exception as here:
        if type(here) is type(error) and str(here) == str(error):
            raise TypeError(
                f"{name} cannot be sent to another process ({error}); expected a function that a module"
                " defines, or an executor that sends others, too: of threads, or Dask's"
            ) from error
