"""Checks of many parameters: what they cost, what they find, and how they say where."""

import io
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import redirect_stderr
from itertools import pairwise

import numpy as np
import pytest

from optimlib import check_adjoint, check_gradient, check_hvp, check_jvp, check_layer, check_vjp
from optimlib.gradcheck import scales
from optimlib.gradcheck.check import FEW
from optimlib.gradcheck.sampling import parted
from optimlib.lab import datasets
from optimlib.nn.layers import dense, dense_backward, relu, relu_backward, tanh, tanh_backward
from optimlib.nn.losses import softmax_cross_entropy
from optimlib.trees import map_tree

PIXELS, LABELS = datasets.digits()


class Network:
    """Layers of tanh or ReLU units on some digits; its functions can be pickled."""

    def __init__(self, sizes, activation="tanh", dtype=np.float64, examples=16, seed=0):
        rng = np.random.default_rng(seed)
        self.x = (PIXELS[:examples].reshape(examples, -1) / 16).astype(dtype)
        self.labels = LABELS[:examples]
        self.act, self.back = {
            "tanh": (tanh, tanh_backward),
            "relu": (relu, relu_backward),
        }[activation]
        self.depth = len(sizes) - 1
        self.theta = {}
        for i, (m, n) in enumerate(pairwise(sizes)):
            self.theta[f"W{i}"] = (rng.standard_normal((m, n)) * np.sqrt(2 / m)).astype(dtype)
            self.theta[f"b{i}"] = np.zeros(n, dtype)

    def forward(self, t):
        values = [self.x]
        for i in range(self.depth):
            z = dense(values[-1], t[f"W{i}"], t[f"b{i}"])
            values.append(z if i == self.depth - 1 else self.act(z))
        return values

    def loss(self, t):
        return softmax_cross_entropy(self.forward(t)[-1], self.labels)[0]

    def grad(self, t):
        values = self.forward(t)
        dy = softmax_cross_entropy(values[-1], self.labels)[1]
        g = {}
        for i in reversed(range(self.depth)):
            if i < self.depth - 1:
                dy = self.back(dy, values[i + 1])
            dy, g[f"W{i}"], g[f"b{i}"] = dense_backward(dy, values[i], t[f"W{i}"])
        return g


def check(network, change=lambda g: g, **options):
    return check_gradient(network.loss, lambda t: change(network.grad(t)), network.theta, **options)


# Cost


@pytest.mark.slow  # a million parameters
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_million_parameters_take_at_most_sixty_evaluations(activation):
    report = check(Network((64, 940, 940, 10), activation, examples=4))
    assert report.parameters > 950_000
    assert report.verdict == "pass"
    assert report.evaluations <= 60
    assert report.detectable() < 1e-3 * report.norm
    assert "would be missed with probability 0.001" in str(report)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sizes", [(64, 128, 10), (64, 32, 32, 32, 32, 10)])
@pytest.mark.parametrize("seed", [0, 1])
def test_networks_cost_about_as_much_and_are_not_blamed(activation, dtype, sizes, seed):
    report = check(Network(sizes, activation, dtype, seed=seed))
    assert report.evaluations <= 100
    assert report.verdict == "pass"


def test_as_many_directions_as_asked_for():
    report = check(Network((64, 32, 10)), directions=9, coordinates=0)
    assert Counter(p.index is None for p in report.probes) == {True: 9}


# What is seen


THREE_LAYERS = Network((64, 32, 32, 10))


def test_every_leaf_is_in_a_probe():
    report = check(THREE_LAYERS)
    leaves = {f"['{key}']" for key in THREE_LAYERS.theta}
    assert {path for p in report.probes for path in p.leaves} == leaves


@pytest.mark.parametrize("key", THREE_LAYERS.theta)
@pytest.mark.parametrize("factor", [-1, 0, 1 + 1e-5])
def test_no_leaf_goes_unseen(key, factor):
    wrong = check(THREE_LAYERS, lambda g: g | {key: factor * g[key]})
    assert wrong.verdict == "fail"


