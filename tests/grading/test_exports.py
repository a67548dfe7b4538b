"""Submissions as Moodle and Canvas give them, and marks and feedback as these take them back."""

import csv
import json
import os
import zipfile
from pathlib import Path

import pytest
from submissions import ADAPTIVE, solved, untouched

from grading import archive, course, feedback, report
from grading.archive import unpack
from grading.exports import Owner, named
from grading.limits import Limits

LARGEST = 10_000
BOOK = json.dumps(untouched(ADAPTIVE))


def write(folder, *names, text=BOOK):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf8")
    return folder


def found_in(folder):
    found, notes = course.find(folder, [ADAPTIVE], Limits())
    return {item.student: item.path.relative_to(folder).as_posix() for item in found}, notes


MOODLE = "Ada Lovelace_12345_assignsubmission_file"
NAMES = {
    MOODLE: ("Ada Lovelace", "moodle", "12345", 0, False),
    f"{MOODLE}_": ("Ada Lovelace", "moodle", "12345", 0, False),
    f"{MOODLE}_my work_2.ipynb": ("Ada Lovelace", "moodle", "12345", 0, False),
    "Group A-Ada-Zoë O'Neil_7_assignsubmission_file_": (
        "Group A-Ada-Zoë O'Neil",
        "moodle",
        "7",
        0,
        False,
    ),
    "Participant_901_assignsubmission_file_": ("Participant", "moodle", "901", 0, False),
    "lovelaceada_12345_67890_adaptive-steps.ipynb": ("lovelaceada", "canvas", "12345", 67890, False),
    "lovelaceada_LATE_12345_67890_adaptive-steps-1.ipynb": (
        "lovelaceada",
        "canvas",
        "12345",
        67890,
        True,
    ),
    "李雷_11_12_a_3_4.ipynb": ("李雷", "canvas", "11", 12, False),
    "anon_x7Kq2_67890_adaptive-steps.ipynb": ("anon_x7Kq2", "", "", 67890, False),
    "LATE_anon_x7Kq2_67890_adaptive-steps.ipynb": ("anon_x7Kq2", "", "", 67890, True),
    "ada.ipynb": ("ada", "", "", 0, False),
    "ada_lovelace.ipynb": ("ada_lovelace", "", "", 0, False),
    "ada.lovelace@example.org.ipynb": ("ada.lovelace@example.org", "", "", 0, False),
}


@pytest.mark.parametrize("name", NAMES)
def test_whose_a_file_is(name):
    said = named(Path(name))
    assert (*vars(said.owner).values(), said.attempt, said.late) == NAMES[name]


def test_a_folder_is_a_students_whatever_numbers_it_ends_with(tmp_path):
    (tmp_path / "ada_1_2_x").mkdir()
    assert named(tmp_path / "ada_1_2_x").owner == Owner("ada_1_2_x")


def test_a_download_of_moodle(tmp_path):
    write(
        tmp_path, f"{MOODLE}_/adaptive-steps.ipynb", "Ada Lovelace_99_assignsubmission_file_/x/y.ipynb"
    )
    write(tmp_path, "Ben Ng_7_assignsubmission_file_a.ipynb", "Ben Ng_7_assignsubmission_file_b.ipynb")
    write(tmp_path, "Cy Li_8_assignsubmission_onlinetext_/onlinetext.html")
    found, notes = found_in(tmp_path)
    assert found == {
        "Ada Lovelace (12345)": f"{MOODLE}_/adaptive-steps.ipynb",
        "Ada Lovelace (99)": "Ada Lovelace_99_assignsubmission_file_/x/y.ipynb",
        "Ben Ng (7)": "Ben Ng_7_assignsubmission_file_a.ipynb",
    }
    said = {(student, why) for student, _, why in notes}
    assert ("Cy Li (8)", "it holds text that was typed into Moodle") in said
    first, second = (f"Ben Ng_7_assignsubmission_file_{x}.ipynb" for x in "ab")
    assert ("Ben Ng (7)", second, f"{first} was graded, and this one was not") in notes


def test_a_download_of_canvas_and_the_last_of_several_attempts(tmp_path):
    write(
        tmp_path, "lovelaceada_1_998_adaptive-steps.ipynb", "lovelaceada_1_1002_adaptive-steps-1.ipynb"
    )
    write(tmp_path, "ngben_LATE_2_1003_solution.ipynb", "licy_3_1004_text.html")
    found, notes = found_in(tmp_path)
    assert found == {
        "lovelaceada (1)": "lovelaceada_1_1002_adaptive-steps-1.ipynb",
        "ngben (2)": "ngben_LATE_2_1003_solution.ipynb",
    }
    assert {(student, why) for student, _, why in notes} == {
        (
            "lovelaceada (1)",
            "lovelaceada_1_1002_adaptive-steps-1.ipynb was graded, and this one was not",
        ),
        ("ngben (2)", "the platform says that it came late"),
        ("licy (3)", "it is no notebook"),
    }


