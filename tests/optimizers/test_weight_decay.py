"""Weight decay beside a rule: by hand, for every array by itself, and where it is rounded."""

import pickle
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest

from optimlib import SGD, Adam
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.weight_decay import L2, ROUNDINGS, Decoupled


class ByTwo(Optimizer):
    """A step of half of the learning rate for every gradient but 0."""

    def rule(self, g):
        return self.learning_rate * np.sign(g) / 2, ()


def test_l2_is_scaled_by_the_rule_and_decoupled_decay_is_not():
    """From 3 at rate 1/2 with strength 1/4, and the gradient -1/2: L2 turns its sign."""
    for decay, expected in ((L2(0.25), 3 - 1 / 4), (Decoupled(0.25), 3 + 1 / 4 - 3 / 8)):
        theta = np.array([3.0])
        ByTwo(theta, 0.5, weight_decay=decay).step(np.array([-0.5]))
        assert theta == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_three_roundings_are_one_number_in_fractions(rounding):
    p, step, decay = Fraction(3), Fraction(1, 7), Fraction(1, 5)
    start, subtracted = ROUNDINGS[rounding](p, step, decay)
    assert start - subtracted == Fraction(3) - Fraction(1, 7) - Fraction(3, 5)


def test_the_three_roundings_round_in_different_places():
    """In float32 1 + 2**-24 is 1, and 1 - 2**-25 too."""
    one, three, tiny = np.float32(1), np.float32(3), 2.0**-25

    def after(rounding, p, step, decay):
        start, subtracted = ROUNDINGS[rounding](np.array([p]), np.array([step], np.float32), decay)
        return float((start - subtracted)[0])

    assert after("joint", one, tiny, tiny) == 1 - 2.0**-24  # their sum is large enough
    assert after("before", one, tiny, tiny) == 1  # each by itself is not
    assert after("factor", one, tiny, tiny) == 1
    assert after("factor", three, 0, tiny) == 3  # the factor is 1 in float32
    assert after("factor", three, 0, 2.0**-24) == 3 - 2.0**-22


def test_the_base_rate_is_the_rate_that_counts_as_one():
    theta = np.array([4.0])
    optimizer = SGD(theta, lambda n: 0.5 / (n + 1), weight_decay=Decoupled(0.25, base_rate=0.5))
    optimizer.step(np.zeros(1))
    assert theta == 3
    optimizer.step(np.zeros(1))
    assert theta == 3 - 3 / 8


@pytest.mark.parametrize("kind", [L2, Decoupled])
@pytest.mark.parametrize(
    "strength", [{"W": 0.5, "b": 0.25, "c": 0.0}, lambda path: {"W": 0.5, "b": 0.25, "c": 0}[path[2]]]
)
def test_every_array_may_have_a_strength_of_its_own(kind, strength):
    theta = {name: np.array([4.0]) for name in "Wbc"}
    SGD(theta, 1.0, weight_decay=kind(strength)).step({name: np.zeros(1) for name in "Wbc"})
    assert theta == {"W": 2, "b": 3, "c": 4}


@pytest.mark.parametrize("mask", [{"W": True, "b": False}, lambda path: path != "['b']"])
def test_a_mask_is_a_tree_or_a_function_of_the_path(mask):
    for options in ({"weight_decay": 0.5, "mask": mask}, {"weight_decay": L2(0.5, mask)}):
        theta = {"W": np.array([4.0]), "b": np.array([4.0])}
        SGD(theta, 1.0, **options).step({"W": np.zeros(1), "b": np.zeros(1)})
        assert theta == {"W": 2, "b": 4}


def test_a_number_is_short_for_the_kind_that_the_class_prefers():
    class Other(ByTwo):
        default_decay = Decoupled

    assert ByTwo(np.ones(1), 0.1, weight_decay=0.5).weight_decay == L2(0.5)
    assert Other(np.ones(1), 0.1, weight_decay=0.5).weight_decay == Decoupled(0.5)
    running = Other(np.ones(1), 0.1)
    running.weight_decay = 0.25
    assert running.weight_decay == Decoupled(0.25)
    running.weight_decay = L2(0.25)
    assert running.weight_decay == L2(0.25)


def test_without_decay_the_step_is_that_of_the_rule_bit_for_bit():
    theta, twin = np.array([-0.0, np.float64(1e308)]), np.array([-0.0, np.float64(1e308)])
    Adam(theta, 0.1, weight_decay=0.0).step(np.array([-0.0, 1.0]))
    Adam(twin, 0.1, weight_decay=L2(0.5, mask=lambda path: False)).step(np.array([-0.0, 1.0]))
    assert theta.tobytes() == twin.tobytes()


def test_decay_stays_as_it_was_created_and_can_be_pickled():
    decay = Decoupled(0.5, {"W": True}, base_rate=0.1, rounding="factor")
    with pytest.raises(FrozenInstanceError):
        decay.strength = 0.1
    assert pickle.loads(pickle.dumps(decay)) == decay
    assert repr(L2(0.5)) == "L2(strength=0.5, mask=None)"


@pytest.mark.parametrize(
    ("create", "error", "message"),
    [
        (lambda: L2(-0.1), ValueError, "weight_decay is -0.1"),
        (lambda: L2("0.1"), TypeError, "weight_decay is '0.1' of type str"),
        (lambda: Decoupled(np.inf), ValueError, "weight_decay is inf"),
        (lambda: Decoupled(0.1, base_rate=0.0), ValueError, "base_rate is 0.0; expected more than 0"),
        (lambda: Decoupled(0.1, rounding="up"), ValueError, "rounding is 'up'; expected one of joint, "),
        (lambda: SGD(np.ones(1), 0.1, weight_decay=None), TypeError, "weight_decay is None"),
        (
            lambda: SGD(np.ones(1), 0.1, weight_decay=Decoupled),
            TypeError,
            r"weight_decay is the class Decoupled; expected one made, as by Decoupled\(\.\.\.\)",
        ),
    ],
)
def test_what_is_no_decay_is_refused(create, error, message):
    with pytest.raises(error, match=message):
        create()
