"""The mesh of a segment, refined by the breakpoints of one layer."""

from __future__ import annotations

import math

from ..jit import inner, raised
from ..roundoff import ROUNDOFF
from .data import (
    AT_ZERO,
    B_ERR,
    BEND,
    BIAS,
    COL,
    DEAD,
    END,
    FAST,
    FIRST,
    FRO,
    HI,
    IN_ERR,
    IN_FRO,
    LENGTH,
    LIP,
    LIVE,
    LO,
    N_IN,
    NECK,
    PLACE,
    PLAIN,
    SPEC,
    T_AT,
    TINY,
    UNIT,
    W_AT,
    W_ERR,
    WIDEST,
    N,
)
from .values import (
    WeightBlock,
    add,
    clear,
    constants,
    copy,
    largest_of,
    margins,
    mix,
    norm,
    outputs,
    products,
    subtract,
)


@inner()
def add_cut(S, m, r, va, vb, e):
    """The zero of row r where its values at the ends of a cell are va and vb."""
    f, row, tau = S.F[0], S.R, S.F[1]
    jump = S.F[2]
    f[m] = abs(va) / (abs(va) + abs(vb))
    row[m] = r
    tau[m] = e / abs(vb - va)
    jump[m] = abs(vb - va)
    return m + 1


@inner()
def cuts_of_cell(P, S, layer, wa, wb, a, b, e):
    """All breakpoints of a layer inside one cell, unsorted; values at the ends are a, b."""
    margin = S.work[2]
    n, unit, m = P.table[layer, N], P.table[layer, UNIT], 0
    if P.table[layer, PLAIN]:
        end = unit + n
        margins(a, b, P.units[DEAD, unit:end], P.units[LENGTH, unit:end], 0.0, 0.0, margin[:n])
        for i in range(n):
            if margin[i] <= 0.0 and (a[i] > 0.0) != (b[i] > 0.0):
                m = add_cut(S, m, P.places[FIRST, unit + i], a[i], b[i], e)
        return m
    for i in range(n):
        if P.units[DEAD, unit + i] == 0.0:
            for r in range(P.places[FIRST, unit + i], P.places[FIRST, unit + i + 1]):
                va, vb = a[i] - P.rows[PLACE, r] * wa, b[i] - P.rows[PLACE, r] * wb
                if (va > 0.0) != (vb > 0.0):
                    m = add_cut(S, m, r, va, vb, e)
    return m


@inner()
def sort_cuts(S, m):
    """Ascending f, by Shell's method: mostly one to five entries, hundreds in layer 1."""
    f, row, tau = S.F[0], S.R, S.F[1]
    jump = S.F[2]
    gap = 1
    while gap < m // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, m):
            x, r, t, d = f[i], row[i], tau[i], jump[i]
            j = i
            while j >= gap and f[j - gap] > x:
                k = j - gap
                f[j], row[j], tau[j], jump[j] = f[k], row[k], tau[k], jump[k]
                j = k
            f[j], row[j], tau[j], jump[j] = x, r, t, d
        gap //= 3


@inner()
def bounds(P, S, layer, size, rounded, many, bent):
    """Error e of the layer's pre-activations, and a bound of their slope along the segment.

    All in the Euclidean norm, over the whole segment; `docs/lines.md` derives them. Values at
    the latest points came out of up to ``many`` steps along a slope that bent by ``bent``.
    """
    t, c = P.table[layer], P.norms[layer]
    h = eh = slope = 0.0
    for i in range(layer):
        if t[LO] <= P.table[i, COL] < t[HI]:
            h += S.sizes[i, 0] ** 2
            eh += S.sizes[i, 1] ** 2
            slope += S.sizes[i, 2] ** 2
    h, eh, slope = math.sqrt(h), math.sqrt(eh), math.sqrt(slope)
    terms = c[N_IN] + (t[HI] - t[LO]) + 16.0
    e = (c[IN_ERR] + terms * ROUNDOFF * c[IN_FRO]) * size + c[IN_FRO] * rounded
    e += c[B_ERR] + terms * ROUNDOFF * c[BIAS]
    e += c[SPEC] * eh + (terms * ROUNDOFF * c[FRO] + c[W_ERR]) * (h + eh)
    own = c[IN_FRO] * size + c[BIAS]
    e += (16.0 * many + 64.0) * ROUNDOFF * (2.0 * (own + c[FRO] * h) + bent * c[WIDEST])
    return 1.01 * e + TINY, 1.01 * (2.0 * own + c[SPEC] * slope)


@inner()
def keep_bounds(P, S, layer, e, largest, slope):
    """The same for the layer's outputs, with the rounding of positions and of the units."""
    lip, at_zero = P.norms[layer, LIP], P.norms[layer, AT_ZERO]
    size = lip * largest + at_zero
    S.sizes[layer, 0] = size
    S.sizes[layer, 1] = 1.01 * lip * e + 16.0 * ROUNDOFF * (size + lip * slope)
    S.sizes[layer, 2] = lip * slope + 2.0 * at_zero


@inner()
def note_start(P, layer, z, w, start):
    """Which rows are positive at the first end."""
    unit = P.table[layer, UNIT]
    for i in range(P.table[layer, N]):
        for r in range(P.places[FIRST, unit + i], P.places[FIRST, unit + i + 1]):
            start[r] = z[i] > P.rows[PLACE, r] * w


@inner()
def put(S, new, k, s, row, tau):
    """Mesh point k of the new mesh."""
    S.mesh[new, 0, k] = s
    S.row[new, k] = row
    S.mesh[new, 1, k] = tau


