"""Is this gradient right, and if not, where and why? A verdict, with its evidence.

In the order of a check: `options`, `arguments` and `bounds` take what the user gave; `objective`
calls it (with `lines` and `noise`); `sampling` and `probes` choose where to look, `scales` makes a
search for each slope, `search` measures it, `slope` judges it, `subgradients` judges it at a kink;
`localization` finds the guilty number; `diagnosis` names the cause; `second_point` looks at another
point than theta; `report` and `rendering` say it all. The other entrances are `value_and_grad`,
`layer_checks` and `products`.
"""

from optimlib.gradcheck.check import assert_gradient, check_gradient
from optimlib.gradcheck.layer_checks import check_layer, check_layer_object
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
