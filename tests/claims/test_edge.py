"""The edge of validity, on claims whose error is known."""

import json
import sys

import numpy as np
import pytest
import xarray as xr

from solvable import cli
from solvable.claims import all_claims, find_edge
from solvable.claims.known_edges import known_edge, read_edges
from solvable.errors import OutsideDomain
from solvable.report.edge_figure import edge_figure


def test_the_edge_of_eulers_step_is_where_its_error_is_the_tolerance(toys):
    found = find_edge(toys.Decay, "step", overrides={"noise": 0.0, "rates": (1.0,)})
    # Euler's curve is off by e^-1 - (1 - h)^(1/h), the most at t = 1, about h/(2e): 0.02 of the first value at h = 0.1.
    assert 0.02 < found.holds_until < found.fails_from < 0.5
    assert found.fails_from / found.holds_until < 2**0.3
    good, bad = (found.errors[found.values == value][0] for value in (found.holds_until, found.fails_from))
    assert good <= toys.Decay.tolerance < bad
    assert list(found.values) == sorted(found.values)


def test_where_no_larger_value_fails_smaller_ones_are_tried_and_the_end_is_told(toys):
    found = find_edge(toys.Decay, "records")
    assert np.isnan(found.fails_from)
    assert "makes it fail" in found.sentence
    assert {11, 22, 44} <= set(found.values)
    assert min(found.values) < 11


def test_a_value_that_the_claim_refuses_ends_the_search_with_its_sentence(toys, monkeypatch):
    def validate(self):
        if self.noise > 3e-4:
            raise OutsideDomain("`noise` is too large; it must be at most 3e-4.")

    monkeypatch.setattr(toys.Decay, "validate", validate)
    found = find_edge(toys.Decay, "noise")
    assert np.isnan(found.fails_from)
    assert "At 0.0004 the claim refuses: `noise` is too large" in found.sentence


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("speed", "has no parameter `speed`; its parameters are: rates, step"),
        (
            "rates",
            r"`rates` of toy2020/Decay is \(1.0, 0.5\); an edge is sought along one number: step, records, noise",
        ),
        ("name", "`name` of toy2020/Decay is 'linear'"),
    ],
)
def test_what_is_no_number_has_no_edge(toys, parameter, words):
    with pytest.raises(OutsideDomain, match=words):
        find_edge(toys.Decay, parameter)


def test_a_claim_that_fails_where_the_search_begins_has_no_edge(toys):
    with pytest.raises(OutsideDomain, match="does not hold at `time` = 1"):
        find_edge(toys.DecayAsPrinted, "time")


def test_the_edge_is_kept_whole_and_drawn(toys, tmp_path):
    found = find_edge(toys.Decay, "step", out=tmp_path)
    folder = tmp_path / "toys" / "toy2020" / "Decay" / "edge-step"
    assert sorted(path.name for path in folder.iterdir()) == ["edge.json", "edge.nc", "edge.png"]
    assert xr.load_dataset(folder / "edge.nc")["error"].values == pytest.approx(found.errors)
    assert json.loads((folder / "edge.json").read_text())["fails_from"] == found.fails_from
    (ax,) = edge_figure(found).axes
    assert ax.get_xlabel() == "step"
    with pytest.raises(OutsideDomain, match="exists already"):
        find_edge(toys.Decay, "step", out=tmp_path)


def test_auto_is_the_parameter_that_the_claim_says_it_breaks_along(toys):
    assert toys.Decay.breaks == "step"
    assert find_edge(toys.Decay, overrides={"rates": (1.0,)}).parameter == "step"
    with pytest.raises(OutsideDomain, match=r"DecayAsPrinted does not say .*; name one: time"):
        find_edge(toys.DecayAsPrinted)


def test_a_claim_must_break_along_a_number(toys):
    with pytest.raises(OutsideDomain, match="breaks as `rates` changes, which is no parameter that is one number"):
        type("Broken", (toys.Decay,), {"__doc__": "Says.\n\nBreaks as `rates` grows.", "__module__": "own"})


def test_every_measured_edge_is_up_to_date():
    claims = {claim.key: claim for claim in all_claims() if claim.breaks}
    assert read_edges().keys() == claims.keys(), "run docs/update_edges.py"
    for claim in claims.values():
        edge = known_edge(claim)
        assert edge, f"{claim.key} has changed since; run docs/update_edges.py"
        assert edge["fails_from"] is not None or edge["remark"], f"{claim.key} says that it breaks, and it does not"


def test_the_command_line_prints_the_edge(toys, monkeypatch, capsys):
    def solve(*arguments):
        monkeypatch.setattr(sys, "argv", ["solvable", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capsys.readouterr()

    status, out, _ = solve("check", "toy2020/Decay", "--edge", "step", "--json")
    assert status == 0
    assert json.loads(out)["parameter"] == "step"
    status, out, _ = solve("check", "toy2020/Decay", "--edge", "step")
    assert "it holds until" in out
    status, _, error = solve("check", "--edge", "step")
    assert status == 2
    assert "name one KEY" in error
