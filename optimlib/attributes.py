"""Objects whose attributes are known once they are made: a misspelt one is refused and not kept."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any


class _Creation(type):
    """Marks what a class has made, once its ``__init__`` is through: from then on names are known."""

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        made = super().__call__(*arguments, **keywords)
        made._check_made()
        vars(made)["_made"] = True
        return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of ``__init__``, which help() would look for in vain behind ``__call__``."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())  # type: ignore[misc]
        return inspect.Signature(parameters[1:])


class Known(metaclass=_Creation):
    """An object to which nothing can be assigned by mistake, once it is made.

    Examples
    --------
    >>> class Counter(Known):
    ...     def __init__(self):
    ...         self.step = 1
    >>> counter = Counter()
    >>> counter.stpe = 2
    Traceback (most recent call last):
        ...
    AttributeError: Counter has no stpe; it has step
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] != "_" and "_made" in vars(self) and name not in vars(self):
            declared = getattr(type(self), name, None)
            if declared is None:
                raise AttributeError(self._unknown(name, self._assignable()))
            if not hasattr(declared, "__set__") or getattr(declared, "fset", self) is None:
                raise AttributeError(f"{name} of {type(self).__name__} can only be read")
        super().__setattr__(name, value)

    def _check_made(self) -> None:
        """Refuse what ``__init__`` has left half made; a class says what that is."""

    def _assignable(self) -> list[str]:
        """The names of what may be assigned."""
        properties = [
            name
            for name in dir(type(self))
            if getattr(getattr(type(self), name), "fset", None) is not None
        ]
        return [*(name for name in vars(self) if name[0] != "_"), *properties]

    def _unknown(self, name: str, known: Iterable[str]) -> str:
        """What to say about a name that is none of the `known` ones."""
        return f"{type(self).__name__} has no {name}; it has {', '.join(known) or 'none to assign'}"
