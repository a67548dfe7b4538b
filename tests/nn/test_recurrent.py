"""Recurrent layers: PyTorch's values, values worked out by hand, and gradients that are checked."""

import inspect
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN, assert_not_wrong, unchanged

from optimlib import assert_gradient, check_gradient
from optimlib.nn import gru, gru_backward, lstm, lstm_backward, rnn, rnn_backward

PROPERTY = settings(derandomize=True, deadline=None, max_examples=8)
RECORDED = json.loads((GOLDEN / "recurrent.json").read_text(encoding="utf8"))
LAYERS = [
    (rnn, rnn_backward, 1, ("x", "h0", "Wx", "Wh", "b")),
    (lstm, lstm_backward, 4, ("x", "h0", "c0", "Wx", "Wh", "b")),
    (gru, gru_backward, 3, ("x", "h0", "Wx", "Wh", "bx", "bh")),
]
every_layer = pytest.mark.parametrize(
    ("forward", "backward", "gates", "names"), LAYERS, ids=lambda value: getattr(value, "__name__", "")
)


def arguments(gates, names, rng, examples=2, time=4, inputs=3, units=2, dtype=np.float64):
    columns = gates * units
    shapes = {"x": (examples, time, inputs), "h0": (examples, units), "c0": (examples, units)}
    shapes |= {"Wx": (inputs, columns), "Wh": (units, columns)}
    return {name: rng.standard_normal(shapes.get(name, columns)).astype(dtype) for name in names}


def loss_and_grad(forward, backward, dh):
    """The sum of the states times `dh`, and its gradient according to the backward function."""

    def loss(theta):
        return (dh * forward(**theta)[0]).sum()

    def grad(theta):
        return dict(zip(theta, backward(dh, forward(**theta)[1]), strict=True))

    return loss, grad


# Independent answers


@every_layer
def test_states_and_gradients_are_those_of_pytorch(forward, backward, gates, names):
    golden = RECORDED[forward.__name__.upper()]
    theta = {name: np.array(value) for name, value in golden["given"].items()}
    gradients = {name: np.array(value) for name, value in golden["gradients"].items()}
    if "b" in names:
        theta["b"] = theta.pop("bx") + theta.pop("bh")
        gradients["b"] = gradients.pop("bx")
    dh = np.array(golden["dh"])
    with unchanged(theta, dh):
        h, cache = forward(**theta)
        ours = backward(dh, cache)
    np.testing.assert_allclose(h, golden["h"], rtol=1e-12, atol=1e-14)
    for name, gradient in zip(names, ours, strict=True):
        np.testing.assert_allclose(gradient, gradients[name], rtol=1e-12, atol=1e-14, err_msg=name)


def test_the_golden_values_come_from_sequences():
    for cell in ("RNN", "LSTM", "GRU"):
        examples, time, units = np.shape(RECORDED[cell]["h"])
        assert min(examples, time, units) > 1
        assert np.std(RECORDED[cell]["h"]) > 0.1


LOG_3, THIRD = np.log(3), np.log(2) / 2  # sigma(log 3) = 3/4, and tanh(log(2) / 2) = 1/3


def one_step(forward, backward, a_x, a_h, **initial):
    """One step with one unit: x = 2, h0 = 3, and weights and biases that make a_x and a_h."""
    a_x, a_h = np.array([a_x]), np.array([a_h])
    Wx, Wh = np.arange(1.0, 1 + a_x.size)[None], np.arange(-1.0, a_x.size - 1)[None]
    bx, bh = (a_x - 2 * Wx)[0], (a_h - 3 * Wh)[0]
    biases = (bx, bh) if forward is gru else (bx + bh,)
    states = [np.array([[3.0]]), *(np.array([[value]]) for value in initial.values())]
    h, cache = forward(np.array([[[2.0]]]), *states, Wx, Wh, *biases)
    return h.item(), Wx, Wh, backward(np.array([[[1.0]]]), cache)


