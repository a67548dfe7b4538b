"""Gradient checks before a run and in the course of it, which leave the run as it was."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from optimlib.gradcheck import check_value_and_grad
from optimlib.gradcheck.arguments import fitted_gradient
from optimlib.training.batches import take
from optimlib.training.results import loss_and_gradient
from optimlib.training.run import Run
from optimlib.trees import Tree
from optimlib.trees.containers import shown

CHECKED_ROWS = 16  # of the batch on which a gradient is checked


def check_when(check_gradient_every: Any) -> None:
    """Refuse what does not say when to check the gradient.

    >>> check_when("end")
    Traceback (most recent call last):
        ...
    ValueError: check_gradient_every is 'end'; expected None, 'start' or a whole number from 1 on
    """
    every, whole = check_gradient_every, isinstance(check_gradient_every, Integral)
    if every is None or (isinstance(every, str) and every == "start"):
        return
    if not whole or isinstance(every, bool) or every < 1:
        raise ValueError(
            f"check_gradient_every is {shown(every)}; expected None, 'start' or a whole number from 1 on"
        )


def is_due(when: int | str | None, epochs: int) -> bool:
    """Whether to check the gradient after so many epochs."""
    if when is None or isinstance(when, str):
        return when == "start" and epochs == 0
    return epochs % when == 0


def check_gradient_of(value_and_grad: Callable[..., Any], run: Run) -> None:
    """Check the gradient on some rows; what is drawn from the run's generator is drawn again later.

    Raises
    ------
    ValueError
        If it is wrong, with the report. A check that is inconclusive stops nothing: the history has it.
    """
    epochs, state, optimizer = run.history.epoch, run.rng.bit_generator.state, run.optimizer
    own = np.random.default_rng(epochs)
    rows = own.choice(run.rows, size=min(CHECKED_ROWS, run.rows), replace=False)
    batch = take(run.data, rows)

    def f(theta: Tree) -> tuple[float, Tree]:
        run.rng.bit_generator.state = state  # so that dropout is a function of the parameters
        loss, grads = loss_and_gradient(value_and_grad, theta, batch)
        fitted_gradient(grads, theta, "grads", "params")
        return loss, grads

    try:
        report = check_value_and_grad(
            f, optimizer.params, rng=own, progress=False, frozen=optimizer.frozen
        )
    finally:
        run.rng.bit_generator.state = state
    run.history.gradient_checks[epochs] = report.verdict
    if report.verdict == "fail":
        raise ValueError(f"value_and_grad is wrong, before epoch {epochs + 1}\n{report}")
