"""A schedule and what it is worth: the excess loss that is expected, and the floor below it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf, log10
from typing import Any

import numpy as np

from optimlib.arguments import whole_number
from optimlib.lab.play.bowls import powers, ticks
from optimlib.lab.play.drawing import Mark, Panel, digits, points
from optimlib.lab.play.moving import Choice, Play, Slider, checked
from optimlib.schedules import (
    Schedule,
    constant,
    cosine,
    exponential_decay,
    inverse_time_decay,
    joined,
    polynomial_decay,
    step_decay,
)

STEPS, EVERY = 1000, 10  # of the steps, every tenth is drawn
DECAYS: dict[str, Any] = {
    "constant": lambda peak, steps: constant(peak),
    "linear": lambda peak, steps: polynomial_decay(peak, steps),
    "cosine": lambda peak, steps: cosine(peak, steps),
    "exponential": lambda peak, steps: exponential_decay(peak, 0.01, every=steps),
    "inverse time": lambda peak, steps: inverse_time_decay(peak, decay=100 / steps),
    "three stairs": lambda peak, steps: step_decay(peak, every=-(-steps // 3)),
}
"""By name: a function of the largest rate and the number of steps."""

LARGEST = 0.08  # learning rate
LIMIT = 2 / LARGEST  # of the curvatures
CONTROLS = (
    Choice("shape", "shape", tuple(DECAYS)),
    Slider("peak", "largest rate η", 0.004, LARGEST, 0.004),
    Slider("hold", "decay from step", 0, 950, 50),
)
ALT = (
    "First panel: the learning rate against the step. Second panel, on a logarithmic axis: the"
    " expected excess loss, the part of it that is left of the start, and the noise floor of the present"
    " learning rate. The loss comes down toward the floor, and stays above it if the floor falls too"
    " fast or too little of the start has been forgotten."
)


def schedules(
    curvatures: Any,
    start: Any,
    noise: Any,
    shape: str = "constant",
    peak: float = 0.08,
    hold: int = 0,
) -> Play:
    r"""The expected excess loss of gradient descent with noise on a quadratic, under a schedule.

    Along every eigenvector, :math:`a_t = (1 - \eta_t \lambda)^2 a_{t-1} + \eta_t^2 \sigma^2`.

    Parameters
    ----------
    curvatures
        The eigenvalues :math:`\lambda` of the Hessian, shape ``(n,)``.
    start
        The squared distances :math:`a_0` of the start along the eigenvectors, shape ``(n,)``.
    noise
        The variances :math:`\sigma^2` of a gradient along the eigenvectors, shape ``(n,)``.
    shape, peak, hold
        Where the controls begin: how the learning rate falls, the largest one, and after how many steps
        it begins to fall.

    Raises
    ------
    TypeError, ValueError
        If a start is no value of its control, or a row is not as described; an eigenvalue has to be
        below 25, from where on the largest rate that can be set diverges.

    Examples
    --------
    >>> print(schedules([1.0], [1.0], [0.0], peak=0.08).said)  # nothing but the start: 0.92 ** 2000 / 2
    The expected excess loss at the end is 1.9 × 10⁻⁷³: 1.9 × 10⁻⁷³ is left of the start, and 0 comes
    from the noise. The area under the schedule is 80.
    """
    hold = whole_number("hold", hold)
    settings = checked(CONTROLS, shape=shape, peak=peak, hold=hold)
    shape, peak, hold = settings.values()
    rows = {"curvatures": curvatures, "start": start, "noise": noise}
    arrays = {name: checked_row(name, row) for name, row in rows.items()}
    check_rows(arrays)
    spectrum = {name: rounded(row) for name, row in arrays.items()}
    rates = rates_of(shape, peak, hold)
    from_start, from_noise, floor = worth(rates, *map(np.array, spectrum.values()))
    at = np.arange(0, STEPS + 1, EVERY)
    total = from_start + from_noise
    moved = {
        "rate": points(range(STEPS), rates)[:: EVERY // 2],
        "total": points(at, total[at]),
        "start": points(at, from_start[at]),
        "floor": points(at[1:], floor[at[1:] - 1]),
    }
    said = (
        f"The expected excess loss at the end is {digits(total[-1])}: {digits(from_start[-1])} is left"
        f" of the start, and {digits(from_noise[-1])} comes from the noise. The area under the schedule"
        f" is {digits(sum(rates.tolist()))}."
    )
    fixed = {"steps": STEPS, "every": EVERY, **spectrum}
    return Play("schedules", settings, fixed, CONTROLS, PANELS, ALT, moved, said)


def checked_row(name: str, row: Any) -> np.ndarray:
    """Numbers as an array of shape ``(n,)``, once all are finite and none is negative.

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If they have another shape, or one of them is negative, infinite or NaN.

    Examples
    --------
    >>> checked_row("noise", [1.0, -2.0])
    Traceback (most recent call last):
        ...
    ValueError: noise[1] is -2.0; expected a finite number from 0 on
    """
    try:
        array = np.asarray(row)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{name} has no shape; expected (n,)") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} is of type {type(row).__name__}, {array.dtype}; expected numbers")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has the shape {array.shape}; expected (n,)")
    for k, number in enumerate(array.tolist()):
        if not 0 <= number < inf:
            raise ValueError(f"{name}[{k}] is {number}; expected a finite number from 0 on")
    return array.astype(float)


def check_rows(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse rows of several lengths, and curvatures at which the largest rate diverges."""
    curvatures = arrays["curvatures"]
    for name, array in arrays.items():
        if array.shape != curvatures.shape:
            raise ValueError(f"{name} has the shape {array.shape}; curvatures has {curvatures.shape}")
    if curvatures.max() >= LIMIT:
        raise ValueError(f"curvatures has {curvatures.max()}; expected less than {LIMIT:g}")


