"""Gradient checks before and in the course of a run: they stop a wrong one, and change nothing."""

import numpy as np
import pytest
from support import unchanged
from training_cases import Stateful, alike, parameters, short_fit, value_and_grad

from optimlib import EMA, SGD, Adam, Checkpoint, DivergedError


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
    assert f"gradient check after epoch {', '.join(map(str, epochs[:4]))}" in str(history)
    assert unchecked.gradient_checks == {}


def test_a_wrong_gradient_stops_the_run_before_the_first_step():
    rng, optimizer = np.random.default_rng(3), Adam(parameters(), 0.01)
    state = rng.bit_generator.state
    with unchanged(optimizer.params), pytest.raises(ValueError, match=r"FAIL") as caught:
        short_fit(optimizer, noisy(rng, wrong=1.5), rng=rng, check_gradient_every="start")
    assert str(caught.value).startswith("value_and_grad is wrong, before epoch 1\n")
    assert "params['hidden']['b']" in str(caught.value)
    assert "theta" not in str(caught.value)
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


def test_the_check_looks_at_16_rows_which_are_others_every_time():
    data = np.arange(400.0).reshape(200, 2)
    seen: dict[int, set] = {}

    def f(w, x):
        if len(x) != 100:  # which the batches of the run have
            assert len(x) == 16
            seen.setdefault(len(history_steps), set()).add(tuple(sorted(x[:, 0].tolist())))
        else:
            history_steps.append(1)
        return (x @ w).mean(), x.mean(axis=0)

    history_steps: list[int] = []
    params = np.zeros(2)
    short_fit(SGD(params, 1e-9), f, data, epochs=3, batch_size=100, check_gradient_every=1)
    assert [len(rows) for rows in seen.values()] == [1, 1, 1]
    found = [set(*rows) for rows in seen.values()]
    assert [len(rows) for rows in found] == [16, 16, 16]
    assert len(set.union(*found)) > 35  # of 48, if no row came twice
    assert set(data[:16, 0]) not in found


def test_data_of_fewer_rows_is_looked_at_whole():
    lengths = []

    def f(w, x):
        lengths.append(len(x))
        return (x @ w).mean(), x.mean(axis=0)

    short_fit(SGD(np.zeros(2), 0.1), f, np.ones((7, 2)), check_gradient_every="start")
    assert set(lengths) == {7, 5, 2}


def test_what_a_checkpoint_has_beside_the_run_is_put_back_and_nothing_else(tmp_path):
    """Running means, a generator of its own, an average, an object with a state, another optimizer."""
    after = []
    for number, every in enumerate((None, 1)):
        means, unnamed, noise = np.zeros(4), np.zeros(4), np.random.default_rng(7)
        mine, ours = (Stateful({"x": np.zeros(2)}, in_place) for in_place in (False, True))
        other = SGD({"v": np.ones(2)}, 0.1)
        average = EMA(other.params, 0.9)

        def f(params, x, y, *, changing=(means, unnamed, noise, mine, ours, other, average)):
            means, unnamed, noise, mine, ours, other, average = changing
            for array in (means, unnamed):
                array += 0.1 * (x.mean(axis=0) - array)
            mine.state["x"] += 1
            ours.state["x"] += 1
            other.step({"v": other.params["v"].copy()})
            average.update()
            return value_and_grad(params, x, y, noise.integers(0, 4, 6) > 0)

        also = {"means": means, "noise": noise, "mine": mine, "other": other, "average": average} | {
            "ours": ours
        }
        checkpoint = Checkpoint(tmp_path / f"{number}.npz", also=also)
        history = short_fit(f=f, check_gradient_every=every, checkpoint=checkpoint)
        assert set(history.gradient_checks.values()) == ({"pass"} if every else set())
        trees = (means, mine.state, ours.state, other.params, other.state_dict(), average.state_dict())
        after.append((history.loss, noise.bit_generator.state, trees, unnamed))
    (losses, state, trees, unnamed), (other_losses, other_state, other_trees, changed) = after
    assert losses == other_losses
    assert state == other_state
    assert alike(trees, other_trees)
    assert not np.array_equal(unnamed, changed)


def test_a_check_that_is_inconclusive_is_seen_when_the_history_is_printed():
    """As where dropout draws from a generator that nobody names."""
    noise = np.random.default_rng(7)
    history = short_fit(f=noisy(noise), check_gradient_every="start")
    assert history.gradient_checks == {0: "inconclusive"}
    assert str(history).endswith("\ngradient check after epoch 0: inconclusive")
    assert repr(history).endswith("epochs: loss; gradient check after epoch 0: inconclusive>")
    history.gradient_checks |= {1: "pass", 2: "inconclusive"} | dict.fromkeys(range(3, 9), "pass")
    assert str(history).splitlines()[-2:] == [
        "gradient check after epoch 0, 2: inconclusive",
        "gradient check after epoch 1, 3, 4, 5, and 3 more: pass",
    ]


@pytest.mark.parametrize("path", ["['hidden']['W']", "['w'][0]"])
def test_frozen_arrays_may_have_no_gradient(path):
    def f(params, x, y):
        loss, grads = value_and_grad(params, x, y)
        if path == "['w'][0]":
            return loss, {"hidden": grads["hidden"], "w": [None]}
        return loss, {"w": grads["w"], "hidden": {"b": grads["hidden"]["b"], "W": None}}

    optimizer = Adam(parameters(), 0.01, frozen=lambda other: other == path)
    assert short_fit(optimizer, f, check_gradient_every="start").gradient_checks == {0: "pass"}
    with pytest.raises(TypeError, match=r"^grads.* is None; expected an array of zeros where the loss"):
        short_fit(f=f, check_gradient_every="start")


def test_a_choice_of_frozen_arrays_that_freezes_none_is_one():
    optimizer = Adam(parameters(), 0.01, frozen=lambda path: False)
    assert short_fit(optimizer, check_gradient_every="start").gradient_checks == {0: "pass"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": np.nan}, "the loss is nan, and all parameters and gradients are finite"),
        ({"grad": np.inf}, r"grads\['hidden'\]\['b'\]\[0\] is inf; expected finite numbers"),
    ],
)
def test_a_number_that_is_not_finite_is_no_wrong_gradient(change, message):
    def f(*given):
        loss, grads = value_and_grad(*given)
        grads["hidden"]["b"][0] = change.get("grad", 0.0)
        return change.get("loss", loss), grads

    place = r"step 1 \(epoch 1, batch 1 of 5\): in the gradient check, "
    with pytest.raises(DivergedError, match=f"^{place}{message}; there is no checkpoint") as caught:
        short_fit(f=f, check_gradient_every="start")
    assert len(caught.value.rows) == 16


def test_errors_of_a_check_speak_of_what_fit_was_given():
    def f(params, x, y):
        params["hidden"]["b"] += 1
        return value_and_grad(params, x, y)

    message = r"^value_and_grad changed params\['hidden'\]\['b'\]; expected a function that only reads"
    with pytest.raises(ValueError, match=message):
        short_fit(f=f, check_gradient_every="start")
    frozen = Adam(parameters(), 0.01, frozen=lambda path: True)
    with pytest.raises(ValueError, match=r"^all of params is held fixed; expected at least one"):
        short_fit(frozen, check_gradient_every="start")


def test_errors_of_the_function_stay_its_own_in_a_check():
    error = ValueError("f: no theta like this")

    def f(params, x, y):
        raise error

    with pytest.raises(ValueError, match=r"^f: no theta like this\n") as caught:
        short_fit(f=f, check_gradient_every="start")
    assert caught.value is error
