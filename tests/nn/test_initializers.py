"""Initial weights: bounds, variances and distributions, and the lengths that orthogonal ones keep."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib.nn.initializers import (
    fans,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    orthogonal,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=25)
sizes = st.integers(1, 6)
shapes = st.tuples(sizes, sizes) | st.tuples(sizes, sizes, sizes, sizes)
ALL = [glorot_uniform, glorot_normal, he_uniform, he_normal, orthogonal]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 2), (3, 2)), ([1, 7], (1, 7)), ((8, 3, 5, 5), (75, 200)), ((2, 3, 1, 4), (12, 8))],
    ids=str,
)
def test_fans_count_terms_and_uses(shape, expected):
    # A 5 x 5 convolution of 3 channels adds 75 products; each pixel is used by 8 * 25 outputs.
    assert fans(shape) == expected


# What torch.nn.init (2.13) computes for the standard deviation, and for the bound where it is uniform,
# of a dense layer from 300 to 500 units and of a convolution with 16 outputs, 8 channels, 5 x 5.
BY_HAND = [
    (glorot_uniform, (300, 500), 0.05, 0.0866025403784439),  # a = sqrt(6/800)
    (glorot_normal, (300, 500), 0.05, None),  # sqrt(2/800)
    (he_uniform, (300, 500), 0.0816496580927726, 0.1414213562373095),  # sqrt(6/300)
    (he_normal, (300, 500), 0.0816496580927726, None),  # sqrt(2/300)
    (glorot_uniform, (16, 8, 5, 5), 0.0577350269189626, 0.1),  # sqrt(6/600)
    (glorot_normal, (16, 8, 5, 5), 0.0577350269189626, None),  # sqrt(2/600)
    (he_uniform, (16, 8, 5, 5), 0.1, 0.1732050807568877),  # sqrt(6/200)
    (he_normal, (16, 8, 5, 5), 0.1, None),  # sqrt(2/200)
]


@pytest.mark.parametrize(("initialize", "shape", "std", "bound"), BY_HAND)
def test_the_spread_is_that_of_the_papers(initialize, shape, std, bound):
    rng = np.random.default_rng(0)
    draws = 1 + 200_000 // math.prod(shape)
    weights = np.concatenate([initialize(shape, rng).ravel() for _ in range(draws)])
    n = len(weights)
    assert abs(weights.mean()) < 5 * std / math.sqrt(n)
    kurtosis = 1.8 if bound else 3.0  # of the uniform and of the normal distribution
    deviation = math.sqrt((kurtosis - 1) / n)  # of the variance, relative
    assert abs((weights**2).mean() / std**2 - 1) < 5 * deviation
    assert (weights**4).mean() / std**4 == pytest.approx(kurtosis, rel=0.05)
    if bound:
        assert bound * (1 - 20 / n) < np.abs(weights).max() <= bound


def test_he_weights_keep_the_mean_square_through_layers_with_relu():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 200))
    for _ in range(10):
        x = np.maximum(x @ he_normal((200, 200), rng), 0)
    assert 0.2 < (x**2).mean() < 5
    for _ in range(10):
        x = np.maximum(x @ glorot_normal((200, 200), rng), 0)
    assert (x**2).mean() < 5 / 2**9  # Glorot's halve it in every layer


@PROPERTY
@given(shapes, st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.0]))
def test_orthogonal_rows_or_columns_are_orthonormal(shape, seed, gain):
    weights = orthogonal(shape, np.random.default_rng(seed), gain)
    assert weights.shape == shape
    W = weights.reshape(shape[0], -1)
    products = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    np.testing.assert_allclose(products, gain**2 * np.eye(len(products)), atol=1e-13)


def test_orthogonal_matrices_are_all_equally_likely():
    rng = np.random.default_rng(0)
    matrices = np.array([orthogonal((2, 2), rng) for _ in range(4000)])
    # Rotations and reflections alike, every entry of mean 0 and mean square 1/2, every angle alike.
    assert np.linalg.det(matrices).mean() == pytest.approx(0, abs=0.08)
    np.testing.assert_allclose(matrices.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose((matrices**2).mean(axis=0), 0.5, atol=0.03)
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    counts, _ = np.histogram(angles, bins=8, range=(-math.pi, math.pi))
    assert (np.abs(counts - 500) < 110).all()


@pytest.mark.parametrize("initialize", ALL)
@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 3), [3, 4], (1, 1)], ids=str)
def test_the_same_seed_gives_the_same_weights_and_another_one_others(initialize, shape):
    first, again, other = (initialize(shape, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == tuple(shape)
    assert first.dtype == np.float64
    assert np.array_equal(first, again)
    if shape != (1, 1):
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("initialize", [fans, *ALL])
@pytest.mark.parametrize("shape", [(3,), (), (3, 2, 2), (1, 2, 3, 4, 5), (3, 0), (2, -1)], ids=str)
def test_shapes_that_are_none_of_weights_are_refused(initialize, shape):
    rng = [] if initialize is fans else [np.random.default_rng(0)]
    with pytest.raises(ValueError, match=r"shape is .*; expected \(inputs, outputs\) or \(outputs, in"):
        initialize(shape, *rng)


@pytest.mark.parametrize("initialize", [fans, *ALL])
@pytest.mark.parametrize("shape", [3, (3.0, 2), "32", (True, 2), None, {3: 2}], ids=repr)
def test_shapes_that_are_no_whole_numbers_are_refused(initialize, shape):
    rng = [] if initialize is fans else [np.random.default_rng(0)]
    with pytest.raises(TypeError, match=r"shape is .*; expected a tuple of whole numbers"):
        initialize(shape, *rng)


@pytest.mark.parametrize("initialize", ALL)
@pytest.mark.parametrize("rng", [0, None, np.random, np.random.RandomState(0)], ids=str)
def test_what_is_no_generator_is_refused(initialize, rng):
    with pytest.raises(TypeError, match=r"rng is .*; expected a numpy.random.Generator"):
        initialize((3, 2), rng)


@pytest.mark.parametrize("gain", [0, -1.0, math.nan, math.inf])
def test_a_gain_that_is_not_positive_is_refused(gain):
    with pytest.raises(ValueError, match=r"gain is .*; expected a positive, finite number"):
        orthogonal((3, 2), np.random.default_rng(0), gain)
