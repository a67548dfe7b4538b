"""What is recorded of a gradient in public code: shared by the scripts `record_wild*.py`.

A *finding* is one function of one source, tried in one or more settings. A setting is a triple
``(f, vjp, x)`` for `check_vjp`. The person who read the source says whether the function is right, an
approximation by its own account, or wrong; what the check says is measured, and has to agree.
"""

# ruff: noqa: B023, E731 - short functions in loops, called in the same turn

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optimlib import check_vjp
from optimlib.trees import copy_tree, flatten, map_tree

PATH = Path(__file__).parents[2] / "optimlib" / "lab" / "data" / "wild.json"
Triple = tuple[Callable[[Any], Any], Callable[[Any, Any], Any], Any]
FACTORS = {"1.001": 1.001, "1.000001": 1.000001}
PLANTED = ("a sign", "a number left out", *FACTORS)
GRAVEST = ("fail", "refused", "inconclusive", "kink", "pass")


@dataclass
class Finding:
    """One function, what was made of it, and how it is run."""

    source: str
    function: str
    settings: dict[str, Callable[[], Triple]]
    verdict: str = "right"
    kind: str = ""
    note: str = ""
    known: str = ""
    cure: Callable[[], Triple] | None = None
    """The right gradient, newly written, of the same loss; or where the loss is wrong, the right one."""
    failing: tuple[str, ...] = ()
    """The settings that fail; all of them unless given."""
    measured: dict[str, Any] = field(default_factory=dict)


