"""From a network and segments to the arrays of the sweep, and the threads that run it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import LinregionsError, UnsupportedNetwork
from ..jit import Tripped
from ..network.affine import INPUT, ONE
from ..network.network import Network
from ..network.rational import nearest
from ..network.scaling import measured
from ..network.units import Pointwise
from ..progress import current
from ..roundoff import ROUNDOFF
from . import kernel as line

NEAR = 1.0 + 1e-9  # for norms computed in floats
DEAD = 1e300
MOST = 1 << 24  # mesh points of one segment


@dataclass(frozen=True, eq=False)
class Sweeper:
    """A network prepared for sweeps along segments."""

    program: line.LineProgram
    inputs: tuple[np.ndarray | None, ...]  # per layer, the weights of the input
    biases: tuple[np.ndarray, ...]
    columns: int
    widest: int
    trip: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # of its kernels

    @property
    def rows(self) -> int:
        """Breakpoints of all units."""
        return len(self.program.unit_of)


_prepared: WeakKeyDictionary[Network, Sweeper] = WeakKeyDictionary()


def prepare(network: Network) -> Sweeper:
    """The sweeper of a network, kept as long as the network is."""
    found = _prepared.get(network)
    if found is None:
        with np.errstate(all="ignore"):  # what leaves the floats makes no bound: all is in doubt
            found = _prepared[network] = _prepare(measured(network).network)
    return found


def _prepare(net: Network) -> Sweeper:
    for i, layer in enumerate(net.layers, start=1):
        if not isinstance(layer.units, Pointwise):
            raise UnsupportedNetwork(
                f"layer {i} has max units ({layer.units.describe()}), which the line engine "
                "does not take yet"
            )
    starts = np.concatenate([[0], np.cumsum(net.widths)]).astype(np.int64)
    columns = int(starts[-1])
    table = np.zeros((len(net.layers), 13), np.int64)
    norms = np.zeros((len(net.layers), 11))
    W: list[np.ndarray] = []
    T: list[np.ndarray] = []
    dead: list[np.ndarray] = []
    inputs: list[np.ndarray | None] = []
    biases: list[np.ndarray] = []
    for i in range(len(net.layers)):
        block, before, weight, bias = _layer(net, i, starts, table[i], norms[i])
        table[i, line.W_AT] = sum(w.size for w in W)
        table[i, line.T_AT] = sum(t.size for t in T) if before is not None else -1
        W.append(block.ravel())
        if before is not None:
            T.append(np.ascontiguousarray(before.T).ravel())
        affine = net.layers[i].affine
        still = np.ones(affine.size, bool)
        for source in affine.sources:
            still &= np.asarray(affine.reads(source, net.size_of(source)).sum(axis=1)).ravel() == 0
        dead.append(np.where(still, DEAD, 0.0))
        inputs.append(None if weight is None else np.ascontiguousarray(weight))
        biases.append(bias)
    for i in range(len(net.layers)):
        later = table[i + 2 :, line.LO] if i + 2 < len(table) else table[i + 1 :, line.LO]
        table[i, line.LIVE] = min(later, default=columns)
        after = zip(table[i + 1 :, line.LO], inputs[i + 1 :], strict=True)
        table[i, line.NECK] = all(lo >= starts[i] and w is None for lo, w in after)
    units = _units(net, table, norms)
    nothing = np.zeros(0)
    rows = [w.reshape(len(b), -1) for w, b in zip(W, biases, strict=True)]
    lengths = [np.linalg.norm(w, axis=1) * NEAR + line.SMALL for w in rows]
    program = line.LineProgram(
        table,
        norms,
        np.concatenate([nothing, *W]),
        np.concatenate([nothing, *T]),
        np.stack([np.concatenate([nothing, *lengths]), np.concatenate([nothing, *dead])]),
        *units,
    )
    widest = max(net.widths, default=0)
    return Sweeper(program, tuple(inputs), tuple(biases), columns, widest)


def _layer(net: Network, i: int, starts: np.ndarray, t: np.ndarray, c: np.ndarray) -> Any:
    """Weights over the columns read, those of the layer before, of the input, and the bias."""
    affine = net.layers[i].affine
    n = affine.size
    hidden = [s for s in affine.sources if s != INPUT]
    lo = int(starts[hidden[0] - 1]) if hidden else int(starts[-1])
    hi = int(starts[hidden[-1]]) if hidden else lo
    block, error = np.zeros((n, hi - lo)), 0.0
    for source in hidden:
        matrix, bound = affine.rounded(source, net.size_of(source))
        block[:, starts[source - 1] - lo : starts[source] - lo] = matrix
        error += 0.0 if bound is None else float(np.sum(bound**2))
    before = block[:, starts[i - 1] - lo : starts[i] - lo] if i in hidden else None
    weight, bound = affine.rounded(INPUT, net.inputs) if INPUT in affine.sources else (None, None)
    bias, bias_error = affine.rounded(ONE, 1)
    t[line.N], t[line.COL], t[line.LO], t[line.HI] = n, starts[i], lo, hi
    t[line.UNIT] = starts[i]
    c[line.FRO] = _norm(block)
    c[line.SPEC] = _spectral(block)
    c[line.W_ERR] = np.sqrt(error) * NEAR
    c[line.BIAS] = _norm(bias)
    c[line.B_ERR] = 0.0 if bias_error is None else _norm(bias_error)
    if weight is not None:
        c[line.IN_FRO] = _norm(weight)
        c[line.IN_ERR] = 0.0 if bound is None else _norm(bound)
        c[line.N_IN] = net.inputs
    if before is not None and before.size:
        c[line.WIDEST] = np.linalg.norm(before, axis=0).max() * NEAR + line.SMALL
    return block, before, weight, bias[:, 0]


def _norm(values: np.ndarray) -> float:
    """Euclidean norm, rounded up; 0 only where all entries are."""
    return float(np.linalg.norm(values)) * NEAR + line.SMALL if values.any() else 0.0


def _spectral(W: np.ndarray) -> float:
    """A bound of the largest singular value: the sum of their 8th powers, to the power 1/8."""
    if not W.size:
        return 0.0
    scale = float(np.abs(W).max())
    if scale == 0.0:
        return 0.0
    V = W / scale
    square = V.T @ V if V.shape[0] > V.shape[1] else V @ V.T
    return scale * float(np.linalg.norm(square @ square)) ** 0.25 * NEAR + line.SMALL


def _units(net: Network, table: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pieces and rows of all units; fills in what the layer table says about them."""
    first_piece: list[int] = []
    pieces: list[tuple[float, float]] = []
    row_of, unit_of = [0], []
    places: list[float] = []
    bends: list[float] = []
    for i, layer in enumerate(net.layers):
        units = layer.units
        assert isinstance(units, Pointwise)
        table[i, line.ROW] = len(places)
        at = []
        for kind in units.kinds:
            at.append(len(pieces))
            exact = zip(kind.slopes, kind.intercepts, strict=True)
            pieces += [(nearest(s), nearest(c)) for s, c in exact]
        for u, which in enumerate(units.which):
            kind = units.kinds[which]
            first_piece.append(at[which])
            places += [nearest(b) for b in kind.breaks]
            slopes = [Fraction(s) for s in kind.slopes]
            bends += [nearest(b - a) for a, b in pairwise(slopes)]
            unit_of += [u] * len(kind.breaks)
            row_of.append(len(places))
        norms[i, line.LIP] = max(
            (abs(nearest(s)) for k in units.kinds for s in k.slopes), default=0
        )
        zero = [abs(nearest(units.kinds[which](Fraction(0)))) for which in units.which]
        norms[i, line.AT_ZERO] = _norm(np.array(zero))
        largest = max((abs(t) for t in places[table[i, line.ROW] :]), default=0.0)
        norms[i, line.B_ERR] += 4 * ROUNDOFF * largest
        simple = all(len(k.breaks) == 1 and k.breaks[0] == 0 for k in units.kinds)
        rectifiers = all(k.slopes == (0, 1) and k.value == 0 for k in units.kinds)
        table[i, line.PLAIN] = 0 if not simple else (1 if rectifiers else 2)
    return (
        np.array([[*first_piece, 0], row_of], np.int64),
        np.array(pieces, np.float64).reshape(-1, 2),
        np.array([places, bends], np.float64),
        np.array(unit_of, np.int64),
    )


