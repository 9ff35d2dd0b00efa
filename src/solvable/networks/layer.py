"""One general layer of units, and how it starts."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import check_count, check_non_negative
from solvable.networks.units import Unit
from solvable.tasks import FeatureMap, Samples


class UnitLayer(eqx.Module):
    """The network f(x) = sum_i phi(x; u_i) v_i.

    Attributes
    ----------
    first
        Weights u_i inside the units, shape (width, n_u).
    second
        Weights v_i behind the units, shape (n_v, width).
    unit
        What a unit is: ``Neuron``, ``ConvolutionKernel`` or ``AttentionHead``.

    References
    ----------
    zhang2026, Eq. 1 [with g_in and g_out the identity, up to the read-out of attention].
    """

    first: Float[Array, "width n_u"]
    second: Float[Array, "n_v width"]
    unit: Unit

    @property
    def width(self) -> int:
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, "..."]) -> Float[Array, " output_dim"]:
        return self.unit.outputs(inputs, self.first, self.second)

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The map z with f(x) = A z(x) where the layer is a polynomial of its input; None elsewhere."""
        return self.unit.features(input_shape)

    def coefficients(self) -> Float[Array, "output_dim size"]:
        """A in f(x) = A z(x). Raises nothing where ``features`` is not None."""
        return self.unit.coefficients(self.first, self.second)


def initialise(
    unit: Unit,
    key: Key[Array, ""],
    *,
    width: int,
    input_shape: tuple[int, ...],
    output_dim: int = 1,
    init_scale: float | Float[Array, ""] = 1e-6,
    dtype: jnp.dtype | type | None = None,
) -> UnitLayer:
    """A layer with independent N(0, init_scale^2) weights in both layers.

    Parameters
    ----------
    unit
        What a unit is.
    key
        Randomness; the same key gives the same weights at any ``init_scale``, up to the factor.
    width
        Number of units H.
    input_shape
        Shape of one input: (input_dim,), or (token_dim, tokens) for attention.
    output_dim
        Entries of the output.
    init_scale
        Standard deviation epsilon; may be traced, so that it can be swept by ``vmap``.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        A width below 1, a negative scale, or sizes that do not fit the unit.

    References
    ----------
    zhang2026, App. I.
    """
    check_count("width", width)
    check_count("output_dim", output_dim)
    check_non_negative("init_scale", init_scale)
    dtype = jnp.result_type(float) if dtype is None else dtype
    n_u, n_v = unit.sizes(input_shape, output_dim)
    key_first, key_second = jax.random.split(key)
    scale = jnp.asarray(init_scale, dtype)
    first = scale * jax.random.normal(key_first, (width, n_u), dtype)
    return UnitLayer(first, scale * jax.random.normal(key_second, (n_v, width), dtype), unit)


def initialise_for(
    unit: Unit, samples: Samples, key: Key[Array, ""], *, width: int, init_scale: float | Float[Array, ""] = 1e-6
) -> UnitLayer:
    """``initialise`` with sizes and dtype read off a data set.

    Parameters
    ----------
    unit, key, width, init_scale
        As for ``initialise``.
    samples
        The data the layer will be trained on.

    Raises
    ------
    OutsideDomain
        As ``initialise``.

    References
    ----------
    zhang2026, App. I.
    """
    return initialise(
        unit,
        key,
        width=width,
        input_shape=samples.inputs.shape[1:],
        output_dim=samples.targets.shape[1],
        init_scale=init_scale,
        dtype=samples.inputs.dtype,
    )
