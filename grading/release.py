"""Make what students get: notebooks without solutions and hidden tests, and a zip of them.

The notebooks are what nbgrader would make, so that its own tools understand them, and two things more: a
test that students see does not stop *Run All Cells*, and the last cell says what all of these tests say.
What was made is looked through once more before it is written.
"""

import copy
import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .assignment import HIDDEN, Assignment
from .roles import role_of
from .submission import SELF_CHECK

ROOT = Path(__file__).resolve().parent.parent
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION$.*?### END SOLUTION$", re.DOTALL | re.MULTILINE)
STUBS = {"code": "# YOUR CODE HERE\nraise NotImplementedError()", "markdown": "YOUR ANSWER HERE"}
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
BOOK_LINK = re.compile(r"\[([^\]]+)\]\(book:([\w-]+)(#[\w-]+)?\)")
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip file of the same contents has the same bytes
SHORT = 12  # a shorter line of a solution may stand anywhere

NEEDS_OPTIMLIB = """\
**This assignment needs `optimlib`**, the package that comes with the book, beside NumPy. {how}
The `optimlib` on the public Python package index is a different project."""
OWN_TESTS = """\
## Your tests so far

Before you hand in: *Restart Kernel and Run All Cells*, then read what the next cell prints."""
RUN_TESTS = """\
# This cell runs every test that you can see once more. It changes nothing.
_tests = {{
{tests}
}}
_passed = 0
for _name, _test in _tests.items():
    try:
        exec(compile(_test, _name, "exec"), dict(globals()))
    except Exception as _error:
        print(f"{{_name}}: " + f"{{type(_error).__name__}}: {{_error}}".rstrip(": "))
    else:
        print(f"{{_name}}: passed")
        _passed += 1
print(f"{{_passed}} of the {{len(_tests)}} tests that you can see passed. Hidden tests give the points.")
"""


def released(assignment: Assignment, site: str = "") -> NotebookNode:
    """The students' version of an assignment, with links into the book at the address `site`."""
    notebook = copy.deepcopy(assignment.notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.source = _public(cell)
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, site)
        else:
            cell.outputs, cell.execution_count = [], None
        if "nbgrader" in cell.metadata:
            _lock(cell)
    notebook.cells += _self_check(assignment)
    if "optimlib" in assignment.needs:
        notebook.cells.insert(1, _about_optimlib(site))
    notebook.metadata = {
        "assignment": assignment.slug,
        "kernelspec": assignment.notebook.metadata["kernelspec"],
    }
    notebook = nbformat.from_dict(notebook)
    leaks = leaked(assignment, nbformat.writes(notebook))
    if leaks:
        raise ValueError(f"{assignment.slug}: the students' version would hold {leaks[0]!r}")
    nbformat.validate(notebook)
    return notebook


def _public(cell: NotebookNode) -> str:
    """The source of a cell with stubs in the place of solutions, and without hidden tests."""
    stub = STUBS.get(cell.cell_type, "")
    if REGION.search(cell.source):
        return REGION.sub(lambda region: _indented(stub, region[1]), cell.source)
    if role_of(cell) in ("solution", "manual"):
        return stub
    return HIDDEN.sub("", cell.source).rstrip("\n")


def _indented(text: str, indent: str) -> str:
    """Every line of a text behind an indent."""
    return "\n".join(indent + line for line in text.splitlines())


def _lock(cell: NotebookNode) -> None:
    """Say which cells students do not edit, and add the checksum by which nbgrader sees changes.

    A test that students see may fail without stopping *Run All Cells*.
    """
    marks, role = cell.metadata.nbgrader, role_of(cell)
    cell.metadata["deletable"] = False
    if role in ("test", "locked"):
        cell.metadata["editable"] = False
    if role == "test" and not marks["points"]:
        cell.metadata["tags"] = ["raises-exception"]
    flags = [str(bool(marks.get(name))) for name in ("grade", "solution", "locked")]
    parts = [cell.source, cell.cell_type, *flags, marks["grade_id"]]
    parts += [str(float(marks["points"]))] if marks["grade"] else []
    marks["checksum"] = hashlib.md5("".join(parts).encode()).hexdigest()
    marks["cell_type"] = cell.cell_type


def _self_check(assignment: Assignment) -> list[NotebookNode]:
    """A last cell that runs the tests that students see; the judge leaves it out."""
    seen = [cell for cell in assignment.judged if not cell.points]
    tests = "\n".join(f"    {cell.name!r}: {cell.shown!r}," for cell in seen)
    metadata = {"assignment": SELF_CHECK, "editable": False, "jupyter": {"source_hidden": True}}
    code = nbformat.v4.new_code_cell(RUN_TESTS.format(tests=tests).rstrip(), id=SELF_CHECK)
    return [
        nbformat.v4.new_markdown_cell(OWN_TESTS, id=f"{SELF_CHECK}-text"),
        NotebookNode({**code, "metadata": NotebookNode(metadata)}),
    ]


def _about_optimlib(site: str) -> NotebookNode:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]["version"]
    wheel = f"files/optimlib-{version}-py3-none-any.whl"
    how = f"Install it with `pip install {site.rstrip('/')}/{wheel}`." if site else ""
    how = how or f"Install the file `{wheel}` of the book's site with pip; its front page has the link."
    return nbformat.v4.new_markdown_cell(NEEDS_OPTIMLIB.format(how=how), id="needs-optimlib")


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
