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


@pytest.mark.parametrize(
    ("name", "library"), [("optimlib", "numpy"), ("scikit-learn", "sklearn"), ("torch", "torch")]
)
def test_a_contender_learns_to_read(name, library):
    pytest.importorskip(library)
    data = epoch.divided(0, "float64")
    read = epoch.CONTENDERS[name](data, epoch.Case(32, "float64", 5, 1), 0)
    assert np.mean(read(data.x_test) == data.y_test) > 0.85


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
    assert rows["other"] == {"ms an epoch": 0.04, "optimlib / it": 0.75}  # the median of 1/2 and 1


def test_the_recorded_file_has_what_the_chapter_reads():
    recorded = json.loads((ROOT / "benchmarks" / "recorded" / "epoch.json").read_text())
    settings = {"rate": epoch.RATE, "batch": epoch.BATCH, "epochs": epoch.EPOCHS, "seeds": epoch.SEEDS}
    assert recorded["settings"] == settings
    for threads in ("1", "default"):
        for case in epoch.CASES:
            assert list(recorded["threads"][threads][case]) == list(epoch.CONTENDERS)
    assert list(recorded["threads"]["1"]["accuracy"]) == list(epoch.LEARNERS)


@pytest.mark.slow
def test_the_script_runs():
    command = [sys.executable, "benchmarks/epoch.py", "--quick"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("optimlib  ") >= 2 * len(epoch.CASES)
    assert "written" not in answer.stdout
