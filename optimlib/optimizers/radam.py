"""RAdam: Adam that waits until its second moment can be relied on.

Nouns: ``rho`` is the number of gradients that the second moment is made of, in effect; ``r`` is the
*rectification*, the factor by which the second moment is trusted once there are enough of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.division import nonzero
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class RAdam(Adam):
    r"""Adam that takes steps of momentum first, and enters its second moment by degrees.

    .. math::

        \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
            {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}} \\
        \theta_t &= \theta_{t-1} - \eta_t r_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)
            \text{ if } \rho_t > \tau, \text{ else } \theta_{t-1} - \eta_t \hat m_t

    with the corrected moments of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, **options
        Those of `Adam`. Until :math:`\rho_t > \tau` the step is not divided by the gradient's size, and
        the learning rate has the units of the parameters over those of the gradient.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, as in the paper,
        a coordinate whose gradient has always been zero takes no step.
    threshold
        The number :math:`\tau` of gradients from which a second moment is trusted: at least 4, below
        which its variance is infinite.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Liu et al., 2020, algorithm 2, which has no epsilon and the threshold 4. The authors' own code,
    PyTorch and Optax take 5. (Optax enters it at 5 and not only above, should a :math:`\rho_t` ever be
    5 exactly.)

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RAdam(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.625 , -1.9375])
    """

    hints_for_keywords = Adam.hints_for_keywords | {"eps_hat": "use the class RAdamEpsHat"}

    threshold: float = setting(lowest=4.0)

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        threshold: float = 4.0,
        **options: Any,
    ) -> None:
        self.threshold = threshold
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        v_hat = v / (1 - self.beta2**self.t)
        rho, r = rectification(self.beta2, self.t)
        if rho <= self.threshold:  # the method's own "else"
            return self.learning_rate * m_hat, (m, v)
        return self.learning_rate * r * m_hat / nonzero(np.sqrt(v_hat) + self.eps), (m, v)


class RAdamEpsHat(RAdam):
    r"""RAdam with epsilon added to the root of the uncorrected second moment.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t r_t \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
            \frac{m_t}{\sqrt{v_t} + \hat\varepsilon}
            \text{ if } \rho_t > \tau, \text{ else } \theta_{t-1} - \eta_t \hat m_t

    with the moments of `Adam`, and :math:`\rho_t` and :math:`r_t` of `RAdam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, threshold, **options
        Those of `RAdam`.
    eps
        The number :math:`\hat\varepsilon`, in the units of the gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    PyTorch has this form, with threshold 5.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RAdamEpsHat(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.625 , -1.9375])
    """

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        rho, r = rectification(self.beta2, self.t)
        if rho <= self.threshold:  # the method's own "else"
            return self.learning_rate * (m / c1), (m, v)
        return self.learning_rate * r * math.sqrt(c2) / c1 * m / nonzero(np.sqrt(v) + self.eps), (m, v)


def rectification(beta2: float, t: int) -> tuple[float, float]:
    r"""The number :math:`\rho_t` of gradients in the second moment, and the factor :math:`r_t`.

    The factor is NaN where :math:`\rho_t \le 4`, where it does not exist.

    Examples
    --------
    >>> rho, r = rectification(0.75, 6)
    >>> round(rho, 4), round(r, 4)
    (4.4018, 0.3199)
    """
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho <= 4:
        return rho, math.nan
    return rho, math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
