"""Boxes of many inputs under a first layer of few units: search in the space of the units.

A box of R^n seen through r independent rows V is the zonotope ``{V x : lo <= x <= hi}`` of R^r.
Cells are searched there, in r dimensions, without ever listing the facets of the zonotope (their
number grows like n^(r-1)): a linear programme over a cell is one over the box with a handful of
rows, which the dual simplex method of bounded variables solves with bases no larger than r.

* Points are images of points of the box, so they lie in the zonotope.
* "The row is positive on the cell" is proved by multipliers of the cell's rows and the support
  function of the zonotope, which is a sum over inputs in closed form.

As elsewhere floats guess, and `proved_zonotope` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..domain import Restricted, reduce_inputs
from ..jit import FAST, LONG, inner, raised
from ..rational import is_rational, nearest
from .cursor import NCON
from .lp import (
    ACTIVE,
    BASIS,
    BELOW,
    CONST_AT,
    EC,
    END,
    EW,
    FAILED,
    INSIDE,
    MULT,
    NAMES,
    ORDER,
    PICK,
    RESID,
    ROOM,
    SLACK,
    TRIAL,
    TRIP,
    ULP,
    W,
)

# rows of X, one entry per input; behind them those of `columns`
LO, HI, D, ALPHA, AT, TIME, BASIC, HELD, SPANS, REST = range(10)
FEWER = 4  # the box has at least this many times more inputs than the zonotope has dimensions
MOST = 64  # dimensions of a zonotope
NEAREST, FARTHEST = 2.0**-400, 2.0**400  # sizes of numbers, of which products are summed


@dataclass(frozen=True, eq=False)
class Zonotope:
    """``{V x : lo <= x <= hi}``: V (r, n), exact; ``problem`` is the one over the box."""

    V: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    problem: Restricted

    @property
    def reach(self) -> np.ndarray:
        """Largest |y_i|, rounded up."""
        middle, half = 0.5 * (self.lo + self.hi), 0.5 * (self.hi - self.lo)
        size = abs(self.V) @ (abs(middle) + half)
        return abs(self.V @ middle) + abs(self.V) @ half + 8 * len(middle) * ULP * size


def seen_through(problem: Restricted) -> Restricted:
    """The problem in the coordinates of its zonotope where that pays, else unchanged."""
    box = _box(problem)
    if box is None:
        return problem
    n = problem.dimension
    bare = replace(problem, A=np.zeros((0, n)), b=np.zeros(0))
    reduced = reduce_inputs(bare)
    r = reduced.dimension
    if not 1 <= r <= min(MOST, n // FEWER) or reduced.picked is None or reduced.rows is None:
        return problem
    exact = all(nearest(v) == v for row in reduced.rows for v in row)
    if not exact:
        return problem
    zonotope = Zonotope(np.ascontiguousarray(reduced.picked), *box, problem)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        sizes = np.abs(np.concatenate([zonotope.V.ravel(), *box, zonotope.reach]))
    sizes = sizes[sizes != 0.0]
    if not np.all((sizes > NEAREST) & (sizes < FARTHEST)):
        return problem
    return replace(reduced, A=np.zeros((0, r)), b=np.zeros(0), bounded=True, zonotope=zonotope)


def _box(problem: Restricted) -> tuple[np.ndarray, np.ndarray] | None:
    """Sides of a finite box of floats in the problem's own coordinates, or None."""
    A, b = problem.A, problem.b
    if is_rational(A) or is_rational(b) or problem.basis is not None or problem.origin is not None:
        return None
    n = problem.dimension
    if len(b) != 2 * n or np.count_nonzero(A) != 2 * n or not np.isin(A, (-1.0, 0.0, 1.0)).all():
        return None
    lo, hi = np.full(n, -np.inf), np.full(n, np.inf)
    for row, value in zip(A, b, strict=True):
        at = np.flatnonzero(row)
        if len(at) != 1:
            return None
        if row[at[0]] > 0:
            hi[at[0]] = value
        else:
            lo[at[0]] = -value
    return (lo, hi) if np.isfinite(lo).all() and np.isfinite(hi).all() else None


# -- the linear programme -----------------------------------------------------------------


@inner(fastmath=LONG)
def through(k, g, V, out):
    """``out = g V``."""
    n = V.shape[1]
    a = g[0]
    for j in range(n):
        out[j] = a * V[0, j]
    for i in range(1, k):
        a = g[i]
        row = V[i]
        for j in range(n):
            out[j] += a * row[j]


