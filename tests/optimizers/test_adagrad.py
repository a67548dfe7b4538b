"""AdaGrad: steps worked by hand, and where its constants go."""

import numpy as np
import pytest
from support import close, steps_taken

from optimlib import AdaGrad, RMSProp
from optimlib.optimizers import AdaGradEpsInside
from optimlib.schedules import inverse_time_decay


def test_defaults():
    found, inside = AdaGrad(np.zeros(1)), AdaGradEpsInside(np.zeros(1))
    assert (found.learning_rate, found.eps, found.initial_accumulator) == (0.01, 1e-10, 0.0)
    assert (inside.learning_rate, inside.eps, inside.initial_accumulator) == (0.01, 1e-7, 0.1)


def test_adagrad_by_hand():
    """G = 9, 9 + 16 = 25, 25, 25 + 144 = 169: the steps are 3/3, 4/5, 0, -12/13."""
    close(steps_taken(AdaGrad, [3, 4, 0, -12], learning_rate=1.0, eps=0.0), [1, 4 / 5, 0, -12 / 13])


def test_where_adagrads_constants_go():
    """From a = 7 the root is 4 at g = 3: 3 / (4 + 2) outside. Inside, 7 + 9 + 9 = 25: 3/5."""
    options = {"learning_rate": 1.0, "initial_accumulator": 7.0}
    close(steps_taken(AdaGrad, [3], eps=2.0, **options), [1 / 2])
    close(steps_taken(AdaGradEpsInside, [3], eps=9.0, **options), [3 / 5])


def test_the_accumulator_starts_where_it_says_in_every_array():
    params = {"W": np.zeros((2, 2)), "b": np.zeros(3, np.float32)}
    state = AdaGrad(params, initial_accumulator=0.25).state["G"]
    assert (state["W"] == 0.25).all()
    assert (state["b"] == 0.25).all()
    assert state["b"].dtype == np.float32


@pytest.mark.parametrize("optimizer", [AdaGrad, RMSProp])
def test_where_a_sum_starts_cannot_be_assigned_later(optimizer):
    running = optimizer(np.zeros(1), initial_accumulator=0.5)
    with pytest.raises(AttributeError, match="initial_accumulator counts only before the first step"):
        running.initial_accumulator = 1.0
    assert running.initial_accumulator == 0.5


def test_pytorchs_decay_is_a_schedule_that_begins_with_the_second_step():
    """By hand as above, over 1, 1 + 1/2, 1 + 1, 1 + 3/2."""
    options = {"learning_rate": 1.0, "eps": 0.0}
    expected = [1, 4 / 5 / 1.5, 0, -12 / 13 / 2.5]
    like = lambda params, **more: AdaGrad.like("torch", params, **more)  # noqa: E731
    close(steps_taken(like, [3, 4, 0, -12], lr_decay=0.5, **options), expected)
    options["learning_rate"] = inverse_time_decay(1.0, 0.5)
    close(steps_taken(AdaGrad, [3, 4, 0, -12], **options), expected)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_decay_that_is_none_is_refused_under_its_name(value):
    with pytest.raises(ValueError, match=r"^lr_decay is "):
        AdaGrad.like("torch", np.zeros(1), lr_decay=value)


def test_a_decay_beside_a_schedule_is_refused():
    with pytest.raises(ValueError, match=r"lr_decay is 0\.5 beside a schedule as learning_rate"):
        AdaGrad.like("torch", np.zeros(1), lr_decay=0.5, learning_rate=lambda done: 1.0)


def test_under_a_constant_gradient_adagrads_rate_falls_with_the_root_of_time():
    steps = steps_taken(AdaGrad, np.full(100, 5.0), learning_rate=0.1, eps=0.0)
    np.testing.assert_allclose(steps, 0.1 / np.sqrt(np.arange(1, 101)), rtol=1e-12)


@pytest.mark.parametrize("optimizer", [AdaGrad, AdaGradEpsInside])
@pytest.mark.parametrize("name", ["eps", "initial_accumulator"])
def test_bad_hyperparameters_are_refused(optimizer, name):
    for value in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < "):
            optimizer(np.zeros(1), **{name: value})
    with pytest.raises(TypeError, match=rf"{name} is 'x'.*; expected a number"):
        optimizer(np.zeros(1), **{name: "x"})


@pytest.mark.parametrize(
    ("keyword", "answer"), [("eps_inside", "AdaGradEpsInside"), ("lr_decay", "inverse_time_decay")]
)
def test_a_keyword_that_is_gone_is_answered(keyword, answer):
    with pytest.raises(TypeError, match=rf"AdaGrad has no {keyword}: .*{answer}"):
        AdaGrad(np.zeros(1), **{keyword: 1})
