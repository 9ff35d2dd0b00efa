import json
import math

import jax
import numpy as np
import pytest
import xarray as xr

import solvable
from solvable.claims import Evidence, Verdict, check, check_many, load
from solvable.errors import Diverged, OutsideDomain

DESIGNED = ["paper", "claim", "effort", "seed", "error", "tolerance", "metric", "verdict", "expected", "seconds"]


def test_a_true_claim_holds_and_a_false_one_fails_as_expected(toys):
    holds, fails = check("toy2020/Decay"), check(toys.DecayAsPrinted)
    assert (holds.verdict.verdict, holds.verdict.as_expected) == ("holds", True)
    assert (fails.verdict.verdict, fails.verdict.as_expected) == ("fails", True)
    assert fails.verdict.error == pytest.approx(math.e - 1, rel=0.01)


def test_the_row_is_the_public_shape(toys):
    row = check("Decay", seed=3).verdict.to_row()
    assert list(row) == [*DESIGNED, "parameters", "version", "reason"]
    assert (row["seed"], row["effort"], row["version"]) == (3, "quick", solvable.__version__)
    assert row["parameters"]["rates"] == [1.0, 0.5]
    assert Verdict.from_row(json.loads(json.dumps(row, allow_nan=False))).to_row() == row


def test_effort_and_overrides_set_parameters_in_that_order(toys):
    assert check("Decay", effort="full").verdict.parameters["records"] == 41
    assert check("Decay", effort="full", overrides={"records": 5}).verdict.parameters["records"] == 5


def test_same_seed_same_bits_other_seed_other_bits(toys):
    first, again, other = (check("Decay", seed=seed).measurement for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_claims_run_in_float64_and_the_caller_s_precision_stays(toys, monkeypatch):
    seen = []
    monkeypatch.setattr(toys.Order, "measure", lambda self, key: seen.append(jax.numpy.ones(1).dtype) or self.predict())
    with jax.enable_x64(False):
        check("Order")
        assert jax.numpy.ones(1).dtype == np.float32
    assert seen == [np.float64]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"claim": "toy2020"}, "several claims.*check_many"),
        ({"claim": "Dekay"}, "Decay"),
        ({"effort": "heroic"}, "effort"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"overrides": {"stepp": 1}}, "stepp"),
        ({"overrides": {"step": 0}}, "step"),
        ({"overrides": {"records": "many"}}, "records"),
    ],
)
def test_mistakes_are_refused(toys, arguments, match):
    with pytest.raises(OutsideDomain, match=match):
        check(**{"claim": "Decay"} | arguments)


def test_one_claim_raises_and_many_report_it(toys):
    with pytest.raises(Diverged):
        check("Explodes")
    calls = []
    evidence = check_many(["toy2020/Order", "toy2020"], report=lambda *call: calls.append(call))
    verdicts = {item.verdict.claim: item.verdict for item in evidence}
    assert list(verdicts) == ["Order", "Decay", "DecayAsPrinted", "Explodes"]
    assert [verdict.as_expected for verdict in verdicts.values()] == [True, True, True, False]
    assert verdicts["Explodes"].reason == "The loss is not finite from step 7; use a learning rate below 0.1."
    assert verdicts["Explodes"].to_row()["error"] is None
    assert calls[:2] == [(toys.Order, None), (toys.Order, verdicts["Order"])]


def test_a_bug_in_a_claim_is_named_with_its_kind(toys):
    (evidence,) = check_many(["Explodes"], overrides={"bug": True})
    assert evidence.verdict.reason == "KeyError: 'loss'"


def test_a_crash_is_not_the_failure_that_was_expected(toys, monkeypatch):
    monkeypatch.setattr(toys.DecayAsPrinted, "measure", lambda self, key: 1 / 0)
    (evidence,) = check_many(["DecayAsPrinted"])
    assert evidence.verdict.verdict == evidence.verdict.expected == "fails"
    assert not evidence.verdict.as_expected


def test_overrides_reach_the_claims_that_have_them(toys):
    decay, order = check_many(["Decay", "Order"], overrides={"records": 5, "rates": [1.0]})
    assert decay.claim == toys.Decay(records=5, rates=(1.0,))
    assert order.claim == toys.Order(rates=(1.0,))
    with pytest.raises(OutsideDomain, match=r"none of the 2 claims has a parameter `width`; .*rates, step"):
        check_many(["Decay", "Order"], overrides={"width": 5})


def test_a_refusal_deep_inside_is_the_user_s_only_if_the_user_set_something(toys, monkeypatch):
    def refuse(self):
        raise OutsideDomain("`time` is 1; no.")

    monkeypatch.setattr(toys.DecayAsPrinted, "predict", refuse)
    assert check_many(["DecayAsPrinted"])[0].verdict.reason == "`time` is 1; no."
    with pytest.raises(OutsideDomain, match="no"):
        check_many(["DecayAsPrinted"], overrides={"time": 2.0})


def test_an_interrupt_is_not_a_verdict_and_leaves_nothing(toys, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Evidence, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        check_many(["Decay"], out=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.name not in ("toys", "toy2020")] == []


@pytest.mark.parametrize("name", ["Decay", "DecayAsPrinted", "Order", "Explodes"])
def test_evidence_comes_back_equal_from_disk(toys, tmp_path, name):
    (evidence,) = check_many([name], out=tmp_path)
    directory = tmp_path / "toys" / "toy2020" / name
    assert sorted(path.name for path in directory.iterdir()) == ["evidence.nc", "figure.png", "verdict.json"]
    assert load(directory) == evidence
    assert [path.name for path in directory.parent.iterdir()] == [name]


def test_the_data_file_says_what_made_it(toys, tmp_path):
    directory = check("Decay", seed=5).save(tmp_path)
    with xr.open_datatree(directory / "evidence.nc", engine="h5netcdf") as tree:
        assert json.loads(tree.attrs["parameters"])["step"] == 0.01
        assert (tree.attrs["seed"], tree.attrs["source"]) == (5, "toy2020, Eq. 1")
        assert tree["prediction/strength"].dims == ("mode", "time")
        assert tree["measurement/time"].attrs["units"] == "1/rate"
        assert tree["prediction"].attrs["seconds"] > 0


def test_existing_evidence_is_refused_before_anything_runs_or_replaced_when_asked(toys, monkeypatch, tmp_path):
    directory = check("Decay", out=tmp_path).save(tmp_path / "other")
    with monkeypatch.context() as patch:
        patch.setattr(toys.Decay, "predict", lambda self: pytest.fail("ran"))
        for refused in (lambda: check("Decay", out=tmp_path), lambda: check_many(["toy2020"], out=tmp_path)):
            with pytest.raises(OutsideDomain, match="--overwrite"):
                refused()
    replaced = check("Decay", seed=9, out=tmp_path, overwrite=True)
    assert load(tmp_path / "toys/toy2020/Decay") == replaced != load(directory)


def test_a_failed_write_leaves_the_old_evidence(toys, monkeypatch, tmp_path):
    old = check("Decay", out=tmp_path)
    monkeypatch.setattr(Evidence, "_write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check("Decay", seed=9).save(tmp_path, overwrite=True)
    assert load(tmp_path / "toys/toy2020/Decay") == old


def test_a_place_that_cannot_hold_evidence_is_refused(toys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutsideDomain, match="no directory"):
        check("Decay", out=file)
    with pytest.raises(OutsideDomain, match=r"evidence.nc` does not exist"):
        load(tmp_path)
