"""How long an epoch of a small network takes, side by side in one run, and what it learns.

Trains one network on the digits, in batches of 50, with Adam and with the same settings: by
`optimlib.training.fit`, by scikit-learn's `MLPClassifier`, and by PyTorch with its default and with its
fused Adam, on slices of a tensor and from a `DataLoader`. A network of two hidden units has next to no
arithmetic, so its epoch shows the overhead of the calls. All contenders train from the start to the
end in turn within every round. Each library draws its own initial weights. What is not installed is left
out. Everything is done twice, in processes of their own: on one thread, and on as many as the libraries
take by themselves (in fewer rounds, since threads get in each other's way on a busy machine).

Prints milliseconds an epoch, ratios with their quartiles over the rounds, goals and the accuracies on
the test images, and writes them, with a description of the machine, to benchmarks/epoch.json.

    python benchmarks/epoch.py            everything, in about a minute
    python benchmarks/epoch.py --quick    one round, one seed, and nothing is written
"""

import json
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from timing import Step, machine, measure, ratio, versions

from optimlib import Adam
from optimlib.lab.datasets import digits
from optimlib.nn import dense, dense_backward, he_normal, relu, relu_backward, softmax_cross_entropy
from optimlib.training import fit

Params = dict[str, np.ndarray]
Reader = Callable[[np.ndarray], np.ndarray]
"""A trained network: from images to digits."""

RATE, BATCH, EPOCHS = 0.01, 50, 20
SEEDS = 12  # of the accuracies


class Case(NamedTuple):
    """Hidden units, dtype, and how many epochs and rounds are measured."""

    hidden: int
    dtype: str
    epochs: int
    rounds: int


CASES = {
    "2 hidden, float64": Case(2, "float64", EPOCHS, 5),
    "32 hidden, float64": Case(32, "float64", EPOCHS, 9),
    "32 hidden, float32": Case(32, "float32", EPOCHS, 9),
    "512 hidden, float32": Case(512, "float32", 4, 5),
}


class Data(NamedTuple):
    """Training images with their digits, and test images with theirs."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def divided(seed: int, dtype: str) -> Data:
    """The chapter's division: 500 test images that are always the same, and 1,000 of the others."""
    images, labels = digits()
    images = images.astype(dtype)
    shuffled = np.random.default_rng(1797).permutation(len(images))
    test, known = shuffled[:500], shuffled[500:]
    train = np.random.default_rng([seed, 2]).permutation(known)[:1000]
    return Data(images[train], labels[train], images[test], labels[test])


def value_and_grad(params: Params, x: np.ndarray, y: np.ndarray) -> tuple[float, Params]:
    """The mean cross-entropy of a network with one hidden layer, and its gradient."""
    h = relu(dense(x, params["W1"], params["b1"]))
    loss, dlogits = softmax_cross_entropy(dense(h, params["W2"], params["b2"]), y)
    dh, dW2, db2 = dense_backward(dlogits, h, params["W2"])
    dz = relu_backward(dh, h)
    return loss, {"W1": x.T @ dz, "b1": dz.sum(axis=0), "W2": dW2, "b2": db2}  # nobody needs dx


def ours(data: Data, case: Case, seed: int) -> Reader:
    """Trained by `fit`."""
    rng = np.random.default_rng(seed)
    params = {
        "W1": he_normal((64, case.hidden), rng),
        "b1": np.zeros(case.hidden),
        "W2": he_normal((case.hidden, 10), rng),
        "b2": np.zeros(10),
    }
    params = {name: array.astype(case.dtype) for name, array in params.items()}
    fit(
        value_and_grad,
        Adam(params, RATE),
        (data.x, data.y),
        epochs=case.epochs,
        batch_size=BATCH,
        rng=rng,
    )

    def read(x: np.ndarray) -> np.ndarray:
        h = relu(dense(x, params["W1"], params["b1"]))
        return dense(h, params["W2"], params["b2"]).argmax(axis=1)

    return read


