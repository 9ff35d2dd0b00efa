"""Two layers, or an attention layer, inside a PyTorch model; the only module that is loaded with PyTorch."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from solvable.errors import OutsideDomain, check_choice
from solvable.instruments.width.layers import Block, LayerPair, pair_block
from solvable.instruments.width.nonlinearity import Nonlinearity, find_nonlinearity

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def torch_block(model: nn.Module, layer: Any, data: Any, activation: Any) -> Block:
    """The block of a PyTorch model that starts at the named layer."""
    name: Any
    second_name: Any
    name, second_name = layer if isinstance(layer, tuple) and len(layer) == 2 else (layer, None)
    first = _get_module(model, name)
    evaluate = _evaluate_on(data)
    if isinstance(first, nn.MultiheadAttention):
        from solvable.instruments.width.torch_attention import attention_block

        return attention_block(model, name, evaluate)
    if second_name is None:
        second_name, activation = _follow(model, name)
    else:
        activation = _as_module(activation)
    second = _get_module(model, second_name)
    _check_layer(name, first)
    _check_layer(second_name, second)
    pair = LayerPair(
        _to_numpy(first.weight),
        _to_numpy(first.bias),
        _to_numpy(second.weight),
        _to_numpy(second.bias),
        _is_padded(second),
    )

    def rebuild(pair: LayerPair) -> nn.Module:
        narrow = copy.deepcopy(model)
        _fill(narrow.get_submodule(name), pair.first, pair.first_bias)
        _fill(narrow.get_submodule(second_name), pair.second, pair.second_bias)
        return narrow

    return pair_block(pair, _describe(activation), torch.finfo(first.weight.dtype).eps, rebuild, evaluate)


def _get_module(model: nn.Module, name: Any) -> Any:
    """The module of that dotted name, or OutsideDomain."""
    known = dict(model.named_modules())
    if not isinstance(name, str) or not name or name not in known:
        raise OutsideDomain(
            f"`layer` is {name!r}; it must name a module of the model: {', '.join(filter(None, known))}."
        )
    return known[name]


def _evaluate_on(data: Any) -> Callable[[nn.Module], np.ndarray]:
    """The function that gives a model's outputs on the data in evaluation mode, one sample a row."""

    def evaluate(model: nn.Module) -> np.ndarray:
        like = next(model.parameters())
        inputs = torch.as_tensor(data if torch.is_tensor(data) else np.asarray(data), device=like.device)
        inputs = inputs.to(like.dtype) if inputs.is_floating_point() else inputs
        with torch.no_grad():
            return _to_numpy(copy.deepcopy(model).eval()(inputs).flatten(1))

    return evaluate


def _to_numpy(tensor: Any) -> Any:
    """A tensor as a float64 array; None stays None."""
    return None if tensor is None else tensor.detach().cpu().double().numpy()


def _follow(model: nn.Module, name: str) -> tuple[str, nn.Module]:
    """Name of the next layer of the Sequential that holds the first, and the activation between them."""
    path, _, key = name.rpartition(".")
    parent = model.get_submodule(path)
    if not isinstance(parent, nn.Sequential):
        raise OutsideDomain(
            f"`layer` is {name!r} in a {type(parent).__name__}, which does not say what comes next; name both layers, "
            "`(first, second)`, and the `activation` between them."
        )
    keys = list(parent._modules)
    activation: nn.Module = nn.Identity()
    for following in keys[keys.index(key) + 1 :]:
        module, full = parent._modules[following], f"{path}.{following}".lstrip(".")
        if type(module) in _LAYERS:
            return full, activation
        if _passes(module):
            continue
        if type(module) not in _ACTIVATIONS.values() or not isinstance(activation, nn.Identity):
            raise OutsideDomain(
                f"between the layers stands {full!r}, a {type(module).__name__}; one entrywise activation of "
                f"{', '.join(_ACTIVATIONS)} is supported, and Flatten."
            )
        activation = module
    raise OutsideDomain(
        f"`layer` is {name!r}; no Linear or Conv layer follows it in its Sequential; name an earlier one."
    )


def _passes(module: Any) -> bool:
    """Whether units go through unchanged: flattening of all but the samples, Dropout that is switched off."""
    if type(module) is nn.Flatten:
        return (module.start_dim, module.end_dim) == (1, -1)
    return type(module) is nn.Identity or (type(module) is nn.Dropout and (module.p == 0 or not module.training))


def _as_module(activation: Any) -> nn.Module:
    if isinstance(activation, nn.Module):
        return activation
    check_choice("activation", activation, tuple(_ACTIVATIONS))
    return _ACTIVATIONS[activation]()


def _describe(module: nn.Module) -> Nonlinearity:
    """What is known of an activation module; its own parameters may make it steeper than the usual one."""
    names = [name for name, kind in _ACTIVATIONS.items() if type(module) is kind]
    if not names:
        raise OutsideDomain(f"`activation` is a {type(module).__name__}; it must be one of {', '.join(_ACTIVATIONS)}.")
    usual = find_nonlinearity(names[0])
    steepest = max(abs(getattr(module, name, 0.0)) for name in ("negative_slope", "alpha"))

    def function(values: np.ndarray) -> np.ndarray:
        return _to_numpy(module(torch.as_tensor(values)))

    return replace(usual, function=function, slope=lambda reach: max(usual.slope(reach), steepest))


def _check_layer(name: str, layer: nn.Module) -> None:
    """Raise OutsideDomain, by name, for a layer that is not dense or convolutional with one group."""
    if type(layer) not in _LAYERS:
        raise OutsideDomain(
            f"layer {name!r} is a {type(layer).__name__}; it must be a Linear, a Conv1d to Conv3d, or, alone, a "
            "MultiheadAttention."
        )
    if getattr(layer, "groups", 1) != 1:
        raise OutsideDomain(f"layer {name!r} is a {type(layer).__name__} of {layer.groups} groups; it must have 1.")


def _is_padded(layer: Any) -> bool:
    padding = getattr(layer, "padding", ())
    return padding != "valid" if isinstance(padding, str) else any(padding)


def _fill(layer: Any, weight: np.ndarray, bias: np.ndarray | None) -> None:
    """Give a layer other weights, and widths that agree with them."""
    layer.weight = _parameter_like(weight, layer.weight)
    layer.bias = None if bias is None else _parameter_like(bias, layer.bias)
    inputs, outputs = (
        ("in_features", "out_features") if isinstance(layer, nn.Linear) else ("in_channels", "out_channels")
    )
    setattr(layer, outputs, weight.shape[0])
    setattr(layer, inputs, weight.shape[1])


def _parameter_like(array: np.ndarray, old: Any) -> nn.Parameter:
    """The array as a parameter of the other's dtype, device and training."""
    values = torch.as_tensor(np.ascontiguousarray(array)).to(device=old.device, dtype=old.dtype)
    return nn.Parameter(values, requires_grad=old.requires_grad)
