"""The mean over shards: the gradient of the whole batch, to the same bits whoever computes what."""

import os
import pickle
import random
import re
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from support import bits, unchanged

from optimlib import SGD, NonFiniteError, assert_value_and_grad
from optimlib.training import Checkpoint, fit, shard_mean
from optimlib.trees import flatten


def network(params, x, y):
    """Half the mean squared error of a small network, and its gradient."""
    h = np.tanh(x @ params["W"] + params["b"])
    error = h @ params["v"] - y
    dh = np.outer(error, params["v"]) * (1 - h**2) / len(y)
    gradient = {"W": x.T @ dh, "b": dh.sum(axis=0), "v": h.T @ error / len(y)}
    return (error**2).mean() / 2, gradient


def slow_at_random(params, x, y):
    time.sleep(random.random() / 200)
    return network(params, x, y)


def from_a_worker_that_is_lost(params, x, y):
    if np.all(y > 2):
        os._exit(3)
    return network(params, x, y)


def parameters(dtype=np.float64):
    rng = np.random.default_rng(5)
    shapes = {"W": (3, 4), "b": (4,), "v": (4,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def examples(count, dtype=np.float64):
    rng = np.random.default_rng(6)
    return rng.normal(size=(count, 3)).astype(dtype), rng.normal(size=count).astype(dtype)


def mean_of(theta, x):
    """The mean is the minimum of half the mean squared distance."""
    return ((theta - x) ** 2).mean() / 2, theta - x.mean()


def test_by_hand():
    """Five numbers in two shards of three and two: means 2 and 7, weights 3/5 and 2/5."""
    x = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    seen = []

    def watched(theta, part):
        seen.append(part.tolist())
        return mean_of(theta, part)

    loss, gradient = shard_mean(watched, shards=2)(np.array(0.0), x)
    assert seen == [[1.0, 2.0, 3.0], [4.0, 10.0]]
    np.testing.assert_allclose(gradient, -4.0, rtol=1e-15)  # -(3 * 2 + 2 * 7) / 5
    np.testing.assert_allclose(loss, 13.0, rtol=1e-15)  # (1 + 4 + 9 + 16 + 100) / 5 / 2


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 8, 50, 1000])
@pytest.mark.parametrize("count", [1, 7, 50])
def test_it_is_the_mean_of_all_examples(shards, count):
    params, batch = parameters(), examples(count)
    loss, gradient = shard_mean(network, shards=shards)(params, *batch)
    expected_loss, expected = network(params, *batch)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-14)
    for (path, leaf), (_, right) in zip(flatten(gradient), flatten(expected), strict=True):
        np.testing.assert_allclose(leaf, right, rtol=1e-12, atol=1e-15, err_msg=path)


def test_the_gradient_check_agrees():
    batch = examples(11)
    assert_value_and_grad(lambda params: shard_mean(network, shards=4)(params, *batch), parameters())


def test_every_shard_is_a_message_of_its_own():
    class Counting(ThreadPoolExecutor):
        sent = 0

        def submit(self, function, /, *arguments, **named):
            self.sent += 1
            return super().submit(function, *arguments, **named)

    with Counting(1) as executor:
        shard_mean(network, executor, shards=16)(parameters(), *examples(40))
    assert executor.sent == 16


def test_without_an_executor_it_can_be_pickled():
    params, batch = parameters(), examples(10)
    function = shard_mean(network, shards=3)
    loss, gradient = pickle.loads(pickle.dumps(function))(params, *batch)
    expected_loss, expected = function(params, *batch)
    assert loss == expected_loss
    assert bits(gradient)[0][2:] == bits(expected)[0][2:]


