r"""A tape: it records what a program computes, and plays the recording backward for the gradient.

A *node* is an array that remembers which nodes it was computed from, and the vector-Jacobian product
that sends its gradient back to them. A *tape* is the list of all nodes in the order in which they were
made. A node comes after its inputs and before everything made from it. So when the list is read from the
end, every node has its whole gradient before it passes it on, and no sorting is needed.

`Node` has ``+``, ``-``, ``*``, ``@``, powers by a constant, the transpose ``.T`` and ``.sum``;
`tanh`, `relu`, `sigmoid`, `exp` and `log` are functions, and `record` puts any other function on the
tape, given its backward pass. Everything runs eagerly: Python's own ``if`` and ``for`` work.

>>> import numpy as np
>>> from optimlib.nn import tape
>>> x = np.array([[1.0, 2.0]])
>>> def loss(theta): return (tape.tanh(x @ theta["W"] + theta["b"]) ** 2).sum()
>>> theta = {"W": np.array([[0.5], [0.0]]), "b": np.array([-0.5])}
>>> tape.value_and_gradient(loss, theta)
(np.float64(0.0), {'W': array([[0.],
       [0.]]), 'b': array([0.])})
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optimlib.nn import layers
from optimlib.trees import Tree, map_tree


class Node:
    """An array on a tape.

    An array or a number that meets a node in ``+``, ``*`` or ``@`` is put on the tape as a constant, in
    the node's dtype. An array must not be changed while it is on a tape: the backward pass reads it.

    Parameters
    ----------
    value
        The array, of floating-point numbers.
    tape
        The list that the node is appended to.
    inputs
        The nodes that it was computed from.
    vjp
        Takes the gradient with respect to `value` and returns a tuple of gradients, one for each input.
        It may leave the sum over what broadcasting repeated to the tape.

    Attributes
    ----------
    gradient : numpy.ndarray or None
        The sum of the gradients that have arrived so far; None before the first.

    Raises
    ------
    TypeError
        If `value` holds anything but floating-point numbers: integers have no gradient, and a constant
        like 0.5 would be rounded to theirs.

    Examples
    --------
    >>> tape = []
    >>> a, b = Node(3.0, tape), Node(2.0, tape)
    >>> L = a * b + b
    >>> backward(L)
    >>> float(a.gradient), float(b.gradient)  # b is used twice
    (2.0, 4.0)
    """

    __array_ufunc__ = None  # an array on the left leaves +, * and @ to the node

    def __init__(
        self,
        value: Any,
        tape: list[Node],
        inputs: tuple[Node, ...] = (),
        vjp: Callable[[np.ndarray], tuple[Any, ...]] = lambda dy: (),
    ) -> None:
        self.value = np.asarray(value)
        if not np.issubdtype(self.value.dtype, np.floating):
            raise TypeError(f"a node holds floating-point numbers; got {self.value.dtype}")
        self.tape = tape
        self.inputs = inputs
        self.vjp = vjp
        self.gradient: np.ndarray | None = None
        tape.append(self)

    def lift(self, other: Any) -> Node:
        """`other`, put on this node's tape as a constant unless it is a node.

        Examples
        --------
        >>> node = Node(np.ones(2, np.float32), tape=[])
        >>> node.lift(0.5).value
        array(0.5, dtype=float32)
        """
        return other if isinstance(other, Node) else Node(np.asarray(other, self.value.dtype), self.tape)

    def __add__(self, other: Any) -> Node:
        a, b = self, self.lift(other)
        return record(a.value + b.value, (a, b), lambda dy: (dy, dy))  # add distributes

    def __mul__(self, other: Any) -> Node:
        a, b = self, self.lift(other)
        return record(a.value * b.value, (a, b), lambda dy: (dy * b.value, dy * a.value))  # and swaps

    def __matmul__(self, other: Any) -> Node:
        a, b = self, self.lift(other)
        if a.value.ndim != 2 or b.value.ndim != 2:
            raise ValueError(f"@ got shapes {a.value.shape} and {b.value.shape}; expected two matrices")
        return record(a.value @ b.value, (a, b), lambda dy: (dy @ b.value.T, a.value.T @ dy))

    def __pow__(self, k: float) -> Node:
        x = self.value
        return record(x**k, (self,), lambda dy: (dy * k * x ** (k - 1),))

    def __neg__(self) -> Node:
        return self * -1.0

    def __sub__(self, other: Any) -> Node:
        return self + -self.lift(other)

    def __rsub__(self, other: Any) -> Node:
        return self.lift(other) + -self

    def __rmatmul__(self, other: Any) -> Node:
        return self.lift(other) @ self

    __radd__, __rmul__ = __add__, __mul__

    @property
    def T(self) -> Node:  # noqa: N802  (as in NumPy)
        """The transpose, whose gradient is transposed back."""
        return record(self.value.T, (self,), lambda dy: (dy.T,))

    def sum(self, axis: int | None = None) -> Node:
        """The sum of all entries, or along an axis, which stays with the length 1.

        Examples
        --------
        >>> Node(np.ones((2, 3)), tape=[]).sum(axis=1).value.shape
        (2, 1)
        """
        total = self.value.sum(axis=axis, keepdims=axis is not None)
        return record(total, (self,), lambda dy: (np.broadcast_to(dy, self.value.shape),))


def record(value: Any, inputs: tuple[Node, ...], vjp: Callable[[np.ndarray], tuple[Any, ...]]) -> Node:
    """Put the value of any function on the tape of its inputs, with its backward pass.

    Parameters
    ----------
    value
        What the function returned for the values of its inputs.
    inputs
        At least one node.
    vjp
        As for `Node`.

    Returns
    -------
    Node
        The new node.

    Raises
    ------
    TypeError
        If `inputs` is empty or holds anything but nodes.
    ValueError
        If the inputs are on several tapes.

    Examples
    --------
    >>> from optimlib.nn import softmax_cross_entropy
    >>> def cross_entropy(z, labels):
    ...     loss, dz = softmax_cross_entropy(z.value, labels)
    ...     return record(loss, (z,), lambda dy: (dy * dz,))
    >>> z = Node(np.zeros((1, 2)), tape=[])
    >>> backward(cross_entropy(z, np.array([0])))
    >>> z.gradient
    array([[-0.5,  0.5]])
    """
    if not inputs or any(not isinstance(x, Node) for x in inputs):
        kinds = ", ".join(type(x).__name__ for x in inputs)
        raise TypeError(f"inputs is ({kinds}); expected a tuple of nodes, at least one")
    if any(x.tape is not inputs[0].tape for x in inputs):
        raise ValueError("the inputs are on several tapes; expected one")
    return Node(value, inputs[0].tape, inputs, vjp)


def unbroadcast(dx: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over all copies that broadcasting made of an array of this shape.

    Examples
    --------
    >>> unbroadcast(np.ones((4, 3)), (3,))  # a bias, repeated for four examples
    array([4., 4., 4.])
    """
    dx = dx.sum(axis=tuple(range(np.ndim(dx) - len(shape))))  # axes that were put in front
    repeated = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return dx.sum(axis=repeated, keepdims=True)


