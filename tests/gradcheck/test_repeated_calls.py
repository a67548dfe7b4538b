"""Losses and gradients that remember: each kind is told from the others, with the advice that fits."""

import itertools

import numpy as np
import pytest

from optimlib import check_adjoint, check_gradient, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.diagnosis import repeated_calls

rng = np.random.default_rng(5)
X = rng.standard_normal((6, 4))
W = rng.standard_normal((4, 3))
V = rng.standard_normal((3, 2))


def one_layer(w):
    return np.tanh(X @ w).sum()


def one_layer_grad(w):
    return X.T @ (1 - np.tanh(X @ w) ** 2)


def problem(loss, grad, theta=W):
    report = check_gradient(loss, grad, theta)
    assert report.verdict == "inconclusive"
    assert report.probes == ()
    assert "is not a function of theta" in report.problem
    return report.problem


# A loss that is no function


def with_running_mean(momentum):
    mean = np.zeros(3)

    def loss(w):
        y = X @ w
        mean[:] = momentum * mean + (1 - momentum) * y.mean(axis=0)
        return ((y - mean) ** 2).sum()

    return loss


def with_running_variance(w, state={"v": 1.0}):  # noqa: B006
    y = X @ w
    state["v"] = 0.9 * state["v"] + 0.1 * y.var()
    return np.tanh(y / np.sqrt(state["v"])).sum()


class LearningRateDecay:
    """A step taken in the forward pass: the weight that the loss uses moves with every call."""

    def __init__(self):
        self.scale = 1.0

    def __call__(self, w):
        self.scale *= 0.97
        return self.scale * one_layer(w)


@pytest.mark.parametrize(
    "loss",
    [with_running_mean(0.9), with_running_mean(0.5), with_running_variance, LearningRateDecay()],
    ids=["mean", "quick mean", "variance", "scale"],
)
def test_running_means_are_not_told_to_fix_a_seed(loss):
    text = problem(loss, one_layer_grad)
    assert "running means of batch normalization" in text
    assert "seed" not in text


def test_a_loss_that_adds_to_its_sum():
    total = [0.0]

    def loss(w):
        total[0] += one_layer(w)
        return total[0]

    assert "Start from zero in every call" in problem(loss, one_layer_grad)
    history = []

    def appended(w):
        history.append(one_layer(w))
        return sum(history)

    assert "Start from zero in every call" in problem(appended, one_layer_grad)


def dropout(generator):
    def loss(w):
        return (w * (generator.random(w.shape) < 0.5)).sum()

    return loss


@pytest.mark.parametrize(
    "loss",
    [
        dropout(np.random.default_rng(0)),
        dropout(np.random.RandomState(1)),
        lambda w, r=np.random.default_rng(2): one_layer(w) + 1e-3 * r.standard_normal(),  # noqa: B008
        lambda w, r=np.random.default_rng(3): one_layer(w[:, r.permutation(3)[:2]]),  # noqa: B008
    ],
)
def test_random_losses_are_told_to_fix_the_seed(loss):
    assert "Fix the seed: draw masks and noise once, outside." in problem(loss, one_layer_grad)


@pytest.mark.parametrize("period", [2, 3, 4])
def test_a_batch_in_every_call(period):
    batches = itertools.cycle(range(period))
    text = problem(lambda w: np.tanh(X @ w)[next(batches)].sum(), one_layer_grad)
    assert f"come back after {period} calls: another batch in every call?" in text


def test_what_the_first_call_stores():
    scale = []

    def loss(w):
        value = one_layer(w) * (scale[0] if scale else 1.0)
        scale.append(2.0)
        return value

    assert "Only the first calls differ" in problem(loss, one_layer_grad)


@pytest.mark.parametrize("seed", range(40))
def test_random_values_are_seldom_called_anything_else(seed):
    values = list(np.random.default_rng(seed).standard_normal(repeated_calls.CALLS))
    assert repeated_calls.varying_loss(values) == repeated_calls.RANDOM


