"""Sphinx extension: the cells of a page run in the page.

Every page made from a notebook says which of its cells it does not show (``remove-cell`` and
``remove-input``): what they define, the ones below may need. The script ``run/run.js`` reads it. A cell
with the tag ``own-machine`` runs in no page.
"""

import json
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

RUN = Path(__file__).resolve().parents[1] / "_static" / "run"
HIDING = {"remove-cell", "remove-input"}
OWN_MACHINE = "own-machine"
MEGABYTE = 1e6


def hidden_cells(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """The code cells that a page does not show: their source, and how many it shows before them."""
    hidden, shown = [], 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tags = set(cell.metadata.get("tags", []))
        if not HIDING & tags:
            shown += 1
        elif OWN_MACHINE not in tags:
            hidden.append({"at": shown, "source": cell.source})
    return hidden


def fetched_megabytes() -> float:
    """What a page fetches at the first click, but for the few files that are not counted on the way."""
    counted = [path for path in (RUN / "python").iterdir() if path.suffix in (".wasm", ".zip", ".whl")]
    return round(sum(path.stat().st_size for path in counted) / MEGABYTE, 1)


def add_cells(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add what `run.js` reads to a page that is made from a notebook."""
    path = Path(app.srcdir) / f"{pagename}.ipynb"
    if doctree is None or not path.exists():
        return
    cells = hidden_cells(nbformat.read(path, as_version=4))
    data = json.dumps({"megabytes": fetched_megabytes(), "hidden": cells}).replace("</", "<\\/")
    context["body"] += f'\n<script type="application/json" id="run-cells">{data}</script>\n'


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("html-page-context", add_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
