"""What the cells of an assignment are for.

- text: to be read; solution: filled in by the student; manual: answered in words, and marked by a
  person;
- locked: helpers that both sides run; test: a cell of asserts;
- free: code that says nothing of itself, which no source may hold.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode


def role_of(cell: "NotebookNode") -> str:
    """What a cell is for, by nbgrader's metadata."""
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("grade") and marks.get("solution"):
        return "manual"
    for mark, role in (("grade", "test"), ("solution", "solution"), ("locked", "locked")):
        if marks.get(mark):
            return role if cell.cell_type == "code" else "text"
    return "text" if cell.cell_type == "markdown" else "free"