def assert_step(gradients, Wx, Wh, da_x, da_h, direct=0.0, further=()):
    """The gradients of one step from those of what the gates are made of."""
    da_x, da_h = np.array(da_x), np.array(da_h)
    dh0 = [[da_h @ Wh[0] + direct]]
    expected = [[[[da_x @ Wx[0]]]], dh0, *further, [2 * da_x], [3 * da_h], da_x, da_h]
    for gradient, value in zip(gradients, expected[: len(gradients)], strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-14)


def test_an_rnn_step_by_hand():
    h, Wx, Wh, gradients = one_step(rnn, rnn_backward, [THIRD], [0.0])
    np.testing.assert_allclose(h, 1 / 3, rtol=1e-15)
    assert_step(gradients, Wx, Wh, [8 / 9], [8 / 9])


def test_an_lstm_step_by_hand():
    # i = 3/4, f = 1/2, g = 1/3, o = 1/4; c = c0/2 + 1/4 is to be log(2)/2, so that tanh(c) = 1/3.
    c0 = 2 * THIRD - 1 / 2
    h, Wx, Wh, gradients = one_step(lstm, lstm_backward, [LOG_3, 0.0, THIRD, -LOG_3], [0.0] * 4, c0=c0)
    np.testing.assert_allclose(h, 1 / 12, rtol=1e-14)
    # dc = o (1 - 1/9) = 2/9: di = 2/27, df = 2/9 c0, dg = 1/6; do = 1/3; and each times its slope.
    da = [1 / 72, c0 / 18, 4 / 27, 1 / 16]
    assert_step(gradients, Wx, Wh, da, da, further=[[[1 / 9]]])


def test_a_gru_step_by_hand():
    # r = 3/4, z = 1/4; what r multiplies is 4, so that n = tanh(log(2)/2 - 3 + 3) = 1/3.
    h, Wx, Wh, gradients = one_step(gru, gru_backward, [LOG_3, 0.0, THIRD - 3], [0.0, -LOG_3, 4.0])
    np.testing.assert_allclose(h, 3 / 4 * 1 / 3 + 1 / 4 * 3, rtol=1e-14)
    # dn = 3/4, times 1 - 1/9: 2/3; dz = 3 - 1/3; dr = 2/3 * 4; sigma's slope is 3/16 at both.
    da_x, da_h = [1 / 2, 1 / 2, 2 / 3], [1 / 2, 1 / 2, 1 / 2]
    assert_step(gradients, Wx, Wh, da_x, da_h, direct=1 / 4)


# Properties


