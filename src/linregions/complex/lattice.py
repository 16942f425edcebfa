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
comparison of vertices. Max units are cut by `envelope`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import inner, kernel
from .forms import bound

# finished; a sign is open; local arrays or output too small; the trip wire is raised
DONE, DOUBT, LOCAL, FULL, STOPPED = range(5)
NEXT, LEFT, HELD, LISTED, POINTS, PIECES, DOUBTFUL, ASKED = range(8)  # places in st
RANK = 24  # bits of a name that hold the place among the pieces of an old face
UNKNOWN = 2
PLUS, MINUS = 1, 2  # bits of a mask
TINY = 2.0**-52
SHARP = 1e-10  # error of a vertex up to which it may be handed down


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
    """Faces of one old cell and their pieces.

    ``F[d, i]`` is face i of dimension d, sixteen numbers in one line of cache (see the names
    below); its facets are ``facets[d, first : first + count]``. ``N`` counts the faces, those
    alive and the facets listed, per dimension; ``act[d]`` are those alive, in order. ``V`` holds
    the vertices and, last, how far off they may be. ``old`` tells of each old face its number, its
    dimension, whether the cell is its host, and how many pieces of each dimension it has.
    ``facet`` are the rows behind the cell's own facets, with the errors of coefficients and value;
    ``doubt`` lists open signs: row, vertex and, for max units, the two pre-activations compared.
    ``best`` says which argument of a max unit wins on a face, ``column`` where its difference
    with the challenger is.
    """

    N: np.ndarray
    F: np.ndarray
    facets: np.ndarray
    act: np.ndarray
    V: np.ndarray
    bits: np.ndarray
    old: np.ndarray
    facet: np.ndarray
    where: np.ndarray
    M: np.ndarray
    cut: np.ndarray
    low: np.ndarray
    high: np.ndarray
    doubt: np.ndarray
    best: np.ndarray
    column: np.ndarray


class Contest(NamedTuple):
    """What max units need besides `Local`; see `envelope`.

    ``link`` joins faces; ``pairs`` are differences of arguments, by column, ``pair_of`` the two
    pre-activations, with the errors of coefficients, 1-norms and errors of values; ``inc`` the
    facets that old faces lie on; ``arg`` what is known of the arguments of the unit at hand;
    ``mid`` and ``far`` ranges of all pre-activations on the cell, ``box`` the box around it.
    """

    link: np.ndarray
    pairs: np.ndarray
    pair_of: np.ndarray
    slack: np.ndarray
    size: np.ndarray
    error: np.ndarray
    inc: np.ndarray
    arg: np.ndarray
    mid: np.ndarray
    far: np.ndarray
    box: np.ndarray


# columns of F: the old face around it, its facets, its mask, what it was cut into, its place
# among the pieces of the old face, the row behind it; the rows that vanish on it (how many, then
# n for row n of the layer, -1 - j for facet j of the old cell). A vertex: its sign, and the two
# that it lies between with the row that vanishes there (FIRST).
OLD, FIRST, COUNT, MASK, MINUS_, PLUS_, ZERO_, PLACE, OWN, HELD_BY, ROW = range(11)
SIGN, P, Q = 13, 14, 15
MADE, ALIVE, USED = range(3)  # rows of N
FACE, DIM, HOSTED, TALLY = range(4)  # columns of old


# columns of best, for the max unit at hand: the best argument on a face (the first of those that
# tie), how many tie, which do, and the face as it was before: its dimension and place
WHO, TIES, WHICH, HOME, RANKED = range(5)


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


