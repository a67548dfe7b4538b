"""One large gradient among ones: the two means of Adam and its step, before and after."""

from __future__ import annotations

import numpy as np

from optimlib.lab.play.bowls import powers, ticks
from optimlib.lab.play.drawing import Mark, Panel, digits, points
from optimlib.lab.play.moving import Play, Slider, checked
from optimlib.optimizers import Adam

BEFORE, AFTER = 5000, 1000  # steps
BETA1 = 0.9
FROM = -50
SLIDERS = (
    Slider("size", "size of the spike", 0, 4, 0.25, "log10"),
    Slider("threshold", "clipped at", 0, 4, 0.25, "log10"),
    Slider("beta2", "Adam's β₂", 1, 4, 0.25, "one minus"),
)
ALT = (
    "First panel: Adam's mean of the gradients and the root of its mean of squares around the spike,"
    " on a logarithmic axis. Unless the spike is clipped to the usual size, both jump up; the mean falls"
    " back within about a hundred steps, and the root takes longer, the longer the nearer β₂ is to one."
    " Second panel: the length of the step in learning rates, which is too short while the root is too"
    " large and the mean has fallen back."
)


def spike(size: float = 1000.0, threshold: float = 1e4, beta2: float = 0.999) -> Play:
    """Adam's two means and its steps around one large gradient among ones.

    Parameters
    ----------
    size, threshold, beta2
        Where the sliders begin: the large gradient, the norm at which gradients are clipped, and the
        decay rate of the mean of squares.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(spike(1000.0, threshold=1.0).said)
    Adam sees a spike of 1. The length of its step, in learning rates, is 1 at the spike, 1 after 100
    more steps and 1 after 1,000.
    """
    settings = checked(SLIDERS, size=size, threshold=threshold, beta2=beta2)
    size, threshold, beta2 = settings.values()
    theta = np.zeros(1)
    optimizer = Adam(theta, 1.0, beta1=BETA1, beta2=beta2, clip_norm=threshold)
    t = BEFORE + FROM  # after so many ones the means are known
    known = {"t": np.array(t), "m": np.array([1 - BETA1**t]), "v": np.array([1 - beta2**t])}
    optimizer.load_state_dict(optimizer.state_dict() | known)
    rows = []
    for k in range(FROM, AFTER + 1):
        theta[:], t = 0.0, t + 1
        optimizer.step(np.array([1.0 if k else size], dtype=float))
        m, v = (float(optimizer.state[slot][0]) for slot in ("m", "v"))
        rows.append((m / (1 - BETA1**t), np.sqrt(v / (1 - beta2**t)), -float(theta[0])))
    since = [k for k in range(FROM, AFTER + 1) if k <= 100 or k % 10 == 0]
    means, roots, steps = np.array(rows)[np.array(since) - FROM].T
    moved = {
        "mean": points(since, means),
        "root": points(since, roots),
        "step": points(since, steps),
    }
    after = {k: digits(steps[since.index(k)]) for k in (0, 100, 1000)}
    said = (
        f"Adam sees a spike of {digits(min(size, threshold))}. The length of its step, in"
        f" learning rates, is {after[0]} at the spike, {after[100]} after 100 more steps and"
        f" {after[1000]} after 1,000."
    )
    fixed = {"before": BEFORE, "after": AFTER, "beta1": BETA1, "from": FROM}
    return Play("spike", settings, fixed, SLIDERS, PANELS, ALT, moved, said)


PANELS = (
    Panel(
        "the two means",
        "steps since the spike",
        "size",
        x=(FROM, AFTER),
        y=(0.5, 5000),
        xticks=ticks(0, 250, 500, 750, 1000),
        yticks=powers(0, 1, 2, 3),
        logarithmic="y",
        legend=(("blue", "— mean m̂"), ("vermillion", "- - root of v̂")),
        marks=(
            Mark("line", "blue", "mean"),
            Mark("line", "vermillion dashed", "root"),
        ),
    ),
    Panel(
        "the step",
        "steps since the spike",
        "step / learning rate",
        x=(FROM, AFTER),
        y=(0.001, 10),
        xticks=ticks(0, 250, 500, 750, 1000),
        yticks=powers(-3, -2, -1, 0, 1),
        logarithmic="y",
        marks=(Mark("line", "blue", "step"),),
    ),
)
