"""The very same rule without new arrays: every result takes a place that has become free (chapter 16).

Every line of a rule makes a new array, and together they push each other out of the fast part of the
cache. A rule's program (`optimlib.optimizers.engine.tracing`) shows when an array is read for
the last time. From then on
its memory can take a result: a large step needs less time, and hardly any memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from optimlib import trees
from optimlib.optimizers.engine.tracing import Line, Program, as_function


def prepare(program: Program, numbers: Sequence[float], dtype: np.dtype) -> Callable[..., None]:
    """What takes this step with a block: a function of `p`, `g` and the state, which it changes.

    It belongs to one thread: the blocks share its memory for what is computed under way.
    """
    update, rows = in_place(program)
    # Beside an array, NumPy takes a Python number as one of the array's precision.
    rounded = [np.array(number, dtype) for number in numbers]
    scratch = np.empty((rows, trees.blocks.BLOCK_BYTES // dtype.itemsize), dtype)

    def step(p: np.ndarray, *arrays: np.ndarray) -> None:
        update(p, *arrays, rounded, scratch[:, : p.size])

    return step


@lru_cache(maxsize=64)
def in_place(program: Program) -> tuple[Callable[..., None], int]:
    """The function whose text `source` gives, and the rows of `scratch`."""
    text, rows = source(program)
    return as_function(text), rows


def source(program: Program) -> tuple[str, int]:
    """A program as Python, and how many rows of the block's length its `scratch` has.

    >>> from optimlib.optimizers.engine.tracing import trace
    >>> def heavy_ball(p, g, state):
    ...     b = 0.9 * state[0] + g
    ...     return p, 0.1 * b, (b,)
    >>> program, numbers = trace(heavy_ball, ["b"])
    >>> text, rows = source(program)
    >>> print(text)
    def update(p, g, state_b, numbers, scratch):
        [c0, c1] = numbers
        [s0] = scratch
        np.multiply(c0, state_b, out=state_b)
        np.add(state_b, g, out=state_b)
        np.multiply(c1, state_b, out=s0)
        np.subtract(p, s0, out=p)
    """
    program = keep_old_arrays(program)
    places, rows = assign_places(program)
    text = [
        f"def update({', '.join(program.inputs)}, numbers, scratch):",
        f"[{', '.join(program.numbers)}] = numbers",
        f"[{', '.join(f's{row}' for row in range(rows))}] = scratch",
    ]
    for line in program.lines:
        arguments = [places.get(name, name) for name in line.arguments]
        if line.is_comparison:  # the only results of another dtype
            text.append(f"{line.result} = np.{line.function}({', '.join(arguments)})")
        else:
            text.append(f"np.{line.function}({', '.join(arguments)}, out={places[line.result]})")
    for array, new in zip(program.changed, program.results, strict=True):
        if places[new] != array:
            text.append(f"np.copyto({array}, {places[new]})")
    return "\n    ".join(text), rows


def keep_old_arrays(program: Program) -> Program:
    """The same program, with copies of what would be overwritten before it is read at the end.

    That is an array that takes another's place, as where a rule remembers the last two gradients.

    >>> keep_old_arrays(Program(("p", "state_a", "state_b"), (), ("p", "g", "state_a")))
    ... # doctest: +NORMALIZE_WHITESPACE
    Program(changed=('p', 'state_a', 'state_b'),
            lines=(Line(result='old_state_a', function='positive', arguments=('state_a',)),),
            results=('p', 'g', 'old_state_a'))
    """
    moves = [
        new in program.changed and new != array
        for array, new in zip(program.changed, program.results, strict=True)
    ]
    results = [f"old_{new}" if moved else new for moved, new in zip(moves, program.results, strict=True)]
    moved = dict.fromkeys(new for new in results if new.startswith("old_"))
    copies = [Line(name, "positive", (name.removeprefix("old_"),)) for name in moved]
    return program._replace(lines=(*copies, *program.lines), results=tuple(results))


def assign_places(program: Program) -> tuple[dict[str, str], int]:
    """The array in which each value lies, by name, and how many rows of scratch there are.

    A result goes to the array that it replaces, if what lies there is no longer read, and else to a new
    row of scratch, from where it is copied at the end. It borrows no other result's array, which may be
    written to before that copy is made. Any other value takes the first free place.
    """
    last_read = {name: k for k, line in enumerate(program.lines) for name in line.arguments}
    last_read |= dict.fromkeys(program.results, len(program.lines))
    # A value that replaces two arrays goes to the first of them: what is entered last stays.
    home = dict(zip(reversed(program.results), reversed(program.changed), strict=True))
    places = {name: name for name in program.inputs}
    free = [array for array in program.changed if array not in last_read]
    rows = 0
    for k, line in enumerate(program.lines):
        read_no_more = [name for name in dict.fromkeys(line.arguments) if last_read[name] == k]
        free = [places[name] for name in read_no_more if name in places and name != "g"] + free
        if line.is_comparison:
            continue
        wanted = home.get(line.result)
        fitting = [place for place in free if wanted in (None, place)]
        place = (fitting or [f"s{rows}"])[0]
        rows += place not in free
        free = [other for other in free if other != place]
        places[line.result] = place
    return places, rows
