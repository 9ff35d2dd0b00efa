"""The heads of a PyTorch attention layer as units, and attention with fewer heads."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from solvable.errors import OutsideDomain
from solvable.instruments.width.layers import Block, check_finite, zero_constants
from solvable.instruments.width.merging import Merging, Units


class MergedHeads(nn.Module):
    """Softmax attention whose number of heads and value size are free: what ``reduce_width`` leaves of heads.

    Called as ``torch.nn.MultiheadAttention`` is, with an ``attn_mask`` of shape (queries, keys) or none; returns the
    output and None in the place of the attention weights.

    Parameters
    ----------
    queries, keys
        Weights with the bias as last column, (heads, head_dim, token_dim + 1).
    values, outputs
        (heads, value_dim, token_dim) and (heads, token_dim, value_dim).
    bias
        Of the output, (token_dim,).
    batch_first
        As for ``torch.nn.MultiheadAttention``.

    Raises
    ------
    OutsideDomain
        When called with a key padding mask or with a mask for each head.

    References
    ----------
    zhang2026, Eq. 2 [with output weights and biases].
    """

    in_proj_bias = None  # tells nn.TransformerEncoderLayer that its fused path does not apply

    def __init__(
        self,
        queries: nn.Parameter,
        keys: nn.Parameter,
        values: nn.Parameter,
        outputs: nn.Parameter,
        bias: nn.Parameter,
        batch_first: bool,
    ):
        super().__init__()
        self.queries, self.keys, self.values, self.outputs, self.bias = queries, keys, values, outputs, bias
        self.batch_first = batch_first

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:
        if key_padding_mask is not None or (attn_mask is not None and attn_mask.dim() != 2):
            raise OutsideDomain("merged heads take one `attn_mask` of shape (queries, keys) and no `key_padding_mask`.")
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = ~attn_mask  # True forbids there, allows here
        axis = 0 if self.batch_first or query.dim() == 2 else 1
        query, key, value = (tokens.movedim(axis, 0) for tokens in (query, key, value))
        attended = nn.functional.scaled_dot_product_attention(
            _project(self.queries, query), _project(self.keys, key), _apply(self.values, value), attn_mask
        )
        output = torch.einsum("hdv,...htv->...td", self.outputs, attended) + self.bias
        return output.movedim(0, axis), None


def _apply(weights: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """One matrix a head on every token, (..., heads, tokens, size)."""
    return torch.einsum("hde,...te->...htd", weights, tokens)


def _project(weights: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return _apply(weights[..., :-1], tokens) + weights[..., None, :, -1]


def attention_block(model: nn.Module, name: str, evaluate: Callable[[nn.Module], np.ndarray]) -> Block:
    """The block of the named attention layer, its heads as units: u_i is K_i^T Q_i, v_i is the product of O_i and V_i.

    The keys' bias adds the same to all scores of a query and the values' bias the same to all outputs, so that neither
    tells heads apart.
    """
    attention: Any = model.get_submodule(name)
    _check_attention(name, attention)
    heads, head_dim = attention.num_heads, attention.head_dim
    queries, keys, values = _split(attention)
    outputs = _numpy(attention.out_proj.weight).reshape(-1, heads, head_dim).transpose(1, 0, 2)
    check_finite(queries, keys, values, outputs)
    products = np.einsum("hde,hdf->hef", queries, keys[..., :-1]).reshape(heads, -1)
    maps = outputs @ values[..., :-1]
    bias = np.einsum("hed,hd->e", outputs, values[..., -1]) + _numpy(attention.out_proj.bias, len(maps[0]))

    def rebuild(merging: Merging) -> nn.Module:
        merged = np.einsum("kh,hef->kef", merging.unit_map, maps)
        weights = queries[merging.leaders], keys[merging.leaders], *_factorise(merged), bias
        like = attention.in_proj_weight
        parameters = [nn.Parameter(torch.as_tensor(array).to(like), like.requires_grad) for array in weights]
        merged_heads = MergedHeads(*parameters, batch_first=attention.batch_first).train(attention.training)
        narrow = copy.deepcopy(model)
        narrow.set_submodule(name, merged_heads)
        return narrow

    def gain(input_norm: float) -> float:
        return input_norm**2 * math.hypot(input_norm, 1) / (2 * math.sqrt(head_dim))

    rounding = torch.finfo(attention.in_proj_weight.dtype).eps
    outgoing = maps.reshape(heads, -1).T
    units = Units(products, outgoing, None, 0, *zero_constants(products, False), False, rounding)
    return Block(units, gain, rebuild, evaluate)


def _split(attention: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of queries, keys and values with their biases as last column, (heads, head_dim, token_dim + 1) each."""
    weights = _numpy(attention.in_proj_weight)
    extended = np.append(weights, _numpy(attention.in_proj_bias, len(weights))[:, None], axis=1)
    queries, keys, values = extended.reshape(3, attention.num_heads, attention.head_dim, -1)
    return queries, keys, values


def _factorise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and outputs whose products are the maps, of the size of the largest rank."""
    left, sizes, right = np.linalg.svd(maps)
    rank = max(int(np.max(np.sum(sizes > 1e-12 * sizes.max(), axis=1))), 1)
    roots = np.sqrt(sizes[:, :rank])
    return roots[:, :, None] * right[:, :rank], left[:, :, :rank] * roots[:, None, :]


def _numpy(tensor: Any, size: int = 0) -> np.ndarray:
    """A tensor as a float64 array; zeros of the size where there is none."""
    return np.zeros(size) if tensor is None else tensor.detach().cpu().double().numpy()


def _check_attention(name: str, attention: Any) -> None:
    """Raise OutsideDomain, by name, for the kinds of MultiheadAttention that heads alone do not describe."""
    special = {
        "kdim or vdim": not attention._qkv_same_embed_dim,
        "add_bias_kv": attention.bias_k is not None,
        "add_zero_attn": attention.add_zero_attn,
        "dropout in training": attention.dropout > 0 and attention.training,
    }
    for option, is_there in special.items():
        if is_there:
            raise OutsideDomain(f"layer {name!r} is a MultiheadAttention with {option}; its heads cannot be merged.")
