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

Names of the arrays, as in `program.Cursor`: ``st`` scalars and statistics; ``F`` frames;
``cand``, ``con`` candidates and constraints of each frame; ``pts`` its known points (first
those inside, the witness leading, then some beyond the last split); ``sign`` of each row;
``G`` rows; ``A`` the constraints of the current frame; ``T, S, I, MR`` scratch; ``box`` a
certified bounding box per layer (middle, half-width); ``log``, ``reals`` records, and ``divides``
says of a placed row whether it split the cells of the path or was refused (see `records`). BORN:
the leaves found when a frame was split.
"""

from __future__ import annotations

import numpy as np

from ..jit import FAST, inner, kernel, raised
from .columns import combine, middle
from .forms import ARGS, KIND, compose, winner
from .lp import (
    ACTIVE,
    AERR,
    BEFORE,
    BELOW,
    BERR,
    CONST_AT,
    COUNTS,
    EC,
    END,
    EW,
    EXP,
    FAILED,
    INSIDE,
    KEEP,
    MULT,
    NAMES,
    RATE,
    ROOM,
    SLACK,
    TRIAL,
    TRIP,
    ULP,
    W,
    Z,
    minimise,
    proved_bounded,
    proved_integer,
    proved_unbounded,
    rates,
    restart,
    span_of,
)
from .records import (
    BOXED,
    HOW,
    KEPT,
    LOGGING,
    MULTIPLIERS,
    NLOG,
    NREALS,
    REFUSED,
    SLOPELESS,
    SOLVED,
    WINS,
    record_bound,
    record_leaf,
    record_lost,
    record_side,
    write,
)
from .records import FAN as FANNED
from .records import SPLIT as DIVIDED
from .zonotope import minimise_zonotope, proved_zonotope

DONE, SPENT, FULL, UNDECIDED, STOPPED = range(5)
NEW, TEST, SECOND, FAN, CLIP = range(5)
# columns of F
LAYER, PHASE, ENTRY, POS, NCAND, NSURV, NCON, NIN, NPT, SPLIT, PARENT, CHAMP, RIVAL, BORN = range(
    14
)
# places in st (others in `records`; TRIP in `lp`)
DEPTH, NOUT, ANSWER, UNIT, EMIT, EXACT, BOUNDED = range(7)
ZONOTOPE = 2  # what st[BOUNDED] says where the domain is one
# answers to UNDECIDED, and what `place` finds (HALTED: nothing, for the trip wire is raised)
NONE, MINUS, PLUS, CUTS, DROP, HALTED = range(6)
# statistics, from st[16] on
(
    S_LEAVES, S_NODES, S_TESTS, S_POINTS, S_SEGMENTS, S_RAYS, S_LP_CUT, S_CONSTANT, S_BOX,
    S_FLOAT, S_INTEGER, S_ASKED, S_COINCIDENT, S_LPS, S_PRUNE,
) = range(16, 31)  # fmt: skip
BIG = 1e300
LOOSE = 1e-13  # what counts as zero where exactness was declined


@inner(fastmath=FAST)
def row_at(k, G, c, x):
    """Row c at a point."""
    total = G[c, k]
    for j in range(k):
        total += G[c, j] * x[j]
    return total


@inner(fastmath=FAST)
def norm1(k, x):
    """Sum of absolute values."""
    total = 0.0
    for j in range(k):
        total += abs(x[j])
    return total


@inner()
def side(k, G, c, x, norm):
    """Certified sign of row c at x: 1, -1, or 0 when rounding could hide it.

    ``norm`` is a bound of the 1-norm of x, 0 where none is known, and negative where exactness
    was declined.
    """
    v = row_at(k, G, c, x)
    error = LOOSE
    if norm >= 0.0:
        a, b = G[c, k + AERR], G[c, k + BERR]
        error = a * norm + b
        if norm == 0.0 or abs(v) <= error:
            error = a * norm1(k, x) + b
    return int(v > error) - int(v < -error)


@inner()
def common_side(k, d, c, norm, F, pts, G):
    """The side of row c that the known points of frame d lie on: 1, -1, 0 (unknown), 2 (both)."""
    plus = minus = False
    for p in range(F[d, NIN]):
        t = side(k, G, c, pts[d, p], norm)
        plus |= t > 0
        minus |= t < 0
        if plus and minus:
            return 2
    return int(plus) - int(minus)


@inner()
def gather(k, d, F, con, pts, sign, G, A, S, I):
    """Constraints of frame d as columns of A, oriented so that the cell is where all are >= 0."""
    m = F[d, NCON]
    for n in range(m):
        c = con[d, n]
        s = float(sign[c])
        total = s * G[c, k]
        S[CONST_AT, n] = total
        for j in range(k):
            a = s * G[c, j]
            A[j, n] = a
            total += a * pts[d, 0, j]
        S[SLACK, n] = total
    restart(S, I, k, m)


@inner()
def accept(k, d, c, s, norm, F, con, pts, G, A, S):
    """Add S[TRIAL] to the points of frame d if it lies certainly inside, on side -s of row c."""
    x = S[TRIAL]
    size = norm1(k, x)
    if not size < 1e150 or side(k, G, c, x, -1.0 if norm < 0.0 else size) != -s:
        return False
    if not within(k, d, x, size, norm, F, con, G, A, S):
        return False
    add_point(k, d, x, F, pts)
    return True


@inner()
def within(k, d, x, size, norm, F, con, G, A, S):
    """Whether x lies certainly inside the cell of frame d; S[RATE] then has its rows but constants.

    ``size`` bounds the 1-norm of x.
    """
    m = F[d, NCON]
    rates(A, k, m, x, S[RATE])
    for n in range(m):
        r = con[d, n]
        error = G[r, k + AERR] * size + G[r, k + BERR] if norm >= 0.0 else LOOSE
        if not S[CONST_AT, n] + S[RATE, n] > error:
            return False
    return True


@inner()
def add_point(k, d, x, F, pts):
    """Remember a point of the cell; a full list forgets one that is not the witness."""
    cap = pts.shape[1]
    inside, total = F[d, NIN], F[d, NPT]
    if inside == cap:
        old = 1 + F[d, POS] % (cap - 2)
        for j in range(k):
            pts[d, old, j] = pts[d, cap - 1, j]
            pts[d, cap - 1, j] = x[j]
        return
    if total == cap:
        total -= 1
    for j in range(k):
        pts[d, total, j] = pts[d, inside, j]
        pts[d, inside, j] = x[j]
    F[d, NIN] = inside + 1
    F[d, NPT] = total + 1


@inner()
def by_segment(k, d, c, s, F, pts, sign, G, S):
    """Propose a point on side -s of row c, on a segment that leaves the cell by its last split.

    The sibling's points satisfy every constraint but that of the split unit; where such a
    segment crosses the split, the sign of row c tells which of the two siblings row c cuts,
    without any LP.
    """
    u = F[d, PARENT]
    if u < 0:
        return False
    su = sign[u]
    for o in range(F[d, NIN], F[d, NPT]):
        vo = s * row_at(k, G, c, pts[d, o])
        if vo >= 0.0:
            continue
        uo = su * row_at(k, G, u, pts[d, o])
        for p in range(min(F[d, NIN], 4)):
            vp = s * row_at(k, G, c, pts[d, p])
            up = su * row_at(k, G, u, pts[d, p])
            if vp <= 0.0 or up <= 0.0 or uo >= 0.0:
                continue
            t_split = up / (up - uo)
            t_cut = vp / (vp - vo)
            if t_cut < t_split * 0.999999:
                t = 0.5 * (t_cut + t_split)
                for j in range(k):
                    S[TRIAL, j] = pts[d, p, j] + t * (pts[d, o, j] - pts[d, p, j])
                return True
    return False


@inner()
def by_lp(k, d, value, low, count, status, attempt, pts, S):
    """Propose a point between the witness and where the LP ended (``count`` -1: along a ray)."""
    if status == BELOW and count == -1:
        slope = 0.0
        for j in range(k):
            slope += S[W, j] * S[Z, j]
        if not slope < 0.0:
            return False
        t = -value / slope * (2.0 if attempt == 0 else (8.0 if attempt == 1 else 1.1))
        far = Z
    else:
        cross = value / (value - low)
        t = cross + (1.0 - cross) * (0.5 if attempt == 0 else (0.8 if attempt == 1 else 0.2))
        far = END
    for j in range(k):
        S[TRIAL, j] = pts[d, 0, j] + t * S[far, j]
    return True


@inner()
def solve(
    k, d, m, wc, we, wce, start, stop, enough, skip, st, F, pts, G, con, A, T, S, I, MR, V, X
):  # fmt: skip
    """Minimise ``S[W] . x + wc`` over the cell of frame d, by the method of its domain.

    ``start`` is its value at the witness. It may stop below ``stop``, or above ``enough``.
    """
    if X.ndim == 2:  # decided when this is compiled: other domains do without all that code
        if enough < BIG:
            status, low, count = combine(
                k, m, A, S, I, G, con[d], V, X, pts[d], F[d, NIN], wc, we, wce, stop, skip, st
            )
            if status != FAILED:
                return status, low, count
        return minimise_zonotope(k, m, A, S, I, MR, V, X, pts[d, 0], wc, enough, skip, st)
    return minimise(A, T, S, I, k, m, start, stop, st)


@inner()
def proved(k, wc, we, wce, wexp, count, span, st, A, G, con, S, I, MR, live, V, X):
    """The multipliers of the last LP prove that ``S[W] . x + wc`` is nowhere negative."""
    if X.ndim == 2:
        st[HOW] = REFUSED
        sure = proved_zonotope(k, A, G, con, S, I, V, X, wc, we, wce, count) > 0.0
        st[S_FLOAT] += int(sure)
        return sure
    st[HOW] = REFUSED
    if st[BOUNDED] > 0 and proved_bounded(A, G, con, S, I, k, wc, we, wce, count, 1.0) > 0.0:
        st[S_FLOAT] += 1
        return True
    st[HOW] = SOLVED
    low = proved_unbounded(A, G, con, S, I, MR, k, wc, we, wce, count, span, live, st)
    integer = -1
    if not low > 0.0:  # ties: the minimum is 0, or some multiplier is
        integer = proved_integer(A, G, con, S, I, k, wc, wexp, count, st)
        if raised(st, TRIP):
            return False
    if not low >= 0.0 and integer < 0:
        return False
    st[S_INTEGER if integer >= 0 else S_FLOAT] += 1
    support = 0
    for n in range(count):
        support += S[MULT, n] > 1e-9
    if support <= 1 and (integer == 0 or (integer < 0 and low == 0.0)):
        st[S_COINCIDENT] += 1  # a facet of the cell may lie where the row vanishes
    return True


@inner()
def constant(k, c, exact, st, G):
    """Place a row without any slope, or -1 when it has one."""
    for j in range(k):
        if G[c, j] != 0.0:
            return -1
    if exact and G[c, k + EW] > 0.0:
        return -1
    value, error = G[c, k], G[c, k + EC] if exact else 0.0
    if abs(value) <= error and not (value == 0.0 and error == 0.0):
        return NONE
    st[S_CONSTANT] += 1
    if value == 0.0:
        st[S_COINCIDENT] += 1  # identically at its breakpoint: the lower piece
    return PLUS if value > 0.0 else MINUS


@inner()
def box_side(k, layer, c, G, box):
    """The side of row c that the certified bounding box of the cell lies on, or 0."""
    middle, spread = G[c, k], G[c, k + AERR] * k + G[c, k + BERR]
    for j in range(k):
        middle += G[c, j] * box[2 * layer, j]
        spread += abs(G[c, j]) * box[2 * layer + 1, j]
    return int(middle > 1.01 * spread) - int(middle < -1.01 * spread)


@inner()
def place(k, d, c, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X):
    """Where row c stands to the cell of frame d: CUTS, PLUS, MINUS, NONE (undecided) or HALTED."""
    if raised(st, TRIP):
        return HALTED
    st[S_TESTS] += 1
    st[MULTIPLIERS] = 0
    if F[d, ENTRY] > 0:
        s = box_side(k, F[d, LAYER], c, G, box)
        if s != 0:
            st[S_BOX] += 1
            st[HOW] = BOXED
            return PLUS if s > 0 else MINUS
    s = common_side(k, d, c, norm, F, pts, G)
    if s == 2:
        st[S_POINTS] += 1
        return CUTS
    flat = constant(k, c, norm >= 0.0, st, G)
    if flat >= 0:
        st[HOW] = SLOPELESS
        return flat
    value = s * row_at(k, G, c, pts[d, 0])
    if not value > 0.0:  # the witness itself is not certain about this row
        return NONE
    if by_segment(k, d, c, s, F, pts, sign, G, S) and accept(
        k, d, c, s, norm, F, con, pts, G, A, S
    ):
        st[S_SEGMENTS] += 1
        return CUTS
    # How far beyond the row to look: a deeper point is farther from the walls, and dearer.
    deep = 0.04 if X.ndim == 2 else 0.25
    stop, enough, m = -deep * value, 1e-9, F[d, NCON]
    for attempt in range(3 if X.ndim == 2 else 2):  # after the first time down to the end
        restart(S, I, k, m)
        for j in range(k):
            S[W, j] = s * G[c, j]
        st[S_LPS] += 1
        status, low, count = solve(
            k,
            d,
            m,
            s * G[c, k],
            G[c, k + EW],
            G[c, k + EC],
            value,
            stop,
            enough,
            -1,
            st,
            F,
            pts,
            G,
            con,
            A,
            T,
            S,
            I,
            MR,
            V,
            X,
        )
        if status == BELOW or (status == INSIDE and low < -1e-12 * value):
            for trial in range(3):
                if by_lp(k, d, value, low, count, status, trial, pts, S) and accept(
                    k, d, c, s, norm, F, con, pts, G, A, S
                ):
                    st[S_RAYS if I[ACTIVE, 0] == 0 else S_LP_CUT] += 1
                    return CUTS
        if status == INSIDE:
            st[MULTIPLIERS] = count
            if norm < 0.0 or proved(
                k, s * G[c, k], G[c, k + EW], G[c, k + EC], int(G[c, k + EXP]), count,
                span_of(k, G, c, F[d, LAYER]), st, A, G, con[d], S, I, MR, live, V, X,
            ):  # fmt: skip
                return PLUS if s > 0 else MINUS
        if raised(st, TRIP):  # what has failed has perhaps been broken off
            st[S_TESTS] -= 1
            st[S_LPS] -= attempt + 1
            return HALTED
        # over a zonotope by its vertices once more, and then by its inputs
        stop, enough = -BIG, 1e-9 if X.ndim == 2 and attempt == 0 else BIG
        if X.ndim == 2:  # noqa: SIM102 (pruned when compiled only as it stands)
            if recentre(k, d, norm, st, F, con, pts, G, A, S, I, V, X):
                value = s * row_at(k, G, c, pts[d, 0])
                if common_side(k, d, c, norm, F, pts, G) == 2:
                    return CUTS
                if not value > 0.0:
                    return NONE
    return NONE


@inner()
def recentre(k, d, norm, st, F, con, pts, G, A, S, I, V, X):
    """Give frame d a witness farther from its walls; whether there is one."""
    m = F[d, NCON]
    least = BIG
    for n in range(m):
        least = min(least, S[SLACK, n])
    if not middle(k, m, A, S, I, V, X, pts[d], st) > 2.0 * least:
        return False
    x = S[TRIAL]
    for j in range(k):
        x[j] = pts[d, 0, j] + S[END, j]
    if not within(k, d, x, norm1(k, x), norm, F, con, G, A, S):
        return False
    for j in range(k):  # the old one goes to the end of the list, in place of an outside point
        x[j], pts[d, 0, j] = pts[d, 0, j], x[j]
    for n in range(m):
        S[SLACK, n] = S[CONST_AT, n] + S[RATE, n]
    add_point(k, d, x, F, pts)
    return True


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
    if limit > -1.0 and st[LOGGING] > 0:
        record_bound(k, C, d, end, f * limit, count)
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
        if I[KEEP, n] == 0 and box_side(k, F[d, LAYER], con[d, n], G, box) != 0:
            drop(k, d, n, F, con, A, S, I)


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
            k,
            d,
            F[d, NCON],
            wc,
            0.0,
            0.0,
            start,
            stop,
            BIG,
            skip,
            st,
            F,
            pts,
            G,
            con,
            A,
            T,
            S,
            I,
            MR,
            V,
            X,
        )
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
def _constrain(d, u, F, con):
    con[d, F[d, NCON]] = u
    F[d, NCON] += 1
    F[d, PHASE] = TEST
    F[d, ENTRY] = 0
    F[d, POS] = 0
    F[d, NSURV] = 0
    F[d, PARENT] = u


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
            if verdict != CUTS and st[LOGGING] > 0:
                record_side(k, C, d, c, int(verdict == PLUS))
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
            if verdict in (MINUS, PLUS) and verdict != wanted and st[LOGGING] > 0:
                record_lost(k, C, d, c)
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


@kernel()
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
        if raised(st, TRIP):
            return STOPPED
        if budget <= 0:
            return SPENT
        if st[LOGGING] > 0 and len(C.log) - max(st[NLOG], st[NREALS]) < st[LOGGING]:
            return FULL
        budget -= 1
        gathered = False
        layer, answer = F[d, LAYER], st[ANSWER]
        fans = P.layers[layer, KIND] > 0
        if F[d, PHASE] >= FAN:
            u = F[d, SPLIT]
            g = owner[u]
            m = groups[g + 1, ARGS] - groups[g, ARGS]
            if F[d, PHASE] == FAN:
                if F[d, CHAMP] == m:
                    d -= 1
                else:
                    fan(k, d, F, cand, con, pts)
                    d += 1
                continue
            st[ANSWER] = NONE
            verdict = clip(
                k, d, u, m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR, live, box, V, X,
                C,
            )  # fmt: skip
            if verdict == HALTED:
                return STOPPED
            if verdict == NONE:
                st[S_ASKED] += 1
                return UNDECIDED
            if verdict == PLUS and st[LOGGING] > 0:
                write(C, KEPT)
            if verdict == MINUS:
                d -= 1
            continue
        if F[d, PHASE] == SECOND:
            second(k, d, norm, F, cand, con, pts, sign, G)
        elif F[d, PHASE] == NEW:
            compose(
                k, F[d, LAYER], P.W, P.layers, P.gamma, P.units, P.first_piece, P.pieces,
                P.cut_unit, P.cuts, P.rows, P.cols, groups, P.args, P.blur, sign, C.ok,
                live, C.H, C.Z, G, st,
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
                    m = groups[owner[c] + 1, ARGS] - groups[owner[c], ARGS]
                    verdict = contest(
                        k, d, c, m, answer, norm, st, F, con, pts, sign, G, A, T, S, I, MR,
                        live, box, V, X, C,
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
                    if verdict != CUTS and st[LOGGING] > 0:
                        C.divides[c] = False
                        record_side(k, C, d, c, int(verdict == PLUS))
                    continue
                if verdict == CUTS:
                    cand[d, F[d, NSURV]] = c
                    F[d, NSURV] += 1
                elif st[LOGGING] > 0:
                    C.divides[c] = False
                    write(C, WINS)
                    write(C, owner[c])
                    write(C, winner(c, m, sign))
                F[d, POS] += 1
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
            if st[LOGGING] > 0:
                record_leaf(k, C, d)
            st[S_LEAVES] += 1 + F[d, NSURV]  # one unit left to cut: two cells, no need to look
            d -= 1
            continue
        if fans:
            F[d, PHASE], F[d, SPLIT], F[d, CHAMP] = FAN, cand[d, 0], 0
            if st[LOGGING] > 0:
                C.divides[cand[d, 0]] = True
                write(C, FANNED)
                write(C, owner[cand[d, 0]])
            continue
        n = choose(k, d, norm, F, cand, pts, G)
        if n < 0:  # evidence was forgotten: look for that of one unit again, then split by it
            F[d, NSURV] -= 1
            F[d, POS], F[d, NCAND] = F[d, NSURV], F[d, NSURV] + 1
            F[d, NIN], F[d, NPT] = 1, 1
            continue
        split(k, d, n, norm, F, cand, con, pts, sign, G)
        if st[LOGGING] > 0:
            F[d, BORN] = st[S_LEAVES]
            C.divides[F[d, SPLIT]] = True
            write(C, DIVIDED)
            write(C, F[d, SPLIT])
            write(C, int(sign[F[d, SPLIT]] > 0))
        d += 1
    st[DEPTH] = -1
    return DONE
