"""The integral of an exponential: quadrature, its limit at rate 0, both precisions, no overflow downwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.numerics import integrated_exponential

integrate = jax.jit(integrated_exponential)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


@settings(max_examples=100, deadline=None)
@given(st.floats(-20, 20), st.floats(0, 2))
def test_agrees_with_quadrature(rate, time):
    expected = time / 2 * np.sum(WEIGHTS * np.exp(rate * time * (NODES + 1) / 2))
    assert float(integrate(rate, time)) == pytest.approx(expected, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 5e-16), (jnp.float32, 3e-7)])
def test_is_smooth_through_the_switch_of_form(dtype, tolerance):
    exponents = np.array([-1.1e-4, -1e-4, -0.99e-4, -1e-9, 0.0, 1e-9, 0.99e-4, 1e-4, 1.1e-4])
    found = integrate(jnp.asarray(exponents, dtype), jnp.ones(exponents.size, dtype))
    series = 1 + exponents / 2 + exponents**2 / 6 + exponents**3 / 24 + exponents**4 / 120
    assert found.dtype == dtype
    np.testing.assert_allclose(found, series, rtol=tolerance)


def test_is_the_time_at_rate_zero_and_zero_at_time_zero():
    assert float(integrate(0.0, 7.5)) == 7.5
    assert float(integrate(0.0, 0.0)) == 0
    assert float(integrate(-3.0, 0.0)) == 0


def test_decay_never_overflows_and_growth_does_so_to_infinity():
    assert float(integrate(-2.0, 1e4)) == 0.5
    assert float(integrate(-1e300, 1e4)) == pytest.approx(1e-300)
    assert np.isinf(float(integrate(2.0, 1e4)))


def test_derivative_is_the_exponential_itself():
    for rate in (-3.0, 0.0, 1e-5, 2.0):
        assert float(jax.grad(integrated_exponential, argnums=1)(jnp.asarray(rate), jnp.asarray(0.7))) == pytest.approx(
            np.exp(0.7 * rate)
        )
