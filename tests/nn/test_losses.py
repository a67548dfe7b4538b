"""Losses: by hand, as PyTorch has them, by complex step, by their properties, at their extremes."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_not_wrong, recorded_layer, unchanged

from optimlib import assert_gradient
from optimlib.differences import complex_step
from optimlib.nn.losses import logistic, softmax_cross_entropy, squared_error

PROPERTY = settings(derandomize=True, deadline=None, max_examples=25)
batches = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))


def batch(examples: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random logits and labels."""
    rng = np.random.default_rng(seed)
    return 2 * rng.standard_normal((examples, classes)), rng.integers(0, classes, examples)


@pytest.mark.parametrize("loss", [softmax_cross_entropy, logistic, squared_error])
def test_losses_and_gradients_are_those_of_pytorch(loss):
    torch = recorded_layer(loss.__name__)
    ours, gradient = loss(**torch.inputs, **torch.others)
    assert ours == pytest.approx(float(torch.y), rel=1e-12)
    (theirs,) = torch.gradients.values()
    np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-15)


# The softmax cross-entropy


def test_by_hand():
    # Rows of exponentials 1, 2, 1 and 3, 1, 4: p = 1/4, 1/2, 1/4 and 3/8, 1/8, 1/2.
    logits = np.log([[1.0, 2.0, 1.0], [3.0, 1.0, 4.0]])
    labels = np.array([1, 0])
    with unchanged(logits, labels):
        loss, gradient = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx((math.log(2) + math.log(8 / 3)) / 2, rel=1e-14)
    expected = [[1 / 8, -1 / 4, 1 / 8], [-5 / 16, 1 / 16, 1 / 4]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)
    assert type(loss) is float


def test_without_knowledge_the_loss_is_that_of_guessing():
    for classes in (1, 2, 10):
        loss, _ = softmax_cross_entropy(np.full((4, classes), 7.0), np.zeros(4, int))
        assert loss == pytest.approx(math.log(classes), rel=1e-14, abs=1e-15)


@PROPERTY
@given(batches)
def test_the_gradient_agrees_with_the_loss(arguments):
    logits, labels = batch(*arguments)
    assert_not_wrong(
        lambda z: softmax_cross_entropy(z, labels)[0],
        lambda z: softmax_cross_entropy(z, labels)[1],
        logits,
    )


@PROPERTY
@given(batches)
def test_the_gradient_agrees_with_the_complex_step_of_the_definition(arguments):
    logits, labels = batch(*arguments)
    _, gradient = softmax_cross_entropy(logits, labels)
    rows = np.arange(len(labels))
    for i, j in np.ndindex(logits.shape):

        def definition(z, i=i, j=j):
            moved = logits.astype(complex)
            moved[i, j] = z
            p = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
            return -np.log(p[rows, labels]).mean()

        assert gradient[i, j] == pytest.approx(complex_step(definition, logits[i, j]), abs=1e-14)


@PROPERTY
@given(batches, st.floats(-1e6, 1e6))
def test_a_shift_of_a_row_changes_nothing(arguments, shift):
    logits, labels = batch(*arguments)
    shifts = shift * np.arange(1, len(labels) + 1)[:, None]
    loss, gradient = softmax_cross_entropy(logits, labels)
    shifted_loss, shifted_gradient = softmax_cross_entropy(logits + shifts, labels)
    rounding = 1e-14 * (1 + np.abs(shifts).max())  # of the shifted logits
    assert shifted_loss == pytest.approx(loss, abs=rounding)
    np.testing.assert_allclose(shifted_gradient, gradient, atol=rounding, rtol=0)


@PROPERTY
@given(batches)
def test_rows_of_the_gradient_sum_to_zero_and_point_away_from_the_label(arguments):
    logits, labels = batch(*arguments)
    loss, gradient = softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)
    at_label = np.zeros_like(gradient, dtype=bool)
    at_label[np.arange(len(labels)), labels] = True
    assert (gradient[at_label] <= 0).all()
    assert (gradient[~at_label] > 0).all()
    assert loss >= 0


