"""The user's data made ready for a deep linear network: noise on labels, a test part, components, white inputs."""

from dataclasses import dataclass

import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.settings import Settings
from solvable.tasks import Samples, make_samples

# Components of a smaller share of the largest variance do not count as data.
_NO_DATA = 1e-10


@dataclass(frozen=True)
class Split:
    """What is trained on, what is tested on, and what was done to both.

    Attributes
    ----------
    train, test
        Samples; ``test`` is None where nothing was held out.
    remarks
        Sentences.
    """

    train: Samples
    test: Samples | None
    remarks: tuple[str, ...]


def add_label_noise(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Labels of which this share is replaced, each by one of the other classes.

    Parameters
    ----------
    labels
        Shape (num_samples,), of two classes or more.
    share
        Between 0 and 1.
    seed
        Of the choice.

    Raises
    ------
    OutsideDomain
        A share above 1.

    References
    ----------
    None.
    """
    if share > 1:
        raise OutsideDomain(f"`label_noise` is {share}; of labels it is a share, at most 1.")
    rng = np.random.default_rng(seed + 3)
    classes, numbers = np.unique(labels, return_inverse=True)
    shift = rng.integers(1, max(classes.size, 2), labels.size)
    wrong = rng.permutation(labels.size) < round(share * labels.size)
    return np.where(wrong, classes[(numbers + shift) % classes.size], labels)


def split(inputs: np.ndarray, targets: np.ndarray, settings: Settings) -> Split:
    """Hold out a test part, reduce and whiten by what the training part tells.

    Parameters
    ----------
    inputs, targets
        Shapes (num_samples, input_dim) and (num_samples, output_dim).
    settings
        Its ``test_share``, ``components``, ``whiten``, ``seed``.

    Raises
    ------
    OutsideDomain
        More components than inputs have, a part without samples, or inputs that are all alike.

    References
    ----------
    None.
    """
    order = np.random.default_rng(settings.seed + 4).permutation(len(inputs))
    held_out = round(settings.test_share * len(inputs))
    if settings.test_share and not 0 < held_out < len(inputs):
        raise OutsideDomain(
            f"`test_share` is {settings.test_share}, which of {len(inputs)} samples leaves none to train or to test on."
        )
    train, test = np.sort(order[held_out:]), np.sort(order[:held_out])
    change, shift, remark = _reduction(inputs[train], targets[train], settings)
    parts = [
        make_samples((inputs[part] - shift[0]) @ change, targets[part] - shift[1]) if part.size else None
        for part in (train, test)
    ]
    assert parts[0] is not None
    return Split(parts[0], parts[1], (remark,) if remark else ())


def _reduction(inputs: np.ndarray, targets: np.ndarray, settings: Settings):
    """The linear change of inputs, what is taken off inputs and targets first, and a sentence about it."""
    if not (settings.whiten or settings.components):
        return np.eye(inputs.shape[1]), (np.zeros(inputs.shape[1]), np.zeros(targets.shape[1])), ""
    shift = inputs.mean(axis=0), targets.mean(axis=0)
    sizes, axes = np.linalg.svd((inputs - shift[0]) / np.sqrt(len(inputs)), full_matrices=False)[1:]
    rank = int(np.sum(sizes**2 > _NO_DATA * sizes[0] ** 2))
    if rank == 0:
        raise OutsideDomain("`inputs` are all alike; there is nothing to learn from them.")
    count = settings.components or rank
    if count > rank:
        raise OutsideDomain(f"`components` is {count}; the training inputs have {rank} that vary; ask for no more.")
    kept = f"{count} leading components" if settings.components else f"all {rank} components that vary"
    if settings.whiten:
        return axes[:count].T / sizes[None, :count], shift, f"Inputs and targets are centred, inputs whitened: {kept}."
    return axes[:count].T, shift, f"Inputs and targets are centred; inputs reduced to {kept}."
