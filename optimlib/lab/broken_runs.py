"""A zoo of broken training runs: one small program, and what it becomes when one part of it is broken.

Nouns: a *program* is all that decides a run, as parts that can be exchanged; a *fault* is a part, or two
that belong together, exchanged for broken ones; its *severity* (how much too large a rate is, say) is
drawn at random. The program reads the handwritten digits with a network of dense layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from optimlib.arguments import check_generator, real_number
from optimlib.nn import (
    he_normal,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax_cross_entropy,
)
from optimlib.optimizers import SGD

Array = np.ndarray
Params = list[dict[str, Array]]
"""A dict of ``W`` and ``b`` for every layer."""

TRAINING, VALIDATION = 1000, 250  # images


class Data(NamedTuple):
    """What a program trains on and is judged by."""

    x: Array  #: training images, one a row
    y: Array  #: their labels
    x_val: Array  #: validation images
    y_val: Array  #: their labels


def unchanged(array: Array) -> Array:
    """The array itself.

    >>> unchanged(np.ones(2))
    array([1., 1.])
    """
    return array


def constant(share: float) -> float:
    """1 for every share of the run.

    >>> constant(0.5)
    1.0
    """
    return 1.0


@dataclass(frozen=True)
class Program:
    """A training program as its parts; the defaults are those of the healthy one.

    Attributes
    ----------
    inputs, labels
        What training images and training labels go through before the network sees them.
    judged
        What validation images go through.
    examples
        The number of training images.
    leaked
        Which share of the validation images is among the training images, too.
    widths
        Of the layers, from the pixels to the logits.
    weights, bias
        ``weights(shape, rng)`` draws the first weights of a layer; hidden biases start at `bias`.
    activation
        Forward and backward pass of what follows each hidden layer.
    loss
        ``loss(logits, labels)`` returns the mean loss and its gradient.
    rate, momentum, decay
        Of the optimizer, `optimlib.SGD`. `decay` is L2, on weights and biases.
    schedule
        What the rate is multiplied by, given the share of the run that is finished.
    frozen
        The numbers of the layers that the optimizer does not move.

    Examples
    --------
    >>> healthy = Program()
    >>> params = healthy.new_parameters(np.random.default_rng(0))
    >>> [layer["W"].shape for layer in params]
    [(64, 32), (32, 32), (32, 10)]
    >>> loss, grads = healthy.value_and_grad(params, np.zeros((2, 64)), np.array([3, 1]))
    >>> round(loss, 3)  # log(10): all classes are equally likely
    2.303
    """

    inputs: Callable[[Array], Array] = unchanged
    labels: Callable[[Array], Array] = unchanged
    judged: Callable[[Array], Array] = unchanged
    examples: int = TRAINING
    leaked: float = 0.0
    widths: tuple[int, ...] = (64, 32, 32, 10)
    weights: Callable[[tuple[int, ...], np.random.Generator], Array] = he_normal
    bias: float = 0.0
    activation: tuple[Callable[..., Array], Callable[..., Array]] = (relu, relu_backward)
    loss: Callable[[Array, Array], tuple[float, Array]] = softmax_cross_entropy
    rate: float = 0.05
    momentum: float = 0.9
    decay: float = 0.0
    schedule: Callable[[float], float] = constant
    frozen: tuple[int, ...] = ()

    def data(self, images: Array, labels: Array, rng: np.random.Generator) -> Data:
        """Divide images into training and validation, and prepare both.

        Raises
        ------
        ValueError
            If there are fewer than 1250 images, or not as many labels as images.

        Examples
        --------
        >>> pixels, digits = np.zeros((1297, 64)), np.zeros(1297, int)
        >>> [len(part) for part in Program().data(pixels, digits, np.random.default_rng(0))]
        [1000, 1000, 250, 250]
        """
        if len(images) != len(labels):
            raise ValueError(f"labels has {len(labels)} entries; expected {len(images)}, one an image")
        if len(images) < TRAINING + VALIDATION:
            raise ValueError(
                f"images has {len(images)} rows; expected at least {TRAINING + VALIDATION}"
                f" ({TRAINING} for training and {VALIDATION} for validation)"
            )
        order = rng.permutation(len(images))
        train, held = order[:TRAINING].copy(), order[TRAINING : TRAINING + VALIDATION]
        copied = round(self.leaked * len(held))
        train[:copied] = held[:copied]
        train = rng.permutation(train)[: self.examples]
        return Data(
            self.inputs(images[train]),
            self.labels(labels[train]),
            self.judged(images[held]),
            labels[held],
        )

    def new_parameters(self, rng: np.random.Generator) -> Params:
        """The parameters before the first step."""
        params: Params = []
        for shape in zip(self.widths[:-1], self.widths[1:], strict=True):
            bias = self.bias if len(params) < len(self.widths) - 2 else 0.0
            params.append({"W": self.weights(shape, rng), "b": np.full(shape[1], bias)})
        return params

    def forward(self, params: Params, x: Array) -> tuple[list[Array], Array]:
        """What enters each layer, and the logits."""
        h = [x]
        for layer in params[:-1]:
            h.append(self.activation[0](h[-1] @ layer["W"] + layer["b"]))
        return h, h[-1] @ params[-1]["W"] + params[-1]["b"]

    def value_and_grad(self, params: Params, x: Array, y: Array) -> tuple[float, Params]:
        """The mean loss of a batch, and its gradient."""
        h, logits = self.forward(params, x)
        loss, dz = self.loss(logits, y)
        grads = []
        for number in reversed(range(len(params))):
            grads.append({"W": h[number].T @ dz, "b": dz.sum(axis=0)})
            if number:
                dz = self.activation[1](dz @ params[number]["W"].T, h[number])
        return loss, grads[::-1]

    def optimizer(self, params: Params, steps: int) -> SGD:
        """The optimizer for a run of so many steps."""
        return SGD(
            params,
            lambda finished: self.rate * self.schedule(finished / steps),
            self.momentum,
            weight_decay=self.decay,
            frozen=lambda path: any(path.startswith(f"[{number}]") for number in self.frozen),
        )


def softmax_twice(logits: Array, labels: Array) -> tuple[float, Array]:
    """The cross-entropy of the softmax of the softmax, and its gradient.

    >>> loss, _ = softmax_twice(np.array([[50.0, 0.0]]), np.array([0]))
    >>> round(loss, 3)  # the softmax of (1, 0), although the network is certain
    0.313
    """
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss, dp = softmax_cross_entropy(p, labels)
    return loss, p * (dp - (dp * p).sum(axis=1, keepdims=True))


def half_precision(logits: Array, labels: Array) -> tuple[float, Array]:
    """The cross-entropy of the softmax in float16, with no largest logit subtracted, and its gradient.

    >>> with np.errstate(all="ignore"):
    ...     half_precision(np.array([[12.0, 0.0]]), np.array([0]))[0]  # exp(12) is above 65504
    nan
    """
    e = np.exp(logits.astype(np.float16))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    gradient = p.astype(np.float64)
    gradient[rows, labels] -= 1
    return float(-np.log(p[rows, labels]).astype(np.float64).mean()), gradient / len(labels)


def unmasked(dy: Array, y: Array) -> Array:
    """What is left of the backward pass of ReLU when its mask is forgotten.

    >>> unmasked(np.array([1.0, 1.0]), np.array([0.0, 2.0]))
    array([1., 1.])
    """
    return dy


def transposed(images: Array) -> Array:
    """Images of 8 by 8 pixels, read column by column instead of row by row.

    >>> transposed(np.arange(64.0)[None])[0, :3]
    array([ 0.,  8., 16.])
    """
    return images.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)


def _equal(value: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """First weights that are all the same."""
    return np.full(shape, value)


def _too_large(factor: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """First weights of a good distribution, times a factor."""
    return factor * he_normal(shape, rng)


def _corrupted(row: int, factor: float, x: Array) -> Array:
    """The images, of which one is much brighter than all others."""
    x = x.copy()
    x[row : row + 1] *= factor
    return x


def _over(times: float, share: float) -> float:
    """A schedule that falls linearly, so many times too fast, and stays at zero."""
    return max(0.0, 1 - times * share)


def _unscaled(s: float, rng: np.random.Generator) -> dict[str, Any]:
    """Pixels in another unit, for training and for validation."""
    return {"inputs": partial(np.multiply, s), "judged": partial(np.multiply, s)}


def _deep(s: float, rng: np.random.Generator) -> dict[str, Any]:
    """Many layers of sigmoids."""
    return {"widths": (64, *round(s) * [32], 10), "activation": (sigmoid, sigmoid_backward)}


FAULTS: dict[str, tuple[float, float, Callable[[float, np.random.Generator], dict[str, Any]]]] = {
    "dead units": (5, 30, lambda s, rng: {"bias": -s}),
    "equal weights": (1, 1, lambda s, rng: {"weights": partial(_equal, rng.uniform(0.05, 0.2))}),
    "deep sigmoids": (5, 12, _deep),
    "rate too low": (100, 1000, lambda s, rng: {"rate": 0.05 / s}),
    "labels misaligned": (
        1,
        1,
        lambda s, rng: {"labels": partial(np.roll, shift=int(rng.integers(1, 50)))},
    ),
    "weights too large": (4, 20, lambda s, rng: {"weights": partial(_too_large, s)}),
    "inputs unscaled": (16, 255, _unscaled),
    "corrupt image": (
        3e3,
        1e6,
        lambda s, rng: {"inputs": partial(_corrupted, int(rng.integers(TRAINING)), s)},
    ),
    "rate too high": (10, 100, lambda s, rng: {"rate": 0.05 * s}),
    "half precision": (1, 1, lambda s, rng: {"loss": half_precision}),
    "schedule over": (5, 20, lambda s, rng: {"schedule": partial(_over, s)}),
    "decay too strong": (10, 100, lambda s, rng: {"decay": 0.003 * s}),
    "softmax twice": (1, 1, lambda s, rng: {"loss": softmax_twice}),
    "velocity lost": (1, 1, lambda s, rng: {"momentum": 0.0}),
    "frozen layer": (1, 1, lambda s, rng: {"frozen": (int(rng.integers(2)),)}),
    "wrong gradient": (1, 1, lambda s, rng: {"activation": (relu, unmasked)}),
    "validation transposed": (1, 1, lambda s, rng: {"judged": transposed}),
    "too few images": (7, 20, lambda s, rng: {"examples": round(TRAINING / s)}),
    "leak": (50, 100, lambda s, rng: {"leaked": s / 100}),
}
"""For every fault the range of its severity, and what it puts in the place of a part.

