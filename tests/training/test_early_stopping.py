"""Early stopping: when a run ends, and which parameters are left."""

import math

import numpy as np
import pytest
from training_cases import X, Y, parameters, value_and_grad

from optimlib import EMA, SGD, ScheduleFreeSGD
from optimlib.training import EarlyStopping, fit

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "mode", "best", "epochs_with_patience_2"),
    [
        ([5.0, 4.0, 3.0, 2.0], "min", 3, 4),
        ([5.0, 4.0, 4.5, 4.2, 1.0], "min", 1, 4),
        ([5.0, 4.0, 4.5, 3.0, 6.0, 7.0, 8.0], "min", 3, 6),
        ([5.0, 5.0, 5.0, 5.0], "min", 0, 3),  # as good is not better
        ([0.5, 0.6, 0.55, 0.6, 0.9], "max", 1, 4),
        ([0.5, 0.6, 0.7], "max", 2, 3),
        ([3.0, NAN, 2.0, NAN, NAN, 1.0], "min", 2, 5),  # NaN is never better
        ([NAN, 3.0, NAN, 2.0, 4.0], "max", 1, 4),
        ([NAN, NAN, NAN, 1.0], "min", None, 2),
        ([math.inf, 2.0, 3.0, 3.0], "min", 1, 4),
    ],
)
def test_a_run_ends_after_patience_and_leaves_the_best(values, mode, best, epochs_with_patience_2):
    left, seen = iter(values), []

    def evaluate(params):
        seen.append(params["w"][0].copy())
        return {"metric": next(left)}

    params = parameters()
    history = fit(
        value_and_grad,
        SGD(params, 0.1),
        (X, Y),
        epochs=len(values),
        batch_size=10,
        rng=np.random.default_rng(0),
        evaluate=evaluate,
        stopping=EarlyStopping("metric", patience=2, mode=mode),
    )
    assert history.epoch == epochs_with_patience_2
    kept = -1 if best is None else best
    np.testing.assert_array_equal(params["w"][0], seen[kept])
    assert len({w.tobytes() for w in seen}) == len(seen)


def test_the_training_loss_can_be_watched_without_evaluating_anything():
    params = parameters()
    optimizer = SGD(params, lambda n: 0.1 if n < 9 else 2.0)
    history = fit(
        value_and_grad,
        optimizer,
        (X, Y),
        epochs=50,
        batch_size=10,
        rng=np.random.default_rng(0),
        stopping=EarlyStopping("loss", patience=3),
    )
    best = EarlyStopping("loss").best(history["loss"])
    assert history.epoch == best + 1 + 3 < 50
    assert value_and_grad(params, X, Y)[0] < 2 * min(history["loss"])


def test_one_object_serves_many_runs():
    stopping = EarlyStopping("loss", patience=1)
    for _ in range(2):
        history = fit(
            value_and_grad,
            SGD(parameters(), 0.05),
            (X, Y),
            epochs=3,
            batch_size=23,
            rng=np.random.default_rng(0),
            stopping=stopping,
        )
        assert history.epoch == 3


def test_a_patience_may_be_any_whole_number():
    assert type(EarlyStopping("loss", np.uint8(3)).patience) is int


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((3,), TypeError, "^metric is 3; expected a name, such as 'validation loss'"),
        (("loss", 0), ValueError, "^patience is 0; expected a whole number from 1 on"),
        (("loss", 2.0), ValueError, r"^patience is 2\.0; expected a whole number"),
        (("accuracy", 2, "higher"), ValueError, "^mode is 'higher'; expected 'min' or 'max'"),
    ],
)
def test_what_says_not_when_to_stop_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(*given)


def test_what_is_kept_are_the_parameters_and_not_an_average_that_is_looked_at():
    params = parameters()
    average, values, seen = EMA(params, 0.9), iter([3.0, 1.0, 2.0]), []

    def evaluate(given):
        seen.append(params["w"][0].copy())
        with average.swapped():
            assert not np.array_equal(given["w"][0], seen[-1])
            return {"metric": next(values)}

    fit(
        value_and_grad,
        SGD(params, 0.1),
        (X, Y),
        epochs=3,
        batch_size=10,
        rng=np.random.default_rng(0),
        evaluate=evaluate,
        after_step=lambda step: average.update(),
        stopping=EarlyStopping("metric"),
    )
    np.testing.assert_array_equal(params["w"][0], seen[1])


def test_a_metric_that_nobody_evaluates_is_refused():
    options = {"epochs": 2, "batch_size": 10, "rng": np.random.default_rng(0)}
    optimizer = SGD(parameters(), 0.1)
    with pytest.raises(ValueError, match="stopping watches 'acc'; expected evaluate to return it"):
        fit(value_and_grad, optimizer, (X, Y), stopping=EarlyStopping("acc"), **options)
    assert optimizer.t == 0
    with pytest.raises(ValueError, match=r"watches 'acc'; expected one of \['loss', 'accuracy'\]"):
        fit(
            value_and_grad,
            optimizer,
            (X, Y),
            stopping=EarlyStopping("acc"),
            evaluate=lambda params: {"accuracy": 0.5},
            **options,
        )


def test_the_best_of_a_schedule_free_run_is_not_in_its_parameters():
    with pytest.raises(ValueError, match=r"beside ScheduleFreeSGD; expected None: .*averaged"):
        fit(
            value_and_grad,
            ScheduleFreeSGD(parameters(), 0.1),
            (X, Y),
            epochs=2,
            batch_size=10,
            rng=np.random.default_rng(0),
            stopping=EarlyStopping("loss"),
        )
