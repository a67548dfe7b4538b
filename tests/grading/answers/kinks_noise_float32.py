"""Kinks, noise and float32: wrong answers and what each loses, right ones written differently."""

KINK = "gaps[1] > gaps[0] / 2 and gaps[1] > rounding[1]"

MUTANTS = {
    "the left slope goes from the middle to the left": (
        "one-sided",
        "(middle - phi(-h)) / h",
        "(phi(-h) - middle) / h",
        {"sides"},
    ),
    "right before left": (
        "one-sided",
        "return (middle - phi(-h)) / h, (phi(h) - middle) / h",
        "return (phi(h) - middle) / h, (middle - phi(-h)) / h",
        {"sides"},
    ),
    "the central difference on both sides": (
        "one-sided",
        "return (middle - phi(-h)) / h, (phi(h) - middle) / h",
        "return ((phi(h) - phi(-h)) / (2 * h),) * 2",
        {"sides"},
    ),
    "one gap beside the slopes": (
        "has-kink",
        KINK,
        "gaps[1] > 0.1 * max(abs(right - middle), abs(middle - left)) / step and gaps[1] > rounding[1]",
        {"kink-curved"},
    ),
    "the gap keeps its sign": (
        "has-kink",
        "abs(right - 2 * middle + left)",
        "(right - 2 * middle + left)",
        {"kink-curved"},
    ),
    "the gap is as large for any bend": (
        "has-kink",
        "gaps[1] > gaps[0] / 2",
        "gaps[1] > gaps[0] / 20",
        {"kink-curved", "kink-scale"},
    ),
    "a bound on the gap": (
        "has-kink",
        "gaps[1] > gaps[0] / 2",
        "gaps[1] > 0.01",
        {"kink-scale"},
    ),
    "no allowance for rounding": (
        "has-kink",
        " and gaps[1] > rounding[1]",
        "",
        {"kink-rounding"},
    ),
    "rounding that does not grow with the values": (
        "has-kink",
        "max(abs(right), abs(middle), abs(left)) / step",
        "1 / step",
        {"kink-rounding"},
    ),
    "rounding that is not divided by the step": (
        "has-kink",
        "max(abs(right), abs(middle), abs(left)) / step",
        "max(abs(right), abs(middle), abs(left))",
        {"kink-rounding"},
    ),
    "a larger step instead of a smaller one": (
        "has-kink",
        "(h, h / 8)",
        "(8 * h, h)",
        {"kink-beside"},
    ),
    "left is taken for the smaller one": (
        "accepts",
        "min(left, right), max(left, right)",
        "left, right",
        {"accept-concave"},
    ),
    "the midpoint alone": (
        "accepts",
        "low - slack <= claim <= high + slack",
        "abs(claim - (low + high) / 2) <= slack",
        {"accept-ends"},
    ),
    "the ends are left out": (
        "accepts",
        "low - slack <= claim <= high + slack",
        "low - slack < claim < high + slack",
        {"accept-ends"},
    ),
    "what is not outside is inside": (
        "accepts",
        "low - slack <= claim <= high + slack",
        "not (claim < low - slack or claim > high + slack)",
        {"accept-ends"},
    ),
    "the generator is made once": (
        "fixed",
        "def same(theta):\n        return loss(theta, np.random.default_rng(seed))",
        "rng = np.random.default_rng(seed)\n\n    def same(theta):\n        return loss(theta, rng)",
        {"fixed-again"},
    ),
    "a generator without a seed": ("fixed", "default_rng(seed)", "default_rng()", {"fixed-again"}),
    "always the same seed": ("fixed", "default_rng(seed)", "default_rng(0)", {"fixed-seed"}),
    "two calls": ("spread", "range(calls)", "range(2)", {"spread-calls"}),
    "the last beside the first": (
        "spread",
        "max(values) - min(values)",
        "abs(values[-1] - values[0])",
        {"spread-calls"},
    ),
    "all beside the first": (
        "spread",
        "max(values) - min(values)",
        "max(abs(value - values[0]) for value in values)",
        {"spread-calls"},
    ),
    "always float64": ("step-for", "np.finfo(x.dtype)", "np.finfo(float)", {"step-format"}),
    "always a cube root": ("step-for", "(1 / (p + 1))", "(1 / 3)", {"step-order"}),
    "the order is the root": ("step-for", "(1 / (p + 1))", "(1 / p)", {"step-order"}),
    "no step at zero": (
        "step-for",
        "max(1.0, abs(float(x)))",
        "abs(float(x))",
        {"step-scale"},
    ),
    "a negative step": ("step-for", "max(1.0, abs(float(x)))", "float(x or 1.0)", {"step-scale"}),
    "one step for every x": ("step-for", " * max(1.0, abs(float(x)))", "", {"step-scale"}),
    "the result is converted": (
        "in-double",
        "return loss({name: leaf.astype(np.float64) for name, leaf in theta.items()})",
        "return np.float64(loss(theta))",
        {"double-inside"},
    ),
    "through float32 first": (
        "in-double",
        "leaf.astype(np.float64)",
        "leaf.astype(np.float32).astype(np.float64)",
        {"double-inside"},
    ),
    "the caller's dictionary is changed": (
        "in-double",
        "return loss({name: leaf.astype(np.float64) for name, leaf in theta.items()})",
        "for name in theta:\n"
        "            theta[name] = theta[name].astype(np.float64)\n"
        "        return loss(theta)",
        {"double-unchanged"},
    ),
    "the type of a value": (
        "looks-single",
        "values = [float(phi(s)) for s in points]",
        "return all(np.asarray(phi(s)).dtype == np.float32 for s in points)",
        {"single-values"},
    ),
    "the first value alone": (
        "looks-single",
        "for s in points",
        "for s in points[:1]",
        {"single-values"},
    ),
    "up to a tolerance": (
        "looks-single",
        "float(np.float32(value)) == value",
        "abs(float(np.float32(value)) - value) < 1e-6",
        {"single-values"},
    ),
    "any value": ("looks-single", "return all(", "return any(", {"single-values"}),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "one function built on another": {
        "has-kink": """
def has_kink(phi, h):
    def g(step):
        left, right = one_sided(phi, step)
        return np.abs(right - left)

    near = [phi(s) for s in (h / 8, 0.0, -h / 8)]
    noise = 8 * np.finfo(np.float64).eps * np.max(np.abs(near)) / (h / 8)
    return np.logical_and(g(h / 8) > noise, 2 * g(h / 8) > g(h))
""",
        "accepts": """
def accepts(claim, left, right, slack):
    return abs(claim - (left + right) / 2) <= abs(right - left) / 2 + slack
""",
    },
    "classes": {
        "fixed": """
class Fixed:
    def __init__(self, loss, seed):
        self.loss, self.seed = loss, seed

    def __call__(self, theta):
        generator = np.random.Generator(np.random.PCG64(self.seed))
        return self.loss(theta, generator)


def fixed(loss, seed):
    return Fixed(loss, seed)
""",
        "in-double": """
class Wide:
    def __init__(self, loss):
        self.loss = loss

    def __call__(self, theta):
        return self.loss(dict(zip(theta, (1.0 * np.asarray(v, dtype="f8") for v in theta.values()))))


def in_double(loss):
    return Wide(loss)
""",
    },
    "tables, arrays and numpy's scalars": {
        "one-sided": """
def one_sided(phi, h):
    values = np.array([phi(s) for s in (-h, 0.0, h)], dtype=np.float64)
    return np.diff(values) / h
""",
        "spread": """
def spread(loss, theta, calls):
    return np.ptp(np.array([loss(theta) for _ in range(calls)]))
""",
        "step-for": """
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}


def step_for(x, p):
    return np.exp2(np.log2(UNIT[str(np.asarray(x).dtype)]) / (p + 1)) * np.maximum(1, np.abs(x))
""",
        "looks-single": """
def looks_single(phi, points):
    values = np.array([phi(s) for s in points], dtype=np.float64)
    return np.count_nonzero(values.astype(np.float32) != values) == 0
""",
    },
    "loops that stop early, and a generator put back": {
        "fixed": """
def fixed(loss, seed):
    rng = np.random.default_rng(seed)
    start = rng.bit_generator.state

    def again(theta):
        rng.bit_generator.state = start
        return loss(theta, rng)

    return again
""",
        "spread": """
def spread(loss, theta, calls):
    low = high = loss(theta)
    for _ in range(calls - 1):
        value = loss(theta)
        low, high = min(low, value), max(high, value)
    return high - low
""",
        "looks-single": """
import struct


def looks_single(phi, points):
    for s in points:
        value = phi(s)
        if struct.unpack("f", struct.pack("f", value))[0] != value:
            return False
    return True
""",
        "accepts": """
def accepts(claim, left, right, slack):
    if left > right:
        return accepts(claim, right, left, slack)
    return bool(claim >= left - slack) and bool(claim <= right + slack)
""",
        "has-kink": """
def has_kink(phi, h):
    here, fine = phi(0.0), h / 8
    a, b = phi(fine), phi(-fine)
    change = abs((a - here) - (here - b))
    coarse = abs((phi(h) - here) - (here - phi(-h)))
    if change <= 2.0**-49 * max(map(abs, (a, b, here))):
        return False
    return change / fine > 0.5 * coarse / h
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
