"""What recurrent layers have in common: sequences, states, and one set of weights for all steps.

A recurrent layer reads a sequence step by step, with one set of weights, and hands its state on from
each step to the next. So an error travels backwards along the same chain, and the weights' gradients
are sums over all steps. Each forward function returns the states after every step and a cache; its
backward function takes the gradient of the loss with respect to all these states, `dh`, and the cache.
If the loss looks at the last state only, `dh` is zero but for ``dh[:, -1]``. Rows are examples; a
sequence may be empty. All arrays are float32, or all float64.
"""

from __future__ import annotations

import numpy as np

from optimlib.nn.arguments import check_array, check_shapes
from optimlib.trees import check_dtype


def before(t: int, states: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """The state that step `t` starts from, shape (examples, units).

    Examples
    --------
    >>> before(0, np.ones((1, 3, 2)), initial=np.zeros((1, 2)))
    array([[0., 0.]])
    """
    return states[:, t - 1] if t else initial


def check_sequence(gates: int, **arrays: np.ndarray) -> None:
    """Refuse arrays of several dtypes, or whose shapes don't belong together for this number of gates.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> check_sequence(1, x=np.ones((1, 2, 3)), h0=one, Wx=one, Wh=one, b=np.ones(1))
    Traceback (most recent call last):
        ...
    ValueError: Wx does not fit: the shapes are
        x (1, 2, 3), h0 (1, 1), Wx (1, 1), Wh (1, 1), b (1,);
        expected x (examples, time, inputs), h0 (examples, units),
        Wx (inputs, units), Wh (units, units), b (units,)
    """
    for name, array in arrays.items():
        check_array(name, array)
        check_dtype(array, name)
        dtype = arrays["x"].dtype
        if array.dtype != dtype:
            raise TypeError(f"{name} has dtype {array.dtype}; expected {dtype}, the dtype of x")
    columns = "units" if gates == 1 else f"{gates} units"
    axes = {
        "x": "examples, time, inputs",
        "h0": "examples, units",
        "c0": "examples, units",
        "Wx": f"inputs, {columns}",
        "Wh": f"units, {columns}",
        "b": columns,
        "bx": columns,
        "bh": columns,
    }
    check_shapes(**{name: (array, axes[name]) for name, array in arrays.items()})


def check_like_states(dh: np.ndarray, h: np.ndarray) -> None:
    """Refuse a gradient that does not look like the states.

    Examples
    --------
    >>> check_like_states(np.ones((1, 2)), np.ones((1, 3, 2)))
    Traceback (most recent call last):
        ...
    ValueError: dh has shape (1, 2); expected (1, 3, 2), the shape of h
    """
    check_array("dh", dh)
    if dh.dtype != h.dtype:
        raise TypeError(f"dh has dtype {dh.dtype}; expected {h.dtype}, the dtype of h")
    if dh.shape != h.shape:
        raise ValueError(f"dh has shape {dh.shape}; expected {h.shape}, the shape of h")
