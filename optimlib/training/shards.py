r"""A batch in shards: the mean gradient of many examples, from those of its parts.

The *shards* of a batch are its parts, in their order. Each shard has a mean loss and a mean gradient of
its own, and the mean over all examples is the mean over the shards, each weighted by its number of
examples. So workers that never see each other's examples compute the gradient of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from optimlib.arguments import whole_number
from optimlib.executors import Executor, check_executor, side_by_side
from optimlib.gradcheck.arguments import brief, check_callable
from optimlib.training.results import loss_and_gradient
from optimlib.trees import Tree, add, flatten, map_tree, scale

ValueAndGrad = Callable[..., tuple[Any, Tree]]
NAME = "value_and_grad"


def shard_mean(
    value_and_grad: ValueAndGrad, executor: Executor | None = None, shards: int = 8
) -> ValueAndGrad:
    r"""Loss and gradient of a batch, computed in shards and added up in the order of the shards.

    .. math::

        L = \sum_{k=1}^{K} \frac{n_k}{n} L_k, \qquad g = \sum_{k=1}^{K} \frac{n_k}{n} g_k

    with the mean loss :math:`L_k` and the mean gradient :math:`g_k` of the :math:`n_k` examples of shard
    k, and :math:`n = \sum_k n_k`. Which worker computes a shard, and when, has no influence on a single
    bit of the sum, as long as all workers round alike, with the same processors, libraries and numbers
    of threads: the number of shards is fixed, and does not depend on the number of workers. A worker
    that is lost, or one that joins, changes nothing.

    Parameters
    ----------
    value_and_grad
        Takes parameters and the arrays of a batch, and returns the *mean* loss over their examples and
        its gradient, a tree like the parameters. A loss that is no mean over the examples, because they
        are normalized together for instance, has another value for parts.
    executor
        Where the shards are computed: anything with the interface of `concurrent.futures.Executor`, such
        as Dask's ``client.get_executor(pure=False)``. None computes them in turn, to the same bits.
    shards
        In how many parts a batch is cut, whose sizes differ by one at most. A batch of fewer examples is
        cut into single ones. Every shard is a message with the parameters and one with the gradient.

    Returns
    -------
    callable
        Called like `value_and_grad`: a function of parameters and batch, for `optimlib.training.fit`.
        The batch is one array or several, or trees of arrays, of equal first lengths. Without an
        executor it can be pickled if `value_and_grad` can.

    Raises
    ------
    TypeError
        If `value_and_grad` cannot be called, `executor` is no executor, or, once the function is called,
        it does not return a pair of a number and a tree like the parameters.
    ValueError
        If `shards` is no whole number from 1 on, or, once the function is called, the arrays of the
        batch differ in length or hold no example, or a gradient does not fit the parameters.

    Examples
    --------
    >>> def value_and_grad(theta, x):
    ...     return 0.5 * ((theta - x) ** 2).mean(), theta - x.mean()
    >>> theta, x = np.array(0.0), np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    >>> [part.tolist() for part in np.array_split(x, 2)]
    [[1.0, 2.0, 3.0], [4.0, 10.0]]
    >>> loss, gradient = shard_mean(value_and_grad, shards=2)(theta, x)
    >>> float(gradient), float(value_and_grad(theta, x)[1])
    (-4.0, -4.0)

    The mean of the two means, without weights, is the gradient of something else:

    >>> -(np.mean(x[:3]) + np.mean(x[3:])) / 2
    np.float64(-4.5)
    """
    check_callable(value_and_grad, NAME, "params, *batch")
    check_executor(executor)
    return partial(_mean, value_and_grad, executor, whole_number("shards", shards, lowest=1))


def _mean(
    value_and_grad: ValueAndGrad, executor: Executor | None, shards: int, parameters: Tree, *batch: Tree
) -> tuple[Any, Tree]:
    """The mean loss and the mean gradient of a batch."""
    size = _length(batch)
    parts = [(parameters, _part(batch, rows)) for rows in _rows(size, shards)]
    work = partial(_mean_of_shard, value_and_grad)
    loss, gradient = 0.0, None
    for (_, part), (value, slopes) in zip(
        parts, side_by_side(executor, work, parts, NAME, most=1), strict=True
    ):
        share = _length(part) / size
        loss += share * value
        try:
            weighted = scale(slopes, share)
            gradient = weighted if gradient is None else add(gradient, weighted)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{NAME} returned grads for its shards without a mean: {error}") from None
    return loss, gradient


def _mean_of_shard(value_and_grad: ValueAndGrad, work: tuple[Tree, tuple]) -> tuple[Any, Tree]:
    """What a worker does: the mean loss and the mean gradient of one shard."""
    parameters, part = work
    return loss_and_gradient(value_and_grad, parameters, part)


def _length(batch: tuple) -> int:
    """The number of examples, once all arrays have as many."""
    arrays = flatten(batch, "batch")
    if not arrays:
        raise ValueError("the batch is empty; expected at least one array")
    for path, array in arrays:
        if not (isinstance(array, np.ndarray) and array.ndim):
            raise TypeError(f"{path} is {brief(array)}; expected an array with one example in each row")
    (first, array), *others = arrays
    if len(array) == 0:
        raise ValueError(f"{first} has no rows; expected at least one")
    for path, other in others:
        if len(other) != len(array):
            raise ValueError(f"{path} has {len(other)} rows; expected {len(array)}, as {first} has")
    return len(array)


def _rows(size: int, shards: int) -> list[slice]:
    """The rows of each shard: the first ones are longer by one where the division leaves a rest.

    >>> _rows(5, 2), _rows(2, 8)
    ([slice(0, 3, None), slice(3, 5, None)], [slice(0, 1, None), slice(1, 2, None)])
    """
    count = min(size, shards)
    least, rest = divmod(size, count)
    ends = [0]
    for number in range(count):
        ends.append(ends[-1] + least + (number < rest))
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _part(batch: tuple, rows: slice) -> tuple:
    """These rows of all arrays."""
    return map_tree(lambda array: array[rows], batch)
