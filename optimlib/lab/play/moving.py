"""A figure that the reader moves: what a cell shows of it, and its controls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite, log2, log10
from typing import Any

from optimlib.lab.play.drawing import Panel, Points

PLACES = {
    "linear": float,
    "log10": log10,
    "log2": log2,
    "one minus": lambda value: -log10(1 - value),
}
"""Where a value lies on a slider of each scale."""


@dataclass(frozen=True)
class Slider:
    """A number to be moved between two ends.

    Attributes
    ----------
    name, label
        The argument that it stands for, and what the page calls it.
    low, high, step
        The ends and the step, as places on the slider's scale.
    scale
        "linear"; "log10" or "log2", where a place is an exponent; or "one minus", where a place `p`
        stands for ``1 - 10**-p``.
    unit
        What is written behind the number.

    Examples
    --------
    >>> Slider("beta2", "β₂", 1, 4, 0.25, "one minus").place(0.999)
    3.0
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    scale: str = "linear"
    unit: str = ""

    def place(self, value: float) -> float:
        """Where a value lies on the scale; a `ValueError` if it lies outside."""
        try:
            place = round(PLACES[self.scale](value), 9)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.name} is {value!r}; expected a number on the slider") from error
        if not (isfinite(place) and self.low <= place <= self.high):
            raise ValueError(f"{self.name} is {value!r}, which lies outside of the slider")
        return place

    def written(self, value: float) -> dict[str, Any]:
        """What the page's script needs to know."""
        return {
            "name": self.name,
            "label": self.label,
            "low": self.low,
            "high": self.high,
            "step": self.step,
            "scale": self.scale,
            "unit": self.unit,
            "value": value,
            "place": self.place(value),
        }


@dataclass(frozen=True)
class Choice:
    """One of several words.

    >>> Choice("shape", "shape", ("constant", "linear")).written("linear")["options"]
    ['constant', 'linear']
    """

    name: str
    label: str
    options: tuple[str, ...]

    def written(self, value: str) -> dict[str, Any]:
        """What the page's script needs to know."""
        if value not in self.options:
            raise ValueError(f"{self.name} is {value!r}; expected one of {', '.join(self.options)}")
        return {
            "name": self.name,
            "label": self.label,
            "options": list(self.options),
            "value": value,
        }


def checked(controls: Sequence[Slider | Choice], **settings: Any) -> dict[str, Any]:
    """The settings, each a value of its control; a `ValueError` names the argument that is not."""
    for control in controls:
        control.written(settings[control.name])
    return settings


class Play:
    """A figure that the reader moves: a still picture that the page's script wakes up.

    Parameters
    ----------
    name
        The function of the page's script that computes what is drawn.
    settings
        The values that the controls begin with, by name.
    fixed
        What the script needs beside them.
    controls
        Sliders and choices, one for each setting.
    panels
        What they are drawn into.
    alt
        What is to be seen, for those who do not see it.
    points
        The points of the marks that move, by name.
    said
        One or two sentences that say in numbers what is seen.

    Examples
    --------
    >>> panel = Panel("", "x", "y", x=(0, 1), y=(0, 1))
    >>> slider = Slider("size", "size", 0, 1, 0.1)
    >>> Play("none", {"size": 0.5}, {}, (slider,), (panel,), "An empty panel.", {}, "Nothing.")
    none(size=0.5): Nothing.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        fixed: Mapping[str, Any],
        controls: Sequence[Slider | Choice],
        panels: Sequence[Panel],
        alt: str,
        points: Mapping[str, Points],
        said: str,
    ) -> None:
        self.name, self.settings, self.fixed = name, settings, fixed
        self.controls, self.panels, self.alt = controls, panels, alt
        self.points, self.said = points, said
        written = [control.written(settings[control.name]) for control in controls]
        self.options = {"controls": written, "fixed": fixed}

    def _repr_html_(self) -> str:
        options = json.dumps(self.options, ensure_ascii=False, separators=(",", ":"))
        panels = "".join(panel.svg(self.points) for panel in self.panels)
        return (
            f'<div class="play" data-play="{self.name}" data-options="{escape(options)}">'
            f'<div class="play-panels" role="img" aria-label="{escape(self.alt)}">{panels}</div>'
            f'<p class="play-said">{escape(self.said)}</p></div>'
        )

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({settings}): {self.said}"
