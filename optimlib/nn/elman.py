"""`rnn`, Elman's recurrent layer: one tanh of the input and the state before, and back through time.

`optimlib.nn.recurrence` says what all recurrent layers take and return.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimlib.nn.arguments import check_cache
from optimlib.nn.layers import tanh, tanh_backward
from optimlib.nn.recurrence import before, check_like_states, check_sequence


class RNNCache(NamedTuple):
    """What `rnn_backward` needs from `rnn`."""

    x: np.ndarray  #: the inputs, as given
    h0: np.ndarray  #: the initial state, as given
    Wx: np.ndarray  #: the weights of the inputs, as given
    Wh: np.ndarray  #: the weights of the state, as given
    h: np.ndarray  #: the states after every step, as returned


def rnn(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, RNNCache]:
    r"""Elman's recurrent layer: one tanh of the input and the state before.

    .. math::

        h_t = \tanh(x_t W_x + h_{t-1} W_h + b)

    Parameters
    ----------
    x
        Inputs, shape (examples, time, inputs).
    h0
        The state before the first step, shape (examples, units).
    Wx, Wh
        Weights, shapes (inputs, units) and (units, units).
    b
        Biases, shape (units,).

    Returns
    -------
    tuple
        The state after every step, shape (examples, time, units), and an `RNNCache`.

    Raises
    ------
    TypeError
        If something is not an array, or they are not all float32 or all float64.
    ValueError
        If the shapes don't belong together.

    Notes
    -----
    J. L. Elman, *Finding structure in time*, Cognitive Science 14 (1990), 179-211. `torch.nn.RNN` has a
    second bias; ours is the sum of both.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> h, cache = rnn(np.array([[[0.5], [0.0]]]), h0=0 * one, Wx=one, Wh=one, b=np.zeros(1))
    >>> h[0, :, 0].round(4)  # tanh(0.5), then tanh of that
    array([0.4621, 0.4318])
    """
    check_sequence(1, x=x, h0=h0, Wx=Wx, Wh=Wh, b=b)
    h = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    h_t = h0
    for t in range(x.shape[1]):
        h_t = tanh(x[:, t] @ Wx + h_t @ Wh + b)
        h[:, t] = h_t
    return h, RNNCache(x, h0, Wx, Wh, h)


def rnn_backward(
    dh: np.ndarray, cache: RNNCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to all that `rnn` was given, of a loss whose gradient is `dh`.

    The loss depends on :math:`h_t` directly and through :math:`h_{t+1}`, so both gradients add up.
    With :math:`a_t` for what the tanh is taken of, from the last step to the first:

    .. math::

        \bar h_t &= \mathtt{dh}_t + \bar a_{t+1} W_h^\top, \qquad
        \bar a_t = \bar h_t (1 - h_t^2) \\
        \bar x_t &= \bar a_t W_x^\top, \qquad \bar h_0 = \bar a_1 W_h^\top \\
        \bar W_x &= \sum_t x_t^\top \bar a_t, \qquad
        \bar W_h = \sum_t h_{t-1}^\top \bar a_t, \qquad \bar b = \sum_t \bar a_t

    Parameters
    ----------
    dh
        Gradient with respect to the state after every step, shape (examples, time, units).
    cache
        As returned by `rnn`.

    Returns
    -------
    tuple
        ``(dx, dh0, dWx, dWh, db)``, of the shapes of `x`, `h0`, `Wx`, `Wh` and `b`.

    Raises
    ------
    TypeError
        If `dh` is not an array of the dtype of ``cache.h``, or `cache` does not come from `rnn`.
    ValueError
        If `dh` does not have the shape of ``cache.h``.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> h, cache = rnn(np.zeros((1, 3, 1)), h0=0 * one, Wx=one, Wh=one / 2, b=np.zeros(1))
    >>> dh = np.array([[[0.0], [0.0], [1.0]]])  # the loss is the last state
    >>> rnn_backward(dh, cache)[0].ravel()  # it halves with every step back
    array([0.25, 0.5 , 1.  ])
    """
    check_cache(cache, RNNCache, "rnn")
    x, h0, Wx, Wh, h = cache
    check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    db = np.zeros(Wh.shape[1], Wh.dtype)
    dh_t = np.zeros_like(h0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        dh_t = dh[:, t] + dh_t
        da = tanh_backward(dh_t, h[:, t])
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += before(t, h, h0).T @ da
        db += da.sum(axis=0)
        dh_t = da @ Wh.T
    return dx, dh_t, dWx, dWh, db
