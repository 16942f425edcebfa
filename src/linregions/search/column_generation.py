"""Over a cell of a zonotope: vertices as columns of a small linear programme (Dantzig, Wolfe).

A point of the zonotope is a mixture ``sum t_p v_p`` of vertices, ``t >= 0``, ``sum t = 1``. Over
the vertices known so far, "minimise the row where the cell's m rows are not negative" is a
programme of m + 1 rows that the primal simplex method solves from a known point of the cell,
which is a column too. Its multipliers leave a rest of the row whose least vertex, in closed
form, is the next column; the value there bounds the minimum from below. It stops once either end
tells the sign. Vertices are kept from cell to cell: mostly few new ones are needed.
"""

from __future__ import annotations

import numpy as np

from ..jit import FAST, LONG, inner, plain, raised
from .cursor import NCON, NIN
from .lp import (
    ACTIVE,
    BASIS,
    BELOW,
    CONST_AT,
    END,
    FAILED,
    INSIDE,
    MULT,
    ORDER,
    RESID,
    SLACK,
    TRIP,
    W,
    Z,
)
from .zonotope import ALPHA, HI, LO, REST, SPANS, proved_zonotope, support, through

POOL = 160  # vertices kept
LEAST = POOL + 1  # number of a column that stands for the least of all rows
PIVOTS = 120  # fewer than POOL: so a vertex in the basis is never replaced
# Rows of X: when each vertex was last used, by the clock X[SPANS, k]; prices; the entering
# column, and in terms of the basis; shares of the basis; multipliers, the last of them the
# value; then k rows of coordinates and m + 1 of the inverse of the basis.
USED, PRICE, COLUMN, ENTERS, SHARE, PI, POINTS = range(REST, REST + 7)


@inner()
def padded(m):
    """m + 1 or somewhat more: whole vectors of sixteen, as long as A and S have room for.

    Rows of the inverse are zero behind m + 1, so what stands there elsewhere does not matter.
    """
    return (m + 16) // 16 * 16


def width_of_columns(rows: int) -> int:
    """Columns of X that programmes of so many rows take."""
    return max(POOL, plain(padded)(rows))


def rows_of_columns(k: int, rows: int) -> int:
    """Rows of X in all."""
    return POINTS + k + rows + 1


def fill(X: np.ndarray, V: np.ndarray) -> None:
    """The first vertices: those of random directions."""
    k, n = V.shape
    costs = np.random.default_rng(0).standard_normal((POOL, k)) @ V
    X[POINTS : POINTS + k, :POOL] = V @ np.where(costs > 0.0, X[LO, :n], X[HI, :n]).T


@inner(fastmath=FAST)
def combine(C, d, form, stop, skip):
    """Minimise ``S[W] . y + const`` over a cell of the zonotope, from the best of its points.

    Row ``skip`` is left out. Returns as `lp.minimise`, and stops below ``stop`` or where the
    minimum is proved positive: INSIDE with ``count`` multipliers, BELOW with a point in S[END],
    FAILED where the sign stays open.
    """
    S, I, m = C.S, C.I, C.F[d, NCON]
    pi = C.X[PI]
    first, value = _best(C, d, form.const)
    _begin(C, d, first, value)
    mu = value
    for _ in range(PIVOTS):
        if raised(C.st, TRIP):
            break
        if mu < stop:
            return _mixture(C, d, first, mu)
        enter, gain, const = _priced(C, m, form.const, mu)
        if enter == POOL:  # nothing known improves it: ask for another vertex
            count = 0
            for r in range(m):
                if pi[r] > 1e-12:
                    I[BASIS, count], S[MULT, count] = r, pi[r]
                    count += 1
            least = proved_zonotope(C, d, form, count)
            if least > 0.0:
                I[ACTIVE, 0] = 1
                return INSIDE, least, count
            enter, gain = _new_vertex(C, const)
            if gain > -1e-10:
                break
        _column(C, m, enter)
        out = _leaving(C, m, skip)
        if out < 0:
            break
        _pivot(C, m, enter, out, gain)
        mu = pi[m]
    if mu < -1e-9 and not raised(C.st, TRIP):
        return _mixture(C, d, first, mu)
    I[ACTIVE, 0] = 0
    return FAILED, value, 0


