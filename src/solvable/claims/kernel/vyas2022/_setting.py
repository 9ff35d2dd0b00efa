"""What the claims share: targets on the sphere, one layer of ReLU units, its kernels, and regression with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, instruments, networks, numerics, tasks, theory

if TYPE_CHECKING:
    import jax
    from matplotlib.axes import Axes

ERROR = {"long_name": "test error, mean square", "scale": "log"}
SIZE = {"long_name": "samples $n$", "scale": "log"}


def make_task(claim: Any, direction: jax.Array) -> tasks.SphereTask:
    import jax.numpy as jnp

    return tasks.SphereTask(jnp.sqrt(jnp.asarray(claim.degree_power)), direction)


def infinite_kernel() -> numerics.DeepReluTangentKernel:
    """Of infinitely many units, whose biases start at 0 and are trained."""
    return numerics.DeepReluTangentKernel(1, 1.0)


def initialise(claim: Any, key: jax.Array) -> networks.FullyConnected:
    """A layer of ReLU units of N(0, 1) weights, with biases of 0."""
    return networks.initialise_fully_connected(
        key,
        widths=(claim.width,),
        input_dim=claim.input_dim,
        weight_variance=float(claim.width),
        first_variance=1.0,
        bias_variance=0.0,
        parametrisation="standard",
    )


def empirical_kernel(network: networks.FullyConnected, inputs: jax.Array, others: jax.Array) -> jax.Array:
    """The tangent kernel of one network."""
    import jax.numpy as jnp

    first = jnp.concatenate([network.weights[0], network.biases[0][:, None]], axis=1)
    layer = networks.UnitLayer(first, network.weights[1], networks.Neuron(network.activation, bias=True))
    return instruments.layer_tangent_kernel(layer, inputs, others) + 1  # of the output's bias


def regression_error(kernel: jax.Array, targets: jax.Array, present: jax.Array, ridge: float) -> jax.Array:
    """Errors on what is behind the training set, of regression on those samples in front of it that are present."""
    import jax.numpy as jnp

    most = present.size
    seen = kernel[:most] * present[:, None] * present[None, :]
    # A share of the mean of the diagonal.
    delta = ridge * jnp.sum(jnp.diagonal(seen)) / jnp.sum(present)
    weights = estimators.ridge_weights(seen, targets[:most] * present[:, None], delta)
    return jnp.mean((kernel[most:] @ weights - targets[most:]) ** 2)


def presence(sizes: tuple[int, ...]) -> jax.Array:
    """Which samples there are, for each size."""
    import jax.numpy as jnp

    return jnp.where(jnp.arange(max(sizes))[None, :] < jnp.asarray(sizes)[:, None], 1.0, 0.0)


def set_axes(ax: Axes, sizes: tuple[int, ...]) -> None:
    ax.set(xscale="log", yscale="log", xlabel=SIZE["long_name"], ylabel=ERROR["long_name"])
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.minorticks_off()


def theory_curve(claim: Any, sizes: Any) -> tuple[jax.Array, jax.Array]:
    """Exponent and errors of the infinite kernel."""
    import jax.numpy as jnp

    spectrum = theory.kernel.sphere_spectrum(infinite_kernel(), claim.input_dim, claim.num_levels)
    power = jnp.zeros(claim.num_levels).at[: len(claim.degree_power)].set(jnp.asarray(claim.degree_power))
    setting = spectrum.eigenvalues, power, jnp.asarray(sizes, float)
    law = dict(ridge=claim.ridge + spectrum.remainder, multiplicities=spectrum.multiplicities)
    return theory.kernel.kernel_exponent(*setting, **law), theory.kernel.kernel_risk(*setting, **law).test
