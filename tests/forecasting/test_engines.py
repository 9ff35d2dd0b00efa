"""What the engines forecast, before anything is trained: levels, symmetries, and where they warn or refuse."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.forecasting import Settings
from solvable.forecasting.engines import predict
from solvable.forecasting.prediction import describe_direction
from solvable.tasks import make_samples, orthogonal_pair

NAMES = ["a", "b", "c"]
# The same numbers of steps and samples everywhere, so that the curve is compiled once.
QUICK = {"width": 100, "init_scale": 1e-3, "learning_rate": 0.05, "steps": 600}


def gaussian(strengths=(2.0, 1.0, 0.4), seed=0, num_samples=200):
    """A linear teacher with the given singular values on white inputs, whitened on the sample."""
    rng = np.random.default_rng(seed)
    inputs = np.linalg.qr(rng.normal(size=(num_samples, 8)))[0] * np.sqrt(num_samples)
    left, right = (np.linalg.qr(rng.normal(size=(size, 3)))[0] for size in (3, 8))
    return inputs, inputs @ (left * np.array(strengths) @ right.T).T


def forecast(inputs, targets, **changes):
    return predict(make_samples(inputs, targets), Settings(**(QUICK | changes)), NAMES[: targets.shape[1]])


def test_stages_come_in_order_at_the_levels_and_rates_of_the_fixed_points():
    found = forecast(*gaussian())
    # White inputs: eigenvalues s^2, E|y|^2 their sum, half of what is left is the level, s the rate.
    assert [stage["singular_value"] for stage in found.stages] == pytest.approx([2.0, 1.0, 0.4])
    assert [stage["level"] for stage in found.stages] == pytest.approx([0.58, 0.08, 0.0], abs=1e-9)
    assert [stage["predicted_loss"] for stage in found.stages] == pytest.approx([0.58, 0.08, 0.0], abs=0.06)
    steps = [stage["predicted_step"] for stage in found.stages]
    assert steps == sorted(steps)
    # Separate modes of white inputs are sigmoids: half of the square is gone where strength is 1 - sqrt(1/2).
    share = 1 - np.sqrt(0.5)
    start = QUICK["init_scale"] ** 2 * QUICK["width"] / 2
    for step, strength in zip(steps, (2.0, 1.0, 0.4), strict=True):
        time = np.log(share / (1 - share) * (strength / start - 1)) / (2 * strength)
        assert step * QUICK["learning_rate"] == pytest.approx(time, rel=0.05)
    assert found.strengths[-1] == pytest.approx(np.sqrt([2.0, 1.0, 0.4]), rel=0.01)
    assert found.warnings == []


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rotated_or_reordered_data_have_the_same_forecast(seed):
    rng = np.random.default_rng(seed)
    inputs, targets = gaussian()
    turn, mirror = (np.linalg.qr(rng.normal(size=(size, size)))[0] for size in (8, 3))
    order = rng.permutation(len(inputs))
    before, after = forecast(inputs, targets), forecast((inputs @ turn)[order], (targets @ mirror)[order])
    np.testing.assert_allclose(after.loss, before.loss, atol=1e-8)
    np.testing.assert_allclose(after.strengths, before.strengths, atol=1e-6)
    for name in ("predicted_step", "predicted_loss", "level", "singular_value", "scatter"):
        assert [s[name] for s in after.stages] == pytest.approx([s[name] for s in before.stages], rel=1e-6, abs=1e-8)


@settings(max_examples=8, deadline=None)
@given(size=st.floats(0.2, 5.0), factor=st.floats(0.2, 5.0))
def test_units_of_the_data_are_units_of_weights_time_and_loss(size, factor):
    # x -> a x, y -> b y is undone by weights sqrt(b/a) as large, time 1/(ab) as fast, loss b^2 as large.
    inputs, targets = gaussian()
    before = forecast(inputs, targets)
    scales = {
        "init_scale": QUICK["init_scale"] * (factor / size) ** 0.5,
        "learning_rate": QUICK["learning_rate"] / (size * factor),
    }
    after = forecast(size * inputs, factor * targets, **scales)
    np.testing.assert_allclose(after.loss / factor**2, before.loss, atol=1e-8)
    assert [stage["predicted_step"] for stage in after.stages] == pytest.approx(
        [stage["predicted_step"] for stage in before.stages], rel=1e-6
    )
    assert [stage["singular_value"] / (size * factor) for stage in after.stages] == pytest.approx([2.0, 1.0, 0.4])


def test_steps_chosen_hold_every_stage_and_steps_given_are_kept():
    found = forecast(*gaussian(), steps=None)
    assert len(found.stages) == 3
    assert found.loss[-1] < 0.01 * found.loss[0]
    assert found.stages[-1]["predicted_step"] < found.steps[-1] < 2.5 * found.stages[-1]["predicted_step"]
    assert forecast(*gaussian()).steps[-1] == 600
    # A quick run is not cut so short that there is nothing to see.
    assert forecast(*gaussian((2.0, 1.9, 1.8)), steps=None, init_scale=0.05).steps[-1] >= 100


def test_nearly_equal_eigenvalues_warn_and_distinct_ones_do_not():
    near = forecast(*gaussian((2.0, 1.98, 0.4))).warnings
    assert len(near) == 1
    assert re.match(r"Eigenvalues 1 and 2 of .* nearly coincide \(4 and 3.92\)", near[0])


@pytest.mark.parametrize(("init_scale", "warns"), [(1e-3, False), (1.1e-2, False), (3e-2, True), (0.2, True)])
def test_a_large_start_warns(init_scale, warns):
    # Strength of the start is width * scale^2 / 2 of 2.0 learned; the limit is 8e-3.
    warnings = forecast(*gaussian(), init_scale=init_scale, learning_rate=0.02).warnings
    assert any("initialisation is too large" in warning for warning in warnings) == warns


def test_a_narrow_network_and_minibatches_warn():
    assert any("Width 3 is small for 3 modes" in warning for warning in forecast(*gaussian(), width=3).warnings)
    narrow = forecast(*gaussian(), width=1)
    assert len(narrow.warnings) == 1
    assert any("minibatch noise is not part" in warning for warning in forecast(*gaussian(), batch_size=8).warnings)


def wide_loss(inputs, targets, rate, steps, activation=lambda h: h, init_scale=1e-3, width=100):
    """Plain gradient descent, written out."""
    keys = jax.random.split(jax.random.key(3))
    first = init_scale * jax.random.normal(keys[0], (width, inputs.shape[1]))
    second = init_scale * jax.random.normal(keys[1], (targets.shape[1], width))

    def loss(weights):
        return jnp.mean(jnp.sum((targets - activation(inputs @ weights[0].T) @ weights[1].T) ** 2, axis=1)) / 2

    def step(weights, _):
        value, slopes = jax.value_and_grad(loss)(weights)
        return jax.tree.map(lambda w, g: w - rate * g, weights, slopes), value

    return np.asarray(jax.jit(lambda w: jax.lax.scan(step, w, None, length=steps)[1])((first, second)))


def bound_and_step(refused):
    text = str(refused.value)
    step, bound = re.fullmatch(
        r"`learning_rate` is \S+: gradient descent diverges at step (\d+); "
        r"the largest stable rate for these data is (\S+); use a smaller one\.",
        text,
    ).groups()  # fmt: skip
    return float(bound), int(step)


def test_divergence_is_refused_with_its_step_and_a_bound_that_separates():
    inputs, targets = gaussian()
    with pytest.raises(OutsideDomain) as refused:
        forecast(inputs, targets, learning_rate=2.0)
    bound, step = bound_and_step(refused)
    loss = wide_loss(inputs, targets, 2.0, 40)
    assert abs(step - np.argmax(~(loss <= loss[0] * 1.0001))) <= 1
    # Balanced weights that fit strength 2 on white inputs have sharpness 2 * 2.
    assert bound == pytest.approx(0.5, rel=0.02)
    assert wide_loss(inputs, targets, 0.93 * bound, 400)[-1] < 1e-6
    assert not wide_loss(inputs, targets, 1.1 * bound, 400)[-1] < 1e-6


def test_a_rate_above_the_stable_one_that_stays_bounded_warns():
    found = forecast(*gaussian(), learning_rate=0.54)
    assert any("0.54 is above the largest stable one, 0.5:" in warning for warning in found.warnings)
    assert len(found.stages) <= 3
    assert found.stable_rate == pytest.approx(0.5, rel=0.02)
    assert not any("stable" in warning for warning in forecast(*gaussian(), learning_rate=0.45).warnings)


@pytest.mark.parametrize("rate", [1e6, 1e300])
def test_absurd_rates_are_refused_too(rate):
    with pytest.raises(OutsideDomain, match=r"diverges at step [12];"):
        forecast(*gaussian(), learning_rate=rate)


@pytest.mark.parametrize("model", ["linear", "relu"])
def test_targets_without_correlation_are_refused(model):
    inputs, targets = gaussian()
    with pytest.raises(OutsideDomain, match="do not correlate with the inputs"):
        forecast(inputs, 0 * targets, model=model)
    if model == "linear":  # ReLU units do see even targets
        mirrored = np.concatenate([inputs, -inputs])
        with pytest.raises(OutsideDomain, match="do not correlate with the inputs"):
            forecast(mirrored, np.abs(mirrored[:, :3]))


def test_relu_follows_both_groups_of_an_orthogonal_pair():
    eps, asked = 1e-6, Settings(model="relu", init_scale=1e-6, width=40)
    found = predict(orthogonal_pair(), asked, ["y"])
    first, second = found.stages
    # |D_-| is the larger; its point is fitted first, and half the loss of the other is left.
    assert first["singular_value"] == pytest.approx(np.sqrt(5) / 2, rel=1e-4)
    assert [first["level"], second["level"]] == pytest.approx([0.25, 0.0], abs=0.01)
    # boursier2022: log(1/eps)/|D_+| with |D_+| half as large, up to a constant.
    assert second["predicted_step"] * asked.learning_rate == pytest.approx(np.log(1 / eps) / (np.sqrt(5) / 4), rel=0.15)
    assert found.engine.startswith("ray forecast of the first escape, then staircase")
    assert found.loss[-1] == pytest.approx(0, abs=1e-6)
    assert "rays of growth rate 1.12 (y), 0.559 (y)" in found.warnings[0]


def test_relu_units_are_not_followed_where_that_costs_more_than_training():
    inputs, targets = gaussian(num_samples=5000)
    found = forecast(inputs, targets, model="relu", steps=3000)
    assert found.engine == "ray forecast"
    assert any("cost more than to train" in warning for warning in found.warnings)
    until = np.flatnonzero(np.isfinite(found.loss))[-1]
    assert np.isfinite(found.loss[:until]).all()
    assert len(found.stages) == 1


def test_relu_refuses_what_diverges_with_step_and_bound():
    inputs, targets = gaussian()
    with pytest.raises(OutsideDomain) as refused:
        forecast(inputs, targets, model="relu", learning_rate=4.0)
    bound, step = bound_and_step(refused)
    loss = wide_loss(inputs, targets, 4.0, 40, jax.nn.relu)
    assert abs(step - np.argmax(~(loss <= loss[0] * 1.0001))) <= 1
    assert 1 / 2 < bound < 1.2  # one over the growth rate, which is near 1 for half of the samples


def test_relu_warns_of_a_large_start():
    inputs, targets = gaussian()
    large = forecast(inputs, targets, model="relu", init_scale=2e-2, learning_rate=0.02).warnings
    small = forecast(inputs, targets, model="relu", init_scale=1e-3, learning_rate=0.02).warnings
    assert any("initialisation is too large" in warning for warning in large)
    assert not any("initialisation is too large" in warning for warning in small)


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ([1.0, 1.0, 1.0], "a and b and c alike"),
        ([-1.0, 1.0, 0.0], "b against a"),
        ([0.1, -1.0, -0.9], "b and c alike"),
        ([0.0, 0.0, -1.0], "c"),
        ([0.7, 0.7, -0.9], "a + b against c"),
    ],
)
def test_directions_are_put_in_words(direction, words):
    found = describe_direction(np.array(direction), NAMES)
    assert found == words or set(found.split(" against ")) == set(words.split(" against "))
