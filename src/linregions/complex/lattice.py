"""One old cell at a time: its faces of all dimensions, cut by the units of a layer one by one.

The complex is a face lattice: each face of dimension d lists its facets, faces of dimension d - 1.
A cell is refined by itself, in small arrays. A unit's sign (+, -, 0) is decided once at every
vertex; all else is combinatorial. A face is cut exactly if it has a + and a - vertex. Its halves
take its facets (or their halves) on their side, and the new face between them, whose own facets
are what the unit cut out of the facets: new faces of those that were cut, and the old zero faces
between a facet on the one side and one on the other. Ties need no special case.

Faces that cells share are cut in each of them, in the same way: pieces of an old face come in
an order that depends on that face alone (units ascending, halves - then +). So a new face is named
by the old face in whose interior it lies and its place among the pieces there; only the *host*,
the first cell that holds the old face, writes it down. No search, no hashing, no floating-point
comparison of vertices.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..search.lp import OPTIONS, inner
from .forms import bound, compose, row_at

DONE, DOUBT, LOCAL, FULL = range(4)  # finished; a sign is open; local arrays or output too small
NEXT, CELLS, LEFT, HELD, LISTED, POINTS, PIECES, FACES, ASKED = range(9)  # places in st
RANK = 24  # bits of a name that hold the place among the pieces of an old face
UNKNOWN = 2
PLUS, MINUS = 1, 2  # bits of a mask
TINY = 2.0**-52


class Faces(NamedTuple):
    """A complex: faces numbered dimension after dimension, vertices first.

    ``at[d]`` is the number of the first face of dimension d; the facets of face g are
    ``idx[ptr[g]:ptr[g + 1]]``; ``own`` the row behind each facet of cells, ``host`` the
    first cell that holds a face (both by number); ``x``, ``r`` vertices and how far off they may
    be; ``bits`` patterns of the cells.
    """

    k: int
    at: np.ndarray
    ptr: np.ndarray
    idx: np.ndarray
    own: np.ndarray
    host: np.ndarray
    x: np.ndarray
    r: np.ndarray
    bits: np.ndarray


class Local(NamedTuple):
    """Faces of one old cell and their pieces, by dimension; see `workspace`.

    ``rows[d, i]`` names the k - d rows that vanish on a face (how many, then n for row n of the
    layer, -1 - j for facet j of the old cell, whose row is in ``facet``).
    """

    n: np.ndarray
    alive: np.ndarray
    used: np.ndarray
    old: np.ndarray
    first: np.ndarray
    count: np.ndarray
    facets: np.ndarray
    mask: np.ndarray
    minus: np.ndarray
    plus: np.ndarray
    zero: np.ndarray
    act: np.ndarray
    rank: np.ndarray
    own: np.ndarray
    rows: np.ndarray
    facet: np.ndarray
    facet_error: np.ndarray
    M: np.ndarray
    x: np.ndarray
    r: np.ndarray
    parents: np.ndarray
    sign: np.ndarray
    bits: np.ndarray
    face: np.ndarray
    dim: np.ndarray
    tally: np.ndarray
    where: np.ndarray
    cut: np.ndarray
    low: np.ndarray
    high: np.ndarray
    doubt: np.ndarray


class Answers(NamedTuple):
    """What rational arithmetic has settled for one cell: signs, and places of vertices."""

    row: np.ndarray
    vertex: np.ndarray
    sign: np.ndarray
    moved: np.ndarray
    x: np.ndarray
    r: np.ndarray


class Output(NamedTuple):
    """Pieces written down by their hosts: name, dimension, number of facets, row; facets' names."""

    st: np.ndarray
    name: np.ndarray
    dim: np.ndarray
    size: np.ndarray
    own: np.ndarray
    facets: np.ndarray
    vertex: np.ndarray
    x: np.ndarray
    r: np.ndarray
    cell: np.ndarray
    parent: np.ndarray
    bits: np.ndarray
    doubtful: np.ndarray


