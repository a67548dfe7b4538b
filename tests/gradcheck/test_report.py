"""The report of a gradient check: its verdict, its order, its words and its numbers."""

import math
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib.differences import central
from optimlib.gradcheck.rendering import shorten
from optimlib.gradcheck.report import MISS, VERDICTS, GradientReport, Probe


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
        leaves=() if index else ("",),
    )


def report(*probes, problem=""):
    return GradientReport(probes, parameters=12, norm=3.0, evaluations=345, problem=problem)


def words(r):
    """A report as text in one line."""
    return " ".join(str(r).split())


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
    }
    order = ["very wrong", "slightly wrong", "coarse", "kinked", "near"]
    for arrangement in (order, order[::-1], sorted(order)):
        r = report(*(probes[name] for name in arrangement))
        assert [p.place for p in r.worst(6)] == order
        assert [p.place for p in r.worst(3)] == order[:3]
        assert [p.place for p in r.worst(1)] == order[:1]


def places(*probes):
    """Where a report sees these probes, the worst first."""
    return [p.place for p in report(*probes).worst(len(probes))]


def test_the_size_of_the_difference_counts_and_not_how_well_it_is_known():
    large = probe("large", analytic=3.0, error=0.01, verdict="fail")  # 50 tolerances
    small = probe("small", analytic=1.5, error=1e-9, verdict="fail")  # a hundred million of them
    assert places(small, large) == places(large, small) == ["large", "small"]


def test_of_what_fails_a_place_comes_before_a_direction():
    along = probe("direction 1", analytic=-400.0, verdict="fail", index=None)
    at = probe("theta[3]", analytic=3.0, verdict="fail", index=(3,))
    assert places(along, at) == places(at, along) == ["theta[3]", "direction 1"]
    passes = replace(at, verdict="pass", analytic=1.0)
    assert places(passes, along) == ["direction 1", "theta[3]"]


@pytest.mark.parametrize("tail", [4e-13, -4e-13])
def test_roundings_do_not_decide_which_of_two_like_differences_comes_first(tail):
    """As between two units of a network that start alike."""
    one = probe("one", analytic=1.25, numeric=1.0 - tail, error=1e-12, verdict="fail")
    two = probe("two", analytic=-1.25, numeric=-1.0 - tail, error=1e-12, verdict="fail")
    assert places(one, two) == ["one", "two"]
    assert places(two, one) == ["two", "one"]


@pytest.mark.parametrize("verdict", ["pass", "inconclusive"])
@pytest.mark.parametrize("wiggle", [1e-3, 0.4])
def test_differences_within_the_tolerance_are_no_order(verdict, wiggle):
    one = probe("one", analytic=1.0 + wiggle, verdict=verdict)
    two = probe("two", analytic=1.2, verdict=verdict)
    assert places(one, two) == ["one", "two"]
    assert places(two, one) == ["two", "one"]


def test_a_probe_without_a_slope_has_its_place_among_the_inconclusive():
    nothing = probe("nothing", numeric=math.nan, error=math.inf, verdict="inconclusive")
    far = probe("far", analytic=9.0, verdict="inconclusive")
    assert places(nothing, far) == places(far, nothing) == ["far", "nothing"]


def test_a_failing_report_shows_the_five_worst_in_columns():
    r = report(
        *(
            probe(f"theta['W'][{i}]", analytic=2.0 + i, error=1e-3, verdict="fail", index=(i,))
            for i in range(9)
        ),
        probe("theta['b'][10, 200]", analytic=-1.25e-3, numeric=2.5e-3, verdict="kink"),
    )
    head, columns, *rows = str(r).splitlines()
    assert head == "gradient check: FAIL (10 probes: 9 fail, 1 kink; 12 parameters)"
    assert columns.split() == ["worst", "analytic", "numeric", "difference", "+-", "ratio", "verdict"]
    assert [row.split()[0] for row in rows] == [f"theta['W'][{i}]" for i in (8, 7, 6, 5, 4)]
    assert rows[0].split()[1:] == ["1.000000e+01", "1.000000e+00", "9.0e+00", "<1e-02", "10", "fail"]
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
    assert lines[1].startswith("for example  analytic  ")


