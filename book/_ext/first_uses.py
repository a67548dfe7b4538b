"""Sphinx extension: in every chapter, a term's first use in a sentence links to the glossary.

A few terms are everyday words as well. Those are linked by hand, with the role ``term``, where they are
meant as terms.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
EVERYDAY = {
    "activation",
    "convention",
    "kink",
    "leaf",
    "moment",
    "noise",
    "optimizer",
    "slot",
    "tape",
    "tolerance",
    "verdict",
}
NOT_IN = (nodes.reference, addnodes.pending_xref, nodes.literal, nodes.math, nodes.title, nodes.caption)


def terms(glossary: str) -> list[str]:
    """The terms of the glossary's source that are no everyday words, the longest first."""
    entries = re.search(r"```\{glossary\}\n(.*?)\n```", glossary, re.DOTALL)[1]
    lines = [line for line in entries.splitlines() if line and not line.startswith(" ")]
    return sorted(set(lines) - EVERYDAY, key=len, reverse=True)


def link(text: nodes.Text, wanted: list[str]) -> str | None:
    """Make a link of the first term in a text, if it has one, and return the term."""
    words = "|".join(re.escape(term) for term in wanted)
    found = re.search(rf"\b({words})(e?s)?\b", str(text), re.IGNORECASE)
    if not found:
        return None
    term = next(term for term in wanted if term.lower() == found[1].lower())
    target = addnodes.pending_xref(
        "", nodes.inline("", found[0]), refdomain="std", reftype="term", reftarget=term, refwarn=True
    )
    before, after = str(text)[: found.start()], str(text)[found.end() :]
    text.parent.replace(text, [nodes.Text(before), target, nodes.Text(after)])
    return term


def link_first_uses(app: Sphinx, doctree: nodes.document) -> None:
    """Link every term of a chapter once, in the order of the text."""
    if Path(app.env.doc2path(app.env.docname)).suffix != ".ipynb":
        return
    source = (Path(app.srcdir) / f"{GLOSSARY}.md").read_text(encoding="utf8")
    linked = {
        node["reftarget"] for node in doctree.findall(addnodes.pending_xref) if node["reftype"] == "term"
    }
    wanted = [term for term in terms(source) if term not in linked]
    for paragraph in list(doctree.findall(nodes.paragraph)):
        while term := first_in(paragraph, wanted):
            wanted.remove(term)


def first_in(paragraph: nodes.paragraph, wanted: list[str]) -> str | None:
    """Link one term in a paragraph and return it; None if there is none left."""
    for text in list(paragraph.findall(nodes.Text)):
        ancestors = []
        node = text.parent
        while node is not None:
            ancestors.append(node)
            node = node.parent
        is_plain = not any(
            isinstance(ancestor, NOT_IN) or ancestor.get("design_component") == "card"  # a link itself
            for ancestor in ancestors
        )
        if wanted and is_plain and (term := link(text, wanted)):
            return term
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-read", link_first_uses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
