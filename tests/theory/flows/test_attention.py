"""Early flow of attention heads: blow-up times and the first of many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.flows import attention_mode_time, first_escape_quantile, head_blow_up_time

RATES = jnp.array([0.6, 0.25, 0.15])


def draw_heads(seed, count=40, dim=3):
    keys = jax.random.split(jax.random.key(seed), 3)
    sizes = (dim + 1, dim + 1, dim)
    return [jax.random.normal(key, (count, size)) for key, size in zip(keys, sizes, strict=True)]


def test_aligned_balanced_head_has_the_closed_form():
    start, axis = 0.3, jnp.array([0.0, 1.0, 0.0])
    values = start * jnp.array([[0.0, 0.0, 0.0, 1.0]])
    keys = start * jnp.append(axis, jnp.zeros(1))[None, :]
    time = head_blow_up_time(values, keys, start * axis[None, :], RATES)
    assert float(time[0]) == pytest.approx(1 / (0.25 * start), rel=2e-3)


def test_blow_up_is_the_limit_of_a_small_start_of_the_full_flow():
    start = 1e-4
    full = attention_mode_time(jnp.array(0.5), jnp.array(0.5), 31, jnp.array(start), jnp.array(0.9))
    values, keys, queries = jnp.array([[0.0, start]]), jnp.array([[start, 0.0]]), jnp.array([[start]])
    early = head_blow_up_time(values, keys, queries, jnp.array([0.25]))
    assert float(early[0]) == pytest.approx(float(full), rel=3e-3)


def test_times_match_a_fine_integration():
    """Second method: SciPy's adaptive integrator on the gradient of the cubic form v^T S[k, q]."""
    from scipy.integrate import solve_ivp

    def velocity(_, head):
        values, keys, queries = np.split(head, [4, 8])
        pull = np.asarray(RATES) * queries
        mixed = values[3] * keys[:3] + keys[3] * values[:3]
        return np.concatenate(
            [keys[3] * pull, [keys[:3] @ pull], values[3] * pull, [values[:3] @ pull], np.asarray(RATES) * mixed]
        )

    far = lambda _, head: np.linalg.norm(head) - 1e6  # noqa: E731
    setattr(far, "terminal", True)  # noqa: B010
    heads = draw_heads(0)
    times = head_blow_up_time(*heads, RATES)
    for unit in range(4):
        start = np.concatenate([np.asarray(weights[unit]) for weights in heads])
        run = solve_ivp(velocity, (0, 1e4), start, events=far, rtol=1e-9, atol=1e-12)
        assert float(times[unit]) == pytest.approx(run.t[-1], rel=1e-3)


def test_time_is_inverse_to_the_size_and_to_the_rates():
    heads = draw_heads(1)
    times = head_blow_up_time(*heads, RATES)
    np.testing.assert_allclose(head_blow_up_time(*[0.1 * w for w in heads], RATES), 10 * times, rtol=1e-9)
    np.testing.assert_allclose(head_blow_up_time(*heads, 2 * RATES), times / 2, rtol=1e-9)


def test_quantile_is_that_of_the_smallest_of_many_draws():
    heads = draw_heads(2, count=8 * 1000)
    smallest = np.asarray(head_blow_up_time(*heads, RATES)).reshape(1000, 8).min(axis=1)
    for share in (0.25, 0.5):
        predicted = first_escape_quantile(RATES, width=8, share=share)
        assert np.mean(smallest < predicted) == pytest.approx(share, abs=4 * 0.5 / 1000**0.5)


def test_more_heads_escape_sooner_and_smaller_weights_later():
    times = [float(first_escape_quantile(RATES, width=width)) for width in (1, 4, 16, 64)]
    assert times == sorted(times, reverse=True)
    small = first_escape_quantile(RATES, width=4, init_scale=0.01)
    assert float(small) == pytest.approx(100 * times[1], rel=1e-12)


def test_more_nodes_change_little():
    coarse, fine = (first_escape_quantile(RATES, width=32, num_nodes=count) for count in (4096, 16384))
    assert float(coarse) == pytest.approx(float(fine), rel=0.01)


def test_keeps_float32():
    assert first_escape_quantile(RATES.astype(jnp.float32), width=4, num_nodes=256).dtype == jnp.float32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"width": 0}, "`width` is 0"), ({"share": 1.0}, "`share` is 1.0"), ({"init_scale": 0.0}, "`init_scale` is 0.0")],
)
def test_refuses_what_has_no_meaning(wrong, message):
    with pytest.raises(OutsideDomain, match=message):
        first_escape_quantile(RATES, **{"width": 4, **wrong})
