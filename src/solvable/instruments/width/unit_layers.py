"""Plain weight arrays, and layers of neurons, convolution kernels and attention heads."""

from collections.abc import Callable
from typing import Any

import numpy as np

from solvable.errors import OutsideDomain
from solvable.instruments.width.arrays import cast_like, evaluate_on, spacing, to_numpy
from solvable.instruments.width.layers import (
    Block,
    LayerPair,
    check_finite,
    entrywise_gain,
    pair_block,
    zero_constants,
)
from solvable.instruments.width.merging import Merging, Units
from solvable.instruments.width.nonlinearity import find_nonlinearity
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, UnitLayer


def arrays_block(model: tuple[Any, Any], data: Any, activation: Any) -> Block:
    """The block of two weight matrices, f(z) = V sigma(U z)."""
    nonlinearity = find_nonlinearity(activation)
    first, second = model
    if np.ndim(first) != 2 or np.ndim(second) != 2:
        raise OutsideDomain(
            f"`model` holds arrays of shapes {np.shape(first)} and {np.shape(second)}; give two matrices, "
            "(width, input_dim) and (output_dim, width)."
        )
    inputs = np.asarray(data, np.float64)

    def evaluate(weights: tuple[Any, Any]) -> np.ndarray:
        first, second = (np.asarray(array, np.float64) for array in weights)
        return nonlinearity.function(inputs @ first.T) @ second.T

    def rebuild(pair: LayerPair) -> tuple[Any, Any]:
        return cast_like(pair.first, first), cast_like(pair.second, second)

    pair = LayerPair(to_numpy(first), None, to_numpy(second), None)
    return pair_block(pair, nonlinearity, spacing(first), rebuild, evaluate)


def unit_layer_block(model: UnitLayer, data: Any) -> Block:
    """The block of a layer of neurons, convolution kernels or attention heads."""
    first, second, unit = to_numpy(model.first), to_numpy(model.second), model.unit
    check_finite(first, second)
    if isinstance(unit, Neuron | ConvolutionKernel):
        nonlinearity = find_nonlinearity(unit.activation)
        bias, taps = (unit.bias, 1) if isinstance(unit, Neuron) else (False, second.shape[0])
        symmetries = nonlinearity.degree, nonlinearity.parity
        units = Units(
            first, second, *symmetries, *zero_constants(first, nonlinearity.vanishes), True, spacing(model.first)
        )
        gain = entrywise_gain(nonlinearity, first, bias, taps)
    elif isinstance(unit, AttentionHead):
        # What a head computes depends on K^T Q alone; only where that is the weight itself can heads be averaged.
        products = to_numpy(unit.bilinear(model.first, second.shape[0])).reshape(len(first), -1)
        symmetries = (None, 0) if unit.softmax else (1, -1)
        constants = zero_constants(products, not unit.softmax)
        units = Units(products, second, *symmetries, *constants, unit.merged, spacing(model.first))
        gain = _attention_gain(unit)
    else:
        raise OutsideDomain(
            f"the layer's unit is a {type(unit).__name__}; it must be a Neuron, ConvolutionKernel or AttentionHead."
        )

    def rebuild(merging: Merging) -> UnitLayer:
        new_first = merging.incoming if units.free else first[merging.leaders]
        new_second = second @ merging.unit_map.T
        return UnitLayer(cast_like(new_first, model.first), cast_like(new_second, model.second), unit)

    return Block(units, gain, rebuild, evaluate_on(data))


def _attention_gain(unit: AttentionHead) -> Callable[[float], float]:
    """The gain of attention heads for inputs of Frobenius norm at most the input norm: see ``reduce_width``, Notes."""
    return lambda input_norm: input_norm**3 / (2 if unit.softmax else 1)
