"""Callbacks for Lightning and Keras.

Neither package is imported: a callback is made of the class ``Callback`` of the package that
the caller has loaded, so that the trainer finds every hook that it calls.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..errors import LinregionsError

LIGHTNING = ("lightning.pytorch", "pytorch_lightning")
KERAS = ("keras", "tf_keras")


def lightning(tracker: Any, of: str | Callable[[Any], Any] | None = None) -> Any:
    """A Lightning callback that calls a tracker at the start and after every batch.

    Steps are those of the trainer (``global_step``), epochs run on in fractions.

    Parameters
    ----------
    tracker
        A `Tracker`.
    of
        Which part of the LightningModule is the network: the name of an attribute, or a
        function of the module; by default the module itself.

    Examples
    --------
    ``Trainer(callbacks=[lr.training.lightning(tracker, of="net")])``
    """
    pick = _picker(of)

    def start(self: Any, trainer: Any, module: Any, *_: Any) -> None:
        epoch = float(trainer.current_epoch)
        tracker(pick(module), step=int(trainer.global_step), epoch=epoch)

    def batch(self: Any, trainer: Any, module: Any, outputs: Any, batch: Any, index: int,
              *_: Any) -> None:  # fmt: skip
        part = _part(index, getattr(trainer, "num_training_batches", None))
        epoch = float(trainer.current_epoch) + part
        tracker(pick(module), step=int(trainer.global_step), epoch=epoch)

    return _made(LIGHTNING, tracker, {"on_train_start": start, "on_train_batch_end": batch})


def keras(tracker: Any) -> Any:
    """A Keras callback that calls a tracker at the start and after every batch.

    Examples
    --------
    ``model.fit(x, y, callbacks=[lr.training.keras(tracker)])``
    """
    now = {"step": 0, "epoch": 0}

    def start(self: Any, logs: Any = None) -> None:
        tracker(self.model, step=now["step"], epoch=float(now["epoch"]))

    def epoch(self: Any, epoch: int, logs: Any = None) -> None:
        now["epoch"] = int(epoch)

    def batch(self: Any, batch: int, logs: Any = None) -> None:
        now["step"] += 1
        part = _part(batch, (getattr(self, "params", None) or {}).get("steps"))
        tracker(self.model, step=now["step"], epoch=now["epoch"] + part)

    hooks = {"on_train_begin": start, "on_epoch_begin": epoch, "on_train_batch_end": batch}
    return _made(KERAS, tracker, hooks)


def _part(index: int, batches: Any) -> float:
    """The part of the epoch that is over; 0 where its length is not known."""
    if not isinstance(batches, int | float) or not 0 < batches < float("inf"):
        return 0.0
    return min(1.0, (int(index) + 1) / float(batches))


def _picker(of: str | Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if of is None:
        return lambda module: module
    if callable(of):
        return of

    def named(module: Any) -> Any:
        if not hasattr(module, of):
            raise LinregionsError(f"of={of!r}: {type(module).__name__} has no such attribute")
        return getattr(module, of)

    return named


class _Bare:
    """What a callback needs where no package is loaded (a loop that calls the hooks itself)."""

    model: Any = None
    params: Any = None

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: Any) -> None:
        self.params = params


def _made(packages: tuple[str, ...], tracker: Any, hooks: dict[str, Any]) -> Any:
    """An object of a new class with these hooks, derived from the package's Callback."""
    base: Any = _Bare
    for package in packages:
        module: Any = sys.modules.get(package)
        callbacks = getattr(module, "callbacks", module)
        if isinstance(found := getattr(callbacks, "Callback", None), type):
            base = found
            break
    made = type("TrackerCallback", (base,), hooks)()
    made.tracker = tracker
    return made
