"""The test problems: values worked by hand and recorded elsewhere, exact gradients, known minima."""

import math
from dataclasses import replace

import numpy as np
import pytest
from support import unchanged

from optimlib import SGD, check_gradient
from optimlib.lab import datasets, functions
from optimlib.lab.functions import (
    Problem,
    beale,
    logistic_regression,
    noisy_quadratic,
    quadratic,
    random_rotation,
    rosenbrock,
    saddle,
)

TURN = np.array([[0.6, -0.8], [0.8, 0.6]])  # the angle of the triangle with sides 3, 4, 5

EVERY = [
    quadratic([1.0, 100.0]),
    quadratic([4.0, 0.5, 2.0], random_rotation(3, np.random.default_rng(1))),
    noisy_quadratic([1.0, 3.0], TURN, spread=2.0, batch=5),
    rosenbrock(),
    rosenbrock(5),
    beale(),
    saddle(),
    logistic_regression(),
    logistic_regression(classes=(1, 0), penalty=1e-4, batch=3),
]
every = pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.name)
noisy = pytest.mark.parametrize(
    "problem", [p for p in EVERY if p.noisy_gradient is not None], ids=lambda problem: problem.name
)


def points(problem: Problem) -> list[np.ndarray]:
    """The start, the minimizers, and places around them."""
    rng = np.random.default_rng(0)
    known = [problem.start, *problem.minimizers]
    return known + [point + 0.5 * rng.standard_normal(point.shape) for point in known]


# What holds for all of them


def test_every_function_that_makes_a_problem_is_here():
    made = {
        name
        for name, function in vars(functions).items()
        if getattr(function, "__annotations__", {}).get("return") == "Problem"
    }
    makers = (quadratic, noisy_quadratic, rosenbrock, beale, saddle, logistic_regression)
    assert made == {maker.__name__ for maker in makers}
    assert len({problem.name for problem in EVERY}) == len(EVERY)


@every
def test_the_gradient_is_that_of_the_loss(problem):
    for theta in points(problem):
        report = check_gradient(problem.value, problem.gradient, theta.copy())
        assert {probe.verdict for probe in report.probes} == {"pass"}, report
        at_a_minimum = any(np.array_equal(theta, minimizer) for minimizer in problem.minimizers)
        if not at_a_minimum:  # where all slopes are zero, so that twice the gradient would be right, too
            report.raise_unless_accepted()


@every
def test_a_gradient_that_is_slightly_wrong_is_not(problem):
    """The check above could fail: one coordinate is off by a thousandth."""
    theta = points(problem)[-1]

    def wrong(theta):
        g = problem.gradient(theta)
        g[np.abs(g).argmax()] *= 1.001
        return g

    assert check_gradient(problem.value, wrong, theta).verdict == "fail"


def test_the_check_sees_an_error_that_beale_s_function_invites():
    """The third residual's slope along x, taken with a square where a cube belongs."""

    def wrong(theta):
        x, y = theta
        third = 2.625 - x * (1 - y**3)
        return beale().gradient(theta) + np.array([2 * third * (y**2 - y**3), 0.0])

    assert check_gradient(beale().value, wrong, np.array([2.0, -0.5])).verdict == "fail"


@every
def test_the_minimizers_are_minimizers(problem):
    rng = np.random.default_rng(0)
    assert problem.minimizers
    for minimizer in problem.minimizers:
        assert np.abs(problem.gradient(minimizer)).max() < 1e-13
        assert problem.value(minimizer) == pytest.approx(problem.minimum, rel=1e-14, abs=1e-30)
        for length in (1e-3, 1e-1, 1.0):
            for direction in rng.standard_normal((20, minimizer.size)):
                step = length * direction / np.linalg.norm(direction)
                assert problem.value(minimizer + step) > problem.minimum


