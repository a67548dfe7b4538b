"""What a notebook of the book must be like: each rule returns its complaints, if it has any."""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from fold_solutions import fold
from nbformat import NotebookNode
from reading_time import WIDEST

ROOT = Path(__file__).resolve().parent.parent
SHORTEST_ALT = 40  # characters

ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
UNSEEN = {"remove-cell", "remove-output", "hide-output"}
REFUSED_MIMES = ("application/json", "application/javascript", "application/vnd.", "image/svg+xml")
LAST_SECTIONS = ["Exercises", "Summary", "Further reading"]


def read_text(path: Path) -> NotebookNode:
    """The notebook that a chapter's text stands for."""
    return jupytext.read(path, fmt="md:myst")


def drift(text: NotebookNode, notebook: NotebookNode) -> list[str]:
    """Cells whose kind, source or metadata differ between text and notebook, but for what is folded."""
    if len(text.cells) != len(notebook.cells):
        return [f"the text has {len(text.cells)} cells, the notebook {len(notebook.cells)}"]
    return [
        f"cell {number}: {what} differs from the text"
        for number, (ours, theirs) in enumerate(zip(text.cells, notebook.cells, strict=True))
        for what in ("cell_type", "source", "metadata")
        if unfolded(ours[what]) != unfolded(theirs[what])
    ]


def unfolded(part: object) -> object:
    """Metadata without what is folded in JupyterLab; anything else as it is."""
    return {key: part[key] for key in part if key != "jupyter"} if isinstance(part, dict) else part


def solutions_left_open(notebook: NotebookNode) -> list[str]:
    """Cells of solutions that JupyterLab would show open."""
    fresh = nbformat.from_dict(notebook)
    fold(fresh)
    return [
        f"code cell {number} is not folded as it should be"
        for number, (have, want) in enumerate(
            zip(code_cells(notebook), code_cells(fresh), strict=True), start=1
        )
        if have.metadata != want.metadata
    ]


def strip_flags() -> list[str]:
    """The flags with which the Makefile normalizes notebooks."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    (flags,) = re.findall(r"/nbstripout (.+) \$\(NOTEBOOKS\)", makefile)
    keep, keys = re.fullmatch(r'(.+) --extra-keys "(.+)"', flags).groups()
    return [*keep.split(), "--extra-keys", keys]


def normalization(paths: list[Path]) -> list[str]:
    """Notebooks that `make notebooks` would write differently."""
    run = subprocess.run(
        [sys.executable, "-m", "nbstripout", "--verify", *strip_flags(), *map(str, paths)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return [f"{run.stdout}{run.stderr}"] if run.returncode else []


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(output: NotebookNode) -> dict[str, object]:
    """What an output shows, by MIME type; a stream's is called ``text``."""
    return output.get("data") or {"text": output.get("text", "")}


def metadata(notebook: NotebookNode) -> list[str]:
    """Notebook metadata that depends on the machine."""
    return [f"metadata {key!r} was not removed" for key in notebook.metadata if key != "kernelspec"]


def outputs(notebook: NotebookNode) -> list[str]:
    """Cells out of order, and outputs that show a mistake or cannot come out alike again."""
    complaints = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != number:
            complaints.append(f"code cell {number} has execution count {cell.execution_count}")
        for output in cell.outputs:
            if output.output_type == "error":
                complaints.append(f"code cell {number} holds an error: {output.ename}")
            elif output.get("name") == "stderr":
                complaints.append(f"code cell {number} writes to stderr: {output.text.strip()}")
            if not UNSEEN & set(cell.metadata.get("tags", [])):
                complaints += wide_lines(number, output.get("text", ""))
            for mime, content in shown(output).items():
                if mime.startswith(REFUSED_MIMES):
                    complaints.append(f"code cell {number} has an output of type {mime}")
                if not mime.startswith("image/") and ADDRESS.search(str(content)):
                    complaints.append(f"code cell {number} shows a memory address")
    return complaints


