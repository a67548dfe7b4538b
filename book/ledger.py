"""The ledger of errors, `errata.yml`: page, boxes in the chapters and tests are made from it.

``python book/ledger.py`` writes the boxes *In the sources* into the texts of the chapters.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path

import yaml

BOOK = Path(__file__).resolve().parent
ARTICLES = (1, 2, 3, 4, 5)
OURS = 0  # what this book itself got wrong stands under this number
KINDS = {
    "formula": "a wrong equation",
    "code": "a program that does not do what it says",
    "concept": "a wrong idea of a term",
    "claim": "a statement that is false, or lacks its condition",
    "reference": "a wrong citation",
    "invented result": "an outcome that nobody computed",
    "security": "harmful advice",
    "interface": "what goes in or comes out",
    "presentation": "order, names, notation",
}
"""The kinds of errors, and what each is."""

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
    """One error: what is said, why it is wrong, what is right, where it is taught, and its tests.

    `taught` is a chapter, or a chapter and the anchor of a section, `adam#two-running-means`. `test` has
    the names of tests as pytest takes them; in the file, one name may stand alone. `same` names the
    entries of other articles with the same error. `half` marks what is right with a caveat.
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
    test: tuple[str, ...]
    same: tuple[str, ...] = ()
    half: bool = False

    def __post_init__(self):
        for field in ("id", "section", "title", "claim", "why", "right", "taught"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{self.id}: {field} is {value!r}; expected some words")
        for field, known in (
            ("article", (OURS, *ARTICLES)),
            ("kind", tuple(KINDS)),
            ("subject", SUBJECTS),
        ):
            if getattr(self, field) not in known:
                came = getattr(self, field)
                raise ValueError(f"{self.id}: {field} is {came!r}; expected one of {known}")
        if not self.test or not all(isinstance(name, str) and "::" in name for name in self.test):
            raise ValueError(f"{self.id}: test is {self.test!r}; expected names like file.py::test_name")


@dataclass(frozen=True)
class Box:
    """A box *In the sources*: its name in the chapter, the entries that it is about, and its words."""

    name: str
    entries: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Ledger:
    """All entries, in the order of the file, and the boxes."""

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
    needed = {field.name for field in fields(Entry) if field.default is MISSING}
    entries = []
    for row in table["entries"]:
        if unknown := sorted(set(row) - known):
            raise ValueError(f"{row.get('id')}: there is no field {unknown}; there are {sorted(known)}")
        if missing := sorted(needed - set(row)):
            raise ValueError(f"{row.get('id')}: {missing} is missing; expected {sorted(needed)}")
        tests = (row["test"],) if isinstance(row["test"], str) else tuple(row["test"])
        entries.append(Entry(**{**row, "test": tests, "same": tuple(row.get("same", ()))}))
    boxes = [Box(row["name"], tuple(row["entries"]), row["words"].strip()) for row in table["boxes"]]
    ledger = Ledger(tuple(entries), tuple(boxes))
    by_id = {entry.id: entry for entry in entries}
    if len(by_id) < len(entries):
        twice = [name for name, count in Counter(entry.id for entry in entries).items() if count > 1]
        raise ValueError(f"two entries have the same id: {twice}")
    for entry in entries:
        if entry.id in entry.same:
            raise ValueError(
                f"{entry.id}: same names the entry itself; expected entries of other articles"
            )
        for other in entry.same:
            if other not in by_id or entry.id not in by_id[other].same:
                raise ValueError(f"{entry.id}: same names {other!r}, which does not name it back")
    for box in boxes:
        if not box.entries:
            raise ValueError(f"box {box.name}: it points to no entry")
        if lost := [name for name in box.entries if name not in by_id]:
            raise ValueError(f"box {box.name}: there is no entry {lost}")
    return ledger


BOX = re.compile(
    r"(?P<head>(?P<fence>:{3,4})\{admonition\} In the sources\n"
    r"(?::class: [^\n]+\n):name: box-(?P<name>[\w-]+)\n\n)"
    r"(?P<text>.*?)(?P<end>\n(?P=fence)\n)",
    re.DOTALL,
)


def box_text(box: Box, ledger: Ledger) -> str:
    """What stands in a box: its words, and the entries of the ledger that it is about."""
    return f"{box.words}\n\n*In the ledger:* {ledger.links(box.entries)}."


def with_boxes(chapter: str, text: str, ledger: Ledger) -> str:
    """The text of a chapter with what the ledger says in its boxes."""
    boxes = {box.name: box for box in ledger.boxes}

    def written(found: re.Match) -> str:
        name = found["name"]
        if name not in boxes:
            raise ValueError(
                f"{chapter}: there is no box {name!r} in errata.yml, whose words it could get"
            )
        return found["head"] + box_text(boxes[name], ledger) + found["end"]

    return BOX.sub(written, text)


if __name__ == "__main__":
    whole = read()
    for path in sorted((BOOK / "text").glob("*.md")):
        before = path.read_text(encoding="utf8")
        after = with_boxes(path.stem, before, whole)
        if after != before:
            path.write_text(after, encoding="utf8")
