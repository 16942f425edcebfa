"""A row cuts all faces of an old cell, whose signs at the vertices are known."""

from __future__ import annotations

import numpy as np

from ..jit import inner
from .lattice import (
    ALIVE,
    COUNT,
    FIRST,
    HELD_BY,
    MADE,
    MASK,
    MINUS,
    MINUS_,
    OLD,
    OWN,
    PLUS,
    PLUS_,
    ROW,
    SHARP,
    SIGN,
    TIES,
    TINY,
    USED,
    WHICH,
    WHO,
    ZERO_,
    P,
    Q,
)
from .signs import value_at


@inner()
def _middle(L, by, told, n, v, edge, p, q):
    """Vertex v where row n vanishes on an edge between p and q, and how far off it may be.

    From p and q: with values known to t_p and t_q the parameter is off by at most max(t_p, t_q)
    over their difference less both. Errors handed down from vertex to vertex grow, so beyond
    ``SHARP`` from the rows that meet there.
    """
    k, V, M = L.V.shape[1] - 1, L.V, L.M
    size, error = by.size, by.error
    for a in range(len(told.moved)):
        if told.moved[a] == v:
            V[v, k] = told.r[a]
            for j in range(k):
                V[v, j] = told.x[a, j]
            return
    vp, vq = value_at(L, by, n, p), value_at(L, by, n, q)
    tp, tq = size[n] * V[p, k] + error[n], size[n] * V[q, k] + error[n]
    gap = abs(vp) + abs(vq) - tp - tq
    t, off = 0.5, 1.0
    if gap > 0.0 and vp * vq < 0.0:
        t = vp / (vp - vq)
        off = min(1.0, 1.001 * max(tp, tq) / gap + TINY)
    length, far = 0.0, 0.0
    for j in range(k):
        step = V[q, j] - V[p, j]
        V[v, j] = V[p, j] + t * step
        length, far = max(length, abs(step)), max(far, abs(V[v, j]))
    off = 1.001 * (max(V[p, k], V[q, k]) + off * (length + V[p, k] + V[q, k])) + TINY * far
    off += 1e-300  # far above what underflow can hide
    V[v, k] = off
    if off > SHARP:
        for j in range(k):
            M[0, 0, j] = V[v, j]
        if not _solve(L, by, n, v, edge) or V[v, k] > off:
            V[v, k] = off
            for j in range(k):
                V[v, j] = M[0, 0, j]


@inner()
def _solve(L, by, n, v, edge):
    """Vertex v where row n meets the rows of an edge, with a bound of its error.

    With an approximate inverse X of the matrix M of the rows and |I - X M| <= theta < 1, a point x
    is at most |X| (residual + errors of the rows) / (1 - theta) from the true one.
    """
    k, V, F = L.V.shape[1] - 1, L.V, L.F
    facet, T = L.facet, L.M[1:]
    R, slack, error = by.R, by.slack, by.error
    if F[1, edge, HELD_BY] != k - 1:
        return False
    M, X, w = T[0], T[1], T[2]  # w: errors of coefficients and of values
    for i in range(k):
        c = n if i == k - 1 else np.int64(F[1, edge, ROW + i])
        if c >= 0:
            for j in range(k + 1):
                M[i, j] = R[j, c]
            w[i, 0], w[i, 1] = slack[c], error[c]
        else:
            for j in range(k + 1):
                M[i, j] = facet[-1 - c, j]
            w[i, 0], w[i, 1] = facet[-1 - c, k + 1], facet[-1 - c, k + 2]
    if not _inverse(k, M, X, T[3]):
        return False
    for i in range(k):
        x = 0.0
        for j in range(k):
            x -= X[i, j] * M[j, k]
        V[v, i] = x
    theta, off = 0.0, 0.0
    for i in range(k):
        lost = 0.0
        for j in range(k):
            entry, blur = -1.0 if i == j else 0.0, 0.0
            for e in range(k):
                entry += X[i, e] * M[e, j]
                blur += abs(X[i, e]) * (w[e, 0] + (k + 3) * TINY * abs(M[e, j]))
            lost += abs(entry) + blur
        theta = max(theta, lost)
    for i in range(k):
        total = 0.0
        for j in range(k):
            value = M[j, k]
            for e in range(k):
                value += M[j, e] * V[v, e]
            total += abs(X[i, j]) * (abs(value) + w[j, 1])
        off = max(off, total)
    if not theta < 0.5:
        return False
    V[v, k] = 1.01 * off / (1.0 - theta) + 1e-300
    return True


