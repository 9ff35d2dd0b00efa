"""The forecast beside training: how far apart they are, what is returned, and what is refused."""

import json

import numpy as np
import pytest
import xarray as xr

import solvable
from solvable.errors import Diverged, OutsideDomain
from solvable.tasks import LabelledData, load_digits, orthogonal_pair

RULE = {"init_scale": 1e-5, "learning_rate": 0.1, "steps": 600}


def gaussian(num_samples=200):
    """A teacher of three modes on correlated inputs."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(num_samples, 6)) * np.linspace(1.2, 0.8, 6)
    left, right = (np.linalg.qr(rng.normal(size=(size, 3)))[0] for size in (3, 6))
    return inputs, inputs @ (left * np.array([2.0, 1.0, 0.5]) @ right.T).T


@pytest.fixture(scope="module")
def wide():
    return solvable.forecast(*gaussian(), width=800, seeds=6, **RULE)


@pytest.fixture(scope="module")
def narrow():
    return solvable.forecast(*gaussian(), width=50, seeds=6, **RULE)


def test_wide_networks_follow_the_forecast(wide):
    assert wide.attrs["curve_gap"] < 0.03
    mean = wide["measured_loss"].mean("seed")
    assert float(abs(mean - wide["predicted_loss"]).max() / wide["predicted_loss"][0]) < 0.01
    gap = abs(wide["measured_strength"].mean("seed").values - wide["predicted_strength"].values).max()
    assert gap < 0.05 * float(wide["predicted_strength"].max())


def test_the_distance_shrinks_as_the_root_of_the_width(wide, narrow):
    spread = [float(found["measured_step"].std("seed").isel(stage_measured=0)) for found in (wide, narrow)]
    assert narrow.attrs["curve_gap"] > 1.5 * wide.attrs["curve_gap"]
    assert spread[0] < spread[1]


def test_seeds_scatter_as_forecast(narrow):
    # 6 seeds: the sample's standard deviation is within a factor 2.5 of the true one with probability 0.99.
    for stage in range(2):
        measured = float(narrow["measured_step"][:, stage].std(ddof=1))
        assert narrow["scatter"][stage] / 2.5 < measured < 2.5 * narrow["scatter"][stage]
        distance = float(abs(narrow["measured_step"][:, stage].mean() - narrow["predicted_step"][stage]))
        assert distance < 4 * float(narrow["scatter"][stage])


def test_curve_gap_is_the_largest_distance_of_any_seed(narrow):
    distance = np.abs(narrow["measured_loss"].values - narrow["predicted_loss"].values[None]).max()
    assert narrow.attrs["curve_gap"] == pytest.approx(distance / float(narrow["predicted_loss"][0]))


def test_everything_is_labelled_and_goes_through_a_file(wide, tmp_path):
    assert wide["predicted_loss"].dims == ("time",)
    assert wide["measured_loss"].dims == ("seed", "time")
    assert wide["predicted_strength"].dims == ("time", "mode")
    assert wide["measured_step"].dims == ("seed", "stage_measured")
    assert {wide[name].dims for name in ("learned", "level", "singular_value", "scatter")} == {("stage",)}
    np.testing.assert_allclose(wide["time"], 0.1 * wide["step"])
    assert wide.attrs["loss"] == "(1/2P) sum |y - f(x)|^2"
    assert json.loads(wide.attrs["settings"])["width"] == 800
    wide.to_netcdf(tmp_path / "forecast.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "forecast.nc", engine="h5netcdf") as loaded:
        xr.testing.assert_equal(loaded.load(), wide)
        assert list(loaded["learned"].values) == list(wide["learned"].values)
        assert loaded.attrs == wide.attrs


def test_without_training_nothing_measured_is_there():
    found = solvable.forecast(*gaussian(), train=False, **RULE)
    assert not [name for name in found.variables if "measured" in str(name)]
    assert "curve_gap" not in found.attrs
    assert found.sizes["stage"] == 3


def test_minibatches_train_near_the_forecast_and_say_so():
    found = solvable.forecast(*gaussian(), batch_size=20, width=400, **RULE)
    assert found.attrs["curve_gap"] < 0.3
    assert "minibatch noise" in found.attrs["warnings"]
    assert abs(found["measured_step"].values[0, 0] / found["predicted_step"].values[0] - 1) < 0.1


@pytest.mark.parametrize("case", ["orthogonal", "linear teacher"])
def test_relu_networks_escape_when_forecast(case):
    pair = orthogonal_pair()
    data = (np.asarray(pair.inputs), np.asarray(pair.targets)) if case == "orthogonal" else gaussian()
    found = solvable.forecast(*data, model="relu", width=300, **RULE)
    assert float(found["measured_step"][0, 0]) == pytest.approx(float(found["predicted_step"][0]), rel=0.04)
    # Later stages are those of the limit of small weights.
    later = slice(1, found.sizes["stage"])
    assert found["measured_step"][0, later].values == pytest.approx(found["predicted_step"][later].values, rel=0.15)
    assert found.attrs["curve_gap"] < 0.08  # where the forecast goes, NaN between levels
    assert np.isfinite(found["measured_loss"].values).all()
    assert "predicted_strength" not in found


def test_relu_units_on_non_negative_inputs_escape_along_the_linear_direction():
    rng = np.random.default_rng(2)
    inputs = rng.uniform(0.5, 1.0, size=(60, 5))
    targets = inputs @ rng.uniform(0.2, 1.0, size=(5, 2))
    relu, linear = (
        solvable.forecast(inputs, targets, model=model, train=False, **RULE) for model in ("relu", "linear")
    )
    # All samples are on the same side of a positive ray: same rate, half of the units.
    assert relu["singular_value"].values[0] == pytest.approx(linear["singular_value"].values[0], rel=1e-3)
    assert relu["predicted_step"].values[0] > linear["predicted_step"].values[0]
    later = (relu["predicted_step"] - linear["predicted_step"]).values[0] * 0.1 * linear["singular_value"].values[0]
    assert 0.1 < later < 0.8  # ln(2)/2 where exactly half of them settle on it


def test_labels_words_and_records_are_the_same_task():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(60, 6)) + np.repeat(rng.normal(size=(3, 6)), 20, axis=0)
    words = np.repeat(["ant", "bee", "cat"], 20)
    rule = {"train": False, "width": 100} | RULE
    by_label = solvable.forecast(inputs, labels=words, **rule)
    by_record = solvable.forecast(LabelledData(inputs, words, "insects"), **rule)
    by_target = solvable.forecast(inputs, (words[:, None] == ["ant", "bee", "cat"]).astype(float), **rule)
    xr.testing.assert_identical(by_label, by_record)
    np.testing.assert_array_equal(by_label["predicted_loss"], by_target["predicted_loss"])
    assert "output 0" in " ".join(by_target["learned"].values)
    two = solvable.forecast(inputs, labels=words, classes=("cat", "ant"), **rule)
    assert "bee" not in " ".join(two["learned"].values)
    # Lists and one-dimensional targets will do.
    one = solvable.forecast(inputs.tolist(), inputs[:, 0].tolist(), **rule)
    assert list(one["learned"].values) == ["output 0"]


X, Y = np.ones((4, 2)) * np.arange(1.0, 5.0)[:, None], np.arange(1.0, 5.0)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((X, Y), {"widht": 5}, "`widht` is no setting of a forecast; the settings are: model, width"),
        ((X, Y), {"width": -1}, "`width` is -1"),
        ((X, Y), {"batch_size": 5}, "`batch_size` is 5; it must be at most the 4 samples"),
        ((X, Y), {"labels": Y}, "both targets and labels"),
        ((X, Y), {"classes": (0, 1)}, "targets have no classes"),
        ((X,), {}, "`targets` is missing"),
        ((X, [0, 1, 0, 1]), {}, "look like class labels.*one-hot"),
        ((X, Y[:3]), {}, "`inputs` has 4 samples and `targets` 3"),
        ((X[:, 0], Y), {}, "`inputs` and `targets` have shapes"),
        ((X[None], Y[:1]), {}, r"`inputs` has shape \(1, 4, 2\); it must be \(num_samples, input_dim\)"),
        ((X[:0], Y[:0]), {}, "at least one sample"),
        ((X * np.nan, Y), {}, "`inputs` holds a value that is not finite"),
        ((X, Y * np.inf), {}, "`targets` holds a value that is not finite"),
        (([["a", "b"]], [1.0]), {}, "`inputs` holds values that are not numbers"),
        ((X, ["a", "b", "c", "d"]), {}, "`targets` holds values that are not numbers"),
        (([[1.0], [1.0, 2.0]], [1.0, 2.0]), {}, "`inputs` holds values that are not numbers"),
        ((X, [[1.0], [1.0, 2.0], [1.0], [1.0]]), {}, "`targets` holds values that are not numbers"),
        ((X,), {"labels": [1, 1, 1, 1]}, "one class only"),
        ((X,), {"labels": [0, 1, 0]}, "4 inputs and 3 labels"),
        ((X,), {"labels": [0, 1, 0, 1], "classes": (0, 7)}, "no class 7"),
        ((X,), {"labels": [0, 1, 0, 1], "classes": (1,)}, "one class only"),
        ((X,), {"labels": [0.5, 1, 0, 1]}, "it must hold classes"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_sentence(arguments, options, words):
    with pytest.raises(OutsideDomain, match=words) as refused:
        solvable.forecast(*arguments, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seeds", [1, 2])
def test_training_that_diverges_where_the_forecast_does_not_says_when(monkeypatch, seeds):
    from solvable.forecasting import run

    calm = run.predict

    def predict(samples, settings, names):
        slower = type(settings)(**(vars(settings) | {"learning_rate": 0.1}))
        return calm(samples, slower, names)

    monkeypatch.setattr(run, "predict", predict)
    with pytest.raises(Diverged, match=r"diverged by step \d+ with `learning_rate` 4, .* stable below 0\.") as stop:
        solvable.forecast(*gaussian(), width=50, seeds=seeds, **(RULE | {"learning_rate": 4.0}))
    assert 3 < stop.value.step < 30


def test_digits_learn_their_two_stages_on_time():
    digits = load_digits().select((3, 5)).subset(100)
    found = solvable.forecast(digits, width=300, init_scale=1e-5)
    assert found.sizes["stage"] == found.sizes["stage_measured"] == 2
    assert list(found["learned"].values) in (["3 and 5 alike", "3 against 5"], ["3 and 5 alike", "5 against 3"])
    np.testing.assert_allclose(found["measured_step"][0], found["predicted_step"], rtol=0.04)
    np.testing.assert_allclose(found["measured_stage_loss"][0], found["predicted_stage_loss"], rtol=0.02, atol=1e-3)
    assert found.attrs["curve_gap"] < 0.06
