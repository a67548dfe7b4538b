"""Settings: what is unknown is answered with our names, and an optimizer shows what it is."""

import pickle
import time

import numpy as np
import pytest

from optimlib import SGD, Adam, AdamW, Lion, RMSProp
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting


@pytest.mark.parametrize(
    ("optimizer", "keyword", "message"),
    [
        (Adam, "lr", "Adam has no lr: here it is learning_rate"),
        (Adam, "betas", "Adam has no betas: here it is beta1 and beta2"),
        (Adam, "epsilon", "Adam has no epsilon: here it is eps"),
        (AdamW, "wd", "AdamW has no wd: here it is weight_decay"),
        (RMSProp, "alpha", "RMSProp has no alpha: here it is rho"),
        (SGD, "max_grad_norm", "SGD has no max_grad_norm: here it is clip_norm"),
        (Adam, "wieght_decay", "Adam has no wieght_decay: here it is weight_decay"),
        (Adam, "momentum", r"Adam has no momentum; it has beta1, beta2, .*learning_rate.*weight_decay"),
        (SGD, "threads", "SGD has no threads; it has "),
    ],
)
def test_an_unknown_keyword_is_answered_with_our_name(optimizer, keyword, message):
    with pytest.raises(TypeError, match=message):
        optimizer(np.ones(2), 0.1, **{keyword: 0.5})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lr", "Adam has no lr: here it is learning_rate"),
        ("epsilon", "Adam has no epsilon: here it is eps"),
        ("learning_rte", "Adam has no learning_rte: here it is learning_rate"),
        ("beta", "Adam has no beta: here it is beta"),
    ],
)
def test_an_unknown_attribute_is_answered_with_our_name(name, message):
    with pytest.raises(AttributeError, match=message):
        setattr(Adam(np.ones(2)), name, 0.5)


def test_a_class_may_say_what_to_do_instead():
    class Mine(SGD):
        hints_for_keywords = {"nesterov_momentum": "use the class Nesterov"}  # noqa: RUF012

    with pytest.raises(TypeError, match="Mine has no nesterov_momentum: use the class Nesterov"):
        Mine(np.ones(1), 0.1, nesterov_momentum=True)
    with pytest.raises(AttributeError, match="Mine has no nesterov_momentum: use the class Nesterov"):
        Mine(np.ones(1), 0.1).nesterov_momentum = True


class Declared(Optimizer):
    """A method with a setting that is declared."""

    decay: float = setting(below=1.0)
    slots = ("m",)

    def __init__(self, params, learning_rate, decay=0.5, **options):
        self.decay = decay
        super().__init__(params, learning_rate, **options)

    def rule(self, g, m):
        m = self.decay * m + g
        return self.learning_rate * m, (m,)


def test_a_declared_setting_is_checked_when_it_is_assigned_and_holds_from_the_next_step_on():
    theta = np.zeros(1)
    optimizer = Declared(theta, 1.0)
    optimizer.step(np.ones(1))
    for wrong, error in ((1.0, ValueError), (-0.5, ValueError), ("0.5", TypeError), (None, TypeError)):
        with pytest.raises(error, match="decay is"):
            optimizer.decay = wrong
        with pytest.raises(error, match="decay is"):
            Declared(theta, 1.0, decay=wrong)
    optimizer.decay = np.float64(0.25)
    assert type(optimizer.decay) is float
    optimizer.step(np.zeros(1))
    assert theta == -1.25


def test_an_optimizer_shows_its_settings_and_no_address():
    assert repr(Declared(np.ones(2), 0.1)) == "Declared(learning_rate=0.1, decay=0.5, t=0)"
    optimizer = Declared(np.ones(2), 0.1, clip_norm=2.0, weight_decay=0.5, skip_nonfinite=True)
    optimizer.step(np.ones(2))
    assert repr(optimizer) == (
        "Declared(learning_rate=0.1, decay=0.5, clip_norm=2.0, skip_nonfinite=True, t=1,"
        " weight_decay=L2(strength=0.5, mask=None))"
    )


def test_a_copy_is_as_strict():
    twin = pickle.loads(pickle.dumps(Adam(np.ones(2))))
    with pytest.raises(AttributeError, match="Adam has no lr"):
        twin.lr = 0.5
    twin.beta1 = 0.5


def test_an_optimizer_of_many_small_arrays_is_created_quickly():
    params = [np.ones(3) for _ in range(3000)]
    start = time.process_time()
    Adam(params, 0.1)
    assert time.process_time() - start < 2


def test_an_error_about_many_arrays_is_short():
    params = {f"W{k}": np.ones(2) for k in range(600)}
    optimizer = Adam(params)
    saved = optimizer.state_dict() | {"settings['rates']": np.full(600, 0.5)}
    with pytest.raises(ValueError, match="the saved rates is") as caught:
        optimizer.load_state_dict(saved)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("optimizer", "name", "answer"),
    [
        (SGD, "decay", "here it is a schedule as learning_rate"),
        (RMSProp, "decay", "here it is rho, or a schedule as learning_rate"),
        (Adam, "alpha", "here it is learning_rate"),
        (RMSProp, "alpha", "here it is rho, or learning_rate"),
        (Lion, "gamma", "here it is a schedule as learning_rate"),
        (Adam, "lr_decay", "here it is a schedule as learning_rate"),
        (Adam, "mu", "it has beta1"),
        (SGD, "betas", "it has "),
        (Lion, "epsilon", "it has "),
    ],
)
def test_an_answer_names_only_what_the_class_has(optimizer, name, answer):
    message = f"^{optimizer.__name__} has no {name}[:;] {answer}"
    with pytest.raises(TypeError, match=message):
        optimizer(np.ones(2), 0.1, **{name: 0.5})
    running = optimizer(np.ones(2), 0.1)
    with pytest.raises(AttributeError, match=message.replace("it has beta1", "it has ")):
        setattr(running, name, 0.5)
