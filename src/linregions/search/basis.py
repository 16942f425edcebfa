"""Bases of the dual simplex method over a zonotope: LU factors, and how far a step goes."""

from __future__ import annotations

from ..jit import FAST, inner
from .lp import (
    BASIS,
    NAMES,
    PICK,
)
from .zonotope import (
    HELD,
    TIME,
)


@inner(fastmath=FAST)
def factor(C, q):
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
def solve(C, q, right, out):
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
def solve_transposed(C, q, right, out):
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
def select(order, X, count, slope):
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
