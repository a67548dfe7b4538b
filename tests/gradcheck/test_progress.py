"""Progress: silent at first and on demand, a bar with tqdm, lines without."""

import sys

import numpy as np
import pytest

from optimlib import check_gradient
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


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_bar_is_closed_when_the_loss_raises(error, monkeypatch):
    bars, calls = [], []

    class Bar:
        total, n, is_open = 0, 0, True

        def __init__(self):
            bars.append(self)

        def update(self, count):
            self.n += count

        def refresh(self):
            pass

        def close(self):
            self.is_open = False

    def loss(x):
        calls.append(None)
        if len(calls) > 80:
            raise error
        return (x**3).sum()

    monkeypatch.setattr(progress, "_bar", Bar)
    with pytest.raises(error):
        check_gradient(loss, lambda x: 3 * x**2, np.linspace(1, 2, 200), progress=True, coordinates=200)
    assert [bar.is_open for bar in bars] == [False]
    assert bars[0].total == bars[0].n > 0
