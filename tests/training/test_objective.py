"""Three forms of one loss: the same value, the same gradient, the same curvature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from solvable.errors import OutsideDomain
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, UnitLayer, initialise
from solvable.numerics import Monomials, activations
from solvable.tasks import InContextRegression, Moments, TeacherNetwork, linear_teacher, make_samples, sample_moments
from solvable.training import FeatureLoss, MomentLoss, SampleLoss, make_objective
from solvable.training.objective import moment_loss, name_of

VECTORS = TeacherNetwork(jnp.eye(4), jnp.ones((1, 4)), activations.tanh, jnp.eye(4) + 0.3)
SEQUENCES = InContextRegression(jnp.eye(2), 3)
CASES = {
    "linear": (Neuron(activations.identity), VECTORS),
    "quadratic": (Neuron(activations.square), VECTORS),
    "convolution": (ConvolutionKernel(activations.square, 2), VECTORS),
    "attention": (AttentionHead(), SEQUENCES),
    "mean attention": (AttentionHead(merged=True, mean_over_context=True), SEQUENCES),
}
EXPANDED = ("linear", "convolution", "mean attention")
RELU = Neuron(activations.relu)


def draw(unit, task, num_samples=20):
    network = initialise(unit, jax.random.key(0), width=3, input_shape=task.input_shape, init_scale=0.5)
    return network, task.sample(jax.random.key(1), num_samples)


def mean_square(network, samples):
    """The definition, in a loop."""
    errors = [y - network(x) for x, y in zip(samples.inputs, samples.targets, strict=True)]
    return sum(np.sum(np.asarray(error) ** 2) for error in errors) / (2 * samples.num_samples)


@pytest.mark.parametrize(("unit", "task"), [CASES[name] for name in EXPANDED], ids=EXPANDED)
def test_moments_features_and_samples_give_the_same_loss_gradient_and_curvature(unit, task):
    network, samples = draw(unit, task, num_samples=8)
    flat, restore = ravel_pytree(network)
    losses = [make_objective(network, samples, form) for form in ("moments", "features", "samples")]
    assert [name_of(loss) for loss in losses] == ["moments", "features", "samples"]
    in_weights = [lambda p, f=f: f(restore(p)) for f in losses]
    expansions = jax.jit(lambda p: [(f(p), jax.grad(f)(p), jax.hessian(f)(p)) for f in in_weights])(flat)
    np.testing.assert_allclose(expansions[2][0], mean_square(network, samples), rtol=1e-12)
    for of_moments, of_features, of_samples in zip(*expansions, strict=True):
        scale = np.max(np.abs(of_samples))
        np.testing.assert_allclose(of_moments, of_samples, atol=1e-11 * scale)
        np.testing.assert_allclose(of_features, of_samples, atol=1e-11 * scale)


def test_own_derivative_rule_is_that_of_the_expanded_square():
    """Value, gradient and Hessian in A of (1/2)(E|y|^2 - 2 <A, Sigma_yz> + <A, A Sigma_zz>)."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    moments = sample_moments(make_samples(z, y), Monomials(3, 1))

    def expanded(a):
        fitted = 2 * jnp.sum(a * moments.sigma_yz) - jnp.sum(a * (a @ moments.sigma_zz))
        return (moments.target_power - fitted) / 2

    ours = lambda a: moment_loss(a, moments)  # noqa: E731
    at = jnp.array(rng.normal(size=(2, 3)))
    for transform in (lambda f: f, jax.grad, jax.jacfwd, jax.hessian, lambda f: jax.jacrev(jax.jacrev(f))):
        np.testing.assert_allclose(
            jax.jit(transform(ours))(at), jax.jit(transform(expanded))(at), rtol=1e-11, atol=1e-11
        )


def test_the_loss_is_never_negative_at_a_perfect_fit():
    moments = linear_teacher(jnp.array([[0.3, -0.7]]), jnp.array([[1.0, 0.99], [0.99, 1.0]])).moments(Monomials(2, 1))
    perturbations = 1e-9 * jax.random.normal(jax.random.key(0), (200, 1, 2))
    losses = jax.vmap(lambda change: moment_loss(jnp.array([[0.3, -0.7]]) + change, moments))(perturbations)
    assert jnp.all(losses >= 0)
    assert jnp.all(losses < 1e-15)


