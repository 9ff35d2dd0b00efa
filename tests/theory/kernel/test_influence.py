"""Squeezing of a softmax against an explicit gradient step, and what it says of each label."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory.kernel import (
    log_probability_change,
    preference_weight,
    rest_entropy,
    squeezed_probabilities,
    squeezing_rate,
    squeezing_threshold,
)

PI = np.array([0.40, 0.25, 0.15, 0.12, 0.06, 0.02])
PRINTED = {
    0.1: ([1.0156, 1.0004, 0.9905, 0.9875, 0.9816, 0.8847], 0.2456),
    1.0: ([1.1489, 0.9888, 0.8947, 0.8683, 0.8177, 0.2890], 0.2612),
    5.0: ([1.6621, 0.7851, 0.4762, 0.4099, 0.3036, 0.0017], 0.2984),
}


def test_squeezing_at_known_values():
    steps = jnp.asarray(list(PRINTED))
    ratios, thresholds = zip(*PRINTED.values(), strict=True)
    last = jnp.broadcast_to(jnp.eye(6)[5], (3, 6))
    pi = jnp.broadcast_to(jnp.asarray(PI), (3, 6))
    np.testing.assert_allclose(squeezed_probabilities(pi, last, steps) / pi, ratios, atol=6e-5)
    np.testing.assert_allclose(squeezing_threshold(pi, last, steps), thresholds, atol=6e-5)
    first = jnp.broadcast_to(jnp.eye(6)[0], (3, 6))
    peak = squeezing_threshold(pi, first, jnp.array([0.1, 5.0, 0.0]))
    np.testing.assert_allclose(peak, [-0.129, 0.0853, np.sum(PI**2) - 0.4], atol=6e-4)


@given(
    st.integers(0, 5),
    st.floats(-300.0, 300.0),
    st.lists(st.floats(-30.0, 5.0), min_size=6, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_squeezing_laws(label, step, logits):
    """The formula is the gradient step of logits z = W phi; and each statement about who gains holds."""
    pi = np.exp(logits - np.logaddexp.reduce(logits))
    target = np.eye(6)[label]
    shifted = np.log(pi) + step * (pi - target)
    after = np.exp(shifted - np.logaddexp.reduce(shifted))
    arguments = jnp.asarray(pi), jnp.asarray(target), jnp.asarray(step)
    found = np.asarray(squeezed_probabilities(*arguments))
    np.testing.assert_allclose(found, after, rtol=1e-9, atol=1e-300)
    threshold = float(squeezing_threshold(*arguments))
    assert np.isfinite(threshold)
    others = np.arange(6) != label
    clear = others & (np.abs(pi - threshold) > 1e-9) & (np.abs(step) > 1e-6)
    shrinks = np.log(after / pi) < 0 if np.all(after > 0) else (pi < threshold) == (step > 0)
    np.testing.assert_array_equal(shrinks[clear], ((pi < threshold) == (step > 0))[clear])
    if 1e-3 < step < 30 and pi[label] < 1 - 1e-3:
        assert found[label] < pi[label]
        assert rest_entropy(jnp.asarray(found), arguments[1]) <= rest_entropy(*arguments[:2]) + 1e-12


def test_small_steps_follow_the_rate_and_the_threshold_is_continuous():
    pi, target = jnp.asarray(PI), jnp.eye(6)[5]
    rate = squeezing_rate(pi, target)
    change = np.log(np.asarray(squeezed_probabilities(pi, target, jnp.asarray(1e-6))) / PI) / 1e-6
    np.testing.assert_allclose(change, rate, atol=1e-6)
    # The same law from the decomposition with a kernel that is the identity.
    eye = jnp.eye(6)[:, None, :]
    np.testing.assert_allclose(log_probability_change(pi, eye, (pi - target)[None], -1.0), rate, atol=1e-12)
    near = [squeezing_threshold(pi, target, jnp.asarray(h)) for h in (-1e-9, 0.0, 1e-9, 0.5 - 1e-9, 0.5 + 1e-9)]
    np.testing.assert_allclose(near[:3], near[1], atol=1e-8)
    assert near[3] == pytest.approx(float(near[4]), abs=1e-8)


def test_preference_losses_weigh_both_residuals():
    margins, b, h = np.linspace(-2, 2, 5), 0.7, 1e-6
    losses = {
        "dpo": lambda m: np.log1p(np.exp(-b * m)),
        "ipo": lambda m: (m - 1 / (2 * b)) ** 2,
        "slic": lambda m: np.maximum(0, b - m),
    }
    for name, loss in losses.items():
        slope = (loss(margins + h) - loss(margins - h)) / (2 * h)
        np.testing.assert_allclose(preference_weight(jnp.asarray(margins), loss=name, strength=b), -slope, atol=1e-8)
    with pytest.raises(OutsideDomain, match="`loss` is 'ppo'"):
        preference_weight(0.0, loss="ppo")
    with pytest.raises(OutsideDomain, match="leaves nothing for the other labels"):
        rest_entropy(jnp.eye(3)[0], jnp.eye(3)[0])
