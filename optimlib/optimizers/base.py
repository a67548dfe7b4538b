"""What all optimizers share: the contract of a rule, and what a step does around it.

An optimizer of this package declares its settings, the names of its state arrays (*slots*) and one pure
function, the *rule*, whose lines are the equations of its chapter. A step checks what comes in, clips
it, evaluates the learning rate, advances the time, and hands the arrays to an *update* block by block
(`optimlib.optimizers.engine`): the rule called, or the same rule compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np

from optimlib.arguments import flag, hyperparameter, positive, whole_number
from optimlib.clipping import clipper
from optimlib.optimizers.checkpoint import Checkpoint, check_slots
from optimlib.optimizers.engine.arrays import Arrays, fill_tree
from optimlib.optimizers.engine.blocks import keep_freed_memory
from optimlib.optimizers.engine.called import CALLED, check_returned, quiet, rehearse
from optimlib.optimizers.engine.compiled import COMPILED, CompiledSetting
from optimlib.optimizers.engine.contract import Maker, NotFiniteResultError, Update
from optimlib.optimizers.engine.run import rehearse_all, run
from optimlib.optimizers.per_array import Group, PerArray
from optimlib.optimizers.settings import optional, setting
from optimlib.optimizers.weight_decay import L2, WeightDecay
from optimlib.schedules import Schedule
from optimlib.trees import NonFiniteError, Tree


class Optimizer(PerArray, Checkpoint):
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
        bit for bit, and a rule for which it might not be is refused, such as one that needs whole
        arrays. The first step waits for the compiler.

    Attributes
    ----------
    t : int
        The number of steps taken; inside `rule` the number of the step being taken, from 1.
    learning_rate : float
        The step size of the latest step; inside `rule` that of the arrays at hand. Before the first step
        a schedule is asked for it. A number or a schedule that is assigned holds from the next step
        on, and takes the place of the schedule that was there.
    gradient_norm : float or None
        The norm of the latest gradient before `clip_norm` limited it, if it does.
    skipped : int
        How many steps `skip_nonfinite` left out.

    All parameters but `params` and `mask` may be assigned between two steps, and are checked.

    Raises
    ------
    AttributeError
        If something is assigned that the optimizer does not have.
    ImportError
        If `compiled` is asked for and Numba is not installed.
    TypeError, ValueError
        If the parameters cannot be updated in place, a setting has not the type or lies outside the
        interval that it is documented with, or a keyword is unknown.

    Notes
    -----
    Both limits are for the gradient that the caller passes. What a rule or weight decay adds to it comes
    later and is not clipped: the order of PyTorch, where one clips before the step.

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
    compiled: bool = cast(bool, CompiledSetting())

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
        self._gradient_norm: float | None = None
        self._skipped = 0
        self._arrays = Arrays(params, self.slots, self.initial, self.needs_whole_arrays)
        self.rates, self.frozen = rates, frozen
        self.weight_decay = self._as_decay(weight_decay, mask)
        keep_freed_memory()

    def rule(  # type checkers take *Any and **Any for: whatever a subclass names
        self, g: np.ndarray, *state: Any, **_: Any
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
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

        The gradient is checked before anything is changed: if it is refused, the parameters, the state
        and `t` are what they were. The rule then goes from block to block. An error that comes up there
        (a parameter that it makes NaN or infinite, a wrong result, a KeyboardInterrupt) changes nothing
        if it comes before the first block has changed, and a compiled rule's is seen after it. Later
        some blocks are updated and others are not: the optimizer then has to load a state to go on.

        Parameters
        ----------
        grads
            The gradient at the current parameters, a tree like `params`. It is only read. An array whose
            gradient is None takes no step now, and its state stays. (There is one `t` for all; PyTorch
            counts the steps of every array for itself.)

        Raises
        ------
        FloatingPointError
            If the rule makes a parameter NaN or infinite. It is named, and whether anything has changed.
        NonFiniteError
            If a gradient is NaN or infinite, or so large that the rule makes it so (unless
            `skip_nonfinite`). It is a ValueError.
        RuntimeError
            If the step before was interrupted.
        TypeError
            If a gradient has not the dtype of its parameter, or is masked; if a schedule returns no
            number, or `rule` something else than arrays of that dtype.
        ValueError
            If structure or shape differ from the parameters', a parameter array was replaced or made
            read-only, a schedule returns no finite number from 0 on, or `rule` arrays of another shape.
        """
        maker = COMPILED if self.compiled else CALLED
        try:
            gradients, huge = self._arrays.gradients(grads, self._ignored)
            self._take_step(gradients, huge, maker)
        except NonFiniteError:
            if not self.skip_nonfinite:
                raise
            self._skipped += 1

    def _take_step(self, gradients: dict[int, np.ndarray], huge: bool, maker: Maker) -> None:
        """Take a step with gradients that fit: all of it, or none, or know that it was interrupted."""
        clip_norm = self.clip_norm if gradients else None
        clip, norm = clipper(list(gradients.values()), self.clip_value, clip_norm, self.clip_eps)
        before = self.t, self._rate, self._gradient_norm
        try:
            if self._schedule is not None:
                self._rate = hyperparameter("learning_rate", self._schedule(self.t))
            self.t, self._gradient_norm = self.t + 1, norm
            with np.errstate(**quiet()):
                blocks = self._blocks(tuple(gradients), maker.block_bytes)
                if huge:
                    rehearse_all(self._arrays, self._updates(blocks, self._rehearse), gradients, clip)
                updates = self._updates(blocks, partial(self._update, maker))
                run(self._arrays, updates, gradients, clip)
                self._arrays.torn = False
        except BaseException as error:
            lost = self._blame(error, huge) if isinstance(error, NotFiniteResultError) else None
            if not self._arrays.torn:
                self.t, self._rate, self._gradient_norm = before
            if lost:
                raise lost from None
            raise
        finally:
            self._group_rate = 1.0

    def _update(self, maker: Maker, group: Group) -> Update:
        """What updates arrays of a group."""
        advance = partial(self._advance, maker.check, group)
        return maker.update(advance, self._arrays.begin, self.slots, group.dtype)

    def _rehearse(self, group: Group) -> Update:
        """The rule called on arrays of a group only to see whether it makes something infinite."""
        return partial(rehearse, partial(self._advance, check_returned, group))

    def _advance(
        self, check: Callable[..., None], group: Group, p: Any, g: Any, *state: Any
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        """Where `p` starts, the step to subtract there, and the new state: the rule, and decay."""
        self._group_rate = group.rate

        def rule(g: Any) -> tuple[Any, tuple[Any, ...]]:
            returned = self.rule(g, p, *state) if self.needs_parameters else self.rule(g, *state)
            check(type(self).__name__, self.slots, returned, (g, *state))
            return returned

        if group.strength:
            return self._weight_decay.advance(rule, p, g, group.strength, self.learning_rate)
        return p, *rule(g)

    def _blame(self, lost: NotFiniteResultError, huge: bool) -> Exception:
        """What to raise where the rule made a number NaN or infinite."""
        name = ("params", *self.slots)[lost.result]
        where = self._arrays.place(lost.block, lost.position)
        after = "load a saved state" if self._arrays.torn else "nothing has changed"
        what = f"{type(self).__name__}.rule made {name}{where} {lost.value} in step {self.t} ({after})"
        if huge:
            return NonFiniteError(f"grads is too large: {what}; expected it to be clipped first")
        return FloatingPointError(f"{what}; expected finite numbers from finite ones")

    def __repr__(self) -> str:
        if "_weight_decay" not in vars(self):  # in __init__, or after an error there
            return f"<{type(self).__name__}, not yet made>"
        rate = self._rate if self._schedule is None else self._schedule
        shown = {"learning_rate": rate} | self.settings()
        shown |= {"weight_decay": self._weight_decay} if any(self._strengths) else {}
        off = {name for name in vars(Optimizer) if name != "t" and not shown.get(name)}
        pairs = [f"{name}={value!r}" for name, value in shown.items() if name not in off]
        return f"{type(self).__name__}({', '.join(pairs)})"

    @property
    def params(self) -> Tree:
        """The parameters that the optimizer was created with."""
        return self._arrays.params

    @property
    def state(self) -> dict[str, Tree]:
        """A copy of the state: for every name in `slots` a tree of arrays like `params`."""
        return {slot: fill_tree(self.params, arrays) for slot, arrays in self._arrays.state.items()}

    @property
    def gradient_norm(self) -> float | None:
        """The norm of the latest gradient before `clip_norm` limited it, if it does."""
        return self._gradient_norm

    @property
    def skipped(self) -> int:
        """How many steps were left out because their gradient was not finite."""
        return self._skipped