def backward(loss: Node) -> None:
    """Play the tape of `loss` backward: afterwards its nodes hold their gradients.

    Parameters
    ----------
    loss
        One number. Its tape can be played once.

    Raises
    ------
    ValueError
        If `loss` is not one number, its tape was played before, or a backward pass returns the wrong
        number of gradients or one of a wrong shape.

    Examples
    --------
    >>> x = Node(np.array([1.0, 2.0]), tape=[])
    >>> backward((x * x * x).sum())
    >>> x.gradient
    array([ 3., 12.])
    """
    if loss.value.size != 1:
        raise ValueError(f"the loss has shape {loss.value.shape}; expected one number")
    if any(node.gradient is not None for node in loss.tape):
        raise ValueError(
            "the tape was played before; expected a fresh one, or its gradients would add up"
        )
    loss.gradient = np.ones_like(loss.value)
    for node in reversed(loss.tape):
        if node.gradient is None:  # the loss doesn't depend on it
            continue
        gradients = node.vjp(node.gradient)
        if len(gradients) != len(node.inputs):
            raise ValueError(
                f"a vjp returned {len(gradients)} gradients; expected a tuple of {len(node.inputs)}"
            )
        for x, dx in zip(node.inputs, gradients, strict=True):
            dx = np.asarray(dx, x.value.dtype)
            if dx.ndim >= x.value.ndim:
                dx = unbroadcast(dx, x.value.shape)
            if dx.shape != x.value.shape:
                raise ValueError(f"a gradient has shape {dx.shape}; expected {x.value.shape}")
            x.gradient = dx if x.gradient is None else x.gradient + dx  # used twice, added


def value_and_gradient(loss: Callable[[Tree], Node], theta: Tree) -> tuple[Any, Tree]:
    """The value of a loss and its gradient, by one pass forward and one backward.

    Parameters
    ----------
    loss
        Takes a tree of nodes like `theta` and returns a node, one number.
    theta
        Floating-point arrays in nested dicts, lists and tuples.

    Returns
    -------
    tuple
        The loss, a NumPy number, and the gradient, a tree of new arrays like `theta`. It is zero where
        the loss doesn't depend on a parameter. The tape is emptied, so nothing it held stays in memory.

    Raises
    ------
    TypeError
        If `loss` does not return a node, or a leaf of `theta` does not hold floating-point numbers.
    ValueError
        As `backward` does.

    Examples
    --------
    >>> value_and_gradient(lambda x: (x * x).sum(), np.array([3.0, -1.0]))
    (np.float64(10.0), array([ 6., -2.]))
    """
    tape: list[Node] = []
    nodes = map_tree(lambda leaf: Node(leaf, tape), theta)
    L = loss(nodes)
    if not isinstance(L, Node):
        raise TypeError(f"loss(theta) is a {type(L).__name__}; expected a Node, computed from theta's")
    backward(L)
    gradient = map_tree(
        lambda x: np.zeros_like(x.value) if x.gradient is None else np.array(x.gradient), nodes
    )
    tape.clear()  # nodes and tape refer to each other, and only the garbage collector would free them
    return L.value.reshape(())[()], gradient


def tanh(x: Node) -> Node:
    """The hyperbolic tangent of every element."""
    y = layers.tanh(x.value)
    return record(y, (x,), lambda dy: (layers.tanh_backward(dy, y),))


def relu(x: Node) -> Node:
    """The rectifier of every element; at 0 its slope is 0."""
    y = layers.relu(x.value)
    return record(y, (x,), lambda dy: (layers.relu_backward(dy, y),))


def sigmoid(x: Node) -> Node:
    """The sigmoid of every element."""
    y = layers.sigmoid(x.value)
    return record(y, (x,), lambda dy: (layers.sigmoid_backward(dy, y),))


def exp(x: Node) -> Node:
    """The exponential of every element."""
    y = np.exp(x.value)
    return record(y, (x,), lambda dy: (dy * y,))


def log(x: Node) -> Node:
    """The natural logarithm of every element."""
    return record(np.log(x.value), (x,), lambda dy: (dy / x.value,))
