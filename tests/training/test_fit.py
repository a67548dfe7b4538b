"""The loop: what it computes, what it records, what it refuses."""

import sys

import numpy as np
import pytest
from support import unchanged
from training_cases import X, Y, alike, parameters, short_fit, value_and_grad

from optimlib import SGD, Adam, Checkpoint, cosine, minibatches
from optimlib.nn import dense, dense_backward
from optimlib.training.gradient_checks import check_when, is_due
from optimlib.trees import copy_tree


def by_hand(optimizer, epochs, rng):
    losses = []
    for _ in range(epochs):
        for x, y in minibatches((X, Y), 5, rng):
            loss, grads = value_and_grad(optimizer.params, x, y)
            optimizer.step(grads)
            losses.append(float(loss))
    return losses


@pytest.mark.parametrize("learning_rate", [0.05, cosine(0.05, 15)])
def test_the_loop_is_the_one_that_one_would_write(learning_rate):
    ours, theirs = (SGD(parameters(), learning_rate, momentum=0.5) for _ in range(2))
    history = short_fit(ours, epochs=3, seed=4)
    assert history.loss == by_hand(theirs, 3, np.random.default_rng(4))
    assert alike(ours.params, theirs.params)
    assert ours.t == 15


def test_two_calls_are_one_longer_run():
    ours, theirs, rng = Adam(parameters(), 0.01), Adam(parameters(), 0.01), np.random.default_rng(4)
    losses = [loss for epochs in (1, 2) for loss in short_fit(ours, epochs=epochs, rng=rng).loss]
    assert losses == by_hand(theirs, 3, np.random.default_rng(4))
    assert alike(ours.params, theirs.params)


def test_the_mean_of_numbers_by_hand():
    """Half steps toward rows in the order of the generator: the mean moves as on paper."""
    x, theta = np.array([4.0, 8.0]), np.array(0.0)
    first, second = x[np.random.default_rng(0).permutation(2)]
    history = short_fit(SGD(theta, 0.5), lambda m, x: (((m - x) ** 2).sum() / 2, (m - x).sum()), x,
                  epochs=1, batch_size=1)  # fmt: skip
    middle = first / 2
    assert history.loss == [first**2 / 2, (middle - second) ** 2 / 2]
    assert theta == (middle + second) / 2
    assert history["loss"] == [sum(history.loss) / 2]


def test_whole_numbers_are_images_and_labels():
    images = np.random.default_rng(0).integers(0, 256, (20, 6)).astype(np.uint8)
    labels = np.arange(20) % 3
    params = {"W": np.zeros((6, 3)), "b": np.zeros(3)}

    def softmax(params, x, y):
        scores = dense(x / 255, params["W"], params["b"])
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        ds = (p - np.eye(3)[y]) / len(y)
        _, dW, db = dense_backward(ds, x / 255, params["W"])
        return -np.log(p[np.arange(len(y)), y]).mean(), {"W": dW, "b": db}

    adam = Adam(params, 0.2)
    history = short_fit(adam, softmax, (images, labels), epochs=60, check_gradient_every="start")
    assert history.gradient_checks == {0: "pass"}
    assert history["loss"][-1] < 0.8 * np.log(3)  # guessing has log 3


def test_data_in_a_dict_is_one_argument():
    data = {"x": X, "y": Y}
    one, two = Adam(parameters(), 0.01), Adam(parameters(), 0.01)
    short_fit(one, lambda params, batch: value_and_grad(params, **batch), data)
    short_fit(two, data=[X, Y])
    assert alike(one.params, two.params)


def test_float32_stays_float32():
    params = {k: v.astype(np.float32) for k, v in {"w": np.zeros(4), "b": np.zeros(())}.items()}

    def linear(params, x, y):
        error = x @ params["w"] + params["b"] - y
        return (error**2).mean() / 2, {"w": x.T @ error / np.float32(len(y)), "b": error.mean()}

    data = (X.astype(np.float32), Y.astype(np.float32))
    history = short_fit(Adam(params, 0.01), linear, data, check_gradient_every=1)
    assert history.gradient_checks == {0: "pass", 1: "pass"}
    assert params["w"].dtype == np.float32
    assert type(history.loss[0]) is float
    with pytest.raises(TypeError, match=r"grads\['w'\] has dtype float64; expected float32"):
        short_fit(Adam(params, 0.01), linear, (X, Y))


# What is recorded


