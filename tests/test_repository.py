"""The files around the book and the package: what they promise is there, and they agree."""

import ast
import os
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from repository import ROOT, make_targets, names_imported, pins, read, run, text_files

# Pins and metadata


def test_requirements_are_exact_and_name_no_address():
    assert len(pins()) > 100
    extra = ("requirements-frameworks.txt", "requirements-pages.txt", "requirements-grading.txt")
    for name in extra:
        assert not pins(name).keys() & pins().keys()
    for name in ("requirements.txt", *extra):
        assert not re.search(r"://|file:|--|@", read(name))


def test_every_direct_requirement_is_pinned():
    direct = re.findall(r"^([a-z0-9-]+)", read("requirements.in"), flags=re.M)
    assert set(direct) - set(pins()) == set()


def test_numpy_is_the_only_hard_dependency():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert [re.split(r"\W", name)[0] for name in project["dependencies"]] == ["numpy"]
    assert project["requires-python"] == ">=3.11"


LAZY = {"numba", "tqdm"}  # asked for within the function that needs it


@pytest.mark.parametrize("path", sorted((ROOT / "optimlib").rglob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_only_what_the_package_may_need(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    within = {id(node) for function in functions for node in ast.walk(function)}
    allowed = {"numpy", "optimlib", *sys.stdlib_module_names}
    if path.parent.name == "lab":
        allowed |= {"matplotlib", "cycler"}
    imported = {
        name
        for node in ast.walk(tree)
        for name in names_imported(node)
        if not (name in LAZY and id(node) in within)
    }
    assert imported - allowed == set()


def test_versions_agree():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    assert f"version {version}," in read("README.md")


def test_citation_file_has_what_the_format_demands():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


# The package as it is installed


def package_files() -> set[str]:
    paths = (path for path in (ROOT / "optimlib").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.mark.slow  # it is built
def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "optimlib", tmp_path / "optimlib", ignore=ignored)
    program = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    answer = run("-c", program, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        installed = {name for name in file.namelist() if ".dist-info/" not in name}
    assert installed == package_files()
    assert installed >= {f"optimlib/lab/data/{name}" for name in ("README.md", "digits.csv.gz")}


def test_every_pattern_of_package_data_finds_a_file():
    data = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["package-data"]
    folders = {package: ROOT / Path(*package.split(".")) for package in data}
    patterns = [(package, pattern) for package in data for pattern in data[package]]
    assert [row for row in patterns if not list(folders[row[0]].glob(row[1]))] == []


# Commands


def test_commands_that_are_promised_exist():
    documents = read("README.md") + read("CONTRIBUTING.md")
    promised = set(re.findall(r"(?:`|^)make (?:PYTHON=\S+ )?([a-z-]+)", documents, flags=re.M))
    assert {"book", "check", "test", "lab"} <= promised <= make_targets()


def test_every_target_is_explained():
    assert make_targets() - set(re.findall(r'"make ([a-z-]+) ', read("Makefile"))) == {"help"}
    assert make_targets() - {"help"} <= set(re.findall(r"`make ([a-z-]+)`", read("CONTRIBUTING.md")))


def test_ci_runs_the_test_commands_and_nothing_else():
    commands = "make test\nmake test-frameworks\nmake test-pages test-cells\nmake test-grading\n"
    assert read(".ci/run") == "#!/bin/sh\nset -e\n" + commands
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def test_workflows_cover_the_matrix():
    jobs = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.13"]
    assert "deploy" in yaml.safe_load(read(".github/workflows/deploy.yml"))["jobs"]


# Words

SHARED = {"optimlib.arguments", "optimlib.attributes"}
"""What the rooms share and nobody outside of the package looks for."""


def test_the_readme_names_every_room_of_the_package():
    rooms = {
        f"optimlib.{path.stem}"
        for path in (ROOT / "optimlib").glob("[a-z]*")
        if path.suffix in ("", ".py")
    }
    table = {
        room
        for row in re.findall(r"^\| (`optimlib.+?) \|", read("README.md"), flags=re.M)
        for room in re.findall(r"`(.+?)`", row)
    }
    assert table == rooms - SHARED


def test_the_readme_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.+?)```", read("README.md"), flags=re.S)
    example += "assert loss(params) < np.mean(y**2)\n"
    answer = run("-W", "error", "-c", example, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("gradient check: PASS")


def test_files_that_documents_point_to_exist():
    missing = [
        f"{name}: {target}"
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
        for target in re.findall(r"\]\(([^)#:]+)\)", read(name))
        if not (ROOT / target).exists()
    ]
    assert missing == []


def test_no_file_names_a_place_on_someones_machine():
    private = re.compile(r"/(?:home|root|work|tmp|Users|opt)/\w|[A-Z]:\\Users|file://")
    found = [
        f"{path.relative_to(ROOT)}: {match}"
        for path in text_files()
        if path.name != "test_repository.py"  # whose pattern says what is private
        for match in private.findall(path.read_text(encoding="utf8"))
    ]
    assert found == []


@pytest.mark.parametrize("command", ["ruff check --no-cache .", "ruff format --no-cache --check ."])
def test_code_keeps_the_style(command):
    answer = run("-m", *command.split())
    assert answer.returncode == 0, answer.stdout


@pytest.mark.slow  # mypy reads the whole package
@pytest.mark.skipif(
    np.__version__ != pins()["numpy"], reason="hints are held against those of the pinned NumPy"
)
def test_type_hints_are_true():
    """What `py.typed` promises to those who check their own code against the package."""
    answer = run("-m", "mypy")
    errors = [line for line in answer.stdout.splitlines() if "error: " in line]
    assert errors == []
    assert "no issues found" in answer.stdout, answer.stdout + answer.stderr
