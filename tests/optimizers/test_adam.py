"""Adam: hand-worked steps, properties, the paper's bounds, and what must not happen."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import steps_taken

from optimlib import SGD, Adam, AdamW, AMSGrad, trees

GRADIENTS = st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3)


def run(gradients, **hyperparameters) -> np.ndarray:
    """The steps that Adam subtracts for a sequence of gradients."""
    gradients = np.asarray(gradients, dtype=float)
    theta = np.zeros(gradients.shape[1:])
    optimizer = Adam(theta, **hyperparameters)
    positions = [theta.copy()]
    for g in gradients:
        optimizer.step(np.array(g))
        positions.append(theta.copy())
    return -np.diff(positions, axis=0)


def test_the_defaults_are_the_papers():
    adam = Adam(np.zeros(1))
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.eps) == (0.001, 0.9, 0.999, 1e-8)


def test_three_steps_worked_by_hand():
    """With beta1 = 1/2, beta2 = 3/4 and eps = 1/4.

    g = 2:  m = 1,    v = 1,    m_hat = 2,   v_hat = 4,     step = 2 / (2 + 1/4)
    g = 0:  m = 1/2,  v = 3/4,  m_hat = 2/3, v_hat = 12/7,  step = 2/3 / (sqrt(12/7) + 1/4)
    g = -1: m = -1/4, v = 13/16, m_hat = -2/7, v_hat = 52/37, step = -2/7 / (sqrt(52/37) + 1/4)
    """
    expected = [
        8 / 9,
        float(Fraction(2, 3)) / ((12 / 7) ** 0.5 + 0.25),
        -float(Fraction(2, 7)) / ((52 / 37) ** 0.5 + 0.25),
    ]
    steps = run([[2.0], [0.0], [-1.0]], learning_rate=1.0, beta1=0.5, beta2=0.75, eps=0.25)
    np.testing.assert_allclose(steps.ravel(), expected, rtol=1e-14)


def test_the_state_after_two_steps_worked_by_hand():
    adam = Adam(np.zeros(1), beta1=0.5, beta2=0.75)
    adam.step(np.array([2.0]))
    adam.step(np.array([6.0]))
    assert adam.state["m"] == float(Fraction(1, 2) * 1 + Fraction(1, 2) * 6)  # 7/2
    assert adam.state["v"] == float(Fraction(3, 4) * 1 + Fraction(1, 4) * 36)  # 39/4


@given(g=GRADIENTS.filter(bool))
@settings(derandomize=True, deadline=None)
def test_the_first_step_is_the_learning_rate_whatever_the_gradient(g):
    """Without bias correction it would be 3.16 times that."""
    step = run([[g]], learning_rate=0.01, eps=0.0)
    np.testing.assert_allclose(step, 0.01 * np.sign(g), rtol=1e-12)


def test_a_constant_gradient_moves_by_the_learning_rate_in_every_step():
    """So t counts the steps: a t that stands still or starts at 2 breaks this."""
    steps = run(np.full((50, 1), -3.0), learning_rate=0.01, eps=0.0)
    np.testing.assert_allclose(steps, -0.01, rtol=1e-12)


def test_the_state_is_kept_between_steps():
    steps = run([[1.0], [0.0]], learning_rate=1.0)
    assert steps[1, 0] > 0.5


def test_eps_is_outside_the_root():
    """At a gradient far below eps the step goes as 1 / eps; inside the root it would as its root."""
    small, large = (run([[1e-12]], learning_rate=1.0, eps=eps)[0, 0] for eps in (1e-6, 4e-6))
    assert small / large == pytest.approx(4, rel=1e-5)


@given(
    gradients=st.lists(GRADIENTS, min_size=1, max_size=8).filter(lambda g: g[0] != 0),
    exponent=st.integers(-30, 30),
)
@settings(derandomize=True, deadline=None)
def test_without_eps_the_steps_do_not_depend_on_the_gradients_scale(gradients, exponent):
    """A power of two scales every intermediate number exactly, so the steps agree bit for bit."""
    gradients = np.array(gradients)[:, None]
    np.testing.assert_array_equal(run(gradients, eps=0.0), run(gradients * 2.0**exponent, eps=0.0))


@given(
    gradients=st.lists(GRADIENTS, min_size=1, max_size=30),
    beta1=st.sampled_from([0.0, 0.5, 0.9]),
    beta2=st.sampled_from([0.9, 0.99, 0.999]),
)
@settings(derandomize=True, deadline=None)
def test_no_step_exceeds_the_bound_of_cauchy_and_schwarz(gradients, beta1, beta2):
    """Both means are weighted means, with weights a and b: the bound is the root of sum a**2 / b."""
    steps = run(np.array(gradients)[:, None], learning_rate=1.0, beta1=beta1, beta2=beta2, eps=1e-300)
    for t, step in enumerate(steps[:, 0], start=1):
        a, b = (beta ** np.arange(t) / (beta ** np.arange(t)).sum() for beta in (beta1, beta2))
        assert abs(step) <= np.sqrt((a**2 / b).sum()) * (1 + 1e-9)


def test_a_lone_gradient_after_many_zeros_moves_by_the_papers_bound():
    """Kingma and Ba, section 2.1; it isn't the longest step there is, as chapter 9 shows."""
    steps = run([[0.0]] * 20_000 + [[1.0]], learning_rate=1.0, eps=1e-300)
    assert steps[-1, 0] == pytest.approx(0.1 / 0.001**0.5, rel=1e-6)


