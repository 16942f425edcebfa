"""Rows of a layer on one cell after the other, each from the last by what has flipped.

On a cell every unit of a layer is one affine function, its *row*: k coefficients and a constant.
Cells come in an order in which neighbours in the list differ in few units, so the rows of a cell
are those of the cell before plus ``W[:, u] (h_new - h_old)`` for every value u that changed: a
rank-one update instead of a matrix product. Only where most values changed is the product taken.
Of a sparse layer only the rows that read a changed value are touched, and a row touched too
often is computed afresh by itself.

No error is carried along. Rounding is bounded once per layer, for all patterns together, by norms
(`bounds`). What is known without rounding is kept apart: values that are zero on the cell
because their unit is on a flat piece at zero, and pre-activations that read nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import LONG, inner, raised
from .program import AT, BIT, HI, LO, PRE, SPARSE, TEST, VALUE, WIDE, Layers

UPDATES = 128  # values that may be updated before a small dense layer is computed afresh
TOUCHES = 128  # updates of one row of a sparse layer
STILL, ALL, SOME = range(3)  # forms of a layer that have moved


class Task(NamedTuple):
    """What kernels have to do: tests ``first`` to ``last`` of a layer, on cells begin to end.

    ``slots``: which bits of a pattern the bits of the cells are; ``reach`` bounds the coordinates
    of all points, ``error`` is what `bounds` gave, ``domain`` the rows of the domain; ``tally``
    counts the pieces of every old face.
    """

    layer: int
    first: int
    last: int
    begin: int
    end: int
    count_only: bool
    reach: float
    error: np.ndarray
    slots: np.ndarray
    domain: np.ndarray
    tally: np.ndarray


class Rows(NamedTuple):
    """Where the composition stands (one per thread), and the rows of the current cell.

    ``Z`` (k + 1, pre-activations) forms of the pre-activations, ``H`` (2, k + 1, values)
    those of the values and what changed last, ``zero`` and ``delta`` which values are exactly
    zero and how that changed, ``pick`` a list of values, ``flips`` of values whose piece
    changed, ``touched`` of pre-activations that moved (``mark`` says which), ``live`` how many
    non-zero values each one reads in sparse layers, ``count`` its updates; ``bits`` and ``sign``
    the pattern; ``R`` (k + 1, tests) rows of the layer at hand, ``slack`` the error of their
    coefficients, ``size`` their 1-norms and ``error`` what evaluating them at a point may be off
    by, apart from the point's own error. ``trip`` is the trip wire, one for all threads.
    """

    Z: np.ndarray
    H: np.ndarray
    dirty: np.ndarray
    zero: np.ndarray
    delta: np.ndarray
    pick: np.ndarray
    flips: np.ndarray
    moved: np.ndarray
    touched: np.ndarray
    found: np.ndarray
    mark: np.ndarray
    live: np.ndarray
    count: np.ndarray
    updates: np.ndarray
    bits: np.ndarray
    sign: np.ndarray
    R: np.ndarray
    slack: np.ndarray
    size: np.ndarray
    error: np.ndarray
    trip: np.ndarray


def rows_of(net: Layers, words: int, base: np.ndarray, trip: np.ndarray | None = None) -> Rows:
    """A composition that has not begun.

    Patterns come in ``words`` words; ``base`` (bits,) are the bits that no cell has otherwise.
    """
    k, n = net.k, len(net.table) - 1
    units, values = int(net.table[-1, PRE]), int(net.table[-1, VALUE])
    widest = int(np.max(np.diff(net.table[:, TEST]), initial=1))
    H = np.zeros((2, k + 1, values + 1))  # the last column stays zero
    H[0, :k, :k] = np.eye(k)
    return Rows(
        np.zeros((k + 1, units)),
        H,
        np.zeros(values, np.bool_),
        np.zeros(values, np.bool_),
        np.zeros(values, np.int8),
        np.zeros(values + 4, np.int64),
        np.zeros(len(net.bit_value) + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(units + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(units + 1, np.bool_),
        np.zeros(units + 1, np.int32),
        np.zeros(units + 1, np.int32),
        np.full(n + 1, -1, np.int64),
        np.zeros(words, np.uint64),
        base.astype(np.int8),
        np.zeros((k + 1, widest)),
        np.zeros(widest),
        np.zeros(widest),
        np.zeros(widest),
        np.zeros(1, np.int64) if trip is None else trip,
    )


@inner(fastmath=LONG)
def _add(net, rows, layer, changed, which):
    """``Z += W[:, v] H[:, v]`` for the first ``changed`` values v in ``pick``, four at a time.

    The last four are filled up by a value that is zero: the last column of H.
    """
    Z, H, pick = rows.Z, rows.H[which], rows.pick
    first, end = net.table[layer, PRE], net.table[layer + 1, PRE]
    m, last = end - first, net.table[layer, HI] - 1
    at = net.table[layer, AT] - net.table[layer, LO] * m
    for a in range(changed, changed + 3):
        pick[a] = H.shape[1] - 1
    for a in range(0, changed, 4):
        if raised(rows.trip, 0):
            return
        p, q = pick[a], pick[a + 1]
        r, s = pick[a + 2], pick[a + 3]
        wp, wq = net.W[at + p * m :], net.W[at + min(q, last) * m :]
        wr, ws = net.W[at + min(r, last) * m :], net.W[at + min(s, last) * m :]
        for c in range(net.k + 1):
            z, h = Z[c, first:end], H[c]
            hp, hq = h[p], h[q]
            hr, hs = h[r], h[s]
            for i in range(m):
                z[i] += hp * wp[i] + hq * wq[i] + hr * wr[i] + hs * ws[i]


@inner()
def _active(rows, lo, hi):
    """List the values from lo to hi that are not zero on the cell; how many there are."""
    k, H, pick = len(rows.Z) - 1, rows.H[0], rows.pick
    found = 0
    for v in range(lo, hi):
        used = False
        for c in range(k + 1):
            used |= H[c, v] != 0.0
        pick[found] = v
        found += int(used)
    return found


@inner()
def refresh(net, rows, layer):
    """Bring the forms of a layer up to date; marks which moved."""
    first, end = net.table[layer, PRE], net.table[layer + 1, PRE]
    lo, hi, at = net.table[layer, LO], net.table[layer, HI], net.table[layer, AT]
    pick, dirty, changed, which = rows.pick, rows.dirty, np.int64(0), 0
    for v in range(lo, hi):
        pick[changed] = v
        changed += int(dirty[v])
    rows.moved[layer] = ALL
    if net.table[layer, SPARSE]:
        if rows.updates[layer] < 0 or 3 * changed > hi - lo:
            rows.updates[layer] = 0
            for i in range(first, end):
                if raised(rows.trip, 0):
                    return
                _afresh(net, rows, i, lo)  # fmt: skip
        else:
            found = _touch(net, rows, first, lo, at, changed)  # fmt: skip
            rows.found[layer] = found
            rows.moved[layer] = SOME if found > 0 else STILL
            for a in range(first, first + found):
                i = rows.touched[a]
                if rows.count[i] > TOUCHES or rows.live[i] == 0:
                    _afresh(net, rows, i, lo)  # fmt: skip
    else:
        start = rows.updates[layer] < 0
        room = max(UPDATES, (hi - lo) // 2)
        if start or 3 * changed > hi - lo or changed + rows.updates[layer] > room:
            changed = _active(rows, lo, hi)
            reset(net, rows, first, end)
            rows.updates[layer] = 0
        elif changed > 0:
            which = 1
            rows.updates[layer] += changed
        else:
            rows.moved[layer] = STILL
        _add(net, rows, layer, changed, which)


@inner()
def _afresh(net, rows, i, lo):
    """The form of pre-activation i of a sparse layer from the forms of what it reads."""
    k, rptr, ridx = net.k, net.rptr, net.ridx
    rval, bias = net.rval, net.bias
    Z, H, zero = rows.Z, rows.H[0], rows.zero
    live, count = rows.live, rows.count
    used = 0
    for c in range(k + 1):
        Z[c, i] = bias[i] if c == k else 0.0
    for e in range(rptr[i], rptr[i + 1]):
        v, w = lo + ridx[e], rval[e]
        if not zero[v]:
            used += 1
            for c in range(k + 1):
                Z[c, i] += w * H[c, v]
    live[i], count[i] = used, 0


@inner()
def _touch(net, rows, first, lo, at, changed):
    """Add what has changed to the forms that read it; lists those, and says how many."""
    k, cptr, cidx = net.k, net.cptr, net.cidx
    cval = net.cval
    Z, D, pick = rows.Z, rows.H[1], rows.pick
    delta, live, count = rows.delta, rows.live, rows.count
    mark, touched, trip = rows.mark, rows.touched, rows.trip
    found = 0
    for a in range(changed):
        if raised(trip, 0):
            break
        v = pick[a]
        for e in range(cptr[at + v - lo], cptr[at + v - lo + 1]):
            i, w = first + cidx[e], cval[e]
            for c in range(k + 1):
                Z[c, i] += w * D[c, v]
            live[i] += delta[v]
            count[i] += 1
            if not mark[i]:
                mark[i] = True
                touched[first + found] = i
                found += 1
    return found


@inner()
def reset(net, rows, first, end):
    """The forms of units ``first`` to ``end`` where no value is read: the biases."""
    k, bias = net.k, net.bias
    Z = rows.Z
    for i in range(first, end):
        for c in range(k):
            Z[c, i] = 0.0
        Z[k, i] = bias[i]


@inner()
def _piece(net, rows, i, base, start, end, shift, plain):
    """Place of the piece that unit i is on; its layer has tests ``start`` to ``end``."""
    first_piece, first_row, row_unit = net.first_piece, net.first_row, net.row_unit
    sign = rows.sign
    if plain:
        return first_piece[i] + sign[start + i - base + shift]
    row, piece = first_row[i], first_piece[i]
    while row < end and row_unit[row] == i:
        piece += sign[row + shift]
        row += 1
    return piece


@inner()
def nothing(net, rows, i, sparse):
    """Whether pre-activation i is zero on the cell without any rounding."""
    bias, bias_error, pick = net.bias, net.bias_error, net.pick
    live, zero = rows.live, rows.zero
    if bias[i] != 0.0 or bias_error[i] != 0.0:
        return False
    if sparse:
        return live[i] == 0
    return pick[i] >= 0 and zero[pick[i]]


@inner()
def _form_value(rows, i, v, slope, shift, nought):
    """The form of value v, of unit i, on its piece; marks whether it has changed."""
    k, Z, H = len(rows.Z) - 1, rows.Z, rows.H[0]
    D, dirty, zero = rows.H[1], rows.dirty, rows.zero
    delta = rows.delta
    differs = nought != zero[v]
    delta[v] = np.int8(zero[v]) - np.int8(nought)
    zero[v] = nought
    for c in range(k + 1):
        new = slope * Z[c, i] if slope != 0.0 and not nought else 0.0
        if c == k:
            new += shift
        change = new - H[c, v]
        D[c, v], H[c, v] = change, new
        differs |= change != 0.0
    dirty[v] = differs


@inner()
def values(net, rows, j, n, flips):
    """Values of layer j where its forms moved, and of the units on the list from n on."""
    base, end, at = net.table[j, PRE], net.table[j + 1, PRE], net.table[j, VALUE]
    start, stop, shift = net.table[j, TEST], net.table[j + 1, TEST], net.table[j, BIT]
    last, plain, moved, sparse = net.table[j + 1, VALUE], net.plain[j], rows.moved[j], False
    sparse = net.table[j, SPARSE] == 1
    flat, i, a = False, base, 0
    many = end - base if moved == ALL else (rows.found[j] if moved == SOME else 0)
    shift -= start
    while net.table[j, WIDE] == 0:
        if a < many:
            i = base + a if moved == ALL else rows.touched[base + a]
            a += 1
        else:
            if moved == ALL or n == flips or rows.flips[n] >= last:
                break
            i = base + rows.flips[n] - at
            n += 1
            if moved == SOME and rows.mark[i]:
                continue  # done: what has changed must not be forgotten
        p = _piece(net, rows, i, base, start, stop, shift, plain)  # fmt: skip
        slope, up = net.pieces[p, 0], net.pieces[p, 1]
        flat = up == 0.0 and (
            slope == 0.0
            or nothing(net, rows, i, sparse)
        )  # fmt: skip
        _form_value(rows, i, at + i - base, slope, up, flat)
    if net.table[j, WIDE] > 0:
        _largest(net, rows, j, n < flips and rows.flips[n] < last)
    while n < flips and rows.flips[n] < last:
        n += 1
    return n


@inner()
def _largest(net, rows, j, flipped):
    """Values of max units: the forms of the winners."""
    start, bit, at = net.table[j, TEST], net.table[j, BIT], net.table[j, VALUE]
    wide, sparse, moved = net.table[j, WIDE], net.table[j, SPARSE] == 1, rows.moved[j]
    gptr, args = net.gptr, net.args
    sign, mark = rows.sign, rows.mark
    if moved == STILL and not flipped:
        return
    for g in range(net.table[j + 1, TEST] - start):
        piece = 0
        for b in range(wide):
            piece += np.int64(sign[bit + g * wide + b]) << b
        i = args[gptr[start + g] + piece]
        if moved == ALL or flipped or mark[i]:
            flat = nothing(net, rows, i, sparse)
            _form_value(rows, i, at + g, 1.0, 0.0, flat)
