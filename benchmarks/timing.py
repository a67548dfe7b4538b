"""Side-by-side measurements: every contender takes its turn in every round, and ratios are compared."""

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

Step = Callable[[], object]


def measure(steps: dict[str, Step], rounds: int, seconds: float = 1e-3) -> dict[str, list[float]]:
    """Microseconds that every step took, in every round.

    A step that is over sooner than `seconds` is repeated within a round, and the mean counts.
    """
    repetitions = {}
    for name, step in steps.items():
        step()  # the first one warms up, and the second one is timed
        start = time.perf_counter()
        step()
        repetitions[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(repetitions[name]):
                step()
            times[name].append(1e6 * (time.perf_counter() - start) / repetitions[name])
    return times


def ratio(values: list[float], reference: list[float]) -> float:
    """The median over the rounds of how long one took in terms of the other."""
    return statistics.median(a / b for a, b in zip(values, reference, strict=True))


def machine() -> dict[str, str]:
    """What the figures were measured on, as well as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
