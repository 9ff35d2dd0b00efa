"""The cone effect's experiment with normalised networks, on files as CIFAR-10's own but small."""

import jax
import numpy as np
import pytest

from solvable.claims.instruments.zhou2025.cone import ConeEffect
from solvable.errors import OutsideDomain


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("cifar"), np.random.default_rng(0)
    kinds = rng.integers(60, 190, (10, 3 * 32 * 32))
    for name in (f"data_batch_{number}" for number in range(1, 6)):
        labels = rng.integers(0, 10, (40, 1))
        images = np.clip(kinds[labels[:, 0]] + rng.normal(size=(40, 3 * 32 * 32)) * 20, 0, 255)
        np.concatenate([labels, images], axis=1).astype(np.uint8).tofile(folder / f"{name}.bin")
    return folder


@pytest.mark.parametrize("network", ["resnet", "vgg"])
def test_kernels_of_a_normalised_network_are_followed(directory, network):
    sizes = dict(channels=(4,), image_side=8, train_size=150, num_probes=6)
    claim = ConeEffect(data=str(directory), network=network, steps=20, references=(5, 10), gap=4, **sizes)
    distance = claim.measure(jax.random.key(0))["distance"]
    assert distance.step.values.tolist() == sorted({*range(0, 21, 2), 1, 4, 5, 9, 10, 14})
    np.testing.assert_allclose(distance, distance.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(distance), 0, atol=1e-5)
    assert np.all((distance.values >= -1e-6) & (distance.values <= 1))
    from_start = distance.sel(since=0)
    assert 1e-5 < float(from_start.sel(step=1)) < float(from_start.sel(step=20))


def test_what_it_cannot_do_is_said(directory):
    for parameters, message in (
        ({"data": "nowhere"}, "`data` is 'nowhere'; it must be 'digits', 'fashion', or the directory"),
        ({"network": "mlp"}, "`network` is 'mlp'"),
        ({"network": "resnet", "channels": (16, 8)}, r"`channels` is \(16, 8\); .* must not decrease"),
        ({"data": str(directory)}, "`image_side` is 14; it must be one of 8, 16, 32"),
    ):
        with pytest.raises(OutsideDomain, match=message):
            ConeEffect(**parameters)
    few = ConeEffect(data=str(directory), image_side=16, train_size=200)
    with pytest.raises(OutsideDomain, match="`train_size` is 200, but `data` has 200 images; use fewer"):
        few.measure(jax.random.key(0))
