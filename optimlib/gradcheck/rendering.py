"""How a report of a gradient check reads: on a terminal, and as a table in a notebook.

Both say the same: a headline, why nothing could be compared, the probes in a table, hints, remarks.

Of a loss in float64, a table leaves out what roundings decide, and with them the processor: a number
within its tolerance is ``~0``, and of a tolerance a power of ten above it is given.
"""

from __future__ import annotations

from math import floor, inf, log10
from textwrap import wrap
from typing import TYPE_CHECKING

from optimlib.gradcheck.slope import SHARP
from optimlib.trees import format_index

if TYPE_CHECKING:
    from optimlib.gradcheck.report import GradientReport, Probe

COLUMNS = 100  # of a terminal; no row of a table is longer
TEXT = 88  # columns of a page beside its list of contents; no sentence of a report runs further
LONGEST = 300  # letters of a sentence: four lines
HEADINGS = ["analytic", "numeric", "difference", "+-", "ratio", "verdict"]
NEARLY_ONE = 1e-4  # a ratio closer to 1 than this is shown by its distance from 1


def as_text(report: GradientReport) -> str:
    """A report as lines of at most `COLUMNS` letters."""
    lines = wrap(report.headline, TEXT)
    lines += wrap(shorten(report.problem, LONGEST), TEXT)
    if report.probes:
        lines += _table(report)
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
        head, *rows = _rows(report, place_width=COLUMNS // 3)
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


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "probe"), counted(2, "failing probe"), counted(0, "probe")
    ('1 probe', '2 failing probes', '0 probes')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def format_ratio(ratio: float, uncertainty: float = 0.0) -> str:
    """A ratio with six digits; close to 1 or -1, by its distance from it, if that is certain.

    >>> format_ratio(0.5), format_ratio(1 + 3e-8), format_ratio(-1 + 2e-6)
    ('0.5', '1 + 3e-08', '-1 + 2e-06')
    >>> format_ratio(1 + 3e-6, uncertainty=1e-5)
    '1'
    """
    for whole in (1, -1):
        distance = ratio - whole
        if abs(distance) <= uncertainty < 1:
            return f"{whole}"
        if uncertainty < abs(distance) < NEARLY_ONE:
            return f"{whole} {'+' if distance > 0 else '-'} {abs(distance):.2g}"
    return f"{ratio:.6g}"


def power_of_ten_above(bound: float) -> str:
    """The least power of ten above a number that is above 0.

    >>> power_of_ten_above(3e-12), power_of_ten_above(1e-12), power_of_ten_above(20.0)
    ('1e-11', '1e-11', '1e+02')
    """
    return f"1e{floor(round(log10(bound), 9)) + 1:+03d}"  # round: log10(1e-12) may be just below -12


def format_tolerance(probe: Probe) -> str:
    """A power of ten above a probe's tolerance, and above what it may have overlooked.

    What agrees may be off by `Probe.fine`. A difference beyond the tolerance is given to seven digits.
    """
    fine = SHARP * abs(probe.difference) if probe.disagreement else probe.fine
    bound = max(probe.tolerance, fine)
    return f"<{power_of_ten_above(bound)}" if 0 < bound < inf else f"{bound:g}"


def _numbers(p: Probe) -> list[str]:
    """The cells of a probe between its place and its verdict."""
    decided = p.verdict != "inconclusive"  # else a reader wants to see what is within the tolerance

    def is_zero(value: float) -> bool:
        return decided and abs(value) <= p.tolerance

    uncertainty = p.tolerance / abs(p.numeric) if p.numeric else 0.0
    return [
        "~0" if p.analytic and is_zero(p.analytic) else f"{p.analytic:.6e}",
        "~0" if is_zero(p.numeric) else f"{p.numeric:.6e}",
        "~0" if is_zero(p.difference) else f"{p.difference:.1e}",
        format_tolerance(p),
        "nan" if is_zero(p.numeric) else format_ratio(p.ratio, uncertainty),
    ]


def _rows(report: GradientReport, place_width: int) -> list[list[str]]:
    """A row of cells for every probe that is shown, under a row of headings."""
    rows = [["for example" if report.passed else "worst", *HEADINGS]]
    for p in report.shown():
        place = shorten(p.place, place_width, end=len(format_index(p.index or ())))
        rows.append([place, *_numbers(p), p.verdict])
    return rows


def _table(report: GradientReport) -> list[str]:
    """One line a probe, in columns, under a heading; the places get the room that is left."""
    widths = [max(map(len, column)) for column in zip(*_rows(report, COLUMNS), strict=True)]
    rows = _rows(report, COLUMNS - sum(widths[1:]) - 2 * len(widths[1:]))
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for place, *numbers, verdict in rows:
        aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
        lines.append("  ".join([place.ljust(widths[0]), *aligned, verdict]))
    return lines
