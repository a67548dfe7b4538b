"""A gradient checker: wrong answers and what each loses, and right ones written differently."""

COPY = "moved = {key: leaf.copy() for key, leaf in theta.items()}"
MOVE = "moved[name][index] += s\n        return loss(moved)"
LEAST = "value, error = min(rungs, key=lambda rung: rung[1])"
INSIDE = 'if not abs(claim - value) <= tolerance:\n        return "fail"\n'

MUTANTS = {
    "a copy of the dictionary alone": ("along", COPY, "moved = dict(theta)", {"along-again"}),
    "the entry becomes s": ("along", "] += s", "] = s", {"along-again"}),
    "there and back": (
        "along",
        COPY + "\n        " + MOVE,
        "theta[name][index] += s\n"
        "        value = loss(theta)\n"
        "        theta[name][index] -= s\n"
        "        return value",
        {"along-again"},
    ),
    "copied once, outside": (
        "along",
        "def phi(s):\n        " + COPY,
        COPY + "\n\n    def phi(s):",
        {"along-again"},
    ),
    "the whole leaf moves": (
        "along",
        "moved[name][index] += s",
        "moved[name] += s",
        {"along-alone"},
    ),
    "all leaves move": (
        "along",
        "moved[name][index] += s",
        "moved = {key: leaf + s for key, leaf in moved.items()}",
        {"along-alone"},
    ),
    "the coarse extrapolation": (
        "estimate",
        "return fine, abs",
        "return coarse, abs",
        {"estimate-value"},
    ),
    "no extrapolation": (
        "estimate",
        "return fine, abs",
        "return quotients[2], abs",
        {"estimate-value"},
    ),
    "rounding alone": (
        "estimate",
        "abs(fine - coarse) + rounding",
        "rounding",
        {"estimate-truncation"},
    ),
    "the distance keeps its sign": (
        "estimate",
        "abs(fine - coarse)",
        "fine - coarse",
        {"estimate-truncation"},
    ),
    "the distance of the plain quotients": (
        "estimate",
        "abs(fine - coarse)",
        "abs(quotients[2] - quotients[1])",
        {"estimate-truncation"},
    ),
    "truncation alone": ("estimate", " + rounding\n", "\n", {"estimate-rounding"}),
    "the rounding is not divided by the step": (
        "estimate",
        " / (h / 4)\n",
        "\n",
        {"estimate-rounding"},
    ),
    "the rounding of numbers near one": (
        "estimate",
        "(abs(right) + abs(left))",
        "2",
        {"estimate-rounding"},
    ),
    "the rounding without sizes": (
        "estimate",
        "(abs(right) + abs(left))",
        "(right + left)",
        {"estimate-rounding"},
    ),
    "the first rung": ("decide", LEAST, "value, error = rungs[0]", {"decide-least"}),
    "the last rung": ("decide", LEAST, "value, error = rungs[-1]", {"decide-least"}),
    "any rung that passes": (
        "decide",
        LEAST,
        "close = [r for r in rungs if abs(claim - r[0]) <= 4 * r[1]]\n"
        "    value, error = min(close or rungs, key=lambda rung: rung[1])",
        {"decide-least"},
    ),
    "inside is enough": (
        "decide",
        'return "inconclusive" if tolerance > size / 1000 else "pass"',
        'return "pass"',
        {"decide-wide"},
    ),
    "a wide tolerance never fails": (
        "decide",
        INSIDE,
        'if tolerance > size / 1000:\n        return "inconclusive"\n    ' + INSIDE,
        {"decide-far"},
    ),
    "small beside the claim": (
        "decide",
        "tolerance > size / 1000",
        "tolerance > abs(claim) / 1000",
        {"decide-size"},
    ),
    "the estimate is a bound": ("decide", "4 * error", "error", {"decide-far"}),
    "NaN is not far away": (
        "decide",
        "not abs(claim - value) <= tolerance",
        "abs(claim - value) > tolerance",
        {"decide-nan"},
    ),
    "rungs that are not numbers count": (
        "decide",
        "[rung for rung in ladder if np.isfinite(rung[0]) and np.isfinite(rung[1])]",
        "ladder",
        {"decide-rungs"},
    ),
    "only the error has to be finite": (
        "decide",
        "if np.isfinite(rung[0]) and np.isfinite",
        "if np.isfinite",
        {"decide-rungs"},
    ),
    "it stops at the first failure": (
        "check",
        "float(slopes[index]), size)\n",
        "float(slopes[index]), size)\n"
        '            if found[name, index] == "fail":\n'
        "                return found\n",
        {"check-every"},
    ),
    "the claim in the first entry": (
        "check",
        "float(slopes[index])",
        "float(slopes.flat[0])",
        {"check-every"},
    ),
    "as many numbers are enough": (
        "check",
        "np.shape(claimed[name]) != np.shape(leaf)",
        "np.size(claimed[name]) != np.size(leaf)",
        {"check-shape"},
    ),
    "what can be broadcast is broadcast": (
        "check",
        "np.shape(claimed[name]) != np.shape(leaf)",
        "np.shape(claimed[name] + leaf) != np.shape(leaf)",
        {"check-shape"},
    ),
    "claims that are missing are skipped": (
        "check",
        "if theta.keys() != claimed.keys()",
        "theta = {key: leaf for key, leaf in theta.items() if key in claimed}\n"
        "    if theta.keys() != claimed.keys()",
        {"check-leaves"},
    ),
    "claims that are left over are not noticed": (
        "check",
        "theta.keys() != claimed.keys()",
        "not theta.keys() <= claimed.keys()",
        {"check-leaves"},
    ),
    "one size for all leaves": (
        "check",
        "np.max(np.abs(slopes))",
        "max(np.max(np.abs(leaf)) for leaf in claimed.values())",
        {"check-size"},
    ),
    "the largest slope with its sign": (
        "check",
        "np.max(np.abs(slopes))",
        "np.max(slopes)",
        {"check-size"},
    ),
    "nothing was wrong": ("gravest", 'return "inconclusive"', 'return "pass"', {"gravest-of-all"}),
    "inconclusive before fail": (
        "gravest",
        '("fail", "inconclusive", "pass")',
        '("inconclusive", "fail", "pass")',
        {"gravest-of-all"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "in place, with the kept number put back": {
        "along": """
def along(loss, theta, name, index):
    leaf = theta[name]
    kept = float(leaf[index])

    def phi(s):
        leaf[index] = kept + s
        try:
            return loss(theta)
        finally:
            leaf[index] = kept

    return phi
""",
        "gravest": """
def gravest(verdicts):
    order = {"pass": 0, "inconclusive": 1, "fail": 2}
    return max(verdicts, key=order.get, default="inconclusive")
""",
    },
    "classes, and numpy's scalars": {
        "along": """
class Along:
    def __init__(self, loss, theta, name, index):
        self.loss, self.theta, self.name = loss, theta, name
        self.unit = np.zeros(np.shape(theta[name]))
        self.unit[index] = 1.0

    def __call__(self, s):
        return self.loss({**self.theta, self.name: self.theta[self.name] + s * self.unit})


def along(loss, theta, name, index):
    return Along(loss, theta, name, index)
""",
        "estimate": """
def estimate(phi, h):
    steps = np.array([h, h / 2, h / 4])
    values = np.array([[phi(s), phi(-s)] for s in steps], dtype=np.float64)
    D = (values[:, 0] - values[:, 1]) / (2 * steps)
    R = D[1:] + (D[1:] - D[:-1]) / 3
    E = np.abs(R[1] - R[0]) + np.finfo(float).eps * np.sum(np.abs(values[2])) / steps[2]
    return [R[1], E]
""",
        "decide": """
def decide(claim, ladder, size):
    table = np.array(ladder, dtype=float)
    table = table[np.all(np.isfinite(table), axis=1)]
    value, error = table[np.argmin(table[:, 1])]
    far = bool(abs(claim - value) > 4 * error) or not np.isfinite(claim)
    wide = bool(1000 * 4 * error > size)
    return {(True, True): "fail", (True, False): "fail", (False, True): "inconclusive"}.get(
        (far, wide), "pass"
    )
""",
    },
    "loops over flat indices": {
        "check": """
def check(theta, claimed, probe):
    table = {}
    for name in set(theta) | set(claimed):
        if name not in theta or name not in claimed:
            raise ValueError("a leaf is missing: " + name)
        g = np.asarray(claimed[name])
        if g.shape != theta[name].shape:
            raise ValueError("another shape: " + name)
        biggest = max(abs(float(v)) for v in g.ravel())
        for k in range(g.size):
            index = np.unravel_index(k, g.shape) if g.shape else ()
            table[(name, tuple(index))] = probe(name, tuple(index), g[tuple(index)], biggest)
    return table
""",
        "gravest": """
def gravest(verdicts):
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts and "inconclusive" not in verdicts else "inconclusive"
""",
    },
    "verdicts from an array of NumPy": {
        "decide": """
VERDICTS = np.array(["pass", "inconclusive", "fail"])


def decide(claim, ladder, size):
    values, errors = np.transpose(ladder)
    errors = np.where(np.isfinite(values) & np.isfinite(errors), errors, np.inf)
    k = np.argmin(errors)
    inside = np.abs(claim - values[k]) <= 4 * errors[k]
    return VERDICTS[int(4 * errors[k] > size * 1e-3)] if inside else VERDICTS[2]
""",
        "gravest": """
def gravest(verdicts):
    grave = [int(np.nonzero(VERDICTS == verdict)[0][0]) for verdict in verdicts]
    return VERDICTS[max(grave) if grave else 1]
""",
    },
    "sorted rungs, and recursion": {
        "decide": """
import math


def decide(claim, ladder, size):
    for error, value in sorted((e, v) for v, e in ladder if math.isfinite(v + e)):
        if math.isnan(claim) or abs(claim - value) > 4.0 * error:
            return "fail"
        return "pass" if 4.0 * error <= 0.001 * size else "inconclusive"
""",
        "along": """
from copy import deepcopy


def along(loss, theta, name, index):
    start = deepcopy(theta)

    def phi(s):
        fresh = deepcopy(start)
        fresh[name][index] = start[name][index] + s
        return loss(fresh)

    return phi
""",
        "estimate": """
def estimate(phi, h):
    def D(step):
        return (phi(step) - phi(-step)) / (2 * step)

    def R(step):
        return (4 * D(step / 2) - D(step)) / 3

    r1, r2 = R(h), R(h / 2)
    size = abs(phi(h / 4)) + abs(phi(-h / 4))
    return float(r2), float(abs(r1 - r2) + 8 * 2.0**-53 * size / h)
""",
        "gravest": """
def gravest(verdicts):
    if not len(verdicts):
        return "inconclusive"
    if len(verdicts) == 1:
        return verdicts[0]
    rest = gravest(verdicts[1:])
    return min(verdicts[0], rest, key=["fail", "inconclusive", "pass"].index)
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
