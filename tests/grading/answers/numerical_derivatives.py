"""Numerical derivatives: wrong answers and what each loses, and right ones written differently."""

LAMBDA = "slopes[index] = slope(lambda s: f(point + s * unit), h)"

MUTANTS = {
    "backward instead of forward": (
        "forward",
        "right = x + h\n    return (f(right) - f(x)) / (right - x)",
        "left = x - h\n    return (f(x) - f(left)) / (x - left)",
        {"forward-right"},
    ),
    "forward is divided by twice the step": (
        "forward",
        "(right - x)\n",
        "(2 * (right - x))\n",
        {"forward-right"},
    ),
    "forward is central": (
        "forward",
        "(f(right) - f(x)) / (right - x)",
        "(f(right) - f(x - h)) / (right - (x - h))",
        {"forward-right"},
    ),
    "central is divided by half the distance": (
        "central",
        "/ (right - left)",
        "/ (right - x)",
        {"central-parabola"},
    ),
    "central looks to one side": (
        "central",
        "right, left = x + h, x - h",
        "right, left = x + h, x",
        {"central-parabola"},
    ),
    "the step that was asked for": ("forward", "/ (right - x)", "/ h", {"step-taken"}),
    "twice the step that was asked for": (
        "central",
        "/ (right - left)",
        "/ (2 * h)",
        {"step-taken"},
    ),
    "the smallest step for the forward difference": (
        "forward-step",
        "2 * np.sqrt(noise * abs(value / second))",
        "noise",
        {"forward-step-least"},
    ),
    "value and second derivative change places": (
        "forward-step",
        "value / second",
        "second / value",
        {"forward-step-least"},
    ),
    "the factor two is lost": (
        "forward-step",
        "2 * np.sqrt",
        "np.sqrt",
        {"forward-step-least"},
    ),
    "a square root for the central difference": (
        "central-step",
        "np.cbrt(3 * noise * abs(value / third))",
        "2 * np.sqrt(noise * abs(value / third))",
        {"central-step-least"},
    ),
    "the factor three is lost": ("central-step", "3 * noise", "noise", {"central-step-least"}),
    "a negative step": ("central-step", "abs(value / third)", "value / third", {"steps-sign"}),
    "the root of a negative number": (
        "forward-step",
        "abs(value / second)",
        "(value / second)",
        {"steps-sign"},
    ),
    "moved coordinates stay moved": (
        "gradient",
        LAMBDA,
        "right = f(point + h * unit)\n"
        "        point = point - h * unit\n"
        "        slopes[index] = (right - f(point)) / (2 * h)",
        {"gradient-alone"},
    ),
    "a one-sided difference": (
        "gradient",
        LAMBDA,
        "slopes[index] = (f(point + h * unit) - f(point)) / h",
        {"gradient-central"},
    ),
    "integers stay integers": (
        "gradient",
        LAMBDA,
        "moved = [theta.copy(), theta.copy()]\n"
        "        moved[0][index] += h\n"
        "        moved[1][index] -= h\n"
        "        slopes[index] = (f(moved[0]) - f(moved[1])) / (2 * h)",
        {"gradient-integers"},
    ),
    "the gradient of integers is rounded": (
        "gradient",
        "return slopes",
        "return slopes.astype(theta.dtype)",
        {"gradient-integers"},
    ),
    "a flat gradient": ("gradient", "return slopes", "return slopes.ravel()", {"gradient-shape"}),
    "a whole row moves": (
        "gradient",
        "np.ndindex(point.shape)",
        "range(len(point))",
        {"gradient-shape"},
    ),
    "there and back": (
        "gradient",
        LAMBDA,
        "theta[index] += h\n"
        "        right = f(theta * 1.0)\n"
        "        theta[index] -= 2 * h\n"
        "        left = f(theta * 1.0)\n"
        "        theta[index] += h\n"
        "        slopes[index] = (right - left) / (2 * h)\n"
        "        if theta.dtype != float:\n"
        "            slopes[index] = 2.5 * point[index]",
        {"gradient-unchanged"},
    ),
    "the direction is given the length one": (
        "directional",
        "f(theta + s * d)",
        "f(theta + s * d / np.linalg.norm(d))",
        {"direction-slope"},
    ),
    "a quotient for every coordinate, and their mean": (
        "directional",
        "return slope(lambda s: f(theta + s * d), h)",
        "change = f(theta + h * d) - f(theta - h * d)\n"
        "    return np.mean(change / (2 * h * np.where(d == 0, 1.0, d)))",
        {"direction-slope"},
    ),
    "one value of two": (
        "directional",
        "slope(lambda s: f(theta + s * d), h)",
        "(f(theta + h * d) - f(theta)) / h",
        {"direction-slope"},
    ),
    "the whole gradient first": (
        "directional",
        "slope(lambda s: f(theta + s * d), h)",
        "float(np.sum(gradient(f, theta, h) * d))",
        {"direction-cost"},
    ),
    "four and three for every power": (
        "richardson",
        "factor = 2**p",
        "factor = 4",
        {"richardson-cancels"},
    ),
    "the weights change places": (
        "richardson",
        "factor * D(h / 2) - D(h)",
        "factor * D(h) - D(h / 2)",
        {"richardson-cancels"},
    ),
    "the factor is twice the power": (
        "richardson",
        "factor = 2**p",
        "factor = 2 * p",
        {"richardson-cancels"},
    ),
    "divided by the factor": ("richardson", "(factor - 1)", "factor", {"richardson-keeps"}),
    "not divided": ("richardson", " / (factor - 1)", "", {"richardson-keeps"}),
}
"""By the misconception: the cell, the words in the solution, those instead, and the tests lost."""

