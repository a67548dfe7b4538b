"""Every equation that defines a method is evaluated from its LaTeX and compared with optimlib."""

import math

import numpy as np
import pytest
from latex import evaluate, labelled_equations

from optimlib import differences

EQUATIONS = labelled_equations()

# Labelled because the text refers to them; they are steps of a derivation or results, not methods.
RESULTS: set[str] = set()

TESTS = {}


def defines(*labels: str):
    """Mark a test as the one of these labels."""

    def mark(test):
        TESTS.update(dict.fromkeys(labels, test.__name__))
        return test

    return mark


def test_every_labelled_equation_is_tested_or_known_to_define_nothing():
    assert set(EQUATIONS) == set(TESTS) | RESULTS


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
