r"""Losses to try an optimizer on, with exact gradients and known minima (all chapters).

Every function here returns a `Problem`. Each is there for one difficulty: a curvature that differs
from direction to direction (`quadratic`), a curved valley (`rosenbrock`), plains beside a steep wall
(`beale`), a point where the gradient vanishes without being a minimum (`saddle`), gradients that are
only right on average (`noisy_quadratic`), and real data (`logistic_regression`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps

import numpy as np

from optimlib.arguments import hyperparameter, positive, whole_number
from optimlib.lab.datasets import digits
from optimlib.nn.layers import sigmoid
from optimlib.nn.losses import logistic

Value = Callable[[np.ndarray], float]
"""The loss at a point."""

Gradient = Callable[[np.ndarray], np.ndarray]
"""The gradient at a point."""

NoisyGradient = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""An estimate of the gradient at a point, from random examples."""


@dataclass(frozen=True, eq=False)
class Problem:
    r"""A loss :math:`L(\theta)` with its gradient, a place to start from and the place to find.

    Its functions take :math:`\theta` as an array of float64 with the shape of `start`, raise a
    TypeError for another dtype and a ValueError for another shape, and return new arrays.

    Attributes
    ----------
    name : str
        What to call it in a table or a legend.
    value : callable
        ``value(theta)`` is the loss, a float.
    gradient : callable
        ``gradient(theta)`` is its exact gradient, an array like `theta`.
    start : numpy.ndarray
        Where to start. It is read-only, since optimizers work in place: take ``start.copy()``.
    minimizers : tuple of numpy.ndarray
        All places where the loss is least.
    minimum : float
        The loss there.
    noisy_gradient : callable or None
        ``noisy_gradient(theta, rng)`` is the gradient of a random minibatch of examples, drawn with
        the `numpy.random.Generator`. Its expectation is ``gradient(theta)``. `None` where the loss
        is no mean over examples.

    Examples
    --------
    >>> from optimlib import SGD
    >>> problem = quadratic([1.0, 4.0])
    >>> theta = problem.start.copy()
    >>> optimizer = SGD(theta, learning_rate=0.25)
    >>> for _ in range(2):
    ...     optimizer.step(problem.gradient(theta))
    >>> theta
    array([0.5625, 0.    ])
    >>> problem.value(theta) - problem.minimum, problem.distance(theta)
    (0.158203125, 0.5625)
    """

    name: str
    value: Value = field(repr=False)
    gradient: Gradient = field(repr=False)
    start: np.ndarray
    minimizers: tuple[np.ndarray, ...]
    minimum: float
    noisy_gradient: NoisyGradient | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        checked = {
            "start": _read_only(self.start),
            "minimizers": tuple(map(_read_only, self.minimizers)),
            "value": self._checked(self.value),
            "gradient": self._checked(self.gradient),
        }
        if self.noisy_gradient is not None:
            checked["noisy_gradient"] = self._checked(self.noisy_gradient)
        for name, attribute in checked.items():
            object.__setattr__(self, name, attribute)  # as one does where a dataclass is frozen

    def _checked(self, function: Callable) -> Callable:
        """The function, for arguments of the right types and shapes only."""

        @wraps(function)
        def checked(theta: np.ndarray, *rng: np.random.Generator) -> float | np.ndarray:
            if rng and not isinstance(rng[0], np.random.Generator):
                raise TypeError(f"rng is {rng[0]!r}; expected a numpy.random.Generator")
            return function(self._point(theta), *rng)

        return checked

    def _point(self, theta: np.ndarray) -> np.ndarray:
        theta = np.asarray(theta)
        if theta.dtype != np.float64:
            raise TypeError(f"theta has dtype {theta.dtype}; {self.name} expects float64")
        if theta.shape != self.start.shape:
            raise ValueError(f"theta has shape {theta.shape}; {self.name} expects {self.start.shape}")
        return theta

    def distance(self, theta: np.ndarray) -> float:
        """How far it is to the nearest minimizer, in a straight line.

        Raises
        ------
        TypeError, ValueError
            If `theta` has another dtype than float64 or another shape than `start`.
        """
        theta = self._point(theta)
        return min(float(np.linalg.norm(theta - minimizer)) for minimizer in self.minimizers)


