"""Every equation that defines a method is evaluated from its LaTeX and compared with optimlib."""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from latex import Matrix, Series, evaluate, labeled_equations

from optimlib import (
    SGD,
    AdaBelief,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Decoupled,
    Lion,
    Nadam,
    RAdam,
    RMSProp,
    ScheduleFreeSGD,
    check_gradient,
    differences,
    schedules,
)
from optimlib.clipping import clip_by_global_norm, clip_by_leaf_norm, clip_by_value, global_norm
from optimlib.gradcheck.report import MISS
from optimlib.nn import (
    batch_norm,
    batch_norm_backward,
    gru,
    gru_backward,
    initializers,
    layers,
    losses,
    lstm,
    lstm_backward,
    rnn,
    rnn_backward,
)
from optimlib.optimizers import (
    AMSGradCorrected,
    AMSGradRaw,
    Nesterov,
    SGDRateInside,
    SGDRunningMean,
)
from optimlib.training import shard_mean

EQUATIONS = labeled_equations()

TESTED: set[str] = set()


def defines(*labels: str):
    """Mark a test as the one of these labels."""

    def mark(test):
        TESTED.update(labels)
        return test

    return mark


def test_every_labelled_equation_is_tested():
    """A step of a derivation that needs a number is written as $$ ... $$ (label) instead."""
    assert set(EQUATIONS) == TESTED


# The evaluator itself


def test_the_evaluator_reads_latex_as_a_reader_does():
    values = {"a": 2.0, r"\beta_1": 0.5, "t": 3, "m_{t-1}": 7.0, "g_t": np.array([1.0, 4.0])}
    block = r"""
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t^2 \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t} + a (t + 1) + \sqrt{a^2} + |{-a}|
    \end{aligned}
    """
    found = evaluate(block, values)
    np.testing.assert_allclose(found["m _ t"], [4.0, 11.5])
    np.testing.assert_allclose(found[r"\hat m _ t"], np.array([4.0, 11.5]) / 0.875 + 8 + 2 + 2)


def test_a_symbol_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        evaluate("y = a + b", {"a": 1.0})


def test_only_products_with_a_matrix_are_matrix_products():
    rows, M = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [10.0, 0.0]])
    values = {"v_i": Series("i", {1: rows, 2: 2 * rows}), "a": rows, "M": Matrix(M)}
    found = evaluate(r"y = a \odot a + \sum_{i=1}^{2} v_i M", values)["y"]
    np.testing.assert_array_equal(found, [[1 + 60, 4 + 3], [9 + 120, 16 + 9]])


# Chapter 1


@defines("eq-wrong-gradient-descent")
def test_gradient_descent():
    theta = np.array([2.0, -1.0])
    values = {r"\theta_{t-1}": theta.copy(), r"\eta_t": 0.25, "g_t": np.array([3.0, 4.0])}
    found = evaluate(EQUATIONS["eq-wrong-gradient-descent"], values)[r"\theta _ t"]
    SGD(theta, learning_rate=0.25).step(values["g_t"])
    np.testing.assert_allclose(theta, found, rtol=1e-15)
    np.testing.assert_allclose(found, [1.25, -2.0])


@defines("eq-wrong-gradient-tanh")
def test_the_slope_of_tanh():
    dy, z = np.array([2.0, -3.0]), np.array([0.5, -1.5])
    h = layers.tanh(z)
    values = {r"\frac{\partial L}{\partial h}": dy, "h": h}
    *_, found = evaluate(EQUATIONS["eq-wrong-gradient-tanh"], values).values()
    np.testing.assert_allclose(layers.tanh_backward(dy, h), found, rtol=1e-14)
    np.testing.assert_allclose(found, dy * differences.complex_step(np.tanh, z), rtol=1e-14)


# Chapter 2


def f(x):
    return x**3 + 2 / x


@defines("eq-differences-forward", "eq-differences-central", "eq-differences-richardson")
def test_differences():
    x, h = 1.5, 0.25
    for label, scheme in [
        ("eq-differences-forward", differences.forward),
        ("eq-differences-central", differences.central),
        ("eq-differences-richardson", differences.richardson),
    ]:
        values = {"x": x, "h": h, "f": f, "D": lambda step: differences.central(f, x, step)}
        *_, found = evaluate(EQUATIONS[label], values).values()
        assert found == pytest.approx(scheme(f, x, h), rel=1e-14)


@defines("eq-differences-forward-optimum")
def test_forward_optimum():
    found = evaluate(EQUATIONS["eq-differences-forward-optimum"], {"f": -3.0, "f''": 5.0, r"\eta": 1e-3})
    optimum = differences.forward_optimum(-3.0, 5.0, 1e-3)
    assert (found[r"h ^ \ast"], found[r"E ^ \ast"]) == pytest.approx(tuple(optimum), rel=1e-14)


@defines("eq-differences-central-optimum")
def test_central_optimum():
    found = evaluate(
        EQUATIONS["eq-differences-central-optimum"], {"f": 3.0, "f'''": -5.0, r"\eta": 1e-3}
    )
    optimum = differences.central_optimum(3.0, -5.0, 1e-3)
    assert (found[r"h ^ \ast"], found[r"E ^ \ast"]) == pytest.approx(tuple(optimum), rel=1e-14)


