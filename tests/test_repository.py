"""The files around the book and the package: what they promise is there, and they agree."""

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from notebook_rules import ROOT

SKIPPED = {
    ".git",
    ".venv",
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
            if path.suffix in TEXT_SUFFIXES:
                yield path


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.M))


# Pins and metadata


def pins() -> dict[str, str]:
    lines = [line for line in read("requirements.txt").splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ; .+)?", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {match[1]: match[2] for match in found}


def test_requirements_are_exact_and_name_no_address():
    assert len(pins()) > 100
    assert not re.search(r"://|file:|--|@", read("requirements.txt"))


def test_every_direct_requirement_is_pinned():
    direct = re.findall(r"^([a-z0-9-]+)", read("requirements.in"), flags=re.M)
    assert set(direct) - set(pins()) == set()


def test_numpy_is_the_only_hard_dependency():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert [re.split(r"\W", name)[0] for name in project["dependencies"]] == ["numpy"]
    assert project["requires-python"] == ">=3.11"


@pytest.mark.parametrize("path", sorted((ROOT / "optimlib").rglob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_only_what_the_package_may_need(path):
    allowed = {"numpy", "optimlib"}
    allowed |= {"figures": {"matplotlib", "cycler"}, "probes": {"tqdm"}}.get(path.stem, set())
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(node.module.split(".")[0])
    assert imported - allowed - set(sys.stdlib_module_names) == set()


def test_versions_agree():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    assert f"version {version}," in read("README.md")


def test_citation_file_has_what_the_format_demands():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


# Commands


def test_commands_that_are_promised_exist():
    documents = read("README.md") + read("CONTRIBUTING.md")
    promised = set(re.findall(r"(?:`|^)make (?:PYTHON=\S+ )?([a-z]+)", documents, flags=re.M))
    assert {"book", "test", "lab"} <= promised <= make_targets()


def test_every_target_is_explained():
    assert make_targets() - set(re.findall(r"make ([a-z]+) ", read("Makefile"))) == {"help"}
    assert make_targets() - {"help"} <= set(re.findall(r"`make ([a-z]+)`", read("CONTRIBUTING.md")))


def test_ci_runs_the_test_command_and_nothing_else():
    assert read(".ci/run") == "#!/bin/sh\nexec make test\n"
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def test_workflows_cover_the_matrix():
    jobs = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.13"]
    assert "deploy" in yaml.safe_load(read(".github/workflows/deploy.yml"))["jobs"]


# Words


def test_the_readme_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.+?)```", read("README.md"), flags=re.S)
    example += "assert loss(params) < np.mean(y**2)\n"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("gradient check: PASS")


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
        if path.name != "test_repository.py"
        for match in private.findall(path.read_text(encoding="utf8"))
    ]
    assert found == []


def test_code_keeps_the_style():
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
