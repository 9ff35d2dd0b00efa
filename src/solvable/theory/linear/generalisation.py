"""Train and test error of linear networks that learn a noisy correlation mode by mode, and when to stop them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count, check_positive
from solvable.theory.linear.depth import depth_mode, depth_time
from solvable.theory.linear.modes import logistic_mode
from solvable.theory.linear.spiked import (
    bulk_rule,
    observed_singular_value,
    shrunk_singular_value,
    spike_overlaps,
    spike_threshold,
    teacher_singular_value,
)

_GRID, _GOLDEN_STEPS, _DONE = 2000, 60, 1e-6


class LearnedSpectrum(eqx.Module):
    """The modes of a correlation that a network learns, and how much of the teacher is in each.

    Attributes
    ----------
    values
        Singular values of the data, any order.
    counts
        How many modes of the data each stands for: quadrature weights for a bulk, 0 for a mode that is not learned.
    shared
        u-hat^T T v-hat, the teacher T along the mode's own singular vectors.
    teacher_power
        |T|^2, the squared Frobenius norm.
    unlearned_power
        Sum of squared singular values of the data that the network is too narrow to learn.
    """

    values: Float[Array, " mode"]
    counts: Float[Array, " mode"]
    shared: Float[Array, " mode"]
    teacher_power: Float[Array, ""]
    unlearned_power: Float[Array, ""]


def spiked_spectrum(
    teacher: Float[Array, " spike"],
    *,
    output_dim: int,
    input_dim: int,
    width: int | None = None,
    noise_std: float | Float[Array, ""] = 1.0,
    num_nodes: int = 200,
) -> LearnedSpectrum:
    """The spectrum of teacher plus noise in large dimension: spikes and a bulk.

    Parameters
    ----------
    teacher
        Singular values of the teacher, at least 0, largest first, much fewer than either dimension.
    output_dim, input_dim
        Sizes of the correlation.
    width
        Units of the network, which learns that many of the largest modes; all of them if left out.
    noise_std
        sqrt(input_dim) times the standard deviation of one entry's noise: sigma sqrt(input_dim / P) for P white
        samples of label noise sigma.
    num_nodes
        Of the bulk, static.

    Raises
    ------
    OutsideDomain
        A noise or a size that is not positive, a negative singular value.

    Notes
    -----
    Test errors come out 1 to 2% high at 100 outputs, 6% at 50, and a single draw fluctuates more. A teacher below the
    threshold is lost in the bulk: nothing of it is learned in the limit.

    References
    ----------
    lampinen2018, generalisation of noisy low-rank teachers.
    """
    check_positive("noise_std", noise_std)
    count, aspect = _count_modes(output_dim, input_dim, width), output_dim / input_dim
    ratio = teacher / noise_std
    seen = (ratio > spike_threshold(aspect)).astype(teacher.dtype)
    spikes = jnp.sum(seen)
    learned = jnp.where(jnp.cumsum(seen) <= count, seen, 0)
    left, right = spike_overlaps(ratio, aspect)
    bulk, most = min(output_dim, input_dim) - spikes, jnp.maximum(count - spikes, 0)
    rule = bulk_rule(aspect, jnp.where(bulk > 0, most / jnp.maximum(bulk, 1), 0), num_nodes)
    squares, weights = (rule.nodes**2).astype(teacher.dtype), bulk * rule.weights.astype(teacher.dtype)
    outliers = observed_singular_value(ratio, aspect)
    everything = jnp.sum(seen * outliers**2) + bulk * max(1.0, aspect)
    unlearned = everything - jnp.sum(learned * outliers**2) - jnp.sum(weights * squares)
    return LearnedSpectrum(
        noise_std * jnp.concatenate([outliers, jnp.sqrt(squares)]),
        jnp.concatenate([learned, weights]),
        jnp.concatenate([teacher * left * right, jnp.zeros_like(squares)]),
        jnp.sum(teacher**2),
        noise_std**2 * jnp.maximum(unlearned, 0),
    )


def observed_spectrum(
    observed: Float[Array, " mode"],
    *,
    output_dim: int,
    input_dim: int,
    width: int | None = None,
    noise_std: float | Float[Array, ""] = 1.0,
) -> LearnedSpectrum:
    """The same for measured singular values: what of each outlier is signal is inferred, the bulk is as it is.

    Parameters
    ----------
    observed
        Singular values of the data, largest first; those left out count as 0.
    output_dim, input_dim, width, noise_std
        As for ``spiked_spectrum``.

    Raises
    ------
    OutsideDomain
        As ``spiked_spectrum``.

    References
    ----------
    lampinen2018, outliers inverted.
    """
    check_positive("noise_std", noise_std)
    aspect, width = output_dim / input_dim, _count_modes(output_dim, input_dim, width)
    learned = (jnp.arange(observed.shape[0]) < width).astype(observed.dtype)
    return LearnedSpectrum(
        observed,
        learned,
        noise_std * shrunk_singular_value(observed / noise_std, aspect),
        jnp.sum((noise_std * teacher_singular_value(observed / noise_std, aspect)) ** 2),
        jnp.sum((1 - learned) * observed**2),
    )


class GeneralisationCurves(eqx.Module):
    """Errors along training.

    Attributes
    ----------
    test_error
        |W(t) - T|^2, squared Frobenius distance to the teacher: twice the population loss beyond its noise.
    train_error
        |W(t) - S|^2, distance to the noisy correlation: twice the training loss beyond what no map can fit.
    """

    test_error: Float[Array, "*record"]
    train_error: Float[Array, "*record"]


def generalisation_curves(
    times: Float[Array, "*record"], spectrum: LearnedSpectrum, start: float | Float[Array, "..."], *, depth: float = 2
) -> GeneralisationCurves:
    r"""Train and test error of a network whose modes learn each by itself from one strength.

    .. math:: |W - T|^2 = \sum_k \big[s_k^2 - 2 s_k\,\hat u_k^\top T \hat v_k\big] + |T|^2, \qquad
       s_k = s(\hat s_k, t)

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate on the half mean squared error.
    spectrum
        Of the data, in the same units as the start.
    start
        u_0 > 0 of every mode, or one each.
    depth
        Weight layers, from 1; real numbers too.

    Returns
    -------
    GeneralisationCurves
        Not normalised: the paper divides the test error by ``teacher_power``, the train error by the data's power.

    Raises
    ------
    OutsideDomain
        A depth below 1, a start that is not positive at a depth other than 2.

    Notes
    -----
    For white inputs and weights aligned with the data; small random ones come within 2% (60 x 30, one spike).

    References
    ----------
    lampinen2018, test and train error [theirs are normalised].
    """
    begin = jnp.broadcast_to(jnp.asarray(start, spectrum.values.dtype), spectrum.values.shape)

    def at(time: Array) -> tuple[Array, Array]:
        strengths = _strengths(time, spectrum.values, begin, depth)
        test = jnp.sum(spectrum.counts * strengths * (strengths - 2 * spectrum.shared)) + spectrum.teacher_power
        return test, jnp.sum(spectrum.counts * (spectrum.values - strengths) ** 2) + spectrum.unlearned_power

    return GeneralisationCurves(*jnp.vectorize(at)(times))


class StoppingPoint(eqx.Module):
    """Where the test error is smallest along training.

    Attributes
    ----------
    time
        In units of 1/learning rate; 0 where training only harms.
    test_error
        |W - T|^2 there.
    """

    time: Float[Array, ""]
    test_error: Float[Array, ""]


def best_stopping(spectrum: LearnedSpectrum, start: float | Float[Array, "..."], *, depth: float = 2) -> StoppingPoint:
    """When to stop training for the smallest test error.

    Parameters
    ----------
    spectrum, start, depth
        As for ``generalisation_curves``.

    Raises
    ------
    OutsideDomain
        As ``generalisation_curves``.

    Notes
    -----
    Does not depend on the width, once all spikes fit. Without noise modes it is the end of training, which is then
    taken to be where the last spike has learned all but one in a million.

    References
    ----------
    lampinen2018, optimal stopping.
    """
    begin = jnp.broadcast_to(jnp.asarray(start, spectrum.values.dtype), spectrum.values.shape)
    signal = (spectrum.shared > 0) & (spectrum.counts > 0)
    goal = jnp.where(signal, spectrum.values, 1)
    end = jnp.where(begin < goal, 1 - _DONE, 1 + _DONE) * goal
    spans = depth_time(jnp.where(signal, begin, 0.5), end, goal, depth)
    horizon = jnp.max(jnp.where(signal & jnp.isfinite(spans), jnp.maximum(spans, 0), 0))
    grid = horizon * jnp.concatenate([jnp.zeros(1, goal.dtype), jnp.logspace(-4, 0, _GRID, dtype=goal.dtype)])

    def error(time: Array) -> Array:
        return generalisation_curves(time, spectrum, start, depth=depth).test_error

    best = jnp.argmin(error(grid))
    low, high = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, _GRID)]
    ratio = (5**0.5 - 1) / 2

    def narrow(_, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        falling = error(left) > error(right)
        return jnp.where(falling, left, low), jnp.where(falling, high, right)

    low, high = jax.lax.fori_loop(0, _GOLDEN_STEPS, narrow, (low, high))
    candidates = jnp.stack([grid[best], (low + high) / 2])
    errors = error(candidates)
    return StoppingPoint(candidates[jnp.argmin(errors)], jnp.min(errors))


def _strengths(time: Array, values: Array, start: Array, depth: float) -> Array:
    if depth == 2:
        return logistic_mode(time, values, start)
    learnable = values > 0
    grown = depth_mode(time, jnp.where(learnable, values, 1), start, depth)
    # A mode with nothing to learn obeys u' = -D u^(3 - 2/D).
    power = 2 - 2 / depth
    faded = start * (1 + depth * power * time * start**power) ** (-1 / power) if power else start * jnp.exp(-time)
    return jnp.where(learnable, grown, faded)


def _count_modes(output_dim: int, input_dim: int, width: int | None) -> int:
    """How many modes are learned."""
    check_count("output_dim", output_dim)
    check_count("input_dim", input_dim)
    if width is None:
        return min(output_dim, input_dim)
    check_count("width", width)
    return min(output_dim, input_dim, width)
