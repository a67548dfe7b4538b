"""Adam (chapter 9)."""

from __future__ import annotations

import numpy as np

from optimlib.optimizer import Optimizer, Schedule, hyperparameter
from optimlib.trees import Tree


class Adam(Optimizer):
    r"""Adaptive moment estimation: a step size for every coordinate, from two running means.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad v_0 = 0 \\
        \hat m_t &= m_t / (1 - \beta_1^t) \\
        \hat v_t &= v_t / (1 - \beta_2^t) \\
        \theta_t &= \theta_{t-1} - \eta_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    beta1, beta2
        The decay rates of the means of :math:`g` and of :math:`g^2`, in [0, 1).
    eps
        Added to the denominator, outside the root, in the units of the gradient. With 0, a
        coordinate whose gradient has always been zero divides zero by zero.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`; also if `beta1` or `beta2` is outside [0, 1), or `eps` is negative or not
        finite.

    Notes
    -----
    Kingma and Ba, 2015, algorithm 1; the defaults are the paper's.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Adam(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("m", "v")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        super().__init__(params, learning_rate)

    def rule(
        self, g: np.ndarray, m: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**self.t)
        v_hat = v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps), (m, v)
