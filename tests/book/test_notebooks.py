"""The stored notebooks, and proof that a defect in one of them doesn't pass.

That the stored outputs come out again is not tested here: nbval does it, in the same run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import jupytext
import nbclient
import nbformat
import notebook_rules as rules
import pytest

BOOK = rules.ROOT / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def chapter(text: nbformat.NotebookNode) -> str:
    """The word for the chapter in its labels, as its own label has it."""
    return re.search(r"^\(ch-([a-z-]+)\)=$", text.cells[0].source, re.M)[1]


# The book's notebooks


def test_every_text_has_its_notebook():
    texts = {path.stem for path in (BOOK / "text").glob("*.md")}
    assert texts == {path.stem for path in NOTEBOOKS}


@each_notebook
def test_text_and_notebook_agree(path):
    text = rules.read_text(BOOK / "text" / f"{path.stem}.md")
    assert rules.drift(text, load(path)) == [], "run: make notebooks"


def test_notebooks_are_normalised():
    assert rules.normalization(NOTEBOOKS) == [], "run: make notebooks"


@each_notebook
def test_notebook_keeps_the_rules(path):
    notebook = load(path)
    assert rules.metadata(notebook) == []
    assert rules.outputs(notebook) == []
    assert rules.glued(notebook) == []
    text = rules.read_text(BOOK / "text" / f"{path.stem}.md")
    assert rules.figures(notebook, chapter(text)) == []
    assert rules.exercises(notebook) == []
    assert rules.solutions_left_open(notebook) == [], "run: make notebooks"


@each_notebook
def test_a_chapter_ends_with_its_exercises_its_summary_and_further_reading(path):
    if path.stem not in {"index", "conventions"}:  # pages, and no chapters
        assert rules.last_sections(load(path)) == []


# The rules themselves: a small chapter that keeps them, and the same with one defect

TEXT = dedent(
    """\
    ---
    kernelspec:
      display_name: Python 3
      language: python
      name: python3
    ---

    # 1 · A small chapter

    ```{code-cell} ipython3
    import matplotlib.pyplot as plt
    import numpy as np
    from myst_nb import glue

    from optimlib.optimizers.adam import Adam

    theta = np.zeros(1)
    adam = Adam(theta)
    for g in (1.0, 0.0, 0.0):
        adam.step(np.array([g]))
    print(f"after three steps {theta[0]:.9f}")
    glue("theta-01", float(theta[0].round(9)), display=False)
    ```

    It ends at {glue:text}`theta-01`.

    ```{code-cell} ipython3
    ---
    mystnb:
      figure:
        caption: A line.
        name: fig-wrong-gradient-line
      image:
        alt: A straight line that rises from the lower left to the upper right corner.
    ---
    plt.figure(figsize=(1, 1))
    plt.plot([0, 1])
    plt.show()
    ```

    :::{exercise} One
    :label: ex-wrong-gradient-one

    Add one and one.
    :::

    ```{solution-start} ex-wrong-gradient-one
    :class: dropdown
    ```

    ```{code-cell} ipython3
    print(1 + 1)
    ```

    ```{solution-end}
    ```
    """
)


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    notebook = jupytext.reads(TEXT, fmt="md:myst")
    nbclient.NotebookClient(notebook, kernel_name="python3", record_timing=False).execute()
    del notebook.metadata["language_info"], notebook.metadata["jupytext"]
    return notebook


@pytest.fixture
def notebook(executed) -> nbformat.NotebookNode:
    return nbformat.from_dict(executed)


def test_a_chapter_that_keeps_the_rules_has_no_complaints(notebook, tmp_path):
    nbformat.write(notebook, tmp_path / "good.ipynb")
    assert rules.drift(jupytext.reads(TEXT, fmt="md:myst"), notebook) == []
    assert rules.normalization([tmp_path / "good.ipynb"]) == []
    assert rules.metadata(notebook) == []
    assert rules.outputs(notebook) == []
    assert rules.glued(notebook) == []
    assert rules.figures(notebook, "wrong-gradient") == []
    assert rules.exercises(notebook) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("after three steps", "after 3 steps"),
        ("It ends at", "It stops at"),
        ("caption: A line.", "caption: A curve."),
        (":class: dropdown\n```\n", ":class: dropdown\n```\n\n```{code-cell} ipython3\n1\n```\n"),
    ],
)
def test_drift_is_seen(notebook, old, new):
    assert TEXT.count(old) == 1
    assert rules.drift(jupytext.reads(TEXT.replace(old, new), fmt="md:myst"), notebook)


@pytest.mark.parametrize("where", ["notebook", "cell"])
def test_a_notebook_that_is_not_normalised_is_seen(notebook, tmp_path, where):
    if where == "notebook":
        notebook.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
        assert rules.metadata(notebook)
    else:
        notebook.cells[1].metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
    nbformat.write(notebook, tmp_path / "bad.ipynb")
    assert rules.normalization([tmp_path / "bad.ipynb"])


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]),
        nbformat.v4.new_output("stream", name="stderr", text="RuntimeWarning: overflow"),
        nbformat.v4.new_output("stream", name="stdout", text="<object object at 0x7f2b4c0d5e10>"),
        nbformat.v4.new_output("display_data", {"application/json": {}}),
        nbformat.v4.new_output("stream", name="stdout", text="short\n" + 89 * "w"),
    ],
    ids=["error", "warning", "address", "json", "wide"],
)
def test_a_bad_output_is_seen(notebook, output):
    rules.code_cells(notebook)[0].outputs.append(output)
    assert rules.outputs(notebook)


def test_cells_that_were_run_out_of_order_are_seen(notebook):
    rules.code_cells(notebook)[1].execution_count = 7
    assert rules.outputs(notebook)


def test_a_value_that_no_cell_has_glued_is_seen(notebook):
    notebook.cells[2].source = notebook.cells[2].source.replace("theta-01", "theta-02:.3f")
    assert rules.glued(notebook) == ["theta-02 is quoted, and glued nowhere"]


def test_a_glued_value_with_its_type_is_seen(notebook):
    (output,) = (output for output in rules.code_cells(notebook)[0].outputs if "data" in output)
    output.data["application/papermill.record/text/plain"] = "np.float64(0.5)"
    assert len(rules.glued(notebook)) == 1


@pytest.mark.parametrize(("kind", "key"), [("image", "alt"), ("figure", "caption"), ("figure", "name")])
def test_a_figure_without_its_texts_is_seen(notebook, kind, key):
    del rules.code_cells(notebook)[1].metadata["mystnb"][kind][key]
    assert rules.figures(notebook, "wrong-gradient")


def test_a_moving_figure_without_a_caption_is_seen(notebook):
    cell = rules.code_cells(notebook)[1]
    (output,) = cell.outputs
    output.data = {"text/html": '<div class="play"></div>', "text/plain": "momentum(): 1"}
    del cell.metadata["mystnb"]["image"]
    assert rules.figures(notebook, "wrong-gradient") == []
    del cell.metadata["mystnb"]["figure"]["caption"]
    assert rules.figures(notebook, "wrong-gradient")


def test_short_alt_text_is_seen(notebook):
    rules.code_cells(notebook)[1].metadata["mystnb"]["image"]["alt"] = "A line."
    assert rules.figures(notebook, "wrong-gradient")


def test_a_figure_with_no_number_beside_it_is_seen(notebook):
    for cell in rules.code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    assert rules.figures(notebook, "wrong-gradient")


def test_a_summary_before_the_exercises_is_seen(notebook):
    parts = [nbformat.v4.new_markdown_cell(f"## {name}") for name in rules.LAST_SECTIONS]
    notebook.cells += parts
    assert rules.last_sections(notebook) == []
    notebook.cells[-3:] = [parts[1], parts[0], parts[2]]
    assert rules.last_sections(notebook) == [
        "the last sections are ['Summary', 'Exercises', 'Further reading']"
    ]


def test_an_open_solution_is_seen(notebook):
    assert len(rules.solutions_left_open(notebook)) == 1
    rules.fold(notebook)
    assert rules.solutions_left_open(notebook) == []
    rules.code_cells(notebook)[0].metadata["jupyter"] = {"source_hidden": True}
    assert len(rules.solutions_left_open(notebook)) == 1


@pytest.mark.parametrize(
    "label", ["{solution-start} ex-wrong-gradient-one", "{exercise} One", "{solution-end}"]
)
def test_an_exercise_without_a_whole_solution_is_seen(notebook, label):
    (cell,) = (cell for cell in notebook.cells if label in cell.source)
    cell.source = cell.source.replace(label, "{note}")
    assert rules.exercises(notebook)


# Strictness: the configured test run, on the small chapter, as it is and with one digit changed


def run_pytest(folder: Path, path_first: Path | None = None) -> dict[str, bool]:
    """Run pytest as pyproject.toml says on every notebook in `folder`: which of them passed."""
    report = folder / "report.xml"
    environment = dict(os.environ)
    if path_first:
        environment["PYTHONPATH"] = str(path_first)
    command = [sys.executable, "-m", "pytest", "-c", str(rules.ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), "-n", "0", "-p", "no:cacheprovider", "-q"]
    command += [f"--junitxml={report}", str(folder)]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert report.exists(), run.stdout + run.stderr
    passed = {path.stem: True for path in folder.glob("*.ipynb")}
    cells = dict.fromkeys(passed, 0)
    for case in ElementTree.parse(report).iter("testcase"):
        stem = re.search(r"(\w+)\.ipynb", case.get("classname", "") + case.get("name", "")).group(1)
        cells[stem] += 1
        passed[stem] &= not len(case)
    assert set(cells.values()) == {3}, f"not every cell ran:\n{run.stdout}"
    return passed


def change_digit(text: str, place: str) -> str:
    """`text` with the last digit of the number after `place` made another."""
    number = re.search(re.escape(place) + r"-?[\d.]+", text)
    digit = text[number.end() - 1]
    return text[: number.end() - 1] + str((int(digit) + 1) % 10) + text[number.end() :]


def test_a_changed_digit_in_an_output_fails(executed, tmp_path):
    stored = nbformat.writes(executed)
    (tmp_path / "unchanged.ipynb").write_text(stored, encoding="utf8")
    printed = change_digit(stored, '"after three steps ')
    (tmp_path / "printed.ipynb").write_text(printed, encoding="utf8")
    glued = change_digit(stored, '"application/papermill.record/text/plain": "')
    (tmp_path / "glued.ipynb").write_text(glued, encoding="utf8")
    assert run_pytest(tmp_path) == {"unchanged": True, "printed": False, "glued": False}


def test_a_changed_digit_in_optimlib_fails(executed, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(executed, folder / "chapter.ipynb")
    package = tmp_path / "changed" / "optimlib"
    shutil.copytree(rules.ROOT / "optimlib", package, ignore=shutil.ignore_patterns("__pycache__"))
    assert run_pytest(folder, path_first=package.parent) == {"chapter": True}

    source = (package / "optimizers" / "adam.py").read_text(encoding="utf8")
    changed, count = re.subn(r"(beta2: float = 0\.99)9", r"\g<1>8", source)
    assert count > 0
    (package / "optimizers" / "adam.py").write_text(changed, encoding="utf8")
    assert run_pytest(folder, path_first=package.parent) == {"chapter": False}
