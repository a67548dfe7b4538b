"""The benchmarks: contenders take the same steps, ratios are medians of ratios, and the script runs."""

import inspect
import json
import os
import re
import statistics
import subprocess
import sys
from itertools import count

import adam_step
import contenders
import data_parallel
import memory_and_arithmetic
import numpy as np
import pytest
import timing
from notebook_rules import ROOT
from support import unchanged

from optimlib import assert_value_and_grad
from optimlib.optimizers.engine.blocks import BLOCK_BYTES


def test_ours_takes_adams_steps():
    """With a constant gradient, every step is the learning rate but for eps: 3e-3 after three."""
    params, grads = contenders.arrays([(50,), (3, 4)], "float64")
    before = [p.copy() for p in params]
    step = contenders.ours(params, grads)
    for _ in range(3):
        step()
    for p, old, g in zip(params, before, grads, strict=True):
        np.testing.assert_allclose(old - p, 3e-3 * np.sign(g), rtol=1e-5)


def test_the_equations_by_hand():
    """g = -2 from zeros: m = -0.2, v = 0.004, and the first step is the learning rate."""
    zero = np.array([0.0])
    found = contenders.equations(np.array([-2.0]), zero, zero, t=1)
    np.testing.assert_allclose(found, [[-1e-3], [-0.2], [0.004]], rtol=1e-7)


@pytest.mark.parametrize("name", ["whole arrays", "copy"])
def test_a_contender_leaves_the_gradient_alone(name):
    params, grads = contenders.arrays([(50,), (3, 4)], "float32")
    with unchanged(grads):
        contenders.CONTENDERS[name](params, grads)()


def after_steps(contender, dtype="float32", steps=5):
    """The parameters after some steps, side by side."""
    params, grads = contenders.arrays([(50,), (12,)], dtype)
    step = contender(params, grads)
    for _ in range(steps):
        found = step()
    return np.concatenate([np.asarray(p) for p in (found or params)])


@pytest.mark.parametrize("elements", [7, 50, 1_000])
def test_steps_in_blocks_have_the_bits_of_the_textbooks_step(elements):
    """Seven does not divide fifty: the last block is shorter."""
    wanted = after_steps(contenders.textbook).tobytes()
    for contender in (contenders.in_blocks, contenders.in_scratch):
        assert after_steps(lambda p, g, way=contender: way(p, g, elements)).tobytes() == wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_contenders_take_the_same_steps(dtype):
    """Ours, the textbook's and those that Numba compiled have the same bits; others round elsewhere."""
    wanted = after_steps(contenders.ours, dtype)
    before = np.concatenate(contenders.arrays([(50,), (12,)], dtype)[0])
    np.testing.assert_allclose(np.abs(wanted - before), 5e-3, rtol=1e-3)
    for name, contender in (contenders.CONTENDERS | contenders.LOOPS).items():
        if name == "copy":
            continue
        try:
            found = after_steps(contender, dtype)
        except ImportError:  # Numba, PyTorch or Optax
            continue
        assert found.dtype == dtype
        if name.startswith(("torch", "optax")) or name.endswith("folded"):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6, err_msg=name)
        elif name == "compiled" or dtype == "float32":
            assert found.tobytes() == wanted.tobytes(), name
        else:  # 1 - 0.999 is not 0.001 to the last bit
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-15, err_msg=name)


def test_a_step_of_a_contender_is_not_that_of_another_rule():
    """The comparison would see a change of sign, of the rate, or a missing correction."""
    wanted = after_steps(contenders.ours)
    for old, new in (("p - change", "p + change"), ("1e-3 *", "2e-3 *"), ("v / (1 - 0.999**t)", "v")):
        ours = (contenders.equations, contenders.moved, contenders.textbook)
        code = "\n".join(inspect.getsource(function) for function in ours)
        assert old in code
        names = vars(contenders).copy()
        exec(code.replace(old, new), names)
        assert np.abs(after_steps(names["textbook"]) - wanted).max() > 1e-4, old


