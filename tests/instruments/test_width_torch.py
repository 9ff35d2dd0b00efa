"""Width reduction inside PyTorch models."""

import copy

import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import reduce_width

torch = pytest.importorskip("torch")
nn = torch.nn
ROUNDING = 1e-12


@pytest.fixture(autouse=True)
def _fixed_start():
    torch.manual_seed(0)


def tie(layer, source=0, target=1, factor=1.0):
    """Give unit ``target`` of a layer the weights of ``source`` times a factor."""
    with torch.no_grad():
        layer.weight[target] = factor * layer.weight[source]
        if layer.bias is not None:
            layer.bias[target] = factor * layer.bias[source]


def make_mlp(activation=nn.ReLU, dtype=torch.float64):
    return nn.Sequential(nn.Linear(5, 8), activation(), nn.Linear(8, 3)).to(dtype)


@pytest.mark.parametrize(
    ("activation", "factor"), [(nn.ReLU, 2.0), (nn.LeakyReLU, 0.5), (nn.Tanh, -1.0), (nn.GELU, 1.0)]
)
def test_copies_merge_and_the_model_is_left_as_it_was(activation, factor):
    model, data = make_mlp(activation), torch.randn(30, 5, dtype=torch.float64)
    tie(model[0], factor=factor)
    before = copy.deepcopy(model.state_dict())
    reduction = reduce_width(model, "0", data, ROUNDING)
    assert (reduction.width_before, reduction.width_after) == (8, 7)
    assert (reduction.model[0].out_features, reduction.model[2].in_features) == (7, 7)
    assert reduction.measured_change < 1e-12
    assert all(torch.equal(model.state_dict()[name], values) for name, values in before.items())


def test_what_is_left_can_be_trained():
    model = make_mlp(dtype=torch.float32)
    tie(model[0])
    narrow = reduce_width(model, "0", np.ones((4, 5)), 1e-5).model
    narrow(torch.randn(4, 5)).sum().backward()
    assert narrow[0].weight.grad.shape == (7, 5)
    assert narrow[0].weight.dtype == torch.float32


def test_constant_units_go_into_the_next_bias():
    model, data = make_mlp(nn.Sigmoid), torch.randn(30, 5, dtype=torch.float64)
    with torch.no_grad():
        model[0].weight[3] = 0
    reduction = reduce_width(model, "0", data, ROUNDING)
    assert reduction.width_after == 7
    assert reduction.measured_change < 1e-12


def test_linear_layers_in_a_row_reduce_to_the_rank_of_their_product():
    model = nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 3)).double()
    reduction = reduce_width(model, "0", torch.randn(30, 5), ROUNDING)
    assert reduction.width_after == 3
    assert reduction.measured_change < 1e-12


class Named(nn.Module):
    """Layers that a forward method puts together."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(), nn.Flatten()
        )
        self.fc1 = nn.Linear(4 * 36, 10)
        self.fc2 = nn.Linear(10, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.encoder(x))))


def test_blocks_by_dotted_name_and_by_two_names():
    model, data = Named().double(), torch.randn(6, 1, 8, 8)
    tie(model.encoder[0], factor=2.0)
    tie(model.encoder[2], factor=3.0)
    tie(model.fc1, factor=0.3)
    kernels = reduce_width(model, "encoder.0", data, ROUNDING)
    flattened = reduce_width(model, ("encoder.2", "fc1"), data, ROUNDING, activation="relu")
    dense = reduce_width(model, ("fc1", "fc2"), data, ROUNDING, activation=nn.ReLU())
    assert [r.width_after for r in (kernels, flattened, dense)] == [5, 3, 9]
    assert flattened.model.fc1.in_features == 3 * 36
    assert max(r.measured_change for r in (kernels, flattened, dense)) < 1e-12


@pytest.mark.parametrize(
    ("activation", "steepness"), [(nn.LeakyReLU(3.0), 3), (nn.ELU(2.0), 2), (nn.Sigmoid(), 0.25), (nn.ReLU(), 1)]
)
def test_the_bound_holds(activation, steepness):
    model = nn.Sequential(nn.Linear(5, 40), activation, nn.Linear(40, 3)).double()
    data = torch.randn(200, 5, dtype=torch.float64)
    reduction = reduce_width(model, "0", data, 0.4)
    assert reduction.width_after < 40
    with torch.no_grad():
        change = (reduction.model(data) - model(data)).norm(dim=1).max()
    norm = float(data.norm(dim=1).max())
    assert change <= reduction.bound(norm)
    assert reduction.bound(norm) == pytest.approx(steepness * np.hypot(norm, 1) * reduction.cost)


class Attending(nn.Module):
    """Self-attention."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 4, batch_first=True, **options)

    def forward(self, x):
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.attention(x, x, x, attn_mask=mask)[0]