# A gradient that is no function


class Layer:
    """As courses write it: forward leaves in self what backward reads."""

    def forward(self, w):
        self.h = np.tanh(X @ w)
        return self.h.sum()

    def backward(self, w):
        return X.T @ (1 - self.h**2)


class Cached:
    def forward(self, w):
        self.w = w.copy()
        return one_layer(w)

    def backward(self, w):
        return one_layer_grad(self.w)


class Stacked:
    """Backward takes from a stack what forward has put there."""

    def __init__(self):
        self.stack = []

    def forward(self, w):
        self.stack.append(np.tanh(X @ w))
        return self.stack[-1].sum()

    def backward(self, w):
        return X.T @ (1 - self.stack.pop() ** 2)


class Freed:
    """Backward frees the memory of what it has read."""

    def forward(self, w):
        self.h = np.tanh(X @ w)
        return self.h.sum()

    def backward(self, w):
        h = self.h
        del self.h
        return X.T @ (1 - h**2)


class Spent:
    """Backward takes the numbers and leaves None."""

    h = None

    def forward(self, w):
        self.h = np.tanh(X @ w)
        return self.h.sum()

    def backward(self, w):
        h, self.h = self.h, None
        return X.T @ (1 - h**2)


@pytest.mark.parametrize("kind", [Layer, Cached, Freed, Spent, Stacked])
def test_a_gradient_that_reads_a_cache(kind):
    layer = kind()
    text = problem(layer.forward, layer.backward)
    assert "grad reads what the last loss left: run the forward pass inside grad" in text
    assert "seed" not in text


def test_a_cache_in_a_global_dict():
    cache = {}

    def loss(t):
        cache["h"] = np.tanh(X @ t["W"])
        return (cache["h"] @ t["V"]).sum()

    def grad(t):
        dh = np.ones((6, 2)) @ t["V"].T
        return {"W": X.T @ (dh * (1 - cache["h"] ** 2)), "V": cache["h"].T @ np.ones((6, 2))}

    assert "grad reads what the last loss left" in problem(loss, grad, {"W": W, "V": V})


def test_gradients_that_accumulate():
    total = np.zeros_like(W)

    def in_place(w):
        nonlocal total
        total += one_layer_grad(w)
        return total

    sums = [np.zeros_like(W)]

    def anew(w):
        sums[0] = sums[0] + one_layer_grad(w)
        return sums[0]

    grads = {"W": np.zeros_like(W)}

    def in_a_dict(t):
        grads["W"] += one_layer_grad(t["W"])
        return grads

    for loss, grad, theta in (
        (one_layer, in_place, W),
        (one_layer, anew, W),
        (lambda t: one_layer(t["W"]), in_a_dict, {"W": W}),
    ):
        assert "grad adds to what it returned before: start from zeros" in problem(loss, grad, theta)


def test_a_gradient_that_answers_one_call_late():
    class Late:
        def __init__(self):
            self.previous = W + 0.1

        def __call__(self, w):
            g, self.previous = one_layer_grad(self.previous), w.copy()
            return g

    assert "grad answers one call late" in problem(one_layer, Late())


class Momentum:
    """An average of the gradient and of what was returned before."""

    def __init__(self, kept, added):
        self.kept, self.added, self.mean = kept, added, 0.0

    def __call__(self, w):
        self.mean = self.kept * self.mean + self.added * one_layer_grad(w)
        return self.mean


@pytest.mark.parametrize(("kept", "added"), [(0.9, 0.1), (0.9, 1.0), (0.5, 0.5), (0.999, 0.001), (2, 1)])
def test_a_gradient_with_a_momentum(kept, added):
    text = problem(one_layer, Momentum(kept, added))
    assert "grad keeps something from call to call (a momentum, running means?)" in text
    assert "seed" not in text


@pytest.mark.parametrize("seed", range(20))
def test_random_gradients_keep_nothing(seed):
    for size in (1, 3):
        r = np.random.default_rng(seed)
        advice = repeated_calls.varying_gradient(
            lambda w: 0.0, lambda w, r=r, n=size: [r.standard_normal(n)], np.ones(1), np.ones(1)
        )
        assert advice == repeated_calls.RANDOM


