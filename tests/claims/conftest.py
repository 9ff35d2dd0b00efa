"""The toy claims join the catalogue, as one more area folder, where a test asks for them."""

from pathlib import Path

import pytest

import solvable.claims


@pytest.fixture
def toys(monkeypatch):
    folder = Path(__file__).parent / "extra_areas"
    monkeypatch.setattr(solvable.claims, "__path__", [*solvable.claims.__path__, str(folder)])
    from solvable.claims.toys import toy2020  # pyright: ignore[reportMissingImports]

    return toy2020
