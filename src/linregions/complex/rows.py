"""Rows of a layer on a cell, with bounds of their errors."""

from __future__ import annotations

import numpy as np

from ..jit import held, inner, kernel, raised
from ..roundoff import ROUNDOFF
from .forms import (
    SOME,
    refresh,
    reset,
    values,
)
from .program import HI, LO, PRE, SPARSE, TEST, VALUE, WIDE


@inner()
def compose(net, rows, todo, bits):
    """Rows ``first`` to ``last`` of a layer on the cell with these bits, with their errors.

    ``bits[w]`` holds the bits numbered ``slots[64 w]``, ...; ``reach`` bounds the coordinates of
    all points; ``error`` is what `bounds` gave. For max units the forms are all there is.
    False where the trip wire was raised: then all is composed anew the next time.
    """
    layer, first, last = todo.layer, todo.first, todo.last
    slots = todo.slots
    flips = 0
    for word in range(len(bits)):
        change = bits[word] ^ rows.bits[word]
        if change != 0:
            for s in range(64 * word, min(64 * word + 64, len(slots))):
                if (change >> np.uint64(s & 63)) & np.uint64(1):
                    c = slots[s]
                    rows.sign[c] = 1 - rows.sign[c]
                    if flips == 0 or rows.flips[flips - 1] != net.bit_value[c]:
                        rows.flips[flips] = net.bit_value[c]
                        flips += 1
            rows.bits[word] = bits[word]
    n = 0
    for j in range(layer + 1):
        refresh(net, rows, j)
        if raised(rows.trip, 0):
            _forget(rows)
            return False
        if j < layer:
            n = values(net, rows, j, n, flips)
    for v in range(net.table[layer, VALUE]):
        rows.dirty[v], rows.delta[v] = False, 0
    for j in range(layer + 1):
        if rows.moved[j] == SOME:
            for a in range(net.table[j, PRE], net.table[j, PRE] + rows.found[j]):
                rows.mark[rows.touched[a]] = False
    if first == last or net.table[layer, WIDE] > 0:
        return True
    sparse = net.table[layer, SPARSE] == 1
    lo, hi = net.table[layer, LO], net.table[layer, HI]
    empty = not sparse
    for v in range(lo, hi if empty else lo):
        empty &= rows.zero[v]
    if empty:  # the rows are the biases, as they are
        reset(net, rows, net.table[layer, PRE], net.table[layer + 1, PRE])
        rows.updates[layer] = 0
    if net.plain[layer] and not empty:
        _plain(net, rows, todo)
        if sparse:
            _bare(net, rows, todo)
        return True
    for n in range(last - first):
        alone = empty or (sparse and rows.live[net.row_unit[first + n]] == 0)
        out = rows.R[:, n]
        rows.size[n], rows.slack[n], rows.error[n] = row_at(net, rows, todo, first + n, alone, out)
    return True


@inner()
def _forget(rows):
    """Nothing but the pattern is known any more."""
    for j in range(len(rows.updates)):
        rows.updates[j] = -1
    for i in range(len(rows.mark)):
        rows.mark[i] = False


@inner()
def _bare(net, rows, todo):
    """Errors of the rows of a sparse layer that read only zeros: their bias' own."""
    layer, first, last = todo.layer, todo.first, todo.last
    i = net.table[layer, PRE] + first - net.table[layer, TEST]
    for n in range(last - first):
        if rows.live[i + n] == 0:
            lost = net.bias_error[i + n]
            rows.size[n], rows.slack[n], rows.error[n] = 0.0, 0.0, 1.02 * lost


@inner()
def _plain(net, rows, todo):
    """`row_at` for a layer whose units have one breakpoint each, at zero: plain loops."""
    k = net.k
    layer, first, last = todo.layer, todo.first, todo.last
    reach, error = todo.reach, todo.error
    i, m = net.table[layer, PRE] + first - net.table[layer, TEST], last - first
    size, slack, blur = rows.size[:m], rows.slack[:m], rows.error[:m]
    ew, ec = error[0, i : i + m], error[1, i : i + m]
    R, Z = rows.R[k, :m], rows.Z[k, i : i + m]
    for n in range(m):
        R[n], size[n], slack[n] = Z[n], 0.0, ew[n]
    for j in range(k):
        R, Z = rows.R[j, :m], rows.Z[j, i : i + m]
        for n in range(m):
            R[n] = Z[n]
            size[n] += abs(Z[n])
    R = rows.R[k, :m]
    for n in range(m):
        total = size[n]
        blur[n] = bound(k, ew[n], ec[n], reach, total, abs(R[n]))
        size[n] = 1.01 * (total + k * ew[n])


@inner()
def row_at(net, rows, todo, c, empty, out):
    """Row c of the network on the current cell into ``out``; its size, slack and error."""
    k = net.k
    reach, error = todo.reach, todo.error
    i, place = net.row_unit[c], net.place[0, c]
    total = 0.0
    for j in range(k):
        a = rows.Z[j, i]
        out[j] = a
        total += abs(a)
    out[k] = rows.Z[k, i] - place
    ew, ec = error[0, i], error[1, i]
    if empty:
        ew, ec = 0.0, net.bias_error[i]
    ec += net.place[1, c]
    if total == 0.0 and ew == 0.0 and ec == 0.0 and place == 0.0:  # exactly constant
        return 0.0, 0.0, 0.0
    return 1.01 * (total + k * ew), ew, bound(k, ew, ec, reach, total, abs(out[k]) + abs(place))


@inner()
def bound(k, ew, ec, reach, total, constant):
    """What a row evaluated at a point may be off by, apart from the point's own error."""
    return 1.02 * (k * ew * reach + ec + (k + 4) * ROUNDOFF * (total * reach + constant))


@kernel("affine maps of cells")
def forms_at(net, rows, todo, words, out):
    """Forms of all pre-activations of a layer (or of the output) on cells of the `Task`.

    Returns the cell to go on with: ``todo.end`` but where the trip wire was raised.
    """
    net, rows, todo = held(net), held(rows), held(todo)
    first = net.table[todo.layer, PRE]
    for cell in range(todo.begin, todo.end):
        if not compose(net, rows, todo, words[cell]):
            return cell
        for i in range(first, net.table[todo.layer + 1, PRE]):
            for c in range(net.k + 1):
                out[cell - todo.begin, i - first, c] = rows.Z[c, i]
    return todo.end
