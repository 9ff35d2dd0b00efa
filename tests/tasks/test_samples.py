"""Data sets are checked at the door, and their moments are all that squared loss sees."""

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.tasks import (
    Samples,
    convolution_points,
    convolution_teacher,
    make_samples,
    orthogonal_pair,
    sample_moments,
)

seeds = st.integers(0, 2**32 - 1)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), seeds)
@settings(max_examples=20, deadline=None)
def test_moments_give_the_squared_error_of_every_linear_map(num_samples, input_dim, output_dim, seed):
    """sum_mu w_mu |y_mu - A z_mu|^2 = E|y|^2 - 2 <A, Sigma_yz> + <A, A Sigma_zz>, with unequal weights."""
    rng = np.random.default_rng(seed)
    inputs, targets = rng.normal(size=(num_samples, input_dim)), rng.normal(size=(num_samples, output_dim))
    weights, maps = rng.dirichlet(np.ones(num_samples)), rng.normal(size=(output_dim, input_dim))
    samples = Samples(jnp.array(inputs), jnp.array(targets), jnp.array(weights))
    moments = sample_moments(samples, Monomials(input_dim, 1))
    direct = np.sum(weights[:, None] * (targets - inputs @ maps.T) ** 2)
    expanded = moments.target_power - 2 * np.sum(maps * moments.sigma_yz) + np.sum(maps * (maps @ moments.sigma_zz))
    np.testing.assert_allclose(expanded, direct, rtol=1e-9, atol=1e-9)


def test_moments_of_any_features_are_plain_averages():
    rng = np.random.default_rng(0)
    samples = make_samples(rng.normal(size=(50, 3)), rng.normal(size=(50, 2)))
    moments = sample_moments(samples, lambda x: jnp.sin(x))
    features = np.sin(samples.inputs)
    np.testing.assert_allclose(moments.sigma_yz, np.asarray(samples.targets).T @ features / 50, rtol=1e-12)
    np.testing.assert_allclose(moments.sigma_zz, features.T @ features / 50, rtol=1e-12)
    np.testing.assert_allclose(
        moments.target_power, np.mean(np.sum(np.asarray(samples.targets) ** 2, axis=1)), rtol=1e-12
    )


def test_samples_weigh_equally_and_one_output_becomes_a_column():
    samples = make_samples(np.ones((4, 2, 3)), np.arange(4.0))
    assert samples.num_samples == 4
    assert samples.targets.shape == (4, 1)
    np.testing.assert_array_equal(samples.weights, np.full(4, 0.25))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inputs_dtype_rules(dtype):
    samples = make_samples(np.ones((3, 2), dtype), np.ones((3, 1)))
    assert {samples.inputs.dtype, samples.targets.dtype, samples.weights.dtype} == {jnp.dtype(dtype)}
    moments = sample_moments(samples, Monomials(2, 2))
    assert {moments.target_power.dtype, moments.sigma_yz.dtype, moments.sigma_zz.dtype} == {jnp.dtype(dtype)}


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.ones((3, 2)), np.array([0, 1, 1]), r"look like class labels.*one_hot"),
        (np.ones((3, 2)), np.array([True, False, True]), r"`targets` holds bool values, which look like class labels"),
        (np.ones((3, 2), np.uint8), np.ones(3), r"`inputs` holds uint8 values; they must be floating point"),
        (np.ones((3, 2)), np.ones(4), r"`inputs` has 3 samples and `targets` 4; they must be equally many"),
        (np.ones(3), np.ones(3), r"have shapes \(3,\) and \(3, 1\); they must be \(num_samples, ...\)"),
        (np.ones((3, 2)), np.ones((3, 1, 1)), r"have shapes \(3, 2\) and \(3, 1, 1\)"),
        (np.ones((0, 2)), np.ones((0, 1)), r"at least one sample"),
        (np.ones((3, 0)), np.ones((3, 1)), r"at least one sample and one entry"),
        (np.array([[1.0], [np.nan]]), np.ones(2), r"`inputs` holds a value that is not finite"),
        (np.ones((2, 1)), np.array([1.0, np.inf]), r"`targets` holds a value that is not finite"),
    ],
)
def test_data_that_cannot_be_learned_are_refused(inputs, targets, message):
    with pytest.raises(OutsideDomain, match=message):
        make_samples(inputs, targets)


def test_jax_arrays_of_different_lengths_are_refused_too(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without shape checks
    with pytest.raises(OutsideDomain, match="equally many"):
        make_samples(jnp.ones((3, 2)), jnp.ones((4, 1)))


def test_labels_that_are_words_are_refused():
    with pytest.raises(OutsideDomain, match="class labels"):
        make_samples(np.ones((2, 1)), np.array(["cat", "dog"]))


def test_orthogonal_pair_is_orthogonal_with_opposite_targets():
    pair = orthogonal_pair()
    assert pair.inputs[0] @ pair.inputs[1] == 0
    np.testing.assert_array_equal(pair.targets[:, 0], [1, -1])


def test_convolution_points_have_the_second_moment_and_targets_of_the_paper():
    points = convolution_points()
    moments = sample_moments(points, Monomials(4, 1))
    np.testing.assert_allclose(moments.sigma_zz, np.diag([1.0, 1.0, 2.0, 1.0]), atol=1e-15)
    np.testing.assert_allclose(points.targets[:, 0], points.inputs @ convolution_teacher(), rtol=1e-15)
    np.testing.assert_allclose(convolution_teacher() @ convolution_teacher(), 0.8, rtol=1e-15)