def wide_lines(number: int, text: str) -> list[str]:
    """Printed lines that the page has to scroll."""
    return [
        f"code cell {number} prints a line of {len(line)} letters, at most {WIDEST} are allowed"
        for line in text.splitlines()
        if len(line) > WIDEST
    ]


def glued(notebook: NotebookNode) -> list[str]:
    """Values that are quoted and that no cell has glued, and those that say which type they have."""
    values = {
        output.metadata.scrapbook.name: str(output.data)
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "scrapbook" in output.get("metadata", {})
    }
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    quoted = set(re.findall(r"\{glue:\w*\}`([^`:]+)", prose))
    complaints = [f"{name} is quoted, and glued nowhere" for name in sorted(quoted - values.keys())]
    return complaints + [f"{name} is {value}" for name, value in values.items() if "np." in value]


def images(cell: NotebookNode) -> int:
    """How many pictures a code cell shows."""
    return sum(mime.startswith("image/") for output in cell.outputs for mime in shown(output))


def moves(cell: NotebookNode) -> bool:
    """Whether a code cell shows a figure that the reader moves."""
    return any('class="play"' in str(out.get("data", {}).get("text/html")) for out in cell.outputs)


def has_a_number(cell: NotebookNode) -> bool:
    """Whether the cell prints, shows, glues or asserts something that a test compares."""
    return "assert" in cell.source or any(
        not mime.startswith("image/") and not str(content).startswith("<Figure")
        for output in cell.outputs
        for mime, content in shown(output).items()
    )


def figures(notebook: NotebookNode, chapter: str) -> list[str]:
    """Pictures without alt text, caption, name, or a number beside them; a moving one has an alt."""
    complaints = []
    cells = code_cells(notebook)
    for index, cell in enumerate(cells):
        if not images(cell) and not moves(cell):
            continue
        where = f"code cell {index + 1}"
        style = cell.metadata.get("mystnb", {})
        alt = style.get("image", {}).get("alt", "")
        if images(cell) > 1:
            complaints.append(f"{where} shows more than one picture")
        if images(cell) and len(alt) < SHORTEST_ALT:
            complaints.append(f"{where}: the alt text {alt!r} says too little")
        if not style.get("figure", {}).get("caption"):
            complaints.append(f"{where}: the figure has no caption")
        name = style.get("figure", {}).get("name", "")
        if not name.startswith(f"fig-{chapter}-"):
            complaints.append(f"{where}: the name {name!r} doesn't start with fig-{chapter}-")
        if not any(has_a_number(near) for near in cells[max(index - 1, 0) : index + 2]):
            complaints.append(f"{where}: nothing near prints, glues or asserts a number")
    return complaints


def exercises(notebook: NotebookNode) -> list[str]:
    """Exercises without a solution, solutions without an exercise, solutions that never end."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    posed = re.findall(r"^:{3,}\{exercise\}.*\n:label: (\S+)", prose, flags=re.M)
    opened = re.findall(r"^`{3,}\{solution-start\} (\S+)", prose, flags=re.M)
    closed = re.findall(r"^`{3,}\{solution-end\}", prose, flags=re.M)
    solved = opened + re.findall(r"^[:`]{3,}\{solution\} (\S+)", prose, flags=re.M)
    complaints = [f"exercise {label} has no solution" for label in posed if label not in solved]
    complaints += [f"{label} solves no exercise" for label in solved if label not in posed]
    if len(posed) != len(re.findall(r"^[:`]{3,}\{exercise", prose, flags=re.M)):
        complaints.append("an exercise has no label, or is not written as in CONTRIBUTING.md")
    if len(opened) != len(closed):
        complaints.append(f"{len(opened)} solutions start, {len(closed)} end")
    return complaints


def last_sections(notebook: NotebookNode) -> list[str]:
    """Exercises, summary and further reading that are missing or in another order."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^## (.+)$", prose, flags=re.M)
    return [] if headings[-3:] == LAST_SECTIONS else [f"the last sections are {headings[-3:]}"]