def quadratic(eigenvalues: Sequence[float] | np.ndarray, rotation: np.ndarray | None = None) -> Problem:
    r"""A bowl with the given curvatures along its axes, which may be turned.

    .. math::

        L(\theta) = \tfrac12 \sum_i \lambda_i z_i^2, \qquad z = Q^\top \theta, \qquad
        \nabla L(\theta) = Q \Lambda Q^\top \theta

    The least value is 0, at the origin. The start is :math:`z_i = 1` for all :math:`i`: every axis
    has the same way to go. What makes it hard is the condition number, the largest eigenvalue
    divided by the smallest; what makes it hard for a step size per coordinate is the rotation.

    Parameters
    ----------
    eigenvalues
        The curvatures :math:`\lambda_i`, each above 0.
    rotation
        The matrix :math:`Q`, whose columns are the axes; the coordinate axes unless given.

    Raises
    ------
    TypeError, ValueError
        If `eigenvalues` is not a row of finite numbers above 0, or `rotation` is not an orthogonal
        matrix of its size.

    Examples
    --------
    >>> quadratic([1.0, 100.0]).gradient(np.array([2.0, 2.0]))
    array([  2., 200.])
    >>> eighth = np.array([[0.5, -0.5], [0.5, 0.5]]) * 2**0.5  # of a turn
    >>> quadratic([1.0, 100.0], eighth).gradient(np.array([2.0, 2.0])).round(12)
    array([2., 2.])
    """
    curvatures = _eigenvalues(eigenvalues)
    Q = np.eye(len(curvatures)) if rotation is None else _rotation(rotation, len(curvatures))
    condition = curvatures.max() / curvatures.min()

    def value(theta: np.ndarray) -> float:
        z = Q.T @ theta
        return float((curvatures * z**2).sum() / 2)

    def gradient(theta: np.ndarray) -> np.ndarray:
        return Q @ (curvatures * (Q.T @ theta))

    return Problem(
        name=f"quadratic, condition {condition:g}{'' if rotation is None else ', turned'}",
        value=value,
        gradient=gradient,
        start=Q.sum(axis=1),
        minimizers=(np.zeros(len(curvatures)),),
        minimum=0.0,
    )


