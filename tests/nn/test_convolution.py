"""Convolution: its definition in fractions, PyTorch, its relatives, the gradient check, and bugs."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import eighths, recorded_layer, unchanged

from optimlib import assert_gradient, check_gradient
from optimlib.nn.convolution import conv2d, conv2d_backward
from optimlib.nn.layers import dense

PROPERTY = settings(derandomize=True, deadline=None, max_examples=15)


@st.composite
def layers(draw):
    """A generator, the shapes of x and W, and stride and padding that belong together."""
    small = st.integers(1, 3)
    examples, channels, outputs, stride = draw(small), draw(small), draw(small), draw(small)
    kernel, padding = (draw(small), draw(small)), draw(st.integers(0, 2))
    image = tuple(draw(st.integers(max(1, size - 2 * padding), 5)) for size in kernel)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng, (examples, channels, *image), (outputs, channels, *kernel), stride, padding


# The definition


@PROPERTY
@given(layers())
def test_the_output_is_the_sum_that_its_equation_says(layer):
    rng, x_shape, W_shape, stride, padding = layer
    x, W, b = eighths(rng, *x_shape), eighths(rng, *W_shape), eighths(rng, W_shape[0])
    with unchanged(x, W, b):
        y = conv2d(x, W, b, stride, padding)
    examples, channels, height, width = x_shape
    outputs, _, kernel_height, kernel_width = W_shape

    def pixel(n, c, row, column):
        """The padded image: zero wherever there is no pixel."""
        inside = 0 <= row < height and 0 <= column < width
        return Fraction(x[n, c, row, column]) if inside else 0

    # The windows start at -padding and must end inside the border.
    rows = range(-padding, height + padding - kernel_height + 1, stride)
    columns = range(-padding, width + padding - kernel_width + 1, stride)
    assert y.shape == (examples, outputs, len(rows), len(columns))
    for n, o, i, j in np.ndindex(y.shape):
        window = (
            Fraction(W[o, c, p, q]) * pixel(n, c, rows[i] + p, columns[j] + q)
            for c, p, q in np.ndindex(channels, kernel_height, kernel_width)
        )
        assert y[n, o, i, j] == sum(window) + Fraction(b[o])


def test_by_hand():
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    W = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    y = conv2d(x, W, np.array([0.5]))
    assert y.tolist() == [[[[5421.5, 6532.5], [8754.5, 9865.5]]]]  # not flipped
    dy = np.array([[[[1.0, 0.0], [0.0, 2.0]]]])
    with unchanged(dy, x, W):
        dx, dW, db = conv2d_backward(dy, x, W)
    assert dx.tolist() == [[[[1, 10, 0], [100, 1002, 20], [0, 200, 2000]]]]
    assert dW.tolist() == [[[[1 + 10, 2 + 12], [4 + 16, 5 + 18]]]]
    assert db.tolist() == [3]


def test_stride_and_padding_by_hand():
    x, W = np.array([[[[1.0, 2.0, 3.0, 4.0]]]]), np.array([[[[1.0, 10.0]]]])
    # With its border the image has three rows, 0 0 0 0 0 0, then 0 1 2 3 4 0, then zeros again.
    y = conv2d(x, W, np.zeros(1), stride=1, padding=1)
    assert y.tolist() == [[[[0, 0, 0, 0, 0], [10, 21, 32, 43, 4], [0, 0, 0, 0, 0]]]]
    dx, dW, db = conv2d_backward(np.ones_like(y), x, W, stride=1, padding=1)
    assert dx.tolist() == [[[[11, 11, 11, 11]]]]
    assert dW.tolist() == [[[[10, 10]]]]
    assert db.tolist() == [15]
    # Without one and with a stride of 3, there is room for a single window: the rest is not used.
    y = conv2d(x, W, np.zeros(1), stride=3)
    assert y.tolist() == [[[[21]]]]
    dx, dW, db = conv2d_backward(np.array([[[[2.0]]]]), x, W, stride=3)
    assert dx.tolist() == [[[[2, 20, 0, 0]]]]
    assert dW.tolist() == [[[[2, 4]]]]
    assert db.tolist() == [2]


# PyTorch


@pytest.mark.parametrize(
    "case",
    ["conv2d", "conv2d padded", "conv2d with a stride", "conv2d padded with a stride"],
)
def test_outputs_and_gradients_are_those_of_pytorch(case):
    torch = recorded_layer(case)
    where = {name: int(number) for name, number in torch.others.items()}
    np.testing.assert_allclose(conv2d(**torch.inputs, **where), torch.y, rtol=1e-12)
    ours = conv2d_backward(torch.dy, torch.inputs["x"], torch.inputs["W"], **where)
    for gradient, theirs in zip(ours, torch.gradients.values(), strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-14)


# Relatives


def test_a_kernel_of_one_pixel_is_a_dense_layer_in_every_pixel():
    rng = np.random.default_rng(0)
    x, W, b = eighths(rng, 2, 3, 4, 5), eighths(rng, 6, 3, 1, 1), eighths(rng, 6)
    pixels = np.moveaxis(x, 1, 3).reshape(-1, 3)
    y = np.moveaxis(conv2d(x, W, b), 1, 3).reshape(-1, 6)
    assert np.array_equal(y, dense(pixels, W[:, :, 0, 0].T, b))


def test_a_kernel_as_large_as_the_image_is_a_dense_layer():
    rng = np.random.default_rng(0)
    x, W, b = eighths(rng, 2, 3, 4, 5), eighths(rng, 6, 3, 4, 5), eighths(rng, 6)
    assert np.array_equal(conv2d(x, W, b)[:, :, 0, 0], dense(x.reshape(2, -1), W.reshape(6, -1).T, b))


@PROPERTY
@given(layers())
def test_backward_is_the_transpose_of_forward(layer):
    rng, x_shape, W_shape, stride, padding = layer
    x, W, b = eighths(rng, *x_shape), eighths(rng, *W_shape), eighths(rng, W_shape[0])
    y = conv2d(x, W, 0 * b, stride, padding)
    dy = eighths(rng, *y.shape)
    with unchanged(dy, x, W):
        dx, dW, db = conv2d_backward(dy, x, W, stride, padding)
    assert (dx.shape, dW.shape, db.shape) == (x.shape, W.shape, b.shape)
    # Linear in x, in W and in b: exact, since all are multiples of 1/512.
    assert (dx * x).sum() == (dW * W).sum() == (dy * y).sum()
    assert (db * b).sum() == (dy * b[:, None, None]).sum()


# The gradient check


def loss_and_gradient(backward, dy, stride, padding):
    """A loss of the layer's outputs that is not linear, and its gradient."""

    def loss(t):
        return (dy * np.sin(conv2d(**t, stride=stride, padding=padding))).sum()

    def grad(t):
        y = conv2d(**t, stride=stride, padding=padding)
        return dict(zip(t, backward(dy * np.cos(y), t["x"], t["W"], stride, padding), strict=True))

    return loss, grad


