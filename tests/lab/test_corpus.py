"""The corpus: right gradients are right, wrong ones as wrong as they say, and we tell them apart."""

import math

import numpy as np
import pytest
from support import same, unchanged

from optimlib.differences import complex_step
from optimlib.lab.corpus import KINDS, MISTAKES, Case, GradientProblem, cases, problems, tally, trust
from optimlib.lab.corpus.mistakes import transposed
from optimlib.trees import copy_tree, flatten, map_tree, match

PROBLEMS = {problem.name: problem for problem in problems()}
CASES = {case.name: case for case in cases()}
RIGHT = [case for case in CASES.values() if case.error == 0]
WRONG = [case for case in CASES.values() if case.error > 0]


def claims(grad, theta) -> dict[str, np.ndarray]:
    return {path: np.asarray(g) for path, g in flatten(grad(copy_tree(theta)))}


# What kind of a corpus it is


def test_there_are_enough_of_each():
    assert len(RIGHT) >= 60
    assert len(WRONG) >= 100
    for kind in KINDS:
        assert sum(case.kind == kind for case in RIGHT) >= 2, kind
        assert sum(case.kind == kind for case in WRONG) >= 8, kind


def test_names_are_names():
    assert len(PROBLEMS) == len(problems())
    assert len(CASES) == len(cases())
    assert {case.kind for case in cases()} == set(KINDS)


def test_no_mistake_is_written_for_nothing():
    mistakes = {case.name.rpartition(": ")[2] for case in WRONG if case.kind != "beyond"}
    assert set(MISTAKES) <= mistakes
    lost = [
        f"{problem.name}: {name}"
        for problem in PROBLEMS.values()
        for name in problem.mistakes
        if problem.kind != "beyond" and f"{problem.name}: {name}" not in CASES
    ]
    assert lost == []


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_case_is_a_function_of_theta(case):
    with unchanged(case.theta):
        first, second = case.loss(case.theta), case.loss(copy_tree(case.theta))
        assert same(case.grad(case.theta), case.grad(copy_tree(case.theta)))
    assert first == second
    assert math.isfinite(first)


def test_every_claim_is_like_theta():
    for case in CASES.values():
        with unchanged(case.theta):
            match(case.grad(case.theta), case.theta, "grad(theta)", "theta")


def test_the_loss_has_the_precision_of_its_parameters():
    """So that nobody need ask in which precision another library should compute."""
    for case in RIGHT:
        dtypes = {leaf.dtype for _, leaf in flatten(case.theta)}
        assert {np.asarray(case.loss(case.theta)).dtype} == dtypes, case.name


def test_the_same_corpus_every_time():
    again = cases()
    assert [case.name for case in again] == list(CASES)
    for case, other in zip(CASES.values(), again, strict=True):
        assert same(case.theta, other.theta)
        assert case.error == other.error


# The right ones are right

NO_COMPLEX = {  # losses that do not continue to complex numbers
    "softplus",  # logaddexp
    "logistic regression",  # the same
    "arc cosine near its edge",  # on its branch cut
    "norm",
    "logarithm of a determinant",
    "one number",  # float
}
ANALYTIC = [
    problem
    for problem in PROBLEMS.values()
    if (problem.kind in ("smooth", "scaled", "zero", "tree", "beyond") or "network" in problem.name)
    and problem.kind not in ("float32", "large")
    and problem.name not in NO_COMPLEX
]


@pytest.mark.parametrize("problem", ANALYTIC, ids=lambda problem: problem.name)
def test_a_right_gradient_is_that_of_the_complex_step(problem):
    theta = map_tree(lambda leaf: leaf.astype(complex), problem.theta)
    leaves = dict(flatten(theta))
    for path, g in claims(problem.grad, problem.theta).items():
        for index in np.ndindex(g.shape):

            def f(x, leaf=leaves[path], index=index):
                before, leaf[index] = leaf[index], x
                value = problem.loss(theta)
                leaf[index] = before
                return value

            exact = complex_step(f, leaves[path][index].real)
            assert g[index] == pytest.approx(exact, rel=1e-10, abs=1e-14), (path, index)


OTHERS = [
    problem
    for problem in PROBLEMS.values()
    if problem not in ANALYTIC and problem.kind not in ("float32", "large")
]


