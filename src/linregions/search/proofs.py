"""Proofs that a row is not negative on a cell, from the multipliers of a linear programme.

``S[W] . x + const`` is the form in question; `docs/exactness.md` has the arguments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..jit import inner, raised
from ..roundoff import ROUNDOFF
from .lp import (
    ALIVE,
    BASIS,
    CONST_AT,
    EC,
    EW,
    EXP,
    MULT,
    PICK,
    RESID,
    SPAN,
    TRIP,
    W,
)


class Form(NamedTuple):
    """What a form has beside its coefficients, which are in S[W]."""

    const: float
    ew: float  # error of each coefficient
    ec: float  # of the constant
    exp: int  # all numbers are integers times ``2^-exp``, or -1


@inner()
def form_of(C, c, const):
    """The form of row c, with either sign: ``const`` is its constant."""
    k = C.pts.shape[2]
    return Form(const, C.G[c, k + EW], C.G[c, k + EC], int(C.G[c, k + EXP]))


@inner()
def proved_bounded(C, d, form, count):
    """Rigorous lower bound of ``w . x + const`` over the cell of frame d, with ``|x_j| <= 1``.

    For multipliers ``mult >= 0``: ``w x + const = sum mult (a x + b) + r x + c``; the first
    sum is not negative, the rest is bounded with every rounding and row error charged.
    """
    A, G, k = C.A, C.G, C.pts.shape[2]
    S, I, con = C.S, C.I, C.con[d]
    lam = 0.0
    size = abs(form.const)
    const = form.const
    row_error = form.ew
    const_error = form.ec
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
    rounding = (count + 4) * ROUNDOFF * ((1.0 + lam) * k + size)
    return const - 1.01 * (total + row_error * k + const_error + rounding)


@inner()
def span_of(C, c, layer):
    """The last layer below ``layer`` in the span of whose live units row c lies, or -1.

    Within a cell of layer ``layer`` every row beyond layer t is a combination of the live units of
    layer t, and so is a row of layer t whose own unit is live. The first is a fact of the row
    (SPAN, written with it); the second is one of the path (ALIVE, written when layer t + 1 is
    composed), and is read only in cells of the layers beyond t: a cell of layer t itself may have
    been left by a sibling whose units were others.
    """
    G, k = C.G, C.pts.shape[2]
    return min(int(G[c, k + SPAN]) + int(G[c, k + ALIVE]), layer - 1)


@inner()
def spanned(C, d, count, span):
    """The row and its basis lie in a space of ``count`` dimensions, for a structural reason.

    ``span`` is `span_of` the row, hence below the layer of the cell, and so is every t for which
    ``live[t]``, the number of live units, is read.
    """
    G, k, live = C.G, C.pts.shape[2], C.live
    if count == k:
        return True
    for n in range(count):
        i = C.con[d, C.I[BASIS, n]]
        span = min(span, int(G[i, k + SPAN]) + int(G[i, k + ALIVE]))
    for t in range(span + 1):  # noqa: SIM110 (numba)
        if live[t] == count:
            return True
    return False


@inner()
def proved_unbounded(C, d, form, r, span):
    """Rigorous lower bound of ``w . x + const`` over a cell that may be unbounded, or -inf.

    Needs as many multipliers r as the rows span dimensions. Then exact multipliers exist,
    ``sum mult a = w``; r independent coordinates determine them, and they are close to the
    computed ones when an approximate inverse R has ``|I - R M| < 1``. If each exceeds its
    error they are all positive, and the constant is the exact minimum.
    """
    A, G, k = C.A, C.G, C.pts.shape[2]
    S, I, MR = C.S, C.I, C.MR
    con = C.con[d]
    if r == 0 or r > k or not spanned(C, d, r, span):
        return -np.inf
    if not _invert(C, r):
        return -np.inf
    norm, theta, spread = 0.0, 0.0, 0.0
    for i in range(r):
        if raised(C.st, TRIP):
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
    theta = 1.01 * (theta + norm * (spread + (r + 2) * r * ROUNDOFF))
    if not theta < 0.5:
        return -np.inf
    charge = form.ew + (r + 2) * ROUNDOFF
    for i in range(r):
        value = 0.0
        for j in range(r):
            value += MR[1, i, j] * S[W, I[PICK, j]]
        S[MULT, i] = value
        charge += abs(value) * (G[con[I[BASIS, i]], k + EW] + (r + 2) * ROUNDOFF)
    worst = 0.0
    for l in range(r):
        j = I[PICK, l]
        rest = S[W, j]
        for n in range(r):
            rest -= S[MULT, n] * A[j, I[BASIS, n]]
        worst = max(worst, abs(rest))
    delta = 1.02 * norm * (worst + charge) / (1.0 - theta)
    const, size, error = form.const, abs(form.const), form.ec
    for n in range(r):
        if not S[MULT, n] > delta:
            return -np.inf
        i = I[BASIS, n]
        const -= S[MULT, n] * S[CONST_AT, i]
        size += S[MULT, n] * abs(S[CONST_AT, i])
        error += (S[MULT, n] + delta) * G[con[i], k + EC] + delta * abs(S[CONST_AT, i])
    return const - 1.01 * (error + (r + 3) * ROUNDOFF * size)


@inner()
def _invert(C, r):
    """Pick r coordinates in which the basis is regular, and invert it there (Gauss-Jordan)."""
    A, I, k = C.A, C.I, C.pts.shape[2]
    M, R, pick = C.MR[0], C.MR[1], I[PICK]
    for c in range(k):
        pick[c] = c
    if r < k and not _picked(C, r):
        return False
    for i in range(r):
        for j in range(r):
            M[i, j] = A[pick[i], I[BASIS, j]]
            R[i, j] = 1.0 if i == j else 0.0
    for c in range(r):
        if raised(C.st, TRIP):
            return False
        p = _pivot(M, c, r)
        if abs(M[p, c]) < 1e-13:
            return False
        inv = 1.0 / M[p, c]
        for j in range(r):
            M[p, j], M[c, j] = M[c, j], M[p, j] * inv
            R[p, j], R[c, j] = R[c, j], R[p, j] * inv
        for i in range(r):
            f = M[i, c]
            if i != c and f != 0.0:
                for j in range(r):
                    M[i, j] -= f * M[c, j]
                    R[i, j] -= f * R[c, j]
    return True


@inner()
def _picked(C, r):
    """Put first in I[PICK] coordinates in which the basis is regular."""
    k, M, pick = C.pts.shape[2], C.MR[0], C.I[PICK]
    for j in range(r):
        for c in range(k):
            M[c, j] = C.A[c, C.I[BASIS, j]]
    for c in range(r):
        if raised(C.st, TRIP):
            return False
        p = _pivot(M, c, k)
        if abs(M[p, c]) < 1e-13:
            return False
        pick[c], pick[p] = pick[p], pick[c]
        for j in range(r):
            M[p, j], M[c, j] = M[c, j], M[p, j]
        for i in range(c + 1, k):
            f = M[i, c] / M[c, c]
            for j in range(c, r):
                M[i, j] -= f * M[c, j]
    return True


@inner()
def _pivot(M, c, end):
    """The row from c on whose entry in column c is largest."""
    p = c
    for i in range(c + 1, end):
        if abs(M[i, c]) > abs(M[p, c]):
            p = i
    return p


@inner()
def proved_integer(C, d, form, count):
    """Exact sign of the minimum for rows that are small integers times a power of two.

    Guesses integers N, D with ``mult = N / D`` and checks ``sum N a = D w`` exactly (all
    numbers stay below 2^53, where float64 is exact). Returns 1 (minimum > 0), 0 (= 0),
    -1 (no proof).
    """
    A, G, k = C.A, C.G, C.pts.shape[2]
    S, I, con = C.S, C.I, C.con[d]
    wexp = form.exp
    if wexp < 0:
        return -1
    for n in range(count):
        if G[con[I[BASIS, n]], k + EXP] < 0:
            return -1
    limit = 2.0**52
    for D in range(1, 400):
        if raised(C.st, TRIP):
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
            goal = D * math.ldexp(form.const if j == k else S[W, j], wexp)
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
