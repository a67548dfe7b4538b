"""Backpropagation of a small network: wrong answers and what each loses, and right ones."""

MUTANTS = {
    "the second use overwrites the first": (
        "circuit-gradient",
        "da = s + dp * b",
        "da = dp * b",
        {"circuit-uses"},
    ),
    "the first use is all": ("circuit-gradient", "da = s + dp * b", "da = s", {"circuit-uses"}),
    "a factor gets its own value": ("circuit-gradient", "db = dp * a", "db = dp * b", {"circuit-uses"}),
    "a maximum gives to both": (
        "circuit-gradient",
        "(dq, 0.0) if c > d else (0.0, dq)",
        "(dq, dq)",
        {"circuit-maximum"},
    ),
    "a maximum shares": (
        "circuit-gradient",
        "(dq, 0.0) if c > d else (0.0, dq)",
        "(dq / 2, dq / 2)",
        {"circuit-maximum"},
    ),
    "the larger in size wins": (
        "circuit-gradient",
        "if c > d",
        "if abs(c) > abs(d)",
        {"circuit-maximum"},
    ),
    "a maximum multiplies by its value": (
        "circuit-gradient",
        "(dq, 0.0) if c > d else (0.0, dq)",
        "(dq * c, 0.0) if c > d else (0.0, dq * d)",
        {"circuit-maximum"},
    ),
    "no transpose on the way back": ("dense-backward", "np.transpose(W)", "W", {"dense-input"}),
    "the input's gradient is a mean": (
        "dense-backward",
        "np.matmul(from_above, np.transpose(W))",
        "np.matmul(from_above, np.transpose(W)) / len(x)",
        {"dense-input"},
    ),
    "the gradient of the weights is transposed": (
        "dense-backward",
        "np.matmul(np.transpose(x), from_above)",
        "np.matmul(np.transpose(from_above), x)",
        {"dense-weights"},
    ),
    "a bias for every example": (
        "dense-backward",
        "np.sum(from_above, axis=0)",
        "from_above",
        {"dense-bias"},
    ),
    "the bias sums over the outputs": ("dense-backward", "axis=0", "axis=1", {"dense-bias"}),
    "the bias has two dimensions": ("dense-backward", "axis=0", "axis=0, keepdims=True", {"dense-bias"}),
    "the layer divides by the number of examples": (
        "dense-backward",
        "return dx, dW, db",
        "return dx, dW / len(x), db / len(x)",
        {"dense-examples"},
    ),
    "only the bias is a mean": ("dense-backward", "np.sum", "np.mean", {"dense-examples"}),
    "the rectifier looks at the gradient": (
        "activations",
        "np.asarray(x) > 0",
        "np.asarray(dy) > 0",
        {"relu-mask"},
    ),
    "the rectifier multiplies by its output": (
        "activations",
        "> 0, dy, 0.0",
        "> 0, dy * x, 0.0",
        {"relu-mask"},
    ),
    "the rectifier lets everything pass": ("activations", "> 0, dy, 0.0", "> 0, dy, dy", {"relu-mask"}),
    "the tanh's output is taken for its input": (
        "activations",
        "np.square(y)",
        "np.tanh(y) ** 2",
        {"tanh-slope"},
    ),
    "the slope of a sigmoid": ("activations", "(1 - np.square(y))", "y * (1 - y)", {"tanh-slope"}),
    "no square": ("activations", "np.square(y)", "np.abs(y)", {"tanh-slope"}),
    "target minus prediction": ("softmax-loss", "dz / len(z)", "-dz / len(z)", {"softmax-target"}),
    "the target is not subtracted": ("softmax-loss", "dz[row, label] -= 1", "pass", {"softmax-target"}),
    "the softmax runs over the examples": (
        "softmax-loss",
        "z = z - np.max(z, axis=1, keepdims=True)\n"
        "    totals = np.sum(np.exp(z), axis=1, keepdims=True)",
        "z = z - np.max(z, axis=0, keepdims=True)\n"
        "    totals = np.sum(np.exp(z), axis=0, keepdims=True)",
        {"softmax-rows"},
    ),
    "the softmax runs over the whole batch": (
        "softmax-loss",
        "totals = np.sum(np.exp(z), axis=1, keepdims=True)",
        "totals = np.sum(np.exp(z)) / len(z)",
        {"softmax-rows"},
    ),
    "the gradient belongs to the sum": ("softmax-loss", "dz / len(z)", "dz", {"softmax-mean"}),
    "the loss is a sum": ("softmax-loss", "np.mean(losses)", "np.sum(losses)", {"softmax-mean"}),
    "divided by the classes, too": ("softmax-loss", "dz / len(z)", "dz / dz.size", {"softmax-mean"}),
    "the loss has the wrong sign": (
        "softmax-loss",
        "-log_p[row",
        "log_p[row",
        {"softmax-mean", "softmax-large"},
    ),
    "nothing is subtracted": (
        "softmax-loss",
        "z - np.max(z, axis=1, keepdims=True)",
        "1.0 * z",
        {"softmax-large"},
    ),
    "the logarithm of a probability that is zero": (
        "softmax-loss",
        "log_p = z - np.log(totals)",
        "log_p = np.log(np.exp(z) / totals)",
        {"softmax-large"},
    ),
    "the probability is kept away from zero": (
        "softmax-loss",
        "log_p = z - np.log(totals)",
        "log_p = np.log(np.exp(z) / totals + 1e-12)",
        {"softmax-large"},
    ),
    "the layers are asked from the first": (
        "backpropagate",
        "reversed(range(len(layers)))",
        "range(len(layers))",
        {"chain-order"},
    ),
    "every layer gets the gradient of the loss": (
        "backpropagate",
        "arriving, dw = backward(",
        "_, dw = backward(",
        {"chain-arriving"},
    ),
    "the backward pass starts with one": (
        "backpropagate",
        "value, arriving = loss(x)",
        "value, arriving = loss(x)[0], np.ones_like(x)",
        {"chain-arriving"},
    ),
    "the output is kept in place of the input": (
        "backpropagate",
        "inputs.append(x)\n        x = forward(x, theta.get(name))",
        "x = forward(x, theta.get(name))\n        inputs.append(x)",
        {"chain-kept"},
    ),
    "only the first input is kept": ("backpropagate", "inputs[k]", "inputs[0]", {"chain-kept"}),
    "the inputs are kept by the names of the weights": (
        "backpropagate",
        "inputs[k]",
        "inputs[max(j for j in range(len(layers)) if layers[j][2] == name)]",
        {"chain-kept"},
    ),
    "a later use overwrites an earlier one": (
        "backpropagate",
        "gradients[name] + dw if name in gradients else dw",
        "dw",
        {"chain-shared"},
    ),
    "gradients of the last call are still there": (
        "backpropagate",
        "gradients = {}",
        "gradients = backpropagate.__dict__",
        {"chain-shared"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "loops over numbers, and lists": {
        "circuit-gradient": """
def circuit_gradient(a, b, c, d):
    slopes = [0.0] * 4
    slopes[0] += a * b + (c if c > d else d)
    slopes[0] += a * b
    slopes[1] += a**2
    slopes[2 if c > d else 3] += a
    return np.array(slopes)
""",
        "dense-backward": """
def dense_backward(dy, x, W):
    n, p, q = len(x), len(W), len(W[0])
    dx = [[0.0] * p for _ in range(n)]
    dW = [[0.0] * q for _ in range(p)]
    db = [0.0] * q
    for i in range(n):
        for k in range(q):
            db[k] += float(dy[i][k])
            for j in range(p):
                dx[i][j] += float(dy[i][k]) * float(W[j][k])
                dW[j][k] += float(dy[i][k]) * float(x[i][j])
    return np.array(dx), dW, db
""",
        "activations": """
def relu_backward(dy, x):
    flat = [s if v > 0 else 0.0 for s, v in zip(np.ravel(dy), np.ravel(x))]
    return np.reshape(flat, np.shape(x))


def tanh_backward(dy, y):
    return dy / np.cosh(np.arctanh(y)) ** 2
""",
    },
    "recursion, and the gradients of a layer added on the way": {
        "backpropagate": """
def backpropagate(layers, theta, x, loss):
    total = {}

    def through(rest, here):
        if not rest:
            return loss(here)
        (forward, backward, name), *others = rest
        weights = None if name is None else theta[name]
        value, dy = through(others, forward(here, weights))
        dx, dw = backward(dy, here, weights)
        if name is not None:
            total[name] = total.get(name, 0) + dw
        return value, dx

    value, _ = through(layers, x)
    return value, total
""",
    },
    "a class for each layer, and a stack": {
        "backpropagate": """
class Layer:
    def __init__(self, triple, theta):
        self.function, self.back, self.name = triple
        self.weights = theta[self.name] if self.name in theta else None

    def __call__(self, x):
        self.x = x
        return self.function(x, self.weights)


def backpropagate(layers, theta, x, loss):
    stack, uses = [], {}
    for triple in layers:
        stack.append(Layer(triple, theta))
        x = stack[-1](x)
    value, dy = loss(x)
    while stack:
        layer = stack.pop()
        dy, dw = layer.back(dy, layer.x, layer.weights)
        uses.setdefault(layer.name, []).append(dw)
    return [value, {name: sum(each) for name, each in uses.items() if name is not None}]
""",
        "softmax-loss": """
def softmax_loss(z, labels):
    log_sums = np.logaddexp.reduce(z, axis=1)[:, None]
    target = np.eye(np.shape(z)[1])[labels]
    n = len(labels)
    return -np.sum((z - log_sums) * target) / n, (np.exp(z - log_sums) - target) / n
""",
    },
    "einsum, Fortran order and masks": {
        "dense-backward": """
def dense_backward(dy, x, W):
    dx = np.einsum("ik,jk->ij", dy, W)
    dW = np.asfortranarray(np.einsum("ij,ik->jk", x, dy))
    return [np.asfortranarray(dx), dW, np.ones(len(dy)) @ dy]
""",
        "activations": """
def relu_backward(dy, x):
    return dy * (x > 0)


def tanh_backward(dy, y):
    return dy * (1 - y) * (1 + y)
""",
        "softmax-loss": """
def softmax_loss(z, labels):
    total, rows = 0.0, []
    for row, c in zip(z, labels):
        shifted = row - max(row)
        log_sum = np.log(sum(np.exp(shifted)))
        total -= shifted[c] - log_sum
        slope = np.exp(shifted - log_sum)
        slope[c] -= 1.0
        rows.append(slope / len(z))
    return total / len(z), rows
""",
    },
    "in place, and in float32": {
        "dense-backward": """
def dense_backward(dy, x, W):
    dy, x, W = (np.asarray(a, dtype=np.float32) for a in (dy, x, W))
    return dy.dot(W.T), x.T.dot(dy), dy.sum(0)
""",
        "activations": """
def relu_backward(dy, x):
    dy[x <= 0] = 0
    return dy


def tanh_backward(dy, y):
    dy *= 1 - y * y
    return dy
""",
        "softmax-loss": """
def softmax_loss(z, labels):
    p = np.array(z, dtype=np.float32)
    p -= p.max(axis=1, keepdims=True)
    right = p[range(len(p)), labels].copy()
    np.exp(p, out=p)
    sums = p.sum(axis=1)
    p /= sums[:, None]
    p[range(len(p)), labels] -= 1
    return (np.log(sums) - right).mean(), p / np.float32(len(p))
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
