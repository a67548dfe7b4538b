"""Files of arrays that are either whole or refused.

A file is an ordinary ``.npz`` file, which ``np.load`` opens. It is written beside its place and moved
there when it is complete: whoever reads sees the old file or the new one, never a part of one.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

LEFT_BEHIND = 3600  # seconds without writing after which a temporary file is nobody's


def write_arrays(file: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under their names, atomically.

    The bytes go to a temporary file in the same folder, ``.<name>.<random>.tmp``, and from there to
    the disk; only then does it take the place of `file`. If writing fails, the temporary file is
    removed. If the process is killed, it stays behind, and may be deleted (`remove_leftovers`); `file`
    is what it was.

    Parameters
    ----------
    file
        Where to write. The name is taken as it is; nothing is appended.
    arrays
        Arrays of numbers or strings by name.

    Raises
    ------
    OSError
        If the folder does not exist (a FileNotFoundError), or cannot be written to, or something else
        than a file is there.
    ValueError
        If an array holds Python objects.
    """
    import zipfile  # which not every program that imports optimlib needs

    with _beside(file) as (place, temporary):
        with temporary.open("xb") as handle:
            with zipfile.ZipFile(handle, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(place)
        _sync_folder(place.parent)


def check_writable(file: str | os.PathLike) -> None:
    """Refuse a file that `write_arrays` could not write, such as one in a folder of somebody else.

    Parameters
    ----------
    file
        What is to be written. It is left as it is, and need not exist.

    Raises
    ------
    OSError
        As by `write_arrays`.
    """
    with _beside(file) as (_, temporary):
        temporary.open("xb").close()
        temporary.unlink()


@contextmanager
def _beside(file: str | os.PathLike) -> Iterator[tuple[Path, Path]]:
    """The place of a file and that of a temporary one in its folder, which no error leaves behind."""
    place = Path(os.path.realpath(file))  # a link stays a link
    if not place.parent.is_dir():
        raise FileNotFoundError(f"{os.fspath(file)!r} is in no folder; expected {place.parent} to exist")
    if place.exists() and not place.is_file():
        raise OSError(f"{os.fspath(file)!r} is a folder or a device; expected a file, or nothing, there")
    temporary = place.with_name(f".{place.name}.{os.urandom(8).hex()}.tmp")
    try:
        yield place, temporary
    except BaseException as error:
        with suppress(OSError):  # of a name that is too long there is no file
            temporary.unlink()
        if isinstance(error, OSError) and error.errno:
            error.filename = os.fspath(file)  # the user's name for it
        raise


def remove_leftovers(file: str | os.PathLike) -> None:
    """Delete the temporary files that killed processes left beside a file.

    Only files of the name that `write_arrays` gives are deleted, and only if nothing was written to them
    for an hour: another process may be about to finish one.

    Parameters
    ----------
    file
        What was to be written. It is left as it is, and need not exist.
    """
    place = Path(os.path.realpath(file))
    name = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{16}}\.tmp")
    for beside in place.parent.iterdir() if place.parent.is_dir() else ():
        if name.fullmatch(beside.name):
            with suppress(OSError):  # it may be gone by now, or not be ours to delete
                if time.time() - beside.stat().st_mtime > LEFT_BEHIND:
                    beside.unlink()


def _sync_folder(folder: Path) -> None:
    """Let the disk know the new name, where the system allows it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_arrays(file: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote. Nothing in a file is ever run: it may come from anywhere.

    Parameters
    ----------
    file
        The file to read.

    Returns
    -------
    dict
        The arrays by name.

    Raises
    ------
    OSError
        If the file does not exist or cannot be opened.
    ValueError
        If it is damaged, is not an ``.npz`` file, or holds pickled objects.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(f"{folder}/a.npz", {"W": np.arange(3.0)})
    ...     read_arrays(f"{folder}/a.npz")
    {'W': array([0., 1., 2.])}
    """
    import zipfile

    with Path(file).open("rb") as handle:
        try:
            with zipfile.ZipFile(handle) as archive:
                names = archive.namelist()
                if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
                    raise ValueError(f"its members are {names}")
                return {name.removesuffix(".npy"): _array(archive.read(name)) for name in names}
        except Exception as error:  # damage shows itself in any way
            raise ValueError(
                f"{os.fspath(file)!r} is damaged or not a file of arrays"
                f" ({type(error).__name__}: {error})"
            ) from error


def _array(data: bytes) -> np.ndarray:
    """The array that the bytes of an ``.npy`` file hold, and nothing beside it."""
    stream = io.BytesIO(data)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError("an array is followed by other bytes")
    return array