def test_coordinates_do_not_talk_to_each_other():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((5, 3))
    together = run(gradients, learning_rate=0.1)
    alone = [run(gradients[:, [i]], learning_rate=0.1) for i in range(3)]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


def test_rule_changes_none_of_its_arguments():
    adam = Adam(np.zeros(3))
    adam.t = 1
    arrays = [np.array([1.0, -2.0, 0.0]), np.array([0.5, 0.0, 1.0]), np.array([1.0, 2.0, 3.0])]
    before = [array.copy() for array in arrays]
    first, second = adam.rule(*arrays), adam.rule(*arrays)
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)
    np.testing.assert_array_equal(first[0], second[0])
    assert not any(np.shares_memory(new, array) for new in first[1] for array in arrays)


def test_it_finds_the_minimum_of_a_badly_scaled_bowl():
    scale = np.array([1e-4, 1.0, 1e4])
    theta = np.array([1.0, -2.0, 3.0])
    adam = Adam(theta, learning_rate=lambda finished: 0.1 / (1 + finished / 100))
    for _ in range(3000):
        adam.step(scale * theta)
    assert np.abs(theta).max() < 1e-3


@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, np.nan])
def test_a_decay_rate_outside_its_interval_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < 1.0"):
        Adam(np.zeros(1), **{name: value})


@pytest.mark.parametrize("value", [-1e-8, np.inf, np.nan])
def test_an_eps_that_is_negative_or_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="eps is "):
        Adam(np.zeros(1), eps=value)


@pytest.mark.parametrize("value", ["0.9", None, 0.9j, True])
def test_a_hyperparameter_that_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"beta1 is .*; expected a number"):
        Adam(np.zeros(1), beta1=value)


# Epsilon hat


def test_epsilon_hat_by_hand():
    """beta1 = 1/2, beta2 = 3/4, eps = 1, g = 4: m = 2, v = 4, root(c2) / c1 = 1: 2 / (2 + 1).

    Then g = 2: m = 2, v = 4, c1 = 3/4, c2 = 7/16: root(7)/4 / (3/4) * 2 / 3.
    """
    steps = run([[4.0], [2.0]], learning_rate=1.0, beta1=0.5, beta2=0.75, eps=1.0, eps_hat=True)
    np.testing.assert_allclose(steps.ravel(), [2 / 3, 7**0.5 / 3 * 2 / 3], rtol=1e-14)


def test_epsilon_hat_is_an_epsilon_that_shrinks():
    """In step t it is algorithm 1 with eps / root(1 - beta2^t)."""
    gradients = np.random.default_rng(0).standard_normal((5, 3)) * 1e-3
    hat = run(gradients, eps=1e-3, eps_hat=True)
    for t in range(1, 6):
        plain = run(gradients[:t], eps=1e-3 / (1 - 0.999**t) ** 0.5)
        np.testing.assert_allclose(hat[t - 1], plain[-1], rtol=1e-9)


# A second epsilon


