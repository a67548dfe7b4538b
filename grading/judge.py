"""Judge one submission: run the student's cells inside, and the test cells here, outside.

The test cells come from the source and run in this process. What they call is the student's, in the
sandbox: so nothing that a student's cell does to NumPy, to Python's builtins or to its own process
changes how it is judged.
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from .assignment import Assignment, from_plain
from .limits import Limits
from .student import OutOfTime, Stopped, Student
from .submission import UnreadableError, read

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"optimlib": ROOT / "optimlib"}  # what an assignment may need beside NumPy
ERRORS = 100  # of a submission, that are kept
ANSWER = 20_000  # characters of an answer in words


def judge(
    path: Path, assignment: Assignment, limits: Limits, *, trust: bool = False, slot: int = 0
) -> dict[str, Any]:
    """The marks of a submission, and what a person should look at."""
    marks = {cell.name: 0.0 for cell in assignment.judged}
    result: dict[str, Any] = {"marks": marks, "failed": {}, "errors": [], "look": []}
    try:
        submission = read(path, assignment, limits.notebook)
    except UnreadableError as error:
        result["look"].append(f"damaged: {error}")
        return result
    result["look"] += submission.notes
    result["words"] = {name: words[:ANSWER] for name, words in submission.words.items()}
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
                _outside(cell, source, names, student, result)  # it has failed inside, too, if it fails
            if cell is not None and cell.role == "test":
                failure = _outside(cell, cell.source, names, student, result)
                if failure is None:
                    result["marks"][cell.name] = cell.points
                else:
                    result["failed"][cell.name] = failure
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
    if error is not None and len(result["errors"]) < ERRORS:
        result["errors"].append([name, *error])


def _outside(
    cell: Any, source: str, names: dict[str, Any], student: Student, result: dict[str, Any]
) -> str | None:
    """Run a cell on this side; what failed, if anything did. What it calls is the student's."""
    try:
        with student.a_cell():
            exec(compile(source, cell.name, "exec"), names)
    except OutOfTime:
        raise
    except Stopped as stop:
        result["look"].append(f"crash: {cell.name}: your function {stop}")
        return str(stop)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]
    return None


def main() -> None:
    """Judge the job that standard input holds as JSON, and write the result to standard output."""
    job = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):  # a test may print
        result = judge(
            Path(job["path"]),
            from_plain(job["assignment"]),
            Limits(**job["limits"]),
            trust=job["trust"],
            slot=job["slot"],
        )
    sys.stdout.write(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    main()
