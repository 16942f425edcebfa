"""`count`: how many regions, of which kind, how sure, and at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .domain import Box, Domain, Restricted, Space, restrict
from .errors import LinregionsError
from .network import Network

if TYPE_CHECKING:
    from .parallel.run import Means
    from .running import Room

KINDS = {
    "pattern": "patterns that some point of the closed domain has, lower-dimensional sets included",
    "activation": "full-dimensional cells of one activation pattern",
    "linear": "connected sets of cells, joined through facets, that carry the same affine map",
    "closed": "closed connected sets with one affine map that hold an open set",
    "affine": "distinct affine maps",
}
SEARCHED = {"pattern", "closed"}  # by no other engine
ENGINES = ("auto", "search", "complex", "milp", "milp-scip")
MEMORY = 2 << 30  # bytes of a complex beyond which ``engine="auto"`` searches instead; and of cells
Progress = Callable[["Status"], None]


@dataclass(frozen=True)
class Status:
    """What a progress callable receives: regions so far, seconds, and what is being done.

    ``total`` is an estimate of all regions, once there is one (and an interval for it).
    """

    regions: int
    seconds: float
    stage: str = "search"
    total: float | None = None

    @property
    def share(self) -> float | None:
        """Part of the regions that is counted, by the estimate; below 1 until it is all."""
        return None if self.total is None else min(self.regions / self.total, 0.999)

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take, by the estimate."""
        done = self.share
        return self.seconds * (1.0 - done) / done if done else None

    @property
    def rate(self) -> float:
        """Regions per second."""
        return self.regions / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Report:
    """The particulars of a `Count`; see there."""

    kind: str
    exact: bool
    complete: bool
    engine: str
    domain: str
    dimension: int
    inputs: int
    units: int
    seconds: float
    stopped: str = ""
    stats: dict[str, float] = field(default_factory=dict)
    also: dict[str, int] = field(default_factory=dict)
    proof: str = ""


