"""What a gradient check costs and what it sees, side by side in one run and on one thread.

Checks the gradient of a tanh network of 1e2, 1e4 and 1e6 parameters, in double precision, with
`optimlib.check_gradient` and, where they are installed, `torch.autograd.gradcheck` (slow and fast mode),
`scipy.optimize.check_grad` (all coordinates, and one random direction) and `jax.test_util.check_grads`,
each with its own steps and tolerances. Besides the right gradient there are three wrong ones: one leaf
1 % too large, one number doubled, and the output bias of the other sign. Prints calls, seconds and
verdicts and writes them, with a description of the machine, to gradient_check.json beside this file. A
check that takes longer than `LIMIT` seconds is stopped.

    python benchmarks/gradient_check.py
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"  # before NumPy starts its threads
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["NPROC"] = "1"  # the flags are not enough: XLA cuts long loops for a thread of every core
os.environ["JAX_PLATFORMS"] = "cpu"

import importlib.metadata
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from timing import Step, machine, measure, ratio

from optimlib import check_gradient

SIZES = {"1e2": (7, 10, 2), "1e4": (64, 133, 10), "1e6": (700, 1400, 13)}
"""By the number of parameters: the network's inputs, hidden units and outputs."""

EXAMPLES = 16
LIMIT = 60.0  # seconds
SLOW = 10.0  # seconds: a check that takes longer is timed once, and not in turn with the others
ROUNDS = {"1e2": 31, "1e4": 15, "1e6": 3}
SCIPY_THRESHOLD = 1e-6  # of the norm that check_grad returns; SciPy's documentation of check_derivative

Leaves = dict[str, Any]
"""The network's parameters, or what looks like them: arrays of NumPy, PyTorch or JAX."""


def loss(tanh: Callable, theta: Leaves, X: Any, Y: Any) -> Any:
    """Half the squared error, its mean over the examples: in NumPy, PyTorch and JAX alike."""
    z = tanh(X @ theta["W1"] + theta["b1"]) @ theta["W2"] + theta["b2"]
    return ((z - Y) ** 2).sum() / (2 * len(X))


def gradient(tanh: Callable, theta: Leaves, X: Any, Y: Any) -> Leaves:
    """Its gradient, by hand."""
    h = tanh(X @ theta["W1"] + theta["b1"])
    dz = (h @ theta["W2"] + theta["b2"] - Y) / len(X)
    da = (dz @ theta["W2"].T) * (1 - h**2)
    return {"W1": X.T @ da, "b1": da.sum(0), "W2": h.T @ dz, "b2": dz.sum(0)}


def network(size: str) -> tuple[Leaves, np.ndarray, np.ndarray]:
    """Random parameters, inputs and targets."""
    rng = np.random.default_rng(0)
    inputs, hidden, outputs = SIZES[size]
    theta = {
        "W1": rng.standard_normal((inputs, hidden)) / inputs**0.5,
        "b1": 0.1 * rng.standard_normal(hidden),
        "W2": rng.standard_normal((hidden, outputs)) / hidden**0.5,
        "b2": 0.1 * rng.standard_normal(outputs),
    }
    return theta, rng.standard_normal((EXAMPLES, inputs)), rng.standard_normal((EXAMPLES, outputs))


