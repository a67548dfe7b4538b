"""The page that a student gets back: points, and for each lost one the misconception and where to read.

It shows no hidden test and no message of one. What comes from the student is escaped.
"""

import html
import re
from pathlib import Path
from typing import Any

from .assignment import Assignment, Misconception
from .report import number, total

LONGEST = 200  # bytes of a file's name
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; vertical-align: top; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{student}: <strong>{points} of {most} points</strong>{manual}</p>
{parts}
</body>
</html>
"""


def page(assignment: Assignment, result: dict[str, Any], site: str = "") -> str:
    """The feedback for one submission; `site` is the address of the book, for links into it."""
    marks = result["marks"]
    lost = [row for row in assignment.misconceptions if not marks.get(row.cell)]
    parts = []
    if lost:
        parts.append("<h2>What to look at again</h2>\n<ul>")
        parts += [f"<li>{_lost(row, result, site)}</li>" for row in lost]
        parts.append("</ul>")
    helped = [cell for cell in assignment.judged if not cell.points and cell.name in result["failed"]]
    if helped:
        parts.append("<h2>Tests that you can see, and that fail</h2>\n<table>")
        parts += [_row(cell.name, result["failed"][cell.name]) for cell in helped]
        parts.append("</table>")
    if result["errors"]:
        parts.append("<h2>Errors in your cells</h2>\n<table>")
        parts += [_row(name, f"{kind}: {words}".lstrip(": ")) for name, kind, words in result["errors"]]
        parts.append("</table>")
    notes = [note for note in result["look"] if not note.startswith("manual")]
    if notes:
        parts.append("<h2>What your instructor will look at</h2>\n<ul>")
        parts += [f"<li>{html.escape(note)}</li>" for note in notes]
        parts.append("</ul>")
    given = result.get("by hand", {})
    done = [cell for cell in assignment.manual if cell.name in given]
    waiting = [cell for cell in assignment.manual if cell.name not in given]
    words = sum(cell.points for cell in waiting)
    if done:
        parts.append("<h2>What you answered in words</h2>\n<table>")
        parts += [_row(c.name, f"{number(given[c.name])} of {number(c.points)} points") for c in done]
        parts.append("</table>")
    return PAGE.format(
        title=html.escape(assignment.title),
        student=html.escape(result["student"]),
        points=number(total(result)),
        most=number(assignment.most + sum(cell.points for cell in done)),
        manual=f", and up to {number(words)} more for what you answered in words" if words else "",
        parts="\n".join(parts),
    )


def _lost(row: Misconception, result: dict[str, Any], site: str) -> str:
    points = f"{number(row.points)} point{'s' if row.points != 1 else ''}"
    where = f"chapter <em>{html.escape(row.read.replace('-', ' ').capitalize())}</em>"
    if row.section:
        where += f", section <em>{html.escape(row.section)}</em>"
    if site:
        anchor = re.sub(r"[^\w]+", "-", row.section.lower()).strip("-")
        address = f"{site.rstrip('/')}/book/{row.read}.html" + (f"#{anchor}" if anchor else "")
        where = f'<a href="{html.escape(address)}">{where}</a>'
    why = result["failed"].get(row.cell, "")
    raised = (
        " Your function took too long, or ended its process."
        if why.startswith(("took", "ended"))
        else ""
    )
    return f"{points} ({html.escape(row.cell)}): {html.escape(row.words)}.{raised} Read {where}."


def _row(name: str, words: str) -> str:
    return f"<tr><th>{html.escape(name)}</th><td><pre>{html.escape(words)}</pre></td></tr>"


def write(folder: Path, assignment: Assignment, results: list[dict[str, Any]], site: str = "") -> None:
    """Write one page per student, under the name that Moodle or Canvas knows, or a safe one."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for result in results:
        name = _file_name(result, assignment.slug)
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        (folder / f"{name}.html").write_text(page(assignment, result, site), encoding="utf8")


def _file_name(result: dict[str, Any], slug: str) -> str:
    if result.get("page"):
        name = re.sub(r"[\x00-\x1f]", "_", result["page"]) + slug
        if len(name.encode("utf8", "replace")) < LONGEST:
            return name
    name = re.sub(r"[^\w.-]+", "_", result["student"]).strip(".") or "student"
    return name.encode("utf8", "replace")[:LONGEST].decode("utf8", "ignore")