def test_the_chapters_functions_have_the_bits_of_the_benchmarks():
    """What a reader sees is what was measured."""
    text = (ROOT / "book" / "text" / "how-fast-can-a-step-be.md").read_text()
    names = {"np": np}
    for function in ("textbook", "in_blocks", "into_kept"):
        exec(re.search(rf"^def {function}\(.*?(?=\n\S|\n\n|\n```)", text, re.M | re.S).group(), names)
    params, (g,) = contenders.arrays([(62,)], "float32")
    wanted = [params[0].copy(), *np.zeros((2, 62), np.float32)]
    blocks, kept = ([array.copy() for array in wanted] for _ in range(2))
    whole, scratch = tuple(wanted), [array.copy() for array in wanted]
    for t in (1, 2, 3):
        whole = names["textbook"](whole[0], g, *whole[1:], t)
        names["in_blocks"](blocks[0], g, *blocks[1:], t, 20)
        names["into_kept"](kept[0], g, *kept[1:], t, *np.empty((2, 62), np.float32))
        contenders.into_scratch(scratch[0], g, *scratch[1:], t, *np.empty((2, 62), np.float32))
        change, *state = contenders.equations(g, *wanted[1:], t)
        wanted = [wanted[0] - change, *state]
    for found in (whole, blocks, kept, scratch):
        assert [array.tobytes() for array in found] == [array.tobytes() for array in wanted]


def test_bfloat16_is_the_nearest_number_of_eight_digits():
    """Just above 1 they are 1/128 apart, just below 1/256; ties go to the even one."""
    given = np.float32([1 + 1 / 256, 1 + 3 / 256, 1 - 1 / 512, 1 - 1.01 / 512, 0.999, -3.0, 0.0])
    wanted = [1.0, 1 + 1 / 64, 1.0, 1 - 1 / 256, 1.0, -3.0, 0.0]
    halves = contenders.to_bfloat16(given)
    assert halves.dtype == np.uint16
    assert contenders.from_bfloat16(halves).tolist() == wanted


def test_a_step_in_bfloat16_loses_what_is_less_than_half_a_spacing():
    """A step of 1e-3 is lost at 3, where numbers are 1/64 apart, and moves 0.01 nearly as it should."""
    params, grads = [np.float32([3.0, 0.01])], [np.float32([1.0, 1.0])]
    halves = []
    rounded = contenders.to_bfloat16

    def watched(x):
        halves.append(rounded(x))
        return halves[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contenders, "to_bfloat16", watched)
        contenders.bfloat16_in_blocks(params, grads, elements=2)()
    p = contenders.from_bfloat16(halves[2])  # after parameters and gradient were rounded
    assert p[0] == 3.0
    assert p[1] == pytest.approx(0.009, rel=1e-2)


def test_fortran_order_is_that():
    params, grads = contenders.arrays([(4, 3)], "float32")
    contenders.in_fortran_order(params, grads)()
    assert params[0].flags.c_contiguous  # copies are moved
    assert contenders.arrays([(4, 3)], "float32")[0][0].tobytes() == params[0].tobytes()


def test_a_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians():
    """A slow round that hits both leaves it alone."""
    assert timing.ratio([1.0, 50.0, 3.0], [2.0, 100.0, 3.0]) == 0.5
    assert statistics.median([1.0, 50.0, 3.0]) / statistics.median([2.0, 100.0, 3.0]) == 1.0


def test_every_contender_takes_its_turn_in_every_round(monkeypatch):
    clock = count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock) * 1e-3)  # a call takes 1 ms
    order = []
    steps = {name: lambda name=name: order.append(name) for name in "abc"}
    times = timing.measure(steps, rounds=4)
    assert "".join(order) == "aabbcc" + "abc" + "bca" + "cab" + "abc"
    assert {name: len(values) for name, values in times.items()} == {"a": 4, "b": 4, "c": 4}
    np.testing.assert_allclose(times["a"], 1000.0)


def test_the_machine_is_described_without_its_name():
    import platform

    found = timing.machine()
    assert {"processor", "cores", "virtual", "caches", "python"} <= set(found)
    assert platform.node() not in map(str, found.values())
    assert set(timing.versions("numpy", "no-such-package")) == {"numpy"}


def test_least_and_median_are_told_apart():
    assert timing.summary({"a": [3.0, 1.0, 8.0]}) == {"a": {"median": 3.0, "least": 1.0}}


def test_page_faults_are_those_of_new_memory():
    """Forty megabytes that are new have many pages, small or large; the same ones again have none."""
    pytest.importorskip("resource")
    new, kept = memory_and_arithmetic.fill(new=True), memory_and_arithmetic.fill(new=False)
    new(), kept()
    assert timing.page_faults(new) >= 19  # of 2 MiB each
    assert timing.page_faults(kept) < 10


