"""Derivatives from values alone: differences, their steps and their errors.

Every scheme takes a function `f`, a point `x` and a step `h` and returns an approximation of the
derivative at `x`. A function of one number may return an array, and has an array as its derivative. A
function that works element by element may be given an array of points; one that returns another number
of values than it was given points is refused. To differentiate along a line in many dimensions, pass the
function of the distance along it: ``central(lambda s: loss(theta + s * d), 0.0)``.
"""

from optimlib.differences.errors import Optimum, central_optimum, error_curve, forward_optimum
from optimlib.differences.extrapolation import Estimate, estimates, one_sided_estimates
from optimlib.differences.noise import common_divisor, noise_level
from optimlib.differences.schemes import (
    ORDERS,
    central,
    complex_step,
    default_step,
    forward,
    representable_step,
    richardson,
    unit_roundoff,
)

__all__ = [
    "ORDERS",
    "Estimate",
    "Optimum",
    "central",
    "central_optimum",
    "common_divisor",
    "complex_step",
    "default_step",
    "error_curve",
    "estimates",
    "forward",
    "forward_optimum",
    "noise_level",
    "one_sided_estimates",
    "representable_step",
    "richardson",
    "unit_roundoff",
]