def rounded(row: np.ndarray) -> list[float]:
    """The numbers, with seven digits of the largest one: what comes out alike on every machine.

    >>> rounded(np.array([1.23456789, 0.001234567, 1e-17]))
    [1.234568, 0.001235, 0.0]
    """
    places = 7 - ceil(log10(row.max() or 1.0))
    return np.round(row, places).tolist()


def rates_of(shape: str, peak: float, hold: int) -> np.ndarray:
    """The learning rates of all steps."""
    decay: Schedule = DECAYS[shape](peak, STEPS - hold)
    schedule = joined([constant(peak), decay], at=[hold]) if hold else decay
    return np.array([schedule(n) for n in range(STEPS)])


def worth(rates: np.ndarray, curvatures: Any, start: Any, noise: Any) -> tuple[Any, Any, Any]:
    """Excess loss before and after every step: of the start and of the noise, and the rates' floors."""
    halves, variance = curvatures / 2, np.zeros_like(noise)
    of_start, of_noise, floors = [halves @ start], [halves @ variance], []
    for eta in rates:
        shrink = (1 - eta * curvatures) ** 2
        start, variance = shrink * start, shrink * variance + eta**2 * noise
        of_start.append(halves @ start)
        of_noise.append(halves @ variance)
        floors.append((eta * noise / (2 * (2 - eta * curvatures))).sum())
    return np.array(of_start), np.array(of_noise), np.array(floors)


PANELS = (
    Panel(
        "the schedule",
        "step",
        "learning rate",
        x=(0, STEPS),
        y=(0, 0.09),
        xticks=ticks(0, 250, 500, 750, 1000),
        yticks=ticks(0, 0.02, 0.04, 0.06, 0.08),
        marks=(Mark("line", "blue", "rate"),),
    ),
    Panel(
        "what it is worth",
        "step",
        "excess loss",
        x=(0, STEPS),
        y=(1e-5, 1),
        xticks=ticks(0, 250, 500, 750, 1000),
        yticks=powers(-5, -4, -3, -2, -1, 0),
        logarithmic="y",
        legend=(
            ("blue", "— expected"),
            ("green", "- - left of the start"),
            ("grey", "··· floor of this rate"),
        ),
        marks=(
            Mark("line", "grey dotted", "floor"),
            Mark("line", "green dashed", "start"),
            Mark("line", "blue", "total"),
        ),
    ),
)