def claims(theta: Leaves) -> dict[str, Leaves]:
    """By name: what the right gradient is multiplied with, number by number."""
    right = {name: np.ones_like(leaf) for name, leaf in theta.items()}
    one = right["W1"].copy()
    one.flat[one.size // 2] = 2
    return {
        "right": right,
        "W1 1 % too large": right | {"W1": 1.01 * right["W1"]},
        "one number doubled": right | {"W1": one},
        "sign of b2": right | {"b2": -right["b2"]},
    }


class TooSlowError(Exception):
    """A check that takes too long."""


class Calls:
    """How often the loss and the gradient were called, and since when; it ends what takes too long."""

    def __init__(self) -> None:
        self.loss = self.gradient = 0
        self.start = time.perf_counter()

    def seconds(self) -> float:
        """The time since the first moment."""
        return time.perf_counter() - self.start

    def count(self, what: str) -> None:
        """One more call of the loss or of the gradient."""
        setattr(self, what, getattr(self, what) + 1)
        if self.seconds() > LIMIT:
            raise TooSlowError


# The checks: each takes the network, the factors of the claim and a counter, and returns its verdict


def ours(net: tuple, factors: Leaves, calls: Calls) -> str:
    """Our own check: pass, fail, kink or inconclusive."""
    theta, X, Y = net

    def f(t: Leaves) -> float:
        calls.count("loss")
        return loss(np.tanh, t, X, Y)

    def g(t: Leaves) -> Leaves:
        calls.count("gradient")
        return {name: factors[name] * leaf for name, leaf in gradient(np.tanh, t, X, Y).items()}

    return check_gradient(f, g, theta, progress=False).verdict


def scipy_check(net: tuple, factors: Leaves, calls: Calls, *, direction: str = "all") -> str:
    """SciPy's check of a flat vector; the threshold is ours to choose."""
    from scipy.optimize import check_grad

    theta, X, Y = net
    ends = np.cumsum([leaf.size for leaf in theta.values()])[:-1]

    def tree(flat: np.ndarray) -> Leaves:
        parts = zip(theta.items(), np.split(flat, ends), strict=True)
        return {name: part.reshape(leaf.shape) for (name, leaf), part in parts}

    def f(flat: np.ndarray) -> float:
        calls.count("loss")
        return loss(np.tanh, tree(flat), X, Y)

    def g(flat: np.ndarray) -> np.ndarray:
        calls.count("gradient")
        claimed = gradient(np.tanh, tree(flat), X, Y)
        return np.concatenate([(factors[name] * claimed[name]).ravel() for name in theta])

    start = np.concatenate([leaf.ravel() for leaf in theta.values()])
    seed = {} if direction == "all" else {"rng": np.random.default_rng(0)}
    error = check_grad(f, g, start, direction=direction, **seed)
    return "pass" if error <= SCIPY_THRESHOLD else "fail"


def torch_check(net: tuple, factors: Leaves, calls: Calls, *, fast: bool) -> str:
    """PyTorch's check of a function with a backward pass of its own."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    theta, X, Y = net
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    factors = {name: torch.from_numpy(leaf) for name, leaf in factors.items()}

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *leaves: Any) -> Any:
            calls.count("loss")
            ctx.save_for_backward(*leaves)
            return loss(torch.tanh, dict(zip(theta, leaves, strict=True)), X, Y)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> tuple:
            calls.count("gradient")
            g = gradient(torch.tanh, dict(zip(theta, ctx.saved_tensors, strict=True)), X, Y)
            return tuple(dy * factors[name] * g[name] for name in theta)

    leaves = [torch.from_numpy(leaf.copy()).requires_grad_() for leaf in theta.values()]
    passed = torch.autograd.gradcheck(Loss.apply, leaves, fast_mode=fast, raise_exception=False)
    return "pass" if passed else "fail"


def jax_check(net: tuple, factors: Leaves, calls: Calls) -> str:
    """JAX's check of a function with a derivative of its own, in forward and reverse mode."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    theta, X, Y = jax.tree.map(jax.numpy.asarray, net)

    @jax.custom_jvp
    def f(t: Leaves) -> Any:
        calls.count("loss")
        return loss(jax.numpy.tanh, t, X, Y)

    @f.defjvp
    def f_jvp(primals: tuple, tangents: tuple) -> tuple:
        (t,), (dt,) = primals, tangents
        calls.count("gradient")
        g = gradient(jax.numpy.tanh, t, X, Y)
        return f(t), sum((factors[name] * g[name] * dt[name]).sum() for name in t)

    try:
        check_grads(f, (theta,), order=1)
    except AssertionError:
        return "fail"
    return "pass"


CHECKS: dict[str, Callable[[tuple, Leaves, Calls], str]] = {
    "optimlib": ours,
    "torch, slow": partial(torch_check, fast=False),
    "torch, fast": partial(torch_check, fast=True),
    "scipy": scipy_check,
    "scipy, random": partial(scipy_check, direction="random"),
    "jax": jax_check,
}


def verdicts(check: Callable, net: tuple, claimed: dict[str, Leaves]) -> dict[str, Any]:
    """What a check says of each claim, the calls for the right one, and the least seconds."""
    row: dict[str, Any] = {"seconds": math.inf}
    for name, factors in claimed.items():
        calls = Calls()
        try:
            row[name] = check(net, factors, calls)
        except TooSlowError:
            row[name] = f"> {LIMIT:.0f} s"
        row["seconds"] = min(row["seconds"], calls.seconds())
        if name == "right":
            row["loss calls"], row["gradient calls"] = calls.loss, calls.gradient
        if row[name].startswith(">"):
            break  # the others would take as long
    return row


def once(check: Callable, net: tuple, factors: Leaves) -> str:
    """A check with a counter of its own, as it is timed."""
    return check(net, factors, Calls())


def run(size: str) -> dict[str, dict[str, Any]]:
    """For every check that is installed: calls, verdicts, and seconds side by side."""
    net = network(size)
    claimed = claims(net[0])
    rows: dict[str, dict[str, Any]] = {}
    steps: dict[str, Step] = {}
    for name, check in CHECKS.items():
        try:
            rows[name] = verdicts(check, net, claimed)
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        if rows[name]["seconds"] < SLOW:
            steps[name] = partial(once, check, net, claimed["right"])
    times = measure(steps, ROUNDS[size])
    for name, row in rows.items():
        if name in times:
            row["seconds"] = statistics.median(times[name]) / 1e6
        if name in times and "optimlib" in times:
            row["of optimlib"] = ratio(times[name], times["optimlib"])
        else:
            row["of optimlib"] = row["seconds"] / rows["optimlib"]["seconds"]
    return rows


def show(size: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print the rows as a table."""
    parameters = sum(leaf.size for leaf in network(size)[0].values())
    said = list(claims(network(size)[0]))
    print(f"\n{parameters:,} parameters".ljust(26) + "  loss  grad   seconds  of ours", end="")
    print("".join(f"{name:>20}" for name in said))
    for name, row in rows.items():
        calls = f"{row['loss calls']:8}{row['gradient calls']:6}"
        print(f"  {name:21}{calls}{row['seconds']:10.4f}{row['of optimlib']:9.2f}", end="")
        print("".join(f"{row.get(claim, '-'):>20}" for claim in said))


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    names = ("numpy", "torch", "scipy", "jax")
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
    return {name: found[name] for name in names if name in found}


def main() -> None:
    """Measure, print, and write the JSON file."""
    result: dict[str, Any] = {"machine": machine(), "versions": versions(), "limit_seconds": LIMIT}
    result["sizes"] = {}
    for size in SIZES:
        rows = run(size)
        show(size, rows)
        result["sizes"][size] = {"rounds": ROUNDS[size], "checks": rows}
    file = Path(__file__).with_suffix(".json")
    rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 6))
    file.write_text(json.dumps(rounded, indent=2) + "\n")
    print(f"written to {file.name}")


if __name__ == "__main__":
    main()
