"""One Adam step, written in several ways: each function returns what makes a step.

All start from the same parameters with the same gradient, and compute the same equations. All leave the
new parameters in the list that they were given, but for Optax, whose step returns them.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from timing import Step

BLOCK = 163_840
"""Elements of a block of optimlib's in float32. It is imported only where it is measured: an import
frees memory, and what the C library does with blocks depends on what was freed before."""

Arrays = list[np.ndarray]
Contender = Callable[[Arrays, Arrays], Step]


def arrays(shapes: list[tuple[int, ...]], dtype: str) -> tuple[Arrays, Arrays]:
    """Parameters and a gradient: arrays of these shapes."""
    rng = np.random.default_rng(0)

    def some() -> Arrays:
        return [rng.standard_normal(shape, dtype=dtype) for shape in shapes]

    return some(), some()


def ours(params: Arrays, grads: Arrays, compiled: bool = False) -> Step:
    """A step of optimlib's Adam: the rule called on blocks, or compiled by Numba."""
    import optimlib

    optimizer = optimlib.Adam(params, compiled=compiled)
    return lambda: optimizer.step(grads)


def in_fortran_order(params: Arrays, grads: Arrays, compiled: bool = False) -> Step:
    """A step over arrays whose columns lie one behind the other."""
    params, grads = ([np.asfortranarray(array) for array in tree] for tree in (params, grads))
    return ours(params, grads, compiled)


def in_both_orders(params: Arrays, grads: Arrays, compiled: bool = False) -> Step:
    """A step over arrays in Fortran order, whose gradient comes in C order."""
    return ours([np.asfortranarray(array) for array in params], grads, compiled)


def equations(
    g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step, m and v: the equations line for line."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat = m / (1 - 0.9**t)
    v_hat = v / (1 - 0.999**t)
    return 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8), m, v


def moved(
    p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New parameters, m and v."""
    change, m, v = equations(g, m, v, t)
    return p - change, m, v


def textbook(params: Arrays, grads: Arrays) -> Step:
    """The equations on whole arrays, and nothing else; new arrays take the places of the old ones."""
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for k, g in enumerate(grads):
            params[k], m[k], v[k] = moved(params[k], g, m[k], v[k], t)

    return step


def whole_arrays(params: Arrays, grads: Arrays) -> Step:
    """The equations on whole arrays; a NaN is refused as ours does."""
    unchecked = textbook(params, grads)

    def step() -> None:
        if not all(np.isfinite(g).all() for g in grads):
            raise ValueError("the gradient is not finite")
        unchecked()

    return step


def keep_freed() -> None:
    """Let the C library keep what is freed from now on, as making an optimizer of optimlib does."""
    from optimlib.optimizers.engine.blocks import keep_freed_memory

    keep_freed_memory()


def in_place(params: Arrays, grads: Arrays, update: Callable[..., None]) -> Step:
    """A step that changes every array in place: ``update(p, g, m, v, t)``, m and v zero at first."""
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for four in zip(params, grads, m, v, strict=True):
            update(*four, t)

    return step


def blocks(size: int, elements: int) -> Iterator[slice]:
    """The blocks of so many elements of an array of this size."""
    for start in range(0, size, elements):
        yield slice(start, start + elements)


def in_blocks(params: Arrays, grads: Arrays, elements: int, keep: bool = True) -> Step:
    """The equations on blocks of so many elements, in place; each makes temporary arrays.

    With `keep`, the C library keeps the memory of one block's arrays for those of the next one.
    """
    if keep:
        keep_freed()

    def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int) -> None:
        for here in blocks(p.size, elements):
            p[here], m[here], v[here] = moved(p[here], g[here], m[here], v[here], t)

    return in_place(params, grads, update)


def in_scratch(params: Arrays, grads: Arrays, elements: int) -> Step:
    """The calls of `in_blocks`, with results written to the arrays or to two that are kept for it."""
    scratch = np.empty((2, min(elements, max(p.size for p in params))), params[0].dtype)

    def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int) -> None:
        for here in blocks(p.size, elements):
            into_scratch(p[here], g[here], m[here], v[here], t, *scratch)

    return in_place(params, grads, update)


def into_scratch(  # as many arguments as arrays
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    a: np.ndarray,
    b: np.ndarray,
) -> None:
    """The operations of `equations` one by one, in place; `a` and `b` are at least as long as `p`."""
    a, b = a[: p.size], b[: p.size]
    np.multiply(0.9, m, out=m)
    np.multiply(0.1, g, out=a)
    np.add(m, a, out=m)
    np.square(g, out=a)
    np.multiply(0.001, a, out=a)
    np.multiply(0.999, v, out=v)
    np.add(v, a, out=v)
    np.divide(v, 1 - 0.999**t, out=a)
    np.sqrt(a, out=a)
    np.add(a, 1e-8, out=a)
    np.divide(m, 1 - 0.9**t, out=b)
    np.multiply(1e-3, b, out=b)
    np.divide(b, a, out=b)
    np.subtract(p, b, out=p)


def to_bfloat16(x: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, rounded to the nearest, ties to even: bfloat16 as uint16."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16(halves: np.ndarray) -> np.ndarray:
    """The float32 numbers that bfloat16 numbers are."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def bfloat16_in_blocks(params: Arrays, grads: Arrays, elements: int) -> Step:
    """All four arrays kept as bfloat16; every block is widened, stepped, and rounded again."""
    keep_freed()

    def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int) -> None:
        for here in blocks(p.size, elements):
            wide = [from_bfloat16(array[here]) for array in (p, g, m, v)]
            for array, new in zip((p, m, v), moved(*wide, t), strict=True):
                array[here] = to_bfloat16(new)

    return in_place([to_bfloat16(p) for p in params], [to_bfloat16(g) for g in grads], update)


