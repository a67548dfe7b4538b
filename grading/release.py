"""Make what students get: notebooks without solutions and hidden tests, and a zip of them.

nbgrader does the work, so that its own tools understand the notebooks, too. What it made is looked
through once more before it is written.
"""

import re
import zipfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .assignment import Assignment

SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
BOOK_LINK = re.compile(r"\[([^\]]+)\]\(book:([\w-]+)(#[\w-]+)?\)")
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip file of the same contents has the same bytes
SHORT = 12  # a shorter line of a solution may stand anywhere


def released(assignment: Assignment, site: str = "") -> NotebookNode:
    """The students' version of an assignment, with links into the book at the address `site`."""
    from nbgrader.preprocessors import (
        ClearHiddenTests,
        ClearOutput,
        ClearSolutions,
        ComputeChecksums,
        LockCells,
    )

    notebook = nbformat.from_dict(assignment.notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, site)
    for step in (ClearSolutions, LockCells, ClearHiddenTests, ClearOutput, ComputeChecksums):
        notebook, _ = step().preprocess(notebook, {})
    notebook.metadata = {
        "assignment": assignment.slug,
        "kernelspec": assignment.notebook.metadata["kernelspec"],
    }
    leaks = leaked(assignment, nbformat.writes(notebook))
    if leaks:
        raise ValueError(f"{assignment.slug}: the students' version would hold {leaks[0]!r}")
    nbformat.validate(notebook)
    return notebook


def linked(text: str, site: str) -> str:
    """Links into the book as links into the site, or as plain words where there is no site."""
    if not site:
        return BOOK_LINK.sub(r"*\1*", text)
    return BOOK_LINK.sub(rf"[\1]({site.rstrip('/')}/book/\2.html\3)", text)


def secrets(assignment: Assignment) -> list[str]:
    """The lines that must stay in the source: of solutions, of hidden tests, of answers."""
    texts = [part for cell in assignment.cells for part in SOLUTION.findall(cell.source)]
    texts += [cell.source for cell in assignment.manual]
    texts += [cell.source for cell in assignment.judged if cell.source != cell.shown]
    shown = [cell.shown for cell in assignment.cells if cell.role in ("text", "test", "locked")]
    shown += [SOLUTION.sub("", cell.source) for cell in assignment.cells if cell.role == "solution"]
    public = "\n".join(shown)
    lines = {line.strip() for text in texts for line in text.splitlines()}
    return sorted(line for line in lines if len(line) >= SHORT and line not in public)


def leaked(assignment: Assignment, text: str) -> list[str]:
    """The secrets that a file holds, and the markers around them."""
    plain = text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    found = [marker for marker in MARKERS if marker in plain]
    return found + [line for line in secrets(assignment) if line in plain]


def write(assignments: list[Assignment], folder: Path, site: str = "") -> list[Path]:
    """Write every notebook, and a zip file with all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with zipfile.ZipFile(folder / "assignments.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for assignment in assignments:
            text = nbformat.writes(released(assignment, site)) + "\n"
            path = folder / f"{assignment.slug}.ipynb"
            path.write_text(text, encoding="utf8")
            archive.writestr(zipfile.ZipInfo(path.name, EPOCH), text, zipfile.ZIP_DEFLATED)
            paths.append(path)
    return [*paths, folder / "assignments.zip"]
