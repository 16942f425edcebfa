"""A union of boxes on the command line: one count for each, and a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..questions.count import Count, count
from .options import Stop


@dataclass(frozen=True)
class Table:
    """The counts of several boxes. A region that reaches over two of them counts in both."""

    counts: list[Count]
    boxes: int
    stopped: str | None

    @property
    def complete(self) -> bool:
        """Whether every box was counted to its end."""
        return len(self.counts) == self.boxes and all(c.report.complete for c in self.counts)

    @property
    def exact(self) -> bool:
        """Whether every decision was justified."""
        return all(c.report.exact for c in self.counts)

    def facts(self) -> dict[str, Any]:
        """The JSON object: the sum, and the object of each box."""
        return {
            "regions": sum(c.number for c in self.counts),
            "complete": self.complete,
            "exact": self.exact,
            "stopped": self.stopped,
            "boxes": [c.to_dict() for c in self.counts],
            "uncounted": self.boxes - len(self.counts),
        }

    def describe(self, name: str, units: int) -> str:
        """A table for a person."""
        rows = [("box", "regions", "dimension", "certainty", "seconds")]
        for i, c in enumerate(self.counts, start=1):
            r = c.report
            least = "" if r.complete else "at least "
            sure = "exact" if r.exact else "floating point"
            many, took = f"{least}{c.number:,}", f"{r.seconds:.3g}"
            rows.append((str(i), many, str(r.dimension), sure, took))
        rows += [(str(i), "not counted", "", "", "") for i in self._left()]
        width = [max(len(row[k]) for row in rows) for k in range(5)]
        lines = [
            "  " + "  ".join(t.rjust(w) for t, w in zip(row, width, strict=True)) for row in rows
        ]
        least = "" if self.complete else "at least "
        total = sum(c.number for c in self.counts)
        return "\n".join(
            [
                f"{name}: {units} units, {self.boxes} boxes",
                "",
                *lines,
                "",
                f"  {least}{total:,} regions in all (one that reaches over two boxes counts twice)",
            ]
        )

    def _left(self) -> range:
        return range(len(self.counts) + 1, self.boxes + 1)


def count_each(
    net: Any, domains: Sequence[Domain], stop: Stop, single: Sequence[Any], **options: Any
) -> Table:
    """Count in each domain, one after the other, until a limit of all together is reached.

    ``single`` are options that belong to one count, and are refused here.
    """
    if any(value is not None for value in single):
        raise LinregionsError(
            f"--proof, --shard and --checkpoint are those of one count, and the file holds "
            f"{len(domains)} boxes; write each to a file of its own"
        )
    counts: list[Count] = []
    begin = time.perf_counter()
    for domain in domains:
        spent = time.perf_counter() - begin
        seconds = None if stop.seconds is None else stop.seconds - spent
        limit = None if stop.limit is None else stop.limit - sum(c.number for c in counts)
        if seconds is not None and seconds <= 0:
            return Table(counts, len(domains), "seconds")
        if limit is not None and limit <= 0:
            return Table(counts, len(domains), "limit")
        counts.append(count(net, domain, limit=limit, seconds=seconds, **options))
        if not counts[-1].report.complete:
            return Table(counts, len(domains), counts[-1].report.stopped)
    return Table(counts, len(domains), None)
