"""Check hand-written derivatives of six libraries, and put what is found into wild.json.

    PYTHONPATH=. python tests/golden/record_wild.py [scipy] [sklearn] [statsmodels] ...

with a Python that has what requirements-frameworks.txt asks for. `cases` is used by a test, too.
"""

# ruff: noqa: B023, E731 - short functions in loops, called in the same turn

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import pairwise

import numpy as np
from wild_findings import Finding, elementwise, measure, quietly, write

NAMES = {
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "autograd": "Autograd",
    "jax": "JAX",
    "torch": "PyTorch",
}
PROJECTS = {"sklearn": "scikit-learn"}
POSITIVE = np.array([0.3, 0.9, 1.7, 2.6, 4.1])
SIGNED = np.array([-2.2, -0.7, 0.4, 1.3, 2.9])
INSIDE = np.array([0.08, 0.31, 0.47, 0.66, 0.93])
ISSUES = "https://github.com/"


def normal(*shape, seed=7):
    return np.random.default_rng(seed).standard_normal(shape)


def definite(n=3, seed=7):
    """A symmetric matrix, of which no two eigenvalues are alike."""
    A = normal(n, n, seed=seed)
    return A @ A.T + np.diag(np.arange(1.0, n + 1))


def one(make: Callable) -> dict[str, Callable]:
    return {"": make}


def pairs(
    source: str, table: dict[str, tuple], judged: dict[str, tuple] | None = None
) -> Iterator[Finding]:
    """Functions of every element, with what claims to be their derivative."""
    for name, (f, slope, x) in table.items():
        settings = one(partial(elementwise, f, slope, x))
        yield Finding(source, name, settings, *(judged or {}).get(name, ()))


def scipy_cases() -> Iterator[Finding]:
    from scipy import interpolate, optimize, special

    S = "SciPy"
    least_squares = importlib.import_module("scipy.optimize._lsq.least_squares")
    x = np.array([-1.2, 0.7, 1.9, -0.3, 2.1])
    p = normal(5, seed=8)
    yield Finding(
        S,
        "optimize.rosen_der",
        one(lambda: (optimize.rosen, lambda x, dy: dy * optimize.rosen_der(x), x)),
    )
    yield Finding(
        S, "optimize.rosen_hess_prod", one(lambda: (optimize.rosen_der, optimize.rosen_hess_prod, x))
    )
    for name, loss in least_squares.IMPLEMENTED_LOSSES.items():
        if name == "linear":
            continue
        z = np.array([0.2, 0.7, 1.6, 3.1])

        def rho(z, order, loss=loss):
            table = np.empty((3, len(z)))
            loss(z, table, False)
            return table[order]

        yield Finding(
            S,
            f"least_squares, {name}",
            {
                "first": partial(elementwise, partial(rho, order=0), partial(rho, order=1), z),
                "second": partial(elementwise, partial(rho, order=1), partial(rho, order=2), z),
            },
        )
    bessel = {
        name + "p": (
            partial(getattr(special, name), 1.3),
            partial(getattr(special, name + "p"), 1.3),
            POSITIVE,
        )
        for name in ("jv", "yv", "iv", "kv")
    }
    spherical = {
        name: (partial(f := getattr(special, name), 2), partial(f, 2, derivative=True), POSITIVE)
        for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn")
    }
    kelvin = {
        name + "p": (getattr(special, name), getattr(special, name + "p"), POSITIVE)
        for name in ("ber", "bei", "ker", "kei")
    }
    pick = lambda f, k: lambda x: np.array([f(v)[k] for v in x])
    several = {
        "airy, Ai": (pick(special.airy, 0), pick(special.airy, 1), SIGNED),
        "airy, Bi": (pick(special.airy, 2), pick(special.airy, 3), SIGNED),
        "pbdv": (pick(partial(special.pbdv, 1.4), 0), pick(partial(special.pbdv, 1.4), 1), SIGNED),
        "pbvv": (pick(partial(special.pbvv, 1.4), 0), pick(partial(special.pbvv, 1.4), 1), SIGNED),
        "pbwa": (pick(partial(special.pbwa, 0.7), 0), pick(partial(special.pbwa, 0.7), 1), SIGNED),
        "legendre_p": (
            lambda x: special.legendre_p(3, x).ravel(),
            lambda x: special.legendre_p(3, x, diff_n=1)[1].ravel(),
            INSIDE,
        ),
        "assoc_legendre_p": (
            lambda x: special.assoc_legendre_p(3, 2, x).ravel(),
            lambda x: special.assoc_legendre_p(3, 2, x, diff_n=1)[1].ravel(),
            INSIDE,
        ),
        "sph_legendre_p": (
            lambda x: special.sph_legendre_p(3, 2, x).ravel(),
            lambda x: special.sph_legendre_p(3, 2, x, diff_n=1)[1].ravel(),
            INSIDE,
        ),
        "obl_ang1": (
            pick(partial(special.obl_ang1, 1, 2, 1.5), 0),
            pick(partial(special.obl_ang1, 1, 2, 1.5), 1),
            INSIDE,
        ),
        "pro_ang1": (
            pick(partial(special.pro_ang1, 1, 2, 1.5), 0),
            pick(partial(special.pro_ang1, 1, 2, 1.5), 1),
            INSIDE,
        ),
        "obl_rad1": (
            pick(partial(special.obl_rad1, 1, 2, 1.5), 0),
            pick(partial(special.obl_rad1, 1, 2, 1.5), 1),
            POSITIVE,
        ),
        "pro_rad1": (
            pick(partial(special.pro_rad1, 1, 2, 1.5), 0),
            pick(partial(special.pro_rad1, 1, 2, 1.5), 1),
            1 + POSITIVE,
        ),
        "mathieu_cem": (
            pick(partial(special.mathieu_cem, 2, 1.5), 0),
            pick(partial(special.mathieu_cem, 2, 1.5), 1),
            20 * POSITIVE,
        ),
        "mathieu_sem": (
            pick(partial(special.mathieu_sem, 2, 1.5), 0),
            pick(partial(special.mathieu_sem, 2, 1.5), 1),
            20 * POSITIVE,
        ),
        "mathieu_modcem1": (
            pick(partial(special.mathieu_modcem1, 2, 1.5), 0),
            pick(partial(special.mathieu_modcem1, 2, 1.5), 1),
            0.3 * POSITIVE,
        ),
        "mathieu_modsem1": (
            pick(partial(special.mathieu_modsem1, 2, 1.5), 0),
            pick(partial(special.mathieu_modsem1, 2, 1.5), 1),
            0.3 * POSITIVE,
        ),
    }
    mathieu = lambda f: lambda x: np.array([f(2, 1.5, v)[1] for v in x]) * np.pi / 180
    degrees = lambda f: (
        "wrong",
        "factor",
        "x in degrees, and the slope per radian: 180 / pi too large",
        ISSUES + "scipy/scipy/issues/14580",
        lambda: elementwise(pick(partial(f, 2, 1.5), 0), mathieu(f), 20 * POSITIVE),
    )
    judged = {f"special.{f.__name__}": degrees(f) for f in (special.mathieu_cem, special.mathieu_sem)}
    for table in (bessel, spherical, kelvin, several):
        yield from pairs(S, {"special." + name: row for name, row in table.items()}, judged)
    knots, values = np.arange(7.0), normal(7)
    at = np.array([0.4, 1.7, 2.2, 4.9, 5.3])
    for cls in ("CubicSpline", "PchipInterpolator", "Akima1DInterpolator"):
        f = getattr(interpolate, cls)(knots, values)
        yield from pairs(S, {f"interpolate.{cls}.derivative": (f, f.derivative(), at)})
    for cls in ("BarycentricInterpolator", "KroghInterpolator"):
        f = getattr(interpolate, cls)(knots, values)
        yield from pairs(S, {f"interpolate.{cls}.derivative": (f, f.derivative, at)})
    spline = interpolate.make_interp_spline(knots, values)
    yield from pairs(S, {"interpolate.BSpline.derivative": (spline, spline.derivative(), at)})
    del p


