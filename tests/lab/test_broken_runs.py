"""The zoo of broken runs: a fault breaks the part that it names, as much as it says, and no other."""

import copy
import dataclasses
import pickle

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
    "deep sigmoids": {"widths", "activation"},
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
    "equal weights",
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


@pytest.mark.parametrize("fault", sorted(WITHOUT_SEVERITY))
def test_a_fault_without_a_severity_is_as_strong_when_it_is_milder(fault):
    assert FAULTS[fault][:2] == (1, 1)


def test_the_logarithm_of_a_severity_is_uniform(monkeypatch):
    severities = []
    monkeypatch.setitem(FAULTS, "leak", (1, 10_000, lambda s, rng: severities.append(s) or {}))
    for seed in range(400):
        specimen("leak", seed)
    shares = [np.mean(np.array(severities) < bound) for bound in (10, 100, 1000)]
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=0.07)


def at(fault, severity):
    """The healthy program with a fault of a known severity."""
    changes = FAULTS[fault][2](severity, np.random.default_rng(7))
    return dataclasses.replace(HEALTHY, **changes)


def test_a_severity_of_ten_by_hand():
    assert at("dead units", 10).bias == -10
    assert at("deep sigmoids", 10).widths == (64, *10 * (32,), 10)
    assert at("rate too low", 10).rate == pytest.approx(0.005)
    assert at("rate too high", 10).rate == pytest.approx(0.5)
    assert at("decay too strong", 10).decay == pytest.approx(0.03)
    assert at("too few images", 10).examples == 100
    assert at("leak", 60).leaked == pytest.approx(0.6)
    assert at("velocity lost", 1).momentum == 0
    schedule = at("schedule over", 10).schedule
    assert [schedule(share) for share in (0, 0.05, 0.1, 0.5)] == [1, 0.5, 0, 0]
    assert {specimen("frozen layer", seed).frozen for seed in range(20)} == {(0,), (1,)}
    pixels = np.ones((1000, 64))
    unscaled, corrupt = at("inputs unscaled", 10), at("corrupt image", 10)
    assert np.array_equal(unscaled.inputs(pixels), 10 * pixels)
    assert np.array_equal(unscaled.judged(pixels), 10 * pixels)
    assert corrupt.inputs(pixels).sum() == 64_000 + 9 * 64


@pytest.mark.parametrize("fault", ["weights too large", "equal weights"])
def test_the_first_weights_of_a_fault(fault):
    healthy = HEALTHY.new_parameters(np.random.default_rng(3))
    params = at(fault, 10).new_parameters(np.random.default_rng(3))
    for layer, good in zip(params, healthy, strict=True):
        if fault == "weights too large":
            np.testing.assert_allclose(layer["W"], 10 * good["W"])
        else:
            assert np.ptp(layer["W"]) == 0
            assert 0.05 <= layer["W"][0, 0] <= 0.2


def test_a_bias_is_that_of_hidden_layers_alone():
    params = at("dead units", 10).new_parameters(np.random.default_rng(0))
    assert [layer["b"].tolist() for layer in params] == [32 * [-10], 32 * [-10], 10 * [0]]


@pytest.mark.parametrize(
    "fault",
    ["rate too low", "rate too high", "weights too large", "inputs unscaled", "corrupt image"],
)
def test_a_factor_of_one_changes_nothing(fault):
    program, (data, good) = at(fault, 1), (data_of(at(fault, 1)), data_of(HEALTHY))
    assert program.rate == HEALTHY.rate
    assert all(np.array_equal(a, b) for a, b in zip(data, good, strict=True))
    params = program.new_parameters(np.random.default_rng(0))
    assert np.array_equal(params[0]["W"], HEALTHY.new_parameters(np.random.default_rng(0))[0]["W"])


