"""0 / 0 is no step: coordinates that have had no gradient, without epsilon."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import optimizers
from optimlib.lab.functions import logistic_regression
from optimlib.optimizers.division import nonzero

WITHOUT = [
    "RMSProp",
    "RMSPropRateInside",
    "RMSPropTF",
    "AMSGrad",
    "Adamax",
    "AdamaxEpsInside",
    "RAdam",
    "RAdamEpsHat",
]
"""The classes whose epsilon may be 0."""


@pytest.mark.parametrize("name", ["RMSProp", "AMSGrad", "Adamax", "RAdam"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_papers_on_digits_with_blank_pixels(name, dtype):
    problem = logistic_regression()
    theta = problem.start.astype(dtype)
    blank = problem.gradient(problem.start) == 0
    rng = np.random.default_rng(0)
    theta[blank] = rng.standard_normal(blank.sum())  # which no penalty pulls
    gradient = problem.gradient(problem.start).astype(dtype)
    before = theta.copy()
    optimizer = getattr(optimizers, name).like("paper", theta, learning_rate=0.01)
    for _ in range(20):
        optimizer.step(gradient)
    assert blank.any()
    np.testing.assert_array_equal(theta[blank], before[blank])
    assert np.isfinite(theta).all()
    assert (theta[~blank] != before[~blank]).all()


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_coordinate_waits_and_then_moves_as_its_neighbour_did(name, compiled):
    """Three coordinates: one moves at once, one later, one never; the first as if it were alone."""
    if compiled:
        pytest.importorskip("numba")
    gradients = np.zeros((12, 3))
    gradients[:, 0] = np.linspace(1, 2, 12)
    gradients[6:, 1] = 0.5
    steps = steps_taken(
        getattr(optimizers, name), gradients, learning_rate=0.1, eps=0.0, compiled=compiled
    )
    assert (steps[:, 2] == 0).all()
    assert (steps[:6, 1] == 0).all()
    assert (steps[6:, 1] > 0).all()
    alone = steps_taken(getattr(optimizers, name), gradients[:, :1], learning_rate=0.1, eps=0.0)
    np.testing.assert_array_equal(steps[:, :1], alone)


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize(("dtype", "tiny"), [(np.float64, 1e-170), (np.float32, 1e-25)])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gradient_whose_square_is_nothing_takes_no_step_to_speak_of(name, dtype, tiny, compiled):
    """At most one as long as the learning rate times a gradient of usual size would be."""
    if compiled:
        pytest.importorskip("numba")
    theta = np.zeros(1, dtype)
    optimizer = getattr(optimizers, name)(theta, learning_rate=0.1, eps=0.0, compiled=compiled)
    for _ in range(8):
        optimizer.step(np.full(1, tiny, dtype))
    assert abs(theta[0]) < 8 * 0.2


@pytest.mark.parametrize("numbers", [np.float64, np.float32])
def test_nonzero_keeps_the_bits_of_all_that_is_not_zero(numbers):
    least = float(np.finfo(numbers).smallest_subnormal)
    sizes = np.array([0.0, -0.0, least, 1e-39, 2e-38, 1.0, 1e38, np.inf], numbers)
    found = nonzero(sizes)
    assert found.dtype == sizes.dtype
    assert found[:2].tolist() == [1, 1]
    assert found[2:].tobytes() == sizes[2:].tobytes()
    assert np.isnan(nonzero(np.array([np.nan], numbers)))


def test_of_float32_nonzero_keeps_the_bits_of_every_root():
    squares = np.float32([0, 1e-45, 3e-39, 2, 3e38])
    roots = np.sqrt(squares)
    found = nonzero(roots)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[1:], roots[1:])
    assert 0 / found[0] == 0


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Nadam", "AdaGrad"])
@pytest.mark.parametrize("gradient", [[1.0, 0.0], [0.0, 0.0], [0.0, -2.0]])
def test_where_0_over_0_is_refused_no_warning_comes_first(name, gradient):
    """A warning is an error in these tests: it would come in the place of ours."""
    theta, lost = np.ones(2), gradient.index(0)
    optimizer = getattr(optimizers, name)(theta, 0.1, eps=0.0)
    message = rf"^{name}.rule made params\[{lost}\] nan in step 1 \(nothing has changed\); expected"
    with pytest.raises(FloatingPointError, match=message):
        optimizer.step(np.array(gradient))
    assert theta.tolist() == [1, 1]
    assert optimizer.t == 0


@pytest.mark.parametrize(
    ("function", "value"),
    [(lambda g: 1 / g, "inf"), (lambda g: np.exp(1e4 - g), "inf"), (lambda g: np.log(g - 1), "nan")],
    ids=["divided", "overflown", "invalid"],
)
def test_nor_for_a_rule_of_ones_own(function, value):
    class Ours(optimizers.Optimizer):
        def rule(self, g):
            return function(g), ()

    with pytest.raises(FloatingPointError, match=rf"^Ours.rule made params\[0\] -?{value} in step 1"):
        Ours(np.ones(2), 1.0).step(np.zeros(2))
