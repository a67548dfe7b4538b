r"""A rule written down: its lines as a program for one element, which can be compiled.

A rule says what happens to whole arrays. Here it is called once with objects that stand for arrays, hold
no numbers, and write down what is done to them. It may use what is rounded the same way everywhere, so
all bits stay the same: sums, products, quotients, roots, ``g**2``, signs, maxima and comparisons.
Exponentials and logarithms are refused: two libraries differ in their last bit. (Where the result is
zero, they may differ in its sign for signs and maxima.)

The numbers that a rule uses, such as :math:`1 - \beta_1^t`, change with every step, and are written down
beside the program. So a rule is traced in every step and compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from optimlib.optimizers.engine.contract import Advance, step_and_state

OF_BITS = {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}
COMPARISONS = OF_BITS | {
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal),
    *(np.isfinite, np.isnan, np.isinf, np.logical_and, np.logical_or),
}
"""The functions among `EXACT` whose results are true or false."""

EXACT = COMPARISONS | {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal),
    *(np.square, np.sqrt, np.absolute, np.sign, np.copysign, np.maximum, np.minimum),
    *(np.floor, np.ceil, np.trunc, np.rint),
}
"""The functions with one right result, which every library gives, but for the sign of a zero."""

POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}
"""What NumPy's arrays call for these exponents behind ``**``."""

EXPECTED = "expected only sums, products, quotients, roots, squares, signs, maxima and comparisons"


class Line(NamedTuple):
    """A line of a program: ``result = np.function(*arguments)``."""

    result: str
    function: str
    arguments: tuple[str, ...]

    @property
    def is_comparison(self) -> bool:
        """Whether the result is true or false."""
        return getattr(np, self.function) in COMPARISONS


class Program(NamedTuple):
    r"""What a rule does to an element of the parameters `p` and of the gradient `g`.

    `changed` are the names of the parameters and of the state arrays, ``p``, ``state_m`` and so on, and
    `results` those of the values that are to replace them. ``c0``, ``c1`` and so on are numbers such as
    :math:`1 - \beta_1^t`: they change with every step while the program stays what it is.
    """

    changed: tuple[str, ...]
    lines: tuple[Line, ...]
    results: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all arrays that are read: ``p``, ``g`` and the state."""
        return ("p", "g", *self.changed[1:])

    @property
    def numbers(self) -> list[str]:
        """The names ``c0``, ``c1`` and so on."""
        return [name for line in self.lines for name in line.arguments if name.startswith("c")]


class Record:
    """What a rule does in one call: the lines of a program and their numbers."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.numbers: list[float] = []


class Traced(NDArrayOperatorsMixin):
    """Stands for an array, and writes down what is done to it."""

    def __init__(self, name: str, record: Record, is_comparison: bool = False) -> None:
        self.name, self.record, self.is_comparison = name, record, is_comparison

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        """Write down a line of the program, and stand for its result."""
        if method != "__call__" or options or ufunc not in EXACT:
            call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            how = f"{call} with {', '.join(options)}" if options else call
            raise TypeError(f"a rule calls {how}; {EXPECTED}")
        lines = self.record.lines
        line = Line(f"x{len(lines)}", ufunc.__name__, tuple(map(self._name, inputs)))
        lines.append(line)
        return Traced(line.result, self.record, ufunc in COMPARISONS)

    def _name(self, value: Any) -> str:
        if isinstance(value, Traced):
            if value.record is not self.record:
                raise TypeError(f"a rule uses {value!r} of another call; expected its arguments")
            return value.name
        if type(value) not in (int, float):
            raise TypeError(f"a rule uses {value!r}; expected numbers of Python")
        numbers = self.record.numbers
        numbers.append(value)
        return f"c{len(numbers) - 1}"

    def __pow__(self, exponent: Any) -> Traced:
        if type(exponent) not in (int, float) or exponent not in POWERS:
            raise TypeError(f"a rule has {exponent!r} as exponent; expected 2, 0.5 or -1")
        return POWERS[exponent](self)

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> None:
        raise TypeError(f"a rule calls {function.__name__}; {EXPECTED}")

    def __array__(self, *_: Any, **__: Any) -> None:
        raise TypeError(f"a rule makes an array of {self!r}; {EXPECTED}")

    def __getattr__(self, name: str) -> None:
        raise AttributeError(f"a rule asks an array for {name}; {EXPECTED}")

    def __repr__(self) -> str:
        return f"an element of {self.name}"

    def __bool__(self) -> bool:
        raise TypeError("a rule asks for the value of an element; expected it not to")