def tie_heads(attention, source=0, target=2):
    """Give a head the scores of another one: queries turned and scaled, keys turned back."""
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    a, b = slice(3 * source, 3 * source + 3), slice(3 * target, 3 * target + 3)
    queries, keys = attention.in_proj_weight[:12], attention.in_proj_weight[12:24]
    with torch.no_grad():
        queries[b], keys[b] = 2 * turn @ queries[a], turn @ keys[a] / 2
        attention.in_proj_bias[:12][b] = 2 * turn @ attention.in_proj_bias[:12][a]


def test_heads_that_attend_alike_merge():
    model, data = Attending().double(), torch.randn(7, 5, 12, dtype=torch.float64)
    with torch.no_grad():
        model.attention.in_proj_bias.normal_()
    assert reduce_width(model, "attention", data, ROUNDING).model is model
    tie_heads(model.attention)
    reduction = reduce_width(model, "attention", data, ROUNDING)
    assert reduction.width_after == 3
    assert reduction.measured_change < 1e-12
    coarse = reduce_width(model, "attention", data, 0.9)
    assert coarse.width_after < 3
    with torch.no_grad():
        change = (coarse.model(data) - model(data)).norm(dim=2).max()
    assert change <= coarse.bound(float(data.norm(dim=(1, 2)).max()))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("batch_first", [False, True])
def test_merged_heads_work_inside_an_encoder_layer(batch_first):
    layer = nn.TransformerEncoderLayer(12, 4, 16, dropout=0.0, batch_first=batch_first).double().eval()
    tie_heads(layer.self_attn)
    reduction = reduce_width(layer, "self_attn", torch.randn(7, 5, 12), ROUNDING)
    assert reduction.width_after == 3
    assert reduction.measured_change < 1e-12
    with pytest.raises(OutsideDomain, match="key_padding_mask"):
        reduction.model(torch.randn(7, 5, 12).double(), src_key_padding_mask=torch.zeros(7, 5, dtype=torch.bool))


def between(*modules):
    return nn.Sequential(nn.Linear(5, 8), *modules, nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("model", "layer", "options", "message"),
    [
        (between(nn.BatchNorm1d(8), nn.ReLU()), "0", {}, "'1', a BatchNorm1d"),
        (between(nn.ReLU(), nn.Dropout()), "0", {}, "'2', a Dropout"),
        (between(nn.Softmax(1)), "0", {}, "'1', a Softmax"),
        (between(nn.ReLU()), "2", {}, "no Linear or Conv layer follows"),
        (between(nn.ReLU()), "7", {}, "`layer` is '7'; it must name a module of the model: 0, 1, 2"),
        (between(nn.ReLU()), "1", {}, "layer '1' is a ReLU"),
        (Named(), "fc1", {}, "name both layers"),
        (Named(), ("fc1", "fc2"), {}, "`activation` is None"),
        (Named(), ("fc1", "fc2"), {"activation": nn.Softmax(1)}, "`activation` is a Softmax"),
        (Attending(dropout=0.1), "attention", {}, "'attention' .* dropout in training"),
        (Attending(kdim=3), "attention", {}, "kdim"),
        (nn.Sequential(nn.Conv1d(4, 4, 3, groups=2), nn.ReLU(), nn.Conv1d(4, 2, 3)), "0", {}, "2 groups"),
    ],
)
def test_unsupported_modules_are_refused_by_name(model, layer, options, message):
    with pytest.raises(OutsideDomain, match=message):
        reduce_width(model, layer, torch.randn(4, 5), 0.1, **options)


def test_dropout_that_is_switched_off_lets_units_through():
    model = between(nn.ReLU(), nn.Dropout()).double().eval()
    tie(model[0])
    assert reduce_width(model, "0", torch.randn(9, 5), ROUNDING).width_after == 7
