"""Over a cell of a zonotope: vertices as columns of a small linear programme (Dantzig, Wolfe).

A point of the zonotope is a mixture ``sum t_p v_p`` of vertices, ``t >= 0``, ``sum t = 1``. Over
the vertices known so far, "minimise the row where the cell's m rows are not negative" is a
programme of m + 1 rows that the primal simplex method solves from the witness, which is a column
too. Its multipliers leave a rest of the row whose least vertex, in closed form, is the next
column; the value there bounds the minimum from below. It stops once either end tells the sign.
Vertices are kept from cell to cell: mostly few new ones are needed.
"""

from __future__ import annotations

from .lp import (
    ACTIVE,
    BASIS,
    BELOW,
    CONST_AT,
    END,
    FAILED,
    FAST,
    INSIDE,
    MULT,
    ORDER,
    RESID,
    SLACK,
    W,
    Z,
    inner,
)
from .zonotope import ALPHA, KNOWN, PLANES, proved_zonotope, support, through

POOL = 160  # vertices kept
LEAST = POOL + 1  # number of a column that stands for the least of all rows
PIVOTS = 120  # fewer than POOL: so a vertex in the basis is never replaced
# Rows of X behind the half-spaces: when each vertex was last used; prices; the entering column,
# and in terms of the basis; shares of the basis; multipliers, the last of them the value;
# then k rows of coordinates and m + 1 of the inverse of the basis.
USED, PRICE, COLUMN, ENTERS, SHARE, PI, POINTS = range(7)


def rows_of_columns(k: int, rows: int) -> int:
    """Rows of X that programmes of so many rows take."""
    return POINTS + k + rows + 1


@inner(fastmath=FAST)
def combine(k, m, A, S, I, G, con, V, X, pts0, value, wc, we, wce, stop, skip):
    """Minimise ``S[W] . y + wc`` over a cell of the zonotope; ``value`` is that at the witness.

    Row ``skip`` is left out. Returns as `lp.minimise`, and stops below ``stop`` or where the
    minimum is proved positive: INSIDE with ``count`` multipliers, BELOW with a point in S[END],
    FAILED where the sign stays open.
    """
    at = PLANES + 2 * k + KNOWN
    inverse = at + POINTS + k
    pi = X[at + PI]
    _begin(m, S, I, X, at, inverse, value)
    mu = value
    for _ in range(PIVOTS):
        if mu < stop:
            return _mixture(k, m, I, S, X, at, pts0, mu)
        enter, gain, const = _priced(k, m, A, S, X, at, wc, mu)
        if enter == POOL:  # nothing known improves it: ask for another vertex
            count = 0
            for r in range(m):
                if pi[r] > 1e-12:
                    I[BASIS, count], S[MULT, count] = r, pi[r]
                    count += 1
            least = proved_zonotope(k, A, G, con, S, I, V, X, wc, we, wce, count)
            if least > 0.0:
                I[ACTIVE, 0] = 1
                return INSIDE, least, count
            enter, gain = _new_vertex(k, S, V, X, at, const)
            if gain > -1e-10:
                break
        _column(k, m, A, S, X, at, inverse, enter)
        out = _leaving(m, I, X, at, skip)
        if out < 0:
            break
        _pivot(m, I, X, at, inverse, enter, out, gain)
        mu = pi[m]
    if mu < -1e-9:
        return _mixture(k, m, I, S, X, at, pts0, mu)
    I[ACTIVE, 0] = 0
    return FAILED, value, 0


@inner(fastmath=FAST)
def middle(k, m, A, S, I, V, X, pts0):
    """Seek a point where the least of the m rows is large; that least, and the point in S[END].

    Witnesses come from ends of programmes, one from another, ever nearer to the cell's walls.
    """
    at = PLANES + 2 * k + KNOWN
    inverse = at + POINTS + k
    for c in range(k):
        S[W, c] = 0.0
    _begin(m, S, I, X, at, inverse, 0.0)
    enter, gain, mu = LEAST, -1.0, 0.0
    for _ in range(PIVOTS):
        _column(k, m, A, S, X, at, inverse, enter)
        out = _leaving(m, I, X, at, -1)
        if out < 0:
            break
        _pivot(m, I, X, at, inverse, enter, out, gain)
        mu = X[at + PI, m]
        enter, gain, const = _priced(k, m, A, S, X, at, 0.0, mu)
        if enter == POOL:
            through(k, S[RESID], V, X[ALPHA])
            enter, gain = _new_vertex(k, S, V, X, at, const)
            if gain > 0.1 * mu:  # no more to win than a tenth of it
                break
    _mixture(k, m, I, S, X, at, pts0, mu)
    return -mu


