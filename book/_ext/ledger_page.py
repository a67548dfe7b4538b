"""Sphinx extension: *What the sources got wrong* gets its entries, table and figure from `errata.yml`.

In the page's source a line ``% ledger: counts`` (or ``figure``, ``subjects``, or an article's number)
stands where they belong.
"""

import html
import re
import sys
from collections.abc import Callable
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


def entry_text(entry: Entry, ledger: Ledger) -> str:
    """One entry, as a block that opens."""
    place = entry.section if entry.article == OURS else f"article {entry.article}, {entry.section}"
    half = " Half right." if entry.half else ""
    lines = [
        f"(err-{entry.id})=",
        f"::::{{dropdown}} {ledger.numbers[entry.id]} {entry.title}",
        ":class-container: erratum",
        "",
        f"*{place[0].upper()}{place[1:]}. Kind: {entry.kind}. Subject: {entry.subject}.{half}*",
        "",
        f"{entry.claim.strip()}",
        "",
        f"**Why it is wrong.** {entry.why.strip()}",
        "",
        f"**Right.** {entry.right.strip()}",
        "",
        f"Taught in {link_to(entry.taught)}. Test: `{entry.test.rpartition('::')[2]}`."
        + (f" The same error: {ledger.links(entry.same)}." if entry.same else ""),
        "::::",
    ]
    return "\n".join(lines)


def article(ledger: Ledger, number: int) -> str:
    """All entries of an article."""
    return "\n\n".join(entry_text(entry, ledger) for entry in ledger.of(number))


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
    """The numbers of all entries, by subject."""
    lines = []
    for subject in SUBJECTS:
        links = ledger.links(entry.id for entry in ledger.entries if entry.subject == subject)
        lines.append(f"- **{subject[0].upper()}{subject[1:]}**: {links}")
    return "\n".join(lines)


PARTS: dict[str, Callable[[Ledger], str]] = {"counts": counts, "figure": figure, "subjects": subjects}


def fill(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the ledger into its page."""
    if name != PAGE:
        return
    ledger = read()
    app.env.note_dependency(str(BOOK / "errata.yml"))

    def part(found: re.Match) -> str:
        return PARTS[found[1]](ledger) if found[1] in PARTS else article(ledger, int(found[1]))

    source[0] = PLACE.sub(part, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
