"""Record what PyTorch, Optax and Keras make of gradients that are too large, in clipping.json.

Run it with a Python that has NumPy, PyTorch, Optax and Keras:
``python tests/golden/record_clipping.py``.
"""

import json
import os
from pathlib import Path

import jax
import numpy as np
import optax
import torch

jax.config.update("jax_enable_x64", True)

SHAPES = {"W": (3, 2), "b": (4,), "scale": ()}
SCALES = (1e-6, 1.0, 1e5)
LIMITS = (1e-3, 0.75, 2.5, 1e6)


def gradients(scale: float, dtype: str) -> dict[str, np.ndarray]:
    """A gradient with some zeros in it; with scale 0, nothing else."""
    rng = np.random.default_rng(13)
    drawn = {name: np.array(scale * rng.standard_normal(shape)) for name, shape in SHAPES.items()}
    drawn["b"][1:3] = 0.0
    return {name: array.astype(dtype) for name, array in drawn.items()}


def torch_clipped(grads: dict[str, np.ndarray], limit: float) -> dict:
    """By value, by each array's norm, by the global norm, and that norm."""
    clip = torch.nn.utils

    def parameters() -> dict[str, torch.nn.Parameter]:
        made = {name: torch.nn.Parameter(torch.zeros(g.shape)) for name, g in grads.items()}
        for name, p in made.items():
            p.data = p.data.to(torch.tensor(grads[name]).dtype)
            p.grad = torch.tensor(grads[name].copy())
        return made

    value, leaf, whole = parameters(), parameters(), parameters()
    clip.clip_grad_value_(value.values(), limit)
    for p in leaf.values():
        clip.clip_grad_norm_(p, limit)
    norm = clip.clip_grad_norm_(whole.values(), limit)
    return {
        "value": {name: p.grad.tolist() for name, p in value.items()},
        "leaf_norm": {name: p.grad.tolist() for name, p in leaf.items()},
        "global_norm": {name: p.grad.tolist() for name, p in whole.items()},
        "norm": float(norm),
    }


def optax_clipped(grads: dict[str, np.ndarray], limit: float) -> dict:
    """What Optax makes of it; it has no clipping by each array's norm, so every array goes alone."""

    def updated(transform, tree) -> dict:
        return transform.update(tree, transform.init(tree))[0]

    def plain(tree) -> dict:
        return {name: np.asarray(array).tolist() for name, array in tree.items()}

    tree = {name: jax.numpy.asarray(g) for name, g in grads.items()}
    by_norm = optax.clip_by_global_norm(limit)
    return {
        "value": plain(updated(optax.clip(limit), tree)),
        "leaf_norm": plain({name: updated(by_norm, g) for name, g in tree.items()}),
        "global_norm": plain(updated(by_norm, tree)),
        "norm": float(optax.tree.norm(tree)),
    }


def keras_clipped(grads: dict[str, np.ndarray], limit: float) -> dict:
    """What Keras makes of it: what descent at rate 1 subtracts from zeros. It tells no norm."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    def subtracted(**limits) -> dict:
        keras.config.set_floatx(str(grads["W"].dtype))
        variables = {name: keras.Variable(np.zeros_like(g), name=name) for name, g in grads.items()}
        optimizer = keras.optimizers.SGD(learning_rate=1.0, **limits)
        optimizer.apply([jax.numpy.asarray(g) for g in grads.values()], variables.values())
        return {name: (-np.array(v.value)).tolist() for name, v in variables.items()}

    return {
        "value": subtracted(clipvalue=limit),
        "leaf_norm": subtracted(clipnorm=limit),
        "global_norm": subtracted(global_clipnorm=limit),
    }


LIBRARIES = {"torch": torch_clipped, "optax": optax_clipped, "keras": keras_clipped}


def main() -> None:
    """Write the file."""
    cases = []
    for dtype in ("float64", "float32"):
        for scale in (*SCALES, 0.0):
            grads = gradients(scale, dtype)
            given = {name: g.tolist() for name, g in grads.items()}
            for limit in LIMITS:
                for library, clipped in LIBRARIES.items():
                    about = {"library": library, "dtype": dtype, "limit": limit, "grads": given}
                    cases.append(about | clipped(grads, limit))
    import keras

    recorded = {
        "torch": torch.__version__.split("+")[0],
        "optax": optax.__version__,
        "keras": keras.__version__,
        "cases": cases,
    }
    text = json.dumps(recorded).replace('{"library"', '\n{"library"')
    Path(__file__).with_name("clipping.json").write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
