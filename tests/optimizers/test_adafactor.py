"""Adafactor: steps worked by hand, vectors and arrays with more axes, and what its state needs."""

import numpy as np
import pytest
from support import close, steps_taken

from optimlib.optimizers import Adafactor

PLAIN = {"eps": 0.0, "eps_scale": 0.5, "learning_rate": 0.5}
FIRST = np.array([[1.0, 2.0], [3.0, 4.0]])
"""Squares 1, 4, 9, 16: R = 5/2, 25/2, C = 5, 10, mean 15/2, V = 5/3, 10/3, 25/3, 50/3.

So the squares of u are 3/5, 6/5, 27/25, 24/25, whose mean is 24/25."""
U = np.sqrt([[3 / 5, 6 / 5], [27 / 25, 24 / 25]])


def test_defaults():
    found = Adafactor(np.zeros(1))
    assert (found.learning_rate, found.decay, found.eps) == (0.01, 0.8, 1e-30)
    assert (found.eps_scale, found.clip_rms) == (1e-3, 1.0)


def test_the_first_step_of_a_matrix_by_hand():
    """Parameters of 0 count as 1/2: steps of u/4. With d = 1/2 they are divided by root(24/25) / d."""
    close(steps_taken(Adafactor, FIRST[None], **PLAIN)[0], U / 4)
    clipped = steps_taken(Adafactor, FIRST[None], clip_rms=0.5, **PLAIN)[0]
    close(clipped, U / 4 / (2 * (24 / 25) ** 0.5))


def test_steps_are_in_proportion_to_the_parameters():
    """The root mean square of 1, 7, 1, 7 is 5: the steps of learning rate 1/2 are 5/2 u."""
    theta = np.array([[1.0, 7.0], [1.0, 7.0]])
    before = theta.copy()
    Adafactor(theta, **PLAIN).step(FIRST)
    close(before - theta, 5 / 2 * U)


def test_the_second_step_by_hand():
    """With kappa = 1 the second mean is half old and half new.

    g = 0, 0, 0, 4: R = 5/4, 25/4 + 4, C = 5/2, 5 + 4, mean 23/4, the last of V is 41/4 * 9 / (23/4).
    """
    gradients = np.array([FIRST, [[0, 0], [0, 4]]])
    second = steps_taken(Adafactor, gradients, decay=1.0, **PLAIN | {"eps_scale": 8.0})[1]
    close(second, [[0, 0], [0, 4 * 4 / (369 / 23) ** 0.5]])


def test_epsilon_is_part_of_the_squares_by_hand():
    """With epsilon 3 the squares are 4, 7, 12, 19: R = 11/2, 31/2, C = 8, 13, mean 21/2."""
    V = np.array([[11 / 2 * 8, 11 / 2 * 13], [31 / 2 * 8, 31 / 2 * 13]]) / (21 / 2)
    close(steps_taken(Adafactor, FIRST[None], **PLAIN | {"eps": 3.0})[0], FIRST / np.sqrt(V) / 4)


def test_a_vector_has_its_second_moment_exactly():
    """kappa = 1: v = 16, then 16/2 + 4/2 = 10; another element 1, then 1/2 + 64/2."""
    steps = steps_taken(Adafactor, [[4, 1], [2, 8]], decay=1.0, clip_rms=100.0, **PLAIN)
    close(steps[0], [1 / 4, 1 / 4])
    # Parameters of -1/4 still count as 1/2.
    close(steps[1], [2 / 10**0.5 / 4, 8 / 32.5**0.5 / 4])


def test_of_more_axes_the_last_two_make_matrices():
    g = np.random.default_rng(0).standard_normal((3, 4, 2))
    together = steps_taken(Adafactor, g[None], clip_rms=100.0, **PLAIN)[0]
    alone = [steps_taken(Adafactor, matrix[None], clip_rms=100.0, **PLAIN)[0] for matrix in g]
    close(together, alone)


def test_the_state_of_a_matrix_is_its_rows_and_columns():
    params = {"W": np.zeros((5, 3)), "b": np.zeros(4), "s": np.zeros(())}
    optimizer = Adafactor(params)
    optimizer.step({"W": np.ones((5, 3)), "b": np.ones(4), "s": np.ones(())})
    sizes = {name: {k: v.size for k, v in tree.items()} for name, tree in optimizer.state.items()}
    assert sizes == {"R": {"W": 5, "b": 4, "s": 1}, "C": {"W": 3, "b": 1, "s": 1}}


def test_its_weight_decay_is_decoupled():
    """eta = 1/4, lambda = 1/2, from 2: 1/8 of 2 beside the step of 1/4 * 2."""
    theta = np.array([2.0])
    Adafactor(theta, learning_rate=0.25, eps=0.0, weight_decay=0.5).step(np.array([3.0]))
    close(theta, [2 - 1 / 4 - 1 / 2])


def test_a_gradient_of_zeros_moves_nothing_and_leaves_no_trouble():
    steps = steps_taken(Adafactor, np.array([np.zeros((2, 2)), FIRST]))
    assert (steps[0] == 0).all()
    assert np.isfinite(steps[1]).all()


@pytest.mark.parametrize(
    "g",
    [
        np.zeros((2, 2)),
        np.full((2, 2), 1e-25),
        np.full(3, 1e-16),
        np.zeros(()),
        np.array([[0.0, 0.0], [0.0, 1e3]]),  # a dead unit, of a pixel that is always blank
        np.array([[1e-12, 0.0], [0.0, 1e2]]),
    ],
    ids=repr,
)
def test_in_float32_the_square_of_eps_is_zero_and_does_not_matter(g):
    """The default of 1e-30, in rows and in columns, has a product below all numbers of float32."""
    single, double = np.ones(g.shape, np.float32), np.ones(g.shape)
    for theta in (single, double):
        optimizer = Adafactor(theta, learning_rate=0.125)
        optimizer.step(g.astype(theta.dtype))
        optimizer.step(g.astype(theta.dtype))
    np.testing.assert_allclose(single, double, rtol=1e-6)
    assert (single[g == 0] == 1).all()


@pytest.mark.parametrize(("keyword", "answer"), [("beta2_decay", "decay"), ("momentum", "left out")])
def test_a_keyword_of_another_library_is_answered(keyword, answer):
    with pytest.raises(TypeError, match=f"Adafactor has no {keyword}: .*{answer}"):
        Adafactor(np.zeros(1), **{keyword: 0.5})
