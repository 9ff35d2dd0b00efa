"""The user's data made ready for kernel regression: a test part, centred, of unit size."""

from dataclasses import dataclass

import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.settings import Settings
from solvable.numerics import GaussianKernel, Kernel, LaplaceKernel, LinearKernel, ReluTangentKernel
from solvable.tasks import Samples

# Fewer tell nothing of a spectrum.
_FEWEST = 50
_MOST_TESTED = 2000


@dataclass(frozen=True)
class KernelData:
    """What is trained on and what is tested on, in random order.

    Attributes
    ----------
    inputs, test_inputs
        Shape (num_samples, input_dim): the training inputs' mean is taken off, and their mean square length is 1.
    targets, test_targets
        Shape (num_samples, output_dim), the training targets' mean taken off.
    offset
        That mean.
    classes
        Whether targets are one-hot, so that a largest output is a class.
    """

    inputs: np.ndarray
    targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray
    offset: np.ndarray
    classes: bool

    def share_wrong(self, outputs: np.ndarray) -> float:
        """Of the test part, by the largest of ``outputs``; NaN where there are no classes."""
        if not self.classes:
            return np.nan
        guess, truth = (np.argmax(part + self.offset, axis=1) for part in (outputs, self.test_targets))
        return float(np.mean(guess != truth))


def prepare(samples: Samples, settings: Settings) -> KernelData:
    """Hold out a test part; centre and scale both parts by what the training part tells.

    Raises
    ------
    OutsideDomain
        Too few samples, inputs or targets that are all alike.
    """
    inputs, targets = np.asarray(samples.inputs, float), np.asarray(samples.targets, float)
    order = np.random.default_rng(settings.seed + 4).permutation(len(inputs))
    tested = min(round(settings.test_share * len(inputs)), _MOST_TESTED)
    test, train = order[:tested], order[tested:]
    if len(train) < _FEWEST or tested < 1:
        raise OutsideDomain(
            f"`test_share` {settings.test_share:g} of {len(inputs)} samples leaves {len(train)} to train on and "
            f"{tested} to test on; a learning curve needs at least {_FEWEST} and 1."
        )
    centre, offset = inputs[train].mean(axis=0), targets[train].mean(axis=0)
    length = np.sqrt(np.mean(np.sum((inputs[train] - centre) ** 2, axis=1)))
    if not length > 0:
        raise OutsideDomain("`inputs` are all alike; there is nothing to learn from them.")
    if not np.any(targets[train] != targets[train][:1]):
        raise OutsideDomain("`targets` are all alike; there is nothing to learn.")
    classes = targets.shape[1] > 1 and bool(np.all((targets == 0) | (targets == 1)) and np.all(targets.sum(1) == 1))
    scaled = (inputs - centre) / length
    return KernelData(scaled[train], targets[train] - offset, scaled[test], targets[test] - offset, offset, classes)


def choose_kernel(settings: Settings) -> Kernel:
    """The kernel of a name; widths count in units of the inputs' root mean square length."""
    if settings.kernel == "rbf":
        return GaussianKernel(settings.kernel_width)
    if settings.kernel == "laplace":
        return LaplaceKernel(settings.kernel_width)
    # Without biases the kernel would lack the odd powers of x.x' beyond the first.
    return LinearKernel() if settings.kernel == "linear" else ReluTangentKernel(1.0, 0.5)
