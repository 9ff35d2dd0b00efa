"""A student that sees other features than its teacher: jointly Gaussian ones, or random features of given data."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.numerics import gaussian_root
from solvable.tasks.samples import Samples, make_samples
from solvable.tasks.sign_teacher import TeacherOverlaps, sign_of


class GaussianCovariates(eqx.Module):
    r"""Jointly Gaussian features u of a teacher and x of a student; labels are :math:`\mathrm{sign}(\theta \cdot u)`.

    Attributes
    ----------
    teacher_covariance
        Psi = E u u^T, shape (teacher_dim, teacher_dim).
    cross_covariance
        Phi = E u x^T, shape (teacher_dim, input_dim).
    student_covariance
        Omega = E x x^T, shape (input_dim, input_dim).
    teacher
        theta, shape (teacher_dim,).

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    References
    ----------
    loureiro2021, Gaussian covariate model [all 1/sqrt(dimension) absorbed in u and x].
    """

    teacher_covariance: Float[Array, "teacher_dim teacher_dim"]
    cross_covariance: Float[Array, "teacher_dim input_dim"]
    student_covariance: Float[Array, "input_dim input_dim"]
    teacher: Float[Array, " teacher_dim"]

    def __check_init__(self):
        shape = (self.teacher_covariance.shape[0], self.student_covariance.shape[0])
        if self.cross_covariance.shape != shape or self.teacher.shape != shape[:1]:
            raise OutsideDomain(
                f"`cross_covariance` has shape {self.cross_covariance.shape} and `teacher` {self.teacher.shape}; the "
                f"covariances of both sides ask for {shape} and {shape[:1]}."
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.student_covariance.shape[:1]

    @property
    def cross(self) -> Float[Array, " input_dim"]:
        """b = E[x field] = Phi^T theta. Raises nothing. References: loureiro2021."""
        return self.teacher @ self.cross_covariance

    @property
    def teacher_power(self) -> Float[Array, ""]:
        """rho, the variance of the teacher's field. Raises nothing. References: loureiro2021."""
        return self.teacher @ self.teacher_covariance @ self.teacher

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """The student's features, labels +1 and -1. Raises OutsideDomain for no samples. References: loureiro2021."""
        check_count("num_samples", num_samples)
        joint = jnp.block(
            [[self.teacher_covariance, self.cross_covariance], [self.cross_covariance.T, self.student_covariance]]
        )
        white = jax.random.normal(key, (num_samples, joint.shape[0]), joint.dtype)
        both = white @ gaussian_root(joint).T
        fields = both[:, : self.teacher.size] @ self.teacher
        return make_samples(both[:, self.teacher.size :], sign_of(fields))

    def overlaps(self, weights: Float[Array, "*batch input_dim"]) -> TeacherOverlaps:
        """Of students x -> w.x with the teacher's field. Raises nothing. References: loureiro2021."""
        student = jnp.sum(weights @ self.student_covariance * weights, axis=-1)
        return TeacherOverlaps(weights @ self.cross, student, jnp.broadcast_to(self.teacher_power, student.shape))


def noisy_projection(
    key: Key[Array, ""],
    eigenvalues: Float[Array, " teacher_dim"],
    input_dim: int,
    *,
    projection_std: float = 1.0,
    noise_std: float = 0.0,
) -> GaussianCovariates:
    """A student that sees x = F u + noise, with random F and a random teacher of u.

    Parameters
    ----------
    key
        Randomness of F, of independent normal entries, and of the teacher, of independent standard normal ones.
    eigenvalues
        Of the covariance of u, which is diagonal.
    input_dim
        Of x.
    projection_std
        Standard deviation of F's entries times sqrt(teacher_dim).
    noise_std
        Standard deviation of the noise of each feature.

    Raises
    ------
    OutsideDomain
        No features, negative noise.

    References
    ----------
    loureiro2021, mismatched features.
    """
    check_count("input_dim", input_dim)
    check_non_negative("noise_std", noise_std)
    key_projection, key_teacher = jax.random.split(key)
    size, dtype = eigenvalues.size, eigenvalues.dtype
    projection = projection_std / size**0.5 * jax.random.normal(key_projection, (input_dim, size), dtype)
    cross = eigenvalues[:, None] * projection.T
    student = projection @ cross + noise_std**2 * jnp.eye(input_dim, dtype=dtype)
    return GaussianCovariates(jnp.diag(eigenvalues), cross, student, jax.random.normal(key_teacher, (size,), dtype))


def random_relu_features(
    key: Key[Array, ""], inputs: Float[Array, "num_samples input_dim"], num_features: int
) -> Float[Array, "num_samples num_features"]:
    """Centred ReLU features of data: max(0, W x) with random W, without their mean over the samples.

    Parameters
    ----------
    key
        Randomness of W, whose entries are independent and of variance 1/input_dim.
    inputs
        One a row.
    num_features
        How many; each is divided by sqrt(num_features), so that lengths do not grow with it.

    Raises
    ------
    OutsideDomain
        No features.

    References
    ----------
    loureiro2021, random features of real data.
    """
    check_count("num_features", num_features)
    weights = jax.random.normal(key, (inputs.shape[1], num_features), inputs.dtype) / inputs.shape[1] ** 0.5
    features = jnp.maximum(inputs @ weights, 0) / num_features**0.5
    return features - jnp.mean(features, axis=0)[None, :]
