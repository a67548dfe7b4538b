"""What nbgrader makes of the sources: the students' notebooks. And that it could grade them, too."""

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from repository import run
from submissions import ADAPTIVE, marked, untouched

from grading.assignment import all_slugs, load
from grading.release import leaked, released, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("nbgrader") is None, reason="needs nbgrader: make test-grading"),
]


@pytest.mark.parametrize("slug", all_slugs())
def test_the_students_version_holds_no_secret(slug):
    text = nbformat.writes(released(load(slug)))
    assert leaked(load(slug), text) == []
    assert "YOUR CODE HERE" in text


def test_it_is_what_the_other_tests_take_for_it():
    ours, theirs = untouched(ADAPTIVE), released(ADAPTIVE)
    for one, other in zip(ours["cells"], theirs.cells, strict=True):
        if other.cell_type == "code":
            assert one["source"] == other.source
            assert one["metadata"]["nbgrader"].items() <= other.metadata.nbgrader.items()


def test_it_gets_no_points_and_nothing_to_look_at(tmp_path):
    result = marked(nbformat.writes(released(ADAPTIVE)), ADAPTIVE, tmp_path)
    assert (sum(result["marks"].values()), result["look"]) == (0, [])


def test_the_files_are_the_same_every_time(tmp_path):
    assignments = [load(slug) for slug in all_slugs()]
    first = [path.read_bytes() for path in write(assignments, tmp_path / "a")]
    assert first == [path.read_bytes() for path in write(assignments, tmp_path / "b")]
    with zipfile.ZipFile(tmp_path / "a" / "assignments.zip") as file:
        assert file.namelist() == [f"{slug}.ipynb" for slug in all_slugs()]


def test_the_command(tmp_path):
    answer = run("-m", "grading", "release", "--out", tmp_path, "--site", "https://example.org")
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "adaptive-steps.ipynb").read_text(encoding="utf8")
    assert "https://example.org/book/adam.html#two-running-means" in text


def test_nbgrader_itself_gives_the_solution_all_points(tmp_path):
    """In the student's own kernel, as it does: so this is for those who trust their students."""
    slug = ADAPTIVE.slug
    for folder in ("source", "submitted/solved"):
        (tmp_path / folder / slug).mkdir(parents=True)
        notebook = nbformat.from_dict(load(slug).notebook)
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        nbformat.write(notebook, tmp_path / folder / slug / f"{slug}.ipynb")
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
