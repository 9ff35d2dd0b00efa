"""Products of gradients from their factors: of one place for two batches of samples, of JAX or of PyTorch."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

# Of JAX, or of PyTorch where a model is of it.
Array = Any


class Factors(NamedTuple):
    """Gradients sum_s signals[., s, :] x before[s, :] of a weight that multiplies activations at S positions."""

    before: Float[Any, "samples positions inner"]
    signals: Float[Any, "samples outputs positions outer"]


class Rows(NamedTuple):
    """Gradients as they are."""

    rows: Float[Any, "samples outputs columns"]


Gradients = Factors | Rows

# Rows of so few columns are joined: the copy costs less than a product of its own.
_SHORT = 1024


def compress(gradients: list[Gradients], row_size: int) -> list[Gradients]:
    """The same gradients in fewer pieces: short rows in one, and of the factors those multiplied out for which that is
    cheaper and which are then at most ``row_size`` numbers a sample.
    """
    short, others = list[Array](), list[Gradients]()
    for each in gradients:
        if isinstance(each, Factors) and _cheaper_in_blocks(each) and _row_size(each) <= row_size:
            each = Rows(_multiply_out(*each))
        if isinstance(each, Rows) and each.rows.shape[2] <= _SHORT:
            short.append(each.rows)
        else:
            others.append(each)
    return [*([Rows(_library(short[0]).concatenate(short, axis=2))] if short else []), *others]


def _cheaper_in_blocks(factors: Factors) -> bool:
    """Rather than by pairs of positions; counts multiplications for one pair of samples and of outputs."""
    _, outputs, positions, outer = factors.signals.shape
    inner = factors.before.shape[2]
    return positions > 1 and inner * outer <= positions**2 * (outer + 2 + inner / outputs**2)


def _row_size(factors: Factors) -> int:
    _, outputs, _, outer = factors.signals.shape
    return outputs * outer * factors.before.shape[2]


def gram(first: Gradients, second: Gradients, *, trace: bool, block_size: int) -> Float[Any, "rows columns"]:
    """Products of all gradients of one batch with all of another.

    Parameters
    ----------
    first, second
        Of one weight.
    trace
        Sum over outputs: one row a sample, else one a sample and output, samples slowest.
    block_size
        Entries of gradients that are formed at once, at most, up to those of one output of the weight.

    Raises
    ------
    Raises nothing.

    References
    ----------
    jacot2018; zhou2025, structured kernels.
    """
    if isinstance(first, Rows):
        assert isinstance(second, Rows)
        return _flat(first.rows, trace) @ _flat(second.rows, trace).T
    assert isinstance(second, Factors)
    if first.signals.shape[2] == 1:
        return _one_position(_at(first, 0), _at(second, 0), trace)
    if _cheaper_in_blocks(first):
        return _by_blocks(first, second, trace, block_size)
    return _by_positions(first, second, trace)


def _flat(rows: Array, trace: bool) -> Array:
    return rows.reshape(rows.shape[0], -1) if trace else rows.reshape(-1, rows.shape[-1])


def _at(factors: Factors, position: Any) -> Factors:
    return Factors(_take(factors.before, 1, position, 1), _take(factors.signals, 2, position, 1))


def _one_position(first: Factors, second: Factors, trace: bool) -> Array:
    activations = first.before[:, 0] @ second.before[:, 0].T
    signals = _flat(first.signals[:, :, 0], trace) @ _flat(second.signals[:, :, 0], trace).T
    if trace:
        return signals * activations
    sizes = [size for each in (first, second) for size in each.signals.shape[:2]]
    return (signals.reshape(sizes) * activations[:, None, :, None]).reshape(signals.shape)


def _by_positions(first: Factors, second: Factors, trace: bool) -> Array:
    """Over all pairs of positions: few of them, and many columns."""
    positions = first.before.shape[1]
    pair = lambda s: _one_position(_at(first, s // positions), _at(second, s % positions), trace)  # noqa: E731
    return _sum_over(pair, range(positions**2), first.before)


def _by_blocks(first: Factors, second: Factors, trace: bool, block_size: int) -> Array:
    """The gradients are formed for some of the weight's outputs at a time."""
    outer, inner = first.signals.shape[-1], first.before.shape[-1]
    largest = max(each.signals.shape[0] * each.signals.shape[1] for each in (first, second))
    fitting = (width for width in range(1, outer + 1) if outer % width == 0 and largest * inner * width <= block_size)
    width = max(fitting, default=1)

    def block(start: Any) -> Array:
        rows = [_multiply_out(each.before, _take(each.signals, 3, start, width)) for each in (first, second)]
        return _flat(rows[0], trace) @ _flat(rows[1], trace).T

    return _sum_over(block, range(0, outer, width), first.before)


def _multiply_out(before: Array, signals: Array) -> Array:
    gradients = _library(before).einsum("iosd,isq->iodq", signals, before)
    return gradients.reshape(*gradients.shape[:2], -1)


def _library(array: Array) -> Any:
    return jnp if isinstance(array, jax.Array) else sys.modules["torch"]


def _take(array: Array, axis: int, start: Any, size: int) -> Array:
    if isinstance(array, jax.Array):
        return lax.dynamic_slice_in_dim(array, start, size, axis)
    return array.narrow(axis, start, size)


def _sum_over(term: Callable[[Any], Array], indices: range, like: Array) -> Array:
    """One program for all terms with JAX; one after the other with PyTorch, which compiles nothing."""
    first = term(indices[0])
    if len(indices) == 1:
        return first
    if isinstance(like, jax.Array):
        return lax.scan(lambda total, index: (total + term(index), None), first, jnp.asarray(indices[1:]))[0]
    for index in indices[1:]:
        first += term(index)
    return first
