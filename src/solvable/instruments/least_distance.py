"""How far a linear network is from where training may lead: from weights that fit, from a saddle, from zero."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import Diverged, OutsideDomain
from solvable.networks import DeepNetwork, UnitLayer
from solvable.training.completion import layers_of

_RELATIVE_CHANGE = 1e-5  # of the distance, at which the search ends
_MOST_STEPS = 2000


def distance_to_map(
    network: UnitLayer | DeepNetwork, target: Float[np.ndarray, "output_dim input_dim"] | Float[Array, "_ _"]
) -> float:
    r"""Distance in weights to the nearest network with a given map: to a global minimum, where that is the target.

    .. math:: \min_{\theta} \|\theta - \theta_0\| \quad \text{with} \quad W_L \cdots W_1 = A

    Parameters
    ----------
    network
        A linear network: neurons with the identity; no hidden layer narrower than the target's rank.
    target
        A, the map.

    Raises
    ------
    OutsideDomain
        Units that are not neurons, a target of another shape, or a network whose weights cannot move its map.
    Diverged
        The search ended without weights that fit.

    Notes
    -----
    Gauss-Newton steps of least norm first, then steps of the same kind from the start anew, halved, until the way from
    it is orthogonal to the set of weights that fit: a local minimum of the distance. A step costs what the gradient
    does, for the system that is solved has the size of the map.

    References
    ----------
    jacot2021, Theorem 1 [d_m].
    """
    start = _layers(network)
    target = np.asarray(target, float)
    if target.shape != (start[-1].shape[0], start[0].shape[1]):
        raise OutsideDomain(f"`target` has shape {target.shape}; the network's map has another: match them.")
    layers = _fit(start, target)
    before = np.inf
    for _ in range(_MOST_STEPS):
        away = [layer - origin for layer, origin in zip(layers, start, strict=True)]
        distance = _norm(away)
        if abs(distance - before) <= _RELATIVE_CHANGE * distance:
            break
        before, (map_, forward, outward) = distance, _products(layers)
        gap = target - map_ + sum(out @ way @ into for out, way, into in zip(outward, away, forward, strict=True))
        nearer = _least_change(gap, forward, outward)
        layers = [origin + (step + way) / 2 for origin, step, way in zip(start, nearer, away, strict=True)]
    return _norm([layer - origin for layer, origin in zip(_fit(layers, target), start, strict=True)])


def distance_to_dead_layers(network: UnitLayer | DeepNetwork) -> float:
    """Distance to the saddle that remains when the first and the last layer are set to zero.

    Parameters
    ----------
    network
        A linear network as for ``distance_to_map``. With three layers or more the gradient is 0 there; with two it is
        the origin.

    Returns
    -------
    float
        sqrt(|W_1|^2 + |W_L|^2): no saddle need be farther, one may be nearer.

    Raises
    ------
    OutsideDomain
        Units that are not neurons.

    References
    ----------
    jacot2021, Theorem 1 [upper bound on d_s].
    """
    layers = _layers(network)
    return _norm([layers[0], layers[-1]])


def weight_norm(network: UnitLayer | DeepNetwork) -> Float[Array, ""]:
    """Norm of all weights together: the distance from the origin. Raises nothing. References: jacot2021."""
    return jnp.sqrt(sum(jnp.sum(layer**2) for layer in jax.tree.leaves(network)))


def _layers(network: UnitLayer | DeepNetwork) -> list[np.ndarray]:
    layers = layers_of(network)
    if any(above.shape[1] != below.shape[0] for below, above in pairwise(layers)):
        raise OutsideDomain("`network` has units that are not neurons; a distance is defined for linear neurons.")
    return [np.asarray(layer, float) for layer in layers]


def _fit(layers: list[np.ndarray], target: np.ndarray) -> list[np.ndarray]:
    """Weights near these whose map is the target."""
    for _ in range(60):
        map_, forward, outward = _products(layers)
        gap = target - map_
        if np.linalg.norm(gap) <= 1e-10 * (np.linalg.norm(target) + 1e-300):
            return layers
        change = _least_change(gap, forward, outward)
        # A step much longer than the weights themselves would lead far away.
        share = min(1.0, 0.3 * np.sqrt(len(layers)) / _norm(change)) if _norm(change) > 0 else 1.0
        layers = [layer + share * step for layer, step in zip(layers, change, strict=True)]
    raise Diverged("no weights of the target's map were found; are all hidden layers as wide as its rank?", 60)


def _least_change(gap: np.ndarray, forward: list[np.ndarray], outward: list[np.ndarray]) -> list[np.ndarray]:
    """The change of least norm that moves the map by ``gap``, to first order."""
    kernel = sum(np.kron(out @ out.T, into.T @ into) for out, into in zip(outward, forward, strict=True))
    force, *_ = np.linalg.lstsq(kernel, gap.ravel(), rcond=1e-14)
    if not np.any(force) and np.any(gap):
        raise OutsideDomain("the weights of `network` cannot move its map: it is a saddle, as far as any minimum.")
    force = force.reshape(gap.shape)
    return [out.T @ force @ into.T for out, into in zip(outward, forward, strict=True)]


def _products(layers: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """The map; what each layer receives of the input; what it passes on to the output."""
    forward = [np.eye(layers[0].shape[1])]
    for layer in layers:
        forward.append(layer @ forward[-1])
    outward = [np.eye(layers[-1].shape[0])]
    for layer in reversed(layers[1:]):
        outward.append(outward[-1] @ layer)
    return forward[-1], forward[:-1], outward[::-1]


def _norm(layers: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.vdot(layer, layer) for layer in layers)))
