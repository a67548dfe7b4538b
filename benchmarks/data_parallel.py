"""What a data-parallel gradient gains on two workers, and what it costs where a step is too short.

Computes loss and gradient of one batch with `optimlib.training.shard_mean`: on no executor, on a pool
of two processes, and on two workers of a local Dask cluster, in turn within every round. Two processes
that send each other nothing show what the machine gives at best. Two networks:
one whose step is long beside a message, one whose step is shorter than a message. Beside them stands a
gradient check of many coordinates, and what the model of the costs needs: the time of an example, of a
message, and of a byte. Prints seconds and ratios, and writes them, with a description of the machine,
to data_parallel.json beside this file. Every process computes on one thread.

    python benchmarks/data_parallel.py
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"  # before NumPy starts its threads, here and in the workers

import json
import logging
import pickle
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from timing import Step, machine, measure, ratio, versions

from optimlib import check_gradient
from optimlib.executors import Executor
from optimlib.nn import losses
from optimlib.training import shard_mean

Params = list[dict[str, np.ndarray]]

WORKERS = 2
NETWORKS = {"heavy": ((64, 512, 512, 10), 8192), "light": ((64, 32, 10), 64)}
"""By name: the sizes of the layers, from the inputs to the outputs, and the examples of a batch."""

ROUNDS = 15
COORDINATES = 50  # of every leaf of the network whose gradient is checked
CHECKED = ((64, 512, 10), 512)


def network(sizes: tuple[int, ...], examples: int) -> tuple[Params, np.ndarray, np.ndarray]:
    """Random parameters of every layer, inputs and labels."""
    rng = np.random.default_rng(0)
    params = [
        {"W": rng.standard_normal((inputs, outputs)) / inputs**0.5, "b": np.zeros(outputs)}
        for inputs, outputs in pairwise(sizes)
    ]
    return params, rng.standard_normal((examples, sizes[0])), rng.integers(sizes[-1], size=examples)


def value_and_grad(params: Params, x: np.ndarray, y: np.ndarray) -> tuple[float, Params]:
    """The mean cross entropy of a network with layers of tanh, and its gradient."""
    *hidden, last = params
    activations = [x]
    for layer in hidden:
        activations.append(np.tanh(activations[-1] @ layer["W"] + layer["b"]))
    value, delta = losses.softmax_cross_entropy(activations[-1] @ last["W"] + last["b"], y)
    gradient = []
    for layer, h in zip(reversed(params), reversed(activations), strict=True):
        gradient.append({"W": h.T @ delta, "b": delta.sum(0)})
        if h is not x:
            delta = delta @ layer["W"].T * (1 - h**2)
    return value, gradient[::-1]


def loss(params: Params, x: np.ndarray, y: np.ndarray) -> float:
    """The loss alone."""
    *hidden, last = params
    for layer in hidden:
        x = np.tanh(x @ layer["W"] + layer["b"])
    return losses.softmax_cross_entropy(x @ last["W"] + last["b"], y)[0]


@contextmanager
def executors() -> Iterator[dict[str, Executor | None]]:
    """None, a pool of processes and, where Dask is installed, a local cluster."""
    found: dict[str, Executor | None] = {"none": None}
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:  # as Dask does
        found["pool"] = pool
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            print(f"Dask is left out: {error}")
            yield found
            return
        options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": None}
        with (
            LocalCluster(silence_logs=logging.CRITICAL, **options) as cluster,
            Client(cluster) as client,
        ):
            yield found | {"dask": client.get_executor(pure=False)}


def rows(steps: dict[str, Step], rounds: int) -> dict[str, dict[str, float]]:
    """The median seconds of every contender, and how many times faster it is than "none"."""
    times = measure(steps, rounds)
    return {
        name: {
            "seconds": statistics.median(times[name]) / 1e6,
            "speed-up": ratio(times["none"], times[name]),
        }
        for name in steps
    }


def gradients(name: str, found: dict[str, Executor | None], rounds: int) -> dict[str, Any]:
    """One gradient of a batch: whole, and in as many shards as there are workers."""
    params, *batch = network(*NETWORKS[name])
    steps: dict[str, Step] = {"whole": partial(value_and_grad, params, *batch)}
    for kind, executor in found.items():
        shards = shard_mean(value_and_grad, executor, shards=WORKERS)
        steps[kind] = partial(shards, params, *batch)
    half = [array[: len(array) // WORKERS] for array in batch]
    pool = found.get("pool")
    if pool is not None:
        steps["pool, nothing sent"] = partial(side_by_side, pool, *NETWORKS[name])
    return {
        "parameters": sum(leaf.size for layer in params for leaf in layer.values()),
        "examples": len(batch[0]),
        "bytes sent": len(pickle.dumps((params, half))),
        "bytes returned": len(pickle.dumps(value_and_grad(params, *half))),
        "contenders": rows(steps, rounds),
    }


def side_by_side(pool: Executor, sizes: tuple[int, ...], examples: int) -> None:
    """The shards of a batch in processes that keep their data, and return nothing."""
    list(pool.map(compute_kept, [sizes] * WORKERS, [examples // WORKERS] * WORKERS))


def compute_kept(sizes: tuple[int, ...], examples: int) -> None:
    """What a worker does then."""
    value_and_grad(*kept(sizes, examples))


@cache
def kept(sizes: tuple[int, ...], examples: int) -> tuple[Params, np.ndarray, np.ndarray]:
    """Parameters and a shard, made once in every process."""
    return network(sizes, examples)


def checks(found: dict[str, Executor | None], rounds: int) -> dict[str, Any]:
    """A gradient check of many coordinates."""
    params, *batch = network(*CHECKED)

    def check(executor: Executor | None) -> Any:
        return check_gradient(
            partial(loss_of, batch),
            partial(gradient_of, batch),
            params,
            coordinates=COORDINATES,
            directions=0,
            executor=executor,
            progress=False,
        )

    report = check(None)
    steps: dict[str, Step] = {kind: partial(check, executor) for kind, executor in found.items()}
    return {
        "verdict": report.verdict,
        "evaluations": report.evaluations,
        "contenders": rows(steps, rounds),
    }


def loss_of(batch: list, params: Params) -> float:
    """The loss of a batch, as a function that can be pickled."""
    return loss(params, *batch)


def gradient_of(batch: list, params: Params) -> Params:
    """Its gradient."""
    return value_and_grad(params, *batch)[1]


def messages(found: dict[str, Executor | None], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of a message without content to every worker, and of one with a megabyte, and back."""
    nothing, megabyte = [b""] * WORKERS, [np.zeros(125_000)] * WORKERS
    steps: dict[str, Step] = {}
    for kind, executor in found.items():
        if executor is not None:
            steps[f"{kind}, empty"] = partial(there_and_back, executor, nothing)
            steps[f"{kind}, 1 MB"] = partial(there_and_back, executor, megabyte)
    times = measure(steps, rounds)
    return {name: {"seconds": statistics.median(values) / 1e6} for name, values in times.items()}


