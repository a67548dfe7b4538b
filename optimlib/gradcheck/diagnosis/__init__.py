"""What is probably wrong with a gradient: hints from numbers, from shapes, and from repeated calls."""

from optimlib.gradcheck.diagnosis.explain import explain
from optimlib.gradcheck.diagnosis.shapes import shape_hint

__all__ = ["explain", "shape_hint"]