@defines("eq-differences-default-step")
@pytest.mark.parametrize("scheme", differences.ORDERS)
@pytest.mark.parametrize("x", [0.3, -1e4])
def test_default_step(scheme, x):
    values = {"u": 2.0**-53, "p": float(differences.ORDERS[scheme]), "x": x}
    h = evaluate(EQUATIONS["eq-differences-default-step"], values)["h"]
    assert differences.default_step(scheme, x) == 2.0 ** round(math.log2(h))


@defines("eq-differences-estimate")
@pytest.mark.parametrize(("roundoff", "noise"), [(1e-2, 0.0), (1e-9, 1e-2)])
def test_estimate(roundoff, noise):
    x, h = 1.5, 0.25
    values = {"h": h, "u": roundoff, r"\nu": noise, "D": lambda step: differences.central(f, x, step)}
    values |= {"f_+": f(x + h / 4), "f_-": f(x - h / 4)}
    found = evaluate(EQUATIONS["eq-differences-estimate"], values)
    first = next(differences.estimates(f, x, h, roundoff=roundoff, noise=noise))
    assert (found["R _ 2"], found["E"]) == pytest.approx((first.value, first.error), rel=1e-12)


@defines("eq-differences-complex-step")
def test_complex_step():
    values = {"x": 1.5, "h": 1e-200, "i": 1j, "f": f, r"\operatorname{Im}": np.imag}
    *_, found = evaluate(EQUATIONS["eq-differences-complex-step"], values).values()
    assert found == pytest.approx(differences.complex_step(f, 1.5), rel=1e-14)


# Chapter 3


@defines("eq-check-tolerance")
def test_the_tolerance_of_a_probe():
    """Beside the minimum of a parabola far from zero, the loss is small and all terms count."""
    x = np.array([1000.5, 1003.5])
    slopes = [1.0, 7.0]
    root_mean_square = 5.0
    report = check_gradient(lambda x: ((x - 1000) ** 2).sum(), lambda x: 2 * (x - 1000), x)
    for probe, at, slope in zip(report.probes, x, slopes, strict=True):
        terms = slope + 4 * root_mean_square
        values = {"E": probe.error, "S": terms, "u": 2.0**-53, "f''": 2.0, "x": at}
        found = evaluate(EQUATIONS["eq-check-tolerance"], values)[r"\tau"]
        assert found == pytest.approx(probe.tolerance, rel=1e-9)
        assert found > 1.1 * (4 * probe.error + 4 * 2.0**-53 * terms)


@defines("eq-check-tolerance")
def test_the_tolerance_of_a_direction_is_made_of_its_terms():
    """A linear loss has no curvature, and the slope along a direction of one number has one term."""
    x = np.array([1.0])
    (probe,) = check_gradient(
        lambda x: 3 * x.sum(), lambda x: 3 + 0 * x, x, coordinates=0, directions=1
    ).probes
    values = {"E": 0.0, "S": abs(probe.analytic), "u": 2.0**-53, "f''": 0.0, "x": x[0]}
    beyond_the_error = evaluate(EQUATIONS["eq-check-tolerance"], values)[r"\tau"]
    assert probe.tolerance - 4 * probe.error == pytest.approx(beyond_the_error, rel=1e-3)


@defines("eq-check-gap")
def test_the_gap_from_which_jumps_are_extrapolated():
    def kinked(x):
        return f(x) + 3 * abs(x - 1.5)

    def gap(h):
        return evaluate(EQUATIONS["eq-check-gap"], {"x": 1.5, "h": h, "f": kinked})["G ( h )"]

    first = next(differences.estimates(kinked, 1.5, 0.25))
    assert first.jump == pytest.approx(2 * gap(0.25 / 4) - gap(0.25 / 2), rel=1e-12)


@defines("eq-million-miss-coordinates")
def test_the_probability_that_a_sample_misses_by_counting_all_samples():
    n, b, m = 7, 2, 3
    samples = list(combinations(range(n), m))
    missed = sum(min(sample) >= b for sample in samples) / len(samples)
    found = evaluate(EQUATIONS["eq-million-miss-coordinates"], {"n": n, "b": b, "m": m})
    assert missed == pytest.approx(*list(found.values())[-1:])


@defines("eq-million-miss-directions", "eq-million-detectable")
def test_an_error_of_the_detectable_size_is_missed_as_often_as_the_report_says():
    report = check_gradient(
        lambda x: (x**3).sum(), lambda x: 3 * x**2, np.arange(1.0, 6.0), directions=4
    )
    directions = [probe for probe in report.probes if probe.index is None]
    tolerance = max(max(probe.tolerance, probe.fine) for probe in directions)
    values = {r"\tau": tolerance, "k": 4, "p": MISS, r"\Phi^{-1}": NormalDist().inv_cdf}
    least = evaluate(EQUATIONS["eq-million-detectable"], values)[r"e _ { \min }"]
    assert least == pytest.approx(report.detectable(), rel=1e-12)
    values |= {r"\lVert e \rVert": least, r"\operatorname{erf}": math.erf}
    missed = list(evaluate(EQUATIONS["eq-million-miss-directions"], values).values())[-1]
    assert missed == pytest.approx(MISS, rel=1e-9)


