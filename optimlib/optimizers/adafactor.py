"""Adafactor: the second moment of a matrix from its rows and its columns alone.

Nouns: the *rows* ``R`` and *columns* ``C`` are running means of the squared gradient along the rows and
down the columns of a matrix; the *root mean square* of an array is its norm over the root of its size.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optimlib.arguments import positive
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.optimizers.weight_decay import Decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Adafactor(Optimizer):
    r"""RMSProp with a second moment of rank one, and steps in proportion to the parameters.

    .. math::

        \hat\beta_t &= 1 - t^{-\kappa} \\
        R_t &= \hat\beta_t R_{t-1} + (1 - \hat\beta_t)
            \operatorname{mean}_{\text{along rows}} (g_t^2 + \varepsilon), \qquad R_0 = 0 \\
        C_t &= \hat\beta_t C_{t-1} + (1 - \hat\beta_t)
            \operatorname{mean}_{\text{down columns}} (g_t^2 + \varepsilon), \qquad C_0 = 0 \\
        V_t &= R_t C_t / \operatorname{mean} R_t \\
        u_t &= \frac{g_t}{\sqrt{V_t}}, \qquad
        \hat u_t = u_t / \max(1, \operatorname{rms}(u_t) / d) \\
        \theta_t &= \theta_{t-1}
            - \eta_t \max(\varepsilon_\theta, \operatorname{rms}(\theta_{t-1})) \, \hat u_t

    Parameters
    ----------
    params
        The parameters: a tree of float arrays, changed in place by every step. A matrix of n by m needs
        a state of n + m numbers. Of an array with more axes the last two make matrices. A vector is a
        matrix with one column, of which the second moment is exact.
    learning_rate
        The step size :math:`\eta` relative to the parameters, without units, or a schedule.
    decay
        The exponent :math:`\kappa`, from 0 on: how fast the means turn from the newest gradient to all
        of them.
    eps
        The number :math:`\varepsilon`, in the units of a *squared* gradient, from 0 on. With 0, a row
        whose gradient has always been zero divides 0 by 0.
    eps_scale
        The least size :math:`\varepsilon_\theta` that parameters count as, in their units, so that
        parameters of zero can move.
    clip_rms
        The largest root mean square :math:`d` of an array's direction, above 0, without units.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is `Decoupled`, as in PyTorch.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Shazeer and Stern, 2018, algorithms 4 to 6, without momentum; the defaults are the paper's. Its
    relative step size is the schedule ``lambda done: min(1e-2, (done + 1) ** -0.5)``; here, as in
    Optax, the learning rate is the caller's. PyTorch's ``Adafactor`` has epsilon as a floor under the
    second moment and not as a part of it.

    Examples
    --------
    >>> theta = np.full((2, 2), 2.0)
    >>> optimizer = Adafactor(theta, learning_rate=0.25)
    >>> optimizer.step(np.outer([1.0, 10.0], [3.0, -5.0]))  # of rank one: the signs are left
    >>> theta
    array([[1.5, 2.5],
           [1.5, 2.5]])
    """

    slots = ("R", "C")
    needs_whole_arrays = True
    needs_parameters = True
    default_decay = Decoupled
    decay: float = setting()
    eps: float = setting()
    eps_scale: float = setting()
    clip_rms: float = setting(positive)
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "beta2_decay": "here it is decay, with the other sign",
        "decay_rate": "here it is decay",
        "momentum": "it is left out here",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-2,
        decay: float = 0.8,
        eps: float = 1e-30,
        eps_scale: float = 1e-3,
        clip_rms: float = 1.0,
        **options: Any,
    ) -> None:
        self.decay, self.eps, self.eps_scale, self.clip_rms = decay, eps, eps_scale, clip_rms
        super().__init__(params, learning_rate, **options)

    def initial(self, name: str, array: np.ndarray) -> np.ndarray:
        return np.zeros_like(as_matrices(array).sum(axis={"R": -1, "C": -2}[name], keepdims=True))

    def rule(self, g, p, R, C):
        beta = 1 - self.t**-self.decay
        square = as_matrices(g) ** 2 + self.eps
        R = beta * R + (1 - beta) * square.mean(axis=-1, keepdims=True)  # rows
        C = beta * C + (1 - beta) * square.mean(axis=-2, keepdims=True)  # columns
        # Divided by the root of V = R C / mean(R), factor by factor: in float32 eps * eps is 0.
        u = as_matrices(g) / np.sqrt(R) / np.sqrt(C) * np.sqrt(R.mean(axis=-2, keepdims=True))
        u = u.reshape(g.shape)
        u = u / max(1.0, rms(u) / self.clip_rms)
        return self.learning_rate * max(self.eps_scale, rms(p)) * u, (R, C)


def as_matrices(array: np.ndarray) -> np.ndarray:
    """An array with at least two axes: a vector as one column, a number as one by one.

    >>> as_matrices(np.zeros(3)).shape, as_matrices(np.zeros((5, 4, 2))).shape
    ((3, 1), (5, 4, 2))
    """
    return array.reshape(array.shape + (1,) * (2 - array.ndim))


def rms(array: np.ndarray) -> float:
    """The root mean square of an array.

    >>> rms(np.array([1.0, -7.0]))
    5.0
    """
    return math.sqrt(np.mean(array**2))
