r"""A product with a Jacobian as the gradient of one number, so that the gradient check can judge it.

Let f map a tree x to a tree y, and let J be its Jacobian at x. For fixed weights dy, the product
:math:`J^\top dy` is the gradient of the *inner product* :math:`\langle f(x), dy \rangle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import copysign, sqrt
from typing import Any

import numpy as np

from optimlib.differences import unit_roundoff
from optimlib.gradcheck.arguments import brief, check_point, fitted_gradient
from optimlib.gradcheck.lines import LossOf
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree, check_dtype, check_finite, copy_tree, flatten, map_tree
from optimlib.trees.containers import check_plain

LINEAR = 1e-3  # of a product's largest number: what is not linear departs by more from twice itself
Function = Callable[[Tree], Tree]
Product = Callable[[Tree, Tree], Tree]
Check = Callable[..., GradientReport]


def check_product(
    check: Check,
    f: Function,
    vjp: Product,
    x: Tree,
    names: Mapping[str, str],
    rng: np.random.Generator,
    options: Mapping[str, Any],
) -> GradientReport:
    """Check that ``vjp(x, dy)`` is the gradient of the inner product of ``f(x)`` with random dy.

    Parameters
    ----------
    check
        The gradient check, called with loss, gradient and x.
    f, vjp, x
        As for `optimlib.gradcheck.products.check_vjp`.
    names
        What reports and errors call what a gradient check calls ``theta``, ``grad(theta)``, ``grad``,
        and what the user calls ``f``, if it has another name.
    rng, options
        The source of dy, and options of the gradient check.
    """
    check_point(x, names.get("theta", "x"))
    name = names.get("f", "f")
    y = output(result(f, name, x=x), f"{name}(x)")
    dy = cotangent(y, rng)

    # What f(x) computes with may be less than what x is made of: a loss of float32 says so.
    coarse = is_coarser(y, x)

    def grad(x: Tree) -> Tree:
        dx = result(vjp, "vjp", x=x, dy=dy)
        dx = map_tree(_widened, dx) if coarse else dx
        with errors_reworded(names):
            fitted = iter(fitted_gradient(dx, x))
        return map_tree(lambda _: next(fitted), x)

    # Where f(x) is small or its products with dy cancel, the loss would look more exact than it is.
    # A constant as large as what a step of 1 changes makes the check expect roundings of that size.
    claimed = leaves_of(grad(x))
    constant = copysign(sqrt(inner(claimed, claimed)), inner(leaves_of(y), leaves_of(dy)))

    loss = LossOf(_loss, f, dy, constant)  # no closure: a pool of processes pickles it
    loss.written = name
    report = renamed(check(loss, grad, x, rng=rng, **options), names)
    if report.verdict == "fail":
        name, call = names["grad"], names.get("grad(theta)", "")
        report = with_linearity(report, lambda dy: vjp(copy_tree(x), dy), dy, name, "dy", call)
    return report


def _loss(f: Function, dy: Tree, constant: float, x: Tree) -> np.float32 | float:
    """The inner product of ``f(x)`` with `dy`, and a constant."""
    y = f(x)
    value = constant + inner(leaves_of(y), leaves_of(dy))
    return np.float32(value) if is_coarser(y, x) else value


def with_linearity(
    report: GradientReport, product: Function, seed: Tree, name: str, seed_name: str, call: str
) -> GradientReport:
    """A report with a note if a product is not linear in what it multiplies, as every product is.

    Parameters
    ----------
    product
        Takes a tree like `seed`.
    name, seed_name, call
        How the user writes the product, what it multiplies, and a call of it.
    """
    try:
        once = [np.array(leaf, np.float64) for leaf in leaves_of(product(seed))]
        doubled = product(map_tree(lambda d: 2 * d, seed))
        pairs = list(zip(once, leaves_of(doubled), strict=True))
        size = max(float(np.abs(leaf).max(initial=0)) for pair in pairs for leaf in pair)
        unused = all(np.array_equal(a, b) for a, b in pairs)
        linear = all(np.abs(b - 2 * a).max(initial=0) <= LINEAR * size for a, b in pairs)
    except Exception:  # no remark is worth an error
        return report
    if linear:
        return report
    if unused:
        note = f"{name} returns the same for twice the {seed_name}: does it use {seed_name}?"
    else:
        note = f"{name} is not linear in {seed_name}, as a product is."
        note += f" Are its arguments in the order of {call}?" if "(" in call else ""
    return replace(report, notes=(*report.notes, note))


def renamed(report: GradientReport, names: Mapping[str, str]) -> GradientReport:
    """A report that calls what it speaks of by other names."""
    return replace(
        report,
        probes=tuple(replace(probe, place=reworded(probe.place, names)) for probe in report.probes),
        problem=reworded(report.problem, names),
        hints=tuple(reworded(hint, names) for hint in report.hints),
        notes=tuple(reworded(note, names) for note in report.notes),
        untested=tuple(reworded(place, names) for place in report.untested),
    )


def reworded(text: str, names: Mapping[str, str]) -> str:
    """A text with words replaced, but not where they are keys of a tree.

    >>> reworded("theta['theta']: grad(theta) has no gradient", {"theta": "x", "grad": "vjp"})
    "x['theta']: vjp(x) has no gradient"
    """
    alternatives = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.sub(rf"(?<!\w)({alternatives})(?![\w'])", lambda word: names[word[0]], text)


@contextmanager
def errors_reworded(names: Mapping[str, str]) -> Iterator[None]:
    """Let the errors that are raised here speak of things by other names."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(reworded(str(error), names)) from None


