"""The rule, called: once for every block, with arrays.

This is what runs unless one asks for more. Nouns: *advance* and *update* are those of
`optimlib.optimizers.engine.contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np

from optimlib.optimizers.engine.arrays import squares
from optimlib.optimizers.engine.contract import (
    Advance,
    Maker,
    NotFiniteResultError,
    Update,
    step_and_state,
)


def called_update(advance: Advance, begin: Callable[[], object], *_: Any) -> Update:
    """The update that calls a rule, with arrays that it cannot write to.

    Parameters
    ----------
    advance
        The rule with its weight decay.
    begin
        What is called before something changes.
    *_
        What only a compiler has to know: the slots and the dtype.

    Examples
    --------
    >>> p, b = np.array([1.0]), np.array([4.0])
    >>> update = called_update(lambda p, g, b: (p, b, (0.5 * b + g,)), begin=lambda: print("now"))
    >>> update(p, np.array([2.0]), b)
    now
    >>> p, b
    (array([-3.]), array([4.]))
    """

    def update(p: np.ndarray, g: np.ndarray, *state: np.ndarray) -> None:
        start, step, new_state = advance(*map(read_only, (p, g, *state)))
        moved = np.subtract(start, step)
        check_finite_results([p], [moved])
        # What is a view of another state would change with it.
        fresh = [new if new.base is None else new.copy() for new in map(np.asarray, new_state)]
        begin()
        np.copyto(p, moved)
        for old, new in zip(state, fresh, strict=True):
            np.copyto(old, new)

    return update


def rehearse(advance: Advance, p: np.ndarray, g: np.ndarray, *state: np.ndarray) -> None:
    """Call a rule, change nothing and do not warn: only to see whether it makes something infinite.

    Raises
    ------
    NotFiniteResultError
        If a parameter or a number of the new state is NaN or infinite that was not before.
    """
    with np.errstate(all="ignore"):
        start, step, new_state = advance(*map(read_only, (p, g, *state)))
        check_finite_results([p, *state], [np.subtract(start, step), *new_state])


def quiet() -> dict[str, Any]:
    """What NumPy does about doubtful results of a rule, by their kinds: for `numpy.errstate`.

    A running mean that fades away is no error. A parameter that becomes NaN or infinite is refused and
    named, so no warning comes before that. What was asked to raise, as by ``np.seterr(all="raise")``,
    still does.

    >>> sorted(quiet().items())
    [('divide', 'ignore'), ('invalid', 'ignore'), ('over', 'ignore'), ('under', 'ignore')]
    """
    return {
        kind: "ignore" if kind == "under" or action in ("warn", "print") else action
        for kind, action in np.geterr().items()
    }


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of an array where a rule may look and not write."""
    view = array.view()
    view.setflags(write=False)
    return view


def check_returned(name: str, slots: Sequence[str], returned: Any, like: Sequence[np.ndarray]) -> None:
    """Refuse what a rule returned unless it is a step and new state, like the arrays it was given.

    Raises
    ------
    TypeError
        If something is no array, or of another dtype.
    ValueError
        If an array has another shape, or there are more or fewer of them than slots.
    """
    step, state = step_and_state(name, slots, returned)
    for result, new, old in zip(("the step", *slots), (step, *state), like, strict=True):
        is_array = isinstance(new, (np.ndarray, np.generic))  # which NumPy makes of arrays without axes
        if is_array and new.dtype == old.dtype and new.shape == old.shape:
            continue
        received = f"{new.dtype} of shape {new.shape}" if is_array else repr(new)[:200]
        raise (ValueError if is_array and new.dtype == old.dtype else TypeError)(
            f"{name}.rule returned {received} as {result};"
            f" expected an array of {old.dtype} of shape {old.shape}, like the one it was given"
        )


def check_finite_results(old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> None:
    """Refuse results with a number that is NaN or infinite and was not before.

    Raises
    ------
    NotFiniteResultError
        With the first such number.

    Examples
    --------
    >>> check_finite_results([np.array([1.0, np.inf])], [np.array([2.0, np.inf])])
    >>> check_finite_results([np.array([1.0, np.inf])], [np.array([np.nan, np.inf])])
    Traceback (most recent call last):
        ...
    optimlib.optimizers.engine.contract.NotFiniteResultError: (0, 0, nan)
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        doubtful = [number for number, array in enumerate(new) if not isfinite(squares(array))]
    for number in doubtful:
        lost = np.flatnonzero(~np.isfinite(new[number]) & np.isfinite(old[number]))
        if lost.size:
            raise NotFiniteResultError(number, int(lost[0]), float(new[number].flat[lost[0]]))


CALLED = Maker(called_update, check_returned, block_bytes=None)
"""Rules are called with arrays: what runs unless one asks for more."""
