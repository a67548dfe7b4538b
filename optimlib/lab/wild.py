"""Gradients of public code, and what `check_vjp` said of them: a record.

A *finding* is one function of one source. A reader of the source says whether it is right, differs by
design (an approximation or a convention that is deliberate, since its authors say so or its purpose is
plain), or is wrong. What the check said was measured. The scripts ``record_wild*.py`` in tests/golden
write the record.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, NamedTuple

VERDICTS = ("right", "by design", "wrong")
"""What a reader of the source says."""

KINDS = {
    "use": "a use that is forgotten",
    "factor": "a factor or a mask left out",
    "diagonal": "the diagonal for the Jacobian",
    "sum": "a sum for a mean",
    "sign": "a sign",
    "axis": "another axis, order or option",
    "pair": "two functions",
    "shape": "another shape",
    "slip": "a slip of the pen",
    "term": "a term of a second derivative left out",
    "division": "a zero in a product",
    "branch": "a case of its own in a formula",
}
"""The kinds of mistakes, in words. The chapter's map has a place for the first seven."""


class Finding(NamedTuple):
    """One function, what is said of it, and what the check said."""

    source: str  #: the library, or what the solutions are solutions of
    function: str
    verdict: str  #: one of `VERDICTS`
    kind: str  #: one of `KINDS`, empty unless it is wrong
    note: str  #: what is the matter
    known: str  #: the address of an issue, empty where none was found
    check: str  #: the gravest verdict of its settings; "refused" for a shape or a NaN
    settings: int  #: in so many settings it was tried
    failing: tuple[str, ...]  #: in these it failed
    error: float  #: the largest wrong difference, beside the largest slope
    second_seed: str  #: as `check`, with other random numbers
    float32: str  #: as `check`, with all numbers rounded to float32
    relative: float | None  #: the largest relative error, by central differences with the step 1e-5
    whole: float | None  #: the error of the whole vector, over the sum of two norms
    planted: dict[str, str]  #: of a right one: what the check says of four mistakes put into it
    writes: str  #: what its backward pass writes into: "dy", "x" or nothing
    cured: bool | None  #: whether a right gradient (or loss) in its place passed; None unless wrong


def _record() -> dict[str, Any]:
    """All that the file holds."""
    text = (files("optimlib.lab") / "data" / "wild.json").read_text(encoding="utf8")
    record: dict[str, Any] = json.loads(text)
    return record


def findings() -> list[Finding]:
    """All findings, by source and function.

    Examples
    --------
    >>> found = findings()
    >>> len(found) > 500
    True
    >>> sorted({finding.verdict for finding in found})
    ['by design', 'right', 'wrong']
    """
    rows = _record()["findings"]
    return [Finding(**{"cured": None, **row, "failing": tuple(row["failing"])}) for row in rows]


def sources() -> dict[str, str]:
    """Where the functions come from: by source its version, or its repository and commit.

    Examples
    --------
    >>> sources()["numpy-ml"]
    'ddbourgin/numpy-ml@b0359af'
    """
    found: dict[str, str] = _record()["sources"]
    return found


def consequences() -> dict[str, dict[str, Any]]:
    """What two wrong derivatives of statsmodels do to models that are fitted with them.

    Examples
    --------
    >>> consequences()["standard errors, p = 2"]["NaN"]
    0
    """
    found: dict[str, dict[str, Any]] = _record()["consequences"]
    return found


def missed() -> list[tuple[str, str, str]]:
    """Source, function and planted mistake, where `check_vjp` once passed what it should not have.

    That was before it was repaired; what it says today is in the findings.

    Examples
    --------
    >>> missed()[0]
    ('Autograd', 'beta.pdf', 'a number left out')
    """
    return [(source, function, change) for source, function, change in _record()["missed"]]


TESTS = {
    "wrong number": "a test asked for the wrong number",
    "never ran": "a test was there and never ran",
    "one kind": "the tests tried one kind of input only",
    "": "the report and the repair speak of no test",
}
"""What the report or the repair of a derivative shows of the tests before it, in words."""


class Repaired(NamedTuple):
    """A derivative that was wrong in one release and right in the next."""

    library: str
    function: str
    wrong: str  #: the last release with the mistake
    right: str  #: the first one without it
    kind: str  #: one of `KINDS`
    note: str  #: what was the matter
    issue: str  #: where it was reported or repaired
    tests: str  #: one of `TESTS`
    before: str  #: what the check says of the first: "fail", or "refused" for a NaN
    after: str  #: what it says of the second
    error: float  #: in the first, the largest wrong difference, beside the largest slope


def repaired() -> list[Repaired]:
    """Derivatives of older releases, whose mistakes were reported and repaired.

    Examples
    --------
    >>> {(case.before in ("fail", "refused"), case.after) for case in repaired()}
    {(True, 'pass')}
    """
    return [Repaired(**row) for row in _record()["repaired"]]
