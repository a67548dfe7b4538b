"""The labeled equations of the chapters, read from their text and evaluated from their LaTeX."""

import re
from collections.abc import Callable
from functools import reduce
from math import comb
from operator import add, mul
from typing import Any

import numpy as np
import sympy
from notebook_rules import ROOT
from sympy.core.function import AppliedUndef
from sympy.parsing.latex import parse_latex

BLOCK = re.compile(r"^```\{math\}\n:label: (?P<label>\S+)\n(?P<latex>.*?)^```$", re.M | re.S)
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\S")  # a command or one character
LAYOUT = re.compile(r"\\(begin|end)\{\w+\}|\\(qquad|quad|,|;|!|odot)|&")  # only a Matrix is not \odot


class Matrix(np.ndarray):
    """An array whose product with another is the matrix product: weights, or something transposed."""

    def __new__(cls, array: np.ndarray) -> "Matrix":
        return np.asarray(array).view(cls)

    def __mul__(self, other: np.ndarray) -> np.ndarray:
        return np.asarray(self) @ np.asarray(other)

    def __rmul__(self, other: np.ndarray) -> np.ndarray:
        return np.asarray(other) @ np.asarray(self)


class Series:
    """A symbol with an index that a sum runs over: `items[index]`."""

    def __init__(self, index: str, items: dict[int, Any]) -> None:
        self.index, self.items = index, items


def labeled_equations() -> dict[str, str]:
    """The LaTeX of every labeled equation in the chapters, by label."""
    texts = sorted((ROOT / "book" / "text").glob("*.md"))
    matches = [m for path in texts for m in BLOCK.finditer(path.read_text(encoding="utf8"))]
    return {match["label"]: match["latex"] for match in matches}


def evaluate(latex: str, values: dict[str, Any]) -> dict[str, Any]:
    """Work through a block of ``left = right`` lines with numbers for the symbols.

    Parameters
    ----------
    latex
        The block. Its lines may use the left sides of those before them.
    values
        A number, an array or a function for every symbol, by its LaTeX.

    Returns
    -------
    dict
        `values` and the left sides.
    """
    values = {squeeze(name): value for name, value in values.items()}
    for line in LAYOUT.sub(" ", latex).split(r"\\"):
        if line.strip():
            left, right = line.split("=", 1)
            values[squeeze(left)] = value_of(right.strip().rstrip(",."), values)
    return values


def value_of(latex: str, values: dict[str, Any]) -> Any:
    """The value of one right side."""
    names = sorted(values, key=lambda name: -len(TOKEN.findall(name)))
    codes = {name: f"z_{{{number}}}" for number, name in enumerate(names)}
    by_code = {codes[name]: values[name] for name in names}
    expression = parse_latex(encode(TOKEN.findall(latex), codes))
    return compute(expression, by_code)


def encode(tokens: list[str], codes: dict[str, str]) -> str:
    """The LaTeX with every known symbol, the longest first, in a form that SymPy cannot misread."""
    encoded = []
    while tokens:
        for name, code in codes.items():
            length = len(TOKEN.findall(name))
            if tokens[:length] == TOKEN.findall(name):
                encoded.append(code)
                del tokens[:length]
                break
        else:
            encoded.append(tokens.pop(0))
    return " ".join(encoded)


def compute(expression: sympy.Basic, values: dict[str, Any]) -> Any:
    """Evaluate a SymPy expression with NumPy."""
    if isinstance(expression, sympy.Symbol):
        value = values[expression.name]
        return value.items[values[value.index]] if isinstance(value, Series) else value
    if expression.is_Number:
        return int(expression) if expression.is_Integer else float(expression)
    if isinstance(expression, sympy.Sum):
        body, (index, first, last) = expression.args
        steps = range(int(compute(first, values)), int(compute(last, values)) + 1)
        return sum(compute(body, values | {index.name: step}) for step in steps)
    arguments = [compute(argument, values) for argument in expression.args]
    if isinstance(expression, AppliedUndef):
        name = expression.func.__name__
        if name in values and not callable(values[name]):  # u (a + b) is a product after all
            (argument,) = arguments
            return values[name] * argument
        return (values | {"max": max, "min": min})[name](*arguments)
    return OPERATIONS[expression.func](*arguments)


OPERATIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: lambda *terms: reduce(add, terms),
    sympy.Mul: lambda *factors: reduce(mul, factors),
    sympy.Pow: pow,
    sympy.Abs: np.abs,
    sympy.cos: np.cos,
    sympy.binomial: comb,
}


def squeeze(latex: str) -> str:
    """A symbol's LaTeX in one spelling."""
    return " ".join(TOKEN.findall(latex))
