"""Gradients of all outputs of a function at a batch of samples, in factors wherever its weights allow it."""

import functools
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.instruments.tangent.gram import Factors, Gradients, Rows, compress
from solvable.instruments.tangent.models import WeightedFunction
from solvable.instruments.tangent.sites import TappedFunction, find_places


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
    tapped = _tap(model, inputs)
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


class Plan(NamedTuple):
    """What is known of the gradients of a model from shapes alone.

    Attributes
    ----------
    outputs
        Entries of the output.
    fixed, each
        Numbers that ``batch_gradients`` holds for one sample, about: these, and so many for each combination.
    """

    outputs: int
    fixed: int
    each: int


def plan_gradients(model: WeightedFunction, inputs: Array) -> Plan:
    """The plan for a model and inputs, samples first; a model is traced once for each shape.

    Raises
    ------
    Whatever the model raises.

    References
    ----------
    None.
    """
    leaves, tree = jax.tree.flatten((model, inputs[:1]))
    shapes = tuple(
        jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if isinstance(leaf, jax.Array) else leaf for leaf in leaves
    )
    try:
        return _plan(tree, shapes)
    except TypeError:  # something of the model has no hash
        return _plan.__wrapped__(tree, shapes)


@functools.lru_cache(maxsize=128)
def _plan(tree: Any, shapes: tuple[Any, ...]) -> Plan:
    outputs = signals = 0

    def look(model: WeightedFunction, inputs: Array) -> list[Gradients]:
        nonlocal outputs, signals
        tapped = _tap(model, inputs)
        output = tapped.jaxpr.out_avals[0]
        outputs, signals = output.shape[0], sum(math.prod(place.signals.shape) for place in tapped.places)
        return batch_gradients(model, inputs, jnp.zeros((1, outputs), output.dtype), 0)

    kept = eqx.filter_eval_shape(look, *jax.tree.unflatten(tree, shapes))
    fixed = sum(math.prod(each.before.shape) for each in kept if isinstance(each, Factors))
    return Plan(outputs, fixed, signals + sum(leaf.size for leaf in jax.tree.leaves(kept)) - fixed)


def _tap(model: WeightedFunction, inputs: Any) -> TappedFunction:
    leaves = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in model.leaves]
    return find_places(model, leaves, jax.ShapeDtypeStruct(inputs.shape[1:], inputs.dtype))
