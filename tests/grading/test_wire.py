"""What passes between judge and student, and what does not."""

import io
import json
import os
import struct
import threading
from contextlib import contextmanager
from enum import StrEnum
from inspect import signature

import numpy as np
import pytest

from grading.inside.wire import LARGEST, GoneError, Peer, Remote, WireError, error_named


@contextmanager
def connected():
    """Two ends, of which one answers in a thread of its own."""
    (a, b), (c, d) = os.pipe(), os.pipe()
    streams = [os.fdopen(a, "rb"), os.fdopen(b, "wb"), os.fdopen(c, "rb"), os.fdopen(d, "wb")]
    near = Peer(streams[0], streams[3], allow_attributes=False)
    far = Peer(streams[2], streams[1], allow_attributes=True)

    def serve():
        try:
            while True:
                far.answer(far.receive())
        except WireError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield near, far
    finally:
        streams[3].close()
        thread.join(5)
        for stream in streams:
            stream.close()


def called(function, *args, **kwargs):
    with connected() as (near, far):
        far.exported.append(function)
        return near.call(0, args, kwargs)


VALUES = [
    None,
    True,
    3,
    10**40,
    0.1,
    float("inf"),
    1 + 2j,
    "text",
    (1, (2.5, "x")),
    [1, [2]],
    {"a": (1, 2), 3: None},
    np.float32(0.1),
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 2), dtype=np.int8),
    np.array(2.5),
    np.arange(6)[::-2],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value):
    back = called(lambda x: x, value)
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray | np.generic):
        assert (back.dtype, back.shape) == (value.dtype, value.shape)


class Verdict(StrEnum):
    FAIL = "fail"


@pytest.mark.parametrize("value", [np.array(["fail", "pass"])[0], Verdict.FAIL], ids=["numpy", "enum"])
def test_text_of_any_kind_arrives_as_text(value):
    back = called(lambda x: x, value)
    assert type(back) is str
    assert back == "fail"


def test_changes_in_place_arrive():
    array, table, items = np.zeros(2), {"old": 1}, [1]

    def change(a, d, xs):
        a += 1
        d.clear()
        d["array"] = a
        xs.append(xs)

    assert called(change, array, table, items) is None
    assert array.tolist() == [1, 1]
    assert table["array"] is array
    assert items[1] is items


def test_changes_arrive_even_if_the_function_fails():
    array = np.zeros(1)

    def change(a):
        a += 1
        raise KeyError("later")

    with pytest.raises(KeyError, match="later"):
        called(change, array)
    assert array[0] == 1


def test_an_argument_that_is_returned_is_the_same_object():
    array = np.zeros(2)
    first, second = called(lambda a: (a, a), array)
    assert first is array
    assert second is array


def test_objects_stay_where_they_are():
    class Counter:
        def __init__(self, start):
            self.value = start

        def up(self, by):
            self.value += by
            return self

    with connected() as (near, far):
        far.exported.append(Counter)
        counter = near.call(0, (5,), {})
        assert isinstance(counter, Remote)
        assert counter.up(2).value == 7
        far.exported.append(lambda c: type(c).__name__)
        assert near.call(len(far.exported) - 1, (counter,), {}) == "Counter"


def test_functions_can_be_called_back_and_not_looked_into():
    assert called(lambda f: f(3) + f(4), lambda x: x * x) == 25
    with pytest.raises(AttributeError, match="not allowed"):
        called(lambda f: f.secret, test_functions_can_be_called_back_and_not_looked_into)


def test_who_asks_whether_a_function_has_an_attribute_hears_no():
    """As `inspect.signature` asks, and with it `check_gradient`."""
    assert called(lambda f: [hasattr(f, "item"), getattr(f, "map", 5), f(2)], abs) == [False, 5, 2]
    assert called(lambda f: len(signature(f).parameters), abs) == 2


@pytest.mark.parametrize("kind", ["ValueError", "UnicodeDecodeError", "SystemExit", "print", "Odd"])
def test_an_error_is_one_of_pythons_or_says_its_name(kind):
    error = error_named(kind, "words")
    assert isinstance(error, Exception)
    assert type(error) is ValueError or str(error) == f"{kind}: words"


ODD = [
    b"",
    b"\0",
    struct.pack(">I", LARGEST + 1),
    struct.pack(">I", 5) + b"{...}",
    struct.pack(">I", 2) + b"[]",
    struct.pack(">I", 100_000) + b"[" * 100_000,
]


@pytest.mark.parametrize("data", ODD, ids=range(len(ODD)))
def test_what_is_no_message_is_refused(data):
    peer = Peer(io.BytesIO(data), io.BytesIO(), allow_attributes=False)
    with pytest.raises(WireError):
        peer.receive()


ODD_ANSWERS = [
    {"value": {"is": "array", "type": "|O", "shape": [1], "data": ""}},
    {"value": {"is": "array", "type": "<f8", "shape": [10**12], "data": ""}},
    {"value": {"is": "array", "type": "<f8", "shape": [-1], "data": "AAAA"}},
    {"value": {"is": "yours", "number": 5}},
    {"value": {"is": "again", "number": 5}},
    {"value": {"is": "nothing"}},
    {"value": {}},
    {"changed": [{"is": "dict"}]},
    {"changed": 3},
    {"error": 3},
    {"do": "attribute", "of": 0, "name": "x"},
]


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=range(len(ODD_ANSWERS)))
def test_an_answer_that_breaks_the_rules_is_an_error(answer):
    data = json.dumps(answer).encode()
    peer = Peer(io.BytesIO(struct.pack(">I", len(data)) + data), io.BytesIO(), allow_attributes=False)
    with pytest.raises((WireError, ValueError, GoneError)):
        peer.call(0, ([1],), {})
