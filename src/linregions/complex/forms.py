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

from typing import Any, NamedTuple

import numpy as np

from ..jit import LONG, inner, kernel, raised
from ..network.affine import UNIT
from .program import AT, BIT, HI, LO, PRE, SPARSE, TEST, VALUE, WIDE, Layers

UPDATES = 128  # values that may be updated before a small dense layer is computed afresh
TOUCHES = 128  # updates of one row of a sparse layer
STILL, ALL, SOME = range(3)  # forms of a layer that have moved


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
def _add(k, first, end, lo, hi, at, changed, W, Z, H, pick, trip):
    """``Z += W[:, v] H[:, v]`` for the first ``changed`` values v in ``pick``, four at a time.

    The last four are filled up by a value that is zero: the last column of H.
    """
    m = end - first
    for a in range(changed, changed + 3):
        pick[a] = H.shape[1] - 1
    for a in range(0, changed, 4):
        if raised(trip, 0):
            return
        p, q, r, s = pick[a], pick[a + 1], pick[a + 2], pick[a + 3]
        wp = W[at + (p - lo) * m : at + (p - lo + 1) * m]
        wq = W[at + (min(q, hi - 1) - lo) * m : at + (min(q, hi - 1) - lo + 1) * m]
        wr = W[at + (min(r, hi - 1) - lo) * m : at + (min(r, hi - 1) - lo + 1) * m]
        ws = W[at + (min(s, hi - 1) - lo) * m : at + (min(s, hi - 1) - lo + 1) * m]
        for c in range(k + 1):
            z = Z[c, first:end]
            hp, hq, hr, hs = H[c, p], H[c, q], H[c, r], H[c, s]
            for i in range(m):
                z[i] += hp * wp[i] + hq * wq[i] + hr * wr[i] + hs * ws[i]


@inner()
def _active(k, lo, hi, H, pick):
    """List the values from lo to hi that are not zero on the cell; how many there are."""
    found = 0
    for v in range(lo, hi):
        used = False
        for c in range(k + 1):
            used |= H[c, v] != 0.0
        pick[found] = v
        found += int(used)
    return found


