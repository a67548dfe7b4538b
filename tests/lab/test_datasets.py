"""The digits are those of their source, they are all there, and so is their licence."""

import gzip
import hashlib
import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files

import numpy as np
import pytest
from notebook_rules import ROOT

from optimlib.lab.datasets import Dataset, digits


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits()


def test_shapes_and_dtypes(data):
    assert isinstance(data, Dataset)
    assert (data.images.shape, data.images.dtype) == ((1797, 64), np.dtype(np.float64))
    assert (data.labels.shape, data.labels.dtype.kind) == ((1797,), "i")
    assert data.images.flags.c_contiguous


def test_pixels_are_sixteenths_from_paper_to_ink(data):
    assert set(np.unique(data.images * 16)) == set(range(17))


def test_every_class_has_as_many_images_as_the_source_says(data):
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(data.labels).tolist() == counts


def test_the_first_image_is_the_zero_that_others_print(data):
    assert data.labels[0] == 0
    assert (16 * data.images[0]).reshape(8, 8).tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
        [0, 4, 12, 0, 0, 8, 8, 0],
        [0, 5, 8, 0, 0, 9, 8, 0],
        [0, 4, 11, 0, 1, 12, 7, 0],
        [0, 2, 14, 5, 10, 12, 0, 0],
        [0, 0, 6, 13, 10, 0, 0, 0],
    ]


def test_every_call_returns_new_arrays(data):
    again = digits()
    assert not np.shares_memory(again.images, data.images)
    assert not np.shares_memory(again.labels, data.labels)
    again.images[:] = -1
    again.labels[:] = -1
    third = digits()
    assert np.array_equal(third.images, data.images)
    assert np.array_equal(third.labels, data.labels)


def test_images_and_labels_do_not_share_memory(data):
    assert not np.shares_memory(data.images, data.labels)


def test_the_file_is_the_one_from_the_source():
    compressed = (files("optimlib.lab") / "data" / "digits.csv.gz").read_bytes()
    digest = hashlib.sha256(gzip.decompress(compressed)).hexdigest()
    assert digest == "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


def test_the_licence_lies_beside_the_data():
    text = (files("optimlib.lab") / "data" / "README.md").read_text(encoding="utf8")
    for needed in (
        "E. Alpaydin and C. Kaynak",
        "10.24432/C50P49",
        "creativecommons.org/licenses/by/4.0",
    ):
        assert needed in text
    for needed in ("Alpaydin", "10.24432/C50P49", "CC BY 4.0"):
        assert needed in digits.__doc__


def test_data_and_licence_are_in_the_installed_package(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "optimlib", source / "optimlib")
    run = subprocess.run([*command, "-w", tmp_path, source], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        f"optimlib/lab/data/{path.name}" for path in (ROOT / "optimlib" / "lab" / "data").iterdir()
    }
    assert {f"optimlib/lab/data/{name}" for name in ("README.md", "digits.csv.gz")} <= shipped <= names