def sklearn_cases() -> Iterator[Finding]:
    from scipy.spatial.distance import pdist, squareform
    from sklearn import _loss, gaussian_process, neighbors, neural_network
    from sklearn.gaussian_process import kernels as K  # noqa: N812
    from sklearn.linear_model._huber import _huber_loss_and_gradient
    from sklearn.linear_model._linear_loss import LinearModelLoss
    from sklearn.manifold import _t_sne

    S = "scikit-learn"
    X = normal(6, 2)

    def kernel(k):
        def vjp(theta, dy):
            return np.einsum("ij,ijk->k", dy, k.clone_with_theta(theta)(X, eval_gradient=True)[1])

        return lambda theta: k.clone_with_theta(theta)(X), vjp, k.theta + 0.1 * normal(len(k.theta))

    made = {
        "ConstantKernel": K.ConstantKernel(2.0),
        "WhiteKernel": K.WhiteKernel(0.5),
        "RBF": K.RBF(0.8),
        "RBF, two lengths": K.RBF([0.8, 1.7]),
        "Matern, nu = 0.5": K.Matern(0.8, nu=0.5),
        "Matern, nu = 1.5": K.Matern([0.8, 1.7], nu=1.5),
        "Matern, nu = 2.5": K.Matern([0.8, 1.7], nu=2.5),
        "Matern, nu = inf": K.Matern(0.8, nu=np.inf),
        "Matern, nu = 0.8": K.Matern(0.8, nu=0.8),
        "RationalQuadratic": K.RationalQuadratic(0.8, 1.3),
        "ExpSineSquared": K.ExpSineSquared(0.8, 1.9),
        "DotProduct": K.DotProduct(0.7),
        "PairwiseKernel": K.PairwiseKernel(0.6, metric="rbf"),
        "Sum": K.RBF(0.8) + K.DotProduct(0.7),
        "Product": K.RBF(0.8) * K.DotProduct(0.7),
        "Exponentiation": K.RBF(0.8) ** 3,
    }
    judged = {
        "Matern, nu = 0.8": (
            "by design",
            "",
            "a forward difference; its source says: approximate gradient numerically",
        ),
        "PairwiseKernel": (
            "by design",
            "",
            "a forward difference; its source says: approximate gradient numerically",
        ),
    }
    for name, k in made.items():
        yield Finding(S, "kernel " + name, one(partial(kernel, k)), *judged.get(name, ()))
    y, labels = normal(6, seed=8), np.array([0, 1, 1, 0, 1, 0])
    for name, model, target in (
        (
            "GaussianProcessRegressor",
            gaussian_process.GaussianProcessRegressor(K.RBF(0.8) + K.WhiteKernel(0.5), optimizer=None),
            y,
        ),
        (
            "GaussianProcessClassifier",
            gaussian_process.GaussianProcessClassifier(
                1.3 * K.RBF(0.8), optimizer=None, max_iter_predict=1000
            ),
            labels,
        ),
    ):
        model.fit(X, target)
        at = model.kernel_.theta + 0.1
        yield Finding(
            S,
            f"{name}.log_marginal_likelihood",
            one(
                lambda m=model, at=at: (
                    lambda t: np.asarray(m.log_marginal_likelihood(t)),
                    lambda t, dy: dy * m.log_marginal_likelihood(t, eval_gradient=True)[1],
                    at,
                )
            ),
        )
    raw, positive = normal(6), np.abs(normal(6, seed=9)) + 0.1
    for name, loss, target in (
        ("HalfSquaredError", _loss.HalfSquaredError(), y),
        ("AbsoluteError", _loss.AbsoluteError(), y),
        ("PinballLoss", _loss.PinballLoss(quantile=0.3), y),
        ("HuberLoss", _loss.HuberLoss(), y),
        ("HalfPoissonLoss", _loss.HalfPoissonLoss(), positive),
        ("HalfGammaLoss", _loss.HalfGammaLoss(), positive),
        ("HalfTweedieLoss", _loss.HalfTweedieLoss(power=1.6), positive),
        ("HalfBinomialLoss", _loss.HalfBinomialLoss(), labels * 1.0),
        ("ExponentialLoss", _loss.loss.ExponentialLoss(), labels * 1.0),
    ):
        settings = {
            "gradient": partial(
                elementwise, partial(loss.loss, target), partial(loss.gradient, target), raw
            )
        }
        if not name.startswith(("Absolute", "Pinball", "HalfSquared", "Huber")):
            settings["Hessian"] = partial(
                elementwise,
                partial(loss.gradient, target),
                lambda r, loss=loss, t=target: loss.gradient_hessian(t, r)[1],
                raw,
            )
        yield Finding(S, f"loss {name}", settings)
    multinomial = _loss.HalfMultinomialLoss(n_classes=3)
    three = np.array([0, 2, 1, 1, 0, 2]) * 1.0
    yield Finding(
        S,
        "loss HalfMultinomialLoss",
        one(
            lambda: (
                lambda r: multinomial.loss(three, r),
                lambda r, dy: dy[:, None] * multinomial.gradient(three, r),
                normal(6, 3),
            )
        ),
    )
    for name, base, target, size in (
        ("binomial", _loss.HalfBinomialLoss(), labels * 1.0, 3),
        ("multinomial", multinomial, three, 9),
        ("Poisson", _loss.HalfPoissonLoss(), positive, 3),
    ):
        model = LinearModelLoss(base_loss=base, fit_intercept=True)
        yield Finding(
            S,
            f"LinearModelLoss, {name}",
            one(
                lambda m=model, t=target, size=size: (
                    lambda w: np.asarray(m.loss(w, X, t, l2_reg_strength=0.3)),
                    lambda w, dy: dy * np.ravel(m.gradient(w, X, t, l2_reg_strength=0.3), order="F"),
                    0.3 * normal(size),
                )
            ),
        )
    yield Finding(
        S,
        "HuberRegressor",
        one(
            lambda: (
                lambda w: np.asarray(_huber_loss_and_gradient(w, X, y, 1.35, 0.1, np.ones(6))[0]),
                lambda w, dy: dy * _huber_loss_and_gradient(w, X, y, 1.35, 0.1, np.ones(6))[1],
                np.array([0.3, -0.4, 0.2, 0.7]),
            )
        ),
    )

    def components():
        model = neighbors.NeighborhoodComponentsAnalysis()
        model.n_iter_, same = 0, labels[:, None] == labels
        sign = lambda A: model._loss_grad_lbfgs(A.copy(), X, same, -1.0)
        return lambda A: np.asarray(sign(A)[0]), lambda A, dy: dy * sign(A)[1].ravel(), normal(4)

    yield Finding(S, "NeighborhoodComponentsAnalysis", one(components))

    def perceptron(activation, classes):
        def thunk():
            cls = neural_network.MLPClassifier if classes else neural_network.MLPRegressor
            target = (three if classes == 3 else labels) if classes else y
            model = cls(
                hidden_layer_sizes=(4,),
                activation=activation,
                solver="lbfgs",
                max_iter=1,
                random_state=0,
                alpha=0.2,
            )
            model.fit(X, target)
            packed = np.hstack([a.ravel() for a in model.coefs_ + model.intercepts_])
            shapes = [a.shape for a in model.coefs_ + model.intercepts_]
            Y = model._label_binarizer.transform(target) if classes else target[:, None]
            sizes = np.cumsum([0] + [int(np.prod(s)) for s in shapes])

            def both(w):
                layers = [len(X.T), 4, Y.shape[1]]
                arrays = [
                    w[a:b].reshape(s).copy() for a, b, s in zip(sizes, sizes[1:], shapes, strict=False)
                ]
                model.coefs_, model.intercepts_ = arrays[:2], arrays[2:]
                acts = [X] + [None] * 2
                acts = [X, np.empty((6, 4)), np.empty((6, layers[2]))]
                grads = (
                    [np.empty_like(a) for a in model.coefs_],
                    [np.empty_like(a) for a in model.intercepts_],
                )
                deltas = [np.empty_like(a) for a in acts]
                model._unpack(w)
                value, gc, gi = model._backprop(X, Y * 1.0, None, acts, deltas, *grads)
                return value, np.hstack([a.ravel() for a in gc + gi])

            return (
                lambda w: np.asarray(both(w)[0]),
                lambda w, dy: dy * both(w)[1],
                packed + 0.3 * normal(len(packed)),
            )

        return thunk

    yield Finding(
        S,
        "MLP",
        {
            f"{a}, {c or 'regression'}": perceptron(a, c)
            for a in ("logistic", "tanh", "relu")
            for c in (0, 2, 3)
        },
    )

    def embedding():
        far = pdist(normal(8, 4), "sqeuclidean")
        P = _t_sne._joint_probabilities(squareform(far).astype(np.float32), 3.0, 0)
        both = lambda v: _t_sne._kl_divergence(v, P, 1.0, 8, 2)
        return lambda v: np.asarray(both(v)[0]), lambda v, dy: dy * both(v)[1], normal(16)

    yield Finding(S, "TSNE, exact", one(embedding))


