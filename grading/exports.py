"""Names as Moodle and Canvas give them to downloaded submissions: whose a file is.

- Moodle: `Ada Lovelace_12345_assignsubmission_file_` (a folder, in newer versions without the last
  underscore) or the same with the file's name behind it. The number is that of the participant in the
  assignment.
- Canvas: `lovelaceada_12345_67890_adaptive-steps.ipynb`, with `_LATE` behind the name if it came late.
  The numbers are those of the user and of the file; a later file has a larger one. Where grading is
  anonymous, `anon_` and a word stand for the name and the user.
"""

import re
from dataclasses import dataclass
from pathlib import Path

MOODLE = re.compile(
    r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)(?:_.*)?", re.DOTALL
)
CANVAS = re.compile(r"(?P<name>\w+?)_(?:(?P<late>LATE)_)?(?P<number>\d+)_(?P<file>\d+)_.+", re.DOTALL)
ANONYMOUS = re.compile(r"(?:(?P<late>LATE)_)?(?P<name>anon_[A-Za-z0-9]+)_(?P<file>\d+)_.+", re.DOTALL)


@dataclass(frozen=True)
class Owner:
    """Who handed in: a name for people, and what the learning platform knows them by."""

    name: str
    platform: str = ""  # "moodle", "canvas" or none
    number: str = ""

    @property
    def label(self) -> str:
        """A name that nobody else has."""
        return f"{self.name} ({self.number})" if self.number else self.name


@dataclass(frozen=True)
class Named:
    """What the name of a file or folder says."""

    owner: Owner
    page: str = ""  # the start of the name under which the platform takes back a page of feedback
    attempt: int = 0  # of several, the one with the largest number is the last
    late: bool = False
    typed: bool = False  # text that was typed into Moodle


NOBODY = Named(Owner(""))


def readable(name: str) -> str:
    """A name of a file as text that can be written, whatever bytes it is made of."""
    return name.encode("utf8", "backslashreplace").decode("utf8")


def named(path: Path) -> Named:
    """Whose a file or folder is: by the platform's name, or else the name is the student's."""
    name = readable(path.name)
    moodle = MOODLE.fullmatch(name)
    if moodle:
        who = f"{moodle['name']}_{moodle['number']}_assignsubmission_file_"
        owner = Owner(moodle["name"], "moodle", moodle["number"])
        return Named(owner, who, typed=moodle["kind"] == "onlinetext")
    canvas = None if path.is_dir() else CANVAS.fullmatch(name)
    if canvas:
        owner = Owner(canvas["name"], "canvas", canvas["number"])
        who = f"{canvas['name']}_{canvas['number']}_{canvas['file']}_"
        return Named(owner, who, int(canvas["file"]), bool(canvas["late"]))
    anonymous = None if path.is_dir() else ANONYMOUS.fullmatch(name)
    if anonymous:
        who = f"{anonymous['name']}_{anonymous['file']}_"
        owner = Owner(anonymous["name"])
        return Named(owner, who, int(anonymous["file"]), bool(anonymous["late"]))
    return Named(Owner(name if path.is_dir() else readable(path.stem)))
