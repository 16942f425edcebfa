"""A linear programme over a zonotope by the dual simplex method of bounded variables.

A few rows over a box of many inputs: bases are no larger than the dimension of the zonotope.
Floats only guess here; `zonotope.proved_zonotope` decides."""

from __future__ import annotations

import numpy as np

from ..jit import FAST, inner, raised
from .basis import factor, select, solve, solve_transposed
from .cursor import NCON
from .lp import (
    ACTIVE,
    BASIS,
    BELOW,
    CONST_AT,
    END,
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
    W,
)
from .zonotope import (
    ALPHA,
    AT,
    BASIC,
    HELD,
    HI,
    LO,
    TIME,
    D,
    image,
    through,
)


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
        if q > k or not factor(C, q):
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
    solve_transposed(C, q, right, p)
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
    passed = select(order, X, count, worst)
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
    solve(C, q, right, found)
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
    solve_transposed(C, q, right, p)
    count = 0
    for i in range(q):
        if p[i] > 1e-12:
            I[BASIS, count], p[count] = I[NAMES, i], p[i]
            count += 1
    return count
