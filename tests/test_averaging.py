"""Averages of the weights: the libraries' numbers, what one works out by hand, swapping, saving."""

import copy
import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN, unchanged

from optimlib import EMA, SGD, PolyakAverage
from optimlib.trees import NonFiniteError, copy_tree

RECORDED = json.loads((GOLDEN / "averages.json").read_text(encoding="utf8"))


def averages(make, values):
    """What an average holds after each update, of parameters that take on these values."""
    theta = np.array(values[0], dtype=float)
    average, found = make(theta), []
    for value in values:
        theta[...] = value
        average.update()
        found.append(average.average)
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("mean", PolyakAverage),
        ("ema 0.9", lambda theta: EMA(theta, 0.9)),
        ("ema 0.5", lambda theta: EMA(theta, 0.5)),
    ],
)
def test_a_library_keeps_the_same_average(name, make):
    np.testing.assert_allclose(averages(make, RECORDED["weights"]), RECORDED[name], rtol=1e-12)


def test_pytorchs_ema_differs_by_its_bias_as_the_docstring_says():
    """It has beta^(t-1) of the first weights, and of the rest what ours has, but for its scale."""
    weights = np.array(RECORDED["weights"])
    ours = averages(lambda theta: EMA(theta, 0.9), weights)
    for t, theirs in enumerate(RECORDED["torch's ema 0.9"], 1):
        corrected = (1 - 0.9**t) * ours[t - 1] + (0.9**t) * weights[0]
        np.testing.assert_allclose(theirs, corrected, rtol=1e-12)


def test_averages_by_hand():
    assert averages(PolyakAverage, [1, 2, 6, 7]).tolist() == [1, 1.5, 3, 4]
    # With beta = 1/2 the weights are 1; 1/3, 2/3; 1/7, 2/7, 4/7.
    np.testing.assert_allclose(averages(lambda p: EMA(p, 0.5), [3, 6, 14]), [3, 5, 71 / 7], rtol=1e-15)
    assert averages(lambda p: EMA(p, 0.0), [3, 6, 14]).tolist() == [3, 6, 14]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), decay=st.floats(0, 0.999))
def test_an_average_is_the_weighted_mean_of_all_that_was_seen(values, decay):
    powers = decay ** np.arange(len(values))[::-1]
    exact = np.dot(powers, values) / powers.sum()
    found = averages(lambda theta: EMA(theta, decay), values)[-1]
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        averages(PolyakAverage, values)[-1], np.mean(values), rtol=1e-9, atol=1e-9
    )


def tree():
    return {"W": np.ones((2, 3), np.float32), "layers": [np.zeros(2), (np.array(2.0),)]}


@pytest.mark.parametrize("make", [PolyakAverage, lambda theta: EMA(theta, 0.9)])
def test_the_average_is_a_tree_like_the_parameters_and_leaves_them_alone(make):
    theta = tree()
    average = make(theta)
    with unchanged(theta):
        for _ in range(3):
            average.update()
        found = average.average
    assert repr(average) == f"<{type(average).__name__} of 3 arrays after 3 updates>"
    assert found["W"].dtype == np.float32
    assert found["layers"][1][0].shape == ()
    np.testing.assert_array_equal(found["W"], theta["W"])
    found["W"][:] = 7  # a copy
    assert (average.average["W"] == 1).all()


def test_before_the_first_update_it_is_what_the_parameters_were():
    theta = np.array([3.0])
    average = EMA(theta, 0.9)
    theta[:] = 5
    assert average.average == 3
    average.update()
    assert average.average == 5


def test_parameters_are_swapped_and_come_back_also_after_an_error():
    theta = {"w": np.array([2.0])}
    average = PolyakAverage(theta)
    average.update()
    theta["w"][:] = 4
    average.update()
    before = theta["w"]
    with average.swapped():
        assert theta["w"] is before
        assert theta["w"] == 3
        theta["w"][:] = 100
    assert theta["w"] == 4
    assert average.average["w"] == 3
    with pytest.raises(ZeroDivisionError), average.swapped():
        1 / 0  # noqa: B018
    assert theta["w"] == 4
    average.update()
    assert average.t == 3


