"""What training leaves behind: observables along training time."""

import time
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from solvable.networks import Network

Computed = TypeVar("Computed")


class Trajectory(eqx.Module):
    """Observables recorded while a network trained; under ``vmap`` every array gains leading axes.

    Attributes
    ----------
    steps
        Gradient steps taken at each record, shape (record,); None for gradient flow.
    times
        Gradient-flow time at each record, ``times = learning_rate * steps``.
    observables
        ``"loss"``, the half mean squared error on all the data (or the loss that was given), and whatever else was
        asked for; records first.
    network
        The network after the last step.
    reduction
        The form of the data that was used: 'moments', 'features' or 'samples'; 'own' for a loss of one's own.
    """

    steps: Int[Array, "*batch record"] | None
    times: Float[Array, "*batch record"]
    observables: dict[str, Array]
    network: Any  # of the kind that was trained
    reduction: str = eqx.field(static=True)

    @property
    def loss(self) -> Float[Array, "*batch record"]:
        return self.observables["loss"]

    def to_dataset(self, *batch_dims: str) -> xr.Dataset:
        """Labelled data with dims ``batch_dims``, ``time``, and ``<observable>_0, ...`` for any further axes.

        Where the runs of a sweep have different times (learning rates swept), ``step`` is the dim and ``time`` a
        coordinate over all of ``batch_dims`` and ``step``.

        Parameters
        ----------
        batch_dims
            Names of the axes that ``vmap`` added, outermost first, for example ``"seed"``.

        Raises
        ------
        ValueError
            A number of names that does not match the arrays (from xarray).

        References
        ----------
        None: bookkeeping.
        """
        times, first = np.asarray(self.times), tuple([0] * len(batch_dims))
        shared = bool(np.all(times == times[first]))
        lead = (*batch_dims, "time" if shared else "step")
        arrays = {
            name: ((*lead, *(f"{name}_{axis}" for axis in range(np.ndim(values) - len(lead)))), np.asarray(values))
            for name, values in self.observables.items()
        }
        coords = {"time": ("time", times[first]) if shared else (lead, times)}
        if self.steps is not None:
            coords["step"] = (lead[-1], np.asarray(self.steps)[first])
        for dim in batch_dims:
            coords[dim] = (dim, np.arange(self.loss.shape[batch_dims.index(dim)]))
        loss = "as given" if self.reduction == "own" else "(1/2P) sum |y - f(x)|^2"
        attrs = {"reduction": self.reduction, "loss": loss, "time": "learning_rate * step"}
        return xr.Dataset(arrays, coords, attrs)


def wait(results: Computed) -> Computed:
    """Arrays, in any structure, once they are computed, waiting in short naps: a plain wait would not hear Ctrl-C."""
    while not all(leaf.is_ready() for leaf in jax.tree.leaves(results)):
        time.sleep(0.001)
    return results


def observe(network: Network, objective, observables) -> dict[str, Array]:
    """The loss and the named observables of one network."""
    return {"loss": objective(network)} | {name: jax.numpy.asarray(f(network)) for name, f in observables.items()}
