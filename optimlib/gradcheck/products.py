r"""Checking products with Jacobians and Hessians, which are gradients in disguise.

Let f map a tree x to a tree y, and let J be its Jacobian at x. Reverse mode, a backward pass, computes
:math:`J^\top dy`, a *vector-Jacobian product*. Forward mode computes :math:`J\,dx`, a *Jacobian-vector
product*. One idea checks everything here: for fixed random dy, :math:`J^\top dy` is the gradient of one
number, :math:`\langle f(x), dy \rangle` (`inner_products`), and gradients can be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import (
    check_function,
    check_point,
    check_whole,
    fitted_gradient,
    generator,
)
from optimlib.gradcheck.check import check_gradient, compare
from optimlib.gradcheck.inner_products import (
    Function,
    Product,
    along,
    check_product,
    cotangent,
    held_at,
    inner,
    leaves_of,
    normal,
    output,
    renamed,
    result,
    tangent,
    with_linearity,
)
from optimlib.gradcheck.lines import LossOf
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree

PAIR = "f(x) is a pair, and both count as outputs: for an output and a cache there is check_layer."


def check_vjp(
    f: Function, vjp: Product, x: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Compare a vector-Jacobian product, which is a backward pass, with differences of the function.

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
    rng, **options
        Draws `dy` and chooses what is probed, the same every time unless given; as for `check_gradient`.

    Returns
    -------
    GradientReport
        The loss it speaks of is :math:`\langle f(x), dy \rangle` and a constant. The numbers in `dy` are
        normal, each over the size of its output if that is above 1, so that no large output drowns the
        others. An error in a single element of J shows with near certainty.

    Raises
    ------
    TypeError
        If `f` or `vjp` cannot be called, a dtype cannot be checked, or `rng` is no generator.
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
    check_function(f, "f", "x")
    check_function(vjp, "vjp", "x, dy")
    names = {"theta": "x", "grad(theta)": "vjp(x, dy)", "grad": "vjp"}
    is_pair = False

    def watched(x: Tree, dy: Tree) -> Tree:
        nonlocal is_pair
        is_pair = isinstance(dy, tuple) and len(dy) == 2
        try:
            return vjp(x, dy)
        except Exception as error:
            if is_pair:
                error.add_note(PAIR)
            raise

    report = check_product(check_gradient, f, watched, x, names, generator(rng), options)
    mistaken = is_pair and report.verdict == "fail"
    return replace(report, notes=(*report.notes, PAIR)) if mistaken else report


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

    With a number :math:`s_k` for every direction :math:`dx_k`, what is checked is the vector-Jacobian
    product of :math:`s \mapsto f(x + \sum_k s_k\,dx_k)` at zero:
    :math:`dy \mapsto (\langle \mathtt{jvp}(x, dx_k), dy \rangle)_k`.

    Parameters
    ----------
    f
        Takes a tree like `x` and returns an array or a tree of arrays, float32 or float64.
    jvp
        Takes a tree like `x` and a tree `dx` like `x`; returns a tree like ``f(x)``.
    x
        The point: an array, or a tree of arrays. The functions get copies.
    directions
        How many random directions to probe: each a normal random number for every number of `x`, times
        that number's size if it is above 1.
    rng
        Draws the directions and `dy`; ``np.random.default_rng(0)`` unless given.
    **options
        As for `check_gradient`, whose parameters are the :math:`s_k`.

    Returns
    -------
    GradientReport
        A probe ``s[k]`` for every direction.

    Raises
    ------
    TypeError
        If a function cannot be called, a dtype cannot be checked, or `rng` is no generator.
    ValueError
        If ``jvp(x, dx)`` is not built like ``f(x)``, a number is NaN or infinite, a function changes its
        argument, or `directions` is not a whole number above 0.

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
    check_function(f, "f", "x")
    check_function(jvp, "jvp", "x, dx")
    rng = generator(rng)
    check_whole(directions, "directions", 1)
    coarsest = min((leaf.dtype for _, leaf in check_point(x, "x")), key=lambda dtype: dtype.itemsize)
    y = output(result(f, "f", x=x), "f(x)")
    tangents = [tangent(x, rng) for _ in range(directions)]

    def slopes(s: np.ndarray, dy: Tree) -> np.ndarray:
        products = [result(jvp, "jvp", x=x, dx=dx) for dx in tangents]
        fitted = [fitted_gradient(product, y, "jvp(x, dx)", "f(x)") for product in products]
        return np.array([inner(product, leaves_of(dy)) for product in fitted], s.dtype)

    start = np.zeros(directions, coarsest)
    names = {"theta": "s", "grad(theta)": "jvp(x, dx)", "grad": "jvp"}
    names["f"] = getattr(f, "written", "f")
    moved = partial(along, f, x, tangents)  # no closure: a pool of processes pickles it
    report = check_product(compare, moved, slopes, start, names, rng, options)
    if report.verdict != "fail":
        return report
    return with_linearity(
        report, lambda dx: result(jvp, "jvp", x=x, dx=dx), tangents[0], "jvp", "dx", "jvp(x, dx)"
    )


def check_adjoint(
    jvp: Product, vjp: Product, x: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Check that two products are those of one Jacobian: one is the other's adjoint.

    .. math::

        \langle dy, \mathtt{jvp}(x, dx) \rangle = \langle \mathtt{vjp}(x, dy), dx \rangle
        \quad \text{for all } dx, dy

    The left side is linear in :math:`dx`, and :math:`\mathtt{vjp}(x, dy)` its gradient. So what is
    checked is the vector-Jacobian product of :math:`dx \mapsto \mathtt{jvp}(x, dx)`. A linear function's
    differences have no truncation error: the tolerance is all rounding. The function that the products
    belong to is not needed, and both may be those of a wrong one.

    Parameters
    ----------
    jvp
        Takes a tree like `x` and a tree `dx` like `x`; returns an array or a tree of arrays.
    vjp
        Takes a tree like `x` and a tree `dy` like ``jvp(x, dx)``; returns a tree like `x`.
    x
        The point at which both products are taken.
    rng, **options
        Source of :math:`dx` and :math:`dy`, and options of `check_gradient`.

    Returns
    -------
    GradientReport
        Its probes are of :math:`dx`.

    Raises
    ------
    TypeError
        If a product cannot be called, a dtype cannot be checked, or `rng` is no generator.
    ValueError
        If ``vjp(x, dy)`` is not built like `x`, a number is NaN or infinite, or a product changes its
        argument.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> x = np.zeros(2)
    >>> check_adjoint(lambda x, dx: dx @ W, lambda x, dy: dy @ W.T, x).verdict
    'pass'
    >>> check_adjoint(lambda x, dx: dx @ W, lambda x, dy: 2 * dy @ W.T, x).verdict
    'fail'
    """
    check_function(jvp, "jvp", "x, dx")
    check_function(vjp, "vjp", "x, dy")
    rng = generator(rng)
    check_point(x, "x")
    dx = normal(x, rng)
    dy = cotangent(output(result(jvp, "jvp", x=x, dx=dx), "jvp(x, dx)"), rng)
    fitted_gradient(result(vjp, "vjp", x=x, dy=dy), x, "vjp(x, dy)", "x")
    names = {"theta": "dx", "grad(theta)": "vjp(x, dy)", "grad": "vjp", "f": "jvp"}
    return _adjoint_at(jvp, vjp, x, names, rng, options)


