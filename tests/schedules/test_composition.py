"""Schedules made of others: whose state they have, and that it is saved with an optimizer's own."""

import copy

import numpy as np
import pytest

from optimlib import SGD, Adam
from optimlib.schedules import ReduceOnPlateau, constant, cosine, has_state, joined, warmup
from optimlib.schedules.composition import as_written


def rates(schedule, count: int) -> list[float]:
    return [schedule(n) for n in range(count)]


def test_only_a_plateau_has_a_state_also_behind_a_warmup():
    plateau = ReduceOnPlateau(1.0, factor=0.5, patience=0)
    schedule = warmup(plateau, steps=2)
    assert not has_state(warmup(constant(1.0), steps=2))
    assert has_state(schedule)
    plateau.observe(1.0)
    plateau.observe(1.0)
    assert rates(schedule, 4) == [0, 0.25, 0.5, 0.5]
    optimizer = Adam(np.zeros(1), schedule)
    assert optimizer.state_dict()["schedule['learning_rate']"] == 0.5


def two_plateaus():
    first, second = ReduceOnPlateau(1.0, factor=0.5, patience=0), ReduceOnPlateau(8.0, patience=0)
    return first, second, joined([warmup(first, 2), constant(3.0), second], at=[4, 6])


def test_joined_schedules_have_the_states_of_all_their_parts():
    first, second, schedule = two_plateaus()
    assert has_state(schedule)
    assert not has_state(joined([constant(1.0), cosine(1.0, 2)], [3]))
    for loss in (1.0, 1.0):
        first.observe(loss)
        second.observe(loss)
    state = schedule.state_dict()
    assert state["0.learning_rate"] == 0.5
    assert state["2.learning_rate"] == 0.8
    assert not any(name.startswith("1") for name in state)
    *_, other = two_plateaus()
    other.load_state_dict(state)
    assert rates(other, 9) == rates(schedule, 9)
    assert other == schedule


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("2.bad", np.array(-1), "bad is -1"),
        ("0.learning_rate", np.array(-1.0), "learning_rate is -1.0"),
        ("2.nothing", np.array(1), "the saved schedule has"),
    ],
)
def test_a_broken_state_of_one_part_changes_none(name, value, message):
    first, _, schedule = two_plateaus()
    broken = schedule.state_dict() | {name: value}
    first.observe(5.0)
    before = schedule.state_dict()
    with pytest.raises(ValueError, match=message):
        schedule.load_state_dict(broken)
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    "make",
    [
        lambda plateau: warmup(plateau, steps=2),
        lambda plateau: joined([constant(1.0), plateau], at=[2]),
        lambda plateau: warmup(joined([plateau, constant(1.0)], at=[9]), steps=1),
    ],
)
def test_a_run_with_a_plateau_inside_is_resumed(make):
    def run(theta, losses, saved=None):
        plateau = ReduceOnPlateau(1.0, factor=0.5, patience=0)
        optimizer = SGD(theta, make(plateau))
        if saved:
            optimizer.load_state_dict(saved)
        for loss in losses:
            optimizer.step(np.ones(1))
            plateau.observe(loss)
        return optimizer.state_dict()

    whole, parts = np.zeros(1), np.zeros(1)
    losses = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    end = run(whole, losses)
    again = run(parts, losses[3:], run(parts, losses[:3]))
    assert whole == parts
    assert list(end) == list(again)
    assert all(np.array_equal(end[name], again[name]) for name in end)
    assert whole != -len(losses)


@pytest.mark.parametrize("make", [lambda p: warmup(p, 2), lambda p: joined([p, constant(1.0)], [9])])
def test_a_deep_copy_of_a_warm_plateau_has_a_state_of_its_own(make):
    plateau = ReduceOnPlateau(1.0, factor=0.5, patience=0)
    schedule = make(plateau)
    twin = copy.deepcopy(schedule)
    before = twin.state_dict()
    plateau.observe(1.0)
    plateau.observe(1.0)
    assert schedule(5) == 0.5
    assert twin(5) == 1.0
    assert twin.state_dict() == before
    twin.load_state_dict(schedule.state_dict())
    plateau.observe(1.0)
    assert (schedule(5), twin(5)) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (None, TypeError),
        ("1", TypeError),
        (-1.0, ValueError),
        (float("nan"), ValueError),
        ([1], TypeError),
    ],
)
def test_what_a_function_of_ones_own_returns_is_checked_by_name(bad, error):
    for schedule, n, name in (
        (warmup(lambda n: bad, 3), 1, r"schedule\(0\)"),
        (warmup(lambda n: bad, 3), 5, r"schedule\(2\)"),
        (joined([constant(1.0), lambda n: bad], [3]), 7, r"schedules\[1\]\(4\)"),
    ):
        with pytest.raises(error, match=f"^{name} is "):
            schedule(n)


def single(n):
    return np.float32(n)


def test_what_a_function_of_ones_own_returns_becomes_a_python_float():
    for schedule in (warmup(single, 1), joined([single], []), warmup(lambda n: n, 2)):
        assert [type(schedule(n)) for n in range(4)] == [float] * 4


def test_a_warmup_asks_the_schedule_behind_it_once_for_every_rate():
    asked = []
    schedule = warmup(lambda n: asked.append(n) or 1.0, steps=2)
    assert rates(schedule, 5) == [0, 0.5, 1, 1, 1]
    assert asked == [0, 0, 0, 1, 2]


def test_a_schedule_is_written_for_another_run():
    """Of a function no two runs can tell whether it is the same; its place in memory says nothing."""
    assert as_written(cosine(0.5, 100)) == "cosine(0.5, steps=100)"
    assert as_written(lambda n: 0.5) == "a function"
    assert as_written(warmup(single, 3)) == "warmup(<function single>, steps=3)"


def test_a_schedule_is_written_with_the_state_that_is_given():
    plateau = ReduceOnPlateau(1.0, factor=0.5, patience=0)
    fresh = plateau.state_dict()
    plateau.observe(1.0)
    plateau.observe(1.0)
    seen = as_written(plateau)
    assert as_written(plateau, fresh) != seen
    assert as_written(plateau, fresh) == as_written(ReduceOnPlateau(1.0, factor=0.5, patience=0))
    assert as_written(plateau) == as_written(plateau, {}) == seen
    assert as_written(cosine(0.5, 100), {"best": 1.0}) == "cosine(0.5, steps=100)"
