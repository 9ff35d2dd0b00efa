"""Lanczos against matrices of known spectrum: multiplicities, exhausted spaces, error bounds, both dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.tree_util import Partial

from solvable.errors import OutsideDomain
from solvable.numerics import extreme_eigenvalues, tridiagonalise

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
SIZE = 150

# Name -> spectrum of SIZE eigenvalues, all through one compiled program.
SPECTRA = {
    "smooth": np.linspace(-1, 2, SIZE),
    "far ends": np.concatenate([[-40.0, -20.0, -10.0], np.linspace(-1, 1, SIZE - 5), [30.0, 50.0]]),
    "few distinct": np.repeat([-1.0, 0.0, 2.0], SIZE // 3),
    "double ends": np.concatenate([[-3.0] * 2, np.linspace(-2, 1, SIZE - 4), [2.0] * 2]),
    "triple inside": np.concatenate([[-3.0], [-2.9] * 3, np.linspace(-2, 1, SIZE - 6), [2.0, 2.0]]),
    "all equal": np.full(SIZE, 7.0),
    "rank one": np.concatenate([np.zeros(SIZE - 1), [1e-9]]),
    "mostly zero": np.concatenate([[-1.0, -1e-3], np.zeros(SIZE - 4), [1e-2, 1.0]]),
    "zero": np.zeros(SIZE),
}


def rotate(eigenvalues, dtype, seed=0):
    """Matrix of given eigenvalues in a random basis, as a product."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))[0]
    matrix = basis * np.asarray(eigenvalues) @ basis.T
    return Partial(jnp.dot, jnp.asarray((matrix + matrix.T) / 2, dtype))


def start_of(size, dtype, seed=1):
    return jax.random.normal(jax.random.key(seed), (size,), dtype)


def check_ends(found, eigenvalues, product, precision):
    """Values with multiplicity, within their bounds; orthonormal eigenvectors."""
    lowest, highest = found.lowest.size, found.highest.size
    ordered, scale = np.sort(eigenvalues), np.max(np.abs(eigenvalues))
    assert bool(found.converged)
    for values, errors, exact in (
        (found.lowest, found.lowest_errors, ordered[:lowest]),
        (found.highest, found.highest_errors, ordered[::-1][:highest]),
    ):
        gaps = np.abs(np.asarray(values) - exact)
        assert np.all(gaps <= np.asarray(errors) + 20 * precision * scale), (gaps, errors)
        assert np.all(gaps <= 200 * precision * scale), gaps
    vectors = jnp.concatenate([found.lowest_vectors, found.highest_vectors])
    values = jnp.concatenate([found.lowest, found.highest])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(lowest + highest), atol=200 * precision)
    images = np.stack([product(vector) for vector in vectors])
    np.testing.assert_allclose(images, values[:, None] * vectors, atol=2 * precision**0.5 * max(scale, 1e-30))


@DTYPES
@pytest.mark.parametrize("name", SPECTRA)
def test_both_ends_of_known_spectra(name, dtype):
    eigenvalues = SPECTRA[name]
    product = rotate(eigenvalues, dtype)
    found = extreme_eigenvalues(product, start_of(SIZE, dtype), lowest=4, highest=2)
    assert found.lowest.dtype == found.highest_vectors.dtype == dtype
    check_ends(found, eigenvalues, product, float(jnp.finfo(dtype).eps))
    assert int(found.products) < 60 * SIZE


@given(
    levels=st.lists(st.sampled_from([-3.0, -1.0, -1e-3, 0.0, 0.5, 2.0]), min_size=1, max_size=6),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15, deadline=None)
def test_repeated_eigenvalues_at_any_scale_and_in_any_basis(levels, scale, seed):
    eigenvalues = scale * np.random.default_rng(seed).choice(levels, SIZE)
    product = rotate(eigenvalues, jnp.float64, seed)
    found = extreme_eigenvalues(product, start_of(SIZE, jnp.float64, seed), lowest=4, highest=2)
    ordered = np.sort(eigenvalues)
    atol = 1e-12 * np.max(np.abs(eigenvalues))
    np.testing.assert_allclose(found.lowest, ordered[:4], rtol=0, atol=atol)
    np.testing.assert_allclose(found.highest, ordered[::-1][:2], rtol=0, atol=atol)


def test_a_number_is_its_own_eigenvalue():
    for value in (3.0, -2.0, 0.0):
        found = extreme_eigenvalues(Partial(jnp.multiply, jnp.asarray(value)), jnp.ones(1))
        assert found.lowest == found.highest == value
        assert found.converged


