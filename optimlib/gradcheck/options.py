"""The options of a check, and what answers those that only other packages have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from math import inf
from typing import Any, TypeVar

import numpy as np

from optimlib.executors import Executor, check_executor
from optimlib.gradcheck.arguments import (
    check_accuracy,
    check_progress,
    check_whole,
    generator,
)
from optimlib.gradcheck.bounds import Frozen, Limits

Check = TypeVar("Check", bound=Callable[..., Any])

ANSWERS = {
    "the tolerance is estimated anew for every probe; accuracy= says how exact the loss is": (
        "tol",
        "atol",
        "rtol",
        "tolerance",
        "threshold",
    ),
    "the step is chosen anew for every probe": (
        "eps",
        "epsilon",
        "h",
        "dx",
        "delta",
        "step",
        "step_size",
        "rel_step",
        "method",
        "order",
    ),
    "use rng=np.random.default_rng(seed)": ("seed", "random_state", "generator"),
    "use executor=, such as concurrent.futures.ThreadPoolExecutor(4)": (
        "workers",
        "n_jobs",
        "num_workers",
        "threads",
        "parallel",
    ),
    "use coordinates= and directions=": ("num_checks", "n_probes", "probes", "samples", "n_samples"),
    "use bounds=(low, high)": ("bound", "limits", "lower", "upper", "low", "high"),
    "use frozen=": ("freeze", "fixed", "mask", "ignore", "exclude", "skip", "trainable"),
    "print the report; progress=True shows how far a check is": ("verbose", "disp", "show", "silent"),
    "fix other arguments by a lambda, as in lambda theta: loss(theta, X, y)": ("args", "kwargs"),
    "it computes with the dtype of theta": ("dtype",),
    "use assert_gradient to raise an error": ("raise_exception", "raise_error"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a gradient is to be checked: what `optimlib.check_gradient` says of each option holds here.

    Raises
    ------
    TypeError, ValueError
        If an option cannot be meant. Bounds and frozen leaves are looked at together with theta
        (`optimlib.gradcheck.bounds`).

    Examples
    --------
    >>> Options(coordinates=-1)
    Traceback (most recent call last):
        ...
    ValueError: coordinates is -1; expected a whole number from 0 on
    """

    coordinates: int | None = None
    directions: int | None = None
    bounds: Limits = (-inf, inf)
    rng: np.random.Generator | None = None
    executor: Executor | None = None
    progress: bool | None = None
    accuracy: float | None = None
    frozen: Frozen = None

    def __post_init__(self) -> None:
        check_executor(self.executor)
        for name in ("coordinates", "directions"):
            if getattr(self, name) is not None:
                check_whole(getattr(self, name), name, least=0)
        generator(self.rng)
        if self.accuracy is not None:
            check_accuracy(self.accuracy)
        check_progress(self.progress)

    @classmethod
    def named(cls, options: Mapping[str, Any]) -> Options:
        """The options with these names; an unknown name is answered."""
        names = [field.name for field in fields(cls)]
        refuse_unknown(options, names, names)
        return cls(**options)


def explaining_options(function: Check) -> Check:
    """Let a function answer an unknown keyword with what it has in its place.

    Examples
    --------
    >>> @explaining_options
    ... def check(loss, *, directions=6): return directions
    >>> check(None, directons=3)
    Traceback (most recent call last):
        ...
    TypeError: directons=3 is not an option here: did you mean directions=?
    """
    parameters = signature(function).parameters.values()
    options = [p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY]
    known = {p.name for p in parameters}

    @wraps(function)
    def explained(*args: Any, **kwargs: Any) -> Any:
        refuse_unknown(kwargs, known, options)
        return function(*args, **kwargs)

    return explained  # type: ignore[return-value]


def refuse_unknown(given: Mapping[str, Any], known: Collection[str], options: list[str]) -> None:
    """Answer the first keyword that is not known with what the options have in its place."""
    for name, value in given.items():
        if name not in known:
            written = repr(value)
            shown = f"{name}={written}" if len(written) <= 20 else f"{name}="
            raise TypeError(f"{shown} is not an option here: {_answer(name, options)}")


def _answer(name: str, options: list[str]) -> str:
    """What there is in place of an option."""
    for answer, names in ANSWERS.items():
        if name.lower() in names:
            return answer
    close = get_close_matches(name, options, n=1)
    if close:
        return f"did you mean {close[0]}=?"
    return f"expected {', '.join(options)}"
