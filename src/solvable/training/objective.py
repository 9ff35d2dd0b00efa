"""What falls in training: the half mean squared error on the cheapest exact form of the data, or any loss given.

A network that is a polynomial of its input, f(x) = A z(x), sees data through moments of z and y only. Three forms of
the same loss: ``moments`` (nothing left of the samples), ``features`` (samples of z and y; minibatches need it) and
``samples`` (any network). A loss of another kind is any function of the network, best an Equinox module that holds its
arrays: they are then arguments of what is compiled, and ``vmap`` sweeps them.
"""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_choice
from solvable.networks import Network
from solvable.numerics import contract
from solvable.tasks import Moments, Samples, Task, sample_moments

# So few samples are written out one by one: XLA then fuses all of them into one loop over units, or over seeds.
_FEW_SAMPLES = 4

Reduction = Literal["auto", "moments", "features", "samples"]
Loss = Callable[[Any], Float[Array, ""]]
Data = Task | Samples | Moments | Loss


@jax.custom_jvp
def moment_loss(coefficients: Float[Array, "output_dim size"], moments: Moments) -> Float[Array, ""]:
    """(1/2) E|y - A z|^2 from the moments of y and z, which are constants.

    Its derivative is minus the residual correlation E[(y - A z) z^T], formed with one product; differentiating the
    expanded square would take two. Rounding leaves about 1e-16 of the target power; never negative.
    """
    residual = moments.sigma_yz - contract(coefficients, moments.sigma_zz)
    square = moments.target_power - jnp.sum(coefficients * (moments.sigma_yz + residual))
    return jnp.maximum(square, 0) / 2


@moment_loss.defjvp
def _moment_loss_jvp(primals, tangents):
    (coefficients, moments), (change, _) = primals, tangents
    residual = moments.sigma_yz - contract(coefficients, moments.sigma_zz)
    return moment_loss(coefficients, moments), -jnp.sum(residual * change)


class MomentLoss(eqx.Module):
    """(1/2) E|y - A z|^2 from moments."""

    moments: Moments

    def __call__(self, network: Network) -> Float[Array, ""]:
        return moment_loss(network.coefficients(), self.moments)


class FeatureLoss(eqx.Module):
    """(1/2) sum_mu w_mu |y_mu - A z_mu|^2 on samples of the features."""

    features: Float[Array, "num_samples size"]
    targets: Float[Array, "num_samples output_dim"]
    weights: Float[Array, " num_samples"]

    def __call__(self, network: Network) -> Float[Array, ""]:
        outputs = self.features @ network.coefficients().T
        return _half_mean_square(self.targets - outputs, self.weights)

    def minibatch(self, chosen: Int[Array, " batch"]) -> "FeatureLoss":
        """The same loss on some of the samples, of equal weight."""
        return FeatureLoss(self.features[chosen], self.targets[chosen], _equal_weights(chosen, self.weights))


class SampleLoss(eqx.Module):
    """(1/2) sum_mu w_mu |y_mu - f(x_mu)|^2."""

    inputs: Float[Array, "num_samples ..."]
    targets: Float[Array, "num_samples output_dim"]
    weights: Float[Array, " num_samples"]

    def __call__(self, network: Network) -> Float[Array, ""]:
        if len(self.inputs) <= _FEW_SAMPLES:
            outputs = jnp.stack([network(inputs) for inputs in self.inputs])
        else:
            outputs = jax.vmap(network)(self.inputs)
        return _half_mean_square(self.targets - outputs, self.weights)

    def minibatch(self, chosen: Int[Array, " batch"]) -> "SampleLoss":
        """The same loss on some of the samples, of equal weight."""
        return SampleLoss(self.inputs[chosen], self.targets[chosen], _equal_weights(chosen, self.weights))


Objective = MomentLoss | FeatureLoss | SampleLoss | Loss


def _half_mean_square(
    errors: Float[Array, "num_samples output_dim"], weights: Float[Array, " num_samples"]
) -> Float[Array, ""]:
    return jnp.sum(weights[:, None] * errors**2) / 2


def _equal_weights(chosen: Int[Array, " batch"], like: Float[Array, " num_samples"]) -> Float[Array, " batch"]:
    return jnp.full(chosen.shape, 1 / chosen.size, like.dtype)


