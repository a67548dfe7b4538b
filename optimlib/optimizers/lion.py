"""Lion: steps of one length, along the sign of a mean of the gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.optimizers.weight_decay import Decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Lion(Optimizer):
    r"""The sign of one mean of the gradients, while another mean is kept.

    .. math::

        c_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        m_t &= \beta_2 m_{t-1} + (1 - \beta_2) g_t, \qquad m_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t (\operatorname{sign} c_t + \lambda \theta_{t-1})

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        The length :math:`\eta` of every coordinate's step, in the units of the parameters, or a
        schedule.
    beta1, beta2
        The decay rates of the mean that is used and of the one that is kept, in [0, 1), without units.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is :math:`\lambda` of `Decoupled`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Chen et al., 2023. The paper advises a learning rate 3 to 10 times smaller than AdamW's, and a
    weight decay larger by the same factor.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0, 3.0])
    >>> optimizer = Lion(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5, 0.0]))
    >>> theta
    array([ 0.875, -1.875,  3.   ])
    """

    slots = ("m",)
    beta1: float = setting(below=1.0)
    beta2: float = setting(below=1.0)
    default_decay = Decoupled
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "decoupled": "leave it out: Lion always decouples its decay"
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        **options: Any,
    ) -> None:
        self.beta1, self.beta2 = beta1, beta2
        super().__init__(params, learning_rate, **options)

    def rule(self, g, m):
        c = self.beta1 * m + (1 - self.beta1) * g  # mean that is used
        m = self.beta2 * m + (1 - self.beta2) * g  # mean that is kept
        return self.learning_rate * np.sign(c), (m,)