def test_swapped_parameters_are_not_averaged_swapped_or_loaded():
    average = PolyakAverage(np.ones(1))
    state = average.state_dict()
    with average.swapped():
        for call in (
            average.update,
            average.swapped().__enter__,
            lambda: average.load_state_dict(state),
        ):
            with pytest.raises(ValueError, match=r"the parameters hold the averages; expected"):
                call()
    average.update()


def test_an_average_goes_on_from_its_file():
    rng = np.random.default_rng(3)
    theta = tree()
    whole, first = EMA(theta, 0.8), EMA(theta, 0.8)
    for n in range(6):
        for leaf in (theta["W"], theta["layers"][0], theta["layers"][1][0]):
            leaf[...] = rng.standard_normal(leaf.shape)
        whole.update()
        if n < 3:
            first.update()
        if n == 2:
            file = io.BytesIO()
            np.savez(file, **first.state_dict())
            file.seek(0)
            second = EMA(theta, 0.8)
            second.load_state_dict(np.load(file))
        if n > 2:
            second.update()
    a, b = whole.state_dict(), second.state_dict()
    assert (
        a.keys()
        == b.keys()
        == {"kind", "t", "average['W']", "average['layers'][0]", "average['layers'][1][0]"}
    )
    assert all((a[key] == b[key]).all() for key in a)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kind": np.array("PolyakAverage")}, ValueError, "kind 'PolyakAverage'; expected 'EMA'"),
        ({"kind": None}, ValueError, "kind None; expected 'EMA'"),
        ({"t": np.array(-1)}, ValueError, "the saved t is -1; expected a whole number"),
        ({"t": np.array(1.5)}, ValueError, "the saved t is 1.5"),
        (
            {"average": np.ones(3)},
            ValueError,
            r"saved\['average'\] has shape \(3,\); expected \(2,\), the shape of state",
        ),
        ({"average": np.ones(2, np.float32)}, TypeError, "has dtype float32; expected float64"),
        ({"average": np.array([1, np.nan])}, NonFiniteError, r"saved\['average'\]\[1\] is nan"),
        ({"average['W']": np.ones(2)}, ValueError, r"""unexpected keys \["average\['W'\]"\]"""),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_has_changed(change, error, message):
    average = EMA(np.ones(2), 0.5)
    average.update()
    before = average.state_dict()
    with pytest.raises(error, match=message):
        average.load_state_dict(average.state_dict() | {"t": np.array(7)} | change)
    assert all((average.state_dict()[key] == before[key]).all() for key in before)
    with pytest.raises(TypeError, match=r"^saved is 'run.npz'; expected a dict, as state_dict\(\) ret"):
        average.load_state_dict("run.npz")


def test_what_is_not_finite_is_refused_before_anything_changes():
    theta = {"a": np.ones(2), "b": np.ones(2)}
    average = PolyakAverage(theta)
    average.update()
    theta["a"][:] = 3
    theta["b"][1] = np.nan
    with pytest.raises(NonFiniteError, match=r"params\['b'\]\[1\] is nan"):
        average.update()
    assert average.t == 1
    assert (average.average["a"] == 1).all()


def test_an_array_that_was_replaced_is_refused():
    theta = {"a": np.ones(2), "b": [np.ones(1)]}
    average = PolyakAverage(theta)
    theta["a"] = np.ones(2)
    for call in (average.update, average.swapped().__enter__):
        with pytest.raises(ValueError, match=r"params\['a'\] was replaced by another array"):
            call()
    theta["a"] = average._leaves[0][1]
    theta["b"].append(np.ones(1))
    with pytest.raises(ValueError, match="params has 3 arrays; expected the 2"):
        average.update()


@pytest.mark.parametrize("decay", [1.0, -0.1, "0.9", None, np.nan])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises((TypeError, ValueError), match="decay is "):
        EMA(np.ones(1), decay)