def statsmodels_cases() -> Iterator[Finding]:
    import statsmodels.api as sm
    from statsmodels.discrete import count_model, discrete_model, truncated_model
    from statsmodels.distributions.copula import transforms
    from statsmodels.genmod.families import links
    from statsmodels.miscmodels.ordinal_model import OrderedModel
    from statsmodels.othermod.betareg import BetaModel
    from statsmodels.robust import norms

    S = "statsmodels"
    for name in (
        "Logit",
        "Probit",
        "Cauchy",
        "CLogLog",
        "LogLog",
        "Log",
        "LogC",
        "Sqrt",
        "InversePower",
        "InverseSquared",
        "NegativeBinomial",
    ):
        link = getattr(links, name)()
        eta = {
            "Logit": SIGNED,
            "Probit": SIGNED,
            "Cauchy": SIGNED,
            "CLogLog": 0.4 * SIGNED,
            "LogLog": 0.4 * SIGNED,
            "LogC": -POSITIVE,
            "Log": SIGNED,
            "NegativeBinomial": -POSITIVE,
        }.get(name, POSITIVE)
        settings = {
            "deriv": partial(elementwise, link, link.deriv, INSIDE),
            "deriv2": partial(elementwise, link.deriv, link.deriv2, INSIDE),
            "inverse_deriv": partial(elementwise, link.inverse, link.inverse_deriv, eta),
            "inverse_deriv2": partial(elementwise, link.inverse_deriv, link.inverse_deriv2, eta),
        }
        for method, thunk in settings.items():
            yield Finding(S, f"link {name}.{method}", one(thunk))
    z = np.array([-6.3, -2.9, -1.6, -0.4, 0.3, 1.2, 2.6, 4.4, 8.7])
    for name in (
        "LeastSquares",
        "HuberT",
        "RamsayE",
        "AndrewWave",
        "TrimmedMean",
        "Hampel",
        "TukeyBiweight",
        "TukeyQuartic",
        "StudentT",
        "MQuantileNorm",
    ):
        cls = getattr(norms, name)
        norm = cls(0.3, norms.HuberT()) if name == "MQuantileNorm" else cls()
        at = 0.9 * z if name == "Hampel" else z
        yield Finding(S, f"norm {name}.psi", one(partial(elementwise, norm.rho, norm.psi, at)))
        yield Finding(
            S, f"norm {name}.psi_deriv", one(partial(elementwise, norm.psi, norm.psi_deriv, at))
        )
    for name, parameter in (("TransfFrank", 2.3), ("TransfClayton", 1.4), ("TransfGumbel", 1.7)):
        t = getattr(transforms, name)()
        f = lambda method, t=t, q=parameter: lambda x: getattr(t, method)(x, q)
        is_frank = name == "TransfFrank"
        minus = lambda g: lambda x: -g(x)
        slope = (lambda x: -2.3 / np.expm1(2.3 * x)) if is_frank else f("deriv")
        judged = lambda f, g: (
            (
                "wrong",
                "sign",
                "the generator falls, and its derivative is said to be positive",
                "",
                partial(elementwise, f, minus(g), INSIDE),
            )
            if is_frank
            else ()
        )
        yield Finding(
            S,
            f"copula {name}.deriv",
            one(partial(elementwise, f("evaluate"), f("deriv"), INSIDE)),
            *judged(f("evaluate"), f("deriv")),
        )
        if name != "TransfGumbel":  # whose second derivative is a complex number
            yield Finding(
                S,
                f"copula {name}.deriv2",
                one(partial(elementwise, slope, f("deriv2"), INSIDE)),
                *judged(slope, f("deriv2")),
            )
        chain = ["inverse", *(f"deriv{k}_inverse" for k in ("", 2, 3, 4))]
        for lower, higher in pairwise(chain):
            if hasattr(t, lower) and hasattr(t, higher):
                yield Finding(
                    S,
                    f"copula {name}.{higher}",
                    one(partial(elementwise, f(lower), f(higher), POSITIVE)),
                )
    X = sm.add_constant(normal(30, 1, seed=3))
    counts = np.random.default_rng(5).poisson(2.0, 30)
    counts[:8] = 0
    binary = (normal(30, seed=6) > 0) * 1.0
    classes = np.random.default_rng(7).integers(0, 3, 30)

    def model(m, size, scale=0.3, last=None):
        at = scale * normal(size, seed=11)
        if last is not None:
            at[-1] = last
        return lambda b: np.asarray(m.loglike(b)), lambda b, dy: dy * np.asarray(m.score(b)), at

    def hessian(m, size, scale=0.3, last=None):
        at = scale * normal(size, seed=11)
        if last is not None:
            at[-1] = last
        return lambda b: np.asarray(m.score(b)), lambda b, dy: np.asarray(m.hessian(b)) @ dy, at

    D, C, T = discrete_model, count_model, truncated_model
    made = {
        "Logit": (D.Logit(binary, X), 2, None),
        "Probit": (D.Probit(binary, X), 2, None),
        "Poisson": (D.Poisson(counts, X), 2, None),
        "GeneralizedPoisson": (D.GeneralizedPoisson(counts, X), 3, 0.4),
        "GeneralizedPoisson, p = 2": (D.GeneralizedPoisson(counts, X, p=2), 3, 0.4),
        "NegativeBinomial, nb2": (D.NegativeBinomial(counts, X), 3, 0.6),
        "NegativeBinomial, nb1": (D.NegativeBinomial(counts, X, loglike_method="nb1"), 3, 0.6),
        "NegativeBinomial, geometric": (
            D.NegativeBinomial(counts, X, loglike_method="geometric"),
            2,
            None,
        ),
        "NegativeBinomialP": (D.NegativeBinomialP(counts, X, p=1.5), 3, 0.6),
        "MNLogit": (D.MNLogit(classes, X), 4, None),
        "ZeroInflatedPoisson": (C.ZeroInflatedPoisson(counts, X), 3, None),
        "ZeroInflatedPoisson, probit": (C.ZeroInflatedPoisson(counts, X, inflation="probit"), 3, None),
        "ZeroInflatedGeneralizedPoisson": (C.ZeroInflatedGeneralizedPoisson(counts, X), 4, 0.4),
        "ZeroInflatedNegativeBinomialP": (C.ZeroInflatedNegativeBinomialP(counts, X), 4, 0.6),
        "TruncatedLFPoisson": (T.TruncatedLFPoisson(counts + 1, X), 2, None),
        "BetaModel": (BetaModel(np.random.default_rng(2).uniform(0.1, 0.9, 30), X), 3, 1.2),
        "OrderedModel": (OrderedModel(classes, X[:, 1:], distr="logit"), 3, 0.2),
        "PHReg": (
            sm.PHReg(np.random.default_rng(4).exponential(1, 30), X[:, 1:], status=binary),
            1,
            None,
        ),
        "PHReg, Efron": (
            sm.PHReg(np.repeat(np.arange(1.0, 11), 3), X[:, 1:], status=binary, ties="efron"),
            1,
            None,
        ),
    }
    for family, target in (
        ("Poisson", counts),
        ("Gaussian", normal(30)),
        ("Binomial", binary),
        ("Gamma", 1 + normal(30) ** 2),
    ):
        link = {"Gamma": sm.families.links.Log()}.get(family)
        made[f"GLM, {family}"] = (
            sm.GLM(target, X, family=getattr(sm.families, family)(*([link] if link else []))),
            2,
            None,
        )
    for name, last, wrong_p in (("NegativeBinomialP", 0.6, 1), ("GeneralizedPoisson", 0.4, 2)):
        by_p = {p: getattr(T, f"TruncatedLF{name}")(counts + 1, X, p=p) for p in (1, 2)}

        def with_p(name=name, last=last, p=wrong_p, truncated=by_p[wrong_p]):
            at_zero = getattr(D, name)(np.zeros(30), X, p=p)  # the truncated part has the same p

            def score(b, dy):
                below, main = np.exp(at_zero.loglikeobs(b)), truncated.model_main.score_obs(b)
                return dy * (main + at_zero.score_obs(b) * (below / (1 - below))[:, None]).sum(axis=0)

            f, _, at = model(truncated, 3, last=last)
            return f, score, at

        yield Finding(
            S,
            f"TruncatedLF{name}.score",
            {f"p = {p}": partial(model, m, 3, last=last) for p, m in by_p.items()},
            "wrong",
            "axis",
            f"the model of the truncated part is made without the option p, so it has p = {3 - wrong_p}",
            cure=with_p,
            failing=(f"p = {wrong_p}",),
        )
    judged = {
        "ZeroInflatedPoisson, probit": (
            "by design",
            "",
            "a numerical derivative where the inflation is a probit, by its source",
            ISSUES + "statsmodels/statsmodels/issues/7632",
        ),
    }
    for name, (m, size, last) in made.items():
        if name.startswith("GLM"):
            thunk = lambda m=m, size=size: (
                lambda b: np.asarray(m.loglike(b, scale=1.0)),
                lambda b, dy: dy * m.score(b, scale=1.0),
                0.3 * normal(size, seed=11),
            )
        else:
            thunk = partial(model, m, size, last=last)
        yield Finding(S, f"{name}.score", one(thunk), *judged.get(name, ()))
        if name in (
            "Logit",
            "Probit",
            "Poisson",
            "GeneralizedPoisson",
            "NegativeBinomial, geometric",
            "MNLogit",
            "PHReg",
            "PHReg, Efron",
        ):
            yield Finding(S, f"{name}.hessian", one(partial(hessian, m, size, last=last)))
    for method in ("nb2", "nb1"):
        plain, logarithm = (D.NegativeBinomial(counts, X, loglike_method=method) for _ in range(2))
        plain._transparams = False
        yield Finding(
            S,
            f"NegativeBinomial, {method}.hessian",
            {
                "alpha": partial(hessian, plain, 3, last=0.6),
                "log alpha": partial(hessian, logarithm, 3, last=0.6),
            },
            "by design",
            "",
            "until it is fitted, the score is that of log alpha and the Hessian that of alpha: known",
            ISSUES + "statsmodels/statsmodels/issues/1967",
            failing=("log alpha",),
        )
    by_p = {
        f"p = {p}": partial(hessian, D.NegativeBinomialP(counts, X, p=p), 3, last=0.6)
        for p in (1, 2, 1.5)
    }

    def without_factor():  # the code's p is 2 - P, whose square is itself for P = 1 and 2
        m, q = D.NegativeBinomialP(counts, X, p=1.5), 0.5
        f, claimed, at = hessian(m, 3, last=0.6)

        def right(b, dy):
            mu, block = np.exp(X @ b[:2]), np.zeros((3, 3))
            a1 = mu**q / b[2]
            block[2, :2] = X.T @ (mu * a1 * q / mu * (1 - q) * a1 / (mu + a1)) / b[2]
            return claimed(b, dy) + (block + block.T) @ dy

        return f, right, at

    yield Finding(
        S,
        "NegativeBinomialP.hessian",
        by_p,
        "wrong",
        "slip",
        "a factor p too much in the block between alpha and the rest; right for p = 1 and 2",
        cure=without_factor,
        failing=("p = 1.5",),
    )
    for name in ("GeneralizedPoisson", "NegativeBinomialP"):
        m = getattr(D, name)(counts, X)
        m._transparams = True

        def chained(m=m):
            f, _, at = model(m, 3, last=-0.5)

            def score(b, dy):
                return dy * m.score_obs(b).sum(axis=0) * np.array([1, 1, np.exp(b[-1])])

            return f, score, at

        yield Finding(
            S,
            f"{name}.score, log alpha",
            one(partial(model, m, 3, last=-0.5)),
            "wrong",
            "factor",
            "the slope in alpha is squared where the chain rule multiplies it by alpha",
            ISSUES + "statsmodels/statsmodels/issues/7522",
            chained,
        )


