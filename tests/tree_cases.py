"""Trees for the tests of this folder: an example with everything in it, and a strategy for others."""

from typing import NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

PROPERTY = settings(derandomize=True, deadline=None)


class Affine(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def example() -> dict:
    """A tree with every kind of container, of key and of leaf; the keys are not in sorted order."""
    return {
        "out": Affine(W=np.ones((2, 3)), b=np.zeros(3, dtype=np.float32)),
        "layers": [np.arange(2.0), (np.array(0.5), {})],
        'a "quoted" key': {3: np.full((1, 1), 7.0), ("x", 1): np.linspace(0, 1, 4)},
    }


leaves = st.integers(0, 3).map(lambda n: np.full(n, float(n)))
keys = st.one_of(st.text(max_size=3), st.integers(-3, 3))
trees = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.lists(below, max_size=3).map(tuple),
        st.dictionaries(keys, below, max_size=3),
        st.builds(Affine, below, below),
    ),
    max_leaves=8,
)

VIEWS = {
    "every third": lambda a: a[::3],
    "backwards": lambda a: a[::-1],
    "transposed": lambda a: a[: 40 * 50].reshape(40, 50).T,
    "a column": lambda a: a[: 40 * 50].reshape(40, 50)[:, 7],
    "repeated": lambda a: np.broadcast_to(a[:10], (5, 10)),
}