def test_counted_bytes_and_operations(monkeypatch):
    """By hand: an addition of two arrays reads two and writes one; a product of n x n needs 2 n^3."""
    monkeypatch.setattr(
        memory_and_arithmetic, "measure", lambda steps, rounds: {name: [1.0] for name in steps}
    )
    found = memory_and_arithmetic.memory(1, elements=10)
    assert {name: row["bytes"] for name, row in found.items()} == {
        "read": 40,
        "in place": 80,
        "copy": 80,
        "add": 120,
    }
    assert memory_and_arithmetic.arithmetic(1, side=3)["operations"] == 54
    blocks = memory_and_arithmetic.block_sizes(1, parameters=3_000)
    assert list(blocks["new"]) == list(blocks["kept"]) == [512, 2_048, 3_000]


def test_a_process_of_its_own_keeps_nothing_and_fills_what_it_is_told(monkeypatch):
    """One array that is there already, and one that is new: only the second one asks for pages."""
    pytest.importorskip("resource")
    alone = memory_and_arithmetic.in_process
    rows = {what: alone(what, 1, large_pages=False) for what in ("fill", "fill, new")}
    assert set(rows["fill"]) == {"median", "least", "faults"}
    assert rows["fill, new"]["faults"] > rows["fill"]["faults"] + 19
    called = []
    monkeypatch.setattr(contenders, "keep_freed", lambda: called.append(1))
    contenders.in_blocks(*contenders.arrays([(9,)], "float32"), 4, keep=False)
    assert not called
    contenders.in_blocks(*contenders.arrays([(9,)], "float32"), 4)
    assert called
    assert contenders.BLOCK == BLOCK_BYTES // 4


