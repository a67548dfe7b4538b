"""The file of a run: what goes on from it, what is saved in it, and which files are refused."""

import os
import sys

import numpy as np
import pytest
from training_cases import Case, Stateful, X, Y, alike, parameters, value_and_grad

from optimlib import (
    SGD,
    Adam,
    AdamW,
    Checkpoint,
    DivergedError,
    EarlyStopping,
    cosine,
    fit,
    load_parameters,
)
from optimlib.optimizers.files import read_arrays, write_arrays
from optimlib.training.run import RUN_FORMAT, Run
from optimlib.trees import flatten


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
        r"its learning_rate was 0.01 at first; expected 0.02, .*: optimizer.load\('.*run.npz'\), assign",
    ),
    "order": ({"data": (X[::-1], Y)}, r"its data\[0\] has other values; expected those of data\[0\]"),
    "labels": ({"data": (X, np.append(Y[:22], 0))}, r"its data\[1\] has other values; expected"),
    "last batch": ({"drop_last": True}, "its drop_last is False; expected True"),
    "evaluate": ({"evaluate": lambda params: None}, "its evaluate is None; expected 'a function'"),
    "after_step": ({"after_step": lambda step: None}, "its after_step is None; expected 'a function'"),
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
    message = r"two.npz' does not fit what is in also: saved\[\"also\['b'\]\"\] has shape \(3,\); exp"
    with pytest.raises(ValueError, match=message):
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


def test_a_file_that_cannot_be_written_is_noticed_before_the_first_step(tmp_path):
    optimizer = Adam(parameters(), 0.01)
    with pytest.raises(OSError, match=r"a{246}\.npz"):
        short(tmp_path / ("a" * 246 + ".npz"), optimizer=optimizer)  # no file beside it can be longer
    assert optimizer.t == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("saved", "kind"), [(np.zeros(2), "PCG64"), (np.random.default_rng(0), "MT19937")]
)
def test_a_generator_of_another_kind_is_refused_by_name(tmp_path, saved, kind):
    file = tmp_path / "run.npz"
    short(file, checkpoint=Checkpoint(file, also={"noise": saved}))
    ours = np.random.Generator(getattr(np.random, kind)(0))
    before = repr(ours.bit_generator.state)
    message = rf"run.npz' does not fit .*: saved also\['noise'\] is .*; expected the state of a {kind}$"
    with pytest.raises(ValueError, match=message):
        short(file, checkpoint=Checkpoint(file, also={"noise": ours}))
    assert repr(ours.bit_generator.state) == before


def test_what_a_run_saves_is_what_its_format_says():
    """Whoever changes this raises RUN_FORMAT, so that files of before are refused with a reason."""
    case = Case()
    run = Run(case.optimizer, (X, Y), 5, case.rng, stopping=EarlyStopping("loss"))
    saved = run.state_dict()
    assert RUN_FORMAT == 2
    assert list(saved) == ["format", "fixed", "digests", "first", "rng", "order", "history", "best"]
    assert list(saved["first"]) == ["learning_rate", "t", "rng", "seed"]
    assert list(saved["history"]) == ["steps", "epochs", "gradient_checks", "resumed"]
    data = {"data[0]": "float64, (23, 4)", "data[1]": "float64, (23,)"}
    settings = {"batch_size": 5, "drop_last": False, "stopping": ("loss", "min"), "rng": "PCG64"}
    assert saved["fixed"] == data | settings


def test_nothing_is_pickled(tmp_path):
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


# Which run a file is of


def trained(file, seed, optimizer=None, **options):
    return short(file, optimizer=optimizer, rng=np.random.default_rng(seed), **options)


def test_another_generator_is_another_run(tmp_path):
    file, optimizer = tmp_path / "run.npz", Adam(parameters(), 0.01)
    trained(file, 0, optimizer)
    message = r"^rng: the run in '.*run.npz' began with another generator; give another file for another"
    for other in (Adam(parameters(), 0.01), optimizer):  # that one was left by the run
        with pytest.raises(ValueError, match=message):
            trained(file, 1, other)
    drawn = np.random.default_rng(0)
    drawn.random()
    with pytest.raises(
        ValueError, match=message + r" run, or create this one anew: it has drawn before"
    ):
        short(file, rng=drawn)
    assert optimizer.t == 10


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_what_a_run_left_behind_goes_on_with_it(tmp_path, kind):
    """Its optimizer and its generator, wherever in the run it is by now; no optimizer of before."""
    file, optimizer = tmp_path / "run.npz", Adam(parameters(), 0.01)
    rng = np.random.Generator(kind(7))
    short(file, 2, optimizer, rng=rng)
    longer = short(file, 3, optimizer, rng=rng)
    assert longer.resumed == [10]
    with pytest.raises(ValueError, match=r"^rng: .*create this one anew: it has drawn before"):
        short(file, 3, rng=rng)
    whole = short(tmp_path / "whole.npz", 3, rng=np.random.Generator(kind(7)))
    assert longer.loss == whole.loss


