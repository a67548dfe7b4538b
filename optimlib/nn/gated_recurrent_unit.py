"""`gru`, the gated recurrent unit: the new state is a mean of the old one and a candidate.

`optimlib.nn.recurrence` says what all recurrent layers take and return.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimlib.nn.arguments import check_cache
from optimlib.nn.layers import sigmoid, sigmoid_backward, tanh, tanh_backward
from optimlib.nn.recurrence import before, check_like_states, check_sequence


class GRUCache(NamedTuple):
    """What `gru_backward` needs from `gru`."""

    x: np.ndarray  #: the inputs, as given
    h0: np.ndarray  #: the initial state, as given
    Wx: np.ndarray  #: the weights of the inputs, as given
    Wh: np.ndarray  #: the weights of the state, as given
    h: np.ndarray  #: the states after every step, as returned
    gates: list[tuple[np.ndarray, ...]]  #: r, z, n, and what r is multiplied with, of every step


def gru(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, bx: np.ndarray, bh: np.ndarray
) -> tuple[np.ndarray, GRUCache]:
    r"""The gated recurrent unit: the new state is a mean of the old one and a candidate.

    .. math::

        (p^r_t, p^z_t, p^n_t) &= x_t W_x + b_x, \qquad (q^r_t, q^z_t, q^n_t) = h_{t-1} W_h + b_h \\
        r_t &= \sigma(p^r_t + q^r_t), \qquad z_t = \sigma(p^z_t + q^z_t) \\
        n_t &= \tanh(p^n_t + r_t q^n_t) \\
        h_t &= (1 - z_t) n_t + z_t h_{t-1}

    Products of states are element by element.

    Parameters
    ----------
    x
        Inputs, shape (examples, time, inputs).
    h0
        The state before the first step, shape (examples, units).
    Wx, Wh
        Weights, shapes (inputs, 3 units) and (units, 3 units): the columns for the reset gate r, the
        update gate z and the candidate n, in this order.
    bx, bh
        Biases, shape (3 units,) each, in the same order.

    Returns
    -------
    tuple
        The state after every step, shape (examples, time, units), and a `GRUCache`.

    Raises
    ------
    TypeError
        If something is not an array, or they are not all float32 or all float64.
    ValueError
        If the shapes don't belong together.

    Notes
    -----
    PyTorch's form of K. Cho, B. van Merriënboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk and
    Y. Bengio, *Learning phrase representations using RNN encoder-decoder for statistical machine
    translation*, EMNLP 2014. They reset the state before it meets its weights,
    :math:`(r_t h_{t-1}) W_h`; here the product is reset, so that one product serves all three gates.

    Examples
    --------
    >>> weights, biases = np.zeros((1, 3)), np.zeros(3)
    >>> h, cache = gru(np.zeros((1, 2, 1)), np.array([[2.0]]), weights, weights, biases, biases)
    >>> h.ravel()  # half the old state and half a candidate of zero
    array([1. , 0.5])
    """
    check_sequence(3, x=x, h0=h0, Wx=Wx, Wh=Wh, bx=bx, bh=bh)
    h = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    gates: list[tuple[np.ndarray, ...]] = []
    h_t = h0
    for t in range(x.shape[1]):
        p_r, p_z, p_n = np.split(x[:, t] @ Wx + bx, 3, axis=1)
        q_r, q_z, q_n = np.split(h_t @ Wh + bh, 3, axis=1)
        r, z = sigmoid(p_r + q_r), sigmoid(p_z + q_z)
        n = tanh(p_n + r * q_n)
        h_t = (1 - z) * n + z * h_t
        h[:, t] = h_t
        gates.append((r, z, n, q_n))
    return h, GRUCache(x, h0, Wx, Wh, h, gates)


def gru_backward(
    dh: np.ndarray, cache: GRUCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to all that `gru` was given, of a loss whose gradient is `dh`.

    The state reaches the next one through the gates and, times :math:`z`, directly. From the last
    step to the first:

    .. math::

        \bar h_t &= \mathtt{dh}_t + \bar q_{t+1} W_h^\top + \bar h_{t+1} z_{t+1} \\
        \bar p^n_t &= \bar h_t (1 - z_t) (1 - n_t^2), \qquad \bar q^n_t = \bar p^n_t r_t \\
        \bar p^z_t &= \bar q^z_t = \bar h_t (h_{t-1} - n_t) \, z_t (1 - z_t) \\
        \bar p^r_t &= \bar q^r_t = \bar p^n_t q^n_t \, r_t (1 - r_t)

    The gradients of `x`, `Wx` and `bx` follow from :math:`\bar p_t`, those of `Wh` and `bh` from
    :math:`\bar q_t`.

    Parameters
    ----------
    dh
        Gradient with respect to the state after every step, shape (examples, time, units).
    cache
        As returned by `gru`.

    Returns
    -------
    tuple
        ``(dx, dh0, dWx, dWh, dbx, dbh)``, of the shapes of what `gru` was given.

    Raises
    ------
    TypeError
        If `dh` is not an array of the dtype of ``cache.h``, or `cache` does not come from `gru`.
    ValueError
        If `dh` does not have the shape of ``cache.h``.

    Examples
    --------
    >>> x, state, weights, biases = np.zeros((1, 3, 1)), np.zeros((1, 1)), np.zeros((1, 3)), np.zeros(3)
    >>> h, cache = gru(x, state, weights, weights, biases, biases)
    >>> dx, dh0, *_ = gru_backward(np.array([[[0.0], [0.0], [1.0]]]), cache)
    >>> dh0  # three update gates of a half
    array([[0.125]])
    """
    check_cache(cache, GRUCache, "gru")
    x, h0, Wx, Wh, h, gates = cache
    check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    dbx, dbh = np.zeros(Wh.shape[1], Wh.dtype), np.zeros(Wh.shape[1], Wh.dtype)
    dh_t = np.zeros_like(h0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        r, z, n, q_n = gates[t]
        h_before = before(t, h, h0)
        dh_t = dh[:, t] + dh_t
        dp_n = tanh_backward(dh_t * (1 - z), n)
        dp_z = sigmoid_backward(dh_t * (h_before - n), z)
        dp_r = sigmoid_backward(dp_n * q_n, r)
        dp = np.concatenate([dp_r, dp_z, dp_n], axis=1)
        dq = np.concatenate([dp_r, dp_z, dp_n * r], axis=1)
        dx[:, t] = dp @ Wx.T
        dWx += x[:, t].T @ dp
        dWh += h_before.T @ dq
        dbx += dp.sum(axis=0)
        dbh += dq.sum(axis=0)
        dh_t = dq @ Wh.T + dh_t * z
    return dx, dh_t, dWx, dWh, dbx, dbh
