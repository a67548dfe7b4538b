r"""Batch normalization: every feature is normalized over the examples of the batch.

A mean is subtracted and the result divided by a standard deviation, then scaled by :math:`\gamma` and
shifted by :math:`\beta`, which are learned. In training the mean and the variance are the batch's own
(`batch_norm`); running means of them are kept (`running_statistics`), by which the layer normalizes
after training (`batch_norm_evaluate`). `dy` is the gradient of the loss with respect to the output.
"""

from __future__ import annotations

from numbers import Real
from typing import NamedTuple

import numpy as np

from optimlib.nn.arguments import check_cache, check_eps, check_like_output, check_shapes


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` needs from `batch_norm`."""

    x_hat: np.ndarray  #: the normalized inputs, shape (examples, features)
    inverse_std: np.ndarray  #: 1 / sqrt(variance + eps), shape (features,)
    gamma: np.ndarray  #: the scales, as given


def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, BatchNormCache]:
    r"""Normalize every feature over the examples of the batch: for training.

    .. math::

        \hat x_{ij} = \frac{x_{ij} - \mu_j}{\sqrt{\sigma_j^2 + \varepsilon}}, \qquad
        y_{ij} = \gamma_j \hat x_{ij} + \beta_j

    with the mean :math:`\mu_j` and the variance
    :math:`\sigma_j^2 = \frac1n \sum_i (x_{ij} - \mu_j)^2` of the column.

    Parameters
    ----------
    x
        Inputs, floating point of shape (examples, features), at least two examples. Images of shape
        (examples, channels, height, width) are first made (examples * height * width, channels).
    gamma, beta
        Scales and shifts, shape (features,).
    eps
        :math:`\varepsilon`, at least 0: keeps the denominator away from 0.

    Returns
    -------
    tuple
        The output, of the shape of `x`, and a `BatchNormCache`.

    Raises
    ------
    TypeError
        If an array is not floating point, or `eps` is not a number.
    ValueError
        If the shapes don't belong together, `eps` is negative, or there is only one example: it is
        its own mean, so the output would be `beta` whatever the input.

    Notes
    -----
    S. Ioffe and C. Szegedy, *Batch normalization: accelerating deep network training by reducing
    internal covariate shift*, ICML 2015, algorithm 1.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> y, cache = batch_norm(x, gamma=np.array([10.0]), beta=np.array([5.0]), eps=0)
    >>> y.ravel()  # mean 2, standard deviation 1
    array([-5., 15.])
    """
    check_shapes(x=(x, "examples, features"), gamma=(gamma, "features"), beta=(beta, "features"))
    _check_batch(x, least=2)
    check_eps(eps)
    mean = x.mean(axis=0)
    variance = ((x - mean) ** 2).mean(axis=0)
    inverse_std = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * inverse_std
    return gamma * x_hat + beta, BatchNormCache(x_hat, inverse_std, gamma)


def batch_norm_backward(
    dy: np.ndarray, cache: BatchNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to `x`, `gamma` and `beta` of a loss whose gradient is `dy`.

    The mean and the variance depend on every example, and so does every output. With
    :math:`d\hat x_{ij} = \gamma_j \, dy_{ij}` for the gradient with respect to
    :math:`\hat x_{ij}`,

    .. math::

        dx_{ij} = \frac{1}{\sqrt{\sigma_j^2 + \varepsilon}} \Bigl(d\hat x_{ij}
        - \frac1n \sum_k d\hat x_{kj}
        - \hat x_{ij} \, \frac1n \sum_k d\hat x_{kj} \, \hat x_{kj} \Bigr)

    where the first mean comes from :math:`\mu_j` and the second from :math:`\sigma_j^2`.

    Parameters
    ----------
    dy
        Gradient with respect to the output, shape (examples, features).
    cache
        As returned by `batch_norm`.

    Returns
    -------
    tuple
        ``(dx, dgamma, dbeta)``, of the shapes of `x`, `gamma` and `beta`.

    Raises
    ------
    TypeError
        If `dy` is not a floating-point array, or `cache` does not come from `batch_norm`.
    ValueError
        If `dy` does not have the shape of the output.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0]])
    >>> y, cache = batch_norm(x, np.ones(1), np.zeros(1))
    >>> dx, dgamma, dbeta = batch_norm_backward(np.ones((3, 1)), cache)
    >>> dx.ravel(), dbeta  # the outputs' sum stays the same, whatever the inputs
    (array([0., 0., 0.]), array([3.]))
    """
    check_cache(cache, BatchNormCache, "batch_norm")
    x_hat, inverse_std, gamma = cache
    check_like_output(dy, x_hat.shape)
    dgamma = (dy * x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    dx_hat = dy * gamma
    through_mean = dx_hat.mean(axis=0)
    through_variance = x_hat * (dx_hat * x_hat).mean(axis=0)
    dx = inverse_std * (dx_hat - through_mean - through_variance)
    return dx, dgamma, dbeta


def running_statistics(
    mean: np.ndarray, variance: np.ndarray, x: np.ndarray, momentum: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    r"""Running means of the batches' means and variances, for `batch_norm_evaluate`.

    .. math::

        \mu &\leftarrow (1 - m) \, \mu + m \, \mu_\text{batch}

        \sigma^2 &\leftarrow (1 - m) \, \sigma^2 + m \, \frac{n}{n - 1} \, \sigma^2_\text{batch}

    This is PyTorch's convention: the momentum :math:`m` is the weight of the new batch, and the
    variance is the unbiased one, which divides by :math:`n - 1`. Start with zeros and ones.

    Parameters
    ----------
    mean, variance
        So far, shape (features,). They are not changed.
    x
        The batch that `batch_norm` was given, shape (examples, features), at least two examples.
    momentum
        :math:`m`, above 0 and at most 1.

    Returns
    -------
    tuple
        The new ``(mean, variance)``.

    Raises
    ------
    TypeError
        If an array is not floating point, or `momentum` is not a number.
    ValueError
        If the shapes don't belong together, there are fewer than two examples, or `momentum` is out
        of its range.

    Examples
    --------
    >>> running_statistics(np.zeros(1), np.ones(1), np.array([[1.0], [3.0]]), momentum=0.5)
    (array([1.]), array([1.5]))
    """
    check_shapes(x=(x, "examples, features"), mean=(mean, "features"), variance=(variance, "features"))
    _check_batch(x, least=2)
    if isinstance(momentum, bool) or not isinstance(momentum, Real):
        raise TypeError(f"momentum is {momentum!r}; expected a number above 0 and at most 1")
    if not 0 < momentum <= 1:
        raise ValueError(f"momentum is {momentum!r}; expected a number above 0 and at most 1")
    mean = (1 - momentum) * mean + momentum * x.mean(axis=0)
    variance = (1 - momentum) * variance + momentum * x.var(axis=0, ddof=1)
    return mean, variance


def batch_norm_evaluate(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    eps: float = 1e-5,
) -> np.ndarray:
    r"""Normalize every feature by a mean and a variance that are given: after training.

    .. math::

        y_{ij} = \gamma_j \frac{x_{ij} - \mu_j}{\sqrt{\sigma_j^2 + \varepsilon}} + \beta_j

    An example's output no longer depends on the rest of its batch.

    Parameters
    ----------
    x
        Inputs, floating point of shape (examples, features).
    gamma, beta
        Scales and shifts, shape (features,).
    mean, variance
        As `running_statistics` returns them, shape (features,).
    eps
        :math:`\varepsilon`, at least 0.

    Returns
    -------
    numpy.ndarray
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If an array is not floating point, or `eps` is not a number.
    ValueError
        If the shapes don't belong together, or `eps` or a variance is negative.

    Examples
    --------
    >>> one = np.ones(1)
    >>> x = np.array([[7.0]])
    >>> batch_norm_evaluate(x, 10 * one, beta=one, mean=3 * one, variance=4 * one, eps=0)
    array([[21.]])
    """
    check_shapes(
        x=(x, "examples, features"),
        gamma=(gamma, "features"),
        beta=(beta, "features"),
        mean=(mean, "features"),
        variance=(variance, "features"),
    )
    _check_batch(x, least=1)
    _check_variance(variance)
    check_eps(eps)
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta


def batch_norm_evaluate_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    eps: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients with respect to `x`, `gamma` and `beta`; mean and variance are constants here.

    Parameters
    ----------
    dy
        Gradient with respect to the output, shape (examples, features).
    x, gamma, mean, variance, eps
        As given to `batch_norm_evaluate`.

    Returns
    -------
    tuple
        ``(dx, dgamma, dbeta)``, of the shapes of `x`, `gamma` and `beta`.

    Raises
    ------
    TypeError
        If an array is not floating point, or `eps` is not a number.
    ValueError
        If the shapes don't belong together, or `eps` or a variance is negative.

    Examples
    --------
    >>> one = np.ones(1)
    >>> dy, x = np.array([[2.0]]), np.array([[7.0]])
    >>> batch_norm_evaluate_backward(dy, x, 10 * one, mean=3 * one, variance=4 * one, eps=0)
    (array([[10.]]), array([4.]), array([2.]))
    """
    check_shapes(
        x=(x, "examples, features"),
        gamma=(gamma, "features"),
        mean=(mean, "features"),
        variance=(variance, "features"),
    )
    _check_batch(x, least=1)
    check_like_output(dy, x.shape)
    _check_variance(variance)
    check_eps(eps)
    inverse_std = 1 / np.sqrt(variance + eps)
    dx = dy * gamma * inverse_std
    dgamma = (dy * (x - mean) * inverse_std).sum(axis=0)
    dbeta = dy.sum(axis=0)
    return dx, dgamma, dbeta


def _check_batch(x: np.ndarray, least: int) -> None:
    """Refuse a batch of too few examples: one has no spread."""
    if not x.size:
        raise ValueError(f"x has shape {x.shape}; expected (examples, features), at least one of each")
    if len(x) < least:
        raise ValueError(f"x has shape {x.shape}; expected at least two examples to normalize over")


def _check_variance(variance: np.ndarray) -> None:
    """Refuse what has no root."""
    if not (variance >= 0).all():
        raise ValueError(f"variance has a least element of {variance.min()}; expected numbers from 0 on")
