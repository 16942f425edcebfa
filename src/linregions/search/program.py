"""A restricted network as the flat arrays that the kernel reads, and the cursor it moves."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..domain.restrict import Restricted
from ..domain.scaling import exponent, exponents, grid, measurable, reach_of
from ..jit import plain
from ..network.affine import INPUT, ONE, Affine
from ..network.rational import dense, is_rational, nearest, rounded
from ..network.scaling import CUT, coordinates, inequalities, scaled
from ..network.units import Activation, MaxUnits, Pointwise
from ..progress import check
from ..roundoff import ROUNDOFF
from .column_generation import fill, padded, rows_of_columns, width_of_columns
from .cursor import BORN, BOUNDED, EMIT, NCON, NIN, NPT, ZONOTOPE
from .forms import H_MAX, KIND, set_errors
from .lp import COUNTS, POWER, SCALE, SPAN
from .records import LOGGING
from .zonotope import HI, LO, SPANS, Zonotope

TAME = 900  # exponents that products along all layers must stay within
LEAST = 40  # of a scaled network: bits that a weight may be below the rest of its row


class Program(NamedTuple):
    """What never changes in a search.

    ``layers`` has one row per layer (and one more for the ends of ranges), with the columns
    that `forms` names. Values are numbered with the k coordinates first. Weights of pre-activation
    i are ``W[rows[i]:rows[i + 1]]``, over the range of values that the layer reads or, in a
    sparse layer, at the values ``cols`` of the same places.

    A layer of max units has its arguments as pre-activations and, after them, the differences
    ``z_j - z_i`` (i < j) of each unit, one row ("cut") each; ``owner`` is the unit of a row.
    """

    k: int
    n_layers: int
    W: np.ndarray
    layers: np.ndarray
    layers_cut: np.ndarray
    gamma: np.ndarray  # rounding of a dot product, relative to the sum of absolute values
    units: np.ndarray  # (pre-activations, 3): weight error, bias, bias error
    first_piece: np.ndarray
    pieces: np.ndarray  # (pieces, 2): slope, shift
    cut_unit: np.ndarray
    cuts: np.ndarray  # (breakpoints, 2): place, its error
    rows: np.ndarray
    cols: np.ndarray
    groups: np.ndarray  # (max units, 3): first row, first place in args, value
    args: np.ndarray  # pre-activations that the max units compare
    owner: np.ndarray  # the max unit of each row, or -1
    blur: float  # how far a point may be off the one it stands for


class Cursor(NamedTuple):
    """Where a search stands; see `kernel` for the names."""

    st: np.ndarray
    F: np.ndarray
    cand: np.ndarray
    con: np.ndarray
    pts: np.ndarray
    sign: np.ndarray
    G: np.ndarray
    A: np.ndarray
    T: np.ndarray
    S: np.ndarray
    I: np.ndarray
    MR: np.ndarray
    box: np.ndarray
    V: np.ndarray
    X: np.ndarray
    ok: np.ndarray
    live: np.ndarray
    H: np.ndarray
    Z: np.ndarray
    out_signs: np.ndarray
    out_points: np.ndarray
    log: np.ndarray
    reals: np.ndarray
    divides: np.ndarray


class _Block(NamedTuple):
    """Weights of one layer (dense or CSR) over the values lo to hi, biases, and their errors."""

    matrix: Any
    lo: int
    hi: int
    error: np.ndarray
    bias: np.ndarray
    bias_error: np.ndarray

    @property
    def sparse(self) -> bool:
        return sparse.issparse(self.matrix)

    @property
    def values(self) -> np.ndarray:
        """The weights, row by row."""
        return self.matrix.data if self.sparse else self.matrix.ravel()

    @property
    def longest(self) -> int:
        """Most weights in a row."""
        if self.sparse:
            return int(np.diff(self.matrix.indptr).max(initial=0))
        return self.hi - self.lo


def _same(a: Any, b: Any) -> np.ndarray:
    """Which rows of two matrices are equal."""
    unequal = a != b
    return np.asarray(dense(unequal.sum(axis=1))).ravel() == 0


def _largest(a: Any) -> np.ndarray:
    """Largest absolute value of each row."""
    if a.shape[1] == 0:
        return np.zeros(a.shape[0])
    return np.asarray(dense(abs(a).max(axis=1))).ravel()


def _with_differences(block: _Block, units: MaxUnits) -> _Block:
    """The rows ``z_j - z_i`` of every max unit, behind those of its arguments."""
    pairs = [(i, j) for g in units.groups for n, i in enumerate(g) for j in g[n + 1 :]]
    low, high = (np.array([p[s] for p in pairs], dtype=np.int64) for s in (0, 1))
    W, b = block.matrix, block.bias
    rows, shift = W[high] - W[low], b[high] - b[low]
    error = block.error[high] + block.error[low]
    # a float difference is off by at most half a unit in its last place; it is exact where
    # adding back gives both numbers again
    exact = _same(rows + W[low], W[high]) & _same(W[high] - rows, W[low])
    error = error + np.where(exact, 0.0, ROUNDOFF * _largest(rows))
    sure = (shift + b[low] == b[high]) & (b[high] - shift == b[low])
    off = (
        block.bias_error[high] + block.bias_error[low] + np.where(sure, 0.0, ROUNDOFF * abs(shift))
    )
    stack = sparse.vstack if block.sparse else np.vstack
    matrix: Any = stack([W, rows])
    return _Block(
        sparse.csr_array(matrix) if block.sparse else matrix,
        block.lo,
        block.hi,
        np.concatenate([block.error, error]),
        np.concatenate([b, shift]),
        np.concatenate([block.bias_error, off]),
    )


class _Tables:
    """The tables of a `Program`, filled layer by layer."""

    def __init__(self) -> None:
        self.table: list[list[int]] = []
        self.gamma: list[float] = []
        self.W: list[np.ndarray] = []
        self.cols: list[np.ndarray] = []
        self.lengths: list[np.ndarray] = []
        self.unit_rows: list[np.ndarray] = []
        self.first_piece: list[int] = []
        self.pieces: list[tuple[float, float]] = []
        self.cut_unit: list[int] = []
        self.cuts: list[tuple[float, float]] = []
        self.groups: list[tuple[int, int, int]] = []
        self.args: list[int] = []
        self.owner: list[int] = []
        self.pre = 0

    def layer(
        self, value: int, block: _Block, gamma: float, level: int, chain: bool, kind: int
    ) -> None:
        """One row of the layer table, before the tables grow."""
        self.table.append([
            self.pre, len(self.cut_unit), value, block.lo, block.hi, level, chain,
            kind, len(self.groups), block.sparse,
        ])  # fmt: skip
        self.gamma.append(gamma)

    def block(self, block: _Block) -> None:
        """Append the weights of a layer."""
        rows = len(block.bias)
        self.W.append(block.values)
        if block.sparse:
            self.cols.append(block.matrix.indices.astype(np.int64) + block.lo)
            self.lengths.append(np.diff(block.matrix.indptr))
        else:
            self.cols.append(np.zeros(0, np.int64))
            self.lengths.append(np.full(rows, block.hi - block.lo))
        self.unit_rows.append(np.column_stack([block.error, block.bias, block.bias_error]))
        self.pre += rows

    def units(self, units: Pointwise | MaxUnits, fan_in: int, value: int) -> None:
        """Append the units of a layer: its rows, pieces and groups."""
        if isinstance(units, MaxUnits):
            self._max_units(units, fan_in, value)
            return
        kinds = [kind_in_floats(kind) for kind in units.kinds]
        for i, which in enumerate(units.which):
            mine, places = kinds[which]
            self.first_piece.append(len(self.pieces))
            self.pieces += mine
            self.cuts += places
            self.cut_unit += [self.pre + i] * len(places)
            self.owner += [-1] * len(places)

    def _max_units(self, units: MaxUnits, fan_in: int, value: int) -> None:
        row = self.pre + fan_in
        for u, group in enumerate(units.groups):
            pairs = len(group) * (len(group) - 1) // 2
            self.owner += [len(self.groups)] * pairs
            self.groups.append((len(self.cut_unit), len(self.args), value + u))
            self.args += [self.pre + a for a in group]
            self.cut_unit += range(row, row + pairs)
            self.cuts += [(0.0, 0.0)] * pairs
            row += pairs
        self.first_piece += [-1] * (row - self.pre)

    def program(self, k: int, values: int) -> Program:
        """The finished tables."""
        last = [self.pre, len(self.cut_unit), values, 0, 0, -1, 0, 0]
        self.table.append([*last, len(self.groups), 0])
        self.groups.append((len(self.cut_unit), len(self.args), values))
        layers = np.array(self.table, np.int64)
        cols = np.zeros(0, np.int64)
        if any(len(c) for c in self.cols):
            full = [
                c if len(c) else np.zeros(len(w), np.int64)
                for c, w in zip(self.cols, self.W, strict=True)
            ]
            cols = np.concatenate(full)
        return Program(
            k,
            len(layers) - 1,
            np.concatenate([np.zeros(0), *self.W]),
            layers,
            np.ascontiguousarray(layers[:, 1]),
            np.array(self.gamma),
            np.concatenate([np.zeros((0, 3)), *self.unit_rows]),
            np.array(self.first_piece, np.int64),
            np.array(self.pieces, np.float64).reshape(-1, 2),
            np.array(self.cut_unit, np.int64),
            np.array(self.cuts, np.float64).reshape(-1, 2),
            np.concatenate([[0], np.cumsum(np.concatenate([[], *self.lengths]))]).astype(np.int64),
            cols,
            np.array(self.groups, np.int64),
            np.array(self.args, np.int64),
            np.array(self.owner, np.int64),
            0.0,
        )


class Compiled:
    """The program of a restricted network, with its coordinate scale.

    Kernel coordinates are ``y_j / 2^scale_j`` on a bounded domain, so that they lie in
    [-1, 1]; multiplying a column by a power of two is exact.

    Attributes
    ----------
    network
        The network of ``y / fold``: that of the problem with ``fold = unit``, or, where products
        of its numbers might leave the floats, one that is scaled (`scaling.scaled`) and reads
        kernel coordinates, with ``fold = 1``.
    tame
        Whether no product of the program's numbers can over- or underflow.
    """

    def __init__(self, problem: Restricted) -> None:
        self.problem = problem
        self.network = problem.network
        self.k = self.network.inputs
        self.zonotope: Zonotope | None = problem.zonotope
        reach = reach_of(problem) if self.zonotope is None else self.zonotope.reach
        self.reach = measurable(reach)
        self.bounded = self.reach is not None
        scale = exponents(self.reach, self.k)
        self.rows_inexact = is_rational(problem.A), is_rational(problem.b)
        with np.errstate(all="ignore"):  # what leaves the floats is not tame
            self._measure(scale)
            self.fold = self.unit
            self.rows_A, self.rows_b = rounded(problem.A) * self.unit, rounded(problem.b)
            self.program = self._compiled()
            self.tame = _tame(self.program, self.rows_A, self.rows_b)
            if not self.tame:
                self._rescale(scale)

    def _measure(self, scale: np.ndarray) -> None:
        """Measure the coordinates in units of ``2^scale``."""
        self.scale = scale
        self.unit = np.ldexp(1.0, scale)  # y = unit * kernel coordinate

    def _compiled(self) -> Program:
        self.V, self.spans, blur = self._seen()
        return self._program()._replace(blur=blur)

    def _rescale(self, scale: np.ndarray) -> None:
        """Compile the scaled network; the given one stays where that is not tame either."""
        net, A, b = self.network, self.problem.A, self.problem.b
        cut = min(CUT, (TAME - 1) // (len(net.layers) + 2) - 1)
        if cut < LEAST:
            return
        before = dict(self.__dict__)
        if self.reach is None:
            scale = coordinates(net, A)
        self._measure(scale)
        rows = inequalities(A, b, scale)
        self.network, self.fold = scaled(net, scale, cut).network, np.ones(self.k)
        self.rows_A, self.rows_b = rows.A, rows.b
        self.program = self._compiled()
        self.tame = _tame(self.program, self.rows_A, self.rows_b)
        if not self.tame or rows.A_error.any() or rows.b_error.any():
            self.__dict__.update(before)

    def _seen(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The zonotope's rows in kernel coordinates, their size, and the error of an image.

        A point is an image of one of the box, rounded, or a mixture of at most ``rows`` such; a
        path has no more mixtures than pairs of rows, each with some roundings for every point.
        """
        if self.zonotope is None:
            return np.zeros((0, 0)), np.zeros(0), 0.0
        V = np.ascontiguousarray(self.zonotope.V / self.unit[:, None])
        size = np.maximum(abs(self.zonotope.lo), abs(self.zonotope.hi))
        spans, rows = 1.01 * (abs(V) @ size), sum(self.network.widths) + 2
        mixed = max(80, 3 * (rows + 8)) * rows**2
        return V, spans, float((V.shape[1] + 4) * ROUNDOFF * spans.max() + mixed * ROUNDOFF)

    @property
    def scaled(self) -> bool:
        """Whether the units are measured in other units than those of the problem's network."""
        return self.network is not self.problem.network

    def image(self, x: np.ndarray) -> np.ndarray:
        """Kernel coordinates of a point of the box behind a zonotope."""
        return self.V @ x

    def _program(self) -> Program:
        net, k = self.network, self.k
        sizes = [k, *net.widths]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        out = _Tables()
        level, chain = 0, True
        for n, layer in enumerate(net.layers, start=1):
            check()
            block = self._block(layer.affine, n, sizes, start)
            if isinstance(layer.units, MaxUnits):
                block = _with_differences(block, layer.units)
            sources = layer.affine.sources
            level = self._lattice(block, level, sources, n)
            chain = chain and sources in ((), (n - 1,))  # each layer reads just the one before
            gamma = 0.0 if sources == (INPUT,) else 1.02 * (block.longest + 2) * ROUNDOFF
            kind = int(isinstance(layer.units, MaxUnits))
            out.layer(start[n], block, gamma, level, chain, kind)
            out.units(layer.units, layer.affine.size, start[n])
            out.block(block)
        return out.program(k, start[-1])

    def _block(self, affine: Affine, n: int, sizes: list[int], start: np.ndarray) -> _Block:
        """The weights of a layer over the range of values that it reads, with row errors."""
        sources = affine.sources or (n - 1,)
        lo, hi = int(start[sources[0]]), int(start[sources[-1] + 1])
        csr = all(affine.is_sparse(s) for s in sources)
        csr = csr and INPUT not in sources and affine.size * (hi - lo) > 4096
        error = np.zeros(affine.size)
        parts: Any = []
        matrix = np.zeros((0 if csr else affine.size, hi - lo))
        for source in sources:
            at, size = int(start[source]) - lo, sizes[source]
            if csr:
                W, err = affine.csr(source, size)
                W = W.tocoo()
                parts.append(
                    sparse.coo_array((W.data, (W.row, W.col + at)), (affine.size, hi - lo))
                )
            else:
                W, err = affine.rounded(source, size)
                if source == INPUT:
                    W = W * self.fold
                    err = None if err is None else err * self.fold
                matrix[:, at : at + size] = W
            if err is not None and err.size:
                error = np.maximum(error, dense(err.max(axis=1)).ravel())
        if csr:
            matrix = sparse.csr_array(sum(parts[1:], parts[0]))
            if matrix.nnz > 0.2 * affine.size * (hi - lo):
                matrix = matrix.toarray()
        offset, off_err = affine.rounded(ONE, 1)
        b_err = np.zeros(affine.size) if off_err is None else off_err[:, 0]
        return _Block(matrix, lo, hi, error, offset[:, 0], b_err)

    def _lattice(self, block: _Block, level: int, sources: tuple[int, ...], n: int) -> int:
        """Exponent q such that all values of the layer are integers times 2^-q, or -1."""
        if level < 0 or sources != (n - 1,) or block.error.any() or block.bias_error.any():
            return -1
        q = max(grid(block.values) + level, grid(block.bias))
        return q if q <= 48 else -1

    @property
    def cuts(self) -> int:
        """Rows of the network: breakpoints of all units."""
        return len(self.program.cut_unit)

    def cursor(self, witness: np.ndarray, emit: int = 0, logging: bool = False) -> Cursor:
        """A cursor at the root. ``witness`` is an interior point in kernel coordinates.

        With ``logging`` it writes down its decisions; see `records`.
        """
        P, k = self.program, self.k
        cuts, m0 = self.cuts, len(self.rows_b)
        widest = int(np.max(np.diff(P.layers_cut), initial=1))
        frames, rows = cuts + 2, cuts + m0
        wide = plain(padded)(rows)
        cap = min(max(2 * k + 4, 12), 24)
        V = k + sum(self.network.widths)
        C = Cursor(
            st=np.zeros(32, np.int64),
            F=np.zeros((frames, BORN + 1), np.int64),
            cand=np.empty((frames, widest), np.int32),
            con=np.empty((frames, rows + 1), np.int32),
            pts=np.empty((frames, cap, k)),
            sign=np.ones(rows, np.int8),
            G=np.zeros((rows, k + 9)),
            A=np.zeros((k + 2, wide)),
            T=np.zeros((2 * k, k)),
            S=np.zeros((13, max(k + 2, wide))),
            I=np.zeros((COUNTS + 1, max(rows + 1, k, self.V.shape[1], 32)), np.int64),
            MR=np.zeros((2, max(k, 4), max(k, 4))),
            V=self.V,
            X=self._inputs(),
            box=np.zeros((2 * P.n_layers + 2, k)),
            ok=np.ones(P.n_layers + 1, np.bool_),
            live=np.zeros(P.n_layers + 1, np.int64),
            H=np.zeros((k + 6, V)),
            Z=np.zeros((len(P.units), k + 3)),
            out_signs=np.zeros((emit, cuts), np.uint8),
            out_points=np.zeros((emit, k)),
            log=self._log(logging),
            reals=np.zeros(self._room() if logging else 0),
            divides=np.zeros(cuts if logging else 0, np.bool_),
        )
        C.st[LOGGING] = self._room() // 4 if logging else 0
        C.S[SCALE, :k] = self.unit
        C.st[EMIT], C.st[BOUNDED] = emit > 0, self.bounded
        if self.zonotope is not None:
            C.st[BOUNDED] = ZONOTOPE
        C.H[:k, :k] = np.eye(k)
        C.H[k + H_MAX, :k] = 1.0
        self._domain_rows(C, cuts, m0)
        C.con[0, :m0] = cuts + np.arange(m0)
        C.pts[0, 0] = witness
        C.F[0, [NCON, NIN, NPT]] = m0, 1, 1
        return C

    def _log(self, logging: bool) -> np.ndarray:
        """A log, or a matrix where the kernel needs neither records nor max units."""
        if logging or np.any(self.program.layers[:, KIND]):
            return np.zeros(self._room() if logging else 0, np.int32)
        return np.zeros((0, 0), np.int32)

    def _room(self) -> int:
        """Length of a cursor's log: four times what one node writes at most."""
        widest = int(np.max(np.diff(self.program.layers_cut), initial=1))
        return max(4 * (widest + 2 * self.k + 4) * (self.k + 6), 1 << 16)

    def _inputs(self) -> np.ndarray:
        n, k = self.V.shape[1], self.k
        if self.zonotope is None:
            return np.zeros(0)  # of one dimension: the kernel is compiled without zonotopes
        rows = self.cuts + len(self.rows_b)
        X = np.zeros((rows_of_columns(k, rows), max(n, k + 1, width_of_columns(rows))))
        X[LO, :n], X[HI, :n] = self.zonotope.lo, self.zonotope.hi
        X[SPANS, :k] = self.spans
        fill(X, self.V)
        return X

    def _domain_rows(self, C: Cursor, cuts: int, m0: int) -> None:
        """``b - A x >= 0`` as rows of the cursor, with their rounding."""
        k = self.k
        for r in range(m0):
            c, row, const = cuts + r, -self.rows_A[r], self.rows_b[r]
            power = -exponent(np.max(np.abs(row), initial=0.0))
            C.G[c, :k] = np.ldexp(row, power)
            C.G[c, k] = np.ldexp(const, power)
            ew = ROUNDOFF if self.rows_inexact[0] else 0.0
            ec = abs(C.G[c, k]) * ROUNDOFF if self.rows_inexact[1] else 0.0
            level = -1 if any(self.rows_inexact) else grid(C.G[c, : k + 1])
            plain(set_errors)(C.G, c, ew, ec, level if level <= 48 else -1)
            C.G[c, k + SPAN], C.G[c, k + POWER] = -1, power


@cache
def kind_in_floats(kind: Activation) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Slope and shift of every piece, place and rounding of every breakpoint."""
    pieces = [(nearest(s), nearest(c)) for s, c in zip(kind.slopes, kind.intercepts, strict=True)]
    places = []
    for t in kind.breaks:
        at = nearest(t)
        known = isfinite(at) and Fraction(at) == t
        places.append((at, 0.0 if known else abs(at) * ROUNDOFF + 2.0**-1074))
    return pieces, places


def _tame(program: Program, A: np.ndarray, b: np.ndarray) -> bool:
    """No product along the layers can overflow or underflow, so error bounds are relative."""
    low = high = 0
    for values in (program.W, program.units.ravel(), program.pieces.ravel(), A.ravel(), b):
        x = np.abs(values[values != 0.0])
        if not np.isfinite(x).all():
            return False
        if x.size:
            e = np.frexp(x)[1]
            low, high = min(low, int(e.min())), max(high, int(e.max()))
    return (program.n_layers + 2) * max(-low, high) < TAME
