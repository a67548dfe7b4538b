"""What each right and each wrong answer to each assignment gets, test by test.

`answers/<assignment>.py` holds the wrong answers (MUTANTS) and the right ones that are written
differently (RIGHT).
"""

from functools import cache
from importlib import import_module

import pytest
from submissions import lost, marked, solved, untouched, with_change, with_source

from grading.assignment import Assignment, all_slugs, load

SLUGS = all_slugs()
ASSIGNMENT = cache(load)
ANSWERS = {slug: import_module(f"answers.{slug.replace('-', '_')}") for slug in SLUGS}
MUTANTS = [(slug, name) for slug in SLUGS for name in ANSWERS[slug].MUTANTS]
RIGHT = [(slug, name) for slug in SLUGS for name in ANSWERS[slug].RIGHT]


def hidden(assignment: Assignment) -> set[str]:
    """The tests that are worth points."""
    return {row.cell for row in assignment.misconceptions}


@pytest.mark.parametrize("slug", SLUGS)
def test_the_solution_gets_everything(tmp_path, slug):
    assignment = ASSIGNMENT(slug)
    result = marked(solved(assignment), assignment, tmp_path)
    assert (result["failed"], result["errors"]) == ({}, [])
    assert result["marks"] == {cell.name: cell.points for cell in assignment.judged}
    manual = [f"manual points: {cell.name}, up to {cell.points:g}" for cell in assignment.manual]
    assert result["look"] == manual


@pytest.mark.parametrize("slug", SLUGS)
def test_the_untouched_notebook_gets_nothing(tmp_path, slug):
    assignment = ASSIGNMENT(slug)
    result = marked(untouched(assignment), assignment, tmp_path)
    assert sum(result["marks"].values()) == 0
    assert hidden(assignment) <= set(result["failed"])
    assert result["look"] == []


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_a_misconception_loses_its_own_points_and_no_others(tmp_path, slug, name):
    assignment = ASSIGNMENT(slug)
    cell, old, new, expected = ANSWERS[slug].MUTANTS[name]
    notebook = with_change(solved(assignment), cell, old, new)
    assert lost(marked(notebook, assignment, tmp_path), assignment) == expected


@pytest.mark.parametrize("slug", SLUGS)
def test_every_hidden_test_is_failed_by_some_misconception(slug):
    rows = ANSWERS[slug].MUTANTS.values()
    assert len(rows) >= 6
    assert all(row[-1] for row in rows)
    assert set().union(*(row[-1] for row in rows)) == hidden(ASSIGNMENT(slug))


@pytest.mark.parametrize(("slug", "name"), RIGHT)
def test_a_right_answer_that_is_written_differently_gets_everything(tmp_path, slug, name):
    assignment = ASSIGNMENT(slug)
    notebook = solved(assignment)
    for cell, source in ANSWERS[slug].RIGHT[name].items():
        with_source(notebook, cell, source)
    result = marked(notebook, assignment, tmp_path)
    assert (lost(result, assignment), result["failed"], result["errors"]) == (set(), {}, [])


@pytest.mark.parametrize("slug", SLUGS)
def test_there_are_right_answers_that_are_written_differently(slug):
    assert len(ANSWERS[slug].RIGHT) >= 3
