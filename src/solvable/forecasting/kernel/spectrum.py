"""The population's spectrum and target from one sample: what is known of them, and every way the rest may go on.

The leading modes are those of the sample. Beyond them eigenvalues go on as the power law that has the trace left over;
the target's power left over is split between a power law of its own and noise, in every way. The errors of samples left
out of smaller and smaller parts tell how likely each way is.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from solvable.instruments import KernelModes
from solvable.theory.kernel import kernel_risk

# Modes taken as the sample has them: beyond, its eigenvalues are those of the sample rather than the population.
_TRUSTED = 1 / 10
_LEVELS, _LAST = 300, 1e9  # of the tail
_TAIL_EXPONENTS = np.linspace(1.1, 3.0, 9)
_NOISE_SHARES = np.array([0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
# Relative errors of the theory itself on images: common to all sizes, and of each size by itself.
_COMMON, _OWN = 0.05, 0.01


@dataclass(frozen=True)
class Spectrum:
    """Leading modes of a sample and the levels that go on from them.

    Attributes
    ----------
    eigenvalues, multiplicities
        Shape (level,).
    power
        Of the target along the leading modes, summed over outputs, 0 beyond, shape (level,).
    tails
        Ways in which what is left may lie along further modes, each of sum 1, shape (exponent, level).
    residual
        Power that is left.
    """

    eigenvalues: np.ndarray
    multiplicities: np.ndarray
    power: np.ndarray
    tails: np.ndarray
    residual: float

    def curves(self, num_samples: np.ndarray, ridges: np.ndarray) -> np.ndarray:
        """Test error with every tail and every share of noise, shape (exponent, noise, size).

        Parameters
        ----------
        num_samples, ridges
            One ridge for each number of samples, shape (size,).

        Raises
        ------
        Raises nothing.
        """
        known, excess = self._risk(self.power, num_samples, ridges)
        # The risk is linear in the target's power and in the noise.
        tails = np.stack([self._risk(tail, num_samples, ridges)[0] for tail in self.tails])
        noise = _NOISE_SHARES[None, :, None]
        return known + self.residual * ((1 - noise) * tails[:, None] + noise * excess)

    def _risk(self, power: np.ndarray, num_samples: np.ndarray, ridges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        risk = kernel_risk(
            jnp.asarray(self.eigenvalues),
            jnp.asarray(power),
            jnp.asarray(num_samples, float),
            ridge=jnp.asarray(ridges, float),
            multiplicities=jnp.asarray(self.multiplicities),
        )
        return np.asarray(risk.test), np.asarray(risk.overfitting)


@dataclass(frozen=True)
class Ensemble:
    """Every way the spectrum may go on, and how likely each is by the samples left out.

    Attributes
    ----------
    spectrum
        Whose curves.
    weights
        Of sum 1, shape (exponent, noise).
    scale
        Factor on each curve, near 1, shape (exponent, noise).
    """

    spectrum: Spectrum
    weights: np.ndarray
    scale: np.ndarray

    def curves(self, num_samples: np.ndarray, ridges: np.ndarray) -> np.ndarray:
        """As ``Spectrum.curves``, scaled."""
        return self.scale[..., None] * self.spectrum.curves(num_samples, ridges)

    def quantiles(self, values: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
        """Quantiles over the ways of what has one value each, or one at each size: shape (share,) or (share, size)."""
        flat = values.reshape(self.weights.size, -1)
        order = np.argsort(flat, axis=0)
        reached = np.cumsum(self.weights.ravel()[order], axis=0)
        picks = np.array([np.argmax(reached >= min(share, reached[-1].min()), axis=0) for share in shares])
        chosen = np.take_along_axis(flat, np.take_along_axis(order, picks, axis=0), axis=0)
        return chosen.reshape(len(shares), *values.shape[2:])

    def best_ridges(self, num_samples: np.ndarray, ridges: np.ndarray) -> np.ndarray:
        """Of each number of samples, the ridge of least error in the mean over the ways."""
        grid = np.meshgrid(num_samples, ridges, indexing="ij")
        curves = self.curves(grid[0].ravel(), grid[1].ravel())
        mean = np.einsum("en,ens->s", self.weights, curves).reshape(grid[0].shape)
        return ridges[np.argmin(mean, axis=1)]


def continue_spectrum(sample: KernelModes) -> Spectrum:
    """The population's spectrum and target, as far as a sample tells.

    Parameters
    ----------
    sample
        Its own spectrum and target.

    Raises
    ------
    Raises nothing.

    References
    ----------
    wei2022, the sample as the population; karkada2025, power debiased of what is left.
    """
    values, found, count = np.asarray(sample.eigenvalues), np.asarray(sample.target_power), sample.eigenvalues.size
    rank = int(np.sum(values > 0))
    # A kernel of few features is known whole: what is not along them is noise.
    modes = rank if 2 * rank <= count else max(int(count * _TRUSTED), 1)
    # What is not along the leading modes falls on their coefficients too, as much on each as on any other.
    sampling = np.sum(found[modes:]) / (count - modes)
    power = np.maximum(found[:modes] - sampling, 0)
    tail, multiplicities, middle = _tail(values, modes)
    laws = multiplicities * middle ** -_TAIL_EXPONENTS[:, None]
    return Spectrum(
        np.append(values[:modes], tail),
        np.append(np.ones(modes), multiplicities),
        np.append(power, np.zeros(tail.size)),
        np.hstack([np.zeros((len(laws), modes)), laws / laws.sum(axis=1, keepdims=True)]),
        float(max(np.sum(found) - np.sum(power), 0)),
    )


def weigh(spectrum: Spectrum, sizes: np.ndarray, left_out: np.ndarray, ridge: float) -> Ensemble:
    """How likely each way is, by the errors of samples left out at several sizes.

    Parameters
    ----------
    spectrum
        With its ways to go on.
    sizes
        Numbers of samples that were trained on, shape (size,).
    left_out
        Squared error of every sample at every size, shape (size, sample).
    ridge
        At which.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Gaussian in the logarithms of the mean errors, with their covariance over samples, and a factor common to all sizes
    for what the theory neglects: features of images are not Gaussian.
    """
    means = left_out.mean(axis=1)
    covariance = np.cov(left_out / means[:, None]) / left_out.shape[1] + _OWN**2 * np.eye(len(sizes))
    gaps = np.log(means) - np.log(spectrum.curves(sizes, np.full(len(sizes), ridge)))
    precision = np.linalg.inv(covariance)
    common = (gaps @ precision).sum(axis=-1) / (precision.sum() + _COMMON**-2)
    whole = np.linalg.inv(covariance + _COMMON**2)
    distance = np.einsum("eni,ij,enj->en", gaps, whole, gaps)
    weights = np.exp(-(distance - distance.min()) / 2)
    return Ensemble(spectrum, weights / weights.sum(), np.exp(common))


def _tail(values: np.ndarray, modes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues, multiplicities and middles of the levels beyond, whose trace is what the leading modes leave."""
    first = np.unique(np.geomspace(modes + 1, _LAST, _LEVELS).round())
    ends = np.append(first[1:], 2 * _LAST)
    multiplicities, middle = ends - first, np.sqrt(first * ends)
    missing = max(values.sum() - values[:modes].sum(), 0)
    last = np.exp(np.mean(np.log(values[modes - max(modes // 8, 1) : modes])))
    # lambda_i = last (i / modes)^-a has the trace last modes / (a - 1) beyond.
    exponent = 1 + last * modes / missing if missing > 0 else 1.0
    tail = (middle / modes) ** -min(exponent, 30.0)
    return tail * missing / np.sum(tail * multiplicities), multiplicities, middle
