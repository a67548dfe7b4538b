"""Schedules, clipping, a data-parallel step: wrong answers and what each loses, and right ones."""

ONE_LINE = "return theta - rate * clip(whole / scale)"
PARTS = "parts = [gradient(theta, batch) for batch in batches]"
FACTOR = "return [factor * array for array in grads]"
NORM = "np.sqrt(sum(np.sum(np.square(array)) for array in grads))"

MUTANTS = {
    "a straight line": (
        "cosine",
        "peak * np.cos(angle / 2) ** 2",
        "peak * (1 - angle / np.pi)",
        {"cosine-shape"},
    ),
    "a quarter of a period": (
        "cosine",
        "np.cos(angle / 2) ** 2",
        "np.cos(angle / 2)",
        {"cosine-shape"},
    ),
    "the first step counts as finished": (
        "cosine",
        "min(n, steps)",
        "min(n + 1, steps)",
        {"cosine-shape"},
    ),
    "the cosine rises again": ("cosine", "min(n, steps)", "n", {"cosine-stays"}),
    "it never reaches zero": ("cosine", "min(n, steps)", "min(n, steps - 1)", {"cosine-stays"}),
    "a warmup that falls": (
        "warmup",
        "return (1 - share) * start + share * schedule(0)",
        "return schedule(0) / (1 + share)",
        {"warmup-line", "warmup-start"},
    ),
    "a geometric rise": (
        "warmup",
        "(1 - share) * start + share * schedule(0)",
        "start ** (1 - share) * schedule(0) ** share",
        {"warmup-line"},
    ),
    "the warmup starts from zero": (
        "warmup",
        "(1 - share) * start + share",
        "share",
        {"warmup-line", "warmup-start"},
    ),
    "the first step has risen already": (
        "warmup",
        "share = n / k",
        "share = (n + 1) / k",
        {"warmup-start"},
    ),
    "the peak comes a step too early": (
        "warmup",
        "share = n / k",
        "share = n / max(k - 1, 1)",
        {"warmup-start"},
    ),
    "the schedule has begun during the warmup": (
        "warmup",
        "schedule(n - k)",
        "schedule(n)",
        {"warmup-handover"},
    ),
    "the rate is computed once": (
        "run",
        "for finished in range(steps):\n        theta = step(theta, schedule(finished))",
        "rate = schedule(0)\n    for finished in range(steps):\n        theta = step(theta, rate)",
        {"run-every-step"},
    ),
    "steps are counted from one": (
        "run",
        "range(steps)",
        "range(1, steps + 1)",
        {"run-first-rate"},
    ),
    "one step too few": ("run", "range(steps)", "range(steps - 1)", {"run-first-rate"}),
    "a limit on every number": (
        "clip-by-norm",
        FACTOR,
        "return [np.clip(array, -c, c) for array in grads]",
        {"clip-euclidean"},
    ),
    "the largest number is limited": (
        "clip-by-norm",
        NORM,
        "max(np.max(np.abs(array)) for array in grads)",
        {"clip-euclidean"},
    ),
    "no root": (
        "clip-by-norm",
        NORM,
        "sum(np.sum(np.square(array)) for array in grads)",
        {"clip-euclidean"},
    ),
    "a norm for every array": (
        "clip-by-norm",
        FACTOR,
        "return [a * min(1.0, c / max(np.linalg.norm(a), 1e-300)) for a in grads]",
        {"clip-global"},
    ),
    "always as long as the threshold": (
        "clip-by-norm",
        "c / norm if norm > c else 1.0",
        "c / norm",
        {"clip-short"},
    ),
    "the arrays' norms are added": (
        "clip-by-norm",
        NORM,
        "sum(np.linalg.norm(array) for array in grads)",
        {"clip-short"},
    ),
    "nothing is clipped": ("clip-by-norm", "norm > c", "False", {"clip-euclidean", "clip-global"}),
    "the mean of the means": (
        "combine",
        "size / sum(sizes)",
        "1 / len(sizes)",
        {"combine-weights"},
    ),
    "a weighted sum": ("combine", "size / sum(sizes)", "size", {"combine-mean"}),
    "a mean of weighted gradients": (
        "combine",
        "size / sum(sizes)",
        "size / len(sizes)",
        {"combine-mean"},
    ),
    "a plain sum": ("combine", "size / sum(sizes)", "1.0", {"combine-weights", "combine-mean"}),
    "every worker clips": (
        "parallel-step",
        PARTS,
        "parts = [scale * clip(gradient(theta, batch) / scale) for batch in batches]",
        {"step-order"},
    ),
    "nobody clips": (
        "parallel-step",
        ONE_LINE,
        "return theta - rate * whole / scale",
        {"step-order", "step-scale"},
    ),
    "a worker sees the steps of those before it": (
        "parallel-step",
        PARTS,
        "parts, there = [], theta\n"
        "    for batch in batches:\n"
        "        parts.append(gradient(there, batch))\n"
        "        there = there - rate * parts[-1] / scale",
        {"step-theta"},
    ),
    "every worker counts alike": (
        "parallel-step",
        "[len(batch) for batch in batches]",
        "[1 for batch in batches]",
        {"step-sizes"},
    ),
    "unscaled after clipping": (
        "parallel-step",
        "clip(whole / scale)",
        "clip(whole) / scale",
        {"step-scale"},
    ),
    "never unscaled": ("parallel-step", "clip(whole / scale)", "clip(whole)", {"step-scale"}),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "in place, with loops over numbers": {
        "cosine": """
import math


def cosine(n, peak, steps):
    if n >= steps:
        return 0
    return peak / 2 * (1 + math.cos(math.pi * n / steps))
""",
        "clip-by-norm": """
def clip_by_norm(grads, c):
    total = 0.0
    for array in grads:
        for number in array.flat:
            total += float(number) ** 2
    if total > c * c:
        for array in grads:
            array *= c / total**0.5
    return grads
""",
        "combine": """
def combine(grads, sizes):
    out, count = np.zeros(np.shape(grads[0])), 0
    for g, n in zip(grads, sizes):
        count += n
        out += (g - out) * n / count
    return out
""",
        "parallel-step": """
def parallel_step(theta, batches, gradient, combine, clip, rate, scale=1.0):
    parts, sizes = [], []
    for rows in batches:
        part = gradient(theta, rows)
        part /= scale
        parts.append(part)
        sizes.append(rows.shape[0])
    theta -= rate * clip(combine(parts, sizes))
    return theta
""",
    },
    "a class with a call, and recursion": {
        "warmup": """
class warm:
    def __init__(self, behind, rise, first):
        self.behind, self.rise, self.first = behind, rise, first

    def __call__(self, n):
        if n < self.rise:
            return self.first + (self.behind(0) - self.first) * n / self.rise
        return self.behind(n - self.rise)


def warmup(schedule, k, start):
    return warm(schedule, k, start)
""",
        "run": """
def run(theta, step, schedule, steps, done=0):
    if done == steps:
        return theta
    return run(step(theta, schedule(done)), step, schedule, steps, done + 1)
""",
    },
    "float32 inside, Fortran order, PyTorch's millionth": {
        "clip-by-norm": """
def clip_by_norm(grads, c):
    grads = [np.asfortranarray(g, dtype=np.float32) for g in grads]
    length = np.linalg.norm([np.linalg.norm(g) for g in grads])
    factor = min(1.0, c / (length + 1e-6))
    return tuple(g * factor for g in grads)
""",
        "combine": """
def combine(grads, sizes):
    stack = np.array(grads, dtype=np.float32, order="F")
    return np.average(stack, axis=0, weights=sizes)
""",
        "cosine": """
def cosine(n, peak, steps):
    part = np.float32(np.clip(n / steps, 0, 1))
    return np.float32(peak) * (1 + np.cos(np.float32(np.pi) * part)) / 2
""",
    },
    "one long vector, a table of rates, and lists for arrays": {
        "clip-by-norm": """
def clip_by_norm(grads, c):
    flat = np.concatenate([np.ravel(g) for g in grads])
    length = np.sqrt(flat @ flat)
    flat = flat if length <= c else flat * (c / length)
    pieces = np.split(flat, np.cumsum([np.size(g) for g in grads])[:-1])
    return [piece.reshape(np.shape(g)) for piece, g in zip(pieces, grads)]
""",
        "warmup": """
def warmup(schedule, k, start):
    table = list(np.linspace(start, schedule(0), k + 1))

    def rate(n):
        return table[n] if n < k else schedule(n - k)

    return rate
""",
        "parallel-step": """
def parallel_step(theta, batches, gradient, combine, clip, rate, scale=1.0):
    counts = list(map(len, batches))
    fractions = [count / sum(counts) for count in counts]
    g = combine(list(map(lambda batch: gradient(theta, batch), batches)), fractions)
    g = clip(np.divide(g, scale))
    return np.array([p - rate * q for p, q in zip(theta, g)])
""",
        "run": """
def run(theta, step, schedule, steps):
    n = 0
    while n < steps:
        theta = step(theta, schedule(n))
        n += 1
    return theta
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
