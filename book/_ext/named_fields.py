"""Sphinx extension: the fields of named tuples stand in their signatures, and not once more below."""

from collections import namedtuple
from typing import Any

from sphinx.application import Sphinx

Field = type(namedtuple("One", "field").field)


def skip(app: Sphinx, what: str, name: str, member: object, skipped: bool, options: Any) -> bool | None:
    """Leave out what autodoc would describe as "Alias for field number 0"."""
    return True if isinstance(member, Field) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
