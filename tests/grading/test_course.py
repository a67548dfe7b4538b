"""`make grade` on a folder of submissions of all kinds."""

import csv
import json
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import pytest
from repository import ROOT, run
from submissions import ADAPTIVE, NO_SANDBOX, solved, untouched, with_cell, with_change

from grading import course, sandbox
from grading.__main__ import main
from grading.assignment import FOLDER
from grading.feedback import page
from grading.limits import Limits
from grading.release import secrets
from grading.report import plain

TRUST = ["--trust"] if NO_SANDBOX else []
ONE = ["--assignment", "adaptive-steps"]  # a damaged file does not say which it is


def rows(path):
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf8")


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """A folder with submissions in several layouts."""
    folder = tmp_path_factory.mktemp("class") / "submitted"
    wrong = with_change(solved(ADAPTIVE), "adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)")
    write(folder / "ada.ipynb", solved(ADAPTIVE))
    write(folder / "ben" / "adaptive-steps" / "adaptive-steps.ipynb", wrong)
    write(folder / "cy" / "a.ipynb", untouched(ADAPTIVE))
    write(folder / "cy" / "b.ipynb", untouched(ADAPTIVE))
    write(folder / "<b>dee.ipynb", with_cell(solved(ADAPTIVE), "raise ValueError('<script>')", "adam"))
    write(folder / "=eve.ipynb", "{")
    write(folder / "fay.txt", "nothing")
    (folder / "gus").mkdir()
    (folder / "hal.ipynb").symlink_to(folder / "ada.ipynb")
    return folder


@pytest.fixture(scope="module")
def graded(submitted):
    answer = run("-m", "grading", "grade", submitted, "--workers", "2", *TRUST, *ONE)
    assert answer.returncode == 0, answer.stderr
    assert "grading: 100%" in answer.stderr
    return submitted.with_name("submitted-graded")


@pytest.mark.slow
def test_marks(graded):
    marks = {row["student"]: row for row in rows(graded / "adaptive-steps-marks.csv")}
    points = {name: row["points"] for name, row in marks.items()}
    assert points == {"ada": "28", "ben": "26", "cy": "0", "<b>dee": "28", "'=eve": "0"}
    assert marks["ben"]["adam-epsilon"] == "0"
    assert marks["ben"]["adam-count"] == "2"


