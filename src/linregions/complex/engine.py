"""The refinement of a domain, layer by layer, on all cores.

A *round* refines all cells by rows of one layer (a layer with many units over few cells is
taken in several, so that there is work for every core and no cell falls into too many pieces).
Threads take ranges of cells; the kernels hold no lock. Cells in which a sign is open are settled
one by one in rational arithmetic.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import comb
from threading import Event
from typing import Any

import numpy as np

from ..audit import asked
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..jit import Tripped
from ..network.rational import nearest
from ..network.scaling import MILD
from ..network.units import MaxUnits
from ..processors import available
from ..progress import check, current, reason_of
from . import audit
from . import lattice as K
from .bits import Patterns
from .domain_faces import domain_faces, rounded
from .exact import Forms
from .forms import Rows, Task, rows_of
from .kernel import refine, refine_largest
from .lattice import Faces, Output
from .program import BIT, PRE, SPARSE, TEST, WIDE, Plan
from .refined import Refined, Round
from .rounding import bounds
from .undecided import Corners, Referee

VAGUE = 1e-6  # error of a vertex, in units of the domain's size, beyond which it is made exact
VAGUER = 1e-4  # the same for sparse layers, where exact forms take a second or more
FIRST = 150  # pieces of one cell that are worth spreading over the cores
BITS = 4096  # bits of a pattern that one round adds at most
HELD = 1 << 26  # bytes of patterns in one output
FARTHEST = 2.0**1023


_pool: list[ThreadPoolExecutor] = []


def _executor() -> ThreadPoolExecutor:
    if not _pool:
        _pool.append(ThreadPoolExecutor(available(), thread_name_prefix="linregions"))
    return _pool[0]


class TooLarge(Exception):
    """The complex would take more memory than was allowed."""


class TooFar(LinregionsError):
    """The corners of the domain are too far apart in size for floats."""


class Refinement:
    """Refine a bounded domain of dimension 1 to 4 by all layers of a network.

    ``memory``: raise `TooLarge` where one round would write more bytes than that.
    """

    def __init__(self, problem: Restricted, memory: int | None = None) -> None:
        k = problem.dimension
        if not 1 <= k <= 4:
            raise LinregionsError(
                f"a cell complex is built in 1 to 4 dimensions, and this domain has {k}; restrict "
                'it to a plane or a slice, or count with engine="search"'
            )
        self._measure(problem, None)
        if not self.plan.bounded and not 2.0**-MILD < self.reach < 2.0**MILD:
            corners = np.abs([[nearest(c) for c in p] for p in self.corners]).max(axis=0)
            self._measure(problem, np.minimum(corners, FARTHEST))
        if not self.reach < 2.0 ** (4 * MILD):
            raise TooFar(
                f"{problem.domain.describe()} has corners beyond 1e400, where the cell complex's "
                'floats overflow; count with engine="search" or take a smaller domain'
            )
        self.net = self.plan.layers
        with np.errstate(over="ignore", invalid="ignore"):  # no bound is an infinite one
            self.errors = np.nan_to_num(bounds(self.plan), nan=np.inf, posinf=np.inf)
        self.domain = _domain_rows(self.plan)
        self.stats = {"cells_refined": 0, "doubtful_cells": 0, "rational": 0}
        self.stop = Event()
        self.trip = np.zeros(1, np.int64)  # raised, it stops the kernels of all threads
        self.memory = memory
        self.written = 0

    def _measure(self, problem: Restricted, reach: np.ndarray | None) -> None:
        """The plan, and the faces of the domain in its coordinates."""
        self.plan = Plan(problem, reach)
        self.forms = Forms(self.plan)
        self.faces, self.corners = domain_faces(self.forms, problem.domain.describe())
        self.reach = float(np.max(np.abs(self.faces.x)) + np.max(self.faces.r))

    def kernel_data(self) -> tuple[float, np.ndarray]:
        """What composing forms takes besides the network: size of coordinates, error bounds."""
        return self.reach, self.errors

    def rounds(self, k: int) -> list[Round]:
        """All rounds of the refinement."""
        out, cells = [], 1
        table = self.net.table
        for layer in range(len(table) - 1):
            first, last = int(table[layer, TEST]), int(table[layer + 1, TEST])
            per, most = max(1, int(table[layer, WIDE])), self._most(layer)
            base = int(table[layer, BIT]) - per * first
            few = k + 1
            while sum(comb(few, i) for i in range(k + 1)) < FIRST:
                few += 1
            few = max(1, few // most)
            while last > first:
                full = cells < 50 and last - first > 1.5 * few
                size = min(few if full else last - first, BITS // per)
                out.append(Round(layer, first, first + size, base + per * first, per * size))
                first += size
                few *= 4
            cells *= 1 << min(last - int(table[layer, TEST]), 20)
        return out

    def _most(self, layer: int) -> int:
        """Walls that one unit of a layer may put into a cell, about."""
        units = self.plan.units[layer]
        many = max(units.pieces_per_unit(), default=1) if isinstance(units, MaxUnits) else 2
        return max(1, many - 1)

    def run(
        self, count_only: bool = False, progress: Callable[[int, float], None] | None = None
    ) -> Refined:
        """Refine to the end; an interrupt or the trip wire ends after the last complete round."""
        begin = time.perf_counter()
        X, k = self.faces, self.faces.k
        rounds, audited = self.rounds(k), asked()
        known, none = Patterns.none(1, self.plan.bits), np.zeros((1, 0), np.uint64)
        done = Refined(X, 1, known, np.zeros(1, np.int32), none, 0, 0, 0.0)
        clock = current()
        clock.known, clock.stage = lambda: done.cells, "complex"
        try:
            for n, round_ in enumerate(rounds):
                check()
                known = done.patterns()
                short = count_only and n == len(rounds) - 1
                X = X._replace(bits=known.words)
                with clock.wire(self.trip, 0):
                    done = self._round(round_, X, known, short and not audited)
                if audited and short:
                    audit.same(round_, done, self._round(round_, X, known, True))
                if done.faces is not None:
                    X = done.faces
                    self._sharpen(done, X)
                if audited:
                    audit.look(self.forms, round_, done, self.faces, self.corners)
                if progress is not None:
                    progress(done.cells, time.perf_counter() - begin)
        except (KeyboardInterrupt, Tripped) as stop:
            self.halt()
            done.complete, done.stopped = False, reason_of(stop)
        done.seconds = time.perf_counter() - begin
        done.stats = self.stats
        return done

    def halt(self) -> None:
        """Let all threads end soon; the round under way is lost."""
        self.stop.set()
        self.trip[0] = 1

    def _sharpen(self, done: Refined, X: Faces) -> None:
        """Put the vertices that floats know too badly exactly where they are."""
        limit = VAGUER if self.net.table[:, SPARSE].any() else VAGUE
        bad = np.flatnonzero(X.r > limit * self.reach)
        if not len(bad):
            return
        K.hosts(X.k, X.at, X.ptr, X.idx, X.host)
        for cell in np.unique(X.host[bad]):
            check()
            bits = done.bits_of(np.array([cell]))[0]
            corners = Corners(self.forms, X, int(cell), bits)
            for g in bad[X.host[bad] == cell].tolist():
                X.x[g], X.r[g] = rounded(corners.at(g))
                self.stats["rational"] += 1

    def _round(self, this: Round, X: Faces, known: Patterns, count_only: bool) -> Refined:
        k, cells = X.k, len(X.bits)
        self.written = 0
        faces = int(X.at[-1])
        K.hosts(k, X.at, X.ptr, X.idx, X.host)
        tally = np.zeros((k + 1, faces if not count_only else 1), np.int32)
        outputs: list[Output] = []
        doubtful: list[int] = []
        work = max(1, min(4 * available(), cells // 24))
        edges = np.linspace(0, cells, work + 1).astype(np.int64).tolist()
        ranges = iter(list(itertools.pairwise(edges)))

        def worker() -> None:
            mine = _Worker(self, this, X, known, count_only, tally)
            for begin, end in ranges:
                if self.stop.is_set():
                    return
                mine.range(begin, end)
            outputs.extend(mine.outputs)
            doubtful.extend(mine.doubtful)

        if work == 1 or available() == 1:
            worker()
        else:
            jobs = [_executor().submit(worker) for _ in range(available())]
            try:
                for job in jobs:
                    job.result()
            except BaseException:  # an interrupt, or no room: let the others end first
                self.halt()
                for job in jobs:
                    job.exception()
                raise
        if doubtful:
            self.stats["doubtful_cells"] += len(doubtful)
            mine = _Worker(self, this, X, known, count_only, tally)
            for cell in sorted(doubtful):
                check()
                mine.settle(cell)
            outputs += mine.outputs
        found = int(sum(o.st[K.LEFT] for o in outputs))
        self.stats["cells_refined"] += cells
        if count_only:
            none = np.zeros((0, 0), np.uint64)
            parent = np.zeros(0, np.int32)
            return Refined(None, found, known, parent, none, this.bit, this.bits, 0.0)
        new, parent, bits = _assemble(k, X, outputs, tally, this.bits)
        return Refined(new, found, known, parent, bits, this.bit, this.bits, 0.0)


def _domain_rows(plan: Plan) -> np.ndarray:
    """``b - A x >= 0``: coefficients, constant, and the rounding of both."""
    A, b, off_a, off_b = plan.rows
    return np.ascontiguousarray(np.column_stack([-A, b, off_a.max(axis=1, initial=0.0), off_b]))


class _Worker:
    """One thread's arrays and output in one round."""

    def __init__(
        self, owner: Refinement, this: Round, X: Faces, known: Patterns, count_only: bool, tally
    ) -> None:
        self.owner, self.this, self.X, self.known = owner, this, X, known
        self.task = Task(
            this.layer, this.first, this.last, 0, 0, count_only,
            owner.reach, owner.errors, known.slots, owner.domain, tally,
        )  # fmt: skip
        self.rows: Rows = rows_of(owner.net, known.words.shape[1], known.base, owner.trip)
        units, self.size = owner.plan.units[this.layer], 256
        self.most = max(units.pieces_per_unit()) if isinstance(units, MaxUnits) else 0
        self.contest: K.Contest | None = None
        self._room()
        # large arrays come in large pages: first touch costs a fraction
        self.pieces = min(max(4096, 32 * len(X.bits)), 524288)
        self.pieces = max(4096, min(self.pieces, 2 * HELD // (8 * (1 + this.bits // 64))))
        self.outputs: list[Output] = []
        self.doubtful: list[int] = []
        self._next()

    def _room(self) -> None:
        this, X = self.this, self.X
        tests = this.last - this.first
        faces = int(X.at[-1])
        self.local = K.workspace(X.k, faces, tests, this.bits, self.size, self.most)
        if self.most:
            forms = int(np.diff(self.owner.net.table[:, PRE])[this.layer])
            self.contest = K.contest(X.k, self.size, self.most, forms)

    def _next(self) -> None:
        self.out = K.output(self.X.k, self.this.bits, self.pieces)
        self.owner.written += sum(a.nbytes for a in self.out)
        if self.owner.memory is not None and self.owner.written > self.owner.memory:
            self.owner.stop.set()
            raise TooLarge
        self.outputs.append(self.out)

    def _call(self, begin: int, end: int, told: K.Answers) -> int:
        todo = self.task._replace(begin=begin, end=end)
        given: Any = self.owner.net, self.X, self.rows, self.local, self.out, told, todo
        kernel: Any = refine_largest if self.most else refine
        status = kernel(*given, *([self.contest] if self.most else []))
        if status == K.STOPPED:
            raise Tripped
        if status == K.LOCAL:
            self.size *= 2
            self._room()
        elif status == K.FULL and self.out.st[K.DOUBTFUL] == len(self.out.doubtful):
            self._collect()
        elif status == K.FULL:
            self._collect()
            if self.out.st[K.HELD] == 0:
                self.pieces *= 2
                self.outputs.pop()
            self._next()
        return status

    def _collect(self) -> None:
        st = self.out.st
        self.doubtful += self.out.doubtful[: st[K.DOUBTFUL]].tolist()
        st[K.DOUBTFUL] = 0

    def range(self, begin: int, end: int) -> None:
        """Refine the cells of a range."""
        while begin < end:
            out = self.out
            status = self._call(begin, end, K.NOBODY)
            begin = int(out.st[K.NEXT])
            if status == K.DOUBT:
                self.doubtful.append(begin)
                begin += 1
        self._collect()

    def settle(self, cell: int) -> None:
        """Refine one doubtful cell, asking the referee as often as needed."""
        owner = self.owner
        bits = self.known.of(np.array([cell]))[0]
        referee = Referee(owner.forms, self.X, cell, bits, self.this.layer, self.this.first)
        told = referee.answers()
        while True:
            out = self.out
            status = self._call(cell, cell + 1, told)
            if status == K.DONE:
                return
            if status == K.DOUBT:
                asked = int(out.st[K.ASKED])
                owner.stats["rational"] += asked
                referee.settle(self.local, self.contest, asked)
                told = referee.answers()


def _each(task: Callable[[Output], None], outputs: list[Output]) -> None:
    """Do it for every output, on all cores where there is enough to do."""
    if len(outputs) < 2 or sum(int(o.st[K.HELD]) for o in outputs) < 20_000:
        for o in outputs:
            task(o)
    else:
        list(_executor().map(task, outputs))


def _assemble(k: int, X: Faces, outputs: list[Output], tally: np.ndarray, many: int):
    """The new complex from what the hosts have written."""
    start = np.zeros(tally.shape, np.int64)
    np.cumsum(tally[:, :-1], axis=1, out=start[:, 1:])
    counts = tally.sum(axis=1, dtype=np.int64)
    at = np.concatenate([[0], np.cumsum(counts)])
    ptr = np.zeros(at[-1] + 1, np.int64)

    def count(o: Output) -> None:
        h = o.st[K.HELD]
        K.lengths(o.name[:h], o.dim[:h], o.size[:h], start, at, ptr)

    _each(count, outputs)
    np.cumsum(ptr, out=ptr)
    idx = np.empty(ptr[-1], np.int32)
    own = np.empty(counts[k - 1], np.int32)
    x, r = np.empty((counts[0], k)), np.empty(counts[0])
    parent = np.empty(counts[k], np.int32)
    bits = np.empty((counts[k], (many + 63) // 64), np.uint64)
    new = Faces(k, at, ptr, idx, own, np.empty(at[-1], np.int32), x, r, np.zeros((0, 0), np.uint64))
    low = (1 << K.RANK) - 1

    def write(o: Output) -> None:
        v, c = o.st[K.POINTS], o.st[K.PIECES]
        K.links(new, o, start)
        to = start[0, o.vertex[:v] >> K.RANK] + (o.vertex[:v] & low)
        x[to], r[to] = o.x[:v], o.r[:v]
        to = start[k, o.cell[:c] >> K.RANK] + (o.cell[:c] & low)
        parent[to], bits[to] = o.parent[:c], o.bits[:c]

    _each(write, outputs)
    return new, parent, bits


def suits_complex(problem: Restricted) -> bool:
    """Whether ``auto`` counts with the complex: a bounded domain of 1 to 4 dimensions."""
    return bool(problem.bounded) and 1 <= problem.dimension <= 4
