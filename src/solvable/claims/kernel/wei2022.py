"""Wei, Hu, Steinhardt (2022), More than a toy: random matrix models predict how neural representations generalize.

Their ridge lambda belongs to the mean over samples: ours, delta, is n times larger. Their risk is ours: a mean squared
error without a half. Their representations are of large networks on images in colour; here it is a network of one
hidden layer at initialisation on handwritten digits, even or odd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, instruments, networks, numerics, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_RIDGE = {"long_name": r"ridge $δ = nλ$", "scale": "log"}


def _pool(claim: Any) -> tuple[jax.Array, jax.Array]:
    """The tangent kernel of sqrt(2/H) a . relu(W x) with weights N(0, 1) on the pool, and the targets there."""
    import jax

    pool = tasks.digit_parity(claim.pool_size)
    unit = networks.Neuron(numerics.activations.relu)
    network = networks.initialise(
        unit, jax.random.key(claim.network_seed), width=claim.width, input_shape=(784,), init_scale=1.0
    )
    return 2 / claim.width * instruments.layer_tangent_kernel(network, pool.inputs), pool.targets


def _learn(claim: Any, key: jax.Array, size: int) -> tuple[jax.Array, ...]:
    """Of many training sets: the errors on all of the pool and on the rest of it, and two estimates of the latter."""
    import jax
    import jax.numpy as jnp

    ridges = jnp.asarray(claim.ridges)

    @jax.jit
    def learn_all(keys, gram, targets):
        def learn(key):
            rows = jax.random.permutation(key, claim.pool_size)
            seen, rest = rows[:size], rows[size:]
            factored = estimators.factor_kernel(gram[seen][:, seen], targets[seen])
            told = factored.statistics(ridges)
            guesses = jax.vmap(factored.dual_weights)(ridges)[:, :, 0] @ gram[seen]
            errors = (guesses - targets[:, 0][None, :]) ** 2
            return jnp.mean(errors, 1), jnp.mean(errors[:, rest], 1), told.gcv, told.leave_one_out

        return jax.lax.map(learn, keys)

    return learn_all(jax.random.split(key, claim.draws), *_pool(claim))


class OmniscientEstimate(Claim):
    """The spectrum of a network's tangent kernel on digits gives the error on all of them after training on some.

    The digits are the whole population. Off the training set the error is larger, by what the identity between averages
    over a finite pool says.
    """

    source = Source("wei2022", "omniscient estimate of the risk", "asymptotic")
    metric, tolerance = (
        max_relative_error("pool", "off_sample", over="mean"),
        0.065,
    )  # measured: 0.024 to 0.045 over 6 seeds

    sizes: tuple[int, ...] = (20, 100)  # n
    ridges: tuple[float, ...] = (0.1, 1.0, 10.0)  # delta
    pool_size: int = 480  # N
    width: int = 256  # H
    network_seed: int = 0
    draws: int = 100
    full = dict(pool_size=2000, width=512, sizes=(50, 150, 500), ridges=(1e-3, 0.1, 1.0, 10.0))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        modes = instruments.kernel_modes(*_pool(self))
        sizes, ridges = jnp.meshgrid(jnp.asarray(self.sizes, float), jnp.asarray(self.ridges), indexing="ij")
        risk = theory.kernel.kernel_risk(modes.eigenvalues, modes.target_power, sizes, ridge=ridges)
        off_sample = theory.kernel.off_sample_error(risk.test, risk.train, sizes, float(self.pool_size))
        return self._label((), risk.test, off_sample)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        parts = zip(*(_learn(self, key, size)[:2] for size in self.sizes), strict=True)
        return self._label(("seed",), *(np.stack(part, axis=1) for part in parts))

    def _label(self, lead: tuple[str, ...], pool, off_sample) -> xr.Dataset:
        dims, size = (*lead, "num_samples", "ridge"), {"long_name": "samples $n$", "scale": "log"}
        return observables(
            coords={
                "num_samples": ("num_samples", list(self.sizes), size),
                "ridge": ("ridge", list(self.ridges), _RIDGE),
            },
            pool=(dims, pool, {"long_name": "error on the pool"}),
            off_sample=(dims, off_sample, {"long_name": "error off the training set"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, ridge in zip(PALETTE, prediction["ridge"].values, strict=False):
            for name, line, marker in (("pool", "-", "o"), ("off_sample", "--", "s")):
                theirs, ours = prediction[name].sel(ridge=ridge), measurement[name].sel(ridge=ridge)
                words = {"pool": "all", "off_sample": "untrained"}[name]
                label = f"δ = {ridge:g}, {words}"
                artists += ax.plot(theirs["num_samples"], theirs, line, color=colour, label=label)
                artists += ax.plot(ours["num_samples"], ours.mean("seed"), marker, mfc="none", color=colour)
        ax.set(xlabel="samples $n$", ylabel="mean squared error", xscale="log")
        ax.legend(fontsize="small", title="theory: lines, measured: markers", title_fontsize="small")
        return artists


class OmniscientEstimateForNewImages(Claim):
    """The spectrum of a large pool of digits gives the error on digits that were not trained on.

    Without the correction for a finite pool, which is a share n/N of the error at small ridge.
    """

    source = Source("wei2022", "omniscient estimate of the risk", "asymptotic")
    metric, tolerance = max_relative_error("off_sample", over="mean"), 0.04  # measured: 0.018 to 0.024 over 5 seeds
    limit = ("pool_size", (60, 180, 600))

    num_samples: int = 20  # n
    ridges: tuple[float, ...] = (1.0, 10.0, 100.0)  # delta
    pool_size: int = 600  # N
    width: int = 256  # H
    network_seed: int = 0
    draws: int = 200
    full = dict(pool_size=2000, width=512, num_samples=50)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        modes = instruments.kernel_modes(*_pool(self))
        ridges = jnp.asarray(self.ridges)
        risk = theory.kernel.kernel_risk(modes.eigenvalues, modes.target_power, self.num_samples, ridge=ridges)
        return self._label((), risk.test)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return self._label(("seed",), _learn(self, key, self.num_samples)[1])

    def _label(self, lead: tuple[str, ...], error) -> xr.Dataset:
        words = {"long_name": "error off the training set"}
        return observables(
            coords={"ridge": ("ridge", list(self.ridges), _RIDGE)}, off_sample=((*lead, "ridge"), error, words)
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "off_sample")
        ax.set_ylim(0, None)
        return artists


class CrossValidationOfTangentKernel(Claim):
    """Generalised cross-validation tells the error of a network's tangent kernel on digits it was not trained on.

    At ridges that are not small, on training sets that are a small part of the pool; leave-one-out beside it. Ratios of
    means over training sets.
    """

    source = Source("wei2022", "GCV estimate of the risk", "asymptotic")
    metric, tolerance = max_relative_error("gcv_ratio", "left_out_ratio"), 0.04  # measured: 0.005 to 0.020 over 5 seeds

    num_samples: int = 120  # n
    ridges: tuple[float, ...] = (10.0, 30.0, 100.0)  # delta
    pool_size: int = 1500  # N
    width: int = 256  # H
    network_seed: int = 0
    draws: int = 48
    full = dict(pool_size=4000, width=512, num_samples=300)

    def predict(self) -> xr.Dataset:
        import numpy as np

        ones = np.ones(len(self.ridges))
        return self._label(ones, ones)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        _, rest, gcv, left_out = _learn(self, key, self.num_samples)
        risk = jnp.mean(rest, axis=0)
        curves = {"gcv": gcv, "leave_one_out": left_out, "risk": rest}
        return self._label(
            jnp.mean(gcv, axis=0) / risk,
            jnp.mean(left_out, axis=0) / risk,
            **{name: (("seed", "ridge"), values) for name, values in curves.items()},
        )

    def _label(self, gcv_ratio, left_out_ratio, **more) -> xr.Dataset:
        return observables(
            coords={"ridge": ("ridge", list(self.ridges), _RIDGE)},
            gcv_ratio=("ridge", gcv_ratio, {"long_name": "GCV / error off the training set"}),
            left_out_ratio=("ridge", left_out_ratio, {"long_name": "leave-one-out / error off the training set"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        styles = {
            "risk": ("-", "error off the training set"),
            "gcv": ("o", "GCV"),
            "leave_one_out": ("x", "leave-one-out"),
        }
        for colour, (name, (style, label)) in zip(PALETTE, styles.items(), strict=False):
            mean, error = measurement[name].mean("seed"), measurement[name].std("seed") / self.draws**0.5
            bars = ax.errorbar(
                measurement["ridge"], mean, error, fmt=style, mfc="none", capsize=2, color=colour, label=label
            )
            artists += bars.get_children()
        ax.set(xlabel=_RIDGE["long_name"], ylabel="mean squared error", xscale="log", ylim=(0, None))
        ax.legend(fontsize="small")
        return artists
