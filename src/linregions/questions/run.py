"""A count under way: a search in time slices, by one process or many, and what it keeps."""

from __future__ import annotations

import time
from typing import Any

from ..domain.restrict import Restricted
from ..estimation.ahead import Ahead, Forecast
from ..merging.cells import Budget
from ..merging.closed import closed
from ..merging.maps import Merger
from ..parallel.run import Means, Shared
from ..progress import Progress, Status, Stopwatch, current, reason_of, tell
from ..search.search import Search

BATCH = 4096  # cells that a search lists at a time


class SearchRun:
    """One search in time slices, with its output kept where a merge needs it."""

    before = 0.0  # seconds that earlier processes spent

    def __init__(self, problem: Restricted, kind: str, room: Budget) -> None:
        emit = 0 if kind == "activation" else BATCH
        self.search = Search(problem, emit, audit=True)
        self.problem = problem
        self.cells = room.cells(self.search, kind)
        self.watch = Stopwatch()

    def close(self) -> None:
        """Remove what is on disk."""
        self.cells.close()

    @property
    def leaves(self) -> int:
        """Cells found so far."""
        return self.search.leaves

    def stats(self) -> dict[str, int]:
        """How many decisions each argument took."""
        return self.search.stats()

    def go(self, limit: int | None, seconds: float | None, progress: Progress | None) -> str:
        """SearchRun to the end (empty answer), or say what stopped the search."""
        search, nodes, clock = self.search, 1000, current()
        ahead = Ahead(self.problem)
        clock.stage, clock.known = "search", lambda: search.leaves
        try:
            while True:
                clock.check()
                before = time.perf_counter()
                if limit is not None and search.leaves >= limit:
                    return "" if search.done else "limit"
                left = limit - search.leaves if limit is not None else nodes
                more = search.run(max(1, min(nodes, left)))
                if search.emits:
                    self.cells.add(search.take())
                took = time.perf_counter() - before
                if progress is not None:
                    spent = self.watch.seconds
                    total = ahead.total(search.leaves, spent) if more else None
                    tell(progress, Status(search.leaves, spent, total=total, hint=clock.hint))
                if not more:
                    return ""
                if seconds is not None and self.watch.seconds >= seconds:
                    return "seconds"
                if took < 0.05:
                    nodes = min(2 * nodes, 1 << 24)
                elif took > 0.2:
                    nodes = max(nodes // 2, 16)
        except KeyboardInterrupt as stop:
            return reason_of(stop)

    def merge(
        self, kind: str, complete: bool, also: dict[str, int], progress: Progress | None
    ) -> tuple[int, str]:
        """Merge the cells into linear regions or affine maps; how many, and what stopped it."""
        maps = value = done = 0
        linear = kind == "linear" and complete
        try:
            for part in self.cells.parts():
                if progress is not None:
                    took = self.watch.seconds
                    apart = bool(self.cells.runs)  # then it takes a while, part after part
                    total = float(self.leaves) if apart else None
                    tell(progress, Status(done if apart else self.leaves, took, "merge", total))
                merger = Merger(self.search, part)
                maps += merger.affine()
                also["affine"] = maps
                if kind == "closed" and complete:
                    answer = closed(merger)
                    also["linear"] = answer.linear
                    return answer.closed, ""
                value += merger.linear() if linear else 0
                done += len(merger.signs)
        except KeyboardInterrupt as stop:
            return max(maps, 1), reason_of(stop)
        return value if linear else maps, ""


class Divided(SearchRun):
    """The same with several workers, or with a checkpoint; what needs merging is merged here."""

    def __init__(
        self, problem: Restricted, kind: str, means: Means, room: Budget, **part: Any
    ) -> None:
        self.shared = Shared(problem, means, kind, **part)
        self.search = self.shared.search
        self.problem = problem
        self.cells = room.cells(self.search, kind)
        self.watch = Stopwatch()

    @property
    def leaves(self) -> int:
        return self.shared.leaves

    @property
    def before(self) -> float:
        return self.shared.before

    def stats(self) -> dict[str, int]:
        return self.shared.stats()

    def go(self, limit: int | None, seconds: float | None, progress: Progress | None) -> str:
        ahead, shared = Forecast(self.problem), self.shared
        try:
            for found in shared.run(limit, seconds):
                for batch in found:
                    self.cells.add(batch)
                if progress is not None:
                    self._tell(progress, ahead)
        except KeyboardInterrupt as stop:
            return reason_of(stop)
        return shared.stop

    def _tell(self, progress: Progress, ahead: Forecast) -> None:
        """Report; what ends the search meanwhile does so in good order."""
        shared = self.shared
        try:
            total = ahead.total(self.leaves, shared.seconds - shared.before)
            tell(progress, Status(self.leaves, shared.seconds, total=total))
        except KeyboardInterrupt as stop:
            shared.coordinator.halt(reason_of(stop))