# Chapter 4

SUM, MEAN = r"\operatorname{sum}", r"\operatorname{mean}"


@defines("eq-backprop-softmax")
def test_the_softmax_and_its_gradient():
    z, labels = np.random.default_rng(0).standard_normal((5, 3)), np.array([2, 0, 1, 1, 2])
    values = {"z": z, "t": np.eye(3)[labels], "n": 5, "e": math.e}
    values[SUM] = lambda a: a.sum(axis=1, keepdims=True)
    found = evaluate(EQUATIONS["eq-backprop-softmax"], values)
    loss, gradient = losses.softmax_cross_entropy(z, labels)
    np.testing.assert_allclose(found["d z"], gradient, rtol=1e-13)
    assert -np.log(found["p"][range(5), labels]).mean() == pytest.approx(loss, rel=1e-13)


@defines("eq-backprop-dense")
def test_the_dense_layer():
    rng = np.random.default_rng(0)
    x, W, b, dy = (rng.standard_normal(shape) for shape in ((5, 4), (4, 3), 3, (5, 3)))
    values = {"x": x, "W": Matrix(W), "b": b, "dy": dy}
    values |= {r"W^\top": Matrix(W.T), r"x^\top": Matrix(x.T), r"\mathbf{1}^\top": Matrix(np.ones(5))}
    found = evaluate(EQUATIONS["eq-backprop-dense"], values)
    np.testing.assert_allclose(found["y"], layers.dense(x, W, b), rtol=1e-13)
    gradients = layers.dense_backward(dy, x, W)
    for name, gradient in zip(("d x", "d W", "d b"), gradients, strict=True):
        np.testing.assert_allclose(found[name], gradient, rtol=1e-12, atol=1e-14)


@defines("eq-layers-batch-norm")
def test_batch_normalization():
    rng = np.random.default_rng(0)
    x, gamma, beta, dy = (rng.standard_normal(shape) for shape in ((5, 4), 4, 4, (5, 4)))
    values = {"x": x, r"\gamma": gamma, r"\beta": beta, "dy": dy, r"\varepsilon": 0.125}
    values |= {SUM: lambda a: a.sum(axis=0), MEAN: lambda a: a.mean(axis=0)}
    found = evaluate(EQUATIONS["eq-layers-batch-norm"], values)
    y, cache = batch_norm(x, gamma, beta, eps=0.125)
    np.testing.assert_allclose(found["y"], y, rtol=1e-12)
    gradients = batch_norm_backward(dy, cache)
    for name, gradient in zip(("d x", r"d \gamma", r"d \beta"), gradients, strict=True):
        np.testing.assert_allclose(found[name], gradient, rtol=1e-11, atol=1e-14)


@defines("eq-layers-rnn-step", "eq-layers-rnn-sums")
def test_backpropagation_through_time():
    rng, T = np.random.default_rng(0), 4
    shapes = ((5, T, 2), (5, 3), (2, 3), (3, 3), 3, (5, T, 3))
    x, h0, Wx, Wh, b, dh = (rng.standard_normal(shape) for shape in shapes)
    h, cache = rnn(x, h0, Wx, Wh, b)
    transposed = {r"W_x^\top": Matrix(Wx.T), r"W_h^\top": Matrix(Wh.T)}
    dx, dz = {}, {T + 1: np.zeros((5, 3))}
    for t in range(T, 0, -1):
        values = {"dh_t": dh[:, t - 1], "h_t": h[:, t - 1], "dz_{t+1}": dz[t + 1]} | transposed
        found = evaluate(EQUATIONS["eq-layers-rnn-step"], values)
        dz[t], dx[t] = found["d z _ t"], found["d x _ t"]
    before = [h0, *h.transpose(1, 0, 2)]
    values = {"T": T, "dz_1": dz[1], "dz_t": Series("t", dz)} | transposed
    values[r"\mathbf{1}^\top"] = Matrix(np.ones(5))
    values[r"x_t^\top"] = Series("t", {t: Matrix(x[:, t - 1].T) for t in dx})
    values[r"h_{t-1}^\top"] = Series("t", {t: Matrix(before[t - 1].T) for t in dx})
    found = evaluate(EQUATIONS["eq-layers-rnn-sums"], values)
    found["d x"] = np.stack([dx[t] for t in sorted(dx)], axis=1)
    gradients = rnn_backward(dh, cache)
    for name, gradient in zip(("d x", "d h _ 0", "d W _ x", "d W _ h", "d b"), gradients, strict=True):
        np.testing.assert_allclose(found[name], gradient, rtol=1e-11, atol=1e-13)