def quietly(call: Callable[[], Any]) -> Any:
    """What a call returns; the code of others may warn and print."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return call()


def usual_scores(
    f: Callable, vjp: Callable, x: Any, step: float = 1e-5, seed: int = 0
) -> tuple[float, float]:
    """What two rules of thumb see: the largest relative error, and the error of the whole vector.

    Central differences with one step; the thresholds that go with them are 1e-7 and 2e-7.
    """
    rng = np.random.default_rng(seed)
    dy = map_tree(lambda y: rng.standard_normal(np.shape(y)), f(copy_tree(x)))
    pair = lambda y: sum(
        float((a * b).sum()) for (_, a), (_, b) in zip(flatten(y), flatten(dy), strict=True)
    )
    grads, moved, slopes = dict(flatten(vjp(copy_tree(x), copy_tree(dy)))), copy_tree(x), []
    claimed = np.concatenate([np.ravel(grads[path]) for path, _ in flatten(x)])
    for _, leaf in flatten(moved):
        for index in np.ndindex(leaf.shape):
            before = leaf[index]
            leaf[index] = before + step
            right = pair(f(copy_tree(moved)))
            leaf[index] = before - step
            slopes.append((right - pair(f(copy_tree(moved)))) / (2 * step))
            leaf[index] = before
    numeric = np.array(slopes)
    size = np.maximum(abs(claimed), abs(numeric))
    relative = np.max(abs(claimed - numeric) / np.where(size == 0, 1, size))
    norm = np.linalg.norm
    whole = norm(claimed - numeric) / max(norm(claimed) + norm(numeric), 1e-300)
    return float(relative), float(whole)


def size_of_error(report: Any) -> float:
    """The largest difference of a failing probe, beside the largest slope that was measured."""
    probes = [p for p in report.probes if p.index is not None] or report.probes
    largest = max(max(abs(p.numeric), abs(p.analytic)) for p in probes)
    wrong = [abs(p.difference) for p in probes if p.verdict == "fail"]
    return max(wrong, default=0.0) / largest if largest else 0.0


def in_single(triple: Triple) -> Triple:
    """The same functions, with all that goes in and comes out rounded to float32."""
    f, vjp, x = triple
    to = lambda dtype, tree: map_tree(lambda a: np.asarray(a, dtype=dtype), tree)
    single, double = np.float32, np.float64
    return (
        lambda x: to(single, f(to(double, to(single, x)))),
        lambda x, dy: to(single, vjp(to(double, x), to(double, dy))),
        to(single, x),
    )


def sparing(triple: Triple) -> Triple:
    """The same functions, which get copies of what they would write into."""
    f, vjp, x = triple
    return lambda x: f(copy_tree(x)), lambda x, dy: vjp(copy_tree(x), copy_tree(dy)), x


def writes(triple: Triple) -> str:
    """What the backward pass changes: "dy", "x" or nothing."""
    f, vjp, x = triple
    at, dy = copy_tree(x), map_tree(lambda y: np.ones(np.shape(y)), f(copy_tree(x)))
    vjp(at, dy)
    if not all(np.array_equal(a, b) for (_, a), (_, b) in zip(flatten(at), flatten(x), strict=True)):
        return "x"
    return "" if all((leaf == 1).all() for _, leaf in flatten(dy)) else "dy"


def planted(triple: Triple) -> dict[str, Triple]:
    """A right gradient, spoiled in four ways."""
    f, vjp, x = triple

    def spoiled(change):
        def wrong(x, dy):
            grads = map_tree(lambda g: np.array(g, float), vjp(x, dy))
            if change in FACTORS:
                return map_tree(lambda g: FACTORS[change] * g, grads)
            leaf = max((leaf for _, leaf in flatten(grads)), key=np.size)
            sizes = np.where(leaf == 0, np.inf, abs(leaf))
            order = np.argsort(sizes, axis=None)[: int(np.isfinite(sizes).sum())]
            if len(order):
                place = np.unravel_index(order[len(order) // 2], leaf.shape)  # one of middle size
                leaf[place] *= -1 if change == "a sign" else 0
            return grads

        return wrong

    return {change: (f, spoiled(change), x) for change in PLANTED}


def judge(triple: Triple, seed: int = 0) -> Any:
    """The check as it comes, without options but the seed."""
    return check_vjp(*triple, rng=np.random.default_rng(seed), progress=False)


def rounded(scores: Any) -> float | None:
    """The largest to three digits; None where none is finite."""
    largest = max((score for score in scores if np.isfinite(score)), default=None)
    return None if largest is None else float(f"{largest:.2e}")


def verdict_of(triple: Triple, seed: int = 0) -> tuple[str, Any]:
    """What the check says, with its report; or "refused", with the reason, where it raises an error.

    An error of the code under test is no verdict on its gradient, and comes through.
    """
    f, vjp, x = triple
    raised = False

    def watched(function):
        def call(*arguments):
            nonlocal raised
            raised = True
            answer = function(*arguments)
            raised = False
            return answer

        return call

    try:
        report = quietly(lambda: judge((watched(f), watched(vjp), x), seed))
    except ValueError as refusal:  # a gradient of another shape, or one that is not finite
        if raised:
            raise
        return "refused", str(refusal)
    return report.verdict, report


def verdicts_of(
    finding: Finding, seed: int = 0, change: Callable[[Triple], Triple] = lambda triple: triple
) -> dict[str, tuple[str, Any]]:
    """What the check says of each setting, with its report."""
    return {
        name: verdict_of(quietly(lambda: change(sparing(thunk()))), seed)
        for name, thunk in finding.settings.items()
    }


def gravest(verdicts: Iterable[str]) -> str:
    """That of a function, from those of its settings."""
    return min(verdicts, key=GRAVEST.index)


def failing_of(verdicts: dict[str, tuple[str, Any]]) -> list[str]:
    """The settings that fail."""
    return sorted(name for name, (verdict, _) in verdicts.items() if verdict in ("fail", "refused"))


def disagreements(finding: Finding, verdicts: dict[str, tuple[str, Any]], cured: str) -> list[str]:
    """Where what the check says is not what is claimed of the function."""
    name, said = f"{finding.source}: {finding.function}", {k: v for k, (v, _) in verdicts.items()}
    expected = set(finding.failing or verdicts) if finding.verdict != "right" else set()
    found = []
    if set(failing_of(verdicts)) != expected or "inconclusive" in said.values():
        found.append(f"DISAGREE {name}: {finding.verdict}, {said}")
    if finding.verdict == "wrong" and cured not in ("pass", "kink"):
        found.append(f"NO CURE {name}: {cured or 'none is given'}")
    return found


def measure(finding: Finding) -> None:
    """Run all settings, and hold what the check says against what is claimed of the function."""
    verdicts = verdicts_of(finding)
    reports = {name: found for name, (verdict, found) in verdicts.items() if verdict != "refused"}
    second = [verdict for verdict, _ in verdicts_of(finding, seed=1).values()]
    single = [verdict for verdict, _ in verdicts_of(finding, change=in_single).values()]
    scores = [quietly(lambda: usual_scores(*sparing(finding.settings[name]()))) for name in reports]
    cured, spoiled = "", {}
    if finding.verdict == "wrong" and finding.cure:
        cured = verdict_of(quietly(lambda: sparing(finding.cure())))[0]
    if finding.verdict == "right":
        spoiled = planted(quietly(lambda: sparing(next(iter(finding.settings.values()))())))
    refusals = [f"{finding.function}, {name}: {verdicts[name][1]}" for name in verdicts.keys() - reports]
    for line in refusals + disagreements(finding, verdicts, cured):
        print(line[:200])
    finding.measured = {
        "check": gravest(verdict for verdict, _ in verdicts.values()),
        "settings": len(verdicts),
        "failing": failing_of(verdicts),
        "error": float(f"{max(map(size_of_error, reports.values()), default=0.0):.0e}"),
        "planted": {change: verdict_of(triple)[0] for change, triple in spoiled.items()},
        "second_seed": gravest(second),
        "float32": gravest(single),
        "relative": rounded(s[0] for s in scores),
        "writes": max(quietly(lambda: writes(thunk())) for thunk in finding.settings.values()),
        "whole": rounded(s[1] for s in scores),
        **({"cured": cured in ("pass", "kink")} if finding.verdict == "wrong" else {}),
    }


def entry(finding: Finding) -> dict[str, Any]:
    kept = {
        key: getattr(finding, key) for key in ("source", "function", "verdict", "kind", "note", "known")
    }
    return {**kept, **finding.measured}


def write(
    findings: list[Finding],
    versions: dict[str, str],
    consequences: dict[str, Any] | None = None,
    repaired: list[dict[str, Any]] | None = None,
) -> None:
    """Put the entries of these sources into the record, in the place of older ones."""
    record = (
        json.loads(PATH.read_text(encoding="utf8")) if PATH.exists() else {"sources": {}, "findings": []}
    )
    kept = [old for old in record["findings"] if old["source"] not in versions]
    all_of_them = kept + [entry(finding) for finding in findings]
    all_of_them.sort(key=lambda e: (e["source"].lower(), e["function"].lower()))
    sources = dict(sorted({**record["sources"], **versions}.items()))
    done = consequences or record.get("consequences", {})
    repaired = repaired or record.get("repaired", [])
    lines = ",\n".join("    " + json.dumps(e, ensure_ascii=False) for e in all_of_them)
    PATH.write_text(
        '{\n  "sources": '
        + json.dumps(sources, indent=4, ensure_ascii=False).replace("\n}", "\n  }")
        + ',\n  "consequences": {\n'
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(what)}" for name, what in done.items())
        + "\n  }"
        + ',\n  "missed": '
        + json.dumps(record.get("missed", []))
        + ',\n  "repaired": [\n'
        + ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in repaired)
        + "\n  ]"
        + ',\n  "findings": [\n'
        + lines
        + "\n  ]\n}\n",
        encoding="utf8",
    )


def elementwise(f: Callable, slope: Callable, x: np.ndarray) -> Triple:
    """A function of every element, and what claims to be its derivative."""
    return f, lambda x, dy: dy * slope(x), x
