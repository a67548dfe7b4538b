"""Makes one PDF of the book from its built pages: ``python book/paper.py _build/html``.

All pages are put into one document, so that the links between them lead to places in the PDF and its
pages are numbered through; Chromium prints it twice, the second time with the page numbers in its
contents. The PDF goes to ``files/`` beside the zip of the site, and the front page shows the link to it.
The reference of the API stays on the web.
"""

import shutil
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Browser, Playwright, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

TITLE = "Gradients You Can Trust"
SUBTITLE = "and the Optimizers That Use Them"
NAME = "gradients-you-can-trust.pdf"
ON_THE_WEB_ONLY = "api/"
IN_EVERY_CHAPTER = {"Exercises", "Summary", "Further reading", "Solutions"}  # not in the contents
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
MINUTES = 60_000  # in milliseconds
HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter((heading) => heading.checkVisibility())
    .map((heading) => heading.textContent.replace(/\\s+/g, " ").trim())"""


class Page(NamedTuple):
    """A page of the site, as its table of contents names it."""

    part: str  #: the part that begins with this page, else ""
    title: str  #: with the chapter's number, if it has one
    slug: str  #: the file without ``.html``


def soup(path: Path) -> BeautifulSoup:
    """The tree of an HTML file."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def contents(front: BeautifulSoup) -> list[Page]:
    """The pages that are printed, in the order of the sidebar of the front page."""
    found, part = [], ""
    for entry in front.select(
        ".bd-sidebar-primary nav p.caption, .bd-sidebar-primary li.toctree-l1 > a"
    ):
        text = entry.get_text(" ", strip=True)
        if entry.name == "p":
            part = text
        elif not str(entry["href"]).startswith(ON_THE_WEB_ONLY):
            found.append(Page(part, text, str(entry["href"]).removesuffix(".html")))
            part = ""
    return found


def move_solutions(article: Tag, document: BeautifulSoup) -> None:
    """Put the solutions at the chapter's end, each under the number of its exercise."""
    solutions = article.select(".solution")
    if not solutions:
        return
    section = document.new_tag("section", id="solutions-of-the-chapter")
    heading = document.new_tag("h2")
    heading.string = "Solutions"
    section.append(heading)
    for solution in solutions:
        number = solution.find_previous(class_="exercise").select_one(".caption-number")
        solution.select_one(".admonition-title").string = f"Solution of {number.get_text(strip=True)}"
        section.append(solution.extract())
    article.select_one("section").append(section)


def article(site: Path, page: Page, slugs: set[str]) -> Tag:
    """What a page says, with addresses that hold in the one document."""
    document = soup(site / f"{page.slug}.html")
    found = document.select_one("article")
    move_solutions(found, document)
    for useless in found.select(".headerlink, .toggle-button, script, details.hide"):
        useless.decompose()
    for drop_down in found.select("details"):
        drop_down["open"] = ""
    for named in found.select("[id]"):
        named["id"] = f"{page.slug}--{named['id']}"
    for link in found.select("a[href]"):
        file, _, place = str(link["href"]).partition("#")
        slug = file.removesuffix(".html") or page.slug
        if slug in slugs and (not file or file.endswith(".html")):
            link["href"] = f"#{slug}--{place}" if place else f"#{slug}"
        elif not file.startswith(("http:", "https:", "mailto:")):
            link.unwrap()
    heading = found.select_one("h1")
    heading.string = page.title
    heading["id"] = page.slug
    return found


def contents_page(pages: list[Page], articles: list[Tag], numbers: dict[str, int]) -> str:
    """The table of contents: parts, chapters and their sections, with the pages on which they begin."""
    lines = []
    for page, text in zip(pages, articles, strict=True):
        if page.part:
            lines.append(f'<p class="paper-part">{escape(page.part)}</p>')
        places = [("chapter", page.slug, page.title)]
        sections = text.select("h1 ~ section[id]") if page.title[0].isdigit() else []
        for section in sections:
            heading = section.h2.get_text(" ", strip=True)
            if heading not in IN_EVERY_CHAPTER:
                places.append(("section", str(section["id"]), heading))
        for kind, place, title in places:
            number = numbers.get(place, "")
            lines.append(
                f'<p class="paper-{kind}"><a href="#{place}">{escape(title)}</a>'
                f'<a class="paper-number" href="#{place}">{number}</a></p>'
            )
    return f'<section class="paper-contents"><h1>Contents</h1>{"".join(lines)}</section>'


