"""`lstm`, long short-term memory: a cell that hands its state on by a sum, and gates that guard it.

`optimlib.nn.recurrence` says what all recurrent layers take and return.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimlib.nn.arguments import check_cache
from optimlib.nn.layers import sigmoid, sigmoid_backward, tanh, tanh_backward
from optimlib.nn.recurrence import before, check_like_states, check_sequence


class LSTMCache(NamedTuple):
    """What `lstm_backward` needs from `lstm`; ``c[:, -1]`` is the last cell state."""

    x: np.ndarray  #: the inputs, as given
    h0: np.ndarray  #: the initial state, as given
    c0: np.ndarray  #: the initial cell state, as given
    Wx: np.ndarray  #: the weights of the inputs, as given
    Wh: np.ndarray  #: the weights of the state, as given
    h: np.ndarray  #: the states after every step, as returned
    c: np.ndarray  #: the cell states after every step
    gates: list[tuple[np.ndarray, ...]]  #: i, f, g and o of every step


def lstm(
    x: np.ndarray, h0: np.ndarray, c0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, LSTMCache]:
    r"""Long short-term memory: gates decide what the cell takes in, forgets and shows.

    .. math::

        (a^i_t, a^f_t, a^g_t, a^o_t) &= x_t W_x + h_{t-1} W_h + b \\
        i_t = \sigma(a^i_t), \quad f_t &= \sigma(a^f_t), \quad
        g_t = \tanh(a^g_t), \quad o_t = \sigma(a^o_t) \\
        c_t &= f_t c_{t-1} + i_t g_t \\
        h_t &= o_t \tanh(c_t)

    Products of states are element by element.

    Parameters
    ----------
    x
        Inputs, shape (examples, time, inputs).
    h0, c0
        State and cell state before the first step, shape (examples, units) each.
    Wx, Wh
        Weights, shapes (inputs, 4 units) and (units, 4 units): the columns for the input gate i, the
        forget gate f, the candidate g and the output gate o, in this order.
    b
        Biases, shape (4 units,), in the same order.

    Returns
    -------
    tuple
        The state after every step, shape (examples, time, units), and an `LSTMCache`.

    Raises
    ------
    TypeError
        If something is not an array, or they are not all float32 or all float64.
    ValueError
        If the shapes don't belong together.

    Notes
    -----
    S. Hochreiter and J. Schmidhuber, *Long short-term memory*, Neural Computation 9 (1997), 1735-1780,
    with the forget gate of F. A. Gers, J. Schmidhuber and F. Cummins, *Learning to forget: continual
    prediction with LSTM*, Neural Computation 12 (2000), 2451-2471. `torch.nn.LSTM` has a second bias;
    ours is the sum of both.

    Examples
    --------
    >>> x, h0, c0 = np.zeros((1, 2, 1)), np.zeros((1, 1)), np.array([[2.0]])
    >>> weights, biases = np.zeros((1, 4)), np.zeros(4)
    >>> h, cache = lstm(x, h0, c0, weights, weights, biases)
    >>> cache.c.ravel()  # a forget gate of a half
    array([1. , 0.5])
    """
    check_sequence(4, x=x, h0=h0, c0=c0, Wx=Wx, Wh=Wh, b=b)
    h = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    c = np.empty_like(h)
    gates: list[tuple[np.ndarray, ...]] = []
    h_t, c_t = h0, c0
    for t in range(x.shape[1]):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ Wx + h_t @ Wh + b, 4, axis=1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
        c_t = f * c_t + i * g
        h_t = o * tanh(c_t)
        h[:, t], c[:, t] = h_t, c_t
        gates.append((i, f, g, o))
    return h, LSTMCache(x, h0, c0, Wx, Wh, h, c, gates)


def lstm_backward(
    dh: np.ndarray, cache: LSTMCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to all that `lstm` was given, of a loss whose gradient is `dh`.

    Two gradients travel back, that of the state and that of the cell. From the last step to the first:

    .. math::

        \bar h_t &= \mathtt{dh}_t + \bar a_{t+1} W_h^\top \\
        \bar c_t &= \bar c_{t+1} f_{t+1} + \bar h_t o_t (1 - \tanh^2 c_t) \\
        \bar a_t &= \bigl(\bar c_t g_t \, i_t (1 - i_t), \;
                          \bar c_t c_{t-1} \, f_t (1 - f_t), \;
                          \bar c_t i_t \, (1 - g_t^2), \;
                          \bar h_t \tanh(c_t) \, o_t (1 - o_t)\bigr)

    and from :math:`\bar a_t` all others as in `rnn_backward`, and :math:`\bar c_0 = \bar c_1 f_1`.

    Parameters
    ----------
    dh
        Gradient with respect to the state after every step, shape (examples, time, units).
    cache
        As returned by `lstm`.

    Returns
    -------
    tuple
        ``(dx, dh0, dc0, dWx, dWh, db)``, of the shapes of what `lstm` was given.

    Raises
    ------
    TypeError
        If `dh` is not an array of the dtype of ``cache.h``, or `cache` does not come from `lstm`.
    ValueError
        If `dh` does not have the shape of ``cache.h``.

    Examples
    --------
    >>> x, state, weights, biases = np.zeros((1, 3, 1)), np.zeros((1, 1)), np.zeros((1, 4)), np.zeros(4)
    >>> h, cache = lstm(x, state, state, weights, weights, biases)
    >>> dx, dh0, dc0, *_ = lstm_backward(np.array([[[0.0], [0.0], [1.0]]]), cache)
    >>> dc0  # the output gate, and three forget gates, of a half each
    array([[0.0625]])
    """
    check_cache(cache, LSTMCache, "lstm")
    x, h0, c0, Wx, Wh, h, c, gates = cache
    check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    db = np.zeros(Wh.shape[1], Wh.dtype)
    dh_t, dc_t = np.zeros_like(h0), np.zeros_like(c0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        i, f, g, o = gates[t]
        tanh_c = tanh(c[:, t])
        dh_t = dh[:, t] + dh_t
        dc_t = dc_t + tanh_backward(dh_t * o, tanh_c)
        da_i = sigmoid_backward(dc_t * g, i)
        da_f = sigmoid_backward(dc_t * before(t, c, c0), f)
        da_g = tanh_backward(dc_t * i, g)
        da_o = sigmoid_backward(dh_t * tanh_c, o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += before(t, h, h0).T @ da
        db += da.sum(axis=0)
        dh_t = da @ Wh.T
        dc_t = dc_t * f
    return dx, dh_t, dc_t, dWx, dWh, db
