"""Grade a folder of submissions: several at once, and where it was interrupted it begins again."""

import hashlib
import json
import os
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .assignment import Assignment, plain
from .exports import NOBODY, Named, Owner, named
from .judge import PACKAGES
from .limits import Limits
from .submission import UnreadableError, slug_of

CODE = sorted(Path(__file__).parent.rglob("*.py"))
SPARE = 60.0  # seconds that the judge itself may take, beyond the submission's


@dataclass(frozen=True)
class HandedIn:
    """A file, whose it is, the assignment that it belongs to, and what its name says besides."""

    student: str
    path: Path
    slug: str
    named: Named = NOBODY

    def about(self) -> dict[str, str]:
        """What is kept of it beside the marks."""
        owner = self.named.owner
        whose = {"name": owner.name, "platform": owner.platform, "number": owner.number}
        return {"student": self.student, "slug": self.slug, "page": self.named.page, **whose}


def find(
    folder: Path, assignments: list[Assignment], limits: Limits
) -> tuple[list[HandedIn], list[tuple]]:
    """The submissions in a folder, and what needs a person, as (student, what, why).

    Either `<student>.ipynb`, or a folder for each student with notebooks in it, as deep as you like, or
    what Moodle and Canvas let you download. With one assignment, every notebook is taken for one of it.
    """
    if not folder.is_dir():
        raise ValueError(f"SUBMITTED: there is no folder or zip file {folder}")
    found: list[HandedIn] = []
    unplaced: list[tuple] = []
    theirs: dict[Owner, list[tuple[Named, Path]]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        name = named(entry)
        paths, why = _notebooks(entry, name)
        if why:
            unplaced.append((name.owner.label, entry.name, why))
        theirs.setdefault(name.owner, []).extend((name, path) for path in paths)
    for owner, items in theirs.items():
        items.sort(key=lambda item: -item[0].attempt)  # the last attempt first
        _place(owner, items, assignments, limits, found, unplaced)
    return found, unplaced


def _notebooks(entry: Path, name: Named) -> tuple[list[Path], str]:
    """The notebooks in an entry of the folder, and what a person should know of it."""
    if entry.is_symlink():
        return [], "it is a link, and was not followed"
    if entry.is_dir():
        paths, failures = [], []
        for inner, folders, files in os.walk(entry, onerror=failures.append):
            folders[:] = sorted(one for one in folders if one != ".ipynb_checkpoints")
            paths += [Path(inner, file) for file in sorted(files) if file.lower().endswith(".ipynb")]
        if failures:
            return paths, f"a folder cannot be read ({type(failures[0]).__name__})"
        if name.typed:
            return paths, "it holds text that was typed into Moodle"
        return paths, "" if paths else "the folder holds no notebook"
    if entry.suffix.lower() != ".ipynb":
        return [], "it is no notebook"
    return [entry], "the platform says that it came late" if name.late else ""


def _place(
    owner: Owner,
    items: list[tuple[Named, Path]],
    assignments: list[Assignment],
    limits: Limits,
    found: list[HandedIn],
    unplaced: list[tuple],
) -> None:
    taken: dict[str, Path] = {}
    student = owner.label
    for name, path in items:
        if len(assignments) == 1 and len(items) == 1:
            slug = assignments[0].slug  # the judge says what is wrong with it
        else:
            try:
                slug = slug_of(path, assignments, limits.notebook)
            except UnreadableError as error:
                unplaced.append((student, path.name, f"damaged: {error}"))
                continue
        if slug is None:
            unplaced.append((student, path.name, "it belongs to no assignment that is graded here"))
        elif slug in taken:
            unplaced.append((student, path.name, f"{taken[slug].name} was graded, and this one was not"))
        else:
            taken[slug] = path
            found.append(HandedIn(student, path, slug, name))


def key(handed_in: HandedIn, assignment: Assignment, limits: Limits, trust: bool) -> str:
    """What a result depends on: with the same key, there is no need to judge again."""
    digest = hashlib.sha256(assignment.digest.encode())
    packages = [PACKAGES[name] for name in assignment.needs if name in PACKAGES]
    for path in [*CODE, *(path for folder in packages for path in sorted(folder.rglob("*.py")))]:
        digest.update(path.read_bytes())
    digest.update(repr((asdict(limits), trust)).encode())
    with suppress(OSError):  # of what cannot be read, the judge says so
        if handed_in.path.is_file() and handed_in.path.stat().st_size <= limits.notebook:
            digest.update(handed_in.path.read_bytes())
    return digest.hexdigest()


def judge_apart(
    handed_in: HandedIn, assignment: Assignment, *, limits: Limits, trust: bool, slot: int
) -> dict[str, Any]:
    """Judge one submission in a process of its own, which may fail without harm to the others."""
    job = {
        "path": str(handed_in.path.resolve()),
        "assignment": plain(assignment),
        "limits": asdict(limits),
        "trust": trust,
        "slot": slot,
    }
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "grading.judge"],
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=limits.submission + SPARE,
            check=False,
        )
        if answer.returncode == 0:
            return json.loads(answer.stdout)
        why = answer.stderr.strip().splitlines()[-1:]
    except subprocess.TimeoutExpired:
        why = ["it took too long"]
    except (OSError, ValueError) as error:
        why = [str(error)]
    failure = f"crash: the judge failed, and no points were given ({' '.join(why)[:200]})"
    return {"marks": {}, "failed": {}, "errors": [], "look": [failure], "again": True}


def grade(
    handed_in: list[HandedIn],
    assignments: dict[str, Assignment],
    folder: Path,
    *,
    limits: Limits,
    trust: bool = False,
    workers: int | None = None,
) -> list[dict[str, Any]]:
    """Judge every submission, several at once; results are kept in a folder, and used again."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    workers = workers or max(os.cpu_count() or 1, 1)
    slots: queue.SimpleQueue[int] = queue.SimpleQueue()
    for slot in range(workers):
        slots.put(slot)

    def one(item: HandedIn) -> dict[str, Any]:
        assignment = assignments[item.slug]
        name = hashlib.sha256(f"{item.student}\0{item.slug}".encode()).hexdigest()[:24]
        kept, now = results / f"{name}.json", key(item, assignment, limits, trust)
        done = _kept(kept, now)
        if done is None:
            slot = slots.get()
            try:
                done = judge_apart(item, assignment, limits=limits, trust=trust, slot=slot)
            finally:
                slots.put(slot)
            done["key"] = now
            part = kept.with_suffix(".part")
            part.write_text(json.dumps(done, indent=1, sort_keys=True), encoding="utf8")
            os.replace(part, kept)
        return done | item.about()

    with ThreadPoolExecutor(workers) as pool:
        tasks = {pool.submit(one, item): number for number, item in enumerate(handed_in)}
        outcome: list[Any] = [None] * len(handed_in)
        try:
            for task in tqdm(as_completed(tasks), total=len(tasks), desc="grading", unit="submission"):
                outcome[tasks[task]] = task.result()
        except BaseException:  # an interruption too: what has not begun does not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcome


def _kept(path: Path, now: str) -> dict[str, Any] | None:
    """A result from an earlier run, if nothing that it depends on has changed."""
    try:
        result = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None
    good = isinstance(result, dict) and result.get("key") == now and not result.get("again")
    return result if good else None
