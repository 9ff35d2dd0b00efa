"""The rivals: the networks of Figs. 1, 5, 6 and their gradient descent, plainly in eager PyTorch on the samples."""

import time

import numpy as np
import torch


def linear(inputs, first, second):
    return inputs @ first.T @ second.T


def relu(inputs, first, second):
    return torch.relu(inputs @ first.T) @ second.T


def quadratic(inputs, first, second):
    return (inputs @ first.T) ** 2 @ second.T


def convolution(activation):
    """The paper's Conv1d with kernel size 2 and stride 2, read out by a weight a position and channel."""

    def network(inputs, first, second):
        hidden = activation(torch.nn.functional.conv1d(inputs[:, None, :], first[:, None, :], stride=2))
        return torch.einsum("phs,sh->p", hidden, second)[:, None]

    return network


def linear_attention(inputs, first, second):
    """All heads on all tokens as in Eq. 69, with only the last row of V (the others get no gradient)."""
    keys, queries = first.reshape(first.shape[0], 2, -1).unbind(1)
    values = second.T @ (inputs @ inputs.mT)
    scores = (values * keys).sum(-1, keepdim=True) * (queries @ inputs)
    return scores.sum(1)[:, -1:]


def deep(first_layer, activation, skips=()):
    """Dense layers on a first layer; a skip (s, l) adds the output of hidden layer s to that of layer l."""

    def network(inputs, *weights):
        hidden = [first_layer(inputs, weights[0])]
        for layer, above in enumerate(weights[1:-1], 2):
            skipped = [hidden[source - 1] for source, target in skips if target == layer]
            hidden.append(sum(skipped, start=activation(hidden[-1] @ above.T)))
        return hidden[-1] @ weights[-1].T

    return network


def neurons(activation):
    return lambda inputs, first: activation(inputs @ first.T)


def kernels(activation):
    """Conv1d with stride 2, one entry a channel and position."""
    return lambda inputs, first: activation(
        torch.nn.functional.conv1d(inputs[:, None, :], first[:, None, :], stride=2)
    ).flatten(1)


def heads(inputs, first):
    """X X^T k (q . x_q) of every head, at the query token only."""
    keys, queries = first.reshape(first.shape[0], 2, -1).unbind(1)
    scores = (keys @ inputs) * (queries @ inputs[:, :, -1:])
    return (scores @ inputs.mT).flatten(1)


def train(network, inputs, targets, weights, learning_rate, steps):
    """Gradient descent on the half mean squared error; seconds and the final loss."""
    inputs, targets = torch.tensor(np.asarray(inputs)), torch.tensor(np.asarray(targets))
    weights = [torch.tensor(np.asarray(layer), requires_grad=True) for layer in weights]
    optimiser = torch.optim.SGD(weights, lr=learning_rate)

    def loss():
        return ((targets - network(inputs, *weights)) ** 2).sum() / (2 * len(inputs))

    start = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    return time.perf_counter() - start, loss().item()
