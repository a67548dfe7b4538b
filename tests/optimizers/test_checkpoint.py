"""Checkpoints: what a later run needs, saved whole, and loaded whole or refused."""

import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optimlib import SGD, Adam, load_parameters, warmup
from optimlib.optimizers.files import write_arrays
from optimlib.schedules import ReduceOnPlateau, constant, cosine, joined
from optimlib.trees import copy_tree, flatten


def an_optimizer(seed: int = 0, steps: int = 0) -> Adam:
    rng = np.random.default_rng(seed)
    params = {"W": rng.standard_normal((3, 2)), "b": [np.zeros(2), np.array(0.5)]}
    optimizer = Adam(params, ReduceOnPlateau(0.1))
    for _ in range(steps):
        optimizer.step({"W": np.ones((3, 2)), "b": [np.ones(2), np.array(-1.0)]})
    return optimizer


def snapshot(optimizer) -> tuple:
    leaves = [(path, leaf.dtype, leaf.tobytes()) for path, leaf in flatten(optimizer.params)]
    state = {key: array.tobytes() for key, array in optimizer.state_dict().items()}
    return leaves, state, optimizer.t, optimizer.learning_rate


# Killed while writing

WRITER = """
import sys
import numpy as np
from optimlib import Adam

optimizer = Adam(np.full(2_000_000, 2.0))
print("writing", flush=True)
optimizer.save(sys.argv[1])
print("written", flush=True)
"""


def killed_while_writing(file: Path) -> bool:
    """Start a process that saves, and kill it once a part of the new file is there."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline().strip() == b"writing"
        while process.poll() is None and not any(p.stat().st_size for p in file.parent.glob("*.tmp")):
            time.sleep(1e-4)
    except FileNotFoundError:  # it has got its name
        pass
    finally:
        process.kill()  # SIGKILL: nothing in the process can tidy up
        rest = process.communicate()[0]
    return b"written" not in rest and any(file.parent.glob("*.tmp"))


@pytest.mark.slow  # three processes that import the package and write 96 MB each
def test_a_process_killed_while_it_writes_leaves_the_old_file_intact(tmp_path):
    file = tmp_path / "run.npz"
    Adam(np.full(2_000_000, 1.0)).save(file)
    before, killed = file.read_bytes(), 0
    for _ in range(12):  # some may be quicker than the murderer
        if killed_while_writing(file):
            killed += 1
            assert file.read_bytes() == before
            (part,) = tmp_path.glob("*.tmp")  # what stays behind has another name
            assert part.name.startswith(".run.npz.")
            part.unlink()
        else:
            file.write_bytes(before)
        if killed == 3:
            break
    assert killed == 3
    params = np.zeros(2_000_000)
    Adam(params).load(file)
    assert (params == 1).all()


# Damaged, or somebody else's


def refused(optimizer, file, match="") -> None:
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match=match):
        optimizer.load(file)
    assert snapshot(optimizer) == before


def test_a_file_cut_anywhere_is_refused_and_nothing_has_changed(tmp_path):
    an_optimizer(0, steps=3).save(tmp_path / "run.npz")
    whole = (tmp_path / "run.npz").read_bytes()
    optimizer = an_optimizer(1, steps=1)
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        refused(optimizer, tmp_path / "cut.npz", "cut.npz' is damaged or not a file of arrays")


@pytest.mark.parametrize("first", range(96))
def test_a_changed_byte_is_noticed_wherever_it_matters(tmp_path, first):
    """Outside the arrays a zip file has bytes that say nothing, such as a date's. No others pass."""

    def momentum(start: float) -> SGD:
        optimizer = SGD(np.full(2, start), 0.1, momentum=0.5)
        optimizer.step(np.array([start, 1.0]))
        return optimizer

    saved = momentum(3.0)
    saved.save(tmp_path / "run.npz")
    whole = (tmp_path / "run.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "run.npz") as archive:
        starts = [(whole.index(b"\x93NUMPY", info.header_offset), info) for info in archive.infolist()]
    arrays = {place for start, info in starts for place in range(start, start + info.file_size)}
    assert len(arrays) > len(whole) / 3
    optimizer = momentum(7.0)
    before = snapshot(optimizer)
    for place in range(first, len(whole), 96):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        (tmp_path / "changed.npz").write_bytes(changed)
        try:
            optimizer.load(tmp_path / "changed.npz")
        except ValueError:
            assert snapshot(optimizer) == before
        else:
            assert place not in arrays
            assert snapshot(optimizer) == snapshot(saved)
            optimizer = momentum(7.0)


class Bomb:
    """Unpickled, it would raise something that is no ValueError."""

    def __reduce__(self):
        return (exit, ("a pickled object was run",))


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    optimizer = an_optimizer(1, steps=1)
    bomb = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "bomb.npz", **optimizer.state_dict(), bomb=bomb)
    refused(optimizer, tmp_path / "bomb.npz", "Object arrays cannot be loaded")
    (tmp_path / "bomb.pickle").write_bytes(pickle.dumps(Bomb()))
    refused(optimizer, tmp_path / "bomb.pickle", "is damaged or not a file of arrays")
    np.save(tmp_path / "bomb.npy", bomb)
    refused(optimizer, tmp_path / "bomb.npy", "is damaged or not a file of arrays")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", bytes(1000)])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    refused(an_optimizer(), tmp_path / "other", "is damaged or not a file of arrays")


