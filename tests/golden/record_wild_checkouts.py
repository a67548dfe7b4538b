"""Check the hand-written gradients of five NumPy libraries, and put what is found into wild.json.

    PYTHONPATH=. python tests/golden/record_wild_checkouts.py folder

The folder holds checkouts of the repositories in `COMMITS`, each under its name without the owner:
``git clone``, and ``git checkout`` of the commit. Nothing is changed but what a newer NumPy asks for,
and tinynn's buffers, which are float64 here instead of float32.
"""

# ruff: noqa: B023, E731, NPY002 - short functions in loops, called in the same turn

import importlib
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
from wild_findings import Finding, elementwise, measure, write

COMMITS = {
    "numpy-ml": "ddbourgin/numpy-ml@b0359af",
    "ML-From-Scratch": "eriklindernoren/ML-From-Scratch@a2806c6",
    "tinynn": "borgwang/tinynn@0fb0f94",
    "deep-learning-from-scratch": "oreilly-japan/deep-learning-from-scratch@07b1161",
    "nnet": "andersbll/nnet@fd3945b",
    "joelnet": "joelgrus/joelnet@65cbc3f",
}
NO_REPORT = ""
ISSUES = "https://github.com/"
FINDINGS: list[Finding] = []


def rng(seed=7):
    return np.random.default_rng(seed)


def normal(*shape, seed=7):
    return rng(seed).standard_normal(shape)


def apart(*shape):
    """Numbers of which no two are alike, and none is near 0."""
    return rng().permutation(np.linspace(-2.1, 2, int(np.prod(shape)))).reshape(shape)


def add(source, function, settings, verdict="right", kind="", note="", known="", cure=None, failing=()):
    settings = settings if isinstance(settings, dict) else {"": settings}
    FINDINGS.append(Finding(source, function, settings, verdict, kind, note, known, cure, failing))


def package(name, path):
    """A package whose __init__ is not run: it would ask for libraries that have no part in this."""
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = [str(path)]
    return module


