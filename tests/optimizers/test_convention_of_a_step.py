"""A step of one's own is told by its path, and so are the slips that people make."""

import re

import numpy as np
import pytest
from optimizer_cases import METHODS

from optimlib import optimizers
from optimlib.optimizers.convention_of_a_step import difference, which_convention

ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def own_adam(where="outside", first=0, power=2, corrected=True, each_array=False):
    """Adam as people write it, for one array or a dict of them."""
    m, v, clock = {}, {}, {"t": first}

    def one(theta, g, key):
        t = clock["t"]
        m[key] = 0.9 * m.get(key, 0) + 0.1 * g
        v[key] = 0.999 * v.get(key, 0) + 0.001 * g**power
        m_hat = m[key] / (1 - 0.9**t) if corrected else m[key]
        v_hat = v[key] / (1 - 0.999**t) if corrected else v[key]
        with np.errstate(invalid="ignore"):
            root = np.sqrt(v_hat + 1e-8) if where == "inside" else np.sqrt(v_hat) + 1e-8
            if where == "hat":
                root = (np.sqrt(v[key]) + 1e-8) / np.sqrt(1 - 0.999**t)
            theta -= 0.01 * m_hat / root

    def step(theta, g):
        clock["t"] += not each_array
        pairs = theta.items() if isinstance(theta, dict) else [("", theta)]
        for key, array in pairs:
            clock["t"] += each_array
            one(array, g[key] if key else g, key)

    return step


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "Adam"),
        ({"where": "hat"}, "AdamEpsHat"),
        ({"where": "inside"}, "Adam with epsilon inside the root"),
        ({"first": 1}, "Adam whose t starts at 2"),
        ({"power": 1}, "Adam with v of g and not of its square"),
        ({"corrected": False}, "Adam without bias correction"),
    ],
)
def test_adam_and_its_slips(options, name):
    found = which_convention(own_adam(**options), **ADAM)
    assert found[0][0] == name
    assert found[0][1] < 1e-9 < 1e-6 < found[1][1]


@pytest.mark.parametrize(
    ("each_array", "name"), [(False, "Adam"), (True, "Adam whose t advances once an array")]
)
def test_a_clock_that_ticks_for_every_array(each_array, name):
    params = {"W": np.ones((4, 2)), "b": np.ones(5)}
    found = which_convention(own_adam(each_array=each_array), params, **ADAM)
    assert found[0][0] == name
    assert found[0][1] < 1e-9 < found[1][1]
    assert (params["W"] == 1).all()


def test_the_state_that_is_created_again_in_every_step():
    found = which_convention(lambda theta, g: own_adam()(theta, g), **ADAM)
    assert found[0][0] == "Adam created again in every step"


@pytest.mark.parametrize("name", [method.__name__ for method in METHODS if "rule" in vars(method)])
def test_every_class_is_found_by_itself(name):
    """At a constant rate some agree with one another; the class itself is among the nearest."""
    made = []

    def step(theta, g):
        if not made:
            made.append(getattr(optimizers, name)(theta, learning_rate=0.01))
        made[0].step(g)

    agreeing = [
        found for found, distance in which_convention(step, learning_rate=0.01) if distance < 1e-9
    ]
    assert name in agreeing


def test_a_step_that_returns_new_parameters():
    found = which_convention(lambda theta, g: theta - 0.1 * g, learning_rate=0.1, momentum=0.0)
    assert "SGD" in [name for name, distance in found if distance < 1e-9]


def test_a_step_of_another_kind_is_near_to_nothing():
    found = which_convention(lambda theta, g: theta - 0.1 * np.cbrt(g), learning_rate=0.1)
    assert len(found) == 5
    assert found[0][1] > 1e-3


def test_what_differs_in_nan_differs():
    nan = np.array([np.nan, 1.0])
    assert difference(nan, nan) == 0
    assert difference(nan, np.ones(2)) == np.inf


@pytest.mark.parametrize("step", [lambda theta, g: None, lambda: None, own_adam()])
def test_a_learning_rate_is_asked_for(step):
    with pytest.raises(TypeError, match=r"^learning_rate is missing"):
        which_convention(step)


@pytest.mark.parametrize("step", [3, None, {"W": np.ones(2)}, "adam"])
def test_a_step_is_a_function(step):
    with pytest.raises(TypeError, match=r"^step is .*; expected a function"):
        which_convention(step, learning_rate=0.1)


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (3.0, ValueError, "step(...) has shape (); expected (12,), the shape of params"),
        (np.zeros(3), ValueError, "step(...) has shape (3,); expected (12,)"),
        (np.zeros((12, 1)), ValueError, "step(...) has shape (12, 1); expected (12,)"),
        ([0.0] * 12, ValueError, "step(...) is a list; expected an array like params"),
        ((np.zeros(12), None), ValueError, "step(...) is a tuple; expected an array like params"),
        (np.zeros(12, np.float32), TypeError, "step(...) has dtype float32; expected float64"),
        (np.full(12, np.nan), ValueError, "step made all parameters NaN in its first call"),
        (None, ValueError, "step left all parameters where they were in 20 calls; expected it to"),
        (np.zeros(12), ValueError, "step left all parameters where they were in 20 calls"),
    ],
    ids=repr,
)
def test_what_a_step_returns_are_parameters(returned, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        which_convention(lambda theta, g: returned, learning_rate=0.1)


def test_a_step_that_only_binds_the_name_again_moves_nothing():
    def step(theta, g):
        theta = {key: theta[key] - 0.1 * g[key] for key in theta}

    with pytest.raises(ValueError, match=r"theta -= \.\.\., not theta = theta"):
        which_convention(step, {"W": np.ones((2, 2)), "b": np.ones(2)}, learning_rate=0.1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"W": np.ones(2, np.float32)}, "params['W'] has dtype float32; expected float64"),
        ([np.ones(2), None], "params[1] is None"),
        (3.0, "params is 3.0 of type float; expected a NumPy array"),
        (np.ones(3, int), "params has dtype int64; expected float32 or float64"),
    ],
    ids=repr,
)
def test_parameters_are_arrays_of_float64(params, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        which_convention(own_adam(), params, **ADAM)


def test_hyperparameters_that_nothing_has_together():
    with pytest.raises(ValueError, match="no class has all of learning_rate, foo; expected"):
        which_convention(own_adam(), learning_rate=0.1, foo=1)
