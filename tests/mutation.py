"""Plant every one-token mistake of the usual kinds in the optimizers: do the tests catch it?

    python tests/mutation.py              all of them (make mutants)
    python tests/mutation.py Adam.rule    those with this in their description
    python tests/mutation.py --list       only show them

A mistake is planted in a copy of the project. The tests of its module run there, in a process forked
from one that has loaded NumPy and pytest (so not on Windows), until one fails. What never ends counts
as caught. What survives is shown: it calls for a better test.

Well-kept tools do not plant what matters most in a rule, one variable or attribute for its neighbor
(m for v, beta1 for beta2), and either start Python anew for each mistake (cosmic-ray) or want what
computes the same marked in the source (mutmut).
"""

import argparse
import ast
import compileall
import gc
import io
import multiprocessing
import os
import py_compile
import re
import shutil
import signal
import sys
import tempfile
import time
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis.extra.numpy
import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTEST = [
    "-xq",
    "--tb=no",
    "--assert=plain",
    "-oaddopts=",
    "-pno:cacheprovider",
    "-pno:unraisableexception",
]
SECONDS = 20  # of processor time: more than the tests of a module take

PLANTED = (
    "optimizers/*.py",
    "optimizers/engine/tracing.py",
    "schedules/*.py",
    "averaging.py",
    "clipping.py",
    "arguments.py",
)
"""Where mistakes are planted: in all that these patterns find."""

PASSED_OVER = {
    *("__init__", "base", "settings", "per_array"),
    *("checkpoint", "checkpoint_extra", "files"),
    *("conventions", "like", "convention_of_a_step"),
}
"""Modules that handle arguments, files and tables: their tests take longer than those of a rule."""

RULES = ("optimizers/test_rules_by_hand", "optimizers/test_every_optimizer")
BESIDE = {  # more tests than what `tests_of` finds by the names that a module defines
    "arguments": ("optimizers/test_adam", "schedules/*", "test_clipping"),
    "optimizers/weight_decay": (
        "optimizers/test_sgd",
        "optimizers/test_adam",
        "optimizers/test_adam_family",
    ),
    "optimizers/engine/tracing": ("optimizers/engine/*",),
    "schedules/composition": ("schedules/test_schedules_as_values",),
}
NOT_FOR_RULES = {"test_conventions", "test_every_problem", "test_base", "test_checkpoint"}
"""Tests of more than a rule, which take long."""


def planted() -> list[str]:
    """The modules in which mistakes are planted, as `optimizers/adam`."""
    found = [path for pattern in PLANTED for path in sorted((ROOT / "optimlib").glob(pattern))]
    chosen = [path for path in found if path.stem not in PASSED_OVER]
    return [path.relative_to(ROOT / "optimlib").with_suffix("").as_posix() for path in chosen]


def tests_of(module: str) -> tuple[str, ...]:
    """The files with a module's tests, the nearest first.

    That is the one of the same name, the two of the mirrored folder that most often mention what the
    module defines, what `BESIDE` adds, and the tests that every rule must pass.
    """
    folder, _, name = module.rpartition("/")
    tree = ast.parse((ROOT / "optimlib" / f"{module}.py").read_text(encoding="utf8"))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    word = re.compile(rf"\b({'|'.join(defined) or '$'})\b")
    mentions = {}
    for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
        place = path.relative_to(ROOT / "tests").with_suffix("").as_posix()
        if path.stem not in NOT_FOR_RULES and place not in RULES:
            mentions[place] = len(word.findall(path.read_text(encoding="utf8")))
    near = sorted((place for place in mentions if mentions[place]), key=mentions.get, reverse=True)[:2]
    same = f"{folder}/test_{name}".lstrip("/")
    more = [
        path.relative_to(ROOT / "tests").with_suffix("").as_posix()
        for pattern in BESIDE.get(module, ())
        for path in sorted((ROOT / "tests").glob(f"{pattern}.py"))
    ]
    rules = RULES if folder == "optimizers" else RULES[:1]
    return tuple(dict.fromkeys([*[same] * (same in mentions), *near, *more, *rules]))


TESTS = {module: tests_of(module) for module in planted()}

MISTAKEN = {  # a token, and what it may be mistaken for; after a dot it may be another
    **{"+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "**": ["*"], "//": ["/"], "%": ["//"]},
    **{"+=": ["-="], "-=": ["+="], "*=": ["/="], "%=": ["//="]},
    **{"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"]},
    **{"==": ["!="], "!=": ["=="], "is": ["is not"], "in": ["not in"], "not": [""]},
    **{"and": ["or"], "or": ["and"], "True": ["False"], "False": ["True"], "break": ["continue"]},
    **{"max": ["min"], "min": ["max"], ".maximum": ["minimum"], ".sqrt": ["cbrt"], ".cos": ["sin"]},
    **{"all": ["any"], "any": ["all"], "abs": ["float"], ".abs": ["positive"], ".sign": ["positive"]},
}

