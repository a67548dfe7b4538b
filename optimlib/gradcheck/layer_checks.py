r"""Checking a layer as courses and small libraries write it: two passes that share a cache or an object.

What the backward pass needs from the forward pass travels in a *cache* that `forward` returns, or stays
inside an object. In both cases the gradients are vector-Jacobian products: of the output y with respect
to the input x and the layer's own *parameters*. Conventions that mean one thing only are understood:
gradients named ``dW`` for ``W``, gradients of more than is asked for, an axis of length 1 too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import brief, check_callable, check_function, check_point, generator
from optimlib.gradcheck.backward_results import like_inputs
from optimlib.gradcheck.check import check_gradient
from optimlib.gradcheck.inner_products import (
    check_product,
    errors_reworded,
    first_change,
    leaves_of,
    reworded,
)
from optimlib.gradcheck.report import GradientReport, Probe
from optimlib.trees import Tree, check_parameters, copy_tree, flatten, map_tree

IN_A_LAYER = {
    "theta": "inputs",
    "grad(theta)": "the gradient of inputs",
    "grad": "backward",
    "f": "forward",
}
IN_AN_OBJECT = {
    "theta['x']": "x",
    "theta['parameters']": "parameters",
    "grad(theta)['x']": "the gradient of x",
    "grad(theta)['parameters']": "the gradient of parameters",
    "grad": "backward",
    "f": "forward",
}
WROTE = "{} wrote into {}. The check gave it a copy; a network would go on with the changed numbers."


def check_layer(
    forward: Callable[..., tuple[Tree, Any]],
    backward: Callable[[Tree, Any], Tree],
    inputs: Tree,
    *,
    rng: np.random.Generator | None = None,
    **options: Any,
) -> GradientReport:
    r"""Compare a backward pass that reads a cache with differences of its forward pass.

    .. math::

        (y, \mathtt{cache}) = \mathtt{forward}(x, W, \ldots), \qquad
        \mathtt{backward}(dy, \mathtt{cache}) = (\nabla_x \langle y, dy \rangle,
        \nabla_W \langle y, dy \rangle, \ldots)

    Every backward pass gets the cache of a forward pass of its own. Arguments that have no gradient,
    such as strides and labels, are fixed by the caller, and so are random numbers: a `forward` that
    draws a mask makes its own generator from a seed in every call.

    Parameters
    ----------
    forward
        Takes `inputs` and returns a pair: the output, an array or a tree of arrays, and a cache. A tuple
        or list of inputs is given argument by argument, a dict by keywords, an array alone.
    backward
        Takes `dy` like the output, and the cache. Returns the gradients: an array for an array; for
        several inputs a tuple in their order, or a dict. Its keys may be ``W`` or ``dW``; others are
        ignored.
    inputs
        The point: an array, or a tuple, list or dict of float32 or float64 arrays.
    rng
        Draws `dy` and chooses what is probed; ``np.random.default_rng(0)`` unless given.
    **options
        As for `check_gradient`.

    Returns
    -------
    GradientReport
        Its places are those of `inputs`: ``inputs['W'][0, 1]``. Its notes say what was put right: a
        shape ``(1, D)`` for ``(D,)``, and passes that write into their arguments.

    Raises
    ------
    TypeError
        If a pass cannot be called, `forward` returns no pair, or a dtype cannot be checked.
    ValueError
        If the gradients do not fit the inputs, or a number is NaN or infinite.

    Examples
    --------
    >>> def forward(x, W, b): return x @ W + b, (x, W)
    >>> def backward(dy, cache):
    ...     x, W = cache
    ...     return dy @ W.T, x.T @ dy, dy.sum(axis=0)
    >>> inputs = np.ones((5, 2)), np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2)
    >>> check_layer(forward, backward, inputs).verdict
    'pass'
    >>> check_layer(forward, lambda dy, cache: (*backward(dy, cache)[:2], dy.mean(axis=0)), inputs).hints
    ('inputs[2]: analytic is 1/5 times numeric (2 failing probes); a mean where the loss has a sum?',)
    """
    check_callable(forward, "forward", "the inputs")
    check_function(backward, "backward", "dy, cache")
    for path, leaf in flatten(inputs):
        if getattr(leaf, "dtype", np.dtype(float)).kind in "iub":
            raise TypeError(
                f"inputs{path} has dtype {leaf.dtype}; expected float32 or float64 (labels and indices"
                " have no gradient: fix them by a lambda)"
            )
    check_point(inputs, "inputs")

    def called(dy: Tree, cache: Any) -> Tree:
        try:
            return backward(dy, cache)
        except Exception as error:
            error.add_note("It was called as backward(dy, cache), where forward returned (y, cache).")
            raise

    run = partial(_run, forward)  # no closure: a pool of processes pickles it
    return _check_passes(run, called, inputs, IN_A_LAYER, rng, options)


def _run(forward: Callable[..., Any], inputs: Tree) -> tuple[Tree, Any]:
    """The outputs of a forward pass, and its cache."""
    pair = _call(forward, inputs)
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(
            f"forward returned {brief(pair)}; expected a pair (y, cache): for a function without a"
            " cache, lambda x: (f(x), x)"
        )
    return pair[0], pair[1]


def check_layer_object(
    forward: Callable[[Tree], Tree],
    backward: Callable[[Tree], Tree],
    x: Tree,
    parameters: Tree = (),
    gradients: Callable[[], Tree] = tuple,
    *,
    rng: np.random.Generator | None = None,
    **options: Any,
) -> GradientReport:
    r"""Compare the backward pass of an object that holds parameters and gradients with differences.

    The parameters are moved by writing into the layer's own arrays. They hold the old numbers again when
    the check is over, whatever happens in it. A layer that adds up gradients has to be cleared first:
    let `backward` be ``lambda dy: (layer.zero_grad(), layer.backward(dy))[1]``.

    Parameters
    ----------
    forward
        Takes `x` and returns the output, an array or a tree of arrays: ``layer.forward``.
    backward
        Takes `dy` like the output and returns the gradient with respect to `x`, or None if there is
        none: ``layer.backward``.
    x
        The input: an array, or a tree of arrays. The passes get copies.
    parameters
        The layer's own arrays in a dict, list or tuple: ``layer.params``, ``[layer.W, layer.b]``; none
        for an activation.
    gradients
        Called after `backward`, returns their gradients in the same order, or in a dict whose keys may
        be ``W`` or ``dW``: ``lambda: layer.grads``, ``lambda: [layer.dW, layer.db]``.
    rng, **options
        The source of `dy`, and options of `check_gradient`. The object is one: no executor can help.

    Returns
    -------
    GradientReport
        Its places are ``x[...]`` and ``parameters['W'][...]``.

    Raises
    ------
    TypeError
        If an argument cannot be called, an array has a dtype that cannot be checked, or there is an
        executor.
    ValueError
        If the gradients do not fit, a parameter cannot be written to, or a number is NaN or infinite.

    Examples
    --------
    >>> class Dense:
    ...     def __init__(self, W, b): self.W, self.b = W, b
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x @ self.W + self.b
    ...     def backward(self, dy):
    ...         self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
    ...         return dy @ self.W.T
    >>> layer = Dense(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2))
    >>> check_layer_object(layer.forward, layer.backward, np.ones((5, 2)),
    ...     {"W": layer.W, "b": layer.b}, lambda: {"dW": layer.dW, "db": layer.db}).verdict
    'pass'
    """
    check_function(forward, "forward", "x")
    check_function(backward, "backward", "dy")
    check_function(gradients, "gradients", "")
    if options.get("executor") is not None:
        raise TypeError("executor cannot be used here; expected none: all probes share one layer")
    check_point(x, "x")
    if flatten(parameters):
        check_point(parameters, "parameters")
        check_parameters(parameters, "parameters", updated=True)  # the check writes into them
    own = [array for _, array in flatten(parameters)]
    if own and gradients is tuple:
        raise TypeError("gradients is missing; expected a function that returns those of parameters")
    before = [array.copy() for array in own]
    theta = {"x": x, "parameters": copy_tree(parameters)}

    def run(theta: dict[str, Tree]) -> tuple[Tree, Any]:
        for array, numbers in zip(own, leaves_of(theta["parameters"]), strict=True):
            if numbers.dtype != array.dtype:  # they would be rounded
                raise TypeError(f"the layer holds {array.dtype}; expected no {numbers.dtype} for it")
            array[...] = numbers
        return forward(theta["x"] if "x" in theta else copy_tree(x)), None

    def backward_and_collect(dy: Tree, cache: Any) -> dict[str, Tree]:
        dx = backward(dy)
        return {"x": dx, "parameters": gradients()}

    try:
        y = forward(copy_tree(x))
        if backward(map_tree(np.zeros_like, y)) is None:  # a first layer: its input needs no gradient
            del theta["x"]
        report = _check_passes(run, backward_and_collect, theta, IN_AN_OBJECT, rng, options)
    finally:
        for array, numbers in zip(own, before, strict=True):
            array[...] = numbers
    return _with_unread(report)


def _with_unread(report: GradientReport) -> GradientReport:
    """A report with a note on failing parameters that the output does not change with."""
    parameters: dict[str, list[Probe]] = {}
    for probe in report.probes:
        if probe.place.startswith("parameters"):
            parameters.setdefault(probe.path.removeprefix("['parameters']"), []).append(probe)
    unread = [
        f"parameters{path}"
        for path, probes in parameters.items()
        if all(p.numeric == 0 for p in probes) and any(p.verdict == "fail" for p in probes)
    ]
    if not unread:
        return report
    note = f"forward returns the same whatever {', '.join(unread[:3])} hold: does it read these arrays?"
    return replace(report, notes=(*report.notes, note + " The check writes into them, not into copies."))


def _check_passes(
    run: Callable[[Tree], tuple[Tree, Any]],
    backward: Callable[[Tree, Any], Tree],
    inputs: Tree,
    names: Mapping[str, str],
    rng: np.random.Generator | None,
    options: Mapping[str, Any],
) -> GradientReport:
    """Check the vector-Jacobian product that two passes make together.

    The passes get copies, and may write into them: a note says so. Every backward pass follows a
    forward pass with the same inputs.
    """
    notes: dict[str, None] = {}  # each once, in order

    def vjp(inputs: Tree, dy: Tree) -> Tree:
        _, cache = run(copy_tree(inputs))
        given = copy_tree(dy)
        gradients = backward(given, cache)
        if first_change(dy, given, "dy"):
            notes[WROTE.format("backward", "dy")] = None
        with errors_reworded(names):
            return like_inputs(gradients, inputs, "grad(theta)", notes)

    f = partial(_forward, run, notes)
    report = check_product(check_gradient, f, vjp, inputs, names, generator(rng), options)
    return replace(report, notes=(*report.notes, *(reworded(note, names) for note in notes)))


def _forward(run: Callable[[Tree], tuple[Tree, Any]], notes: dict[str, None], inputs: Tree) -> Tree:
    """The outputs alone, with a note if the pass wrote into its inputs."""
    given = copy_tree(inputs)
    y, _ = run(given)
    written = first_change(inputs, given, "theta")
    if written:
        notes[WROTE.format("forward", written)] = None
    return map_tree(np.copy, y)


def _call(forward: Callable[..., Any], inputs: Tree) -> Any:
    """The result of a forward pass, with its inputs given as they are held."""
    if isinstance(inputs, dict):
        return forward(**inputs)
    return forward(*inputs) if isinstance(inputs, tuple | list) else forward(inputs)
