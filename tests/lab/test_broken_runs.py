"""The zoo of broken runs: each fault breaks the part that it names, and no other."""

import dataclasses

import numpy as np
import pytest

from optimlib import check_gradient
from optimlib.lab.broken_runs import (
    FAULTS,
    Program,
    broken,
    half_precision,
    softmax_twice,
    transposed,
    unmasked,
)
from optimlib.lab.datasets import digits
from optimlib.nn import softmax_cross_entropy

HEALTHY = Program()
PARTS = {
    "dead units": {"bias"},
    "equal weights": {"weights"},
    "too deep": {"widths", "activation"},
    "rate too low": {"rate"},
    "labels misaligned": {"labels"},
    "weights too large": {"weights"},
    "inputs unscaled": {"inputs", "judged"},
    "corrupt image": {"inputs"},
    "rate too high": {"rate"},
    "half precision": {"loss"},
    "schedule over": {"schedule"},
    "decay too strong": {"decay"},
    "softmax twice": {"loss"},
    "velocity lost": {"momentum"},
    "frozen layer": {"frozen"},
    "wrong gradient": {"activation"},
    "validation transposed": {"judged"},
    "too few images": {"examples"},
    "leak": {"leaked"},
}
WITHOUT_SEVERITY = {
    "labels misaligned",
    "half precision",
    "softmax twice",
    "velocity lost",
    "frozen layer",
    "wrong gradient",
    "validation transposed",
}


def data_of(program, seed=0):
    images, labels = digits()
    return program.data(images, labels, np.random.default_rng(seed))


def specimen(fault, seed=0, strength=1.0):
    return broken(fault, np.random.default_rng(seed), strength)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_the_part_that_it_names_and_no_other(fault):
    program = specimen(fault)
    changed = {
        field.name
        for field in dataclasses.fields(Program)
        if getattr(program, field.name) != getattr(HEALTHY, field.name)
    }
    assert changed == PARTS[fault]


@pytest.mark.parametrize("fault", [*FAULTS, "healthy"])
def test_a_gradient_check_finds_the_wrong_gradient_alone(fault):
    program = HEALTHY if fault == "healthy" else specimen(fault)
    data = data_of(program)
    params = program.new_parameters(np.random.default_rng(1))
    x, y = data.x[:8], data.y[:8]
    report = check_gradient(
        lambda params: program.value_and_grad(params, x, y)[0],
        lambda params: program.value_and_grad(params, x, y)[1],
        params,
    )
    expected = {"wrong gradient": "fail", "half precision": "inconclusive"}
    assert report.verdict == expected.get(fault, "pass")


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - WITHOUT_SEVERITY))
def test_a_severity_lies_in_the_range_and_a_half_is_its_root(fault, monkeypatch):
    low, high, _ = FAULTS[fault]
    assert 1 <= low < high
    severities = []
    monkeypatch.setitem(
        FAULTS, fault, (low, high, lambda severity, rng: severities.append(severity) or {})
    )
    specimen(fault, 3)
    specimen(fault, 3, 0.5)
    assert low <= severities[0] <= high
    assert severities[1] ** 2 == pytest.approx(severities[0])


def test_unknown_faults_and_strengths_are_refused():
    with pytest.raises(ValueError, match="fault is 'gremlins'; expected one of"):
        specimen("gremlins")
    with pytest.raises(ValueError, match=r"strength is 0; expected a number in \(0, 1\]"):
        specimen("leak", strength=0)


# The data


def test_healthy_data_are_pairs_of_the_collection_and_the_two_parts_are_apart():
    images, labels = digits()
    known = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
    data = data_of(HEALTHY)
    train = {(image.tobytes(), label) for image, label in zip(data.x, data.y, strict=True)}
    held = {(image.tobytes(), label) for image, label in zip(data.x_val, data.y_val, strict=True)}
    assert (len(train), len(held)) == (1000, 250)
    assert train <= known
    assert held <= known
    assert not train & held


