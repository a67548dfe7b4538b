"""An assignment: its one source, and the table of what each hidden test is worth and means.

`<slug>.md` is the notebook with solutions and hidden tests, in MyST form with nbgrader's metadata.
`<slug>.toml` beside it holds the table. An answer is what the student defines. A test that is worth
points has a misconception.
"""

import hashlib
import re
import tomllib
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .overlay import lay_over
from .roles import role_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent.parent / "book" / "assignments"
HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS$.*?^### END HIDDEN TESTS$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One cell of the source; what it is for is its role."""

    name: str
    role: str
    source: str
    points: float = 0.0

    @property
    def shown(self) -> str:
        """The source without what students must not see."""
        return HIDDEN.sub("", self.source).rstrip()


@dataclass(frozen=True)
class Misconception:
    """What a hidden test looks for: what it is worth, what it means to fail, and where to read."""

    cell: str
    points: float
    words: str
    read: str
    section: str


@dataclass(frozen=True)
class Assignment:
    """All that is known of an assignment."""

    slug: str
    title: str
    needs: tuple[str, ...]
    answers: tuple[str, ...]
    misconceptions: tuple[Misconception, ...]
    cells: tuple[Cell, ...]
    digest: str
    notebook: "NotebookNode | None" = None

    @cached_property
    def by_name(self) -> dict[str, Cell]:
        """The cells that have a name."""
        return {cell.name: cell for cell in self.cells}

    @property
    def judged(self) -> list[Cell]:
        """The test cells."""
        return [cell for cell in self.cells if cell.role == "test"]

    @property
    def manual(self) -> list[Cell]:
        """The cells that a person marks."""
        return [cell for cell in self.cells if cell.role == "manual"]

    @property
    def most(self) -> float:
        """The points that the tests give."""
        return sum(cell.points for cell in self.judged)


def load(slug: str, folder: Path = FOLDER, private: Path | None = None) -> Assignment:
    """Read an assignment, with an instructor's overlay, and check that its table and its cells agree."""
    import jupytext  # takes two seconds, which a judge does not need

    text, table = folder / f"{slug}.md", folder / f"{slug}.toml"
    for path in (text, table):
        if not path.is_file():
            known = sorted(path.stem for path in folder.glob("*.toml"))
            raise ValueError(f"slug: there is no assignment {slug!r}; there are {known}")
    notebook = jupytext.reads(text.read_text(encoding="utf8"), fmt="md:myst")
    settings = tomllib.loads(table.read_text(encoding="utf8"))
    data = text.read_bytes() + b"\0" + table.read_bytes()
    if private is not None:
        notebook, settings, more = lay_over(slug, notebook, settings, private)
        data += b"\0" + more
    cells = []
    for number, cell in enumerate(notebook.cells):
        marks = cell.metadata.get("nbgrader", {})
        name = marks.get("grade_id", f"text-{number}")
        cell.id = name
        cells.append(Cell(name, role_of(cell), cell.source, float(marks.get("points", 0))))
    notebook.metadata["assignment"] = slug
    misconceptions = tuple(_misconception(slug, row) for row in settings["misconception"])
    _agree(slug, cells, misconceptions)
    return Assignment(
        slug,
        settings["title"],
        tuple(settings["needs"]),
        tuple(settings["answers"]),
        misconceptions,
        tuple(cells),
        hashlib.sha256(data).hexdigest(),
        notebook,
    )


def _misconception(slug: str, row: dict[str, Any]) -> Misconception:
    wanted = {field.name for field in fields(Misconception)}
    if set(row) != wanted:
        raise ValueError(f"{slug}: the row {row.get('cell')!r} has {sorted(row)}, not {sorted(wanted)}")
    return Misconception(**row)


def plain(assignment: Assignment) -> dict[str, Any]:
    """What a judge needs of an assignment, as it is written to JSON."""
    table = {field.name: getattr(assignment, field.name) for field in fields(assignment)}
    for name in ("cells", "misconceptions"):
        table[name] = [asdict(row) for row in table[name]]
    return {**table, "notebook": None}


def from_plain(table: dict[str, Any]) -> Assignment:
    """The assignment that `plain` wrote."""
    kinds = {"cells": Cell, "misconceptions": Misconception}
    rows = {name: tuple(kind(**row) for row in table[name]) for name, kind in kinds.items()}
    names = {name: tuple(table[name]) for name in ("needs", "answers")}
    return Assignment(**{**table, **rows, **names})


def _agree(slug: str, cells: list[Cell], misconceptions: tuple[Misconception, ...]) -> None:
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise ValueError(f"{slug}: two cells have the same grade_id")
    free = [cell.source for cell in cells if cell.role == "free"]
    if free:
        raise ValueError(f"{slug}: a code cell is neither locked, solution nor test: {free[0]!r}")
    worth = {cell.name: cell.points for cell in cells if cell.role == "test" and cell.points}
    table = {row.cell: float(row.points) for row in misconceptions}
    names = sorted(name for name in worth | table if worth.get(name) != table.get(name))
    if names:
        cell, row = ({name: points.get(name) for name in names} for points in (worth, table))
        raise ValueError(f"{slug}: the points of the cells are {cell}, those of the table {row}")
    if len(table) < len(misconceptions):
        raise ValueError(f"{slug}: two rows of the table belong to the same cell")


def all_slugs(folder: Path = FOLDER) -> list[str]:
    """The assignments that are there."""
    return sorted(path.stem for path in folder.glob("*.toml"))
