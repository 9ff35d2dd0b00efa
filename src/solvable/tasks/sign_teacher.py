"""Labels that are the sign of a linear teacher's field, and how far a linear student's field is from it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.tasks.gaussian_features import GaussianFeatures
from solvable.tasks.samples import Samples


class TeacherOverlaps(eqx.Module):
    """Covariances of the fields of teacher and student on new samples, exactly.

    Attributes
    ----------
    cross, student, teacher
        m, q and rho, shape (*batch).

    References
    ----------
    loureiro2021, order parameters.
    """

    cross: Float[Array, "*batch"]
    student: Float[Array, "*batch"]
    teacher: Float[Array, "*batch"]

    @property
    def classification_error(self) -> Float[Array, "*batch"]:
        r"""How often their signs differ, :math:`\arccos(m/\sqrt{\rho q})/\pi`; 1/2 for no student. Raises nothing.

        References: loureiro2021.
        """
        size = jnp.sqrt(self.teacher * self.student)
        cosine = jnp.where(size > 0, self.cross / jnp.where(size > 0, size, 1), 0)
        return jnp.arccos(jnp.clip(cosine, -1, 1)) / jnp.pi


class SignTeacher(eqx.Module):
    """The task of telling the sign of the targets of independent features, noise within the sign.

    Attributes
    ----------
    features
        Inputs and the teacher's field: its targets.

    References
    ----------
    cui2023, classification under source and capacity conditions.
    """

    features: GaussianFeatures

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples with labels +1 and -1. Raises OutsideDomain for no samples. References: cui2023."""
        drawn = self.features.sample(key, num_samples)
        return Samples(drawn.inputs, sign_of(drawn.targets), drawn.weights)

    def overlaps(self, weights: Float[Array, "*batch mode"]) -> TeacherOverlaps:
        """Of students x -> w.x with the teacher's field. Raises nothing. References: cui2023."""
        learned, coefficients = self.features.learned(weights), self.features.coefficients
        noise = jnp.asarray(self.features.noise_std, coefficients.dtype) ** 2
        student = jnp.sum(learned**2, axis=-1)
        teacher = jnp.broadcast_to(jnp.sum(coefficients**2) + noise, student.shape)
        return TeacherOverlaps(learned @ coefficients, student, teacher)


@jax.jit
def sign_of(fields: Float[Array, "..."]) -> Float[Array, "..."]:
    """+1 and -1, where a field of 0 counts as positive. Raises nothing. References: none."""
    return jnp.where(fields < 0, -1, 1).astype(fields.dtype)