def test_bad_parameters_are_refused():
    with pytest.raises(TypeError, match="params has dtype int64"):
        PolyakAverage(np.arange(3))
    w = np.ones(2)
    with pytest.raises(ValueError, match="share memory"):
        EMA([w, w], 0.5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_follows_the_copied_parameters(copied):
    theta = {"w": np.array([1.0])}
    average = PolyakAverage(theta)
    average.update()
    theta_2, average_2 = copied((theta, average))
    theta_2["w"][:] = 3
    average_2.update()
    assert average_2.average["w"] == 2
    assert average.average["w"] == 1


def test_the_average_of_noisy_descent_is_nearer_to_the_minimum_than_its_last_point():
    rng = np.random.default_rng(0)
    theta = np.full(200, 0.0)
    optimizer, average = SGD(theta, 0.2), PolyakAverage(theta)
    for _ in range(500):
        optimizer.step(theta - 1 + rng.standard_normal(200))
        average.update()
    last = copy_tree(theta)
    with average.swapped():
        assert np.linalg.norm(theta - 1) < np.linalg.norm(last - 1) / 3


@pytest.mark.parametrize(("first", "value"), [(1e20, 1.0), (-1.0, 1e-17), (3e7, 0.1), (1e300, -2.5)])
@pytest.mark.parametrize("make", [lambda theta: EMA(theta, 0.9), PolyakAverage])
def test_of_the_values_before_the_first_update_nothing_is_left(make, first, value):
    theta = np.array([first])
    average = make(theta)
    theta[:] = value
    average.update()
    assert average.average[0] == value


@pytest.mark.parametrize("locked", ["W", "b"])
@pytest.mark.parametrize("make", [lambda theta: EMA(theta, 0.9), PolyakAverage])
def test_read_only_parameters_are_not_swapped_by_half(make, locked):
    theta = {"W": np.ones(2), "b": np.ones(1), "c": np.ones(1)}
    average = make(theta)
    average.update()
    for leaf in theta.values():
        leaf += 1
    theta[locked].flags.writeable = False
    with pytest.raises(ValueError, match=rf"params\['{locked}'\] is read-only"), average.swapped():
        pass
    assert all((leaf == 2).all() for leaf in theta.values())
    theta[locked].flags.writeable = True
    with average.swapped():
        assert all((leaf == 1).all() for leaf in theta.values())
    average.update()


@pytest.mark.parametrize("decay", [1.0, 2, -0.1, np.nan, "0.9", None])
def test_a_decay_that_is_assigned_is_checked(decay):
    average = EMA(np.ones(2), 0.5)
    with pytest.raises((TypeError, ValueError), match=r"^decay is "):
        average.decay = decay
    assert average.decay == 0.5


def test_a_decay_that_is_assigned_holds_from_the_next_update_on():
    theta = np.array([4.0])
    average = EMA(theta, 0.9)
    average.update()
    average.decay = np.float64(0.0)  # only the latest counts
    theta[:] = 7.0
    average.update()
    assert average.average[0] == 7.0
    assert type(average.decay) is float


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda p: EMA(p, 0.9), "beta", "EMA has no beta; it has decay"),
        (lambda p: EMA(p, 0.9), "Decay", "EMA has no Decay; it has decay"),
        (PolyakAverage, "decay", "PolyakAverage has no decay; it has none to assign"),
        (PolyakAverage, "weights", "PolyakAverage has no weights; it has none to assign"),
        (PolyakAverage, "t", "t of PolyakAverage can only be read"),
        (lambda p: EMA(p, 0.9), "params", "params of EMA can only be read"),
        (lambda p: EMA(p, 0.9), "average", "average of EMA can only be read"),
    ],
)
def test_only_what_is_there_can_be_assigned(make, name, message):
    average = make(np.ones(2))
    for one in (average, copy.deepcopy(average), pickle.loads(pickle.dumps(average))):
        with pytest.raises(AttributeError, match=f"^{message}$"):
            setattr(one, name, 0.5)
        assert name not in vars(one)


def test_an_average_of_ones_own_has_attributes_of_its_own():
    class Last(PolyakAverage):
        def __init__(self, params, lag):
            super().__init__(params)
            self.lag = lag

    last = Last(np.ones(2), 3)
    last.lag = 4
    with pytest.raises(AttributeError, match=r"^Last has no leg; it has lag$"):
        last.leg = 5
