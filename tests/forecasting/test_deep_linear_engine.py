"""Deep linear networks: exact curves, the test error forecast from training data, and what is said where they end."""

import numpy as np
import pytest

import solvable
from solvable.errors import OutsideDomain
from solvable.forecasting import Settings, make_settings
from solvable.forecasting.engines import predict
from solvable.forecasting.splits import add_label_noise, split
from solvable.tasks import make_samples


def noisy(num_samples=900, noise=1.2, seed=0, white=True):
    """Three modes seen through noise: inputs of dimension 30, 6 outputs."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(num_samples, 30)) * (1.0 if white else np.linspace(2, 0.3, 30))
    left, right = np.linalg.qr(rng.normal(size=(6, 3)))[0], np.linalg.qr(rng.normal(size=(30, 3)))[0]
    return inputs, inputs @ (right * np.array([2.0, 1.2, 0.7])) @ left.T + noise * rng.normal(size=(num_samples, 6))


def test_train_and_test_curves_and_the_best_step_are_as_forecast():
    found = solvable.forecast(*noisy(3000), model="deep-linear", width=8, whiten=True, test_share=0.7, seeds=1)
    assert found.attrs["engine"] == "exact solution of 2 linear layers"
    assert found.attrs["curve_gap"] < 0.03
    # 900 training samples: the noise power is known to a few percent.
    gap = np.abs(found["predicted_test_loss"] - found["measured_test_loss"][0]) / found["measured_test_loss"][0]
    assert float(gap.max()) < 0.06
    assert found.attrs["best_step"] == pytest.approx(found.attrs["measured_best_step"], rel=0.08)
    # Stopping pays: the end is worse than the best by far more than the forecast is wrong.
    rise = lambda loss: float(loss[-1] - loss.min())  # noqa: E731
    assert rise(found["predicted_test_loss"]) == pytest.approx(rise(found["measured_test_loss"][0]), rel=0.25)


@pytest.mark.parametrize("depth", [1, 3])
def test_other_depths_train_as_forecast(depth):
    settings = {"model": "deep-linear", "width": 8, "whiten": True, "depth": depth, "learning_rate": 0.05}
    found = solvable.forecast(*noisy(noise=0.3), **settings)
    assert found.attrs["curve_gap"] < 0.02
    assert "exact solution" in found.attrs["engine"]


def test_inputs_that_couple_modes_are_integrated_and_it_is_said():
    found = solvable.forecast(*noisy(white=False, noise=0.3), model="deep-linear", width=8, learning_rate=0.004)
    assert found.attrs["engine"] == "end-to-end flow of 2 linear layers"
    assert "couples the modes" in found.attrs["warnings"]
    assert found.attrs["curve_gap"] < 0.03


def test_a_narrow_network_learns_its_width_in_modes_only():
    inputs, targets = noisy(noise=0.0)
    found = solvable.forecast(inputs, targets, model="deep-linear", width=2, whiten=True, learning_rate=0.01)
    assert found.sizes["stage"] == 2
    assert found.attrs["curve_gap"] < 0.03
    assert float(found["predicted_loss"][-1]) > 0.1


def test_fewer_samples_than_components_have_no_forecast_of_the_test_error():
    inputs, targets = noisy(60)
    samples = split(inputs, targets, Settings(model="deep-linear", whiten=True, test_share=0.5)).train
    asked = Settings(model="deep-linear", whiten=True, test_share=0.5, init_scale=1e-3)
    found = predict(samples, asked, [str(name) for name in range(6)])
    assert found.test_loss is None
    assert any("do not determine" in warning for warning in found.warnings)
    coupled = predict(make_samples(*noisy(white=False)), asked, [str(name) for name in range(6)])
    assert any("white inputs" in warning for warning in coupled.warnings)


def test_whitened_inputs_are_white_and_the_test_part_is_not_used():
    inputs, targets = noisy(200)
    inputs = np.concatenate([inputs, inputs[:, :2]], axis=1)  # rank deficient
    asked = Settings(model="deep-linear", whiten=True, test_share=0.25)
    found = split(inputs, targets, asked)
    assert (found.train.num_samples, found.test.num_samples) == (150, 50)
    train = np.asarray(found.train.inputs)
    assert train.T @ train / 150 == pytest.approx(np.eye(30), abs=1e-10)
    changed = inputs.copy()
    test_rows = ~np.isin(np.round(targets[:, 0], 9), np.round(np.asarray(found.train.targets[:, 0]) + _shift(found), 9))
    changed[test_rows] *= 7.0
    assert np.asarray(split(changed, targets, asked).train.inputs) == pytest.approx(train)


def _shift(found):
    # Targets were centred by the training mean; both parts together give it back.
    rng_targets = noisy(200)[1][:, 0]
    both = np.concatenate([found.train.targets[:, 0], found.test.targets[:, 0]])
    return rng_targets.mean() - both.mean()


def test_label_noise_makes_its_share_wrong_and_only_that():
    labels = np.repeat(["a", "b", "c"], 100)
    noisy_labels = add_label_noise(labels, 0.3, seed=1)
    assert np.sum(noisy_labels != labels) == 90
    assert set(noisy_labels) == set(labels)
    with pytest.raises(OutsideDomain, match=r"`label_noise` is 1\.5"):
        add_label_noise(labels, 1.5, seed=1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"depth": 0}, "`depth` is 0"),
        ({"test_share": 1.0}, "`test_share` is 1.0"),
        ({"label_noise": -0.1}, "`label_noise` is -0.1"),
        ({"components": 0}, "`components` is 0"),
        ({"model": "relu", "whiten": True}, "`whiten` is for deep linear networks"),
        ({"model": "linear", "depth": 3}, "`depth` is for deep linear networks"),
    ],
)
def test_settings_without_meaning_are_refused(given, words):
    with pytest.raises(OutsideDomain, match=words):
        make_settings({"model": "deep-linear", **given})


def test_more_components_than_inputs_have_are_refused():
    inputs, targets = noisy(100)
    with pytest.raises(OutsideDomain, match="`components` is 31; the training inputs have 30"):
        split(inputs, targets, Settings(model="deep-linear", components=31))