def one_sided_slopes(problem: GradientProblem, path: str, index: tuple[int, ...]) -> list[float]:
    """Left and right of a coordinate, over a billionth of it."""
    theta = copy_tree(problem.theta)
    leaf = dict(flatten(theta))[path]
    x, value = leaf[index], problem.loss(theta)
    slopes = []
    for h in (-1e-9 * abs(x) or -1e-9, 1e-9 * abs(x) or 1e-9):
        leaf[index] = x + h
        slopes.append(float((problem.loss(theta) - value) / (leaf[index] - x)))
        leaf[index] = x
    return slopes


@pytest.mark.parametrize("problem", OTHERS, ids=lambda problem: problem.name)
def test_a_right_gradient_lies_between_the_one_sided_slopes(problem):
    for path, g in claims(problem.grad, problem.theta).items():
        scale = np.abs(g).max(initial=0)
        for index in np.ndindex(g.shape):
            low, high = sorted(one_sided_slopes(problem, path, index))
            assert low - 5e-3 * scale <= g[index] <= high + 5e-3 * scale, (path, index)
            if problem.slopes is None and "equal" not in problem.name:
                assert high - low < 2e-2 * scale, "a kink that the problem does not tell of"


@pytest.mark.parametrize(
    "problem", [p for p in PROBLEMS.values() if p.slopes], ids=lambda problem: problem.name
)
def test_the_slopes_at_a_kink_are_the_one_sided_ones(problem):
    low, high = (dict(flatten(slope)) for slope in problem.slopes)
    for path in low:
        for index in np.ndindex(low[path].shape):
            slopes = sorted(one_sided_slopes(problem, path, index))
            assert slopes == pytest.approx([low[path][index], high[path][index]], abs=1e-4)


COUNTERPARTS = [
    (problem, PROBLEMS[problem.name.removesuffix(" in float32").removesuffix(" with float32 inside")])
    for problem in PROBLEMS.values()
    if problem.kind == "float32" and problem.name != "2,000 terms in float32"
]


@pytest.mark.parametrize(("single", "double"), COUNTERPARTS, ids=lambda problem: problem.name)
def test_the_problems_in_float32_are_those_in_float64(single, double):
    theta = dict(flatten(double.theta))
    for path, leaf in flatten(single.theta):
        assert leaf == pytest.approx(theta[path], rel=1e-6)
    assert single.loss(single.theta) == pytest.approx(double.loss(double.theta), rel=1e-5)
    ours, right = claims(single.grad, single.theta), claims(double.grad, double.theta)
    for path, g in ours.items():
        assert g == pytest.approx(right[path], rel=1e-4, abs=1e-5)


def test_the_long_sum_in_float32():
    problem = PROBLEMS["2,000 terms in float32"]
    exact = complex_step(lambda w: problem.loss(np.array([w])), np.float64(problem.theta[0]))
    assert problem.grad(problem.theta) == pytest.approx(exact, rel=1e-5)


# The wrong ones are wrong


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("squares: doubled", 1),
        ("squares: halved", 0.5),
        ("squares: of the other sign", 2),
        ("squares: times 32, summed for averaged", 31),
        ("squares: 0.05 % too small", 5e-4),
        ("squares: a millionth too large", 1e-6),
        ("squares: zero", 1),
        ("squares: largest number masked", 6 / math.sqrt(56)),  # of (2, -4, 6)
        ("squares: middle number 1 % too large", 0.04 / math.sqrt(56)),
        ("squares: shifted by one place", math.sqrt(16 + 36 + 100) / math.sqrt(56)),  # (6, 2, -4)
        ("squares: clipped", 1 - 1 / math.sqrt(56)),
        ("squares: a regularizer too much", 0.005),
        ("squares: of the previous parameters", 0.01),
        ("a constant: a constant too much", math.inf),  # of a gradient that is zero
        ("20 tiny biases, 200 steep weights: one bias forgotten", 1 / math.sqrt(20)),
        ("20 tiny biases, 200 steep weights: one bias of the other sign", 2 / math.sqrt(20)),
        ("positive part at its kink, claim 0: 1.5 there", 0.5),  # 1 would be right; the other is 1
        ("tanh network: without the mean", 5),
    ],
)
def test_the_size_of_a_mistake(name, error):
    relative = 0.02 if "network" in name else 1e-9  # weight decay is no part of the mean
    assert CASES[name].error == pytest.approx(error, rel=relative)


