"""Read what a student handed in, and put it together with the source, where all tests come from.

A submission is only a file of text here. Nothing of it runs.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .assignment import Assignment, Cell

SELF_CHECK = "your-tests-so-far"  # marks the cell that the release adds; it is not judged
MOST = {"{": 2_000_000, "[": 10_000_000, ",": 40_000_000}
"""Signs in a file. With more of them, what they stand for might not fit into the memory."""


class UnreadableError(ValueError):
    """A file that is no notebook of this assignment."""


@dataclass
class Submission:
    """What to run, cell by cell, and what a person should look at."""

    steps: list[tuple[Cell | None, str]] = field(
        default_factory=list
    )  # None: a cell of the student's own
    words: dict[str, str] = field(default_factory=dict)  # answers that a person marks
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """A cell as the student handed it in, without outputs; its name says where it came from."""

    kind: str
    name: str | None
    source: str


@dataclass(frozen=True)
class Notebook:
    """What is left of a notebook of any version, and which assignment it says it is."""

    assignment: str | None
    parts: list[Part]


def read_notebook(path: Path, largest: int) -> Notebook:
    """Read a notebook that may be anything. What is not needed is not looked at."""
    if path.is_symlink() or not path.is_file():
        raise UnreadableError("it is no file")
    if path.stat().st_size > largest:
        raise UnreadableError(f"it is larger than {largest} bytes")
    try:
        text = path.read_text(encoding="utf8")
        for sign, most in MOST.items():
            if text.count(sign) > most:
                raise UnreadableError(f"it holds more than {most} signs {sign}")
        raw = json.loads(text)
        version = raw["nbformat"]
        if type(version) is not int or not 1 <= version <= 4:
            raise UnreadableError(f"it is a notebook of version {version!r}")
        if version < 4:
            import nbformat  # takes two seconds

            raw = nbformat.convert(nbformat.from_dict(raw), 4)
        named = raw.get("metadata", {}).get("assignment")
        parts = [_part(cell) for cell in raw["cells"] if not _is_self_check(cell)]
        return Notebook(named if isinstance(named, str) else None, parts)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(f"it is no notebook ({type(error).__name__})") from error


def _is_self_check(cell: dict) -> bool:
    return cell.get("metadata", {}).get("assignment") == SELF_CHECK


def _part(cell: dict) -> Part:
    source = cell.get("source", "")
    source = "".join(source) if isinstance(source, list) else str(source)
    marks = cell.get("metadata", {}).get("nbgrader", {})
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return Part(str(cell["cell_type"]), name if isinstance(name, str) else None, source)


def slug_of(path: Path, assignments: list[Assignment], largest: int) -> str | None:
    """Which assignment a notebook belongs to: by its metadata, or by the names of its cells."""
    notebook = read_notebook(path, largest)
    known = {assignment.slug for assignment in assignments}
    if notebook.assignment is not None:
        return notebook.assignment if notebook.assignment in known else None
    names = {part.name for part in notebook.parts} - {None}
    best = max(assignments, key=lambda one: len(names & set(one.by_name)), default=None)
    return best.slug if best is not None and names & set(best.by_name) else None


def read(path: Path, assignment: Assignment, largest: int) -> Submission:
    """Put a student's notebook and the source together."""
    notebook = read_notebook(path, largest)
    if notebook.assignment not in (None, assignment.slug):
        raise UnreadableError(f"it is a notebook of another assignment ({notebook.assignment[:60]})")
    theirs, own, submission = _sorted_out(notebook, assignment)
    if not theirs:
        raise UnreadableError("none of its cells belongs to this assignment")
    submission.steps += [(None, source) for source in own[None]]
    for cell in assignment.cells:
        sources = theirs.get(cell.name, [])
        if cell.role != "text":
            _note(cell, sources, submission)
        if cell.role in ("test", "locked"):
            submission.steps.append((cell, cell.source))
        elif cell.role == "solution":
            submission.steps += [(cell, source) for source in sources]
        elif cell.role == "manual":
            submission.words[cell.name] = "\n\n".join(sources)
        submission.steps += [(None, source) for source in own[cell.name]]
    return submission


def _sorted_out(
    notebook: Notebook, assignment: Assignment
) -> tuple[dict[str, list[str]], dict[str | None, list[str]], Submission]:
    """The sources of our cells by name, and those of the student's own by the cell that they follow."""
    theirs, own = defaultdict(list), defaultdict(list)
    last: str | None = None
    for part in notebook.parts:
        if part.name in assignment.by_name:
            theirs[part.name].append(part.source)
            last = part.name
        elif part.kind == "code" and part.source.strip():
            own[last].append(part.source)
    return theirs, own, Submission()


def _note(cell: Cell, sources: list[str], submission: Submission) -> None:
    if not sources:
        submission.notes.append(f"deleted cell: {cell.name}")
    if len(sources) > 1:
        submission.notes.append(f"duplicated cell: {cell.name}")
    if cell.role in ("test", "locked") and any(
        _bare(source) not in (_bare(cell.shown), _bare(cell.source)) for source in sources
    ):
        submission.notes.append(f"changed cell: {cell.name}")


def _bare(source: str) -> str:
    """A source without the blanks that editors change."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
