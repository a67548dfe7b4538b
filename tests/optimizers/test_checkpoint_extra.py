"""The caller's own entries in a checkpoint, and parameters that are loaded alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from optimlib import SGD, Adam
from optimlib.optimizers.checkpoint import load_parameters
from optimlib.optimizers.checkpoint_extra import packed_extra, unpacked_extra
from optimlib.optimizers.files import read_arrays, write_arrays

GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_goes_on_where_it_was(tmp_path, generator):
    rng = np.random.Generator(generator(7))
    rng.standard_normal(11)
    optimizer = SGD(np.ones(2), 0.1)
    optimizer.save(tmp_path / "run.npz", extra={"epoch": 3, "rng": rng.bit_generator.state})
    expected = rng.standard_normal(5)
    other = np.random.Generator(generator(1))
    extra = SGD(np.zeros(2), 0.1).load(tmp_path / "run.npz")
    other.bit_generator.state = extra["rng"]
    np.testing.assert_array_equal(other.standard_normal(5), expected)
    assert extra["epoch"] == 3


ENTRIES = {
    "numbers": {"epoch": 3, "loss": 0.1 + 0.2, "big": 2**128 - 1, "minus": -(10**40), "inf": -np.inf},
    "words": {"name": "a [run] \u00fc\x00\n", "": "empty key", "dict": {"list": ["array", 0]}},
    "none": {"nothing": None, "yes": True, "no": False},
    "nested": {"a": {"b": {"c": [1, (2, [3.5, "x"]), {}]}}, "tuple": (), "list": []},
    "numpy": {"float32": np.float32(0.1), "int": np.int64(7), "bool": np.bool_(True)},
}


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_come_back_as_they_were(tmp_path, name):
    optimizer = SGD(np.ones(2), 0.1)
    optimizer.save(tmp_path / "run.npz", extra=ENTRIES[name])
    found = optimizer.load(tmp_path / "run.npz")
    assert found == ENTRIES[name]
    assert [type(value) for value in found.values()] == [type(v) for v in ENTRIES[name].values()]


def test_arrays_among_the_entries_come_back_bit_for_bit(tmp_path):
    arrays = {"f": np.array([0.1, -0.0, np.nan]), "i": np.arange(6).reshape(2, 3), "s": np.array("x")}
    SGD(np.ones(2), 0.1).save(tmp_path / "run.npz", extra={"arrays": [arrays]})
    (found,) = SGD(np.ones(2), 0.1).load(tmp_path / "run.npz")["arrays"]
    for key, array in arrays.items():
        assert isinstance(found[key], np.ndarray)
        assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape)
        assert found[key].tobytes() == array.tobytes()


def test_without_entries_there_are_none(tmp_path):
    optimizer = SGD(np.ones(2), 0.1)
    optimizer.save(tmp_path / "run.npz")
    assert optimizer.load(tmp_path / "run.npz") == {}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"a": {1, 2}}, r"extra\['a'\] is of type set; expected arrays, numbers and strings"),
        ({"a": [0, Path()]}, r"extra\['a'\]\[1\] is of type"),
        ({"a": {3: "x"}}, r"extra\['a'\] has the key 3; expected strings as keys"),
        ({"a": np.array([None])}, r"extra\['a'\] is of type ndarray"),
        ({"a": lambda: 0}, r"extra\['a'\] is of type function"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_nothing_is_written(tmp_path, extra, message):
    with pytest.raises(TypeError, match=message):
        SGD(np.ones(2), 0.1).save(tmp_path / "run.npz", extra=extra)
    assert not list(tmp_path.iterdir())


def test_the_text_in_a_file_is_plain_json():
    packed = packed_extra({"epoch": 3, "w": np.ones(2)})
    assert json.loads(str(packed["extra"])) == ["dict", {"epoch": 3, "w": ["array", 0]}]
    assert list(packed) == ["extra", "extra[0]"]
    np.testing.assert_array_equal(unpacked_extra(packed)["w"], [1, 1])


@pytest.mark.parametrize("text", ["", "[", '["dict"]', '["array", 3]', "3"])
def test_entries_that_are_damaged_are_refused_and_nothing_has_changed(tmp_path, text):
    theta = np.ones(2)
    optimizer = SGD(theta, 0.1)
    optimizer.save(tmp_path / "run.npz", extra={"epoch": 3})
    write_arrays(tmp_path / "bad.npz", read_arrays(tmp_path / "run.npz") | {"extra": np.array(text)})
    theta[:] = 2
    with pytest.raises(ValueError, match="is not for this optimizer"):
        optimizer.load(tmp_path / "bad.npz")
    assert theta.tolist() == [2, 2]


# Parameters alone


def test_parameters_are_loaded_alone_whatever_optimizer_saved_them(tmp_path):
    params = {"W": np.arange(6.0).reshape(2, 3), "b": [np.array(0.5)]}
    optimizer = Adam(params, lambda n: 0.1, clip_norm=1.0)
    optimizer.save(tmp_path / "run.npz", extra={"params": np.zeros(3)})
    theta = {"W": np.zeros((3, 2)).T, "b": [np.zeros(())]}
    load_parameters(tmp_path / "run.npz", theta)
    np.testing.assert_array_equal(theta["W"], params["W"])
    assert theta["b"][0] == 0.5


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"W": np.zeros(2)}, ValueError, r"missing keys .*unexpected keys|unexpected keys"),
        (
            {"W": np.zeros(2), "b": np.zeros(3)},
            ValueError,
            r"saved\[\"params\['b'\]\"\] has shape \(1,\)",
        ),
        ({"W": np.zeros(2, np.float32), "b": np.zeros(1)}, TypeError, "has dtype float64"),
        ({"W": [0.0, 0.0], "b": np.zeros(1)}, TypeError, r"params\['W'\]"),
    ],
)
def test_parameters_of_another_model_are_refused_and_nothing_has_changed(
    tmp_path, params, error, message
):
    SGD({"W": np.ones(2), "b": np.ones(1)}, 0.1).save(tmp_path / "run.npz")
    with pytest.raises(error, match=message):
        load_parameters(tmp_path / "run.npz", params)
    assert not np.any(params["W"])


def test_a_file_without_parameters_is_refused(tmp_path):
    write_arrays(tmp_path / "other.npz", {"a": np.zeros(2)})
    with pytest.raises(ValueError, match="params"):
        load_parameters(tmp_path / "other.npz", {"W": np.zeros(2)})
    with pytest.raises(FileNotFoundError):
        load_parameters(tmp_path / "none.npz", {"W": np.zeros(2)})


@pytest.mark.parametrize("extra", [[1, 2], [], "", "epoch 3", 0, 3, np.zeros(2), ("epoch", 3)])
def test_what_load_could_not_return_is_not_saved(tmp_path, extra):
    optimizer = SGD(np.ones(2), 0.1)
    with pytest.raises(TypeError, match=r"^extra is of type .*; expected a dict$"):
        optimizer.save(tmp_path / "run.npz", extra=extra)
    assert not list(tmp_path.iterdir())


REFUSED = {
    "a generator": (
        np.random.default_rng(0),
        r"extra\['x'\] is of type Gen.*bit_generator\.state",
    ),
    "bytes": (b"abc", r"extra\['x'\] is of type bytes.*frombuffer"),
    "a path": (Path("run.npz"), r"extra\['x'\] is of type \w*Path.*use str"),
    "a set": ({1, 2}, r"extra\['x'\] is of type set.*use list"),
    "a mask": (np.ma.array([1.0, 2.0], mask=[0, 1]), r"extra\['x'\] is a masked array"),
    "objects in fields": (np.zeros(2, dtype=[("a", object)]), r"extra\['x'\] is of type ndarray"),
    "one record with objects": (np.zeros(1, dtype=[("a", "O")])[0], r"extra\['x'\] is of type void"),
}


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_file_cannot_hold_is_named_with_its_remedy(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        SGD(np.ones(2), 0.1).save(tmp_path / "run.npz", extra={"x": value})
    assert not list(tmp_path.iterdir())


def test_extras_that_hold_themselves_are_refused():
    itself, both, deep = {}, [], [1]
    itself["again"], both[:] = itself, [{"back": both}]
    for _ in range(5000):
        deep = [deep]
    for extra in (itself, {"both": both}, {"deep": deep}):
        with pytest.raises(ValueError, match="extra is nested too deeply, or holds itself"):
            packed_extra(extra)
