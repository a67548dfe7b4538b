"""Batch normalization and a recurrent cell: wrong answers and what each loses, and right ones."""

STEP = "\n        arriving = dh[t] + later\n        dx, later, dw = back(t, arriving)\n        "

MUTANTS = {
    "rows in place of columns": (
        "batch-norm",
        "centered = x - np.mean(x, axis=0)\n    s = np.sqrt(np.mean(centered**2, axis=0) + eps)",
        "centered = x - np.mean(x, axis=1)[:, None]\n"
        "    s = np.sqrt(np.mean(centered**2, axis=1) + eps)[:, None]",
        {"norm-columns"},
    ),
    "one mean for the whole batch": ("batch-norm", "np.mean(x, axis=0)", "np.mean(x)", {"norm-columns"}),
    "one deviation for the whole batch": (
        "batch-norm",
        "return gamma * normal",
        "normal = centered / np.std(x)\n    return gamma * normal",
        {"norm-columns", "norm-deviation"},
    ),
    "gamma after beta": (
        "batch-norm",
        "gamma * normal + beta",
        "gamma * (normal + beta)",
        {"norm-columns"},
    ),
    "divided by n - 1": (
        "batch-norm",
        "np.mean(centered**2, axis=0)",
        "np.var(x, axis=0, ddof=1)",
        {"norm-deviation"},
    ),
    "epsilon beside the root": (
        "batch-norm",
        "np.sqrt(np.mean(centered**2, axis=0) + eps)",
        "np.sqrt(np.mean(centered**2, axis=0)) + eps",
        {"norm-deviation"},
    ),
    "epsilon is not used": ("batch-norm", ", axis=0) + eps)", ", axis=0))", {"norm-deviation"}),
    "the variance is kept in place of its root": (
        "batch-norm",
        "normal, s\n",
        "normal, s**2\n",
        {"norm-deviation"},
    ),
    "divided by the variance": (
        "batch-norm",
        "normal = centered / s",
        "normal = centered / s**2",
        {"norm-deviation"},
    ),
    "the short formula": (
        "batch-norm-backward",
        "(dy - through_mean - through_spread)",
        "dy",
        {"norm-mean-path", "norm-spread-path"},
    ),
    "the path through the mean is missing": (
        "batch-norm-backward",
        "dy - through_mean - through_spread",
        "dy - through_spread",
        {"norm-mean-path"},
    ),
    "a sum for the mean of dy": (
        "batch-norm-backward",
        "through_mean = dbeta / len(dy)",
        "through_mean = dbeta",
        {"norm-mean-path"},
    ),
    "the path through s is missing": (
        "batch-norm-backward",
        "dy - through_mean - through_spread",
        "dy - through_mean",
        {"norm-spread-path"},
    ),
    "the path through s has the wrong sign": (
        "batch-norm-backward",
        "- through_spread",
        "+ through_spread",
        {"norm-spread-path"},
    ),
    "a sum for the mean along x_hat": (
        "batch-norm-backward",
        "through_spread = x_hat * dgamma / len(dy)",
        "through_spread = x_hat * dgamma",
        {"norm-spread-path"},
    ),
    "gamma is forgotten": ("batch-norm-backward", "* gamma / s", "/ s", {"norm-scale"}),
    "divided by the variance, backward": (
        "batch-norm-backward",
        "gamma / s",
        "gamma / s**2",
        {"norm-scale"},
    ),
    "multiplied by s": ("batch-norm-backward", "gamma / s", "gamma * s", {"norm-scale"}),
    "gamma's gradient is a mean": (
        "batch-norm-backward",
        "return dx, dgamma, dbeta",
        "return dx, dgamma / len(dy), dbeta / len(dy)",
        {"norm-parameters"},
    ),
    "gamma's gradient contains gamma": (
        "batch-norm-backward",
        "return dx, dgamma, dbeta",
        "return dx, dgamma * gamma, dbeta",
        {"norm-parameters"},
    ),
    "the two parameters change places": (
        "batch-norm-backward",
        "return dx, dgamma, dbeta",
        "return dx, dbeta, dgamma",
        {"norm-parameters"},
    ),
    "the batch is still used": (
        "batch-norm-evaluate",
        "return gamma * ((x - mean)",
        "mean, variance = x.mean(axis=0), x.var(axis=0)\n    return gamma * ((x - mean)",
        {"evaluate-alone"},
    ),
    "the variance is taken for a deviation": (
        "batch-norm-evaluate",
        "((x - mean) / np.sqrt(variance + eps))",
        "((x - mean) / (variance + eps))",
        {"evaluate-alone"},
    ),
    "the gradient of training": (
        "batch-norm-evaluate",
        "return gamma * dy / root, np",
        "return batch_norm_backward(dy, normal, root, gamma)[0], np",
        {"evaluate-backward"},
    ),
    "gamma's gradient by the batch": (
        "batch-norm-evaluate",
        "np.sum(dy * normal, axis=0)",
        "np.sum(dy * (x - x.mean(axis=0)) / x.std(axis=0), axis=0)",
        {"evaluate-backward"},
    ),
    "no slope": ("cell-backward", "dh * (1 - h * h)", "dh + 0.0", {"cell-slope"}),
    "the state is taken for its input": (
        "cell-backward",
        "(1 - h * h)",
        "(1 - np.tanh(h) ** 2)",
        {"cell-slope"},
    ),
    "the new state in place of the old one": (
        "cell-backward",
        "np.outer(before, dz)",
        "np.outer(h, dz)",
        {"cell-weights"},
    ),
    "the weights' gradients are transposed": (
        "cell-backward",
        "np.outer(x, dz), np.outer(before, dz)",
        "np.outer(dz, x), np.outer(dz, before)",
        {"cell-weights"},
    ),
    "Wh is not transposed": ("cell-backward", "dbefore = Wh @ dz", "dbefore = dz @ Wh", {"cell-back"}),
    "Wx is not transposed": (
        "cell-backward",
        "dx = Wx @ dz",
        "dx = dz @ Wx if len(x) == len(h) else Wx @ dz",
        {"cell-back"},
    ),
    "nothing comes from the next step": ("through-time", "dh[t] + later", "dh[t]", {"time-later"}),
    "from the first step to the last": (
        "through-time",
        "reversed(range(len(dh))):" + STEP + "dxs.append(dx)",
        "range(len(dh)):" + STEP + "dxs.insert(0, dx)",
        {"time-later"},
    ),
    "only the last state's gradient": (
        "through-time",
        "arriving = dh[t] + later",
        "arriving = dh[t] if t == len(dh) - 1 else later",
        {"time-direct"},
    ),
    "the dx are in the order of the visit": ("through-time", "dxs[::-1]", "dxs", {"time-order"}),
    "the weights of one step": ("through-time", "total = total + dw", "total = dw", {"time-sum"}),
    "a mean over the steps": (
        "through-time",
        "later, total\n",
        "later, total / len(dh)\n",
        {"time-sum"},
    ),
    "the gradient at the first state": (
        "through-time",
        "dxs[::-1], later,",
        "dxs[::-1], arriving,",
        {"time-start"},
    ),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "loops over columns and numbers": {
        "batch-norm": """
def batch_norm(x, gamma, beta, eps=1e-5):
    n, q = x.shape
    y, x_hat, s = np.zeros((n, q)), np.zeros((n, q), order="F"), []
    for j in range(q):
        mu = sum(x[i, j] for i in range(n)) / n
        square = sum((x[i, j] - mu) ** 2 for i in range(n)) / n
        s.append((square + eps) ** 0.5)
        for i in range(n):
            x_hat[i, j] = (x[i, j] - mu) / s[j]
            y[i, j] = gamma[j] * x_hat[i, j] + beta[j]
    return y, x_hat, np.array(s)
""",
        "cell-backward": """
def cell_backward(dh, x, before, h, Wx, Wh):
    p, q = Wx.shape
    dz = [dh[k] * (1 - h[k]) * (1 + h[k]) for k in range(q)]
    dx = [sum(dz[k] * Wx[j, k] for k in range(q)) for j in range(p)]
    back = [sum(dz[k] * Wh[j, k] for k in range(q)) for j in range(q)]
    dWx = [[x[j] * dz[k] for k in range(q)] for j in range(p)]
    dWh = [[before[j] * dz[k] for k in range(q)] for j in range(q)]
    return [dx, back, dWx, dWh, dz]
""",
    },
    "the long way round, with a class": {
        "batch-norm-backward": """
class Column:
    def __init__(self, slopes, normal, deviation):
        self.slopes, self.c, self.s = slopes, normal * deviation, deviation

    def back(self):
        n = len(self.c)
        ds = -(self.slopes * self.c).sum() / self.s**2
        dv = ds / (2 * self.s)
        dc = self.slopes / self.s + self.c * dv * 2 / n
        return dc - dc.sum() / n


def batch_norm_backward(dy, x_hat, s, gamma):
    parts = [Column(gamma[j] * dy[:, j], x_hat[:, j], s[j]).back() for j in range(len(s))]
    return np.stack(parts, axis=1), (x_hat * dy).sum(0), dy.sum(0)
""",
        "batch-norm-evaluate": """
def batch_norm_evaluate(x, gamma, beta, mean, variance, eps=1e-5):
    slope = gamma * (variance + eps) ** -0.5
    return x * slope + (beta - mean * slope)


def batch_norm_evaluate_backward(dy, x, gamma, mean, variance, eps=1e-5):
    inverse = (variance + eps) ** -0.5
    first = inverse * (np.einsum("ij,ij->j", dy, x) - mean * dy.sum(axis=0))
    return dy * (gamma * inverse), first, np.ones(len(dy)) @ dy
""",
    },
    "matrices, and keepdims": {
        "batch-norm": """
def batch_norm(x, gamma, beta, eps=1e-5):
    n = len(x)
    centering = np.eye(n) - np.ones((n, n)) / n
    c = centering @ x
    s = np.sqrt((c * c).sum(axis=0, keepdims=True) / n + eps)
    return c / s @ np.diag(gamma) + beta, c / s, s
""",
        "batch-norm-backward": """
def batch_norm_backward(dy, x_hat, s, gamma):
    n = len(dy)
    dx = np.empty(dy.shape, order="F")
    for j, deviation in enumerate(np.ravel(s)):
        u = x_hat[:, j]
        J = (np.eye(n) - np.full((n, n), 1 / n) - np.outer(u, u) / n) / deviation
        dx[:, j] = J.T @ (gamma[j] * dy[:, j])
    return dx, np.diag(x_hat.T @ dy), np.ones(n) @ dy
""",
    },
    "recursion through time": {
        "through-time": """
def through_time(dh, back):
    T = len(dh)

    def after(t):
        if t == T:
            return [], 0 * dh[0], 0
        dxs, later, total = after(t + 1)
        dx, before, dw = back(t, later + dh[t])
        return [dx, *dxs], before, total + dw

    return after(0)
""",
        "cell-backward": """
def cell_backward(dh, x, before, h, Wx, Wh):
    both, W = np.concatenate([x, before, [1.0]]), np.vstack([Wx, Wh])
    dz = dh - h**2 * dh
    dW, d = both[:, None] * dz, dz @ W.T
    p = len(x)
    return d[:p], d[p:], dW[:p], dW[p:-1], dW[-1]
""",
    },
    "in place, and in float32": {
        "batch-norm-backward": """
def batch_norm_backward(dy, x_hat, s, gamma):
    dy, x_hat, s, gamma = (np.asarray(a, np.float32) for a in (dy, x_hat, s, gamma))
    dx = dy - dy.mean(axis=0)
    dx -= (dy * x_hat).mean(axis=0) * x_hat
    dx *= gamma
    dx /= s
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)
""",
        "through-time": """
def through_time(dh, back):
    dxs, total = [None] * len(dh), None
    t = len(dh) - 1
    while t >= 0:
        dxs[t], before, dw = back(t, dh[t])
        total = np.array(dw) if total is None else np.add(total, dw, out=total)
        if t > 0:
            dh[t - 1] += before
        t -= 1
    return np.array(dxs), before, total
""",
        "cell-backward": """
def cell_backward(dh, x, before, h, Wx, Wh):
    dh *= 1 - h**2
    return Wx.dot(dh), Wh.dot(dh), np.multiply.outer(x, dh), np.multiply.outer(before, dh), dh
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
