r"""A loss of real data: logistic regression that tells two handwritten digits apart."""

from __future__ import annotations

import numpy as np

from optimlib.arguments import hyperparameter, whole_number
from optimlib.lab.datasets import digits
from optimlib.lab.functions.problem import Problem
from optimlib.nn.layers import sigmoid
from optimlib.nn.losses import logistic


def logistic_regression(
    classes: tuple[int, int] = (3, 8), penalty: float = 0.01, batch: int = 32
) -> Problem:
    r"""Tell two handwritten digits apart by a weighted sum of their pixels.

    .. math::

        L(\theta) &= \frac1n \sum_{i=1}^n \bigl(\log(1 + e^{z_i}) - y_i z_i\bigr)
            + \frac\lambda2 |\theta|^2, \qquad z = X \theta

        \nabla L(\theta) &= X^\top \frac{\sigma(z) - y}n + \lambda \theta

    A row of :math:`X` is an image of `optimlib.lab.datasets.digits` and a 1, so :math:`\theta` has 64
    weights and a bias. The start is 0. Without the penalty the loss of digits that a plane can tell
    apart would fall for ever, as :math:`\theta` grows without bound; with it the minimum is unique.
    The minimizer is found by Newton's method, to rounding.

    Parameters
    ----------
    classes
        The two digits: the one of label :math:`y = 0` first.
    penalty
        The strength :math:`\lambda` of the penalty, from 1e-8 on.
    batch
        How many examples the noisy gradient draws, with replacement: each is drawn alike, whatever
        came before, so the estimate is unbiased.

    Raises
    ------
    TypeError, ValueError
        If `classes` are not two different digits, `penalty` is not a finite number from 1e-8 on, or
        `batch` not a whole one from 1 on.

    Examples
    --------
    >>> problem = logistic_regression()
    >>> round(problem.value(problem.start), 6)  # log(2): it knows nothing
    0.693147
    >>> round(problem.minimum, 4)
    0.1756
    """
    if not isinstance(classes, tuple | list):
        raise TypeError(f"classes is {classes!r}; expected two different digits, such as (3, 8)")
    if len(classes) != 2 or classes[0] == classes[1]:
        raise ValueError(f"classes is {classes!r}; expected two different digits")
    for digit in classes:
        if whole_number("a digit in classes", digit) > 9:
            raise ValueError(f"classes is {classes!r}; expected digits from 0 to 9")
    penalty = hyperparameter("penalty", penalty, lowest=1e-8)
    batch = whole_number("batch", batch, lowest=1)
    images, labels = digits()
    chosen = np.isin(labels, classes)
    X = np.column_stack([images[chosen], np.ones(chosen.sum())])
    y = labels[chosen] == classes[1]

    def value(theta: np.ndarray) -> float:
        return logistic(X @ theta, y)[0] + penalty / 2 * float(theta @ theta)

    def mean_gradient(theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        _, dz = logistic(X @ theta, y)
        return X.T @ dz + penalty * theta

    def gradient(theta: np.ndarray) -> np.ndarray:
        return mean_gradient(theta, X, y)

    def noisy_gradient(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = rng.integers(len(X), size=batch)
        return mean_gradient(theta, X[rows], y[rows])

    minimizer = np.zeros(X.shape[1])
    for _ in range(30):  # Newton's method; 20 are enough for the smallest penalty, 7 for the default
        p = sigmoid(X @ minimizer)
        hessian = (X.T * (p * (1 - p) / len(X))) @ X + penalty * np.eye(len(minimizer))
        minimizer -= np.linalg.solve(hessian, gradient(minimizer))

    return Problem(
        name=f"logistic regression, {classes[0]} or {classes[1]}",
        value=value,
        gradient=gradient,
        start=np.zeros(X.shape[1]),
        minimizers=(minimizer,),
        minimum=value(minimizer),
        noisy_gradient=noisy_gradient,
    )
