"""Every equation that defines a method is evaluated from its LaTeX and compared with optimlib."""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from latex import evaluate, labelled_equations

from optimlib import Adam, check_gradient, differences
from optimlib.gradient_report import MISS

EQUATIONS = labelled_equations()

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


# Chapter 2


def f(x):
    return x**3 + 2 / x


@defines("eq-02-forward", "eq-02-central", "eq-02-richardson")
def test_differences():
    x, h = 1.5, 0.25
    for label, scheme in [
        ("eq-02-forward", differences.forward),
        ("eq-02-central", differences.central),
        ("eq-02-richardson", differences.richardson),
    ]:
        values = {"x": x, "h": h, "f": f, "D": lambda step: differences.central(f, x, step)}
        *_, found = evaluate(EQUATIONS[label], values).values()
        assert found == pytest.approx(scheme(f, x, h), rel=1e-14)


@defines("eq-02-forward-optimum")
def test_forward_optimum():
    found = evaluate(EQUATIONS["eq-02-forward-optimum"], {"f": -3.0, "f''": 5.0, r"\eta": 1e-3})
    optimum = differences.forward_optimum(-3.0, 5.0, 1e-3)
    assert (found[r"h ^ \ast"], found[r"E ^ \ast"]) == pytest.approx(tuple(optimum), rel=1e-14)


@defines("eq-02-central-optimum")
def test_central_optimum():
    found = evaluate(EQUATIONS["eq-02-central-optimum"], {"f": 3.0, "f'''": -5.0, r"\eta": 1e-3})
    optimum = differences.central_optimum(3.0, -5.0, 1e-3)
    assert (found[r"h ^ \ast"], found[r"E ^ \ast"]) == pytest.approx(tuple(optimum), rel=1e-14)


@defines("eq-02-default-step")
@pytest.mark.parametrize("scheme", differences.ORDERS)
@pytest.mark.parametrize("x", [0.3, -1e4])
def test_default_step(scheme, x):
    values = {"u": 2.0**-53, "p": float(differences.ORDERS[scheme]), "x": x}
    h = evaluate(EQUATIONS["eq-02-default-step"], values)["h"]
    assert differences.default_step(scheme, x) == 2.0 ** round(math.log2(h))


@defines("eq-02-estimate")
@pytest.mark.parametrize(("roundoff", "noise"), [(1e-2, 0.0), (1e-9, 1e-2)])
def test_estimate(roundoff, noise):
    x, h = 1.5, 0.25
    values = {"h": h, "u": roundoff, r"\nu": noise, "D": lambda step: differences.central(f, x, step)}
    values |= {"f_+": f(x + h / 4), "f_-": f(x - h / 4)}
    found = evaluate(EQUATIONS["eq-02-estimate"], values)
    first = next(differences.estimates(f, x, h, roundoff=roundoff, noise=noise))
    assert (found["R _ 2"], found["E"]) == pytest.approx((first.value, first.error), rel=1e-12)


@defines("eq-02-complex-step")
def test_complex_step():
    values = {"x": 1.5, "h": 1e-200, "i": 1j, "f": f, r"\operatorname{Im}": np.imag}
    *_, found = evaluate(EQUATIONS["eq-02-complex-step"], values).values()
    assert found == pytest.approx(differences.complex_step(f, 1.5), rel=1e-14)


# Chapter 3


@defines("eq-03-tolerance")
def test_the_tolerance_of_a_probe():
    """Beside the minimum of a parabola far from zero, the loss is small and both terms count."""
    x = np.array([1000.5])
    (probe,) = check_gradient(lambda x: ((x - 1000) ** 2).sum(), lambda x: 2 * (x - 1000), x).probes
    values = {"E": probe.error, "u": 2.0**-53, "f''": 2.0, "x": x[0]}
    found = evaluate(EQUATIONS["eq-03-tolerance"], values)[r"\tau"]
    assert found == pytest.approx(probe.tolerance, rel=1e-9)
    assert found > 1.1 * 4 * probe.error


