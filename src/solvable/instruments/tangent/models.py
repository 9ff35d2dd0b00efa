"""One form for what users have: a function of its weights, as a list of arrays, and of one input, to a vector."""

import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from solvable.errors import OutsideDomain

Function = Callable[[list[Array], Array], Array]


class WeightedFunction(eqx.Module):
    """A function of weights and of one input, with its weights.

    Attributes
    ----------
    leaves
        The weights: every real floating-point array of the parameters.
    rest
        All else of the parameters, and the function.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: an interface.
    """

    leaves: list[Array]
    rest: Any
    tree: Any = eqx.field(static=True)
    function: Callable[..., Any] | None = eqx.field(static=True)

    def __call__(self, leaves: list[Array], inputs: Array) -> Array:
        parameters = eqx.combine(jax.tree.unflatten(self.tree, leaves), self.rest)
        output = parameters(inputs) if self.function is None else self.function(parameters, inputs)
        if not isinstance(output, jax.Array) or output.ndim > 1 or not jnp.issubdtype(output.dtype, jnp.floating):
            what = (
                f"an array of shape {output.shape} and dtype {output.dtype}"
                if hasattr(output, "dtype")
                else repr(output)
            )
            raise OutsideDomain(
                f"`model` gives {what} for one input; it must take one sample, without a batch axis, and give one real "
                "number or a vector of them."
            )
        return output.reshape(-1)

    def with_leaves(self, leaves: list[Array]) -> "WeightedFunction":
        """The same function at other weights."""
        return WeightedFunction(leaves, self.rest, self.tree, self.function)


def weighted_function(model: Any, params: Any) -> WeightedFunction:
    """What ``tangent_kernel`` and its relatives take as a model, in one form.

    Parameters
    ----------
    model
        With ``params``: a function f(params, x) of one input x. Without: an Equinox module, called as ``model(x)``.
    params
        Any pytree, or None.

    Raises
    ------
    OutsideDomain
        A model of another kind, or without a weight.

    References
    ----------
    None: an interface.
    """
    if params is None and not isinstance(model, eqx.Module):
        raise OutsideDomain(
            f"`model` is a {type(model).__name__}; it must be an Equinox module, a torch.nn.Module, or a function "
            "f(params, x) of one input x with its `params` beside it."
        )
    if params is not None and not callable(model):
        raise OutsideDomain(f"`model` is a {type(model).__name__}; beside `params` it must be a function f(params, x).")
    weights, rest = eqx.partition(model if params is None else params, eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(weights)
    if not leaves:
        raise OutsideDomain(f"`{'model' if params is None else 'params'}` has no floating-point array: no weights.")
    if any(jnp.iscomplexobj(leaf) for leaf in leaves):
        raise OutsideDomain("`model` has complex weights; the tangent kernel here is that of real ones.")
    function: Any = None if params is None else model
    return WeightedFunction([jnp.asarray(leaf) for leaf in leaves], rest, tree, function)


def is_torch(model: Any) -> bool:
    """Whether ``model`` is a ``torch.nn.Module``, without importing torch."""
    torch = sys.modules.get("torch")  # not imported here: where it is not loaded there are no models of it
    return torch is not None and isinstance(model, torch.nn.Module)
