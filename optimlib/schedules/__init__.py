r"""Learning-rate schedules: functions from the number of finished steps to a learning rate.

Everything here is called with its settings and returns a *schedule*: a function of
:math:`n = 0, 1, 2, \dots`, the number of steps that are *finished*, so that its value at 0 is the
learning rate of the first step. An optimizer takes a schedule wherever it takes a learning rate, and
so it takes a function of one's own. "Steps" may be epochs just as well:
``lambda n: schedule(n // steps_per_epoch)``.

All but `ReduceOnPlateau`, which follows the losses that it is shown, are pure functions.

>>> import numpy as np
>>> from optimlib.schedules import cosine
>>> schedule = cosine(0.5, steps=4)
>>> schedule
cosine(0.5, steps=4)
>>> schedule(2), schedule(np.array([0, 2, 4]))
(0.25, array([0.5 , 0.25, 0.  ]))
"""

from optimlib.schedules.base import BaseSchedule, Schedule
from optimlib.schedules.composition import has_state, joined, warmup
from optimlib.schedules.cosines import cosine, cosine_restarts
from optimlib.schedules.cycles import cyclic, one_cycle
from optimlib.schedules.decay import constant, exponential_decay, inverse_time_decay, polynomial_decay
from optimlib.schedules.plateau import ReduceOnPlateau
from optimlib.schedules.stairs import milestones, step_decay

__all__ = [
    "BaseSchedule",
    "ReduceOnPlateau",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "cyclic",
    "exponential_decay",
    "has_state",
    "inverse_time_decay",
    "joined",
    "milestones",
    "one_cycle",
    "polynomial_decay",
    "step_decay",
    "warmup",
]
