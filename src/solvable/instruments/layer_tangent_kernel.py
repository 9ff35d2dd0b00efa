"""The tangent kernel of one layer of neurons, without its Jacobian."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.networks import Neuron, UnitLayer


def layer_tangent_kernel(
    network: UnitLayer,
    inputs: Float[Array, "num_samples input_dim"],
    others: Float[Array, "num_others input_dim"] | None = None,
) -> Float[Array, "num_samples num_others"]:
    r"""Products of gradients of :math:`f(x) = \sum_i v_i\,\sigma(u_i \cdot x)` in all its weights, exactly.

    .. math:: K = R R'^\top + (M M'^\top) \circ (X X'^\top), \qquad
       R_{\mu i} = \sigma(u_i \cdot x_\mu), \quad M_{\mu i} = v_i\,\sigma'(u_i \cdot x_\mu)

    Parameters
    ----------
    network
        A layer of ``Neuron`` units of any activation with one output; where units have biases these are weights too.
    inputs
        X, one a row.
    others
        X'; the inputs themselves unless given.

    Returns
    -------
    Array
        What ``tangent_kernel`` gives at ``[:, :, 0, 0]``, at a cost of samples x others x (width + input_dim), without
        the samples x width x input_dim entries of the Jacobian.

    Raises
    ------
    OutsideDomain
        Other units than neurons, or several outputs.

    References
    ----------
    jacot2018, tangent kernel; wei2022, empirical tangent kernels.
    """
    if not isinstance(network.unit, Neuron) or network.second.shape[0] != 1:
        raise OutsideDomain(
            f"`network` has {type(network.unit).__name__} units and {network.second.shape[0]} outputs; this kernel is "
            "that of `Neuron` units and one output: use `tangent_kernel`."
        )
    return _kernel(network, inputs, inputs if others is None else others)


@eqx.filter_jit
def _kernel(network: UnitLayer, inputs: Array, others: Array) -> Array:
    unit = network.unit
    assert isinstance(unit, Neuron)

    def gradients(inputs):
        seen = jnp.pad(inputs, ((0, 0), (0, 1)), constant_values=1) if unit.bias else inputs
        drive = seen @ network.first.T
        values, slopes = jax.jvp(unit.activation, (drive,), (jnp.ones_like(drive),))
        return seen, values, slopes * network.second

    (seen, values, slopes), (others_seen, others_values, others_slopes) = gradients(inputs), gradients(others)
    return values @ others_values.T + (slopes @ others_slopes.T) * (seen @ others_seen.T)
