"""What `fit` refuses, and in which words."""

import numpy as np
import pytest
from support import unchanged
from training_cases import Stateful, X, Y, parameters, short_fit, value_and_grad

from optimlib import EMA, Adam, Checkpoint


def reordered(*given):
    return value_and_grad(*given)[::-1]


class OfAnotherLibrary:
    """A number like those of JAX or PyTorch."""

    def item(self):
        return 0.5


LOSS = r"value_and_grad returned "


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (reordered, LOSS + r"a dict and a float64; expected \(loss, grads\), in this order"),
        (
            lambda *given: (np.ones(3), 0.5),
            LOSS + r"a ndarray and a float; expected \(loss, grads\)",
        ),
        (lambda *given: None, LOSS + r"None \(is a return missing\?\); expected a pair"),
        (lambda *given: value_and_grad(*given)[0], LOSS + r"np.float64.*; expected a pair"),
        (lambda *given: (*value_and_grad(*given), 3), LOSS + r".*; expected a pair, \(loss, grads\)"),
        (
            lambda *given: (np.ones(5), parameters()),
            LOSS + r"a loss of shape \(5,\); expected one num",
        ),
        (lambda *given: ("0.5", parameters()), LOSS + r"the loss '0.5' of type str; expected a number"),
        (lambda *given: (0.5, None), LOSS + r"grads that is None; expected a tree like params"),
        (
            lambda *given: (np.ma.masked, parameters()),
            LOSS + r"a masked loss; expected one number \(is all of the batch masked\?\)",
        ),
        (
            lambda *given: (OfAnotherLibrary(), parameters()),
            LOSS + r"the loss .*; expected a number \(use \.item\(\)\)",
        ),
        (lambda *given: (None, 0.5), LOSS + r"the loss None of type NoneType; expected a number"),
        (lambda *given: (1j, parameters()), LOSS + r"the loss 1j of type complex; expected a number"),
    ],
)
def test_results_that_are_no_loss_and_gradient_are_refused(f, message):
    optimizer = Adam(parameters(), 0.01)
    with unchanged(optimizer.params), pytest.raises(TypeError, match=message):
        short_fit(optimizer, f)
    with pytest.raises(TypeError, match=message):
        short_fit(optimizer, f, check_gradient_every="start")
    assert optimizer.t == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"f": lambda params, x: None},
            r"value_and_grad takes \(params, x\); expected a function of params, batch0, batch1$",
        ),
        (
            {"f": lambda params, x, y, penalty: None},
            r"value_and_grad takes \(params, x, y, penalty\); expected a function of params, batch0, ba",
        ),
        ({"data": X}, r"value_and_grad takes \(.*\); expected a function of params, batch \(fix the"),
        (
            {"data": {"x": X, "y": Y}},
            r"value_and_grad takes \(.*\); expected a function of params, batch ",
        ),
        ({"evaluate": lambda: {}}, r"evaluate takes \(\); expected a function of params"),
        (
            {"evaluate": lambda params, x: {}},
            r"evaluate takes \(params, x\); expected a function of para",
        ),
        ({"after_step": lambda: None}, r"after_step takes \(\); expected a function of step"),
    ],
)
def test_functions_of_something_else_are_refused_before_the_first_step(given, message):
    """An epoch would be over by the time that `evaluate` is called."""
    optimizer, rng = Adam(parameters(), 0.01), np.random.default_rng(0)
    given = {"f": lambda params, x, y: value_and_grad(params, x, y)} | given
    before = rng.bit_generator.state
    with unchanged(optimizer.params), pytest.raises(TypeError, match=f"^{message}"):
        short_fit(optimizer, rng=rng, **given)
    assert optimizer.t == 0
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("check", [None, "start"])
def test_a_gradient_of_another_shape_is_named_as_the_user_does(check):
    def transposed(*given):
        loss, grads = value_and_grad(*given)
        grads["hidden"]["W"] = grads["hidden"]["W"].T
        return loss, grads

    message = r"^grads\['hidden'\]\['W'\] has shape \(6, 4\); expected \(4, 6\), the shape of params\['h"
    with pytest.raises(ValueError, match=message):
        short_fit(f=transposed, check_gradient_every=check)


