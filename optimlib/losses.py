"""Losses, each with its gradient."""

from __future__ import annotations

import numpy as np


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
        If `labels` are not integers.
    ValueError
        If the shapes don't belong together, there is no example, or a label names no class.

    Examples
    --------
    >>> loss, gradient = softmax_cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 6), gradient  # log(2)
    (0.693147, array([[-0.5,  0.5]]))
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
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