def test_one_shard_is_the_function_itself():
    params, batch = parameters(), examples(9)
    loss, gradient = shard_mean(network, shards=1)(params, *batch)
    expected_loss, expected = network(params, *batch)
    assert loss == expected_loss
    assert all(np.array_equal(gradient[name], expected[name]) for name in params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dtype_stays(dtype):
    _, gradient = shard_mean(network, shards=3)(parameters(dtype), *examples(10, dtype))
    assert {leaf.dtype for leaf in gradient.values()} == {np.dtype(dtype)}


def test_sizes_differ_by_one_at_most_and_no_shard_is_empty():
    for count in range(1, 40):
        for shards in range(1, 12):
            sizes = []

            def watched(theta, x, sizes=sizes):
                sizes.append(len(x))
                return mean_of(theta, x)

            shard_mean(watched, shards=shards)(np.array(0.0), np.arange(float(count)))
            assert sum(sizes) == count
            assert len(sizes) == min(count, shards)
            assert max(sizes) - min(sizes) <= 1


def test_a_tree_of_arrays_is_cut_alike():
    def value_and_grad(theta, batch):
        assert len(batch["x"]) == len(batch["more"][0])
        return mean_of(theta, batch["x"] + batch["more"][0])

    batch = {"x": np.arange(7.0), "more": (np.ones(7),)}
    _, gradient = shard_mean(value_and_grad, shards=3)(np.array(0.0), batch)
    np.testing.assert_allclose(gradient, -4.0)


def test_nothing_is_changed():
    params, batch = parameters(), examples(10)
    with unchanged(params, batch):
        shard_mean(network, shards=3)(params, *batch)


# Who computes what, and when


def forty_steps(executor, value_and_grad=network, shards=5):
    params = parameters()
    fit(
        shard_mean(value_and_grad, executor, shards),
        SGD(params, 0.1, momentum=0.9),
        examples(40),
        epochs=10,
        batch_size=12,
        rng=np.random.default_rng(0),
    )
    return [row[2:] for row in bits(params)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_and_their_order_change_no_bit(workers):
    alone = forty_steps(None)
    with ThreadPoolExecutor(workers) as executor:
        assert forty_steps(executor, slow_at_random) == alone


def test_processes_change_no_bit():
    with ProcessPoolExecutor(2) as executor:
        assert forty_steps(executor) == forty_steps(None)


def test_the_number_of_shards_does_change_bits():
    """So the tests above can fail."""
    assert forty_steps(None, shards=4) != forty_steps(None, shards=5)


def test_a_pool_that_broke_leaves_a_run_that_can_go_on(tmp_path):
    """A pool of the standard library does not outlive a worker; the checkpoint does."""

    def some_steps(executor, function, data):
        params = parameters()
        fit(
            shard_mean(function, executor, shards=3),
            SGD(params, 0.1),
            data,
            epochs=4,
            batch_size=6,
            rng=np.random.default_rng(0),
            checkpoint=Checkpoint(tmp_path / "run.npz", every=1),
        )
        return [row[2:] for row in bits(params)]

    x, y = examples(12)
    last = np.random.default_rng(0)
    last.permutation(12)
    late = last.permutation(12)[-2:]  # the last shard of the second epoch
    y[late] = 3.0
    with ProcessPoolExecutor(2) as executor, pytest.raises(Exception, match="terminated abruptly"):
        some_steps(executor, from_a_worker_that_is_lost, (x, y))
    assert (tmp_path / "run.npz").exists()
    with ProcessPoolExecutor(2) as executor:
        after = some_steps(executor, network, (x, y))
    (tmp_path / "run.npz").unlink()
    assert after == some_steps(None, network, (x, y))


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), TypeError, "value_and_grad is 3; expected a function of params, *batch"),
        ((network, 4), TypeError, "executor is 4; expected an executor, such as"),
        ((network, None, 0), ValueError, "shards is 0; expected a whole number from 1 on"),
        ((network, None, 2.0), ValueError, "shards is 2.0; expected a whole number from 1 on"),
        ((network, None, True), ValueError, "shards is True; expected a whole number from 1 on"),
    ],
)
def test_arguments_that_cannot_be_meant(arguments, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        shard_mean(*arguments)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ((), ValueError, "the batch is empty; expected at least one array"),
        ((np.ones((4, 3)), np.ones(5)), ValueError, "batch[1] has 5 rows; expected 4, as batch[0] has"),
        ((np.ones((0, 3)), np.ones(0)), ValueError, "batch[0] has no rows; expected at least one"),
        (([1.0, 2.0],), TypeError, "batch[0][0] is 1.0; expected an array with one example in each row"),
        ((np.ones(()),), TypeError, "batch[0] is array(1.); expected an array with one example in each"),
    ],
)
def test_batches_that_cannot_be_cut(batch, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        shard_mean(mean_of)(np.array(0.0), *batch)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "value_and_grad returned None (is a return missing?); expected a pair, (loss, grads)"),
        ((np.ones(2), np.ones(2)), "value_and_grad returned a loss of shape (2,); expected one number"),
    ],
)
def test_results_that_are_none(returned, message):
    with pytest.raises(TypeError, match="^" + re.escape(message)):
        shard_mean(lambda theta, x: returned)(np.array(0.0), np.ones(3))


def test_gradients_of_different_shapes_are_refused():
    message = r"^value_and_grad returned grads for its shards without a mean: .*shapes \(2,\) and \(1,\)"
    with pytest.raises(ValueError, match=message):
        shard_mean(lambda theta, x: (0.0, np.ones(len(x))), shards=2)(np.array(0.0), np.ones(3))


@pytest.mark.parametrize("grads", [{"w": "a"}, {"w": np.ma.masked_array([1.0, 2.0], [False, True])}])
def test_gradients_that_are_no_plain_arrays_are_refused(grads):
    message = r"^value_and_grad returned grads for its shards without a mean: .* \['w'\]"
    with pytest.raises(TypeError, match=message):
        shard_mean(lambda theta, x: (0.0, grads))({"w": np.zeros(2)}, np.ones(3))


def test_a_number_that_is_not_finite_stops_the_run_and_says_where():
    def value_and_grad(params, x, y):
        loss, gradient = network(params, x, y)
        gradient["b"][0] = np.inf if x.max() > 2.5 else 0.0
        return loss, gradient

    params = parameters()
    with pytest.raises(NonFiniteError, match=r"^step \d+ .*grads\['b'\]\[0\] is inf"):
        fit(
            shard_mean(value_and_grad, shards=3),
            SGD(params, 0.1),
            examples(100),
            epochs=1,
            batch_size=20,
            rng=np.random.default_rng(0),
        )


def test_an_error_of_a_worker_comes_through():
    def fails(theta, x):
        raise KeyError("no such row")

    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyError, match="no such row"):
        shard_mean(fails, executor)(np.array(0.0), np.ones(4))
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(TypeError, match=r"^value_and_grad cannot be sent to another process \("),
    ):
        shard_mean(fails, executor)(np.array(0.0), np.ones(4))
