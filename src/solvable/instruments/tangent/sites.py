"""Where the weights of a function meet its activations: what its gradients are made of, read off its jaxpr.

A weight that multiplies an activation, by a matrix product or a convolution, has the gradient
sum over positions of (signal behind) x (activation before); one that is added or multiplied entry by entry has the
signal itself. So zeros added behind every such place, and one pass backward to them, give all gradients in factors,
without one number for each weight. Weights that are used in any other way, or twice, are ``loose``: their gradients
are formed as they are.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jaxtyping import Array

_Step = Callable[[Array], Array]


class Place(NamedTuple):
    """One place where a weight meets an activation, and what of it is known from shapes alone.

    Attributes
    ----------
    weight
        Number of the weight among the leaves.
    signals
        Shape of what comes out of the place.
    arrange
        For a product: brings signals into (positions, outputs of the weight). Else None.
    gather
        For an addition or a multiplication: brings signals into the shape of the weight. Else None.
    """

    weight: int
    signals: jax.ShapeDtypeStruct
    arrange: Callable[[Array], Array] | None
    gather: Callable[[Array], Array] | None


@dataclasses.dataclass(frozen=True)
class TappedFunction:
    """A function of weights and one input whose places can be tapped.

    Attributes
    ----------
    jaxpr
        Of (leaves, input) to the output vector.
    places
        In the order in which they are met.
    loose
        Numbers of the leaves whose gradients must be formed.
    """

    jaxpr: core.ClosedJaxpr
    places: tuple[Place, ...]
    loose: tuple[int, ...]

    def __call__(self, leaves: Sequence[Array], inputs: Array, taps: Sequence[Array]) -> tuple[Array, list[Any]]:
        """The output vector, and what each place multiplies its weight by (None: by 1)."""
        reader = _Reader(self.jaxpr, frozenset(self.loose), list(taps))
        (output,) = reader.run(leaves, inputs)
        return output, reader.before


def find_places(function: Callable[[Any, Array], Array], leaves: Sequence[Any], inputs: Any) -> TappedFunction:
    """Read a function of (leaves, input) off its jaxpr.

    Parameters
    ----------
    function
        Gives a vector.
    leaves, inputs
        Weights and one input, or their shapes and dtypes.

    Raises
    ------
    Whatever the function raises when it is traced.

    References
    ----------
    jacot2018, the tangent kernel by layers; Novak, Sohl-Dickstein, Schoenholz (2022), structured derivatives.
    """
    closed = jax.make_jaxpr(function)(list(leaves), inputs)
    loose: frozenset[int] = frozenset()
    while True:
        reader = _Reader(closed, loose, None)
        jax.eval_shape(reader.run, list(leaves), inputs)
        found = loose | reader.loose | {leaf for leaf, uses in reader.uses.items() if uses > 1}
        if found == loose:
            return TappedFunction(closed, tuple(reader.places), tuple(sorted(loose)))
        loose = found


@dataclasses.dataclass(frozen=True)
class _Weight:
    """A leaf on its way to its place: ``gain`` times a rearrangement of it.

    ``steps`` made its shape; ``whole`` while each entry of the leaf is there exactly once.
    """

    value: Array
    leaf: int
    origin: jax.ShapeDtypeStruct
    gain: Any = None
    steps: tuple[_Step, ...] = ()
    whole: bool = True

    def arrange(self, leaf: Array) -> Array:
        for step in self.steps:
            leaf = step(leaf)
        return leaf


class _Reader:
    """Evaluates a jaxpr, finds the places on its way and adds the taps behind them."""

    def __init__(self, closed: core.ClosedJaxpr, loose: frozenset[int], taps: list[Array] | None):
        self.closed, self.known_loose, self.taps = closed, loose, taps
        self.loose: set[int] = set()
        self.uses: Counter[int] = Counter()
        self.places: list[Place] = []
        self.before: list[Any] = []

    def run(self, leaves: Sequence[Array], inputs: Array) -> list[Array]:
        marked = [
            leaf if i in self.known_loose else _Weight(leaf, i, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
            for i, leaf in enumerate(leaves)
        ]
        return [self._loosen(value) for value in self._visit(self.closed.jaxpr, self.closed.consts, [*marked, inputs])]

    def _visit(self, jaxpr: core.Jaxpr, constants: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *values], strict=True))
        read = lambda atom: atom.val if isinstance(atom, core.Literal) else known[atom]  # noqa: E731
        for equation in jaxpr.eqns:
            known.update(zip(equation.outvars, self._apply(equation, [read(v) for v in equation.invars]), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _apply(self, equation: core.JaxprEqn, values: list[Any]) -> list[Any]:
        which = [i for i, value in enumerate(values) if isinstance(value, _Weight)]
        name, params = equation.primitive.name, equation.params
        if name == "stop_gradient":
            return self.evaluate(equation, _plain(values))
        if which and name in ("jit", "pjit", "closed_call"):
            return self._visit(params["jaxpr"].jaxpr, params["jaxpr"].consts, values)
        if which and name == "remat2":
            return self._visit(params["jaxpr"], (), values)
        if len(which) == 1:
            result = _RULES.get(name, _no_rule)(self, equation, values, which[0])
            if result is not None:
                return [result]
        return self.evaluate(equation, [self._loosen(value) for value in values])

    def evaluate(self, equation: core.JaxprEqn, values: Sequence[Any]) -> list[Any]:
        """What one equation gives: by a jaxpr of its own, as the way to bind a primitive changes between releases."""
        inputs = {
            atom: value for atom, value in zip(equation.invars, values, strict=True) if isinstance(atom, core.Var)
        }
        alone = self.closed.jaxpr.replace(
            constvars=[], invars=list(inputs), outvars=list(equation.outvars), eqns=[equation], effects=equation.effects
        )
        return list(core.jaxpr_as_fun(core.ClosedJaxpr(alone, []))(*inputs.values()))

    def _loosen(self, value: Any) -> Any:
        if not isinstance(value, _Weight):
            return value
        self.loose.add(value.leaf)
        return value.value

    def meet(self, weight: _Weight, result: Array, before: Any, **how: Callable[[Array], Array]) -> Array:
        """Note a place, and add its tap to what comes out."""
        self.uses[weight.leaf] += 1
        shape = jax.ShapeDtypeStruct(result.shape, result.dtype)
        self.places.append(Place(weight.leaf, shape, how.get("arrange"), how.get("gather")))
        self.before.append(before)
        return result if self.taps is None else result + self.taps[len(self.places) - 1]


def _plain(values: list[Any]) -> list[Any]:
    return [value.value if isinstance(value, _Weight) else value for value in values]


def _no_rule(reader: _Reader, equation: core.JaxprEqn, values: list[Any], which: int) -> None:
    return None


def _rearrange(reader: _Reader, equation: core.JaxprEqn, values: list[Any], which: int) -> _Weight | None:
    if len(values) > 1:
        return None
    weight = values[which]
    step = lambda leaf: reader.evaluate(equation, [leaf])[0]  # noqa: E731
    value = step(weight.value)
    if not jnp.issubdtype(value.dtype, jnp.inexact):
        return None
    whole = weight.whole and value.size == weight.value.size
    return dataclasses.replace(weight, value=value, steps=(*weight.steps, step), whole=whole)


def _product(reader: _Reader, equation: core.JaxprEqn, values: list[Any], which: int) -> Array | None:
    weight, other = values[which], values[1 - which]
    contracted, batch = equation.params["dimension_numbers"]
    if not weight.whole or batch[0]:
        return None
    free = [axis for axis in range(other.ndim) if axis not in contracted[1 - which]]
    before = other.transpose(*free, *contracted[1 - which])
    positions = int(np.prod([other.shape[axis] for axis in free]))
    before = _scale(before.reshape(positions, -1), weight.gain)
    (result,) = reader.evaluate(equation, _plain(values))
    if which == 0:
        arrange = lambda signals: signals.reshape(-1, positions).T  # noqa: E731
    else:
        arrange = lambda signals: signals.reshape(positions, -1)  # noqa: E731
    return reader.meet(weight, result, before, arrange=arrange)


def _convolution(reader: _Reader, equation: core.JaxprEqn, values: list[Any], which: int) -> Array | None:
    params, weight = equation.params, values[which]
    if which != 1 or not weight.whole or params["feature_group_count"] > 1 or params["batch_group_count"] > 1:
        return None
    numbers = params["dimension_numbers"]
    patches = lax.conv_general_dilated_patches(
        values[0],
        [weight.value.shape[axis] for axis in numbers.rhs_spec[2:]],
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        dimension_numbers=numbers,
    )
    batch, channel, *space = numbers.out_spec
    arrange = lambda maps: maps.transpose(batch, *space, channel).reshape(-1, maps.shape[channel])  # noqa: E731
    (result,) = reader.evaluate(equation, [values[0], weight.value])
    return reader.meet(weight, result, _scale(arrange(patches), weight.gain), arrange=arrange)


def _entrywise(reader: _Reader, equation: core.JaxprEqn, values: list[Any], which: int) -> Any:
    """An addition or a multiplication: by one number it only sets the gain of a weight, else it is a place."""
    name, weight, other = equation.primitive.name, values[which], values[1 - which]
    if name == "div" and which == 1:
        return None
    (result,) = reader.evaluate(equation, _plain(values))
    factor = None if name in ("add", "sub") else 1 / other if name == "div" else other
    if factor is not None and jnp.ndim(factor) == 0:
        return dataclasses.replace(weight, value=result, gain=_scale(factor, weight.gain))

    def gather(signals: Array) -> Array:
        spread = lambda leaf: jnp.broadcast_to(weight.arrange(leaf), result.shape)  # noqa: E731
        return jax.linear_transpose(spread, weight.origin)(signals)[0]

    return reader.meet(weight, result, _scale(factor, weight.gain), gather=gather)


def _scale(value: Any, gain: Any) -> Any:
    """Their product, where None is 1."""
    if value is None or gain is None:
        return gain if value is None else value
    return value * gain


_REARRANGEMENTS = (
    "transpose",
    "reshape",
    "squeeze",
    "broadcast_in_dim",
    "convert_element_type",
    "copy",
    "neg",
    "slice",
)
_RULES: dict[str, Callable[["_Reader", core.JaxprEqn, list[Any], int], Any]] = {
    **dict.fromkeys(_REARRANGEMENTS, _rearrange),
    **dict.fromkeys(("add", "sub", "mul", "div"), _entrywise),
    "dot_general": _product,
    "conv_general_dilated": _convolution,
}
