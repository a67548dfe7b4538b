"""Weight decay: two ways to pull the parameters towards zero, for every optimizer (chapter 11)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.conventions import Conventions
from optimlib.optimizers.engine.blocks import Block
from optimlib.schedules import Schedule
from optimlib.trees import Tree, flatten

DECAY_FORMS = ("joint", "factor", "before")


class WeightDecay(Conventions, Optimizer):
    r"""An optimizer that can also pull the parameters towards zero.

    *Coupled* decay, the default of most optimizers here, is the gradient of the penalty
    :math:`\tfrac\lambda2 |\theta|^2` (L2 regularisation), so the rule scales it as it scales any
    gradient. *Decoupled* decay, the only one of `AdamW` and `Lion`, leaves the rule alone and shrinks
    the parameters themselves:

    .. math::

        \text{coupled:} \quad & \theta_t = \theta_{t-1} - \mathtt{rule}(g_t + \lambda \theta_{t-1}) \\
        \text{decoupled:} \quad & \theta_t = \theta_{t-1} - \mathtt{rule}(g_t)
            - \frac{\eta_t}{\alpha} \lambda \theta_{t-1}

    Gradients are clipped before either of them.

    Parameters
    ----------
    params, learning_rate
        As for `Optimizer`.
    weight_decay
        The strength :math:`\lambda`, from 0 on.
    mask
        A tree like `params` with True for every array that decays and False for every other one,
        such as a bias. Without it all of them decay.
    decoupled
        Decay the parameters and not the gradient. `AdamW` and `Lion` have no such keyword.
    decay_form
        Where decoupled decay is rounded: it is a sum with the step before it is subtracted
        (``"joint"``), a factor :math:`1 - \eta_t \lambda / \alpha` of the parameters
        (``"factor"``), or subtracted before the step (``"before"``). The three are equal but for their
        roundings. Coupled decay takes no notice of it.
    **options
        As for `Optimizer`.

    Attributes
    ----------
    base_rate : float
        The number :math:`\alpha` in whose units the learning rate multiplies decoupled decay.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`; also if `weight_decay` is negative or not finite, if a leaf of `mask` is
        neither True nor False, if its structure is not that of `params`, or if `decay_form` is none of
        the three.

    Notes
    -----
    Loshchilov and Hutter, 2019: the two are the same for plain gradient descent (with another
    :math:`\lambda`), and differ for every rule that divides by the gradient's size. Their algorithms
    and Optax have the joint form, PyTorch has the factor, and Keras decays before the step. In float32 a
    factor a little below 1 is coarse:

    >>> for decay in (1e-5, 1e-7, 1e-8):
    ...     print(f"{1 - float(np.float32(1 - decay)):.4g}")
    1.001e-05
    1.192e-07
    0

    Examples
    --------
    >>> from optimlib import RMSProp
    >>> for decoupled in (False, True):  # a large gradient hides L2, and does not hide this decay
    ...     theta = np.array([2.0])
    ...     optimizer = RMSProp(theta, 0.5, rho=0.75, weight_decay=0.5, decoupled=decoupled)
    ...     optimizer.step(np.array([1000.0]))
    ...     print(theta.round(6))
    [1.]
    [0.5]
    """

    base_rate: float = 1.0

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        weight_decay: float = 0.0,
        mask: Tree | None = None,
        decoupled: bool = False,
        decay_form: str = "joint",
        **options: Any,
    ) -> None:
        self.decoupled = flag("decoupled", decoupled)
        if decay_form not in DECAY_FORMS:
            raise ValueError(f"decay_form is {decay_form!r}; expected one of {', '.join(DECAY_FORMS)}")
        self.decay_form = decay_form
        self.weight_decay = hyperparameter("weight_decay", weight_decay)
        self._decays = check_mask(mask, params)
        super().__init__(params, learning_rate, **options)

    def _kind(self, number: int) -> Hashable:
        """Arrays that decay share no block with those that do not."""
        return super()._kind(number), self._decays[number]

    def _block_step(
        self, block: Block, p: np.ndarray, g: np.ndarray, state: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """What `rule` says, and the decay where the arrays of the block decay."""
        if self.weight_decay and self._decays[block[0].array]:
            return self.decayed_step(p, g, state)
        return p, *self.rule(g, *state)

    def decayed_step(
        self, p: np.ndarray, g: np.ndarray, state: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Where some elements start, the step to subtract there, and the new state."""
        if not self.decoupled:
            return p, *self.rule(g + self.weight_decay * p, *state)
        step, state = self.rule(g, *state)
        decay = self.learning_rate / self.base_rate * self.weight_decay
        if self.decay_form == "factor":
            return (1 - decay) * p, step, state
        if self.decay_form == "before":
            return p - decay * p, step, state
        return p, step + decay * p, state


def always_decoupled(optimizer: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of an optimizer that only knows decoupled decay.

    Raises
    ------
    TypeError
        If they choose between the two decays.

    Examples
    --------
    >>> always_decoupled("Lion", {"weight_decay": 0.5})
    {'weight_decay': 0.5, 'decoupled': True}
    >>> always_decoupled("Lion", {"decoupled": False})
    Traceback (most recent call last):
        ...
    TypeError: decoupled is False; expected no such keyword: Lion's weight decay is always decoupled
    """
    if "decoupled" in options:
        raise TypeError(
            f"decoupled is {options['decoupled']!r}; expected no such keyword: {optimizer}'s weight"
            " decay is always decoupled"
        )
    return options | {"decoupled": True}


def check_mask(mask: Tree | None, params: Tree) -> list[bool]:
    """The leaves of a mask in the order of those of `params`; True for all of them without a mask.

    Raises
    ------
    TypeError
        If a leaf is neither True nor False.
    ValueError
        If the structure is not that of `params`.

    Examples
    --------
    >>> check_mask({"b": False, "W": True}, {"W": np.ones(2), "b": np.ones(1)})
    [True, False]
    """
    places = [path for path, _ in flatten(params)]
    if mask is None:
        return [True] * len(places)
    decays = dict(flatten(mask))
    missing = [path for path in places if path not in decays]
    unexpected = [path for path in decays if path not in places]
    if missing or unexpected:
        raise ValueError(f"mask is not built like params: missing {missing}, unexpected {unexpected}")
    return [flag(f"mask{path}", decays[path]) for path in places]
