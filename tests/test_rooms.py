"""The package's rooms: who knows whom, how large things may grow, and what docstrings say.

Everything is read from the sources, so a new module is held to the same rules without being listed.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from repository import ROOT

PACKAGE = ROOT / "optimlib"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""All modules, by their dotted names. A folder goes by the name of the folder."""

FOLDERS = {name: path for name, path in MODULES.items() if path.name == "__init__.py"}

LONGEST_MODULE = 350  # lines of the file
LONGEST_FUNCTION = 60  # lines of code
LONGEST_CLASS = 250  # lines of code

# From the top down. A room may use those on later lines, and none beside it.
FLOORS = (
    {"lab"},
    {"training"},
    {"gradcheck", "nn", "optimizers"},
    {"averaging", "clipping", "schedules"},
)
"""What is on no floor lies at the bottom: trees, arguments, differences and the like."""

BY_THEMSELVES = {"gradcheck", "nn"}
"""Rooms that use the bottom alone: a gradient is checked or computed without knowing what it is for."""


ARGUED: dict[tuple[str, str], str] = {
    ("optimlib.gradcheck.rendering", "optimlib.gradcheck.report"): (
        "for type checkers only: a report prints itself by functions that take a report"
    ),
    ("optimlib.optimizers.base", "optimlib.optimizers.like"): (
        "like is called on the class that one knows, and its table has to name all classes"
    ),
}
"""Arrows within functions that may close a circle, from where to where, and why."""