@PROPERTY
@given(layers())
def test_backward_agrees_with_the_loss(layer):
    rng, x_shape, W_shape, stride, padding = layer
    theta = {
        "x": rng.standard_normal(x_shape),
        "W": rng.standard_normal(W_shape),
        "b": rng.standard_normal(W_shape[0]),
    }
    dy = rng.standard_normal(conv2d(**theta, stride=stride, padding=padding).shape)
    assert_gradient(*loss_and_gradient(conv2d_backward, dy, stride, padding), theta)


def flipped_kernel(dy, x, W, stride, padding):
    dx, _, _ = conv2d_backward(dy, x, W[:, :, ::-1, ::-1], stride, padding)
    _, dW, db = conv2d_backward(dy, x, W, stride, padding)
    return dx, dW, db


def pixels_overwritten_instead_of_added(dy, x, W, stride, padding):
    _, dW, db = conv2d_backward(dy, x, W, stride, padding)
    rows, columns = dy.shape[2:]
    dx = np.zeros(np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)]).shape)
    for p, q in np.ndindex(W.shape[2:]):
        places = (slice(p, p + stride * rows, stride), slice(q, q + stride * columns, stride))
        dx[:, :, *places] = np.einsum("noij,oc->ncij", dy, W[:, :, p, q])
    inside = slice(padding, -padding)
    return dx[:, :, inside, inside], dW, db


def border_cut_on_the_wrong_side(dy, x, W, stride, padding):
    dx, dW, db = conv2d_backward(dy, x, W, stride, padding)
    return np.roll(dx, 1, axis=3), dW, db


def mean_over_the_examples(dy, x, W, stride, padding):
    dx, dW, db = conv2d_backward(dy, x, W, stride, padding)
    return dx, dW / len(x), db / len(x)


def bias_of_one_pixel(dy, x, W, stride, padding):
    dx, dW, _ = conv2d_backward(dy, x, W, stride, padding)
    return dx, dW, dy[:, :, 0, 0].sum(axis=0)


