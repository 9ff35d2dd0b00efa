"""Linear units: early weights are a matrix exponential, and directions separate at the stated exponent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from solvable.errors import OutsideDomain
from solvable.theory.flows import (
    early_weights,
    escape_modes,
    first_escape_time,
    project_weights,
    separate_directions,
    separation_exponent,
)

SPECTRUM = np.array([1.0, 0.6, 0.3, 0.1])


def draw_correlation(spectrum=SPECTRUM, output_dim=4, input_dim=6, seed=0):
    """Sigma_yz with known singular values."""
    rng = np.random.default_rng(seed)
    outputs, inputs = (
        np.linalg.qr(rng.normal(size=(dim, dim)))[0][:, : len(spectrum)] for dim in (output_dim, input_dim)
    )
    return outputs * spectrum @ inputs.T


def draw_weights(width, output_dim=4, input_dim=6, scale=1.0, seed=1):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(width, input_dim)), scale * rng.normal(size=(output_dim, width))


def propagate(first, second, sigma_yz, time):
    """exp(t [[0, S], [S^T, 0]]) on the stacked (v; u)."""
    output_dim, input_dim = sigma_yz.shape
    generator = np.block([
        [np.zeros((output_dim, output_dim)), sigma_yz], [sigma_yz.T, np.zeros((input_dim, input_dim))],
    ])  # fmt: skip
    stacked = expm(time * generator) @ np.vstack([second, first.T])
    return stacked[output_dim:].T, stacked[:output_dim]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_early_weights_are_the_matrix_exponential(output_dim, input_dim, width, seed):
    """More outputs than inputs, fewer, equally many."""
    sigma_yz = np.random.default_rng(seed).normal(size=(output_dim, input_dim))
    first, second = draw_weights(width, output_dim, input_dim, seed=seed)
    times = np.array([0.0, 0.4, 2.0])
    early = early_weights(*map(jnp.array, (first, second, sigma_yz, times)))
    for index, time in enumerate(times):
        exact_first, exact_second = propagate(first, second, sigma_yz, time)
        scale = np.exp(time * np.linalg.norm(sigma_yz, 2)) * 1e-11
        np.testing.assert_allclose(early.first[index], exact_first, rtol=1e-9, atol=scale)
        np.testing.assert_allclose(early.second[index], exact_second, rtol=1e-9, atol=scale)


def test_modes_rebuild_the_correlation_in_descending_order():
    sigma_yz = draw_correlation()
    modes = escape_modes(jnp.array(sigma_yz))
    np.testing.assert_allclose(modes.rates, SPECTRUM, rtol=1e-12)
    rebuilt = np.asarray(modes.outputs).T * np.asarray(modes.rates) @ np.asarray(modes.inputs)
    np.testing.assert_allclose(rebuilt, sigma_yz, atol=1e-13)


@pytest.mark.parametrize(("output_dim", "input_dim"), [(4, 6), (6, 4), (5, 5)])
def test_projections_split_the_weights_orthogonally(output_dim, input_dim):
    """|theta_i|^2 = 2 sum_k (c_k^2 + b_k^2) + |xi|^2."""
    sigma_yz = draw_correlation(output_dim=output_dim, input_dim=input_dim)
    first, second = draw_weights(3, output_dim, input_dim)
    parts = project_weights(jnp.array(first), jnp.array(second), escape_modes(jnp.array(sigma_yz)))
    along = 2 * np.sum(np.asarray(parts.growing**2 + parts.decaying**2), axis=0)
    still = np.sum(np.asarray(parts.still_outputs) ** 2, axis=0) + np.sum(np.asarray(parts.still_inputs) ** 2, axis=1)
    np.testing.assert_allclose(along + still, np.sum(first**2, axis=1) + np.sum(second**2, axis=0), rtol=1e-12)
    np.testing.assert_allclose(sigma_yz @ np.asarray(parts.still_inputs).T, 0, atol=1e-13)
    np.testing.assert_allclose(sigma_yz.T @ np.asarray(parts.still_outputs), 0, atol=1e-13)


@pytest.mark.parametrize(
    ("spectrum", "multiplicity"), [(SPECTRUM, 1), ([1.0, 1.0, 0.4, 0.1], 2), (np.ones(4), 4)], ids=["1", "2", "all"]
)
def test_time_and_rest_are_those_of_the_exact_weights(spectrum, multiplicity):
    """At T the top directions have norm 1, and everything else has the stated norm."""
    sigma_yz = draw_correlation(np.array(spectrum))
    first, second = draw_weights(3, scale=1e-3)
    separation = separate_directions(*map(jnp.array, (first, second, sigma_yz)), multiplicity=multiplicity)
    outputs, _, inputs = np.linalg.svd(sigma_yz, full_matrices=False)
    top = np.vstack([outputs[:, :multiplicity], inputs[:multiplicity].T]) / np.sqrt(2)
    for unit, (time, rest) in enumerate(zip(separation.time, separation.rest, strict=True)):
        grown_first, grown_second = propagate(first[[unit]], second[:, [unit]], sigma_yz, time)
        grown = np.concatenate([grown_second[:, 0], grown_first[0]])
        np.testing.assert_allclose(np.linalg.norm(top.T @ grown), 1, rtol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(grown - top @ (top.T @ grown)), rest, rtol=1e-7)


def test_the_rest_shrinks_with_the_scale_at_the_stated_exponent():
    first, second = draw_weights(1)
    sigma_yz = jnp.array(draw_correlation())
    scales = np.array([1e-12, 1e-9, 1e-6])
    rests = [separate_directions(jnp.array(e * first), jnp.array(e * second), sigma_yz).rest[0] for e in scales]
    exponent = separation_exponent(jnp.array(SPECTRUM))
    np.testing.assert_allclose(exponent, 0.4, rtol=1e-12)
    np.testing.assert_allclose(np.polyfit(np.log(scales), np.log(rests), 1)[0], exponent, atol=0.005)


def test_the_exponent_is_one_where_no_direction_is_left_behind():
    assert separation_exponent(jnp.ones(3), multiplicity=3) == 1
    np.testing.assert_allclose(separation_exponent(jnp.array([2.0, 2.0, 0.5]), multiplicity=2), 0.75)


def test_first_escape_time_is_when_the_summed_strength_reaches_one():
    """Root mean square over many units of c_ki e^{st}, summed over units: H eps^2 / 2."""
    width, scale = 40_000, 1e-6
    first, second = draw_weights(width, 1, 1, scale)
    time = first_escape_time(1.5, width=width, init_scale=scale)
    grown = early_weights(jnp.array(first), jnp.array(second), jnp.array([[1.5]]), time[None])
    # Of a sum of 40,000 squares the relative standard error is sqrt(2/40000) = 0.7%.
    np.testing.assert_allclose(np.sum(np.asarray(grown.first) ** 2), 1, atol=0.03)
    half = first_escape_time(1.5, width=width, init_scale=scale, share=0.5)
    np.testing.assert_allclose(half - time, np.log(2) / 2 / 1.5, rtol=1e-9)


def test_float32_stays_float32():
    first, second, sigma_yz = (jnp.asarray(a, jnp.float32) for a in (*draw_weights(2, scale=1e-3), draw_correlation()))
    early = early_weights(first, second, sigma_yz, jnp.ones(2, jnp.float32))
    separation = separate_directions(first, second, sigma_yz)
    time = first_escape_time(escape_modes(sigma_yz).rates[0], width=3, init_scale=1e-3)
    exponent = separation_exponent(jnp.asarray(SPECTRUM, jnp.float32))
    arrays = jax.tree.leaves((early, separation, time, exponent))
    assert {array.dtype for array in arrays} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: separation_exponent(jnp.ones(3), multiplicity=0), "`multiplicity` is 0"),
        (
            lambda: separation_exponent(jnp.ones(3), multiplicity=4),
            "`multiplicity` is 4; it must be at most the 3 modes",
        ),
        (lambda: first_escape_time(0.0, width=3, init_scale=0.1), "`rate` is 0.0"),
        (lambda: first_escape_time(1.0, width=0, init_scale=0.1), "`width` is 0"),
        (lambda: first_escape_time(1.0, width=3, init_scale=-0.1), "`init_scale` is -0.1"),
        (
            lambda: separate_directions(jnp.ones((1, 2)), jnp.ones((2, 1)), jnp.eye(2), multiplicity=3),
            "`multiplicity` is 3; it must be at most the 2 modes",
        ),
    ],
)
def test_requests_without_meaning_are_refused(ask, message):
    with pytest.raises(OutsideDomain, match=message):
        ask()
