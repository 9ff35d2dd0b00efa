"""Ziyin, Li, Meng (2022), Exact solutions of a deep linear network.

Their loss has no 1/2 and their decays multiply |W|^2: it is twice ours, in which they multiply |W|^2 / 2, so that the
gammas are the same. Their D counts hidden layers, and so does `depth` here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Moments


def _moments(claim: Any) -> Moments:
    """A linear teacher of norm 1 with noise; inputs have variances from 1/(1 + anisotropy) to 1 + anisotropy."""
    import jax
    import jax.numpy as jnp

    size = claim.input_dim
    variances = (1 + claim.anisotropy) ** jnp.linspace(-1, 1, size)
    teacher = jax.random.normal(jax.random.key(claim.task_seed), (1, size), float)
    shared = teacher / jnp.linalg.norm(teacher) * variances[None, :]
    power = jnp.sum(shared**2 / variances[None, :]) + claim.noise_std**2
    return tasks.Moments(power, shared, jnp.diag(variances))


def _starts(claim: Any, depth: int, key: jax.Array):
    """Random weights of every layer, small ones too: zero weights have a basin of their own."""
    import jax
    import jax.numpy as jnp

    # One draw for all layers and depths, which is cut to shape, compiles once.
    side = max(claim.width, claim.input_dim)
    draws = jax.random.normal(key, (claim.starts, 5, side, side), float)
    draws = draws * claim.init_scale * jnp.linspace(1, 0.1, claim.starts)[:, None, None, None]
    hidden = [draws[:, layer, : claim.width, : claim.width] for layer in range(1, depth)]
    return (draws[:, 0, : claim.width, : claim.input_dim], *hidden, draws[:, depth, :1, : claim.width])


def _descend(claim: Any, loss, starts):
    """Loss and size of the map where descent ends from each start."""
    import jax
    import jax.numpy as jnp

    identity = numerics.activations.identity

    def descend(weights):
        start = networks.DeepNetwork(weights, networks.Neuron(identity), (identity,) * (len(weights) - 2))
        run = training.gradient_descent(start, loss, learning_rate=claim.learning_rate, steps=claim.steps, record=2)
        return run.loss[-1], jnp.linalg.norm(run.network.coefficients())

    return jax.vmap(descend)(starts)


class GlobalMinimum(Claim):
    """The lowest loss of a deep linear network with weight decay and noisy units has a closed form.

    Measured is the lowest of many searches. With one hidden layer the map shrinks to 0 continuously as decay grows,
    with more it jumps.
    Breaks as `learning_rate` grows: descent then leaves the basin that it starts in, or diverges.
    """

    source = Source("ziyin2022", "global minimum for one and for D hidden layers", "exact")
    metric, tolerance = max_relative_error("loss", "reach"), 0.002  # measured: 1e-4 to 8e-4 over five seeds

    depths: tuple[int, ...] = (1, 2)  # D
    shares: tuple[float, ...] = (
        0.2,
        0.4,
        0.6,
        0.8,
        0.95,
        1.1,
    )  # gamma D / |E[xy]|, of which 1 is the transition of one hidden layer
    width: int = 4  # d
    input_dim: int = 4
    anisotropy: float = 0.5  # of the inputs
    noise_std: float = 0.5  # of the targets
    unit_noise: float = 0.3  # sigma^2 behind every hidden unit
    task_seed: int = 0
    init_scale: float = 0.6  # standard deviation of the weights that searches start from
    starts: int = 6
    learning_rate: float = 0.05
    steps: int = 3000
    full = dict(depths=(1, 2, 3), starts=12, steps=6000)

    def _decays(self, depth: int, shares):
        import jax.numpy as jnp

        return jnp.linalg.norm(_moments(self).sigma_yz) * jnp.asarray(shares) / depth

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        moments, rows = _moments(self), []
        fine = np.linspace(0.02, max(self.shares), 120)
        for depth in self.depths:

            def least(decay, widths=(self.width,) * depth):
                found = theory.linear.decayed_minimum(moments, widths, decays=decay, noise=self.unit_noise)
                return found.loss, jnp.linalg.norm(found.map)

            rows.append(jax.jit(jax.vmap(least))(self._decays(depth, np.append(self.shares, fine))))
        losses, sizes = (np.stack(values) for values in zip(*rows, strict=True))
        tried = len(self.shares)
        curve = {"curve": (("depth", "fine"), sizes[:, tried:])}
        return self._observe(losses[:, :tried], sizes[:, :tried]).assign(curve).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        moments, losses, sizes = _moments(self), [], []
        for depth in self.depths:
            starts, noise = _starts(self, depth, key), jnp.full(depth, self.unit_noise)

            def search(decay, starts=starts, noise=noise):
                decays = jnp.full(noise.size + 1, decay)
                return _descend(self, training.NoisyLoss(moments, noise, decays), starts)

            found, size = jax.jit(jax.vmap(search))(self._decays(depth, self.shares))
            best = jnp.argmin(found, axis=1)[:, None]
            losses.append(jnp.take_along_axis(found, best, axis=1)[:, 0])
            sizes.append(jnp.take_along_axis(size, best, axis=1)[:, 0])
        return self._observe(losses, sizes)

    def _observe(self, losses, sizes) -> xr.Dataset:
        import numpy as np

        share = ("share", list(self.shares), {"long_name": "decay γ D / |E[xy]|"})
        return observables(
            coords={"depth": list(self.depths), "share": share},
            loss=(("depth", "share"), np.stack(losses), {"long_name": "lowest loss"}),
            reach=(("depth", "share"), 1 + np.stack(sizes), {"long_name": "1 + |q|, size of the map"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, depth in zip(PALETTE, self.depths, strict=False):
            label = f"{depth} hidden layer{'s' if depth > 1 else ''}"
            curve, sizes = prediction["curve"].sel(depth=depth), measurement["reach"].sel(depth=depth) - 1
            artists += ax.plot(prediction["fine"], curve, color=colour, label=label)
            artists += ax.plot(self.shares, sizes, "o", mfc="none", color=colour)
        ax.set(xlabel="weight decay γ D / |E[xy]|", ylabel="size |q| of the map at the minimum")
        ax.legend(fontsize="small", title="line: theory, circles: lowest search", title_fontsize="small")
        return artists


class FirstOrderJump(Claim):
    """With two or more hidden layers the global minimum jumps to zero weights, at a decay in closed form.

    Searches from large weights stay in the minimum that is not 0; where their loss meets that of zero weights is
    measured, and how large the map is there. White inputs, no noise; the closed form is derived from the paper's.
    Breaks as `anisotropy` grows: the closed form is that of inputs of equal variances.
    """

    source = Source("ziyin2022", "first-order transition for D >= 2", "exact")
    metric, tolerance = max_relative_error("decay", "size"), 0.002  # measured: 7e-4, of the grid of decays

    depth: int = 2  # D
    width: int = 4
    input_dim: int = 3
    anisotropy: float = 0.0  # of the inputs
    noise_std: float = 0.5  # of the targets
    task_seed: int = 0
    init_scale: float = 0.8
    starts: int = 4
    learning_rate: float = 0.05
    steps: int = 4000
    decays: tuple[float, ...] = tuple(0.02 * share for share in range(10, 24))  # gamma, of every layer
    full = dict(depth=3)

    def predict(self) -> xr.Dataset:
        import numpy as np

        strength = float(np.linalg.norm(_moments(self).sigma_yz))
        found = theory.linear.isotropic_transitions(strength, self.depth)
        return observables(decay=found.coexistence, size=found.size)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        moments, starts = _moments(self), _starts(self, self.depth, key)

        def search(decay):
            loss = training.NoisyLoss(moments, jnp.zeros(self.depth), jnp.full(self.depth + 1, decay))
            return _descend(self, loss, starts)

        losses, sizes = (np.asarray(values) for values in jax.jit(jax.vmap(search))(jnp.asarray(self.decays)))
        # The lowest minimum with a map; one without is the trivial one.
        branch = np.where(sizes > 0.05, losses, np.inf)
        best = branch.argmin(axis=1)[:, None]
        loss, size = (np.take_along_axis(values, best, axis=1)[:, 0] for values in (branch, sizes))
        there = np.isfinite(loss)
        decays, trivial = np.asarray(self.decays)[there], float(moments.target_power) / 2
        decay = numerics.first_crossing(decays, loss[there], trivial)
        curves = {"loss": ("tried", loss[there]), "sizes": ("tried", size[there]), "trivial": ((), trivial)}
        curve = observables(coords={"tried": decays}, **curves)
        return observables(decay=decay, size=np.interp(decay, decays, size[there])).merge(curve)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        gap = measurement["loss"] - measurement["trivial"]
        artists: list[Artist] = [
            *ax.plot(
                measurement["tried"], gap, "o", mfc="none", color=PALETTE[1], label="measured, minimum with a map"
            ),
            ax.axhline(0, color="0.6", lw=1, label="zero weights"),
            ax.axvline(prediction["decay"].item(), color=PALETTE[0], label="theory, transition"),
        ]
        ax.set(xlabel="weight decay γ", ylabel="loss above that of zero weights")
        ax.legend(fontsize="small")
        return artists


class DrawnNoise(Claim):
    """Training on draws of the noise ends at the minimum of the averaged loss, as draws become many.

    Dropout of hidden units, the same draws at every step; the mean over seeds.
    Breaks as `learning_rate` grows: descent then diverges.
    """

    source = Source("ziyin2022", "global minimum of the stochastic network", "asymptotic")
    metric, tolerance = (
        max_relative_error("loss", over="mean"),
        0.04,
    )  # measured: 0.004 to 0.022 over four seeds, the spread of draws
    limit = ("draws", (4, 16, 64))

    draws: int = 64  # of the noise of all units
    depth: int = 1  # D
    decay: float = 0.05  # gamma
    width: int = 4
    input_dim: int = 4
    anisotropy: float = 0.5  # of the inputs
    noise_std: float = 0.5  # of the targets
    unit_noise: float = 0.5  # sigma^2
    task_seed: int = 0
    init_scale: float = 0.8
    starts: int = 1
    learning_rate: float = 0.1
    steps: int = 600
    full = dict(draws=512, seeds=32)
    seeds: int = 16

    def predict(self) -> xr.Dataset:
        import jax

        def least(moments):
            widths = (self.width,) * self.depth
            return theory.linear.decayed_minimum(moments, widths, decays=self.decay, noise=self.unit_noise).loss

        return observables(loss=jax.jit(least)(_moments(self)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        moments, starts = _moments(self), _starts(self, self.depth, key)
        noise, decays = jnp.full(self.depth, self.unit_noise), jnp.full(self.depth + 1, self.decay)

        def search(key):
            factors = networks.draw_dropout(key, (self.width,) * self.depth, noise, self.draws)
            return jnp.min(_descend(self, training.SampledNoiseLoss(moments, factors, decays), starts)[0])

        return observables(loss=("seed", jax.jit(jax.vmap(search))(jax.random.split(key, self.seeds))))
