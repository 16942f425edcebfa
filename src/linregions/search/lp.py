"""A small linear programme from an interior point, and the proofs that its answer is right.

The cell is ``{y : slack_i + a_i . y >= 0}`` around a strictly interior point (y = 0). Rows are
stored as columns of a (k, m) array so that every inner loop runs over constraints. The
simplex method starts at the interior point: no phase one. The free coordinates enter first
and never leave; a coordinate's row is simply skipped by the ratio test.

Floats only guess here. A guess becomes a decision through `proved_bounded`,
`proved_unbounded` or `proved_integer`, whose arguments are written out in docs/exactness.md.
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
ULP = 2.0**-53


@inner(fastmath=FAST)
def rates(A, k, m, z, out):
    """Every constraint's rate along z.

    Two coordinates at a time (A and z are padded with zeros to an even number) over a multiple
    of 16 constraints (nobody reads those beyond m), which compiles to plain vector code.
    """
    wide = (m + 15) & -16
    f, g, a, b = z[0], z[1], A[0], A[1]
    for n in range(wide):
        out[n] = f * a[n] + g * b[n]
    for j in range(2, k, 2):
        f, g, a, b = z[j], z[j + 1], A[j], A[j + 1]
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
def restart(S, I, k, m):
    """Put the descent back to the interior point, with no active constraint."""
    I[ACTIVE, 0] = 0
    y, room, slack = S[Y], S[ROOM], S[SLACK]
    for j in range(k):
        y[j] = 0.0
    for n in range((m + 15) & -16):
        room[n] = slack[n]


@inner(fastmath=FAST)
def minimise(A, T, S, I, k, m, start, stop, st):
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
    w, y, z, room, rate = S[W], S[Y], S[Z], S[ROOM], S[RATE]
    r = I[ACTIVE, 0]
    value = start + dot(k, w, y)
    norm2 = _project(T, S, k, r)
    for step in range(50 + 8 * (m + k)):
        while norm2 < 1e-20:
            out = _multipliers(T, S, I, k, r, step > 20 + 4 * k)
            if out < 0:
                I[ACTIVE, 0] = r
                return INSIDE, value, _optimum(S, I, k, r)
            r = _drop(A, T, S, I, k, r, out, st)
            if raised(st, TRIP):
                break
            norm2 = _project(T, S, k, r)
        if raised(st, TRIP):
            break
        rates(A, k, m, z, rate)
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
        if not _activate(A, T, S, I, k, r, leave):
            break
        r += 1
        q = T[r - 1]
        f = dot(k, q, z)
        norm2 = 0.0
        for j in range(k):
            z[j] -= f * q[j]
            norm2 += z[j] * z[j]
        if r == k:
            norm2 = 0.0
    restart(S, I, k, m)
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
def _project(T, S, k, r):
    """Minus the gradient, projected along the r active constraints; returns its square."""
    w, z = S[W], S[Z]
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
def _activate(A, T, S, I, k, r, n):
    """Constraint n joins the r active ones (Gram-Schmidt, twice where much cancels)."""
    q, u = T[r], S[TRIAL]
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
    I[NAMES, r] = n
    S[ROOM, n] = FAR
    return True


@inner(fastmath=FAST)
def _multipliers(T, S, I, k, r, careful):
    """Multipliers of the active constraints; the place of the most negative, or -1.

    When ``careful``, the negative one of the lowest number (Bland): no cycling.
    """
    w, mult, names = S[W], S[MULT], I[NAMES]
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
def _drop(A, T, S, I, k, r, out, st):
    """Release the active constraint at place ``out`` and orthonormalise those behind it again."""
    names = I[NAMES]
    S[ROOM, names[out]] = 0.0
    for i in range(out, r - 1):
        if raised(st, TRIP):
            break
        _activate(A, T, S, I, k, i, names[i + 1])
    return r - 1


@inner()
def _optimum(S, I, k, r):
    """Write the optimal point to S[END] and its positive multipliers to the front."""
    count = 0
    for i in range(r):
        if S[MULT, i] > 1e-12:
            I[BASIS, count], S[MULT, count] = I[NAMES, i], S[MULT, i]
            count += 1
    for j in range(k):
        S[END, j] = S[Y, j]
    return count


@inner()
def proved_bounded(A, G, con, S, I, k, wc, we, wce, count, reach):
    """Rigorous lower bound of the form ``w . x + wc`` over a cell with ``|x_j| <= reach``.

    For multipliers ``mult >= 0``: ``w x + wc = sum mult (a x + b) + r x + const``; the first
    sum is not negative, the rest is bounded with every rounding and row error charged.
    """
    lam = 0.0
    size = abs(wc)
    const = wc
    row_error = we
    const_error = wce
    for j in range(k):
        S[RESID, j] = S[W, j]
    for n in range(count):
        i = I[BASIS, n]
        mu = S[MULT, n]
        lam += mu
        size += mu * abs(S[CONST_AT, i])
        const -= mu * S[CONST_AT, i]
        row_error += mu * G[con[i], k + EW]
        const_error += mu * G[con[i], k + EC]
        for j in range(k):
            S[RESID, j] -= mu * A[j, i]
    total = 0.0
    for j in range(k):
        total += abs(S[RESID, j])
    rounding = (count + 4) * ULP * ((1.0 + lam) * reach * k + size)
    return const - 1.01 * (total * reach + row_error * reach * k + const_error + rounding)


@inner()
def span_of(k, G, c, layer):
    """The last layer below ``layer`` in the span of whose live units row c lies, or -1.

    Within a cell of layer ``layer`` every row beyond layer t is a combination of the live units of
    layer t, and so is a row of layer t whose own unit is live. The first is a fact of the row
    (SPAN, written with it); the second is one of the path (ALIVE, written when layer t + 1 is
    composed), and is read only in cells of the layers beyond t: a cell of layer t itself may have
    been left by a sibling whose units were others.
    """
    return min(int(G[c, k + SPAN]) + int(G[c, k + ALIVE]), layer - 1)


@inner()
def spanned(G, con, I, k, count, span, live):
    """The row and its basis lie in a space of ``count`` dimensions, for a structural reason.

    ``span`` is `span_of` the row, hence below the layer of the cell, and so is every t for which
    ``live[t]``, the number of live units, is read.
    """
    if count == k:
        return True
    for n in range(count):
        i = con[I[BASIS, n]]
        span = min(span, int(G[i, k + SPAN]) + int(G[i, k + ALIVE]))
    for t in range(span + 1):  # noqa: SIM110 (numba)
        if live[t] == count:
            return True
    return False


@inner()
def proved_unbounded(A, G, con, S, I, MR, k, wc, we, wce, r, span, live, st):
    """Rigorous lower bound of ``w . x + wc`` over a cell that may be unbounded, or -inf.

    Needs as many multipliers r as the rows span dimensions. Then exact multipliers exist,
    ``sum mult a = w``; r independent coordinates determine them, and they are close to the
    computed ones when an approximate inverse R has ``|I - R M| < 1``. If each exceeds its
    error they are all positive, and the constant is the exact minimum.
    """
    if r == 0 or r > k or not spanned(G, con, I, k, r, span, live):
        return -np.inf
    if not _invert(A, I, MR, k, r, st):
        return -np.inf
    norm, theta, spread = 0.0, 0.0, 0.0
    for i in range(r):
        if raised(st, TRIP):
            return -np.inf
        spread += G[con[I[BASIS, i]], k + EW]
        total, defect = 0.0, 0.0
        for j in range(r):
            total += abs(MR[1, i, j])
            value = 0.0
            for l in range(r):
                value += MR[1, i, l] * A[I[PICK, l], I[BASIS, j]]
            defect += abs((1.0 if i == j else 0.0) - value)
        norm = max(norm, total)
        theta = max(theta, defect)
    theta = 1.01 * (theta + norm * (spread + (r + 2) * r * ULP))
    if not theta < 0.5:
        return -np.inf
    charge = we + (r + 2) * ULP
    for i in range(r):
        value = 0.0
        for j in range(r):
            value += MR[1, i, j] * S[W, I[PICK, j]]
        S[MULT, i] = value
        charge += abs(value) * (G[con[I[BASIS, i]], k + EW] + (r + 2) * ULP)
    worst = 0.0
    for l in range(r):
        j = I[PICK, l]
        rest = S[W, j]
        for n in range(r):
            rest -= S[MULT, n] * A[j, I[BASIS, n]]
        worst = max(worst, abs(rest))
    delta = 1.02 * norm * (worst + charge) / (1.0 - theta)
    const, size, error = wc, abs(wc), wce
    for n in range(r):
        if not S[MULT, n] > delta:
            return -np.inf
        i = I[BASIS, n]
        const -= S[MULT, n] * S[CONST_AT, i]
        size += S[MULT, n] * abs(S[CONST_AT, i])
        error += (S[MULT, n] + delta) * G[con[i], k + EC] + delta * abs(S[CONST_AT, i])
    return const - 1.01 * (error + (r + 3) * ULP * size)


@inner()
def _invert(A, I, MR, k, r, st):
    """Pick r coordinates in which the basis is regular, and invert it there (Gauss-Jordan)."""
    for c in range(k):
        I[PICK, c] = c
    if r < k:
        for j in range(r):
            for c in range(k):
                MR[0, c, j] = A[c, I[BASIS, j]]
        for c in range(r):
            if raised(st, TRIP):
                return False
            p = c
            for i in range(c + 1, k):
                if abs(MR[0, i, c]) > abs(MR[0, p, c]):
                    p = i
            if abs(MR[0, p, c]) < 1e-13:
                return False
            I[PICK, c], I[PICK, p] = I[PICK, p], I[PICK, c]
            for j in range(r):
                MR[0, p, j], MR[0, c, j] = MR[0, c, j], MR[0, p, j]
            for i in range(c + 1, k):
                f = MR[0, i, c] / MR[0, c, c]
                for j in range(c, r):
                    MR[0, i, j] -= f * MR[0, c, j]
    for i in range(r):
        for j in range(r):
            MR[0, i, j] = A[I[PICK, i], I[BASIS, j]]
            MR[1, i, j] = 1.0 if i == j else 0.0
    for c in range(r):
        if raised(st, TRIP):
            return False
        p = c
        for i in range(c + 1, r):
            if abs(MR[0, i, c]) > abs(MR[0, p, c]):
                p = i
        if abs(MR[0, p, c]) < 1e-13:
            return False
        inv = 1.0 / MR[0, p, c]
        for j in range(r):
            MR[0, p, j], MR[0, c, j] = MR[0, c, j], MR[0, p, j] * inv
            MR[1, p, j], MR[1, c, j] = MR[1, c, j], MR[1, p, j] * inv
        for i in range(r):
            f = MR[0, i, c]
            if i != c and f != 0.0:
                for j in range(r):
                    MR[0, i, j] -= f * MR[0, c, j]
                    MR[1, i, j] -= f * MR[1, c, j]
    return True


@inner()
def proved_integer(A, G, con, S, I, k, wc, wexp, count, st):
    """Exact sign of the minimum for rows that are small integers times a power of two.

    Guesses integers N, D with ``mult = N / D`` and checks ``sum N a = D w`` exactly (all
    numbers stay below 2^53, where float64 is exact). Returns 1 (minimum > 0), 0 (= 0),
    -1 (no proof).
    """
    if wexp < 0:
        return -1
    for n in range(count):
        if G[con[I[BASIS, n]], k + EXP] < 0:
            return -1
    limit = 2.0**52
    for D in range(1, 400):
        if raised(st, TRIP):
            return -1
        good = True
        for n in range(count):
            ratio = _scaled(S[MULT, n] * D, wexp, G[con[I[BASIS, n]], k + EXP])
            if abs(ratio - np.rint(ratio)) > 1e-7 * (1.0 + abs(ratio)) or ratio > 2.0**40:
                good = False
                break
        if not good:
            continue
        for j in range(k + 1):
            goal = D * math.ldexp(wc if j == k else S[W, j], wexp)
            size = abs(goal)
            for n in range(count):
                i = I[BASIS, n]
                whole = np.rint(_scaled(S[MULT, n] * D, wexp, G[con[i], k + EXP]))
                entry = math.ldexp(S[CONST_AT, i] if j == k else A[j, i], int(G[con[i], k + EXP]))
                goal -= whole * entry
                size += abs(whole * entry)
            if not size < limit:
                return -1
            if j < k and goal != 0.0:
                good = False
                break
            if j == k:
                return 1 if goal > 0.0 else (0 if goal == 0.0 else -1)
        if not good:
            continue
    return -1


@inner()
def _scaled(x, up, down):
    return math.ldexp(x, up - int(down))
