"""A prompt: tokens with signs, and the word for the sign of their sum to be filled in at a mask."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from solvable.errors import OutsideDomain, check_count


class PromptTask(eqx.Module):
    """Sequences of tokens, a mask at their end, and the sign of their weighted sum.

    Words 0, 1, ... are the tokens; then come the label word for -1, that for +1, and the mask.

    Attributes
    ----------
    signs
        Of each token, +1 or -1.
    length
        Tokens before the mask.
    first_weight
        How much more than the others the first position counts; not a whole number, so that no sum vanishes.

    Raises
    ------
    OutsideDomain
        No tokens, or a weight that lets a sum vanish.

    References
    ----------
    malladi2023, prompt-based fine-tuning [a task of its kind that needs no data].
    """

    signs: tuple[int, ...] = eqx.field(static=True, default=(1,) * 8 + (-1,) * 7)
    length: int = eqx.field(static=True, default=8)
    first_weight: float = eqx.field(static=True, default=1.5)

    def __check_init__(self):
        check_count("length", self.length)
        check_count("the number of `signs`", len(self.signs))
        if float(self.first_weight).is_integer():
            raise OutsideDomain(f"`first_weight` is {self.first_weight}; it must not be whole, so that no sum is 0.")

    @property
    def words(self) -> int:
        """Size of the vocabulary."""
        return len(self.signs) + 3

    @property
    def label_words(self) -> tuple[int, int]:
        """The words for -1 and for +1."""
        return len(self.signs), len(self.signs) + 1

    def flip(self, *tokens: int) -> "PromptTask":
        """The task in which some tokens have the other sign: a downstream task. Raises nothing. References: none."""
        signs = tuple(-sign if token in tokens else sign for token, sign in enumerate(self.signs))
        return PromptTask(signs, self.length, self.first_weight)

    def sample(
        self, key: Key[Array, ""], num_samples: int
    ) -> tuple[Int[Array, "num_samples positions"], Float[Array, " num_samples"]]:
        """Sequences with the mask at their end, and their labels +1 and -1.

        Parameters
        ----------
        key
            Randomness.
        num_samples
            How many.

        Raises
        ------
        OutsideDomain
            No samples.

        References
        ----------
        malladi2023, as the class.
        """
        check_count("num_samples", num_samples)
        tokens = jax.random.randint(key, (num_samples, self.length), 0, len(self.signs))
        weights = np.ones(self.length)
        weights[0] = self.first_weight
        signs = jnp.asarray(self.signs, float)[tokens]
        masks = jnp.full((num_samples, 1), self.words - 1, tokens.dtype)
        return jnp.concatenate([tokens, masks], axis=1), jnp.sign(signs @ jnp.asarray(weights, signs.dtype))

    def margin(self, logits: Float[Array, "*batch words"]) -> Float[Array, "*batch"]:
        """f, the logit of the word for +1 less that of the word for -1. Raises nothing. References: malladi2023."""
        negative, positive = self.label_words
        return logits[..., positive] - logits[..., negative]
