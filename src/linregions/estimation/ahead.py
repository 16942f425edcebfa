"""How far a count has come: an estimate of all regions, beside a search that is under way."""

from __future__ import annotations

import contextvars
import threading
import time
from contextlib import suppress

from ..domain.restrict import Restricted
from ..progress import Deadline, check, current
from .estimate import SOFT, EstimateRun

FIRST = 2.0  # seconds of counting before anything is estimated
PART = 0.05  # part of the time of the count that the estimate may take
MOST = 30.0  # seconds that it takes in all: what is known then will do for a count of days


class Ahead:
    """An estimate that is made, and made better, while a count goes on.

    It starts after two seconds and is taken up again whenever the count has taken twice as
    long, for a twentieth of that time at most, and half a minute in all.
    """

    def __init__(self, problem: Restricted) -> None:
        self.problem = problem
        self.run: EstimateRun | None = None
        self.used = 0.0
        self.due = FIRST

    def total(self, regions: int, elapsed: float) -> float | None:
        """Regions in all, about; None while no honest estimate is there."""
        if elapsed >= self.due:
            self.due = 2.0 * elapsed
            if self.used < MOST:
                self._improve(min(PART * elapsed, MOST))
        if self.run is None or not self.run.groups.interval(0.95).given:
            return None
        return max(self.run.groups.mean, float(regions))

    def prepare(self) -> EstimateRun:
        """The estimate under way; the first call compiles its kernels."""
        if self.run is None:
            self.run = EstimateRun(self.problem, "thinned", 0, 2000)
        return self.run

    def _improve(self, seconds: float) -> None:
        part = Deadline(3.0 * seconds + 0.5, current())
        part.known = current().known
        try:
            with part.current():
                run = self.prepare()
                run.stopped, run.start = "", time.perf_counter() - self.used
                if run.sampler.total == 0:
                    most = max(seconds, self.used) / SOFT
                    run.go(most, None, None, 0.95, None, may_count=False)
                self.used = run.elapsed
        except KeyboardInterrupt:
            pass
        check()  # an end is the count's to deal with
        if part.reason:  # it hangs: the count goes on without
            self.used = MOST


class Forecast:
    """`Ahead` in a thread of its own, so that workers never wait for it."""

    def __init__(self, problem: Restricted) -> None:
        self.ahead = Ahead(problem)
        self.thread: threading.Thread | None = None
        self.latest: float | None = None

    def total(self, regions: int, elapsed: float) -> float | None:
        """The latest estimate of all regions, or None; starts the next one when it is due."""
        idle = self.thread is None or not self.thread.is_alive()
        if idle and elapsed >= self.ahead.due:
            self.ahead.prepare()  # here: a process does not end while a thread of it compiles
            context = contextvars.copy_context()  # it stops with the count
            self.thread = threading.Thread(
                target=context.run, args=(self._improve, regions, elapsed), daemon=True
            )
            self.thread.start()
        return None if self.latest is None else max(self.latest, float(regions))

    def _improve(self, regions: int, elapsed: float) -> None:
        least = min(elapsed, self.ahead.used / PART + 20.0)  # two seconds more, at most
        with suppress(KeyboardInterrupt):
            self.latest = self.ahead.total(regions, max(least, self.ahead.due))