@inner(fastmath=FAST)
def cross_cell(P, S, G, v, k, m, wanted):
    """Mesh points k, k + 1, ... for the m cuts of cell v, with what later layers need there.

    From cut to cut the next layer's values (where ``wanted``) move along a slope that changes by
    a multiple of the weights of the unit that bends. Returns the sum of those changes.
    """
    layer, old, w0 = G.layer, G.old, G.w0
    w1 = G.w1
    t, new = P.table[layer], 1 - old
    n, col, live = t[N], t[COL], min(t[LIVE], t[COL])
    a, width = S.mesh[old, 0, v], S.mesh[old, 0, v + 1] - S.mesh[old, 0, v]
    za, zb, z = S.Z[old, v, :n], S.Z[old, v + 1, :n], S.work[2, :n]
    after = P.table[layer + 1, N] if wanted else 0
    at = P.table[layer + 1, T_AT] if wanted else -1
    slope, value = S.work[0, :after], S.work[1, :after]
    bent = 0.0
    if wanted:
        subtract(S.Z[2, v, :after], S.Z[2, v + 1, :after], slope)
        copy(S.Z[2, v, :after], value)
        for c in range(m if at >= 0 else 0):
            d = P.rows[BEND, S.R[c]] * S.F[2, c]
            i = at + P.unit_of[S.R[c]] * after
            add(-d * (1.0 - S.F[0, c]), P.T[i : i + after], slope)
            bent += abs(d)
    before = 0.0
    for c in range(m):
        f, r = S.F[0, c], S.R[c]
        s = a + f * width
        put(S, new, k, s, r, S.F[1, c] * width)
        if wanted:
            add(f - before, slope, value)
            copy(value, S.Z[new, k, :after])
            before = f
            if at >= 0:
                i = at + P.unit_of[r] * after
                add(P.rows[BEND, r] * S.F[2, c], P.T[i : i + after], slope)
        if live < col:
            mix(f, S.X[old, v, live:col], S.X[old, v + 1, live:col], S.X[new, k, live:col])
        if t[LIVE] < col + n:
            w = (1.0 - s) * w0 + s * w1
            mix(f, za, zb, z)
            z[P.unit_of[r]] = P.rows[PLACE, r] * w
            h = S.X[new, k, col : col + n]
            outputs(P, layer, w, z, h)
        k += 1
    return bent


@inner()
def carry(P, S, G, v, k, wanted):
    """An old mesh point in the new mesh."""
    layer, old = G.layer, G.old
    t, new = P.table[layer], 1 - old
    put(S, new, k, S.mesh[old, 0, v], S.row[old, v], S.mesh[old, 1, v])
    if t[LIVE] < t[COL] + t[N]:
        a, b = t[LIVE], t[COL] + t[N]
        copy(S.X[old, v, a:b], S.X[new, k, a:b])
    if wanted:
        after = P.table[layer + 1, N]
        copy(S.Z[2, v, :after], S.Z[new, k, :after])


@inner()
def refine(P, Q, S, G, nv, wanted):
    """The new mesh with the breakpoints of one layer, whose values at the old one are known.

    Returns the number of mesh points, or 0 where a value is too close to a breakpoint, or -1
    where there is no room; the largest norm of a pre-activation; and a bound of the rounding
    of the next layer's values at new points, per unit of their size and per unit of bend.
    """
    layer, old, i0 = G.layer, G.old, G.i0
    i1, e = G.i1, G.e
    t = P.table[layer]
    n, col = t[N], t[COL]
    w0, w1 = G.w0, G.w1
    largest = 0.0
    for v in range(nv):
        if raised(S.trip, 0):
            return 0, 0.0, 0, 0.0
        z, w = S.Z[old, v, :n], (1.0 - S.mesh[old, 0, v]) * w0 + S.mesh[old, 0, v] * w1
        if not clear(P, layer, w, z, e):
            return 0, 0.0, 0, 0.0
        h = S.X[old, v, col : col + n]
        outputs(P, layer, w, z, h)
        largest = max(largest, norm(z))
    if wanted:
        after, u = layer + 1, P.table[layer + 1]
        for v in range(nv):
            constants(P, Q, after, i0, i1, S.mesh[old, 0, v], S.Z[2, v])
        block = WeightBlock(P.W, u[W_AT], u[N], u[LO], u[HI])
        products(block, S.X[old], S.Z[2], 1, nv, S.trip)
    k, many, bent = 0, 0, 0.0
    for v in range(nv - 1):
        if raised(S.trip, 0):
            return 0, 0.0, 0, 0.0
        wa = (1.0 - S.mesh[old, 0, v]) * w0 + S.mesh[old, 0, v] * w1
        wb = (1.0 - S.mesh[old, 0, v + 1]) * w0 + S.mesh[old, 0, v + 1] * w1
        za, zb = S.Z[old, v], S.Z[old, v + 1]
        m = cuts_of_cell(P, S, layer, wa, wb, za, zb, e)
        if k + m + 2 > S.row.shape[1]:
            return END, 0.0, 0, 0.0
        carry(P, S, G, v, k, wanted)
        if m > 0:
            sort_cuts(S, m)
            bent = max(bent, cross_cell(P, S, G, v, k + 1, m, wanted))
            many = max(many, m)
        k += m + 1
    carry(P, S, G, nv - 1, k, wanted)
    infinite = w1 == 0.0 and S.mesh[old, 0, nv - 1] == 1.0
    if infinite and t[NECK] and largest_of(S.X[old, nv - 1, col : col + n]) == 0.0:
        k -= 1  # from the last breakpoint on to infinity all that follows is constant
    return k + 1, largest, many, bent