@every
def test_the_start_is_no_minimum_and_cannot_be_moved_by_accident(problem):
    assert problem.value(problem.start) > problem.minimum
    assert problem.distance(problem.start) > 0.9
    with pytest.raises(ValueError, match="read-only"):
        SGD(problem.start, learning_rate=0.1)
    for point in (problem.start, *problem.minimizers):
        with pytest.raises(ValueError, match="read-only"):
            point[0] = 0.0


@every
def test_results_are_new_and_arguments_are_left_alone(problem):
    theta = problem.start.copy()
    with unchanged(theta):
        first, second = problem.gradient(theta), problem.gradient(theta)
        assert type(problem.value(theta)) is float
        assert type(problem.distance(theta)) is float
    assert first.dtype == np.float64
    assert first.shape == theta.shape
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, theta)


@every
def test_what_is_no_point_is_refused(problem):
    wrong_shape = np.zeros((problem.start.size, 1))
    for function in (problem.value, problem.gradient, problem.distance):
        with pytest.raises(ValueError, match=rf"theta has shape .* expects \({problem.start.size},\)"):
            function(wrong_shape)
        with pytest.raises(TypeError, match=r"theta has dtype int64; .* expects float64"):
            function(np.zeros(problem.start.shape, dtype=np.int64))
        with pytest.raises(TypeError, match="theta has dtype float32"):
            function(problem.start.astype(np.float32))


def test_the_distance_is_that_to_the_nearest_minimizer():
    assert saddle().distance(np.array([3.0, 5.0])) == 5.0  # 3 and 5 - 1
    assert saddle().distance(np.array([3.0, -5.0])) == 5.0
    assert beale().distance(np.array([0.0, 4.5])) == 5.0


def test_a_problem_of_ones_own_keeps_its_hands_off_the_arrays_that_it_is_given():
    start = np.array([1, 2])
    square = Problem("mine", lambda x: x @ x, lambda x: 2 * x, start, (np.zeros(2),), 0.0)
    start[:] = 7
    assert square.start.tolist() == [1.0, 2.0]
    assert square.noisy_gradient is None
    assert "0x" not in repr(square)  # an address would differ from run to run


# Quadratics


def test_a_quadratic_by_hand():
    """At (2, 1) along the axes: (3 * 4 + 10 * 1) / 2."""
    problem = quadratic([3.0, 10.0])
    theta = np.array([2.0, 1.0])
    assert problem.value(theta) == 11.0
    assert problem.gradient(theta).tolist() == [6.0, 10.0]
    assert problem.start.tolist() == [1.0, 1.0]


def test_a_turned_quadratic_by_hand():
    """A is [[0.36 + 6.4, 0.48 - 4.8], [., 0.64 + 3.6]] for the curvatures 1 and 10."""
    problem = quadratic([1.0, 10.0], TURN)
    A = np.array([[6.76, -4.32], [-4.32, 4.24]])
    for theta in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([-2.0, 3.0])):
        np.testing.assert_allclose(problem.gradient(theta), A @ theta, rtol=1e-14)
        assert problem.value(theta) == pytest.approx(theta @ A @ theta / 2, rel=1e-14)
    np.testing.assert_allclose(problem.start, [-0.2, 1.4], rtol=1e-14)


def test_every_axis_has_the_same_way_to_go_however_it_is_turned():
    Q = random_rotation(4, np.random.default_rng(3))
    straight, turned = quadratic([1, 2, 3, 4]), quadratic([1, 2, 3, 4], Q)
    np.testing.assert_allclose(Q.T @ turned.start, straight.start, rtol=1e-14)
    assert turned.value(turned.start) == pytest.approx(5.0)  # (1 + 2 + 3 + 4) / 2
    assert turned.name == "quadratic, condition 4, turned"


