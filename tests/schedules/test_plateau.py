"""The plateau: what the libraries reduce, what one works out by hand, its state."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN

from optimlib import SGD
from optimlib.schedules import ReduceOnPlateau

RECORDED = json.loads((GOLDEN / "schedules.json").read_text(encoding="utf8"))


@pytest.mark.parametrize("name", RECORDED["plateaus"])
def test_a_library_reduces_on_the_same_plateaus(name):
    case = RECORDED["plateaus"][name]
    schedule, ours = ReduceOnPlateau(0.2, **case["settings"]), []
    for loss in case.get("losses", RECORDED["losses"]):
        schedule.observe(loss)
        ours.append(schedule(0))
    np.testing.assert_allclose(ours, case["rates"], rtol=1e-12)


def test_the_recorded_plateaus_are_worth_comparing():
    counts = {name: len(set(case["rates"])) for name, case in RECORDED["plateaus"].items()}
    assert counts.pop("torch: default") == counts.pop("optax: default") == 1
    assert min(counts.values()) > 1
    assert max(counts.values()) > 4


def test_a_plateau_by_hand():
    schedule = ReduceOnPlateau(8.0, factor=0.5, patience=2, cooldown=1, lowest=1.5, rtol=0.0)
    seen = []
    for loss in (5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4):
        schedule.observe(loss)
        seen.append(schedule(0))
    # 5 5 5: two bad ones, then a better. Then 4: two bad, the third halves; one is not counted ...
    assert seen == [8, 8, 8, 8, 8, 8, 4, 4, 4, 4, 2, 2, 2, 2, 1.5, 1.5, 1.5]


def test_an_improvement_has_to_be_large_enough():
    def reduced(loss, best=10.0, **settings):
        schedule = ReduceOnPlateau(1.0, patience=0, **settings)
        schedule.observe(best)
        schedule.observe(loss)
        return schedule(0) < 1

    assert not reduced(8.9, rtol=0.1)
    assert reduced(9.1, rtol=0.1)
    assert not reduced(9.4, rtol=0.0, atol=0.5)
    assert reduced(9.6, rtol=0.0, atol=0.5)
    assert reduced(8.9, rtol=0.1, atol=0.5)
    assert reduced(10.0, rtol=0.0)
    # Losses below zero: PyTorch and Optax take -9.5 for better than -10 with a tenth of tolerance.
    assert reduced(-9.5, best=-10.0, rtol=0.1)
    assert reduced(-10.5, best=-10.0, rtol=0.1)
    assert not reduced(-11.5, best=-10.0, rtol=0.1)


def test_the_next_step_has_the_reduced_rate():
    schedule = ReduceOnPlateau(1.0, factor=0.25, patience=0)
    params = np.zeros(1)
    optimizer = SGD(params, schedule)
    for loss in (1.0, 1.0, 1.0):
        optimizer.step(np.ones(1))
        schedule.observe(loss)
    assert params[0] == -(1 + 1 + 0.25)
    assert optimizer.learning_rate == 0.25
    assert schedule.learning_rate == 0.0625


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        *((loss, ValueError) for loss in (math.nan, math.inf, -math.inf, np.float32("nan"))),
        *((loss, TypeError) for loss in ("1", None, True, 1j, np.ones(1))),
    ],
)
def test_a_loss_that_is_none_is_refused_and_nothing_has_changed(loss, error):
    schedule = ReduceOnPlateau(1.0, patience=1)
    schedule.observe(1.0)
    schedule.observe(np.float32(2.0))
    before = schedule.state_dict()
    with pytest.raises(error, match="loss is "):
        schedule.observe(loss)
    assert schedule.state_dict() == before


@settings(max_examples=50, derandomize=True, deadline=None)
@given(losses=st.lists(st.sampled_from([1.0, 0.9, 0.8, 1.1]), max_size=30), cut=st.integers(0, 30))
def test_a_plateau_goes_on_from_its_state_as_if_nothing_had_happened(losses, cut):
    def new():
        return ReduceOnPlateau(1.0, factor=0.5, patience=1, cooldown=2)

    whole, first, second = new(), new(), new()
    for loss in losses:
        whole.observe(loss)
    for loss in losses[:cut]:
        first.observe(loss)
    second.load_state_dict(first.state_dict())
    for loss in losses[cut:]:
        second.observe(loss)
    assert second.state_dict() == whole.state_dict()


BAD_STATES = {
    "one thing less": ({}, ["best"], ValueError, "the saved schedule has"),
    "one thing more": ({"x": np.array(1)}, [], ValueError, "the saved schedule has"),
    "a negative rate": ({"learning_rate": np.array(-1.0)}, [], ValueError, "learning_rate is -1.0"),
    "no best loss": ({"best": np.array(np.nan)}, [], ValueError, "best is nan"),
    "a best loss that is text": ({"best": np.array("a")}, [], ValueError, "best is 'a'"),
    "half a loss": ({"bad": np.array(1.5)}, [], ValueError, "bad is 1.5"),
    "a negative pause": ({"cooling": np.array(-1)}, [], ValueError, "cooling is -1"),
}


@pytest.mark.parametrize(("change", "less", "error", "message"), BAD_STATES.values(), ids=BAD_STATES)
def test_a_broken_state_is_refused_and_nothing_has_changed(change, less, error, message):
    schedule = ReduceOnPlateau(1.0)
    schedule.observe(3.0)
    before = schedule.state_dict()
    broken = ReduceOnPlateau(0.5).state_dict() | change
    for key in less:
        del broken[key]
    with pytest.raises(error, match=message):
        schedule.load_state_dict(broken)
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("factor", 5.0, "factor is 5.0; expected"),
        ("patience", -1, "patience is -1; expected a whole number"),
        ("learning_rate", -1.0, "learning_rate is -1.0; expected"),
        ("best", None, "best is None; expected a loss"),
        ("rtol", math.nan, "rtol is nan; expected"),
        ("cooldown", 0.5, "cooldown is 0.5; expected a whole number"),
    ],
)
def test_what_is_assigned_is_checked(name, value, message):
    schedule = ReduceOnPlateau(1.0)
    before = getattr(schedule, name)
    with pytest.raises(ValueError, match=message):
        setattr(schedule, name, value)
    assert getattr(schedule, name) == before


def test_a_name_that_it_does_not_have_is_refused():
    with pytest.raises(AttributeError, match="ReduceOnPlateau has no patients; it has learning_rate"):
        ReduceOnPlateau(1.0).patients = 3


def test_a_patience_assigned_in_a_run_holds_from_the_next_loss():
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=10)
    for loss in (1.0, 2.0):
        schedule.observe(loss)
    schedule.patience = 1
    schedule.observe(2.0)
    assert schedule.learning_rate == 0.5