def test_a_random_gradient_is_told_to_fix_the_seed():
    r = np.random.default_rng(0)

    def dropped(w):
        return one_layer_grad(w) * (r.random(w.shape) < 0.5)

    def noisy(w):
        return one_layer_grad(w) + 1e-6 * r.standard_normal(w.shape)

    for grad in (dropped, noisy):
        assert "Fix the seed" in problem(one_layer, grad)


# A gradient that is right at theta alone


def two_layers(t):
    return ((np.tanh(X @ t["W"]) @ t["V"]) ** 2).sum()


def two_layers_grad(t, v):
    h = np.tanh(X @ t["W"])
    y = h @ t["V"]
    return {"W": X.T @ ((2 * y @ v.T) * (1 - h**2)), "V": h.T @ (2 * y)}


THETA = {"W": W, "V": V}
PARTLY = lambda t: two_layers_grad(t, V)  # noqa: E731
WHOLLY = lambda t: two_layers_grad(THETA, V)  # noqa: E731


def deep_relu(t):
    return np.log1p(np.exp(np.maximum(X @ t["W"], 0) @ t["V"])).sum()


def deep_relu_grad(t):
    z = X @ t["W"]
    y = np.maximum(z, 0) @ t["V"]
    dy = 1 / (1 + np.exp(-y))
    return {"W": X.T @ ((dy @ t["V"].T) * (z > 0)), "V": np.maximum(z, 0).T @ dy}


@pytest.mark.parametrize(
    ("loss", "grad", "theta"),
    [
        (two_layers, WHOLLY, THETA),
        (two_layers, PARTLY, THETA),
        (one_layer, lambda w: one_layer_grad(W), W),
        (deep_relu, lambda t: deep_relu_grad(THETA), THETA),
        (lambda v: (v**3).sum(), lambda v: np.array([3.0, 12.0]), np.array([1.0, 2.0])),
    ],
    ids=["all leaves", "one factor", "one leaf", "relu", "constants"],
)
def test_a_gradient_of_other_arrays_passes_with_a_remark(loss, grad, theta):
    report = check_gradient(loss, grad, theta)
    assert report.verdict == "pass"
    (note,) = remarks_on_memory(report)
    assert "at a point beside it grad disagrees with the loss" in note
    assert "Does grad read other arrays than its argument?" in note
    assert note in " ".join(str(report).split())


def remarks_on_memory(report):
    return [note for note in report.notes if note.startswith("right at ")]


def test_the_remark_names_what_did_not_move():
    (note,) = remarks_on_memory(check_gradient(two_layers, WHOLLY, THETA))
    assert "does not move with theta in theta['W'], theta['V']" in note
    there = np.array([0.5, 0.7])
    (note,) = remarks_on_memory(
        check_gradient(lambda w: (w**3).sum(), lambda w: 3 * there**2, there.copy())
    )
    assert "disagrees with the loss, and does not move with theta. Does" in note
    (note,) = remarks_on_memory(check_gradient(two_layers, PARTLY, THETA))
    assert "does not move" not in note


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_gradients_get_no_remark(seed, dtype):
    r = np.random.default_rng(seed)
    w = {"W": r.standard_normal((4, 3)).astype(dtype), "V": r.standard_normal((3, 2)).astype(dtype)}
    for loss, grad in (
        (two_layers, lambda t: two_layers_grad(t, t["V"])),
        (deep_relu, deep_relu_grad),
        (lambda t: t["W"].sum() + t["V"].sum(), lambda t: {k: np.ones_like(v) for k, v in t.items()}),
        (lambda t: abs(t["W"]).sum(), lambda t: {"W": np.sign(t["W"]), "V": 0 * t["V"]}),
    ):

        def in_dtype(t, grad=grad):
            return {key: g.astype(dtype) for key, g in grad(t).items()}

        report = check_gradient(loss, in_dtype, w)
        assert remarks_on_memory(report) == []
        assert report.verdict != "fail"


