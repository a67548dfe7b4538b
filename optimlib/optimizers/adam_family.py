"""Relatives of Adam: Nadam, Adamax, RAdam, AdaBelief and Lion (chapter 11)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter
from optimlib.optimizers.conventions import WeightDecay, always_decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Nadam(WeightDecay):
    r"""Adam with Nesterov's look ahead in its first mean.

    .. math::

        \mu_t &= \beta_1 (1 - 0.5 \cdot 0.96^{\psi t}) \\
        \bar m_t &= \frac{\mu_{t+1} m_t}{1 - \prod_{i=1}^{t+1} \mu_i}
            + \frac{(1 - \mu_t) g_t}{1 - \prod_{i=1}^t \mu_i} \\
        \theta_t &= \theta_{t-1} - \eta_t \bar m_t / (\sqrt{\hat v_t} + \varepsilon)

    with :math:`m_t` and :math:`\hat v_t` of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps
        As for `Adam`.
    momentum_decay
        How fast :math:`\mu_t` grows from :math:`\beta_1 / 2` to :math:`\beta_1`: the number
        :math:`\psi`, from 0 on. With None it does not grow: :math:`\mu_t = \beta_1`.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`; also if `momentum_decay` is negative or not finite.

    Notes
    -----
    Dozat, 2016; the form and the defaults are PyTorch's. The paper's algorithm 2 differs in two
    places, and no library here follows it: its :math:`\hat v_t` has another factor :math:`\beta_2`, and
    its :math:`m_t` decays with :math:`\mu_t` where this one has :math:`\beta_1`. Without a schedule
    the second difference is gone, and the first is one of units: the paper's learning rate and epsilon
    are :math:`\sqrt{\beta_2}` times the ones here. Optax has no schedule; Keras has
    :math:`\psi = 1`, under which :math:`\mu_t` reaches :math:`\beta_1` within about 100 steps.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Nadam(theta, learning_rate=0.125, beta1=0.5, momentum_decay=None)
    >>> optimizer.step(np.array([3.0, -0.5]))  # 1/2 * 1/2 / (3/4) + 1 = 4/3 learning rates
    >>> theta.round(6)
    array([ 0.833333, -1.833333])
    """

    slots = ("m", "v")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        momentum_decay: float | None = 4e-3,
        **options: Any,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        if momentum_decay is not None:
            momentum_decay = hyperparameter("momentum_decay", momentum_decay)
        self.momentum_decay = momentum_decay
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        mu, product = growing_momentum(self.beta1, self.momentum_decay, self.t)
        next_mu, next_product = growing_momentum(self.beta1, self.momentum_decay, self.t + 1)
        m_bar = next_mu / (1 - next_product) * m + (1 - mu) / (1 - product) * g
        v_hat = v / (1 - self.beta2**self.t)
        return self.learning_rate * m_bar / (np.sqrt(v_hat) + self.eps), (m, v)


@lru_cache(maxsize=64)  # of all blocks of a step only the first has to compute it
def growing_momentum(beta1: float, decay: float | None, t: int) -> tuple[float, float]:
    r"""Nadam's :math:`\mu_t`, and the product of :math:`\mu_1, \dots, \mu_t`.

    >>> growing_momentum(0.5, None, 3)
    (0.5, 0.125)
    """
    if decay is None:
        return beta1, beta1**t
    product = 1.0
    for i in range(1, t + 1):
        product *= beta1 * (1 - 0.5 * 0.96 ** (decay * i))
        if product < 1e-20:  # then 1 - product is 1, and stays so
            break
    return beta1 * (1 - 0.5 * 0.96 ** (decay * t)), product


class Adamax(WeightDecay):
    r"""Adam with the largest of the fading gradients in the place of their root mean square.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        u_t &= \max(\beta_2 u_{t-1}, |g_t|), \qquad u_0 = 0 \\
        \theta_t &= \theta_{t-1} - \frac{\eta_t}{1 - \beta_1^t} \frac{m_t}{u_t + \varepsilon}

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    beta1, beta2
        The decay rates of the mean and of the maximum, in [0, 1).
    eps
        Keeps the denominator from zero, in the units of the gradient.
    eps_inside
        Put epsilon into the maximum, :math:`u_t = \max(\beta_2 u_{t-1}, |g_t| + \varepsilon)`, and
        leave it out of the denominator.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `beta1` or `beta2` is outside [0, 1), or `eps` is negative or not
        finite.

    Notes
    -----
    Kingma and Ba, 2015, algorithm 2; the defaults are the paper's, which has no epsilon and so
    divides zero by zero where a gradient has always been zero.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Adamax(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("m", "u")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_inside: bool = False,
        **options: Any,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        self.eps_inside = flag("eps_inside", eps_inside)
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, u: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        inside, outside = (self.eps, 0.0) if self.eps_inside else (0.0, self.eps)
        m = self.beta1 * m + (1 - self.beta1) * g
        u = np.maximum(self.beta2 * u, np.abs(g) + inside)
        return self.learning_rate / (1 - self.beta1**self.t) * m / (u + outside), (m, u)


class RAdam(WeightDecay):
    r"""Adam that waits until its second mean can be relied on, and enters it by degrees.

    .. math::

        \rho_\infty &= \frac{2}{1 - \beta_2} - 1 \\
        \rho_t &= \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
            {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}} \\
        \theta_t &= \theta_{t-1} - \eta_t r_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)
            \text{ if } \rho_t > \tau, \text{ else } \theta_{t-1} - \eta_t \hat m_t

    with the means of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, eps_hat
        As for `Adam`.
    threshold
        The number :math:`\tau` of gradients, in effect, from which a second mean is trusted: at
        least 4, below which its variance is infinite.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`; also if `threshold` is below 4 or not finite.

    Notes
    -----
    Liu et al., 2020, algorithm 2, which has no epsilon. Its threshold is 4; the authors' own code,
    PyTorch and Optax take 5 (Optax enters it at 5 and not only above, should a :math:`\rho_t` ever
    be 5 exactly). Before the threshold the step is not divided by the gradient's size:
    it is one of gradient descent, and its learning rate has other units.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RAdam(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.625 , -1.9375])
    """

    slots = ("m", "v")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_hat: bool = False,
        threshold: float = 4.0,
        **options: Any,
    ) -> None:
        self.threshold = hyperparameter("threshold", threshold, lowest=4.0)
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        self.eps_hat = flag("eps_hat", eps_hat)
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        rho_inf = 2 / (1 - self.beta2) - 1
        rho = rho_inf - 2 * self.t * self.beta2**self.t / c2
        if rho <= self.threshold:
            return self.learning_rate * (m / c1), (m, v)
        r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        if self.eps_hat:
            return self.learning_rate * r * math.sqrt(c2) / c1 * m / (np.sqrt(v) + self.eps), (m, v)
        return self.learning_rate * r * (m / c1) / (np.sqrt(v / c2) + self.eps), (m, v)


class AdaBelief(WeightDecay):
    r"""Adam that divides by how far gradients are from what the first mean expects.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        s_t &= \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \varepsilon', \qquad s_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{m_t}{1 - \beta_1^t} \Big/
            \Bigl( \sqrt{\frac{s_t}{1 - \beta_2^t}} + \varepsilon \Bigr)

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps
        As for `Adam`.
    eps_root
        Added to the second mean in every step, :math:`\varepsilon'`, in the units of a squared
        gradient. It adds up: after a long time there is :math:`\varepsilon' / (1 - \beta_2)` of it.
        That of `Adam` is added for one step only.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`; also if `eps_root` is negative or not finite.

    Notes
    -----
    Zhuang et al., 2020, algorithm 2, where both epsilons are one. Optax has 1e-16 for both.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdaBelief(theta, learning_rate=0.125, beta1=0.5, eps=0.0, eps_root=0.0)
    >>> optimizer.step(np.array([3.0, -0.5]))  # half of the gradient was expected
    >>> theta.round(6)
    array([ 0.75, -1.75])
    """

    slots = ("m", "s")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_root: float = 1e-8,
        **options: Any,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        self.eps_root = hyperparameter("eps_root", eps_root)
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, s: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        m = self.beta1 * m + (1 - self.beta1) * g
        s = self.beta2 * s + (1 - self.beta2) * (g - m) ** 2 + self.eps_root
        m_hat = m / (1 - self.beta1**self.t)
        s_hat = s / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(s_hat) + self.eps), (m, s)


class Lion(WeightDecay):
    r"""Steps of one length: the sign of a mean of the gradients, and one state array in all.

    .. math::

        c_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        m_t &= \beta_2 m_{t-1} + (1 - \beta_2) g_t, \qquad m_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t (\operatorname{sign} c_t + \lambda \theta_{t-1})

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The length :math:`\eta` of every coordinate's step, or a schedule.
    beta1, beta2
        The decay rates of the mean that is used and of the one that is kept, in [0, 1).
    **options
        `weight_decay` (decoupled, :math:`\lambda`), `mask` and `decay_form` as for `WeightDecay`, and
        the keywords of `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `beta1` or `beta2` is outside [0, 1).

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

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        **options: Any,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        super().__init__(params, learning_rate, **always_decoupled("Lion", options))

    def rule(self, g: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray]]:
        """One line for each of the equations above."""
        c = self.beta1 * m + (1 - self.beta1) * g
        m = self.beta2 * m + (1 - self.beta2) * g
        return self.learning_rate * np.sign(c), (m,)
