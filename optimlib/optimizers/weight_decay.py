r"""Weight decay: two ways to pull the parameters toward zero, put beside any rule.

The *strength* is the number :math:`\lambda` of an array. `L2` is the gradient of a penalty, and the rule
scales it as it scales any gradient; `Decoupled` leaves the rule alone and shrinks the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter, positive
from optimlib.trees import Tree, children, flatten, per_leaf

State = tuple[np.ndarray, ...]
Rule = Callable[[np.ndarray], tuple[np.ndarray, State]]
"""An optimizer's rule as a function of the gradient alone: the step to subtract, and the new state."""


@dataclass(frozen=True)
class WeightDecay:
    r"""What both kinds have in common: a strength for every array. It stays as it was created.

    Parameters
    ----------
    strength
        The strength :math:`\lambda`, from 0 on: one number, a tree like the parameters with a number
        for every array, or a function of an array's path, such as ``"['layers'][0]['W']"``.
    mask
        A tree like the parameters with True for every array that decays and False for every other one,
        such as a bias, or a function of the path that returns one of them. Without it all decay.

    Raises
    ------
    TypeError, ValueError
        If `strength` is one number that is negative or not finite. Trees and functions are asked when
        an optimizer is created.
    """

    strength: float | Tree | Callable[[str], float]
    mask: Tree | Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        if not callable(self.strength) and children(self.strength) is None:
            checked = hyperparameter("weight_decay", self.strength)
            object.__setattr__(self, "strength", checked)  # the dataclass is frozen

    def strengths(self, params: Tree) -> list[float]:
        """The strength of every array, in the order of the leaves of `params`; 0 where there is none.

        >>> theta = {"W": np.ones(2), "b": np.ones(1)}
        >>> L2(0.5, mask=lambda path: "b" not in path).strengths(theta)
        [0.5, 0.0]
        """
        if isinstance(self.strength, float):
            strengths = [self.strength] * len(flatten(params))
        else:
            strengths = per_leaf(self.strength, params, "weight_decay", hyperparameter)
        if self.mask is None:
            return strengths
        decays = per_leaf(self.mask, params, "mask", flag)
        return [strength * one for strength, one in zip(strengths, decays, strict=True)]

    def advance(
        self, rule: Rule, p: np.ndarray, g: np.ndarray, strength: float, learning_rate: float
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """Where the parameters `p` start from, the step to subtract there, and the new state."""
        raise NotImplementedError(f"{type(self).__name__} has to define advance")


@dataclass(frozen=True)
class L2(WeightDecay):
    r"""The gradient of the penalty :math:`\tfrac\lambda2 |\theta|^2`, added to every gradient.

    .. math:: \theta_t = \theta_{t-1} - \mathtt{rule}(g_t + \lambda \theta_{t-1})

    Parameters
    ----------
    strength
        The strength :math:`\lambda`, from 0 on, in the units of the gradient over those of the
        parameters: a number, a tree of them, or a function of the path.
    mask
        Which arrays decay: a tree of True and False, or a function of the path. Without it all.

    Notes
    -----
    The gradient is clipped before this is added.

    Examples
    --------
    >>> from optimlib import SGD
    >>> theta = np.array([2.0])
    >>> SGD(theta, learning_rate=0.5, weight_decay=L2(0.25)).step(np.array([1.0]))
    >>> theta
    array([1.25])
    """

    def advance(
        self, rule: Rule, p: np.ndarray, g: np.ndarray, strength: float, learning_rate: float
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """One line for the equation above."""
        step, state = rule(g + strength * p)
        return p, step, state


@dataclass(frozen=True)
class Decoupled(WeightDecay):
    r"""Shrink the parameters themselves, beside the step of the rule, which knows nothing of it.

    .. math::

        \theta_t = \theta_{t-1} - \mathtt{rule}(g_t) - \frac{\eta_t}{\alpha} \lambda \theta_{t-1}

    Parameters
    ----------
    strength
        The strength :math:`\lambda`, from 0 on: a number, a tree of them, or a function of the path.
        Without units if :math:`\alpha` is a learning rate, else in those of 1 over the learning rate.
    mask
        Which arrays decay: a tree of True and False, or a function of the path. Without it all.
    base_rate
        The learning rate :math:`\alpha` that counts as one. With 1, the parameters shrink by
        :math:`\eta_t \lambda`, as in PyTorch, Optax and Keras. The paper has a schedule
        :math:`\eta_t / \alpha` around 1 apart from the learning rate :math:`\alpha`, and shrinks by
        the schedule's value times :math:`\lambda`: give that :math:`\alpha` here.
    rounding
        Where the sum is rounded, a name in `ROUNDINGS`.

    Raises
    ------
    TypeError, ValueError
        If `strength` is one number that is negative or not finite, `base_rate` is not a finite number
        above 0, or `rounding` is no name in the table.

    Notes
    -----
    Loshchilov and Hutter, 2019. For plain gradient descent it is `L2` with another :math:`\lambda`; for
    a rule that divides by the gradient's size it is not. In float32 a factor a little below 1 is coarse:

    >>> for decay in (1e-5, 1e-7, 1e-8):
    ...     print(f"{1 - float(np.float32(1 - decay)):.4g}")
    1.001e-05
    1.192e-07
    0

    Examples
    --------
    >>> from optimlib import SGD
    >>> theta = np.array([2.0])
    >>> SGD(theta, learning_rate=0.5, weight_decay=Decoupled(0.25)).step(np.array([1.0]))
    >>> theta
    array([1.25])
    """

    base_rate: float = 1.0
    rounding: str = "joint"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "base_rate", positive("base_rate", self.base_rate))
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"rounding is {self.rounding!r}; expected one of {', '.join(ROUNDINGS)}")

    def advance(
        self, rule: Rule, p: np.ndarray, g: np.ndarray, strength: float, learning_rate: float
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """One line for the equation above."""
        step, state = rule(g)
        return *ROUNDINGS[self.rounding](p, step, learning_rate / self.base_rate * strength), state


def joint(p: Any, step: Any, decay: float) -> tuple[Any, Any]:
    """Decay and step are added and then subtracted: the papers and Optax."""
    return p, step + decay * p


def factor(p: Any, step: Any, decay: float) -> tuple[Any, Any]:
    """The parameters are multiplied before the step: PyTorch."""
    return (1 - decay) * p, step


def before(p: Any, step: Any, decay: float) -> tuple[Any, Any]:
    """The decay is subtracted before the step: Keras."""
    return p - decay * p, step


ROUNDINGS = {"joint": joint, "factor": factor, "before": before}
"""Where libraries round a step with decoupled decay: where it starts, and what is subtracted there."""