@inner(fastmath=LONG)
def image(k, x, V, y):
    """``y = V x``."""
    n = V.shape[1]
    for i in range(k):
        row = V[i]
        total = 0.0
        for j in range(n):
            total += row[j] * x[j]
        y[i] = total


@inner(fastmath=FAST)
def _factor(C, q):
    """LU factors of the basis (active rows by basic columns), with partial pivoting."""
    I, V, M = C.I, C.V, C.MR[0]
    for i in range(q):
        for s in range(q):
            total = 0.0
            for c in range(C.pts.shape[2]):
                total += C.A[c, I[NAMES, i]] * V[c, I[PICK, s]]
            M[i, s] = total
        I[BASIS, i] = i
    for c in range(q):
        p = c
        for i in range(c + 1, q):
            if abs(M[i, c]) > abs(M[p, c]):
                p = i
        if not abs(M[p, c]) > 1e-14:
            return False
        if p != c:
            I[BASIS, c], I[BASIS, p] = I[BASIS, p], I[BASIS, c]
            for s in range(q):
                M[c, s], M[p, s] = M[p, s], M[c, s]
        for i in range(c + 1, q):
            f = M[i, c] / M[c, c]
            M[i, c] = f
            for s in range(c + 1, q):
                M[i, s] -= f * M[c, s]
    return True


@inner(fastmath=FAST)
def _solve(C, q, right, out):
    """``B out = right``, right by place of the active rows."""
    I, M = C.I, C.MR[0]
    for i in range(q):
        total = right[I[BASIS, i]]
        for s in range(i):
            total -= M[i, s] * out[s]
        out[i] = total
    for i in range(q - 1, -1, -1):
        total = out[i]
        for s in range(i + 1, q):
            total -= M[i, s] * out[s]
        out[i] = total / M[i, i]


@inner(fastmath=FAST)
def _solve_transposed(C, q, right, out):
    """``B^T out = right``, right by place of the basic columns."""
    M, work = C.MR[0], C.MR[1, 2]
    for i in range(q):
        total = right[i]
        for s in range(i):
            total -= M[s, i] * work[s]
        work[i] = total / M[i, i]
    for i in range(q - 1, -1, -1):
        total = work[i]
        for s in range(i + 1, q):
            total -= M[s, i] * work[s]
        work[i] = total
    for i in range(q):
        out[C.I[BASIS, i]] = work[i]


@inner()
def _select(order, X, count, slope):
    """Put first the breakpoints passed while the slope stays positive; how many there are.

    A weighted quickselect: ``X[TIME]`` the time of each, ``X[HELD]`` what it takes off the slope.
    Returns ``count`` when the slope outlasts them all.
    """
    lo, hi, gone = 0, count, 0.0
    while hi > lo:
        a, b, c = X[TIME, order[lo]], X[TIME, order[(lo + hi) >> 1]], X[TIME, order[hi - 1]]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j, f = lo, hi - 1, 0.0
        while i <= j:  # [lo, i): below or at the pivot
            if X[TIME, order[i]] <= pivot:
                f += X[HELD, order[i]]
                i += 1
            else:
                order[i], order[j] = order[j], order[i]
                j -= 1
        if gone + f < slope:
            gone += f
            lo = i
            continue
        if i == hi:  # no progress by "at or below": split off what equals the pivot
            i, f = lo, 0.0
            for p in range(lo, hi):
                if X[TIME, order[p]] < pivot:
                    order[i], order[p] = order[p], order[i]
                    f += X[HELD, order[i]]
                    i += 1
            if gone + f < slope:  # the answer is among equals
                gone += f
                for p in range(i, hi):
                    gone += X[HELD, order[p]]
                    if gone >= slope:
                        return p
                return hi
        hi = i
    return lo


@inner(fastmath=FAST)
def support(C, y):
    """The vertex of the zonotope where the direction whose costs are X[ALPHA] is least."""
    X = C.X
    e, x = X[ALPHA], X[AT]
    for j in range(C.V.shape[1]):
        x[j] = X[LO, j] if e[j] > 0.0 else X[HI, j]
    image(C.pts.shape[2], x, C.V, y)


