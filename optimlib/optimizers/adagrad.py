"""AdaGrad: a step size for every coordinate, from all the gradients it has had.

Noun: the *accumulator* is the state array ``G``, the sum of the squared gradients.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import first_value, setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class AdaGrad(Optimizer):
    r"""Divide every coordinate by the root of the sum of all its squared gradients.

    .. math::

        G_t &= G_{t-1} + g_t^2, \qquad G_0 = a \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{g_t}{\sqrt{G_t} + \varepsilon}

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0 and an
        accumulator from 0, a coordinate whose gradient has always been zero divides 0 by 0.
    initial_accumulator
        The start :math:`a` of the sum, in the units of a squared gradient, from 0 on. It shortens the
        first steps.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is L2.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Duchi, Hazan and Singer, 2011, with diagonal matrices. The paper leaves the learning rate and
    epsilon open; the defaults are PyTorch's. PyTorch's ``lr_decay`` is the schedule
    `optimlib.schedules.inverse_time_decay`.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdaGrad(theta, learning_rate=0.5)
    >>> optimizer.step(np.array([3.0, -0.25]))
    >>> theta.round(6)
    array([ 0.5, -1.5])
    """

    slots = ("G",)
    eps: float = setting()
    initial_accumulator: float = first_value()
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "eps_inside": "use the class AdaGradEpsInside",
        "lr_decay": "give learning_rate=inverse_time_decay(rate, lr_decay)",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-2,
        eps: float = 1e-10,
        initial_accumulator: float = 0.0,
        **options: Any,
    ) -> None:
        self.eps, self.initial_accumulator = eps, initial_accumulator
        super().__init__(params, learning_rate, **options)

    def initial(self, name: str, array: np.ndarray) -> np.ndarray:
        """The sum before the first step."""
        return np.full_like(array, self.initial_accumulator)

    def rule(self, g, G):
        G = G + g**2  # accumulator
        return self.learning_rate * g / (np.sqrt(G) + self.eps), (G,)


class AdaGradEpsInside(AdaGrad):
    r"""AdaGrad with epsilon under the root.

    .. math::

        G_t &= G_{t-1} + g_t^2, \qquad G_0 = a \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{g_t}{\sqrt{G_t + \varepsilon}}

    Parameters
    ----------
    params, learning_rate, **options
        Those of `AdaGrad`.
    eps
        The number :math:`\varepsilon`, in the units of a *squared* gradient, from 0 on.
    initial_accumulator
        The start :math:`a` of the sum, in the units of a squared gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax and Keras have this form, with these defaults.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdaGradEpsInside(theta, learning_rate=0.5, eps=7.0, initial_accumulator=0.0)
    >>> optimizer.step(np.array([3.0, 0.0]))  # the root of 9 + 7
    >>> theta
    array([ 0.625, -2.   ])
    """

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-2,
        eps: float = 1e-7,
        initial_accumulator: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(params, learning_rate, eps, initial_accumulator, **options)

    def rule(self, g, G):
        G = G + g**2  # accumulator
        return self.learning_rate * g / np.sqrt(G + self.eps), (G,)
