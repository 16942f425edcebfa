"""Listing regions up to a limit, by one process or many, to where they are wanted."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ..domain.domains import Domain
from ..domain.restrict import restrict
from ..network.network import Network
from ..parallel.identity import domain_hash
from ..parallel.run import Means, Shared
from ..progress import Progress, Status, check, current, reason_of, tell
from ..search.search import Leaves, Search
from ..version import __version__
from .store import writer
from .stream import coordinates_of

BATCH = 4096
FINISH = 600.0  # seconds that a file may take to be closed; a second Ctrl-C ends it at once


class Listing:
    """Batches of regions up to a limit, with what a summary needs.

    Parameters
    ----------
    net, domain
        As in `regions`.
    limit, seconds
        Where to stop (None: nowhere).
    means
        Who searches.

    Attributes
    ----------
    listed
        How many so far.
    stopped
        Why it ended early: empty, ``limit``, ``seconds`` or ``interrupt``.
    """

    def __init__(
        self,
        net: Network,
        domain: Domain,
        limit: int | None = None,
        seconds: float | None = None,
        means: Means | None = None,
    ) -> None:
        self.problem = restrict(net, domain)
        self.limit, self.seconds = limit, seconds
        self.means = means if means is not None and means.divided else None
        self.listed, self.stopped = 0, ""
        self.start = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def __iter__(self) -> Iterator[Leaves]:
        self.start = time.perf_counter()
        try:
            with closing(self._found()) as source:
                if self.limit != 0:
                    yield from self._cut(source)
                else:
                    self.stopped = "limit"
        except KeyboardInterrupt as stop:
            self.stopped = reason_of(stop)

    def write(self, target: Path, progress: Progress | None) -> None:
        """List into a file. Ctrl-C ends it with what was found; see `writer` for the rest.

        What was found is written to its end, which may take longer than other verbs do.
        """
        current().grace = FINISH
        with writer(target, self.problem, self.facts(complete=False)) as sink:
            try:
                for found in self:
                    sink(found)
                    tell(progress, Status(self.listed, self.elapsed))
            except KeyboardInterrupt as stop:
                self.stopped = reason_of(stop)
            self.listed = sink.rows
            sink.metadata.update(self.summary())

    def facts(self, complete: bool) -> dict[str, Any]:
        """What is known before the end."""
        source, domain = self.problem.source, self.problem.domain
        return {
            "kind": "activation",
            "exact": True,
            "complete": complete,
            "engine": "search",
            "domain": domain.describe(),
            "domain_hash": domain_hash(domain, source.inputs),
            "coordinates": coordinates_of(self.problem),
            "dimension": self.problem.dimension,
            "units": source.units,
            "network": source.hash,
            "version": __version__,
        }

    def summary(self) -> dict[str, Any]:
        """All that is known at the end."""
        return {
            "regions": self.listed,
            **self.facts(complete=not self.stopped),
            "stopped": self.stopped,
            "seconds": self.elapsed,
        }

    def _cut(self, source: Iterator[tuple[Leaves, bool]]) -> Iterator[Leaves]:
        """The batches, cut where the limits are."""
        for found, more in source:
            left = len(found.signs) if self.limit is None else self.limit - self.listed
            if left < len(found.signs):
                found, self.stopped = _first(found, left), "limit"
            self.listed += len(found.signs)
            if len(found.signs):
                yield found
            if self.stopped:
                return
            if more and self.limit is not None and self.listed >= self.limit:
                self.stopped = "limit"
                return
            if more and self.seconds is not None and self.elapsed >= self.seconds:
                self.stopped = "seconds"
                return

    def _found(self) -> Generator[tuple[Leaves, bool]]:
        """Batches, and whether the search knows that it is not at its end."""
        if self.means is None:
            search, more = Search(self.problem, emit=BATCH, audit=True), True
            clock = current()
            clock.stage, clock.known = "search", lambda: search.leaves
            while more:
                check()
                more = search.run(BATCH)
                yield search.take(), more
            return
        shared = Shared(self.problem, self.means, "regions")
        for batches in shared.run(self.limit, self.seconds):
            for found in batches:
                yield found, False
        self.stopped = self.stopped or shared.stop


def _first(found: Leaves, n: int) -> Leaves:
    n = max(n, 0)
    return Leaves(
        found.signs[:n], found.points[:n], {i: x for i, x in found.exact.items() if i < n}
    )