@pytest.mark.parametrize("loss", [np.float32(0.5), np.array(0.5), 1, np.int64(2)])
def test_a_loss_may_be_any_number(loss):
    history = short_fit(f=lambda *given: [loss, value_and_grad(*given)[1]])
    assert history.loss == [float(loss)] * 10
    assert type(history.loss[0]) is float


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"f": 3}, TypeError, r"value_and_grad is 3; expected a function of params, \*batch"),
        (
            {"optimizer": Adam},
            TypeError,
            r"optimizer is <class .*; expected one such as optimlib.Adam",
        ),
        ({"epochs": 0}, ValueError, "epochs is 0; expected a whole number from 1 on"),
        ({"epochs": True}, ValueError, "epochs is True; expected a whole number from 1 on"),
        ({"batch_size": 24}, ValueError, "batch_size is 24; expected at most 23"),
        ({"data": (X, Y.tolist())}, TypeError, r"data\[1\] is a list of float; expected a NumPy array"),
        ({"rng": 0}, TypeError, r"rng is 0; .*such as np.random.default_rng\(0\)"),
        ({"evaluate": {}}, TypeError, r"evaluate is \{\}; expected a function of params"),
        (
            {"evaluate": lambda params: 0.5},
            TypeError,
            "evaluate returned 0.5; expected a dict of numbers",
        ),
        (
            {"evaluate": lambda params: {"loss": 1}},
            ValueError,
            r"the names \['loss'\]; expected string",
        ),
        ({"evaluate": lambda params: {1: 1}}, ValueError, r"the names \[1\]; expected strings"),
        ({"evaluate": lambda params: {"a": "b"}}, TypeError, r"evaluate\(\)\['a'\] is 'b' of type str"),
        (
            {"evaluate": lambda params: {"a": True}},
            TypeError,
            r"\['a'\] is True of type bool; expect",
        ),
        ({"after_step": lambda step: True}, TypeError, "after_step returned True; expected a dict"),
        (
            {"after_step": lambda step: {str(step.number): 1}},
            ValueError,
            r"\['2'\]; expected \['1'\]",
        ),
        ({"after_step": "print"}, TypeError, "after_step is 'print'; expected a function of step"),
        (
            {"stopping": "loss"},
            TypeError,
            r"stopping is 'loss'; expected EarlyStopping\('valid",
        ),
        (
            {"checkpoint": "run.npz"},
            TypeError,
            r"checkpoint is 'run.npz'; expected Checkpoint\('run",
        ),
        (
            {"check_gradient_every": "end"},
            ValueError,
            "_every is 'end'; expected None, 'start' or a",
        ),
        (
            {"check_gradient_every": True},
            ValueError,
            "_every is True; expected None, 'start' or a",
        ),
        ({"check_gradient_every": 0}, ValueError, "_every is 0; expected None, 'start' or a"),
        ({"drop_last": "yes"}, TypeError, "drop_last is 'yes'; expected True or False"),
        ({"progress": "yes"}, TypeError, "progress is 'yes'; expected True or False"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        short_fit(**given)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"every": 0}, ValueError, "^every is 0; expected a whole number from 1 on"),
        ({"every": 2.5}, ValueError, r"^every is 2\.5; expected a whole number from 1 on"),
        ({"also": np.ones(3)}, TypeError, "^also is array.*; expected a dict by name"),
        (
            {"also": {"a": 3}},
            TypeError,
            r"^also\['a'\] is 3; expected an array, a generator, or an o",
        ),
        (
            {"also": {"a": {"b": [1.0]}}},
            TypeError,
            r"^also\['a'\]\['b'\]\[0\] is 1.0; expected an",
        ),
        ({"file": 3}, TypeError, "^file is 3; expected a name, such as 'run.npz'"),
        ({"file": None}, TypeError, "^file is None; expected a name, such as 'run.npz'"),
        ({"file": b"run.npz"}, TypeError, "^file is b'run.npz'; expected a name, such as 'run.npz'"),
        ({"file": ""}, ValueError, "^file is ''; expected a name, such as 'run.npz'"),
        ({"also": {1: np.ones(3)}}, TypeError, "^also has the key 1; expected names, such as 'average'"),
        ({"also": {"a": EMA}}, TypeError, r"^also\['a'\] is the class EMA; expected an object of that"),
        (
            {"also": {"a": [np.ma.masked_array([1.0], [True])]}},
            TypeError,
            r"^also\['a'\]\[0\] is a masked array; expected a plain one",
        ),
        (
            {"also": {"a": np.array([None])}},
            TypeError,
            r"^also\['a'\] has dtype object; expected numbers or strings",
        ),
        (
            {"also": {"a": {"x": np.broadcast_to(0.0, 3)}}},
            ValueError,
            r"^also\['a'\]\['x'\] is read-only; expected an array that can be updated",
        ),
        (
            {"also": {"a": Stateful({"x": {1, 2}})}},
            TypeError,
            r"^also\['a'\]\.state_dict\(\)\['x'\] is of type set; expected arrays, numbers and",
        ),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        Checkpoint(**{"file": "run.npz"} | given)
