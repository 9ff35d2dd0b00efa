"""
How many units does a trained network really use?
=================================================

Trained from small weights, ReLU units gather on a few rays: many compute the same thing. ``reduce_width`` merges them
and says how much the output can have changed. Left: 50 units trained by gradient descent on two orthogonal points
become two. Right: a PyTorch network on MNIST digits loses most of its 512 units before its accuracy suffers; cutting
it to the same width by magnitude, which drops units instead of merging them, costs far more.
"""

import copy

import jax
import matplotlib.pyplot as plt
import numpy as np

from solvable import networks, tasks, training
from solvable.instruments import reduce_width
from solvable.numerics import activations

try:
    import torch
except ImportError:
    torch = None

# %%
# A layer of 50 ReLU units, at the end of its saddle-to-saddle training (zhang2026, Fig. 1D).

samples = tasks.orthogonal_pair()
layer = networks.initialise_for(
    networks.Neuron(activations.relu), samples, jax.random.key(1), width=50, init_scale=1e-6
)
layer = training.gradient_descent(layer, samples, learning_rate=0.02, steps=1500).network
rays = reduce_width(layer, None, samples.inputs, tolerance=1e-3)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for network, marker, label in ((layer, "o", "50 units"), (rays.model, "*", f"{rays.width_after} units, same map")):
    points = np.asarray(network.first) * np.linalg.norm(network.second, axis=0)[:, None]
    left.scatter(*points.T, marker=marker, s=30 if marker == "o" else 200, alpha=0.7, label=label)
left.set(xlabel="$u_1$ × $|v|$, incoming times outgoing weight", ylabel="$u_2$ × $|v|$", title="ReLU layer, two points")
left.legend()

print(f"{'network':<12}{'tolerance':>10}{'width':>12}{'change':>10}{'accuracy':>10}{'by magnitude':>14}")
row = "{:<12}{:>10g}{:>5} -> {:<4}{:>9.2g}{:>10}{:>14}".format
print(row("two points", 1e-3, rays.width_before, rays.width_after, rays.measured_change, "-", "-"))

# %%
# A PyTorch network trained on 4000 digits from weights of size 1e-5, tested on 1000 others.


def train_on_digits(inputs, labels):
    """Stochastic gradient descent with momentum on the cross-entropy, in under half a minute."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1e-5)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(1000):
        batch = torch.randint(0, len(inputs), (100,))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
        optimiser.step()
    return model


def keep_strongest(model, width):
    """The same network with the units of largest |u_i| |v_i| only."""
    strength = model[0].weight.norm(dim=1) * model[2].weight.norm(dim=0)
    kept, pruned = strength.topk(width).indices, copy.deepcopy(model)
    pruned[0].weight.data, pruned[0].bias.data = model[0].weight.data[kept], model[0].bias.data[kept]
    pruned[2].weight.data = model[2].weight.data[:, kept]
    return pruned


if torch is None:
    print("The digits half needs PyTorch: pip install 'solvable[torch]'.")
    right.set_title("needs PyTorch")
else:
    digits = tasks.load_digits()
    order = np.random.default_rng(0).permutation(len(digits.inputs))
    inputs = torch.tensor(digits.inputs[order], dtype=torch.float32)
    labels = torch.tensor(np.asarray(digits.labels)[order].astype(int))
    model = train_on_digits(inputs[:4000], labels[:4000])

    def accuracy(model):
        """Share of the 1000 test digits that are classified right."""
        return (model(inputs[4000:]).argmax(dim=1) == labels[4000:]).float().mean().item()

    widths, merged, pruned = [512], [accuracy(model)], [accuracy(model)]
    for tolerance in (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        reduction = reduce_width(model, "0", inputs[4000:], tolerance)
        widths.append(reduction.width_after)
        merged.append(accuracy(reduction.model))
        pruned.append(accuracy(keep_strongest(model, reduction.width_after)))
        texts = f"{merged[-1]:.3f}", f"{pruned[-1]:.3f}"
        print(row("digits", tolerance, 512, reduction.width_after, reduction.measured_change, *texts))
    right.plot(widths, merged, "o-", label="merged")
    right.plot(widths, pruned, "s--", label="pruned by magnitude")
    right.axhline(merged[0], color="0.6", lw=1, label=f"all 512 units: {merged[0]:.3f}")
    right.set(xscale="log", xlabel="width that is left", ylabel="test accuracy", title="ReLU network, MNIST digits")
    right.set_xticks([32, 64, 128, 256, 512], labels=["32", "64", "128", "256", "512"], minor=False)
    right.minorticks_off()
    right.legend()

plt.show()
