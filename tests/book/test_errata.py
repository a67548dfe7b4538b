"""The ledger of errors: entries have tests that exist, boxes point to entries, links lead somewhere."""

import ast
import re
import subprocess
import sys
from collections import Counter
from xml.etree import ElementTree

import pytest
import yaml
from _ext.ledger_page import PARTS, PLACE, entries_of, entry_text
from ledger import ARTICLES, BOX, KINDS, OURS, SUBJECTS, box_text, read, with_boxes
from notebook_rules import ROOT

LEDGER = read()
TEXTS = sorted((ROOT / "book" / "text").glob("*.md"))


def anchors(path):
    headings = re.findall(r"^#{1,4} (.+)$", path.read_text(encoding="utf8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w]+", "-", words.lower()).strip("-") for words in headings}


NAMED = {name for entry in LEDGER.entries for name in entry.test}


@pytest.mark.slow
def test_every_test_that_is_named_exists_and_runs():
    """It is collected, without a mark that would skip it everywhere; of cases, the very one is."""
    files = sorted({name.partition("::")[0] for name in NAMED})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", *files]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    cases = {line for line in answer.stdout.splitlines() if "::" in line}
    found = cases | {case.partition("[")[0] for case in cases}
    assert NAMED - found == set(), answer.stdout[-2000:]
    skipped = re.compile(r"pytest\.mark\.(skip|xfail)\b")
    assert [file for file in files if skipped.search((ROOT / file).read_text(encoding="utf8"))] == []


