"""Nadam: Adam with Nesterov's look ahead in its first moment.

Nouns: the *momentum* ``mu`` of a step is the decay rate that its first moment is corrected with; it may
grow from step to step. ``m`` and ``v`` are the moments of `optimlib.optimizers.adam`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Nadam(Adam):
    r"""Adam that looks ahead, with a momentum that grows.

    .. math::

        \mu_t &= \beta_1 (1 - 0.5 \cdot 0.96^{\psi t}) \\
        \bar m_t &= \frac{\mu_{t+1} m_t}{1 - \prod_{i=1}^{t+1} \mu_i}
            + \frac{(1 - \mu_t) g_t}{1 - \prod_{i=1}^t \mu_i} \\
        \theta_t &= \theta_{t-1} - \eta_t \bar m_t / (\sqrt{\hat v_t} + \varepsilon)

    with :math:`m_t` and :math:`\hat v_t` of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.
    momentum_decay
        The number :math:`\psi`, from 0 on, without units: how fast :math:`\mu_t` grows from
        :math:`\beta_1 / 2` to :math:`\beta_1`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Dozat, 2016; the form and the defaults are PyTorch's. The paper's algorithm 2 differs in two places,
    and no library here follows it: its :math:`\hat v_t` has another factor :math:`\beta_2`, and its
    :math:`m_t` decays with :math:`\mu_t` where this one has :math:`\beta_1`. Keras has
    :math:`\psi = 1`, under which :math:`\mu_t` reaches :math:`\beta_1` within about 100 steps.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Nadam(theta, learning_rate=0.125, beta1=0.5, momentum_decay=0.0, eps=0.0)
    >>> optimizer.step(np.array([15.0, -30.0]))  # mu = 1/4: 1/4 * 1/2 / (15/16) + 1 = 17/15 rates
    >>> theta.round(6)
    array([ 0.858333, -1.858333])
    """

    momentum_decay: float = setting()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        momentum_decay: float = 4e-3,
        **options: Any,
    ) -> None:
        self.momentum_decay = momentum_decay
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        mu, product = growing_momentum(self.beta1, self.momentum_decay, self.t)
        next_mu, next_product = growing_momentum(self.beta1, self.momentum_decay, self.t + 1)
        m_bar = next_mu / (1 - next_product) * m + (1 - mu) / (1 - product) * g  # look ahead
        v_hat = v / (1 - self.beta2**self.t)  # bias correction
        return self.learning_rate * m_bar / (np.sqrt(v_hat) + self.eps), (m, v)


class NadamConstant(Adam):
    r"""Adam that looks ahead, with a constant momentum.

    .. math::

        \bar m_t &= \frac{\beta_1 m_t}{1 - \beta_1^{t+1}} + \frac{(1 - \beta_1) g_t}{1 - \beta_1^t} \\
        \theta_t &= \theta_{t-1} - \eta_t \bar m_t / (\sqrt{\hat v_t} + \varepsilon)

    with :math:`m_t` and :math:`\hat v_t` of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax has this form. It is Dozat's algorithm 2, 2016, with constant :math:`\mu`, but for a factor
    :math:`\beta_2` in the paper's :math:`\hat v_t`: the paper's learning rate and epsilon are
    :math:`\sqrt{\beta_2}` times the ones here.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = NadamConstant(theta, learning_rate=0.125, beta1=0.5)
    >>> optimizer.step(np.array([3.0, -0.5]))  # 1/2 * 1/2 / (3/4) + 1 = 4/3 learning rates
    >>> theta.round(6)
    array([ 0.833333, -1.833333])
    """

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        mu, product, next_product = self.beta1, self.beta1**self.t, self.beta1 ** (self.t + 1)
        m_bar = mu / (1 - next_product) * m + (1 - mu) / (1 - product) * g  # look ahead
        v_hat = v / (1 - self.beta2**self.t)  # bias correction
        return self.learning_rate * m_bar / (np.sqrt(v_hat) + self.eps), (m, v)


@lru_cache(maxsize=64)  # the blocks of a step all ask for the same two
def growing_momentum(beta1: float, decay: float, t: int) -> tuple[float, float]:
    r"""The momentum :math:`\mu_t` of Nadam, and the product of :math:`\mu_1, \dots, \mu_t`.

    Parameters
    ----------
    beta1
        What the momentum grows to.
    decay
        How fast it grows, :math:`\psi`.
    t
        The number of the step, from 1.

    Examples
    --------
    >>> growing_momentum(0.5, 0.0, 3)
    (0.25, 0.015625)
    """
    product = 1.0
    for i in range(1, t + 1):
        product *= beta1 * (1 - 0.5 * 0.96 ** (decay * i))
        if product < 1e-20:  # then 1 - product is 1, and stays so
            break
    return beta1 * (1 - 0.5 * 0.96 ** (decay * t)), product
