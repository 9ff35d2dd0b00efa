"""What depth does to the gradient of a linear map: a preconditioner, which no change of the loss could replace."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import check_count, check_positive
from solvable.theory.linear.depth import Number, check_depth
from solvable.theory.linear.end_to_end import whole_depth


def preconditioner_eigenvalues(
    singular_values: Float[Array, " mode"], shape: tuple[int, int], depth: int
) -> Float[Array, "output_dim input_dim"]:
    r"""By how much each singular direction of the gradient is amplified in the end-to-end map of balanced layers.

    .. math:: \lambda_{r r'} = \sum_{j=1}^{D} s_r^{2 (D - j)/D}\,s_{r'}^{2 (j - 1)/D}, \qquad
       U^\top \dot W V = \lambda \circ (U^\top G V)

    Parameters
    ----------
    singular_values
        s of W >= 0; those left out are 0.
    shape
        Of W, at least as many rows and columns as singular values.
    depth
        D, weight layers: all ones at 1.

    Returns
    -------
    Array
        lambda; the eigenvector is the outer product of left singular vector r and right singular vector r'.

    Raises
    ------
    OutsideDomain
        A depth below 1 or not whole; more singular values than rows or columns.

    Notes
    -----
    0 to the power 0 is 1: where only one of the two singular values is 0 the direction is still learned, at the rate
    s^(2 - 2/D); where both are, not, from two layers on.

    References
    ----------
    arora2018, Claim 2.
    """
    depth = whole_depth(depth)
    for name, size in zip(("rows", "columns"), shape, strict=True):
        check_count(name, size, at_least=singular_values.size)
    left, right = (jnp.pad(singular_values, (0, size - singular_values.size)) for size in shape)
    powers = [2 * j / depth for j in range(depth)]
    return jnp.sum(
        jnp.stack([left[:, None] ** p * right[None, :] ** q for p, q in zip(powers[::-1], powers, strict=True)]), 0
    )


def single_output_velocity(
    weights: Float[Array, " input_dim"], descent: Float[Array, " input_dim"], depth: Number
) -> Float[Array, " input_dim"]:
    r"""Velocity of the map of one output: an adaptive rate, and D times as fast along the weights themselves.

    .. math:: \dot w = |w|^{2 - 2/D}\,\Big(G + (D - 1)\,\frac{w\,(w \cdot G)}{|w|^2}\Big)

    Parameters
    ----------
    weights
        w of a network of balanced layers; at 0 nothing moves, from depths above 1.
    descent
        G, minus the gradient with respect to w.
    depth
        D, any real number from 1 on; at 1 this is G.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    References
    ----------
    arora2018, Claim 3.
    """
    check_depth(depth)
    square = jnp.sum(weights**2)
    safe = jnp.where(square > 0, square, 1)
    rate = jnp.where((square > 0) | (depth == 1), safe ** (1 - 1 / depth), 0)
    return rate * (descent + (depth - 1) * weights * (weights @ descent) / safe)


def single_output_descent(
    gradient: Callable[[Float[Array, " input_dim"]], Float[Array, " input_dim"]],
    start: Float[Array, " input_dim"],
    depth: Number,
    *,
    learning_rate: float | Float[Array, ""],
    steps: int,
) -> Float[Array, "step input_dim"]:
    r"""The map of one output under gradient descent of D layers, as its own rule: steps of the velocity.

    .. math:: w_{k+1} = w_k + \eta\,|w_k|^{2 - 2/D}\,\Big(G + (D - 1)\,\frac{w_k (w_k \cdot G)}{|w_k|^2}\Big),
       \qquad G = -\nabla L(w_k)

    Parameters
    ----------
    gradient
        Of the loss, a function of w.
    start
        w_0.
    depth
        D, any real number from 1 on; at 1 this is gradient descent.
    learning_rate
        eta > 0; may be traced.
    steps
        Number of steps.

    Returns
    -------
    Array
        w at steps 0, 1, ..., ``steps``; not finite from where the rule diverges.

    Raises
    ------
    OutsideDomain
        A depth below 1, a learning rate that is not positive, fewer than one step.

    Notes
    -----
    Descent of the layers themselves differs from it by order eta along the path.

    References
    ----------
    arora2018, Claim 3, discrete update.
    """
    check_depth(depth)
    check_positive("learning_rate", learning_rate)
    check_count("steps", steps)
    rate = jnp.asarray(learning_rate, start.dtype)

    def step(weights: Array, _) -> tuple[Array, Array]:
        return weights + rate * single_output_velocity(weights, -gradient(weights), depth), weights

    last, path = jax.lax.scan(step, start, length=steps)
    return jnp.concatenate([path, last[None]])


def single_output_curl(
    weights: Float[Array, " input_dim"], descent: Float[Array, " input_dim"], depth: Number
) -> Float[Array, "input_dim input_dim"]:
    r"""Curl of the velocity of one output under a constant gradient: what shows that it descends no function.

    .. math:: \partial_i \dot w_j - \partial_j \dot w_i =
       -\frac{(D - 1)(D - 2)}{D}\,|w|^{-2/D}\,(w_i G_j - w_j G_i)

    Parameters
    ----------
    weights, descent, depth
        As for ``single_output_velocity``.

    Returns
    -------
    Array
        Antisymmetric; 0 at depths 1 and 2, and at w = 0, where above 2 it is not defined.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    References
    ----------
    arora2018, Theorem 2 [two inputs].
    """
    check_depth(depth)
    square = jnp.sum(weights**2)
    size = jnp.where(square > 0, jnp.where(square > 0, square, 1) ** (-1 / depth), 0)
    turn = weights[:, None] * descent[None, :]
    return -(depth - 1) * (depth - 2) / depth * size * (turn - turn.T)


def circulation(
    center: Float[Array, "2"], radius: float, descent: Float[Array, "2"], depth: Number, *, num_nodes: int = 512
) -> Float[Array, ""]:
    r"""Line integral of the velocity of one output around a circle of weights, under a constant gradient.

    .. math:: \oint \dot w \cdot \mathrm{d}w

    Parameters
    ----------
    center, radius
        Of the circle in the plane of two inputs, run through counterclockwise.
    descent, depth
        As for ``single_output_velocity``.
    num_nodes
        Points on the circle; the error falls exponentially with them, unless the circle passes through 0.

    Raises
    ------
    OutsideDomain
        A depth below 1, a radius that is not positive, no nodes.

    Notes
    -----
    0 for every gradient of a function, hence at depths 1 and 2.

    References
    ----------
    arora2018, Theorem 2 and its proof.
    """
    check_positive("radius", radius)
    check_count("num_nodes", num_nodes)
    angles = 2 * np.pi * np.arange(num_nodes) / num_nodes
    outward = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), center.dtype)
    along = jnp.asarray(np.stack([-np.sin(angles), np.cos(angles)], axis=1), center.dtype)
    velocity = jax.vmap(lambda point: single_output_velocity(point, descent, depth))
    return jnp.mean(jnp.sum(velocity(center[None] + radius * outward) * along, axis=1)) * (2 * np.pi * radius)
