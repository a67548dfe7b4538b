"""How is a model trained, stopped and resumed? Minibatches, the loop around an optimizer, checkpoints.

A *step* is one minibatch and one update, an *epoch* one pass over the data in a new order, and a *run*
all steps from the first to the last, however often it was interrupted and taken up again.

>>> import numpy as np
>>> from optimlib import Adam
>>> rng = np.random.default_rng(0)
>>> x = rng.standard_normal((200, 3))
>>> y = x @ np.array([1.0, -2.0, 0.5])
>>> def value_and_grad(params, x, y):
...     error = x @ params["w"] - y
...     return (error**2).mean() / 2, {"w": x.T @ error / len(y)}
>>> params = {"w": np.zeros(3)}
>>> history = fit(value_and_grad, Adam(params, 0.1), (x, y), epochs=20, batch_size=20, rng=rng)
>>> params["w"].round(2)
array([ 1. , -2. ,  0.5])
"""

from optimlib.training.batches import minibatches
from optimlib.training.checkpoint import Checkpoint
from optimlib.training.history import History
from optimlib.training.loop import Step, fit
from optimlib.training.results import DivergedError
from optimlib.training.stopping import EarlyStopping

__all__ = [
    "Checkpoint",
    "DivergedError",
    "EarlyStopping",
    "History",
    "Step",
    "fit",
    "minibatches",
]
