"""How lazy the training of a network will be, measured where it starts: the turn of its tangent map over its slope."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import check_count
from solvable.instruments.curvature import flat_product, flatten
from solvable.numerics import tridiagonalise
from solvable.tasks import Samples

# Lanczos steps to each outermost eigenvalue, which is then known to about 1e-4 of itself or better.
_STEPS = 40


class Laziness(NamedTuple):
    r"""The laziness of a network, and the three norms it is made of.

    Attributes
    ----------
    laziness
        :math:`\kappa = |f - y|\,\|D^2 f\| / \|D f\|^2`; the flow stays near the linearised one where it is << 1.
    residual
        |f - y| over all samples and outputs.
    curvature
        Largest curvature :math:`\max_{|c| = |d| = 1} c \cdot D^2 f[d, d]` of the outputs along one direction of the
        weights.
    slope
        Largest singular value of the Jacobian Df.

    References
    ----------
    chizat2019, Sec. 1.
    """

    laziness: Float[Array, ""]
    residual: Float[Array, ""]
    curvature: Float[Array, ""]
    slope: Float[Array, ""]


@eqx.filter_jit
def hessian_norm(loss: Callable[[Any], Float[Array, ""]], params: Any) -> Float[Array, ""]:
    """Largest absolute eigenvalue of the Hessian of a scalar function of weights, such as one output of a network.

    Parameters
    ----------
    loss
        Scalar function of the params.
    params
        Any pytree, such as a network; its floating-point arrays are the variables.

    Returns
    -------
    Array
        By 40 Lanczos steps: a lower bound, to about 1e-4 of itself. Where more is asked for, ``extreme_curvatures``.

    Raises
    ------
    OutsideDomain
        Params without variables or of more than one dtype.

    References
    ----------
    Golub, Van Loan (2013), Matrix Computations, Sec. 10.1; liu2020, Hessian of outputs.
    """
    vector, _ = flatten(params)
    return _largest(flat_product(loss, params), jax.random.normal(jax.random.key(1), vector.shape, vector.dtype))[0]


def measure_laziness(network: Any, samples: Samples, *, rounds: int = 10) -> Laziness:
    """The laziness of any network on a data set, by products with its Jacobian and the Hessian of its outputs.

    Parameters
    ----------
    network
        An Equinox module that maps one input to an output vector; its floating-point arrays are the weights.
    samples
        Inputs and targets; their weights do not matter.
    rounds
        At least 1. The curvature is first that of the outputs along the residual; each further round takes the outputs
        along what the largest curvature found so far bends, which never lowers it.

    Returns
    -------
    Laziness
        In the dtype of the network; of a network without slope, inf, and of one without curvature, 0.

    Raises
    ------
    OutsideDomain
        No rounds; a network without weights or of more than one dtype.

    Notes
    -----
    The curvature is a local maximum over output directions, hence a lower bound of the operator norm; it is exact for a
    single output. At kinks, such as those of ReLU, only the smooth part counts.

    References
    ----------
    chizat2019, Sec. 1, relative scale; De Lathauwer, De Moor, Vandewalle (2000), higher-order power method.
    """
    check_count("rounds", rounds)
    return _measure(network, samples.inputs, samples.targets, rounds)


@eqx.filter_jit
def _measure(network: Any, inputs: Array, targets: Array, rounds: int) -> Laziness:
    vector, rebuild = flatten(network)

    def outputs(vector: Array) -> Array:
        return jax.vmap(rebuild(vector))(inputs).ravel()

    values, push = jax.linearize(outputs, vector)
    pull = jax.linear_transpose(push, vector)
    gap = targets.astype(values.dtype).ravel() - values
    residual = jnp.linalg.norm(gap)
    noise = jax.random.normal(jax.random.key(1), vector.shape, vector.dtype)
    slope = jnp.sqrt(jnp.maximum(_largest(lambda c: push(pull(c)[0]), push(noise))[0], 0))

    def climb(_, state):
        along, _ = state
        curvature, direction = _largest(flat_product(lambda v: along @ outputs(v), vector), noise)
        bent = jax.jvp(lambda v: jax.jvp(outputs, (v,), (direction,))[1], (vector,), (direction,))[1]
        size = jnp.linalg.norm(bent)
        return jnp.where(size > 0, bent / jnp.where(size > 0, size, 1), along), jnp.maximum(size, curvature)

    start = jnp.where(residual > 0, gap / jnp.where(residual > 0, residual, 1), gap.size**-0.5)
    _, curvature = lax.fori_loop(0, rounds, climb, (start, jnp.zeros_like(residual)))
    turned = residual * curvature
    return Laziness(jnp.where(turned > 0, turned / slope**2, 0), residual, curvature, slope)


def _largest(matvec: Callable[[Array], Array], start: Array) -> tuple[Array, Array]:
    """The eigenvalue of largest absolute value, without its sign, and its eigenvector."""
    space = tridiagonalise(matvec, start, min(_STEPS, start.size))
    beside = space.off_diagonal[:-1]
    values, mixing = jnp.linalg.eigh(jnp.diag(space.diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1))
    largest = jnp.argmax(jnp.abs(values))
    return jnp.abs(values[largest]), space.basis.T @ mixing[:, largest]
