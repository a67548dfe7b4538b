"""One Adam step, written in several ways: each function returns what makes a step.

All start from the same parameters with the same gradient, and compute the same equations.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from timing import Step

import optimlib

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


def whole_arrays(params: Arrays, grads: Arrays) -> Step:
    """The equations on whole arrays; a NaN is refused as ours does."""
    params = list(params)
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def step() -> None:
        nonlocal t
        if not all(np.isfinite(g).all() for g in grads):
            raise ValueError("the gradient is not finite")
        t += 1
        for k, g in enumerate(grads):
            change, m[k], v[k] = equations(g, m[k], v[k], t)
            params[k] = params[k] - change

    return step


def copy(params: Arrays, grads: Arrays) -> Step:
    """A copy of the gradient, the measure of what the memory can do."""
    targets = [np.empty_like(p) for p in params]

    def step() -> None:
        for target, g in zip(targets, grads, strict=True):
            np.copyto(target, g)

    return step


def torch_adam(params: Arrays, grads: Arrays, fused: bool = False) -> Step:
    """A step of torch.optim.Adam on one thread."""
    import torch

    torch.set_num_threads(1)
    parameters = [torch.nn.Parameter(torch.from_numpy(p)) for p in params]
    for parameter, g in zip(parameters, grads, strict=True):
        parameter.grad = torch.from_numpy(g)
    return torch.optim.Adam(parameters, fused=fused).step


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

    def step() -> None:
        nonlocal theta, state
        theta, state = compiled(theta, state, g)
        jax.block_until_ready(theta)

    return step


CONTENDERS: dict[str, Contender] = {
    "called": ours,
    "compiled": partial(ours, compiled=True),
    "whole arrays": whole_arrays,
    "torch": torch_adam,
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
