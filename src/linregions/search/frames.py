"""Frames of the stack: a cell with the units of its layer that are still to be placed."""

from __future__ import annotations

import numpy as np

from ..jit import inner
from .cursor import (
    CHAMP,
    CUTS,
    ENTRY,
    LAYER,
    NCAND,
    NCON,
    NIN,
    NOUT,
    NPT,
    NSURV,
    PARENT,
    PHASE,
    PLUS,
    POS,
    RIVAL,
    SECOND,
    SPLIT,
    TEST,
)
from .place import common_side, side


@inner()
def open_layer(d, F, cand, owner, first, last):
    """Frame d enters its layer: all rows from ``first`` to ``last`` are candidates.

    A max unit stands there once, with its first row.
    """
    count = 0
    for c in range(first, last):
        if owner[c] < 0 or c == first or owner[c] != owner[c - 1]:
            cand[d, count] = c
            count += 1
    F[d, NCAND] = count
    F[d, PHASE], F[d, PARENT] = TEST, -1
    F[d, CHAMP], F[d, RIVAL] = -1, 0
    F[d, ENTRY], F[d, POS], F[d, NSURV] = 0, 0, 0
    F[d, NPT] = F[d, NIN]


@inner()
def choose(k, d, norm, F, cand, pts, G):
    """Position of the unit to split by: the first survivor with known points on both sides."""
    for n in range(F[d, NSURV]):
        if common_side(k, d, np.int64(cand[d, n]), norm, F, pts, G) == 2:
            return n
    return -1


@inner()
def _constrain(d, u, F, con):
    con[d, F[d, NCON]] = u
    F[d, NCON] += 1
    F[d, PHASE] = TEST
    F[d, ENTRY] = 0
    F[d, POS] = 0
    F[d, NSURV] = 0
    F[d, PARENT] = u


@inner()
def split(k, d, n, norm, F, cand, con, pts, sign, G):
    """Push the first child of frame d, cut by the candidate at position n, as frame d + 1."""
    e = d + 1
    u = np.int64(cand[d, n])
    t = side(k, G, u, pts[d, 0], norm)
    if t == 0:
        t = 1
    sign[u] = t
    F[d, SPLIT] = u
    F[d, PHASE] = SECOND
    F[e, LAYER] = F[d, LAYER]
    left = 0
    for i in range(F[d, NSURV]):
        if i != n:
            cand[e, left] = cand[d, i]
            left += 1
    F[e, NCAND] = left
    for i in range(F[d, NCON]):
        con[e, i] = con[d, i]
    F[e, NCON] = F[d, NCON]
    count = 0
    for wanted in (t, -t):  # the child's own points first, the sibling's behind them
        for p in range(F[d, NIN]):
            if side(k, G, u, pts[d, p], norm) == wanted:
                for j in range(k):
                    pts[e, count, j] = pts[d, p, j]
                count += 1
        if wanted == t:
            F[e, NIN] = count
    F[e, NPT] = count
    _constrain(e, u, F, con)


@inner()
def second(k, d, norm, F, cand, con, pts, sign, G):
    """Frame d, whose first child is done, becomes its own second child."""
    u = F[d, SPLIT]
    left = 0
    for i in range(F[d, NSURV]):
        if cand[d, i] != u:
            cand[d, left] = cand[d, i]
            left += 1
    F[d, NCAND] = left
    narrow(k, d, u, -int(sign[u]), norm, F, con, pts, sign, G)


@inner()
def narrow(k, d, u, t, norm, F, con, pts, sign, G):
    """Cut frame d down to side t of row u; False when no known point lies there."""
    sign[u] = t
    count, total = 0, F[d, NIN]
    for wanted in (t, -t):
        for p in range(count, total):
            if side(k, G, u, pts[d, p], norm) == wanted:
                for j in range(k):
                    pts[d, p, j], pts[d, count, j] = pts[d, count, j], pts[d, p, j]
                count += 1
        if wanted == t:
            F[d, NIN] = count
    F[d, NPT] = count
    _constrain(d, u, F, con)
    return F[d, NIN] > 0


@inner()
def settle(d, c, verdict, F, cand, sign):
    """Record where candidate c stands and move to the next."""
    if verdict == CUTS:
        cand[d, F[d, NSURV]] = c
        F[d, NSURV] += 1
    else:
        sign[c] = 1 if verdict == PLUS else -1
    F[d, POS] += 1


@inner()
def emit(k, d, st, pts, sign, out_signs, out_points):
    """Write the pattern and the witness of a finished cell."""
    n = st[NOUT]
    for c in range(out_signs.shape[1]):
        out_signs[n, c] = 1 if sign[c] > 0 else 0
    for j in range(k):
        out_points[n, j] = pts[d, 0, j]
    st[NOUT] = n + 1