def test_a_run_on_an_optimizer_that_had_steps_is_known_by_that(tmp_path):
    def stepped():
        optimizer = Adam(parameters(), 0.01)
        short(tmp_path / "first.npz", 1, optimizer, checkpoint=None)
        return optimizer

    file = tmp_path / "run.npz"
    one = trained(file, 0, stepped())
    assert trained(file, 0, stepped()).steps == one.steps
    with pytest.raises(ValueError, match=r"^rng: "):
        trained(file, 1, stepped())


def test_data_of_any_kind_and_layout_is_known_again(tmp_path):
    file, (x, y) = tmp_path / "run.npz", (np.tile(X, (60, 1)), np.tile(Y, 60))
    names = np.array(["a", "b"] * 690)
    times = np.arange(1380).astype("datetime64[s]")
    objects = np.array([object()] * 1380)

    def run(x, names=names, objects=objects):
        def f(params, x, y, *_):
            return value_and_grad(params, x, y)

        data = (x, y, names, times, objects)
        rng = np.random.default_rng(0)
        return fit(f, Adam(parameters(), 0.01), data, epochs=1, batch_size=690, rng=rng,
                   checkpoint=Checkpoint(file))  # fmt: skip

    run(x)
    assert run(np.asfortranarray(x), objects=np.array([object()] * 1380)).resumed == [2]
    last = x.copy()
    last[-1, -1] += 1e-15
    with pytest.raises(ValueError, match=r"its data\[0\] has other values"):
        run(last)
    with pytest.raises(ValueError, match=r"its data\[2\] has other values"):
        run(x, names[::-1])


def test_a_history_says_where_its_run_was_taken_up(tmp_path):
    file = tmp_path / "run.npz"
    assert "taken up" not in str(short(file, 1))
    short(file, 2)
    history = short(file, 3)
    assert history.resumed == [5, 10]
    assert str(history).endswith("\ntaken up after step 5, 10")
    assert repr(history) == "<History of 15 steps and 3 epochs: loss; taken up after step 5, 10>"
    assert str(short(file, 3)).endswith("\ntaken up after step 5, 10, 15")
    assert type(history.loss[0]) is type(history["loss"][0]) is float


def test_the_way_to_go_on_with_another_learning_rate_is_the_one_that_errors_name(tmp_path):
    """Here after a loss that becomes infinite; the steps then are those that one takes by hand."""

    def explosive(params, x, y):
        loss, grads = value_and_grad(params, x, y)
        return (np.inf if optimizer.learning_rate > 0.05 and optimizer.t == 7 else loss), grads

    def run(file, **options):
        return fit(explosive, optimizer, (X, Y), epochs=2, batch_size=5, rng=np.random.default_rng(0),
                   checkpoint=Checkpoint(file, every=3), **options)  # fmt: skip

    file, optimizer = tmp_path / "run.npz", SGD(parameters(), 0.1, momentum=0.9)
    with pytest.raises(DivergedError, match=r"after step 6 \(to go on with another learning rate: opt"):
        run(file)
    optimizer.learning_rate = 0.01
    with pytest.raises(ValueError, match=r"was 0.1 at first; expected 0.01.* \(to go on with another"):
        run(file)
    optimizer.load(file)
    optimizer.learning_rate = 0.01
    history = run(tmp_path / "slower.npz")
    assert optimizer.t == 16
    by_hand = SGD(parameters(), 0.1, momentum=0.9)
    by_hand.load(file)
    by_hand.learning_rate = 0.01
    losses, rng = [], np.random.default_rng(0)
    for _ in range(2):
        order = rng.permutation(23)
        for start in range(0, 23, 5):
            loss, grads = value_and_grad(by_hand.params, *(a[order[start : start + 5]] for a in (X, Y)))
            losses.append(float(loss))
            by_hand.step(grads)
    assert history.loss == losses


def test_the_other_way_between_a_number_and_a_schedule_is_refused_by_the_optimizer(tmp_path):
    file = tmp_path / "run.npz"
    short(file, optimizer=Adam(parameters(), cosine(0.01, 9)))
    with pytest.raises(ValueError, match=r"the saved learning_rate is a schedule; expected the number"):
        short(file, optimizer=Adam(parameters(), 0.01))


