"""Adam and its two repairs: AMSGrad and AdamW (chapters 9 to 11)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter
from optimlib.optimizers.conventions import WeightDecay, always_decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree

FORMS = ("paper", "raw", "corrected")
"""What AMSGrad may take the maximum of."""


class Adam(WeightDecay):
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
    eps_hat
        Add epsilon to the root of the uncorrected mean: the step is :math:`m_t / (\sqrt{v_t} +
        \varepsilon)` times :math:`\eta_t \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`, the same as with an
        epsilon that starts larger, at :math:`\varepsilon / \sqrt{1 - \beta_2^t}`.
    eps_root
        A second epsilon, inside the root, :math:`\sqrt{\hat v_t + \varepsilon'}`, in the units of a
        squared gradient. It keeps the derivative of a step finite where a gradient is zero, for
        those who differentiate through the steps.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `WeightDecay`; also if `beta1` or `beta2` is outside [0, 1), `eps` or `eps_root` is negative
        or not finite, or `eps_hat` and `eps_root` are asked for together.

    Notes
    -----
    Kingma and Ba, 2015, algorithm 1; the defaults are the paper's. The form with epsilon hat is at
    the end of its section 2. Optax has ``eps_root``; that of `AdaBelief` is another, which adds up.

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
        eps_hat: bool = False,
        eps_root: float = 0.0,
        **options: Any,
    ) -> None:
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        self.eps_hat = flag("eps_hat", eps_hat)
        self.eps_root = hyperparameter("eps_root", eps_root)
        if self.eps_hat and self.eps_root:
            raise ValueError(f"eps_root is {eps_root} with eps_hat; expected at most one of them")
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """One line for each of the equations above."""
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        if self.eps_hat:
            rate = self.learning_rate * math.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
            return rate * m / (np.sqrt(v) + self.eps), (m, v)
        m_hat = m / (1 - self.beta1**self.t)
        v_hat = v / (1 - self.beta2**self.t)
        if self.eps_root:
            v_hat = v_hat + self.eps_root
        return self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps), (m, v)


class AMSGrad(WeightDecay):
    r"""Adam with a memory for the largest second moment, so that no step size grows again.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad v_0 = 0 \\
        V_t &= \max(V_{t-1}, v_t), \qquad V_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t m_t / (\sqrt{V_t} + \varepsilon)

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps
        As for `Adam`.
    form
        ``"paper"``: as above, without bias correction. ``"raw"``: with :math:`\hat m_t = m_t / (1 -
        \beta_1^t)` and :math:`V_t / (1 - \beta_2^t)` in the last line. ``"corrected"``: the maximum
        of the corrected mean, :math:`V_t = \max(V_{t-1}, v_t / (1 - \beta_2^t))`, with
        :math:`\hat m_t` in the last line.
    eps_hat
        As for `Adam`; only the raw form has a place for it.
    **options
        As for `Adam`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`; also if `form` is none of the three, or `eps_hat` is asked for with another form
        than ``"raw"``.

    Notes
    -----
    Reddi, Kale and Kumar, 2018, algorithm 2, which has no epsilon (here `Adam`'s, so that a gradient
    of zero does no harm). PyTorch and Keras take the raw form, Optax the corrected one. These are
    different methods: :math:`1 - \beta_2^t` grows, so the raw form can forget a maximum, and the
    corrected form keeps that of the first few, noisiest estimates.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AMSGrad(theta, learning_rate=0.125, form="raw")
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("m", "v", "V")

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        form: str = "paper",
        eps_hat: bool = False,
        **options: Any,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form is {form!r}; expected one of {', '.join(FORMS)}")
        self.form = form
        self.eps_hat = flag("eps_hat", eps_hat)
        if self.eps_hat and form != "raw":
            raise ValueError(f"eps_hat is True with form {form!r}; expected form 'raw'")
        self.beta1 = hyperparameter("beta1", beta1, below=1.0)
        self.beta2 = hyperparameter("beta2", beta2, below=1.0)
        self.eps = hyperparameter("eps", eps)
        super().__init__(params, learning_rate, **options)

    def rule(
        self, g: np.ndarray, m: np.ndarray, v: np.ndarray, V: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """One line for each of the equations above, and for each form of the last one."""
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        V = np.maximum(V, v / c2 if self.form == "corrected" else v)
        if self.form == "paper":
            step = self.learning_rate * m / (np.sqrt(V) + self.eps)
        elif self.form == "corrected":
            step = self.learning_rate * (m / c1) / (np.sqrt(V) + self.eps)
        elif self.eps_hat:
            step = self.learning_rate * math.sqrt(c2) / c1 * m / (np.sqrt(V) + self.eps)
        else:
            step = self.learning_rate * (m / c1) / (np.sqrt(V / c2) + self.eps)
        return step, (m, v, V)


class AdamW(Adam):
    r"""Adam with decoupled weight decay: the parameters shrink, and the two means know nothing of it.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)
            - \frac{\eta_t}{\alpha} \lambda \theta_{t-1}

    with the means of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, eps_hat, eps_root
        As for `Adam`.
    weight_decay
        The strength :math:`\lambda`, from 0 on. Its meaning depends on `base_rate`.
    base_rate
        The learning rate :math:`\alpha` that counts as one. With 1, the default, the parameters
        shrink by :math:`\eta_t \lambda`, as in PyTorch, Optax and Keras. The paper has a schedule
        :math:`\eta_t / \alpha` around 1 apart from the learning rate :math:`\alpha`, and shrinks
        by the schedule's value times :math:`\lambda`: give that :math:`\alpha` here. At a constant
        learning rate the paper's :math:`\lambda` is then the fraction lost in every step.
    mask
        Which arrays decay, as for `WeightDecay`.
    **options
        `decay_form` as for `WeightDecay`, and the keywords of `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`; also if `base_rate` is 0, negative or not finite.

    Notes
    -----
    Loshchilov and Hutter, 2019, algorithm 2. The paper gives no value of :math:`\lambda`; the
    default, and what it means, are PyTorch's.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdamW(theta, learning_rate=0.125, weight_decay=0.5)
    >>> optimizer.step(np.array([3.0, 0.0]))  # 0.125 from Adam, and a sixteenth from the decay
    >>> theta.round(6)
    array([ 0.8125, -1.875 ])
    """

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_hat: bool = False,
        weight_decay: float = 1e-2,
        base_rate: float = 1.0,
        mask: Tree | None = None,
        eps_root: float = 0.0,
        **options: Any,
    ) -> None:
        self.base_rate = hyperparameter("base_rate", base_rate)
        if not self.base_rate:
            raise ValueError("base_rate is 0.0; expected more than 0")
        options = always_decoupled("AdamW", options) | {"weight_decay": weight_decay, "mask": mask}
        super().__init__(params, learning_rate, beta1, beta2, eps, eps_hat, eps_root, **options)
