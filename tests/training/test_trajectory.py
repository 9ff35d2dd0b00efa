"""A trajectory is labelled data: names for every axis, with and without sweeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from solvable.networks import Neuron, initialise
from solvable.numerics import activations
from solvable.tasks import linear_teacher
from solvable.training import gradient_descent, gradient_flow

TASK = linear_teacher(jnp.eye(2))
WATCHED = {"norm": lambda network: jnp.sum(network.first**2), "weights": lambda network: network.first}


def train(key, learning_rate):
    network = initialise(Neuron(activations.identity), key, width=3, input_shape=(2,), output_dim=2, init_scale=0.1)
    return gradient_descent(network, TASK, learning_rate=learning_rate, steps=20, record=5, observables=WATCHED)


def test_one_run_has_time_and_the_observables_own_axes():
    run = train(jax.random.key(0), 0.1)
    data = run.to_dataset()
    assert data.loss.dims == data.norm.dims == ("time",)
    assert data.weights.dims == ("time", "weights_0", "weights_1")
    assert data.weights.shape == (5, 3, 2)
    np.testing.assert_allclose(data.time, 0.1 * data.step.values, rtol=1e-15)
    np.testing.assert_array_equal(data.step, [0, 5, 10, 15, 20])
    np.testing.assert_array_equal(data.loss, run.loss)
    assert (data.attrs["reduction"], data.attrs["loss"]) == ("moments", "(1/2P) sum |y - f(x)|^2")


def test_a_sweep_over_seeds_has_its_axis_in_front():
    run = jax.vmap(lambda key: train(key, 0.1))(jax.random.split(jax.random.key(0), 4))
    data = run.to_dataset("seed")
    assert data.loss.dims == ("seed", "time")
    assert data.weights.dims == ("seed", "time", "weights_0", "weights_1")
    np.testing.assert_array_equal(data.seed, range(4))
    np.testing.assert_array_equal(data.isel(seed=2).loss, run.loss[2])
    np.testing.assert_allclose(data.time, 0.1 * data.step.values, rtol=1e-15)


def test_two_sweeps_have_two_axes_in_order():
    keys, scales = jax.random.split(jax.random.key(0), 2), jnp.array([0.1, 0.1, 0.1])
    run = jax.vmap(lambda key: jax.vmap(lambda rate: train(key, rate))(scales))(keys)
    data = run.to_dataset("seed", "repeat")
    assert dict(data.sizes) == {"seed": 2, "repeat": 3, "time": 5, "weights_0": 3, "weights_1": 2}
    np.testing.assert_array_equal(data.norm.isel(seed=1, repeat=2), run.observables["norm"][1, 2])


def test_a_sweep_over_learning_rates_keeps_the_times_of_each():
    """Times differ between runs at equal steps: they cannot share the first run's."""
    rates = jnp.array([0.1, 0.2])
    data = jax.vmap(lambda rate: train(jax.random.key(0), rate))(rates).to_dataset("learning_rate")
    for index, rate in enumerate((0.1, 0.2)):
        one = data.isel(learning_rate=index)
        np.testing.assert_allclose(one.time.values, rate * one.step.values, rtol=1e-12)
    assert data.loss.dims == ("learning_rate", "step")


def test_a_flow_has_times_and_no_steps():
    network = initialise(Neuron(activations.identity), jax.random.key(0), width=3, input_shape=(2,), output_dim=2)
    data = gradient_flow(network, TASK, times=np.array([0.5, 1.0])).to_dataset()
    np.testing.assert_array_equal(data.time, [0.5, 1.0])
    assert "step" not in data.coords


def test_the_data_set_survives_a_file(tmp_path):
    data = train(jax.random.key(0), 0.1).to_dataset()
    data.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "run.nc", engine="h5netcdf"), data)


def test_too_few_names_for_the_axes_are_refused():
    run = jax.vmap(lambda key: train(key, 0.1))(jax.random.split(jax.random.key(0), 4))
    with pytest.raises(ValueError, match=r"dimension|Could not convert"):
        run.to_dataset("seed", "width")
