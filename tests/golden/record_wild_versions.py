"""Check versions of libraries that had a wrong derivative, and the next ones, which are repaired.

    PYTHONPATH=. python tests/golden/record_wild_versions.py directory

The directory gets an environment for each version, of Python 3.11, unless it is there. The old code runs
in its own environment and the check in this one; numbers go through a pipe between the two.
"""

# ruff: noqa: E731 - short functions, one a line

import json
import subprocess
import sys
from pathlib import Path

OLD, OLDER = ("numpy==1.26.4", "scipy==1.11.4"), ("numpy==1.23.5", "scipy==1.10.1")
SCIPY, JAX, AUTOGRAD = "SciPy", "JAX", "Autograd"
GITHUB = "https://github.com/"
REPAIRED = [
    {
        "library": AUTOGRAD,
        "function": "multivariate_normal.logpdf",
        "wrong": "1.2",
        "right": "1.3",
        "kind": "sign",
        "note": "the covariance's slope has the wrong sign",
        "issue": GITHUB + "HIPS/autograd/issues/401",
        "tests": "never ran",
    },
    {
        "library": AUTOGRAD,
        "function": "linalg.eigh",
        "wrong": "1.3",
        "right": "1.4",
        "kind": "factor",
        "note": "one half of the matrix is read, and both halves get slopes",
        "issue": GITHUB + "HIPS/autograd/pull/527",
        "tests": "one kind",
    },
    {
        "library": SCIPY,
        "function": "spherical_in",
        "wrong": "1.13.0",
        "right": "1.13.1",
        "kind": "branch",
        "note": "0 for 1/3 at 0, of order 1",
        "issue": GITHUB + "scipy/scipy/issues/20506",
        "tests": "wrong number",
    },
    {
        "library": JAX,
        "function": "power",
        "wrong": "0.4.18",
        "right": "0.4.19",
        "kind": "slip",
        "note": "the slope of x to the 0 is 1",
        "issue": GITHUB + "jax-ml/jax/pull/17996",
        "tests": "wrong number",
    },
    {
        "library": JAX,
        "function": "i0",
        "wrong": "0.4.20",
        "right": "0.4.21",
        "kind": "branch",
        "note": "1 for 0 at 0",
        "issue": GITHUB + "jax-ml/jax/issues/11479",
        "tests": "",
    },
    {
        "library": JAX,
        "function": "logsumexp",
        "wrong": "0.4.38",
        "right": "0.5.0",
        "kind": "branch",
        "note": "NaN where a large number is masked",
        "issue": GITHUB + "jax-ml/jax/issues/23842",
        "tests": "",
    },
]


def serve(library: str, function: str) -> None:
    """In an old environment: answer each line, a point and perhaps a slope, with a value or slopes."""
    import numpy as np

    f, vjp, x = {SCIPY: of_scipy, AUTOGRAD: of_autograd, JAX: of_jax}[library](np, function)
    print(json.dumps(np.asarray(x).tolist()), flush=True)
    for line in sys.stdin:
        at, dy = (None if part is None else np.array(part, float) for part in json.loads(line))
        with np.errstate(all="ignore"):
            answer = f(at) if dy is None else vjp(at, dy)
        print(json.dumps(np.asarray(answer, float).tolist()), flush=True)


def of_scipy(np, function):
    from scipy import special

    f = getattr(special, function)
    odd = lambda x: np.sign(x) * f(1, abs(x))  # SciPy has no negative arguments
    return odd, lambda x, dy: dy * f(1, abs(x), derivative=True), np.array([0.0, 0.7, 1.9])


def of_autograd(np, function):
    import inspect

    import scipy.misc
    import scipy.special

    # Autograd asks for two functions that have moved since
    inspect.getargspec = lambda call: inspect.getfullargspec(call)[:4]
    scipy.misc.logsumexp = scipy.special.logsumexp
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.stats import multivariate_normal

    matrix = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.7]])
    at = np.array([0.3, -0.2, 0.5])
    f = {
        "multivariate_normal.logpdf": lambda C: multivariate_normal.logpdf(
            at, anp.zeros(3), (C + C.T) / 2
        ),
        "linalg.eigh": lambda A: anp.linalg.eigh(A)[0],
    }[function]
    return f, lambda x, dy: autograd.make_vjp(f)(x)[0](dy if dy.ndim else float(dy)), matrix


def of_jax(np, function):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    masked = np.array([True, True, False])
    f, x = {
        "power": (lambda x: x ** jnp.arange(4), np.array([0.3, 0.9, 1.7, 2.6])),
        "i0": (jnp.i0, np.array([-1.3, 0.0, 0.7])),
        "logsumexp": (
            lambda x: jax.scipy.special.logsumexp(x, where=masked),
            np.array([0.0, 0.5, 1000.0]),
        ),
    }[function]
    return f, lambda x, dy: jax.vjp(f, x)[1](jnp.asarray(dy))[0], x


def environment(root: Path, library: str, version: str) -> Path:
    """The Python of an environment with this version, which is made unless it is there and whole."""
    home = root / f"{library.lower()}-{version}"
    ready = home / "ready"
    if not ready.exists():
        pins = {
            SCIPY: ("numpy==1.26.4", f"scipy=={version}"),
            AUTOGRAD: (*OLDER, f"autograd=={version}"),
            JAX: (*OLD, f"jax=={version}", f"jaxlib=={version}"),
        }[library]
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin" / "pip", "install", "-q", *pins], check=True)
        ready.touch()
    return home / "bin" / "python"


def check(python: Path, library: str, function: str) -> tuple[str, float]:
    """What the check says of the function in that environment, and the size of its error."""
    import numpy as np
    from wild_findings import size_of_error, verdict_of

    command = [python, __file__, "--serve", library, function]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:

        def ask(*request):
            process.stdin.write(json.dumps([None if a is None else a.tolist() for a in request]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:  # no verdict on a gradient
                raise RuntimeError(f"the old version ended without an answer to {request}")
            return np.array(json.loads(line), float)

        x = np.array(json.loads(process.stdout.readline()))
        verdict, found = verdict_of((lambda x: ask(x, None), lambda x, dy: ask(x, np.asarray(dy)), x))
        process.stdin.close()
    return verdict, 0.0 if verdict == "refused" else float(f"{size_of_error(found):.0e}")


def record(root: Path) -> None:
    from wild_findings import write

    rows = []
    for case in REPAIRED:
        names = case["library"], case["function"]
        before, error = check(environment(root, names[0], case["wrong"]), *names)
        after, _ = check(environment(root, names[0], case["right"]), *names)
        rows.append({**case, "before": before, "after": after, "error": error})
        print(*names, case["wrong"], before, error, case["right"], after)
    write([], {}, repaired=rows)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(*sys.argv[2:])
    else:
        record(Path(sys.argv[1]).resolve())
