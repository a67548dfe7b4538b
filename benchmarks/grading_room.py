"""How long it takes to grade a class: `python benchmarks/grading_room.py [--submissions 30]`.

The class hands in right, wrong and untouched notebooks of one assignment, those of its tests, and one of
them holds an endless loop.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "grading")]

from submissions import solved, untouched, with_cell, with_change, with_source

from grading.assignment import Assignment, load
from grading.sandbox import missing

GOAL = 240  # seconds for 30 submissions on two processors


def notebooks(assignment: Assignment, number: int) -> list[dict]:
    """As many notebooks as a class hands in."""
    answers = import_module(f"answers.{assignment.slug.replace('-', '_')}")
    loop = with_cell(solved(assignment), "while True:\n    pass", assignment.judged[0].name)
    made = [loop, untouched(assignment)]
    for sources in answers.RIGHT.values():
        notebook = solved(assignment)
        for cell, source in sources.items():
            with_source(notebook, cell, source)
        made.append(notebook)
    made += [with_change(solved(assignment), *row[:3]) for row in answers.MUTANTS.values()]
    return made[:1] + list(islice(cycle(made[1:]), number - 1))


def main() -> None:
    """Grade a class in a folder of its own, and print the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--assignment", default="adaptive-steps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        submitted = Path(folder) / "submitted"
        submitted.mkdir()
        made = notebooks(load(options.assignment), options.submissions)
        for number, notebook in enumerate(made):
            (submitted / f"student-{number:02}.ipynb").write_text(json.dumps(notebook), encoding="utf8")
        command = [sys.executable, "-m", "grading", "grade", submitted]
        command += ["--assignment", options.assignment, *(["--trust"] if missing() else [])]
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        seconds = time.perf_counter() - began
    goal = GOAL * options.submissions / 30
    print(
        f"{options.submissions} submissions of {options.assignment}: {seconds:.0f} s "
        f"on {os.cpu_count()} processors (goal on two: {goal:.0f} s)"
    )


if __name__ == "__main__":
    main()
