"""Digits as a regression task: centred, scaled, balanced, the same every time."""

import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import digit_parity


def test_images_are_centred_and_scaled_and_classes_balanced():
    samples = digit_parity(300, mean_square=7.0)
    assert samples.inputs.shape == (300, 784)
    np.testing.assert_allclose(samples.inputs.mean(0), 0, atol=1e-12)
    assert float((samples.inputs**2).sum(1).mean()) == pytest.approx(7)
    assert set(np.unique(samples.targets)) == {-1.0, 1.0}
    assert float(samples.targets.sum()) == 0
    # An 8 more than a 9.
    assert float(digit_parity(9).targets.sum()) == 1


@pytest.mark.parametrize(("arguments", "word"), [((5001,), "5001"), ((0,), "num_samples")])
def test_refusals(arguments, word):
    with pytest.raises(OutsideDomain, match=word):
        digit_parity(*arguments)
    with pytest.raises(OutsideDomain, match="mean_square"):
        digit_parity(10, mean_square=0.0)
