"""The verdict on a claimed slope: the claim, the estimate and its band, on every rung of the ladder."""

from __future__ import annotations

from itertools import islice
from math import copysign, log2, log10

from optimlib.differences import Estimate, estimates, unit_roundoff
from optimlib.gradcheck.slope import BLUNT, SHARP, SlopeTest
from optimlib.lab.play.bowls import powers
from optimlib.lab.play.drawing import Mark, Panel, digits, points, raised
from optimlib.lab.play.moving import Choice, Play, Slider, checked

FIRST, RUNGS = 3, 30  # the ladder begins with the step 2**-FIRST
CONSTANTS = ("0", "1e6", "1e10", "1e13")
NEAREST = 14  # a distance of 10**-NEAREST is drawn at the middle
CONTROLS = (
    Slider("error", "claim wrong by", -12, 0, 0.25, "log10"),
    Slider("step", "step h", -FIRST - RUNGS + 1, -FIRST, 1, "log2"),
    Choice("constant", "constant added", CONSTANTS),
)
ALT = (
    "First panel: a scale of distances from the estimate, logarithmic on both sides of it, with the"
    " estimate as a dot in the middle of a shaded band, which reaches as far as the tolerance, and the"
    " claim as a cross. Second panel: the tolerance against the step on logarithmic axes, with a dot at"
    " the present step and a cross at the least estimated error, and the distance of the claim as a"
    " dashed line."
)


def verdict(error: float = 1e-9, step: float = 2.0**-3, constant: str = "0") -> Play:
    """The claim that the slope of :math:`1 / x + c` at 1 is :math:`-1 - e`, judged on every rung.

    Parameters
    ----------
    error, step, constant
        Where the controls begin: the error `e` of the claim, the first step of the estimate, and the
        constant `c`, which changes no slope and costs digits.

    Raises
    ------
    TypeError, ValueError
        If one is no value of its control.

    Examples
    --------
    >>> print(verdict(1e-9, 2.0**-3).said)
    The claim is 3.8 × 10⁻⁶ from this estimate, and the tolerance is 2.3 × 10⁻⁴: pass. The rung with
    the least estimated error, h = 2⁻¹⁰, says: fail.
    """
    settings = checked(CONTROLS, error=error, step=step, constant=constant)
    error, step, constant = settings.values()
    added = float(constant)
    ladder = list(islice(estimates(lambda x: 1 / x + added, 1.0, 2.0**-FIRST), RUNGS))
    test = slope_test(-1.0 - error, 1.0 + added)
    here = ladder[round(-log2(step)) - FIRST]
    best = min(ladder, key=lambda estimate: estimate.error)
    tolerance, off = test.tolerance(here), test.claim - here.value
    steps = [estimate.step for estimate in ladder]
    band = place(tolerance)
    moved = {
        "band": points([-band, band, band, -band], [0.3, 0.3, 0.7, 0.7]),
        "claim": points([place(off)], [0.5]),
        "tolerances": points(steps, [test.tolerance(estimate) for estimate in ladder]),
        "distances": points(steps, [abs(test.claim - estimate.value) for estimate in ladder]),
        "here": points([here.step], [tolerance]),
        "best": points([best.step], [test.tolerance(best)]),
    }
    said = (
        f"The claim is {digits(abs(off))} from this estimate, and the tolerance is"
        f" {digits(tolerance)}: {judged(test, here)}. The rung with the least estimated error,"
        f" h = 2{raised(round(log2(best.step)))}, says: {judged(test, best)}."
    )
    fixed = {"first": FIRST, "rungs": RUNGS}
    return Play("verdict", settings, fixed, CONTROLS, PANELS, ALT, moved, said)


def slope_test(claim: float, value: float) -> SlopeTest:
    """The test that `optimlib.check_gradient` makes of a single parameter at 1."""
    roundoff = unit_roundoff(1.0)
    size = abs(claim)
    return SlopeTest(
        claim=claim,
        claim_error=roundoff * 5 * size,
        size=size,
        fine=SHARP * size,
        value=value,
        noise=0.0,
        roundoff=roundoff,
        length=1.0,
        length_of_all=1.0,
        reach=1.0,
    )


def judged(test: SlopeTest, estimate: Estimate) -> str:
    """Inside of the band or outside, and whether the band is narrow enough to decide.

    The loss has no kink here. `SlopeTest.verdict` leaves room for one before it calls a claim wrong.
    """
    if not test.agrees_with(estimate):
        return "fail"
    return "pass" if test.is_decided_by(estimate) else "inconclusive"


def place(distance: float) -> float:
    """Where a distance is drawn: its power of ten, counted from the nearest one.

    >>> place(-1e-12), place(1.0), place(0.0)
    (-2.0, 14.0, 0.0)
    """
    if abs(distance) <= 10.0**-NEAREST:
        return 0.0
    return copysign(log10(abs(distance)) + NEAREST, distance)


def _scale() -> dict[float, str]:
    sides = {exponent: f"10{raised(exponent)}" for exponent in (-8, -2)}
    left = {-float(NEAREST + exponent): f"−{text}" for exponent, text in sides.items()}
    return left | {float(NEAREST + exponent): text for exponent, text in sides.items()}


EDGE = place(BLUNT)

PANELS = (
    Panel(
        "on this rung",
        "distance from the estimate",
        "",
        x=(-20.5, 20.5),
        y=(0, 1),
        xticks=_scale(),
        marks=(
            Mark("area", "blue", "band"),
            Mark("line", "ink thin", at=[(-20.5, 0.5), (20.5, 0.5)]),
            Mark(
                "line", "purple dotted", at=[(-EDGE, 0.2), (-EDGE, 0.8), None, (EDGE, 0.2), (EDGE, 0.8)]
            ),
            Mark("label", "purple", at=[(0, 0.06)], text="··· a wider band cannot pass a claim"),
            Mark("dots", "blue big", at=[(0.0, 0.5)]),
            Mark("label", "blue", at=[(0, 0.73)], text="● estimate ± tolerance"),
            Mark("crosses", "vermillion", "claim"),
            Mark("label", "vermillion", at=[(0, 0.9)], text="× claim"),
        ),
    ),
    Panel(
        "on all rungs",
        "step h",
        "",
        x=(2.0 ** (-FIRST - RUNGS), 2.0 ** (1 - FIRST)),
        y=(1e-13, 1e10),
        xticks={2.0**-k: f"2{raised(-k)}" for k in (30, 25, 20, 15, 10, 5)},
        yticks=powers(-12, -8, -4, 0, 4, 8),
        logarithmic="xy",
        legend=(
            ("vermillion", "- - how far the claim is"),
            ("blue", "— tolerance"),
            ("green", "× least error"),
        ),
        marks=(
            Mark("line", "blue", "tolerances"),
            Mark("line", "vermillion dashed", "distances"),
            Mark("crosses", "green", "best"),
            Mark("dots", "blue big", "here"),
        ),
    ),
)
