"""Every cell of every chapter runs in its page and gives the text and the figures that are stored."""

import pytest
import yaml
from notebook_rules import ROOT

TEN_MINUTES = 600_000
EXCEPTIONS: dict[tuple[str, int], str] = {}
"""Cells whose text differs, by page and number, each with the reason. At most five in the book."""

RESULTS = r"""() => runInPage.cells.map((cell) => {
    const all = (box, which) => [...(box?.querySelectorAll(which) ?? [])];
    const texts = (box, which) => all(box, which).map((pre) => pre.textContent);
    const tidy = (found) => found.join("\n").replace(/\s+$/gm, "").trim();
    const count = (box, which) => all(box, which).length;
    return {
        number: cell.number,
        state: cell.state,
        code: cell.original,
        text: tidy(texts(cell.output, "pre")),
        stored: tidy(texts(cell.stored, ":is(.stream, .text_plain) pre")),
        pictures: count(cell.output, "img, .text_html"),
        storedPictures: count(cell.stored, "img, .text_html"),
    };
})"""


def pages_with_cells() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    return [file.removeprefix("book/") for file in files if (ROOT / f"{file}.ipynb").exists()]


def test_exceptions_are_few():
    assert len(EXCEPTIONS) <= 5


@pytest.mark.parametrize("name", pages_with_cells())
def test_every_cell_gives_what_is_stored(open_page, name):
    page = open_page(name)
    page.evaluate("runInPage.testing = true")
    page.evaluate("runInPage.cells.at(-1).above.click()")
    done = "runInPage.cells.every(({state}) => state === 'ran' || state === 'failed')"
    page.wait_for_function(done, timeout=TEN_MINUTES)
    different = [
        f"cell {found['number']}, {found['state']}: {found['code'][:200]!r}\n"
        f"   gives  {found['text'][:600]!r}\n   stored {found['stored'][:600]!r}"
        for found in page.evaluate(RESULTS)[:-1]  # without the scratch cell
        if (name, found["number"]) not in EXCEPTIONS
        and (
            found["state"] != "ran"
            or found["text"] != found["stored"]
            or found["pictures"] != found["storedPictures"]
        )
    ]
    failed = (
        "runInPage.all.filter(({hidden, state}) => hidden && state !== 'ran')"
        ".map((cell) => `${cell.source()} ${cell.error}`)"
    )
    assert not different, "\n".join(different)
    assert page.evaluate(failed) == []