def test_a_finished_run_that_is_read_puts_the_best_back_though_the_file_has_the_last(tmp_path):
    seen, file = [], tmp_path / "run.npz"

    def evaluate(params):
        seen.append(params["w"][0].copy())
        return {"value": [3.0, 1.0, 2.0, 2.0][len(seen) - 1]}

    options = {"evaluate": evaluate, "stopping": EarlyStopping("value", 2)}
    for _ in range(2):
        optimizer = SGD(parameters(), 0.1)
        short(file, 9, optimizer, **options)
        np.testing.assert_array_equal(optimizer.params["w"][0], seen[1])
        assert len(seen) == 4
    latest = parameters()
    load_parameters(file, latest)
    np.testing.assert_array_equal(latest["w"][0], seen[3])


# What is saved beside it


def test_another_optimizer_is_saved_with_its_parameters(tmp_path):
    def run(file, *epochs):
        for number in epochs:
            other = Adam({"v": np.ones(2)}, 0.1)

            def after_step(step, other=other):
                other.step({"v": other.params["v"] * step.loss})

            short(
                file, number, checkpoint=Checkpoint(file, also={"other": other}), after_step=after_step
            )
        return other

    once, twice = run(tmp_path / "a.npz", 3), run(tmp_path / "b.npz", 1, 3)
    assert twice.t == 15
    assert alike((once.params, once.state_dict()), (twice.params, twice.state_dict()))


@pytest.mark.parametrize("in_place", [False, True])
def test_what_saves_its_own_arrays_gets_copies(tmp_path, in_place):
    """A state that is the very array: neither saved nor loaded is it changed by what comes later."""
    mine, file = Stateful({"x": np.zeros(2)}, in_place), tmp_path / "run.npz"
    checkpoint = Checkpoint(file, also={"mine": mine, "means": (means := np.zeros(3))})
    short(file, checkpoint=checkpoint)
    mine.state["x"] += 5
    with pytest.raises(ValueError, match="means"):
        short(file, checkpoint=Checkpoint(file, also={"mine": mine, "means": np.zeros(4)}))
    assert mine.state["x"].tolist() == [5, 5]
    short(file, checkpoint=checkpoint)
    assert mine.state["x"].tolist() == means[:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    "extra",
    [
        {"run": 1, "also": {}},
        {"run": {"a": 1}, "also": {}},
        {"run": {"format": 2}, "also": 3},
        {"run": {"format": 2}},
    ],
)
def test_what_somebody_else_saved_under_the_same_names_is_refused(tmp_path, extra):
    Adam(parameters(), 0.01).save(tmp_path / "run.npz", extra=extra)
    with pytest.raises(ValueError, match=r"run.npz' holds no run of fit; expected one, or no file"):
        short(tmp_path / "run.npz")


@pytest.mark.parametrize("run", [{"format": 1, "fixed": {}}, {"format": 2, "fixed": {}}, {"format": []}])
def test_a_run_of_another_format_is_refused(tmp_path, run):
    Adam(parameters(), 0.01).save(tmp_path / "run.npz", extra={"run": run, "also": {}})
    with pytest.raises(ValueError, match=r"run.npz' holds another run: its format is .*; expected 2"):
        short(tmp_path / "run.npz")


# Files and folders


def test_what_killed_processes_left_is_deleted_once_it_is_old(tmp_path):
    old, young = (tmp_path / f".run.npz.{digits * 8}.tmp" for digits in ("0a", "1b"))
    others = [
        tmp_path / name for name in (f".other.npz.{'0a' * 8}.tmp", ".run.npz.0a.tmp", "run.npz.tmp")
    ]
    for path in (old, young, *others):
        path.touch()
        if path != young:
            os.utime(path, (0, 0))
    short(tmp_path / "run.npz")
    assert not old.exists()
    assert young.exists()
    assert all(path.exists() for path in others)


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make links there")
def test_a_link_into_a_folder_that_is_missing_is_noticed_before_the_first_step(tmp_path):
    link, optimizer = tmp_path / "run.npz", Adam(parameters(), 0.01)
    link.symlink_to(tmp_path / "none" / "run.npz")
    with pytest.raises(FileNotFoundError, match=r"run.npz', in no folder"):
        short(link, optimizer=optimizer)
    assert optimizer.t == 0
    (tmp_path / "none").mkdir()
    short(link)
    assert link.is_symlink()
    assert short(link).resumed == [10]
