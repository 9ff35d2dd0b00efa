"""Malladi, Wettig, Yu, Chen, Arora (2023), A kernel-based view of language model fine-tuning.

Their models are RoBERTa on sentences; ours is one block of a transformer on a prompt that asks for the sign of a sum,
pre-trained on it and then fine-tuned with the signs of three tokens flipped. Losses are those of one example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, observables
from solvable.claims.metrics import Metric

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_RULES = ("sgd", "sign")
_FLIPPED = (0, 1, 13)


def _distance(prediction, measurement) -> float:
    """Of whole arrays, as a share of the prediction."""
    return float(((prediction - measurement) ** 2).sum() ** 0.5 / (prediction**2).sum() ** 0.5)


def _relative_distance(*variables: str) -> Metric:
    return Metric(f"relative_distance({', '.join(variables)})", variables, _distance)


def _pretrained(width: int, steps: int, seed: int) -> Any:
    """The transformer after steps of Adam on the prompt."""
    import jax

    task, (key_network, key_batches) = tasks.PromptTask(), jax.random.split(jax.random.key(seed))
    start = jax.jit(
        lambda key: networks.initialise_transformer(key, words=task.words, positions=task.length + 1, width=width)
    )
    network = start(key_network)
    return training.adam(network, training.PromptLoss(task), key=key_batches, learning_rate=2e-3, steps=steps)


def _examples(num_samples: int, num_tests: int, seed: int) -> tuple[Any, jax.Array, Any]:
    """Training examples of the downstream task with their labels, and test inputs."""
    import jax

    task, size = tasks.PromptTask().flip(*_FLIPPED), num_samples + num_tests
    tokens, labels = jax.jit(lambda key: task.sample(key, size))(jax.random.key(seed + 1))
    return tokens[:num_samples], labels[:num_samples], tokens[num_samples:]


def _order(num_samples: int, steps: int):
    import jax.numpy as jnp

    return jnp.arange(steps) % num_samples


def _kernels(network, inputs, observed):
    """Kernels of both rules between all examples and the training ones, and outputs of all."""
    import jax
    import jax.numpy as jnp

    read, every = tasks.PromptTask().margin, jnp.concatenate([observed, inputs])
    kernels = instruments.gradient_kernels(network, read, every, inputs)
    outputs = jax.jit(lambda network, every: jax.vmap(lambda x: read(network(x)))(every))(network, every)
    return dict(zip(_RULES, kernels[:2], strict=True)), outputs


def _predict(network, examples, order, shares) -> list:
    """Changes of outputs on test inputs, frozen kernels, at rates that are shares of the mean of the diagonal."""
    inputs, labels, observed = examples
    kernels, outputs = _kernels(network, inputs, observed)
    paths = []
    for rule, share in zip(_RULES, shares, strict=True):
        kernel, tests = kernels[rule], len(observed)
        path = theory.kernel.outputs_one_by_one(
            kernel[:tests],
            kernel[tests:],
            outputs[:tests],
            outputs[tests:],
            labels,
            order=order,
            learning_rate=share / kernel[tests:].diagonal().mean(),
            rule=rule,
        )
        paths.append(path[1:] - path[:1])
    return paths


def _measure(network, examples, order, shares) -> list:
    inputs, labels, observed = examples
    kernels, _ = _kernels(network, inputs, observed)
    paths = []
    for rule, share in zip(_RULES, shares, strict=True):
        rate = share / kernels[rule][len(observed) :].diagonal().mean()
        read = tasks.PromptTask().margin
        path = training.train_one_by_one(
            network, read, inputs, labels, observed, order=order, learning_rate=rate, rule=rule
        )
        paths.append(path[1:] - path[:1])
    return paths


class KernelOfSteps(Claim):
    """Fine-tuning by small steps, by gradients or by their signs, moves outputs as frozen kernels of the two say.

    Rates are shares of one over the mean of the kernel's diagonal: of the share 1, a step moves its own example by chi.
    Breaks as `sgd_share` grows: the error grows in proportion to how far outputs move.
    """

    source = Source("malladi2023", "Sec. 4, kernels of SGD and SignGD; kernel behaviour", "asymptotic")
    metric, tolerance = _relative_distance("sgd", "sign"), 0.001  # measured: 0.00005 to 0.00054 over 5 networks
    limit = ("sgd_share", (0.02, 0.005, 0.00125))

    sgd_share: float = 0.00125  # eta times the mean diagonal of the kernel
    sign_share: float = 0.0005  # the same for steps by signs
    pretraining: int = 30  # steps
    width: int = 32
    num_samples: int = 16
    num_tests: int = 32
    steps: int = 32
    network_seed: int = 0
    full = dict(pretraining=120, num_tests=64, steps=100, sgd_share=2.5e-4, sign_share=1e-4)

    def _setting(self):
        network = _pretrained(self.width, self.pretraining, self.network_seed)
        examples = _examples(self.num_samples, self.num_tests, self.network_seed)
        return network, examples, _order(self.num_samples, self.steps), (self.sgd_share, self.sign_share)

    def predict(self) -> xr.Dataset:
        return self._label(*_predict(*self._setting()))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return self._label(*_measure(*self._setting()))

    def _label(self, sgd, sign) -> xr.Dataset:
        words = {"long_name": "change of outputs"}
        return observables(
            coords={"step": ("step", range(1, self.steps + 1), {"long_name": "steps"})},
            sgd=(("step", "test"), sgd, words),
            sign=(("step", "test"), sign, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        changes = prediction[list(_RULES)].to_array()
        ends = [float(changes.min()), float(changes.max())]
        artists += ax.plot(ends, ends, color="0.3", label="as predicted")
        for colour, rule, name in zip(PALETTE, _RULES, ("gradients", "signs"), strict=False):
            for step, marker in ((self.steps // 4, "o"), (self.steps, "s")):
                theirs, ours = (data[rule].sel(step=step) for data in (prediction, measurement))
                label = f"{name}, {step} steps"
                artists += ax.plot(theirs, ours, marker, ms=4, mfc="none", color=colour, label=label)
        ax.set(xlabel="change of test outputs, frozen kernel", ylabel="change in fine-tuning")
        ax.legend(fontsize="small")
        return artists


class PretrainingMakesKernelLike(Claim):
    """The more a model is pre-trained on the prompt, the closer its fine-tuning stays to its kernel.

    Observed is whether the relative error of the frozen kernel is smaller with more pre-training, both at the same
    movement of outputs: steps end where it is first reached.
    """

    source = Source("malladi2023", "Secs. 4 and 5, pre-trained models and prompts", "law")
    metric, tolerance = fraction_wrong("is_smaller"), 0.01
    expected = "fails"
    reason = (
        "at this size the curvature grows with the logits that are fitted: errors of the frozen kernel "
        "are several times larger after pre-training. The statement is on large, wide language models."
    )

    pretrainings: tuple[int, ...] = (0, 200)  # steps, few and many
    movement: float = 0.1  # root mean square change of test outputs
    sgd_share: float = 0.02  # eta times the mean diagonal of the kernel
    width: int = 32
    num_samples: int = 16
    num_tests: int = 32
    steps: int = 64
    network_seed: int = 0
    full = dict(pretrainings=(0, 30, 120, 400), num_tests=64)

    def predict(self) -> xr.Dataset:
        return observables(is_smaller=1.0)

    def measure(self, key: jax.Array) -> xr.Dataset:
        examples = _examples(self.num_samples, self.num_tests, self.network_seed)
        order = _order(self.num_samples, self.steps)
        starts = [_pretrained(self.width, steps, self.network_seed) for steps in self.pretrainings]
        errors = [self._error(network, examples, order) for network in starts]
        words = {"long_name": "error of the frozen kernel"}
        return observables(
            coords={"pretraining": ("pretraining", list(self.pretrainings), {"long_name": "steps of pre-training"})},
            is_smaller=float(errors[-1] < errors[0]),
            error=("pretraining", errors, words),
        )

    def _error(self, network, examples, order) -> float:
        """Of the linearised network, whose kernel is frozen, where outputs have first moved as far."""
        import numpy as np

        inputs, labels, observed = examples
        kernel = instruments.gradient_kernels(network, tasks.PromptTask().margin, inputs).sgd
        paths = [
            training.train_one_by_one(
                model,
                tasks.PromptTask().margin,
                inputs,
                labels,
                observed,
                order=order,
                learning_rate=self.sgd_share / kernel.diagonal().mean(),
            )
            for model in (network, networks.linearise(network))
        ]
        moved, linear = (np.asarray(path)[1:] - np.asarray(path)[:1] for path in paths)
        size = np.sqrt(np.mean(moved**2, axis=1))
        first = int(np.argmax(size >= self.movement)) if np.any(size >= self.movement) else -1
        return _distance(moved[first], linear[first])

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        artists: list[Artist] = []
        artists += ax.plot(measurement["pretraining"], measurement["error"], "o-", mfc="none", label="measured")
        ax.set(xlabel="steps of pre-training", ylabel="error of the frozen kernel", ylim=(0, None))
        ax.legend(fontsize="small")
        return artists