def test_the_folded_rule_is_adams():
    """The corrections moved into two numbers change nothing but roundings."""
    rng = np.random.default_rng(0)
    p, g, m = rng.standard_normal((3, 20))
    found = [rule(p, g, m, m**2) for rule in (memory_and_arithmetic.adam, memory_and_arithmetic.folded)]
    for one, two in zip(found[0], found[1], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


def test_a_process_that_fails_is_not_taken_for_a_library_that_is_missing(monkeypatch):
    """Only what is not installed may be left out of a record."""
    for last, kind in (
        ("ModuleNotFoundError: No module named 'torch'", ImportError),
        ("MemoryError", RuntimeError),
        ("", RuntimeError),
    ):
        answer = subprocess.CompletedProcess([], 1, "", f"Traceback\n{last}" if last else "")
        monkeypatch.setattr(subprocess, "run", lambda *_, answer=answer, **__: answer)
        with pytest.raises(kind, match=re.escape(f"torch ended with 1: {last or 'it said nothing'}")):
            memory_and_arithmetic.in_process("torch", 1)


def test_what_is_not_installed_is_left_out_and_nothing_else(monkeypatch):
    def alone(what, rounds, large_pages=None):
        if what == "torch":
            raise ImportError("torch ended with 1")
        return {"least": 1.0}

    monkeypatch.setattr(memory_and_arithmetic, "in_process", alone)
    found = memory_and_arithmetic.fresh_memory(1)
    for pages in ("large pages", "small pages"):
        assert list(found[pages]) == ["fill", "fill, new", "textbook", "torch, foreach"]
    assert list(found["shorter"]) == ["100000", "1000000"]
    assert all(f"textbook of {size}" in memory_and_arithmetic.ALONE for size in found["shorter"])


@pytest.mark.slow
def test_optax_has_one_thread_in_the_script_as_the_others_do():
    """XLA notes in its program how many threads share a loop; flags alone leave one for every core."""
    pytest.importorskip("jax")
    code = (
        "import os, adam_step{}; import jax; loop = jax.jit(lambda x: 2 * x + 1);"
        "print(loop.lower(jax.numpy.ones(10_000_000)).compile().as_text().count('partitions'))"
    )
    shared = {}
    for name, change in (("script", ""), ("flags alone", "; del os.environ['NPROC']")):
        command = [sys.executable, "-c", code.format(change)]
        folder = ROOT / "benchmarks"
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        shared[name] = int(answer.stdout)
    assert shared["script"] == 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores == 1 or shared["flags alone"] > 0


@pytest.mark.parametrize("parts", [["nonsense"], ["float64", "nonsense"]])
def test_a_name_that_chooses_no_case_is_refused(parts):
    with pytest.raises(SystemExit, match="no case has 'nonsense' in its name; the cases are '1e3"):
        adam_step.main(parts)


def test_the_recorded_steps_have_what_the_chapter_reads():
    recorded = json.loads((ROOT / "benchmarks" / "recorded" / "adam_step.json").read_text())
    for name, case in adam_step.CASES.items():
        assert list(recorded["cases"][name]["rows"]) == list(case.contenders), name
    roof = recorded["roof"]
    assert list(roof["memory"]) == list(memory_and_arithmetic.COUNTED)
    assert list(roof["compiled"]) == [
        f"{name}, {dtype}{where}"
        for name in memory_and_arithmetic.RULES
        for dtype in ("float32", "float64")
        for where in ("", ", in cache")
    ]
    fresh = roof["fresh"]
    assert list(fresh["left alone"]) == [str(size) for size in memory_and_arithmetic.BLOCKS]
    assert list(fresh["large pages"]) == list(fresh["small pages"])
    blocks = {f"blocks of {size}" for size in memory_and_arithmetic.BLOCKS}
    shorter = {f"textbook of {size}" for size in memory_and_arithmetic.SHORTER}  # since the last record
    assert set(fresh["large pages"]) | blocks | shorter == set(memory_and_arithmetic.ALONE)
    sizes = [str(size) for size in (*memory_and_arithmetic.BLOCKS, memory_and_arithmetic.PARAMETERS)]
    assert list(roof["blocks"]["new"]) == list(roof["blocks"]["kept"]) == sizes
    assert {"numpy", "torch", "jax", "optax", "numba"} <= set(recorded["versions"])
    assert recorded["threads"] == 1


@pytest.mark.slow
def test_the_script_runs():
    command = [sys.executable, "benchmarks/adam_step.py", "1e3 float32"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = [line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ")]
    assert {"called", "whole", "copy"} <= set(rows)
    assert "written" not in answer.stdout


# Data-parallel gradients


def test_the_gradient_of_the_networks_is_right():
    params, *batch = data_parallel.network((6, 5, 4, 3), 8)
    assert_value_and_grad(lambda p: data_parallel.value_and_grad(p, *batch), params)
    assert data_parallel.loss(params, *batch) == data_parallel.value_and_grad(params, *batch)[0]


@pytest.mark.parametrize(("name", "parameters"), [("heavy", 301_066), ("light", 2_410)])
def test_the_networks_are_as_large_as_the_page_says(name, parameters):
    sizes, _ = data_parallel.NETWORKS[name]
    params, x, y = data_parallel.network(sizes, 3)
    assert sum(leaf.size for layer in params for leaf in layer.values()) == parameters
    assert x.shape == (3, 64)
    assert y.max() < 10


def test_speed_ups_are_over_the_same_shards_in_one_process(monkeypatch):
    times = {"whole": [8.0, 16.0], "none": [4.0, 8.0], "pool": [2.0, 2.0]}
    monkeypatch.setattr(data_parallel, "measure", lambda steps, rounds: times)
    rows = data_parallel.rows(dict.fromkeys(times), rounds=2)
    assert rows["pool"] == {"seconds": 2e-6, "speed-up": 3.0}  # the median of 2 and 4
    assert rows["none"]["speed-up"] == 1.0
    assert rows["whole"]["speed-up"] == 0.5


def test_the_recorded_file_has_what_the_chapter_reads():
    recorded = json.loads((ROOT / "benchmarks" / "recorded" / "data_parallel.json").read_text())
    for name, (_, examples) in data_parallel.NETWORKS.items():
        assert recorded[name]["examples"] == examples
        assert list(recorded[name]["contenders"]) == [
            "whole",
            "none",
            "pool",
            "dask",
            "pool, nothing sent",
        ]
        assert recorded[name]["bytes sent"] > 8 * recorded[name]["parameters"]
    assert recorded["check"]["verdict"] == "pass"
    assert {"pool, empty", "pool, 1 MB", "dask, empty", "dask, 1 MB"} == set(recorded["messages"])


@pytest.mark.slow
def test_the_data_parallel_script_runs(monkeypatch):
    small = {"heavy": ((8, 16, 10), 32), "light": ((4, 3, 10), 8)}
    monkeypatch.setattr(data_parallel, "NETWORKS", small)
    monkeypatch.setattr(data_parallel, "CHECKED", ((4, 3, 10), 8))
    found = data_parallel.main(rounds=1)
    assert found["heavy"]["examples"] == 32
    assert found["check"]["verdict"] == "pass"
    assert all(row["seconds"] > 0 for row in found["messages"].values())