@pytest.mark.parametrize(
    ("eigenvalues", "error", "message"),
    [
        ([1.0, 0.0], ValueError, "expected finite numbers above 0"),
        ([1.0, -2.0], ValueError, "expected finite numbers above 0"),
        ([1.0, np.inf], ValueError, "expected finite numbers above 0"),
        ([np.nan], ValueError, "expected finite numbers above 0"),
        ([], ValueError, r"shape \(0,\)"),
        (2.0, ValueError, r"shape \(\); expected \(n,\)"),
        (np.eye(2), ValueError, r"shape \(2, 2\)"),
        (["a"], TypeError, "expected numbers"),
        ([1 + 2j], TypeError, "expected numbers"),
    ],
)
def test_curvatures_of_no_bowl_are_refused(eigenvalues, error, message):
    for make in (quadratic, noisy_quadratic):
        with pytest.raises(error, match=message):
            make(eigenvalues)


@pytest.mark.parametrize(
    ("rotation", "error", "message"),
    [
        (np.eye(3), ValueError, r"rotation has shape \(3, 3\); expected \(2, 2\)"),
        (np.array([[1.0, 1.0], [0.0, 1.0]]), ValueError, "not orthogonal .* 1.0e[+]00 off"),
        (2 * np.eye(2), ValueError, "not orthogonal"),
        (np.full((2, 2), np.nan), ValueError, "not orthogonal"),
        (1j * np.eye(2), TypeError, "rotation has dtype complex128"),
    ],
)
def test_what_is_no_rotation_is_refused(rotation, error, message):
    with pytest.raises(error, match=message):
        quadratic([1.0, 2.0], rotation)


@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_random_rotations_are_rotations(dimension):
    rng = np.random.default_rng(dimension)
    for _ in range(20):
        Q = random_rotation(dimension, rng)
        np.testing.assert_allclose(Q.T @ Q, np.eye(dimension), atol=1e-14)
        assert np.linalg.det(Q) == pytest.approx(1.0)


def test_every_rotation_is_as_likely_as_any_other():
    """In the plane the angle is uniform; without the signs it would keep to one half of the circle."""
    rng = np.random.default_rng(0)
    rotations = [random_rotation(2, rng) for _ in range(2000)]
    angles = np.array([math.atan2(Q[1, 0], Q[0, 0]) for Q in rotations])
    counts, _ = np.histogram(angles, bins=8, range=(-math.pi, math.pi))
    assert np.abs(counts - 250).max() < 5 * math.sqrt(250 * 7 / 8)
    with pytest.raises(ValueError, match="dimension is 0; expected a whole number from 1 on"):
        random_rotation(0, rng)


# Functions with names


@pytest.mark.parametrize(
    ("x", "value", "gradient"),
    [  # scipy.optimize.rosen and rosen_der
        ([-1.2, 1.0], 24.2, [-215.6, -88.0]),
        ([0.5, -0.75], 100.25, [199.0, -200.0]),
        ([1.5, 2.0, -0.5], 2032.5, [151.0, 3552.0, -900.0]),
        ([0.25, -1.0, 1.5, 0.5, 2.0], 755.453125, [104.75, -16.5, 1151.0, -701.0, 350.0]),
    ],
)
def test_rosenbrock_as_scipy_has_it(x, value, gradient):
    problem = rosenbrock(len(x))
    assert problem.value(np.array(x)) == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(problem.gradient(np.array(x)), gradient, rtol=1e-14)


def test_rosenbrock_starts_where_everybody_does():
    assert rosenbrock().start.tolist() == [-1.2, 1.0]
    assert rosenbrock(3).start.tolist() == [-1.2, 1.0, -1.2]


