"""What one core's memory and arithmetic can do, and what the size of the blocks does to an Adam step.

The numbers that a roofline needs: seconds of operations that do little but move bytes, of a product of
matrices that does little but multiply, and of steps between them. What the system charges for memory
that it hands out is measured in processes of their own, since what one step frees helps the next one:

    python benchmarks/memory_and_arithmetic.py textbook 5
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from contenders import BLOCK, Arrays, arrays, equations, in_blocks, in_scratch, textbook, torch_adam
from timing import Step, measure, page_faults, summary

ELEMENTS = 40_000_000
"""Of float32: an array has more than four times the bytes of a large cache, as STREAM asks for."""

COUNTED = {"read": 4, "in place": 8, "copy": 8, "add": 12}
"""Bytes per element that the program reads and writes; what the hardware adds is not in them."""

SIDE = 512  # of the square matrices: a product is over before another program gets its turn
PARAMETERS = 10_000_000
IN_CACHE = 16_384  # elements: four arrays of them are half a megabyte in float64
BLOCKS = [512, 2_048, 8_192, 32_768, BLOCK, 524_288, 2_097_152, 8_388_608]
"""Elements; among them the size of optimlib's blocks of float32."""

SHORTER = [100_000, 1_000_000]
"""Parameters of steps of the textbook whose arrays are in a cache, but not in memory that is kept."""

Row = dict[str, Any]
Rows = dict[str, Row]


def adam(p: Any, g: Any, m: Any, v: Any) -> tuple:
    """The equations of the tenth step."""
    change, *state = equations(g, m, v, 10)
    return p, change, tuple(state)


def folded(p: Any, g: Any, m: Any, v: Any) -> tuple:
    """The tenth step with the corrections in two numbers: one division instead of three."""
    c1, c2 = 1 - 0.9**10, 1 - 0.999**10
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    return p, 1e-3 * c2**0.5 / c1 * m / (np.sqrt(v) + 1e-8 * c2**0.5), (m, v)


