"""Semantic hierarchies: their closed-form singular values against the data themselves."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import numerics, tasks
from solvable.errors import OutsideDomain


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=3), st.integers(1, 2))
def test_singular_values_are_those_of_the_data(levels, of_root):
    branching, properties = tuple(b for b, _ in levels), (of_root, *(q for _, q in levels))
    samples = tasks.hierarchy(branching, properties)
    correlation = np.asarray(samples.targets).T @ np.asarray(samples.inputs) / samples.num_samples
    found = np.linalg.svd(correlation, compute_uv=False)
    modes = tasks.hierarchy_modes(branching, properties)
    expected = np.zeros(max(found.size, modes.singular_values.size))
    expected[: modes.singular_values.size] = modes.singular_values
    np.testing.assert_allclose(np.append(found, np.zeros(expected.size - found.size)), expected, atol=1e-12)
    assert np.all(np.diff(modes.levels) >= 0)


def test_a_binary_tree_of_eight_items():
    samples, modes = tasks.hierarchy(), tasks.hierarchy_modes()
    assert samples.inputs.shape == (8, 8)
    assert samples.targets.shape == (8, 15)
    np.testing.assert_allclose(modes.singular_values**2, [1.875, 0.875, *[0.375] * 2, *[0.125] * 4])
    np.testing.assert_array_equal(modes.levels, [0, 1, 2, 2, 3, 3, 3, 3])
    np.testing.assert_array_equal(samples.targets.sum(axis=1), 4)


def test_inputs_are_white():
    moments = tasks.sample_moments(tasks.hierarchy((3, 2)), numerics.Monomials(6, 1))
    np.testing.assert_allclose(moments.sigma_zz, jnp.eye(6), atol=1e-14)


@pytest.mark.parametrize(
    ("branching", "properties", "message"),
    [((), None, "`branching` is empty"), ((2, 0), None, "`branching` is 0"), ((2,), (1,), "one count"),
     ((2,), (0, 0), "at least one above 0"), ((2,), (1, -1), "`properties` is -1")],
)  # fmt: skip
def test_trees_without_meaning_are_refused(branching, properties, message):
    for build in (tasks.hierarchy, tasks.hierarchy_modes):
        with pytest.raises(OutsideDomain, match=message):
            build(branching, properties)