def workspace(k: int, faces: int, rows: int, size: int) -> Local:
    """Arrays for one old cell with at most ``size`` pieces of each dimension."""
    d = k + 1

    def ints(*shape: int) -> np.ndarray:
        return np.empty(shape, np.int32)

    return Local(
        np.zeros(d, np.int64), np.zeros(d, np.int64), np.zeros(d, np.int64), ints(d, size),
        ints(d, size), ints(d, size), ints(d, 8 * size), np.empty((d, size), np.int8),
        ints(d, size), ints(d, size), ints(d, size), ints(d, size), ints(d, size),
        ints(size), ints(d, size, k + 1), np.empty((size, d)), np.empty((size, 2)),
        np.zeros((4, k, k + 1)), np.empty((size, k)), np.empty(size), ints(size, 3),
        np.empty(size, np.int8),
        np.empty((size, (rows + 63) // 64), np.uint64), np.zeros(size, np.int64),
        np.zeros(size, np.int8), ints(size, d), np.zeros(faces, np.int32), ints(max(rows, 1)),
        np.empty(rows), np.empty(rows), ints(size, 2),
    )  # fmt: skip


def output(k: int, rows: int, pieces: int) -> Output:
    """An empty output for about ``pieces`` faces."""
    cells = pieces // 2 + 2
    return Output(
        np.zeros(9, np.int64), np.empty(pieces, np.int64), np.empty(pieces, np.int8),
        np.empty(pieces, np.int32), np.empty(pieces, np.int32), np.empty(5 * pieces, np.int64),
        np.empty(cells, np.int64), np.empty((cells, k)), np.empty(cells), np.empty(cells, np.int64),
        np.empty(cells, np.int32), np.empty((cells, (rows + 63) // 64), np.uint64),
        np.empty(1024, np.int32),
    )  # fmt: skip


NOBODY = Answers(
    np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int8),
    np.zeros(0, np.int32), np.zeros((0, 1)), np.zeros(0),
)  # fmt: skip


@inner()
def _load(k, cell, reach, net: Any, X: Any, rows: Any, L: Any, error, domain):
    """The faces of an old cell into the local arrays; False when they do not fit."""
    for d in range(k + 1):
        L.n[d] = L.used[d] = 0
    names, top = 0, X.at[k] + cell
    L.n[k], L.old[k, 0], L.face[0], L.dim[0], L.rows[k, 0, 0] = 1, 0, top, k, 0
    names = 1
    for d in range(k, 0, -1):
        for i in range(L.n[d]):
            g = L.face[L.old[d, i]]
            L.first[d, i], L.count[d, i] = L.used[d], X.ptr[g + 1] - X.ptr[g]
            if L.used[d] + L.count[d, i] > L.facets.shape[1]:
                return False
            for e in range(X.ptr[g], X.ptr[g + 1]):
                h = X.idx[e]
                j = L.where[h]
                if not (j < L.n[d - 1] and L.face[L.old[d - 1, j]] == h):
                    j = L.n[d - 1]
                    if names == len(L.face):
                        return False
                    L.n[d - 1] += 1
                    L.where[h] = j
                    L.old[d - 1, j], L.face[names], L.dim[names] = names, h, d - 1
                    names += 1
                    L.rows[d - 1, j, 0] = 0
                    if d == k:
                        L.own[j] = X.own[h - X.at[k - 1]]
                        L.rows[d - 1, j, 0], L.rows[d - 1, j, 1] = 1, -1 - j
                        _facet(k, j, reach, net, rows, L, error, domain)
                if d < k:
                    _inherit(k, d, i, j, L)
                L.facets[d, L.used[d]] = j
                L.used[d] += 1
    for d in range(k + 1):
        L.alive[d] = L.n[d]
        for i in range(L.n[d]):
            L.act[d, i] = i
    for v in range(L.n[0]):
        g = L.face[L.old[0, v]]
        L.r[v], L.parents[v, 0] = X.r[g], -1
        for j in range(k):
            L.x[v, j] = X.x[g, j]
    return True


@inner()
def _facet(k, j, reach, net: Any, rows: Any, L: Any, error, domain):
    """The row behind facet j of the old cell, with the errors of coefficients and value."""
    c = L.own[j]
    if c >= 0:
        _, L.facet_error[j, 0], L.facet_error[j, 1] = row_at(
            k, c, False, reach, net, rows, error, L.facet[j]
        )
        return
    total = 0.0
    for e in range(k + 1):
        L.facet[j, e] = domain[-1 - c, e]
        total += abs(L.facet[j, e]) if e < k else 0.0
    ew, ec = domain[-1 - c, k + 1], domain[-1 - c, k + 2]
    L.facet_error[j, 0] = ew
    L.facet_error[j, 1] = bound(k, ew, ec, reach, total, abs(L.facet[j, k]))


@inner()
def _inherit(k, d, i, j, L: Any):
    """Old face j of dimension d - 1 lies on all facets of the cell that face i lies on."""
    for e in range(1, L.rows[d, i, 0] + 1):
        n, known = L.rows[d - 1, j, 0], False
        for f in range(1, n + 1):
            known |= L.rows[d - 1, j, f] == L.rows[d, i, e]
        if not known and n < k - d + 1:
            L.rows[d - 1, j, n + 1] = L.rows[d, i, e]
            L.rows[d - 1, j, 0] = n + 1


@inner()
def _candidates(k, m, L: Any, rows: Any):
    """Rows that may cut the cell, into ``L.cut``; the others go into the cell's bits."""
    low, high, worst = L.low, L.high, 0.0
    for n in range(m):
        low[n], high[n] = 1e300, -1e300
    for v in range(L.n[0]):
        worst = max(worst, L.r[v])
        if k == 2:
            x, y = L.x[v, 0], L.x[v, 1]
            a, b, c = rows.R[0], rows.R[1], rows.R[2]
            for n in range(m):
                value = a[n] * x + b[n] * y + c[n]
                low[n] = min(low[n], value)
                high[n] = max(high[n], value)
        else:
            for n in range(m):
                value = rows.R[k, n]
                for j in range(k):
                    value += rows.R[j, n] * L.x[v, j]
                low[n] = min(low[n], value)
                high[n] = max(high[n], value)
    for w in range(L.bits.shape[1]):
        L.bits[0, w] = 0
    found = 0
    for n in range(m):
        blur = rows.size[n] * worst + rows.error[n]
        if low[n] > blur:
            L.bits[0, n >> 6] |= np.uint64(1) << np.uint64(n & 63)
        elif high[n] >= -blur and not (blur == 0.0 and high[n] <= 0.0):
            L.cut[found] = n
            found += 1
    return found


@inner()
def _value(k, n, v, L: Any, rows: Any):
    total = rows.R[k, n]
    for j in range(k):
        total += rows.R[j, n] * L.x[v, j]
    return total


@inner()
def _signs(k, n, at, L: Any, rows: Any, told: Any):
    """Signs of row n at all vertices; how many stay open, and how far ``told`` has been read.

    A point between two others has the sign that both have (or the one that is not zero), so that
    only between opposite signs floats are asked, and where those cannot tell, ``told``.
    """
    open_ = 0
    for v in range(L.n[0]):
        s = UNKNOWN
        p = L.parents[v, 0]
        if p >= 0:
            a, b = L.sign[p], L.sign[L.parents[v, 1]]
            if a != UNKNOWN and b != UNKNOWN and a * b >= 0:
                s = a if a != 0 else b
        if s == UNKNOWN:
            value, blur = _value(k, n, v, L, rows), rows.size[n] * L.r[v] + rows.error[n]
            if value > blur:
                s = 1
            elif value < -blur:
                s = -1
            elif blur == 0.0:
                s = 0
            else:
                while at < len(told.row) and (
                    told.row[at] < n or (told.row[at] == n and told.vertex[at] < v)
                ):
                    at += 1
                if at < len(told.row) and told.row[at] == n and told.vertex[at] == v:
                    s = told.sign[at]
                elif open_ < len(L.doubt):
                    L.doubt[open_, 0], L.doubt[open_, 1] = n, v
                    open_ += 1
        L.sign[v] = s
        L.mask[0, v] = PLUS if s == 1 else (MINUS if s == -1 else 0)
    return open_, at


@inner()
def _middle(k, n, v, edge, p, q, L: Any, rows: Any, told: Any):
    """Vertex v where row n vanishes on an edge between p and q, and how far off it may be.

    From the rows that meet there, so that no error is handed down; where they are nearly
    dependent, from p and q. With values known to t_p and t_q the parameter is off by at most max(t_p, t_q) over their
    difference less both.
    """
    for a in range(len(told.moved)):
        if told.moved[a] == v:
            L.r[v] = told.r[a]
            for j in range(k):
                L.x[v, j] = told.x[a, j]
            return
    if _solve(k, n, v, edge, L, rows) and L.r[v] < 1e-6:
        return
    vp, vq = _value(k, n, p, L, rows), _value(k, n, q, L, rows)
    tp = rows.size[n] * L.r[p] + rows.error[n]
    tq = rows.size[n] * L.r[q] + rows.error[n]
    gap = abs(vp) + abs(vq) - tp - tq
    t, off = 0.5, 1.0
    if gap > 0.0 and vp * vq < 0.0:
        t = vp / (vp - vq)
        off = min(1.0, 1.001 * max(tp, tq) / gap + TINY)
    length, size = 0.0, 0.0
    for j in range(k):
        step = L.x[q, j] - L.x[p, j]
        L.x[v, j] = L.x[p, j] + t * step
        length, size = max(length, abs(step)), max(size, abs(L.x[v, j]))
    L.r[v] = 1.001 * (max(L.r[p], L.r[q]) + off * (length + L.r[p] + L.r[q])) + TINY * size


@inner()
def _solve(k, n, v, edge, L: Any, rows: Any):
    """Vertex v where row n meets the rows of an edge, with a bound of its error.

    With an approximate inverse R of the matrix M of the rows and |I - R M| <= theta < 1, a point x
    is at most |R| (residual + errors of the rows) / (1 - theta) from the true one.
    """
    if L.rows[1, edge, 0] != k - 1:
        return False
    M, R, w, T = L.M[0], L.M[1], L.M[2], L.M[3]  # w: a column of coefficient and of value errors
    for i in range(k):
        c = n if i == k - 1 else L.rows[1, edge, i + 1]
        for j in range(k + 1):
            M[i, j] = rows.R[j, c] if c >= 0 else L.facet[-1 - c, j]
        w[i, 0] = rows.slack[c] if c >= 0 else L.facet_error[-1 - c, 0]
        w[i, 1] = rows.error[c] if c >= 0 else L.facet_error[-1 - c, 1]
    if not _inverse(k, M, R, T):
        return False
    theta, off = 0.0, 0.0
    for i in range(k):
        x = 0.0
        for j in range(k):
            x -= R[i, j] * M[j, k]
        L.x[v, i] = x
    for i in range(k):
        lost = 0.0
        for j in range(k):
            entry, blur = -1.0 if i == j else 0.0, 0.0
            for e in range(k):
                entry += R[i, e] * M[e, j]
                blur += abs(R[i, e]) * (w[e, 0] + (k + 3) * TINY * abs(M[e, j]))
            lost += abs(entry) + blur
        theta = max(theta, lost)
    for i in range(k):
        total = 0.0
        for j in range(k):
            value = M[j, k]
            for e in range(k):
                value += M[j, e] * L.x[v, e]
            total += abs(R[i, j]) * (abs(value) + w[j, 1])
        off = max(off, total)
    if not theta < 0.5:
        return False
    L.r[v] = 1.01 * off / (1.0 - theta) + 1e-300
    return True


@inner()
def _inverse(k, M, R, T):
    """An approximate inverse by elimination with row pivots; False where it breaks down."""
    for i in range(k):
        for j in range(k):
            T[i, j], R[i, j] = M[i, j], 1.0 if i == j else 0.0
    for c in range(k):
        p = c
        for i in range(c + 1, k):
            if abs(T[i, c]) > abs(T[p, c]):
                p = i
        if T[p, c] == 0.0:
            return False
        for j in range(k):
            T[c, j], T[p, j] = T[p, j], T[c, j]
            R[c, j], R[p, j] = R[p, j], R[c, j]
        f = 1.0 / T[c, c]
        for j in range(k):
            T[c, j] *= f
            R[c, j] *= f
        for i in range(k):
            if i != c:
                f = T[i, c]
                for j in range(k):
                    T[i, j] -= f * T[c, j]
                    R[i, j] -= f * R[c, j]
    return True


@inner()
def _new(d, old, mask, L: Any):
    """A new face of dimension d, as yet without facets, inside an old one."""
    a = L.n[d]
    L.n[d] += 1
    L.first[d, a], L.count[d, a], L.old[d, a], L.mask[d, a] = L.used[d], 0, old, mask
    return a


@inner()
def _put(d, i, h, L: Any):
    """Face h of dimension d - 1 becomes a facet of the newest face i of dimension d."""
    L.facets[d, L.used[d]] = h
    L.used[d] += 1
    L.count[d, i] += 1


@inner()
def _halve(k, d, i, n, row, L: Any, rows: Any, told: Any):
    """Cut face i of dimension d by row n: its halves, and the face between them."""
    z = _new(d - 1, L.old[d, i], 0, L)
    held = L.rows[d, i, 0]
    for e in range(1, held + 1):
        L.rows[d - 1, z, e] = L.rows[d, i, e]
    L.rows[d - 1, z, 0], L.rows[d - 1, z, held + 1] = held + 1, n
    start, end = L.first[d, i], L.first[d, i] + L.count[d, i]
    if d - 1 == k - 1:
        L.own[z] = row
    if d == 1:
        p, q = L.facets[1, start], L.facets[1, start + 1]
        L.parents[z, 0], L.parents[z, 1], L.parents[z, 2] = p, q, n
        L.sign[z] = 0
        _middle(k, n, z, i, p, q, L, rows, told)
    for side in (MINUS, PLUS):
        half = _new(d, L.old[d, i], side, L)
        for e in range(held + 1):
            L.rows[d, half, e] = L.rows[d, i, e]
        for e in range(start, end):
            h = L.facets[d, e]
            m = L.mask[d - 1, h]
            if m == PLUS | MINUS:
                _put(d, half, L.minus[d - 1, h] if side == MINUS else L.plus[d - 1, h], L)
                if side == MINUS and d > 1:
                    _put(d - 1, z, L.zero[d - 1, h], L)
            elif m == side:
                _put(d, half, h, L)
                if side == MINUS and d > 1:
                    f = L.first[d - 1, h]
                    for e2 in range(f, f + L.count[d - 1, h]):
                        if L.mask[d - 2, L.facets[d - 1, e2]] == 0:
                            _put(d - 1, z, L.facets[d - 1, e2], L)
        _put(d, half, z, L)
        if side == MINUS:
            L.minus[d, i] = half
        else:
            L.plus[d, i] = half
        if d == k - 1:
            L.own[half] = L.own[i]
        if d == k:
            for w in range(L.bits.shape[1]):
                L.bits[half, w] = L.bits[i, w]
    L.zero[d, i] = z
    return z


@inner()
def _room(d, i, L: Any):
    """Whether halving face i of dimension d fits into the local arrays."""
    size, long = L.old.shape[1], L.facets.shape[1]
    need = 2 * L.count[d, i] + 4
    if d > 1:
        f = L.first[d, i]
        inner_ = 4
        for e in range(f, f + L.count[d, i]):
            inner_ += L.count[d - 1, L.facets[d, e]]
        if L.used[d - 1] + inner_ > long:
            return False
    return L.n[d] + 2 <= size and L.n[d - 1] + 1 <= size and L.used[d] + need <= long


@inner()
def _insert(k, n, row, L: Any, rows: Any, told: Any):
    """Cut everything by row n, whose signs at the vertices are known; False when out of room."""
    for d in range(1, k + 1):
        count, kept, new = L.alive[d], 0, 0
        for a in range(count):
            i = L.act[d, a]
            f, m = L.first[d, i], 0
            for e in range(f, f + L.count[d, i]):
                m |= L.mask[d - 1, L.facets[d, e]]
            L.mask[d, i] = m
            if m != PLUS | MINUS:
                L.act[d, kept] = i
                kept += 1
                continue
            if not _room(d, i, L) or count + new + 2 > L.act.shape[1]:
                return False
            z = _halve(k, d, i, n, row, L, rows, told)
            L.act[d - 1, L.alive[d - 1]] = z
            L.alive[d - 1] += 1
            L.act[d, count + new], L.act[d, count + new + 1] = L.minus[d, i], L.plus[d, i]
            new += 2
        for a in range(new):
            L.act[d, kept + a] = L.act[d, count + a]
        L.alive[d] = kept + new
    for a in range(L.alive[k]):
        i = L.act[k, a]
        if L.mask[k, i] == PLUS:
            L.bits[i, n >> 6] |= np.uint64(1) << np.uint64(n & 63)
    return True


@inner()
def _emit(k, cell, count_only, X: Any, L: Any, O: Any, tally):
    """Write down the pieces whose host the cell is; False when the output is full."""
    st = O.st
    if count_only:
        st[LEFT] += L.alive[k]
        return True
    pieces = links = vertices = 0
    for d in range(k + 1):
        for a in range(L.alive[d]):
            i = L.act[d, a]
            if X.host[L.face[L.old[d, i]]] == cell:
                pieces += 1
                links += L.count[d, i] if d > 0 else 0
                vertices += d == 0
    if (
        st[HELD] + pieces > len(O.name)
        or st[LISTED] + links > len(O.facets)
        or st[POINTS] + vertices > len(O.vertex)
        or st[PIECES] + L.alive[k] > len(O.cell)
    ):
        return False
    names = 0
    for d in range(k + 1):
        for a in range(L.alive[d]):
            names = max(names, L.old[d, L.act[d, a]] + 1)
    for o in range(names):
        for d in range(k + 1):
            L.tally[o, d] = 0
    for d in range(k + 1):
        for a in range(L.alive[d]):
            i = L.act[d, a]
            o = L.old[d, i]
            L.rank[d, i] = L.tally[o, d]
            L.tally[o, d] += 1
            g = L.face[o]
            if X.host[g] != cell:
                continue
            name = (g << RANK) | L.rank[d, i]
            if d == 0:
                v = st[POINTS]
                O.vertex[v], O.r[v] = name, L.r[i]
                for j in range(k):
                    O.x[v, j] = L.x[i, j]
                st[POINTS] = v + 1
                if k > 1:
                    continue
            h = st[HELD]
            O.name[h], O.dim[h] = name, d
            O.size[h] = L.count[d, i] if d > 0 else 0
            O.own[h] = L.own[i] if d == k - 1 else 0
            st[HELD] = h + 1
            if d > 0:
                at, f = st[LISTED], L.first[d, i]
                for e in range(f, f + L.count[d, i]):
                    j = L.facets[d, e]
                    O.facets[at] = (L.face[L.old[d - 1, j]] << RANK) | L.rank[d - 1, j]
                    at += 1
                st[LISTED] = at
            if d == k:
                c = st[PIECES]
                O.cell[c], O.parent[c] = name, cell
                for w in range(L.bits.shape[1]):
                    O.bits[c, w] = L.bits[i, w]
                st[PIECES] = c + 1
    for o in range(names):
        if X.host[L.face[o]] == cell:
            for d in range(L.dim[o] + 1):
                tally[d, L.face[o]] = L.tally[o, d]
    st[LEFT] += L.alive[k]
    return True


@njit(cache=True, **OPTIONS)
def refine(
    layer, first, last, reach, begin, end, count_only, net, X, rows, L, O, told, error, domain,
    tally,
):  # fmt: skip
    """Refine the old cells from ``begin`` to ``end`` by the rows ``first`` to ``last`` of a layer.

    Returns DONE; LOCAL or FULL when arrays are too small (``st[NEXT]`` is the cell to go on with);
    DOUBT, for a single cell, when signs are open (``L.doubt``, ``st[ASKED]`` of them). In a range of
    cells the doubtful ones are put on a list, ``O.doubtful``, and left out.
    """
    k, m, st = X.k, last - first, O.st
    for cell in range(begin, end):
        st[NEXT] = cell
        compose(k, layer, first, last, reach, net, rows, X.bits[cell], error)
        if not _load(k, cell, reach, net, X, rows, L, error, domain):
            return LOCAL
        cuts, at, open_ = _candidates(k, m, L, rows), 0, 0
        for c in range(cuts):
            n = L.cut[c]
            open_, at = _signs(k, n, at, L, rows, told)
            if open_ > 0:
                break
            plus = minus = False
            for v in range(L.n[0]):
                plus |= L.sign[v] > 0
                minus |= L.sign[v] < 0
            if plus and minus:
                if not _insert(k, n, first + n, L, rows, told):
                    return LOCAL
            elif plus:
                for a in range(L.alive[k]):
                    L.bits[L.act[k, a], n >> 6] |= np.uint64(1) << np.uint64(n & 63)
        if open_ > 0:
            st[ASKED] = open_
            if end == begin + 1:
                return DOUBT
            if st[FACES] == len(O.doubtful):
                return FULL
            O.doubtful[st[FACES]] = cell
            st[FACES] += 1
            continue
        if not _emit(k, cell, count_only, X, L, O, tally):
            return FULL
        st[CELLS] += 1
    st[NEXT] = end
    return DONE


@njit(cache=True, **OPTIONS)
def lengths(name, dim, size, start, at, ptr):
    """First pass over an output: the number of facets of every new face, at its number."""
    for h in range(len(name)):
        d = dim[h]
        g = at[d] + start[d, name[h] >> RANK] + (name[h] & ((1 << RANK) - 1))
        ptr[g + 1] = size[h]


@njit(cache=True, **OPTIONS)
def links(k, name, dim, size, own, facets, start, at, ptr, idx, owner):
    """Second pass: the facets of every new face, by number."""
    low, e = (1 << RANK) - 1, 0
    for h in range(len(name)):
        d = dim[h]
        i = start[d, name[h] >> RANK] + (name[h] & low)
        if d == k - 1:
            owner[i] = own[h]
        to = ptr[at[d] + i]
        for n in range(size[h]):
            f = facets[e]
            idx[to + n] = at[d - 1] + start[d - 1, f >> RANK] + (f & low)
            e += 1


@njit(cache=True, **OPTIONS)
def hosts(k, at, ptr, idx, host):
    """The first cell that holds each face."""
    for g in range(at[k]):
        host[g] = 2147483647
    for g in range(at[k], at[k + 1]):
        host[g] = g - at[k]
    for d in range(k, 0, -1):
        for g in range(at[d], at[d + 1]):
            for e in range(ptr[g], ptr[g + 1]):
                h = idx[e]
                if host[g] < host[h]:
                    host[h] = host[g]


@njit(cache=True, **OPTIONS)
def join(before, parent, own, first, rows, out):
    """Patterns of new cells: the parent's bits, and behind them the new rows' own."""
    shift = np.uint64(first & 63)
    for c in range(len(parent)):
        for w in range(out.shape[1]):
            out[c, w] = 0
        for w in range(before.shape[1]):
            out[c, w] = before[parent[c], w]
        for w in range(own.shape[1]):
            to = (first >> 6) + w
            out[c, to] |= own[c, w] << shift
            if shift > 0 and to + 1 < out.shape[1]:
                out[c, to + 1] |= own[c, w] >> (np.uint64(64) - shift)
