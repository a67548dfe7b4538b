"""Numbers of chapters, figures and equations come from the contents; times at the heads are computed."""

import re

import pytest
import yaml
from notebook_rules import ROOT, read_text
from reading_time import complaints, long_cells, measure, minutes, wide_lines

BOOK = ROOT / "book"
TEXTS = sorted((BOOK / "text").glob("*.md"))
CHAPTERS = [path for path in TEXTS if path.stem != "index"]
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@each_chapter
def test_files_titles_and_labels_carry_no_number(path):
    text = path.read_text(encoding="utf8")
    assert not re.search(r"^\d", path.stem)
    assert not re.search(r"^# \d", text, re.M)
    assert re.findall(r"\b(?:ch|fig|eq|ex|sol)-\d\d\b", text) == []


@each_chapter
def test_a_chapter_is_referred_to_by_its_label(path):
    prose = "\n".join(cell.source for cell in read_text(path).cells if cell.cell_type == "markdown")
    typed = [
        sentence
        for sentence in re.findall(r"[^.\n]*(?<!\w)[Cc]hapters? \d[^.\n]*", prose)
        if "{cite" not in sentence and "edition" not in sentence
    ]
    assert typed == []


def test_chapters_are_numbered_through_the_parts():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))["parts"]
    for part in parts:
        assert part.get("numbered", False) == (1 if part["caption"].startswith("Part") else False)


@each_chapter
def test_the_promised_time_is_the_computed_one(path):
    assert complaints(read_text(path)) == []


@each_chapter
def test_visible_cells_are_short(path):
    assert long_cells(read_text(path)) == []
    assert wide_lines(read_text(path)) == []


SMALL = """\
(ch-small)=
# Small

- **It takes** about 2 minutes.

One two {{numref}}`three <fig-four>`.

```{{math}}
:label: eq-small
a = b + c + d + e
```

```{{code-cell}} ipython3
a = 1

b = 2
```

```{{code-cell}} ipython3
:tags: [remove-cell]

assert a + b == 3
```

:::{{exercise}} Count
:label: ex-small

Words in here are not counted.
:::

```{{solution-start}} ex-small
:class: dropdown
```

Nor here.

```{{code-cell}} ipython3
print(a)
```

```{{solution-end}}
```
{more}
"""


@pytest.fixture
def chapter(tmp_path):
    """Write the small chapter, with more in it."""

    def write(more=""):
        path = tmp_path / "small.md"
        path.write_text(SMALL.format(more=more), encoding="utf8")
        return read_text(path)

    return write


def test_words_and_lines_are_counted_without_exercises_and_markup(chapter):
    words, lines = measure(chapter())
    # "# Small", the line of the time with its dash, and the sentence
    assert (words, lines) == (2 + 6 + 4, 2)
    assert minutes(180, 12) == 2.5


def test_what_follows_a_solution_is_counted(chapter):
    assert measure(chapter("Three more words."))[0] == measure(chapter())[0] + 3


def test_a_wrong_promise_is_seen(chapter):
    assert complaints(chapter("word " * 220)) == []
    assert "promises 2 minutes" in complaints(chapter("word " * 800))[0]
    assert "at most 50" in complaints(chapter("word " * 8000))[1]


def test_a_long_cell_is_seen(chapter):
    cell = "\n```{code-cell} ipython3\n" + "a = 1\n" * 21 + "```\n"
    assert len(long_cells(chapter(cell))) == 1
    assert wide_lines(chapter(cell)) == []


def test_a_wide_line_is_seen(chapter):
    line = "a = " + " + ".join(["one_more"] * 8)
    assert wide_lines(chapter("\n```{code-cell} ipython3\n" + line[:88] + "\n```\n")) == []
    assert len(wide_lines(chapter("\n```{code-cell} ipython3\n" + line + "\n```\n"))) == 1
