"""Mean products of activations: closed forms against series and integrals, limits, derivatives, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain, ValidityWarning
from solvable.numerics import Activation, activations
from solvable.theory.kernel import dual_activation, dual_diagonal

OWN, OTHER = jnp.array([0.3, 1.0, 1.0, 0.7]), jnp.array([0.8, 0.5, 1.0, 0.7])
JOINT = jnp.array([0.2, -0.6, 1.0, -0.7])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(101)


def average(function):
    """E[function(u) function(v)] on a grid of nodes, second method."""
    weights = WEIGHTS / WEIGHTS.sum()
    root = np.sqrt(np.maximum(OTHER - JOINT**2 / OWN, 0))
    u = np.sqrt(OWN)[:, None, None] * NODES[None, :, None]
    v = (JOINT / np.sqrt(OWN))[:, None, None] * NODES[None, :, None] + root[:, None, None] * NODES[None, None, :]
    return np.einsum("aij,i,j->a", np.asarray(function(u) * function(v)), weights, weights)


def test_series_and_closed_form_of_erf_are_the_integral():
    unknown = Activation("erf again", jax.scipy.special.erf)
    slope = lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))  # noqa: E731
    for activation in (activations.erf, unknown):
        dual = dual_activation(activation, OWN, OTHER, JOINT)
        np.testing.assert_allclose(dual.values, average(jax.scipy.special.erf), atol=1e-11)
        np.testing.assert_allclose(dual.slopes, average(slope), atol=1e-10)
        own = dual_diagonal(activation, OWN)
        again = dual_activation(activation, OWN, OWN, OWN)
        np.testing.assert_allclose(own.values, again.values, atol=1e-11)
        np.testing.assert_allclose(own.slopes, again.slopes, atol=1e-10)
    # Far from any unit variance both stay numbers, and the sign of a saturated unit is all there is.
    np.testing.assert_allclose(dual_activation(activations.erf, 1e12, 1e12, 1e12).values, 1, rtol=1e-5)


def test_leaky_relu_goes_from_relu_to_the_identity():
    relu, leaky, line = (
        dual_activation(which, OWN, OTHER, JOINT)
        for which in (activations.leaky_relu(0.0), activations.leaky_relu(0.3), activations.leaky_relu(1.0))
    )
    np.testing.assert_allclose(line.values, JOINT, atol=1e-15)
    np.testing.assert_allclose(line.slopes, 1)
    # sigma = 0.7 relu + 0.3 z, and a relu has half its product with any odd function.
    np.testing.assert_allclose(leaky.values, 0.49 * relu.values + (0.21 + 0.09) * JOINT, atol=1e-15)
    np.testing.assert_allclose(leaky.slopes, 0.49 * relu.slopes + 0.21 + 0.09, atol=1e-15)
    np.testing.assert_allclose(relu.values[2:], [0.5, 0], atol=1e-15)
    np.testing.assert_allclose(dual_diagonal(activations.relu, OWN).values, OWN / 2)


@pytest.mark.parametrize("activation", [activations.relu, activations.erf, activations.tanh], ids=lambda a: a.name)
def test_slopes_are_the_derivative_and_all_derivatives_are_finite(activation):
    at = jnp.array([0.2, 0.0, 0.3])
    value, change = jax.vmap(
        jax.value_and_grad(lambda c, a: dual_activation(activation, a, jnp.asarray(0.4), c).values), (0, None)
    )(at[:1], jnp.asarray(0.3))
    slopes = dual_activation(activation, 0.3, 0.4, 0.2).slopes
    np.testing.assert_allclose(change[0], slopes, rtol=1e-6)
    assert np.isfinite(value).all()

    def through(x, y):
        square = lambda a, b: jnp.sum(a * b)  # noqa: E731
        dual = dual_activation(activation, square(x, x), square(y, y), square(x, y))
        return dual.values + dual.slopes

    gradient = jax.jit(jax.grad(through))
    for x, y in ((at, at), (at, -at), (at, 0 * at), (0 * at, 0 * at)):
        assert np.isfinite(gradient(x, y)).all()


def test_what_it_cannot_resolve_it_says_and_what_has_no_meaning_it_refuses():
    with pytest.warns(ValidityWarning, match="not resolved by 64 `nodes`"):
        dual_activation(Activation("hard tanh", lambda z: jnp.clip(z, -1, 1)), 1.0, 1.0, 0.5)
    with pytest.warns(ValidityWarning, match="at variance 50"):
        dual_diagonal(activations.tanh, 50.0)
    with pytest.raises(OutsideDomain, match="beyond what the variances allow"):
        dual_activation(activations.relu, 1.0, 1.0, 1.1)
    with pytest.raises(OutsideDomain, match="`variance` is -1"):
        dual_activation(activations.relu, -1.0, 1.0, 0.0)
    low = dual_activation(activations.relu, *(jnp.ones(2, jnp.float32),) * 3)
    assert low.values.dtype == jnp.float32
    np.testing.assert_allclose(low.values, 0.5)
