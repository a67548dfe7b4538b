r"""Schedule-free methods: an average of the iterates in the place of a schedule that ends.

Nouns, from the paper: ``z`` is where the steps are taken; ``x`` is a mean of all ``z``, and what to use
in the end; ``y`` lies between them, and is where gradients are taken. The parameters of a running
optimizer are ``y``, and its state has ``z``, so that

.. math:: x = (y - (1 - \beta) z) / \beta

which is what `averaged` returns.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from optimlib.arguments import hyperparameter
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.division import nonzero
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree, flatten, map_tree


def inside(name: str, value: float) -> float:
    """A number above 0 and below 1.

    >>> inside("beta1", 0)
    Traceback (most recent call last):
        ...
    ValueError: beta1 is 0; expected 0.0 < beta1 < 1.0
    """
    number = hyperparameter(name, value, below=1.0)
    if number == 0:
        raise ValueError(f"{name} is {value}; expected 0.0 < {name} < 1.0")
    return number


class ScheduleFreeSGD(Optimizer):
    r"""Gradient descent whose mean of iterates does the work of a learning-rate schedule.

    .. math::

        z_t &= z_{t-1} - \eta_t g_t, \qquad z_0 = y_0 \\
        w_t &= w_{t-1} + \eta_t^2, \qquad c_t = \eta_t^2 / w_t, \qquad w_0 = 0 \\
        x_t &= (1 - c_t) x_{t-1} + c_t z_t \\
        y_t &= (1 - \beta) z_t + \beta x_t

    Parameters
    ----------
    params
        The parameters :math:`y`: a tree of float arrays of any shapes, changed in place by every step.
        Take gradients there; what to evaluate and to keep is `averaged`.
    learning_rate
        The step size :math:`\eta`, in units of the parameters over those of the gradient: a number, or
        a schedule that rises and then stays.
    beta1
        How near to the mean gradients are taken, :math:`\beta`, between 0 and 1, without units.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is L2, at :math:`y`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Defazio et al., 2024, algorithm 1 with the weights of its section 3, which let early, small steps
    of a warmup count little. :math:`x` is put in from the last line, so there is no state for it:

    .. math:: y_t = y_{t-1} - c_t (y_{t-1} - z_{t-1}) - \eta_t (1 - \beta (1 - c_t)) g_t

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = ScheduleFreeSGD(theta, learning_rate=0.5, beta1=0.5)
    >>> for _ in range(2):  # z = 0, -1 and x = 0, -1/2
    ...     optimizer.step(np.array([2.0, 0.0]))
    >>> theta, optimizer.averaged()
    (array([-0.75, -2.  ]), array([-0.5, -2. ]))
    """

    slots: tuple[str, ...] = ("z", "w")
    needs_parameters = True
    beta1: float = setting(inside)
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "momentum": "here it is beta1",
        "warmup_steps": "give learning_rate=warmup(constant(rate), steps)",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1.0,
        beta1: float = 0.9,
        **options: Any,
    ) -> None:
        self.beta1 = beta1
        super().__init__(params, learning_rate, **options)

    def initial(self, name: str, array: np.ndarray) -> np.ndarray:
        return array.copy() if name == "z" else np.zeros_like(array)

    def rule(self, g, y, z, w):
        w = w + self.learning_rate**2
        c = self.learning_rate**2 / nonzero(w)  # weight of the newest
        step = c * (y - z) + self.learning_rate * (1 - self.beta1 * (1 - c)) * g
        return step, (z - self.learning_rate * g, w)

    def averaged(self) -> Tree:
        """The mean of the iterates, :math:`x`: a new tree like `params`, to evaluate and to keep."""
        z = iter([leaf for _, leaf in flatten(self.state["z"])])
        return map_tree(lambda y: (y - (1 - self.beta1) * next(z)) / self.beta1, self.params)


class ScheduleFreeAdamW(ScheduleFreeSGD):
    r"""Adam's division by size without its first moment, which the mean of iterates replaces.

    .. math::

        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad v_0 = 0 \\
        u_t &= g_t / (\sqrt{v_t / (1 - \beta_2^t)} + \varepsilon) + \lambda y_{t-1}

    with :math:`u_t` in the place of :math:`g_t` in the equations of `ScheduleFreeSGD`.

    Parameters
    ----------
    params, **options
        Those of `ScheduleFreeSGD`.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters: a number, or a schedule that rises
        and then stays.
    beta1
        How near to the mean gradients are taken, between 0 and 1, without units.
    beta2
        The decay rate of the second moment, in [0, 1), without units.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on.
    decay
        The strength :math:`\lambda` of decoupled weight decay, from 0 on, in units of one over those of
        the parameters. It is part of the rule, since it pulls :math:`z` by :math:`y`; so there is no
        keyword `weight_decay`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, a keyword is unknown, or `weight_decay` or `mask` is given.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Defazio et al., 2024; the defaults are those of the authors' package ``schedulefree``.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = ScheduleFreeAdamW(theta, learning_rate=0.125, eps=0.0)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("z", "w", "v")
    beta2: float = setting(below=1.0)
    eps: float = setting()
    decay: float = setting()
    hints_for_keywords = ScheduleFreeSGD.hints_for_keywords | {
        "weight_decay": "here it is decay, a part of the rule",
        "mask": "its decay is of all arrays",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 2.5e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        decay: float = 0.0,
        **options: Any,
    ) -> None:
        self._refuse_keywords({key: options[key] for key in ("weight_decay", "mask") if key in options})
        self.beta2, self.eps, self.decay = beta2, eps, decay
        super().__init__(params, learning_rate, beta1, **options)

    def rule(self, g, y, z, w, v):
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        u = g / (np.sqrt(v / (1 - self.beta2**self.t)) + self.eps) + self.decay * y
        step, (z, w) = super().rule(u, y, z, w)
        return step, (z, w, v)