@inner(fastmath=FAST)
def _inwards(C, m, value, skip):
    """From the witness along S[TRIAL], whole or as far as the cell goes: the value there.

    ``value`` is that at the witness. Where the new one is negative S[END] is there.
    """
    A, S, k = C.A, C.S, C.pts.shape[2]
    z, w = S[TRIAL], S[W]
    slope, t = 0.0, 1.0
    for c in range(k):
        slope += w[c] * z[c]
    if not value + slope < -1e-9:
        return 0.0
    for r in range(m):
        rate = 0.0
        for c in range(k):
            rate += A[c, r] * z[c]
        if r != skip and S[SLACK, r] + t * rate < 0.0:
            t = S[SLACK, r] / -rate
    if value + t * slope < -1e-9:
        for c in range(k):
            S[END, c] = t * z[c]
    return value + t * slope


@inner()
def minimise_zonotope(C, d, wc, enough, skip):
    """Minimise ``w . y + wc`` over the part of the zonotope where the rows are not negative.

    Dual simplex with bounded variables from the empty basis, with costs moved by 1e-7 of their
    size against ties; each step passes all breakpoints of the dual along its direction at once.
    Stops as soon as the dual bound exceeds ``enough``.
    Row ``skip`` is left out. Returns ``(status, value, count)`` as `lp.minimise`; S[END] is
    relative to the witness.
    """
    S, I, X = C.S, C.I, C.X
    k, m, pts0 = C.pts.shape[2], C.F[d, NCON], C.pts[d, 0]
    w, y, basic = S[W], S[END], I[PICK]
    x, q = X[AT], 0
    _empty_basis(C, m)
    held = C.MR[1, 0]  # the image of the nonbasic inputs
    start = wc
    for c in range(k):
        held[c] = y[c]
        start += w[c] * pts0[c]
    for _ in range(40 + 12 * m):
        if raised(C.st, TRIP):
            break
        bound = wc
        for c in range(k):
            bound += w[c] * y[c]
        if bound > enough:
            I[ACTIVE, 0] = q
            return INSIDE, bound, _finish(C, q)
        low = _towards(C, d, q, start, skip)
        if low < -1e-9:
            I[ACTIVE, 0] = 1
            return BELOW, low, 0
        row, place, worst = _violated(C, m, q, skip)
        if row < 0 and place < 0:
            for s in range(q):
                x[basic[s]] = min(max(x[basic[s]], X[LO, basic[s]]), X[HI, basic[s]])
            image(k, x, C.V, y)  # anew, so that it is that of a point of the box
            for c in range(k):
                y[c] -= pts0[c]
            I[ACTIVE, 0] = q
            return (BELOW if bound < 0.0 else INSIDE), bound, _finish(C, q)
        _direction(C, q, row, place)
        t, out, passed, enter = _length(C, q, worst)
        if enter < 0 and out < 0:
            break  # unbounded: floats went wrong, for the cell is not empty
        _step(C, q, t, passed)
        q = _change(C, q, (row, place), (out, enter), t)
        if q > k or not _factor(C, q):
            break
        _primal(C, q)
    I[ACTIVE, 0] = 0
    return FAILED, wc, 0


@inner()
def _empty_basis(C, m):
    """Costs, every input at the cheaper end of its side, and the image of that in S[END]."""
    S, X, n = C.S, C.X, C.V.shape[1]
    d, x = X[D], X[AT]
    through(C.pts.shape[2], S[W], C.V, d)
    tiny = 0.0
    for j in range(n):
        tiny = max(tiny, 1e-7 * abs(d[j]))
    for j in range(n):
        # rows of late layers are often multiples of early ones: all costs would vanish at once
        shift = tiny * (0.5 + (j * 0.6180339887) % 1.0)
        d[j] += shift if d[j] >= 0.0 else -shift
        x[j] = X[HI, j] if d[j] < 0.0 else X[LO, j]
        X[BASIC, j] = 0.0
    for r in range(m):
        S[ROOM, r] = 0.0  # its multiplier
    image(C.pts.shape[2], x, C.V, S[END])