def test_the_epsilon_inside_the_root_by_hand():
    """beta1 = 1/2, beta2 = 3/4, g = 4: m_hat = 4, v_hat = 16, and 16 + 9 = 25: 4/5, or 4 / (5 + 1).

    Then g = 2: m_hat = 2 / (3/4), v_hat = 4 / (7/16) = 64/7, and 64/7 + 9 = 127/7.
    """
    options = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75, "eps_root": 9.0}
    bare, both = (run([[4.0], [2.0]], eps=eps, **options).ravel() for eps in (0.0, 1.0))
    np.testing.assert_allclose(bare, [4 / 5, 8 / 3 / (127 / 7) ** 0.5], rtol=1e-14)
    np.testing.assert_allclose(both, [4 / 6, 8 / 3 / ((127 / 7) ** 0.5 + 1)], rtol=1e-14)


@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_two_other_places_for_epsilon_at_once_are_refused(optimizer):
    with pytest.raises(ValueError, match=r"eps_root is 0\.1 with eps_hat; expected at most one"):
        optimizer(np.zeros(1), eps_root=0.1, eps_hat=True)


@pytest.mark.parametrize("value", [-1e-8, np.inf, np.nan])
def test_an_eps_root_that_is_negative_or_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="eps_root is "):
        Adam(np.zeros(1), eps_root=value)


# L2 and decoupled weight decay


def test_l2_goes_through_both_means():
    adam = Adam(np.array([2.0]), beta1=0.5, beta2=0.75, weight_decay=0.5)
    adam.step(np.array([3.0]))  # 3 + 1/2 * 2 = 4
    assert adam.state["m"] == 2.0
    assert adam.state["v"] == 4.0


def test_adamw_by_hand():
    """Adam's first step is eta = 1/4. The decay from 2 is 1/4 * 1/2 * 2, or a half with alpha = 1/2."""
    for base_rate, expected in ((1.0, 2 - 1 / 4 - 1 / 4), (0.5, 2 - 1 / 4 - 1 / 2)):
        theta = np.array([2.0])
        options = {"eps": 0.0, "weight_decay": 0.5, "base_rate": base_rate}
        adamw = AdamW(theta, learning_rate=0.25, **options)
        adamw.step(np.array([3.0]))
        assert theta[0] == pytest.approx(expected, rel=1e-14)
        assert adamw.state["m"] == (1 - 0.9) * 3.0


