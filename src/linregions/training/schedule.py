"""When to measure: points on an axis of steps or epochs, regular, logarithmic or listed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import LinregionsError

AXES = ("step", "epoch")


class Schedule:
    """Points of time at which to measure, and which of them are past.

    A point is due at the first call at or after it; several that have become due since the last
    call are one measurement.

    Parameters
    ----------
    every
        A positive number d: at 0, d, 2d, ... A list: at these points (fractions of an epoch
        too). ``"log"``: at 0 and at ``10^(j / 4)``, j = 0, 1, 2, ... (four in each decade;
        from 0.01 for epochs), rounded to whole steps.
    by
        ``step`` or ``epoch``: what the points are compared with.
    total
        Where training ends, on that axis, if known. A list that goes on behind it is refused; the
        other schedules have a point there too.

    Examples
    --------
    >>> plan = Schedule("log")
    >>> [t for t in range(2000) if plan.due(t)]
    [0, 1, 2, 3, 6, 10, 18, 32, 56, 100, 178, 316, 562, 1000, 1778]
    """

    def __init__(self, every: Any = "log", by: str = "step", total: float | None = None) -> None:
        if by not in AXES:
            raise LinregionsError(f"by={by!r}: give step or epoch")
        self.by = by
        self.points: list[float] | None = None
        self.every: float | None = None
        self._done = 0  # points of a list that are past
        self._next = 0.0  # the next point of an endless schedule
        self.total = None if total is None else _number(total, "total")
        if isinstance(every, str):
            if every != "log":
                raise LinregionsError(f"every={every!r}: give a number, a list or 'log'")
        elif isinstance(every, Iterable):
            self.points = _listed(every, by, total)
        else:
            self.every = _number(every, "every")
            if not self.every > 0:
                raise LinregionsError(f"every={every!r} must be positive")

    @property
    def missed(self) -> list[float]:
        """Points of a list at which nothing has been measured yet."""
        return [] if self.points is None else self.points[self._done :]

    def due(self, now: float) -> bool:
        """Whether to measure now; points up to now are past afterwards."""
        if self.points is not None:
            past = int(np.searchsorted(self.points, now, side="right"))
            hit, self._done = past > self._done, max(past, self._done)
            return hit
        if now < self._next:
            return False
        self._next = self._after(now)
        if self.total is not None and now < self.total < self._next:
            self._next = self.total
        return True

    def _after(self, now: float) -> float:
        """The first point of an endless schedule behind now."""
        if self.every is not None:
            n = np.floor(now / self.every) + 1
            return float(n * self.every)
        first = 1.0 if self.by == "step" else 0.01
        j = 0 if now < first else int(np.floor(4 * np.log10(now / first)))
        while True:  # rounding may put the guess one or two points early
            point = first * 10 ** (j / 4)
            point = float(np.round(point)) if self.by == "step" else point
            if point > now * (1 + 1e-12):
                return point
            j += 1

    def describe(self) -> str:
        """In words."""
        if self.points is not None:
            return f"at {len(self.points)} listed {self.by}s"
        return (
            f"{self.by}s on a log scale"
            if self.every is None
            else f"every {self.every:g} {self.by}s"
        )


def _listed(every: Iterable[Any], by: str, total: float | None) -> list[float]:
    points = sorted({_number(p, "every") for p in every})
    if not points:
        raise LinregionsError("every=[]: an empty schedule; give at least one point")
    if points[0] < 0:
        raise LinregionsError(f"every: {by} {points[0]:g} is negative")
    if total is not None and points[-1] > total:
        raise LinregionsError(
            f"every: the schedule goes on to {by} {points[-1]:g}, but training ends at {by} "
            f"{total:g} (total=); drop what lies behind it"
        )
    return points


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise LinregionsError(f"{name}={value!r}: give a number, a list or 'log'") from None
    if not np.isfinite(number):
        raise LinregionsError(f"{name}: {value!r} is not finite")
    return number
