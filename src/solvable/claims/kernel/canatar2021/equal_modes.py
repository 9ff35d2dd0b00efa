"""Double descent of a kernel whose modes are all alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr


class DoubleDescentOfEqualModes(Claim):
    """With noise the error peaks where samples are as many as modes, the lower the larger the ridge."""

    source = Source("canatar2021", "white band-limited spectrum", "asymptotic")
    metric, tolerance = max_relative_error("excess", over="mean"), 0.07  # measured: 0.024 to 0.066, 8 seeds
    limit = ("num_modes", (4, 30))

    num_modes: int = 30  # N
    ratios: tuple[float, ...] = (0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0)  # P/N
    ridges: tuple[float, ...] = (0.03, 0.1, 0.5)  # lambda
    noise_std: float = 1.0  # in units of the target
    draws: int = 400
    full = dict(num_modes=200, ratios=(0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0), draws=60)

    def _sizes(self):
        import numpy as np

        return np.maximum(np.round(np.array(self.ratios) * self.num_modes), 1)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        ratios = jnp.asarray(self._sizes() / self.num_modes)
        ridges, noise = jnp.asarray(self.ridges), self.noise_std**2
        return self._label((), theory.kernel.equal_modes_error(ratios[None, :], ridges[:, None], noise))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        modes, sizes = self.num_modes, self._sizes()
        alike = jnp.full(modes, 1 / modes)
        task = tasks.GaussianFeatures(alike, jnp.sqrt(alike), self.noise_std)
        present = jnp.asarray(np.arange(sizes.max())[None, :] < sizes[:, None], alike.dtype)

        def learn(key):
            samples = task.sample(key, present.shape[1])

            def of_size(kept):
                design = estimators.factor_design(samples.inputs * kept[:, None], samples.targets * kept[:, None])
                return task.excess_error(design.ridge_weights(jnp.asarray(self.ridges))[:, 0])

            return jax.vmap(of_size, out_axes=1)(present)

        return self._label(("seed",), jax.jit(jax.vmap(learn))(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], excess) -> xr.Dataset:
        ratio = ("ratio", self._sizes() / self.num_modes, {"long_name": "samples per mode $P/N$"})
        return observables(
            coords={"ridge": list(self.ridges), "ratio": ratio},
            excess=((*lead, "ridge", "ratio"), excess, {"long_name": "error without noise $E_g$"}),
        )
