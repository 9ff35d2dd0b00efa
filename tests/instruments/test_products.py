"""Exponents of long products: orthogonal, diagonal, short and singular ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, networks
from solvable.errors import OutsideDomain

exponents = jax.jit(instruments.product_exponents)


def test_orthogonal_factors_neither_grow_nor_shrink():
    network = networks.orthogonal_start(jax.random.key(0), widths=(4,) * 5, input_dim=4, output_dim=4, gain=2.0)
    np.testing.assert_allclose(exponents(jnp.stack(network.weights)), np.log(2), rtol=1e-12)


def test_mean_of_all_is_the_log_determinant_and_limits_are_those_of_the_product():
    matrices = np.random.default_rng(0).normal(size=(30, 4, 4))
    found = exponents(jnp.asarray(matrices))
    assert float(jnp.sum(found)) == pytest.approx(np.linalg.slogdet(matrices)[1].mean(), rel=1e-10)
    product = np.linalg.multi_dot(matrices[::-1])
    assert float(found[0]) == pytest.approx(np.log(np.linalg.norm(product, 2)) / 30, abs=0.1)


def test_products_that_overflow_when_multiplied_out():
    matrices = jnp.broadcast_to(jnp.diag(jnp.array([1e5, 1.0, 1e-5, 0.0])), (200, 4, 4))
    np.testing.assert_allclose(exponents(matrices), [np.log(1e5), 0, -np.log(1e5), -np.inf], atol=1e-10)


def test_refuses_what_is_no_product():
    with pytest.raises(OutsideDomain, match="all square"):
        instruments.product_exponents(jnp.ones((3, 2, 4)))
