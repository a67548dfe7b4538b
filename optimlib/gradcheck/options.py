"""Options that other packages have, and what this one has in their place."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar

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
        for name, value in kwargs.items():
            if name not in known:
                given = repr(value)
                shown = f"{name}={given}" if len(given) <= 20 else f"{name}="
                raise TypeError(f"{shown} is not an option here: {_answer(name, options)}")
        return function(*args, **kwargs)

    return explained  # type: ignore[return-value]


def _answer(name: str, options: list[str]) -> str:
    """What there is in place of an option."""
    for answer, names in ANSWERS.items():
        if name.lower() in names:
            return answer
    close = get_close_matches(name, options, n=1)
    if close:
        return f"did you mean {close[0]}=?"
    return f"expected {', '.join(options)}"
