"""Write what came out: marks and misconceptions as CSV, a picture of them, and what to look at."""

import csv
from pathlib import Path
from typing import Any

from .assignment import Assignment
from .exports import readable

CHARACTERS = 80  # of a misconception, in the picture


def number(value: float) -> str:
    """A number of points, whole ones without a decimal point."""
    return f"{value:g}"


def plain(words: str) -> str:
    """Words that can be written, and that no spreadsheet takes for a formula."""
    words = readable(words)
    return "'" + words if words[:1] in ("=", "+", "-", "@", "\t", "\r") else words


def total(result: dict[str, Any]) -> float:
    """All points of a student so far, by tests and by hand."""
    return sum(result["marks"].values()) + sum(result.get("by hand", {}).values())


def write_marks(path: Path, assignment: Assignment, results: list[dict[str, Any]]) -> None:
    """One line per student: the points, and those of each misconception."""
    cells = [row.cell for row in assignment.misconceptions]
    questions = [cell.name for cell in assignment.manual]
    most = assignment.most + sum(cell.points for cell in assignment.manual)
    with path.open("w", newline="", encoding="utf8") as file:
        table = csv.writer(file)
        table.writerow(["student", "points", "of", *cells, *questions, "to look at"])
        for result in results:
            marks = [result["marks"].get(cell, 0.0) for cell in cells]
            words = [result.get("by hand", {}).get(name) for name in questions]
            row = [number(total(result)), number(most), *map(number, marks)]
            row += ["" if points is None else number(points) for points in words]
            table.writerow([plain(result["student"]), *row, len(result["look"])])


def write_for_platforms(folder: Path, assignment: Assignment, results: list[dict[str, Any]]) -> None:
    """The points in the form in which Moodle and Canvas take them back, for who is known there.

    Moodle: the assignment's grading worksheet. Canvas: the gradebook's own form, with the title of the
    assignment as that of its column.
    """
    tables: dict[str, list[list[str]]] = {
        "moodle": [["Identifier", "Full name", "Grade", "Last modified (grade)"]],
        "canvas": [["Student", "ID", "SIS Login ID", "Section", assignment.title]],
    }
    for result in results:
        who, name = result["number"], plain(result["name"])
        points = number(total(result))
        if result["platform"] == "moodle":
            tables["moodle"].append([f"Participant {who}", name, points, "-"])
        elif result["platform"] == "canvas":
            tables["canvas"].append([name, who, "", "", points])
    for platform, table in tables.items():
        path = folder / f"{assignment.slug}-{platform}.csv"
        path.unlink(missing_ok=True)  # of an earlier run
        if len(table) > 1:
            with path.open("w", newline="", encoding="utf8") as file:
                csv.writer(file).writerows(table)


def write_misconceptions(path: Path, assignment: Assignment, results: list[dict[str, Any]]) -> None:
    """One line per misconception: who lost its points, and where the book treats it."""
    with path.open("w", newline="", encoding="utf8") as file:
        table = csv.writer(file)
        table.writerow(["test", "points", "lost by", "of", "misconception", "chapter", "section"])
        for row in assignment.misconceptions:
            lost = sum(not result["marks"].get(row.cell) for result in results)
            values = [row.cell, number(row.points), lost, len(results)]
            table.writerow([*values, row.words, row.read, row.section])


def write_to_look_at(path: Path, results: list[dict[str, Any]], unplaced: list[tuple]) -> int:
    """One line for everything that needs a person; how many there are."""
    rows = [(r["student"], r["slug"], note) for r in results for note in r["look"]]
    rows += [(student, "", f"{name}: {why}") for student, name, why in unplaced]
    with path.open("w", newline="", encoding="utf8") as file:
        table = csv.writer(file)
        table.writerow(["student", "assignment", "what to look at"])
        table.writerows([plain(word) for word in row] for row in rows)
    return len(rows)


def draw(path: Path, assignment: Assignment, results: list[dict[str, Any]]) -> None:
    """The distribution of the points, and below it the share of students who have each misconception."""
    from matplotlib.figure import Figure

    totals = [sum(result["marks"].values()) for result in results]
    rows = assignment.misconceptions
    figure = Figure(figsize=(8, 3 + 0.32 * len(rows)), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[2.5, 0.32 * len(rows)])
    above.hist(totals, bins=range(int(assignment.most) + 2), align="left", color="#0072b2", rwidth=0.8)
    above.set(xlabel=f"points, of {number(assignment.most)}", ylabel="students", title=assignment.title)
    above.set_xlim(-0.7, assignment.most + 0.7)
    above.yaxis.get_major_locator().set_params(integer=True)
    lost = [sum(not result["marks"].get(row.cell) for result in results) for row in rows]
    below.barh([row.cell for row in rows], lost, color="#d55e00")
    below.invert_yaxis()
    below.set(xlabel="students who lost the points", xlim=(0, max(len(results), 1)))
    below.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
