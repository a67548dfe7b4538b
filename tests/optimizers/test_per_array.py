"""What differs from array to array: rates, decay, frozen ones, absent gradients, whole arrays."""

import copy

import numpy as np
import pytest

from optimlib import SGD, Adam
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.weight_decay import L2, Decoupled
from optimlib.schedules import ReduceOnPlateau, constant, cosine


def ones():
    return {"W": np.ones(2), "b": np.ones(1), "c": [np.ones((1, 2), order="F")]}


def values(tree):
    return {"W": tree["W"].tolist(), "b": tree["b"].tolist(), "c": tree["c"][0].tolist()}


# Rates


@pytest.mark.parametrize(
    "rates", [{"W": 1.0, "b": 2.0, "c": [0.0]}, lambda path: {"W": 1, "b": 2, "c": 0}[path[2]]]
)
def test_every_array_has_a_rate_of_its_own(rates):
    theta = ones()
    optimizer = SGD(theta, lambda n: 0.5 / (n + 1), rates=rates)
    for expected in ((0.5, 0.0, 1.0), (0.25, -0.5, 1.0)):  # 1/2 and 1/4 times 1, 2 and 0
        optimizer.step(ones())
        W, b, c = expected
        assert values(theta) == {"W": [W, W], "b": [b], "c": [[c, c]]}
    assert optimizer.learning_rate == 0.25


def test_rates_may_be_assigned_and_decoupled_decay_is_multiplied_too():
    theta = {"a": np.array([4.0]), "b": np.array([4.0])}
    optimizer = SGD(theta, 0.5, weight_decay=Decoupled(0.5))
    optimizer.rates = {"a": 1.0, "b": 0.5}
    optimizer.step({"a": np.array([2.0]), "b": np.array([2.0])})
    assert theta == {"a": 4 - 1 - 1, "b": 4 - 0.5 - 0.5}
    optimizer.rates = None
    optimizer.step({"a": np.array([0.0]), "b": np.array([0.0])})
    assert theta == {"a": 1.5, "b": 2.25}


def test_a_rate_is_that_of_a_group_in_pytorch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    ours = [rng.standard_normal(3), rng.standard_normal(3)]
    theirs = [torch.tensor(p.copy(), requires_grad=True) for p in ours]
    groups = [{"params": [theirs[0]], "lr": 0.1}, {"params": [theirs[1]], "lr": 0.02}]
    reference = torch.optim.AdamW(groups, weight_decay=0.1)
    optimizer = Adam(ours, 0.1, rates=[1.0, 0.2], weight_decay=Decoupled(0.1, rounding="factor"))
    for _ in range(20):
        for parameter in theirs:
            parameter.grad = torch.tensor(rng.standard_normal(3))
        optimizer.step([parameter.grad.numpy() for parameter in theirs])
        reference.step()
    for p, parameter in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p, parameter.detach().numpy(), rtol=1e-13)


# Frozen arrays, and gradients that are absent


@pytest.mark.parametrize("frozen", [{"W": True, "b": False, "c": [True]}, lambda path: "b" not in path])
@pytest.mark.parametrize(
    "gradient",
    [{"W": None}, {}, {"W": "anything", "c": ["else"]}, {"W": np.full(2, np.nan), "c": [None]}],
)
def test_frozen_arrays_never_move_whatever_their_gradient(frozen, gradient):
    theta = ones()
    optimizer = Adam(theta, 0.5, frozen=frozen, weight_decay=0.1)
    optimizer.step({"b": np.ones(1)} | gradient)
    assert values(theta)["W"] == [1, 1]
    assert values(theta)["c"] == [[1, 1]]
    assert theta["b"] != 1
    assert not optimizer.state["m"]["W"].any()


def test_what_is_thawed_moves_and_what_is_not_frozen_needs_a_gradient_that_fits():
    theta = ones()
    optimizer = SGD(theta, 1.0, frozen=lambda path: "W" in path)
    with pytest.raises(ValueError, match="missing"):
        optimizer.step({"W": np.ones(2), "c": [np.ones((1, 2))]})
    optimizer.frozen = None
    optimizer.step(ones())
    assert values(theta) == {"W": [0, 0], "b": [0], "c": [[0, 0]]}


def test_an_array_without_a_gradient_takes_no_step_and_its_state_stays():
    theta = [np.ones(2), np.ones(2)]
    optimizer = Adam(theta, 0.5, weight_decay=0.5)
    optimizer.step([np.ones(2), np.ones(2)])
    before = copy.deepcopy(optimizer)
    optimizer.step([None, np.ones(2)])
    assert theta[0].tolist() == before.params[0].tolist()
    assert optimizer.state["v"][0].tolist() == before.state["v"][0].tolist()
    assert theta[1].tolist() != before.params[1].tolist()
    assert optimizer.t == 2
    optimizer.clip_norm = 1.0
    optimizer.step(None)  # of no array
    assert optimizer.t == 3
    assert optimizer.gradient_norm is None


def test_arrays_that_take_turns_have_the_steps_of_arrays_apart():
    """Two halves with a gradient in every other step, as two players have it."""
    rng = np.random.default_rng(0)
    together = {"a": [np.ones(2), np.ones(3)], "b": np.ones(4)}
    alone = copy.deepcopy(together)
    optimizer = SGD(together, 0.1, momentum=0.9, clip_norm=1.0)
    parts = {key: SGD(alone[key], 0.1, momentum=0.9, clip_norm=1.0) for key in alone}
    for n in range(10):
        key = "ab"[n % 2]
        g = [rng.standard_normal(2), rng.standard_normal(3)] if key == "a" else rng.standard_normal(4)
        optimizer.step({"a": None, "b": None} | {key: g})
        parts[key].step(g)
    for mine, other in zip([*together["a"], together["b"]], [*alone["a"], alone["b"]], strict=True):
        np.testing.assert_array_equal(mine, other)


