"""A run that is interrupted anywhere and taken up again: the same bits as without."""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import training_cases
from training_cases import At, Case

from optimlib import Checkpoint, EarlyStopping
from optimlib.optimizers.files import read_arrays


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole():
    case = Case()
    case.fit()
    return case


def test_the_case_has_all_that_can_differ(whole):
    assert whole.history.step == 30
    assert whole.plateau.learning_rate < 0.05
    assert whole.history.epoch == 6
    best = EarlyStopping("validation loss").best(whole.history["validation loss"])
    assert 0 < best < 5


def events(tmp_path, monkeypatch) -> int:
    at = At(-1, interrupt)
    with monkeypatch.context() as patched:
        at.watch(patched.setattr)
        Case(at).fit(tmp_path / "counted.npz")
    return at.count


def test_checkpoints_change_nothing(whole, tmp_path):
    case = Case()
    case.fit(tmp_path / "run.npz")
    assert case.bits() == whole.bits()
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("anew", [True, False])
def test_a_run_interrupted_anywhere_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch, seed, anew):
    """With new objects, as in another process, or with those that the interruption left behind."""
    file, rng = tmp_path / "run.npz", np.random.default_rng(seed)
    number = events(tmp_path, monkeypatch)
    case = Case()
    for when in rng.integers(1, number // 3, 3):
        at = At(int(when), interrupt)
        case.event = at
        with monkeypatch.context() as patched:
            at.watch(patched.setattr)
            with pytest.raises(KeyboardInterrupt) as caught:
                case.fit(file)
        (note,) = caught.value.__notes__
        assert ("run.npz', after step" in note) == file.exists()
        if anew or not file.exists():
            case = Case()
    case.event = lambda: None
    case.fit(file)
    assert case.bits() == whole.bits()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("step", range(1, 30, 4))
def test_every_checkpoint_leads_to_the_same_bits(whole, tmp_path, step):
    """Of a run that is saved after every step, the one after this step."""
    file, calls = tmp_path / "run.npz", []

    def stop_after(loss):
        def counted(*given):
            calls.append(given)
            return loss(*given) if len(calls) <= step else interrupt()

        return counted

    case = Case()
    case.loss = stop_after(case.loss)
    also = {"average": case.average, "noise": case.noise, "means": case.means}
    with pytest.raises(KeyboardInterrupt):
        case.fit(checkpoint=Checkpoint(file, every=1, also=also))
    again = Case()
    also = {"average": again.average, "noise": again.noise, "means": again.means}
    again.fit(checkpoint=Checkpoint(file, every=1, also=also))
    assert again.bits() == whole.bits()


def started(file: Path, when: int, pause: float = 0.0) -> subprocess.Popen:
    command = [sys.executable, training_cases.__file__, str(file), str(when), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process there has no SIGKILL to send itself")
@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_at_random_moments_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch, seed):
    file, rng = tmp_path / "run.npz", np.random.default_rng(seed)
    number = events(tmp_path, monkeypatch)
    for when in rng.integers(1, number // 3, 6):
        process = started(file, int(when))
        process.communicate()
        assert process.returncode == -9
        if file.exists():
            read_arrays(file)
    output, _ = started(file, -1).communicate()
    assert output.strip() == repr(whole.bits())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process that is killed there returns 1")
def test_a_process_killed_from_outside_goes_on_to_the_same_bits(whole, tmp_path):
    """Each time once it has saved something, and before it is through: it pauses at every event."""
    file, rng, steps = tmp_path / "run.npz", np.random.default_rng(0), [0]
    for _ in range(3):
        before = file.stat().st_mtime_ns if file.exists() else None
        process = started(file, -1, pause=0.02)
        while process.poll() is None and (not file.exists() or file.stat().st_mtime_ns == before):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        assert process.returncode == -9
        steps.append(int(read_arrays(file)["t"]))
    assert all(a < b < 30 for a, b in itertools.pairwise(steps))
    output, _ = started(file, -1).communicate()
    assert output.strip() == repr(whole.bits())
