"""
Does a network first learn what a linear classifier knows?
==========================================================

Trained by SGD on odd against even digits, networks at first know nothing that a linear classifier would not explain:
``performance_correlation`` follows what they have learned. Where they pass the linear classifier, it stays at what that
one knows, and all that comes is beyond it. Predictions on a test set are all that is needed, from any library.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from solvable import networks, tasks, training
from solvable.instruments import information_curves
from solvable.report import draw_information_curves

digits = tasks.load_digits()
order = np.random.default_rng(0).permutation(len(digits.labels))
inputs = jnp.asarray((digits.inputs - digits.inputs.mean(axis=0))[order], jnp.float32)
labels = (digits.labels % 2)[order]
train, test = slice(0, 3500), slice(3500, None)


def learn(network, learning_rate, record):
    """Scores on the test digits at the recorded steps."""
    return training.train_classifier(
        network,
        inputs[train],
        labels[train],
        inputs[test],
        key=jax.random.key(1),
        batch_size=32,
        learning_rate=learning_rate,
        steps=int(record[-1]),
        record=record,
    )


# %%
# The reference: a linear classifier, from zero weights, so that no randomness of the start is in it.

linear = networks.LinearMap(jnp.zeros((1, 784), jnp.float32))
reference = learn(linear, 0.05, np.array([4000]))[0]

# %%
# Three networks. The linear one never gets beyond the reference; the others do.

steps = np.unique(np.geomspace(16, 2500, 11).astype(int))
models = {
    "linear": (linear, 0.01),
    "two hidden layers": (
        networks.he_network(jax.random.key(0), widths=(100, 100), input_dim=784, dtype=jnp.float32),
        0.01,
    ),
    "convolutional": (networks.small_convolution(jax.random.key(0), image_side=28, dtype=jnp.float32), 0.01),
}

figure, panels = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
print(f"{'network':<20}{'I(F;Y)':>8}{'mu':>8}{'I(F;Y|L)':>10}{'I(L;Y)':>8}   bits, at the last step")
for panel, (name, (network, learning_rate)) in zip(panels, models.items(), strict=True):
    scores = learn(network, learning_rate, steps)
    curves = information_curves(dict(zip(steps.tolist(), scores, strict=True)), reference, labels[test])
    draw_information_curves(panel, curves)
    panel.set_title(name)
    last = curves.isel(step=-1)
    values = [float(last[key]) for key in ("learned", "correlation", "beyond", "reference")]
    print("{:<20}{:>8.3f}{:>8.3f}{:>10.3f}{:>8.3f}".format(name, *values))
for panel in panels[1:]:
    panel.set_ylabel("")
panels[0].legend(fontsize="small")

plt.show()
