"""How ``like`` reads the table of conventions: what is asked for, checked, and then created.

Nouns: a *row*, and what it holds fast or leaves open, are those of `optimlib.optimizers.conventions`.
"""

from __future__ import annotations

from typing import Any

from optimlib.arguments import flag, hyperparameter, whole_number
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.conventions import (
    CLIPPING,
    CONVENTIONS,
    LEFT_OUT,
    OPTIONS,
    REQUIRED,
    Convention,
)
from optimlib.optimizers.settings import OUR_NAMES
from optimlib.optimizers.weight_decay import L2, Decoupled, WeightDecay
from optimlib.schedules import Schedule, constant, inverse_time_decay, warmup
from optimlib.trees import Tree
from optimlib.trees.containers import shown

DECAY_WORDS = ("weight_decay", "mask", "decoupled", "rounding", "base_rate")
"""The words of a row that `decay` turns into one object."""

RATE_WORDS = ("lr_decay", "warmup_steps")
"""The words of a row that `rate` turns into a schedule."""


def find(library: str, optimizer: str) -> Convention:
    """The row of a library for a class of this name.

    Raises
    ------
    ValueError
        If the table has no such library, or the library no such optimizer.

    Examples
    --------
    >>> find("keras", "Adam").optimizer.__name__
    'AdamEpsHat'
    >>> find("torch", "Lion")
    Traceback (most recent call last):
        ...
    ValueError: torch has no Lion; expected one of paper, optax, keras
    """
    if not isinstance(library, str) or library not in CONVENTIONS:
        raise ValueError(f"library is {shown(library)}; expected one of {', '.join(CONVENTIONS)}")
    if optimizer in CONVENTIONS[library]:
        return CONVENTIONS[library][optimizer]
    if reason := LEFT_OUT.get(library, {}).get(optimizer):
        raise ValueError(f"{library}'s {optimizer} is not reproduced: {reason}")
    with_it = [name for name, rows in CONVENTIONS.items() if optimizer in rows]
    expected = f"one of {', '.join(with_it)}" if with_it else "the class itself: no library here has it"
    raise ValueError(f"{library} has no {optimizer}; expected {expected}")


def settings(
    library: str, optimizer: type[Optimizer], hyperparameters: dict[str, Any]
) -> dict[str, Any]:
    """All hyperparameters of a library's optimizer, as the table names them.

    Parameters
    ----------
    library
        A key of `CONVENTIONS`.
    optimizer
        A class of this package, whose name is looked up.
    hyperparameters
        What is to differ from the library's defaults, under this package's names.

    Raises
    ------
    TypeError
        If the library has no default for a hyperparameter and none was given.
    ValueError
        If there is no such row, or it has no such hyperparameter or does not leave it open, or
        `LEFT_OUT` has it.

    Examples
    --------
    >>> from optimlib import Adam
    >>> settings("sklearn", Adam, {"eps": 1e-6})
    {'learning_rate': 0.001, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-06}
    """
    name = optimizer.__name__
    row = find(library, name)
    for key, value in hyperparameters.items():
        if key not in row.defaults and key not in OPTIONS:
            reason = _why_not(library, optimizer, row, key)
            raise ValueError(f"{key} is {value!r}; expected nothing: {reason}")
    chosen = row.fixed | row.defaults
    if "clip_norm" in hyperparameters:
        chosen |= CLIPPING.get(library, {})
    chosen |= hyperparameters
    for key, value in chosen.items():
        if value is REQUIRED:
            raise TypeError(f"{key} is missing; {library}'s {name} has no default for it")
    return chosen


def _why_not(library: str, optimizer: type[Optimizer], row: Convention, key: str) -> str:
    """Why a hyperparameter cannot be given to `like`."""
    name = optimizer.__name__
    if key in row.fixed:
        return f"{library}'s {name} is {row.optimizer.__name__} with {key}={row.fixed[key]!r}"
    if reason := LEFT_OUT.get(library, {}).get(f"{name}.{key}"):
        return f"{library} has it, but it is not reproduced: {reason}"
    if hint := optimizer.hints_for_keywords.get(key):
        return f"{library}'s {name} has {', '.join(row.defaults)}; {hint}"
    if ours := OUR_NAMES.get(key):
        return f"here it is {ours}"
    return f"{library}'s {name} has {', '.join(row.defaults)}"