@inner(fastmath=FAST)
def middle(C, d):
    """Seek a point where the least of the m rows is large; that least, and the point in S[END].

    Witnesses come from ends of programmes, one from another, ever nearer to the cell's walls.
    """
    S, k, m = C.S, C.pts.shape[2], C.F[d, NCON]
    for c in range(k):
        S[W, c] = 0.0
    _begin(C, d, 0, 0.0)
    enter, gain, mu = LEAST, -1.0, 0.0
    for _ in range(PIVOTS):
        if raised(C.st, TRIP):
            break
        _column(C, m, enter)
        out = _leaving(C, m, np.int64(-1))
        if out < 0:
            break
        _pivot(C, m, enter, out, gain)
        mu = C.X[PI, m]
        enter, gain, const = _priced(C, m, 0.0, mu)
        if enter == POOL:
            through(k, S[RESID], C.V, C.X[ALPHA])
            enter, gain = _new_vertex(C, const)
            if gain > 0.1 * mu:  # no more to win than a tenth of it
                break
    _mixture(C, d, 0, mu)
    return -mu


@inner(fastmath=FAST)
def _best(C, d, wc):
    """The point of the cell where the row is least, and its value there."""
    first, least = 0, 0.0
    for p in range(C.F[d, NIN]):
        value = wc
        for c in range(C.pts.shape[2]):
            value += C.S[W, c] * C.pts[d, p, c]
        if p == 0 or value < least:
            first, least = p, value
    return first, least


@inner(fastmath=FAST)
def _begin(C, d, first, value):
    """The basis of a point: all slacks, and the point itself as a column (numbered POOL)."""
    S, I, X = C.S, C.I, C.X
    k, m = C.pts.shape[2], C.F[d, NCON]
    share, pi, inverse = X[SHARE], X[PI], POINTS + k
    wide = padded(m)
    for r in range(m):
        share[r] = S[CONST_AT, r]
    for c in range(k):
        f, a = C.pts[d, first, c], C.A[c]
        for r in range(m):
            share[r] += f * a[r]
    for r in range(m):
        share[r] = max(share[r], 0.0)
        row = X[inverse + r]
        for c in range(wide):
            row[c] = 0.0
        row[r], row[m] = -1.0, share[r]
        pi[r] = 0.0
        I[ORDER, r] = -1 - r
    row = X[inverse + m]
    for c in range(wide):
        row[c] = 0.0
    row[m] = share[m] = 1.0
    pi[m] = value
    I[ORDER, m] = POOL


@inner(fastmath=LONG)
def _priced(C, m, wc, mu):
    """The known column, or slack (-1 - its row), that improves most; POOL for none."""
    S, X, k = C.S, C.X, C.pts.shape[2]
    g, pi = S[RESID], X[PI]
    price, at = X[PRICE], X[POINTS:]
    const = wc - mu
    for r in range(m):
        const -= pi[r] * S[CONST_AT, r]
    for c in range(k):
        f, a = S[W, c], C.A[c]
        for r in range(m):
            f -= pi[r] * a[r]
        g[c] = f
    for p in range(POOL):
        price[p] = const
    for c in range(0, k - 3, 4):  # four at once: prices are fetched and stored less often
        f0, v0 = g[c], at[c]
        f1, v1 = g[c + 1], at[c + 1]
        f2, v2 = g[c + 2], at[c + 2]
        f3, v3 = g[c + 3], at[c + 3]
        for p in range(POOL):
            price[p] += f0 * v0[p] + f1 * v1[p] + f2 * v2[p] + f3 * v3[p]
    for c in range(k - k % 4, k):
        f, v = g[c], at[c]
        for p in range(POOL):
            price[p] += f * v[p]
    least, best, enter = 0.0, -1e-9, POOL
    for p in range(POOL):
        if price[p] < least:
            least = price[p]
    if least < best:
        best, enter = least, 0
        while price[enter] > least:
            enter += 1
    for r in range(m):  # a multiplier below zero: its row need not be tight
        if pi[r] * S[SLACK, r] < best:
            best, enter = pi[r] * S[SLACK, r], -1 - r
    return enter, (pi[-1 - enter] if enter < 0 else best), const


