"""Numbers that are not finite: what the error says, and what is left."""

import copy

import numpy as np
import pytest
from training_cases import X, alike, parameters, short_fit, value_and_grad

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
    end = f"the last checkpoint is {str(file)!r}, after step {saved}" if saved else "no checkpoint"
    assert str(caught.value).endswith(end)
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
    np.testing.assert_array_equal(X[caught.value.rows], f.calls[-1])
    assert isinstance(caught.value, ValueError)
    assert str(copy.copy(caught.value)) == str(caught.value)


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
