"""Gradient checks before a run and in the course of it, which leave the run as it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from numbers import Integral
from typing import Any

import numpy as np

from optimlib.gradcheck import check_value_and_grad
from optimlib.gradcheck.arguments import fitted_gradient
from optimlib.gradcheck.inner_products import renamed, reworded
from optimlib.training.also import load_states, states_of
from optimlib.training.batches import take
from optimlib.training.results import ALL_FINITE, first_not_finite, loss_and_gradient
from optimlib.training.run import Run
from optimlib.trees import NonFiniteError, Tree, copy_tree, match_some
from optimlib.trees.containers import map_with_path, shown

CHECKED_ROWS = 16  # of the batch on which a gradient is checked

IN_A_RUN = {"theta": "params", "f(theta)": "value_and_grad", "f": "value_and_grad"}
"""What `fit` calls what a gradient check calls by other names."""


def check_when(check_gradient_every: Any) -> int | str | None:
    """When to check the gradient, once that is said in one of the three ways.

    >>> check_when("end")
    Traceback (most recent call last):
        ...
    ValueError: check_gradient_every is 'end'; expected None, 'start' or a whole number from 1 on
    """
    every, whole = check_gradient_every, isinstance(check_gradient_every, Integral)
    if every is None or (isinstance(every, str) and every == "start"):
        return every
    if not whole or isinstance(every, bool) or every < 1:
        raise ValueError(
            f"check_gradient_every is {shown(every)}; expected None, 'start' or a whole number from 1 on"
        )
    return int(every)


def is_due(when: int | str | None, epochs: int) -> bool:
    """Whether to check the gradient after so many epochs."""
    if when is None or isinstance(when, str):
        return when == "start" and epochs == 0
    return epochs % when == 0


def check_gradient_of(value_and_grad: Callable[..., Any], run: Run) -> None:
    """Check the gradient on some rows; generator and `also` are put back before every evaluation.

    So dropout is a function of the parameters, and nothing of it is left after the check.

    Raises
    ------
    DivergedError
        If the loss or a number of the gradient is NaN or infinite.
    ValueError
        If it is wrong, with the report. A check that is inconclusive stops nothing: the history has it.
    """
    epochs, also = run.history.epoch, run.checkpoint.also if run.checkpoint else {}
    state, states = run.rng.bit_generator.state, states_of(also)

    def put_back() -> None:
        run.rng.bit_generator.state = state
        load_states(also, states)

    own = np.random.default_rng(epochs)
    rows = own.choice(run.rows, size=min(CHECKED_ROWS, run.rows), replace=False)
    batch, frozen, params = take(run.data, rows), run.frozen, run.optimizer.params
    of_the_user: list[Exception] = []

    def f(theta: Tree) -> tuple[Any, Tree]:
        put_back()
        try:
            loss, grads = loss_and_gradient(value_and_grad, theta, batch)
        except Exception as error:
            of_the_user.append(error)
            raise
        grads = _completed(grads, theta, frozen) if frozen else grads
        fitted_gradient(grads, theta, "grads", "params")
        return loss, grads

    try:
        loss, grads = f(copy_tree(params))
        if not math.isfinite(loss):
            where = first_not_finite(params, grads, frozen) or ALL_FINITE
            raise NonFiniteError(f"the loss is {loss}, and {where}")
        report = check_value_and_grad(
            f, params, rng=own, progress=False, frozen=frozen.__contains__ if frozen else None
        )
    except NonFiniteError as error:
        raise run.diverged(f"in the gradient check, {error}", rows) from error
    except (TypeError, ValueError) as error:
        if error in of_the_user:
            raise
        raise type(error)(reworded(str(error), IN_A_RUN)) from None
    finally:
        put_back()
    run.history.gradient_checks[epochs] = report.verdict
    if report.verdict == "fail":
        raise ValueError(
            f"value_and_grad is wrong, before epoch {epochs + 1}\n{renamed(report, IN_A_RUN)}"
        )


def _completed(grads: Tree, theta: Tree, frozen: Collection[str]) -> Tree:
    """A gradient like theta, where those of frozen arrays may be absent: zeros stand for them.

    >>> _completed({"b": None, "w": np.ones(1)}, {"w": np.zeros(1), "b": np.ones(2)}, {"['b']"})
    {'w': array([1.]), 'b': array([0., 0.])}
    """
    given = iter(match_some(grads, theta, "grads", "params", frozen, finite=False))

    def found(path: str, leaf: np.ndarray) -> np.ndarray | None:
        own = next(given)
        return np.zeros_like(leaf) if path in frozen else own

    return map_with_path(found, theta)
