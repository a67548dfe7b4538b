"""Layers with hand-written backward passes (chapter 4 derives them).

A layer is a pair of functions. The forward one returns its output; the backward one takes the
gradient of the loss with respect to that output, `dy`, and what the forward pass was given, and
returns the gradients with respect to each input, in the order of the forward function's arguments.
Rows are examples.
"""

from __future__ import annotations

import numpy as np


def dense(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A fully connected layer: ``y = x W + b``.

    Parameters
    ----------
    x
        Inputs, shape (examples, inputs).
    W
        Weights, shape (inputs, outputs).
    b
        Biases, shape (outputs,).

    Returns
    -------
    numpy.ndarray
        Shape (examples, outputs).

    Raises
    ------
    ValueError
        If the shapes don't belong together. (A `b` of another shape would often be broadcast.)

    Examples
    --------
    >>> dense(np.array([[1.0, 2.0]]), W=np.array([[1.0], [10.0]]), b=np.array([100.0]))
    array([[121.]])
    """
    if x.ndim != 2 or W.shape[:1] != x.shape[1:] or b.shape != W.shape[1:]:
        raise ValueError(
            f"x, W and b have shapes {x.shape}, {W.shape} and {b.shape};"
            " expected (examples, inputs), (inputs, outputs) and (outputs,)"
        )
    return x @ W + b


def dense_backward(
    dy: np.ndarray, x: np.ndarray, W: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients with respect to `x`, `W` and `b` of a loss whose gradient is `dy`.

    Parameters
    ----------
    dy
        Gradient with respect to the output, shape (examples, outputs).
    x, W
        As given to `dense`.

    Returns
    -------
    tuple
        ``(dx, dW, db)``, of the shapes of `x`, `W` and `b`.

    Examples
    --------
    >>> dx, dW, db = dense_backward(np.array([[1.0]]), x=np.array([[3.0, 4.0]]), W=np.ones((2, 1)))
    >>> dx, dW.ravel(), db
    (array([[1., 1.]]), array([3., 4.]), array([1.]))
    """
    dx = dy @ W.T
    dW = x.T @ dy
    db = dy.sum(axis=0)  # the bias was broadcast over the examples
    return dx, dW, db


def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent of every element.

    >>> tanh(np.array([0.0]))
    array([0.])
    """
    return np.tanh(x)


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `tanh`: ``dy (1 - y**2)``.

    >>> tanh_backward(np.array([2.0]), y=np.array([0.5]))
    array([1.5])
    """
    return dy * (1 - y**2)


def relu(x: np.ndarray) -> np.ndarray:
    """The positive part of every element.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.maximum(x, 0)


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `relu`.

    At 0, where there is no derivative, it is taken to be 0.

    >>> relu_backward(np.array([3.0, 3.0]), y=np.array([0.0, 2.0]))
    array([0., 3.])
    """
    return dy * (y > 0)
