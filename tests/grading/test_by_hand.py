"""Points for answers in words: a table that a person fills in, and that the next run reads."""

import csv

import pytest
from submissions import ADAPTIVE

from grading import by_hand, feedback, report

(QUESTION,) = ADAPTIVE.manual


def result(student, words="because", marks=None):
    note = f"manual points: {QUESTION.name}, up to {QUESTION.points:g}"
    return {
        "student": student,
        "marks": marks or {cell.name: cell.points for cell in ADAPTIVE.judged},
        "words": {QUESTION.name: words},
        "look": [note, "deleted cell: setup"],
        "failed": {},
        "errors": [],
    }


def filled(path, points):
    """The table as it is after somebody has filled in points, by the name of the student."""
    with path.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["points"] = points.get(row["student"], row["points"])
    with path.open("w", encoding="utf8", newline="") as file:
        table = csv.DictWriter(file, by_hand.HEAD)
        table.writeheader()
        table.writerows(rows)
    return rows


def again(path, results):
    """What a run does with the table."""
    given = by_hand.read(path, ADAPTIVE)
    for one in results:
        by_hand.add(one, given)
    by_hand.write(path, ADAPTIVE, results, given)
    return results


def test_points_are_added_by_the_next_run_and_stay(tmp_path):
    path = tmp_path / "by-hand.csv"
    (first, _) = again(path, [result("ada", "first,\nsecond"), result("=eve")])
    assert report.total(first) == ADAPTIVE.most
    assert first["look"][0].startswith("manual points")
    rows = filled(path, {"ada": "1,5", "'=eve": "0"})
    assert rows[0]["answer"] == "first,\nsecond"
    for _ in range(2):
        ada, eve = again(path, [result("ada"), result("=eve")])
        assert (report.total(ada), report.total(eve)) == (ADAPTIVE.most + 1.5, ADAPTIVE.most)
        assert ada["look"] == eve["look"] == ["deleted cell: setup"]
    again(path, [result("ada")])
    assert by_hand.read(path, ADAPTIVE)["'=eve", QUESTION.name] == 0


def test_they_are_in_the_marks_and_in_the_feedback(tmp_path):
    one = result("ada")
    assert "up to 2 more" in feedback.page(ADAPTIVE, one)
    by_hand.add(one, {("ada", QUESTION.name): 1.5})
    text = feedback.page(ADAPTIVE, one)
    assert "29.5 of 30 points" in text
    assert "1.5 of 2 points" in text
    report.write_marks(tmp_path / "marks.csv", ADAPTIVE, [one])
    with (tmp_path / "marks.csv").open(encoding="utf8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["points"], row["of"], row[QUESTION.name]) == ("29.5", "30", "1.5")


@pytest.mark.parametrize("encoded", ["utf-8-sig", "utf8"])
@pytest.mark.parametrize("sign", [";", "\t", ","])
def test_a_spreadsheet_of_any_country_is_read(tmp_path, sign, encoded):
    rows = [by_hand.HEAD, ["Zoë", QUESTION.name, "2", " 1 ", "a"], ["ben", QUESTION.name, "2", "", "b"]]
    path = tmp_path / "by-hand.csv"
    path.write_text("\r\n".join(sign.join(row) for row in rows), encoding=encoded)
    assert by_hand.read(path, ADAPTIVE) == {("Zoë", QUESTION.name): 1.0}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("ada,question,2,1,", "there is no question 'question'"),
        (
            f"ada,{QUESTION.name},2,3,",
            "ada: points of question-first-steps must be a number from 0 to 2",
        ),
        (f"ada,{QUESTION.name},2,-1,", "not '-1'"),
        (f"ada,{QUESTION.name},2,nan,", "not 'nan'"),
        (f"ada,{QUESTION.name},2,good,", "not 'good'"),
    ],
)
def test_what_cannot_be_points_is_refused(tmp_path, row, words):
    path = tmp_path / "by-hand.csv"
    path.write_text(f"{','.join(by_hand.HEAD)}\n{row}\n", encoding="utf8")
    with pytest.raises(ValueError, match=words):
        by_hand.read(path, ADAPTIVE)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_another_table_is_refused(tmp_path, text):
    path = tmp_path / "by-hand.csv"
    path.write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match="the first line must be student,question"):
        by_hand.read(path, ADAPTIVE)