def cells(**numbers):
    """What a report prints of one probe, after its place."""
    return [cell.get_text() for cell in page(report(probe(**numbers))).find_all("td")]


@pytest.mark.parametrize("tail", [0.0, 3e-12, -7e-12])
def test_of_numbers_that_agree_no_digit_is_printed_that_roundings_decide(tail):
    agree = cells(analytic=-12.0, numeric=-12.0 + tail, error=2e-12)
    assert agree == ["-1.200000e+01", "-1.200000e+01", "~0", "<1e-11", "1", "pass"]


@pytest.mark.parametrize(("analytic", "numeric"), [(-1.7e-15, 0.0), (8.6e-17, 3e-16), (2e-16, -4e-15)])
def test_what_is_lost_in_the_roundings_of_the_loss_is_no_number(analytic, numeric):
    lost = cells(analytic=analytic, numeric=numeric, error=7e-11)
    assert lost == ["~0", "~0", "~0", "<1e-09", "nan", "pass"]


def test_a_claim_of_exactly_zero_is_shown_as_such():
    claim, slope, *_ = cells(analytic=0.0, numeric=2.5, error=1e-12, verdict="fail")
    assert (claim, slope) == ("0.000000e+00", "2.500000e+00")
    claim, slope, *_ = cells(analytic=0.0, numeric=4e-13, error=1e-12)
    assert (claim, slope) == ("0.000000e+00", "~0")


def test_a_claim_where_the_loss_is_flat_has_no_ratio():
    wrong = cells(analytic=0.5, numeric=3e-17, error=1e-12, verdict="fail")
    assert wrong == ["5.000000e-01", "~0", "5.0e-01", "<1e-07", "nan", "fail"]


def test_where_nothing_is_decided_all_numbers_are_shown():
    open_question = cells(analytic=3e-5, numeric=-2e-5, error=1e-4, verdict="inconclusive")
    assert open_question == [
        *("3.000000e-05", "-2.000000e-05", "5.0e-05", "<1e-03", "-1.5", "inconclusive")
    ]


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ({"error": 3e-12}, "<1e-10"),  # 1.2e-11
        ({"error": 2e-12}, "<1e-11"),  # 8e-12
        ({"error": 0.25}, "<1e+01"),  # 1
        ({"error": 0.0}, "0"),
        ({"error": math.inf, "verdict": "inconclusive"}, "inf"),
        # A difference beyond the tolerance is known well enough with seven digits.
        ({"analytic": 9.0, "error": 1e-13, "verdict": "fail"}, "<1e-06"),  # 8e-7
        ({"analytic": 1 + 3e-9, "error": 1e-13, "verdict": "fail"}, "<1e-12"),
    ],
)
def test_a_tolerance_is_shown_by_a_power_of_ten_above_it(numbers, shown):
    assert cells(**numbers)[3] == shown


def test_what_agrees_is_known_to_what_the_check_may_have_overlooked():
    for error in (1e-15, 3e-13, 9e-12):
        agrees = replace(probe(error=error), fine=2e-7)
        assert str(report(agrees)).splitlines()[2].split()[4] == "<1e-06"


@pytest.mark.parametrize("verdict", ["pass", "kink", "inconclusive"])
def test_of_a_check_that_does_not_fail_the_evaluations_are_told(verdict):
    assert "; 12 parameters, 345 loss evaluations)" in words(report(probe(verdict=verdict)))


def test_one_is_no_plural():
    r = replace(report(probe()), parameters=1, evaluations=1)
    assert words(r).startswith("gradient check: PASS (1 probe; 1 parameter, 1 loss evaluation)")


