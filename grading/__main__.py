"""`python -m grading release` makes the students' notebooks, `python -m grading grade` grades them.

`python -m grading rehearse` grades the solutions, and notebooks in which nothing was done.
"""

import argparse
import sys
from pathlib import Path

from . import archive, by_hand, course, feedback, overlay, report
from .assignment import FOLDER, Assignment, all_slugs, load
from .limits import Limits
from .sandbox import UNPROTECTED, missing

TABLE = "{}-by-hand.csv"


def _assignments(options: argparse.Namespace, only: str = "") -> dict[str, Assignment]:
    slugs = all_slugs(options.assignments)
    if options.private is not None:
        overlay.check(options.private, slugs)
    return {s: load(s, options.assignments, options.private) for s in ([only] if only else slugs)}


def release(options: argparse.Namespace) -> int:
    """Make the students' notebooks and their zip."""
    from . import release as made

    for path in made.write(list(_assignments(options).values()), options.out, options.site):
        print(path)
    return 0


def rehearse(options: argparse.Namespace) -> int:
    """Grade the solution and the untouched notebook: all points, and none."""
    from . import rehearsal

    reason = missing()
    if reason is not None and not options.trust:
        print(UNPROTECTED.format(reason=reason), file=sys.stderr)
        return 2
    found = 0
    for assignment in _assignments(options, options.assignment).values():
        complaints = rehearsal.complaints(assignment, Limits(), trust=reason is not None)
        found += len(complaints)
        print(
            *(complaints or [f"{assignment.slug}: the solution gets all points, and no work none"]),
            sep="\n",
        )
    return 1 if found else 0


def grade(options: argparse.Namespace) -> int:
    """Grade a folder of submissions, or a zip file of them."""
    reason = missing()
    if reason is not None and not options.trust:
        print(UNPROTECTED.format(reason=reason), file=sys.stderr)
        return 2
    assignments = _assignments(options, options.assignment)
    limits = Limits(cell=options.cell_seconds, submission=options.seconds)
    submitted, left = options.submitted.resolve(), []
    packed = submitted.is_file()
    out = options.out or submitted.with_name((submitted.stem if packed else submitted.name) + "-graded")
    if out.resolve().is_relative_to(submitted):
        raise ValueError("out: the results cannot lie within the folder of the submissions")
    if packed:
        left = archive.unpack(submitted, out / "submitted", limits.notebook)
        submitted = out / "submitted"
    by_person = {slug: by_hand.read(out / TABLE.format(slug), assignments[slug]) for slug in assignments}
    found, unplaced = course.find(submitted, list(assignments.values()), limits)
    results = course.grade(
        found,
        assignments,
        out,
        limits=limits,
        trust=reason is not None,  # --trust never switches off a sandbox that is there
        workers=options.workers,
    )
    for slug, assignment in assignments.items():
        ours = [result for result in results if result["slug"] == slug]
        if ours:
            _write(out, assignment, ours, by_person[slug])
            feedback.write(out / "feedback" / slug, assignment, ours, options.site)
    looks = report.write_to_look_at(out / "to-look-at.csv", results, [*left, *unplaced])
    print(f"{len(results)} submissions graded, {looks} things to look at: {out}")
    return 0


def _write(out: Path, assignment: Assignment, results: list[dict], by_person: by_hand.Given) -> None:
    """Write all tables of an assignment, and its picture."""
    slug = assignment.slug
    for result in results:
        by_hand.add(result, by_person)
    by_hand.write(out / TABLE.format(slug), assignment, results, by_person)
    report.write_marks(out / f"{slug}-marks.csv", assignment, results)
    report.write_for_platforms(out, assignment, results)
    report.write_misconceptions(out / f"{slug}-misconceptions.csv", assignment, results)
    report.draw(out / f"{slug}-distribution.png", assignment, results)


def _path(words: str) -> Path:
    """A path in which ~ is the home folder, also where the shell has left it to us."""
    return Path(words).expanduser()


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m grading", description=__doc__)
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("release", help=release.__doc__)
    make.set_defaults(run=release)
    make.add_argument("--out", type=_path, default=Path("_build/assignments"))
    judge = commands.add_parser("grade", help=grade.__doc__)
    judge.set_defaults(run=grade)
    judge.add_argument("submitted", type=_path)
    judge.add_argument("--out", type=_path, help="default: beside the submissions, with -graded")
    judge.add_argument(
        "--workers", type=int, help="submissions at the same time; default: one a processor"
    )
    judge.add_argument("--cell-seconds", type=float, default=Limits.cell)
    judge.add_argument("--seconds", type=float, default=Limits.submission)
    try_out = commands.add_parser("rehearse", help=rehearse.__doc__)
    try_out.set_defaults(run=rehearse)
    for command in (judge, try_out):
        command.add_argument("--assignment", default="", help="this one only")
        command.add_argument("--trust", action="store_true", help="without a sandbox if there is none")
    for command in (make, judge, try_out):
        command.add_argument(
            "--assignments", type=_path, default=FOLDER, help="the folder of the sources"
        )
        command.add_argument(
            "--private",
            type=_path,
            help="a folder with cells of your own, in the place of the public ones",
        )
        command.add_argument("--site", default="", help="the address of the book, for links into it")
    options = parser.parse_args()
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