class Count(int):
    """The answer to "how many regions": an ``int`` with the particulars.

    Attributes
    ----------
    kind
        The definition that was counted: a key of `KINDS`.
    exact
        True when every decision was justified (floats with error bounds, else rationals).
    complete
        False when the search was cut short: the number is then a proved lower bound.
    engine, domain, dimension, inputs, units, seconds
        How and where; ``dimension`` is that of the space searched (after reduction),
        ``seconds`` excludes import and compilation.
    stopped
        Why an incomplete count ended: ``limit``, ``seconds`` or ``interrupt``; else empty.
    stats
        How many decisions each argument took. For ``milp``: the margin and the tolerance too.
    also
        Other kinds that came out on the way (``linear`` also gives ``activation``).
    proof
        The file in which the proof is, or empty.

    Examples
    --------
    >>> import linregions as lr
    >>> answer = lr.count([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> answer, answer.kind, answer.exact
    (3, 'activation', True)
    """

    report: Report

    def __new__(cls, value: int, report: Report) -> Count:
        self = super().__new__(cls, value)
        self.report = report
        return self

    def __getattr__(self, name: str) -> Any:
        if name != "report" and name in Report.__dataclass_fields__:
            return getattr(self.report, name)
        raise AttributeError(name)

    def __getnewargs__(self) -> tuple[int, Report]:
        return int(self), self.report

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions count --json``."""
        return {"regions": int(self), **asdict(self.report)}

    def describe(self) -> str:
        """One sentence."""
        r = self.report
        least = "" if r.complete else "at least "
        sure = "exact" if r.exact else "by floating point, not certified"
        if r.engine.startswith("milp"):
            sure += ", too low where near-ties make cells thinner than the margin"
        return (
            f"{least}{int(self):,} {r.kind} regions in {r.domain}, dimension {r.dimension} "
            f"({sure}, {r.seconds:.3g} s)"
        )


def check_kind(kind: str) -> None:
    """Raise for an unknown definition."""
    if kind not in KINDS:
        raise LinregionsError(f"unknown kind {kind!r}; give one of {', '.join(KINDS)}")


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
        Justify every decision. False makes the search faster, with a tolerance of 1e-13 on rows
        and coordinates scaled to about 1; a complex, ``pattern`` and ``closed`` are always exact.
    engine
        ``search`` walks through the cells one by one, in any dimension, and keeps none.
        ``complex`` refines the whole domain at once: far faster, for bounded domains of dimension
        1 to 4, with memory in proportion to the cells. ``auto`` takes ``complex`` where that
        is possible (exactly, without limits, up to ``MEMORY`` bytes), else ``search``.
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
        Called with a `Status` several times a second.
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
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Returns
    -------
    Count
        An ``int`` with its particulars.

    Raises
    ------
    LinregionsError
        For a bad network, domain or option. An interrupt (Ctrl-C) does not raise: the
        answer so far is returned with ``complete`` False.
    """
    from .parallel.run import Means
    from .running import Room

    check_options(kind, engine, limit, seconds)
    room = Room.of(memory, scratch)
    means = Means.of(workers, executor, checkpoint)
    if means.some:
        _check_divided(kind, engine, means)
    target = None
    if proof is not None:
        from .certificates.verb import check_proof_options, count_with_proof

        divided = executor is not None or checkpoint is not None
        target = check_proof_options(proof, kind, engine, exact, divided)
    net = _network(network, shape)
    domain = Space() if domain is None else domain
    problem = restrict(net, domain)
    if target is not None:
        return count_with_proof(problem, kind, target, means.workers, limit, seconds, progress)
    if engine.startswith("milp"):
        from .tally import count_milp

        return count_milp(problem, kind, engine, limit, seconds, progress)
    if kind in SEARCHED:
        if engine == "complex":
            raise LinregionsError(
                f'engine="complex" does not count kind={kind!r}; give engine="search" or "auto"'
            )
        if kind == "pattern":
            from .tally import count_patterns

            return count_patterns(problem, limit, seconds, progress)
        return _count_search(problem, kind, True, limit, seconds, progress, means, room)
    if engine == "complex" and not (limit is None and seconds is None):
        raise LinregionsError(
            'limit and seconds stop a search, and engine="complex" refines all cells at once; '
            'give engine="search" with them'
        )
    refine = engine == "auto" and exact and limit is None and seconds is None
    refine = refine and executor is None and checkpoint is None
    if engine == "complex" or refine:
        answer = _count_complex(problem, kind, engine == "auto", progress)
        if answer is not None:
            return answer
    return _count_search(problem, kind, exact, limit, seconds, progress, means, room)


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


def suits_complex(problem: Restricted) -> bool:
    """Whether ``auto`` counts with the complex: a bounded domain of 1 to 4 dimensions."""
    return bool(problem.bounded) and 1 <= problem.dimension <= 4


def _count_complex(
    problem: Restricted, kind: str, auto: bool, progress: Progress | None
) -> Count | None:
    """Count with the complex; None where ``auto`` should rather search."""
    from .complex.cells import CellComplex
    from .complex.compiling import compile_complex
    from .complex.engine import Refinement, TooFar, TooLarge

    if auto and not suits_complex(problem):
        return None
    begin = time.perf_counter()
    try:
        engine = Refinement(problem, MEMORY if auto else None)  # refuses before compiling
    except TooFar:
        if auto:
            return None
        raise
    start = begin + compile_complex(problem.network)

    def report(cells: int, seconds: float) -> None:
        if progress is not None:
            progress(Status(cells, seconds))

    try:
        refined = engine.run(count_only=kind == "activation", progress=report)
    except TooLarge:
        return None
    value, also, complete = refined.cells, {}, refined.complete
    if kind != "activation":
        also["activation"] = value
        value, complete = 1, False
        if refined.complete:
            try:
                cells = CellComplex(problem, engine, refined)
                also["affine"] = cells.count("affine")
                value, complete = cells.count(kind), True
            except KeyboardInterrupt:
                value = also.get("affine", 1)
    seconds = time.perf_counter() - start
    return answer_of(
        problem, "complex", value, kind, True, complete, "" if complete else "interrupt", seconds,
        refined.stats, also,
    )  # fmt: skip


