"""The monitor of a run: what it records, what it says, what it refuses, and that it leaves training alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from solvable.cli import app
from solvable.errors import OutsideDomain
from solvable.instruments import tangent_kernel
from solvable.watching import Monitor, describe_run, lightning_callback, read_run

INPUTS = np.random.default_rng(0).normal(size=(6, 3))


def linear(params, x):
    return params @ x


def quadratic(params, x):
    return (params * params) @ x


def watch(function, rate, steps, every=1):
    """Descent on half the mean squared error to y = x_1."""
    params, targets = jnp.full((1, 3), 0.3), INPUTS[:, :1]
    loss = lambda p: jnp.sum((jax.vmap(lambda x: function(p, x))(INPUTS) - targets) ** 2) / 12  # noqa: E731
    update = jax.jit(lambda p: (loss(p), p - rate * jax.grad(loss)(p)))
    monitor = Monitor(function, INPUTS, targets, params=params, every=every)
    for _ in range(steps):
        value, params = update(params)
        monitor.step(value, params=params)
    return monitor, params, loss


def test_a_linear_network_is_lazy_and_another_rich():
    monitor, _, _ = watch(linear, 0.3, 20)
    run = monitor.result()
    assert float(run["kernel_distance"].max()) < 1e-6
    assert describe_run(run)[1].startswith("Lazy")
    hessian = np.linalg.eigvalsh(INPUTS.T @ INPUTS / 6)
    np.testing.assert_allclose(run["sharpness"], hessian[-1], rtol=1e-3)
    rich, params, _ = watch(quadratic, 0.3, 40)
    assert describe_run(rich.result())[1].startswith("Rich")
    last = tangent_kernel(quadratic, INPUTS, params=params)
    expected = 4 * (INPUTS * np.asarray(params) ** 2) @ INPUTS.T
    np.testing.assert_allclose(last[:, :, 0, 0], expected, rtol=1e-6)


def test_sharpness_is_that_of_the_loss_where_the_residual_has_gone():
    labels = np.array([0, 1, 2, 0, 1, 2])
    monitor = Monitor(eqx.nn.Linear(3, 3, use_bias=False, key=jax.random.key(1)), INPUTS, labels, every=1)
    monitor.step(1.0)
    network = eqx.nn.Linear(3, 3, use_bias=False, key=jax.random.key(1))
    # Of a linear model the Gauss-Newton matrix of the cross entropy is its Hessian.
    loss = lambda w: -jnp.mean(jax.nn.log_softmax(INPUTS @ w.T)[np.arange(6), labels])  # noqa: E731
    hessian = jax.jit(jax.hessian(lambda flat: loss(flat.reshape(3, 3))))(network.weight.ravel())
    assert float(monitor.result()["sharpness"][-1]) == pytest.approx(float(np.linalg.eigvalsh(hessian)[-1]), rel=1e-3)


def test_a_run_is_saved_shown_and_read_back(tmp_path):
    monitor, _, _ = watch(quadratic, 0.3, 12, every=2)
    path = monitor.save(tmp_path / "deep" / "run.nc")
    run = read_run(path)
    assert list(run["step"].values) == [0, 2, 4, 6, 8, 10, 12]
    xr.testing.assert_equal(run, monitor.result())
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 0
    assert "7 looks in 12 steps" in result.output
    assert (tmp_path / "deep" / "run.png").stat().st_size > 10_000
    assert sorted(file.name for file in path.parent.iterdir()) == ["run.nc", "run.png"]


def test_divergence_is_recorded_and_stops_nothing(tmp_path):
    monitor, _, _ = watch(quadratic, 50.0, 30)
    assert any("training diverged" in sentence for sentence in describe_run(monitor.result()))
    assert CliRunner().invoke(app, ["show", str(monitor.save(tmp_path / "run.nc"))]).exit_code == 0


def test_mistakes_are_told(tmp_path):
    params = jnp.ones((2, 3))
    for settings, message in (
        ({"targets": [0, 1, 2, 0, 1, 1]}, "classes from 0 to 2"),
        ({"targets": [0.0, 1.0]}, "2 of them for 6 inputs"),
        ({"every": 0}, "`every` is 0"),
        ({"budget": -1.0}, "`budget` is -1"),
        ({"loss": "hinge"}, "`loss` is 'hinge'"),
    ):
        with pytest.raises(OutsideDomain, match=message):
            Monitor(linear, INPUTS, params=params, **settings)
    monitor = Monitor(linear, INPUTS, params=params)
    with pytest.raises(OutsideDomain, match="no step yet"):
        monitor.save(tmp_path / "run.nc")
    with pytest.raises(OutsideDomain, match="`params` is None"):
        monitor.step(0.0)
    with pytest.raises(OutsideDomain, match="There is no file"):
        read_run(tmp_path / "run.nc")
    (tmp_path / "run.nc").write_text("no run")
    with pytest.raises(OutsideDomain, match="cannot be read as netCDF"):
        read_run(tmp_path / "run.nc")


def test_pytorch_models_train_as_without_it():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def train(watched):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 20))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        inputs, labels = torch.tensor(INPUTS, dtype=torch.float32), torch.arange(6)
        monitor = Monitor(model, inputs, labels, every=2) if watched else None
        for _ in range(6):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if monitor is not None:
                monitor.step(loss)
        return model, monitor

    (watched, monitor), (alone, _) = train(True), train(False)
    assert all(
        torch.equal(a, b) for a, b in zip(watched.state_dict().values(), alone.state_dict().values(), strict=True)
    )
    assert watched.training
    run = monitor.result()
    assert list(run["step"].values) == [0, 2, 4, 6]
    assert run.attrs["outputs"] == "trace"
    assert np.isnan(run["sharpness"]).all()
    assert list(run["weight"].values) == ["0.weight", "4.weight"]


def test_lightning_is_asked_for_where_it_is_missing():
    pytest.importorskip("torch")
    try:
        import lightning  # noqa: F401
    except ImportError:
        with pytest.raises(OutsideDomain, match="Lightning is not installed"):
            lightning_callback(INPUTS)
    else:
        assert hasattr(lightning_callback(INPUTS), "on_train_batch_end")
