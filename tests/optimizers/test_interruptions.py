"""A step that is interrupted, a rule that makes NaN, a gradient that is too large: what is left then."""

import copy
import pickle

import numpy as np
import pytest

from optimlib import SGD, AdaGrad, Adam, Decoupled, Lion, RMSProp
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.engine import blocks
from optimlib.trees import NonFiniteError, copy_tree, flatten


def snapshot(optimizer) -> list:
    arrays = flatten((optimizer.params, optimizer.state))
    return [(path, array.tobytes()) for path, array in arrays] + [optimizer.t, optimizer.learning_rate]


def fails_at(call: int, error: BaseException):
    """A class of optimizers whose rule raises at the `call`-th block, counted over all steps."""

    class Fails(Optimizer):
        slots = ("b",)
        calls = 0

        def rule(self, g, b):
            Fails.calls += 1
            if Fails.calls == call:
                raise error
            b = 0.5 * b + g
            return self.learning_rate * b, (b,)

    return Fails


def three_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 32)
    return {"a": np.ones(4), "b": np.ones(8)}


ERRORS = [KeyboardInterrupt(), FloatingPointError("overflow"), MemoryError(), RuntimeError("ours")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", [2, 3, 5])
def test_an_optimizer_interrupted_between_blocks_refuses_to_go_on(monkeypatch, tmp_path, error, call):
    params = three_blocks(monkeypatch)
    grads = copy_tree(params)
    optimizer = fails_at(call, error)(params, lambda n: 1 / (n + 1))
    optimizer.save(tmp_path / "start.npz")
    with pytest.raises(type(error)):  # in the first step or in the second
        [optimizer.step(grads) for _ in range(2)]
    for refused in (
        lambda: optimizer.step(grads),
        lambda: optimizer.save(tmp_path / "torn.npz"),
        optimizer.state_dict,
        lambda: copy.deepcopy(optimizer).step(grads),
    ):
        with pytest.raises(RuntimeError, match=r"a step was interrupted: .* expected a saved state"):
            refused()
    assert not (tmp_path / "torn.npz").exists()
    optimizer.load(tmp_path / "start.npz")
    optimizer.step(grads)
    assert optimizer.t == 1
    assert {key: leaf.tolist() for key, leaf in params.items()} == {"a": [0] * 4, "b": [0] * 8}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_of_a_torn_optimizer_are_torn_until_they_load(monkeypatch, copied):
    theta = np.ones(3)
    optimizer = Adam(theta, 0.5)
    saved = optimizer.state_dict()

    def interrupted(*arrays):
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.copyto", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(np.ones(3))
    monkeypatch.undo()
    again = copied(copied(optimizer))
    for refused in (lambda: again.step(np.ones(3)), again.state_dict):
        with pytest.raises(RuntimeError, match="a step was interrupted"):
            refused()
    again.load_state_dict(saved)
    again.step(np.ones(3))
    assert again.params.tolist() == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_optimizer_interrupted_before_its_first_change_is_what_it_was(monkeypatch, error):
    params = three_blocks(monkeypatch)
    optimizer = fails_at(4, error)(params, lambda n: 1 / (n + 1))
    optimizer.step(copy_tree(params))
    before = snapshot(optimizer)
    with pytest.raises(type(error)):
        optimizer.step(copy_tree(params))
    assert snapshot(optimizer) == before
    optimizer.step(copy_tree(params))
    assert optimizer.t == 2


@pytest.mark.parametrize("call", [1, 2, 3])
def test_an_interruption_while_a_block_is_written_is_noticed(monkeypatch, call):
    params = np.ones(3)
    optimizer = Adam(params, 0.5)
    copy_to, calls = np.copyto, []

    def interrupted(*arrays):
        calls.append(arrays)
        if len(calls) == call:
            raise KeyboardInterrupt
        copy_to(*arrays)

    monkeypatch.setattr("numpy.copyto", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(np.ones(3))
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="interrupted"):
        optimizer.step(np.ones(3))


def test_an_interruption_while_a_state_is_loaded_is_noticed(tmp_path):
    class Schedule:
        def __call__(self, finished):
            return 0.5

    optimizer = Adam(np.ones(3), Schedule())
    saved = optimizer.state_dict()
    optimizer._arrays.state["v"][0].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        optimizer.load_state_dict(saved)
    optimizer._arrays.state["v"][0].flags.writeable = True
    with pytest.raises(RuntimeError, match="interrupted"):
        optimizer.step(np.ones(3))
    optimizer.load_state_dict(saved)
    optimizer.step(np.ones(3))


# Gradients that are finite and too large


@pytest.mark.parametrize("optimizer", [Adam, AdaGrad, RMSProp])
@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float32, 1e20), (np.float32, -3e38), (np.float64, 1e200), (np.float64, 1e308)],
)
def test_a_gradient_whose_square_is_infinite_is_refused_and_nothing_has_changed(
    monkeypatch, optimizer, dtype, size
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16)
    running = optimizer(np.ones(12, dtype), 0.1)
    g = np.ones(12, dtype)
    running.step(g)
    before = snapshot(running)
    g[7] = size
    with pytest.raises(NonFiniteError, match=r"grads is too large: .*\.rule made .*\[7\] inf in step 2"):
        running.step(g)
    assert snapshot(running) == before
    running.clip_norm = 1.0
    running.step(g)
    assert running.t == 2


