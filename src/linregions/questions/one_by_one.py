"""Counts that come one by one from a generator: patterns, and the referee's solutions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..answer import Count
from ..domain.restrict import Restricted
from ..milp import Referee
from ..progress import Progress, Status, check, reason_of, tell
from ..search.patterns import PatternSearch
from .answering import answer_of


def tally(
    found: Iterable[Any], limit: int | None, seconds: float | None, progress: Progress | None
) -> tuple[int, str]:
    """How many things come, and why it stopped before their end (empty: it did not)."""
    start = last = time.perf_counter()
    number = 0
    try:
        for _ in found:
            if limit is not None and number >= limit:
                return number, "limit"
            number += 1
            check()
            now = time.perf_counter()
            if progress is not None and now - last > 0.1:
                tell(progress, Status(number, now - start))
                last = now
            if seconds is not None and now - start >= seconds:
                return number, "seconds"
    except KeyboardInterrupt as stop:
        return number, reason_of(stop)
    return number, ""


def count_patterns(
    problem: Restricted, limit: int | None, seconds: float | None, progress: Progress | None
) -> Count:
    """Every pattern that some point of the closed domain has, in rational arithmetic."""
    start = time.perf_counter()
    patterns = PatternSearch(problem)
    number, stopped = tally(patterns, limit, seconds, progress)
    stats = {"rational": patterns.solves}
    took = time.perf_counter() - start
    return answer_of(
        problem, "search", number, "pattern", True, not stopped, stopped, took, stats, {}
    )


def count_milp(
    problem: Restricted, kind: str, engine: str, limit: int | None, seconds: float | None,
    progress: Progress | None,
) -> Count:  # fmt: skip
    """The mixed-integer referee: in floating point, with the margin among the statistics."""
    start = time.perf_counter()
    number, stopped, also = 0, "", {}
    stats: dict[str, float] = {}
    try:
        solver = "scip" if engine == "milp-scip" else "highs"
        referee = Referee(problem, kind, solver=solver)
        if solver == "scip":
            number, stopped = referee.count(limit, seconds)
        else:
            number, stopped = tally(referee.patterns(), limit, seconds, progress)
        stats = referee.stats()
        if kind == "activation" and solver == "highs" and not stopped:
            also["pattern"] = number + referee.flat
    except KeyboardInterrupt as stop:  # while the model was made
        stopped = reason_of(stop)
    took = time.perf_counter() - start
    return answer_of(problem, engine, number, kind, False, not stopped, stopped, took, stats, also)