def products(p: Any, g: Any, m: Any, v: Any) -> tuple:
    """As many operations, but products take the places of the divisions and of the root: not Adam."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = 1.5 * m, 2.5 * v
    return p, 1e-3 * m_hat * (0.5 * v_hat + 1e-8), (m, v)


def descent(p: Any, g: Any) -> tuple:
    """Gradient descent."""
    return p, 1e-3 * g, ()


RULES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "adam": (adam, ("m", "v")),
    "adam, folded": (folded, ("m", "v")),
    "adam, products": (products, ("m", "v")),
    "descent": (descent, ()),
}
"""Rules and the names of their state."""


def memory(rounds: int, elements: int = ELEMENTS) -> Rows:
    """Operations on long arrays of float32, with the bytes that are counted for them."""
    a, b, c = (np.ones(elements, dtype=np.float32) for _ in range(3))
    steps: dict[str, Step] = {
        "read": lambda: np.dot(a, a),
        "in place": lambda: np.multiply(a, 1.0, out=a),
        "copy": lambda: np.copyto(c, a),
        "add": lambda: np.add(a, b, out=c),
    }
    rows = summary(measure(steps, rounds))
    return {name: {"bytes": COUNTED[name] * elements} | row for name, row in rows.items()}


def arithmetic(rounds: int, side: int = SIDE) -> dict[str, float]:
    """A product of two square matrices of float32, with its multiplications and additions."""
    A, B = arrays([(side, side)], "float32")
    C = np.empty_like(A[0])
    rows = summary(measure({"product": lambda: np.matmul(A[0], B[0], out=C)}, rounds))
    return {"side": side, "operations": 2 * side**3} | rows["product"]


def compiled(rounds: int, parameters: int = PARAMETERS, in_cache: int = IN_CACHE) -> Rows:
    """Rules compiled by Numba, alone, on long arrays and on some that stay in a cache.

    They are named as in ``"adam, float32"`` and ``"adam, float32, in cache"``.
    """
    from optimlib.optimizers.engine.compiled import compile_update

    def step(name: str, dtype: str, size: int) -> Step:
        rule, slots = RULES[name]
        (p,), (g,) = arrays([(size,)], dtype)
        state = [np.zeros_like(p) for _ in slots]
        update = compile_update(rule, lambda: None, slots, p.dtype)
        return lambda: update(p, g, *state)

    sizes, steps = {}, {}
    for name in RULES:
        for dtype in ("float32", "float64"):
            for where, size in (("", parameters), (", in cache", in_cache)):
                sizes[f"{name}, {dtype}{where}"] = size
                steps[f"{name}, {dtype}{where}"] = step(name, dtype, size)
    rows = summary(measure(steps, rounds))
    return {name: {"parameters": sizes[name]} | row for name, row in rows.items()}


def block_sizes(rounds: int, parameters: int = PARAMETERS) -> dict[str, Any]:
    """Adam in NumPy on blocks of several sizes, with new temporary arrays and with two that are kept.

    All take turns with the same parameters and the same gradient; the means are their own. The last size
    is that of the whole array. What is freed is kept for the next block where the C library can do so.
    """
    sizes = [*(size for size in BLOCKS if size < parameters), parameters]
    params, grads = arrays([(parameters,)], "float32")
    ways: dict[str, Callable[..., Step]] = {"new": in_blocks, "kept": in_scratch}
    steps = {f"{name} {size}": ways[name](params, grads, size) for size in sizes for name in ways}
    rows: Rows = {name: {**row} for name, row in summary(measure(steps, rounds)).items()}
    for name, row in rows.items():
        row["faults"] = page_faults(steps[name])
    found: dict[str, Any] = {name: {size: rows[f"{name} {size}"] for size in sizes} for name in ways}
    return {"parameters": parameters} | found


def fill(new: bool, parameters: int = PARAMETERS) -> Step:
    """Write a number to all places of an array: of one and the same array, or of a new one each time."""
    array = np.ones(parameters, dtype=np.float32)
    return lambda: (np.empty_like(array) if new else array).fill(1.0)


def long_arrays(parameters: int = PARAMETERS) -> tuple[Arrays, Arrays]:
    """Parameters and a gradient of so many elements."""
    return arrays([(parameters,)], "float32")


ALONE: dict[str, Callable[[], Step]] = (
    {
        "fill": lambda: fill(new=False),
        "fill, new": lambda: fill(new=True),
        "textbook": lambda: textbook(*long_arrays()),
        "torch": lambda: torch_adam(*long_arrays()),
        "torch, foreach": lambda: torch_adam(*long_arrays(), foreach=True),
    }
    | {
        f"blocks of {size}": partial(lambda size: in_blocks(*long_arrays(), size, keep=False), size)
        for size in BLOCKS
    }
    | {
        f"textbook of {size}": partial(lambda size: textbook(*long_arrays(size)), size)
        for size in SHORTER
    }
)
"""What is measured in processes of their own; nothing makes the C library keep what is freed there."""

LARGE_PAGES = ("NUMPY_MADVISE_HUGEPAGE", "THP_MEM_ALLOC_ENABLE")
"""Whether NumPy and PyTorch ask Linux for large pages. NumPy does unless it is told not to."""


def in_process(what: str, rounds: int, large_pages: bool | None = None) -> Row:
    """Times and page faults of one of `ALONE`, with or without large pages, or as libraries have it."""
    environment = {name: value for name, value in os.environ.items() if name not in LARGE_PAGES}
    if large_pages is not None:
        environment |= dict.fromkeys(LARGE_PAGES, str(int(large_pages)))
    command = [sys.executable, __file__, what, str(rounds)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        last = (answer.stderr.splitlines() or ["it said nothing"])[-1]
        kind = ImportError if last.startswith(("ImportError", "ModuleNotFoundError")) else RuntimeError
        raise kind(f"{what} ended with {answer.returncode}: {last}")
    return json.loads(answer.stdout)


def fresh_memory(rounds: int) -> dict[str, Rows]:
    """What new memory costs: with large and small pages, and if malloc is left alone.

    Left alone are steps in blocks and, under "shorter", the textbook on arrays that fit into a cache.
    """
    found: dict[str, Rows] = {"large pages": {}, "small pages": {}}
    for what in ("fill", "fill, new", "textbook", "torch", "torch, foreach"):
        try:
            rows = {name: in_process(what, rounds, name == "large pages") for name in found}
        except ImportError as error:
            print(f"left out: {error}")
            continue
        for name, row in rows.items():
            found[name][what] = row
    found["left alone"] = {str(size): in_process(f"blocks of {size}", rounds) for size in BLOCKS}
    found["shorter"] = {str(size): in_process(f"textbook of {size}", rounds) for size in SHORTER}
    return found


def everything(rounds: int = 11) -> dict[str, Any]:
    """All of these; without Numba there are no compiled rules."""
    found: dict[str, Any] = {"memory": memory(rounds), "arithmetic": arithmetic(rounds)}
    try:
        found["compiled"] = compiled(rounds)
    except ImportError as error:
        print(f"compiled rules are left out: {error}")
    found["blocks"] = block_sizes(rounds)
    found["fresh"] = fresh_memory(rounds=5)
    return found


def show(found: dict[str, Any]) -> None:
    """Print bytes and operations a second, and a step's time by the size of its blocks."""
    print("\nmemory".ljust(27) + "GB/s, least time and median")
    for name, row in found["memory"].items():
        rates = (row["bytes"] / (1e3 * row[kind]) for kind in ("least", "median"))
        print(f"  {name:24}" + "".join(f"{rate:8.1f}" for rate in rates))
    product = found["arithmetic"]
    print(f"product of matrices: {product['operations'] / (1e3 * product['least']):.1f} GFLOP/s")
    for name, row in found.get("compiled", {}).items():
        print(f"  {name:24}{1e3 * row['least'] / row['parameters']:8.3f} ns per parameter")
    blocks = found["blocks"]
    print(f"Adam in NumPy, {blocks['parameters']:,} parameters, ms and page faults: new, kept arrays")
    for size, row in blocks["new"].items():
        pair = (row, blocks["kept"][size])
        cells = "".join(f"{one['least'] / 1e3:10.1f}{one['faults'] or 0:10,}" for one in pair)
        print(f"  blocks of {int(size):>10,}{cells}")
    for name, rows in found["fresh"].items():
        print(f"in processes of their own, {name}: ms, page faults")
        for what, row in rows.items():
            print(f"  {what:20}{row['least'] / 1e3:10.1f}{row['faults'] or 0:10,}")


def main(what: str, rounds: int) -> None:
    """Measure one of `ALONE` in this process, and print its row."""
    step = ALONE[what]()
    row = summary(measure({what: step}, rounds))[what]
    print(json.dumps(row | {"faults": page_faults(step)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
