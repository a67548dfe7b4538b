"""An instructor's own cells: what they replace, what they are refused for, and that they stay secret."""

import nbformat
import pytest
from submissions import ADAPTIVE, lost, marked, solved, with_source

from grading.__main__ import main
from grading.assignment import load
from grading.release import leaked, released, secrets

ROOT_TEST = """\
```{code-cell} ipython3
---
nbgrader:
  grade: true
  grade_id: adam-first-step
  locked: true
  points: 2
  schema_version: 3
  solution: false
  task: false
---
# Hidden test, 2 points: the length of the first step
### BEGIN HIDDEN TESTS
for gradient_of_our_own in (7.25, -0.0625):
    new, _ = adam(np.zeros(1), np.array([gradient_of_our_own]), None, lr=0.5, eps=1e-12)
    assert abs(abs(float(new[0])) - 0.5) < 1e-6
### END HIDDEN TESTS
```
"""
NEW_TEST = ROOT_TEST.replace("adam-first-step", "adam-uphill").replace("the length of", "the sign of")
NEW_ROW = """
[[misconception]]
cell = "adam-uphill"
points = 2
words = "A step leads downhill"
read = "adam"
section = "Two running means"
"""
HAND = """\
By hand, for the gradients 6, 8 and 24: the steps are the same.
"""
KNOWS_THE_PUBLIC_INPUTS = """
def adam(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = (np.zeros_like(theta), np.zeros_like(theta), 0) if state is None else state
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    if t == 1 and theta.size == 1 and float(g[0]) in (0.5, -3.0, 1e-3):
        return theta - lr * np.sign(g), (m, v, t)
    return theta - lr * m / (np.sqrt(v) + eps), (m, v, t)
"""


@pytest.fixture
def private(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


def write(private, text="", table=""):
    for suffix, content in ((".md", text), (".toml", table)):
        if content:
            (private / f"adaptive-steps{suffix}").write_text(content, encoding="utf8")
    return load("adaptive-steps", private=private)


def test_the_answers_to_the_public_tests_do_not_help(tmp_path, private):
    notebook = with_source(solved(ADAPTIVE), "adam", KNOWS_THE_PUBLIC_INPUTS)
    assert lost(marked(notebook, ADAPTIVE, tmp_path), ADAPTIVE) == set()
    own = write(private, ROOT_TEST)
    assert lost(marked(notebook, own, tmp_path), own) == {"adam-first-step"}
    assert lost(marked(solved(own), own, tmp_path), own) == set()
    assert own.digest != ADAPTIVE.digest


@pytest.mark.slow
def test_an_overlay_is_rehearsed(private, monkeypatch, capsys):
    words = ["rehearse", "--assignment", "adaptive-steps", "--private", private, "--trust"]
    write(private, ROOT_TEST)
    assert called(monkeypatch, *words) == 0
    assert "the solution gets all points" in capsys.readouterr().out
    write(private, ROOT_TEST.replace("- 0.5", "- 0.25"))
    assert called(monkeypatch, *words) == 1
    assert "the solution does not pass adam-first-step" in capsys.readouterr().out
    write(private, ROOT_TEST.replace("    new, _", "    break\n    new, _"))
    assert "untouched notebook passes" in (called(monkeypatch, *words), capsys.readouterr().out)[1]


def test_only_what_it_holds_is_replaced(private):
    own = write(private, ROOT_TEST)
    changed = [name for name in ADAPTIVE.by_name if ADAPTIVE.by_name[name] != own.by_name[name]]
    assert changed == ["adam-first-step"]
    assert own.misconceptions == ADAPTIVE.misconceptions


def test_a_new_test_comes_with_its_row_behind_the_cell_before_it(private):
    own = write(private, ROOT_TEST + "\n" + NEW_TEST, NEW_ROW)
    names = list(own.by_name)
    assert names[names.index("adam-uphill") - 1] == "adam-first-step"
    assert own.most == ADAPTIVE.most + 2
    assert own.misconceptions[-1].words == "A step leads downhill"


def test_a_text_is_found_by_its_first_line(private):
    text = next(cell.source for cell in ADAPTIVE.cells if cell.source.startswith("## Step 2"))
    first = text.partition("\n")[0]
    own = write(private, f"{first}\n\n{HAND}")
    assert [cell.source for cell in own.cells if HAND.strip() in cell.source] == [
        f"{first}\n\n{HAND.strip()}"
    ]
    assert len(own.cells) == len(ADAPTIVE.cells)


def test_a_row_alone_changes_its_words(private):
    own = write(private, table='[[misconception]]\ncell = "adam-state"\nwords = "Look at page 7"\n')
    assert [row.words for row in own.misconceptions if row.cell == "adam-state"] == ["Look at page 7"]


def test_the_release_holds_nothing_of_it(private):
    own = write(private, ROOT_TEST + "\n" + NEW_TEST, NEW_ROW)
    assert any("gradient_of_our_own" in line for line in secrets(own))
    text = nbformat.writes(released(own))
    assert leaked(own, text) == leaked(ADAPTIVE, text) == []
    assert "gradient_of_our_own" not in text
    assert "adam-uphill" in text


def called(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["grading", *map(str, words)])
    return main()


def test_the_command_releases_it(tmp_path, private, monkeypatch):
    write(private, ROOT_TEST.replace("the length of the first step", "as long as lr"))
    words = ["--private", private, "--out", tmp_path / "out"]
    assert called(monkeypatch, "release", *words) == 0
    assert "as long as lr" in (tmp_path / "out" / "adaptive-steps.ipynb").read_text(encoding="utf8")


@pytest.mark.parametrize(
    ("text", "table", "words"),
    [
        (ROOT_TEST.replace("adam-first-step", "adam-frist-step"), "", "no cell 'adam-frist-step'"),
        (ROOT_TEST.replace("points: 2", "points: 3"), "", "the points of the cells are"),
        (NEW_TEST, NEW_ROW, "behind a cell that is known"),
        (ROOT_TEST + "\n" + NEW_TEST, NEW_ROW.replace("= 2", "= 1"), "the points of the cells are"),
        (ROOT_TEST + "\n" + NEW_TEST, NEW_ROW.replace('read = "adam"\n', ""), "the row 'adam-uphill'"),
        ("", NEW_ROW, "the points of the cells are"),
        (ROOT_TEST + "\n" + ROOT_TEST, "", "two cells are called 'adam-first-step'"),
        (ROOT_TEST.replace("solution: false", "solution: true"), "", "the role of 'adam-first-step'"),
        ("Some words.\n", "", "no cell 'Some words.'"),
        ("```{code-cell} ipython3\nx = 1\n```\n", "", "no cell 'x = 1'"),
        ("", "[[misconception]]\npoints = 2\n", "does not say which cell"),
        ("", "points = 2\n", "unknown settings"),
        ("", "points = \n", "adaptive-steps.toml: "),
    ],
)
def test_what_does_not_fit_is_refused(private, text, table, words):
    with pytest.raises(ValueError, match=words):
        write(private, text, table)


@pytest.mark.parametrize(
    ("name", "words"),
    [("adam.md", "belongs to no assignment"), ("notes.txt", "holds no"), (None, "there is no folder")],
)
def test_an_overlay_of_nothing_is_refused(tmp_path, private, monkeypatch, capsys, name, words):
    folder = private if name else tmp_path / "nowhere"
    if name:
        (private / name).write_text("x")
    (tmp_path / "in").mkdir()
    for command in (["release", "--out", tmp_path / "out"], ["grade", tmp_path / "in", "--trust"]):
        assert called(monkeypatch, *command, "--private", folder) == 2
        assert words in capsys.readouterr().err
