"""Skills: the exact losses against plain sums, the power laws against the exact losses, limits and refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import zeta

from solvable import theory
from solvable.errors import OutsideDomain

linear = theory.linear


def _frequencies(exponent, total):
    places = np.arange(1, total + 1.0) ** -(exponent + 1)
    return places / places.sum()


def _brute(time, frequencies, held, target, start):
    strength = target / (1 + (target / start - 1) * np.exp(-2 * frequencies * abs(target) * time))
    strength[held:] = 0
    return np.sum(frequencies * (target - strength) ** 2) / 2


@pytest.mark.parametrize("exponent", [0.15, 1.7])
def test_losses_are_plain_sums_over_skills(exponent):
    """Few skills, and more than are summed one by one, at every stage of learning; from above the target too."""
    for total, held in ((40, 17), (5000, 5000), (5000, 2300)):
        frequencies = _frequencies(exponent, total)
        times = [0.0, 3.0, 200.0, 1e5, 1e8]
        expected = [_brute(time, frequencies, held, -2.0, -0.01) for time in times]
        found = linear.skill_loss(jnp.array(times), exponent, -2.0, -0.01, held=held, total=total)
        assert np.allclose(found, expected, rtol=3e-7, atol=1e-14)
    above = linear.skill_loss(jnp.array(50.0), exponent, 1.0, 3.0, total=5000)
    assert float(above) == pytest.approx(_brute(50.0, _frequencies(exponent, 5000), 5000, 1.0, 3.0), rel=3e-7)
    sizes = np.array([0, 1, 30, 7000])
    frequencies = _frequencies(exponent, 9000)
    left = np.array([frequencies[size:].sum() / 2 for size in sizes])
    assert np.allclose(linear.unheld_loss(jnp.asarray(sizes, float), exponent, total=9000.0), left, rtol=1e-9)
    counts = np.array([0, 1, 100, 1e6])
    unseen = np.array([np.sum(frequencies * (1 - frequencies) ** count) / 2 for count in counts])
    assert np.allclose(linear.unseen_loss(jnp.asarray(counts), exponent, total=9000.0), unseen, rtol=3e-7, atol=1e-14)


def test_a_single_skill_a_start_of_nothing_and_a_start_at_the_target():
    at = jnp.array([0.0, 5.0])
    assert np.allclose(linear.unseen_loss(at, 0.5, total=1), [0.5, 0])
    assert np.allclose(linear.skill_loss(at, 0.5, start=0.0), 0.5)
    assert np.allclose(linear.skill_loss(at, 0.5, start=1.0), 0.0, atol=1e-15)
    alone = [_brute(time, np.ones(1), 1, 1.0, 0.01) for time in (0.0, 5.0)]
    assert np.allclose(linear.skill_loss(at, 0.5, total=1), alone)
    assert np.allclose(linear.skill_loss(at, 0.5, held=0.0), 0.5)


@pytest.mark.parametrize("exponent", [0.3, 0.6, 1.0])
def test_power_laws_are_the_limits_of_the_exact_losses(exponent):
    far = jnp.array([1e6, 1e8])
    share = lambda exact, law: np.abs(np.asarray(exact / law(far)) - 1)  # noqa: E731
    assert np.all(share(linear.skill_loss(far, exponent), linear.time_law(exponent)) < 1e-6)
    data = share(linear.unseen_loss(far, exponent), linear.data_law(exponent))
    assert data[1] < 1e-6
    assert data[1] < data[0]
    assert np.all(share(linear.unheld_loss(far, exponent), linear.size_law(exponent)) < exponent / 2e6 * 1.01)
    assert linear.time_law(exponent).exponent == pytest.approx(-exponent / (exponent + 1))


def test_the_best_size_for_a_compute():
    """The printed values of alpha = 0.6, and the law with its prefactor ever closer as compute grows."""
    compute = jnp.array([1e4, 1e5, 1e6, 1e7])
    best = jax.jit(lambda at: linear.compute_optimum(at, 0.6))(compute)
    assert np.allclose(best.loss, [0.063149, 0.037247, 0.021923, 0.012893], rtol=5e-5)
    assert np.array_equal(best.num_skills, [20, 49, 120, 292])
    slopes = np.diff(np.log(best.loss)) / math.log(10)
    assert np.allclose(slopes, -0.6 / 2.6, atol=2e-3)
    gaps = np.abs(np.asarray(linear.compute_law(0.6)(compute) / best.loss) - 1)
    assert np.all(np.diff(gaps) < 0)
    assert gaps[-1] < 5e-4
    assert np.allclose(linear.optimal_size_law(0.6)(compute), best.num_skills, rtol=0.03)
    beside = [linear.skill_loss(compute / size, 0.6, held=size) for size in (best.num_skills - 1, best.num_skills + 1)]
    assert np.all(np.minimum(*beside) >= best.loss)


def test_the_half_time_has_the_logarithm_of_one_less():
    frequencies = jnp.array([0.5, 0.1, 0.0])
    half = linear.emergence_time(frequencies, 2.0, 0.5)
    assert float(half[0]) == pytest.approx(math.log(3) / 2)
    assert float(half[1] / half[0]) == pytest.approx(5)
    assert math.isinf(float(half[2]))
    start, goal = jnp.array(0.5), jnp.array(2.0)
    assert np.allclose(linear.skill_strength(half[:2], frequencies[:2], goal, start), 1.0)
    ninety = linear.emergence_time(frequencies[:2], -2.0, -0.5, share=0.9)
    assert np.allclose(linear.skill_strength(ninety, frequencies[:2], -goal, -start), -1.8)
    assert np.allclose(linear.skill_strength(half[:2], jnp.zeros(2), goal, start), 0.5)


def test_single_precision_is_kept():
    single = lambda value: jnp.asarray(value, jnp.float32)  # noqa: E731
    times = single([10.0, 1e4])
    for value in (
        linear.skill_loss(times, 0.6),
        linear.unseen_loss(times, 0.6),
        linear.unheld_loss(times, 0.6),
        linear.time_law(0.6)(times),
        linear.emergence_time(times, single(1.0), single(0.1)),
    ):
        assert value.dtype == jnp.float32
    assert np.allclose(linear.skill_loss(times, 0.6), linear.skill_loss(times.astype(jnp.float64), 0.6), rtol=1e-5)


def test_laws_run_inside_jit():
    loss = jax.jit(lambda times: linear.skill_loss(times, 0.6))(jnp.array([1.0, 2.0]))
    assert np.allclose(loss, linear.skill_loss(jnp.array([1.0, 2.0]), 0.6))


def test_requests_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`exponent` is 0"):
        linear.time_law(0.0)
    with pytest.raises(OutsideDomain, match=r"`start` is 1\.5"):
        linear.compute_law(0.6, 1.0, 1.5)
    with pytest.raises(OutsideDomain, match="`share` is 1"):
        linear.emergence_time(jnp.ones(1), 1.0, 0.1, share=1.0)
    with pytest.raises(OutsideDomain, match="one sign"):
        linear.skill_loss(jnp.ones(1), 0.6, 1.0, -0.1)
    with pytest.raises(OutsideDomain, match="`exponent` is -1"):
        linear.unseen_loss(jnp.ones(1), -1.0)


def test_the_hurwitz_tail_is_that_of_skills_without_end():
    amplitude = 1 / zeta(1.6)
    assert float(linear.unheld_loss(jnp.array(10.0), 0.6)) == pytest.approx(amplitude * zeta(1.6, 11) / 2)
