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

from ..jit import kernel, raised
from .cursor import (  # noqa: F401 (for all who move a cursor)
    ANSWER,
    BIG,
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
    EXACT,
    FAN,
    FULL,
    HALTED,
    LAYER,
    LOOSE,
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
    S_PRUNE,
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
    ZONOTOPE,
)
from .forms import ARGS, KIND, compose
from .frames import choose, emit, open_layer, second, settle, split
from .lp import TRIP
from .max_units import contested, fanned
from .place import gather, place
from .records import LOGGING, NLOG, NREALS, record_fan, record_leaf, record_refused, record_split
from .tighten import tighten


@kernel("the search")
def advance(P, C, budget):
    """Advance the cursor by about ``budget`` tree nodes; see the module for what it returns."""
    k, last, owner, groups = P.k, P.n_layers - 1, P.owner, P.groups
    st, F, cand, con, pts, sign, G = C.st, C.F, C.cand, C.con, C.pts, C.sign, C.G
    A, T, S, I, MR, live, box, V, X = C.A, C.T, C.S, C.I, C.MR, C.live, C.box, C.V, C.X
    norm = -1.0  # see `side`
    if st[EXACT] > 0:
        norm = float(k) if st[BOUNDED] > 0 else 0.0
    d = st[DEPTH]
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
        gathered = False
        layer, answer = F[d, LAYER], st[ANSWER]
        fans = P.layers[layer, KIND] > 0
        if F[d, PHASE] >= FAN:
            g = owner[F[d, SPLIT]]
            st[ANSWER] = NONE
            verdict = fanned(
                C.log, k, d, groups[g + 1, ARGS] - groups[g, ARGS], answer, norm, st, F, cand, con,
                pts, sign, G, A, T, S, I, MR, live, box, V, X, C,
            )  # fmt: skip
            if verdict == HALTED:
                return STOPPED
            if verdict == NONE:
                st[S_ASKED] += 1
                return UNDECIDED
            if verdict == CUTS:
                d += 1
            elif verdict == MINUS:
                d -= 1
            continue
        if F[d, PHASE] == SECOND:
            second(k, d, norm, F, cand, con, pts, sign, G)
        elif F[d, PHASE] == NEW:
            compose(
                k, F[d, LAYER], P.W, P.layers, P.gamma, P.units, P.first_piece, P.pieces,
                P.cut_unit, P.cuts, P.rows, P.cols, groups, P.args, P.blur, sign, C.ok,
                live, C.H, C.Z, G, st, C.log,
            )  # fmt: skip
            if raised(st, TRIP):
                return STOPPED
            open_layer(d, F, cand, owner, P.layers_cut[layer], P.layers_cut[layer + 1])
            if layer > 0:
                gather(k, d, F, con, pts, sign, G, A, S, I)
                boxed = st[BOUNDED] > 0 and F[d, NCAND] >= 3 * k
                if not tighten(k, d, boxed, st, F, con, pts, G, A, T, S, I, MR, live, box, V, X, C):
                    return STOPPED
                gathered = True
        if F[d, POS] < F[d, NCAND]:
            st[ANSWER] = NONE
            if answer != NONE and not fans:  # the caller decided the one we stopped at
                settle(d, np.int64(cand[d, F[d, POS]]), answer, F, cand, sign)
            if not gathered:
                gather(k, d, F, con, pts, sign, G, A, S, I)
            while F[d, POS] < F[d, NCAND]:
                c = np.int64(cand[d, F[d, POS]])
                if fans:
                    g = owner[c]
                    verdict = contested(
                        C.log, k, d, c, groups[g + 1, ARGS] - groups[g, ARGS], answer, norm, st, F,
                        cand, con, pts, sign, G, A, T, S, I, MR, live, box, V, X, g, C,
                    )  # fmt: skip
                    answer = NONE
                else:
                    verdict = place(
                        k, d, c, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X
                    )
                if verdict == HALTED:
                    return STOPPED
                if verdict == NONE:
                    if not fans:
                        st[UNIT] = c
                    st[S_ASKED] += 1
                    return UNDECIDED
                if not fans:
                    settle(d, c, verdict, F, cand, sign)
                    if verdict != CUTS:
                        record_refused(C.log, k, C, d, c, int(verdict == PLUS))
            st[S_NODES] += 1
        if F[d, NSURV] == 0 and F[d, LAYER] < last:
            F[d, LAYER] += 1
            F[d, PHASE] = NEW
            continue
        pair_of = F[d, NSURV] == 1 and F[d, LAYER] == last and not fans
        pair_of = pair_of and st[EMIT] == 0 and st[LOGGING] == 0
        if F[d, NSURV] == 0 or pair_of:
            if st[EMIT] > 0:
                if st[NOUT] == C.out_signs.shape[0]:
                    return FULL
                emit(k, d, st, pts, sign, C.out_signs, C.out_points)
            record_leaf(C.log, k, C, d)
            st[S_LEAVES] += 1 + F[d, NSURV]  # one unit left to cut: two cells, no need to look
            d -= 1
            continue
        if fans:
            F[d, PHASE], F[d, SPLIT], F[d, CHAMP] = FAN, cand[d, 0], 0
            record_fan(C.log, C, cand[d, 0], owner[cand[d, 0]])
            continue
        n = choose(k, d, norm, F, cand, pts, G)
        if n < 0:  # evidence was forgotten: look for that of one unit again, then split by it
            F[d, NSURV] -= 1
            F[d, POS], F[d, NCAND] = F[d, NSURV], F[d, NSURV] + 1
            F[d, NIN], F[d, NPT] = 1, 1
            continue
        split(k, d, n, norm, F, cand, con, pts, sign, G)
        F[d, BORN] = st[S_LEAVES]
        record_split(C.log, C, F[d, SPLIT], int(sign[F[d, SPLIT]] > 0))
        d += 1
    st[DEPTH] = -1
    return DONE
