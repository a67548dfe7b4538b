"""The ledger of errors, `errata.yml`: page, boxes in the chapters and tests are made from it.

``python book/ledger.py`` writes the boxes *In the sources* into the texts of the chapters.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import yaml

BOOK = Path(__file__).resolve().parent
ARTICLES = (1, 2, 3, 4, 5)
OURS = 0  # what this book itself got wrong stands under this number
KINDS = (
    "formula",
    "code",
    "concept",
    "claim",
    "reference",
    "invented result",
    "security",
    "interface",
    "presentation",
)
SUBJECTS = (
    "gradient checking",
    "backpropagation and networks",
    "gradient descent",
    "momentum",
    "adaptive steps",
    "Adam",
    "clipping",
    "schedules",
    "practice and references",
)


@dataclass(frozen=True)
class Entry:
    """One error: what is said, why it is wrong, what is right, where it is taught, and the test of it.

    `taught` is a chapter, or a chapter and the anchor of a section, `adam#two-running-means`. `test` is
    a test's name as pytest takes it. `same` names the entries of other articles with the same error.
    `half` marks what is right with a caveat.
    """

    id: str
    article: int
    section: str
    subject: str
    kind: str
    title: str
    claim: str
    why: str
    right: str
    taught: str
    test: str
    same: tuple[str, ...] = ()
    half: bool = False

    def __post_init__(self):
        for field in ("id", "section", "title", "claim", "why", "right", "taught", "test"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{self.id}: {field} is {value!r}; expected some words")
        for field, known in (("article", (OURS, *ARTICLES)), ("kind", KINDS), ("subject", SUBJECTS)):
            if getattr(self, field) not in known:
                came = getattr(self, field)
                raise ValueError(f"{self.id}: {field} is {came!r}; expected one of {known}")


@dataclass(frozen=True)
class Box:
    """A box *In the sources*: its name in the chapter, the entries that it is about, and its words."""

    name: str
    entries: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Ledger:
    """All entries in the order of the articles, and the boxes."""

    entries: tuple[Entry, ...]
    boxes: tuple[Box, ...]

    @cached_property
    def numbers(self) -> dict[str, str]:
        """By an entry's id: its number, 2.7 for the seventh of article 2."""
        seen: Counter[int] = Counter()
        numbers = {}
        for entry in self.entries:
            seen[entry.article] += 1
            numbers[entry.id] = f"{entry.article}.{seen[entry.article]}"
        return numbers

    def of(self, article: int) -> list[Entry]:
        """The entries of an article."""
        return [entry for entry in self.entries if entry.article == article]

    def links(self, names: Iterable[str]) -> str:
        """Links to entries, by their numbers."""
        return ", ".join(f"{{ref}}`{self.numbers[name]} <err-{name}>`" for name in names)

    def counts(self, by: str) -> Counter[tuple[int, str]]:
        """How many entries an article has of a "kind", or on a "subject"."""
        return Counter((entry.article, getattr(entry, by)) for entry in self.entries)


def read(path: Path = BOOK / "errata.yml") -> Ledger:
    """Read the ledger, and check that what its entries and boxes name is there."""
    table = yaml.safe_load(path.read_text(encoding="utf8"))
    known = {field.name for field in fields(Entry)}
    entries = []
    for row in table["entries"]:
        if unknown := sorted(set(row) - known):
            raise ValueError(f"{row.get('id')}: there is no field {unknown}; there are {sorted(known)}")
        entries.append(Entry(**{**row, "same": tuple(row.get("same", ()))}))
    boxes = [Box(row["name"], tuple(row["entries"]), row["words"].strip()) for row in table["boxes"]]
    ledger = Ledger(tuple(sorted(entries, key=lambda entry: entry.article)), tuple(boxes))
    by_id = {entry.id: entry for entry in entries}
    if len(by_id) < len(entries):
        twice = [name for name, count in Counter(entry.id for entry in entries).items() if count > 1]
        raise ValueError(f"two entries have the same id: {twice}")
    for entry in entries:
        for other in entry.same:
            if other not in by_id or entry.id not in by_id[other].same or other == entry.id:
                raise ValueError(f"{entry.id}: same names {other!r}, which does not name it back")
    for box in boxes:
        if not box.entries:
            raise ValueError(f"box {box.name}: it points to no entry")
        if lost := [name for name in box.entries if name not in by_id]:
            raise ValueError(f"box {box.name}: there is no entry {lost}")
    return ledger


BODY = re.compile(
    r"(?P<head>(?P<fence>:{3,4})\{admonition\} In the sources\n"
    r"(?::class: [^\n]+\n):name: box-(?P<name>[\w-]+)\n\n)"
    r"(?P<body>.*?)(?P<end>\n(?P=fence)\n)",
    re.DOTALL,
)


def body(box: Box, ledger: Ledger) -> str:
    """What stands in a box: its words, and the entries of the ledger that it is about."""
    return f"{box.words}\n\n*In the ledger:* {ledger.links(box.entries)}."


def filled(text: str, ledger: Ledger) -> str:
    """The text of a chapter with what the ledger says in its boxes."""
    boxes = {box.name: box for box in ledger.boxes}

    def fill(found: re.Match) -> str:
        return found["head"] + body(boxes[found["name"]], ledger) + found["end"]

    return BODY.sub(fill, text)


if __name__ == "__main__":
    written = read()
    for chapter in sorted((BOOK / "text").glob("*.md")):
        before = chapter.read_text(encoding="utf8")
        after = filled(before, written)
        if after != before:
            chapter.write_text(after, encoding="utf8")
