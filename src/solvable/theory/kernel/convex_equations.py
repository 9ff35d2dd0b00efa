r"""The equations of a linear student with a convex loss, and their solution.

Whatever the loss, the student learns as kernel ridge regression does at some ridge kappa, from labels of some gain c
along the teacher and some spread chi: its coefficient along mode i is :math:`c L_i v_i` on average with variance
:math:`\chi L_i^2`, where :math:`L_i = \lambda_i/(\lambda_i + \kappa)`. The three are found in logarithms.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import ndtr
from jax.scipy.stats import norm
from jaxtyping import Array

from solvable.theory.kernel.losses import Loss

_MOST_STEPS = 50
_LONGEST_STEP = 3.0  # in logarithms
_PANELS = 24  # on either side of 0
_REACH = 9.0  # standard deviations
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


class Setting(NamedTuple):
    """A spectrum and a teacher, of whose variance the modes hold a part; one n, ridge and noise of labels.

    References
    ----------
    loureiro2021, Gaussian covariate model.
    """

    eigenvalues: Array
    target_power: Array
    multiplicities: Array
    teacher_power: Array
    num_samples: Array
    ridge: Array
    noise: Array


class Student(NamedTuple):
    """What kappa, c and chi make of the student: output = along * teacher + across * rest, both of unit variance.

    ``learned`` is the sum of L_i, ``missed`` the squared distance to the teacher, ``step`` the V of proximal operators.

    References
    ----------
    loureiro2021, order parameters: m = along sqrt(rho), q = along^2 + across^2.
    """

    kappa: Array
    gain: Array
    spread: Array
    along: Array
    across: Array
    learned: Array
    missed: Array
    step: Array


class Averages(NamedTuple):
    """Over new samples u, of what a sample's presence in the training set does to itself, D(u) = P(u) - u.

    ``active`` is -E[D'], between 0 and 1; ``square`` is E[D^2]; ``gain`` is c; ``train`` the loss E[l(P(u))].

    References
    ----------
    loureiro2021, loss equations: Vhat = n active/V, qhat = n square/V^2, mhat = gain Vhat.
    """

    active: Array
    square: Array
    gain: Array
    train: Array


Equations = Callable[[Array, Setting], tuple[Array, Any]]


def margin_equations(loss: Loss) -> Equations:
    """Those of classification, for (ln kappa, ln c, ln chi). Raises nothing. References: loureiro2021."""

    def equations(logs, setting):
        student = follow_spectrum(setting, *jnp.exp(logs))
        averages = _average_margins(loss, setting, student)
        return _gaps(setting, student, averages), (student, averages)

    return equations


def residual_equations(loss: Loss) -> Equations:
    """Those of regression, for (ln kappa, ln chi): labels have gain 1. Raises nothing. References: loureiro2021."""

    def equations(logs, setting):
        kappa, spread = jnp.exp(logs)
        student = follow_spectrum(setting, kappa, jnp.ones_like(kappa), spread)
        averages = _average_residuals(loss, setting, student)
        return _gaps(setting, student, averages)[::2], (student, averages)

    return equations


def follow(equations: Equations, start: Array, path: Setting) -> tuple[Student, Averages]:
    """What solves equations of logarithms at the end of a path of settings, followed from its beginning.

    Raises nothing. References: loureiro2021.
    """

    def advance(carry, place):
        before, now = carry
        found, parts = _solve(lambda logs: equations(logs, place), 2 * now - before)
        return (now, found), parts

    _, parts = lax.scan(advance, (start, start), path)
    return jax.tree.map(lambda part: part[-1], parts)


def _solve(equations: Callable[[Array], tuple[Array, Any]], start: Array) -> tuple[Array, Any]:
    """Levenberg's method: steps that do not bring the equations closer are shortened."""
    shifts = jnp.finfo(start.dtype).eps ** 0.5 * jnp.eye(start.size + 1, start.size, -1, start.dtype)

    def evaluate(logs):
        # Differences along each logarithm: exact derivatives of the averages take much longer to compile.
        gaps, parts = jax.vmap(equations)(logs[None, :] + shifts)
        slopes = (gaps[1:] - gaps[:1]).T / shifts[1, 0]
        return jax.tree.map(lambda part: part[0], (gaps, parts)), slopes

    def unfinished(state):
        count, _, _, ((gaps, _), _), damping = state
        eps = jnp.finfo(gaps.dtype).eps
        return (count < _MOST_STEPS) & (jnp.max(jnp.abs(gaps)) > 1e3 * eps) & (damping < 1 / eps)

    def improve(state):
        count, logs, trial, best, damping = state
        found = evaluate(trial)
        better = jnp.linalg.norm(found[0][0]) < jnp.linalg.norm(best[0][0])  # never where it is NaN
        damping = jnp.where(better, damping * jnp.where(damping > 1e-6, 0.1, 0), 10 * jnp.maximum(damping, 1e-4))
        logs, best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (trial, found), (logs, best))
        (gaps, _), slopes = best
        step = -jnp.linalg.solve(slopes.T @ slopes + damping * jnp.eye(start.size, dtype=start.dtype), slopes.T @ gaps)
        step = step * jnp.minimum(1, _LONGEST_STEP / jnp.max(jnp.abs(step)))
        return count + 1, logs, logs + step, best, damping

    nothing = jax.tree.map(lambda shape: jnp.full(shape.shape, jnp.inf, shape.dtype), jax.eval_shape(evaluate, start))
    state = (0, start, start, nothing, jnp.zeros((), start.dtype))
    _, logs, _, ((_, parts), _), _ = lax.while_loop(unfinished, improve, state)
    return logs, parts