@inner()
def _inverse(k, M, X, T):
    """An approximate inverse by elimination with row pivots; False where it breaks down."""
    if k == 2:
        det = M[0, 0] * M[1, 1] - M[0, 1] * M[1, 0]
        if det == 0.0:
            return False
        f = 1.0 / det
        X[0, 0], X[0, 1], X[1, 0], X[1, 1] = f * M[1, 1], -f * M[0, 1], -f * M[1, 0], f * M[0, 0]
        return True
    for i in range(k):
        for j in range(k):
            T[i, j], X[i, j] = M[i, j], 1.0 if i == j else 0.0
    for c in range(k):
        p = c
        for i in range(c + 1, k):
            if abs(T[i, c]) > abs(T[p, c]):
                p = i
        if T[p, c] == 0.0:
            return False
        for j in range(k):
            T[c, j], T[p, j] = T[p, j], T[c, j]
            X[c, j], X[p, j] = X[p, j], X[c, j]
        f = 1.0 / T[c, c]
        for j in range(k):
            T[c, j] *= f
            X[c, j] *= f
        for i in range(k):
            if i != c:
                f = T[i, c]
                for j in range(k):
                    T[i, j] -= f * T[c, j]
                    X[i, j] -= f * X[c, j]
    return True


@inner()
def _new(L, d, a, first, count, like, mask):
    """Face a of dimension d is new; it lies in the same old face as ``like``, on the same rows."""
    F = L.F
    F[d, a, OLD], F[d, a, OWN], F[d, a, HELD_BY] = like[OLD], like[OWN], like[HELD_BY]
    F[d, a, ROW], F[d, a, ROW + 1], F[d, a, ROW + 2] = like[ROW], like[ROW + 1], like[ROW + 2]
    F[d, a, FIRST], F[d, a, COUNT], F[d, a, MASK] = first, count, mask


@inner()
def _edge(L, i, z, n):
    """Cut edge i at the new vertex z; the halves' numbers are the next two."""
    N, F, facets = L.N, L.F, L.facets
    at, a, f = N[USED, 1], N[MADE, 1], np.int64(F[1, i, FIRST])
    p, q = np.int64(facets[1, f]), np.int64(facets[1, f + 1])
    F[0, z, OLD], F[0, z, MASK], F[0, z, SIGN] = F[1, i, OLD], 0, 0
    F[0, z, P], F[0, z, Q], F[0, z, FIRST] = p, q, n
    low, high = (p, q) if F[0, p, MASK] == MINUS else (q, p)
    facets[1, at], facets[1, at + 1], facets[1, at + 2], facets[1, at + 3] = low, z, high, z
    _new(L, 1, a, at, 2, F[1, i], MINUS)
    _new(L, 1, a + 1, at + 2, 2, F[1, i], PLUS)
    N[USED, 1] = at + 4
    return p, q


@inner()
def _face(L, d, i, z, n, minus, plus):
    """Cut face i of dimension d > 1 by row n; z is the face between the halves.

    ``minus`` and ``plus`` of its facets lie (in part) on that side.
    """
    N, F, facets = L.N, L.F, L.facets
    at, a, f = N[USED, d], N[MADE, d], np.int64(F[d, i, FIRST])
    low, high, between = at, at + minus + 1, N[USED, d - 1]
    for e in range(f, f + F[d, i, COUNT]):
        h = np.int64(facets[d, e])
        m = F[d - 1, h, MASK]
        if m == PLUS | MINUS:
            facets[d, low], facets[d, high] = F[d - 1, h, MINUS_], F[d - 1, h, PLUS_]
            facets[d - 1, between] = F[d - 1, h, ZERO_]
            low += 1
            high += 1
            between += 1
        elif m == PLUS:
            facets[d, high] = h
            high += 1
        else:
            facets[d, low] = h
            low += 1
            g = np.int64(F[d - 1, h, FIRST])
            for e2 in range(g, g + F[d - 1, h, COUNT]):
                if F[d - 2, facets[d - 1, e2], MASK] == 0:
                    facets[d - 1, between] = facets[d - 1, e2]
                    between += 1
    facets[d, low], facets[d, high] = z, z
    _new(L, d, a, at, minus + 1, F[d, i], MINUS)
    _new(L, d, a + 1, at + minus + 1, plus + 1, F[d, i], PLUS)
    _new(L, d - 1, z, N[USED, d - 1], between - N[USED, d - 1], F[d, i], 0)
    held = np.int64(F[d, i, HELD_BY])
    F[d - 1, z, HELD_BY], F[d - 1, z, ROW + held] = held + 1, n
    N[USED, d], N[USED, d - 1] = high + 1, between


