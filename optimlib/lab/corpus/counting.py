"""How a checker does on the corpus: its answers, counted by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from optimlib.gradcheck.check import check_gradient
from optimlib.lab.corpus.case import KINDS, Case, Gradient, Loss
from optimlib.lab.corpus.crossing import cases
from optimlib.trees import Tree

Checker = Callable[[Loss, Gradient, Tree], bool | None]
"""Says True for right, False for wrong, None for "cannot tell"."""


def trust(loss: Loss, grad: Gradient, theta: Tree) -> bool | None:
    """`check_gradient` as a checker: True for "pass" and "kink", None for "inconclusive".

    Examples
    --------
    >>> trust(lambda x: (x**2).sum(), lambda x: 2 * x, np.ones(2))
    True
    """
    return {"pass": True, "kink": True, "fail": False, "inconclusive": None}[
        check_gradient(loss, grad, theta).verdict
    ]


class Tally(NamedTuple):
    """How a checker did on some cases."""

    kind: str
    right: int  #: right gradients
    accepted: int  #: of which it accepted
    false_alarms: int  #: of which it refused
    wrong: int  #: wrong gradients
    found: int  #: of which it refused
    missed: int  #: of which it accepted
    inconclusive: int  #: right and wrong ones on which it decided nothing


def tally(checker: Checker, chosen: Iterable[Case] | None = None) -> list[Tally]:
    """Count a checker's answers: a row for each kind, and one for all but the kind *beyond*.

    Parameters
    ----------
    checker
        Takes loss, gradient and theta, and returns True, False, or None for "cannot tell".
    chosen
        The cases; all of `cases` unless given.

    Returns
    -------
    list of Tally
        Kinds without a case have no row.

    Raises
    ------
    TypeError
        If the checker returns anything else, such as a report.

    Examples
    --------
    >>> credulous = tally(lambda loss, grad, theta: True, cases()[:4])
    >>> credulous[0]._asdict()  # doctest: +ELLIPSIS
    {'kind': 'smooth', 'right': 1, 'accepted': 1, ..., 'wrong': 3, 'found': 0, 'missed': 3, ...}
    """
    chosen = cases() if chosen is None else list(chosen)
    answers = [(case, _answer(checker, case)) for case in chosen]
    kinds = {kind: [pair for pair in answers if pair[0].kind == kind] for kind in KINDS}
    kinds["all"] = [pair for pair in answers if pair[0].kind != "beyond"]
    return [_count(kind, pairs) for kind, pairs in kinds.items() if pairs]


def _answer(checker: Checker, case: Case) -> bool | None:
    """What the checker says of a case, once it is an answer."""
    answer = checker(case.loss, case.grad, case.theta)
    if answer is not None and not isinstance(answer, bool | np.bool_):
        raise TypeError(
            f"the checker returned a {type(answer).__name__} for the case {case.name!r};"
            " expected True, False or None"
        )
    return answer


def _count(kind: str, pairs: list[tuple[Case, bool | None]]) -> Tally:
    right = [answer for case, answer in pairs if case.error == 0]
    wrong = [answer for case, answer in pairs if case.error > 0]
    return Tally(
        kind=kind,
        right=len(right),
        accepted=right.count(True),
        false_alarms=right.count(False),
        wrong=len(wrong),
        found=wrong.count(False),
        missed=wrong.count(True),
        inconclusive=(right + wrong).count(None),
    )
