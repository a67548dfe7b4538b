"""What `import optimlib` loads: no room that it does not promote, and nothing that only few use."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that are there after `import optimlib`, in a fresh process."""
    code = "import sys, optimlib; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("name", ["matplotlib", "numba", "tqdm", "optimlib.lab", "optimlib.nn"])
def test_importing_the_package_does_not_load(loaded, name):
    assert name not in loaded
