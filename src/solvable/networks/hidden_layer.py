"""A wide ReLU layer of which the hidden weights alone are trained, from an output that is 0 everywhere."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative


class HiddenLayer(eqx.Module):
    r"""The network :math:`f(x) = m^{-1/2} \sum_r a_r\,\mathrm{relu}(w_r \cdot \bar x)`, whose w_r are trained.

    Attributes
    ----------
    first
        w_r, shape (width, input_dim + 1): the last entry is the bias.
    second
        a_r, of either sign, shape (1, width); gradients do not reach them.
    bias_scale
        beta of :math:`\bar x = (x, \beta)/\sqrt{1 + \beta^2}`.

    References
    ----------
    basri2020, Eq. for the network [beta = 1].
    """

    first: Float[Array, "width inputs"]
    second: Float[Array, "1 width"]
    bias_scale: float = eqx.field(static=True, default=1.0)

    @property
    def width(self) -> int:
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, "1"]:
        seen = jnp.append(inputs, jnp.asarray(self.bias_scale, inputs.dtype)) / (1 + self.bias_scale**2) ** 0.5
        units = jax.nn.relu(self.first @ seen) / self.width**0.5
        return lax.stop_gradient(self.second) @ units

    def features(self, input_shape: tuple[int, ...]) -> None:
        """None: it is no polynomial of its input."""

    def coefficients(self) -> Array:
        """Raises OutsideDomain: there are none."""
        raise OutsideDomain("this layer is not a polynomial of its input, so moments do not determine it; use samples.")


def paired_hidden_layer(
    key: Key[Array, ""], *, width: int, input_dim: int, bias_scale: float = 1.0, dtype: jnp.dtype | type | None = None
) -> HiddenLayer:
    """Weights N(0, 1) and biases 0; each unit comes twice, with either sign, so that all outputs are 0.

    Parameters
    ----------
    key
        Randomness of the weights.
    width
        m, an even number of units.
    input_dim
        Of the inputs, without the bias.
    bias_scale
        beta >= 0.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        An odd width, sizes below 1, a negative scale.

    References
    ----------
    basri2020, initialisation [signs are random there, and outputs small].
    """
    check_count("width", width, at_least=2)
    check_count("input_dim", input_dim)
    check_non_negative("bias_scale", bias_scale)
    if width % 2:
        raise OutsideDomain(f"`width` is {width}; it must be even, as units come in pairs.")
    dtype = jnp.result_type(float) if dtype is None else dtype
    weights = jnp.pad(jax.random.normal(key, (width // 2, input_dim), dtype), ((0, 0), (0, 1)))
    signs = jnp.repeat(jnp.asarray([1, -1], dtype), width // 2)
    return HiddenLayer(jnp.concatenate([weights, weights]), signs[None, :], bias_scale)