def result(function: Callable[..., Tree], name: str, **arguments: Tree) -> Tree:
    """A copy of what a function returns for copies of its arguments, once it has left them as they were.

    It is a copy since a function may fill the same array in every call.
    """
    copies = [copy_tree(argument) for argument in arguments.values()]
    returned = map_tree(_copied, function(*copies))
    call = f"{name}({', '.join(arguments)})"
    for (argument_name, argument), copy in zip(arguments.items(), copies, strict=True):
        changed = first_change(argument, copy, argument_name)
        if changed:
            raise ValueError(f"{call} changed {changed}; expected a function that only reads it")
    return returned


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _widened(leaf: Any) -> Any:
    """A float32 result of what computes in float32, where x is float64."""
    return np.asarray(leaf, np.float64) if getattr(leaf, "dtype", None) == np.float32 else leaf


def first_change(before: Tree, after: Tree, name: str) -> str:
    """The place of the first leaf of a tree that differs from what it was, or "".

    >>> first_change({"a": np.ones(2)}, {"a": np.zeros(2)}, "x")
    "x['a']"
    """
    pairs, others = flatten(before), flatten(after)
    if [path for path, _ in pairs] != [path for path, _ in others]:
        return f"the structure of {name}"
    for (path, old), (_, new) in zip(pairs, others, strict=True):
        if not np.array_equal(old, new):
            return f"{name}{path}"
    return ""


def output(y: Tree, name: str) -> Tree:
    """The tree with arrays for leaves, once they are numbers that can be compared."""
    is_pair = isinstance(y, tuple) and len(y) == 2
    for path, leaf in flatten(y):
        check_plain(leaf, f"{name}{path}")
    y = map_tree(np.asarray, y)
    for path, leaf in flatten(y):
        try:
            check_dtype(leaf, f"{name}{path}")
        except TypeError as error:
            raise TypeError(
                f"{error}{' (a cache? check_layer takes pairs of output and cache)' if is_pair else ''}"
            ) from None
        check_finite(leaf, f"{name}{path}")
    if not any(leaf.size for leaf in leaves_of(y)):
        raise ValueError(f"{name} is {brief(y)}; expected at least one number in it")
    return y


def normal(x: Tree, rng: np.random.Generator) -> Tree:
    """A normal random number for every number in `x`."""
    return map_tree(lambda leaf: np.asarray(rng.standard_normal(leaf.shape), leaf.dtype), x)


def tangent(x: Tree, rng: np.random.Generator) -> Tree:
    """A random change of `x`: normal, times the size of what is beyond 1."""
    sizes = map_tree(lambda leaf: np.maximum(1, np.abs(leaf)), x)
    return map_tree(lambda size: np.asarray(size * rng.standard_normal(size.shape), size.dtype), sizes)


def along(f: Function, x: Tree, tangents: list[Tree], s: np.ndarray) -> Tree:
    """The value of f at x plus s times the tangents.

    >>> along(np.copy, np.zeros(2), [np.ones(2), np.array([0.0, 1.0])], np.array([0.5, 2.0]))
    array([0.5, 2.5])
    """
    moved = copy_tree(x)
    for distance, dx in zip(s, tangents, strict=True):
        if distance:
            for leaf, d in zip(leaves_of(moved), leaves_of(dx), strict=True):
                leaf += distance * d
    return f(moved)


def held_at(jvp: Product, x: Tree, dx: Tree) -> Tree:
    """A product at x, as a function of dx alone once the others are fixed."""
    return result(jvp, "jvp", x=x, dx=dx)


def cotangent(y: Tree, rng: np.random.Generator) -> Tree:
    """Random weights for the numbers in `y`: normal, over the size of what is beyond 1."""
    sizes = map_tree(lambda leaf: np.maximum(1, np.abs(leaf)), y)
    return map_tree(lambda size: np.asarray(rng.standard_normal(size.shape) / size, size.dtype), sizes)


def leaves_of(tree: Tree) -> list[Any]:
    """The leaves without their paths."""
    return [leaf for _, leaf in flatten(tree)]


def inner(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The sum of all products, in float64.

    >>> inner([np.array([1.0, 2.0])], [np.array([3.0, 4.0])])
    11.0
    """
    return float(sum((np.float64(p) * q).sum() for p, q in zip(a, b, strict=True)))


def is_coarser(y: Tree, x: Tree) -> bool:
    """Whether some output is rounded more than the input: float32 inside, float64 outside."""
    return max(map(unit_roundoff, leaves_of(y))) > max(map(unit_roundoff, leaves_of(x)))