def test_adamws_epsilons_by_hand():
    """beta1 = 1/2, beta2 = 3/4, eta = 1/4; from 2 the decay is 1/4 * 1/2 * 2. g = 4: m = 2, v = 4.

    Epsilon hat of 1: 1/4 * 2/3. Inside the root, 9: 1/4 * 4/5.
    """
    options = {"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "weight_decay": 0.5, "start": 2.0}
    hat = steps_taken(AdamW, [4], eps=1.0, eps_hat=True, **options)
    np.testing.assert_allclose(hat, [1 / 6 + 1 / 4], rtol=1e-14)
    inside = steps_taken(AdamW, [4], eps=0.0, eps_root=9.0, **options)
    np.testing.assert_allclose(inside, [1 / 5 + 1 / 4], rtol=1e-14)


def test_adam_with_decoupled_decay_by_hand():
    """As AdamW above: a quarter from Adam, a quarter from the decay, and none of that in the means."""
    theta = np.array([2.0])
    adam = Adam(theta, learning_rate=0.25, eps=0.0, weight_decay=0.5, decoupled=True)
    adam.step(np.array([3.0]))
    assert theta[0] == pytest.approx(2 - 1 / 4 - 1 / 4, rel=1e-14)
    assert adam.state["m"] == (1 - 0.9) * 3.0


@pytest.mark.parametrize("form", ["joint", "factor", "before"])
def test_forms_of_decay_are_one_method(form):
    theta = np.array([2.0])
    options = {"weight_decay": 0.5, "decoupled": True, "decay_form": form}
    SGD(theta, learning_rate=0.25, **options).step(np.array([4.0]))
    assert theta.tolist() == [2 - 0.25 * 4 - 0.25 * 0.5 * 2]


@pytest.mark.parametrize(
    ("start", "decay", "step", "expected"),
    [
        # The numbers below 1 are 2**-24 apart, those above 2**-23. 1 - 0.6 of 2**-24 becomes 1 - 2**-24
        # and 1.5 times that, 1.5 - 0.75 of 2**-23, becomes 1.5 - 2**-23. But 0.9 of 2**-24 is less
        # than half of 2**-23, so 1.5 - 0.9 of 2**-24 is 1.5.
        (1.5, 0.6, 0.0, {"joint": 0, "before": 0, "factor": 2}),
        # Each alone is less than half of the distance, and both are more.
        (1.0, 0.4, 0.4, {"joint": 1, "before": 0, "factor": 0}),
    ],
)
@pytest.mark.parametrize("form", ["joint", "factor", "before"])
def test_each_form_of_decay_rounds_where_it_says(start, decay, step, expected, form):
    theta = np.array([start], np.float32)
    options = {"weight_decay": decay * 2**-24, "decoupled": True, "decay_form": form}
    SGD(theta, learning_rate=1.0, **options).step(np.array([step * 2**-24], np.float32))
    assert theta.tolist() == [start - expected[form] * 2**-24]


@pytest.mark.parametrize("form", ["sum", None, 1, ["factor"]])
def test_a_form_of_decay_that_does_not_exist_is_refused(form):
    with pytest.raises(ValueError, match=r"decay_form is .*; expected one of joint, factor, before"):
        AdamW(np.ones(2), decay_form=form)


def test_amsgrad_with_either_decay_by_hand():
    """From 2 with lambda = 1/2, eta = 1/4. L2: g = 3 + 1 = 4, the step 2/2. Else 3/2 / (3/2)."""
    options = {"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "eps": 0.0, "weight_decay": 0.5}
    steps = [
        steps_taken(AMSGrad, [3], start=2.0, decoupled=decoupled, **options)
        for decoupled in (False, True)
    ]
    np.testing.assert_allclose(np.ravel(steps), [1 / 4, 1 / 4 + 1 / 4], rtol=1e-14)


def test_the_papers_decay_follows_the_schedule_and_not_the_learning_rate():
    """With no gradient: 1 - lambda * (1, 1/2, 1/4), whatever alpha is."""
    for alpha in (1e-3, 0.1):
        theta = np.array([1.0])
        options = {"learning_rate": lambda done, alpha=alpha: alpha * 0.5**done, "base_rate": alpha}
        adamw = AdamW(theta, weight_decay=0.5, **options)
        for _ in range(3):
            adamw.step(np.zeros(1))
        assert theta[0] == pytest.approx((1 - 1 / 2) * (1 - 1 / 4) * (1 - 1 / 8), rel=1e-14)


def test_l2_hardly_pulls_where_gradients_are_large_and_decoupled_decay_does():
    """That is what Loshchilov and Hutter found: Adam divides L2 by the size of the gradient."""
    rng = np.random.default_rng(0)
    ends = {}
    for optimizer in (Adam, AdamW):
        theta = np.array([1.0, 1.0])
        running = optimizer(theta, learning_rate=1e-3, weight_decay=0.5)
        for _ in range(2000):
            running.step(np.array([1.0, 1000.0]) * rng.choice([-1.0, 1.0]))
        ends[optimizer] = theta
    assert ends[AdamW][0] == pytest.approx(ends[AdamW][1], rel=1e-6)
    assert ends[AdamW].max() < 0.6
    assert ends[Adam][1] > 2 * ends[Adam][0]


def test_without_decay_adamw_is_adam():
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    thetas = []
    for optimizer in (Adam(np.ones(3)), AdamW(np.ones(3), weight_decay=0.0)):
        for g in gradients:
            optimizer.step(g)
        thetas.append(optimizer.params)
    np.testing.assert_array_equal(*thetas)


def test_a_mask_spares_arrays_from_adamw():
    params = {"W": np.ones(2), "b": np.ones(2)}
    adamw = AdamW(params, learning_rate=0.5, weight_decay=0.5, mask={"W": True, "b": False})
    adamw.step({"W": np.zeros(2), "b": np.zeros(2)})
    assert (params["W"] == 0.75).all()
    assert (params["b"] == 1).all()


@pytest.mark.parametrize("block_bytes", [8, 24, 10**6])
@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_decay_does_not_depend_on_block_boundaries_or_threads(monkeypatch, block_bytes, optimizer):
    def train(**options):
        rng = np.random.default_rng(0)
        params = {"W": np.asfortranarray(rng.standard_normal((4, 3))), "b": rng.standard_normal(7)}
        running = optimizer(params, 0.1, weight_decay=0.3, mask={"W": True, "b": False}, **options)
        for _ in range(3):
            running.step({"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(7)})
        return params

    expected = train()
    monkeypatch.setattr(trees.blocks, "BLOCK_BYTES", block_bytes)
    for threads in (1, 2):
        found = train(threads=threads)
        np.testing.assert_array_equal(found["W"], expected["W"])
        np.testing.assert_array_equal(found["b"], expected["b"])


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_base_rate_that_cannot_divide_is_refused(value):
    with pytest.raises(ValueError, match=r"base_rate is .*; expected"):
        AdamW(np.zeros(1), base_rate=value)


# AMSGrad

QUARTER = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75}


def test_the_defaults_of_amsgrad_are_the_papers_form():
    found = AMSGrad(np.zeros(1))
    assert (found.form, found.eps_hat, found.beta1, found.beta2) == ("paper", False, 0.9, 0.999)


@pytest.mark.parametrize(
    ("form", "eps", "expected"),
    [
        # g = 4: m = 2, v = 4, c1 = 1/2, c2 = 1/4. g = 0: m = 1, v = 3, c1 = 3/4, c2 = 7/16.
        ("paper", 0.0, [2 / 2, 1 / 2]),
        ("paper", 1.0, [2 / 3, 1 / 3]),
        ("raw", 0.0, [4 / 4, 4 / 3 / (64 / 7) ** 0.5]),
        ("raw", 1.0, [4 / 5, 4 / 3 / ((64 / 7) ** 0.5 + 1)]),
        ("corrected", 0.0, [4 / 4, 4 / 3 / 4]),
        ("corrected", 1.0, [4 / 5, 4 / 3 / 5]),
    ],
)
def test_two_steps_of_each_form_of_amsgrad_by_hand(form, eps, expected):
    steps = steps_taken(AMSGrad, [4, 0], form=form, eps=eps, **QUARTER)
    np.testing.assert_allclose(steps, expected, rtol=1e-14)


def test_amsgrad_with_epsilon_hat_by_hand():
    """Root(c2) / c1 = 1, then root(7)/4 / (3/4); V = 4: 2 / 3, and root(7)/3 * 1 / 3."""
    steps = steps_taken(AMSGrad, [4, 0], form="raw", eps=1.0, eps_hat=True, **QUARTER)
    np.testing.assert_allclose(steps, [2 / 3, 7**0.5 / 9], rtol=1e-14)


@given(sizes=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None)
def test_amsgrad_is_adam_where_v_grows(sizes, seed):
    """Where no gradient is smaller than those before it, v never falls."""
    gradients = np.sort(sizes) * np.random.default_rng(seed).choice([-1, 1], len(sizes))
    adam = steps_taken(Adam, gradients)
    np.testing.assert_allclose(steps_taken(AMSGrad, gradients, form="raw"), adam, rtol=1e-12)


@pytest.mark.parametrize("form", ["paper", "corrected"])
def test_amsgrads_step_size_never_grows(form):
    """After a spike, under gradients of 1, Adam's steps recover. With beta1 = 0 a step is the size."""
    gradients = np.concatenate([[1000.0], np.ones(3000)])
    options = {"beta1": 0.0, "beta2": 0.99, "learning_rate": 1.0}
    sizes = steps_taken(AMSGrad, gradients, form=form, **options)[1:]
    assert (np.diff(sizes) <= 1e-12).all()
    assert steps_taken(Adam, gradients, **options)[-1] > 50 * sizes[-1]


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form is 'max'; expected one of paper, raw, corrected"):
        AMSGrad(np.zeros(1), form="max")


@pytest.mark.parametrize("form", ["paper", "corrected"])
def test_epsilon_hat_without_a_place_for_it_is_refused(form):
    with pytest.raises(ValueError, match="expected form 'raw'"):
        AMSGrad(np.zeros(1), form=form, eps_hat=True)


@pytest.mark.parametrize(("optimizer", "m"), [(Adam, 0.1 * 4.0), (AdamW, 0.1 * 3.0)])
def test_gradients_are_clipped_before_anything_decays(optimizer, m):
    """The gradient 5 becomes 3; L2 adds 1/2 * 2 to that, and decoupled decay nothing."""
    adam = optimizer(np.array([2.0]), weight_decay=0.5, clip_norm=3.0)
    adam.step(np.array([5.0]))
    assert adam.state["m"] == pytest.approx(m, rel=1e-5)