def scikit_learn(data: Data, case: Case, seed: int) -> Reader:
    """Trained by `MLPClassifier`, without its weight decay and its own ways to stop."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        (case.hidden,),
        solver="adam",
        alpha=0.0,
        batch_size=BATCH,
        learning_rate_init=RATE,
        max_iter=case.epochs,
        n_iter_no_change=case.epochs + 1,  # it stops after max_iter alone,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # and says so
        return network.fit(data.x, data.y).predict


def torch_parts(data: Data, case: Case, seed: int, fused: bool = False) -> tuple[Any, ...]:
    """For PyTorch: images and labels as tensors, the network, and a function that takes a step."""
    import torch

    torch.manual_seed(seed)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, case.hidden), torch.nn.ReLU(), torch.nn.Linear(case.hidden, 10)
    ).to(x.dtype)
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=fused)

    def step(xs: torch.Tensor, ys: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss(network(xs), ys).backward()
        optimizer.step()

    return x, y, network, step


def torch_reader(network: Any) -> Reader:
    """How a network of PyTorch reads arrays."""
    import torch

    return lambda images: network(torch.from_numpy(images)).argmax(dim=1).numpy()


def pytorch(data: Data, case: Case, seed: int, fused: bool = False) -> Reader:
    """Trained by PyTorch, on slices of its tensors."""
    import torch

    x, y, network, step = torch_parts(data, case, seed, fused)
    for _ in range(case.epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            step(x[rows], y[rows])
    return torch_reader(network)


def pytorch_loader(data: Data, case: Case, seed: int) -> Reader:
    """Trained by PyTorch, from a `DataLoader` that takes a batch as one slice.

    The usual `DataLoader(dataset, batch_size=BATCH)` would take the images one by one and stack them.
    """
    import torch.utils.data as data_of

    x, y, network, step = torch_parts(data, case, seed)
    dataset = data_of.TensorDataset(x, y)
    rows = data_of.BatchSampler(data_of.RandomSampler(dataset), BATCH, drop_last=False)
    loader = data_of.DataLoader(dataset, sampler=rows, batch_size=None)
    for _ in range(case.epochs):
        for xs, ys in loader:
            step(xs, ys)
    return torch_reader(network)


CONTENDERS: dict[str, Callable[[Data, Case, int], Reader]] = {
    "optimlib": ours,
    "scikit-learn": scikit_learn,
    "torch": pytorch,
    "torch, fused": partial(pytorch, fused=True),
    "torch, DataLoader": pytorch_loader,
}
LEARNERS = ("optimlib", "scikit-learn", "torch")  # whose accuracies are compared

GOALS = [("32 hidden, float64", name) for name in ("scikit-learn", "torch")]
"""Cases and contenders: ours takes no longer than these, on one thread."""


def installed() -> dict[str, Callable[[Data, Case, int], Reader]]:
    """The contenders whose libraries can be imported."""
    found = {}
    small = Case(2, "float64", 1, 1)
    for name, contender in CONTENDERS.items():
        try:
            contender(divided(0, "float64"), small, 0)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
        else:
            found[name] = contender
    return found


def times(case: Case, rounds: int) -> dict[str, dict[str, Any]]:
    """For every contender the median milliseconds of an epoch, and ours in terms of it.

    Beside the median ratio are its quartiles over the rounds.
    """
    data = divided(0, case.dtype)
    steps: dict[str, Step] = {
        name: partial(contender, data, case, 0) for name, contender in installed().items()
    }
    found = measure(steps, rounds)
    return {
        name: {
            "ms an epoch": statistics.median(values) / 1e3 / case.epochs,
            "optimlib / it": ratio(found["optimlib"], values),
            "quartiles": np.quantile(np.divide(found["optimlib"], values), [0.25, 0.75]).tolist(),
        }
        for name, values in found.items()
    }


def accuracies(seeds: int) -> dict[str, list[float]]:
    """Percentages of the test images that are read rightly, for every seed."""
    case, contenders = CASES["32 hidden, float64"], installed()
    found: dict[str, list[float]] = {name: [] for name in LEARNERS if name in contenders}
    for seed in range(seeds):
        data = divided(seed, case.dtype)
        for name, scores in found.items():
            right = contenders[name](data, case, seed)(data.x_test) == data.y_test
            scores.append(100 * float(np.mean(right)))
    return found


def compared(scores: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Mean and spread over the seeds, and the paired difference of ours, with its standard error."""
    rows = {}
    for name, values in scores.items():
        gaps = np.subtract(scores["optimlib"], values)
        rows[name] = {
            "mean": float(np.mean(values)),
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "optimlib - it": float(gaps.mean()),
            "standard error": float(gaps.std(ddof=1) / len(gaps) ** 0.5) if len(gaps) > 1 else 0.0,
        }
    return rows


