"""Nam, Lee, Domine, Park, London, Choi, Goring, Lee (2025), Position: Solve layerwise linear models first.

Its quantitative core is Nam, Fonseca, Lee, Mingard, Louis (2024), arXiv 2404.17563. Their loss is ours; their time
counts steps, ours is the learning rate times it, and compute is the number of skills times that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _train(claim: Any, frequencies, held, floor: float, record, **watched):
    """Products a_k b_k from sqrt(R_0), for the first ``held`` skills only: one that starts at 0 is never learned."""
    import jax.numpy as jnp

    skills = jnp.arange(frequencies.size)
    weights = jnp.where(skills < held, jnp.sqrt(jnp.asarray(claim.init_scale)), 0.0)
    loss = training.UncorrelatedLoss(jnp.full((1, skills.size), claim.target), frequencies, floor)
    return training.gradient_descent(
        networks.DiagonalLinear(weights, weights),
        loss,
        learning_rate=claim.learning_rate,
        steps=int(record[-1]),
        record=record,
        observables=watched,
    )


def _endless(exponent: float, count: int):
    """Frequencies of the first skills of infinitely many, and what the others add up to."""
    import numpy as np
    from scipy.special import zeta

    frequencies = np.arange(1, count + 1.0) ** -(exponent + 1) / zeta(exponent + 1)
    return frequencies, 1 - frequencies.sum()


class EmergingSkills(Claim):
    """Skills emerge one by one, each along a sigmoid whose time is inversely proportional to its frequency.

    Compared is what is left to learn of each skill, 1 - R/S.
    Breaks as `learning_rate` grows: steps are then long next to the time in which frequent skills are learned.
    """

    source = Source("nam2025", "dynamics of skill strength, and emergence", "exact")
    metric, tolerance = max_curve_gap("left"), 0.01  # measured: 0.008 (no randomness)
    limit = ("learning_rate", (0.4, 0.1, 0.05))

    exponent: float = 0.6  # alpha of the frequencies k^-(alpha + 1)
    num_skills: int = 50
    target: float = 1.0  # S
    init_scale: float = 0.01  # R_0
    learning_rate: float = 0.05
    longest: float = 2000.0  # training time

    def _record(self):
        import numpy as np

        return np.unique(np.geomspace(1, self.longest / self.learning_rate, 60).round().astype(int))

    def _frequencies(self):
        return tasks.power_law_spectrum(self.num_skills, self.exponent + 1)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        times = jnp.asarray(self._record() * self.learning_rate)[None, :]
        goal, start = jnp.asarray(self.target), jnp.asarray(self.init_scale)
        return self._observe(theory.linear.skill_strength(times, self._frequencies()[:, None], goal, start))

    def measure(self, key: jax.Array) -> xr.Dataset:
        held, frequencies = self.num_skills, self._frequencies()
        strength = lambda network: network.coefficients()[0]  # noqa: E731
        return self._observe(_train(self, frequencies, held, 0.0, self._record(), r=strength).observables["r"].T)

    def _observe(self, strengths) -> xr.Dataset:
        return observables(
            coords={
                "skill": range(1, self.num_skills + 1),
                "time": ("time", self._record() * self.learning_rate, {"long_name": "time t", "scale": "log"}),
            },
            left=(("skill", "time"), 1 - strengths / self.target),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        shown = [place for place in (0, 1, 3, 9, 19, 49) if place < self.num_skills]
        for colour, place in zip(PALETTE, shown, strict=False):
            for side, style in ((prediction, "-"), (measurement, "o")):
                curve = self.target * (1 - side["left"].isel(skill=place))
                label = f"skill {place + 1}" if side is prediction else None
                artists += ax.plot(side["time"], curve, style, color=colour, label=label, mfc="none", ms=4)
        ax.set(xscale="log", xlabel="time t", ylabel="strength R of the skill")
        ax.legend(fontsize="small", title="line: theory, circles: measured", title_fontsize="small")
        return artists


class LossInTime(Claim):
    """The loss falls as time to the power -alpha/(alpha + 1), with a prefactor that one integral gives.

    Of the skills without end, those are trained that time allows to move; the others count as at their start.
    Breaks as `learning_rate` grows: frequent skills are then overshot and never settle.
    """

    source = Source("nam2025", "time scaling law", "asymptotic")
    metric, tolerance = max_relative_error("loss"), 0.002  # measured: 7e-4 (no randomness)

    exponents: tuple[float, ...] = (0.3, 0.6, 1.0)  # alpha
    target: float = 1.0  # S
    init_scale: float = 0.01  # R_0
    learning_rate: float = 0.5
    shortest: float = 200.0  # time t from which the law is tried
    longest: float = 3000.0
    num_skills: int = 4000  # trained

    def _record(self):
        import numpy as np

        return (
            np.geomspace(self.shortest / self.learning_rate, self.longest / self.learning_rate, 12).round().astype(int)
        )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        times = jnp.asarray(self._record() * self.learning_rate)
        laws = [theory.linear.time_law(exponent, self.target, self.init_scale) for exponent in self.exponents]
        return self._observe(jnp.stack([law(times) for law in laws]))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        setting = [_endless(exponent, self.num_skills) for exponent in self.exponents]
        frequencies, rest = (jnp.asarray(np.stack(values)) for values in zip(*setting, strict=True))
        floors = (self.target - self.init_scale) ** 2 / 2 * rest
        train = lambda each, floor: _train(self, each, self.num_skills, floor, self._record()).loss  # noqa: E731
        return self._observe(jax.jit(jax.vmap(train))(frequencies, floors))

    def _observe(self, loss) -> xr.Dataset:
        time = ("time", self._record() * self.learning_rate, {"long_name": "time t", "scale": "log"})
        return observables(
            coords={"α": list(self.exponents), "time": time},
            loss=(("α", "time"), loss, {"long_name": "loss", "scale": "log"}),
        )


class BestSizeForCompute(Claim):
    """At the best number of skills N for a compute C = N t, the loss falls as C^(-alpha/(alpha + 2)).

    Every size up to the largest is trained; of each the loss is read at time C/N, and the least one is compared.
    Breaks as `learning_rate` grows: frequent skills are then overshot and never settle.
    """

    source = Source("nam2025", "compute scaling law", "asymptotic")
    metric, tolerance = max_relative_error("loss"), 0.002  # measured: 5e-4 (no randomness)

    exponent: float = 0.6  # alpha
    target: float = 1.0  # S
    init_scale: float = 0.01  # R_0
    learning_rate: float = 0.5
    computes: tuple[float, ...] = (1e3, 3e3, 1e4, 3e4)  # C
    largest: int = 64  # N

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        best = lambda at: theory.linear.compute_optimum(at, self.exponent, self.target, self.init_scale)  # noqa: E731
        optimum = jax.jit(best)(jnp.asarray(self.computes))
        return self._observe(optimum.loss, optimum.num_skills)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        frequencies, rest = _endless(self.exponent, self.largest)
        sizes = np.arange(4, self.largest + 1)
        steps = np.rint(np.asarray(self.computes)[None, :] / sizes[:, None] / self.learning_rate).astype(int)
        record = np.unique(steps)
        floor = self.target**2 / 2 * rest
        train = lambda held: _train(self, jnp.asarray(frequencies), held, floor, record).loss  # noqa: E731
        losses = np.asarray(jax.jit(jax.vmap(train))(jnp.asarray(sizes)))
        reached = np.take_along_axis(losses, np.searchsorted(record, steps), axis=1)
        curves = {"curve": (("size", "compute"), reached)}
        return self._observe(reached.min(axis=0), sizes[reached.argmin(axis=0)]).assign(curves)

    def _observe(self, loss, sizes) -> xr.Dataset:
        return observables(
            coords={"compute": ("compute", list(self.computes), {"long_name": "compute C = N t", "scale": "log"})},
            loss=("compute", loss, {"long_name": "least loss", "scale": "log"}),
            num_skills=("compute", sizes, {"long_name": "best number of skills N"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place in range(0, measurement.sizes["size"], 6):
            curve = measurement["curve"].isel(size=place)
            label = "sizes trained" if place == 0 else None
            artists += ax.plot(measurement["compute"], curve, ".-", lw=0.6, color="0.75", label=label)
        artists += ax.plot(prediction["compute"], prediction["loss"], color=PALETTE[0], label="theory, best size")
        artists += ax.plot(
            measurement["compute"], measurement["loss"], "o", mfc="none", color=PALETTE[1], label="best of all trained"
        )
        for at, loss, size in zip(
            self.computes, prediction["loss"].values, prediction["num_skills"].values, strict=True
        ):
            place = {"xytext": (-4, -14), "textcoords": "offset points", "fontsize": "small", "ha": "right"}
            artists.append(ax.annotate(f"N = {size:.0f}", (at, loss), color=PALETTE[0], **place))
        ax.set(xscale="log", yscale="log", xlabel="compute C = N t", ylabel="loss")
        ax.margins(0.12)
        ax.legend(fontsize="small")
        return artists


class LossInData(Claim):
    """A learner that knows a skill once it has seen it falls as samples to the power -alpha/(alpha + 1).

    Predicted is the exact average, whose limit is the power law; measured is the mean over draws of samples.
    Breaks as `shots` grows: a skill then needs more samples than one.
    """

    source = Source("nam2025", "data scaling law", "exact")
    metric, tolerance = max_relative_error("loss", over="mean"), 0.05  # measured: 0.013 to 0.024 over five seeds

    exponent: float = 0.6  # alpha
    num_skills: int = 200
    target: float = 1.0  # S
    sizes: tuple[int, ...] = (3, 10, 30, 100, 300)  # D
    shots: int = 1  # samples of a skill after which it is known
    draws: int = 400

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        sizes = jnp.asarray(self.sizes, float)
        exact = theory.linear.unseen_loss(sizes, self.exponent, self.target, total=self.num_skills)
        return self._observe("samples", exact)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        frequencies = tasks.power_law_spectrum(self.num_skills, self.exponent + 1)
        task, sizes = tasks.SparseSkills(frequencies, self.target), jnp.asarray(self.sizes)

        def draw(key):
            seen = jnp.cumsum(jnp.abs(task.sample(key, max(self.sizes)).inputs), axis=0)[sizes - 1]
            strength = jnp.where(seen >= self.shots, self.target, 0.0)
            return jnp.sum(frequencies[None, :] * (self.target - strength) ** 2, axis=1) / 2

        losses = jax.jit(lambda keys: jax.lax.map(draw, keys))(jax.random.split(key, self.draws))
        return self._observe(("seed", "samples"), losses)

    def _observe(self, dims, loss) -> xr.Dataset:
        return observables(
            coords={"samples": ("samples", list(self.sizes), {"long_name": "samples D", "scale": "log"})},
            loss=(dims, loss, {"long_name": "loss", "scale": "log"}),
        )