@defines("eq-layers-lstm-backward")
def test_the_lstm_cell_backward():
    rng, T = np.random.default_rng(0), 3
    shapes = ((5, T, 2), (5, 3), (5, 3), (2, 12), (3, 12), 12, (5, T, 3))
    x, h0, c0, Wx, Wh, b, dh = (rng.standard_normal(shape) for shape in shapes)
    _, cache = lstm(x, h0, c0, Wx, Wh, b)
    db, after = np.zeros(12), {"da_{t+1}": np.zeros((5, 12)), "dc_{t+1}": 0.0, "f_{t+1}": 0.0}
    for t in reversed(range(T)):
        values = dict(zip(("i_t", "f_t", "g_t", "o_t"), cache.gates[t], strict=True)) | after
        values |= {"c_t": cache.c[:, t], "c_{t-1}": cache.c[:, t - 1] if t else c0}
        values |= {"dh_t": dh[:, t], r"W_h^\top": Matrix(Wh.T), r"\tanh": np.tanh}
        found = evaluate(EQUATIONS["eq-layers-lstm-backward"], values)
        da = np.hstack([found[f"d a ^ {gate} _ t"] for gate in "ifgo"])
        db += da.sum(axis=0)
        after = {"da_{t+1}": da, "dc_{t+1}": found["d c _ t"], "f_{t+1}": cache.gates[t][1]}
    _, dh0, dc0, _, _, theirs = lstm_backward(dh, cache)
    np.testing.assert_allclose(db, theirs, rtol=1e-11)
    np.testing.assert_allclose(after["da_{t+1}"] @ Wh.T, dh0, rtol=1e-11)
    np.testing.assert_allclose(after["dc_{t+1}"] * after["f_{t+1}"], dc0, rtol=1e-11)


# Chapter 5


@defines("eq-vanishing-glorot", "eq-vanishing-he")
@pytest.mark.parametrize(
    ("label", "normal", "uniform"),
    [
        ("eq-vanishing-glorot", initializers.glorot_normal, initializers.glorot_uniform),
        ("eq-vanishing-he", initializers.he_normal, initializers.he_uniform),
    ],
)
def test_initializers(label, normal, uniform):
    """Standard normal numbers are scaled by sigma; the largest of many uniform ones is close to a."""
    values = {r"n_{\text{in}}": 300.0, r"n_{\text{out}}": 20.0}
    found = evaluate(EQUATIONS[label], values)
    W = normal((300, 20), np.random.default_rng(0))
    np.testing.assert_allclose(
        W / found[r"\sigma"], np.random.default_rng(0).standard_normal((300, 20)), rtol=1e-13
    )
    largest = np.abs(uniform((300, 20), np.random.default_rng(0))).max()
    assert 0.999 * found["a"] < largest <= found["a"]


def sigma(a):
    return 1 / (1 + np.exp(-a))


RECURRENT = {r"\sigma": sigma, r"\tanh": np.tanh}


