"""The book's figures: one shared style, and one function for each kind of figure.

Needs Matplotlib, which ``pip install .[figures]`` brings. A chapter calls `use_style` in its
first cell.

The colours are told apart by readers with any common colour-blindness, each has a contrast of at
least 3 to 1 with white, and a line differs from the next by its dashes too, so a figure never
speaks by colour alone. Figures are opaque white PNGs; the book's style sheet inverts their
lightness in dark mode.
"""

import matplotlib.pyplot as plt
from cycler import cycler

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#008F68"
PURPLE = "#AA3377"
BLACK = "#222222"
GREY = "#767676"  # for what stands behind the message: guides, theory, the old curve

STYLE = {
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
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
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
    "image.cmap": "cividis",  # even in lightness, the same to every kind of colour vision
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
    plt.rcParams.update(STYLE)


def error_curves(curves, optima=None):
    """Draw errors against the step, on logarithmic axes, one labelled curve each.

    Parameters
    ----------
    curves
        ``{label: (steps, errors)}``.
    optima
        ``{label: optimum}`` for the curves whose best step is predicted: an
        `optimlib.differences.Optimum`, drawn as a star in the curve's colour.

    Returns
    -------
    matplotlib.axes.Axes
        For what a chapter adds to it.

    Examples
    --------
    >>> axes = error_curves({"forward": ([1e-8, 1e-4], [1e-8, 5e-5])})
    >>> len(axes.lines)
    1
    >>> plt.close(axes.figure)
    """
    optima = optima or {}
    _, ax = plt.subplots()
    for label, (steps, errors) in curves.items():
        (line,) = ax.loglog(steps, errors, label=label)
        if label in optima:
            optimum = optima[label]
            star = {"marker": "*", "markersize": 15, "markeredgecolor": BLACK, "linestyle": "none"}
            ax.plot(optimum.step, optimum.error, color=line.get_color(), zorder=3, **star)
    ax.set(xlabel="step h", ylabel="relative error")
    ax.legend()
    return ax
