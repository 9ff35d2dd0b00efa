"""CIFAR-10's binary files: written by its printed layout and read back; every way in which they are not whole."""

import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import load_cifar10


def write(directory, name, labels):
    rng = np.random.default_rng(len(name) + len(labels))
    images = rng.integers(0, 256, (len(labels), 3, 32, 32), dtype=np.uint8)
    records = [bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)]
    (directory / name).write_bytes(b"".join(records))
    return images


def test_images_and_labels_are_read_in_order_and_damage_is_named(tmp_path):
    images = [write(tmp_path, f"data_batch_{number}.bin", [number, 9]) for number in range(1, 6)]
    data = load_cifar10(tmp_path)
    assert data.labels.tolist() == [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]
    np.testing.assert_allclose(data.inputs.reshape(-1, 3, 32, 32), np.concatenate(images) / 255)
    with pytest.raises(OutsideDomain, match=r"test_batch\.bin` is not there"):
        load_cifar10(tmp_path, "test")
    write(tmp_path, "test_batch.bin", [0, 1, 13])
    with pytest.raises(OutsideDomain, match="label 13 for image 2"):
        load_cifar10(tmp_path, "test")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3000))
    with pytest.raises(OutsideDomain, match="holds 3000 bytes"):
        load_cifar10(tmp_path, "test")
