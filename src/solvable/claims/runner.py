"""Running claims: both witnesses in float64, timed, compared, judged and, when asked, kept on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import solvable
from solvable.claims.base import Claim
from solvable.claims.catalogue import find
from solvable.claims.evidence import Evidence, Verdict, destination
from solvable.claims.metrics import Comparison
from solvable.errors import Diverged, OutsideDomain, check_choice, check_count
from solvable.report.publish import check_destination

if TYPE_CHECKING:
    import xarray as xr

Effort = Literal["quick", "full"]
Report = Callable[[type[Claim], Verdict | None], None]


def check(
    claim: type[Claim] | str,
    *,
    effort: Effort = "quick",
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Evidence:
    """Run one claim: what theory says, what is measured, and whether they agree.

    Parameters
    ----------
    claim
        A claim class, or its key: ``paper/Claim`` or a unique class name.
    effort
        ``"quick"`` for the default parameters, ``"full"`` for those of the claim's ``full``.
    seed
        Of the one random key that ``measure`` receives. Everything runs in float64.
    overrides
        Parameters by name, on top of the effort's.
    out
        Directory to keep the evidence in (as ``area/paper/Claim``); nothing is written without it.
    overwrite
        Replace evidence that is already there.

    Returns
    -------
    Evidence
        Both data sets and the verdict.

    Raises
    ------
    OutsideDomain
        An unknown key or parameter, a key of several claims, a value without meaning, or existing evidence.
    Diverged
        Training left the finite numbers.

    References
    ----------
    The claim's ``source``.
    """
    chosen, *others = find(claim) if isinstance(claim, str) else (claim,)
    if others:
        names = ", ".join(found.key for found in (chosen, *others))
        raise OutsideDomain(f"`{claim}` names several claims; check one of {names}, or all of them with `check_many`.")
    _check_run((chosen,), effort, seed, out, overwrite)
    evidence = _run(_prepare(chosen, effort, overrides or {}), effort, seed)
    if out is not None:
        evidence.save(out, overwrite=overwrite)
    return evidence


def check_many(
    claims: Iterable[type[Claim] | str],
    *,
    effort: Effort = "quick",
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> tuple[Evidence, ...]:
    """Run claims one after the other; one that raises is a claim that fails, with the reason in its verdict.

    Parameters
    ----------
    claims
        Classes or keys; a paper's key stands for all of its claims. Each runs once.
    overrides
        Each applies to the claims that have the parameter.
    report
        Called with the claim and None before it runs, and with the claim and its verdict after.
    effort, seed, out, overwrite
        As for ``check``.

    Returns
    -------
    tuple of Evidence
        In the order of the keys.

    Raises
    ------
    OutsideDomain
        A user's mistake, found before anything runs wherever it can be.

    References
    ----------
    Each claim's ``source``.
    """
    named = [found for entry in claims for found in (find(entry) if isinstance(entry, str) else (entry,))]
    classes, overrides = tuple(dict.fromkeys(named)), overrides or {}
    _check_run(classes, effort, seed, out, overwrite)
    _check_overrides(classes, overrides)
    ready = [_prepare(found, effort, _applying(found, overrides)) for found in classes]
    produced = []
    for claim in ready:
        if report:
            report(type(claim), None)
        produced.append(_run_safely(claim, effort, seed, strict=bool(_applying(type(claim), overrides))))
        if out is not None:
            produced[-1].save(out, overwrite=overwrite)
        if report:
            report(type(claim), produced[-1].verdict)
    return tuple(produced)


def _check_run(classes: Iterable[type[Claim]], effort: str, seed: int, out: str | Path | None, overwrite: bool) -> None:
    check_choice("effort", effort, ("quick", "full"))
    check_count("seed", seed, at_least=0)
    if seed >= 2**32:
        raise OutsideDomain(f"`seed` is {seed}; it must be below 2**32 = {2**32}.")
    if out is not None:
        for claim in classes:
            check_destination(destination(claim, out), overwrite)


def _check_overrides(classes: tuple[type[Claim], ...], overrides: Mapping[str, Any]) -> None:
    known = dict.fromkeys(name for claim in classes for name in claim.parameters)
    for name in overrides:
        if name not in known:
            chosen = classes[0].key if len(classes) == 1 else f"none of the {len(classes)} claims"
            verb = "has no" if len(classes) == 1 else "has a"
            raise OutsideDomain(
                f"{chosen} {verb} parameter `{name}`; the parameters are: {', '.join(known) or 'none'}."
            )


def _applying(claim: type[Claim], overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if name in claim.parameters}


def _prepare(claim: type[Claim], effort: str, overrides: Mapping[str, Any]) -> Claim:
    return claim.of({**(claim.full if effort == "full" else {}), **overrides})


def _run(claim: Claim, effort: str, seed: int) -> Evidence:
    import jax

    # A context manager, so that the caller's JAX keeps its own precision.
    with jax.enable_x64(True):
        prediction = _timed(claim.predict)
        measurement = _timed(lambda: claim.measure(jax.random.key(seed)))
    return _judge(claim, effort, seed, prediction, measurement, claim.metric.compare(prediction, measurement))


def _run_safely(claim: Claim, effort: str, seed: int, strict: bool) -> Evidence:
    """As ``_run``, but an exception is a verdict; when ``strict``, what the user set may be what is refused."""
    import xarray as xr

    try:
        return _run(claim, effort, seed)
    except Exception as error:
        if strict and isinstance(error, OutsideDomain):
            raise
        own = isinstance(error, OutsideDomain | Diverged)
        reason = str(error) if own else f"{type(error).__name__}: {error}"
        nothing = xr.Dataset(attrs={"seconds": 0.0})
        return _judge(claim, effort, seed, nothing, nothing, Comparison(float("inf"), reason))


def _timed(produce: Callable[[], xr.Dataset]) -> xr.Dataset:
    start = time.perf_counter()
    observed = produce()
    return observed.assign_attrs(seconds=time.perf_counter() - start)


def _judge(
    claim: Claim, effort: str, seed: int, prediction: xr.Dataset, measurement: xr.Dataset, comparison: Comparison
) -> Evidence:
    verdict = Verdict(
        paper=claim.source.paper,
        claim=type(claim).__name__,
        effort=effort,
        seed=seed,
        error=comparison.error,
        tolerance=claim.tolerance,
        metric=claim.metric.name,
        verdict="holds" if comparison.error <= claim.tolerance else "fails",
        expected=claim.expected,
        seconds=prediction.attrs["seconds"] + measurement.attrs["seconds"],
        parameters=json.loads(claim.to_json()),
        version=solvable.__version__,
        reason=comparison.reason,
    )
    return Evidence(claim, prediction, measurement, verdict)
