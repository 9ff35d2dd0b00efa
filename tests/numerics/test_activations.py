"""What theory is told of an activation, its degree and its order at 0, is true of the function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.numerics import Activation, activations

EVERY = {name: value for name, value in vars(activations).items() if isinstance(value, Activation)}


def test_every_activation_of_the_papers_is_here():
    assert set(EVERY) == {"erf"} | {
        "identity", "square", "cube", "relu", "sigmoid", "sin", "tanh", "z_tanh", "z_sin", "log_cosh",
        "z_squared_tanh",
    }  # fmt: skip
    assert len({activation.name for activation in EVERY.values()}) == len(EVERY)


@pytest.mark.parametrize("activation", EVERY.values(), ids=EVERY)
def test_order_is_that_of_the_first_taylor_term(activation):
    """f(z)/z^order tends to a number, neither 0 nor infinite, as z falls to 0."""
    near, nearer = (activation(jnp.array(z)) / z**activation.order for z in (1e-3, 1e-4))
    assert abs(nearer) > 0.1
    np.testing.assert_allclose(near, nearer, rtol=1e-3)


@pytest.mark.parametrize("activation", EVERY.values(), ids=EVERY)
def test_degree_is_given_where_the_function_is_that_power_and_nowhere_else(activation):
    z = jnp.linspace(-2, 2, 9)
    powers = [p for p in range(1, 6) if np.allclose(activation(z), z**p)]
    assert powers == ([] if activation.degree is None else [activation.degree])


@pytest.mark.parametrize("activation", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_activations_act_entrywise_and_keep_the_dtype(activation, dtype):
    z = jax.random.normal(jax.random.key(0), (2, 3), dtype)
    values = activation(z)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values[1, 2], activation(z[1, 2]))


def test_power_writes_itself():
    assert (activations.power(5).name, activations.power(5).order) == ("z^5", 5)
    assert activations.power(5)(jnp.array(2.0)) == 32
