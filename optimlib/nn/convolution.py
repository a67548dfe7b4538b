r"""The convolution of images: the kernel's weights are shared by all windows of the image.

The kernel slides over the image without being flipped. Mathematics calls that a cross-correlation,
deep learning a convolution.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimlib.arguments import whole_number
from optimlib.nn.arguments import check_like_output, check_shapes

IMAGES = "examples, channels, height, width"
KERNELS = "outputs, channels, kernel height, kernel width"


def conv2d(x: np.ndarray, W: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    r"""A layer whose outputs are sums over small windows, with the same weights in every window.

    .. math::

        y_{noij} = b_o + \sum_{c,p,q} W_{ocpq} \; \bar x_{n,\,c,\;si + p,\;sj + q}

    where :math:`\bar x` is `x` with a border of zeros and :math:`s` the stride. The output is
    ``(height + 2 * padding - kernel height) // stride + 1`` high, and its width follows from the
    input's in the same way. Rows and columns at the end that no window reaches are not used.

    Parameters
    ----------
    x
        Images, shape (examples, channels, height, width).
    W
        Weights, shape (outputs, channels, kernel height, kernel width).
    b
        Biases, shape (outputs,).
    stride
        How far the window moves at a time, in pixels: 1 or more.
    padding
        Width of the border of zeros, in pixels: 0 or more.

    Returns
    -------
    numpy.ndarray
        Shape (examples, outputs, output height, output width).

    Raises
    ------
    TypeError
        If `x`, `W` or `b` is not a floating-point array.
    ValueError
        If the shapes don't belong together, the kernel is larger than the image with its border, or
        `stride` or `padding` is not a whole number of its range.

    Notes
    -----
    V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning*, 2016,
    arXiv:1603.07285, has pictures of strides and borders.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(x, W=np.ones((1, 1, 2, 2)), b=np.zeros(1))[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    check_shapes(x=(x, IMAGES), W=(W, KERNELS), b=(b, "outputs"))
    stride, padding = _checked_steps(x, W, stride, padding)
    windows = _windows(x, W, stride, padding)
    y = np.einsum("ocpq,ncijpq->noij", W, windows, optimize=True)
    return y + b[:, None, None]


def conv2d_backward(
    dy: np.ndarray, x: np.ndarray, W: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to `x`, `W` and `b` of a loss whose gradient is `dy`.

    A weight is used in every window, so its gradient is a sum over windows; a pixel lies in several
    windows, so what comes back through each of them adds up:

    .. math::

        dW_{ocpq} &= \sum_{n,i,j} dy_{noij} \; \bar x_{n,\,c,\;si + p,\;sj + q}

        d\bar x_{n,\,c,\;si + p,\;sj + q} &\mathrel{+}= \sum_o dy_{noij} \; W_{ocpq}

        db_o &= \sum_{n,i,j} dy_{noij}

    Parameters
    ----------
    dy
        Gradient with respect to the output, of its shape.
    x, W, stride, padding
        As given to `conv2d`.

    Returns
    -------
    tuple
        ``(dx, dW, db)``, of the shapes of `x`, `W` and `b`.

    Raises
    ------
    TypeError
        If `dy`, `x` or `W` is not a floating-point array.
    ValueError
        If the shapes of `x` and `W` don't belong together, `dy` does not have the shape of the output,
        the kernel is larger than the image with its border, or `stride` or `padding` is not a whole
        number of its range.

    Examples
    --------
    >>> x, W = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> dx, dW, db = conv2d_backward(np.ones((1, 1, 2, 2)), x, W)
    >>> dx[0, 0]  # how many windows each pixel lies in
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> db
    array([4.])
    """
    check_shapes(x=(x, IMAGES), W=(W, KERNELS))
    stride, padding = _checked_steps(x, W, stride, padding)
    windows = _windows(x, W, stride, padding)
    examples, channels, rows, columns, *kernel = windows.shape
    check_like_output(dy, (examples, len(W), rows, columns))
    dW = np.einsum("noij,ncijpq->ocpq", dy, windows, optimize=True)
    db = dy.sum(axis=(0, 2, 3))
    height, width = x.shape[2:]
    dx = np.zeros((examples, channels, height + 2 * padding, width + 2 * padding), np.result_type(dy, W))
    for p, q in np.ndindex(*kernel):
        pixels = dx[:, :, p : p + stride * rows : stride, q : q + stride * columns : stride]
        pixels += np.einsum("noij,oc->ncij", dy, W[:, :, p, q], optimize=True)  # in place: into dx
    dx = dx[:, :, padding : padding + height, padding : padding + width]  # the border was no input
    return dx, dW, db


def _windows(x: np.ndarray, W: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """A view of the padded images, shape (examples, channels, rows, columns, kernel height, width).

    Its element [n, c, i, j, p, q] is the pixel [n, c, stride * i + p, stride * j + q].
    """
    border = (padding, padding)
    padded = np.pad(x, ((0, 0), (0, 0), border, border))
    return sliding_window_view(padded, W.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]


def _checked_steps(x: np.ndarray, W: np.ndarray, stride: int, padding: int) -> tuple[int, int]:
    """Stride and padding as Python ints, once the kernel is not empty and fits into the image."""
    stride = whole_number("stride", stride, lowest=1)
    padding = whole_number("padding", padding)  # twice np.uint8(200) would be 144
    if not W.size:
        raise ValueError(f"W has shape {W.shape}; expected at least one of each of ({KERNELS})")
    height, width = x.shape[2] + 2 * padding, x.shape[3] + 2 * padding
    if W.shape[2] > height or W.shape[3] > width:
        raise ValueError(
            f"W has shape {W.shape}; expected a kernel of at most {height} x {width} pixels,"
            " the size of the image with its border"
        )
    return stride, padding
