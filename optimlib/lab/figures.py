"""The book's figures: one shared style, and one function for each kind of figure.

Needs Matplotlib, which ``pip install .[figures]`` brings. A chapter calls `use_style` in its
first cell.

The colors are told apart by readers with any common color-blindness, each has a contrast of at
least 3 to 1 with white, and a line differs from the next by its dashes too, so a figure never
speaks by color alone. Figures are opaque white PNGs; the book's style sheet inverts their
lightness in dark mode.
"""

from collections.abc import Collection, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes

from optimlib.differences import Optimum
from optimlib.gradcheck.report import Curve

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#008F68"
PURPLE = "#AA3377"
BLACK = "#222222"
GREY = "#767676"  # for what stands behind the message: guides, theory, the old curve

STYLE: dict[str, Any] = {
    "figure.figsize": (5.6, 3.6),  # 840 pixels: as wide as the page, and legible on a phone
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so every machine has it
    "font.size": 10.5,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "legend.fontsize": "small",
    "xtick.labelsize": "medium",  # 8 pixels high on a phone of 360
    "ytick.labelsize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, BLACK])
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]),
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.9,
    "lines.markersize": 6,
    "legend.frameon": False,
    "image.cmap": "cividis",  # even in lightness, the same to every kind of color vision
}


def use_style() -> None:
    """Give every figure drawn from now on the book's style.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> use_style()
    >>> plt.rcParams["figure.dpi"]
    150.0
    """
    plt.style.use(STYLE)


def error_curves(
    curves: Mapping[str, tuple[Any, Any]], optima: Mapping[str, Optimum] | None = None
) -> Axes:
    """Draw errors against the step, on logarithmic axes, one labeled curve each.

    Parameters
    ----------
    curves
        ``{label: (steps, errors)}``.
    optima
        ``{label: optimum}`` for the curves whose best step is predicted: an
        `optimlib.differences.Optimum`, drawn as a star in the curve's color.

    Returns
    -------
    matplotlib.axes.Axes
        For what a chapter adds to it.

    Raises
    ------
    TypeError, ValueError
        If `curves` is not a dict with at least one label, or `optima` has a label that it lacks.

    Examples
    --------
    >>> axes = error_curves({"forward": ([1e-8, 1e-4], [1e-8, 5e-5])})
    >>> len(axes.lines)
    1
    >>> plt.close(axes.figure)
    """
    optima = optima or {}
    _check_named("curves", curves)
    if unknown := [label for label in optima if label not in curves]:
        raise ValueError(
            f"optima has the label {unknown[0]!r}; expected those of curves, {list(curves)}"
        )
    _, ax = plt.subplots()
    for label, (steps, errors) in curves.items():
        (line,) = ax.loglog(steps, errors, label=label)
        if label in optima:
            optimum = optima[label]
            (star,) = ax.plot(optimum.step, optimum.error, "*", color=line.get_color(), zorder=3)
            star.set(markersize=15, markeredgecolor=BLACK)
    ax.set(xlabel="step h", ylabel="relative error")
    ax.legend()
    return ax


def check_curves(curves: Mapping[str, Curve], ax: Axes | None = None) -> Axes:
    """Draw how far gradients are from central differences, against the step, on logarithmic axes.

    A right gradient makes a V. A wrong one makes a curve that is level at the size of its error.

    Parameters
    ----------
    curves
        ``{label: curve}``, as `optimlib.gradcheck.report.GradientReport.curve` makes them. A
        difference of exactly 0, which has no logarithm, is a triangle at the lower end. Steps whose
        difference is not finite are left out.
    ax
        The axes to draw on; a new figure's if none are given.

    Returns
    -------
    matplotlib.axes.Axes
        For what a chapter adds to it.

    Raises
    ------
    TypeError, ValueError
        If `curves` is not a dict of curves with at least one label.

    Examples
    --------
    >>> curve = Curve(np.array([0.5, 1.0]), np.array([3.25, 4.0]), np.array([0.25, 1.0]))
    >>> axes = check_curves({"W[0, 0]": curve})
    >>> axes.lines[0].get_ydata()
    array([0.25, 1.  ])
    >>> plt.close(axes.figure)
    """
    _check_named("curves", curves)
    for label, curve in curves.items():
        if not isinstance(curve, Curve):
            raise TypeError(f"curves[{label!r}] is a {type(curve).__name__}; expected report.curve(...)")
    if ax is None:
        _, ax = plt.subplots()
    every = np.concatenate([curve.difference for curve in curves.values()])
    floor = every[(every > 0) & np.isfinite(every)].min(initial=1.0) / 10
    for label, curve in curves.items():
        above = (curve.difference > 0) & np.isfinite(curve.difference)
        (line,) = ax.loglog(curve.steps[above], curve.difference[above], label=label)
        exact = curve.steps[curve.difference == 0]
        if exact.size:
            ax.plot(exact, np.full(exact.shape, floor), "v", color=line.get_color())
    ax.set(xlabel="step h", ylabel="|gradient − central difference|")
    ax.legend()
    return ax


