"""The monitor as a callback of Lightning."""

import importlib
import os
from typing import Any

from solvable.errors import OutsideDomain
from solvable.watching.monitor import Monitor


def lightning_callback(
    inputs: Any, targets: Any = None, *, path: str | os.PathLike[str] = "run.nc", **settings: Any
) -> Any:
    """A Lightning callback that watches a fit and saves it: ``Trainer(callbacks=[lightning_callback(x, y)])``.

    Parameters
    ----------
    inputs, targets
        Probes, as for ``Monitor``.
    path
        Where the run is saved when the fit ends, also when it ends early.
    settings
        Others of ``Monitor``.

    Returns
    -------
    lightning.pytorch.Callback
        Its ``monitor`` holds the run; of ``pytorch_lightning`` where that is installed alone.

    Raises
    ------
    OutsideDomain
        Where Lightning is not installed; in the fit, as ``Monitor``.

    References
    ----------
    None.
    """
    base = _callback_class()

    class _Watch(base):
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.monitor = Monitor(pl_module, inputs, targets, **settings)

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.monitor.step(_read_loss(outputs))

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self._save()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self._save()

        def _save(self) -> None:
            if hasattr(self, "monitor") and self.monitor.has_steps:
                self.monitor.save(path)

    return _Watch()


def _read_loss(outputs: Any) -> Any:
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return float("nan") if loss is None else loss


def _callback_class() -> Any:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return importlib.import_module(name).Callback
        except ImportError:
            continue
    raise OutsideDomain("Lightning is not installed; `pip install lightning`, or call a `Monitor` yourself.")
