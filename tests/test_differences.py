"""Differences: exact where arithmetic is, and errors as large as chapter 2 says they are."""

import math
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib.differences import (
    ORDERS,
    Optimum,
    central,
    central_optimum,
    complex_step,
    default_step,
    error_curve,
    estimates,
    forward,
    forward_optimum,
    noise_level,
    representable_step,
    richardson,
    unit_roundoff,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
SCHEMES = [forward, central, richardson]
FLOATS = [np.float32, np.float64]


def recording(f):
    """The function `f`, and a list that its arguments are appended to."""
    arguments = []

    def recorded(x):
        arguments.append(x)
        return f(x)

    return recorded, arguments


# The schemes


# Differences of powers, multiplied out by hand. Small binary fractions: no operation rounds.
POWERS = {
    "forward of a square": (forward, 2, lambda x, h: 2 * x + h),
    "forward of a cube": (forward, 3, lambda x, h: 3 * x**2 + 3 * x * h + h**2),
    "central of a square": (central, 2, lambda x, h: 2 * x),
    "central of a cube": (central, 3, lambda x, h: 3 * x**2 + h**2),
    "richardson of a fifth power": (richardson, 5, lambda x, h: 5 * x**4 - h**4 / 4),
}
eighths = st.integers(-16, 16).map(lambda n: Fraction(n, 8))


@PROPERTY
@given(x=eighths, h=st.sampled_from([Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]))
@pytest.mark.parametrize(("scheme", "power", "exact"), POWERS.values(), ids=POWERS)
def test_differences_of_powers_are_exact_to_the_last_bit(scheme, power, exact, x, h):
    result = scheme(lambda t: t**power, float(x), float(h))
    assert Fraction(float(result)) == exact(x, h)


@pytest.mark.parametrize(
    ("scheme", "points"),
    [
        (forward, {1.0, 1.5}),
        (central, {0.5, 1.5}),
        (richardson, {0.5, 0.75, 1.25, 1.5}),
        (complex_step, {1 + 0.5j}),
    ],
)
def test_a_scheme_evaluates_where_it_says_and_nowhere_twice(scheme, points):
    f, arguments = recording(np.exp)
    scheme(f, 1.0, 0.5)
    assert set(arguments) == points
    assert len(arguments) == len(points)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_error_falls_with_the_power_of_the_step_that_the_scheme_promises(scheme):
    steps = 2.0 ** -np.arange(1, 7)
    errors = error_curve(scheme, np.sin, 0.7, math.cos(0.7), steps)
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(ORDERS[scheme], abs=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_slope_of_a_line_survives_steps_that_are_rounded(scheme, dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 1000, 200).astype(dtype)
    h = dtype(300.7 * unit_roundoff(x[0]) * 1000)
    tolerance = 8 * unit_roundoff(x[0])
    np.testing.assert_allclose(scheme(lambda t: t, x, h), np.ones_like(x), rtol=tolerance)


@pytest.mark.parametrize("scheme", [*SCHEMES, complex_step])
def test_many_points_at_once_give_what_each_gives_alone(scheme):
    x = np.array([[0.1, 1.0], [10.0, 300.0]])
    together = scheme(np.sqrt, x)
    assert together.shape == x.shape
    alone = [scheme(np.sqrt, number) for number in x.ravel()]
    np.testing.assert_allclose(together.ravel(), alone, rtol=1e-12)


@pytest.mark.parametrize(
    ("scheme", "float64", "float32"),
    [(forward, 1e-7, 2e-3), (central, 1e-9, 1e-4), (richardson, 1e-11, 1e-5)],
)
def test_default_steps_keep_the_digits_that_a_scheme_can_have(scheme, float64, float32):
    for dtype, accuracy in ((np.float64, float64), (np.float32, float32)):
        for x in (0.0, 0.3, -2.0, 2.0):
            error = abs(float(scheme(np.exp, dtype(x))) / math.exp(dtype(x)) - 1)
            assert error < accuracy, (dtype, x)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_float32_points_stay_float32_whatever_the_step_is(scheme):
    for h in (2.0**-6, np.float64(2.0**-6), None):
        f, arguments = recording(np.exp)
        assert scheme(f, np.float32(1), h).dtype == np.float32
        assert {t.dtype for t in arguments} == {np.dtype(np.float32)}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("x", "h"), [(1.0, 1e-17), (np.float32(1), 1e-8), (np.array([0.1, 1e9]), 1e-9), (1.0, 0.0)]
)
def test_a_step_that_is_lost_in_the_point_is_refused(scheme, x, h):
    f, arguments = recording(np.exp)
    with pytest.raises(
        ValueError, match=r"h is .+, which is lost in x = .+; expected a step that changes x"
    ):
        scheme(f, x, h)
    assert arguments == []


def test_a_difference_along_a_line_is_a_directional_derivative():
    theta, d = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    along = central(lambda s: float(np.prod(theta + s * d)), 0.0)
    assert along == pytest.approx(2.0 * 3.0 + 1.0 * -1.0, rel=1e-9)


@pytest.mark.parametrize("scheme", [forward, central, richardson, complex_step])
def test_a_function_of_one_number_may_return_many(scheme):
    """A column of a Jacobian, or a matrix that depends on time: every number is differentiated."""

    def curve(s):
        return np.array([[3 * s, s * s], [1 + 0 * s, -s]])

    np.testing.assert_allclose(scheme(curve, 0.5), [[3, 1], [0, -1]], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("scheme", [forward, central, richardson, complex_step])
@pytest.mark.parametrize(
    "f",
    [lambda x: (x**2).sum(), lambda x: x[:1], lambda x: np.outer(x, x)],
    ids=["sum", "part", "outer"],
)
def test_another_number_of_values_than_points_is_refused(scheme, f):
    with pytest.raises(ValueError, match="one value for each point"):
        scheme(f, np.array([1.0, 2.0]))


@pytest.mark.parametrize("scheme", [*SCHEMES, complex_step])
@pytest.mark.parametrize("x", [3, np.array([2, 4, 6]), True, np.float16(1), 1j, "1", None], ids=repr)
def test_points_that_are_not_float32_or_float64_are_refused(scheme, x):
    f, arguments = recording(lambda t: t)
    with pytest.raises(TypeError, match=r"x (has dtype .+|is None); expected float32 or float64"):
        scheme(f, x)
    assert arguments == []


TAKING_A_POINT = {
    "unit_roundoff": unit_roundoff,
    "representable_step": lambda x: representable_step(x, 0.1),
    "default_step": lambda x: default_step(central, x),
    "estimates": lambda x: next(estimates(np.exp, x, 0.1)),
    "error_curve": lambda x: error_curve(forward, np.exp, x, 1.0, np.array([0.1])),
}


@pytest.mark.parametrize("function", TAKING_A_POINT.values(), ids=TAKING_A_POINT)
def test_integers_are_refused_everywhere(function):
    for x in (1, np.array([1, 2])):
        with pytest.raises(TypeError, match="x has dtype int64; expected float32 or float64"):
            function(x)


# Steps


def test_unit_roundoff_is_the_largest_number_that_vanishes_beside_one():
    for dtype in FLOATS:
        u = dtype(unit_roundoff(dtype(1)))
        assert dtype(1) + u == 1
        assert dtype(1) + u * dtype(1.001) > 1


@PROPERTY
@given(
    x=st.floats(-1e6, 1e6, width=32),
    h=st.floats(2**-20, 1.0, width=32),
    dtype=st.sampled_from(FLOATS),
)
def test_a_representable_step_is_the_distance_to_the_neighbour(x, h, dtype):
    x, h = dtype(x) / dtype(3), dtype(h) / dtype(3)
    taken = representable_step(x, h)
    distance = Fraction(float(x + h)) - Fraction(float(x))
    assert taken.dtype == dtype
    assert taken == dtype(float(distance))
    if h <= abs(x):  # then it is no approximation
        assert Fraction(float(taken)) == distance


@pytest.mark.parametrize(
    ("scheme", "x", "exponent"),
    [
        # 53/2, 53/3 and 53/5 of float64's bits, or of float32's 24; 1000 is nearly 2**10
        (forward, 1.0, -26),
        (central, 1.0, -18),
        (richardson, 1.0, -11),
        (forward, np.float32(1), -12),
        (central, np.float32(1), -8),
        (richardson, np.float32(1), -5),
        (central, 0.0, -18),
        (central, -0.1, -18),
        (central, 1000.0, -8),
        (central, -1000.0, -8),
        (forward, np.float32(1000), -2),
    ],
)
def test_default_steps_worked_out_by_hand(scheme, x, exponent):
    step = default_step(scheme, x)
    assert step == 2.0**exponent
    assert step.dtype == np.asarray(x).dtype


def test_default_steps_are_those_that_the_schemes_take():
    for scheme in SCHEMES:
        assert scheme(np.sin, 5.0) == scheme(np.sin, 5.0, default_step(scheme, 5.0))


# The best step


def least(model) -> tuple[float, float]:
    """Where `model` is least, and its value there, by trying."""
    h = np.logspace(-14, 1, 150_001)
    values = model(h)
    return h[values.argmin()], values.min()


@pytest.mark.parametrize("value", [1.0, -30.0])
@pytest.mark.parametrize("derivative", [1.0, -0.02])
@pytest.mark.parametrize("noise", [2.0**-53, 2.0**-24])
class TestOptimum:
    def test_forward(self, value, derivative, noise):
        step, error = least(
            lambda h: h / 2 * abs(derivative) + 2 * noise * abs(value) / h,
        )
        optimum = forward_optimum(value, derivative, noise)
        assert optimum.step == pytest.approx(step, rel=3e-4)
        assert optimum.error == pytest.approx(error, rel=1e-6)

    def test_central(self, value, derivative, noise):
        step, error = least(
            lambda h: h**2 / 6 * abs(derivative) + noise * abs(value) / h,
        )
        optimum = central_optimum(value, derivative, noise)
        assert optimum.step == pytest.approx(step, rel=3e-4)
        assert optimum.error == pytest.approx(error, rel=1e-6)


def test_best_steps_of_many_points_at_once():
    optimum = central_optimum(np.array([1.0, 8.0]), np.array([3.0, 3.0]), noise=2.0**-54)
    assert isinstance(optimum, Optimum)
    np.testing.assert_allclose(optimum.step, [2.0**-18, 2.0**-17])


# A function with its first three derivatives, and the interval to take points from.
SMOOTH = {
    "exp": (np.exp, np.exp, np.exp, np.exp, (-3, 3)),
    "sin": (np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), (0.3, 1.2)),
    "sqrt": (
        np.sqrt,
        lambda x: x**-0.5 / 2,
        lambda x: x**-1.5 / -4,
        lambda x: x**-2.5 * 3 / 8,
        (0.5, 4),
    ),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, lambda x: 6 * x, lambda x: 6 + 0 * x, (0.5, 3)),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scheme", [forward, central])
def test_the_predicted_optimum_is_where_the_measured_curve_has_its_minimum(name, dtype, scheme):
    rng = np.random.default_rng(1)
    f, first, second, third, interval = SMOOTH[name]
    x = rng.uniform(*interval, 1000).astype(dtype)
    exact_x = x.astype(np.float64)
    if scheme is forward:
        optimum = forward_optimum(f(exact_x), second(exact_x), unit_roundoff(x))
    else:
        optimum = central_optimum(f(exact_x), third(exact_x), unit_roundoff(x))
    predicted_step, predicted_error = np.median(optimum.step), np.median(optimum.error)

    steps = 2.0 ** np.arange(-45 if dtype == np.float64 else -20, 0)
    curve = np.median(error_curve(scheme, f, x, first(exact_x), steps.astype(dtype)), axis=1)
    best = curve.argmin()
    assert 1 / 4 < steps[best] / predicted_step < 2
    assert 1 / 8 < curve[best] / predicted_error < 1  # the model adds bounds
    at_prediction = np.interp(np.log(predicted_step), np.log(steps), curve)
    assert at_prediction < 3 * curve[best]
    assert curve[0] > 30 * curve[best] < curve[-1]  # it is a V


def test_an_error_curve_has_a_row_for_every_step_and_no_sign():
    x = np.array([0.0, 1.0, 2.0])
    curve = error_curve(forward, lambda t: t**2, x, 2 * x, np.array([0.5, 0.25]))
    assert curve.tolist() == [[0.5] * 3, [0.25] * 3]
    assert error_curve(forward, lambda t: -(t**2), 1.0, -2.0, np.array([0.5])).tolist() == [0.5]


# Complex step


ANALYTIC = {
    "exp": (np.exp, math.exp),
    "sin": (np.sin, math.cos),
    "log": (np.log, lambda x: 1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "power": (lambda z: z**7, lambda x: 7 * x**6),
    "quotient": (lambda z: z / (1 + z**2), lambda x: (1 - x**2) / (1 + x**2) ** 2),
    "tanh": (np.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "composed": (
        lambda z: np.exp(np.sin(z) ** 2),
        lambda x: math.exp(math.sin(x) ** 2) * math.sin(2 * x),
    ),
}


@pytest.mark.parametrize(("f", "derivative"), ANALYTIC.values(), ids=ANALYTIC)
@pytest.mark.parametrize("x", [1e-3, 0.4, 1.3, 20.0])
def test_the_complex_step_is_right_to_rounding(f, derivative, x):
    assert complex_step(f, x) == pytest.approx(derivative(x), rel=1e-14, abs=0)


def test_the_complex_step_works_in_double_precision_whatever_it_is_given():
    result = complex_step(np.exp, np.float32(0.5))
    assert result.dtype == np.float64
    assert result == pytest.approx(math.exp(0.5), rel=1e-15)


@pytest.mark.parametrize(
    "f",
    [np.abs, np.real, lambda z: np.linalg.norm([z, z]), lambda z: 0.0, lambda z: z.real**2],
    ids=["abs", "real", "norm", "constant", "real part squared"],
)
def test_a_function_that_drops_the_imaginary_part_is_refused(f):
    message = r"f returned .+ for a complex argument; expected a complex number: .+ drops the imaginary"
    with pytest.raises(TypeError, match=message):
        complex_step(f, 0.5)


# Estimates with their errors


# A function, its derivative and an interval inside its domain.
KNOWN = {
    "exp": (np.exp, math.exp, (-3, 3)),
    "sin": (np.sin, math.cos, (-9, 9)),
    "sin(20x)": (lambda x: np.sin(20 * x), lambda x: 20 * math.cos(20 * x), (-2, 2)),
    "log": (np.log, lambda x: 1 / x, (0.05, 9)),
    "sqrt": (np.sqrt, lambda x: 0.5 / math.sqrt(x), (0.05, 9)),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2, (0.05, 9)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x**2), (-5, 5)),
    "tanh": (np.tanh, lambda x: 1 / math.cosh(x) ** 2, (-5, 5)),
    "cubic": (lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2, (-5, 5)),
    "bell": (lambda x: np.exp(-(x**2)), lambda x: -2 * x * math.exp(-(x**2)), (-3, 3)),
    "x log x": (lambda x: x * np.log(x), lambda x: math.log(x) + 1, (0.05, 5)),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(("dtype", "h"), [(np.float64, 2.0**-9), (np.float32, 2.0**-4)])
def test_the_estimated_error_bounds_the_true_one(name, dtype, h):
    rng = np.random.default_rng(2)
    f, derivative, interval = KNOWN[name]
    in_errors, jump_in_errors = [], []
    for x in rng.uniform(*interval, 60).astype(dtype):
        with np.errstate(invalid="ignore", divide="ignore"):
            found = [e for e in islice(estimates(f, x, dtype(h)), 8) if math.isfinite(e.error)]
        in_errors += [abs(e.value - derivative(float(x))) / e.error for e in found]
        jump_in_errors += [abs(e.jump) / e.jump_error for e in found]
    assert len(in_errors) > 400
    assert np.mean(np.array(in_errors) <= 1) >= 0.995
    assert max(in_errors) < 2  # the check allows 4
    assert np.mean(np.array(jump_in_errors) <= 1) >= 0.98  # a smooth function shows no kink
    assert max(jump_in_errors) < 2


@pytest.mark.parametrize("name", KNOWN)
def test_the_estimated_error_is_not_a_platitude(name):
    rng = np.random.default_rng(3)
    f, derivative, interval = KNOWN[name]
    best = []
    for x in rng.uniform(*interval, 30):
        with np.errstate(invalid="ignore", divide="ignore"):
            found = [e.error for e in islice(estimates(f, x, 2.0**-6), 12) if math.isfinite(e.error)]
        best.append(min(found) / max(abs(derivative(float(x))), abs(float(f(x)))))
    assert np.median(best) < 1e-11


@pytest.mark.parametrize(("left", "right"), [(-1, 1), (0, 1), (2, 3), (1, -1)])
@pytest.mark.parametrize("x", [0.0, 0.75, -3.0])
def test_the_jump_of_a_kink_is_the_difference_of_its_slopes(left, right, x):
    def f(t):
        return right * (t - x) if t > x else left * (t - x)

    for e in islice(estimates(f, x, 0.125), 6):
        assert e.jump == pytest.approx(right - left, abs=e.jump_error + 1e-13)
        assert abs(e.jump) > 100 * e.jump_error
        assert e.value == (left + right) / 2  # a central difference is the mean of both


def test_the_jump_of_a_bent_kink_is_told_from_the_bend():
    *_, e = islice(estimates(lambda t: abs(math.sin(t)) + 50 * t**2, 0.0, 0.125), 8)
    assert e.jump == pytest.approx(2, abs=1e-3)
    assert abs(e.jump - 2) <= e.jump_error < 0.01


def test_outside_the_domain_the_error_is_not_finite():
    with np.errstate(invalid="ignore"):
        found = list(islice(estimates(np.sqrt, 0.1, 0.5), 10))
    # The steps 0.5, 0.25 and 0.125 leave the domain; an estimate is made with three.
    assert [math.isfinite(e.error) for e in found] == [False] * 3 + [True] * 7
    assert all(abs(e.value - 0.5 / math.sqrt(0.1)) < e.error for e in found[3:])


def test_beside_a_pole_the_error_is_not_finite():
    with np.errstate(divide="ignore"):
        first = next(estimates(lambda t: 1 / t, 1.0, 1.0))
    assert not math.isfinite(first.error)


@pytest.mark.parametrize("dtype", FLOATS)
def test_estimates_end_when_the_step_is_lost(dtype):
    f, arguments = recording(lambda t: t)
    found = list(estimates(f, dtype(1), dtype(0.25)))
    bits = 52 if dtype == np.float64 else 23
    # The steps 2**-2 ... 2**-bits change 1; every estimate but the first adds one of them.
    assert len(found) == (bits - 1) - 2
    assert all(float(t) != 1 for t in arguments[1:])
    assert min(float(t) - 1 for t in arguments if t > 1) == 2.0**-bits


def test_a_step_that_is_lost_at_once_gives_no_estimate():
    assert list(estimates(np.exp, 1.0, 1e-20)) == []


@pytest.mark.parametrize(
    ("x", "h"), [(1.0, 0.0), (1.0, -0.5), (1.0, math.nan), (np.array([1.0, 2.0]), 0.5)]
)
def test_estimates_refuse_a_step_that_is_none_and_a_point_that_is_many(x, h):
    with pytest.raises(ValueError, match="expected a single number and a step above 0"):
        next(estimates(np.exp, x, h))


@pytest.mark.parametrize(("known", "first"), [(None, 7), (math.e, 6)])
def test_the_first_estimate_costs_seven_evaluations_and_every_other_two(known, first):
    f, arguments = recording(math.exp)
    costs = []
    for _ in islice(estimates(f, 1.0, 0.5, f_x=known), 4):
        costs.append(len(arguments))
    assert costs == [first, first + 2, first + 4, first + 6]
    assert len(set(arguments)) == len(arguments)


def test_rounding_and_noise_of_a_constant_by_hand():
    u = 2.0**-53
    first, second = islice(estimates(lambda t: -8.0, 1.0, 0.25), 2)
    # 2 u (8 + 8) over the smallest step, 1/16; over half of it next time
    assert (first.value, first.error, first.rounding) == (0, 512 * u, 512 * u)
    assert (second.value, second.error, second.rounding) == (0, 1024 * u, 1024 * u)
    rough = next(estimates(lambda t: -8.0, 1.0, 0.25, roundoff=2.0**-24))
    assert rough.error == 512 * 2.0**-24
    single = next(estimates(lambda t: -8.0, np.float32(1), np.float32(0.25)))
    assert single.error == 512 * 2.0**-24
    noisy = next(estimates(lambda t: -8.0, 1.0, 0.25, noise=2.0**-10))
    assert noisy.error == noisy.rounding == 2.0**-6
    quiet = next(estimates(lambda t: -8.0, 1.0, 0.25, noise=2.0**-60))  # less than the rounding
    assert quiet.error == 512 * u


def test_estimates_of_a_polynomial_by_hand():
    # f = t**5 + 3 t**2 at 0. D(h) = h**4: R1 = (4/16 - 1)/3 h**4 = -h**4/4, R2 = R1/16.
    # gap(h) = 6 h: both extrapolations of the jump are 0. Curvature is the gap over the step.
    e = next(estimates(lambda t: t**5 + 3 * t**2, 0.0, 1.0, roundoff=0.0))
    assert e.value == -1 / 64
    assert e.error == 1 / 4 - 1 / 64
    assert e.step == 1.0
    assert e.curvature == 6.0
    assert (e.jump, e.jump_error) == (0.0, 0.0)


def test_steps_halve():
    assert [e.step for e in islice(estimates(math.sin, 0.0, 0.5), 3)] == [0.5, 0.25, 0.125]


def test_agreement_by_chance_is_not_believed_where_the_step_before_disagreed():
    # For f = t**5 + c t**7 at 0, R(h) = -h**4 / 4 - 5/16 c h**6. This c makes R(1/2) = R(1/4).
    c = float(-Fraction(15, 1024) / (Fraction(5, 16) * Fraction(63, 4096)))
    _, second = islice(estimates(lambda t: t**5 + c * t**7, 0.0, 1.0, roundoff=0.0), 2)
    assert 5e-4 < abs(second.value) < second.error


# Noise


def test_noise_is_found_to_within_a_factor_of_three():
    ratios = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        sigma = 10 ** rng.uniform(-12, -2)

        def f(t, sigma=sigma, rng=rng):
            return math.sin(t) + sigma * rng.standard_normal()

        ratios.append(noise_level(f, 2.0**-18) / sigma)
    assert max(ratios) < 3
    assert np.mean(np.array(ratios) > 1 / 3) > 0.9  # nine values: by chance it is sometimes less
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("f", [math.exp, math.sin, math.cos, lambda t: 1 / (1 + t), lambda t: 7.0])
def test_a_smooth_function_has_no_noise_but_its_rounding(f):
    assert noise_level(f, 2.0**-14) < 2.0**-52


def test_noise_of_float32_is_seen_through_float64():
    def f(t):
        return float(np.float32(math.exp(t)))

    u = 2.0**-24
    assert u / 10 < noise_level(f, 2.0**-10) < u


@pytest.mark.parametrize("decimals", [4, 5, 6, 7])
def test_the_noise_of_a_coarse_function_is_seen_from_points_where_its_values_are_all_the_same(decimals):
    measured = noise_level(lambda t: round(math.sin(0.3 + t), decimals), 2.0**-41)
    planted = 10.0**-decimals / math.sqrt(12)  # the standard deviation of a rounding
    assert planted / 3 < measured < 3 * planted


def test_the_fourth_differences_of_a_quartic_are_known():
    f, arguments = recording(lambda t: t**4)
    # All fourth differences of t**4 with step h are 24 h**4.
    h = 2.0**-9
    assert noise_level(f, h) == pytest.approx(24 * h**4 / math.sqrt(70), rel=1e-12)
    assert arguments == [k / 512 for k in range(9)]


def test_the_complex_step_has_no_default_step():
    with pytest.raises(ValueError, match="expected forward, central or richardson"):
        default_step(complex_step, 1.0)
