"""What the claims share: digits as images, LeNet on them, and how its kernel moves while it trains."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from solvable import instruments, networks, tasks, training
from solvable.errors import Diverged, OutsideDomain, check_choice, check_count

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jaxtyping import Array

    from solvable.networks import LeNet


class Setting(Protocol):
    """Parameters of a claim."""

    @property
    def data(self) -> str: ...
    @property
    def image_side(self) -> int: ...
    @property
    def channels(self) -> tuple[int, ...]: ...
    @property
    def kernel_side(self) -> int: ...
    @property
    def widths(self) -> tuple[int, ...]: ...
    @property
    def train_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def seeds(self) -> int: ...


class KernelSetting(Setting, Protocol):
    """Parameters of a claim about kernels."""

    @property
    def num_probes(self) -> int: ...
    @property
    def references(self) -> tuple[int, ...]: ...
    @property
    def gap(self) -> int: ...


@cache
def load_images(data: str, image_side: int, train_size: int) -> tuple[Array, np.ndarray, Array, Array]:
    """Standardised images and labels to train on, then those of a thousand others to test with."""
    import jax.numpy as jnp
    import numpy as np

    labelled = tasks.load_digits() if data == "digits" else tasks.load_fashion_mnist()
    order = np.random.default_rng(0).permutation(len(labelled.labels))[: train_size + 1000]
    shrink = 28 // image_side
    images = labelled.inputs[order].reshape(-1, 1, image_side, shrink, image_side, shrink).mean(axis=(3, 5))
    seen = images[:train_size]
    images, labels = jnp.asarray((images - seen.mean()) / seen.std(), jnp.float32), labelled.labels[order]
    return images[:train_size], labels[:train_size], images[train_size:], jnp.asarray(labels[train_size:])


def make_network(claim: Setting, key: jax.Array) -> LeNet:
    import jax.numpy as jnp

    return networks.lenet(
        key,
        image_side=claim.image_side,
        channels=claim.channels,
        kernel_side=claim.kernel_side,
        widths=claim.widths,
        dtype=jnp.float32,
    )


def record_steps(claim: KernelSetting) -> np.ndarray:
    """The start, a hundredth and every tenth of the training, the references, and a gap behind start and references."""
    import numpy as np

    tenths = np.linspace(0, claim.steps, 11).round().astype(int)
    behind = [step + claim.gap for step in (0, *claim.references)]
    return np.unique([*tenths, -(-claim.steps // 100), *claim.references, *behind])


def follow_kernel(claim: KernelSetting, labels: np.ndarray, record: np.ndarray, key: jax.Array) -> np.ndarray:
    """Medians over seeds of the distances between the kernels at all pairs of recorded steps."""
    import jax
    import numpy as np

    images = load_images(claim.data, claim.image_side, claim.train_size)[0]

    @jax.jit
    def follow(labels, keys):
        return jax.lax.map(lambda key: run(labels, *jax.random.split(key)), keys)

    def run(labels, start_key, train_key):
        checkpoints = training.record_classifier(
            make_network(claim, start_key),
            images,
            labels,
            key=train_key,
            batch_size=claim.batch_size,
            learning_rate=claim.learning_rate,
            steps=claim.steps,
            record=record,
            replacement=True,
        )
        kernels = checkpoints.map(lambda network: instruments.tangent_kernel(network, images[: claim.num_probes]))
        return instruments.kernel_distances(kernels)

    distances = np.median(np.asarray(follow(labels, jax.random.split(key, claim.seeds)), float), axis=0)
    if not np.all(np.isfinite(distances)):
        raise Diverged(f"training diverged within {claim.steps} steps; use a smaller `learning_rate`.", claim.steps)
    return distances


def check_steps(claim: Setting, name: str, steps: tuple[int, ...], up_to: int) -> None:
    """Raise OutsideDomain for steps out of range or order, unknown data, or images that do not shrink to the side."""
    check_choice("data", claim.data, ("digits", "fashion"))
    check_choice("image_side", claim.image_side, (7, 14, 28))
    for count in ("train_size", "batch_size", "seeds", "steps"):
        check_count(count, getattr(claim, count))
    if steps[0] < 0 or steps[-1] > up_to or any(later <= earlier for earlier, later in pairwise(steps)):
        raise OutsideDomain(f"`{name}` is {steps}; it must hold increasing steps from 0 to {up_to}.")
