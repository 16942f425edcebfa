"""The kernels: old cells one by one, each refined by the tests of a layer and written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inner, kernel, raised
from .forms import compose
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
    candidates,
    emit,
    facet_rows,
    insert,
    load,
    signs,
)  # fmt: skip
from .max_units import BROKEN, MORE, envelope


@kernel("the cell complex")
def refine(
    layer, first, last, reach, begin, end, count_only, net, X, rows, L, O, told, error, domain,
    tally, slots,
):  # fmt: skip
    """Refine the old cells from ``begin`` to ``end`` by the rows ``first`` to ``last`` of a layer.

    ``slots``: which bits of a pattern the bits of the cells are.

    Returns DONE; LOCAL or FULL when arrays are too small (``st[NEXT]`` is the cell to go on
    with), STOPPED where the trip wire ``rows.trip`` is raised (likewise); DOUBT, for a single
    cell, when signs are open (``L.doubt``, ``st[ASKED]`` of them). In a range of cells the
    doubtful ones are put on a list, ``O.doubtful``, and left out.
    """
    k, m, st = X.k, last - first, O.st
    N, F, facets, act, V, bits, old, facet = (
        L.N, L.F, L.facets, L.act, L.V, L.bits, L.old, L.facet,
    )  # fmt: skip
    R, slack, size, blur = rows.R, rows.slack, rows.size, rows.error
    for cell in range(begin, end):
        st[NEXT] = cell
        if not compose(k, layer, first, last, reach, net, rows, X.bits[cell], slots, error):
            return STOPPED
        if not load(
            k, cell, X.at, X.ptr, X.idx, X.host, X.own, X.x, X.r, N, F, facets, act, V, old, L.where
        ):
            return LOCAL
        cuts = candidates(k, m, N[MADE, 0], V, R, size, blur, L.low, L.high, bits, L.cut)
        if cuts > 0:
            facet_rows(
                k, reach, N[MADE, k - 1], net.wall_a, net.wall_b, net.wall_test, net.place,
                rows.Z, F, facet, error, domain,
            )  # fmt: skip
        open_ = at = np.int64(0)  # of one type from the first: literals would compile twice
        for c in range(cuts):
            if raised(rows.trip, 0):
                return STOPPED
            n = np.int64(L.cut[c])
            open_, found, at = signs(
                k, n, at, N[MADE, 0], V, F, R, size, blur, L.doubt, told.row, told.vertex, told.sign
            )
            if open_ > 0:
                break
            if found == PLUS | MINUS:
                if not insert(
                    k, n, net.wall_of[first + n], np.int64(-1), np.int64(2), N, F, facets, act, V,
                    bits, facet, L.M, R, slack, size, blur, L.best, L.column, told,
                ):  # fmt: skip
                    return LOCAL
            elif found == PLUS:
                for a in range(N[ALIVE, k]):
                    bits[act[k, a], n >> 6] |= np.uint64(1) << np.uint64(n & 63)
        status = _finish(k, cell, end == begin + 1, count_only, open_, N, F, facets, act, V, bits,
                         old, O, tally)  # fmt: skip
        if status != DONE:
            return status
    st[NEXT] = end
    return DONE


@kernel("the cell complex of max units")
def refine_largest(
    layer, first, last, reach, begin, end, count_only, net, X, rows, L, O, told, error, domain,
    tally, slots, C,
):  # fmt: skip
    """`refine` by the max units ``first`` to ``last`` of a layer: compiled only where needed."""
    k, st = X.k, O.st
    N, F, facets, act, V, bits, old, facet = (
        L.N, L.F, L.facets, L.act, L.V, L.bits, L.old, L.facet,
    )  # fmt: skip
    for cell in range(begin, end):
        st[NEXT] = cell
        if not compose(k, layer, first, last, reach, net, rows, X.bits[cell], slots, error):
            return STOPPED
        if not load(
            k, cell, X.at, X.ptr, X.idx, X.host, X.own, X.x, X.r, N, F, facets, act, V, old, L.where
        ):
            return LOCAL
        facet_rows(
            k, reach, N[MADE, k - 1], net.wall_a, net.wall_b, net.wall_test, net.place,
            rows.Z, F, facet, error, domain,
        )  # fmt: skip
        for w in range(bits.shape[1]):
            bits[0, w] = 0
        open_ = envelope(
            k, layer, first, last, reach, net, N, F, facets, act, V, bits, old, facet, L.M,
            rows.Z, rows.zero, rows.live, error, L.best, C.link, C.pairs, C.pair_of, C.slack,
            C.size, C.error, C.inc, C.arg, L.doubt, L.column, C.mid, C.far, C.box, told,
            rows.trip,
        )  # fmt: skip
        if open_ == BROKEN:
            return STOPPED
        if open_ == MORE:
            return LOCAL
        status = _finish(k, cell, end == begin + 1, count_only, open_, N, F, facets, act, V, bits,
                         old, O, tally)  # fmt: skip
        if status != DONE:
            return status
    st[NEXT] = end
    return DONE


@inner()
def _finish(
    k, cell, alone, count_only, open_, N, F, facets, act, V, bits, old, O: Any, tally
):  # fmt: skip
    """Write a refined cell down, or put it aside where signs are open."""
    st = O.st
    if open_ > 0:
        st[ASKED] = open_
        if alone:
            return DOUBT
        if st[DOUBTFUL] == len(O.doubtful):
            return FULL
        O.doubtful[st[DOUBTFUL]] = cell
        st[DOUBTFUL] += 1
        return DONE
    if not count_only and not emit(k, cell, N, F, facets, act, V, bits, old, O, tally):
        return FULL
    st[LEFT] += N[ALIVE, k]
    return DONE
