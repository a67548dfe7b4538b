"""What every function says to arguments that are none: it names them, and changes nothing."""

import re

import numpy as np
import pytest
from support import bits

from optimlib import nn
from optimlib.nn.arguments import check_shapes


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


BATCH = {"x": random(4, 3), "gamma": random(3), "beta": random(3)}
STATISTICS = {"mean": random(3), "variance": random(3) ** 2}
ONE_STATE = {"x": random(2, 4, 3), "h0": random(2, 5), "Wx": random(3, 5), "Wh": random(5, 5)}
FOUR_GATES = {"Wx": random(3, 20), "Wh": random(5, 20), "b": random(20)}
THREE_GATES = {"Wx": random(3, 15), "Wh": random(5, 15), "bx": random(15), "bh": random(15)}

ARRAYS = {  # right arguments of every function that takes arrays
    nn.dense: {"x": random(4, 3), "W": random(3, 2), "b": random(2)},
    nn.dense_backward: {"dy": random(4, 2), "x": random(4, 3), "W": random(3, 2)},
    nn.tanh: {"x": random(4, 3)},
    nn.tanh_backward: {"dy": random(4, 3), "y": random(4, 3)},
    nn.relu: {"x": random(4, 3)},
    nn.relu_backward: {"dy": random(4, 3), "y": random(4, 3)},
    nn.leaky_relu: {"x": random(4, 3)},
    nn.leaky_relu_backward: {"dy": random(4, 3), "x": random(4, 3)},
    nn.sigmoid: {"x": random(4, 3)},
    nn.sigmoid_backward: {"dy": random(4, 3), "y": random(4, 3)},
    nn.dropout_backward: {"dy": random(4, 3), "mask": random(4, 3)},
    nn.residual: {"x": random(4, 3), "fx": random(4, 3)},
    nn.residual_backward: {"dy": random(4, 3)},
    nn.conv2d: {"x": random(2, 3, 5, 5), "W": random(4, 3, 2, 2), "b": random(4)},
    nn.conv2d_backward: {
        "dy": random(2, 4, 4, 4),
        "x": random(2, 3, 5, 5),
        "W": random(4, 3, 2, 2),
    },
    nn.batch_norm: BATCH,
    nn.running_statistics: STATISTICS | {"x": random(4, 3)},
    nn.batch_norm_evaluate: BATCH | STATISTICS,
    nn.batch_norm_evaluate_backward: {"dy": random(4, 3), "x": random(4, 3), "gamma": random(3)}
    | STATISTICS,
    nn.layer_norm: BATCH,
    nn.rnn: ONE_STATE | {"b": random(5)},
    nn.lstm: ONE_STATE | {"c0": random(2, 5)} | FOUR_GATES,
    nn.gru: ONE_STATE | THREE_GATES,
}
ELEMENTWISE = (nn.tanh, nn.relu, nn.leaky_relu, nn.sigmoid, nn.residual_backward)  # any shape is right
PLACES = [(function, name) for function, arrays in ARRAYS.items() for name in arrays]
every_array = pytest.mark.parametrize(
    ("function", "name"), PLACES, ids=[f"{function.__name__} {name}" for function, name in PLACES]
)


def refused(function, error, message, arguments) -> None:
    before = bits({name: a for name, a in arguments.items() if isinstance(a, np.ndarray)})
    with pytest.raises(error, match=message) as caught:
        function(**arguments)
    assert len(str(caught.value)) < 500
    assert bits({name: a for name, a in arguments.items() if isinstance(a, np.ndarray)}) == before


def test_every_function_is_here():
    functions = {getattr(nn, name) for name in nn.__all__ if not isinstance(getattr(nn, name), type)}
    others = {  # tests of their own, below or beside this file
        *(nn.fans, nn.glorot_normal, nn.glorot_uniform, nn.he_normal, nn.he_uniform, nn.orthogonal),
        *(nn.logistic, nn.softmax_cross_entropy, nn.squared_error, nn.dropout),
        *(nn.batch_norm_backward, nn.layer_norm_backward),
        *(nn.rnn_backward, nn.lstm_backward, nn.gru_backward),
    }
    assert functions - others == set(ARRAYS)


