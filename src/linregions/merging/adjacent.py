"""Do two cells that differ in one row share a facet? Compiled, with the same proofs.

Cells of one network form a polyhedral complex, so each facet of a cell belongs to exactly
one neighbour. Where no two rows coincide on a cell, the neighbour behind the facet of row c
differs in row c alone: two such cells are neighbours exactly if row c is a facet of the one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import Tripped, inner, kernel, raised
from ..progress import check, current
from ..search.forms import compose
from ..search.lp import (
    AERR,
    BELOW,
    BERR,
    CONST_AT,
    EC,
    END,
    EW,
    EXP,
    FAR,
    INSIDE,
    ROOM,
    SLACK,
    TRIAL,
    TRIP,
    W,
    Z,
    minimise,
    restart,
    span_of,
)
from ..search.place import proved
from ..search.program import Cursor, Program

APART, SHARED, UNSURE = 0, 1, 2
AT_ONCE = 1 << 18  # flips looked up by one call, in about a tenth of a second


def shared_facets(P: Program, C: Cursor, *pairs: Any) -> None:
    """Decide pairs of cells that differ in one row: `decide` with its first arguments.

    Raises `Tripped` where the trip wire of the cursor is raised.
    """
    with current().wire(C.st, TRIP):
        if decide(P, C, *pairs, 0) < len(pairs[2]):
            raise Tripped


def flips(signs: np.ndarray, *keys: np.ndarray) -> list[np.ndarray]:
    """Pairs of cells of one group that differ in exactly one row: see `differing`."""
    step = max(1, AT_ONCE // max(1, signs.shape[1]))
    parts = []
    for a in range(0, max(1, len(signs)), step):
        check()
        parts.append(differing(signs, *keys, a, min(a + step, len(signs))))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@kernel("neighbours of cells", _nrt=True)
def decide(
    P, C, signs, points, first, second, rows, segments_only, verdict, parent, masks, begin
):  # fmt: skip
    """Decide pairs ``(first[i], second[i])`` of cells that differ in row ``rows[i]`` alone.

    Begins with pair ``begin``; returns the pair to go on with, which is none of them but where the
    trip wire ``C.st[TRIP]`` is raised.

    ``verdict[i]`` becomes APART, SHARED or UNSURE; pairs already joined in the union-find
    forest ``parent`` are skipped (APART), pairs that share a facet are joined; with an empty
    ``parent`` every pair is decided. Pairs must be sorted by ``first``. With ``segments_only``
    a pair is joined only where the segment between the two interior points crosses row c and no
    other row (valid where rows coincide, too). ``masks`` (pairs, n_rows), or no rows of it: what
    vanishes on the facet beside row c, if it is one, and is left out of the cell.
    """
    k, n_rows = P.k, len(P.cut_unit)
    G, A, T, S, I = C.G, C.A, C.T, C.S, C.I
    every = np.arange(len(C.sign)).astype(np.int32)  # all rows are constraints here
    m, loaded = len(every), -1
    joining = len(parent) > 0
    for i in range(begin, len(first)):
        p, q, c = first[i], second[i], rows[i]
        verdict[i] = APART
        if joining and _root(parent, p) == _root(parent, q):
            continue
        if p != loaded:
            loaded = p
            for r in range(n_rows):
                C.sign[r] = 1 if signs[p, r] > 0 else -1
            for layer in range(P.n_layers):
                compose(
                    k, layer, P.W, P.layers, P.gamma, P.units, P.first_piece, P.pieces,
                    P.cut_unit, P.cuts, P.rows, P.cols, P.groups, P.args, P.blur, C.sign,
                    C.ok, C.live, C.H, C.Z, G, C.st, C.log,
                )  # fmt: skip
                if raised(C.st, TRIP):
                    return i
            _gather(k, m, C.sign, G, A, S, points[p])
        elif len(masks) > 0:
            _gather(k, m, C.sign, G, A, S, points[p])
        if len(masks) > 0:
            _leave_out(k, c, masks[i], A, S)
        verdict[i] = _segment(k, m, c, G, A, S, points[p], points[q])
        if verdict[i] == UNSURE and not segments_only:
            verdict[i] = _facet(
                k, m, c, P.n_layers, C.st, G, every, A, T, S, I, C.MR, C.live, C.V, C.X, points[p]
            )
            if verdict[i] == UNSURE and raised(C.st, TRIP):
                return i
        if joining and verdict[i] == SHARED:
            parent[_root(parent, p)] = _root(parent, q)
    return len(first)


@kernel("pairs of cells", _nrt=True, error_model="python")
def differing(signs, group, key, order, codes, begin, end):
    """Pairs of cells of one group that differ in exactly one row: lower, upper, row.

    Lower ones are those from ``begin`` to ``end``. ``key`` is a hash of group and pattern,
    ``order`` sorts it, ``codes[c]`` is what flipping row c changes; every hit is compared in full,
    so a collision does no harm.
    """
    n, rows = signs.shape
    ordered = key[order]
    lower, upper, row = [0], [0], [0]
    for a in range(begin, end):
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


@inner()
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@inner()
def _gather(k, m, sign, G, A, S, x):
    """All rows of the cell as columns of A: row n is column n."""
    for n in range(m):
        s = float(sign[n])
        S[CONST_AT, n] = s * G[n, k]
        total = S[CONST_AT, n]
        for j in range(k):
            A[j, n] = s * G[n, j]
            total += A[j, n] * x[j]
        S[SLACK, n] = total


@inner()
def _leave_out(k, c, mask, A, S):
    """Turn the rows of a mask, but not row c, into ``1 >= 0``."""
    for n in range(len(mask)):
        if mask[n] and n != c:
            S[CONST_AT, n] = S[SLACK, n] = 1.0
            for j in range(k):
                A[j, n] = 0.0


@inner()
def _certain(k, m, c, G, A, S, size, x, blur):
    """All rows but c are certainly positive at x, by a margin of ``blur``."""
    for n in range(m):
        total = S[CONST_AT, n]
        for j in range(k):
            total += A[j, n] * x[j]
        if n != c and not total > 4.0 * (G[n, k + AERR] * size + G[n, k + BERR]) + blur:
            return False
    return True


@inner()
def _segment(k, m, c, G, A, S, x, y):
    """SHARED if the segment from x to y leaves the cell of x through row c and nothing else."""
    at_x, at_y = S[SLACK, c], S[CONST_AT, c]
    size = 0.0
    for j in range(k):
        at_y += A[j, c] * y[j]
        size += abs(x[j]) + abs(y[j])
    if not (at_x > 0.0 and at_y < 0.0):
        return UNSURE
    t = at_x / (at_x - at_y)
    for j in range(k):
        S[TRIAL, j] = x[j] + t * (y[j] - x[j])
    error = G[c, k + AERR] * size + G[c, k + BERR]
    blur = 2e-12 * size + 32.0 * error / (at_x - at_y) * size  # where exactly it crosses
    return SHARED if _certain(k, m, c, G, A, S, size, S[TRIAL], blur) else UNSURE


@inner()
def _facet(k, m, c, layers, st, G, every, A, T, S, I, MR, live, V, X, x):
    """Whether row c is irredundant for its cell, by an LP without it."""
    for j in range(k):
        S[W, j] = A[j, c]
    slack = S[SLACK, c]
    restart(S, I, k, m)
    S[ROOM, c] = FAR  # no constraint any more
    status, low, count = minimise(A, T, S, I, k, m, slack, -0.1 * slack, st)
    if status == BELOW or (status == INSIDE and low < 0.0):
        # a point on the far side that keeps every other row certainly: row c is a facet
        far, t = END, 0.5 * (1.0 + slack / (slack - low))
        if status == BELOW and count == -1:
            slope = 0.0
            for j in range(k):
                slope += S[W, j] * S[Z, j]
            far, t = Z, -2.0 * slack / slope
        size, at = 0.0, S[CONST_AT, c]
        for j in range(k):
            S[TRIAL, j] = x[j] + t * S[far, j]
            size += abs(S[TRIAL, j])
            at += A[j, c] * S[TRIAL, j]
        beyond = at < -4.0 * (G[c, k + AERR] * size + G[c, k + BERR])
        if beyond and _certain(k, m, c, G, A, S, size, S[TRIAL], 0.0):
            return SHARED
    if status == INSIDE and proved(
        k, S[CONST_AT, c], G[c, k + EW], G[c, k + EC], int(G[c, k + EXP]), count,
        span_of(k, G, c, layers), st, A, G, every, S, I, MR, live, V, X,
    ):  # fmt: skip
        return APART
    return UNSURE
