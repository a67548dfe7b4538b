"""Sphinx extension: *What the sources got wrong* gets its entries, lists and figure from `errata.yml`.

In the page's source a line ``% ledger: counts`` (or the name of another part, or an article's number)
stands where they belong.
"""

import html
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from sphinx.application import Sphinx

sys.path.append(str(Path(__file__).resolve().parents[1]))

from ledger import ARTICLES, BOOK, KINDS, OURS, SUBJECTS, Entry, Ledger, read

PAGE = "book/errata"
PLACE = re.compile(r"^% ledger: (\w+)$", re.MULTILINE)


def link_to(target: str) -> str:
    """A link to a chapter, or to a section of one."""
    chapter, _, anchor = target.partition("#")
    suffix = "ipynb" if (BOOK / f"{chapter}.ipynb").exists() else "md"
    return f"[](/book/{chapter}.{suffix}#{anchor})" if anchor else f"{{doc}}`/book/{chapter}`"


def place_of(entry: Entry) -> str:
    """Where the error stands: "Article 4, section 6"."""
    place = entry.section
    if entry.article != OURS:
        if place[0].isdigit():
            several = re.match(r"[\d.]+(?:,| and| to) \d", place)
            place = f"{'sections' if several else 'section'} {place}"
        place = f"article {entry.article}, {place}"
    return place[0].upper() + place[1:]


def tests_of(entry: Entry) -> str:
    """The names of the tests, each file named once."""
    files: dict[str, list[str]] = {}
    for test in entry.test:
        file, _, name = test.partition("::")
        files.setdefault(file, []).append(f"`{name}`")
    tests = "; ".join(f"{', '.join(names)} in `{file}`" for file, names in files.items())
    return f"{'Test' if len(entry.test) == 1 else 'Tests'}: {tests}."


def entry_text(entry: Entry, ledger: Ledger) -> str:
    """One entry, as a block that opens."""
    half = " Half right." if entry.half else ""
    lines = [
        f"(err-{entry.id})=",
        f"::::{{dropdown}} {ledger.numbers[entry.id]} {entry.title}",
        ":class-container: erratum",
        "",
        f"*{place_of(entry)}. Kind: {entry.kind}. Subject: {entry.subject}.{half}*",
        "",
        entry.claim,
        "",
        f"**{'What is wrong with it' if entry.half else 'Why it is wrong'}.** {entry.why}",
        "",
        f"**Right.** {entry.right}",
        "",
        f"Taught in {link_to(entry.taught)}. {tests_of(entry)}"
        + (f" The same error: {ledger.links(entry.same)}." if entry.same else ""),
        "::::",
    ]
    return "\n".join(lines)


def entries_of(ledger: Ledger, article: int) -> str:
    """All entries of an article."""
    return "\n\n".join(entry_text(entry, ledger) for entry in ledger.of(article))


def search(ledger: Ledger) -> str:
    """The field and the choices that hide entries; `book.js` does what they say, and shows them."""

    def choice(field: str, values: Iterable[str]) -> str:
        options = "".join(f'<option value="{field}: {value}.">{value}</option>' for value in values)
        return f'<label>{field} <select><option value="">all</option>{options}</select></label>'

    return (
        '<div class="ledger-search" role="search" aria-label="Entries of the ledger" hidden>'
        '<label>Search the entries <input type="search" placeholder="&quot;bias correction&quot; steps">'
        f"</label>{choice('Subject', SUBJECTS)}{choice('Kind', KINDS)}"
        '<span role="status"></span></div>'
    )


def kinds(ledger: Ledger) -> str:
    """What each kind of error is."""
    return "\n".join(f"- *{kind}*: {meaning}" for kind, meaning in KINDS.items())


def counts(ledger: Ledger) -> str:
    """The table of how many errors there are, by kind and article."""
    table = ledger.counts("kind")
    rows = [["kind", *map(str, ARTICLES), "all", "ours"]]
    for kind in KINDS:
        of_kind = [table[number, kind] for number in ARTICLES]
        rows.append([kind, *map(str, of_kind), str(sum(of_kind)), str(table[OURS, kind])])
    sums = [len(ledger.of(number)) for number in ARTICLES]
    rows.append(["**all**", *map(str, sums), str(sum(sums)), str(len(ledger.of(OURS)))])
    rows.insert(1, ["---", *["---:"] * (len(ARTICLES) + 2)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def figure(ledger: Ledger) -> str:
    """A bar for every article and subject: how many of its errors concern it."""
    number = ledger.counts("subject")
    most = max(number[a, subject] for a in ARTICLES for subject in SUBJECTS) or 1
    wide, high = 72, 42  # of a cell; a subject's name stands above its bars, so that a phone shows both
    parts = [
        f'<text x="{column * wide}" y="14" font-weight="600">article {a}</text>'
        for column, a in enumerate(ARTICLES)
    ]
    for row, subject in enumerate(SUBJECTS):
        y = 36 + row * high
        parts.append(f'<text x="0" y="{y}">{html.escape(subject)}</text>')
        for column, a in enumerate(ARTICLES):
            count, x = number[a, subject], column * wide
            length = round((wide - 26) * count / most, 1)
            parts.append(f'<rect x="{x}" y="{y + 5}" width="{length}" height="14" rx="2"/>')
            parts.append(f'<text x="{x + length + 3}" y="{y + 17}">{count or "–"}</text>')
    size = f"0 0 {wide * len(ARTICLES)} {24 + high * len(SUBJECTS)}"
    sums = ", ".join(f"{subject} {sum(number[a, subject] for a in ARTICLES)}" for subject in SUBJECTS)
    return (
        f'<figure class="ledger-figure"><svg viewBox="{size}" role="img" '
        f'aria-label="Bars: how many errors each article has by subject. In all five: {sums}.">'
        + "".join(parts)
        + "</svg></figure>"
    )


def subjects(ledger: Ledger) -> str:
    """The numbers and titles of all entries, by subject, as blocks that open."""
    blocks = []
    for subject in SUBJECTS:
        entries = [entry for entry in ledger.entries if entry.subject == subject]
        lines = [f"- {ledger.links([entry.id])} {entry.title}" for entry in entries]
        head = f"::::{{dropdown}} {subject[0].upper()}{subject[1:]}: {len(entries)}"
        blocks.append("\n".join([head, ":class-container: ledger-subject", "", *lines, "::::"]))
    return "\n\n".join(blocks)


PARTS: dict[str, Callable[[Ledger], str]] = {
    "search": search,
    "kinds": kinds,
    "counts": counts,
    "figure": figure,
    "subjects": subjects,
}


def fill_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the ledger into its page."""
    if name != PAGE:
        return
    ledger = read()
    app.env.note_dependency(str(BOOK / "errata.yml"))

    def part(found: re.Match) -> str:
        return PARTS[found[1]](ledger) if found[1] in PARTS else entries_of(ledger, int(found[1]))

    source[0] = PLACE.sub(part, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", fill_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
