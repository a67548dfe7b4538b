"""Sphinx extension: what the site gives away is made with it, under ``files/``.

- the package as a wheel, for notebooks that were downloaded one by one;
- the notebooks in two zip files, as they are and without solutions, for a class;
- the assignments as students get them;
- the whole site, with all of these, to read without a network.
"""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

SOLVED = re.compile(r"^([:`]{3,})\{solution\}.*?^\1$\n?", re.DOTALL | re.MULTILINE)
START = re.compile(r"^`{3,}\{solution-start\}", re.MULTILINE)
END = re.compile(r"^(`{3,})\{solution-end\}\n\1$\n?", re.MULTILINE)
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip file of the same contents has the same bytes


def outside(text: str, inside: bool) -> tuple[str, bool]:
    """The part of a cell that is outside of solutions, and whether one is open at its end."""
    parts = []
    while text:
        if inside:
            end = END.search(text)
            text, inside = (text[end.end() :], False) if end else ("", True)
        else:
            start = START.search(text)
            parts.append(text[: start.start()] if start else text)
            text, inside = (text[start.end() :], True) if start else ("", False)
    return SOLVED.sub("", "".join(parts)).strip(), inside


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy in which the exercises are left and their solutions, with all their cells, are gone."""
    kept, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text, inside = outside(cell.source, inside)
            if text:
                kept.append({**cell, "source": text})
        elif not inside:
            kept.append(cell)
    return nbformat.from_dict({**notebook, "cells": kept})


def write_zip(path: Path, contents: dict[str, bytes]) -> None:
    """Write files with the same time for all."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def zipped(site: Path) -> dict[str, bytes]:
    """The files of the site's zip: all but the zip itself, and the PDF, which is made later or is old.

    The paragraph of the front page that offers these two is left out, too.
    """
    left_out = {site / "files" / "site.zip", *site.glob("files/*.pdf")}
    files = {path for path in site.rglob("*") if path.is_file()} - left_out
    contents = {path.relative_to(site).as_posix(): path.read_bytes() for path in files}
    front = BeautifulSoup(contents["book/index.html"], "html.parser")
    front.find(href="../files/site.zip").find_parent("p").decompose()
    return contents | {"book/index.html": str(front).encode()}


def make_files(app: Sphinx, exception: Exception | None) -> None:
    """Fill the folder ``files`` of a site that was built."""
    root, site = Path(app.srcdir), Path(app.outdir)
    if exception or app.builder.name != "html" or not (root / "pyproject.toml").exists():
        return
    folder = site / "files"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--quiet", "-w", folder], cwd=root, check=True, capture_output=True)
    (wheel,) = folder.glob("optimlib-*.whl")
    shutil.copyfile(wheel, site / "_static" / "run" / "optimlib.whl")  # for the cells that run in a page
    notebooks = {
        path.name: nbformat.read(path, as_version=4) for path in (root / "book").glob("*.ipynb")
    }
    for name, change in (("notebooks", lambda notebook: notebook), ("exercises", without_solutions)):
        contents = {key: nbformat.writes(change(book)).encode() for key, book in notebooks.items()}
        write_zip(folder / f"{name}.zip", contents)
    command = [sys.executable, "-m", "grading", "release", "--out", folder / "assignments"]
    command += ["--site", app.config.ogp_site_url] if app.config.ogp_site_url else []
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    write_zip(folder / "site.zip", zipped(site))


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("build-finished", make_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
