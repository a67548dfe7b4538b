"""How long one Adam step takes, side by side in one run and on one thread.

Measures `optimlib.Adam`, its rule called on blocks and compiled by Numba, the same equations on whole
arrays, a plain copy, `torch.optim.Adam` (default, foreach and fused) and Optax under jit: for four
numbers of parameters, for many small arrays, for arrays kept in bfloat16, and for matrices in Fortran
order, also with a gradient in C order; and one loop beside three of Numba's. The C library keeps what
they free, as it does after an optimizer of optimlib was made. Then come the bandwidth of
the memory, the speed of a product of matrices, steps in blocks of many sizes, and what new memory costs
(memory_and_arithmetic.py). What is not installed is left out. The import of optimlib is measured beside
NumPy's.

Prints microseconds, ratios and the goals beside them, and writes all of it, with a description of the
machine, to adam_step.json beside this file. The chapter on the speed of a step reads the copy in
benchmarks/recorded: put your own file there, and the chapter, executed again, is about your machine.

    python benchmarks/adam_step.py               everything (make bench), in about six minutes
    python benchmarks/adam_step.py float64 1e3   the cases named so, and without writing
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"  # before NumPy starts its threads
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["NPROC"] = "1"  # the flags are not enough: XLA cuts long loops for a thread of every core

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import memory_and_arithmetic
from contenders import CONTENDERS, LOOPS, ORDERS, STORED, Contender, arrays, keep_freed, ours
from timing import machine, measure, page_faults, ratio, summary, versions

ROOT = Path(__file__).resolve().parents[1]


class Case(NamedTuple):
    """The shapes of the arrays, their dtype, how many rounds, and who takes part."""

    shapes: list[tuple[int, ...]]
    dtype: str
    rounds: int
    contenders: dict[str, Contender] = CONTENDERS


CASES = {
    "1e3 float32": Case([(1_000,)], "float32", 301),
    "1e3 float64": Case([(1_000,)], "float64", 301),
    "1e5 float32": Case([(100_000,)], "float32", 201),
    "1e5 float64": Case([(100_000,)], "float64", 201),
    "1e6 float32": Case([(1_000_000,)], "float32", 101),
    "1e6 float64": Case([(1_000_000,)], "float64", 61),
    "1e7 float32": Case([(10_000_000,)], "float32", 31),
    "1e7 float64": Case([(10_000_000,)], "float64", 15),
    "1,000 arrays of 100, float32": Case([(100,)] * 1_000, "float32", 31),
    "1e7 stored": Case([(10_000_000,)], "float32", 15, STORED),
    "1e7 loops": Case([(10_000_000,)], "float32", 21, LOOPS),
    "1,000 x 1,000 float32": Case([(1_000, 1_000)], "float32", 61, ORDERS),
}

Rows = dict[str, dict[str, Any]]
"""By contender: its "median" and "least" time in microseconds, the ratios to the others by their names,
and, where they were counted, the page faults of a step, "faults"."""


class Goal(NamedTuple):
    """The most that a contender may take, in terms of another one or in microseconds an array."""

    case: str
    contender: str
    reference: str
    limit: float


PER_ARRAY = "microseconds an array"
IMPORT = "import"
GOALS = [
    Goal("1e7 float32", "called", "whole arrays", 0.4),
    Goal("1e7 float32", "called", "torch", 0.6),
    Goal("1e7 float32", "compiled", "torch, fused", 1.2),
    Goal("1e7 float32", "compiled", "optax, jit", 1.0),
    Goal("1e6 float32", "compiled", "optax, jit", 1.0),
    Goal("1e3 float32", "called", "torch", 1.0),
    Goal("1,000 arrays of 100, float32", "called", PER_ARRAY, 15.0),
    Goal("1,000 x 1,000 float32", "called, Fortran order", "called", 1.5),
    Goal("1,000 x 1,000 float32", "called, both orders", "called", 1.5),
    Goal("1,000 x 1,000 float32", "compiled, Fortran order", "compiled", 1.5),
    Goal(IMPORT, "optimlib", "numpy", 1.6),
]

SIZES_FOR_MEMORY = (100_000, 1_000_000, 10_000_000)


def run(case: Case) -> Rows:
    """For every contender that is installed its times, the ratios to the others, and page faults."""
    keep_freed()  # for all of them, as making ours does for those that come later
    steps = {}
    for name, contender in case.contenders.items():
        try:
            steps[name] = contender(*arrays(case.shapes, case.dtype))
        except ImportError as error:
            print(f"{name} is left out: {error}")
    rows = table(measure(steps, case.rounds))
    for name, row in rows.items():
        row["faults"] = page_faults(steps[name])
    return rows


def table(times: dict[str, list[float]]) -> Rows:
    """Over the rounds: median and least time, and medians of the ratios to each of the others."""
    return {
        name: row | {other: ratio(times[name], times[other]) for other in times}
        for name, row in summary(times).items()
    }


def imports(rounds: int = 21) -> Rows:
    """The processor's time for `import numpy` and `import optimlib`, in processes of their own, in turn.

    Python may keep what it compiles of their text, as it does unless it is told not to.
    """
    environment = {k: value for k, value in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {"numpy": [], "optimlib": []}
    clock = "from time import process_time as now; start = now(); import {}; print(now() - start)"
    for number in range(rounds + 1):
        for name in times:
            command = [sys.executable, "-c", clock.format(name)]
            answer = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
            )
            if number:  # the first round compiles
                times[name].append(1e6 * float(answer.stdout))
    return table(times)


def temporary_memory(size: int) -> float:
    """The most memory that one step of ours takes beyond what it holds before and after, in MB."""
    tracemalloc.start()
    step = ours(*arrays([(size,)], "float32"))
    step()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - held) / 1e6


def show(case: str, rows: Rows) -> None:
    """Print the times, and the ratio of the contender of a row to that of a column."""
    short = {name: name.replace("Fortran order", "F").replace("both orders", "FC") for name in rows}
    print(f"\n{case:26}{'us':>12}" + "".join(f"{short[name]:>17}" for name in rows))
    for name, row in rows.items():
        ratios = "".join(f"{row[other]:17.3f}" for other in rows)
        print(f"  {name:24}{row['median']:12,.1f}{ratios}", flush=True)


def judged(goal: Goal, results: dict[str, Rows]) -> dict[str, Any] | None:
    """A goal beside what was measured, if it was."""
    row = results.get(goal.case, {}).get(goal.contender, {})
    if goal.reference == PER_ARRAY and row:
        row = row | {PER_ARRAY: row["median"] / len(CASES[goal.case].shapes)}
    if goal.reference not in row:
        return None
    measured = row[goal.reference]
    return goal._asdict() | {"measured": measured, "reached": measured <= goal.limit}


def main(parts: list[str]) -> None:
    """Measure and print; write the JSON file if nothing was left out by its name."""
    if any(part.startswith("-") for part in parts):
        sys.exit(__doc__)
    for part in parts:
        if not any(part in name for name in CASES):
            sys.exit(f"no case has {part!r} in its name; the cases are {', '.join(map(repr, CASES))}")
    chosen = [name for name in CASES if not parts or any(part in name for part in parts)]
    results = {}
    for name in chosen:
        results[name] = run(CASES[name])
        show(name, results[name])
    if not parts:
        results[IMPORT] = imports()
        show(IMPORT, results[IMPORT])
    print("\ngoals")
    goals = [row for goal in GOALS if (row := judged(goal, results))]
    for row in goals:
        what = f"{row['case']}: {row['contender']} / {row['reference']}"
        reached = "reached" if row["reached"] else "MISSED"
        print(f"  {what:70}{row['measured']:8.3f}  at most {row['limit']:<5}{reached}")
    if parts:
        return
    memory = {str(size): temporary_memory(size) for size in SIZES_FOR_MEMORY}
    for size, megabytes in memory.items():
        print(f"temporary memory at {int(size):>10,} parameters: {megabytes:.2f} MB")
    roof = memory_and_arithmetic.everything()
    memory_and_arithmetic.show(roof)
    result = {
        "machine": machine(),
        "versions": versions("numpy", "torch", "jax", "optax", "numba"),
        "threads": 1,
        "threads of XLA": int(os.environ["NPROC"]),
        "roof": roof,
        "cases": {
            name: {"rounds": CASES[name].rounds if name in CASES else 21, "rows": rows}
            for name, rows in results.items()
        },
        "goals": goals,
        "temporary_memory_mb": memory,
    }
    file = Path(__file__).with_suffix(".json")
    rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 4))
    file.write_text(json.dumps(rounded, indent=2) + "\n")
    print(f"written to {file.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
