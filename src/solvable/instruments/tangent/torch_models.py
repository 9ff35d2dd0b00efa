"""Tangent kernels of PyTorch models: activations and signals by hooks, all else through torch.func."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from solvable.errors import OutsideDomain
from solvable.instruments.tangent.gram import Factors, Gradients, Rows, compress
from solvable.instruments.tangent.kernel import assemble, choose_outputs, choose_sizes, empty_kernel, multiply_batches
from solvable.instruments.tangent.products import check_vectors

_NORMALISATIONS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)  # all of them at once
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_PLACES = (nn.Linear, *_CONVOLUTIONS, *_NORMALISATIONS)
# Signals of one layer on their way backward at once: more do not stay in a processor's cache.
_AT_ONCE = 2**20


def torch_kernel(
    model: nn.Module, inputs: Any, others: Any, outputs: Any, batch_size: int | None, max_bytes: int
) -> torch.Tensor:
    """What ``tangent_kernel`` gives for a PyTorch model; as there.

    Parameters
    ----------
    model, inputs, others, outputs, batch_size, max_bytes
        As there.

    Raises
    ------
    OutsideDomain
        As there.

    References
    ----------
    zhou2025, structured kernels.
    """
    collector = Collector(model, inputs)
    inputs, others = (
        collector.samples("inputs", inputs),
        None if others is None else collector.samples("others", others),
    )
    chosen, trace = choose_outputs(outputs, collector.output_dim)
    like, second = collector.like, inputs if others is None else others
    directions = torch.as_tensor(chosen, dtype=like.dtype, device=like.device)
    count, per_sample = max(len(inputs), len(second)), collector.entries_per_sample(len(directions))
    sizes = choose_sizes(count, len(directions), batch_size, max_bytes, like.element_size(), per_sample)
    kernel = empty_kernel(len(inputs), len(second), 0 if trace else len(directions), like.new_empty)
    collect = lambda samples: lambda a, b: collector.gradients(samples[a:b], directions, sizes.row)  # noqa: E731
    tile = lambda first, second: multiply_batches(first, second, trace, sizes.block)  # noqa: E731
    with torch.no_grad(), warnings.catch_warnings():
        # Of layers that PyTorch differentiates for one direction after the other: they are no slower so than by hand.
        warnings.filterwarnings("ignore", "There is a performance drop")
        assemble(kernel, collect(inputs), None if others is None else collect(others), tile, sizes)
    return kernel


def torch_product(model: nn.Module, inputs: Any, vectors: Any, others: Any) -> torch.Tensor:
    """What ``tangent_kernel_product`` gives for a PyTorch model; as there.

    Parameters
    ----------
    model, inputs, vectors, others
        As there.

    Raises
    ------
    OutsideDomain
        As there.

    References
    ----------
    zhou2025, kernel-vector products.
    """
    collector = Collector(model, inputs)
    inputs = collector.samples("inputs", inputs)
    second = inputs if others is None else collector.samples("others", others)
    vectors = torch.as_tensor(vectors).to(collector.like)
    check_vectors(tuple(vectors.shape), (len(second), collector.output_dim))
    weights = collector.trainable
    evaluate = lambda samples: lambda leaves: collector.call(leaves, samples)  # noqa: E731
    backward = torch.func.vjp(evaluate(second), weights)[1]
    products = [
        torch.func.jvp(evaluate(inputs), (weights,), backward(vector))[1]
        for vector in vectors.reshape(-1, *vectors.shape[-2:])
    ]
    return torch.stack(products).detach() if vectors.ndim == 3 else products[0].detach()


def output_shape(model: nn.Module, inputs: Any) -> tuple[int, int]:
    """Samples and outputs of a model on its inputs. Raises as ``tangent_kernel``."""
    return len(inputs), Collector(model, inputs).output_dim


class Collector:
    """Gradients of a PyTorch model by sample: in factors where a layer is known, through torch.func elsewhere.

    Parameters
    ----------
    model, inputs
        As for ``tangent_kernel``.

    Raises
    ------
    OutsideDomain
        As ``tangent_kernel``.
    """

    def __init__(self, model: nn.Module, inputs: Any):
        self.model = model
        self.trainable = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        if not self.trainable:
            raise OutsideDomain("`model` has no parameter that requires a gradient: no weights to differentiate by.")
        self.like = next(iter(self.trainable.values()))
        _refuse_interactions(model)
        few = self.samples("inputs", inputs)[:3]
        with torch.no_grad():
            signals, output = self._count_signals(few[:1])
            several = self.call(self.trainable, few)
        if not torch.allclose(several[:1], output, rtol=1e-3, atol=1e-5 * float(several.abs().max())):
            raise OutsideDomain(
                "`model` gives another output for a sample alone than for the same sample among others; a tangent "
                "kernel needs a model that treats each sample by itself, and draws no random numbers."
            )
        self.output_dim, self.signals = output.shape[1], signals
        placed = {f"{name}.{part}".lstrip(".") for name in signals for part in ("weight", "bias")}
        self.loose = {name: value for name, value in self.trainable.items() if name not in placed}

    def samples(self, name: str, samples: Any) -> torch.Tensor:
        """Samples as a tensor on the model's device, in its dtype unless they are whole numbers."""
        tensor = torch.as_tensor(samples).to(self.like.device)
        if tensor.ndim == 0 or len(tensor) == 0:
            raise OutsideDomain(f"`{name}` has shape {tuple(tensor.shape)}; it must hold at least one sample.")
        return tensor.to(self.like.dtype) if tensor.is_floating_point() else tensor

    def call(self, weights: dict[str, torch.Tensor], samples: torch.Tensor) -> torch.Tensor:
        """Outputs (samples, output_dim) at some other weights."""
        with _plain_attention():
            output = torch.func.functional_call(self.model, weights, (samples,))
        if not torch.is_tensor(output) or output.ndim not in (1, 2) or len(output) != len(samples):
            what = f"shape {tuple(output.shape)}" if torch.is_tensor(output) else f"type {type(output).__name__}"
            raise OutsideDomain(
                f"`model` gives an output of {what} for {len(samples)} samples; it must be (samples, output_dim)."
            )
        return output.reshape(len(samples), -1)

    def entries_per_sample(self, chosen: int) -> int:
        """Numbers that are held for one sample, about: what layers saw, and their signals."""
        signals, loose = sum(self.signals.values()), sum(p.numel() for p in self.loose.values())
        largest = max(self.signals.values(), default=0)
        return chosen * (signals + 2 * largest + loose) + 2 * signals + 1

    def gradients(self, samples: torch.Tensor, directions: torch.Tensor, row_size: int) -> list[Gradients]:
        """Gradients of combinations of outputs, one a row of ``directions``."""
        modules = dict(self.model.named_modules())
        placed = {modules[name]: name for name in self.signals}
        before: dict[str, torch.Tensor] = {}
        taps: dict[str, list[torch.Tensor]] = {}

        def add_taps(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
            name = placed[module]
            if isinstance(module, _NORMALISATIONS):
                gains, *biases = taps[name] = _own_weights(module, output)
                return sum(biases, start=_normalised(module, args[0]) * gains)
            before[name], taps[name] = args[0].detach().clone(), [torch.zeros_like(output, requires_grad=True)]
            return output + taps[name][0]

        with torch.enable_grad():
            output = self._hooked(placed, add_taps, samples)
            at_once = max(_AT_ONCE // (len(samples) * max(self.signals.values(), default=1)), 1)
            signals = _pull_back(output, [tap for each in taps.values() for tap in each], directions, at_once)
        gradients: list[Gradients] = []
        for name, each in taps.items():
            mine = [signals.pop(0).transpose(0, 1) for _ in each]
            if name in before:
                gradients.append(_factors(modules[name], before.pop(name), mine[0]))
            else:
                gradients += [Rows(signal.flatten(2)) for signal in mine]
        return compress([*gradients, *self._loose_gradients(samples, directions)], row_size)

    def _hooked(self, modules: Any, hook: Callable[..., Any], samples: torch.Tensor) -> torch.Tensor:
        handles = [module.register_forward_hook(hook) for module in modules]
        try:
            return self.call({}, samples)
        finally:
            for handle in handles:
                handle.remove()

    def _count_signals(self, one: torch.Tensor) -> tuple[dict[str, int], torch.Tensor]:
        """How many signals each known layer has that sees a sample once and shares no weight; and the output."""
        owners = Counter(id(p) for _, p in self.model.named_parameters(remove_duplicate=False))
        known = {
            module: name
            for name, module in self.model.named_modules()
            if _is_known(module) and all(owners[id(p)] == 1 for p in module.parameters(recurse=False))
        }
        calls: Counter[nn.Module] = Counter()
        counts: dict[str, int] = {}

        def note(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
            calls[module] += 1
            if len(args) == 1 and len(output) == 1 == len(args[0]):
                own = sum(p.numel() for p in module.parameters(recurse=False))
                counts[known[module]] = own if isinstance(module, _NORMALISATIONS) else output.numel()

        output = self._hooked(known, note, one)
        return {name: count for name, count in counts.items() if calls[self.model.get_submodule(name)] == 1}, output

    def _loose_gradients(self, samples: torch.Tensor, directions: torch.Tensor) -> list[Gradients]:
        if not self.loose:
            return []
        outputs = lambda weights, sample: directions @ self.call(weights, sample[None])[0]  # noqa: E731
        try:
            rows = torch.func.vmap(torch.func.jacrev(outputs), (None, 0))(self.loose, samples)
        except (RuntimeError, ValueError) as error:
            raise OutsideDomain(
                f"the weights of {self._name_loose()} cannot be differentiated sample by sample through torch.func; "
                "freeze them (requires_grad_(False)) to leave them out, or replace the layer."
            ) from error
        return [Rows(row.detach().reshape(*row.shape[:2], -1)) for row in rows.values()]

    def _name_loose(self) -> str:
        owners = dict.fromkeys(name.rpartition(".")[0] for name in self.loose)
        return ", ".join(f"'{owner}' ({type(self.model.get_submodule(owner)).__name__})" for owner in owners)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention from products of matrices: the fused kinds have neither derivatives forward nor rules for batches."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _is_known(module: nn.Module) -> bool:
    """Whether a layer does what its kind does, and only that."""
    kind = next((kind for kind in _PLACES if isinstance(module, kind)), None)
    weights = dict(module.named_parameters(recurse=False))
    if kind is None or not {"weight"} <= set(weights) <= {"weight", "bias"} or module._forward_hooks:
        return False
    if any(getattr(type(module), name, None) is not getattr(kind, name, None) for name in ("forward", "_conv_forward")):
        return False
    if isinstance(module, _CONVOLUTIONS) and (module.groups > 1 or isinstance(module.padding, str)):
        return False
    if isinstance(module, _CONVOLUTIONS) and module.padding_mode != "zeros":
        return False
    return all(weight.requires_grad for weight in weights.values())


def _refuse_interactions(model: nn.Module) -> None:
    for name, module in model.named_modules():
        where = f"layer '{name}' ({type(module).__name__})"
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (module.training or module.running_mean is None):
            raise OutsideDomain(
                f"{where} normalises over the batch, so that samples have no gradients of their own; call "
                "`model.eval()` first, which freezes its statistics."
            )
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0:
            raise OutsideDomain(f"{where} draws random numbers; call `model.eval()` first, which switches it off.")
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters(recurse=False)):
            raise OutsideDomain(f"{where} has no weights yet; call the model once on a batch.")


def _pull_back(
    output: torch.Tensor, taps: list[torch.Tensor], directions: torch.Tensor, at_once: int
) -> list[torch.Tensor]:
    """Signals at every tap, (chosen, samples, ...): several in a pass, or one by one where a layer allows no more."""
    if not taps:
        return []
    directions = directions[:, None].expand(-1, *output.shape)
    # A layer that the output does not depend on has zeros.
    pull_one = lambda direction: torch.autograd.grad(  # noqa: E731
        output, taps, direction, retain_graph=True, materialize_grads=True
    )
    try:
        return list(torch.func.vmap(pull_one, chunk_size=at_once)(directions))
    except RuntimeError:
        return [torch.stack(signals) for signals in zip(*map(pull_one, directions), strict=True)]


def _own_weights(module: Any, output: torch.Tensor) -> list[torch.Tensor]:
    """For each sample its own copy of the gains and biases of a normalisation, shaped to meet its output."""
    ones = [1] * (output.ndim - 1 - module.weight.ndim)
    around = (ones, []) if isinstance(module, nn.LayerNorm) else ([], ones)
    shape = [len(output), *around[0], *module.weight.shape, *around[1]]
    weights = [weight.detach().reshape(shape[1:]) for weight in module.parameters(recurse=False)]
    return [weight.expand(shape).clone().requires_grad_() for weight in weights]


def _factors(module: Any, before: torch.Tensor, signals: torch.Tensor) -> Factors:
    """Gradients of a layer's own weights from what it saw and the signals behind it, (samples, chosen, ...)."""
    samples, chosen = signals.shape[:2]
    if isinstance(module, nn.Linear):
        inner = before.reshape(samples, -1, before.shape[-1])
        inner = inner if module.bias is None else functional.pad(inner, (0, 1), value=1.0)
        return Factors(inner, signals.reshape(samples, chosen, -1, signals.shape[-1]))
    return Factors(_patches(module, before).transpose(1, 2), signals.flatten(3).transpose(2, 3))


def _patches(module: Any, before: torch.Tensor) -> torch.Tensor:
    """What each position of a convolution sees: (samples, channels x kernel (+ 1 for a bias), positions)."""
    windows = functional.pad(before, [width for width in reversed(module.padding) for _ in range(2)])
    for axis, (size, gap, stride) in enumerate(zip(module.kernel_size, module.dilation, module.stride, strict=True), 2):
        windows = windows.unfold(axis, gap * (size - 1) + 1, stride)[..., ::gap]
    axes = len(module.kernel_size)
    windows = windows.permute(0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    inner = math.prod(windows.shape[1 : 2 + axes])
    patches = before.new_ones(len(before), inner + (module.bias is not None), math.prod(windows.shape[2 + axes :]))
    patches[:, :inner].view(windows.shape).copy_(windows)
    return patches


def _normalised(module: Any, before: torch.Tensor) -> torch.Tensor:
    if isinstance(module, nn.LayerNorm):
        return functional.layer_norm(before, module.normalized_shape, eps=module.eps)
    if isinstance(module, nn.GroupNorm):
        return functional.group_norm(before, module.num_groups, eps=module.eps)
    shape = (-1,) + (1,) * (before.ndim - 2)
    scale = (module.running_var + module.eps).rsqrt()
    return (before - module.running_mean.reshape(shape)) * scale.reshape(shape)
