"""An instructor's own cells in the place of the public ones: other numbers, other hidden tests.

An overlay is a folder outside of the repository. `<slug>.md` in it holds only the cells that differ, in
the form of the source: a cell whose grade_id is known replaces the public one, and a text without a
grade_id the public text that begins with the same line. A cell with a new grade_id must be a test that
is worth points; it comes behind the cell that precedes it in the overlay. `<slug>.toml` holds the rows
of the table that differ, and those of the new tests.
"""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .roles import role_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

SETTINGS = {"title", "needs", "answers", "misconception"}


def check(private: Path, slugs: list[str]) -> None:
    """Refuse an overlay that is not there, or that is for no assignment of ours."""
    if not private.is_dir():
        raise ValueError(f"PRIVATE: there is no folder {private}")
    files = [path for path in sorted(private.iterdir()) if path.suffix in {".md", ".toml"}]
    for path in files:
        if path.stem not in slugs:
            raise ValueError(f"PRIVATE: {path.name} belongs to no assignment; there are {slugs}")
    if not files:
        raise ValueError(f"PRIVATE: {private} holds no <assignment>.md or <assignment>.toml")


def lay_over(
    slug: str, notebook: "NotebookNode", settings: dict[str, Any], private: Path
) -> tuple["NotebookNode", dict[str, Any], bytes]:
    """The notebook and the settings with the instructor's own in them, and the bytes of these."""
    import jupytext

    text, table = private / f"{slug}.md", private / f"{slug}.toml"
    data = [path.read_bytes() if path.is_file() else b"" for path in (text, table)]
    rows = _settings(table.name, data[1])
    new = {row["cell"] for row in rows.get("misconception", [])}
    ours = jupytext.reads(data[0].decode("utf8"), fmt="md:myst")
    notebook.cells = _cells(text.name, notebook.cells, ours.cells if data[0] else [], new)
    return notebook, _merged(settings, rows), b"\0".join(data)


def _settings(name: str, data: bytes) -> dict[str, Any]:
    try:
        rows = tomllib.loads(data.decode("utf8"))
    except ValueError as error:
        raise ValueError(f"PRIVATE: {name}: {error}") from None
    if set(rows) - SETTINGS:
        raise ValueError(f"PRIVATE: {name}: unknown settings {sorted(set(rows) - SETTINGS)}")
    if any("cell" not in row for row in rows.get("misconception", [])):
        raise ValueError(f"PRIVATE: {name}: a misconception does not say which cell it belongs to")
    return rows


def _merged(settings: dict[str, Any], rows: dict[str, Any]) -> dict[str, Any]:
    table = {row["cell"]: row for row in settings["misconception"]}
    for row in rows.get("misconception", []):
        table[row["cell"]] = {**table.get(row["cell"], {}), **row}
    return {**settings, **rows, "misconception": list(table.values())}


def _cells(name: str, public: list, ours: list, new: set[str]) -> list:
    """The public cells, with ours in their places and the new ones between them."""
    cells = list(public)
    last, taken = None, set()
    for cell in ours:
        called = _called(cell)
        place = next((k for k, other in enumerate(cells) if _called(other) == called), None)
        if called in taken:
            raise ValueError(f"PRIVATE: {name}: two cells are called {called!r}")
        if place is not None and role_of(cell) != role_of(cells[place]):
            roles = f"{role_of(cell)}, and in the public source {role_of(cells[place])}"
            raise ValueError(f"PRIVATE: {name}: the role of {called!r} is {roles}")
        if place is not None:
            cells[place] = cell
        elif called not in new or role_of(cell) != "test":
            raise ValueError(
                f"PRIVATE: {name}: the public source has no cell {called!r}; a new one must be a test, "
                "and needs a row in the table beside it"
            )
        elif last is None:
            raise ValueError(f"PRIVATE: {name}: {called!r} is new; put it behind a cell that is known")
        else:
            behind = next(k for k, other in enumerate(cells) if _called(other) == last)
            cells.insert(behind + 1, cell)
        taken.add(called)
        last = called
    return cells


def _called(cell: "NotebookNode") -> str:
    """By what a cell is found: its grade_id, or else its first line."""
    first = cell.source.strip().partition("\n")[0]
    return cell.metadata.get("nbgrader", {}).get("grade_id", first)
