"""What the claims share: images, networks on them, and how their kernels move while they train."""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from solvable import instruments, networks, tasks, training
from solvable.errors import Diverged, OutsideDomain, check_choice, check_count

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jaxtyping import Array

    from solvable.networks import VGG, LeNet, ResNet

_SIDES = {"digits": 28, "fashion": 28}  # pixels; of other data 32
_FROZEN_ON = 500  # images of whose statistics a normalised network is made a function of one image


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
    def network(self) -> str: ...
    @property
    def num_probes(self) -> int: ...
    @property
    def references(self) -> tuple[int, ...]: ...
    @property
    def gap(self) -> int: ...


@cache
def load_images(data: str, image_side: int, train_size: int) -> tuple[Array, np.ndarray, Array, Array]:
    """Standardised images and labels to train on, then those of a thousand others, if there are, to test with."""
    import jax.numpy as jnp
    import numpy as np

    loaders = {"digits": tasks.load_digits, "fashion": tasks.load_fashion_mnist}
    labelled = loaders[data]() if data in loaders else tasks.load_cifar10(data)
    order = np.random.default_rng(0).permutation(len(labelled.labels))[: train_size + 1000]
    if len(order) <= train_size:
        raise OutsideDomain(f"`train_size` is {train_size}, but `data` has {len(order)} images; use fewer.")
    shrink = _SIDES.get(data, 32) // image_side
    images = labelled.inputs[order].reshape(len(order), -1, image_side, shrink, image_side, shrink).mean(axis=(3, 5))
    seen = images[:train_size]
    images, labels = jnp.asarray((images - seen.mean()) / seen.std(), jnp.float32), labelled.labels[order]
    return images[:train_size], labels[:train_size], images[train_size:], jnp.asarray(labels[train_size:])


def make_lenet(claim: Setting, image_channels: int, key: jax.Array) -> LeNet:
    import jax.numpy as jnp

    return networks.lenet(
        key,
        image_side=claim.image_side,
        image_channels=image_channels,
        channels=claim.channels,
        kernel_side=claim.kernel_side,
        widths=claim.widths,
        dtype=jnp.float32,
    )


def _make_network(claim: KernelSetting, image_channels: int, key: jax.Array) -> LeNet | ResNet | VGG:
    import jax.numpy as jnp

    if claim.network == "lenet":
        return make_lenet(claim, image_channels, key)
    if claim.network == "resnet":
        return networks.resnet(key, widths=claim.channels, image_channels=image_channels, dtype=jnp.float32)
    stages = tuple((width,) * len(stage) for width, stage in zip(claim.channels, networks.VGG_16, strict=False))
    return networks.vgg(key, widths=stages, image_channels=image_channels, dtype=jnp.float32)


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
            _make_network(claim, images.shape[1], start_key),
            images,
            labels,
            key=train_key,
            batch_size=claim.batch_size,
            learning_rate=claim.learning_rate,
            steps=claim.steps,
            record=record,
            replacement=True,
        )
        return instruments.kernel_distances(checkpoints.map(kernel))

    def kernel(network):
        frozen = network if claim.network == "lenet" else networks.freeze_statistics(network, images[:_FROZEN_ON])
        return instruments.tangent_kernel(frozen, images[: claim.num_probes])

    distances = np.median(np.asarray(follow(labels, jax.random.split(key, claim.seeds)), float), axis=0)
    if not np.all(np.isfinite(distances)):
        raise Diverged(f"training diverged within {claim.steps} steps; use a smaller `learning_rate`.", claim.steps)
    return distances


def check_kernel_setting(claim: KernelSetting) -> None:
    """As ``check_setting``, and of the kernel and its references. Raises OutsideDomain."""
    check_choice("network", claim.network, ("lenet", "resnet", "vgg"))
    if claim.network == "resnet" and list(claim.channels) != sorted(claim.channels):
        raise OutsideDomain(f"`channels` is {claim.channels}; from stage to stage of a ResNet they must not decrease.")
    check_count("gap", claim.gap)
    check_count("num_probes", claim.num_probes)
    check_setting(claim, "references", claim.references, up_to=claim.steps - claim.gap)


def check_setting(claim: Setting, name: str, steps: tuple[int, ...], up_to: int) -> None:
    """Raise OutsideDomain for steps out of range or order, unknown data, or images that do not shrink to the side."""
    if claim.data not in _SIDES and not os.path.isdir(claim.data):
        raise OutsideDomain(
            f"`data` is {claim.data!r}; it must be 'digits', 'fashion', or the directory of CIFAR-10's binary files."
        )
    side = _SIDES.get(claim.data, 32)
    check_choice("image_side", claim.image_side, (side // 4, side // 2, side))
    for count in ("train_size", "batch_size", "seeds", "steps"):
        check_count(count, getattr(claim, count))
    if steps[0] < 0 or steps[-1] > up_to or any(later <= earlier for earlier, later in pairwise(steps)):
        raise OutsideDomain(f"`{name}` is {steps}; it must hold increasing steps from 0 to {up_to}.")
