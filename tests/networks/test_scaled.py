"""Networks made lazy: zero at the start, with the tangent kernel they should have, and what is fixed stays fixed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import Neuron, UnitLayer, centre, double, linearise
from solvable.numerics.activations import tanh


@eqx.filter_jit
def facts(layer, inputs):
    moved = jax.tree.map(lambda w: 1.1 * w, layer)
    centred, doubled = centre(layer, 3.0), double(layer)
    gradient = jax.grad(lambda n: jnp.sum(jax.vmap(n)(inputs)))
    linear = eqx.tree_at(lambda n: n.network, linearise(layer), moved)
    change = jax.jvp(lambda n: jax.vmap(n)(inputs), (layer,), (jax.tree.map(lambda w: 0.1 * w, layer),))
    return {
        "starts": [jax.vmap(n)(inputs) for n in (centred, doubled)],
        "fixed": jax.tree.leaves((gradient(centred).start, gradient(centred).output_scale, gradient(linear).start)),
        "slopes": [gradient(n) for n in (layer, centred.network, doubled)],
        "centred": [gradient(centred).network, gradient(layer)],
        "linear": [jax.vmap(linear)(inputs), change[0] + change[1]],
    }


def test_wrapped_networks():
    rng = np.random.default_rng(0)
    layer = UnitLayer(jnp.asarray(rng.normal(size=(5, 3))), jnp.asarray(rng.normal(size=(2, 5))), Neuron(tanh))
    found = facts(layer, jnp.asarray(rng.normal(size=(4, 3))))
    assert all(not np.any(each) for each in (*found["starts"], *found["fixed"]))
    np.testing.assert_allclose(found["centred"][0].first, 3 * found["centred"][1].first, rtol=1e-12)
    np.testing.assert_allclose(found["linear"][0], found["linear"][1], rtol=1e-12)
    plain, _, doubled = found["slopes"]
    halves = doubled.positive.first**2 + doubled.negative.first**2
    np.testing.assert_allclose(halves, plain.first**2, rtol=1e-12)
    with pytest.raises(OutsideDomain, match="`output_scale` is 0"):
        centre(layer, 0.0)