def make_objective(network: Network, data: Data, reduction: Reduction = "auto", batch_size: int = 0) -> Objective:
    """The loss of ``network`` on ``data`` in the cheapest exact form, or in the form asked for.

    Parameters
    ----------
    network
        Tells which reductions are exact: all of them where ``network.features`` exists, else ``samples`` only.
    data
        ``Samples``; a task with exact population moments; ``Moments`` themselves; or a loss of one's own, a function of
        the network, which is returned as it is.
    reduction
        ``"auto"`` counts multiplications a step and takes the least; a name forces that form.
    batch_size
        Samples a step; 0 means all. A minibatch rules moments out.

    Raises
    ------
    OutsideDomain
        A form that this network or this data does not have; the message says which it has.

    References
    ----------
    zhang2026, Eq. 9 and Eq. 44: the gradient flow of linear and quadratic units depends on moments only.
    """
    check_choice("reduction", reduction, ("auto", "moments", "features", "samples"))
    if isinstance(data, Moments):
        return MomentLoss(_require_moments(network, data, reduction))
    if callable(data) and not isinstance(data, Task):
        if reduction != "auto":
            raise OutsideDomain(f"`reduction` is {reduction!r}, but the data are a loss of your own; leave it 'auto'.")
        return data
    if not isinstance(data, Samples):
        return _population_objective(network, data, reduction)
    features = network.features(data.inputs.shape[1:])
    if reduction == "auto":
        reduction = _cheapest(network, data, batch_size)
    if reduction == "samples":
        return SampleLoss(data.inputs, data.targets, data.weights)
    if features is None:
        raise OutsideDomain(
            f"`reduction` is {reduction!r}, but this layer is not a polynomial of its input; use 'samples' or 'auto'."
        )
    if reduction == "features":
        return FeatureLoss(jax.vmap(features)(data.inputs), data.targets, data.weights)
    if batch_size:
        raise OutsideDomain("`reduction` is 'moments', but minibatches need samples; use 'features' or 'auto'.")
    return MomentLoss(sample_moments(data, features))


def name_of(objective: Objective) -> str:
    """The reduction an objective uses: 'moments', 'features', 'samples', or 'own' for a loss of one's own."""
    return {MomentLoss: "moments", FeatureLoss: "features", SampleLoss: "samples"}.get(type(objective), "own")


def _require_moments(network: Network, moments: Moments, reduction: Reduction) -> Moments:
    if reduction not in ("auto", "moments"):
        raise OutsideDomain(f"`reduction` is {reduction!r}, but the data are moments; use 'moments' or 'auto'.")
    size = jax.eval_shape(network.coefficients).shape
    if size != moments.sigma_yz.shape:
        raise OutsideDomain(
            f"the moments are of shape {moments.sigma_yz.shape}; this layer has coefficients of shape {size}."
        )
    return moments


def _population_objective(network: Network, task: Task, reduction: Reduction) -> Objective:
    features = network.features(task.input_shape)
    if reduction not in ("auto", "moments") or features is None:
        raise OutsideDomain(
            "training on a task's population needs a layer that is a polynomial of its input, by 'moments'; "
            "draw samples with `task.sample(key, num_samples)` for any other."
        )
    return MomentLoss(_require_moments(network, task.moments(features), reduction))


def _cheapest(network: Network, data: Samples, batch_size: int) -> Reduction:
    """Fewest multiplications a gradient step; forming the moments is counted once over a thousand steps."""
    features = network.features(data.inputs.shape[1:])
    if features is None:
        return "samples"
    size = jax.eval_shape(features, jax.eval_shape(lambda x: x[0], data.inputs)).shape[0]
    outputs, batch = data.targets.shape[1], batch_size or data.num_samples
    sizes = [leaf.size for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))]
    assemble = 3 * outputs * (size * network.width + sum(sizes[1:-1]))
    cost: dict[Reduction, float] = {
        "features": assemble + 2 * batch * size * outputs,
        "samples": 3 * batch * sum(sizes),
    }
    if not batch_size:
        cost["moments"] = assemble + outputs * size**2 + data.num_samples * size**2 / 1000
    return min(cost, key=cost.__getitem__)
