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

from optimlib.lab.wild import KINDS, TESTS, VERDICTS, consequences, findings, missed, repaired, sources

FOUND = findings()
CHAPTER = ROOT / "book" / "text" / "wrong-gradients-in-the-wild.md"
BAD = {"fail", "refused"}
SAID = ("source", "function", "verdict", "kind", "note", "known")  # by a reader, and not measured
LIBRARIES = {
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "autograd": "Autograd",
    "jax": "JAX",
    "torch": "PyTorch",
}


@cache
def script(name):
    """A script of those that make the record."""
    sys.path.insert(0, str(GOLDEN))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(GOLDEN))


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


def test_a_right_one_was_spoiled_four_times_and_passed_in_one_of_them():
    spoiled = {(f.function, change): v for f in FOUND for change, v in f.planted.items()}
    assert {name for name, verdict in spoiled.items() if verdict == "pass"} == {("renorm", "1.000001")}
    changes = list(script("wild_findings").PLANTED)
    for f in FOUND:
        assert list(f.planted) == (changes if f.verdict == "right" else []), f
        doubtful = {change for change, v in f.planted.items() if v not in BAD | {"pass"}}
        assert all(f.planted[change] == "inconclusive" for change in doubtful), f
        assert doubtful <= {"a sign", "a number left out"}, f  # a factor touches all numbers


def test_the_settings_of_a_function_are_counted():
    for f in FOUND:
        assert len(set(f.failing)) == len(f.failing) <= f.settings, f
        assert f.settings >= 1, f


def test_a_wrong_slope_has_an_error_and_a_refused_one_no_number():
    for f in FOUND:
        assert (f.error > 0) == (f.check == "fail"), f
        assert f.error <= 2, f  # of the larger of two slopes
        only_refused = f.check == "refused" and len(f.failing) == f.settings
        assert (f.relative is None) == (f.whole is None) == only_refused, f
        assert f.relative is None or 0 <= f.relative <= 2, f
        assert f.whole is None or 0 <= f.whole <= 1, f


def test_other_random_numbers_change_nothing_and_float32_hides_the_smallest_errors():
    for f in FOUND:
        assert f.second_seed == f.check, f
        assert f.float32 == f.check or f.error < 1e-3, f
        assert f.float32 in BAD or f.check not in BAD or f.error, f  # a refused one stays refused
        assert f.float32 not in BAD or f.check in BAD, f


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


def test_the_chapters_table_says_what_the_record_says_of_the_tests():
    rows = [line for line in CHAPTER.read_text().splitlines() if line.startswith("|")]
    words = {
        "wrong number": r"a test asked for the 0|the expected value was written by hand, and wrong",
        "never ran": r"kept it from running",
        "one kind": r"only symmetric matrices were tried",
    }
    assert set(words) | {""} == set(TESTS)
    for case in repaired():
        (row,) = [row for row in rows if f"({case.issue})" in row and case.library in row]
        assert {name for name, said in words.items() if re.search(said, row)} == {case.tests} - {""}


# What measures


def tried(verdict="right", failing=(), cure=None, **settings):
    made = script("wild_findings").Finding(
        "ours", "a function", settings, verdict, "slip", failing=failing
    )
    made.cure = cure
    return made


def squares(vjp=lambda x, dy: 2 * x * dy, f=np.square):
    return lambda: (f, vjp, np.array([0.3, -1.2, 2.5]))


def measured(made):
    script("wild_findings").measure(made)
    return made.measured


def of_another_shape(x, dy):
    return dy[:2]


def not_a_number(x, dy):
    return dy * np.array([np.nan, 1, 1])


def no_sign(x, dy):
    return 2 * abs(x) * dy


@pytest.mark.parametrize("vjp", [of_another_shape, not_a_number])
def test_what_the_check_refuses_is_refused_with_every_seed_and_in_float32(vjp, capsys):
    row = measured(tried("wrong", ("bad",), squares(), good=squares(), bad=squares(vjp)))
    assert (row["check"], row["second_seed"], row["float32"]) == ("refused",) * 3
    assert (row["failing"], row["settings"], row["error"]) == (["bad"], 2, 0)
    assert row["whole"] < 1e-7
    assert row["cured"]
    assert "a function, bad: vjp(x, dy)" in capsys.readouterr().out


