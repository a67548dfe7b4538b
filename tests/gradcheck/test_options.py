"""Options that other packages have are answered with what there is in their place."""

import inspect
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest

from optimlib import assert_gradient, check_gradient
from optimlib.gradcheck import (
    check_adjoint,
    check_hvp,
    check_jvp,
    check_layer,
    check_value_and_grad,
    check_vjp,
)
from optimlib.gradcheck.check import compare
from optimlib.gradcheck.options import Options

X = np.array([1.0, -2.0])


def loss(x):
    return (x**2).sum()


def grad(x):
    return 2 * x


def product(x, dx):
    return dx


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("tol", "accuracy="),
        ("rtol", "accuracy="),
        ("eps", "the step is chosen anew"),
        ("h", "the step is chosen anew"),
        ("seed", "rng=np.random.default_rng(seed)"),
        ("n_jobs", "executor="),
        ("num_checks", "coordinates= and directions="),
        ("freeze", "frozen="),
        ("lower", "bounds=(low, high)"),
        ("verbose", "progress=True"),
        ("args", "lambda theta: loss(theta, X, y)"),
        ("directons", "did you mean directions=?"),
        ("acuracy", "did you mean accuracy=?"),
        ("zzz", "expected coordinates, directions, bounds, rng, executor"),
    ],
)
def test_unknown_options_are_answered(option, answer):
    with pytest.raises(TypeError) as error:
        check_gradient(loss, grad, X, **{option: 1e-5})
    assert str(error.value).startswith(f"{option}=1e-05 is not an option here: ")
    assert answer in str(error.value)


@pytest.mark.parametrize(
    "check",
    [
        lambda **options: assert_gradient(loss, grad, X, **options),
        lambda **options: check_value_and_grad(lambda x: (loss(x), grad(x)), X, **options),
        lambda **options: check_vjp(grad, lambda x, dy: 2 * dy, X, **options),
        lambda **options: check_jvp(grad, lambda x, dx: 2 * dx, X, **options),
        lambda **options: check_adjoint(product, product, X, **options),
        lambda **options: check_hvp(grad, lambda x, v: 2 * v, X, **options),
        lambda **options: check_layer(lambda x: (x, x), lambda dy, cache: dy, X, **options),
        lambda **options: compare(loss, grad, X, **options),
    ],
)
def test_every_check_answers(check):
    with pytest.raises(TypeError, match=r"^atol=1e-08 is not an option here: the tolerance"):
        check(atol=1e-8)


def test_a_long_value_is_not_printed():
    with pytest.raises(TypeError, match=r"^mask= is not an option here: use frozen=$"):
        check_gradient(loss, grad, X, mask=np.ones(1000))


NUMBER = "expected a finite number from 0 on"
RNG = "np.random.default_rng(0)"
SHOWN = "expected True, False or None (a bar after five seconds)"
WRONG = [
    ("accuracy", "a", TypeError, f"accuracy is 'a' of type str; {NUMBER}"),
    ("accuracy", True, TypeError, f"accuracy is True of type bool; {NUMBER}"),
    ("accuracy", [1e-6], TypeError, f"accuracy is [1e-06] of type list; {NUMBER}"),
    ("accuracy", np.nan, ValueError, f"accuracy is nan; {NUMBER}"),
    ("accuracy", -1e-6, ValueError, f"accuracy is -1e-06; {NUMBER}"),
    ("progress", "a", TypeError, f"progress is 'a'; {SHOWN}"),
    ("progress", 1, TypeError, f"progress is 1; {SHOWN}"),
    ("coordinates", 2.0, ValueError, "coordinates is 2.0; expected a whole number from 0 on"),
    ("coordinates", True, ValueError, "coordinates is True; expected a whole number from 0 on"),
    ("directions", "3", ValueError, "directions is '3'; expected a whole number from 0 on"),
    ("directions", -1, ValueError, "directions is -1; expected a whole number from 0 on"),
    ("rng", 7, TypeError, f"rng is 7; expected a numpy.random.Generator, such as {RNG}"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value", "kind", "message"), WRONG)
@pytest.mark.parametrize("check", [check_gradient, compare], ids=["check_gradient", "compare"])
def test_an_option_that_cannot_be_meant_is_refused_before_the_loss_is_called(
    check, option, value, kind, message
):
    calls = []
    with pytest.raises(kind) as error:
        check(calls.append, calls.append, X, **{option: value})
    assert str(error.value) == message
    assert not calls


@pytest.mark.parametrize("accuracy", [0, Fraction(1, 10**12), np.float32(1e-9), None])
def test_numbers_of_any_kind_are_an_accuracy(accuracy, capsys):
    assert check_gradient(loss, grad, X, accuracy=accuracy, progress=np.bool_(False)).passed
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("directions", ["3", 2.0, 0, True])
def test_check_jvp_has_one_direction_at_least(directions):
    with pytest.raises(ValueError, match=r"^directions is .*; expected a whole number from 1 on$"):
        check_jvp(grad, lambda x, dx: 2 * dx, X, directions=directions)


def test_options_are_told_once():
    options = {field.name: field.default for field in fields(Options)}
    signature = inspect.signature(check_gradient).parameters.values()
    assert {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY} == options


@pytest.mark.parametrize(
    ("frozen", "bounds", "free"),
    [(None, (-9, 9), 2), ([True, False], (-9, 9), 1), (None, ([1.0, -9.0], [1.0, 9.0]), 1)],
)
def test_a_report_counts_the_parameters_that_are_not_held_fixed(frozen, bounds, free):
    def squares(x):
        return [2 * x[0], 2 * x[1]]

    theta = [np.array(1.0), np.array(-2.0)]
    report = check_gradient(
        lambda x: x[0] ** 2 + x[1] ** 2, squares, theta, frozen=frozen, bounds=bounds
    )
    assert report.parameters == free
    assert f" {free} parameter{'s' if free > 1 else ''}," in str(report)
