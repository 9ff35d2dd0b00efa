"""The rivals: Fig. 1's networks and their gradient descent, written plainly in eager PyTorch on the samples."""

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


def train(network, inputs, targets, first, second, learning_rate, steps):
    """Gradient descent on the half mean squared error; seconds and the final loss."""
    inputs, targets = torch.tensor(np.asarray(inputs)), torch.tensor(np.asarray(targets))
    first = torch.tensor(np.asarray(first), requires_grad=True)
    second = torch.tensor(np.asarray(second), requires_grad=True)
    optimiser = torch.optim.SGD([first, second], lr=learning_rate)

    def loss():
        return ((targets - network(inputs, first, second)) ** 2).sum() / (2 * len(inputs))

    start = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    return time.perf_counter() - start, loss().item()
