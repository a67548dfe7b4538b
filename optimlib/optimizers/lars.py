"""LARS: steps in proportion to every array, for batches of many thousand examples.

Noun: the *trust ratio* of an array is the norm of its parameters over that of its gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class LARS(Optimizer):
    r"""The heavy ball with a learning rate for every array, in proportion to its size.

    .. math::

        b_t &= \mu b_{t-1} + \eta_t \, \gamma
            \frac{|\theta_{t-1}|}{|g_t| + \varepsilon} \, g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    where an array or a gradient of zeros counts as if the whole fraction, with :math:`\gamma`, were 1.

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step. The norms
        are those of whole arrays.
    learning_rate
        The step size :math:`\eta`, without units, or a schedule.
    momentum
        The decay rate :math:`\mu` of the velocity, in [0, 1), without units.
    trust
        The trust coefficient :math:`\gamma`, from 0 on, without units: at :math:`\eta = 1` and without
        momentum every step has this fraction of the array's length.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is L2, and part of :math:`g`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    You, Gitman and Ginsburg, 2017, in the form of Optax: the norm is that of gradient and L2 together,
    where the paper adds their norms. The paper leaves biases and the scales of normalization out of the
    ratio: give those to `optimlib.SGD`.

    Examples
    --------
    >>> theta = np.array([3.0, 4.0])
    >>> optimizer = LARS(theta, learning_rate=1.0, trust=0.1)
    >>> optimizer.step(np.array([0.0, 1e-6]))  # a tenth of the length 5
    >>> theta
    array([3. , 3.5])
    """

    slots = ("b",)
    needs_whole_arrays = True
    needs_parameters = True
    momentum: float = setting(below=1.0)
    trust: float = setting()
    eps: float = setting()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        momentum: float = 0.9,
        trust: float = 1e-3,
        eps: float = 0.0,
        **options: Any,
    ) -> None:
        self.momentum, self.trust, self.eps = momentum, trust, eps
        super().__init__(params, learning_rate, **options)

    def rule(self, g, p, b):
        scaled = in_proportion(p, g, self.trust, self.eps)
        b = self.momentum * b + self.learning_rate * scaled  # last step
        return b, (b,)


def in_proportion(p: np.ndarray, g: np.ndarray, trust: float = 1.0, eps: float = 0.0) -> np.ndarray:
    """A gradient as long as a fraction of its array; as it is if one of the two is zero.

    >>> in_proportion(np.array([3.0, 4.0]), np.array([0.0, 10.0]), trust=0.5)
    array([0. , 2.5])
    """
    p_norm, g_norm = norm(p), norm(g)
    return trust * p_norm * (g / (g_norm + eps)) if p_norm and g_norm else g


def norm(array: np.ndarray) -> float:
    """The Euclidean norm of a whole array, however small or large its squares are.

    >>> round(norm(np.float32([3e-25, 4e-25])) / 1e-25, 6)
    5.0
    """
    largest = float(np.max(np.abs(array), initial=0.0))
    unit = 2.0 ** (math.frexp(largest)[1] - 1)  # by which to divide costs no rounding
    return unit * math.sqrt(np.sum((array / unit) ** 2))