def _count_search(
    problem: Restricted, kind: str, exact: bool, limit: int | None, seconds: float | None,
    progress: Progress | None, means: Means, room: Room,
) -> Count:  # fmt: skip
    from .running import Divided, Run
    from .search.zonotope import seen_through

    begin = time.perf_counter()
    searched = seen_through(problem) if kind == "activation" else problem
    if means.some:
        run = Divided(searched, exact, kind, means, room)
    else:
        run = Run(searched, exact, kind, room)
    wide = searched.zonotope is not None
    start = begin + compile_kernel(merge=kind != "activation", zonotope=wide)
    run.start = time.perf_counter()
    with closing(run):
        stopped = run.go(limit, seconds, progress)
        complete = not stopped
        also: dict[str, int] = {}
        value = run.leaves
        if kind != "activation":
            also["activation"] = value
            value, merged = run.merge(kind, complete, also, progress)
            complete, stopped = merged, stopped or ("" if merged else "interrupt")
    took = run.before + time.perf_counter() - start
    return answer_of(
        problem, "search", value, kind, exact, complete, stopped, took, run.stats(), also
    )


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


def _network(network: Any, shape: Sequence[int] | None = None) -> Network:
    """What a verb was given, as a network; ``shape`` as for `load`."""
    if isinstance(network, Network) and shape is None:
        return network
    from .readers import load

    return load(network, shape=shape)


_compiled: set[tuple[bool, bool]] = set()


@contextmanager
def announced(
    line: str, announce: Callable[[str], None] | None = None
) -> Iterator[Callable[[], float]]:
    """Say a line (on stderr by default) if a compilation takes more than a second and a half.

    Gives a function that returns the seconds since the beginning.
    """
    import sys
    import threading

    say = announce or (lambda text: print(text, file=sys.stderr, flush=True))
    timer = threading.Timer(2.5, say, [line])
    start = time.perf_counter()
    timer.start()
    try:
        yield lambda: time.perf_counter() - start
    finally:
        timer.cancel()
    if time.perf_counter() - start > 2.5:
        say(f"linregions: compiled in {time.perf_counter() - start:.1f} s")


def compile_kernel(
    merge: bool = False,
    announce: Callable[[str], None] | None = None,
    zonotope: bool = False,
) -> float:
    """Compile the kernels (once per machine, then cached); returns the seconds taken.

    ``merge``: those of linear and affine counts as well. ``zonotope``: those for boxes of many
    inputs instead. ``announce`` is called with one line if it is not done within a second and a
    half; by default the line goes to stderr.
    """
    from .running import Room, Run

    if (merge, zonotope) in _compiled or (True, zonotope) in _compiled:
        return 0.0
    line = "linregions: compiling its kernels (once per machine, about half a minute) ..."
    with announced(line, announce) as seconds:
        run = Run(tiny_problem(zonotope), True, "linear" if merge else "activation", Room())
        run.go(None, None, None)
        if merge:
            run.merge("linear", True, {}, None)
    _compiled.add((merge, zonotope))
    return seconds()


def tiny_problem(zonotope: bool) -> Restricted:
    """A problem to compile with: two hidden layers, over the line or over a box of many inputs."""
    from .search.zonotope import seen_through

    # 1 + 2 cells: where the unit of layer 1 is off, layer 2 does not matter, and two merge
    first = [[1.0, 0.0, 0.0, 0.0]] * 2 if zonotope else [[1.0], [1.0]]
    net = Network.from_layers([(first, [0.0, 1.0]), ([[-1.0, 0.0]], [-1.0]), ([[1.0]], [0.0])])
    return seen_through(restrict(net, Box(-2.0, 2.0))) if zonotope else restrict(net)
