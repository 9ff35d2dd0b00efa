"""Two layers inside any Equinox model."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np

from solvable.errors import OutsideDomain, check_count
from solvable.instruments.width.arrays import cast_like, evaluate_on, spacing, to_numpy
from solvable.instruments.width.layers import Block, LayerPair, pair_block
from solvable.instruments.width.nonlinearity import find_nonlinearity

_LAYERS = (eqx.nn.Linear, eqx.nn.Conv, eqx.nn.Conv1d, eqx.nn.Conv2d, eqx.nn.Conv3d)


def equinox_block(model: eqx.Module, layer: Any, data: Any, activation: Any) -> Block:
    """The block of two layers, or two weight arrays, of an Equinox model."""
    where, activation = _find_pair(model, layer, activation)
    nonlinearity = find_nonlinearity(activation)
    try:
        first, second = where(model)
    except (TypeError, ValueError) as error:
        raise OutsideDomain("`layer` must return two layers, or two weight arrays, of the model.") from error
    if eqx.is_array(first) and eqx.is_array(second):
        pair = LayerPair(to_numpy(first), None, to_numpy(second), None)

        def rebuild(pair: LayerPair) -> eqx.Module:
            return eqx.tree_at(where, model, (cast_like(pair.first, first), cast_like(pair.second, second)))

        return pair_block(pair, nonlinearity, spacing(first), rebuild, evaluate_on(data))
    for part in (first, second):
        _check_layer(part)
    biases = (None if part.bias is None else to_numpy(part.bias).ravel() for part in (first, second))
    pair = LayerPair(to_numpy(first.weight), next(biases), to_numpy(second.weight), next(biases), _is_padded(second))

    def put_back(pair: LayerPair) -> eqx.Module:
        layers = _fill(first, pair.first, pair.first_bias), _fill(second, pair.second, pair.second_bias)
        return eqx.tree_at(where, model, layers)

    return pair_block(pair, nonlinearity, spacing(first.weight), put_back, evaluate_on(data))


def _find_pair(model: eqx.Module, layer: Any, activation: Any) -> tuple[Callable[[Any], Any], Any]:
    """The function that picks both layers, and the activation between them where the model says it."""
    if callable(layer):
        return layer, activation
    if isinstance(model, eqx.nn.MLP):
        if model.scan:
            raise OutsideDomain(
                "the MLP was made with scan=True, so that its hidden layers share one width; unroll it."
            )
        _check_index(layer, len(model.layers) - 1, "MLP")
        return lambda m: (m.layers[layer], m.layers[layer + 1]), model.activation
    if isinstance(model, eqx.nn.Sequential):
        _check_index(layer, len(model.layers) - 1, "Sequential")
        between = model.layers[layer + 1]
        if not isinstance(between, eqx.nn.Lambda):
            return lambda m: (m.layers[layer], m.layers[layer + 1]), "identity"
        _check_index(layer, len(model.layers) - 2, "Sequential")
        return lambda m: (m.layers[layer], m.layers[layer + 2]), between.fn
    raise OutsideDomain(
        f"`layer` is {layer!r}; for a {type(model).__name__} it must be a function such as "
        "`lambda model: (model.first, model.second)`."
    )


def _check_index(layer: Any, count: int, name: str) -> None:
    check_count("layer", layer, at_least=0)
    if layer >= count:
        raise OutsideDomain(f"`layer` is {layer}; in this {name} a layer below {count} has the rest of a block behind.")


def _check_layer(layer: Any) -> None:
    """Raise OutsideDomain, by name, for a layer that is not dense or convolutional with one group."""
    if type(layer) not in _LAYERS:
        raise OutsideDomain(f"a layer is a {type(layer).__name__}; it must be an eqx.nn.Linear or eqx.nn.Conv1d to 3d.")
    if getattr(layer, "groups", 1) != 1:
        raise OutsideDomain(f"a layer is a {type(layer).__name__} with {layer.groups} groups; it must have 1.")


def _is_padded(layer: Any) -> bool:
    padding = getattr(layer, "padding", ())
    return padding != "VALID" if isinstance(padding, str) else bool(np.any(padding))


def _fill(layer: Any, weight: np.ndarray, bias: np.ndarray | None) -> Any:
    """A layer like this one with other weights, and widths that agree with them."""
    outputs, inputs = weight.shape[:2]
    options: dict[str, Any] = {"use_bias": layer.use_bias, "key": jax.random.key(0)}
    if isinstance(layer, eqx.nn.Linear):
        options["in_features"] = layer.in_features if layer.in_features == "scalar" else inputs
        options["out_features"] = layer.out_features if layer.out_features == "scalar" else outputs
    else:
        names = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        options |= {name: getattr(layer, name) for name in names}
        options |= {"in_channels": inputs, "out_channels": outputs}
        options |= {"num_spatial_dims": layer.num_spatial_dims} if type(layer) is eqx.nn.Conv else {}
    # Its shapes only: weights drawn here would be thrown away.
    new = eqx.filter_eval_shape(type(layer), **options)
    new = eqx.tree_at(lambda part: part.weight, new, cast_like(weight, layer.weight))
    if bias is None:
        return new
    return eqx.tree_at(lambda part: part.bias, new, cast_like(bias.reshape(new.bias.shape), layer.bias))
