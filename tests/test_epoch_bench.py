"""The bench of epochs: its network is right, all contenders train the one that it names, it runs."""

import json
import subprocess
import sys

import epoch
import numpy as np
import pytest
from notebook_rules import ROOT

from optimlib import assert_value_and_grad
from optimlib.lab.datasets import digits


def test_the_gradient_is_right():
    rng = np.random.default_rng(0)
    params = {
        "W1": rng.standard_normal((64, 5)),
        "b1": rng.standard_normal(5),
        "W2": rng.standard_normal((5, 10)),
        "b2": rng.standard_normal(10),
    }
    data = epoch.divided(0, "float64")
    assert_value_and_grad(lambda p: epoch.value_and_grad(p, data.x[:8], data.y[:8]), params)


def test_no_training_image_is_a_test_image():
    data, other = epoch.divided(0, "float32"), epoch.divided(1, "float32")
    assert (data.x.shape, data.x_test.shape) == ((1000, 64), (500, 64))
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x_test, other.x_test)
    assert not np.array_equal(data.x, other.x)
    images, _ = digits()
    pictures = {row.tobytes() for row in images.astype(np.float32)}
    assert len(pictures) == len(images)  # so equal rows would be one image
    assert not {row.tobytes() for row in data.x} & {row.tobytes() for row in data.x_test}


CASE = epoch.Case(7, "float64", 3, 1)
SHAPES = [(64, 7), (7,), (7, 10), (10,)]


def assert_every_epoch_has_all_labels_in_a_new_order(batches, labels):
    """Batches of 50 labels, in the order in which they were trained on."""
    assert [len(batch) for batch in batches] == CASE.epochs * 20 * [50]
    epochs = np.concatenate(batches).reshape(CASE.epochs, len(labels))
    for one in epochs:
        np.testing.assert_array_equal(np.bincount(one), np.bincount(labels))
        assert not np.array_equal(one, labels)
    assert not np.array_equal(epochs[0], epochs[1])


def test_ours_trains_the_network_of_the_case(monkeypatch):
    seen, batches, inner = {}, [], epoch.value_and_grad

    def spied(params, x, y):
        batches.append(y)
        return inner(params, x, y)

    def fitted(function, optimizer, data, **settings):
        seen["history"] = original(function, optimizer, data, **settings)
        seen["optimizer"] = optimizer

    original = epoch.fit
    monkeypatch.setattr(epoch, "value_and_grad", spied)
    monkeypatch.setattr(epoch, "fit", fitted)
    data = epoch.divided(0, CASE.dtype)
    epoch.CONTENDERS["optimlib"](data, CASE, 0)
    optimizer = seen["optimizer"]
    assert type(optimizer) is epoch.Adam
    assert optimizer.learning_rate == 0.01
    assert [array.shape for array in optimizer.params.values()] == SHAPES
    assert {array.dtype for array in optimizer.params.values()} == {np.dtype(CASE.dtype)}
    assert seen["history"].step == CASE.epochs * 20
    assert_every_epoch_has_all_labels_in_a_new_order(batches, data.y)


def test_scikit_learn_trains_the_network_of_the_case(monkeypatch):
    network_of = pytest.importorskip("sklearn.neural_network")
    seen, fit = [], network_of.MLPClassifier.fit
    monkeypatch.setattr(
        network_of.MLPClassifier, "fit", lambda self, x, y: seen.append((x, y)) or fit(self, x, y)
    )
    data = epoch.divided(0, CASE.dtype)
    network = epoch.CONTENDERS["scikit-learn"](data, CASE, 0).__self__
    ((x, y),) = seen
    assert x is data.x
    assert y is data.y
    assert [array.shape for array in (*network.coefs_, *network.intercepts_)] == [
        SHAPES[k] for k in (0, 2, 1, 3)
    ]
    assert network.n_iter_ == CASE.epochs
    assert network._optimizer.t == CASE.epochs * 20
    asked = network.get_params()
    wanted = {"solver": "adam", "alpha": 0, "batch_size": 50, "learning_rate_init": 0.01}
    wanted |= {"activation": "relu", "shuffle": True, "early_stopping": False}
    wanted |= {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "random_state": 0}
    assert {name: asked[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "fused", "loaders"),
    [("torch", False, 0), ("torch, fused", True, 0), ("torch, DataLoader", False, 1)],
)
def test_pytorch_trains_the_network_of_the_case(monkeypatch, name, fused, loaders):
    torch = pytest.importorskip("torch")
    made, steps, batches, loaded = [], [], [], []

    class Adam(torch.optim.Adam):
        def __init__(self, params, **settings):
            super().__init__(params, **settings)
            made.append(self)

        def step(self):
            steps.append(self)
            super().step()

    class CrossEntropyLoss(torch.nn.CrossEntropyLoss):
        def forward(self, logits, y):
            batches.append(y.numpy())
            return super().forward(logits, y)

    class DataLoader(torch.utils.data.DataLoader):
        def __iter__(self):
            loaded.append(self)
            return super().__iter__()

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    monkeypatch.setattr(torch.nn, "CrossEntropyLoss", CrossEntropyLoss)
    monkeypatch.setattr(torch.utils.data, "DataLoader", DataLoader)
    data = epoch.divided(0, CASE.dtype)
    epoch.CONTENDERS[name](data, CASE, 0)
    (optimizer,) = made
    (group,) = optimizer.param_groups
    assert [tuple(p.shape) for p in group["params"]] == [(7, 64), (7,), (10, 7), (10,)]
    assert {p.dtype for p in group["params"]} == {torch.float64}
    settings = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "fused": fused}
    assert {key: group[key] for key in settings} == settings
    assert len(steps) == CASE.epochs * 20
    assert len(loaded) == loaders * CASE.epochs
    assert_every_epoch_has_all_labels_in_a_new_order(batches, data.y)


