"""Products with Jacobians and Hessians: right ones pass, wrong ones fail, at every seed tried."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import unchanged

import optimlib
from optimlib.gradcheck.products import check_adjoint, check_hvp, check_jvp, check_vjp
from optimlib.nn import rnn, rnn_backward

SEEDS = range(3)
rng = np.random.default_rng(17)
X = rng.standard_normal((3, 4))
W = rng.standard_normal((4, 4))  # square, so that a missing transpose has the right shape
B = rng.standard_normal(4)


class Case:
    """A function with its two products, and a point."""

    def __init__(self, f, jvp, vjp, x):
        self.f, self.jvp, self.vjp, self.x = f, jvp, vjp, x

    def verdicts(self, **options):
        """What the three checks say."""
        f, jvp, vjp, x = self.f, self.jvp, self.vjp, self.x
        reports = [
            check_vjp(f, vjp, x, **options),
            check_jvp(f, jvp, x, **options),
            check_adjoint(jvp, vjp, x, **options),
        ]
        return tuple(report.verdict for report in reports)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_product(x, d):  # its Jacobian is symmetric
    p = softmax(x)
    return p * (d - (p * d).sum(axis=-1, keepdims=True))


def tree(t):
    return {"y": t["x"] @ t["W"], "penalty": [(t["W"] ** 2).sum()]}


def tree_jvp(t, d):
    return {  # in another order of keys
        "penalty": [2 * (t["W"] * d["W"]).sum()],
        "y": d["x"] @ t["W"] + t["x"] @ d["W"],
    }


def tree_vjp(t, d):
    return {
        "W": t["x"].T @ d["y"] + 2 * d["penalty"][0] * t["W"],
        "x": d["y"] @ t["W"].T,
    }


def sine_layer(dtype):
    w, b = W.astype(dtype), B.astype(dtype)
    return Case(
        lambda x: np.sin(x @ w + b),
        lambda x, dx: np.cos(x @ w + b) * (dx @ w),
        lambda x, dy: (np.cos(x @ w + b) * dy) @ w.T,
        X.astype(dtype),
    )


RIGHT = {
    "dense": Case(lambda x: x @ W + B, lambda x, dx: dx @ W, lambda x, dy: dy @ W.T, X),
    "sine layer": sine_layer(np.float64),
    "sine layer, float32": sine_layer(np.float32),
    "softmax": Case(softmax, softmax_product, softmax_product, X),
    "softmax, float32": Case(softmax, softmax_product, softmax_product, X.astype(np.float32)),
    "tree": Case(tree, tree_jvp, tree_vjp, {"x": X, "W": W}),
    "a scalar": Case(np.sum, lambda x, dx: dx.sum(), lambda x, dy: np.full_like(x, dy), X),
    "shape ()": Case(np.exp, lambda x, dx: np.exp(x) * dx, lambda x, dy: np.exp(x) * dy, np.array(0.5)),
    "cumulated": Case(
        np.cumsum,
        lambda x, dx: np.cumsum(dx),
        lambda x, dy: np.cumsum(dy[::-1])[::-1],
        np.linspace(-1, 1, 300),
    ),
    "of all sizes": Case(
        lambda x: x**2,
        lambda x, dx: 2 * x * dx,
        lambda x, dy: 2 * x * dy,
        np.array([1e-6, -1e-3, 1.0, -1e3, 1e6]),
    ),
    "at the edge of a domain": Case(
        np.log, lambda x, dx: dx / x, lambda x, dy: dy / x, np.array([1e-7, 1e-5, 1.0])
    ),
    "constant": Case(lambda x: np.ones(3), lambda x, dx: np.zeros(3), lambda x, dy: np.zeros((3, 4)), X),
    "10,000 numbers": Case(
        np.sin,
        lambda x, dx: np.cos(x) * dx,
        lambda x, dy: np.cos(x) * dy,
        np.linspace(-1, 2, 10_000),
    ),
}


@pytest.mark.parametrize("name", sorted(RIGHT.keys() - {"constant"}))
@pytest.mark.parametrize("seed", SEEDS)
def test_right_products_pass(name, seed):
    case = RIGHT[name]
    with unchanged(case.x):
        assert case.verdicts(rng=np.random.default_rng(seed)) == ("pass", "pass", "pass")


def test_the_products_of_a_constant_do_not_fail():
    """Where there is no slope at all, nothing is tested: that may be said."""
    assert "fail" not in RIGHT["constant"].verdicts()


WRONG_VJP = {
    "missing transpose": ("dense", lambda x, dy: dy @ W),
    "slope forgotten": ("sine layer", lambda x, dy: dy @ W.T),
    "slope at the wrong place": ("sine layer", lambda x, dy: (np.cos(x @ W) * dy) @ W.T),
    "half a thousandth": ("dense", lambda x, dy: 1.0005 * dy @ W.T),
    "p (1 - p) only": ("softmax", lambda x, d: softmax(x) * (1 - softmax(x)) * d),
    "of zeros": ("softmax", lambda x, d: 0 * x),
    "a leaf without its penalty": ("tree", lambda t, d: tree_vjp(t, d) | {"W": t["x"].T @ d["y"]}),
    "not reversed": ("cumulated", lambda x, dy: np.cumsum(dy)),
    "a sign": ("a scalar", lambda x, dy: np.full_like(x, -dy)),
    "of a constant": ("constant", lambda x, dy: np.full((3, 4), 1e-6)),
}


@pytest.mark.parametrize("name", WRONG_VJP)
@pytest.mark.parametrize("seed", SEEDS)
def test_wrong_vector_jacobian_products_fail(name, seed):
    case, wrong = RIGHT[WRONG_VJP[name][0]], WRONG_VJP[name][1]
    assert check_vjp(case.f, wrong, case.x, rng=np.random.default_rng(seed)).verdict == "fail"
    report = check_adjoint(case.jvp, wrong, case.x, rng=np.random.default_rng(seed))
    assert report.verdict == "fail"


WRONG_JVP = {
    "transposed": ("dense", lambda x, dx: dx @ W.T),
    "slope forgotten": ("sine layer", lambda x, dx: dx @ W),
    "the other product": ("cumulated", lambda x, dy: np.cumsum(dy[::-1])[::-1]),
    "half a product rule": ("tree", lambda t, d: tree_jvp(t, d) | {"y": t["x"] @ d["W"]}),
    "one output without its slope": ("tree", lambda t, d: tree_jvp(t, d) | {"penalty": [0.0]}),
    "not linear": ("dense", lambda x, dx: np.abs(dx) @ W),
    "the function itself": ("softmax", lambda x, dx: softmax(x)),
}


@pytest.mark.parametrize("name", WRONG_JVP)
@pytest.mark.parametrize("seed", SEEDS)
def test_wrong_jacobian_vector_products_fail(name, seed):
    case, wrong = RIGHT[WRONG_JVP[name][0]], WRONG_JVP[name][1]
    assert check_jvp(case.f, wrong, case.x, rng=np.random.default_rng(seed)).verdict == "fail"
    report = check_adjoint(wrong, case.vjp, case.x, rng=np.random.default_rng(seed))
    assert report.verdict == "fail"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wrong_place", [0, 9_999])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_one_wrong_number_in_ten_thousand_is_found(dtype, wrong_place, seed):
    x = np.linspace(-1, 2, 10_000).astype(dtype)

    def product(x, d):
        return np.cos(x) * d

    def wrong(x, d):
        result = np.cos(x) * d
        result[wrong_place] *= -1
        return result

    assert check_vjp(np.sin, wrong, x, rng=np.random.default_rng(seed)).verdict == "fail"
    assert check_jvp(np.sin, wrong, x, rng=np.random.default_rng(seed)).verdict == "fail"
    assert check_adjoint(product, wrong, x, rng=np.random.default_rng(seed)).verdict == "fail"


def test_a_small_output_is_not_drowned_by_a_large_one():
    x = np.array([0.3, 0.8])

    def f(x):
        return {"large": 1e9 + 1e8 * np.exp(x), "small": np.sin(x)}

    def vjp(x, dy):
        return 1e8 * np.exp(x) * dy["large"] + np.cos(x) * dy["small"]

    def wrong(x, dy):
        return 1e8 * np.exp(x) * dy["large"] + 1.001 * np.cos(x) * dy["small"]

    assert check_vjp(f, vjp, x).verdict == "pass"
    assert check_vjp(f, wrong, x).verdict == "fail"


def test_products_of_a_wrong_function_are_adjoint_all_the_same():
    assert check_adjoint(lambda x, dx: 2 * dx @ W, lambda x, dy: 2 * dy @ W.T, X).passed
    assert not check_jvp(lambda x: x @ W, lambda x, dx: 2 * dx @ W, X).passed


def test_a_backward_pass_is_a_vector_jacobian_product():
    r = np.random.default_rng(3)
    theta = {
        "x": r.standard_normal((2, 3, 2)),
        "h0": r.standard_normal((2, 3)),
        "Wx": r.standard_normal((2, 3)),
        "Wh": r.standard_normal((3, 3)),
        "b": r.standard_normal(3),
    }

    def vjp(t, dh):
        return dict(zip(t, rnn_backward(dh, rnn(**t)[1]), strict=True))

    assert check_vjp(lambda t: rnn(**t)[0], vjp, theta).passed


def test_a_kink_is_called_one():
    x = np.array([0.0, 1.0, -1.0])
    report = check_vjp(lambda x: np.maximum(x, 0), lambda x, dy: dy * (x > 0), x)
    assert report.verdict == "kink"


# Hessians


def quadratic(A):
    return (lambda theta: A @ theta), (lambda theta, v: A @ v)


def rosenbrock_grad(t):
    x, y = t["x"], t["y"]
    return {"x": -2 * (1 - x) - 400 * x * (y - x**2), "y": 200 * (y - x**2)}


def rosenbrock_hvp(t, v):
    x, y = t["x"], t["y"]
    return {
        "x": (2 - 400 * y + 1200 * x**2) * v["x"] - 400 * x * v["y"],
        "y": -400 * x * v["x"] + 200 * v["y"],
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_hessian_vector_products_pass(dtype):
    A = (W + W.T).astype(dtype)
    theta = {"x": np.array(-1.2, dtype), "y": np.array(1.0, dtype)}
    for seed in SEEDS:
        r = np.random.default_rng(seed)
        assert check_hvp(*quadratic(A), B.astype(dtype), rng=r).verdict == "pass"
        assert check_hvp(rosenbrock_grad, rosenbrock_hvp, theta, rng=r).verdict == "pass"


def test_the_hessian_of_a_quadratic_at_zero_passes():
    for seed in range(10, 25):
        r = np.random.default_rng(seed)
        A = r.standard_normal((12, 12))
        assert check_hvp(*quadratic(A + A.T), np.zeros(12), rng=r).verdict == "pass"


def test_what_is_not_symmetric_is_no_hessian():
    grad, hvp = quadratic(W)
    for seed in SEEDS:
        assert check_jvp(grad, hvp, B, rng=np.random.default_rng(seed)).passed  # yet it is grad's
        report = check_hvp(grad, hvp, B, rng=np.random.default_rng(seed))
        assert report.verdict == "fail"
        assert {probe.place[0] for probe in report.probes if probe.verdict == "fail"} == {"v"}


def test_wrong_hessian_vector_products_fail():
    A = W + W.T
    wrong = A.copy()
    wrong[1, 2] = wrong[2, 1] = A[1, 2] + 0.01  # symmetric, but not the gradient's
    for seed in SEEDS:
        r = np.random.default_rng(seed)
        report = check_hvp(quadratic(A)[0], quadratic(wrong)[1], B, rng=r)
        assert report.verdict == "fail"
        assert {probe.place[0] for probe in report.probes if probe.verdict == "fail"} == {"s"}
        report = check_hvp(quadratic(A)[0], lambda theta, v: np.diag(A) * v, B, rng=r)
        assert report.verdict == "fail"


# Reports


def test_reports_name_what_was_probed():
    case = RIGHT["tree"]
    x = {"x": X, "theta": W}

    def f(t):
        return tree({"x": t["x"], "W": t["theta"]})

    def vjp(t, d):
        product = tree_vjp({"x": t["x"], "W": t["theta"]}, d)
        return {"x": product["x"], "theta": 2 * product["W"]}

    places = {probe.place for probe in check_vjp(f, vjp, x, coordinates=100).probes}
    assert {"x['x'][0, 0]", "x['theta'][3, 3]"} <= places
    assert any(hint.startswith("x['theta']: analytic is 2 times") for hint in check_vjp(f, vjp, x).hints)
    assert [p.place for p in check_jvp(case.f, case.jvp, case.x, directions=3).probes] == [
        "s[0]",
        "s[1]",
        "s[2]",
    ]
    probes = check_adjoint(case.jvp, case.vjp, case.x, coordinates=100).probes
    assert "dx['x'][0, 0]" in {probe.place for probe in probes}


def test_a_report_of_a_hessian_holds_both_checks():
    report = check_hvp(*quadratic(np.eye(3)), np.ones(3), directions=2)
    places = [probe.place for probe in report.probes]
    assert places[:2] == ["s[0]", "s[1]"]
    assert "direction 2" in places[2:]
    assert report.evaluations > 2 * len(places)
    with pytest.raises(ValueError, match="no loss to evaluate"):
        report.curve("", (0,))


def test_functions_may_fill_the_same_array_in_every_call():
    buffers = {}

    def reusing(name, function):
        def filled(*arguments):
            result = function(*arguments)
            buffer = buffers.setdefault(name, np.empty_like(result))
            buffer[...] = result
            return buffer

        return filled

    for name in ("dense", "softmax", "sine layer"):
        case = RIGHT[name]
        buffers.clear()
        reused = Case(reusing("f", case.f), reusing("jvp", case.jvp), reusing("vjp", case.vjp), case.x)
        assert reused.verdicts() == ("pass", "pass", "pass")
    A = W + W.T
    buffers.clear()
    grad, hvp = (reusing(name, f) for name, f in zip(("grad", "hvp"), quadratic(A), strict=True))
    assert check_hvp(grad, hvp, B).verdict == "pass"
    shared = np.empty(4)
    assert check_hvp(
        lambda t: np.matmul(A, t, out=shared), lambda t, v: np.matmul(A, v, out=shared), B
    ).passed


def test_two_leaves_of_an_output_in_one_buffer_are_read_as_they_come():
    buffer = np.empty((2, 4))

    def f(x):
        np.sin(x, out=buffer[0])
        np.cos(x, out=buffer[1])
        return {"sin": buffer[0], "cos": buffer[1]}

    def jvp(x, dx):
        np.multiply(np.cos(x), dx, out=buffer[0])
        np.multiply(-np.sin(x), dx, out=buffer[1])
        return {"sin": buffer[0], "cos": buffer[1]}

    assert check_jvp(f, jvp, B).verdict == "pass"


# What the dtype of f(x) tells


COARSE = {
    "a cast": (
        lambda x: np.float32(x),
        lambda x, dy: dy.astype(float),
        lambda x, dy: 1.01 * dy.astype(float),
    ),
    "a cast of a sine": (
        lambda x: np.float32(np.sin(x)),
        lambda x, dy: dy * np.cos(x),
        lambda x, dy: dy * np.cos(x) ** 2,
    ),
    "weights in float32": (
        lambda x: np.tanh(x.astype(np.float32) * np.float32(0.7)),
        lambda x, dy: dy * (0.7 * (1 - np.tanh(0.7 * x) ** 2)),
        lambda x, dy: dy * (1 - np.tanh(0.7 * x) ** 2),
    ),
    "a tree, in part": (
        lambda x: {"half": np.float32(x / 2), "square": x**2},
        lambda x, dy: dy["half"] / 2 + 2 * x * dy["square"],
        lambda x, dy: dy["half"] / 2 - 2 * x * dy["square"],
    ),
    "a gradient in float32, too": (
        lambda x: np.float32(x) ** 2,
        lambda x, dy: np.float32(2 * x) * dy,
        lambda x, dy: np.float32(x) * dy,
    ),
}


@pytest.mark.parametrize("shape", [(3,), (3, 2), (12, 12)])
@pytest.mark.parametrize("name", COARSE)
def test_outputs_of_float32_for_float64_inputs(name, shape):
    f, right, wrong = COARSE[name]
    for seed in range(6):
        r = np.random.default_rng(seed)
        x = r.standard_normal(shape)
        report = check_vjp(f, right, x, rng=r)
        assert report.verdict == "pass"
        assert not any(note.startswith("right at ") for note in report.notes)
        assert check_vjp(f, wrong, x, rng=r).verdict == "fail"


# A function that returns its output and a cache


def test_a_cache_that_became_an_output_is_explained():
    def forward(x):
        return np.sin(x @ W), x @ W

    def backward(dy, z):
        return (dy * np.cos(z)) @ W.T

    report = check_vjp(forward, lambda x, dy: backward(dy[0], forward(x)[1]), X)
    assert report.verdict == "fail"
    assert any("for an output and a cache there is check_layer" in note for note in report.notes)
    with pytest.raises(TypeError, match=r"f\(x\)\[1\] has dtype <U4; .*\(a cache\? check_layer"):
        check_vjp(lambda x: (x, "tanh"), lambda x, dy: dy[0], X)
    with pytest.raises(TypeError) as caught:
        check_vjp(forward, lambda x, dy: backward(dy, forward(x)[1]) @ "x", X)
    assert "check_layer" in caught.value.__notes__[0]
    report = check_vjp(lambda x: (np.sin(x), np.cos(x)), lambda x, dy: np.cos(x) * dy[0], X)
    assert any("check_layer" in note for note in report.notes)
    report = check_vjp(
        lambda x: (np.sin(x), np.cos(x)), lambda x, dy: np.cos(x) * dy[0] - np.sin(x) * dy[1], X
    )
    assert report.passed
    assert not any("check_layer" in note for note in report.notes)


# Memory, in the words of a product


def test_a_layer_that_keeps_what_backward_reads():
    class Layer:
        def forward(self, x):
            self.x = x
            return np.sin(x @ W)

        def backward(self, dy):
            return (dy * np.cos(self.x @ W)) @ W.T

    layer = Layer()
    report = check_vjp(layer.forward, lambda x, dy: layer.backward(dy), X)
    assert report.verdict == "inconclusive"
    assert (
        "vjp reads what the last loss left: run the forward pass inside vjp, for the x" in report.problem
    )
    assert "theta" not in report.problem

    def inside(x, dy):
        layer.forward(x)
        return layer.backward(dy)

    assert check_vjp(layer.forward, inside, X).passed


def test_a_product_that_reads_other_arrays_passes_with_a_remark():
    report = check_vjp(np.sin, lambda x, dy: dy * np.cos(X), X)
    assert report.verdict == "pass"
    (note,) = (note for note in report.notes if note.startswith("right at x only"))
    assert "at a point beside it vjp disagrees" in note
    assert "and does not move with x. Does" in note


def test_options_reach_the_gradient_check():
    case = RIGHT["sine layer"]
    with ThreadPoolExecutor(2) as executor:
        side_by_side = check_vjp(
            case.f, case.vjp, case.x, coordinates=2, directions=3, executor=executor
        )
    assert side_by_side.probes == check_vjp(case.f, case.vjp, case.x, coordinates=2, directions=3).probes
    assert len(side_by_side.probes) == 5


@pytest.mark.parametrize("check", [check_vjp, check_jvp])
def test_a_random_function_is_inconclusive(check):
    r = np.random.default_rng(0)
    report = check(lambda x: x * (r.random(x.shape) < 0.5), lambda x, d: d * 0.5, X)
    assert report.verdict == "inconclusive"
    assert re.match(r"loss\([xs]\) is .+ and then .+: it is not a function of [xs]\.", report.problem)


def test_a_random_product_is_inconclusive():
    r = np.random.default_rng(0)

    def dropped(x, d):
        return d * (r.random(x.shape) < 0.5)

    for report in (
        check_vjp(lambda x: x, dropped, X),
        check_jvp(lambda x: x, dropped, X),
        check_adjoint(dropped, lambda x, dy: dy, X),
        check_adjoint(lambda x, dx: dx, dropped, X),
        check_hvp(lambda x: x, dropped, X),
    ):
        assert report.verdict == "inconclusive"
        assert "Fix the seed" in report.problem


def test_a_random_gradient_is_inconclusive_beside_a_symmetric_product():
    r = np.random.default_rng(0)
    report = check_hvp(lambda x: x * (r.random(x.shape) < 0.5), lambda x, v: v, X)
    assert report.verdict == "inconclusive"
    assert "Fix the seed" in report.problem


# Refusals

identity = (lambda x: x, lambda x, d: d)


@pytest.mark.parametrize(
    "check", [check_vjp, check_jvp, check_hvp, lambda f, p, x: check_adjoint(p, p, x)]
)
def test_points_that_cannot_be_moved_are_refused(check):
    with pytest.raises(TypeError, match=r"dtype int64; expected float32 or float64"):
        check(*identity, np.array([1, 2]))
    with pytest.raises(TypeError, match="expected a NumPy array"):
        check(*identity, {"a": [1.0]})
    with pytest.raises(ValueError, match=r"\['a'\]\[1\] is nan; expected finite numbers"):
        check(*identity, {"a": np.array([1.0, np.nan])})
    with pytest.raises(ValueError, match="expected at least one"):
        check(*identity, {})
    with pytest.raises(ValueError, match="expected at least one"):
        check(*identity, np.zeros((0, 2)))


def changing(x, d=None):
    x += 1
    return x


def changing_d(x, d):
    d *= 2
    return d


def dropping(t, d=None):
    del t["b"]
    return {"a": 1.0}


ok = identity[1]
REFUSED = [
    (lambda: check_vjp(changing, ok, X), ValueError, r"f(x) changed x; expected a function that only"),
    (lambda: check_vjp(dropping, ok, {"a": X, "b": B}), ValueError, "f(x) changed the structure of x;"),
    (lambda: check_vjp(identity[0], changing, X), ValueError, "vjp(x, dy) changed x;"),
    (lambda: check_vjp(identity[0], changing_d, X), ValueError, "vjp(x, dy) changed dy;"),
    (lambda: check_jvp(changing, ok, X), ValueError, "f(x) changed x;"),
    (lambda: check_jvp(identity[0], changing_d, X), ValueError, "jvp(x, dx) changed dx;"),
    (lambda: check_adjoint(changing_d, ok, X), ValueError, "jvp(x, dx) changed dx;"),
    (lambda: check_adjoint(ok, changing, X), ValueError, "vjp(x, dy) changed x;"),
    (lambda: check_hvp(changing, ok, X), ValueError, "grad(theta) changed theta;"),
    (lambda: check_hvp(identity[0], changing_d, X), ValueError, "hvp(theta, v) changed v;"),
    (
        lambda: check_vjp(lambda x: x[0], lambda x, dy: dy, X),
        ValueError,
        "vjp(x, dy) has shape (4,); expected (3, 4), the shape of x",
    ),
    (
        lambda: check_vjp(lambda t: t["a"], lambda t, dy: dy, {"a": X}),
        ValueError,
        "vjp(x, dy) is a ndarray; expected a dict like x",
    ),
    (
        lambda: check_vjp(identity[0], lambda x, dy: dy.astype(np.float32), X),
        TypeError,
        "vjp(x, dy) has dtype float32; expected float64, the dtype of x",
    ),
    (
        lambda: check_vjp(identity[0], lambda x, dy: dy * np.nan, X),
        ValueError,
        "vjp(x, dy)[0, 0] is nan; expected finite numbers",
    ),
    (
        lambda: check_jvp(lambda x: x[0], lambda x, dx: dx, X),
        ValueError,
        "jvp(x, dx) has shape (3, 4); expected (4,), the shape of f(x)",
    ),
    (
        lambda: check_jvp(lambda x: {"y": x}, lambda x, dx: dx, X),
        ValueError,
        "jvp(x, dx) is a ndarray; expected a dict like f(x)",
    ),
    (
        lambda: check_adjoint(lambda x, dx: dx[0], lambda x, dy: dy, X),
        ValueError,
        "vjp(x, dy) has shape (4,); expected (3, 4), the shape of x",
    ),
    (
        lambda: check_hvp(identity[0], lambda theta, v: v.sum(), X),
        ValueError,
        "hvp(theta, v) has shape (); expected (3, 4), the shape of theta",
    ),
    (
        lambda: check_hvp(lambda theta: theta[0], lambda theta, v: v, X),
        ValueError,
        "grad(theta) has shape (4,); expected (3, 4), the shape of theta",
    ),
    (lambda: check_vjp(np.isfinite, ok, X), TypeError, "f(x) has dtype bool; expected float32 or"),
    (lambda: check_vjp(lambda x: None, ok, X), TypeError, "f(x) is None; expected float32 or float64"),
    (lambda: check_vjp(lambda x: {"y": x * 1j}, ok, X), TypeError, "f(x)['y'] has dtype complex128;"),
    (lambda: check_vjp(lambda x: x * np.nan, ok, X), ValueError, "f(x)[0, 0] is nan; expected"),
    (
        lambda: check_vjp(np.ma.masked_array, ok, X),
        TypeError,
        "f(x) is a masked array; expected a plain",
    ),
    (lambda: check_vjp(lambda x: [], ok, X), ValueError, "f(x) is []; expected at least one number"),
    (lambda: check_jvp(*identity, X, directions=0), ValueError, "directions is 0; expected a whole"),
    (lambda: check_jvp(*identity, X, directions=2.5), ValueError, "directions is 2.5; expected a whole"),
    (lambda: check_jvp(*identity, X, rng=7), TypeError, "rng is 7; expected a numpy.random.Generator"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()


def test_the_package_exports_the_checks():
    names = {"check_vjp", "check_jvp", "check_adjoint", "check_hvp"}
    assert names <= set(optimlib.__all__)
    assert optimlib.check_vjp is check_vjp


@pytest.mark.parametrize(
    ("report", "note"),
    [
        (
            lambda x: check_vjp(np.sin, lambda dy, x: dy * np.cos(x), x),
            "vjp is not linear in dy, as a product is. Are its arguments in the order of vjp(x, dy)?",
        ),
        (
            lambda x: check_jvp(np.sin, lambda dx, x: dx * np.cos(x), x),
            "jvp is not linear in dx, as a product is. Are its arguments in the order of jvp(x, dx)?",
        ),
        (
            lambda x: check_adjoint(lambda x, dx: dx * np.cos(x), lambda dy, x: dy * np.cos(x), x),
            "vjp is not linear in dy, as a product is. Are its arguments in the order of vjp(x, dy)?",
        ),
        (
            lambda x: check_hvp(lambda t: t**3, lambda v, t: 3 * t**2 * v, x),
            "hvp is not linear in v, as a product is. Are its arguments in the order of hvp(theta, v)?",
        ),
        (
            lambda x: check_vjp(lambda x: (x**2).sum(), lambda x, dy: 2 * x, x),
            "vjp returns the same for twice the dy: does it use dy?",
        ),
    ],
)
def test_products_that_are_not_linear(report, note):
    failed = report(np.array([0.4, -1.2, 0.8]))
    assert failed.verdict == "fail"
    assert failed.notes.count(note) == 1


@pytest.mark.parametrize("factor", [3.0, -1.0, 1e-200])
def test_wrong_products_that_are_linear_get_no_such_note(factor):
    x = np.array([0.4, -1.2, 0.8])
    for report in (
        check_vjp(np.sin, lambda x, dy: factor * dy * np.cos(x), x),
        check_jvp(np.sin, lambda x, dx: factor * dx * np.cos(x), x),
        check_hvp(lambda t: t**3, lambda t, v: factor * 3 * t**2 * v, x),
    ):
        assert report.verdict == "fail"
        assert not any("linear" in note or "twice" in note for note in report.notes)
