"""AdaBelief: Adam that divides by how far gradients are from what the first moment expects.

Noun: the *surprise* is the state array ``s``, a running mean of the squared distance between gradient
and first moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class AdaBelief(Adam):
    r"""Long steps where gradients are as expected, short ones where they surprise.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        s_t &= \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \varepsilon', \qquad s_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{m_t}{1 - \beta_1^t} \Big/
            \Bigl( \sqrt{\frac{s_t}{1 - \beta_2^t}} + \varepsilon \Bigr)

    Parameters
    ----------
    params, learning_rate, **options
        Those of `Adam`.
    beta1, beta2
        The decay rates of the first moment and of the surprise, in [0, 1), without units.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on.
    eps_root
        The number :math:`\varepsilon'`, in the units of a squared gradient, from 0 on. It adds up:
        after a long time there is :math:`\varepsilon' / (1 - \beta_2)` of it in the surprise.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Zhuang et al., 2020, algorithm 2, where both epsilons are one. Optax has 1e-16 for both.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdaBelief(theta, learning_rate=0.125, beta1=0.5, eps=0.0, eps_root=0.0)
    >>> optimizer.step(np.array([3.0, -0.5]))  # half of the gradient was expected
    >>> theta.round(6)
    array([ 0.75, -1.75])
    """

    slots = ("m", "s")
    eps_root: float = setting()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_root: float = 1e-8,
        **options: Any,
    ) -> None:
        self.eps_root = eps_root
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, m, s):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        s = self.beta2 * s + (1 - self.beta2) * (g - m) ** 2 + self.eps_root  # surprise
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        s_hat = s / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(s_hat) + self.eps), (m, s)
