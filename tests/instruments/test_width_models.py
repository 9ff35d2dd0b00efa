"""Width reduction inside Equinox models: any pair of layers, biases, convolutions, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import reduce_width

KEY = jax.random.key(0)
ROUNDING = 1e-12


def copy_units(first, second, source=0, target=1, factor=1.0):
    """Give unit ``target`` of the first layer the weights of ``source`` times a factor."""
    first = eqx.tree_at(lambda layer: layer.weight, first, first.weight.at[target].set(factor * first.weight[source]))
    if first.bias is not None:
        first = eqx.tree_at(lambda layer: layer.bias, first, first.bias.at[target].set(factor * first.bias[source]))
    return first, second


def make_mlp(activation=jax.nn.relu, depth=2):
    return eqx.nn.MLP(3, 2, 6, depth, activation, key=KEY)


def plant(model, layer, factor):
    where = lambda m: (m.layers[layer], m.layers[layer + 1])  # noqa: E731
    return eqx.tree_at(where, model, copy_units(*where(model), factor=factor))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_copies_in_an_mlp_merge_with_their_biases(layer, factor):
    model, data = plant(make_mlp(), layer, factor), jax.random.normal(KEY, (20, 3))
    reduction = reduce_width(model, layer, data, ROUNDING)
    assert (reduction.width_before, reduction.width_after) == (6, 5)
    assert reduction.model.layers[layer].out_features == reduction.model.layers[layer + 1].in_features == 5
    assert reduction.measured_change < 1e-12
    assert model.layers[layer].weight.shape[0] == 6


def test_the_block_is_found_by_a_function_and_by_an_index_alike():
    model, data = plant(make_mlp(jnp.tanh), 0, -1.0), jax.random.normal(KEY, (20, 3))
    by_index = reduce_width(model, 0, data, ROUNDING)
    by_name = reduce_width(model, lambda m: (m.layers[0], m.layers[1]), data, ROUNDING, activation="tanh")
    assert by_index.width_after == by_name.width_after == 5
    assert eqx.tree_equal(by_index.model, by_name.model)
    layers = [model.layers[0], eqx.nn.Lambda(jnp.tanh), model.layers[1]]
    sequential = reduce_width(eqx.nn.Sequential(layers), 0, data, ROUNDING)
    assert sequential.width_after == 5
    assert sequential.measured_change < 1e-12


@pytest.mark.parametrize("activation", [jax.nn.sigmoid, jax.nn.relu, jnp.tanh])
def test_constant_units_go_into_the_next_bias(activation):
    model, data = make_mlp(activation), jax.random.normal(KEY, (20, 3))
    model = eqx.tree_at(lambda m: m.layers[0].weight, model, model.layers[0].weight.at[2].set(0))
    model = eqx.tree_at(lambda m: m.layers[0].bias, model, model.layers[0].bias.at[2].set(0.7))
    reduction = reduce_width(model, 0, data, ROUNDING)
    assert reduction.width_after == 5
    assert not reduction.unit_map[:, 2].any()
    assert reduction.measured_change < 1e-12
    assert jnp.abs(reduction.model.layers[1].bias - model.layers[1].bias).max() > 1e-3


def test_constant_units_stay_where_no_bias_takes_them():
    layers = [eqx.nn.Linear(3, 4, key=KEY), eqx.nn.Lambda(jax.nn.sigmoid), eqx.nn.Linear(4, 2, use_bias=False, key=KEY)]
    model = eqx.nn.Sequential(layers)
    model = eqx.tree_at(lambda m: m.layers[0].weight, model, model.layers[0].weight.at[2].set(0))
    assert reduce_width(model, 0, jax.random.normal(KEY, (20, 3)), ROUNDING).width_after == 4


def test_linear_units_with_biases_reduce_to_the_rank_between_the_biases():
    model, data = eqx.nn.MLP(3, 2, 6, 1, lambda z: z, key=KEY), jax.random.normal(KEY, (20, 3))
    pick = lambda m: (m.layers[0], m.layers[1])  # noqa: E731
    reduction = reduce_width(model, pick, data, ROUNDING, activation="identity")
    assert reduction.width_after == 2
    assert reduction.measured_change < 1e-12


class Net(eqx.Module):
    """Two convolutions, a flattening and a dense layer."""

    one: eqx.nn.Conv2d
    two: eqx.nn.Conv2d
    out: eqx.nn.Linear

    def __init__(self, padding=0, groups=1):
        self.one = eqx.nn.Conv2d(1, 4, 3, key=KEY)
        self.two = eqx.nn.Conv2d(4, 4, 3, padding=padding, stride=2, groups=groups, key=KEY)
        self.out = eqx.nn.Linear(4 * (2 + padding) ** 2, 2, key=KEY)

    def __call__(self, x):
        return self.out(jax.nn.relu(self.two(jax.nn.relu(self.one(x)))).ravel())


@pytest.mark.parametrize("padding", [0, 1])
def test_kernels_merge_and_constant_ones_only_where_nothing_is_padded(padding):
    model, data = Net(padding), jax.random.normal(KEY, (6, 1, 8, 8))
    model = eqx.tree_at(lambda m: (m.one, m.two), model, copy_units(model.one, model.two, factor=3.0))
    model = eqx.tree_at(lambda m: m.one.weight, model, model.one.weight.at[3].set(0))
    model = eqx.tree_at(lambda m: m.one.bias, model, jnp.abs(model.one.bias))
    model = eqx.tree_at(lambda m: m.one.bias, model, model.one.bias.at[1].set(3 * model.one.bias[0]))
    reduction = reduce_width(model, lambda m: (m.one, m.two), data, ROUNDING, activation="relu")
    assert reduction.width_after == (2 if padding == 0 else 3)
    assert reduction.measured_change < 1e-12
    flat = reduce_width(model, lambda m: (m.two, m.out), data, ROUNDING, activation="relu")
    assert flat.width_after == 4


def test_the_bound_holds_behind_a_convolution():
    model, data = Net(), jax.random.normal(KEY, (6, 1, 8, 8))
    reduction = reduce_width(model, lambda m: (m.one, m.two), data, 0.7, activation="relu")
    assert reduction.width_after < 4
    patches = [data[:, 0, i : i + 3, j : j + 3] for i in range(6) for j in range(6)]
    norm = max(float(jnp.sqrt(jnp.sum(patch**2, axis=(1, 2))).max()) for patch in patches)
    change = jax.vmap(lambda x: _second(reduction.model, x) - _second(model, x))(data)
    assert jnp.sqrt(jnp.sum(change**2, axis=1)).max() <= reduction.bound(norm)


def _second(model, x):
    return model.two(jax.nn.relu(model.one(x)))


class Arrays(eqx.Module):
    """A model that keeps its weights as arrays."""

    first: jax.Array
    second: jax.Array

    def __call__(self, x):
        return self.second @ jax.nn.relu(self.first @ x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_weight_arrays_inside_a_model(dtype):
    first = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), dtype)
    model = Arrays(jnp.concatenate([first, 2 * first]), jnp.ones((2, 8), dtype))
    reduction = reduce_width(model, lambda m: (m.first, m.second), jnp.ones((5, 3), dtype), 0.0, activation=jax.nn.relu)
    assert reduction.width_after == 4
    assert reduction.model.first.dtype == reduction.model.second.dtype == dtype
    assert reduction.measured_change < 10 * jnp.finfo(dtype).eps


@pytest.mark.parametrize(
    ("model", "layer", "options", "message"),
    [
        (make_mlp(), 2, {}, "`layer` is 2; in this MLP a layer below 2"),
        (make_mlp(), -1, {}, "`layer` is -1"),
        (make_mlp(), lambda m: m.layers[0], {"activation": "relu"}, "`layer` must return two layers"),
        (make_mlp(), lambda m: (m.layers[2], m.layers[0]), {"activation": "relu"}, "two layers in a row"),
        (plant(make_mlp(), 0, 1.0), lambda m: (m.layers[0], m.layers[2]), {"activation": "relu"}, "does not run with"),
        (make_mlp(), lambda m: (m.layers[0], m.layers[1]), {}, "`activation` is missing"),
        (Net(), 0, {}, "for a Net it must be a function"),
        (Net(groups=2), lambda m: (m.one, m.two), {"activation": "relu"}, "Conv2d with 2 groups"),
        (eqx.nn.Sequential([eqx.nn.LayerNorm(3), eqx.nn.Linear(3, 2, key=KEY)]), 0, {}, "LayerNorm"),
        (
            eqx.nn.Sequential([eqx.nn.Linear(3, 2, key=KEY), eqx.nn.Dropout(), eqx.nn.Linear(2, 2, key=KEY)]),
            0,
            {},
            "Dropout",
        ),
    ],
)
def test_mistakes_and_unsupported_layers_are_named(model, layer, options, message):
    with pytest.raises(OutsideDomain, match=message):
        reduce_width(model, layer, jnp.ones((2, 3)), 0.1, **options)
