"""The last layer along a segment, which is evaluated at every `SPAN`-th mesh point."""

from __future__ import annotations

import math

from ..jit import inner, raised
from .data import (
    C_AT,
    C_ROW,
    DEAD,
    END,
    FAST,
    FIRST,
    HI,
    LENGTH,
    LO,
    PLACE,
    PLAIN,
    SPAN,
    UNIT,
    W_AT,
    WEIGHT,
    N,
)
from .mesh import add_cut, put, sort_cuts
from .values import WeightBlock, clear, clear_unit, constants, dot, margins, products


@inner()
def stray(P, S, G, first, last):
    """Binary tree over the mesh points of a window: how far the layer's inputs leave the chord.

    Node 1 is the window, node j has the halves 2 j and 2 j + 1; a node of one cell strays by 0.
    """
    lo, hi, dev = S.tree[0], S.tree[1], S.dev[0]
    layer, old = G.layer, G.old
    t = P.table[layer]
    a, b = t[LO], t[HI]
    for j in range(1, len(dev)):
        if j == 1:
            lo[1], hi[1] = first, last
        elif hi[j // 2] - lo[j // 2] > 1:
            middle = (lo[j // 2] + hi[j // 2]) // 2
            lo[j], hi[j] = (middle, hi[j // 2]) if j % 2 else (lo[j // 2], middle)
        else:
            lo[j] = hi[j] = 0
    for j in range(len(dev) - 1, 0, -1):
        dev[j] = 0.0
        if hi[j] - lo[j] > 1:
            m = (lo[j] + hi[j]) // 2
            f = (S.mesh[old, 0, m] - S.mesh[old, 0, lo[j]]) / (
                S.mesh[old, 0, hi[j]] - S.mesh[old, 0, lo[j]]
            )
            off = chord(f, S.X[old, lo[j], a:b], S.X[old, hi[j], a:b], S.X[old, m, a:b])
            dev[j] = (off + max(dev[2 * j], dev[2 * j + 1])) * 1.000001


@inner(fastmath=FAST)
def chord(f, a, b, x):
    """Distance of x from ``(1 - f) a + f b``."""
    g, total = 1.0 - f, 0.0
    for i in range(len(x)):
        d = x[i] - g * a[i] - f * b[i]
        total += d * d
    return math.sqrt(total)


@inner()
def far(P, layer, i, wa, wb, va, vb, room):
    """Whether unit i stays on its piece between two points where its values are va, vb."""
    unit = P.table[layer, UNIT] + i
    for r in range(P.places[FIRST, unit], P.places[FIRST, unit + 1]):
        a, b = va - P.rows[PLACE, r] * wa, vb - P.rows[PLACE, r] * wb
        if not ((a > room and b > room) or (a < -room and b < -room)):
            return False
    return True


@inner()
def value_of(P, Q, S, G, i, v):
    """Pre-activation of unit i of the layer at mesh point v."""
    layer, old, i0 = G.layer, G.old, G.i0
    i1 = G.i1
    t, s = P.table[layer], S.mesh[old, 0, v]
    at, m = t[C_AT], t[HI] - t[LO]
    if t[C_ROW]:
        c = (1.0 - s) * Q.C[at + i0 * t[N] + i] + s * Q.C[at + i1 * t[N] + i]
    else:
        c = ((1.0 - s) * Q.ends[WEIGHT, i0] + s * Q.ends[WEIGHT, i1]) * Q.C[at + i]
    weights = P.W[t[W_AT] + i * m : t[W_AT] + (i + 1) * m]
    return c + dot(weights, S.X[old, v, t[LO] : t[HI]])


@inner()
def search_window(P, Q, S, G, i, m):
    """Append the breakpoints of unit i in the window of the tree; -1 in doubt, -2 no room."""
    layer, old, e = G.layer, G.old, G.e
    lo, hi, todo = S.tree[0], S.tree[1], S.tree[2]
    dev, value = S.dev[0], S.dev[1]
    w0, w1 = G.w0, G.w1
    unit = P.table[layer, UNIT] + i
    first = lo[1]
    length = P.units[LENGTH, unit]
    value[0], value[hi[1] - first] = S.Z[old, first, i], S.Z[old, hi[1], i]
    todo[0], left = 1, 1
    while left > 0:
        left -= 1
        j = todo[left]
        a, b = S.mesh[old, 0, lo[j]], S.mesh[old, 0, hi[j]]
        wa, wb = (1.0 - a) * w0 + a * w1, (1.0 - b) * w0 + b * w1
        va, vb = value[lo[j] - first], value[hi[j] - first]
        if hi[j] - lo[j] > 1:
            if not far(P, layer, i, wa, wb, va, vb, e + length * dev[j]):
                middle = (lo[j] + hi[j]) // 2
                v = value_of(P, Q, S, G, i, middle)
                s = S.mesh[old, 0, middle]
                if not clear_unit(P, layer, i, (1.0 - s) * w0 + s * w1, v, e):
                    return -1
                value[middle - first] = v
                todo[left], todo[left + 1] = 2 * j + 1, 2 * j
                left += 2
            continue
        for r in range(P.places[FIRST, unit], P.places[FIRST, unit + 1]):
            x, y = va - P.rows[PLACE, r] * wa, vb - P.rows[PLACE, r] * wb
            if (x > 0.0) != (y > 0.0):
                if m + 2 > len(S.R):
                    return -2
                add_cut(S, m, r, x, y, e)
                S.F[0, m] = a + S.F[0, m] * (b - a)
                S.F[1, m] *= b - a
                m += 1
    return m


@inner()
def finish(P, Q, S, G, nv):
    """The new mesh with the breakpoints of the last layer; its size, 0 or -1 as in `refine`."""
    layer, old, i0 = G.layer, G.old, G.i0
    i1, e = G.i1, G.e
    t = P.table[layer]
    n, new = t[N], 1 - old
    windows = (nv + SPAN - 2) // SPAN
    for v in range(0, nv - 1 + SPAN, SPAN):
        v = min(v, nv - 1)
        constants(P, Q, layer, i0, i1, S.mesh[old, 0, v], S.Z[old, v])
    block = WeightBlock(P.W, t[W_AT], n, t[LO], t[HI])
    products(block, S.X[old], S.Z[old], SPAN, nv, S.trip)
    w0, w1 = G.w0, G.w1
    k = 1
    put(S, new, 0, 0.0, END, 0.0)
    for window in range(windows):
        if raised(S.trip, 0):
            return 0
        first, last = window * SPAN, min((window + 1) * SPAN, nv - 1)
        a, b = S.mesh[old, 0, first], S.mesh[old, 0, last]
        wa, wb = (1.0 - a) * w0 + a * w1, (1.0 - b) * w0 + b * w1
        za, zb = S.Z[old, first, :n], S.Z[old, last, :n]
        if not (clear(P, layer, wa, za, e) and clear(P, layer, wb, zb, e)):
            return 0
        stray(P, S, G, first, last)
        m, unit, end = 0, t[UNIT], t[UNIT] + n
        margins(
            za,
            zb,
            P.units[DEAD, unit:end],
            P.units[LENGTH, unit:end],
            S.dev[0, 1],
            e,
            S.work[2, :n],
        )
        for i in range(n):
            if t[PLAIN] and S.work[2, i] > 0.0:
                continue
            room = e + P.units[LENGTH, unit + i] * S.dev[0, 1]
            if P.units[DEAD, unit + i] > 0.0 or far(P, layer, i, wa, wb, za[i], zb[i], room):
                continue
            m = search_window(P, Q, S, G, i, m)
            if m < 0:
                return m + 1
        if k + m + SPAN + 2 > S.row.shape[1]:
            return -1
        sort_cuts(S, m)
        c = 0
        for v in range(first + 1, last + 1):
            while c < m and S.F[0, c] < S.mesh[old, 0, v]:
                put(S, new, k, S.F[0, c], S.R[c], S.F[1, c])
                c, k = c + 1, k + 1
            put(S, new, k, S.mesh[old, 0, v], S.row[old, v], S.mesh[old, 1, v])
            k += 1
        if c < m:
            return 0  # a cut beyond the end of its window: rounding, so leave it to rationals
    return k
