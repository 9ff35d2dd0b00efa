"""Linear classifiers and regressors of any convex loss: what they learn of a teacher on correlated Gaussian inputs.

The student sees features of covariance eigenvalues lambda_i, along which the teacher has the power v_i^2; a part of the
teacher may be invisible to it. Losses are summed over samples, plus (ridge/2)|w|^2.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, check_power, check_spectrum
from solvable.theory.kernel.convex_equations import (
    Averages,
    Equations,
    Setting,
    Student,
    follow,
    margin_equations,
    residual_equations,
)
from solvable.theory.kernel.losses import HardMargin, Loss
from solvable.theory.kernel.regression import check_numbers
from solvable.theory.kernel.separability import separable_samples

_STAGES = 8


class StudentRisk(eqx.Module):
    r"""What a linear student learns of its teacher from n samples, in the limit of many samples and modes.

    Attributes
    ----------
    num_samples
        n, shape (*batch), as all that follows.
    effective_ridge, gain, spread
        kappa, c and chi: the learned coefficient along mode i has mean :math:`c L_i v_i` and variance
        :math:`\chi L_i^2`, with the learnability :math:`L_i = \lambda_i/(\lambda_i + \kappa)`.
    overlap_cross, overlap_student, overlap_teacher
        m, q and rho: covariances of teacher and student outputs.
    across
        Standard deviation of the student's output given the teacher's, :math:`\sqrt{q - m^2/\rho}`, to all digits.
    active_share
        Modes learned for each sample, :math:`\sum_i L_i/n`: of a hard margin, the share of support vectors.
    train_loss
        Mean loss of a training sample, without the ridge.
    square_error
        Mean squared distance of the student's output to the label of a new sample.

    References
    ----------
    loureiro2021, order parameters and observables; cui2023.
    """

    num_samples: Float[Array, "*batch"]
    effective_ridge: Float[Array, "*batch"]
    gain: Float[Array, "*batch"]
    spread: Float[Array, "*batch"]
    overlap_cross: Float[Array, "*batch"]
    overlap_student: Float[Array, "*batch"]
    overlap_teacher: Float[Array, "*batch"]
    across: Float[Array, "*batch"]
    active_share: Float[Array, "*batch"]
    train_loss: Float[Array, "*batch"]
    square_error: Float[Array, "*batch"]

    @property
    def classification_error(self) -> Float[Array, "*batch"]:
        r"""How often the signs of student and teacher differ, :math:`\arccos(m/\sqrt{\rho q})/\pi`. Raises nothing.

        References: loureiro2021, observables.
        """
        return jnp.arctan2(self.across, self.overlap_cross / jnp.sqrt(self.overlap_teacher)) / jnp.pi


def classification_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    loss: Loss,
    *,
    ridge: Numbers,
    teacher_power: float | Float[Array, ""] | None = None,
    multiplicities: Float[Array, " mode"] | None = None,
) -> StudentRisk:
    r"""A classifier that minimises :math:`\sum_\mu l(y_\mu w \cdot x_\mu) + (\lambda/2)|w|^2`, labels a teacher's sign.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, multiplicities
        As for ``kernel_risk``: v_i^2 is the teacher's power along each mode.
    loss
        l of the margin, e.g. ``LOGISTIC``, ``SquareLoss(1.0)``, or any ``Loss``.
    ridge
        lambda > 0, a number or an array like ``num_samples``.
    teacher_power
        rho, the variance of the teacher's field whose sign is the label; at least the sum of ``target_power``, which
        it is unless given. What is more, the student cannot see: features that miss a part of it, or noise within the
        sign.

    Raises
    ------
    OutsideDomain
        As ``kernel_risk``; a ridge that is not positive, a teacher of no power or of less than the modes hold.

    Notes
    -----
    Means over draws are off by a relative order 1/n. Averages of m and q are what the equations give; the mean of the
    classification error itself is a few percent lower where few modes carry the teacher. Losses without a finite
    minimum on separable data grow like ln(1/ridge) there, and are found for ridges down to 1e-8 of the trace.

    References
    ----------
    loureiro2021, spectral and loss equations [all 1/sqrt(d) absorbed; b_i = sqrt(lambda_i) v_i].
    """
    check_positive("ridge", ridge)
    setting, shape = check_setting(
        eigenvalues, target_power, num_samples, teacher_power, multiplicities, ridge=ridge, noise=0.0
    )
    return shape_as(_classify(loss, setting), shape)


def regression_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    loss: Loss,
    *,
    ridge: Numbers,
    noise: Numbers = 0.0,
    teacher_power: float | Float[Array, ""] | None = None,
    multiplicities: Float[Array, " mode"] | None = None,
) -> StudentRisk:
    r"""A regressor that minimises :math:`\sum_\mu l(y_\mu - w \cdot x_\mu) + (\lambda/2)|w|^2`, labels a teacher's.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, ridge, teacher_power, multiplicities
        As for ``classification_risk``.
    loss
        l of the residual, symmetric; with ``SquareLoss(0.0)`` this is ``kernel_risk``.
    noise
        Variance of Gaussian noise of the labels.

    Raises
    ------
    OutsideDomain
        As ``classification_risk``; negative noise.

    References
    ----------
    loureiro2021, loss equations with a linear teacher.
    """
    check_positive("ridge", ridge)
    setting, shape = check_setting(
        eigenvalues, target_power, num_samples, teacher_power, multiplicities, ridge=ridge, noise=noise
    )
    return shape_as(_regress(loss, setting), shape)


def max_margin_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    teacher_power: float | Float[Array, ""] | None = None,
    multiplicities: Float[Array, " mode"] | None = None,
) -> StudentRisk:
    r"""The classifier of largest margin: the shortest w with :math:`y_\mu w \cdot x_\mu \ge 1`, without an offset.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, teacher_power, multiplicities
        As for ``classification_risk``.

    Raises
    ------
    OutsideDomain
        As ``classification_risk``; more samples than can be separated, which happens where ``teacher_power`` is more
        than the modes hold.

    Notes
    -----
    The scale of w fluctuates from draw to draw: compare the mean classification error, which is 2 to 7% below this one
    at 100 to 400 samples, rather than mean overlaps.

    References
    ----------
    cui2023, max-margin classification at finite n.
    """
    setting, shape = check_setting(
        eigenvalues, target_power, num_samples, teacher_power, multiplicities, ridge=1.0, noise=0.0
    )
    _check_separable(setting)
    return shape_as(_separate(setting), shape)


@eqx.filter_jit
def _classify(loss: Loss, setting: Setting) -> StudentRisk:
    return _over_batch(lambda one: _judge_classifier(one, *_lower_ridge(margin_equations(loss), one, 3)), setting)


@eqx.filter_jit
def _regress(loss: Loss, setting: Setting) -> StudentRisk:
    def solve(one):
        student, averages = _lower_ridge(residual_equations(loss), one, 2)
        return _record(one, student, averages, student.missed + one.noise)

    return _over_batch(solve, setting)


@jax.jit
def _separate(setting: Setting) -> StudentRisk:
    def solve(one):
        # One sample is easy, and the scale of the loss plays no part.
        path = _path(one, num_samples=jnp.geomspace(jnp.minimum(one.num_samples, 1), one.num_samples, _STAGES))
        return _judge_classifier(one, *follow(margin_equations(HardMargin()), _start(path, 3), path))

    return _over_batch(solve, setting)


def _lower_ridge(equations: Equations, one: Setting, unknowns: int) -> tuple[Student, Averages]:
    """From a ridge at which little is learned of anything, where the loss acts by its slope at 0 alone."""
    high = jnp.maximum(one.ridge, jnp.sum(one.multiplicities * one.eigenvalues))
    path = _path(one, ridge=jnp.geomspace(high, one.ridge, _STAGES))
    return follow(equations, _start(path, unknowns), path)


def _path(one: Setting, **varied: Array) -> Setting:
    stages = jax.tree.map(lambda value: jnp.broadcast_to(value, (_STAGES, *value.shape)), one)
    return stages._replace(**varied)


def _start(path: Setting, unknowns: int) -> Array:
    first = jax.tree.map(lambda value: value[0], path)
    trace = jnp.sum(first.multiplicities * first.eigenvalues)
    kappa, spread = (trace + first.ridge) / first.num_samples, 1 / first.num_samples
    if unknowns == 2:
        return jnp.log(jnp.stack([kappa, spread * (first.teacher_power + first.noise)]))
    return jnp.log(jnp.stack([kappa, jnp.sqrt(2 / (jnp.pi * first.teacher_power)), spread]))


def _judge_classifier(one: Setting, student: Student, averages: Averages) -> StudentRisk:
    fit = jnp.sqrt(2 / jnp.asarray(jnp.pi, student.along.dtype)) * student.along  # E[y z]
    return _record(one, student, averages, jnp.maximum(1 - 2 * fit + student.along**2 + student.across**2, 0))


def _record(one: Setting, student: Student, averages: Averages, square_error: Array) -> StudentRisk:
    return StudentRisk(
        num_samples=one.num_samples,
        effective_ridge=student.kappa,
        gain=student.gain,
        spread=student.spread,
        overlap_cross=student.along * jnp.sqrt(one.teacher_power),
        overlap_student=student.along**2 + student.across**2,
        overlap_teacher=jnp.broadcast_to(one.teacher_power, student.along.shape),
        across=student.across,
        active_share=averages.active,
        train_loss=averages.train,
        square_error=square_error,
    )


def _over_batch(solve: Any, setting: Setting) -> StudentRisk:
    """One by one: each takes as many steps as it needs, and the program is shorter than that of a batch."""
    fixed, varied = setting[:4], setting[4:]
    return lax.map(lambda numbers: solve(Setting(*fixed, *numbers)), varied)


def check_setting(
    eigenvalues: Array,
    power: Array,
    num_samples: Numbers,
    teacher_power: float | Array | None,
    multiplicities: Array | None,
    *,
    ridge: Numbers,
    noise: Numbers,
) -> tuple[Setting, tuple[int, ...]]:
    """The setting with flat arrays of numbers, and their shape.

    Raises OutsideDomain for what has no meaning. References: loureiro2021.
    """
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    check_power(power, eigenvalues)
    numbers = check_numbers(eigenvalues, num_samples=num_samples, ridge=ridge, noise=noise)
    seen = _seen_power(eigenvalues, power)
    rho = jnp.sum(power) if teacher_power is None else jnp.asarray(teacher_power, eigenvalues.dtype)
    if is_concrete(rho) and is_concrete(power):
        check_positive("teacher_power", rho, "a teacher without power has no sign to learn")
        rounding = 1e2 * float(jnp.finfo(rho.dtype).eps)
        if float(rho) < np.asarray(power).sum() * (1 - rounding):
            raise OutsideDomain(
                f"`teacher_power` is {rho}; it must be at least {np.asarray(power).sum()}, the power along the modes."
            )
    flat = [number.ravel() for number in numbers]
    return Setting(eigenvalues, seen, multiplicities, rho, *flat), numbers[0].shape


def _check_separable(setting: Setting) -> None:
    if not all(map(is_concrete, setting)):
        return
    eigenvalues, power, multiplicities, rho, num_samples, *_ = (np.asarray(value, float) for value in setting)
    share = power.sum() / rho
    if share > 1 - 1e2 * np.finfo(setting.teacher_power.dtype).eps:
        return
    most = float(separable_samples(multiplicities[eigenvalues > 0].sum(), share))
    if np.any(num_samples >= most):
        raise OutsideDomain(
            f"`num_samples` is {num_samples.max():g}; it must be below {most:g}, up to which a linear classifier "
            f"separates labels of which the modes hold a share of {share:.4g}: use a loss with a ridge beyond."
        )


@jax.jit
def _seen_power(eigenvalues: Array, power: Array) -> Array:
    """Along modes of eigenvalue 0 the student sees nothing of the teacher."""
    return jnp.where(eigenvalues > 0, power, 0)


def shape_as(risk: StudentRisk, shape: tuple[int, ...]) -> StudentRisk:
    """The flat batch in the shape the numbers came in. Raises nothing. References: none."""
    return jax.tree.map(lambda part: part.reshape(shape), risk)
