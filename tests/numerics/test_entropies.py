"""Entropies of tables, against closed forms."""

import numpy as np
import pytest

from solvable.numerics import entropy


def test_entropy_of_a_joint_table_and_of_its_marginals():
    first, second = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.9, 0.1])
    table = first[:, None] * second[None, :]
    assert entropy(first) == pytest.approx(1.5)
    assert entropy(table) == pytest.approx(1.5 + entropy(second))
    assert entropy(table, (0,)) == pytest.approx(1.5)
    assert entropy(table, ()) == pytest.approx(0)