@defines("eq-03-gap")
def test_the_gap_from_which_jumps_are_extrapolated():
    def kinked(x):
        return f(x) + 3 * abs(x - 1.5)

    def gap(h):
        return evaluate(EQUATIONS["eq-03-gap"], {"x": 1.5, "h": h, "f": kinked})["G ( h )"]

    first = next(differences.estimates(kinked, 1.5, 0.25))
    assert first.jump == pytest.approx(2 * gap(0.25 / 4) - gap(0.25 / 2), rel=1e-12)


@defines("eq-03-miss-coordinates")
def test_the_probability_that_a_sample_misses_by_counting_all_samples():
    n, b, m = 7, 2, 3
    samples = list(combinations(range(n), m))
    missed = sum(min(sample) >= b for sample in samples) / len(samples)
    found = evaluate(EQUATIONS["eq-03-miss-coordinates"], {"n": n, "b": b, "m": m})
    assert missed == pytest.approx(*list(found.values())[-1:])


@defines("eq-03-miss-directions", "eq-03-detectable")
def test_an_error_of_the_detectable_size_is_missed_as_often_as_the_report_says():
    report = check_gradient(
        lambda x: (x**3).sum(), lambda x: 3 * x**2, np.arange(1.0, 6.0), directions=4
    )
    tolerance = max(probe.tolerance for probe in report.probes if probe.index is None)
    values = {r"\tau": tolerance, "k": 4, "p": MISS, r"\Phi^{-1}": NormalDist().inv_cdf}
    least = evaluate(EQUATIONS["eq-03-detectable"], values)[r"e _ { \min }"]
    assert least == pytest.approx(report.detectable(), rel=1e-12)
    values |= {r"\lVert e \rVert": least, r"\operatorname{erf}": math.erf}
    missed = list(evaluate(EQUATIONS["eq-03-miss-directions"], values).values())[-1]
    assert missed == pytest.approx(MISS, rel=1e-9)


# Chapter 9

BETA1, BETA2 = 0.9, 0.999
DECAY = {r"\beta_1": BETA1, r"\beta_2": BETA2}


@defines("eq-09-m", "eq-09-v", "eq-09-m-hat", "eq-09-v-hat", "eq-09-update")
def test_adam():
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(3)
    adam = Adam(theta, learning_rate=0.25, eps=0.125)
    latex = r"\\".join(EQUATIONS[f"eq-09-{name}"] for name in ("m", "v", "m-hat", "v-hat", "update"))
    m, v, by_hand = np.zeros(3), np.zeros(3), theta.copy()
    for t in range(1, 5):
        g = rng.standard_normal(3)
        values = {"m_{t-1}": m, "v_{t-1}": v, r"\theta_{t-1}": by_hand, "g_t": g, "t": t}
        values |= DECAY | {r"\eta_t": 0.25, r"\varepsilon": 0.125}
        found = evaluate(latex, values)
        m, v, by_hand = found["m _ t"], found["v _ t"], found[r"\theta _ t"]
        adam.step(g)
        np.testing.assert_allclose(theta, by_hand, rtol=1e-13)


@defines("eq-09-eps-hat")
def test_adam_in_the_form_with_eps_hat():
    theta, eps, t = np.array([2.0]), 0.125, 2
    adam = Adam(theta, learning_rate=0.25, eps=eps)
    adam.step(np.array([3.0]))
    before = theta.copy()
    adam.step(np.array([-1.0]))
    values = {r"\theta_{t-1}": before, "m_t": adam.state["m"], "v_t": adam.state["v"], "t": t}
    values |= DECAY | {r"\eta_t": 0.25, r"\hat\varepsilon": eps * (1 - BETA2**t) ** 0.5}
    found = evaluate(EQUATIONS["eq-09-eps-hat"], values)
    np.testing.assert_allclose(found[r"\theta _ t"], theta, rtol=1e-13)


@defines("eq-09-bound")
@pytest.mark.parametrize("t", [1, 2, 10])
def test_the_bound_on_adams_step_is_attained_where_cauchy_and_schwarz_are_equal(t):
    bound = evaluate(EQUATIONS["eq-09-bound"], DECAY | {"t": t})["B _ t"]
    theta = np.zeros(1)
    adam = Adam(theta, learning_rate=1.0, eps=0.0)
    for i in range(1, t + 1):
        before = theta.copy()
        adam.step(np.array([(BETA1 / BETA2) ** (t - i)]))
    assert before - theta == pytest.approx(bound, rel=1e-10)
