"""The test error of a deep linear network on white inputs, forecast from its training data alone."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.data_modes import Modes
from solvable.forecasting.settings import Settings
from solvable.tasks import Moments, Samples
from solvable.theory import linear

# Inputs whose covariance is the identity up to this are white.
_WHITE = 1e-6
# One layer starts from nothing; the formula for any depth wants a number above 0.
_NOTHING = 1e-12
# Times among which the best one to stop at is sought.
_FINE = 3000


@dataclass(frozen=True)
class TestForecast:
    """Test loss at the records, the step at which it is smallest, and what there is to say; None where unknown."""

    __test__ = False  # not a test, whatever its name

    loss: np.ndarray | None = None
    best_step: float | None = None
    remarks: tuple[str, ...] = ()


def forecast_test_error(
    samples: Samples, moments: Moments, modes: Modes, steps: np.ndarray, settings: Settings
) -> TestForecast:
    r"""Half the mean squared error on new data of the same kind, along training.

    .. math:: L_{\mathrm{test}} = \tfrac12\big[\sigma^2 + |W - T|^2\big], \qquad
       \sigma^2 = \frac{P}{P - d - 1}\,2 L_{\min}

    Parameters
    ----------
    samples, moments, modes
        The training data: P samples of d white inputs.
    steps
        Where to forecast.
    settings
        The network and its training.

    Returns
    -------
    TestForecast
        Empty where no test part was asked for.

    Raises
    ------
    Raises nothing: where the theory does not apply, a remark says why.

    Notes
    -----
    The training data tell the noise (from what the best map leaves over) and, through the singular values that stand
    out of it, how much of each mode is signal. What inputs were whitened with is itself a sample: along the noise in W,
    new ones vary by P / (P - d - 1) on average, for Gaussian inputs.

    References
    ----------
    lampinen2018, train and test error, optimal stopping; fukumizu1998, overtraining.
    """
    if not settings.test_share:
        return TestForecast()
    num_samples, dim = samples.inputs.shape
    if np.abs(np.asarray(moments.sigma_zz) - np.eye(dim)).max() > _WHITE:
        return TestForecast(remarks=("The test error is measured only: its theory is for white inputs; say --whiten.",))
    if num_samples <= dim + 2:
        return TestForecast(
            remarks=(
                f"The test error is measured only: {num_samples} samples do not determine {dim} components; ask for "
                "fewer --components.",
            )
        )
    spread = num_samples / (num_samples - dim - 1)
    noise_power = spread * (float(moments.target_power) - float(np.sum(modes.covariance**2)))
    # Centred classes add up to 0: outputs without correlation carry no noise of their own either.
    outputs = modes.covariance.size
    noise_std = float(np.sqrt(max(noise_power, 1e-300) / outputs * dim / num_samples))
    spectrum = linear.observed_spectrum(
        jnp.asarray(modes.covariance), output_dim=outputs, input_dim=dim, width=settings.width, noise_std=noise_std
    )
    end = steps[-1] * settings.learning_rate
    excess = _excess(spectrum, dim, noise_std, spread, settings)
    fine = np.linspace(0, end, _FINE)
    signals = int(np.sum(np.asarray(spectrum.shared) > 0))
    return TestForecast(
        (noise_power + excess(steps * settings.learning_rate)) / 2,
        float(fine[np.argmin(excess(fine))] / settings.learning_rate),
        (f"{signals} of {outputs} modes stand out of the noise, whose standard deviation is {noise_std:.3g} there.",),
    )


def _excess(
    spectrum: linear.LearnedSpectrum, dim: int, noise_std: float, spread: float, settings: Settings
) -> Callable[[np.ndarray], np.ndarray]:
    """|W - T|^2 at some times, on inputs that vary otherwise than those that were whitened.

    Signal was whitened with the same sample as it was measured with, and stays as it is; what noise there is in the
    learned modes meets the new inputs' variance.
    """
    start = jnp.asarray(max(settings.start_strength, _NOTHING))
    aspect = spectrum.values.size / dim
    teacher = noise_std * linear.teacher_singular_value(spectrum.values / noise_std, aspect)
    signal = jnp.where(teacher > 0, spectrum.shared / jnp.where(teacher > 0, teacher, 1), 0) ** 2

    @jax.jit
    def at(times: jax.Array) -> jax.Array:
        strengths = linear.depth_mode(times[:, None], spectrum.values[None], start, settings.depth)
        noise = strengths**2 @ (spectrum.counts * (1 - signal))
        curves = linear.generalisation_curves(times, spectrum, start, depth=settings.depth)
        return curves.test_error + (spread - 1) * noise

    return lambda times: np.asarray(at(jnp.asarray(times)))
