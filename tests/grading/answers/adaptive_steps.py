"""AdaGrad, RMSProp and Adam: wrong answers and what each loses, and right ones written differently."""

MUTANTS = {
    "AdaGrad forgets": ("adagrad", "G = G + g**2", "G = 0.9 * G + 0.1 * g**2", {"adagrad-sum"}),
    "AdaGrad's state is thrown away": ("adagrad", "G = G + g**2", "G = g**2", {"adagrad-sum"}),
    "one accumulator for all coordinates": (
        "adagrad",
        "G = G + g**2",
        "G = G + np.sum(g**2)",
        {"adagrad-coordinates"},
    ),
    "no root": ("adagrad", "np.sqrt(G)", "G", {"adagrad-root"}),
    "no epsilon": ("adagrad", "(np.sqrt(G) + eps)", "np.sqrt(G)", {"adagrad-zero"}),
    "RMSProp sums": (
        "rmsprop",
        "v = rho * v + (1 - rho)",
        "v = v + (1 - rho)",
        {"rmsprop-forgets"},
    ),
    "rho and 1 - rho change places": (
        "rmsprop",
        "rho * v + (1 - rho) * g**2",
        "(1 - rho) * v + rho * g**2",
        {"rmsprop-weights"},
    ),
    "RMSProp begins with the first square": (
        "rmsprop",
        "np.zeros_like(theta) if",
        "g**2 if",
        {"rmsprop-weights"},
    ),
    "no bias correction": (
        "adam",
        "m_hat = m / (1 - beta1**t)\n    v_hat = v / (1 - beta2**t)",
        "m_hat, v_hat = m, v",
        {"adam-first-step"},
    ),
    "only the first mean is corrected": (
        "adam",
        "v_hat = v / (1 - beta2**t)",
        "v_hat = v",
        {"adam-first-step"},
    ),
    "the count begins with two": ("adam", "t = t + 1", "t = max(t, 1) + 1", {"adam-first-step"}),
    "the count stays at one": ("adam", "t = t + 1", "t = 1", {"adam-count"}),
    "Adam's state is thrown away": ("adam", "(m, v, t)\n", "None\n", {"adam-state"}),
    "the betas change places": (
        "adam",
        "t = t + 1",
        "t = t + 1\n    beta1, beta2 = beta2, beta1",
        {"adam-betas"},
    ),
    "epsilon inside of the root": (
        "adam",
        "(np.sqrt(v_hat) + eps)",
        "np.sqrt(v_hat + eps)",
        {"adam-epsilon"},
    ),
    "epsilon left out": ("adam", "(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat)", {"adam-epsilon"}),
    "theta is changed in place": (
        "adam",
        "return theta - lr * m_hat / (np.sqrt(v_hat) + eps), (m, v, t)",
        "theta -= lr * m_hat / (np.sqrt(v_hat) + eps)\n    return theta, (m, v, t)",
        {"inputs-unchanged"},
    ),
    "the gradient is squared in place, later": (
        "rmsprop",
        "return theta - lr * g / (np.sqrt(v) + eps), v",
        "new = theta - lr * g / (np.sqrt(v) + eps)\n    g *= g\n    return new, v",
        {"inputs-unchanged"},
    ),
    "the gradient is taken once": (
        "minimize",
        "state = None\n",
        "state, g = None, gradient(theta)\n    gradient = lambda theta: g\n",
        {"minimize-gradient"},
    ),
    "the state is not handed on": (
        "minimize",
        "theta, state = step(theta, gradient(theta), state)",
        "theta, _ = step(theta, gradient(theta), state)",
        {"minimize-state"},
    ),
    "one step too many": ("minimize", "range(steps)", "range(steps + 1)", {"minimize-count"}),
    "AdaGrad is not there": (
        "adagrad",
        "def adagrad(",
        "def ada_grad(",
        {"adagrad-sum", "adagrad-coordinates", "adagrad-root", "adagrad-zero", "inputs-unchanged"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "in place, with out= and a state that is one array": {
        "adagrad": """
def adagrad(theta, g, state, lr=0.1, eps=1e-8):
    if state is None:
        state = np.zeros(np.shape(theta))
    np.add(state, np.square(g), out=state)
    return theta - lr * np.divide(g, np.sqrt(state) + eps), state
""",
        "adam": """
def adam(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    if state is None:
        state = {"m": 0 * g, "v": 0 * g, "t": 0}
    state["t"] += 1
    state["m"] *= beta1
    state["m"] += (1 - beta1) * g
    state["v"] *= beta2
    state["v"] += (1 - beta2) * g * g
    rate = lr * np.sqrt(1 - beta2 ** state["t"]) / (1 - beta1 ** state["t"])
    root = np.sqrt(state["v"]) + eps * np.sqrt(1 - beta2 ** state["t"])
    return theta - rate * state["m"] / root, state
""",
    },
    "loops over numbers, and the state a list": {
        "rmsprop": """
def rmsprop(theta, g, state, lr=0.01, rho=0.9, eps=1e-8):
    flat = [float(x) for x in np.ravel(g)]
    old = [0.0] * len(flat) if state is None else state
    new = [rho * a + (1 - rho) * b * b for a, b in zip(old, flat)]
    moved = [p - lr * b / (a**0.5 + eps) for p, a, b in zip(np.ravel(theta), new, flat)]
    return np.array(moved).reshape(np.shape(theta)), new
""",
        "minimize": """
def minimize(step, gradient, theta, steps):
    def again(theta, state, left):
        if left == 0:
            return theta
        theta, state = step(theta, gradient(theta), state)
        return again(theta, state, left - 1)

    return again(theta, None, steps)
""",
    },
    "a class for the state": {
        "adam": """
class Means:
    def __init__(self, like):
        self.mean, self.square, self.count = np.zeros_like(like), np.zeros_like(like), 0

    def update(self, slope, b1, b2):
        self.count += 1
        self.mean = self.mean + (1 - b1) * (slope - self.mean)
        self.square = self.square + (1 - b2) * (slope**2 - self.square)
        return self.mean / (1 - b1**self.count), self.square / (1 - b2**self.count)


def adam(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    means = state or Means(theta)
    mean, square = means.update(g, beta1, beta2)
    return theta - lr * mean / (square**0.5 + eps), means
""",
    },
    "the state in float32, in a tuple, and a list of the two results": {
        "adagrad": """
def adagrad(theta, g, state, lr=0.1, eps=1e-8):
    g32 = np.asarray(g, dtype=np.float32)
    total = g32 * g32 if state is None else state[0] + g32 * g32
    return [theta - lr * g / (np.sqrt(total) + eps), (total,)]
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
