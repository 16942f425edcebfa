"""The particulars of an answer, and what is checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real

from ..answer import Count, Report
from ..definitions import ENGINES, check_kind
from ..domain.restrict import Restricted
from ..errors import LinregionsError


def check_options(
    kind: str, engine: str, limit: int | None = None, seconds: float | None = None
) -> None:
    """Raise for options that make no sense, before any work."""
    check_kind(kind)
    if engine not in ENGINES:
        raise LinregionsError(f"unknown engine {engine!r}; give one of {', '.join(ENGINES)}")
    if limit is not None and not (isinstance(limit, Integral) and limit >= 0):
        raise LinregionsError(f"limit={limit!r}: give a whole number, 0 or more")
    if seconds is not None and not (isinstance(seconds, Real) and seconds >= 0):
        raise LinregionsError(f"seconds={seconds!r}: give a number, 0 or more")


def answer_of(
    problem: Restricted, engine: str, value: int, kind: str, exact: bool, complete: bool,
    stopped: str, seconds: float, stats: Mapping[str, float], also: dict[str, int],
    proof: str = "",
) -> Count:  # fmt: skip
    """A `Count` with the particulars that the problem knows."""
    report = Report(
        kind=kind,
        exact=exact,
        complete=complete,
        engine=engine,
        domain=problem.domain.describe(),
        dimension=problem.dimension,
        inputs=problem.source.inputs,
        units=problem.source.units,
        seconds=seconds,
        stopped=stopped,
        stats=dict(stats),
        also=also,
        proof=proof,
    )
    return Count(value, report)
