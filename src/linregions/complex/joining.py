"""Pieces of faces that max units have cut, put together again; see `envelope`."""

from __future__ import annotations

import numpy as np

from ..jit import inner
from .cutting import pair_wall
from .lattice import (
    ALIVE,
    COUNT,
    FIRST,
    HOME,
    MINUS_,
    OWN,
    PLUS_,
    RANKED,
    TIES,
    USED,
    WHICH,
    WHO,
)


@inner()
def _root(group, d, i):
    while group[d, i] != i:
        group[d, i] = group[d, group[d, i]]
        i = np.int64(group[d, i])
    return i


@inner()
def _same(L, d, i, h):
    """Whether facet h of face i lies in the same face of the result."""
    best = L.best
    return (
        best[d, i, TIES] == best[d - 1, h, TIES]
        and best[d, i, HOME] == best[d - 1, h, HOME]
        and best[d, i, RANKED] == best[d - 1, h, RANKED]
    )


@inner()
def join(L, C):
    """Put faces together again; False when out of room."""
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets, act = L.facets, L.act
    into, group = C.link[0], C.link[1]
    merged = False
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            into[d, i], group[d, i] = -1, i
    for d in range(k, 0, -1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            first = np.int64(F[d, i, FIRST])
            for e in range(first, first + F[d, i, COUNT]):
                h = np.int64(facets[d, e])
                if _same(L, d, i, h):
                    merged = True
                    if into[d - 1, h] < 0:
                        into[d - 1, h] = i
                    else:
                        group[d, _root(group, d, i)] = _root(group, d, np.int64(into[d - 1, h]))
    if not merged:
        return True
    for d in range(1, k + 1):
        total = N[USED, d]
        for a in range(N[ALIVE, d]):
            total += F[d, act[d, a], COUNT]
        if total > facets.shape[1]:
            return False
        _relist(L, C, d)
    for d in range(k + 1):
        kept = 0
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            if into[d, i] < 0 and group[d, i] == i:
                act[d, kept] = i
                kept += 1
        N[ALIVE, d] = kept
    return True


@inner()
def _relist(L, C, d):
    """The facets of the faces of dimension d that remain: those of all that went into them."""
    N, F, facets = L.N, L.F, L.facets
    act = L.act
    into, group = C.link[0], C.link[1]
    for a in range(N[ALIVE, d]):  # members of a group, as a list through MINUS_ from its root
        i = np.int64(act[d, a])
        F[d, i, MINUS_], F[d, i, PLUS_] = -1, i
    for a in range(N[ALIVE, d]):
        i = np.int64(act[d, a])
        r = _root(group, d, i)
        group[d, i] = r
        if into[d, i] < 0 and r != i:
            F[d, F[d, r, PLUS_], MINUS_] = i
            F[d, r, PLUS_] = i
    for a in range(N[ALIVE, d]):
        r = np.int64(act[d, a])
        if into[d, r] >= 0 or group[d, r] != r:
            continue
        at = N[USED, d]
        end, i = at, r
        while i >= 0:
            first = np.int64(F[d, i, FIRST])
            for e in range(first, first + F[d, i, COUNT]):
                h = np.int64(facets[d, e])
                if into[d - 1, h] >= 0:
                    continue
                h = _root(group, d - 1, h)
                known = False
                for f in range(at, end):
                    known |= facets[d, f] == h
                if not known:
                    facets[d, end] = h
                    end += 1
            i = np.int64(F[d, i, MINUS_])
        F[d, r, FIRST], F[d, r, COUNT] = at, end - at
        N[USED, d] = end


@inner()
def order(L):
    """Pieces in an order of their own: by the face that they lay in, then by what ties there."""
    k, N, act = L.V.shape[1] - 1, L.N, L.act
    for d in range(k + 1):
        for a in range(1, N[ALIVE, d]):
            i, b = act[d, a], a
            while b > 0 and _before(L, d, i, act[d, b - 1]):
                act[d, b] = act[d, b - 1]
                b -= 1
            act[d, b] = i


@inner()
def _before(L, d, i, j):
    best = L.best
    for column in (HOME, RANKED, WHICH):
        if best[d, i, column] != best[d, j, column]:
            return best[d, i, column] < best[d, j, column]
    return False


@inner()
def name_walls(L, first, end, many):
    """Walls of the unit are those between the winners on both sides."""
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets, act, best = L.facets, L.act, L.best
    for a in range(N[ALIVE, k - 1]):
        h = np.int64(act[k - 1, a])
        if first <= F[k - 1, h, OWN] < end and best[k - 1, h, HOME] == k:
            best[k - 1, h, WHO] = -1
    for a in range(N[ALIVE, k]):
        i = np.int64(act[k, a])
        begin, mine = np.int64(F[k, i, FIRST]), best[k, i, WHO]
        for e in range(begin, begin + F[k, i, COUNT]):
            h = np.int64(facets[k, e])
            if first <= F[k - 1, h, OWN] < end and best[k - 1, h, HOME] == k:
                other = best[k - 1, h, WHO]
                if other >= 0:
                    low, high = min(mine, other), max(mine, other)
                    F[k - 1, h, OWN] = pair_wall(first, low, high, many)
                best[k - 1, h, WHO] = mine
