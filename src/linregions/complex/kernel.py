"""The kernels: old cells one by one, each refined by the tests of a layer and written down."""

from __future__ import annotations

import numpy as np

from ..held import held
from ..jit import inner, kernel, raised
from .cutting import insert
from .lattice import (
    ALIVE,
    ASKED,
    DONE,
    DOUBT,
    DOUBTFUL,
    FULL,
    LEFT,
    LOCAL,
    MADE,
    MINUS,
    NEXT,
    PLUS,
    STOPPED,
    emit,
    load,
)
from .max_units import BROKEN, MORE, envelope
from .rows import compose
from .signs import candidates, facet_rows, signs


@kernel("the cell complex")
def refine(net, X, rows, L, O, told, todo):
    """Refine old cells by tests of a layer: a `Task`.

    Returns DONE; LOCAL or FULL when arrays are too small (``st[NEXT]`` is the cell to go on
    with), STOPPED where the trip wire ``rows.trip`` is raised (likewise); DOUBT, for a single
    cell, when signs are open (``L.doubt``, ``st[ASKED]`` of them). In a range of cells the
    doubtful ones are put on a list, ``O.doubtful``, and left out.
    """
    net, X, rows = held(net), held(X), held(rows)
    L, O, told, todo = held(L), held(O), held(told), held(todo)
    for cell in range(todo.begin, todo.end):
        O.st[NEXT] = cell
        if not compose(net, rows, todo, X.bits[cell]):
            return STOPPED
        if not load(X, L, cell):
            return LOCAL
        open_ = _cut(net, rows, L, told, todo)
        if open_ == BROKEN:
            return STOPPED
        if open_ == MORE:
            return LOCAL
        status = _finish(L, O, todo, cell, open_)
        if status != DONE:
            return status
    O.st[NEXT] = todo.end
    return DONE


@inner()
def _cut(net, rows, L, told, todo):
    """Cut the old cell by all tests: how many signs are open, MORE or BROKEN."""
    k, m = net.k, todo.last - todo.first
    cuts = candidates(L, rows, m, L.N[MADE, 0])
    if cuts > 0:
        facet_rows(net, rows, L, todo, L.N[MADE, k - 1])
    open_ = at = np.int64(0)  # of one type from the first: literals would compile twice
    for c in range(cuts):
        if raised(rows.trip, 0):
            return np.int64(BROKEN)
        n = np.int64(L.cut[c])
        open_, found, at = signs(L, rows, told, n, at, L.N[MADE, 0])
        if open_ > 0:
            break
        if found == PLUS | MINUS:
            wall = net.wall_of[todo.first + n]
            if not insert(L, rows, told, n, wall, np.int64(-1), np.int64(2)):
                return np.int64(MORE)
        elif found == PLUS:
            for a in range(L.N[ALIVE, k]):
                L.bits[L.act[k, a], n >> 6] |= np.uint64(1) << np.uint64(n & 63)
    return open_


@kernel("the cell complex of max units")
def refine_largest(net, X, rows, L, O, told, todo, C):
    """`refine` by max units: compiled only where needed."""
    net, X, rows, C = held(net), held(X), held(rows), held(C)
    L, O, told, todo = held(L), held(O), held(told), held(todo)
    for cell in range(todo.begin, todo.end):
        O.st[NEXT] = cell
        if not compose(net, rows, todo, X.bits[cell]):
            return STOPPED
        if not load(X, L, cell):
            return LOCAL
        facet_rows(net, rows, L, todo, L.N[MADE, net.k - 1])
        for w in range(L.bits.shape[1]):
            L.bits[0, w] = 0
        open_ = envelope(net, rows, L, C, told, todo)
        if open_ == BROKEN:
            return STOPPED
        if open_ == MORE:
            return LOCAL
        status = _finish(L, O, todo, cell, open_)
        if status != DONE:
            return status
    O.st[NEXT] = todo.end
    return DONE


@inner()
def _finish(L, O, todo, cell, open_):
    """Write a refined cell down, or put it aside where signs are open."""
    k, N = L.V.shape[1] - 1, L.N
    count_only = todo.count_only
    st = O.st
    if open_ > 0:
        st[ASKED] = open_
        if todo.end == todo.begin + 1:
            return DOUBT
        if st[DOUBTFUL] == len(O.doubtful):
            return FULL
        O.doubtful[st[DOUBTFUL]] = cell
        st[DOUBTFUL] += 1
        return DONE
    if not count_only and not emit(L, O, todo, cell):
        return FULL
    st[LEFT] += N[ALIVE, k]
    return DONE