def test_the_right_arguments_are_right():
    for function, arguments in ARRAYS.items():
        function(**arguments)


@every_array
def test_what_is_no_array_is_refused_by_name(function, name):
    for value in (None, ARRAYS[function][name].tolist(), "text"):
        message = rf"^{name} is a {type(value).__name__}; expected a NumPy array$"
        refused(function, TypeError, message, ARRAYS[function] | {name: value})


@every_array
def test_masked_arrays_are_refused_by_name(function, name):
    masked = np.ma.masked_less(ARRAYS[function][name], 0.1)
    message = rf"^{name} is a MaskedArray; expected a plain NumPy array$"
    refused(function, TypeError, message, ARRAYS[function] | {name: masked})


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_whose_product_is_another_is_refused():
    square = np.matrix(np.ones((2, 2)))
    refused(
        nn.tanh_backward, TypeError, "^dy is a matrix; expected", {"dy": square, "y": np.ones((2, 2))}
    )
    refused(nn.dense, TypeError, "^W is a matrix; expected", ARRAYS[nn.dense] | {"W": square})


@every_array
def test_whole_numbers_and_objects_are_refused_by_name(function, name):
    for dtype in (np.int64, np.uint8, bool, object):
        message = rf"^{name} has dtype {np.dtype(dtype)}; expected float"
        wrong = ARRAYS[function][name].astype(dtype)
        refused(function, TypeError, message, ARRAYS[function] | {name: wrong})


@every_array
def test_shapes_that_numpy_would_broadcast_are_refused(function, name):
    if function in ELEMENTWISE:
        return
    right = ARRAYS[function][name]
    wrong = [right[None], np.stack([right, right]), np.array(right.sum())]
    if name not in ("x", "W"):  # whose number of examples or pixels may be another
        wrong += [right[..., :1], right[:1]]
    if (function, name) == (nn.layer_norm, "x"):  # which may have more axes
        wrong = [right[0], right[:, :2]]
    for array in wrong:
        refused(function, ValueError, r"expected|does not fit", ARRAYS[function] | {name: array})


@pytest.mark.parametrize("function", [nn.relu, nn.leaky_relu, nn.sigmoid])
def test_complex_numbers_have_no_order(function):
    with pytest.raises(TypeError, match=r"^x has dtype complex128; expected floating point, and real"):
        function(np.ones(3) + 1j)


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        (nn.leaky_relu, "slope", "0.1"),
        (nn.leaky_relu, "slope", None),
        (nn.leaky_relu, "slope", np.ones(3)),
        (nn.leaky_relu_backward, "slope", True),
        (nn.batch_norm, "eps", None),
        (nn.layer_norm, "eps", "1e-5"),
        (nn.batch_norm_evaluate, "eps", np.full(3, 1e-5)),
        (nn.running_statistics, "momentum", None),
        (nn.running_statistics, "momentum", True),
    ],
)
def test_numbers_that_are_none_are_refused(function, name, value):
    message = rf"^{name} is {re.escape(repr(value))}; expected a"
    refused(function, TypeError, message, ARRAYS[function] | {name: value})


@pytest.mark.parametrize("slope", [np.nan, np.inf])
def test_a_slope_that_is_not_finite_is_refused(slope):
    with pytest.raises(ValueError, match=rf"^slope is {slope}; expected a finite number"):
        nn.leaky_relu(np.ones(3), slope)


@pytest.mark.parametrize("eps", [np.inf, -np.inf, np.nan])
def test_an_eps_that_is_not_finite_is_refused(eps):
    with pytest.raises(ValueError, match=rf"^eps is {eps}; expected a number from 0 on"):
        nn.layer_norm(**BATCH, eps=eps)


@pytest.mark.parametrize("worst", [-1e-9, -4.0, np.nan])
def test_a_variance_without_a_root_is_refused(worst):
    wrong = BATCH | STATISTICS | {"variance": np.array([1.0, worst, 2.0])}
    refused(nn.batch_norm_evaluate, ValueError, rf"^variance .* {worst}; expected numbers from 0", wrong)


# Caches


