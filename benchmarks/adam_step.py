"""How long one Adam step takes, side by side in one run and on one thread.

Measures `optimlib.Adam`, the same equations on whole arrays, a plain copy as the measure of what the
memory can do, and, where they are installed, `torch.optim.Adam` (default and fused), Optax under jit
and our own rule compiled by Numba: for three numbers of parameters in both precisions, and for many
small arrays. Prints microseconds and ratios and writes them, with a description of the machine, to
adam_step.json beside this file.

    python benchmarks/adam_step.py
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"  # before NumPy starts its threads
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import importlib.metadata
import json
import statistics
import tracemalloc
from pathlib import Path

from contenders import CONTENDERS, arrays, ours
from timing import machine, measure, ratio

CASES = {
    "1e3 float32": ([1_000], "float32", 301),
    "1e3 float64": ([1_000], "float64", 301),
    "1e5 float32": ([100_000], "float32", 201),
    "1e5 float64": ([100_000], "float64", 201),
    "1e7 float32": ([10_000_000], "float32", 31),
    "1e7 float64": ([10_000_000], "float64", 21),
    "1,000 arrays of 100, float32": ([100] * 1_000, "float32", 101),
}
"""By name: the sizes of the arrays, their dtype, and the number of rounds."""

REFERENCES = ("whole arrays", "torch", "torch, fused")
SIZES_FOR_MEMORY = (100_000, 1_000_000, 10_000_000)


def run(sizes: list[int], dtype: str, rounds: int) -> dict[str, dict[str, float]]:
    """For every contender that is installed the median time in microseconds, and ratios."""
    steps = {}
    for name, contender in CONTENDERS.items():
        try:
            steps[name] = contender(*arrays(sizes, dtype))
        except ImportError as error:
            print(f"{name} is left out: {error}")
    times = measure(steps, rounds)
    return {
        name: {"us": statistics.median(values)}
        | {f"of {other}": ratio(values, times[other]) for other in REFERENCES if other in times}
        for name, values in times.items()
    }


def show(case: str, rows: dict[str, dict[str, float]]) -> None:
    """Print the rows of a case as a table."""
    columns = list(rows["optimlib"])
    print(f"\n{case:30}" + "".join(f"{column:>18}" for column in columns))
    for name, row in rows.items():
        print(
            f"  {name:28}"
            + "".join(f"{row[column]:18,.{1 if column == 'us' else 3}f}" for column in columns)
        )


def temporary_memory(size: int) -> float:
    """The most memory that one step of ours takes beyond what it holds before and after, in MB."""
    tracemalloc.start()
    step = ours(*arrays([size], "float32"))
    step()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - held) / 1e6


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    names = ("numpy", "torch", "jax", "optax", "numba")
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
    return {name: found[name] for name in names if name in found}


def main() -> None:
    """Measure, print, and write the JSON file."""
    result = {"machine": machine(), "versions": versions(), "cases": {}}
    for case, (sizes, dtype, rounds) in CASES.items():
        rows = run(sizes, dtype, rounds)
        show(case, rows)
        result["cases"][case] = {"rounds": rounds, "steps": rows}
    rows = result["cases"]["1,000 arrays of 100, float32"]["steps"]
    print(f"\na step over 1,000 small arrays: {rows['optimlib']['us'] / 1000:.1f} microseconds an array")
    memory = {str(size): temporary_memory(size) for size in SIZES_FOR_MEMORY}
    for size, megabytes in memory.items():
        print(f"temporary memory at {int(size):>10,} parameters: {megabytes:.2f} MB")
    result["temporary_memory_mb"] = memory
    file = Path(__file__).with_suffix(".json")
    rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 4))
    file.write_text(json.dumps(rounded, indent=2) + "\n")
    print(f"written to {file.name}")


if __name__ == "__main__":
    main()
