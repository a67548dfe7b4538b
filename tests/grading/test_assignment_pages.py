"""What the pages for students and instructors say of the assignments is what the sources say."""

import re

import pytest
import yaml
from _ext.assignments import assignments, chapter, weeks
from notebook_rules import ROOT, read_text
from reading_time import promised

from grading.assignment import all_slugs, load

BOOK = ROOT / "book"
EVERY = assignments(BOOK)
PAGE = (BOOK / "assignments-for-instructors.md").read_text(encoding="utf8")
PLAN = re.search(r"```\{term-plan\}\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()


def chapters():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [e["file"] for part in toc["parts"] if part.get("numbered") for e in part["chapters"]]
    return [file.removeprefix("book/") for file in files]


def test_every_assignment_is_listed_by_its_number():
    assert sorted(one.slug for one in EVERY) == all_slugs()
    assert len({one.number for one in EVERY}) == len(EVERY)


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.slug)
def test_the_list_says_what_the_head_of_the_source_says(one):
    head = (
        (BOOK / "assignments" / f"{one.slug}.md").read_text(encoding="utf8").partition("**How it is")[0]
    )
    assert f"\n# Assignment {one.number}: {one.title}\n" in head
    rows = [line.split("|")[3:5] for line in head.splitlines() if line.endswith(" minutes |")]
    assert len(rows) > 2
    assert one.points == sum(int(points) for points, _ in rows)
    assert one.minutes == sum(int(minutes.removesuffix(" minutes ")) for _, minutes in rows)
    assert set(one.chapters) <= set(chapters())
    assert one.chapters


def test_the_plan_has_every_chapter_once_in_the_order_of_the_book():
    planned = [slug for _, slugs, _ in weeks(PLAN, EVERY) for slug in slugs]
    assert planned == chapters()


def test_the_plan_has_twelve_weeks_and_an_assignment_is_due_within_them():
    plan = weeks(PLAN, EVERY)
    assert [week for week, _, _ in plan] == list(range(1, 13))
    given = {one.slug: week for week, _, assignments in plan for one in assignments}
    assert sorted(given) == all_slugs()
    assert max(given.values()) <= 11
    assert len(set(given.values())) == len(given)
    read_by = {slug: week for week, slugs, _ in plan for slug in slugs}
    assert all(read_by[slug] <= given[one.slug] for one in EVERY for slug in one.chapters)


def test_a_chapter_that_the_plan_leaves_out_is_named():
    with pytest.raises(ValueError, match=r"no week for \['adam'\]"):
        weeks(["1: a-step-size-for-every-coordinate"], [one for one in EVERY if one.number == 7])


def test_minutes_of_chapters_are_those_of_their_heads():
    for slug in chapters():
        assert chapter(BOOK, slug).minutes == promised(read_text(BOOK / "text" / f"{slug}.md"))


def test_the_example_of_an_overlay_is_accepted_and_right(tmp_path):
    example = re.search(r"````markdown\n(.*?)````", PAGE, re.DOTALL)[1]
    (tmp_path / "adaptive-steps.md").write_text(example, encoding="utf8")
    own = load("adaptive-steps", private=tmp_path)
    test = own.by_name["adagrad-root"].source
    assert test != load("adaptive-steps").by_name["adagrad-root"].source
    names = {}
    exec("import numpy as np\n" + own.by_name["adagrad"].source, names)
    exec(test, names)
    exec(own.by_name["adagrad"].source.replace("np.sqrt(G)", "G"), names)
    with pytest.raises(AssertionError):
        exec(test, names)