ZERO = "without the constant 0 is added"
COPIED = "copied once more"
REMEMBERED = "another number of results is remembered"
BOTH = "either way gives that norm, bit for bit (and clips alike, but to limits below 1e-300)"
BREAK = " in: if product < 1e-20:"
SOONER = "the loop ends sooner or later, where 1 - product is 1 already"
EQUIVALENT = {  # the mistakes that compute the same, by their names, and why
    "growing_momentum '64' -> '65' in: @lru_cache(maxsize=64)": REMEMBERED,
    "growing_momentum '64' -> '63' in: @lru_cache(maxsize=64)": REMEMBERED,
    "growing_momentum 'product' -> 'i'" + BREAK: SOONER,
    "growing_momentum 'product' -> 't'" + BREAK: SOONER,
    "growing_momentum '<' -> '<='" + BREAK: SOONER,
    "growing_momentum '1e-20' -> '2e-20'" + BREAK: SOONER,
    "growing_momentum 'break' -> 'continue' in: break": SOONER,
    "_norm 'False' -> 'True' in: prepare(flat(array)[here]).astype(float, copy=False)": COPIED,
    "_norm '1e-200' -> '2e-200' in: if 1e-200 < squares < math.inf:": BOTH,
    "_norm '<' -> '<=' in: if 1e-200 < squares < math.inf: (2)": BOTH,
    "one_cycle.rate '-' -> '+' in: part = half_cosine(1 - part)": "a cosine is symmetric about pi",
    "_shrink 'False' -> 'True' in: return scaled.astype(array.dtype, copy=False)": COPIED,
    "Adafactor.rule 'g' -> 'p' in: u = u.reshape(g.shape)": "a gradient is shaped like its parameters",
}


@dataclass(frozen=True)
class Mistake:
    """In a line of a function: a token that is written wrongly."""

    module: str
    function: str
    row: int
    column: int
    old: str
    new: str
    line: str
    ordinal: int = 1  # among those of the same function, tokens and line

    def planted(self, source: str) -> str:
        lines = source.split("\n")
        before, after = self.line[: self.column], self.line[self.column + len(self.old) :]
        lines[self.row - 1] = before + self.new + after
        return "\n".join(lines)

    @property
    def name(self) -> str:
        """What stays when lines are moved: no numbers of lines and columns, no comments."""
        code = self.line.split("  #")[0].strip()
        name = f"{self.function} {self.old!r} -> {self.new!r} in: {code}"
        return name if self.ordinal == 1 else f"{name} ({self.ordinal})"

    def __str__(self) -> str:
        return f"optimlib/{self.module}.py:{self.row} {self.name}"


def mistakes(source: str, module: str = "") -> Iterator[Mistake]:
    """All of these mistakes that can be made in a source text and leave it one."""
    tree, lines = ast.parse(source), source.split("\n")
    functions, silent = dict(_functions(tree)), list(_silent(tree))
    others = {place: names for function in functions for place, names in _others(function)}
    previous, seen = None, Counter()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (row, column), old, dot, previous = token.start, token.string, previous == ".", token.string
        function = "".join(name for f, name in functions.items() if _start(f) <= row <= f.end_lineno)
        if any(start <= token.start < end for start, end in silent):
            continue
        if token.type == tokenize.NUMBER:
            news = _other_numbers(ast.literal_eval(old))
        else:
            news = others.get(token.start) or MISTAKEN.get("." * dot + old, MISTAKEN.get(old, []))
        for new in news:
            mistake = Mistake(module, function, row, column, old, new, lines[row - 1])
            if old not in ("*", "**", "in", "is") or _is_python(mistake.planted(source)):
                seen[mistake.name] += 1
                yield replace(mistake, ordinal=seen[mistake.name])


def _start(function: ast.FunctionDef) -> int:
    """The line where its decorators begin."""
    return min(node.lineno for node in (function, *function.decorator_list))


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _other_numbers(n: float) -> list[str]:
    if isinstance(n, int):
        return [str(n + 1)] + [str(n - 1)] * (n > 0)
    return [str(2 * n) if n else "1.0"]


def _silent(tree: ast.AST) -> Iterator[tuple]:
    """From where to where nothing is planted: imports, docstrings, messages, zip's strict."""
    for node in ast.walk(tree):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        strict = isinstance(node, ast.keyword) and node.arg == "strict"
        if text or strict or isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr):
            yield (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    """The functions that stand in no other one, and what they are called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield child, prefix + child.name
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


def _nodes(function: ast.AST) -> Iterator[ast.AST]:
    """What a function consists of, without the insides of functions within it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.JoinedStr | ast.Raise):
            yield from _nodes(child)


