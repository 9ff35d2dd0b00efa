"""Theorem 1 and Corollary 2: the fixed points of narrow networks inside wide ones, and the ways down from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _architectures

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.networks import UnitLayer
    from solvable.tasks import Samples, TeacherNetwork


class EmbeddedPointsStayFixed(Claim):
    """A fixed point of a narrow network is one of any wider network too, with the same map.

    Linear, ReLU, quadratic, tanh and sigmoid units, kernels, attention heads and deep networks, at planted fixed
    points: targets are chosen so that the gradient vanishes at random weights. Every embedding that the units allow.
    """

    source = Source("zhang2026", "Theorem 1 and Corollary 2", "exact")
    metric, tolerance = max_relative_error("loss", "stationary"), 1e-9  # measured: 1e-15 over six keys

    kinds: tuple[str, ...] = ("ReLU", "attention")
    width: int = 3  # of the narrow network
    number: float = 1.6  # gamma of the embeddings
    num_samples: int = 60  # P
    residual_scale: float = 0.5  # root mean square of what the narrow network leaves
    rounding: float = 1e-10  # a gradient counts as zero below this share of its size at random weights
    full = dict(kinds=_architectures.NAMES)

    def validate(self) -> None:
        _architectures.check_names(self.kinds)

    def predict(self) -> xr.Dataset:
        import numpy as np

        ones = np.ones(len(self.kinds))
        return self._observe(ones * self.residual_scale**2 / 2, ones)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        found = jax.device_get([self._embed(name, key) for name in self.kinds])
        # Of all the embeddings of a network, the loss that is furthest from what was planted.
        planted = self.residual_scale**2 / 2
        losses = [losses[np.argmax(np.abs(losses - planted))] for losses, _ in found]
        gradients = observables(gradient=("network", [shares.max() for _, shares in found]))
        return self._observe(losses, [np.mean(shares < self.rounding) for _, shares in found]).merge(gradients)

    def _embed(self, name: str, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Loss and gradient, as a share of its size elsewhere, of every embedding of a network."""
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        key_network, key_inputs, key_residual = jax.random.split(key, 3)
        network, shape = _architectures.draw_network(name, key_network, self.width)
        inputs = _architectures.draw_inputs(key_inputs, self.num_samples, shape)
        # Compiled in parts: as one piece it would take twenty times as long to compile.
        plant = eqx.filter_jit(networks.plant_fixed_point)
        samples = plant(network, inputs, key_residual, residual_scale=self.residual_scale)
        loss = training.make_objective(network, samples)
        wide = _architectures.embed_everywhere(network, self.number)
        elsewhere = jax.tree.map(lambda leaf: 1.5 * leaf, eqx.filter(network, eqx.is_inexact_array))
        scale = jnp.linalg.norm(instruments.loss_and_gradient(loss, eqx.combine(elsewhere, network))[1])
        losses, gradients = zip(*(instruments.loss_and_gradient(loss, each) for each in wide), strict=True)
        return jnp.stack(losses), jnp.stack([jnp.linalg.norm(gradient) for gradient in gradients]) / scale

    def _observe(self, loss, stationary) -> xr.Dataset:
        return observables(
            coords={"network": list(self.kinds)},
            loss=("network", loss, {"long_name": "loss at the embedded points"}),
            stationary=("network", stationary, {"long_name": "share with zero gradient"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        places, gradient = np.arange(len(self.kinds)), np.maximum(measurement["gradient"].values, 1e-18)
        artists: list[Artist] = [
            ax.axvspan(1e-19, self.rounding, color=PALETTE[0], alpha=0.15, label="rounding, theory")
        ]
        artists += ax.plot(gradient, places, "o", color=PALETTE[1], label="largest of all embeddings, measured")
        ax.set(xscale="log", xlim=(1e-19, 10), xlabel="gradient at the embedded point, share of that elsewhere")
        ax.set_yticks(places, self.kinds)
        ax.invert_yaxis()
        ax.legend(fontsize="small", loc="right")
        return artists


class LinearSaddleIndex(Claim):
    """Embedded fixed points of linear layers are saddles unless they are global minima; their index is known.

    Every fixed point, greedy or not, of a teacher whose axes are the inputs'; the paper says only that the index is
    not 0. Two units of random combinations are embedded on top of the modes in use.
    """

    source = Source("zhang2026", "Theorem 1 (iv), Lemma 6 and Eq. 42", "exact")
    metric, tolerance = fraction_wrong("index"), 0.01  # measured: none wrong over six keys

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.0, 0.7)  # eigenvalues of Sigma_xx
    extra: int = 2  # units beyond the modes in use, H - r

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        return tasks.linear_teacher(jnp.diag(jnp.asarray(self.strengths)), jnp.diag(jnp.asarray(self.variances)))

    def _subsets(self) -> list[tuple[bool, ...]]:
        from itertools import product

        # One unit at least, so not the empty set: its index is that of a layer at zero.
        return [subset for subset in product([False, True], repeat=len(self.strengths)) if any(subset)]

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        moments = self._task().moments(numerics.Monomials(len(self.strengths), 1))
        points = [
            theory.flows.linear_saddle_index(moments, jnp.asarray(subset), sum(subset) + self.extra)
            for subset in self._subsets()
        ]
        return self._observe(points)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task, dim = self._task(), len(self.strengths)
        unit, indices = networks.Neuron(numerics.activations.identity), []
        for subset in self._subsets():
            # Weights on a mode's axis stay there, so that training ends at that mode learned alone.
            axes = jnp.eye(dim)[jnp.asarray(subset)]
            start = networks.UnitLayer(0.5 * axes, 0.5 * axes.T, unit)
            network = training.gradient_descent(start, task, learning_rate=0.2, steps=1000, record=2).network
            for key_unit in jax.random.split(key, self.extra):
                gammas, shares = jax.random.normal(key_unit, (2, network.width), float)
                network = networks.add_dependent_unit(network, gammas, shares=shares / network.width)
            indices.append(instruments.hessian_index(training.make_objective(network, task), network))
        return self._observe(indices)

    def _observe(self, indices) -> xr.Dataset:
        labels = [",".join(str(mode + 1) for mode, used in enumerate(subset) if used) for subset in self._subsets()]
        return observables(
            coords={"modes": ("modes", labels, {"long_name": "modes in use"})},
            index=("modes", indices, {"long_name": "negative curvatures"}),
        )


class SplitUnitsGainIndex(Claim):
    """Splitting a smooth unit makes a saddle: its own curvature, of both signs, counts on one side of the split.

    The paper says that such points are saddles under mild conditions; how many ways down a split opens is Fukumizu
    and Amari's. At planted fixed points with one output.
    """

    source = Source("zhang2026", "Theorem 1 (i) and the remarks after Corollary 2", "exact")
    metric, tolerance = fraction_wrong("gained"), 0.01  # measured: none wrong over six keys

    activation: str = "tanh"
    shares: tuple[float, ...] = (-0.5, 0.3, 0.5, 1.5)  # gamma_v
    width: int = 2  # of the narrow network
    input_dim: int = 4
    num_samples: int = 60  # P
    count: int = 6  # narrow networks
    init_seed: int = 0  # of weights and targets, which theory needs too

    def _points(self) -> list[tuple[UnitLayer, Samples]]:
        import jax

        unit = networks.Neuron(getattr(numerics.activations, self.activation))
        found = []
        for key in jax.random.split(jax.random.key(self.init_seed), self.count):
            narrow = networks.initialise(unit, key, width=self.width, input_shape=(self.input_dim,), init_scale=1.0)
            inputs = jax.random.normal(key, (self.num_samples, self.input_dim), float)
            found.append((narrow, networks.plant_fixed_point(narrow, inputs, key, residual_scale=0.5)))
        return found

    def predict(self) -> xr.Dataset:
        import jax

        gains = []
        for narrow, samples in self._points():
            activation = getattr(numerics.activations, self.activation)
            curvature = theory.flows.unit_curvature(samples, narrow.first, narrow.second, activation, 0)
            gains.append([theory.flows.split_index(0, curvature, share) for share in self.shares])
        return self._observe(jax.device_get(gains))

    def measure(self, key: jax.Array) -> xr.Dataset:
        gains = []
        for narrow, samples in self._points():
            loss = training.make_objective(narrow, samples, "samples")
            before = instruments.hessian_index(loss, narrow)
            split = [networks.split_unit(narrow, 0, share=share) for share in self.shares]
            gains.append([instruments.hessian_index(loss, wide) - before for wide in split])
        return self._observe(gains)

    def _observe(self, gains) -> xr.Dataset:
        share = ("share", list(self.shares), {"long_name": "share $\\gamma_v$ of the new unit"})
        gained = (("network", "share"), gains, {"long_name": "negative curvatures gained"})
        return observables(coords={"share": share}, gained=gained)


class ReluMinimumStaysMinimum(Claim):
    """A ReLU minimum can stay one in a wider network: from two of three embeddings no way leads down.

    Theorem 1 makes fixed points, not saddles. The best single unit on two orthogonal points is off at the point that
    it misses, and so is any unit made from it by splitting or scaling. Units at zero sit on the kink, and small ones
    reach the missed point from there. Measured by training on, from weights a little beside each point.
    """

    source = Source("zhang2026", "Theorem 1 (i) to (iii)", "exact")
    metric, tolerance = max_curve_gap("loss"), 1e-3  # measured: below 1e-6 over ten keys

    copies: int = 16  # units embedded, one by one
    nudge: float = 0.01  # standard deviation of the change of every weight
    learning_rate: float = 0.1
    steps: int = 3000
    seeds: int = 8

    def predict(self) -> xr.Dataset:
        _, missed, all_met = theory.flows.plateau_losses(tasks.orthogonal_pair())
        return self._observe(("embedding",), [missed, missed, all_met])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples = tasks.orthogonal_pair()
        missed, met = samples.inputs
        on_one = met / jnp.sum(met**2) - 0.5 * missed / jnp.sum(missed**2)
        narrow = networks.UnitLayer(on_one[None, :], -jnp.ones((1, 1)), networks.Neuron(numerics.activations.relu))
        split = proportional = zero = narrow
        for copy in range(self.copies):
            split = networks.split_unit(split, copy, share=0.5)
            proportional = networks.add_proportional_unit(proportional, 0, ratio=0.7)
            zero = networks.add_zero_unit(zero)

        def train(wide, key):
            shake = jax.random.normal(key, (wide.width, 3), float)
            beside = networks.UnitLayer(
                wide.first + self.nudge * shake[:, :2], wide.second + self.nudge * shake[None, :, 2], wide.unit
            )
            run = training.gradient_descent(
                beside, samples, learning_rate=self.learning_rate, steps=self.steps, record=2
            )
            return run.loss[-1]

        wide = jax.tree.map(lambda *leaves: jnp.stack(leaves), split, proportional, zero)
        over_seeds = jax.vmap(train, (None, 0))
        losses = jax.jit(jax.vmap(over_seeds, (0, None)))(wide, jax.random.split(key, self.seeds))
        return self._observe(("embedding", "seed"), losses)

    def _observe(self, dims, losses) -> xr.Dataset:
        return observables(
            coords={"embedding": ["split (i)", "proportional (iii)", "zero (ii)"]},
            loss=(dims, losses, {"long_name": "loss after training on"}),
        )