def trace(advance: Advance, slots: Sequence[str]) -> tuple[Program, tuple[float, ...]]:
    """The program of a rule with its weight decay, which is called once, and the numbers of this call.

    Parameters
    ----------
    advance
        A function of arrays of parameters, of the gradient and of each state, which returns where to
        start (from the parameters), the step to subtract there, and a tuple of the new state.
    slots
        The names of the state arrays.

    Raises
    ------
    TypeError
        If it calls anything but the functions of `EXACT`, or returns what it did not get from them.

    Examples
    --------
    >>> program, numbers = trace(lambda p, g, u: (p, 0.1 * g, (np.maximum(u, g),)), ["u"])
    >>> for line in program.lines:
    ...     print(line)
    Line(result='x0', function='multiply', arguments=('c0', 'g'))
    Line(result='x1', function='maximum', arguments=('state_u', 'g'))
    Line(result='x2', function='subtract', arguments=('p', 'x0'))
    >>> program.changed, program.results, numbers
    (('p', 'state_u'), ('x2', 'x1'), (0.1,))
    """
    record = Record()
    changed = ("p", *(f"state_{slot}" for slot in slots))
    p, *old = (Traced(name, record) for name in changed)
    start, step, state = advance(p, Traced("g", record), *old)
    for result in (start, step, *state):
        check_number("a rule", result, record)
    check_comparisons(record.lines)
    results = tuple(result.name for result in (start - step, *state))
    return Program(changed, tuple(record.lines), results), tuple(record.numbers)


def check_traced(name: str, slots: Sequence[str], returned: Any, like: Sequence[Traced]) -> None:
    """Refuse what a rule returned unless it is a step and new state that were written down.

    Raises
    ------
    TypeError
        If something is not what this call computed, or is true or false.
    ValueError
        If there are more or fewer states than slots.
    """
    step, state = step_and_state(name, slots, returned)
    for result in (step, *state):
        check_number(f"{name}.rule", result, like[0].record)


def check_number(rule: str, result: Any, record: Record) -> None:
    """Refuse a result of the function `rule` unless it stands for numbers of this record."""
    if not isinstance(result, Traced) or result.record is not record or result.is_comparison:
        raise TypeError(f"{rule} returned {repr(result)[:200]}; expected numbers that it computed")


def check_comparisons(lines: Sequence[Line]) -> None:
    """Refuse to compute with true and false where NumPy's result would be of another kind.

    Beside them alone, a number of Python is one of float64 or a whole one, whatever the parameters are.

    >>> check_comparisons([Line("x0", "greater", ("g", "c0")), Line("x1", "multiply", ("x0", "c1"))])
    Traceback (most recent call last):
        ...
    TypeError: a rule calls multiply with comparisons only; expected an array of numbers
    """
    comparisons = {line.result for line in lines if line.is_comparison}
    for line in lines:
        arrays = {name for name in line.arguments if not name.startswith("c")}
        only_comparisons = arrays <= comparisons
        if only_comparisons and (not line.is_comparison or len(arrays) < len(set(line.arguments))):
            raise TypeError(
                f"a rule calls {line.function} with comparisons only; expected an array of numbers"
            )
        if getattr(np, line.function) in OF_BITS and not only_comparisons:
            raise TypeError(f"a rule calls {line.function} with numbers; expected comparisons")
