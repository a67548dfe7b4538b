"""Gradient checks before and in the course of a run: they stop a wrong one, and change nothing."""

import numpy as np
import pytest
from support import unchanged
from training_cases import alike, parameters, short_fit, value_and_grad

from optimlib import Adam, Checkpoint


def noisy(rng, wrong=1.0):
    """The network with dropout from the run's own generator."""

    def f(params, x, y):
        loss, grads = value_and_grad(params, x, y, rng.integers(0, 4, 6) > 0)
        grads["hidden"]["b"] *= wrong
        return loss, grads

    return f


@pytest.mark.parametrize(("when", "epochs"), [("start", [0]), (1, [0, 1, 2, 3, 4]), (2, [0, 2, 4])])
def test_checking_the_gradient_changes_no_bit_of_the_run(when, epochs):
    runs = []
    for every in (None, when):
        rng, optimizer = np.random.default_rng(3), Adam(parameters(), 0.01)
        history = short_fit(optimizer, noisy(rng), epochs=5, rng=rng, check_gradient_every=every)
        runs.append((optimizer, history, rng.bit_generator.state))
    (plain, unchecked, state), (checked, history, other) = runs
    assert unchecked.steps == history.steps
    assert state == other
    assert alike((plain.params, plain.state), (checked.params, checked.state))
    assert history.gradient_checks == dict.fromkeys(epochs, "pass")
    assert "gradient check after epoch 0: pass" in str(history)
    assert unchecked.gradient_checks == {}


def test_a_wrong_gradient_stops_the_run_before_the_first_step():
    rng, optimizer = np.random.default_rng(3), Adam(parameters(), 0.01)
    state = rng.bit_generator.state
    with unchanged(optimizer.params), pytest.raises(ValueError, match=r"FAIL") as caught:
        short_fit(optimizer, noisy(rng, wrong=1.5), rng=rng, check_gradient_every="start")
    assert str(caught.value).startswith("value_and_grad is wrong, before epoch 1\n")
    assert "['hidden']['b']" in str(caught.value)
    assert optimizer.t == 0
    assert rng.bit_generator.state == state


def test_a_gradient_that_becomes_wrong_is_found_in_the_run():
    """As of a layer whose backward pass misses what the forward pass clips."""
    start = parameters()["w"][0]

    def f(params, x, y):
        loss, grads = value_and_grad(params, x, y)
        if np.abs(params["w"][0] - start).max() > 0.075:  # Adam moves by at most 0.05 an epoch
            grads["w"][0] = 0.5 * grads["w"][0]
        return loss, grads

    history = short_fit(f=f, epochs=9, check_gradient_every=20)
    assert history.gradient_checks == {0: "pass"}
    with pytest.raises(ValueError, match=r"^value_and_grad is wrong, before epoch [34]\n"):
        short_fit(f=f, epochs=9, check_gradient_every=1)


def test_frozen_arrays_are_not_checked():
    def f(params, x, y):
        loss, grads = value_and_grad(params, x, y)
        grads["hidden"]["W"] *= 7
        return loss, grads

    optimizer = Adam(parameters(), 0.01, frozen=lambda path: path == "['hidden']['W']")
    assert short_fit(optimizer, f, check_gradient_every="start").gradient_checks == {0: "pass"}


def test_a_run_that_goes_on_within_an_epoch_is_not_checked_there(tmp_path):
    """It has been, at the start of that epoch, and the verdict is in the checkpoint."""
    calls = []

    def f(params, x, y):
        calls.append(len(x))
        if len(calls) == stop:
            raise KeyboardInterrupt
        return value_and_grad(params, x, y)

    checkpoint, stop = Checkpoint(tmp_path / "run.npz", every=3), -1
    short_fit(f=f, epochs=1, check_gradient_every="start")
    stop = len(calls)  # in the last of five steps, behind the check and four others
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        short_fit(f=f, epochs=1, check_gradient_every="start", checkpoint=checkpoint)
    calls.clear()
    history = short_fit(f=f, epochs=1, check_gradient_every="start", checkpoint=checkpoint)
    assert calls == [5, 3]
    assert history.gradient_checks == {0: "pass"}
