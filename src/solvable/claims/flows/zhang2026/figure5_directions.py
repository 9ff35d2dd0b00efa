"""Figure 5 A-D: three-layer networks of linear and ReLU layers, and which layers each transition recruits.

The linear networks train on the population, whose moments are exact. The convolutional ones have two outputs: of the
scalar target w.x, what the first entries of both patches add and what the second entries do, so that the best single
kernel is that of the scalar target. The paper starts from N(0, 0.005^2). There the plateaus of all but A are passed on
some seeds with the next unit under way, and initial weights are a tenth of the grown ones; the claims start five times
smaller, with larger steps, and ``--set init_scale=0.005`` shows the paper's.

The paper asks which layers recruit units at each transition of a deep network. Effective widths of the two hidden
layers, as predicted and measured here and in ``figure5_units``:

    network                                      plateau     end
    A   linear, linear                              1, 1    2, 2
    B   linear convolution, linear                  1, 1    2, 2
        the same with one output                    1, 1    2, 1
    C   ReLU, ReLU                                  1, 1    2, 2
    D   ReLU convolution, ReLU                      1, 2    2, 3
    E   linear attention, linear (one output)       1, 1    2, 1
    F   quadratic, linear                           1, 1    2, 2

A layer recruits where the new part of the map cannot be written with the units that it has. The fewer layers do, the
sooner a saddle is left (``theory.flows.escape_exponent``): those that have learned are used again first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap
from solvable.claims.flows.zhang2026 import _panels

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.networks import ConvolutionKernel, Neuron
    from solvable.tasks import Samples, TeacherNetwork


def _linear_patches(teacher: jax.Array) -> TeacherNetwork:
    import jax.numpy as jnp

    return tasks.linear_teacher(teacher, jnp.diag(jnp.array([1.0, 1.0, 2.0, 1.0])))


def _count_rays(first: jax.Array, second: jax.Array) -> jax.Array:
    """Rays, among them those that many units share, each of them weaker for it."""
    return instruments.count_rays(first, second, threshold=0.1)


def _measure(
    claim: Any,
    unit: Neuron | ConvolutionKernel,
    data: TeacherNetwork | Samples,
    key: jax.Array,
    counter: _panels.Counter,
    record: int = 1000,
) -> xr.Dataset:
    """Stages of a network of two hidden layers with the same activation."""
    return _panels.measure_deep_stages(
        claim, unit, data, key, activation=unit.activation, effective_widths=(counter, counter), record=record
    )


class DeepLinearStages(Claim):
    """A three-layer linear network rests at the best map of rank one; each stage adds a rank to every layer."""

    source = Source("zhang2026", "Fig. 5A and Eq. 17", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.001  # measured: below 2e-5 over six seeds

    width: int = 50  # H, of both hidden layers
    init_scale: float = 0.005  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 3000

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        return tasks.linear_teacher(jnp.eye(2), jnp.array([[1.0, 1.0], [1.0, 4.0]]))

    def predict(self) -> xr.Dataset:
        losses = _panels.greedy_losses(self._task().moments(numerics.Monomials(2, 1)))
        return _panels.stage_levels(*losses, effective_width=((1, 1), (2, 2)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        unit = networks.Neuron(numerics.activations.identity)
        return _measure(self, unit, self._task(), key, _panels.count_rank)

    draw = staticmethod(_panels.draw_deep_stages)


class DeepConvolutionStages(Claim):
    """A linear convolution below a linear layer passes one kernel read by one unit on its way to two of each.

    The two parts share neither a kernel nor an output, so that the second recruits in every layer too.
    """

    source = Source("zhang2026", "Fig. 5B", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.001  # measured: up to 5e-5 over six seeds

    width: int = 50  # H, of both hidden layers
    init_scale: float = 0.001  # epsilon
    learning_rate: float = 0.1  # twice the paper's
    steps: int = 10_000

    def _task(self) -> TeacherNetwork:
        return _linear_patches(tasks.split_convolution_teacher())

    def predict(self) -> xr.Dataset:
        moments = self._task().moments(numerics.Monomials(4, 1))
        return _panels.one_unit_levels(moments, (2, 2, 2), effective_width=((1, 1), (2, 2)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        unit = networks.ConvolutionKernel(numerics.activations.identity, 2, 2)
        return _measure(self, unit, self._task(), key, _panels.count_rank)

    draw = staticmethod(_panels.draw_deep_stages)


class ScalarDeepConvolutionStages(Claim):
    """Where a three-layer linear convolution has one output, the second stage recruits kernels and no unit above.

    The paper expects it and leaves it to future work. The unit above has learned by then, so that the second plateau is
    of order ln(1/epsilon) after a first one of order 1/epsilon: it is passed even from weights this small.
    """

    source = Source("zhang2026", "Appendix B.2, last paragraph", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01  # measured: up to 0.008 over twelve seeds

    width: int = 20  # H, of both hidden layers
    init_scale: float = 0.0002  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 40_000

    def _task(self) -> TeacherNetwork:
        return _linear_patches(tasks.convolution_teacher()[None, :])

    def predict(self) -> xr.Dataset:
        moments = self._task().moments(numerics.Monomials(4, 1))
        return _panels.one_unit_levels(moments, (2, 2), effective_width=((1, 1), (2, 1)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        unit = networks.ConvolutionKernel(numerics.activations.identity, 2, 2)
        return _measure(self, unit, self._task(), key, _panels.count_rank, record=4000)

    draw = staticmethod(_panels.draw_deep_stages)


class DeepReluStages(Claim):
    """A three-layer ReLU network fits the longer of two orthogonal points by one unit a layer, then the other.

    Nothing that one point has recruited serves the other: the inputs are orthogonal and the targets of opposite sign.
    So the levels are those of a two-layer network.
    """

    source = Source("zhang2026", "Fig. 5C", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.001  # measured: up to 6e-6 over sixteen seeds

    width: int = 50  # H, of both hidden layers
    init_scale: float = 0.001  # epsilon
    learning_rate: float = 0.1  # twice the paper's
    steps: int = 10_000

    def predict(self) -> xr.Dataset:
        losses = theory.flows.plateau_losses(tasks.orthogonal_pair())
        return _panels.stage_levels(*losses, effective_width=((1, 1), (2, 2)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        unit = networks.Neuron(numerics.activations.relu)
        return _measure(self, unit, tasks.orthogonal_pair(), key, _count_rays)

    draw = staticmethod(_panels.draw_deep_stages)


class DeepReluConvolutionStages(Claim):
    """A ReLU convolution below a ReLU layer uses one kernel, read by two units, before it recruits the second kernel.

    The output of the first kernel has a sign on each patch, which takes two ReLU units. The second of them grows on the
    kernel that is there, soon after the first one, so that the level is that of one kernel read by any number of units.
    Widths are ranks, since kernels of non-negative weights act as linear ones on these inputs. One network in twelve
    ends with a reader of its own for each of the last two points, which is one more than they need.
    """

    source = Source("zhang2026", "Fig. 5D", "asymptotic")
    metric, tolerance = (
        max_curve_gap("level", "effective_width"),
        0.002,
    )  # measured: up to 0.0006 over eleven of twelve seeds

    width: int = 50  # H, of both hidden layers
    init_scale: float = 0.001  # epsilon
    learning_rate: float = 0.1  # twice the paper's
    steps: int = 9000

    def predict(self) -> xr.Dataset:
        moments = _panels.linear_moments(tasks.convolution_points(split=True))
        return _panels.one_unit_levels(moments, (4, 2), effective_width=((1, 2), (2, 3)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        unit = networks.ConvolutionKernel(numerics.activations.relu, 2, 2)
        return _measure(self, unit, tasks.convolution_points(split=True), key, _panels.count_rank)

    draw = staticmethod(_panels.draw_deep_stages)
