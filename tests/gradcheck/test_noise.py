"""Errors of the values of a loss: measured on the spot, and told from kinks, poles and cusps."""

import math

import numpy as np
import pytest

from optimlib.gradcheck.noise import noise_close_by, roughness, roughness_afar


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-2])
def test_the_noise_of_random_errors_is_seen(size):
    """From three eighth differences a time: roughly, but hardly ever not at all."""
    levels = []
    for seed in range(200):
        rng = np.random.default_rng(seed)

        def noisy(t, rng=rng):
            return math.sin(t) + size * rng.standard_normal()

        levels.append(noise_close_by(noisy, 1e-3, noisy(0.0), sides=(1.0,)))
    assert size / 2 < np.median(levels) < size
    assert size / 20 < min(levels) < max(levels) < 4 * size


@pytest.mark.parametrize(
    "smooth",
    [
        math.exp,
        lambda t: math.sin(5 * t),
        abs,  # a kink at theta
        lambda t: max(t, 0.004),  # and one on its right
        lambda t: max(-t, 0.004),  # or its left
        lambda t: 1 / (1 + t),
    ],
)
def test_what_is_smooth_on_one_side_has_no_noise(smooth):
    assert noise_close_by(smooth, 1e-3, smooth(0.0)) < 1e-15


STAIRS = {
    "float32": lambda t: float(np.float32(1.1 + t)),
    "float16": lambda t: float(np.float16(1.1 + t)) + t**2,
    "two decimals": lambda t: round(1.1 + t, 2),
    "text": lambda t: math.sin(float(f"{1.1 + t:.3e}")),
    "table": lambda t: [1, 3, 2, 5, 4, 7, 9, 8][int(4 + 3.9 * t)],
    "a single jump": lambda t: math.exp(t) + 1e-6 * (t > 0.12345),
    "a jump and a kink": lambda t: abs(t - 0.2) + 1e-4 * (t > 1e-5),
}

CONTINUOUS = {
    "smooth": lambda t: math.exp(math.sin(3 * t)),
    "kink": lambda t: abs(t - 0.3) + t**2,
    "kink at theta": lambda t: max(t, 0.0),
    "a hundred kinks": lambda t: sum(abs(t - k / 37) for k in range(-50, 50)),
    "cusp": lambda t: math.sqrt(abs(t - 0.3)),
    "pole": lambda t: 1 / (t - 0.377),
    "two-fold pole": lambda t: 1 / (t + 0.61) ** 2,
    "tangent": lambda t: math.tan(2 * t + 0.2),
    "logarithm": lambda t: math.log(abs(t - 0.41)),
    "ripple": lambda t: t**2 + 1e-9 * math.sin(1e8 * t),
    "nothing": lambda t: 5.0,
}


@pytest.mark.parametrize("name", STAIRS)
def test_steps_in_a_graph_are_found(name):
    assert roughness(STAIRS[name], -1.0, 1.0, rounding=1e-16) > 0


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_graph_without_steps_has_no_roughness(name):
    assert roughness(CONTINUOUS[name], -1.0, 1.0, rounding=1e-15) == 0


@pytest.mark.parametrize("height", [1e-8, 1e-3, 10.0])
def test_roughness_is_of_the_size_of_the_steps(height):
    for shift in (0.1, 0.37, 0.71):
        found = roughness(lambda t, s=shift: height * round(20 * t + s), -1.0, 1.0, rounding=1e-18)
        assert height / 5 < found < 5 * height


@pytest.mark.parametrize("place", [0.3, -0.77, 0.1])
def test_a_solvers_low_jump_is_seen_from_afar(place):
    def stopped_early(t):
        return math.exp(t) + 1e-8 * (t > place)

    assert 1e-9 < roughness_afar(stopped_early, -1.0, 1.0, rounding=1e-16) < 1e-7


@pytest.mark.parametrize("name", CONTINUOUS)
def test_from_afar_a_graph_without_steps_has_no_roughness(name):
    assert roughness_afar(CONTINUOUS[name], -1.0, 1.0, rounding=1e-15) == 0


@pytest.mark.parametrize("width", [1e-3, 1e-6])
@pytest.mark.parametrize("place", [0.3, -0.77])
def test_a_steep_slope_is_no_step(width, place):
    assert roughness(lambda t: math.tanh((t - place) / width), -1.0, 1.0, rounding=1e-15) == 0


@pytest.mark.parametrize("off", [1e-3, 1e-8])
def test_a_jump_that_is_too_high_explains_nothing(off):
    def jump(t):
        return math.exp(t) + 1e-6 * (t > 0.3)

    found = roughness(jump, -1.0, 1.0, rounding=1e-16, off=off)
    assert (found > 1e-7) == (off == 1e-3)