def caches() -> dict[str, tuple]:
    """By name: the backward function, a right gradient, and the cache."""
    layers = {name: getattr(nn, name) for name in ("batch_norm", "layer_norm", "rnn", "lstm", "gru")}
    made = {name: forward(**ARRAYS[forward]) for name, forward in layers.items()}
    return {name: (getattr(nn, f"{name}_backward"), *pair) for name, pair in made.items()}


@pytest.mark.parametrize("name", caches())
def test_a_cache_of_another_layer_is_refused(name):
    """A layer normalization's cache fits that of a square batch, and would give a wrong gradient."""
    backward, dy, cache = caches()[name]
    kind = type(cache).__name__
    others = [cache for other, (_, _, cache) in caches().items() if other != name]
    for wrong in (*others, None, dy, (dy, cache), tuple(cache)):
        message = rf"^cache is a \w+; expected the {kind} that {name} returns beside its output$"
        with pytest.raises(TypeError, match=message):
            backward(dy, wrong)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_a_gradient_that_is_no_array_is_refused(name):
    backward, dy, cache = caches()[name]
    for wrong, message in (
        (None, "dy is a NoneType"),
        (dy.tolist(), "dy is a list"),
        (dy.astype(int), "dy has dtype"),
    ):
        with pytest.raises(TypeError, match=message):
            backward(wrong, cache)


# Losses, initial weights, dropout


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.softmax_cross_entropy(None, [0]), "logits has dtype object"),
        (lambda: nn.softmax_cross_entropy(np.zeros((1, 2), int), [0]), "logits has dtype int64"),
        (lambda: nn.softmax_cross_entropy(np.zeros((1, 2)) * 1j, [0]), "logits has dtype complex128"),
        (lambda: nn.softmax_cross_entropy(np.zeros((1, 2)), None), "labels have dtype object"),
        (lambda: nn.logistic(None, [0]), "logits has dtype object"),
        (lambda: nn.logistic(np.zeros(1), [None]), "labels have dtype object"),
        (lambda: nn.squared_error(None, np.zeros(1)), "prediction has dtype object"),
        (lambda: nn.squared_error(np.zeros(1), ["1"]), "target has dtype <U1; expected numbers"),
        (lambda: nn.squared_error(np.zeros(1), None), "target has dtype object"),
        (lambda: nn.orthogonal((2, 2), np.random.default_rng(0), gain="1"), "gain is '1'; expected"),
        (lambda: nn.orthogonal((2, 2), np.random.default_rng(0), gain=None), "gain is None"),
        (lambda: nn.glorot_uniform(784, np.random.default_rng(0)), "shape is 784; expected a tuple"),
        (lambda: nn.he_normal("28", np.random.default_rng(0)), "shape is '28'"),
        (lambda: nn.dropout(np.ones(3), "0.5", np.random.default_rng(0)), "rate is '0.5'"),
        (lambda: nn.dropout(np.ones(3), None, np.random.default_rng(0)), "rate is None"),
        (lambda: nn.dropout([1.0], 0.5, np.random.default_rng(0)), "x is a list"),
    ],
)
def test_what_is_no_number_is_refused_by_name(call, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        call()


def test_fans_are_python_numbers():
    assert [type(fan) for fan in nn.fans((np.int64(3), np.int64(2)))] == [int, int]


# The check of shapes itself


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 3), "examples, inputs"),
        ((2, 7, 5, 3), "..., examples, inputs"),
        ((5, 3), "..., examples, inputs"),
        ((12,), "4 inputs"),
        ((5, 5), "kernel height, kernel width"),
        ((0, 3), "nothing, inputs"),
    ],
)
def test_shapes_that_fit(shape, axes):
    check_shapes(x=(np.ones((5, 3)), "examples, inputs"), other=(np.ones(shape), axes))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3, 5), "examples, inputs"),
        ((5, 3, 1), "..., examples, inputs"),
        ((3,), "..., examples, inputs"),
        ((13,), "4 inputs"),
        ((3,), "4 inputs"),
        ((5, 4), "height, height"),
        ((), "inputs"),
    ],
)
def test_shapes_that_do_not_fit(shape, axes):
    with pytest.raises(
        ValueError, match=re.escape(f"other does not fit: the shapes are x (5, 3), other {shape}")
    ):
        check_shapes(x=(np.ones((5, 3)), "examples, inputs"), other=(np.ones(shape), axes))
