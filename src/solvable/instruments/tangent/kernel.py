"""The tangent kernel of any network, formed without its Jacobian and within a bound on memory."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.instruments.tangent.gradients import batch_gradients, plan_gradients
from solvable.instruments.tangent.gram import Gradients, gram
from solvable.instruments.tangent.models import WeightedFunction, is_torch, weighted_function
from solvable.instruments.tangent.spectrum import report_kernel

# So much of the bound on memory is for gradients that are kept; and so much for those of one batch on their way.
_KEPT, _PASSING = 3 / 4, 1 / 8
# A batch has no more samples than fill this many bytes, or give this many rows: larger ones are not faster.
_ENOUGH, _ENOUGH_ROWS = 2**24, 160
# From so many rows on a square kernel has at least so many batches: tiles below its diagonal are mirrored.
_FEWEST_ROWS, _FEWEST_BATCHES = 512, 4


def tangent_kernel(
    model: Any,
    inputs: Any,
    others: Any = None,
    *,
    params: Any = None,
    outputs: Any = "full",
    batch_size: int | None = None,
    max_bytes: int = 2**30,
    check: bool = True,
) -> Any:
    r"""How much a gradient step on one sample's output moves another's: products of gradients in all weights.

    .. math:: K_{\mu\nu ab} = \nabla_\theta f_a(x_\mu) \cdot \nabla_\theta f_b(x'_\nu)

    Parameters
    ----------
    model
        One of: an Equinox module that maps one input to a vector or a number; a function f(params, x) of one input,
        with ``params``; a ``torch.nn.Module`` that maps a batch of inputs to (samples, outputs). Its weights are its
        real floating-point arrays; for PyTorch the parameters that require gradients.
    inputs
        Samples first. For a linear network the identity matrix gives the kernel in input coordinates.
    others
        x', samples first; the inputs themselves unless given.
    params
        Any pytree, where the model is a function.
    outputs
        ``"full"`` for all pairs of outputs; ``"trace"`` for the sum over equal outputs; the number of one output; or
        one weight for each output, (output_dim,), for the kernel of that combination of them. Kernel distances
        differ by a factor of ten between these: never compare across.
    batch_size
        Samples of one pass; chosen from ``max_bytes`` unless given. Changes rounding only.
    max_bytes
        For gradients, beside the kernel itself: those of as many samples as fit are kept and meet all others, which
        are computed as they pass, once for each such part of the samples. A single sample may need more.
    check
        Look for entries that are not finite and, where ``others`` is left out, for negative eigenvalues beyond
        rounding (one Cholesky factorisation). Skipped inside ``jit`` and ``vmap``.

    Returns
    -------
    Array
        ``"full"``: (samples, others, output_dim, output_dim), both samples first, then both outputs. Otherwise
        (samples, others). In the dtype of the weights; for PyTorch a tensor on the model's device.

    Raises
    ------
    OutsideDomain
        A model of another kind or without weights; inputs without samples, or two of different shape; an output that
        the model does not have; a kernel that is not finite; for PyTorch a layer, by name, that lets samples interact
        or draws random numbers.

    Warns
    -----
    ValidityWarning
        An eigenvalue below zero beyond rounding.

    Notes
    -----
    A weight that multiplies activations (matrix products, convolutions) is never differentiated: with activations a and
    signals :math:`\delta` its gradients have products :math:`(a \cdot a')\,(\delta \cdot \delta')` at one position,
    and at several the cheaper of sums over pairs of positions and of the gradients in blocks. Weights that are added or
    multiplied entry by entry (biases, gains of normalisation) have the signals themselves. All others, and those that
    are used twice (shared, scanned over, looked up), are differentiated: samples x outputs numbers for each of them.
    Time grows as the square of samples, and linearly in the number of weights.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), neural tangent kernel; zhou2025, structured kernels; domine2025, Sec. on the kernel.

    Examples
    --------
    >>> layer = lambda params, x: params["w"] @ x + params["b"]
    >>> params = {"w": jnp.ones((2, 3)), "b": jnp.zeros(2)}
    >>> tangent_kernel(layer, jnp.eye(3), params=params).shape
    (3, 3, 2, 2)
    >>> tangent_kernel(layer, jnp.eye(3), params=params, outputs="trace")[0, 0]
    Array(4., dtype=float32)
    """
    if batch_size is not None:
        check_count("batch_size", batch_size)
    check_count("max_bytes", max_bytes)
    if is_torch(model):
        from solvable.instruments.tangent.torch_models import torch_kernel

        kernel = torch_kernel(model, inputs, others, outputs, batch_size, max_bytes)
    else:
        kernel = _kernel(weighted_function(model, params), inputs, others, outputs, batch_size, max_bytes)
    if check and is_concrete(kernel):
        report_kernel(kernel, square=others is None)
    return kernel if is_torch(model) else jnp.asarray(kernel)


def choose_outputs(outputs: Any, output_dim: int) -> tuple[np.ndarray, bool]:
    """Combinations of outputs, one a row, and whether to sum over them."""
    if isinstance(outputs, str):
        if outputs not in ("full", "trace"):
            raise OutsideDomain(
                f"`outputs` is {outputs!r}; it must be 'full', 'trace', an output's number, or one weight for each."
            )
        return np.eye(output_dim), outputs == "trace"
    if np.ndim(outputs) == 0 and hasattr(outputs, "__index__"):
        if not -output_dim <= outputs < output_dim:
            raise OutsideDomain(f"`outputs` is {outputs}, but the model has {output_dim}; count from 0.")
        return np.eye(output_dim)[[outputs]], True
    weights = np.asarray(outputs, float)
    if weights.shape != (output_dim,):
        raise OutsideDomain(f"`outputs` has shape {weights.shape}; one weight for each output is {(output_dim,)}.")
    return weights[None], True


def check_samples(inputs: Any, others: Any) -> tuple[Array, Array | None]:
    """Both as arrays, samples first and of one shape."""
    inputs, others = jnp.asarray(inputs), None if others is None else jnp.asarray(others)
    for name, array in (("inputs", inputs), ("others", others)):
        if array is not None and (array.ndim == 0 or len(array) == 0):
            raise OutsideDomain(f"`{name}` has shape {array.shape}; it must hold at least one sample, samples first.")
    if others is not None and others.shape[1:] != inputs.shape[1:]:
        raise OutsideDomain(
            f"`others` holds samples of shape {others.shape[1:]}, `inputs` of {inputs.shape[1:]}; they must agree."
        )
    return inputs, others


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is held at once.

    Attributes
    ----------
    batch
        Samples of one pass.
    block
        Numbers of gradients that are formed from factors at once.
    row
        Numbers a sample of gradients that may stand for their factors.
    kept
        Numbers of gradients that may be kept.

    Raises
    ------
    Nothing.

    References
    ----------
    None.
    """

    batch: int
    block: int
    row: int
    kept: int


