"""The tape: gradients worked out by hand, the layers' own backward passes, and the gradient check."""

import gc
import weakref

import numpy as np
import pytest
from support import recorded_layer, unchanged

from optimlib import check_value_and_grad
from optimlib.nn import dense, dense_backward, softmax_cross_entropy, tanh_backward, tape
from optimlib.nn.tape import Node, backward, record, unbroadcast, value_and_gradient


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_circuit_by_hand():
    """L = (ab + max(b, c))^2 / 2 with a = -3, b = 2, c = 1: s = -4, and b is used twice."""

    def loss(t):
        larger = t["c"] + tape.relu(t["b"] - t["c"])
        return 0.5 * (t["a"] * t["b"] + larger) ** 2

    theta = {"a": np.array(-3.0), "b": np.array(2.0), "c": np.array(1.0)}
    with unchanged(theta):
        value, gradient = value_and_gradient(loss, theta)
    assert value == 8
    assert gradient == {"a": -8, "b": 8, "c": 0}


OPERATIONS = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "matrix product": lambda a, b: a @ b.T,
    "product with its own transpose": lambda a, b: a @ a.T @ b,
    "square": lambda a, b: a**2 + b,
    "inverse": lambda a, b: (a**2 + 1) ** -1.0 * b,
    "minus": lambda a, b: -a * b,
    "constants on the left": lambda a, b: 2 - a + np.ones((4, 3)) * b + normal(4, 4) @ a,
    "sum of an axis": lambda a, b: a.sum(axis=0) * b.sum(axis=1),
    "tanh": lambda a, b: tape.tanh(a) * b,
    "relu": lambda a, b: tape.relu(a) * b,
    "sigmoid": lambda a, b: tape.sigmoid(a) * b,
    "exp": lambda a, b: tape.exp(a) * b,
    "log": lambda a, b: tape.log(a**2 + 1) * b,
    "shared": lambda a, b: (a * b) * (a * b) + a * b,
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operations_agree_with_differences(operation):
    theta = {"a": normal(4, 3), "b": normal(4, 3, seed=1)}
    size = operation(Node(theta["a"], shared := []), Node(theta["b"], shared)).value.shape
    v = normal(*size, seed=2)
    report = check_value_and_grad(
        lambda t: value_and_gradient(lambda t: (v * operation(t["a"], t["b"])).sum(), t), theta
    )
    assert report.verdict == "pass", report


AS_IN_NUMPY = [name for name in OPERATIONS if name not in ("tanh", "relu", "sigmoid", "exp", "log")]


@pytest.mark.parametrize("name", [name for name in AS_IN_NUMPY if name != "sum of an axis"])
def test_values_are_numpys(name):
    """A wrong value with the gradient of that wrong value would pass the check above."""
    a, b = normal(4, 3), normal(4, 3, seed=1)
    found = OPERATIONS[name](Node(a, tape := []), Node(b, tape)).value
    np.testing.assert_array_equal(found, OPERATIONS[name](a, b))


def test_values_of_functions_are_numpys():
    x = normal(4, 3)
    expected = {"tanh": np.tanh(x), "relu": np.maximum(x, 0), "sigmoid": 1 / (1 + np.exp(-x))}
    expected |= {"exp": np.exp(x), "log": np.log(x**2)}
    for name, value in expected.items():
        given = x**2 if name == "log" else x
        np.testing.assert_allclose(getattr(tape, name)(Node(given, [])).value, value, rtol=1e-14)
    np.testing.assert_array_equal(Node(x, []).sum(axis=1).value, x.sum(axis=1, keepdims=True))


SHAPES = [
    ((4, 3), (3,)),
    ((3,), (4, 3)),
    ((4, 3), (4, 1)),
    ((4, 1), (1, 3)),
    ((2, 4, 3), (4, 1)),
    ((4, 3), ()),
]


@pytest.mark.parametrize(("one", "other"), SHAPES)
@pytest.mark.parametrize("name", ["sum", "product"])
def test_broadcasting_is_undone_by_sums(one, other, name):
    theta = {"a": normal(*one), "b": np.asarray(normal(*other, seed=1))}
    v = normal(*np.broadcast_shapes(one, other), seed=2)

    def f(t):
        return value_and_gradient(lambda t: (v * OPERATIONS[name](t["a"], t["b"])).sum(), t)

    assert check_value_and_grad(f, theta).verdict == "pass"
    gradient = f(theta)[1]
    assert {key: leaf.shape for key, leaf in gradient.items()} == {"a": one, "b": other}


def test_unbroadcast_counts_copies():
    for shape in ((), (1,), (3,), (1, 3), (4, 1), (4, 3), (1, 1)):
        dx = unbroadcast(np.ones((4, 3)), shape)
        assert dx.shape == shape
        assert (dx == 12 / max(1, np.prod(shape))).all()


def network(labels, x):
    def loss(t):
        z = tape.tanh(x @ t["W1"] + t["b1"]) @ t["W2"] + t["b2"]
        value, dz = softmax_cross_entropy(z.value, labels)
        return record(value, (z,), lambda dy: (dy * dz,))

    return loss


