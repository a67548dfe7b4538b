r"""Random weights to start a network from.

Every function takes the shape of the weights, as the layers have it: (inputs, outputs) for a dense
layer, (outputs, inputs, height, width) for a convolution. What matters is how many numbers meet in
a sum: the *fan-in* :math:`n_\mathrm{in}`, terms in each output, and the *fan-out*
:math:`n_\mathrm{out}`, outputs (before any stride) that each input is a term of. All functions
return float64 weights of the shape they are given, drawn from the generator `rng`, and raise a
TypeError or a ValueError if `shape` is not that of weights, a TypeError if `rng` is not a generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod, sqrt
from numbers import Integral, Real

import numpy as np

from optimlib.arguments import check_generator


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """The fan-in and the fan-out of weights.

    Parameters
    ----------
    shape
        (inputs, outputs), or (outputs, inputs, height, width), where both fans count every place of
        the kernel: inputs * height * width and outputs * height * width.

    Returns
    -------
    tuple
        ``(fan_in, fan_out)``, as Python ints.

    Raises
    ------
    TypeError
        If `shape` is not a sequence of whole numbers.
    ValueError
        If it has another length, or a number less than 1.

    Examples
    --------
    >>> fans((784, 128))
    (784, 128)
    >>> fans((16, 3, 5, 5))  # 3 * 5 * 5 and 16 * 5 * 5
    (75, 400)
    """
    whole = isinstance(shape, Sequence) and all(
        isinstance(n, Integral) and not isinstance(n, bool) for n in shape
    )
    if not whole:
        raise TypeError(f"shape is {shape!r}; expected a tuple of whole numbers")
    if len(shape) not in (2, 4) or min(shape) < 1:
        raise ValueError(
            f"shape is {shape!r}; expected (inputs, outputs) or (outputs, inputs, height, width),"
            " each at least 1"
        )
    if len(shape) == 2:
        inputs, outputs = map(int, shape)
        return inputs, outputs
    outputs, inputs, *kernel = map(int, shape)
    return inputs * prod(kernel), outputs * prod(kernel)


def glorot_uniform(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    r"""Uniform weights for layers that are linear near 0, such as those with tanh.

    .. math::

        W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}

    Their variance is :math:`a^2/3 = 2 / (n_\mathrm{in} + n_\mathrm{out})`: between
    :math:`1/n_\mathrm{in}`, which keeps the variance of the signal going forward, and
    :math:`1/n_\mathrm{out}`, which keeps that of the gradient coming back.

    Parameters
    ----------
    shape
        Of the weights, as `fans` takes it.
    rng
        The random numbers come from it.

    Returns
    -------
    numpy.ndarray
        float64, of that shape.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not that of weights (see `fans`), or `rng` is not a generator.

    Notes
    -----
    X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural
    networks*, AISTATS 2010, equation 16.

    Examples
    --------
    >>> W = glorot_uniform((100, 50), np.random.default_rng(0))
    >>> W.shape, bool(np.abs(W).max() <= 0.2)  # sqrt(6 / 150)
    ((100, 50), True)
    """
    fan_in, fan_out = fans(shape)
    check_generator("rng", rng)
    a = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-a, a, shape)


def glorot_normal(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    r"""Normal weights of the same variance as `glorot_uniform`.

    .. math::

        W \sim N(0, \sigma^2), \qquad \sigma^2 = \frac{2}{n_\mathrm{in} + n_\mathrm{out}}

    Some libraries draw from a normal distribution that is cut off at two standard deviations; this one
    is not cut off.

    Parameters
    ----------
    shape
        Of the weights, as `fans` takes it.
    rng
        The random numbers come from it.

    Returns
    -------
    numpy.ndarray
        float64, of that shape.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not that of weights (see `fans`), or `rng` is not a generator.

    Notes
    -----
    X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural
    networks*, AISTATS 2010, where the weights are uniform.

    Examples
    --------
    >>> W = glorot_normal((100, 100), np.random.default_rng(0))
    >>> print(f"{W.std():.2f}")  # sqrt(2 / 200)
    0.10
    """
    fan_in, fan_out = fans(shape)
    check_generator("rng", rng)
    sigma = sqrt(2 / (fan_in + fan_out))
    return sigma * rng.standard_normal(shape)


def he_uniform(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    r"""Uniform weights of the same variance as `he_normal`.

    .. math::

        W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_\mathrm{in}}}

    Parameters
    ----------
    shape
        Of the weights, as `fans` takes it.
    rng
        The random numbers come from it.

    Returns
    -------
    numpy.ndarray
        float64, of that shape.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not that of weights (see `fans`), or `rng` is not a generator.

    Notes
    -----
    K. He, X. Zhang, S. Ren and J. Sun, *Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification*, ICCV 2015, where the weights are normal.

    Examples
    --------
    >>> W = he_uniform((150, 10), np.random.default_rng(0))
    >>> bool(np.abs(W).max() <= 0.2)  # sqrt(6 / 150)
    True
    """
    fan_in, _ = fans(shape)
    check_generator("rng", rng)
    a = sqrt(6 / fan_in)
    return rng.uniform(-a, a, shape)


def he_normal(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    r"""Normal weights for layers that ReLU follows.

    .. math::

        W \sim N(0, \sigma^2), \qquad \sigma^2 = \frac{2}{n_\mathrm{in}}

    ReLU lets through half of the mean square of a symmetric signal; the 2 makes up for it.

    Parameters
    ----------
    shape
        Of the weights, as `fans` takes it.
    rng
        The random numbers come from it.

    Returns
    -------
    numpy.ndarray
        float64, of that shape.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not that of weights (see `fans`), or `rng` is not a generator.

    Notes
    -----
    K. He, X. Zhang, S. Ren and J. Sun, *Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification*, ICCV 2015, section 2.2.

    Examples
    --------
    >>> W = he_normal((200, 100), np.random.default_rng(0))
    >>> print(f"{W.std():.2f}")  # sqrt(2 / 200)
    0.10
    """
    fan_in, _ = fans(shape)
    check_generator("rng", rng)
    sigma = sqrt(2 / fan_in)
    return sigma * rng.standard_normal(shape)


def orthogonal(shape: Sequence[int], rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    r"""Weights that keep lengths: a random orthogonal matrix, times `gain`.

    .. math::

        A = QR, \qquad W_{ij} = \text{gain} \cdot Q_{ij} \operatorname{sign} R_{jj}

    with independent normal numbers in :math:`A`. The signs make every orthogonal matrix equally
    likely, whatever signs the factorization prefers. A matrix that is not square has orthonormal
    columns if it is tall, orthonormal rows if it is wide. The weights of a convolution are such a
    matrix with a row for each output.

    Parameters
    ----------
    shape
        Of the weights, as `fans` takes it.
    rng
        The random numbers come from it.
    gain
        Factor on all weights, positive: 1 for linear layers, :math:`\sqrt 2` before ReLU.

    Returns
    -------
    numpy.ndarray
        float64, of that shape.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not that of weights (see `fans`), or `rng` is not a generator, or `gain` is not a
        positive, finite number.

    Notes
    -----
    A. M. Saxe, J. L. McClelland and S. Ganguli, *Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks*, ICLR 2014. The signs: F. Mezzadri, *How to generate
    random matrices from the classical compact groups*, Notices of the AMS 54 (2007), 592-604.

    Examples
    --------
    >>> W = orthogonal((3, 2), np.random.default_rng(0))
    >>> bool(np.allclose(W.T @ W, np.eye(2)))
    True
    """
    fans(shape)
    check_generator("rng", rng)
    if isinstance(gain, bool) or not isinstance(gain, Real):
        raise TypeError(f"gain is {gain!r}; expected a positive, finite number")
    if not 0 < gain < inf:
        raise ValueError(f"gain is {gain!r}; expected a positive, finite number")
    rows, columns = shape[0], prod(shape[1:])
    A = rng.standard_normal((max(rows, columns), min(rows, columns)))
    Q, R = np.linalg.qr(A)
    W = gain * Q * np.sign(np.diag(R))
    return (W if rows >= columns else W.T).reshape(shape)