def with_source(name, path, change=lambda text: text):
    """A module from a file, whose text may be adapted to a newer NumPy."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    exec(compile(change(path.read_text(encoding="utf8")), str(path), "exec"), module.__dict__)
    return module


# numpy-ml


def numpy_ml_layer(make, x, keys=(), backward=None):
    """A layer whose parameters are in a dict, and whose backward pass adds to the gradients."""
    theta = {"x": x} if x.dtype.kind == "f" else {}

    for key in keys:
        np.random.seed(1)
        layer = make()
        layer.forward(x)
        theta[key] = layer.parameters[key] + 0.3 * normal(*layer.parameters[key].shape, seed=len(key))

    def forward(t):
        np.random.seed(1)
        layer = make()
        layer.forward(t.get("x", x))
        for key in keys:
            layer.parameters[key] = t[key]
        layer.flush_gradients()
        np.random.seed(2)
        return layer, layer.forward(t.get("x", x))

    def vjp(t, dy):
        layer, _ = forward(t)
        dx = layer.backward(dy)
        grads = {key: layer.gradients[key] for key in keys}
        return grads | ({"x": dx} if "x" in t else {})

    return lambda t: forward(t)[1], vjp, theta


def numpy_ml(root):
    S = "numpy-ml"
    base = root / S / "numpy_ml"
    package("numpy_ml", base)
    package("numpy_ml.neural_nets", base / "neural_nets")
    package("numpy_ml.linear_models", base / "linear_models")
    package("numpy_ml.utils", base / "utils")
    A = importlib.import_module("numpy_ml.neural_nets.activations")
    L = importlib.import_module("numpy_ml.neural_nets.layers")
    W = importlib.import_module("numpy_ml.neural_nets.wrappers")
    Q = importlib.import_module("numpy_ml.neural_nets.losses")
    M = importlib.import_module("numpy_ml.linear_models.logistic")
    G = with_source("numpy_ml_trees_losses", base / "trees" / "losses.py")
    z = apart(3, 4)
    for name in (
        "Sigmoid",
        "ReLU",
        "LeakyReLU",
        "Tanh",
        "Affine",
        "ELU",
        "Exponential",
        "SELU",
        "HardSigmoid",
        "SoftPlus",
    ):
        a = getattr(A, name)()
        add(S, f"{name}.grad", lambda a=a: elementwise(a.fn, a.grad, z))
        if name not in ("ReLU", "LeakyReLU", "Affine", "HardSigmoid"):  # there it is 0
            add(S, f"{name}.grad2", lambda a=a: elementwise(a.grad, a.grad2, z))
    gelu = A.GELU()
    phi = lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    add(
        S,
        "GELU.grad",
        lambda: elementwise(gelu.fn, gelu.grad, z),
        "by design",
        note="the forward pass is the formula with tanh, the slope mixes two formulas",
    )
    add(
        S,
        "GELU.grad2",
        lambda: elementwise(gelu.grad, gelu.grad2, z),
        "wrong",
        "factor",
        "1 / 2 * sqrt(2) for 1 / (2 sqrt(2)), and a 1 too much",
        cure=lambda: elementwise(
            lambda x: np.vectorize(
                lambda v: 0.5 * (1 + __import__("math").erf(v / 2**0.5)) + v * phi(v)
            )(x),
            lambda x: (2 - x**2) * phi(x),
            z,
        ),
    )
    r = normal
    x, image, series = r(5, 4), r(2, 5, 6, 3), r(2, 7, 3)
    made = lambda cls, *a, **k: lambda: getattr(L, cls)(*a, **k)
    run = lambda make, x, *keys: lambda: numpy_ml_layer(make, x, keys)
    add(S, "FullyConnected", run(made("FullyConnected", 3, act_fn="Tanh"), x, "W", "b"))
    add(
        S,
        "Conv1D",
        {
            f"stride {s}, pad {p}, dilation {d}": run(
                made("Conv1D", 2, 3, pad=p, stride=s, dilation=d, act_fn="Tanh"), series, "W", "b"
            )
            for s, p, d in ((1, 0, 0), (2, 1, 0), (1, "same", 1), (1, "causal", 1))
        },
    )
    add(
        S,
        "Conv2D",
        {
            f"stride {s}, pad {p}, dilation {d}": run(
                made("Conv2D", 2, (3, 2), pad=p, stride=s, dilation=d, act_fn="Tanh"), image, "W", "b"
            )
            for s, p, d in ((1, 0, 0), (2, 1, 0), (1, "same", 1))
        },
    )
    add(
        S,
        "Deconv2D",
        {
            f"stride {s}, pad {p}": run(
                made("Deconv2D", 2, (3, 2), pad=p, stride=s), r(2, 3, 4, 3), "W", "b"
            )
            for s, p in ((1, 0), (2, 0), (2, 1))
        },
    )
    ordered = apart(2, 5, 5, 2)
    add(
        S,
        "Pool2D, average",
        {
            f"stride {s}, pad {p}": run(made("Pool2D", (2, 2), stride=s, pad=p, mode="average"), ordered)
            for s, p in ((1, 0), (2, 1))
        },
    )

    def pooled(stride, pad):
        f, _, t = numpy_ml_layer(made("Pool2D", (2, 2), stride=stride, pad=pad), ordered)

        def right(t, dy):
            padded = np.pad(t["x"], ((0, 0), (pad, pad), (pad, pad), (0, 0)))
            out = np.zeros_like(padded)
            for i, j in np.ndindex(dy.shape[1:3]):
                window = padded[:, i * stride : i * stride + 2, j * stride : j * stride + 2]
                top = window == window.max(axis=(1, 2), keepdims=True)
                out[:, i * stride : i * stride + 2, j * stride : j * stride + 2] += (
                    top * dy[:, i : i + 1, j : j + 1]
                )
            return {"x": out[:, pad : pad + 5, pad : pad + 5]}

        return f, right, t

    add(
        S,
        "Pool2D, max",
        {
            f"stride {s}, pad {p}": run(made("Pool2D", (2, 2), stride=s, pad=p), ordered)
            for s, p in ((1, 0), (2, 0), (2, 1))
        },
        "wrong",
        "axis",
        "with a pad, the place of the maximum is looked up in the array without its border",
        cure=lambda: pooled(2, 1),
        failing=("stride 2, pad 1",),
    )
    for name, data in (
        ("BatchNorm1D", x),
        ("BatchNorm2D", image),
        ("LayerNorm1D", x),
        ("LayerNorm2D", image),
    ):
        add(S, name, run(made(name), data, "scaler", "intercept"))

    def several(cls):
        def thunk():
            def forward(t):
                layer = getattr(L, cls)(act_fn="Tanh")
                return layer, layer.forward([t["a"], t["b"], t["c"]])

            def vjp(t, dy):
                return dict(zip("abc", forward(t)[0].backward(dy), strict=True))

            return (
                lambda t: forward(t)[1],
                vjp,
                {"a": r(3, 2), "b": r(3, 2, seed=8), "c": r(3, 2, seed=9)},
            )

        return thunk

    add(S, "Add", several("Add"))
    add(S, "Multiply", several("Multiply"))
    add(S, "Flatten", run(made("Flatten"), image))

    def attention():
        def forward(t):
            layer = L.DotProductAttention()
            return layer, layer.forward(t["Q"], t["K"], t["V"])

        def vjp(t, dy):
            return dict(zip("QKV", forward(t)[0].backward(dy), strict=True))

        return (
            lambda t: forward(t)[1],
            vjp,
            {"Q": r(2, 3, 4), "K": r(2, 5, 4, seed=8), "V": r(2, 5, 2, seed=9)},
        )

    add(S, "DotProductAttention", attention)

    def softmax_right():
        f, _, t = numpy_ml_layer(made("Softmax", dim=0), x)
        return f, lambda t, dy: {"x": (y := f(t)) * (dy - (dy * y).sum(axis=0))}, t

    add(
        S,
        "Softmax",
        {"last axis": run(made("Softmax"), x), "first axis": run(made("Softmax", dim=0), x)},
        "wrong",
        "axis",
        "the backward pass goes along the last axis, whatever the forward pass did",
        cure=softmax_right,
        failing=("first axis",),
    )
    ids, repeated = np.array([[0, 3], [2, 1]]), np.array([[0, 3, 3], [2, 1, 1]])

    def embedding_right(pool):
        f, _, t = numpy_ml_layer(made("Embedding", 3, 5, pool=pool), repeated, ("W",))

        def right(t, dy):
            dW = np.zeros_like(t["W"])
            part = dy / (repeated.shape[1] if pool == "mean" else 1)
            np.add.at(dW, repeated, np.broadcast_to(part, (*repeated.shape, 3)))
            return {"W": dW}

        return f, right, t

    for pool in ("sum", "mean"):
        add(
            S,
            f"Embedding, pool={pool}",
            {
                "ids that differ": run(made("Embedding", 3, 5, pool=pool), ids, "W"),
                "a repeated id": run(made("Embedding", 3, 5, pool=pool), repeated, "W"),
            },
            "wrong",
            "use",
            "dW[ids] += g adds once to a row that is named twice",
            cure=lambda pool=pool: embedding_right(pool),
            failing=("a repeated id",),
        )
    add(S, "Embedding", {"a repeated id": run(made("Embedding", 3, 5), repeated, "W")})

    def sparse_right():
        f, vjp, t = numpy_ml_layer(sparse, r(4, 6), ("W", "b"))
        mask = masked()
        return f, lambda t, dy: (g := vjp(t, dy)) | {"W": g["W"] * mask}, t

    draw = np.random.binomial  # that layer calls its argument shape, and does not run as it is
    np.random.binomial = lambda n, p, size=None, shape=None: draw(n, p, size or shape)
    sparse = made("SparseEvolution", 5, epsilon=1)

    def masked():
        np.random.seed(1)
        layer = sparse()
        layer.forward(r(4, 6))
        return layer.parameters["W_mask"]

    add(
        S,
        "SparseEvolution",
        run(sparse, r(4, 6), "W", "b"),
        "wrong",
        "factor",
        "dW lacks the mask of the connections that exist",
        cure=sparse_right,
    )

    def second(cls, right=False):
        """What _bwd2 claims: the derivatives of <dX, v> with respect to dY, W and b."""

        def thunk():
            layer = getattr(L, cls)(
                3, act_fn="Tanh", **({"epsilon": 1} if cls == "SparseEvolution" else {})
            )
            np.random.seed(1)
            layer.forward(x)
            mask = layer.parameters.get("W_mask", 1.0)
            at = {
                "W": layer.parameters["W"] + 0.3,
                "b": layer.parameters["b"] + 0.1 * r(1, 3),
                "dy": r(5, 3),
            }

            def f(t):
                layer.parameters.update(W=t["W"], b=t["b"])
                return layer._bwd(t["dy"], x)[0]

            def vjp(t, v):
                layer.parameters.update(W=t["W"], b=t["b"])
                ddy, ddW, ddb = layer._bwd2(v, x, t["dy"])
                if right:
                    ddW = (
                        ddW * mask
                        + x.T
                        @ (
                            (v @ (t["W"] * mask))
                            * t["dy"]
                            * layer.act_fn.grad2(x @ (t["W"] * mask) + t["b"])
                        )
                        * mask
                    )
                    ddy = v @ (t["W"] * mask) * layer.act_fn.grad(x @ (t["W"] * mask) + t["b"])
                return {"dy": ddy, "W": ddW, "b": ddb}

            return f, vjp, at

        return thunk

    add(
        S,
        "FullyConnected, second order",
        second("FullyConnected"),
        "wrong",
        "term",
        "the derivative of the activation's slope with respect to W is left out",
        cure=second("FullyConnected", True),
    )
    add(
        S,
        "SparseEvolution, second order",
        second("SparseEvolution"),
        "wrong",
        "term",
        "as above, and without the mask",
        cure=second("SparseEvolution", True),
    )

    def dropout(right=False):
        def thunk():
            def forward(t):
                np.random.seed(1)
                layer = W.Dropout(L.FullyConnected(3), 0.4)
                layer.forward(t["x"])
                layer._base_layer.parameters = {"W": t["W"], "b": t["b"]}
                layer.flush_gradients()
                np.random.seed(2)
                return layer, layer.forward(t["x"])

            def vjp(t, dy):
                layer, _ = forward(t)
                dx = layer.backward(dy)
                if right:
                    dx = dx * layer._wrapper_derived_variables["dropout_mask"][0]
                return {"x": dx, **layer.gradients}

            return lambda t: forward(t)[1], vjp, {"x": x, "W": r(4, 3), "b": r(1, 3)}

        return thunk

    add(
        S,
        "Dropout",
        dropout(),
        "wrong",
        "factor",
        "backward never uses the mask, and scales dy in place",
        ISSUES + "ddbourgin/numpy-ml/issues/94",
        dropout(True),
    )

    def rnn(cls, right=False):
        def thunk():
            keys = {
                "RNNCell": ("Waa", "Wax", "ba", "bx"),
                "LSTMCell": ("Wf", "Wu", "Wc", "Wo", "bf", "bu", "bc", "bo"),
            }[cls]
            data = r(3, 2, 4)  # time, batch, feature

            def forward(t):
                np.random.seed(1)
                cell = getattr(L, cls)(3)
                cell.forward(t["x"][0])
                cell.__init__(3)
                cell.n_in = 4
                cell._init_params()
                cell.parameters.update({k: t[k] for k in keys})
                steps = [cell.forward(xt) for xt in t["x"]]
                return cell, np.array([s[0] if isinstance(s, tuple) else s for s in steps])

            def vjp(t, dy):
                cell, _ = forward(t)
                dx = [cell.backward(d) for d in dy[::-1]][::-1]
                return {"x": np.array(dx), **{k: cell.gradients[k] for k in keys}}

            np.random.seed(1)
            cell = getattr(L, cls)(3)
            cell.forward(data[0])
            at = {k: cell.parameters[k] + 0.2 * r(*cell.parameters[k].shape) for k in keys}
            return lambda t: forward(t)[1], vjp, {"x": data, **at}

        return thunk

    add(S, "RNNCell", rnn("RNNCell"))
    add(S, "LSTMCell", rnn("LSTMCell"))

    one_hot, scores = np.eye(4)[[0, 3, 1]], r(3, 4)
    softmax = lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    add(
        S,
        "CrossEntropy.grad",
        lambda: (
            lambda z: Q.CrossEntropy.loss(one_hot, softmax(z)),
            lambda z, dy: dy * Q.CrossEntropy.grad(one_hot, softmax(z)),
            scores,
        ),
    )
    tanh = A.Tanh()
    add(
        S,
        "SquaredError.grad",
        lambda: (
            lambda z: Q.SquaredError.loss(one_hot, tanh.fn(z)),
            lambda z, dy: dy * Q.SquaredError.grad(one_hot, tanh.fn(z), z, tanh),
            scores,
        ),
    )
    p = rng().uniform(0.2, 0.8, (3, 5))
    pixels = rng(8).uniform(0, 1, (3, 5))

    def vae():
        def vjp(t, dy):
            dy_pred, dlog, dmean = Q.VAELoss.grad(pixels, t["p"], t["mean"], t["log_var"])
            return {"p": dy * dy_pred, "mean": dy * dmean, "log_var": dy * dlog}

        return (
            lambda t: Q.VAELoss.loss(pixels, t["p"], t["mean"], t["log_var"]),
            vjp,
            {"p": p, "mean": r(3, 2), "log_var": r(3, 2, seed=8)},
        )

    add(S, "VAELoss.grad", vae)

    def wgan(right=False):
        def thunk():
            loss = Q.WGAN_GPLoss()

            def vjp(t, dy):
                fake, real, slope = loss.grad(t["fake"], "C", t["real"], t["slope"])
                if right:
                    fake, real = real, fake
                return {"fake": dy * fake, "real": dy * real, "slope": dy * slope}

            return (
                lambda t: loss.loss(t["fake"], "C", t["real"], t["slope"]),
                vjp,
                {"fake": r(4), "real": r(4, seed=8), "slope": r(4, 3)},
            )

        return thunk

    add(
        S,
        "WGAN_GPLoss.grad",
        wgan(),
        "wrong",
        "axis",
        "returned as (real, fake, ...), documented as (fake, real, ...); its caller swaps them",
        cure=wgan(True),
    )
    add(
        S,
        "WGAN_GPLoss.grad, generator",
        lambda: (
            lambda y: Q.WGAN_GPLoss().loss(y, "G"),
            lambda y, dy: dy * Q.WGAN_GPLoss().grad(y, "G"),
            r(4),
        ),
    )

    def nce(target, negative, right=False):
        class Sampler:
            probs = np.full(8, 1 / 8)

            def __call__(self, n):
                return np.array(negative)

        def thunk():
            def forward(t):
                loss = Q.NCELoss(8, Sampler(), len(negative))
                loss.n_in = 3
                loss._init_params()
                loss.parameters = {"W": t["W"], "b": t["b"]}
                return loss, loss.loss(t["X"], np.array(target), np.array(negative))[0]

            def vjp(t, dy):
                loss, _ = forward(t)
                dX, dW, db = loss._grad(t["X"], 0)
                if right:  # the slope of each score, spread to all that it is made of
                    y = loss.derived_variables["y_pred"][0]
                    dZ = y - loss.derived_variables["out_labels"][0]
                    dW, db, dX = np.zeros_like(t["W"]), np.zeros_like(t["b"]), np.zeros_like(t["X"])
                    for i, j in np.ndindex(t["X"].shape[:2]):
                        names = [target[i], *negative]
                        for k, name in enumerate(names):
                            dW[name] += dZ[i, j, k] * t["X"][i, j]
                            db[0, name] += dZ[i, j, k]
                            dX[i, j] += dZ[i, j, k] * t["W"][name]
                return {"X": dy * dX, "W": dy * dW, "b": dy * db}

            return (
                lambda t: forward(t)[1],
                vjp,
                {"X": r(2, 1, 3), "W": 0.5 * r(8, 3), "b": 0.1 * r(1, 8)},
            )

        return thunk

    add(
        S,
        "NCELoss.grad",
        {"no accidental hit": nce([1, 2], [4, 5, 6]), "an accidental hit": nce([1, 2], [4, 2, 6])},
        "wrong",
        "use",
        "a target that is drawn as noise, too, loses its gradient as a target",
        cure=nce([1, 2], [4, 2, 6], True),
        failing=("an accidental hit",),
    )

    X, y = r(6, 3), np.array([0, 1, 1, 0, 1, 0])

    def logistic(penalty, gamma, right=False):
        def thunk():
            model = M.LogisticRegression(penalty, gamma, fit_intercept=False)

            def loss(b):
                model.beta = b
                return model._NLL(X, y, M._sigmoid(X @ b))

            def grad(b, dy):
                model.beta = b
                g = model._NLL_grad(X, y, M._sigmoid(X @ b))
                if right:
                    g = g + 2 * gamma * (b if penalty == "l2" else np.sign(b)) / len(y)
                return dy * g

            return loss, grad, np.array([0.5, -1.0, 2.0])

        return thunk

    for penalty in ("l2", "l1"):
        add(
            S,
            f"LogisticRegression._NLL_grad, {penalty}",
            {"no penalty": logistic(penalty, 0.0), "a penalty": logistic(penalty, 0.7)},
            "wrong",
            "sign",
            "the penalty is subtracted from the gradient and added to the loss",
            cure=logistic(penalty, 0.7, True),
            failing=("a penalty",),
        )
    yb = rng().uniform(0.1, 0.9, 5)
    add(
        S,
        "MSELoss.grad",
        lambda: (
            lambda v: G.MSELoss()(pixels[0], v),
            lambda v, dy: dy * G.MSELoss().grad(pixels[0], v),
            yb,
        ),
    )
    add(
        S,
        "CrossEntropyLoss.grad",
        lambda: (
            lambda v: G.CrossEntropyLoss()(pixels[0], v),
            lambda v, dy: dy * G.CrossEntropyLoss().grad(pixels[0], v),
            yb,
        ),
    )


# ML-From-Scratch


class Still:
    """An optimizer that keeps the gradient and leaves the parameters alone."""

    def update(self, w, grad):
        self.grad = grad
        return w


def scratch(root):
    S = "ML-From-Scratch"
    base = root / S / "mlfromscratch"
    package("mlfromscratch", base)
    for name in ("utils", "deep_learning", "supervised_learning"):
        package(f"mlfromscratch.{name}", base / name)
    sys.modules["mlfromscratch.utils"].accuracy_score = None
    A = importlib.import_module("mlfromscratch.deep_learning.activation_functions")
    L = importlib.import_module("mlfromscratch.deep_learning.layers")
    Q = importlib.import_module("mlfromscratch.deep_learning.loss_functions")
    for name in ("normalize", "polynomial_features"):
        setattr(sys.modules["mlfromscratch.utils"], name, None)
    R = importlib.import_module("mlfromscratch.supervised_learning.regression")
    text = (base / "supervised_learning" / "xgboost.py").read_text(encoding="utf8")
    X = types.ModuleType("xgboost_loss")
    X.np, X.Sigmoid = np, A.Sigmoid
    exec(text[text.index("class LogisticLoss") : text.index("class XGBoost(")], X.__dict__)
    z = apart(3, 4)
    for name in ("Sigmoid", "TanH", "ReLU", "LeakyReLU", "ELU", "SELU", "SoftPlus"):
        a = getattr(A, name)()
        add(S, f"{name}.gradient", lambda a=a: elementwise(a, a.gradient, z))
    s = A.Softmax()
    jacobian = lambda z, dy: (p := s(z)) * (dy - (dy * p).sum(axis=-1, keepdims=True))
    issue = ISSUES + "eriklindernoren/ML-From-Scratch/"
    add(
        S,
        "Softmax.gradient",
        lambda: elementwise(s, s.gradient, z),
        "wrong",
        "diagonal",
        "p (1 - p) is the diagonal of the Jacobian",
        issue + "pull/125",
        lambda: (s, jacobian, z),
    )
    y = rng().uniform(0.1, 0.9, (3, 4))
    for name in ("SquareLoss", "CrossEntropy"):
        q = getattr(Q, name)()
        add(
            S,
            f"{name}.gradient",
            lambda q=q: elementwise(
                lambda p: q.loss(y, p), lambda p: q.gradient(y, p), rng(9).uniform(0.1, 0.9, (3, 4))
            ),
        )
    logistic = X.LogisticLoss()
    bits = (y > 0.5) * 1.0
    inside = rng(9).uniform(0.1, 0.9, (3, 4))
    add(
        S,
        "XGBoost LogisticLoss.gradient",
        {
            name: lambda at=at: elementwise(
                lambda z: logistic.loss(bits, z), lambda z: logistic.gradient(bits, z), at
            )
            for name, at in (("between 0 and 1", inside), ("beyond", z))
        },
        "wrong",
        "sign",
        "the loss lacks its minus, and cuts its score to (0, 1); training uses the gradient alone",
        issue + "issues/107",
        lambda: elementwise(
            lambda z: np.logaddexp(0, z) - bits * z, lambda z: logistic.gradient(bits, z), z
        ),
    )
    add(
        S,
        "XGBoost LogisticLoss.hess",
        lambda: elementwise(
            lambda p: logistic.gradient(bits, p), lambda p: logistic.hess(bits, p), inside
        ),
    )
    w = np.array([0.5, -1.0, 2.0])
    for name in ("l2_regularization", "l1_regularization", "l1_l2_regularization"):
        g = getattr(R, name)(0.7)
        one = lambda w: abs(w).sum()
        cure = {
            "l1_regularization": lambda g=g: (lambda w: 0.7 * one(w), lambda w, dy: dy * g.grad(w), w),
            "l1_l2_regularization": lambda g=g: (
                lambda w: 0.35 * one(w) + 0.175 * w @ w,
                lambda w, dy: dy * g.grad(w),
                w,
            ),
        }.get(name)
        add(
            S,
            f"{name}.grad",
            lambda g=g: (lambda w: g(w), lambda w, dy: dy * g.grad(w), w),
            *(
                (
                    "wrong",
                    "pair",
                    "the value is the 2-norm, the gradient that of the 1-norm",
                    issue + ("issues/58" if name == "l1_regularization" else "pull/103"),
                    cure,
                )
                if cure
                else ()
            ),
        )

    def fit(right=False):
        def thunk():
            data, target = normal(6, 2), normal(6, seed=8)

            def after(w, rate):
                model = R.Regression(1, rate)
                model.regularization = R.l2_regularization(0.3)
                model.initialize_weights = lambda n_features: setattr(model, "w", w.copy())
                model.fit(data, target)
                return model

            def vjp(w, dy):
                g = w - after(w, 1.0).w
                if right:
                    g = (g - 0.3 * w) / 6 + 0.3 * w
                return dy * g

            return lambda w: np.asarray(after(w, 0.0).training_errors[0]), vjp, normal(3, seed=9)

        return thunk

    add(
        S,
        "Regression.fit",
        fit(),
        "wrong",
        "sum",
        "the loss is a mean over the examples, the gradient of its first term a sum",
        issue + "issues/38",
        fit(True),
    )

    def layer(make, x, names=(), right=None):
        """names: the attribute and that of its optimizer; parameters are set, their gradients read."""

        def built(t):
            np.random.seed(1)
            made = make()
            made.input_shape = x.shape[1:]
            if hasattr(made, "initialize"):
                made.initialize(Still())
            for name in names:
                setattr(made, name, t[name] if name in t else getattr(made, name))
            np.random.seed(2)
            return made, made.forward_pass(t["x"], True)

        start, _ = built({"x": x})
        at = {
            "x": x,
            **{n: getattr(start, n) + 0.3 * normal(*getattr(start, n).shape, seed=3) for n in names},
        }

        def vjp(t, dy):
            made, _ = built(t)
            dx = made.backward_pass(dy)
            grads = {"x": dx, **{n: getattr(made, n + "_opt").grad for n in names}}
            return right(t, dy, grads) if right else grads

        return lambda t: built(t)[1], vjp, at

    image, seq = apart(2, 2, 4, 4), normal(2, 4, 3)
    add(S, "Dense", lambda: layer(lambda: L.Dense(3), normal(5, 4), ("W", "w0")))

    def rnn_right(t, dy, grads):
        steps = seq.shape[1]
        states = [np.zeros((2, 3))]
        for k in range(steps):
            states.append(np.tanh(t["x"][:, k] @ t["U"].T + states[-1] @ t["W"].T))
        arriving, dx = np.zeros((2, 3)), np.zeros_like(t["x"])
        for k in reversed(range(steps)):
            dz = (dy[:, k] @ t["V"] + arriving) * (1 - states[k + 1] ** 2)
            dx[:, k], arriving = dz @ t["U"], dz @ t["W"]
        return grads | {"x": dx}

    recurrent = lambda right=None: (
        lambda: layer(lambda: L.RNN(3, bptt_trunc=99), seq, ("U", "V", "W"), right)
    )
    add(
        S,
        "RNN",
        recurrent(),
        "wrong",
        "use",
        "dx at a step lacks what reaches the loss through later steps; U, V and W are right",
        cure=recurrent(rnn_right),
    )
    add(
        S,
        "Conv2D",
        {
            f"{p}, stride {s}": lambda p=p, s=s, k=k: layer(
                lambda: L.Conv2D(3, (k, k), padding=p, stride=s), image, ("W", "w0")
            )
            for p, s, k in (("same", 1, 3), ("valid", 1, 3), ("valid", 2, 2))
        },
    )
    add(
        S,
        "BatchNormalization",
        {
            "features": lambda: layer(L.BatchNormalization, normal(6, 4), ("gamma", "beta")),
            "images": lambda: layer(L.BatchNormalization, image + 0, ("gamma", "beta")),
        },
    )
    add(S, "ZeroPadding2D", lambda: layer(lambda: L.ZeroPadding2D(((1, 1), (2, 0))), image))
    summed = lambda t, dy, grads: {"x": dy.reshape(2, 2, 4, 2, 4, 2).sum(axis=(3, 5))}
    add(
        S,
        "UpSampling2D",
        lambda: layer(L.UpSampling2D, image),
        "wrong",
        "use",
        "each number is repeated four times; backward takes the slope of one of them, not the sum",
        cure=lambda: layer(L.UpSampling2D, image, (), summed),
    )
    add(S, "Flatten", lambda: layer(L.Flatten, image))
    add(S, "Reshape", lambda: layer(lambda: L.Reshape((8, 4)), image))
    add(S, "Dropout", lambda: layer(lambda: L.Dropout(0.4), normal(5, 6)))
    for name in ("relu", "tanh"):
        add(S, f"Activation, {name}", lambda name=name: layer(lambda: L.Activation(name), apart(3, 4)))


# tinynn


def tinynn(root):
    S = "tinynn"
    base = root / S / "tinynn"
    package("tinynn", base)
    for name in ("core", "utils"):
        package(f"tinynn.{name}", base / name)
    double = lambda text: text.replace("np.float32", "np.float64")
    importlib.import_module("tinynn.utils.math")
    with_source("tinynn.core.initializer", base / "core" / "initializer.py", double)
    L = with_source("tinynn.core.layer", base / "core" / "layer.py", double)
    Q = importlib.import_module("tinynn.core.loss")
    z = apart(3, 4)
    for name in ("Sigmoid", "Softplus", "Tanh", "ReLU", "LeakyReLU"):
        a = getattr(L, name)()
        add(S, name, lambda a=a: elementwise(a.func, a.derivative, z))

    def gelu():
        a = L.GELU()
        return a.func, lambda x, dy: dy * (a.func(x), a.derivative(x))[1], z

    add(
        S,
        "GELU",
        gelu,
        note="alpha is 0.1702, not the article's 1.702: another function, whose slope is right",
    )
    elu = L.ELU()
    add(
        S,
        "ELU",
        lambda: elementwise(elu.func, elu.derivative, z),
        "wrong",
        "slip",
        "x > 0 + (x < 0) * ... compares x with the whole sum: the slope is 0 or 1",
        cure=lambda: elementwise(elu.func, lambda x: np.where(x > 0, 1, np.exp(x)), z),
    )
    p, t, bits = normal(3, 4), normal(3, 4, seed=8), np.eye(4)[[0, 3, 1]]
    loss = lambda q, target: (
        lambda: (lambda p: q.loss(p, target), lambda p, dy: dy * q.grad(p, target), p)
    )
    add(S, "MSE", loss(Q.MSE(), t))
    add(S, "MAE", loss(Q.MAE(), t))
    add(S, "Huber", loss(Q.Huber(), t))
    softmax = lambda a: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    weights = np.array([0.5, 1.0, 2.0, 3.0])
    hot, heavy = Q.SoftmaxCrossEntropy(T=2.0), Q.SoftmaxCrossEntropy(weights=weights)
    add(
        S,
        "SoftmaxCrossEntropy, temperature",
        {"1": loss(Q.SoftmaxCrossEntropy(), bits), "2": loss(hot, bits)},
        "wrong",
        "factor",
        "the factor 1/T is left out",
        failing=("2",),
        cure=lambda: (lambda p: hot.loss(p, bits), lambda p, dy: dy * hot.grad(p, bits) / 2, p),
    )
    add(
        S,
        "SoftmaxCrossEntropy, class weights",
        loss(heavy, bits),
        "wrong",
        "axis",
        "weights each column by its class for each row by its label; a test repeats the formula",
        cure=lambda: (
            lambda p: heavy.loss(p, bits),
            lambda p, dy: dy * (softmax(p) - bits) * (bits @ weights)[:, None] / 3,
            p,
        ),
    )
    add(
        S,
        "SigmoidCrossEntropy",
        {
            "": loss(Q.SigmoidCrossEntropy(), bits),
            "weights": loss(Q.SigmoidCrossEntropy([1.0, 2.0]), bits),
        },
    )

    def layer(make, x, grads_right=None):
        def built(t):
            np.random.seed(1)
            made = make()
            made.forward(x)
            for name in made.param_names:
                made.params[name] = t[name] if name in t else made.params[name]
            np.random.seed(2)
            return made, made.forward(t["x"])

        start, _ = built({"x": x})
        at = {
            "x": x,
            **{
                n: 1.0 * start.params[n] + 0.3 * normal(*start.params[n].shape, seed=3)
                for n in start.param_names
            },
        }

        def vjp(t, dy):
            made, _ = built(t)
            dx = made.backward(dy)
            found = {"x": dx, **made.grads}
            return grads_right(found, t, dy) if grads_right else found

        return lambda t: built(t)[1], vjp, at

    image, seq = apart(2, 4, 5, 3), normal(2, 4, 3)
    add(S, "Dense", lambda: layer(lambda: L.Dense(3), normal(5, 4)))
    add(
        S,
        "Conv2D",
        {
            f"{p}, stride {s}": lambda p=p, s=s: layer(lambda: L.Conv2D((3, 2, 3, 2), (s, s), p), image)
            for p in ("SAME", "VALID")
            for s in (1, 2)
        },
    )
    add(
        S,
        "ConvTranspose2D",
        {
            f"{p}, stride {s}": lambda p=p, s=s: layer(
                lambda: L.ConvTranspose2D((3, 2, 3, 2), (s, s), p), image
            )
            for p in ("SAME", "VALID")
            for s in (1, 2)
        },
    )
    add(
        S,
        "MaxPool2D",
        {f"stride {s}": lambda s=s: layer(lambda: L.MaxPool2D((2, 2), (s, s)), image) for s in (1, 2)},
    )
    add(S, "RNN", lambda: layer(lambda: L.RNN(3), seq))
    add(S, "LSTM", lambda: layer(lambda: L.LSTM(3), seq))

    def wide(found, t, dy):
        return found | {k: found[k].sum(axis=(0, 1)) for k in ("gamma", "beta")}

    add(
        S,
        "BatchNormalization",
        {
            "features": lambda: layer(L.BatchNormalization, normal(6, 4)),
            "images": lambda: layer(L.BatchNormalization, image),
        },
        "wrong",
        "shape",
        "of images, gamma has one number a channel, and its gradient one a pixel and channel",
        failing=("images",),
        cure=lambda: layer(L.BatchNormalization, image, wide),
    )
    add(S, "Flatten", lambda: layer(L.Flatten, image))
    add(S, "Dropout", lambda: layer(lambda: L.Dropout(0.6), normal(5, 6)))


# Deep Learning from Scratch, nnet, joelnet


def from_scratch(root):
    S = "deep-learning-from-scratch"
    package("common", root / S / "common")
    L = importlib.import_module("common.layers")
    F = importlib.import_module("common.functions")
    N = with_source("layer_naive", root / S / "ch05" / "layer_naive.py")
    z = apart(3, 4)
    add(S, "sigmoid_grad", lambda: elementwise(F.sigmoid, F.sigmoid_grad, z))
    add(S, "relu_grad", lambda: elementwise(F.relu, F.relu_grad, z))

    def layer(make, x, **params):
        def built(t):
            np.random.seed(1)
            made = make(*(t[k] for k in params))
            return made, made.forward(t["x"])

        def vjp(t, dy):
            made, _ = built(t)
            dx = made.backward(dy)
            return {"x": dx, **{k: getattr(made, "d" + k) for k in params}}

        return lambda t: built(t)[1], vjp, {"x": x, **params}

    add(S, "Relu", lambda: layer(L.Relu, z), note="backward sets numbers of its argument to 0")
    add(S, "Sigmoid", lambda: layer(L.Sigmoid, z))
    add(S, "Affine", lambda: layer(L.Affine, normal(4, 2, 3), W=normal(6, 3), b=normal(3)))
    add(S, "Dropout", lambda: layer(lambda: L.Dropout(0.4), normal(5, 6)))
    add(
        S,
        "BatchNormalization",
        {
            "features": lambda: layer(
                L.BatchNormalization, normal(6, 4), gamma=normal(4), beta=normal(4, seed=8)
            ),
            "images": lambda: layer(
                L.BatchNormalization, normal(3, 2, 2, 2), gamma=normal(8), beta=normal(8, seed=8)
            ),
        },
    )
    image = apart(2, 2, 5, 5)
    add(
        S,
        "Convolution",
        {
            f"stride {s}, pad {p}": lambda s=s, p=p: layer(
                lambda W, b: L.Convolution(W, b, s, p), image, W=normal(3, 2, 3, 3), b=normal(3)
            )
            for s, p in ((1, 0), (2, 1))
        },
    )
    add(
        S,
        "Pooling",
        {
            f"stride {s}": lambda s=s, k=k: layer(lambda: L.Pooling(k, k, s), image)
            for s, k in ((1, 3), (2, 3))
        },
    )
    for name in ("MulLayer", "AddLayer"):

        def two(name=name):
            def built(t):
                made = getattr(N, name)()
                return made, made.forward(t["x"], t["y"])

            return (
                lambda t: built(t)[1],
                lambda t, dy: dict(zip("xy", built(t)[0].backward(dy), strict=True)),
                {"x": normal(3), "y": normal(3, seed=8)},
            )

        add(S, name, two)

    def loss(target, right=False):
        def thunk():
            def built(x):
                made = L.SoftmaxWithLoss()
                return made, made.forward(x, target)

            def soft(x):
                return -(target * np.log(F.softmax(x))).sum() / len(x)

            return (
                (soft if right else lambda x: built(x)[1]),
                lambda x, dy: dy * built(x)[0].backward(),
                normal(3, 4),
            )

        return thunk

    soft = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    add(
        S,
        "SoftmaxWithLoss",
        {"labels": loss(np.array([0, 3, 1])), "one-hot": loss(np.eye(4)[[0, 3, 1]])},
        "by design",
        note="the loss adds 1e-7 before it takes the logarithm, the gradient does not",
    )
    add(
        S,
        "SoftmaxWithLoss, soft targets",
        loss(soft),
        "wrong",
        "pair",
        "the loss takes the largest target alone, the gradient all; with one hot they agree",
        cure=loss(soft, True),
    )


def nnet(root):
    S = "nnet"
    package("nnet", root / S / "nnet")
    L = importlib.import_module("nnet.layers")
    z = apart(3, 4)
    for name in ("sigmoid", "relu", "tanh"):

        def activation(name=name, right=False):
            def built(x):
                made = L.Activation(name)
                return made, made.fprop(x)

            slope = lambda x, dy: dy * (1 - np.tanh(x) ** 2)
            return lambda x: built(x)[1], slope if right else lambda x, dy: built(x)[0].bprop(dy), z

        extra = (
            (
                "wrong",
                "pair",
                "the function that should return the derivative of tanh returns tanh",
                "",
                lambda: activation("tanh", True),
            )
            if name == "tanh"
            else ()
        )
        add(S, f"Activation, {name}", activation, *extra)
    x = normal(5, 4)

    def linear():  # this library divides by the number of examples here, and not in the loss
        def built(t):
            made = L.Linear(3, 0.1, 0.2)
            made.W, made.b = t["W"], t["b"]
            return made, made.fprop(t["x"])

        def vjp(t, dy):
            made, _ = built(t)
            dx = made.bprop(dy)
            dW, db = made.param_grads()
            return {"x": dx, "W": 5 * dW, "b": 5 * db}

        return lambda t: built(t)[1], vjp, {"x": x, "W": normal(4, 3), "b": normal(3)}

    add(
        S,
        "Linear",
        linear,
        note="divides by the number of examples, which its loss leaves to it",
    )
    y = np.eye(4)[[0, 3, 1]]

    def loss():
        made = L.LogRegression()
        return (
            lambda z: made.loss(y, made.fprop(z)),
            lambda z, dy: dy * made.input_grad(y, made.fprop(z)) / 3,
            normal(3, 4),
        )

    add(
        S,
        "LogRegression",
        loss,
        note="leaves the division by the number of examples to the layers before it",
    )


def joelnet(root):
    S = "joelnet"
    package("joelnet", root / S / "joelnet")
    L = importlib.import_module("joelnet.layers")
    Q = importlib.import_module("joelnet.loss")

    def linear():
        def built(t):
            made = L.Linear(4, 3)
            made.params = {"w": t["w"], "b": t["b"]}
            return made, made.forward(t["x"])

        def vjp(t, dy):
            made, _ = built(t)
            return {"x": made.backward(dy), **made.grads}

        return lambda t: built(t)[1], vjp, {"x": normal(5, 4), "w": normal(4, 3), "b": normal(3)}

    add(S, "Linear", linear)

    def tanh():
        made = L.Tanh()
        return made.forward, lambda x, dy: (made.forward(x), made.backward(dy))[1], normal(3, 4)

    add(S, "Tanh", tanh)
    t = normal(3, 4, seed=8)
    add(
        S,
        "MSE",
        lambda: (lambda p: Q.MSE().loss(p, t), lambda p, dy: dy * Q.MSE().grad(p, t), normal(3, 4)),
    )


if __name__ == "__main__":
    root = Path(sys.argv[1]).resolve()
    for source in (numpy_ml, scratch, tinynn, from_scratch, nnet, joelnet):
        source(root)
    for finding in FINDINGS:
        try:
            measure(finding)
        except Exception as error:
            print("BROKEN", finding.source, finding.function, type(error).__name__, str(error)[:200])
    write([f for f in FINDINGS if f.measured], COMMITS)
    print(len(FINDINGS), "functions")
