"""The book as one PDF: links that hold in it, solutions at the ends of chapters, page numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import paper
import pytest
from notebook_rules import ROOT
from pypdf import PdfReader, PdfWriter

FRONT = """<html><head><link rel="stylesheet" href="print.css"></head><body>
<div class="bd-sidebar-primary"><nav><p class="caption">Part I: Ways down</p><ul>
<li class="toctree-l1"><a href="slow.html">1. Slow</a></li>
<li class="toctree-l1"><a href="fast.html">2. Fast</a></li></ul>
<p class="caption">Reference</p><ul><li class="toctree-l1"><a href="api/calls.html">Calls</a></li>
<li class="toctree-l1"><a href="words.html">Words</a></li></ul></nav></div>
<article><p>Read on<span hidden id="the-book-on-paper">, or take the PDF</span>.</p></article>
<p class="copyright">Ours, for all</p></body></html>"""


def exercise(number: str, answer: str) -> str:
    """An exercise with its solution, as built."""
    return f"""<div class="exercise admonition"><p class="admonition-title">
<span class="caption-number">Exercise {number} </span>(A name)</p></div>
<div class="solution admonition"><p class="admonition-title">Solution</p><p>{answer}</p></div>"""


SLOW = f"""<article><section id="slow"><h1>Slow</h1>
<section id="why"><h2>Why<a class="headerlink" href="#why">#</a></h2>
<p>As <a href="fast.html#turn">there</a>, <a href="fast.html">here</a>, <a href="#why">above</a>,
<a href="api/calls.html#f">f</a> and <a href="https://example.org">elsewhere</a>.</p></section>
<section id="exercises"><h2>Exercises</h2>{exercise("1.1", "first")}{exercise("1.2", "second")}</section>
<section id="summary"><h2>Summary</h2><p>It is slow.</p></section></section></article>"""
FAST = """<article><section id="fast"><h1>Fast</h1>
<section id="turn"><h2>A turn</h2></section></section></article>"""
WORDS = """<article><section id="words"><h1>Words</h1>
<details><summary>a</summary>b</details></section></article>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small book as built."""
    (tmp_path / "book").mkdir()
    (tmp_path / "files").mkdir()
    for name, text in {"index": FRONT, "slow": SLOW, "fast": FAST, "words": WORDS}.items():
        (tmp_path / "book" / f"{name}.html").write_text(text)
    return tmp_path


def test_the_contents_are_those_of_the_sidebar_without_the_api(site):
    pages = paper.contents(paper.soup(site / "book" / "index.html"))
    assert pages == [
        ("Part I: Ways down", "1. Slow", "slow"),
        ("", "2. Fast", "fast"),
        ("Reference", "Words", "words"),
    ]


def test_links_hold_in_the_one_document_and_those_to_what_is_not_printed_are_text(site):
    page = paper.Page("", "1. Slow", "slow")
    article = paper.article(site / "book", page, {"slow", "fast", "words"})
    assert [a["href"] for a in article.select("a")] == [
        "#fast--turn",
        "#fast",
        "#slow--why",
        "https://example.org",
    ]
    assert "above, f and elsewhere." in " ".join(article.get_text().split())
    assert article.select_one("h1").string == "1. Slow"


def test_solutions_stand_at_the_end_under_the_numbers_of_their_exercises(site):
    article = paper.article(site / "book", paper.Page("", "1. Slow", "slow"), {"slow"})
    last = article.select("h1 ~ section")[-1]
    assert last.h2.string == "Solutions"
    titles = [title.string for title in last.select(".solution .admonition-title")]
    assert titles == ["Solution of Exercise 1.1", "Solution of Exercise 1.2"]
    assert len(article.select(".solution")) == 2


def test_a_drop_down_is_open(site):
    article = paper.article(site / "book", paper.Page("", "Words", "words"), {"words"})
    assert article.details.has_attr("open")


def test_the_contents_of_the_printed_book_say_on_which_page_a_chapter_begins(site):
    shutil.copy(ROOT / "book" / "_static" / "print.css", site / "book")
    subprocess.run([sys.executable, paper.__file__, site], check=True)
    pdf = PdfReader(site / "files" / "gradients-you-can-trust.pdf")
    texts = ["".join(page.extract_text().split()) for page in pdf.pages]
    # A title page, a page of contents, and every chapter begins on a page of its own.
    assert len(texts) == 5
    assert (
        texts[1] == "GradientsYouCanTrust2ContentsPartI:Waysdown1.Slow3Why32.Fast4Aturn4ReferenceWords5"
    )
    assert [texts[k].count(title) for k, title in ((2, "1.Slow"), (3, "2.Fast"), (4, "Words"))] == [
        1,
        1,
        1,
    ]


def test_the_outline_has_every_heading_once(site):
    shutil.copy(ROOT / "book" / "_static" / "print.css", site / "book")
    subprocess.run([sys.executable, paper.__file__, site], check=True)
    outline = PdfReader(site / "files" / "gradients-you-can-trust.pdf").outline
    titles = [
        [entry.title for entry in part] if isinstance(part, list) else part.title for part in outline
    ]
    assert titles == [
        "Contents",
        "1. Slow",
        ["Why", "Exercises", "Summary", "Solutions"],
        "2. Fast",
        ["A turn"],
        "Words",
    ]


def test_titles_that_chromium_doubles_are_named_anew(tmp_path):
    pdf, writer = tmp_path / "book.pdf", PdfWriter()
    writer.add_blank_page(width=100, height=100)
    slow = writer.add_outline_item(title="1. Slow1. Slow", page_number=0)
    writer.add_outline_item(title="WhyWhy", page_number=0, parent=slow)
    writer.add_outline_item(title="2. Fast", page_number=0)
    writer.write(pdf)
    with pytest.raises(ValueError, match="shorter"):
        paper.name_outline(pdf, ["1. Slow", "Why"])
    paper.name_outline(pdf, ["1. Slow", "Why", "2. Fast"])
    first, below, last = PdfReader(pdf).outline
    assert [first.title, below[0].title, last.title] == ["1. Slow", "Why", "2. Fast"]
    assert list(tmp_path.iterdir()) == [pdf]


def test_the_front_page_offers_the_pdf_once_it_is_there(site):
    front = site / "book" / "index.html"
    assert paper.soup(front).find(id="the-book-on-paper").has_attr("hidden")
    paper.offer(front)
    assert not paper.soup(front).find(id="the-book-on-paper").has_attr("hidden")
    assert (
        paper.soup(ROOT / "book" / "text" / "index.md").find(id="the-book-on-paper").has_attr("hidden")
    )
