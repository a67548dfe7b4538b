"""AMSGrad and its forms: steps worked by hand, and a memory that never shrinks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import steps_taken

from optimlib import Adam, AMSGrad
from optimlib.optimizers import AMSGradCorrected, AMSGradEpsHat, AMSGradRaw

QUARTER = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75}
EVERY = [AMSGrad, AMSGradRaw, AMSGradCorrected, AMSGradEpsHat]


@pytest.mark.parametrize("optimizer", EVERY)
def test_defaults(optimizer):
    found = optimizer(np.zeros(1))
    assert (found.learning_rate, found.beta1, found.beta2, found.eps) == (0.001, 0.9, 0.999, 1e-8)


@pytest.mark.parametrize(
    ("optimizer", "eps", "expected"),
    [
        # g = 4: m = 2, v = 4, c1 = 1/2, c2 = 1/4. g = 0: m = 1, v = 3, c1 = 3/4, c2 = 7/16.
        (AMSGrad, 0.0, [2 / 2, 1 / 2]),
        (AMSGrad, 1.0, [2 / 3, 1 / 3]),
        (AMSGradRaw, 0.0, [4 / 4, 4 / 3 / (64 / 7) ** 0.5]),
        (AMSGradRaw, 1.0, [4 / 5, 4 / 3 / ((64 / 7) ** 0.5 + 1)]),
        (AMSGradCorrected, 0.0, [4 / 4, 4 / 3 / 4]),
        (AMSGradCorrected, 1.0, [4 / 5, 4 / 3 / 5]),
        # root(c2) / c1 = 1, then root(7)/4 / (3/4) = root(7)/3
        (AMSGradEpsHat, 1.0, [2 / 3, 7**0.5 / 9]),
        (AMSGradEpsHat, 2.0, [2 / 4, 7**0.5 / 12]),
    ],
)
def test_two_steps_of_each_form_by_hand(optimizer, eps, expected):
    steps = steps_taken(optimizer, [4, 0], eps=eps, **QUARTER)
    np.testing.assert_allclose(steps, expected, rtol=1e-14)
    halves = steps_taken(optimizer, [4, 0], eps=eps, **QUARTER | {"learning_rate": 0.5})
    np.testing.assert_allclose(halves, np.array(expected) / 2, rtol=1e-14)


@given(sizes=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None)
def test_amsgrad_is_adam_where_v_grows(sizes, seed):
    """Where no gradient is smaller than those before it, v never falls."""
    gradients = np.sort(sizes) * np.random.default_rng(seed).choice([-1, 1], len(sizes))
    adam = steps_taken(Adam, gradients)
    np.testing.assert_allclose(steps_taken(AMSGradRaw, gradients), adam, rtol=1e-12)


@pytest.mark.parametrize("optimizer", [AMSGrad, AMSGradCorrected])
def test_amsgrads_step_size_never_grows(optimizer):
    """After a spike, under gradients of 1, Adam's steps recover. With beta1 = 0 a step is the size."""
    gradients = np.concatenate([[1000.0], np.ones(300)])
    options = {"beta1": 0.0, "beta2": 0.9, "learning_rate": 1.0}
    sizes = steps_taken(optimizer, gradients, **options)[1:]
    assert (np.diff(sizes) <= 1e-12).all()
    assert steps_taken(Adam, gradients, **options)[-1] > 50 * sizes[-1]


def test_the_corrected_memory_of_the_raw_form_can_shrink():
    """V = 1/4 * 16 stays while 1 - beta2^t grows from 1/4: its correction falls from 16 to 4."""
    sizes = steps_taken(AMSGradRaw, [4, *[1e-9] * 30], **QUARTER | {"beta1": 0.0, "eps": 0.0})
    assert sizes[0] == 1.0
    assert sizes[-1] == pytest.approx(1e-9 / 2, rel=1e-3)
    assert sizes[1] == pytest.approx(1e-9 / (4 / (7 / 16)) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("keyword", "named"),
    [("form", "AMSGradRaw"), ("eps_hat", "AMSGradEpsHat"), ("eps_root", "AdamEpsRoot")],
)
def test_a_keyword_that_has_become_a_class_is_answered_with_its_name(keyword, named):
    with pytest.raises(TypeError, match=rf"AMSGrad has no {keyword}: .*{named}"):
        AMSGrad(np.zeros(1), **{keyword: 1})
