"""Modular addition by quadratic units: each learns one frequency, the strongest first.

f(a, b) = sum_i (u_i.(a x) + v_i.(b x))^2 w_i learns (a + b) x, where a x is the template x shifted cyclically by a. In
the Fourier basis the utility of a unit is a sum over frequencies, and largest on a single one with matched phases.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.tasks import Moments
from solvable.theory.flows.next_saddle import SaddlePath, alternate
from solvable.theory.flows.signed_modes import SignedModes


def modular_utility(
    template: Float[Array, " p"], first: Float[Array, " twice_p"], second: Float[Array, " p"]
) -> Float[Array, ""]:
    r"""Utility E[f_i . y] of one quadratic unit on modular addition, all pairs (a, b) alike.

    .. math:: U(u, v, w) = \frac{2}{p^3} \sum_k \hat u_k \hat v_k \hat w_k^* \hat x_k^* |\hat x_k|^2, \qquad
       \hat x_k = \sum_j x_j e^{-2\pi i jk/p}

    Parameters
    ----------
    template
        x, of mean 0.
    first
        u, then v: the weights that read a x and b x.
    second
        w, the unit's output.

    Raises
    ------
    OutsideDomain
        A template whose mean is not 0, or weights that do not fit it.

    References
    ----------
    kunin2025, modular addition (utility in the Fourier basis; their transform has our sign).
    """
    _check_template(template)
    size = template.size
    if first.size != 2 * size or second.size != size:
        raise OutsideDomain(
            f"`first` and `second` have {first.size} and {second.size} entries; they must have {2 * size} and {size}, "
            "twice and once those of `template`."
        )
    left, right, output, shape = (jnp.fft.fft(part) for part in (first[:size], first[size:], second, template))
    return 2 * jnp.sum((left * right * jnp.conj(output * shape)).real * jnp.abs(shape) ** 2) / size**3


def best_modular_utilities(template: Float[Array, " p"]) -> Float[Array, " frequency"]:
    r"""Largest utility of a quadratic unit of norm 1 on each frequency of modular addition.

    .. math:: U_k = \sqrt{\tfrac{2}{27}}\; p^{-3/2}\, |\hat x_k|^3, \qquad k = 1, \dots, \lfloor p/2 \rfloor,

    and sqrt2 times that at k = p/2, whose wave has one phase only. The largest of them is the best of all units.

    Parameters
    ----------
    template
        x in R^p, of mean 0.

    Raises
    ------
    OutsideDomain
        A template whose mean is not 0, or shorter than 2.

    References
    ----------
    kunin2025, modular addition [odd p; k = p/2 is derived here in the same way].
    """
    magnitudes, share = _spectrum(template)
    return jnp.sqrt(2 / (27 * share)) * magnitudes**3 * template.size**-1.5


def modular_stages(template: Float[Array, " p"]) -> SaddlePath:
    r"""Saddles of a quadratic network that learns modular addition, one frequency after the other.

    .. math:: L_0 = \tfrac12 |x|^2, \qquad L \to L - \frac{|\hat x_k|^2}{p}
       \text{ when frequency } k \text{ is learned } (\text{half that at } k = p/2)

    Parameters
    ----------
    template
        x in R^p, of mean 0.

    Returns
    -------
    SaddlePath
        Unit k - 1 is frequency k; ``strength`` is the share of it that is learned, 0 or 1.

    Raises
    ------
    OutsideDomain
        As ``best_modular_utilities``.

    Notes
    -----
    Levels need several units a frequency (6 at least, 8 to 12 comfortably) to cancel their other harmonics. Times are
    those of units that start aligned, 1/(3 alpha U_k): a lower bound, which random phases miss by up to a factor 2.

    References
    ----------
    kunin2025, modular addition.
    """
    magnitudes, share = _spectrum(template)
    power = 2 * share * magnitudes**2 / template.size
    heard = np.flatnonzero(np.asarray(magnitudes) > 1e3 * jnp.finfo(template.dtype).eps * jnp.max(magnitudes))
    gain = jnp.zeros_like(power).at[heard].set(best_modular_utilities(template)[heard] / power[heard])
    # A silent frequency has no utility at any gain.
    gain = jnp.where(gain > 0, gain, jnp.ones_like(gain))
    return alternate(SignedModes(Moments(jnp.sum(template**2), power[None, :], jnp.diag(power)), gain, 3))


def _spectrum(template: Array) -> tuple[Array, Array]:
    """|x_k| for k = 1 .. p/2, and how much of a cosine's power each pair k, -k has: 1, or 1/2 where they are one."""
    _check_template(template)
    waves = jnp.arange(1, template.size // 2 + 1)
    magnitudes = jnp.abs(jnp.fft.fft(template))[waves]
    return magnitudes, jnp.where(2 * waves == template.size, 0.5, 1.0).astype(magnitudes.dtype)


def _check_template(template: Array) -> None:
    if template.ndim != 1 or template.size < 2:
        raise OutsideDomain(f"`template` has shape {template.shape}; it must be one row of at least 2 entries.")
    if is_concrete(template):
        # NumPy, since inside a jit even constants turn into tracers.
        values = np.asarray(template, float)
        if not abs(values.mean()) <= 100 * jnp.finfo(template.dtype).eps * np.abs(values).max():
            raise OutsideDomain(f"`template` has mean {values.mean():g}; it must be finite, of mean 0: subtract it.")
