"""Frames of the stack: a cell with the units of its layer that are still to be placed."""

from __future__ import annotations

import numpy as np

from ..jit import inner
from . import cursor as K
from .place import common_side, side


@inner()
def open_layer(P, C, d):
    """Frame d enters its layer: all its rows are candidates.

    A max unit stands there once, with its first row.
    """
    F, owner, count = C.F, P.owner, 0
    first, last = P.layers_cut[F[d, K.LAYER]], P.layers_cut[F[d, K.LAYER] + 1]
    for c in range(first, last):
        if owner[c] < 0 or c == first or owner[c] != owner[c - 1]:
            C.cand[d, count] = c
            count += 1
    F[d, K.NCAND] = count
    F[d, K.PHASE], F[d, K.PARENT] = K.TEST, -1
    F[d, K.CHAMP], F[d, K.RIVAL] = -1, 0
    F[d, K.ENTRY], F[d, K.POS], F[d, K.NSURV] = 0, 0, 0
    F[d, K.NPT] = F[d, K.NIN]


@inner()
def choose(C, d, norm):
    """Position of the unit to split by: the first survivor with known points on both sides."""
    for n in range(C.F[d, K.NSURV]):
        if common_side(C, d, np.int64(C.cand[d, n]), norm) == 2:
            return n
    return -1


@inner()
def _constrain(C, d, u):
    F = C.F
    C.con[d, F[d, K.NCON]] = u
    F[d, K.NCON] += 1
    F[d, K.PHASE] = K.TEST
    F[d, K.ENTRY] = 0
    F[d, K.POS] = 0
    F[d, K.NSURV] = 0
    F[d, K.PARENT] = u


@inner()
def split(C, d, n, norm):
    """Push the first child of frame d, cut by the candidate at position n, as frame d + 1."""
    F, G, cand = C.F, C.G, C.cand
    con, pts, k = C.con, C.pts, C.pts.shape[2]
    e = d + 1
    u = np.int64(cand[d, n])
    t = side(k, G, u, pts[d, 0], norm)
    if t == 0:
        t = 1
    C.sign[u] = t
    F[d, K.SPLIT] = u
    F[d, K.PHASE] = K.SECOND
    F[e, K.LAYER] = F[d, K.LAYER]
    left = 0
    for i in range(F[d, K.NSURV]):
        if i != n:
            cand[e, left] = cand[d, i]
            left += 1
    F[e, K.NCAND] = left
    for i in range(F[d, K.NCON]):
        con[e, i] = con[d, i]
    F[e, K.NCON] = F[d, K.NCON]
    count = 0
    for wanted in (t, -t):  # the child's own points first, the sibling's behind them
        for p in range(F[d, K.NIN]):
            if side(k, C.G, u, pts[d, p], norm) == wanted:
                for j in range(k):
                    pts[e, count, j] = pts[d, p, j]
                count += 1
        if wanted == t:
            F[e, K.NIN] = count
    F[e, K.NPT] = count
    _constrain(C, e, u)


@inner()
def second(C, d, norm):
    """Frame d, whose first child is done, becomes its own second child."""
    F, cand = C.F, C.cand
    u = F[d, K.SPLIT]
    left = 0
    for i in range(F[d, K.NSURV]):
        if cand[d, i] != u:
            cand[d, left] = cand[d, i]
            left += 1
    F[d, K.NCAND] = left
    narrow(C, d, u, -int(C.sign[u]), norm)


@inner()
def narrow(C, d, u, t, norm):
    """Cut frame d down to side t of row u; False when no known point lies there."""
    F, pts, k = C.F, C.pts, C.pts.shape[2]
    C.sign[u] = t
    count, total = 0, F[d, K.NIN]
    for wanted in (t, -t):
        for p in range(count, total):
            if side(k, C.G, u, pts[d, p], norm) == wanted:
                for j in range(k):
                    pts[d, p, j], pts[d, count, j] = pts[d, count, j], pts[d, p, j]
                count += 1
        if wanted == t:
            F[d, K.NIN] = count
    F[d, K.NPT] = count
    _constrain(C, d, u)
    return F[d, K.NIN] > 0


@inner()
def settle(C, d, c, verdict):
    """Record where candidate c stands and move to the next."""
    F = C.F
    if verdict == K.CUTS:
        C.cand[d, F[d, K.NSURV]] = c
        F[d, K.NSURV] += 1
    else:
        C.sign[c] = 1 if verdict == K.PLUS else -1
    F[d, K.POS] += 1


@inner()
def emit(C, d):
    """Write the pattern and the witness of a finished cell."""
    n = C.st[K.NOUT]
    for c in range(C.out_signs.shape[1]):
        C.out_signs[n, c] = 1 if C.sign[c] > 0 else 0
    for j in range(C.pts.shape[2]):
        C.out_points[n, j] = C.pts[d, 0, j]
    C.st[K.NOUT] = n + 1
