"""The ledger of errors: entries have tests that exist, boxes point to entries, links lead somewhere."""

import re
import subprocess
import sys

import pytest
from _ext.ledger_page import PARTS, article
from ledger import ARTICLES, KINDS, OURS, SUBJECTS, body, filled, read
from notebook_rules import ROOT

LEDGER = read()
TEXTS = sorted((ROOT / "book" / "text").glob("*.md"))


def anchors(path):
    headings = re.findall(r"^#{1,4} (.+)$", path.read_text(encoding="utf8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w]+", "-", words.lower()).strip("-") for words in headings}


@pytest.mark.slow
def test_every_test_that_is_named_exists_and_runs():
    """It is collected, without a mark that would skip it everywhere."""
    named = sorted({entry.test for entry in LEDGER.entries})
    files = sorted({name.partition("::")[0] for name in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", *files]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {line.partition("[")[0] for line in answer.stdout.splitlines() if "::" in line}
    assert [name for name in named if name.partition("[")[0] not in found] == [], answer.stdout[-2000:]
    skipped = re.compile(r"pytest\.mark\.(skip|xfail)\b")
    assert [file for file in files if skipped.search((ROOT / file).read_text(encoding="utf8"))] == []


@pytest.mark.parametrize("entry", LEDGER.entries, ids=lambda entry: entry.id)
def test_what_is_taught_is_there(entry):
    chapter, _, anchor = entry.taught.partition("#")
    paths = (ROOT / "book" / "text" / f"{chapter}.md", ROOT / "book" / f"{chapter}.md")
    path = next(path for path in paths if path.exists())
    assert not anchor or anchor in anchors(path)


def test_a_shared_error_stands_in_other_articles():
    article_of = {entry.id: entry.article for entry in LEDGER.entries}
    for entry in LEDGER.entries:
        assert entry.article not in {article_of[other] for other in entry.same}, entry.id


@pytest.mark.parametrize("number", ARTICLES)
def test_no_sentence_of_an_article_is_repeated(number):
    """The articles are Chinese: so no Chinese letter stands in an entry."""
    for entry in LEDGER.of(number):
        assert not re.search(r"[\u3400-\u9fff]", entry.claim + entry.why + entry.right), entry.id


def test_every_box_of_the_chapters_is_made_from_the_ledger():
    names = []
    for path in TEXTS:
        text = path.read_text(encoding="utf8")
        assert filled(text, LEDGER) == text, f"{path.name}: run `python book/ledger.py`"
        names += re.findall(r"^:name: box-([\w-]+)$", text, flags=re.MULTILINE)
        assert text.count("{admonition} In the sources") == text.count("\n:name: box-")
    assert sorted(names) == sorted(box.name for box in LEDGER.boxes)


def test_a_box_cites_the_articles_of_its_entries():
    article_of = {entry.id: entry.article for entry in LEDGER.entries}
    for box in LEDGER.boxes:
        cited = {int(number) for number in re.findall(r"<source-(\d)>", box.words)}
        assert {article_of[name] for name in box.entries} == cited or not cited, box.name


def test_the_table_counts_the_entries():
    rows = [row.strip("| ").split(" | ") for row in PARTS["counts"](LEDGER).splitlines()[2:]]
    assert [row[0] for row in rows] == [*KINDS, "**all**"]
    assert int(rows[-1][6]) == sum(entry.article != OURS for entry in LEDGER.entries)
    for column in range(1, 8):
        assert sum(int(row[column]) for row in rows[:-1]) == int(rows[-1][column])


def test_the_list_by_subject_names_every_entry_once():
    text = PARTS["subjects"](LEDGER)
    assert sorted(re.findall(r"<err-([\w-]+)>", text)) == sorted(entry.id for entry in LEDGER.entries)
    assert len(text.splitlines()) == len(SUBJECTS)


def test_an_entry_shows_all_of_its_fields():
    for entry in LEDGER.entries:
        text = article(LEDGER, entry.article)
        for words in (entry.claim, entry.why, entry.right, f"(err-{entry.id})="):
            assert words.strip() in text


def a_ledger(folder, **changes):
    row = {
        "id": "one",
        "article": 1,
        "section": "'2.1'",
        "subject": "Adam",
        "kind": "code",
        "title": "T",
        "claim": "C",
        "why": "W",
        "right": "R",
        "taught": "adam",
        "test": "tests/a.py::test_b",
        **changes,
    }
    lines = [f"  {key}: {value}" for key, value in row.items()]
    boxes = "boxes:\n- {name: b, entries: [one], words: Words.}\n"
    path = folder / "errata.yml"
    path.write_text("entries:\n- " + "\n".join(lines).lstrip() + "\n" + boxes, encoding="utf8")
    return path


def test_a_small_ledger(tmp_path):
    ledger = read(a_ledger(tmp_path))
    assert ledger.numbers == {"one": "1.1"}
    assert body(ledger.boxes[0], ledger) == "Words.\n\n*In the ledger:* {ref}`1.1 <err-one>`."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "slip"}, "one: kind is 'slip'; expected one of"),
        ({"article": 6}, "one: article is 6"),
        ({"why": "''"}, "one: why is ''; expected some words"),
        ({"reason": "x"}, r"one: there is no field \['reason'\]"),
        ({"same": "[two]"}, "one: same names 'two'"),
        ({"id": "two"}, r"box b: there is no entry \['one'\]"),
    ],
)
def test_a_ledger_that_does_not_hold_together(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        read(a_ledger(tmp_path, **changes))
