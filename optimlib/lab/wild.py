"""Gradients of public code, and what `check_vjp` said of them: a record.

A *finding* is one function of one source. Whoever read the source says whether it is right, differs by
design (an approximation or a convention that its authors state), or is wrong. What the check said was
measured. The scripts ``record_wild*.py`` in tests/golden write the record.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, NamedTuple

VERDICTS = ("right", "by design", "wrong")
"""What a reader of the source says."""

KINDS = {
    "assigned": "written instead of added",
    "axis": "along another axis or index",
    "diagonal": "the diagonal for the Jacobian",
    "division": "0 / 0",
    "factor": "a factor or a mask left out",
    "option": "an option not passed on",
    "pair": "value and gradient of two functions",
    "shape": "of another shape",
    "sign": "a sign",
    "slip": "a slip of the pen",
    "sum": "a sum for a mean",
    "term": "a term left out",
}
"""The kinds of mistakes, in words."""


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
    numbers: int  #: so many slopes were claimed
    evaluations: int  #: so often the function was called
    second_seed: str  #: as `check`, with other random numbers
    float32: str  #: as `check`, with all numbers rounded to float32
    relative: float | None  #: the largest relative error, by central differences with the step 1e-5
    whole: float | None  #: the error of the whole vector, over the sum of two norms
    planted: dict[str, str]  #: of a right one: what the check says of four mistakes put into it
    writes: str  #: what its backward pass writes into: "dy", "x" or nothing
    cured: bool | None  #: of a wrong one: whether it passed without the mistake; None unless wrong


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
