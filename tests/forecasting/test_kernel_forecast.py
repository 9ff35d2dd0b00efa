"""Forecasts of kernel regression: on data whose law is known, and against regression itself."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import solvable
from solvable.errors import OutsideDomain
from solvable.forecasting.kernel.data import prepare
from solvable.forecasting.kernel.measure import measure_larger, measure_whole
from solvable.forecasting.kernel.spectrum import continue_spectrum
from solvable.forecasting.settings import make_settings
from solvable.instruments import factored_modes
from solvable.numerics import LinearKernel
from solvable.tasks import GaussianFeatures, make_samples
from solvable.theory import kernel

MODES, SAMPLES, NOISE = 60, 500, 0.3


@pytest.fixture(scope="module")
def task():
    order = np.arange(1, MODES + 1.0)
    return GaussianFeatures(jnp.asarray(order**-1.2), jnp.asarray(order**-0.9), NOISE)


@pytest.fixture(scope="module")
def samples(task):
    import jax

    return task.sample(jax.random.key(0), SAMPLES)


@pytest.fixture(scope="module")
def result(samples):
    return solvable.forecast(samples, model="kernel", kernel="linear")


def test_the_forecast_meets_the_exact_learning_curve(task, result):
    """The population is known here: the error of the best ridge is the theory's own, within the interval or 8%."""
    lengths = float(jnp.sum(task.eigenvalues))
    for size in (25.0, 100.0, 400.0, 2000.0):
        ridges = jnp.geomspace(1e-4, 1e2, 60) * lengths
        exact = kernel.kernel_risk(
            task.eigenvalues, task.coefficients**2, jnp.full(60, size), ridge=ridges, noise=NOISE**2
        ).test.min()
        near = lambda name, size=size: np.interp(np.log(size), np.log(result["size"]), result[name])  # noqa: E731
        assert float(exact) * 0.92 < near("predicted_high")
        assert float(exact) * 1.08 > near("predicted_low")


def test_what_is_measured_lies_on_the_forecast(result):
    assert result.attrs["curve_gap"] < 0.2
    assert float(result["predicted_error"][0]) > float(result["predicted_error"][-1])
    assert np.all(result["predicted_low"] <= result["predicted_error"] * (1 + 1e-12))
    assert np.all(result["predicted_error"] <= result["predicted_high"] * (1 + 1e-12))
    # The best ridge by hold-out costs no more than that by leave-one-out; both are near.
    held_out = result["held_out_error"].values
    assert held_out[np.argmin(result["leave_one_out"].values)] < 1.05 * held_out.min()
    # Stopping in time is as good as the best ridge, up to some per cent, and the time found on halves is a good one.
    stopped = result["stopped_error"].values
    assert stopped[np.argmin(result["halves_error"].values)] < 1.05 * stopped.min()
    assert abs(stopped.min() / held_out.min() - 1) < 0.1
    assert stopped[-1] > 1.005 * stopped.min()


def test_noise_bounds_how_far_the_error_falls(result):
    """A kernel of 60 features is known whole, and what these do not explain is noise; what is said is ordered."""
    low, middle, high = (result.attrs[f"halving_{name}"] for name in ("low", "samples", "high"))
    assert result.attrs["samples"] < low <= middle <= high
    np.testing.assert_allclose(result["predicted_error"][-1], NOISE**2, rtol=0.15)


def test_the_spectrum_keeps_trace_and_power(samples):
    data = prepare(samples, make_settings({"model": "kernel", "kernel": "linear"}))
    whole = measure_whole(data, LinearKernel(), np.geomspace(1e-4, 10, 5), None, tested=False)
    spectrum = continue_spectrum(factored_modes(whole.factored))
    count = whole.part.size
    trace = float(jnp.sum(whole.factored.eigenvalues)) / count
    assert np.sum(spectrum.eigenvalues * spectrum.multiplicities) == pytest.approx(trace, rel=1e-9)
    power = np.sum(np.asarray(whole.factored.targets) ** 2) / count
    assert np.sum(spectrum.power) + spectrum.residual == pytest.approx(power, rel=1e-9)
    np.testing.assert_allclose(spectrum.tails.sum(axis=1), 1, rtol=1e-12)
    assert np.all(np.isnan(whole.held_out))


def test_more_samples_than_are_factored_are_measured_and_said(samples, monkeypatch):
    """With limits made small: exactly as far as memory goes, by landmarks beyond, with the error of these stated."""
    from solvable.forecasting.kernel import measure

    for name, value in (("MOST_FACTORED", 100), ("MOST_IN_MEMORY", 200), ("_LANDMARKS", 90)):
        monkeypatch.setattr(measure, name, value)
    data = prepare(samples, make_settings({"model": "kernel", "kernel": "linear"}))
    whole = measure_whole(data, LinearKernel(), np.geomspace(1e-3, 10, 5), None, tested=True)
    parts, remarks = measure_larger(data, LinearKernel(), whole)
    assert [part.size for part in parts] == [200, 400]
    # Of 60 inputs, 90 landmarks span all: the landmarks are exact here.
    direct = np.linalg.solve(data.inputs.T @ data.inputs + parts[1].ridge * np.eye(MODES), data.inputs.T @ data.targets)
    assert parts[1].held_out == pytest.approx(np.mean((data.test_inputs @ direct - data.test_targets) ** 2), rel=1e-6)
    assert "100 samples" in remarks[0]
    assert "landmarks" in remarks[1]
    assert "+0.0%" in remarks[1] or "-0.0%" in remarks[1]


def test_classes_are_counted_and_a_given_ridge_is_kept():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    inputs = rng.normal(size=(150, 4)) + 3 * np.eye(3, 4)[labels]
    found = solvable.forecast(inputs, labels=labels, model="kernel", ridge=0.5, kernel="rbf")
    assert set(found["measured_ridge"].values) == {0.5}
    assert set(found["predicted_ridge"].values) == {0.5}
    assert float(found["measured_wrong"][-1]) < 0.3
    assert json.loads(found.attrs["settings"])["ridge"] == 0.5
    alone = solvable.forecast(inputs, labels=labels, model="kernel", ridge=0.5, train=False)
    assert "measured_error" not in alone
    np.testing.assert_allclose(alone["predicted_error"], found["predicted_error"], rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(kernel="cubic"), "`kernel` is 'cubic'"),
        (dict(ridge=-1.0), "`ridge` is -1"),
        (dict(ridge="best"), "`ridge` is 'best'"),
        (dict(kernel_width=0.0), "`kernel_width`"),
        (dict(width=100), "`width` is for networks"),
        (dict(depth=3), "`depth` is for deep linear networks"),
        (dict(test_share=0.0), "a learning curve needs"),
    ],
)
def test_requests_without_meaning_are_refused(samples, settings, words):
    with pytest.raises(OutsideDomain, match=words):
        solvable.forecast(samples, model="kernel", **settings)


def test_data_without_anything_to_learn_are_refused():
    ones, rng = np.ones((100, 3)), np.random.default_rng(0)
    for inputs, targets, words in (
        (ones, rng.normal(size=100), "`inputs` are all alike"),
        (rng.normal(size=(100, 3)), np.ones(100), "`targets` are all alike"),
        (rng.normal(size=(40, 3)), rng.normal(size=40), "needs at least 50"),
    ):
        with pytest.raises(OutsideDomain, match=words):
            solvable.forecast(inputs, targets, model="kernel")
    with pytest.raises(OutsideDomain, match="leave out `targets`"):
        solvable.forecast(make_samples(ones, np.ones(100)), np.ones(100), model="kernel")