@inner()
def pair_wall(first, i, j, many):
    """The wall between arguments i < j of a max unit, whose walls begin at ``first``."""
    return first + i * many - i * (i + 1) // 2 + j - i - 1


@inner()
def code(j):
    """A bit for each of the first 63 arguments of a max unit, a random number for later ones."""
    if j < 63:
        return np.int64(1) << np.int64(j)
    x = np.uint64(j) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64(x ^ (x >> np.uint64(29)))


@inner()
def best_of(L, d, i, j, mask):
    """Face i once argument j has come: it wins, ties or loses on all of the face."""
    best = L.best
    if mask == PLUS:
        best[d, i, WHO], best[d, i, TIES], best[d, i, WHICH] = j, 1, code(j)
    elif mask == 0:
        best[d, i, TIES] += 1
        best[d, i, WHICH] ^= code(j)


@inner()
def _handed_down(L, d, i, half, z, j):
    """The same for the halves of a face that j cuts, and for the face between them."""
    best = L.best
    for e in range(5):
        best[d, half, e] = best[d, half + 1, e] = best[d - 1, z, e] = best[d, i, e]
    best_of(L, d, half + 1, j, PLUS)
    best_of(L, d - 1, z, j, 0)


@inner()
def insert(L, by, told, n, wall, j, many):
    """Cut everything by row n, whose signs at the vertices are known; False when out of room.

    For argument j of ``many`` of a max unit (else -1) the row is a difference with the best
    argument so far, another one in each face: ``column[i]`` is that with argument i.
    """
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets, act, bits = L.facets, L.act, L.bits
    best, column = L.best, L.column
    room, long = F.shape[1], facets.shape[1]
    if j >= 0:
        for a in range(N[ALIVE, 0]):
            best_of(L, 0, np.int64(act[0, a]), j, F[0, act[0, a], MASK])
    for d in range(1, k + 1):
        count, kept = N[ALIVE, d], 0
        new = count
        for a in range(count):
            i = np.int64(act[d, a])
            f, m = np.int64(F[d, i, FIRST]), np.int64(0)
            minus, plus = np.int64(0), np.int64(0)
            for e in range(f, f + F[d, i, COUNT]):
                side = F[d - 1, facets[d, e], MASK]
                m |= side
                minus += (side >> 1) & 1
                plus += side & 1
            F[d, i, MASK] = m
            if m != PLUS | MINUS:
                if j >= 0:
                    best_of(L, d, i, j, m)
                act[d, kept] = i
                kept += 1
                continue
            z, half = N[MADE, d - 1], N[MADE, d]
            if (
                z >= room or half + 2 > room or new + 2 > room
                or N[USED, d] + minus + plus + 4 > long
                or N[USED, d - 1] + 8 * (minus + plus) + 64 > long
            ):  # fmt: skip
                return False
            other = best[d, i, WHO] if j >= 0 else 0
            c = column[other] if j >= 0 else n
            if d == 1:
                p, q = _edge(L, i, z, c)
                _middle(L, by, told, c, z, i, p, q)
            else:
                _face(L, d, i, z, c, minus, plus)
            if j >= 0:
                _handed_down(L, d, i, half, z, j)
            if d == k:
                F[d - 1, z, OWN] = wall if j < 0 else pair_wall(wall, other, j, many)
                for w in range(bits.shape[1]):
                    bits[half, w] = bits[half + 1, w] = bits[i, w]
            F[d, i, MINUS_], F[d, i, PLUS_], F[d, i, ZERO_] = half, half + 1, z
            act[d - 1, N[ALIVE, d - 1]] = z
            N[ALIVE, d - 1] += 1
            N[MADE, d - 1], N[MADE, d] = z + 1, half + 2
            act[d, new], act[d, new + 1] = half, half + 1
            new += 2
        if kept < count:
            for a in range(count, new):
                act[d, kept + a - count] = act[d, a]
        N[ALIVE, d] = kept + new - count
    for a in range(N[ALIVE, k] if j < 0 else 0):
        i = np.int64(act[k, a])
        if F[k, i, MASK] == PLUS:
            bits[i, n >> 6] |= np.uint64(1) << np.uint64(n & 63)
    return True
