"""Is this gradient right, and if not, where and why? A verdict, with its evidence."""

from optimlib.gradcheck.check import assert_gradient, check_gradient
from optimlib.gradcheck.products import check_adjoint, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.report import GradientReport

__all__ = [
    "GradientReport",
    "assert_gradient",
    "check_adjoint",
    "check_gradient",
    "check_hvp",
    "check_jvp",
    "check_vjp",
]