def test_a_wrong_gradient_is_measured(capsys):
    row = measured(tried("wrong", ("bad",), squares(no_sign), good=squares(), bad=squares(no_sign)))
    assert (row["check"], row["second_seed"], row["float32"]) == ("fail",) * 3
    assert (row["failing"], row["settings"]) == (["bad"], 2)
    assert row["error"] > 0.1
    assert row["whole"] > 0.01
    assert row["relative"] == 2  # of two numbers that differ by their sign
    assert not row["cured"]
    assert "NO CURE ours: a function: fail" in capsys.readouterr().out


def test_a_right_gradient_is_measured_and_spoiled(capsys):
    row = measured(tried(good=squares()))
    assert (row["check"], row["failing"], row["error"], row["writes"]) == ("pass", [], 0, "")
    assert set(row["planted"].values()) == {"fail"}
    assert "cured" not in row
    assert capsys.readouterr().out == ""
    measured(tried("by design", good=squares()))
    assert "DISAGREE ours: a function: by design" in capsys.readouterr().out


def raises(*arguments):
    raise ValueError("of the code, not of the check")


def raises_but_for_ones(x, dy):
    return 2 * x * dy if (dy == 1).all() else raises()


@pytest.mark.parametrize("triple", [squares(raises), squares(f=raises), squares(raises_but_for_ones)])
def test_an_error_of_the_code_is_no_verdict(triple):
    with pytest.raises(ValueError, match="of the code"):
        script("wild_findings").verdicts_of(tried(only=triple), seed=3)
    with pytest.raises(ValueError, match="of the code"):
        measured(tried(only=triple))


def test_a_domain_that_the_check_leaves_is_no_error():
    def root(x):
        return raises() if (x < 0).any() else np.sqrt(x)

    at = np.array([1e-9, 1.0])
    triple = (root, lambda x, dy: dy / (2 * np.sqrt(x)), at)
    assert script("wild_findings").verdict_of(triple)[0] == "pass"


def test_an_environment_that_was_not_finished_is_made_again(tmp_path, monkeypatch):
    versions, commands = script("record_wild_versions"), []

    def run(command, check):
        commands.append([str(part) for part in command])
        if "venv" in command:
            (tmp_path / "scipy-1.0" / "bin").mkdir(parents=True, exist_ok=True)
        elif len(commands) < 3:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(versions.subprocess, "run", run)
    with pytest.raises(subprocess.CalledProcessError):
        versions.environment(tmp_path, "SciPy", "1.0")
    for _ in range(2):  # made in the first turn, found in the second
        assert versions.environment(tmp_path, "SciPy", "1.0") == tmp_path / "scipy-1.0/bin/python"
        assert ["venv" in command for command in commands] == [True, False] * 2
    assert "--clear" in commands[2]
    assert "scipy==1.0" in commands[3]


@pytest.mark.parametrize(("answer", "verdict"), [("1.0", "fail"), ("NaN", "refused"), ("oops", None)])
def test_an_old_version_that_prints_no_numbers_is_not_refused(answer, verdict, tmp_path):
    served = (
        "#!{}\nimport json, sys\nprint('[0.5]', flush=True)\nfor line in sys.stdin:\n"
        "    at, dy = json.loads(line)\n"
        "    print([3 * at[0]] if dy is None else '[{}]', flush=True)\n"
    )
    python = tmp_path / "python"
    python.write_text(served.format(sys.executable, answer))
    python.chmod(0o755)
    check = script("record_wild_versions").check
    if verdict is None:
        with pytest.raises(json.JSONDecodeError):
            check(python, "SciPy", "f")
    else:
        assert check(python, "SciPy", "f")[0] == verdict


# The installed libraries