def test_a_leak_puts_validation_images_among_the_training_images():
    program = dataclasses.replace(HEALTHY, leaked=0.6)
    data = data_of(program)
    train = {image.tobytes() for image in data.x}
    assert sum(image.tobytes() in train for image in data.x_val) == 150
    assert len(data.x) == 1000


def test_slipped_labels_are_the_same_labels_at_other_images():
    slipped, healthy = data_of(specimen("labels misaligned")), data_of(HEALTHY)
    assert np.array_equal(slipped.x, healthy.x)
    assert np.array_equal(np.sort(slipped.y), np.sort(healthy.y))
    assert np.mean(slipped.y == healthy.y) < 0.2


def test_one_image_is_corrupt():
    corrupt, healthy = data_of(specimen("corrupt image")), data_of(HEALTHY)
    assert np.sum(np.any(corrupt.x != healthy.x, axis=1)) == 1
    assert corrupt.x.max() > 1000
    assert np.array_equal(corrupt.x_val, healthy.x_val)


def test_a_transposed_image_is_mirrored_at_its_diagonal():
    image = np.arange(128.0).reshape(2, 64)
    mirrored = transposed(image)
    for row in range(8):
        for column in range(8):
            assert np.array_equal(mirrored[:, 8 * row + column], image[:, 8 * column + row])


# The losses and the network


def test_a_doubled_softmax_by_hand():
    logits = np.log(np.array([[0.7, 0.2, 0.1]]))
    loss, gradient = softmax_twice(logits, np.array([0]))
    assert loss == pytest.approx(-0.7 + np.log(np.exp(0.7) + np.exp(0.2) + np.exp(0.1)))
    assert gradient.sum() == pytest.approx(0)  # a shift of all logits changes nothing


def test_half_precision_is_near_the_loss_until_an_exponential_overflows():
    logits, labels = np.array([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]]), np.array([0, 2])
    loss, gradient = half_precision(logits, labels)
    exact, exact_gradient = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(exact, abs=2e-3)
    assert loss != exact
    np.testing.assert_allclose(gradient, exact_gradient, atol=1e-3)
    with np.errstate(all="ignore"):
        assert np.isfinite(half_precision(np.array([[11.0, 0.0]]), np.array([0]))[0])
        assert np.isnan(half_precision(np.array([[11.2, 0.0]]), np.array([0]))[0])


def test_the_unmasked_backward_pass_lets_everything_through():
    dy = np.array([[1.0, -2.0]])
    assert np.array_equal(unmasked(dy, np.array([[0.0, 3.0]])), dy)


def test_units_that_start_alike_stay_alike():
    program, params = specimen("equal weights"), None
    data = data_of(program)
    params = program.new_parameters(np.random.default_rng(0))
    optimizer = dataclasses.replace(program, rate=1e-3).optimizer(params, 20)
    before = params[0]["W"].copy()
    for _ in range(20):
        optimizer.step(program.value_and_grad(params, data.x[:50], data.y[:50])[1])
    assert np.abs(params[0]["W"] - before).max() > 1e-6
    assert np.ptp(params[0]["W"], axis=1).max() < 1e-12


def test_a_frozen_layer_stands_still_and_the_schedule_ends():
    frozen, data = specimen("frozen layer"), data_of(HEALTHY)
    (number,) = frozen.frozen
    params = frozen.new_parameters(np.random.default_rng(0))
    before = [layer["W"].copy() for layer in params]
    frozen.optimizer(params, 10).step(frozen.value_and_grad(params, data.x, data.y)[1])
    still = [np.array_equal(layer["W"], old) for layer, old in zip(params, before, strict=True)]
    assert still == [k == number for k in range(3)]
    optimizer = specimen("schedule over").optimizer(params, 100)
    rates = []
    for _ in range(30):
        optimizer.step(frozen.value_and_grad(params, data.x[:9], data.y[:9])[1])
        rates.append(optimizer.learning_rate)
    assert rates[0] > 0
    assert rates[-1] == 0
