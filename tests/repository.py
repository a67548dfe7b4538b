"""What the tests of the repository itself share: its files, its pins, its commands."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from notebook_rules import ROOT

TESTS = sorted((ROOT / "tests").rglob("*.py"))

SKIPPED = {
    ".git",
    ".venv",
    ".venv-frameworks",
    ".venv-grading",
    ".venv-pages",
    "node_modules",
    ".hypothesis",
    "_build",
    "build",
    "mathjax",
    "__pycache__",
    ".ipynb_checkpoints",
}
TEXT_SUFFIXES = {"", ".cff", ".css", ".in", ".ipynb", ".md", ".py", ".toml", ".txt", ".yml"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def text_files():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not (name in SKIPPED or name.endswith("cache"))]
        for name in names:
            path = ROOT / folder / name
            if path.suffix in TEXT_SUFFIXES and name not in SKIPPED:
                yield path


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.M))


def run(*command: str | Path, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    """A Python program in a process of its own: `run("-m", "pytest")`."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


def pins(name: str = "requirements.txt") -> dict[str, str]:
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ; .+)?", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {match[1]: match[2] for match in found}


def names_imported(node: ast.AST) -> list[str]:
    """The first names of the modules that an import statement names; relative ones are ours."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module.split(".")[0]]
    return []
