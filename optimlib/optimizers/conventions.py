r"""What other libraries mean by the same names: one table of conventions and defaults (chapter 11).

Two programs that both say "Adam" or "RMSProp" may compute different things: epsilon inside a root or
outside it, the learning rate inside the velocity or outside it, another default. Every such
convention is an ordinary keyword of an optimizer's class. `CONVENTIONS` says which library uses
which, and ``Adam.like("keras", params)`` reads it from there.

Two names may stand for one method. Optax's ``nadamw`` and ``adamaxw`` are its `Nadam` and `Adamax` with
``weight_decay``; ``amsgrad=True`` of PyTorch and Keras is `AMSGrad`; the ``weight_decay`` of Keras, like
``decoupled_weight_decay=True`` of PyTorch, makes AdamW of Adam. TensorFlow 1's Adam is that of Keras
with another epsilon.

The row "paper" of `SGD` is Sutskever, Martens, Dahl and Hinton, 2013, equations 1 to 4. Equations 1 and
2 are Polyak's heavy ball of 1964: in both papers the step is the last one times the momentum, less the
gradient times the present learning rate. Equations 3 and 4 are Nesterov's; the parameters here are the
point at which they look, :math:`\theta + \mu v`. Where a paper gives no decay rates of its own, the row
has Adam's.

What a library does and this package does not is in `LEFT_OUT`, and ``like`` says so. Not listed there is
what changes no rule: PyTorch's ``maximize`` is the other sign of the gradient, its ``foreach`` and
``fused`` are a matter of speed, and Keras's averaged weights and accumulated gradients are work for the
training loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from optimlib.arguments import flag
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.weight_decay import L2, Decoupled
from optimlib.trees import Tree

REQUIRED = "required"
"""Stands for a hyperparameter to which a library gives no default."""

OPTIONS = ("clip_value", "clip_norm", "clip_eps", "rates", "frozen", "skip_nonfinite", "compiled")
"""Keywords of every optimizer which are no part of a convention."""

CLIPPING = {"torch": {"clip_eps": 1e-6}}
"""By library, what goes with `clip_norm` where that is given to `like`."""


class Convention(NamedTuple):
    """How a library runs an optimizer.

    `fixed` holds the keywords that make its rule the library's, and `defaults` all that its users
    may choose. Nothing else can be given to `like`.
    """

    fixed: dict[str, Any]
    defaults: dict[str, Any]


def _moments(learning_rate: float | str, beta2: float = 0.999, **more: Any) -> dict[str, Any]:
    return {"learning_rate": learning_rate, "beta1": 0.9, "beta2": beta2} | more


def _adam(learning_rate: float | str = 1e-3, eps: float = 1e-8, **more: Any) -> dict[str, Any]:
    return _moments(learning_rate, eps=eps, **more)


_DECAY = {"weight_decay": 0.0, "mask": None}
_COUPLED, _DECOUPLED = {"decoupled": False}, {"decoupled": True}
_BEFORE, _FACTOR = _DECOUPLED | {"decay_form": "before"}, {"decay_form": "factor"}

CONVENTIONS: dict[str, dict[str, Convention]] = {
    "paper": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": True},
            {"learning_rate": REQUIRED, "momentum": REQUIRED, "nesterov": False},
        ),
        "AdaGrad": Convention(
            {"eps_inside": False, "initial_accumulator": 0.0, "lr_decay": 0.0},
            {"learning_rate": REQUIRED, "eps": REQUIRED},
        ),
        "RMSProp": Convention(
            {"centered": False, "momentum": 0.0, "eps": 0.0, "initial_accumulator": 0.0},
            {"learning_rate": REQUIRED, "rho": 0.9},
        ),
        "Adadelta": Convention({"learning_rate": 1.0}, {"rho": 0.95, "eps": 1e-6}),
        "Adam": Convention({"eps_hat": False, "eps_root": 0.0}, _adam()),
        "AMSGrad": Convention({"form": "paper", "eps_hat": False, "eps": 0.0}, _moments(REQUIRED)),
        "AdamW": Convention(
            {"eps_hat": False, "eps_root": 0.0},
            _adam(base_rate=REQUIRED, weight_decay=REQUIRED, mask=None),
        ),
        "Adamax": Convention({"eps": 0.0}, _moments(2e-3)),
        "RAdam": Convention({"threshold": 4.0, "eps": 0.0}, _moments(REQUIRED)),
        "AdaBelief": Convention({}, _adam(eps_root=1e-8)),
        "Lion": Convention({}, _moments(REQUIRED, beta2=0.99, weight_decay=REQUIRED, mask=None)),
    },
    "torch": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": False} | _COUPLED,
            {"learning_rate": 1e-3, "momentum": 0.0, "nesterov": False} | _DECAY,
        ),
        "AdaGrad": Convention(
            {"eps_inside": False} | _COUPLED,
            {"learning_rate": 1e-2, "lr_decay": 0.0, "initial_accumulator": 0.0, "eps": 1e-10} | _DECAY,
        ),
        "RMSProp": Convention(
            {"eps_inside": False, "rate_in_velocity": False, "initial_accumulator": 0.0} | _COUPLED,
            {"learning_rate": 1e-2, "rho": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False}
            | _DECAY,
        ),
        "Adadelta": Convention({} | _COUPLED, {"learning_rate": 1.0, "rho": 0.9, "eps": 1e-6} | _DECAY),
        "Adam": Convention({"eps_hat": False, "eps_root": 0.0} | _FACTOR, _adam() | _DECAY | _COUPLED),
        "AMSGrad": Convention({"form": "raw", "eps_hat": False} | _FACTOR, _adam() | _DECAY | _COUPLED),
        "AdamW": Convention(
            {"eps_hat": False, "eps_root": 0.0, "base_rate": 1.0} | _FACTOR,
            _adam(weight_decay=1e-2, mask=None),
        ),
        "Nadam": Convention({} | _FACTOR, _adam(2e-3, momentum_decay=4e-3) | _DECAY | _COUPLED),
        "Adamax": Convention({"eps_inside": True} | _COUPLED, _adam(2e-3) | _DECAY),
        "RAdam": Convention({"threshold": 5.0, "eps_hat": True} | _FACTOR, _adam() | _DECAY | _COUPLED),
    },
    "optax": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": False},
            {"learning_rate": REQUIRED, "momentum": 0.0, "nesterov": False},
        ),
        "AdaGrad": Convention(
            {"eps_inside": True, "lr_decay": 0.0},
            {"learning_rate": REQUIRED, "initial_accumulator": 0.1, "eps": 1e-7},
        ),
        "RMSProp": Convention(
            {"rate_in_velocity": True},
            {
                "learning_rate": REQUIRED,
                "rho": 0.9,
                "eps": 1e-8,
                "initial_accumulator": 0.0,
                "eps_inside": True,
                "centered": False,
                "momentum": 0.0,
            },
        ),
        "Adadelta": Convention(
            {} | _COUPLED, {"learning_rate": REQUIRED, "rho": 0.9, "eps": 1e-6} | _DECAY
        ),
        "Adam": Convention({"eps_hat": False}, _adam(REQUIRED, eps_root=0.0)),
        "AMSGrad": Convention({"eps_hat": False}, _adam(REQUIRED, form="corrected")),
        "AdamW": Convention(
            {"eps_hat": False, "base_rate": 1.0},
            _adam(REQUIRED, eps_root=0.0, weight_decay=1e-4, mask=None),
        ),
        "Nadam": Convention({"momentum_decay": None} | _DECOUPLED, _adam(REQUIRED) | _DECAY),
        "Adamax": Convention({"eps_inside": True} | _DECOUPLED, _adam(REQUIRED) | _DECAY),
        "RAdam": Convention({"eps_hat": False}, _adam(REQUIRED, threshold=5.0)),
        "AdaBelief": Convention({}, _adam(REQUIRED, eps=1e-16, eps_root=1e-16)),
        "Lion": Convention({}, _moments(REQUIRED, beta2=0.99, weight_decay=1e-3, mask=None)),
    },
    "keras": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": True} | _BEFORE,
            {"learning_rate": 1e-2, "momentum": 0.0, "nesterov": False} | _DECAY,
        ),
        "AdaGrad": Convention(
            {"eps_inside": True, "lr_decay": 0.0} | _BEFORE,
            {"learning_rate": 1e-3, "initial_accumulator": 0.1, "eps": 1e-7} | _DECAY,
        ),
        "RMSProp": Convention(
            {"eps_inside": True, "rate_in_velocity": True, "initial_accumulator": 0.0} | _BEFORE,
            {"learning_rate": 1e-3, "rho": 0.9, "eps": 1e-7, "momentum": 0.0, "centered": False}
            | _DECAY,
        ),
        "Adadelta": Convention({} | _BEFORE, {"learning_rate": 1e-3, "rho": 0.95, "eps": 1e-7} | _DECAY),
        "Adam": Convention({"eps_hat": True, "eps_root": 0.0} | _BEFORE, _adam(eps=1e-7) | _DECAY),
        "AMSGrad": Convention({"form": "raw", "eps_hat": True} | _BEFORE, _adam(eps=1e-7) | _DECAY),
        "AdamW": Convention(
            {"eps_hat": True, "eps_root": 0.0, "base_rate": 1.0, "decay_form": "before"},
            _adam(eps=1e-7, weight_decay=4e-3, mask=None),
        ),
        "Nadam": Convention({"momentum_decay": 1.0} | _BEFORE, _adam(eps=1e-7) | _DECAY),
        "Adamax": Convention({"eps_inside": False} | _BEFORE, _adam(eps=1e-7) | _DECAY),
        "Lion": Convention(
            {"decay_form": "before"}, _moments(1e-3, beta2=0.99, weight_decay=0.0, mask=None)
        ),
    },
    "sklearn": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": True},
            {"learning_rate": 1e-3, "momentum": 0.9, "nesterov": True},
        ),
        "Adam": Convention({"eps_hat": True, "eps_root": 0.0}, _adam()),
    },
    "autograd": {
        "SGD": Convention(
            {"average": True, "nesterov": False},
            {"learning_rate": 0.1, "momentum": 0.9},
        ),
        "RMSProp": Convention(
            {"eps_inside": False, "centered": False, "momentum": 0.0, "initial_accumulator": 1.0},
            {"learning_rate": 0.1, "rho": 0.9, "eps": 1e-8},
        ),
        "Adam": Convention({"eps_hat": False, "eps_root": 0.0}, _adam()),
    },
    "cs231n": {
        "SGD": Convention(
            {"average": False, "rate_in_velocity": True},
            {"learning_rate": 1e-2, "momentum": 0.0, "nesterov": False},
        ),
        "RMSProp": Convention(
            {"eps_inside": False, "centered": False, "momentum": 0.0, "initial_accumulator": 0.0},
            {"learning_rate": 1e-2, "rho": 0.99, "eps": 1e-8},
        ),
        "Adam": Convention({"eps_hat": False, "eps_root": 0.0}, _adam()),
    },
}
"""What `like` looks up: by library, then by the name of the class."""

_DTYPE = "the state has the dtype of the parameters"
_ROOT = "only Adam and AdamW have this epsilon here, which is 0 unless asked for"

LEFT_OUT: dict[str, dict[str, str]] = {
    "paper": {
        "Nadam": (
            "its second mean has another factor beta2, and its first one decays at the scheduled rate;"
            " no library follows it there. Nadam's docstring says more"
        ),
    },
    "torch": {
        "SGD.dampening": (
            "average=True is nearly dampening=momentum, whose first gradient alone is not damped"
        ),
    },
    "optax": {
        "SGD.accumulator_dtype": _DTYPE,
        "RMSProp.bias_correction": (
            "without momentum that is Adam with beta1=0, and eps_root for eps where that is inside"
        ),
        "RMSProp.nesterov": "the velocity of RMSProp does not look ahead here",
        "Adam.nesterov": "that is Nadam",
        "Adam.mu_dtype": _DTYPE,
        "AMSGrad.bias_correction_mu": "form='paper' is both corrections off, form='corrected' both on",
        "AMSGrad.bias_correction_nu": "form='paper' is both corrections off, form='corrected' both on",
        "AMSGrad.eps_root": _ROOT,
        "AMSGrad.mu_dtype": _DTYPE,
        "AdamW.nesterov": "that is Nadam with weight_decay",
        "AdamW.mu_dtype": _DTYPE,
        "Nadam.eps_root": _ROOT,
        "Nadam.mu_dtype": _DTYPE,
        "RAdam.nesterov": "only Nadam looks ahead here",
        "RAdam.eps_root": _ROOT,
        "AdaBelief.nesterov": "only Nadam looks ahead here",
        "Lion.mu_dtype": _DTYPE,
    },
}
"""What changes a rule and is not reproduced, by library: a class or a keyword, and why."""


def convention(library: str, optimizer: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The keywords with which `optimizer` computes what `library` does.

    Parameters
    ----------
    library
        A key of `CONVENTIONS`.
    optimizer
        The name of a class of this package.
    hyperparameters
        What is to differ from the library's defaults, under this package's names.

    Raises
    ------
    TypeError
        If the library has no default for a hyperparameter and none was given.
    ValueError
        If the table has no such library, the library has no such optimizer, its optimizer has no such
        hyperparameter or does not leave it open, or `LEFT_OUT` has it.

    Examples
    --------
    >>> convention("sklearn", "Adam", {"learning_rate": 0.01})["eps_hat"]
    True
    >>> convention("torch", "Lion", {})
    Traceback (most recent call last):
        ...
    ValueError: torch has no Lion; expected one of paper, optax, keras
    """
    if library not in CONVENTIONS:
        raise ValueError(f"library is {library!r}; expected one of {', '.join(CONVENTIONS)}")
    left_out = LEFT_OUT.get(library, {})
    if optimizer not in CONVENTIONS[library]:
        if optimizer in left_out:
            raise ValueError(f"{library}'s {optimizer} is not reproduced: {left_out[optimizer]}")
        with_it = [name for name, rows in CONVENTIONS.items() if optimizer in rows]
        expected = f"one of {', '.join(with_it)}" if with_it else "the class itself: none here has it"
        raise ValueError(f"{library} has no {optimizer}; expected {expected}")
    fixed, defaults = CONVENTIONS[library][optimizer]
    chosen = fixed | defaults
    for name, value in hyperparameters.items():
        if name in fixed:
            raise ValueError(
                f"{name} is {value!r}; expected nothing: {library}'s {optimizer} is"
                f" {optimizer}({name}={fixed[name]!r})"
            )
        if f"{optimizer}.{name}" in left_out:
            raise ValueError(
                f"{name} is {value!r}; expected nothing: {library} has it, but it is not reproduced:"
                f" {left_out[f'{optimizer}.{name}']}"
            )
        if name not in defaults and name not in OPTIONS:
            raise ValueError(
                f"{name} is {value!r}; expected nothing: {library}'s {optimizer} has"
                f" {', '.join(defaults)}"
            )
    if "clip_norm" in hyperparameters:
        chosen |= CLIPPING.get(library, {})
    chosen |= hyperparameters
    for name, value in chosen.items():
        if value is REQUIRED:
            raise TypeError(f"{name} is missing; {library}'s {optimizer} has no default for it")
    return chosen


