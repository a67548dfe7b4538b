"""Adadelta: step sizes with the right units, and none left to choose."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Adadelta(Optimizer):
    r"""Divide by the size of the usual gradient and multiply by that of the usual step.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = 0 \\
        u_t &= \frac{\sqrt{d_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}} g_t \\
        d_t &= \rho d_{t-1} + (1 - \rho) u_t^2, \qquad d_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t u_t

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        A factor :math:`\eta` without units, or a schedule. The paper has none, which is 1.
    rho
        The decay rate of the means of :math:`g^2` and of :math:`u^2`, in [0, 1), without units.
    eps
        The number :math:`\varepsilon` under both roots, from 0 on: in the units of a squared gradient
        and of a squared step, so it fixes both. The first steps are made of the upper one: with 0
        nothing ever moves, and a gradient of zero divides 0 by 0.
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
    Zeiler, 2012; the defaults are the paper's.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Adadelta(theta, rho=0.75, eps=0.25)
    >>> optimizer.step(np.array([0.0, -3 ** 0.5]))
    >>> theta.round(6)
    array([ 1.      , -1.133975])
    """

    slots = ("v", "d")
    rho: float = setting(below=1.0)
    eps: float = setting()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1.0,
        rho: float = 0.95,
        eps: float = 1e-6,
        **options: Any,
    ) -> None:
        self.rho, self.eps = rho, eps
        super().__init__(params, learning_rate, **options)

    def rule(self, g, v, d):
        v = self.rho * v + (1 - self.rho) * g**2  # usual gradient, squared
        u = np.sqrt(d + self.eps) / np.sqrt(v + self.eps) * g
        d = self.rho * d + (1 - self.rho) * u**2  # usual step, squared
        return self.learning_rate * u, (v, d)