def choose_sizes(
    count: int, rows: int, batch_size: int | None, max_bytes: int, itemsize: int, per_sample: int
) -> Sizes:
    """Sizes for samples of so many rows each, of which one takes ``per_sample`` numbers. Raises nothing."""
    passing = max(int(_PASSING * max_bytes / itemsize), 1)
    batch = batch_size
    if batch is None:
        enough = max(int(_ENOUGH / itemsize) // per_sample, -(-_ENOUGH_ROWS // rows))
        batch = max(min(enough, passing // per_sample), 1)
        batch = min(batch, -(-count // _FEWEST_BATCHES)) if count * rows >= _FEWEST_ROWS else batch
        batch = -(-count // -(-count // batch))  # as many batches, but the last as large as the others
    batch = min(batch, count)
    kept = int(_KEPT * max_bytes / itemsize)
    return Sizes(batch, passing, min(passing // batch, kept // count), kept)


def assemble(
    kernel: Any,
    rows: Callable[[int, int], list[Gradients]],
    columns: Callable[[int, int], list[Gradients]] | None,
    tile: Callable[[list[Gradients], list[Gradients]], Any],
    sizes: Sizes,
) -> None:
    """Fill a kernel tile by tile: as many rows as may be kept meet all others, which pass by in batches.

    Parameters
    ----------
    kernel
        What is filled, (samples, others, ...).
    rows, columns
        Gradients from one sample up to another; no ``columns`` for a square kernel, whose tiles are mirrored.
    tile
        The kernel of two batches.
    sizes
        What may be held.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None.
    """
    square, collect = columns is None, columns or rows
    first = _spans(len(kernel), sizes.batch)
    second = first if square else _spans(kernel.shape[1], sizes.batch)

    def fill(i: int, j: int, mine: list[Gradients], other: list[Gradients]) -> None:
        (a, b), (c, d) = first[i], second[j]
        values = tile(mine, other)
        kernel[a:b, c:d] = values
        if square and j > i:
            kernel[c:d, a:b] = values.swapaxes(0, 1).swapaxes(2, 3) if values.ndim == 4 else values.T

    start = 0
    while start < len(first):
        leading = rows(*first[start])
        fitting = sizes.kept // sum(math.prod(part.shape) for each in leading for part in each)
        held = [leading] + [rows(*span) for span in first[start + 1 : start + max(fitting, 1)]]
        for j in range(start if square else 0, len(second)):
            passing = held[j - start] if square and j < start + len(held) else collect(*second[j])
            for i, mine in enumerate(held[: j - start + 1] if square else held, start):
                fill(i, j, mine, passing)
        start += len(held)


def _spans(count: int, size: int) -> list[tuple[int, int]]:
    """Batches of one size; the last overlaps that before it, so that all are compiled once."""
    size = min(size, count)
    starts = [min(start, count - size) for start in range(0, count, size)]
    return [(start, start + size) for start in starts]


def _kernel(
    model: WeightedFunction, inputs: Any, others: Any, outputs: Any, batch_size: int | None, max_bytes: int
) -> Any:
    inputs, others = check_samples(inputs, others)
    plan = plan_gradients(model, inputs)
    chosen, trace = choose_outputs(outputs, plan.outputs)
    dtype = jnp.result_type(*model.leaves)
    directions = jnp.asarray(chosen, dtype)
    per_sample = plan.fixed + len(directions) * plan.each
    second = inputs if others is None else others
    count = max(len(inputs), len(second))
    if not (is_concrete(inputs) and is_concrete(second) and is_concrete(model.leaves[0])):
        sizes = choose_sizes(count, len(directions), count, max_bytes, dtype.itemsize, per_sample)
        first = batch_gradients(model, inputs, directions, sizes.row)
        other = first if others is None else batch_gradients(model, others, directions, sizes.row)
        return multiply_batches(first, other, trace, sizes.block)
    sizes = choose_sizes(count, len(directions), batch_size, max_bytes, dtype.itemsize, per_sample)
    kernel = empty_kernel(
        len(inputs), len(second), 0 if trace else len(directions), lambda shape: np.empty(shape, dtype)
    )
    collect = lambda samples: lambda a, b: _some_gradients(model, samples[a:b], directions, sizes.row)  # noqa: E731
    tile = lambda first, second: np.asarray(_tile(first, second, trace, sizes.block))  # noqa: E731
    assemble(kernel, collect(inputs), None if others is None else collect(others), tile, sizes)
    return kernel


def empty_kernel(samples: int, others: int, chosen: int, new: Callable[[tuple[int, ...]], Any]) -> Any:
    """An array to fill, (samples, others) or (samples, others, chosen, chosen): in memory a matrix in either case."""
    return new((samples, chosen, others, chosen)).swapaxes(1, 2) if chosen else new((samples, others))


def multiply_batches(first: list[Gradients], second: list[Gradients], trace: bool, block_size: int) -> Any:
    """The kernel of two batches, (samples, others) or (samples, others, chosen, chosen). Raises nothing."""
    samples, others = len(first[0][0]), len(second[0][0])
    terms = [gram(*pair, trace=trace, block_size=block_size) for pair in zip(first, second, strict=True)]
    total: Any = sum(terms[1:], start=terms[0])
    return total if trace else total.reshape(samples, -1, others, total.shape[1] // others).swapaxes(1, 2)


_some_gradients = eqx.filter_jit(batch_gradients)
_tile = eqx.filter_jit(multiply_batches)
