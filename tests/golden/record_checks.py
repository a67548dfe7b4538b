"""Record what four libraries say of every case of `optimlib.lab.corpus`, as checks.json.

Needs torch, scipy and jax besides optimlib, and a copy of the CS231n assignments:

    python tests/golden/record_checks.py path/to/the/folder/that/holds/cs231n

For PyTorch, loss and gradient are wrapped as an `autograd.Function`. JAX's `check_grads` calls
`check_jvp` and `check_vjp`, which take NumPy functions.
"""

import importlib.metadata
import json
import sys
import warnings
from pathlib import Path

import jax
import numpy as np
import scipy.optimize
import torch
from jax.test_util import check_jvp, check_vjp

from optimlib.lab.corpus import Case, cases
from optimlib.trees import copy_tree, flatten, map_tree

sys.path.insert(0, sys.argv[1])
from cs231n.gradient_check import eval_numerical_gradient

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
SCIPY_THRESHOLD = 1e-6
CS231N_THRESHOLD = 1e-7


def rebuilt(theta, leaves):
    """A tree like `theta` with these leaves."""
    in_turn = iter(leaves)
    return map_tree(lambda _: next(in_turn), theta)


def by_torch(case: Case) -> bool:
    def arrays(tensors):
        return rebuilt(case.theta, [tensor.detach().numpy() for tensor in tensors])

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, *tensors):
            context.save_for_backward(*tensors)
            return torch.as_tensor(np.asarray(case.loss(arrays(tensors))))

        @staticmethod
        def backward(context, dy):
            grads = dict(flatten(case.grad(arrays(context.saved_tensors))))
            leaves = [np.asarray(grads[path]) for path, _ in flatten(case.theta)]
            return tuple(torch.as_tensor(leaf.copy()) * dy for leaf in leaves)

    def tensor(leaf):  # torch.tensor gives an empty one strides that gradcheck refuses
        return torch.tensor(leaf).clone(memory_format=torch.contiguous_format).requires_grad_()

    inputs = [tensor(leaf) for _, leaf in flatten(case.theta)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that float32 is not advised
        return torch.autograd.gradcheck(Function.apply, inputs, raise_exception=False)


def by_scipy(case: Case) -> bool:
    leaves = [leaf for _, leaf in flatten(case.theta)]
    cuts = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def tree(vector):
        pieces = np.split(vector, cuts)
        return rebuilt(case.theta, [p.reshape(x.shape) for p, x in zip(pieces, leaves, strict=True)])

    def grad(vector):
        grads = dict(flatten(case.grad(tree(vector))))
        return np.concatenate([np.ravel(grads[path]) for path, _ in flatten(case.theta)])

    vector = np.concatenate([leaf.ravel() for leaf in leaves])
    error = scipy.optimize.check_grad(lambda vector: case.loss(tree(vector)), grad, vector)
    return bool(error <= SCIPY_THRESHOLD)


def by_jax(case: Case) -> bool:
    """Call what `check_grads` calls, which takes functions of NumPy arrays as well."""

    def claimed(theta):
        return {path: np.asarray(g) for path, g in flatten(case.grad(theta))}

    def loss(theta):
        return np.asarray(case.loss(theta))

    def jvp(primals, tangents):
        (theta,), (tangent,) = primals, tangents
        value, grads = loss(theta), claimed(theta)
        slope = sum((grads[path] * d).sum() for path, d in flatten(tangent))
        return value, np.asarray(slope, value.dtype)

    def vjp(theta):
        grads = claimed(theta)
        return loss(theta), lambda dy: (
            rebuilt(theta, [grads[path] * dy for path, _ in flatten(theta)]),
        )

    try:
        check_jvp(loss, jvp, (case.theta,))
        check_vjp(loss, vjp, (case.theta,))
    except AssertionError:
        return False
    return True


def by_cs231n(case: Case) -> bool:
    def relative_error(x, y):  # as the notebooks of the assignments define it
        return np.max(np.abs(x - y) / (np.maximum(1e-8, np.abs(x) + np.abs(y))))

    theta = copy_tree(case.theta)
    claimed = dict(flatten(case.grad(copy_tree(theta))))
    errors = [
        relative_error(eval_numerical_gradient(lambda _: case.loss(theta), leaf, False), claimed[path])
        for path, leaf in flatten(theta)
        if leaf.size  # the loop does not take an empty array
    ]
    return all(error <= CS231N_THRESHOLD for error in errors)


if __name__ == "__main__":
    checks = {"torch": by_torch, "scipy": by_scipy, "jax": by_jax, "cs231n": by_cs231n}
    verdicts = {}
    with np.errstate(all="ignore"):
        for case in cases():
            verdicts[case.name] = "".join("-+"[check(case)] for check in checks.values())
    versions = {name: importlib.metadata.version(name) for name in ("torch", "scipy", "jax", "numpy")}
    lines = [f"    {json.dumps(name)}: {json.dumps(answer)}" for name, answer in verdicts.items()]
    text = ",\n".join(lines)
    Path(__file__).with_name("checks.json").write_text(
        f'{{\n  "versions": {json.dumps(versions)},\n  "checks": {json.dumps(list(checks))},\n'
        f'  "verdicts": {{\n{text}\n  }}\n}}\n',
        encoding="utf8",
    )