@every_layer
@PROPERTY
@given(
    examples=st.integers(1, 3),
    time=st.integers(0, 4),
    inputs=st.integers(1, 3),
    units=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_backward_agrees_with_the_loss(
    forward, backward, gates, names, examples, time, inputs, units, seed
):
    rng = np.random.default_rng(seed)
    theta = arguments(gates, names, rng, examples, time, inputs, units)
    dh = rng.standard_normal((examples, time, units))
    loss, grad = loss_and_grad(forward, backward, dh)
    assert_not_wrong(loss, grad, theta)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(forward, backward, gates, names, dtype):
    theta = arguments(gates, names, np.random.default_rng(1), dtype=dtype)
    h, cache = forward(**theta)
    gradients = backward(np.ones_like(h), cache)
    assert {array.dtype for array in (h, *gradients)} == {np.dtype(dtype)}
    assert [g.shape for g in gradients] == [array.shape for array in theta.values()]


@every_layer
def test_a_float32_gradient_passes_the_check(forward, backward, gates, names):
    rng = np.random.default_rng(2)
    theta = arguments(gates, names, rng, dtype=np.float32)
    dh = rng.standard_normal((2, 4, 2)).astype(np.float32)
    assert_gradient(*loss_and_grad(forward, backward, dh), theta)


@every_layer
def test_an_empty_sequence_has_no_states_and_gradients_of_zero(forward, backward, gates, names):
    theta = arguments(gates, names, np.random.default_rng(3), time=0)
    h, cache = forward(**theta)
    assert h.shape == (2, 0, 2)
    for gradient, array in zip(backward(h, cache), theta.values(), strict=True):
        assert gradient.tolist() == np.zeros(array.shape).tolist()


@every_layer
def test_a_sequence_can_be_read_in_two_parts(forward, backward, gates, names):
    theta = arguments(gates, names, np.random.default_rng(4), time=5)
    whole, _ = forward(**theta)
    first, cache = forward(**theta | {"x": theta["x"][:, :2]})
    between = {"h0": first[:, -1]}
    if "c0" in names:
        between["c0"] = cache.c[:, -1]
    second, _ = forward(**theta | between | {"x": theta["x"][:, 2:]})
    assert np.array_equal(np.concatenate([first, second], axis=1), whole)


@every_layer
def test_examples_do_not_mix_and_time_runs_forwards(forward, backward, gates, names):
    theta = arguments(gates, names, np.random.default_rng(5))
    _, cache = forward(**theta)
    dh = np.zeros((2, 4, 2))
    dh[1, 2] = 1.0  # the second example's third state
    dx = backward(dh, cache)[0]
    assert np.all(dx[1, :3] != 0)
    assert not dx[0].any()
    assert not dx[1, 3].any()


# Planted bugs

BUGS = [
    ("rnn", "nothing through later steps", "dh_t = dh[:, t] + dh_t", "dh_t = dh[:, t]"),
    ("rnn", "no direct gradient", "dh_t = dh[:, t] + dh_t", "dh_t = dh[:, t] if t == 2 else dh_t"),
    ("rnn", "truncated", "dh_t = da @ Wh.T", "dh_t = da @ Wh.T * (t != 1)"),
    ("rnn", "Wh not transposed", "dh_t = da @ Wh.T", "dh_t = da @ Wh"),
    ("rnn", "the state after, not before", "before(t, h, h0).T", "h[:, t].T"),
    ("rnn", "the last step's weights only", "dWx += x[:, t].T @ da", "dWx = x[:, t].T @ da"),
    ("rnn", "slope of tanh forgotten", "da = tanh_backward(dh_t, h[:, t])", "da = dh_t"),
    ("lstm", "nothing through the cell", "dc_t = dc_t * f", "dc_t = dc_t * 0"),
    ("lstm", "forget gate forgotten", "dc_t = dc_t * f", "dc_t = dc_t"),
    ("lstm", "nothing through the state", "dh_t = da @ Wh.T", "dh_t = dh_t * 0"),
    ("lstm", "two gates swapped", "[da_i, da_f, da_g, da_o]", "[da_i, da_f, da_o, da_g]"),
    ("lstm", "input and forget gate swapped", "i, f, g, o = gates[t]", "f, i, g, o = gates[t]"),
    ("lstm", "the cell after, not before", "before(t, c, c0)", "c[:, t]"),
    ("lstm", "slope of tanh(c) forgotten", "tanh_backward(dh_t * o, tanh_c)", "dh_t * o"),
    ("gru", "nothing past the gates", "dh_t = dq @ Wh.T + dh_t * z", "dh_t = dq @ Wh.T"),
    ("gru", "nothing through the gates", "dh_t = dq @ Wh.T + dh_t * z", "dh_t = dh_t * z"),
    ("gru", "reset forgotten", "[dp_r, dp_z, dp_n * r]", "[dp_r, dp_z, dp_n]"),
    ("gru", "gates swapped", "dp = np.concatenate([dp_r, dp_z,", "dp = np.concatenate([dp_z, dp_r,"),
    ("gru", "z the other way round", "dh_t * (h_before - n)", "dh_t * (n - h_before)"),
    ("gru", "biases mixed up", "dbh += dq.sum(axis=0)", "dbh += dp.sum(axis=0)"),
]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [pytest.param(name, right, wrong, id=f"{name}: {what}") for name, what, right, wrong in BUGS],
)
def test_a_planted_bug_is_found(name, right, wrong):
    forward, backward, gates, names = next(row for row in LAYERS if row[0].__name__ == name)
    source = inspect.getsource(backward)
    assert source.count(right) == 1
    namespace = dict(vars(sys.modules[forward.__module__]))
    exec(source.replace(right, wrong), namespace)
    rng = np.random.default_rng(6)
    theta = arguments(gates, names, rng, examples=1, time=3, inputs=2)
    dh = rng.standard_normal((1, 3, 2))
    loss, grad = loss_and_grad(forward, namespace[backward.__name__], dh)
    assert check_gradient(loss, grad, theta).verdict == "fail"


