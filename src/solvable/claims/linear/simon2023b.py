"""Simon, Knutins, Ziyin, Geisz, Fetterman, Albrecht (2023), On the stepwise nature of self-supervised learning.

Their loss |C - I|^2 has no 1/2, and so has the loss that is trained on here; their times are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _correlation(claim: Any):
    """Gamma of pairs whose eigenvectors are turned, so that no axis is special."""
    import jax
    import jax.numpy as jnp

    return tasks.pairs_of_correlation(jnp.asarray(claim.eigenvalues), key=jax.random.key(0)).correlation


def _directions(claim: Any):
    """Directions of the initial weights, which theory needs too."""
    import jax

    return jax.random.normal(jax.random.key(claim.init_seed), (claim.embedding_dim, len(claim.eigenvalues)), float)


def _modes(claim: Any):
    """Eigenvalues that are learned, and the singular values that their modes start from."""
    import jax.numpy as jnp

    vectors = jnp.linalg.eigh(_correlation(claim))[1][:, ::-1][:, : claim.embedding_dim]
    start = theory.linear.embedding_start(claim.init_scale * _directions(claim), vectors)
    return jnp.sort(jnp.asarray(claim.eigenvalues))[::-1][: claim.embedding_dim], start


def _train(claim: Any, record):
    """Eigenvalues of C, (record, mode), and the loss, from weights of size ``init_scale``."""
    import jax.numpy as jnp

    correlation = _correlation(claim)
    embedded = lambda network: jnp.linalg.eigvalsh(training.embedding_correlation(network, correlation))[::-1]  # noqa: E731
    run = training.gradient_descent(
        networks.LinearMap(claim.init_scale * _directions(claim)),
        training.LinearCrossCorrelationLoss(correlation),
        learning_rate=claim.learning_rate,
        steps=int(record[-1]),
        record=record,
        observables={"eigenvalues": embedded},
    )
    return run.observables["eigenvalues"], run.loss


class StepwiseLearning(Claim):
    """Self-supervised training learns one eigenvector of the views' correlation at a time, in steps of the loss.

    From small random weights; compared are the loss and what is missing of each eigenvalue of C, 1 - gamma s^2.
    Breaks as `init_scale` grows: modes then are not independent from the start.
    """

    source = Source("simon2023b", "exact solution, and small random initialisation", "asymptotic")
    metric, tolerance = max_curve_gap("loss", "missing"), 0.015  # measured: 0.010 to 0.012 over six starts
    limit = ("learning_rate", (0.02, 0.01, 0.005))

    eigenvalues: tuple[float, ...] = (1.0, 0.5, 0.25, 0.05, 0.05, 0.0, -0.1, -0.2)  # gamma_j of Gamma
    embedding_dim: int = 3  # d
    init_scale: float = 1e-3  # sigma
    init_seed: int = 0
    learning_rate: float = 0.002
    longest: float = 12.0  # training time

    def _record(self):
        import numpy as np

        return np.linspace(0, self.longest / self.learning_rate, 121).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        gamma, start = _modes(self)
        times = jnp.asarray(self._record() * self.learning_rate)
        learned = gamma[None, :] * theory.linear.embedding_mode(times[:, None], gamma[None, :], start[None, :]) ** 2
        return self._observe(learned, jnp.sum((1 - learned) ** 2, axis=1))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return self._observe(*_train(self, self._record()))

    def _observe(self, learned, loss) -> xr.Dataset:
        return observables(
            coords={
                "mode": range(1, self.embedding_dim + 1),
                "time": ("time", self._record() * self.learning_rate, {"long_name": "time t"}),
            },
            missing=(("mode", "time"), 1 - learned.T),
            loss=("time", loss, {"long_name": "loss"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for side, style in ((prediction, "-"), (measurement, "o")):
            source = "theory" if side is prediction else "measured"
            look = {"mfc": "none", "ms": 3}
            artists += ax.plot(side["time"], side["loss"], style, color="0.4", label=f"loss, {source}", **look)
            for colour, mode in zip(PALETTE, range(self.embedding_dim), strict=False):
                artists += ax.plot(side["time"], 1 - side["missing"].isel(mode=mode), style, color=colour, **look)
        ax.set(xlabel="time t", ylabel="loss, and eigenvalues of C (in colours)")
        ax.legend(fontsize="small")
        return artists


class StepTimes(Claim):
    """A mode is learned at the time -ln(gamma s(0)^2)/(8 gamma): strong correlations first.

    Breaks as `init_scale` grows: the formula is the leading order in the logarithm of the weights.
    """

    source = Source("simon2023b", "critical times", "asymptotic")
    metric, tolerance = max_relative_error("time"), 0.005  # measured: 0.0016 to 0.0028 over six starts
    limit = ("init_scale", (0.1, 0.03, 0.01))

    eigenvalues: tuple[float, ...] = (1.0, 0.5, 0.25, 0.05, 0.05, 0.0, -0.1, -0.2)  # gamma_j of Gamma
    embedding_dim: int = 3  # d
    init_scale: float = 1e-3  # sigma
    init_seed: int = 0
    learning_rate: float = 0.001
    longest: float = 14.0  # training time

    def predict(self) -> xr.Dataset:
        return self._observe(theory.linear.embedding_step_time(*_modes(self)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        record = np.linspace(0, self.longest / self.learning_rate, 1400).round().astype(int)
        eigenvalues = np.asarray(_train(self, record)[0])
        times = record * self.learning_rate
        return self._observe([numerics.first_crossing(times, mode, 0.5) for mode in eigenvalues.T])

    def _observe(self, times) -> xr.Dataset:
        mode = ("mode", [str(mode + 1) for mode in range(self.embedding_dim)], {"long_name": "mode"})
        return observables(coords={"mode": mode}, time=("mode", times, {"long_name": "time at half its end"}))


class RestOfTheStart(Claim):
    """Training ends at the leading eigenvectors, up to a rest of the start of order sigma^(1 - gamma_(d+1)/gamma_d).

    The paper says that the rest vanishes; how slowly, and with what prefactor, is derived by us. Measured is the
    relative distance of W^T W from that of the leading eigenvectors.
    Breaks as `init_scale` grows: squares of the rest then count.
    """

    source = Source("simon2023b", "end of training, small initialisation", "asymptotic")
    metric, tolerance = max_relative_error("distance"), 0.02  # measured: 0.005 to 0.0105 over six starts
    limit = ("learning_rate", (0.004, 0.002, 0.001))

    eigenvalues: tuple[float, ...] = (1.0, 0.6, 0.3, 0.0, -0.2)  # gamma_j of Gamma
    embedding_dim: int = 2  # d
    init_scale: float = 1e-4  # largest sigma; four decades below it are tried
    init_seed: int = 0
    learning_rate: float = 0.001
    longest: float = 20.0  # training time

    def _scales(self):
        import jax.numpy as jnp

        return self.init_scale * 10.0 ** -jnp.arange(5.0)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        correlation, directions = _correlation(self), _directions(self)

        def grams(scale):
            end = theory.linear.converged_embedding(correlation, scale * directions)
            return end.T @ end

        ends = jax.jit(jax.vmap(grams))(jnp.append(self._scales(), 1e-250))
        return self._observe(ends[:-1], ends[-1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        correlation, directions = _correlation(self), _directions(self)
        loss = training.LinearCrossCorrelationLoss(correlation)

        def train(scale):
            steps = round(self.longest / self.learning_rate)
            start = networks.LinearMap(scale * directions)
            run = training.gradient_descent(start, loss, learning_rate=self.learning_rate, steps=steps, record=2)
            return run.network.first.T @ run.network.first

        values, vectors = np.linalg.eigh(correlation)
        leading = vectors[:, ::-1][:, : self.embedding_dim] / np.sqrt(values[::-1][None, : self.embedding_dim])
        return self._observe(jax.jit(jax.vmap(train))(self._scales()), leading @ leading.T)

    def _observe(self, grams, leading) -> xr.Dataset:
        import numpy as np

        distances = np.linalg.norm(grams - leading[None], axis=(1, 2)) / np.linalg.norm(leading)
        scale = ("scale", self._scales(), {"long_name": "initial scale σ", "scale": "log"})
        label = {"long_name": "distance from the leading eigenvectors", "scale": "log"}
        return observables(coords={"scale": scale}, distance=("scale", distances, label))


class KernelComponents(Claim):
    """With a kernel, training ends at the leading eigenvectors of K^(1/2) S K^(1/2): kernel components of the pairs.

    The kernel (x . x')^2, trained as a linear map of the products of two inputs; as many embedding directions as pairs,
    so that all positive modes are learned. Compared is the length of each view's embedding.
    Breaks as `init_scale` grows: what is not learned then does not vanish.
    """

    source = Source("simon2023b", "kernelised solution", "asymptotic")
    metric, tolerance = max_relative_error("length"), 0.002  # measured: 1e-4 to 4e-4 over five seeds

    num_pairs: int = 4  # n, and d
    input_dim: int = 4
    noise_std: float = 0.1  # of a view about the thing seen
    pairs_seed: int = 1
    init_scale: float = 1e-3  # sigma
    learning_rate: float = 0.01
    steps: int = 2000

    def _pairs(self):
        import jax
        import jax.numpy as jnp

        deviations = jnp.ones(self.input_dim)
        return tasks.noisy_views(jax.random.key(self.pairs_seed), self.num_pairs, deviations, self.noise_std)

    def predict(self) -> xr.Dataset:
        views = self._pairs().views
        kernel = (views @ views.T) ** 2
        return self._observe(theory.linear.kernel_embedding(kernel, kernel, self.num_pairs))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        products, pairs = numerics.Monomials(self.input_dim, 2), self._pairs()
        # Scaled so that the dot product of two views' features is the kernel.
        scale = jnp.sqrt(jnp.asarray(products.multiplicities, float))
        features = lambda views: jax.vmap(products)(views) * scale[None, :]  # noqa: E731
        lifted = tasks.ViewPairs(features(pairs.first), features(pairs.second))
        start = self.init_scale * jax.random.normal(key, (self.num_pairs, scale.size), float)
        run = training.gradient_descent(
            networks.LinearMap(start),
            training.LinearCrossCorrelationLoss(lifted.correlation),
            learning_rate=self.learning_rate,
            steps=self.steps,
        )
        return self._observe(lifted.views @ run.network.first.T).assign(loss=("step", run.loss))

    def _observe(self, embedded) -> xr.Dataset:
        import numpy as np

        names = [f"{pair + 1}{prime}" for prime in ("", "'") for pair in range(self.num_pairs)]
        view = ("view", names, {"long_name": "view"})
        lengths = np.linalg.norm(embedded, axis=1)
        return observables(coords={"view": view}, length=("view", lengths, {"long_name": "length of its embedding"}))