@pytest.mark.parametrize("form", ["moments", "features", "samples"])
def test_weights_of_the_samples_are_used(form):
    """A sample of double weight is a sample seen twice."""
    network, samples = draw(*CASES["quadratic"], num_samples=3)
    twice = make_samples(samples.inputs[jnp.array([0, 0, 1, 2])], samples.targets[jnp.array([0, 0, 1, 2])])
    weighted = type(samples)(samples.inputs, samples.targets, jnp.array([0.5, 0.25, 0.25]))
    losses = [make_objective(network, data, form)(network) for data in (twice, weighted)]
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_a_task_is_its_population():
    task = linear_teacher(jnp.array([[1.0, -1.0]]), jnp.array([[1.0, 1.0], [1.0, 4.0]]))
    network = initialise(Neuron(activations.identity), jax.random.key(0), width=3, input_shape=(2,), init_scale=0.5)
    error = np.array([[1.0, -1.0]]) - network.second @ network.first
    loss = make_objective(network, task)
    assert isinstance(loss, MomentLoss)
    np.testing.assert_allclose(loss(network), np.sum((error @ task.covariance) * error) / 2, rtol=1e-12)
    np.testing.assert_allclose(make_objective(network, loss.moments)(network), loss(network), rtol=1e-15)


def test_automatic_choice_is_the_cheapest():
    linear = Neuron(activations.identity)
    few, many = (make_samples(np.ones((count, 50)), np.ones(count)) for count in (5, 5000))
    wide = initialise(linear, jax.random.key(0), width=100, input_shape=(50,))
    assert isinstance(make_objective(wide, few), FeatureLoss)
    assert isinstance(make_objective(wide, many), MomentLoss)
    assert isinstance(make_objective(wide, many, batch_size=64), FeatureLoss)
    single = initialise(Neuron(activations.cube), jax.random.key(0), width=1, input_shape=(50,))
    assert isinstance(make_objective(single, few), SampleLoss)
    relu = UnitLayer(wide.first, wide.second, RELU)
    assert isinstance(make_objective(relu, many), SampleLoss)


@pytest.mark.parametrize("form", ["moments", "features", "samples"])
def test_float32_stays_float32(form):
    network, samples = jax.tree.map(lambda a: a.astype(jnp.float32), draw(*CASES["convolution"]))
    loss = make_objective(network, samples, form)
    value, gradient = eqx.filter_jit(eqx.filter_value_and_grad(loss.__call__))(network)
    assert {value.dtype, gradient.first.dtype, gradient.second.dtype} == {jnp.dtype(jnp.float32)}


def test_impossible_reductions_are_refused_with_what_is_possible():
    network, samples = draw(RELU, VECTORS)
    for form in ("moments", "features"):
        with pytest.raises(OutsideDomain, match=f"`reduction` is '{form}', but this layer is not a polynomial"):
            make_objective(network, samples, form)
    with pytest.raises(OutsideDomain, match="population needs a layer that is a polynomial"):
        make_objective(network, linear_teacher(jnp.eye(4)))
    linear, samples = draw(*CASES["linear"])
    with pytest.raises(OutsideDomain, match="minibatches need samples; use 'features' or 'auto'"):
        make_objective(linear, samples, "moments", batch_size=2)
    with pytest.raises(OutsideDomain, match=r"population needs.*draw samples"):
        make_objective(linear, linear_teacher(jnp.eye(4)), "features")
    moments = Moments(jnp.ones(()), jnp.ones((1, 4)), jnp.eye(4))
    with pytest.raises(OutsideDomain, match="`reduction` is 'samples', but the data are moments"):
        make_objective(linear, moments, "samples")
    with pytest.raises(OutsideDomain, match=r"of shape \(1, 4\); this layer has coefficients of shape \(1, 10\)"):
        make_objective(draw(*CASES["quadratic"])[0], moments)


@pytest.mark.parametrize(
    ("unit", "input_shape", "size"),
    [(RELU, (4,), 4), (Neuron(activations.square, bias=True), (3,), 10), (AttentionHead(softmax=True), (3, 4), 18)],
    ids=["relu", "bias", "softmax"],
)
def test_moments_for_a_layer_that_has_none_are_refused(unit, input_shape, size):
    network = initialise(unit, jax.random.key(0), width=2, input_shape=input_shape)
    with pytest.raises(OutsideDomain, match="not a polynomial of its input"):
        make_objective(network, Moments(jnp.ones(()), jnp.ones((1, size)), jnp.eye(size)))


def test_unknown_reductions_are_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without type checks
    network, samples = draw(*CASES["linear"])
    with pytest.raises(OutsideDomain, match="`reduction` is 'moment'; it must be one of 'auto', 'moments'"):
        make_objective(network, samples, "moment")
