"""The losses that a network ends in. Each function returns the loss and its gradient together.

A loss is a mean over the examples, a Python float; its gradient is that with respect to the first
argument, an array of the first argument's shape and dtype.
"""

from __future__ import annotations

import numpy as np

from optimlib.nn.arguments import check_real
from optimlib.nn.layers import sigmoid


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    r"""The mean cross-entropy of the softmax of `logits`, and its gradient.

    .. math::

        L = -\frac1n \sum_{i=1}^n \log p_{i, y_i}, \qquad
        p_{ij} = \frac{e^{z_{ij}}}{\sum_k e^{z_{ik}}}, \qquad
        \frac{\partial L}{\partial z_{ij}} = \frac{p_{ij} - [j = y_i]}{n}

    The largest logit of a row is subtracted first: :math:`p` stays the same, and no exponential
    overflows.

    Parameters
    ----------
    logits
        :math:`z`, floating point of shape (examples, classes).
    labels
        :math:`y`, integers in 0 .. classes - 1 of shape (examples,).

    Returns
    -------
    tuple
        The loss, in nats, and its gradient with respect to `logits`.

    Raises
    ------
    TypeError
        If `logits` are not floating point, or `labels` are not integers.
    ValueError
        If the shapes don't belong together, the batch is empty, or a label is not a class.

    Examples
    --------
    >>> loss, gradient = softmax_cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 6), gradient  # log(2)
    (0.693147, array([[-0.5,  0.5]]))
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    check_real("logits", logits)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels have dtype {labels.dtype}; expected integers")
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not logits.size:
        raise ValueError(
            f"logits have shape {logits.shape} and labels {labels.shape};"
            " expected (examples, classes) and (examples,), at least one of each"
        )
    if not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(
            f"labels lie in {labels.min()} .. {labels.max()}; expected 0 .. {logits.shape[1] - 1}"
        )
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    gradient = np.exp(log_p)
    gradient[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), gradient / len(labels)


def logistic(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    r"""The mean cross-entropy of the sigmoid of `logits`, for two classes, and its gradient.

    .. math::

        L &= \frac1n \sum_{i=1}^n \bigl(\log(1 + e^{z_i}) - y_i z_i\bigr)

        \frac{\partial L}{\partial z_i} &= \frac{\sigma(z_i) - y_i}{n}, \qquad
        \sigma(z) = \frac{1}{1 + e^{-z}}

    For :math:`y = 1` the two terms nearly cancel where :math:`z` is large. So the code takes
    :math:`\log(1 + e^{z}) - z = \log(1 + e^{-z})` and :math:`\sigma(z) - 1 = -\sigma(-z)`: both
    labels are one case, with the logit's sign turned toward the wrong class.

    Parameters
    ----------
    logits
        :math:`z`, floating point of shape (examples,).
    labels
        :math:`y`, 0 or 1, shape (examples,).

    Returns
    -------
    tuple
        The loss, in nats, and its gradient with respect to `logits`.

    Raises
    ------
    TypeError
        If `logits` are not floating point or `labels` are not numbers.
    ValueError
        If the shapes don't belong together, the batch is empty, or a label is neither 0 nor 1.

    Examples
    --------
    >>> loss, gradient = logistic(np.zeros(2), np.array([0, 1]))
    >>> round(loss, 6), gradient  # log(2)
    (0.693147, array([ 0.25, -0.25]))
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    check_real("logits", logits)
    if labels.dtype.kind not in "biuf":
        raise TypeError(f"labels have dtype {labels.dtype}; expected numbers, 0 or 1")
    if logits.ndim != 1 or labels.shape != logits.shape or not logits.size:
        raise ValueError(
            f"logits have shape {logits.shape} and labels {labels.shape};"
            " expected (examples,) twice, at least one"
        )
    positive = labels == 1
    if not (positive | (labels == 0)).all():
        raise ValueError(f"labels lie in {labels.min()} .. {labels.max()}; expected only 0 and 1")
    wrong = np.where(positive, -logits, logits)  # the logit of the class that is not the label
    p_wrong = sigmoid(wrong)
    gradient = np.where(positive, -p_wrong, p_wrong)
    return float(np.logaddexp(0, wrong).mean()), gradient / len(labels)


def squared_error(prediction: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Half the squared distance to the target, its mean over the examples, and its gradient.

    .. math::

        L = \frac{1}{n} \sum_{i=1}^n \sum_j \frac{(p_{ij} - y_{ij})^2}{2}, \qquad
        \frac{\partial L}{\partial p_{ij}} = \frac{p_{ij} - y_{ij}}{n}

    The half makes the gradient the plain difference.

    Parameters
    ----------
    prediction
        :math:`p`, floating point of shape (examples, outputs), or (examples,) for one output.
    target
        :math:`y`, numbers, of the same shape.

    Returns
    -------
    tuple
        The loss and its gradient with respect to `prediction`.

    Raises
    ------
    TypeError
        If `prediction` is not floating point, or `target` is not numbers.
    ValueError
        If the shapes differ, or the batch is empty. (Shapes such as (n, 1) and (n,) would be
        broadcast to n times n differences.)

    Examples
    --------
    >>> prediction = np.array([[3.0, 1.0], [0.0, 2.0]])
    >>> squared_error(prediction, target=np.array([[1.0, 1.0], [0.0, 0.0]]))
    (2.0, array([[1., 0.],
           [0., 1.]]))
    """
    prediction, target = np.asarray(prediction), np.asarray(target)
    check_real("prediction", prediction)
    if target.dtype.kind not in "biuf":
        raise TypeError(f"target has dtype {target.dtype}; expected numbers")
    if prediction.ndim < 1 or target.shape != prediction.shape or not prediction.size:
        raise ValueError(
            f"prediction has shape {prediction.shape} and target {target.shape};"
            " expected (examples, outputs) twice, at least one of each"
        )
    difference = prediction - target
    examples = len(prediction)
    return float((difference**2 / 2).sum() / examples), difference / examples