def bands(runs: Mapping[str, tuple[Any, Any]], ax: Axes | None = None) -> Axes:
    """Draw repeated runs: the mean of each method, and the range between its lowest and highest run.

    Parameters
    ----------
    runs
        ``{label: (x, values)}``, `values` of shape (runs, points).
    ax
        The axes to draw on; a new figure's if none are given.

    Returns
    -------
    matplotlib.axes.Axes
        For labels, scales and the legend.

    Raises
    ------
    TypeError, ValueError
        If `runs` is not a dict with at least one label, or shapes don't belong together.

    Examples
    --------
    >>> axes = bands({"descent": ([1, 2, 3], [[3.0, 2.0, 1.0], [3.5, 2.5, 1.5]])})
    >>> float(axes.lines[0].get_ydata()[0])
    3.25
    >>> plt.close(axes.figure)
    """
    _check_named("runs", runs)
    for label, (x, values) in runs.items():
        if np.ndim(values) != 2 or np.shape(values)[1:] != np.shape(x):
            raise ValueError(
                f"runs[{label!r}] has x of shape {np.shape(x)} and values of shape {np.shape(values)};"
                " expected (points,) and (runs, points)"
            )
    if ax is None:
        _, ax = plt.subplots()
    for label, (x, values) in runs.items():
        values = np.asarray(values)
        (line,) = ax.plot(x, values.mean(axis=0), label=label)
        lowest, highest = values.min(axis=0), values.max(axis=0)
        ax.fill_between(x, lowest, highest, color=line.get_color(), alpha=0.2, linewidth=0)
    return ax


def separation(
    scores: Mapping[str, tuple[Mapping[str, float], float | None]], right: Collection[str]
) -> np.ndarray:
    """Draw what each of several scores makes of right and of wrong cases, one panel a score.

    Parameters
    ----------
    scores
        ``{label: ({case: score}, threshold)}``; a threshold of None draws no line. Scores are drawn on
        a logarithmic axis, those that are not finite at its right end, those of 0 at its left end.
    right
        The names of the cases that are right: circles, in the upper row. The others are crosses.

    Returns
    -------
    numpy.ndarray
        The axes, one for each score.

    Raises
    ------
    TypeError, ValueError
        If `scores` is not a dict with at least one label, or `right` names a case that it lacks.

    Examples
    --------
    >>> axes = separation({"score": ({"a": 1e-3, "b": 10.0}, 1)}, right=["a"])
    >>> len(axes)
    1
    >>> plt.close(axes[0].figure)
    """
    _check_named("scores", scores)
    known = {case for cases, _ in scores.values() for case in cases}
    if unknown := [case for case in right if case not in known]:
        raise ValueError(f"right has the case {unknown[0]!r}; expected cases of scores")
    _, axes = plt.subplots(len(scores), squeeze=False)
    for ax, (label, (cases, threshold)) in zip(axes[:, 0], scores.items(), strict=True):
        sizes = [score for score in cases.values() if 0 < score < float("inf")]
        least, most = min(sizes, default=1.0) / 10, max(sizes, default=1.0) * 10
        for row, name, marker, color in ((1, "right", "o", BLUE), (0, "wrong", "X", VERMILLION)):
            drawn = [score for case, score in cases.items() if (case in right) == (name == "right")]
            drawn = [min(max(least, score), most) if score == score else most for score in drawn]
            ax.plot(drawn, [row] * len(drawn), marker, color=color, markersize=9, alpha=0.75)
        if threshold is not None:
            ax.axvline(threshold, color=BLACK, linestyle=":")
        ax.set(
            xscale="log", xlabel=label, ylim=(-0.6, 1.6), yticks=[0, 1], yticklabels=["wrong", "right"]
        )
    return axes[:, 0]


