r"""Losses to try an optimizer on, with exact gradients and known minima.

Every function here returns a `Problem`. Each is there for one difficulty: a curvature that differs
from direction to direction (`quadratic`), a curved valley (`rosenbrock`), plains beside a steep wall
(`beale`), a point where the gradient vanishes without being a minimum (`saddle`), gradients that are
only right on average (`noisy_quadratic`), and real data (`logistic_regression`).
"""

from optimlib.lab.functions.classics import beale, rosenbrock, saddle
from optimlib.lab.functions.problem import Gradient, NoisyGradient, Problem, Value
from optimlib.lab.functions.quadratics import noisy_quadratic, quadratic, random_rotation
from optimlib.lab.functions.two_digits import logistic_regression

__all__ = [
    "Gradient",
    "NoisyGradient",
    "Problem",
    "Value",
    "beale",
    "logistic_regression",
    "noisy_quadratic",
    "quadratic",
    "random_rotation",
    "rosenbrock",
    "saddle",
]
