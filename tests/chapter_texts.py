"""The texts of the chapters, and their references, as the tests of the ledger read them."""

import re

from notebook_rules import ROOT


def text_of(chapter: str) -> str:
    """The text of a chapter."""
    return (ROOT / "book" / "text" / f"{chapter}.md").read_text(encoding="utf8")


def numbered_lists(text: str) -> list[tuple[str, ...]]:
    """The items of every numbered list."""
    return [
        tuple(line.split(" ", 1)[1] for line in block.splitlines())
        for block in re.findall(r"(?:^\d+\. .+\n)+", text, flags=re.MULTILINE)
    ]


def reference(key: str) -> dict[str, str]:
    """The fields of an entry of references.bib, without braces."""
    references = (ROOT / "book" / "references.bib").read_text(encoding="utf8")
    (entry,) = re.findall(rf"@\w+\{{{key},.*?\n\}}", references, re.DOTALL)
    fields = re.findall(r"(\w+)\s*=\s*\{(.*?)\},?\n", entry)
    return {name: value.replace("{", "").replace("}", "") for name, value in fields}
