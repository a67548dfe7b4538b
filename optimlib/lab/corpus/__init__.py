"""Right and wrong gradients to try a gradient check on: the answer is known for each.

A *problem* is a loss, its right gradient and a point. A *mistake* turns a right gradient into a
wrong one. Most mistakes fit any problem: every smooth or badly scaled problem is crossed with all of
them, other kinds with some. The rest, such as a label that is off by one class, are made by calling
a model's own right gradient with a wrong argument. A *case* is a loss, a claimed gradient and the
truth about the claim; `optimlib.lab.corpus.crossing` says which crossings are cases.
"""

from optimlib.lab.corpus.case import KINDS, Case, GradientProblem
from optimlib.lab.corpus.counting import Checker, Tally, tally, trust
from optimlib.lab.corpus.crossing import cases, problems
from optimlib.lab.corpus.mistakes import MISTAKES

__all__ = [
    "KINDS",
    "MISTAKES",
    "Case",
    "Checker",
    "GradientProblem",
    "Tally",
    "cases",
    "problems",
    "tally",
    "trust",
]