@pytest.mark.parametrize("member", ["a.txt", "a.npy"])
def test_a_zip_file_of_something_else_is_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(member, b"hello")
    refused(an_optimizer(), tmp_path / "zip", "is damaged or not a file of arrays")


STRANGERS = {
    "another optimizer": (
        lambda file: SGD({"W": np.zeros((3, 2)), "b": [np.zeros(2), np.zeros(())]}, 0.1).save(file),
        "optimizer 'SGD'; expected 'Adam'",
    ),
    "another tree": (
        lambda file: Adam({"W": np.zeros((3, 2))}, ReduceOnPlateau(0.1)).save(file),
        r"missing keys .*params\['b'\]\[0\]",
    ),
    "another shape": (
        lambda file: Adam(
            {"W": np.zeros((2, 3)), "b": [np.zeros(2), np.zeros(())]}, ReduceOnPlateau(0.1)
        ).save(file),
        r"shape \(2, 3\); expected \(3, 2\)",
    ),
    "another precision": (
        lambda file: Adam(
            {"W": np.zeros((3, 2), np.float32), "b": [np.zeros(2), np.zeros(())]}, ReduceOnPlateau(0.1)
        ).save(file),
        "dtype float32; expected float64",
    ),
    "another kind of schedule": (
        lambda file: Adam(copy_tree(an_optimizer().params), 0.1).save(file),
        "the saved learning_rate is the number 0.1; expected a schedule",
    ),
    "no parameters": (
        lambda file: write_arrays(file, an_optimizer().state_dict()),
        r"missing keys .*params\['W'\]",
    ),
    "another format": (
        lambda file: write_arrays(file, an_optimizer().state_dict() | {"format": np.array(99)}),
        "format 99; expected 4",
    ),
    "nothing about an optimizer": (
        lambda file: write_arrays(file, {"W": np.zeros(2)}),
        "the saved state has no format",
    ),
    "parameters that are NaN": (
        lambda file: write_arrays(
            file,
            dict(flatten(an_optimizer().params, "params"))
            | an_optimizer().state_dict()
            | {"params['b'][0]": np.array([0.0, np.nan])},
        ),
        r"saved params\['b'\]\[0\]\[1\] is nan",
    ),
}