@inner()
def _violated(C, m, q, skip):
    """The most violated row, or the place of the most violated basic input, and by how much."""
    S, I, X = C.S, C.I, C.X
    y, x = S[END], X[AT]
    row, place, worst = -1, -1, 1e-11
    for r in range(m):
        value = S[CONST_AT, r]
        for c in range(C.pts.shape[2]):
            value += C.A[c, r] * y[c]
        if -value > worst and r != skip and not _active(I[NAMES], q, r):
            row, worst = r, -value
    for s in range(q):
        j = I[PICK, s]
        off = max(X[LO, j] - x[j], x[j] - X[HI, j])
        if off > worst:
            row, place, worst = -1, s, off
    return row, place, worst


@inner()
def _direction(C, q, row, place):
    """The direction of the multipliers S[MULT], and that of the costs X[ALPHA]."""
    A, S, I = C.A, C.S, C.I
    right, p, step = S[TRIAL], S[MULT], S[RESID]
    V, k = C.V, C.pts.shape[2]
    for s in range(q):
        right[s] = 0.0
        if row >= 0:
            for c in range(k):
                right[s] -= A[c, row] * V[c, I[PICK, s]]
    if place >= 0:
        right[place] = -_up(C, place)
    _solve_transposed(C, q, right, p)
    for c in range(k):
        step[c] = A[c, row] if row >= 0 else 0.0
        for i in range(q):
            step[c] += p[i] * A[c, I[NAMES, i]]
    through(k, step, V, C.X[ALPHA])


@inner()
def _up(C, place):
    """1.0 where the basic input there is below its side, else -1.0."""
    j = C.I[PICK, place]
    return 1.0 if C.X[AT, j] < C.X[LO, j] else -1.0


@inner()
def _length(C, q, worst):
    """How far: a multiplier that reaches zero stops, breakpoints of inputs are passed.

    The length, the place that leaves the basis, how many inputs are passed, the one that enters.
    """
    S, I, X = C.S, C.I, C.X
    p, d, x = S[MULT], X[D], X[AT]
    order, stop, out = I[ORDER], np.inf, -1
    for i in range(q):
        if p[i] < -1e-12 and S[ROOM, I[NAMES, i]] < -p[i] * stop:
            stop, out = S[ROOM, I[NAMES, i]] / -p[i], i
    count = 0
    for j in range(C.V.shape[1]):
        a = X[ALPHA, j]
        falls = a > 1e-13 if x[j] == X[LO, j] else a < -1e-13
        if falls and X[BASIC, j] == 0.0:
            t = max(d[j] / a, 0.0)
            if t < stop:
                X[TIME, j], X[HELD, j] = t, abs(a) * (X[HI, j] - X[LO, j])
                order[count] = j
                count += 1
    passed = _select(order, X, count, worst)
    if passed < count:
        enter = order[passed]
        return X[TIME, enter], -1, passed, enter
    return stop, out, passed, -1


@inner()
def _step(C, q, t, passed):
    """Go so far: multipliers and costs change, inputs that are passed move to their other end."""
    S, I, X = C.S, C.I, C.X
    d, x, p = X[D], X[AT], S[MULT]
    for i in range(q):
        r = I[NAMES, i]
        S[ROOM, r] = max(S[ROOM, r] + t * p[i], 0.0)
    for j in range(C.V.shape[1]):
        d[j] -= t * X[ALPHA, j]
    for at in range(passed):
        j = I[ORDER, at]
        old = x[j]
        x[j] = X[HI, j] if old == X[LO, j] else X[LO, j]
        _held(C, j, x[j] - old)


@inner()
def _held(C, j, change):
    """A nonbasic input changes so much."""
    for c in range(C.pts.shape[2]):
        C.MR[1, 0, c] += C.V[c, j] * change


@inner()
def _change(C, q, violated, other, t):
    """Change the basis; how many rows it has then."""
    S, I, X = C.S, C.I, C.X
    names, basic = I[NAMES], I[PICK]
    row, place = violated
    out, enter = other
    if row >= 0:
        if out >= 0:
            S[ROOM, names[out]] = 0.0
            names[out] = row
        else:
            names[q] = row
            basic[q] = enter
            q += 1
        S[ROOM, row] = t
    else:
        j, up = basic[place], _up(C, place)
        X[AT, j] = X[LO, j] if up > 0.0 else X[HI, j]
        X[D, j] = up * t
        X[BASIC, j] = 0.0
        _held(C, j, X[AT, j])
        if out >= 0:
            S[ROOM, names[out]] = 0.0
            q -= 1
            names[out], basic[place] = names[q], basic[q]
        else:
            basic[place] = enter
    if enter >= 0:
        X[BASIC, enter], X[D, enter] = 1.0, 0.0
        _held(C, enter, -X[AT, enter])
    return q