@pytest.mark.slow
def test_misconceptions_and_their_picture(graded):
    table = {row["test"]: row for row in rows(graded / "adaptive-steps-misconceptions.csv")}
    assert (table["adam-epsilon"]["lost by"], table["adam-count"]["lost by"]) == ("3", "2")
    assert table["adam-epsilon"]["section"] == "Three places for epsilon"
    assert (graded / "adaptive-steps-distribution.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_what_needs_a_person(graded):
    seen = {(row["student"], row["what to look at"]) for row in rows(graded / "to-look-at.csv")}
    assert ("ada", "manual points: question-first-steps, up to 2") in seen
    assert ("cy", "b.ipynb: a.ipynb was graded, and this one was not") in seen
    assert ("gus", "gus: the folder holds no notebook") in seen
    assert ("fay", "fay.txt: it is no notebook") in seen
    assert ("hal", "hal.ipynb: it is a link, and was not followed") in seen
    assert any(student == "'=eve" and "it is no notebook" in words for student, words in seen)


@pytest.mark.slow
def test_feedback_names_the_misconception_and_no_hidden_test(graded):
    pages = {path.stem: path.read_text(encoding="utf8") for path in graded.rglob("*.html")}
    assert set(pages) == {"ada", "ben", "cy", "_b_dee", "_eve"}
    assert "Epsilon is added to the root, outside of it" in pages["ben"]
    assert "Three places for epsilon" in pages["ben"]
    assert "What to look at again" not in pages["ada"]
    assert "&lt;script&gt;" in pages["_b_dee"]
    assert [name for name, text in pages.items() if "<script" in text or "<b>dee" in text] == []
    hidden = [line for line in secrets(ADAPTIVE) if any(line in text for text in pages.values())]
    assert hidden == []


@pytest.mark.slow
def test_a_second_run_gives_the_same_and_judges_nothing_again(graded, submitted, monkeypatch):
    before = {path.name: path.read_bytes() for path in graded.iterdir() if path.is_file()}
    monkeypatch.setattr(course, "judge_apart", None)  # whoever calls it fails
    monkeypatch.setattr("sys.argv", ["grading", "grade", str(submitted), *TRUST, *ONE])
    (graded / "results" / "rest.part").write_text("{")  # as an interruption leaves it
    assert main() == 0
    assert {path.name: path.read_bytes() for path in graded.iterdir() if path.is_file()} == before


@pytest.mark.slow
def test_what_was_changed_is_judged_again(tmp_path):
    write(tmp_path / "in" / "ada.ipynb", solved(ADAPTIVE))
    assignments = {"adaptive-steps": ADAPTIVE}
    settings = {"limits": Limits(), "trust": NO_SANDBOX is not None}

    def points():
        found, _ = course.find(tmp_path / "in", [ADAPTIVE], Limits())
        (result,) = course.grade(found, assignments, tmp_path / "out", **settings)
        return sum(result["marks"].values())

    assert points() == 28
    write(tmp_path / "in" / "ada.ipynb", untouched(ADAPTIVE))
    assert points() == 0


@pytest.mark.slow
def test_a_zip_file_of_moodle_is_graded_as_it_comes(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "course 1-week 7.zip", "w") as file:
        for name, notebook in (("Ada_1", solved(ADAPTIVE)), ("Ben_2", untouched(ADAPTIVE))):
            file.writestr(f"{name}_assignsubmission_file_/adaptive-steps.ipynb", json.dumps(notebook))
        file.writestr("../../Eve_3_assignsubmission_file_/a.ipynb", "{}")
    words = ["grading", "grade", str(tmp_path / "course 1-week 7.zip"), *TRUST]
    monkeypatch.setattr("sys.argv", words)
    assert main() == 0
    out = tmp_path / "course 1-week 7-graded"
    marks = {row["Identifier"]: row["Grade"] for row in rows(out / "adaptive-steps-moodle.csv")}
    assert marks == {"Participant 1": "28", "Participant 2": "0"}
    assert {row["student"] for row in rows(out / "adaptive-steps-marks.csv")} == {"Ada (1)", "Ben (2)"}
    assert any("leads out" in row["what to look at"] for row in rows(out / "to-look-at.csv"))
    pages = {path.name for path in (out / "feedback" / "adaptive-steps").iterdir()}
    assert pages == {f"{name}_assignsubmission_file_adaptive-steps.html" for name in ("Ada_1", "Ben_2")}


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path, monkeypatch):
    wrong = with_change(solved(ADAPTIVE), "adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)")
    for name, notebook in zip("abcdef", 2 * [solved(ADAPTIVE), wrong, untouched(ADAPTIVE)], strict=True):
        write(tmp_path / "in" / f"{name}.ipynb", notebook)
    words = ["grade", str(tmp_path / "in"), "--workers", "1", *TRUST]
    kept = tmp_path / "in-graded" / "results"
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen([sys.executable, "-m", "grading", *words], cwd=ROOT, **silent)
    while len(list(kept.glob("*.json"))) < 2:
        assert first.poll() is None
        time.sleep(0.05)
    first.kill()  # as kill -9 does
    first.wait()
    done = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert 2 <= len(done) < 6
    assert not (tmp_path / "in-graded" / "adaptive-steps-marks.csv").exists()
    judged, judge_apart = [], course.judge_apart

    def counted(item, *args, **kwargs):
        judged.append(item.student)
        return judge_apart(item, *args, **kwargs)

    monkeypatch.setattr(course, "judge_apart", counted)
    monkeypatch.setattr("sys.argv", ["grading", *words])
    assert main() == 0
    assert len(judged) == 6 - len(done)
    assert all((kept / name).stat().st_mtime_ns == before for name, before in done.items())
    table = rows(tmp_path / "in-graded" / "adaptive-steps-marks.csv")
    assert [row["points"] for row in table] == 2 * ["28", "26", "0"]


