"""A data set in the singular basis of the correlation of its targets with its inputs."""

from dataclasses import dataclass

import numpy as np

from solvable.tasks import Moments


@dataclass(frozen=True)
class Modes:
    """The data in the singular basis of its correlation.

    Attributes
    ----------
    left, covariance, right
        E[y x^T] = left diag(covariance) right^T, of rank many modes.
    variance
        Of the inputs along each, shape (mode,).
    coupling
        Share of the inputs' covariance that is off these axes.
    """

    left: np.ndarray
    covariance: np.ndarray
    right: np.ndarray
    variance: np.ndarray
    coupling: float

    def first(self, count: int) -> "Modes":
        """The strongest of them."""
        columns = self.left[:, :count], self.covariance[:count], self.right[:, :count], self.variance[:count]
        return Modes(*columns, self.coupling)


def find_modes(moments: Moments) -> Modes:
    """Modes of the data: the singular vectors of E[y x^T], and how the inputs vary along them.

    Parameters
    ----------
    moments
        Of targets and inputs.

    Raises
    ------
    Raises nothing.

    References
    ----------
    saxe2014; gidel2019 [their B is the coupling].
    """
    sigma_yx, sigma_xx = np.asarray(moments.sigma_yz, float), np.asarray(moments.sigma_zz, float)
    left, sizes, right = np.linalg.svd(sigma_yx, full_matrices=False)
    kept = sizes > 1e-10 * sizes[0]
    left, sizes, right = left[:, kept], sizes[kept], right[kept].T
    seen = sigma_xx @ right
    variance = np.sum(right * seen, axis=0)
    coupling = np.linalg.norm(seen - right * variance[None, :]) / np.linalg.norm(seen)
    return Modes(left, sizes, right, variance, float(coupling))
