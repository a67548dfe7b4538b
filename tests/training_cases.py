"""A small run with everything that can be in one, for the tests of `fit`; killed and taken up again."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from optimlib import EMA, Adam, AdamW, Checkpoint, EarlyStopping, ReduceOnPlateau, fit, global_norm
from optimlib.training import History
from optimlib.trees import flatten

X = np.random.default_rng(1).standard_normal((23, 4))
Y = np.sin(X).sum(axis=1)


def parameters() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {
        "hidden": {"W": rng.standard_normal((4, 6)) / 2, "b": np.zeros(6)},
        "w": [rng.standard_normal(6)],
    }


def value_and_grad(params: Any, x: np.ndarray, y: np.ndarray, keep: Any = 1.0) -> tuple[Any, Any]:
    """Half the mean square of the errors of a network with one hidden layer, some of it dropped."""
    h = np.tanh(x @ params["hidden"]["W"] + params["hidden"]["b"])
    error = (h * keep) @ params["w"][0] - y
    d = np.outer(error / len(y), params["w"][0]) * keep * (1 - h**2)
    grads = {"hidden": {"W": x.T @ d, "b": d.sum(axis=0)}, "w": [(h * keep).T @ error / len(y)]}
    return (error**2).mean() / 2, grads


def short_fit(
    optimizer: Any = None, f: Any = value_and_grad, data: Any = (X, Y), seed: int = 0, **options: Any
) -> History:
    """Two epochs of the small network, unless something else is given."""
    optimizer = Adam(parameters(), 0.01) if optimizer is None else optimizer
    options = {"epochs": 2, "batch_size": 5, "rng": np.random.default_rng(seed)} | options
    return fit(f, optimizer, data, **options)


def alike(a: Any, b: Any) -> bool:
    """Whether two trees have the same numbers, bit for bit."""
    return [(p, x.tobytes()) for p, x in flatten(a)] == [(p, x.tobytes()) for p, x in flatten(b)]


class Case:
    """A run with dropout, a plateau, an average of the weights, running means, and early stopping.

    `event` is called before everything at which a run may be interrupted.
    """

    def __init__(self, event: Callable[[], None] = lambda: None) -> None:
        self.params, self.event = parameters(), event
        self.plateau = ReduceOnPlateau(0.05, factor=0.5, patience=0)
        self.optimizer = AdamW(self.params, self.plateau, clip_norm=1.0)
        self.rng, self.noise = np.random.default_rng(3), np.random.default_rng(4)
        self.average, self.means = EMA(self.params, 0.9), {"x": np.zeros(4)}
        self.history: History | None = None

    def loss(self, params: Any, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        self.event()
        keep = self.rng.integers(0, 4, 6) > 0
        return value_and_grad(params, x, y, keep)

    def after_step(self, step: Any) -> dict[str, float]:
        self.event()
        self.average.update()
        self.means["x"] += 0.1 * (step.params["hidden"]["W"][:, 0] - self.means["x"])
        return {"norm": global_norm(step.grads), "noise": self.noise.standard_normal()}

    def evaluate(self, params: Any) -> dict[str, float]:
        self.event()
        loss = value_and_grad(params, X[:9], Y[:9])[0] + 0.1 * self.noise.standard_normal()
        self.plateau.observe(loss)
        self.event()
        return {"validation loss": loss}

    def fit(self, file: Any = None, epochs: int = 6, **options: Any) -> History:
        also = {"average": self.average, "noise": self.noise, "means": self.means}
        settings: dict[str, Any] = {
            "evaluate": self.evaluate,
            "stopping": EarlyStopping("validation loss", patience=4),
            "checkpoint": file and Checkpoint(file, every=4, also=also),
            "after_step": self.after_step,
        }
        self.history = fit(
            self.loss,
            self.optimizer,
            (X, Y),
            epochs=epochs,
            batch_size=5,
            rng=self.rng,
            **settings | options,
        )
        return self.history

    def bits(self) -> list[Any]:
        """All that a run leaves behind, to the last bit."""
        trees = (self.params, self.optimizer.state_dict(), self.average.state_dict(), self.means)
        arrays = [(path, leaf.tobytes()) for path, leaf in flatten(trees)]
        generators = [rng.bit_generator.state for rng in (self.rng, self.noise)]
        return [arrays, generators, self.history.steps, self.history.epochs]


class Stateful:
    """Whose state is what it is given, and not a copy of it; or keeps its arrays, which are changed."""

    def __init__(self, state: Any, in_place: bool = False) -> None:
        self.state, self.in_place = state, in_place

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        if self.in_place:
            for name, array in state.items():
                self.state[name][...] = array
        else:
            self.state = state


class At:
    """Something that is done at one of many events, counted from 1."""

    def __init__(self, when: int, what: Callable[[], None]) -> None:
        self.when, self.what, self.count = when, what, 0

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.when:
            self.what()

    def watch(self, replace: Callable[[Any, str, Any], None]) -> None:
        """Count every array that is written, to memory and to files, and every move of a file."""
        places = [(np, "copyto"), (np.lib.format, "write_array"), (os, "fsync"), (Path, "replace")]
        for place, name in places:
            original = getattr(place, name)

            def counted(*given: Any, original: Any = original, **named: Any) -> Any:
                self()
                return original(*given, **named)

            replace(place, name, counted)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    at, pause = At(int(sys.argv[2]), kill), float(sys.argv[3])
    at.watch(setattr)

    def event() -> None:
        at()
        time.sleep(pause)

    case = Case(event)
    case.fit(sys.argv[1])
    print(repr(case.bits()))
