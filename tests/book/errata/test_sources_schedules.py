"""What a source article gets wrong about schedules: each error is shown, and its correction kept."""

import numpy as np
import pytest

from optimlib.schedules import constant, warmup


def by_batch_size(rate, batch, warmup_batch, batches, repeated=True):
    """Article 5's formula, called a warmup: divide by 1 + batch / warmup_batch for each batch."""
    rates, first = [], rate
    for _ in range(batches):
        rate = (rate if repeated else first) / (1 + batch / warmup_batch)
        rates.append(rate)
    return rates


def before_training(examples, batch, warmup_batch, rate=0.01):
    """Article 5's function: it goes through all batches and returns one number, before any step."""
    for _ in range(examples // batch):
        rate *= 1 - batch / warmup_batch
    return rate


def by_steps(rate, steps, count):
    """What does warm up: a rate that depends on how many steps are finished."""
    schedule = warmup(constant(rate), steps, start=rate / (steps + 1))
    return [schedule(n) for n in range(count)]


def warms_up(rates, full):
    """Whether rates begin low, never fall and reach the full rate."""
    return rates[0] < full and bool(np.all(np.diff(rates) >= 0)) and rates[-1] == pytest.approx(full)


@pytest.mark.parametrize(("batch", "warmup_batch"), [(16, 64), (64, 64), (64, 16), (1, 1000)])
def test_a_divisor_above_one_cannot_raise_a_rate(batch, warmup_batch):
    assert warms_up(by_steps(0.1, 5, 12), 0.1)
    assert not warms_up(by_batch_size(0.1, batch, warmup_batch, 12), 0.1)
    assert not warms_up(by_batch_size(0.1, batch, warmup_batch, 12, repeated=False), 0.1)


def test_the_articles_formula_is_a_geometric_decay_or_a_smaller_constant():
    decay = by_batch_size(0.1, 16, 64, 6)
    np.testing.assert_allclose(decay, 0.1 * 0.8 ** np.arange(1, 7), rtol=1e-14)
    smaller = by_batch_size(0.1, 16, 64, 6, repeated=False)
    np.testing.assert_allclose(smaller, 0.08, rtol=1e-14)
    (of_a_smaller_batch,) = by_batch_size(0.1, 8, 64, 1)
    assert of_a_smaller_batch > 1.05 * smaller[0]  # so with batches of two sizes it is no constant


def test_the_articles_function_has_shrunk_the_rate_before_the_first_step():
    assert before_training(1024, 64, 128) == pytest.approx(0.01 / 2**16, rel=1e-12)
    assert before_training(1024, 64, 64) == 0.0
    assert before_training(64 * 3, 64, 16) < 0 < before_training(64 * 4, 64, 16)  # the sign alternates
    assert before_training(64 * 4, 64, 16) > 0.01  # and the size grows
