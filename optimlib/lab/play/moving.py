"""A figure that the reader moves: what a cell shows of it, and its controls."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log2, log10, nan
from numbers import Integral
from typing import Any

from optimlib.arguments import real_number
from optimlib.lab.play.drawing import Panel, Points

PLACES = {
    "linear": float,
    "log10": log10,
    "log2": log2,
    "one minus": lambda value: -log10(1 - value),
}
"""Where a value lies on a slider of each scale."""

VALUES = {
    "linear": lambda place: int(place) if place == int(place) else place,
    "log10": lambda place: float(f"{10**place:.3g}"),
    "log2": lambda place: 2.0**place,
    "one minus": lambda place: float(f"{1 - 10**-place:.4g}"),
}
"""The value at a place of a slider of each scale, as the page's script has it."""


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
        "linear"; "log10", where a place is an exponent; "log2", where it is a whole one; or "one
        minus", where a place `p` stands for ``1 - 10**-p``.
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
        """Where a value lies on the scale, or NaN if the scale does not have it."""
        try:
            return round(PLACES[self.scale](value), 9)
        except ValueError:  # the logarithm of 0, or of less
            return nan

    def checked(self, value: Any) -> float:
        """A value as a Python number, once it is a number on the slider.

        Raises
        ------
        TypeError
            If it is no real number.
        ValueError
            If it lies outside, or is no power of two where the slider has nothing else.

        Examples
        --------
        >>> Slider("beta2", "β₂", 1, 4, 0.25, "one minus").checked(1.0)
        Traceback (most recent call last):
            ...
        ValueError: beta2 is 1.0; expected 0.9 <= beta2 <= 0.9999
        """
        number = real_number(self.name, value)
        place = self.place(number)
        if not self.low <= place <= self.high:
            low, high = (VALUES[self.scale](end) for end in (self.low, self.high))
            raise ValueError(f"{self.name} is {value}; expected {low} <= {self.name} <= {high}")
        if self.scale == "log2" and 2.0**place != number:
            raise ValueError(f"{self.name} is {value}; expected a power of two")
        return int(value) if isinstance(value, Integral) else number

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

    def checked(self, value: Any) -> str:
        """A value as a Python text, once it is one of the words.

        Raises
        ------
        TypeError
            If it is no text.
        ValueError
            If it is another one.

        Examples
        --------
        >>> Choice("shape", "shape", ("constant", "linear")).checked("flat")
        Traceback (most recent call last):
            ...
        ValueError: shape is 'flat'; expected 'constant' or 'linear'
        """
        expected = f"expected {' or '.join(map(repr, self.options))}"
        if not isinstance(value, str):
            raise TypeError(f"{self.name} is {value!r} of type {type(value).__name__}; {expected}")
        if value not in self.options:
            raise ValueError(f"{self.name} is {str(value)!r}; {expected}")
        return str(value)

    def written(self, value: str) -> dict[str, Any]:
        """What the page's script needs to know."""
        return {
            "name": self.name,
            "label": self.label,
            "options": list(self.options),
            "value": value,
        }


def checked(controls: Sequence[Slider | Choice], **settings: Any) -> dict[str, Any]:
    """The settings as Python numbers and texts, in the order of their controls.

    Raises
    ------
    TypeError, ValueError
        If one is no value of its control.

    Examples
    --------
    >>> import numpy as np
    >>> checked([Slider("size", "size", 0, 9, 1)], size=np.int64(2))
    {'size': 2}
    """
    return {control.name: control.checked(settings[control.name]) for control in controls}


def unbroken(said: str) -> str:
    r"""A sentence in which no line ends beside "=" or "×".

    >>> ascii(unbroken("At h = 2."))
    "'At h\\xa0=\\xa02.'"
    """
    return re.sub(" ([=×]) ", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", said)


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
            f'<p class="play-said">{escape(unbroken(self.said))}</p></div>'
        )

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({settings}): {self.said}"
