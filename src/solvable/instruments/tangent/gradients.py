"""Gradients of all outputs of a function at a batch of samples, in factors wherever its weights allow it."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.instruments.tangent.gram import Factors, Gradients, Rows, compress
from solvable.instruments.tangent.models import WeightedFunction
from solvable.instruments.tangent.sites import TappedFunction, find_places


@dataclasses.dataclass(frozen=True)
class GradientForm:
    """How the gradients of a function are got, known from shapes alone.

    Attributes
    ----------
    tapped
        The function with its places.
    outputs
        Entries of its output.
    """

    tapped: TappedFunction
    outputs: int


def gradient_form(model: WeightedFunction, inputs: Array) -> GradientForm:
    """Read off a model and the shape of its inputs (samples first) how its gradients are got."""
    sample = jax.ShapeDtypeStruct(inputs.shape[1:], inputs.dtype)
    leaves = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in model.leaves]
    tapped = find_places(model, leaves, sample)
    return GradientForm(tapped, tapped.jaxpr.out_avals[0].shape[0])


def batch_gradients(
    model: WeightedFunction,
    inputs: Float[Array, "samples ..."],
    directions: Float[Array, "chosen outputs"],
    row_size: int,
) -> list[Gradients]:
    """Gradients of combinations of outputs in all weights: of what is not in factors, in one piece.

    Parameters
    ----------
    model
        Function with its weights.
    inputs
        Samples first.
    directions
        Combinations of outputs, one a row; the identity for each output by itself.
    row_size
        Numbers a sample that the gradients of one weight may be where they are cheaper than their factors.

    Raises
    ------
    Whatever the model raises.

    References
    ----------
    jacot2018, the tangent kernel by layers.
    """
    tapped = gradient_form(model, inputs).tapped
    taps = [jnp.zeros(place.signals.shape, place.signals.dtype) for place in tapped.places]
    loose = [model.leaves[leaf] for leaf in tapped.loose]

    def sample_gradients(sample: Array) -> list[Gradients]:
        def evaluate(taps: list[Array], loose: list[Array]) -> tuple[Array, list[Any]]:
            leaves = list(model.leaves)
            for leaf, value in zip(tapped.loose, loose, strict=True):
                leaves[leaf] = value
            return tapped(leaves, sample, taps)

        output, backward, before = jax.vjp(evaluate, taps, loose, has_aux=True)
        signals, rows = jax.vmap(backward)(directions.astype(output.dtype))
        meetings = zip(tapped.places, signals, before, strict=True)
        placed = [_at_place(place, signal, value) for place, signal, value in meetings]
        return placed + [Rows(row.reshape(len(directions), -1)) for row in rows]

    return compress(jax.vmap(sample_gradients)(inputs), row_size)


def _at_place(place: Any, signals: Array, before: Any) -> Gradients:
    if place.arrange is not None:
        return Factors(before, jax.vmap(place.arrange)(signals))
    scaled = signals if before is None else signals * (before[None] if jnp.ndim(before) else before)
    rows = jax.vmap(place.gather)(scaled)
    return Rows(rows.reshape(len(rows), -1))


def entries_per_sample(model: WeightedFunction, inputs: Array, chosen: int) -> int:
    """Numbers that ``batch_gradients`` holds for one sample at its peak, about: signals, and what comes out."""
    form = gradient_form(model, inputs)
    signals = chosen * sum(int(np.prod(place.signals.shape)) for place in form.tapped.places)
    directions = jax.ShapeDtypeStruct((chosen, form.outputs), inputs.dtype)
    one = jax.ShapeDtypeStruct((1, *inputs.shape[1:]), inputs.dtype)
    kept = eqx.filter_eval_shape(batch_gradients, model, one, directions, 0)
    return signals + sum(leaf.size for leaf in jax.tree.leaves(kept))
