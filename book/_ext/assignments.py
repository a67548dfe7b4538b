"""Sphinx extension: what the pages say of the assignments comes from their sources.

Three directives, without arguments but the last:

- ``assignment-list``: number, title, what to read first, points and minutes of every assignment;
- ``assignment-misconceptions``: of every assignment, what its hidden tests look for, and where to read;
- ``term-plan``: a line for every week with its chapters, as ``1: adam, schedules``. An assignment is
  given out when its chapters have been read, and only one a week.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from grading.assignment import Misconception

STEP = re.compile(r"^\| \d+ \| .+ \| \d+ \| (\d+) minutes \|$", re.MULTILINE)
NUMBER = re.compile(r"^# Assignment (\d+): ", re.MULTILINE)
FIRST = re.compile(r"^\*\*Before you start\*\*.*?(?=\n\n)", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^\((ch-[\w-]+)\)=$", re.MULTILINE)
MINUTES = re.compile(r"\*\*It takes\*\* about (\d+) minutes")


@dataclass(frozen=True)
class Assignment:
    """What the grading knows of an assignment, and what the head of its source says besides."""

    slug: str
    number: int
    title: str
    chapters: tuple[str, ...]  # to read first
    points: float
    minutes: int
    needs_optimlib: bool
    misconceptions: "tuple[Misconception, ...]"


@dataclass(frozen=True)
class Chapter:
    """A chapter's label and the minutes that its head promises."""

    slug: str
    label: str
    minutes: int

    @property
    def link(self) -> str:
        """A reference by number and title."""
        return f"{{numref}}`{{number}} {{name}} <{self.label}>`"


def assignments(book: Path) -> list[Assignment]:
    """All assignments, by their numbers."""
    if str(book.parent) not in sys.path:
        sys.path.append(str(book.parent))
    from grading.assignment import all_slugs, load  # a book without assignments has no such package

    folder, found = book / "assignments", []
    for source in (load(slug, folder) for slug in all_slugs(folder)):
        head = source.cells[0].source
        found.append(
            Assignment(
                slug=source.slug,
                number=int(NUMBER.search(head)[1]),
                title=source.title,
                chapters=tuple(dict.fromkeys(re.findall(r"\(book:([\w-]+)", FIRST.search(head)[0]))),
                points=source.most + sum(cell.points for cell in source.manual),
                minutes=sum(map(int, STEP.findall(head))),
                needs_optimlib="optimlib" in source.needs,
                misconceptions=source.misconceptions,
            )
        )
    return sorted(found, key=lambda one: one.number)


def chapter(book: Path, slug: str) -> Chapter:
    """A chapter by its slug."""
    text = (book / "text" / f"{slug}.md").read_text(encoding="utf8")
    return Chapter(slug, LABEL.search(text)[1], int(MINUTES.search(text)[1]))


def weeks(lines: list[str], every: list[Assignment]) -> list[tuple[int, list[str], list[Assignment]]]:
    """The weeks of a plan, with the chapters that they name and the assignments that are given out."""
    plan = {int(week): slugs.replace(",", " ").split() for week, slugs in (x.split(":") for x in lines)}
    read_by = {slug: week for week, slugs in plan.items() for slug in slugs}
    given: dict[int, list[Assignment]] = {}
    last = 0
    for one in every:
        unread = set(one.chapters) - set(read_by)
        if unread:
            raise ValueError(f"the plan has no week for {sorted(unread)}, which {one.slug} rests on")
        last = max([last + 1, *(read_by[slug] for slug in one.chapters)])
        given.setdefault(last, []).append(one)
    return [(week, plan.get(week, []), given.get(week, [])) for week in sorted(plan | given)]


class FromSources(SphinxDirective):
    """Write MyST text from the sources, and let it be read as part of the page."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Make the text, and note what it was made from."""
        book = Path(self.env.srcdir) / "book"
        for path in [*(book / "assignments").iterdir(), *(book / "text").glob("*.md")]:
            self.env.note_dependency(str(path))
        node = nodes.Element()
        lines = self.text(book, assignments(book))
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, node)
        return node.children

    def text(self, book: Path, every: list[Assignment]) -> list[str]:
        """The lines of the text."""
        raise NotImplementedError


class AssignmentList(FromSources):
    """The table of all assignments."""

    def text(self, book: Path, every: list[Assignment]) -> list[str]:
        """One row for each."""
        lines = ["| no. | assignment | read first | points | minutes |", "|---|---|---|---|---|"]
        for one in every:
            file = f'<a href="../files/assignments/{one.slug}.ipynb">{one.title}</a>'
            read = ", ".join(f"{{numref}}`%s <{chapter(book, slug).label}>`" for slug in one.chapters)
            file += " (uses `optimlib`)" if one.needs_optimlib else ""
            lines.append(f"| {one.number} | {file} | {read} | {one.points:g} | {one.minutes} |")
        return lines


class Misconceptions(FromSources):
    """What is looked for, by assignment."""

    def text(self, book: Path, every: list[Assignment]) -> list[str]:
        """A table for each, folded."""
        lines = []
        for one in every:
            lines += [f":::{{dropdown}} Assignment {one.number}: {one.title}"]
            lines += [
                "| hidden test | points | a student who passes it has understood | read |",
                "|---|---|---|---|",
            ]
            for row in one.misconceptions:
                where = chapter(book, row.read).link + (f", *{row.section}*" if row.section else "")
                lines.append(f"| `{row.cell}` | {row.points} | {row.words} | {where} |")
            lines += [":::", ""]
        return lines


class TermPlan(FromSources):
    """The weeks of a term."""

    def text(self, book: Path, every: list[Assignment]) -> list[str]:
        """One row for each week."""
        lines = ["| week | chapters | assignment given out | minutes |", "|---|---|---|---|"]
        for week, slugs, given in weeks([line for line in self.content if line.strip()], every):
            read = [chapter(book, slug) for slug in slugs]
            minutes = sum(one.minutes for one in [*read, *given])
            links = "<br>".join(one.link for one in read)
            titles = "<br>".join(f"{one.number} {one.title}" for one in given)
            lines.append(f"| {week} | {links} | {titles} | {minutes} |")
        return lines


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_directive("assignment-list", AssignmentList)
    app.add_directive("assignment-misconceptions", Misconceptions)
    app.add_directive("term-plan", TermPlan)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
