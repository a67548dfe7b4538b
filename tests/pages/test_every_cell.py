"""Every cell of every chapter runs in its page and gives the text, tables and figures stored."""

import nbformat
import pytest
import yaml
from notebook_rules import ROOT, code_cells

AT_MOST = 1_200_000  # milliseconds
LONGEST = [
    "clipping",
    "training-a-real-network",
    "beyond-one-machine",
    "when-adam-fails",
    "debugging-a-training-run",
    "which-optimizer",
    "schedules",
]
"""These pages run first, so that two workers end at about the same time."""
EXCEPTIONS = {
    ("conventions", "def table(name)"): "without the project's recordings, the tables do not count them",
    ("a-million-parameters", '"kinks, sum not rounded"'): "roundings decide where the best step lies",
    (
        "a-million-parameters",
        "first, *others = (p.tolerance",
    ): "roundings decide at which step a check stops",
}
"""Cells whose text differs, by page and a part of their code, each with the reason. At most five."""

RESULTS = r"""() => runInPage.cells.map((cell) => {
    const all = (box, which) => [...(box?.querySelectorAll(which) ?? [])];
    const text = (boxes) => boxes.map(({textContent}) => textContent).join("\n");
    const progress = /^gradient check: \d+ of \d+ probes, \d+ s$/gm; // where a check takes five seconds
    const tidy = (text) => text.replace(progress, "").replace(/\s+$/gm, "").trim();
    const loose = (text) => text.replace(/\s+/g, " ").trim();
    return {
        number: cell.number,
        state: cell.state,
        code: cell.original,
        gives: {
            text: tidy(text(all(cell.output, "pre"))),
            tables: loose(text(all(cell.output, ".text_html"))),
            figures: all(cell.output, "img").length,
        },
        stored: {
            text: tidy(text(all(cell.stored, ":is(.stream, .text_plain) pre"))),
            tables: loose(text(all(cell.stored, ".text_html"))),
            figures: all(cell.stored, "img").length,
        },
    };
})"""


def is_for_ones_own_machine(name: str) -> bool:
    """Whether no cell of a page runs in it."""
    cells = code_cells(nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4))
    return all("own-machine" in cell.metadata.get("tags", []) for cell in cells)


def pages_with_cells() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    names = [file.removeprefix("book/") for file in files if (ROOT / f"{file}.ipynb").exists()]
    return sorted(names, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))


def test_exceptions_are_few():
    assert len(EXCEPTIONS) <= 5


PAGES = pages_with_cells()


@pytest.mark.parametrize("name", [name for name in PAGES if is_for_ones_own_machine(name)])
def test_a_page_for_ones_own_machine_says_so_once_and_has_no_buttons(open_page, name):
    page = open_page(name)
    page.wait_for_selector(".run-note")
    (note,) = page.query_selector_all(".run-note")
    assert "your own machine" in note.inner_text()
    assert page.query_selector_all(".run-tools, .run-scratch, .run-button") == []


@pytest.mark.parametrize("name", [name for name in PAGES if not is_for_ones_own_machine(name)])
def test_every_cell_gives_what_is_stored(open_page, name):
    page = open_page(name)
    page.evaluate("runInPage.testing = true")
    page.evaluate("runInPage.cells.at(-1).above.click()")
    done = "runInPage.cells.every(({state}) => state === 'ran' || state === 'failed')"
    page.wait_for_function(done, timeout=AT_MOST)
    results = page.evaluate(RESULTS)[:-1]  # without the scratch cell
    expected = {part for page, part in EXCEPTIONS if page == name}
    different = [
        f"cell {found['number']}, {found['state']}: {found['code'][:200]!r}\n"
        f"   gives  {str(found['gives'])[:1500]}\n   stored {str(found['stored'])[:1500]}"
        for found in results
        if found["state"] != "ran"
        or (found["gives"] != found["stored"] and not any(part in found["code"] for part in expected))
    ]
    failed = (
        "runInPage.all.filter(({hidden, state}) => hidden && state !== 'ran')"
        ".map((cell) => `${cell.source()} ${cell.error}`)"
    )
    assert not different, "\n".join(different)
    assert page.evaluate(failed) == []
    assert [part for part in expected if sum(part in found["code"] for found in results) != 1] == []
