"""Rows of a layer on one cell after the other, each from the last by what has flipped.

On a cell every unit of a layer is one affine function, its *row*: k coefficients and a constant.
Cells come in an order in which neighbours in the list differ in few units, so the rows of a cell
are those of the cell before plus ``W[:, u] (h_new - h_old)`` for every value u that changed: a
rank-one update instead of a matrix product. Only where most values changed is the product taken.

No error is carried along. Rounding is bounded once per layer, for all patterns together, by norms
(`bounds`): with ``h`` the values read, ``|h|_2 <= B`` and ``|err h|_2 <= e``,

    |err row_i| <= |W_i|_2 (e + gamma B),        |err z|_2 <= |W|_2 e + gamma |W|_F B,

by Cauchy and Schwarz, where gamma = (2 n + UPDATES) u covers the sum and all updates since the
last product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..affine import INPUT, ONE, UNIT
from ..search.lp import LONG, inner
from ..search.program import Compiled
from ..units import Pointwise

UPDATES = 128  # values that may be updated before a row is computed afresh


class Layers(NamedTuple):
    """The network, for the kernels: as `search.program.Program`, with the weights transposed.

    ``table`` has one row per layer and one more: first unit, first row (breakpoint), first value,
    range of values read, place of the weights in ``W``.
    """

    k: int
    table: np.ndarray
    W: np.ndarray
    bias: np.ndarray
    first_piece: np.ndarray
    pieces: np.ndarray
    row_unit: np.ndarray
    place: np.ndarray  # of each breakpoint, and below it its rounding
    bias_error: np.ndarray
    first_row: np.ndarray
    plain: np.ndarray  # one breakpoint a unit, at zero


class Rows(NamedTuple):
    """Where the composition stands (one per thread), and the rows of the current cell.

    ``Z`` (k + 1, units) forms of the pre-activations, ``H`` (2, k + 1, values)
    those of the values and what changed last, ``pick`` a list of values, ``flips`` of units;
    ``bits`` and ``sign``
    the pattern; ``R`` (k + 1, rows) rows of the layer at hand, ``slack`` the error of their
    coefficients, ``size`` their 1-norms and ``error`` what evaluating them at a point may be off
    by, apart from the point's own error.
    """

    Z: np.ndarray
    H: np.ndarray
    dirty: np.ndarray
    pick: np.ndarray
    flips: np.ndarray
    moved: np.ndarray
    updates: np.ndarray
    bits: np.ndarray
    sign: np.ndarray
    R: np.ndarray
    slack: np.ndarray
    size: np.ndarray
    error: np.ndarray


def layers_of(compiled: Compiled) -> Layers:
    """The arrays of a compiled network."""
    P = compiled.program
    table = np.ascontiguousarray(P.layers[:, :6])
    W = np.empty_like(P.W)
    for n in range(P.n_layers):
        at, end = table[n, 5], table[n + 1, 5]
        width = table[n, 4] - table[n, 3]
        if width:
            W[at:end] = P.W[at:end].reshape(-1, width).T.ravel()
    first_row = np.searchsorted(P.cut_unit, np.arange(table[-1, 0])).astype(np.int64)
    plain = np.zeros(P.n_layers + 1, np.bool_)
    for n in range(P.n_layers):
        mine = slice(table[n, 1], table[n + 1, 1])
        units = np.arange(table[n, 0], table[n + 1, 0])
        plain[n] = np.array_equal(P.cut_unit[mine], units) and not P.cuts[mine].any()
    return Layers(
        P.k, table, W, np.ascontiguousarray(P.units[:, 1]), P.first_piece, P.pieces, P.cut_unit,
        np.ascontiguousarray(P.cuts.T), np.ascontiguousarray(P.units[:, 2]), first_row, plain,
    )  # fmt: skip


def rows_of(net: Layers) -> Rows:
    """A composition that has not begun."""
    k, n = net.k, len(net.table) - 1
    units, values = int(net.table[-1, 0]), int(net.table[-1, 2])
    widest = int(np.max(np.diff(net.table[:, 1]), initial=1))
    H = np.zeros((2, k + 1, values + 1))  # the last column stays zero
    H[0, :k, :k] = np.eye(k)
    return Rows(
        np.zeros((k + 1, units)),
        H,
        np.zeros(values, np.bool_),
        np.zeros(values + 4, np.int64),
        np.zeros(len(net.row_unit) + 1, np.int64),
        np.zeros(n + 1, np.bool_),
        np.full(n + 1, -1, np.int64),
        np.zeros(len(net.row_unit) // 64 + 1, np.uint64),
        np.zeros(len(net.row_unit), np.int8),
        np.zeros((k + 1, widest)),
        np.zeros(widest),
        np.zeros(widest),
        np.zeros(widest),
    )


def norm(matrix: np.ndarray) -> float:
    """An upper bound of the spectral norm: ``|(A A^T)^2|_F^(1/4)``, at most n^(1/8) above it."""
    if not matrix.size:
        return 0.0
    a = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    gram = a @ a.T
    return float(1.0000001 * min(np.linalg.norm(a), np.linalg.norm(gram @ gram) ** 0.25))


def bounds(compiled: Compiled) -> np.ndarray:
    """(2, units): bounds of the error of every unit's coefficients, and of its constant.

    They hold on every cell. Zero where all numbers are integers times a power of two that floats
    hold without rounding (see `search.program`: the lattice), whatever the pattern.
    """
    net, P = compiled.network, compiled.program
    # per source: norms of a coefficient column and of the constants, and of their errors
    known: dict[int, tuple[float, float, float, float]] = {}
    most = {INPUT: 1.0}  # largest entry of any form, for the lattice
    out = [np.zeros((2, 0))]
    for n, layer in enumerate(net.layers):
        offset, off_err = layer.affine.rounded(ONE, 1)
        linear = const = lin_err = const_err = 0.0
        row_w = np.zeros(layer.affine.size)
        bias = np.abs(offset[:, 0])
        row_c = np.zeros(len(bias)) if off_err is None else off_err[:, 0]
        const, const_err = float(np.linalg.norm(bias)), float(np.linalg.norm(row_c))
        top = bias.copy()
        for source in layer.affine.sources:
            W, err = layer.affine.rounded(source, net.size_of(source))
            W = W * compiled.unit if source == INPUT else W
            lost = np.zeros_like(W) if err is None else err
            lost = lost * compiled.unit if source == INPUT and err is not None else lost
            top += most.get(source, np.inf) * np.abs(W).sum(axis=1)
            each = np.linalg.norm(W, axis=1)
            slack = np.linalg.norm(lost, axis=1) if err is not None else np.zeros(len(each))
            if source == INPUT:
                linear += float(np.max(np.linalg.norm(W, axis=0), initial=0.0))
                row_w += lost.max(axis=1, initial=0.0)
                if len(layer.affine.sources) > 1:
                    row_w += 8 * UPDATES * UNIT * np.abs(W).max(axis=1, initial=0.0)
                lin_err += float(np.linalg.norm(row_w))
                continue
            B, C, e, f = known[source]
            gamma = 1.01 * (2 * W.shape[1] + 8 * UPDATES + 8) * UNIT
            spectral = norm(W)
            row_w += each * (e + gamma * B) + slack * (B + e)
            row_c = row_c + each * (f + gamma * C) + slack * (C + f) + gamma * bias
            lin_err += spectral * e + gamma * np.linalg.norm(W) * B + np.linalg.norm(slack) * B
            const_err += spectral * f + gamma * (np.linalg.norm(W) * C + np.linalg.norm(bias))
            const_err += np.linalg.norm(slack) * C
            linear += spectral * B
            const += spectral * C
        lattice = int(P.layers[n, 6])
        units = layer.units
        assert isinstance(units, Pointwise)
        if lattice >= 0 and np.all(np.ldexp(top, lattice) < 2.0**51):
            row_w, row_c = np.zeros_like(row_w), np.zeros_like(row_c)
            lin_err = const_err = 0.0
        out.append(1.02 * np.stack([row_w, row_c]))
        slopes = [float(s) for a in units.kinds for s in a.slopes]
        steep = max(abs(s) for s in slopes)
        shift = max(abs(float(c)) for a in units.kinds for c in a.intercepts)
        whole = all(s in (0.0, 1.0) for s in slopes) and shift == 0.0
        most[n + 1] = float(top.max(initial=0.0)) if whole else np.inf
        round_ = 0.0 if whole else 4 * UNIT
        moved = shift * np.sqrt(layer.size)
        known[n + 1] = (
            1.01 * steep * linear,
            1.01 * (steep * const + moved),
            1.01 * steep * (lin_err + round_ * linear),
            1.01 * (steep * (const_err + round_ * const) + 4 * UNIT * moved),
        )
    return np.concatenate(out, axis=1)


@inner(fastmath=LONG)
def _add(k, first, end, lo, hi, at, changed, W, Z, H, pick):
    """``Z += W[:, v] H[:, v]`` for the first ``changed`` values v in ``pick``, four at a time.

    The last four are filled up by a value that is zero: the last column of H.
    """
    m = end - first
    for a in range(changed, changed + 3):
        pick[a] = H.shape[1] - 1
    for a in range(0, changed, 4):
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
    """Bring the forms of a layer up to date; marks whether they moved."""
    first, end = net.table[layer, 0], net.table[layer + 1, 0]
    lo, hi, at = net.table[layer, 3], net.table[layer, 4], net.table[layer, 5]
    pick, dirty, changed, which = rows.pick, rows.dirty, 0, 0
    for v in range(lo, hi):
        pick[changed] = v
        changed += int(dirty[v])
    rows.moved[layer] = True
    if rows.updates[layer] < 0 or 3 * changed > hi - lo or changed + rows.updates[layer] > UPDATES:
        changed = _active(k, lo, hi, rows.H[0], pick)
        _reset(k, first, end, rows.Z, net.bias)
        rows.updates[layer] = 0
    elif changed > 0:
        which = 1
        rows.updates[layer] += changed
    else:
        rows.moved[layer] = False
    _add(k, first, end, lo, hi, at, changed, net.W, rows.Z, rows.H[which], pick)


@inner()
def _reset(k, first, end, Z, bias):
    """The forms of units ``first`` to ``end`` where no value is read: the biases."""
    for i in range(first, end):
        for c in range(k):
            Z[c, i] = 0.0
        Z[k, i] = bias[i]


@inner(inline="always")
def _piece(i, base, start, end, plain, first_piece, first_row, row_unit, sign):
    """Place of the piece that unit i is on; its layer has rows ``start`` to ``end``."""
    if plain:
        return first_piece[i] + sign[start + i - base]
    row, piece = first_row[i], first_piece[i]
    while row < end and row_unit[row] == i:
        piece += sign[row]
        row += 1
    return piece


@inner(inline="always")
def _value(k, i, v, slope, shift, Z, H, D, dirty):
    """The form of value v, of unit i, on its piece; marks whether it has changed."""
    differs = False
    for c in range(k + 1):
        new = slope * Z[c, i] if slope != 0.0 else 0.0
        if c == k:
            new += shift
        change = new - H[c, v]
        D[c, v], H[c, v] = change, new
        differs |= change != 0.0
    dirty[v] = differs


@inner(inline="always")
def _values(k, j, n, flips, net: Any, rows: Any):
    """Values of layer j: all where its forms moved, else of the units on the list from n on."""
    base, end, at = net.table[j, 0], net.table[j + 1, 0], net.table[j, 2]
    start, stop, plain, moved = net.table[j, 1], net.table[j + 1, 1], net.plain[j], rows.moved[j]
    Z, H, D, dirty, pieces = rows.Z, rows.H[0], rows.H[1], rows.dirty, net.pieces
    i = base
    while True:
        if moved and i == end:
            break
        if not moved:
            if n == flips or rows.flips[n] >= end:
                break
            i = rows.flips[n]
            n += 1
        p = _piece(
            i, base, start, stop, plain, net.first_piece, net.first_row, net.row_unit, rows.sign
        )
        _value(k, i, at + i - base, pieces[p, 0], pieces[p, 1], Z, H, D, dirty)
        i += 1
    while n < flips and rows.flips[n] < end:
        n += 1
    return n


@inner()
def compose(k, layer, first, last, reach, net: Any, rows: Any, bits, error):
    """Rows ``first`` to ``last`` of a layer on the cell with these bits, with their errors.

    ``reach`` bounds the coordinates of all points; ``error`` is what `bounds` gave.
    """
    flips = 0
    for word in range(len(bits)):
        change = bits[word] ^ rows.bits[word]
        if change != 0:
            for c in range(64 * word, min(64 * word + 64, net.table[layer, 1])):
                if (change >> np.uint64(c & 63)) & np.uint64(1):
                    rows.sign[c] = 1 - rows.sign[c]
                    if flips == 0 or rows.flips[flips - 1] != net.row_unit[c]:
                        rows.flips[flips] = net.row_unit[c]
                        flips += 1
            rows.bits[word] = bits[word]
    n = 0
    for j in range(layer + 1):
        _refresh(k, j, net, rows)
        if j < layer:
            n = _values(k, j, n, flips, net, rows)
    for v in range(net.table[layer, 2]):
        rows.dirty[v] = False
    empty = _active(k, net.table[layer, 3], net.table[layer, 4], rows.H[0], rows.pick) == 0
    if empty:  # the rows are the biases, as they are
        _reset(k, net.table[layer, 0], net.table[layer + 1, 0], rows.Z, net.bias)
        rows.updates[layer] = 0
    if net.plain[layer] and not empty:
        _plain(k, layer, first, last, reach, net, rows, error)
        return
    for n in range(last - first):
        rows.size[n], rows.slack[n], rows.error[n] = row_at(
            k, first + n, empty, reach, net, rows, error, rows.R[:, n]
        )


@inner(inline="always")
def _plain(k, layer, first, last, reach, net: Any, rows: Any, error):
    """`row_at` for a layer whose units have one breakpoint each, at zero: plain loops."""
    i, m = net.table[layer, 0] + first - net.table[layer, 1], last - first
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
