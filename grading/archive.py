"""Unpack a zip file that anybody may have filled: only notebooks, only below the folder, only so much.

What is left out is listed for a person. Names that lead out of the folder, links, encrypted or damaged
files and what is too large are never written.
"""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

MEMBERS = 20_000  # files in a zip file
TOGETHER = 4_000_000_000  # bytes of all notebooks, unpacked
BLOCK = 1 << 20

Left = list[tuple[str, str, str]]  # whose, what, why


def unpack(archive: Path, folder: Path, largest: int) -> Left:
    """Unpack the notebooks of a zip file into a new folder, and say what was left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    left: Left = []
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not _is_of_the_system(member.filename)]
            if len(members) > MEMBERS:
                raise ValueError(f"SUBMITTED: {archive.name} holds more than {MEMBERS} files")
            taken: set[str] = set()
            room = TOGETHER
            for member in members:
                parts = _parts(member.filename)
                try:
                    room -= _unpack_one(file, member, parts, folder, taken, min(largest, room))
                except _LeftOutError as error:
                    left.append((parts[0] if parts else "", member.filename, str(error)))
    except (zipfile.BadZipFile, OSError, UnicodeError, NotImplementedError) as error:
        raise ValueError(f"SUBMITTED: {archive} cannot be read as a zip file ({error})") from None
    _unwrap(archive, folder)
    return left


class _LeftOutError(Exception):
    """Why a member is not unpacked."""


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the name of a member, or nothing where it would lead out of the folder."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = path.is_absolute() or ".." in windows.parts or windows.drive or windows.root
    return () if outside or "\0" in name or "\\" in name else path.parts


def _is_of_the_system(name: str) -> bool:
    """What a computer puts into a zip file for itself."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") and part != ".." for part in parts) or "__MACOSX" in parts


def _unpack_one(
    file: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    parts: tuple[str, ...],
    folder: Path,
    taken: set[str],
    largest: int,
) -> int:
    """Write one member; how many bytes it has."""
    if not parts:
        raise _LeftOutError("its name leads out of the folder, and it was not unpacked")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _LeftOutError("it is a link, and was not followed")
    path = folder.joinpath(*parts)
    try:
        (path if member.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
        if member.is_dir():
            return 0
        if path.suffix.lower() != ".ipynb":
            if len(parts) == 1:
                raise _LeftOutError("it is no notebook")
            return 0
        if "/".join(parts).lower() in taken or path.exists():
            raise _LeftOutError("there is another file of this name, and this one was not unpacked")
        taken.add("/".join(parts).lower())
        if member.flag_bits & 1:
            raise _LeftOutError("it is encrypted")
        if member.file_size > largest:
            raise _LeftOutError(f"unpacked, it is larger than {largest} bytes")
        return _copy(file, member, path, largest)
    except (OSError, ValueError) as error:
        raise _LeftOutError(f"it could not be written ({type(error).__name__})") from error


def _copy(file: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, largest: int) -> int:
    """Unpack block by block: what a member says of its size need not be true."""
    size = 0
    try:
        with file.open(member) as source, path.open("xb") as target:
            while block := source.read(BLOCK):
                size += len(block)
                if size > largest:
                    raise _LeftOutError(f"unpacked, it is larger than {largest} bytes")
                target.write(block)
    except _LeftOutError:
        path.unlink()
        raise
    except Exception as error:  # what zipfile and the decompressors raise is not of one kind
        path.unlink(missing_ok=True)
        raise _LeftOutError(f"damaged: it cannot be unpacked ({type(error).__name__})") from error
    return size


def _unwrap(archive: Path, folder: Path) -> None:
    """Take out what lies in one folder of the zip file's name, as when a folder was packed."""
    inner = folder / archive.stem
    if [path.name for path in folder.iterdir()] != [archive.stem] or not inner.is_dir():
        return
    aside = folder.with_name(folder.name + "-inner")
    inner.rename(aside)
    folder.rmdir()
    aside.rename(folder)
