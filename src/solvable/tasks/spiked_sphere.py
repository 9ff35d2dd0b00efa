"""Inputs of a strong part of few dimensions, on which the target depends, and a weak part of many."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import check_count, check_positive
from solvable.tasks.samples import Samples, make_samples
from solvable.tasks.sphere import SphereTask


class SpikedSphere(eqx.Module):
    r"""Inputs :math:`x = (r u, s v)` with u and v uniform on two unit spheres, targets those of u.

    Attributes
    ----------
    signal
        The task on the sphere of u: power in each degree, direction, noise of labels.
    noise_dim
        Dimensions of v, at least 1.
    signal_radius, noise_radius
        r and s, above 0; may be traced.

    Raises
    ------
    OutsideDomain
        No dimensions of noise, radii that are not positive.

    References
    ----------
    ghorbani2020, spiked covariates [r^2 = d0 d^kappa, s^2 = d].
    """

    signal: SphereTask
    noise_dim: int = eqx.field(static=True)
    signal_radius: float | Float[Array, ""]
    noise_radius: float | Float[Array, ""]

    def __check_init__(self):
        check_count("noise_dim", self.noise_dim)
        check_positive("signal_radius", self.signal_radius)
        check_positive("noise_radius", self.noise_radius)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.signal.direction.size + self.noise_dim,)

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples.

        Parameters
        ----------
        key
            Randomness of both parts and of the labels' noise.
        num_samples
            n.

        Raises
        ------
        OutsideDomain
            No samples.

        References
        ----------
        ghorbani2020.
        """
        key_signal, key_noise = jax.random.split(key)
        seen = self.signal.sample(key_signal, num_samples)
        dtype = seen.inputs.dtype
        weak = jax.random.normal(key_noise, (num_samples, self.noise_dim), dtype)
        weak = weak / jnp.linalg.norm(weak, axis=1, keepdims=True)
        strong, faint = (jnp.asarray(radius, dtype) for radius in (self.signal_radius, self.noise_radius))
        return make_samples(jnp.concatenate([strong * seen.inputs, faint * weak], axis=1), seen.targets)
