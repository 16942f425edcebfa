"""`count`: how many regions, of which kind, how sure, and at what cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..answer import Count, Report, check_on_interrupt, handed_over
from ..complex.cells import CellComplex
from ..complex.engine import Refinement, TooFar, TooLarge, suits_complex
from ..complex.subdivide import compile_complex
from ..definitions import ENGINES, KINDS, MEMORY, SEARCHED, check_exact
from ..domain.domains import Box, Domain, Space, dimension_of
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..merging.cells import Budget
from ..merging.compile import compile_for
from ..network.network import Network
from ..parallel.run import Means
from ..progress import Deadline, Progress, Status, Stopwatch, current, reason_of, tell, watched
from ..readers import load
from ..search.zonotope import seen_through
from .answering import answer_of, check_options
from .one_by_one import count_milp, count_patterns
from .proved import check_proof_options, count_with_proof
from .run import Divided, SearchRun

__all__ = ["ENGINES", "KINDS", "MEMORY", "Count", "Progress", "Report", "Status", "count"]


def count(
    network: Any,
    domain: Domain | None = None,
    *,
    kind: str = "activation",
    exact: bool = True,
    engine: str = "auto",
    limit: int | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
    workers: int | str | None = None,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    memory: int = MEMORY,
    scratch: str | Path | None = None,
    proof: str | Path | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Count:
    """Count the regions of a network over a convex domain.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    domain
        Where to look; all of R^n by default.
    kind
        ``activation`` (default): full-dimensional cells of one activation pattern (Xiong et
        al. 2020, Hanin and Rolnick 2019). ``linear``: such cells joined through facets where
        they carry the same affine map (Wang 2022, Montufar et al. 2014). ``closed``: closed
        connected sets with one affine map that hold an open set; they may be joined through a
        lower-dimensional slice of another cell. ``affine``: distinct affine maps.
        ``pattern``: the patterns of all points of the closed domain, lower-dimensional sets
        included (Serra et al. 2018); for small networks, some hundred patterns a second.
    exact
        Has no effect: every answer is exact. ``False`` is refused.
    engine
        ``search`` walks through the cells one by one, in any dimension, and keeps none.
        ``complex`` refines the whole domain at once: far faster, for bounded domains of dimension
        1 to 4, with memory in proportion to the cells. ``auto`` takes ``complex`` where that
        is possible (without limits, up to ``MEMORY`` bytes), else ``search``.
        ``milp`` is a slow and independent referee for ``activation`` and ``pattern`` on a
        bounded domain: the mixed-integer model of Serra et al. (2018), in floats, with a margin
        below which cells are not counted, so that near-ties make its counts too low
        (`linregions.milp.Referee`); it is never marked exact. ``milp-scip`` hands the same model
        to SCIP.
    limit, seconds
        Stop after so many activation cells, or so much time; the answer is then a proved
        lower bound with ``complete`` False. (For ``linear``, ``closed`` and ``affine``: the
        number of distinct affine maps seen.)
    progress
        Called with a `Status` several times a second, in the thread of the caller.
    workers
        Processes to search with (``"auto"``: one for each processor that this process may use).
        The total does not depend on it. A complex is made by one process whatever it is, and is
        faster still; kinds other than ``activation`` are merged by one process.
    executor
        Search with any ``concurrent.futures.Executor`` instead: ``mpi4py.futures``, loky,
        ``dask.distributed.Client(...).get_executor()``; ``workers`` is then how many tasks it
        runs at a time, where it does not say so itself.
    checkpoint
        A file to save a search for ``activation`` in, every few seconds. If it is there the
        search goes on from it, whatever ended the one before; with all done it answers at once.
        One of another network, domain, kind or version is refused.
    memory, scratch
        ``linear`` and ``affine`` need all cells of a search at its end. What would take more
        than ``memory`` bytes to merge (2 GiB by default) is kept in sorted runs in a folder in
        ``scratch`` (the system's place for temporary files by default), and merged in parts; the
        answer is the same. The cells of one affine map must fit.
    proof
        A file to write the proof of the count to, for ``activation``, ``linear`` and ``affine``:
        `check`, and a program that shares no code with this library, accept it or say where it
        fails (`docs/proofs.md`). A count that is stopped keeps what it has in ``FILE.parts``, and
        goes on from there.
    on_interrupt
        What Ctrl-C does: ``"raise"`` `Interrupted`, a KeyboardInterrupt that holds the answer so
        far as ``partial`` (default), or ``"return"`` that answer.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Returns
    -------
    Count
        An ``int`` with its particulars. Where it was stopped early it is a lower bound, says so
        wherever it is shown, and a `PartialAnswerWarning` is given.

    Raises
    ------
    LinregionsError
        For a bad network, domain or option.
    Interrupted
        After Ctrl-C, within a second.
    """
    check_exact(exact)
    check_options(kind, engine, limit, seconds)
    check_on_interrupt(on_interrupt)
    room = Budget.of(memory, scratch)
    means = Means.of(workers, executor, checkpoint)
    if means.some:
        _check_divided(kind, engine, means)
    target = None
    if proof is not None:
        divided = executor is not None or checkpoint is not None
        target = check_proof_options(proof, kind, engine, divided)
    net = load(network, shape=shape)
    domain = Space() if domain is None else domain
    plan = _Plan(kind, engine, limit, means, room, target)
    plain = target is None and executor is None and checkpoint is None
    plain = plain and limit is None and kind not in SEARCHED and engine in ("auto", "complex")

    def work(tell: Progress | None) -> Count:
        current().hint = _hint(net, domain)
        answer = _counted(restrict(net, domain, switching=plain), plan, seconds, tell)
        if answer.report.stopped in ("", "limit"):
            return answer
        return Count(max(answer.number, _least(domain)), answer.report)

    def nothing(clock: Deadline) -> Count:
        return _at_least(net, domain, plan, clock)

    return handed_over(watched(work, seconds, progress, nothing, on_interrupt), on_interrupt)


MANY = 32  # inputs in a box from which on a hint is given


def _hint(net: Network, domain: Domain) -> str:
    """What to ask instead, where cells are seldom reached; empty elsewhere."""
    if not isinstance(domain, Box | Space):
        return ""
    free = dimension_of(domain, net.inputs)
    if free < MANY:
        return ""
    where = "a box" if isinstance(domain, Box) else "all of space"
    return (
        f"{free:,} inputs in {where}: a plane (--plane), lines (`measure crossings`) or "
        "`sample` answer in seconds"
    )


@dataclass(frozen=True)
class _Plan:
    """What was asked for, checked."""

    kind: str
    engine: str
    limit: int | None
    means: Means
    room: Budget
    proof: Path | None


def _at_least(net: Network, domain: Domain, plan: _Plan, clock: Deadline) -> Count:
    """The answer of a count that was stopped where it could not hand over its own."""
    report = Report(
        plan.kind, True, False, plan.engine, domain.describe(), dimension_of(domain, net.inputs),
        net.inputs, net.units, clock.elapsed, clock.reason,
    )  # fmt: skip
    known = clock.known() if plan.kind == "activation" else 0
    return Count(max(_least(domain), known), report)


def _least(domain: Domain) -> int:
    """Regions of any kind that are there for certain: a box, or all of space, has one."""
    return int(isinstance(domain, Box | Space))


def _counted(
    problem: Restricted, plan: _Plan, seconds: float | None, progress: Progress | None
) -> Count:
    kind, engine, limit = plan.kind, plan.engine, plan.limit
    if plan.proof is not None:
        return count_with_proof(
            problem, kind, plan.proof, plan.means.workers, limit, seconds, progress,
            lambda: count(problem.source, problem.domain, kind=kind, progress=progress),
        )  # fmt: skip
    if engine.startswith("milp"):
        return count_milp(problem, kind, engine, limit, seconds, progress)
    if kind in SEARCHED:
        if engine == "complex":
            raise LinregionsError(
                f'engine="complex" does not count kind={kind!r}; give engine="search" or "auto"'
            )
        if kind == "pattern":
            return count_patterns(problem, limit, seconds, progress)
        return _count_search(problem, plan, seconds, progress)
    if engine == "complex" and not (limit is None and seconds is None):
        raise LinregionsError(
            'limit and seconds stop a search, and engine="complex" refines all cells at once; '
            'give engine="search" with them'
        )
    means = plan.means
    refine = engine == "auto" and limit is None
    refine = refine and (seconds is None or problem.reduced is not None)
    refine = refine and means.executor is None and means.checkpoint is None
    if engine == "complex" or refine:
        answer = _count_complex(problem, kind, engine == "auto", progress)
        if answer is not None:
            return answer
    return _count_search(problem, plan, seconds, progress)


def _check_divided(kind: str, engine: str, means: Means) -> None:
    """Raise where workers or a checkpoint were asked for and cannot be had."""
    if engine not in ("auto", "search"):
        raise LinregionsError(
            f'engine="{engine}" takes no workers, executor or checkpoint; give engine="search"'
        )
    if kind == "pattern":
        raise LinregionsError(
            'kind="pattern" takes no workers, executor or checkpoint: one process counts it'
        )
    if means.checkpoint is not None and kind != "activation":
        raise LinregionsError(
            f'kind="{kind}" keeps all cells in memory until they are merged, so it takes no '
            'checkpoint; give kind="activation"'
        )


def _count_complex(
    problem: Restricted, kind: str, auto: bool, progress: Progress | None
) -> Count | None:
    """Count with the complex; None where ``auto`` should rather search."""
    if auto and not suits_complex(problem):
        return None
    begin = time.perf_counter()
    try:
        engine = Refinement(problem, MEMORY if auto else None)  # refuses before compiling
    except TooFar:
        if auto and problem.reduced is None:
            return None
        raise
    start = begin + compile_complex(problem.network)

    def report(cells: int, seconds: float) -> None:
        tell(progress, Status(cells, seconds))

    small = problem.reduced is not None
    try:
        refined = engine.run(count_only=kind == "activation" and not small, progress=report)
    except TooLarge:
        if small:
            raise _too_many(problem) from None
        return None
    value, also, complete, stopped = refined.cells, {}, refined.complete, refined.stopped
    if small and complete and kind == "activation":
        cells = CellComplex(problem, engine, refined)
        seconds = time.perf_counter() - start
        return answer_of(
            problem, "complex", value, kind, cells.exact, True, "", seconds, cells.stats, also
        )
    if kind != "activation":
        also["activation"] = value
        value, complete = 1, False
        if refined.complete:
            try:
                cells = CellComplex(problem, engine, refined)
                also["affine"] = cells.count("affine")
                value, complete = cells.count(kind), True
            except KeyboardInterrupt as stop:
                value, stopped = also.get("affine", 1), reason_of(stop)
    seconds = time.perf_counter() - start
    return answer_of(
        problem, "complex", value, kind, not small, complete, stopped, seconds, refined.stats, also,
    )  # fmt: skip


def _too_many(problem: Restricted) -> LinregionsError:
    return LinregionsError(
        f"{problem.domain.describe()}: the complex would take more than {MEMORY >> 30} GiB; "
        "take a smaller slice"
    )


def _count_search(
    problem: Restricted, plan: _Plan, seconds: float | None, progress: Progress | None
) -> Count:
    kind, limit, means, room = plan.kind, plan.limit, plan.means, plan.room
    watch = Stopwatch()
    searched = seen_through(problem) if kind == "activation" else problem
    run = Divided(searched, kind, means, room) if means.some else SearchRun(searched, kind, room)
    compile_for(searched, merge=kind != "activation")
    run.watch = Stopwatch()
    with closing(run):
        stopped = run.go(limit, seconds, progress)
        if limit is not None and kind == "activation" and run.leaves > limit:
            stopped = "limit"  # the last two cells came at once
        complete = not stopped
        also: dict[str, int] = {}
        value = run.leaves if limit is None or complete else min(run.leaves, limit)
        if kind != "activation":
            also["activation"] = value
            value, ended = run.merge(kind, complete, also, progress)
            stopped = stopped or ended
            complete = not stopped
    took = run.before + watch.seconds
    return answer_of(
        problem, "search", value, kind, True, complete, stopped, took, run.stats(), also
    )
