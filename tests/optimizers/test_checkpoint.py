"""Checkpoints: what a later run needs, saved whole, and loaded whole or refused."""

import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optimlib import SGD, Adam
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


def test_a_changed_byte_is_noticed_wherever_it_matters(tmp_path):
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
    for place in range(0, len(whole), 2):
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
        "format 99; expected 3",
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
    with pytest.raises(ValueError, match=r"the saved schedule has state .*; expected that of"):
        SGD(np.ones(2), ours).load_state_dict(saved)
