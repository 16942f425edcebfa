"""`Tracker`: measures a network through its training, in any loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..network.network import Network
from .callbacks import keras, lightning
from .measures import Ready, chosen
from .points import rows
from .schedule import Schedule
from .snapshot import snapshot
from .table import Row, Table


class Tracker:
    """Regions through training: made before the loop, called in it.

    A call between two points of the schedule costs next to nothing; one at a point reads the
    model (`snapshot`: the training goes on bit for bit as without) and measures it.

    Parameters
    ----------
    measures
        Names, in a list: ``lines`` (regions along lines), ``distance`` (to the nearest
        boundary), ``plane`` (regions in a plane), ``bounds`` (the tightest upper bound),
        ``estimate`` (of the number of regions); or `Lines`, `Distance`, `Cells`, `Bounds`,
        `Estimated` with options of their own; or functions of the `Network`, alone, as
        ``(name, function)`` or in a mapping by name.
    every, by, total
        The schedule; see `Schedule`. By default steps on a log scale.
    data
        (m, n) points. Lines go through the origin and 100 of them, distances are taken at 1,000
        of them, the plane goes through the first three. Without data: standard normal ones.
    plane
        The domain of ``plane``.
    domain
        Where ``bounds`` and ``estimate`` look; all of R^n by default.
    shape
        Shape of one input, where the model does not say it.
    seed
        Of all random lines, points and estimates; it is a column of the table.

    Attributes
    ----------
    table
        The rows so far.

    Examples
    --------
    >>> tracker = Tracker(["lines", ("units", lambda net: net.units)], every=10)
    >>> for step in range(21):
    ...     model = [([[1.0, step]], [0.5]), ([[1.0]], [0.0])]
    ...     _ = tracker(model, step=step)
    >>> tracker.table.select("lines")["step"], tracker.table.select("lines")["value"]
    (array([ 0, 10, 20]), array([2., 2., 2.]))
    """

    def __init__(
        self,
        measures: Any = ("lines", "distance"),
        *,
        every: Any = "log",
        by: str = "step",
        total: float | None = None,
        data: Any = None,
        plane: Domain | None = None,
        domain: Domain | None = None,
        shape: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        self.schedule = Schedule(every, by, total)
        self.measures = chosen(
            measures, None if data is None else rows(data, "data"), plane, domain
        )
        self.shape, self.seed = shape, int(seed)
        self.table = Table()
        self._ready: list[Ready] = []
        self._first: Network | None = None
        self._calls = 0
        self._last = -1.0
        self._clock = {"reading": 0.0, "preparing": 0.0, "measuring": 0.0}
        self._began = 0.0

    def __call__(
        self, model: Any, *, step: int | None = None, epoch: float | None = None
    ) -> list[Row]:
        """Measure the model if it is time to.

        Parameters
        ----------
        model
            Whatever `load` takes: a torch module, a Keras model, ``[(W, b), ...]``, ...
        step
            Steps of training so far; without it, calls are counted.
        epoch
            Epochs so far, fractions too.

        Returns
        -------
        list of Row
            The rows measured now, which are in `table` too; empty between points.
        """
        start = time.perf_counter()
        self._began = self._began or start
        step = self._calls if step is None else int(step)
        now = self._now(step, epoch)
        self._calls += 1
        if not self.schedule.due(now):
            return []
        network = snapshot(model, self.shape)
        self._check(network, step)
        read = time.perf_counter()
        if not self._ready:
            self._ready = [m.ready(network.inputs, self.seed) for m in self.measures]
        prepared = time.perf_counter()
        found = self._rows(network, step, float("nan") if epoch is None else float(epoch))
        self.table.rows += found
        ends = (start, read, prepared, time.perf_counter())
        for name, a, b in zip(self._clock, ends[:-1], ends[1:], strict=True):
            self._clock[name] += b - a
        return found

    def _now(self, step: int, epoch: float | None) -> float:
        """The time on the axis of the schedule, which must not run backwards."""
        if self.schedule.by == "epoch" and epoch is None:
            raise LinregionsError("the schedule is by epoch; call tracker(model, epoch=...)")
        now = float(step) if self.schedule.by == "step" else float(epoch)  # type: ignore[arg-type]
        if not 0 <= now < float("inf"):
            raise LinregionsError(f"{self.schedule.by}={now:g}: give a number from 0 on")
        if now < self._last:
            raise LinregionsError(
                f"{self.schedule.by} {now:g} after {self._last:g}: count {self.schedule.by}s "
                "through the whole training, and take a new Tracker for a new run"
            )
        self._last = now
        return now

    def _check(self, network: Network, step: int) -> None:
        first = self._first = self._first or network
        shapes = [(n.inputs, n.widths, n.outputs) for n in (first, network)]
        if shapes[0] != shapes[1]:
            raise LinregionsError(
                f"the model changed in shape, {first} at first and {network} at step {step}; take "
                "a new Tracker for another architecture"
            )

    def _rows(self, network: Network, step: int, epoch: float) -> list[Row]:
        out = []
        for ready in self._ready:
            start = time.perf_counter()
            readings = ready(network)
            seconds = (time.perf_counter() - start) / max(len(readings), 1)
            out += [
                Row(step, epoch, r.measure, float(r.value), float(r.spread), int(r.number),
                    seconds, self.seed, network.hash, r.definition, bool(r.exact))
                for r in readings
            ]  # fmt: skip
        return out

    # -- afterwards -------------------------------------------------------------------

    @property
    def cost(self) -> dict[str, float]:
        """Seconds spent, in parts, and as a share of the time since the first call.

        ``reading`` the model, ``preparing`` (once: random lines and points, compilation),
        ``measuring``; ``seconds`` is their sum, and ``share`` the part of the wall time.
        """
        seconds = sum(self._clock.values())
        wall = time.perf_counter() - self._began if self._began else 0.0
        return {**self._clock, "seconds": seconds, "share": seconds / wall if wall else 0.0}

    @property
    def missed(self) -> list[float]:
        """Listed points of the schedule that training has not reached."""
        return self.schedule.missed

    def save(self, path: str | Path) -> Path:
        """Write the table to a ``.csv`` or ``.parquet`` file."""
        return self.table.save(path)

    def lightning(self, of: str | Callable[[Any], Any] | None = None) -> Any:
        """A callback for Lightning; see `linregions.training.lightning`."""
        return lightning(self, of)

    def keras(self) -> Any:
        """A callback for Keras; see `linregions.training.keras`."""
        return keras(self)

    def __repr__(self) -> str:
        cost = self.cost
        return (
            f"<Tracker, {self.schedule.describe()}: {len(self.table):,} rows, "
            f"{cost['seconds']:.3g} s, {cost['share']:.1%} of the time>"
        )