@inner()
def _primal(C, q):
    """The point of the basis, in S[END], and its basic inputs."""
    S, I, V = C.S, C.I, C.V
    y, right, k = S[END], S[TRIAL], C.pts.shape[2]
    held, found = C.MR[1, 0], C.MR[1, 1]
    for i in range(q):
        right[i] = -S[CONST_AT, I[NAMES, i]]
        for c in range(k):
            right[i] -= C.A[c, I[NAMES, i]] * held[c]
    _solve(C, q, right, found)
    for c in range(k):
        y[c] = held[c]
    for s in range(q):
        C.X[AT, I[PICK, s]] = found[s]
        for c in range(k):
            y[c] += V[c, I[PICK, s]] * found[s]


@inner(fastmath=FAST)
def _towards(C, d, q, value, skip):
    """`_inwards` to the current solution, its basic inputs moved into the box."""
    X, V, pts0 = C.X, C.V, C.pts[d, 0]
    z, x, k = C.S[TRIAL], X[AT], C.pts.shape[2]
    m = C.F[d, NCON]
    for c in range(k):
        z[c] = C.MR[1, 0, c] - pts0[c]
    for s in range(q):
        j = C.I[PICK, s]
        inside = min(max(x[j], X[LO, j]), X[HI, j])
        for c in range(k):
            z[c] += V[c, j] * inside
    low = _inwards(C, m, value, skip)
    if low < -1e-9:  # anew, for ``held`` has gathered rounding: the image of a point of the box
        for s in range(q):
            j = C.I[PICK, s]
            x[j] = min(max(x[j], X[LO, j]), X[HI, j])
        image(k, x, V, z)
        for c in range(k):
            z[c] -= pts0[c]
        low = _inwards(C, m, value, skip)
    return low


@inner()
def _active(names, q, r):
    for i in range(q):  # noqa: SIM110 (numba)
        if names[i] == r:
            return True
    return False


@inner()
def _finish(C, q):
    """The positive multipliers of the basis for the true costs, as `lp.minimise` leaves them."""
    S, I = C.S, C.I
    right, p = S[TRIAL], S[MULT]
    for s in range(q):
        right[s] = 0.0
        for c in range(C.pts.shape[2]):
            right[s] += S[W, c] * C.V[c, I[PICK, s]]
    _solve_transposed(C, q, right, p)
    count = 0
    for i in range(q):
        if p[i] > 1e-12:
            I[BASIS, count], p[count] = I[NAMES, i], p[i]
            count += 1
    return count


@inner(fastmath=FAST)
def proved_zonotope(C, d, form, count):
    """Rigorous lower bound of ``w . y + const`` over the cell, from any multipliers ``mult >= 0``.

    ``w y + const = sum mult (a y + b) + e x + c`` with ``e = (w - sum mult a) V``: the first
    sum is not negative, the second at least ``sum_j min(e_j lo_j, e_j hi_j)``. ``X[SPANS, i]``
    is ``sum_j |V_ij| max |x_j|``, of which the rounding of e is a small part. |y_i| <= 1.
    """
    S, I, X = C.S, C.I, C.X
    G, k, n = C.G, C.pts.shape[2], C.V.shape[1]
    e, resid = X[ALPHA], S[RESID]
    lam, size, const = 0.0, abs(form.const), form.const
    row_error, const_error = form.ew, form.ec
    for c in range(k):
        resid[c] = S[W, c]
    for i in range(count):
        r, mu = I[BASIS, i], S[MULT, i]
        lam += mu
        size += mu * abs(S[CONST_AT, r])
        const -= mu * S[CONST_AT, r]
        row_error += mu * G[C.con[d, r], k + EW]
        const_error += mu * G[C.con[d, r], k + EC]
        for c in range(k):
            resid[c] -= mu * C.A[c, r]
    through(k, resid, C.V, e)
    total, large = 0.0, 0.0
    for j in range(n):
        total += min(e[j] * X[LO, j], e[j] * X[HI, j])
    for c in range(k):
        large += abs(resid[c]) * X[SPANS, c]
    rounding = (count + 4) * ULP * ((1.0 + lam) * k + size) + (n + k + 8) * ULP * large
    return const + total - 1.01 * (row_error * k + const_error + rounding)
