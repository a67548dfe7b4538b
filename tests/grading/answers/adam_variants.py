"""AdamW, AMSGrad and Nadam: wrong answers and what each loses, and right ones written differently."""

MUTANTS = {
    "the penalty goes past the means": (
        "adam-l2",
        "return adam(theta, g + weight_decay * theta, state, lr, beta1, beta2, eps)",
        "new, state = adam(theta, g, state, lr, beta1, beta2, eps)\n"
        "    return new - lr * weight_decay * theta, state",
        {"l2-through"},
    ),
    "the penalty is added to the corrected mean": (
        "adam-l2",
        "return adam(theta, g + weight_decay * theta, state, lr, beta1, beta2, eps)",
        "mean, square, state = running_means(g, state, beta1, beta2)\n"
        "    return theta - lr * (mean + weight_decay * theta) / (np.sqrt(square) + eps), state",
        {"l2-through"},
    ),
    "the gradient of lambda times theta squared": (
        "adam-l2",
        "g + weight_decay * theta",
        "g + 2 * weight_decay * theta",
        {"l2-balance"},
    ),
    "the gradient of an L1 penalty": (
        "adam-l2",
        "g + weight_decay * theta",
        "g + weight_decay * np.sign(theta)",
        {"l2-balance"},
    ),
    "the penalty itself is added": (
        "adam-l2",
        "g + weight_decay * theta",
        "g + weight_decay / 2 * np.sum(theta**2)",
        {"l2-balance"},
    ),
    "there is no penalty": (
        "adam-l2",
        "g + weight_decay * theta",
        "g",
        {"l2-through", "l2-balance"},
    ),
    "the penalty is added in place": (
        "adam-l2",
        "return adam(",
        "g += weight_decay * theta\n    g, weight_decay = g, 0.0\n    return adam(",
        {"inputs-unchanged"},
    ),
    "AdamW is Adam with a penalty": (
        "adamw",
        "moved, state = adam(theta, g, state, lr, beta1, beta2, eps)\n"
        "    return moved - lr * weight_decay * theta, state",
        "return adam(theta, g + weight_decay * theta, state, lr, beta1, beta2, eps)",
        {"adamw-fraction"},
    ),
    "the decay is lambda alone": (
        "adamw",
        "lr * weight_decay * theta",
        "weight_decay * theta",
        {"adamw-rate"},
    ),
    "the weights after the step decay": (
        "adamw",
        "moved - lr * weight_decay * theta",
        "moved - lr * weight_decay * moved",
        {"adamw-present"},
    ),
    "the weights decay in place": (
        "adamw",
        "return moved - lr * weight_decay * theta, state",
        "moved = moved - lr * weight_decay * theta\n    theta *= 1 - lr * weight_decay\n"
        "    return moved, state",
        {"inputs-unchanged"},
    ),
    "AMSGrad forgets": ("amsgrad", "np.maximum(largest, v)", "v", {"amsgrad-grows"}),
    "the larger of the last two": (
        "amsgrad",
        "largest = np.maximum(largest, v)",
        "last, largest = largest, v\n    v = np.maximum(last, v)",
        {"amsgrad-grows"},
    ),
    "the maximum is fed back into the mean": (
        "amsgrad",
        "largest = np.maximum(largest, v)",
        "largest = np.maximum(largest, v)\n    means = (m, largest, means[2])",
        {"amsgrad-own-mean"},
    ),
    "both means are corrected, then the maximum": (
        "amsgrad",
        "_, _, means = running_means(g, means, beta1, beta2)\n    m, v, _ = means",
        "m, v, means = running_means(g, means, beta1, beta2)",
        {"amsgrad-raw"},
    ),
    "the first mean is corrected": (
        "amsgrad",
        "_, _, means = running_means(g, means, beta1, beta2)\n    m, v, _ = means",
        "m, _, means = running_means(g, means, beta1, beta2)\n    v = means[1]",
        {"amsgrad-raw"},
    ),
    "one maximum for all coordinates": (
        "amsgrad",
        "np.maximum(largest, v)",
        "max(np.max(largest), np.max(v))",
        {"amsgrad-coordinates"},
    ),
    "Python's max": (
        "amsgrad",
        "np.maximum(largest, v)",
        "max(largest, v)",
        {"amsgrad-coordinates"},
    ),
    "Nadam is Adam": (
        "nadam",
        "ahead = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)",
        "ahead = m / (1 - beta1**t)",
        {"nadam-ahead", "nadam-corrections"},
    ),
    "it looks ahead from the mean that already did": (
        "nadam",
        "return theta - lr * ahead",
        "state = (beta1 * m + (1 - beta1) * g, state[1], t)\n    return theta - lr * ahead",
        {"nadam-ahead"},
    ),
    "both parts have the correction of the present step": (
        "nadam",
        "(1 - beta1 ** (t + 1))",
        "(1 - beta1**t)",
        {"nadam-corrections"},
    ),
    "Nadam's direction is not corrected": (
        "nadam",
        "ahead = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)",
        "ahead = beta1 * m + (1 - beta1) * g",
        {"nadam-corrections"},
    ),
    "the squares are not corrected": (
        "nadam",
        "m, _, t = state",
        "m, square, t = state",
        {"nadam-square"},
    ),
    "the squares look ahead, too": (
        "nadam",
        "np.sqrt(square)",
        "np.sqrt(square * (1 - beta2**t) / (1 - beta2 ** (t + 1)))",
        {"nadam-square"},
    ),
    "beta1 takes the place of beta2": (
        "nadam",
        "running_means(g, state, beta1, beta2)",
        "running_means(g, state, beta1, beta1)",
        {"nadam-square"},
    ),
    "all arrays decay": ("step-all", " if name in decaying else 0.0", "", {"tree-decays"}),
    "matrices decay": ("step-all", "name in decaying", "theta.ndim > 1", {"tree-decays"}),
    "one state for all arrays": (
        "step-all",
        "mine = states.get(name)\n        new[name], later[name] =",
        "mine, later = states.get(0), states\n        new[name], states[0] =",
        {"tree-states"},
    ),
    "no state is handed on": ("step-all", "return new, later", "return new, None", {"tree-states"}),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "written out, with dictionaries that are changed in place": {
        "adam-l2": """
def adam_l2(theta, g, state, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    if state is None:
        state = {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "t": 0}
    slope = np.copy(g)
    slope += weight_decay * theta
    state["t"] += 1
    state["m"] *= beta1
    state["m"] += (1 - beta1) * slope
    state["v"] *= beta2
    state["v"] += (1 - beta2) * slope**2
    first = state["m"] / (1 - beta1 ** state["t"])
    second = state["v"] / (1 - beta2 ** state["t"])
    return theta - lr * first / (second**0.5 + eps), state
""",
        "adamw": """
def adamw(theta, g, state, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    result = theta * (1 - lr * weight_decay)
    first, second, state = running_means(g, state, beta1, beta2)
    result -= lr * first / (np.sqrt(second) + eps)
    return result, state
""",
        "amsgrad": """
def amsgrad(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    if state is None:
        state = {name: np.zeros(np.shape(g)) for name in ("m", "v", "top")}
    state["m"] += (1 - beta1) * (g - state["m"])
    state["v"] += (1 - beta2) * (np.square(g) - state["v"])
    np.maximum(state["top"], state["v"], out=state["top"])
    return theta - lr * state["m"] / (np.sqrt(state["top"]) + eps), state
""",
    },
    "loops over numbers, the roots kept instead of the squares, lists": {
        "amsgrad": """
def amsgrad(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    flat, slopes = np.ravel(theta), np.ravel(g)
    state = [(0.0, 0.0, 0.0)] * flat.size if state is None else state
    moved, memory = [], []
    for p, slope, (m, v, root) in zip(flat, slopes, state):
        m, v = beta1 * m + (1 - beta1) * slope, beta2 * v + (1 - beta2) * slope * slope
        root = max(root, v**0.5)
        moved.append(p - lr * m / (root + eps))
        memory.append((m, v, root))
    return np.array(moved).reshape(np.shape(theta)), memory
""",
        "nadam": """
def nadam(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, product1, product2 = (0.0, 0.0, 1.0, 1.0) if state is None else state
    m = m * beta1 + g - beta1 * g
    v = v * beta2 + g**2 - beta2 * g**2
    product1, product2 = product1 * beta1, product2 * beta2
    remembered = m * beta1 / (1 - product1 * beta1)
    newest = g * (1 - beta1) / (1 - product1)
    root = (v / (1 - product2)) ** 0.5
    return theta - lr * (remembered + newest) / (root + eps), (m, v, product1, product2)
""",
    },
    "a class for the state, and a list of the two results": {
        "nadam": """
class Looking:
    def __init__(self):
        self.adams = None

    def direction(self, slope, b1, b2):
        mean, square, self.adams = running_means(slope, self.adams, b1, b2)
        count = self.adams[2]
        share = (1 - b1**count) / (1 - b1 ** (count + 1))
        return b1 * mean * share + (1 - b1) / (1 - b1**count) * slope, square


def nadam(theta, g, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    state = state or Looking()
    upper, lower = state.direction(g, beta1, beta2)
    return [theta - lr * upper / (np.sqrt(lower) + eps), state]
""",
        "step-all": """
class Arrays(dict):
    def __missing__(self, name):
        return None


def step_all(step, params, grads, states, weight_decay, decaying):
    states = Arrays() if states is None else Arrays(states)
    for name in sorted(params):
        factor = {True: weight_decay, False: 0}[name in decaying]
        params[name], states[name] = step(params[name], grads[name], states[name], factor)
    return params, states
""",
    },
    "means in float32, in Fortran order": {
        "adamw": """
def adamw(theta, g, state, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    slope = np.asfortranarray(g, dtype=np.float32)
    mean, square, state = running_means(slope, state, beta1, beta2)
    return theta - lr * (mean / (np.sqrt(square) + eps) + weight_decay * theta), state
""",
        "adam-l2": """
def adam_l2(theta, g, state, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    def penalized(slope, weight):
        return slope + np.multiply(weight, weight_decay)

    mean, square, state = running_means(penalized(g, theta), state, beta1, beta2)
    return theta + -lr * mean / (eps + np.sqrt(square)), state
""",
    },
    "a generator of steps as the state": {
        "adamw": """
def walk(lr, decay, beta1, beta2, eps):
    new, m, v, t = None, 0.0, 0.0, 0
    while True:
        theta, g = yield new
        t += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        rate = lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        new = theta - lr * decay * theta - rate * m / (np.sqrt(v) + eps * (1 - beta2**t) ** 0.5)


def adamw(theta, g, state, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    if state is None:
        state = walk(lr, weight_decay, beta1, beta2, eps)
        next(state)
    return state.send((theta, g)), state
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
