"""What one look at a model gives: its tangent kernel on fixed inputs, and the numbers that follow from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.sparse.linalg import eigsh

from solvable.instruments import kernel_alignment, stable_rank, tangent_kernel
from solvable.instruments.tangent.models import WeightedFunction, is_torch, weighted_function
from solvable.instruments.tangent.spectrum import as_matrix, to_numpy

Loss = Literal["squared", "cross-entropy"]

# Beyond so many outputs the kernel is summed over equal outputs.
_MOST_OUTPUTS = 16


class Look(NamedTuple):
    """One look.

    Attributes
    ----------
    kernel
        On the probes; see ``look_at``.
    sharpness
        Largest eigenvalue of the Gauss-Newton matrix of the loss on the probes; NaN where it is not known.
    alignment
        Of the kernel with the targets; NaN without targets.
    widths
        Stable rank |W|_F^2 / |W|_2^2 of each weight matrix, by its name.
    """

    kernel: Float[np.ndarray, "..."]
    sharpness: float
    alignment: float
    widths: dict[str, float]


def look_at(model: Any, params: Any, inputs: Any, targets: np.ndarray | None, loss: Loss) -> Look:
    """Measure a model where it stands.

    Parameters
    ----------
    model, params
        As for ``tangent_kernel``; a PyTorch model is looked at in its evaluation mode, and put back.
    inputs
        Probes, samples first.
    targets
        (samples, output_dim), or None.
    loss
        What the sharpness is of: half the mean squared error, or the mean cross entropy.

    Raises
    ------
    OutsideDomain
        As ``tangent_kernel``.

    References
    ----------
    zhou2025 [kernel]; atanasov2021 [alignment]; the Gauss-Newton matrix has the eigenvalues of the kernel weighted by
    the curvature of the loss in the outputs.
    """
    outputs = evaluate(model, params, inputs)
    with _evaluation_mode(model):
        full = outputs.shape[1] <= _MOST_OUTPUTS
        kernel = tangent_kernel(model, inputs, params=params, outputs="full" if full else "trace")
    kernel = to_numpy(kernel)
    sharpness = _sharpness(kernel, outputs, loss) if full else np.nan
    aligned = np.nan if targets is None else float(kernel_alignment(kernel, targets.astype(kernel.dtype)))
    return Look(
        kernel, sharpness, aligned, {name: float(stable_rank(weight)) for name, weight in _matrices(model, params)}
    )


def evaluate(model: Any, params: Any, inputs: Any) -> Float[np.ndarray, "samples output_dim"]:
    """Outputs on the probes, in the evaluation mode."""
    if is_torch(model):
        import torch

        parameter = next(model.parameters())
        tensor = torch.as_tensor(inputs).to(parameter.device)
        with torch.no_grad(), _evaluation_mode(model):
            outputs = model(tensor.to(parameter.dtype) if tensor.is_floating_point() else tensor)
        return to_numpy(outputs).reshape(len(tensor), -1)
    return np.asarray(_outputs(weighted_function(model, params), jnp.asarray(inputs)))


@eqx.filter_jit  # compiled once for all looks
def _outputs(function: WeightedFunction, inputs: Array) -> Array:
    return jax.vmap(lambda x: function(function.leaves, x))(inputs)


def _sharpness(kernel: np.ndarray, outputs: np.ndarray, loss: Loss) -> float:
    if loss == "cross-entropy":
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares = shares / shares.sum(axis=1, keepdims=True)
        # diag(p) - p p^T is A A^T with this A.
        roots = (
            np.eye(outputs.shape[1]) * np.sqrt(shares)[:, None, :] - shares[:, :, None] * np.sqrt(shares)[:, None, :]
        )
        kernel = np.einsum("iac,ijab,jbd->ijcd", roots, kernel, roots, optimize=True)
    matrix = as_matrix(kernel).astype(float) / len(outputs)
    if len(matrix) < 3:
        return float(np.linalg.eigvalsh(matrix)[-1])
    settings: dict[str, Any] = {"which": "LA", "return_eigenvectors": False, "v0": np.ones(len(matrix)), "tol": 1e-4}
    return float(eigsh(matrix, k=1, **settings)[0])


def _matrices(model: Any, params: Any) -> Iterator[tuple[str, Array]]:
    if is_torch(model):
        named = ((name, to_numpy(weight)) for name, weight in model.named_parameters())
    else:
        leaves, _ = jax.tree_util.tree_flatten_with_path(model if params is None else params)
        named = ((jax.tree_util.keystr(path).lstrip(".") or "params", leaf) for path, leaf in leaves)
    for name, weight in named:
        if hasattr(weight, "ndim") and weight.ndim >= 2 and np.issubdtype(weight.dtype, np.floating):
            yield name, jnp.asarray(weight).reshape(len(weight), -1)


@contextmanager
def _evaluation_mode(model: Any) -> Iterator[None]:
    """Frozen statistics and no dropout in a PyTorch model, for as long as it is looked at."""
    training = [module for module in model.modules() if module.training] if is_torch(model) else []
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