@pytest.mark.parametrize(
    "wrong",
    [
        flipped_kernel,
        pixels_overwritten_instead_of_added,
        border_cut_on_the_wrong_side,
        mean_over_the_examples,
        bias_of_one_pixel,
    ],
)
@pytest.mark.parametrize("stride", [1, 2])
def test_wrong_backward_passes_are_caught(wrong, stride):
    rng = np.random.default_rng(stride)
    theta = {
        "x": rng.standard_normal((2, 2, 4, 5)),
        "W": rng.standard_normal((3, 2, 3, 3)),
        "b": rng.standard_normal(3),
    }
    dy = rng.standard_normal(conv2d(**theta, stride=stride, padding=1).shape)
    assert check_gradient(*loss_and_gradient(wrong, dy, stride, 1), theta).verdict == "fail"
    assert check_gradient(*loss_and_gradient(conv2d_backward, dy, stride, 1), theta).passed


# Dtypes and bad input


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    x, W, b = np.ones((2, 1, 4, 4), dtype), np.ones((3, 1, 2, 2), dtype), np.ones(3, dtype)
    y = conv2d(x, W, b, stride=2, padding=1)
    arrays = [y, *conv2d_backward(y, x, W, stride=2, padding=1)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("x", "W"),
    [
        ((2, 3, 5, 5), (4, 2, 3, 3)),
        ((2, 1, 5, 5), (4, 3, 3, 3)),
        ((3, 5, 5), (4, 3, 3, 3)),
        ((2, 3, 5, 5), (3, 3, 3)),
        ((2, 3, 5, 5), (0, 3, 3, 3)),
        ((2, 3, 5, 5), (4, 3, 0, 3)),
    ],
    ids=str,
)
def test_shapes_that_do_not_belong_together_are_refused(x, W):
    message = r"(does not fit: the shapes are x .*|W has shape .*); expected .*\(?.* channels, "
    with pytest.raises(ValueError, match=message):
        conv2d(np.ones(x), np.ones(W), np.ones(W[0]))
    with pytest.raises(ValueError, match=message):
        conv2d_backward(np.ones((2, 4, 3, 3)), np.ones(x), np.ones(W))


@pytest.mark.parametrize("kernel", [(6, 1), (1, 8)], ids=str)
def test_a_kernel_larger_than_the_image_with_its_border_is_refused(kernel):
    x, W = np.ones((1, 1, 3, 5)), np.ones((1, 1, *kernel))
    with pytest.raises(ValueError, match="expected a kernel of at most 5 x 7 pixels, the size"):
        conv2d(x, W, np.ones(1), padding=1)


@pytest.mark.parametrize("shape", [(1,), (), (2,), (1, 3)], ids=str)
def test_a_bias_that_would_be_broadcast_is_refused(shape):
    received = re.escape(f"x (1, 1, 4, 4), W (3, 1, 2, 2), b {shape}")
    with pytest.raises(ValueError, match=f"^b does not fit: the shapes are {received}; expected x "):
        conv2d(np.ones((1, 1, 4, 4)), np.ones((3, 1, 2, 2)), np.ones(shape))


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (2, 3, 3), (1, 3, 3, 3), (2, 3, 4, 4)], ids=str)
def test_a_gradient_of_another_shape_is_refused(shape):
    message = re.escape(f"dy has shape {shape}; expected that of the output, (2, 3, 3, 3)")
    with pytest.raises(ValueError, match=message):
        conv2d_backward(np.ones(shape), np.ones((2, 1, 4, 4)), np.ones((3, 1, 2, 2)))


@pytest.mark.parametrize(
    ("name", "number", "least"),
    [
        ("stride", 0, 1),
        ("stride", -1, 1),
        ("stride", 1.0, 1),
        ("stride", True, 1),
        ("stride", (1, 1), 1),
        ("padding", -1, 0),
        ("padding", "same", 0),
    ],
)
def test_strides_and_paddings_that_are_none_are_refused(name, number, least):
    message = re.escape(f"{name} is {number!r}; expected a whole number from {least} on")
    x, W = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
    with pytest.raises(ValueError, match=message):
        conv2d(x, W, np.ones(1), **{name: number})
    with pytest.raises(ValueError, match=message):
        conv2d_backward(np.ones((1, 1, 3, 3)), x, W, **{name: number})


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
def test_small_numpy_numbers_count_as_far_as_others(kind):
    """Twice a padding of 100 is no int8, and four times a stride of 100 is none either."""
    rng = np.random.default_rng(0)
    x, W, b = rng.random((1, 2, 240, 3)), rng.random((2, 2, 3, 2)), rng.random(2)
    y = conv2d(x, W, b, 100, 100)
    np.testing.assert_array_equal(conv2d(x, W, b, kind(100), kind(100)), y)
    same = zip(
        conv2d_backward(y, x, W, kind(100), kind(100)), conv2d_backward(y, x, W, 100, 100), strict=True
    )
    for ours, theirs in same:
        np.testing.assert_array_equal(ours, theirs)
