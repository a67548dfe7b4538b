"""The report of a gradient check: its verdict, its order, its words and its numbers."""

import math
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from optimlib.gradient_report import MISS, VERDICTS, GradientReport, Probe


def probe(place="theta[0]", *, analytic=1.0, numeric=1.0, error=0.25, verdict="pass", index=(0,)):
    return Probe(
        place=place,
        path="",
        index=index,
        analytic=analytic,
        numeric=numeric,
        error=error,
        tolerance=4 * error,
        jump=0.0,
        verdict=verdict,
    )


def report(*probes, problem=""):
    return GradientReport(probes, parameters=12, norm=3.0, evaluations=345, problem=problem)


@pytest.mark.parametrize(
    ("analytic", "numeric", "ratio", "excess"),
    [(4.0, 2.0, 2.0, 2.0), (-1.0, 2.0, -0.5, 3.0), (1.0, 1.0, 1.0, 0.0), (0.0, 0.5, 0.0, 0.5)],
)
def test_ratio_and_excess_by_hand(analytic, numeric, ratio, excess):
    p = probe(analytic=analytic, numeric=numeric)  # the tolerance is 1
    assert p.ratio == ratio
    assert p.excess == excess


def test_ratio_to_zero_is_undefined():
    assert math.isnan(probe(numeric=0.0).ratio)


@pytest.mark.parametrize(("analytic", "excess"), [(1.0, 0.0), (1.5, math.inf), (-2.0, math.inf)])
def test_excess_without_tolerance(analytic, excess):
    assert probe(analytic=analytic, error=0.0).excess == excess


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass"], "pass"),
        (["pass", "kink", "pass"], "kink"),
        (["kink", "inconclusive", "pass"], "inconclusive"),
        (["pass", "kink", "inconclusive", "fail"], "fail"),
        ([], "inconclusive"),
    ],
)
def test_the_gravest_verdict_counts(verdicts, expected):
    r = report(*(probe(verdict=v) for v in verdicts))
    assert r.verdict == expected
    assert r.passed is (expected == "pass")
    assert str(r).startswith(f"gradient check: {expected.upper()} ")


def test_the_worst_come_first():
    probes = {
        "slightly wrong": probe("slightly wrong", analytic=3.0, verdict="fail"),
        "very wrong": probe("very wrong", analytic=-9.0, verdict="fail"),
        "coarse": probe("coarse", analytic=50.0, error=100.0, verdict="inconclusive"),
        "kinked": probe("kinked", analytic=8.0, verdict="kink"),
        "near": probe("near", analytic=1.9),
        "exact": probe("exact"),
    }
    order = ["very wrong", "slightly wrong", "coarse", "kinked", "near", "exact"]
    for arrangement in (order, order[::-1], sorted(order)):
        r = report(*(probes[name] for name in arrangement))
        assert [p.place for p in r.worst(6)] == order
        assert [p.place for p in r.worst()] == order[:5]
        assert [p.place for p in r.worst(1)] == order[:1]


def test_a_failing_report_shows_the_five_worst_in_columns():
    r = report(
        *(probe(f"theta['W'][{i}]", analytic=2.0 + i, verdict="fail", index=(i,)) for i in range(9)),
        probe("theta['b'][10, 200]", analytic=-1.25e-3, numeric=2.5e-3, verdict="kink"),
    )
    head, columns, *rows = str(r).splitlines()
    assert head == (
        "gradient check: FAIL (10 probes: 9 fail, 1 kink; 12 parameters, 345 loss evaluations)"
    )
    assert columns.split() == ["worst", "analytic", "numeric", "+-", "ratio", "verdict"]
    assert [row.split()[0] for row in rows] == [f"theta['W'][{i}]" for i in (8, 7, 6, 5, 4)]
    assert rows[0].split()[1:] == ["1.000000e+01", "1.000000e+00", "2e-01", "10", "fail"]
    assert len({row.index("fail") for row in rows} | {columns.index("verdict")}) == 1


def test_places_with_spaces_stay_in_their_column():
    r = report(
        probe("theta['b'][10, 200]", analytic=-1.25, numeric=2.5, verdict="fail"),
        probe("direction 3", analytic=2.0, verdict="fail", index=None),
    )
    rows = [line for line in str(r).splitlines() if line.endswith("fail")]
    assert re.split(r" {2,}", rows[0])[0] == "theta['b'][10, 200]"
    assert re.split(r" {2,}", rows[1])[0] == "direction 3"
    assert "-0.5" in rows[0]


def test_a_passing_report_is_short():
    lines = str(report(*[probe()] * 7)).splitlines()
    assert lines[0] == "gradient check: PASS (7 probes; 12 parameters, 345 loss evaluations)"
    assert len(lines) == 3


def test_a_problem_is_reported_without_probes():
    r = report(problem="loss(theta) is 1 and then 2")
    assert r.verdict == "inconclusive"
    assert str(r).splitlines() == [
        "gradient check: INCONCLUSIVE (0 probes; 12 parameters, 345 loss evaluations)",
        "loss(theta) is 1 and then 2",
    ]
    assert r.worst() == []


def test_only_an_inconclusive_probe_brings_the_advice():
    advice = "inconclusive: the differences of the loss are too coarse to tell. Check in float64"
    assert advice in str(report(probe(verdict="inconclusive"), probe(verdict="fail")))
    assert advice not in str(report(probe(verdict="fail"), probe(verdict="kink")))


def test_a_report_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        report(probe()).norm = 0.0
    with pytest.raises(FrozenInstanceError):
        probe().verdict = "pass"


def test_verdicts_from_the_gravest_on():
    assert VERDICTS == ("fail", "inconclusive", "kink", "pass")


# What would be missed


def directions(*tolerances):
    return [probe(f"direction {i}", error=t / 4, index=None) for i, t in enumerate(tolerances, 1)]


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_detectable_error_is_missed_as_often_as_stated(count):
    norm = report(*directions(*[0.5] * count)).detectable()
    # Along each direction the error is normal with that standard deviation.
    rng = np.random.default_rng(0)
    trials = 400_000
    slopes = norm * rng.standard_normal((trials, count))
    missed = np.mean((np.abs(slopes) <= 0.5).all(axis=1))
    assert missed == pytest.approx(MISS, abs=5 * math.sqrt(MISS / trials))


def test_the_coarsest_direction_is_the_one_that_counts():
    one = report(*directions(0.5, 0.5, 0.5)).detectable()
    assert report(*directions(0.1, 0.5, 0.2)).detectable() == pytest.approx(one)
    assert report(*directions(0.5, 1.0, 0.2)).detectable() == pytest.approx(2 * one)


def test_coordinates_alone_promise_nothing():
    r = report(probe(), probe())
    assert r.detectable() == math.inf
    assert "missed" not in str(r)


def test_what_would_be_missed_is_said_beside_the_size_of_the_gradient():
    r = report(probe(), *directions(0.5, 0.5))
    expected = f"an error of norm {r.detectable():.0e} (the gradient's is 3e+00) would be missed"
    assert f"{expected} with probability 0.001" in str(r)