@pytest.mark.parametrize("evaluations", [298, 306])
def test_how_long_a_failing_check_searched_is_not_told(evaluations):
    """It takes smaller steps until roundings make the slopes worse."""
    r = replace(report(probe(verdict="fail")), evaluations=evaluations)
    assert str(r).splitlines()[0] == "gradient check: FAIL (1 probe: 1 fail; 12 parameters)"
    assert r.evaluations == evaluations


def test_a_problem_is_reported_without_probes():
    r = report(problem="loss(theta) is 1 and then 2")
    assert r.verdict == "inconclusive"
    assert str(r).splitlines() == [
        "gradient check: INCONCLUSIVE (0 probes; 12 parameters, 345 loss evaluations)",
        "loss(theta) is 1 and then 2",
    ]
    assert r.worst() == []


def test_only_an_inconclusive_probe_brings_the_advice():
    advice = (
        "inconclusive: the loss is too coarse to tell. Check in float64, and without large constants in"
        " the loss."
    )
    assert advice in words(report(probe(verdict="inconclusive"), probe(verdict="fail")))
    assert advice not in words(report(probe(verdict="fail"), probe(verdict="kink")))


def test_the_advice_for_an_inconclusive_probe_fits_the_dtype():
    vague = (probe(verdict="inconclusive"),)
    double = GradientReport(vague, 2, 3.0, 9, gradient=(("", np.ones(2)),))
    single = GradientReport(vague, 2, 3.0, 9, gradient=(("", np.ones(2, np.float32)),))
    assert "Check in float64" not in words(double)
    assert "Compute all of it in float64" in words(double)
    assert "Check in float64" in words(single)


# What was noticed, and what could not be tested


def with_leaves(*names, untested=(), notes=(), verdict="pass"):
    gradient = tuple((f"['{name}']", np.ones(2)) for name in names)
    return GradientReport(
        (probe(verdict=verdict),), 2, 3.0, 9, notes=notes, untested=untested, gradient=gradient
    )


def test_leaves_that_could_not_be_tested_are_named_with_what_to_do():
    r = with_leaves("W1", "b1", "W2", untested=("theta['W1']", "theta['b1']"))
    assert r.verdict == "pass"
    assert "not tested: theta['W1'], theta['b1']. The slopes there are zero or lost" in words(r)
    assert "check at another point, such as random parameters" in words(r)
    many = with_leaves(*"abcdefgh", untested=tuple(f"theta['{name}']" for name in "abcdefg"))
    assert "not tested: theta['a'], theta['b'], theta['c'] and 4 more." in words(many)
    assert "not tested" not in words(with_leaves("W1", "b1"))


def test_where_nothing_could_be_tested_nothing_has_passed():
    r = with_leaves("W", untested=("theta['W']",))
    assert r.verdict == "inconclusive"
    assert not r.passed
    assert with_leaves("W", untested=("theta['W']",), verdict="fail").verdict == "fail"
    assert with_leaves("W", "b", untested=("theta['W']", "theta['b']")).verdict == "inconclusive"
    with pytest.raises(AssertionError, match="not tested: theta"):
        r.raise_unless_accepted()


def test_notes_stand_in_text_and_html():
    notes = ("the loss was evaluated in float64", "two calls differ by 1e-15")
    r = with_leaves("W", "b", notes=notes, untested=("theta['b']",))
    for text in (words(r), page(r).get_text()):
        for sentence in (*notes, "not tested: theta['b']"):
            assert sentence in text


def test_a_long_note_fits_a_terminal():
    r = with_leaves("W", notes=("a word " * 500,))
    assert max(map(len, str(r).splitlines())) <= 100
    assert len(str(r).splitlines()) < 10
    assert len(page(r).get_text()) < 1000


def test_pass_and_kink_are_accepted():
    for verdict in VERDICTS:
        r = report(probe(verdict=verdict))
        if verdict in ("pass", "kink"):
            r.raise_unless_accepted()
        else:
            with pytest.raises(AssertionError, match=f"gradient check: {verdict.upper()}"):
                r.raise_unless_accepted()


