"""Settings for every pytest run, of tests and of notebooks."""

import os

# The kernels that nbval starts inherit these. One thread: sums come out alike on every machine.
for name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ[name] = "1"
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
