"""What one core's memory and arithmetic can do, and what the size of the blocks does to an Adam step.

The numbers that a roofline needs: seconds of operations that do little but move bytes, of a product of
matrices that does little but multiply, and of steps between them.
"""

from typing import Any

import numpy as np
from contenders import arrays, equations, in_blocks, in_scratch, textbook
from timing import Step, measure, summary

ELEMENTS = 40_000_000
"""Of float32: an array has more than four times the bytes of a large cache, as STREAM asks for."""

COUNTED = {"read": 4, "in place": 8, "copy": 8, "add": 12}
"""Bytes per element that the program reads and writes; what the hardware adds is not in them."""

SIDE = 512  # of the square matrices: a product is over before another program gets its turn
PARAMETERS = 10_000_000
IN_CACHE = 16_384  # elements: four arrays of them are half a megabyte in float64
BLOCKS = [2**power for power in range(9, 24, 2)]  # elements

Rows = dict[str, dict[str, float]]


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


def adam(p: Any, g: Any, m: Any, v: Any) -> tuple:
    """The equations of the tenth step."""
    change, *state = equations(g, m, v, 10)
    return p, change, tuple(state)


def folded(p: Any, g: Any, m: Any, v: Any) -> tuple:
    """The same step with the corrections in two numbers: one division instead of three."""
    c1, c2 = 1 - 0.9**10, 1 - 0.999**10
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    return p, 1e-3 * c2**0.5 / c1 * m / (np.sqrt(v) + 1e-8 * c2**0.5), (m, v)


def descent(p: Any, g: Any) -> tuple:
    """Gradient descent."""
    return p, 1e-3 * g, ()


RULES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "adam": (adam, ("m", "v")),
    "adam, folded": (folded, ("m", "v")),
    "descent": (descent, ()),
}
"""Rules and the names of their state."""


def block_sizes(rounds: int, parameters: int = PARAMETERS) -> dict[str, Any]:
    """Adam in NumPy on blocks of several sizes, with new temporary arrays and with two that are kept.

    All take turns with the same parameters and the same gradient; the means are their own.
    """
    sizes = [size for size in BLOCKS if size < parameters]
    params, grads = arrays([(parameters,)], "float32")
    steps: dict[str, Step] = {"textbook": textbook(params, grads)}
    for size in [*sizes, parameters]:
        for name, contender in (("new", in_blocks), ("kept", in_scratch)):
            steps[f"{name} {size}"] = contender(params, grads, size)
    rows = summary(measure(steps, rounds))
    return {"parameters": parameters, "textbook": rows["textbook"]} | {
        name: {size: rows[f"{name} {size}"] for size in [*sizes, parameters]} for name in ("new", "kept")
    }


def everything(rounds: int = 11) -> dict[str, Any]:
    """All of these; without Numba there are no compiled rules."""
    found: dict[str, Any] = {"memory": memory(rounds), "arithmetic": arithmetic(rounds)}
    try:
        found["compiled"] = compiled(rounds)
    except ImportError as error:
        print(f"compiled rules are left out: {error}")
    found["blocks"] = block_sizes(rounds)
    return found


def show(found: dict[str, Any]) -> None:
    """Print bytes and operations a second, and a step's time by the size of its blocks."""
    print("\nmemory".ljust(27) + "GB/s, least time and median")
    for name, row in found["memory"].items():
        rates = (row["bytes"] / (1e3 * row[kind]) for kind in ("least", "us"))
        print(f"  {name:24}" + "".join(f"{rate:8.1f}" for rate in rates))
    product = found["arithmetic"]
    print(f"product of matrices: {product['operations'] / (1e3 * product['least']):.1f} GFLOP/s")
    for name, row in found.get("compiled", {}).items():
        print(f"  {name:24}{1e3 * row['us'] / row['parameters']:8.3f} ns per parameter")
    blocks = found["blocks"]
    print(f"Adam in NumPy, {blocks['parameters']:,} parameters: {blocks['textbook']['us'] / 1e3:.1f} ms")
    for size, row in blocks["new"].items():
        print(f"  blocks of {size:>10,}{row['us'] / 1e3:8.1f}{blocks['kept'][size]['us'] / 1e3:8.1f}")