# Differences and ratios


@pytest.mark.parametrize(
    ("analytic", "numeric", "error", "ratio"),
    [
        (1 + 3e-8, 1.0, 1e-12, "1 + 3e-08"),
        (2.5 * (1 - 4.2e-6), 2.5, 1e-12, "1 - 4.2e-06"),
        (-1 + 2e-7, 1.0, 1e-12, "-1 + 2e-07"),
        (1 + 3e-8, 1.0, 1e-7, "1"),
        (1.0, 1.0, 1e-12, "1"),
        (1.5, 1.0, 0.2, "1"),
        (-1.5, 1.0, 0.2, "-1"),
        (1 + 5e-5, 1.0, 1e-12, "1 + 5e-05"),
        (1.001, 1.0, 1e-12, "1.001"),
        (7.0, 2.0, 1e-12, "3.5"),
        (7.0, 0.0, 1e-12, "nan"),
    ],
)
def test_a_ratio_near_one_shows_its_distance_from_one_if_that_is_certain(
    analytic, numeric, error, ratio
):
    row = str(
        report(probe(analytic=analytic, numeric=numeric, error=error, verdict="fail"))
    ).splitlines()[2]
    assert re.split(r" {2,}", row)[-2] == ratio


@pytest.mark.parametrize(
    ("analytic", "numeric", "shown"),
    [(2.753836e-1 + 8e-9, 2.753836e-1, "8.0e-09"), (-3.0, 1.0, "-4.0e+00"), (0.5, 0.5, "~0")],
)
def test_the_difference_has_a_column(analytic, numeric, shown):
    r = report(probe(analytic=analytic, numeric=numeric, error=1e-12, verdict="fail"))
    assert str(r).splitlines()[2].split()[3] == shown
    assert page(r).find_all("td")[2].get_text() == shown
    assert r.probes[0].difference == analytic - numeric


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


def with_units(*units, tolerance=1.0):
    """A direction over as many leaves, of which it moves the least numbers by so much."""
    leaves = tuple(map(str, range(len(units))))
    moved = probe("direction", error=tolerance / 4, index=None)
    return replace(moved, leaves=leaves, least_units=units)


@pytest.mark.parametrize(
    ("units", "times"), [((1.0,), 1), ((0.001,), 1000), ((4.0, 0.5), 2), ((1e-6, 1e-9, 1.0), 1e9)]
)
def test_an_error_of_a_number_that_hardly_moves_is_seen_as_much_less(units, times):
    one, several = report(*[with_units(1.0)] * 3), report(*[with_units(*units)] * 3)
    assert several.detectable() == pytest.approx(times * one.detectable())


def test_of_a_number_that_does_not_move_nothing_is_promised():
    assert report(with_units(1.0, 0.0)).detectable() == math.inf


def test_each_leaf_has_its_own_directions_and_units():
    coarse, fine = with_units(0.1, tolerance=1.0), with_units(1.0, tolerance=1e-3)
    both = report(coarse, replace(fine, leaves=("1",)))
    assert both.detectable() == pytest.approx(report(coarse).detectable())
    assert both.detectable() == pytest.approx(10_000 * report(fine).detectable())


@pytest.mark.parametrize("verdict", ["kink", "fail", "inconclusive"])
def test_directions_that_did_not_pass_promise_nothing(verdict):
    r = report(*directions(0.5, 0.5), probe("direction 3", verdict=verdict, index=None))
    assert r.detectable() == math.inf
    assert "missed" not in str(r)


def test_coordinates_at_kinks_leave_what_directions_promise():
    assert "missed" in str(report(*directions(0.5, 0.5), probe(verdict="kink")))


def test_coordinates_alone_promise_nothing():
    r = report(probe(), probe())
    assert r.detectable() == math.inf
    assert "missed" not in str(r)