def noisy_quadratic(
    eigenvalues: Sequence[float] | np.ndarray,
    rotation: np.ndarray | None = None,
    spread: float = 1.0,
    batch: int = 1,
) -> Problem:
    r"""The mean of many bowls like `quadratic`, each with its bottom somewhere else.

    An example is a point :math:`c`, normally distributed around the origin with the standard
    deviation :math:`s` in every direction, and its loss is :math:`\tfrac12 (\theta - c)^\top A
    (\theta - c)` with :math:`A = Q \Lambda Q^\top`. The loss is the expectation of that, and a
    minibatch of :math:`B` examples with the mean :math:`\bar c` gives an estimate of its gradient:

    .. math::

        L(\theta) = \tfrac12 \theta^\top A \theta + \tfrac{s^2}2 \sum_i \lambda_i, \qquad
        g = A (\theta - \bar c), \qquad
        \operatorname{E} g = A \theta, \qquad
        \operatorname{Cov} g = \frac{s^2}B A^2

    The noise is the same everywhere, so it does not fade at the minimum. It is largest along the
    steepest axes.

    Parameters
    ----------
    eigenvalues, rotation
        As for `quadratic`.
    spread
        The standard deviation :math:`s`, above 0, in the units of :math:`\theta`.
    batch
        The number :math:`B` of examples in a minibatch.

    Raises
    ------
    TypeError, ValueError
        As `quadratic`; also if `spread` is not a finite number above 0, or `batch` not a whole one
        from 1 on.

    Notes
    -----
    Noisy quadratic models: Schaul, Zhang and LeCun, *No more pesky learning rates*, 2013; Zhang et
    al., *Which algorithmic choices matter at which batch sizes?*, 2019.

    Examples
    --------
    >>> problem = noisy_quadratic([4.0, 100.0], spread=0.5, batch=4)
    >>> rng = np.random.default_rng(0)
    >>> noise = [problem.noisy_gradient(np.zeros(2), rng) for _ in range(10_000)]
    >>> np.std(noise, axis=0).round()  # 0.5 / sqrt(4) of the eigenvalues
    array([ 1., 25.])
    """
    exact = quadratic(eigenvalues, rotation)
    spread, batch = positive("spread", spread), whole_number("batch", batch, lowest=1)
    minimum = spread**2 / 2 * float(np.sum(eigenvalues))

    def noisy_gradient(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        centres = spread * rng.standard_normal((batch, len(theta)))
        return exact.gradient(theta - centres.mean(axis=0))

    return Problem(
        name=f"noisy {exact.name}",
        value=lambda theta: exact.value(theta) + minimum,
        gradient=exact.gradient,
        start=exact.start,
        minimizers=exact.minimizers,
        minimum=minimum,
        noisy_gradient=noisy_gradient,
    )


def rosenbrock(dimension: int = 2) -> Problem:
    r"""Rosenbrock's valley: its floor is bent, and almost level.

    .. math::

        L(x) = \sum_{i=1}^{n-1} \bigl(100 \, (x_{i+1} - x_i^2)^2 + (1 - x_i)^2\bigr)

    The least value is 0, at :math:`(1, \dots, 1)`. The start is :math:`(-1.2, 1)`, repeated as often
    as it takes. In two dimensions the floor is the parabola :math:`x_2 = x_1^2`, the way along it
    leads round the bend at the origin, and at its end the curvature across is 2,500 times that along.

    Parameters
    ----------
    dimension
        The number :math:`n` of coordinates, from 2 on. From 4 on there is a second minimum, with
        :math:`x_1 < 0`, which is only a local one.

    Raises
    ------
    ValueError
        If `dimension` is not a whole number from 2 on.

    Notes
    -----
    H. H. Rosenbrock, *An automatic method for finding the greatest or least value of a function*, The
    Computer Journal 3 (1960), 175 to 184, for two dimensions. The sum over more of them is SciPy's
    ``rosen``; for its second minimum see Shang and Qiu, *A note on the extended Rosenbrock function*,
    Evolutionary Computation 14 (2006).

    Examples
    --------
    >>> problem = rosenbrock()
    >>> round(problem.value(problem.start), 6), problem.gradient(problem.start).round(6)
    (24.2, array([-215.6,  -88. ]))
    """
    dimension = whole_number("dimension", dimension, lowest=2)

    def value(x: np.ndarray) -> float:
        bend = x[1:] - x[:-1] ** 2
        return float((100 * bend**2 + (1 - x[:-1]) ** 2).sum())

    def gradient(x: np.ndarray) -> np.ndarray:
        bend = x[1:] - x[:-1] ** 2
        g = np.zeros(dimension)
        g[:-1] -= 400 * x[:-1] * bend + 2 * (1 - x[:-1])
        g[1:] += 200 * bend
        return g

    return Problem(
        name="Rosenbrock" if dimension == 2 else f"Rosenbrock in {dimension} dimensions",
        value=value,
        gradient=gradient,
        start=np.resize([-1.2, 1.0], dimension),
        minimizers=(np.ones(dimension),),
        minimum=0.0,
    )


def beale() -> Problem:
    r"""Beale's function: plains on which hardly anything moves, and steep walls beside them.

    .. math::

        L(x, y) = \sum_{k=1}^3 \bigl(c_k - x (1 - y^k)\bigr)^2, \qquad
        c = (1.5, 2.25, 2.625)

    The least value is 0, at :math:`(3, 1/2)`. The start is :math:`(1, 1)`, where the gradient says
    nothing about :math:`x`.

    Notes
    -----
    E. M. L. Beale, *On an iterative method for finding a local minimum of a function of more than one
    variable*, Technical Report 25, Statistical Techniques Research Group, Princeton University, 1958.
    The start is that of Moré, Garbow and Hillstrom, *Testing unconstrained optimization software*,
    ACM Transactions on Mathematical Software 7 (1981), 17 to 41, problem 5.

    Examples
    --------
    >>> problem = beale()
    >>> problem.value(problem.start), problem.gradient(problem.start)
    (14.203125, array([ 0.  , 27.75]))
    """
    c, k = np.array([1.5, 2.25, 2.625]), np.array([1, 2, 3])

    def value(theta: np.ndarray) -> float:
        x, y = theta
        return float(((c - x * (1 - y**k)) ** 2).sum())

    def gradient(theta: np.ndarray) -> np.ndarray:
        x, y = theta
        residual = c - x * (1 - y**k)
        along_x = (-2 * residual * (1 - y**k)).sum()
        along_y = (2 * residual * x * k * y ** (k - 1)).sum()
        return np.array([along_x, along_y])

    return Problem(
        name="Beale",
        value=value,
        gradient=gradient,
        start=np.array([1.0, 1.0]),
        minimizers=(np.array([3.0, 0.5]),),
        minimum=0.0,
    )


def saddle() -> Problem:
    r"""A saddle between two valleys, with the start almost on its ridge.

    .. math:: L(x, y) = \frac{x^2}2 - \frac{y^2}2 + \frac{y^4}4

    The least value is :math:`-1/4`, at :math:`(0, 1)` and :math:`(0, -1)`. At the origin, the saddle,
    the gradient is zero too. From the start :math:`(1, 10^{-3})` the gradient points there almost
    exactly, and only a thousandth of the way aside.

    Examples
    --------
    >>> saddle().gradient(np.array([1.0, 0.5]))
    array([ 1.   , -0.375])
    """

    def value(theta: np.ndarray) -> float:
        x, y = theta
        return float(x**2 / 2 - y**2 / 2 + y**4 / 4)

    def gradient(theta: np.ndarray) -> np.ndarray:
        x, y = theta
        return np.array([x, y**3 - y])

    return Problem(
        name="saddle",
        value=value,
        gradient=gradient,
        start=np.array([1.0, 1e-3]),
        minimizers=(np.array([0.0, 1.0]), np.array([0.0, -1.0])),
        minimum=-0.25,
    )


def logistic_regression(
    classes: tuple[int, int] = (3, 8), penalty: float = 0.01, batch: int = 32
) -> Problem:
    r"""Tell two handwritten digits apart by a weighted sum of their pixels.

    .. math::

        L(\theta) &= \frac1n \sum_{i=1}^n \bigl(\log(1 + e^{z_i}) - y_i z_i\bigr)
            + \frac\lambda2 |\theta|^2, \qquad z = X \theta

        \nabla L(\theta) &= X^\top \frac{\sigma(z) - y}n + \lambda \theta

    A row of :math:`X` is an image of `optimlib.lab.datasets.digits` and a 1, so :math:`\theta` has 64
    weights and a bias. The start is 0. Without the penalty the loss of digits that a plane can tell
    apart would fall for ever, as :math:`\theta` grows without bound; with it the minimum is unique.
    The minimizer is found by Newton's method, to rounding.

    Parameters
    ----------
    classes
        The two digits: the one of label :math:`y = 0` first.
    penalty
        The strength :math:`\lambda` of the penalty, from 1e-8 on.
    batch
        How many examples the noisy gradient draws, with replacement: each is drawn alike, whatever
        came before, so the estimate is unbiased.

    Raises
    ------
    TypeError, ValueError
        If `classes` are not two different digits, `penalty` is not a finite number from 1e-8 on, or
        `batch` not a whole one from 1 on.

    Examples
    --------
    >>> problem = logistic_regression()
    >>> round(problem.value(problem.start), 6)  # log(2): it knows nothing
    0.693147
    >>> round(problem.minimum, 4)
    0.1756
    """
    if len(classes) != 2 or classes[0] == classes[1]:
        raise ValueError(f"classes is {classes!r}; expected two different digits")
    for digit in classes:
        if whole_number("a digit in classes", digit) > 9:
            raise ValueError(f"classes is {classes!r}; expected digits from 0 to 9")
    penalty = hyperparameter("penalty", penalty, lowest=1e-8)
    batch = whole_number("batch", batch, lowest=1)
    images, labels = digits()
    chosen = np.isin(labels, classes)
    X = np.column_stack([images[chosen], np.ones(chosen.sum())])
    y = labels[chosen] == classes[1]

    def value(theta: np.ndarray) -> float:
        return logistic(X @ theta, y)[0] + penalty / 2 * float(theta @ theta)

    def mean_gradient(theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        _, dz = logistic(X @ theta, y)
        return X.T @ dz + penalty * theta

    def gradient(theta: np.ndarray) -> np.ndarray:
        return mean_gradient(theta, X, y)

    def noisy_gradient(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = rng.integers(len(X), size=batch)
        return mean_gradient(theta, X[rows], y[rows])

    minimizer = np.zeros(X.shape[1])
    for _ in range(30):  # Newton's method; 20 are enough for the smallest penalty, 7 for the default
        p = sigmoid(X @ minimizer)
        hessian = (X.T * (p * (1 - p) / len(X))) @ X + penalty * np.eye(len(minimizer))
        minimizer -= np.linalg.solve(hessian, gradient(minimizer))

    return Problem(
        name=f"logistic regression, {classes[0]} or {classes[1]}",
        value=value,
        gradient=gradient,
        start=np.zeros(X.shape[1]),
        minimizers=(minimizer,),
        minimum=value(minimizer),
        noisy_gradient=noisy_gradient,
    )


def random_rotation(dimension: int, rng: np.random.Generator) -> np.ndarray:
    r"""A rotation matrix, every rotation being as likely as any other.

    It is the :math:`Q` of the factorization :math:`QR` of a matrix of normal numbers, once the
    diagonal of :math:`R` is made positive and one axis is turned round if :math:`Q` is a mirror.

    Parameters
    ----------
    dimension
        The number of rows and of columns.
    rng
        The random numbers come from it.

    Raises
    ------
    ValueError
        If `dimension` is not a whole number from 1 on.

    Notes
    -----
    F. Mezzadri, *How to generate random matrices from the classical compact groups*, 2007, who
    explains why the signs matter.

    Examples
    --------
    >>> Q = random_rotation(3, np.random.default_rng(0))
    >>> bool(np.allclose(Q.T @ Q, np.eye(3))), round(float(np.linalg.det(Q)), 6)
    (True, 1.0)
    """
    dimension = whole_number("dimension", dimension, lowest=1)
    Q, R = np.linalg.qr(rng.standard_normal((dimension, dimension)))
    Q *= np.sign(np.diag(R))
    if np.linalg.det(Q) < 0:
        Q[:, 0] *= -1
    return Q


def _read_only(point: np.ndarray) -> np.ndarray:
    """A copy of a point that nothing can move."""
    point = np.array(point, dtype=float)
    point.flags.writeable = False
    return point


def _eigenvalues(eigenvalues: Sequence[float] | np.ndarray) -> np.ndarray:
    """The eigenvalues, once they are those of a bowl."""
    array = np.array(eigenvalues)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"eigenvalues is {eigenvalues!r}; expected numbers")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"eigenvalues have shape {array.shape}; expected (n,) with n from 1 on")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"eigenvalues are {array}; expected finite numbers above 0")
    return array.astype(float)


def _rotation(rotation: np.ndarray, dimension: int) -> np.ndarray:
    """The rotation, once it is orthogonal."""
    Q = np.array(rotation)
    if Q.dtype.kind not in "iuf":
        raise TypeError(f"rotation has dtype {Q.dtype}; expected numbers")
    if Q.shape != (dimension, dimension):
        raise ValueError(
            f"rotation has shape {Q.shape}; expected {(dimension, dimension)}, like the eigenvalues"
        )
    Q = Q.astype(float)
    error = np.abs(Q.T @ Q - np.eye(dimension)).max()
    if not error <= 1e-12 * dimension:
        raise ValueError(
            f"rotation's columns are not orthogonal and of length 1: the products of two are up to"
            f" {error:.1e} off"
        )
    return Q