def test_what_callbacks_return_is_in_the_history():
    optimizer, seen = Adam(parameters(), 0.01, clip_norm=1e-3), []

    def after_step(step):
        seen.append(step)
        change = step.params["w"][0] - step.before["w"][0]
        return {"change": np.abs(change).max(), "epoch": step.epoch}

    history = short_fit(optimizer, after_step=after_step, evaluate=lambda p: {"w": p["w"][0][0]})
    assert [step.number for step in seen] == list(range(1, 11))
    assert [step.loss for step in seen] == history.loss
    assert history.steps["epoch"] == [1.0] * 5 + [2.0] * 5
    assert history.steps["change"][0] == pytest.approx(0.01, rel=1e-4)  # Adam's first step
    assert history["w"][-1] == optimizer.params["w"][0][0]
    assert history["loss"] == [pytest.approx(np.mean(history.loss[k : k + 5])) for k in (0, 5)]
    _, grads = value_and_grad(
        parameters(), *(a[np.random.default_rng(0).permutation(23)[:5]] for a in (X, Y))
    )
    assert alike(seen[0].grads, grads)  # not clipped
    assert alike(seen[0].before, parameters())
    assert repr(history) == "<History of 10 steps and 2 epochs: loss, w>"
    with pytest.raises(KeyError, match=r"no epoch has 'W'; expected one of \['loss', 'w'\]"):
        history["W"]


def test_a_history_prints_as_a_short_table():
    values = iter(np.arange(1, 31) / 7)
    history = short_fit(epochs=30, batch_size=23, evaluate=lambda params: {"accuracy": next(values)})
    lines = str(history).splitlines()
    assert lines[0].split() == ["epoch", "loss", "accuracy"]
    assert len(lines) == 12
    assert [line.split()[0] for line in lines[1:]] == [*"12345", "…", "26", "27", "28", "29", "30"]
    assert lines[-1].split()[2] == "4.286"
    assert len({len(line) for line in lines if "…" not in line}) == 1


def test_a_nan_of_evaluate_is_recorded_and_stops_nothing():
    history = short_fit(evaluate=lambda params: {"precision": np.float64("nan")})
    assert np.isnan(history["precision"]).tolist() == [True, True]


def test_a_bar_is_shown_if_it_is_asked_for(capsys, monkeypatch):
    short_fit()
    assert capsys.readouterr().err == ""
    short_fit(progress=True)
    assert "10/10" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    short_fit(progress=True, evaluate=lambda params: {"accuracy": 0.25})
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]
    assert lines[0].endswith("accuracy 0.25")


def test_the_data_and_the_gradients_are_only_read():
    kept = []

    def f(params, x, y):
        loss, grads = value_and_grad(params, x, y)
        kept.append((grads, copy_tree(grads)))
        return loss, grads

    with unchanged(X, Y):
        short_fit(SGD(parameters(), 0.1, clip_norm=0.01, weight_decay=0.1), f)
    assert all(alike(grads, copied) for grads, copied in kept)


def test_a_history_is_a_mapping_of_what_every_epoch_has():
    history = short_fit(evaluate=lambda params: {"accuracy": 0.5})
    assert "accuracy" in history
    assert "norm" not in history
    assert list(history) == ["loss", "accuracy"]
    assert dict(history) == history.epochs
    assert len(history) == 2


def test_a_last_batch_that_is_smaller_may_be_left_out():
    lengths = []

    def f(params, x, y):
        lengths.append(len(y))
        return value_and_grad(params, x, y)

    ours, theirs, rng = Adam(parameters(), 0.01), Adam(parameters(), 0.01), np.random.default_rng(4)
    history = short_fit(ours, f, batch_size=11, drop_last=True, epochs=3, seed=4)
    assert lengths == [11] * 6
    assert history.epoch == 3
    for _ in range(3):
        for x, y in minibatches((X, Y), 11, rng, drop_last=True):
            theirs.step(value_and_grad(theirs.params, x, y)[1])
    assert alike(ours.params, theirs.params)
    lengths.clear()
    short_fit(f=f, batch_size=11, epochs=1)
    assert lengths == [11, 11, 1]


def test_small_numpy_numbers_count_as_far_as_others(tmp_path):
    """What they count exceeds what they can hold: 400 rows, 300 epochs, 300 steps."""
    data = (np.tile(X, (18, 1))[:400], np.tile(Y, 18)[:400])
    small = np.uint8(200)
    checkpoint = Checkpoint(tmp_path / "run.npz", every=small)
    history = short_fit(
        data=data,
        epochs=np.uint8(150),
        batch_size=small,
        check_gradient_every=small,
        checkpoint=checkpoint,
    )
    assert history.step == 300
    assert is_due(check_when(np.uint8(200)), 400)
    assert short_fit(data=data, batch_size=np.int8(64), epochs=np.int8(1)).step == 7


def test_the_bar_of_a_run_that_goes_on_starts_where_it_was(tmp_path, monkeypatch):
    shown = []

    class Bar:
        def __init__(self, total, initial, **_):
            shown.append((initial, total))

        def update(self, *_):
            pass

        set_postfix_str = close = update

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    for epochs in (1, 3):
        short_fit(epochs=epochs, progress=True, checkpoint=Checkpoint(tmp_path / "run.npz"))
    assert shown == [(0, 5), (5, 15)]
