"""Max units in a search: who wins on a cell, and the cells on which each argument does.

All of it is compiled only where the log is a vector; see `records`.
"""

from __future__ import annotations

from ..jit import inner
from . import cursor as K
from .cursor import CUTS, HALTED, MINUS, NONE, PLUS
from .forms import ARGS, winner
from .frames import narrow
from .place import gather, place, row_at
from .records import record_kept, record_lost, record_side, record_wins


@inner()
def pair(first, m, i, j):
    """The row that compares arguments i < j of a max unit with m of them."""
    return first + i * m - i * (i + 1) // 2 + j - i - 1


@inner()
def crown(first, m, w, sign):
    """Record that argument w wins; rows between two losers count as not above 0."""
    for c in range(first, first + m * (m - 1) // 2):
        sign[c] = -1
    for i in range(w):
        sign[pair(first, m, i, w)] = 1


@inner()
def champion(C, d, first, m):
    """The argument that wins at the witness, to float precision."""
    w, k = 0, C.pts.shape[2]
    for j in range(1, m):
        if row_at(k, C.G, pair(first, m, w, j), C.pts[d, 0]) > 0.0:
            w = j
    return w


@inner()
def fan(C, d):
    """Push the next child of frame d as frame d + 1: the same cell, to be cut down."""
    F, cand, pts = C.F, C.cand, C.pts
    e = d + 1
    u, left = F[d, K.SPLIT], 0
    for i in range(F[d, K.NSURV]):
        if cand[d, i] != u:
            cand[e, left] = cand[d, i]
            left += 1
    for i in range(F[d, K.NCON]):
        C.con[e, i] = C.con[d, i]
    for p in range(F[d, K.NIN]):
        for j in range(pts.shape[2]):
            pts[e, p, j] = pts[d, p, j]
    F[e, K.LAYER], F[e, K.PHASE], F[e, K.ENTRY] = F[d, K.LAYER], K.CLIP, F[d, K.ENTRY]
    F[e, K.NCAND], F[e, K.NCON], F[e, K.PARENT] = left, F[d, K.NCON], -1
    F[e, K.NIN], F[e, K.NPT], F[e, K.SPLIT] = F[d, K.NIN], F[d, K.NIN], u
    F[e, K.POS], F[e, K.NSURV] = 0, 0
    F[e, K.CHAMP], F[e, K.RIVAL] = F[d, K.CHAMP], 0
    F[d, K.CHAMP] += 1


@inner()
def contest(C, d, first, m, answer, norm):
    """Does one argument of a max unit win on the whole cell? PLUS (and crowned), CUTS or NONE.

    (Or HALTED.)

    "Wins" is a total order (ties go to the lower index), so that whoever beats the champion
    beats all that the champion has beaten. ``answer`` is the caller's, for the row asked last.
    """
    F = C.F
    if F[d, K.CHAMP] < 0:
        F[d, K.CHAMP] = champion(C, d, first, m)
    while F[d, K.RIVAL] < m:
        w, j = F[d, K.CHAMP], F[d, K.RIVAL]
        if w == j:
            F[d, K.RIVAL] += 1
            continue
        verdict = answer
        answer = NONE
        if verdict == NONE:
            c = pair(first, m, min(w, j), max(w, j))
            verdict = place(C, d, c, norm)
            if verdict in (NONE, HALTED):
                C.st[K.UNIT] = c
                return verdict
            if verdict != CUTS:
                record_side(C, d, c, int(verdict == PLUS))
        if verdict == CUTS:
            F[d, K.CHAMP], F[d, K.RIVAL] = -1, 0
            return CUTS
        if (verdict == PLUS) == (j > w):
            F[d, K.CHAMP] = j
        F[d, K.RIVAL] += 1
    crown(first, m, F[d, K.CHAMP], C.sign)
    F[d, K.CHAMP], F[d, K.RIVAL] = -1, 0
    return PLUS


@inner()
def clip(C, d, first, m, answer, norm):
    """Cut frame d down to where argument CHAMP wins: PLUS (done), MINUS (empty), NONE or HALTED."""
    F = C.F
    w, stale = F[d, K.CHAMP], True
    while F[d, K.RIVAL] < m:
        j = F[d, K.RIVAL]
        if w == j:
            F[d, K.RIVAL] += 1
            continue
        if stale:
            gather(C, d)
            stale = False
        c = pair(first, m, min(w, j), max(w, j))
        wanted = PLUS if w > j else MINUS
        verdict = answer
        answer = NONE
        if verdict == NONE:
            verdict = place(C, d, c, norm)
            if verdict in (MINUS, PLUS) and verdict != wanted:
                record_lost(C, d, c)
        if verdict in (NONE, HALTED):
            C.st[K.UNIT] = c
            return verdict
        if verdict == CUTS:
            t = 1 if wanted == PLUS else -1
            narrow(C, d, c, t, norm)
            F[d, K.PHASE] = K.CLIP
            stale = True
        elif verdict != wanted:
            return MINUS
        F[d, K.RIVAL] += 1
    C.st[K.S_NODES] += 1
    crown(first, m, w, C.sign)
    F[d, K.CHAMP], F[d, K.RIVAL] = -1, 0
    F[d, K.PHASE] = K.TEST
    return PLUS


@inner()
def arguments(P, g):
    """How many arguments max unit g has."""
    return P.groups[g + 1, ARGS] - P.groups[g, ARGS]


@inner()
def fanned(P, C, d, answer, norm):
    """A step of frame d between two children.

    CUTS (there is one more), PLUS (this is one), MINUS (this is none, or was the last), NONE or
    HALTED.
    """
    if C.log.ndim == 1:  # decided when this is compiled: others do without all that code
        F, first = C.F, C.F[d, K.SPLIT]
        m = arguments(P, P.owner[first])
        if F[d, K.PHASE] == K.CLIP:
            verdict = clip(C, d, first, m, answer, norm)
            if verdict == PLUS:
                record_kept(C)
            return verdict
        if F[d, K.CHAMP] == m:
            return MINUS
        fan(C, d)
        return CUTS
    return MINUS


@inner()
def contested(P, C, d, c, answer, norm):
    """Place the max unit whose first row is candidate c: CUTS, PLUS, NONE or HALTED."""
    if C.log.ndim == 1:  # decided when this is compiled
        F, unit = C.F, P.owner[c]
        m = arguments(P, unit)
        verdict = contest(C, d, c, m, answer, norm)
        if verdict == CUTS:
            C.cand[d, F[d, K.NSURV]] = c
            F[d, K.NSURV] += 1
            F[d, K.POS] += 1
        elif verdict == PLUS:
            record_wins(C, c, unit, winner(c, m, C.sign))
            F[d, K.POS] += 1
        return verdict
    return NONE
