"""What must be true of every claim in the catalogue, at quick effort: one test a claim, so that it runs once."""

import zlib

import jax
import pytest

from solvable.claims import all_claims, check, load, perturbed, read_bibliography


@pytest.mark.parametrize("claim", [pytest.param(claim, id=claim.key) for claim in all_claims()])
def test_claim(claim, tmp_path):
    check_description(claim)
    evidence = check(claim)
    check_verdict(evidence)
    check_parameters(evidence)
    check_not_vacuous(evidence)
    check_same_seed_same_bits(evidence)
    check_kept_whole(evidence, tmp_path)
    check_limit(evidence)


def check_description(claim):
    paper = claim.source.paper
    assert claim.says.endswith("."), "what it says is a sentence on the docstring's first line"
    assert claim.source.where, "the source says where"
    assert paper in read_bibliography(), f"{paper} is in papers.bib"
    assert paper in claim.__module__.split("."), f"the module or folder is named by the paper, {paper}"


def check_verdict(evidence):
    verdict = evidence.verdict
    assert verdict.as_expected, (
        f"{verdict.verdict}, expected {verdict.expected}: "
        f"{verdict.metric} is {verdict.error:.4g}, tolerance {verdict.tolerance:g}; {verdict.reason}"
    )


def check_parameters(evidence):
    claim = evidence.claim
    assert type(claim).from_json(claim.to_json()) == claim
    claim.of(claim.full)


def check_not_vacuous(evidence):
    claim = evidence.claim
    if claim.expected == "fails":
        return
    for variable in claim.metric.variables:
        for factor in (0.9, 1.1):
            error = claim.metric(perturbed(evidence.prediction, variable, factor), evidence.measurement)
            assert error > claim.tolerance, f"still holds with {factor} x {variable}: error {error:.4g}"


def check_same_seed_same_bits(evidence):
    # Of one claim in three: they all draw from the one key that they are given.
    if zlib.crc32(evidence.claim.key.encode()) % 3:
        return
    again = evidence.claim.measure(jax.random.key(0))
    assert again.equals(evidence.measurement), "the same seed gives the same bits"


def check_kept_whole(evidence, tmp_path):
    directory = evidence.save(tmp_path)
    assert load(directory) == evidence
    assert (directory / "figure.png").stat().st_size > 1000


def check_limit(evidence):
    claim = evidence.claim
    if claim.limit is None:
        return
    name, values = claim.limit

    def error(value):
        there = claim.of({name: value})
        return (evidence if there == claim else check(type(claim), overrides={name: value})).verdict.error

    first, last = error(values[0]), error(values[-1])
    assert last < first, f"the error along {name} = {values} goes from {first:.4g} to {last:.4g}"
