"""Do two cells that differ in one row share a facet? Compiled, with the same proofs.

CellRows of one network form a polyhedral complex, so each facet of a cell belongs to exactly
one neighbour. Where no two rows coincide on a cell, the neighbour behind the facet of row c
differs in row c alone: two such cells are neighbours exactly if row c is a facet of the one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..held import held
from ..jit import Tripped, inner, kernel, raised
from ..progress import check, current
from ..search.cursor import LAYER, NCON
from ..search.forms import compose
from ..search.lp import (
    AERR,
    BELOW,
    BERR,
    CONST_AT,
    END,
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
)
from ..search.place import proved
from ..search.program import Cursor, Program
from ..search.proofs import form_of, span_of

APART, SHARED, UNSURE = 0, 1, 2
AT_ONCE = 1 << 18  # flips looked up by one call, in about a tenth of a second


class CellRows(NamedTuple):
    """Patterns and interior points of cells, and a union-find forest of them (or an empty one)."""

    signs: np.ndarray
    points: np.ndarray
    parent: np.ndarray


class Pairs(NamedTuple):
    """Pairs of cells that differ in one row alone, sorted by the first, and what is found.

    ``masks`` (pairs, rows), or none: what vanishes on the facet beside the row, if it is one, and
    is left out of the cell.
    """

    first: np.ndarray
    second: np.ndarray
    rows: np.ndarray
    verdict: np.ndarray
    masks: np.ndarray


def shared_facets(
    P: Program, C: Cursor, cells: CellRows, pairs: Pairs, segments_only: bool
) -> None:
    """Decide pairs of cells: see `decide`.

    Raises `Tripped` where the trip wire of the cursor is raised.
    """
    with current().wire(C.st, TRIP):
        if decide(P, C, cells, pairs, segments_only, 0) < len(pairs.first):
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
def decide(P, C, cells, pairs, segments_only, begin):
    """Decide `Pairs` of `CellRows`.

    Begins with pair ``begin``; returns the pair to go on with, which is none of them but where the
    trip wire ``C.st[TRIP]`` is raised.

    ``verdict[i]`` becomes APART, SHARED or UNSURE; pairs already joined in the forest are skipped
    (APART), pairs that share a facet are joined; with an empty forest every pair is decided. With
    ``segments_only`` a pair is joined only where the segment between the two interior points
    crosses row c and no other row (valid where rows coincide, too).
    """
    P, C = held(P), held(C)
    signs, points, parent = cells.signs, cells.points, cells.parent
    first, second, rows = pairs.first, pairs.second, pairs.rows
    verdict, masks = pairs.verdict, pairs.masks
    m, loaded = len(C.sign), -1
    joining = len(parent) > 0
    for n in range(m):
        C.con[0, n] = n  # all rows are constraints here
    C.F[0, LAYER], C.F[0, NCON] = P.n_layers, m
    for i in range(begin, len(first)):
        p, q, c = first[i], second[i], rows[i]
        verdict[i] = APART
        if joining and _root(parent, p) == _root(parent, q):
            continue
        if p != loaded:
            loaded = p
            if not _composed(P, C, signs[p]):
                return i
            _gather(C, points[p])
        elif len(masks) > 0:
            _gather(C, points[p])
        if len(masks) > 0:
            _leave_out(C, c, masks[i])
        verdict[i] = _segment(C, c, points[p], points[q])
        if verdict[i] == UNSURE and not segments_only:
            verdict[i] = _facet(C, c, points[p])
            if verdict[i] == UNSURE and raised(C.st, TRIP):
                return i
        if joining and verdict[i] == SHARED:
            parent[_root(parent, p)] = _root(parent, q)
    return len(first)


@inner()
def _composed(P, C, signs):
    """Compose all rows of a cell; False where the trip wire is raised."""
    for r in range(len(P.cut_unit)):
        C.sign[r] = 1 if signs[r] > 0 else -1
    for layer in range(P.n_layers):
        compose(P, C, layer)
        if raised(C.st, TRIP):
            return False
    return True


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
def _gather(C, x):
    """All rows of the cell as columns of A: row n is column n."""
    A, G, S = C.A, C.G, C.S
    k = C.pts.shape[2]
    for n in range(len(C.sign)):
        s = float(C.sign[n])
        S[CONST_AT, n] = s * G[n, k]
        total = S[CONST_AT, n]
        for j in range(k):
            A[j, n] = s * G[n, j]
            total += A[j, n] * x[j]
        S[SLACK, n] = total


@inner()
def _leave_out(C, c, mask):
    """Turn the rows of a mask, but not row c, into ``1 >= 0``."""
    for n in range(len(mask)):
        if mask[n] and n != c:
            C.S[CONST_AT, n] = C.S[SLACK, n] = 1.0
            for j in range(C.pts.shape[2]):
                C.A[j, n] = 0.0


@inner()
def _certain(C, c, size, x, blur):
    """All rows but c are certainly positive at x, by a margin of ``blur``."""
    A, G, S = C.A, C.G, C.S
    k = C.pts.shape[2]
    for n in range(len(C.sign)):
        total = S[CONST_AT, n]
        for j in range(k):
            total += A[j, n] * x[j]
        if n != c and not total > 4.0 * (G[n, k + AERR] * size + G[n, k + BERR]) + blur:
            return False
    return True


@inner()
def _segment(C, c, x, y):
    """SHARED if the segment from x to y leaves the cell of x through row c and nothing else."""
    A, G, S = C.A, C.G, C.S
    k = C.pts.shape[2]
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
    return SHARED if _certain(C, c, size, S[TRIAL], blur) else UNSURE


@inner()
def _facet(C, c, x):
    """Whether row c is irredundant for its cell, by an LP without it."""
    A, G, S = C.A, C.G, C.S
    k, m = C.pts.shape[2], len(C.sign)
    for j in range(k):
        S[W, j] = A[j, c]
    slack = S[SLACK, c]
    restart(C, m)
    S[ROOM, c] = FAR  # no constraint any more
    status, low, count = minimise(C, m, slack, -0.1 * slack)
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
        if beyond and _certain(C, c, size, S[TRIAL], 0.0):
            return SHARED
    if status == INSIDE:
        form = form_of(C, c, S[CONST_AT, c])
        if proved(C, 0, form, count, span_of(C, c, C.F[0, LAYER])):
            return APART
    return UNSURE
