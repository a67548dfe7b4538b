"""Muon: the momentum of a matrix with all its singular values brought to one.

Nouns: a matrix is *orthogonalized* if its singular vectors stay and its singular values become one: of
``U S V^T`` remains ``U V^T``. The *velocity* ``b`` is a running mean of the gradients.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.optimizers.weight_decay import Decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree

QUINTIC = (3.4445, -4.7750, 2.0315)
"""The coefficients of s, s^3 and s^5 in the polynomial of `orthogonalized`."""


class Muon(Optimizer):
    r"""Momentum, orthogonalized: every direction of a matrix moves by the same length.

    .. math::

        b_t &= \mu b_{t-1} + (1 - \mu) g_t, \qquad b_0 = 0 \\
        \bar b_t &= \mu \frac{b_t}{1 - \mu^{t+1}} + (1 - \mu) \frac{g_t}{1 - \mu^t} \\
        \theta_t &= \theta_{t-1}
            - \eta_t \sqrt{\max(1, m / n)} \operatorname{orthogonalized}(\bar b_t)
            - \eta_t \lambda \theta_{t-1}

    for a matrix of n rows (inputs) and m columns (outputs), as in ``x @ W``.

    Parameters
    ----------
    params
        The parameters: a tree of float *matrices*, changed in place by every step. Of an array with
        more axes the first is the rows, all others together are the columns. A vector is a matrix of
        one column, whose step has length :math:`\eta`. The authors leave vectors, embeddings and the
        last layer to `optimlib.AdamW`: give each optimizer its own part of the tree.
    learning_rate
        The length :math:`\eta` of the step along every pair of singular vectors, in the units of the
        parameters, or a schedule.
    momentum
        The decay rate :math:`\mu` of the velocity, in [0, 1), without units.
    eps
        Added to the norm of the velocity, in the units of the gradient, from 0 on.
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
    Jordan et al., 2024. The step is that of steepest descent if lengths are measured by the largest
    singular value (Bernstein and Newhouse, 2024). The bias corrections, which the orthogonalization
    mostly cancels, are Optax's. PyTorch orthogonalizes in bfloat16, and has outputs as rows, so its
    factor is :math:`\sqrt{\max(1, n / m)}`.

    Examples
    --------
    >>> theta = np.zeros((2, 2))
    >>> optimizer = Muon(theta, learning_rate=1.0)
    >>> optimizer.step(np.diag([1.0, 100.0]))
    >>> (0.6 < -theta.diagonal()).all(), (-theta.diagonal() < 1.3).all()
    (np.True_, np.True_)
    """

    slots = ("b",)
    needs_whole_arrays = True
    default_decay = Decoupled
    momentum: float = setting(below=1.0)
    eps: float = setting()
    hints_for_keywords: ClassVar[dict[str, str]] = {"nesterov": "leave it out: Muon always looks ahead"}

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 0.02,
        momentum: float = 0.95,
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        self.momentum, self.eps = momentum, eps
        super().__init__(params, learning_rate, **options)

    def rule(self, g, b):
        mu = self.momentum
        b = mu * b + (1 - mu) * g  # mean
        ahead = mu * (b / (1 - mu ** (self.t + 1))) + (1 - mu) * (g / (1 - mu**self.t))
        matrix = ahead.reshape(len(ahead) if ahead.ndim else 1, -1)
        rows, columns = matrix.shape
        rate = self.learning_rate * math.sqrt(max(1, columns / rows))
        return rate * orthogonalized(matrix, self.eps).reshape(g.shape), (b,)


def orthogonalized(matrix: np.ndarray, eps: float = 1e-8, steps: int = 5) -> np.ndarray:
    r"""A matrix with its singular values brought near one, by products of matrices alone.

    With the singular value decomposition :math:`X = U S V^T`,

    .. math::

        X X^T X = U S^3 V^T, \qquad (X X^T)^2 X = U S^5 V^T,

    so :math:`a X + b X X^T X + c (X X^T)^2 X` has the same singular vectors, and every singular value
    :math:`s` has become :math:`q(s) = a s + b s^3 + c s^5`. Division by the Frobenius norm brings all of
    them into [0, 1], and then :math:`q` is applied again and again.

    The classical choice (15/8, -10/8, 3/8) is the one with :math:`q(1) = 1` and
    :math:`q'(1) = q''(1) = 0`. It converges to one, but a small :math:`s` grows only by 15/8 a step.
    Jordan searched for the largest slope :math:`a` at zero under which five steps still bring every
    :math:`s` in [0.01, 1] near one: that is `QUINTIC`, and it brings them to between 0.68 and 1.14. It
    does not converge, since one is not a fixed point of it; it gets near at once and stays there.

    Parameters
    ----------
    matrix
        A matrix of any shape.
    eps
        Added to the norm by which it is divided, in its units.
    steps
        How often the polynomial is applied.

    Returns
    -------
    array
        A matrix of that shape. Singular values that are 0 stay 0.

    Examples
    --------
    >>> turned = orthogonalized(np.diag([0.02, 0.1, 1.0]))
    >>> np.linalg.svd(turned, compute_uv=False).round(2)
    array([0.71, 0.7 , 0.68])
    """
    if matrix.shape[0] > matrix.shape[1]:  # the same, with the smaller of the two squares
        return orthogonalized(matrix.T, eps, steps).T
    a, b, c = QUINTIC
    X = matrix / (math.sqrt(np.sum(matrix**2)) + eps)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X
