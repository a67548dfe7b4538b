"""Where arrays lie: shared memory is found, and separate arrays are left alone."""

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided
from support import unchanged
from tree_cases import PROPERTY

from optimlib.trees import Memory, check_no_shared_memory, check_parameters

# Shared memory


def shared(*arrays: np.ndarray) -> bool:
    """Whether the arrays are refused; the message must name two of them."""
    pairs = [(f"[{i}]", array) for i, array in enumerate(arrays)]
    try:
        check_no_shared_memory(pairs, "theta")
    except ValueError as error:
        found = re.match(
            r"theta\[(\d+)\] and theta\[(\d+)\] share memory; expected separate arrays", str(error)
        )
        assert found
        assert np.shares_memory(arrays[int(found[1])], arrays[int(found[2])])
        assert found[1] != found[2]
        return True
    return False


stretches = st.tuples(st.integers(0, 19), st.integers(0, 20), st.integers(1, 4))


@PROPERTY
@given(st.lists(stretches, min_size=2, max_size=4))
def test_arrays_share_memory_if_and_only_if_an_element_is_in_two(stretches):
    buffer = np.zeros(20)
    numbers = np.arange(20)
    arrays = [buffer[start:stop:step] for start, stop, step in stretches]
    elements = [i for start, stop, step in stretches for i in numbers[start:stop:step].tolist()]
    assert shared(*arrays) == (len(set(elements)) < len(elements))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("the same twice", True),
        ("overlapping", True),
        ("a transpose", True),
        ("a row and a column that cross", True),
        ("long around short", True),
        ("interleaved", False),
        ("neighbors", False),
        ("two columns", False),
        ("real and imaginary parts", False),
        ("empty", False),
    ],
)
def test_shared_memory_by_name(name, expected):
    w = np.zeros(12)
    m = w.reshape(3, 4)
    z = np.zeros(5, dtype=complex)
    pairs = {
        "the same twice": (w, w),
        "overlapping": (w[:7], w[6:]),
        "a transpose": (m, m.T),
        "a row and a column that cross": (m[1], m[:, 2]),
        "long around short": (w, np.zeros(3), w[5:6]),
        "interleaved": (w[::2], w[1::2]),
        "neighbors": (w[:6], w[6:]),
        "two columns": (m[:, 0], m[:, 3]),
        "real and imaginary parts": (z.real, z.imag),
        "empty": (w[3:3], w),
    }
    assert shared(*pairs[name]) is expected


axes = st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from([-2, -1, 1, 1, 2]))
views_of_a_box = st.tuples(st.tuples(axes, axes, axes), st.permutations([0, 1, 2]))


def view_of(box, cuts):
    """Some part of an array with three axes, in another order of the axes."""
    slices, order = cuts
    return box[tuple(slice(start, None, step) for start, _, step in slices)][
        tuple(slice(count) for _, count, _ in slices)
    ].transpose(order)


@settings(PROPERTY, max_examples=4 * PROPERTY.max_examples)
@given(st.lists(views_of_a_box, min_size=2, max_size=6), st.sampled_from([np.float32, np.float64]))
def test_views_of_a_box_share_memory_if_and_only_if_an_element_is_in_two(cuts, dtype):
    box, numbers = np.zeros((4, 4, 4), dtype), np.arange(64).reshape(4, 4, 4)
    elements = [i for cut in cuts for i in view_of(numbers, cut).ravel().tolist()]
    assert shared(*(view_of(box, cut) for cut in cuts)) == (len(set(elements)) < len(elements))


