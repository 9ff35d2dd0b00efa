"""Skills that never meet in one sample: some frequent, most rare."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.tasks.samples import FeatureMap, Moments, Samples, sample_moments


class SparseSkills(eqx.Module):
    r"""Each sample exercises one skill, drawn at its frequency: z_k = +-1 there, all other entries 0, y = S z_k.

    Inputs are the values z = (g_1(x), g_2(x), ...) of the skill functions themselves.

    Attributes
    ----------
    frequencies
        P_k, shape (skill,), with sum 1; ``power_law_spectrum(num_skills, alpha + 1)`` for a power law.
    target
        S, the strength that every skill should have.

    Raises
    ------
    OutsideDomain
        Frequencies that are negative or do not sum to 1.

    References
    ----------
    nam2025, Section on emergence; Nam et al. (2024), multitask sparse parity [g_k is the parity of task k].
    """

    frequencies: Float[Array, " skill"]
    target: float | Float[Array, ""] = 1.0

    def __check_init__(self):
        if not is_concrete(self.frequencies):
            return
        total, least = float(jnp.sum(self.frequencies)), float(jnp.min(self.frequencies))
        if least < 0 or not abs(total - 1) < 1e-3:
            raise OutsideDomain(
                f"`frequencies` sums to {total:g} and its least entry is {least:g}; frequencies are at least 0 and sum "
                "to 1: divide them by their sum."
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.frequencies.shape

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples. Raises OutsideDomain for a size below 1. References: nam2025."""
        check_count("num_samples", num_samples)
        key_skill, key_sign = jax.random.split(key)
        dtype = self.frequencies.dtype
        skills = jax.random.categorical(key_skill, jnp.log(self.frequencies), shape=(num_samples,))
        signs = jax.random.rademacher(key_sign, (num_samples,), dtype)
        inputs = jax.nn.one_hot(skills, self.frequencies.size, dtype=dtype) * signs[:, None]
        return Samples(inputs, self.target * signs[:, None], jnp.full(num_samples, 1 / num_samples, dtype))

    def moments(self, features: FeatureMap) -> Moments:
        """Exact population moments in any features, from one sample of either sign a skill. Raises nothing."""
        ones = jnp.eye(self.frequencies.size, dtype=self.frequencies.dtype)
        signs = jnp.repeat(jnp.array([1.0, -1.0], ones.dtype), ones.shape[0])[:, None]
        exact = Samples(jnp.concatenate([ones, -ones]), self.target * signs, jnp.tile(self.frequencies / 2, 2))
        return sample_moments(exact, features)
