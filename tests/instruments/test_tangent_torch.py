"""Tangent kernels of PyTorch models against torch.func's Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import (
    kernel_distance,
    sketch_kernel,
    sketched_distance,
    tangent_kernel,
    tangent_kernel_product,
)

torch = pytest.importorskip("torch")
nn = torch.nn
# PyTorch's own, when derivatives forward are first taken.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _fixed_start():
    torch.manual_seed(0)


def by_jacobian(model, inputs):
    params = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    outputs = lambda params, x: torch.func.functional_call(model, params, (x[None],))[0].reshape(-1)  # noqa: E731
    jacobian = torch.func.vmap(torch.func.jacrev(outputs), (None, 0))(params, inputs)
    rows = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jacobian.values()]
    return sum(torch.einsum("map,nbp->mnab", row, row) for row in rows).detach()


class Mixed(nn.Module):
    """Layers that are known, some that are not, one that is shared, some with operations in place."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4)
        self.grouped, self.groups = nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.GroupNorm(2, 4)
        self.line, self.layer = nn.Conv1d(4, 5, 2, dilation=2), nn.LayerNorm(5)
        self.shared, self.scale = nn.Linear(5, 5), nn.Parameter(torch.tensor(1.3))
        self.frozen, self.last = nn.Linear(5, 5).requires_grad_(False), nn.Linear(5, 3)

    def forward(self, x):
        h = torch.relu_(self.norm(self.stem(x)))
        h = self.groups(self.grouped(h)) + h
        h = self.layer(self.line(h.flatten(2)).transpose(1, 2))
        h = self.shared(torch.tanh(self.shared(h)))
        return self.last(self.frozen(h).mean(1)) * self.scale


def test_it_is_that_of_the_jacobian_however_it_is_cut():
    model, inputs = Mixed().double().eval(), torch.randn(5, 2, 6, 6, dtype=torch.float64)
    expected = by_jacobian(model, inputs)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for settings in ({}, {"batch_size": 2}, {"max_bytes": 1000}):
        kernel = tangent_kernel(model, inputs, **settings)
        assert kernel.dtype == torch.float64
        torch.testing.assert_close(kernel, expected, rtol=1e-11, atol=1e-11)
    traced = tangent_kernel(model, inputs[:2], inputs[2:].numpy(), outputs="trace")
    torch.testing.assert_close(traced, torch.einsum("mnaa->mn", expected)[:2, 2:], rtol=1e-11, atol=1e-11)
    vectors = torch.randn(2, 5, 3, dtype=torch.float64)
    product = tangent_kernel_product(model, inputs, vectors)
    torch.testing.assert_close(product, torch.einsum("mnab,knb->kma", expected, vectors), rtol=1e-10, atol=1e-10)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    estimate, error = sketched_distance(sketch_kernel(model, inputs), sketch_kernel(model, inputs))
    assert (estimate, error) == (pytest.approx(0, abs=1e-15), pytest.approx(0, abs=1e-12))
    assert kernel_distance(expected, 2 * expected) == pytest.approx(0, abs=1e-15)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # of the Jacobian it is compared with
def test_a_layer_that_does_more_than_its_kind_is_differentiated_as_a_whole():
    class Standardised(nn.Conv2d):
        def forward(self, x):
            return self._conv_forward(x, self.weight / self.weight.std((1, 2, 3), keepdim=True), self.bias)

    images, last = torch.randn(4, 1, 3, 3, dtype=torch.float64), (nn.Flatten(), nn.Tanh(), nn.Linear(8, 2))
    normed = nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(9, 8)), *last)
    hooked = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), *last)
    for layer, factor in zip(hooked, (3, 2), strict=False):
        layer.register_forward_hook(lambda module, args, output, factor=factor: factor * output)
    deep = nn.Sequential(nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 2, (1, 2, 2), padding=(0, 1, 1), stride=2), *last)
    for model in (nn.Sequential(Standardised(1, 2, 2), *last), normed, hooked, deep):
        model = model.double().eval()
        torch.testing.assert_close(tangent_kernel(model, images), by_jacobian(model, images), rtol=1e-11, atol=1e-11)


class Bare(nn.Module):
    """Weights that belong to no layer; with them, or without, layers that the output does not depend on."""

    def __init__(self, layers):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(9, 2))
        self.used, self.unused = (nn.Linear(9, 9), nn.LayerNorm(9)) if layers else (nn.Identity(), nn.Identity())

    def forward(self, x):
        x = x.flatten(1)
        self.unused(x)
        return torch.tanh(self.used(x)) @ self.weights


@pytest.mark.parametrize("layers", [True, False])
def test_weights_need_no_layer_and_layers_no_use(layers):
    model, images = Bare(layers).double(), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(tangent_kernel(model, images), by_jacobian(model, images), rtol=1e-11, atol=1e-11)


def test_it_is_that_of_the_same_network_in_jax():
    model, inputs = nn.Sequential(nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 2)).double(), np.eye(3)
    weights = {name: jnp.asarray(value.numpy()) for name, value in model.state_dict().items()}

    def network(w, x):
        return w["2.weight"] @ jnp.tanh(w["0.weight"] @ x + w["0.bias"]) + w["2.bias"]

    many = np.concatenate([inputs + i for i in range(12)])
    np.testing.assert_allclose(tangent_kernel(model, many), tangent_kernel(network, many, params=weights), rtol=1e-11)


def test_layers_that_let_samples_interact_are_refused_by_name():
    images, vectors = torch.randn(4, 2, 6, 6), torch.randn(4, 3)
    for model, inputs, message in (
        (Mixed(), images, r"layer 'norm' \(BatchNorm2d\) normalises over the batch.*model.eval\(\)"),
        (nn.Sequential(nn.Linear(3, 2), nn.Dropout()), vectors, r"layer '1' \(Dropout\) draws random numbers"),
        (nn.LSTM(3, 2), vectors, "output of type tuple"),
        (nn.Linear(3, 2).requires_grad_(False), vectors, "no parameter that requires a gradient"),
    ):
        with pytest.raises(OutsideDomain, match=message):
            tangent_kernel(model, inputs)

    class Centred(nn.Linear):
        def forward(self, x):
            return super().forward(x - x.mean(0))

    with pytest.raises(OutsideDomain, match="another output for a sample alone"):
        tangent_kernel(Centred(3, 2), vectors)


def test_attention_is_differentiated_by_torch_func():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.last = nn.Embedding(11, 8), nn.Linear(8, 2)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, tokens):
            return self.last(self.block(self.table(tokens))[:, -1])

    model, tokens = Reader().double().eval(), torch.randint(0, 11, (3, 4))
    kernel = tangent_kernel(model, tokens)
    vector = torch.randn(3, 2, dtype=torch.float64)
    product = tangent_kernel_product(model, tokens, vector)
    torch.testing.assert_close(product, torch.einsum("mnab,nb->ma", kernel, vector), rtol=1e-9, atol=1e-9)
    assert jax.numpy.linalg.eigvalsh(kernel.permute(0, 2, 1, 3).reshape(6, 6).numpy())[0] > 0
