"""Performance correlation: scikit-free identities, bias and standard error by repetition, kinds of predictions."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.instruments import information_curves, mutual_information, performance_correlation
from solvable.theory.linear import accuracy_information, sign_information, sign_table

TOY = np.array([[1, 0.6, 0.5], [0.6, 1, 0.7], [0.5, 0.7, 1]])


def draw(size, seed=0, repeats=1):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(np.zeros(3), TOY, size=(repeats, size)) > 0


def test_toy_in_closed_form_and_in_a_million_draws():
    learned, beyond, correlation = sign_information(TOY)
    np.testing.assert_allclose([learned, beyond, correlation], [0.081704, 0.018901, 0.062803], atol=1e-6)
    found = performance_correlation(*draw(1_000_000)[0].T)
    for value, known in ((found.learned, learned), (found.beyond, beyond), (found.correlation, correlation)):
        assert abs(value.bits - known) < 4 * value.error


def test_bias_of_the_plug_in_is_that_of_miller_and_madow_and_the_standard_error_is_the_spread():
    size, known = 500, np.array(sign_information(TOY))
    draws = draw(size, 1, 500)
    for correct_bias, bias in ((False, np.array([1, 2, -1]) / (2 * size * np.log(2))), (True, np.zeros(3))):
        found = [performance_correlation(*one.T, correct_bias=correct_bias) for one in draws]
        values = np.array([(one.learned.bits, one.beyond.bits, one.correlation.bits) for one in found])
        spread = values.std(axis=0)
        np.testing.assert_array_less(np.abs(values.mean(axis=0) - known - bias), 4 * spread / 500**0.5)
        errors = np.mean([(one.learned.error, one.beyond.error, one.correlation.error) for one in found], axis=0)
        np.testing.assert_allclose(errors, spread, rtol=0.2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 5), size=st.integers(5, 200), correct_bias=st.booleans())
def test_symmetry_and_bounds_for_any_number_of_classes(seed, classes, size, correct_bias):
    rng = np.random.default_rng(seed)
    first, second, labels = rng.integers(0, classes, (3, size))
    one = performance_correlation(first, second, labels, correct_bias=correct_bias)
    other = performance_correlation(second, first, labels, correct_bias=correct_bias)
    assert one.correlation.bits == pytest.approx(other.correlation.bits, abs=1e-12)
    assert one.correlation.bits == pytest.approx(one.reference.bits - one.forgotten.bits, abs=1e-12)
    shared = mutual_information(first, second, correct_bias=correct_bias).bits
    given_labels = mutual_information(first, second, given=labels, correct_bias=correct_bias).bits
    assert one.correlation.bits == pytest.approx(shared - given_labels, abs=1e-12)
    if not correct_bias:
        assert one.correlation.bits <= min(one.learned.bits, one.reference.bits, shared) + 1e-12


def test_a_copy_explains_everything_and_a_constant_nothing():
    labels = np.arange(12) % 3
    same = performance_correlation(labels, labels, labels, correct_bias=False)
    assert same.correlation.bits == pytest.approx(np.log2(3))
    assert same.beyond.bits == pytest.approx(0, abs=1e-12)
    nothing = performance_correlation(labels, np.zeros(12, int), labels, correct_bias=False)
    assert nothing.correlation.bits == pytest.approx(0, abs=1e-12)
    assert nothing.reference.bits == 0
    assert accuracy_information(1.0) == 1
    assert accuracy_information(0.5) == 0
    half = mutual_information(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), correct_bias=False)
    assert half.bits == pytest.approx(accuracy_information(0.5), abs=1e-12)


def test_scores_words_and_arrays_of_other_libraries_mean_the_same():
    torch = pytest.importorskip("torch")
    labels = np.array([0, 1, 2, 1, 0, 2, 1, 1])
    scores = np.eye(3)[labels] + 0.1
    words = np.array(["zero", "one", "two"])[labels]
    known = mutual_information(labels, labels)
    tensor = torch.tensor(scores, requires_grad=True)
    for same in (scores, words, jnp.asarray(scores, jnp.bfloat16), tensor, torch.tensor(labels)):
        assert mutual_information(same, labels).bits == pytest.approx(known.bits)
    margins = np.array([-1.0, 2.0, 0.5, -3.0])
    expected = mutual_information(np.array([0, 1, 1, 0]), np.array([0, 1, 1, 0])).bits
    for column in (margins, margins[:, None]):
        assert mutual_information(column, margins > 0).bits == pytest.approx(expected)


def test_curves_hold_every_checkpoint():
    table = draw(400)[0]
    curves = information_curves({10: table[:, 0], 20: table[:, 2]}, table[:, 1], table[:, 2])
    assert curves["learned"].values[1] > curves["learned"].values[0]
    assert list(curves["step"].values) == [10, 20]
    assert np.all(curves["correlation_error"] > 0)


def test_what_has_no_meaning_is_refused():
    labels = np.array([0, 1, 1])
    with pytest.raises(OutsideDomain, match="hold 3, 2 predictions"):
        mutual_information(labels, labels[:2])
    with pytest.raises(OutsideDomain, match="not finite"):
        mutual_information(np.array([0.1, np.nan, 1.0]), labels)
    with pytest.raises(OutsideDomain, match="have shape"):
        mutual_information(np.zeros((3, 2), int), labels)
    with pytest.raises(OutsideDomain, match="`checkpoints` is empty"):
        information_curves({}, labels, labels)
    with pytest.raises(OutsideDomain, match="which no three scores have"):
        sign_table(np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]))
    with pytest.raises(OutsideDomain, match="`accuracy` is 2"):
        accuracy_information(2)


def test_signs_at_the_ends():
    same = sign_information(np.ones((3, 3)))
    np.testing.assert_allclose(same, [1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(sign_information(np.eye(3)), 0, atol=1e-12)
    assert sign_table(TOY).sum() == pytest.approx(1)