def dashboard(
    runs: Mapping[str, Mapping[str, tuple[Any, Any]]],
    healthy: Mapping[str, tuple[Any, Any]],
    limits: Mapping[str, tuple[float, float]],
) -> np.ndarray:
    """Draw the instruments of several runs, one row a run and one column an instrument.

    Parameters
    ----------
    runs
        ``{label: {instrument: (x, values)}}``, `values` of shape (points,) or (points, lines).
    healthy
        What the same instruments show in a healthy run: wide gray lines behind those of every run.
    limits
        ``{instrument: (lowest, highest)}``: the columns, and the range of their axes, which is
        logarithmic if its lower end is above 0. A value outside is drawn at the nearer end.

    Returns
    -------
    numpy.ndarray
        The axes, of shape (runs, instruments).

    Raises
    ------
    TypeError, ValueError
        If `runs` or `limits` is not a dict with at least one label, a run or `healthy` is not a dict or
        lacks an instrument, or a range is not two numbers, the lower one first.

    Examples
    --------
    >>> run = {"loss": ([0, 1, 2], [4.0, 2.0, 1.0])}
    >>> axes = dashboard({"a run": run}, healthy=run, limits={"loss": (0.1, 10)})
    >>> axes.shape
    (1, 1)
    >>> plt.close(axes[0, 0].figure)
    """
    _check_named("runs", runs)
    _check_named("limits", limits)
    for name, ends in limits.items():
        if not (isinstance(ends, tuple) and len(ends) == 2 and ends[0] < ends[1]):
            raise ValueError(f"limits[{name!r}] is {ends!r}; expected (lowest, highest)")
    for label, run in [
        *((f"runs[{label!r}]", run) for label, run in runs.items()),
        ("healthy", healthy),
    ]:
        _check_named(label, run)
        if missing := [name for name in limits if name not in run]:
            raise ValueError(f"{label} has no {missing[0]!r}; expected {list(limits)}")
    fig, axes = plt.subplots(
        len(runs), len(limits), squeeze=False, sharex=True, figsize=(5.6, 0.6 + 1.15 * len(runs))
    )
    fig.set_layout_engine("constrained", h_pad=0.11)  # room for the label of a row
    for row, (label, run) in zip(axes, runs.items(), strict=True):
        title = row[0].text(0, 1.04, label, transform=row[0].transAxes, fontweight="bold", va="bottom")
        title.set_in_layout(False)  # it may reach over the panels to its right
        for ax, (name, (lowest, highest)) in zip(row, limits.items(), strict=True):
            x, values = healthy[name]
            ax.plot(x, np.clip(values, lowest, highest), color="#BBBBBB", linewidth=3.5, linestyle="-")
            x, values = run[name]
            ax.plot(x, np.clip(values, lowest, highest), linewidth=1.5)
            if lowest > 0:
                beyond = (highest / lowest) ** 0.06
                ax.set(yscale="log", ylim=(lowest / beyond, highest * beyond))
                ax.set_yticks([lowest, np.sqrt(lowest * highest), highest])
                ax.minorticks_off()
            else:
                beyond = 0.06 * (highest - lowest)
                ax.set(ylim=(lowest - beyond, highest + beyond), yticks=[lowest, highest])
            ax.tick_params(labelsize=8.5)
    for ax, name in zip(axes[0], limits, strict=True):
        ax.annotate(
            name, (0.5, 1.0), (0, 20), xycoords="axes fraction", textcoords="offset points", ha="center"
        )
    for ax in axes[-1]:
        ax.set_xlabel("step")
    return axes


def _check_named(name: str, drawn: Mapping[str, Any]) -> None:
    """Refuse what is not a dict by label, and an empty one, of which nothing could be drawn."""
    if not isinstance(drawn, Mapping):
        raise TypeError(f"{name} is a {type(drawn).__name__}; expected a dict by label")
    if not drawn:
        raise ValueError(f"{name} is empty; expected at least one label")
