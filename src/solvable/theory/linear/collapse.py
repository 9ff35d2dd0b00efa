r"""When the noise of SGD pulls weights onto sets that it cannot leave, where the noise vanishes.

Near such a set its distance theta is multiplied at every step by 1 + a + b xi, with a standard Gaussian xi: it goes
to zero where the mean of ln|1 + a + b xi| is negative, even from a maximum of the loss (a > 0).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive, is_concrete

Numbers = float | Float[Array, "..."] | Float[np.ndarray, "..."]

_SPACING, _REACH = 0.15, 9.0  # of the trapezoidal rule on the line xi + i, analytic in a strip of half-width 1
_DEEPEST = 2**0.5 * 0.9241388730045916  # z at which E ln|z + xi| - ln z is least: sqrt 2 times where Dawson's F peaks
_BISECTIONS = 100


class StationaryLaw(eqx.Module):
    """Where theta is found in the end: theta^2 follows the law Gamma(shape, scale).

    Attributes
    ----------
    shape, scale
        k = mu / zeta^2 - 1/2, at most 0 (or -inf) where all collapses to theta = 0, and zeta^2.
    mean_square, mean_fourth
        Of theta; 0 where it collapses.

    References
    ----------
    chen2024, stationary law of the quartic example.
    """

    shape: Float[Array, "..."]
    scale: Float[Array, "..."]
    mean_square: Float[Array, "..."]
    mean_fourth: Float[Array, "..."]

    def log_density(self, distance: Float[Array, "..."]) -> Float[Array, "..."]:
        """Logarithm of the density of |theta| > 0; -inf where theta collapses. Raises nothing."""
        proper = (self.shape > 0) & jnp.isfinite(self.shape)
        shape, scale = jnp.where(proper, self.shape, 1.0), jnp.where(proper, self.scale, 1.0)
        power = (2 * shape - 1) * jnp.log(distance) - distance**2 / scale
        return jnp.where(proper, power + np.log(2) - shape * jnp.log(scale) - jax.lax.lgamma(shape), -jnp.inf)


class CollapseWindow(eqx.Module):
    """Between which noises b weights collapse.

    Attributes
    ----------
    low, high
        Ends of the window; low is inf and high 0 where no noise collapses.
    strongest
        b at which they collapse fastest, or grow most slowly.

    References
    ----------
    chen2024, discrete collapse condition; derived.
    """

    low: Float[Array, "..."]
    high: Float[Array, "..."]
    strongest: Float[Array, "..."]


def collapse_rate(curvature: Numbers, noise_curvature: Numbers) -> Float[Array, "..."]:
    r"""Rate alpha = L''(0) + D''(0)/2 at which ln|theta| falls near the set; it attracts where alpha > 0.

    .. math:: d\theta = -L'(\theta)\,dt + \sqrt{2 D(\theta)}\,dB, \qquad D(0) = D'(0) = 0

    Parameters
    ----------
    curvature
        L''(0) of the loss across the set; negative at a maximum, -mu for L = (theta^2 - mu)^2 / 4.
    noise_curvature
        D''(0) >= 0, D = learning_rate / 2 times the variance of a step's gradient; zeta^2 for D = zeta^2 theta^2 / 2.

    Returns
    -------
    Array
        In the units of gradient-flow time, learning_rate * step.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The limit of small steps; ``growth_exponent`` holds for any.

    References
    ----------
    chen2024, collapse condition in one dimension.
    """
    return _real(curvature) + _real(noise_curvature) / 2


def quartic_law(drift: Numbers, noise: Numbers) -> StationaryLaw:
    r"""Stationary law of d theta = (mu - theta^2) theta dt + zeta theta dB from any start but 0.

    .. math:: p(\theta) \propto |\theta|^{2 \mu / \zeta^2 - 2}\,e^{-\theta^2 / \zeta^2}, \qquad
       E\theta^2 = \mu - \tfrac12 \zeta^2, \qquad E\theta^4 = \mu^2 - \tfrac14 \zeta^4

    Parameters
    ----------
    drift
        mu, of any sign: the loss is (theta^2 - mu)^2 / 4.
    noise
        zeta >= 0. For SGD with multiplicative noise of standard deviation sigma, zeta^2 = learning_rate sigma^2.

    Returns
    -------
    StationaryLaw
        All at 0 from zeta^2 = 2 mu on; without noise theta^2 = mu.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Of small steps: at learning_rate mu = 0.05, E theta^2 of SGD is 7% below this at 0.7 of the threshold noise and 27%
    at 0.9.

    References
    ----------
    chen2024, quartic example.
    """
    drift, square = _real(drift), _real(noise) ** 2
    shape = jnp.where(square > 0, drift / jnp.where(square > 0, square, 1.0) - 0.5, jnp.where(drift > 0, jnp.inf, -0.5))
    mean = jnp.maximum(drift - square / 2, 0.0)
    return StationaryLaw(shape, jnp.broadcast_to(square, shape.shape), mean, mean * (mean + square))


def growth_exponent(drift: Numbers, noise: Numbers) -> Float[Array, "..."]:
    r"""Mean growth of ln|theta| a step, lambda = E ln|1 + a + b xi|: weights collapse where it is negative.

    .. math:: \lambda = \mathrm{Re} \int \varphi(\xi + i)\,\ln\big(1 + a + b\,(\xi + i)\big)\,d\xi

    Parameters
    ----------
    drift, noise
        a and b, of any sign; learning_rate mu and learning_rate sigma of the quartic example. They broadcast.

    Returns
    -------
    Array
        Per step; -inf where every step ends at 0 exactly (a = -1, b = 0).

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Gaussian noise. The path of integration passes the singularity of the logarithm at a distance, so that the
    trapezoidal rule is exact to rounding for all arguments. For small steps lambda = a - b^2 / 2.

    References
    ----------
    chen2024, discrete collapse condition [lambda; quadrature derived].
    """
    middle, noise = jnp.broadcast_arrays(1 + _real(drift), jnp.abs(_real(noise)))
    fixed = (middle == 0) & (noise == 0)
    nodes = np.arange(-_REACH, _REACH + _SPACING / 2, _SPACING)
    weights = _SPACING * np.exp((1 - nodes**2) / 2) / np.sqrt(2 * np.pi)
    real, imaginary, points = (jnp.asarray(part, middle.dtype) for part in
                               (weights * np.cos(nodes), weights * np.sin(nodes), nodes))  # fmt: skip
    points = points.reshape((1,) * middle.ndim + (-1,))
    along = jnp.where(fixed, 1.0, middle)[..., None] + noise[..., None] * points
    logs = jnp.log(jnp.hypot(along, noise[..., None]))
    angles = jnp.arctan2(jnp.broadcast_to(noise[..., None], along.shape), along)
    return jnp.where(fixed, -jnp.inf, logs @ real + angles @ imaginary)


def sampled_growth_exponent(steps: Float[Array, "*batch sample"]) -> Float[Array, "*batch"]:
    """Mean growth of ln|theta| a step from draws of what is multiplied: the mean of ln|1 + step|.

    Parameters
    ----------
    steps
        Draws of learning_rate times the mean over a batch of x y, for a linear neuron on random inputs; any law.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    For small steps E[step] - E[step^2] / 2. Its standard error is that of a mean.

    References
    ----------
    chen2024, discrete collapse condition; for the neuron derived.
    """
    return jnp.mean(jnp.log(jnp.abs(1 + steps)), axis=-1)


def collapse_window(drift: Numbers) -> CollapseWindow:
    r"""Between which noises b weights of drift a collapse: the zeros of ``growth_exponent``.

    .. math:: \lambda(a, b) = \ln|1 + a| + h\Big(\frac{|1 + a|}{b}\Big), \qquad h \ge h(1.30693) = -\ln 1.278078

    Parameters
    ----------
    drift
        a of any sign, at learning rates eta: eta mu of the quartic example, whose sigma is b / eta.

    Returns
    -------
    CollapseWindow
        Starts at 0 for a between -2 and 0, where weights collapse without noise, and near sqrt(2 a) for small a > 0.
        Empty from a = 0.278078 on (and from -2.278078 down): no noise collapses those.

    Raises
    ------
    Raises nothing.

    References
    ----------
    chen2024, discrete collapse condition [Gaussian noise; the window and its closing derived].
    """
    return _window(_real(drift))


@jax.jit
def _window(drift: Array) -> CollapseWindow:
    size = jnp.abs(1 + drift)
    strongest = size / _DEEPEST
    empty = growth_exponent(size - 1, strongest) >= 0
    low = _bisect(size - 1, jnp.zeros_like(size), strongest, rising=False)
    high = _bisect(size - 1, strongest, 4 * (1 + size), rising=True)
    low = jnp.where(size <= 1, 0.0, jnp.where(empty, jnp.inf, low))
    return CollapseWindow(low, jnp.where(empty, 0.0, high), strongest)


def _bisect(drift: Array, low: Array, high: Array, *, rising: bool) -> Array:
    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        before = (growth_exponent(drift, middle) < 0) == rising
        return jnp.where(before, middle, low), jnp.where(before, high, middle)

    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, high))
    return (low + high) / 2


def label_noise_exponent(signal: Numbers, noise_std: Numbers, learning_rate: Numbers) -> Float[Array, "..."]:
    r"""Mean growth a step of a linear neuron f = w_1 w_2 near zero weights, under noisy labels m + s xi.

    .. math:: w_1 \pm w_2 \to (w_1 \pm w_2)\,\big(1 \pm \eta (m + s \xi)\big)

    Parameters
    ----------
    signal
        m, of either sign.
    noise_std
        s >= 0 of labels that are fresh at every step.
    learning_rate
        eta > 0.

    Returns
    -------
    Array
        That of the combination which grows faster: the neuron dies where it is negative. For small steps it is so
        where eta (s^2 + m^2) > 2 |m|.

    Raises
    ------
    OutsideDomain
        A learning rate that is not positive.

    References
    ----------
    chen2024, sign-invariant set of a neuron; this case derived.
    """
    if jnp.ndim(learning_rate) == 0:
        check_positive("learning_rate", learning_rate)
    rate = _real(learning_rate)
    return growth_exponent(rate * jnp.abs(_real(signal)), rate * _real(noise_std))


def label_noise_mean(signal: Numbers, noise_std: Numbers, learning_rate: Numbers) -> Float[Array, "..."]:
    r"""Mean of a balanced linear neuron's w_1 w_2 under label noise: each signal is thresholded softly.

    .. math:: E[w_1 w_2] = \mathrm{sign}(m)\,\max\big(|m| - \tfrac12 \eta s^2,\;0\big)

    Parameters
    ----------
    signal, noise_std, learning_rate
        As for ``label_noise_exponent``.

    Raises
    ------
    OutsideDomain
        A learning rate or noise that is negative.

    Notes
    -----
    Of small steps, eta m << 1: ``quartic_law`` for theta^2 = |w_1 w_2|. Measured 2% higher at eta m = 0.03 and 0.6 of
    the threshold noise.

    References
    ----------
    chen2024, as ``quartic_law``; for the neuron derived.
    """
    signal, spread, rate = (_real(value) for value in (signal, noise_std, learning_rate))
    for name, value in (("noise_std", spread), ("learning_rate", rate)):
        if is_concrete(value) and not np.all(np.asarray(value) >= 0):
            raise OutsideDomain(f"`{name}` is {value}; it must be at least 0.")
    return jnp.sign(signal) * quartic_law(jnp.abs(signal), jnp.sqrt(rate) * spread).mean_square


def _real(value: Numbers) -> Array:
    """In the dtype that it has; Python numbers adapt to what they meet."""
    return jnp.asarray(value if hasattr(value, "dtype") else float(value))
