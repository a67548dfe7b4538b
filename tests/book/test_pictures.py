"""Pictures of the front page and the README are those that the notebooks hold."""

import re

import nbformat
import numpy as np
import pictures
import pytest
from notebook_rules import ROOT
from PIL import Image

MADE = pictures.pictures()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_stored_picture_is_the_figure_of_its_notebook(path):
    stored = np.asarray(Image.open(path).convert("RGB"), dtype=float)
    fresh = np.asarray(MADE[path], dtype=float)
    assert stored.shape == fresh.shape, "run: make pictures"
    assert np.abs(stored - fresh).max() <= 2, "run: make pictures"  # another version may round otherwise


def test_every_stored_card_is_made():
    assert {*(ROOT / "book" / "_static" / "cards").glob("*")} <= {*MADE}


def test_a_figure_that_is_gone_is_named():
    with pytest.raises(ValueError, match=r"index\.ipynb has no figure named fig-front-gone"):
        pictures.figure("index", "fig-front-gone")


def test_the_report_in_the_readme_is_the_one_of_the_front_page():
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    (shown,) = re.findall(r"```pycon\n>>> [^\n]+\n(.+?)```", readme, re.S)
    notebook = nbformat.read(ROOT / "book" / "index.ipynb", as_version=4)
    printed = [o.text for cell in notebook.cells for o in cell.get("outputs", []) if "text" in o]
    assert shown.strip() in [text.strip() for text in printed]
