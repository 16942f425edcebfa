"""The compiled search: advance a cursor through the tree of cells by a budget of work.

One frame of the stack is one cell together with the units of its layer that are still to be
placed. A frame goes through phases: NEW (it enters a layer, whose rows are composed), TEST
(each unit in turn: does it cut this cell?), then either the layer is complete, or the cell is
split by one of the units that cut it; the frame becomes its own second child (SECOND) once
the first is done. Depth first, so that memory is that of one path.

A max unit of m arguments splits a cell into up to m: the frame (FAN) makes one child for each
argument in turn, a copy of the cell that is cut down, row by row, to where that argument wins
(CLIP), unless nothing is left of it. Rows between two losers are never looked at.

The kernel knows arrays only. It returns DONE, SPENT (budget), FULL (the output wants
emptying), UNDECIDED: a decision that floats cannot justify, which the caller settles in
rational arithmetic and writes into ``st[ANSWER]`` before resuming; or STOPPED: another thread has
raised the trip wire ``st[TRIP]``. The decision under way is then as if it had not begun, and is
made when the caller has put the wire back (it alone does) and resumes.
"""

from __future__ import annotations

import numpy as np

from ..jit import held, inner, kernel, raised
from .cursor import (  # noqa: F401 (for all who move a cursor)
    ANSWER,
    BORN,
    BOUNDED,
    CHAMP,
    CLIP,
    CUTS,
    DEPTH,
    DONE,
    DROP,
    EMIT,
    ENTRY,
    FAN,
    FULL,
    HALTED,
    LAYER,
    MINUS,
    NCAND,
    NCON,
    NEW,
    NIN,
    NONE,
    NOUT,
    NPT,
    NSURV,
    PARENT,
    PHASE,
    PLUS,
    POS,
    RIVAL,
    S_ASKED,
    S_BOX,
    S_COINCIDENT,
    S_CONSTANT,
    S_FLOAT,
    S_INTEGER,
    S_LEAVES,
    S_LP_CUT,
    S_LPS,
    S_NODES,
    S_POINTS,
    S_RAYS,
    S_SEGMENTS,
    S_TESTS,
    SECOND,
    SPENT,
    SPLIT,
    STOPPED,
    TEST,
    UNDECIDED,
    UNIT,
)
from .forms import KIND, compose
from .frames import choose, emit, open_layer, second, settle, split
from .lp import TRIP
from .max_units import contested, fanned
from .place import gather, place
from .records import LOGGING, NLOG, NREALS, record_fan, record_leaf, record_refused, record_split
from .tighten import tighten


@kernel("the search")
def advance(P, C, budget):
    """Advance the cursor by about ``budget`` tree nodes; see the module for what it returns."""
    P, C = held(P), held(C)
    F, st = C.F, C.st
    d, last, norm = st[DEPTH], P.n_layers - 1, _norm(C)
    if d >= 0 and st[ANSWER] == DROP:  # the caller counted this whole frame
        st[ANSWER] = NONE
        d -= 1
    while d >= 0:
        st[DEPTH] = d
        if budget <= 0:
            return SPENT
        if raised(st, TRIP):
            return STOPPED
        if st[LOGGING] > 0 and len(C.log) - max(st[NLOG], st[NREALS]) < st[LOGGING]:
            return FULL
        budget -= 1
        between = F[d, PHASE] >= FAN
        verdict = _child(P, C, d, norm) if between else _placed(P, C, d, norm)
        if verdict == HALTED:
            return STOPPED
        if verdict == NONE:
            st[S_ASKED] += 1
            return UNDECIDED
        if between:
            d += int(verdict == CUTS) - int(verdict == MINUS)
        elif F[d, NSURV] == 0 and F[d, LAYER] < last:
            F[d, LAYER] += 1
            F[d, PHASE] = NEW
        elif F[d, NSURV] == 0 or _pair(P, C, d):
            if st[EMIT] > 0:
                if st[NOUT] == C.out_signs.shape[0]:
                    return FULL
                emit(C, d)
            record_leaf(C, d)
            st[S_LEAVES] += 1 + F[d, NSURV]
            d -= 1
        else:
            d += _divide(P, C, d, norm)
    st[DEPTH] = -1
    return DONE


@inner()
def _norm(C):
    """What bounds the 1-norm of points; see `side`."""
    return float(C.pts.shape[2]) if C.st[BOUNDED] > 0 else 0.0


@inner()
def _child(P, C, d, norm):
    """A step between two arguments of a max unit; see `fanned`."""
    answer = C.st[ANSWER]
    C.st[ANSWER] = NONE
    return fanned(P, C, d, answer, norm)


@inner()
def _placed(P, C, d, norm):
    """Frame d gets to its candidates, and each is placed: CUTS, or else NONE or HALTED."""
    F = C.F
    if F[d, PHASE] == SECOND:
        second(C, d, norm)
    elif F[d, PHASE] == NEW:
        compose(P, C, F[d, LAYER])
        if raised(C.st, TRIP):
            return HALTED
        open_layer(P, C, d)
        if F[d, LAYER] > 0:
            gather(C, d)
            if not tighten(C, d, C.st[BOUNDED] > 0 and F[d, NCAND] >= 3 * P.k):
                return HALTED
    return _tested(P, C, d, norm) if F[d, POS] < F[d, NCAND] else CUTS


@inner()
def _tested(P, C, d, norm):
    """Place the candidates that are left: CUTS, or else NONE or HALTED."""
    F, st = C.F, C.st
    fans, answer = P.layers[F[d, LAYER], KIND] > 0, st[ANSWER]
    st[ANSWER] = NONE
    if answer != NONE and not fans:  # the caller decided the one we stopped at
        settle(C, d, np.int64(C.cand[d, F[d, POS]]), answer)
    gather(C, d)
    while F[d, POS] < F[d, NCAND]:
        c = np.int64(C.cand[d, F[d, POS]])
        verdict = contested(P, C, d, c, answer, norm) if fans else place(C, d, c, norm)
        answer = NONE
        if verdict == HALTED:
            return HALTED
        if verdict == NONE:
            if not fans:
                st[UNIT] = c
            return NONE
        if not fans:
            settle(C, d, c, verdict)
            if verdict != CUTS:
                record_refused(C, d, c, int(verdict == PLUS))
    st[S_NODES] += 1
    return CUTS


@inner()
def _pair(P, C, d):
    """One unit is left to cut: two cells, no need to look."""
    F, st = C.F, C.st
    if F[d, NSURV] != 1 or F[d, LAYER] < P.n_layers - 1 or P.layers[F[d, LAYER], KIND] > 0:
        return False
    return st[EMIT] == 0 and st[LOGGING] == 0


@inner()
def _divide(P, C, d, norm):
    """Divide the cell of frame d by a unit that cuts it; how much deeper the search is then."""
    F = C.F
    if P.layers[F[d, LAYER], KIND] > 0:
        c = np.int64(C.cand[d, 0])
        F[d, PHASE], F[d, SPLIT], F[d, CHAMP] = FAN, c, 0
        record_fan(C, c, P.owner[c])
        return 0
    n = choose(C, d, norm)
    if n < 0:  # evidence was forgotten: look for that of one unit again, then split by it
        F[d, NSURV] -= 1
        F[d, POS], F[d, NCAND] = F[d, NSURV], F[d, NSURV] + 1
        F[d, NIN], F[d, NPT] = 1, 1
        return 0
    split(C, d, n, norm)
    F[d, BORN] = C.st[S_LEAVES]
    record_split(C, F[d, SPLIT], int(C.sign[F[d, SPLIT]] > 0))
    return 1
