"""Work side by side: order, messages, and what an executor that cannot do it says."""

import multiprocessing
import os
import pickle
import re
import threading
from concurrent.futures import (
    BrokenExecutor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial

import numpy as np
import pytest

from optimlib import (
    check_adjoint,
    check_gradient,
    check_hvp,
    check_layer,
    check_value_and_grad,
    check_vjp,
)
from optimlib.executors import check_executor, side_by_side
from optimlib.gradcheck.bounds import Bounds
from optimlib.gradcheck.objective import Objective
from optimlib.gradcheck.probes import Prober


def is_elsewhere():
    """Whether this runs in a process of a pool."""
    return multiprocessing.parent_process() is not None


class Messages:
    """An executor that does its work at once, and keeps what a process would be sent and send back."""

    def __init__(self):
        self.sent, self.returned = [], []

    def submit(self, function, *arguments):
        raise AssertionError

    def map(self, function, *lists):
        for items in zip(*lists, strict=True):
            self.sent.append(pickle.dumps((function, items)))
            self.returned.append(pickle.dumps(function(*items)))
            yield pickle.loads(self.returned[-1])


def loss(theta):
    return float((theta**2).sum())


def grad(theta):
    return 2 * theta


def both(theta):
    return loss(theta), grad(theta)


def key_error_elsewhere(theta):
    if is_elsewhere():
        raise KeyError("no such row")
    return loss(theta)


def type_error_elsewhere(theta):
    if is_elsewhere():
        raise TypeError("no such number")
    return loss(theta)


def exit_elsewhere(theta):
    if is_elsewhere():
        os._exit(3)
    return loss(theta)


THETA = np.linspace(1.0, 2.0, 30)


@pytest.mark.parametrize("count", [0, 1, 15, 64, 1000])
def test_results_come_in_the_order_of_the_items(count):
    numbers = list(range(count))
    with ThreadPoolExecutor(3) as executor:
        assert list(side_by_side(executor, lambda n: n * n, numbers)) == [n * n for n in numbers]
    assert list(side_by_side(None, lambda n: n * n, numbers)) == [n * n for n in numbers]


def test_of_many_items_several_travel_together_and_of_few_each_alone():
    counts = {}
    for items in (12, 64, 700, 10_000):
        executor = Messages()
        assert list(side_by_side(executor, abs, range(items))) == list(range(items))
        counts[items] = len(executor.sent)
    assert counts[12] == 12
    assert counts[64] == 16
    assert 40 < counts[700] < 100
    assert 128 < counts[10_000] < 500
    for most, messages in ((1, 700), (5, 140), (1000, counts[700])):
        executor = Messages()
        list(side_by_side(executor, abs, range(700), most=most))
        assert len(executor.sent) == messages


def test_parameters_travel_once_a_message_and_never_back():
    theta = np.ones(100_000)
    executor = Messages()
    report = check_gradient(loss, grad, theta, executor=executor, coordinates=300, directions=0)
    assert report.verdict == "pass"
    assert max(map(len, executor.sent)) < 1.2 * theta.nbytes
    assert max(map(len, executor.returned)) < 0.1 * theta.nbytes


def test_a_search_that_came_back_has_its_loss_again():
    """It may look at the loss once more, here, where its claim turns out to be wrong."""
    bounds, rng = Bounds(THETA, (-np.inf, np.inf)), np.random.default_rng(0)
    prober = Prober(Objective(loss, grad, THETA, bounds, rng), Messages())
    sent = [prober.scales.search_at(0, (index,)) for index in (0, 29)]
    for search, (settled, best) in zip(sent, prober.measure_once(sent), strict=True):
        assert settled.f(0.25) == search.f(0.25)
        assert best.value == pytest.approx(search.test.claim)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_a_report_is_the_same_in_every_digit(pool, wrong):
    def claim(theta):
        return 2 * theta + wrong * 1e-3 * (theta > 1.5)

    options = {"coordinates": 30, "directions": 2}
    alone = check_gradient(loss, claim, THETA, **options)
    with pool(2) as executor:
        together = check_gradient(loss, claim, THETA, executor=executor, **options)
    assert together == alone
    assert together.evaluations == alone.evaluations
    assert alone.verdict == ("fail" if wrong else "pass")


@pytest.mark.parametrize(
    "check",
    [
        lambda executor: check_value_and_grad(both, THETA, executor=executor),
        lambda executor: check_vjp(np.sqrt, half_over_root, THETA, executor=executor),
    ],
)
def test_other_checks_can_be_sent_to_processes_too(check):
    with ProcessPoolExecutor(2) as executor:
        assert check(executor) == check(None)


def twice_x(x, v):
    return 2 * x * v


def half_over_root(x, dy):
    return dy / (2 * np.sqrt(x))


# What goes wrong


def test_a_loss_that_cannot_be_pickled_is_explained():
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(TypeError, match=r"^loss cannot be sent to another process \(.*; expected a func"),
    ):
        check_gradient(lambda theta: loss(theta), grad, THETA, executor=executor)


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (
            lambda executor: check_value_and_grad(lambda theta: both(theta), THETA, executor=executor),
            "f",
        ),
        (
            lambda executor: check_vjp(lambda x: np.sqrt(x), half_over_root, THETA, executor=executor),
            "f",
        ),
        (
            lambda executor: check_adjoint(lambda x, dx: dx, lambda x, dy: dy, THETA, executor=executor),
            "jvp",
        ),
        (
            lambda executor: check_hvp(lambda x: x**2, twice_x, THETA, executor=executor),
            "grad",
        ),
        (
            lambda executor: check_layer(lambda x: (2 * x, 0), twice_x, THETA, executor=executor),
            "forward",
        ),
    ],
)
def test_what_cannot_be_sent_has_the_name_that_the_user_gave_it(check, name):
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(TypeError, match=rf"^{name} cannot be sent to another process \("),
    ):
        check(executor)