def check_hvp(
    grad: Function, hvp: Product, theta: Tree, *, rng: np.random.Generator | None = None, **options: Any
) -> GradientReport:
    r"""Compare a Hessian-vector product with differences of the gradient, and check its symmetry.

    .. math::

        \mathtt{hvp}(\theta, v) = H v = \frac{d}{ds} \nabla L(\theta + s v) \Big|_{s = 0},
        \qquad \langle u, H v \rangle = \langle v, H u \rangle

    The first is `check_jvp` of the gradient. The second is `check_adjoint` of the product with itself:
    a function whose Jacobian is not symmetric is not the gradient of anything.

    Parameters
    ----------
    grad
        Takes a tree like `theta` and returns one like it: a gradient that has itself been checked.
    hvp
        Takes a tree like `theta` and a tree `v` like it; returns a tree like `theta`.
    theta
        The point: an array, or a tree of arrays.
    rng, **options
        Source of :math:`v` and :math:`u`, and options of `check_gradient`.

    Returns
    -------
    GradientReport
        Probes ``s[k]`` compare with the gradient, all others are of the symmetry.

    Raises
    ------
    TypeError
        If a function cannot be called, a dtype cannot be checked, or `rng` is no generator.
    ValueError
        If a result is not built like `theta`, a number is NaN or infinite, or a function changes its
        argument.

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
    check_function(grad, "grad", "theta")
    check_function(hvp, "hvp", "theta, v")
    rng = generator(rng)
    check_point(theta, "theta")
    fitted_gradient(result(grad, "grad", theta=theta), theta)
    v = normal(theta, rng)
    fitted_gradient(result(hvp, "hvp", theta=theta, v=v), theta, "hvp(theta, v)")
    names = {"theta": "v", "grad(theta)": "hvp(theta, v)", "grad": "hvp", "f": "hvp"}
    of_jvp = {"jvp(x, dx)": "hvp(theta, v)", "jvp": "hvp", "dx": "v"}
    f = LossOf(grad)
    f.written = "grad"
    values = renamed(check_jvp(f, hvp, theta, rng=rng, **options), of_jvp)
    symmetry = renamed(_adjoint_at(hvp, hvp, theta, names, rng, options), {"dy": "v"})
    for report in (values, symmetry):
        if report.problem:
            return report
    return replace(
        symmetry,
        probes=values.probes + symmetry.probes,
        evaluations=values.evaluations + symmetry.evaluations,
        hints=values.hints + symmetry.hints,
        notes=tuple(dict.fromkeys(values.notes + symmetry.notes)),
        untested=values.untested + symmetry.untested,
        gradient=(),
        central=None,  # a curve would have to know which of the two a probe is of
    )


def _adjoint_at(
    jvp: Product,
    vjp: Product,
    x: Tree,
    names: Mapping[str, str],
    rng: np.random.Generator,
    options: Mapping[str, Any],
) -> GradientReport:
    """Check the product ``vjp(x, .)`` of the linear function ``jvp(x, .)`` at a random place."""
    return check_product(
        compare,
        partial(held_at, jvp, x),  # no closure: a pool of processes pickles it
        lambda dx, dy: result(vjp, "vjp", x=x, dy=dy),
        normal(x, rng),
        names,
        rng,
        options,
    )