Share = Callable[[Callable[[int, int], None], int, int], None]


def points_of(
    sweeper: Sweeper, x: np.ndarray, weights: np.ndarray, errors: np.ndarray, share: Share
) -> tuple[line.LineProgram, line.Points]:
    """Program and `data.Points` for ends x (points, n) with these weights and rounding."""
    program = sweeper.program
    table, parts, at = program.table.copy(), [], 0
    for i, (weight, bias) in enumerate(zip(sweeper.inputs, sweeper.biases, strict=True)):
        part = bias
        if weight is not None:
            part = np.empty((len(x), len(bias)))
            share(partial(_multiply, x, weight, part, sweeper.trip), len(x), 16)
            part += weights[:, None] * bias
        table[i, line.C_AT], table[i, line.C_ROW] = at, weight is not None
        parts.append(part.ravel())
        at += part.size
    sizes = np.sqrt(np.einsum("ij,ij->i", x, x)) * NEAR + line.SMALL
    C = np.concatenate([np.zeros(0), *parts])
    return program._replace(table=table), line.Points(C, np.stack([weights, sizes, errors]))


def _multiply(
    x: np.ndarray, W: np.ndarray, out: np.ndarray, trip: np.ndarray, first: int, last: int
) -> None:
    if line.multiply(x, W.ravel(), W.shape[0], first, last, out, trip) < last:
        raise Tripped


def _scratch(sweeper: Sweeper, cap: int) -> line.Scratch:
    wide, nodes = max(sweeper.widest, 1), 4 * line.SPAN
    return line.Scratch(
        np.empty((2, 2, cap)),
        np.empty((2, cap), np.int64),
        np.empty((2, cap, sweeper.columns)),
        np.empty((3, cap, wide)),
        np.empty((3, cap)),
        np.empty(cap, np.int64),
        np.empty((3, wide)),
        np.empty((len(sweeper.biases), 3)),
        np.zeros((3, nodes), np.int64),
        np.zeros((2, nodes)),
        sweeper.trip,
    )


