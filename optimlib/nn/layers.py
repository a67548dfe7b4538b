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


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Every element as it is if it is positive, otherwise times `slope`.

    >>> leaky_relu(np.array([-1.0, 2.0]), slope=0.5)
    array([-0.5,  2. ])
    """
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(dy: np.ndarray, x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """The gradient with respect to the input `x`.

    At 0, where there is no derivative, it is taken to be `slope`. The output would not do instead of
    the input: with a negative slope its sign says nothing.

    >>> leaky_relu_backward(np.array([3.0, 3.0]), x=np.array([-1.0, 2.0]), slope=0.5)
    array([1.5, 3. ])
    """
    return np.where(x > 0, dy, slope * dy)


def sigmoid(x: np.ndarray) -> np.ndarray:
    r"""The logistic function of every element, between 0 and 1.

    .. math::

        \sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{e^x + 1}
        = \frac{e^{\min(x, 0)}}{1 + e^{-\lvert x\rvert}}

    The first form overflows for large negative :math:`x`, the second for large positive; the third
    is whichever of them does not.

    >>> sigmoid(np.array([0.0, -1e4, 1e4]))
    array([0.5, 0. , 1. ])
    """
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `sigmoid`: ``dy y (1 - y)``.

    >>> sigmoid_backward(np.array([8.0]), y=np.array([0.25]))
    array([1.5])
    """
    return dy * y * (1 - y)


def dropout(x: np.ndarray, rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Set each element to 0 with probability `rate`, else divide it by ``1 - rate``: for training.

    So the output's expected value is the input, and after training the layer is left out.

    Parameters
    ----------
    x
        Inputs, floating point of any shape.
    rate
        Probability of dropping an element: from 0 on, below 1.
    rng
        Chooses the elements.

    Returns
    -------
    tuple
        ``(y, mask)`` with ``y = x * mask``; the mask is 0 or ``1 / (1 - rate)`` for each element.

    Raises
    ------
    TypeError
        If `x` is not floating point, or `rng` is no generator.
    ValueError
        If `rate` is out of its range.

    Notes
    -----
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, *Dropout: a simple
    way to prevent neural networks from overfitting*, JMLR 15 (2014). The paper multiplies the
    weights by ``1 - rate`` after training; here the division while training does the same.

    Examples
    --------
    >>> y, mask = dropout(np.ones(1000), 0.75, np.random.default_rng(0))
    >>> np.unique(y)
    array([0., 4.])
    """
    if x.dtype.kind != "f":
        raise TypeError(f"x has dtype {x.dtype}; expected floating point")
    if not 0 <= rate < 1:
        raise ValueError(f"rate is {rate!r}; expected a number from 0 on and below 1")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; expected a numpy.random.Generator")
    kept = rng.random(x.shape) >= rate
    mask = (kept / (1 - rate)).astype(x.dtype)
    return x * mask, mask


def dropout_backward(dy: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the mask that `dropout` returned: ``dy mask``.

    >>> dropout_backward(np.array([3.0, 3.0]), mask=np.array([0.0, 2.0]))
    array([0., 6.])
    """
    return dy * mask


def residual(x: np.ndarray, fx: np.ndarray) -> np.ndarray:
    """A residual connection: the input `x` of some layers plus their output `fx`.

    Parameters
    ----------
    x, fx
        Of one shape.

    Returns
    -------
    numpy.ndarray
        ``x + fx``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, *Deep residual learning for image
    recognition*, CVPR 2016.

    Examples
    --------
    >>> residual(np.array([1.0, 2.0]), np.array([0.5, -0.5]))
    array([1.5, 1.5])
    """
    if x.shape != fx.shape:
        raise ValueError(f"x has shape {x.shape} and fx {fx.shape}; expected the same shape twice")
    return x + fx


def residual_backward(dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients with respect to `x` and `fx`: `dy`, twice.

    What comes back through the layers that made `fx` from `x` is to be added to the first.

    >>> residual_backward(np.array([3.0]))
    (array([3.]), array([3.]))
    """
    return dy, dy
