"""Sphinx extension: the tab of the front page shows the book's title once."""

from typing import Any

from sphinx.application import Sphinx


def name_once(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the title of the site where the title of the page says the same."""
    if page == app.config.root_doc:
        context["docstitle"] = ""
        context["theme_logo"] = {**(context.get("theme_logo") or {}), "text": app.config.html_title}


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("html-page-context", name_once)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
