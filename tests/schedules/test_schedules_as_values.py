"""Schedules as values: written, compared, copied, pickled, and asked for many steps at once."""

import copy
import pickle

import numpy as np
import pytest

import optimlib
from optimlib import schedules
from optimlib.optimizers.sgd import SGD
from optimlib.schedules import (
    BaseSchedule,
    ReduceOnPlateau,
    constant,
    cosine,
    cosine_restarts,
    cyclic,
    exponential_decay,
    inverse_time_decay,
    joined,
    milestones,
    one_cycle,
    polynomial_decay,
    step_decay,
    warmup,
)

WRITTEN = {  # how each is written, and another one that is not equal to it
    "constant(0.1)": constant(0.2),
    "step_decay(0.1, every=7)": step_decay(0.1, every=8),
    "step_decay(0.1, every=7, factor=0.5)": step_decay(0.1, every=7),
    "exponential_decay(0.1, factor=0.97)": exponential_decay(0.1, 0.96),
    "inverse_time_decay(0.1, decay=0.5, power=2.0)": inverse_time_decay(0.1, 0.5),
    "polynomial_decay(0.1, steps=5)": polynomial_decay(0.1, 5, power=2),
    "cosine(0.1, steps=1000)": polynomial_decay(0.1, 1000),
    "cosine(0.1, steps=1000, end=0.01)": cosine(0.1, 1000),
    "cosine_restarts(0.1, steps=3, factor=2)": cosine_restarts(0.1, 3),
    "milestones((0.1, 0.01), at=(30,))": milestones([0.1, 0.01], [31]),
    "one_cycle(0.1, steps=9, back=0.8, shape='linear')": one_cycle(0.1, 9, back=0.8),
    "cyclic(0.1, peak=0.5, up=3)": cyclic(0.1, 0.5, 3, 2),
    "warmup(cosine(0.1, steps=90), steps=10)": warmup(cosine(0.1, 90), 11),
    "warmup(warmup(constant(0.1), steps=2), steps=10, start=0.5)": warmup(constant(0.1), 10, 0.5),
    "joined((warmup(constant(0.1), steps=2), cosine(0.1, steps=3)), at=(4,))": joined(
        [constant(0.1)], []
    ),
    "ReduceOnPlateau(0.1, patience=3)": ReduceOnPlateau(0.1),
    "warmup(ReduceOnPlateau(0.1, patience=3), steps=2)": warmup(ReduceOnPlateau(0.1), 2),
}


def made(text: str):
    return eval(text, vars(schedules))


def test_every_schedule_is_in_the_table_above():
    names = {text.partition("(")[0] for text in WRITTEN}
    assert names == {
        name for name in schedules.__all__ if name not in ("BaseSchedule", "Schedule", "has_state")
    }
    assert names <= set(optimlib.__all__)


@pytest.mark.parametrize("text", WRITTEN)
def test_a_schedule_is_written_as_it_is_made(text):
    assert repr(made(text)) == text
    assert made(text) == made(text)
    assert made(text) != WRITTEN[text]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda schedule: pickle.loads(pickle.dumps(schedule))]
)
def test_a_copy_is_equal_and_gives_the_same_rates(text, copied):
    schedule = made(text)
    twin = copied(schedule)
    assert type(twin) is type(schedule)
    assert twin == schedule
    assert [twin(n) for n in range(20)] == [schedule(n) for n in range(20)]


@pytest.mark.parametrize("text", WRITTEN)
def test_an_optimizer_with_a_schedule_can_be_pickled(text):
    optimizer = SGD(np.ones(2), made(text))
    twin = pickle.loads(pickle.dumps(optimizer))
    for _ in range(3):
        optimizer.step(np.ones(2))
        twin.step(np.ones(2))
    assert (optimizer.params == twin.params).all()


@pytest.mark.parametrize("text", [text for text in WRITTEN if "Plateau" not in text])
def test_a_pure_schedule_cannot_be_changed_and_can_be_a_key(text):
    schedule = made(text)
    with pytest.raises(AttributeError):
        schedule.learning_rate = 1.0
    assert {schedule: 1}[made(text)] == 1


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize(
    "steps",
    [np.arange(100), np.array([[3, 1], [0, 7]]), np.array([], int), np.arange(3, dtype=np.uint8)],
)
def test_many_steps_at_once_give_an_array_of_rates(text, steps):
    schedule = made(text)
    found = schedule(steps)
    assert (found.dtype, found.shape) == (np.float64, steps.shape)
    np.testing.assert_array_equal(found, np.reshape([schedule(int(n)) for n in steps.flat], steps.shape))


def test_a_plateau_that_has_seen_losses_is_not_equal_to_one_that_has_not():
    seen, fresh = ReduceOnPlateau(0.1, patience=3), ReduceOnPlateau(0.1, patience=3)
    seen.observe(1.0)
    assert seen != fresh
    assert pickle.loads(pickle.dumps(seen)) == seen
    fresh.observe(1.0)
    assert seen == fresh


def test_a_class_of_ones_own_is_told_what_to_define():
    with pytest.raises(NotImplementedError, match="BaseSchedule has to define rate"):
        BaseSchedule()(0)
