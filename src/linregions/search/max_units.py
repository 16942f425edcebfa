"""Max units in a search: who wins on a cell, and the cells on which each argument does.

All of it is compiled only where the log is a vector; see `records`.
"""

from __future__ import annotations

from ..jit import inner
from .cursor import (
    CHAMP,
    CLIP,
    CUTS,
    ENTRY,
    HALTED,
    LAYER,
    MINUS,
    NCAND,
    NCON,
    NIN,
    NONE,
    NPT,
    NSURV,
    PARENT,
    PHASE,
    PLUS,
    POS,
    RIVAL,
    S_NODES,
    SPLIT,
    TEST,
    UNIT,
)
from .forms import winner
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
def champion(k, d, first, m, pts, G):
    """The argument that wins at the witness, to float precision."""
    w = 0
    for j in range(1, m):
        if row_at(k, G, pair(first, m, w, j), pts[d, 0]) > 0.0:
            w = j
    return w


@inner()
def fan(k, d, F, cand, con, pts):
    """Push the next child of frame d as frame d + 1: the same cell, to be cut down."""
    e = d + 1
    u, left = F[d, SPLIT], 0
    for i in range(F[d, NSURV]):
        if cand[d, i] != u:
            cand[e, left] = cand[d, i]
            left += 1
    for i in range(F[d, NCON]):
        con[e, i] = con[d, i]
    for p in range(F[d, NIN]):
        for j in range(k):
            pts[e, p, j] = pts[d, p, j]
    F[e, LAYER], F[e, PHASE], F[e, ENTRY] = F[d, LAYER], CLIP, F[d, ENTRY]
    F[e, NCAND], F[e, NCON], F[e, PARENT] = left, F[d, NCON], -1
    F[e, NIN], F[e, NPT], F[e, SPLIT] = F[d, NIN], F[d, NIN], u
    F[e, POS], F[e, NSURV] = 0, 0
    F[e, CHAMP], F[e, RIVAL] = F[d, CHAMP], 0
    F[d, CHAMP] += 1


@inner()
def contest(
    k, d, first, m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X, C
):  # fmt: skip
    """Does one argument of a max unit win on the whole cell? PLUS (and crowned), CUTS or NONE.

    (Or HALTED.)

    "Wins" is a total order (ties go to the lower index), so that whoever beats the champion
    beats all that the champion has beaten. ``answer`` is the caller's, for the row asked last.
    """
    if F[d, CHAMP] < 0:
        F[d, CHAMP] = champion(k, d, first, m, pts, G)
    while F[d, RIVAL] < m:
        w, j = F[d, CHAMP], F[d, RIVAL]
        if w == j:
            F[d, RIVAL] += 1
            continue
        verdict = answer
        answer = NONE
        if verdict == NONE:
            c = pair(first, m, min(w, j), max(w, j))
            verdict = place(
                k, d, c, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X
            )
            if verdict in (NONE, HALTED):
                st[UNIT] = c
                return verdict
            if verdict != CUTS:
                record_side(C.log, k, C, d, c, int(verdict == PLUS))
        if verdict == CUTS:
            F[d, CHAMP], F[d, RIVAL] = -1, 0
            return CUTS
        if (verdict == PLUS) == (j > w):
            F[d, CHAMP] = j
        F[d, RIVAL] += 1
    crown(first, m, F[d, CHAMP], sign)
    F[d, CHAMP], F[d, RIVAL] = -1, 0
    return PLUS


@inner()
def clip(
    k, d, first, m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X, C
):  # fmt: skip
    """Cut frame d down to where argument CHAMP wins: PLUS (done), MINUS (empty), NONE or HALTED."""
    w = F[d, CHAMP]
    stale = True
    while F[d, RIVAL] < m:
        j = F[d, RIVAL]
        if w == j:
            F[d, RIVAL] += 1
            continue
        if stale:
            gather(k, d, F, con, pts, sign, G, A, S, I)
            stale = False
        c = pair(first, m, min(w, j), max(w, j))
        wanted = PLUS if w > j else MINUS
        verdict = answer
        answer = NONE
        if verdict == NONE:
            verdict = place(
                k, d, c, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X
            )
            if verdict in (MINUS, PLUS) and verdict != wanted:
                record_lost(C.log, k, C, d, c)
        if verdict in (NONE, HALTED):
            st[UNIT] = c
            return verdict
        if verdict == CUTS:
            t = 1 if wanted == PLUS else -1
            narrow(k, d, c, t, norm, F, con, pts, sign, G)
            F[d, PHASE] = CLIP
            stale = True
        elif verdict != wanted:
            return MINUS
        F[d, RIVAL] += 1
    st[S_NODES] += 1
    crown(first, m, w, sign)
    F[d, CHAMP], F[d, RIVAL] = -1, 0
    F[d, PHASE] = TEST
    return PLUS


@inner()
def fanned(
    log, k, d, m, answer, norm, st, F, cand, con, pts, sign, G, A, T, S, I, MR, live, box, V, X, C
):  # fmt: skip
    """A step of frame d between two children.

    CUTS (there is one more), PLUS (this is one), MINUS (this is none, or was the last), NONE or
    HALTED.
    """
    if log.ndim == 1:  # decided when this is compiled: others do without all that code
        if F[d, PHASE] == CLIP:
            verdict = clip(
                k, d, F[d, SPLIT], m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live,
                box, V, X, C,
            )  # fmt: skip
            if verdict == PLUS:
                record_kept(log, C)
            return verdict
        if F[d, CHAMP] == m:
            return MINUS
        fan(k, d, F, cand, con, pts)
        return CUTS
    return MINUS


@inner()
def contested(
    log, k, d, c, m, answer, norm, st, F, cand, con, pts, sign, G, A, T, S, I, MR, live, box, V, X,
    unit, C,
):  # fmt: skip
    """Place the max unit whose first row is candidate c: CUTS, PLUS, NONE or HALTED."""
    if log.ndim == 1:  # decided when this is compiled
        verdict = contest(
            k, d, c, m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X, C
        )
        if verdict == CUTS:
            cand[d, F[d, NSURV]] = c
            F[d, NSURV] += 1
            F[d, POS] += 1
        elif verdict == PLUS:
            record_wins(log, C, c, unit, winner(c, m, sign))
            F[d, POS] += 1
        return verdict
    return NONE
