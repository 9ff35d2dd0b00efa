"""How the effective ridge of random-feature regression is found: Newton's method in logarithms, inside a bracket."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.theory.kernel.ridge_equation import map_over, newton_in_bracket


class Sizes(NamedTuple):
    """P, N and the ridge over P of one problem, or of each."""

    samples: Array
    features: Array
    ridge: Array

    @property
    def scarce(self) -> Array:
        return jnp.minimum(self.samples, self.features)

    @property
    def lead(self) -> Array:
        """1/n - 1/m of the scarcer and the more plentiful of both."""
        return 1 / self.scarce - 1 / jnp.maximum(self.samples, self.features)

    def free_share(self, learned: Array, kappa: Array) -> tuple[Array, Array]:
        """1 - z/n of the scarcer, and what divides its derivatives.

        It comes without cancellation from both free shares' difference, and their product, ridge/kappa.
        """
        difference, product = learned * self.lead, self.ridge / jnp.where(kappa > 0, kappa, 1)
        square = difference**2 + 4 * product
        root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        share = 2 * product / jnp.where(root > 0, difference + root, 1)
        # At kappa = 0 every mode is learned, and the share is plain.
        return jnp.where(kappa > 0, share, jnp.maximum(1 - learned / self.scarce, 0)), root


@jax.jit
def solve_feature_ridge(
    eigenvalues: Float[Array, " mode"], multiplicities: Float[Array, " mode"], sizes: Sizes
) -> Float[Array, "*batch"]:
    """kappa_2 of each problem: 0 where there is no ridge and no fewer samples and features than modes.

    Raises nothing. References: atanasov2024.
    """
    positive = (eigenvalues > 0) & (multiplicities > 0)
    modes = jnp.sum(jnp.where(positive, multiplicities, 0))
    least = jnp.min(jnp.where(positive, eigenvalues, jnp.inf))
    trace = jnp.sum(multiplicities * eigenvalues)

    def solve(sizes):
        surplus = jnp.where(modes > sizes.scarce, least * (modes / sizes.scarce - 1), 0)
        low, high = jnp.maximum(sizes.ridge, surplus), sizes.ridge + trace / sizes.samples + trace / sizes.features
        free = low > 0
        # A harmless instance stands in where kappa is 0.
        low, high, ridge = (jnp.where(free, value, 1) for value in (low, high, sizes.ridge))
        sizes = sizes._replace(ridge=ridge)
        fixed = lax.stop_gradient((eigenvalues, multiplicities, sizes))
        ends = lax.stop_gradient((jnp.log(low), jnp.log(high)))
        rough = newton_in_bracket(lambda log: _gap(*fixed, log), *ends)
        # One more step of Newton's, through which derivatives flow.
        gap, slope = _gap(eigenvalues, multiplicities, sizes, rough)
        return jnp.where(free, jnp.exp(rough - gap / lax.stop_gradient(slope)), 0)

    return map_over(solve, sizes, eigenvalues.size)


def _gap(eigenvalues: Array, multiplicities: Array, sizes: Sizes, log: Array) -> tuple[Array, Array]:
    """ln(what is learned / n + what is free of the scarcer), which is ln 1 at kappa_2 = e^log, and its derivative."""
    kappa = jnp.exp(log)
    learnability = eigenvalues / (eigenvalues + kappa)
    learned = jnp.sum(multiplicities * learnability)
    falling = jnp.sum(multiplicities * learnability * (1 - learnability))
    free, root = sizes.free_share(learned, kappa)
    total = learned / sizes.scarce + free
    freed = jnp.where(root > 0, (free * falling * sizes.lead - sizes.ridge / kappa) / jnp.where(root > 0, root, 1), 0)
    return jnp.log(total), (freed - falling / sizes.scarce) / total
