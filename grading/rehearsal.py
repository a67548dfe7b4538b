"""Grade an assignment's own solution and its untouched notebook, before students meet its tests."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from .assignment import Assignment
from .judge import judge
from .limits import Limits
from .release import released


def solved(assignment: Assignment) -> dict[str, Any]:
    """The notebook with all solutions, as the JSON that Jupyter stores; hidden tests are left out."""
    notebook = copy.deepcopy(assignment.notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.source = assignment.by_name[cell.id].shown
    return json.loads(nbformat.writes(notebook, split_lines=False))


def untouched(assignment: Assignment) -> dict[str, Any]:
    """The notebook as students get it."""
    return json.loads(nbformat.writes(released(assignment), split_lines=False))


def complaints(assignment: Assignment, limits: Limits, *, trust: bool) -> list[str]:
    """The points that the solution loses, and those that the untouched notebook gets."""
    found = []
    for make, wanted, words in (
        (solved, lambda cell: cell.points, "the solution does not pass"),
        (untouched, lambda cell: 0.0, "the untouched notebook passes"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "notebook.ipynb"
            path.write_text(json.dumps(make(assignment)), encoding="utf8")
            result = judge(path, assignment, limits, trust=trust)
        for cell in assignment.judged:
            if result["marks"][cell.name] != wanted(cell):
                why = result["failed"].get(cell.name, "")
                found.append(f"{assignment.slug}: {words} {cell.name}" + (f" ({why})" if why else ""))
    return found
