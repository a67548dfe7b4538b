"""LAMB: Adam with steps in proportion to every array, for batches of many thousand examples.

Noun: the *trust ratio* of an array is the norm of its parameters over that of its direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.lars import in_proportion
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class LAMB(Adam):
    r"""Adam's direction, with a learning rate for every array in proportion to its size.

    .. math::

        u_t &= \hat m_t / (\sqrt{\hat v_t} + \varepsilon) + \lambda \theta_{t-1} \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{|\theta_{t-1}|}{|u_t|} u_t

    with the corrected moments of `Adam`. For an array or a direction of zeros the fraction counts as 1.

    Parameters
    ----------
    params, beta1, beta2, **options
        Those of `Adam`. The norms are those of whole arrays.
    learning_rate
        The step size :math:`\eta`, without units: the fraction of an array's length that its step has;
        or a schedule.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on.
    decay
        The strength :math:`\lambda` of weight decay, from 0 on, in units of one over those of the
        parameters. It is part of the rule, since the ratio sees it; so there is no keyword
        `weight_decay`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, a keyword is unknown, or `weight_decay` or `mask` is given.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    You et al., 2020, algorithm 2 with :math:`\phi(z) = z`; the default of epsilon is Optax's.

    Examples
    --------
    >>> theta = np.array([3.0, 4.0])
    >>> optimizer = LAMB(theta, learning_rate=0.125, eps=0.0)
    >>> optimizer.step(np.array([-0.5, 0.5]))  # an eighth of the length 5, along the signs
    >>> theta.round(6)
    array([3.441942, 3.558058])
    """

    needs_whole_arrays = True
    needs_parameters = True
    decay: float = setting()
    hints_for_keywords = Adam.hints_for_keywords | {
        "weight_decay": "here it is decay, a part of the rule",
        "mask": "its decay is of all arrays",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        decay: float = 0.0,
        **options: Any,
    ) -> None:
        self._refuse_keywords({key: options[key] for key in ("weight_decay", "mask") if key in options})
        self.decay = decay
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, p, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        v_hat = v / (1 - self.beta2**self.t)
        u = m_hat / (np.sqrt(v_hat) + self.eps) + self.decay * p
        return self.learning_rate * in_proportion(p, u), (m, v)