def test_two_entries_of_one_student_are_one_submission(tmp_path):
    write(tmp_path, "ada.ipynb", "ada/work.ipynb", "Ben.IPYNB")
    found, notes = found_in(tmp_path)
    assert sorted(found) == ["Ben", "ada"]
    assert [why.split()[-5:] for _, _, why in notes] == [["and", "this", "one", "was", "not"]]


# Out


def results(*names):
    items = [
        course.HandedIn(named(Path(n)).owner.label, Path(n), "adaptive-steps", named(Path(n)))
        for n in names
    ]
    blank = {"failed": {}, "errors": [], "look": []}
    return [{"marks": {"adam-state": k + 0.5}, **blank, **item.about()} for k, item in enumerate(items)]


def read(path):
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.reader(file))


def test_marks_for_the_platforms(tmp_path):
    names = [f"{MOODLE}_", "=x_3_assignsubmission_file_", "lovelaceada_1_998_a.ipynb", "eve.ipynb"]
    report.write_for_platforms(tmp_path, ADAPTIVE, results(*names))
    assert read(tmp_path / "adaptive-steps-moodle.csv") == [
        ["Identifier", "Full name", "Grade", "Last modified (grade)"],
        ["Participant 12345", "Ada Lovelace", "0.5", "-"],
        ["Participant 3", "'=x", "1.5", "-"],
    ]
    assert read(tmp_path / "adaptive-steps-canvas.csv") == [
        ["Student", "ID", "SIS Login ID", "Section", ADAPTIVE.title],
        ["lovelaceada", "1", "", "", "2.5"],
    ]
    report.write_for_platforms(tmp_path, ADAPTIVE, results("eve.ipynb"))
    assert list(tmp_path.iterdir()) == []


def test_feedback_has_the_names_that_the_platforms_take_back(tmp_path):
    names = [MOODLE, "lovelaceada_LATE_1_998_a.ipynb", "eve.ipynb", "Eve.ipynb", "..", "x" * 240]
    feedback.write(tmp_path, ADAPTIVE, results(*names))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [
            f"{MOODLE}_adaptive-steps.html",
            "lovelaceada_1_998_adaptive-steps.html",
            "eve.html",
            "Eve_.html",
            "student.html",
            "x" * 200 + ".html",
        ]
    )


