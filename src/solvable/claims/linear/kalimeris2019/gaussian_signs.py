"""The estimator where its answer is known: three classifiers that are signs of Gaussian scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class GaussianSigns(Claim):
    """Performance correlation is what a reference explains of a classifier's information; signs have it in closed form.

    Three Gaussian scores; that of the classifier is more and more that of the reference. The estimate is the mean over
    many small test sets, less its bias.
    Breaks as `tail` grows: scores are then not Gaussian, but divided by a common random scale and shifted.
    """

    source = Source("kalimeris2019", "definition of performance correlation; the toy is added", "exact")
    metric, tolerance = max_relative_error("learned", "correlation"), 0.03  # measured
    limit = ("test_size", (30, 100, 3000))

    label_correlation: float = 0.5  # of the scores of classifier and label
    reference_correlation: float = 0.7  # of the scores of reference and label
    shared: tuple[float, ...] = (0.4, 0.6, 0.8)  # correlation of the scores of classifier and reference
    test_size: int = 3000  # n
    draws: int = 300  # test sets
    tail: float = 0.0  # size of a common random shift of all scores
    full = dict(draws=4000)

    def _correlations(self, shared: float) -> np.ndarray:
        import numpy as np

        label, reference = self.label_correlation, self.reference_correlation
        return np.array([[1, shared, label], [shared, 1, reference], [label, reference, 1]])

    def predict(self) -> xr.Dataset:
        import numpy as np

        fine = np.linspace(min(self.shared) - 0.1, max(self.shared) + 0.05, 100)
        found, curve = (
            np.array([theory.linear.sign_information(self._correlations(value)) for value in values]).T
            for values in (self.shared, fine)
        )
        return self._label(*found).assign(curve=(("name", "fine"), curve)).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        seeds = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        rows = []
        for value in self.shared:
            root = np.linalg.cholesky(self._correlations(value))
            scores = seeds.normal(size=(self.draws, self.test_size, 3)) @ root.T
            scores += self.tail * np.abs(seeds.normal(size=(self.draws, self.test_size, 1)))
            found = [instruments.performance_correlation(draw[:, 0], draw[:, 1], draw[:, 2] > 0) for draw in scores]
            rows.append([(one.learned.bits, one.beyond.bits, one.correlation.bits) for one in found])
        return self._label(*np.mean(rows, axis=1).T)

    def _label(self, learned, beyond, correlation) -> xr.Dataset:
        shared = ("shared", list(self.shared), {"long_name": "correlation of classifier and reference"})
        return observables(
            coords={"shared": shared, "name": ["learned", "beyond", "correlation"]},
            learned=("shared", learned),
            beyond=("shared", beyond),
            correlation=("shared", correlation),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        labels = {"learned": "$I(F;Y)$", "beyond": "$I(F;Y|L)$", "correlation": r"$\mu_Y(F;L)$"}
        artists: list[Artist] = []
        for colour, (name, label) in zip(PALETTE, labels.items(), strict=False):
            artists += ax.plot(prediction["fine"], prediction["curve"].sel(name=name), color=colour, label=label)
            artists += ax.plot(self.shared, measurement[name], "o", mfc="none", color=colour)
        ax.set(xlabel="correlation of the scores of classifier and reference", ylabel="information (bits)")
        ax.legend(fontsize="small")
        return artists
