"""Gradient descent is the plain loop, compiled; minibatches visit every sample once an epoch."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from solvable.errors import Diverged, OutsideDomain
from solvable.networks import AttentionHead, Neuron, initialise
from solvable.numerics import Monomials, activations
from solvable.tasks import InContextRegression, Samples, TeacherNetwork, linear_teacher, make_samples
from solvable.training import gradient_descent, sgd
from solvable.training.descent import make_record_steps

LINEAR, RELU = Neuron(activations.identity), Neuron(activations.relu)
TASK = linear_teacher(jnp.array([[1.0, 0.5], [-0.5, 1.0]]), jnp.array([[1.0, 1.0], [1.0, 4.0]]))
WEIGHTS = {"first": lambda network: network.first, "second": lambda network: network.second}


def draw_network(unit=LINEAR, *, width=4, input_shape=(2,), output_dim=2, init_scale=0.1, seed=0):
    key = jax.random.key(seed)
    return initialise(unit, key, width=width, input_shape=input_shape, output_dim=output_dim, init_scale=init_scale)


def descend_by_hand(network, samples, learning_rate, steps, activation, slope):
    """Weights at every step: numpy, chain rule by hand."""
    U, V, (X, Y) = (
        np.asarray(network.first),
        np.asarray(network.second),
        map(np.asarray, (samples.inputs, samples.targets)),
    )
    path = [(U, V)]
    for _ in range(steps):
        hidden = X @ U.T
        error = (Y - activation(hidden) @ V.T) / len(X)
        U, V = U + learning_rate * (error @ V * slope(hidden)).T @ X, V + learning_rate * error.T @ activation(hidden)
        path.append((U, V))
    return path


@pytest.mark.parametrize(
    ("unit", "activation", "slope"),
    [
        (LINEAR, lambda z: z, np.ones_like),
        (RELU, lambda z: np.maximum(z, 0), lambda z: np.heaviside(z, 0)),
        (Neuron(activations.tanh), np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    ],
    ids=["linear", "relu", "tanh"],
)
def test_gradient_descent_is_the_plain_loop_to_rounding(unit, activation, slope):
    network, samples = draw_network(unit, init_scale=0.3), TASK.sample(jax.random.key(1), 30)
    run = gradient_descent(network, samples, learning_rate=0.03, steps=40, record=41, observables=WEIGHTS)
    path = descend_by_hand(network, samples, 0.03, 40, activation, slope)
    for name, by_hand in zip(("first", "second"), zip(*path, strict=True), strict=True):
        np.testing.assert_allclose(run.observables[name], by_hand, atol=1e-13)
    losses = [np.sum((np.asarray(samples.targets) - activation(samples.inputs @ U.T) @ V.T) ** 2) / 60 for U, V in path]
    np.testing.assert_allclose(run.loss, losses, rtol=1e-11)
    np.testing.assert_array_equal(run.network.first, run.observables["first"][-1])


@pytest.mark.parametrize(
    ("unit", "task"),
    [
        (LINEAR, linear_teacher(jnp.ones((1, 4)))),
        (AttentionHead(rank=2, mean_over_context=True), InContextRegression(jnp.eye(2), 4)),
    ],
    ids=["linear", "attention"],
)
def test_the_three_reductions_give_the_same_trajectory_of_weights(unit, task):
    samples = task.sample(jax.random.key(1), 25)
    network = draw_network(unit, input_shape=task.input_shape, output_dim=1)
    runs = [
        gradient_descent(network, samples, learning_rate=0.01, steps=60, record=4, observables=WEIGHTS, reduction=form)
        for form in ("moments", "features", "samples")
    ]
    assert [run.reduction for run in runs] == ["moments", "features", "samples"]
    for name in ("first", "second", "loss"):
        for run in runs[:2]:
            np.testing.assert_allclose(run.observables[name], runs[2].observables[name], rtol=1e-9, atol=1e-11)
    assert runs[0].loss[-1] < 0.999 * runs[0].loss[0]


def test_the_population_is_reached_as_samples_grow_without_limit():
    """Training on the task is training on its exact moments."""
    network = draw_network()
    on_task, on_moments = (
        gradient_descent(network, data, learning_rate=0.02, steps=100) for data in (TASK, TASK.moments(Monomials(2, 1)))
    )
    np.testing.assert_array_equal(on_task.loss, on_moments.loss)
    on_samples = gradient_descent(network, TASK.sample(jax.random.key(1), 200_000), learning_rate=0.02, steps=100)
    np.testing.assert_allclose(on_samples.loss, on_task.loss, atol=0.02 * on_task.loss[0])


def test_linear_weights_conserve_their_imbalance_to_the_order_of_the_learning_rate():
    """U U^T - V^T V is constant for gradient flow; descent changes it by O(learning rate) in a given time."""
    network, drifts = draw_network(init_scale=0.5), []
    imbalance = {"imbalance": lambda n: n.first @ n.first.T - n.second.T @ n.second}
    for steps in (500, 1000, 2000):
        run = gradient_descent(network, TASK, learning_rate=5 / steps, steps=steps, record=2, observables=imbalance)
        drifts.append(np.max(np.abs(np.diff(run.observables["imbalance"], axis=0))))
    np.testing.assert_allclose(np.array(drifts[:-1]) / drifts[1:], 2, atol=0.1)


def test_records_are_kept_at_the_steps_asked_for():
    network, asked = draw_network(), np.array([0, 3, 4, 50, 100])
    every = gradient_descent(network, TASK, learning_rate=0.02, steps=100, record=101)
    some = gradient_descent(network, TASK, learning_rate=0.02, steps=100, record=asked)
    np.testing.assert_array_equal(every.steps, np.arange(101))
    np.testing.assert_array_equal(some.steps, asked)
    np.testing.assert_allclose(some.times, 0.02 * asked, rtol=1e-15)
    np.testing.assert_allclose(some.loss, every.loss[asked], rtol=1e-13)


def test_training_goes_on_to_the_last_step_whatever_is_recorded():
    network = draw_network()
    early = gradient_descent(network, TASK, learning_rate=0.02, steps=100, record=np.array([0, 10]))
    full = gradient_descent(network, TASK, learning_rate=0.02, steps=100, record=2)
    np.testing.assert_allclose(early.network.first, full.network.first, rtol=1e-12)


def test_evenly_spaced_records_hold_both_ends_and_no_step_twice():
    np.testing.assert_array_equal(make_record_steps(10, 3), [0, 5, 10])
    np.testing.assert_array_equal(make_record_steps(3, 200), [0, 1, 2, 3])


def test_memory_grows_with_records_not_with_steps():
    def memory(steps, record):
        train = jax.jit(lambda n: gradient_descent(n, TASK, learning_rate=0.02, steps=steps, record=record).loss)
        analysis = train.lower(draw_network()).compile().memory_analysis()
        return analysis.temp_size_in_bytes + analysis.output_size_in_bytes

    assert memory(1_000_000, 100) == memory(1_000, 100)
    assert memory(1_000_000, 1000) > memory(1_000_000, 100)


def test_keys_scales_and_learning_rates_are_swept_by_vmap():
    keys = jax.random.split(jax.random.key(0), 3)
    scales, rates = jnp.array([0.01, 0.1, 0.3]), jnp.array([0.01, 0.02, 0.03])

    def train(key, scale, rate):
        network = initialise(LINEAR, key, width=4, input_shape=(2,), output_dim=2, init_scale=scale)
        run = gradient_descent(network, TASK, learning_rate=rate, steps=100, record=3, observables=WEIGHTS)
        return run.observables, run.times

    swept, times = jax.vmap(train)(keys, scales, rates)
    for index, setting in enumerate(zip(keys, scales, rates, strict=True)):
        alone, alone_times = train(*setting)
        np.testing.assert_allclose(times[index], alone_times, rtol=1e-15)
        for name, values in alone.items():
            np.testing.assert_allclose(swept[name][index], values, rtol=1e-9, atol=1e-12)


def test_a_new_learning_rate_does_not_compile_anew():
    traces = []
    watch = {"norm": lambda network: traces.append(None) or jnp.sum(network.first**2)}
    for rate in (0.01, 0.02, 0.03):
        gradient_descent(draw_network(), TASK, learning_rate=rate, steps=10, observables=watch)
    assert len(traces) == 1


def first_step_that_is_not_finite(network, learning_rate):
    """In plain numpy, where the loss overflows or turns NaN."""
    U, V, steps = np.asarray(network.first), np.asarray(network.second), 0
    S, W = np.asarray(TASK.covariance), np.asarray(TASK.first)
    with np.errstate(all="ignore"):
        while np.isfinite(np.sum(((W - V @ U) @ S) * (W - V @ U))):
            R = (W - V @ U) @ S
            U, V, steps = U + learning_rate * V.T @ R, V + learning_rate * R @ U.T, steps + 1
    return steps


@pytest.mark.parametrize(
    ("learning_rate", "record"),
    [(0.8, 200), (0.8, 3), (0.8, np.array([100])), (3.0, 2), (3.0, np.array([0, 1, 60])), (3.0, np.array([3, 100]))],
    ids=str,
)
def test_divergence_names_its_step_however_coarse_the_records(learning_rate, record):
    network = draw_network(init_scale=0.5)
    expected = first_step_that_is_not_finite(network, learning_rate)
    assert expected < 60
    with pytest.raises(
        Diverged, match=f"step {expected}: .*`learning_rate` {learning_rate:g}; use a smaller"
    ) as caught:
        gradient_descent(network, TASK, learning_rate=learning_rate, steps=100, record=record)
    assert caught.value.step == expected


def test_divergence_stays_nan_in_a_sweep():
    train = lambda rate: gradient_descent(draw_network(), TASK, learning_rate=rate, steps=100).loss[-1]  # noqa: E731
    np.testing.assert_array_equal(jnp.isfinite(jax.vmap(train)(jnp.array([0.02, 3.0]))), [True, False])


def test_sgd_reports_divergence_too():
    with pytest.raises(Diverged, match="training diverged at step"):
        sgd(
            draw_network(),
            TASK.sample(jax.random.key(0), 8),
            key=jax.random.key(1),
            batch_size=2,
            learning_rate=3.0,
            steps=200,
        )


@pytest.mark.parametrize("unit", [LINEAR, RELU], ids=["features", "samples"])
def test_sgd_on_all_samples_at_once_is_gradient_descent(unit):
    network, samples = draw_network(unit), TASK.sample(jax.random.key(1), 16)
    settings = {"learning_rate": 0.05, "steps": 50, "observables": WEIGHTS}
    full = gradient_descent(network, samples, **settings)
    batched = sgd(network, samples, key=jax.random.key(2), batch_size=16, **settings)
    for name, values in full.observables.items():
        np.testing.assert_allclose(batched.observables[name], values, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("num_samples", "batch_size", "reduction"), [(6, 1, "features"), (6, 2, "samples"), (10, 4, "features")]
)
def test_every_epoch_visits_the_samples_once_in_a_new_order(num_samples, batch_size, reduction):
    """Sample mu is the unit vector e_mu, so that a step moves the columns of U of its samples and no others."""
    samples = make_samples(np.eye(num_samples), np.ones(num_samples))
    network = draw_network(input_shape=(num_samples,), output_dim=1)
    batches, epochs = num_samples // batch_size, 4
    run = sgd(
        network, samples, key=jax.random.key(0), batch_size=batch_size, learning_rate=0.1, steps=batches * epochs,
        record=batches * epochs + 1, observables=WEIGHTS, reduction=reduction,
    )  # fmt: skip
    moved = np.any(np.diff(run.observables["first"], axis=0) != 0, axis=1)
    assert np.all(moved.sum(axis=1) == batch_size)
    visits = moved.reshape(epochs, batches, num_samples)
    assert np.all(visits.sum(axis=1) <= 1)
    assert len(np.unique(visits, axis=0)) == epochs


def test_a_minibatch_step_is_the_gradient_of_its_samples_mean():
    """One sample a step, unit vectors: column mu of U moves by rate (y_mu - f_mu) v."""
    samples, network = make_samples(np.eye(3), np.array([1.0, 2.0, 3.0])), draw_network(input_shape=(3,), output_dim=1)
    run = sgd(
        network, samples, key=jax.random.key(0), batch_size=1, learning_rate=0.1, steps=1, record=2, observables=WEIGHTS
    )
    U, V = np.asarray(network.first), np.asarray(network.second)
    change = np.asarray(run.observables["first"][1] - run.observables["first"][0])
    (column,) = np.flatnonzero(np.any(change != 0, axis=0))
    np.testing.assert_allclose(change[:, column], 0.1 * (column + 1 - (V @ U)[0, column]) * V[0], rtol=1e-12)


def test_sgd_records_the_loss_of_all_samples_and_repeats_bit_by_bit():
    network, samples = draw_network(), TASK.sample(jax.random.key(1), 20)
    train = lambda key: sgd(  # noqa: E731
        network, samples, key=key, batch_size=4, learning_rate=0.05, steps=30, record=np.array([7, 30])
    )
    first, again, other = train(jax.random.key(0)), train(jax.random.key(0)), train(jax.random.key(1))
    np.testing.assert_array_equal(first.loss, again.loss)
    assert np.all(first.loss != other.loss)
    error = samples.targets - samples.inputs @ (first.network.second @ first.network.first).T
    np.testing.assert_allclose(first.loss[-1], np.sum(np.asarray(error) ** 2) / 40, rtol=1e-11)
    np.testing.assert_array_equal(first.steps, [7, 30])


def test_sgd_refuses_samples_that_weigh_unequally():
    samples = Samples(jnp.eye(2), jnp.ones((2, 1)), jnp.array([0.9, 0.1]))
    with pytest.raises(OutsideDomain, match="weigh"):
        sgd(draw_network(output_dim=1), samples, key=jax.random.key(0), batch_size=1, learning_rate=0.1, steps=2)


@pytest.mark.parametrize("activation", [activations.identity, activations.relu], ids=["linear", "relu"])
def test_float32_stays_float32(activation):
    cast = lambda tree: jax.tree.map(lambda a: a.astype(jnp.float32), tree)  # noqa: E731
    network, samples = cast(draw_network(Neuron(activation))), cast(TASK.sample(jax.random.key(1), 8))
    for run in (
        gradient_descent(network, samples, learning_rate=0.02, steps=10),
        sgd(network, samples, key=jax.random.key(0), batch_size=2, learning_rate=0.02, steps=10),
    ):
        assert {run.loss.dtype, run.times.dtype, run.network.first.dtype} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0; it must be a finite number above 0"),
        ({"learning_rate": -0.1}, "`learning_rate` is -0.1"),
        ({"learning_rate": float("nan")}, "`learning_rate` is nan"),
        ({"steps": 0}, "`steps` is 0; it must be a whole number of at least 1"),
        ({"record": 1}, "`record` is 1; it must be a whole number of at least 2"),
        ({"record": np.array([3, 2])}, "must hold increasing whole steps between 0 and `steps` = 10"),
        ({"record": np.array([0, 11])}, "between 0 and `steps` = 10"),
        ({"record": np.array([-1, 5])}, "between 0 and `steps` = 10"),
        ({"record": np.array([], int)}, "must hold increasing whole steps"),
        ({"record": np.array([0.5, 1.5])}, "must hold increasing whole steps"),
        ({"reduction": "moment"}, "`reduction` is 'moment'; it must be one of"),
    ],
)
def test_requests_without_meaning_are_refused(changes, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without type checks
    settings = {"learning_rate": 0.1, "steps": 10} | changes
    with pytest.raises(OutsideDomain, match=message):
        gradient_descent(draw_network(), TASK, **settings)
    with pytest.raises(OutsideDomain, match=message):
        sgd(draw_network(), TASK.sample(jax.random.key(0), 5), key=jax.random.key(1), batch_size=2, **settings)


@pytest.mark.parametrize(
    ("data", "batch_size", "message"),
    [
        (TASK.sample(jax.random.key(0), 5), 6, "`batch_size` is 6; it must be at most the 5 samples"),
        (TASK.sample(jax.random.key(0), 5), 0, "`batch_size` is 0"),
        (TASK, 2, "`data` is a TeacherNetwork; minibatches need Samples: use `task.sample`"),
        (TASK.moments(Monomials(2, 1)), 2, "`data` is a Moments; minibatches need Samples"),
    ],
)
def test_minibatches_that_cannot_be_are_refused(data, batch_size, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(OutsideDomain, match=message):
        sgd(draw_network(), data, key=jax.random.key(0), batch_size=batch_size, learning_rate=0.1, steps=3)


def test_a_task_that_does_not_suit_the_units_is_refused_in_words():
    """Sequences for attention, vectors for neurons."""
    attention = draw_network(AttentionHead(), input_shape=(2, 4), output_dim=1)
    with pytest.raises(
        OutsideDomain, match=r"has shape \(2,\); these units read inputs of shape \(token_dim, tokens\)"
    ):
        gradient_descent(attention, TASK, learning_rate=0.1, steps=3)
    sequences = InContextRegression(jnp.eye(1), 3)
    with pytest.raises(OutsideDomain, match=r"has shape \(2, 4\); these units read inputs of shape \(input_dim,\)"):
        gradient_descent(draw_network(), sequences, learning_rate=0.1, steps=3)
    wrong_size = TeacherNetwork(jnp.eye(3), jnp.ones((2, 3)), activations.identity, jnp.eye(3))
    with pytest.raises(OutsideDomain, match=r"of shape \(2, 3\); this layer has coefficients of shape \(2, 2\)"):
        gradient_descent(draw_network(), wrong_size, learning_rate=0.1, steps=3)
