"""Ours beside PyTorch, Optax, Keras, scikit-learn and Autograd: recorded, and live where installed."""

import importlib.util
import inspect
import json
import operator
import re

import numpy as np
import pytest
from support import GOLDEN

import optimlib
from optimlib import Adam, optimizers
from optimlib.optimizers import RMSPropCentered
from optimlib.optimizers.conventions import CONVENTIONS, LEFT_OUT, OPTIONS, REQUIRED
from optimlib.optimizers.like import DECAY_WORDS, RATE_WORDS, settings
from optimlib.optimizers.weight_decay import L2, ROUNDINGS, Decoupled, WeightDecay

DTYPES = ("float64", "float32")


def load_recorder():
    """tests/golden/record_optimizers.py, which knows the cases and how the libraries are run."""
    spec = importlib.util.spec_from_file_location("record_optimizers", GOLDEN / "record_optimizers.py")
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    return recorder


recorder = load_recorder()
describe = recorder.describe


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "optimizers.npz") as file:
        return {name: file[name] for name in file.files}


def ours(case, dtype) -> np.ndarray:
    """The parameters that this package has after the recorded steps."""
    params, gradients = recorder.problem(dtype, case.arrays)
    library, name = case.row
    hyperparameters = dict(case.our_hyperparameters)
    if case.scheduled:
        defaults = CONVENTIONS[library][name].defaults
        rate = hyperparameters.get("learning_rate", defaults["learning_rate"])
        hyperparameters["learning_rate"] = lambda finished: recorder.decayed(rate, finished)
    optimizer = getattr(optimizers, name).like(library, params, **hyperparameters)
    rows = []
    for grads in gradients:
        optimizer.step(grads)
        rows.append(np.concatenate([params[name].ravel() for name in case.arrays]))
    return np.array(rows)[recorder.KEPT]


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every number, relative where the parameters are larger than 1."""
    return np.abs(a - b.astype(float)) / np.maximum(1, np.abs(b))


def assert_the_same(case, dtype: str, theirs: np.ndarray) -> None:
    """Ours has every number that the library has, to the digits that its dtype gives."""
    tolerance = {"float64": 1e-12, "float32": 2e-6}[dtype]
    np.testing.assert_allclose(
        ours(case, dtype), theirs, rtol=tolerance, atol=tolerance, err_msg=f"{describe(case)} {dtype}"
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", recorder.CASES, ids=describe)
def test_recorded_traces_are_reproduced(case, dtype, recorded):
    theirs = recorded[f"{describe(case)} {dtype}"]
    assert theirs.dtype == dtype
    assert_the_same(case, dtype, theirs)


@pytest.mark.parametrize("library", recorder.PACKAGES)
def test_live_libraries_agree(library, monkeypatch):
    """Where a library is installed, its present version is run instead of being remembered."""
    if library in ("optax", "keras"):
        pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip(library)
    for case in recorder.CASES:
        if case.library == library:
            for dtype in DTYPES:
                assert_the_same(case, dtype, recorder.run(case, dtype))


def test_a_constant_gradient_under_centered_rmsprop_is_nan_in_pytorch_and_not_here():
    """The one place where this package means to differ: a variance that rounding made negative."""
    torch = pytest.importorskip("torch")
    g = np.random.default_rng(0).standard_normal(50)
    theirs, params = torch.zeros(50, dtype=torch.float64), np.zeros(50)
    optimizer = torch.optim.RMSprop([theirs], centered=True)
    running = RMSPropCentered.like("torch", params)
    for _ in range(5000):
        theirs.grad = torch.tensor(g)
        optimizer.step()
        running.step(g)
    lost = np.isnan(theirs.numpy())
    assert lost.any()
    assert np.isfinite(params).all()


# The recorded file


def test_every_case_is_recorded_and_nothing_else(recorded):
    names = {f"{describe(case)} {dtype}" for case in recorder.CASES for dtype in DTYPES}
    assert set(recorded) == names | {"versions"}
    assert set(json.loads(str(recorded["versions"]))) == {*recorder.PACKAGES.values(), "jax"}


def test_the_recorded_file_stays_small():
    assert (GOLDEN / "optimizers.npz").stat().st_size < 1e6


def test_the_cases_move_and_differ(recorded):
    """A trace in which nothing happened, or one of another convention, would prove little."""
    traces = [recorded[f"{describe(case)} float64"] for case in recorder.CASES]
    for case, trace in zip(recorder.CASES, traces, strict=True):
        assert np.isfinite(trace).all()
        assert np.abs(np.diff(trace, axis=0)).max() > 1e-6, describe(case)


def test_every_row_of_a_library_has_a_case():
    covered = {case.row for case in recorder.CASES if not case.convention}
    rows = {(library, name) for library in recorder.PACKAGES for name in CONVENTIONS[library]}
    assert covered == rows


ROWS = [(library, name) for library in recorder.PACKAGES for name in CONVENTIONS[library]]
FAMILIES = [
    ("SGD", "SGDRateInside", "SGDRunningMean", "Nesterov", "NesterovRateInside"),
    ("AdaGrad", "AdaGradEpsInside"),
    ("RMSProp", "RMSPropRateInside", "RMSPropTF"),
    ("RMSPropCentered", "RMSPropCenteredRateInside", "RMSPropCenteredTF"),
    ("Adam", "AdamEpsHat", "Nadam", "NadamConstant", "AMSGrad", "AMSGradRaw", "AMSGradCorrected"),
    ("AMSGrad", "AMSGradRaw", "AMSGradCorrected", "AMSGradEpsHat"),
    ("AdamEpsRoot", "Adam", "AdamEpsHat"),
    ("AdamW", "AdamEpsHat"),
    ("Nadam", "NadamConstant"),
    ("Adamax", "AdamaxEpsInside"),
    ("RAdam", "RAdamEpsHat"),
]
"""Classes that differ in a convention, or that might be taken for one another."""


def relatives(optimizer: type) -> list[type]:
    """The other classes of its families."""
    names = {n for family in FAMILIES if optimizer.__name__ in family for n in family}
    return [getattr(optimizers, name) for name in sorted(names - {optimizer.__name__})]


def misses(library, name, row, recorded) -> bool:
    """Whether some recorded trace of a row is missed if `row` takes its place; None if it cannot."""
    cases = [case for case in recorder.CASES if case.row == (library, name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONVENTIONS[library], name, row)
        return any(
            difference(ours(case, "float64"), recorded[f"{describe(case)} float64"]).max() > 1e-9
            for case in cases
        )


@pytest.mark.parametrize(("library", "name"), ROWS)
def test_no_other_class_of_the_family_would_do(library, name, recorded):
    row = CONVENTIONS[library][name]
    words = {*row.fixed, *row.defaults} - {*DECAY_WORDS, *RATE_WORDS, "learning_rate"}
    for other in relatives(row.optimizer):
        if not words <= set(other(np.zeros(1), 0.1).settings()):
            continue  # it has no such hyperparameter
        if row.fixed.get("momentum") == 0 and other.__name__.endswith("RateInside"):
            continue  # without a velocity there is nothing to be inside of
        assert misses(library, name, row._replace(optimizer=other), recorded), other.__name__


OPPOSITES = {
    "threshold": lambda value: 4.0,
    "base_rate": lambda value: 0.5,
    "momentum_decay": lambda value: 0.5,
    "momentum": lambda value: 0.5,
    "eps_scale": lambda value: 10.0,
    "initial_accumulator": lambda value: value + 0.5,
    "decoupled": lambda value: not value,
}


@pytest.mark.parametrize(("library", "name"), ROWS)
def test_every_fixed_hyperparameter_of_a_row_matters(library, name, recorded):
    row = CONVENTIONS[library][name]
    for key in row.fixed:
        if key != "rounding":  # below
            other = row._replace(fixed=row.fixed | {key: OPPOSITES[key](row.fixed[key])})
            assert misses(library, name, other, recorded), key


def decays(case) -> bool:
    chosen = settings(*swapped(case), case.our_hyperparameters)
    return bool(chosen.get("weight_decay")) and chosen.get("decoupled", False)


def swapped(case):
    library, name = case.row
    return library, getattr(optimizers, name)


DECAYING = sorted({case.row for case in recorder.CASES if decays(case)})
"""The rows of the table with a recorded trace in which decoupled decay is at work."""


@pytest.mark.parametrize(("library", "name"), DECAYING)
def test_decay_is_rounded_where_the_library_does(monkeypatch, recorded, library, name):
    """Of the three ways the one in the table is the nearest in float32."""
    row = CONVENTIONS[library][name]
    cases = [c for c in recorder.CASES if c.row == (library, name) and decays(c)]
    distances = {}
    for rounding in ROUNDINGS:
        other = row._replace(fixed=row.fixed | {"rounding": rounding})
        monkeypatch.setitem(CONVENTIONS[library], name, other)
        distances[rounding] = max(
            np.max(difference(ours(case, "float32"), recorded[f"{describe(case)} float32"]))
            for case in cases
        )
    assert min(distances, key=distances.get) == row.fixed.get("rounding", "joint"), distances


def test_decay_is_looked_at_in_three_libraries():
    assert len(DECAYING) >= 19
    assert {library for library, _ in DECAYING} == {"torch", "keras", "optax"}


# The papers: steps worked by hand, with beta1 = 1/2, beta2 = 3/4 or rho = 3/4 as beside each module

HALF = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75}
PAPERS = {
    # rates 1, 1/2, 1/4: v = 4, 2 + 1, 3/2 - 2, and Nesterov's steps 4 + 2, 1 + 3/2, -2 - 1/4
    "SGD": ({"learning_rate": lambda done: 0.5**done, "momentum": 0.5}, [4, 2, -8], [4, 3, -1 / 2]),
    "Nesterov": (
        {"learning_rate": lambda done: 0.5**done, "momentum": 0.5},
        [4, 2, -8],
        [6, 5 / 2, -9 / 4],
    ),
    # G = 9, 25, 25, 169, and 2 is added to the roots
    "AdaGrad": ({"learning_rate": 1.0, "eps": 2.0}, [3, 4, 0, -12], [3 / 5, 4 / 7, 0, -12 / 15]),
    # v = 4, 4
    "RMSProp": ({"learning_rate": 1.0, "rho": 0.75}, [4, 2], [2, 1]),
    # d = 0, 9/25; v = 9/16, 63/64
    "Adadelta": (
        {"rho": 0.75, "eps": 1.0},
        [1.5, 1.5],
        [6 / 5, 3 / 2 * (34 / 25 * 64 / 127) ** 0.5],
    ),
    # m_hat = 2, 2/3, -2/7; v_hat = 4, 12/7, 52/37
    "Adam": (
        HALF | {"eps": 0.25},
        [2, 0, -1],
        [8 / 9, 2 / 3 / ((12 / 7) ** 0.5 + 0.25), -2 / 7 / ((52 / 37) ** 0.5 + 0.25)],
    ),
    # m = 2, 1; V = 4, 4
    "AMSGrad": (HALF, [4, 0], [1, 1 / 2]),
    "AMSGrad, with an epsilon": (HALF | {"eps": 2.0}, [4, 0], [1 / 2, 1 / 4]),
    # from 2 at half of alpha: 1/2 * 2 / (2 + 1/4) of Adam and (1/2 / 1) * 1/4 * 2 of the decay
    "AdamW": (
        HALF | {"learning_rate": 0.5, "base_rate": 1.0, "weight_decay": 0.25, "eps": 0.25},
        [2],
        [4 / 9 + 1 / 4],
    ),
    # u = 4, 3, 9/4
    "Adamax": (HALF, [4, 0, 2], [1, 4 / 9, 16 / 21]),
    # rho = 14821/3367 > 4 in step 6: r root(v_hat) = 3 for m_hat = 3
    "RAdam": (HALF, [3] * 6, [3] * 5 + [(1353 * 8087 * 7 / (15 * 14821 * 3367)) ** 0.5]),
    # s = 1 + 3, 3 + 3, over 1/4 and 7/16
    "AdaBelief": (HALF | {"eps": 1.0, "eps_root": 3.0}, [4, 2], [4 / 5, 8 / 3 / ((96 / 7) ** 0.5 + 1)]),
    # c = 2, -1/2; from 2 the decay is 1/4 of it, and then of 2 - 1 - 1/2
    "Lion": (HALF | {"weight_decay": 0.25}, [4, -2], [1 + 1 / 2, -1 + 1 / 8]),
}


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_by_hand(name):
    hyperparameters, gradients, expected = PAPERS[name]
    theta = np.array([2.0])
    optimizer = getattr(optimizers, name.partition(",")[0]).like("paper", theta, **hyperparameters)
    for g, step in zip(gradients, expected, strict=True):
        before = theta.copy()
        optimizer.step(np.array([float(g)]))
        np.testing.assert_allclose(before - theta, step, rtol=1e-14)


def test_every_row_of_the_papers_was_worked_out():
    assert {name.partition(",")[0] for name in PAPERS} == set(CONVENTIONS["paper"])


# What is left out


def test_nothing_is_both_in_the_table_and_left_out():
    for library, reasons in LEFT_OUT.items():
        for what in reasons:
            name, _, keyword = what.partition(".")
            row = CONVENTIONS[library].get(name)
            assert (row is not None) == bool(keyword), what
            if row:
                assert keyword not in row.fixed | row.defaults, what


OPTAX = {"Adafactor": "adafactor", "Muon": "contrib.muon"} | {
    "ScheduleFreeSGD": "contrib.schedule_free_sgd",
    "ScheduleFreeAdamW": "contrib.schedule_free_adamw",
}
"""Rows whose functions in Optax have another name than ours in small letters."""
VARIANTS = {"Nesterov", "AdamEpsRoot", "RMSPropCentered", "RMSPropRateInside"} | {
    "RMSPropCenteredRateInside"
}
"""Rows whose functions in Optax are those of other rows."""


def test_what_is_left_out_is_what_optax_has_and_we_have_not():
    """Every keyword of its optimizers is in the table, answered with a class, or left out."""
    pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    pytest.importorskip("optax.contrib")
    names = {
        "b1": "beta1",
        "b2": "beta2",
        "decay": "rho",
        "decay_rate": "decay",
        "clipping_threshold": "clip_rms",
        "trust_coefficient": "trust",
        "eps_in_sqrt": "eps_inside",
        "initial_accumulator_value": "initial_accumulator",
        "initial_scale": "initial_accumulator",
        "weight_decay_mask": "mask",
    }
    left_out, answered = set(), set()
    for ours_name, (_, fixed, defaults) in CONVENTIONS["optax"].items():
        if ours_name in VARIANTS:
            continue
        theirs = operator.attrgetter(OPTAX.get(ours_name, ours_name.lower()))(optax)
        more = {"beta": "momentum"} if ours_name == "Muon" else {}
        unknown = {(names | more).get(key, key) for key in inspect.signature(theirs).parameters}
        unknown -= {*fixed, *defaults}
        left_out |= {f"{ours_name}.{key}" for key in unknown}
        hints = getattr(optimizers, ours_name).hints_for_keywords
        answered |= {f"{ours_name}.{key}" for key in hints}
    assert left_out - answered <= {what for what in LEFT_OUT["optax"] if "." in what} <= left_out


def classes_of(module) -> set[str]:
    """The names of the classes that a module offers."""
    return {name for name in dir(module) if inspect.isclass(getattr(module, name))}


def whole(library: str) -> set[str]:
    """The whole optimizers of `LEFT_OUT`, and the rows, in small letters."""
    left_out = {what.lower() for what in LEFT_OUT[library] if "." not in what}
    return left_out | {name.lower() for name in CONVENTIONS[library]}


def test_no_optimizer_of_pytorch_is_forgotten():
    torch = pytest.importorskip("torch")
    theirs = {name.lower() for name in classes_of(torch.optim) - {"Optimizer"}}
    assert theirs - whole("torch") == set()


def test_no_optimizer_of_keras_is_forgotten(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    theirs = {name.lower() for name in classes_of(keras.optimizers) - {"Optimizer", "OptimizerMap"}}
    assert theirs - whole("keras") == set()


def test_no_optimizer_of_optax_is_forgotten():
    pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    contrib = pytest.importorskip("optax.contrib")
    theirs = {
        name
        for module in (optax, contrib)
        for name, function in vars(module).items()
        if inspect.isfunction(function) and "learning_rate" in inspect.signature(function).parameters
    }
    of_rows = {"adamaxw", "nadamw", "schedule_free_adamw", "schedule_free_sgd"}  # Adamax, Nadam, ...
    parts = {name for name in theirs if name.startswith(("scale_by", "_"))}
    assert theirs - parts - of_rows - whole("optax") == set()
    left_out = {what for what in LEFT_OUT["optax"] if "." not in what}
    assert left_out - {*dir(optax), *dir(contrib)} == set()


@pytest.mark.parametrize(
    ("ours", "theirs", "hyperparameters"),
    [
        ("LAMB", "Lamb", {"eps": 1e-7}),
        ("ScheduleFreeAdamW", "ScheduleFreeAdamW", {}),
    ],
)
def test_what_keras_has_of_another_name_is_what_the_reason_says(
    ours, theirs, hyperparameters, monkeypatch
):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    jax = pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    gradients = np.random.default_rng(0).standard_normal((20, 4, 3))
    with jax.enable_x64(True):
        variable = keras.Variable(np.ones((4, 3)), dtype="float64")
        optimizer = getattr(keras.optimizers, theirs)(learning_rate=1e-2)
        for g in gradients:
            optimizer.apply([jax.numpy.asarray(g)], [variable])
        expected = np.asarray(variable.value)
    params = np.ones((4, 3))
    like_optax = getattr(optimizers, ours).like("optax", params, learning_rate=1e-2, **hyperparameters)
    for g in gradients:
        like_optax.step(g)
    assert str(expected.dtype) == "float64"
    np.testing.assert_allclose(params, expected, rtol=1e-7)  # Keras holds the rate in float32


@pytest.mark.parametrize("name", ["LAMB", "Muon", "Adafactor", "ScheduleFreeAdamW"])
def test_like_says_that_keras_has_what_is_left_out(name):
    with pytest.raises(ValueError, match=f"keras's {name} is not reproduced: "):
        getattr(optimizers, name).like("keras", np.ones((2, 2)))


# CS231n: from the checks in the second assignment's notebook, the first and the last element


def test_cs231n():
    ends = [0, -1]
    w, dw = np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20)

    sgd = optimlib.SGD.like("cs231n", w, learning_rate=1e-3, momentum=0.9)
    step, (b,) = sgd.rule(dw, -np.linspace(0.6, 0.9, 20))  # its velocity points the other way
    np.testing.assert_allclose((w - step)[ends], [0.1406, 1.4096], rtol=1e-12)
    np.testing.assert_allclose(-b[ends], [0.5406, 0.8096], rtol=1e-12)

    rmsprop = optimlib.RMSProp.like("cs231n", w)
    step, (v, _) = rmsprop.rule(dw, np.linspace(0.6, 0.9, 20), np.zeros(20))
    np.testing.assert_allclose((w - step)[ends], [-0.39223849, 0.59576619], rtol=1e-7)
    np.testing.assert_allclose(v[ends], [0.5976, 0.8926], rtol=1e-7)

    adam = optimlib.Adam.like("cs231n", w, learning_rate=1e-2)
    adam.t = 6
    step, (m, v) = adam.rule(dw, np.linspace(0.6, 0.9, 20), np.linspace(0.7, 0.5, 20))
    np.testing.assert_allclose((w - step)[ends], [-0.40094747, 0.59801459], rtol=1e-7)
    np.testing.assert_allclose(m[ends], [0.48, 0.85], rtol=1e-12)
    np.testing.assert_allclose(v[ends], [0.69966, 0.49966], rtol=1e-12)


# The table and `like`


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library, rows in CONVENTIONS.items() for name in rows]
)
def test_every_row_makes_an_optimizer_whose_attributes_are_the_rows(library, name):
    made_of, fixed, defaults = CONVENTIONS[library][name]
    assert not set(fixed) & set(defaults)
    missing = {key: 0.25 for key, value in defaults.items() if value is REQUIRED}
    optimizer = getattr(optimizers, name).like(library, np.ones(2), **missing)
    assert type(optimizer) is made_of
    expected = fixed | defaults | missing
    for key, value in expected.items():
        if key not in (*DECAY_WORDS, *RATE_WORDS):
            assert getattr(optimizer, key) == value, key
    decay = optimizer.weight_decay
    assert decay.strength == expected.get("weight_decay", 0.0)
    if "weight_decay" in expected:
        assert type(decay) is (Decoupled if expected["decoupled"] else L2)
    if expected.get("decoupled"):
        about = {"base_rate": 1.0, "rounding": "joint"} | expected
        assert (decay.base_rate, decay.rounding) == (about["base_rate"], about["rounding"])


@pytest.mark.parametrize("name", ["Adadelta", "Adam", "AdaBelief"])
def test_where_the_paper_says_all_its_row_is_the_classs_defaults(name):
    optimizer = getattr(optimlib, name)
    row = CONVENTIONS["paper"][name]
    created = optimizer(np.ones(1))
    defaults = {"settings": created.settings(), "learning_rate": created.learning_rate}
    assert row.optimizer is optimizer
    rate = {"learning_rate": defaults["learning_rate"]}
    assert defaults["settings"] | rate | row.fixed | row.defaults == defaults["settings"] | rate


def test_the_public_default_of_scikit_learn():
    """People meet the optimizers through MLPClassifier, whose rate is not that of the private class."""
    network = pytest.importorskip("sklearn.neural_network")
    rows = CONVENTIONS["sklearn"]
    public = network.MLPClassifier()
    for row in rows.values():
        assert row.defaults["learning_rate"] == public.learning_rate_init
    assert rows["SGD"].defaults["momentum"] == rows["Nesterov"].defaults["momentum"] == public.momentum
    assert public.nesterovs_momentum  # so the default is Nesterov.like("sklearn", ...)
    assert rows["Adam"].defaults["eps"] == public.epsilon


@pytest.mark.parametrize(
    ("library", "name", "hyperparameters", "error", "message"),
    [
        ("pytorch", "Adam", {}, ValueError, "library is 'pytorch'; expected one of paper, torch, "),
        ("torch", "Lion", {}, ValueError, "torch has no Lion; expected one of paper, optax, keras"),
        ("sklearn", "RMSProp", {}, ValueError, "sklearn has no RMSProp; expected one of "),
        ("keras", "Adam", {"eps_hat": False}, ValueError, "use the class AdamEpsHat"),
        ("torch", "Adam", {"amsgrad": True}, ValueError, "use the class AMSGrad"),
        ("torch", "SGD", {"nesterov": True}, ValueError, "use the class Nesterov"),
        ("keras", "Adam", {"decoupled": False}, ValueError, "is AdamEpsHat with decoupled=True"),
        ("keras", "AdamW", {"decoupled": True}, ValueError, "decoupled is True; expected nothing"),
        ("optax", "Adam", {"weight_decay": 0.1}, ValueError, "weight_decay is 0.1; expected nothing"),
        (
            "optax",
            "Adam",
            {"nesterov": True},
            ValueError,
            "optax has it, but it is not reproduced",
        ),
        ("optax", "RMSProp", {"bias_correction": True}, ValueError, "that is Adam with beta1=0"),
        ("optax", "AMSGrad", {"eps_root": 1e-8}, ValueError, "only AdamEpsRoot has this epsilon"),
        ("paper", "Nadam", {}, ValueError, "paper's Nadam is not reproduced: its second moment has"),
        ("paper", "SGD", {"learning_rate": 0.1}, TypeError, "momentum is missing; paper's SGD has no"),
        (
            "torch",
            "Adam",
            {"lr": 0.1},
            ValueError,
            "lr is 0.1; expected nothing: here it is",
        ),
        ("keras", "Adam", {"betas": 0.1}, ValueError, "here it is beta1 and beta2"),
        ("torch", "Adam", {"rho": 0.1}, ValueError, "torch's Adam has learning_rate, beta1, beta2, eps"),
        ("optax", "Adam", {}, TypeError, "learning_rate is missing; optax's Adam has no default for it"),
        ("paper", "AdamW", {"base_rate": 1e-3}, TypeError, "weight_decay is missing"),
        ("torch", "Adam", {"beta1": 1.0}, ValueError, "beta1 is 1.0; expected 0.0 <= beta1 < 1.0"),
    ],
)
def test_what_no_library_does_is_refused(library, name, hyperparameters, error, message):
    with pytest.raises(error, match=re.escape(message)):
        getattr(optimizers, name).like(library, np.ones(1), **hyperparameters)


def test_an_optimizer_of_ones_own_is_in_no_library():
    class Mine(optimlib.Adam):
        pass

    with pytest.raises(ValueError, match="torch has no Mine; expected the class itself"):
        Mine.like("torch", np.ones(1))


def test_like_lets_the_options_of_every_optimizer_through():
    assert optimlib.Adam.like("torch", np.ones(1), skip_nonfinite=True).skip_nonfinite
    assert set(OPTIONS) == {
        *("clip_value", "clip_norm", "clip_eps", "rates", "frozen", "skip_nonfinite", "compiled")
    }


def test_like_clips_as_the_library_does():
    def clip_eps(library, **options):
        return optimlib.Adam.like(library, np.ones(1), learning_rate=0.1, **options).clip_eps

    assert clip_eps("torch", clip_norm=1.0) == 1e-6
    assert clip_eps("torch", clip_norm=1.0, clip_eps=0.5) == 0.5
    assert clip_eps("torch", clip_value=1.0) == clip_eps("optax", clip_norm=1.0) == 0.0


def test_a_schedule_may_be_given_to_like():
    adam = optimlib.Adam.like("optax", np.ones(1), learning_rate=lambda done: 0.5 / (1 + done))
    assert adam.learning_rate == 0.5


@pytest.mark.parametrize(
    ("library", "name", "decay", "more"),
    [
        ("torch", "Adam", L2(0.1), {}),  # which leaves the kind open
        ("torch", "SGD", L2({"w": 0.1}), {}),
        ("torch", "AdamW", Decoupled(0.1, rounding="factor"), {}),
        ("keras", "Adam", Decoupled({"w": 0.1}, rounding="before"), {}),
        ("optax", "Lion", Decoupled(lambda path: 0.1), {"learning_rate": 0.1}),
        ("paper", "AdamW", Decoupled(0.1, base_rate=0.01), {"base_rate": 0.01}),
    ],
)
def test_a_decay_that_is_the_librarys_may_be_given_as_an_object(library, name, decay, more):
    made = getattr(optimizers, name).like(library, {"w": np.ones(1)}, weight_decay=decay, **more)
    assert made.weight_decay is decay


class Ours(WeightDecay):
    pass


@pytest.mark.parametrize(
    ("library", "name", "decay", "more", "message"),
    [
        ("torch", "AdamW", L2(0.1), {}, "weight_decay is L2(...); torch's AdamW has Decoupled(..., "),
        (
            "torch",
            "AdamW",
            Decoupled(0.1),
            {},
            "rounding='joint'); torch's AdamW has Decoupled(..., base",
        ),
        ("torch", "AdamW", Decoupled(0.1, None, 2.0, "factor"), {}, "Decoupled(..., base_rate=2.0, "),
        ("torch", "Adam", Decoupled(0.1, rounding="before"), {}, "rounding='before'); torch's Adam has"),
        (
            "torch",
            "SGD",
            Decoupled({"w": 0.1}),
            {},
            "torch's SGD has L2(...): expected that, or the stre",
        ),
        (
            "keras",
            "SGD",
            L2(0.1),
            {},
            "keras's SGD has Decoupled(..., base_rate=1.0, rounding='before')",
        ),
        (
            "paper",
            "AdamW",
            Decoupled(0.1),
            {"base_rate": 0.01},
            "paper's AdamW has Decoupled(..., base_r",
        ),
        ("torch", "Adam", Ours(0.1), {}, "weight_decay is Ours(...); torch's Adam has L2(...)"),
        (
            "torch",
            "Adam",
            L2(0.1),
            {"decoupled": True},
            "decoupled is True beside weight_decay=L2(...);",
        ),
        (
            "torch",
            "Adam",
            Decoupled(0.1, rounding="factor"),
            {"decoupled": True},
            "expected one of the two",
        ),
    ],
)
def test_a_decay_that_is_not_the_librarys_is_refused(library, name, decay, more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(optimizers, name).like(
            library, {"w": np.ones(1)}, learning_rate=0.1, weight_decay=decay, **more
        )


def test_a_mask_beside_a_decay_that_is_an_object_is_refused():
    decay = Decoupled(0.1, rounding="factor")
    with pytest.raises(ValueError, match="mask is given beside weight_decay="):
        optimlib.Adam.like("torch", np.ones(1), weight_decay=decay, mask=True)


def test_a_decay_of_zero_is_zero_where_the_class_has_another_default():
    for library in ("torch", "keras"):
        assert optimlib.AdamW.like(library, np.ones(1), weight_decay=0.0).weight_decay.strength == 0.0


def test_looking_up_does_not_change_the_table():
    before = repr(CONVENTIONS)
    optimlib.AdamW.like("torch", np.ones(1), weight_decay=0.5, learning_rate=0.5)
    assert repr(CONVENTIONS) == before


def test_the_book_says_what_is_recorded():
    """The page of conventions tells how the traces are made; its numbers are these."""
    notebook = json.loads((GOLDEN.parents[1] / "book" / "conventions.ipynb").read_text(encoding="utf8"))
    glued = {
        output["metadata"]["scrapbook"]["name"]: "".join(*output["data"].values())
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    }
    assert glued["conventions-steps"] == str(recorder.STEPS)
    assert glued["conventions-kept"] == str(len(recorder.KEPT))


@pytest.mark.parametrize("library", [["torch"], {"W": np.ones(2)}, np.ones(2), None, "PyTorch"])
def test_what_is_no_library_is_named(library):
    with pytest.raises(ValueError, match=r"^library is .*; expected one of paper, torch"):
        Adam.like(library, np.ones(2))
