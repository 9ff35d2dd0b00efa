"""The monitor of a training run: three lines in any loop."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr

from solvable.errors import OutsideDomain, check_choice, check_count, check_positive
from solvable.instruments import kernel_distances
from solvable.instruments.tangent.models import is_torch
from solvable.instruments.tangent.spectrum import to_numpy
from solvable.watching.observing import Look, Loss, evaluate, look_at

# Kernels with more entries than this are kept as their products with so many random vectors of signs.
_MOST_ENTRIES, _PROBES = 512**2, 64
# Between looks a run grows by at least this share, so that a long one has a few hundred of them.
_GROWTH = 0.05


class Monitor:
    """Looks at a model in training: how its tangent kernel turns, how sharp and how wide it is.

    Three lines in a loop: make it before, call ``step`` after each update, ``save`` at the end. The file opens with
    ``solvable show``.

    Parameters
    ----------
    model
        As for ``tangent_kernel``: a ``torch.nn.Module``, an Equinox module, or a function f(params, x) with
        ``params``. It is looked at once, at the start; that look also compiles what the others use.
    inputs
        Probes, samples first; the same at every look. 32 of them are enough, of any set.
    targets
        Of the probes, for the alignment: whole numbers are classes, floating-point numbers values.
    params
        Where the model is a function.
    loss
        What the sharpness is of: ``"cross-entropy"`` or ``"squared"`` (half the mean squared error); by the kind of
        targets unless given, ``"squared"`` without any.
    every
        Steps between looks, or ``"auto"``: from look to look a run grows by a twentieth, and looks after the first
        take no more than ``budget`` of its time.
    budget
        Share of the training time, above 0.

    Raises
    ------
    OutsideDomain
        What ``tangent_kernel`` refuses; targets that do not go with the outputs; a cadence that is no number.

    Notes
    -----
    The kernel is the full one, (samples, samples, outputs, outputs), up to 16 outputs; beyond, it is summed over equal
    outputs, whose distances are about ten times smaller, and there is no sharpness. Kernels of more than 512 x 512
    entries are kept as products with 64 random vectors, which leaves an error of 4% on each distance.

    References
    ----------
    zhou2025 and Fort et al. (2020), kernel distance and velocity; atanasov2021, alignment.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        targets: Any = None,
        *,
        params: Any = None,
        loss: Loss | None = None,
        every: int | Literal["auto"] = "auto",
        budget: float = 0.05,
    ):
        if every != "auto":
            check_count("every", every)
            every = int(every)
        check_positive("budget", budget)
        self._model, self._inputs, self._every, self._budget = model, inputs, every, budget
        self._parameterised = params is not None
        self._targets, kind = _read_targets(targets, model, params, inputs)
        self._loss: Loss = kind if loss is None else loss
        check_choice("loss", self._loss, ("squared", "cross-entropy"))
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._looks: list[Look] = []
        self._seen = 0
        self._last: tuple[Any, Any, Any] = (np.nan, model, params)
        self._spent = 0.0
        self._look()
        for kept in (self._steps, self._losses, self._looks):
            kept.clear()
        self._look()  # again, for its time without compilation
        self._spent, self._start = 0.0, time.perf_counter()

    def step(self, loss: Any, model: Any = None, *, params: Any = None) -> bool:
        """Note that one update is done, and look if it is time to.

        Parameters
        ----------
        loss
            Of this step; read only when the model is looked at.
        model
            As it is now, where an update makes a new one (Equinox); PyTorch models are followed by themselves.
        params
            As they are now, where the model is a function.

        Returns
        -------
        bool
            Whether it was looked at.

        Raises
        ------
        OutsideDomain
            Parameters that are left out. Numbers that are not finite are recorded as such: a monitor stops no run.
        """
        if self._parameterised and params is None:
            raise OutsideDomain("`params` is None; the model is a function, so each step needs its parameters.")
        self._seen += 1
        self._last = (loss, self._last[1] if model is None else model, params)
        due = self._is_due()
        if due:
            self._look()
        return due

    @property
    def has_steps(self) -> bool:
        """Whether any update was noted."""
        return self._seen > 0

    def result(self) -> xr.Dataset:
        """The run so far, with a last look at where it stands.

        Returns
        -------
        xr.Dataset
            By ``step``: loss, sharpness, alignment, distance from the start and from the look before, velocity; all
            pairs of kernel distances (step, other); effective width by weight.

        Raises
        ------
        OutsideDomain
            A run without a step.
        """
        if self._seen == 0:
            raise OutsideDomain("the run has no step yet; call `step(loss)` after each update.")
        if self._steps[-1] < self._seen:
            self._look()
        elapsed = time.perf_counter() - self._start
        return _to_dataset(self._steps, self._losses, self._looks, self._loss, self._spent / elapsed)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the run, whole or not at all, to a netCDF file that ``solvable show`` draws; replaces an old one.

        Raises
        ------
        OutsideDomain
            A run without a step; a path that cannot be written.
        """
        target = Path(path)
        result = self.result()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
                result.to_netcdf(Path(scratch, "run.nc"), engine="h5netcdf")
                os.replace(Path(scratch, "run.nc"), target)
        except OSError as error:
            raise OutsideDomain(f"`path` is {str(target)!r}, which cannot be written: {error.strerror}.") from error
        return target

    def _is_due(self) -> bool:
        since = self._seen - self._steps[-1]
        if isinstance(self._every, int):
            return since >= self._every
        if since < max(1, _GROWTH * self._steps[-1]):
            return False
        elapsed = time.perf_counter() - self._start - self._spent
        return self._spent + self._cost <= self._budget * elapsed

    def _look(self) -> None:
        loss, model, params = self._last
        _finish_pending(model, params)
        begin = time.perf_counter()
        try:
            look = look_at(model, params, self._inputs, self._targets, self._loss)
        except OutsideDomain:
            if not self._looks:
                raise
            first = self._looks[0]
            look = Look(np.full_like(first.kernel, np.nan), np.nan, np.nan, dict.fromkeys(first.widths, np.nan))
        self._steps.append(self._seen)
        self._losses.append(float(to_numpy(loss)))
        self._looks.append(look._replace(kernel=_condense(look.kernel)))
        self._cost = time.perf_counter() - begin
        self._spent += self._cost


def _read_targets(targets: Any, model: Any, params: Any, inputs: Any) -> tuple[np.ndarray | None, Loss]:
    """Targets by output, and the loss that goes with their kind."""
    if targets is None:
        return None, "squared"
    values = to_numpy(targets)
    if len(values) != len(inputs):
        raise OutsideDomain(
            f"`targets` holds {len(values)} of them for {len(inputs)} inputs; there must be one for each."
        )
    if not np.issubdtype(values.dtype, np.integer):
        return values.reshape(len(values), -1), "squared"
    outputs = evaluate(model, params, inputs).shape[1]
    if values.ndim != 1 or values.min() < 0 or values.max() >= outputs:
        raise OutsideDomain(
            f"`targets` holds classes from {values.min()} to {values.max()} in shape {values.shape}; a model with "
            f"{outputs} outputs has one class a sample, from 0 to {outputs - 1}."
        )
    # Centred: what all classes share is in every kernel.
    return np.eye(outputs)[values] - 1 / outputs, "cross-entropy"


def _condense(kernel: np.ndarray) -> np.ndarray:
    """The kernel up to its size, in single precision; or its products with random signs."""
    kernel = kernel / (np.abs(kernel).max() or 1.0)
    if kernel.size <= _MOST_ENTRIES:
        return kernel.astype(np.float32)
    signs = np.random.default_rng(0).choice(np.array([-1.0, 1.0], np.float32), (*kernel.shape[1::2], _PROBES))
    product = np.einsum("ijab,jbk->iak", kernel, signs, optimize=True) if kernel.ndim == 4 else kernel @ signs
    return product.astype(np.float32)


def _finish_pending(model: Any, params: Any) -> None:
    """Wait for what training has under way, whose time is its own."""
    if not is_torch(model):
        jax.block_until_ready((model, params))
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _to_dataset(steps: list[int], losses: list[float], looks: list[Look], loss: Loss, share: float) -> xr.Dataset:
    from solvable import __version__

    finite = [bool(np.all(np.isfinite(look.kernel))) for look in looks]
    distances = np.full((len(looks), len(looks)), np.nan)
    known = np.flatnonzero(finite)
    kernels = np.stack([looks[i].kernel for i in known])
    distances[np.ix_(known, known)] = np.asarray(kernel_distances(kernels), float)
    previous = np.concatenate([[np.nan], np.diagonal(distances, 1)])
    gaps = np.concatenate([[np.nan], np.diff(steps)])
    names = list(looks[0].widths)
    widths = [[look.widths[name] for name in names] for look in looks]
    return xr.Dataset(
        {
            "loss": ("step", losses),
            "kernel_distance": (("step", "other"), distances),
            "distance_to_previous": ("step", previous),
            "velocity": ("step", previous / gaps),
            "sharpness": ("step", [look.sharpness for look in looks]),
            "alignment": ("step", [look.alignment for look in looks]),
            "effective_width": (("step", "weight"), np.reshape(widths, (len(looks), len(names)))),
        },
        coords={"step": steps, "other": steps, "weight": np.array(names, dtype=str)},
        attrs={
            "kind": "run",
            "sharpness_of": loss,
            "outputs": "full" if looks[0].sharpness == looks[0].sharpness else "trace",
            "units": "steps of training; distances 1 - cosine; velocity a step",
            "share_of_time": share,
            "version": __version__,
        },
    )
