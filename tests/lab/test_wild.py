"""The record of gradients in public code agrees with itself, the chapter and the libraries."""

import importlib
import json
import os
import re
import subprocess
import sys
import warnings
from functools import cache

import jupytext
import numpy as np
import pytest
from repository import ROOT
from support import GOLDEN

from optimlib.lab.wild import KINDS, VERDICTS, consequences, findings, missed, repaired, sources

FOUND = findings()
CHAPTER = ROOT / "book" / "text" / "wrong-gradients-in-the-wild.md"
BAD = {"fail", "refused"}


def test_every_function_stands_there_once():
    names = [(f.source, f.function) for f in FOUND]
    assert len(names) == len(set(names)) >= 500
    assert {f.source for f in FOUND} == set(sources())


def test_what_is_said_and_what_was_measured_agree():
    for f in FOUND:
        assert f.verdict in VERDICTS
        assert (f.check in BAD) == (f.verdict != "right"), f
        assert bool(f.failing) == (f.verdict != "right"), f
        assert f.check in BAD | {"pass", "kink"}, f


def test_a_wrong_one_has_a_kind_a_note_and_a_reason_to_believe_it():
    for f in FOUND:
        is_wrong = f.verdict == "wrong"
        assert (f.kind in KINDS) == is_wrong
        assert (f.cured is not None) == is_wrong
        assert not is_wrong or f.note
        assert not is_wrong or f.cured, f
    assert {f.kind for f in FOUND} - {""} == set(KINDS)


def test_a_right_one_was_spoiled_four_times():
    for f in FOUND:
        assert len(f.planted) == (4 if f.verdict == "right" else 0)


def test_what_the_check_once_missed_it_no_longer_passes():
    planted = {(f.source, f.function): f.planted for f in FOUND}
    assert len(missed()) == len(set(missed())) > 0
    for source, function, change in missed():
        assert planted[source, function][change] in ("fail", "inconclusive")


def test_students_are_not_named():
    text = json.dumps([f for f in FOUND if f.source == "CS231n solutions"])
    assert "github" not in text.lower()
    assert all(
        re.match(r"solution [A-L]: ", f.function) for f in FOUND if f.source == "CS231n solutions"
    )


def test_the_chapter_cites_every_issue_of_the_record_and_no_other():
    cited = set(
        re.findall(r"https://github\.com/[\w-]+/[\w-]+/(?:issues|pull)/\d+", CHAPTER.read_text())
    )
    would_deprecate = "https://github.com/scipy/scipy/pull/26205"
    of_repairs = {
        "https://github.com/HIPS/autograd/pull/412",
        "https://github.com/scipy/scipy/issues/8184",
    }
    of_repairs |= {case.issue for case in repaired()}
    again = "https://github.com/jax-ml/jax/issues/40629"
    assert cited == {f.known for f in FOUND} - {""} | {would_deprecate, again} | of_repairs


def test_the_check_tells_the_older_versions_from_the_repaired_ones():
    cases = repaired()
    assert len(cases) >= 4
    assert len({case.library for case in cases}) >= 3
    for case in cases:
        assert case.kind in KINDS
        assert (case.before in BAD, case.after) == (True, "pass"), case
        assert (case.error > 0) == (case.before == "fail")
        before, after = (tuple(map(int, v.split("."))) for v in (case.wrong, case.right))
        assert before < after


@cache
def recording():
    """The script that records the findings of installed libraries."""
    sys.path.insert(0, str(GOLDEN))
    try:
        return importlib.import_module("record_wild")
    finally:
        sys.path.remove(str(GOLDEN))


@pytest.mark.slow
@pytest.mark.parametrize("library", ["scipy", "sklearn", "statsmodels", "autograd", "jax", "torch"])
def test_the_libraries_still_do_what_was_recorded(library):
    pytest.importorskip(library)
    recorded = {(f.source, f.function): f for f in FOUND}
    made = list(recording().CASES[library]())
    measured = sys.modules["wild_findings"].verdicts_of
    differ = {
        finding.function: (now, recorded[finding.source, finding.function].check)
        for finding in made
        if (finding.source, finding.function) in recorded
        and ((now := measured(finding)) in BAD)
        != (recorded[finding.source, finding.function].check in BAD)
    }
    assert differ == {}
    assert len(made) >= sum(f.source == made[0].source for f in FOUND)


@pytest.mark.slow
@pytest.mark.parametrize("p", [0, 1, 2, 3])
def test_what_a_wrong_hessian_does_to_standard_errors(p):
    pytest.importorskip("statsmodels")
    recorded = consequences()[f"standard errors, p = {p}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratios = recording().standard_errors(p, seed=3)
    assert np.isfinite(ratios).all() == (recorded["NaN"] == 0)
    assert p in (0, 3) or np.allclose(ratios, 1, atol=1e-3)


@pytest.mark.slow
def test_what_a_score_without_its_option_does_to_a_fit():
    pytest.importorskip("statsmodels")
    recorded = consequences()["truncated fit"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        below, alpha, best, converged = recording().truncated_fit(seed=2)
    assert recorded["below"][0] - 0.1 < below < recorded["below"][1] + 0.1
    assert abs(alpha - recorded["alpha"][2]) < 0.01 < best - alpha
    assert abs(best - recorded["best alpha"][2]) < 0.01
    assert not converged


@pytest.mark.slow
@pytest.mark.parametrize(("function", "code"), [("one_way", 1), ("other_way", 0)])
def test_the_chapters_test_is_a_file_that_pytest_collects(function, code, tmp_path):
    cells = [c.source for c in jupytext.read(CHAPTER).cells if c.cell_type == "code"]
    ours = next(c for c in cells if "def other_way" in c)
    test = next(c for c in cells if "@given" in c).replace("one_way", function)
    package = f"import numpy as np\n\nrng = np.random.default_rng(0)\n{ours}"
    (tmp_path / "bags.py").write_text(package, encoding="utf8")
    text = f"from bags import bag, {function}\n{test}"
    (tmp_path / "test_bags.py").write_text(text, encoding="utf8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bags.py"]
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout
    assert ("[[0, 0]]" in done.stdout) == bool(code)