Numbers = tuple[np.floating, ...]


def one_loop(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, c: Numbers) -> None:
    """All operations for one element, then the next element: 7 numbers are read or written for each."""
    for i in range(p.size):
        mean = c[0] * m[i] + c[1] * g[i]
        size = c[2] * v[i] + c[3] * (g[i] * g[i])
        p[i] -= c[6] * (mean / c[4]) / (np.sqrt(size / c[5]) + c[7])
        m[i], v[i] = mean, size


def three_loops(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, c: Numbers) -> None:
    """A loop for each result, as XLA makes them: 3, 3 and 4 numbers are read or written."""
    for i in range(p.size):
        m[i] = c[0] * m[i] + c[1] * g[i]
    for i in range(p.size):
        v[i] = c[2] * v[i] + c[3] * (g[i] * g[i])
    for i in range(p.size):
        p[i] -= c[6] * (m[i] / c[4]) / (np.sqrt(v[i] / c[5]) + c[7])


def three_folded_loops(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, c: Numbers) -> None:
    """The three loops with the corrections in two numbers, as XLA has them: one division, one root."""
    mean, size = c[8] / c[4], c[8] / c[5]
    for i in range(p.size):
        m[i] = c[0] * m[i] + c[1] * g[i]
    for i in range(p.size):
        v[i] = c[2] * v[i] + c[3] * (g[i] * g[i])
    for i in range(p.size):
        p[i] -= c[6] * (m[i] * mean) / (np.sqrt(v[i] * size) + c[7])


def by_numba(params: Arrays, grads: Arrays, loops: Callable[..., None]) -> Step:
    """One of these three functions, compiled by Numba without liberties that would change roundings."""
    import numba

    kernel = numba.njit(error_model="numpy")(loops)
    number = params[0].dtype.type
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        constants = (0.9, 0.1, 0.999, 0.001, 1 - 0.9**t, 1 - 0.999**t, 1e-3, 1e-8, 1.0)
        numbers = tuple(number(constant) for constant in constants)
        for four in zip(params, grads, m, v, strict=True):
            kernel(*four, numbers)

    return step


def copy(params: Arrays, grads: Arrays) -> Step:
    """A copy of the gradient, the measure of what the memory can do."""
    targets = [np.empty_like(p) for p in params]

    def step() -> None:
        for target, g in zip(targets, grads, strict=True):
            np.copyto(target, g)

    return step


def torch_adam(params: Arrays, grads: Arrays, dtype: str = "", **options: bool) -> Step:
    """A step of torch.optim.Adam on one thread; its options are `foreach` and `fused`."""
    import torch

    torch.set_num_threads(1)
    kind = torch.bfloat16 if dtype == "bfloat16" else torch.from_numpy(params[0]).dtype
    parameters = [torch.nn.Parameter(torch.from_numpy(p).to(kind)) for p in params]
    for parameter, g in zip(parameters, grads, strict=True):
        parameter.grad = torch.from_numpy(g).to(kind)
    return torch.optim.Adam(parameters, **options).step


def optax_jit(params: Arrays, grads: Arrays) -> Step:
    """A step of optax.adam, compiled by JAX, whose arrays may take the place of the old ones."""
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    optimizer = optax.adam(1e-3)
    theta, g = jax.tree.map(jax.numpy.asarray, (params, grads))
    state = optimizer.init(theta)

    def update(theta, state, g):  # type: ignore[no-untyped-def]
        steps, state = optimizer.update(g, state, theta)
        return optax.apply_updates(theta, steps), state

    compiled = jax.jit(update, donate_argnums=(0, 1))

    def step() -> Any:
        nonlocal theta, state
        theta, state = compiled(theta, state, g)
        return jax.block_until_ready(theta)

    return step


CONTENDERS: dict[str, Contender] = {
    "called": ours,
    "compiled": partial(ours, compiled=True),
    "textbook": textbook,
    "whole arrays": whole_arrays,
    "torch": torch_adam,
    "torch, foreach": partial(torch_adam, foreach=True),
    "torch, fused": partial(torch_adam, fused=True),
    "optax, jit": optax_jit,
    "copy": copy,
}

ORDERS: dict[str, Contender] = {
    "called": ours,
    "called, Fortran order": in_fortran_order,
    "called, both orders": in_both_orders,
    "compiled": partial(ours, compiled=True),
    "compiled, Fortran order": partial(in_fortran_order, compiled=True),
    "compiled, both orders": partial(in_both_orders, compiled=True),
}

STORED: dict[str, Contender] = {
    "float32, blocks": partial(in_blocks, elements=BLOCK),
    "bfloat16, blocks": partial(bfloat16_in_blocks, elements=BLOCK),
    "float32, torch, fused": partial(torch_adam, fused=True),
    "bfloat16, torch, fused": partial(torch_adam, dtype="bfloat16", fused=True),
}

LOOPS: dict[str, Contender] = {
    "one loop": partial(by_numba, loops=one_loop),
    "three loops": partial(by_numba, loops=three_loops),
    "three folded": partial(by_numba, loops=three_folded_loops),
    "optax, jit": optax_jit,
    "torch, fused": partial(torch_adam, fused=True),
}
