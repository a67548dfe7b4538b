r"""Checking products with Jacobians and Hessians, which are gradients in disguise (chapter 3).

Let f map a tree x to a tree y, and let J be its Jacobian at x. Reverse mode, a backward pass, computes
:math:`J^\top dy`, a *vector-Jacobian product*. Forward mode computes :math:`J\,dx`, a *Jacobian-vector
product*. One idea checks everything here: for fixed random dy, :math:`J^\top dy` is the gradient of one
number, :math:`\langle f(x), dy \rangle`, and `check_gradient` checks gradients.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from numbers import Integral
from typing import Any

import numpy as np

from optimlib.gradcheck.check import check_gradient
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import (
    Tree,
    check_dtype,
    check_finite,
    check_parameters,
    copy_tree,
    flatten,
    map_tree,
    match,
)

Function = Callable[[Tree], Tree]
Product = Callable[[Tree, Tree], Tree]


def check_vjp(
    f: Function, vjp: Product, x: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Compare a vector-Jacobian product with differences of the function.

    .. math::

        \mathtt{vjp}(x, dy) = J^\top dy = \nabla_x \langle f(x), dy \rangle

    Parameters
    ----------
    f
        Takes a tree like `x` and returns an array or a tree of arrays, float32 or float64.
    vjp
        Takes a tree like `x` and a tree `dy` like ``f(x)``; returns a tree like `x`.
    x
        The point: float32 or float64 arrays in nested dicts, lists and tuples. It is never changed;
        the functions get copies.
    rng
        Draws `dy` and chooses what is probed; ``np.random.default_rng(0)`` unless given.
    **options
        As for `check_gradient`.

    Returns
    -------
    GradientReport
        As from `check_gradient`; the loss it speaks of is :math:`\langle f(x), dy \rangle` and a
        constant. The numbers in `dy` are normal, each over the size of its output if that is above 1, so
        that no large output drowns the others. An error in a single element of J shows with near
        certainty.

    Raises
    ------
    TypeError
        If a dtype cannot be checked or differs from its counterpart's, or `rng` is no generator.
    ValueError
        If a result is not built like its counterpart, a number is NaN or infinite, `x` or ``f(x)``
        holds no number, or a function changes its argument.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> def f(x): return np.sin(x @ W)
    >>> def vjp(x, dy): return (dy * np.cos(x @ W)) @ W.T
    >>> check_vjp(f, vjp, np.array([0.1, 0.2])).verdict
    'pass'
    >>> check_vjp(f, lambda x, dy: dy @ W.T, np.array([0.1, 0.2])).verdict
    'fail'
    """
    return _check_vjp(f, vjp, x, "x", _generator(rng), options)


def check_jvp(
    f: Function,
    jvp: Product,
    x: Tree,
    *,
    directions: int = 6,
    rng: np.random.Generator | None = None,
    **options: Any,
) -> GradientReport:
    r"""Compare a Jacobian-vector product with differences of the function along random directions.

    .. math::

        \mathtt{jvp}(x, dx) = J\,dx = \frac{d}{ds} f(x + s\,dx) \Big|_{s = 0}

    With a number :math:`s_k` for every direction :math:`dx_k`, it is the vector-Jacobian product of
    :math:`s \mapsto f(x + \sum_k s_k\,dx_k)` at zero that is checked:
    :math:`dy \mapsto (\langle \mathtt{jvp}(x, dx_k), dy \rangle)_k`.

    Parameters
    ----------
    f, x, rng
        As for `check_vjp`.
    jvp
        Takes a tree like `x` and a tree `dx` like `x`; returns a tree like ``f(x)``.
    directions
        How many random directions to probe: each a normal random number for every number of `x`, times
        that number's size if it is above 1.
    **options
        As for `check_gradient`, whose parameters are the :math:`s_k`.

    Returns
    -------
    GradientReport
        As from `check_vjp`, with a probe ``s[k]`` for every direction.

    Raises
    ------
    TypeError, ValueError
        As `check_vjp`; also if `directions` is not a whole number above 0.

    Examples
    --------
    >>> def f(x): return {"sum": x.sum(), "squares": x**2}
    >>> def jvp(x, dx): return {"sum": dx.sum(), "squares": 2 * x * dx}
    >>> check_jvp(f, jvp, np.array([1.0, 3.0])).verdict
    'pass'
    >>> def jvp(x, dx): return {"sum": dx[0], "squares": 2 * x * dx}
    >>> check_jvp(f, jvp, np.array([1.0, 3.0])).verdict
    'fail'
    """
    rng = _generator(rng)
    if not (isinstance(directions, Integral) and directions >= 1):
        raise ValueError(f"directions is {directions!r}; expected a whole number from 1 on")
    leaves = check_parameters(x, "x")
    y = _output(_result(f, "f", x=x), "f(x)")
    tangents = [_tangent(x, rng) for _ in range(directions)]

    def along(s: np.ndarray) -> Tree:
        moved = copy_tree(x)
        for distance, dx in zip(s, tangents, strict=True):
            if distance:
                for leaf, d in zip(_leaves(moved), _leaves(dx), strict=True):
                    leaf += distance * d
        return f(moved)

    def slopes(s: np.ndarray, dy: Tree) -> np.ndarray:
        products = [_result(jvp, "jvp", x=x, dx=dx) for dx in tangents]
        matched = [match(product, y, "jvp(x, dx)", "f(x)") for product in products]
        return np.array([_inner(product, _leaves(dy)) for product in matched], s.dtype)

    coarsest = min((leaf.dtype for _, leaf in leaves), key=lambda dtype: dtype.itemsize)
    return _check_vjp(along, slopes, np.zeros(directions, coarsest), "s", rng, options)


