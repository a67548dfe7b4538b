"""The very same rule, compiled: all its lines for one element, then the next element (chapter 16).

NumPy runs a rule line by line, and every line goes through the whole block. A processor would rather
have it the other way round. So the rule is called once with arrays that hold no numbers and write down
what is done to them; that is a program, and Numba compiles it. Rounding is the same, so are all bits.

Needs Numba, which nothing else here does: ``pip install optimlib[numba]``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Rule = Callable[..., tuple[Any, tuple[Any, ...]]]


class Program(NamedTuple):
    r"""What a rule does to one element.

    `source` defines ``kernel(p, g, *state, constants)``, which subtracts the step from `p` and
    replaces the state, all in place. The constants are numbers such as :math:`1 - \beta_1^t`, which
    change with every step while the source stays what it is.
    """

    source: str
    constants: tuple[float, ...]

    def run(self, p: np.ndarray, *arrays: np.ndarray) -> None:
        """Run the compiled program on a block: parameters, gradient, state."""
        # Beside an array, NumPy takes a Python number as one of the array's precision.
        compiled(self.source)(p, *arrays, np.array(self.constants, p.dtype))


class Traced(NDArrayOperatorsMixin):
    """Stands for an element of an array, and writes down what is done to it."""

    def __init__(self, name: str, lines: list[str], constants: list[float]) -> None:
        self.name, self.lines, self.constants = name, lines, constants

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        """Write down a line of the program, and stand for its result."""
        if ufunc is np.power and inputs[1] == 2:  # as NumPy's arrays do
            ufunc, inputs = np.square, inputs[:1]
        if method != "__call__" or options or ufunc.nout != 1:
            raise TypeError(f"a rule calls {ufunc.__name__} in a way that cannot be compiled")
        names = ", ".join(self._name(value) for value in inputs)
        result = f"x{len(self.lines)}"
        self.lines.append(f"{result} = np.{ufunc.__name__}({names})")
        return Traced(result, self.lines, self.constants)

    def _name(self, value: Any) -> str:
        if isinstance(value, Traced):
            return value.name
        if type(value) not in (int, float):
            raise TypeError(f"a rule to be compiled uses {value!r}; expected numbers of Python")
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def __bool__(self) -> bool:
        raise TypeError("a rule to be compiled asks for the value of an element; expected it not to")


def trace(rule: Rule, slots: Sequence[str]) -> Program:
    """The program of a rule, which is called once.

    Parameters
    ----------
    rule
        A function of an array of parameters, one of the gradient and a tuple of state arrays, which
        returns the step and the new state.
    slots
        The names of the state arrays.

    Raises
    ------
    TypeError
        If it does more than call NumPy's elementwise functions of one result.

    Examples
    --------
    >>> program = trace(lambda p, g, state: (0.1 * g, (np.maximum(state[0], g),)), ["u"])
    >>> print(program.source)
    def kernel(p, g, u, constants):
        c0 = constants[0]
        for i in range(p.size):
            p_, g_, u_ = p[i], g[i], u[i]
            x0 = np.multiply(c0, g_)
            x1 = np.maximum(u_, g_)
            u[i] = x1
            p[i] -= x0
    >>> program.constants
    (0.1,)
    """
    lines: list[str] = []
    constants: list[float] = []
    names = ["p", "g", *slots]
    p, g, *state = (Traced(f"{name}_", lines, constants) for name in names)
    step, state = rule(p, g, tuple(state))
    lines += [f"{slot}[i] = {new.name}" for slot, new in zip(slots, state, strict=True)]
    elements = f"{', '.join(f'{name}_' for name in names)} = {', '.join(f'{name}[i]' for name in names)}"
    source = "\n".join(
        [
            f"def kernel({', '.join(names)}, constants):",
            *(f"    c{k} = constants[{k}]" for k in range(len(constants))),
            "    for i in range(p.size):",
            *(f"        {line}" for line in (elements, *lines, f"p[i] -= {step.name}")),
        ]
    )
    return Program(source, tuple(constants))


def kernel(source: str) -> Callable[..., None]:
    """The kernel of a program, as Python.

    >>> p, g = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> program = trace(lambda p, g, state: (0.5 * g, ()), [])
    >>> kernel(program.source)(p, g, program.constants)
    >>> p
    array([-0.5,  0. ])
    """
    names: dict[str, Any] = {"np": np}
    exec(source, names)
    return names["kernel"]


@lru_cache(maxsize=64)
def compiled(source: str) -> Callable[..., None]:
    """The kernel of a program, compiled without the liberties that would change roundings."""
    return needs_numba().njit(nogil=True, error_model="numpy")(kernel(source))


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
        raise ImportError("compiled=True needs Numba: pip install optimlib[numba]") from error