@pytest.mark.parametrize("seed", range(5))
def test_a_milder_leak_leaks_less(seed):
    leaked = [specimen("leak", seed, strength).leaked for strength in (1, 0.75, 0.5)]
    assert leaked[0] > leaked[1] > leaked[2]
    assert leaked[0] >= 0.5
    assert leaked[2] <= 0.1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_is_copied_and_pickled(fault):
    program = specimen(fault)
    images = np.random.default_rng(0).random((1250, 64))
    labels = np.arange(1250) % 10
    for twin in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        for theirs, ours in zip(
            twin.data(images, labels, np.random.default_rng(0)),
            program.data(images, labels, np.random.default_rng(0)),
            strict=True,
        ):
            assert np.array_equal(theirs, ours)
        theirs, ours = (p.new_parameters(np.random.default_rng(1)) for p in (twin, program))
        assert np.array_equal(theirs[0]["W"], ours[0]["W"])
        assert twin.schedule(0.04) == program.schedule(0.04)


def test_unknown_faults_and_strengths_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fault is 'gremlins'; expected one of"):
        broken("gremlins", rng)
    with pytest.raises(TypeError, match="fault is a list; expected a string, one of"):
        broken(["leak"], rng)
    with pytest.raises(ValueError, match=r"strength is 0; expected a number in \(0, 1\]"):
        broken("leak", rng, 0)
    with pytest.raises(TypeError, match="strength is None of type NoneType; expected a number"):
        broken("leak", rng, None)
    with pytest.raises(TypeError, match=r"rng is 0; expected a numpy\.random\.Generator"):
        broken("leak", 0)


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


def test_too_few_images_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="images has 1249 rows; expected at least 1250"):
        HEALTHY.data(np.zeros((1249, 64)), np.zeros(1249, int), rng)
    with pytest.raises(ValueError, match="labels has 7 entries; expected 1250, one an image"):
        HEALTHY.data(np.zeros((1250, 64)), np.zeros(7, int), rng)


def test_a_part_of_the_images_is_drawn_from_all_and_leaks_with_the_rest():
    """The copies come first before they are mixed: few images must hold their share of them."""
    few = dataclasses.replace(HEALTHY, examples=400, leaked=1.0)
    data = data_of(few)
    held = {image.tobytes() for image in data.x_val}
    copies = sum(image.tobytes() in held for image in data.x)
    assert len(data.x) == len(data.y) == 400
    assert 70 < copies < 130  # a quarter of 400


def test_validation_images_are_prepared_as_the_program_says_and_training_images_are_not():
    program, healthy = data_of(specimen("validation transposed")), data_of(HEALTHY)
    assert np.array_equal(program.x, healthy.x)
    assert np.array_equal(program.x_val, transposed(healthy.x_val))
    assert np.array_equal(program.y_val, healthy.y_val)


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
    images = np.ones((1000, 64))
    specimen("corrupt image").inputs(images)
    assert np.all(images == 1)  # those of the caller are as they were


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
    shift = 1e-6 * np.eye(3)[:, None, :]
    slopes = [
        (softmax_twice(logits + d, np.array([0]))[0] - softmax_twice(logits - d, np.array([0]))[0])
        / 2e-6
        for d in shift
    ]
    np.testing.assert_allclose(gradient[0], slopes, atol=1e-8)


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


def test_the_optimizer_by_hand():
    """Two steps with gradients 1 and 1 from 2: with decay d, each gradient is 1 + d theta."""
    for program, expected in (
        (HEALTHY, 2 - 0.05 - 0.05 * 1.9),
        (at("velocity lost", 1), 2 - 0.05 - 0.05),
        (at("decay too strong", 10), 2 - 0.05 * 1.06 - 0.05 * (0.9 * 1.06 + 1 + 0.03 * (2 - 0.053))),
        (at("schedule over", 10), 2 - 0.05 - 0.05 * 0.5 * 1.9),
    ):
        params = [{"W": np.full((1, 1), 2.0), "b": np.full(1, 2.0)}]
        optimizer = program.optimizer(params, 20)
        for _ in range(2):
            optimizer.step([{"W": np.ones((1, 1)), "b": np.ones(1)}])
        assert [params[0]["W"][0, 0], params[0]["b"][0]] == pytest.approx([expected, expected])
