"""The very same rule, compiled: all its lines for one element, then the next element (chapter 16).

NumPy runs a rule line by line, and every line goes through the whole block. A processor would rather
have it the other way round. So the rule is called once with arrays that hold no numbers and write down
what is done to them; that is a program, and Numba compiles it. A rule may use what is rounded the same
way everywhere, so all bits are the same: sums, products, quotients, roots, ``g**2``, signs, maxima and
comparisons. Exponentials and logarithms are refused: those of NumPy and Numba differ in the last bit.

Needs Numba, which nothing else here does: ``pip install numba``.
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


EXACT = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal),
    *(np.square, np.sqrt, np.absolute, np.sign, np.copysign, np.maximum, np.minimum, np.fmax, np.fmin),
    *(np.floor, np.ceil, np.trunc, np.rint, np.isfinite, np.isnan, np.isinf),
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.logical_and, np.logical_or),
}
"""The functions with one right result, which NumPy and Numba both give."""

POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}
"""What NumPy's arrays call for these exponents behind ``**``."""

EXPECTED = "expected only sums, products, quotients, roots, squares, signs, maxima and comparisons"


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
        if method != "__call__" or options or ufunc not in EXACT:
            call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            how = f"{call} with {', '.join(options)}" if options else call
            raise TypeError(f"a rule to be compiled calls {how}; {EXPECTED}")
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

    def __pow__(self, exponent: Any) -> Traced:
        if type(exponent) not in (int, float) or exponent not in POWERS:
            raise TypeError(f"a rule to be compiled has {exponent!r} as exponent; expected 2, 0.5 or -1")
        return POWERS[exponent](self)

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> None:
        raise TypeError(f"a rule to be compiled calls {function.__name__}; {EXPECTED}")

    def __array__(self, *_: Any, **__: Any) -> None:
        raise TypeError(f"a rule to be compiled makes an array of {self!r}; {EXPECTED}")

    def __repr__(self) -> str:
        return f"an element of {self.name}"

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
        If it calls anything but the functions of `EXACT`, or returns what it did not get from them.
    ValueError
        If it does not return as many state arrays as there are slots.

    Examples
    --------
    >>> program = trace(lambda p, g, state: (0.1 * g, (np.maximum(state[0], g),)), ["u"])
    >>> print(program.source)
    def kernel(p, g, state_u, constants):
        c0 = constants[0]
        for i in range(p.size):
            p_, g_, state_u_ = p[i], g[i], state_u[i]
            x0 = np.multiply(c0, g_)
            x1 = np.maximum(state_u_, g_)
            state_u[i] = x1
            p[i] -= x0
    >>> program.constants
    (0.1,)
    """
    lines: list[str] = []
    constants: list[float] = []
    names = ["p", "g", *(f"state_{slot}" for slot in slots)]
    p, g, *state = (Traced(f"{name}_", lines, constants) for name in names)
    step, state = rule(p, g, tuple(state))
    if not isinstance(state, tuple | list) or len(state) != len(slots):
        raise ValueError(f"a rule returned {state!r} as the new state; expected {len(slots)} arrays")
    for result in (step, *state):
        if not isinstance(result, Traced):
            raise TypeError(f"a rule to be compiled returned {result!r}; expected what it computed")
    lines += [f"{name}[i] = {new.name}" for name, new in zip(names[2:], state, strict=True)]
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
        raise ImportError("compiled=True needs Numba: pip install numba") from error
