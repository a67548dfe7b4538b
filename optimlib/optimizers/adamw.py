"""AdamW: weight decay that Adam's two moments know nothing of."""

from __future__ import annotations

from typing import Any, ClassVar

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.weight_decay import L2, Decoupled
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class AdamW(Adam):
    r"""Adam with decoupled weight decay: beside Adam's step, the parameters shrink by a fraction.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)
            - \eta_t \lambda \theta_{t-1}

    with the corrected moments of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.
    weight_decay
        The strength :math:`\lambda` from 0 on, in units of one over those of the parameters; or an
        object such as ``Decoupled(0.01, base_rate=1e-3)``.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Loshchilov and Hutter, 2019, algorithm 2. The paper gives no value of :math:`\lambda`; the default,
    and what it means, are PyTorch's. In the paper the decay follows the schedule and not the learning
    rate: that is `Decoupled` with the learning rate as its `base_rate`.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdamW(theta, learning_rate=0.125, weight_decay=0.5)
    >>> optimizer.step(np.array([3.0, 0.0]))  # 0.125 from Adam, and a sixteenth from the decay
    >>> theta.round(6)
    array([ 0.8125, -1.875 ])
    """

    default_decay = Decoupled
    hints_for_keywords: ClassVar[dict[str, str]] = Adam.hints_for_keywords | {
        "base_rate": "give weight_decay=Decoupled(strength, base_rate=...)",
        "decoupled": "leave it out: AdamW always decouples its decay",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float | L2 | Decoupled = 1e-2,
        **options: Any,
    ) -> None:
        options["weight_decay"] = weight_decay
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)
