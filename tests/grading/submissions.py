"""Notebooks as students might hand them in, made from the source of an assignment."""

import json
from pathlib import Path

from grading import sandbox
from grading.assignment import Assignment, load
from grading.judge import judge
from grading.limits import Limits
from grading.rehearsal import solved as solved
from grading.rehearsal import untouched as untouched

QUICK = Limits(cell=4, submission=40)
NO_SANDBOX = sandbox.missing()


def place(notebook: dict, name: str) -> int:
    """Where the cell of that name stands."""
    return next(k for k, cell in enumerate(notebook["cells"]) if cell.get("id") == name)


def with_source(notebook: dict, name: str, source: str) -> dict:
    """The notebook with another text in one cell."""
    notebook["cells"][place(notebook, name)]["source"] = source
    return notebook


def with_change(notebook: dict, name: str, old: str, new: str) -> dict:
    """The notebook with some words of a cell replaced by others."""
    source = notebook["cells"][place(notebook, name)]["source"]
    assert source.count(old) == 1, (name, old)
    return with_source(notebook, name, source.replace(old, new))


def with_cell(notebook: dict, source: str, before: str) -> dict:
    """The notebook with a cell of the student's own."""
    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    notebook["cells"].insert(place(notebook, before), cell)
    return notebook


def marked(notebook: dict | str, assignment: Assignment, folder: Path, limits: Limits = QUICK) -> dict:
    """The result for a notebook, or for a file with any text."""
    path = folder / "handed-in.ipynb"
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf8")
    return judge(path, assignment, limits, trust=NO_SANDBOX is not None)


def lost(result: dict, assignment: Assignment) -> set[str]:
    """The tests that gave less than they are worth; each gives all its points or none."""
    worth = {cell.name: cell.points for cell in assignment.judged}
    assert all(result["marks"][name] in (0, worth[name]) for name in worth)
    return {row.cell for row in assignment.misconceptions if not result["marks"][row.cell]}


ADAPTIVE = load("adaptive-steps")
EVERY = {row.cell for row in ADAPTIVE.misconceptions}
