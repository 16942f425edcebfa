"""What is known of a cell that enters a layer: its bounding box, and constraints to forget."""

from __future__ import annotations

import numpy as np

from ..jit import inner, raised
from ..roundoff import ROUNDOFF
from . import cursor as K
from . import lp as L
from .place import box_side, proved, solve
from .proofs import Form, form_of, proved_bounded, span_of
from .records import NLOG, NREALS, record_bound
from .zonotope import proved_zonotope


@inner()
def drop(C, d, n):
    """Forget constraint n of frame d: the last one takes its place."""
    A, S, I = C.A, C.S, C.I
    m = C.F[d, K.NCON] - 1
    C.F[d, K.NCON] = m
    C.con[d, n], I[L.KEEP, n] = C.con[d, m], I[L.KEEP, m]
    for j in range(C.pts.shape[2]):
        A[j, n] = A[j, m]
    for j in range(L.CONST_AT, L.ROOM + 1):
        S[j, n] = S[j, m]
    for i in range(I[L.ACTIVE, 0]):
        if I[L.NAMES, i] == m:
            I[L.NAMES, i] = n


@inner()
def bound(C, d, count, end):
    """Narrow the bounding box at one end: even ends are lower, odd ones upper."""
    j, f = end >> 1, 1.0 if end & 1 == 0 else -1.0
    box, layer = C.box, C.F[d, K.LAYER]
    limit = -1.0
    if count >= 0:
        form = Form(0.0, 0.0, 0.0, 0)
        if C.X.ndim == 2:
            low = proved_zonotope(C, d, form, count)
        else:
            low = proved_bounded(C, d, form, count)
        limit = max(-1.0, low)
    if limit > -1.0:
        record_bound(C, d, end, f * limit, count)
    if f > 0.0:
        box[2 * layer, j] = limit
    else:
        least, most = box[2 * layer, j], -limit
        box[2 * layer, j] = 0.5 * (least + most)
        box[2 * layer + 1, j] = 0.5 * (most - least) + 4.0 * ROUNDOFF


@inner()
def beyond_box(C, d):
    """Drop the constraints that the bounding box of the cell lies strictly inside of.

    The cell touches none of them, so that it is the same without them (a segment from a point
    beyond such a constraint alone to a point of the cell would cross it inside the cell).
    """
    layer = C.F[d, K.LAYER]
    for n in range(C.F[d, K.NCON] - 1, -1, -1):
        if C.I[L.KEEP, n] == 0 and box_side(C, layer, np.int64(C.con[d, n])) != 0:
            drop(C, d, n)


@inner()
def remember(C, d):
    """Keep the constraints of frame d, the statistics and the ends of the log for `undo`."""
    F, I, st = C.F, C.I, C.st
    for n in range(F[d, K.NCON]):
        I[L.BEFORE, n] = C.con[d, n]
    for n in range(len(st)):
        I[L.COUNTS, n] = st[n]
    I[L.COUNTS, L.TRIP] = F[d, K.NCON]


@inner()
def undo(C, d):
    """Put frame d back to the door of its layer, as it was before `tighten`; False."""
    F, I, st = C.F, C.I, C.st
    F[d, K.NCON], F[d, K.PHASE] = I[L.COUNTS, L.TRIP], K.NEW
    for n in range(F[d, K.NCON]):
        C.con[d, n] = I[L.BEFORE, n]
    for n in range(L.TRIP + 1, len(st)):
        st[n] = I[L.COUNTS, n]
    st[NLOG], st[NREALS] = I[L.COUNTS, NLOG], I[L.COUNTS, NREALS]
    return False


@inner()
def tighten(C, d, boxed):
    """Refresh what is known of a cell that enters a layer: its bounding box and its constraints.

    The box, from two LPs per coordinate, is the cheapest proof that a far unit does not cut. A
    redundant constraint only costs time, and those beyond the box go for nothing; an LP for each
    of the others pays where they are many. A constraint active at a vertex is never asked.

    False where the trip wire was raised: the frame is then at the door of its layer again.
    """
    F, I, k = C.F, C.I, C.pts.shape[2]
    for n in range(F[d, K.NCON]):
        I[L.KEEP, n] = 0
    many = 4 * k + 8
    if boxed or F[d, K.NCON] > many:
        remember(C, d)
    if boxed:
        for end in range(2 * k):
            if not _end(C, d, end):
                return undo(C, d)
        beyond_box(C, d)
    if F[d, K.NCON] > many:
        for n in range(F[d, K.NCON] - 1, -1, -1):  # what takes the place of one has been asked
            if I[L.KEEP, n] == 0 and not _redundant(C, d, n):
                return undo(C, d)
    F[d, K.ENTRY] = int(boxed)
    return True


@inner()
def _asked(C, d, form, start, skip):
    """Minimise S[W] over the cell of frame d; what is active at the vertex is kept."""
    stop = -K.BIG if skip < 0 else -1e-12
    status, _, count = solve(C, d, form, start, stop, K.BIG, skip)
    for i in range(C.I[L.ACTIVE, 0]):
        C.I[L.KEEP, C.I[L.NAMES, i]] = 1
    return status, count


@inner()
def _end(C, d, end):
    """Look how far the cell goes in one direction; False where the trip wire was raised."""
    S, j = C.S, end >> 1
    for i in range(C.pts.shape[2]):
        S[L.W, i] = 0.0
    S[L.W, j] = 1.0 if end & 1 == 0 else -1.0
    status, count = _asked(C, d, Form(0.0, 0.0, 0.0, 0), S[L.W, j] * C.pts[d, 0, j], np.int64(-1))
    if raised(C.st, L.TRIP):
        return False
    if status != L.INSIDE and (C.st[K.BOUNDED] != K.ZONOTOPE or status == L.FAILED):
        count = -1
    bound(C, d, count, end)
    return True


@inner()
def _redundant(C, d, n):
    """Forget constraint n where that is proved; False where the trip wire was raised."""
    S, c = C.S, np.int64(C.con[d, n])
    C.st[K.S_PRUNE] += 1
    for j in range(C.pts.shape[2]):
        S[L.W, j] = C.A[j, n]
    form = form_of(C, c, S[L.CONST_AT, n])
    L.restart(C, C.F[d, K.NCON])
    S[L.ROOM, n] = K.BIG  # as if it were not there
    status, count = _asked(C, d, form, S[L.SLACK, n], n)
    if raised(C.st, L.TRIP):
        return False
    if status == L.INSIDE and proved(C, d, form, count, span_of(C, c, C.F[d, K.LAYER])):
        drop(C, d, n)
    return not raised(C.st, L.TRIP)
