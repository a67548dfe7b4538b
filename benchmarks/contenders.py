"""One Adam step, written in several ways: each function returns what makes a step.

All start from the same parameters with the same gradient, and compute what chapter 9 defines.
"""

from functools import partial

import numpy as np
from timing import Step

import optimlib

Arrays = list[np.ndarray]


def arrays(sizes: list[int], dtype: str) -> tuple[Arrays, Arrays]:
    """Parameters and a gradient: arrays of these sizes."""
    rng = np.random.default_rng(0)

    def some() -> Arrays:
        return [rng.standard_normal(size, dtype=dtype) for size in sizes]

    return some(), some()


def ours(params: Arrays, grads: Arrays, **options: bool) -> Step:
    """A step of optimlib's Adam."""
    optimizer = optimlib.Adam(params, **options)
    return lambda: optimizer.step(grads)


def equations(
    g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step, m and v: the equations line for line, as chapter 9 writes them."""
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


def whole_arrays_in_place(params: Arrays, grads: Arrays) -> Step:
    """The same without the check, and with the parameters updated in place."""
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for k, g in enumerate(grads):
            change, m[k], v[k] = equations(g, m[k], v[k], t)
            params[k] -= change

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


CONTENDERS = {
    "optimlib": ours,
    "optimlib, compiled": partial(ours, compiled=True),
    "whole arrays": whole_arrays,
    "whole arrays, in place": whole_arrays_in_place,
    "torch": torch_adam,
    "torch, fused": partial(torch_adam, fused=True),
    "optax, jit": optax_jit,
    "copy": copy,
}
