"""Which claims there are: found by walking the area folders beside this module, looked up by key."""

from __future__ import annotations

import difflib
import importlib
import inspect
import io
import pkgutil
import textwrap
import tokenize
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import solvable.claims
from solvable.claims.base import Claim
from solvable.errors import OutsideDomain


def all_claims() -> tuple[type[Claim], ...]:
    """Every claim, ordered by area, then paper, then as defined.

    Raises nothing of its own; a claim module that does not import raises what it raises.

    References
    ----------
    Each claim's ``source``.
    """
    found = [claim for module in _modules() for claim in vars(module).values() if _is_claim(claim, module)]
    # The sort is stable: within a paper the modules stay in order and each module's claims as defined.
    return tuple(sorted(found, key=lambda claim: (claim.area, claim.source.paper)))


def find(key: str) -> tuple[type[Claim], ...]:
    """The claims a key names: ``paper`` (all of its claims), ``paper/Claim``, or a ``Claim`` of unique name.

    Raises
    ------
    OutsideDomain
        No such key, with the nearest ones; or a bare name that several papers use.

    References
    ----------
    None.
    """
    claims = all_claims()
    matches = tuple(claim for claim in claims if key in (claim.key, claim.source.paper, claim.__name__))
    papers = {claim.source.paper for claim in matches}
    if not matches:
        known = {word for claim in claims for word in (claim.source.paper, claim.key, claim.__name__)}
        raise OutsideDomain(f"There is no claim or paper `{key}`; {nearest(key, known)}.")
    if key not in papers and len(matches) > 1:
        raise OutsideDomain(f"`{key}` names several claims; say which: {', '.join(claim.key for claim in matches)}.")
    return matches


def nearest(word: str, known: Iterable[str]) -> str:
    """The part of a refusal that helps: the nearest known words, or where to see them all. Raises nothing.

    References
    ----------
    None.
    """
    folded = {entry.lower(): entry for entry in sorted(known)}
    close = [folded[match] for match in difflib.get_close_matches(word.lower(), folded, n=3, cutoff=0.5)]
    return f"the nearest are: {', '.join(close)}" if close else "`solvable list` shows what there is"


def describe(claim: type[Claim]) -> dict[str, Any]:
    """One row of the catalogue in plain values: paper, claim, area, says, source, kind, expected, parameters.

    Raises nothing. References: none.
    """
    return {
        "paper": claim.source.paper,
        "claim": claim.__name__,
        "area": claim.area,
        "says": claim.says,
        "source": claim.source.where,
        "kind": claim.source.kind,
        "expected": claim.expected,
        "parameters": dict(claim.parameters),
    }


def comments(claim: type[Claim]) -> dict[str, str]:
    """What the comment at the end of a parameter's line says about it, by parameter.

    Raises
    ------
    OSError
        The claim's source code is not on disk.

    References
    ----------
    None.
    """
    notes = {}
    for kind in reversed([kind for kind in claim.__mro__ if issubclass(kind, Claim) and kind is not Claim]):
        source = textwrap.dedent(inspect.getsource(kind))
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = token.line.partition(":")[0].strip()
            if token.type == tokenize.COMMENT and name in claim.parameters:
                notes[name] = token.string.lstrip("# ")
    return notes


def _modules() -> Iterator[ModuleType]:
    for area in pkgutil.iter_modules(solvable.claims.__path__, "solvable.claims."):
        if area.ispkg:
            paths = importlib.import_module(area.name).__path__
            yield from (importlib.import_module(found.name) for found in pkgutil.walk_packages(paths, f"{area.name}."))


def _is_claim(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, Claim) and value.__module__ == module.__name__
