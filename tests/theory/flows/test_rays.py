"""ReLU rays against their definition, against orthogonal data that are solved by hand, and against trained networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import make_samples, orthogonal_pair
from solvable.theory.flows import early_velocity, ray_forecast, settle_on_rays, single_ray_forecast


def trials(samples, count=256, seed=0, dtype=jnp.float64):
    keys = jax.random.split(jax.random.key(seed))
    input_dim, output_dim = samples.inputs.shape[1], samples.targets.shape[1]
    return jax.random.normal(keys[0], (count, input_dim), dtype), jax.random.normal(keys[1], (output_dim, count), dtype)


def four_points():
    """Unit orthogonal inputs, targets 1, 1, -0.6, -0.6."""
    return make_samples(jnp.eye(4), jnp.array([1.0, 1.0, -0.6, -0.6]))


def gaussian(dtype=float):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 5))
    return make_samples(jnp.asarray(inputs, dtype), jnp.asarray(inputs @ rng.normal(size=(5, 2)), dtype))


def test_the_velocity_is_minus_the_gradient_of_small_weights():
    samples = gaussian()
    first, second = trials(samples, 7)
    scale = 1e-7

    def loss(weights):
        outputs = jnp.maximum(samples.inputs @ weights[0].T, 0) @ weights[1].T
        return jnp.sum(samples.weights[:, None] * (samples.targets - outputs) ** 2) / 2

    slopes = jax.grad(loss)((scale * first, scale * second))
    for velocity, slope in zip(early_velocity(samples, first, second), slopes, strict=True):
        np.testing.assert_allclose(velocity, -slope / scale, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("samples", "rates"),
    [
        (orthogonal_pair(), [1.118034, 0.559017]),
        # Units that are off at some points of their sign stay so, and grow by the others: 1/4 and 0.15 alone.
        (four_points(), [np.sqrt(2) / 4, 0.25, 0.25, 0.6 * np.sqrt(2) / 4, 0.15, 0.15]),
    ],
    ids=["pair", "four"],
)
def test_orthogonal_data_have_the_two_rays_of_the_positive_and_the_negative_points(samples, rates):
    rays = settle_on_rays(samples, *trials(samples), log_growth=30.0)
    signs = np.sign(np.asarray(samples.targets[:, 0]))
    pull = np.asarray(samples.targets * samples.inputs) * np.asarray(samples.weights)[:, None]
    sums = {sign: np.abs(sign) * sign * pull[signs == sign].sum(0) for sign in (1.0, -1.0)}
    strong = [index for index in range(8) if rays.strength[index] > 0.01]
    assert [float(rays.rates[index]) for index in strong] == pytest.approx(sorted(rates, reverse=True), rel=1e-3)
    for sign, total in sums.items():
        fastest = next(index for index in strong if np.sign(rays.outputs[index, 0]) == sign)
        assert float(rays.rates[fastest]) == pytest.approx(np.linalg.norm(total), rel=1e-3)
        # The part of a unit off its ray, such as across the data, does not grow but is still there.
        assert float(rays.inputs[fastest] @ total) / np.linalg.norm(total) > 0.999


def test_a_ray_is_an_eigenvector_of_the_early_dynamics():
    samples = gaussian()
    rays = settle_on_rays(samples, *trials(samples), log_growth=40.0)
    velocity = early_velocity(samples, rays.inputs, rays.outputs.T)
    # The fastest ray runs along the kink of a sample, from which both sides push it back: an eigenvector on average.
    for ray, distance in ((0, 0.02), (1, 1e-6)):
        np.testing.assert_allclose(velocity[0][ray], rays.rates[ray] * rays.inputs[ray], atol=distance)
        np.testing.assert_allclose(velocity[1][:, ray], rays.rates[ray] * rays.outputs[ray], atol=distance)
    assert np.all(np.diff(rays.rates) <= 0)
    np.testing.assert_allclose(jnp.linalg.norm(rays.inputs[0]), 1 / np.sqrt(1), rtol=1e-6)


def test_a_quarter_is_the_strength_of_a_ray_that_half_of_the_units_take():
    # One input: a unit with u > 0 grows as (u + v)/2 e^{st}, c^2 on average 1/2; those with u < 0 are off and stay.
    samples = make_samples(jnp.ones((1, 1)), jnp.ones((1, 1)))
    rays = settle_on_rays(samples, *trials(samples, 4000), log_growth=20.0)
    assert float(rays.rates[0]) == pytest.approx(1.0, rel=1e-6)
    # u > 0 and, if v < -u, the unit dies: E[(u + v)^2/4; u > 0, u + v > 0] = (1/4) (3/4 + 1/(2 pi)).
    assert float(rays.strength[0]) == pytest.approx((3 / 4 + 1 / (2 * np.pi)) / 4, rel=0.08)


def test_positive_data_have_the_linear_networks_ray():
    rng = np.random.default_rng(4)
    inputs = rng.uniform(0.5, 1.0, size=(40, 4))
    targets = inputs @ rng.uniform(0.2, 1.0, size=(4, 2))
    samples = make_samples(inputs, targets)
    rays = settle_on_rays(samples, *trials(samples), log_growth=15.0)
    left, rates, right = np.linalg.svd(targets.T @ inputs / 40)
    assert float(rays.rates[0]) == pytest.approx(rates[0], rel=1e-5)
    assert abs(float(rays.inputs[0] @ right[0])) == pytest.approx(1.0, abs=1e-5)
    assert abs(float(rays.outputs[0] @ left[:, 0])) == pytest.approx(1.0, abs=1e-5)


def train(samples, width, init_scale, rate, steps, seed):
    first, second = trials(samples, width, seed)

    def loss(weights):
        outputs = jnp.maximum(samples.inputs @ weights[0].T, 0) @ weights[1].T
        return jnp.sum(samples.weights[:, None] * (samples.targets - outputs) ** 2) / 2

    def step(weights, _):
        value, slopes = jax.value_and_grad(loss)(weights)
        return jax.tree.map(lambda w, g: w - rate * g, weights, slopes), value

    start = (init_scale * first, init_scale * second)
    return np.asarray(jax.jit(lambda w: jax.lax.scan(step, w, None, length=steps)[1])(start))


def passes(loss, share):
    return int(np.argmax(np.asarray(loss) < share * loss[0]))


def test_wide_networks_escape_along_the_rays():
    network = {"width": 600, "init_scale": 1e-4, "learning_rate": 0.05, "record_steps": jnp.arange(400)}
    for samples, share in ((orthogonal_pair(), 0.75), (gaussian(), 0.75)):
        rays = settle_on_rays(samples, *trials(samples, 512), log_growth=9.2)
        forecast = ray_forecast(samples, rays, **network)
        measured = [passes(train(samples, 600, 1e-4, 0.05, 400, seed), share) for seed in (5, 6)]
        assert measured == pytest.approx([passes(forecast.loss, share)] * 2, rel=0.03)


def test_rays_that_escape_together_need_each_other():
    # Where inputs come in pairs x and -x with y and -y, r and -r grow alike, and one of them fits half of the samples.
    half = gaussian()
    samples = make_samples(jnp.concatenate([half.inputs, -half.inputs]), jnp.concatenate([half.targets, -half.targets]))
    rays = settle_on_rays(samples, *trials(samples), log_growth=9.2)
    assert float(rays.rates[1]) == pytest.approx(float(rays.rates[0]), rel=1e-3)
    assert float(rays.inputs[0] @ rays.inputs[1]) < -0.99
    network = {"width": 200, "init_scale": 1e-4, "learning_rate": 0.05, "record_steps": jnp.array([0, 1000])}
    alone, both = (forecast(samples, rays, **network).loss for forecast in (single_ray_forecast, ray_forecast))
    assert both[1] < 0.6 * alone[1]


def test_one_unit_on_the_pair_stops_at_the_plateau_and_is_as_sharp_as_its_hessian():
    samples = orthogonal_pair()
    rays = settle_on_rays(samples, *trials(samples), log_growth=14.0)
    network = {"width": 100, "init_scale": 1e-6, "learning_rate": 0.02, "record_steps": jnp.array([0, 2000])}
    forecast = single_ray_forecast(samples, rays, **network)
    assert np.asarray(forecast.loss) == pytest.approx([0.5, 0.25], abs=1e-6)
    # A balanced unit that fits -1 at x has |u| = |v| = |x|^-1/2: half of |v|^2 |x|^2 + (u . x)^2 is |x|.
    assert float(forecast.sharpness[1]) == pytest.approx(np.sqrt(5), rel=1e-4)


def test_dtype_follows_the_data():
    samples = gaussian(np.float32)
    rays = settle_on_rays(samples, *trials(samples, dtype=jnp.float32), log_growth=9.0)
    forecast = ray_forecast(samples, rays, width=10, init_scale=1e-3, learning_rate=0.05, record_steps=jnp.arange(5))
    assert rays.rates.dtype == rays.strength.dtype == forecast.loss.dtype == forecast.sharpness.dtype == jnp.float32


def test_no_pull_is_no_ray():
    samples = make_samples(jnp.eye(3), jnp.zeros(3))
    rays = settle_on_rays(samples, *trials(samples), log_growth=1.0)
    assert float(jnp.max(jnp.abs(rays.inputs))) == float(jnp.max(rays.rates)) == 0


@pytest.mark.parametrize(("name", "value"), [("width", 0), ("init_scale", -1.0), ("learning_rate", 0.0)])
def test_a_network_without_meaning_is_refused(name, value):
    samples = four_points()
    network = {"width": 5, "init_scale": 1e-3, "learning_rate": 0.1, "record_steps": jnp.arange(3)}
    rays = settle_on_rays(samples, *trials(samples), log_growth=5.0)
    with pytest.raises(OutsideDomain, match=f"`{name}` is {value}"):
        single_ray_forecast(samples, rays, **(network | {name: value}))


def test_a_growth_that_is_not_positive_is_refused():
    with pytest.raises(OutsideDomain, match="`log_growth` is -1"):
        settle_on_rays(four_points(), *trials(four_points()), log_growth=-1.0)