@PROPERTY
@given(batches)
def test_the_loss_is_the_mean_over_the_examples(arguments):
    logits, labels = batch(*arguments)
    loss, gradient = softmax_cross_entropy(logits, labels)
    alone = [softmax_cross_entropy(logits[i : i + 1], labels[i : i + 1]) for i in range(len(labels))]
    assert loss == pytest.approx(np.mean([one for one, _ in alone]), rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(gradient * len(labels), np.vstack([g for _, g in alone]), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_logits_may_be_huge(dtype, size):
    logits = np.array([[size, 0, -size], [-size, 0, size]], dtype=dtype)
    loss, gradient = softmax_cross_entropy(logits, np.array([0, 0]))
    assert loss == pytest.approx(size, rel=1e-6)  # 0 for the first row, 2 size for the second
    assert gradient.tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]
    assert gradient.dtype == dtype


def test_a_small_probability_keeps_its_digits():
    loss, gradient = softmax_cross_entropy(np.array([[0.0, -50.0]]), np.array([0]))
    assert gradient[0, 1] == pytest.approx(math.exp(-50), rel=1e-13)
    assert loss == pytest.approx(0, abs=1e-16)


def test_a_class_may_be_ruled_out():
    loss, gradient = softmax_cross_entropy(np.array([[0.0, -np.inf, 0.0]]), np.array([2]))
    assert loss == pytest.approx(math.log(2))
    assert gradient.tolist() == [[0.5, 0, -0.5]]


@pytest.mark.parametrize("labels", [[1, 0], np.array([1, 0], np.uint8), (1, 0)], ids=repr)
def test_labels_may_be_any_integers(labels):
    logits = np.array([[0.0, 3.0], [3.0, 0.0]])
    loss, _ = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(math.log(1 + math.exp(-3)))


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (np.array([0.0, 1.0]), "float64"),
        (np.array([True, False]), "bool"),
        (["0", "1"], "<U1"),
        ([0, None], "object"),
    ],
    ids=["float", "bool", "text", "object"],
)
def test_labels_that_are_no_integers_are_refused(labels, dtype):
    with pytest.raises(TypeError, match=f"labels have dtype {dtype}; expected integers"):
        softmax_cross_entropy(np.zeros((2, 2)), labels)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [((2, 3), (3,)), ((2, 3), (2, 1)), ((2, 3), (2, 3)), ((2, 3), ()), ((3,), (3,)), ((2, 2, 2), (2,))],
    ids=str,
)
def test_shapes_that_do_not_belong_together_are_refused(logits, labels):
    message = f"logits have shape {logits} and labels {labels}; expected (examples, classes) and (ex"
    with pytest.raises(ValueError, match=re.escape(message)):
        softmax_cross_entropy(np.zeros(logits), np.zeros(labels, int))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "labels lie in 0 .. 3; expected 0 .. 2"),
        ([-1, 1], "labels lie in -1 .. 1; expected 0 .. 2"),
    ],
)
def test_labels_that_name_no_class_are_refused(labels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        softmax_cross_entropy(np.zeros((2, 3)), np.array(labels))


def test_a_batch_without_examples_is_refused():
    with pytest.raises(ValueError, match="at least one of each"):
        softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int))


# The logistic loss


def test_logistic_by_hand():
    # p = 3/4 and 1/4: the surprise is log 4/3 for what was expected, log 4 for what was not.
    logits, labels = np.log([3.0, 3.0, 1 / 3, 1 / 3]), np.array([1, 0, 1, 0])
    with unchanged(logits, labels):
        loss, gradient = logistic(logits, labels)
    assert loss == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, rel=1e-14)
    np.testing.assert_allclose(gradient, [-1 / 16, 3 / 16, -3 / 16, 1 / 16], rtol=1e-14)
    assert type(loss) is float


two_classes = st.tuples(st.integers(1, 6), st.integers(0, 2**32 - 1))


