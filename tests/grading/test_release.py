"""The students' notebooks: as nbgrader would make them, and it could grade them, too."""

import io
import os
import subprocess
import sys
import zipfile
from contextlib import redirect_stdout, suppress
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from repository import run
from submissions import ADAPTIVE, marked, place, solved, untouched, with_change

from grading.assignment import FOLDER, all_slugs, load
from grading.release import leaked, linked, released, write

SLUGS = all_slugs()
needs_nbgrader = pytest.mark.skipif(
    find_spec("nbgrader") is None, reason="needs nbgrader: make test-grading"
)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_students_version_holds_no_secret(slug):
    text = nbformat.writes(released(load(slug)))
    assert leaked(load(slug), text) == []
    assert "YOUR CODE HERE" in text


@pytest.mark.slow
@needs_nbgrader
@pytest.mark.parametrize("slug", SLUGS)
def test_it_is_what_nbgrader_makes_of_the_source(slug):
    """But for the tags of the tests that students see, and the cells that it adds."""
    from nbgrader import preprocessors

    notebook = nbformat.from_dict(load(slug).notebook)
    for cell in notebook.cells:
        cell.source = linked(cell.source, "") if cell.cell_type == "markdown" else cell.source
    for name in ("ClearSolutions", "LockCells", "ClearHiddenTests", "ClearOutput", "ComputeChecksums"):
        notebook, _ = getattr(preprocessors, name)().preprocess(notebook, {})
    named = {cell.id: cell for cell in released(load(slug)).cells}
    for theirs in notebook.cells:
        ours = named[theirs.id]
        tags = ours.metadata.pop("tags", [])
        seen = theirs.metadata.get("nbgrader", {})
        assert tags == (["raises-exception"] if seen.get("grade") and seen["points"] == 0 else [])
        assert (ours.source, ours.metadata) == (theirs.source, theirs.metadata)


def test_it_gets_no_points_and_nothing_to_look_at(tmp_path):
    result = marked(nbformat.writes(released(ADAPTIVE)), ADAPTIVE, tmp_path)
    assert (sum(result["marks"].values()), result["look"]) == (0, [])


def run_as_a_script(notebook):
    """What the last cell prints after all cells, as *Run All Cells* would: only tagged ones may fail."""
    names, said = {"__name__": "__main__"}, io.StringIO()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        said = io.StringIO()
        allowed = "raises-exception" in cell["metadata"].get("tags", [])
        errors = (AssertionError, NotImplementedError) if allowed else ()
        with suppress(*errors), redirect_stdout(said):
            exec(cell["source"], names)
    return said.getvalue().splitlines()


def test_the_last_cell_says_what_the_visible_tests_say():
    lines = run_as_a_script(untouched(ADAPTIVE))
    visible = [cell.name for cell in ADAPTIVE.judged if not cell.points]
    assert [line.partition(":")[0] for line in lines[:-1]] == visible
    assert lines[-1].startswith(f"0 of the {len(visible)} tests")
    notebook = untouched(ADAPTIVE)
    for cell in solved(ADAPTIVE)["cells"]:
        notebook["cells"][place(notebook, cell["id"])]["source"] = cell["source"]
    assert run_as_a_script(notebook)[-1].startswith(f"{len(visible)} of the {len(visible)} tests")
    with_change(notebook, "adagrad", "np.sqrt(G)", "G")
    said = "\n".join(run_as_a_script(notebook))
    assert "adagrad-by-hand: AssertionError: gradient 3.0: the step is 0.3333" in said


def test_the_last_cell_is_not_judged(tmp_path):
    notebook = untouched(ADAPTIVE)
    notebook["cells"][-1]["source"] = "import os\nos._exit(0)"
    assert marked(notebook, ADAPTIVE, tmp_path)["look"] == []


def test_the_files_are_the_same_every_time(tmp_path):
    assignments = [load(slug) for slug in SLUGS]
    first = [path.read_bytes() for path in write(assignments, tmp_path / "a")]
    assert first == [path.read_bytes() for path in write(assignments, tmp_path / "b")]
    with zipfile.ZipFile(tmp_path / "a" / "assignments.zip") as file:
        assert file.namelist() == [f"{slug}.ipynb" for slug in SLUGS]


def test_the_command(tmp_path):
    answer = run("-m", "grading", "release", "--out", tmp_path, "--site", "https://example.org")
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "adaptive-steps.ipynb").read_text(encoding="utf8")
    assert "https://example.org/book/adam.html#two-running-means" in text


@pytest.mark.slow
@needs_nbgrader
def test_nbgrader_itself_gives_the_solution_all_points(tmp_path):
    """In the student's own kernel, as it does: so this is for those who trust their students.

    The commands are those of the instructors' page.
    """
    slug = ADAPTIVE.slug
    made = [f"{folder}/{slug}/{slug}.ipynb" for folder in ("source", "submitted/solved")]
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True)
    words = ["-m", "jupytext", "--to", "ipynb", FOLDER / f"{slug}.md", "--output"]
    answers = [run(*words, tmp_path / name, cwd=tmp_path) for name in made]
    assert [answer.returncode for answer in answers] == [0, 0], answers
    programs = str(Path(sys.executable).parent)  # it calls alembic by its name
    env = os.environ | {"PATH": os.pathsep.join([programs, os.environ["PATH"]])}
    for command in ("generate_assignment", "autograde"):
        words = [sys.executable, "-m", "nbgrader", command, slug]
        answer = subprocess.run(
            words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        graded = book.find_submission(slug, "solved").notebooks[0]
        automatic = sum(grade.auto_score or 0 for grade in graded.grades)
    assert automatic == ADAPTIVE.most