def test_without_a_sandbox_it_asks_for_trust(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("grading.__main__.missing", lambda: "bubblewrap is not installed")
    monkeypatch.setattr("sys.argv", ["grading", "grade", str(tmp_path)])
    assert main() == 2
    said = capsys.readouterr().err
    for word in ("bubblewrap is not installed", "read the solutions", "--trust"):
        assert word in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no folder or zip file"),
        (["words.txt"], "cannot be read as a zip file"),
        ([".", "--out", "words.txt"], "words.txt"),
        ([".", "--private", "nowhere"], "PRIVATE: there is no folder"),
        ([".", "--assignment", "adam"], "there is no assignment 'adam'"),
        ([".", "--out", "./inside"], "cannot lie within"),
        ([".", "--seconds", "-1"], "submission must be positive"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "words.txt").write_text("some words")
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in" if "words.txt" in words[1:] else tmp_path)
    words = [word if word != "words.txt" or words[0] == word else "../words.txt" for word in words]
    monkeypatch.setattr("sys.argv", ["grading", "grade", *words, *TRUST])
    assert main() == 2
    assert said in capsys.readouterr().err


def test_a_table_that_was_filled_in_wrongly_is_said_before_anything_is_judged(
    tmp_path, monkeypatch, capsys
):
    write(tmp_path / "in" / "ada.ipynb", "{}")
    write(tmp_path / "in-graded" / "adaptive-steps-by-hand.csv", "points\n3\n")
    monkeypatch.setattr(course, "judge_apart", None)
    monkeypatch.setattr("sys.argv", ["grading", "grade", str(tmp_path / "in"), *TRUST])
    assert main() == 2
    assert "adaptive-steps-by-hand.csv: the first line must be" in capsys.readouterr().err


def test_an_interruption_stops_what_has_not_begun(tmp_path, monkeypatch, capsys):
    begun = []

    def judged(item, *args, **kwargs):
        begun.append(item.student)
        time.sleep(0.5)
        raise KeyboardInterrupt

    for name in "abcdef":
        write(tmp_path / "in" / f"{name}.ipynb", "{}")
    monkeypatch.setattr(course, "judge_apart", judged)
    words = ["grade", str(tmp_path / "in"), "--assignment", "adaptive-steps", "--workers", "1"]
    monkeypatch.setattr("sys.argv", ["grading", *words, *TRUST])
    assert main() == 130
    assert "goes on where it stopped" in capsys.readouterr().err
    assert len(begun) < 6


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 3}', "null", "\udcff"])
def test_a_kept_result_that_is_damaged_is_judged_again(tmp_path, text):
    kept = tmp_path / "kept.json"
    kept.write_bytes(text.encode("utf8", "surrogateescape"))
    assert course._kept(kept, "now") is None


def test_what_optimlib_is_decides_with_an_assignment_that_needs_it(tmp_path, monkeypatch):
    package = tmp_path / "optimlib"
    write(package / "a.py", "x = 1")
    monkeypatch.setitem(course.PACKAGES, "optimlib", package)
    item = course.HandedIn("ada", tmp_path / "nowhere.ipynb", "adaptive-steps")
    needs = replace(ADAPTIVE, needs=("numpy", "optimlib"))

    def keys():
        return [course.key(item, one, Limits(), False) for one in (ADAPTIVE, needs)]

    before = keys()
    write(package / "a.py", "x = 2")
    assert [one == other for one, other in zip(before, keys(), strict=True)] == [True, False]


def test_a_judge_that_fails_gives_no_points_and_is_asked_again(tmp_path, monkeypatch):
    write(tmp_path / "ada.ipynb", "{}")
    monkeypatch.setattr(course, "plain", lambda assignment: {})
    item = course.HandedIn("ada", tmp_path / "ada.ipynb", "adaptive-steps")
    result = course.judge_apart(item, ADAPTIVE, limits=Limits(), trust=True, slot=0)
    assert result["marks"] == {}
    assert result["again"]
    assert "KeyError" in result["look"][0]


def test_feedback_links_into_the_book():
    result = {"student": "ada", "marks": {}, "failed": {}, "errors": [], "look": []}
    text = page(ADAPTIVE, result, "https://example.org/")
    assert 'href="https://example.org/book/adam.html#three-places-for-epsilon"' in text


def test_no_spreadsheet_takes_a_name_for_a_formula():
    assert [plain(word) for word in ("=1+1", "@x", "ada")] == ["'=1+1", "'@x", "ada"]


@pytest.mark.skipif(NO_SANDBOX is not None, reason="needs bubblewrap")
def test_the_sandbox_shows_neither_the_project_nor_homes():
    line = " ".join(sandbox.command_line(["true"], Limits()))
    assert "--unshare-net" in line
    shown = [path for path in line.split(" --ro-bind ")[1:]]
    assert not any(
        path.split()[0] in ("/", "/home", "/root", str(FOLDER), str(FOLDER.parent.parent))
        for path in shown
    )
