"""Two layers with an entrywise activation between them, whatever library holds them, as units and back."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain
from solvable.instruments.width.merging import Merging, Units
from solvable.instruments.width.nonlinearity import Nonlinearity


@dataclass(frozen=True)
class Block:
    """A layer of units inside a model.

    Attributes
    ----------
    units
        The layer as plain arrays.
    gain
        Input norm -> what a cost of 1 can change in the output; infinite where no bound is known.
    rebuild
        Merging -> the model with fewer units.
    evaluate
        A model -> its outputs on the data, one sample a row.
    """

    units: Units
    gain: Callable[[float], float]
    rebuild: Callable[[Merging], Any]
    evaluate: Callable[[Any], np.ndarray]


def entrywise_gain(
    nonlinearity: Nonlinearity, incoming: Float[np.ndarray, "width n_u"], bias: bool, taps: int
) -> Callable[[float], float]:
    """The gain of neurons and kernels, sqrt(taps) slope |(z, 1)|: see ``reduce_width``, Notes."""
    largest = 1.0 if nonlinearity.degree is not None else float(np.linalg.norm(incoming, axis=1).max())

    def gain(input_norm: float) -> float:
        extended = math.hypot(input_norm, bias)
        return math.sqrt(taps) * nonlinearity.slope(largest * extended) * extended

    return gain


def zero_constants(
    incoming: Float[np.ndarray, "width n_u"], vanishes: bool
) -> tuple[Float[np.ndarray, " width"], Float[np.ndarray, " width"]]:
    """Constants, and distances to them, of units that can only be dropped: those near u = 0 if phi(z; 0) = 0."""
    width = incoming.shape[0]
    return np.zeros(width), np.linalg.norm(incoming, axis=1) if vanishes else np.full(width, np.inf)


@dataclass(frozen=True)
class LayerPair:
    """Weights of two layers, dense or convolutional, the second reading what the first gives after an activation.

    Attributes
    ----------
    first
        (width, ...), one unit a row.
    first_bias
        (width,), or None.
    second
        (outputs, width, ...), or (outputs, width * taps) where each unit has several entries, as behind a flattening.
    second_bias
        (outputs,), or None.
    padded
        Whether the second layer pads its input, so that a constant unit is not constant to it.
    """

    first: np.ndarray
    first_bias: np.ndarray | None
    second: np.ndarray
    second_bias: np.ndarray | None
    padded: bool = False

    def __post_init__(self):
        width = self.first.shape[0]
        if self.first.ndim < 2 or self.second.ndim < 2 or width == 0 or self.second.shape[1] % width:
            raise OutsideDomain(
                f"the first weights have shape {self.first.shape} and the second {self.second.shape}; they must be "
                "(width, inputs, ...) and (outputs, width, ...) of one layer of units; name two layers in a row."
            )
        check_finite(self.first, self.first_bias, self.second, self.second_bias)

    @property
    def taps(self) -> int:
        """Entries of a unit that one output reads: 1 for dense layers, the kernel's size for a convolution."""
        return self.second[0].size // self.first.shape[0]

    @property
    def keeps_constants(self) -> bool:
        """Whether a constant unit can go into the second bias."""
        return self.second_bias is not None and not self.padded

    def without_first_bias(self) -> "LayerPair":
        """The same map through linear units: their biases go into the second bias."""
        bias = np.zeros_like(self.first_bias)
        return LayerPair(self.first, bias, self.second, self._add_to_bias(self.first_bias), self.padded)

    def units(self, nonlinearity: Nonlinearity, rounding: float) -> Units:
        flat = self.first.reshape(self.first.shape[0], -1)
        bias = np.zeros(len(flat)) if self.first_bias is None else self.first_bias
        incoming = flat if self.first_bias is None else np.append(flat, bias[:, None], axis=1)
        outgoing = np.moveaxis(self._taps_last(), 1, 2).reshape(-1, len(flat))
        if self.keeps_constants:
            constants, to_constant = nonlinearity.function(bias), np.linalg.norm(flat, axis=1)
        else:
            constants, to_constant = zero_constants(incoming, nonlinearity.vanishes)
        symmetries = nonlinearity.degree, nonlinearity.parity
        return Units(incoming, outgoing, *symmetries, constants, to_constant, True, rounding)

    def narrow(self, merging: Merging) -> "LayerPair":
        """The layers with the units that are left."""
        inputs = merging.incoming if self.first_bias is None else merging.incoming[:, :-1]
        first = inputs.reshape(-1, *self.first.shape[1:])
        first_bias = None if self.first_bias is None else merging.incoming[:, -1]
        second = np.einsum("oit,ki->okt", self._taps_last(), merging.unit_map, optimize=True)
        second = second.reshape(self.second.shape[0], -1, *self.second.shape[2:])
        second_bias = None if self.second_bias is None else self._add_to_bias(merging.constants)
        return LayerPair(first, first_bias, second, second_bias, self.padded)

    def _taps_last(self) -> Float[np.ndarray, "outputs width taps"]:
        return self.second.reshape(self.second.shape[0], self.first.shape[0], -1)

    def _add_to_bias(self, constants: np.ndarray | None) -> np.ndarray:
        return self.second_bias + self._taps_last().sum(axis=2) @ constants


def pair_block(
    pair: LayerPair,
    nonlinearity: Nonlinearity,
    rounding: float,
    rebuild: Callable[[LayerPair], Any],
    evaluate: Callable[[Any], np.ndarray],
) -> Block:
    """The block of two layers, given how to put the narrow ones back."""
    linear = nonlinearity.degree == 1 and nonlinearity.parity == -1
    if linear and pair.keeps_constants and pair.first_bias is not None:
        pair = pair.without_first_bias()
    units = pair.units(nonlinearity, rounding)
    gain = entrywise_gain(nonlinearity, units.incoming, pair.first_bias is not None, pair.taps)
    return Block(units, gain, lambda merging: rebuild(pair.narrow(merging)), evaluate)


def check_finite(*weights: np.ndarray | None) -> None:
    """Raise OutsideDomain unless all entries are finite."""
    if not all(np.isfinite(array).all() for array in weights if array is not None):
        raise OutsideDomain("the layer has weights that are not finite; reduce weights from before the divergence.")
