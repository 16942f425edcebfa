"""On which side of a row the vertices of an old cell lie, and which rows may cut it at all."""

from __future__ import annotations

import numpy as np

from ..jit import inner
from .lattice import (
    MASK,
    MINUS,
    OWN,
    PLUS,
    SIGN,
    UNKNOWN,
    P,
    Q,
)
from .rows import bound


@inner()
def facet_rows(net, rows, L, todo, count):
    """The rows behind the facets of the old cell, with the errors of coefficients and value."""
    wall_a, wall_b, wall_test = net.wall_a, net.wall_b, net.wall_test
    place = net.place
    Z = rows.Z
    k, F, facet = L.V.shape[1] - 1, L.F, L.facet
    reach, error, domain = todo.reach, todo.error, todo.domain
    for j in range(count):
        c = np.int64(F[k - 1, j, OWN])
        total = 0.0
        if c >= 0 and wall_b[c] >= 0:  # between two arguments of a max unit
            a, b = wall_a[c], wall_b[c]
            ew, ec, constant = error[0, a] + error[0, b], error[1, a] + error[1, b], 0.0
            for e in range(k + 1):
                facet[j, e] = Z[e, b] - Z[e, a]
                constant += reach * (abs(Z[e, b]) + abs(Z[e, a]))
        elif c >= 0:
            i, t = wall_a[c], wall_test[c]
            for e in range(k + 1):
                facet[j, e] = Z[e, i]
            facet[j, k] -= place[0, t]
            ew, ec, constant = error[0, i], error[1, i] + place[1, t], abs(place[0, t])
        else:
            for e in range(k + 1):
                facet[j, e] = domain[-1 - c, e]
            ew, ec, constant = domain[-1 - c, k + 1], domain[-1 - c, k + 2], 0.0
        for e in range(k):
            total += abs(facet[j, e])
        facet[j, k + 1] = ew
        facet[j, k + 2] = bound(k, ew, ec, reach, total, abs(facet[j, k]) + constant)


@inner()
def candidates(L, by, m, count):
    """Rows that may cut the cell, into ``cut``; the signs of the others into its bits."""
    k, V, low = L.V.shape[1] - 1, L.V, L.low
    high, bits, cut = L.high, L.bits, L.cut
    R, size, error = by.R, by.size, by.error
    worst = 0.0
    for n in range(m):
        low[n], high[n] = 1e300, -1e300
    for v in range(count):
        worst = max(worst, V[v, k])
        if k == 2:
            x, y = V[v, 0], V[v, 1]
            a, b, c = R[0], R[1], R[2]
            for n in range(m):
                value = a[n] * x + b[n] * y + c[n]
                low[n] = value if value < low[n] else low[n]
                high[n] = value if value > high[n] else high[n]
        elif k == 3:
            x, y, z = V[v, 0], V[v, 1], V[v, 2]
            a, b, c, f = R[0], R[1], R[2], R[3]
            for n in range(m):
                value = a[n] * x + b[n] * y + c[n] * z + f[n]
                low[n] = value if value < low[n] else low[n]
                high[n] = value if value > high[n] else high[n]
        else:
            for n in range(m):
                value = value_at(L, by, n, v)
                low[n] = value if value < low[n] else low[n]
                high[n] = value if value > high[n] else high[n]
    for w in range(bits.shape[1]):
        bits[0, w] = 0
    found = 0
    for n in range(m):
        blur = size[n] * worst + error[n]
        if low[n] > blur:
            bits[0, n >> 6] |= np.uint64(1) << np.uint64(n & 63)
        elif high[n] >= -blur and not (blur == 0.0 and high[n] <= 0.0):
            cut[found] = n
            found += 1
    return found


@inner()
def value_at(L, by, n, v):
    k, V = L.V.shape[1] - 1, L.V
    R = by.R
    total = R[k, n]
    for j in range(k):
        total += R[j, n] * V[v, j]
    return total


@inner()
def signs(L, by, told, n, at, count):
    """Signs of row n at all vertices; how many stay open, which occur, and how far was read.

    A point between two others has the sign that both have (or the one that is not zero), so that
    only between opposite signs floats are asked, and where those cannot tell, what was told.
    """
    k, V, F = L.V.shape[1] - 1, L.V, L.F
    doubt = L.doubt
    size, error = by.size, by.error
    told_row, told_vertex, told_sign = told.row, told.vertex, told.sign
    open_, found = 0, 0
    for v in range(count):
        s = UNKNOWN
        p = np.int64(F[0, v, P])
        if p >= 0:
            a, b = F[0, p, SIGN], F[0, F[0, v, Q], SIGN]
            if a != UNKNOWN and b != UNKNOWN and a * b >= 0:
                s = a if a != 0 else b
        if s == UNKNOWN:
            value, blur = value_at(L, by, n, v), size[n] * V[v, k] + error[n]
            if value > blur:
                s = 1
            elif value < -blur:
                s = -1
            elif blur == 0.0:
                s = 0
            else:
                while at < len(told_row) and (
                    told_row[at] < n or (told_row[at] == n and told_vertex[at] < v)
                ):
                    at += 1
                if at < len(told_row) and told_row[at] == n and told_vertex[at] == v:
                    s = told_sign[at]
                elif open_ < len(doubt):
                    doubt[open_, 0], doubt[open_, 1] = n, v
                    doubt[open_, 2] = doubt[open_, 3] = -1
                    open_ += 1
        m = PLUS if s == 1 else (MINUS if s == -1 else 0)
        F[0, v, SIGN], F[0, v, MASK] = s, m
        found |= m
    return open_, found, at