def like(
    library: str, optimizer: type[Optimizer], params: Tree, hyperparameters: dict[str, Any]
) -> Optimizer:
    """The optimizer that ``optimizer.like(library, params, **hyperparameters)`` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from optimlib import Adam
    >>> type(like("keras", Adam, np.ones(2), {})).__name__
    'AdamEpsHat'
    """
    chosen = settings(library, optimizer, hyperparameters)
    about_decay = {key: chosen.pop(key) for key in DECAY_WORDS if key in chosen}
    row = find(library, optimizer.__name__)
    if isinstance(about_decay.get("weight_decay"), WeightDecay):
        chosen |= {key: about_decay.pop(key) for key in ("weight_decay", "mask")}
        if "decoupled" in hyperparameters:
            raise ValueError(
                f"decoupled is {hyperparameters['decoupled']!r} beside"
                f" weight_decay={kind(chosen['weight_decay'])}; expected one of the two"
            )
        check_decay(f"{library}'s {optimizer.__name__}", row, chosen["weight_decay"], about_decay)
    elif "weight_decay" in about_decay:
        chosen["weight_decay"] = decay(about_decay.pop("weight_decay"), **about_decay)
    about_rate = {key: chosen.pop(key) for key in RATE_WORDS if key in chosen}
    chosen["learning_rate"] = rate(chosen["learning_rate"], **about_rate)
    return row.optimizer(params, **chosen)


def check_decay(name: str, row: Convention, given: WeightDecay, about: dict[str, Any]) -> None:
    """Refuse weight decay that is an object unless it does what the row does: the optimizer `name`.

    Parameters
    ----------
    name
        What an error calls the row.
    row
        The row, which may leave the kind open.
    given
        The weight decay.
    about
        The words of the row about weight decay, beside strength and mask.

    Raises
    ------
    ValueError
        If it is of another kind, is rounded elsewhere, or has another base rate.

    Examples
    --------
    >>> check_decay("torch's SGD", find("torch", "SGD"), Decoupled(0.1), {})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: weight_decay is Decoupled(...); torch's SGD has L2(...): expected that, or ...
    """
    if "decoupled" in row.defaults:  # the user's choice
        about = about | {"decoupled": isinstance(given, Decoupled)}
    ours, theirs = kind(given), kind(decay(0.0, **about))
    if ours != theirs:
        raise ValueError(
            f"weight_decay is {ours}; {name} has {theirs}: expected that, or the strength alone"
        )


def kind(decay: WeightDecay) -> str:
    """What a weight decay does, whatever its strength, as it is written.

    >>> kind(Decoupled(0.1, rounding="factor"))
    "Decoupled(..., base_rate=1.0, rounding='factor')"
    """
    words = [word for word in ("base_rate", "rounding") if hasattr(decay, word)]
    about = [f"{word}={getattr(decay, word)!r}" for word in words]
    return f"{type(decay).__name__}({', '.join(('...', *about))})"


def decay(strength: Any, mask: Any = None, decoupled: bool = False, **about: Any) -> L2 | Decoupled:
    """The weight decay that the words of a row describe.

    Parameters
    ----------
    strength, mask
        Those of `L2` and of `Decoupled`.
    decoupled
        Which of the two it is.
    **about
        The `rounding` and `base_rate` of decoupled decay.

    Examples
    --------
    >>> decay(0.1).strength, decay(0.1, decoupled=True, base_rate=0.5).base_rate
    (0.1, 0.5)
    """
    return Decoupled(strength, mask, **about) if flag("decoupled", decoupled) else L2(strength, mask)


def rate(
    learning_rate: float | Schedule, lr_decay: float = 0.0, warmup_steps: int = 0
) -> float | Schedule:
    """The schedule that the words of a row describe, if they describe one.

    Parameters
    ----------
    learning_rate
        The learning rate at its peak, or a schedule.
    lr_decay
        PyTorch's, from 0 on: the rate of `inverse_time_decay`.
    warmup_steps
        How many steps `schedulefree` takes to rise to the peak, from 0 on.

    Raises
    ------
    TypeError, ValueError
        If one of the words is negative or not a number, or stands beside a schedule.

    Examples
    --------
    >>> schedule = rate(1.0, lr_decay=0.5)
    >>> schedule(0), schedule(2)
    (1.0, 0.5)
    >>> schedule = rate(1.0, warmup_steps=4)
    >>> [schedule(done) for done in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    hyperparameter("lr_decay", lr_decay)
    whole_number("warmup_steps", warmup_steps)
    if not lr_decay and not warmup_steps:
        return learning_rate
    if callable(learning_rate):
        word = f"lr_decay is {lr_decay!r}" if lr_decay else f"warmup_steps is {warmup_steps!r}"
        raise ValueError(f"{word} beside a schedule as learning_rate; expected one of the two")
    if lr_decay:
        return inverse_time_decay(learning_rate, lr_decay)
    return warmup(constant(learning_rate), warmup_steps - 1, start=learning_rate / warmup_steps)