@inner(fastmath=FAST)
def _new_vertex(C, gain):
    """Remember the vertex where the rest of the row is least, in place of the longest unused."""
    X, k = C.X, C.pts.shape[2]
    y, used = C.S[Z], X[USED]
    support(C, y)
    place = 0
    for p in range(POOL):
        if used[p] < used[place]:
            place = p
    for c in range(k):
        X[POINTS + c, place] = y[c]
        gain += C.S[RESID, c] * y[c]
    _touch(k, X, place)
    return place, gain


@inner()
def _touch(k, X, place):
    """This vertex is the one used last."""
    X[SPANS, k] += 1.0
    X[USED, place] = X[SPANS, k]


@inner(fastmath=LONG)
def _column(C, m, enter):
    """The entering column, in terms of the basis."""
    X, k = C.X, C.pts.shape[2]
    column, out, inverse = X[COLUMN], X[ENTERS], POINTS + k
    if enter < 0:
        r = -1 - enter
        for i in range(m + 1):
            out[i] = -X[inverse + i, r]
        return
    if enter == LEAST:
        for i in range(m + 1):
            out[i] = 0.0
            for r in range(m):
                out[i] -= X[inverse + i, r]
        return
    wide = padded(m)
    for r in range(wide):
        column[r] = C.S[CONST_AT, r]
    for c in range(k):
        f, a = X[POINTS + c, enter], C.A[c]
        for r in range(wide):
            column[r] += f * a[r]
    column[m] = 1.0
    for i in range(m + 1):
        row, total = X[inverse + i], 0.0
        for r in range(wide):
            total += row[r] * column[r]
        out[i] = total


@inner(fastmath=FAST)
def _leaving(C, m, skip):
    """The place that leaves the basis: the first share to reach zero."""
    X, I = C.X, C.I
    share, rate = X[SHARE], X[ENTERS]
    out, most = -1, 0.0
    for i in range(m + 1):
        if rate[i] > 1e-11 and (skip < 0 or I[ORDER, i] != -1 - skip):
            q = rate[i] / max(share[i], 1e-13)
            if q > most:
                most, out = q, i
    return out


@inner(fastmath=FAST)
def _pivot(C, m, enter, out, gain):
    """One column enters, one leaves."""
    X, k = C.X, C.pts.shape[2]
    share, rate, pi = X[SHARE], X[ENTERS], X[PI]
    inverse = POINTS + k
    pivot = 1.0 / rate[out]
    t = max(share[out], 0.0) * pivot
    tight, wide = X[inverse + out], padded(m)
    for c in range(wide):
        tight[c] *= pivot
        pi[c] += gain * tight[c]
    for i in range(m + 1):
        f = rate[i]
        if i != out and f != 0.0:
            row = X[inverse + i]
            for c in range(wide):
                row[c] -= f * tight[c]
            share[i] = max(share[i] - t * f, 0.0)
    share[out] = t
    C.I[ORDER, out] = enter
    if 0 <= enter < POOL:
        _touch(k, X, enter)


@inner(fastmath=FAST)
def _mixture(C, d, first, mu):
    """S[END] from the shares: a point of the zonotope, relative to the witness."""
    S, I, X = C.S, C.I, C.X
    pts, k = C.pts, C.pts.shape[2]
    end, share, total = S[END], X[SHARE], 0.0
    for c in range(k):
        end[c] = 0.0
    for i in range(C.F[d, NCON] + 1):
        p, t = I[ORDER, i], share[i]
        if 0 <= p <= POOL:
            total += t
            for c in range(k):
                end[c] += t * (pts[d, first, c] if p == POOL else X[POINTS + c, p])
    for c in range(k):
        end[c] = end[c] / total - pts[d, 0, c]
    I[ACTIVE, 0] = 1
    return BELOW, mu, 0
