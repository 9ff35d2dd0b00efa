"""The tangent kernel by its products with vectors, without forming it; and sketches of it for many samples."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.instruments.tangent.kernel import check_samples
from solvable.instruments.tangent.models import WeightedFunction, is_torch, weighted_function
from solvable.instruments.tangent.spectrum import to_numpy


class KernelSketch(eqx.Module):
    """What a tangent kernel makes of some random vectors, from which its distances to others follow.

    Raises nothing.

    Attributes
    ----------
    products
        K z of each probe z, (probes, samples, output_dim).
    probes
        The probes, of entries -1 and 1, of the same shape.

    References
    ----------
    zhou2025, probe sketch of the kernel distance.
    """

    products: Float[Any, "probes samples output_dim"]
    probes: Float[Any, "probes samples output_dim"]


def tangent_kernel_product(model: Any, inputs: Any, vectors: Any, others: Any = None, *, params: Any = None) -> Any:
    r"""The tangent kernel times vectors, by one pass backward and one forward for each: :math:`K v = J (J'^\top v)`.

    Parameters
    ----------
    model, inputs, others, params
        As for ``tangent_kernel``.
    vectors
        v on the others, or on the inputs where these are left out: (others, output_dim), or several of them first,
        (vectors, others, output_dim).

    Returns
    -------
    Array
        K v on the inputs, (samples, output_dim), or several first; of the dtype of the weights. The same as from the
        whole kernel up to rounding, in memory of a few times that of the weights and of one pass.

    Raises
    ------
    OutsideDomain
        As ``tangent_kernel``; vectors of another shape.

    References
    ----------
    jacot2018; zhou2025, kernel-vector products.
    """
    if is_torch(model):
        from solvable.instruments.tangent.torch_models import torch_product

        return torch_product(model, inputs, vectors, others)
    function = weighted_function(model, params)
    inputs, others = check_samples(inputs, others)
    vectors = jnp.asarray(vectors, jnp.result_type(*function.leaves))
    second = inputs if others is None else others
    output_dim = jax.eval_shape(function, function.leaves, second[0]).shape[0]
    check_vectors(vectors.shape, (len(second), output_dim))
    product = _products(function, inputs, second, vectors.reshape(-1, len(second), output_dim))
    return product if vectors.ndim == 3 else product[0]


def sketch_kernel(model: Any, inputs: Any, *, num_probes: int = 32, seed: int = 0, params: Any = None) -> KernelSketch:
    """A sketch of the full tangent kernel of many samples, outputs and weights: its products with random signs.

    Parameters
    ----------
    model, inputs, params
        As for ``tangent_kernel``; the inputs are all held in one pass.
    num_probes
        Random vectors. The relative error of a distance is about 0.3 / sqrt(num_probes).
    seed
        Of the probes: sketches are compared at equal seeds only, so that a kernel is at distance 0 from itself.

    Raises
    ------
    OutsideDomain
        As ``tangent_kernel``; fewer than two probes.

    References
    ----------
    zhou2025, probe sketch.
    """
    check_count("num_probes", num_probes, at_least=2)
    if is_torch(model):
        from solvable.instruments.tangent.torch_models import output_shape

        shape = output_shape(model, inputs)
    else:
        function = weighted_function(model, params)
        checked, _ = check_samples(inputs, None)
        shape = (len(checked), jax.eval_shape(function, function.leaves, checked[0]).shape[0])
    probes = np.random.default_rng(seed).choice(np.array([-1.0, 1.0], np.float32), (num_probes, *shape))
    products = tangent_kernel_product(model, inputs, probes, params=params)
    return KernelSketch(to_numpy(products), probes)


def sketched_distance(first: KernelSketch, second: KernelSketch) -> tuple[float, float]:
    """The kernel distance of two sketches, and its standard error over probes.

    Parameters
    ----------
    first, second
        Of the same samples, from the same probes.

    Returns
    -------
    tuple
        One minus the cosine of the kernels, and its error by leaving out one probe at a time; both 0 for equal
        kernels. Centred and other versions are distances of sketches whose products are projected first.

    Raises
    ------
    OutsideDomain
        Sketches of different probes.

    References
    ----------
    zhou2025, Eq. 4 and its probe sketch; Efron, Stein (1981), jackknife.
    """
    if first.probes.shape != second.probes.shape or not np.array_equal(first.probes, second.probes):
        raise OutsideDomain(
            f"the sketches have probes of shapes {first.probes.shape} and {second.probes.shape}, or of other seeds; "
            "sketch both kernels on the same inputs with the same `num_probes` and `seed`."
        )
    a, b = (np.asarray(each.products, float).reshape(len(each.products), -1) for each in (first, second))
    products = np.stack([np.sum(a * b, axis=1), np.sum(a * a, axis=1), np.sum(b * b, axis=1)])
    distances = _distance(products.sum(axis=1, keepdims=True) - products)
    count = len(a)
    error = np.sqrt((count - 1) / count * np.sum((distances - distances.mean()) ** 2))
    return float(_distance(products.sum(axis=1, keepdims=True))[0]), float(error)


def check_vectors(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    """Refuse vectors that a kernel cannot multiply."""
    if len(shape) not in (2, 3) or shape[-2:] != expected:
        raise OutsideDomain(
            f"`vectors` has shape {shape}; it must be (samples, output_dim) = {expected}, or several of these first."
        )


def _distance(products: np.ndarray) -> np.ndarray:
    cross, first, second = products
    size = np.sqrt(first * second)
    return 1 - np.divide(cross, size, out=np.zeros_like(cross), where=size > 0)


@eqx.filter_jit
def _products(function: WeightedFunction, inputs: Array, others: Array, vectors: Array) -> Array:
    outputs = lambda samples: lambda leaves: jax.vmap(function, (None, 0))(leaves, samples)  # noqa: E731
    _, backward = jax.vjp(outputs(others), function.leaves)
    _, forward = jax.linearize(outputs(inputs), function.leaves)
    return jax.lax.map(lambda vector: forward(*backward(vector)), vectors)