def by_gate(gates: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of each gate, as its equation calls them: ``W_x^i`` for those of i in ``W_x``."""
    return {
        f"{name}^{gate}": Matrix(part) if name[0] == "W" else part
        for name, array in arrays.items()
        for gate, part in zip(gates, np.split(array, len(gates), axis=-1), strict=True)
    }


@defines("eq-vanishing-lstm")
def test_lstm():
    rng, T = np.random.default_rng(0), 3
    shapes = ((5, T, 2), (5, 3), (5, 3), (2, 12), (3, 12), 12)
    x, h0, c0, Wx, Wh, b = (rng.standard_normal(shape) for shape in shapes)
    h, cache = lstm(x, h0, c0, Wx, Wh, b)
    before = {"h_{t-1}": h0, "c_{t-1}": c0}
    for t in range(T):
        values = RECURRENT | by_gate("ifgo", W_x=Wx, W_h=Wh, b=b) | before | {"x_t": x[:, t]}
        found = evaluate(EQUATIONS["eq-vanishing-lstm"], values)
        before = {"h_{t-1}": found["h _ t"], "c_{t-1}": found["c _ t"]}
        np.testing.assert_allclose(found["h _ t"], h[:, t], rtol=1e-12)
        np.testing.assert_allclose(found["c _ t"], cache.c[:, t], rtol=1e-12)


@defines("eq-vanishing-gru", "eq-vanishing-gru-backward")
def test_gru():
    rng = np.random.default_rng(0)
    shapes = ((5, 1, 2), (5, 3), (2, 9), (3, 9), 9, 9, (5, 1, 3))
    x, h0, Wx, Wh, bx, bh, dh = (rng.standard_normal(shape) for shape in shapes)
    h, cache = gru(x, h0, Wx, Wh, bx, bh)
    values = RECURRENT | by_gate("rzn", W_x=Wx, W_h=Wh, b_x=bx, b_h=bh)
    values |= {"x_t": x[:, 0], "h_{t-1}": h0, r"\delta_t": dh[:, 0]}
    found = evaluate(EQUATIONS["eq-vanishing-gru"], values)
    np.testing.assert_allclose(found["h _ t"], h[:, 0], rtol=1e-12)
    back = evaluate(EQUATIONS["eq-vanishing-gru-backward"], found)
    dbx = np.hstack([back[f"d p ^ {gate} _ t"] for gate in "rzn"]).sum(axis=0)
    np.testing.assert_allclose(dbx, gru_backward(dh, cache)[4], rtol=1e-11)


# Chapter 9

BETA1, BETA2 = 0.9, 0.999
DECAY = {r"\beta_1": BETA1, r"\beta_2": BETA2}


@defines("eq-adam-m", "eq-adam-v", "eq-adam-m-hat", "eq-adam-v-hat", "eq-adam-update")
def test_adam():
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(3)
    adam = Adam(theta, learning_rate=0.25, eps=0.125)
    latex = r"\\".join(EQUATIONS[f"eq-adam-{name}"] for name in ("m", "v", "m-hat", "v-hat", "update"))
    m, v, by_hand = np.zeros(3), np.zeros(3), theta.copy()
    for t in range(1, 5):
        g = rng.standard_normal(3)
        values = {"m_{t-1}": m, "v_{t-1}": v, r"\theta_{t-1}": by_hand, "g_t": g, "t": t}
        values |= DECAY | {r"\eta_t": 0.25, r"\varepsilon": 0.125}
        found = evaluate(latex, values)
        m, v, by_hand = found["m _ t"], found["v _ t"], found[r"\theta _ t"]
        adam.step(g)
        np.testing.assert_allclose(theta, by_hand, rtol=1e-13)


@defines("eq-adam-eps-hat")
def test_adam_in_the_form_with_eps_hat():
    theta, eps, t = np.array([2.0]), 0.125, 2
    adam = Adam(theta, learning_rate=0.25, eps=eps)
    adam.step(np.array([3.0]))
    before = theta.copy()
    adam.step(np.array([-1.0]))
    values = {r"\theta_{t-1}": before, "m_t": adam.state["m"], "v_t": adam.state["v"], "t": t}
    values |= DECAY | {r"\eta_t": 0.25, r"\hat\varepsilon": eps * (1 - BETA2**t) ** 0.5}
    found = evaluate(EQUATIONS["eq-adam-eps-hat"], values)
    np.testing.assert_allclose(found[r"\theta _ t"], theta, rtol=1e-13)


@defines("eq-adam-bound")
@pytest.mark.parametrize("t", [1, 2, 10])
def test_the_bound_on_adams_step_is_attained_where_cauchy_and_schwarz_are_equal(t):
    bound = evaluate(EQUATIONS["eq-adam-bound"], DECAY | {"t": t})["B _ t"]
    theta = np.zeros(1)
    adam = Adam(theta, learning_rate=1.0, eps=0.0)
    for i in range(1, t + 1):
        before = theta.copy()
        adam.step(np.array([(BETA1 / BETA2) ** (t - i)]))
    assert before - theta == pytest.approx(bound, rel=1e-10)


# Chapter 11


def run_optimizer(optimizer, evaluate_step, state, steps=3, size=3):
    """Whether an equation, carried from step to step, takes the optimizer's steps.

    `evaluate_step(values)` evaluates the equations; `state` maps the symbols they carry to what stands
    for them in the next step, `{"m _ t": "m_{t-1}"}`.
    """
    rng = np.random.default_rng(11)
    theta = rng.standard_normal(size)
    opt = optimizer(theta)
    by_hand, carried = theta.copy(), {before: np.zeros(size) for before in state.values()}
    for t in range(1, steps + 1):
        g = rng.standard_normal(size)
        found = evaluate_step(carried | {"g_t": g, "t": t, r"\theta_{t-1}": by_hand})
        opt.step(g)
        by_hand, carried = found[r"\theta _ t"], {state[now]: found[now] for now in state}
        np.testing.assert_allclose(theta, by_hand, rtol=1e-12)


ADAMS_MEANS = r"\\".join(EQUATIONS[f"eq-adam-{name}"] for name in ("m", "v", "m-hat", "v-hat"))
MOMENTS = {"m _ t": "m_{t-1}", "v _ t": "v_{t-1}"}
RATES = DECAY | {r"\eta_t": 0.25, r"\varepsilon": 0.125, r"\lambda": 0.5}


@defines("eq-decay-coupled")
def test_a_penalty_is_adam_with_another_gradient():
    latex = ADAMS_MEANS + r"\\" + EQUATIONS["eq-adam-update"]

    def step(values):
        changed = evaluate(EQUATIONS["eq-decay-coupled"], RATES | values)[r"\tilde g _ t"]
        return evaluate(latex, RATES | values | {"g_t": changed})

    run_optimizer(lambda p: Adam(p, 0.25, eps=0.125, weight_decay=0.5), step, MOMENTS)


@defines("eq-decay-adamw")
@pytest.mark.parametrize("alpha", [1.0, 0.125])
def test_adamw(alpha):
    latex = ADAMS_MEANS + r"\\" + EQUATIONS["eq-decay-adamw"]
    run_optimizer(
        lambda p: AdamW(p, 0.25, eps=0.125, weight_decay=Decoupled(0.5, base_rate=alpha)),
        lambda values: evaluate(latex, RATES | {r"\alpha": alpha} | values),
        MOMENTS,
    )


@defines("eq-relatives-nadam")
@pytest.mark.parametrize("psi", [0.004, 1.0])
def test_nadam(psi):
    latex = ADAMS_MEANS + r"\\" + EQUATIONS["eq-relatives-nadam"]
    products = {0: 1.0}

    def step(values):
        t = values["t"]
        found = evaluate(latex, RATES | values | {r"\psi": psi, "P_{t-1}": products[t - 1]})
        products[t] = found["P _ t"]
        return found

    run_optimizer(lambda p: Nadam(p, 0.25, eps=0.125, momentum_decay=psi), step, MOMENTS)


@defines("eq-relatives-adamax")
def test_adamax():
    latex = EQUATIONS["eq-adam-m"] + r"\\" + EQUATIONS["eq-relatives-adamax"]
    run_optimizer(
        lambda p: Adamax(p, 0.25, eps=0.125),
        lambda values: evaluate(latex, RATES | values),
        {"m _ t": "m_{t-1}", "u _ t": "u_{t-1}"},
        steps=5,
        size=1,  # the maximum here is one of numbers
    )


@defines("eq-relatives-radam")
def test_radam():
    latex = ADAMS_MEANS + r"\\" + EQUATIONS["eq-relatives-radam"]

    def step(values):
        if values["t"] > 4:
            found = evaluate(latex, RATES | values)
            assert found[r"\rho _ t"] > 4
        else:  # up to the threshold it does not divide
            found = evaluate(ADAMS_MEANS, RATES | values)
            found[r"\theta _ t"] = values[r"\theta_{t-1}"] - 0.25 * found[r"\hat m _ t"]
        return found

    run_optimizer(lambda p: RAdam(p, 0.25, eps=0.125), step, MOMENTS, steps=6)


@defines("eq-relatives-adabelief")
def test_adabelief():
    latex = r"\\".join(
        EQUATIONS[name] for name in ("eq-adam-m", "eq-adam-m-hat", "eq-relatives-adabelief")
    )
    run_optimizer(
        lambda p: AdaBelief(p, 0.25, eps=0.125, eps_root=0.0625),
        lambda values: evaluate(latex, RATES | {r"\varepsilon'": 0.0625} | values),
        {"m _ t": "m_{t-1}", "s _ t": "s_{t-1}"},
    )


@defines("eq-relatives-lion")
def test_lion():
    sign = {r"\operatorname{sign}": np.sign}
    run_optimizer(
        lambda p: Lion(p, 0.25, beta1=BETA1, beta2=BETA2, weight_decay=0.5),
        lambda values: evaluate(EQUATIONS["eq-relatives-lion"], RATES | sign | values),
        {"m _ t": "m_{t-1}"},
    )


@defines("eq-relatives-free")
def test_schedule_free():
    rng = np.random.default_rng(14)
    y = rng.standard_normal(3)
    opt = ScheduleFreeSGD(y, 0.25, beta1=0.75)
    found = {r"z _ t": y.copy(), "x _ t": y.copy()}
    for t in range(1, 6):
        g = rng.standard_normal(3)
        found = evaluate(
            EQUATIONS["eq-relatives-free"],
            {"z_{t-1}": found["z _ t"], "x_{t-1}": found["x _ t"], "g_t": g, "t": t}
            | {r"\eta": 0.25, r"\beta": 0.75},
        )
        opt.step(g)
        np.testing.assert_allclose(y, found["y _ t"], rtol=1e-12)
        np.testing.assert_allclose(opt.averaged(), found["x _ t"], rtol=1e-12)


# Gradient descent


@defines("eq-descent-closed")
def test_descent_in_the_coordinates_of_the_bowl():
    curvature, rate, steps = np.array([1.0, 4.0, 0.5]), 0.25, 7
    start = np.array([1.0, -2.0, 3.0])
    values = {"z_0": start, r"\eta": rate, r"\lambda": curvature, "t": steps}
    found = evaluate(EQUATIONS["eq-descent-closed"], values)["z _ t"]
    Q, _ = np.linalg.qr(np.random.default_rng(8).standard_normal((3, 3)))
    theta = Q @ start
    optimizer = SGD(theta, learning_rate=rate)
    for _ in range(steps):
        optimizer.step(Q @ (curvature * (Q.T @ theta)))
    np.testing.assert_allclose(Q.T @ theta, found, atol=1e-14)


@defines("eq-descent-best")
def test_the_best_rate_of_a_bowl():
    low, high = 0.5, 4.0
    values = {r"\lambda_{\min}": low, r"\lambda_{\max}": high}
    _, rate, factor = [*evaluate(EQUATIONS["eq-descent-best"], values).values()][-3:]
    slowest = {r: max(abs(1 - r * low), abs(1 - r * high)) for r in np.linspace(0.01, 0.6, 2000)}
    assert rate == pytest.approx(min(slowest, key=slowest.get), abs=5e-4)
    assert factor == pytest.approx(min(slowest.values()), abs=2e-3)
    theta = np.ones(2)  # both directions shrink by that factor
    SGD(theta, learning_rate=rate).step(np.array([low, high]))
    np.testing.assert_allclose(np.abs(theta), factor, rtol=1e-14)


def excess_at_rest(method, rate, curvature, sigma, *, rests, ends):
    """The mean excess loss on a noisy bowl from one step to another, over 2,000 runs."""
    rng, theta, excess = np.random.default_rng(8), np.zeros(2000), []
    optimizer = method(theta, learning_rate=rate)
    for t in range(ends):
        optimizer.step(curvature * theta + sigma * rng.standard_normal(2000))
        if t >= rests:
            excess.append(curvature / 2 * np.mean(theta**2))
    return np.mean(excess)


@defines("eq-descent-floor")
def test_the_noise_floor():
    rate, curvature, sigma = 0.25, 2.0, 3.0
    values = {r"\eta": rate, r"\lambda": curvature, r"\sigma": sigma}
    found = evaluate(EQUATIONS["eq-descent-floor"], values)["E"]
    measured = excess_at_rest(SGD, rate, curvature, sigma, rests=20, ends=220)
    assert measured == pytest.approx(found, rel=0.02)


# Momentum

VELOCITY = {"b _ t": "b_{t-1}"}
MOMENTUM_RATES = {r"\eta_t": 0.25, r"\mu": 0.75}


@defines("eq-momentum-heavy-ball", "eq-momentum-inside", "eq-momentum-nesterov")
@pytest.mark.parametrize(
    ("label", "optimizer"),
    [
        ("eq-momentum-heavy-ball", SGD),
        ("eq-momentum-inside", SGDRateInside),
        ("eq-momentum-nesterov", Nesterov),
    ],
)
def test_momentum(label, optimizer):
    run_optimizer(
        lambda p: optimizer(p, 0.25, momentum=0.75),
        lambda values: evaluate(EQUATIONS[label], MOMENTUM_RATES | values),
        VELOCITY,
        steps=5,
    )


def test_a_rate_inside_the_velocity_remembers_a_schedule():
    rates = [0.5, 0.25, 0.0625]
    run_optimizer(
        lambda p: SGDRateInside(p, lambda done: rates[done], momentum=0.75),
        lambda values: evaluate(
            EQUATIONS["eq-momentum-inside"], {r"\eta_t": rates[values["t"] - 1], r"\mu": 0.75} | values
        ),
        VELOCITY,
    )


@defines("eq-momentum-mean")
def test_a_running_mean_of_gradients():
    run_optimizer(
        lambda p: SGDRunningMean(p, 0.25, momentum=0.75),
        lambda values: evaluate(EQUATIONS["eq-momentum-mean"], MOMENTUM_RATES | values),
        {"m _ t": "m_{t-1}"},
        steps=5,
    )


# A step size for every coordinate


@defines("eq-coordinate-adagrad", "eq-coordinate-rmsprop", "eq-coordinate-adadelta")
@pytest.mark.parametrize(
    ("label", "optimizer", "settings", "state"),
    [
        ("eq-coordinate-adagrad", AdaGrad, {}, {"G _ t": "G_{t-1}"}),
        ("eq-coordinate-rmsprop", RMSProp, {"rho": 0.75}, {"v _ t": "v_{t-1}"}),
        ("eq-coordinate-adadelta", Adadelta, {"rho": 0.75}, {"v _ t": "v_{t-1}", "d _ t": "d_{t-1}"}),
    ],
)
def test_a_step_size_for_every_coordinate(label, optimizer, settings, state):
    run_optimizer(
        lambda p: optimizer(p, 0.25, eps=0.125, **settings),
        lambda values: evaluate(EQUATIONS[label], RATES | {r"\rho": 0.75} | values),
        state,
    )


# When Adam fails


@defines("eq-fails-amsgrad", "eq-fails-raw", "eq-fails-corrected")
@pytest.mark.parametrize(
    ("label", "optimizer"),
    [
        ("eq-fails-amsgrad", AMSGrad),
        ("eq-fails-raw", AMSGradRaw),
        ("eq-fails-corrected", AMSGradCorrected),
    ],
)
def test_three_amsgrads(label, optimizer):
    latex = r"\\".join(EQUATIONS[name] for name in ("eq-adam-m", "eq-adam-v", label))
    run_optimizer(
        lambda p: optimizer(p, 0.25, eps=0.125),
        lambda values: evaluate(latex, RATES | values),
        {"m _ t": "m_{t-1}", "v _ t": "v_{t-1}", "V _ t": "V_{t-1}"},
        steps=6,
        size=1,  # the maximum here is one of numbers
    )


@defines("eq-fails-cycle")
@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_second_moment_in_a_cycle(k):
    C, n, beta2 = 7.0, 4, 0.75
    opt = Adam(np.zeros(1), 0.25, beta2=beta2)
    for t in range(60 * n + k + 1):
        opt.step(np.array([C if t % n == 0 else -1.0]))
    found = evaluate(EQUATIONS["eq-fails-cycle"], {"C": C, "n": n, r"\beta_2": beta2, "k": k})["v _ k"]
    assert opt.state["v"][0] == pytest.approx(found, rel=1e-12)


@defines("eq-fails-floor")
@pytest.mark.parametrize("curvature", [0.5, 2.0])
def test_where_adam_comes_to_rest(curvature):
    rate, sigma = 0.01, 3.0
    found = evaluate(EQUATIONS["eq-fails-floor"], {r"\eta": rate, r"\sigma": sigma})["E"]
    measured = excess_at_rest(Adam, rate, curvature, sigma, rests=900, ends=1500)
    assert measured == pytest.approx(found, rel=0.05)


# Clipping


@defines("eq-clipping-value")
def test_clipping_by_value():
    g = np.array([-3.0, -0.5, 0.25, 7.0])
    found = [evaluate(EQUATIONS["eq-clipping-value"], {"g_i": float(x), "c": 0.75}) for x in g]
    np.testing.assert_array_equal([f[r"\tilde g _ i"] for f in found], clip_by_value(g, 0.75))


@defines("eq-clipping-norm", "eq-clipping-leaf")
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_by_norm(limit):
    g = [np.array([3.0, -4.0]), np.array([0.25])]
    clipped, norm = clip_by_global_norm(g, limit)
    by_leaf = clip_by_leaf_norm(g, limit)
    for leaf, ours, alone in zip(g, clipped, by_leaf, strict=True):
        values = {"g": leaf, "c": limit, r"\lVert g \rVert": norm}
        found = evaluate(EQUATIONS["eq-clipping-norm"], values)[r"\tilde g"]
        np.testing.assert_allclose(found, ours, rtol=1e-14)
        values = {r"g_\ell": leaf, "c": limit, r"\lVert g_\ell \rVert": math.hypot(*leaf)}
        found = evaluate(EQUATIONS["eq-clipping-leaf"], values)[r"\tilde g _ \ell"]
        np.testing.assert_allclose(found, alone, rtol=1e-14)


@defines("eq-clipping-shards")
def test_the_norm_of_shards():
    g = np.arange(1.0, 11.0)
    shards = np.split(g, [3, 4])
    norms = Series("k", {k: global_norm(shard) for k, shard in enumerate(shards, start=1)})
    found = evaluate(EQUATIONS["eq-clipping-shards"], {"n_k": norms, "K": 3})["n"]
    assert found == pytest.approx(global_norm(g), rel=1e-14)


# Schedules


@defines("eq-schedules-best")
@pytest.mark.parametrize(("start", "curvature", "sigma"), [(1.0, 1.0, 1.0), (9.0, 0.5, 2.0)])
def test_the_best_schedule_for_one_curvature(start, curvature, sigma):
    values = {"a_0": start, r"\lambda": curvature, r"\sigma": sigma}
    t0 = evaluate(EQUATIONS["eq-schedules-best"], values | {"t": 1})["t _ 0"]
    schedule = schedules.inverse_time_decay(1 / (curvature * (1 + t0)), decay=1 / (1 + t0))
    mean_square = start
    for t in range(1, 9):
        found = evaluate(EQUATIONS["eq-schedules-best"], values | {"t": t})
        rates = np.linspace(0, 2 / curvature, 100_001)
        every = (1 - rates * curvature) ** 2 * mean_square + rates**2 * sigma**2
        assert found[r"\eta _ t"] == pytest.approx(rates[every.argmin()], abs=3e-5 / curvature)
        assert found[r"\eta _ t"] == pytest.approx(schedule(t - 1), rel=1e-13)
        mean_square = every.min()
        assert found["a _ t"] == pytest.approx(mean_square, rel=1e-7)


@defines(
    "eq-schedules-exponential",
    "eq-schedules-inverse",
    "eq-schedules-polynomial",
    "eq-schedules-cosine",
    "eq-schedules-warmup",
)
@pytest.mark.parametrize(
    ("label", "schedule"),
    [
        ("exponential", schedules.exponential_decay(0.5, factor=0.25, every=4)),
        ("inverse", schedules.inverse_time_decay(0.5, decay=0.125, power=1.5)),
        ("polynomial", schedules.polynomial_decay(0.5, steps=4, power=1.5)),
        ("cosine", schedules.cosine(0.5, steps=4)),
        ("warmup", schedules.warmup(schedules.constant(0.5), 4, start=0.125)),
    ],
)
def test_schedules(label, schedule):
    values = {r"\eta": 0.5, r"\gamma": 0.25, r"\kappa": 0.125, "p": 1.5, "k": 4, "T": 4}
    values |= {r"\pi": math.pi, r"\eta_0": 0.125}
    for n in range(5):
        found = evaluate(EQUATIONS[f"eq-schedules-{label}"], values | {"n": n})
        assert schedule(n) == pytest.approx(found[r"\eta _ n"], abs=1e-15)


# Beyond one machine


@defines("eq-beyond-mean")
def test_the_mean_of_the_shards():
    """The function sees which shards it gets; the equation gets what it returned for them."""
    rng, parts = np.random.default_rng(0), []

    def value_and_grad(theta, x):
        parts.append((len(x), x.mean(axis=0) - theta))
        return 0.0, parts[-1][1]

    theta, x = rng.standard_normal(3), rng.standard_normal((11, 3))
    _, found = shard_mean(value_and_grad, shards=4)(theta, x)
    sizes = Series("k", {k: size for k, (size, _) in enumerate(parts, start=1)})
    slopes = Series("k", {k: g for k, (_, g) in enumerate(parts, start=1)})
    values = {"n_k": sizes, "g_k": slopes, "n": 11, "K": 4}
    np.testing.assert_allclose(evaluate(EQUATIONS["eq-beyond-mean"], values)["g"], found, rtol=1e-14)
    np.testing.assert_allclose(found, x.mean(axis=0) - theta, rtol=1e-13)
