"""What the shape of a gradient suggests that does not fit its parameter: a sum, an axis, a transpose."""

from __future__ import annotations

from itertools import permutations
from math import prod

Shape = tuple[int, ...]


def shape_hint(received: Shape, expected: Shape) -> str:
    """What the shape of a gradient that does not fit suggests; "" if it suggests nothing.

    Parameters
    ----------
    received, expected
        The shape of the gradient, and that of the parameter.

    Examples
    --------
    >>> shape_hint((32, 10), expected=(10,))
    'the sum over the first axis (the batch?) is missing'
    >>> shape_hint((3, 5), expected=(5, 3))
    'transposed'
    >>> shape_hint((1, 10), expected=(10,))
    'an axis of length 1 is left over: keepdims?'
    >>> shape_hint((1, 3), expected=(4, 3))
    'summed over axis 0, which the parameter has?'
    """
    if received == expected:
        return ""
    if received == expected[::-1]:
        return "transposed"
    if _long(received) == _long(expected) and len(received) != len(expected):
        left_over = len(received) > len(expected)
        return (
            f"an axis of length 1 is {'left over: keepdims?' if left_over else 'lost: keepdims=True?'}"
        )
    axes = _broadcast(received, expected)
    if axes:
        keepdims = ", with keepdims=True," if len(received) == len(expected) else ""
        jacobian = ", or this is a Jacobian, still to be multiplied?"
        return (
            f"the sum over {_named(axes)}{keepdims} is missing"
            f"{jacobian if received == expected + expected else ''}"
        )
    for axis in range(len(received)):
        if received[:axis] + received[axis + 1 :] == expected:
            return f"the sum over axis {axis} is missing?"
    for axis in range(len(expected)):
        if expected[:axis] + expected[axis + 1 :] == received:
            return f"summed over axis {axis}, which the parameter has?"
    summed = _broadcast(expected, received) if len(received) == len(expected) else []
    if summed:
        axes_named = f"axes {', '.join(map(str, summed))}" if len(summed) > 1 else f"axis {summed[0]}"
        return f"summed over {axes_named}, which the parameter has?"
    if prod(received) == prod(expected):
        permuted = len(received) > 2 and expected in permutations(received)
        return (
            "its axes are in another order" if permuted else "another shape of the same size: reshaped?"
        )
    return ""


def _long(shape: Shape) -> list[int]:
    """The axes that are longer than 1."""
    return [n for n in shape if n != 1]


def _broadcast(received: Shape, expected: Shape) -> list[int]:
    """Along which axes of `received` a parameter of the expected shape was broadcast, if it was."""
    lead = len(received) - len(expected)
    if lead < 0 or any(m not in (1, n) for m, n in zip(expected, received[lead:], strict=True)):
        return []
    stretched = [lead + i for i, m in enumerate(expected) if m == 1 != received[lead + i]]
    return list(range(lead)) + stretched


def _named(axes: list[int]) -> str:
    if axes == [0]:
        return "the first axis (the batch?)"
    if axes == list(range(len(axes))):
        return f"the first {len(axes)} axes"
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