def imports(name: str, tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    """The package's modules that a module imports, also within functions and for type checkers only.

    ``from a import b`` is an arrow to ``a.b`` if that is a module, and to ``a`` otherwise.
    """
    inside = name if modules.get(name, Path()).name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = inside.split(".")[: 1 - node.level or None] if node.level else []
            start = ".".join([*parts, *filter(None, [node.module])])
            whole = [f"{start}.{alias.name}" for alias in node.names]
            found = [full if full in modules else start for full in whole]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        yield from (module for module in found if module in modules)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"))


@cache
def arrows() -> dict[str, set[str]]:
    """For each module those that it imports."""
    return {name: set(imports(name, parsed(path), MODULES)) - {name} for name, path in MODULES.items()}


def room(module: str) -> str:
    """The folder or file directly below `optimlib`, and "" for `optimlib` itself."""
    return module.split(".")[1] if "." in module else ""


def floor(name: str) -> int:
    return next((k for k, rooms in enumerate(FLOORS) if name in rooms), len(FLOORS))


def forbidden(user: str, used: str) -> bool:
    """Whether one room may not know another one. Only the lab imports from `optimlib`, as users do."""
    if user in ("", used):
        return False
    bottom = len(FLOORS)
    if used == "":
        return user != "lab"
    if user in BY_THEMSELVES and floor(used) < bottom:
        return True
    return floor(used) < floor(user) or floor(used) == floor(user) < bottom


# Arrows


def test_arrows_between_rooms_go_one_way():
    against = [
        f"{user} imports {used}"
        for user, others in arrows().items()
        for used in sorted(others)
        if forbidden(room(user), room(used))
    ]
    assert against == []


def test_the_package_itself_promotes_nothing_of_the_lab():
    assert not {used for used in arrows()["optimlib"] if room(used) == "lab"}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Some modules of which each imports the next one, and the last one the first."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        for other in () if name in done else sorted(graph[name]):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_no_modules_import_each_other_in_a_circle():
    argued = {name: {other for user, other in ARGUED if user == name} for name in MODULES}
    assert circle({name: others - argued[name] for name, others in arrows().items()}) == []


def test_what_is_argued_for_is_there():
    assert {(user, used) for user, used in ARGUED if used not in arrows().get(user, ())} == set()


def test_the_script_sees_arrows_and_circles():
    text = """
import optimlib.b
from optimlib import c, Thing
from .d import e
from . import d
from numpy import linalg
def later():
    from optimlib.c.f import g
    importlib.import_module("optimlib.h")
"""
    names = ("", ".a", ".b", ".c", ".c.f", ".d", ".h")
    modules = {f"optimlib{name}": Path("x.py") for name in names}
    found = list(imports("optimlib.a", ast.parse(text), modules))
    short = [name.removeprefix("optimlib") for name in found]
    assert sorted(short) == ["", ".b", ".c", ".c.f", ".d", ".d", ".h"]
    modules["optimlib.c"] = Path("__init__.py")
    assert list(imports("optimlib.c", ast.parse("from .f import x"), modules)) == ["optimlib.c.f"]
    assert list(imports("optimlib.c.f", ast.parse("from ..d import x"), modules)) == ["optimlib.d"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize(
    ("user", "used", "answer"),
    [
        ("gradcheck", "optimizers", True),
        ("optimizers", "gradcheck", True),
        ("nn", "gradcheck", True),
        ("nn", "schedules", True),
        ("optimizers", "schedules", False),
        ("schedules", "optimizers", True),
        ("clipping", "schedules", True),
        ("trees", "schedules", True),
        ("differences", "trees", False),
        ("training", "lab", True),
        ("training", "nn", False),
        ("lab", "gradcheck", False),
        ("gradcheck", "", True),
        ("lab", "", False),
        ("", "nn", False),
    ],
)
def test_who_may_know_whom(user, used, answer):
    assert forbidden(user, used) == answer


# Sizes


@cache
def code_lines(path: Path) -> frozenset[int]:
    """The numbers of the lines that hold code: more than blanks, comments and docstrings."""
    text = path.read_text(encoding="utf8")
    no_code = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        number
        for token in tokens
        if token.type not in no_code | {tokenize.ENDMARKER}
        for number in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return frozenset(lines)


def sizes(path: Path, kind: type | tuple[type, ...], above: int = 0) -> Iterator[tuple[int, str]]:
    """How many lines of code functions and classes have, of those with more than so many."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, kind) and node.end_lineno - node.lineno >= above:  # or it cannot have them
            lines = code_lines(path) & set(range(node.lineno, node.end_lineno + 1))
            if len(lines) > above:
                yield len(lines), f"{path.relative_to(path.parents[2])}: {node.name}"


FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_modules_are_short():
    lengths = {name: len(path.read_text(encoding="utf8").splitlines()) for name, path in MODULES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize(
    ("kind", "longest"), [(FUNCTION, LONGEST_FUNCTION), (ast.ClassDef, LONGEST_CLASS)]
)
def test_functions_and_classes_are_short(kind, longest):
    found = [size for path in MODULES.values() for size in sizes(path, kind, longest)]
    assert sorted(found, reverse=True) == []


def test_docstrings_comments_and_blanks_are_not_counted(tmp_path):
    path = tmp_path / "small.py"
    path.write_text('''
class Small:
    """A docstring
    of two lines."""

    x = """a text of
    two lines"""

    def f(self):
        r"""Another docstring."""
        # a comment

        return [
            1,  # with a comment
        ]
''')
    assert [size for size, _ in sizes(path, ast.ClassDef)] == [7]
    assert [size for size, _ in sizes(path, FUNCTION)] == [4]
    assert [size for size, _ in sizes(path, FUNCTION, above=3)] == [4]
    assert list(sizes(path, FUNCTION, above=4)) == []


# Words


def docstrings() -> Iterator[tuple[str, str]]:
    """Of every module, class and function, and the text below a constant: where, and what it says."""
    for name, path in MODULES.items():
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield f"{name}:{node.lineno}", text.strip()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_says_in_its_first_line_what_lives_there(name):
    first = (ast.get_docstring(parsed(FOLDERS[name])) or "").split("\n")[0]
    assert len(first) >= 30
    assert first.endswith((".", "?"))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_in_its_first_line_which_idea_it_holds(name):
    text = ast.get_docstring(parsed(MODULES[name])) or ""
    assert len(text.split("\n")[0]) >= 15


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"The same\b", "say what the thing is"),
        (r"[\s\S]*\b[Aa]s `[^;]*;\s+also if\b", "say under Raises what it raises"),
    ],
)
def test_docstrings_say_what_a_thing_is(pattern, instead):
    found = [place for place, text in docstrings() if re.match(pattern, text)]
    assert found == [], instead


@pytest.mark.parametrize("folder", ["optimlib", "benchmarks"])
def test_code_cites_no_chapter_by_its_number(folder):
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if re.search(r"\bchapters?\s+\d", line, flags=re.I)
    ]
    assert found == []
