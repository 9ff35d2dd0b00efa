"""The global minimum under weight decay and noise: gradients, minimisation by SciPy, limits, transitions."""

from functools import cache
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from solvable import networks, numerics, tasks, theory, training
from solvable.errors import OutsideDomain

linear, IDENTITY = theory.linear, numerics.activations.identity
WIDTHS = {1: (3,), 2: (4, 3), 3: (2, 3, 2)}
_minimum = jax.jit(linear.decayed_minimum, static_argnums=1)
_transitions = jax.jit(linear.decay_transitions, static_argnums=1)


def _network(weights):
    return networks.DeepNetwork(tuple(weights), networks.Neuron(IDENTITY), (IDENTITY,) * (len(weights) - 2))


def _moments(seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    root = np.eye(3) + spread * rng.normal(size=(3, 3))
    teacher, covariance = rng.normal(size=3), root @ root.T / 2
    shared = covariance @ teacher
    return tasks.Moments(jnp.asarray(shared @ teacher + 0.3), jnp.asarray(shared)[None, :], jnp.asarray(covariance))


@cache
def _cost_and_gradient(depth):
    """Of weights in one vector, compiled once a depth; and the way back from the vector."""
    sizes = (3, *WIDTHS[depth], 1)
    _, restore = ravel_pytree([jnp.zeros((above, below)) for below, above in pairwise(sizes)])

    def cost(vector, moments, noise, decays):
        return training.NoisyLoss(moments, noise, decays)(_network(restore(vector)))

    return jax.jit(jax.value_and_grad(cost))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 99), depth=st.integers(1, 3), level=st.floats(0.02, 1.2), noise=st.floats(0, 2))
def test_the_minimum_is_at_rest_and_no_search_finds_a_lower_one(seed, depth, level, noise):
    moments, widths = _moments(seed), WIDTHS[depth]
    decays, noises = level * jnp.linspace(0.5, 1.5, depth + 1), noise * jnp.linspace(1.0, 0.5, depth)
    found = _minimum(moments, widths, decays=decays, noise=noises)
    weights = linear.decayed_weights(found, widths, decays=decays)
    flat = np.concatenate([np.asarray(layer).ravel() for layer in weights])
    both = lambda vector: _cost_and_gradient(depth)(jnp.asarray(vector), moments, noises, decays)  # noqa: E731
    value, gradient = both(flat)
    assert float(value) == pytest.approx(float(found.loss), rel=1e-9)
    assert np.abs(gradient).max() < 1e-8
    costs = [float(decay) * np.sum(np.asarray(layer) ** 2) for decay, layer in zip(decays, weights, strict=True)]
    assert np.allclose(costs, found.layer_cost, atol=1e-12)
    rng, evaluate = np.random.default_rng(seed), lambda vector: [np.asarray(part) for part in both(vector)]
    starts = [*(1.2 * rng.normal(size=(2, flat.size))), flat + 0.1 * rng.normal(size=flat.size)]
    searches = [minimize(evaluate, start, jac=True, method="L-BFGS-B") for start in starts]
    assert min(search.fun for search in searches) > float(found.loss) - 1e-8


def test_drawn_noise_averages_to_the_exact_loss():
    """All draws of dropout at one half for layers of 2 and 1 units, which are equally likely."""
    moments, decays = _moments(1), jnp.array([0.1, 0.2, 0.3])
    network = networks.initialise_deep(
        networks.Neuron(IDENTITY), jax.random.key(0), widths=(2, 1), input_shape=(3,), init_scale=1.0
    )
    bits = 2.0 * jnp.asarray(list(np.ndindex(2, 2, 2)), float)
    exact = eqx.filter_jit(training.NoisyLoss(moments, jnp.ones(2), decays))(network)
    drawn = eqx.filter_jit(training.SampledNoiseLoss(moments, (bits[:, :2], bits[:, 2:]), decays))(network)
    assert float(exact) == pytest.approx(float(drawn))
    wide = networks.draw_dropout(jax.random.key(1), (40, 50), jnp.array([0.5, 2.0]), 400)
    assert [draws.shape for draws in wide] == [(400, 40), (400, 50)]
    for draws, variance in zip(wide, (0.5, 2.0), strict=True):
        assert float(jnp.mean(draws)) == pytest.approx(1, abs=0.05)
        assert float(jnp.var(draws)) == pytest.approx(variance, rel=0.05)