@inner(fastmath=FAST)
def _begin(m, S, I, X, at, inverse, value):
    """The basis of the witness: all slacks, and the witness itself as a column (numbered POOL)."""
    share, pi = X[at + SHARE], X[at + PI]
    for r in range(m):
        row = X[inverse + r]
        for c in range(m + 1):
            row[c] = 0.0
        row[r], row[m] = -1.0, S[SLACK, r]
        share[r], pi[r] = S[SLACK, r], 0.0
        I[ORDER, r] = -1 - r
    row = X[inverse + m]
    for c in range(m):
        row[c] = 0.0
    row[m] = share[m] = 1.0
    pi[m] = value
    I[ORDER, m] = POOL


@inner(fastmath=FAST)
def _priced(k, m, A, S, X, at, wc, mu):
    """The known column, or slack (-1 - its row), that improves most; POOL for none."""
    g, pi, price, used = S[RESID], X[at + PI], X[at + PRICE], X[at + USED]
    const = wc - mu
    for c in range(k):
        g[c] = S[W, c]
    for r in range(m):
        f = pi[r]
        if f != 0.0:
            const -= f * S[CONST_AT, r]
            for c in range(k):
                g[c] -= f * A[c, r]
    for p in range(POOL):
        price[p] = const
    for c in range(k):
        f, v = g[c], X[at + POINTS + c]
        for p in range(POOL):
            price[p] += f * v[p]
    best, enter = -1e-9, POOL
    for p in range(POOL):
        if price[p] < best and used[p] > 0.0:
            best, enter = price[p], p
    for r in range(m):  # a multiplier below zero: its row need not be tight
        if pi[r] * S[SLACK, r] < best:
            best, enter = pi[r] * S[SLACK, r], -1 - r
    return enter, (pi[-1 - enter] if enter < 0 else best), const


@inner(fastmath=FAST)
def _new_vertex(k, S, V, X, at, gain):
    """Remember the vertex where the rest of the row is least, in place of the longest unused."""
    y, used = S[Z], X[at + USED]
    support(k, V, X, y)
    place, latest = 0, 0.0
    for p in range(POOL):
        if used[p] < used[place]:
            place = p
        latest = max(latest, used[p])
    for c in range(k):
        X[at + POINTS + c, place] = y[c]
        gain += S[RESID, c] * y[c]
    used[place] = latest + 1.0
    return place, gain


@inner(fastmath=FAST)
def _column(k, m, A, S, X, at, inverse, enter):
    """The entering column, in terms of the basis."""
    column, out = X[at + COLUMN], X[at + ENTERS]
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
    for r in range(m):
        column[r] = S[CONST_AT, r]
    for c in range(k):
        f, a = X[at + POINTS + c, enter], A[c]
        for r in range(m):
            column[r] += f * a[r]
    column[m] = 1.0
    for i in range(m + 1):
        row, total = X[inverse + i], 0.0
        for r in range(m + 1):
            total += row[r] * column[r]
        out[i] = total


@inner(fastmath=FAST)
def _leaving(m, I, X, at, skip):
    """The place that leaves the basis: the first share to reach zero."""
    share, rate = X[at + SHARE], X[at + ENTERS]
    out, most = -1, 0.0
    for i in range(m + 1):
        if rate[i] > 1e-11 and (skip < 0 or I[ORDER, i] != -1 - skip):
            q = rate[i] / max(share[i], 1e-13)
            if q > most:
                most, out = q, i
    return out


@inner(fastmath=FAST)
def _pivot(m, I, X, at, inverse, enter, out, gain):
    """One column enters, one leaves."""
    share, rate, pi, used = X[at + SHARE], X[at + ENTERS], X[at + PI], X[at + USED]
    pivot = 1.0 / rate[out]
    t = max(share[out], 0.0) * pivot
    tight = X[inverse + out]
    for c in range(m + 1):
        tight[c] *= pivot
        pi[c] += gain * tight[c]
    for i in range(m + 1):
        f = rate[i]
        if i != out and f != 0.0:
            row = X[inverse + i]
            for c in range(m + 1):
                row[c] -= f * tight[c]
            share[i] = max(share[i] - t * f, 0.0)
    share[out] = t
    I[ORDER, out] = enter
    if 0 <= enter < POOL:
        latest = 0.0
        for p in range(POOL):
            latest = max(latest, used[p])
        used[enter] = latest + 1.0


@inner(fastmath=FAST)
def _mixture(k, m, I, S, X, at, pts0, mu):
    """S[END] from the shares: a point of the zonotope, relative to the witness."""
    end, share, total = S[END], X[at + SHARE], 0.0
    for c in range(k):
        end[c] = 0.0
    for i in range(m + 1):
        p, t = I[ORDER, i], share[i]
        if 0 <= p <= POOL:
            total += t
            for c in range(k):
                end[c] += t * (pts0[c] if p == POOL else X[at + POINTS + c, p])
    for c in range(k):
        end[c] = end[c] / total - pts0[c]
    I[ACTIVE, 0] = 1
    return BELOW, mu, 0