class Conventions:
    """Gives optimizers the class method `like`."""

    @classmethod
    def like(cls, library: str, params: Tree, **hyperparameters: Any) -> Self:
        """An optimizer that computes what another library, or the original paper, does.

        Parameters
        ----------
        library
            ``"torch"``, ``"optax"``, ``"keras"``, ``"sklearn"``, ``"autograd"``, ``"cs231n"`` or
            ``"paper"``.
        params
            The parameters, changed in place by every step.
        **hyperparameters
            What is to differ from that library's defaults, under this package's names, and the
            keywords of `Optimizer`. Everything else, the conventions too, is in `CONVENTIONS`; what
            goes with ``clip_norm`` is in `CLIPPING`.

        Raises
        ------
        TypeError
            If the library has no default for a hyperparameter and none was given.
        ValueError
            If the library has no such optimizer, its optimizer no such hyperparameter or does not
            leave it open, or this package leaves that convention out (`LEFT_OUT`).
        """
        return cls(params, **convention(library, cls.__name__, hyperparameters))


class WeightDecay(Conventions, Optimizer):
    """The keywords of old for weight decay, until the rules of this package are small classes."""

    base_rate = 1.0

    def __init__(
        self,
        params: Tree,
        learning_rate: Any,
        weight_decay: Any = 0.0,
        mask: Tree | None = None,
        decoupled: bool = False,
        decay_form: str = "joint",
        **options: Any,
    ) -> None:
        self.decoupled, self.decay_form = flag("decoupled", decoupled), decay_form
        if not isinstance(weight_decay, L2 | Decoupled):
            weight_decay = (
                Decoupled(weight_decay, mask, self.base_rate, decay_form)
                if decoupled
                else L2(weight_decay, mask)
            )
            mask = None
        super().__init__(params, learning_rate, weight_decay=weight_decay, mask=mask, **options)


def always_decoupled(optimizer: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of an optimizer that only knows decoupled decay."""
    if "decoupled" in options:
        raise TypeError(
            f"decoupled is {options['decoupled']!r}; expected no such keyword: {optimizer}'s weight"
            " decay is always decoupled"
        )
    return options | {"decoupled": True}
