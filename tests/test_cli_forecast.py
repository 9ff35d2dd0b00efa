"""``solvable forecast`` as a user meets it: what it prints, writes and refuses, and what an interrupt leaves."""

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from solvable import cli, cli_forecast

FIELDS = [
    "model", "engine", "warnings", "settings", "loss", "steps", "stages", "curve_gap", "best_step",
    "measured_best_step", "files",
]  # fmt: skip
STAGE_FIELDS = {
    "stage", "predicted_step", "predicted_loss", "level", "singular_value", "scatter", "learned",
    "measured_step", "measured_step_std", "measured_loss", "measured_loss_std",
}  # fmt: skip
QUICK = ("--width", 50, "--init-scale", "1e-3", "--learning-rate", 0.05, "--steps", 400)


@pytest.fixture
def solve(monkeypatch, capsys, tmp_path):
    """Run a command line in this process, in a directory of its own: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["solvable", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def data():
    """Two classes, 40 samples each."""
    rng = np.random.default_rng(0)
    labels = np.repeat([3, 5], 40)
    return rng.normal(size=(80, 6)) + 2 * (labels[:, None] == 3), labels


@pytest.fixture
def saved(tmp_path, data):
    path = tmp_path / "data.npz"
    np.savez(path, inputs=data[0], labels=data[1])
    return path


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def refusal(found):
    """The one sentence on standard error, with nothing else anywhere."""
    status, out, err = found
    assert (status, out) == (2, "")
    assert err.startswith("solvable: ")
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert "Traceback" not in err
    return err


def test_json_is_one_object_of_the_promised_shape_and_the_files_hold_the_same(solve, saved, tmp_path):
    status, out, err = solve("forecast", saved, "--json", "--out", tmp_path / "kept", *QUICK)
    assert status == 0
    assert "Traceback" not in err
    answer = json.loads(out)
    assert out.count("\n") == 1
    assert list(answer) == FIELDS
    assert set(answer["stages"][0]) == STAGE_FIELDS
    assert (answer["model"], answer["steps"]) == ("linear", 400)
    assert answer["stages"][0]["measured_step"] == pytest.approx(answer["stages"][0]["predicted_step"], rel=0.1)
    assert answer["stages"][0]["measured_step_std"] is None
    assert 0 < answer["curve_gap"] < 0.3
    assert names(tmp_path / "kept") == ["forecast.json", "forecast.nc", "forecast.png"]
    assert all(os.path.isfile(path) for path in answer["files"])
    assert json.loads((tmp_path / "kept" / "forecast.json").read_text()) == answer
    with xr.open_dataset(tmp_path / "kept" / "forecast.nc", engine="h5netcdf") as kept:
        assert kept.attrs["curve_gap"] == answer["curve_gap"]
        assert set(kept["learned"].values) == {stage["learned"] for stage in answer["stages"]}
    assert (tmp_path / "kept" / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_without_training_measured_is_null_and_new_directories_are_numbered(solve, saved, tmp_path):
    for directory in ("solvable-forecast", "solvable-forecast-2"):
        status, out, _ = solve("forecast", saved, "--json", "--no-train", *QUICK)
        answer = json.loads(out)
        assert status == 0
        assert answer["files"][0] == os.path.join(directory, "forecast.png")
        assert answer["curve_gap"] is None
        assert all(stage["measured_step"] is stage["measured_loss"] is None for stage in answer["stages"])
    assert names(tmp_path) == ["data.npz", "solvable-forecast", "solvable-forecast-2"]


def test_people_get_a_table_warnings_and_the_files(solve, saved, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = solve("forecast", saved, "--seeds", 2, "--batch-size", 16, *QUICK)
    assert status == 0
    assert out.startswith("Two-layer linear network, width 50, weights from N(0, 0.001²), learning rate")
    assert "400 steps of 16 samples." in " ".join(out.split())
    assert "stage learned" in out
    assert "Warning: The forecast is for all samples at once" in out
    assert "Largest distance of the training curve from the forecast" in " ".join(out.split())
    assert os.path.join("solvable-forecast", "forecast.png") in out
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("Figure and data"))


def test_relu_says_which_engine_it_used_and_where_units_align(solve, saved):
    status, out, _ = solve("forecast", saved, "--model", "relu", "--no-train", *QUICK)
    words = " ".join(out.split())
    assert status == 0
    assert "align with rays of growth rate" in words
    assert "Engine: ray forecast" in words


def write_csv(path, inputs, words):
    rows = [",".join([*map(repr, row.tolist()), word]) for row, word in zip(inputs, words, strict=True)]
    path.write_text("\n".join(["a,b,c,d,e,f,label", *rows]) + "\n")


def write_idx(directory, images, labels):
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape)
    path = directory / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + images.tobytes()))
    other = directory / "train-labels-idx1-ubyte.gz"
    other.write_bytes(gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, len(labels)) + labels.tobytes()))
    return path


def test_words_in_a_csv_and_images_in_idx_go_all_the_way(solve, data, tmp_path):
    inputs, labels = data
    write_csv(tmp_path / "animals.csv", inputs, np.where(labels == 3, "cat", "dog"))
    status, out, _ = solve("forecast", "animals.csv", "--classes", "dog,cat", "--json", "--no-train", *QUICK)
    assert status == 0
    assert {"cat", "dog"} <= set(" ".join(stage["learned"] for stage in json.loads(out)["stages"]).split())
    images = (inputs - inputs.min()) / np.ptp(inputs) * 255
    path = write_idx(tmp_path, images.astype(np.uint8).reshape(80, 2, 3), labels.astype(np.uint8))
    status, out, _ = solve("forecast", path, "--json", "--no-train", *QUICK)
    assert status == 0
    assert json.loads(out)["stages"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--width", "-3"], "`width` is -3; it must be a whole number of at least 1"),
        (["--width", "three"], "Invalid value for '--width'"),
        (["--init-scale", "-1e-3"], "`init_scale` is -0.001"),
        (["--init-scale", "0"], "`init_scale` is 0.0"),
        (["--learning-rate", "nan"], "`learning_rate` is nan"),
        (["--learning-rate", "-1"], "`learning_rate` is -1.0"),
        (["--steps", "3"], "`steps` is 3"),
        (["--batch-size", "0"], "`batch_size` is 0"),
        (["--batch-size", "81"], "`batch_size` is 81; it must be at most the 80 samples"),
        (["--seeds", "0"], "`seeds` is 0"),
        (["--model", "tanh"], "`model` is 'tanh'; it must be one of 'linear', 'relu'"),
        (["--classes", "3"], "one class only"),
        (["--classes", "3,9"], "no class 9; choose among 3, 5"),
        (["--classes", "3,3,5"], "each class once"),
        (["--classes", "3,"], "empty label"),
        (["--learning-rate", "50"], "gradient descent diverges at step"),
        (["--fast"], "--fast"),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence_and_status_2(solve, saved, tmp_path, options, words):
    quick = [] if "--learning-rate" in options else ["--no-train"]
    assert words in refusal(solve("forecast", saved, *quick, *options))
    assert names(tmp_path) == ["data.npz"]


def broken_files(directory, data):
    """Files that cannot be used, by name, and what is said of them."""
    inputs, labels = data
    whole = directory / "whole.npz"
    np.savez(whole, inputs=inputs, labels=labels)
    content = whole.read_bytes()
    whole.unlink()
    (directory / "cut.npz").write_bytes(content[: len(content) // 2])
    (directory / "text.npz").write_text("not an archive")
    (directory / "text.csv.gz").write_text("1,2\n")
    (directory / "empty.csv").write_text("")
    (directory / "short.csv").write_text("a,b,label\n1,2,0\n1,2\n")
    (directory / "words.csv").write_text("a,b,label\n1,two,0\n")
    (directory / "plain.txt").write_text("1 2 3\n")
    bad = inputs.copy()
    bad[3, 2] = np.nan
    np.savez(directory / "nan.npz", inputs=bad, labels=labels)
    np.savez(directory / "fewer.npz", inputs=inputs, labels=labels[1:])
    np.savez(directory / "one.npz", inputs=inputs, labels=0 * labels)
    np.savez(directory / "none.npz", inputs=inputs[:0], labels=labels[:0])
    np.savez(directory / "other.npz", left=inputs, right=labels)
    images = write_idx(directory, np.zeros((4, 2, 2), np.uint8), np.zeros(4, np.uint8))
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-3]))
    return {
        "cut.npz": "cannot be read", "text.npz": "cannot be read", "text.csv.gz": "cannot be read",
        "empty.csv": "two columns", "short.csv": "line 3", "words.csv": "'two' among the inputs",
        "plain.txt": "ends in none of", "absent.npz": "is not there", ".": "ends in none of",
        "nan.npz": "nan in row 3, column 2", "fewer.npz": "80 inputs and 79 labels", "one.npz": "one class only",
        "none.npz": "neither of them 0", "other.npz": "holds the arrays left, right",
        "train-images-idx3-ubyte.gz": "where its header promises",
    }  # fmt: skip


def test_a_file_that_cannot_be_used_is_one_sentence_and_status_2(solve, data, tmp_path):
    for name, words in broken_files(tmp_path, data).items():
        err = refusal(solve("forecast", name, "--no-train", *QUICK))
        assert words in err, name
    assert not [name for name in names(tmp_path) if "forecast" in name]


def test_what_exists_is_refused_before_anything_runs_and_replaced_when_asked(solve, saved, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "thesis.txt").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(cli_forecast, "_run", lambda *_: pytest.fail("it ran"))
        for target, words in (
            (kept, "exists already; choose another directory, or say --overwrite"),
            (kept / "thesis.txt", "exists already"),
            (kept / "thesis.txt" / "below", "is no directory that can be written to"),
        ):
            assert words in refusal(solve("forecast", saved, "--out", target, *QUICK))
    assert names(kept) == ["thesis.txt"]
    # A run that fails leaves what was there.
    refusal(solve("forecast", saved, "--out", kept, "--overwrite", "--learning-rate", 50))
    assert names(kept) == ["thesis.txt"]
    assert solve("forecast", saved, "--out", kept, "--overwrite", "--no-train", *QUICK)[0] == 0
    assert names(kept) == ["forecast.json", "forecast.nc", "forecast.png"]
    assert names(tmp_path) == ["data.npz", "kept"]


def test_a_write_that_fails_leaves_nothing(solve, saved, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    monkeypatch.setattr(os, "_exit", sys.exit)
    status, out, err = solve("forecast", saved, "--no-train", "--out", "kept", *QUICK)
    assert (status, out) == (130, "")
    assert err == "solvable: interrupted.\n"
    assert names(tmp_path) == ["data.npz"]


def test_no_data_means_the_digits_three_and_five(solve, monkeypatch):
    asked = {}

    def run(labelled, *, classes, **settings):
        asked.update(name=labelled.name, classes=classes, size=labelled.inputs.shape)
        raise cli.OutsideDomain("enough.")

    monkeypatch.setattr("solvable.forecasting.forecast", run)
    refusal(solve("forecast"))
    assert asked == {"name": "digits", "classes": (3, 5), "size": (5000, 784)}
    refusal(solve("forecast", "--classes", "0,1,2"))
    assert asked["classes"] == (0, 1, 2)


def test_an_interrupt_during_training_is_one_line_status_130_and_no_files(saved, tmp_path):
    announce = """
