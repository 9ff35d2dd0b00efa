"""The rank of the singular values' entropy, and the count behind it."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, numerics
from solvable.errors import OutsideDomain


def test_equal_singular_values_are_counted_and_others_less():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert float(instruments.entropy_rank(jnp.asarray(3 * basis))) == pytest.approx(5)
    two = instruments.entropy_rank(jnp.asarray((basis * np.array([2.0, 1.0, 0, 0, 0])) @ basis.T))
    assert float(two) == pytest.approx(np.exp(-(2 / 3) * np.log(2 / 3) - (1 / 3) * np.log(1 / 3)))
    assert int(instruments.effective_rank(jnp.asarray(basis))) == 5


def test_the_zero_matrix_has_rank_zero_and_scale_does_not_matter():
    assert float(instruments.entropy_rank(jnp.zeros((3, 2)))) == 0
    values = jnp.array([4.0, 1.0, 0.5])
    assert float(numerics.entropy_count(values)) == pytest.approx(float(numerics.entropy_count(1e-200 * values)))
    assert float(numerics.entropy_count(np.zeros(3))) == 0
    assert numerics.entropy_count(values.astype(jnp.float32)).dtype == jnp.float32


def test_a_matrix_that_is_not_finite_is_refused():
    with pytest.raises(OutsideDomain, match="not finite"):
        instruments.entropy_rank(jnp.full((2, 2), jnp.nan))
