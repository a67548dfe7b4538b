r"""Batch and layer normalization with hand-written backward passes (chapter 4 derives them).

Both subtract a mean and divide by a standard deviation, then scale by :math:`\gamma` and shift by
:math:`\beta`, which are learnt. They differ in what the mean goes over: all examples for each
feature (batch), or all features for each example (layer). The forward functions return the output
and a cache, which is what the backward ones need.
"""

from __future__ import annotations

import numpy as np

Cache = tuple[np.ndarray, np.ndarray, np.ndarray]


def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, Cache]:
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
        The output, of the shape of `x`, and the cache for `batch_norm_backward`.

    Raises
    ------
    TypeError
        If `x` is not floating point.
    ValueError
        If the shapes don't belong together or `eps` is negative. Or if there is only one example:
        it is its own mean, so the output would be `beta` whatever the input.

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
    _check_batch(x, gamma=gamma, beta=beta)
    _check_more_than_one(x)
    _check_eps(eps)
    mean = x.mean(axis=0)
    variance = ((x - mean) ** 2).mean(axis=0)
    inverse_std = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * inverse_std
    return gamma * x_hat + beta, (x_hat, inverse_std, gamma)


def batch_norm_backward(dy: np.ndarray, cache: Cache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    ValueError
        If `dy` has not the shape of the output.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0]])
    >>> y, cache = batch_norm(x, np.ones(1), np.zeros(1))
    >>> dx, dgamma, dbeta = batch_norm_backward(np.ones((3, 1)), cache)
    >>> dx.ravel(), dbeta  # the outputs' sum stays the same, whatever the inputs
    (array([0., 0., 0.]), array([3.]))
    """
    x_hat, inverse_std, gamma = cache
    _check_gradient(dy, x_hat)
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
        If `x` is not floating point.
    ValueError
        If the shapes don't belong together, there are fewer than two examples, or `momentum` is out
        of its range.

    Examples
    --------
    >>> running_statistics(np.zeros(1), np.ones(1), np.array([[1.0], [3.0]]), momentum=0.5)
    (array([1.]), array([1.5]))
    """
    _check_batch(x, mean=mean, variance=variance)
    _check_more_than_one(x)
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
        If `x` is not floating point.
    ValueError
        If the shapes don't belong together or `eps` is negative.

    Examples
    --------
    >>> one = np.ones(1)
    >>> x = np.array([[7.0]])
    >>> batch_norm_evaluate(x, 10 * one, beta=one, mean=3 * one, variance=4 * one, eps=0)
    array([[21.]])
    """
    _check_batch(x, gamma=gamma, beta=beta, mean=mean, variance=variance)
    _check_eps(eps)
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
        If `x` is not floating point.
    ValueError
        If the shapes don't belong together or `eps` is negative.

    Examples
    --------
    >>> one = np.ones(1)
    >>> dy, x = np.array([[2.0]]), np.array([[7.0]])
    >>> batch_norm_evaluate_backward(dy, x, 10 * one, mean=3 * one, variance=4 * one, eps=0)
    (array([[10.]]), array([4.]), array([2.]))
    """
    _check_batch(x, gamma=gamma, mean=mean, variance=variance)
    _check_gradient(dy, x)
    _check_eps(eps)
    inverse_std = 1 / np.sqrt(variance + eps)
    dx = dy * gamma * inverse_std
    dgamma = (dy * (x - mean) * inverse_std).sum(axis=0)
    dbeta = dy.sum(axis=0)
    return dx, dgamma, dbeta


