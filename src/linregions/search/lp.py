"""A small linear programme from an interior point, and the proofs that its answer is right.

The cell is ``{y : slack_i + a_i . y >= 0}`` around a strictly interior point (y = 0). Rows are
stored as columns of a (k, m) array so that every inner loop runs over constraints. The
simplex method starts at the interior point: no phase one. The free coordinates enter first
and never leave; a coordinate's row is simply skipped by the ratio test.

Floats only guess here. A guess becomes a decision through `proofs`.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import FAST, inner, raised

INSIDE, BELOW, FAILED = 0, 1, 2
# G: one row per constraint, k coefficients and then, at k + ...
CONST, EW, EC, AERR, BERR, EXP, SPAN, ALIVE, POWER = range(9)
# S: float vectors, of length k and then of one entry per constraint;  I: integer vectors
W, Y, Z, END, MULT, RESID, TRIAL, CONST_AT, SLACK, ROOM, RATE, QUOTIENT, SCALE = range(13)
ACTIVE, NAMES, BASIS, KEEP, PICK, ORDER, BEFORE, COUNTS = range(8)
TRIP = 12  # place in st of the cursor's trip wire
FAR = 1e300


@inner(fastmath=FAST)
def rates(C, m, z):
    """Every constraint's rate along z, in S[RATE].

    Two coordinates at a time (A and z are padded with zeros to an even number) over a multiple
    of 16 constraints (nobody reads those beyond m), which compiles to plain vector code.
    """
    A, out = C.A, C.S[RATE]
    wide = (m + 15) & -16
    f, a = z[0], A[0]
    g, b = z[1], A[1]
    for n in range(wide):
        out[n] = f * a[n] + g * b[n]
    for j in range(2, C.pts.shape[2], 2):
        f, a = z[j], A[j]
        g, b = z[j + 1], A[j + 1]
        for n in range(wide):
            out[n] += f * a[n] + g * b[n]


@inner(fastmath=FAST)
def dot(k, x, y):
    """Scalar product."""
    total = 0.0
    for j in range(k):
        total += x[j] * y[j]
    return total


@inner()
def restart(C, m):
    """Put the descent back to the interior point, with no active constraint."""
    S = C.S
    C.I[ACTIVE, 0] = 0
    y, room, slack = S[Y], S[ROOM], S[SLACK]
    for j in range(C.pts.shape[2]):
        y[j] = 0.0
    for n in range((m + 15) & -16):
        room[n] = slack[n]


@inner(fastmath=FAST)
def minimise(C, m, start, stop):
    """Minimise ``start + w . y`` over the cell; stop early once it falls below ``stop``.

    ``w`` is ``S[W]``, ``start`` its form at the interior point. Returns ``(status, value, count)``:
    BELOW with a point of the closed cell in ``S[END]`` (or, count = -1, a direction along which
    the cell is unbounded in ``S[Z]``), INSIDE with the optimum and ``count`` multipliers
    ``S[MULT]`` for the constraints ``I[BASIS]``, or FAILED (also where the trip wire is raised).

    The descent goes on from where the last one stopped (see `restart`): at a point S[Y] with
    independent active constraints ``I[NAMES]``, whose normals are orthonormalised in ``T[:k]``
    with triangular factor ``T[k:]``. It follows the gradient projected along the active
    constraints until one more becomes active; where nothing is left of the gradient, it drops
    the active constraint with the most negative multiplier.
    """
    S, I, k = C.S, C.I, C.pts.shape[2]
    y, z, room = S[Y], S[Z], S[ROOM]
    w, rate, r = S[W], S[RATE], I[ACTIVE, 0]
    value = start + dot(k, w, y)
    norm2 = _project(C, r)
    for step in range(50 + 8 * (m + k)):
        while norm2 < 1e-20:
            out = _multipliers(C, r, step > 20 + 4 * k)
            if out < 0:
                I[ACTIVE, 0] = r
                return INSIDE, value, _optimum(C, r)
            r = _drop(C, r, out)
            if raised(C.st, TRIP):
                break
            norm2 = _project(C, r)
        if raised(C.st, TRIP):
            break
        rates(C, m, z)
        leave, t = _first(S, m, 1e-11 * math.sqrt(norm2))
        I[ACTIVE, 0] = r
        if leave < 0:
            return BELOW, -np.inf, -1
        after = value - t * norm2
        if after < stop:
            for j in range(k):
                S[END, j] = y[j] + t * z[j]
            return BELOW, after, 0
        value = after
        for j in range(k):
            y[j] += t * z[j]
        for n in range((m + 15) & -16):
            room[n] = max(room[n] + t * rate[n], 0.0)
        if not _activate(C, r, leave):
            break
        r += 1
        q = C.T[r - 1]
        f = dot(k, q, z)
        norm2 = 0.0
        for j in range(k):
            z[j] -= f * q[j]
            norm2 += z[j] * z[j]
        if r == k:
            norm2 = 0.0
    restart(C, m)
    return FAILED, value, 0


@inner(fastmath=FAST)
def _first(S, m, least):
    """The constraint that becomes active first along the direction, and after what step."""
    room, rate, quotient = S[ROOM], S[RATE], S[QUOTIENT]
    for n in range((m + 15) & -16):
        q = room[n] / rate[n]
        quotient[n] = q if rate[n] < -least else -np.inf
    leave, best = -1, -np.inf
    for n in range(m):
        if quotient[n] > best:
            best, leave = quotient[n], n
    return leave, -best


@inner(fastmath=FAST)
def _project(C, r):
    """Minus the gradient, projected along the r active constraints; returns its square."""
    T, k = C.T, C.pts.shape[2]
    w, z = C.S[W], C.S[Z]
    for j in range(k):
        z[j] = -w[j]
    if r == k:
        return 0.0
    norm2 = 0.0
    for i in range(r):
        q = T[i]
        f = dot(k, q, z)
        for j in range(k):
            z[j] -= f * q[j]
    for j in range(k):
        norm2 += z[j] * z[j]
    return norm2


@inner(fastmath=FAST)
def _activate(C, r, n):
    """Constraint n joins the r active ones (Gram-Schmidt, twice where much cancels)."""
    A, T, k = C.A, C.T, C.pts.shape[2]
    q, u = T[r], C.S[TRIAL]
    for j in range(k):
        q[j] = A[j, n]
    size = norm2 = dot(k, q, q)
    for again in range(2):
        for i in range(r):
            u[i] = dot(k, T[i], q)
        for i in range(r):
            row, f = T[i], u[i]
            T[k + i, r] = f if again == 0 else T[k + i, r] + f
            for j in range(k):
                q[j] -= f * row[j]
        norm2 = dot(k, q, q)
        if norm2 > 1e-3 * size:
            break
    if not norm2 > 1e-22 * size:
        return False
    norm = math.sqrt(norm2)
    T[k + r, r] = norm
    inverse = 1.0 / norm
    for j in range(k):
        q[j] *= inverse
    C.I[NAMES, r] = n
    C.S[ROOM, n] = FAR
    return True


@inner(fastmath=FAST)
def _multipliers(C, r, careful):
    """Multipliers of the active constraints; the place of the most negative, or -1.

    When ``careful``, the negative one of the lowest number (Bland): no cycling.
    """
    T, k, names = C.T, C.pts.shape[2], C.I[NAMES]
    w, mult = C.S[W], C.S[MULT]
    for i in range(r):
        mult[i] = dot(k, T[i], w)
    out, least = -1, -1e-11
    for i in range(r - 1, -1, -1):
        f = mult[i] / T[k + i, i]
        mult[i] = f
        for l in range(i):
            mult[l] -= f * T[k + l, i]
        if f < least and (not careful or out < 0 or names[i] < names[out]):
            out = i
            if not careful:
                least = f
    return out


@inner(fastmath=FAST)
def _drop(C, r, out):
    """Release the active constraint at place ``out`` and orthonormalise those behind it again."""
    names = C.I[NAMES]
    C.S[ROOM, names[out]] = 0.0
    for i in range(out, r - 1):
        if raised(C.st, TRIP):
            break
        _activate(C, i, names[i + 1])
    return r - 1


@inner()
def _optimum(C, r):
    """Write the optimal point to S[END] and its positive multipliers to the front."""
    S, I, count = C.S, C.I, 0
    for i in range(r):
        if S[MULT, i] > 1e-12:
            I[BASIS, count], S[MULT, count] = I[NAMES, i], S[MULT, i]
            count += 1
    for j in range(C.pts.shape[2]):
        S[END, j] = S[Y, j]
    return count