@pytest.mark.parametrize(("write", "message"), STRANGERS.values(), ids=STRANGERS)
def test_a_file_of_somebody_else_is_refused_and_nothing_has_changed(tmp_path, write, message):
    write(tmp_path / "stranger.npz")
    refused(an_optimizer(1, steps=2), tmp_path / "stranger.npz", message)
    refused(
        an_optimizer(1, steps=2), tmp_path / "stranger.npz", "stranger.npz' is not for this optimizer"
    )


# What goes with a run: frozen arrays and the schedule


def own_rate(finished: int) -> float:
    return 0.1


def other_rate(finished: int) -> float:
    return 0.2


def a_run(learning_rate, frozen=None) -> SGD:
    return SGD({"W": np.ones(2), "b": np.ones(1)}, learning_rate, frozen=frozen)


@pytest.mark.parametrize(
    ("saved", "ours", "message"),
    [
        (
            cosine(0.1, 100),
            cosine(0.1, 200),
            "the saved schedule is 'cosine.*100.*; expected 'cosine.*200",
        ),
        (cosine(0.1, 100), constant(0.1), "expected 'constant(0.1)'"),
        (cosine(0.1, 100), own_rate, "expected 'a function', as this optimizer has"),
        (own_rate, cosine(0.1, 100), "the saved schedule is 'a function'; expected"),
        (warmup(own_rate, 3), warmup(other_rate, 3), "expected 'warmup(<function other_rate>"),
        (
            ReduceOnPlateau(0.1),
            ReduceOnPlateau(0.1, patience=3),
            "expected 'ReduceOnPlateau.*patience=3",
        ),
        (ReduceOnPlateau(0.1, factor=0.5), ReduceOnPlateau(0.1), r"the saved schedule is .*factor=0\.5"),
        (
            warmup(ReduceOnPlateau(0.1, lowest=0.01), 3),
            warmup(ReduceOnPlateau(0.1), 3),
            "the saved schedule is .*lowest",
        ),
    ],
)
def test_another_schedule_is_refused(tmp_path, saved, ours, message):
    a_run(saved).save(tmp_path / "run.npz")
    message = message.replace("(", r"\(").replace(")", r"\)")
    refused(a_run(ours), tmp_path / "run.npz", message)
    refused(a_run(ours), tmp_path / "run.npz", r"as this optimizer has \(assign learning_rate first\)")


@pytest.mark.parametrize(
    ("saved", "ours"),
    [
        (cosine(0.1, 100), cosine(0.1, 100)),
        (own_rate, other_rate),  # of which nothing is known
        (warmup(lambda n: 0.1, 3), warmup(lambda n: 0.1, 3)),  # two functions in two places
        (joined([cosine(0.1, 9), own_rate], at=[5]), joined([cosine(0.1, 9), own_rate], at=[5])),
    ],
)
def test_a_schedule_that_is_written_alike_goes_on(tmp_path, saved, ours):
    a_run(saved).save(tmp_path / "run.npz")
    optimizer = a_run(ours)
    optimizer.load(tmp_path / "run.npz")
    optimizer.learning_rate = cosine(0.1, 1000)  # another one, once it is loaded
    optimizer.step({"W": np.ones(2), "b": np.ones(1)})
    assert optimizer.t == 1


def test_a_plateau_that_has_lowered_its_rate_goes_on(tmp_path):
    def plateau():
        return warmup(ReduceOnPlateau(0.5, patience=0, factor=0.25), 2)

    first, second = a_run(plateau()), a_run(plateau())
    for loss in (1.0, 2.0):
        first.schedule.parts[0].observe(loss)
    first.save(tmp_path / "run.npz")
    second.load(tmp_path / "run.npz")
    assert second.schedule.parts[0].learning_rate == 0.125
    assert second.schedule == first.schedule


@pytest.mark.parametrize(
    ("saved", "ours"),
    [
        (None, {"W": True, "b": False}),
        ({"W": True, "b": False}, None),
        ({"W": True, "b": False}, {"W": True, "b": True}),
        (lambda path: "W" in path, lambda path: "b" in path),
    ],
)
def test_other_frozen_arrays_are_refused(tmp_path, saved, ours):
    a_run(0.1, saved).save(tmp_path / "run.npz")
    refused(
        a_run(0.1, ours), tmp_path / "run.npz", r"the saved frozen is \[.*; expected \[.*assign frozen"
    )


