"""The plain layers: dense, activations, dropout and residual connections.

A layer is a pair of functions. The forward one returns its output. The backward one takes `dy`, the
gradient of the loss with respect to that output, and what the forward pass was given or returned; it
returns the gradients with respect to each input, in the order of the forward function's arguments,
each of its input's shape. Rows are examples.

Activations work on every element by itself: they take `x` of any shape, and their backward functions
take `dy` and the array beside it of that one shape.

All arrays are floating point. A function raises a TypeError that names an argument which is not such
an array, and a ValueError if shapes don't belong together (NumPy would broadcast some of them).
"""

from __future__ import annotations

from numbers import Real

import numpy as np

from optimlib.arguments import check_generator
from optimlib.nn.arguments import (
    check_floating,
    check_like_output,
    check_real,
    check_shapes,
)


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
    TypeError
        If an argument is not a floating-point array.
    ValueError
        If the shapes don't belong together. (A `b` of another shape would often be broadcast.)

    Examples
    --------
    >>> dense(np.array([[1.0, 2.0]]), W=np.array([[1.0], [10.0]]), b=np.array([100.0]))
    array([[121.]])
    """
    check_shapes(x=(x, "examples, inputs"), W=(W, "inputs, outputs"), b=(b, "outputs"))
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

    Raises
    ------
    TypeError
        If an argument is not a floating-point array.
    ValueError
        If the shapes don't belong together.

    Examples
    --------
    >>> dx, dW, db = dense_backward(np.array([[1.0]]), x=np.array([[3.0, 4.0]]), W=np.ones((2, 1)))
    >>> dx, dW.ravel(), db
    (array([[1., 1.]]), array([3., 4.]), array([1.]))
    """
    check_shapes(dy=(dy, "examples, outputs"), x=(x, "examples, inputs"), W=(W, "inputs, outputs"))
    dx = dy @ W.T
    dW = x.T @ dy
    db = dy.sum(axis=0)  # the bias was broadcast over the examples
    return dx, dW, db


def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent of every element.

    Examples
    --------
    >>> tanh(np.array([0.0]))
    array([0.])
    """
    check_floating("x", x)
    return np.tanh(x)


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `tanh`: ``dy (1 - y**2)``.

    Examples
    --------
    >>> tanh_backward(np.array([2.0]), y=np.array([0.5]))
    array([1.5])
    """
    check_floating("y", y)
    check_like_output(dy, y.shape)
    return dy * (1 - y**2)


def relu(x: np.ndarray) -> np.ndarray:
    """The positive part of every element.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    check_real("x", x)
    return np.maximum(x, 0)


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `relu`.

    At 0, where there is no derivative, it is taken to be 0.

    Examples
    --------
    >>> relu_backward(np.array([3.0, 3.0]), y=np.array([0.0, 2.0]))
    array([0., 3.])
    """
    check_real("y", y)
    check_like_output(dy, y.shape)
    return dy * (y > 0)


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Every element as it is if it is positive, otherwise times `slope`.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]), slope=0.5)
    array([-0.5,  2. ])
    """
    check_real("x", x)
    _check_slope(slope)
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(dy: np.ndarray, x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """The gradient with respect to the input `x`.

    At 0, where there is no derivative, it is taken to be `slope`. The output would not do in place
    of the input: with a negative slope its sign says nothing.

    Examples
    --------
    >>> leaky_relu_backward(np.array([3.0, 3.0]), x=np.array([-1.0, 2.0]), slope=0.5)
    array([1.5, 3. ])
    """
    check_real("x", x)
    check_like_output(dy, x.shape)
    _check_slope(slope)
    return np.where(x > 0, dy, slope * dy)


def sigmoid(x: np.ndarray) -> np.ndarray:
    r"""The logistic function of every element, between 0 and 1.

    .. math::

        \sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{e^x + 1}
        = \frac{e^{\min(x, 0)}}{1 + e^{-\lvert x\rvert}}

    The first form overflows for large negative :math:`x`, the second for large positive; the third
    is whichever of them does not.

    Examples
    --------
    >>> sigmoid(np.array([0.0, -1e4, 1e4]))
    array([0.5, 0. , 1. ])
    """
    check_real("x", x)
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the output `y` of `sigmoid`: ``dy y (1 - y)``.

    Examples
    --------
    >>> sigmoid_backward(np.array([8.0]), y=np.array([0.25]))
    array([1.5])
    """
    check_floating("y", y)
    check_like_output(dy, y.shape)
    return dy * y * (1 - y)


def dropout(x: np.ndarray, rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Set each element to 0 with probability `rate`, else divide it by ``1 - rate``: for training.

    So the output's expected value is the input, and after training the layer is left out.

    Parameters
    ----------
    x
        Inputs, of any shape.
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
        If `x` is not a floating-point array, `rate` is not a number, or `rng` is not a generator.
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
    check_floating("x", x)
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise TypeError(f"rate is {rate!r}; expected a number from 0 on and below 1")
    if not 0 <= rate < 1:
        raise ValueError(f"rate is {rate!r}; expected a number from 0 on and below 1")
    check_generator("rng", rng)
    kept = rng.random(x.shape) >= rate
    mask = (kept / (1 - rate)).astype(x.dtype)
    return x * mask, mask


def dropout_backward(dy: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The gradient with respect to the input, from the mask that `dropout` returned: ``dy mask``.

    Examples
    --------
    >>> dropout_backward(np.array([3.0, 3.0]), mask=np.array([0.0, 2.0]))
    array([0., 6.])
    """
    check_floating("mask", mask)
    check_like_output(dy, mask.shape)
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
    TypeError
        If an argument is not a floating-point array.
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
    check_floating("x", x)
    check_floating("fx", fx)
    if x.shape != fx.shape:
        raise ValueError(f"x has shape {x.shape} and fx {fx.shape}; expected the same shape twice")
    return x + fx


def residual_backward(dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients with respect to `x` and `fx`: `dy`, twice.

    What comes back through the layers that made `fx` from `x` is to be added to the first.

    Examples
    --------
    >>> residual_backward(np.array([3.0]))
    (array([3.]), array([3.]))
    """
    check_floating("dy", dy)
    return dy, dy


def _check_slope(slope: float) -> None:
    """Refuse what is not a finite number."""
    if isinstance(slope, bool) or not isinstance(slope, Real):
        raise TypeError(f"slope is {slope!r}; expected a number")
    if not np.isfinite(slope):
        raise ValueError(f"slope is {slope!r}; expected a finite number")
