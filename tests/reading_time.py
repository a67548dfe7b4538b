"""How long a chapter takes to read, by one formula: ``python tests/reading_time.py`` prints a table.

Prose is read at 180 words a minute and visible code at 12 lines a minute. A quarter is added for
equations, figures and predictions. The exercises, with their solutions, are left out, and so are the
numbers of the ledger's entries below a box.
"""

import re
import sys
from pathlib import Path

import jupytext

WORDS, LINES = 180, 12
MOST = 50  # minutes
LONGEST = 20  # lines of a visible cell
WIDEST = 88  # letters of a line of code or output: what the column shows beside the contents list
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}

EXERCISE = re.compile(r"^(:{3,}|`{3,})\{(exercise|solution)\}.*?^\1$", re.DOTALL | re.MULTILINE)
SOLUTION_START = re.compile(r"^`{3,}\{solution-start\}", re.MULTILINE)
SOLUTION_END = re.compile(r"^`{3,}\{solution-end\}", re.MULTILINE)
MARKUP = re.compile(
    r"^:[a-z-]+:.*$|^[:`]{3,}.*$|^\([\w-]+\)=$|^\*In the ledger:\*.*$|\{[a-z:]+\}", re.MULTILINE
)
EQUATION = re.compile(r"^(`{3,}|:{3,})\{math\}.*?^\1$|\$\$.*?\$\$", re.DOTALL | re.MULTILINE)


def is_visible(cell):
    """Whether a reader sees the code of a cell at once."""
    return cell.cell_type == "code" and not HIDDEN & set(cell.metadata.get("tags", []))


def measure(text):
    """Words of prose and visible lines of code, without exercises: of a notebook."""
    words = lines = 0
    in_solution = False
    for cell in text.cells:
        if cell.cell_type == "markdown":
            if in_solution and not SOLUTION_END.search(cell.source):
                continue
            prose = cell.source
            if SOLUTION_END.search(prose):
                prose, in_solution = SOLUTION_END.split(prose, maxsplit=1)[-1], False
            prose = EQUATION.sub("", EXERCISE.sub("", prose))
            if SOLUTION_START.search(prose):
                prose, in_solution = SOLUTION_START.split(prose, maxsplit=1)[0], True
            words += len(MARKUP.sub("", prose).split())
        elif (
            cell.cell_type == "code"
            and not in_solution
            and not HIDDEN & set(cell.metadata.get("tags", []))
        ):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    return words, lines


def minutes(words, lines):
    """What the formula says."""
    return 1.25 * (words / WORDS + lines / LINES)


def promised(text):
    """The minutes that the head of a chapter promises, or None."""
    found = re.search(
        r"\*\*It takes\*\* about (\d+) minutes", "\n".join(cell.source for cell in text.cells)
    )
    return int(found[1]) if found else None


def complaints(text):
    """A promise that is missing, more than a fifth off, or too long."""
    needed, said = minutes(*measure(text)), promised(text)
    if said is None:
        return [f"the head promises no time; it takes {needed:.0f} minutes"]
    found = []
    if abs(said - needed) > 0.2 * needed:
        found.append(f"the head promises {said} minutes; it takes {needed:.0f}")
    if max(said, needed) > MOST:
        found.append(f"it takes {needed:.0f} minutes; at most {MOST} are allowed")
    return found


def long_cells(text):
    """Visible cells of more than 20 lines."""
    return [
        f"a visible cell has {length} lines, at most {LONGEST} are allowed: {cell.source[:60]!r}"
        for cell in text.cells
        if is_visible(cell) and (length := len(cell.source.splitlines())) > LONGEST
    ]


def wide_lines(text):
    """Lines of visible code that the page has to scroll."""
    return [
        f"a visible line has {len(line)} letters, at most {WIDEST} are allowed: {line.strip()[:60]!r}"
        for cell in text.cells
        if is_visible(cell)
        for line in cell.source.splitlines()
        if len(line) > WIDEST
    ]


if __name__ == "__main__":
    for path in sorted(Path("book/text").glob(f"{sys.argv[1] if len(sys.argv) > 1 else '*'}.md")):
        chapter = jupytext.read(path, fmt="md:myst")
        words, lines = measure(chapter)
        print(
            f"{path.stem:35} {words:6} words {lines:4} lines {minutes(words, lines):5.0f} minutes",
            promised(chapter),
        )
        for complaint in long_cells(chapter) + wide_lines(chapter):
            print("   ", complaint)
