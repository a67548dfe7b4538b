"""The very same rule, compiled: all its lines for one element, then the next element (chapter 16).

NumPy runs a rule line by line, and every line goes through the whole block. A processor would rather
have it the other way round: so Numba compiles a rule's program (`optimlib.optimizers.engine.tracing`).

Needs Numba, which nothing else here does: ``pip install numba``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType

import numpy as np

from optimlib.optimizers.engine.tracing import Program, as_function


def prepare(program: Program, numbers: Sequence[float], dtype: np.dtype) -> Callable[..., None]:
    """What takes this step with a block: a function of `p`, `g` and the state, which it changes."""
    kernel = compiled(program)
    # Beside an array, NumPy takes a Python number as one of the array's precision.
    rounded = np.array(numbers, dtype)
    return lambda *arrays: kernel(*arrays, rounded)


def source(program: Program) -> str:
    """A program as Python that goes from element to element.

    >>> from optimlib.optimizers.engine.tracing import trace
    >>> program, numbers = trace(lambda p, g, state: (p, 0.1 * g, (np.maximum(state[0], g),)), ["u"])
    >>> print(source(program))
    def kernel(all_p, all_g, all_state_u, numbers):
        c0 = numbers[0]
        for i in range(all_p.size):
            p, g, state_u = all_p[i], all_g[i], all_state_u[i]
            x0 = np.multiply(c0, g)
            x1 = np.maximum(state_u, g)
            x2 = np.subtract(p, x0)
            all_p[i], all_state_u[i] = x2, x1
    """
    body = [
        f"{', '.join(program.inputs)} = {_here(program.inputs)}",
        *(f"{line.result} = np.{line.function}({', '.join(line.arguments)})" for line in program.lines),
        f"{_here(program.changed)} = {', '.join(program.results)}",
    ]
    return "\n".join(
        [
            f"def kernel({', '.join(f'all_{name}' for name in program.inputs)}, numbers):",
            *(f"    {name} = numbers[{k}]" for k, name in enumerate(program.numbers)),
            "    for i in range(all_p.size):",
            *(f"        {line}" for line in body),
        ]
    )


def _here(names: Sequence[str]) -> str:
    """The present element of every one of these arrays."""
    return ", ".join(f"all_{name}[i]" for name in names)


def as_python(program: Program) -> Callable[..., None]:
    """The function whose text `source` gives.

    >>> from optimlib.optimizers.engine.tracing import trace
    >>> p, g = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> program, numbers = trace(lambda p, g, state: (p, 0.5 * g, ()), [])
    >>> as_python(program)(p, g, np.array(numbers))
    >>> p
    array([-0.5,  0. ])
    """
    return as_function(source(program))


@lru_cache(maxsize=64)
def compiled(program: Program) -> Callable[..., None]:
    """The same, compiled without the liberties that would change roundings."""
    return needs_numba().njit(nogil=True, error_model="numpy")(as_python(program))


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
