"""A count or a listing by a `Crew`: from a restricted problem to the sums."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from ..domain import Restricted
from ..estimate._ahead import PART, Ahead
from ..search.engine import Leaves, Search
from ..search.subtree import hand_over
from . import pool
from .crew import Crew, unpack
from .task import Job, Size

BATCH = 4096  # cells that a search lists at a time


@dataclass(frozen=True)
class Means:
    """What a search may use: ``workers`` processes, or an ``executor``.

    ``log`` is called with the `Size` of every subtree that a task walked whole.
    """

    workers: int | None = None
    executor: Executor | None = None
    log: Callable[[Size], None] | None = None

    @staticmethod
    def of(workers: int | str | None, executor: Executor | None) -> Means:
        """Means from what a caller gave, checked."""
        return Means(pool.workers_of(workers), executor)

    @property
    def some(self) -> bool:
        """Whether there is more than this process."""
        return self.executor is not None or (self.workers or 1) > 1


class Shared:
    """One search, walked with some means.

    Attributes
    ----------
    search
        The search in this process. It only opens the tree; where the tree has no cell with a
        float in it, it walks all of it.
    """

    def __init__(self, problem: Restricted, exact: bool, means: Means, emit: bool) -> None:
        self.problem, self.exact = problem, exact
        self.search = Search(problem, exact, BATCH if emit else 0)
        job = Job.of(problem, exact, BATCH if emit else 0)
        root = [] if self.search.cursor is None else [hand_over(self.search)]
        self.crew = Crew(job, root, means.workers, means.executor, means.log)
        self.start = time.perf_counter()
        self.stop = ""

    @property
    def leaves(self) -> int:
        """Cells found so far."""
        return self.crew.leaves + self.search.leaves

    def stats(self) -> dict[str, int]:
        """How many decisions each argument took, over all workers."""
        mine = self.search.stats()
        return {name: mine[name] + self.crew.stats[name] for name in mine}

    def run(self, limit: int | None, seconds: float | None) -> Iterator[list[Leaves]]:
        """Walk on; yields now and then, with the cells found since. See `Crew.run`."""
        if self.search.cursor is None:
            yield from self._alone(limit, seconds)
            return
        for cells in self.crew.run(limit, seconds):
            yield unpack(cells, self.search.compiled.cuts)
        self.search.coincident = self.crew.coincident
        self.stop = self.crew.stop

    def _alone(self, limit: int | None, seconds: float | None) -> Iterator[list[Leaves]]:
        """A tree without any float point, in rational arithmetic: it has no branches to give."""
        search = self.search
        try:
            while search.run(1000):
                yield [search.take()] if search.emits else []
                if limit is not None and search.leaves >= limit:
                    self.stop = "limit"
                elif seconds is not None and time.perf_counter() - self.start >= seconds:
                    self.stop = "seconds"
                if self.stop:
                    return
            yield [search.take()] if search.emits else []
        except KeyboardInterrupt:
            self.stop = "interrupt"


class Forecast:
    """`Ahead` in a thread of its own, so that workers never wait for it."""

    def __init__(self, problem: Restricted, exact: bool) -> None:
        self.ahead = Ahead(problem, exact)
        self.thread: threading.Thread | None = None
        self.latest: float | None = None

    def total(self, regions: int, elapsed: float) -> float | None:
        """The latest estimate of all regions, or None; starts the next one when it is due."""
        idle = self.thread is None or not self.thread.is_alive()
        if idle and elapsed >= self.ahead.due:
            self.thread = threading.Thread(target=self._improve, args=(regions, elapsed))
            self.thread.start()
        return None if self.latest is None else max(self.latest, float(regions))

    def _improve(self, regions: int, elapsed: float) -> None:
        least = min(elapsed, self.ahead.used / PART + 20.0)  # two seconds more, at most
        self.latest = self.ahead.total(regions, max(least, self.ahead.due))

