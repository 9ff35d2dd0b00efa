"""Ren, Sutherland (2025), Learning dynamics of LLM finetuning.

Their loss is that of one example, as ours is here; their models are large language models, ours a small network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_CASES = ("fine-tuning", "step up", "preference")


class InfluenceOfAStep(Claim):
    """A step on one example changes another's log-probabilities by -eta A K G, up to second order in eta.

    Fine-tuning on a label, the same step up, and a preference of one label to another (DPO), of a two-layer network.
    Breaks as `learning_rate` grows: what is left out grows in proportion.
    """

    source = Source("ren2025", "Proposition 1; DPO", "asymptotic")
    metric, tolerance = max_curve_gap("change"), 0.005  # measured: 0.0007 to 0.004 over 5 networks
    limit = ("learning_rate", (1e-1, 1e-2, 1e-3))

    learning_rate: float = 1e-3  # eta
    labels: int = 6  # V
    width: int = 16
    input_dim: int = 5
    strength: float = 0.5  # b of the preference
    network_seed: int = 0
    full = dict(width=256, labels=50, input_dim=20)

    def _setting(self) -> tuple[Any, jax.Array, jax.Array]:
        """The model, logits of a reference, and the inputs observed and trained on."""
        import jax
        import jax.numpy as jnp

        columns = self.input_dim + self.labels
        rows = jax.random.normal(jax.random.key(self.network_seed), (self.width + 3, columns))
        first, second = rows[3:, : self.input_dim], rows[3:, self.input_dim :].T / self.width**0.5
        unit = networks.Neuron(numerics.activations.tanh)
        reference = rows[2, self.input_dim :]
        return networks.UnitLayer(first, second, unit), jnp.asarray(reference), rows[:2, : self.input_dim]

    def _pair(self) -> tuple[jax.Array, jax.Array]:
        import jax.numpy as jnp

        eye = jnp.eye(self.labels)
        return eye[0], eye[1]

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        model, reference, (observed, trained) = self._setting()
        chosen, rejected = self._pair()

        @jax.jit
        def change(model):
            kernel = instruments.influence_kernel(model, observed, trained)
            before = jax.nn.softmax(model(trained))
            gain = jax.nn.log_softmax(model(trained)) - jax.nn.log_softmax(reference)
            weight = theory.kernel.preference_weight(gain @ (chosen - rejected), loss="dpo", strength=self.strength)
            to_chosen, to_rejected = (theory.kernel.fine_tuning_residual(before, label) for label in (chosen, rejected))
            residuals = jnp.stack([to_chosen, -to_chosen, weight * (to_chosen - to_rejected)])[:, None]
            over_cases = jax.vmap(theory.kernel.log_probability_change, (None, None, 0, None))
            return over_cases(jax.nn.softmax(model(observed)), kernel, residuals, jnp.asarray(self.learning_rate))

        return self._label(change(model))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        model, reference, (observed, trained) = self._setting()
        chosen, rejected = self._pair()

        @jax.jit
        def change(model):
            losses = (
                training.LabelLoss(trained, chosen),
                training.LabelLoss(trained, chosen, -1.0),
                training.PreferenceLoss(trained, chosen - rejected, reference, self.strength),
            )
            ends = [
                training.gradient_descent(model, loss, learning_rate=self.learning_rate, steps=1, record=2).network
                for loss in losses
            ]
            before = jax.nn.log_softmax(model(observed))
            return jnp.stack([jax.nn.log_softmax(end(observed)) - before for end in ends])

        return self._label(change(model))

    def _label(self, change) -> xr.Dataset:
        words = {"long_name": r"change of $\ln π$ at another example"}
        return observables(
            coords={"case": list(_CASES), "label": ("label", range(self.labels), {"long_name": "label"})},
            change=(("case", "label"), change, words),
        )


class Squeezing(Claim):
    """Pushing an unlikely label down squeezes all others but the likeliest one, step by step as predicted.

    Softmax regression; the label pushed is the least likely one (valley) or the likeliest (peak).
    """

    source = Source("ren2025", "squeezing effect", "exact")
    metric, tolerance = max_relative_error("probability", "rest_entropy"), 1e-9

    probabilities: tuple[float, ...] = (0.40, 0.25, 0.15, 0.12, 0.06, 0.02)  # pi, divided by its sum
    step: float = 0.5  # h = eta k
    steps: int = 30
    full = dict(steps=300, step=0.05)

    def validate(self) -> None:
        from solvable.errors import check_positive

        check_positive("probabilities", min(self.probabilities))

    def _start(self) -> tuple[jax.Array, jax.Array]:
        """Probabilities, and the labels pushed down."""
        import jax.numpy as jnp

        start = jnp.asarray(self.probabilities) / sum(self.probabilities)
        eye = jnp.eye(start.size)
        return start, jnp.stack([eye[start.argmin()], eye[start.argmax()]])

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        start, labels = self._start()
        both = jnp.broadcast_to(start, labels.shape)
        path = theory.kernel.squeezing_path(both, labels, jnp.full(2, self.step), self.steps)
        return self._label(path, theory.kernel.rest_entropy(path, jnp.broadcast_to(labels, path.shape)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        start, labels = self._start()
        one = jnp.ones(1)

        def train(label):
            return training.gradient_descent(
                networks.LinearMap(jnp.log(start)[:, None]),
                training.LabelLoss(one, label, -1.0),
                learning_rate=self.step,
                steps=self.steps,
                record=self.steps + 1,
                observables={"logits": lambda network: network(one)},
            ).observables["logits"]

        @jax.jit
        def train_both(labels):
            logits = jnp.moveaxis(jax.vmap(train)(labels), 0, 1)
            rest = jax.nn.log_softmax(jnp.where(labels[None] > 0, -jnp.inf, logits))
            entropy = -jnp.sum(jnp.where(labels[None] > 0, 0, jnp.exp(rest) * rest), axis=-1)
            return jax.nn.softmax(logits), entropy

        return self._label(*train_both(labels))

    def _label(self, probability, entropy) -> xr.Dataset:
        return observables(
            coords={
                "step": ("step", range(self.steps + 1), {"long_name": "steps"}),
                "pushed": ["valley", "peak"],
            },
            probability=(("step", "pushed", "label"), probability, {"long_name": "probability $π_i$"}),
            rest_entropy=(("step", "pushed"), entropy, {"long_name": "entropy of the others"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for label in range(len(self.probabilities)):
            colour = PALETTE[label % len(PALETTE)]
            for pushed, style, marker in (("valley", "-", "o"), ("peak", "--", "s")):
                theirs = prediction["probability"].sel(pushed=pushed).isel(label=label)
                ours = measurement["probability"].sel(pushed=pushed).isel(label=label)
                name = f"label {label + 1}" if pushed == "valley" else None
                artists += ax.plot(theirs["step"], theirs, style, color=colour, label=name)
                artists += ax.plot(ours["step"][::5], ours[::5], marker, ms=4, mfc="none", color=colour)
        ax.set(xlabel="steps that push a label down", ylabel="probability $π_i$", yscale="log", ylim=(1e-4, 2))
        title = "pushed: the least likely (lines, circles), the likeliest (dashes, squares)"
        ax.legend(fontsize="small", ncols=3, title=title, title_fontsize="small")
        return artists
