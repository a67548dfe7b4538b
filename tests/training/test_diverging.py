"""Numbers that are not finite: what the error says, and what is left."""

import copy

import numpy as np
import pytest
from training_cases import X, Y, alike, parameters, short_fit, value_and_grad

from optimlib import SGD, Adam, Checkpoint, DivergedError


def failing(at, loss=None, grad=None, path=("w", 0)):
    """The network, whose loss or gradient is not finite in one call."""
    calls = []

    def f(params, x, y):
        calls.append(x)
        value, grads = value_and_grad(params, x, y)
        if len(calls) == at:
            value = value if loss is None else loss
            if grad is not None:
                leaf = grads
                for key in path:
                    leaf = leaf[key]
                leaf[2] = grad
        return value, grads

    f.calls = calls
    return f


@pytest.mark.parametrize("at", [1, 5, 8])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            {"loss": np.nan},
            r"the loss is nan, and all parameters and gradients are finite \(noth",
        ),
        ({"loss": -np.inf, "grad": np.nan}, r"the loss is -inf, and grads\['w'\]\[0\]\[2\] is nan"),
        ({"grad": np.inf, "path": ("hidden", "b")}, r"grads\['hidden'\]\['b'\]\[2\] is inf; expected"),
        ({"grad": 1e200}, r"grads is too large: .* made v\['w'\]\[0\]\[2\] inf in step"),
    ],
)
def test_a_number_that_is_not_finite_stops_the_run_before_its_step(tmp_path, at, what, message):
    ours, theirs, file = Adam(parameters(), 0.01), Adam(parameters(), 0.01), tmp_path / "run.npz"
    f = failing(at, **what)
    with pytest.raises(DivergedError, match=message) as caught:
        short_fit(ours, f, checkpoint=Checkpoint(file, every=3), epochs=4)
    epoch, batch = divmod(at - 1, 5)
    assert str(caught.value).startswith(f"step {at} (epoch {epoch + 1}, batch {batch + 1} of 5): ")
    saved = (at - 1) // 3 * 3
    end = (
        f"the last checkpoint is {str(file)!r}, after step {saved} (to go on with another learning rate:"
        f" optimizer.load({str(file)!r}), assign optimizer.learning_rate, and call fit with another"
        " file)"
    )
    assert str(caught.value).endswith(end if saved else "there is no checkpoint")
    losses = []

    def first_steps(params, x, y):
        if len(losses) == at - 1:
            raise KeyboardInterrupt
        losses.append(float(value_and_grad(params, x, y)[0]))
        return value_and_grad(params, x, y)

    with pytest.raises(KeyboardInterrupt):
        short_fit(theirs, first_steps, epochs=4)
    assert alike((ours.params, ours.state), (theirs.params, theirs.state))
    assert ours.t == at - 1
    assert caught.value.history.loss == losses
    assert not hasattr(caught.value, "__notes__")  # the message has it all
    np.testing.assert_array_equal(X[caught.value.rows], f.calls[-1])
    assert isinstance(caught.value, ValueError)
    assert str(copy.copy(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    ("number", "place"), [(0, r"data\[0\]\[7, 2\] is nan"), (1, r"data\[1\]\[7\] is -inf")]
)
def test_a_number_of_the_data_that_is_not_finite_is_named(number, place):
    data = [X.copy(), Y.copy()]
    data[number][(7, 2) if number == 0 else 7] = np.nan if number == 0 else -np.inf
    with pytest.raises(DivergedError, match=f"; in this batch {place}; there is no") as caught:
        short_fit(data=data)
    assert 7 in caught.value.rows
    with pytest.raises(
        DivergedError, match=f"in the gradient check, .*; in this batch {place.replace('7', '2', 1)};"
    ):
        short_fit(data=[part[5:10] for part in data], check_gradient_every="start")


def test_a_parameter_that_a_step_would_make_infinite_stops_the_run():
    theta = np.array([1.7e308])
    with (
        np.errstate(over="ignore"),
        pytest.raises(DivergedError, match=r"made params\[0\] in") as caught,
    ):
        short_fit(SGD(theta, 1e300), lambda theta, x: (1.0, np.array([-1e8])), X)
    assert "(nothing has changed)" in str(caught.value)
    assert theta[0] == 1.7e308


def test_an_optimizer_may_skip_steps_instead():
    optimizer = Adam(parameters(), 0.01, skip_nonfinite=True)
    history = short_fit(optimizer, failing(3, loss=np.nan, grad=np.nan))
    assert (optimizer.skipped, optimizer.t, history.step) == (1, 9, 10)
    assert np.isnan(history.loss).nonzero()[0].tolist() == [2]


def test_skipping_steps_skips_no_loss_that_is_not_finite_where_the_gradient_is():
    optimizer = Adam(parameters(), 0.01, skip_nonfinite=True)
    with pytest.raises(DivergedError, match=r"^step 3 .*the loss is nan, and all parameters and grad"):
        short_fit(optimizer, failing(3, loss=np.nan))
    assert optimizer.t == 2


def test_a_frozen_array_is_no_reason_to_skip_a_step():
    """Its gradient may be anything, so a loss that is NaN beside it is not one that was skipped."""
    optimizer = Adam(
        parameters(), 0.01, skip_nonfinite=True, frozen=lambda path: path == "['hidden']['W']"
    )
    with pytest.raises(DivergedError, match=r"the loss is nan, and all parameters and gradients are"):
        short_fit(optimizer, failing(2, loss=np.nan, grad=np.nan, path=("hidden", "W")))
    assert optimizer.t == 1


def test_an_array_without_a_gradient_is_finite():
    def f(params, x, y):
        grads = value_and_grad(params, x, y)[1]
        return np.nan, {"hidden": grads["hidden"], "w": [None]}

    with pytest.raises(DivergedError, match=r"the loss is nan, and all parameters and gradients are"):
        short_fit(f=f)


def test_an_epoch_has_the_mean_of_the_finite_losses():
    optimizer = SGD(parameters(), 0.01, skip_nonfinite=True)
    history = short_fit(optimizer, failing(3, loss=np.inf, grad=np.inf))
    losses = history.loss
    assert history["loss"] == [
        pytest.approx((losses[0] + losses[1] + losses[3] + losses[4]) / 4),
        pytest.approx(np.mean(losses[5:])),
    ]

    def never(params, x, y):
        grads = value_and_grad(params, x, y)[1]
        grads["w"][0][0] = np.nan
        return np.nan, grads

    history = short_fit(SGD(parameters(), 0.01, skip_nonfinite=True), never)
    assert np.isnan(history["loss"]).tolist() == [True, True]


# Other errors


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError, FloatingPointError])
@pytest.mark.parametrize("source", ["value_and_grad", "after_step", "evaluate"])
def test_every_error_brings_what_was_recorded_and_where_the_run_was(tmp_path, kind, source):
    calls, file = {"value_and_grad": 0, "after_step": 0, "evaluate": 0}, tmp_path / "run.npz"

    def count(name, at):
        calls[name] += 1
        if name == source and calls[name] == at:
            raise kind("something")

    def f(params, x, y):
        count("value_and_grad", 8)
        return value_and_grad(params, x, y)

    def after_step(step):
        count("after_step", 8)
        return {"t": step.number}

    def evaluate(params):
        count("evaluate", 2)

    callbacks = {"after_step": after_step, "evaluate": evaluate}
    with pytest.raises(kind, match="something") as caught:
        short_fit(f=f, checkpoint=Checkpoint(file, every=3), **callbacks)
    steps, place, saved = {
        "value_and_grad": (7, "step 8 (epoch 2, batch 3 of 5)", 6),
        "after_step": (7, "step 8 (epoch 2, batch 3 of 5)", 6),
        "evaluate": (10, "the end of epoch 2, after step 10", 9),
    }[source]
    assert str(caught.value) == "something"
    assert caught.value.history.steps["t"] == list(range(1, steps + 1))
    assert caught.value.history.epoch == 1
    (note,) = caught.value.__notes__
    assert note == f"fit was at {place}; the last checkpoint is {str(file)!r}, after step {saved}"


def test_an_error_that_takes_no_attributes_is_left_as_it_is():
    class Strict(Exception):  # noqa: N818
        def __setattr__(self, name, value):
            raise AttributeError(name)

    def f(*_):
        raise Strict

    with pytest.raises(Strict):
        short_fit(f=f)


def test_a_parameter_that_is_not_finite_is_named_before_what_follows_from_it():
    def after_step(step):
        if step.number == 3:
            step.params["hidden"]["b"][1] = np.nan

    with pytest.raises(DivergedError, match=r"^step 4 .* and params\['hidden'\]\['b'\]\[1\] is nan"):
        short_fit(after_step=after_step)