def test_what_would_be_missed_is_said_beside_the_size_of_the_gradient():
    r = report(probe(), *directions(5e-4, 5e-4))
    assert r.detectable() == pytest.approx(0.0126, rel=0.01)
    expected = "an error of norm 1e-01 (gradient: 3e+00) would be missed with probability 0.001 at most"
    assert expected in words(r)
    assert words(replace(r, norm=4.4e6)).count("(gradient: 4e+06)") == 1


def test_where_loss_and_gradient_are_zero_no_error_would_be_missed():
    r = replace(report(*directions(0.0, 0.0)), norm=0.0)
    assert r.detectable() == 0
    assert "missed" not in str(r)


@pytest.mark.parametrize("norm", [2e-15, 4e-16, 0.0])
def test_of_a_gradient_that_drowns_in_roundings_no_digit_is_printed(norm):
    assert "norm 1e-08 (gradient: less) would" in words(
        replace(report(*directions(1e-10, 1e-10)), norm=norm)
    )


# What fits a terminal, and a page


LONG = "['encoder']['layers'][11]['attention']['projection of the values']['a name without end']['W']"


def long_report(verdict, hints=()):
    probes = [
        Probe(
            f"theta{LONG}[{i}, 4096]", LONG, (i, 4096), -1.25e-100, 2.5e100, 1e-120, 1e-119, 0.0, verdict
        )
        for i in range(7)
    ]
    return GradientReport((*probes, *directions(0.5)), 10**9, 3.0, 10**8, hints=hints)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_report_fits_a_terminal_whatever_the_paths_are(verdict):
    hints = tuple(f"theta{LONG * count}: analytic is 2 times numeric." for count in (1, 3, 20))
    lines = str(long_report(verdict, hints if verdict == "fail" else ())).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 20
    rows = [line for line in lines if line.startswith("theta")]
    assert len(rows) == (1 if verdict == "pass" else 5)
    for number, row in enumerate(rows):
        assert re.match(rf"theta\['\w.*\.\.\..*\]\[{number}, 4096\]  ", row)


def test_a_problem_fits_a_terminal_and_keeps_its_end():
    advice = "differs between two calls: it is not a function of theta."
    lines = str(report(problem=f"grad(theta){LONG * 9} {advice}")).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 5
    assert advice in " ".join(lines)


def test_a_place_that_fits_is_not_shortened():
    place = "theta['layer'][3]['W'][10, 200]"
    assert f"{place}  " in str(report(probe(place, analytic=2.0, verdict="fail")))


@settings(max_examples=60, deadline=None)
@given(st.text("abc[]", max_size=60), st.integers(4, 60), st.integers(0, 70))
def test_a_shortened_text_keeps_its_ends(text, width, end):
    short = shorten(text, width, end)
    if len(text) <= width:
        assert short == text
    else:
        first, last = short.split("...")
        assert len(short) == width
        assert text.startswith(first)
        assert text.endswith(last)
        assert len(last) >= min(end, width - 3)


def test_hints_are_printed_behind_the_table():
    hints = ("theta['W']: transposed.", "theta['b']: analytic is -1 times numeric; usually a sign.")
    wrong = probe(analytic=2.0, verdict="fail")
    lines = str(GradientReport((wrong,), 1, 3.0, 9, hints=hints)).splitlines()
    assert lines[3:] == [f"hint: {hint}" for hint in hints]
    assert "hint" not in str(report(wrong))


def test_what_a_notebook_shows_as_text_is_the_report_and_no_screens_of_numbers():
    r = report(*[probe(analytic=2.0, verdict="fail")] * 100)
    assert repr(r) == str(r)
    assert len(repr(r).splitlines()) < 10


GRADIENT = (("['W']", np.array([[1.0, 2.0], [3.0, 4.0]])),)


def with_curves(central, gradient=GRADIENT):
    wrong = probe("theta['W'][0, 0]", analytic=2.0, verdict="fail")
    return GradientReport((wrong,), 4, 3.0, 9, gradient=gradient, central=central)


