"""Judge one submission: run the student's cells inside, and the test cells here, outside.

The test cells come from the source and run in this process. What they call is the student's, in the sandbox: so
nothing that a student's cell does to NumPy, to Python's builtins or to its own process changes how it is judged.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from .assignment import FOLDER, Assignment, load
from .limits import Limits
from .student import OutOfTime, Stopped, Student
from .submission import Unreadable, read

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"optimlib": ROOT / "optimlib"}  # what an assignment may need beside NumPy
STUB = "raise NotImplementedError"


def judge(
    path: Path, assignment: Assignment, limits: Limits, *, trust: bool = False, slot: int = 0
) -> dict[str, Any]:
    """The marks of a submission, and what a person should look at."""
    marks = {cell.name: 0.0 for cell in assignment.judged}
    result: dict[str, Any] = {"marks": marks, "failed": {}, "errors": [], "look": []}
    try:
        submission = read(path, assignment, limits.notebook)
    except Unreadable as error:
        result["look"].append(f"damaged: {error}")
        return result
    result["look"] += submission.notes
    result["words"] = submission.words
    for cell in assignment.manual:
        answer = submission.words.get(cell.name, "").strip()
        if answer and not answer.startswith("YOUR ANSWER HERE"):
            result["look"].append(f"manual points: {cell.name}, up to {cell.points:g}")
    packages = tuple(PACKAGES[name] for name in assignment.needs if name in PACKAGES)
    student = Student(limits, trust=trust, slot=slot, packages=packages)
    try:
        _play(submission.steps, assignment, student, result)
    finally:
        student.close()
    return result


def _play(steps: list, assignment: Assignment, student: Student, result: dict[str, Any]) -> None:
    names = {"__name__": "tests", **{name: student.function(name) for name in assignment.answers}}
    for number, (cell, source) in enumerate(steps):
        try:
            if cell is None or cell.role != "test":
                _run(cell, source, student, result)
            if cell is not None and cell.role == "locked":
                exec(compile(source, cell.name, "exec"), names)
            if cell is not None and cell.role == "test":
                _test(cell, names, student, result)
        except OutOfTime as stop:
            result["look"].append(f"crash: {stop}")
            left = [c for c, _ in steps[number:] if c is not None and c.role == "test"]
            result["failed"].update({c.name: str(stop) for c in left})
            return


def _run(cell: Any, source: str, student: Student, result: dict[str, Any]) -> None:
    """Run a cell of the student's; what goes wrong is kept for the feedback."""
    name = "a cell of your own" if cell is None else cell.name
    try:
        error = student.run(source)
    except OutOfTime:
        raise
    except Stopped as stop:
        result["errors"].append([name, "", str(stop)])
        result["look"].append(f"crash: {name} {stop}")
        return
    if error is not None:
        result["errors"].append([name, *error])


def _test(cell: Any, names: dict[str, Any], student: Student, result: dict[str, Any]) -> None:
    """Run a test cell; it gives all its points or none."""
    try:
        with student.a_cell():
            exec(compile(cell.source, cell.name, "exec"), names)
    except OutOfTime:
        raise
    except Stopped as stop:
        result["failed"][cell.name] = str(stop)
        result["look"].append(f"crash: {cell.name}: your function {stop}")
    except Exception as error:
        result["failed"][cell.name] = f"{type(error).__name__}: {error}"[:500]
    else:
        result["marks"][cell.name] = cell.points


def main() -> None:
    """Judge one submission in a process of its own, and write the result as JSON, whole or not at all."""
    parser = argparse.ArgumentParser(prog="python -m grading.judge", description=main.__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("slug")
    parser.add_argument("result", type=Path)
    parser.add_argument("--assignments", type=Path, default=FOLDER)
    parser.add_argument("--limits", type=json.loads, default={})
    parser.add_argument("--slot", type=int, default=0)
    parser.add_argument("--trust", action="store_true")
    options = parser.parse_args()
    assignment = load(options.slug, options.assignments)
    limits = Limits(**options.limits)
    result = judge(options.path, assignment, limits, trust=options.trust, slot=options.slot)
    part = options.result.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1, sort_keys=True), encoding="utf8")
    os.replace(part, options.result)


if __name__ == "__main__":
    main()