def test_every_test_of_an_error_is_named():
    written = {
        f"tests/book/errata/{path.name}::{node.name}"
        for path in (ROOT / "tests" / "book" / "errata").glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert written - {name.partition("[")[0] for name in NAMED} == set()


@pytest.mark.parametrize("entry", LEDGER.entries, ids=lambda entry: entry.id)
def test_what_is_taught_is_there(entry):
    chapter, _, anchor = entry.taught.partition("#")
    paths = (ROOT / "book" / "text" / f"{chapter}.md", ROOT / "book" / f"{chapter}.md")
    path = next((path for path in paths if path.exists()), None)
    assert path is not None, f"there is no chapter {chapter}"
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
        assert with_boxes(path.stem, text, LEDGER) == text, f"{path.name}: run `python book/ledger.py`"
        of_chapter = [found["name"] for found in BOX.finditer(text)]
        assert len(of_chapter) == text.count("{admonition} In the sources"), path.name
        names += of_chapter
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


def test_the_figure_counts_the_errors_of_the_articles():
    """The numbers that it shows, and its bars, which are as long as these say."""
    subject_of = Counter((e.article, e.subject) for e in LEDGER.entries if e.article != OURS)
    expected = [subject_of[article, subject] for subject in SUBJECTS for article in ARTICLES]
    figure = ElementTree.fromstring(PARTS["figure"](LEDGER))
    (picture,) = figure
    texts, bars = picture.findall("text"), picture.findall("rect")
    columns = [float(text.get("x")) for text in texts[: len(ARTICLES)]]
    assert [text.text for text in texts[: len(ARTICLES)]] == [f"article {a}" for a in ARTICLES]
    assert [text.text for text in texts if text.text in SUBJECTS] == list(SUBJECTS)
    shown = [text.text for text in texts[len(ARTICLES) :] if text.text not in SUBJECTS]
    assert [0 if words == "–" else int(words) for words in shown] == expected
    assert [float(bar.get("x")) for bar in bars] == columns * len(SUBJECTS)
    widths = [float(bar.get("width")) for bar in bars]
    one = max(widths) / max(expected)
    assert widths == pytest.approx([one * count for count in expected], abs=0.06)
    assert 30 < max(widths) < columns[1] - columns[0] - 20  # which leaves room for the number
    said = re.findall(r"([a-zA-Z ]+) (\d+)[,.]", picture.get("aria-label").split(": ", 2)[2])
    sums = Counter(e.subject for e in LEDGER.entries if e.article != OURS)
    assert {subject.strip(): int(count) for subject, count in said} == sums


def test_the_list_by_subject_names_every_entry_once_with_its_title():
    lines = PARTS["subjects"](LEDGER).splitlines()
    listed = [re.fullmatch(r"- \{ref\}`(\S+) <err-([\w-]+)>` (.+)", line) for line in lines]
    rows = sorted(found.groups() for found in listed if found)
    assert rows == sorted((LEDGER.numbers[entry.id], entry.id, entry.title) for entry in LEDGER.entries)
    heads = [line.partition("} ")[2] for line in lines if line.startswith("::::{")]
    sizes = Counter(entry.subject for entry in LEDGER.entries)
    assert [head.lower() for head in heads] == [f"{name.lower()}: {sizes[name]}" for name in SUBJECTS]


def test_the_entries_stand_in_the_order_of_the_articles_and_ours_come_last():
    articles = [entry.article for entry in LEDGER.entries]
    assert list(dict.fromkeys(articles)) == [*ARTICLES, OURS]
    assert articles == sorted(articles, key=[*ARTICLES, OURS].index)


def test_the_page_has_every_part_once_and_every_article_under_its_anchor():
    text = (ROOT / "book" / "errata.md").read_text(encoding="utf8")
    articles = [str(number) for number in (*ARTICLES, OURS)]
    assert sorted(PLACE.findall(text)) == sorted([*PARTS, *articles])
    place = r"^\((source-\d|our-own-errors)\)=$|^% ledger: (\d)$"
    order = [anchor or number for anchor, number in re.findall(place, text, flags=re.MULTILINE)]
    anchors = [*(f"source-{number}" for number in ARTICLES), "our-own-errors"]
    assert order == [name for pair in zip(anchors, articles, strict=True) for name in pair]


def test_the_choices_of_the_search_are_what_entries_say():
    """A choice finds an entry by the words of its first line."""
    values = re.findall(r'<option value="([^"]+)">', PARTS["search"](LEDGER))
    assert len(values) == len(SUBJECTS) + len(KINDS)
    for entry in LEDGER.entries:
        line = entry_text(entry, LEDGER).splitlines()[4]
        assert {value for value in values if value in line} == {
            f"Kind: {entry.kind}.",
            f"Subject: {entry.subject}.",
        }


# Small ledgers

ROW = {
    "id": "one",
    "article": 1,
    "section": "2.1",
    "subject": "Adam",
    "kind": "code",
    "title": "T",
    "claim": "C.",
    "why": "W.",
    "right": "R.",
    "taught": "adam#two-running-means",
    "test": "tests/a.py::test_b",
}
BOXES = [{"name": "b", "entries": ["one"], "words": "Words."}]


def a_ledger(folder, *changes, boxes=BOXES):
    """A ledger with an entry for each of some changes of `ROW`."""
    path = folder / "errata.yml"
    rows = [{**ROW, **change} for change in changes or [{}]]
    path.write_text(yaml.safe_dump({"entries": rows, "boxes": boxes}), encoding="utf8")
    return read(path)


def test_a_small_ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    assert ledger.numbers == {"one": "1.1"}
    assert box_text(ledger.boxes[0], ledger) == "Words.\n\n*In the ledger:* {ref}`1.1 <err-one>`."


def test_an_entry_shows_all_of_its_fields(tmp_path):
    more = {
        "half": True,
        "same": ["two"],
        "section": "2.1 and 3",
        "test": ["a.py::b", "a.py::c[d]", "e.py::f"],
    }
    ledger = a_ledger(
        tmp_path,
        more,
        {"id": "two", "article": 2, "same": ["one"], "section": "section 6", "taught": "conventions"},
        {"id": "own", "article": 0, "section": "the front page", "kind": "invented result"},
    )
    taught = "Taught in [](/book/adam.ipynb#two-running-means). "
    assert entries_of(ledger, 1) == (
        "(err-one)=\n::::{dropdown} 1.1 T\n:class-container: erratum\n\n"
        "*Article 1, sections 2.1 and 3. Kind: code. Subject: Adam. Half right.*\n\n"
        "C.\n\n**What is wrong with it.** W.\n\n**Right.** R.\n\n"
        + taught
        + "Tests: `b`, `c[d]` in `a.py`; `f` in `e.py`. The same error: {ref}`2.1 <err-two>`.\n::::"
    )
    assert entries_of(ledger, 2) == (
        "(err-two)=\n::::{dropdown} 2.1 T\n:class-container: erratum\n\n"
        "*Article 2, section 6. Kind: code. Subject: Adam.*\n\n"
        "C.\n\n**Why it is wrong.** W.\n\n**Right.** R.\n\n"
        "Taught in {doc}`/book/conventions`. Test: `test_b` in `tests/a.py`."
        " The same error: {ref}`1.1 <err-one>`.\n::::"
    )
    assert entries_of(ledger, 0) == (
        "(err-own)=\n::::{dropdown} 0.1 T\n:class-container: erratum\n\n"
        "*The front page. Kind: invented result. Subject: Adam.*\n\n"
        "C.\n\n**Why it is wrong.** W.\n\n**Right.** R.\n\n"
        + taught
        + "Test: `test_b` in `tests/a.py`.\n::::"
    )


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("6", "Article 1, section 6. "),
        ("2.2, steps 1 and 3", "Article 1, section 2.2, steps 1 and 3. "),
        ("3.1, 3.2.3; program", "Article 1, sections 3.1, 3.2.3; program. "),
        ("3.3 to 3.6, formulas", "Article 1, sections 3.3 to 3.6, formulas. "),
        ("FAQ, answer 2", "Article 1, FAQ, answer 2. "),
    ],
)
def test_a_place_that_begins_with_a_number_is_a_section(tmp_path, section, place):
    ledger = a_ledger(tmp_path, {"section": section})
    assert f"*{place}Kind" in entries_of(ledger, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{"kind": "slip"}], "one: kind is 'slip'; expected one of"),
        ([{"article": 6}], "one: article is 6"),
        ([{"why": ""}], "one: why is ''; expected some words"),
        ([{"test": []}], r"one: test is \(\); expected names"),
        ([{"test": "test_b"}], r"one: test is \('test_b',\); expected names"),
        ([{"reason": "x"}], r"one: there is no field \['reason'\]"),
        ([{"same": ["two"]}], "one: same names 'two', which does not name it back"),
        ([{"same": ["two"]}, {"id": "two", "article": 2}], "one: same names 'two', which does not"),
        ([{"same": ["one"]}], "one: same names the entry itself"),
        ([{}, {"article": 2}], r"two entries have the same id: \['one'\]"),
        ([{"id": "two"}], r"box b: there is no entry \['one'\]"),
    ],
)
def test_a_ledger_that_does_not_hold_together(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        a_ledger(tmp_path, *changes)


def test_an_entry_that_lacks_a_field(tmp_path):
    (tmp_path / "errata.yml").write_text("entries: [{id: one, title: T}]\nboxes: []\n", encoding="utf8")
    with pytest.raises(ValueError, match=r"one: \['article', .*'why'\] is missing"):
        read(tmp_path / "errata.yml")


def test_an_empty_box(tmp_path):
    with pytest.raises(ValueError, match="box b: it points to no entry"):
        a_ledger(tmp_path, boxes=[{**BOXES[0], "entries": []}])


CHAPTER = """Before.

:::{admonition} In the sources
:class: in-the-sources
:name: box-NAME

Old words.
:::

After.
"""


def test_a_box_gets_the_words_of_the_ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    text = with_boxes("adam", CHAPTER.replace("NAME", "b"), ledger)
    words = "Words.\n\n*In the ledger:* {ref}`1.1 <err-one>`."
    assert text == CHAPTER.replace("NAME", "b").replace("Old words.", words)


def test_a_box_that_is_not_in_the_ledger(tmp_path):
    with pytest.raises(ValueError, match=r"adam: there is no box 'c' in errata\.yml"):
        with_boxes("adam", CHAPTER.replace("NAME", "c"), a_ledger(tmp_path))