def test_no_output_has_an_address_in_it():
    r = with_curves(lambda path, index, h: h)
    for text in (str(r), repr(r), r._repr_html_(), f"{[r]}"):
        assert not re.search(r"0x[0-9a-f]|\bat 0x|lambda|function", text)


def test_two_reports_are_equal_whatever_made_them():
    assert with_curves(lambda path, index, h: h) == with_curves(None, gradient=())


# HTML


def page(r):
    return BeautifulSoup(r._repr_html_(), "html.parser")


def test_the_table_is_accessible_and_has_the_numbers_of_the_report():
    r = report(
        *(
            probe(f"theta['W'][{i}]", analytic=2.0 + i, error=1e-3, verdict="fail", index=(i,))
            for i in range(9)
        ),
        probe("theta['b'][1]", verdict="kink"),
    )
    table = page(r).table
    assert table["class"] == ["dataframe"]  # which themes color for dark mode
    assert table.caption.get_text() == str(r).splitlines()[0]
    head = [cell.get_text() for cell in table.thead.find_all("th", scope="col")]
    assert head == ["worst", "analytic", "numeric", "difference", "+-", "ratio", "verdict"]
    rows = table.tbody.find_all("tr")
    assert [row.find("th", scope="row").get_text() for row in rows] == [
        f"theta['W'][{i}]" for i in (8, 7, 6, 5, 4)
    ]
    numbers = [cell.get_text() for cell in rows[0].find_all("td")]
    assert numbers == ["1.000000e+01", "1.000000e+00", "9.0e+00", "<1e-02", "10", "fail"]
    assert len(head) == 1 + len(numbers)


def test_html_lists_hints_and_says_the_same_as_the_text():
    r = GradientReport(
        (probe(analytic=2.0, verdict="fail"), probe(verdict="inconclusive"), *directions(0.5)),
        12,
        3.0,
        9,
        hints=("theta: one.", "theta: two."),
    )
    assert [item.get_text() for item in page(r).find_all("li")] == ["theta: one.", "theta: two."]
    for sentence in ("would be missed with probability", "too coarse to tell. Check"):
        assert sentence in str(r)
        assert sentence in page(r).get_text()


def test_html_has_no_colours_and_no_scripts_of_its_own():
    html = long_report("fail", hints=("one.",))._repr_html_()
    assert "style=" not in html
    assert "color" not in html
    assert {tag.name for tag in BeautifulSoup(html, "html.parser").find_all()} <= {
        *("div", "table", "caption", "thead", "tbody", "tr", "th", "td", "code", "p", "ul", "li")
    }


def test_html_of_odd_names_is_escaped():
    place = "theta['<script>1</script> & \"']"
    r = GradientReport(
        (probe(place, verdict="fail", index=()),), 1, 3.0, 9, "a < b", (f"{place}: two.",)
    )
    assert "<script" not in r._repr_html_()
    assert page(r).code.get_text() == place
    assert page(r).li.get_text() == f"{place}: two."
    assert "a < b" in page(r).get_text()


def test_html_without_probes_is_the_problem():
    soup = page(report(problem="loss(theta) is 1 and then 2"))
    assert soup.table is None
    assert [p.get_text() for p in soup.find_all("p")] == str(
        report(problem="loss(theta) is 1 and then 2")
    ).splitlines()


# Curves


def cube_curve(dtype=np.float64, claim=lambda x: 3 * x**2, **options):
    theta = np.array([[0.5, 0.7], [1.1, -0.9]], dtype)

    def difference(path, index, h):
        assert path == "['W']"

        def f(x):
            return x**3

        return float(central(f, theta[index], dtype(h)))

    return with_curves(difference, (("['W']", claim(theta)),)).curve("['W']", (1, 0), **options)


