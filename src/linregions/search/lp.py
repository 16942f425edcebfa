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
from numba import njit

INSIDE, BELOW, FAILED = 0, 1, 2
# A: rows 0..k-1 hold coefficients, one column per constraint; row k + ... holds
CONST, EW, EC, AERR, BERR, EXP, SPAN, SLACK, RATE = range(9)
# S: float scratch vectors of length k;  I: integer scratch vectors
W, Y, MULT, RESID, TRIAL, ENDS = range(6)
ROWS, NAMES, BASIS, KEEP, PICK = range(5)
ULP = 2.0**-53


def inner(**options):
    """A compiled function for compiled callers only: no Python wrapper to build."""
    return njit(nogil=True, no_cpython_wrapper=True, error_model="numpy", **options)


FAST = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinities keep their meaning


@inner(fastmath=FAST)
def minimise(A, T, S, I, k, m, start, stop, skip):
    """Minimise ``start + w . y`` over the cell; stop early once it falls below ``stop``.

    ``w`` is ``S[W]``. Returns ``(status, value, count)`` and a point of the closed cell in ``S[Y]``:
    BELOW with the point that fell below (or, count = -1, a direction along which the cell is
    unbounded), INSIDE with the optimum and ``count`` multipliers ``S[MULT]`` for the constraints
    ``I[BASIS]``, or FAILED. ``skip`` is a
    constraint to leave out (-1: none). ``T`` (k+1, m) holds the dictionary.
    """
    rows, names, basis, mult = I[ROWS], I[NAMES], I[BASIS], S[MULT]
    for c in range(k):
        for i in range(m):
            T[c, i] = A[c, i]
        names[c] = -1 - c  # free coordinate c
    for i in range(m):
        T[k, i] = A[k + SLACK, i]
        rows[i] = i
    if skip >= 0:
        rows[skip] = -1000
        for c in range(k):
            T[c, skip] = 0.0
    for c in range(k):
        mult[c] = S[W, c]
    value = start
    tolerance = 1e-11
    for step in range(50 + 8 * (m + k)):
        enter, best = -1, tolerance
        for c in range(k):
            r = mult[c]
            gain = abs(r) if names[c] < 0 else -r
            if gain > best:
                enter, best = c, gain
                if step > 20 + 4 * k:
                    break  # Bland's rule from here on: no cycling
        if enter < 0:
            _point(T, S, I, k, m, -1, 0.0)
            count = 0
            for c in range(k):
                if names[c] >= 0 and mult[c] > 0.0:
                    basis[count] = names[c]
                    mult[count] = mult[c]
                    count += 1
            return INSIDE, value, count
        sign = 1.0 if mult[enter] < 0.0 else -1.0
        leave, num, den = -1, np.inf, 1.0
        for i in range(m):
            rate = -sign * T[enter, i]
            if rate > 1e-11 and rows[i] >= 0:
                room = max(T[k, i], 0.0)
                if room * den < num * rate or (room * den == num * rate and rate > den):
                    leave, num, den = i, room, rate
        if leave < 0:
            for j in range(k):
                S[Y, j] = 0.0
            if names[enter] < 0:
                S[Y, -1 - names[enter]] = sign
            for i in range(m):
                if -1 - k <= rows[i] < 0:
                    S[Y, -1 - rows[i]] = sign * T[enter, i]
            return BELOW, -np.inf, -1
        theta = num / den
        after = value + mult[enter] * sign * theta
        if after < stop:
            _point(T, S, I, k, m, enter, sign * theta)
            return BELOW, after, 0
        pivot = 1.0 / T[enter, leave]
        for c in range(k + 1):
            if c == enter:
                continue
            factor = T[c, leave] * pivot
            if factor == 0.0:
                continue
            for i in range(m):
                T[c, i] -= T[enter, i] * factor
            T[c, leave] = -factor
            if c < k:
                mult[c] -= mult[enter] * factor
            else:
                value -= mult[enter] * factor
        for i in range(m):
            T[enter, i] *= pivot
        T[enter, leave] = pivot
        mult[enter] *= pivot
        names[enter], rows[leave] = rows[leave], names[enter]
    return FAILED, value, 0


