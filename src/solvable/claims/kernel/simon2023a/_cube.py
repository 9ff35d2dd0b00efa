"""Kernels of the Hamming distance, and training sets of different points of the hypercube."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, numerics, tasks

if TYPE_CHECKING:
    import jax


def cube_kernel(input_dim: int, shares: tuple[float, ...]) -> numerics.LevelKernel:
    """The kernel of these shares of degrees 0, 1, ... in k(x, x)."""
    import jax.numpy as jnp

    return numerics.LevelKernel(jnp.asarray(shares), input_dim, numerics.krawtchouk)


def mode_eigenvalues(input_dim: int, shares: tuple[float, ...]) -> jax.Array:
    """The kernel's eigenvalue of every parity, as the kernel was made: its share over the number of its degree."""
    import jax.numpy as jnp
    import numpy as np

    each = np.zeros(input_dim + 1)
    each[: len(shares)] = shares / numerics.hypercube_multiplicities(input_dim)[: len(shares)]
    return jnp.asarray(each[tasks.parity_degrees(input_dim)])


def learn_cube(key, claim, task: tasks.ParityTask, ridge: float = 0.0):
    """Learnability of every parity, and the learned coefficients, from the first n of as many points as asked for.

    All numbers of samples are leading: points beyond n are there with kernel, target and features of 0.
    """
    import jax
    import jax.numpy as jnp

    most = max(claim.num_samples)
    samples = task.sample(key, most, replacement=False)
    features = tasks.parity_features(samples.inputs)
    values = mode_eigenvalues(claim.input_dim, claim.shares)
    gram = numerics.gram_matrix(cube_kernel(claim.input_dim, claim.shares), samples.inputs)

    def learn(present):
        kept, column = gram * present[:, None] * present[None, :], present[:, None]
        weights = estimators.factor_kernel(kept, samples.targets * column).dual_weights(ridge)
        learned = estimators.learned_coefficients(weights, values, features)[0]
        return estimators.kernel_learnability(kept, values, features * column, ridge), learned

    return jax.vmap(learn)((jnp.arange(most)[None, :] < jnp.asarray(claim.num_samples)[:, None]).astype(gram.dtype))


def by_degree(parts, input_dim: int, num_degrees: int):
    """Means over the parities of each degree, of the last axis."""
    import jax.numpy as jnp
    import numpy as np

    degrees = tasks.parity_degrees(input_dim)
    mean = np.stack([(degrees == degree) / np.sum(degrees == degree) for degree in range(num_degrees)], axis=1)
    return parts @ jnp.asarray(mean)
