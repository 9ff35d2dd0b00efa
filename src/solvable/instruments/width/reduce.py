"""The public door: fewer units for the same map, and a certificate of how much the output changes."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain, check_non_negative
from solvable.instruments.width.equinox_models import equinox_block
from solvable.instruments.width.layers import Block
from solvable.instruments.width.merging import merge_units
from solvable.instruments.width.unit_layers import arrays_block, unit_layer_block
from solvable.networks import UnitLayer


@dataclass(frozen=True)
class WidthReduction:
    """A model with fewer units in one layer, and the certificate that it computes nearly the same.

    Raises nothing on construction.

    Attributes
    ----------
    model
        The narrower model, of the kind that was given; the given one itself where no unit could go.
    unit_map
        How each old unit lives on, (width after, width before): its output is now sum_k ``unit_map[k, i]`` times the
        output of new unit k. A zero column is a unit that was dropped or became a constant in the next bias.
    measured_change
        Largest change of the model's output over the data (Euclidean norm over its entries), divided by the largest
        output over the data.
    cost
        sum_i |v_i| |delta u_i|: how far the units were moved, in the weights' own units.

    References
    ----------
    zhang2026, App. F.3.
    """

    model: Any
    unit_map: Float[np.ndarray, "after before"]
    measured_change: float
    cost: float
    _gain: Callable[[float], float] = field(repr=False)

    @property
    def width_before(self) -> int:
        """Units that the layer had."""
        return self.unit_map.shape[1]

    @property
    def width_after(self) -> int:
        """Units that are left."""
        return self.unit_map.shape[0]

    def bound(self, input_norm: float) -> float:
        """A proved bound on the change of the layer's output, for inputs of the layer of at most this norm.

        Parameters
        ----------
        input_norm
            Largest Euclidean norm of the input z of the layer (not of the model, if layers come before): of a vector,
            of each patch that a convolution reads, of the matrix of all tokens that attention reads. Not negative.

        Returns
        -------
        float
            No Euclidean norm of the change at the second layer's output, at any single position or token of it, is
            larger, up to rounding. Infinite where the activation is not one whose slope is known.

        Raises
        ------
        OutsideDomain
            A norm that is negative or not finite.

        References
        ----------
        The proof is in the Notes of ``reduce_width``.
        """
        check_non_negative("input_norm", input_norm)
        gain = self._gain(input_norm)
        return gain * self.cost if math.isfinite(gain) else math.inf


def reduce_width(model: Any, layer: Any, data: Any, tolerance: float, *, activation: Any = None) -> WidthReduction:
    r"""The narrower network that computes the same map: equal, proportional, negligible and dependent units merged.

    .. math:: u_i = \gamma u_j: \quad v_j \leftarrow v_j + \gamma^p v_i, \qquad
        u_i = \textstyle\sum_j \gamma_j u_j: \quad v_j \leftarrow v_j + \gamma_j v_i

    The first holds at :math:`\gamma > 0` for units of degree p (ReLU: 1), at :math:`\gamma = 1` for any unit, and with
    a sign at :math:`\gamma = -1` for odd and even ones; the second for linear units. Only incoming weights must agree.

    Parameters
    ----------
    model
        Left as it is. One of: a pair of weight arrays (U, V) of shapes (width, input_dim) and (output_dim, width); a
        ``UnitLayer``; any other Equinox module; a ``torch.nn.Module``.
    layer
        Where the units are.

        - Pair of arrays, ``UnitLayer``: None.
        - ``eqx.nn.MLP``, ``eqx.nn.Sequential``: index of the first layer of the block.
        - Other Equinox modules: a function such as ``lambda m: (m.layers[0], m.layers[1])`` to the two layers
          (``Linear``, ``Conv1d`` to ``Conv3d``) or to the two weight arrays. Only an entrywise activation, and a
          flattening of channels first, may stand between them, and nothing else may read the units.
        - ``torch.nn.Module``: dotted name of the first layer of the block in a ``torch.nn.Sequential``; a pair of
          names elsewhere; the name of a ``torch.nn.MultiheadAttention``, whose heads are then the units.
    data
        Inputs of the model, samples first, on which the change is measured.
    tolerance
        The merges together may move sum_i |v_i| u_i by at most this share of sum_i |v_i| |u_i|, the strength of
        the layer (u_i with its bias; v_i all entries; u_i and v_i rescaled to |u_i| = 1 for degree p). Hence
        ``bound(R)`` is at most this share of the same bound on the output itself. Not negative; at 0, what differs by
        rounding still merges.
    activation
        What stands between the layers, where the model does not say it: a name ('relu', 'identity', 'tanh', 'gelu',
        ...), a JAX function, an ``Activation``; a name or a module for PyTorch. Functions that are not known are
        merged where units are equal, and have no bound.

    Returns
    -------
    WidthReduction
        The narrower model (weights in their old dtype; kept and unmerged units to the last bit), the map of the units
        and the certificate. At least one unit stays.

    Raises
    ------
    OutsideDomain
        A negative tolerance, weights that are not finite or do not fit, a layer or a module between the two layers
        that is not supported, by name, such as BatchNorm and Dropout that is switched on; units that something else
        reads too.

    Notes
    -----
    Bound: unit i becomes one whose weights are off by :math:`\delta u_i`, and sigma has slope at most L, so that
    :math:`|f_{new}(z) - f(z)| \le \sum_i |v_i|\,|\sigma(u_i \cdot \tilde z) - \sigma((u_i + \delta u_i) \cdot
    \tilde z)| \le L\,|\tilde z| \sum_i |v_i|\,|\delta u_i|` with :math:`\tilde z = (z, 1)` where there is a bias. An
    output that reads a unit at T positions has :math:`\sum_t |v_{it}| \le \sqrt T |v_i|`: a factor :math:`\sqrt T`.
    An attention head with scores :math:`X^T M_i x` gives :math:`X a(X^T M_i x)`, and the softmax has slope at most 1/2:
    :math:`|X|^3/2` stands for :math:`L |\tilde z|`, :math:`|X|^3` for linear attention.

    A unit without input weights is a constant, which goes into the next bias if there is one. Merged units sit at their
    average weighted by |v_i|, so the measured change is of second order in the angles, the bound of first. Linear units
    become the leading singular directions of V U, as many as its rank: that also finds dependent outgoing weights.
    Attention heads merge where their :math:`K^T Q` agree (linear ones: up to a factor), and into any combination where
    a head is the merged matrix. PyTorch heads merge into a module of our own, ``MergedHeads``, since
    ``MultiheadAttention`` ties their number to the token size.

    Merged networks are not those that training at this width would give; fine-tune them from here. Cost: all pairs of
    units through blocked matrix products; width 4096 on 512 inputs takes seconds.

    References
    ----------
    zhang2026, App. F.3 (headed E.3 in some versions) [there both u and v agree, on invariant manifolds; for the map u
    suffices]; Theorem 1.

    Examples
    --------
    >>> first, second = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 1.0, 1.0]])
    >>> reduction = reduce_width((first, second), None, np.eye(2), 1e-9, activation="relu")
    >>> reduction.width_before, reduction.width_after
    (3, 2)
    """
    check_non_negative("tolerance", tolerance)
    block = _open_block(model, layer, data, activation)
    merging = merge_units(block.units, tolerance)
    unchanged = merging.incoming.shape[0] == block.units.incoming.shape[0]
    narrow = model if unchanged else block.rebuild(merging)
    before, after = block.evaluate(model), _evaluate_narrow(block, narrow)
    largest = float(np.linalg.norm(before, axis=1).max(initial=0))
    change = float(np.linalg.norm(after - before, axis=1).max(initial=0))
    return WidthReduction(narrow, merging.unit_map, change / (largest or 1.0), merging.cost, block.gain)


def _evaluate_narrow(block: Block, narrow: Any) -> np.ndarray:
    try:
        return block.evaluate(narrow)
    except (TypeError, ValueError, RuntimeError) as error:  # the model itself ran on the same data
        raise OutsideDomain(
            "the model does not run with fewer units in `layer`: something besides the second layer reads them, or it "
            "does not come next; name another block."
        ) from error


def _open_block(model: Any, layer: Any, data: Any, activation: Any) -> Block:
    """The layer's units, by the kind of model."""
    torch = sys.modules.get("torch")  # not imported here: where it is not loaded there are no models of it
    if torch is not None and isinstance(model, torch.nn.Module):
        from solvable.instruments.width.torch_models import torch_block

        return torch_block(model, layer, data, activation)
    if isinstance(model, tuple) and len(model) == 2:
        return arrays_block(model, data, activation)
    if isinstance(model, UnitLayer):
        return unit_layer_block(model, data)
    if isinstance(model, eqx.Module):
        return equinox_block(model, layer, data, activation)
    raise OutsideDomain(
        f"`model` is a {type(model).__name__}; it must be a pair of weight arrays, a UnitLayer, another Equinox "
        "module, or a torch.nn.Module."
    )
