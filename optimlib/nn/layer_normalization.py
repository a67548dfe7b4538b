r"""Layer normalization: every example is normalized over its own features.

A mean is subtracted and the result divided by a standard deviation, then scaled by :math:`\gamma` and
shifted by :math:`\beta`, which are learned. An example's output does not depend on the other examples,
so training and evaluation are one function. `dy` is the gradient of the loss with respect to the output.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimlib.nn.arguments import check_cache, check_eps, check_like_output, check_shapes


class LayerNormCache(NamedTuple):
    """What `layer_norm_backward` needs from `layer_norm`."""

    x_hat: np.ndarray  #: the normalized inputs, of the shape of the output
    inverse_std: np.ndarray  #: 1 / sqrt(variance + eps), shape (..., examples, 1)
    gamma: np.ndarray  #: the scales, as given


def layer_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, LayerNormCache]:
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
        The output, of the shape of `x`, and a `LayerNormCache`.

    Raises
    ------
    TypeError
        If an array is not floating point, or `eps` is not a number.
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
    check_shapes(x=(x, "..., examples, features"), gamma=(gamma, "features"), beta=(beta, "features"))
    if x.shape[-1] < 2:
        raise ValueError(f"x has shape {x.shape}; expected at least two features to normalize over")
    check_eps(eps)
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    inverse_std = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * inverse_std
    return gamma * x_hat + beta, LayerNormCache(x_hat, inverse_std, gamma)


def layer_norm_backward(
    dy: np.ndarray, cache: LayerNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients with respect to `x`, `gamma` and `beta` of a loss whose gradient is `dy`.

    The mean and the variance depend on every feature of the example, and so does every output. With
    :math:`d\hat x_{ij} = \gamma_j \, dy_{ij}` for the gradient with respect to
    :math:`\hat x_{ij}`,

    .. math::

        dx_{ij} = \frac{1}{\sqrt{\sigma_i^2 + \varepsilon}} \Bigl(d\hat x_{ij}
        - \frac1d \sum_k d\hat x_{ik}
        - \hat x_{ij} \, \frac1d \sum_k d\hat x_{ik} \, \hat x_{ik} \Bigr)

    where the first mean comes from :math:`\mu_i` and the second from :math:`\sigma_i^2`.

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
    TypeError
        If `dy` is not a floating-point array, or `cache` does not come from `layer_norm`.
    ValueError
        If `dy` does not have the shape of the output.

    Examples
    --------
    >>> x = np.array([[-1.0, 0.0, 1.0]])
    >>> y, cache = layer_norm(x, np.ones(3), np.zeros(3))
    >>> dx, dgamma, dbeta = layer_norm_backward(np.ones((1, 3)), cache)
    >>> dx, dbeta  # the outputs' sum stays the same, whatever the inputs
    (array([[0., 0., 0.]]), array([1., 1., 1.]))
    """
    check_cache(cache, LayerNormCache, "layer_norm")
    x_hat, inverse_std, gamma = cache
    check_like_output(dy, x_hat.shape)
    examples = tuple(range(dy.ndim - 1))  # every axis but the last
    dgamma = (dy * x_hat).sum(axis=examples)
    dbeta = dy.sum(axis=examples)
    dx_hat = dy * gamma
    through_mean = dx_hat.mean(axis=-1, keepdims=True)
    through_variance = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse_std * (dx_hat - through_mean - through_variance)
    return dx, dgamma, dbeta