def test_the_same_frozen_arrays_go_on_however_they_are_given(tmp_path):
    a_run(0.1, {"W": True, "b": False}).save(tmp_path / "run.npz")
    optimizer = a_run(0.1, lambda path: path == "['W']")
    optimizer.load(tmp_path / "run.npz")
    optimizer.frozen = None
    optimizer.step({"W": np.ones(2), "b": np.ones(1)})
    assert optimizer.params["W"].tolist() == [0.9, 0.9]


def test_fine_tuning_takes_the_parameters_alone(tmp_path):
    pretrained = a_run(cosine(0.1, 100))
    pretrained.step({"W": np.ones(2), "b": np.ones(1)})
    pretrained.save(tmp_path / "run.npz")
    tuned = a_run(constant(0.5), {"W": True, "b": False})
    load_parameters(tmp_path / "run.npz", tuned.params)
    tuned.step({"W": None, "b": np.zeros(1)})
    assert tuned.params["W"].tolist() == [0.9, 0.9]


# The parameters


def test_the_parameters_are_in_the_file_and_are_loaded_in_place(tmp_path):
    saved = an_optimizer(0, steps=3)
    saved.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        np.testing.assert_array_equal(file["params['W']"], saved.params["W"])
        np.testing.assert_array_equal(file["m['b'][0]"], saved.state["m"]["b"][0])
    other = an_optimizer(1)
    arrays = [leaf for _, leaf in flatten(other.params)]
    other.load(tmp_path / "run.npz")
    assert all(now is was for (_, now), was in zip(flatten(other.params), arrays, strict=True))
    assert snapshot(other) == snapshot(saved)


def test_parameters_of_any_layout_are_loaded(tmp_path):
    w = np.arange(6.0).reshape(2, 3)
    SGD(w.T.copy(), 0.1).save(tmp_path / "run.npz")
    strided = np.zeros((3, 4))[:, ::2]
    SGD(strided, 0.1).load(tmp_path / "run.npz")
    np.testing.assert_array_equal(strided, w.T)


def test_a_run_that_diverged_does_not_overwrite_the_file(tmp_path):
    optimizer = an_optimizer(0, steps=1)
    optimizer.save(tmp_path / "run.npz")
    before = (tmp_path / "run.npz").read_bytes()
    optimizer.params["b"][0][1] = np.nan
    with pytest.raises(ValueError, match=r"params\['b'\]\[0\]\[1\] is nan"):
        optimizer.save(tmp_path / "run.npz")
    assert (tmp_path / "run.npz").read_bytes() == before


def test_a_parameter_that_was_rebound_is_noticed(tmp_path):
    optimizer = an_optimizer()
    optimizer.save(tmp_path / "run.npz")
    optimizer.params["W"] = optimizer.params["W"] + 1
    with pytest.raises(ValueError, match=r"params\['W'\] was replaced"):
        optimizer.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"params\['W'\] was replaced"):
        optimizer.load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ReduceOnPlateau(0.1), cosine(0.1, 9)),
        (cosine(0.1, 9), ReduceOnPlateau(0.1)),
        (joined([constant(0.1), ReduceOnPlateau(0.1)], at=[2]), ReduceOnPlateau(0.1)),
        (ReduceOnPlateau(0.1), joined([ReduceOnPlateau(0.1), constant(0.1)], at=[2])),
    ],
)
def test_a_schedule_with_another_state_is_named(ours, theirs):
    saved = SGD(np.ones(2), theirs).state_dict()
    with pytest.raises(ValueError, match=r"the saved schedule has state .*; expected .*, that of"):
        SGD(np.ones(2), ours).load_state_dict(saved)
