"""Progress: silent at first and on demand, a bar with tqdm, lines without."""

import sys

import pytest

from optimlib.gradcheck import progress
from optimlib.gradcheck.progress import Progress


def count_to(number, show):
    counted = Progress(show)
    counted.expect(number)
    for _ in range(number):
        counted.advance()
    counted.close()
    return counted


def test_a_quick_check_shows_nothing(capsys):
    count_to(3, None)
    count_to(3, False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("show", "shown"), [(None, True), (False, False), (True, True)])
def test_a_slow_check_shows_a_bar_of_its_own_accord(show, shown, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    count_to(3, show)
    assert ("3/3" in capsys.readouterr().err) == shown


def test_without_tqdm_there_are_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    count_to(2, True)
    assert capsys.readouterr().err.splitlines() == [
        "gradient check: 1 of 2 probes, 0 s",
        "gradient check: 2 of 2 probes, 0 s",
    ]


def test_more_probes_may_be_expected_later(monkeypatch, capsys):
    counted = Progress(show=True)
    counted.expect(1)
    counted.advance()
    counted.expect(3)
    for _ in range(3):
        counted.advance()
    counted.close()
    assert (counted.done, counted.expected) == (4, 4)
    assert "4/4" in capsys.readouterr().err
