"""`crossings`: where a network bends along segments, lines and polylines, exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..answer import CutShort
from ..audit import asked
from ..complex.subdivide import compile_complex
from ..definitions import check_exact, check_kind
from ..domain.domains import Line, Segment
from ..errors import LinregionsError
from ..network.arrays import array_of
from ..network.network import Network
from ..network.pattern import pieces
from ..network.rational import is_rational, nearest, rounded
from ..network.scaling import along
from ..processors import available as cores
from ..progress import Status, Stopped, announced, check, current, reason_of
from ..readers import load
from ..roundoff import ROUNDOFF
from ..watching import watchful
from . import audit
from . import by_complex as wide
from . import kernel as line
from .breaks import Breaks, Given
from .exact import ExactBreaks, ExactLine
from .pieces import Pieces, affine_pieces, merge
from .program import Swept, prepare, sweep

SEGMENTS = 1 << 13  # at once, at most
AT_ONCE = 1 << 22  # numbers of one first-layer product


@dataclass(frozen=True, eq=False)
class Crossings(Breaks):
    """Breakpoints of a network along m segments ``p + t (q - p)`` or lines ``p + t d``.

    Attributes
    ----------
    ptr, t
        The breakpoints of segment i are ``t[ptr[i]:ptr[i + 1]]``, strictly ascending (as exact
        numbers; two that differ by less than rounding may be equal as floats).
    row_ptr, rows
        At breakpoint j the rows ``rows[row_ptr[j]:row_ptr[j + 1]]`` switch together: for ReLU
        networks these are units, numbered through all layers, else breakpoints of units; a max
        unit has a row for each pair of its arguments (`MaxUnits.row_weights`).
    start
        (m, rows) whether each row is positive on the segment's first interval.
    exact
        Whether every decision was justified.
    stats
        Segments settled in floating point (``float``), in rational arithmetic (``rational``),
        and left in doubt (``doubtful``: large convolutions only).
    seconds
        Time taken, compilation apart.
    stopped
        Why it holds the first segments only: ``seconds`` or ``interrupt``; else empty.
    """

    @property
    def regions(self) -> np.ndarray:
        """(m,) activation regions along each: intervals of positive length of one pattern."""
        return np.diff(self.ptr) + 1

    def count(self, kind: str = "activation") -> np.ndarray:
        """(m,) regions along each segment.

        ``activation``: intervals of one pattern. ``linear``: intervals joined where the affine
        map does not change. ``affine``: distinct affine maps of t.
        """
        check_kind(kind)
        if kind == "activation":
            return self.regions
        return self._merged[kind]

    @cached_property
    def _merged(self) -> dict[str, np.ndarray]:
        return merge(self)

    @cached_property
    def changes(self) -> np.ndarray:
        """(breakpoints,) whether the affine map changes there, decided exactly."""
        return self._merged["changes"].astype(bool)

    @cached_property
    def pieces(self) -> Pieces:
        """The affine map of t on every interval, in float64."""
        return affine_pieces(self)

    def exact_t(self, i: int) -> list[Fraction]:
        """The breakpoints of one segment as rationals."""
        a, b = int(self.ptr[i]), int(self.ptr[i + 1])
        if all(j in self.rational for j in range(a, b)):
            return [self.rational[j] for j in range(a, b)]
        if wide.is_wide(self.network):
            return wide.exact_times(self.network, self.given, i)
        return self.rationally.breaks(*self.given.exact(i)).t

    def patterns(self, i: int) -> np.ndarray:
        """(intervals, units) piece of every unit on each interval of a segment."""
        return pieces(self.network, self.signs(i))

    def intervals(self, i: int) -> np.ndarray:
        """(intervals + 1,) ends of the intervals: the first end, the breakpoints, the last."""
        ends = (-np.inf, np.inf) if self.given.lines else (0.0, 1.0)
        return np.concatenate([[ends[0]], self.t[self.ptr[i] : self.ptr[i + 1]], [ends[1]]])

    def points(self, i: int) -> np.ndarray:
        """(breakpoints, n) the breakpoints in input coordinates."""
        t = self.t[self.ptr[i] : self.ptr[i + 1], None]
        p, q = self.given.p[i], self.given.q[i]
        with np.errstate(over="ignore", invalid="ignore"):
            out = p + t * q if self.given.lines else (1.0 - t) * p + t * q
        if not np.isfinite(out).all():  # infinite is only what lies beyond the floats
            (a, d, _, _), times = self.given.exact(i), self.exact_t(i)
            start, step = [Fraction(v) for v in a], [Fraction(v) for v in d]
            pairs = list(zip(start, step, strict=True))
            out = np.array([[nearest(u + s * v) for u, v in pairs] for s in times])
        return out

    def __repr__(self) -> str:
        what = "lines" if self.given.lines else "segments"
        sure = "exact" if self.exact else f"{self.stats['doubtful']} in doubt"
        return (
            f"<{int(self.regions.sum()):,} regions along {len(self):,} {what}, {sure}{self.remark}>"
        )


# -- the verb ---------------------------------------------------------------------------------


@watchful
def crossings(
    network: Any,
    segments: Any,
    *,
    lines: bool = False,
    exact: bool = True,
    seconds: float | None = None,
    progress: Callable[[Status], None] | None = None,
    threads: int | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Crossings:
    """Breakpoints of a network along segments or lines, all of them, in order.

    Along ``x(t) = p + t (q - p)`` with 0 < t < 1 (or ``p + t d``, t in R) a piecewise-linear
    network is affine between finitely many breakpoints, where one unit or several switch.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    segments
        Array (m, 2, n) of end points p, q, or with ``lines=True`` of points and directions;
        one segment may be (2, n). Or a `Segment` or a `Line`, or a list of either. Floats are
        exact.
    lines
        Whether an array holds points and directions of infinite lines.
    exact
        Has no effect: every answer is exact. ``False`` is refused.
    seconds
        Stop after so much time; the answer then holds the first segments only, and says so
        (``complete``, ``stopped``).
    progress
        Called with a `Status` after every few hundred segments.
    threads
        Processors to use; all by default.
    on_interrupt
        As in `count`.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        For NaN, wrong shapes, no segments, equal ends, a zero direction.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> found = crossings(net, [[[-1.0], [3.0]]])
    >>> found.t, found.rows, found.regions
    (array([0.25, 0.5 ]), array([0, 1]), array([3]))
    """
    check_exact(exact)
    net = load(network, shape=shape)
    given = _given(segments, lines, net.inputs)
    if wide.is_wide(net):
        return _wide(net, given, progress)
    sweeper = prepare(net)
    line_compile()
    start, clock = time.perf_counter(), current()
    threads = cores() if threads is None else max(1, int(threads))
    m = len(given.both)
    parts, stopped = [], ""
    step = min(SEGMENTS, max(1, AT_ONCE // max(net.inputs, *net.widths, 1) // 2))
    clock.stage = "lines"
    try:
        for first in range(0, m, step):
            check()
            parts.append(_floats(sweeper, given, first, min(first + step, m), threads))
            if progress is not None:
                found = sum(len(s.s) + len(s.starts) for s in parts)
                progress(Status(found, time.perf_counter() - start, "line"))
    except KeyboardInterrupt as stop:
        if not parts:
            raise
        given, stopped = given.first(sum(len(s.starts) for s in parts)), reason_of(stop)
    return _assemble(net, given, _joined(parts), start, stopped)


def _wide(net: Network, given: Given, progress: Callable[[Status], None] | None) -> Crossings:
    """Every segment as a complex of dimension one: exact, large convolutions apart."""
    compile_complex(net)
    start, found, total, stopped = time.perf_counter(), [], 0, ""
    try:
        for i in range(len(given.both)):
            check()
            found.append(wide.breaks(net, given, i))
            total += len(found[-1].t) + 1
            if progress is not None:
                progress(Status(total, time.perf_counter() - start, "line"))
    except KeyboardInterrupt as stop:
        if not found:
            raise
        given, stopped = given.first(len(found)), reason_of(stop)
    rows = [r for f in found for r in f.rows]
    none = np.zeros(0, np.int64)
    return Crossings(
        net,
        given,
        np.cumsum([0, *(len(f.t) for f in found)]),
        np.concatenate([np.zeros(0), *(f.t for f in found)]),
        np.cumsum([0, *map(len, rows)]),
        np.concatenate([none, *rows]),
        np.stack([f.start for f in found]),
        not any(f.undecided for f in found),
        _stats(found),
        time.perf_counter() - start,
        stopped=stopped,
    )


def _stats(found: list[wide.WideBreaks]) -> dict[str, int]:
    doubtful = sum(f.undecided > 0 for f in found)
    out = {"float": len(found) - doubtful, "rational": 0, "doubtful": doubtful}
    undecided = sum(f.undecided for f in found)
    return {**out, "undecided": undecided} if undecided else out


def _floats(sweeper: Any, given: Given, a: int, b: int, threads: int) -> Swept:
    """The float sweep of segments a .. b - 1; a line is two half-lines from its point."""
    m = b - a
    p, q = given.p[a:b], given.q[a:b]
    rounding = np.zeros(m)
    for i in given.exactly:
        if a <= i < b:
            with np.errstate(over="ignore"):
                size = np.linalg.norm(p[i - a]) + np.linalg.norm(q[i - a])
            rounding[i - a] = 2 * ROUNDOFF * size + 1e-150
    if not given.lines:
        x = given.both[a:b].reshape(2 * m, -1)
        ends = np.arange(2 * m).reshape(m, 2)
        return sweep(sweeper, x, np.ones(2 * m), np.repeat(rounding, 2), ends, threads)
    scale = along(p, q)
    with np.errstate(over="ignore", under="ignore"):
        d = q * scale[:, None]
    x = np.concatenate([p, -d, d])
    weights = np.concatenate([np.ones(m), np.zeros(2 * m)])
    rounding = np.concatenate([rounding, rounding * scale, rounding * scale])
    at = np.arange(m)
    ends = np.concatenate([np.column_stack([at, m + at]), np.column_stack([at, 2 * m + at])])
    return _whole(sweep(sweeper, x, weights, rounding, ends, threads), m, scale)


def _whole(halves: Swept, m: int, scale: np.ndarray) -> Swept:
    """Whole lines from the halves towards minus and plus infinity, ``t = s / (1 - s)``."""
    ptr, starts = halves.ptr, halves.starts[:m].copy()
    outcome = np.maximum(halves.outcome[:m], halves.outcome[m:])
    t, row, sizes = [], [], np.zeros(m, np.int64)
    for i in range(m):
        for half, sign in ((i, -1.0), (m + i, 1.0)):
            s, r = halves.s[ptr[half] : ptr[half + 1]], halves.row[ptr[half] : ptr[half + 1]]
            if sign < 0:
                s, r = s[::-1], r[::-1]
                np.logical_xor.at(starts[i], r, True)
            with np.errstate(over="ignore", divide="ignore"):
                t.append(sign * scale[i] * s / (1.0 - s))
            row.append(r)
            sizes[i] += len(s)
    whole = np.concatenate([[0], np.cumsum(sizes)])
    return Swept(outcome, starts, whole, np.concatenate(t), np.concatenate(row))


def _joined(parts: list[Swept]) -> Swept:
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([np.diff(s.ptr) for s in parts])
    return Swept(
        np.concatenate([s.outcome for s in parts]),
        np.concatenate([s.starts for s in parts]),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([s.s for s in parts]),
        np.concatenate([s.row for s in parts]),
    )


def _assemble(net: Network, given: Given, swept: Swept, start: float, stopped: str) -> Crossings:
    """The answer, with the segments in doubt replaced by their rational sweeps."""
    doubt = np.flatnonzero(swept.outcome != line.GOOD)
    engine, found = ExactLine(net) if len(doubt) else None, dict[int, ExactBreaks]()
    current().stage = "lines in rationals"
    try:
        for i in doubt.tolist():
            check()
            assert engine is not None
            found[i] = engine.breaks(*given.exact(i))
    except KeyboardInterrupt as stop:
        end = int(doubt[len(found)])  # the first one that is open
        if not end:
            raise
        given, swept, stopped = given.first(end), swept.first(end), reason_of(stop)
        doubt = doubt[: len(found)]
    m = len(given.both)
    ptr, t, rows, starts = swept.ptr, swept.s, swept.row, swept.starts
    row_ptr = np.arange(len(t) + 1)
    rational: dict[int, Fraction] = {}
    stats = {"float": m - len(doubt), "rational": len(doubt), "doubtful": 0}
    answer: list[Any] = [net, given, ptr, t, row_ptr, rows, starts, True, stats, 0.0, rational]
    if len(doubt):
        answer[2:7] = _replaced(swept, found, rational)
    answer[9] = time.perf_counter() - start
    result = Crossings(*answer, stopped=stopped)
    if len(doubt):
        result.__dict__["rationally"] = engine
    if asked():
        for i in np.flatnonzero(swept.outcome == line.GOOD).tolist():
            audit.breaks(result, i)
    return result


def _replaced(swept: Swept, found: dict[int, ExactBreaks], rational: dict[int, Fraction]) -> Any:
    """The arrays of `Crossings` with some segments from rational sweeps."""
    m = len(swept.starts)
    sizes, t, rows, row_sizes = np.diff(swept.ptr), [], [], []
    at = 0
    for i in range(m):
        if i in found:
            exact = found[i]
            swept.starts[i] = exact.start
            sizes[i] = len(exact.t)
            rational.update((at + j, v) for j, v in enumerate(exact.t))
            t.append(np.array([nearest(v) for v in exact.t]))
            rows += [np.array(sorted(r), np.int64) for r in exact.rows]
            row_sizes.append(np.array([len(r) for r in exact.rows], np.int64))
        else:
            mine = slice(swept.ptr[i], swept.ptr[i + 1])
            t.append(swept.s[mine])
            rows.append(swept.row[mine])
            row_sizes.append(np.ones(sizes[i], np.int64))
        at += int(sizes[i])
    none = np.zeros(0, np.int64)
    return (
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([np.zeros(0), *t]),
        np.concatenate([[0], np.cumsum(np.concatenate([none, *row_sizes]))]),
        np.concatenate([none, *rows]),
        swept.starts,
    )


_compiled = False


def line_compile() -> float:
    """Compile the kernel (once per machine, then cached); returns the seconds taken."""
    global _compiled
    if _compiled:
        return 0.0
    net = Network.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.5]), ([[1.0]], [0.0])])
    x, ends = np.array([[-1.0], [1.0]]), np.array([[0, 1]])
    with announced() as seconds:
        sweep(prepare(net), x, np.ones(2), np.zeros(2), ends, 1)
    _compiled = True
    return seconds()


# -- what is given ----------------------------------------------------------------------------


def _given(segments: Any, lines: bool, n: int) -> Given:
    """Segments or lines from what was passed, checked."""
    if isinstance(segments, Segment | Line):
        segments = [segments]
    if isinstance(segments, list | tuple) and any(isinstance(s, Segment | Line) for s in segments):
        return _domains(list(segments), n)
    try:
        ends = array_of(segments).astype(np.float64)
    except (TypeError, ValueError):
        raise LinregionsError(
            "segments are not numbers; give an array (m, 2, n), or a list of Segment or of Line"
        ) from None
    single = len(ends.shape) > 1 and ends.shape[0] == 2 and prod(ends.shape[1:]) == n
    ends = ends[None] if single else ends
    if ends.ndim > 3 and prod(ends.shape[2:]) == n:  # images
        ends = ends.reshape(*ends.shape[:2], n)
    if ends.ndim != 3 or ends.shape[1:] != (2, n):
        raise LinregionsError(
            f"segments of shape {np.shape(segments)} for a network of {n} inputs; give (m, 2, {n})"
        )
    if not len(ends):
        raise LinregionsError("no segments given; give at least one")
    if not np.isfinite(ends).all():
        raise LinregionsError("the segments hold NaN or infinite values")
    p, q = ends[:, 0], ends[:, 1]
    same = ~q.any(axis=1) if lines else (p == q).all(axis=1)
    if same.any():
        i = int(np.flatnonzero(same)[0])
        what = "the direction is zero" if lines else "both ends are the same point"
        raise LinregionsError(f"{'line' if lines else 'segment'} {i}: {what}")
    return Given(np.ascontiguousarray(ends), lines, {})


def _domains(domains: list[Any], n: int) -> Given:
    kinds = {type(d) for d in domains}
    if kinds not in ({Segment}, {Line}):
        names = ", ".join(sorted(k.__name__ for k in kinds))
        raise LinregionsError(f"a list of {names}; give Segments alone or Lines alone")
    lines = kinds == {Line}
    ends, exactly = [], {}
    for i, d in enumerate(domains):
        d.chart(n)  # raises where the number of inputs does not fit
        pair = (d.p, d.direction) if lines else (d.p, d.q)
        if any(is_rational(v) for v in pair):
            exactly[i] = pair
        ends.append([rounded(v) for v in pair])
    return Given(np.array(ends), lines, exactly)


# -- curves -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Along(CutShort):
    """Regions along a polyline; see `regions_along`.

    Attributes
    ----------
    regions
        Intervals of positive length of one pattern along the curve, joined across joints.
    transitions
        Changes of pattern along the curve, in order of the curve.
    patterns
        Distinct patterns among them: a curve may come back to a region.
    crossings
        The `Crossings` of its segments.
    """

    regions: int
    transitions: int
    patterns: int
    crossings: Crossings

    @property
    def stopped(self) -> str:  # type: ignore[override]
        """Why it is that of the first segments only; see `Crossings`."""
        return self.crossings.stopped

    def __int__(self) -> int:
        return self.regions

    def __str__(self) -> str:
        return f"{'' if self.complete else 'at least '}{self.regions:,} regions{self.remark}"


@watchful
def regions_along(
    network: Any,
    points: Any,
    *,
    closed: bool = False,
    seconds: float | None = None,
    progress: Callable[[Status], None] | None = None,
    on_interrupt: str = "raise",
    **options: Any,
) -> Along:
    """Count activation regions along a curve given as a polyline.

    The curve x(s) runs through the points in order. Counted are the maximal intervals of s, of
    positive length, on which the pattern is the same but for single values of s: two intervals
    that meet in a joint of the polyline with the same pattern are one. A region visited twice is
    counted twice; ``patterns`` counts distinct ones. Repeated points are skipped.

    Parameters
    ----------
    network
        As in `crossings`.
    points
        (k, n), k >= 2.
    closed
        Join the last point to the first; the interval that holds the start is then counted once.
    seconds, progress, on_interrupt, options
        As in `crossings`. Where time ends the answer is that of the first part of the curve: at
        least so many regions.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> answer = regions_along(net, [[-1.0], [0.5], [2.0], [0.5]])
    >>> answer.regions, answer.transitions, answer.patterns
    (4, 3, 3)
    """
    x = array_of(points).astype(np.float64)
    x = x.reshape(len(x), -1) if x.ndim > 2 else x  # images
    if x.ndim != 2 or len(x) < 2:
        raise LinregionsError(f"points of shape {x.shape}; give at least two, shape (k, n)")
    x = np.concatenate([x, x[:1]]) if closed else x
    moved = (x[1:] != x[:-1]).any(axis=1) | ~np.isfinite(x[1:]).all(axis=1)
    if not moved.any():
        raise LinregionsError("all points of the curve are the same")
    ends = np.stack([x[:-1], x[1:]], axis=1)[moved]
    try:
        found = crossings(network, ends, progress=progress, **options)
    except Stopped as stop:
        if stop.partial is None:
            raise
        found, closed = stop.partial, False
    first, last = found.start, _last_signs(found)
    same = int((first[1:] == last[:-1]).all(axis=1).sum())
    around = int(closed and bool((first[0] == last[-1]).all()))
    total = int(found.regions.sum()) - same
    transitions = total - 1 + (closed and not around)
    return Along(max(1, total - around), transitions, _distinct(found), found)


def _last_signs(found: Crossings) -> np.ndarray:
    """(m, rows) signs on the last interval of each segment."""
    segment = np.repeat(np.arange(len(found)), np.diff(found.row_ptr[found.ptr]))
    flips = np.zeros(found.start.shape, np.int64)
    np.add.at(flips, (segment, found.rows), 1)
    return found.start ^ (flips % 2 == 1)


def _distinct(found: Crossings) -> int:
    """Number of distinct patterns on all intervals."""
    seen: set[bytes] = set()
    for i in range(len(found)):
        state = found.start[i].copy()
        seen.add(np.packbits(state).tobytes())
        for j in range(int(found.ptr[i]), int(found.ptr[i + 1])):
            rows = found.rows[found.row_ptr[j] : found.row_ptr[j + 1]]
            state[rows] = ~state[rows]
            seen.add(np.packbits(state).tobytes())
    return len(seen)
