"""Labelled data: what is kept, what is selected, what is refused; and the digits."""

import subprocess
import sys

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.tasks import LabelledData, load_digits, one_hot

WORDS = np.array(["dog", "cat", "dog", "emu", "cat", "dog"])


def make_data(labels):
    return LabelledData(np.arange(2.0 * len(labels)).reshape(-1, 2), np.asarray(labels), name="pets")


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def test_record_holds_float64_inputs_and_whole_labels():
    data = LabelledData(np.ones((2, 3), np.float32), np.array([1.0, 0.0]), name="pair")
    assert data.inputs.dtype == np.float64
    assert data.labels.dtype == np.int64
    assert data.classes == (0, 1)
    assert make_data(WORDS).classes == ("cat", "dog", "emu")


def test_selection_keeps_file_order_and_orders_targets_as_asked():
    pair = make_data(WORDS).select(("emu", "dog"))
    assert pair.labels.tolist() == ["dog", "dog", "emu", "dog"]
    assert pair.classes == ("emu", "dog")
    np.testing.assert_array_equal(pair.inputs[:, 0], [0, 4, 6, 10])
    np.testing.assert_array_equal(pair.one_hot(), [[0, 1], [0, 1], [1, 0], [0, 1]])


def test_subset_is_the_first_of_each_class():
    data = make_data(WORDS).select(("dog", "cat")).subset(2)
    assert data.labels.tolist() == ["dog", "cat", "dog", "cat"]
    assert data.classes == ("dog", "cat")
    np.testing.assert_array_equal(data.inputs[:, 0], [0, 2, 4, 8])


@given(hnp.arrays(np.int64, st.integers(2, 30), elements=st.integers(-3, 3)).filter(lambda a: len(set(a)) > 1))
def test_one_hot_can_be_undone(labels):
    targets = one_hot(labels)
    np.testing.assert_array_equal(targets.sum(axis=1), 1)
    np.testing.assert_array_equal(np.unique(labels)[targets.argmax(axis=1)], labels)
    np.testing.assert_array_equal(make_data(labels).one_hot(), targets)


@given(st.lists(st.sampled_from(range(4)), min_size=8), st.permutations(range(4)))
def test_selecting_all_classes_only_permutes_the_targets(labels, order):
    data = make_data([0, 1, 2, 3, *labels])
    np.testing.assert_array_equal(data.select(tuple(order)).one_hot(), data.one_hot()[:, order])


def test_digits_are_500_a_class_with_pixels_up_to_one(digits):
    assert digits.inputs.shape == (5000, 784)
    assert np.bincount(digits.labels).tolist() == [500] * 10
    assert (digits.inputs.min(), digits.inputs.max()) == (0, 1)
    np.testing.assert_array_equal(digits.inputs * 255, np.round(digits.inputs * 255))


@pytest.mark.parametrize(("pair", "first"), [((0, 1), 4.48), ((0, 8), 5.26), ((5, 7), 4.08), ((3, 5), 4.58)])
def test_digit_pairs_have_the_singular_values_of_table_1(digits, pair, first):
    """First singular value of Sigma_yx; the paper's full set gives 4.20, 5.21, 4.13, 4.62."""
    data = digits.select(pair)
    sigma_yx = data.one_hot().T @ data.inputs / len(data.inputs)
    assert np.linalg.svd(sigma_yx, compute_uv=False)[0] == pytest.approx(first, abs=0.006)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.ones((2, 2, 2)), [0, 1], "flatten images"),
        (np.ones((0, 2)), [], "shape"),
        (np.ones((2, 0)), [0, 1], "shape"),
        (np.array([["a"], ["b"]]), [0, 1], "must hold real numbers"),
        (np.ones((2, 1)) * 1j, [0, 1], "complex128"),
        (np.array([[1, 2], [3, np.nan], [np.inf, 0]]), [0, 1, 1], "nan in row 1, column 1"),
        (np.ones((2, 1)), [0, 1, 1], "2 inputs and 3 labels"),
        (np.ones((2, 1)), [[0], [1]], r"labels.*shape \(2, 1\)"),
        (np.ones((2, 1)), [0.0, 0.5], "holds 0.5 in row 1"),
        (np.ones((2, 1)), [np.nan, 0.0], "holds nan in row 0"),
        (np.ones((2, 1)), [0, 2.0**60], "whole numbers below"),
        (np.ones((2, 1)), np.array([b"a", b"b"]), "dtype"),
    ],
)
def test_data_without_meaning_are_refused(inputs, labels, message):
    with pytest.raises(OutsideDomain, match=message):
        LabelledData(inputs, np.asarray(labels), name="mine")


def test_classes_must_be_those_present():
    with pytest.raises(OutsideDomain, match="once each of 0, 1"):
        LabelledData(np.ones((2, 1)), np.array([0, 1]), name="mine", classes=(0, 1, 2))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat", "cow"), "no class 'cow'; choose among 'cat', 'dog', 'emu'"),
        ((0, 1), "no class 0"),
        (("cat",), "one class only"),
        (("cat", "cat"), "one class only"),
        ((), "one class only"),
        (("cat", "dog", "cat"), "each class once"),
    ],
)
def test_selections_without_meaning_are_refused(classes, message):
    with pytest.raises(OutsideDomain, match=message):
        make_data(WORDS).select(classes)


def test_a_long_list_of_classes_is_cut_short():
    with pytest.raises(OutsideDomain, match=r"18, 19, \.\.\. \(50 in all\)"):
        make_data(range(50)).select((0, 99))


@pytest.mark.parametrize(("number", "message"), [(2, "at most 1.*'emu'"), (0, "at least 1")])
def test_subsets_without_meaning_are_refused(number, message):
    with pytest.raises(OutsideDomain, match=message):
        make_data(WORDS).subset(number)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([[0, 1]], "shape"), ([], "shape"), ([3, 3], "3: one class only"), ([0.0, np.inf], "inf"), ([None, 1], "dtype")],
)
def test_labels_without_meaning_are_refused(labels, message):
    with pytest.raises(OutsideDomain, match=message):
        one_hot(labels)


def test_data_of_one_class_have_no_targets():
    with pytest.raises(OutsideDomain, match="one class only"):
        make_data([4, 4]).one_hot()


def test_labelled_data_need_no_jax():
    code = "import sys; from solvable.tasks import load_labelled, one_hot; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
