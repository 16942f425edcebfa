"""`plan`: what a full count would find, take and need, before anyone starts it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..answer import handed_over
from ..complex.engine import suits_complex
from ..definitions import MEMORY, check_exact
from ..domain.domains import Domain, Space
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..figures import duration, size
from ..processors import available
from ..progress import Deadline, Progress, reason_of, watched
from ..readers import load
from .estimate import Estimate, EstimateRun, Sketch, check_options

WORK = 4000  # steps of a first pass
FEW_LPS = 0.05  # linear programmes per step below which time is forecast from steps


@dataclass(frozen=True)
class Plan:
    """A forecast of `count`.

    Attributes
    ----------
    estimate
        The `Estimate` that it rests on.
    seconds
        Time of a full count by the search on one core of this machine; infinite (null in JSON)
        where time ended before there was anything to forecast from.
    workers
        Number of workers (processes, wherever they are) to seconds, if all cores are like this one.
    memory
        Bytes that one worker's search holds, whatever the number of regions.
    engine
        Which engine ``count`` would take by default.
    complex_memory
        Bytes that the complex would hold, where ``count`` would try it; else None.
    """

    estimate: Estimate
    seconds: float
    workers: dict[int, float]
    memory: int
    engine: str
    complex_memory: int | None

    sampled = True  # the end of the time is no cut: see `answer.handed_over`

    @property
    def stopped(self) -> str:
        """What ended its estimate."""
        return self.estimate.stopped

    def __str__(self) -> str:
        return self.describe()

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions plan --json``."""
        return {
            "regions": self.estimate.to_dict(),
            "seconds": _finite(self.seconds),
            "workers": {str(n): _finite(s) for n, s in self.workers.items()},
            "memory": self.memory,
            "engine": self.engine,
            "complex_memory": self.complex_memory,
        }

    def describe(self) -> str:
        """A few lines."""
        e = self.estimate
        more = [f"{n} workers {duration(s)}" for n, s in self.workers.items() if n > 1]
        lines = [
            e.describe(),
            f"a full count by search: {duration(self.seconds)} on one core; {', '.join(more)}",
            f"memory: {size(self.memory)} a worker, whatever the number of regions",
        ]
        if self.complex_memory is not None:
            taken = "which count would take" if self.engine == "complex" else "too much for count"
            lines.append(
                f"the complex would hold {size(self.complex_memory)}, {taken}, and is faster"
            )
        return "\n".join(lines)


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


# Bytes a cell that a complex holds while it is refined, by dimension (docs/performance.md).
CELL_BYTES = {1: 100, 2: 150, 3: 300, 4: 700}


def plan(
    network: Any,
    domain: Domain | None = None,
    *,
    seconds: float = 5.0,
    seed: int = 0,
    workers: tuple[int, ...] | None = None,
    exact: bool = True,
    progress: Progress | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Plan:
    """Forecast regions, time and memory of a full count.

    Every step of a thinned walk stands for 1/p steps of the whole one, so that the linear
    programmes of a full count (where its time goes) are estimated as its leaves are. Their price
    is measured on the way: they are a sample of those that the count would solve.

    Parameters
    ----------
    network, domain
        As for `count`.
    seconds
        Time for the forecast.
    seed
        Of the draws.
    workers
        Numbers of workers to forecast for; by default 1, the cores here, 16, 64 and 256. The
        branches of the search are independent and can be handed over at any time, so the
        forecast divides the time evenly.
    exact
        Has no effect: every answer is exact. ``False`` is refused.
    progress
        Called with a `Status` after every pass.
    on_interrupt
        As in `count`.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Returns
    -------
    Plan

    Examples
    --------
    >>> forecast = plan([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])], seconds=1)
    >>> forecast.estimate.seen
    3
    """
    check_exact(exact)
    check_options(seconds, None, None, "thinned", 0.95, WORK)
    if workers is None:
        workers = tuple(sorted({1, available(), 16, 64, 256}))
    if not workers or any(n < 1 for n in workers):
        raise LinregionsError(f"workers={workers}: give whole numbers, 1 or more")
    net, domain = load(network, shape=shape), Space() if domain is None else domain
    first, numbers = Sketch(net, domain, "thinned", seed, 0.95), workers

    def passed(report: Progress | None) -> Plan:
        try:
            run = first.run(seconds, WORK)
        except KeyboardInterrupt as stop:
            return _unknown(first.answer(reason_of(stop)), numbers)
        run.go(seconds, None, None, 0.95, report)
        return _planned(run, numbers)

    def nothing(clock: Deadline) -> Plan:
        return _unknown(first.answer(clock.reason, clock), numbers)

    return handed_over(watched(passed, seconds, progress, nothing, on_interrupt), on_interrupt)


def _unknown(answer: Estimate, workers: tuple[int, ...]) -> Plan:
    """Where time ended before there was anything to forecast from."""
    return Plan(answer, math.inf, dict.fromkeys(workers, math.inf), 0, "search", None)


def _planned(run: EstimateRun, workers: tuple[int, ...]) -> Plan:
    problem, answer = run.problem, run.answer(0.95)
    if not run.sampler.forecasts:
        return _unknown(answer, workers)
    alone = forecast(run)
    if not math.isfinite(alone):
        raise LinregionsError(
            "plan: a full count takes more steps than floating-point numbers reach (about 1e308)"
        )
    return Plan(
        estimate=answer,
        seconds=alone,
        workers={n: alone / n for n in workers},
        memory=_memory(run),
        engine=_engine(problem, answer.estimate),
        complex_memory=_complex_memory(problem, answer.estimate),
    )


def forecast(run: EstimateRun) -> float:
    """Seconds of a full search, from the work of the passes so far."""
    sampler = run.sampler
    steps, lps = sampler.whole_tree()
    if sampler.total:
        steps, lps = sampler.forecasts[-1][1:]
    spent = max(run.elapsed, 1e-9)
    if sampler.lps > FEW_LPS * sampler.steps:
        return spent * lps / sampler.lps
    return spent * steps / max(sampler.steps, 1.0)


def _memory(run: EstimateRun) -> int:
    cursor = run.sampler.walker.search.cursor
    return 0 if cursor is None else sum(a.nbytes for a in cursor)


def _complex_memory(problem: Restricted, regions: float) -> int | None:
    if not suits_complex(problem):
        return None
    return int(CELL_BYTES[problem.dimension] * regions)


def _engine(problem: Restricted, regions: float) -> str:
    held = _complex_memory(problem, regions)
    return "complex" if held is not None and held <= MEMORY else "search"
