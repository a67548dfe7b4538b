"""A step size for every coordinate: AdaGrad, RMSProp, Adadelta (chapter 8)."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter
from optimlib.optimizers.conventions import WeightDecay
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class AdaGrad(WeightDecay):
    r"""Divide every coordinate by the root of the sum of all its squared gradients.

    .. math::

        G_t &= G_{t-1} + g_t^2, \qquad G_0 = 0 \\
        \theta_t &= \theta_{t-1} - \frac{\eta_t}{1 + (t-1) \kappa} \,
            \frac{g_t}{\sqrt{a + G_t} + \varepsilon}

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    eps
        Added to the denominator, in the units of the gradient. With 0, and `initial_accumulator` 0,
        a coordinate whose gradient has always been zero divides zero by zero.
    eps_inside
        Put epsilon under the root, :math:`\sqrt{a + G_t + \varepsilon}`, in the units of a squared
        gradient.
    initial_accumulator
        The constant :math:`a` to start the sum from. It shortens the first steps.
    lr_decay
        The rate :math:`\kappa` of a decay beside that of the sum, from 0 on.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `eps`, `initial_accumulator` or `lr_decay` is negative or not
        finite.

    Notes
    -----
    Duchi, Hazan and Singer, 2011, with diagonal matrices. The paper leaves the learning rate and
    epsilon open; the defaults are PyTorch's. The accumulator of this package, the state ``G``, is
    without the constant :math:`a`.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdaGrad(theta, learning_rate=0.5)
    >>> optimizer.step(np.array([3.0, -0.25]))
    >>> theta.round(6)
    array([ 0.5, -1.5])
    """

    slots = ("G",)

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-2,
        eps: float = 1e-10,
        eps_inside: bool = False,
        initial_accumulator: float = 0.0,
        lr_decay: float = 0.0,
        **options: Any,
    ) -> None:
        self.eps = hyperparameter("eps", eps)
        self.eps_inside = flag("eps_inside", eps_inside)
        self.initial_accumulator = hyperparameter("initial_accumulator", initial_accumulator)
        self.lr_decay = hyperparameter("lr_decay", lr_decay)
        super().__init__(params, learning_rate, **options)

    def rule(self, g: np.ndarray, G: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray]]:
        """One line for each of the equations above."""
        G = G + g**2
        rate = self.learning_rate / (1 + (self.t - 1) * self.lr_decay)
        return rate * g / root(self.initial_accumulator + G, self.eps, self.eps_inside), (G,)


class RMSProp(WeightDecay):
    r"""Divide every coordinate by the root of the running mean of its squared gradients.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = 0 \\
        u_t &= g_t / (\sqrt{v_t} + \varepsilon) \\
        b_t &= \mu b_{t-1} + u_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    rho
        The decay rate of the mean of :math:`g^2`, in [0, 1).
    eps
        Added to the denominator, in the units of the gradient. With 0, and `initial_accumulator` 0,
        a coordinate whose gradient has always been zero divides zero by zero.
    eps_inside
        Put epsilon under the root, :math:`\sqrt{v_t + \varepsilon}`, in the units of a squared
        gradient.
    centered
        Divide by the standard deviation: :math:`v_t - a_t^2` takes the place of :math:`v_t` in the
        second line, where :math:`a_t = \rho a_{t-1} + (1 - \rho) g_t`. Rounding may make the
        difference negative; it then counts as 0 (PyTorch and Optax return NaN).
    momentum
        The decay :math:`\mu` of the velocity :math:`b`, in [0, 1). With 0, the default, :math:`b_t`
        is :math:`u_t` and there is no such state.
    rate_in_velocity
        Put the learning rate into the velocity, :math:`b_t = \mu b_{t-1} + \eta_t u_t` and
        :math:`\theta_t = \theta_{t-1} - b_t`, which makes a difference once the rate changes.
    initial_accumulator
        The constant :math:`v_0` to start the mean from, in the units of a squared gradient: there is
        :math:`\rho^t v_0` of it in :math:`v_t`. It shortens the first steps.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `rho` or `momentum` is outside [0, 1), or `eps` or
        `initial_accumulator` is negative or not finite.

    Notes
    -----
    Tieleman and Hinton, 2012, which has neither epsilon nor momentum and gives `rho` as 0.9; the
    other defaults are common ones. The centered form: Graves, 2013. Autograd starts the mean from 1,
    and Optax from its ``initial_scale``. The mean of this package, the state ``v``, is without it.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSProp(theta, learning_rate=0.5, rho=0.75)
    >>> optimizer.step(np.array([3.0, -0.25]))
    >>> theta.round(6)
    array([ 0., -1.])
    """

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-8,
        eps_inside: bool = False,
        centered: bool = False,
        momentum: float = 0.0,
        rate_in_velocity: bool = False,
        initial_accumulator: float = 0.0,
        **options: Any,
    ) -> None:
        self.rho = hyperparameter("rho", rho, below=1.0)
        self.eps = hyperparameter("eps", eps)
        self.eps_inside = flag("eps_inside", eps_inside)
        self.centered = flag("centered", centered)
        self.momentum = hyperparameter("momentum", momentum, below=1.0)
        self.rate_in_velocity = flag("rate_in_velocity", rate_in_velocity)
        self.initial_accumulator = hyperparameter("initial_accumulator", initial_accumulator)
        self.slots = ("v",) + ("a",) * self.centered + ("b",) * bool(self.momentum)
        super().__init__(params, learning_rate, **options)

    def rule(self, g: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """One line for each of the equations above."""
        s = dict(zip(self.slots, state, strict=True))
        v = s["v"] = self.rho * s["v"] + (1 - self.rho) * g**2
        if self.initial_accumulator:
            v = v + self.rho**self.t * self.initial_accumulator
        if self.centered:
            s["a"] = self.rho * s["a"] + (1 - self.rho) * g
            v = np.maximum(v - s["a"] ** 2, 0)
        u = g / root(v, self.eps, self.eps_inside)
        if not self.momentum:
            return self.learning_rate * u, tuple(s.values())
        b = s["b"] = self.momentum * s["b"] + (self.learning_rate * u if self.rate_in_velocity else u)
        return b if self.rate_in_velocity else self.learning_rate * b, tuple(s.values())


class Adadelta(WeightDecay):
    r"""Divide by the typical gradient and multiply by the typical step: no units are left to choose.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = 0 \\
        u_t &= \frac{\sqrt{d_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}} g_t \\
        d_t &= \rho d_{t-1} + (1 - \rho) u_t^2, \qquad d_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t u_t

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        A factor :math:`\eta` without units, or a schedule. The paper has none, which is 1.
    rho
        The decay rate of the means of :math:`g^2` and of :math:`u^2`, in [0, 1).
    eps
        Added under both roots. In the upper one it is what the very first steps are made of: with 0
        nothing ever moves, and a gradient of zero divides zero by zero.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `rho` is outside [0, 1), or `eps` is negative or not finite.

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

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1.0,
        rho: float = 0.95,
        eps: float = 1e-6,
        **options: Any,
    ) -> None:
        self.rho = hyperparameter("rho", rho, below=1.0)
        self.eps = hyperparameter("eps", eps)
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, v: np.ndarray, d: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        v = self.rho * v + (1 - self.rho) * g**2
        u = np.sqrt(d + self.eps) / np.sqrt(v + self.eps) * g
        d = self.rho * d + (1 - self.rho) * u**2
        return self.learning_rate * u, (v, d)


def root(square: np.ndarray, eps: float, inside: bool) -> np.ndarray:
    """The root of `square`, with epsilon inside it or outside.

    >>> square = np.array([9.0])
    >>> root(square, 7.0, inside=True), root(square, 7.0, inside=False)
    (array([4.]), array([10.]))
    """
    return np.sqrt(square + eps) if inside else np.sqrt(square) + eps
