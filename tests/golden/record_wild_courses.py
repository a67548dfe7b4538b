"""Check the backward passes of solutions to Stanford's CS231n, and put what is found into wild.json.

    PYTHONPATH=. python tests/golden/record_wild_courses.py checkout [checkout ...]

A checkout holds the second assignment, with its module of layers. The names of the students are not
recorded. A function that is not written yet, or does not run, is left out, and so are the two losses,
which the course provides. The checkouts of the record are twelve of the first hundred repositories
that a search for that file listed by name, drawn by ``random.Random(22).sample``.
"""

# ruff: noqa: E731, NPY002 - short functions in loops, called in the same turn

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
from wild_findings import Finding, measure, quietly, write

from optimlib.trees import copy_tree

SHAPE = (2, 3, 5, 5)
SOURCE = "CS231n solutions"


def load(path: Path) -> types.ModuleType:
    name = f"layers_{abs(hash(path))}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def layer(forward, backward, inputs, **param):
    """A triple for a pair of functions with a cache; the gradients come in the order of the inputs."""

    def run(t):
        np.random.seed(3)  # a dropout without a seed of its own
        return forward(*t.values(), *(dict(v) if isinstance(v, dict) else v for v in param.values()))

    def vjp(t, dy):
        grads = backward(dy, run(t)[1])
        grads = grads if isinstance(grads, tuple | list) else (grads,)
        grads = [np.asarray(g, float) for g in grads]
        return {
            k: g.reshape(t[k].shape) if g.size == t[k].size else g for k, g in zip(t, grads, strict=True)
        }

    return lambda t: np.asarray(run(t)[0], float), vjp, inputs


def settings_of(m) -> dict[str, dict]:
    """By function, by setting. All arguments are those that the assignment's docstrings promise."""
    rng = np.random.default_rng(231)
    r = rng.standard_normal
    apart = lambda *shape: rng.permutation(np.linspace(-2, 2, int(np.prod(shape)))).reshape(shape) + 0.01
    images = {"x": r(SHAPE), "w": r((4, 3, 3, 3)), "b": r(4)}
    columns = {"x": 1 + 2 * r((6, 4)), "gamma": r(4), "beta": r(4)}
    maps = {"x": 1 + 2 * r((3, 4, 2, 3)), "gamma": r(4), "beta": r(4)}
    groups = {"x": 1 + 2 * r((2, 4, 3, 2)), "gamma": r((1, 4, 1, 1)), "beta": r((1, 4, 1, 1))}
    running = {"running_mean": r(4), "running_var": 1 + r(4) ** 2}
    L = lambda *a, **k: lambda: layer(*a, **k)
    conv = lambda s, p: L(
        m.conv_forward_naive, m.conv_backward_naive, images, conv_param={"stride": s, "pad": p}
    )
    pool = lambda size, s, side: L(
        m.max_pool_forward_naive,
        m.max_pool_backward_naive,
        {"x": apart(2, 3, side, side)},
        pool_param={"pool_height": size, "pool_width": size, "stride": s},
    )
    bn = lambda backward, mode: L(
        m.batchnorm_forward,
        backward,
        columns,
        bn_param={"mode": mode, **{k: v.copy() for k, v in running.items()}},
    )
    drop = lambda mode: L(
        m.dropout_forward,
        m.dropout_backward,
        {"x": r((5, 6))},
        dropout_param={"p": 0.6, "mode": mode, "seed": 1},
    )
    found = {
        "affine": {
            "images": L(
                m.affine_forward, m.affine_backward, {"x": r((3, 2, 4)), "w": r((8, 5)), "b": r(5)}
            )
        },
        "relu": {"": L(m.relu_forward, m.relu_backward, {"x": r((4, 5))})},
        "batchnorm": {
            "training": bn(m.batchnorm_backward, "train"),
            "test mode": bn(m.batchnorm_backward, "test"),
        },
        "batchnorm, short": {"training": bn(m.batchnorm_backward_alt, "train")},
        "dropout": {"training": drop("train"), "test mode": drop("test")},
        "convolution": {"pad 1": conv(1, 1), "pad 0": conv(1, 0), "stride 2": conv(2, 1)},
        "max-pooling": {"2 by 2": pool(2, 2, 6), "overlapping": pool(3, 1, 5), "gaps": pool(2, 3, 5)},
        "spatial batchnorm": {
            "training": L(
                m.spatial_batchnorm_forward,
                m.spatial_batchnorm_backward,
                maps,
                bn_param={"mode": "train"},
            )
        },
    }
    if hasattr(m, "layernorm_forward"):
        found["layernorm"] = {"": L(m.layernorm_forward, m.layernorm_backward, columns, ln_param={})}
    if hasattr(m, "spatial_groupnorm_forward"):
        found["group norm"] = {
            "": L(m.spatial_groupnorm_forward, m.spatial_groupnorm_backward, groups, G=2, gn_param={})
        }
    return found


