"""What `import optimlib` loads: no room that it does not promote, and nothing that only few use."""

import subprocess
import sys

import pytest

FOR_FEW = ["matplotlib", "numba", "tqdm", "optimlib.lab", "optimlib.nn"]
FOR_ONE_CALL = ["concurrent.futures", "html", "json", "logging", "statistics", "zipfile"]
"""Of the standard library."""


def modules_after(imported: str) -> set[str]:
    """The modules that are there in a fresh process after an import."""
    code = f"import sys, {imported}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return modules_after("optimlib")


@pytest.mark.parametrize("name", FOR_FEW)
def test_importing_the_package_does_not_load(loaded, name):
    assert name not in loaded


def test_what_one_call_needs_is_loaded_when_it_is_called(loaded):
    """NumPy may load some of it: what counts is what comes on top."""
    assert (loaded - modules_after("numpy")).isdisjoint(FOR_ONE_CALL)
