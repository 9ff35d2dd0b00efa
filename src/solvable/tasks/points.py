"""Small fixed data sets on which ReLU networks can be solved by hand."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.tasks.samples import Samples, make_samples


def orthogonal_pair() -> Samples:
    """Two orthogonal inputs in the plane with targets +1 and -1.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1D); boursier2022, Fig. 3.
    """
    return make_samples(jnp.array([[1.0, 0.5], [-1.0, 2.0]]), jnp.array([[1.0], [-1.0]]))


def orthogonal_points(
    norms: Float[Array, " num_samples"],
    targets: Float[Array, " num_samples"],
    *,
    input_dim: int | None = None,
    key: Key[Array, ""] | None = None,
) -> Samples:
    """Orthogonal inputs of given lengths with one target each.

    Parameters
    ----------
    norms
        Length |x_k| of each input, above 0.
    targets
        y_k, any sign.
    input_dim
        At least the number of points, which it is if left out.
    key
        Turns the inputs at random, uniformly; left out, they lie along the first axes.

    Raises
    ------
    OutsideDomain
        A length that is not positive, fewer dimensions than points, or what ``make_samples`` refuses.

    References
    ----------
    boursier2022, assumption on the data.
    """
    num_samples = norms.shape[0]
    input_dim = num_samples if input_dim is None else input_dim
    check_count("input_dim", input_dim, at_least=num_samples)
    if is_concrete(norms) and not bool(jnp.all(norms > 0)):
        raise OutsideDomain(f"`norms` is {norms}; every length must be above 0.")
    axes = jnp.eye(num_samples, input_dim, dtype=norms.dtype)
    if key is not None:
        axes = jnp.linalg.qr(jax.random.normal(key, (input_dim, num_samples), norms.dtype))[0].T
    return make_samples(norms[:, None] * axes, targets)


def convolution_points(*, split: bool = False) -> Samples:
    """Four inputs along the axes of R^4, with targets of a linear teacher; their second moment is diag(1, 1, 2, 1).

    Parameters
    ----------
    split
        Whether the target is split in two, as ``split_convolution_teacher`` does.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1E) and Fig. 5D.
    """
    inputs = jnp.diag(jnp.array([2.0, 2.0, 2.0 * jnp.sqrt(2.0), 2.0]))
    teacher = split_convolution_teacher() if split else convolution_teacher()[None, :]
    return make_samples(inputs, inputs @ teacher.T)


def split_convolution_teacher() -> Float[Array, "2 4"]:
    """The teacher of the convolution tasks with two outputs: what the first entries of both patches add, and the rest.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Fig. 5B, D, caption [it leaves open how the scalar output is split].
    """
    return jnp.where(jnp.arange(4)[None, :] % 2 == jnp.arange(2)[:, None], convolution_teacher()[None, :], 0)


def convolution_teacher():
    """The teacher (1, 1, -1, 1)/sqrt 5 of the convolution tasks, shape (4,).

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1C, E).
    """
    return jnp.array([1.0, 1.0, -1.0, 1.0]) / jnp.sqrt(5.0)
