r"""Averages of the weights: what a run has visited, instead of where it happens to stop.

An average :math:`\bar\theta_t` moves toward the parameters :math:`\theta_t` with every update, by a
*weight* :math:`w_t`:

.. math:: \bar\theta_t = \bar\theta_{t-1} + w_t (\theta_t - \bar\theta_{t-1}), \qquad w_1 = 1

The mean of all has :math:`w_t = 1 / t`; an exponential one (EMA) has :math:`w_t` that ends at
:math:`1 - \beta`. As :math:`w_1 = 1`, neither remembers what stood there before the first update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from optimlib.arguments import check_saved, hyperparameter, whole_number
from optimlib.attributes import Known
from optimlib.trees import (
    Tree,
    check_all_finite,
    check_parameters,
    copy_tree,
    flatten,
    match,
)


class Average(Known):
    """What the averages share; a class of its own defines `weight`."""

    def __init__(self, params: Tree) -> None:
        self._leaves = check_parameters(params)
        self._params = params
        self._t = 0
        self._average = copy_tree(params)
        self._swapped = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._leaves)} arrays after {self.t} updates>"

    def weight(self) -> float:
        """The weight of the present parameters in update `t`, 1 in the first."""
        raise NotImplementedError(f"{type(self).__name__} has to define weight()")

    @property
    def params(self) -> Tree:
        """The parameters that are averaged, the very arrays."""
        return self._params

    @property
    def t(self) -> int:
        """The number of updates."""
        return self._t

    @property
    def average(self) -> Tree:
        """A copy of the average, a tree like `params`; before the first update, of the first values."""
        return copy_tree(self._average)

    def update(self) -> None:
        """Take in the present parameters: call it after every step, or after every epoch.

        Raises
        ------
        NonFiniteError
            If a parameter is NaN or infinite, which no average would ever forget.
        ValueError
            If an array of `params` was replaced by another, or the averages are swapped in. After
            every error the average is what it was.
        """
        self._check_that_params_are_in_place()
        check_all_finite([(f"params{path}", leaf) for path, leaf in self._leaves])
        self._t += 1
        weight = self.weight()
        for (_, average), (_, leaf) in zip(flatten(self._average), self._leaves, strict=True):
            if self.t == 1:  # of the first values nothing is left, not even their rounding
                average[...] = leaf
            else:
                average += weight * (leaf - average)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """A block in which the parameters hold the averages, to evaluate or to save them.

        After it they are what they were before, also after an error: what changes them in the block is
        undone.

        Raises
        ------
        ValueError
            If an array of `params` was replaced by another or made read-only, or the averages are
            swapped in already. Nothing has been changed then.
        """
        self._check_that_params_are_in_place()
        for path, leaf in self._leaves:
            if not leaf.flags.writeable:
                raise ValueError(f"params{path} is read-only; expected an array that can be updated")
        before = [leaf.copy() for _, leaf in self._leaves]
        self._swapped = True
        try:
            for (_, average), (_, leaf) in zip(flatten(self._average), self._leaves, strict=True):
                leaf[...] = average
            yield
        finally:
            for values, (_, leaf) in zip(before, self._leaves, strict=True):
                leaf[...] = values
            self._swapped = False

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of all that a later run needs to go on, as arrays, beside the settings.

        Returns
        -------
        dict
            Flat, so that ``np.savez(file, **average.state_dict())`` saves it: ``"kind"`` (the class),
            ``"t"``, and every average under its path, such as ``"average['W']"``.
        """
        arrays = {place: leaf.copy() for place, leaf in flatten(self._average, "average")}
        return {"kind": np.array(type(self).__name__), "t": np.array(self.t)} | arrays

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        saved
            What `state_dict` returned, or what ``np.load`` made of its file. It is only read.

        Raises
        ------
        TypeError
            If an array is of another dtype than the one it is for.
        NonFiniteError
            If an average is NaN or infinite.
        ValueError
            If the state is of another class or of other parameters, or the averages are swapped in.
            After every error nothing has been changed.
        """
        self._check_that_params_are_in_place()
        check_saved(saved)
        arrays, ours = dict(saved), dict(flatten(self._average, "average"))
        kind, t = (np.asarray(arrays.pop(key, None)).tolist() for key in ("kind", "t"))
        if kind != type(self).__name__:
            raise ValueError(f"the saved state has kind {kind!r}; expected {type(self).__name__!r}")
        t = whole_number("the saved t", t)
        matched = match(arrays, ours, "saved", "state")
        for leaf, average in zip(ours.values(), matched, strict=True):
            leaf[...] = average
        self._t = t

    def _check_that_params_are_in_place(self) -> None:
        """Refuse to go on with arrays that the caller no longer uses, or that hold the averages."""
        if self._swapped:
            raise ValueError("the parameters hold the averages; expected this after the swapped() block")
        leaves = flatten(self.params)
        for (path, leaf), (_, ours) in zip(leaves, self._leaves, strict=False):
            if leaf is not ours:
                raise ValueError(
                    f"params{path} was replaced by another array; expected the one that was given"
                    " (assign with params[...][:] = values)"
                )
        if len(leaves) != len(self._leaves):
            raise ValueError(
                f"params has {len(leaves)} arrays; expected the {len(self._leaves)} that were given"
            )


class EMA(Average):
    r"""The exponential moving average of the weights, with bias correction.

    .. math:: w_t = \frac{1 - \beta}{1 - \beta^t}

    This is :math:`m_t = \beta m_{t-1} + (1 - \beta) \theta_t` from :math:`m_0 = 0` on, divided by
    :math:`1 - \beta^t`, without keeping :math:`m`.

    Parameters
    ----------
    params
        The parameters, which an optimizer updates in place. Only `swapped` changes them.
    decay
        The rate :math:`\beta`, in [0, 1): about the last :math:`1 / (1 - \beta)` updates count.

    Raises
    ------
    TypeError, ValueError
        If `params` cannot be parameters, or `decay` is not a number in [0, 1).

    Notes
    -----
    Optax's ``ema(decay)``. PyTorch's ``AveragedModel`` with ``get_ema_multi_avg_fn(decay)`` corrects no
    bias: it starts from the weights of the first update, and :math:`\beta^{t-1}` of them is left for
    ever, which is most of the average for the first :math:`1 / (1 - \beta)` updates.

    Examples
    --------
    >>> from optimlib import SGD
    >>> theta = {"w": np.array([8.0])}
    >>> optimizer, average = SGD(theta, learning_rate=0.5), EMA(theta, decay=0.5)
    >>> for _ in range(2):  # from 8 to 4 to 2
    ...     optimizer.step({"w": theta["w"].copy()})
    ...     average.update()
    >>> average.average  # a third of 4 and two thirds of 2
    {'w': array([2.66666667])}
    >>> with average.swapped():
    ...     print(theta)
    {'w': array([2.66666667])}
    >>> theta
    {'w': array([2.])}
    """

    def __init__(self, params: Tree, decay: float) -> None:
        super().__init__(params)
        self.decay = decay

    @property
    def decay(self) -> float:
        """The rate; another that is assigned holds from the next update on."""
        return self._decay

    @decay.setter
    def decay(self, value: float) -> None:
        self._decay = hyperparameter("decay", value, below=1.0)

    def weight(self) -> float:
        """The weight of the present parameters: from 1 down to nearly ``1 - decay``."""
        return (1 - self.decay) / (1 - self.decay**self.t)


class PolyakAverage(Average):
    r"""The mean of the weights of all updates.

    .. math:: w_t = \frac1t, \qquad \bar\theta_t = \frac1t \sum_{s=1}^t \theta_s

    Parameters
    ----------
    params
        The parameters, which an optimizer updates in place. Only `swapped` changes them.

    Raises
    ------
    TypeError, ValueError
        If `params` cannot be parameters.

    Notes
    -----
    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992. PyTorch's
    ``AveragedModel``; updated once an epoch, late in a run, it is stochastic weight averaging.

    Examples
    --------
    >>> theta = np.array([1.0])
    >>> average = PolyakAverage(theta)
    >>> for value in (1.0, 2.0, 6.0):
    ...     theta[:] = value
    ...     average.update()
    >>> average.average
    array([3.])
    """

    def weight(self) -> float:
        """The weight of the present parameters: one of `t`."""
        return 1 / self.t