@pytest.mark.parametrize("optimizer", [SGD, Lion])
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e20), (np.float64, 1e200)])
def test_a_rule_that_never_squares_takes_a_large_gradient(optimizer, dtype, size):
    theta = np.zeros(3, dtype)
    optimizer(theta, learning_rate=1.0).step(np.array([size, 1, 0], dtype))
    expected = [-size, -1, 0] if optimizer is SGD else [-1, -1, 0]
    np.testing.assert_array_equal(theta, np.array(expected, dtype))


def test_many_large_gradients_whose_squares_are_finite_are_no_matter():
    theta = np.zeros(1000, np.float32)
    Adam(theta, 0.5).step(
        np.full(1000, 1e19, np.float32)
    )  # the sum of squares is infinite, no square is
    np.testing.assert_allclose(theta, -0.5, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1.5e19), (np.float64, 1.2e154)])
def test_squares_may_not_add_up_to_infinity_either(dtype, size):
    """Each of them is finite, and about 2/3 of the largest number."""
    theta = np.ones(2, dtype)
    optimizer = AdaGrad(theta, 0.1)
    g = np.array([size, 1], dtype)
    optimizer.step(g)
    before = snapshot(optimizer)
    with pytest.raises(NonFiniteError, match=r"AdaGrad.rule made G\[0\] inf in step 2"):
        optimizer.step(g)
    assert snapshot(optimizer) == before


# Rules that make NaN of finite numbers


def dividing(slots=()):
    class Dividing(Optimizer):
        def rule(self, g):
            with np.errstate(all="ignore"):
                return self.learning_rate * g / np.abs(g), ()

    return Dividing


def test_a_rule_that_makes_nan_is_named_with_array_and_step_and_nothing_has_changed():
    params = {"W": np.ones((2, 2)), "b": [np.ones(3)]}
    optimizer = dividing()(params, 0.5)
    optimizer.step({"W": np.ones((2, 2)), "b": [np.ones(3)]})
    before = snapshot(optimizer)
    zero = {"W": np.ones((2, 2)), "b": [np.array([1.0, 0.0, 1.0])]}
    message = r"Dividing.rule made params\['b'\]\[0\]\[1\] nan in step 2 \(nothing has changed\)"
    with pytest.raises(FloatingPointError, match=message):
        optimizer.step(zero)
    assert snapshot(optimizer) == before


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_place_of_a_nan_is_right_in_any_order(order):
    theta, g = np.ones((3, 4), order=order), np.ones((3, 4), order=order)
    g[1, 2] = 0
    with pytest.raises(FloatingPointError, match=r"made params\[1, 2\] nan"):
        dividing()(theta, 0.5).step(g)


def test_a_rule_that_makes_nan_after_some_blocks_leaves_a_torn_optimizer(monkeypatch):
    params = three_blocks(monkeypatch)
    optimizer = dividing()(params, 0.5)
    grads = copy_tree(params)
    grads["a"][0] = 0  # the block that comes last
    with pytest.raises(
        FloatingPointError, match=r"made params\['a'\]\[0\] nan in step 1 \(load a saved"
    ):
        optimizer.step(grads)
    with pytest.raises(RuntimeError, match="interrupted"):
        optimizer.step(copy_tree(params))