import sys
from solvable import training
from solvable.training import descent
real = descent.wait
def wait(trajectory):
    print("training", file=sys.stderr, flush=True)
    return real(trajectory)
descent.wait = wait
from solvable.cli import main
main()
"""
    long = ("--steps", "80000", "--width", "5000", "--batch-size", "8")
    process = subprocess.Popen(
        [sys.executable, "-c", announce, "forecast", str(saved), "--json", *long],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "training\n"
    time.sleep(0.5)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 20  # training itself would take minutes
    assert (process.returncode, out, err) == (130, "", "solvable: interrupted.\n")
    assert names(tmp_path) == ["data.npz"]


def test_rows_average_over_seeds_and_leave_out_what_a_seed_lacks():
    found = xr.Dataset(
        {
            **{name: ("stage", [1.0]) for name in ("predicted_step", "predicted_stage_loss", "level")},
            **{name: ("stage", [1.0]) for name in ("singular_value", "scatter")},
            "learned": ("stage", ["all"]),
            "measured_step": (("seed", "stage_measured"), [[10.0, 30.0], [12.0, np.nan]]),
            "measured_stage_loss": (("seed", "stage_measured"), [[0.5, 0.1], [0.5, np.nan]]),
        }
    )
    first, second = cli_forecast.stage_rows(found)
    assert (first["measured_step"], first["measured_step_std"]) == (11.0, 1.0)
    assert (second["measured_step"], second["measured_step_std"], second["learned"]) == (30.0, None, None)
    assert set(first) == set(second) == STAGE_FIELDS


def test_the_options_are_the_settings():
    from inspect import signature

    from solvable.forecasting import Settings, make_settings

    options = signature(cli_forecast.forecast).parameters
    # An option without a value of its own stands for the model's default.
    assert make_settings({name: options[name].default for name in Settings.__dataclass_fields__}) == Settings()


def test_kernel_regression_of_a_regression_file_says_how_many_samples_are_needed(solve, tmp_path):
    """Real-valued targets in a CSV; figure, data and summary; the shape of the summary; what the terminal shows."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 60)) * np.arange(1, 61.0) ** -0.6
    table = np.column_stack([inputs, inputs.sum(axis=1) + 0.3 * rng.normal(size=500)])
    np.savetxt(tmp_path / "data.csv", table, delimiter=",")
    status, out, err = solve(
        "forecast", tmp_path / "data.csv", "--model", "kernel", "--kernel", "linear", "--out", "kept"
    )
    assert (status, "Traceback" in err) == (0, False)
    for words in (
        "Best ridge at 400 samples: by GCV",
        "by leave-one-out",
        "by hold-out",
        "To halve the error that 400",
    ):
        assert words in " ".join(out.split())
    assert names(tmp_path / "kept") == ["forecast.json", "forecast.nc", "forecast.png"]
    answer = json.loads((tmp_path / "kept" / "forecast.json").read_text())
    assert (answer["model"], answer["stages"], answer["samples"]) == ("kernel", [], 400)
    measured = [row for row in answer["curve"] if row["measured_error"] is not None]
    assert [row["samples"] for row in measured] == [25, 50, 100, 200, 400]
    assert set(answer["ridges"]) == {"gcv", "leave_one_out", "held_out_error"}
    with xr.open_dataset(tmp_path / "kept" / "forecast.nc", engine="h5netcdf") as saved:
        assert saved.attrs["samples"] == 400


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--ridge", "low"), "`--ridge low` is no number"),
        (("--ridge", "-1"), "`ridge` is -1"),
        (("--kernel", "cubic"), "`kernel` is 'cubic'"),
        (("--width", "10"), "`width` is for networks"),
        (("--kernel-width", "0"), "`kernel_width` is 0"),
    ],
)
def test_mistakes_about_kernels_are_one_sentence(solve, saved, options, words, tmp_path):
    assert words in refusal(solve("forecast", saved, "--model", "kernel", *options))
    assert names(tmp_path) == ["data.npz"]


def test_classes_of_a_regression_are_refused(solve, tmp_path):
    np.savez(tmp_path / "real.npz", inputs=np.arange(12.0).reshape(6, 2), y=np.arange(6) + 0.5)
    assert "targets have no classes" in refusal(solve("forecast", tmp_path / "real.npz", "--classes", "1,2"))


def test_a_ridge_is_refused_for_networks(solve, saved):
    assert "`ridge` is for kernel regression" in refusal(solve("forecast", saved, "--ridge", "1"))