def workspace(k: int, faces: int, tests: int, bits: int, size: int, most: int = 0) -> Local:
    """Arrays for one old cell with at most ``size`` pieces of each dimension.

    ``most``: arguments of the largest max unit, 0 where there are none.
    """
    size += 5  # not a power of two, so that the dimensions do not compete for cache lines
    return Local(
        np.zeros((3, k + 1), np.int64),
        np.zeros((k + 1, size, 16), np.int32),
        np.empty((k + 1, 8 * size), np.int32),
        np.empty((k + 1, size), np.int32),
        np.empty((size, k + 1)),
        np.empty((size, (bits + 63) // 64), np.uint64),
        np.zeros((size, TALLY + k + 1), np.int64),
        np.empty((size, k + 3)),
        np.zeros(faces, np.int32),
        np.zeros((5, k, k + 1)),
        np.empty(max(tests, 1), np.int32),
        np.empty(tests),
        np.empty(tests),
        np.empty((size, 4), np.int32),
        np.empty((k + 1, size if most else 1, 5), np.int64),
        np.empty(most, np.int64),
    )


def contest(k: int, size: int, most: int, forms: int) -> Contest:
    """The same for max units of a layer of so many ``forms``."""
    size += 5
    return Contest(
        np.empty((2, k + 1, size), np.int32), np.empty((k + 1, 16 * size)),
        np.empty((2, 16 * size), np.int64), np.empty(16 * size), np.empty(16 * size),
        np.empty(16 * size), np.empty(size, np.int64), np.empty((3, most), np.int64),
        np.empty(forms), np.empty(forms), np.empty((2, k)),
    )  # fmt: skip


def output(k: int, bits: int, pieces: int) -> Output:
    """An empty output for about ``pieces`` faces."""
    cells = pieces // 2 + 2
    return Output(
        np.zeros(8, np.int64), np.empty(pieces, np.int64), np.empty(pieces, np.int8),
        np.empty(pieces, np.int32), np.empty(pieces, np.int32), np.empty(5 * pieces, np.int64),
        np.empty(cells, np.int64), np.empty((cells, k)), np.empty(cells), np.empty(cells, np.int64),
        np.empty(cells, np.int32), np.empty((cells, (bits + 63) // 64), np.uint64),
        np.empty(1024, np.int32),
    )  # fmt: skip


NOBODY = Answers(
    np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int8),
    np.zeros(0, np.int32), np.zeros((0, 1)), np.zeros(0),
)  # fmt: skip


@inner()
def load(k, cell, at, ptr, idx, host, own, x, r, N, F, facets, act, V, old, where):
    """The faces of an old cell into the local arrays; False when they do not fit."""
    size, long, names = F.shape[1], facets.shape[1], 1
    for d in range(k + 1):
        N[MADE, d] = N[USED, d] = 0
    N[MADE, k], old[0, FACE], old[0, DIM], old[0, HOSTED] = 1, at[k] + cell, k, 1
    F[k, 0, OLD], F[k, 0, HELD_BY] = 0, 0
    for d in range(k, 0, -1):
        used, made = 0, 0
        for i in range(N[MADE, d]):
            g = old[F[d, i, OLD], FACE]
            begin, end = ptr[g], ptr[g + 1]
            F[d, i, FIRST], F[d, i, COUNT] = used, end - begin
            if used + end - begin > long:
                return False
            for e in range(begin, end):
                h = idx[e]
                j = np.int64(where[h])
                if not (j < made and old[F[d - 1, j, OLD], FACE] == h):
                    j = made
                    made += 1
                    if names >= size or made >= size:
                        return False
                    where[h] = j
                    F[d - 1, j, OLD], F[d - 1, j, HELD_BY] = names, 0
                    old[names, FACE], old[names, DIM] = h, d - 1
                    old[names, HOSTED] = host[h] == cell
                    names += 1
                    if d == k:
                        F[d - 1, j, OWN] = own[h - at[k - 1]]
                        F[d - 1, j, HELD_BY], F[d - 1, j, ROW] = 1, -1 - j
                if d < k and d > 1:
                    _inherit(k, d, i, j, F)
                facets[d, used] = j
                used += 1
        N[USED, d], N[MADE, d - 1] = used, made
    for d in range(k + 1):
        N[ALIVE, d] = N[MADE, d]
        for i in range(N[MADE, d]):
            act[d, i] = i
    for v in range(N[MADE, 0]):
        g = old[F[0, v, OLD], FACE]
        F[0, v, P], V[v, k] = -1, r[g]
        for j in range(k):
            V[v, j] = x[g, j]
    N[ALIVE, 0] = N[MADE, 0]
    return True


@inner()
def _inherit(k, d, i, j, F):
    """Old face j of dimension d - 1 lies on all facets of the cell that face i lies on."""
    for e in range(F[d, i, HELD_BY]):
        n, known = np.int64(F[d - 1, j, HELD_BY]), False
        for f in range(n):
            known |= F[d - 1, j, ROW + f] == F[d, i, ROW + e]
        if not known and n < k - d + 1:
            F[d - 1, j, ROW + n] = F[d, i, ROW + e]
            F[d - 1, j, HELD_BY] = n + 1


@inner()
def facet_rows(k, reach, count, wall_a, wall_b, wall_test, place, Z, F, facet, error, domain):
    """The rows behind the facets of the old cell, with the errors of coefficients and value."""
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
def candidates(k, m, count, V, R, size, error, low, high, bits, cut):
    """Rows that may cut the cell, into ``cut``; the signs of the others into its bits."""
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
                value = _value(k, n, v, V, R)
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
def _value(k, n, v, V, R):
    total = R[k, n]
    for j in range(k):
        total += R[j, n] * V[v, j]
    return total


@inner()
def signs(k, n, at, count, V, F, R, size, error, doubt, told_row, told_vertex, told_sign):
    """Signs of row n at all vertices; how many stay open, which occur, and how far was read.

    A point between two others has the sign that both have (or the one that is not zero), so that
    only between opposite signs floats are asked, and where those cannot tell, what was told.
    """
    open_, found = 0, 0
    for v in range(count):
        s = UNKNOWN
        p = np.int64(F[0, v, P])
        if p >= 0:
            a, b = F[0, p, SIGN], F[0, F[0, v, Q], SIGN]
            if a != UNKNOWN and b != UNKNOWN and a * b >= 0:
                s = a if a != 0 else b
        if s == UNKNOWN:
            value, blur = _value(k, n, v, V, R), size[n] * V[v, k] + error[n]
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


@inner()
def _middle(k, n, v, edge, p, q, V, F, facet, M, R, slack, size, error, told: Any):
    """Vertex v where row n vanishes on an edge between p and q, and how far off it may be.

    From p and q: with values known to t_p and t_q the parameter is off by at most max(t_p, t_q)
    over their difference less both. Errors handed down from vertex to vertex grow, so beyond
    ``SHARP`` from the rows that meet there.
    """
    for a in range(len(told.moved)):
        if told.moved[a] == v:
            V[v, k] = told.r[a]
            for j in range(k):
                V[v, j] = told.x[a, j]
            return
    vp, vq = _value(k, n, p, V, R), _value(k, n, q, V, R)
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
        if not _solve(k, n, v, edge, V, F, facet, M[1:], R, slack, error) or V[v, k] > off:
            V[v, k] = off
            for j in range(k):
                V[v, j] = M[0, 0, j]


@inner()
def _solve(k, n, v, edge, V, F, facet, T, R, slack, error):
    """Vertex v where row n meets the rows of an edge, with a bound of its error.

    With an approximate inverse X of the matrix M of the rows and |I - X M| <= theta < 1, a point x
    is at most |X| (residual + errors of the rows) / (1 - theta) from the true one.
    """
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
def _new(d, a, first, count, like, mask, F):
    """Face a of dimension d is new; it lies in the same old face as ``like``, on the same rows."""
    F[d, a, OLD], F[d, a, OWN], F[d, a, HELD_BY] = like[OLD], like[OWN], like[HELD_BY]
    F[d, a, ROW], F[d, a, ROW + 1], F[d, a, ROW + 2] = like[ROW], like[ROW + 1], like[ROW + 2]
    F[d, a, FIRST], F[d, a, COUNT], F[d, a, MASK] = first, count, mask


@inner()
def _edge(i, z, n, N, F, facets):
    """Cut edge i at the new vertex z; the halves' numbers are the next two."""
    at, a, f = N[USED, 1], N[MADE, 1], np.int64(F[1, i, FIRST])
    p, q = np.int64(facets[1, f]), np.int64(facets[1, f + 1])
    F[0, z, OLD], F[0, z, MASK], F[0, z, SIGN] = F[1, i, OLD], 0, 0
    F[0, z, P], F[0, z, Q], F[0, z, FIRST] = p, q, n
    low, high = (p, q) if F[0, p, MASK] == MINUS else (q, p)
    facets[1, at], facets[1, at + 1], facets[1, at + 2], facets[1, at + 3] = low, z, high, z
    _new(1, a, at, 2, F[1, i], MINUS, F)
    _new(1, a + 1, at + 2, 2, F[1, i], PLUS, F)
    N[USED, 1] = at + 4
    return p, q


@inner()
def _face(d, i, z, n, minus, plus, N, F, facets):
    """Cut face i of dimension d > 1 by row n; z is the face between the halves.

    ``minus`` and ``plus`` of its facets lie (in part) on that side.
    """
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
    _new(d, a, at, minus + 1, F[d, i], MINUS, F)
    _new(d, a + 1, at + minus + 1, plus + 1, F[d, i], PLUS, F)
    _new(d - 1, z, N[USED, d - 1], between - N[USED, d - 1], F[d, i], 0, F)
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
def best_of(d, i, j, mask, best):
    """Face i once argument j has come: it wins, ties or loses on all of the face."""
    if mask == PLUS:
        best[d, i, WHO], best[d, i, TIES], best[d, i, WHICH] = j, 1, code(j)
    elif mask == 0:
        best[d, i, TIES] += 1
        best[d, i, WHICH] ^= code(j)


@inner()
def _handed_down(d, i, half, z, j, best):
    """The same for the halves of a face that j cuts, and for the face between them."""
    for e in range(5):
        best[d, half, e] = best[d, half + 1, e] = best[d - 1, z, e] = best[d, i, e]
    best_of(d, half + 1, j, PLUS, best)
    best_of(d - 1, z, j, 0, best)


@inner()
def insert(
    k, n, wall, j, many, N, F, facets, act, V, bits, facet, M, R, slack, size, error, best, column,
    told: Any,
):  # fmt: skip
    """Cut everything by row n, whose signs at the vertices are known; False when out of room.

    For argument j of ``many`` of a max unit (else -1) the row is a difference with the best
    argument so far, another one in each face: ``column[i]`` is that with argument i.
    """
    room, long = F.shape[1], facets.shape[1]
    if j >= 0:
        for a in range(N[ALIVE, 0]):
            best_of(0, np.int64(act[0, a]), j, F[0, act[0, a], MASK], best)
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
                    best_of(d, i, j, m, best)
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
                p, q = _edge(i, z, c, N, F, facets)
                _middle(k, c, z, i, p, q, V, F, facet, M, R, slack, size, error, told)
            else:
                _face(d, i, z, c, minus, plus, N, F, facets)
            if j >= 0:
                _handed_down(d, i, half, z, j, best)
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


@inner()
def _places(k, N, F, act, old):
    """Number the pieces of each old face; how many pieces, facets and vertices are to write."""
    pieces = links = vertices = names = 0
    for d in range(k + 1):
        for a in range(N[MADE, d]):
            if F[d, a, OLD] < names:
                continue
            for o in range(names, F[d, a, OLD] + 1):
                for e in range(k + 1):
                    old[o, TALLY + e] = 0
            names = F[d, a, OLD] + 1
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            o = np.int64(F[d, i, OLD])
            F[d, i, PLACE] = old[o, TALLY + d]
            old[o, TALLY + d] += 1
            if old[o, HOSTED]:
                pieces += 1
                links += F[d, i, COUNT] if d > 0 else 0
                vertices += d == 0
    return pieces, links, vertices, names


@inner()
def emit(k, cell, N, F, facets, act, V, bits, old, O: Any, tally):
    """Write down the pieces whose host the cell is; False when the output is full."""
    st = O.st
    pieces, links, vertices, names = _places(k, N, F, act, old)
    if (
        st[HELD] + pieces > len(O.name)
        or st[LISTED] + links > len(O.facets)
        or st[POINTS] + vertices > len(O.vertex)
        or st[PIECES] + N[ALIVE, k] > len(O.cell)
    ):
        return False
    h, at, v, c = st[HELD], st[LISTED], st[POINTS], st[PIECES]
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            o = np.int64(F[d, i, OLD])
            if not old[o, HOSTED]:
                continue
            name = (old[o, FACE] << RANK) | F[d, i, PLACE]
            if d == 0:
                O.vertex[v], O.r[v] = name, V[i, k]
                for j in range(k):
                    O.x[v, j] = V[i, j]
                v += 1
                if k > 1:
                    continue
            O.name[h], O.dim[h], O.size[h] = name, d, F[d, i, COUNT] if d > 0 else 0
            O.own[h] = F[d, i, OWN]
            h += 1
            if d > 0:
                f = np.int64(F[d, i, FIRST])
                for e in range(f, f + F[d, i, COUNT]):
                    j = np.int64(facets[d, e])
                    O.facets[at] = (old[F[d - 1, j, OLD], FACE] << RANK) | F[d - 1, j, PLACE]
                    at += 1
            if d == k:
                O.cell[c], O.parent[c] = name, cell
                for w in range(bits.shape[1]):
                    O.bits[c, w] = bits[i, w]
                c += 1
    st[HELD], st[LISTED], st[POINTS], st[PIECES] = h, at, v, c
    for o in range(names):
        if old[o, HOSTED]:
            for d in range(old[o, DIM] + 1):
                tally[d, old[o, FACE]] = old[o, TALLY + d]
    return True


@kernel("lists of faces")
def lengths(name, dim, size, start, at, ptr):
    """First pass over an output: the number of facets of every new face, at its number."""
    for h in range(len(name)):
        d = dim[h]
        g = at[d] + start[d, name[h] >> RANK] + (name[h] & ((1 << RANK) - 1))
        ptr[g + 1] = size[h]


@kernel("lists of faces")
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


@kernel("lists of faces")
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
