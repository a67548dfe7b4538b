"""The sources of the assignments: table, notebook and book agree, and nothing of them is published."""

import re
import zipfile

import jupytext
import nbformat
import pytest
from notebook_rules import ROOT
from repository import text_files
from submissions import untouched

from grading.assignment import FOLDER, all_slugs, load
from grading.release import leaked, linked, secrets

SLUGS = all_slugs()


def headings(slug):
    text = (ROOT / "book" / "text" / f"{slug}.md").read_text(encoding="utf8")
    return re.findall(r"^#{2,3} (.+)$", text, flags=re.MULTILINE)


def test_every_source_has_its_table():
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == SLUGS
    assert "adaptive-steps" in SLUGS


@pytest.mark.parametrize("slug", SLUGS)
def test_what_to_read_is_there(slug):
    for row in load(slug).misconceptions:
        assert row.section == "" or row.section in headings(row.read), row
    for cell in load(slug).cells:
        for chapter, anchor in re.findall(r"\(book:([\w-]+)(?:#([\w-]+))?\)", cell.source):
            anchors = [re.sub(r"[^\w]+", "-", words.lower()).strip("-") for words in headings(chapter)]
            assert not anchor or anchor in anchors


@pytest.mark.parametrize("slug", SLUGS)
def test_the_table_of_points_and_times_at_its_head_is_true(slug):
    assignment = load(slug)
    text = assignment.cells[0].source
    rows = re.findall(r"^\| (\d+) \| .+ \| (\d+) \| (\d+) minutes \|$", text, flags=re.MULTILINE)
    assert sum(int(row[1]) for row in rows) == assignment.most + sum(c.points for c in assignment.manual)
    steps = [c.source for c in assignment.cells if c.role == "text"]
    times = re.findall(r"^## Step (\d+): .+ \((\d+) minutes\)$", "\n".join(steps), flags=re.MULTILINE)
    assert times == [(row[0], row[2]) for row in rows]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_source_is_as_jupytext_writes_it(slug):
    text = (FOLDER / f"{slug}.md").read_text(encoding="utf8")
    again = jupytext.writes(jupytext.reads(text, fmt="md:myst"), fmt="md:myst")
    assert re.sub(r" *jupytext_version: .+\n", "", again) == text


@pytest.mark.parametrize("slug", SLUGS)
def test_every_answer_is_defined_in_a_cell_for_it(slug):
    assignment = load(slug)
    defined = "\n".join(cell.source for cell in assignment.cells if cell.role == "solution")
    assert [name for name in assignment.answers if f"def {name}(" not in defined] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_hidden_tests_use_no_function_that_decides_for_them(slug):
    """Plain arithmetic: so even in the student's kernel, as nbgrader has it, no patch of these helps."""
    decides = re.compile(r"allclose|isclose|testing|array_equal")
    found = [c.name for c in load(slug).judged if c.points and decides.search(c.source)]
    assert found == []


@pytest.mark.parametrize("slug", SLUGS)
def test_no_other_file_of_the_repository_holds_a_secret(slug):
    """A line that is long enough to be told from others."""
    assignment = load(slug)
    telling = [line for line in secrets(assignment) if len(line) > 40]
    assert len(telling) > 5
    texts = [p for p in text_files() if p.suffix in {".ipynb", ".md"} and p.parent != FOLDER]
    assert [
        (path.name, line)
        for path in texts
        for text in [path.read_text(encoding="utf8")]
        for line in telling
        if line in text
    ] == []


def test_the_built_site_holds_no_source():
    site = ROOT / "_build" / "html"
    if not site.is_dir():
        pytest.skip(
            "the book is not built here; tests/book/test_site.py looks at the copy that it builds"
        )
    given_away = {site / "files" / "assignments" / f"{slug}.ipynb" for slug in SLUGS}
    assert {path for path in site.rglob("*") if path.stem in SLUGS} <= given_away
    for archive in site.rglob("*.zip"):
        with zipfile.ZipFile(archive) as file:
            assert [name for name in file.namelist() if "book/assignments/" in name] == []


def test_the_assignments_are_kept_out_of_the_site():
    assert '"book/assignments/*"' in (ROOT / "_config.yml").read_text(encoding="utf8")
    assert "book/assignments/" not in (ROOT / "_toc.yml").read_text(encoding="utf8")


def test_a_leak_is_seen():
    assignment = load("adaptive-steps")
    whole = nbformat.writes(assignment.notebook)
    assert "BEGIN HIDDEN TESTS" in leaked(assignment, whole)
    assert "m_hat = m / (1 - beta1**t)" in leaked(assignment, whole)
    assert leaked(assignment, str(untouched(assignment))) == []


def test_links_into_the_book():
    text = "see [Adam, *at once*](book:adam#two-running-means), [x](https://example.org)"
    site = linked(text, "https://example.org/")
    assert "(https://example.org/book/adam.html#two-running-means)" in site
    assert linked("see [Adam](book:adam)", "") == "see *Adam*"


def a_copy(folder, old, new):
    for suffix in (".md", ".toml"):
        text = (FOLDER / f"adaptive-steps{suffix}").read_text(encoding="utf8")
        (folder / f"adaptive-steps{suffix}").write_text(text.replace(old, new), encoding="utf8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('cell = "adam-count"\npoints = 2', 'cell = "adam-count"\npoints = 3', "those of the table"),
        ('cell = "adam-count"', 'cell = "adam-counts"', "those of the table"),
        ("grade_id: adam-count\n", "grade_id: adam-state\n", "the same grade_id"),
        (
            "  locked: true\n  schema_version: 3\n  solution: false",
            "  locked: false\n  schema_version: 3\n  solution: false",
            "neither locked",
        ),
    ],
)
def test_what_does_not_agree_is_refused(tmp_path, old, new, words):
    with pytest.raises(ValueError, match=words):
        load("adaptive-steps", a_copy(tmp_path, old, new))


def test_an_assignment_that_is_not_there():
    with pytest.raises(ValueError, match="there is no assignment 'adam'; there are"):
        load("adam")
