"""Record the averages of weights that PyTorch and Optax keep, in averages.json.

Run it with a Python that has PyTorch and Optax: ``python tests/golden/record_averages.py``. Every case
holds the weights after each step, and the average after each update.
"""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

jax.config.update("jax_enable_x64", True)

WEIGHTS = np.random.default_rng(21).standard_normal((12, 3)).cumsum(axis=0)


def torch_averages(**settings) -> list[list[float]]:
    """What an averaged model holds after each update."""
    model = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    averaged = AveragedModel(model, **settings)
    averages = []
    for weights in WEIGHTS:
        with torch.no_grad():
            model.weight[:] = torch.tensor(weights)
        averaged.update_parameters(model)
        averages.append(averaged.module.weight[0].tolist())
    return averages


def optax_averages(decay: float) -> list[list[float]]:
    """The averages with bias correction."""
    transform = optax.ema(decay, debias=True)
    state, averages = transform.init(jax.numpy.zeros(3)), []
    for weights in WEIGHTS:
        average, state = transform.update(jax.numpy.array(weights), state)
        averages.append(average.tolist())
    return averages


def main() -> None:
    """Write the file."""
    recorded = {
        "torch": torch.__version__.split("+")[0],
        "optax": optax.__version__,
        "weights": WEIGHTS.tolist(),
        "mean": torch_averages(),
        "ema 0.9": optax_averages(0.9),
        "ema 0.5": optax_averages(0.5),
        "torch's ema 0.9": torch_averages(multi_avg_fn=get_ema_multi_avg_fn(0.9)),
    }
    text = json.dumps(recorded).replace(', "', ',\n"')
    Path(__file__).with_name("averages.json").write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