def autograd_cases() -> Iterator[Finding]:
    import autograd.numpy as anp
    import autograd.scipy.linalg as sla
    import autograd.scipy.special as sp
    import autograd.scipy.stats as stats
    from autograd import make_vjp

    S = "Autograd"

    def run(f, x):
        return lambda x: np.asarray(f(x), float), lambda x, dy: make_vjp(f)(x)[0](dy), x

    single = {
        "gamma": POSITIVE,
        "gammaln": POSITIVE,
        "rgamma": POSITIVE,
        "psi": POSITIVE,
        "digamma": POSITIVE,
        "j0": POSITIVE,
        "j1": POSITIVE,
        "y0": POSITIVE,
        "y1": POSITIVE,
        "i0": SIGNED,
        "i1": SIGNED,
        "erf": SIGNED,
        "erfc": SIGNED,
        "erfinv": INSIDE,
        "erfcinv": INSIDE,
        "logit": INSIDE,
        "expit": SIGNED,
    }
    table = {f"special.{name}": (getattr(sp, name), x) for name, x in single.items()}
    table |= {
        "special.beta": (lambda x: sp.beta(x, 1.3 + x), POSITIVE),
        "special.betaln": (lambda x: sp.betaln(x, 1.3 + x), POSITIVE),
        "special.betainc": (lambda x: sp.betainc(1.3, 0.8, x), INSIDE),
        "special.gammainc": (lambda x: sp.gammainc(1.3, x), POSITIVE),
        "special.gammaincc": (lambda x: sp.gammaincc(1.3, x), POSITIVE),
        "special.polygamma": (lambda x: sp.polygamma(2, x), POSITIVE),
        "special.multigammaln": (lambda x: sp.multigammaln(2 + x, 3), POSITIVE),
        "special.jn": (lambda x: sp.jn(2, x), POSITIVE),
        "special.yn": (lambda x: sp.yn(2, x), POSITIVE),
        "special.iv": (lambda x: sp.iv(1.3, x), POSITIVE),
        "special.ive": (lambda x: sp.ive(1.3, x), POSITIVE),
        "special.logsumexp": (lambda x: sp.logsumexp(x, axis=0), normal(3, 4)),
        "norm.logpdf": (lambda x: stats.norm.logpdf(x, 0.3 * x, 1 + x**2), SIGNED),
        "norm.cdf": (lambda x: stats.norm.cdf(x, 0.3 * x, 1 + x**2), SIGNED),
        "norm.logcdf": (lambda x: stats.norm.logcdf(x, 0.3 * x, 1 + x**2), SIGNED),
        "norm.sf": (lambda x: stats.norm.sf(x, 0.3 * x, 1 + x**2), SIGNED),
        "norm.logsf": (lambda x: stats.norm.logsf(x, 0.3 * x, 1 + x**2), SIGNED),
        "norm.pdf": (lambda x: stats.norm.pdf(x, 0.3 * x, 1 + x**2), SIGNED),
        "t.logpdf": (lambda x: stats.t.logpdf(x, 2 + x**2, 0.3 * x, 1 + x**2), SIGNED),
        "t.pdf": (lambda x: stats.t.pdf(x, 2 + x**2, 0.3 * x, 1 + x**2), SIGNED),
        "t.cdf": (lambda x: stats.t.cdf(x, 3.2), SIGNED),
        "t.logcdf": (lambda x: stats.t.logcdf(x, 3.2), SIGNED),
        "beta.logpdf": (lambda x: stats.beta.logpdf(x, 1 + x, 2 + x), INSIDE),
        "beta.pdf": (lambda x: stats.beta.pdf(x, 1 + x, 2 + x), INSIDE),
        "beta.cdf": (lambda x: stats.beta.cdf(x, 1.4, 2.2), INSIDE),
        "gamma.logpdf": (lambda x: stats.gamma.logpdf(x, 1 + x), POSITIVE),
        "gamma.pdf": (lambda x: stats.gamma.pdf(x, 1 + x), POSITIVE),
        "gamma.cdf": (lambda x: stats.gamma.cdf(x, 1.4), POSITIVE),
        "chi2.logpdf": (lambda x: stats.chi2.logpdf(x, 3.0), POSITIVE),
        "chi2.pdf": (lambda x: stats.chi2.pdf(x, 3.0), POSITIVE),
        "chi2.cdf": (lambda x: stats.chi2.cdf(x, 3.0), POSITIVE),
        "poisson.logpmf": (lambda x: stats.poisson.logpmf(3, x), POSITIVE),
        "poisson.pmf": (lambda x: stats.poisson.pmf(3, x), POSITIVE),
        "poisson.cdf": (lambda x: stats.poisson.cdf(3, x), POSITIVE),
        "dirichlet.logpdf": (
            lambda a: stats.dirichlet.logpdf(np.array([0.2, 0.3, 0.5]), a),
            POSITIVE[:3],
        ),
        "dirichlet.pdf": (lambda a: stats.dirichlet.pdf(np.array([0.2, 0.3, 0.5]), a), POSITIVE[:3]),
        "multivariate_normal.logpdf, mean": (
            lambda m: stats.multivariate_normal.logpdf(normal(4, 3), m, definite()),
            normal(3, seed=9),
        ),
        "multivariate_normal.logpdf, cov": (
            lambda A: stats.multivariate_normal.logpdf(normal(4, 3), np.zeros(3), A @ A.T + np.eye(3)),
            normal(3, 3),
        ),
        "multivariate_normal.entropy": (
            lambda A: stats.multivariate_normal.entropy(np.zeros(3), A @ A.T + np.eye(3)),
            normal(3, 3),
        ),
        "linalg.det": (anp.linalg.det, definite()),
        "linalg.slogdet": (lambda A: anp.linalg.slogdet(A)[1], definite()),
        "linalg.inv": (anp.linalg.inv, definite()),
        "linalg.pinv": (anp.linalg.pinv, normal(4, 3)),
        "linalg.solve": (lambda A: anp.linalg.solve(A, A[:, :2] ** 2), definite()),
        "linalg.norm, 2": (anp.linalg.norm, normal(3, 4)),
        "linalg.norm, 3": (lambda x: anp.linalg.norm(x, 3, axis=1), normal(3, 4)),
        "linalg.norm, nuclear": (lambda x: anp.linalg.norm(x, "nuc"), normal(3, 4)),
        "linalg.cholesky": (lambda A: anp.linalg.cholesky((A + A.T) / 2), definite()),
        "linalg.eigh": (lambda A: anp.linalg.eigh((A + A.T) / 2)[0], definite()),
        "linalg.eigh, vectors": (lambda A: anp.linalg.eigh((A + A.T) / 2)[1] ** 2, definite()),
        "linalg.svd": (lambda A: anp.linalg.svd(A, full_matrices=False)[1], normal(4, 3)),
        "linalg.svd, vectors": (lambda A: anp.linalg.svd(A, full_matrices=False)[0] ** 2, normal(4, 3)),
        "linalg.sqrtm": (lambda A: sla.sqrtm((A + A.T) / 2), definite()),
        "linalg.solve_triangular": (
            lambda A: sla.solve_triangular(A, A[:, :2] ** 2, lower=True),
            definite(),
        ),
        "linalg.solve_sylvester": (lambda A: sla.solve_sylvester(A, A.T, A**2), definite()),
        "prod, with a zero": (lambda x: anp.prod(x, axis=0), np.array([[1.0, 0.0], [2.0, 3.0]])),
        "cumsum": (lambda x: anp.cumsum(x, axis=1), normal(3, 4)),
        "std": (lambda x: anp.std(x, axis=0, ddof=1), normal(3, 4)),
        "var": (lambda x: anp.var(x, axis=0), normal(3, 4)),
        "sort": (lambda x: anp.sort(x), normal(5)),
        "tensordot": (lambda x: anp.tensordot(x, x, axes=([0], [0])), normal(3, 4)),
        "kron": (lambda x: anp.kron(x, x[:2]), normal(3, 2)),
        "einsum": (lambda x: anp.einsum("ij,kj->ik", x, x), normal(3, 4)),
        "indexing, repeated": (lambda x: x[np.array([0, 2, 2])] ** 2, normal(3, 4)),
        "sinc": (anp.sinc, SIGNED),
        "logaddexp": (lambda x: anp.logaddexp(x, 0.3 * x**2), SIGNED),
        "rfft": (lambda x: anp.abs(anp.fft.rfft(x)) ** 2, normal(6)),
        "irfft": (lambda x: anp.fft.irfft(x**2 + 0j), normal(5)),
        "gradient": (lambda x: anp.gradient(x**2), normal(6)),
    }
    zero = table["prod, with a zero"][1]
    judged = {
        "prod, with a zero": (
            "wrong",
            "division",
            "the product over x, which is 0 over 0",
            ISSUES + "HIPS/autograd/issues/93",
            lambda: (lambda x: x.prod(axis=0), lambda x, dy: dy * x[::-1], zero),
        )
    }
    for name, (f, x) in table.items():
        yield Finding(S, name, one(partial(run, f, x)), *judged.get(name, ()))


