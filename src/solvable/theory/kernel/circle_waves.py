r"""Kernels on a circle whose arcs hold unlike shares of the data: spectra, and the waves that belong to them.

A kernel of the angle between two inputs, :math:`K(\theta - \theta') = \sum_k \lambda_k e^{ik(\theta - \theta')}`, acts
on a density p of inputs, constant in each of several arcs. Where :math:`k^2 \lambda_k` has a limit, the ``tail`` c,
waves of high frequency see the density of their place only.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, floating_dtype

RELU_TAIL = 1 / (2 * np.pi**2)  # of ``relu_layer_spectrum`` with biases of scale 1, at odd and even frequencies


def relu_layer_spectrum(num_frequencies: int, bias_scale: Numbers = 1.0) -> Float[Array, "*batch frequency"]:
    r"""Eigenvalues on the uniform circle of the tangent kernel of a ReLU layer, whose hidden weights alone are trained.

    .. math:: \lambda_k = \frac{\beta^2 t_k + (t_{|k-1|} + t_{k+1})/2}{2\pi(1 + \beta^2)}, \qquad
       t_0 = \frac\pi2, \quad t_k = \frac{2}{\pi k^2}\ (k \text{ odd}), \quad 0\ (k \text{ even})

    Parameters
    ----------
    num_frequencies
        How many, from k = 0 on.
    bias_scale
        beta >= 0 of ``numerics.ReluLayerKernel``, a number or an array.

    Returns
    -------
    Array
        For beta = 1: 1/(2 pi^2) + 1/8, 1/(2 pi^2) + 1/16, then (k^2 + 1)/(2 pi^2 (k^2 - 1)^2) at even k and
        1/(2 pi^2 k^2) at odd k. Odd k from 3 on are 0 without biases. Each k > 0 has a cosine and a sine.

    Raises
    ------
    OutsideDomain
        No frequencies, a negative scale.

    References
    ----------
    basri2020, eigenvalues for uniform density [Fourier coefficients of K are lambda_0 and 2 lambda_k].
    """
    check_count("num_frequencies", num_frequencies)
    check_non_negative("bias_scale", bias_scale)
    return _layer_spectrum(jnp.asarray(bias_scale, floating_dtype(bias_scale)), num_frequencies)


class DensityModes(eqx.Module):
    r"""Eigenvalues and eigenfunctions of a kernel on the circle under a density.

    Attributes
    ----------
    eigenvalues
        Largest first, shape (mode,).
    coefficients
        Of each eigenfunction, in the waves 1, sqrt2 cos k theta, then sqrt2 sin k theta, shape (mode, wave).

    References
    ----------
    basri2020, eigenfunctions under non-uniform density.
    """

    eigenvalues: Float[Array, " mode"]
    coefficients: Float[Array, "mode wave"]

    def evaluate(self, angles: Float[Array, " point"]) -> Float[Array, "mode point"]:
        r"""The eigenfunctions f at angles, with :math:`\int p f^2 = 1`. Raises nothing. References: basri2020."""
        return _evaluate(self, angles)


def density_modes(
    spectrum: Float[Array, " frequency"], edges: Float[Array, " edge"], masses: Float[Array, " region"]
) -> DensityModes:
    r"""Spectrum under a density that is constant in each arc, by waves: no grid, and no kink to resolve.

    The non-zero spectrum is that of :math:`\sqrt{\lambda_k}\,\hat p_{k-l}\,\sqrt{\lambda_l}`, with the density's
    Fourier coefficients :math:`\hat p_q = \int p\,e^{-iq\theta} d\theta` in closed form.

    Parameters
    ----------
    spectrum
        lambda_k >= 0 of the kernel on the uniform circle, of frequencies 0 to M.
    edges
        Angles between the arcs, increasing, the last one 2 pi above the first.
    masses
        Share of the inputs in each arc, of sum 1: one fewer than edges.

    Raises
    ------
    OutsideDomain
        Negative eigenvalues, edges that do not go around once, masses of another number or sum.

    Notes
    -----
    One eigendecomposition of 2 M + 1 rows. The error of a cut at M falls as M^-3: 2e-6 of the 40th eigenvalue at 300.

    References
    ----------
    basri2020, integral operator under non-uniform density.
    """
    check_non_negative("spectrum", spectrum)
    _check_arcs(edges, masses)
    return _density_modes(spectrum, jnp.asarray(edges, spectrum.dtype), jnp.asarray(masses, spectrum.dtype))


class LocalWaves(eqx.Module):
    r"""Eigenfunctions of high frequency by their order q: :math:`p^{-1/4} \cos(q \sqrt{p_j}\,\theta/Z + b_j)` in arc j.

    Attributes
    ----------
    eigenvalues
        :math:`2 \pi c\,Z^2/q^2`, twice each (nearly: cosine and sine), shape (order,).
    crossings
        Zeros in each arc, :math:`q \sqrt{p_j}\,l_j/(\pi Z)`, of sum 2q, shape (order, region).

    References
    ----------
    basri2020, Theorem 1 and the eigenfunctions on the circle.
    """

    eigenvalues: Float[Array, " order"]
    crossings: Float[Array, "order region"]


def local_waves(
    orders: Float[Array, " order"] | Int[Array, " order"],
    edges: Float[Array, " edge"],
    masses: Float[Array, " region"],
    *,
    tail: Numbers = RELU_TAIL,
) -> LocalWaves:
    r"""High frequencies under a density: each arc's own frequency, for one eigenvalue.

    .. math:: f'' = -\frac{2 \pi c\,p(\theta)}{\lambda} f, \qquad Z = \frac1{2\pi} \int \sqrt{p}\,d\theta

    Parameters
    ----------
    orders
        q >= 1.
    edges, masses
        As for ``density_modes``.
    tail
        c, the limit of :math:`k^2 \lambda_k` on the uniform circle; ``kink_tail`` has it for other kernels, where even
        and odd frequencies agree.

    Raises
    ------
    OutsideDomain
        Orders below 1, arcs without meaning, a tail that is not positive.

    Notes
    -----
    The relative error of a pair's geometric mean is of order 1/q^2: 2% at q = 10, 0.5% at 20 for densities 1 : 2 : 4.

    References
    ----------
    basri2020, Theorem 1 [c = 1/(2 pi^2): p/(pi lambda), Z^2/(pi q^2)].
    """
    check_positive("orders", orders)
    check_positive("tail", tail)
    _check_arcs(edges, masses)
    dtype = jnp.result_type(edges, masses)
    return _local_waves(*(jnp.asarray(each, dtype) for each in (orders, edges, masses, tail)))


@partial(jax.jit, static_argnums=1)
def _layer_spectrum(bias_scale: Array, num_frequencies: int) -> Array:
    orders = np.arange(-1, num_frequencies + 1)
    triangle = np.where(orders % 2 == 1, 2 / (np.pi * np.where(orders == 0, 1, orders) ** 2.0), 0)
    triangle[1] = np.pi / 2
    parts = np.stack([triangle[1:-1], (triangle[:-2] + triangle[2:]) / 2])
    square = bias_scale**2
    mixed = jnp.stack([square, jnp.ones_like(square)], axis=-1) @ jnp.asarray(parts, square.dtype)
    return mixed / (2 * jnp.pi * (1 + square))[..., None]


@jax.jit
def _local_waves(orders, edges, masses, tail) -> LocalWaves:
    share = jnp.sqrt(masses * jnp.diff(edges))  # sqrt(p) times length
    total = jnp.sum(share) / (2 * jnp.pi)
    return LocalWaves(2 * jnp.pi * tail * (total / orders) ** 2, orders[:, None] * share[None, :] / (jnp.pi * total))


@jax.jit
def _density_modes(spectrum: Array, edges: Array, masses: Array) -> DensityModes:
    top = spectrum.size - 1
    cosines, sines = _density_waves(2 * top + 1, edges, masses)
    order = np.arange(top + 1)
    apart, both = order[:, None] - order[None, :], order[:, None] + order[None, :]
    even, odd = cosines[np.abs(apart)], jnp.where(apart > 0, -1, 1) * sines[np.abs(apart)]
    mixed = (sines[both] + odd)[:, 1:]
    overlap = jnp.block([[even + cosines[both], mixed], [mixed.T, (even - cosines[both])[1:, 1:]]])
    scale = jnp.sqrt(spectrum).at[0].divide(2**0.5)  # the constant has no factor sqrt2
    scale = jnp.append(scale, scale[1:])
    values, vectors = jnp.linalg.eigh(scale[:, None] * overlap * scale[None, :])
    values, vectors = jnp.maximum(values[::-1], 0), vectors.T[::-1]
    root = jnp.sqrt(jnp.where(values > 0, values, jnp.inf))
    return DensityModes(
        values, vectors * jnp.append(jnp.sqrt(spectrum), jnp.sqrt(spectrum[1:]))[None, :] / root[:, None]
    )


def _density_waves(count: int, edges: Array, masses: Array) -> tuple[Array, Array]:
    """Means of cos(q theta) and sin(q theta), q = 0 to count - 1."""
    middles, halves = (edges[1:] + edges[:-1]) / 2, jnp.diff(edges) / 2
    orders = jnp.arange(count, dtype=edges.dtype)[:, None]
    filtered = masses[None, :] * jnp.sinc(orders * halves[None, :] / jnp.pi)
    phases = orders * middles[None, :]
    return jnp.sum(filtered * jnp.cos(phases), axis=1), jnp.sum(filtered * jnp.sin(phases), axis=1)


@jax.jit
def _evaluate(modes: DensityModes, angles: Array) -> Array:
    top = modes.coefficients.shape[1] // 2
    phases = jnp.arange(1, top + 1, dtype=angles.dtype)[:, None] * angles[None, :]
    waves = jnp.concatenate([jnp.ones_like(angles)[None], 2**0.5 * jnp.cos(phases), 2**0.5 * jnp.sin(phases)])
    return modes.coefficients @ waves


def _check_arcs(edges: Array, masses: Array) -> None:
    """Raise OutsideDomain unless arcs of positive length go around once and masses are shares."""
    if masses.ndim != 1 or edges.shape != (masses.size + 1,):
        raise OutsideDomain(
            f"`edges` has shape {edges.shape} and `masses` {masses.shape}; edges are one more than arcs."
        )
    if not (is_concrete(edges) and is_concrete(masses)):
        return
    around = float(edges[-1]) - float(edges[0])
    if not np.all(np.diff(edges) > 0) or abs(around - 2 * np.pi) > 1e-5:
        raise OutsideDomain(f"`edges` is {edges}; it must increase and end 2 pi above its start.")
    if not np.all(np.asarray(masses) >= 0) or abs(float(np.sum(masses)) - 1) > 1e-5:
        raise OutsideDomain(f"`masses` is {masses}; it must hold shares of at least 0 whose sum is 1.")