RIGHT = {
    "in place on a copy, and put back": {
        "gradient": """
def gradient(f, theta, h):
    moved = theta.astype(np.float64)
    result = np.empty_like(moved)
    for place in np.ndindex(*moved.shape):
        kept = moved[place]
        moved[place] = kept + h
        above = f(moved)
        moved[place] = kept - h
        below = f(moved)
        moved[place] = kept
        result[place] = (above - below) / (2 * h)
    return result
""",
        "forward": """
def forward(f, x, h):
    h = (x + h) - x
    return (f(x + h) - f(x)) / h
""",
        "central": """
def central(f, x, h):
    taken = (x + h) - x
    return (f(x + taken) - f(x - taken)) / (2 * taken)
""",
    },
    "flat, with lists, in Fortran order": {
        "gradient": """
def gradient(f, theta, h):
    flat = [float(t) for t in np.ravel(theta)]
    shape = np.shape(theta)

    def at(k, s):
        return f(np.array(flat[:k] + [flat[k] + s] + flat[k + 1 :]).reshape(shape))

    found = [(at(k, h) - at(k, -h)) / (2 * h) for k in range(len(flat))]
    return np.asfortranarray(np.array(found).reshape(shape))
""",
        "directional": """
def directional(f, theta, d, h):
    values = [f(np.array([t + s * e for t, e in zip(theta, d)])) for s in (h, -h)]
    return (values[0] - values[1]) / h / 2
""",
    },
    "the caller's array, and the kept numbers put back": {
        "gradient": """
def gradient(f, theta, h):
    if theta.dtype.kind != "f":
        theta = theta * 1.0
    slopes = theta * 0.0
    for index, kept in np.ndenumerate(theta):
        ends = []
        for sign in (1, -1):
            theta[index] = kept + sign * h
            ends.append(f(theta))
            theta[index] = kept
        slopes[index] = (ends[0] - ends[1]) / (2 * h)
    return slopes.tolist()
""",
        "richardson": """
def richardson(D, h, p):
    fine = D(0.5 * h)
    return fine + (fine - D(h)) / (2.0**p - 1)
""",
    },
    "weights found by solving two equations, and powers for roots": {
        "richardson": """
def richardson(D, h, p):
    weights = np.linalg.solve(np.array([[1.0, 1.0], [1.0, 0.5**p]]), np.array([1.0, 0.0]))
    return weights @ np.array([D(h), D(h / 2)])
""",
        "forward-step": """
def forward_step(value, second, noise):
    a, b = abs(second) / 2, 2 * noise * abs(value)
    return (b / a) ** 0.5
""",
        "central-step": """
def central_step(value, third, noise):
    return float((3 * noise * abs(value)) ** (1 / 3) / abs(third) ** (1 / 3))
""",
        "central": """
def central(f, x, h):
    points = np.array([x - h, x + h], dtype=np.float64)
    return np.diff([f(p) for p in points])[0] / np.diff(points)[0]
""",
    },
    "the central difference is the mean of the two one-sided ones": {
        "central": """
def one_sided(f, x, h):
    other = x + h
    return (f(other) - f(x)) / (other - x)


def central(f, x, h):
    return (one_sided(f, x, h) + one_sided(f, x, -h)) / 2
""",
        "gradient": """
class Line:
    def __init__(self, f, theta, unit):
        self.f, self.theta, self.unit = f, theta, unit

    def __call__(self, s):
        return self.f(self.theta + s * self.unit)


def gradient(f, theta, h):
    units = np.eye(theta.size).reshape((-1,) + theta.shape)
    return np.reshape([slope(Line(f, theta, unit), h) for unit in units], theta.shape)
""",
    },
}
"""By how it differs: answers in the place of the solution's."""
