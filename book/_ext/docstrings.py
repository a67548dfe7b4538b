"""Sphinx extension: a docstring's colons and commas on the API pages.

The extension that reads docstrings takes an attribute's "A over B: a ratio" for a type and a
description, and cuts the fields "a, b : float" at their comma; the page puts them together again. A
module of the pages on the inside has its name above its text, and a value that is longer than a few
lines, or that has no other name than "<function f>", is not shown.
"""

from functools import partial
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import NumpyDocstring

INSIDE = "book/api/inside-"
LONGEST = 300  # letters of a value
cut = NumpyDocstring._parse_attributes_section


def whole(docstring: NumpyDocstring) -> tuple[str, list[str]]:
    """No type, and the whole docstring of an attribute as its description."""
    lines = docstring._dedent(docstring._consume_to_end())
    return "", type(docstring)(lines, docstring._config).lines()


def one_by_one(docstring: NumpyDocstring, section: str) -> list[str]:
    """The fields of a section, of which several may share a description."""
    docstring._consume_fields = partial(docstring._consume_fields, multiple=True)
    lines = cut(docstring, section)
    del docstring._consume_fields
    return lines


def head(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Put the name of a module above its docstring; a package has a heading of its own."""
    if what == "module" and app.env.docname.startswith(INSIDE) and not hasattr(thing, "__path__"):
        lines[:0] = [f".. rubric:: {name}", "   :class: module", ""]


def shorten(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """Put three dots for the value of a large table, and of one that holds functions."""
    for note in list(content.parent.findall(addnodes.desc_annotation)):
        value = note.astext()
        if value.startswith(" = ") and (len(value) > LONGEST or "<function" in value):
            note.replace_self(addnodes.desc_annotation("", " = ..."))


def readable(
    app: Sphinx,
    what: str,
    name: str,
    thing: object,
    options: Any,
    arguments: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Write a dataclass's default as Python can read it, or Sphinx shows all types unread."""
    return arguments and arguments.replace("<factory>", "..."), returned


def said(entry: nodes.Element) -> list[str]:
    """What a list of parameters says of one of them, after its name."""
    return [node.astext() for node in entry[0].children[1:]]


def together(app: Sphinx, page: nodes.document) -> None:
    """Say once what neighbors in a list of parameters share."""
    for entries in list(page.findall(nodes.bullet_list)):
        if isinstance(entries.parent, nodes.field_body) and entries.next_node(addnodes.literal_strong):
            for _, (first, *others) in groupby(list(entries), key=said):
                for place, other in enumerate(others):
                    first[0].insert(2 * place + 1, [nodes.Text(", "), other[0][0]])
                    entries.remove(other)
            if len(entries) == 1:  # Sphinx writes a single one without a dot
                entries.replace_self(entries[0].children)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    NumpyDocstring._consume_inline_attribute = whole
    NumpyDocstring._parse_attributes_section = one_by_one
    app.connect("autodoc-process-docstring", head)
    app.connect("autodoc-process-signature", readable)
    app.connect("object-description-transform", shorten)
    app.connect("doctree-read", together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
