"""Recurrent layers, and their gradients back through time (chapter 5 needs them).

A recurrent layer reads a sequence step by step, with the same weights at every step, and hands its
state on from each step to the next. So an error travels backwards along the same chain, and the
weights' gradients are sums over all steps. Each forward function returns the states after every step
and a cache; its backward function takes the gradient of the loss with respect to all these states,
`dh`, and the cache. A loss that looks at the last state only has a `dh` of zeros but for
``dh[:, -1]``. Rows are examples; a sequence may be empty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimlib.nn.layers import sigmoid, sigmoid_backward, tanh, tanh_backward
from optimlib.trees import check_dtype


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
    Elman, 1990. `torch.nn.RNN` has a second bias; ours is the sum of both.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> h, cache = rnn(np.array([[[0.5], [0.0]]]), h0=0 * one, Wx=one, Wh=one, b=np.zeros(1))
    >>> h[0, :, 0].round(4)  # tanh(0.5), then tanh of that
    array([0.4621, 0.4318])
    """
    _check_arrays(1, x=x, h0=h0, Wx=Wx, Wh=Wh, b=b)
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
    TypeError, ValueError
        If `dh` is not an array of the dtype and the shape of ``cache.h``.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> h, cache = rnn(np.zeros((1, 3, 1)), h0=0 * one, Wx=one, Wh=one / 2, b=np.zeros(1))
    >>> dh = np.array([[[0.0], [0.0], [1.0]]])  # the loss is the last state
    >>> rnn_backward(dh, cache)[0].ravel()  # it halves with every step back
    array([0.25, 0.5 , 1.  ])
    """
    x, h0, Wx, Wh, h = cache
    _check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    db = np.zeros(Wh.shape[1], Wh.dtype)
    dh_t = np.zeros_like(h0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        dh_t = dh[:, t] + dh_t
        da = tanh_backward(dh_t, h[:, t])
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += _before(t, h, h0).T @ da
        db += da.sum(axis=0)
        dh_t = da @ Wh.T
    return dx, dh_t, dWx, dWh, db


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
    Hochreiter and Schmidhuber, 1997, with the forget gate of Gers, Schmidhuber and Cummins, 2000.
    `torch.nn.LSTM` has a second bias; ours is the sum of both.

    Examples
    --------
    >>> x, h0, c0 = np.zeros((1, 2, 1)), np.zeros((1, 1)), np.array([[2.0]])
    >>> weights, biases = np.zeros((1, 4)), np.zeros(4)
    >>> h, cache = lstm(x, h0, c0, weights, weights, biases)
    >>> cache.c.ravel()  # a forget gate of a half
    array([1. , 0.5])
    """
    _check_arrays(4, x=x, h0=h0, c0=c0, Wx=Wx, Wh=Wh, b=b)
    h = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    c = np.empty_like(h)
    gates = []
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
    TypeError, ValueError
        If `dh` is not an array of the dtype and the shape of ``cache.h``.

    Examples
    --------
    >>> x, state, weights, biases = np.zeros((1, 3, 1)), np.zeros((1, 1)), np.zeros((1, 4)), np.zeros(4)
    >>> h, cache = lstm(x, state, state, weights, weights, biases)
    >>> dx, dh0, dc0, *_ = lstm_backward(np.array([[[0.0], [0.0], [1.0]]]), cache)
    >>> dc0  # the output gate, and three forget gates, of a half each
    array([[0.0625]])
    """
    x, h0, c0, Wx, Wh, h, c, gates = cache
    _check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    db = np.zeros(Wh.shape[1], Wh.dtype)
    dh_t, dc_t = np.zeros_like(h0), np.zeros_like(c0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        i, f, g, o = gates[t]
        tanh_c = tanh(c[:, t])
        dh_t = dh[:, t] + dh_t
        dc_t = dc_t + tanh_backward(dh_t * o, tanh_c)
        da_i = sigmoid_backward(dc_t * g, i)
        da_f = sigmoid_backward(dc_t * _before(t, c, c0), f)
        da_g = tanh_backward(dc_t * i, g)
        da_o = sigmoid_backward(dh_t * tanh_c, o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += _before(t, h, h0).T @ da
        db += da.sum(axis=0)
        dh_t = da @ Wh.T
        dc_t = dc_t * f
    return dx, dh_t, dc_t, dWx, dWh, db


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
    PyTorch's form of Cho and others, 2014. They reset the state before it meets its weights,
    :math:`(r_t h_{t-1}) W_h`; here the product is reset, so that one product serves all three gates.

    Examples
    --------
    >>> weights, biases = np.zeros((1, 3)), np.zeros(3)
    >>> h, cache = gru(np.zeros((1, 2, 1)), np.array([[2.0]]), weights, weights, biases, biases)
    >>> h.ravel()  # half the old state and half a candidate of zero
    array([1. , 0.5])
    """
    _check_arrays(3, x=x, h0=h0, Wx=Wx, Wh=Wh, bx=bx, bh=bh)
    h = np.empty((*x.shape[:2], h0.shape[1]), x.dtype)
    gates = []
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
    TypeError, ValueError
        If `dh` is not an array of the dtype and the shape of ``cache.h``.

    Examples
    --------
    >>> x, state, weights, biases = np.zeros((1, 3, 1)), np.zeros((1, 1)), np.zeros((1, 3)), np.zeros(3)
    >>> h, cache = gru(x, state, weights, weights, biases, biases)
    >>> dx, dh0, *_ = gru_backward(np.array([[[0.0], [0.0], [1.0]]]), cache)
    >>> dh0  # three update gates of a half
    array([[0.125]])
    """
    x, h0, Wx, Wh, h, gates = cache
    _check_like_states(dh, h)
    dx, dWx, dWh = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
    dbx, dbh = np.zeros(Wh.shape[1], Wh.dtype), np.zeros(Wh.shape[1], Wh.dtype)
    dh_t = np.zeros_like(h0)  # through the steps after t: there are none yet
    for t in reversed(range(x.shape[1])):
        r, z, n, q_n = gates[t]
        h_before = _before(t, h, h0)
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


def _before(t: int, states: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """The state that step `t` starts from."""
    return states[:, t - 1] if t else initial


def _check_arrays(gates: int, **arrays: np.ndarray) -> None:
    """Refuse arrays of several dtypes, or of shapes that don't belong together for so many gates."""
    for name, array in arrays.items():
        _check_is_array(array, name)
        check_dtype(array, name)
        dtype = arrays["x"].dtype
        if array.dtype != dtype:
            raise TypeError(f"{name} has dtype {array.dtype}; expected {dtype}, the dtype of x")
    columns = "units" if gates == 1 else f"{gates} units"
    words = {
        "x": "(examples, time, inputs)",
        "h0": "(examples, units)",
        "c0": "(examples, units)",
        "Wx": f"(inputs, {columns})",
        "Wh": f"(units, {columns})",
        "b": f"({columns},)",
        "bx": f"({columns},)",
        "bh": f"({columns},)",
    }
    sizes = dict(zip(("examples", "time", "inputs"), arrays["x"].shape, strict=False))
    sizes["units"] = arrays["h0"].shape[-1] if arrays["h0"].ndim else 0
    sizes[columns] = gates * sizes["units"]
    for name, array in arrays.items():
        axes = words[name].strip("(,)").split(", ")
        if array.shape != tuple(sizes.get(axis) for axis in axes):
            received = ", ".join(f"{other} {arrays[other].shape}" for other in arrays)
            expected = ", ".join(f"{other} {words[other]}" for other in arrays)
            raise ValueError(f"{name} does not fit: the shapes are {received}; expected {expected}")


def _check_like_states(dh: np.ndarray, h: np.ndarray) -> None:
    """Refuse a gradient that does not look like the states."""
    _check_is_array(dh, "dh")
    if dh.dtype != h.dtype:
        raise TypeError(f"dh has dtype {dh.dtype}; expected {h.dtype}, the dtype of h")
    if dh.shape != h.shape:
        raise ValueError(f"dh has shape {dh.shape}; expected {h.shape}, the shape of h")


def _check_is_array(value: object, name: str) -> None:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} is a {type(value).__name__}; expected a NumPy array")
