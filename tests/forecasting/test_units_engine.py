"""Quadratic units and attention heads, followed from saddle to saddle and trained beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import solvable
from solvable.errors import OutsideDomain
from solvable.forecasting import Settings
from solvable.forecasting.contexts import make_sequences
from solvable.forecasting.engines import predict
from solvable.forecasting.measure import start_network
from solvable.forecasting.units import compress_sequences
from solvable.tasks import make_samples
from solvable.theory import flows
from solvable.training import make_objective


def test_quadratic_units_escape_when_and_where_forecast():
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(150, 4))
    targets = ((inputs @ np.linalg.qr(rng.normal(size=(4, 4)))[0]) ** 2) @ np.array([3.0, 1.2, 0.0, 0.0])
    # Small steps, so that training is near its flow.
    found = solvable.forecast(inputs, targets[:, None], model="quadratic", width=20, learning_rate=0.004)
    assert found.attrs["engine"].startswith("staircase")
    stages = found.sizes["stage"]
    assert stages == 2
    assert found["measured_step"].values[0, :stages] == pytest.approx(found["predicted_step"].values, rel=0.05)
    assert found["measured_stage_loss"].values[0, :stages] == pytest.approx(
        found["predicted_stage_loss"].values, abs=0.02 * float(found["predicted_loss"][0])
    )
    assert found.attrs["curve_gap"] < 0.1


def test_attention_learns_the_levels_of_the_inputs_variances():
    inputs = np.random.default_rng(0).normal(size=(400, 2)) * np.array([1.0, 0.6])
    asked = Settings(model="attention", width=20, init_scale=0.01, learning_rate=0.05, context_length=15)
    samples, remark = make_sequences(inputs, asked)
    assert "15 examples and a query" in remark
    found = predict(samples, asked, ["y"])
    shares = np.linalg.svd(inputs - inputs.mean(axis=0), compute_uv=False) ** 2
    levels = np.asarray(flows.linear_attention_levels(jnp.asarray(shares / shares[0]), 15).loss)
    # 10 000 sequences stand for all: a few percent of the initial loss.
    assert [stage["level"] for stage in found.stages] == pytest.approx(
        np.asarray(levels[1:]), abs=0.03 * float(levels[0])
    )


def test_compressed_sequences_have_the_same_loss():
    asked = Settings(model="attention", width=3, init_scale=0.5)
    samples, _ = make_sequences(np.random.default_rng(0).normal(size=(50, 2)), asked)
    network = start_network(samples, asked, jax.random.key(3))
    compressed = compress_sequences(samples)
    weights = jnp.concatenate([network.first, network.second.T], axis=1)
    outputs = sum(jax.vmap(flows.attention_unit, (0, None))(compressed.inputs, unit) for unit in weights)
    assert compressed.num_samples < 20
    assert jnp.sum((compressed.targets - outputs) ** 2) / 2 == pytest.approx(make_objective(network, samples)(network))


def test_targets_are_no_use_to_attention_and_equal_inputs_teach_nothing():
    inputs = np.ones((20, 3))
    with pytest.raises(OutsideDomain, match="`targets` are given, but attention"):
        solvable.forecast(inputs, inputs, model="attention")
    with pytest.raises(OutsideDomain, match="`inputs` are all alike"):
        solvable.forecast(inputs, model="attention")


def test_a_learning_rate_that_is_unstable_at_a_saddle_is_refused():
    inputs = np.random.default_rng(1).normal(size=(150, 4))
    samples = make_samples(inputs, 3 * inputs[:, :1] ** 2)
    with pytest.raises(OutsideDomain, match="stable below"):
        predict(samples, Settings(model="quadratic", width=20, init_scale=0.01, learning_rate=2.0), ["y"])
