"""Which samples a step of minibatch descent sees."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, Key


class Batches(eqx.Module):
    """Minibatches of a data set: by epochs, each in a new random order whose short rest is dropped, or drawn anew.

    Attributes
    ----------
    key
        Randomness of the order or of the draws.
    num_samples, batch_size
        Of the data set and of a step.
    replacement
        Whether every step draws its samples anew and independently, so that there are no epochs.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: bookkeeping.
    """

    key: Key[Array, ""]
    num_samples: int = eqx.field(static=True)
    batch_size: int = eqx.field(static=True)
    replacement: bool = eqx.field(static=True, default=False)

    def order(self, step: Int[Array, ""]) -> Int[Array, " num_samples"]:
        """The order of the samples in the epoch of a step."""
        if self.replacement:
            return jnp.arange(self.num_samples)
        epoch = step // (self.num_samples // self.batch_size)
        return jax.random.permutation(jax.random.fold_in(self.key, epoch), self.num_samples)

    def choose(
        self, step: Int[Array, ""], order: Int[Array, " num_samples"]
    ) -> tuple[Int[Array, " batch_size"], Int[Array, " num_samples"]]:
        """The samples of a step, and the order to hand to the next; ``order`` is that of the step before."""
        if self.replacement:
            drawn = jax.random.randint(jax.random.fold_in(self.key, step), (self.batch_size,), 0, self.num_samples)
            return drawn, order
        position = step % (self.num_samples // self.batch_size)
        order = lax.cond(position == 0, lambda: self.order(step), lambda: order)
        return lax.dynamic_slice(order, (position * self.batch_size,), (self.batch_size,)), order
