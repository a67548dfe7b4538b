"""How a report of a gradient check reads: on a terminal, and as a table in a notebook.

Both say the same: a headline, why nothing could be compared, the probes in a table, hints, remarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from optimlib.trees import format_index

if TYPE_CHECKING:
    from optimlib.gradcheck.report import GradientReport, Probe

COLUMNS = 100  # of a terminal; no row of a table is longer
TEXT = 88  # columns of a page beside its list of contents; no sentence of a report runs further
LONGEST = 300  # letters of a sentence: four lines
HEADINGS = ["worst", "analytic", "numeric", "difference", "+-", "ratio", "verdict"]
NEARLY_ONE = 1e-4  # a ratio closer to 1 than this is shown by its distance from 1


def as_text(report: GradientReport) -> str:
    """A report as lines of at most `COLUMNS` letters."""
    lines = wrap(report.headline, TEXT)
    lines += wrap(shorten(report.problem, LONGEST), TEXT)
    if report.probes:
        lines += _table(report.shown())
    for hint in report.hints:
        lines += wrap(f"hint: {shorten(hint, LONGEST)}", TEXT, subsequent_indent="      ")
    for remark in report.remarks():
        lines += wrap(shorten(remark, LONGEST), TEXT)
    return "\n".join(lines)


def as_html(report: GradientReport) -> str:
    """A report as a table with a caption, lists and paragraphs, without colors of its own.

    Themes know the class "dataframe" of pandas, and give such tables colors for light and dark.
    """
    from html import escape  # which only notebooks need

    parts = []
    if report.probes:
        head, *rows = _rows(report.shown(), place_width=COLUMNS // 3)
        parts.append(f'<table class="dataframe">\n<caption>{escape(report.headline)}</caption>')
        cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
        parts.append(f"<thead><tr>{cells}</tr></thead>\n<tbody>")
        for place, *numbers in rows:
            cells = "".join(f"<td>{escape(number)}</td>" for number in numbers)
            parts.append(f'<tr><th scope="row"><code>{escape(place)}</code></th>{cells}</tr>')
        parts.append("</tbody>\n</table>")
    else:
        parts.append(f"<p>{escape(report.headline)}</p>")
    if report.problem:
        parts.append(f"<p>{escape(shorten(report.problem, LONGEST))}</p>")
    if report.hints:
        items = "".join(f"<li>{escape(shorten(hint, LONGEST))}</li>" for hint in report.hints)
        parts.append(f"<p>Hints:</p>\n<ul>{items}</ul>")
    parts += [f"<p>{escape(shorten(remark, LONGEST))}</p>" for remark in report.remarks()]
    return '<div class="gradient-report">\n' + "\n".join(parts) + "\n</div>"


def shorten(text: str, width: int, end: int = 0) -> str:
    """A text of at most `width` letters, cut in its middle; its last `end` letters stay if they can.

    >>> shorten("theta['encoder']['attention']['W'][12, 7]", 30, end=len("[12, 7]"))
    "theta['encoder...]['W'][12, 7]"
    """
    if len(text) <= width:
        return text
    last = min(width - 3, max(end, (width - 3) // 2))
    first = width - 3 - last
    return f"{text[:first]}...{text[len(text) - last :]}"


def format_ratio(ratio: float, uncertainty: float = 0.0) -> str:
    """A ratio with six digits; close to 1 or -1, by its distance from it, if that is certain.

    >>> format_ratio(0.5), format_ratio(1 + 3e-8), format_ratio(-1 + 2e-6)
    ('0.5', '1 + 3e-08', '-1 + 2e-06')
    >>> format_ratio(1 + 3e-8, uncertainty=1e-7)
    '1'
    """
    for whole in (1, -1):
        distance = ratio - whole
        if uncertainty < abs(distance) < NEARLY_ONE:
            return f"{whole} {'+' if distance > 0 else '-'} {abs(distance):.2g}"
    return f"{ratio:.6g}"


def _rows(probes: Sequence[Probe], place_width: int) -> list[list[str]]:
    """A row of cells for every probe, under a row of headings."""
    rows = [HEADINGS]
    for p in probes:
        place = shorten(p.place, place_width, end=len(format_index(p.index or ())))
        numbers = [f"{p.analytic:.6e}", f"{p.numeric:.6e}", f"{p.difference:.1e}", f"{p.error:.0e}"]
        uncertainty = p.error / abs(p.numeric) if p.numeric else 0.0
        rows.append([place, *numbers, format_ratio(p.ratio, uncertainty), p.verdict])
    return rows


def _table(probes: Sequence[Probe]) -> list[str]:
    """One line a probe, in columns, under a heading; the places get the room that is left."""
    widths = [max(map(len, column)) for column in zip(*_rows(probes, COLUMNS), strict=True)]
    rows = _rows(probes, COLUMNS - sum(widths[1:]) - 2 * len(widths[1:]))
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for place, *numbers, verdict in rows:
        aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
        lines.append("  ".join([place.ljust(widths[0]), *aligned, verdict]))
    return lines
