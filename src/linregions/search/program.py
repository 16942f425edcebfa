"""A restricted network as the flat arrays that the kernel reads, and the cursor it moves."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from ..affine import INPUT, ONE, UNIT
from ..domain import Restricted
from ..errors import UnsupportedNetwork
from ..rational import is_rational, rounded
from ..units import Activation, Pointwise
from .forms import H_MAX, set_errors
from .kernel import BOUNDED, EMIT, EXACT, NCON, NIN, NPT
from .lp import SPAN


class Program(NamedTuple):
    """What never changes in a search.

    ``layers`` has one row per layer (and one more for the ends of ranges): first
    pre-activation, first breakpoint row, first output value, range of values read, place of
    its weights in ``W``, lattice exponent. Values are numbered with the k coordinates first.
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
    ok: np.ndarray
    live: np.ndarray
    H: np.ndarray
    Z: np.ndarray
    out_signs: np.ndarray
    out_points: np.ndarray


class Compiled:
    """The program of a restricted network, with its coordinate scale.

    Kernel coordinates are ``y_j / 2^scale_j`` on a bounded domain, so that they lie in
    [-1, 1]; multiplying a column by a power of two is exact.
    """

    def __init__(self, problem: Restricted) -> None:
        net = problem.network
        for i, layer in enumerate(net.layers, start=1):
            if not isinstance(layer.units, Pointwise):
                raise UnsupportedNetwork(
                    f"layer {i} has max units ({layer.units.describe()}), which the search engine "
                    "does not take yet"
                )
        self.problem = problem
        self.network = net
        self.k = net.inputs
        self.reach = _reach(problem)
        self.bounded = self.reach is not None
        self.scale = np.zeros(self.k, dtype=np.int64)
        if self.reach is not None:
            self.scale = np.array([_exponent(r) for r in self.reach], dtype=np.int64)
        self.unit = np.ldexp(1.0, self.scale)  # y = unit * kernel coordinate
        self.rows_A = rounded(problem.A) * self.unit
        self.rows_b = rounded(problem.b)
        self.rows_inexact = is_rational(problem.A), is_rational(problem.b)
        self.program = self._program()
        self.tame = _tame(self.program, self.rows_A, self.rows_b)

    def _program(self) -> Program:
        net, k = self.network, self.k
        sizes = [k, *net.widths]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        table, gamma, W, units = [], [], [], []
        cut_unit, cuts, first_piece, pieces = [], [], [], []
        level = used = pre = 0
        chain = True
        for n, layer in enumerate(net.layers, start=1):
            block, error, lo, hi = self._block(layer.affine, n, sizes, start)
            offset, off_err = layer.affine.rounded(ONE, 1)
            b_err = np.zeros((block.shape[0], 1)) if off_err is None else off_err
            sources = layer.affine.sources
            level = self._lattice(block, offset, error, b_err, level, sources, n)
            chain = chain and sources in ((), (n - 1,))  # each layer reads just the one before
            table.append([pre, len(cut_unit), start[n], lo, hi, used, level, chain])
            gamma.append(0.0 if sources == (INPUT,) else 1.02 * (hi - lo + 2) * UNIT)
            W.append(block.ravel())
            units.append(np.column_stack([error, offset[:, 0], b_err[:, 0]]))
            assert isinstance(layer.units, Pointwise)
            kinds = [_kind(kind) for kind in layer.units.kinds]
            for i, which in enumerate(layer.units.which):
                mine, places = kinds[which]
                first_piece.append(len(pieces))
                pieces += mine
                cuts += places
                cut_unit += [pre + i] * len(places)
            pre += block.shape[0]
            used += block.size
        table.append([pre, len(cut_unit), start[-1], 0, 0, used, -1, 0])
        layers = np.array(table, np.int64)
        return Program(
            k,
            len(net.layers),
            np.concatenate([np.zeros(0), *W]),
            layers,
            np.ascontiguousarray(layers[:, 1]),
            np.array(gamma),
            np.concatenate([np.zeros((0, 3)), *units]),
            np.array(first_piece, np.int64),
            np.array(pieces, np.float64).reshape(-1, 2),
            np.array(cut_unit, np.int64),
            np.array(cuts, np.float64).reshape(-1, 2),
        )

    def _block(self, affine, n, sizes, start):
        """One dense matrix over the range of values that a layer reads, and its row errors."""
        sources = affine.sources or (n - 1,)
        lo, hi = int(start[sources[0]]), int(start[sources[-1] + 1])
        block = np.zeros((affine.size, hi - lo))
        error = np.zeros(affine.size)
        for source in sources:
            matrix, err = affine.rounded(source, sizes[source])
            if source == INPUT:
                matrix = matrix * self.unit
                err = None if err is None else err * self.unit
            at = int(start[source]) - lo
            block[:, at : at + sizes[source]] = matrix
            if err is not None and err.size:
                error = np.maximum(error, err.max(axis=1))
        return block, error, lo, hi

    def _lattice(self, W, b, w_err, b_err, level, sources, n) -> int:
        """Exponent q such that all values of the layer are integers times 2^-q, or -1."""
        if level < 0 or sources != (n - 1,) or w_err.any() or b_err.any():
            return -1
        q = max(_grid(W) + level, _grid(b))
        return q if q <= 48 else -1

    @property
    def cuts(self) -> int:
        """Rows of the network: breakpoints of all units."""
        return len(self.program.cut_unit)

    def cursor(self, witness: np.ndarray, exact: bool, emit: int = 0) -> Cursor:
        """A cursor at the root. ``witness`` is an interior point in kernel coordinates."""
        P, k = self.program, self.k
        cuts, m0 = self.cuts, len(self.rows_b)
        widest = int(np.max(np.diff(P.layers_cut), initial=1))
        frames, rows = cuts + 2, cuts + m0
        cap = min(max(2 * k + 4, 12), 24)
        V = k + sum(self.network.widths)
        C = Cursor(
            st=np.zeros(32, np.int64),
            F=np.zeros((frames, 11), np.int64),
            cand=np.empty((frames, widest), np.int32),
            con=np.empty((frames, rows + 1), np.int32),
            pts=np.empty((frames, cap, k)),
            sign=np.ones(rows, np.int8),
            G=np.zeros((rows, k + 7)),
            A=np.zeros((k + 2, (rows + 16) // 16 * 16)),
            T=np.zeros((2 * k, k)),
            S=np.zeros((12, max(k + 2, (rows + 16) // 16 * 16))),
            I=np.zeros((5, max(rows + 1, k)), np.int64),
            MR=np.zeros((2, k, k)),
            box=np.zeros((2 * P.n_layers + 2, k)),
            ok=np.ones(P.n_layers + 1, np.bool_),
            live=np.zeros(P.n_layers + 1, np.int64),
            H=np.zeros((k + 6, V)),
            Z=np.zeros((len(P.units), k + 3)),
            out_signs=np.zeros((emit, cuts), np.uint8),
            out_points=np.zeros((emit, k)),
        )
        C.st[EMIT], C.st[EXACT], C.st[BOUNDED] = emit > 0, exact, self.bounded
        C.H[:k, :k] = np.eye(k)
        C.H[k + H_MAX, :k] = 1.0
        self._domain_rows(C, cuts, m0)
        C.con[0, :m0] = cuts + np.arange(m0)
        C.pts[0, 0] = witness
        C.F[0, [NCON, NIN, NPT]] = m0, 1, 1
        return C

    def _domain_rows(self, C: Cursor, cuts: int, m0: int) -> None:
        """``b - A x >= 0`` as rows of the cursor, with their rounding."""
        k = self.k
        for r in range(m0):
            c, row, const = cuts + r, -self.rows_A[r], self.rows_b[r]
            power = -_exponent(np.max(np.abs(row), initial=0.0))
            C.G[c, :k] = np.ldexp(row, power)
            C.G[c, k] = np.ldexp(const, power)
            ew = UNIT if self.rows_inexact[0] else 0.0
            ec = abs(C.G[c, k]) * UNIT if self.rows_inexact[1] else 0.0
            grid = -1 if any(self.rows_inexact) else _grid(C.G[c, : k + 1])
            set_errors.py_func(k, C.G, c, ew, ec, grid if grid <= 48 else -1)
            C.G[c, k + SPAN] = -1


@cache
def _kind(kind: Activation) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Slope and shift of every piece, place and rounding of every breakpoint."""
    pieces = [(float(s), float(c)) for s, c in zip(kind.slopes, kind.intercepts, strict=True)]
    exact = [isinstance(t, int | float) or Fraction(float(t)) == t for t in kind.breaks]
    places = [
        (float(t), 0.0 if known else abs(float(t)) * UNIT)
        for t, known in zip(kind.breaks, exact, strict=True)
    ]
    return pieces, places


def _tame(program: Program, A: np.ndarray, b: np.ndarray) -> bool:
    """No product along the layers can overflow or underflow, so error bounds are relative."""
    low = high = 0
    for values in (program.W, program.units.ravel(), program.pieces.ravel(), A.ravel(), b):
        x = np.abs(values[values != 0.0])
        if x.size:
            e = np.frexp(x)[1]
            low, high = min(low, int(e.min())), max(high, int(e.max()))
    return (program.n_layers + 2) * max(-low, high) < 900


def _exponent(x: float) -> int:
    """Smallest e with ``|x| <= 2^e`` (0 for 0)."""
    if x == 0:
        return 0
    mantissa, e = np.frexp(abs(float(x)))
    return int(e) - 1 if mantissa == 0.5 else int(e)


def _grid(values: np.ndarray) -> int:
    """Smallest q >= 0 such that every value is an integer times 2^-q."""
    x = values[values != 0.0]
    if not x.size:
        return 0
    mantissa, e = np.frexp(x)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    low = whole & -whole
    trailing = np.frexp(low.astype(np.float64))[1] - 1
    return max(0, int(np.max(53 - trailing - e)))


def _reach(problem: Restricted) -> np.ndarray | None:
    """Largest |y_j| where single-coordinate rows bound every coordinate, else None."""
    k = problem.dimension
    A, b = rounded(problem.A), rounded(problem.b)
    if problem.bounded is False or len(b) < 2 * k:
        return None
    hi, lo = np.full(k, np.inf), np.full(k, np.inf)
    inexact = is_rational(problem.A) or is_rational(problem.b)
    single = np.count_nonzero(A, axis=1) == 1
    for row, value in zip(A[single], b[single], strict=True):
        j = int(np.flatnonzero(row)[0])
        limit = value / abs(row[j])
        if inexact or abs(row[j]) != 1.0:
            limit += 4 * UNIT * abs(limit)
        if row[j] > 0:
            hi[j] = min(hi[j], limit)
        else:
            lo[j] = min(lo[j], limit)
    reach = np.maximum(np.abs(hi), np.abs(lo))
    return reach if np.isfinite(reach).all() else None
