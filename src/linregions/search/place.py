"""Where one row stands to one cell: does it cut it, and how do we know?

Known points tell, or a bounding box; else a point beyond the row is sought on segments and by a
linear programme, whose multipliers otherwise prove that there is none.
"""

from __future__ import annotations

import numpy as np

from ..jit import FAST, inner, raised
from .column_generation import combine, middle
from .cursor import (
    BIG,
    BOUNDED,
    CUTS,
    ENTRY,
    HALTED,
    LAYER,
    LOOSE,
    MINUS,
    NCON,
    NIN,
    NONE,
    NPT,
    PARENT,
    PLUS,
    POS,
    S_BOX,
    S_COINCIDENT,
    S_CONSTANT,
    S_FLOAT,
    S_INTEGER,
    S_LP_CUT,
    S_LPS,
    S_POINTS,
    S_RAYS,
    S_SEGMENTS,
    S_TESTS,
)
from .lp import (
    ACTIVE,
    AERR,
    BELOW,
    BERR,
    CONST_AT,
    EC,
    END,
    EW,
    EXP,
    FAILED,
    INSIDE,
    MULT,
    RATE,
    SLACK,
    TRIAL,
    TRIP,
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
from .records import BOXED, HOW, MULTIPLIERS, REFUSED, SLOPELESS, SOLVED
from .zonotope import minimise_zonotope, proved_zonotope


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
            k, d, m, s * G[c, k], G[c, k + EW], G[c, k + EC], value, stop, enough, np.int64(-1), st,
            F, pts, G, con, A, T, S, I, MR, V, X,
        )  # fmt: skip
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
