"""Gradient descent and momentum: wrong answers and what each loses, and right ones."""

LOOP = (
    "path = [np.array(theta, dtype=float)]\n"
    "    while len(path) <= steps:\n"
    "        here = path[-1]\n"
    "        path.append(here - lr * gradient(here))\n"
    "    return np.array(path)"
)

MUTANTS = {
    "uphill": ("descend", "here - lr", "here + lr", {"descend-present"}),
    "the gradient at the start": ("descend", "gradient(here)", "gradient(path[0])", {"descend-present"}),
    "the start is left out": ("descend", "np.array(path)", "np.array(path[1:])", {"descend-points"}),
    "one step too many": ("descend", "<= steps", "<= steps + 1", {"descend-points"}),
    "only the last point": (
        "descend",
        "np.array(path)",
        "path[-1]",
        {"descend-points", "descend-copies"},
    ),
    "one array for all points": (
        "descend",
        LOOP,
        "path = [theta]\n    for _ in range(steps):\n"
        "        theta -= lr * gradient(theta)\n        path.append(theta)\n    return path",
        {"descend-copies"},
    ),
    "the start is changed": (
        "descend",
        LOOP,
        "path = [theta.copy()]\n    for _ in range(steps):\n"
        "        theta -= lr * gradient(theta)\n        path.append(theta.copy())\n    return path",
        {"descend-copies"},
    ),
    "the steepest direction decides": (
        "rates",
        "max(abs(1 - lr * curvature) for curvature in curvatures)",
        "abs(1 - lr * max(curvatures))",
        {"factor-slowest"},
    ),
    "the directions are averaged": (
        "rates",
        "max(abs(1 - lr * curvature) for curvature in curvatures)",
        "sum(abs(1 - lr * curvature) for curvature in curvatures) / len(curvatures)",
        {"factor-slowest", "factor-overshoot"},
    ),
    "the flattest direction decides": (
        "rates",
        "max(abs(1 - lr * curvature) for curvature in curvatures)",
        "abs(1 - lr * min(curvatures))",
        {"factor-overshoot"},
    ),
    "the sign of the factor": (
        "rates",
        "max(abs(1 - lr * curvature) for",
        "max((1 - lr * curvature) for",
        {"factor-overshoot"},
    ),
    "no factor below zero or above one": (
        "rates",
        "max(abs(1 - lr * curvature) for curvature in curvatures)",
        "max(max(0.0, 1 - lr * curvature) for curvature in curvatures)",
        {"factor-overshoot"},
    ),
    "the best rate of the steepest direction": (
        "rates",
        "2 / (flat + steep)",
        "1 / steep",
        {"best-balance"},
    ),
    "the limit is taken for the best rate": (
        "rates",
        "2 / (flat + steep)",
        "2 / steep",
        {"best-balance"},
    ),
    "the mean of all curvatures": (
        "rates",
        "2 / (flat + steep)",
        "1 / np.mean(curvatures)",
        {"best-balance"},
    ),
    "the mean of the two best rates": (
        "rates",
        "2 / (flat + steep)",
        "(1 / flat + 1 / steep) / 2",
        {"best-balance"},
    ),
    "curvatures taken for sorted": (
        "rates",
        "min(curvatures), max(curvatures)",
        "curvatures[0], curvatures[-1]",
        {"best-balance"},
    ),
    "a running mean": (
        "heavy-ball",
        "mu * velocity + g",
        "mu * velocity + (1 - mu) * g",
        {"ball-first"},
    ),
    "the ball rolls uphill": ("heavy-ball", "theta - lr", "theta + lr", {"ball-first"}),
    "the velocity is forgotten": (
        "heavy-ball",
        "velocity, velocity\n",
        "velocity, None\n",
        {"ball-remembers"},
    ),
    "the velocity does not shrink": (
        "heavy-ball",
        "mu * velocity + g",
        "velocity + g",
        {"ball-remembers"},
    ),
    "mu and 1 - mu change places": (
        "heavy-ball",
        "mu * velocity + g",
        "(1 - mu) * velocity + g",
        {"ball-remembers"},
    ),
    "the learning rate inside": (
        "heavy-ball",
        "velocity = mu * velocity + g\n    return theta - lr * velocity",
        "velocity = mu * velocity + lr * g\n    return theta - velocity",
        {"ball-rate"},
    ),
    "the heavy ball is Nesterov's method": (
        "heavy-ball",
        "theta - lr * velocity",
        "theta - lr * (g + mu * velocity)",
        {"ball-first", "ball-remembers"},
    ),
    "Nesterov's method is the heavy ball": (
        "nesterov",
        "lr * ahead",
        "lr * velocity",
        {"nesterov-first"},
    ),
    "the old velocity": (
        "nesterov",
        "ahead = g + mu * velocity",
        "ahead = g + (0 * g if state is None else mu * state)",
        {"nesterov-first"},
    ),
    "the step is stored": ("nesterov", "ahead, velocity\n", "ahead, ahead\n", {"nesterov-velocity"}),
    "Nesterov's velocity is forgotten": (
        "nesterov",
        "ahead, velocity\n",
        "ahead, None\n",
        {"nesterov-velocity"},
    ),
    "theta is changed in place": (
        "heavy-ball",
        "return theta - lr * velocity, velocity",
        "theta -= lr * velocity\n    return theta, velocity",
        {"momentum-inputs"},
    ),
    "the gradient is changed in place": (
        "nesterov",
        "ahead = g + mu * velocity",
        "g += mu * velocity\n    ahead = g",
        {"momentum-inputs"},
    ),
    "the targets are not used": (
        "minibatches",
        "inputs @ theta - targets",
        "inputs @ theta",
        {"batch-residual"},
    ),
    "target minus prediction": (
        "minibatches",
        "inputs @ theta - targets",
        "targets - inputs @ theta",
        {"batch-residual"},
    ),
    "all rows, whichever were asked for": (
        "minibatches",
        "X[rows], y[rows]",
        "X, y",
        {"batch-residual", "batch-mean"},
    ),
    "a sum over the batch": (
        "minibatches",
        "misfit @ inputs / len(rows)",
        "misfit @ inputs",
        {"batch-mean"},
    ),
    "divided by the number of all examples": ("minibatches", "/ len(rows)", "/ len(X)", {"batch-mean"}),
    "the half is forgotten": (
        "minibatches",
        "misfit @ inputs /",
        "2 * misfit @ inputs /",
        {"batch-mean"},
    ),
    "drawn with replacement": ("minibatches", ".permutation(n)", ".integers(n, size=n)", {"epoch-once"}),
    "the rest is dropped": (
        "minibatches",
        "range(0, n, size)",
        "range(0, n - size + 1, size)",
        {"epoch-once"},
    ),
    "no shuffling": (
        "minibatches",
        "np.random.default_rng(seed).permutation(n)",
        "np.arange(n)",
        {"epoch-chance"},
    ),
    "the same order in every epoch": (
        "minibatches",
        "default_rng(seed)",
        "default_rng(0)",
        {"epoch-chance"},
    ),
    "only the batches are shuffled": (
        "minibatches",
        "np.random.default_rng(seed).permutation(n)\n"
        "    return [order[first : first + size] for first in range(0, n, size)]",
        "np.arange(n)\n    batches = [order[first : first + size] for first in range(0, n, size)]\n"
        "    return [batches[k] for k in np.random.default_rng(seed).permutation(len(batches))]",
        {"epoch-chance"},
    ),
    "another order in every call": (
        "minibatches",
        "default_rng(seed)",
        "default_rng()",
        {"epoch-chance"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "in place on copies, and a table filled row by row": {
        "descend": """
def descend(gradient, theta, lr, steps):
    rows = np.empty((steps + 1, len(theta)), order="F")
    rows[0] = theta
    now = theta.copy()
    for k in range(1, steps + 1):
        now -= lr * np.asarray(gradient(now))
        rows[k] = now
    return rows
""",
        "heavy-ball": """
def heavy_ball(theta, g, state, lr=0.01, mu=0.9):
    if state is None:
        state = {"b": np.zeros_like(theta)}
    state["b"] *= mu
    state["b"] += g
    new = theta.copy()
    new -= lr * state["b"]
    return new, state
""",
    },
    "recursion, and lists": {
        "descend": """
def descend(gradient, theta, lr, steps):
    if steps == 0:
        return [theta]
    return [theta, *descend(gradient, theta - lr * gradient(theta), lr, steps - 1)]
""",
        "minibatches": """
def batch_gradient(theta, X, y, rows):
    total = [0.0] * len(theta)
    for row in rows:
        error = sum(a * b for a, b in zip(X[row], theta)) - y[row]
        total = [t + error * a / len(rows) for t, a in zip(total, X[row])]
    return total


def epoch(n, size, seed):
    import random

    numbers = list(range(n))
    random.Random(seed).shuffle(numbers)
    batches = []
    while numbers:
        batches.append(numbers[:size])
        numbers = numbers[size:]
    return batches
""",
    },
    "the last step in place of a velocity, in a class": {
        "heavy-ball": """
class Ball:
    def __init__(self):
        self.b = 0.0

    def push(self, g, mu):
        self.b = self.b * mu + g
        return self.b


def heavy_ball(theta, g, state, lr=0.01, mu=0.9):
    ball = state or Ball()
    return theta - ball.push(g, mu) * lr, ball
""",
        "nesterov": """
def nesterov(theta, g, state, lr=0.01, mu=0.9):
    last = np.zeros_like(g) if state is None else state
    now = mu * last - lr * g
    return theta + mu * now - lr * g, now
""",
    },
    "whole arrays, and another generator": {
        "rates": """
def step_factor(lr, curvatures):
    return np.linalg.norm(1 - lr * curvatures, ord=np.inf)


def best_rate(curvatures):
    ordered = np.sort(curvatures)
    return 2 / ordered[[0, -1]].sum()
""",
        "minibatches": """
def batch_gradient(theta, X, y, rows):
    return np.mean([(X[k] @ theta - y[k]) * X[k] for k in rows], axis=0)


def epoch(n, size, seed):
    np.random.seed(seed)
    order = np.arange(n)
    np.random.shuffle(order)
    return np.split(order, range(size, n, size))
""",
    },
    "in float32, and the state a tuple": {
        "heavy-ball": """
def heavy_ball(theta, g, state, lr=0.01, mu=0.9):
    g32 = np.asarray(g, dtype=np.float32)
    b = g32 if state is None else np.float32(mu) * state[0] + g32
    return [theta - lr * b, (b,)]
""",
        "nesterov": """
def nesterov(theta, g, state, lr=0.01, mu=0.9):
    old = 0 if state is None else state[0]
    b = np.float32(mu) * np.asarray(old, np.float32) + np.asarray(g, np.float32)
    return theta - lr * (g + np.float32(mu) * b), (b,)
""",
        "rates": """
def step_factor(lr, curvatures):
    flat, steep = np.float32(min(curvatures)), np.float32(max(curvatures))
    return max(1 - lr * flat, lr * steep - 1)


def best_rate(curvatures):
    return 1 / ((np.min(curvatures) + np.max(curvatures)) / 2)
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