def jax_cases() -> Iterator[Finding]:
    import jax
    import jax.numpy as jnp
    from jax import lax, nn
    from jax.scipy import special as sp
    from scipy import special as scipy_special

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    S = "JAX"

    @cache
    def jitted(f):
        return jax.jit(f), jax.jit(lambda x, dy: jax.vjp(f, x)[1](dy)[0])

    def run(f, x):
        compiled, vjp = jitted(f)  # once for each function: compiling takes longer than the check
        return lambda x: np.asarray(compiled(x)), lambda x, dy: np.asarray(vjp(x, jnp.asarray(dy))), x

    single = {
        "gammaln": POSITIVE,
        "gamma": POSITIVE,
        "digamma": POSITIVE,
        "erf": SIGNED,
        "erfc": SIGNED,
        "erfinv": INSIDE,
        "ndtr": SIGNED,
        "ndtri": INSIDE,
        "log_ndtr": 3 * SIGNED,
        "i0": SIGNED,
        "i0e": SIGNED,
        "i1": SIGNED,
        "i1e": SIGNED,
        "entr": POSITIVE,
        "expit": SIGNED,
        "logit": INSIDE,
        "spence": np.array([0.3, 0.9, 2.6, 4.1]),
    }
    table = {f"special.{name}": (getattr(sp, name), x) for name, x in single.items()}
    table |= {
        "special.betaln": (lambda x: sp.betaln(x, 1.3 + x), POSITIVE),
        "special.betainc, x": (lambda x: sp.betainc(1.3, 0.8, x), INSIDE),
        "special.gammainc, x": (lambda x: sp.gammainc(1.3, x), POSITIVE),
        "special.gammainc, a": (lambda a: sp.gammainc(a, 1.3), POSITIVE),
        "special.polygamma": (lambda x: sp.polygamma(2, x), POSITIVE),
        "special.zeta, q": (lambda q: sp.zeta(2.5, q), POSITIVE),
        "special.hyp1f1, x": (lambda x: sp.hyp1f1(1.3, 2.1, x), SIGNED),
        "special.xlogy": (lambda x: sp.xlogy(x, x**2 + 1), SIGNED),
        "special.xlog1py": (lambda x: sp.xlog1py(x, x**2), SIGNED),
        "special.logsumexp": (
            lambda x: sp.logsumexp(x, axis=0, b=jnp.arange(1.0, 4)[:, None]),
            normal(3, 4),
        ),
        "nn.softplus": (nn.softplus, SIGNED),
        "nn.mish": (nn.mish, SIGNED),
        "nn.elu": (nn.elu, SIGNED),
        "nn.softmax": (lambda x: nn.softmax(x, axis=0), normal(3, 4)),
        "lax.igamma_grad_a": (lambda a: lax.igamma(a, a + 0.3), POSITIVE),
        "lax.cumprod": (lambda x: lax.cumprod(x, axis=0), normal(4, 2)),
        "lax.cummax": (lambda x: lax.cummax(x, axis=0), normal(4, 2)),
        "lax.cumlogsumexp": (lambda x: lax.cumlogsumexp(x, axis=0), normal(4, 2)),
        "lax.sort": (lambda x: lax.sort(x, dimension=0), normal(4, 2)),
        "lax.sinh": (lax.sinh, SIGNED),
        "lax.atan2": (lambda x: lax.atan2(x, x**2 - 1), SIGNED),
        "lax.cbrt": (lax.cbrt, SIGNED),
        "lax.lgamma": (lax.lgamma, SIGNED),
        "jnp.sinc": (jnp.sinc, np.array([-1.3, 0.0, 0.4, 2.2])),
        "jnp.prod, with a zero": (lambda x: jnp.prod(x, axis=0), np.array([[1.0, 0.0], [2.0, 3.0]])),
        "jnp.take, repeated": (lambda x: x[jnp.array([0, 2, 2])] ** 2, normal(3, 4)),
        "linalg.cholesky": (lambda A: jnp.linalg.cholesky((A + A.T) / 2), definite()),
        "linalg.eigh": (lambda A: jnp.linalg.eigh((A + A.T) / 2)[0], definite()),
        "linalg.eigh, vectors": (lambda A: jnp.linalg.eigh((A + A.T) / 2)[1] ** 2, definite()),
        "linalg.svd": (lambda A: jnp.linalg.svd(A, full_matrices=False)[1], normal(4, 3)),
        "linalg.det": (jnp.linalg.det, definite()),
        "linalg.slogdet": (lambda A: jnp.linalg.slogdet(A)[1], definite()),
        "linalg.inv": (jnp.linalg.inv, definite()),
    }
    # a second setting: points where a formula has a case of its own, or ends
    zeros, equal = np.array([2.0, 0.0, 3.0, 0.0]), np.diag([1.0, 1.0, 2.0])
    singular = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    rebuilt = lambda A: (lambda w, v: (v * w**2) @ v.T)(*jnp.linalg.eigh((A + A.T) / 2))
    origin = np.array([-1.3, 0.0, 0.7])
    close = np.append(np.geomspace(1e-16, 1e-13, 20), 0.4)  # at a third, rounding makes a slope for sinc
    awkward = {
        "special.i0": ("at 0", None, origin),
        "special.i0e": ("at 0", None, origin),
        "special.i1": ("at 0", None, origin),
        "special.i1e": ("at 0", None, origin),
        "special.erf": ("far out", None, np.array([-4.0, 0.0, 4.0])),
        "special.erfinv": ("at the ends", None, np.array([-0.999, 0.0, 0.999])),
        "special.ndtri": ("at the ends", None, np.array([0.001, 0.5, 0.999])),
        "special.log_ndtr": ("far out", None, np.array([-40.0, -20.0, -5.0, 5.0, 8.5])),
        "special.digamma": ("negative", None, np.array([-2.5, -0.4])),
        "special.gamma": ("negative", None, np.array([-2.5, -0.4])),
        "special.spence": ("from 1 to 2", None, np.array([1.0, 1.2, 1.5, 2.0])),
        "special.xlogy": ("at 0", lambda x: sp.xlogy(x, 1.7), origin),
        "special.xlog1py": ("at 0", lambda x: sp.xlog1py(x, 0.4), origin),
        "special.gammainc, a": ("large", lambda a: sp.gammainc(a, a + 0.3), 50 * POSITIVE),
        "special.betainc, x": ("at the ends", None, np.array([0.001, 0.999])),
        "special.zeta, q": ("exponent near 1", lambda q: sp.zeta(1.1, q), POSITIVE),
        "special.hyp1f1, x": ("at 0", None, origin),
        "special.logsumexp": ("ties", sp.logsumexp, np.ones(3)),
        "nn.softplus": ("far out", None, np.array([-40.0, 0.0, 40.0])),
        "nn.mish": ("far out", None, np.array([-30.0, 0.0, 30.0])),
        "nn.relu": ("at 0", nn.relu, origin),
        "nn.elu": ("at 0", None, origin),
        "lax.lgamma": ("whole numbers", None, np.array([1.0, 2.0, 9.0])),
        "lax.cumprod": ("zeros", None, zeros),
        "lax.cummax": ("ties", None, np.array([1.0, 1.0, 0.5, 2.0])),
        "lax.cumlogsumexp": ("ties", None, np.array([1.0, 1.0, -3.0])),
        "lax.sort": ("ties", None, np.array([1.0, 1.0, 0.0])),
        "jnp.sinc": ("near 0", None, close),
        "jnp.prod, with a zero": ("two zeros", jnp.prod, zeros),
        "jnp.ldexp": ("at 0", None, origin),
        "jnp.max": ("ties", None, np.array([1.0, 1.0, 0.0])),
        "jnp.power, base": ("at 0", None, np.array([0.0, 0.0, 0.0, 1.2])),
        "jnp.logaddexp": ("ties", lambda x: jnp.logaddexp(x, x[::-1]), np.ones(4)),
        "linalg.norm": ("at 0", None, np.zeros(3)),
        "linalg.norm, 3": ("at 0", None, np.array([1.0, 0.0, -2.0])),
        "linalg.det": ("singular", None, singular),
        "linalg.eigh": ("equal eigenvalues", lambda A: jnp.linalg.eigh((A + A.T) / 2)[0].sum(), equal),
        "linalg.eigh, rebuilt": ("equal eigenvalues", None, equal),
        "linalg.svd": ("equal values", lambda A: jnp.linalg.svd(A)[1].sum(), np.eye(3)),
        "special.logsumexp, b": ("a weight of 0", None, np.array([1.0, 0.0, 0.4, 0.7])),
    }
    table |= {
        "nn.relu": (nn.relu, SIGNED),
        "jnp.ldexp": (lambda x: jnp.ldexp(x, 3), SIGNED),
        "jnp.max": (jnp.max, SIGNED),
        "jnp.power, base": (lambda x: x ** jnp.arange(4), POSITIVE[:4]),
        "jnp.power, exponent": (lambda y: jnp.power(1.7, y), SIGNED),
        "jnp.logaddexp": (lambda x: jnp.logaddexp(x, x**2), SIGNED),
        "linalg.norm": (jnp.linalg.norm, SIGNED),
        "linalg.norm, 3": (lambda x: jnp.linalg.norm(x, 3), SIGNED),
        "linalg.eigh, rebuilt": (rebuilt, definite()),
        "special.logsumexp, b": (lambda b: sp.logsumexp(jnp.arange(4.0), b=b), POSITIVE[:4]),
    }
    value = lambda name: lambda x: np.asarray(table[name][0](x))
    slopes_of_sinc = lambda x: np.where(
        abs(x) < 1e-4, -(np.pi**2) * x / 3, (np.cos(np.pi * x) - np.sinc(x)) / np.where(x, x, 1)
    )
    with_weights = np.array([1.0, 0.0, 0.4, 0.7])
    weighted = np.exp(np.arange(4.0))
    spence_slope = lambda x: np.where(x == 1, -1, -np.log(x) / np.where(x == 1, 1, x - 1))
    branch = lambda name, note, known, cure: {
        name: ("wrong", "branch", note, known, cure, (awkward[name][0],))
    }
    judged = {
        **branch(
            "special.i0",
            "exp(|x|) times i0e(x): at 0, the slope of |x| is taken as 1, and that of i0e as 0",
            ISSUES + "jax-ml/jax/issues/40628",
            lambda: elementwise(value("special.i0"), scipy_special.i1, origin),
        ),
        **branch(
            "jnp.sinc",
            "a series at exactly 0, and a quotient that cancels beside it",
            ISSUES + "jax-ml/jax/issues/34139",
            lambda: elementwise(value("jnp.sinc"), slopes_of_sinc, close),
        ),
        **branch(
            "jnp.ldexp",
            "x is returned as it is at 0, with the slope 1 for 2 to the n",
            ISSUES + "jax-ml/jax/pull/38001",
            lambda: elementwise(value("jnp.ldexp"), lambda x: 8.0 + 0 * x, origin),
        ),
        **branch(
            "special.logsumexp, b",
            "a term whose weight is 0 is put aside, and its slope with it",
            ISSUES + "jax-ml/jax/issues/22398",
            lambda: (
                value("special.logsumexp, b"),
                lambda b, dy: dy * weighted / (b @ weighted),
                with_weights,
            ),
        ),
        **branch(
            "special.spence",
            "NaN from 1 to 2, out of a branch that is not taken, and 0 at 1",
            "",
            lambda: elementwise(value("special.spence"), spence_slope, np.array([1.0, 1.2, 1.5, 2.0])),
        ),
        "linalg.norm": (
            "by design",
            "",
            "NaN at 0, where the norm has a kink; its authors call that intended",
            ISSUES + "jax-ml/jax/issues/21723",
            None,
            ("at 0",),
        ),
        "linalg.eigh, rebuilt": (
            "by design",
            "",
            "NaN for equal eigenvalues, where eigenvectors have no derivative, though the sum has one",
            ISSUES + "jax-ml/jax/issues/669",
            None,
            ("equal eigenvalues",),
        ),
    }
    for name, (f, x) in table.items():
        settings = one(partial(run, f, x))
        if name in awkward:
            setting, special_f, special_x = awkward[name]
            settings[setting] = partial(run, special_f or f, special_x)
        yield Finding(S, name, settings, *judged.get(name, ()))

    def pathwise():  # the sample as a function of the shape, with the probability below it held fixed
        from scipy.special import gammaincinv

        u = np.array([0.2, 0.4, 0.6, 0.8, 0.95])
        sample = lambda a: gammaincinv(a, u)
        return elementwise(sample, lambda a: np.asarray(lax.random_gamma_grad(a, sample(a))), POSITIVE)

    yield Finding(S, "lax.random_gamma_grad", one(pathwise))