@inner(inline="always")
def _refresh(k, layer, net: Any, rows: Any):
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
                _afresh(
                    k, i, lo, net.rptr, net.ridx, net.rval, net.bias, rows.Z, rows.H[0],
                    rows.zero, rows.live, rows.count,
                )  # fmt: skip
        else:
            found = _touch(
                k, first, lo, at, changed, net.cptr, net.cidx, net.cval, rows.Z, rows.H[1], pick,
                rows.delta, rows.live, rows.count, rows.mark, rows.touched, rows.trip,
            )  # fmt: skip
            rows.found[layer] = found
            rows.moved[layer] = SOME if found > 0 else STILL
            for a in range(first, first + found):
                i = rows.touched[a]
                if rows.count[i] > TOUCHES or rows.live[i] == 0:
                    _afresh(
                        k, i, lo, net.rptr, net.ridx, net.rval, net.bias, rows.Z, rows.H[0],
                        rows.zero, rows.live, rows.count,
                    )  # fmt: skip
    else:
        start = rows.updates[layer] < 0
        room = max(UPDATES, (hi - lo) // 2)
        if start or 3 * changed > hi - lo or changed + rows.updates[layer] > room:
            changed = _active(k, lo, hi, rows.H[0], pick)
            _reset(k, first, end, rows.Z, net.bias)
            rows.updates[layer] = 0
        elif changed > 0:
            which = 1
            rows.updates[layer] += changed
        else:
            rows.moved[layer] = STILL
        _add(k, first, end, lo, hi, at, changed, net.W, rows.Z, rows.H[which], pick, rows.trip)


@inner()
def _afresh(k, i, lo, rptr, ridx, rval, bias, Z, H, zero, live, count):
    """The form of pre-activation i of a sparse layer from the forms of what it reads."""
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
def _touch(
    k, first, lo, at, changed, cptr, cidx, cval, Z, D, pick, delta, live, count, mark, touched,
    trip,
):  # fmt: skip
    """Add what has changed to the forms that read it; lists those, and says how many."""
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
def _reset(k, first, end, Z, bias):
    """The forms of units ``first`` to ``end`` where no value is read: the biases."""
    for i in range(first, end):
        for c in range(k):
            Z[c, i] = 0.0
        Z[k, i] = bias[i]


@inner(inline="always")
def _piece(i, base, start, end, shift, plain, first_piece, first_row, row_unit, sign):
    """Place of the piece that unit i is on; its layer has tests ``start`` to ``end``."""
    if plain:
        return first_piece[i] + sign[start + i - base + shift]
    row, piece = first_row[i], first_piece[i]
    while row < end and row_unit[row] == i:
        piece += sign[row + shift]
        row += 1
    return piece


@inner()
def nothing(i, sparse, rptr, live, bias, bias_error, pick, zero):
    """Whether pre-activation i is zero on the cell without any rounding."""
    if bias[i] != 0.0 or bias_error[i] != 0.0:
        return False
    if sparse:
        return live[i] == 0
    return pick[i] >= 0 and zero[pick[i]]


@inner()
def _value(k, i, v, slope, shift, nought, Z, H, D, dirty, zero, delta):
    """The form of value v, of unit i, on its piece; marks whether it has changed."""
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


@inner(inline="always")
def _values(k, j, n, flips, net: Any, rows: Any):
    """Values of layer j where its forms moved, and of the units on the list from n on."""
    base, end, at = net.table[j, PRE], net.table[j + 1, PRE], net.table[j, VALUE]
    start, stop, shift = net.table[j, TEST], net.table[j + 1, TEST], net.table[j, BIT]
    last, plain, moved, sparse = net.table[j + 1, VALUE], net.plain[j], rows.moved[j], False
    sparse = net.table[j, SPARSE] == 1
    Z, H, D, dirty, pieces = rows.Z, rows.H[0], rows.H[1], rows.dirty, net.pieces
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
        p = _piece(
            i, base, start, stop, shift, plain, net.first_piece, net.first_row, net.row_unit,
            rows.sign,
        )  # fmt: skip
        slope, up = pieces[p, 0], pieces[p, 1]
        flat = up == 0.0 and (
            slope == 0.0
            or nothing(i, sparse, net.rptr, rows.live, net.bias, net.bias_error, net.pick,
                       rows.zero)
        )  # fmt: skip
        _value(k, i, at + i - base, slope, up, flat, Z, H, D, dirty, rows.zero, rows.delta)
    if net.table[j, WIDE] > 0:
        _largest(
            k, j, moved, n < flips and rows.flips[n] < last, start, stop, net.table[j, BIT], at,
            net.table[j, WIDE], sparse, net.gptr, net.args, net.rptr, net.bias, net.bias_error,
            net.pick, rows.sign, rows.mark, rows.live, Z, H, D, dirty, rows.zero, rows.delta,
        )  # fmt: skip
    while n < flips and rows.flips[n] < last:
        n += 1
    return n


@inner()
def _largest(
    k, j, moved, flipped, start, stop, bit, at, wide, sparse, gptr, args, rptr, bias, bias_error,
    pick, sign, mark, live, Z, H, D, dirty, zero, delta,
):  # fmt: skip
    """Values of max units: the forms of the winners."""
    if moved == STILL and not flipped:
        return
    for g in range(stop - start):
        piece = 0
        for b in range(wide):
            piece += np.int64(sign[bit + g * wide + b]) << b
        i = args[gptr[start + g] + piece]
        if moved == ALL or flipped or mark[i]:
            flat = nothing(i, sparse, rptr, live, bias, bias_error, pick, zero)
            _value(k, i, at + g, 1.0, 0.0, flat, Z, H, D, dirty, zero, delta)


@inner()
def compose(k, layer, first, last, reach, net: Any, rows: Any, bits, slots, error):
    """Rows ``first`` to ``last`` of a layer on the cell with these bits, with their errors.

    ``bits[w]`` holds the bits numbered ``slots[64 w]``, ...; ``reach`` bounds the coordinates of
    all points; ``error`` is what `bounds` gave. For max units the forms are all there is.
    False where the trip wire was raised: then all is composed anew the next time.
    """
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
        _refresh(k, j, net, rows)
        if raised(rows.trip, 0):
            _forget(rows)
            return False
        if j < layer:
            n = _values(k, j, n, flips, net, rows)
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
        _reset(k, net.table[layer, PRE], net.table[layer + 1, PRE], rows.Z, net.bias)
        rows.updates[layer] = 0
    if net.plain[layer] and not empty:
        _plain(k, layer, first, last, reach, net, rows, error)
        if sparse:
            _bare(k, layer, first, last, reach, net, rows)
        return True
    for n in range(last - first):
        alone = empty or (sparse and rows.live[net.row_unit[first + n]] == 0)
        rows.size[n], rows.slack[n], rows.error[n] = row_at(
            k, first + n, alone, reach, net, rows, error, rows.R[:, n]
        )
    return True


@inner()
def _forget(rows: Any):
    """Nothing but the pattern is known any more."""
    for j in range(len(rows.updates)):
        rows.updates[j] = -1
    for i in range(len(rows.mark)):
        rows.mark[i] = False


@inner(inline="always")
def _bare(k, layer, first, last, reach, net: Any, rows: Any):
    """Errors of the rows of a sparse layer that read only zeros: their bias' own."""
    i = net.table[layer, PRE] + first - net.table[layer, TEST]
    for n in range(last - first):
        if rows.live[i + n] == 0:
            lost = net.bias_error[i + n]
            rows.size[n], rows.slack[n], rows.error[n] = 0.0, 0.0, 1.02 * lost


@inner(inline="always")
def _plain(k, layer, first, last, reach, net: Any, rows: Any, error):
    """`row_at` for a layer whose units have one breakpoint each, at zero: plain loops."""
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
def row_at(k, c, empty, reach, net: Any, rows: Any, error, out):
    """Row c of the network on the current cell into ``out``; its size, slack and error."""
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
    return 1.02 * (k * ew * reach + ec + (k + 4) * UNIT * (total * reach + constant))


@kernel("affine maps of cells")
def forms_at(layer, reach, net, rows, words, slots, error, first, last, out):
    """Forms of all pre-activations of a layer (or of the output) on cells ``first`` to ``last``.

    Returns the cell to go on with: ``last`` but where the trip wire was raised.
    """
    begin, end = net.table[layer, PRE], net.table[layer + 1, PRE]
    none = net.table[layer, TEST]
    for cell in range(first, last):
        if not compose(net.k, layer, none, none, reach, net, rows, words[cell], slots, error):
            return cell
        for i in range(begin, end):
            for c in range(net.k + 1):
                out[cell - first, i - begin, c] = rows.Z[c, i]
    return last