def test_leaves_of_very_different_gradients_do_not_hide_each_other():
    rng = np.random.default_rng(0)
    theta = {"big": rng.standard_normal(300), "small": rng.standard_normal(20), "none": np.ones(5)}
    sizes = {"big": 1e6, "small": 1e-3, "none": 0.0}

    def loss(t):
        return sum(s * np.sin(t[key]).sum() for key, s in sizes.items())

    def grad(t):
        return {key: s * np.cos(t[key]) for key, s in sizes.items()}

    assert check_gradient(loss, grad, theta).passed
    mistakes = {"small": lambda g: -g, "none": lambda g: g + 1e-3, "big": lambda g: 1.0001 * g}
    for key, wrong in mistakes.items():
        report = check_gradient(loss, lambda t, k=key, w=wrong: grad(t) | {k: w(grad(t)[k])}, theta)
        assert report.verdict == "fail", key
        guilty = {p.path for p in report.probes if p.index and p.verdict == "fail"}
        assert guilty == {f"['{key}']"}


def test_groups_by_hand():
    assert parted([0, 1, 2], [1.0, 2.0, 3.0], 3) == [[2, 1, 0]]
    assert parted([0, 1, 2], [1.0, 100.0, 0.9], 3) == [[1], [0, 2]]
    assert parted([0, 1, 2, 3], [1.0, 1e-1, 1e4, 0.0], 3) == [[2], [0, 1], [3]]
    assert parted([0, 1], [0.0, 0.0], 3) == [[0, 1]]
    assert parted([0, 1], [1.0, 0.0], 1) == [[0, 1]]


def test_numbers_in_different_units_are_moved_in_their_own():
    units = 10.0 ** np.linspace(-6, 6, 200)
    theta = 0.3 * units

    def loss(x):
        return np.sin(x / units).sum()

    def grad(x):
        return np.cos(x / units) / units

    assert check_gradient(loss, grad, theta).passed
    for place in (0, 120, 199):

        def wrong(x, place=place):
            return grad(x) * np.where(np.arange(200) == place, 1.01, 1)

        assert check_gradient(loss, wrong, theta).verdict == "fail"
    assert scales.units(np.random.default_rng(0).standard_normal(10**5)) == 1.0


# Where it failed


@pytest.mark.parametrize("place", [(0, 0), (17, 5), (63, 31)])
def test_a_single_wrong_number_is_found_by_halving(place):
    network = Network((64, 32, 10))

    def change(g):
        W = g["W0"].copy()
        W[place] += 0.1
        return g | {"W0": W}

    report = check(network, change)
    failed = [(p.path, p.index) for p in report.probes if p.index and p.verdict == "fail"]
    assert failed == [("['W0']", place)]


def test_of_many_leaves_the_wrong_one_is_found():
    rng = np.random.default_rng(0)
    theta = [rng.standard_normal(5) for _ in range(60)]

    def grad(t):
        g = [np.cos(leaf) for leaf in t]
        g[41] = 2 * g[41]
        return g

    report = check_gradient(lambda t: sum(np.sin(leaf).sum() for leaf in t), grad, theta)
    assert {p.path for p in report.probes if p.index and p.verdict == "fail"} == {"[41]"}
    assert any("2 times" in hint for hint in report.hints)


def test_a_right_gradient_is_not_searched():
    report = check(Network((64, 32, 10)))
    assert sum(p.index is not None for p in report.probes) < 20


# Hints, as the check gives them


def test_a_transposed_square_leaf_is_recognised():
    report = check(Network((64, 12, 12, 10)), lambda g: g | {"W1": g["W1"].T.copy()})
    assert any("transposed" in hint for hint in report.hints)


def test_a_gradient_of_other_parameters_is_recognised():
    network = Network((64, 12, 10))
    stored = map_tree(lambda leaf: leaf + 0.01, network.theta)
    report = check_gradient(network.loss, lambda t: network.grad(stored), network.theta)
    assert report.verdict == "fail"
    assert "stays the same when theta moves" in report.hints[0]


