"""The record of gradients in public code agrees with itself, the chapter and the libraries."""

import importlib
import json
import re
import sys
import warnings
from functools import cache

import numpy as np
import pytest
from repository import ROOT
from support import GOLDEN

from optimlib.lab.wild import KINDS, VERDICTS, findings, sources

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
        assert not is_wrong or f.cured or len(f.failing) < f.settings or f.known, f
    assert {f.kind for f in FOUND} - {""} == set(KINDS)


def test_a_right_one_was_spoiled_four_times():
    for f in FOUND:
        assert len(f.planted) == (4 if f.verdict == "right" else 0)


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
    assert cited == {f.known for f in FOUND} - {""}


@cache
def cases(library):
    """The findings of an installed library, as the script that records them makes them."""
    sys.path.insert(0, str(GOLDEN))
    try:
        return list(importlib.import_module("record_wild").CASES[library]())
    finally:
        sys.path.remove(str(GOLDEN))


@pytest.mark.slow
@pytest.mark.parametrize("library", ["scipy", "sklearn", "statsmodels", "autograd", "torch"])
def test_the_libraries_still_do_what_was_recorded(library):
    pytest.importorskip(library)
    recorded = {(f.source, f.function): f for f in FOUND}
    made = cases(library)
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
def test_what_a_wrong_hessian_does_to_standard_errors():
    """What the chapter says of it: NaN for p = 1.5, where differences of the score give numbers."""
    pytest.importorskip("statsmodels")
    from statsmodels.discrete.discrete_model import NegativeBinomialP
    from statsmodels.tools.numdiff import approx_fprime

    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(500), rng.standard_normal(500)])
    mu = np.exp(X @ [0.8, 0.6])
    for p, all_numbers in ((1.5, False), (2, True)):
        size = mu ** (2 - p) / 0.5
        model = NegativeBinomialP(rng.negative_binomial(size, size / (size + mu)), X, p=p)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = model.fit(disp=0, maxiter=500, method="bfgs")
        assert np.isfinite(fitted.bse).all() == all_numbers
        hessian = approx_fprime(fitted.params, model.score, centered=True)
        assert (np.diag(np.linalg.inv(-hessian)) > 0).all()
