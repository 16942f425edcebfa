"""Do two cells that differ in one row share a facet? Compiled, with the same proofs.

Cells of one network form a polyhedral complex, so each facet of a cell belongs to exactly
one neighbour. Where no two rows coincide on a cell, the neighbour behind the facet of row c
differs in row c alone: two such cells are neighbours exactly if row c is a facet of the one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .forms import compose
from .kernel import proved
from .lp import AERR, BELOW, BERR, EC, EW, EXP, INSIDE, SLACK, SPAN, W, Y, minimise

APART, SHARED, UNSURE = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def shared_facets(P, C, signs, points, first, second, rows, segments_only, verdict, parent):
    """Decide pairs ``(first[i], second[i])`` of cells that differ in row ``rows[i]`` alone.

    ``verdict[i]`` becomes APART, SHARED or UNSURE; pairs already joined in the union-find
    forest ``parent`` are skipped (APART), pairs that share a facet are joined. Pairs must be
    sorted by ``first``. With ``segments_only`` a pair is joined only where the segment between
    the two interior points crosses row c and no other row (valid where rows coincide, too).
    """
    k, n_rows = P.k, len(P.cut_unit)
    G, A, T, S, I = C.G, C.A, C.T, C.S, C.I
    m = 0
    loaded = -1
    for i in range(len(first)):
        p, q, c = first[i], second[i], rows[i]
        verdict[i] = APART
        if _root(parent, p) == _root(parent, q):
            continue
        if p != loaded:
            loaded = p
            for r in range(n_rows):
                C.sign[r] = 1 if signs[p, r] > 0 else -1
            for layer in range(P.n_layers):
                compose(
                    k, layer, P.W, P.layers, P.gamma, P.units, P.first_piece, P.pieces,
                    P.cut_unit, P.cuts, C.sign, C.ok, C.live, C.H, C.Z, G,
                )  # fmt: skip
            m = _gather(k, len(C.sign), C.sign, G, A, points[p])
        verdict[i] = _segment(k, m, c, A, I, points[p], points[q])
        if verdict[i] == UNSURE and not segments_only:
            verdict[i] = _facet(k, m, c, C.st, A, T, S, I, C.MR, C.live, points[p])
        if verdict[i] == SHARED:
            parent[_root(parent, p)] = _root(parent, q)


@njit(cache=True, nogil=True)
def flips(signs, group, key, order, codes):
    """Pairs of cells of one group that differ in exactly one row: lower, upper, row.

    ``key`` is a hash of group and pattern, ``order`` sorts it, ``codes[c]`` is what flipping
    row c changes; every hit is compared in full, so a collision does no harm.
    """
    n, rows = signs.shape
    ordered = key[order]
    lower, upper, row = [0], [0], [0]
    for a in range(n):
        for c in range(rows):
            if signs[a, c] > 0:
                continue  # each pair once, from its lower side
            at = np.searchsorted(ordered, key[a] ^ codes[c])
            while at < n and ordered[at] == key[a] ^ codes[c]:
                b = order[at]
                same = group[a] == group[b] and signs[b, c] > 0
                for r in range(rows):
                    same = same and (r == c or signs[a, r] == signs[b, r])
                if same:
                    lower.append(a)
                    upper.append(b)
                    row.append(c)
                at += 1
    return np.array(lower[1:]), np.array(upper[1:]), np.array(row[1:])


@njit(nogil=True, no_cpython_wrapper=True, error_model="numpy")
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(nogil=True, no_cpython_wrapper=True, error_model="numpy")
def _gather(k, n_rows, sign, G, A, x):
    """All rows of the cell as columns of A; KEEP is not needed, row c keeps column c."""
    for n in range(n_rows):
        s = sign[n]
        total = s * G[n, k]
        A[k, n] = total
        for j in range(k):
            A[j, n] = s * G[n, j]
            total += A[j, n] * x[j]
        for j in range(k + EW, k + SPAN + 1):
            A[j, n] = G[n, j]
        A[k + SLACK, n] = total
    return n_rows


@njit(nogil=True, no_cpython_wrapper=True, error_model="numpy")
def _segment(k, m, c, A, I, x, y):
    """SHARED if the segment from x to y leaves the cell of x through row c and nothing else."""
    at_y = A[k, c]
    for j in range(k):
        at_y += A[j, c] * y[j]
    at_x = A[k + SLACK, c]
    if not (at_x > 0.0 and at_y < 0.0):
        return UNSURE
    t = at_x / (at_x - at_y)
    size = 0.0
    for j in range(k):
        size += abs(x[j]) + abs(y[j])
    blur = 1e-12 * size + 16.0 * (A[k + AERR, c] * size + A[k + BERR, c]) / (at_x - at_y) * size
    for n in range(m):
        if n == c:
            continue
        total = A[k, n]
        for j in range(k):
            total += A[j, n] * (x[j] + t * (y[j] - x[j]))
        if not total > 4.0 * (A[k + AERR, n] * size + A[k + BERR, n]) + 2.0 * blur:
            return UNSURE
    return SHARED


@njit(nogil=True, no_cpython_wrapper=True, error_model="numpy")
def _facet(k, m, c, st, A, T, S, I, MR, live, x):
    """Whether row c is irredundant for its cell, by an LP without it."""
    for j in range(k):
        S[W, j] = A[j, c]
    slack = A[k + SLACK, c]
    status, low, count = minimise(A, T, S, I, k, m, slack, -0.1 * slack, c)
    if status == BELOW or (status == INSIDE and low < 0.0):
        # a point on the far side that keeps every other row certainly: row c is a facet
        if count == -1 and status == BELOW:
            slope = 0.0
            for j in range(k):
                slope += S[W, j] * S[Y, j]
            t = -2.0 * slack / slope
        else:
            t = 0.5 * (1.0 + slack / (slack - low))
        size = 0.0
        for j in range(k):
            S[Y, j] = x[j] + t * S[Y, j]
            size += abs(S[Y, j])
        good = True
        for n in range(m):
            total = A[k, n]
            flat = True
            for j in range(k):
                total += A[j, n] * S[Y, j]
                flat = flat and A[j, n] == 0.0
            error = A[k + AERR, n] * size + A[k + BERR, n]
            if n == c:
                good = good and total < -error
            elif not flat:
                good = good and total > error
        if good:
            return SHARED
    if status == INSIDE:
        wexp = int(A[k + EXP, c])
        if proved(k, A[k, c], A[k + EW, c], A[k + EC, c], wexp, count, A[k + SPAN, c],
                  st, A, S, I, MR, live):  # fmt: skip
            return APART
    return UNSURE