def test_a_gradient_that_comes_one_call_late_is_recognised():
    network = Network((64, 12, 10))
    last = [map_tree(lambda leaf: leaf + 0.01, network.theta)]

    def late(t):
        previous, last[0] = last[0], t
        return network.grad(previous)

    report = check_gradient(network.loss, late, network.theta)
    assert not report.passed  # it is right at every second call, and so random


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g | {"b0": np.ones((16, 12))}, "(['b0']: the sum over the first axis (the batch?)"),
        (lambda g: g | {"W0": g["W0"].T}, "(['W0']: transposed)"),
        (lambda g: g | {"b1": g["b1"][None]}, "(['b1']: an axis of length 1 is left over: keepdims?)"),
    ],
)
def test_a_gradient_of_the_wrong_shape_is_refused_with_a_hint(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check(Network((64, 12, 10)), change)


# Side by side, and watched


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
@pytest.mark.parametrize("options", [{}, {"coordinates": 3}])
def test_an_executor_changes_nothing(pool, options):
    network = Network((64, 12, 10))
    alone = check_gradient(network.loss, network.grad, network.theta, **options)
    with pool(2) as executor:
        together = check_gradient(
            network.loss, network.grad, network.theta, executor=executor, **options
        )
    assert together == alone
    assert together.evaluations == alone.evaluations


def waves(x):
    return np.array([np.sin(x[0]) * x[1], x[1] ** 2])


def waves_jvp(x, dx):
    return np.array([np.cos(x[0]) * x[1] * dx[0] + np.sin(x[0]) * dx[1], 2 * x[1] * dx[1]])


def waves_vjp(x, dy):
    return np.array([np.cos(x[0]) * x[1] * dy[0], np.sin(x[0]) * dy[0] + 2 * x[1] * dy[1]])


def cubes(theta):
    return 3 * theta**2


def cubes_hvp(theta, v):
    return 6 * theta * v


def forward(x, W):
    return x @ W, (x, W)


def backward(dy, cache):
    x, W = cache
    return dy @ W.T, x.T @ dy


@pytest.mark.parametrize(
    ("checked", "arguments"),
    [
        (check_jvp, (waves, waves_jvp, np.array([0.3, 0.7]))),
        (check_vjp, (waves, waves_vjp, np.array([0.3, 0.7]))),
        (check_adjoint, (waves_jvp, waves_vjp, np.array([0.3, 0.7]))),
        (check_hvp, (cubes, cubes_hvp, np.array([0.3, 0.7]))),
        (check_layer, (forward, backward, {"x": np.array([[1.0, 2.0]]), "W": np.eye(2)})),
    ],
    ids=["check_jvp", "check_vjp", "check_adjoint", "check_hvp", "check_layer"],
)
def test_every_check_of_functions_runs_on_a_pool_of_processes(checked, arguments):
    alone = checked(*arguments, rng=np.random.default_rng(0))
    with ProcessPoolExecutor(2) as executor:
        together = checked(*arguments, rng=np.random.default_rng(0), executor=executor)
    assert together == alone
    assert together.verdict == "pass"


def test_a_progress_bar_counts_the_probes():
    network = Network((64, 12, 10))
    stream = io.StringIO()
    with redirect_stderr(stream):
        report = check(network, coordinates=5, directions=0, progress=True)
    bars = re.findall(r"gradient check: 100%.*?(\d+)/(\d+)", stream.getvalue())
    assert bars[-1] == (str(len(report.probes)),) * 2
    with redirect_stderr(stream := io.StringIO()):
        check(network, coordinates=1, directions=0)
    assert stream.getvalue() == ""


def test_few_parameters_are_all_probed_and_no_more():
    theta = np.linspace(0.5, 2, FEW)
    report = check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, theta)
    assert sorted(p.index for p in report.probes) == [(i,) for i in range(FEW)]
