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

from typing import NamedTuple

import numpy as np

from ..jit import inner, kernel

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

    ``link`` joins faces; ``R`` are differences of arguments, by column, ``pair_of`` the two
    pre-activations, with the errors of coefficients, 1-norms and errors of values; ``inc`` the
    facets that old faces lie on; ``arg`` what is known of the arguments of the unit at hand;
    ``mid`` and ``far`` ranges of all pre-activations on the cell, ``box`` the box around it.
    """

    link: np.ndarray
    R: np.ndarray
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
def load(X, L, cell):
    """The faces of an old cell into the local arrays; False when they do not fit."""
    at, ptr, idx = X.at, X.ptr, X.idx
    host, own, x = X.host, X.own, X.x
    r = X.r
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets, act, V = L.facets, L.act, L.V
    old, where = L.old, L.where
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
                    _inherit(L, d, i, j)
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
def _inherit(L, d, i, j):
    """Old face j of dimension d - 1 lies on all facets of the cell that face i lies on."""
    k, F = L.V.shape[1] - 1, L.F
    for e in range(F[d, i, HELD_BY]):
        n, known = np.int64(F[d - 1, j, HELD_BY]), False
        for f in range(n):
            known |= F[d - 1, j, ROW + f] == F[d, i, ROW + e]
        if not known and n < k - d + 1:
            F[d - 1, j, ROW + n] = F[d, i, ROW + e]
            F[d - 1, j, HELD_BY] = n + 1


@inner()
def _places(L):
    """Number the pieces of each old face; how many pieces, facets and vertices are to write."""
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    act, old = L.act, L.old
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
def emit(L, O, todo, cell):
    """Write down the pieces whose host the cell is; False when the output is full."""
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets, act, V = L.facets, L.act, L.V
    bits, old = L.bits, L.old
    tally = todo.tally
    st = O.st
    pieces, links, vertices, names = _places(L)
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
def links(X, O, start):
    """Second pass: the facets of every new face of the complex X, by number."""
    low, e = (1 << RANK) - 1, 0
    for h in range(O.st[HELD]):
        d = O.dim[h]
        i = start[d, O.name[h] >> RANK] + (O.name[h] & low)
        if d == X.k - 1:
            X.own[i] = O.own[h]
        to = X.ptr[X.at[d] + i]
        for n in range(O.size[h]):
            f = O.facets[e]
            X.idx[to + n] = X.at[d - 1] + start[d - 1, f >> RANK] + (f & low)
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