@inner()
def _point(T, S, I, k, m, enter, step):
    """Coordinates of the current vertex, moved by ``step`` along column ``enter``."""
    for j in range(k):
        S[Y, j] = 0.0
    if enter >= 0 and I[NAMES, enter] < 0:
        S[Y, -1 - I[NAMES, enter]] = step
    for i in range(m):
        j = -1 - I[ROWS, i]
        if 0 <= j < k:
            S[Y, j] = T[k, i] + (T[enter, i] * step if enter >= 0 else 0.0)


@inner()
def proved_bounded(A, S, I, k, wc, we, wce, count, reach):
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
        size += mu * abs(A[k, i])
        const -= mu * A[k, i]
        row_error += mu * A[k + EW, i]
        const_error += mu * A[k + EC, i]
        for j in range(k):
            S[RESID, j] -= mu * A[j, i]
    total = 0.0
    for j in range(k):
        total += abs(S[RESID, j])
    rounding = (count + 4) * ULP * ((1.0 + lam) * reach * k + size)
    return const - 1.01 * (total * reach + row_error * reach * k + const_error + rounding)


@inner()
def spanned(A, I, k, count, span, live):
    """The row and its basis lie in a space of ``count`` dimensions, for a structural reason.

    Within a cell every row beyond layer t is a combination of the live units of layer t. A
    row is in that space for all t up to its ``SPAN`` entry; ``live[t]`` counts the units.
    """
    if count == k:
        return True
    for n in range(count):
        span = min(span, A[k + SPAN, I[BASIS, n]])
    for t in range(int(span) + 1):
        if live[t] == count:
            return True
    return False


@inner()
def proved_unbounded(A, S, I, MR, k, wc, we, wce, r, span, live):
    """Rigorous lower bound of ``w . x + wc`` over a cell that may be unbounded, or -inf.

    Needs as many multipliers r as the rows span dimensions. Then exact multipliers exist,
    ``sum mult a = w``; r independent coordinates determine them, and they are close to the
    computed ones when an approximate inverse R has ``|I - R M| < 1``. If each exceeds its
    error they are all positive, and the constant is the exact minimum.
    """
    if r == 0 or r > k or not spanned(A, I, k, r, span, live) or not _invert(A, I, MR, k, r):
        return -np.inf
    norm, theta, spread = 0.0, 0.0, 0.0
    for i in range(r):
        spread += A[k + EW, I[BASIS, i]]
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
        charge += abs(value) * (A[k + EW, I[BASIS, i]] + (r + 2) * ULP)
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
        const -= S[MULT, n] * A[k, i]
        size += S[MULT, n] * abs(A[k, i])
        error += (S[MULT, n] + delta) * A[k + EC, i] + delta * abs(A[k, i])
    return const - 1.01 * (error + (r + 3) * ULP * size)


@inner()
def _invert(A, I, MR, k, r):
    """Pick r coordinates in which the basis is regular, and invert it there (Gauss-Jordan)."""
    for c in range(k):
        I[PICK, c] = c
    if r < k:
        for j in range(r):
            for c in range(k):
                MR[0, c, j] = A[c, I[BASIS, j]]
        for c in range(r):
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
def proved_integer(A, S, I, k, wc, wexp, count):
    """Exact sign of the minimum for rows that are small integers times a power of two.

    Guesses integers N, D with ``mult = N / D`` and checks ``sum N a = D w`` exactly (all
    numbers stay below 2^53, where float64 is exact). Returns 1 (minimum > 0), 0 (= 0),
    -1 (no proof).
    """
    if wexp < 0:
        return -1
    for n in range(count):
        if A[k + EXP, I[BASIS, n]] < 0:
            return -1
    limit = 2.0**52
    for D in range(1, 400):
        good = True
        for n in range(count):
            ratio = _scaled(S[MULT, n] * D, wexp, A[k + EXP, I[BASIS, n]])
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
                whole = np.rint(_scaled(S[MULT, n] * D, wexp, A[k + EXP, i]))
                entry = math.ldexp(A[k, i] if j == k else A[j, i], int(A[k + EXP, i]))
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