def test_a_loss_that_is_undefined_beside_theta_gets_no_remark():
    def loss(x):
        if x[0] != 1.0 and abs(x[0] - 1) < 1e-4:
            raise ValueError
        return (x**2).sum()

    report = check_gradient(loss, lambda x: np.array([2.0, 4.0]), np.array([1.0, 2.0]))
    assert remarks_on_memory(report) == []


@pytest.mark.parametrize("claim", [np.full(2, 0.3), np.cos([1.0, 0.95])])
def test_no_error_beside_theta_reaches_the_user(claim):
    theta = np.array([1.0, 0.95])

    def grad(x):
        if not np.array_equal(x, theta):
            raise RuntimeError("no other point, please")
        return claim

    report = check_gradient(lambda x: np.sin(x).sum(), grad, theta)
    assert report.verdict == ("fail" if claim[0] == claim[1] else "pass")

    r = np.random.default_rng(0)

    def random_here_only(x):
        grad(x)
        return r.random(2)

    report = check_gradient(lambda x: np.sin(x).sum(), random_here_only, theta)
    assert "Fix the seed" in report.problem


# A gradient that is wrong because it does not move


def test_a_wrong_gradient_that_does_not_move_is_recognised():
    stored = W + 0.1
    report = check_gradient(one_layer, lambda w: one_layer_grad(stored), W)
    assert report.verdict == "fail"
    assert report.hints == (repeated_calls.STAYS_THE_SAME,)
    report = check_vjp(np.tanh, lambda x, dy: dy * 0.3, np.array([0.4, 0.9, -1.2]))
    assert report.hints[0].startswith("vjp(x, dy) stays the same when x moves")


def test_the_gradient_of_a_linear_loss_rightly_stays_the_same():
    c = np.array([1.0, -2.0, 3.3])
    for wrong in (c + np.array([0.3, 0, 0.1]), c * np.array([1.3, 1, 1])):
        report = check_gradient(lambda x, c=c: (c * x).sum(), lambda x, g=wrong: g, np.ones(3))
        assert report.verdict == "fail"
        assert report.hints == ()


def test_rounding_is_not_taken_for_a_gradient_that_does_not_move():
    for rounding in (lambda x: x.astype(np.float16).astype(float), lambda x: np.round(x, 2)):
        theta = np.array([0.437, 1.718, -0.913])
        report = check_gradient(
            lambda x: np.sinh(x).sum(), lambda x, r=rounding: np.cosh(r(x)) ** 1.01, theta
        )
        assert report.verdict == "fail"
        assert repeated_calls.STAYS_THE_SAME not in report.hints


def test_products_that_are_linear_by_construction_are_never_called_stale():
    A = rng.standard_normal((3, 3))
    odd = np.array([[1.0, 2.0, 0.0], [0.5, 1.0, 7.0], [0.0, 1.5, 1.0]])
    x = np.array([0.3, -0.7, 1.1])
    for report in (
        check_jvp(np.sin, lambda x, dx: np.cos(x) * (odd @ dx), x),
        check_adjoint(lambda x, dx: A @ dx, lambda x, dy: odd @ dy, x),
        check_hvp(np.sin, lambda x, v: odd @ v, x),
    ):
        assert report.verdict == "fail"
        assert not any("stays the same" in hint for hint in report.hints)
        assert remarks_on_memory(report) == []


@pytest.mark.parametrize("power", [2, 3, 4])
def test_a_gradient_of_the_call_before_passes_with_a_remark(power):
    kept = []

    def late(theta):
        kept.append(power * theta ** (power - 1))
        return kept[max(0, len(kept) - 2)]

    report = check_gradient(lambda t: (t**power).sum(), late, np.array([0.7, -1.2, 2.0]))
    assert report.verdict == "pass"
    assert report.notes[-1].startswith("grad answers one call late")