# Refusals


WRONG_SHAPES = {
    "x": [(4, 3), (2, 4, 3, 1), (1, 4, 3), (2, 4, 2)],
    "h0": [(2,), (), (1, 2), (2, 3)],
    "c0": [(2,), (1, 2), (2, 3)],
    "Wx": [(3, 1), (3,), (2, 12)],
    "Wh": [(2, 1), (2,), (12, 2)],
    "b": [(1,), (), (1, 2), (1, 8)],
    "bx": [(1,), (1, 6)],
    "bh": [(1,), (1, 6)],
}


@every_layer
def test_shapes_that_do_not_belong_together_are_refused(forward, backward, gates, names):
    theta = arguments(gates, names, np.random.default_rng(7))
    for name in names:
        for shape in WRONG_SHAPES[name]:
            with pytest.raises(ValueError, match=r"expected x \(examples, time, inputs\), h0") as caught:
                forward(**theta | {name: np.zeros(shape)})
            assert f"{name} {shape}" in str(caught.value)


def test_a_refusal_says_what_does_not_fit():
    theta = arguments(4, LAYERS[1][3], np.random.default_rng(8)) | {"Wh": np.zeros((2, 2))}
    with pytest.raises(ValueError, match="Wh") as caught:
        lstm(**theta)
    assert str(caught.value) == (
        "Wh does not fit: the shapes are"
        " x (2, 4, 3), h0 (2, 2), c0 (2, 2), Wx (3, 8), Wh (2, 2), b (8,);"
        " expected x (examples, time, inputs), h0 (examples, units), c0 (examples, units),"
        " Wx (inputs, 4 units), Wh (units, 4 units), b (4 units,)"
    )


@every_layer
def test_dtypes_that_lose_digits_are_refused(forward, backward, gates, names):
    theta = arguments(gates, names, np.random.default_rng(9))
    for name in names:
        with pytest.raises(TypeError, match=rf"^{name} has dtype int64; expected float32 or float64 "):
            forward(**theta | {name: theta[name].astype(int)})
        with pytest.raises(TypeError, match=rf"^{name} is a list; expected a NumPy array$"):
            forward(**theta | {name: theta[name].tolist()})
    with pytest.raises(TypeError, match=r"^Wh has dtype float32; expected float64, the dtype of x$"):
        forward(**theta | {"Wh": theta["Wh"].astype(np.float32)})


@every_layer
def test_a_gradient_unlike_the_states_is_refused(forward, backward, gates, names):
    h, cache = forward(**arguments(gates, names, np.random.default_rng(10)))
    with pytest.raises(
        ValueError, match=r"^dh has shape \(2, 2\); expected \(2, 4, 2\), the shape of h$"
    ):
        backward(h[:, -1], cache)
    with pytest.raises(ValueError, match=r"^dh has shape \(1, 4, 2\); expected"):
        backward(h[:1], cache)
    with pytest.raises(TypeError, match=r"^dh has dtype float32; expected float64, the dtype of h$"):
        backward(h.astype(np.float32), cache)
    with pytest.raises(TypeError, match=r"^dh is a float; expected a NumPy array$"):
        backward(1.0, cache)
