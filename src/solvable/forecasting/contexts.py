"""Sequences for an attention layer, made from the user's inputs: linear regression in context."""

import jax
import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.settings import Settings
from solvable.tasks import InContextRegression, Samples

# Leading components of the inputs that sequences are made of, and how many sequences.
_COMPONENTS, _SEQUENCES = 3, 10_000


def make_sequences(inputs: np.ndarray, settings: Settings) -> tuple[Samples, str]:
    """Sequences of linear regression in context on Gaussian inputs with the covariance of the user's.

    Parameters
    ----------
    inputs
        Shape (num_samples, input_dim).
    settings
        Its ``context_length`` and ``seed``.

    Returns
    -------
    tuple
        Inputs (sequence, token_dim, tokens) with targets, and a sentence that says what they are.

    Raises
    ------
    OutsideDomain
        Inputs that are all alike, not finite, or of another shape.

    References
    ----------
    zhang2026, App. I (Fig. 1F); zhang2025.
    """
    if inputs.ndim != 2 or not np.all(np.isfinite(inputs)):
        raise OutsideDomain(f"`inputs` has shape {inputs.shape}; it must be (num_samples, input_dim), all finite.")
    spread = np.linalg.svd(inputs - inputs.mean(axis=0), compute_uv=False)[:_COMPONENTS] ** 2
    if not spread[0] > 0:
        raise OutsideDomain("`inputs` are all alike; attention learns from inputs that differ.")
    eigenvalues = spread[spread > 1e-6 * spread[0]] / spread[0]
    task = InContextRegression(jnp.diag(jnp.asarray(eigenvalues)), settings.context_length)
    listed = ", ".join(f"{value:.3g}" for value in eigenvalues)
    return task.sample(jax.random.key(settings.seed + 2), _SEQUENCES), (
        f"An attention layer learns from sequences: {_SEQUENCES} of {settings.context_length} examples and a query, "
        f"Gaussian with the variances of your inputs' leading components ({listed}, the largest scaled to 1), each "
        "sequence labelled by a random linear map; labels and targets of the data are not used."
    )
