r"""Clipping: a bound on the gradient, so that one bad batch cannot throw everything away.

Everything here takes a gradient as a tree and returns a new one; the one given is only read, and
`None` in place of an array, which then takes no step, stays `None`. An optimizer clips block by block,
as its keywords ``clip_value=``, ``clip_norm=`` and ``clip_eps=`` say.

A norm above its limit :math:`c` is brought down to it with :math:`g \, c / (\|g\| + \epsilon)`. Two
conventions are in use: :math:`\epsilon = 0`, as in the article, in Optax and in Keras, after which
the norm is :math:`c`; and PyTorch's :math:`g \min(1, c / (\|g\| + 10^{-6}))`, after which it is
slightly less. The default is the first; ``eps=1e-6`` makes it the second.

PyTorch clips before it calls the optimizer, and Optax where its chain says; both can do so twice. A
Keras optimizer takes one limit only, by value, by array or global, and applies it before the decay,
which is decoupled and knows no gradient. So in all of them, as here, weight decay is never clipped,
unless one puts Optax's ``add_decayed_weights`` in front of the clipping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from optimlib.arguments import hyperparameter, positive
from optimlib.trees import Tree, check_all_finite, check_dtype, cut, flat, flatten, map_tree
from optimlib.trees.containers import check_plain, shown

Clip = Callable[[np.ndarray], np.ndarray]
"""A function from some elements of a gradient to the same elements, clipped."""


def global_norm(grads: Tree) -> float:
    r"""The Euclidean norm of all numbers in a tree, :math:`\|g\| = \sqrt{\sum_i g_i^2}`.

    Parameters
    ----------
    grads
        Arrays of float32 or float64 in nested dicts, lists and tuples.

    Returns
    -------
    float
        Computed in float64, and without overflow or underflow on the way: it is infinite only where
        the norm itself is too large for a float64.

    Raises
    ------
    TypeError
        If an array has another dtype.
    NonFiniteError
        If an array holds NaN or infinity.
    ValueError
        If there is no array.

    Examples
    --------
    >>> global_norm({"W": np.array([3.0, 0.0]), "b": np.array(4.0)})
    5.0
    """
    unit, length = _norm(_checked_leaves(grads))
    return unit * length


def clip_by_value(grads: Tree, limit: float) -> Tree:
    r"""Every number brought into :math:`[-c, c]` for itself: the direction may change.

    .. math:: g_i \leftarrow \min(\max(g_i, -c), c)

    Parameters
    ----------
    grads
        The gradient. It is only read.
    limit
        The limit :math:`c`, above 0, in the units of the gradient.

    Returns
    -------
    Tree
        New arrays in containers like those of `grads`.

    Raises
    ------
    TypeError
        If an array is not of float32 or float64, or the limit is not a number.
    NonFiniteError
        If an array holds NaN or infinity.
    ValueError
        If there is no array, or the limit is not a finite number above 0.

    Notes
    -----
    PyTorch's ``clip_grad_value_``; Optax's ``clip``; Keras's ``clipvalue``.

    Examples
    --------
    >>> clip_by_value({"W": np.array([3.0, -0.5])}, limit=1.0)
    {'W': array([ 1. , -0.5])}
    """
    limit = positive("limit", limit)
    _checked_leaves(grads)
    return _map_arrays(lambda leaf: _into(leaf, limit), grads)


def clip_by_leaf_norm(grads: Tree, limit: float, eps: float = 0.0) -> Tree:
    r"""Every array whose norm is above the limit brought down to it, each for itself.

    .. math:: g_\ell \leftarrow g_\ell \min\Bigl(1, \frac{c}{\|g_\ell\| + \epsilon}\Bigr)

    Parameters
    ----------
    grads
        The gradient. It is only read.
    limit
        The limit :math:`c` of each array's norm, above 0.
    eps
        Added to the norm; 1e-6 in PyTorch.

    Returns
    -------
    Tree
        New arrays in containers like those of `grads`.

    Raises
    ------
    TypeError
        If an array is not of float32 or float64, or the limit or `eps` is not a number.
    NonFiniteError
        If an array holds NaN or infinity.
    ValueError
        If there is no array, the limit is not a finite number above 0, or `eps` is negative.

    Notes
    -----
    Keras's ``clipnorm``; PyTorch's ``clip_grad_norm_`` called for each parameter.

    Examples
    --------
    >>> clip_by_leaf_norm([np.array([3.0, 4.0]), np.array([0.5])], limit=1.0)
    [array([0.6, 0.8]), array([0.5])]
    """
    limit, eps = positive("limit", limit), hyperparameter("eps", eps)
    _checked_leaves(grads)
    return _map_arrays(lambda leaf: _shrink(leaf, *_norm([leaf]), limit, eps), grads)


def clip_by_global_norm(grads: Tree, limit: float, eps: float = 0.0) -> tuple[Tree, float]:
    r"""The whole gradient brought down to the limit if its norm is above it: the direction stays.

    .. math:: g \leftarrow g \min\Bigl(1, \frac{c}{\|g\| + \epsilon}\Bigr)

    Parameters
    ----------
    grads
        The gradient. It is only read.
    limit
        The limit :math:`c` of the norm of all numbers in the tree, above 0.
    eps
        Added to the norm; 1e-6 in PyTorch.

    Returns
    -------
    Tree
        New arrays in containers like those of `grads`.
    float
        The norm before clipping, as `global_norm` computes it.

    Raises
    ------
    TypeError
        If an array is not of float32 or float64, or the limit or `eps` is not a number.
    NonFiniteError
        If an array holds NaN or infinity.
    ValueError
        If there is no array, the limit is not a finite number above 0, or `eps` is negative.

    Notes
    -----
    Pascanu, Mikolov and Bengio, 2013, algorithm 1. PyTorch's ``clip_grad_norm_``; Optax's
    ``clip_by_global_norm``; Keras's ``global_clipnorm``.

    Examples
    --------
    >>> clip_by_global_norm([np.array([3.0]), np.array([4.0])], limit=1.0)
    ([array([0.6]), array([0.8])], 5.0)
    """
    limit, eps = positive("limit", limit), hyperparameter("eps", eps)
    unit, length = _norm(_checked_leaves(grads))
    clipped = _map_arrays(lambda leaf: _shrink(leaf, unit, length, limit, eps), grads)
    return clipped, unit * length


def clipper(
    gradients: Sequence[np.ndarray | None],
    clip_value: float | None,
    clip_norm: float | None,
    eps: float = 0.0,
) -> tuple[Clip, float | None]:
    """What an optimizer applies to each block of a gradient: the value first, then the norm.

    Parameters
    ----------
    gradients
        All arrays of the gradient; `None` for one that takes no step. They are only read.
    clip_value
        The limit of each number, or `None`.
    clip_norm
        The limit of the global norm of what `clip_value` leaves, or `None`.
    eps
        Added to that norm; 1e-6 in PyTorch.

    Returns
    -------
    Clip
        A function from a block to the clipped block, which changes nothing.
    float or None
        The norm that `clip_norm` limits, before it does; `None` if it is `None`.

    Examples
    --------
    >>> clip, norm = clipper([np.array([3.0, 7.0])], clip_value=4.0, clip_norm=1.0)
    >>> clip(np.array([3.0, 7.0])), norm
    (array([0.6, 0.8]), 5.0)
    """

    def by_value(block: np.ndarray) -> np.ndarray:
        return block if clip_value is None else _into(block, clip_value)

    if clip_norm is None:
        return by_value, None
    unit, length = _norm([g for g in gradients if g is not None], by_value)
    return lambda block: _shrink(by_value(block), unit, length, clip_norm, eps), unit * length


def _into(array: np.ndarray, limit: float) -> np.ndarray:
    """Every number brought into ``[-limit, limit]``."""
    limit = min(limit, float(np.finfo(array.dtype).max))
    return np.clip(array, -limit, limit)


def _norm(arrays: Sequence[np.ndarray], prepare: Clip = lambda block: block) -> tuple[float, float]:
    """The norm of all numbers that `prepare` returns, as ``unit * length``.

    The unit is 1 as a rule; where the squares would leave float64's range, it is a power of 2
    near the largest number, by which to divide costs no rounding.
    """

    def blocks() -> Iterator[np.ndarray]:  # the squares of float32 numbers fit into float64
        return (
            prepare(flat(array)[here]).astype(float, copy=False)
            for array in arrays
            for here in cut(array)
        )

    with np.errstate(over="ignore", under="ignore"):
        squares = _sum(np.dot(block, block) for block in blocks())
        if 1e-200 < squares < math.inf:
            return 1.0, math.sqrt(squares)
        sizes = (float(np.max(np.abs(block), initial=0.0)) for block in blocks())
        largest = max(sizes, default=0.0)
        unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)
        return unit, math.sqrt(_sum(np.dot(block / unit, block / unit) for block in blocks()))


def _sum(numbers: Iterable[float]) -> float:
    """The sum, whatever the order in which the arrays stand in their tree."""
    return float(np.sort(list(numbers)).sum())


def _shrink(array: np.ndarray, unit: float, length: float, limit: float, eps: float) -> np.ndarray:
    """Part of a gradient of norm ``unit * length``, brought down with it to the limit."""
    if unit * length + eps <= limit:
        return array
    scaled = np.divide(array, unit, dtype=float) * (limit / (length + eps / unit))
    return scaled.astype(array.dtype, copy=False)


def _checked_leaves(grads: Tree) -> list[np.ndarray]:
    """The arrays of a gradient, once all are finite numbers."""
    given = [(f"grads{path}", leaf) for path, leaf in flatten(grads) if leaf is not None]
    for place, leaf in given:
        check_plain(leaf, place)
    pairs = [(place, np.asarray(leaf)) for place, leaf in given]
    if not pairs:
        raise ValueError(f"grads is {shown(grads)}; expected at least one array in it")
    for place, leaf in pairs:
        check_dtype(leaf, place)
    check_all_finite(pairs)
    return [leaf for _, leaf in pairs]


def _map_arrays(clip: Clip, grads: Tree) -> Tree:
    """A tree of new, clipped arrays; `None` stays `None`."""
    return map_tree(lambda leaf: None if leaf is None else np.array(clip(np.asarray(leaf))), grads)
