"""Fold the cells of solutions in notebooks, as drop-downs do on the pages: ``make notebooks`` calls it.

JupyterLab shows a folded cell as three dots, which open with a click. The text knows nothing of it.
"""

import sys
from pathlib import Path

import nbformat

FOLDED = {"source_hidden": True, "outputs_hidden": True}


def fold(notebook: nbformat.NotebookNode) -> None:
    """Fold every code cell between the start and the end of a solution, and no other."""
    inside = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            start, end = (cell.source.rfind(f"{{solution-{mark}}}") for mark in ("start", "end"))
            inside = start > end if max(start, end) >= 0 else inside
        elif inside:
            cell.metadata["jupyter"] = FOLDED
        else:
            cell.metadata.pop("jupyter", None)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        notebook = nbformat.read(path, as_version=4)
        fold(notebook)
        nbformat.write(notebook, path)