def two_class_batch(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random logits and labels 0 or 1."""
    rng = np.random.default_rng(seed)
    return 3 * rng.standard_normal(examples), rng.integers(0, 2, examples)


@PROPERTY
@given(two_classes)
def test_logistic_is_the_softmax_cross_entropy_with_a_second_logit_of_0(arguments):
    logits, labels = two_class_batch(*arguments)
    loss, gradient = logistic(logits, labels)
    both = np.stack([np.zeros_like(logits), logits], axis=1)
    softmax_loss, softmax_gradient = softmax_cross_entropy(both, labels)
    assert loss == pytest.approx(softmax_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, softmax_gradient[:, 1], rtol=1e-10)


@PROPERTY
@given(two_classes)
def test_the_logistic_gradient_agrees_with_the_loss(arguments):
    logits, labels = two_class_batch(*arguments)
    assert_gradient(lambda z: logistic(z, labels)[0], lambda z: logistic(z, labels)[1], logits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_logistic_logits_may_be_huge(dtype, size):
    loss, gradient = logistic(np.array([size, size, -size, -size], dtype), np.array([1, 0, 0, 1]))
    assert loss == pytest.approx(size / 2, rel=1e-6)
    assert gradient.tolist() == [0, 0.25, 0, -0.25]
    assert gradient.dtype == dtype


@pytest.mark.parametrize(("logit", "label"), [(50.0, 1), (-50.0, 0)])
def test_a_small_logistic_loss_keeps_its_digits(logit, label):
    loss, gradient = logistic(np.array([logit]), np.array([label]))
    assert loss == pytest.approx(math.exp(-50), rel=1e-13)
    assert abs(gradient[0]) == pytest.approx(math.exp(-50), rel=1e-13)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_logistic_labels_may_be_any_numbers_that_are_0_or_1(dtype):
    loss, gradient = logistic(np.zeros(2), np.array([0, 1], dtype))
    assert loss == pytest.approx(math.log(2))
    assert gradient.tolist() == [0.25, -0.25]


@pytest.mark.parametrize("labels", [[0, 2], [-1, 1], [0.5, 1], [0, math.nan]], ids=str)
def test_logistic_labels_other_than_0_and_1_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels lie in .* \.\. .*; expected only 0 and 1"):
        logistic(np.zeros(2), np.array(labels))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [((3,), (3, 1)), ((3, 1), (3, 1)), ((3, 1), (3,)), ((3,), (1,)), ((), ()), ((0,), (0,))],
    ids=str,
)
def test_logistic_shapes_that_do_not_belong_together_are_refused(logits, labels):
    message = re.escape(f"logits have shape {logits} and labels {labels}; expected (examples,) twice")
    with pytest.raises(ValueError, match=message):
        logistic(np.zeros(logits), np.zeros(labels))


def test_logistic_refuses_what_is_no_number():
    with pytest.raises(TypeError, match="logits has dtype int64; expected floating point"):
        logistic(np.zeros(2, np.int64), np.zeros(2, np.int64))
    with pytest.raises(TypeError, match="labels have dtype <U1; expected numbers"):
        logistic(np.zeros(2), ["0", "1"])


# The squared error


def test_squared_error_by_hand():
    prediction, target = np.array([[3.0, 1.0], [0.0, -2.0]]), np.array([[1.0, 1.0], [1.0, 2.0]])
    with unchanged(prediction, target):
        loss, gradient = squared_error(prediction, target)
    assert loss == (4 + 0 + 1 + 16) / 2 / 2
    assert gradient.tolist() == [[1, 0], [-0.5, -2]]
    assert type(loss) is float
    assert squared_error(np.array([3.0, 5.0]), np.array([1, 5]))[0] == 1


@PROPERTY
@given(batches)
def test_the_gradient_of_the_squared_error_agrees_with_the_loss(arguments):
    examples, outputs, seed = arguments
    prediction, target = np.random.default_rng(seed).standard_normal((2, examples, outputs))
    assert_gradient(
        lambda p: squared_error(p, target)[0], lambda p: squared_error(p, target)[1], prediction
    )


def test_the_squared_error_keeps_the_dtype():
    one = np.ones((2, 3), np.float32)
    assert squared_error(one, 2 * one)[1].dtype == np.float32


@pytest.mark.parametrize(
    ("prediction", "target"),
    [((3, 1), (3,)), ((3,), (3, 1)), ((3, 2), (1, 2)), ((3, 2), ()), ((), ()), ((0, 2), (0, 2))],
    ids=str,
)
def test_squared_error_shapes_that_would_be_broadcast_are_refused(prediction, target):
    message = re.escape(f"prediction has shape {prediction} and target {target}; expected (examples, ")
    with pytest.raises(ValueError, match=message):
        squared_error(np.ones(prediction), np.ones(target))


def test_squared_error_refuses_predictions_that_are_whole_numbers():
    with pytest.raises(TypeError, match="prediction has dtype uint8; expected floating point"):
        squared_error(np.ones(3, np.uint8), np.ones(3))