def torch_cases() -> Iterator[Finding]:
    import torch
    from torch import linalg, special
    from torch.nn import functional as F  # noqa: N812

    torch.set_num_threads(1)
    S = "PyTorch"

    def run(f, x):
        def vjp(x, dy):
            leaf = torch.tensor(x, requires_grad=True)
            return torch.autograd.grad(f(leaf), leaf, torch.as_tensor(np.asarray(dy)))[0].numpy()

        return lambda x: f(torch.tensor(x)).detach().numpy(), vjp, x

    single = {
        "gammaln": POSITIVE,
        "digamma": POSITIVE,
        "erf": SIGNED,
        "erfc": SIGNED,
        "erfcx": SIGNED,
        "erfinv": INSIDE,
        "ndtr": SIGNED,
        "ndtri": INSIDE,
        "log_ndtr": 3 * SIGNED,
        "i0": SIGNED,
        "i0e": SIGNED,
        "i1": SIGNED,
        "i1e": SIGNED,
        "entr": POSITIVE,
        "expit": SIGNED,
        "logit": INSIDE,
        "exp2": SIGNED,
        "expm1": SIGNED,
    }
    table = {f"special.{name}": (getattr(special, name), x) for name, x in single.items()}
    at = lambda x: torch.as_tensor(x)
    image, weight = normal(1, 2, 5, 5), normal(3, 2, 3, 3)
    ids = torch.tensor([[0, 3, 3], [2, 1, 1]])
    grid = np.random.default_rng(3).uniform(-0.9, 0.9, (1, 3, 3, 2))
    table |= {
        "special.sinc": (special.sinc, np.array([-1.3, 0.0, 0.4, 2.2])),
        "special.polygamma": (lambda x: special.polygamma(2, x), POSITIVE),
        "special.multigammaln": (lambda x: special.multigammaln(2 + x, 3), POSITIVE),
        "special.zeta, q": (lambda q: special.zeta(at(2.5), q), POSITIVE),
        "special.gammainc, x": (lambda x: special.gammainc(at(np.full(5, 1.3)), x), POSITIVE),
        "special.gammaincc, x": (lambda x: special.gammaincc(at(np.full(5, 1.3)), x), POSITIVE),
        "special.xlogy": (lambda x: special.xlogy(x, x**2 + 1), SIGNED),
        "special.xlog1py": (lambda x: special.xlog1py(x, x**2), SIGNED),
        "special.logsumexp": (lambda x: special.logsumexp(x, 0), normal(3, 4)),
        "gelu": (F.gelu, SIGNED),
        "gelu, tanh": (lambda x: F.gelu(x, approximate="tanh"), SIGNED),
        "mish": (F.mish, SIGNED),
        "silu": (F.silu, SIGNED),
        "softplus": (lambda x: F.softplus(x, beta=1.7), SIGNED),
        "selu": (F.selu, SIGNED),
        "elu": (lambda x: F.elu(x, 0.7), SIGNED),
        "hardswish": (F.hardswish, SIGNED),
        "logsigmoid": (F.logsigmoid, SIGNED),
        "softsign": (F.softsign, SIGNED),
        "tanhshrink": (F.tanhshrink, SIGNED),
        "prelu": (lambda a: F.prelu(at(SIGNED), a), np.array([0.3])),
        "glu": (lambda x: F.glu(x, 0), normal(4, 3)),
        "softmax, first axis": (lambda x: F.softmax(x, 0), normal(3, 4)),
        "log_softmax, first axis": (lambda x: F.log_softmax(x, 0), normal(3, 4)),
        "layer_norm": (lambda x: F.layer_norm(x, (4,)), normal(3, 4)),
        "group_norm": (lambda x: F.group_norm(x, 2), normal(2, 4, 3)),
        "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True), normal(5, 3)),
        "instance_norm": (F.instance_norm, normal(2, 3, 4)),
        "conv2d, stride 2": (lambda w: F.conv2d(at(image), w, stride=2, padding=1), weight),
        "conv2d, input": (lambda x: F.conv2d(x, at(weight), stride=2, padding=1), image),
        "conv_transpose2d": (
            lambda x: F.conv_transpose2d(x, at(normal(2, 3, 3, 3)), stride=2, padding=1),
            normal(1, 2, 3, 3),
        ),
        "max_pool2d, overlapping": (lambda x: F.max_pool2d(x, 3, stride=1), image),
        "max_pool2d, padded": (lambda x: F.max_pool2d(x, 2, stride=2, padding=1), image),
        "avg_pool2d, padded": (
            lambda x: F.avg_pool2d(x, 2, stride=2, padding=1, count_include_pad=False),
            image,
        ),
        "interpolate, nearest": (lambda x: F.interpolate(x, scale_factor=2), image),
        "interpolate, bicubic": (lambda x: F.interpolate(x, size=(8, 7), mode="bicubic"), image),
        "grid_sample, input": (lambda x: F.grid_sample(x, at(grid), align_corners=False), image),
        "grid_sample, grid": (lambda g: F.grid_sample(at(image), g, align_corners=False), grid),
        "embedding_bag, sum": (lambda W: F.embedding_bag(ids, W, mode="sum"), normal(5, 3)),
        "embedding_bag, mean": (lambda W: F.embedding_bag(ids, W, mode="mean"), normal(5, 3)),
        "embedding": (lambda W: F.embedding(ids, W), normal(5, 3)),
        "cross_entropy, weights": (
            lambda z: F.cross_entropy(
                z, torch.tensor([0, 3, 1]), weight=torch.arange(1.0, 5, dtype=torch.float64)
            ),
            normal(3, 4),
        ),
        "cross_entropy, soft": (
            lambda z: F.cross_entropy(
                z, torch.softmax(at(normal(3, 4, seed=8)), 1), label_smoothing=0.1
            ),
            normal(3, 4),
        ),
        "kl_div": (
            lambda z: F.kl_div(
                F.log_softmax(z, 1), torch.softmax(at(normal(3, 4, seed=8)), 1), reduction="batchmean"
            ),
            normal(3, 4),
        ),
        "huber_loss": (lambda x: F.huber_loss(x, at(normal(5, seed=8)), delta=0.8), normal(5)),
        "smooth_l1_loss": (lambda x: F.smooth_l1_loss(x, at(normal(5, seed=8)), beta=0.8), normal(5)),
        "gaussian_nll_loss": (
            lambda v: F.gaussian_nll_loss(at(normal(5)), at(normal(5, seed=8)), v**2 + 0.1),
            normal(5, seed=9),
        ),
        "poisson_nll_loss, full": (
            lambda x: F.poisson_nll_loss(x, at(np.array([0.0, 1, 3, 5, 2])), full=True),
            normal(5),
        ),
        "cosine_embedding_loss": (
            lambda x: F.cosine_embedding_loss(x, at(normal(3, 4, seed=8)), torch.tensor([1.0, -1, 1])),
            normal(3, 4),
        ),
        "triplet_margin_loss": (
            lambda x: F.triplet_margin_loss(
                x, at(normal(3, 4, seed=8)), at(normal(3, 4, seed=9)), margin=3.0
            ),
            normal(3, 4),
        ),
        "multi_margin_loss": (lambda z: F.multi_margin_loss(z, torch.tensor([0, 3, 1])), normal(3, 4)),
        "ctc_loss": (
            lambda z: F.ctc_loss(
                F.log_softmax(z, 2), torch.tensor([[1, 2, 2]]), torch.tensor([6]), torch.tensor([3])
            ),
            normal(6, 1, 4),
        ),
        "binary_cross_entropy_with_logits": (
            lambda z: F.binary_cross_entropy_with_logits(z, at(INSIDE), pos_weight=at(POSITIVE)),
            SIGNED,
        ),
        "cdist": (lambda x: torch.cdist(x, at(normal(4, 3, seed=8))), normal(5, 3)),
        "cdist, p = 3": (lambda x: torch.cdist(x, at(normal(4, 3, seed=8)), p=3), normal(5, 3)),
        "pdist": (lambda x: F.pdist(x, 3), normal(4, 3)),
        "cosine_similarity": (lambda x: F.cosine_similarity(x, at(normal(3, 4, seed=8))), normal(3, 4)),
        "prod, with a zero": (lambda x: torch.prod(x, 0), np.array([[1.0, 0.0], [2.0, 3.0]])),
        "cumprod, with a zero": (
            lambda x: torch.cumprod(x, 0),
            np.array([[1.0, 0.0], [2.0, 3.0], [0.5, 2.0]]),
        ),
        "logcumsumexp": (lambda x: torch.logcumsumexp(x, 0), normal(4, 2)),
        "cummax": (lambda x: torch.cummax(x, 0)[0], normal(4, 2)),
        "std": (lambda x: x.std(0), normal(3, 4)),
        "renorm": (lambda x: torch.renorm(x, 2, 0, 1.5), normal(3, 4)),
        "index_select, repeated": (lambda x: x[torch.tensor([0, 2, 2])] ** 2, normal(3, 4)),
        "scatter_reduce, prod": (
            lambda x: torch.ones(3, 4, dtype=torch.float64).scatter_reduce(
                0, torch.tensor([[0, 1, 2, 0], [0, 1, 1, 2]]), x, "prod"
            ),
            normal(2, 4),
        ),
        "scaled_dot_product_attention": (
            lambda q: F.scaled_dot_product_attention(q, q * 0.5, q**2),
            normal(1, 4, 3),
        ),
        "linalg.cholesky": (
            lambda A: linalg.cholesky(A @ A.T + torch.eye(3, dtype=torch.float64)),
            normal(3, 3),
        ),
        "linalg.eigh": (lambda A: linalg.eigh((A + A.T) / 2)[0], definite()),
        "linalg.eigh, vectors": (lambda A: linalg.eigh((A + A.T) / 2)[1] ** 2, definite()),
        "linalg.svdvals": (linalg.svdvals, normal(4, 3)),
        "linalg.svd, vectors": (lambda A: linalg.svd(A, full_matrices=False)[0] ** 2, normal(4, 3)),
        "linalg.qr": (lambda A: linalg.qr(A)[1].abs(), normal(4, 3)),
        "linalg.det": (linalg.det, definite()),
        "linalg.det, singular": (
            linalg.det,
            np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]),
        ),
        "linalg.slogdet": (lambda A: linalg.slogdet(A)[1], definite()),
        "linalg.inv": (linalg.inv, definite()),
        "linalg.pinv": (linalg.pinv, normal(4, 3)),
        "linalg.solve": (lambda A: linalg.solve(A, A[:, :2] ** 2), definite()),
        "linalg.lstsq": (lambda A: linalg.lstsq(A, A[:, :1] ** 2 + 1)[0], normal(4, 3)),
        "linalg.matrix_exp": (linalg.matrix_exp, definite()),
        "linalg.matrix_norm, nuclear": (lambda A: linalg.matrix_norm(A, "nuc"), normal(3, 4)),
        "linalg.lu": (lambda A: linalg.lu(A)[2], definite()),
        "fft.rfft": (lambda x: torch.fft.rfft(x).abs() ** 2, normal(6)),
    }
    singular = table["linalg.det, singular"][1]
    cofactors = lambda A: np.array([np.cross(A[1], A[2]), np.cross(A[2], A[0]), np.cross(A[0], A[1])])
    judged = {
        "linalg.det, singular": (
            "wrong",
            "division",
            "where the determinant is exactly 0, so is its slope; the cofactors are right",
            ISSUES + "pytorch/pytorch/issues/104675",
            lambda: (np.linalg.det, lambda A, dy: dy * cofactors(A), singular),
        ),
    }
    for name, (f, x) in table.items():
        yield Finding(S, name, one(partial(run, f, x)), *judged.get(name, ()))

    def without_rounding():
        return elementwise(
            lambda x: F.celu(torch.tensor(x), 0.7).numpy(),
            lambda x: np.where(x > 0, 1.0, np.exp(x / 0.7)),
            SIGNED,
        )

    yield Finding(
        S,
        "celu",
        {f"alpha = {a}": partial(run, partial(F.celu, alpha=a), SIGNED) for a in (1.0, 0.7)},
        "wrong",
        "slip",
        "alpha is rounded to float32 in the backward pass of float64",
        cure=without_rounding,
        failing=("alpha = 0.7",),
    )

    def gamma():
        from scipy.special import gammaincinv

        u = np.array([0.2, 0.4, 0.6, 0.8, 0.95])
        sample = lambda a: gammaincinv(a, u)
        return elementwise(
            sample, lambda a: torch._standard_gamma_grad(at(a), at(sample(a))).numpy(), POSITIVE
        )

    yield Finding(
        S,
        "_standard_gamma_grad",
        one(gamma),
        "by design",
        "",
        "series with an error of up to 5e-4, by its authors",
        ISSUES + "pytorch/pytorch/pull/4369",
    )