def layer_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, Cache]:
    r"""Normalize every example over its features, the last axis.

    .. math::

        \hat x_{ij} = \frac{x_{ij} - \mu_i}{\sqrt{\sigma_i^2 + \varepsilon}}, \qquad
        y_{ij} = \gamma_j \hat x_{ij} + \beta_j

    with the mean :math:`\mu_i` and the variance
    :math:`\sigma_i^2 = \frac1d \sum_j (x_{ij} - \mu_i)^2` of the row of :math:`d` features. Training
    and evaluation are the same, and one example is enough.

    Parameters
    ----------
    x
        Inputs, floating point of shape (examples, features), or with more axes before the last.
    gamma, beta
        Scales and shifts, shape (features,).
    eps
        :math:`\varepsilon`, at least 0.

    Returns
    -------
    tuple
        The output, of the shape of `x`, and the cache for `layer_norm_backward`.

    Raises
    ------
    TypeError
        If `x` is not floating point.
    ValueError
        If the shapes don't belong together, `eps` is negative, or there is only one feature: it is
        its own mean, so the output would be `beta` whatever the input.

    Notes
    -----
    Jimmy Lei Ba, Jamie Ryan Kiros and Geoffrey E. Hinton, *Layer normalization*, 2016,
    arXiv:1607.06450.

    Examples
    --------
    >>> x = np.array([[1.0, 3.0]])
    >>> y, cache = layer_norm(x, gamma=np.array([10.0, 10.0]), beta=np.zeros(2), eps=0)
    >>> y  # mean 2, standard deviation 1
    array([[-10.,  10.]])
    """
    if x.ndim < 2 or gamma.shape != x.shape[-1:] or beta.shape != x.shape[-1:]:
        raise ValueError(
            f"x, gamma and beta have shapes {x.shape}, {gamma.shape} and {beta.shape};"
            " expected (..., examples, features), (features,) and (features,)"
        )
    if x.shape[-1] < 2:
        raise ValueError(f"x has shape {x.shape}; expected at least two features to normalize over")
    _check_floating(x)
    _check_eps(eps)
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    inverse_std = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * inverse_std
    return gamma * x_hat + beta, (x_hat, inverse_std, gamma)


def layer_norm_backward(dy: np.ndarray, cache: Cache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to `x`, `gamma` and `beta` of a loss whose gradient is `dy`.

    As for batch normalization, except that the means in `dx` go over the features:

    .. math::

        d\hat x_{ij} &= \gamma_j \, dy_{ij}

        dx_{ij} &= \frac{1}{\sqrt{\sigma_i^2 + \varepsilon}} \Bigl(d\hat x_{ij}
        - \frac1d \sum_k d\hat x_{ik}
        - \hat x_{ij} \, \frac1d \sum_k d\hat x_{ik} \, \hat x_{ik} \Bigr)

    Parameters
    ----------
    dy
        Gradient with respect to the output, of its shape.
    cache
        As returned by `layer_norm`.

    Returns
    -------
    tuple
        ``(dx, dgamma, dbeta)``, of the shapes of `x`, `gamma` and `beta`.

    Raises
    ------
    ValueError
        If `dy` has not the shape of the output.

    Examples
    --------
    >>> x = np.array([[-1.0, 0.0, 1.0]])
    >>> y, cache = layer_norm(x, np.ones(3), np.zeros(3))
    >>> dx, dgamma, dbeta = layer_norm_backward(np.ones((1, 3)), cache)
    >>> dx, dbeta  # the outputs' sum stays the same, whatever the inputs
    (array([[0., 0., 0.]]), array([1., 1., 1.]))
    """
    x_hat, inverse_std, gamma = cache
    _check_gradient(dy, x_hat)
    examples = tuple(range(dy.ndim - 1))  # every axis but the last
    dgamma = (dy * x_hat).sum(axis=examples)
    dbeta = dy.sum(axis=examples)
    dx_hat = dy * gamma
    through_mean = dx_hat.mean(axis=-1, keepdims=True)
    through_variance = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse_std * (dx_hat - through_mean - through_variance)
    return dx, dgamma, dbeta


def _check_batch(x: np.ndarray, **of_features: np.ndarray) -> None:
    """Refuse inputs that are no batch, or arrays that don't have one number for each feature."""
    if x.ndim != 2 or not x.size:
        raise ValueError(f"x has shape {x.shape}; expected (examples, features), at least one of each")
    _check_floating(x)
    for name, array in of_features.items():
        if array.shape != x.shape[1:]:
            raise ValueError(
                f"{name} has shape {array.shape}; expected {x.shape[1:]}, a number for each feature of x"
            )


def _check_more_than_one(x: np.ndarray) -> None:
    """Refuse a batch that has no spread."""
    if len(x) < 2:
        raise ValueError(f"x has shape {x.shape}; expected at least two examples to normalize over")


def _check_floating(x: np.ndarray) -> None:
    """Refuse whole numbers: the output could not have their dtype."""
    if x.dtype.kind != "f":
        raise TypeError(f"x has dtype {x.dtype}; expected floating point")


def _check_eps(eps: float) -> None:
    """Refuse what could make the root's argument negative."""
    if not eps >= 0:
        raise ValueError(f"eps is {eps!r}; expected a number from 0 on")


def _check_gradient(dy: np.ndarray, y: np.ndarray) -> None:
    """Refuse a gradient that would be broadcast."""
    if dy.shape != y.shape:
        raise ValueError(f"dy has shape {dy.shape}; expected that of the output, {y.shape}")
