"""Muon: what Newton and Schulz do to singular values, and steps worked by hand."""

from fractions import Fraction

import numpy as np
import pytest
from support import steps_taken

from optimlib.optimizers import Muon
from optimlib.optimizers.muon import QUINTIC, orthogonalized


def five_times(s):
    """The quintic polynomial, five times."""
    a, b, c = (Fraction(str(number)) for number in QUINTIC)
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
        s = Fraction(round(s * 10**30), 10**30) if isinstance(s, Fraction) else s
    return float(s)


ONE = five_times(Fraction(1))
"""What a singular value of 1 becomes."""


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5), (5, 1), (1, 1)])
def test_it_keeps_singular_vectors_and_changes_singular_values_alone(shape):
    """By the decomposition: U q(S) V^T, where S is over its norm."""
    matrix = np.random.default_rng(0).standard_normal(shape)
    U, S, Vt = np.linalg.svd(matrix, full_matrices=False)
    values = [five_times(Fraction(s)) for s in S / np.linalg.norm(S)]
    np.testing.assert_allclose(orthogonalized(matrix, eps=0.0), U * values @ Vt, rtol=0, atol=1e-11)


def test_singular_values_end_near_one():
    s = np.geomspace(0.01, 1, 1000)
    ends = np.array([five_times(Fraction(value)) for value in s])
    assert 0.68 < ends.min() < 0.69
    assert 1.13 < ends.max() < 1.14


def test_singular_values_of_zero_stay_zero():
    matrix = np.outer([1.0, 2.0, 2.0], [3.0, 4.0])
    np.testing.assert_allclose(orthogonalized(matrix, eps=0.0), ONE * matrix / 15, atol=1e-14)
    assert (orthogonalized(np.zeros((3, 2))) == 0).all()


def test_epsilon_is_added_to_the_norm():
    """The norm of diag(3, 4) is 5, with 5 more 10: the singular values are 3/10 and 4/10."""
    expected = np.diag([five_times(Fraction(3, 10)), five_times(Fraction(4, 10))])
    np.testing.assert_allclose(orthogonalized(np.diag([3.0, 4.0]), eps=5.0), expected, atol=1e-14)


def test_the_gradients_scale_does_not_matter():
    g = np.random.default_rng(0).standard_normal((5, 4, 3))
    plain, scaled = (steps_taken(Muon, factor * g, eps=0.0) for factor in (1.0, 2.0**20))
    np.testing.assert_array_equal(scaled, plain)


def test_a_vector_moves_by_one_length_along_its_look_ahead_by_hand():
    """mu = 1/2, g = (4, 0), (0, 4): b = (2, 0), (1, 2).

    Ahead: 1/2 * (1, 2) / (7/8) + 1/2 * (0, 4) / (3/4) = (4/7, 80/21), along (3, 20).
    """
    steps = steps_taken(Muon, [[4, 0], [0, 4]], learning_rate=0.25, momentum=0.5, eps=0.0)
    expected = np.array([[1, 0], [3 / 409**0.5, 20 / 409**0.5]]) * ONE / 4
    np.testing.assert_allclose(steps, expected, rtol=1e-13)


@pytest.mark.parametrize(("shape", "factor"), [((2, 8), 2.0), ((8, 2), 1.0), ((3, 3), 1.0)])
def test_wide_matrices_take_longer_steps_by_hand(shape, factor):
    """Of rank one and norm 1: the step has the norm of q(1) times root(columns / rows), if above 1."""
    g = np.zeros((1, *shape))
    g[0, 0, 0] = 3.0
    step = steps_taken(Muon, g, learning_rate=0.5, eps=0.0)[0]
    assert step[0, 0] == pytest.approx(factor * ONE / 2, rel=1e-13)
    assert np.count_nonzero(step) == 1


def test_more_axes_are_columns_and_a_number_is_one_by_one():
    g = np.random.default_rng(0).standard_normal((1, 4, 3, 2))
    flat = steps_taken(Muon, g.reshape(1, 4, 6))
    np.testing.assert_allclose(steps_taken(Muon, g), flat.reshape(g.shape), rtol=1e-12)
    theta = np.array(0.0)
    Muon(theta, learning_rate=1.0, eps=0.0).step(np.array(-7.0))
    assert theta == pytest.approx(ONE, rel=1e-13)


def test_fortran_order_does_not_matter():
    g = np.random.default_rng(0).standard_normal((3, 4, 6))
    ends = []
    for order in "CF":
        theta = np.zeros((4, 6), order=order)
        optimizer = Muon(theta)
        for one in g:
            optimizer.step(np.array(one, order=order))
        ends.append(theta)
    np.testing.assert_allclose(*ends, rtol=1e-9)


def test_its_weight_decay_is_decoupled():
    """eta = 1/4, lambda = 1/2, from 2: 1/8 of 2, and 1/4 q(1)."""
    theta = np.array([[2.0]])
    Muon(theta, learning_rate=0.25, eps=0.0, weight_decay=0.5).step(np.array([[3.0]]))
    np.testing.assert_allclose(theta, 2 - 1 / 4 - ONE / 4, rtol=1e-13)


def test_nesterov_is_no_choice_here():
    with pytest.raises(TypeError, match="Muon has no nesterov: leave it out"):
        Muon(np.zeros((1, 1)), nesterov=True)