JUDGED = {  # by the checkout's place on the command line: what was read in the source
    (1, "batchnorm, short"): ("slip", "sqrt(var - eps) for sqrt(var + eps)", {}),
    (1, "layernorm"): (
        "slip",
        "the backward pass divides by sqrt(var), the forward pass by sqrt(var + eps)",
        {},
    ),
    (2, "dropout"): (
        "factor",
        "in test mode the output is p x, and its gradient is said to be 1",
        {"test mode"},
    ),
    (5, "max-pooling"): (
        "use",
        "a value in two windows gets the slope of the last one only",
        {"overlapping"},
    ),
    (7, "max-pooling"): (
        "use",
        "a value in two windows gets the slope of the last one only",
        {"overlapping"},
    ),
    (9, "batchnorm"): ("slip", "several factors wrong in dx; the scale and the shift are right", {}),
    (9, "spatial batchnorm"): ("slip", "calls the batch normalization above", {}),
}
EMPTY = (
    "shape",
    "the border is cut off with pad:-pad, which is an empty slice for a pad of 0",
    {"pad 0"},
)
ONE = ("shape", "the border is cut off with 1:-1, whatever the pad", {"pad 0"})
JUDGED |= {(k, "convolution"): EMPTY for k in (2, 6, 8, 10, 11)} | {(5, "convolution"): ONE}


def cures(m, function, settings):
    """A right gradient, newly written, beside the student's own forward pass."""

    def changed(name, right):
        def cured():
            f, vjp, x = settings[name]()
            return f, lambda t, dy: right(vjp, t, dy), x

        return cured

    def pooled(vjp, t, dy):  # each window by itself, and then the sum
        total = np.zeros_like(t["x"])
        for where in np.ndindex(dy.shape[2:]):
            alone = np.zeros_like(dy)
            alone[(..., *where)] = dy[(..., *where)]
            total += vjp(t, alone)["x"] * 0 + _one_window(t["x"], alone, where)
        return {"x": total}

    def _one_window(x, dy, where):
        i, j = where
        out = np.zeros_like(x)
        window = x[:, :, i : i + 3, j : j + 3]
        out[:, :, i : i + 3, j : j + 3] = dy[:, :, i, j][..., None, None] * (
            window == window.max(axis=(2, 3), keepdims=True)
        )
        return out

    def normalized(axis):
        def right(vjp, t, dy):
            x, gamma = t["x"], t["gamma"]
            mean = lambda a: a.mean(axis=axis, keepdims=True)
            s = np.sqrt(mean((x - mean(x)) ** 2) + 1e-5)
            x_hat = (x - mean(x)) / s
            wide = gamma if x.ndim == 2 else gamma[:, None, None]
            g = dy * wide
            others = tuple(k for k in range(x.ndim) if k != 1)
            return {
                "x": (g - mean(g) - x_hat * mean(g * x_hat)) / s,
                "gamma": (dy * x_hat).sum(axis=others),
                "beta": dy.sum(axis=others),
            }

        return right

    return {
        "batchnorm": changed("training", normalized(0)) if function == "batchnorm" else None,
        "batchnorm, short": changed("training", normalized(0))
        if function == "batchnorm, short"
        else None,
        "layernorm": changed("", normalized(1)) if function == "layernorm" else None,
        "spatial batchnorm": changed("training", normalized((0, 2, 3)))
        if function == "spatial batchnorm"
        else None,
        "dropout": changed("test mode", lambda vjp, t, dy: {"x": 0.6 * dy})
        if function == "dropout"
        else None,
        "max-pooling": changed("overlapping", pooled) if function == "max-pooling" else None,
        "convolution": changed("pad 0", lambda vjp, t, dy: _convolved(t, dy))
        if function == "convolution"
        else None,
    }.get(function)


def _convolved(t, dy):
    x, w = t["x"], t["w"]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j in np.ndindex(dy.shape[2:]):
        window = x[:, :, i : i + 3, j : j + 3]
        dw += np.einsum("nf,nchw->fchw", dy[:, :, i, j], window)
        dx[:, :, i : i + 3, j : j + 3] += np.einsum("nf,fchw->nchw", dy[:, :, i, j], w)
    return {"x": dx, "w": dw, "b": dy.sum(axis=(0, 2, 3))}


def runs(thunk) -> str:
    """Why a setting cannot be tried, or nothing."""
    try:
        f, vjp, x = quietly(thunk)
        y = quietly(lambda: f(copy_tree(x)))
        dx = quietly(lambda: vjp(copy_tree(x), np.ones_like(y)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if np.isfinite(y).all() and np.isfinite(dx["x"]).all() else "not written"


def main(checkouts: list[str]) -> None:
    np.int = int  # noqa: NPY001 - solutions written for an older NumPy
    findings, started = [], 0
    for k, checkout in enumerate(checkouts):
        path = Path(checkout) / "assignment2" / "cs231n" / "layers.py"
        if not path.exists():
            continue
        m, found = quietly(lambda path=path: load(path)), 0
        for function, settings in settings_of(m).items():
            tried = {name: thunk for name, thunk in settings.items() if not runs(thunk)}
            for name in settings.keys() - tried:
                print(f"{k} {function} {name}: {runs(settings[name])[:80]}")
            if not tried:
                continue
            kind, note, failing = JUDGED.get((k, function), ("", "", ()))
            finding = Finding(
                SOURCE,
                f"solution {chr(65 + started)}: {function}",
                tried,
                "wrong" if kind else "right",
                kind,
                note,
                cure=cures(m, function, settings) if kind else None,
                failing=tuple(failing),
            )
            measure(finding)
            findings.append(finding)
            found += 1
        started += bool(found)
    write(findings, {SOURCE: f"{started} solutions, not named"})
    print(len(findings), "functions of", started, "solutions")


if __name__ == "__main__":
    main(sys.argv[1:])