@dataclass(frozen=True, eq=False)
class Swept:
    """What the sweep found: per segment its outcome, signs of the rows at its first end, breaks.

    ``ptr`` (segments + 1): the breaks of a segment are ``s[ptr[i]:ptr[i + 1]]``, made by ``row``.
    """

    outcome: np.ndarray
    starts: np.ndarray
    ptr: np.ndarray
    s: np.ndarray
    row: np.ndarray

    def first(self, m: int) -> Swept:
        """That of the first m segments."""
        end = int(self.ptr[m])
        return Swept(
            self.outcome[:m], self.starts[:m], self.ptr[: m + 1], self.s[:end], self.row[:end]
        )


class _Work:
    """Batches of segments, shared by the threads; each fills its own pieces of the output."""

    def __init__(self, sweeper: Sweeper, program: Any, points: Any, ends: np.ndarray) -> None:
        self.sweeper, self.program, self.points = sweeper, program, points
        self.clock = current()
        m = len(ends)
        self.starts = np.zeros((m, sweeper.rows), np.bool_)
        self.outcome = np.zeros(m, np.int8)
        self.counts = np.zeros(m, np.int64)
        self.job = line.LineJob(ends, self.starts, self.outcome, self.counts)
        self.local = threading.local()
        self.pieces: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    def batch(self, first: int, last: int) -> None:
        """Segments first .. last - 1, in the thread's work space, which grows where it must."""
        pieces, room = [], 256 * (last - first) + 1024
        S = getattr(self.local, "scratch", None)
        if S is None:
            S = _scratch(self.sweeper, 4 * max(self.sweeper.rows, 64) + 64)
        k = first
        while k < last:
            self.clock.check()
            s, row = np.empty(room), np.empty(room, np.int64)
            found = line.Found(s, row)
            k, used = line.run(self.program, self.points, S, self.job, found, k, last, 0)
            pieces.append((s[:used], row[:used]))
            if k < last and self.outcome[k] == line.STOPPED:
                raise Tripped
            if k < last and self.outcome[k] == line.FULL:
                if S.row.shape[1] >= MOST:
                    raise LinregionsError(
                        f"segment {k} has more than {MOST:,} breakpoints; give a shorter one"
                    )
                S = _scratch(self.sweeper, 2 * S.row.shape[1])
            room = max(room, 2 * S.row.shape[1])
        self.pieces[first] = pieces
        self.local.scratch = S

    def result(self) -> Swept:
        """All pieces in order."""
        parts = [p for first in sorted(self.pieces) for p in self.pieces[first]]
        ptr = np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)
        s = np.concatenate([np.zeros(0), *(a for a, _ in parts)])
        row = np.concatenate([np.zeros(0, np.int64), *(b for _, b in parts)])
        return Swept(self.outcome, self.starts, ptr, s, row)


def sweep(
    sweeper: Sweeper,
    x: np.ndarray,
    weights: np.ndarray,
    errors: np.ndarray,
    ends: np.ndarray,
    threads: int,
) -> Swept:
    """Sweep segments between points x[ends[:, 0]] and x[ends[:, 1]] in float64."""
    with current().wire(sweeper.trip, 0):
        return _shared_sweep(sweeper, x, weights, errors, ends, threads)


def _shared_sweep(
    sweeper: Sweeper, x: np.ndarray, weights: np.ndarray, errors: np.ndarray, ends: np.ndarray,
    threads: int,
) -> Swept:  # fmt: skip
    m = len(ends)
    if not sweeper.biases:  # no hidden layer bends anything
        none = np.zeros((m, 0), np.bool_)
        ints = np.zeros(0, np.int64)
        return Swept(np.zeros(m, np.int8), none, np.zeros(m + 1, np.int64), np.zeros(0), ints)
    if threads == 1 or m == 1:
        return _sweep(sweeper, x, weights, errors, ends, lambda job, n, size: job(0, n))
    with ThreadPoolExecutor(threads) as pool:

        def share(job: Callable[[int, int], None], n: int, size: int) -> None:
            """Call ``job(first, last)`` on batches of 0 .. n - 1, from all threads."""
            todo = iter(range(0, n, size))  # next() is atomic

            def worker() -> None:
                for first in todo:
                    job(first, min(first + size, n))

            for future in [pool.submit(worker) for _ in range(threads)]:
                future.result()

        return _sweep(sweeper, x, weights, errors, ends, share)


def _sweep(
    sweeper: Sweeper,
    x: np.ndarray,
    weights: np.ndarray,
    errors: np.ndarray,
    ends: np.ndarray,
    share: Share,
) -> Swept:
    with np.errstate(all="ignore"):  # an infinite bound leaves all in doubt
        program, points = points_of(sweeper, x, weights, errors, share)
    work = _Work(sweeper, program, points, ends)
    share(work.batch, len(ends), 4)
    return work.result()
