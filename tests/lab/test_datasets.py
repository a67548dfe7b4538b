"""The digits are those of their source, they are all there, and so is their license."""

import gzip
import hashlib
from importlib.resources import files

import numpy as np
import pytest

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
