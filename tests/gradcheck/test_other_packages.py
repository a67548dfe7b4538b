"""Gradients that other people wrote, where their packages are installed."""

import warnings
from functools import partial

import numpy as np
import pytest

from optimlib import check_gradient

_rng = np.random.default_rng(0)
X = _rng.standard_normal((30, 4))
COUNTS = _rng.poisson(2.0, 30)
LABELS = _rng.integers(0, 2, 30)
CLASSES = _rng.integers(0, 3, 30)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def installed(name: str):
    """The module, whatever its import warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


def verdicts(loss, grad, theta) -> tuple[str, str]:
    """Of a gradient, and of the same with one number a thousandth too large."""

    def spoiled(theta):
        g = np.array(grad(theta))
        g[np.unravel_index(np.abs(g).argmax(), g.shape)] *= 1.001
        return g

    return check_gradient(loss, grad, theta).verdict, check_gradient(loss, spoiled, theta).verdict


# SciPy


@pytest.mark.parametrize("n", [2, 5, 120])
def test_rosenbrock_in_scipy(n):
    optimize = installed("scipy.optimize")
    x = np.random.default_rng(n).standard_normal(n)
    assert verdicts(optimize.rosen, optimize.rosen_der, x) == ("pass", "fail")
    assert check_gradient(optimize.rosen, optimize.rosen_der, np.ones(n)).verdict == "pass"


def test_the_hessian_of_rosenbrock_in_scipy(rng):
    """Its product with p is the gradient of the slope along p."""
    optimize = installed("scipy.optimize")
    x, p = rng.standard_normal((2, 6))
    answer = verdicts(lambda x: optimize.rosen_der(x) @ p, lambda x: optimize.rosen_hess_prod(x, p), x)
    assert answer == ("pass", "fail")


# scikit-learn


@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("HalfSquaredError", X @ np.arange(4.0)),
        ("HalfBinomialLoss", LABELS * 1.0),
        ("HalfPoissonLoss", COUNTS * 1.0),
        ("HalfGammaLoss", COUNTS + 0.5),
        ("HuberLoss", X @ np.arange(4.0)),
        ("PinballLoss", X @ np.arange(4.0)),
        ("AbsoluteError", X @ np.arange(4.0)),
    ],
)
def test_losses_in_scikit_learn(name, y, rng):
    module = installed("sklearn._loss.loss")
    loss = getattr(module, name)()
    raw = rng.standard_normal(30)

    def value(z):
        return loss.loss(y_true=y, raw_prediction=z.copy()).sum()

    def gradient(z):
        return loss.gradient(y_true=y, raw_prediction=z.copy())

    right, wrong = verdicts(value, gradient, raw)
    assert right in ("pass", "kink")
    assert wrong == "fail"


def test_multinomial_loss_in_scikit_learn(rng):
    module = installed("sklearn._loss.loss")
    loss = module.HalfMultinomialLoss(n_classes=3)
    raw = np.asfortranarray(rng.standard_normal((30, 3)))

    def value(z):
        return loss.loss(y_true=CLASSES * 1.0, raw_prediction=np.ascontiguousarray(z)).sum()

    def gradient(z):
        return loss.gradient(y_true=CLASSES * 1.0, raw_prediction=np.ascontiguousarray(z))

    assert verdicts(value, gradient, raw) == ("pass", "fail")


@pytest.mark.parametrize("penalty", [0.0, 2.5])
@pytest.mark.parametrize(
    ("name", "y"), [("HalfBinomialLoss", LABELS * 1.0), ("HalfPoissonLoss", COUNTS * 1.0)]
)
def test_linear_models_in_scikit_learn(name, y, penalty, rng):
    linear = installed("sklearn.linear_model._linear_loss")
    losses = installed("sklearn._loss.loss")
    model = linear.LinearModelLoss(base_loss=getattr(losses, name)(), fit_intercept=True)
    options = {"X": X, "y": y, "l2_reg_strength": penalty}
    w = 0.5 * rng.standard_normal(5)
    answer = verdicts(partial(model.loss, **options), partial(model.gradient, **options), w)
    assert answer == ("pass", "fail")


def marginal_likelihood(kernel):
    """The log-likelihood of a Gaussian process in the logarithms of the kernel's parameters."""
    process = installed("sklearn.gaussian_process").GaussianProcessRegressor(kernel, optimizer=None)
    process.fit(X[:12], np.sin(X[:12, 0]))

    def gradient(theta):
        return process.log_marginal_likelihood(theta, eval_gradient=True)[1]

    return process.log_marginal_likelihood, gradient, process.kernel_.theta


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RBF", {"length_scale": [1.0, 2.0, 0.5, 1.0]}),
        ("Matern", {"nu": 0.5}),
        ("Matern", {"nu": 1.5}),
        ("Matern", {"nu": 2.5}),
        ("RationalQuadratic", {"alpha": 0.7}),
        ("DotProduct", {"sigma_0": 0.5}),
    ],
)
def test_gaussian_processes_in_scikit_learn(name, options):
    kernels = installed("sklearn.gaussian_process.kernels")
    kernel = getattr(kernels, name)(**options) + kernels.WhiteKernel(0.1)
    assert verdicts(*marginal_likelihood(kernel)) == ("pass", "fail")


@pytest.mark.parametrize(
    ("name", "options"), [("Matern", {"nu": 0.8}), ("PairwiseKernel", {"gamma": 0.7})]
)
def test_a_gradient_that_is_itself_a_forward_difference_is_found_out(name, options):
    """Between the half-integers, Matern's gradient is a difference; so is PairwiseKernel's."""
    kernels = installed("sklearn.gaussian_process.kernels")
    if name == "PairwiseKernel":
        options = options | {"metric": "rbf"}
    kernel = getattr(kernels, name)(**options) + kernels.WhiteKernel(0.1)
    report = check_gradient(*marginal_likelihood(kernel))
    assert report.verdict == "fail"
    first = report.worst(1)[0]
    assert 1e-9 < abs(first.analytic / first.numeric - 1) < 1e-3


# statsmodels: log-likelihoods and their scores


@pytest.mark.parametrize(("name", "y"), [("Logit", LABELS), ("Probit", LABELS), ("Poisson", COUNTS)])
def test_scores_in_statsmodels(name, y, rng):
    discrete = installed("statsmodels.discrete.discrete_model")
    model = getattr(discrete, name)(y, X)
    assert verdicts(model.loglike, model.score, 0.3 * rng.standard_normal(4)) == ("pass", "fail")