def test_all_eigenvalues_may_be_asked_for_from_both_ends():
    product = rotate([-1.0, 0.0, 0.0, 5.0], jnp.float64)
    found = extreme_eigenvalues(product, start_of(4, jnp.float64), lowest=4, highest=3)
    np.testing.assert_allclose(found.lowest, [-1, 0, 0, 5], atol=1e-14)
    np.testing.assert_allclose(found.highest, [5, 0, 0], atol=1e-14)


def test_a_start_without_the_extreme_direction_still_finds_it():
    """The fresh directions that look for further copies also find what the start cannot."""
    eigenvalues = jnp.linspace(-1.0, 2.0, SIZE)
    start = jnp.ones(SIZE).at[jnp.array([0, -1])].set(0)
    found = extreme_eigenvalues(Partial(jnp.dot, jnp.diag(eigenvalues)), start, lowest=4, highest=2)
    np.testing.assert_allclose(found.lowest, eigenvalues[:4], atol=1e-12)
    np.testing.assert_allclose(found.highest, eigenvalues[::-1][:2], atol=1e-12)


def test_an_unmet_tolerance_is_said_and_the_bounds_still_hold():
    """Eigenvalues crowd at the lower end, a thousandth of a millionth apart."""
    eigenvalues = np.linspace(0, 1, SIZE) ** 6
    product = Partial(jnp.dot, jnp.diag(jnp.asarray(eigenvalues)))
    found = extreme_eigenvalues(product, start_of(SIZE, jnp.float64), lowest=4, highest=2, tolerance=1e-30)
    assert not bool(found.converged)
    distance = np.min(np.abs(eigenvalues[:, None] - np.asarray(found.lowest)[None, :]), axis=0)
    assert np.all(distance <= np.asarray(found.lowest_errors) + 1e-15)


def test_a_random_start_stands_in_for_zero():
    found = extreme_eigenvalues(rotate(SPECTRA["smooth"], jnp.float64), jnp.zeros(SIZE), lowest=4, highest=2)
    np.testing.assert_allclose(found.lowest, SPECTRA["smooth"][:4], atol=1e-12)


def test_not_a_number_ends_the_search():
    found = extreme_eigenvalues(
        rotate(np.full(SIZE, np.nan), jnp.float64), start_of(SIZE, jnp.float64), lowest=4, highest=2
    )
    assert not bool(found.converged)
    assert int(found.products) < 2 * SIZE


@DTYPES
@pytest.mark.parametrize("name", ["smooth", "few distinct", "zero"])
def test_tridiagonal_form_relation_and_orthogonality(name, dtype):
    """A Q^T - Q^T T has nothing but the remainder, also past the end of the space that the start spans."""
    product, precision, steps = rotate(SPECTRA[name], dtype), float(jnp.finfo(dtype).eps), 20
    found = tridiagonalise(product, start_of(SIZE, dtype), steps)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(steps), atol=20 * precision)
    beside = np.diag(found.off_diagonal[:-1], 1)
    matrix = np.diag(found.diagonal) + beside + beside.T
    rest = np.stack([product(q) for q in found.basis]) - matrix @ np.asarray(found.basis)
    np.testing.assert_allclose(rest[:-1], 0, atol=60 * precision)
    np.testing.assert_allclose(np.linalg.norm(rest[-1]), found.off_diagonal[-1], atol=60 * precision)


def test_as_many_steps_as_the_size_give_the_whole_spectrum_with_multiplicity():
    eigenvalues = np.repeat([-1.0, 0.0, 0.5, 2.0], [3, 5, 1, 3])
    found = tridiagonalise(rotate(eigenvalues, jnp.float64), start_of(12, jnp.float64), 12)
    beside = np.diag(found.off_diagonal[:-1], 1)
    np.testing.assert_allclose(np.linalg.eigvalsh(np.diag(found.diagonal) + beside + beside.T), eigenvalues, atol=1e-13)
    assert found.off_diagonal[-1] < 1e-13


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, s: tridiagonalise(p, s, 4), "`steps` is 4; a matrix of size 3 has at most that many"),
        (lambda p, s: tridiagonalise(p, s, 0), "`steps` is 0"),
        (lambda p, s: extreme_eigenvalues(p, s, lowest=4), "`lowest` is 4"),
        (lambda p, s: extreme_eigenvalues(p, s, highest=0), "`highest` is 0"),
        (lambda p, s: extreme_eigenvalues(p, s, tolerance=0.0), "`tolerance` is 0.0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(OutsideDomain, match=message):
        call(Partial(jnp.multiply, jnp.ones(3)), jnp.ones(3))