# Zip files


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def everything(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_zip_file_is_unpacked_as_it_is(tmp_path):
    members = [
        (f"{MOODLE}_/a.ipynb", BOOK),
        ("b_1_2_a.ipynb", BOOK),
        ("__MACOSX/._b", ""),
        (".DS_Store", ""),
    ]
    left = unpack(
        zipped(tmp_path / "in.zip", [*members, ("c.pdf", "x"), ("d/e.txt", "x")]),
        tmp_path / "out",
        10**6,
    )
    assert everything(tmp_path / "out") == [f"{MOODLE}_/a.ipynb", "b_1_2_a.ipynb"]
    assert left == [("c.pdf", "c.pdf", "it is no notebook")]
    assert (tmp_path / "out" / "d").is_dir()
    assert unpack(zipped(tmp_path / "in.zip", [("f.ipynb", BOOK)]), tmp_path / "out", 10**6) == []
    assert everything(tmp_path / "out") == ["f.ipynb"]


def test_a_folder_that_was_packed_as_a_whole(tmp_path):
    unpack(
        zipped(tmp_path / "in.zip", [("in/a.ipynb", ""), ("in/b.ipynb", "")]), tmp_path / "out", 10**6
    )
    assert everything(tmp_path / "out") == ["a.ipynb", "b.ipynb"]
    unpack(zipped(tmp_path / "in.zip", [("ada/a.ipynb", "")]), tmp_path / "out", 10**6)
    assert everything(tmp_path / "out") == ["ada/a.ipynb"]


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


OUTSIDE = [
    "../x.ipynb",
    "a/../../x.ipynb",
    "/x.ipynb",
    "C:/x.ipynb",
    "a\\..\\x.ipynb",
    "\\\\host\\x.ipynb",
]
LEFT_OUT = {
    **{name: ([(name, "{}")], "leads out") for name in OUTSIDE},
    "a link": ([(link("x.ipynb"), "/etc/passwd")], "it is a link"),
    "a large one": ([("x.ipynb", b"0" * 20_000)], "larger than 10000 bytes"),
    "a file as a folder": ([("ok.ipynb/x.ipynb", "{}")], "could not be written"),
    "a long name": ([("x" * 300 + ".ipynb", "{}")], "could not be written"),
    "twice": ([("OK.ipynb", "{}")], "another file of this name"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_of_a_zip_file_is_said(tmp_path, name):
    members, words = LEFT_OUT[name]
    source = zipped(tmp_path / "in.zip", [("ok.ipynb", "{}"), *members])
    (note,) = unpack(source, tmp_path / "deep" / "out", LARGEST)
    assert words in note[2]
    assert everything(tmp_path) == ["deep/out/ok.ipynb", "in.zip"]


def test_a_bomb_does_not_go_off(tmp_path, monkeypatch):
    """By its size, by a size that is not true, or by many files of a size that is allowed."""
    source = zipped(tmp_path / "in.zip", [("x.ipynb", b"0" * 5_000_000)])
    data = source.read_bytes()
    assert data.count((5_000_000).to_bytes(4, "little")) == 2
    source.write_bytes(data.replace((5_000_000).to_bytes(4, "little"), (500).to_bytes(4, "little")))
    (note,) = unpack(source, tmp_path / "out", LARGEST)
    assert "damaged" in note[2] or "larger" in note[2]
    assert everything(tmp_path / "out") == []
    monkeypatch.setattr(archive, "TOGETHER", 25_000)
    many = zipped(tmp_path / "many.zip", [(f"{k}.ipynb", b"0" * 9_000) for k in range(5)])
    assert len(unpack(many, tmp_path / "out", LARGEST)) == 3
    monkeypatch.setattr(archive, "MEMBERS", 4)
    with pytest.raises(ValueError, match="more than 4 files"):
        unpack(many, tmp_path / "out", LARGEST)


def test_encrypted_and_damaged_files(tmp_path):
    source = zipped(tmp_path / "in.zip", [("secret.ipynb", "{}" * 90), ("ok.ipynb", "{}")])
    data = bytearray(source.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[6] |= 1  # the flag of the first file, here and in the directory
    data[central + 8] |= 1
    source.write_bytes(data)
    assert unpack(source, tmp_path / "out", LARGEST) == [
        ("secret.ipynb", "secret.ipynb", "it is encrypted")
    ]
    data[6] &= ~1
    data[central + 8] &= ~1
    data[45] ^= 0xFF
    source.write_bytes(data)
    (note,) = unpack(source, tmp_path / "out", LARGEST)
    assert note[2].startswith("damaged")
    assert everything(tmp_path / "out") == ["ok.ipynb"]
    source.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="cannot be read as a zip file"):
        unpack(source, tmp_path / "out", LARGEST)


# Odd names


ODD = [
    "two words",
    "new\nline",
    "tab\t",
    "Zoë",
    "-rf",
    "=1+1",
    "a&b<c>'d'",
    "..x",
    "%s{0}",
    "con",
    "😀",
    b"\xff\xfe",
]


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be given there")
def test_a_name_may_be_anything_that_the_file_system_takes(tmp_path):
    for name in ODD:
        path = os.path.join(os.fsencode(tmp_path), name if isinstance(name, bytes) else name.encode())
        with open(path + b".ipynb", "w", encoding="utf8") as file:
            file.write(json.dumps(solved(ADAPTIVE)))
    found, notes = course.find(tmp_path, [ADAPTIVE], Limits())
    assert (len(found), notes) == (len(ODD) - 1, [])  # a name that begins with a dot is hidden
    blank = {"marks": {}, "failed": {}, "errors": [], "look": ["a note"]}
    outcome = [{**blank, **item.about()} for item in found]
    out = tmp_path / "out"
    feedback.write(out / "feedback", ADAPTIVE, outcome)
    report.write_marks(out / "marks.csv", ADAPTIVE, outcome)
    report.write_to_look_at(out / "look.csv", outcome, [(found[0].student, os.fsdecode(b"\xff"), "odd")])
    assert len(list((out / "feedback").iterdir())) == len(found)
    assert len(read(out / "marks.csv")) == len(found) + 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    write(tmp_path, "ada/a.ipynb", "ben/a.ipynb")
    (tmp_path / "ada").chmod(0)
    try:
        found, notes = found_in(tmp_path)
    finally:
        (tmp_path / "ada").chmod(0o700)
    assert list(found) == ["ben"]
    assert notes == [("ada", "ada", "a folder cannot be read (PermissionError)")]


def test_a_folder_that_fails_on_the_way_is_said(tmp_path, monkeypatch):
    write(tmp_path, "ada/a.ipynb")

    def walk(top, onerror):
        onerror(PermissionError("no"))
        return iter(())

    monkeypatch.setattr(course.os, "walk", walk)
    assert found_in(tmp_path) == ({}, [("ada", "ada", "a folder cannot be read (PermissionError)")])
