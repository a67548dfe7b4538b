"""Side-by-side measurements: every contender takes its turn in every round, and ratios are compared."""

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Step = Callable[[], object]


def measure(steps: dict[str, Step], rounds: int, seconds: float = 1e-3) -> dict[str, list[float]]:
    """Microseconds that every step took, in every round.

    A step that is over sooner than `seconds` is repeated within a round, and the mean counts. Every
    round begins with another contender, so that none always comes after the same one.
    """
    repetitions = {}
    for name, step in steps.items():
        step()  # the first one warms up, and the second one is timed
        start = time.perf_counter()
        step()
        repetitions[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            step = steps[name]
            start = time.perf_counter()
            for _ in range(repetitions[name]):
                step()
            times[name].append(1e6 * (time.perf_counter() - start) / repetitions[name])
    return times


def ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """The median over the rounds of how long one took in terms of the other."""
    return statistics.median(a / b for a, b in zip(values, reference, strict=True))


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """By name the median of the microseconds and the least, which noise has made longer least."""
    return {
        name: {"median": statistics.median(values), "least": min(values)}
        for name, values in times.items()
    }


def page_faults(step: Step) -> int | None:
    """How often memory was touched in a step whose page the system had yet to hand out.

    None where the system does not count them. The step was taken before, so its own arrays are there.
    """
    try:
        import resource
    except ImportError:  # on Windows
        return None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def machine() -> dict[str, Any]:
    """What the figures were measured on, as well as the system tells it, and nothing that names it."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    lines = text.splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "virtual": " hypervisor " in text,
        "caches": caches(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def caches() -> dict[str, str]:
    """The sizes of the first core's caches, where Linux tells them.

    They are named as in ``{"L1 Data": "32K", "L2 Unified": "512K"}``.
    """
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        found[f"L{level} {kind}"] = size
    return found


def versions(*names: str) -> dict[str, str]:
    """Of those of the distributions that are installed."""
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
    return {name: found[name] for name in names if name in found}
