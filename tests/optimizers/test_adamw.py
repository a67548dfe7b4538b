"""AdamW, and Adam with either decay: what decay does to moments, steps and roundings."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import SGD, Adam, AdamW, AMSGrad
from optimlib.optimizers import AdamEpsHat, AdamEpsRoot
from optimlib.optimizers.engine import blocks
from optimlib.optimizers.weight_decay import L2, Decoupled


def test_l2_goes_through_both_means():
    adam = Adam(np.array([2.0]), beta1=0.5, beta2=0.75, weight_decay=0.5)
    adam.step(np.array([3.0]))  # 3 + 1/2 * 2 = 4
    assert adam.state["m"] == 2.0
    assert adam.state["v"] == 4.0


def test_adamw_by_hand():
    """Adam's first step is eta = 1/4. The decay from 2 is 1/4 * 1/2 * 2, or a half with alpha = 1/2."""
    for base_rate, expected in ((1.0, 2 - 1 / 4 - 1 / 4), (0.5, 2 - 1 / 4 - 1 / 2)):
        theta = np.array([2.0])
        options = {"eps": 0.0, "weight_decay": Decoupled(0.5, base_rate=base_rate)}
        adamw = AdamW(theta, learning_rate=0.25, **options)
        adamw.step(np.array([3.0]))
        assert theta[0] == pytest.approx(expected, rel=1e-14)
        assert adamw.state["m"] == (1 - 0.9) * 3.0


def test_the_other_epsilons_of_adam_beside_decoupled_decay_by_hand():
    """beta1 = 1/2, beta2 = 3/4, eta = 1/4; from 2 the decay is 1/4 * 1/2 * 2. g = 4: m = 2, v = 4.

    Epsilon hat of 1: 1/4 * 2/3. Inside the root, 9: 1/4 * 4/5.
    """
    options = {"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "start": 2.0}
    options["weight_decay"] = Decoupled(0.5)
    hat = steps_taken(AdamEpsHat, [4], eps=1.0, **options)
    np.testing.assert_allclose(hat, [1 / 6 + 1 / 4], rtol=1e-14)
    inside = steps_taken(AdamEpsRoot, [4], eps=0.0, eps_root=9.0, **options)
    np.testing.assert_allclose(inside, [1 / 5 + 1 / 4], rtol=1e-14)


def test_adam_with_decoupled_decay_by_hand():
    """As AdamW above: a quarter from Adam, a quarter from the decay, and none of that in the means."""
    theta = np.array([2.0])
    adam = Adam(theta, learning_rate=0.25, eps=0.0, weight_decay=Decoupled(0.5))
    adam.step(np.array([3.0]))
    assert theta[0] == pytest.approx(2 - 1 / 4 - 1 / 4, rel=1e-14)
    assert adam.state["m"] == (1 - 0.9) * 3.0


@pytest.mark.parametrize("form", ["joint", "factor", "before"])
def test_forms_of_decay_are_one_method(form):
    theta = np.array([2.0])
    options = {"weight_decay": Decoupled(0.5, rounding=form)}
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
    options = {"weight_decay": Decoupled(decay * 2**-24, rounding=form)}
    SGD(theta, learning_rate=1.0, **options).step(np.array([step * 2**-24], np.float32))
    assert theta.tolist() == [start - expected[form] * 2**-24]


def test_amsgrad_with_either_decay_by_hand():
    """From 2 with lambda = 1/2, eta = 1/4. L2: g = 3 + 1 = 4, the step 2/2. Else 3/2 / (3/2)."""
    options = {"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    steps = [
        steps_taken(AMSGrad, [3], start=2.0, weight_decay=decay(0.5), **options)
        for decay in (L2, Decoupled)
    ]
    np.testing.assert_allclose(np.ravel(steps), [1 / 4, 1 / 4 + 1 / 4], rtol=1e-14)


def test_the_papers_decay_follows_the_schedule_and_not_the_learning_rate():
    """With no gradient: 1 - lambda * (1, 1/2, 1/4), whatever alpha is."""
    for alpha in (1e-3, 0.1):
        theta = np.array([1.0])
        falling = lambda done, alpha=alpha: alpha * 0.5**done  # noqa: E731
        adamw = AdamW(theta, falling, weight_decay=Decoupled(0.5, base_rate=alpha))
        for _ in range(3):
            adamw.step(np.zeros(1))
        assert theta[0] == pytest.approx((1 - 1 / 2) * (1 - 1 / 4) * (1 - 1 / 8), rel=1e-14)


def test_l2_hardly_pulls_where_gradients_are_large_and_decoupled_decay_does():
    """That is what Loshchilov and Hutter found: Adam divides L2 by the size of the gradient."""
    rng = np.random.default_rng(0)
    ends = {}
    for optimizer in (Adam, AdamW):
        theta = np.array([1.0, 1.0])
        running = optimizer(theta, learning_rate=4e-3, weight_decay=0.5)
        for _ in range(500):
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
def test_decay_does_not_depend_on_block_boundaries(monkeypatch, block_bytes, optimizer):
    def train():
        rng = np.random.default_rng(0)
        params = {"W": np.asfortranarray(rng.standard_normal((4, 3))), "b": rng.standard_normal(7)}
        running = optimizer(params, 0.1, weight_decay=0.3, mask={"W": True, "b": False})
        for _ in range(3):
            running.step({"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(7)})
        return params

    expected = train()
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    found = train()
    np.testing.assert_array_equal(found["W"], expected["W"])
    np.testing.assert_array_equal(found["b"], expected["b"])


def test_the_decay_that_adamw_has_if_none_is_asked_for():
    """A hundredth of the learning rate, as in PyTorch: 2 - 1/2 * 1/100 * 2."""
    theta = np.array([2.0])
    AdamW(theta, learning_rate=0.5).step(np.zeros(1))
    np.testing.assert_allclose(theta, [1.99], rtol=1e-14)


@pytest.mark.parametrize(("keyword", "answer"), [("base_rate", "Decoupled"), ("decoupled", "always")])
def test_a_keyword_that_is_gone_is_answered(keyword, answer):
    with pytest.raises(TypeError, match=rf"AdamW has no {keyword}: .*{answer}"):
        AdamW(np.zeros(1), **{keyword: 0.5})


@pytest.mark.parametrize(("optimizer", "m"), [(Adam, 0.1 * 4.0), (AdamW, 0.1 * 3.0)])
def test_gradients_are_clipped_before_anything_decays(optimizer, m):
    """The gradient 5 becomes 3; L2 adds 1/2 * 2 to that, and decoupled decay nothing."""
    adam = optimizer(np.array([2.0]), weight_decay=0.5, clip_norm=3.0)
    adam.step(np.array([5.0]))
    assert adam.state["m"] == pytest.approx(m, rel=1e-5)