def test_the_mistakes_are_those_of_their_names():
    theta = {"W": np.array([[1.0, -2.0], [3.0, 0.25]]), "V": np.array([[0.0, 1.0], [2.0, 5.0]])}

    def made(name):
        return MISTAKES[name](lambda t: dict(t))(theta)

    assert made("transposed")["W"].tolist() == [[1, 3], [-2, 0.25]]
    assert made("leaves swapped")["W"] is theta["V"]
    assert made("first leaf zero")["W"].tolist() == [[0, 0], [0, 0]]
    assert made("first leaf zero")["V"] is theta["V"]
    assert made("last leaf of the other sign")["V"].tolist() == [[0, -1], [-2, -5]]
    assert made("last number forgotten")["V"].tolist() == [[0, 1], [2, 0]]
    assert made("largest number masked")["W"].tolist() == [[1, -2], [0, 0.25]]
    assert made("rounded to integers")["W"].tolist() == [[1, -2], [3, 0]]
    assert made("averaged over the leaf")["V"].tolist() == [[2, 2], [2, 2]]
    assert made("absolute values")["W"].tolist() == [[1, 2], [3, 0.25]]
    assert made("a regularizer too much")["W"].tolist() == [[1.01, -2.02], [3.03, 0.2525]]


def test_a_transposed_matrix_that_is_not_square_keeps_its_shape():
    g = np.arange(6.0).reshape(2, 3)
    assert transposed(g).tolist() == [[0, 3, 1], [4, 2, 5]]


def test_what_the_loss_cannot_show_is_no_case():
    """1e6 + sin(x): the best difference is good to 1.7e-7, and a mistake counts from 1.7e-5 on."""
    name = "sines beside a million"
    assert f"{name}: a millionth too large" not in CASES
    assert f"{name}: 0.05 % too small" in CASES
    assert CASES[f"{name}: 0.05 % too small"].kind == "scaled"


def test_what_lies_between_two_slopes_is_no_mistake():
    assert "absolute value at its kink, claim 0.5: of the other sign" in CASES  # of the other number
    assert "positive part at its kink, claim 1: largest number masked" not in CASES


# Counting


def test_a_tally_by_hand():
    def case(name, kind, error):
        return Case(name, kind, None, None, name, error)

    chosen = [
        case("yes", "smooth", 0.0),
        case("no", "smooth", 0.0),
        case("no", "smooth", 1.0),
        case("yes", "smooth", 1.0),
        case("perhaps", "smooth", 1.0),
        case("perhaps", "zero", 0.0),
        case("no", "zero", math.inf),
        case("no", "beyond", 1.0),
    ]
    rows = tally(lambda loss, grad, name: {"yes": True, "no": False, "perhaps": None}[name], chosen)
    assert [tuple(row) for row in rows] == [
        # right, accepted, false alarms, wrong, found, missed, inconclusive
        ("smooth", 2, 1, 1, 3, 1, 1, 1),
        ("zero", 1, 0, 0, 1, 1, 0, 1),
        ("beyond", 0, 0, 0, 1, 1, 0, 0),
        ("all", 3, 1, 1, 4, 2, 1, 2),
    ]


@pytest.mark.parametrize("answer", ["pass", 1, np.ones(2)], ids=str)
def test_a_checker_that_gives_no_answer_is_refused(answer):
    with pytest.raises(TypeError, match=r"^the checker returned a \w+ for the case 'squares'; expec"):
        tally(lambda loss, grad, theta: answer, cases()[:1])


# Our own check


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_our_check_decides_rightly(kind):
    answers = {
        case.name: trust(case.loss, case.grad, case.theta)
        for case in CASES.values()
        if case.kind == kind
    }
    # Where the loss has no slope, a right gradient of zero is not blamed, but no mistake would show.
    right = (None, True) if kind == "zero" else (True,)
    wrongly = {
        name: answer
        for name, answer in answers.items()
        if answer not in (right if CASES[name].error == 0 else (False,))
    }
    assert wrongly == {}


def test_our_check_blames_no_right_gradient_that_the_loss_cannot_show():
    beyond = [case for case in RIGHT if case.kind == "beyond"]
    assert [case.name for case in beyond if trust(case.loss, case.grad, case.theta) is False] == []
