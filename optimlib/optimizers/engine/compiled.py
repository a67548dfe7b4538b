"""The very same rule, compiled: all its lines for one element, then the next element.

NumPy runs a rule line by line, and every line goes through the whole block. A processor would rather
have it the other way round: so Numba compiles a rule's program (`optimlib.optimizers.engine.tracing`).

Needs Numba, which nothing else here does: ``pip install numba``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from optimlib.arguments import flag
from optimlib.optimizers.engine.blocks import LARGE_BYTES
from optimlib.optimizers.engine.contract import Advance, Maker, NotFiniteResultError, Update
from optimlib.optimizers.engine.tracing import Program, check_traced, trace
from optimlib.optimizers.settings import Setting


def compile_update(
    advance: Advance, begin: Callable[[], object], slots: Sequence[str], dtype: np.dtype
) -> Update:
    """The update that runs a rule compiled.

    Parameters
    ----------
    advance
        The rule with its weight decay.
    begin
        What is called before something changes.
    slots
        The names of the state arrays.
    dtype
        What all arrays are of.

    Raises
    ------
    TypeError, ValueError
        If the rule does what `optimlib.optimizers.engine.tracing` does not write down.
    """
    program, numbers = trace(advance, slots)
    kernel = compiled(program, dtype)
    # Beside an array, NumPy takes a Python number as one of the array's precision.
    with np.errstate(under="ignore"):
        rounded = np.array(numbers, dtype)

    def update(p: np.ndarray, g: np.ndarray, *state: np.ndarray) -> None:
        begin()
        if not kernel(p, g, *state, rounded):
            lost = np.flatnonzero(~np.isfinite(p))
            raise NotFiniteResultError(0, int(lost[0]), float(p[lost[0]]))

    return update


def source(program: Program) -> str:
    """A program as Python that goes from element to element, and says whether `p` stayed finite.

    >>> program, _ = trace(lambda p, g, u: (p, 0.1 * g, (np.maximum(u, g),)), ["u"])
    >>> print(source(program))
    def kernel(all_p, all_g, all_state_u, numbers):
        c0 = numbers[0]
        lost = False
        for i in range(all_p.size):
            p, g, state_u = all_p[i], all_g[i], all_state_u[i]
            x0 = np.multiply(c0, g)
            x1 = np.maximum(state_u, g)
            x2 = np.subtract(p, x0)
            all_p[i], all_state_u[i] = x2, x1
            lost |= not np.isfinite(x2)
        return not lost
    """
    body = [
        f"{', '.join(program.inputs)} = {_here(program.inputs)}",
        *(f"{line.result} = np.{line.function}({', '.join(line.arguments)})" for line in program.lines),
        f"{_here(program.changed)} = {', '.join(program.results)}",
        f"lost |= not np.isfinite({program.results[0]})",
    ]
    return "\n".join(
        [
            f"def kernel({', '.join(f'all_{name}' for name in program.inputs)}, numbers):",
            *(f"    {name} = numbers[{k}]" for k, name in enumerate(program.numbers)),
            "    lost = False",
            "    for i in range(all_p.size):",
            *(f"        {line}" for line in body),
            "    return not lost",
        ]
    )


def _here(names: Sequence[str]) -> str:
    """The present element of every one of these arrays."""
    return ", ".join(f"all_{name}[i]" for name in names)


def as_python(program: Program) -> Callable[..., Any]:
    """The function whose text `source` gives.

    >>> p, g = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> program, numbers = trace(lambda p, g: (p, 0.5 * g, ()), [])
    >>> as_python(program)(p, g, np.array(numbers))
    True
    >>> p
    array([-0.5,  0. ])
    """
    names: dict[str, Any] = {"np": np}
    exec(compile(source(program), "<a rule>", "exec"), names)
    return names["kernel"]


@lru_cache(maxsize=64)
def compiled(program: Program, dtype: np.dtype) -> Callable[..., Any]:
    """The function for arrays of a dtype, compiled without liberties that would change roundings.

    It is compiled here and now, and not when it is first called: then nothing has been changed.
    """
    numba = needs_numba()
    number = numba.from_dtype(dtype)
    changed, read = (numba.types.Array(number, 1, "C", readonly=only) for only in (False, True))
    states = [changed] * (len(program.changed) - 1)
    signature = numba.boolean(changed, read, *states, read)
    return numba.njit(signature, nogil=True, error_model="numpy")(as_python(program))


COMPILED = Maker(compile_update, check_traced, LARGE_BYTES)
"""Rules are compiled by Numba."""


class CompiledSetting(Setting):
    """The setting `compiled`: True only where Numba is there and the rule looks at single elements."""

    def __init__(self) -> None:
        super().__init__(flag)

    def __set__(self, optimizer: Any, value: bool) -> None:
        if flag(self.name, value):
            if optimizer.needs_whole_arrays:
                name = type(optimizer).__name__
                raise ValueError(f"compiled=True: {name} looks at whole arrays; expected False")
            needs_numba()
        super().__set__(optimizer, value)


def needs_numba() -> ModuleType:
    """Numba, if it is there.

    Raises
    ------
    ImportError
        If it is not.
    """
    try:
        return importlib.import_module("numba")
    except ImportError as error:
        raise ImportError("compiled=True needs Numba: pip install numba") from error