def _gaps(setting: Setting, student: Student, averages: Averages) -> Array:
    """How far, in logarithms, what the averages make of kappa, c and chi is from what was put in."""
    samples = setting.num_samples * averages.active
    balance = student.learned / samples  # as many modes are learned as samples are active
    spread = averages.square / (samples * averages.active * student.spread)
    return jnp.log(jnp.stack([balance, averages.gain / student.gain, spread]))


def follow_spectrum(setting: Setting, kappa: Array, gain: Array, spread: Array) -> Student:
    """The student of these three numbers; kappa = 0 learns every mode that it sees.

    Raises nothing. References: loureiro2021, spectral equations.
    """
    eigenvalues, power, multiplicities, rho = setting[:4]
    seen = eigenvalues > 0
    total = jnp.where(seen, eigenvalues + kappa, 1)
    unlearned, learnability = jnp.where(seen, kappa / total, 1), jnp.where(seen, eigenvalues / total, 0)
    beyond = jnp.maximum(rho - jnp.sum(power), 0)
    share = jnp.sum(learnability * power) / rho
    # The variance of learnability under the target's power, where what no mode holds is learned by nought.
    uneven = (jnp.sum(power * (unlearned - (1 - share)) ** 2) + beyond * share**2) / rho
    learned = jnp.sum(multiplicities * learnability)
    random = spread * jnp.sum(multiplicities * learnability**2)
    return Student(
        kappa=kappa,
        gain=gain,
        spread=spread,
        along=gain * share * jnp.sqrt(rho),
        across=jnp.sqrt(random + gain**2 * rho * uneven),
        learned=learned,
        missed=random + jnp.sum((1 - gain * learnability) ** 2 * power) + beyond,
        step=kappa * learned / setting.ridge,
    )


def _average_margins(loss: Loss, setting: Setting, student: Student) -> Averages:
    """Over margins u = y z, with labels y = sign(teacher)."""
    size = jnp.hypot(student.along, student.across)

    def densities(points):
        across = points / student.across
        border = norm.pdf(across) / student.across  # of samples whose label is about to change
        return 2 * norm.pdf(points / size) / size * ndtr(across * student.along / size), border

    averages, at_border = _average(loss, student.step, densities, student.across, size)
    root = jnp.sqrt(2 * jnp.pi * setting.teacher_power)
    return averages._replace(gain=2 * at_border / (root * averages.active))


def _average_residuals(loss: Loss, setting: Setting, student: Student) -> Averages:
    """Over residuals u = y - z, with labels y = teacher + noise."""
    size = jnp.sqrt(student.missed + setting.noise)
    return _average(loss, student.step, lambda points: (norm.pdf(points / size) / size,) * 2, size, size)[0]


def _average(loss: Loss, step: Array, densities: Callable, left: Array, right: Array) -> tuple[Averages, Array]:
    """Under the first density, whose tails have standard deviations ``left`` and ``right``; of D under the second."""
    points, weights = _rule(left, right, loss.kinks(step))
    solutions, slopes = jax.jvp(lambda point: loss.proximal(point, step), (points,), (jnp.ones_like(points),))
    density, other = (weights * values for values in densities(points))
    moved = solutions - points
    active, square, train = (jnp.sum(density * values) for values in (1 - slopes, moved**2, loss(solutions)))
    return Averages(active, square, jnp.ones_like(active), train), jnp.sum(other * moved)


def _rule(left: Array, right: Array, kinks: tuple[float | Array, ...]) -> tuple[Array, Array]:
    """Points and weights on both sides of 0: panels that grow in proportion to their distance, cut at kinks."""
    finest = jnp.minimum(left, 1) / 100
    sides = [jnp.geomspace(finest, _REACH * reach, _PANELS) for reach in (left, right)]
    cuts = [jnp.clip(jnp.asarray(kink, left.dtype), -_REACH * left, _REACH * right)[None] for kink in kinks]
    edges = jnp.sort(jnp.concatenate([-sides[0], jnp.zeros_like(left)[None], sides[1], *cuts]))
    half = jnp.diff(edges)[:, None] / 2
    nodes, weights = (jnp.asarray(values, left.dtype)[None, :] for values in (_NODES, _WEIGHTS))
    return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