def there_and_back(executor: Executor, items: list) -> list:
    """Every item goes to a worker and returns."""
    return list(executor.map(identity, items))


def identity(item: Any) -> Any:
    """What a worker does with it: nothing."""
    return item


def show(title: str, contenders: dict[str, dict[str, float]]) -> None:
    """Print the contenders as a table."""
    print(f"\n{title}")
    for name, row in contenders.items():
        faster = f"{row['speed-up']:9.2f}" if "speed-up" in row else ""
        print(f"  {name:14}{1e3 * row['seconds']:10.2f} ms{faster}")


def main(rounds: int = ROUNDS, file: Callable[[], Path] | None = None) -> dict[str, Any]:
    """Measure, print, and write the JSON file."""
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions("numpy", "distributed"),
        "workers": WORKERS,
        "rounds": rounds,
    }
    with executors() as found:
        for name in NETWORKS:
            result[name] = gradients(name, found, rounds)
            row = result[name]
            title = f"{name}: {row['parameters']:,} parameters, {row['examples']:,} examples"
            show(title, row["contenders"])
        result["check"] = checks(found, max(1, rounds // 5))
        show(f"a check of {result['check']['evaluations']:,} evaluations", result["check"]["contenders"])
        result["messages"] = messages(found, rounds)
        show(f"{WORKERS} messages, there and back", result["messages"])
    rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 6))
    if file is not None:
        file().write_text(json.dumps(rounded, indent=2) + "\n")
        print(f"\nwritten to {file().name}")
    return rounded


if __name__ == "__main__":
    if "--quick" in sys.argv:
        main(rounds=1)
    else:
        main(file=lambda: Path(__file__).with_suffix(".json"))