# Whole arrays, parameters, first states


class Lars(Optimizer):
    """The step has the length of the parameters, for every array by itself."""

    needs_whole_arrays = True
    needs_parameters = True
    slots = ("calls",)

    def initial(self, name, array):
        return np.zeros(1, array.dtype)  # not of the array's shape

    def rule(self, g, p, calls):
        return self.learning_rate * np.linalg.norm(p) / np.linalg.norm(g) * g, (calls + 1,)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_rule_that_asks_for_whole_arrays_gets_them_in_their_shape(order):
    theta = {"W": np.full((300, 400), 3.0, order=order), "b": np.array([3.0, 4.0]), "s": np.array(2.0)}
    shapes = []

    class Seen(Lars):
        def rule(self, g, p, calls):
            shapes.append((g.shape, p.shape, calls.shape))
            return super().rule(g, p, calls)

    optimizer = Seen(theta, 0.5)
    optimizer.step({"W": np.full((300, 400), 7.0), "b": np.array([0.0, 2.0]), "s": np.array(-1.0)})
    assert sorted(shapes) == [((), (), (1,)), ((2,), (2,), (1,)), ((300, 400), (300, 400), (1,))]
    np.testing.assert_allclose(theta["W"], 1.5, rtol=1e-12)
    np.testing.assert_allclose(theta["b"], [3.0, 4.0 - 2.5])
    assert theta["s"] == 3
    assert optimizer.state["calls"]["W"].tolist() == [1]
    later = Seen(copy.deepcopy(theta), 0.5)
    later.load_state_dict(optimizer.state_dict())
    assert later.state["calls"]["W"].tolist() == [1]


def test_a_rule_that_sees_the_parameters_sees_the_elements_of_its_gradient():
    class Shrink(Optimizer):
        needs_parameters = True

        def rule(self, g, p):
            return self.learning_rate * p * g, ()

    theta = [np.arange(1.0, 4.0), np.array([[10.0, 20.0], [30.0, 40.0]], order="F")]
    Shrink(theta, 0.5).step([np.array([1.0, 0.0, 1.0]), np.array([[1.0, 0.0], [0.0, 0.0]])])
    assert theta[0].tolist() == [0.5, 2.0, 1.5]
    assert theta[1].tolist() == [[5, 20], [30, 40]]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_first_state_may_be_anything_of_the_shape(order):
    class FromStart(Optimizer):
        slots = ("start",)

        def initial(self, name, array):
            return array

        def rule(self, g, start):
            return g * start, (start,)

    theta = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
    optimizer = FromStart(theta, 1.0)
    for _ in range(2):
        optimizer.step(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    assert optimizer.state["start"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert theta.tolist() == [[0, 1, 2], [3, 4, 5 - 10]]


@pytest.mark.parametrize(
    ("first", "error"),
    [(0.0, TypeError), (np.zeros(2, np.float32), TypeError), (np.zeros(3), ValueError)],
)
def test_a_first_state_that_does_not_fit_is_refused(first, error):
    class Wrong(Optimizer):
        slots = ("m",)

        def initial(self, name, array):
            return first

    with pytest.raises(error, match=r"initial\('m', ...\)"):
        Wrong(np.zeros(2), 0.5)


def test_a_rule_cannot_write_to_its_state():
    class Writes(Optimizer):
        slots = ("m",)

        def rule(self, g, m):
            m += g
            return m, (m,)

    for params in (np.ones(3), [np.ones(3), np.ones(2)]):
        optimizer = Writes(params, 0.5)
        with pytest.raises(ValueError, match="read-only"):
            optimizer.step(params)
        assert optimizer.t == 0


# Layouts


@pytest.mark.parametrize("gradient_order", ["C", "F"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_any_order_of_the_axes_gives_the_same_steps(axes, gradient_order):
    rng = np.random.default_rng(0)
    plain = rng.standard_normal((3, 4, 5))
    turned = np.ascontiguousarray(plain.transpose(axes)).transpose(np.argsort(axes))
    np.testing.assert_array_equal(plain, turned)
    first, second = Adam(plain, 0.1), Adam(turned, 0.1)
    for _ in range(3):
        g = rng.standard_normal((3, 4, 5))
        first.step(g)
        second.step(np.asarray(g, order=gradient_order))
    np.testing.assert_array_equal(plain, turned)
    np.testing.assert_array_equal(first.state["v"], second.state["v"])


def test_decay_of_every_kind_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"mask is given beside weight_decay=L2\(.*; expected it inside"
    ):
        SGD(ones(), 0.1, weight_decay=L2(0.1), mask=lambda path: True)
    with pytest.raises(ValueError, match=r"weight_decay\['W'\] is -1"):
        SGD(ones(), 0.1, weight_decay={"W": -1.0, "b": 0.0, "c": [0.0]})
    with pytest.raises(TypeError, match=r"mask\(\"\['W'\]\"\) is 1; expected True or False"):
        SGD(ones(), 0.1, weight_decay=0.1, mask=lambda path: 1)


@pytest.mark.parametrize("schedule", [cosine, ReduceOnPlateau, constant, float])
def test_a_class_is_no_schedule(schedule):
    with pytest.raises(TypeError, match=rf"^learning_rate is the class {schedule.__name__}; expected"):
        SGD(np.ones(2), schedule)
    optimizer = SGD(np.ones(2), 0.1)
    with pytest.raises(TypeError, match=r"^learning_rate is the class"):
        optimizer.learning_rate = schedule
    assert optimizer.learning_rate == 0.1