def check_adjoint(
    jvp: Product, vjp: Product, x: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Check that two products are those of one Jacobian: one is the other's adjoint.

    .. math::

        \langle dy, \mathtt{jvp}(x, dx) \rangle = \langle \mathtt{vjp}(x, dy), dx \rangle
        \quad \text{for all } dx, dy

    The left side is linear in :math:`dx`, and :math:`\mathtt{vjp}(x, dy)` its gradient. So the
    vector-Jacobian product of :math:`dx \mapsto \mathtt{jvp}(x, dx)` is checked. A linear function's
    differences have no truncation error: the tolerance is all rounding. The function that the products
    belong to is not needed, and both may be those of a wrong one.

    Parameters
    ----------
    jvp, vjp, x, rng, **options
        As for `check_jvp` and `check_vjp`.

    Returns
    -------
    GradientReport
        As from `check_vjp`, with probes of `dx` in place of `x`.

    Raises
    ------
    TypeError, ValueError
        As `check_vjp`.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> x = np.zeros(2)
    >>> check_adjoint(lambda x, dx: dx @ W, lambda x, dy: dy @ W.T, x).verdict
    'pass'
    >>> check_adjoint(lambda x, dx: dx @ W, lambda x, dy: 2 * dy @ W.T, x).verdict
    'fail'
    """
    rng = _generator(rng)
    check_parameters(x, "x")
    dx = _normal(x, rng)
    dy = _cotangent(_output(_result(jvp, "jvp", x=x, dx=dx), "jvp(x, dx)"), rng)
    match(_result(vjp, "vjp", x=x, dy=dy), x, "vjp(x, dy)", "x")
    return _check_adjoint(jvp, vjp, x, "dx", rng, options)


def check_hvp(
    grad: Function, hvp: Product, theta: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Compare a Hessian-vector product with differences of the gradient, and check its symmetry.

    .. math::

        \mathtt{hvp}(\theta, v) = H v = \frac{d}{ds} \nabla L(\theta + s v) \Big|_{s = 0},
        \qquad \langle u, H v \rangle = \langle v, H u \rangle

    The first is `check_jvp` of the gradient. The second is `check_adjoint` of the product with itself;
    what has no symmetric Jacobian is no gradient of anything.

    Parameters
    ----------
    grad
        Takes a tree like `theta` and returns one like it: a gradient that has itself been checked.
    hvp
        Takes a tree like `theta` and a tree `v` like it; returns a tree like `theta`.
    theta
        The point, as for `check_gradient`.
    rng, **options
        As for `check_vjp`.

    Returns
    -------
    GradientReport
        Probes ``s[k]`` compare with the gradient, all others are of the symmetry.

    Raises
    ------
    TypeError, ValueError
        As `check_vjp`.

    Examples
    --------
    >>> def grad(theta): return theta**3
    >>> def hvp(theta, v): return 3 * theta**2 * v
    >>> check_hvp(grad, hvp, np.array([1.0, -2.0])).verdict
    'pass'
    >>> A = np.array([[1.0, 1.0], [0.0, 1.0]])  # the gradient of what?
    >>> check_hvp(lambda theta: A @ theta, lambda theta, v: A @ v, np.array([1.0, -2.0])).verdict
    'fail'
    """
    rng = _generator(rng)
    check_parameters(theta, "theta")
    match(_result(grad, "grad", theta=theta), theta, "grad(theta)", "theta")
    v = _normal(theta, rng)
    match(_result(hvp, "hvp", theta=theta, v=v), theta, "hvp(theta, v)", "theta")
    values = check_jvp(grad, hvp, theta, rng=rng, **options)
    symmetry = _check_adjoint(hvp, hvp, theta, "v", rng, options)
    for report in (values, symmetry):
        if report.problem:
            return report
    return replace(
        symmetry,
        probes=values.probes + symmetry.probes,
        evaluations=values.evaluations + symmetry.evaluations,
        hints=values.hints + symmetry.hints,
        gradient=(),
        central=None,  # a curve would have to know which of the two a probe is of
    )


def _check_vjp(
    f: Function, vjp: Product, x: Tree, name: str, rng: np.random.Generator, options: dict[str, Any]
) -> GradientReport:
    """The same as `check_vjp`, in a report that calls `x` by another name."""
    check_parameters(x, name)
    dy = _cotangent(_output(_result(f, "f", x=x), "f(x)"), rng)

    def grad(x: Tree) -> Tree:
        dx = _result(vjp, "vjp", x=x, dy=dy)
        match(dx, x, "vjp(x, dy)", "x")
        return dx

    # Where f(x) is small or its products with dy cancel, the loss would look more exact than it is.
    # A constant as large as what a step of 1 changes makes the check expect roundings of that size.
    claimed = match(grad(x), x, "vjp(x, dy)", "x")
    constant = sqrt(_inner(claimed, claimed))

    def loss(x: Tree) -> float:
        return constant + _inner(_leaves(f(x)), _leaves(dy))

    report = check_gradient(loss, grad, x, rng=rng, **options)

    def renamed(text: str) -> str:
        return re.sub(r"\btheta\b(?!')", name, text)

    return replace(
        report,
        probes=tuple(replace(probe, place=renamed(probe.place)) for probe in report.probes),
        problem=renamed(report.problem),
        hints=tuple(map(renamed, report.hints)),
    )


def _check_adjoint(
    jvp: Product, vjp: Product, x: Tree, name: str, rng: np.random.Generator, options: dict[str, Any]
) -> GradientReport:
    """The same as `check_adjoint`, in a report that calls `dx` by another name."""
    return _check_vjp(
        lambda dx: _result(jvp, "jvp", x=x, dx=dx),
        lambda dx, dy: _result(vjp, "vjp", x=x, dy=dy),
        _normal(x, rng),
        name,
        rng,
        options,
    )


def _result(function: Callable[..., Tree], name: str, **arguments: Tree) -> Tree:
    """What a function returns for copies of its arguments, once it has left them as they were."""
    copies = [copy_tree(argument) for argument in arguments.values()]
    result = function(*copies)
    call = f"{name}({', '.join(arguments)})"
    for (argument_name, argument), copy in zip(arguments.items(), copies, strict=True):
        before, after = flatten(argument), flatten(copy)
        changed = [
            path
            for (path, old), (_, new) in zip(before, after, strict=False)
            if not np.array_equal(old, new)
        ]
        same_paths = [path for path, _ in before] == [path for path, _ in after]
        if changed or not same_paths:
            what = f"{argument_name}{changed[0]}" if same_paths else f"the structure of {argument_name}"
            raise ValueError(f"{call} changed {what}; expected a function that only reads it")
    return result


def _output(y: Tree, name: str) -> Tree:
    """The same tree with arrays for leaves, once they are numbers that can be compared."""
    y = map_tree(np.asarray, y)
    for path, leaf in flatten(y):
        check_dtype(leaf, f"{name}{path}")
        check_finite(leaf, f"{name}{path}")
    if not any(leaf.size for leaf in _leaves(y)):
        raise ValueError(f"{name} is {y!r}; expected at least one number in it")
    return y


def _normal(x: Tree, rng: np.random.Generator) -> Tree:
    """A normal random number for every number in `x`."""
    return map_tree(lambda leaf: np.asarray(rng.standard_normal(leaf.shape), leaf.dtype), x)


def _tangent(x: Tree, rng: np.random.Generator) -> Tree:
    """A random change of `x`: normal, times the size of what is beyond 1."""
    sizes = map_tree(lambda leaf: np.maximum(1, np.abs(leaf)), x)
    return map_tree(lambda size: np.asarray(size * rng.standard_normal(size.shape), size.dtype), sizes)


def _cotangent(y: Tree, rng: np.random.Generator) -> Tree:
    """Random weights for the numbers in `y`: normal, over the size of what is beyond 1."""
    sizes = map_tree(lambda leaf: np.maximum(1, np.abs(leaf)), y)
    return map_tree(lambda size: np.asarray(rng.standard_normal(size.shape) / size, size.dtype), sizes)


def _leaves(tree: Tree) -> list[Any]:
    return [leaf for _, leaf in flatten(tree)]


def _inner(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The sum of all products, in float64."""
    return float(sum((np.float64(p) * q).sum() for p, q in zip(a, b, strict=True)))


def _generator(rng: np.random.Generator | None) -> np.random.Generator:
    rng = np.random.default_rng(0) if rng is None else rng
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; expected a numpy.random.Generator")
    return rng
