"""Sphinx extension for the two API pages: what one calls, and how it works inside.

A room promotes what users call in its `__init__`. That is described on the first page under the room's
name, and left out of the second. A link may name a thing by any address under which it can be imported.
"""

from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOMS = ("gradcheck", "differences", "optimizers", "schedules", "training", "trees", "nn")
INSIDE = "book/api/inside-"
KEYWORDS = "hints_for_keywords"  # the errors say what is in it


def promoted() -> set[int]:
    """The identities of all that the rooms promote."""
    rooms = [import_module(f"optimlib.{room}") for room in ROOMS]
    return {id(getattr(room, name)) for room in rooms for name in room.__all__}


def skip(app: Sphinx, what: str, name: str, member: object, skipped: bool, options: Any) -> bool | None:
    """Leave out of the second page what the first describes."""
    inside = what == "module" and app.env.docname.startswith(INSIDE)
    return True if name == KEYWORDS or (inside and id(member) in promoted()) else None


def found(target: str) -> object | None:
    """What can be imported under this name."""
    module, _, name = target.rpartition(".")
    try:
        return getattr(import_module(module), name, None)
    except ImportError:  # the name of something within a class
        owner = found(module) if "." in module else None
        return getattr(owner, name, None)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Follow a link to the place where the thing is described, whatever it is called there."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("optimlib."):
        return None
    thing = found(target)
    last = target.rpartition(".")[2]
    domain = env.get_domain("py")
    for name in domain.objects:
        if name != target and name.rpartition(".")[2] == last and found(name) is thing is not None:
            docname, kind = node.get("refdoc", app.env.docname), node["reftype"]
            return domain.resolve_xref(env, docname, app.builder, kind, name, node, content)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
