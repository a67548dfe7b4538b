"""A run that is interrupted anywhere and taken up again: the same bits as without."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import training_cases
from training_cases import At, Case, X, Y, parameters, value_and_grad

from optimlib import SGD, Adam, AdamW, Checkpoint, EarlyStopping, cosine, fit, load_parameters
from optimlib.optimizers.files import read_arrays, write_arrays
from optimlib.training.run import RUN_FORMAT, Run
from optimlib.trees import flatten


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


def started(file: Path, when: int) -> subprocess.Popen:
    command = [sys.executable, training_cases.__file__, str(file), str(when)]
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
def test_a_process_killed_from_outside_goes_on_to_the_same_bits(whole, tmp_path):
    file, rng, killed = tmp_path / "run.npz", np.random.default_rng(0), 0
    for _ in range(8):
        process = started(file, -1)
        time.sleep(rng.uniform(0.1, 0.6))
        killed += process.poll() is None
        process.kill()
        process.communicate()
    output, _ = started(file, -1).communicate()
    assert output.strip() == repr(whole.bits())
    assert killed


# What a run in a file goes on with


def short(file, epochs=2, optimizer=None, data=(X, Y), batch_size=5, rng=None, **options):
    optimizer = Adam(parameters(), 0.01) if optimizer is None else optimizer
    rng = np.random.default_rng(5) if rng is None else rng
    options = {"checkpoint": Checkpoint(file)} | options
    return fit(value_and_grad, optimizer, data, epochs=epochs, batch_size=batch_size, rng=rng, **options)


def test_a_finished_run_is_only_read_and_more_epochs_continue_it(tmp_path):
    file = tmp_path / "run.npz"
    first, second, whole = (Adam(parameters(), 0.01) for _ in range(3))
    three = short(file, 3, first)
    before = file.read_bytes()
    assert short(file, 3, second).steps == three.steps
    assert file.read_bytes() == before
    longer = short(file, 5, second)
    uninterrupted = short(tmp_path / "other.npz", 5, whole)
    assert longer.steps == uninterrupted.steps
    assert longer.step == 25
    for (_, a), (_, b) in zip(flatten(second.params), flatten(whole.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_early_stopping_goes_on_from_the_last_parameters_not_from_the_best(tmp_path):
    """And a run that was stopped goes on if there is more patience."""
    values = iter([3.0, 2.0, 5.0, 5.0, 1.0, 5.0])
    seen, file, optimizer = {}, tmp_path / "run.npz", SGD(parameters(), 0.1)

    def evaluate(params):
        value = next(values)
        seen[value] = params["w"][0].copy()
        return {"value": value}

    stopped = short(file, 6, optimizer, evaluate=evaluate, stopping=EarlyStopping("value", 2))
    assert stopped["value"] == [3, 2, 5, 5]
    np.testing.assert_array_equal(optimizer.params["w"][0], seen[2.0])
    optimizer = SGD(parameters(), 0.1)
    short(file, 6, optimizer, evaluate=evaluate, stopping=EarlyStopping("value", 2))
    np.testing.assert_array_equal(optimizer.params["w"][0], seen[2.0])
    longer = short(file, 6, optimizer, evaluate=evaluate, stopping=EarlyStopping("value", 3))
    assert longer["value"] == [3, 2, 5, 5, 1, 5]
    np.testing.assert_array_equal(optimizer.params["w"][0], seen[1.0])
    plain = short(tmp_path / "plain.npz", 6, SGD(parameters(), 0.1))
    assert longer.loss == plain.loss


def test_without_a_number_of_steps_every_epoch_is_saved(tmp_path):
    steps, file = [], tmp_path / "run.npz"

    def evaluate(params):
        if file.exists():
            steps.append(int(read_arrays(file)["t"]))

    short(file, 4, evaluate=evaluate)
    assert steps == [5, 10, 15]
    assert int(read_arrays(file)["t"]) == 20
    theta = parameters()
    load_parameters(file, theta)


def test_the_end_of_a_run_is_saved_whatever_the_number_of_steps(tmp_path):
    file = tmp_path / "run.npz"
    short(file, 3, checkpoint=Checkpoint(file, every=1000))
    assert int(read_arrays(file)["t"]) == 15
    values = iter([1.0, 2.0])
    stopped = {"evaluate": lambda params: {"a": next(values)}, "stopping": EarlyStopping("a", 1)}
    file = tmp_path / "stopped.npz"
    short(file, 9, checkpoint=Checkpoint(file, every=1000), **stopped)
    assert int(read_arrays(file)["t"]) == 10


def changed(params):
    params["w"] = [np.zeros(7)]
    return params


OTHERS = {
    "length": ({"data": (X[:20], Y[:20])}, r"its data\[0\] is 'float64, \(23, 4\)'; expected .*20"),
    "dtype": ({"data": (X.astype(np.float32), Y)}, r"its data\[0\] is .*; expected 'float32"),
    "arrays": ({"data": (X, Y, Y)}, r"its data\[2\] is None; expected 'float64, \(23,\)'"),
    "batch size": ({"batch_size": 6}, "its batch_size is 5; expected 6"),
    "generator": (
        {"rng": np.random.Generator(np.random.MT19937(5))},
        "its rng is 'PCG64'; expected 'MT19937'",
    ),
    "optimizer": ({"optimizer": SGD(parameters(), 0.01)}, "has optimizer 'Adam'; expected 'SGD'"),
    "shapes": ({"optimizer": Adam(changed(parameters()), 0.01)}, r"saved\[\"params\['w'\]\[0\]\"\]"),
    "setting": ({"optimizer": Adam(parameters(), 0.01, beta1=0.5)}, "the saved beta1 is 0.9; expected"),
    "rate": (
        {"optimizer": Adam(parameters(), 0.02)},
        r"its learning_rate was 0.01 at first; expected 0.02.*\(assign optimizer.learning_rate = 0.01",
    ),
    "schedule": ({"optimizer": Adam(parameters(), cosine(0.01, 9))}, "the saved learning_rate is the"),
    "stopping": ({"stopping": EarlyStopping("loss")}, r"its stopping is None; expected \('loss', 'min'"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_file_of_another_run_is_refused_and_nothing_has_changed(tmp_path, name):
    file = tmp_path / "run.npz"
    means = np.array([np.inf, np.nan, 1.0])
    checkpoint = Checkpoint(file, also={"means": means})
    short(file, checkpoint=checkpoint)
    given, message = OTHERS[name]
    given = {"optimizer": Adam(parameters(), 0.01), "rng": np.random.default_rng(5)} | given
    means[:] = [1, 2, 3]

    def state():
        seen = given["rng"].bit_generator.state, given["optimizer"].params, means.tolist()
        return file.read_bytes(), repr(seen)

    before = state()
    with pytest.raises(ValueError, match=r"run.npz' .*: ") as caught:
        short(file, checkpoint=checkpoint, **given)
    assert caught.match(message)
    assert state() == before
    assert given["optimizer"].t == 0


def test_a_rate_that_was_lowered_by_hand_is_no_other_run(tmp_path):
    def lower(step):
        optimizers[-1].learning_rate = 0.01 / step.number

    file, optimizers = tmp_path / "run.npz", [Adam(parameters(), 0.01)]
    short(file, 1, optimizers[-1], after_step=lower)
    short(file, 2, optimizers[-1], after_step=lower)
    optimizers.append(Adam(parameters(), 0.01))
    short(file, 3, optimizers[-1], after_step=lower)
    optimizers.append(Adam(parameters(), 0.01))
    short(tmp_path / "other.npz", 3, optimizers[-1], after_step=lower)
    for (_, a), (_, b) in zip(*(flatten(one.params) for one in optimizers[1:]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_saved_beside_may_be_infinite(tmp_path):
    means = np.array([np.inf, np.nan, 1.0])
    for _ in range(2):
        short(tmp_path / "run.npz", checkpoint=Checkpoint(tmp_path / "run.npz", also={"means": means}))
        assert repr(means) == repr(np.array([np.inf, np.nan, 1.0]))
        means = np.zeros(3)


def test_what_is_saved_beside_must_be_there_and_fit(tmp_path):
    file, mean = tmp_path / "run.npz", np.ones(3)
    short(file, checkpoint=Checkpoint(file, also={"mean": mean}))
    with pytest.raises(ValueError, match=r"was saved with also=\['mean'\]; expected \[\]"):
        short(file)
    rng, other = np.random.default_rng(9), np.zeros(4)
    before = rng.bit_generator.state
    short(tmp_path / "two.npz", checkpoint=Checkpoint(tmp_path / "two.npz", also={"a": rng, "b": mean}))
    rng.random()
    before = rng.bit_generator.state
    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(4,\)"):
        short(
            tmp_path / "two.npz",
            checkpoint=Checkpoint(tmp_path / "two.npz", also={"a": rng, "b": other}),
        )
    assert rng.bit_generator.state == before
    assert not other.any()


@pytest.mark.parametrize("part", [slice(0), slice(0, -100), slice(0, 1000), slice(1, None)])
def test_a_damaged_file_is_refused_and_not_overwritten(tmp_path, part):
    file = tmp_path / "run.npz"
    short(file)
    file.write_bytes(damaged := file.read_bytes()[part])
    optimizer = Adam(parameters(), 0.01)
    with pytest.raises(ValueError, match=r"run.npz' is damaged or not a file of arrays"):
        short(file, optimizer=optimizer)
    assert file.read_bytes() == damaged
    assert optimizer.t == 0


def test_files_of_something_else_are_refused(tmp_path):
    file = tmp_path / "run.npz"
    write_arrays(file, {"W": np.ones(3)})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"run.npz' holds no run of fit"):
            short(file)
        Adam(parameters(), 0.01).save(file, extra={"epoch": 3})
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError, match=r"run\.npz"):
        short(file)


def test_a_folder_that_is_missing_is_noticed_before_the_first_step(tmp_path):
    optimizer = Adam(parameters(), 0.01)
    with pytest.raises(FileNotFoundError, match=r"none.run.npz', in no folder"):
        short(tmp_path / "none" / "run.npz", optimizer=optimizer)
    assert optimizer.t == 0


def test_what_a_run_saves_is_what_its_format_says():
    """Whoever changes this raises RUN_FORMAT, so that files of before are refused with a reason."""
    case = Case()
    run = Run(case.optimizer, (X, Y), 5, case.rng, EarlyStopping("loss"))
    saved = run.state_dict()
    assert RUN_FORMAT == 1
    assert list(saved) == ["fixed", "first_rate", "rng", "order", "history", "best"]
    assert list(saved["history"]) == ["steps", "epochs", "gradient_checks"]
    fixed = {"format": 1, "data[0]": "float64, (23, 4)", "data[1]": "float64, (23,)", "batch_size": 5}
    assert saved["fixed"] == fixed | {"stopping": ("loss", "min"), "rng": "PCG64"}


def test_nothing_is_pickled(tmp_path, whole):
    case = Case()
    case.fit(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as saved:
        assert {array.dtype.kind for array in saved.values()} <= set("fiuUb")


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_kind_of_generator_goes_on(tmp_path, kind):
    def run(file, *epochs):
        optimizer = AdamW(parameters(), 0.01)
        for number in epochs:
            rng = np.random.Generator(kind(6))
            history = short(file, number, optimizer, rng=rng)
        return history.loss, rng.bit_generator.random_raw(3).tolist()

    assert run(tmp_path / "a.npz", 1, 2, 4) == run(tmp_path / "b.npz", 4)
