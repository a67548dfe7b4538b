"""Rules written down as programs: what they may do, and what is refused with a reason."""

import copy

import numpy as np
import pytest

import optimlib
from optimlib.optimizers.engine.tracing import check_traced, trace


def traced(rule, slots=()):
    """The program of a function of the gradient and the state, with its numbers."""

    def advance(p, g, *state):
        returned = rule(g, *state)
        check_traced("Ours", slots, returned, (g, *state))
        return p, *returned

    return trace(advance, slots)


def test_what_changes_from_step_to_step_is_no_part_of_the_source():
    adam = optimlib.Adam(np.ones(1))

    def program(t):
        adam.t = t
        return traced(adam.rule, adam.slots)

    (first, numbers), (later, later_numbers) = program(1), program(100)
    assert first == later
    assert numbers != later_numbers
    assert 1 - 0.9**100 in later_numbers


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g: (g if g > 0 else -g, ()), "asks for the value of an element"),
        (lambda g: (g * np.ones(3), ()), "uses array.*; expected numbers of Python"),
        (lambda g: (g * np.float64(0.1), ()), "uses np.float64.*; expected numbers of Python"),
        (lambda g: (np.add.reduce(g), ()), "calls add.reduce; expected only sums, products"),
        (lambda g: (np.add(g, 1, where=True), ()), "calls add with where; expected only"),
        (lambda g: (np.modf(g)[0], ()), "calls modf; expected only"),
        (lambda g: (g / g.mean(), ()), "asks an array for mean; expected only"),
        (lambda g: (g / np.linalg.norm(g), ()), "calls norm; expected only"),
        (lambda g: (g * np.dot(g, g), ()), "calls dot; expected only"),
        (lambda g: (np.asarray(g), ()), "makes an array of an element of g; expected only"),
    ],
    ids=["if", "array", "NumPy", "sum", "where", "two results", "method", "norm", "dot", "as an array"],
)
def test_what_looks_at_more_than_one_element_is_refused(rule, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        traced(rule)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (np.exp, "calls exp; expected only"),
        (lambda g: np.log(np.abs(g)), "calls log; expected only"),
        (lambda g: np.power(np.abs(g), 0.5), "calls power; expected only"),
        (lambda g: g**3, "has 3 as exponent; expected 2, 0.5 or -1"),
        (lambda g: 2**g, "calls power; expected only"),
        (lambda g: g**g, "has an element of g as exponent; expected 2, 0.5 or -1"),
        (np.frompyfunc(lambda x: 2 * x, 1, 1), "vectorized.; expected only"),
    ],
)
def test_what_another_library_would_round_otherwise_is_refused(rule, message):
    with pytest.raises(TypeError, match=message):
        traced(lambda g: (rule(g), ()))


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (
            lambda g, m: (0.1, (m,)),
            TypeError,
            r"Ours.rule returned 0\.1; expected numbers",
        ),
        (
            lambda g, m: (g, (np.zeros(2),)),
            TypeError,
            "returned array.*; expected numbers that it computed",
        ),
        (lambda g, m: (g, ()), ValueError, r"returned \(\) as the new state; expected 1 arrays"),
        (lambda g, m: (g, m), ValueError, "returned an element of state_m as the new state"),
        (lambda g, m: g, TypeError, "Ours.rule returned an element of g; expected the step and the new"),
        (lambda g, m: None, TypeError, "Ours.rule returned None; expected the step and the new state"),
        (lambda g, m: (g, (m,), m), TypeError, "expected the step and the new state"),
    ],
)
def test_what_is_no_result_is_refused(returned, error, message):
    with pytest.raises(error, match=message):
        traced(returned, ["m"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g: (g > 0) * 0.5 * g, "calls multiply with comparisons only"),  # 0.5 is of float64 there
        (lambda g: np.maximum(g > 0, g < 1) * g, "calls maximum with comparisons only"),
        (lambda g: g > 0, "returned an element of x0; expected numbers that it computed"),
        (lambda g: ((g > 0) & 1) * g, "calls bitwise_and with comparisons only"),
        (lambda g: ((g > 0) < 1 + 1e-9) * g, "calls less with comparisons only"),  # of float64, too
        (lambda g: (g & g) * g, "calls bitwise_and with numbers; expected comparisons"),
    ],
)
def test_truth_values_are_no_numbers(rule, message):
    with pytest.raises(TypeError, match=message):
        traced(lambda g: (rule(g), ()))


def test_parameters_that_are_no_array_are_refused():
    with pytest.raises(TypeError, match=r"returned 1\.0; expected numbers that it computed"):
        trace(lambda p, g: (1.0, g, ()), [])


def test_what_was_written_down_for_another_call_is_refused():
    kept = []

    def previous(g):
        kept.append(g)
        return g - kept[0], ()

    traced(previous)
    with pytest.raises(TypeError, match="uses an element of g of another call; expected its arguments"):
        traced(previous)
    with pytest.raises(TypeError, match="of another call; expected its arguments"):
        traced(lambda g, m: (g + copy.deepcopy(m), (m,)), ["m"])
    with pytest.raises(TypeError, match="returned an element of g; expected numbers that it computed"):
        traced(lambda g: (kept[0], ()))
