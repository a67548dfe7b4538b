"""The table in which a person marks what students answered in words; the next run adds these points.

One line per student and question, with the answer. `points` is empty until somebody fills it in.
"""

import csv
import os
from pathlib import Path
from typing import Any

from .assignment import Assignment
from .report import number, plain

HEAD = ["student", "question", "of", "points", "answer"]
Given = dict[tuple[str, str], float]  # by the student, as the table has the name, and the question


def read(path: Path, assignment: Assignment) -> Given:
    """The points that are filled in, by a spreadsheet of any country."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines(keepends=True)
    head = lines[0] if lines else ""
    table = csv.DictReader(lines, delimiter=max(",;\t", key=head.count))
    if set(HEAD) - set(table.fieldnames or ()):
        raise ValueError(f"{path.name}: the first line must be {','.join(HEAD)}")
    given: Given = {}
    for row in table:
        student, question, points = (row[name] or "" for name in ("student", "question", "points"))
        if points.strip():
            given[student, question] = _points(path, assignment, student, question, points)
    return given


def _points(path: Path, assignment: Assignment, student: str, question: str, words: str) -> float:
    most = {cell.name: cell.points for cell in assignment.manual}
    if question not in most:
        raise ValueError(f"{path.name}: {student}: there is no question {question!r}")
    try:
        points = float(words.replace(",", "."))
    except ValueError:
        points = float("nan")
    if not 0 <= points <= most[question]:
        limits = f"a number from 0 to {number(most[question])}"
        raise ValueError(f"{path.name}: {student}: points of {question} must be {limits}, not {words!r}")
    return points


def add(result: dict[str, Any], given: Given) -> None:
    """Put the points into a result, and take their questions off the list of what needs a person."""
    who = plain(result["student"])
    result["by hand"] = {question: points for (name, question), points in given.items() if name == who}
    done = tuple(f"manual points: {question}," for question in result["by hand"])
    result["look"] = [note for note in result["look"] if not note.startswith(done or "\0")]


def write(path: Path, assignment: Assignment, results: list[dict[str, Any]], given: Given) -> None:
    """Write the table with what is filled in, whoever else it was for; never half of it."""
    rows, left = [], dict(given)
    for result in results:
        for cell in assignment.manual:
            who = plain(result["student"])
            points = left.pop((who, cell.name), None)
            answer = plain(result.get("words", {}).get(cell.name, ""))
            filled = "" if points is None else number(points)
            rows.append([who, cell.name, number(cell.points), filled, answer])
    rows += [[who, question, "", number(points), ""] for (who, question), points in left.items()]
    if not rows:
        return
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([HEAD, *rows])
    os.replace(part, path)