def test_a_lock_inside_a_loss_cannot_be_sent():
    locked = partial(with_lock, threading.Lock())
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(
            TypeError, match=r"^loss cannot be sent .*\(cannot pickle '_thread.lock' object\)"
        ),
    ):
        check_gradient(locked, grad, THETA, executor=executor)
    with ThreadPoolExecutor(1) as executor:
        assert check_gradient(locked, grad, THETA, executor=executor).verdict == "pass"


def with_lock(lock, theta):
    with lock:
        return loss(theta)


class AtOnce(Messages):
    """An executor whose map does all the work before it returns."""

    def map(self, function, *lists):
        return list(map(function, *lists))


@pytest.mark.parametrize("error", [RuntimeError("no such row"), AttributeError("no such name")])
def test_an_error_of_the_function_is_never_blamed_on_the_executor(error):
    def fails(number):
        raise error

    with pytest.raises(type(error), match=f"^{error}$"):
        list(side_by_side(AtOnce(), fails, [1]))


def test_what_dask_cannot_serialize_gets_a_note():
    def fails(number):
        raise TypeError("Could not serialize object of type _MapExpr", "_MapExpr(func=...)")

    with pytest.raises(TypeError, match="Could not serialize") as caught:
        list(side_by_side(AtOnce(), fails, [1], "f"))
    assert caught.value.__notes__ == [
        "f cannot be sent to a worker of Dask: is a lock or an open file in it?"
    ]


@pytest.mark.parametrize("kind", ["KilledWorker", "ClosedClientError", "Unknown"])
def test_errors_of_dask_get_a_note(kind):
    """Dask is optional: errors of these names, of a module that is called like its own, stand for it."""
    error = type(kind, (Exception,), {"__module__": "distributed.somewhere"})

    def fails(number):
        raise error

    with pytest.raises(error) as caught:
        list(side_by_side(AtOnce(), fails, [1], "f"))
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == (kind != "Unknown")
    assert not any("{name}" in note for note in notes)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (key_error_elsewhere, KeyError("no such row")),
        (type_error_elsewhere, TypeError("no such number")),
    ],
)
def test_an_error_in_a_worker_comes_through_as_it_is(function, error):
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(type(error), match=f"^{re.escape(str(error))}$"),
    ):
        check_gradient(function, grad, THETA, executor=executor)


@pytest.mark.parametrize("kind", [TypeError, AttributeError])
def test_an_error_of_what_cannot_be_pickled_is_not_blamed_on_pickling(kind):
    def fails(number):
        raise kind("no such number")

    with ThreadPoolExecutor(1) as executor, pytest.raises(kind, match=r"^no such number$"):
        list(side_by_side(executor, fails, [1]))


def test_a_worker_that_dies_is_explained_and_the_pool_is_refused_from_then_on():
    with ProcessPoolExecutor(1) as executor:
        with pytest.raises(BrokenExecutor) as caught:
            check_gradient(exit_elsewhere, grad, THETA, executor=executor)
        (note,) = caught.value.__notes__
        assert "died while it computed loss: it ran out of memory" in note
        assert "raised an error that cannot be unpickled" in note
        assert note.endswith("or loss was defined after the pool had started")
        with pytest.raises(ValueError, match=r"^executor takes no work .*; expected one that is"):
            check_gradient(loss, grad, THETA, executor=executor)


def test_an_executor_that_was_shut_down_is_refused():
    with ThreadPoolExecutor(1) as executor:
        pass
    with pytest.raises(ValueError, match=r"^executor takes no work \(cannot schedule new futures after"):
        check_gradient(loss, grad, THETA, executor=executor)


class ClientOfDask:
    """Like `distributed.Client`: its map returns futures."""

    def map(self, function, items):
        return [Future() for _ in items]

    def submit(self, function, *arguments):
        return Future()

    def get_executor(self, **options):
        raise AssertionError


class OnlyMap:
    """Like `multiprocessing.Pool`."""

    map = map


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (ClientOfDask(), r"; expected an executor: its .get_executor(pure=False)"),
        (OnlyMap(), "; expected an executor, such as concurrent.futures.ThreadPoolExecutor(4)"),
        (8, "executor is 8; expected an executor, such as concurrent.futures.ThreadPoolExecutor(8)"),
        (-1, "executor is -1; expected an executor, such as concurrent.futures.ThreadPoolExecutor(4)"),
        (ThreadPoolExecutor, "; expected an executor, such as concurrent.futures.ThreadPoolExecutor(4)"),
    ],
)
def test_what_is_no_executor_is_refused(executor, message):
    with pytest.raises(TypeError, match=re.escape(message) + "$"):
        check_executor(executor)