def many_views() -> dict[str, list[np.ndarray]]:
    m, w = np.zeros((700, 600)), np.zeros(40_000)
    return {
        "columns": [m[:, i] for i in range(600)],
        "columns in Fortran order": [m.T[i] for i in range(600)],
        "columns backwards": [m[::-1, i] for i in range(600)],
        "bands of columns": [m[:, i : i + 3] for i in range(0, 600, 3)],
        "bands of unlike width": [m[:, i * (i + 1) // 2 : (i + 1) * (i + 2) // 2] for i in range(34)],
        "interleaved": [w[i::2000] for i in range(2000)],
        "interleaved in pairs": [w.reshape(-1, 2)[i::1000] for i in range(1000)],
        "rows": [m[i] for i in range(700)],
        "columns of a transposed part": [m[::2].T[i] for i in range(600)],
    }


@pytest.mark.parametrize("name", many_views())
def test_many_separate_views_are_told_apart_at_once_and_one_more_is_found(name):
    views = many_views()[name]
    seconds = []
    for _ in range(3):  # a machine at work may be slow once
        started = time.process_time()
        assert not shared(*views)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.7  # all pairs took 2 to 4 s; now it is some 0.01 s
    doubled = views[len(views) // 2]
    assert shared(*views, doubled)
    assert shared(doubled[1:], *views)


def test_what_is_too_hard_to_tell_is_refused_with_a_word(monkeypatch):
    monkeypatch.setattr("optimlib.trees.memory.WORK", 1)
    box = np.zeros((4, 5, 6))
    a, b = box[:, ::2, ::3], box[:, ::3, ::2]
    with pytest.raises(ValueError, match="are views so intricate that they may share memory; expected"):
        check_no_shared_memory([("['a']", a), ("['b']", b)], "theta")


def test_tied_weights_are_refused_with_advice_that_does_not_untie_them():
    w = np.ones((3, 2))
    for tied in (w, w.T, w[:1]):
        with pytest.raises(ValueError, match="to tie weights, pass the array once and add up") as caught:
            check_parameters({"encoder": w, "decoder": tied})
        assert str(caught.value).startswith("params['encoder'] and params['decoder'] share memory")
        assert "copy" not in str(caught.value)


OVERLAPPING = {  # shape, strides in elements of float64
    "a window that slides": ((5, 3), (1, 1), True),
    "windows that just touch": ((5, 3), (3, 1), False),
    "one element again and again": ((4,), (0,), True),
    "rows again and again": ((4, 3), (0, 1), True),
    "axes that interlock and meet": ((4, 3), (2, 3), True),  # 3 * 2 = 2 * 3
    "axes that interlock and do not": ((3, 3), (3, 4), False),
    "a single element, whatever its strides": ((1, 1), (0, 0), False),
    "nothing": ((0, 3), (0, 0), False),
}


@pytest.mark.parametrize(("shape", "strides", "expected"), OVERLAPPING.values(), ids=OVERLAPPING)
def test_an_array_that_overlaps_itself_is_refused_by_name(shape, strides, expected):
    w = as_strided(np.ones(40), shape, tuple(8 * stride for stride in strides))
    elements = as_strided(np.arange(40), shape, tuple(8 * stride for stride in strides)).ravel()
    assert (len(set(elements.tolist())) < elements.size) is expected  # the table is right
    if expected:
        message = re.escape("params[0]['w'] overlaps itself: two of its elements lie in one place;")
        with pytest.raises(ValueError, match=message):
            check_parameters([{"w": w}])
        assert check_parameters([{"w": w}], updated=False)
    else:
        check_parameters([{"w": w}])


def test_elements_that_overlap_by_some_bytes_only_are_found():
    w = as_strided(np.ones(9), (4,), (4,))
    with pytest.raises(ValueError, match="params overlaps itself"):
        check_parameters(w)


def test_parameters_that_share_memory_are_refused():
    w = np.ones(4)
    message = re.escape("theta['W'] and theta['tied'][0] share memory; expected separate arrays")
    with unchanged(w), pytest.raises(ValueError, match=message):
        check_parameters({"W": w, "tied": [w[2:]]}, "theta")


def test_interleaved_parameters_are_accepted():
    w = np.ones(4)
    assert len(check_parameters({"even": w[::2], "odd": w[1::2]})) == 2


@PROPERTY
@given(st.lists(stretches, max_size=4), stretches)
def test_memory_knows_every_overlap_and_invents_none_outside(stretches, probe):
    buffer = np.zeros(20)
    numbers = np.arange(20)
    occupied = [numbers[start:stop:step] for start, stop, step in stretches]
    occupied = [indices for indices in occupied if indices.size]
    start, stop, step = probe
    elements = numbers[start:stop:step]
    answer = Memory([buffer[i[0] : i[-1] + 1] for i in occupied]).overlaps(buffer[start:stop:step])
    if any(np.isin(elements, indices).any() for indices in occupied):
        assert answer
    spans = [np.arange(i[0], i[-1] + 1) for i in occupied]
    if elements.size and not any(elements[0] <= s[-1] and s[0] <= elements[-1] for s in spans):
        assert not answer
    if elements.size and step == 1:
        assert answer == any(np.isin(elements, s).any() for s in spans)


def test_memory_of_nothing_overlaps_nothing():
    assert not Memory([]).overlaps(np.ones(3))


def test_a_long_stretch_before_a_short_one_is_not_forgotten():
    w = np.zeros(10)
    memory = Memory([w[0:8], w[1:2]])
    assert memory.overlaps(w[6:7])
    assert not memory.overlaps(w[8:])
