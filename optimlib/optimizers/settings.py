"""The settings of an optimizer: checked whenever they are assigned, and answered with our names.

A *setting* is a number or a switch that steers a rule, such as ``beta1``. A class declares it once, with
what it may be, and assigns it in ``__init__``; from then on it may be assigned at any time, and holds
from the next step on.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from optimlib.arguments import hyperparameter
from optimlib.attributes import Known

OUR_NAMES = {
    "lr": "learning_rate",
    "eta": "learning_rate",
    "step_size": "learning_rate",
    "learning_rate_init": "learning_rate",
    "betas": "beta1 and beta2",
    "b1": "beta1",
    "b2": "beta2",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "alpha": "rho, or learning_rate",
    "decay": "rho, or a schedule as learning_rate",
    "gamma": "rho, or a schedule as learning_rate",
    "lr_decay": "a schedule as learning_rate",
    "scheduler": "a schedule as learning_rate",
    "epsilon": "eps",
    "wd": "weight_decay",
    "decay_rate": "weight_decay",
    "l2": "weight_decay",
    "weight_decay_mask": "mask",
    "mu": "momentum",
    "clipnorm": "clip_norm",
    "global_clipnorm": "clip_norm",
    "max_norm": "clip_norm",
    "max_grad_norm": "clip_norm",
    "clipvalue": "clip_value",
    "decoupled": "weight_decay=L2(...) or weight_decay=Decoupled(...)",
    "decoupled_weight_decay": "weight_decay=Decoupled(...)",
}
"""What other libraries call a setting, and what it is called here."""


class Setting:
    """A public attribute that is checked by ``check(name, value)`` whenever it is assigned."""

    def __init__(self, check: Callable[[str, Any], Any]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, optimizer: object, value: Any) -> None:
        vars(optimizer)[self.name] = self.check(self.name, value)


class FirstValue(Setting):
    """A setting that only counts when the optimizer is created, such as what a sum starts from."""

    def __set__(self, optimizer: object, value: Any) -> None:
        if "_made" in vars(optimizer):
            raise AttributeError(
                f"{self.name} counts only before the first step; expected it at creation"
            )
        super().__set__(optimizer, value)


def setting(check: Callable[..., Any] = hyperparameter, **limits: float) -> Any:
    """Declare a setting in the body of a class.

    Parameters
    ----------
    check
        A function of the name and the value that returns the value as it is to be kept: one of
        `optimlib.arguments`.
    **limits
        What else `check` is called with, such as ``below=1.0``.

    Examples
    --------
    >>> class Momentum(Settings):
    ...     beta: float = setting(below=1.0)
    ...     def __init__(self, beta):
    ...         self.beta = beta
    >>> running = Momentum(0.5)
    >>> running.beta = 1
    Traceback (most recent call last):
        ...
    ValueError: beta is 1; expected 0.0 <= beta < 1.0
    >>> running.momentum = 0.5
    Traceback (most recent call last):
        ...
    AttributeError: Momentum has no momentum; it has beta
    """
    return Setting(lambda name, value: check(name, value, **limits))


def first_value(check: Callable[..., Any] = hyperparameter, **limits: float) -> Any:
    """Declare a setting that only counts when an optimizer is created, such as what a sum starts from.

    >>> class Sum(Settings):
    ...     start: float = first_value()
    ...     def __init__(self, start):
    ...         self.start = start
    >>> running = Sum(0.5)
    >>> running.start = 1.0
    Traceback (most recent call last):
        ...
    AttributeError: start counts only before the first step; expected it at creation
    """
    return FirstValue(lambda name, value: check(name, value, **limits))


def optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """The check of a setting that may also be None."""
    return lambda name, value: None if value is None else check(name, value)


class Settings(Known):
    """An object with settings, whose attributes are known once it is created."""

    hints_for_keywords: ClassVar[dict[str, str]] = {}
    """What to do instead, by the name of a keyword that a class does not have."""

    def settings(self) -> dict[str, Any]:
        """All public attributes that are numbers, names or switches, by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if name[0] != "_" and isinstance(value, bool | int | float | str | None)
        }

    def _assignable(self) -> list[str]:
        """The names of what may be assigned: settings first."""
        return list(dict.fromkeys([*self.settings(), *super()._assignable()]))

    def _refuse_keywords(self, unknown: dict[str, Any]) -> None:
        """Refuse keywords that no class has taken, and say what is meant.

        Raises
        ------
        TypeError
            If there are any.
        """
        known = {
            name
            for owner in type(self).__mro__
            if "__init__" in vars(owner)
            for name, parameter in inspect.signature(vars(owner)["__init__"]).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD and name != "self"
        }
        for name in unknown:
            raise TypeError(self._unknown(name, sorted(known - {"params", "args", "kwargs"})))

    def _unknown(self, name: str, known: Iterable[str]) -> str:
        """What to say about a name that is none of the `known` ones."""
        if name in self.hints_for_keywords:
            return f"{type(self).__name__} has no {name}: {self.hints_for_keywords[name]}"
        from difflib import get_close_matches  # which only an error needs

        known = list(known)
        similar = get_close_matches(name, known, n=1)
        meanings = OUR_NAMES.get(name, similar[0] if similar else "").split(", or ")
        ours = ", or ".join(one for one in meanings if set(re.findall(r"\w+", one)) & set(known))
        if ours:
            return f"{type(self).__name__} has no {name}: here it is {ours}"
        return super()._unknown(name, known)
