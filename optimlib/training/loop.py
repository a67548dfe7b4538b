"""The loop: for every epoch, for every minibatch, one gradient and one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from optimlib.arguments import flag, whole_number
from optimlib.gradcheck.arguments import check_callable, check_function
from optimlib.optimizers.base import Optimizer
from optimlib.training.batches import take
from optimlib.training.checkpoint import Checkpoint
from optimlib.training.gradient_checks import check_gradient_of, check_when, is_due
from optimlib.training.history import History
from optimlib.training.progress import Progress
from optimlib.training.results import ALL_FINITE, batch_arguments, first_not_finite, loss_and_gradient
from optimlib.training.run import Run
from optimlib.training.stopping import EarlyStopping
from optimlib.trees import NonFiniteError, Tree, copy_tree
from optimlib.trees.containers import shown


class Step(NamedTuple):
    """A step that was taken, as `after_step` sees it."""

    number: int  #: from 1 on
    epoch: int  #: from 1 on
    loss: float  #: of the batch, before the step
    grads: Tree  #: what `value_and_grad` returned, before any clipping
    before: Tree  #: a copy of the parameters before the step
    params: Tree  #: the parameters after it, the very arrays


def fit(
    value_and_grad: Callable[..., tuple[Any, Tree]],
    optimizer: Optimizer,
    data: Tree,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    drop_last: bool = False,
    evaluate: Callable[[Tree], Mapping[str, float]] | None = None,
    stopping: EarlyStopping | None = None,
    checkpoint: Checkpoint | None = None,
    check_gradient_every: int | str | None = None,
    progress: bool = False,
    after_step: Callable[[Step], Mapping[str, float] | None] | None = None,
) -> History:
    """Train the parameters of an optimizer on minibatches, in place.

    The loop is no more than this, with what can go wrong taken care of:

    ::

        for epoch in range(epochs):
            for batch in minibatches(data, batch_size, rng, drop_last):
                loss, grads = value_and_grad(optimizer.params, *batch)
                optimizer.step(grads)

    Parameters
    ----------
    value_and_grad
        Takes the parameters and a batch, and returns ``(loss, grads)``: a number, and a tree like the
        parameters. If `data` is a tuple or a list, the batch is handed over as so many arguments.
    optimizer
        Has the parameters. Schedules, clipping and weight decay are its own.
    data
        The training data: arrays of one length (see `minibatches`).
    epochs
        How many epochs the run has, with those that a checkpoint has of it.
    batch_size
        How many rows a batch has. The last batch of an epoch may be smaller.
    rng
        Draws the order of the rows at the start of every epoch. `value_and_grad` may draw from it, too,
        for dropout.
    drop_last
        Whether a smaller last batch is left out, as where batch normalization cannot do with one row.
    evaluate
        Called with the parameters after every epoch. Returns numbers by name, for the history. What a
        schedule like `ReduceOnPlateau` is to observe can be observed there. An average (`EMA`) is looked
        at within ``with average.swapped():``, and what a schedule-free optimizer has found within
        ``optimizer.averaged()``: its parameters are where the next gradient is taken.
    stopping
        When to stop early. In the end the parameters are then those after the best epoch, whether
        the run was stopped or not.
    checkpoint
        Where the run is saved, and gone on with when `fit` is called again with the same arguments and
        everything as it was at the beginning: the result is the same, bit for bit, wherever it was
        interrupted.
    check_gradient_every
        When to check the gradient, on up to 16 rows: ``"start"`` for once before the first step, or
        every how many epochs, from the first step on. `rng`, and what a checkpoint has in `also`, are
        put back after it; what else `value_and_grad` changes, such as running means, it has changed.
    progress
        Whether to show a bar, with the package tqdm if it is installed, else a line an epoch.
    after_step
        Called with a `Step` after every step. It may return numbers by name, for the history.

    Returns
    -------
    History
        The loss of every step, and what was evaluated after every epoch.

    Raises
    ------
    DivergedError
        If a loss or a number of the gradient is NaN or infinite, or the step would make a parameter so.
        The parameters are as before the step, unless the message says to load a saved state. (An
        optimizer with `skip_nonfinite` leaves out a step whose gradient is not finite; the epoch's mean
        is then that of the finite losses.)
    OSError
        If the checkpoint cannot be written or read.
    TypeError
        If an argument is of a wrong type, or a function returns something else than it should.
    ValueError
        If an argument has a wrong value; if the checkpoint's file is damaged or holds another run; if
        the gradient is wrong.

    Every error that ends a run that has begun, a KeyboardInterrupt among them, has the `History` of the
    finished steps as its attribute `history`, and says where the run was.

    Examples
    --------
    >>> from optimlib import SGD
    >>> x = np.arange(12.0)
    >>> def value_and_grad(mean, x): return ((x - mean) ** 2).mean() / 2, (mean - x).mean()
    >>> mean, rng = np.array(0.0), np.random.default_rng(0)
    >>> history = fit(value_and_grad, SGD(mean, 0.2), [x], epochs=3, batch_size=4, rng=rng)
    >>> print(history)
    epoch   loss
        1  16.29
        2  8.867
        3  6.727
    """
    _check(value_and_grad, evaluate, stopping, checkpoint, after_step)
    when, epochs = check_when(check_gradient_every), whole_number("epochs", epochs, lowest=1)
    flag("progress", progress)
    run = Run(
        optimizer,
        data,
        batch_size,
        rng,
        drop_last=drop_last,
        stopping=stopping,
        checkpoint=checkpoint,
        functions={"evaluate": evaluate, "after_step": after_step},
    )
    check_function(value_and_grad, "value_and_grad", f"params, {batch_arguments(data)}")
    run.resume()
    history = run.history
    bar = Progress(progress, epochs * run.batches_per_epoch, history.step)
    try:
        while not run.is_over(epochs):
            if run.order is None and is_due(when, history.epoch):
                check_gradient_of(value_and_grad, run)
            for rows in run.batches_left():
                _take_step(value_and_grad, run, rows, after_step)
                bar.step()
                run.save_if_due()
            run.end_epoch(evaluate(optimizer.params) if evaluate else None)
            bar.epoch(history)
            run.save_if_due(run.is_over(epochs))
    except BaseException as error:
        run.annotate(error)
        raise
    finally:
        bar.close()
    run.put_best_back()
    return history


def _take_step(
    value_and_grad: Callable[..., Any],
    run: Run,
    rows: np.ndarray,
    after_step: Callable[[Step], Any] | None,
) -> None:
    """Take one step with the rows of these numbers, or change nothing and say what is not finite."""
    optimizer, history = run.optimizer, run.history
    loss, grads = loss_and_gradient(value_and_grad, optimizer.params, take(run.data, rows))
    if not math.isfinite(loss):
        where = first_not_finite(optimizer.params, grads, run.frozen)
        if where is None or not optimizer.skip_nonfinite:
            what = f"the loss is {loss}, and {where or ALL_FINITE} (nothing has changed)"
            raise run.diverged(what, rows)
    before = copy_tree(optimizer.params) if after_step else None
    try:
        optimizer.step(grads)
    except (NonFiniteError, FloatingPointError) as error:
        raise run.diverged(str(error), rows) from error
    loss, beside = float(loss), None
    if after_step:
        step, epoch = history.step + 1, history.epoch + 1
        beside = after_step(Step(step, epoch, loss, grads, before, optimizer.params))
    history.add_step(loss, beside)


def _check(
    value_and_grad: Any,
    evaluate: Any,
    stopping: Any,
    checkpoint: Any,
    after_step: Any,
) -> None:
    """Refuse arguments of wrong types, and a metric that nobody evaluates."""
    check_callable(value_and_grad, "value_and_grad", "params, *batch")
    if evaluate is not None:
        check_function(evaluate, "evaluate", "params")
    if after_step is not None:
        check_function(after_step, "after_step", "step")
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise TypeError(f"checkpoint is {shown(checkpoint)}; expected Checkpoint('run.npz')")
    if stopping is not None:
        if not isinstance(stopping, EarlyStopping):
            raise TypeError(f"stopping is {shown(stopping)}; expected EarlyStopping('validation loss')")
        if evaluate is None and stopping.metric != "loss":
            raise ValueError(f"stopping watches {stopping.metric!r}; expected evaluate to return it")
