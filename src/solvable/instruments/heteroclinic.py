"""Saddle-to-saddle paths: from one saddle, along the manifold of one more unit, to the next."""

from collections.abc import Callable
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_positive
from solvable.instruments.curvature import loss_and_gradient
from solvable.networks import InvariantManifold, get_units, set_units
from solvable.networks.unit_view import Layered
from solvable.training import gradient_descent, make_objective
from solvable.training.objective import Data


class Transition(eqx.Module):
    """One transition between two saddles, as the weights really took it.

    Attributes
    ----------
    times
        Gradient-flow time of each record, (record,).
    loss
        Half mean squared error at each record, (record,).
    first, second
        Weights of the layer's units along the way, (record, width, n_u) and (record, n_v, width).
    off_manifold
        Largest distance from the manifold of the transition, as a share of the norm of the layer's weights.
    manifold
        The relations that held along the way: those at the saddle before, without that of the released unit. None
        where no relation is left.
    end
        The network at the end of training, at the saddle if that came to rest; ``find_fixed_point`` polishes it.
    gradient_norm
        Of the loss at the end.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    zhang2026, Fig. 1A and Section 4 [a transition is a heteroclinic orbit].
    """

    times: Float[Array, " record"]
    loss: Float[Array, " record"]
    first: Float[Array, "record width n_u"]
    second: Float[Array, "record n_v width"]
    off_manifold: Float[Array, ""]
    manifold: InvariantManifold | None
    end: Layered
    gradient_norm: Float[Array, ""]


def trace_transition(
    saddle: Layered,
    data: Data,
    manifold: InvariantManifold,
    key: Key[Array, ""],
    *,
    release: int,
    learning_rate: float | Float[Array, ""],
    steps: int,
    nudge: float = 1e-3,
    record: int = 200,
) -> Transition:
    """The path from a saddle of effective width h to the next one, of effective width h + 1.

    One relation is broken, by a small random change of its unit; training then stays on the manifold of the others and
    ends where a network one unit wider than before ends.

    Parameters
    ----------
    saddle
        The network at a fixed point on ``manifold``.
    data
        As for ``solvable.training.gradient_descent``.
    manifold
        Relations that hold at the saddle.
    key
        Randomness of the change.
    release
        Which removed unit of the manifold is set free.
    learning_rate, steps, record
        Of the training; long enough to come to rest.
    nudge
        Standard deviation of the change of each of the unit's weights.

    Raises
    ------
    OutsideDomain
        A unit that the manifold does not remove, a network off the manifold, or relations that its training would not
        keep.
    Diverged
        Training left the finite numbers.

    References
    ----------
    zhang2026, Section 4, last paragraph but one, and Fig. 1A.
    """
    check_positive("nudge", nudge)
    if release not in manifold.removed:
        raise OutsideDomain(f"`release` is {release}; the manifold removes units {manifold.removed}: name one of them.")
    if not manifold.is_kept_by(saddle):
        raise OutsideDomain(f"training does not keep relations that need units of the kind {manifold.needs!r}.")
    first, second = get_units(saddle, manifold.layer)
    if float(manifold.distance(saddle)) > 1e-6 * (1 + float(jnp.linalg.norm(first) + jnp.linalg.norm(second))):
        raise OutsideDomain(
            f"the network is {float(manifold.distance(saddle)):.3g} off the manifold; project it first."
        )
    rest, start = _release(saddle, manifold, release, nudge, key)
    run = gradient_descent(
        start,
        data,
        learning_rate=learning_rate,
        steps=steps,
        record=record,
        observables={"units": _watch_units(manifold.layer)},
    )
    units = run.observables["units"]
    firsts, seconds = (
        units[:, : first.size].reshape(-1, *first.shape),
        units[:, first.size :].reshape(-1, *second.shape),
    )
    return Transition(
        run.times,
        run.loss,
        firsts,
        seconds,
        _largest_share_off(rest, saddle, firsts, seconds),
        rest,
        run.network,
        jnp.linalg.norm(loss_and_gradient(make_objective(run.network, data), run.network)[1]),
    )


def _release(
    saddle: Layered, manifold: InvariantManifold, unit: int, nudge: float, key: Key[Array, ""]
) -> tuple[InvariantManifold | None, Layered]:
    """The remaining relations, and the network with the unit moved at random."""
    first, second = get_units(saddle, manifold.layer)
    key_first, key_second = jax.random.split(key)
    scale = jnp.asarray(nudge, first.dtype)
    moved = set_units(
        saddle,
        first.at[unit].add(scale * jax.random.normal(key_first, first[unit].shape, first.dtype)),
        second.at[:, unit].add(scale * jax.random.normal(key_second, second[:, unit].shape, second.dtype)),
        manifold.layer,
    )
    kept = [place for place, removed in enumerate(manifold.removed) if removed != unit]
    if not kept:
        return None, moved
    removed = tuple(manifold.removed[place] for place in kept)
    rest = InvariantManifold(manifold.relations[np.array(kept)], removed, manifold.needs, manifold.layer)
    return rest, rest.project(moved)


@cache
def _watch_units(layer: int) -> Callable[[Layered], Float[Array, " weights"]]:
    """The same function for the same layer, so that training compiles once for all transitions."""
    return lambda network: jnp.concatenate([part.ravel() for part in get_units(network, layer)])


def _largest_share_off(
    manifold: InvariantManifold | None,
    like: Layered,
    firsts: Float[Array, "record width n_u"],
    seconds: Float[Array, "record n_v width"],
) -> Float[Array, ""]:
    """Largest distance from the manifold along the way, as a share of the weights' norm."""
    if manifold is None:
        return jnp.zeros((), firsts.dtype)

    def share(first, second):
        return manifold.relative_distance(set_units(like, first, second, manifold.layer))

    return jnp.max(jax.jit(jax.vmap(share))(firsts, seconds))
