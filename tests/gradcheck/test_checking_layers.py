"""Layers as courses and small libraries write them: right ones pass, planted mistakes fail."""

import re

import numpy as np
import pytest
from support import unchanged

import optimlib
from optimlib import check_layer, check_layer_object
from optimlib.nn import rnn, rnn_backward

rng = np.random.default_rng(23)
X = rng.standard_normal((5, 3))
W = rng.standard_normal((3, 4))
B = rng.standard_normal(4)


# Pairs with a cache


def affine(x, W, b):
    return x @ W + b, (x, W, b)


def affine_backward(dy, cache):
    x, W, _ = cache
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


def batch_norm(x, gamma, beta):
    mean, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + 1e-5)
    x_hat = (x - mean) / std
    return gamma * x_hat + beta, {"x_hat": x_hat, "std": std, "gamma": gamma}


def batch_norm_backward(dy, cache):
    x_hat = cache["x_hat"]
    d = dy * cache["gamma"]
    dx = (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / cache["std"]
    return {"dx": dx, "dgamma": (dy * x_hat).sum(axis=0), "dbeta": dy.sum(axis=0), "loss": 3.0}


def dropout(x):
    mask = (np.random.default_rng(0).random(x.shape) < 0.7) / 0.7
    return x * mask, mask


def own_notes(report):
    """What checks of layers say beside what every gradient check may say."""
    return [note for note in report.notes if "wrote into" in note or "has shape" in note]


def failing_leaves(report):
    return {probe.path for probe in report.probes if probe.index and probe.verdict == "fail"}


INPUTS = {"x": X, "gamma": rng.standard_normal(3), "beta": rng.standard_normal(3)}


def test_a_tuple_of_inputs():
    inputs = (X, W, B)
    with unchanged(inputs):
        report = check_layer(affine, affine_backward, inputs)
    assert report.passed
    assert own_notes(report) == []
    assert {probe.place.split("]")[0] for probe in report.probes if probe.index} == {
        *("inputs[0", "inputs[1", "inputs[2")
    }


def test_a_dict_of_inputs_and_of_gradients_with_other_names():
    assert check_layer(batch_norm, batch_norm_backward, INPUTS).passed

    def frozen_statistics(dy, cache):  # the commonest mistake: mean and variance taken for constants
        return batch_norm_backward(dy, cache) | {"dx": dy * cache["gamma"] / cache["std"]}

    report = check_layer(batch_norm, frozen_statistics, INPUTS)
    assert report.verdict == "fail"
    assert failing_leaves(report) == {"['x']"}


def test_an_array_alone():
    assert check_layer(dropout, lambda dy, mask: dy * mask, X).passed
    report = check_layer(dropout, lambda dy, mask: dy, X)
    assert "a mask of the loss that the gradient lacks" in report.hints[0]


def test_names_with_numbers_and_a_tuple_for_a_dict():
    theta = {"x": X, "W1": W, "b1": B}

    def forward(x, W1, b1):
        return affine(x, W1, b1)

    def named(dy, cache):
        return dict(
            zip(("dx", "dW1", "db1", "dA_prev"), (*affine_backward(dy, cache), None), strict=True)
        )

    assert check_layer(forward, named, theta).passed
    assert check_layer(forward, affine_backward, theta).passed
    for prefix in ("d_", "grad_", "g_", ""):
        assert check_layer(
            forward,
            lambda dy, cache, p=prefix: dict(
                zip((f"{p}x", f"{p}W1", f"{p}b1"), affine_backward(dy, cache), strict=True)
            ),
            theta,
        ).passed


def test_an_input_that_is_itself_named_like_a_gradient():
    def product(x, dx):  # a Jacobian-vector product, whose dx is an input
        return x**2 * dx, (x, dx)

    def backward(dy, cache):
        x, dx = cache
        return {"x": 2 * x * dx * dy, "dx": x**2 * dy}

    assert check_layer(product, backward, {"x": X, "dx": X[::-1] + 1}).passed


def test_a_recurrent_layer_of_our_own():
    names = ("x", "h0", "Wx", "Wh", "b")
    shapes = ((2, 3, 2), (2, 3), (2, 3), (3, 3), (3,))
    inputs = {name: rng.standard_normal(shape) for name, shape in zip(names, shapes, strict=True)}
    assert check_layer(rnn, rnn_backward, inputs).passed


def test_an_output_that_is_a_tree():
    def lstm_like(x, W):
        h = np.tanh(x @ W)
        return (h, {"c": h**2}), (x, W, h)

    def backward(dy, cache):
        x, W, h = cache
        dz = (dy[0] + 2 * h * dy[1]["c"]) * (1 - h**2)
        return dz @ W.T, x.T @ dz

    assert check_layer(lstm_like, backward, (X, W)).passed


def test_an_axis_of_length_one_too_many_passes_with_a_note():
    def keepdims(dy, cache):
        dx, dW, db = affine_backward(dy, cache)
        return dx, dW, db[None]

    report = check_layer(affine, keepdims, (X, W, B))
    assert report.passed
    assert own_notes(report)[0].startswith("the gradient of inputs[2] has shape (1, 4) for (4,)")

    def lost(dy, cache):
        return dy.sum(axis=0)

    report = check_layer(lambda b: (X @ W + b, None), lost, B[None])
    assert report.passed
    assert own_notes(report)[0].startswith("the gradient of inputs has shape (4,) for (1, 4)")


def test_passes_that_write_into_their_arguments_pass_with_a_note():
    def relu_in_place(x):
        mask = x > 0
        x *= mask
        return x, mask

    def backward_in_place(dy, mask):
        dy[~mask] = 0
        return dy

    with unchanged(X):
        report = check_layer(relu_in_place, backward_in_place, X)
    assert report.passed
    assert [note.split(".")[0] for note in own_notes(report)] == [
        "forward wrote into inputs",
        "backward wrote into dy",
    ]

    def scaled(dy, cache):
        dy *= 2
        return dy

    assert check_layer(lambda x: (x * 1.5, None), scaled, X).verdict == "fail"


def test_float32_inside_is_no_failure():
    buffer = np.zeros((5, 4), np.float32)

    def forward(x, W, b):
        buffer[:] = x @ W + b
        return buffer, (x.astype(np.float32), W.astype(np.float32), b)

    def backward(dy, cache):
        return tuple(g.astype(np.float32) for g in affine_backward(dy, cache))

    for seed in range(5):
        generator = np.random.default_rng(seed)
        assert check_layer(forward, backward, (X, W, B), rng=generator).verdict == "pass"
        wrong = check_layer(
            forward, lambda dy, c: (*backward(dy, c)[:2], -dy.sum(axis=0)), (X, W, B), rng=generator
        )
        assert wrong.verdict == "fail"


def test_the_mask_of_an_unseeded_dropout():
    r = np.random.default_rng(0)

    def forward(x):
        mask = r.random(x.shape) < 0.5
        return x * mask, mask

    report = check_layer(forward, lambda dy, mask: dy * mask, X)
    assert report.verdict == "inconclusive"
    assert "Fix the seed" in report.problem


@pytest.mark.parametrize(
    ("forward", "backward", "inputs", "error", "message"),
    [
        (
            lambda x: x * 2,
            lambda dy, c: dy,
            X,
            TypeError,
            "forward returned an array of shape (5, 3); expected a pair (y, cache): for a",
        ),
        (lambda x: None, lambda dy, c: dy, X, TypeError, "forward returned None; expected a pair"),
        (
            affine,
            lambda dy, c: affine_backward(dy, c)[:2],
            (X, W, B),
            ValueError,
            "; expected 3 gradients, of 0, 1, 2",
        ),
        (
            lambda x, W, b: affine(x, W, b),
            lambda dy, c: {"dx": dy, "dw": dy, "db": dy},
            {"x": X, "W": W, "b": B},
            ValueError,
            "the gradient of inputs has no gradient of 'W' (named W or dW); it has 'dx', 'dw', 'db'",
        ),
        (
            affine,
            lambda dy, c: (*affine_backward(dy, c)[:2], dy),
            (X, W, B),
            ValueError,
            "the gradient of inputs[2] has shape (5, 4); expected (4,), the shape of inputs[2]",
        ),
        (affine, lambda dy, c: None, (X, W, B), ValueError, "is None; expected 3 gradients"),
        (3.0, lambda dy, c: dy, X, TypeError, "forward is 3.0; expected a function"),
        (affine, W, (X, W, B), TypeError, "backward is an array of shape (3, 4); expected a function"),
        (affine, affine_backward, (X, W, [1, 2]), TypeError, "inputs[2]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(forward, backward, inputs, error, message):
    with pytest.raises(error, match=re.escape(message)):
        check_layer(forward, backward, inputs)


# Objects


class Dense:
    """Attributes, as in a course."""

    def __init__(self, dtype=np.float64):
        self.W, self.b = W.astype(dtype), B.astype(dtype)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class Kept:
    """Dicts of parameters and gradients."""

    def __init__(self):
        self.params = {"W": W.copy(), "b": B.copy()}
        self.grads = {}

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.params["W"] + self.params["b"]

    def backward(self, grad):
        self.grads["W"] = self.inputs.T @ grad
        self.grads["b"] = grad.sum(axis=0, keepdims=True)
        return grad @ self.params["W"].T


class Affine:
    """Lists whose gradients are written in place."""

    def __init__(self):
        self.params = [W.copy(), B.copy()]
        self.grads = [np.zeros_like(W), np.zeros_like(B)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


class Accumulating(Affine):
    def backward(self, dout):
        self.grads[0] += self.x.T @ dout
        self.grads[1] += dout.sum(axis=0)
        return dout @ self.params[0].T

    def zero_grad(self):
        for g in self.grads:
            g[...] = 0


class Training(Affine):
    """A backward pass that takes a step of its own, with weight decay."""

    def backward(self, dout):
        dx = super().backward(dout)
        for p, g in zip(self.params, self.grads, strict=True):
            p -= 0.1 * g + 0.01 * p
        return dx


def test_attributes_dicts_and_lists():
    dense, kept, lists = Dense(), Kept(), Affine()
    for layer, parameters, gradients in (
        (dense, [dense.W, dense.b], lambda: [dense.dW, dense.db]),
        (dense, {"W": dense.W, "b": dense.b}, lambda: {"dW": dense.dW, "db": dense.db}),
        (dense, {"W": dense.W, "b": dense.b}, lambda: vars(dense)),
        (kept, kept.params, lambda: kept.grads),
        (lists, lists.params, lambda: lists.grads),
    ):
        with unchanged(parameters, X):
            report = check_layer_object(layer.forward, layer.backward, X, parameters, gradients)
        assert report.verdict == "pass"
        places = {probe.place.split("[")[0] for probe in report.probes if probe.index}
        assert places == {"x", "parameters"}


def test_mistakes_in_objects_are_found_and_named():
    dense = Dense()
    parameters = {"W": dense.W, "b": dense.b}
    report = check_layer_object(
        dense.forward, lambda dy: dense.backward(dy) * 2, X, parameters, lambda: vars(dense)
    )
    assert failing_leaves(report) == {"['x']"}
    assert any(hint.startswith("x: analytic is 2 times numeric") for hint in report.hints)
    report = check_layer_object(
        dense.forward, dense.backward, X, parameters, lambda: {"dW": dense.dW, "db": dense.db / 5}
    )
    (hint,) = report.hints
    assert hint.startswith("parameters['b']: analytic is 1/5 times numeric (4 failing probes)")


def test_an_object_in_float32_with_buffers_of_its_own():
    layer = Dense(np.float32)
    parameters = [layer.W, layer.b]
    report = check_layer_object(
        layer.forward, layer.backward, X.astype(np.float32), parameters, lambda: [layer.dW, layer.db]
    )
    assert report.verdict == "pass"
    assert layer.W.dtype == np.float32


def test_gradients_that_accumulate_are_recognised_and_can_be_cleared():
    layer = Accumulating()
    report = check_layer_object(layer.forward, layer.backward, X, layer.params, lambda: layer.grads)
    assert report.verdict == "inconclusive"
    assert "backward adds to what it returned before" in report.problem

    def cleared(dy):
        layer.zero_grad()
        return layer.backward(dy)

    assert check_layer_object(layer.forward, cleared, X, layer.params, lambda: layer.grads).passed


def test_parameters_hold_the_old_numbers_again_whatever_happens():
    layer = Training()
    with unchanged(layer.params):
        assert check_layer_object(
            layer.forward, layer.backward, X, layer.params, lambda: layer.grads
        ).passed
    calls = []

    def failing(dy):
        calls.append(dy)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return layer.backward(dy)

    with unchanged(layer.params), pytest.raises(KeyboardInterrupt):
        check_layer_object(layer.forward, failing, X, layer.params, lambda: layer.grads)


def test_a_first_layer_returns_no_gradient_of_its_input():
    layer = Affine()

    def backward(dy):
        layer.backward(dy)

    report = check_layer_object(layer.forward, backward, X, layer.params, lambda: layer.grads)
    assert report.passed
    assert {p.place.split("[")[0] for p in report.probes if p.index} == {"parameters"}


def test_an_activation_has_no_parameters():
    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, dy):
            return dy * (1 - self.y**2)

    layer = Tanh()
    assert check_layer_object(layer.forward, layer.backward, X).passed
    assert check_layer_object(layer.forward, lambda dy: dy * (1 - layer.y), X).verdict == "fail"


def test_objects_refuse_what_they_cannot_do():
    layer = Dense()
    with pytest.raises(TypeError, match="executor cannot be used here; expected none"):
        check_layer_object(layer.forward, layer.backward, X, executor=object())
    with pytest.raises(TypeError, match=r"gradients is \[\]; expected a function"):
        check_layer_object(layer.forward, layer.backward, X, [layer.W], [])
    with pytest.raises(ValueError, match="the gradient of parameters has no gradient of 'b'"):
        check_layer_object(
            layer.forward,
            layer.backward,
            X,
            {"W": layer.W, "b": layer.b},
            lambda: {"W": layer.dW},
        )


def test_the_package_exports_both():
    assert {"check_layer", "check_layer_object"} <= set(optimlib.__all__)


# Misunderstandings


class Copying:
    """A layer that does not read the arrays that it was given."""

    def __init__(self):
        self.W, self.b = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([0.5, 1.5])

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.gradients = [self.x.T @ dy, dy.sum(axis=0)]
        return dy @ self.W.T


@pytest.mark.parametrize(
    ("parameters", "unread"),
    [
        (lambda layer: [layer.W.copy(), layer.b.copy()], "parameters[0], parameters[1]"),
        (lambda layer: [layer.W, layer.b + 0], "parameters[1]"),
        (lambda layer: [2 * layer.W, layer.b], "parameters[0]"),
    ],
)
def test_parameters_that_the_layer_does_not_read(parameters, unread):
    layer = Copying()
    x = np.array([[0.3, -0.7], [1.1, 0.4], [0.2, 0.9]])
    report = check_layer_object(
        layer.forward, layer.backward, x, parameters(layer), lambda: layer.gradients
    )
    assert report.verdict == "fail"
    assert f"forward returns the same whatever {unread} hold: does it read" in report.notes[-1]


def test_a_wrong_gradient_of_parameters_that_are_read_gets_no_such_note():
    layer = Copying()
    report = check_layer_object(
        layer.forward,
        layer.backward,
        np.eye(2),
        [layer.W, layer.b],
        lambda: [3 * layer.gradients[0], layer.gradients[1]],
    )
    assert report.verdict == "fail"
    assert report.notes == ()


def test_gradients_of_parameters_that_are_not_given():
    layer = Copying()
    with pytest.raises(TypeError, match=r"^gradients is missing; expected a function"):
        check_layer_object(layer.forward, layer.backward, np.eye(2), [layer.W, layer.b])


@pytest.mark.parametrize(
    "inputs", [(np.eye(2), np.array([0, 1])), {"x": np.eye(2), "y": np.array([True])}]
)
def test_labels_have_no_gradient(inputs):
    with pytest.raises(TypeError, match=r"labels and indices have no gradient: fix them by a lambda"):
        check_layer(lambda x, y: (x, y), lambda dy, cache: dy, inputs)


def test_a_backward_pass_with_its_arguments_exchanged_says_how_it_was_called():
    with pytest.raises(ValueError, match=r"unpack") as error:
        check_layer(lambda x: (x, (x, 1, 2)), unpacking, np.eye(2))
    assert error.value.__notes__[0].startswith("It was called as backward(dy, cache)")


def unpacking(cache, dy):
    x, _, _ = cache
    return dy * x


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ((1.0, 2.0, 3.0), "is a tuple of 3; expected 2 gradients, of 0, 1"),
        (
            {"dx": 1.0, "dW": 2.0},
            "is a dict of 2; expected 2 gradients, of 0, 1 (for gradients with names",
        ),
        (iter([1.0, 2.0]), "expected 2 gradients, of 0, 1 (use tuple)"),
        (np.ones(2), "is array([1., 1.]); expected 2 gradients"),
    ],
)
def test_gradients_in_something_else(gradients, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_layer(lambda x, W: (x @ W, None), lambda dy, cache: gradients, (np.eye(2), np.eye(2)))