def part(threads: str, quick: bool) -> dict[str, Any]:
    """What one process measures; accuracies on one thread only."""
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        if threads != "1":
            case = case._replace(rounds=3)
        found[name] = times(case, 1 if quick else case.rounds)
    if threads == "1":
        found["accuracy"] = compared(accuracies(1 if quick else SEEDS))
    return found


def in_a_process(threads: str, quick: bool) -> dict[str, Any]:
    """A `part` with so many threads, or the default number, which is set before NumPy is imported."""
    names = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")]
    environment = {key: value for key, value in os.environ.items() if key not in names}
    if threads != "default":
        environment |= dict.fromkeys(names, threads)
    command = [sys.executable, __file__, "--part", threads] + ["--quick"] * quick
    answer = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )  # what is left out is said on stderr
    return json.loads(answer.stdout)


def show(threads: str, found: dict[str, Any]) -> None:
    """Print a part as tables."""
    print(f"\nthreads: {threads}")
    for case in CASES:
        print(f"  {case:24}ms an epoch   optimlib / it   quartiles")
        for name, row in found[case].items():
            low, high = row["quartiles"]
            print(
                f"    {name:22}{row['ms an epoch']:11.3f}{row['optimlib / it']:16.2f}"
                f"{low:7.2f} to {high:.2f}"
            )
    for name, row in found.get("accuracy", {}).items():
        print(
            f"  {name:18} {row['mean']:.2f} % correct, spread {row['spread']:.2f};"
            f" optimlib - it: {row['optimlib - it']:5.2f} ± {row['standard error']:.2f}"
        )


def main(quick: bool) -> None:
    """Measure in both processes, print, and write the JSON file unless it is the quick run."""
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions("numpy", "scikit-learn", "torch"),
        "settings": {"rate": RATE, "batch": BATCH, "epochs": EPOCHS, "seeds": SEEDS},
        "threads": {},
    }
    for threads in ("1", "default"):
        result["threads"][threads] = in_a_process(threads, quick)
        show(threads, result["threads"][threads])
    print("\ngoals: an epoch takes no longer, on one thread")
    for case, name in GOALS:
        row = result["threads"]["1"][case].get(name)
        if row:
            measured = row["optimlib / it"]
            reached = "reached" if measured <= 1 else "MISSED"
            print(f"  {case}, optimlib / {name:14}{measured:6.2f}  {reached}")
    if not quick:
        file = Path(__file__).with_suffix(".json")
        rounded = json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 4))
        file.write_text(json.dumps(rounded, indent=2) + "\n")
        print(f"written to {file.name}")


if __name__ == "__main__":
    if "--part" in sys.argv:
        threads_of_part = sys.argv[sys.argv.index("--part") + 1]
        print(json.dumps(part(threads_of_part, "--quick" in sys.argv)))
    else:
        main("--quick" in sys.argv)
