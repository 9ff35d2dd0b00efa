import json
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.base import coerce
from solvable.errors import OutsideDomain

METRIC = max_relative_error("loss")
SOURCE = Source("saxe2014", "Eq. 6", "exact")


def define(name="Toy", doc="It holds.", annotations=(), **body):
    """A claim class from its parts, complete unless a part is overridden by None (then left out)."""
    parts = {
        "__doc__": doc,
        "__module__": __name__,
        "__annotations__": dict(annotations),
        "source": SOURCE,
        "metric": METRIC,
        "tolerance": 0.1,
        "predict": lambda self: observables(loss=1.0),
        "measure": lambda self, key: observables(loss=1.0),
    } | body
    return type(name, (Claim,), {part: value for part, value in parts.items() if value is not None})


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ({"doc": None}, "docstring"),
        ({"source": None}, "source"),
        ({"metric": None}, "metric"),
        ({"tolerance": None}, "tolerance"),
        ({"tolerance": 0}, "tolerance"),
        ({"predict": None}, "predict"),
        ({"measure": None}, "measure"),
        ({"expected": "maybe"}, "expected"),
        ({"expected": "fails"}, "reason"),
        ({"reason": "none needed"}, "reason"),
        ({"full": {"widht": 3}}, "widht"),
        ({"limit": ("width", (1, 2))}, "width"),
        ({"annotations": {"width": "int"}}, "`width` is None"),
        ({"annotations": {"width": "int"}, "width": []}, "width"),
        ({"annotations": {"widths": "tuple"}, "widths": ()}, "non-empty"),
        ({"annotations": {"widths": "tuple"}, "widths": (1, 0.5)}, "0.5"),
        ({"annotations": {"rate": "float"}, "rate": float("nan")}, "finite"),
        ({"annotations": {"limit": "int"}, "limit": 3}, "rename"),
        ({"annotations": {"width": "int"}, "width": 3, "full": {"width": 0.5}}, "whole number"),
    ],
)
def test_an_incomplete_claim_is_refused_in_one_sentence(body, match):
    with pytest.raises(OutsideDomain, match=match) as refusal:
        define(**body)
    assert str(refusal.value).count("\n") == 0


def test_source_kind_is_checked():
    with pytest.raises(OutsideDomain, match="conjecture"):
        Source("saxe2014", "Eq. 6", "conjecture")  # pyright: ignore[reportArgumentType]


def test_a_subclass_is_a_frozen_keyword_only_record(toys):
    claim = toys.Decay(step=0.5)
    assert (claim.says, claim.key, claim.area) == (
        "A mode with `rate` $r$ decays as exp(-r t).",
        "toy2020/Decay",
        "toys",
    )
    assert list(claim.parameters) == ["rates", "step", "records", "noise", "name"]
    assert claim == toys.Decay(step=0.5) != toys.Decay()
    assert hash(claim) == hash(toys.Decay(step=0.5))
    with pytest.raises(AttributeError):
        claim.step = 1.0
    with pytest.raises(TypeError):
        toys.Decay((1.0,))


def test_a_claim_outside_the_package_belongs_to_its_author():
    assert define().area == "own"


def test_parameters_are_checked_on_construction(toys):
    assert toys.Decay(step=1).step == 1.0
    assert toys.Decay(rates=[1, Fraction(1, 2)]).rates == (1.0, 0.5)
    assert toys.Decay(records=np.int64(3)).to_json()
    for bad in (
        {"records": 1.5},
        {"records": True},
        {"step": "fast"},
        {"step": float("inf")},
        {"name": 3},
        {"rates": 2.0},
    ):
        with pytest.raises(OutsideDomain, match=next(iter(bad))):
            toys.Decay(**bad)
    with pytest.raises(OutsideDomain, match=r"`step` is -1\.0; it must be a finite number above 0"):
        toys.Decay(step=-1.0)
    with pytest.raises(OutsideDomain, match="no parameter `stepp`; its parameters are: rates, step, records"):
        toys.Decay.of({"stepp": 1})


PLAIN = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1).map(tuple),
    st.lists(st.lists(st.integers(), min_size=1).map(tuple), min_size=1).map(tuple),
)  # fmt: skip


@given(PLAIN)
def test_parameters_round_trip_through_json(value):
    assert coerce("value", json.loads(json.dumps(value)), value) == value
    claim = define(annotations={"value": "Any"}, value=value)
    assert claim.from_json(claim().to_json()) == claim()


@given(PLAIN, PLAIN)
def test_coercion_keeps_the_default_s_type_or_refuses(value, default):
    try:
        coerced = coerce("value", value, default)
    except OutsideDomain:
        return
    assert type(coerced) is type(default)


def test_observables_are_float64_numpy_with_labels():
    data = observables(
        {"mode": ["first", "second"], "time": ("time", jnp.arange(3), {"units": "steps"})},
        strength=(("mode", "time"), jnp.ones((2, 3), jnp.float32), {"units": "1"}),
        rank=2,
    )
    assert data["strength"].dtype == data["rank"].dtype == data["time"].dtype == np.float64
    assert isinstance(data["strength"].data, np.ndarray)
    assert data["time"].attrs == {"units": "steps"}
    assert data["mode"].values.tolist() == ["first", "second"]
    with pytest.raises(ValueError, match="dim"):
        observables(strength=(("mode", "time"), jnp.ones(3)))
