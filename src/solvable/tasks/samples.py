"""Data sets and their moments: the two forms in which training and theory see a task."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, is_concrete


@runtime_checkable
class FeatureMap(Protocol):
    """A fixed polynomial map z(x) of one input; ``degree`` is its degree in the task's Gaussian variables."""

    @property
    def degree(self) -> int: ...

    def __call__(self, inputs: Array) -> Array: ...


class Samples(eqx.Module):
    """Inputs, targets and the weight of each sample in the loss.

    Attributes
    ----------
    inputs
        Samples first, shape (num_samples, ...): vectors (num_samples, input_dim), or sequences.
    targets
        Shape (num_samples, output_dim).
    weights
        Share of each sample in every average; they sum to 1 (1/num_samples unless the samples are cubature nodes).
    """

    inputs: Float[Array, "num_samples ..."]
    targets: Float[Array, "num_samples output_dim"]
    weights: Float[Array, " num_samples"]

    @property
    def num_samples(self) -> int:
        return self.targets.shape[0]


class Moments(eqx.Module):
    """Second moments of targets y and features z: all that squared loss sees of a map y = A z.

    Attributes
    ----------
    target_power
        E|y|^2, a scalar.
    sigma_yz
        E[y z^T], shape (output_dim, features).
    sigma_zz
        E[z z^T], shape (features, features).
    """

    target_power: Float[Array, ""]
    sigma_yz: Float[Array, "output_dim features"]
    sigma_zz: Float[Array, "features features"]


@runtime_checkable
class Task(Protocol):
    """A distribution of inputs and targets."""

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples: ...

    def moments(self, features: FeatureMap) -> Moments: ...


def make_samples(
    inputs: Float[Array, "num_samples ..."] | np.ndarray, targets: Float[Array, "num_samples ..."] | np.ndarray
) -> Samples:
    """Samples of equal weight from arrays, checked.

    Parameters
    ----------
    inputs
        Shape (num_samples, ...), floating point; the dtype is kept.
    targets
        Shape (num_samples, output_dim), or (num_samples,) for one output; converted to the inputs' dtype.

    Raises
    ------
    OutsideDomain
        Empty or non-finite arrays, lengths that differ, class labels where targets are meant.

    References
    ----------
    None: bookkeeping.
    """
    # Not jnp.asarray yet, which knows no words.
    inputs, targets = (values if isinstance(values, jax.Array) else np.asarray(values) for values in (inputs, targets))
    if not jnp.issubdtype(targets.dtype, jnp.floating):
        raise OutsideDomain(
            f"`targets` holds {targets.dtype} values, which look like class labels; targets must be floating point of "
            "shape (num_samples, output_dim): turn labels into one-hot targets with `solvable.tasks.one_hot(labels)`."
        )
    if not jnp.issubdtype(inputs.dtype, jnp.floating):
        raise OutsideDomain(f"`inputs` holds {inputs.dtype} values; they must be floating point: convert them first.")
    inputs, targets = jnp.asarray(inputs), jnp.asarray(targets)
    targets = targets[:, None] if targets.ndim == 1 else targets
    if inputs.ndim < 2 or targets.ndim != 2:
        raise OutsideDomain(
            f"`inputs` and `targets` have shapes {inputs.shape} and {targets.shape}; "
            "they must be (num_samples, ...) and (num_samples, output_dim)."
        )
    if inputs.shape[0] != targets.shape[0]:
        raise OutsideDomain(
            f"`inputs` has {inputs.shape[0]} samples and `targets` {targets.shape[0]}; they must be equally many."
        )
    if inputs.size == 0 or targets.size == 0:
        raise OutsideDomain(f"`inputs` has shape {inputs.shape}; it must hold at least one sample and one entry.")
    for name, values in (("inputs", inputs), ("targets", targets)):
        if is_concrete(values) and not np.all(np.isfinite(values)):  # NumPy, so that ``jit`` does not trace the check
            raise OutsideDomain(f"`{name}` holds a value that is not finite; remove or replace NaN and infinity.")
    num_samples = inputs.shape[0]
    return Samples(inputs, targets.astype(inputs.dtype), jnp.full(num_samples, 1 / num_samples, inputs.dtype))


def noisy_samples(
    key: Key[Array, ""],
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    noise_std: float | Float[Array, ""],
) -> Samples:
    """Samples of one output with independent Gaussian noise on their targets.

    Parameters
    ----------
    key
        Randomness of the noise.
    inputs, targets
        One sample a row, and its target without noise.
    noise_std
        Standard deviation of the noise; may be traced.

    Raises
    ------
    OutsideDomain
        As ``make_samples``.

    References
    ----------
    None: bookkeeping.
    """
    noise = jnp.asarray(noise_std, targets.dtype) * jax.random.normal(key, targets.shape, targets.dtype)
    return make_samples(inputs, targets + noise)


def sample_moments(samples: Samples, features: Callable[[Array], Array]) -> Moments:
    """Moments of a data set in the features of each input.

    Parameters
    ----------
    samples
        The data; their weights are the averages' weights.
    features
        Maps one input to its features, shape (features,).

    Raises
    ------
    OutsideDomain
        Raises nothing of its own.

    References
    ----------
    zhang2026, Eq. 9 (Sigma_yz, Sigma_zz with 1/P) and Eq. 43.
    """
    values = jax.vmap(features)(samples.inputs)
    weighted = values * samples.weights[:, None]
    return Moments(
        jnp.sum(samples.weights[:, None] * samples.targets**2), samples.targets.T @ weighted, values.T @ weighted
    )
