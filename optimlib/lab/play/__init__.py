"""Figures that the reader moves: a cell shows one, and the page's script wakes it up.

Each function returns a `Play`: a still figure, made with the optimizers and checks of `optimlib`, and
the settings of its controls. In the page, pure functions of a script compute what a moved slider shows;
tests compare their numbers with those of `optimlib`. Needs NumPy only.
"""

from optimlib.lab.play.adam_paths import adam
from optimlib.lab.play.check_verdict import verdict
from optimlib.lab.play.difference_step import secant
from optimlib.lab.play.heavy_ball import momentum
from optimlib.lab.play.learning_rate import descent
from optimlib.lab.play.moving import Play
from optimlib.lab.play.schedule_floor import schedules
from optimlib.lab.play.spike_shadow import spike
from optimlib.lab.play.wrong_angle import angle

__all__ = [
    "Play",
    "adam",
    "angle",
    "descent",
    "momentum",
    "schedules",
    "secant",
    "spike",
    "verdict",
]