@pytest.mark.parametrize("name", epoch.CONTENDERS)
def test_a_contender_learns_to_read(name):
    if name != "optimlib":
        pytest.importorskip({"scikit-learn": "sklearn"}.get(name, "torch"))
    data = epoch.divided(0, "float64")
    read = epoch.CONTENDERS[name](data, epoch.Case(32, "float64", 5, 1), 0)
    assert np.mean(read(data.x_test) == data.y_test) > 0.9


def test_differences_are_paired():
    rows = epoch.compared({"optimlib": [90.0, 94.0], "other": [89.0, 91.0]})
    assert rows["other"]["optimlib - it"] == 2.0
    assert rows["other"]["standard error"] == pytest.approx(1.0)  # of 1 and 3
    assert rows["optimlib"]["spread"] == pytest.approx(8**0.5)
    assert rows["optimlib"]["standard error"] == 0


def test_ratios_are_ours_over_theirs(monkeypatch):
    found = {"optimlib": [40.0, 80.0], "other": [80.0, 80.0]}
    monkeypatch.setattr(epoch, "installed", lambda: dict.fromkeys(found, lambda *given: None))
    monkeypatch.setattr(epoch, "measure", lambda steps, rounds: found)
    rows = epoch.times(epoch.Case(2, "float64", 2, 2), 2)
    assert rows["other"] == {  # of 1/2 and 1
        "ms an epoch": 0.04,
        "optimlib / it": 0.75,
        "quartiles": [0.625, 0.875],
    }


def test_accuracy_is_that_on_the_test_images(monkeypatch):
    def knows_the_test_images_alone(data, case, seed):
        known = {row.tobytes(): label for row, label in zip(data.x_test, data.y_test, strict=True)}
        return lambda images: np.array([known.get(row.tobytes(), -1) for row in images])

    monkeypatch.setattr(epoch, "installed", lambda: {"optimlib": knows_the_test_images_alone})
    assert epoch.accuracies(2) == {"optimlib": [100.0, 100.0]}


@pytest.mark.parametrize(("threads", "set_to"), [("1", {"1"}), ("default", set())])
def test_threads_are_set_before_a_part_begins(monkeypatch, threads, set_to):
    def seen(command, env, **_):
        assert command[command.index("--part") + 1] == threads
        values = {value for name, value in env.items() if name.endswith("_NUM_THREADS")}
        return subprocess.CompletedProcess(command, 0, json.dumps(sorted(values)))

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in ("OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA", "NUMEXPR"):
        monkeypatch.delenv(f"{name}_NUM_THREADS", raising=False)
    monkeypatch.setattr(epoch.subprocess, "run", seen)
    assert set(epoch.in_a_process(threads, quick=True)) == set_to


def test_both_numbers_of_threads_train_for_as_many_epochs(monkeypatch):
    seen = {}
    monkeypatch.setattr(epoch, "accuracies", lambda seeds: {})
    for threads in ("1", "default"):
        monkeypatch.setattr(
            epoch,
            "times",
            lambda case, rounds, key=threads: seen.setdefault(key, []).append(case.epochs),
        )
        epoch.part(threads, quick=True)
    assert seen["1"] == seen["default"] == [case.epochs for case in epoch.CASES.values()]


def test_the_recorded_file_has_what_the_chapter_reads():
    recorded = json.loads((ROOT / "benchmarks" / "recorded" / "epoch.json").read_text())
    settings = {"rate": epoch.RATE, "batch": epoch.BATCH, "epochs": epoch.EPOCHS, "seeds": epoch.SEEDS}
    assert recorded["settings"] == settings
    for threads in ("1", "default"):
        for case in epoch.CASES:
            rows = recorded["threads"][threads][case]
            assert list(rows) == list(epoch.CONTENDERS)
            assert all(
                {"ms an epoch", "optimlib / it", "quartiles"} == set(row) for row in rows.values()
            )
    assert list(recorded["threads"]["1"]["accuracy"]) == list(epoch.LEARNERS)


@pytest.mark.slow
def test_the_script_runs():
    command = [sys.executable, "benchmarks/epoch.py", "--quick"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("optimlib  ") >= 2 * len(epoch.CASES)
    assert "written" not in answer.stdout
