"""Units of the second and third power in their weights: one grows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.axes import Axes


class BlowUpTimes(Claim):
    """Each quadratic unit blows up at a time, and with a sign of v, that its initial weights decide.

    The paper's integral assumes that v keeps its sign and S has both signs; here v may cross 0 and S be definite.
    Trained without the network's own output in the residual, which is Eq. 14, so that units really diverge.
    """

    source = Source("zhang2026", "Prop. 5, Eqs. 14 and 56", "exact")
    metric, tolerance = max_relative_error("rate", "sign"), 0.01  # measured

    indefinite: tuple[float, ...] = (1.0, 0.2, -1.0)  # eigenvalues of a teacher whose S has both signs
    definite: tuple[float, ...] = (1.0, 0.5, 0.2)  # and of one whose S is positive definite
    width: int = 48  # H, none of which feels the others
    init_scale: float = 1e-3  # epsilon
    init_seed: int = 0  # of the initial weights, which theory needs too
    learning_rate: float = 0.05
    horizon: float = 8.0  # training time, in units of 1 / epsilon

    def _start(self):
        import jax

        count = len(self.definite)
        key_first, key_second = jax.random.split(jax.random.key(self.init_seed))
        first = self.init_scale * jax.random.normal(key_first, (self.width, count), float)
        return first, self.init_scale * jax.random.normal(key_second, (self.width,), float)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        first, second = self._start()
        found = [
            theory.flows.blow_up_time(first, second, theory.flows.gaussian_correlation(jnp.diag(jnp.asarray(teacher))))
            for teacher in (self.indefinite, self.definite)
        ]
        return _blow_ups([1 / blow_up.time for blow_up in found], [blow_up.sign for blow_up in found])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        first, second = self._start()
        steps = int(self.horizon / self.init_scale / self.learning_rate)
        record = np.unique(np.geomspace(1e-3 * steps, steps, 1200).round().astype(int))
        watched = {"size": lambda unit: jnp.linalg.norm(unit.first), "second": lambda unit: unit.second[0, 0]}

        def train(u, v, moments):
            unit = networks.UnitLayer(u[None, :], v[None, None], networks.Neuron(numerics.activations.square))
            run = training.gradient_descent(
                unit, moments, learning_rate=self.learning_rate, steps=steps, record=record, observables=watched
            )
            return run.observables["size"], run.observables["second"]

        rates, signs = [], []
        for teacher in (self.indefinite, self.definite):
            moments = _teacher(teacher, 2).moments(numerics.Monomials(len(teacher), 2))
            early = tasks.Moments(moments.target_power, moments.sigma_yz, jnp.zeros_like(moments.sigma_zz))
            sizes, seconds = map(np.asarray, jax.jit(jax.vmap(train, (0, 0, None)))(first, second, early))
            times = np.array([numerics.divergence_time(self.learning_rate * record, size) for size in sizes])
            last = np.sum(np.isfinite(sizes), axis=1) - 1
            rates.append(1 / times)
            signs.append(np.where(np.isinf(times), 0, np.sign(seconds[np.arange(self.width), last])))
        return _blow_ups(rates, signs)


class FirstToGrow(Claim):
    """The unit that blows up first, by its initial weights alone, is the first to grow in the network."""

    source = Source("zhang2026", "Prop. 5, Eq. 57", "asymptotic")
    metric, tolerance = fraction_wrong("first_unit"), 0.01  # measured: no network of 24 is wrong, over ten seeds

    eigenvalues: tuple[float, ...] = (1.0, 0.2, -1.0)  # of the teacher; S has both signs
    width: int = 50  # H
    networks: int = 24  # networks with weights of their own
    init_scale: float = 1e-3  # epsilon
    init_seed: int = 0  # of the initial weights, which theory needs too
    large: float = 0.5  # norm of a unit at which it is the first

    def _start(self):
        import jax

        keys = jax.random.split(jax.random.key(self.init_seed), self.networks)
        return jax.vmap(lambda key: self.init_scale * jax.random.normal(key, (self.width, 4), float))(keys)
