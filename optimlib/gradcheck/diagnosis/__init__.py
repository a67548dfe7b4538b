"""What is probably wrong with a gradient: hints from numbers, from shapes, and from repeated calls.

Numbers: a pattern in `factors`, `places` or `terms`, listed in `explain.PATTERNS`. Shapes: `shapes`,
which `gradcheck.mismatch` asks. Repeated calls: `repeated_calls`, which `gradcheck.objective` and
`gradcheck.second_point` ask.
"""

from optimlib.gradcheck.diagnosis.explain import explain
from optimlib.gradcheck.diagnosis.shapes import shape_hint

__all__ = ["explain", "shape_hint"]
