"""Theorem 3 and Appendix F.4: relations among units that training keeps, and the fixed points that lie on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, observables
from solvable.claims.flows.zhang2026 import _architectures

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.networks import InvariantManifold

_RELATIONS = ("equal", "zero", "proportional", "dependent")
# How many of the relations, in this order, each kind of unit keeps.
_KEPT = {"general": 1, "zero": 2, "homogeneous": 3, "linear": 4}
_KINDS = {
    "linear": "linear",
    "ReLU": "homogeneous",
    "quadratic": "zero",
    "tanh": "zero",
    "sigmoid, bias": "general",
    "convolution": "homogeneous",
    "attention": "zero",
    "merged attention": "linear",
    "softmax attention": "general",
    "deep linear": "linear",
    "deep ReLU": "homogeneous",
}


class TrainingKeepsRelations(Claim):
    """Training keeps just those relations among units that the units' dependence on their weights grants.

    Equal units always; zero ones where phi vanishes at u = 0; proportional ones where it is homogeneous; dependent ones
    where it is linear. Kept means: up to rounding along a whole run, from projected random weights on random targets.
    """

    source = Source("zhang2026", "Theorem 3", "law")
    metric, tolerance = fraction_wrong("kept"), 1e-3  # measured: none wrong over six keys

    kinds: tuple[str, ...] = ("linear", "ReLU", "tanh")
    width: int = 4  # H
    num_samples: int = 30  # P
    learning_rate: float = 0.02
    steps: int = 500
    rounding: float = 1e-12  # a drift counts as none below this share of the weights' norm
    full = dict(kinds=_architectures.NAMES, learning_rate=0.001)  # attention diverges at larger ones

    def validate(self) -> None:
        _architectures.check_names(self.kinds)

    def predict(self) -> xr.Dataset:
        kept = [[place < _KEPT[_KINDS[name]] for place in range(len(_RELATIONS))] for name in self.kinds]
        return self._observe(kept=kept)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        drift = np.array([self._drift(name, key) for name in self.kinds])
        return self._observe(kept=drift < self.rounding, drift=drift)

    def _drift(self, name: str, key: jax.Array) -> jax.Array:
        """Largest distance from each relation along training, as a share of the norm of the layer's weights."""
        import jax
        import jax.numpy as jnp

        key_network, key_inputs, key_targets = jax.random.split(key, 3)
        network, shape = _architectures.draw_network(name, key_network, self.width)
        inputs = _architectures.draw_inputs(key_inputs, self.num_samples, shape)
        samples = tasks.make_samples(inputs, jax.random.normal(key_targets, (self.num_samples, 1), float))

        def train(relation):
            manifold = networks.InvariantManifold(relation, (0,), "general")
            run = training.gradient_descent(
                manifold.project(network),
                samples,
                learning_rate=self.learning_rate,
                steps=self.steps,
                record=20,
                observables={"share": manifold.relative_distance},
            )
            return jnp.max(run.observables["share"])

        return jax.jit(jax.vmap(train))(jnp.stack([manifold.relations for manifold in self._manifolds()]))

    def _manifolds(self) -> list[InvariantManifold]:
        import jax.numpy as jnp

        gammas = jnp.linspace(-1.0, 0.7, self.width).at[0].set(0.0)
        return [
            networks.equal_units(self.width, 0, 1),
            networks.zero_unit(self.width, 0),
            networks.proportional_units(self.width, 0, 1, 0.4),
            networks.dependent_unit(0, gammas),
        ]

    def _observe(self, **values) -> xr.Dataset:
        return observables(
            coords={"network": list(self.kinds), "relation": list(_RELATIONS)},
            **{name: (("network", "relation"), entries) for name, entries in values.items()},
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        drift = np.maximum(measurement["drift"].values, 1e-17)  # exact zeros at the left end
        places = np.arange(len(self.kinds))
        artists: list[Artist] = [ax.axvline(self.rounding, color="0.6", lw=1, label="kept to the left, theory")]
        for place, (relation, colour) in enumerate(zip(_RELATIONS, PALETTE, strict=False)):
            kept = prediction["kept"].values[:, place] > 0
            height = places + 0.15 * (place - 1.5)
            for granted, marker, words in ((kept, "o", "granted"), (~kept, "x", "not granted")):
                label = f"{relation}, {words}" if granted.any() else "_"
                artists += ax.plot(drift[granted, place], height[granted], marker, color=colour, label=label, ls="")
        ax.set(xscale="log", xlabel="drift off the manifold, share of the weights' norm", xlim=(4e-18, 30))
        ax.set_yticks(places, self.kinds)
        ax.invert_yaxis()
        ax.legend(fontsize="x-small", loc="center", bbox_to_anchor=(0.56, 0.5))
        return artists


class EmbeddingsMeetManifolds(Claim):
    """Of the embedded fixed points those at one value of gamma_v lie on the invariant manifold of their relation.

    The curve is the distance from the manifold as gamma_v is varied; for dependent units along the line through the
    value that F.4 gives.
    """

    source = Source("zhang2026", "App. F.4, Eqs. 29 to 31", "exact")
    metric, tolerance = max_curve_gap("distance"), 1e-9  # measured: 1e-15 over six keys

    width: int = 3  # of the narrow network
    input_dim: int = 4
    output_dim: int = 2
    ratio: float = 0.6  # gamma_u of the proportional unit; each dependent unit takes the same share of all
    init_seed: int = 0  # of the narrow network, which theory needs too

    def _narrow(self):
        import jax

        unit = networks.Neuron(numerics.activations.identity)
        sizes = {"width": self.width, "input_shape": (self.input_dim,), "output_dim": self.output_dim}
        return networks.initialise(unit, jax.random.key(self.init_seed), init_scale=1.0, **sizes)

    def _gammas(self):
        """gamma_u of each relation, and the multiples of its gamma_v at which the distance is taken."""
        import jax.numpy as jnp

        first = jnp.eye(self.width)[0]
        factors = jnp.linspace(-1.0, 3.0, 17)
        return {
            "split": first,
            "proportional": self.ratio * first,
            "dependent": self.ratio * jnp.ones(self.width),
        }, factors

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        second = self._narrow().second
        relations, factors = self._gammas()
        distance = jax.vmap(theory.flows.embedded_distance, (None, 0, None))
        found = [
            distance(gamma, factors[:, None] * (gamma / (1 + jnp.sum(gamma**2)))[None, :], second)
            for gamma in relations.values()
        ]
        return self._observe(factors, found)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        narrow, (relations, factors) = self._narrow(), self._gammas()
        width, square = self.width + 1, 1 + self.ratio**2

        def embed(factor):
            split = networks.split_unit(narrow, 0, share=factor / 2)
            proportional = networks.add_proportional_unit(
                narrow, 0, ratio=self.ratio, share=factor * self.ratio / square
            )
            gamma = relations["dependent"]
            dependent = networks.add_dependent_unit(narrow, gamma, shares=factor * gamma / (1 + jnp.sum(gamma**2)))
            return jnp.stack(
                [
                    networks.equal_units(width, self.width, 0).distance(split),
                    networks.proportional_units(width, self.width, 0, self.ratio).distance(proportional),
                    networks.dependent_unit(self.width, jnp.append(gamma, 0)).distance(dependent),
                ]
            )

        return self._observe(factors, jax.jit(jax.vmap(embed))(factors).T)

    def _observe(self, factors, distance) -> xr.Dataset:
        return observables(
            coords={
                "relation": ["split", "proportional", "dependent"],
                "factor": ("factor", factors, {"long_name": "$\\gamma_v$, in units of the value of F.4"}),
            },
            distance=(("relation", "factor"), distance, {"long_name": "distance from the manifold"}),
        )


class TanhLeavesRankOne(Claim):
    """Weights of rank one stay so in linear networks; in tanh networks they are on no manifold and spread.

    Both start at exactly proportional units, on the same samples of a linear teacher of full rank. Training is short:
    rank one ends at a saddle, which rounding leaves after a time.
    """

    source = Source("zhang2026", "Section 7, condition for saddle-to-saddle dynamics", "law")
    metric, tolerance = fraction_wrong("stays"), 0.01  # measured: none wrong over six keys

    width: int = 6  # H
    input_dim: int = 3
    num_samples: int = 40  # P
    init_scale: float = 0.5
    learning_rate: float = 0.05
    steps: int = 100

    def predict(self) -> xr.Dataset:
        return observables(coords={"network": ["linear", "tanh"]}, stays=("network", [1, 0]))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        key_inputs, key_teacher, key_u, key_v, key_unit = jax.random.split(key, 5)
        inputs = jax.random.normal(key_inputs, (self.num_samples, self.input_dim), float)
        teacher = jax.random.normal(key_teacher, (self.input_dim, self.input_dim), float)
        samples = tasks.make_samples(inputs, inputs @ teacher)
        multiples = self.init_scale * jax.random.normal(key_unit, (self.width,), float)
        first = multiples[:, None] * jax.random.normal(key_u, (1, self.input_dim), float)
        second = multiples[None, :] * jax.random.normal(key_v, (self.input_dim, 1), float)

        def train(activation):
            return training.gradient_descent(
                networks.UnitLayer(first, second, networks.Neuron(activation)),
                samples,
                learning_rate=self.learning_rate,
                steps=self.steps,
                record=50,
                observables={"strength": lambda network: instruments.top_singular_values(network.first, 2)},
            )

        runs = [train(activation) for activation in (numerics.activations.identity, numerics.activations.tanh)]
        # The second singular value of the first layer's weights as a share of the first.
        second_share = jnp.stack([jnp.divide(*run.observables["strength"].T[::-1]) for run in runs])
        return observables(
            coords={"network": ["linear", "tanh"], "step": ("step", runs[0].steps, {"long_name": "gradient step"})},
            stays=("network", second_share[:, -1] < 1e-3),
            second_share=(("network", "step"), second_share),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name in zip(PALETTE, measurement["network"].values, strict=False):
            share = np.maximum(measurement["second_share"].sel(network=name).values, 1e-17)
            words = "rank one kept" if prediction["stays"].sel(network=name) else "not kept"
            artists += ax.plot(measurement["step"].values, share, ".", color=colour, label=f"{name}, theory: {words}")
        ax.set(
            yscale="log", ylim=(1e-17, 3), xlabel="gradient step", ylabel="second singular value of U, share of first"
        )
        ax.legend()
        return artists
