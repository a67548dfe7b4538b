"""What other gradient checks decide: the rules of four libraries, each restated in NumPy.

Every function takes a loss, its claimed gradient and a parameter tree, and says whether that
library, used with its default settings, would accept the gradient. A rule is restated as far as it
bears on the decision: where the values are taken, in which precision, and what is compared. Each one
was compared with the library itself on every case of `optimlib.lab.corpus`.

All raise a TypeError or a ValueError if a leaf of theta is not a floating-point array, or the claimed
gradient does not look like theta.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optimlib.nn.arguments import check_floating
from optimlib.trees import Tree, children, copy_tree, flatten, map_tree, match

Loss = Callable[[Tree], Any]
Gradient = Callable[[Tree], Tree]


def torch_gradcheck(loss: Loss, grad: Gradient, theta: Tree) -> bool:
    r"""Restate `torch.autograd.gradcheck`: a central difference for every parameter, step 1e-6.

    .. math::

        \left|g - D\right| \le 10^{-5} + 10^{-3} |D|, \qquad
        D = \frac{f(x + 10^{-6}) - f(x - 10^{-6})}{2 \cdot 10^{-6}}

    for every number :math:`g` of the gradient. Step and tolerances are absolute: they don't look at
    the size of :math:`x` or of the loss. The difference is taken in the dtype of the loss.

    Source: PyTorch 2.13, ``torch/autograd/gradcheck.py``, `_slow_gradcheck`, the default.

    Examples
    --------
    >>> x = np.array([0.3])
    >>> torch_gradcheck(lambda x: np.sin(x).sum(), lambda x: 1.0005 * np.cos(x), x)  # wrong
    True
    >>> torch_gradcheck(lambda x: np.log(x).sum(), lambda x: 1 / x, 1e-7 * x)  # right
    False
    """
    eps = 1e-6
    for f, x, g in _coordinates(loss, grad, theta):
        numeric = (f(x + x.dtype.type(eps)) - f(x - x.dtype.type(eps))) / (2 * eps)
        if not _close(g, numeric, absolute=1e-5, relative=1e-3):
            return False
    return True


def scipy_check_grad(loss: Loss, grad: Gradient, theta: Tree) -> bool:
    r"""Restate `scipy.optimize.check_grad`: a forward difference for every parameter, step 1.5e-8.

    .. math::

        \sqrt{\sum_i \left(g_i - D_i\right)^2} \le 10^{-6}, \qquad
        D_i = \frac{f(x_i + h) - f(x_i)}{h}, \quad h = 2^{-26}

    SciPy returns the root and leaves the decision to its user. Our threshold is the one that its
    documentation of `check_derivative` names: "on the order of 1e-6 or lower". (Its own tests of
    `check_grad` ask for 1.5e-7 and 5e-7.) The parameters are converted to float64. Where the step is
    lost in the rounding of :math:`x_i + h`, it is :math:`2^{-26} \max(1, |x_i|)`.

    Source: SciPy 1.17, ``scipy/optimize/_optimize.py``, `check_grad`, and ``_numdiff.py``.

    Examples
    --------
    >>> x = np.array([0.3])
    >>> scipy_check_grad(lambda x: 1e-6 * np.sin(x).sum(), lambda x: 0 * x, x)  # wrong
    True
    >>> scipy_check_grad(lambda x: 1e6 * np.sin(x).sum(), lambda x: 1e6 * np.cos(x), x)  # right
    False
    """
    step = 2.0**-26
    claimed = {path: g.astype(np.float64) for path, g in _claimed(grad, theta).items()}
    as_float64 = map_tree(lambda leaf: leaf.astype(np.float64), theta)
    differences = []
    for f, x, g in _coordinates(loss, lambda _: _like(theta, claimed), as_float64):
        h = step if x + step != x else step * max(1.0, abs(x))
        differences.append(g - (f(x + h) - f(x)) / ((x + h) - x))
    with np.errstate(all="ignore"):
        return bool(np.sqrt(np.sum(np.square(differences))) <= 1e-6)


def jax_check_grads(loss: Loss, grad: Gradient, theta: Tree) -> bool:
    r"""Restate `jax.test_util.check_grads` of order 1: one random direction, step 1e-4.

    With a normal random direction :math:`d`, always the same,

    .. math::

        \left|g^\top d - D\right| \le \tau + \tau |D|, \qquad
        D = \frac{f(\theta + 10^{-4} d) - f(\theta - 10^{-4} d)}{2 \cdot 10^{-4}}

    with :math:`\tau = 10^{-5}` in float64 and :math:`2 \cdot 10^{-3}` in float32. That is the check
    in forward mode; in reverse mode both sides are multiplied by one more random number, and both
    checks must succeed.

    Source: JAX 0.10, ``jax/_src/public_test_util.py``, `check_jvp` and `check_vjp`.

    Examples
    --------
    >>> x = np.array([0.3, 1.0])
    >>> jax_check_grads(lambda x: 1e-6 * np.sin(x).sum(), lambda x: 0 * x, x)  # wrong
    True
    >>> jax_check_grads(lambda x: np.log(x).sum(), lambda x: 1 / x, 1e-7 * x)  # right
    False
    """
    eps = 1e-4
    random = np.random.RandomState(0)
    with np.errstate(all="ignore"):
        g = _claimed(grad, theta)
        leaves = dict(_in_jax_order(theta))
        d = {path: np.asarray(random.randn(*x.shape), x.dtype) for path, x in leaves.items()}

        def moved(distance: float) -> Any:
            there = {path: x + d[path] * x.dtype.type(distance) for path, x in leaves.items()}
            return np.asarray(loss(_like(theta, there)))[()]

        dtype = np.asarray(loss(copy_tree(theta))).dtype.type
        up, down = moved(eps), moved(-eps)
        change = dtype(0) if up == down else dtype(up) - dtype(down)
        numeric = dtype(change * dtype(0.5 / eps))
        slope = sum(np.vdot(d[path], np.asarray(g[path], d[path].dtype)) for path in leaves)
        again = dtype(random.randn())
        tolerance = 2e-3 if dtype is np.float32 else 1e-5
        return all(
            _close(factor * slope, factor * numeric, absolute=tolerance, relative=tolerance)
            for factor in (dtype(1), again)
        )


def cs231n_grad_check(loss: Loss, grad: Gradient, theta: Tree) -> bool:
    r"""Restate the check of Stanford's course CS231n: central differences, step 1e-5.

    .. math::

        \max \frac{|g - D|}{\max(10^{-8}, |g| + |D|)} \le 10^{-7}, \qquad
        D = \frac{f(x + 10^{-5}) - f(x - 10^{-5})}{2 \cdot 10^{-5}}

    for every number of the gradient. The course's notes draw no single line: above 1e-2 the gradient
    is "probably wrong", 1e-4 is "okay" if there are kinks, and at "1e-7 and less you should be happy".
    The last is the one that is copied as a threshold. The difference is stored in the dtype of
    :math:`x`.

    Source: CS231n, `eval_numerical_gradient` and `rel_error` of the assignments;
    https://cs231n.github.io/neural-networks-3/#gradcheck.

    Examples
    --------
    >>> x = np.array([0.3])
    >>> cs231n_grad_check(lambda x: 1e-16 * np.sin(x).sum(), lambda x: 0 * x, x)  # wrong
    True
    >>> cs231n_grad_check(lambda x: np.log(x).sum(), lambda x: 1 / x, 1e-2 * x)  # right
    False
    """
    h = 1e-5
    for f, x, g in _coordinates(loss, grad, theta):
        numeric = x.dtype.type((f(x + x.dtype.type(h)) - f(x - x.dtype.type(h))) / (2 * h))
        with np.errstate(all="ignore"):
            relative = abs(g - numeric) / max(1e-8, abs(g) + abs(numeric))
        if not relative <= 1e-7:
            return False
    return True


def _coordinates(loss: Loss, grad: Gradient, theta: Tree) -> Iterator[tuple[Callable, Any, Any]]:
    """For every parameter: the loss as a function of it, its value, and the claimed slope."""
    claimed = _claimed(grad, theta)
    moved = copy_tree(theta)
    for path, leaf in flatten(moved):
        for index in np.ndindex(leaf.shape):
            x = leaf[index]

            def f(value: Any, leaf: np.ndarray = leaf, index: tuple = index, x: Any = x) -> Any:
                leaf[index] = value
                with np.errstate(all="ignore"):
                    result = loss(moved)
                leaf[index] = x
                return result

            yield f, x, claimed[path][index]


def _claimed(grad: Gradient, theta: Tree) -> dict[str, np.ndarray]:
    """The claimed gradient's leaves by their paths, once they look like those of `theta`."""
    for path, leaf in flatten(theta):
        check_floating(f"theta{path}", leaf)
    claimed = grad(copy_tree(theta))
    match(claimed, theta, "grad(theta)", "theta", finite=False)
    return {path: np.asarray(leaf) for path, leaf in flatten(claimed)}


def _close(a: Any, b: Any, *, absolute: float, relative: float) -> bool:
    """Whether a is b, or within an absolute and a relative tolerance, the latter of b."""
    error = abs(a - b)
    return bool(a == b or (np.isfinite(error) and error <= absolute + relative * abs(b)))


def _like(theta: Tree, leaves: dict[str, Any]) -> Tree:
    """The structure of `theta` with the leaves that `leaves` names by their paths."""
    in_turn = iter([leaves[path] for path, _ in flatten(theta)])
    return map_tree(lambda _: next(in_turn), theta)


def _in_jax_order(tree: Tree, path: str = "") -> list[tuple[str, Any]]:
    """Like `flatten`, with the keys of every dict sorted, as JAX does."""
    below = children(tree)
    if below is None:
        return [(path, tree)]
    if isinstance(tree, dict):
        below = sorted(below)
    return [pair for key, subtree in below for pair in _in_jax_order(subtree, f"{path}[{key!r}]")]
