"""Real data that is small enough to ship with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Images and what they show."""

    images: np.ndarray  #: one row an image
    labels: np.ndarray  #: the digit that each image shows


def digits() -> Dataset:
    """1,797 handwritten digits, 8 by 8 pixels each, in the order of their source.

    Returns
    -------
    Dataset
        `images`, float64 of shape (1797, 64): the pixels row by row, 0 for paper to 1 for ink;
        `labels`, integers of shape (1797,): the digits 0 to 9. New arrays with every call.

    Notes
    -----
    The test set of E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI
    Machine Learning Repository, 1998, doi 10.24432/C50P49, licensed CC BY 4.0. The source counts
    ink in steps of 1/16.

    Examples
    --------
    >>> images, labels = digits()
    >>> images.shape, labels[:3]
    ((1797, 64), array([0, 1, 2]))
    """
    with as_file(files("optimlib.lab") / "data" / "digits.csv.gz") as path:
        table = np.loadtxt(path, delimiter=",", dtype=np.int64)
    return Dataset(images=table[:, :64] / 16, labels=table[:, 64])