def test_a_velocity_that_grows_without_bound_is_noticed():
    class Growing(Optimizer):
        slots = ("b",)

        def rule(self, g, b):
            b = 1e200 * (b + 1)
            return b, (b,)

    optimizer = Growing(np.ones(2), 1.0)
    optimizer.step(np.ones(2))
    message = r"Growing.rule made params\[0\] -inf in step 2 \(nothing has changed\)"
    with np.errstate(over="ignore"), pytest.raises(FloatingPointError, match=message):
        optimizer.step(np.ones(2))


class PlainDescent(Optimizer):
    def rule(self, g):
        return self.learning_rate * g, ()


@pytest.mark.parametrize(
    ("dtype", "theta", "learning_rate", "g"),
    [
        (np.float64, 1.7e308, 1e10, -1e298),
        (np.float64, 1.7e308, 1e300, -1e8),
        (np.float64, -1e308, 1.0, 1e308),
        (np.float32, 3e38, 1e30, -3e8),
        (np.float32, -3.4e38, 1.0, 1e38),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_sum_that_is_infinite_of_two_that_are_not_is_noticed(dtype, theta, learning_rate, g, compiled):
    if compiled:
        pytest.importorskip("numba")
    params = np.array([1.0, theta], dtype)
    optimizer = PlainDescent(params, learning_rate, compiled=compiled)
    huge = abs(g) > np.sqrt(np.finfo(dtype).max)
    with np.errstate(over="ignore"), pytest.raises((FloatingPointError, NonFiniteError)) as caught:
        optimizer.step(np.array([0.0, g], dtype))
    assert ("grads is too large" in str(caught.value)) == huge
    assert f"PlainDescent.rule made params[1] {np.copysign(np.inf, theta)}" in str(caught.value)
    if huge or not compiled:
        assert params.tolist() == np.array([1.0, theta], dtype).tolist()
        optimizer.step(np.array([1.0, 0.0], dtype))
        assert optimizer.t == 1


def test_a_rehearsal_writes_nothing_to_the_parameters():
    """What the caller writes meanwhile, here from inside the rule, is still there afterwards."""
    params = {"a": np.ones(2), "b": np.ones(3), "c": np.ones((4, 4))[::2, ::2]}

    class Writing(Optimizer):
        def rule(self, g):
            params["a"][1], params["c"][0, 1] = 7.0, 8.0
            return 1e200 * g, ()

    optimizer = Writing(params, 1.0)
    with pytest.raises(NonFiniteError, match="grads is too large"):
        optimizer.step({"a": np.ones(2), "b": np.full(3, 1e200), "c": np.ones((2, 2))})
    assert params["a"].tolist() == [1.0, 7.0]
    assert params["b"].tolist() == [1.0, 1.0, 1.0]
    assert params["c"].tolist() == [[1.0, 8.0], [1.0, 1.0]]


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_after_an_interruption_the_learning_rate_is_that_of_the_step(call, error):
    optimizer = fails_at(call, error)(
        {"a": np.ones(2), "b": np.ones(2)}, lambda n: 0.5 / (n + 1), rates={"a": 0.1, "b": 3.0}
    )
    with pytest.raises(type(error)) as caught:  # whose traceback holds on to what was under way
        optimizer.step({"a": np.ones(2), "b": np.ones(2)})
    assert optimizer.learning_rate == 0.5
    del caught
    assert optimizer.learning_rate == 0.5


def test_a_rule_that_fails_while_it_is_traced_leaves_the_learning_rate(monkeypatch):
    pytest.importorskip("numba")

    class Exponential(Optimizer):
        def rule(self, g):
            return self.learning_rate * np.exp(g), ()

    optimizer = Exponential([np.ones(2), np.ones(2)], 0.5, rates=[0.1, 1.0], compiled=True)
    with pytest.raises(TypeError, match="calls exp"):
        optimizer.step([np.ones(2), np.ones(2)])
    assert optimizer.learning_rate == 0.5


def test_decay_that_makes_a_parameter_infinite_is_noticed():
    params = np.array([1.0, 1e308])
    optimizer = SGD(params, 1.0, weight_decay=Decoupled(5.0))
    with np.errstate(over="ignore"), pytest.raises(FloatingPointError, match=r"params\[1\] -?inf"):
        optimizer.step(np.zeros(2))
    assert params.tolist() == [1.0, 1e308]


def test_a_sum_that_is_infinite_is_skipped_where_the_gradient_is_huge():
    params = np.array([1.7e308])
    optimizer = PlainDescent(params, 1e10, skip_nonfinite=True)
    optimizer.step(np.array([-1e298]))
    assert (params[0], optimizer.t, optimizer.skipped) == (1.7e308, 0, 1)


# Gradients that are not finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_has_an_error_of_its_own(value):
    optimizer = Adam({"W": np.ones((2, 2))}, 0.1)
    with pytest.raises(NonFiniteError, match=r"grads\['W'\]\[0, 1\] is"):
        optimizer.step({"W": np.array([[1.0, value], [1.0, 1.0]])})
    for wrong in ({"W": np.ones(4)}, {"V": np.ones((2, 2))}):
        with pytest.raises(ValueError, match=r"shape|keys") as caught:
            optimizer.step(wrong)
        assert not isinstance(caught.value, NonFiniteError)


def test_steps_that_are_not_finite_are_skipped_and_counted():
    theta, twin = np.ones(3), np.ones(3)
    skipping, plain = Adam(theta, 0.1, skip_nonfinite=True), Adam(twin, 0.1)
    for g in (np.ones(3), np.array([1.0, np.nan, 1.0]), np.array([1.0, 1e200, 1.0]), np.ones(3)):
        skipping.step(g)
        if np.abs(g).max() < 2:
            plain.step(g)
    assert skipping.skipped == 2
    assert snapshot(skipping) == snapshot(plain)
    with pytest.raises(ValueError, match="shape"):
        skipping.step(np.ones(4))
    assert skipping.skipped == 2


def test_a_skipped_step_asks_no_schedule():
    asked = []
    optimizer = SGD(np.ones(1), lambda n: asked.append(n) or 0.5, skip_nonfinite=True)
    for g in (np.nan, 1.0, np.inf, 1.0):
        optimizer.step(np.array([g]))
    assert asked == [0, 1]


# np.errstate


@pytest.mark.parametrize("optimizer", [Adam, RMSProp, SGD, Lion])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_that_fades_away_stops_no_run(optimizer, dtype):
    momentum = {"momentum": 0.5} if optimizer is SGD else {}
    theta = np.ones(2, dtype)
    running = optimizer(theta, 0.1, **momentum)
    tiny = np.array([np.finfo(dtype).tiny * 4, 1.0], dtype)
    with np.errstate(all="raise"):
        for g in (tiny, *[0 * tiny] * 40, tiny):
            running.step(g)
    assert np.isfinite(theta).all()


def test_decay_and_clipping_may_underflow_too():
    theta = np.array([1e-30, 1.0], np.float32)
    with np.errstate(all="raise"):
        optimizer = Adam(theta, 0.1, weight_decay=1e-30, clip_norm=1e-20)
        optimizer.step(np.array([1e-30, 1.0], np.float32))


@pytest.mark.parametrize(
    ("function", "g"),
    [(lambda g: 1 / g, 0.0), (lambda g: g * 1e308, 1e10), (np.sqrt, -1.0)],
    ids=["divide", "over", "invalid"],
)
def test_what_else_was_asked_to_raise_does(function, g):
    class Ours(Optimizer):
        def rule(self, g):
            return function(g), ()

    theta = np.ones(1)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        Ours(theta, 1.0).step(np.array([g]))
    assert theta == 1


def test_a_schedule_fed_from_an_iterator_loses_no_value():
    rates = iter([0.5, 0.25, 0.125])
    theta = np.zeros(1)
    optimizer = SGD(theta, lambda n: next(rates))
    assert "lambda" in repr(optimizer)
    pickle.dumps(optimizer.state_dict())
    for _ in range(3):
        optimizer.step(np.ones(1))
    assert theta == -(0.5 + 0.25 + 0.125)
