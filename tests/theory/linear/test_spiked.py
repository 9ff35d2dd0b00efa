"""Spiked matrices: sampled ones, sum rules, and continuity at the threshold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory.linear import (
    best_error,
    bulk_density,
    bulk_edges,
    bulk_rule,
    observed_singular_value,
    shrunk_singular_value,
    spike_overlaps,
    spike_threshold,
    teacher_singular_value,
)


@jax.jit
def look(teacher, aspect):
    """Everything the maps say of one singular value of the teacher."""
    observed = observed_singular_value(teacher, aspect)
    left, right = spike_overlaps(teacher, aspect)
    return observed, left, right, teacher_singular_value(observed, aspect), shrunk_singular_value(observed, aspect)


@pytest.mark.parametrize(
    ("teacher", "aspect", "observed", "overlap"),
    [(3.0, 0.5, 3.2489, 0.9177), (1.0, 0.5, 1.7321, 0.2887), (2.0, 0.5, 2.3717, 0.8169), (1.8, 0.6, 2.2417, 0.7571)],
)
def test_known_values(teacher, aspect, observed, overlap):
    found, left, right, *_ = look(jnp.array(teacher), jnp.array(aspect))
    np.testing.assert_allclose([found, left * right], [observed, overlap], atol=6e-5)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.0, 6.0), st.floats(0.05, 20.0))
def test_maps_invert_each_other_and_the_best_shrinkage_is_signal_times_overlap(teacher, aspect):
    observed, left, right, back, shrunk = look(jnp.array(teacher), jnp.array(aspect))
    if teacher > 1.001 * aspect**0.25:
        np.testing.assert_allclose(back, teacher, rtol=1e-6)
        np.testing.assert_allclose(shrunk, teacher * left * right, rtol=1e-5, atol=1e-7)
    elif teacher < aspect**0.25:
        np.testing.assert_array_equal([left, right, back, shrunk], np.zeros(4))
        np.testing.assert_allclose(observed, 1 + aspect**0.5, rtol=1e-12)
    assert 0 <= left <= 1
    assert 0 <= right <= 1


def test_transposing_the_matrix_swaps_the_sides():
    """Entries of variance 1/inputs become those of variance 1/outputs: singular values scale by sqrt(A)."""
    observed, left, right, *_ = look(jnp.array(2.0), jnp.array(0.3))
    turned, turned_left, turned_right, *_ = look(jnp.array(2.0 / 0.3**0.5), jnp.array(1 / 0.3))
    np.testing.assert_allclose([observed, left, right], [turned * 0.3**0.5, turned_right, turned_left], rtol=1e-12)


def test_a_sampled_matrix_has_the_outlier_and_the_overlaps():
    rng, inputs, outputs, teacher = np.random.default_rng(0), 400, 160, 1.8
    noise = rng.normal(size=(4, outputs, inputs)) / inputs**0.5
    noise[:, 0, 0] += teacher
    left, values, right = np.linalg.svd(noise, full_matrices=False)
    expected = look(jnp.array(teacher), jnp.array(outputs / inputs))
    found = [values[:, 0].mean(), np.abs(left[:, 0, 0]).mean(), np.abs(right[:, 0, 0]).mean()]
    np.testing.assert_allclose(found, expected[:3], rtol=0.04)
    np.testing.assert_allclose([values[:, 1].mean(), values[:, -1].mean()], bulk_edges(0.4)[::-1], rtol=0.08)
    # The largest quarter of the bulk, as the rule cuts it.
    cut = bulk_rule(0.4, 0.25)
    quarter = values[:, 1 : 1 + outputs // 4]
    np.testing.assert_allclose(jnp.sum(cut.weights * cut.nodes**2) / 0.25, np.mean(quarter**2), rtol=0.02)


@pytest.mark.parametrize("aspect", [0.2, 1.0, 3.0])
def test_rule_has_the_moments_of_marchenko_and_pastur_and_of_the_density(aspect):
    rule = bulk_rule(aspect)
    most = max(1.0, aspect)
    moments = [jnp.sum(rule.weights * rule.nodes**power) for power in (0, 2, 4)]
    np.testing.assert_allclose(moments, [1.0, most, most * (1 + aspect)], rtol=1e-10)
    grid = jnp.linspace(*bulk_edges(aspect), 20_001)
    assert np.trapezoid(bulk_density(grid, aspect), grid) == pytest.approx(1.0, abs=1e-4)
    assert float(jnp.sum(bulk_rule(aspect, 0.3).weights)) == pytest.approx(0.3, abs=1e-12)
    assert float(jnp.sum(bulk_rule(aspect, 0.0).weights)) == pytest.approx(0.0, abs=1e-12)


def test_error_of_one_spike_is_what_the_overlap_leaves_and_of_none_is_all():
    left, right = spike_overlaps(jnp.array([3.0]), 0.5)
    np.testing.assert_allclose(best_error(jnp.array([3.0]), 0.5), 1 - (left * right)[0] ** 2, rtol=1e-12)
    np.testing.assert_allclose(best_error(jnp.array([0.3]), 0.5), 1.0)
    assert spike_threshold(0.5) == pytest.approx(0.5**0.25)


def test_float32_stays():
    assert all(each.dtype == jnp.float32 for each in look(jnp.float32(2.0), jnp.float32(0.5)))


def test_refusals():
    for call, message in (
        (lambda: spike_threshold(0.0), "`aspect` is 0.0"),
        (lambda: observed_singular_value(jnp.array(-1.0), 0.5), "`teacher` is -1.0"),
        (lambda: teacher_singular_value(jnp.array(-1.0), 0.5), "`observed` is -1.0"),
        (lambda: bulk_rule(0.5, 1.5), "`top_share` is 1.5"),
    ):
        with pytest.raises(OutsideDomain, match=message):
            call()
