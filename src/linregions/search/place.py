"""Where one row stands to one cell: does it cut it, and how do we know?

Known points tell, or a bounding box; else a point beyond the row is sought on segments and by a
linear programme, whose multipliers otherwise prove that there is none.
"""

from __future__ import annotations

import numpy as np

from ..jit import FAST, inner, raised
from . import cursor as K
from . import lp as L
from . import records as R
from .column_generation import combine, middle
from .cursor import CUTS, HALTED, MINUS, NONE, PLUS
from .dual import minimise_zonotope
from .lp import BELOW, CONST_AT, END, FAILED, INSIDE, SLACK, TRIAL, Z
from .proofs import form_of, proved_bounded, proved_integer, proved_unbounded, span_of
from .zonotope import proved_zonotope


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

    ``norm`` is a bound of the 1-norm of x, 0 where none is known.
    """
    v = row_at(k, G, c, x)
    a, b = G[c, k + L.AERR], G[c, k + L.BERR]
    error = a * norm + b
    if norm == 0.0 or abs(v) <= error:
        error = a * norm1(k, x) + b
    return int(v > error) - int(v < -error)


@inner()
def common_side(C, d, c, norm):
    """The side of row c that the known points of frame d lie on: 1, -1, 0 (unknown), 2 (both)."""
    G, pts, k = C.G, C.pts, C.pts.shape[2]
    plus = minus = False
    for p in range(C.F[d, K.NIN]):
        t = side(k, G, c, pts[d, p], norm)
        plus |= t > 0
        minus |= t < 0
        if plus and minus:
            return 2
    return int(plus) - int(minus)


@inner()
def gather(C, d):
    """Constraints of frame d as columns of A, oriented so that the cell is where all are >= 0."""
    A, G, S = C.A, C.G, C.S
    m, pts, k = C.F[d, K.NCON], C.pts, C.pts.shape[2]
    for n in range(m):
        c = C.con[d, n]
        s = float(C.sign[c])
        total = s * G[c, k]
        S[CONST_AT, n] = total
        for j in range(k):
            a = s * G[c, j]
            A[j, n] = a
            total += a * pts[d, 0, j]
        S[SLACK, n] = total
    L.restart(C, m)


@inner()
def within(C, d, x, size):
    """Whether x lies certainly inside the cell of frame d; S[RATE] has its rows less constants.

    ``size`` bounds the 1-norm of x.
    """
    G, S, k = C.G, C.S, C.pts.shape[2]
    m = C.F[d, K.NCON]
    L.rates(C, m, x)
    for n in range(m):
        r = C.con[d, n]
        if not S[CONST_AT, n] + S[L.RATE, n] > G[r, k + L.AERR] * size + G[r, k + L.BERR]:
            return False
    return True


@inner()
def accept(C, d, c, s):
    """Add S[TRIAL] to the points of frame d if it lies certainly inside, on side -s of row c."""
    x, k = C.S[TRIAL], C.pts.shape[2]
    size = norm1(k, x)
    if not size < 1e150 or side(k, C.G, c, x, size) != -s:
        return False
    if not within(C, d, x, size):
        return False
    add_point(C, d, x)
    return True


@inner()
def add_point(C, d, x):
    """Remember a point of the cell; a full list forgets one that is not the witness."""
    F, pts = C.F, C.pts
    cap, k = pts.shape[1], pts.shape[2]
    inside, total = F[d, K.NIN], F[d, K.NPT]
    if inside == cap:
        old = 1 + F[d, K.POS] % (cap - 2)
        for j in range(k):
            pts[d, old, j] = pts[d, cap - 1, j]
            pts[d, cap - 1, j] = x[j]
        return
    if total == cap:
        total -= 1
    for j in range(k):
        pts[d, total, j] = pts[d, inside, j]
        pts[d, inside, j] = x[j]
    F[d, K.NIN] = inside + 1
    F[d, K.NPT] = total + 1


@inner()
def by_segment(C, d, c, s):
    """Propose a point on side -s of row c, on a segment that leaves the cell by its last split.

    The sibling's points satisfy every constraint but that of the split unit; where such a
    segment crosses the split, the sign of row c tells which of the two siblings row c cuts,
    without any LP.
    """
    F, G, pts = C.F, C.G, C.pts
    u, k = F[d, K.PARENT], C.pts.shape[2]
    if u < 0:
        return False
    su = C.sign[u]
    for o in range(F[d, K.NIN], F[d, K.NPT]):
        vo = s * row_at(k, G, c, pts[d, o])
        if vo >= 0.0:
            continue
        uo = su * row_at(k, G, u, pts[d, o])
        for p in range(min(F[d, K.NIN], 4)):
            vp = s * row_at(k, G, c, pts[d, p])
            up = su * row_at(k, G, u, pts[d, p])
            if vp <= 0.0 or up <= 0.0 or uo >= 0.0:
                continue
            t_split = up / (up - uo)
            t_cut = vp / (vp - vo)
            if t_cut < t_split * 0.999999:
                t = 0.5 * (t_cut + t_split)
                for j in range(k):
                    C.S[TRIAL, j] = pts[d, p, j] + t * (pts[d, o, j] - pts[d, p, j])
                return True
    return False


@inner()
def by_lp(C, d, value, low, ray, attempt):
    """Propose a point between the witness and where the LP ended, or along its ray."""
    S, k = C.S, C.pts.shape[2]
    if ray:
        slope = 0.0
        for j in range(k):
            slope += S[L.W, j] * S[Z, j]
        if not slope < 0.0:
            return False
        t = -value / slope * (2.0 if attempt == 0 else (8.0 if attempt == 1 else 1.1))
        far = Z
    else:
        cross = value / (value - low)
        t = cross + (1.0 - cross) * (0.5 if attempt == 0 else (0.8 if attempt == 1 else 0.2))
        far = END
    for j in range(k):
        S[TRIAL, j] = C.pts[d, 0, j] + t * S[far, j]
    return True


@inner()
def solve(C, d, form, start, stop, enough, skip):
    """Minimise ``S[W] . x + const`` over the cell of frame d, by the method of its domain.

    ``start`` is its value at the witness. It may stop below ``stop``, or above ``enough``. Row
    ``skip`` is left out over a zonotope.
    """
    if C.X.ndim == 2:  # decided when this is compiled: other domains do without all that code
        if enough < K.BIG:
            status, low, count = combine(C, d, form, stop, skip)
            if status != FAILED:
                return status, low, count
        return minimise_zonotope(C, d, form.const, enough, skip)
    return L.minimise(C, C.F[d, K.NCON], start, stop)


@inner()
def proved(C, d, form, count, span):
    """The multipliers of the last LP prove that ``S[W] . x + const`` is nowhere negative."""
    S, st = C.S, C.st
    st[R.HOW] = R.REFUSED
    if C.X.ndim == 2:
        sure = proved_zonotope(C, d, form, count) > 0.0
        st[K.S_FLOAT] += int(sure)
        return sure
    if st[K.BOUNDED] > 0 and proved_bounded(C, d, form, count) > 0.0:
        st[K.S_FLOAT] += 1
        return True
    st[R.HOW] = R.SOLVED
    low = proved_unbounded(C, d, form, count, span)
    integer = -1
    if not low > 0.0:  # ties: the minimum is 0, or some multiplier is
        integer = proved_integer(C, d, form, count)
        if raised(st, L.TRIP):
            return False
    if not low >= 0.0 and integer < 0:
        return False
    st[K.S_INTEGER if integer >= 0 else K.S_FLOAT] += 1
    support = 0
    for n in range(count):
        support += S[L.MULT, n] > 1e-9
    if support <= 1 and (integer == 0 or (integer < 0 and low == 0.0)):
        st[K.S_COINCIDENT] += 1  # a facet of the cell may lie where the row vanishes
    return True


@inner()
def constant(C, c):
    """Place a row without any slope, or -1 when it has one."""
    G, st, k = C.G, C.st, C.pts.shape[2]
    for j in range(k):
        if G[c, j] != 0.0:
            return -1
    if G[c, k + L.EW] > 0.0:
        return -1
    value, error = G[c, k], G[c, k + L.EC]
    if abs(value) <= error and not (value == 0.0 and error == 0.0):
        return NONE
    st[K.S_CONSTANT] += 1
    if value == 0.0:
        st[K.S_COINCIDENT] += 1  # identically at its breakpoint: the lower piece
    return PLUS if value > 0.0 else MINUS


@inner()
def box_side(C, layer, c):
    """The side of row c that the certified bounding box of the cell lies on, or 0."""
    G, box, k = C.G, C.box, C.pts.shape[2]
    middle, spread = G[c, k], G[c, k + L.AERR] * k + G[c, k + L.BERR]
    for j in range(k):
        middle += G[c, j] * box[2 * layer, j]
        spread += abs(G[c, j]) * box[2 * layer + 1, j]
    return int(middle > 1.01 * spread) - int(middle < -1.01 * spread)


@inner()
def place(C, d, c, norm):
    """Where row c stands to the cell of frame d: CUTS, PLUS, MINUS, NONE (undecided) or HALTED."""
    F, st = C.F, C.st
    if raised(st, L.TRIP):
        return HALTED
    st[K.S_TESTS] += 1
    st[R.MULTIPLIERS] = 0
    if F[d, K.ENTRY] > 0:
        s = box_side(C, F[d, K.LAYER], c)
        if s != 0:
            st[K.S_BOX] += 1
            st[R.HOW] = R.BOXED
            return PLUS if s > 0 else MINUS
    s = common_side(C, d, c, norm)
    if s == 2:
        st[K.S_POINTS] += 1
        return CUTS
    flat = constant(C, c)
    if flat >= 0:
        st[R.HOW] = R.SLOPELESS
        return flat
    value = s * row_at(C.pts.shape[2], C.G, c, C.pts[d, 0])
    if not value > 0.0:  # the witness itself is not certain about this row
        return NONE
    if by_segment(C, d, c, s) and accept(C, d, c, s):
        st[K.S_SEGMENTS] += 1
        return CUTS
    return _by_programmes(C, d, c, norm, s, value)


@inner()
def _by_programmes(C, d, c, norm, s, value):
    """The same, where row c has the sign s at the known points, and s value at the witness."""
    G, S, st = C.G, C.S, C.st
    k, m = C.pts.shape[2], C.F[d, K.NCON]
    form = form_of(C, c, s * G[c, k])
    # How far beyond the row to look: a deeper point is farther from the walls, and dearer.
    deep = 0.04 if C.X.ndim == 2 else 0.25
    stop, enough = -deep * value, 1e-9
    for attempt in range(3 if C.X.ndim == 2 else 2):  # after the first time down to the end
        L.restart(C, m)
        for j in range(k):
            S[L.W, j] = s * G[c, j]
        st[K.S_LPS] += 1
        status, low, count = solve(C, d, form, value, stop, enough, np.int64(-1))
        if status == BELOW or (status == INSIDE and low < -1e-12 * value):
            ray = status == BELOW and count == -1
            for trial in range(3):
                if by_lp(C, d, value, low, ray, trial) and accept(C, d, c, s):
                    st[K.S_RAYS if C.I[L.ACTIVE, 0] == 0 else K.S_LP_CUT] += 1
                    return CUTS
        if status == INSIDE:
            st[R.MULTIPLIERS] = count
            span = span_of(C, c, C.F[d, K.LAYER])
            if proved(C, d, form, count, span):
                return PLUS if s > 0 else MINUS
        if raised(st, L.TRIP):  # what has failed has perhaps been broken off
            st[K.S_TESTS] -= 1
            st[K.S_LPS] -= attempt + 1
            return HALTED
        # over a zonotope by its vertices once more, and then by its inputs
        stop, enough = -K.BIG, 1e-9 if C.X.ndim == 2 and attempt == 0 else K.BIG
        if C.X.ndim == 2:  # noqa: SIM102 (pruned when compiled only as it stands)
            if recentre(C, d):
                value = s * row_at(k, G, c, C.pts[d, 0])
                if common_side(C, d, c, norm) == 2:
                    return CUTS
                if not value > 0.0:
                    return NONE
    return NONE


@inner()
def recentre(C, d):
    """Give frame d a witness farther from its walls; whether there is one."""
    S, pts, k = C.S, C.pts, C.pts.shape[2]
    m, least = C.F[d, K.NCON], K.BIG
    for n in range(m):
        least = min(least, S[SLACK, n])
    if not middle(C, d) > 2.0 * least:
        return False
    x = S[TRIAL]
    for j in range(k):
        x[j] = pts[d, 0, j] + S[END, j]
    if not within(C, d, x, norm1(k, x)):
        return False
    for j in range(k):  # the old one goes to the end of the list, in place of an outside point
        x[j], pts[d, 0, j] = pts[d, 0, j], x[j]
    for n in range(m):
        S[SLACK, n] = S[CONST_AT, n] + S[L.RATE, n]
    add_point(C, d, x)
    return True