@cache
def cases(library):
    """The functions of an installed library, and what is recorded of them."""
    pytest.importorskip(library)
    made = {finding.function: finding for finding in script("record_wild").CASES[library]()}
    return made, {f.function: f for f in FOUND if f.source == LIBRARIES[library]}


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_libraries_still_do_what_was_recorded(library):
    made, recorded = cases(library)
    assert made.keys() - recorded.keys() == set(), "tried and not recorded"
    assert recorded.keys() - made.keys() == set(), "recorded and no longer tried"
    tools, differ = script("wild_findings"), {}
    for name, finding in made.items():
        f, verdicts = recorded[name], tools.verdicts_of(finding)
        now = tools.gravest(v for v, _ in verdicts.values()), len(verdicts), tools.failing_of(verdicts)
        if now != (f.check, f.settings, list(f.failing)):
            differ[name] = now
    assert differ == {}


def in_short(row):
    """What is recorded of a finding, without digits that come from rounding."""
    digits = ("error", "relative", "whole")
    kept = {key: value for key, value in row.items() if key not in (*digits, *SAID)}
    limits = (("relative", 1e-7), ("whole", 2e-7))
    above = [row[key] is not None and row[key] > limit for key, limit in limits]
    return {"cured": None, **kept, "failing": list(row["failing"]), "above": above}


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_sample_is_measured_again(library):
    """All that are not right, and one right one of eight."""
    made, recorded = cases(library)
    right = [name for name, f in recorded.items() if f.verdict == "right"]
    differ = {}
    for name in (recorded.keys() - right) | set(right[3::8]):
        now, f = measured(made[name]), recorded[name]
        near = now["error"] == f.error or 0.5 < now["error"] / f.error < 2
        if not near or in_short(now) != in_short(f._asdict()):
            differ[name] = now
    assert differ == {}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["autograd", "statsmodels", "torch"])
def test_planted_mistakes_that_passed_once_or_pass_today(library):
    made, recorded = cases(library)
    tools = script("wild_findings")
    names = {f for source, f, _ in missed() if source == LIBRARIES[library]}
    for name in names or {"renorm"}:
        triple = tools.sparing(next(iter(made[name].settings.values()))())
        for change, spoiled in tools.planted(triple).items():
            now = tools.verdict_of(spoiled)[0]
            assert now == recorded[name].planted[change], (name, change)
            assert now in ("fail", "inconclusive") or (name, change) == ("renorm", "1.000001")


@pytest.mark.slow
def test_the_norm_finds_sinc_whatever_the_random_numbers():
    made, _ = cases("jax")
    tools = script("wild_findings")
    for seed in range(10):
        triple = tools.sparing(made["jnp.sinc"].settings["near 0"]())
        assert tools.usual_scores(*triple, seed=seed)[1] > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("p", [0, 1, 1.5, 2, 3])
def test_what_a_wrong_hessian_does_to_standard_errors(p):
    pytest.importorskip("statsmodels")
    recorded = consequences()[f"standard errors, p = {p}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratios = np.array([script("record_wild").standard_errors(p, seed) for seed in range(20)])
    finite = ratios[np.isfinite(ratios).all(axis=1)]
    assert (recorded["fits"], recorded["NaN"]) == (20, 20 - len(finite))
    found = [finite.min(), finite.max()] if len(finite) else []
    assert np.allclose(found, recorded["ratios"], rtol=0.02)


@pytest.mark.slow
def test_standard_errors_without_right_ones_are_not_counted(monkeypatch):
    numdiff = pytest.importorskip("statsmodels.tools.numdiff")
    monkeypatch.setattr(numdiff, "approx_fprime", lambda *args, **options: np.diag([-1.0, 1.0, -1.0]))
    with pytest.raises(ArithmeticError, match="p = 2, seed 0"):
        script("record_wild").standard_errors(2, 0)


@pytest.mark.slow
def test_what_a_score_without_its_option_does_to_a_fit():
    pytest.importorskip("statsmodels")
    recorded = consequences()["truncated fit"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        below, alpha, best, converged = script("record_wild").truncated_fit(seed=2)
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
