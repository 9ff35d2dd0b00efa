"""A teacher given by its modes has the moments that were asked for."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials

SIGMA, SPREAD = jnp.array([1.5, -0.5]), jnp.array([2.0, 0.5, 1.0])


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_moments_are_as_asked(angle):
    task, left, right = tasks.mode_teacher(covariances=SIGMA, variances=SPREAD, output_dim=4, angle=angle)
    moments = task.moments(Monomials(3, 1))
    np.testing.assert_allclose(left.T @ left, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(moments.sigma_yz, np.asarray(left * SIGMA[None]) @ np.asarray(right).T, atol=1e-13)
    np.testing.assert_allclose(np.linalg.eigvalsh(moments.sigma_zz), [0.5, 1.0, 2.0])
    along = np.asarray(right.T @ moments.sigma_zz @ right)
    assert (np.abs(along[0, 1]) < 1e-13) == (angle == 0)


def test_no_axis_is_a_mode_and_white_inputs_know_no_angle():
    task, left, right = tasks.mode_teacher(covariances=SIGMA, variances=jnp.ones(3), output_dim=4, angle=0.3)
    np.testing.assert_allclose(task.covariance, np.eye(3), atol=1e-14)
    assert np.max(np.abs(right[:, 1])) < 0.9
    assert np.max(np.abs(left)) < 0.9


def test_dtype_follows():
    task, left, _ = tasks.mode_teacher(
        covariances=SIGMA.astype(jnp.float32), variances=jnp.ones(3, jnp.float32), output_dim=2
    )
    assert task.first.dtype == task.covariance.dtype == left.dtype == jnp.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"output_dim": 1}, "`output_dim` is 1"), ({"variances": jnp.ones(1)}, "`variances` has 1 entries"),
     ({"variances": jnp.array([1.0, 0.0])}, "must be above 0")],
)  # fmt: skip
def test_what_has_no_room_for_the_modes_is_refused(changes, message):
    with pytest.raises(OutsideDomain, match=message):
        tasks.mode_teacher(**{"covariances": SIGMA, "variances": SPREAD, "output_dim": 2} | changes)