def _others(function: ast.AST, outside: dict[str, int] | None = None) -> Iterator[tuple]:
    """Where a variable, an attribute of self or a word stands, and two of its like in the function.

    Of the variables (and the lines from which on they exist) only those that have a value there.
    """
    nodes = sorted(_nodes(function), key=lambda node: getattr(node, "lineno", 0))
    arguments = [a.arg for a in (*function.args.args, *function.args.kwonlyargs) if a.arg != "self"]
    known = (outside or {}) | dict.fromkeys(arguments, 0)
    inner = {n for node in nodes if isinstance(node, ast.comprehension) for n in ast.walk(node.target)}
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    mine, words = {}, {}
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if node not in inner:
                known.setdefault(name, node.lineno)
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if node not in called:
                mine[node] = name
            case ast.Constant(value=str(text)) if text.isidentifier():
                words[node] = f'"{text}"'
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in known:
                there = [other for other, line in known.items() if line < node.lineno or other == name]
                yield (node.lineno, node.col_offset), _beside(name, there)
            case ast.Attribute(attr=name) if node in mine:
                place = node.end_lineno, node.end_col_offset - len(name)
                yield place, _beside(name, mine.values())
            case ast.Constant() if node in words:
                yield (node.lineno, node.col_offset), _beside(words[node], words.values())
            case ast.FunctionDef() | ast.Lambda():
                yield from _others(node, known)


def _beside(name: str, names: Iterable[str]) -> list[str]:
    """The name before and the one after it, in the order in which they first appear."""
    names = list(dict.fromkeys(names))
    place = names.index(name)
    return sorted({names[place - 1], names[(place + 1) % len(names)]} - {name})


def copied(source: Path, folder: str) -> Path:
    """A copy of what the tests need."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    for name in ("optimlib", "tests"):
        shutil.copytree(source / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(source / name, copy)
    checked = py_compile.PycInvalidationMode.CHECKED_HASH  # byte code that knows its text
    compileall.compile_dir(copy / "optimlib", quiet=1, invalidation_mode=checked)
    return copy


def caught(module: str, source: str, copy: Path, near: str = "") -> bool:
    """Whether tests fail, or do not end, with this text in the place of the copy's module.

    Those with `near` in their names run first: for speed, and once more with the others.
    """
    path = copy / "optimlib" / f"{module}.py"
    right = path.read_text(encoding="utf8")
    path.write_text(source, encoding="utf8")
    runs = [[f"tests/{name}.py"] for name in TESTS[module]]
    runs[:0] = [[*runs[0], "-k", near]] if near else []
    child = multiprocessing.get_context("fork").Process(target=_test, args=(copy, runs))
    child.start()
    child.join()
    path.write_text(right, encoding="utf8")
    assert child.exitcode in (0, 1, 2, -signal.SIGXCPU), f"pytest ended with {child.exitcode}"
    return child.exitcode != 0


def _test(copy: Path, runs: list[list[str]]) -> None:
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, resource.RLIM_INFINITY))
    os.chdir(copy)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    hypothesis.settings.register_profile("quick", phases=["explicit", "generate"])
    hypothesis.settings.load_profile("quick")
    for run in runs:
        code = pytest.main([*PYTEST, *run])
        if code and not (code == pytest.ExitCode.NO_TESTS_COLLECTED and "-k" in run):
            sys.exit(code)


def _work_in(source: Path, folder: str) -> None:
    global WORK
    WORK = copied(source, folder)
    gc.freeze()  # or every process that is forked would go through what is here


def _fails(module: str) -> bool:
    return caught(module, _text(WORK, module), WORK)


def _is_caught(mistake: Mistake) -> bool:
    source = mistake.planted(_text(WORK, mistake.module))
    return caught(mistake.module, source, WORK, mistake.function.rpartition(".")[0])


def _text(copy: Path, module: str) -> str:
    return (copy / "optimlib" / f"{module}.py").read_text(encoding="utf8")


def main() -> str | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", nargs="?", default="", help="part of a mistake's description")
    parser.add_argument("--list", action="store_true", help="only show the mistakes")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes (1)")
    arguments = parser.parse_args()
    began, fork, wrong = time.monotonic(), multiprocessing.get_context("fork"), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(ROOT, folder)
        every = [mistake for module in TESTS for mistake in mistakes(_text(copy, module), module)]
        chosen = [mistake for mistake in every if arguments.part in str(mistake)]
        if arguments.list:
            return print(*chosen, f"{len(chosen)} mistakes", sep="\n")
        if gone := EQUIVALENT.keys() - {mistake.name for mistake in every}:
            return f"listed as equivalent, but not there: {gone}"
        equivalent = sum(mistake.name in EQUIVALENT for mistake in chosen)
        modules = {mistake.module for mistake in chosen}
        with ProcessPoolExecutor(arguments.jobs, fork, _work_in, (copy, folder)) as pool:
            for module, fails in zip(modules, pool.map(_fails, modules), strict=True):
                if fails:
                    return f"{TESTS[module]} fail, though nothing is planted"
            for mistake, found in zip(chosen, pool.map(_is_caught, chosen), strict=True):
                if found == (mistake.name in EQUIVALENT):
                    wrong += 1
                    print("equivalent, yet caught:" if found else "survives:", mistake, flush=True)
    planted, minutes = len(chosen) - equivalent, (time.monotonic() - began) / 60
    print(f"{planted} mistakes planted, {planted - wrong} caught ({minutes:.0f} minutes);", end=" ")
    print(f"{equivalent} more compute the same")
    return f"{wrong} to look at" if wrong else None


if __name__ == "__main__":
    sys.exit(main())