def test_one_hidden_layer_has_a_threshold_and_a_continuous_transition():
    moments = _moments(2)
    strength = float(jnp.linalg.norm(moments.sigma_yz))
    below, above = (_minimum(moments, (5,), decays=share * strength, noise=0.7) for share in (0.999, 1.001))
    assert 0 < float(jnp.linalg.norm(below.map)) < 0.01
    assert np.array_equal(above.map, np.zeros(3))
    assert float(above.loss) == pytest.approx(float(moments.target_power) / 2)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_transitions_of_isotropic_data_are_the_closed_ones(depth):
    """Printed values for s = 1, and the same with other variances and noise."""
    white = linear.isotropic_transitions(1.0, depth)
    printed = {1: (1, 1, 0), 2: (0.396850, 0.472462, 0.5), 3: (0.272166, 0.384890, 2 / 3)}[depth]
    assert np.allclose([white.coexistence, white.spinodal, white.size], printed, atol=1e-4)
    moments = tasks.Moments(jnp.array(9.0), jnp.array([[1.2, -1.6]]), 0.5 * jnp.eye(2))
    widths = WIDTHS[depth]
    curvature = 0.5 * np.prod([1 + 0.4 / width for width in widths])
    closed = linear.isotropic_transitions(2.0, depth, curvature=curvature)
    found = _transitions(moments, widths, noise=0.4)
    for name in ("coexistence", "spinodal", "size"):
        assert float(getattr(found, name)) == pytest.approx(float(getattr(closed, name)), rel=1e-6)


def test_the_minimum_jumps_where_the_transition_says():
    moments = _moments(3, spread=1.5)
    transition = _transitions(moments, (4, 3), noise=0.3)
    assert float(transition.coexistence) < float(transition.spinodal)
    below, above = (
        _minimum(moments, (4, 3), decays=share * transition.coexistence, noise=0.3) for share in (0.9999, 1.0001)
    )
    assert float(jnp.linalg.norm(below.map)) == pytest.approx(float(transition.size), rel=1e-3)
    assert np.array_equal(above.map, np.zeros(3))


def test_limits_of_no_decay_no_hidden_layer_no_signal_and_inputs_that_never_occur():
    moments = _moments(4)
    exact = np.linalg.solve(moments.sigma_zz, moments.sigma_yz[0])
    free = _minimum(moments, (4, 2), decays=jnp.array([0.1, 0.0, 0.1]), noise=0.6)
    assert np.allclose(free.map, exact / (1.15 * 1.3))
    nearly = _minimum(moments, (4, 2), decays=1e-9, noise=0.6)
    assert np.allclose(nearly.map, free.map, atol=1e-6)
    ridge = _minimum(moments, (), decays=0.3)
    assert np.allclose(ridge.map, np.linalg.solve(moments.sigma_zz + 0.3 * np.eye(3), moments.sigma_yz[0]))
    silent = tasks.Moments(jnp.array(2.0), jnp.zeros((1, 3)), moments.sigma_zz)
    assert float(_minimum(silent, (3,), decays=0.1).loss) == 1.0
    flat = tasks.Moments(jnp.array(2.0), jnp.array([[1.0, 0.0]]), jnp.diag(jnp.array([1.0, 0.0])))
    single = tasks.Moments(jnp.array(2.0), jnp.array([[1.0]]), jnp.eye(1))
    both = [_minimum(each, (3,), decays=0.2) for each in (flat, single)]
    assert np.allclose(both[0].map, [both[1].map[0], 0])
    assert float(both[0].loss) == pytest.approx(float(both[1].loss))


def test_single_precision_and_sweeps():
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), _moments(5))
    assert _minimum(single, (3, 3), decays=0.1).loss.dtype == jnp.float32
    sweep = jax.vmap(lambda decay: _minimum(_moments(5), (3, 3), decays=decay).loss)
    losses = np.asarray(sweep(jnp.linspace(0.01, 3.0, 5)))
    assert np.all(np.diff(losses) >= 0)


def test_requests_without_meaning_are_refused():
    moments = _moments(0)
    with pytest.raises(OutsideDomain, match="has 2 targets"):
        linear.decayed_minimum(tasks.Moments(jnp.array(1.0), jnp.ones((2, 3)), jnp.eye(3)), (3,), decays=0.1)
    with pytest.raises(OutsideDomain, match="or 2 of them"):
        linear.decayed_minimum(moments, (3,), decays=jnp.ones(3))
    with pytest.raises(OutsideDomain, match="`noise` is -1"):
        linear.decayed_minimum(moments, (3,), decays=0.1, noise=-1.0)
    with pytest.raises(OutsideDomain, match="`widths` is empty"):
        linear.decay_transitions(moments, ())
    with pytest.raises(OutsideDomain, match=r"`depth` is 0\.5"):
        linear.isotropic_transitions(1.0, 0.5)
    with pytest.raises(OutsideDomain, match="not determined"):
        linear.decayed_weights(linear.decayed_minimum(moments, (3,), decays=0.0), (3,), decays=0.0)
    relu = networks.initialise(networks.Neuron(numerics.activations.relu), jax.random.key(0), width=2, input_shape=(3,))
    deep = networks.DeepNetwork((relu.first, relu.second), relu.unit)
    with pytest.raises(OutsideDomain, match="not a plain linear network"):
        networks.noisy_output_moment(deep, jnp.eye(3), jnp.zeros(1))
    with pytest.raises(OutsideDomain, match="each of the 1 hidden"):
        networks.noisy_output_moment(_network([relu.first, relu.second]), jnp.eye(3), jnp.zeros(2))
