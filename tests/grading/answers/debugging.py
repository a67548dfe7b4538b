"""Debugging with the check: wrong answers and what each loses, and right ones written differently."""

CHECKED = 'if check_gradient(loss, grad, theta, frozen=still).verdict == "fail":'
MEANS = (
    "first[k] = beta1 * first[k] + (1 - beta1) * g\n"
    "        second[k] = beta2 * second[k] + (1 - beta2) * g**2"
)

MUTANTS = {
    "what does not pass is wrong": ("wrong-leaves", '== "fail"', '!= "pass"', {"leaves-kink"}),
    "the whole fails, so all leaves are wrong": (
        "wrong-leaves",
        ", frozen=still",
        "",
        {"leaves-spared"},
    ),
    "measured against the whole gradient": (
        "wrong-leaves",
        CHECKED,
        "report = check_gradient(loss, grad, theta, frozen=still)\n"
        "        size = max(np.abs(slopes).max() for slopes in grad(theta).values())\n"
        '        far = [abs(q.difference) for q in report.probes if q.verdict == "fail"]\n'
        "        if far and max(far) > 1e-3 * size:",
        {"leaves-found"},
    ),
    "only the first wrong leaf": (
        "wrong-leaves",
        "guilty.append(name)",
        "guilty.append(name)\n            break",
        {"leaves-found"},
    ),
    "nothing is ever wrong": (
        "wrong-leaves",
        "return guilty",
        "return []",
        {"leaves-found", "leaves-spared", "leaves-kink"},
    ),
    "the inner derivative is missing": (
        "line-gradient",
        "np.mean(off * x)",
        "np.mean(off)",
        {"line-inner"},
    ),
    "the slope in w does not know the bias": (
        "line-gradient",
        "np.mean(off * x)",
        'np.mean((off - theta["b"]) * x)',
        {"line-residual"},
    ),
    "the slope in b does not know the parameters": (
        "line-gradient",
        "np.mean(off)}",
        "np.mean(x - y)}",
        {"line-residual", "line-inner", "line-mean"},
    ),
    "the slope in b does not know w": (
        "line-gradient",
        "np.mean(off)}",
        'np.mean(theta["b"] - y)}',
        {"line-residual"},
    ),
    "a sum over the examples": (
        "line-gradient",
        'return {"w": 2 * np.mean(off * x), "b": 2 * np.mean(off)}',
        'return {"w": 2 * np.sum(off * x), "b": 2 * np.sum(off)}',
        {"line-mean"},
    ),
    "the sum over the examples is missing": (
        "line-gradient",
        "2 * np.mean(off * x)",
        "2 / len(y) * off * x",
        {"line-mean"},
    ),
    "the 2 of the square is missing": (
        "line-gradient",
        'return {"w": 2 * np.mean(off * x), "b": 2 * np.mean(off)}',
        'return {"w": np.mean(off * x), "b": np.mean(off)}',
        {"line-mean"},
    ),
    "the article's line": (
        "line-gradient",
        'return {"w": 2 * np.mean(off * x), "b": 2 * np.mean(off)}',
        "return broken_line_gradient(theta, x, y)",
        {"line-inner", "line-residual", "line-mean"},
    ),
    "a sum for a mean in the network": ("backward", "/ len(x)", "", {"net-mean"}),
    "a mean over the numbers": ("backward", "len(x)", "out.size", {"net-mean"}),
    "the matrix is not transposed": ("backward", 'p["W2"].T', 'p["W2"]', {"net-transpose"}),
    "tanh of tanh": ("backward", "1 - h**2", "1 - np.tanh(h) ** 2", {"net-tanh"}),
    "no derivative of tanh": ("backward", "(1 - h**2)", "1.0", {"net-tanh"}),
    "the derivative of a sigmoid": (
        "backward",
        "(1 - h**2)",
        "h * (1 - h)",
        {"net-tanh", "net-transpose"},
    ),
    "the last example's bias, above": ("backward", "dout.sum(axis=0)", "dout[-1]", {"net-bias"}),
    "the last example's bias, below": ("backward", "dz.sum(axis=0)", "dz[-1]", {"net-bias"}),
    "a mean of what was divided already": (
        "backward",
        "dz.sum(axis=0)",
        "dz.mean(axis=0)",
        {"net-bias"},
    ),
    "the broken backward pass": (
        "backward",
        "h, out = outputs(p, x)",
        "return broken_backward(p, x, y)\n    h, out = outputs(p, x)",
        {"net-mean", "net-transpose", "net-tanh", "net-bias"},
    ),
    "a point with positive numbers": (
        "revealing-points",
        "np.array([-1.0, 2.0])",
        "np.array([3.0, 4.0])",
        {"point-cubes"},
    ),
    "the start once more": (
        "revealing-points",
        "np.array([1.5, -0.5])",
        "start",
        {"point-fourths"},
    ),
    "the parameter in place of the gradient": (
        "adam-step",
        MEANS,
        MEANS.replace("* g", "* params[k]"),
        {"adam-gradient"},
    ),
    "the parameter squared in place of the gradient": (
        "adam-step",
        "g**2",
        "params[k] ** 2",
        {"adam-gradient"},
    ),
    "the means are made anew": (
        "adam-step",
        "return moved, (first, second, t)",
        "return moved, ([0.0 * p for p in params], [0.0 * p for p in params], t)",
        {"adam-remembers"},
    ),
    "nothing is remembered": (
        "adam-step",
        "return moved, (first, second, t)",
        "return moved, None",
        {"adam-remembers", "adam-counts"},
    ),
    "the number of arrays is taken for that of the step": (
        "adam-step",
        "t += 1",
        "t = len(params)",
        {"adam-counts"},
    ),
    "every step is the first": ("adam-step", "t += 1", "t = 1", {"adam-counts"}),
    "every array counts as a step": (
        "adam-step",
        "t += 1\n    moved = []\n    for k, g in enumerate(grads):",
        "moved = []\n    for k, g in enumerate(grads):\n        t += 1",
        {"adam-counts"},
    ),
    "nothing is corrected": (
        "adam-step",
        "t += 1",
        "t += 10**6",
        {"adam-counts"},
    ),
    "only the last array is returned": (
        "adam-step",
        "return moved,",
        "return moved[-1:],",
        {"adam-arrays"},
    ),
    "the mean of one array goes on in the next": (
        "adam-step",
        "moved.append(",
        "first = len(first) * [first[k]]\n        moved.append(",
        {"adam-arrays"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "from the probes of one report, and loops": {
        "wrong-leaves": """
def wrong_leaves(loss, grad, theta):
    count = sum(leaf.size for leaf in theta.values())
    report = check_gradient(loss, grad, theta, coordinates=count, directions=0)
    names = []
    for probe in report.probes:
        name = probe.path[2:-2]
        if probe.verdict == "fail" and name not in names:
            names.append(name)
    return names
""",
        "line-gradient": """
def line_gradient(theta, x, y):
    dw = db = 0.0
    for a, b in zip(x, y):
        residual = theta["w"] * a + theta["b"] - b
        dw += 2 * residual * a / len(x)
        db += 2 * residual / len(x)
    return {"w": dw, "b": db}
""",
        "backward": """
def backward(p, x, y):
    total = {name: np.zeros_like(leaf) for name, leaf in p.items()}
    for row, target in zip(x, y):
        h, out = outputs(p, row)
        off = out - target
        total["b2"] += off
        total["W2"] += np.outer(h, off)
        dz = (p["W2"] @ off) * (1 - h) * (1 + h)
        total["b1"] += dz
        total["W1"] += np.outer(row, dz)
    return {name: leaf / len(x) for name, leaf in total.items()}
""",
    },
    "one leaf moved, the others kept in a closure": {
        "wrong-leaves": """
def alone(loss, grad, theta, name):
    def loss_of(leaf):
        return loss({**theta, name: leaf})

    def grad_of(leaf):
        return grad({**theta, name: leaf})[name]

    return check_gradient(loss_of, grad_of, theta[name])


def wrong_leaves(loss, grad, theta):
    return sorted(name for name in theta if alone(loss, grad, theta, name).verdict == "fail")
""",
        "backward": """
def backward(p, x, y):
    n = x.shape[0]
    z = x @ p["W1"] + p["b1"]
    ones = np.ones((n, 1))
    error = (np.tanh(z) @ p["W2"] + p["b2"] - y) / n
    below = np.einsum("ij,kj->ik", error, p["W2"]) / np.cosh(z) ** 2
    return {
        "W1": np.asfortranarray(x.T @ below),
        "W2": np.tanh(z).T @ error,
        "b1": (ones.T @ below)[0],
        "b2": (ones.T @ error)[0],
    }
""",
    },
    "a class with the state of one array, other points": {
        "adam-step": """
class OneArray:
    def __init__(self):
        self.m = self.v = self.weight1 = self.weight2 = 0.0

    def step(self, p, g, lr, b1, b2, eps):
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g * g
        self.weight1 = b1 * self.weight1 + 1 - b1
        self.weight2 = b2 * self.weight2 + 1 - b2
        return p - lr * self.m / self.weight1 / ((self.v / self.weight2) ** 0.5 + eps)


def adam_step(params, grads, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    state = state or [OneArray() for _ in params]
    return [s.step(p, g, lr, beta1, beta2, eps) for s, p, g in zip(state, params, grads)], state
""",
        "revealing-points": """
def revealing_points():
    return {"fourths": [0, 0], "cubes": (-0.3, -0.2)}
""",
    },
    "optimlib's own Adam, and arrays changed in place": {
        "adam-step": """
def adam_step(params, grads, state, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    moving = [np.zeros_like(p) for p in params]
    fresh = Adam(moving, learning_rate=lr, beta1=beta1, beta2=beta2, eps=eps)
    if state is not None:
        fresh.load_state_dict(state)
    fresh.step(grads)
    for p, move in zip(params, moving):
        p += move
    return params, fresh.state_dict()
""",
        "line-gradient": """
def line_gradient(theta, x, y):
    design = np.column_stack([x, np.ones(len(x))])
    slopes = 2 / len(x) * design.T @ (design @ [float(theta["w"]), float(theta["b"])] - y)
    return dict(zip(["w", "b"], slopes))
""",
        "revealing-points": """
def revealing_points():
    return {name: np.array([-9.5, 9.5]) for name in ("cubes", "fourths")}
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
