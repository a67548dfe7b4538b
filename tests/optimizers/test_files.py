"""Files of arrays: written whole or not at all, read whole or refused."""

import errno
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optimlib.optimizers import files
from optimlib.optimizers.files import check_writable, read_arrays, write_arrays


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "W": np.arange(6.0).reshape(2, 3),
        "its transpose": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "file": np.array("a name that savez could not have"),
        "['a/b']": np.array(-0.0),
        "empty": np.zeros((0, 3)),
        "ü": np.array([np.inf, np.nan]),
        "count": np.array(7),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    read = read_arrays(tmp_path / "a.npz")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape
        assert read[name].tobytes() == array.tobytes()
        assert read[name].flags.writeable
    with np.load(tmp_path / "a.npz") as loaded:
        np.testing.assert_array_equal(loaded["W"], arrays["W"])


def test_the_name_is_taken_as_it_is_and_nothing_else_is_left(tmp_path):
    write_arrays(tmp_path / "run", {"a": np.ones(1)})
    write_arrays(str(tmp_path / "run"), {"a": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert read_arrays(str(tmp_path / "run"))["a"] == 0


def test_what_savez_wrote_can_be_read(tmp_path):
    np.savez(tmp_path / "a.npz", W=np.arange(3.0))
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["W"], np.arange(3.0))


@pytest.mark.skipif(os.name == "nt", reason="links and permissions are others there")
def test_a_link_stays_a_link_and_permissions_are_the_usual_ones(tmp_path):
    target, link, plain = tmp_path / "target.npz", tmp_path / "latest.npz", tmp_path / "plain"
    plain.touch()
    link.symlink_to(target)
    write_arrays(link, {"a": np.ones(1)})
    assert link.is_symlink()
    assert read_arrays(target)["a"] == 1
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_objects_are_not_written_and_the_old_file_stays(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1)})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "a.npz", {"a": np.zeros(1), "b": np.array([None])})
    assert read_arrays(tmp_path / "a.npz")["a"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_an_error_of_the_system_names_the_file_that_the_user_named(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/else")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.npz'$"):
        write_arrays(tmp_path / "a.npz", {"a": np.ones(1)})
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_known_before(tmp_path):
    check_writable(tmp_path / "a.npz")
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1)})
    check_writable(tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert read_arrays(tmp_path / "a.npz")["a"] == 1
    long = tmp_path / ("a" * 246 + ".npz")  # no file beside it can have a longer name
    with pytest.raises(OSError, match=r"a{246}\.npz"):
        check_writable(long)


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file_alone(tmp_path, monkeypatch, stage):
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1)})

    def fails(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(*((os, "fsync") if stage == "fsync" else (Path, "replace")), fails)
    with pytest.raises(OSError, match="the disk is full"):
        write_arrays(tmp_path / "a.npz", {"a": np.zeros(1)})
    monkeypatch.undo()
    assert read_arrays(tmp_path / "a.npz")["a"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_the_bytes_are_on_the_disk_before_the_file_takes_its_place(tmp_path, monkeypatch):
    seen = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (seen.append(("fsync", os.fstat(fd).st_size)), fsync(fd))
    )
    monkeypatch.setattr(Path, "replace", lambda a, b: (seen.append("replace"), replace(a, b)))
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1000)})
    assert seen[0] == ("fsync", (tmp_path / "a.npz").stat().st_size)
    assert seen[1] == "replace"


def test_a_folder_that_does_not_exist_is_an_os_error(tmp_path):
    for place in (tmp_path / "none" / "a.npz", tmp_path / "a" / "b" / "c.npz"):
        message = f"{place.name}' is in no folder; expected .*{place.parent.name} to exist"
        with pytest.raises(FileNotFoundError, match=message):
            write_arrays(place, {"a": np.ones(1)})
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="file to exist"):
        write_arrays(tmp_path / "file" / "a.npz", {"a": np.ones(1)})
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1), "b": np.ones(1)})
    doubled = (tmp_path / "a.npz").read_bytes().replace(b"b.npy", b"a.npy")
    (tmp_path / "doubled.npz").write_bytes(doubled)
    with pytest.raises(ValueError, match="its members are"):
        read_arrays(tmp_path / "doubled.npz")


def test_bytes_behind_an_array_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.ones(2)})
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        data = archive.read("a.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("a.npy", data + b"!")
    with pytest.raises(ValueError, match="followed by other bytes"):
        read_arrays(tmp_path / "b.npz")


def test_the_folder_is_synchronised_too_where_that_is_possible(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(files, "_sync_folder", folders.append)
    write_arrays(tmp_path / "a.npz", {"a": np.ones(1)})
    assert folders == [Path(os.path.realpath(tmp_path))]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_only_a_file_is_ever_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(OSError, match="is a folder or a device; expected a file, or nothing, there"):
            write_arrays(place, {"a": np.ones(2)})
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
