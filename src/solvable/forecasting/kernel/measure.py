"""Kernel regression itself, on nested parts of the training data: what is left out, what is held out, which ridge."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from solvable.estimators import (
    FactoredKernel,
    RidgeStatistics,
    factor_kernel,
    nystroem_weights,
    ridge_weights,
)
from solvable.forecasting.kernel.data import KernelData
from solvable.numerics import Kernel, gram_matrix

# Beyond this one eigendecomposition takes minutes; and beyond that the kernel matrix does not fit beside its factor.
MOST_FACTORED, MOST_IN_MEMORY = 5000, 20_000
_LANDMARKS = 2000
_FEWEST = 25
# Halvings whose parts cover all samples, so that errors can be compared sample by sample; further ones are few parts.
_COVERING, _MOST_PARTS = 4, 8


@dataclass(frozen=True)
class Part:
    """Regression on some of the samples, with the ridge that leaves the least error out.

    Attributes
    ----------
    size, ridge
        Number of samples and the ridge.
    held_out, sampling
        Mean squared error on the test part, and its standard error for having no larger test part, which all parts
        share; NaN where it was not asked for.
    wrong
        The share of wrong classes.
    """

    size: int
    ridge: float
    held_out: float = np.nan
    sampling: float = np.nan
    wrong: float = np.nan


@dataclass(frozen=True)
class Whole:
    """Regression on all samples that are factored, at every ridge.

    Attributes
    ----------
    factored, statistics
        As the estimators give them.
    ridges
        Shape (ridge,), ascending.
    held_out
        Mean squared error on the test part, shape (ridge,); NaN where it was not asked for.
    reference
        The ridge at which learning curves are compared.
    part
        As for the smaller parts.
    """

    factored: FactoredKernel
    statistics: RidgeStatistics
    ridges: np.ndarray
    held_out: np.ndarray
    reference: float
    part: Part


@dataclass(frozen=True)
class Nested:
    """Errors of samples left out of smaller and smaller parts, and errors on the test part.

    Attributes
    ----------
    sizes
        Of the parts that cover all samples, largest first, shape (size,).
    left_out
        Squared error of each sample at the reference ridge when all others of its part are trained on, shape (size,
        sample).
    parts
        All parts that were trained on, those that cover the samples and smaller ones.
    halves
        The two largest parts, the first half of the samples and the second.
    """

    sizes: np.ndarray
    left_out: np.ndarray
    parts: list[Part]
    halves: list[FactoredKernel]


def factored_size(num_samples: int) -> int:
    """How many samples are factored: a number that can be halved as often as is looked at."""
    most = min(num_samples, MOST_FACTORED)
    return most - most % 2 ** _halvings(most)


def measure_whole(data: KernelData, kernel: Kernel, ridges: np.ndarray, ridge: float | None, tested: bool) -> Whole:
    """Factor the largest part; ``ridge`` None chooses the one that leaves the least error out."""
    chosen = np.arange(factored_size(len(data.inputs)))
    factored, statistics = _factor(kernel, data.inputs[chosen], data.targets[chosen], ridges)
    reference = float(ridges[np.argmin(statistics.leave_one_out)]) if ridge is None else ridge
    part, held_out = Part(chosen.size, reference), np.full(ridges.size, np.nan)
    if tested:
        cross = _cross(data, kernel, chosen)
        outputs = np.asarray(_outputs(factored, cross, np.append(ridges, reference)))
        held_out = np.array([_errors(data, each).mean() for each in outputs[:-1]])
        part = _part(data, chosen.size, reference, outputs[-1])
    return Whole(factored, statistics, ridges, held_out, reference, part)


def measure_nested(data: KernelData, kernel: Kernel, whole: Whole, ridge: float | None, tested: bool) -> Nested:
    """Halve the samples again and again, and regress on every part."""
    total = whole.part.size
    sizes, left_out = [total], [np.asarray(whole.factored.left_out_errors(whole.reference))]
    parts, halves = [], []
    size = total
    while size // 2 >= _FEWEST:
        size //= 2
        covering = len(sizes) <= _halvings(total)
        errors = np.zeros(total)
        for number in range(total // size if covering else min(total // size, _MOST_PARTS)):
            chosen = np.arange(number * size, (number + 1) * size)
            factored, best, errors[chosen], outputs = _regress(
                kernel,
                (data.inputs[chosen], data.targets[chosen]),
                data.test_inputs,
                whole.ridges if ridge is None else np.array([ridge]),
                whole.reference,
            )
            if 2 * size == total:
                halves.append(factored)
            if tested and number < _MOST_PARTS:
                parts.append(_part(data, size, float(best), np.asarray(outputs)))
        if covering:
            sizes.append(size)
            left_out.append(errors)
    return Nested(np.array(sizes), np.array(left_out), parts, halves)


@dataclass(frozen=True)
class Stopping:
    """Gradient flow without a ridge, at several times.

    Attributes
    ----------
    times
        On half the mean squared error, shape (time,).
    halves
        Mean squared error on each half of the training samples when trained on the other, shape (time,).
    held_out
        On the test part when trained on all of them, shape (time,); NaN where it was not asked for.
    """

    times: np.ndarray
    halves: np.ndarray
    held_out: np.ndarray


def measure_stopping(data: KernelData, kernel: Kernel, whole: Whole, nested: Nested, tested: bool) -> Stopping:
    """When to stop, by what the training samples tell and by the test part."""
    total = whole.part.size
    times = total / whole.ridges[whole.ridges > 0][::-1]
    first, second = np.split(np.arange(total), 2)
    errors = []
    for factored, half, other in zip(nested.halves, (first, second), (second, first), strict=True):
        cross = _gram(kernel, data.inputs[other], data.inputs[half])
        outputs = _stopped_outputs(factored, cross, times / half.size)
        errors.append(np.mean(np.sum((np.asarray(outputs) - data.targets[other]) ** 2, axis=2), axis=1))
    held_out = np.full(times.size, np.nan)
    if tested:
        outputs = _stopped_outputs(whole.factored, _cross(data, kernel, np.arange(total)), times / total)
        held_out = np.array([_errors(data, each).mean() for each in np.asarray(outputs)])
    return Stopping(times, np.mean(errors, axis=0), held_out)


def measure_larger(data: KernelData, kernel: Kernel, whole: Whole) -> tuple[list[Part], list[str]]:
    """Regression on more samples than are factored, at the reference ridge: exact while it fits, then by landmarks."""
    total, parts, remarks = len(data.inputs), [], []
    if total <= MOST_FACTORED:
        return parts, remarks
    exact = min(total, MOST_IN_MEMORY)
    # A ridge of 0 has no Cholesky factor to rounding.
    ridge = max(whole.reference, 1e-9 * float(whole.factored.eigenvalues[0]))
    for size in sorted({exact // 2, exact} - set(range(whole.part.size + 1))):
        chosen = np.arange(size)
        weights = ridge_weights(_gram(kernel, data.inputs[chosen]), jnp.asarray(data.targets[chosen]), ridge)
        parts.append(_part(data, size, ridge, np.asarray(_cross(data, kernel, chosen) @ weights)))
    remarks.append(
        f"The spectrum and the best ridge are those of {whole.part.size} samples, chosen at random; with more, the "
        f"ridge stays at {ridge:.3g}."
    )
    if total > exact:
        error = _nystroem(data, kernel, whole.part.size, ridge).held_out / whole.part.held_out - 1
        parts.append(_nystroem(data, kernel, total, ridge))
        remarks.append(
            f"Beyond {exact} samples regression is by {_LANDMARKS} landmarks (Nystroem): at {whole.part.size} samples "
            f"its test error is {error:+.1%} off the exact one."
        )
    return parts, remarks


@jax.jit
def _factor(kernel: Kernel, inputs: Array, targets: Array, ridges: Array) -> tuple[FactoredKernel, RidgeStatistics]:
    factored = factor_kernel(gram_matrix(kernel, inputs), targets)
    return factored, factored.statistics(ridges)


@jax.jit
def _regress(kernel: Kernel, part: tuple[Array, Array], test_inputs: Array, ridges: Array, reference: Array):
    """Factors, the ridge that leaves the least error out, what is left out at the reference, test outputs."""
    factored, statistics = _factor(kernel, *part, ridges)
    best = ridges[jnp.argmin(statistics.leave_one_out)]
    outputs = gram_matrix(kernel, test_inputs, part[0]) @ factored.dual_weights(best)
    return factored, best, factored.left_out_errors(reference), outputs


@jax.jit
def _outputs(factored: FactoredKernel, cross: Array, ridges: Array) -> Array:
    return jax.lax.map(lambda ridge: cross @ factored.dual_weights(ridge), ridges)


@jax.jit
def _stopped_outputs(factored: FactoredKernel, cross: Array, times: Array) -> Array:
    return jax.lax.map(lambda time: cross @ factored.flow_weights(time), times)


_gram = jax.jit(gram_matrix)


def _cross(data: KernelData, kernel: Kernel, chosen: np.ndarray) -> Array:
    return _gram(kernel, data.test_inputs, data.inputs[chosen])


def _errors(data: KernelData, outputs: np.ndarray) -> np.ndarray:
    return np.sum((outputs - data.test_targets) ** 2, axis=1)


def _part(data: KernelData, size: int, ridge: float, outputs: np.ndarray) -> Part:
    errors = _errors(data, outputs)
    return Part(
        size, ridge, float(errors.mean()), float(errors.std() / np.sqrt(errors.size)), data.share_wrong(outputs)
    )


def _nystroem(data: KernelData, kernel: Kernel, size: int, ridge: float) -> Part:
    landmarks = np.arange(min(_LANDMARKS, size))
    inputs, targets = jnp.asarray(data.inputs[:size]), jnp.asarray(data.targets[:size])
    weights = nystroem_weights(kernel, inputs, targets, landmarks.size, ridge)
    return _part(data, size, ridge, np.asarray(_cross(data, kernel, landmarks) @ weights))


def _halvings(size: int) -> int:
    return max(min(int(np.log2(size / _FEWEST)), _COVERING), 0)
