"""Classification by the sign of ridge regression on labels +1 and -1: the best ridge, and what is left without one."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.theory.kernel.checks import Numbers
from solvable.theory.kernel.convex_equations import Setting, follow_spectrum
from solvable.theory.kernel.gaussian_covariate import StudentRisk, check_setting, shape_as
from solvable.theory.kernel.regression import kernel_risk
from solvable.theory.kernel.ridge_equation import map_over

_LOWEST, _HIGHEST = 1e-10, 1e4  # of the trace
_CANDIDATES = 57
_REFINEMENTS = 40
_GOLDEN = (np.sqrt(5) - 1) / 2


def ridge_classifier_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    ridge: Numbers = 0.0,
    teacher_power: float | Float[Array, ""] | None = None,
    multiplicities: Float[Array, " mode"] | None = None,
) -> StudentRisk:
    r"""The sign of kernel ridge regression on the signs of a teacher: ``classification_risk`` of half the square loss.

    To least squares a sign is the field itself, of gain :math:`c = \sqrt{2/(\pi \rho)}`, and noise: this is
    ``kernel_risk`` with the target c v_i and the noise :math:`1 - c^2 \sum_i v_i^2`.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, teacher_power, multiplicities
        As for ``classification_risk``.
    ridge
        delta >= 0.

    Raises
    ------
    OutsideDomain
        As ``classification_risk``.

    Notes
    -----
    Without a ridge the error hardly falls with n where modes are many: the noise that signs are is fitted. At the
    interpolation threshold the square error is infinite and the classification error 1/2.

    References
    ----------
    cui2023, ridge classification; loureiro2021, square loss.
    """
    setting, shape = check_setting(
        eigenvalues, target_power, num_samples, teacher_power, multiplicities, ridge=ridge, noise=0.0
    )
    return shape_as(_risk(setting), shape)


def best_classifier_ridge(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    teacher_power: float | Float[Array, ""] | None = None,
    multiplicities: Float[Array, " mode"] | None = None,
) -> Float[Array, "*batch"]:
    """The ridge at which the sign of kernel ridge regression errs least, to about 1e-4 of itself.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, teacher_power, multiplicities
        As for ``classification_risk``.

    Returns
    -------
    Array
        delta from 1e-10 to 1e4 times the trace; an end of this range where the error falls on beyond.

    Raises
    ------
    OutsideDomain
        As ``classification_risk``.

    References
    ----------
    cui2023, ridge classification at optimal regularisation.
    """
    setting, shape = check_setting(
        eigenvalues, target_power, num_samples, teacher_power, multiplicities, ridge=0.0, noise=0.0
    )
    return _best(setting).reshape(shape)


@jax.jit
def _risk(setting: Setting) -> StudentRisk:
    eigenvalues, power, multiplicities, rho, num_samples, ridge, _ = setting
    gain = jnp.sqrt(2 / (jnp.pi * rho))
    noise = jnp.broadcast_to(1 - gain**2 * jnp.sum(power), num_samples.shape)
    risk = kernel_risk(
        eigenvalues, gain**2 * power, num_samples, ridge=ridge, noise=noise, multiplicities=multiplicities
    )

    def follow(numbers):
        return follow_spectrum(Setting(*setting[:4], *numbers[:3]), *numbers[3:])

    spread, over_batch = risk.test / num_samples, jnp.ones_like(num_samples)
    numbers = (*setting[4:], risk.effective_ridge, gain * over_batch, spread)
    student = map_over(follow, numbers, eigenvalues.size)
    return StudentRisk(
        num_samples=num_samples,
        effective_ridge=risk.effective_ridge,
        gain=student.gain,
        spread=spread,
        overlap_cross=student.along * jnp.sqrt(rho),
        overlap_student=student.along**2 + student.across**2,
        overlap_teacher=rho * over_batch,
        across=student.across,
        active_share=student.learned / num_samples,
        train_loss=risk.train / 2,
        square_error=risk.test,
    )


@jax.jit
def _best(setting: Setting) -> Array:
    trace = jnp.sum(setting.multiplicities * setting.eigenvalues)
    candidates = jnp.linspace(np.log(_LOWEST), np.log(_HIGHEST), _CANDIDATES, dtype=trace.dtype)
    spacing = candidates[1] - candidates[0]

    def errors(num_samples, logs):
        numbers = (jnp.broadcast_to(num_samples, logs.shape), trace * jnp.exp(logs), jnp.zeros_like(logs))
        return _risk(Setting(*setting[:4], *numbers)).classification_error

    def narrow(num_samples):
        middle = candidates[jnp.argmin(errors(num_samples, candidates))]
        low, high = jnp.maximum(middle - spacing, candidates[0]), jnp.minimum(middle + spacing, candidates[-1])

        def shrink(_, ends):
            low, high = ends
            inner = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            left, right = errors(num_samples, jnp.stack(inner))
            return jnp.where(left < right, low, inner[0]), jnp.where(left < right, inner[1], high)

        low, high = lax.fori_loop(0, _REFINEMENTS, shrink, (low, high))
        return trace * jnp.exp((low + high) / 2)

    return lax.map(narrow, setting.num_samples)
