"""Parities on the hypercube, whose points and functions can all be listed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.tasks.samples import Samples, noisy_samples

_MOST_DIMENSIONS = 30  # of a list of all points


class ParityTask(eqx.Module):
    r"""Targets :math:`y = \sum_S v_S \prod_{j \in S} x_j + \epsilon` of inputs of entries +1 and -1, all alike.

    Attributes
    ----------
    input_dim
        d.
    subsets
        The entries j < d that each parity S multiplies; () is the constant. Different sets.
    coefficients
        v_S, shape (parity,).
    noise_std
        Standard deviation of epsilon; may be traced.

    Raises
    ------
    OutsideDomain
        Entries that do not exist or repeat, shapes that differ, negative noise.

    References
    ----------
    simon2023a, hypercube.
    """

    input_dim: int = eqx.field(static=True)
    subsets: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    coefficients: Float[Array, " parity"]
    noise_std: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        check_count("input_dim", self.input_dim)
        check_non_negative("noise_std", self.noise_std)
        if self.coefficients.shape != (len(self.subsets),) or len(set(map(frozenset, self.subsets))) < len(
            self.subsets
        ):
            raise OutsideDomain(
                f"`coefficients` has shape {self.coefficients.shape} for `subsets` {self.subsets}; each parity has one "
                "and is named once."
            )
        for subset in self.subsets:
            if len(set(subset)) < len(subset) or not all(0 <= entry < self.input_dim for entry in subset):
                raise OutsideDomain(
                    f"`subsets` has {subset}; it must hold different entries from 0 to {self.input_dim - 1}."
                )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.input_dim,)

    def target(self, inputs: Float[Array, "num_samples input_dim"]) -> Float[Array, " num_samples"]:
        """The targets without noise. Raises nothing. References: simon2023a."""
        chosen = np.zeros((len(self.subsets), self.input_dim), bool)
        for row, subset in zip(chosen, self.subsets, strict=True):
            row[list(subset)] = True
        return jnp.prod(jnp.where(chosen[None], inputs[:, None, :], 1), axis=2) @ self.coefficients

    def all_coefficients(self) -> Float[Array, " subset"]:
        """v of every parity there is, in the order of ``parity_features``.

        Raises
        ------
        OutsideDomain
            More than 30 dimensions.

        References
        ----------
        simon2023a.
        """
        _check_listed(self.input_dim)
        places = np.array([sum(1 << entry for entry in subset) for subset in self.subsets], int)
        return jnp.zeros(2**self.input_dim, self.coefficients.dtype).at[places].set(self.coefficients)

    def sample(self, key: Key[Array, ""], num_samples: int, *, replacement: bool = True) -> Samples:
        """Uniform samples.

        Parameters
        ----------
        key
            Randomness of inputs and noise.
        num_samples
            n.
        replacement
            Whether a point may come twice, as in independent samples; else all n are different.

        Raises
        ------
        OutsideDomain
            No samples; without replacement more of them than points, or more than 30 dimensions.

        References
        ----------
        simon2023a [on a finite domain duplicates lower the rank of the kernel].
        """
        check_count("num_samples", num_samples)
        key_inputs, key_noise = jax.random.split(key)
        dtype = self.coefficients.dtype
        if replacement:
            inputs = jax.random.rademacher(key_inputs, (num_samples, self.input_dim), dtype)
        else:
            points = _check_listed(self.input_dim)
            if num_samples > points:
                raise OutsideDomain(f"`num_samples` is {num_samples}; the hypercube has {points} different points.")
            # The points of largest random number, rather than a shuffle, which takes long to compile.
            chosen = lax.top_k(jax.random.uniform(key_inputs, (points,)), num_samples)[1]
            inputs = _signs(chosen, self.input_dim, dtype)
        return noisy_samples(key_noise, inputs, self.target(inputs), self.noise_std)


def hypercube_points(input_dim: int) -> Float[Array, "point input_dim"]:
    """All points of entries +1 and -1: entry j of point p is -1 where bit j of p is set.

    Raises
    ------
    OutsideDomain
        No dimensions, or more than 30.

    References
    ----------
    simon2023a, hypercube.
    """
    return _signs(jnp.arange(_check_listed(input_dim)), input_dim, jnp.result_type(float))


def parity_features(inputs: Float[Array, "num_samples input_dim"]) -> Float[Array, "num_samples subset"]:
    """Every parity of every input: the orthonormal eigenfunctions of all kernels of the Hamming distance.

    Parameters
    ----------
    inputs
        Of entries +1 and -1.

    Returns
    -------
    Array
        Parity p multiplies the entries j whose bit is set in p: 2^d of them, the constant first.

    Raises
    ------
    OutsideDomain
        More than 30 dimensions.

    References
    ----------
    simon2023a, hypercube.
    """
    _check_listed(inputs.shape[1])
    features = jnp.ones_like(inputs[:, :1])
    for entry in inputs.T:
        features = jnp.concatenate([features, features * entry[:, None]], axis=1)
    return features


def parity_degrees(input_dim: int) -> np.ndarray:
    """How many entries each parity multiplies, in the order of ``parity_features``, shape (2^d,).

    Raises
    ------
    OutsideDomain
        No dimensions, or more than 30.

    References
    ----------
    simon2023a.
    """
    return np.bitwise_count(np.arange(_check_listed(input_dim)))


def _check_listed(input_dim: int) -> int:
    """Number of points; raise OutsideDomain for more than can be listed."""
    check_count("input_dim", input_dim)
    if input_dim > _MOST_DIMENSIONS:
        raise OutsideDomain(f"`input_dim` is {input_dim}; up to {_MOST_DIMENSIONS} dimensions can be listed.")
    return 2**input_dim


def _signs(numbers: Array, input_dim: int, dtype) -> Array:
    bits = jnp.right_shift(numbers[:, None], jnp.arange(input_dim, dtype=numbers.dtype)[None, :]) & 1
    return (1 - 2 * bits).astype(dtype)