The range is (1, 1) if the fault has no severity. Otherwise a larger severity is a larger fault;
where it is a factor, 1 would leave the part as it is.
"""


def broken(fault: str, rng: np.random.Generator, strength: float = 1.0) -> Program:
    """The healthy program with one fault.

    Parameters
    ----------
    fault
        One of `FAULTS`.
    rng
        Draws the severity: its logarithm is uniform within the fault's range.
    strength
        The power to which the severity is raised: 0.5 makes a rate that would be 100 times too large
        10 times too large. In (0, 1].

    Raises
    ------
    TypeError, ValueError
        If there is no such fault, `rng` is no generator, or `strength` no number in its interval.

    Examples
    --------
    >>> broken("velocity lost", np.random.default_rng(0)).momentum
    0.0
    """
    if not isinstance(fault, str):
        raise TypeError(f"fault is a {type(fault).__name__}; expected a string, one of {list(FAULTS)}")
    if fault not in FAULTS:
        raise ValueError(f"fault is {fault!r}; expected one of {list(FAULTS)}")
    check_generator("rng", rng)
    if not 0 < real_number("strength", strength) <= 1:
        raise ValueError(f"strength is {strength}; expected a number in (0, 1]")
    low, high, changed = FAULTS[fault]
    severity = (low * (high / low) ** rng.random()) ** strength
    return replace(Program(), **changed(severity, rng))