def test_a_curve_by_hand():
    """For x**3, the central difference is 3 x**2 + h**2."""
    curve = cube_curve(steps=[0.5, 0.25])
    assert curve.steps.tolist() == [0.5, 0.25]
    np.testing.assert_allclose(curve.numeric, [3 * 1.21 + 0.25, 3 * 1.21 + 0.0625], rtol=1e-14)
    np.testing.assert_allclose(curve.difference, [0.25, 0.0625], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_default_steps_show_the_whole_v(dtype):
    curve = cube_curve(dtype)
    u = float(np.finfo(dtype).eps) / 2
    assert curve.steps[-1] == 1
    assert set(np.frexp(curve.steps)[0]) == {0.5}
    assert (np.diff(np.log2(curve.steps)) == 1).all()
    lowest = curve.difference.min()
    assert lowest < 100 * u ** (2 / 3)
    assert curve.difference[:3].max() > 100 * lowest < curve.difference[-1]


def test_of_a_wrong_gradient_the_curve_is_level_at_its_error():
    curve = cube_curve(claim=lambda x: 3 * x**2 + 0.125)
    middle = (curve.steps > 1e-8) & (curve.steps < 1e-3)
    np.testing.assert_allclose(curve.difference[middle], 0.125, rtol=1e-4)


def test_steps_without_a_difference_are_nan():
    r = with_curves(lambda path, index, h: math.nan if h > 0.3 else 1.5)
    curve = r.curve("['W']", (0, 1), steps=[0.5, 0.25])
    np.testing.assert_array_equal(curve.difference, [math.nan, 0.5])


@pytest.mark.parametrize(
    ("path", "index", "steps", "message"),
    [
        ("['V']", (0, 0), None, "path is \"['V']\"; expected one of \"['W']\""),
        ("['W']", (0,), None, "index is (0,); expected one within theta['W'], of shape (2, 2)"),
        ("['W']", (0, 2), None, "index is (0, 2); expected one within theta['W'], of shape (2, 2)"),
        ("['W']", (0, -1), None, "index is (0, -1); expected one within theta['W'], of shape (2, 2)"),
        ("['W']", (0, 0.5), None, "index is (0, 0.5); expected one within theta['W'], of shape (2, 2)"),
        ("['W']", None, None, "index is None; expected one within theta['W'], of shape (2, 2)"),
        ("['W']", (0, 0), [0.5, 0.0], "steps are [0.5 0. ]; expected a row of numbers above 0"),
        ("['W']", (0, 0), 0.5, "steps are 0.5; expected a row of numbers above 0"),
    ],
)
def test_a_curve_of_nothing_is_refused(path, index, steps, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        with_curves(lambda path, index, h: h).curve(path, index, steps)


def test_a_report_without_a_loss_has_no_curve():
    with pytest.raises(ValueError, match="the report has no loss to evaluate"):
        report(probe()).curve("", (0,))


# Under pytest


def test_pytest_shows_the_report_of_a_failed_assertion(tmp_path):
    source = tmp_path / "test_wrong.py"
    source.write_text(
        "import numpy as np\n"
        "from optimlib import assert_gradient\n\n"
        "def test_gradient():\n"
        "    theta = {'w': np.array([0.5, 2.0])}\n"
        "    assert_gradient(lambda t: (t['w'] ** 3).sum(), lambda t: {'w': t['w'] ** 2}, theta)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", source],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        encoding="utf8",
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    shown = [line.removeprefix("E").strip() for line in run.stdout.splitlines() if line[:1] == "E"]
    assert shown[0].startswith("AssertionError:")
    assert shown[1].startswith("gradient check: FAIL (2 probes: 2 fail; 2 parameters)")
    assert shown[2].split() == ["worst", "analytic", "numeric", "difference", "+-", "ratio", "verdict"]
    rows = {line.split()[0]: line.split() for line in shown[3:5]}
    assert float(rows["theta['w'][0]"][1]) == 0.25
    assert float(rows["theta['w'][0]"][2]) == pytest.approx(0.75)
    assert rows["theta['w'][1]"][-1] == "fail"
