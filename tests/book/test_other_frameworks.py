"""The bridges of the chapter on PyTorch, JAX and Keras, on models that are harder than the chapter's."""

import ast
import os
import subprocess
import sys
import warnings
from copy import deepcopy

import jupytext
import numpy as np
import pytest
from notebook_rules import ROOT, code_cells

from optimlib import check_value_and_grad

CHAPTER = ROOT / "book" / "text" / "other-frameworks.md"


@pytest.fixture(scope="module", autouse=True)
def libraries():
    """What the bridges need; Keras reads its backend when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "jax")
        patch.setenv("JAX_PLATFORMS", "cpu")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("torch")
            jax = pytest.importorskip("jax")
            pytest.importorskip("keras")
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        yield
        jax.config.update("jax_enable_x64", before)


def source_of(function: str) -> str:
    """A function as a cell of the chapter defines it."""
    cells = code_cells(jupytext.read(CHAPTER, fmt="md:myst"))
    (cell,) = (cell.source for cell in cells if f"def {function}(" in cell.source)
    (found,) = (n for n in ast.parse(cell).body if getattr(n, "name", "") == function)
    return ast.unparse(found)


def bridge(name: str):
    """The function that the chapter calls so."""
    import jax
    import torch

    found = {"torch": torch, "jax": jax, "np": np, "deepcopy": deepcopy}
    for function in ("from_torch", "from_jax", "from_keras"):
        exec(source_of(function), found)
    return found[name]


rng = np.random.default_rng(0)
X = rng.standard_normal((12, 4))
Y = rng.standard_normal((12, 2))


def squares(module):
    import torch

    return ((module(torch.tensor(X)) - torch.tensor(Y)) ** 2).mean()


def test_a_parameter_that_nothing_uses_has_the_gradient_zero():
    import torch

    class Idle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = torch.nn.Linear(4, 2), torch.nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x)

    f, theta = bridge("from_torch")(Idle(), squares)
    assert theta["idle.weight"].dtype == np.float64
    assert not f(theta)[1]["idle.weight"].any()
    assert check_value_and_grad(f, theta).verdict == "pass"


def test_tied_and_frozen_weights_and_running_statistics():
    import torch

    class Hard(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 4)
            self.again = torch.nn.Linear(4, 4)
            self.again.weight = self.first.weight
            self.norm = torch.nn.BatchNorm1d(4)
            self.last = torch.nn.Linear(4, 2)
            self.last.bias.requires_grad_(False)

        def forward(self, x):
            return self.last(torch.tanh(self.norm(self.again(torch.tanh(self.first(x))))))

    module = Hard()
    before = deepcopy(module.state_dict())
    f, theta = bridge("from_torch")(module, squares)
    assert {"first.weight", "again.bias", "norm.weight"} < theta.keys()
    assert not {"again.weight", "last.bias"} & theta.keys()
    assert check_value_and_grad(f, theta).verdict == "pass"
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_a_loss_of_the_original_module_instead_of_the_one_given_is_not_passed():
    import torch

    module = torch.nn.Linear(4, 2).double()
    report = check_value_and_grad(*bridge("from_torch")(module, lambda _: squares(module)))
    assert report.verdict == "inconclusive"
    assert check_value_and_grad(*bridge("from_torch")(module, squares)).verdict == "pass"


def test_a_wrong_backward_pass_within_a_module_is_found():
    import torch

    class Half(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, dy):
            return dy / 2

    class Network(torch.nn.Linear):
        def forward(self, x):
            return Half.apply(super().forward(x))

    report = check_value_and_grad(*bridge("from_torch")(Network(4, 2), squares))
    assert report.verdict == "fail"
    assert all(abs(probe.analytic / probe.numeric - 0.5) < 1e-6 for probe in report.worst(3))


def test_a_nested_tree_of_jax():
    import jax.numpy as jnp

    def loss(theta):
        return jnp.mean((jnp.tanh(X @ theta["layers"][0]) * theta["scale"]) ** 2)

    theta = {"layers": [rng.standard_normal((4, 3))], "scale": np.array(1.5)}
    f = bridge("from_jax")(loss)
    assert check_value_and_grad(f, theta).verdict == "pass"

    def wrong(theta):
        value, grads = f(theta)
        return value, {"layers": grads["layers"], "scale": 2 * grads["scale"]}

    assert check_value_and_grad(wrong, theta).verdict == "fail"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("between", [0, 1], ids=["plain", "batch normalization"])
def test_a_keras_model_and_one_with_a_state(between, seed):
    """Batch normalization computes in single precision: measured less exactly, a slope may stay open."""
    import jax.numpy as jnp
    import keras

    keras.utils.set_random_seed(seed)
    first, last = (
        keras.layers.Dense(units, activation=activation, dtype="float64")
        for units, activation in ((5, "silu"), (2, None))
    )
    norms = [keras.layers.BatchNormalization(dtype="float64") for _ in range(between)]
    model = keras.Sequential([first, *norms, last])
    model.build((12, 4))
    f, theta = bridge("from_keras")(model, lambda out: jnp.mean((out - Y) ** 2), X)
    assert len(theta) == len(model.trainable_variables) == 4 + 2 * between
    report = check_value_and_grad(f, theta)
    assert f(theta)[0].dtype == np.float64  # so the type does not tell
    exact = min(probe.error / abs(probe.numeric) for probe in report.probes)
    assert exact > 1e-7 if between else exact < 1e-9
    assert report.verdict == "pass" or (between and report.verdict == "inconclusive")
    assert report.verdict == "pass" or "float32 inside" in str(report)

    def wrong(theta):
        value, grads = f(theta)
        return value, [1.5 * grads[0], *grads[1:]]

    assert check_value_and_grad(wrong, theta).verdict == "fail"


KERAS_ON_TORCH = """
from copy import deepcopy
import keras, numpy as np, torch
from optimlib import check_value_and_grad
layer = keras.layers.Dense(2, activation="silu", dtype="float64")
layer.build((12, 4))
X = torch.tensor(np.random.default_rng(0).standard_normal((12, 4)))
report = check_value_and_grad(*from_torch(layer, lambda layer: (layer(X) ** 2).mean()))
print(isinstance(layer, torch.nn.Module), report.verdict, report.parameters)
print("float32 inside" in str(report))
"""


@pytest.mark.slow
def test_on_the_backend_of_pytorch_a_layer_is_a_module_and_the_report_sees_single_precision():
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    program = f"{source_of('from_torch')}\n{KERAS_ON_TORCH}"
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert answer.stdout.split() == ["True", "pass", "10", "True"], answer.stderr
