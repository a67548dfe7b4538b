"""What all optimizers share: the contract of a rule, and what a step does around it.

An optimizer of this package declares its settings, the names of its state arrays (*slots*) and one pure
function, the *rule*, whose lines are the equations of its chapter. Everything else happens here, once:
the check of what comes in, clipping, the learning rate, time, and that every array gets its step.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from optimlib.arguments import flag, hyperparameter, positive, whole_number
from optimlib.clipping import Clip, clipper
from optimlib.optimizers.checkpoint import SAVED_BESIDE, Checkpoint
from optimlib.optimizers.engine.arrays import Arrays
from optimlib.optimizers.engine.blocks import LARGE_BYTES, Block, gather, keep_freed_memory, pack, spread
from optimlib.optimizers.engine.called import Advance, NotFiniteResultError, Update, call, check_returned
from optimlib.optimizers.engine.compiled import compile_update, switch
from optimlib.optimizers.settings import Settings, optional, setting
from optimlib.optimizers.weight_decay import L2, WeightDecay
from optimlib.schedules import Schedule
from optimlib.trees import NonFiniteError, Tree, map_tree, per_leaf


class Group(NamedTuple):
    """What the arrays that are updated together have in common."""

    dtype: np.dtype
    strength: float  # of the weight decay
    rate: float  # times the learning rate


class Optimizer(Checkpoint, Settings):
    r"""Base class: :math:`\theta_t = \theta_{t-1} - \mathtt{rule}(g_t, \dots)`, in place.

    A method of one's own is a subclass with a `rule`. The rule is called with *blocks*: some elements of
    the gradient, from one array or several, in one row. A rule that looks at more than one element, for
    a norm or as a matrix, has to say so: with ``needs_whole_arrays = True`` it is called once for every
    array, in that array's own shape. With ``needs_parameters = True`` it is ``rule(g, p, *state)``.

    Parameters
    ----------
    params
        The parameters: float32 or float64 arrays in nested dicts, lists and tuples. They stay the
        caller's; every step changes them in place.
    learning_rate
        The step size :math:`\eta`: a number from 0 on, or a function that gives it from the number
        of finished steps (0 before the first), such as those of `optimlib.schedules`.
    weight_decay
        `L2` or `Decoupled` weight decay. A strength alone (a number, a tree like `params` with one for
        every array, or a function of the path) is short for the kind that the class prefers.
    mask
        Beside a strength: which arrays decay, a tree of True and False or a function of the path.
    rates
        The factor of the learning rate for every array, from 0 on: a tree like `params`, or a
        function of the path. Decoupled weight decay is multiplied by it, too.
    frozen
        Which arrays never move: a tree like `params` of True and False, or a function of the path.
        Their gradients may be anything, or absent.
    clip_value
        If given, every number of the gradient is first brought into ``[-clip_value, clip_value]``.
    clip_norm
        If given, the whole gradient, over all arrays, is then brought down to this norm if its norm
        is above it.
    clip_eps
        Added to the norm by which `clip_norm` divides; with 1e-6 it is PyTorch's ``clip_grad_norm_``.
    skip_nonfinite
        Whether a step is left out, and counted, whose gradient holds NaN or infinity, or is so large
        that the rule makes it so. Otherwise it is refused.
    compiled
        Whether Numba compiles the rule (`optimlib.optimizers.engine.compiled`): the result is the same,
        bit for bit, and a rule for which it might not be is refused. The first step waits for the
        compiler, and a division by zero in a rule brings no warning.

    Attributes
    ----------
    t : int
        The number of steps taken; inside `rule` the number of the step being taken, from 1.
    learning_rate : float
        The step size of the latest step; inside `rule` that of the arrays at hand. Before the first step
        a schedule is asked for it. A number or a schedule that is assigned holds from the next step
        on, and takes the place of the schedule that was there.
    gradient_norm : float or None
        The norm of the latest gradient that `clip_norm` limits, before it does; `None` without
        `clip_norm` and before the first step.
    skipped : int
        How many steps were left out because of `skip_nonfinite`.

    All parameters but `params` and `mask` may be assigned between two steps, and are checked then.

    Raises
    ------
    AttributeError
        If something is assigned that the optimizer does not have.
    ImportError
        If `compiled` is asked for and Numba is not installed.
    TypeError, ValueError
        If the parameters cannot be updated in place (`optimlib.trees.check_parameters` says when), if a
        setting is none, or a keyword unknown.

    Notes
    -----
    Both limits are for the gradient that the caller passes. Whatever a rule adds to it, weight decay
    above all, comes later and is not clipped: the order of PyTorch, where one clips the gradients
    and then calls the optimizer.

    Examples
    --------
    >>> class SignDescent(Optimizer):
    ...     def rule(self, g):
    ...         return self.learning_rate * np.sign(g), ()
    >>> theta = np.array([1.0, -2.0])
    >>> SignDescent(theta, learning_rate=0.5).step(np.array([3.0, 0.0]))
    >>> theta
    array([ 0.5, -2. ])
    """

    slots: tuple[str, ...] = ()
    needs_whole_arrays: ClassVar[bool] = False
    needs_parameters: ClassVar[bool] = False
    default_decay: ClassVar[type[WeightDecay]] = L2

    t: int = setting(whole_number)
    clip_value: float | None = setting(optional(positive))
    clip_norm: float | None = setting(optional(positive))
    clip_eps: float = setting()
    skip_nonfinite: bool = setting(flag)
    compiled: bool = setting(switch)

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        *,
        weight_decay: float | Tree | Callable[[str], float] | WeightDecay = 0.0,
        mask: Tree | Callable[[str], bool] | None = None,
        rates: Tree | Callable[[str], float] | None = None,
        frozen: Tree | Callable[[str], bool] | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        skip_nonfinite: bool = False,
        compiled: bool = False,
        **unknown: Any,
    ) -> None:
        self._refuse_keywords(unknown)
        check_slots(self.slots)
        self.clip_value, self.clip_norm, self.clip_eps = clip_value, clip_norm, clip_eps
        self.skip_nonfinite, self.compiled, self.t = skip_nonfinite, compiled, 0
        self.learning_rate = learning_rate
        self._arrays = Arrays(params, self.needs_whole_arrays)
        self._gradient_norm: float | None = None
        self._skipped, self._torn = 0, False
        self.rates, self.frozen = rates, frozen
        self.weight_decay = self._as_decay(weight_decay, mask)
        numbers = range(len(self._arrays.leaves))
        self._state = {slot: [self._first(slot, number) for number in numbers] for slot in self.slots}
        self._keep_rows()
        keep_freed_memory()

    def rule(self, g: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The step to subtract from the parameters, and the new state: its arguments stay unchanged.

        All that it returns are arrays like the ones it is given. It may be called once for every block,
        once more for a gradient that is huge, or with objects that stand for arrays and write down what
        is done to them (`optimlib.optimizers.engine.tracing`). So it should do nothing but compute.

        Parameters
        ----------
        g
            Some elements of the gradient, in one row; the gradient of a whole array, in its shape, with
            `needs_whole_arrays`.
        *state
            The same elements of every state array, in the order of `slots`; before them the same
            elements of the parameters, with `needs_parameters`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define rule(g, *state)")

    def initial(self, name: str, array: np.ndarray) -> np.ndarray:
        """The state array `name` of a parameter array before the first step: zeros unless overridden.

        Its shape and dtype are those of `array`; with `needs_whole_arrays` the shape may be another.
        """
        return np.zeros_like(array)

    @classmethod
    def like(cls, library: str, params: Tree, **hyperparameters: Any) -> Optimizer:
        """An optimizer that computes what another library, or the original paper, does.

        Parameters
        ----------
        library
            ``"torch"``, ``"optax"``, ``"keras"``, ``"sklearn"``, ``"schedulefree"``, ``"autograd"``,
            ``"cs231n"`` or ``"paper"``.
        params
            The parameters, changed in place by every step.
        **hyperparameters
            What is to differ from that library's defaults, under this package's names, and the
            keywords of `Optimizer`. All else is in `optimlib.optimizers.conventions.CONVENTIONS`.

        Returns
        -------
        Optimizer
            Often one of another class: Keras's Adam is an `optimlib.optimizers.AdamEpsHat`.

        Raises
        ------
        TypeError
            If the library has no default for a hyperparameter and none was given.
        ValueError
            If the library has no such optimizer, its optimizer has no such hyperparameter or does not
            leave it open, or this package leaves that convention out.

        Examples
        --------
        >>> from optimlib import Adam
        >>> Adam.like("keras", np.ones(2)).eps
        1e-07
        """
        from optimlib.optimizers.like import like  # which knows every class, as no base class should

        return like(library, cls, params, hyperparameters)

    def step(self, grads: Tree) -> None:
        """Update the parameters in place with one gradient.

        Everything is checked before anything is changed: after an error the parameters, the state
        and `t` are what they were. Only what comes up in the middle, such as a KeyboardInterrupt, or a
        FloatingPointError that ``np.errstate`` asks for, may come when some blocks are updated and
        others are not. Then the optimizer refuses to go on, or to be saved, until a state is loaded.

        Parameters
        ----------
        grads
            The gradient at the current parameters, a tree like `params`. It is only read. An array whose
            gradient is None takes no step now, and its state stays. (There is one `t` for all arrays;
            PyTorch counts the steps of every array for itself.)

        Raises
        ------
        FloatingPointError
            If the rule makes a finite number NaN or infinite, which is named.
        NonFiniteError
            If a gradient is NaN or infinite, or so large that the rule makes it so (unless
            `skip_nonfinite`). It is a ValueError.
        RuntimeError
            If the step before was interrupted.
        TypeError
            If a gradient's dtype is not that of its parameter, or it is masked; if a schedule returns
            no number, or `rule` something else than arrays of the parameters' dtype.
        ValueError
            If structure or shape differ from the parameters', a parameter array was replaced by another
            or made read-only, a schedule returns a negative, infinite or NaN learning rate, or `rule`
            arrays of another shape.
        """
        self._check_whole()
        self._arrays.check_the_same()
        try:
            gradients, huge = self._arrays.gradients(grads, self._ignored)
            self._take_step(gradients, huge)
        except NonFiniteError:
            if not self.skip_nonfinite or self._torn:
                raise
            self._skipped += 1

    def _take_step(self, gradients: dict[int, np.ndarray], huge: bool) -> None:
        """Take a step with the rows of gradients that fit."""
        clip, norm = clipper(list(gradients.values()), self.clip_value, self.clip_norm, self.clip_eps)
        before = self.t, self._rate, self._gradient_norm
        rate = self._rate if self._schedule is None else self._schedule(self.t)
        try:
            self._rate = hyperparameter("learning_rate", rate)
            self.t, self._gradient_norm = self.t + 1, norm
            with np.errstate(under="ignore"):  # a running mean that fades away is no error
                if huge:
                    self._rehearse(gradients, clip)
                self._update_all(gradients, clip)
        except BaseException:
            if not self._torn:
                self.t, self._rate, self._gradient_norm = before
            raise

    def _update_all(self, gradients: dict[int, np.ndarray], clip: Clip) -> None:
        """Give every block its step, one by one, so that what a rule computes stays in the cache."""
        make = self._compile if self.compiled else self._call
        rows = self._arrays.rows_to_change()
        for update, block in self._updates(gradients, make):
            given = [gather(row, block) for row in (rows, *self._state_rows)]
            self._torn |= self.compiled  # the arrays it is given are changed at once
            try:
                new = update(given[0], clip(gather(gradients, block)), *given[1:])
            except NotFiniteResultError as lost:
                raise FloatingPointError(self._describe(lost, block)) from None
            self._torn = True
            for row, old, values in zip((rows, *self._state_rows), given, new, strict=True):
                if values is not old or len(block) > 1:
                    spread(values, row, block)
        self._arrays.write_back(rows)
        self._torn = False

    def _rehearse(self, gradients: dict[int, np.ndarray], clip: Clip) -> None:
        """Call the rule with a huge gradient, change nothing, and refuse what becomes infinite."""
        rows = self._arrays.rows_to_change()
        for update, block in self._updates(gradients, self._call):
            given = [gather(row, block) for row in (rows, *self._state_rows)]
            try:
                with np.errstate(all="ignore"):
                    update(given[0], clip(gather(gradients, block)), *given[1:])
            except NotFiniteResultError as lost:
                raise NonFiniteError(
                    f"grads is too large: {self._describe(lost, block)}; expected a smaller gradient"
                    " (clip it first, as clip_norm= and clip_value= do)"
                ) from None

    def _updates(
        self, gradients: dict[int, np.ndarray], make: Callable[[Group], Update]
    ) -> Iterator[tuple[Update, Block]]:
        """Every block and what updates it, while `learning_rate` is that of its arrays.

        The last block comes first: the check has just read the gradient to its end.
        """
        groups, rate = self._groups(tuple(gradients)), self._rate
        updates = []
        for group in groups:
            self._rate = rate * group.rate
            updates.append(make(group))
        for group, update in zip(reversed(groups), reversed(updates), strict=True):
            self._rate = rate * group.rate
            for block in reversed(groups[group]):
                yield update, block
        self._rate = rate

    def _groups(self, numbers: tuple[int, ...]) -> dict[Group, list[Block]]:
        """The blocks of the arrays with these numbers, by what they have in common."""
        key = numbers, self.compiled
        if self._packed[0] != key:
            arrays: dict[Group, list[tuple[int, np.ndarray]]] = {}
            for number in numbers:
                leaf = self._arrays.leaves[number]
                group = Group(leaf.dtype, self._strengths[number], self._rate_of[number])
                arrays.setdefault(group, []).append((number, leaf))
            how = LARGE_BYTES if self.compiled else None, self.needs_whole_arrays
            self._packed = key, {group: pack(some, *how) for group, some in arrays.items()}
        return self._packed[1]

    def _call(self, group: Group) -> Update:
        """The update that calls the rule for arrays of a group."""
        return call(self._advance(group.strength, self._check_returned))

    def _compile(self, group: Group) -> Update:
        """The update that runs the rule compiled for arrays of a group."""
        return compile_update(self._advance(group.strength, lambda *_: None), self.slots, group.dtype)

    def _advance(self, strength: float, check: Callable[..., None]) -> Advance:
        """The rule with weight decay of this strength, as a function of `p`, `g` and the state."""

        def advance(p: Any, g: Any, *state: Any) -> tuple[Any, tuple[Any, ...]]:
            given = (p, *state) if self.needs_parameters else state

            def rule(g: Any) -> tuple[Any, tuple[Any, ...]]:
                returned = self.rule(g, *given)
                check(returned, (g, *state))
                return returned

            if strength:
                return self._weight_decay.advance(rule, p, g, strength, self._rate)
            step, new_state = rule(g)
            return p - step, new_state

        return advance

    def _check_returned(self, returned: Any, like: Sequence[np.ndarray]) -> None:
        check_returned(type(self).__name__, self.slots, returned, like)

    def _describe(self, lost: NotFiniteResultError, block: Block) -> str:
        """What a rule has made NaN or infinite, and in which step."""
        name = ("params", *self.slots)[lost.result]
        place = self._arrays.place(block, lost.position)
        after = "some arrays have moved, so load a saved state" if self._torn else "nothing has changed"
        return (
            f"{type(self).__name__}.rule made {name}{place} {lost.value} in step {self.t}, from finite"
            f" numbers ({after})"
        )

    # What may be read and assigned

    @property
    def params(self) -> Tree:
        """The parameters that the optimizer was created with."""
        return self._arrays.params

    @property
    def learning_rate(self) -> float:
        """The step size of the latest step; that of the next while a schedule was not asked."""
        if self._rate is None:
            return hyperparameter("learning_rate", self._schedule(self.t))
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: float | Schedule) -> None:
        rate = None if callable(value) else hyperparameter("learning_rate", value)
        self._rate, self._schedule = rate, value if callable(value) else None

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of the learning rate, if there is one."""
        return self._schedule

    @property
    def weight_decay(self) -> WeightDecay:
        """The weight decay; a strength that is assigned is of the kind that the class prefers."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, value: float | Tree | WeightDecay) -> None:
        decay = value if isinstance(value, WeightDecay) else self.default_decay(value)
        self._strengths = decay.strengths(self.params)
        self._weight_decay, self._packed = decay, (None, {})

    @property
    def rates(self) -> Tree:
        """What every array's learning rate is multiplied by, as it was given."""
        return self._rates

    @rates.setter
    def rates(self, value: Tree | Callable[[str], float] | None) -> None:
        self._rate_of = self._per_array(value, "rates", hyperparameter, 1.0)
        self._rates, self._packed = value, (None, {})

    @property
    def frozen(self) -> Tree:
        """Which arrays never move, as it was given."""
        return self._frozen

    @frozen.setter
    def frozen(self, value: Tree | Callable[[str], bool] | None) -> None:
        never = self._per_array(value, "frozen", flag, False)
        self._ignored = [path for path, no in zip(self._arrays.paths, never, strict=True) if no]
        self._frozen = value

    @property
    def gradient_norm(self) -> float | None:
        """The norm of the latest gradient before `clip_norm` limited it, if it does."""
        return self._gradient_norm

    @property
    def skipped(self) -> int:
        """How many steps were left out because their gradient was not finite."""
        return self._skipped

    @property
    def state(self) -> dict[str, Tree]:
        """A copy of the state: for every name in `slots` a tree of arrays like `params`."""
        return {
            slot: fill_tree(self.params, [array.copy() for array in arrays])
            for slot, arrays in self._state.items()
        }

    def _as_decay(self, given: Any, mask: Tree | Callable[[str], bool] | None) -> WeightDecay:
        """The weight decay that `weight_decay` and `mask` ask for."""
        if not isinstance(given, WeightDecay):
            return self.default_decay(given, mask)
        if mask is not None:
            raise ValueError(f"mask is given beside weight_decay={given!r}; expected it inside")
        return given

    def _per_array(self, choice: Any, name: str, kind: Callable[[str, Any], Any], default: Any) -> list:
        """What was chosen for every array."""
        if choice is None:
            return [default] * len(self._arrays.leaves)
        return per_leaf(choice, self.params, name, kind)

    def _first(self, slot: str, number: int) -> np.ndarray:
        """A state array before the first step."""
        leaf, name = self._arrays.leaves[number], f"{type(self).__name__}.initial({slot!r}, ...)"
        first = self.initial(slot, leaf)
        if not isinstance(first, np.ndarray) or first.dtype != leaf.dtype:
            raise TypeError(f"{name} returned {first!r}; expected an array of {leaf.dtype}")
        if self.needs_whole_arrays:
            return np.array(first)
        if first.shape != leaf.shape:
            raise ValueError(f"{name} returned an array of shape {first.shape}; expected {leaf.shape}")
        array = self._arrays.like(number)
        array[...] = first
        return array

    def _keep_rows(self) -> None:
        """Note the rows of the state, which every step needs."""
        self._state_rows = [self._arrays.rows(arrays) for arrays in self._state.values()]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_state_rows"}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """A copy, deep or unpickled, has its arrays in another place."""
        vars(self).update(attributes)
        self._keep_rows()


def fill_tree(params: Tree, arrays: Sequence[np.ndarray]) -> Tree:
    """A tree like `params` of other arrays, in the order of its leaves.

    >>> fill_tree({"W": 0, "b": [0]}, [1, 2])
    {'W': 1, 'b': [2]}
    """
    remaining = iter(arrays)
    return map_tree(lambda _: next(remaining), params)


def check_slots(slots: Sequence[str]) -> None:
    """Refuse names of state arrays that would not stay apart in a saved state.

    >>> check_slots(("m", "t"))
    Traceback (most recent call last):
        ...
    ValueError: slots is ('m', 't'); expected different names, none of them of what is saved beside them
    """
    if isinstance(slots, str) or not all(map(str.isidentifier, slots)):
        raise TypeError(f"slots is {slots!r}; expected a tuple of names, such as ('m',)")
    names = {unicodedata.normalize("NFKC", slot) for slot in slots}  # as Python reads them
    if len(names) < len(slots) or names & SAVED_BESIDE:
        raise ValueError(
            f"slots is {slots!r}; expected different names, none of them of what is saved beside them"
        )