def curvatures(problem: Problem, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The eigenvalues of the second derivatives, as differences of the gradient."""
    steps = h * np.eye(len(x))
    H = [(problem.gradient(x + step) - problem.gradient(x - step)) / (2 * h) for step in steps]
    return np.linalg.eigvalsh(np.array(H))


def test_rosenbrock_s_floor_is_as_level_as_the_docstring_says():
    """H = [[802, -400], [-400, 200]]: the eigenvalues have the sum 1002 and the product 400."""
    along, across = curvatures(rosenbrock(), np.ones(2))
    assert across + along == pytest.approx(1002, rel=1e-6)
    assert across * along == pytest.approx(400, rel=1e-4)
    assert across / along == pytest.approx(2500, rel=0.01)


@pytest.mark.parametrize(
    "x",
    [
        [-0.7756592265653525, 0.6130933654850432, 0.3820628463383929, 0.1459720185521944],
        [
            -0.9865749795709937,
            0.9833982288361818,
            0.9721066700530919,
            0.947437436826436,
            0.8986511848517296,
            0.8075739520354175,
        ],
    ],
)
def test_rosenbrock_has_a_second_minimum_from_four_dimensions_on(x):
    problem, x = rosenbrock(len(x)), np.array(x)
    assert np.abs(problem.gradient(x)).max() < 1e-11
    assert curvatures(problem, x).min() > 0.1
    assert problem.value(x) > 3


@pytest.mark.parametrize("dimension", [1, 0, 2.0, True])
def test_rosenbrock_needs_two_coordinates(dimension):
    with pytest.raises(ValueError, match=r"dimension is .*; expected a whole number from 2 on"):
        rosenbrock(dimension)


def test_beale_by_hand():
    """At (2, 1/2) the residuals are 1/2, 3/4 and 7/8; at the start they are c itself."""
    theta = np.array([2.0, 0.5])
    assert beale().value(theta) == 101 / 64
    # -2 (1/2 * 1/2 + 3/4 * 3/4 + 7/8 * 7/8) and 4 (1/2 + 3/4 * 1 + 7/8 * 3/4)
    assert beale().gradient(theta).tolist() == [-101 / 32, 61 / 8]
    assert beale().start.tolist() == [1.0, 1.0]
    assert beale().minimizers[0].tolist() == [3.0, 0.5]
    assert beale().minimum == beale().value(np.array([3.0, 0.5])) == 0.0


def test_the_saddle_by_hand():
    problem = saddle()
    assert problem.value(np.array([2.0, 2.0])) == 4.0  # 2 - 2 + 4
    assert problem.gradient(np.array([2.0, 2.0])).tolist() == [2.0, 6.0]
    assert [minimizer.tolist() for minimizer in problem.minimizers] == [[0.0, 1.0], [0.0, -1.0]]
    assert problem.minimum == -0.25


def test_at_the_saddle_itself_there_is_no_gradient_and_yet_a_way_down():
    problem = saddle()
    assert not problem.gradient(np.zeros(2)).any()
    np.testing.assert_allclose(curvatures(problem, np.zeros(2)), [-1, 1], rtol=1e-6)
    along_x, along_y = problem.gradient(problem.start)
    assert abs(along_y / along_x) == pytest.approx(1e-3, rel=1e-5)


# Noise


class Fixed(np.random.Generator):
    """Random numbers that are chosen: `numbers`, whatever is asked for."""

    def __init__(self, numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = np.asarray(numbers)

    def standard_normal(self, size):
        return np.broadcast_to(self.numbers, size)

    def integers(self, high, size):
        assert self.numbers.max() < high
        return np.broadcast_to(self.numbers, size)


@noisy
def test_noise_is_reproducible_and_needs_a_generator(problem):
    draws = [problem.noisy_gradient(problem.start, np.random.default_rng(s)) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    with pytest.raises(TypeError, match=r"rng is 0; expected a numpy.random.Generator"):
        problem.noisy_gradient(problem.start, 0)
    with pytest.raises(ValueError, match="theta has shape"):
        problem.noisy_gradient(np.zeros(1), np.random.default_rng(0))


@noisy
def test_noise_averages_out(problem):
    """The mean of 1,000 is within five of its standard errors, in every coordinate."""
    rng, theta = np.random.default_rng(0), points(problem)[-1]
    draws = np.array([problem.noisy_gradient(theta, rng) for _ in range(1000)])
    error = draws.mean(axis=0) - problem.gradient(theta)
    assert (np.abs(error) <= 5 * draws.std(axis=0) / math.sqrt(1000) + 1e-14).all()
    assert draws.std(axis=0).max() > 1e-3


def test_the_noise_of_the_quadratic_has_the_stated_covariance():
    """A minibatch of one and a unit vector for its noise give the columns of a root of it."""
    problem = noisy_quadratic([1.0, 10.0], TURN, spread=3.0)
    theta = np.array([-2.0, 3.0])
    exact = problem.gradient(theta)
    root = np.array([problem.noisy_gradient(theta, Fixed(unit)) - exact for unit in np.eye(2)])
    A = np.array([[6.76, -4.32], [-4.32, 4.24]])  # as by hand above
    np.testing.assert_allclose(root.T @ root, 9 * A @ A, rtol=1e-13)


def test_a_larger_batch_divides_the_variance():
    """16 examples drawn as (4, 4), beside one example that is their mean."""
    numbers = np.random.default_rng(0).standard_normal((16, 2))
    theta = np.zeros(2)
    many = noisy_quadratic([1.0, 10.0], batch=16).noisy_gradient(theta, Fixed(numbers))
    mean = noisy_quadratic([1.0, 10.0]).noisy_gradient(theta, Fixed(numbers.mean(axis=0)))
    np.testing.assert_allclose(many, mean, rtol=1e-13)
    rng = np.random.default_rng(1)
    problem = noisy_quadratic([1.0, 10.0], spread=2.0, batch=16)
    draws = np.array([problem.noisy_gradient(theta, rng) for _ in range(4000)])
    np.testing.assert_allclose(draws.std(axis=0), [0.5, 5.0], rtol=0.05)


def test_the_noisy_loss_is_the_expectation_of_the_examples_losses():
    """Over the four points (+-s, 0), (0, +-s) times root 2, whose covariance is s^2 times 1."""
    s, A = 3.0, np.array([[6.76, -4.32], [-4.32, 4.24]])
    problem = noisy_quadratic([1.0, 10.0], TURN, spread=s)
    theta = np.array([-2.0, 3.0])
    centers = math.sqrt(2) * s * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    losses = [(theta - c) @ A @ (theta - c) / 2 for c in centers]
    assert problem.value(theta) == pytest.approx(np.mean(losses), rel=1e-13)
    assert problem.minimum == pytest.approx(4.5 * 11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spread": 0.0}, "spread is 0.0; expected more than 0"),
        ({"spread": -1.0}, "spread is -1.0"),
        ({"batch": 0}, "batch is 0; expected a whole number from 1 on"),
        ({"batch": 1.5}, "batch is 1.5"),
    ],
)
def test_noise_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        noisy_quadratic([1.0], **options)


# Real data


@pytest.mark.parametrize(
    ("options", "minimum", "length", "numbers"),
    [  # scikit-learn 1.9.1, LogisticRegression(C=1 / (n * penalty), fit_intercept=False,
        # solver="newton-cholesky", tol=1e-13) on the same columns
        (
            {},
            0.17559409467185177,
            3.862667009492062,
            [-0.7289852153195132, 0.2851583215292477, -0.16082372001288564],
        ),
        (
            {"classes": (0, 1), "penalty": 1e-4},
            0.0038245049146268806,
            7.432884220441731,
            [2.6883611813038715, 2.0878432529137907, 0.5107928489009781],
        ),
    ],
)
def test_the_minimum_is_that_of_scikit_learn(options, minimum, length, numbers):
    problem = logistic_regression(**options)
    (minimizer,) = problem.minimizers
    assert problem.minimum == pytest.approx(minimum, rel=1e-12)
    assert np.linalg.norm(minimizer) == pytest.approx(length, rel=1e-8)
    np.testing.assert_allclose(minimizer[[20, 36, 64]], numbers, rtol=1e-6)


@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-4, 1e-6, 1e-8])
def test_the_minimizer_comes_with_a_proof(penalty):
    """The penalty bends the loss up by at least its strength, so no minimizer is farther than this."""
    problem = logistic_regression(penalty=penalty)
    (minimizer,) = problem.minimizers
    assert np.linalg.norm(problem.gradient(minimizer)) / penalty < 1e-5 * np.linalg.norm(minimizer)


def test_the_examples_are_the_two_digits():
    """At 0 the gradient is the mean of (1/2 - y) x: the bias is half the surplus of the first class."""
    g = logistic_regression((3, 8)).gradient(np.zeros(65))
    assert g[-1] == pytest.approx((183 - 174) / 2 / (183 + 174), rel=1e-12)
    np.testing.assert_allclose(logistic_regression((8, 3)).gradient(np.zeros(65)), -g, atol=1e-15)


def test_the_minimizer_tells_the_digits_apart():
    problem = logistic_regression(classes=(0, 1), penalty=1e-4)
    images, labels = datasets.digits()
    z = images @ problem.minimizers[0][:-1] + problem.minimizers[0][-1]
    assert (z[labels == 0] < 0).all()
    assert (z[labels == 1] > 0).all()


def test_every_example_is_drawn_alike():
    """With one example a minibatch, the mean over all of them is the exact gradient."""
    problem = logistic_regression(batch=1)
    theta = points(problem)[-1]
    each = [problem.noisy_gradient(theta, Fixed(number)) for number in range(357)]
    np.testing.assert_allclose(np.mean(each, axis=0), problem.gradient(theta), atol=1e-14)
    assert {Recording.asked(batch) for batch in (1, 7)} == {(357, 1), (357, 7)}


class Recording(np.random.Generator):
    """Remembers which integers it was asked for."""

    def integers(self, high, size):
        self.request = high, size
        return super().integers(high, size=size)

    @classmethod
    def asked(cls, batch):
        rng = cls(np.random.PCG64(0))
        problem = logistic_regression(batch=batch)
        problem.noisy_gradient(problem.start, rng)
        return rng.request


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": (3, 3)}, r"classes is \(3, 3\); expected two different digits"),
        ({"classes": (3,)}, "expected two different digits"),
        ({"classes": (1, 2, 3)}, "expected two different digits"),
        ({"classes": (3, 10)}, "expected digits from 0 to 9"),
        ({"classes": (-1, 3)}, "a digit in classes is -1"),
        ({"classes": (3, 8.0)}, "a digit in classes is 8.0"),
        ({"penalty": 0.0}, "penalty is 0.0; expected 1e-08 <= penalty"),
        ({"penalty": np.inf}, "penalty is inf"),
        ({"batch": 0}, "batch is 0; expected a whole number from 1 on"),
    ],
)
def test_impossible_regressions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        logistic_regression(**options)


# Problems of one's own


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"value": None}, TypeError, "value is None; expected a function"),
        ({"gradient": 2.0}, TypeError, "gradient is 2.0; expected a function"),
        ({"noisy_gradient": "no"}, TypeError, "noisy_gradient is 'no'; expected a function"),
        ({"minimizers": (np.ones(3),)}, ValueError, r"minimizers has a point of shape \(3,\); exp"),
        (
            {"start": np.ones((2, 1))},
            ValueError,
            r"minimizers has a point of shape \(2,\); expec",
        ),
    ],
    ids=str,
)
def test_a_problem_that_is_none_is_refused(change, error, message):
    with pytest.raises(error, match=f"^{message}"):
        replace(beale(), **change)


@pytest.mark.parametrize("rng", [0, None, np.random], ids=str)
def test_a_rotation_needs_a_generator(rng):
    with pytest.raises(TypeError, match=r"^rng is .*; expected a numpy.random.Generator"):
        random_rotation(2, rng)


@pytest.mark.parametrize("classes", [{3, 8}, "38", None, 3], ids=str)
def test_classes_without_an_order_are_refused(classes):
    with pytest.raises(TypeError, match=r"^classes is .*; expected two different digits"):
        logistic_regression(classes)