def whole(front: BeautifulSoup, pages: list[Page], articles: list[Tag], numbers: dict[str, int]) -> str:
    """The one document."""
    styles = "".join(str(link) for link in front.select('link[rel="stylesheet"]'))
    mathjax = [
        s
        for s in front.select("script")
        if "MathJax" in (s.string or "") or "mathjax" in s.get("src", "")
    ]
    rights = front.select_one(".copyright").get_text(" ", strip=True)
    return (
        '<!DOCTYPE html><html lang="en" data-mode="light" data-theme="light">'
        '<head><meta charset="utf-8">'
        f"<title>{TITLE}</title>{styles}{''.join(map(str, mathjax))}</head>"
        f'<body class="paper"><section class="paper-title"><p class="paper-name">{TITLE}</p>'
        f"<p>{SUBTITLE}</p><p>{escape(rights)}</p></section>"
        f"{contents_page(pages, articles, numbers)}{''.join(map(str, articles))}</body></html>"
    )


def launched(playwright: Playwright) -> Browser:
    """The system's Chromium, which asks for nothing of its own accord."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise FileNotFoundError(f"no browser; expected one of {', '.join(BROWSERS)}")
    return playwright.chromium.launch(executable_path=found, args=list(FLAGS))


def print_pages(source: Path, target: Path) -> list[str]:
    """Let Chromium print a file, once its formulas are set and its pictures are there: its headings."""
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page()
        page.goto(source.resolve().as_uri(), timeout=10 * MINUTES)
        page.evaluate("window.MathJax?.startup.promise")
        page.emulate_media(media="print")
        headings = page.evaluate(HEADINGS)
        page.pdf(path=target, outline=True, tagged=True, prefer_css_page_size=True)
        browser.close()
    return headings


def outline_entries(parent: DictionaryObject) -> Iterator[DictionaryObject]:
    """The entries below one of the outline, in the order of the pages."""
    entry = parent.get("/First")
    while entry is not None:
        entry = entry.get_object()
        yield entry
        yield from outline_entries(entry)
        entry = entry.get("/Next")


def name_outline(pdf: Path, headings: list[str]) -> None:
    """Give the outline the words of the headings: Chromium doubles those with which a page begins."""
    writer = PdfWriter(pdf, incremental=True)
    entries = outline_entries(writer.root_object["/Outlines"].get_object())
    for entry, heading in zip(entries, headings, strict=True):
        entry[NameObject("/Title")] = TextStringObject(heading)
    named = pdf.with_suffix(".named.pdf")
    writer.write(named)
    named.replace(pdf)


def page_numbers(pdf: Path) -> dict[str, int]:
    """On which page every place that a link leads to is found; the first page is 1."""
    reader = PdfReader(pdf)
    places = reader.named_destinations
    return {
        name.lstrip("/"): reader.get_destination_page_number(place) + 1 for name, place in places.items()
    }


def offer(front: Path) -> None:
    """Show the sentence of the front page that offers the PDF, and is hidden where there is none."""
    page = soup(front)
    del page.find(id="the-book-on-paper")["hidden"]
    front.write_text(str(page), encoding="utf-8")


def main(built: str) -> None:
    """Print the book twice, and offer it."""
    site, pdf = Path(built) / "book", Path(built) / "files" / NAME
    front = soup(site / "index.html")
    pages = contents(front)
    slugs = {page.slug for page in pages}
    articles = [article(site, page, slugs) for page in pages]
    source = site / "paper.html"
    numbers: dict[str, int] = {}
    for _ in range(2):
        source.write_text(whole(front, pages, articles, numbers), encoding="utf-8")
        headings = print_pages(source, pdf)
        numbers = page_numbers(pdf)
    source.unlink()
    name_outline(pdf, headings)
    offer(site / "index.html")
    print(f"{pdf}: {len(PdfReader(pdf).pages)} pages, {pdf.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
