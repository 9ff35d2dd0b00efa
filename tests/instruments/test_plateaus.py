"""Plateaus and drops are found where they are, whatever the units, the spacing and the length."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from solvable.errors import OutsideDomain
from solvable.instruments import find_stages


def make_sigmoids(times, centres, levels, rates):
    """Loss that falls from each level to the next around the centre, at the rate."""
    falls = -np.diff(levels)
    return levels[-1] + sum(f * expit(-s * (times - c)) for f, c, s in zip(falls, centres, rates, strict=True))


def train_patch_layer(num_steps, *, rectified, seed=0, width=50, init_scale=1e-6, step=0.02):
    """Loss of the two-patch layer of Fig. 1C (linear) or E (ReLU) under gradient descent on its exact moments."""
    rng = np.random.default_rng(seed)
    first, second = init_scale * rng.normal(size=(2, width, 2))
    weight, target = np.array([[1.0, 1.0], [2.0, 1.0]]), np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(5)
    loss = np.empty(num_steps)
    for k in range(num_steps):
        on = first > 0 if rectified else np.ones_like(first)
        residual = target - second.T @ (first * on)
        loss[k] = np.sum(weight * residual**2)
        pull = weight * residual
        first, second = first + step * (second @ pull) * on, second + step * (first * on) @ pull.T
    return loss


def assert_alternating(times, stages):
    """Plateaus and drops tile the curve in order, and levels fall."""
    marks = sorted([(p.start, p.end) for p in stages.plateaus] + [(d.start, d.end) for d in stages.drops])
    assert all(start <= end for start, end in marks)
    assert all(end == start for (_, end), (start, _) in pairwise(marks))
    assert times[0] <= marks[0][0]
    assert marks[-1][1] <= times[-1]
    assert all(d.above > d.below and d.start < d.time < d.end for d in stages.drops)
    assert abs(len(stages.plateaus) - len(stages.drops)) <= 1


@given(
    gaps=st.lists(st.floats(1, 3), min_size=1, max_size=4),
    heights=st.lists(st.floats(0.2, 1), min_size=5, max_size=5),
    ends_at=st.floats(0, 1),
    log_times=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_sigmoids_are_found_where_they_are(gaps, heights, ends_at, log_times):
    centres = 100 * np.cumprod([1.0, *(10**gap for gap in gaps)])[: len(gaps) + 1]
    rates = 30 / centres
    levels = ends_at + np.cumsum([0, *heights[: len(centres)]])[::-1]
    # Linear times must resolve the first drop: fewer decades for them.
    if log_times:
        times = np.geomspace(1, 100 * centres[-1], 4000)
    else:
        centres, rates, levels = centres[:2], rates[:2], levels[:3]
        times = np.linspace(0, 2 * centres[-1], 100_000)
    spacing = np.interp(centres, times[1:], np.diff(times))
    stages = find_stages(times, make_sigmoids(times, centres, levels, rates))
    assert_alternating(times, stages)
    np.testing.assert_allclose([p.level for p in stages.plateaus], levels, atol=1e-3 * levels[0])
    assert len(stages.drops) == len(centres)
    assert np.all(np.abs([d.time for d in stages.drops] - centres) < spacing + 1e-3 / rates)
    assert all(p.start <= p.time <= p.end for p in stages.plateaus)


@pytest.mark.parametrize(("separation", "count"), [(2.0, 1), (4.0, 1), (6.5, 2), (10.0, 2), (1000.0, 2)])
def test_drops_separate_when_the_descent_slows_by_half_between_them(separation, count):
    """Two unit sigmoids: the descent midway is 2 / cosh(separation/4)^2 of a peak, below a half at 5.3."""
    times = np.arange(-20, separation + 20, 0.05)
    stages = find_stages(times, make_sigmoids(times, [0, separation], [2, 1, 0], [1, 1]))
    assert len(stages.drops) == count
    assert len(stages.plateaus) == count + 1
    if count == 2:
        assert stages.plateaus[1].time == pytest.approx(separation / 2, abs=0.06 if separation < 20 else 500)
        assert stages.plateaus[1].level == pytest.approx(1, abs=5e-3)


@given(unit=st.floats(1e-6, 1e6), scale=st.floats(1e-6, 1e6), shift=st.floats(-100, 100))
@settings(max_examples=30, deadline=None)
def test_units_of_time_and_loss_do_not_matter(unit, scale, shift):
    times = np.arange(0, 60, 0.1)
    loss = make_sigmoids(times, [15, 40], [2, 0.8, 0.1], [1.1, 0.9])
    reference, other = find_stages(times, loss), find_stages(unit * (times + shift), scale * loss)
    assert len(other.plateaus) == len(reference.plateaus) == 3
    for mine, theirs in zip(reference.plateaus, other.plateaus, strict=True):
        assert theirs.level / scale == pytest.approx(mine.level, rel=1e-6)
        assert [theirs.start / unit, theirs.end / unit] == pytest.approx(
            [mine.start + shift, mine.end + shift], abs=1e-6
        )
    for mine, theirs in zip(reference.drops, other.drops, strict=True):
        assert theirs.time / unit == pytest.approx(mine.time + shift, abs=1e-6)


@pytest.mark.parametrize(
    ("rectified", "level", "flattest"),
    [pytest.param(False, 0.404, 715, id="C"), pytest.param(True, 0.399, 760, id="E")],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_plateau_that_is_passed_not_reached(rectified, level, flattest, seed):
    """Fig. 1C and E: the rank-one saddle is at 2/5, the curve passes it at 0.404 and 0.399."""
    loss = train_patch_layer(1500, rectified=rectified, seed=seed)
    stages = find_stages(np.arange(1500), loss)
    assert_alternating(np.arange(1500), stages)
    assert [p.level for p in stages.plateaus] == pytest.approx([1, level, 0], abs=1e-3)
    middle = stages.plateaus[1]
    assert middle.time == pytest.approx(flattest, abs=40)
    slopes = -np.diff(loss)[int(middle.start) : int(middle.end)]
    assert int(middle.time) == int(middle.start) + np.argmin(slopes)
    crossings = [np.interp(-half, -loss, np.arange(1500)) for half in ((1 + middle.level) / 2, middle.level / 2)]
    assert [d.time for d in stages.drops] == pytest.approx(crossings, abs=0.01)


def test_short_plateau_between_two_steep_drops():
    """As in Fig. 1F: 1.5 to 0.6 in about twenty records, the middle level never reached."""
    times = np.arange(300)
    loss = make_sigmoids(times, [110, 130], [2, 1.086, 0.171], [0.45, 0.45])
    assert 15 < np.argmax(loss < 0.6) - np.argmax(loss < 1.5) < 26
    stages = find_stages(times, loss)
    assert [p.level for p in stages.plateaus] == pytest.approx([2, 1.086, 0.171], abs=0.01)
    assert stages.plateaus[1].time == pytest.approx(120, abs=1)
    assert [d.time for d in stages.drops] == pytest.approx([110, 130], abs=0.2)


def test_exponential_decay_starts_with_a_drop():
    times = np.linspace(0, 30, 500)
    stages = find_stages(times, 3 * np.exp(-times))
    assert len(stages.drops) == len(stages.plateaus) == 1
    assert stages.drops[0].time == pytest.approx(np.log(2), abs=0.01)
    assert stages.plateaus[0].end == 30
    assert stages.plateaus[0].level == pytest.approx(0, abs=1e-6)


def test_steady_descent_is_one_drop_without_plateaus():
    stages = find_stages(np.arange(11), np.linspace(2, 1, 11))
    assert stages.plateaus == ()
    (drop,) = stages.drops
    assert (drop.start, drop.time, drop.end) == pytest.approx((1, 5, 9))
    assert (drop.above, drop.below) == (2, 1)


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_constant_loss_is_one_plateau(level):
    stages = find_stages(np.arange(9), np.full(9, level))
    assert stages.drops == ()
    (plateau,) = stages.plateaus
    assert (plateau.start, plateau.end, plateau.level) == (0, 8, level)


def test_staircase_down_to_exactly_zero():
    stages = find_stages(np.arange(60), np.repeat([1.0, 0.5, 0.0], 20))
    assert [p.level for p in stages.plateaus] == [1, 0.5, 0]
    assert [d.time for d in stages.drops] == pytest.approx([19.5, 39.5])
    assert [p.time for p in stages.plateaus] == pytest.approx([9.5, 29.5, 49.5], abs=1)


def test_five_records_suffice():
    stages = find_stages([0, 1, 2, 3, 4], [1, 1, 0.5, 0, 0])
    assert [p.level for p in stages.plateaus] == [1, 0]
    assert stages.drops[0].time == pytest.approx(2)


def test_wiggles_below_min_drop_do_not_count():
    times = np.arange(3000)
    wiggles = 0.004 * np.sin(times / 7) + 1e-4 * np.random.default_rng(0).normal(size=3000)
    loss = np.where(times < 1000, 1, np.where(times < 2000, 0.5, 0.2)) + wiggles
    stages = find_stages(times, loss)
    assert [p.level for p in stages.plateaus] == pytest.approx([1, 0.5, 0.2], abs=0.01)


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_smoothed_away(seed):
    times = np.arange(1500)
    clean = make_sigmoids(times, [500, 1000], [1, 0.4, 0.1], [0.06, 0.05])
    loss = clean + 0.02 * np.random.default_rng(seed).normal(size=1500)
    stages = find_stages(times, loss, smoothing=61, min_drop=0.05)
    assert [p.level for p in stages.plateaus] == pytest.approx([1, 0.4, 0.1], abs=0.02)
    assert [d.time for d in stages.drops] == pytest.approx([500, 1000], abs=5)


def test_smoothing_does_not_invent_an_initial_plateau():
    stages = find_stages(np.arange(1000), np.exp(-np.arange(1000) / 100), smoothing=31)
    assert len(stages.plateaus) == len(stages.drops) == 1


def test_a_rise_of_the_loss_counts_as_flat():
    times = np.arange(200)
    loss = make_sigmoids(times, [50, 120], [2, 1, 0.2], [0.5, 0.5]) + 0.8 * np.exp(-(((times - 85) / 8.0) ** 2))
    stages = find_stages(times, loss)
    assert [p.level for p in stages.plateaus] == pytest.approx([2, 1, 0.2], abs=0.02)


@given(
    falls=st.lists(st.floats(0, 1), min_size=5, max_size=40),
    waits=st.lists(st.floats(1e-3, 1e3), min_size=41, max_size=41),
    min_drop=st.floats(1e-3, 0.3),
    contrast=st.floats(0.05, 0.95),
)
@settings(max_examples=150, deadline=None)
def test_any_curve_alternates_and_no_drop_is_too_small(falls, waits, min_drop, contrast):
    loss = 0.5 + np.cumsum([0, *falls])[::-1]
    times = np.cumsum(waits)[: loss.size]
    stages = find_stages(times, loss, min_drop=min_drop, contrast=contrast)
    assert_alternating(times, stages)
    assert all(d.above - d.below > min_drop * loss[0] * (1 - 1e-9) for d in stages.drops)


@pytest.mark.parametrize(
    ("times", "loss", "options", "message"),
    [
        (np.arange(6), np.ones(5), {}, "`times` has shape"),
        (np.ones((6, 2)), np.ones((6, 2)), {}, "`times` has shape"),
        (np.arange(4), np.ones(4), {}, "`loss` has 4 records"),
        (np.arange(6), [1, 1, np.nan, 0, 0, 0], {}, "`loss` is nan at time 2"),
        (np.arange(6), [1, 1, 1, np.inf, 0, 0], {}, "`loss` is inf at time 3"),
        ([0, 1, 3, 2, 4], np.ones(5), {}, r"`times` goes from 3.0 to 2.0"),
        (np.arange(5), [1, 1, 0, -1, 0], {}, "`loss` falls to -1"),
        (np.arange(5), np.ones(5), {"min_drop": 0.0}, "`min_drop` is 0"),
        (np.arange(5), np.ones(5), {"contrast": 1.0}, "`contrast` is 1"),
        (np.arange(5), np.ones(5), {"smoothing": -1}, "`smoothing` is -1"),
        (np.arange(5), np.ones(5), {"smoothing": 6}, "`smoothing` is 6"),
    ],
)
def test_mistakes_are_named(times, loss, options, message):
    with pytest.raises(OutsideDomain, match=message):
        find_stages(times, loss, **options)


@given(upper=st.floats(0.4, 0.8), min_drop=st.floats(0.005, 0.05))
@settings(max_examples=60, deadline=None)
def test_a_drop_of_three_times_min_drop_is_resolved_wherever_it_lies(upper, min_drop):
    times = np.linspace(0, 400, 8000)
    levels = [1, upper, upper - 3 * min_drop, 0]
    stages = find_stages(times, make_sigmoids(times, [100, 200, 300], levels, [1, 1, 1]), min_drop=min_drop)
    assert [d.time for d in stages.drops] == pytest.approx([100, 200, 300], abs=0.06)
    assert [p.level for p in stages.plateaus] == pytest.approx(levels, abs=1e-6)
