"""How hints are worded: leaves by name, probes by number, factors as one would write them."""

from __future__ import annotations

from collections.abc import Sequence

from optimlib.gradcheck.diagnosis.evidence import Leaf
from optimlib.gradcheck.rendering import NEARLY_ONE, counted, format_ratio, shorten
from optimlib.trees import format_index

NAMED = 3  # places or leaves that a hint names before it counts the rest


def named(leaf: Leaf) -> str:
    """A leaf by its name, which may be long."""
    return shorten(f"theta{leaf.path}", 40)


def where(group: list[Leaf], leaves: list[Leaf]) -> str:
    """The leaves of a group by name; many are "everywhere" if the loss has no slope in any other."""
    others = [leaf for leaf in leaves if leaf not in group]
    if len(group) > 2 and not any(leaf.sloping.any() for leaf in others):
        return "everywhere"
    names = ", ".join(map(named, group[:NAMED]))
    return f"{names} and {len(group) - NAMED} more" if len(group) > NAMED else names


def indices(chosen: Sequence[tuple[int, ...] | None]) -> str:
    """The first few places in a leaf.

    >>> indices([(0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])
    '[0, 1], [0, 2], [1, 1] and 2 more'
    """
    shown = ", ".join(format_index(index or ()) for index in chosen[:NAMED])
    return f"{shown} and {len(chosen) - NAMED} more" if len(chosen) > NAMED else shown


def failing(group: list[Leaf]) -> str:
    """How many probes of a group failed."""
    return counted(sum(int(leaf.failed.sum()) for leaf in group), "failing probe")


def fraction(factor: float) -> str:
    """A factor as one would write it.

    >>> fraction(32.0), fraction(1 / 32), fraction(0.9995), fraction(1 + 1e-6)
    ('32', '1/32', '0.9995', '(1 + 1e-06)')
    """
    if _is_whole(factor):
        return f"{factor:.15g}"
    if _is_whole(1 / factor):
        return f"{'-' if factor < 0 else ''}1/{abs(1 / factor):.15g}"
    text = format_ratio(factor)
    return f"({text})" if abs(abs(factor) - 1) < NEARLY_ONE else text


def _is_whole(number: float) -> bool:
    return abs(number) < 1e15 and abs(number - round(number)) <= 1e-12 * abs(number)
