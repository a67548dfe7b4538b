"""AMSGrad: Adam that remembers the largest second moment, so that no step size grows again.

Noun: the *memory* is the state array ``V``, the largest second moment so far; ``m`` and ``v`` are the
moments of `optimlib.optimizers.adam`. Of which second moment the largest is taken, and whether anything
is corrected for its age, makes three different methods.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.division import nonzero


class AMSGrad(Adam):
    r"""Adam over the largest second moment so far, without bias correction: the paper's form.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad v_0 = 0 \\
        V_t &= \max(V_{t-1}, v_t), \qquad V_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t m_t / (\sqrt{V_t} + \varepsilon)

    Parameters
    ----------
    params, learning_rate, beta1, beta2, **options
        Those of `Adam`.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, as in the paper,
        a coordinate whose gradient has always been zero takes no step.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Reddi, Kale and Kumar, 2018, algorithm 2, which has no epsilon. Optax computes this if both of its
    bias corrections are switched off.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AMSGrad(theta, learning_rate=0.125, beta1=0.5, beta2=0.75, eps=0.0)
    >>> for g in (4.0, 0.0):  # 2/2, then 1/2: a zero does not shrink the memory
    ...     optimizer.step(np.array([g, 0.0]))
    >>> theta
    array([ 0.8125, -2.    ])
    """

    slots = ("m", "v", "V")  # type: ignore[assignment]
    hints_for_keywords: ClassVar[dict[str, str]] = Adam.hints_for_keywords | {
        "form": "use the class AMSGrad (paper), AMSGradRaw or AMSGradCorrected",
        "eps_hat": "use the class AMSGradEpsHat",
        "eps_root": "use AdamEpsRoot; no AMSGrad here has this epsilon",
    }

    def rule(self, g, m, v, V):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        V = np.maximum(V, v)  # memory
        return self.learning_rate * m / nonzero(np.sqrt(V) + self.eps), (m, v, V)


class AMSGradRaw(AMSGrad):
    r"""AMSGrad with bias corrections that come after the memory.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \frac{m_t}{1 - \beta_1^t} \Big/
            \Bigl( \sqrt{\frac{V_t}{1 - \beta_2^t}} + \varepsilon \Bigr)

    with :math:`m_t` and :math:`V_t` of `AMSGrad`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    PyTorch has this form. Since :math:`1 - \beta_2^t` grows, the corrected memory can shrink: a step
    size may grow again after all.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AMSGradRaw(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    def rule(self, g, m, v, V):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        V = np.maximum(V, v)  # memory
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        V_hat = V / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(V_hat) + self.eps), (m, v, V)


class AMSGradEpsHat(AMSGrad):
    r"""AMSGrad with bias corrections after the memory, and epsilon beside the uncorrected root.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
            \frac{m_t}{\sqrt{V_t} + \hat\varepsilon}

    with :math:`m_t` and :math:`V_t` of `AMSGrad`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, **options
        Those of `Adam`.
    eps
        The number :math:`\hat\varepsilon`, in the units of the gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Keras has this form. It is to `AMSGradRaw` as `AdamEpsHat` is to `Adam`.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AMSGradEpsHat(theta, learning_rate=0.125, beta1=0.5, beta2=0.75, eps=2.0)
    >>> optimizer.step(np.array([4.0, 0.0]))  # half of 4 over half of 4 plus 2
    >>> theta
    array([ 0.9375, -2.    ])
    """

    def rule(self, g, m, v, V):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        V = np.maximum(V, v)  # memory
        rate = self.learning_rate * math.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        return rate * m / (np.sqrt(V) + self.eps), (m, v, V)


class AMSGradCorrected(AMSGrad):
    r"""AMSGrad that remembers the largest bias-corrected second moment.

    .. math::

        V_t &= \max(V_{t-1}, v_t / (1 - \beta_2^t)), \qquad V_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t \frac{m_t}{1 - \beta_1^t} \Big/
            \bigl( \sqrt{V_t} + \varepsilon \bigr)

    with the moments of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax has this form. It keeps the largest of the first few estimates, which are the noisiest.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AMSGradCorrected(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    def rule(self, g, m, v, V):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        V = np.maximum(V, v / (1 - self.beta2**self.t))  # memory
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        return self.learning_rate * m_hat / (np.sqrt(V) + self.eps), (m, v, V)