def standard_errors(p, seed):
    """Of a fitted negative binomial model: those that are printed, over right ones from differences."""
    from statsmodels.discrete.discrete_model import NegativeBinomialP
    from statsmodels.tools.numdiff import approx_fprime

    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(500), rng.standard_normal(500)])
    mu = np.exp(X @ [0.8, 0.6])
    size = mu ** (2 - p) / 0.5
    model = NegativeBinomialP(rng.negative_binomial(size, size / (size + mu)), X, p=p)
    fitted = model.fit(disp=0, maxiter=500, method="bfgs")
    variances = np.diag(np.linalg.inv(-approx_fprime(fitted.params, model.score, centered=True)))
    if not (variances > 0).all():  # nothing to compare with
        raise ArithmeticError(f"p = {p}, seed {seed}: the variances from differences are {variances}")
    return fitted.bse / np.sqrt(variances)


def truncated_fit(seed):
    """What `fit` reaches by default: below the maximum by so much, its alpha, the best, converged."""
    from scipy.optimize import minimize
    from statsmodels.discrete.truncated_model import TruncatedLFGeneralizedPoisson

    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(300), rng.standard_normal(300)])
    counts = rng.poisson(np.exp(X @ [1.0, 0.4]) * rng.gamma(2, 0.5, 300))
    model = TruncatedLFGeneralizedPoisson(counts[counts > 0], X[counts > 0])
    fitted = model.fit(disp=0, maxiter=500)

    def lost(b):
        value = model.loglike(b)
        return -value if np.isfinite(value) else 1e10

    options = {"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-8}
    best = minimize(lost, fitted.params, method="Nelder-Mead", options=options)
    below = lost(fitted.params) - best.fun
    return below, fitted.params[-1], best.x[-1], bool(fitted.mle_retvals["converged"])


def statsmodels_consequences():
    """What two wrong derivatives of statsmodels do to what is fitted with them."""
    found = {}
    for p in (0, 1, 1.5, 2, 3):
        ratios = [quietly(lambda seed=seed: standard_errors(p, seed)) for seed in range(20)]
        finite = [r for r in ratios if np.isfinite(r).all()]
        found[f"standard errors, p = {p}"] = {
            "fits": len(ratios),
            "NaN": len(ratios) - len(finite),
            "ratios": [round(float(f(finite)), 2) for f in (np.min, np.max)] if finite else [],
        }
    fits = [quietly(lambda seed=seed: truncated_fit(seed)) for seed in range(10)]
    below, alpha, best, converged = zip(*fits, strict=True)
    found["truncated fit"] = {
        "fits": len(fits),
        "converged": sum(converged),
        "below": [round(float(f(below)), 1) for f in (min, max)],
        "alpha": [round(float(a), 3) for a in alpha],
        "best alpha": [round(float(a), 3) for a in best],
    }
    return found


CASES = {
    "scipy": scipy_cases,
    "sklearn": sklearn_cases,
    "statsmodels": statsmodels_cases,
    "autograd": autograd_cases,
    "jax": jax_cases,
    "torch": torch_cases,
}


if __name__ == "__main__":
    for library in sys.argv[1:] or CASES:
        findings = list(CASES[library]())
        for finding in findings:
            try:
                measure(finding)
            except Exception as error:
                print("BROKEN", finding.source, finding.function, type(error).__name__, str(error)[:200])
        version = importlib.metadata.version(PROJECTS.get(library, library))
        consequences = statsmodels_consequences() if library == "statsmodels" else None
        write([f for f in findings if f.measured], {NAMES[library]: version}, consequences)
        print(library, len(findings))