def test_a_network_agrees_with_the_layers_backward_passes():
    x, labels = normal(5, 4), np.array([0, 2, 1, 1, 0])
    theta = {"W1": normal(4, 3), "b1": normal(3), "W2": normal(3, 3, seed=1), "b2": normal(3, seed=2)}
    h = np.tanh(dense(x, theta["W1"], theta["b1"]))
    expected, dz = softmax_cross_entropy(dense(h, theta["W2"], theta["b2"]), labels)
    dh, dW2, db2 = dense_backward(dz, h, theta["W2"])
    _, dW1, db1 = dense_backward(tanh_backward(dh, h), x, theta["W1"])
    value, gradient = value_and_gradient(network(labels, x), theta)
    assert value == pytest.approx(expected, rel=1e-15)
    for name, leaf in {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}.items():
        np.testing.assert_allclose(gradient[name], leaf, rtol=1e-13)


def test_a_dense_layer_agrees_with_pytorch():
    case = recorded_layer("dense")
    theta = dict(case.inputs)
    gradient = value_and_gradient(lambda t: (case.dy * (t["x"] @ t["W"] + t["b"])).sum(), theta)[1]
    for name, leaf in case.gradients.items():
        np.testing.assert_allclose(gradient[name], leaf, rtol=1e-12)


def test_a_long_chain_needs_no_recursion():
    def loss(x):
        for _ in range(5000):
            x = x * 1.0001
        return x.sum()

    gradient = value_and_gradient(loss, np.ones(2))[1]
    np.testing.assert_allclose(gradient, 1.0001**5000, rtol=1e-10)


def test_python_decides_what_is_recorded():
    def loss(x):
        return x * x if x.value > 0 else -x

    assert value_and_gradient(loss, np.array(3.0))[1] == 6
    assert value_and_gradient(loss, np.array(-3.0))[1] == -1


def test_a_branch_that_the_loss_does_not_use_sends_nothing_back():
    def loss(t):
        tape.log(t["a"] * 0.0)
        return (t["a"] * t["a"]).sum()

    with np.errstate(divide="ignore"):
        gradient = value_and_gradient(loss, {"a": np.array([3.0]), "unused": np.ones(2)})[1]
    assert gradient["a"].tolist() == [6]
    assert gradient["unused"].tolist() == [0, 0]


def test_gradients_share_no_memory():
    gradient = value_and_gradient(lambda t: (t[0] + t[1]).sum(), [np.ones(2), np.ones(2)])[1]
    gradient[0] += 1
    assert gradient[1].tolist() == [1, 1]


def test_the_value_is_one_number():
    value, gradient = value_and_gradient(lambda x: x @ x.T, np.ones((1, 2)))
    assert value.shape == ()
    assert value == 2
    assert gradient.tolist() == [[2, 2]]


def test_nothing_stays_in_memory():
    seen = []

    def loss(x):
        seen.append(weakref.ref(y := x * x))
        return y.sum()

    gc.disable()
    try:
        value_and_gradient(loss, np.ones(3))
        assert seen[0]() is None
    finally:
        gc.enable()


def test_float32_stays_float32():
    theta = {"W": normal(3, 2).astype(np.float32), "b": np.zeros(2, np.float32)}
    x = normal(4, 3)  # a constant takes the node's dtype
    value, gradient = value_and_gradient(
        lambda t: 0.5 * (tape.tanh(x @ t["W"] + t["b"]) ** 2).sum(), theta
    )
    assert {value.dtype, *(leaf.dtype for leaf in gradient.values())} == {np.dtype(np.float32)}


def test_misuse_says_what_was_expected():
    with pytest.raises(TypeError, match="a float; expected a Node"):
        value_and_gradient(lambda x: 1.0, np.ones(2))
    with pytest.raises(ValueError, match=r"shape \(2,\); expected one number"):
        value_and_gradient(lambda x: x * x, np.ones(2))
    with pytest.raises(ValueError, match="two matrices"):
        value_and_gradient(lambda w: (np.ones((3, 2)) @ w).sum(), np.ones(2))
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(3,\)"):
        value_and_gradient(lambda x: record(1.0, (x,), lambda dy: (np.ones(2),)), np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(\); expected \(3,\)"):
        value_and_gradient(lambda x: record(1.0, (x,), lambda dy: (dy,)), np.ones(3))
    with pytest.raises(ValueError, match="a vjp returned 0 gradients; expected a tuple of 1"):
        value_and_gradient(lambda x: record(1.0, (x,), lambda dy: ()), np.ones(3))
    with pytest.raises(TypeError, match="floating-point numbers; got int64"):
        value_and_gradient(lambda x: (x * 0.5).sum(), np.array([1, 2], np.int64))
    with pytest.raises(TypeError, match=r"inputs is \(\); expected"):
        record(1.0, (), lambda dy: ())
    with pytest.raises(TypeError, match=r"inputs is \(Node, ndarray\)"):
        record(1.0, (Node(1.0, []), np.ones(2)), lambda dy: (dy, dy))
    with pytest.raises(TypeError):
        value_and_gradient(lambda x: np.tanh(x).sum(), np.ones(3))
    with pytest.raises(ValueError, match="several tapes"):
        Node(np.ones(2), []) + Node(np.ones(2), [])
    x = Node(np.ones(2), [])
    loss = (x * x).sum()
    backward(loss)
    with pytest.raises(ValueError, match="played before"):
        backward(loss)
