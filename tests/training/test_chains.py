"""Chains in logarithms: those of plain weights, and of rates that theory knows, far below what floats hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import linear
from solvable.training import LabelNoiseSGD, QuarticLangevin, QuarticSGD, follow_chains, neuron_map


def test_collapsing_paths_fall_at_the_theory_rate_far_beyond_what_floats_hold():
    noise = 2.5**0.5
    logs = follow_chains(QuarticLangevin(1.0, noise, 0.05), jnp.zeros(1000), jax.random.key(0), steps=8000, record=3)
    rate = -(logs[2] - logs[1]).mean() / 200
    assert float(rate) == pytest.approx(float(linear.collapse_rate(-1.0, 2.5)), rel=0.04)
    assert float(logs[2].min()) < -120
    # From far away the exact cubic step comes back within one step.
    far = QuarticLangevin(1.0, noise, 0.05)(jnp.array([400.0]), jnp.zeros(1))
    assert float(far[0]) == pytest.approx(-np.log(2 * 0.05) / 2)


def test_chains_in_logarithms_are_those_of_plain_weights():
    first, second, noise = 0.6, 0.1, np.random.default_rng(0).normal(size=50)
    logs, theta = jnp.log(jnp.array([first + second, first - second]))[:, None], 0.7
    log = jnp.log(jnp.array([theta]))
    neuron, quartic = jax.jit(LabelNoiseSGD(0.3, 1.0, 0.1)), jax.jit(QuarticSGD(1.0, 2.0, 0.05))
    for draw in noise:
        gap = 0.1 * (0.3 + draw - first * second)
        first, second = first + gap * second, second + gap * first
        theta += 0.05 * theta * (1 - theta**2 + 2 * draw)
        logs, log = neuron(logs, jnp.array([draw])), quartic(log, jnp.array([draw]))
    assert float(neuron_map(logs)[0]) == pytest.approx(first * second)
    assert float(jnp.exp(log[0])) == pytest.approx(abs(theta))
    with pytest.raises(OutsideDomain, match="`steps` is 7"):
        follow_chains(quartic, log, jax.random.key(0), steps=7, record=3)
