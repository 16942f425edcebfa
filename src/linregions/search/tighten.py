"""What is known of a cell that enters a layer: its bounding box, and constraints to forget."""

from __future__ import annotations

import numpy as np

from ..jit import inner, raised
from .cursor import BIG, BOUNDED, ENTRY, LAYER, NCON, NEW, PHASE, S_PRUNE, ZONOTOPE
from .lp import (
    ACTIVE,
    BEFORE,
    CONST_AT,
    COUNTS,
    EC,
    EW,
    EXP,
    FAILED,
    INSIDE,
    KEEP,
    NAMES,
    ROOM,
    SLACK,
    TRIP,
    ULP,
    W,
    proved_bounded,
    restart,
    span_of,
)
from .place import box_side, proved, solve
from .records import NLOG, NREALS, record_bound
from .zonotope import proved_zonotope


@inner()
def drop(k, d, n, F, con, A, S, I):
    """Forget constraint n of frame d: the last one takes its place."""
    m = F[d, NCON] - 1
    F[d, NCON] = m
    con[d, n], I[KEEP, n] = con[d, m], I[KEEP, m]
    for j in range(k):
        A[j, n] = A[j, m]
    for j in range(CONST_AT, ROOM + 1):
        S[j, n] = S[j, m]
    for i in range(I[ACTIVE, 0]):
        if I[NAMES, i] == m:
            I[NAMES, i] = n


@inner()
def bound(k, d, count, layer, end, st, con, G, A, S, I, box, V, X, C):
    """Narrow the bounding box at one end: even ends are lower, odd ones upper."""
    j, f = end >> 1, 1.0 if end & 1 == 0 else -1.0
    limit = -1.0
    if count >= 0:
        if X.ndim == 2:
            low = proved_zonotope(k, A, G, con[d], S, I, V, X, 0.0, 0.0, 0.0, count)
        else:
            low = proved_bounded(A, G, con[d], S, I, k, 0.0, 0.0, 0.0, count, 1.0)
        limit = max(-1.0, low)
    if limit > -1.0:
        record_bound(C.log, k, C, d, end, f * limit, count)
    if f > 0.0:
        box[2 * layer, j] = limit
    else:
        least, most = box[2 * layer, j], -limit
        box[2 * layer, j] = 0.5 * (least + most)
        box[2 * layer + 1, j] = 0.5 * (most - least) + 4.0 * ULP


@inner()
def beyond_box(k, d, F, con, G, A, S, I, box):
    """Drop the constraints that the bounding box of the cell lies strictly inside of.

    The cell touches none of them, so that it is the same without them (a segment from a point
    beyond such a constraint alone to a point of the cell would cross it inside the cell).
    """
    for n in range(F[d, NCON] - 1, -1, -1):
        if I[KEEP, n] == 0 and box_side(k, F[d, LAYER], np.int64(con[d, n]), G, box) != 0:
            drop(k, d, n, F, con, A, S, I)


@inner()
def remember(d, F, con, st, I):
    """Keep the constraints of frame d, the statistics and the ends of the log for `undo`."""
    for n in range(F[d, NCON]):
        I[BEFORE, n] = con[d, n]
    for n in range(len(st)):
        I[COUNTS, n] = st[n]
    I[COUNTS, TRIP] = F[d, NCON]


@inner()
def undo(d, F, con, st, I):
    """Put frame d back to the door of its layer, as it was before `tighten`; False."""
    F[d, NCON], F[d, PHASE] = I[COUNTS, TRIP], NEW
    for n in range(F[d, NCON]):
        con[d, n] = I[BEFORE, n]
    for n in range(TRIP + 1, len(st)):
        st[n] = I[COUNTS, n]
    st[NLOG], st[NREALS] = I[COUNTS, NLOG], I[COUNTS, NREALS]
    return False


@inner()
def tighten(k, d, boxed, st, F, con, pts, G, A, T, S, I, MR, live, box, V, X, C):
    """Refresh what is known of a cell that enters a layer: its bounding box and its constraints.

    The box, from two LPs per coordinate, is the cheapest proof that a far unit does not cut. A
    redundant constraint only costs time, and those beyond the box go for nothing; an LP for each
    of the others pays where they are many. A constraint active at a vertex is never asked.

    False where the trip wire was raised: the frame is then at the door of its layer again.
    """
    for n in range(F[d, NCON]):
        I[KEEP, n] = 0
    ends = 2 * k if boxed else 0
    n = 0
    if boxed or F[d, NCON] > 4 * k + 8:
        remember(d, F, con, st, I)
    for task in range(ends + F[d, NCON] + 1):
        if task == ends:
            if boxed:
                beyond_box(k, d, F, con, G, A, S, I, box)
            if F[d, NCON] <= 4 * k + 8:
                break
            n = F[d, NCON]
        if task < ends:
            for j in range(k):
                S[W, j] = 0.0
            S[W, task >> 1] = 1.0 if task & 1 == 0 else -1.0
            start, stop = S[W, task >> 1] * pts[d, 0, task >> 1], -BIG
        else:
            n -= 1  # downwards: what takes the place of a dropped one has been asked
            if n < 0:
                break
            if I[KEEP, n] > 0:
                continue
            st[S_PRUNE] += 1
            for j in range(k):
                S[W, j] = A[j, n]
            start, stop = S[SLACK, n], -1e-12
            restart(S, I, k, F[d, NCON])
            S[ROOM, n] = BIG  # as if it were not there
        skip = -1 if task < ends else n
        wc = 0.0 if task < ends else S[CONST_AT, n]
        status, _, count = solve(
            k, d, F[d, NCON], wc, 0.0, 0.0, start, stop, BIG, skip, st, F, pts, G, con, A, T, S, I,
            MR, V, X,
        )  # fmt: skip
        for i in range(I[ACTIVE, 0]):
            I[KEEP, I[NAMES, i]] = 1
        if raised(st, TRIP):
            return undo(d, F, con, st, I)
        if task < ends:
            if status != INSIDE and (st[BOUNDED] != ZONOTOPE or status == FAILED):
                count = -1
            bound(k, d, count, F[d, LAYER], task, st, con, G, A, S, I, box, V, X, C)
        elif status == INSIDE:
            c = con[d, n]
            if proved(
                k, S[CONST_AT, n], G[c, k + EW], G[c, k + EC], int(G[c, k + EXP]), count,
                span_of(k, G, c, F[d, LAYER]), st, A, G, con[d], S, I, MR, live, V, X,
            ):  # fmt: skip
                drop(k, d, n, F, con, A, S, I)
            elif raised(st, TRIP):
                return undo(d, F, con, st, I)
    F[d, ENTRY] = int(boxed)
    return True
