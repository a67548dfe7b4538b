"""Is this gradient right, and if not, where and why? A verdict, with its evidence."""

from optimlib.gradcheck.check import assert_gradient, check_gradient
from optimlib.gradcheck.layers import check_layer, check_layer_object
from optimlib.gradcheck.products import check_adjoint, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.report import GradientReport, Probe
from optimlib.gradcheck.value_and_grad import assert_value_and_grad, check_value_and_grad

__all__ = [
    "GradientReport",
    "Probe",
    "assert_gradient",
    "assert_value_and_grad",
    "check_adjoint",
    "check_gradient",
    "check_hvp",
    "check_jvp",
    "check_layer",
    "check_layer_object",
    "check_value_and_grad",
    "check_vjp",
]
